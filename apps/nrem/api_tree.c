/* SPDX-License-Identifier: Apache-2.0 */
/* A device's tree: from the mirror at once, or from the device itself by jobs.
 *
 *     live:  Get uri?list=StructData --ok--> answer
 *                     | refused (a device that does not know it)
 *                     v
 *            Get uri --a node--> Get of its children, a level at a time --all known--> answer
 *
 * The continuations run on the loop and on the store's writer, one at a time for one call. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api_describe.h"
#include "api_job.h"
#include "command.h"
#include "odm/msg.h"
#include "reach.h"
#include "readable.h"

#define DEPTH_MAX 64
#define NODES_MAX 20000 /* of one answer */
#define GETS_MAX 200    /* of one job */
#define URI_LEN_MAX 2048

/* ---- what both share ------------------------------------------------------------- */

static unsigned segments(odm_str uri)
{
        unsigned n = 0;

        for (size_t i = 0; i < uri.n; i++)
                n += uri.p[i] == '/';
        return n;
}

/* Whether `uri` is at or below `root`, and not deeper than `depth` (-1: any). */
static bool wanted(odm_str uri, odm_str root, int64_t depth)
{
        if (!odm_str_eq(odm_str_to(uri, root.n), root) || (uri.n > root.n && uri.p[root.n] != '/'))
                return false;
        return depth < 0 || segments(uri) - segments(root) <= (uint64_t)depth;
}

static bool read_uri(call *c, odm_str *out)
{
        odm_str uri = call_query(c, "uri");

        if (!uri.p)
                uri = ODM_STR(".");
        if (uri.n == 0 || uri.n > URI_LEN_MAX || uri.p[0] != '.' ||
            (uri.n > 1 && (uri.p[1] != '/' || uri.n == 2)) || uri.p[uri.n - 1] == '/' ||
            odm_str_has(uri, '?') || !odm_utf8_ok(uri)) {
                problem_at(&c->problem, "uri", "has to be . or like ./DevDetail/FwV");
                return false;
        }
        *out = uri;
        return true;
}

static json_t *answer_new(odm_str device, odm_str uri, const char *source)
{
        json_t *o = json_object();

        if (put_text(o, "device", device) && put_text(o, "uri", uri) &&
            put_cstr(o, "source", source))
                return o;
        json_decref(o);
        return NULL;
}

/* ---- from the mirror ------------------------------------------------------------- */

static bool append_known(call *c, json_t *nodes, const store_node *n)
{
        json_t *o = json_object();
        bool ok = put_text(o, "uri", n->path) && put_text(o, "format", n->format) &&
                  put_text(o, "type", n->type) &&
                  (odm_str_is(n->format, "node") ||
                   ((n->size == 0 || put_int(o, "size", (int64_t)n->size)) &&
                    command_value_put(o, n->format, n->value, &c->arena) == 0)) &&
                  (n->at == 0 || (put_ms(o, "time", n->at) &&
                                  put_int(o, "age", c->now > n->at ? (c->now - n->at) / 1000 : 0)));

        if (json_array_append_new(nodes, o) < 0)
                return false;
        return ok;
}

static void show_mirror(call *c, const store_device *d, odm_str uri, int64_t depth)
{
        store_tree t = {0};
        json_t *o, *nodes;
        bool ok = true;
        int rc = store_tree_get(c->api->opt.store, d->id, uri, &c->arena, &t);

        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND,
                            "Nothing is known of %.*s yet; live=1 asks the device.",
                            (int)(uri.n < 128 ? uri.n : 128), uri.p);
        if (rc < 0) {
                call_refused(c, "the mirror cannot be read", rc);
                return;
        }
        nodes = json_array();
        for (size_t i = 0; ok && i < t.n; i++)
                if (wanted(t.v[i].path, uri, depth) && reach_shows(c, d->id, t.v[i].path))
                        ok = append_known(c, nodes, &t.v[i]);
        ok = ok && describe_nodes(c, d->id, uri, nodes) == 0;
        o = answer_new(d->name, uri, "mirror");
        if (json_object_set_new(o, "nodes", nodes) < 0 || !ok) {
                json_decref(o);
                o = NULL;
        }
        call_reply(c, 200, o);
}

/* ---- from the device ------------------------------------------------------------- */

typedef struct asked {
        odm_str *v;
        size_t n, cap;
} asked;

typedef struct live {
        store_device d;
        odm_str uri;
        int64_t depth;
        odm_time due;
        bool walking;     /* node by node: the device does not know ?list= */
        asked now, later; /* walking: this level from `at` on, and the next one */
        size_t at, sent;
        json_t *nodes;
        store_op *op;
        int64_t job;
} live;

static void ask(call *c);

static void end_live(call *c)
{
        live *l = c->data;

        json_decref(l->nodes);
        l->nodes = NULL;
        call_fail(c);
}

