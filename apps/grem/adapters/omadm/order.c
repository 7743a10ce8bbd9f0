/* SPDX-License-Identifier: Apache-2.0 */
/* Orders of the gateway as jobs of the store.
 *
 *   commands() -> WRITTEN? --refused--> done(420, 503)
 *                    |
 *                 a job --moved--> looked at: at its end, or with an answer for each command
 *                    |                        (Execs that are under way have 202) --> done()
 *                 cancel() -> the job is cancelled, nothing is said
 *
 * An order is in memory only: when the gateway starts again, what it was asked is asked anew by
 * those who keep it (fan-out), and jobs left behind are cancelled. */
#include <string.h>

#include "heap.h"
#include "job_event.h"
#include "log.h"
#include "odm/msg.h"
#include "omadm_inner.h"

#define ORDER_MEMORY ((size_t)64 << 20)
#define SLACK_MS 5000 /* the gateway's own deadline comes first */
#define PAGE 500

/* ---- in memory ---------------------------------------------------------------------- */

static order **chain(omadm *a, int64_t job)
{
        return &a->by_job[(uint64_t)job % ORDER_CHAINS];
}

static order *by_job(omadm *a, int64_t job)
{
        order *o = *chain(a, job);

        while (o && o->job != job)
                o = o->by_job;
        return o;
}

static void drop(order *o)
{
        omadm *a = o->a;
        order **at;

        for (at = &a->orders; *at && *at != o; at = &(*at)->next)
                ;
        if (*at)
                *at = o->next;
        for (at = chain(a, o->job); *at && *at != o; at = &(*at)->by_job)
                ;
        if (*at)
                *at = o->by_job;
        a->n_orders--;
        odm_arena_done(&o->mem);
        odm_free(&heap_mem, o, sizeof *o);
}

/* Says how it ended, and forgets it: done() may order anew. */
static void end(order *o, unsigned status, odm_str text, const adapter_answer *v, size_t n)
{
        order x = *o;

        drop(o);
        if (!x.a->closing)
                x.done(x.ctx, x.id, status, text, v, n);
}

/* ---- how it went ------------------------------------------------------------------------ */

static bool all_answered(const store_result_list *l, uint32_t n)
{
        uint32_t have = 0;

        for (size_t i = 0; i < l->n; i++)
                have += l->v[i].index < n;
        return have == n;
}

/* Why there is no answer: 408 of a device that was called, 503 of one that never came. */
static unsigned missing(const store_job *j)
{
        switch (j->state) {
        case STORE_JOB_EXPIRED: return j->attempts ? ODM_ST_TIMEOUT : ODM_ST_UNAVAILABLE;
        case STORE_JOB_CANCELLED: return ODM_ST_CANCELLED;
        case STORE_JOB_QUEUED:
        case STORE_JOB_NOTIFIED:
        case STORE_JOB_IN_SESSION:
        case STORE_JOB_WAITING:
        case STORE_JOB_DONE:
        case STORE_JOB_FAILED: break;
        }
        return ODM_ST_FAILED;
}

static void look(order *o)
{
        omadm *a = o->a;
        store_result_list l = {0};
        adapter_answer *v = NULL;
        store_job j;
        odm_arena m;
        int rc;

        odm_arena_init(&m, &heap_mem, READ_MEMORY);
        rc = store_job_get(a->store, o->job, &m, &j);
        if (rc == 0 && (STORE_JOB_OPEN & STORE_JOB_BIT(j.state)) && j.state != STORE_JOB_WAITING)
                goto out;
        if (rc == 0)
                rc = store_job_results(a->store, j.device, j.id, &m, &l);
        if (rc == 0 && j.state == STORE_JOB_WAITING && !all_answered(&l, o->w.n_jobs))
                goto out; /* an Exec of unknown fate */
        if (rc == 0)
                rc = words_answers(&l, &o->w, missing(&j), j.reason, &m, &v);
        if (rc < 0)
                end(o, ODM_ST_FAILED, odm_cstr(odm_err_text(rc)), NULL, 0);
        else if (l.n == 0)
                end(o, missing(&j), j.reason, NULL, 0);
        else
                end(o, ODM_ST_OK, j.reason, v, o->w.n);
out:
        odm_arena_done(&m);
}

