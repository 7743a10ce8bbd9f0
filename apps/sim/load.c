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
#include "heap.h"
#include "rand.h"

#define REST_MS 100 /* after a connection failed */

typedef struct slot {
        sim_load *s;
        struct slot *next; /* of the free ones */
        http_client *http;
        odm_client *client;
        odm_tree *tree;
        uint32_t device;
        int64_t began, posted; /* microseconds */
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
        size_t live;
        http_client_counts gone; /* of clients that were freed */
        sim_stats st;
};

/* ---- memory ---------------------------------------------------------------------- */

static void *counted_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        sim_load *s = ctx;
        void *q = heap_mem.resize(heap_mem.ctx, p, old_n, n);

        if (n > 0 && !q)
                return NULL;
        s->live += n - old_n;
        if (s->live > s->st.peak)
                s->st.peak = s->live;
        return q;
}

/* ---- connections ------------------------------------------------------------------ */

static int open_http(slot *k)
{
        http_client_opt o;

        http_client_opt_init(&o);
        o.tls = k->s->o->tls;
        o.user_agent = "xremsim";
        o.limits.max_body = (size_t)4 << 20;
        o.idle_ms = 3600000; /* the server's side decides */
        return http_client_new(k->s->loop, &o, &k->http);
}

static void add_counts(http_client_counts *to, http_client_counts c)
{
        to->connections += c.connections;
        to->handshakes += c.handshakes;
        to->resumed += c.resumed;
}

static void close_http(slot *k)
{
        if (!k->http)
                return;
        add_counts(&k->s->gone, http_client_counted(k->http));
        http_client_close(k->http);
        http_client_free(k->http);
        k->http = NULL;
}

/* ---- the end of a session ----------------------------------------------------------- */

static void begin_due(sim_load *s);

static void count_end(slot *k, odm_outcome outcome)
{
        sim_stats *st = &k->s->st;
        odm_client_stats c = odm_client_get_stats(k->client);
        const char *said = odm_client_diag(k->client);

        st->outcome[outcome]++;
        st->messages += c.messages_out;
        st->octets_out += c.bytes_out;
        st->octets_in += c.bytes_in;
        st->commands += c.commands;
        k->s->last_end = sim_us();
        if (outcome == ODM_OUTCOME_DONE)
                hist_add(&st->session, (uint64_t)(k->s->last_end - k->began));
        else if (!st->why[0])
                (void)snprintf(st->why, sizeof st->why, "%s", *said ? said : "no reason is known");
}

/* The slot is free again.  What the device holds is kept, as a device would that goes to sleep. */
static void release(slot *k)
{
        sim_load *s = k->s;
        sim_device *d = &s->devices[k->device];

        odm_client_free(k->client);
        if (k->tree && sim_device_keep(d, k->tree) < 0)
                snprintf(s->st.why, sizeof s->st.why, "out of memory for device %u", k->device);
        odm_tree_free(k->tree);
        k->client = NULL;
        k->tree = NULL;
        d->busy = false;
        if (!s->o->keep && s->o->resume && k->http)
                http_client_close(k->http);
        else if (!s->o->keep)
                close_http(k);
        k->next = s->free;
        s->free = k;
        s->running--;
        s->st.ended++;
}

static void end(slot *k)
{
        sim_load *s = k->s;
        odm_outcome outcome = odm_client_outcome(k->client);

        count_end(k, outcome);
        if (outcome == ODM_OUTCOME_TRANSPORT)
                s->rest = odm_time_add(loop_now(), REST_MS);
        release(k);
        begin_due(s);
}

/* ---- a session ------------------------------------------------------------------------ */

static void pump(slot *k);

static void fail(slot *k, const char *why)
{
        sim_stats *st = &k->s->st;

        if (!st->why[0])
                (void)snprintf(st->why, sizeof st->why, "%s", why);
        odm_client_fail(k->client);
        pump(k);
}

