/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - the client engine over HTTP; see session.h.
 *
 *   SENDING --reply--> (engine) --more--> SENDING
 *      |                  +--nothing more--> over
 *      +--transport failed in the middle--> RESTING --a while--> SENDING, the same message
 *      +--failed at once, or a status that is not 200--> over                              */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "net.h"
#include "rand.h"

#define REST_MS 2000 /* before a message is sent again */
#define RETRY_AFTER_MAX (24 * 3600)
#define MAX_ALERTS 1024 /* of one session; the rest goes with the next */
#define WHOLE_MEMORY ((size_t)64 << 20)

struct session {
        session_opt opt;
        odm_client *client;
        loop_timer timer;
        bool begun;                      /* the first message was asked for */
        bool secure;                     /* we began with TLS: nothing leaves without it */
        bool waiting, serving, answered; /* for a part; now; it did, and we go on soon */
        unsigned rests;
        int64_t retry_after_ms;
        diag why;
        char server[ODM_USER_MAX + 1]; /* whose tasks are reported */
        void (*fn)(void *ctx, const session_end *end);
        void *ctx;
};

static void pump(session *s);

/* ---- the end ------------------------------------------------------------------------ */

static void end(session *s)
{
        void (*fn)(void *ctx, const session_end *e) = s->fn;
        const char *diag_text = odm_client_diag(s->client);
        const session_end e = {.outcome = odm_client_outcome(s->client),
                               .why = s->why.text[0] ? s->why.text : diag_text,
                               .retry_after_ms = s->retry_after_ms,
                               .stats = odm_client_get_stats(s->client),
                               .id = odm_client_session_id(s->client)};

        loop_timer_stop(&s->timer);
        http_client_close(s->opt.http);
        if (e.outcome == ODM_OUTCOME_DONE)
                parts_met(s->opt.device->parts, odm_cstr(s->server));
        if (odm_tasks_session_over(s->opt.device->tasks, odm_cstr(s->server), loop_now(),
                                   loop_wall()) < 0 ||
            state_sync(s->opt.device->state) < 0)
                log_error("the journal cannot be written",
                          log_text("reason", state_why(s->opt.device->state)));
        fn(s->ctx, &e);
        session_drop(s);
}

static void fail(session *s)
{
        odm_client_fail(s->client);
        pump(s); /* alerts that were answered are still told */
}

/* ---- sending --------------------------------------------------------------------------- */

static bool is_here(const char *host)
{
        net_addr a;

        return strcmp(host, "localhost") == 0 ||
               (host[0] && net_addr_parse(host, 0, &a) == 0 && net_addr_is_loopback(&a));
}

/* May this message go there?  A server may name another URL, but never lead us out of TLS. */
static bool may_send(session *s, odm_str url)
{
        net_url u;

        if (net_url_parse(url, &u) < 0) {
                diag_set(&s->why, 0, "'%.*s' is no URL", (int)odm_str_to(url, 200).n, url.p);
                return false;
        }
        if (strcmp(u.scheme, "https") == 0) {
                s->secure = true;
                return true;
        }
        if (s->secure) {
                diag_set(&s->why, 0, "the server wants to go on without TLS");
                return false;
        }
        if (s->opt.plain == CONF_PLAIN_YES ||
            (s->opt.plain == CONF_PLAIN_LOOPBACK && is_here(u.host)))
                return true;
        diag_set(&s->why, 0, "transport.plain_http does not allow %s://%s", u.scheme, u.host);
        return false;
}

static void on_reply(void *ctx, const http_reply *r);

static void post(session *s, const odm_packet *p)
{
        const http_field fields[] = {
                {ODM_STR("Content-Type"), p->content_type},
                {ODM_STR("Accept"), ODM_STR("application/vnd.syncml.dm+xml, "
                                            "application/vnd.syncml.dm+wbxml")},
                {ODM_STR("Accept-Charset"), ODM_STR("utf-8")},
                {ODM_STR("Cache-Control"), ODM_STR("no-store")},
                {ODM_STR("x-syncml-hmac"), p->mac},
        };
        const http_request r = {.method = "POST",
                                .url = p->url,
                                .fields = fields,
                                .n_fields = ODM_COUNT(fields) - (p->mac.p == NULL),
                                .body = p->body,
                                .gzip = s->opt.gzip};
        int rc;

        if (!may_send(s, p->url)) {
                fail(s);
                return;
        }
        rc = http_client_send(s->opt.http, &r, on_reply, s);
        if (rc < 0) {
                diag_set(&s->why, rc, "cannot send: %s", odm_err_text(rc));
                fail(s);
        }
}

static void answer(session *s, uint64_t id, const odm_reply *r)
{
        if (odm_client_answer(s->client, id, r, loop_now(), loop_wall()) < 0)
                odm_client_fail(s->client);
}

/* Not at once: a part is talking, which may hear of the session's end. */
static void go_on_soon(session *s)
{
        s->waiting = false;
        s->answered = true;
        if (loop_timer_set(s->opt.loop, &s->timer, loop_now()) < 0)
                log_error("no memory for a timer: the session stands still");
}