/* ---- moves of jobs, from the store's writer ------------------------------------------------- */

typedef struct news {
        omadm *a;
        int64_t job;
} news;

static void on_moved(void *ctx)
{
        news *x = ctx;
        order *o = by_job(x->a, x->job);

        if (o)
                look(o);
        odm_free(&heap_mem, x, sizeof *x);
}

void order_moved(void *ctx, int64_t job)
{
        omadm *a = ctx;
        news *x = odm_alloc(&heap_mem, sizeof *x);

        if (x) {
                *x = (news){a, job};
                if (loop_post(a->loop, on_moved, x) == 0)
                        return;
                odm_free(&heap_mem, x, sizeof *x);
        }
        log_warn("no memory to hear of an order"); /* its deadline ends it */
}

/* ---- taking back ---------------------------------------------------------------------------- */

static store_op *cancel_op(store_batch *b, const store_job *j, const char *why, int64_t at)
{
        store_op *op = store_batch_add(b, STORE_JOB_MOVE);

        if (!op)
                return NULL;
        op->lenient = true;
        op->job_move.device = j->device;
        op->job_move.job = j->id;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = STORE_JOB_CANCELLED;
        op->job_move.reason = op->job_move.note = odm_cstr(why);
        op->job_move.at = at;
        return op;
}

/* An Exec that the device has accepted goes on: its alert comes all the same. */
static void cancel_job(omadm *a, int64_t id, behind *b)
{
        store_batch *batch = store_batch_new();
        store_job j;
        odm_arena m;

        odm_arena_init(&m, &heap_mem, READ_MEMORY);
        if (store_job_get(a->store, id, &m, &j) < 0)
                j = (store_job){.id = id, .device = b->id};
        if (j.state == STORE_JOB_NOTIFIED)
                behind_unwoken(b);
        odm_arena_done(&m);
        if (!batch || !cancel_op(batch, &j, "the gateway wants it no more", loop_wall_ms()) ||
            store_write(a->store, batch, NULL, NULL) < 0) {
                store_batch_free(batch);
                log_warn("an order cannot be taken back", log_int("job", id));
        }
}

void order_cancel(void *ctx, uint64_t id)
{
        omadm *a = ctx;
        order *o = a->orders;

        while (o && o->id != id)
                o = o->next;
        if (!o || o->dead)
                return;
        if (o->job == 0) {
                o->dead = true; /* once it is written */
                return;
        }
        cancel_job(a, o->job, o->b);
        drop(o);
}

static order *of_device(omadm *a, const behind *b)
{
        order *o = a->orders;

        while (o && (o->b != b || o->dead))
                o = o->next;
        return o;
}

void order_forget(omadm *a, const behind *b)
{
        const odm_str why = ODM_STR("the device is no longer known");
        order *o;

        while ((o = of_device(a, b))) {
                if (o->job) {
                        cancel_job(a, o->job, o->b);
                        end(o, ODM_ST_UNAVAILABLE, why, NULL, 0);
                        continue;
                }
                o->dead = true; /* once it is written */
                o->done(o->ctx, o->id, ODM_ST_UNAVAILABLE, why, NULL, 0);
        }
}

/* ---- making ------------------------------------------------------------------------------- */

static unsigned refusal(int rc)
{
        switch (rc) {
        case ODM_ELIMIT: return ODM_ST_FULL;
        case ODM_EUNSUPPORTED: return ODM_ST_UNSUPPORTED;
        case ODM_ENOENT: return ODM_ST_NOT_FOUND;
        default: return ODM_ST_FAILED;
        }
}

static void on_written(void *ctx)
{
        order *o = ctx;
        omadm *a = o->a;

        if (o->rc < 0) {
                if (o->dead)
                        drop(o);
                else
                        end(o, refusal(o->rc), odm_cstr(odm_err_text(o->rc)), NULL, 0);
                return;
        }
        if (o->dead) {
                cancel_job(a, o->made, o->b);
                drop(o);
                return;
        }
        o->job = o->made; /* what moved it is heard after this */
        o->by_job = *chain(a, o->job);
        *chain(a, o->job) = o;
}

