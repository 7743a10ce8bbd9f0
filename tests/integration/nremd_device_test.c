/* SPDX-License-Identifier: Apache-2.0 */
/* nremd and a device of ours over real sockets, driven by REST: what issue and console promise,
 * from the making of a device to what it answered. */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "daemon.h"
#include "device.h"
#include "heap.h"
#include "http_client.h"
#include "odm/notify.h"
#include "rand.h"
#include "udp.h"

/* ---- the device's side of the wire ----------------------------------------------- */

typedef struct line { /* a connection */
        http_sync *http;
        tls_cred *cred;
} line;

static void line_open(line *l, bool tls)
{
        http_client_opt opt;

        *l = (line){0};
        http_client_opt_init(&opt);
        opt.limits.max_body = (size_t)4 << 20;
        if (tls) {
                const tls_cred_opt co = {.ca_file = daemon_path("ca/ca.pem")};
                assert_int_equal(tls_cred_new(&co, &l->cred, NULL), 0);
                opt.tls = l->cred;
        }
        assert_int_equal(http_sync_new(&opt, &l->http), 0);
}

static void line_close(line *l)
{
        http_sync_free(l->http);
        tls_cred_free(l->cred);
}

/* Posts a message; the reply's body is lent until the next post.  The status. */
static unsigned post(line *l, const odm_packet *out, odm_packet *in)
{
        http_field f[3] = {{ODM_STR("Content-Type"), out->content_type},
                           {ODM_STR("Accept"), out->content_type}};
        http_request r = {
                .method = "POST", .url = out->url, .fields = f, .n_fields = 2, .body = out->body};

        if (out->mac.p)
                f[r.n_fields++] = (http_field){ODM_STR("x-syncml-hmac"), out->mac};
        const http_reply *reply = http_sync_send(l->http, &r);
        if (reply->rc < 0)
                fail_msg("%.*s: %s", (int)out->url.n, out->url.p, reply->why);
        *in = (odm_packet){.body = reply->body,
                           .content_type = http_reply_field(reply, "Content-Type"),
                           .mac = http_reply_field(reply, "x-syncml-hmac")};
        return reply->status;
}

typedef struct way { /* how a device speaks */
        bool tls;
        const odm_codec *codec;
        size_t max_msg;
        bool careless; /* shows its password without TLS too */
} way;

static unsigned n_posts; /* of the last call */
static const way plain = {false, &odm_codec_wbxml, 0};

static odm_client *client_of(device *d, const way *w)
{
        odm_client_opt o;
        odm_client *c;

        odm_client_opt_init(&o, &heap_mem);
        o.rng = rand_rng;
        o.codec = w->codec;
        o.account = ODM_STR("./DMAcc/main");
        o.alert = ODM_ALERT_CLIENT_INITIATED;
        o.secure = w->tls || w->careless;
        if (w->max_msg)
                o.max_msg_size = (uint32_t)w->max_msg;
        assert_int_equal(odm_client_new(&o, d->tree, &c), 0);
        assert_int_equal(odm_client_start(c, loop_now(), loop_wall()), 0);
        return c;
}

/* One session from package 1 to its end; *status is the first HTTP status that was not 200. */
static odm_outcome call(device *d, const way *w, unsigned *status)
{
        odm_client *c = client_of(d, w);
        const odm_request *req;
        odm_packet out, in;
        line l;

        *status = 200;
        line_open(&l, w->tls);
        for (n_posts = 0;; n_posts++) {
                while (odm_client_next(c, &req) == 1 && req->kind != ODM_REQ_ALERTED) {
                        const odm_reply ok = {.status = 200};
                        assert_int_equal(
                                odm_client_answer(c, req->id, &ok, loop_now(), loop_wall()), 0);
                }
                if (odm_client_send(c, &out) != 1)
                        break;
                *status = post(&l, &out, &in);
                if (w->max_msg && in.body.n > w->max_msg)
                        fail_msg("a message of %zu octets for a device that takes %zu", in.body.n,
                                 w->max_msg);
                if (*status != 200)
                        odm_client_fail(c);
                else
                        assert_int_equal(odm_client_recv(c, &in, loop_now(), loop_wall()), 0);
        }
        odm_outcome end = odm_client_outcome(c);
        odm_client_free(c);
        line_close(&l);
        return end;
}

