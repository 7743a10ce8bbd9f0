/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <time.h>
#include <unistd.h>

#include "http_client.h"
#include "rand.h"

static void *run(void *ctx)
{
        assert_int_equal(loop_run(((world *)ctx)->loop), 0);
        return NULL;
}

static void on_head(void *ctx, httpd_req *r, size_t *max)
{
        dm_head(((world *)ctx)->dm, r, max);
}

static void on_request(void *ctx, httpd_req *r)
{
        dm_handle(((world *)ctx)->dm, r);
}

void world_init(world *w, const char *where)
{
        char why[STORE_DIAG];

        memset(w, 0, sizeof *w);
        snprintf(w->dir, sizeof w->dir, "%s", "/tmp/dm_test.XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        snprintf(w->where, sizeof w->where, where ? "sqlite:%s/db" : "mem:", w->dir);
        store_opt_init(&w->store_opt);
        w->store_opt.where = w->where;
        w->store_opt.fault = &w->fault;
        assert_int_equal(store_open(&w->store_opt, &w->store, why), 0);
        odm_arena_init(&w->a, &heap, (size_t)256 << 20);
        assert_int_equal(loop_new(&w->loop), 0);
        dm_opt_init(&w->opt);
        w->opt.store = w->store;
        w->opt.loop = w->loop;
        w->opt.metrics = &w->metrics;
        w->opt.server_id = "srv";
        w->opt.wake_from = "127.0.0.1:0";
        w->codec = &odm_codec_wbxml;
}

void world_copy(const world *w, world *out)
{
        memset(out, 0, sizeof *out);
        memcpy(out->addr, w->addr, sizeof out->addr);
        out->store = w->store;
        out->dm = w->dm;
        out->port = w->port;
        out->auth = w->auth;
        out->codec = w->codec;
        odm_arena_init(&out->a, &heap, (size_t)64 << 20);
}

void world_open_device(world *w, const char *devid)
{
        odm_value v = {.format = ODM_FMT_CHR, .data = odm_cstr(devid)};
        device_account a;

        device_account_init(&a);
        a.addr = w->addr;
        if (w->auth)
                a.type = a.server_type = w->auth;
        assert_int_equal(device_open(&w->dev, &heap, &a, "Add=*&Delete=*&Exec=*&Get=*&Replace=*"),
                         0);
        assert_int_equal(
                odm_tree_write(w->dev.tree, odm_cstr("./DevInfo/DevId"), &v, (odm_wall){1}), 0);
}

void world_start(world *w)
{
        httpd_opt ho;
        httpd_listener l;
        diag d = {""};

        if (dm_new(&w->opt, &w->dm, &d) < 0)
                fail_msg("dm: %s", d.text);
        httpd_opt_init(&ho);
        httpd_listener_init(&l);
        assert_int_equal(net_hostport_parse("127.0.0.1:0", &l.addr), 0);
        l.app = (httpd_app){on_head, on_request, w};
        assert_int_equal(httpd_start(&ho, &l, 1, &w->httpd, NULL), 0);
        w->port = httpd_port(w->httpd, 0);
        snprintf(w->addr, sizeof w->addr, "http://127.0.0.1:%u/dm", w->port);
        assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
        w->looping = true;
        if (!w->dev.tree) {
                world_open_device(w, "IMEI:1");
        } else { /* the server moved to another port */
                odm_value v = {.format = ODM_FMT_CHR, .data = odm_cstr(w->addr)};
                assert_int_equal(odm_tree_write(w->dev.tree,
                                                odm_cstr("./DMAcc/main/AppAddr/1/Addr"), &v,
                                                (odm_wall){1}),
                                 0);
        }
}

void world_stop(world *w)
{
        if (!w->looping)
                return;
        loop_stop(w->loop);
        pthread_join(w->thread, NULL);
        w->looping = false;
        dm_stop(w->dm);
        httpd_stop(w->httpd, 2000);
        dm_free(w->dm);
        w->dm = NULL;
}

void world_done(world *w)
{
        static const char *const names[] = {"db", "db-wal", "db-shm", "db-lock"};
        char path[128];

        world_stop(w);
        device_close(&w->dev);
        store_close(w->store);
        loop_free(w->loop);
        odm_arena_done(&w->a);
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                snprintf(path, sizeof path, "%s/%s", w->dir, names[i]);
                unlink(path);
        }
        rmdir(w->dir);
}

static odm_str secret(world *w, const char *user, const char *password)
{
        odm_secret s;

        odm_secret_of(odm_cstr(user), odm_cstr(password), &s);
        return odm_arena_copy(&w->a, (odm_str){s.b64, ODM_SECRET_LEN});
}

