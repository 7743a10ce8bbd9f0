/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_inner.h - what the files of a schedule share.
 *
 *     schedule       the object: who may change what, Activate and its kin, states
 *     schedule_plan  its configuration, read out of the tree and judged
 *     schedule_when  which conditions are met, and when to look again
 *     schedule_run   its commands, their journal, the Log, reports
 *
 * The tree is the truth: State, Runs and their kin are read from it each time.  Kept in memory is
 * what can be made again of the tree, and what a restart may forget. */
#ifndef MO_SCHEDULE_INNER_H
#define MO_SCHEDULE_INNER_H

#include "odm/schedule.h"
#include "stored.h"

#define SCHEDULE_REQUIRES 8 /* words of Require */

/* ---- reading and writing the leaves of one schedule -------------------------------------- */

/* The first failure stays, and nothing more is done then. */
struct pen {
        odm_schedules *s;
        odm_str name; /* of the schedule */
        odm_wall now;
        int rc;
        odm_arena a;
        char block[768];
};

void odm_pen_open(struct pen *p, odm_schedules *s, odm_str name, odm_wall now);
void odm_pen_done(struct pen *p);
odm_str odm_pen_uri(struct pen *p, const char *rel, ...) ODM_PRINTF(2, 3);
/* A leaf, `rel` below the schedule, in the pen's arena; absent when it is not there. */
odm_str odm_pen_get(struct pen *p, const char *rel);
uint32_t odm_pen_number(struct pen *p, const char *rel, uint32_t none);
/* A time in UTC; -1 when it is not there. */
int64_t odm_pen_time(struct pen *p, const char *rel);
void odm_pen_put(struct pen *p, const char *rel, odm_format f, odm_str text);
void odm_pen_put_number(struct pen *p, const char *rel, uint32_t n);
void odm_pen_put_time(struct pen *p, const char *rel, odm_wall at);
void odm_pen_delete(struct pen *p, const char *rel); /* what is not there need not be */
/* Names of the children of `rel`, in order; *n of them. */
const odm_str *odm_pen_names(struct pen *p, const char *rel, size_t *n);
/* A transaction; odm_pen_commit() gives p->rc, and all is taken back unless that is 0. */
void odm_pen_begin(struct pen *p);
int odm_pen_commit(struct pen *p);

/* ---- configuration ----------------------------------------------------------------------- */

struct item;

struct cond {
        const struct plan *plan;
        bool has_timer, has_trap, has_threshold;
        /* timer */
        odm_moment base;
        bool from_now;   /* Base 0 */
        bool by_seconds; /* ... and as many seconds later each: needs no calendar */
        odm_recur rule;
        int64_t window; /* 0: no limit */
        /* trap */
        odm_str trap;
        odm_trap_listener listener;
        /* threshold */
        odm_str ref;
        bool has_low, has_high;
        int32_t low, high;
        int64_t every_ms;

        /* of now */
        bool is_due; /* timer beside other parts: waits for them */
        odm_wall due;
        bool fired, active; /* trap */
        odm_time sample_at;
        bool reached; /* threshold, at the last look */
};

struct plan {
        struct item *of; /* whom its traps tell; NULL: nobody */
        odm_arena a;     /* its texts */
        odm_str id, server, next, require[SCHEDULE_REQUIRES];
        size_t n_require, n_cond;
        bool has_from, has_to;
        odm_moment from, to;
        unsigned gating;
        uint32_t repeat;
        struct cond cond[ODM_SCHEDULE_CONDITIONS];
};

/* Reads what is configured.  0; ODM_EMALFORMED with *why, static text; ODM_ENOMEM, ODM_EIO.  *out
 * is to be given to odm_schedule_plan_free(). With `task_only` conditions are neither read nor
 * judged. */
ODM_MUST_USE int odm_schedule_plan_read(odm_schedules *s, odm_str name, bool task_only,
                                        struct plan **out, const char **why);
/* Where a trap that `server` listens to is; *uri stays absent for one that is not in this tree.
 * 0, ODM_ENOENT, ODM_EACCESS, ODM_ENOMEM. */
ODM_MUST_USE int odm_schedule_find_trap(struct pen *p, odm_str id, odm_str server, odm_str *uri);
/* From now on its traps tell `it`, until odm_schedule_plan_free(). */
void odm_schedule_plan_listen(struct plan *p, struct item *it);
void odm_schedule_plan_free(odm_schedules *s, struct plan *p); /* NULL is allowed; ends listening */
/* The commands, in `a`.  Errors as odm_schedule_plan_read(). */
ODM_MUST_USE int odm_schedule_plan_task(odm_schedules *s, odm_str name, odm_arena *a, stored **out,
                                        const char **why);