static void on_served(void *ctx, uint64_t id, const odm_reply *r)
{
        session *s = ctx;

        answer(s, id, r);
        if (s->serving)
                s->waiting = false;
        else
                go_on_soon(s);
}

static void serve_operation(session *s, const odm_request *r)
{
        const parts_asker by = {on_served, s};
        odm_reply no = {.status = ODM_ST_UNSUPPORTED};
        uint64_t id = r->id;
        int rc;

        s->serving = s->waiting = true;
        rc = parts_serve(s->opt.device->parts, id, r->op, &by);
        s->serving = false;
        if (rc == 0)
                return;
        s->waiting = false;
        if (rc != ODM_EUNSUPPORTED)
                no.status = ODM_ST_FAILED;
        answer(s, id, &no);
}

/* What the engine asks of its host.  What dremd's objects do they do at once, and there is nobody
 * to ask. */
static void serve(session *s, const odm_request *r)
{
        const odm_reply no = {.status = ODM_ST_UNSUPPORTED};

        if (r->kind == ODM_REQ_ALERTED) {
                log_debug("alert answered", log_int("alert", (int64_t)r->alert_id),
                          log_int("status", r->status));
                if (!(r->alert_id & ODM_TASK_ALERT))
                        parts_alerted(s->opt.device->parts, r->alert_id, r->status);
                else if (odm_tasks_reported(s->opt.device->tasks, r->alert_id, r->status,
                                            loop_wall()) < 0)
                        log_error("a task that was reported is kept: it will be told again");
        } else if (r->kind == ODM_REQ_EXEC || r->kind == ODM_REQ_NODE) {
                serve_operation(s, r);
        } else {
                answer(s, r->id, &no);
        }
}

static void pump(session *s)
{
        const odm_request *req;
        odm_packet p;

        while (!s->waiting && odm_client_next(s->client, &req) == 1)
                serve(s, req);
        if (s->waiting)
                return;
        if (odm_client_send(s->client, &p) != 1) {
                end(s);
                return;
        }
        if (state_sync(s->opt.device->state) < 0) {
                /* what the message says would not be true after a power cut */
                diag_set(&s->why, 0, "the journal cannot be written: %s",
                         state_why(s->opt.device->state));
                fail(s);
                return;
        }
        post(s, &p);
}

/* ---- receiving --------------------------------------------------------------------------- */

static void on_rested(session *s)
{
        /* the engine's own clock would wait for the full reply time; its connection is dead */
        if (odm_client_tick(s->client, odm_client_deadline(s->client)) < 0)
                odm_client_fail(s->client);
        pump(s);
}

static void on_broken(session *s, const http_reply *r)
{
        odm_client_stats st = odm_client_get_stats(s->client);

        diag_set(&s->why, r->rc, "%s", r->why);
        if (r->rc != ODM_EIO || st.messages_in == 0 ||
            odm_client_deadline(s->client).ms == ODM_NEVER.ms) {
                fail(s);
                return;
        }
        log_debug("the connection broke in the middle of a session", log_text("reason", r->why));
        s->rests++;
        if (loop_timer_set(
                    s->opt.loop, &s->timer,
                    odm_time_add(loop_now(), REST_MS * s->rests + (int64_t)rand_below(1000))) < 0)
                fail(s);
}

/* Seconds, or a date, which few servers send and which we take for a minute. */
static int64_t retry_after(const http_reply *r)
{
        odm_str v = http_reply_field(r, "retry-after");
        uint64_t n;

        if (!v.p)
                return 0;
        return odm_str_u64(v, RETRY_AFTER_MAX, &n) == 0 ? (int64_t)n * 1000 : 60000;
}

static void on_refused(session *s, const http_reply *r)
{
        bool elsewhere = r->status >= 300 && r->status < 400;

        diag_set(&s->why, 0, "the server answered HTTP status %u%s", r->status,
                 elsewhere ? "; redirections are not followed" : "");
        s->retry_after_ms = retry_after(r);
        fail(s);
}

/* No part of a good message is a message, so what can be read is all of it. */
bool session_is_whole(odm_str body)
{
        const odm_codec *codecs[] = {&odm_codec_xml, &odm_codec_wbxml};
        bool whole = false;

        for (size_t i = 0; i < ODM_COUNT(codecs) && !whole; i++) {
                odm_limits lim;
                odm_arena a;
                odm_msg *m;
                odm_limits_init(&lim);
                lim.max_msg = body.n + 1;
                odm_arena_init(&a, &heap_mem, WHOLE_MEMORY);
                whole = odm_decode(codecs[i], body, &lim, &a, &m) == 0;
                odm_arena_done(&a);
        }
        return whole;
}

static void on_reply(void *ctx, const http_reply *r)
{
        session *s = ctx;
        const odm_packet p = {.body = r->body,
                              .content_type = http_reply_field(r, "content-type"),
                              .mac = http_reply_field(r, "x-syncml-hmac")};

        if (r->rc < 0) {
                on_broken(s, r);
                return;
        }
        if (r->status != 200) {
                on_refused(s, r);
                return;
        }
        s->why.text[0] = 0;
        s->rests = 0;
        if (odm_client_recv(s->client, &p, loop_now(), loop_wall()) < 0) {
                diag_set(&s->why, 0, "the reply could not be worked on");
                fail(s);
                return;
        }
        pump(s);
}

