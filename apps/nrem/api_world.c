/* SPDX-License-Identifier: Apache-2.0 */
#include "api_world.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "heap.h"

static void *run(void *ctx)
{
        assert_int_equal(loop_run(((world *)ctx)->loop), 0);
        return NULL;
}

static void on_head(void *ctx, httpd_req *r, size_t *max)
{
        api_head(((world *)ctx)->api, r, max);
}

static void on_request(void *ctx, httpd_req *r)
{
        api_handle(((world *)ctx)->api, r);
}

static void make_token(world *w, unsigned i, const char *name, const char *role, const char *scope)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_TOKEN_PUT);
        char hash[TOKEN_HASH];

        token_make(w->token[i]);
        token_hash(odm_cstr(w->token[i]), hash);
        op->token = (store_token){.name = odm_cstr(name),
                                  .hash = {hash, sizeof hash},
                                  .role = odm_cstr(role),
                                  .scope = odm_cstr(scope),
                                  .created = 1};
        assert_int_equal(store_write_sync(w->store, b), 0);
        store_batch_free(b);
}

static int64_t now_ms(void *ctx)
{
        (void)ctx;
        return loop_wall_ms();
}

static void start_fleet(world *w)
{
        fleet_host h = {.store = w->store, .folder = w->folder, .ddf = w->ddf, .now = now_ms};
        diag d = {{0}};

        if (fleet_new(fleet_parts, &h, &w->fleet, &d) < 0)
                fail_msg("%s", d.text);
        assert_int_equal(fleet_start(w->fleet), 0);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
        (void)st;
        (void)kind;
        (void)ftw;
        return remove(path);
}

void world_start(world *w, const api_hooks *hooks)
{
        store_opt so;
        httpd_opt ho;
        httpd_listener l;
        char why[STORE_DIAG];

        memset(w, 0, sizeof *w);
        store_opt_init(&so);
        so.where = "mem:";
        so.jobs_open_max = 50;
        so.events_kept = 640;
        so.events_unheard = 0;
        so.tables = w->tables = fleet_tables(fleet_parts, &so.n_tables);
        assert_non_null(w->tables);
        (void)snprintf(w->folder, sizeof w->folder, "/tmp/nrem-world-XXXXXX");
        assert_non_null(mkdtemp(w->folder));
        assert_int_equal(store_open(&so, &w->store, why), 0);
        make_token(w, TOKEN_VIEWER, "eve", "viewer", NULL);
        make_token(w, TOKEN_OPERATOR, "otto", "operator", NULL);
        make_token(w, TOKEN_ADMIN, "ada", "admin", NULL);
        make_token(w, SCOPED, "acme-otto", "operator", "acme/");
        assert_int_equal(loop_new(&w->loop), 0);
        assert_int_equal(ddf_new(NULL, &w->ddf), 0);
        w->opt = (api_opt){.store = w->store,
                           .loop = w->loop,
                           .metrics = &w->metrics,
                           .ddf = w->ddf,
                           .version = "0.0.test",
                           .server_id = "xrem",
                           .job_ttl_ms = 3600000,
                           .max_body = 1 << 20};
        if (hooks)
                w->opt.hooks = *hooks;
        start_fleet(w);
        w->opt.parts = fleet_parts;
        w->opt.fleet = w->fleet;
        assert_int_equal(api_new(&w->opt, &w->api), 0);
        httpd_opt_init(&ho);
        httpd_listener_init(&l);
        assert_int_equal(net_hostport_parse("127.0.0.1:0", &l.addr), 0);
        l.app = (httpd_app){on_head, on_request, w};
        assert_int_equal(httpd_start(&ho, &l, 1, &w->httpd, NULL), 0);
        w->port = httpd_port(w->httpd, 0);
        assert_int_equal(pthread_create(&w->thread, NULL, run, w), 0);
}

