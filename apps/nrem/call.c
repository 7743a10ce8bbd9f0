/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"
#include "heap.h"
#include "log.h"

/* ---- ends ------------------------------------------------------------------------ */

static void count(const call *c, unsigned status)
{
        metrics *m = c->api->opt.metrics;

        metrics_add(m,
                    status < 400   ? METRIC_API_2XX
                    : status < 500 ? METRIC_API_4XX
                                   : METRIC_API_5XX,
                    1);
        if (!c->woken) /* a wait measures the device, not us */
                metrics_observe(m, METRIC_TIME_API, (loop_now().ms - c->began.ms) * 1000);
}

void call_drop(call *c)
{
        problem_done(&c->problem);
        json_decref(c->body);
        odm_arena_done(&c->arena);
        odm_free(&heap_mem, c, sizeof *c);
}

void call_file(call *c, httpd_file *file)
{
        const http_field f[] = {{ODM_STR("Cache-Control"), ODM_STR("no-store")},
                                {ODM_STR("X-Content-Type-Options"), ODM_STR("nosniff")},
                                {ODM_STR("Content-Disposition"), ODM_STR("attachment")}};

        file->fields = f;
        file->n_fields = ODM_COUNT(f);
        count(c, 200);
        httpd_send_file(c->req, file);
        call_drop(c);
}

static void answer(call *c, unsigned status, const char *type, odm_str body)
{
        http_field f[5];
        httpd_reply reply = {.status = status, .type = type, .fields = f, .body = body};

        f[reply.n_fields++] = (http_field){ODM_STR("Cache-Control"), ODM_STR("no-store")};
        f[reply.n_fields++] = (http_field){ODM_STR("X-Content-Type-Options"), ODM_STR("nosniff")};
        if (status == 401)
                f[reply.n_fields++] =
                        (http_field){ODM_STR("WWW-Authenticate"), ODM_STR("Bearer realm=\"xrem\"")};
        if (status == 503)
                f[reply.n_fields++] = (http_field){ODM_STR("Retry-After"), ODM_STR("5")};
        if (c->allow)
                f[reply.n_fields++] = (http_field){ODM_STR("Allow"), odm_cstr(c->allow)};
        if (c->location.p)
                f[reply.n_fields++] = (http_field){ODM_STR("Location"), c->location};
        reply.no_gzip = c->secret;
        count(c, status);
        httpd_send(c->req, &reply);
        call_drop(c);
}

httpd_stream *call_stream(call *c, const char *type)
{
        const http_field f[] = {{ODM_STR("Cache-Control"), ODM_STR("no-store")},
                                {ODM_STR("X-Content-Type-Options"), ODM_STR("nosniff")}};
        httpd_stream *s = httpd_stream_begin(c->req, 200, type, f, ODM_COUNT(f));

        count(c, s ? 200 : 500);
        call_drop(c);
        return s;
}

static void send_json(call *c, unsigned status, const char *type, json_t *body)
{
        /* fifteen digits: what was said with so many is said as it was */
        char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
        size_t n = text ? strlen(text) : 0;

        json_decref(body);
        if (!text) {
                answer(c, 500, "text/plain", ODM_STR("out of memory\n"));
                return;
        }
        text[n] = '\n'; /* in place of the zero: for people with curl */
        answer(c, status, type, (odm_str){text, n + 1});
        free(text);
}

void call_reply(call *c, unsigned status, json_t *body)
{
        send_json(c, status, "application/json", body);
}

void call_empty(call *c, unsigned status)
{
        answer(c, status, NULL, ODM_ABSENT);
}

void call_text(call *c, const char *type, odm_str text)
{
        answer(c, 200, type, text);
}

