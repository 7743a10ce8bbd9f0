/* SPDX-License-Identifier: Apache-2.0 */
/* run_inner.h - what the files that carry out orders share.
 *
 *     run.c        lanes, and the life of an order in one: begun, ended, cancelled, too late
 *     run_step.c   steps of an order: which call of the adapter a command is
 *     run_flat.c   its commands laid flat, and their answers
 *
 * A step begins a call, or answers commands by itself and sets `more`; the call's reply answers
 * commands and has run_on() go on.  run_on() may be called from within a step: it is only noted. */
#ifndef GREM_RUN_INNER_H
#define GREM_RUN_INNER_H

#include "call.h"
#include "odm/view.h"

#define RUN_LANES 1024 /* a power of two */

/* A command of the list laid flat. */
struct unit {
        const odm_command *cmd;
        size_t end;    /* the first unit behind it and its members */
        size_t atomic; /* the unit of the Atomic around it; itself for none */
        bool answered;
};

struct order {
        struct order *next;
        struct lane *lane;
        uint64_t id;
        const odm_command *list;
        odm_str correlator;
        bool exact;
        gw_done done;
        void *ctx;
        loop_timer timer; /* its deadline */
        odm_time due;
        odm_arena arena;
        struct unit *unit;
        gw_answer *answer; /* one of each unit */
        size_t n, at;      /* units; the one that is done now */
        const odm_item *item;
        size_t batch, single; /* units of the read under way; those below are read by themselves */
        uint64_t call;        /* under way; 0: none */
        bool whole;           /* it is of all units */
        bool awake;           /* when it began */
        odm_wall seen;        /* the device, when it began */
        bool stepping, more;  /* in run_on(), and it may go on at once */
        bool over;            /* to be ended with: */
        unsigned status;
        odm_str text;
};

struct lane { /* orders on one device */
        struct lane *next;
        runner *r;
        gw_device *d;
        struct order *first; /* it runs; the others wait */
        size_t n;
        loop_timer kick;
};

struct runner {
        gateway *g;
        calls *calls;
        uint64_t last;
        struct lane *lane[RUN_LANES];
        run_watcher watcher;
        void *watcher_ctx;
};

/* ---- run.c ------------------------------------------------------------------------------- */

/* Goes on as far as it gets; the order is gone afterwards when that was its end. */
void run_on(struct order *o);
/* Has it ended with a status of all; from within run_on() that is done when it returns. */
void run_end(struct order *o, unsigned status, odm_str text);
/* The device is silent or gone: what has no answer yet gets this one. */
void run_give_up(struct order *o, unsigned status, odm_str text);

/* ---- run_step.c -------------------------------------------------------------------------- */

void run_step(struct order *o); /* the next one */

/* ---- run_flat.c -------------------------------------------------------------------------- */

bool run_is_container(odm_cmd k);
/* How many commands there are; SIZE_MAX for what nests too deep or is too much. */
size_t run_count(const odm_command *list);
void run_lay_flat(struct order *o); /* o->n of them into o->unit */

/* What is said of it goes to people who do not know the place: a copy without addresses. */
odm_str run_keep_text(struct order *o, odm_str text);
void run_answer(struct order *o, size_t unit, unsigned status, odm_str text);
/* That, and on to what is behind the unit; a member of an Atomic that failed ends the Atomic. */
void run_go_on(struct order *o, size_t unit, unsigned status, odm_str text);
void run_refuse_atomic(struct order *o, size_t top, unsigned status, odm_str text); /* wholly */

/* Copies.  0, or the arena's error. */
ODM_MUST_USE int run_keep_node(odm_arena *a, const adapter_node *in, adapter_node *out);
/* The nodes of a reply that a Get of `path` wants join those it has; *found of them.  As above. */
ODM_MUST_USE int run_keep_nodes(struct order *o, gw_answer *to, odm_str path, odm_view_need need,
                                const adapter_reply *r, size_t *found);

#endif