/* ---- devices of a test ----------------------------------------------------------- */

static void set_leaf(device *d, const char *uri, const char *value)
{
        const odm_value v = {.format = ODM_FMT_CHR, .data = odm_cstr(value)};

        assert_int_equal(odm_tree_write(d->tree, odm_cstr(uri), &v, loop_wall()), 0);
}

static void device_url(const daemon_process *p, bool tls, char url[64])
{
        (void)snprintf(url, 64, "%s://localhost:%u/dm", tls ? "https" : "http",
                       tls ? p->tls_port : p->port);
}

/* The server is somewhere else now. */
static void device_address(device *d, const daemon_process *p, bool tls)
{
        char url[64];

        device_url(p, tls, url);
        set_leaf(d, "./DMAcc/main/AppAddr/1/Addr", url);
}

/* A device with account dev/pw that knows the server as srv/spw, and calls itself `devid`. */
static void device_make(device *d, const daemon_process *p, bool tls, const char *devid,
                        const char *password)
{
        char url[64];
        device_account a;

        device_url(p, tls, url);
        device_account_init(&a);
        a.addr = url;
        a.password = password;
        a.server_id = "xrem";
        assert_int_equal(device_open(d, &heap, &a, "Add=*&Get=*&Replace=*&Delete=*&Exec=*"), 0);
        set_leaf(d, "./DevInfo/DevId", devid);
}

static void register_device(const daemon_process *p, const char *name, const char *devid,
                            const char *wake)
{
        char body[512];

        (void)snprintf(body, sizeof body,
                       "{\"name\":\"%s\",\"devid\":\"%s\",\"user\":\"dev\",\"password\":\"pw\","
                       "\"server_user\":\"srv\",\"server_password\":\"spw\",\"wake\":%s%s%s}",
                       name, devid, wake ? "\"" : "", wake ? wake : "null", wake ? "\"" : "");
        assert_int_equal(daemon_ask(p, false, "POST", "/api/v1/devices", body, NULL), 201);
}

/* ---- REST while the device works ------------------------------------------------- */

typedef struct asking {
        const daemon_process *p;
        const char *method, *path, *body;
        unsigned status;
        json_t *answer;
        pthread_t thread;
} asking;

static void *ask_it(void *ctx)
{
        asking *a = ctx;

        a->status = daemon_ask(a->p, false, a->method, a->path, a->body, &a->answer);
        return NULL;
}

static void ask_begin(asking *a)
{
        assert_int_equal(pthread_create(&a->thread, NULL, ask_it, a), 0);
}

static void ask_end(asking *a, unsigned status)
{
        pthread_join(a->thread, NULL);
        if (a->status != status) {
                char *text = json_dumps(a->answer, 0);
                fail_msg("%s %s: %u: %s", a->method, a->path, a->status, text ? text : "");
        }
}

static void ask_free(asking *a)
{
        json_decref(a->answer);
        a->answer = NULL;
}

/* Makes a job (no waiting), lets the device call, and gives the job as it ended. */
static json_t *carry_out(const daemon_process *p, device *d, const way *w, const char *name,
                         const char *body)
{
        char path[128];
        json_t *job = NULL;
        unsigned status;

        (void)snprintf(path, sizeof path, "/api/v1/devices/%s/jobs", name);
        assert_int_equal(daemon_ask(p, false, "POST", path, body, &job), 201);
        (void)snprintf(path, sizeof path, "/api/v1/jobs/%s?wait=20",
                       json_string_value(json_object_get(job, "id")));
        json_decref(job);
        assert_int_equal(call(d, w, &status), ODM_OUTCOME_DONE);
        assert_int_equal(daemon_ask(p, false, "GET", path, NULL, &job), 200);
        return job;
}

static const char *text_at(const json_t *o, const char *member)
{
        const char *z = json_string_value(json_object_get(o, member));

        return z ? z : "";
}

static const json_t *command(const json_t *job, size_t i)
{
        return json_array_get(json_object_get(job, "commands"), i);
}