void world_stop(world *w)
{
        loop_stop(w->loop);
        pthread_join(w->thread, NULL);
        fleet_stop(w->fleet);
        api_stop(w->api);
        assert_int_equal(loop_once(w->loop, 0), 0);
        httpd_stop(w->httpd, 2000);
        assert_int_equal(loop_once(w->loop, 0), 0);
        store_close(w->store);
        api_free(w->api);
        fleet_free(w->fleet);
        free(w->tables);
        assert_int_equal(nftw(w->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
        ddf_free(w->ddf);
        loop_free(w->loop);
}

static void copy_field(const http_reply *r, const char *name, char *out, size_t room)
{
        odm_str v = http_reply_field(r, name);

        (void)snprintf(out, room, "%.*s", (int)v.n, v.p ? v.p : "");
}

answer world_send(world *w, unsigned who, const char *method, const char *path, const char *type,
                  odm_str body)
{
        http_client_opt opt;
        http_sync *s;
        char url[1024], bearer[TOKEN_TEXT + 8];
        http_field f[3];
        http_request r = {.method = method, .fields = f, .body = body};
        answer a = {0};

        http_client_opt_init(&opt);
        opt.limits.max_body = (size_t)16 << 20;
        assert_int_equal(http_sync_new(&opt, &s), 0);
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", w->port, path);
        r.url = odm_cstr(url);
        if (who != NOBODY) {
                (void)snprintf(bearer, sizeof bearer, "Bearer %s", w->token[who]);
                f[r.n_fields++] = (http_field){ODM_STR("Authorization"), odm_cstr(bearer)};
        }
        if (type)
                f[r.n_fields++] = (http_field){ODM_STR("Content-Type"), odm_cstr(type)};
        if (w->key)
                f[r.n_fields++] = (http_field){ODM_STR("Idempotency-Key"), odm_cstr(w->key)};
        const http_reply *reply = http_sync_send(s, &r);
        if (reply->rc < 0)
                fail_msg("%s %s: %s", method, path, reply->why);
        a.status = reply->status;
        a.size = reply->body.n;
        copy_field(reply, "Content-Type", a.type, sizeof a.type);
        copy_field(reply, "Location", a.location, sizeof a.location);
        copy_field(reply, "Allow", a.allow, sizeof a.allow);
        if (reply->body.n)
                a.json = json_loadb(reply->body.p, reply->body.n, 0, NULL);
        http_sync_free(s);
        return a;
}

answer world_ask(world *w, unsigned who, const char *method, const char *path, const char *body)
{
        return world_send(w, who, method, path, body ? "application/json" : NULL, odm_cstr(body));
}

void answer_done(answer *a)
{
        json_decref(a->json);
        a->json = NULL;
}

const char *answer_text(const answer *a, const char *member)
{
        const char *z = json_string_value(json_object_get(a->json, member));

        return z ? z : "";
}

void world_device(world *w, const char *name)
{
        char body[256];

        (void)snprintf(body, sizeof body, "{\"name\":\"%s\"}", name);
        answer a = world_ask(w, TOKEN_OPERATOR, "POST", "/api/v1/devices", body);
        assert_int_equal(a.status, 201);
        answer_done(&a);
}

int64_t world_job(world *w, const char *device_escaped)
{
        char path[256];

        (void)snprintf(path, sizeof path, "/api/v1/devices/%s/jobs", device_escaped);
        answer a = world_ask(w, TOKEN_OPERATOR, "POST", path,
                             "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./DevInfo/Man\"}]}");
        assert_int_equal(a.status, 201);
        int64_t id = strtoll(answer_text(&a, "id"), NULL, 10);
        assert_true(id > 0);
        answer_done(&a);
        return id;
}

void world_finish_job(world *w, int64_t job, store_job_state to, const store_result *r, size_t n)
{
        odm_arena a;
        store_job j;
        store_batch *b = store_batch_new();
        store_op *op;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        assert_int_equal(store_job_get(w->store, job, &a, &j), 0);
        for (size_t i = 0; i < n; i++) {
                op = store_batch_add(b, STORE_RESULT_PUT);
                op->result.device = j.device;
                op->result.job = job;
                op->result.r = r[i];
        }
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = j.device;
        op->job_move.job = job;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = to;
        op->job_move.route = ODM_STR("called");
        op->job_move.at = j.created + 5;
        assert_int_equal(store_write_sync(w->store, b), 0);
        store_batch_free(b);
        odm_arena_done(&a);
        api_job_moved(w->api, job);
}
