/* SPDX-License-Identifier: Apache-2.0 */
/* fanout_inner.h - what the files of ./GwMO/Fanout share.
 *
 *     fanout_part.c    nodes: what servers write, read and execute
 *     fanout_task.c    tasks in memory and as rows: started, gone on with, forgotten
 *     fanout_work.c    what the engine (odm/fanout.h) asks for, done: orders, rows, final alerts
 *     fanout_tell.c    results and completions north
 *     fanout_row.c     the rows
 *     fanout_nest.c    a gateway below as a target; fanout_below.c: what is left there
 *
 * A task's row is written before its Exec is answered; a target's row before what cannot be done
 * twice is done, and when it ended; results go north in the batch that says so in the task's row.
 */
#ifndef GREM_FANOUT_INNER_H
#define GREM_FANOUT_INNER_H

#include "fanout.h"
#include "inner.h"
#include "odm/fanout.h"

#define FANOUT_AT "./GwMO/Fanout"
#define FANOUT_TASKS FANOUT_AT "/Fanout/"
#define GW_GROUPS_AT "./GwMO/Inventory/Groups"
#define FANOUT_TASKS_MAX 1000 /* nodes; one more is refused with 420 */
#define FANOUT_TAG 'f'        /* correlators of ours: "f17.0" */
#define FANOUT_STRANGER                                                          \
        0xf0000000u /* targets that no record is known of have numbers from here \
                     */
#define FANOUT_BYTES ((size_t)8 << 20) /* of memory for one step */

/* ---- rows ------------------------------------------------------------------------------------ */

typedef enum fanout_kind {
        FANOUT_TASK,  /* of a node */
        FANOUT_QUEUED /* an Exec below a mount */
} fanout_kind;

typedef struct fanout_row { /* a task, from its start on */
        int64_t id;
        odm_str name; /* of the node; empty: it has none any more, or is an Exec of its own */
        uint32_t kind;
        odm_str task;                      /* TaskID; of an Exec its address */
        odm_str server;                    /* who started it */
        odm_str correlator, cmds, targets; /* targets: as fanout_pack() has it */
        uint32_t state; /* RUNNING while it is open, but PAUSED and CANCELLED are kept */
        uint32_t format, parallel, retry, stop_pct, priority, agg_window, agg_max, max_queue;
        bool make_groups;
        int64_t timeout_ms, not_before, expire; /* the last two: seconds since 1970 */
        int64_t started, finished;
        uint32_t total, ok, failed, told, seq;
} fanout_row;

typedef struct fanout_target_row {
        int64_t task, device;
        odm_str key, id; /* of the record; id: DeviceID */
        uint32_t state, status, tries, ended;
        bool awaits;
        int64_t at;
        odm_str outcome, text;
} fanout_target_row;

enum { TARGET_BY_ENDED = 1 }; /* index of gw_table_target: task, ended */

/* Fields of fanout_row for patches. */
enum fanout_field {
        FANOUT_F_NAME = 1,
        FANOUT_F_CMDS = 6,
        FANOUT_F_STATE = 7,
        FANOUT_F_TARGETS = 8,
        FANOUT_F_FINISHED = 20,
        FANOUT_F_OK = 22,
        FANOUT_F_FAILED = 23,
        FANOUT_F_TOLD = 24,
        FANOUT_F_SEQ = 25,
};

/* Adds the operation; what `row` has is copied.  0 or ODM_ENOMEM. */
ODM_MUST_USE int fanout_put(store_batch *b, const fanout_row *row);
/* All that is kept of its targets, and with `whole` of itself. */
ODM_MUST_USE int fanout_purge(store_batch *b, int64_t task, bool whole);
ODM_MUST_USE int fanout_patch(store_batch *b, const fanout_row *row, uint64_t fields);
ODM_MUST_USE int fanout_put_target(store_batch *b, const fanout_target_row *row);

/* ---- targets of a task, packed ----------------------------------------------------------------- */