static int status_of(const json_t *cmd)
{
        return (int)json_integer_value(json_object_get(cmd, "status"));
}

static const char *value_of(const json_t *cmd)
{
        return text_at(json_array_get(json_object_get(cmd, "results"), 0), "data");
}

static json_t *show(const daemon_process *p, const char *path)
{
        json_t *o = NULL;

        assert_int_equal(daemon_ask(p, false, "GET", path, NULL, &o), 200);
        return o;
}

/* The newest of `n` sessions of a device with its messages, once it has ended: the last reply
 * leaves before it is written down, for nothing depends on that. */
static json_t *last_session(const daemon_process *p, const char *name, size_t n)
{
        const struct timespec pause = {0, 20000000};
        char path[128];
        json_t *list;

        for (int i = 0; i < 1500; i++) {
                (void)snprintf(path, sizeof path, "/api/v1/devices/%s/sessions", name);
                list = show(p, path);
                const json_t *items = json_object_get(list, "items"), *s = json_array_get(items, 0);
                (void)snprintf(path, sizeof path, "/api/v1/devices/%s/sessions/%s", name,
                               text_at(s, "id"));
                bool ended = json_array_size(items) == n && text_at(s, "outcome")[0] != '\0';
                json_decref(list);
                if (ended)
                        return show(p, path);
                nanosleep(&pause, NULL);
        }
        fail_msg("the session of %s does not end", name);
        return NULL;
}

static const char *message(const json_t *session, size_t i, const char *member)
{
        return text_at(json_array_get(json_object_get(session, "messages"), i), member);
}

/* ---- tests ----------------------------------------------------------------------- */

static void a_first_contact_fills_the_inventory(void **state)
{
        daemon_process p = daemon_start("log", NULL);
        device d;
        unsigned status;

        (void)state;
        register_device(&p, "first", "urn:first", NULL);
        device_make(&d, &p, false, "urn:first", "pw");
        assert_int_equal(call(&d, &plain, &status), ODM_OUTCOME_DONE);
        json_t *o = show(&p, "/api/v1/devices/first");
        assert_string_equal(text_at(o, "state"), "active");
        assert_string_equal(text_at(o, "manufacturer"), "Example");
        assert_string_equal(text_at(o, "model"), "X1");
        assert_true(text_at(o, "last_seen")[0] != '\0');
        json_decref(o);
        o = show(&p, "/api/v1/devices/first/tree?uri=./DevInfo");
        assert_true(json_array_size(json_object_get(o, "nodes")) >= 5);
        json_decref(o);
        o = last_session(&p, "first", 1);
        assert_true(json_is_true(json_object_get(o, "authenticated")));
        assert_string_equal(message(o, 0, "direction"), "in");
        assert_non_null(strstr(message(o, 0, "xml"), "urn:first"));
        assert_non_null(strstr(message(o, 0, "xml"), "(masked)"));
        json_decref(o);
        device_close(&d);
        daemon_stop(&p);
}

static void jobs_run_over_each_transport_in_each_form(void **state)
{
        static const way ways[] = {{false, &odm_codec_wbxml, 0},
                                   {false, &odm_codec_xml, 0},
                                   {true, &odm_codec_wbxml, 0},
                                   {true, &odm_codec_xml, 0}};
        static const char body[] =
                "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./DevInfo/Man\"},"
                "{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Level\",\"format\":\"int\",\"data\":"
                "\"30\"},{\"cmd\":\"get\",\"uri\":\"./Vendor/lab/Level\"},"
                "{\"cmd\":\"exec\",\"uri\":\"./Vendor/lab/Run\",\"data\":\"x\"},"
                "{\"cmd\":\"get\",\"uri\":\"./Nothing\"}]}";
        daemon_process p = daemon_start("log", NULL);
        char name[16], devid[24], value[16];

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(ways); i++) {
                device d;
                (void)snprintf(name, sizeof name, "way%zu", i);
                (void)snprintf(devid, sizeof devid, "urn:way%zu", i);
                register_device(&p, name, devid, NULL);
                device_make(&d, &p, ways[i].tls, devid, "pw");
                json_t *job = carry_out(&p, &d, &ways[i], name, body);
                assert_string_equal(value_of(command(job, 0)), "Example");
                assert_int_equal(status_of(command(job, 1)), 200);
                assert_string_equal(value_of(command(job, 2)), "30");
                assert_int_equal(status_of(command(job, 3)), 200);
                assert_int_equal(status_of(command(job, 4)), 404);
                assert_string_equal(text_at(job, "state"), "failed"); /* one command was refused */
                assert_true(device_read(&d, "./Vendor/lab/Level", value, sizeof value));
                assert_string_equal(value, "30");
                assert_int_equal(d.runs, 1);
                json_decref(job);
                device_close(&d);
        }
        daemon_stop(&p);
}

