/* SPDX-License-Identifier: Apache-2.0 */
#include "talk.h"

#include <stdio.h>

#include "device.h"
#include "heap.h"
#include "rand.h"

/* ---- memory ---------------------------------------------------------------------- */

static void *counted_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        sim_stats *st = ctx;
        void *q = heap_mem.resize(heap_mem.ctx, p, old_n, n);

        if (n > 0 && !q)
                return NULL;
        st->live += n - old_n;
        if (st->live > st->peak)
                st->peak = st->live;
        return q;
}

odm_mem talk_mem(sim_stats *st)
{
        return (odm_mem){counted_resize, st};
}

/* ---- connections ------------------------------------------------------------------ */

static int open_http(talk *t)
{
        http_client_opt o;

        http_client_opt_init(&o);
        o.tls = t->host->tls;
        o.user_agent = "xremsim";
        o.limits.max_body = (size_t)4 << 20;
        o.idle_ms = 3600000; /* the server's side decides */
        return http_client_new(t->host->loop, &o, &t->http);
}

static void add_counts(http_client_counts *to, http_client_counts c)
{
        to->connections += c.connections;
        to->handshakes += c.handshakes;
        to->resumed += c.resumed;
}

static void close_http(talk *t)
{
        if (!t->http)
                return;
        add_counts(&t->gone, http_client_counted(t->http));
        http_client_close(t->http);
        http_client_free(t->http);
        t->http = NULL;
}

http_client_counts talk_counts(const talk *t)
{
        http_client_counts c = t->gone;

        if (t->http)
                add_counts(&c, http_client_counted(t->http));
        return c;
}

/* ---- the end of a session ----------------------------------------------------------- */

static void count_end(talk *t, odm_outcome outcome)
{
        sim_stats *st = t->host->stats;
        odm_client_stats c = odm_client_get_stats(t->client);
        const char *said = odm_client_diag(t->client);

        st->outcome[outcome]++;
        st->messages += c.messages_out;
        st->octets_out += c.bytes_out;
        st->octets_in += c.bytes_in;
        st->commands += c.commands;
        if (outcome == ODM_OUTCOME_DONE)
                hist_add(&st->session, (uint64_t)(sim_us() - t->began));
        else if (!st->why[0])
                (void)snprintf(st->why, sizeof st->why, "%s", *said ? said : "no reason is known");
}

static void let_go(talk *t)
{
        odm_client_free(t->client);
        t->client = NULL;
        loop_timer_stop(&t->late);
        if (!t->host->keep && t->host->resume && t->http)
                http_client_close(t->http);
        else if (!t->host->keep)
                close_http(t);
}

static void end(talk *t)
{
        odm_outcome outcome = odm_client_outcome(t->client);

        count_end(t, outcome);
        let_go(t);
        t->host->over(t->ctx, outcome);
}

void talk_drop(talk *t)
{
        if (!t->client)
                return;
        odm_client_free(t->client);
        t->client = NULL;
        loop_timer_stop(&t->late);
        close_http(t);
}

void talk_done(talk *t)
{
        talk_drop(t);
        close_http(t);
}

/* ---- a session ------------------------------------------------------------------------ */

static odm_wall wall(const talk *t)
{
        return (odm_wall){loop_wall().s + t->skew.s};
}

static void pump(talk *t);

static void fail(talk *t, const char *why)
{
        sim_stats *st = t->host->stats;

        if (!st->why[0])
                (void)snprintf(st->why, sizeof st->why, "%s", why);
        odm_client_fail(t->client);
        pump(t);
}

static void refused(talk *t, unsigned status)
{
        char why[64];

        t->host->stats->shed += status == 503 || status == 429;
        (void)snprintf(why, sizeof why, "the server answered HTTP status %u", status);
        fail(t, why);
}

static void on_reply(void *ctx, const http_reply *r)
{
        talk *t = ctx;
        const odm_packet p = {.body = r->body,
                              .content_type = http_reply_field(r, "content-type"),
                              .mac = http_reply_field(r, "x-syncml-hmac")};

        if (r->rc < 0) {
                fail(t, r->why);
        } else if (r->status != 200) {
                refused(t, r->status);
        } else {
                hist_add(&t->host->stats->message, (uint64_t)(sim_us() - t->posted));
                t->came = r->body.n;
                if (odm_client_recv(t->client, &p, loop_now(), wall(t)) < 0)
                        fail(t, "a reply could not be worked on");
                else
                        pump(t);
        }
}

static void post(talk *t, const odm_packet *p)
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

        t->posted = sim_us();
        if (http_client_send(t->http, &r, on_reply, t) < 0)
                fail(t, "a message could not be sent");
}

static void serve(talk *t, const odm_request *q)
{
        const odm_reply no = {.status = ODM_ST_UNSUPPORTED};

        if (q->kind == ODM_REQ_ALERTED) {
                if (t->host->alerted)
                        t->host->alerted(t->ctx, q->alert_id, q->status);
        } else if (odm_client_answer(t->client, q->id, &no, loop_now(), wall(t)) < 0) {
                odm_client_fail(t->client);
        }
}

/* The last message was read, and what comes next may go. */
static void go_on(talk *t)
{
        int rc = 0;

        if (!t->more) {
                end(t);
                return;
        }
        if (t->host->before)
                rc = t->host->before(t->ctx);
        if (rc == 1)
                return;
        if (rc < 0)
                fail(t, "what a message says could not be kept");
        else
                post(t, &t->packet);
}

static void on_late(void *ctx)
{
        go_on(ctx);
}

/* On a slow link what came, and what is to go, take their time. */
static void pump(talk *t)
{
        const odm_request *req;
        int64_t ms;

        while (odm_client_next(t->client, &req) == 1)
                serve(t, req);
        t->more = odm_client_send(t->client, &t->packet) == 1;
        ms = t->rate > 0 ? (int64_t)(t->came + (t->more ? t->packet.body.n : 0)) * 1000 / t->rate
                         : 0;
        t->came = 0;
        if (ms == 0 || loop_timer_set(t->host->loop, &t->late, odm_time_add(loop_now(), ms)) < 0)
                go_on(t);
}

int talk_begin(talk *t, const sim_opt *o, odm_tree *tree, uint16_t wake, bool resync)
{
        odm_client_opt co;
        char id[5];
        int rc = 0;

        t->began = sim_us();
        t->late = (loop_timer){.fn = on_late, .ctx = t};
        t->came = 0;
        if (!t->http)
                rc = open_http(t);
        odm_client_opt_init(&co, t->host->mem);
        co.rng = rand_rng;
        co.codec = o->codec;
        co.other = odm_codec_is_binary(o->codec) ? &odm_codec_xml : &odm_codec_wbxml;
        co.account = ODM_STR(SIM_ACCOUNT);
        co.alert = wake ? ODM_ALERT_SERVER_INITIATED : ODM_ALERT_CLIENT_INITIATED;
        co.resync = resync;
        if (wake) {
                odm_notify_session(wake, id);
                co.session_id = odm_cstr(id);
        }
        co.secure = o->secure;
        co.allow_basic = o->secure && o->auth == ODM_AUTH_BASIC;
        if (rc == 0)
                rc = odm_client_new(&co, tree, &t->client);
        return rc;
}

int talk_start(talk *t)
{
        int rc = odm_client_start(t->client, loop_now(), wall(t));

        if (rc == 0)
                pump(t);
        return rc;
}