static void finish_live(call *c)
{
        live *l = c->data;
        json_t *o = answer_new(l->d.name, l->uri, "device");

        if (describe_nodes(c, l->d.id, l->uri, l->nodes) < 0 ||
            json_object_set(o, "nodes", l->nodes) < 0 || !put_id(o, "job", l->job)) {
                json_decref(o);
                o = NULL;
        }
        json_decref(l->nodes);
        l->nodes = NULL;
        call_reply(c, 200, o);
}

static bool remember(call *c, asked *a, odm_str uri)
{
        if (a->n == a->cap) {
                size_t cap = a->cap ? 2 * a->cap : 64;
                odm_str *v = odm_arena_zget(&c->arena, cap * sizeof *v);
                if (!v)
                        return false;
                if (a->n)
                        memcpy(v, a->v, a->n * sizeof *v);
                a->v = v;
                a->cap = cap;
        }
        a->v[a->n++] = uri;
        return true;
}

/* The children a Get of an interior node lists, into the next level. */
static bool remember_children(call *c, odm_str parent, odm_str names)
{
        live *l = c->data;

        if (l->depth >= 0 && segments(parent) - segments(l->uri) >= (uint64_t)l->depth)
                return true;
        while (names.n > 0) {
                size_t n = 0;
                while (n < names.n && names.p[n] != '/')
                        n++;
                odm_str slash = odm_arena_join(&c->arena, parent, ODM_STR("/"));
                odm_str uri = odm_arena_join(&c->arena, slash, odm_str_to(names, n));
                if (n > 0 && (!uri.p || !remember(c, &l->later, uri)))
                        return false;
                names = odm_str_from(names, n + 1);
        }
        return true;
}

static bool append_told(call *c, const store_value *v, odm_str uri)
{
        live *l = c->data;
        store_value shown = *v;
        json_t *o;
        bool ok;

        shown.uri = v->uri.n ? v->uri : uri;
        if (!reach_shows(c, l->d.id, shown.uri))
                return true; /* of another device */
        if (odm_str_is(v->format, "node"))
                shown.data = ODM_ABSENT; /* names of children: they follow as nodes */
        if (json_array_size(l->nodes) >= NODES_MAX) {
                problem_set(&c->problem, PROBLEM_TOO_LARGE,
                            "The tree has more than %d nodes; ask for a part of it.", NODES_MAX);
                return false;
        }
        o = json_object();
        ok = put_value(c, o, &shown, uri) && put_ms(o, "time", c->now) && put_int(o, "age", 0);
        return json_array_append_new(l->nodes, o) == 0 && ok;
}

/* The device's refusal of the first node as a problem. */
static void refused(call *c, const store_result *r)
{
        live *l = c->data;

        c->problem.device_status = r->status;
        if (r->status == ODM_ST_NOT_FOUND)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "The device has no %.*s.",
                            (int)(l->uri.n < 128 ? l->uri.n : 128), l->uri.p);
        else
                problem_set(&c->problem, PROBLEM_REFUSED, "The device answered %u %s.", r->status,
                            odm_status_text(r->status));
}

static bool take_list(call *c, const store_result *r)
{
        live *l = c->data;

        for (size_t i = 0; i < r->n_items; i++)
                if (wanted(r->items[i].uri, l->uri, l->depth) &&
                    !append_told(c, &r->items[i], l->uri))
                        return false;
        return true;
}

/* One answer of the walk.  What the device refuses below the first node is left out: it may be
 * hidden from us, or be gone since its parent was read. */
static bool take_node(call *c, const store_result *r, odm_str uri)
{
        live *l = c->data;

        if (!odm_status_ok(r->status)) {
                if (!odm_str_eq(uri, l->uri))
                        return true;
                refused(c, r);
                return false;
        }
        for (size_t i = 0; i < r->n_items; i++) {
                const store_value *v = &r->items[i];
                if (!append_told(c, v, uri))
                        return false;
                if (odm_str_is(v->format, "node") && v->data.p &&
                    !remember_children(c, uri, v->data))
                        return false;
        }
        return true;
}

static bool take_level(call *c, const store_result_list *r)
{
        live *l = c->data;

        for (size_t i = 0; i < r->n; i++)
                if (r->v[i].index < l->sent &&
                    !take_node(c, &r->v[i], l->now.v[l->at + r->v[i].index]))
                        return false;
        l->at += l->sent;
        if (l->at == l->now.n) {
                l->now = l->later;
                l->later = (asked){0};
                l->at = 0;
        }
        return true;
}

/* Goes on from the results of one job: another one, or the answer. */
static void go_on(call *c, const store_result_list *r)
{
        live *l = c->data;
        bool ok = true;

        assert(r->v); /* a job that was not carried out has gone another way */
        if (l->walking) {
                ok = take_level(c, r);
        } else if (odm_status_ok(r->v[0].status)) {
                ok = take_list(c, &r->v[0]);
        } else {
                l->walking = true;
                ok = remember(c, &l->now, l->uri);
        }
        if (!ok)
                end_live(c);
        else if (l->walking && l->at < l->now.n)
                ask(c);
        else
                finish_live(c);
}

