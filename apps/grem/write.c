/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - gw_write() and gw_write_then(): the store's writer says that a batch is durable on its
 * own thread; here that comes back to the loop, in order, and never for want of memory not. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "inner.h"
#include "log.h"
#include "storewatch.h"

typedef struct waiting { /* a batch on its way */
        struct waiting *next;
        gw_writer *w;
        store_batch *b; /* ours; holds nothing until the store's own has been emptied into it */
        void (*done)(void *ctx, store_batch *b, int rc);
        void *ctx;
        int rc;
} waiting;

struct gw_writer {
        gateway *g;
        loop_io io; /* an eventfd */
        pthread_mutex_t lock;
        waiting *first, **last; /* durable or refused, not told yet */
        storewatch *watch;
};

static void hear(gw_writer *w, waiting *v)
{
        if (w->g->north)
                north_written(w->g->north, v->b, v->rc);
        if (v->done)
                v->done(v->ctx, v->b, v->rc);
        store_batch_free(v->b);
        free(v);
}

static waiting *take(gw_writer *w)
{
        waiting *v;

        pthread_mutex_lock(&w->lock);
        v = w->first;
        w->first = NULL;
        w->last = &w->first;
        pthread_mutex_unlock(&w->lock);
        return v;
}

static void on_event(void *ctx, unsigned events)
{
        gw_writer *w = ctx;
        uint64_t n;
        waiting *v;

        (void)events;
        if (read(w->io.fd, &n, sizeof n) < 0 && errno != EAGAIN)
                log_error("eventfd", log_int("errno", errno));
        v = take(w);
        while (v) {
                waiting *next = v->next;
                hear(w, v);
                v = next;
        }
}

/* On the store's thread, whose batch is gone when this returns. */
static void on_durable(void *ctx, store_batch *b, int rc)
{
        waiting *v = ctx;
        gw_writer *w = v->w;
        store_batch empty = *v->b;
        const uint64_t one = 1;

        v->b->arena = b->arena;
        v->b->ops = b->ops;
        v->b->n = b->n;
        v->b->cap = b->cap;
        b->arena = empty.arena;
        b->ops = empty.ops;
        b->n = empty.n;
        b->cap = empty.cap;
        v->rc = rc;
        pthread_mutex_lock(&w->lock);
        *w->last = v;
        w->last = &v->next;
        pthread_mutex_unlock(&w->lock);
        if (write(w->io.fd, &one, sizeof one) < 0)
                log_error("eventfd", log_int("errno", errno));
}

int gw_write_then(gateway *g, store_batch *b, void (*done)(void *ctx, store_batch *b, int rc),
                  void *ctx)
{
        waiting *v = calloc(1, sizeof *v);
        int rc = ODM_ENOMEM;

        if (v)
                v->b = store_batch_new();
        if (v && v->b) {
                v->w = g->writer;
                v->done = done;
                v->ctx = ctx;
                rc = store_write(g->store, b, on_durable, v);
        }
        if (rc < 0) {
                if (v)
                        store_batch_free(v->b);
                free(v);
        }
        return rc;
}

int gw_write(gateway *g, store_batch *b)
{
        int rc = store_write_sync(g->store, b);

        if (g->north)
                north_written(g->north, b, rc);
        return rc;
}

int gw_writer_new(gateway *g, gw_writer **out)
{
        gw_writer *w = calloc(1, sizeof *w);
        int rc;

        if (!w)
                return ODM_ENOMEM;
        w->g = g;
        w->last = &w->first;
        w->io = (loop_io){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .fn = on_event, .ctx = w};
        pthread_mutex_init(&w->lock, NULL);
        rc = w->io.fd < 0 ? ODM_EIO : loop_io_add(g->loop, &w->io, LOOP_READ);
        if (rc == 0)
                rc = storewatch_new(g->store, g->loop, &w->watch);
        if (rc < 0)
                gw_writer_free(w);
        else
                *out = w;
        return rc;
}

void gw_writer_free(gw_writer *w)
{
        waiting *v;

        if (!w)
                return;
        storewatch_free(w->watch);
        loop_io_del(&w->io);
        if (w->io.fd >= 0)
                close(w->io.fd);
        v = take(w);
        while (v) {
                waiting *next = v->next;
                store_batch_free(v->b);
                free(v);
                v = next;
        }
        pthread_mutex_destroy(&w->lock);
        free(w);
}
