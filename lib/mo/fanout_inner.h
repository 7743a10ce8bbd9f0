/* SPDX-License-Identifier: Apache-2.0 */
/* fanout_inner.h - tasks and their targets, for the files of fanout.
 *
 * A target is in one of these places:
 *
 *     ready, woken   PENDING, waits for its task's turn     TARGET_QUEUED
 *     runs           RUNNING, to be lent as RUN             TARGET_QUEUED
 *     (nowhere)      PENDING: TARGET_BLOCKED by another task on the same device, or until `due`
 *                    RUNNING: lent, or TARGET_CLAIM: to be kept first
 *     dirty, lent    what is kept of it is to be written, or being written; besides the above */
#ifndef MO_FANOUT_INNER_H
#define MO_FANOUT_INNER_H

#include "odm/fanout.h"

#define NOWHERE UINT32_MAX
#define NO_TIME INT64_MAX

enum target_flag {
        TARGET_QUEUED = 1 << 0,
        TARGET_BLOCKED = 1 << 1,
        TARGET_DIRTY = 1 << 2,  /* in `dirty` */
        TARGET_LENT = 1 << 3,   /* in `lent` */
        TARGET_AFTER = 1 << 4,  /* changed while it was lent */
        TARGET_CLAIM = 1 << 5,  /* is run once it is kept */
        TARGET_AWAITS = 1 << 6, /* a final alert, after 202 */
        TARGET_SLOT = 1 << 7,   /* counts among `parallel` */
        TARGET_WOKEN = 1 << 8,  /* slept when it was last waited for */
        TARGET_SLEPT = 1 << 9,  /* fell asleep while it ran */
};

typedef struct target {
        int64_t due; /* PENDING: next try; AWAITS: gives its place back; else NO_TIME */
        uint32_t device;
        uint32_t ended;
        uint32_t next, prev; /* of ready, woken, runs */
        uint32_t follow;     /* of dirty, lent */
        uint16_t status, flags;
        uint8_t state; /* odm_fanout_target */
        uint8_t tries;
} target;

typedef struct queue {
        uint32_t first, last;
} queue;

typedef struct task {
        odm_fanout_plan plan;
        target *v;        /* n of them, by device */
        uint32_t n, room; /* room: of the block */
        queue ready, woken, runs, dirty, lent;
        uint32_t ok, failed, asleep, slots, running; /* targets so; running: no alert awaited */
        uint32_t last_ended, kept, told;             /* numbers of those that ended */
        uint32_t saved;
        int64_t look; /* when a target's `due` may have come */
        odm_time tell_at;
        odm_fanout_state stop; /* IDLE: none; else how it will have ended */
        bool started, paused, telling, expired;
} task;

struct odm_fanout {
        odm_fanout_opt opt;
        task **v; /* by priority and age */
        uint32_t n;
        uint32_t targets, running;
};

/* ---- fanout.c ---- */

task *odm_fanout_task(const odm_fanout *f, uint64_t id); /* NULL: none */
static inline bool task_serves(const task *t)
{
        return t->started && !t->paused && t->stop == ODM_FANOUT_IDLE;
}
static inline uint32_t task_open(const task *t)
{
        return t->n - t->ok - t->failed;
}

/* ---- fanout_target.c ---- */

target *odm_target_of(const task *t, uint32_t device); /* NULL: none */
/* To the end of `ready` or `woken`. */
void odm_target_ready(task *t, target *x);
/* Out of whichever queue it is in. */
void odm_target_unqueue(task *t, target *x);
/* It is run: at once, or when that is kept. */
void odm_target_claim(odm_fanout *f, task *t, target *x);
/* The first of `runs`, taken out; NULL: none. */
target *odm_target_next_run(task *t);
void odm_target_sleep(odm_fanout *f, task *t, target *x);
void odm_target_wake(odm_fanout *f, task *t, target *x);
/* It waits for the next try; asleep, if it fell asleep. */
void odm_target_again(odm_fanout *f, task *t, target *x, unsigned status,
                      const odm_fanout_now *now);
void odm_target_await(odm_fanout *f, task *t, target *x, const odm_fanout_now *now);
void odm_target_end(odm_fanout *f, task *t, target *x, odm_fanout_target state, unsigned status);
void odm_target_release(task *t, target *x); /* its place among `parallel` */
/* The first of `dirty`, now in `lent`; NULL: none. */
target *odm_target_lend(task *t);
void odm_target_kept(task *t, bool durable);
odm_fanout_row odm_target_row(const target *x);

/* Whether another task has its turn with the device first. */
bool odm_fanout_blocks(const odm_fanout *f, const task *t, uint32_t device);
/* Who waited for others' turns looks again. */
void odm_fanout_unblock(const odm_fanout *f, uint32_t device);
void odm_fanout_unblock_all(const odm_fanout *f);

#endif