static void on_told(call *c, int rc)
{
        live *l = c->data;
        store_job j = {0};
        store_result_list r = {0};
        store *st = c->api->opt.store;

        (void)snprintf(c->problem.job, sizeof c->problem.job, "%lld", (long long)l->job);
        if (rc == 0)
                rc = store_job_get(st, l->job, &c->arena, &j);
        if (rc == 0)
                rc = store_job_results(st, l->d.id, l->job, &c->arena, &r);
        if (rc == ODM_ESTATE || (rc == 0 && j.state == STORE_JOB_EXPIRED))
                problem_set(&c->problem, PROBLEM_DEVICE_TIMEOUT,
                            "The device did not call in time; job %lld expires with this.",
                            (long long)l->job);
        else if (rc < 0)
                problem_err(&c->problem, rc, "the answer cannot be read");
        else if (r.n == 0 || !r.v[0].sent)
                problem_set(&c->problem, PROBLEM_REFUSED, "The job was not carried out: %.*s",
                            (int)(j.reason.n < 160 ? j.reason.n : 160),
                            j.reason.p ? j.reason.p : store_job_state_name(j.state));
        if (problem_is(&c->problem))
                end_live(c);
        else
                go_on(c, &r);
}

static void on_asked(call *c, store_batch *b, int rc)
{
        live *l = c->data;
        const api_hooks *h = &c->api->opt.hooks;
        int64_t left = l->due.ms - loop_now().ms;

        (void)b;
        if (rc < 0) {
                problem_err(&c->problem, rc, "the job cannot be kept");
                end_live(c);
                return;
        }
        l->job = l->op->id;
        metrics_add(c->api->opt.metrics, METRIC_JOBS_CREATED, 1);
        if (h->job_created)
                h->job_created(h->ctx, l->d.id, l->job);
        call_wait(c, l->job, left > 0 ? left : 0, on_told);
}

/* No fallback: the walk here goes no deeper than was asked for. */
static bool add_get(json_t *list, odm_str uri)
{
        json_t *o = json_pack("{s:s,s:b}", "cmd", "get", "fallback", 0);

        if (!put_text(o, "uri", uri)) {
                json_decref(o);
                return false;
        }
        return json_array_append_new(list, o) == 0;
}

/* The Gets of the next job. */
static json_t *questions(call *c)
{
        live *l = c->data;
        json_t *list = json_array();
        bool ok = true;

        l->sent = 0;
        if (!l->walking) {
                odm_str uri = odm_arena_join(&c->arena, l->uri, ODM_STR("?list=StructData"));
                ok = uri.p && add_get(list, uri);
        }
        while (ok && l->walking && l->sent < GETS_MAX && l->at + l->sent < l->now.n)
                ok = add_get(list, l->now.v[l->at + l->sent++]);
        if (ok)
                return list;
        json_decref(list);
        return NULL;
}

static void ask(call *c)
{
        live *l = c->data;
        store_job job = {.kind = ODM_STR("tree")};
        json_t *list = questions(c);
        int64_t left = l->due.ms - loop_now().ms;
        store_batch *b = list ? call_batch(c, "job.create", l->d.id, l->d.name, "tree") : NULL;

        /* the answer is of no use to anybody later: the job goes with the request */
        job.deadline = c->now + (loop_now().ms - c->began.ms) + (left > 0 ? left : 1);
        l->op = b ? job_put(c, b, &l->d, list, job) : NULL;
        json_decref(list);
        if (!l->op)
                end_live(c);
        else
                call_commit(c, b, on_asked);
}

static void show_live(call *c, const store_device *d, odm_str uri, int64_t depth, int64_t seconds)
{
        live *l = odm_new(&c->arena, live);

        if (l)
                *l = (live){.d = *d, .uri = uri, .depth = depth, .nodes = json_array()};
        if (!l || !l->nodes) {
                call_fail(c);
                return;
        }
        l->due = odm_time_add(loop_now(), seconds * 1000);
        c->data = l;
        ask(c);
}

void tree_show(call *c)
{
        store_device d;
        odm_str uri;
        int64_t depth, live_asked, timeout;

        if (!read_uri(c, &uri) || !call_query_int(c, "depth", 0, DEPTH_MAX, -1, &depth) ||
            !call_query_int(c, "live", 0, 1, 0, &live_asked) ||
            !call_query_int(c, "timeout", 1, 300, 30, &timeout) || !call_device(c, &d)) {
                call_fail(c);
                return;
        }
        if (live_asked && c->role < TOKEN_OPERATOR) {
                problem_set(&c->problem, PROBLEM_FORBIDDEN, "live=1 needs the role operator.");
                call_fail(c);
        } else if (live_asked && !reach_uri(c, d.id, uri)) {
                call_fail(c);
        } else if (live_asked) {
                show_live(c, &d, uri, depth, timeout);
        } else {
                show_mirror(c, &d, uri, depth);
        }
}