int64_t world_add_another(world *w, const char *name, const char *devid)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);
        odm_auth_type auth = w->auth ? w->auth : ODM_AUTH_MD5;
        int64_t id;

        op->device = (store_device){.name = odm_cstr(name), .devid = odm_cstr(devid), .created = 1};
        op = store_batch_add(b, STORE_ACCOUNT_PUT);
        op->account = (store_account){.device = STORE_LAST,
                                      .user = ODM_STR("dev"),
                                      .secret = secret(w, "dev", "pw"),
                                      .auth = auth,
                                      .server_id = ODM_STR("srv"),
                                      .server_user = ODM_STR("srv"),
                                      .server_secret = secret(w, "srv", "spw"),
                                      .server_auth = auth};
        assert_int_equal(store_write_sync(w->store, b), 0);
        id = b->ops[0]->id;
        store_batch_free(b);
        return id;
}

void world_add_device(world *w)
{
        w->device = world_add_another(w, "test/one", "IMEI:1");
}

void *world_new(size_t size, const char *where)
{
        world *w = calloc(1, size);

        assert_non_null(w);
        world_init(w, where);
        world_add_device(w);
        return w;
}

int world_teardown(void **state)
{
        world_done(*state);
        free(*state);
        return 0;
}

/* ---- the device's side ------------------------------------------------------------- */

static int tell(void *ctx, const odm_alert *alert)
{
        return odm_client_alert(ctx, alert);
}

static odm_client *new_client(world *w)
{
        odm_client_opt o;
        odm_client *c;

        odm_client_opt_init(&o, &heap);
        o.rng = rand_rng;
        o.codec = w->codec;
        o.account = odm_cstr("./DMAcc/main");
        o.session_id = odm_cstr(w->session);
        o.alert = w->alert ? w->alert : ODM_ALERT_CLIENT_INITIATED;
        o.resync = w->resync;
        if (w->max_msg)
                o.max_msg_size = o.send_max = w->max_msg;
        o.has_list = o.has_tnds = !w->no_list;
        o.has_atomic = !w->no_atomic;
        o.has_copy = !w->no_copy;
        assert_int_equal(odm_client_new(&o, w->dev.tree, &c), 0);
        for (size_t i = 0; w->say && i < (w->says ? w->says : 1); i++)
                assert_int_equal(odm_client_alert(c, &w->say[i]), 0);
        if (w->tasks)
                assert_int_equal(odm_tasks_reports(w->tasks, ODM_STR("srv"), tell, c), 0);
        return c;
}

/* Posts a message and hands the reply back; false when HTTP says no. */
static bool exchange(world *w, http_sync *http, odm_client *c, const odm_packet *out)
{
        http_field f[2] = {{ODM_STR("Content-Type"), out->content_type},
                           {ODM_STR("x-syncml-hmac"), out->mac}};
        http_request q = {.method = "POST",
                          .url = out->url,
                          .fields = f,
                          .n_fields = out->mac.n ? 2 : 1,
                          .body = out->body};
        const http_reply *r = http_sync_send(http, &q);
        odm_packet in;

        w->sent++;
        if (r->rc < 0)
                fail_msg("POST: %s", r->why);
        w->http = r->status;
        if (r->status != 200) {
                odm_client_fail(c);
                return false;
        }
        in = (odm_packet){.body = r->body,
                          .content_type = http_reply_field(r, "Content-Type"),
                          .mac = http_reply_field(r, "x-syncml-hmac")};
        if (w->max_msg && in.body.n > w->max_msg)
                fail_msg("a message of %zu octets for a device that takes %u", in.body.n,
                         w->max_msg);
        if (w->stop_after == w->sent)
                return false;
        if (w->switch_off) {
                assert_int_equal(store_write_sync(w->store, w->switch_off), 0);
                store_batch_free(w->switch_off);
                w->switch_off = NULL;
                dm_device_changed(w->dm, w->device);
                usleep(100000); /* the crew looks at it */
        }
        assert_int_equal(odm_client_recv(c, &in, loop_now(), (odm_wall){++w->dev.wall}), 0);
        return w->cut_after != w->sent;
}

static void serve_requests(world *w, odm_client *c)
{
        const odm_request *req;

        while (odm_client_next(c, &req) == 1) {
                const odm_reply r = {.status = ODM_ST_OK};
                if (req->kind == ODM_REQ_ALERTED && w->tasks)
                        assert_int_equal(odm_tasks_reported(w->tasks, req->alert_id, req->status,
                                                            (odm_wall){++w->dev.wall}),
                                         0);
                if (req->kind != ODM_REQ_ALERTED)
                        assert_int_equal(odm_client_answer(c, req->id, &r, loop_now(),
                                                           (odm_wall){++w->dev.wall}),
                                         0);
        }
}

void world_session(world *w)
{
        http_client_opt opt;
        http_sync *http;
        odm_client *c = new_client(w);
        odm_packet out;

        http_client_opt_init(&opt);
        opt.limits.max_body = 8 << 20;
        assert_int_equal(http_sync_new(&opt, &http), 0);
        w->sent = 0;
        w->http = 0;
        assert_int_equal(odm_client_start(c, loop_now(), (odm_wall){++w->dev.wall}), 0);
        for (;;) {
                serve_requests(w, c);
                if (odm_client_send(c, &out) != 1 || !exchange(w, http, c, &out))
                        break;
        }
        serve_requests(w, c);
        device_sync(&w->dev);
        w->outcome = odm_client_outcome(c);
        odm_client_free(c);
        http_sync_free(http);
}