/* On the writer's thread. */
static void written(void *ctx, store_batch *b, int rc)
{
        order *o = ctx;
        omadm *a = o->a;

        o->rc = rc;
        if (rc == 0) {
                o->made = b->ops[0]->id;
                dm_job_created(a->dm, o->b->id, o->made);
        }
        if (loop_post(a->loop, on_written, o) < 0)
                log_warn("no memory to hear of an order"); /* its deadline ends it */
}

static int write_job(order *o, const odm_command *list, int64_t deadline_ms)
{
        store_batch *b = store_batch_new();
        store_op *op = b ? store_batch_add(b, STORE_JOB_CREATE) : NULL;
        int64_t now = loop_wall_ms();
        int rc = op ? words_of(list, store_batch_arena(b), &o->w) : ODM_ENOMEM;
        uint32_t *of = rc == 0 ? odm_arena_get(&o->mem, (o->w.n_jobs + 1) * sizeof *of) : NULL;

        if (rc == 0 && !of)
                rc = odm_arena_err(&o->mem);
        if (rc == 0) {
                op->job = (store_job){.device = o->b->id,
                                      .kind = odm_cstr(words_kind(list)),
                                      .commands = o->w.json,
                                      .deadline = now + deadline_ms + SLACK_MS,
                                      .max_attempts = 3,
                                      .correlator =
                                              odm_arena_copy(store_batch_arena(b), o->w.correlator),
                                      .actor = ODM_STR("gateway"),
                                      .created = now,
                                      .updated = now};
                memcpy(of, o->w.of, o->w.n_jobs * sizeof *of);
                o->w.of = of;
                o->w.json = o->w.correlator = ODM_ABSENT;
                rc = store_write(o->a->store, b, written, o);
        }
        if (rc < 0)
                store_batch_free(b);
        return rc;
}

void order_commands(void *ctx, uint64_t id, gw_device *d, void *native, const odm_command *list,
                    int64_t deadline_ms,
                    void (*done)(void *ctx, uint64_t id, unsigned status, odm_str text,
                                 const adapter_answer *v, size_t n),
                    void *done_ctx)
{
        omadm *a = ctx;
        order *o = odm_alloc(&heap_mem, sizeof *o);
        int rc;

        (void)d;
        if (!o) {
                done(done_ctx, id, ODM_ST_FAILED, odm_cstr(odm_err_text(ODM_ENOMEM)), NULL, 0);
                return;
        }
        *o = (order){.a = a, .b = native, .id = id, .done = done, .ctx = done_ctx};
        odm_arena_init(&o->mem, &heap_mem, ORDER_MEMORY);
        o->next = a->orders;
        a->orders = o;
        a->n_orders++;
        rc = write_job(o, list, deadline_ms);
        if (rc < 0)
                end(o, refusal(rc), odm_cstr(odm_err_text(rc)), NULL, 0);
}

/* ---- start and end ---------------------------------------------------------------------------- */

int order_clear(omadm *a)
{
        const uint32_t states = STORE_JOB_OPEN & ~STORE_JOB_BIT(STORE_JOB_WAITING);
        int64_t now = loop_wall_ms();
        store_job_list l = {.more = true};
        int rc = 0;

        while (rc == 0 && l.more) {
                store_job_filter f = {.states = states, .limit = PAGE, .no_commands = true};
                store_batch *b = store_batch_new();
                odm_arena m;

                odm_arena_init(&m, &heap_mem, READ_MEMORY);
                rc = b ? store_job_find(a->store, &f, &m, &l) : ODM_ENOMEM;
                for (size_t i = 0; rc == 0 && i < l.n; i++)
                        if (!cancel_op(b, &l.v[i], "the gateway was started again", now))
                                rc = ODM_ENOMEM;
                if (rc == 0 && l.n)
                        rc = store_write_sync(a->store, b);
                store_batch_free(b);
                odm_arena_done(&m);
        }
        return rc;
}

/* The store is settled: no job is being written. */
void order_free(omadm *a)
{
        while (a->orders)
                drop(a->orders);
}
