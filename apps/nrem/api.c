/* SPDX-License-Identifier: Apache-2.0 */
/* The way in: which route a request is for, whether its token may take it, and whether it is well
 * formed as far as any route can tell. */
#include "api.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "fleet.h"
#include "heap.h"
#include "log.h"

#define SMALL_BODY ((size_t)64 << 10)
#define PAGE "limit cursor"

static const call_route routes[] = {
        {"GET", "/api/v1/devices", ACCESS_VIEWER, PAGE " addresses state tag model prefix q", false,
         device_list},
        {"POST", "/api/v1/devices", ACCESS_OPERATOR, "", true, device_create},
        {"GET", "/api/v1/devices/{name}", ACCESS_VIEWER, "addresses", false, device_show},
        {"PATCH", "/api/v1/devices/{name}", ACCESS_OPERATOR, "", true, device_change},
        {"DELETE", "/api/v1/devices/{name}", ACCESS_OPERATOR, "", false, device_remove},
        {"POST", "/api/v1/devices/{name}/wake", ACCESS_OPERATOR, "", false, device_wake},
        {"GET", "/api/v1/devices/{name}/tree", ACCESS_VIEWER, "uri depth live timeout", false,
         tree_show},
        {"GET", "/api/v1/devices/{name}/jobs", ACCESS_VIEWER, PAGE " state", false,
         device_job_list},
        {"POST", "/api/v1/devices/{name}/jobs", ACCESS_OPERATOR, "", true, job_create},
        {"GET", "/api/v1/devices/{name}/sessions", ACCESS_VIEWER, PAGE " addresses", false,
         session_list},
        {"GET", "/api/v1/devices/{name}/sessions/{id}", ACCESS_OPERATOR, "secrets addresses", false,
         session_show},
        {"GET", "/api/v1/jobs", ACCESS_VIEWER, PAGE " state device", false, job_list},
        {"GET", "/api/v1/jobs/{id}", ACCESS_VIEWER, "wait", false, job_show},
        {"DELETE", "/api/v1/jobs/{id}", ACCESS_OPERATOR, "", false, job_cancel},
        {"GET", "/api/v1/tokens", ACCESS_ADMIN, "", false, token_list},
        {"POST", "/api/v1/tokens", ACCESS_ADMIN, "", true, token_create},
        {"DELETE", "/api/v1/tokens/{name}", ACCESS_ADMIN, "", false, token_remove},
        {"GET", "/api/v1/whoami", ACCESS_VIEWER, "", false, whoami_show},
        {"GET", "/api/v1/audit", ACCESS_ADMIN, PAGE, false, audit_list},
        {"GET", "/api/v1/health", ACCESS_OPEN, "", false, health_show},
        {"GET", "/api/v1/version", ACCESS_OPEN, "", false, version_show},
        {"GET", "/healthz", ACCESS_OPEN, "", false, health_show},
        {"GET", "/metrics", ACCESS_METRICS, "", false, metrics_show},
};

/* The routes in one row: the server's own, then those of the parts. */
static const call_route *route_at(const api *a, size_t i, const fleet_part **part)
{
        *part = NULL;
        if (i < ODM_COUNT(routes))
                return &routes[i];
        i -= ODM_COUNT(routes);
        for (size_t k = 0; a->opt.parts && a->opt.parts[k]; k++) {
                *part = a->opt.parts[k];
                if (i < (*part)->n_routes)
                        return &(*part)->routes[i];
                i -= (*part)->n_routes;
        }
        return NULL;
}

api_route api_route_at(const api *a, size_t i)
{
        const fleet_part *part;
        const call_route *r = route_at(a, i, &part);

        return r ? (api_route){r->method, r->pattern} : (api_route){NULL, NULL};
}

