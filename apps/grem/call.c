/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of adapters under way: a number, a deadline, and who waits (run.h). */
#include "call.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS 1024 /* a power of two */
#define CALLS_MAX 65536

struct call {
        struct call *next;
        calls *in;
        uint64_t id;
        gw_device *d;
        run_heard heard;
        void *ctx;
        loop_timer timer;
};

struct calls {
        loop *loop;
        uint64_t last;
        size_t n;
        struct call *bucket[BUCKETS];
};

int calls_new(loop *l, calls **out)
{
        calls *c = calloc(1, sizeof *c);

        if (c == NULL)
                return ODM_ENOMEM;
        c->loop = l;
        *out = c;
        return 0;
}

static struct call **find(calls *c, uint64_t id)
{
        struct call **at = &c->bucket[id & (BUCKETS - 1)];

        while (*at && (*at)->id != id)
                at = &(*at)->next;
        return at;
}

/* Out of the table: it is nobody's any more. */
static struct call *take(calls *c, struct call **at)
{
        struct call *k = *at;

        assert(k);
        *at = k->next;
        c->n--;
        loop_timer_stop(&k->timer);
        return k;
}

static void cancel_below(const struct call *k)
{
        const gw_device *d = k->d;

        if (d->adapter && d->adapter->cancel)
                d->adapter->cancel(d->adapter_self, k->id);
}

static void end(struct call *k, const adapter_reply *r)
{
        k->heard(k->ctx, r);
        free(k);
}

unsigned call_silence(const gw_device *d)
{
        return gw_is_awake(d) ? ODM_ST_TIMEOUT : ODM_ST_UNAVAILABLE;
}

static void on_late(void *ctx)
{
        struct call *k = ctx;
        const adapter_reply r = {.status = call_silence(k->d),
                                 .text = ODM_STR("no answer in time")};

        (void)take(k->in, find(k->in, k->id));
        cancel_below(k);
        end(k, &r);
}

int calls_begin(calls *c, gw_device *d, int64_t deadline_ms, run_heard heard, void *ctx,
                uint64_t *id)
{
        struct call *k;
        int rc;

        if (c->n == CALLS_MAX)
                return ODM_ELIMIT;
        k = calloc(1, sizeof *k);
        if (k == NULL)
                return ODM_ENOMEM;
        *k = (struct call){.in = c, .id = ++c->last, .d = d, .heard = heard, .ctx = ctx};
        k->timer = (loop_timer){.fn = on_late, .ctx = k};
        rc = loop_timer_set(c->loop, &k->timer, odm_time_add(loop_now(), deadline_ms));
        if (rc < 0) {
                free(k);
                return rc;
        }
        struct call **at = &c->bucket[k->id & (BUCKETS - 1)];
        k->next = *at;
        *at = k;
        c->n++;
        *id = k->id;
        return 0;
}

void calls_reply(calls *c, uint64_t id, const adapter_reply *r)
{
        struct call **at = find(c, id);

        if (*at)
                end(take(c, at), r);
}

void calls_cancel(calls *c, uint64_t id)
{
        struct call **at = find(c, id);

        if (*at == NULL)
                return;
        struct call *k = take(c, at);
        cancel_below(k);
        free(k);
}

void *calls_drop(calls *c, uint64_t id)
{
        struct call **at = find(c, id);

        if (*at == NULL)
                return NULL;
        struct call *k = take(c, at);
        void *ctx = k->ctx;
        free(k);
        return ctx;
}

/* One of the device's; heard() may change the table. */
static struct call **any_of(calls *c, const gw_device *d)
{
        for (size_t i = 0; i < BUCKETS; i++)
                for (struct call **at = &c->bucket[i]; *at; at = &(*at)->next)
                        if (d == NULL || (*at)->d == d)
                                return at;
        return NULL;
}

void calls_forget(calls *c, gw_device *d)
{
        const adapter_reply r = {.status = ODM_ST_UNAVAILABLE,
                                 .text = ODM_STR("the device is gone")};
        struct call **at;

        while (c->n && (at = any_of(c, d)) != NULL) {
                struct call *k = take(c, at);
                cancel_below(k);
                end(k, &r);
        }
}

void calls_free(calls *c)
{
        struct call **at;

        if (c == NULL)
                return;
        while (c->n && (at = any_of(c, NULL)) != NULL) {
                struct call *k = take(c, at);
                cancel_below(k);
                free(k);
        }
        assert(c->n == 0);
        free(c);
}