unsigned world_post(world *w, const char *method, const char *path, const char *type, odm_str body,
                    char *reply, size_t room)
{
        http_client_opt opt;
        http_sync *http;
        char url[128];
        const http_field f[] = {{ODM_STR("Content-Type"), odm_cstr(type)}};
        http_request q = {.method = method, .fields = f, .n_fields = type ? 1 : 0, .body = body};
        unsigned status;

        http_client_opt_init(&opt);
        assert_int_equal(http_sync_new(&opt, &http), 0);
        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", w->port, path);
        q.url = odm_cstr(url);
        const http_reply *r = http_sync_send(http, &q);
        if (r->rc < 0)
                fail_msg("%s %s: %s", method, path, r->why);
        status = r->status;
        if (reply)
                snprintf(reply, room, "%.*s", (int)r->body.n, r->body.p ? r->body.p : "");
        http_sync_free(http);
        return status;
}

void expect_done(world *w)
{
        world_session(w);
        if (w->outcome != ODM_OUTCOME_DONE)
                fail_msg("the session ended %s (HTTP %u)", odm_outcome_name(w->outcome), w->http);
}

void expect_refused(world *w)
{
        world_session(w);
        assert_int_equal(w->outcome, ODM_OUTCOME_AUTH_REFUSED);
}

void world_warm_up(world *w)
{
        world_start(w);
        expect_done(w);
}

void world_write(world *w, store_batch *b)
{
        assert_int_equal(store_write_sync(w->store, b), 0);
        store_batch_free(b);
}

void world_patch(world *w, uint32_t fields, store_device to)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

        to.id = w->device;
        op->device_patch = (store_device_patch){.fields = fields, .to = to};
        world_write(w, b);
}

void world_move(world *w, store_job_move m)
{
        store_batch *b = store_batch_new();

        m.device = w->device;
        m.from = STORE_JOB_OPEN;
        m.expect_attempts = -1;
        store_batch_add(b, STORE_JOB_MOVE)->job_move = m;
        world_write(w, b);
}

/* ---- what the store says -------------------------------------------------------------- */

int64_t world_job(world *w, const char *commands, bool atomic)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_JOB_CREATE);
        int64_t id;

        op->job = (store_job){.device = w->device,
                              .kind = ODM_STR("test"),
                              .commands = odm_cstr(commands),
                              .atomic = atomic,
                              .max_attempts = 3,
                              .created = 1};
        assert_int_equal(store_write_sync(w->store, b), 0);
        id = op->id;
        store_batch_free(b);
        return id;
}

store_job world_job_now(world *w, int64_t id)
{
        store_job j;

        assert_int_equal(store_job_get(w->store, id, &w->a, &j), 0);
        return j;
}

void world_wait(world *w, int64_t id, store_job_state state)
{
        store_job j = {0};

        for (int i = 0; i < 1000; i++) {
                j = world_job_now(w, id);
                if (j.state == state)
                        return;
                usleep(10000);
        }
        fail_msg("the job stays %s (%.*s)", store_job_state_name(j.state), (int)j.reason.n,
                 j.reason.p ? j.reason.p : "");
}

void expect_job(world *w, int64_t id, const char *want)
{
        char got[400];
        store_job j = world_job_now(w, id);

        snprintf(got, sizeof got, "%s%s%.*s", store_job_state_name(j.state), j.reason.n ? ": " : "",
                 (int)j.reason.n, j.reason.p ? j.reason.p : "");
        if (strncmp(got, want, strlen(want)) != 0 || (!strchr(want, ':') && strchr(got, ':')))
                fail_msg("job %d is \"%s\", not \"%s\"", (int)id, got, want);
}

void expect_results(world *w, int64_t id, const char *want)
{
        char got[400] = "";
        size_t n = 0;
        uint32_t next = 0;
        store_result_list l;

        assert_int_equal(store_job_results(w->store, w->device, id, &w->a, &l), 0);
        for (size_t i = 0; i < l.n; i++) {
                for (; next < l.v[i].index; next++)
                        n += (size_t)snprintf(got + n, sizeof got - n, "%s-", n ? " " : "");
                next++;
                n += (size_t)snprintf(got + n, sizeof got - n, "%s%u%s", n ? " " : "",
                                      l.v[i].status, l.v[i].sent ? "" : "*");
        }
        assert_string_equal(got, want);
}

void expect_node(world *w, const char *uri, const char *want)
{
        store_tree t;
        int rc = store_tree_get(w->store, w->device, odm_cstr(uri), &w->a, &t);

        if (rc == ODM_ENOENT) {
                assert_string_equal("-", want);
                return;
        }
        assert_int_equal(rc, 0);
        if (!odm_str_is(t.v[0].value, want))
                fail_msg("%s is \"%.*s\", not \"%s\"", uri, (int)t.v[0].value.n,
                         t.v[0].value.p ? t.v[0].value.p : "", want);
}

store_device world_device(world *w)
{
        store_device d;

        assert_int_equal(store_device_get(w->store, w->device, &w->a, &d), 0);
        return d;
}