static void refused(slot *k, unsigned status)
{
        char why[64];

        k->s->st.shed += status == 503 || status == 429;
        (void)snprintf(why, sizeof why, "the server answered HTTP status %u", status);
        fail(k, why);
}

static void on_reply(void *ctx, const http_reply *r)
{
        slot *k = ctx;
        const odm_packet p = {.body = r->body,
                              .content_type = http_reply_field(r, "content-type"),
                              .mac = http_reply_field(r, "x-syncml-hmac")};

        if (r->rc < 0) {
                fail(k, r->why);
        } else if (r->status != 200) {
                refused(k, r->status);
        } else {
                hist_add(&k->s->st.message, (uint64_t)(sim_us() - k->posted));
                if (odm_client_recv(k->client, &p, loop_now(), loop_wall()) < 0)
                        fail(k, "a reply could not be worked on");
                else
                        pump(k);
        }
}

static void post(slot *k, const odm_packet *p)
{
        const http_field fields[] = {
                {ODM_STR("Content-Type"), p->content_type},
                {ODM_STR("Accept"), p->content_type},
                {ODM_STR("x-syncml-hmac"), p->mac},
        };
        const http_request r = {.method = "POST",
                                .url = p->url,
                                .fields = fields,
                                .n_fields = ODM_COUNT(fields) - (p->mac.p == NULL),
                                .body = p->body};

        k->posted = sim_us();
        if (http_client_send(k->http, &r, on_reply, k) < 0)
                fail(k, "a message could not be sent");
}

static void pump(slot *k)
{
        const odm_reply no = {.status = ODM_ST_UNSUPPORTED};
        const odm_request *req;
        odm_packet p;

        while (odm_client_next(k->client, &req) == 1)
                if (req->kind != ODM_REQ_ALERTED &&
                    odm_client_answer(k->client, req->id, &no, loop_now(), loop_wall()) < 0)
                        odm_client_fail(k->client);
        if (odm_client_send(k->client, &p) == 1)
                post(k, &p);
        else
                end(k);
}

static int make_client(slot *k)
{
        const sim_opt *o = k->s->o;
        odm_client_opt co;
        int rc;

        odm_client_opt_init(&co, &k->s->mem);
        co.rng = rand_rng;
        co.codec = o->codec;
        co.other = odm_codec_is_binary(o->codec) ? &odm_codec_xml : &odm_codec_wbxml;
        co.account = ODM_STR(SIM_ACCOUNT);
        co.alert = ODM_ALERT_CLIENT_INITIATED;
        co.secure = o->secure;
        co.allow_basic = o->secure && o->auth == ODM_AUTH_BASIC;
        rc = odm_client_new(&co, k->tree, &k->client);
        return rc == 0 ? odm_client_start(k->client, loop_now(), loop_wall()) : rc;
}

/* Takes the next device's turn.  What fails here is our own fault, and counted as such. */
static void begin(sim_load *s)
{
        slot *k = s->free;
        int rc = 0;

        s->free = k->next;
        s->running++;
        k->device = (uint32_t)(s->next++ % s->o->n);
        k->began = sim_us();
        s->st.begun++;
        sim_device *d = &s->devices[k->device];
        d->busy = true;
        if (!k->http)
                rc = open_http(k);
        if (rc == 0)
                rc = sim_device_open(d, s->o, k->device, &s->mem, &k->tree);
        if (rc == 0)
                rc = make_client(k);
        if (rc == 0) {
                pump(k);
                return;
        }
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
        s->mem = (odm_mem){counted_resize, s};
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

        st->http = s->gone;
        for (uint32_t i = 0; i < s->o->parallel; i++)
                if (s->slots[i].http)
                        add_counts(&st->http, http_client_counted(s->slots[i].http));
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
                odm_client_free(s->slots[i].client);
                odm_tree_free(s->slots[i].tree);
                close_http(&s->slots[i]);
        }
        for (uint32_t i = 0; s->devices && i < s->o->n; i++)
                sim_device_done(&s->devices[i]);
        free(s->slots);
        free(s->devices);
        free(s);
}