void call_fail(call *c)
{
        odm_str path = httpd_path(c->req);
        odm_str z = odm_utf8_ok(path) ? odm_arena_copy(&c->arena, path) : ODM_ABSENT;

        if (!problem_is(&c->problem))
                problem_set(&c->problem, PROBLEM_INTERNAL, "out of memory");
        if (c->problem.kind == PROBLEM_INTERNAL || c->problem.kind == PROBLEM_UNAVAILABLE)
                log_warn("request failed", log_text("problem", problem_word(&c->problem)),
                         log_text("detail", c->problem.detail), log_str("path", path));
        send_json(c, problem_status(&c->problem), "application/problem+json",
                  problem_json(&c->problem, z.p));
}

static void on_committed(void *ctx, store_batch *b, int rc)
{
        call *c = ctx;

        c->then(c, b, rc);
}

void call_commit(call *c, store_batch *b, void (*then)(call *c, store_batch *b, int rc))
{
        int rc;

        c->then = then;
        rc = store_write(c->api->opt.store, b, on_committed, c);
        if (rc == 0)
                return;
        store_batch_free(b);
        problem_set(&c->problem, PROBLEM_UNAVAILABLE, "The store takes no more now: %s.",
                    odm_err_text(rc));
        call_fail(c);
}

void call_refused(call *c, const char *what, int rc)
{
        problem_err(&c->problem, rc, what);
        call_fail(c);
}

static void on_woken(void *ctx, int rc)
{
        call *c = ctx;

        c->woken(c, rc);
}

void call_wait(call *c, int64_t job, int64_t ms, void (*woken)(call *c, int rc))
{
        int rc;

        c->woken = woken;
        rc = wait_job(c->api->waits, job, ms, on_woken, c);
        if (rc < 0) /* too many wait, or we stop: say what is known now */
                woken(c, ODM_ESTATE);
}

/* ---- what a handler asks --------------------------------------------------------- */

bool call_sees(const call *c, odm_str device_name)
{
        odm_str scope = c->who.scope;

        return scope.n == 0 ||
               (device_name.n >= scope.n && odm_str_eq(odm_str_to(device_name, scope.n), scope));
}

bool call_device(call *c, store_device *out)
{
        store_device d;
        int rc = ODM_ENOENT;

        if (call_sees(c, c->param[0]))
                rc = store_device_by_name(c->api->opt.store, c->param[0], &c->arena, &d);
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no device %.*s.",
                            (int)c->param[0].n, c->param[0].p);
        else if (rc < 0)
                problem_err(&c->problem, rc, "the device cannot be read");
        else
                *out = d;
        return rc == 0;
}

odm_str call_query(call *c, const char *name)
{
        return httpd_query(c->req, name);
}

bool call_query_int(call *c, const char *name, int64_t min, int64_t max, int64_t def, int64_t *out)
{
        odm_str s = httpd_query(c->req, name);
        uint64_t v;

        if (!s.p) {
                *out = def;
                return true;
        }
        if (odm_str_u64(s, (uint64_t)max, &v) < 0 || (int64_t)v < min) {
                problem_at(&c->problem, name, "has to be a whole number from %lld to %lld",
                           (long long)min, (long long)max);
                return false;
        }
        *out = (int64_t)v;
        return true;
}

bool call_id(call *c, odm_str text, const char *what, int64_t *out)
{
        uint64_t v;

        if (odm_str_u64(text, INT64_MAX - 1, &v) == 0 && v > 0) {
                *out = (int64_t)v;
                return true;
        }
        problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no %s %.*s.", what,
                    (int)(text.n < 64 ? text.n : 64), text.p);
        return false;
}

bool call_admin_flag(call *c, const char *flag, bool *out)
{
        int64_t v;

        if (!call_query_int(c, flag, 0, 1, 0, &v))
                return false;
        if (v && c->role < TOKEN_ADMIN) {
                problem_set(&c->problem, PROBLEM_FORBIDDEN, "%s=1 needs the role admin.", flag);
                return false;
        }
        *out = v != 0;
        return true;
}