typedef struct fanout_list { /* in an arena */
        uint32_t *v;         /* numbers of records, rising, then of strangers */
        size_t n;
        odm_str *stranger; /* DeviceID of FANOUT_STRANGER + i */
        size_t n_strangers;
} fanout_list;

ODM_MUST_USE int fanout_pack(const fanout_list *l, odm_arena *a, odm_str *out);
ODM_MUST_USE int fanout_unpack(odm_str s, odm_arena *a, fanout_list *out);

/* ---- tasks in memory ------------------------------------------------------------------------------ */

typedef struct fanout_part fanout_part;

typedef struct fanout_task { /* the latest run of a node, or an Exec */
        struct fanout_task *next;
        fanout_part *p;
        fanout_row row; /* cmds and targets absent once it is over */
        odm_arena keep; /* what `row` points to, and the commands */
        odm_fanout_cmds cmds;
        fanout_list list;
        bool open; /* the engine has it */
        bool gone; /* forgotten, while a report was on its way: it goes when that is through */
        /* a report under way */
        bool telling, writing, last;
        uint32_t upto;
        odm_fanout_state final;
} fanout_task;

typedef struct fanout_outcome { /* what came of a target, until it is kept for good */
        struct fanout_outcome *next;
        uint64_t task;
        uint32_t device;
        odm_buf outcome, text;
        bool early; /* not answered yet: `outcome` has what final alerts that were faster said */
        /* Documents of this run of a gateway below that went on.  In memory alone: it numbers
         * nothing of ours, which is `fanout_row.seq`, kept with each document.  After a restart one
         * that was not answered yet goes on once more, as a document of its own. */
        uint32_t nested_seq;
} fanout_outcome;

typedef struct fanout_run { /* an order on a device */
        struct fanout_run *next;
        fanout_part *p;
        uint64_t task, order;
        uint32_t device;
        bool nested; /* of a gateway, which gets the task */
        bool given;  /* and has it: it is started */
        int64_t due; /* of the loop's clock: its deadline */
        odm_arena a;
} fanout_run;

#define FANOUT_SLOTS 4096 /* a power of two */

struct fanout_part {
        const part_host *host;
        gateway *g; /* NULL for a bootstrap */
        odm_provider provider;
        odm_fanout *f;
        fanout_task *tasks;
        fanout_outcome *slot[FANOUT_SLOTS];
        fanout_run *runs;
        struct fanout_below *below;
        loop_timer timer, sweep;
        gw_hook hook;
        bool opened, writing, working;
        int64_t hold;           /* of the loop's clock: a batch failed, nothing is written before */
        fanout_target_row seen; /* the row read last, for Results */
        odm_arena seen_arena;
        bool has_seen;
};

odm_fanout_now fanout_now(void);
fanout_task *fanout_by_id(const fanout_part *p, uint64_t id);
fanout_task *fanout_by_name(const fanout_part *p, odm_str name);
gw_device *fanout_device(const fanout_part *p, uint32_t number);
odm_presence fanout_presence(const gw_device *d);
/* Who waits for what is told by the record's Pending. */
void fanout_count(const fanout_part *p, uint32_t device);

/* What is told of a start, to be filled by the node's leaves. */
typedef struct fanout_order {
        fanout_row row; /* all but id, targets, total, state; texts are borrowed */
        fanout_list list;
        odm_presence *presence; /* one for each of list.v */
} fanout_order;

/* Starts it: in the store and in the engine.  *status is what the Exec is answered; 202 when it has
 * begun.  0, or ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int fanout_begin(fanout_part *p, const fanout_order *o, unsigned *status);
/* A start that was refused, for State. */
void fanout_refuse(fanout_part *p, odm_str name, odm_str task_id);
/* PAUSED, RUNNING (again) or CANCELLED; as fanout_begin(). */
ODM_MUST_USE int fanout_turn(fanout_part *p, fanout_task *t, odm_fanout_state to, unsigned *status);
/* One target is wanted no more: it is not begun, and what has begun is not waited for. */
void fanout_take_back(fanout_part *p, const fanout_task *t, uint32_t device);
/* Its node is gone, or has a newer run: rows go. */
void fanout_forget(fanout_part *p, fanout_task *t);
/* All that is kept, at the start.  0 or an error. */
ODM_MUST_USE int fanout_load(fanout_part *p);
void fanout_sweep(fanout_part *p); /* results that are too old go */
void fanout_free_task(fanout_task *t);
/* Out of the list, and freed. */
void fanout_bury(fanout_task *t);
/* It is over: what is not needed any more is given back.  `t->row` says how it ended. */
void fanout_close_task(fanout_task *t);