static void an_atomic_that_fails_changes_nothing(void **state)
{
        daemon_process p = daemon_start("log", NULL);
        device d;
        char value[16];

        (void)state;
        register_device(&p, "atom", "urn:atom", NULL);
        device_make(&d, &p, false, "urn:atom", "pw");
        json_t *job = carry_out(&p, &d, &plain, "atom",
                                "{\"atomic\":true,\"commands\":[{\"cmd\":\"replace\",\"uri\":\"./"
                                "Vendor/lab/Level\","
                                "\"format\":\"int\",\"data\":\"7\"},{\"cmd\":\"replace\",\"uri\":"
                                "\"./Vendor/lab/Picky\",\"data\":\"no\"}]}");
        assert_string_equal(text_at(job, "state"), "failed");
        assert_int_equal(status_of(command(job, 0)), 216);
        assert_true(status_of(command(job, 1)) >= 400);
        assert_true(device_read(&d, "./Vendor/lab/Level", value, sizeof value));
        assert_string_equal(value, "1");
        json_decref(job);
        device_close(&d);
        daemon_stop(&p);
}

static void five_megabytes_go_there_and_back(void **state)
{
        enum { OCTETS = 5000000 };
        static const way small = {false, &odm_codec_wbxml, 16384};
        const char *const settings[] = {"dm.max_message=16k", NULL};
        daemon_process p = daemon_start("log", settings);
        unsigned char *octets = malloc(OCTETS);
        odm_arena a;
        seeded rnd;
        device d;

        (void)state;
        odm_arena_init(&a, &heap, (size_t)64 << 20);
        odm_rng rng = seeded_rng(&rnd, 5);
        assert_non_null(octets);
        assert_int_equal(rng.fill(rng.ctx, octets, OCTETS), 0);
        odm_str b64 = odm_b64_encode(&a, (odm_str){(const char *)octets, OCTETS});
        odm_str body = odm_arena_fmt(&a,
                                     "{\"commands\":[{\"cmd\":\"replace\",\"uri\":"
                                     "\"./Vendor/lab/Blob\",\"format\":\"bin\",\"data_base64\":"
                                     "\"%s\"},{\"cmd\":\"get\",\"uri\":\"./Vendor/lab/Blob\"}]}",
                                     b64.p);
        assert_non_null(body.p);
        register_device(&p, "big", "urn:big", NULL);
        device_make(&d, &p, false, "urn:big", "pw");
        json_t *job = carry_out(&p, &d, &small, "big", body.p);
        assert_string_equal(text_at(job, "state"), "done");
        const json_t *v = json_array_get(json_object_get(command(job, 1), "results"), 0);
        assert_int_equal(json_integer_value(json_object_get(v, "size")), OCTETS);
        assert_str(b64, text_at(v, "data_base64"));
        json_decref(job);
        odm_arena_done(&a);
        free(octets);
        device_close(&d);
        daemon_stop(&p);
}

/* The device's path, the slashes of its name encoded. */
static void path_of(const char *name, char *out, size_t n)
{
        size_t at = (size_t)snprintf(out, n, "/api/v1/devices/");

        for (; *name && at + 4 < n; name++)
                at += (size_t)snprintf(out + at, n - at, *name == '/' ? "%%2F" : "%c", *name);
}

