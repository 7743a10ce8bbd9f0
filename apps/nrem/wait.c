/* SPDX-License-Identifier: Apache-2.0 */
#include "wait.h"

#include <pthread.h>
#include <stdatomic.h>

#include "heap.h"
#include "log.h"

#define LOOK_MS 1000
#define JOB_MEMORY (1u << 16) /* a job without its commands */

typedef struct waiter {
        struct waiter *next;
        struct waits *in;
        int64_t job;
        odm_time due;
        wait_fn fn;
        void *ctx;
} waiter;

struct waits {
        loop *loop;
        store *store;
        unsigned max;
        waiter *list;
        loop_timer timer;
        bool stopped;         /* the loop's */
        pthread_mutex_t lock; /* of closed: nothing is posted once it is set */
        bool closed;
        atomic_uint n; /* waiting or about to */
};

static void look(waits *w, int64_t only);

static void on_timer(void *ctx)
{
        look(ctx, 0);
}

int waits_new(loop *l, store *st, unsigned max, waits **out)
{
        waits *w = odm_alloc(&heap_mem, sizeof *w);

        if (!w)
                return ODM_ENOMEM;
        w->loop = l;
        w->store = st;
        w->max = max;
        pthread_mutex_init(&w->lock, NULL);
        w->timer.fn = on_timer;
        w->timer.ctx = w;
        *out = w;
        return 0;
}

static void finish(waiter *t, int rc)
{
        waits *w = t->in;

        t->fn(t->ctx, rc);
        odm_free(&heap_mem, t, sizeof *t);
        atomic_fetch_sub(&w->n, 1);
}

void waits_stop(waits *w)
{
        waiter *t;

        w->stopped = true;
        pthread_mutex_lock(&w->lock);
        w->closed = true;
        pthread_mutex_unlock(&w->lock);
        loop_timer_stop(&w->timer);
        while ((t = w->list)) {
                w->list = t->next;
                finish(t, ODM_ESTATE);
        }
}

void waits_free(waits *w)
{
        if (!w)
                return;
        pthread_mutex_destroy(&w->lock);
        odm_free(&heap_mem, w, sizeof *w);
}

/* What to tell a waiter now: 1 to go on waiting. */
static int verdict(waits *w, const waiter *t, odm_time now)
{
        odm_arena a;
        store_job_filter f = {.before = t->job + 1, .limit = 1, .no_commands = true};
        store_job_list l;
        int rc;

        odm_arena_init(&a, &heap_mem, JOB_MEMORY);
        rc = store_job_find(w->store, &f, &a, &l);
        if (rc == 0 && (l.n == 0 || l.v[0].id != t->job))
                rc = ODM_ENOENT;
        else if (rc == 0 && (STORE_JOB_BIT(l.v[0].state) & STORE_JOB_OPEN))
                rc = odm_time_reached(now, t->due) ? ODM_ESTATE : 1;
        odm_arena_done(&a);
        return rc;
}

static void arm(waits *w, odm_time now)
{
        odm_time due = w->list ? odm_time_add(now, LOOK_MS) : ODM_NEVER;

        for (const waiter *t = w->list; t; t = t->next)
                if (t->due.ms < due.ms)
                        due = t->due;
        if (loop_timer_set(w->loop, &w->timer, due) < 0) /* the next hint tries again */
                log_warn("waits are not timed", log_err(ODM_ENOMEM));
}

/* Looks at the jobs waited for, or at one of them; tells those who have their answer. */
static void look(waits *w, int64_t only)
{
        odm_time now = loop_now();
        waiter *ready = NULL, **at = &w->list;

        while (*at) {
                waiter *t = *at;
                int rc = only && t->job != only ? 1 : verdict(w, t, now);
                if (rc == 1) {
                        at = &t->next;
                        continue;
                }
                *at = t->next;
                t->next = ready;
                t->due.ms = rc; /* its time is of no more use */
                ready = t;
        }
        while (ready) { /* apart from the list: what is called may add to it */
                waiter *t = ready;
                ready = t->next;
                finish(t, (int)t->due.ms);
        }
        if (!w->stopped)
                arm(w, now);
}

static void on_added(void *ctx)
{
        waiter *t = ctx;
        waits *w = t->in;

        if (w->stopped) {
                finish(t, ODM_ESTATE);
                return;
        }
        t->next = w->list;
        w->list = t;
        look(w, t->job); /* it may have ended before we began to wait */
}

/* Posts to the loop, unless the waits are stopped. */
static int post(waits *w, void (*fn)(void *ctx), void *ctx)
{
        int rc = ODM_ESTATE;

        pthread_mutex_lock(&w->lock);
        if (!w->closed)
                rc = loop_post(w->loop, fn, ctx);
        pthread_mutex_unlock(&w->lock);
        return rc;
}

int wait_job(waits *w, int64_t job, int64_t ms, wait_fn fn, void *ctx)
{
        waiter *t;
        int rc = ODM_ENOMEM;

        if (atomic_fetch_add(&w->n, 1) >= w->max) {
                atomic_fetch_sub(&w->n, 1);
                return ODM_ELIMIT;
        }
        t = odm_alloc(&heap_mem, sizeof *t);
        if (t) {
                *t = (waiter){.in = w, .job = job, .fn = fn, .ctx = ctx};
                t->due = odm_time_add(loop_now(), ms);
                rc = post(w, on_added, t);
        }
        if (rc < 0) {
                odm_free(&heap_mem, t, sizeof *t);
                atomic_fetch_sub(&w->n, 1);
        }
        return rc;
}

typedef struct hint {
        waits *in;
        int64_t job;
} hint;

static void on_hint(void *ctx)
{
        hint *h = ctx;

        if (!h->in->stopped)
                look(h->in, h->job);
        odm_free(&heap_mem, h, sizeof *h);
}

void wait_hint(waits *w, int64_t job)
{
        hint *h;

        if (atomic_load(&w->n) == 0)
                return; /* nobody waits: the usual case costs nothing */
        h = odm_alloc(&heap_mem, sizeof *h);
        if (!h)
                return;
        *h = (hint){w, job};
        if (post(w, on_hint, h) < 0)
                odm_free(&heap_mem, h, sizeof *h);
}