/* ---- life ---------------------------------------------------------------------------------- */

static bool is_secure(const odm_account *a)
{
        return odm_str_ieq(odm_str_to(a->addr, 8), "https://");
}

static int check_account(const session_opt *o, odm_account *a, odm_arena *arena, diag *d)
{
        int rc = odm_account_read(o->device->tree, o->account, arena, a);

        if (rc < 0)
                return diag_set(d, rc, "%.*s is no usable account: %s", (int)o->account.n,
                                o->account.p, odm_err_text(rc));
        if (a->server_type == ODM_AUTH_NONE && !is_secure(a) && o->plain != CONF_PLAIN_YES)
                return diag_set(d, ODM_EACCESS,
                                "without TLS the server must prove itself: the "
                                "account has no credentials of it");
        return 0;
}

static void client_options(const session_opt *o, const odm_account *a, odm_client_opt *out)
{
        odm_client_opt_init(out, &heap_mem);
        out->rng = rand_rng;
        out->trace = log_tracer();
        out->codec = o->codec;
        out->other = odm_codec_is_binary(o->codec) ? &odm_codec_xml : &odm_codec_wbxml;
        out->account = o->account;
        out->session_id = o->session_id;
        out->alert = o->alert;
        out->resync = o->resync;
        out->resync_ascii = o->resync_ascii;
        out->dm13 = o->dm13;
        out->secure = is_secure(a);
        out->allow_dm11 = o->dm11;
        out->allow_basic = out->secure && (o->basic || a->type == ODM_AUTH_BASIC);
        out->max_msg_size = o->max_message;
        out->max_obj_size = o->max_object;
        out->send_max = o->max_message;
        out->limits.max_msg = (size_t)o->max_message * 2 + 65536;
        out->reply_ms = o->reply_ms;
        out->max_memory = (size_t)o->max_object * 4 + (64u << 20);
        out->max_alerts = MAX_ALERTS;
}

static int queue_report(void *ctx, const odm_alert *a)
{
        const session *s = ctx;

        return odm_client_alert(s->client, a);
}

static int queue_alert(void *ctx, const odm_alert *a)
{
        const session *s = ctx;
        int rc = odm_client_alert(s->client, a);

        return rc == ODM_EINVAL ? 0 : rc; /* XML cannot carry it; the others it can */
}

static int queue_alerts(session *s)
{
        device *v = s->opt.device;
        int rc = parts_alerts(v->parts, odm_cstr(s->server), loop_wall(), queue_alert, s);

        if (rc == 0)
                rc = odm_tasks_reports(s->opt.device->tasks, odm_cstr(s->server), queue_report, s);
        return rc == ODM_ELIMIT ? 0 : rc; /* the rest goes next time */
}

static void on_timer(void *ctx)
{
        session *s = ctx;

        if (s->begun && !s->answered) {
                on_rested(s);
                return;
        }
        s->begun = true;
        s->answered = false;
        pump(s);
}

int session_start(const session_opt *opt, void (*fn)(void *ctx, const session_end *end), void *ctx,
                  session **out, diag *d)
{
        session *s = calloc(1, sizeof *s);
        odm_client_opt co;
        odm_account a;
        odm_arena arena;
        int rc = ODM_ENOMEM;

        odm_arena_init(&arena, &heap_mem, 65536);
        if (!s)
                goto out;
        s->opt = *opt;
        s->fn = fn;
        s->ctx = ctx;
        s->timer = (loop_timer){.fn = on_timer, .ctx = s};
        rc = check_account(opt, &a, &arena, d);
        if (rc < 0)
                goto out;
        snprintf(s->server, sizeof s->server, "%.*s", (int)a.server_id.n, a.server_id.p);
        client_options(opt, &a, &co);
        rc = odm_client_new(&co, opt->device->tree, &s->client);
        if (rc == 0)
                rc = queue_alerts(s);
        if (rc == 0)
                rc = odm_client_start(s->client, loop_now(), loop_wall());
        if (rc == 0) /* nothing is called back from in here */
                rc = loop_timer_set(opt->loop, &s->timer, loop_now());
        if (rc < 0)
                diag_set(d, rc, "no session can begin: %s", odm_err_text(rc));
out:
        odm_arena_done(&arena);
        if (rc < 0)
                session_drop(s);
        else
                *out = s;
        return rc;
}

void session_abort(session *s)
{
        bool waiting = s->waiting;

        if (waiting) /* the engine answers what is open by itself */
                parts_drop(s->opt.device->parts);
        if (odm_client_abort(s->client) < 0)
                log_debug("the session is over already");
        if (waiting)
                go_on_soon(s);
}

void session_drop(session *s)
{
        if (!s)
                return;
        loop_timer_stop(&s->timer);
        if (s->waiting)
                parts_drop(s->opt.device->parts);
        if (s->client)
                http_client_cancel(s->opt.http);
        odm_client_free(s->client);
        free(s);
}