bool call_page(call *c, uint32_t *limit, int64_t *before)
{
        int64_t n;
        uint64_t at = 0;
        odm_str cursor = httpd_query(c->req, "cursor");

        if (!call_query_int(c, "limit", 1, 1000, 100, &n))
                return false;
        if (cursor.p && (odm_str_u64(cursor, INT64_MAX, &at) < 0 || at == 0)) {
                problem_at(&c->problem, "cursor", "is none that was given out");
                return false;
        }
        *limit = (uint32_t)n;
        *before = (int64_t)at;
        return true;
}

bool call_op(call *c, store_batch *b, store_op_kind kind, store_op **out)
{
        store_op *op = store_batch_add(b, kind);

        if (!op)
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
        else
                *out = op;
        return op != NULL;
}

store_batch *call_batch(call *c, const char *action, int64_t device, odm_str target,
                        const char *detail)
{
        store_batch *b = store_batch_new();
        store_op *op;

        if (!b) {
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
                return NULL;
        }
        if (!call_op(c, b, STORE_AUDIT_ADD, &op)) {
                store_batch_free(b);
                return NULL;
        }
        op->audit = (store_audit){.at = c->now,
                                  .device = device,
                                  .actor = c->who.name, /* all of it lives as long as the call */
                                  .action = odm_cstr(action),
                                  .target = target,
                                  .detail = odm_cstr(detail),
                                  .outcome = ODM_STR("ok")};
        return b;
}

bool call_event(call *c, store_batch *b, const char *kind, int64_t device, odm_str name)
{
        json_t *o = json_object();
        char *text = NULL;
        store_op *op;
        odm_str data = ODM_ABSENT;

        if (put_text(o, "device", name) && put_text(o, "actor", c->who.name))
                text = json_dumps(o, JSON_COMPACT);
        json_decref(o);
        if (text)
                data = odm_arena_copy(&c->arena, odm_cstr(text));
        free(text);
        if (!data.p) {
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "out of memory");
                return false;
        }
        if (!call_op(c, b, STORE_EVENT_ADD, &op))
                return false;
        op->event =
                (store_event){.at = c->now, .device = device, .kind = odm_cstr(kind), .data = data};
        return true;
}

void *call_self(const call *c)
{
        return fleet_self(c->api->opt.fleet, c->part);
}

/* ---- building answers ------------------------------------------------------------ */

bool put_text(json_t *o, const char *name, odm_str s)
{
        if (!s.p)
                return true;
        json_t *v = json_stringn(s.p, s.n);
        if (!v) /* not UTF-8: a device may say anything */
                v = json_string("\xEF\xBF\xBD");
        return json_object_set_new(o, name, v) == 0;
}

bool put_cstr(json_t *o, const char *name, const char *s)
{
        return put_text(o, name, odm_cstr(s));
}

bool put_int(json_t *o, const char *name, int64_t v)
{
        return json_object_set_new(o, name, json_integer(v)) == 0;
}

bool put_bool(json_t *o, const char *name, bool v)
{
        return json_object_set_new(o, name, json_boolean(v)) == 0;
}

bool put_ms(json_t *o, const char *name, int64_t ms)
{
        char text[WALL_TEXT];

        if (ms <= 0)
                return true;
        wall_format((odm_wall){ms / 1000}, text);
        return put_cstr(o, name, text);
}

json_t *id_text(int64_t id)
{
        char text[24];

        (void)snprintf(text, sizeof text, "%lld", (long long)id);
        return json_string(text);
}

bool put_id(json_t *o, const char *name, int64_t id)
{
        return id == 0 || json_object_set_new(o, name, id_text(id)) == 0;
}

json_t *page_new(json_t *items, json_t *next)
{
        json_t *o = json_object();
        bool bad = json_object_set_new(o, "items", items) < 0;

        if (next)
                bad |= json_object_set_new(o, "next", next) < 0;
        if (bad) {
                json_decref(o);
                o = NULL;
        }
        return o;
}
