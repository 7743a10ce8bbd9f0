/* SPDX-License-Identifier: Apache-2.0 */
/* Targets of fan-outs: the moves they make, and the queues they stand in meanwhile. */
#include <assert.h>
#include <stdlib.h>

#include "fanout_inner.h"

/* ---- queues --------------------------------------------------------------------------------- */

static uint32_t index_of(const task *t, const target *x)
{
        return (uint32_t)(x - t->v);
}

static void push(task *t, queue *q, target *x)
{
        assert(!(x->flags & TARGET_QUEUED));
        x->flags |= TARGET_QUEUED;
        x->next = NOWHERE;
        x->prev = q->last;
        *(q->last == NOWHERE ? &q->first : &t->v[q->last].next) = index_of(t, x);
        q->last = index_of(t, x);
}

static queue *queue_of(task *t, const target *x)
{
        if (x->state == ODM_TARGET_RUNNING)
                return &t->runs;
        return x->flags & TARGET_WOKEN ? &t->woken : &t->ready;
}

void odm_target_ready(task *t, target *x)
{
        assert(x->state == ODM_TARGET_PENDING);
        x->flags &= (uint16_t)~TARGET_BLOCKED;
        x->due = NO_TIME;
        push(t, queue_of(t, x), x);
}

void odm_target_unqueue(task *t, target *x)
{
        queue *q = queue_of(t, x);

        if (!(x->flags & TARGET_QUEUED))
                return;
        *(x->prev == NOWHERE ? &q->first : &t->v[x->prev].next) = x->next;
        *(x->next == NOWHERE ? &q->last : &t->v[x->next].prev) = x->prev;
        x->flags &= (uint16_t)~TARGET_QUEUED;
}

target *odm_target_next_run(task *t)
{
        target *x = t->runs.first == NOWHERE ? NULL : &t->v[t->runs.first];

        if (x)
                odm_target_unqueue(t, x);
        return x;
}

/* ---- what is to be kept --------------------------------------------------------------------- */

static void follow(task *t, queue *q, target *x)
{
        x->follow = NOWHERE;
        *(q->last == NOWHERE ? &q->first : &t->v[q->last].follow) = index_of(t, x);
        q->last = index_of(t, x);
}

static target *take_first(task *t, queue *q)
{
        target *x = q->first == NOWHERE ? NULL : &t->v[q->first];

        if (x) {
                q->first = x->follow;
                if (q->first == NOWHERE)
                        q->last = NOWHERE;
        }
        return x;
}

static void dirty(task *t, target *x)
{
        if (x->flags & TARGET_LENT) {
                x->flags |= TARGET_AFTER;
        } else if (!(x->flags & TARGET_DIRTY)) {
                x->flags |= TARGET_DIRTY;
                follow(t, &t->dirty, x);
        }
}

target *odm_target_lend(task *t)
{
        target *x = take_first(t, &t->dirty);

        if (!x)
                return NULL;
        if (odm_target_over(x->state) && x->ended == 0)
                x->ended = ++t->last_ended;
        x->flags &= (uint16_t)~TARGET_DIRTY;
        x->flags |= TARGET_LENT;
        follow(t, &t->lent, x);
        return x;
}

/* A claim counts once it is durable itself: what was lent may be older than it. */
static void settled(task *t, target *x, bool durable)
{
        bool after = x->flags & TARGET_AFTER;

        x->flags &= (uint16_t) ~(TARGET_LENT | TARGET_AFTER);
        if (!durable || after)
                dirty(t, x);
        if (durable && !after && (x->flags & TARGET_CLAIM)) {
                x->flags &= (uint16_t)~TARGET_CLAIM;
                push(t, &t->runs, x);
        }
}

void odm_target_kept(task *t, bool durable)
{
        target *x;

        while ((x = take_first(t, &t->lent)) != NULL)
                settled(t, x, durable);
        if (durable)
                t->kept = t->last_ended;
}

odm_fanout_row odm_target_row(const target *x)
{
        return (odm_fanout_row){.device = x->device,
                                .state = (odm_fanout_target)x->state,
                                .status = x->status,
                                .tries = x->tries,
                                .ended = x->ended,
                                .awaits = x->flags & TARGET_AWAITS};
}

/* ---- moves ---------------------------------------------------------------------------------- */

static void tally(odm_fanout *f, task *t, const target *x, uint32_t by)
{
        switch ((odm_fanout_target)x->state) {
        case ODM_TARGET_PENDING:
        case ODM_TARGET_NOTIFIED: break;
        case ODM_TARGET_RUNNING:
                if (!(x->flags & TARGET_AWAITS)) {
                        t->running += by;
                        f->running += by;
                }
                break;
        case ODM_TARGET_ASLEEP: t->asleep += by; break;
        case ODM_TARGET_OK: t->ok += by; break;
        case ODM_TARGET_FAILED:
        case ODM_TARGET_TIMEOUT:
        case ODM_TARGET_SKIPPED:
        case ODM_TARGET_CANCELLED: t->failed += by; break;
        }
}