/* ---- the schedules ------------------------------------------------------------------------ */

struct item {
        struct item *next;
        odm_schedules *all;
        odm_str name;      /* on the heap */
        struct plan *plan; /* while active, suspended or running */
        bool stale;        /* the plan is to be read again */
        unsigned reviewed;
        /* while it is armed */
        bool is_restored;   /* what follows is known */
        odm_time armed;     /* activation, on the clock that never goes back */
        int64_t armed_wall; /* and on the calendar; -1: the clock was never set since */
        int64_t seen;       /* latest due time dealt with; -1: none */
        int64_t seen_s;     /* the same in seconds since activation */
        bool doubted;       /* `seen` was put back, and that is to be written down */
        uint32_t met;       /* bits of conditions without timer that are met */
        /* a run that is wanted */
        bool wanted;
        odm_wall due, until;
        bool has_until;
        /* a run that is under way */
        odm_arena arena;
        stored *task; /* in it */
        bool intends; /* the Exec that the journal says was begun has not been done yet */
        /* when to look, as the last look found */
        odm_time next_look;
};

struct odm_schedules {
        odm_schedules_opt opt;
        odm_provider provider;
        struct item *first;
        bool rescan;
        unsigned review;
        uint32_t next_report, next_log; /* names of nodes; go up for ever */
        int64_t apart_ms;               /* the wall clock from the other one */
        bool was_set;
        const struct item *running; /* whose commands are being done */
        unsigned running_level;
};

static inline bool odm_schedule_is_armed(unsigned state)
{
        return state == ODM_SCHEDULE_ACTIVE || state == ODM_SCHEDULE_SUSPENDED;
}

/* ---- when --------------------------------------------------------------------------------- */

struct news {
        unsigned missed; /* runs that turned out to be */
        odm_wall missed_at;
        bool met_changed;
};
/* Looks at all conditions: a run may become wanted, runs may turn out to be missed.  0 or an error.
 */
ODM_MUST_USE int odm_when_look(struct item *it, struct pen *p, const odm_schedule_now *now,
                               struct news *n);
/* Whether a condition can come true ever again. */
bool odm_when_more(const struct item *it, const odm_schedule_now *now);
/* When the conditions are to be looked at again. */
odm_time odm_when_next(const struct item *it, const odm_schedule_now *now);
/* Finds out after a start when it was activated, and what was dealt with. */
void odm_when_restore(struct item *it, struct pen *p, const odm_schedule_now *now);
/* What was dealt with or activated more than a day from now was so by a clock that was wrong: it
 * goes on from now, and `armed_wall` is unknown. */
void odm_when_doubt(struct item *it, const odm_schedule_now *now);
/* Forgets all that: it is activated now. */
void odm_when_reset(struct item *it, const odm_schedule_now *now);

/* ---- running ------------------------------------------------------------------------------- */

/* Writes that a run begins; within a transaction. */
void odm_run_note(struct pen *p, unsigned from, odm_wall due, const odm_wall *until,
                  odm_str correlator);
/* One move of the run that is under way: 1, or an error. */
ODM_MUST_USE int odm_run_move(struct item *it, const odm_schedule_now *now);
/* The device started in the middle of it, or it is over: forgets what is in memory. */
void odm_run_forget(struct item *it);
/* Notes a report for the owner, within a transaction.  `cmds`: lines of the journal. */
void odm_run_report(struct pen *p, const char *event, unsigned result, odm_schedule_state state,
                    odm_wall at, odm_str correlator, odm_str cmds);
/* Notes that `n` runs were missed, the latest due at `at`; within a transaction. */
void odm_run_missed(struct pen *p, unsigned n, odm_wall at, unsigned gating);
/* An entry of the Log, within a transaction. */
void odm_run_log(struct pen *p, unsigned cmd, unsigned status, odm_str data);

/* ---- states -------------------------------------------------------------------------------- */

/* Within a transaction: the leaf, and the report that Gating asks for. */
void odm_schedule_set(struct pen *p, odm_schedule_state to, unsigned gating);
/* The same for 40, which may activate another. */
void odm_schedule_end(struct pen *p, unsigned gating, const odm_schedule_now *now);

#endif