/* Devices that are held, as soon as there is one: it is refused before it is written down. */
static json_t *held_devices(const daemon_process *p)
{
        const struct timespec pause = {0, 20000000};

        for (int i = 0; i < 1500; i++) {
                json_t *o = show(p, "/api/v1/devices?state=held");
                if (json_array_size(json_object_get(o, "items")) > 0)
                        return o;
                json_decref(o);
                nanosleep(&pause, NULL);
        }
        fail_msg("nobody is held");
        return NULL;
}

static void who_cannot_prove_himself_gets_nothing(void **state)
{
        const char *const settings[] = {"dm.unknown=hold", NULL};
        daemon_process p = daemon_start("log", settings);
        device wrong, unknown;
        unsigned status;

        (void)state;
        register_device(&p, "prove", "urn:prove", NULL);
        device_make(&wrong, &p, false, "urn:prove", "guess");
        assert_int_not_equal(call(&wrong, &plain, &status), ODM_OUTCOME_DONE);
        json_t *o = show(&p, "/api/v1/devices/prove");
        assert_string_equal(text_at(o, "state"), "provisioned");
        json_decref(o);
        device_make(&unknown, &p, false, "urn:stranger", "pw");
        assert_int_not_equal(call(&unknown, &plain, &status), ODM_OUTCOME_DONE);
        o = held_devices(&p);
        const json_t *held = json_array_get(json_object_get(o, "items"), 0);
        assert_string_equal(text_at(held, "devid"), "urn:stranger");
        char path[128];
        path_of(text_at(held, "name"), path, sizeof path);
        assert_int_equal(daemon_ask(&p, false, "PATCH", path,
                                    "{\"state\":\"active\",\"user\":\"dev\",\"password\":\"pw\","
                                    "\"server_user\":\"srv\",\"server_password\":\"spw\"}",
                                    NULL),
                         200);
        assert_int_equal(call(&unknown, &plain, &status), ODM_OUTCOME_DONE);
        assert_int_equal(daemon_ask(&p, false, "PATCH", path, "{\"state\":\"deactivated\"}", NULL),
                         200);
        assert_int_not_equal(call(&unknown, &plain, &status), ODM_OUTCOME_DONE);
        json_decref(o);
        device_close(&wrong);
        device_close(&unknown);
        daemon_stop(&p);
}

/* Auth-basic carries the password itself: it counts over TLS only, whatever the account says, and
 * even for a device that shows it all the same. */
static void no_password_counts_in_the_clear(void **state)
{
        static const struct {
                way w;
                const char *status;
        } rows[] = {
                {{.tls = false, .codec = &odm_codec_xml, .careless = true}, "<Data>401</Data>"},
                {{.tls = true, .codec = &odm_codec_xml}, "<Data>212</Data>"},
        };
        daemon_process p = daemon_start("log", NULL);
        unsigned status;

        (void)state;
        assert_int_equal(daemon_ask(&p, false, "POST", "/api/v1/devices",
                                    "{\"name\":\"basic\",\"devid\":\"urn:basic\",\"user\":\"dev\","
                                    "\"password\":\"pw\",\"auth\":\"basic\",\"server_user\":"
                                    "\"srv\",\"server_password\":\"spw\"}",
                                    NULL),
                         201);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                device d;
                device_make(&d, &p, rows[i].w.tls, "urn:basic", "pw");
                set_leaf(&d, "./DMAcc/main/AAuthPref", "BASIC");
                set_leaf(&d, "./DMAcc/main/AppAuth/c/AAuthType", "BASIC");
                set_leaf(&d, "./DMAcc/main/AppAuth/s/AAuthType", "BASIC");
                (void)call(&d, &rows[i].w, &status);
                json_t *o = last_session(&p, "basic", i + 1);
                if (!strstr(message(o, 1, "xml"), rows[i].status))
                        fail_msg("no %s in %s", rows[i].status, message(o, 1, "xml"));
                json_decref(o);
                device_close(&d);
        }
        daemon_stop(&p);
}

/* ---- wake-ups -------------------------------------------------------------------- */

typedef struct bell {
        loop *loop;
        bool rung;
} bell;