int api_new(const api_opt *opt, api **out)
{
        api *a = odm_alloc(&heap_mem, sizeof *a);
        int rc = ODM_ENOMEM;

        if (!a)
                return rc;
        a->opt = *opt;
        if (!a->opt.job_attempts)
                a->opt.job_attempts = 10;
        if (!a->opt.waits_max)
                a->opt.waits_max = 1024;
        if (!a->opt.max_body)
                a->opt.max_body = (size_t)32 << 20;
        rc = waits_new(opt->loop, opt->store, a->opt.waits_max, &a->waits);
        if (rc < 0)
                odm_free(&heap_mem, a, sizeof *a);
        else
                *out = a;
        return rc;
}

void api_stop(api *a)
{
        a->stopping = true;
        waits_stop(a->waits);
}

void api_free(api *a)
{
        if (!a)
                return;
        waits_free(a->waits);
        odm_free(&heap_mem, a, sizeof *a);
}

void api_job_moved(api *a, int64_t job)
{
        wait_hint(a->waits, job);
}

/* ---- which route ----------------------------------------------------------------- */

/* Takes the next segment off *path, which begins with a slash. */
static odm_str segment(odm_str *path)
{
        size_t n = 1;

        while (n < path->n && path->p[n] != '/')
                n++;
        odm_str s = {path->p + 1, n - 1};
        *path = odm_str_from(*path, n);
        return s;
}

/* Whether a path, as it came, is of a pattern; its parameters undecoded. */
static bool match(const char *pattern, odm_str path, odm_str param[CALL_PARAMS])
{
        odm_str want = odm_cstr(pattern);
        unsigned n = 0;

        while (want.n > 0 && path.n > 0) {
                odm_str w = segment(&want), s = segment(&path);
                if (w.n > 0 && w.p[0] == '{') {
                        if (s.n == 0)
                                return false;
                        param[n++] = s;
                } else if (!odm_str_eq(w, s)) {
                        return false;
                }
        }
        return want.n == 0 && path.n == 0;
}

/* HEAD is a GET whose body the listener leaves out. */
static bool is_method(odm_str got, const char *method)
{
        return odm_str_is(got, method) || (odm_str_is(got, "HEAD") && strcmp(method, "GET") == 0);
}

static const call_route *find_route(const api *a, const httpd_req *r, odm_str param[CALL_PARAMS],
                                    const fleet_part **part, bool *path_known)
{
        odm_str path = httpd_path(r);
        const call_route *route;

        *path_known = false;
        if (path.n == 0 || path.p[0] != '/')
                return NULL;
        for (size_t i = 0; (route = route_at(a, i, part)); i++) {
                if (!match(route->pattern, path, param))
                        continue;
                *path_known = true;
                if (is_method(httpd_method(r), route->method))
                        return route;
        }
        return NULL;
}

/* ---- who asks -------------------------------------------------------------------- */

static odm_str bearer(const httpd_req *r)
{
        odm_str v = httpd_field(r, "Authorization");

        if (v.n < 7 || !odm_str_ieq(odm_str_to(v, 7), "bearer "))
                return ODM_ABSENT;
        v = odm_str_trim(odm_str_from(v, 7));
        return v.n > 0 && v.n <= 256 ? v : ODM_ABSENT;
}

static token_role needed(call_access a)
{
        return a == ACCESS_ADMIN      ? TOKEN_ADMIN
               : a == ACCESS_OPERATOR ? TOKEN_OPERATOR
                                      : TOKEN_VIEWER;
}

