/* SPDX-License-Identifier: Apache-2.0 */
/* dm_fake.c - see dm_fake.h. */
#include "dm_fake.h"

#include <unistd.h>

#include "heap.h"
#include "rand.h"
#include "support.h"

static void note(dm_fake *f, const char *fmt, ...) ODM_PRINTF(2, 3);
static void note(dm_fake *f, const char *fmt, ...)
{
        size_t n = strlen(f->report);
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(f->report + n, sizeof f->report - n, fmt, ap);
        va_end(ap);
}

static void new_session(dm_fake *f, const odm_peek *peek)
{
        odm_server_opt o;

        odm_server_free(f->session);
        f->session = NULL;
        odm_server_opt_init(&o, &heap_mem);
        o.rng = rand_rng;
        o.server_uri = ODM_STR("http://localhost/dm");
        o.peer.known = true;
        o.peer.device_id = peek->source;
        o.peer.user = ODM_STR(FAKE_USER);
        o.peer.password = odm_cstr(f->password);
        odm_secret_of(o.peer.user, o.peer.password, &o.peer.secret);
        o.peer.has_secret = true;
        o.peer.type = f->type;
        o.peer.accept_basic = f->type == ODM_AUTH_BASIC;
        o.peer.nonce = f->client;
        o.peer.has_nonce = true;
        o.peer.previous = f->previous;
        o.peer.has_previous = true;
        o.peer.server_user = ODM_STR(FAKE_ID);
        o.peer.server_password = ODM_STR(FAKE_PASSWORD);
        odm_secret_of(o.peer.server_user, o.peer.server_password, &o.peer.server_secret);
        o.peer.has_server_secret = true;
        o.peer.server_type = f->type == ODM_AUTH_MAC ? ODM_AUTH_MAC : ODM_AUTH_MD5;
        o.peer.server_nonce = f->server;
        o.peer.default_nonce = true;
        assert_int_equal(odm_server_new(&o, &f->session), 0);
        f->sessions++;
        f->served = 0;
        if (f->again)
                f->next_job = 0;
        snprintf(f->last_id, sizeof f->last_id, "%.*s", (int)peek->session_id.n,
                 peek->session_id.p);
}

static odm_command command_of(const fake_job *j, odm_item *item)
{
        *item = (odm_item){.target = odm_cstr(j->uri)};
        if (j->data) {
                item->data = (odm_data){ODM_DATA_TEXT, odm_cstr(j->data)};
                item->meta.present = j->format != ODM_FMT_ABSENT;
                item->meta.format = j->format;
        }
        return (odm_command){.kind = j->kind, .items = item, .correlator = odm_cstr(j->correlator)};
}

/* The commands given to the engine live as long as the process of tests: a few at a time. */
static odm_item items[64];
static odm_command commands[64];

static void on_work(dm_fake *f)
{
        size_t i = f->next_job;

        if (i >= f->n_jobs || i >= ODM_COUNT(commands)) {
                assert_int_equal(odm_server_work(f->session, NULL), 0);
                return;
        }
        commands[i] = command_of(&f->jobs[i], &items[i]);
        f->next_job++;
        assert_int_equal(
                odm_server_work(f->session, &(odm_job){.id = i + 1, .commands = &commands[i]}), 0);
}

static void on_result(dm_fake *f, const odm_event *ev)
{
        const fake_job *j = &f->jobs[ev->job - 1];

        note(f, "%u %s", ev->status, j->uri);
        for (const odm_item *i = ev->results; i; i = i->next)
                note(f, " = %.*s", (int)i->data.bytes.n, i->data.bytes.p ? i->data.bytes.p : "");
        note(f, "\n");
}

static void on_event(dm_fake *f, const odm_event *ev)
{
        switch (ev->kind) {
        case ODM_EV_WORK: on_work(f); break;
        case ODM_EV_RESULT: on_result(f, ev); break;
        case ODM_EV_AUTH_FAILED: f->auth_failed++; break;
        case ODM_EV_NONCES:
                odm_server_nonces(f->session, &f->client, &f->previous, &f->server);
                break;
        case ODM_EV_SESSION_ALERT:
                f->alerts_1200 += ev->code == ODM_ALERT_SERVER_INITIATED;
                f->alerts_1201 += ev->code == ODM_ALERT_CLIENT_INITIATED;
                break;
        case ODM_EV_DEVINFO:
                note(f, "devinfo %.*s = %.*s\n", (int)ev->uri.n, ev->uri.p, (int)ev->value.data.n,
                     ev->value.data.p ? ev->value.data.p : "");
                break;
        case ODM_EV_ALERT:
                note(f, "alert %.*s %.*s %.*s\n", (int)ev->item->source.n, ev->item->source.p,
                     (int)ev->alert->correlator.n,
                     ev->alert->correlator.p ? ev->alert->correlator.p : "-",
                     (int)ev->item->data.bytes.n, ev->item->data.bytes.p);
                odm_server_alert_status(f->session, f->alert_status ? f->alert_status : 200);
                break;
        case ODM_EV_END: f->done += ev->outcome == ODM_OUTCOME_DONE; break;
        case ODM_EV_AUTHENTICATED:
        case ODM_EV_JOB_DONE: break;
        }
}

