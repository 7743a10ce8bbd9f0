/* SPDX-License-Identifier: Apache-2.0 */
/* diagmon.h - inside the part of DiagMon: its functions, and runs of them. */
#ifndef DREM_PART_DIAGMON_H
#define DREM_PART_DIAGMON_H

#include "odm/diag.h"
#include "part.h"
#include "part/probe.h"
#include "part/samples.h"

typedef struct diagmon diagmon;
typedef struct run run;

typedef struct function function;
struct function {
        odm_diag_function f; /* first: the library gives it back */
        /* Live data.  NULL: they are stored. */
        void (*probe)(const diagmon *g, odm_wall now, probe_sink *to);
        /* Of an action: checks the arguments (1200 or 1404), begins it, gives it up. */
        unsigned (*ready)(const diagmon *g, const odm_task *t);
        int (*act)(run *r);
        void (*quit)(run *r);
        void (*round_off)(run *r); /* the run ends: takes in what it has so far; may be NULL */
        bool (*offered)(const diagmon *g); /* NULL: when its probe finds something */
};

typedef struct pairs { /* what a probe gave */
        odm_arena a;
        struct pair {
                odm_str rel, text;
        } * list;
        size_t n, room;
} pairs;

struct diagmon {
        const part_host *host;
        machine machine;
        char root[256];
        odm_diag diag;
        function *functions; /* those that are offered */
        size_t n;
        char *folder;
        samples *samples;
        run *runs;
        bool progress; /* a sample was taken since the last session began */
        /* the data that were read last, for a moment */
        const function *read;
        pairs data;
        odm_time read_at;
        loop_timer cool;
        struct panic *panic;     /* NULL: not offered */
        struct outside *outside; /* what other programs know */
        struct upload *uploads;
        struct reboot {
                uint32_t id; /* of the task; 0 none */
                bool asked, opened, whole;
                char why[128], instance[96];
                loop_timer timer;
        } reboot;
};

/* All that the probe of `f` finds now, or found at most `age_ms` ago; lent until the next call or
 * for a second.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int diagmon_read(diagmon *g, const function *f, int64_t age_ms, const pairs **out);
int pairs_put(void *ctx, odm_str rel, odm_str text); /* of a probe_sink */
/* The format of a place below DiagMonData. */
odm_format diagmon_format(const function *f, odm_str rel);

/* ---- runs (run.c) ------------------------------------------------------------------------------ */

struct run {
        run *next;
        diagmon *g;
        const function *f;
        uint32_t id;
        char *object, *server, *correlator, *args; /* copies of the task's */
        int64_t interval, period;                  /* ms; 0 none */
        odm_time until;
        size_t memory; /* octets; 0 no limit */
        bool complete, acting, over;
        loop_timer sample, report, limit;
        void *action;        /* of what acts */
        int64_t granularity; /* ms */
};

/* A step of a task begins.  0 or an error. */
ODM_MUST_USE int run_begin(diagmon *g, const function *f, const odm_task *t);
/* The Stop of a run: what it has is reported, and its step ends. */
void run_stop(diagmon *g, uint32_t id);
void run_free_all(diagmon *g);
/* A value of the run's arguments, absent when there is none. */
odm_str run_arg(const run *r, const char *name);
/* What an action found is to be reported; `data` is in the tree already. */
void run_sample(run *r, const pairs *data);
/* The result of a run goes also to the servers that its function lists, but for the one that
 * ordered it, whom its task tells. */
void run_tell_others(const diagmon *g, const function *f, const char *object, odm_str ordered_by,
                     odm_str correlator, unsigned result);
/* The action is over. */
void run_acted(run *r, odm_task_cause cause, const char *note);

/* ---- actions (action.c) ------------------------------------------------------------------------ */

unsigned ping_ready(const diagmon *g, const odm_task *t);
int ping_act(run *r);
void ping_quit(run *r);
bool ping_offered(const diagmon *g);
unsigned checks_ready(const diagmon *g, const odm_task *t);
int checks_act(run *r);
void checks_quit(run *r);
bool checks_offered(const diagmon *g);
unsigned counters_ready(const diagmon *g, const odm_task *t);
int counters_act(run *r);
void counters_quit(run *r);
void counters_round_off(run *r);

/* Writes what an action found below DiagMonData, in one transaction and durable on return; before,
 * all but the newest `keep` rows go (0: all, SIZE_MAX: none).  0 or an error. */
ODM_MUST_USE int diagmon_store(diagmon *g, const function *f, const pairs *data, size_t keep);

#endif