/* Package 0 for srv/xrem, made with the nonce the device gave: only then it calls. */
static void on_datagram(void *ctx, odm_str datagram, const net_addr *from)
{
        bell *b = ctx;
        odm_secret secret;
        odm_str package0;
        const odm_nonce none = {0};

        (void)from;
        odm_secret_of(ODM_STR("xrem"), ODM_STR("spw"), &secret);
        if (odm_wsp_unwrap(datagram, &package0) == 0 &&
            odm_notify_verify(package0, &secret, &none) != ODM_NOTIFY_FORGED) {
                b->rung = true;
                loop_stop(b->loop);
        }
}

static void a_live_question_wakes_the_device(void **state)
{
        daemon_process p = daemon_start("log", NULL);
        asking a = {.p = &p,
                    .method = "GET",
                    .path = "/api/v1/devices/bell/tree?uri=./Vendor/lab&live=1&timeout=30"};
        bell b = {0};
        net_addr at;
        udp *u;
        device d;
        char wake[64];
        unsigned status;

        (void)state;
        assert_int_equal(loop_new(&b.loop), 0);
        assert_int_equal(net_addr_parse("127.0.0.1", 0, &at), 0);
        assert_int_equal(udp_open(b.loop, &at, on_datagram, &b, &u, NULL), 0);
        (void)snprintf(wake, sizeof wake, "udp://127.0.0.1:%u", udp_port(u));
        register_device(&p, "bell", "urn:bell", wake);
        device_make(&d, &p, false, "urn:bell", "pw");
        ask_begin(&a);
        for (int i = 0; i < 200 && !b.rung; i++)
                assert_int_equal(loop_once(b.loop, 100), 0);
        assert_true(b.rung);
        assert_int_equal(call(&d, &plain, &status), ODM_OUTCOME_DONE);
        ask_end(&a, 200);
        assert_string_equal(text_at(a.answer, "source"), "device");
        assert_true(json_array_size(json_object_get(a.answer, "nodes")) > 8);
        ask_free(&a);
        udp_close(u);
        loop_free(b.loop);
        device_close(&d);
        daemon_stop(&p);
}

/* Neither the job nor the nonces: what the device was told before the kill is what it proves itself
 * by after it, and nobody asks it twice. */
static void a_restart_loses_no_job(void **state)
{
        daemon_process p = daemon_start("log", NULL);
        const way w = {true, &odm_codec_wbxml, 0};
        json_t *job = NULL;
        char path[96];
        device d;
        unsigned status;

        (void)state;
        register_device(&p, "keep", "urn:keep", NULL);
        device_make(&d, &p, true, "urn:keep", "pw");
        assert_int_equal(call(&d, &w, &status), ODM_OUTCOME_DONE);
        assert_int_equal(daemon_ask(&p, false, "POST", "/api/v1/devices/keep/jobs",
                                    "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./DevInfo/Mod\"}]}",
                                    &job),
                         201);
        (void)snprintf(path, sizeof path, "/api/v1/jobs/%s?wait=10", text_at(job, "id"));
        json_decref(job);
        kill(p.pid, SIGKILL);
        assert_int_equal(daemon_end(p.pid), -SIGKILL);
        p = daemon_start("log2", NULL);
        device_address(&d, &p, true);
        assert_int_equal(call(&d, &w, &status), ODM_OUTCOME_DONE);
        assert_int_equal(n_posts, 2);
        job = show(&p, path);
        assert_string_equal(text_at(job, "state"), "done");
        assert_string_equal(value_of(command(job, 0)), "X1");
        json_decref(job);
        device_close(&d);
        daemon_stop(&p);
}

static int prepare(void **state)
{
        if (daemon_make_folder(state) < 0)
                return -1;
        daemon_make_certificates();
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_first_contact_fills_the_inventory),
                cmocka_unit_test(jobs_run_over_each_transport_in_each_form),
                cmocka_unit_test(an_atomic_that_fails_changes_nothing),
                cmocka_unit_test(five_megabytes_go_there_and_back),
                cmocka_unit_test(who_cannot_prove_himself_gets_nothing),
                cmocka_unit_test(no_password_counts_in_the_clear),
                cmocka_unit_test(a_live_question_wakes_the_device),
                cmocka_unit_test(a_restart_loses_no_job),
        };
        return cmocka_run_group_tests(tests, prepare, daemon_drop_folder);
}
