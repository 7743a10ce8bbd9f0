/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - slots, each with a connection, that take one device's session after the other.
 *
 * Sessions are begun in rounds: each device once, then each a second time.  With a rate they are
 * due one after the other at even distances; one that finds no slot free begins when there is one,
 * and the next ones follow without a pause until the plan is met again. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

#define REST_MS 100 /* after a connection failed */

typedef struct slot {
        sim_load *s;
        struct slot *next; /* of the free ones */
        talk talk;
        odm_tree *tree;
        uint32_t device;
} slot;

struct sim_load {
        const sim_opt *o;
        loop *loop;
        loop_timer timer; /* the next session is due */
        sim_device *devices;
        slot *slots, *free;
        uint32_t running;
        uint64_t next, total; /* sessions begun, wanted */
        int64_t began, last_end;
        odm_time rest; /* nothing begins before: the server seems to be away */
        bool stopped, over;
        void (*done)(void *ctx);
        void *ctx;
        odm_mem mem; /* the heap, counted */
        talk_host host;
        sim_stats st;
};

/* ---- the end of a session ----------------------------------------------------------- */

static void begin_due(sim_load *s);

/* The slot is free again.  What the device holds is kept, as a device would that goes to sleep. */
static void release(slot *k)
{
        sim_load *s = k->s;
        sim_device *d = &s->devices[k->device];

        talk_drop(&k->talk);
        if (k->tree && sim_device_keep(d, k->tree) < 0)
                snprintf(s->st.why, sizeof s->st.why, "out of memory for device %u", k->device);
        odm_tree_free(k->tree);
        k->tree = NULL;
        d->busy = false;
        k->next = s->free;
        s->free = k;
        s->running--;
        s->st.ended++;
}

static void on_over(void *ctx, odm_outcome outcome)
{
        slot *k = ctx;
        sim_load *s = k->s;

        s->last_end = sim_us();
        if (outcome == ODM_OUTCOME_TRANSPORT)
                s->rest = odm_time_add(loop_now(), REST_MS);
        release(k);
        begin_due(s);
}

/* ---- a session ------------------------------------------------------------------------ */

/* Takes the next device's turn.  What fails here is our own fault, and counted as such. */
static void begin(sim_load *s)
{
        slot *k = s->free;
        int rc;

        s->free = k->next;
        s->running++;
        k->device = (uint32_t)(s->next++ % s->o->n);
        s->st.begun++;
        sim_device *d = &s->devices[k->device];
        d->busy = true;
        rc = sim_device_open(d, s->o, k->device, &s->mem, &k->tree);
        if (rc == 0)
                rc = talk_begin(&k->talk, s->o, k->tree, 0, false);
        if (rc == 0)
                rc = talk_start(&k->talk);
        if (rc == 0)
                return;
        s->st.no_start++;
        if (!s->st.why[0])
                (void)snprintf(s->st.why, sizeof s->st.why, "a session cannot begin: %s",
                               odm_err_text(rc));
        release(k);
}

/* ---- the plan --------------------------------------------------------------------------- */

static bool may_begin(const sim_load *s)
{
        return !s->stopped && s->next < s->total;
}

/* Microseconds until the next session is due; 0 = it is. */
static int64_t wait_us(const sim_load *s)
{
        if (s->o->rate == 0)
                return 0;
        int64_t due = s->began + (int64_t)(s->next * 1000000 / s->o->rate), now = sim_us();
        return due > now ? due - now : 0;
}

static void finish(sim_load *s)
{
        s->over = true;
        loop_timer_stop(&s->timer);
        s->done(s->ctx);
}

static void begin_due(sim_load *s)
{
        odm_time later = loop_now();

        if (s->over)
                return;
        if (sim_us() - s->began > s->o->stop_ms * 1000)
                s->stopped = true;
        if (!may_begin(s)) {
                if (s->running == 0)
                        finish(s);
                return;
        }
        if (!s->free || s->devices[s->next % s->o->n].busy)
                return; /* the end of a session comes by here again */
        /* From the timer only: a session that ends in its caller's hands begins no other one. */
        later.ms += (wait_us(s) + 999) / 1000;
        if (later.ms < s->rest.ms)
                later = s->rest;
        if (!s->timer.in && loop_timer_set(s->loop, &s->timer, later) < 0)
                s->stopped = true;
}

static void on_due(void *ctx)
{
        sim_load *s = ctx;

        while (s->free && may_begin(s) && wait_us(s) == 0 && !s->devices[s->next % s->o->n].busy)
                begin(s);
        begin_due(s);
}

/* ---- life --------------------------------------------------------------------------------- */

int sim_load_new(loop *l, const sim_opt *o, void (*done)(void *ctx), void *ctx, sim_load **out)
{
        sim_load *s = calloc(1, sizeof *s);

        if (!s)
                return ODM_ENOMEM;
        s->o = o;
        s->loop = l;
        s->timer = (loop_timer){.fn = on_due, .ctx = s};
        s->mem = talk_mem(&s->st);
        s->host = (talk_host){.loop = l,
                              .tls = o->tls,
                              .mem = &s->mem,
                              .stats = &s->st,
                              .keep = o->keep,
                              .resume = o->resume,
                              .over = on_over};
        s->total = (uint64_t)o->n * o->sessions;
        s->done = done;
        s->ctx = ctx;
        s->devices = calloc(o->n, sizeof *s->devices);
        s->slots = calloc(o->parallel, sizeof *s->slots);
        if (!s->devices || !s->slots) {
                sim_load_free(s);
                return ODM_ENOMEM;
        }
        for (uint32_t i = o->parallel; i-- > 0;) {
                s->slots[i].s = s;
                s->slots[i].talk = (talk){.host = &s->host, .ctx = &s->slots[i]};
                s->slots[i].next = s->free;
                s->free = &s->slots[i];
        }
        *out = s;
        return 0;
}

int sim_load_start(sim_load *s)
{
        s->began = s->last_end = sim_us();
        return loop_timer_set(s->loop, &s->timer, loop_now());
}

void sim_load_stop(sim_load *s)
{
        s->stopped = true;
        begin_due(s);
}

const sim_stats *sim_load_stats(sim_load *s)
{
        sim_stats *st = &s->st;

        st->http = (http_client_counts){0};
        for (uint32_t i = 0; i < s->o->parallel; i++) {
                http_client_counts c = talk_counts(&s->slots[i].talk);
                st->http.connections += c.connections;
                st->http.handshakes += c.handshakes;
                st->http.resumed += c.resumed;
        }
        st->record_octets = st->devices = 0;
        for (uint32_t i = 0; i < s->o->n; i++) {
                st->record_octets += s->devices[i].record_n + sizeof s->devices[i];
                st->devices += s->devices[i].record != NULL;
        }
        st->us = s->last_end - s->began;
        return st;
}

void sim_load_free(sim_load *s)
{
        if (!s)
                return;
        loop_timer_stop(&s->timer);
        for (uint32_t i = 0; s->slots && i < s->o->parallel; i++) {
                talk_done(&s->slots[i].talk);
                odm_tree_free(s->slots[i].tree);
        }
        for (uint32_t i = 0; s->devices && i < s->o->n; i++)
                sim_device_done(&s->devices[i]);
        free(s->slots);
        free(s->devices);
        free(s);
}