static void respond(dm_fake *f, httpd_req *r)
{
        odm_packet out;
        http_field mac = {ODM_STR("x-syncml-hmac"), ODM_ABSENT};
        httpd_reply reply = {.status = 200};
        char type[128];

        if (odm_server_send(f->session, &out) != 1) {
                httpd_send_text(r, 400, "nothing to say");
                return;
        }
        snprintf(type, sizeof type, "%.*s", (int)out.content_type.n, out.content_type.p);
        mac.value = out.mac;
        reply.type = type;
        reply.body = out.body;
        reply.fields = &mac;
        reply.n_fields = out.mac.p != NULL;
        httpd_send(r, &reply);
}

static void serve(dm_fake *f, httpd_req *r)
{
        const odm_packet in = {.body = httpd_body(r),
                               .content_type = httpd_field(r, "content-type"),
                               .mac = httpd_field(r, "x-syncml-hmac")};
        const odm_codec *codec = odm_codec_guess(in.body);
        const odm_event *ev;
        odm_limits lim;
        odm_arena a;
        odm_peek peek;

        odm_limits_init(&lim);
        odm_arena_init(&a, &heap_mem, 1u << 20);
        assert_non_null(codec);
        assert_int_equal(odm_server_peek(codec, in.body, &lim, &a, &peek), 0);
        if (odm_str_is(peek.msg_id, "1") || !f->session)
                new_session(f, &peek);
        odm_arena_done(&a);
        if (odm_server_recv(f->session, &in, (odm_time){0}) < 0) {
                httpd_send_text(r, 400, odm_server_diag(f->session));
                return;
        }
        while (odm_server_next(f->session, &ev) == 1)
                on_event(f, ev);
        if (f->requests == f->stall_at)
                usleep(1500000);
        respond(f, r);
}

static void on_request(void *ctx, httpd_req *r)
{
        dm_fake *f = ctx;

        pthread_mutex_lock(&f->lock);
        f->requests++;
        if (f->refuse_status) {
                const http_field later = {ODM_STR("Retry-After"), odm_cstr(f->retry_after)};
                const httpd_reply reply = {.status = f->refuse_status,
                                           .fields = &later,
                                           .n_fields = f->retry_after != NULL};
                httpd_send(r, &reply);
        } else {
                serve(f, r);
        }
        pthread_mutex_unlock(&f->lock);
}

void dm_fake_start(dm_fake *f, const char *cert, const char *key)
{
        httpd_listener l[2];
        httpd_opt o;
        diag d = {{0}};

        *f = (dm_fake){.password = FAKE_USER_PASSWORD, .type = ODM_AUTH_MD5};
        pthread_mutex_init(&f->lock, NULL);
        httpd_opt_init(&o);
        for (int i = 0; i < 2; i++) {
                httpd_listener_init(&l[i]);
                assert_int_equal(net_addr_parse("127.0.0.1", 0, &l[i].addr), 0);
                l[i].workers = 1;
                l[i].app = (httpd_app){NULL, on_request, f};
        }
        l[1].tls = true;
        l[1].cert_file = cert;
        l[1].key_file = key;
        if (httpd_start(&o, l, cert ? 2 : 1, &f->h, &d) < 0)
                fail_msg("%s", d.text);
        f->plain = httpd_port(f->h, 0);
        f->tls = httpd_port(f->h, 1);
}

void dm_fake_stop(dm_fake *f)
{
        httpd_stop(f->h, 500);
        odm_server_free(f->session);
        pthread_mutex_destroy(&f->lock);
}

unsigned dm_fake_done(dm_fake *f)
{
        unsigned n;

        pthread_mutex_lock(&f->lock);
        n = f->done;
        pthread_mutex_unlock(&f->lock);
        return n;
}

bool dm_fake_reported(dm_fake *f, const char *line)
{
        bool found;

        pthread_mutex_lock(&f->lock);
        found = strstr(f->report, line) != NULL;
        pthread_mutex_unlock(&f->lock);
        return found;
}