static bool authorize(call *c)
{
        call_access want = c->route->access;
        odm_str token = bearer(c->req);
        int rc = ODM_EACCESS;

        if (want == ACCESS_OPEN || (want == ACCESS_METRICS && c->api->opt.metrics_open))
                return true;
        if (token.p)
                rc = token_check(c->api->opt.store, token, c->now, &c->arena, &c->who, &c->role);
        if (rc == ODM_EACCESS) {
                metrics_add(c->api->opt.metrics, METRIC_API_AUTH_FAILURES, 1);
                problem_set(&c->problem, PROBLEM_UNAUTHENTICATED,
                            token.p ? "The token is not known or no longer good."
                                    : "Send the header \"Authorization: Bearer TOKEN\".");
                return false;
        }
        if (rc < 0) {
                problem_err(&c->problem, rc, "the token cannot be checked");
                return false;
        }
        if (c->role < needed(want)) {
                log_warn("request beyond the token's role", log_str("token", c->who.name),
                         log_text("route", c->route->pattern));
                problem_set(&c->problem, PROBLEM_FORBIDDEN, "This needs the role %s.",
                            token_roles[needed(want)]);
                return false;
        }
        return true;
}

/* ---- whether it is well formed --------------------------------------------------- */

static bool word_in(const char *list, odm_str w)
{
        for (const char *at = list; *at;) {
                size_t n = strcspn(at, " ");
                if (odm_str_eq((odm_str){at, n}, w))
                        return true;
                at += n + strspn(at + n, " ");
        }
        return false;
}

static odm_str query_name(odm_str *rest)
{
        size_t n = 0, name;

        while (n < rest->n && rest->p[n] != '&')
                n++;
        odm_str pair = {rest->p, n};
        *rest = odm_str_from(*rest, n + 1);
        for (name = 0; name < pair.n && pair.p[name] != '='; name++)
                ;
        return (odm_str){pair.p, name};
}

/* Every parameter is known, given once, and decodes. */
static void check_query(call *c)
{
        odm_str rest = httpd_query_text(c->req), names[16];
        size_t n = 0;

        while (rest.n > 0) {
                odm_str raw = query_name(&rest), name = httpd_unescape(c->req, raw, true);
                char shown[64];
                if (raw.n == 0)
                        continue; /* "a=1&&b=2" */
                (void)snprintf(shown, sizeof shown, "%.*s", (int)name.n, name.p ? name.p : "");
                if (!name.p || !odm_utf8_ok(name) || !word_in(c->route->query, name)) {
                        problem_at(&c->problem, name.p && odm_utf8_ok(name) ? shown : "query",
                                   "is not known here");
                        return;
                }
                for (size_t i = 0; i < n; i++)
                        if (odm_str_eq(names[i], name))
                                problem_at(&c->problem, shown, "is given twice");
                if (n < ODM_COUNT(names))
                        names[n++] = name;
                odm_str value = httpd_query(c->req, shown);
                if (!value.p || !odm_utf8_ok(value))
                        problem_at(&c->problem, shown, "is badly encoded");
        }
}

static bool decode_params(call *c, const odm_str raw[CALL_PARAMS])
{
        for (unsigned i = 0; i < CALL_PARAMS && raw[i].p; i++) {
                odm_str s = httpd_unescape(c->req, raw[i], false);
                if (!s.p || !odm_utf8_ok(s)) {
                        problem_set(&c->problem, PROBLEM_INVALID,
                                    "The path is badly encoded; a name is one segment, its "
                                    "slashes written %%2F.");
                        return false;
                }
                c->param[i] = s;
        }
        return true;
}

/* A JSON media type, parameters ignored. */
static bool is_json(odm_str type)
{
        size_t n = 0;

        while (n < type.n && type.p[n] != ';')
                n++;
        type = odm_str_trim(odm_str_to(type, n));
        return odm_str_ieq(type, "application/json") ||
               odm_str_ieq(type, "application/merge-patch+json");
}

static bool read_body(call *c)
{
        odm_str in = httpd_body(c->req);
        json_error_t e;

        if (!c->route->body)
                return true;
        if (!is_json(httpd_field(c->req, "Content-Type"))) {
                problem_set(&c->problem, PROBLEM_MEDIA_TYPE,
                            "Send the body as Content-Type: application/json.");
                return false;
        }
        c->body = json_loadb(in.p ? in.p : "", in.n, JSON_REJECT_DUPLICATES, &e);
        if (!c->body)
                problem_set(&c->problem, PROBLEM_INVALID, "The body is no JSON: line %d: %s",
                            e.line, e.text);
        else if (!json_is_object(c->body))
                problem_set(&c->problem, PROBLEM_INVALID, "The body has to be a JSON object.");
        return !problem_is(&c->problem);
}