/* The only place where a target's state, and whether it awaits, is assigned. */
static void enter(odm_fanout *f, task *t, target *x, odm_fanout_target to, bool awaits)
{
        assert(!odm_target_over(x->state) && !(x->flags & TARGET_QUEUED));
        ODM_TRACE(f->opt.trace, "fanout", "task %llu device %u: %u -> %u%s",
                  (unsigned long long)t->plan.id, (unsigned)x->device, (unsigned)x->state,
                  (unsigned)to, awaits ? ", awaits its alert" : "");
        tally(f, t, x, UINT32_MAX); /* minus one */
        x->state = (uint8_t)to;
        x->flags &= (uint16_t) ~(TARGET_BLOCKED | TARGET_CLAIM | TARGET_AWAITS);
        if (awaits)
                x->flags |= TARGET_AWAITS;
        x->due = NO_TIME;
        tally(f, t, x, 1);
}

void odm_target_release(task *t, target *x)
{
        if (x->flags & TARGET_SLOT) {
                x->flags &= (uint16_t)~TARGET_SLOT;
                t->slots--;
        }
}

static void look_at(task *t, target *x, int64_t due)
{
        x->due = due;
        if (due < t->look)
                t->look = due;
}

void odm_target_claim(odm_fanout *f, task *t, target *x)
{
        odm_target_unqueue(t, x);
        enter(f, t, x, ODM_TARGET_RUNNING, false);
        x->flags &= (uint16_t) ~(TARGET_WOKEN | TARGET_SLEPT);
        x->flags |= TARGET_SLOT;
        t->slots++;
        if (x->tries < UINT8_MAX)
                x->tries++;
        if (t->plan.cmds->again) {
                push(t, &t->runs, x);
        } else {
                x->flags |= TARGET_CLAIM;
                dirty(t, x);
        }
}

void odm_target_sleep(odm_fanout *f, task *t, target *x)
{
        odm_target_unqueue(t, x);
        enter(f, t, x, ODM_TARGET_ASLEEP, false);
}

void odm_target_wake(odm_fanout *f, task *t, target *x)
{
        enter(f, t, x, ODM_TARGET_PENDING, false);
        x->flags |= TARGET_WOKEN;
        odm_target_ready(t, x);
}

static int64_t back_off(const odm_fanout *f, unsigned tries)
{
        int64_t ms = f->opt.retry_ms;

        for (unsigned i = 1; i < tries && ms < f->opt.retry_max_ms; i++)
                ms *= 2;
        return ms < f->opt.retry_max_ms ? ms : f->opt.retry_max_ms;
}

void odm_target_again(odm_fanout *f, task *t, target *x, unsigned status, const odm_fanout_now *now)
{
        bool slept = x->flags & TARGET_SLEPT;

        odm_target_release(t, x);
        if (slept && status == ODM_ST_UNAVAILABLE) /* it was not reached at all */
                x->tries--;
        enter(f, t, x, slept ? ODM_TARGET_ASLEEP : ODM_TARGET_PENDING, false);
        if (!slept)
                look_at(t, x, odm_time_add(now->mono, back_off(f, x->tries)).ms);
        if (!t->plan.cmds->again) /* a start of the host would take it for under way */
                dirty(t, x);
        odm_fanout_unblock(f, x->device);
}

void odm_target_await(odm_fanout *f, task *t, target *x, const odm_fanout_now *now)
{
        enter(f, t, x, ODM_TARGET_RUNNING, true);
        look_at(t, x, odm_time_add(now->mono, t->plan.timeout_ms).ms);
        dirty(t, x);
        odm_fanout_unblock(f, x->device);
}

void odm_target_end(odm_fanout *f, task *t, target *x, odm_fanout_target state, unsigned status)
{
        odm_target_unqueue(t, x);
        odm_target_release(t, x);
        enter(f, t, x, state, false);
        x->status = (uint16_t)status;
        dirty(t, x);
        odm_fanout_unblock(f, x->device);
}

/* ---- turns ---------------------------------------------------------------------------------- */

target *odm_target_of(const task *t, uint32_t device)
{
        uint32_t low = 0, high = t->n;

        while (low < high) {
                uint32_t mid = low + (high - low) / 2;
                if (t->v[mid].device < device)
                        low = mid + 1;
                else
                        high = mid;
        }
        return low < t->n && t->v[low].device == device ? &t->v[low] : NULL;
}

bool odm_fanout_blocks(const odm_fanout *f, const task *t, uint32_t device)
{
        bool earlier = true;

        for (uint32_t i = 0; i < f->n; i++) {
                const task *o = f->v[i];
                const target *x;
                if (o == t) {
                        earlier = false;
                        continue;
                }
                x = odm_target_of(o, device);
                if (!x)
                        continue;
                if (x->state == ODM_TARGET_RUNNING && !(x->flags & TARGET_AWAITS))
                        return true;
                if (earlier && task_serves(o) && x->state == ODM_TARGET_PENDING &&
                    x->due == NO_TIME)
                        return true;
        }
        return false;
}

static void unblock(task *t, target *x)
{
        if (x && (x->flags & TARGET_BLOCKED))
                odm_target_ready(t, x);
}

void odm_fanout_unblock(const odm_fanout *f, uint32_t device)
{
        for (uint32_t i = 0; i < f->n; i++)
                unblock(f->v[i], odm_target_of(f->v[i], device));
}

void odm_fanout_unblock_all(const odm_fanout *f)
{
        for (uint32_t i = 0; i < f->n; i++)
                for (uint32_t k = 0; k < f->v[i]->n; k++)
                        unblock(f->v[i], &f->v[i]->v[k]);
}