/* ---- whom it is for: fanout_who.c ------------------------------------------------------------------- */

typedef struct fanout_who { /* targets as they are named, gathered */
        fanout_part *p;
        odm_arena *a;
        uint32_t *v; /* numbers, in any order, some twice */
        size_t n, cap;
        odm_str *stranger;
        size_t n_strangers, strangers_cap;
        unsigned status; /* why not: 400, 404; 0: good */
} fanout_who;

/* True for a target that can be: dev:ID, group:ID, match:SELECTOR, all. */
bool fanout_target_ok(odm_str s);
/* Adds those of one target.  0, ODM_ENOMEM, ODM_ELIMIT; what is wrong with it is w->status. */
ODM_MUST_USE int fanout_who_add(fanout_who *w, odm_str target);
/* All of them, sorted, each once. */
void fanout_who_list(fanout_who *w, fanout_list *out);
/* Presence of each, with the rights of `server` (absent: all) for these commands. */
ODM_MUST_USE int fanout_who_may(fanout_part *p, const fanout_list *l, odm_str server,
                                const odm_fanout_cmds *c, odm_arena *a, odm_presence **out);

/* ---- work ------------------------------------------------------------------------------------------ */

void fanout_wake(fanout_part *p); /* there is something to do, soon */
void fanout_work(fanout_part *p); /* now */
fanout_outcome *fanout_outcome_of(fanout_part *p, uint64_t task, uint32_t device, bool make);
void fanout_outcome_drop(fanout_part *p, uint64_t task, uint32_t device);
/* Final alerts of a device; see gw_hook. */
int fanout_alert(void *ctx, gw_device *d, const odm_alert *a);
void fanout_stop_runs(fanout_part *p, uint64_t task); /* 0: all */

/* ---- results north ---------------------------------------------------------------------------------- */

void fanout_tell(fanout_part *p, const odm_fanout_ask *a);
void fanout_tell_on(fanout_task *t); /* the next piece */
/* Adds the alert with a document of what is gathered, under the task's next number; `doc` is
 * scratch, and lives until the batch is written. */
ODM_MUST_USE int fanout_tell_document(fanout_task *t, store_batch *b, const odm_gather *g,
                                      bool last, odm_buf *doc);

/* ---- gateways below: fanout_nest.c --------------------------------------------------------------------- */

/* The commands that give it the task; in `a`.  It is not to be started unless all are 2xx: what is
 * there then may be another one. */
ODM_MUST_USE int fanout_nest_list(const fanout_task *t, odm_arena *a, const odm_command **out);
/* That which starts it. */
ODM_MUST_USE int fanout_nest_start(const fanout_task *t, odm_str tag, odm_arena *a,
                                   const odm_command **out);
/* What their answers amount to: the first that is no success, or the last. */
unsigned fanout_nest_status(const gw_answer *v, size_t n, odm_str *text);
unsigned fanout_nest_result(odm_str completion);
/* Its document goes on as ours; durable when it returns 0. */
ODM_MUST_USE int fanout_nest_pass(fanout_task *t, const gw_device *d, odm_str document);

/* ---- ... and what is left there: fanout_below.c ----------------------------------------------------------- */

/* A device is awake, or (`dirty`) a task on it has ended: where it is a gateway, nodes of tasks
 * that are over are removed there, now or when it is awake. */
void fanout_below_look(fanout_part *p, gw_device *d, bool dirty);
void fanout_below_drop(fanout_part *p, uint32_t device); /* 0: all */

#endif