/* ---- a call ---------------------------------------------------------------------- */

static call *call_new(api *a, httpd_req *r)
{
        call *c = odm_alloc(&heap_mem, sizeof *c);

        if (!c)
                return NULL;
        c->api = a;
        c->req = r;
        c->now = loop_wall_ms();
        c->began = loop_now();
        odm_arena_init(&c->arena, &heap_mem, CALL_MEMORY);
        problem_init(&c->problem);
        return c;
}

/* "GET, POST" of a path whose method is none of them. */
static void set_allow(call *c)
{
        odm_str param[CALL_PARAMS] = {{0}}, list = ODM_ABSENT;
        const call_route *route;
        const fleet_part *part;

        for (size_t i = 0; (route = route_at(c->api, i, &part)); i++)
                if (match(route->pattern, httpd_path(c->req), param))
                        list = odm_arena_fmt(&c->arena, "%.*s%s%s", (int)list.n,
                                             list.p ? list.p : "", list.n ? ", " : "",
                                             route->method);
        c->allow = list.p;
}

static void no_route(call *c, bool path_known)
{
        if (path_known) {
                set_allow(c);
                problem_set(&c->problem, PROBLEM_METHOD, "This path takes %s.",
                            c->allow ? c->allow : "other methods");
        } else {
                problem_set(&c->problem, PROBLEM_NOT_FOUND,
                            "No such path; docs/openapi.yaml lists those there are. The name of a "
                            "device is one segment, its slashes written %%2F.");
        }
        call_fail(c);
}

void api_handle(api *a, httpd_req *r)
{
        call *c = httpd_data(r);
        odm_str raw[CALL_PARAMS] = {{0}};
        bool path_known;

        if (c) { /* its head has been read */
                c->route->fn(c);
                return;
        }
        c = call_new(a, r);
        if (!c) {
                httpd_send_text(r, 503, "out of memory");
                return;
        }
        c->route = find_route(a, r, raw, &c->part, &path_known);
        if (!c->route) {
                no_route(c, path_known);
                return;
        }
        if (authorize(c) && decode_params(c, raw)) {
                check_query(c);
                if (!problem_is(&c->problem) && read_body(c)) {
                        c->route->fn(c);
                        return;
                }
        }
        call_fail(c);
}

/* A body that goes to a sink: all is asked before it comes. */
static void head_to_sink(call *c, const odm_str raw[CALL_PARAMS], size_t *max_body)
{
        httpd_sink sink = {0};

        if (authorize(c) && decode_params(c, raw)) {
                check_query(c);
                if (!problem_is(&c->problem) && c->route->head(c, &sink, max_body)) {
                        httpd_set_data(c->req, c);
                        httpd_set_sink(c->req, &sink);
                        return;
                }
        }
        call_fail(c);
}

/* Only who may create jobs is let send much: the rest is small. */
void api_head(api *a, httpd_req *r, size_t *max_body)
{
        odm_str raw[CALL_PARAMS] = {{0}};
        bool path_known;
        const fleet_part *part;
        const call_route *route = find_route(a, r, raw, &part, &path_known);
        call *c;

        *max_body = SMALL_BODY;
        if (!route || (route->fn != job_create && !route->head))
                return;
        c = call_new(a, r);
        if (!c) {
                httpd_send_text(r, 503, "out of memory");
                return;
        }
        c->route = route;
        c->part = part;
        if (route->head) {
                head_to_sink(c, raw, max_body);
                return;
        }
        if (!authorize(c)) {
                call_fail(c);
                return;
        }
        *max_body = a->opt.max_body;
        call_drop(c);
}
