/* SPDX-License-Identifier: Apache-2.0 */
/* Collections and thresholds in REST.  Each change carries an event of no device, by which the part
 * reads them again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "metric.h"
#include "reach.h"

#define NAME_MOST 128
#define URI_MOST 255
#define WORDS_SEVERITY "critical", "major", "minor", "warning", "indeterminate"

/* ---- what both have ----------------------------------------------------------------------- */

static odm_str dump(call *c, const json_t *v)
{
        char *text = json_dumps(v, JSON_COMPACT);
        odm_str s = text ? odm_arena_copy(&c->arena, odm_cstr(text)) : ODM_ABSENT;

        free(text);
        return s;
}

/* The selector; nobody selects what is beyond the token's scope. */
static bool read_selector(call *c, jread *r, odm_str *out)
{
        const json_t *o = json_object_get(c->body, "selector");
        selector sel;

        r->asked[r->n_asked++] = "selector";
        if (!json_is_object(o)) {
                (void)(o ? jread_wrong(r, "selector", "has to be an object")
                         : jread_missing(r, "selector"));
                return false;
        }
        if (!selector_read(o, "selector", &c->problem, &c->arena, &sel))
                return false;
        if (!selector_within(&sel, c->who.scope)) {
                problem_set(&c->problem, PROBLEM_FORBIDDEN,
                            "The selector reaches beyond the token's scope.");
                return false;
        }
        *out = dump(c, o);
        return out->p != NULL;
}

/* Takes `data`; NULL: out of memory. */
static bool add_event(call *c, store_batch *b, const char *kind, json_t *data)
{
        odm_str text = data ? dump(c, data) : ODM_ABSENT;
        store_op *op;

        json_decref(data);
        if (!text.p || !call_op(c, b, STORE_EVENT_ADD, &op))
                return false;
        op->event = (store_event){.at = c->now, .kind = odm_cstr(kind), .data = text};
        return true;
}

static bool too_many(call *c, const store_table *t, uint64_t most, const char *what)
{
        const store_scan all = {.table = t};
        uint64_t n = 0;
        int rc = store_row_count(c->api->opt.store, &all, most, &n);

        if (rc < 0)
                problem_err(&c->problem, rc, "they cannot be counted");
        else if (n >= most)
                problem_set(&c->problem, PROBLEM_STATE, "There are %llu %s already.",
                            (unsigned long long)n, what);
        return problem_is(&c->problem);
}

static bool put_object(json_t *o, const char *name, odm_str text)
{
        json_t *v = json_loadb(text.p ? text.p : "{}", text.p ? text.n : 2, 0, NULL);

        return v && json_object_set_new(o, name, v) == 0;
}

static bool put_words(json_t *o, const char *name, odm_str s)
{
        return s.n == 0 || put_text(o, name, s);
}

/* ---- collections ---------------------------------------------------------------------------- */

static const char *const severities[] = {WORDS_SEVERITY, NULL};

static int64_t members(call *c, int64_t id)
{
        const metric_task at = {.collection = id};
        const store_scan of = {.table = &table_metric_task,
                               .index = METRIC_TASK_BY_COLLECTION,
                               .same = 1,
                               .at = &at};
        uint64_t n = 0;

        return store_row_count(c->api->opt.store, &of, 10000, &n) == 0 ? (int64_t)n : 0;
}

static json_t *collection_json(const metric_collection *k, int64_t devices)
{
        json_t *o = json_object();

        if (put_id(o, "id", k->id) && put_words(o, "name", k->name) &&
            put_cstr(o, "state", k->state == METRIC_STOPPING ? "stopping" : "active") &&
            put_object(o, "selector", k->selector) &&
            (k->function.n ? put_text(o, "function", k->function) &&
                                     put_int(o, "period", k->period / 1000)
                           : put_object(o, "nodes", k->nodes)) &&
            put_int(o, "every", k->every / 1000) &&
            (devices < 0 || put_int(o, "devices", devices)) && put_int(o, "asked", k->asked) &&
            put_int(o, "answered", k->answered) && put_int(o, "failed", k->failed) &&
            put_text(o, "actor", k->actor) && put_ms(o, "created", k->created))
                return o;
        json_decref(o);
        return NULL;
}

/* Rows that the token sees, newest first, a page. */
static void list_rows(call *c, const store_table *t, size_t size, odm_str (*scope)(const void *row),
                      int64_t (*id)(const void *row), json_t *(*show)(const void *row))
{
        int64_t before, last = 0;
        store_scan scan = {.table = t, .down = true};
        char key[STORE_ROW_BYTES] = {0};
        store_rows rows = {0};
        json_t *items;
        int rc;

        if (!call_page(c, &scan.limit, &before)) {
                call_fail(c);
                return;
        }
        memcpy(key, &before, sizeof before); /* the key is the first member */
        scan.after = before ? key : NULL;
        rc = store_row_find(c->api->opt.store, &scan, &c->arena, &rows);
        if (rc < 0) {
                call_refused(c, "they cannot be read", rc);
                return;
        }
        items = json_array();
        for (size_t i = 0; i < rows.n; i++) {
                const void *row = (const char *)rows.v + i * size;

                last = id(row);
                if (call_sees(c, scope(row)) && json_array_append_new(items, show(row)) < 0) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        }
        call_reply(c, 200, page_new(items, rows.more ? id_text(last) : NULL));
}

static odm_str collection_scope(const void *row)
{
        return ((const metric_collection *)row)->scope;
}

static int64_t collection_id(const void *row)
{
        return ((const metric_collection *)row)->id;
}

static json_t *collection_line(const void *row)
{
        return collection_json(row, -1);
}

void collection_list(call *c)
{
        list_rows(c, &table_metric_collection, sizeof(metric_collection), collection_scope,
                  collection_id, collection_line);
}

static bool find_collection(call *c, metric_collection *out)
{
        metric_collection key = {0}, row;
        int rc;

        if (!call_id(c, c->param[0], "collection", &key.id))
                return false;
        rc = store_row_get(c->api->opt.store, &table_metric_collection, &key, &c->arena, &row);
        if (rc == 0 && !call_sees(c, row.scope))
                rc = ODM_ENOENT;
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no collection %lld.",
                            (long long)key.id);
        else if (rc < 0)
                problem_err(&c->problem, rc, "the collection cannot be read");
        else
                *out = row;
        return rc == 0;
}

void collection_show(call *c)
{
        metric_collection k;

        if (find_collection(c, &k))
                call_reply(c, 200, collection_json(&k, members(c, k.id)));
        else
                call_fail(c);
}

static void read_node(call *c, const json_t *node, size_t i)
{
        char path[32];
        odm_str uri, called;
        jread r;

        (void)snprintf(path, sizeof path, "nodes[%zu]", i);
        jread_init(&r, node, path, &c->problem);
        if (jread_text(&r, "uri", 3, URI_MOST, &uri) == 0)
                (void)jread_missing(&r, "uri");
        else if (!problem_is(&c->problem) && !odm_str_starts(uri, "./"))
                (void)jread_wrong(&r, "uri", "has to begin with ./");
        else if (!problem_is(&c->problem) && !sample_name(uri, &c->arena).p)
                (void)jread_wrong(&r, "uri", "gives no name: say `metric`");
        if (jread_text(&r, "metric", 1, SAMPLE_NAME, &called) == 1 && !sample_name_ok(called))
                (void)jread_wrong(&r, "metric", "is no name");
        jread_end(&r);
}

/* Texts are short for objects: "./A/B" is {"uri": "./A/B"}. */
static void read_nodes(call *c, jread *r, odm_str *out)
{
        const json_t *list, *node;
        json_t *all = json_array();
        size_t i;

        if (jread_list(r, "nodes", 1, METRIC_NODES, &list) == 1) {
                json_array_foreach(list, i, node)
                {
                        json_t *one = json_is_string(node) ? json_pack("{s:O}", "uri", node)
                                                           : json_incref((json_t *)(uintptr_t)node);
                        if (json_is_object(one))
                                read_node(c, one, i);
                        else
                                (void)jread_wrong(r, "nodes", "has an entry that is no node");
                        (void)json_array_append_new(all, one);
                }
                (void)reach_none(c, all);
                *out = dump(c, all);
        }
        json_decref(all);
}

static void read_function(call *c, jread *r, odm_str *out)
{
        json_t *list;
        odm_str s;

        if (jread_text(r, "function", 1, 128, &s) != 1)
                return;
        if (!odm_str_starts(s, "./") || s.p[s.n - 1] == '/')
                (void)jread_wrong(r, "function",
                                  "has to be the path of a function, such as ./DiagMon/Memory");
        list = json_pack("[{s:s%}]", "uri", s.p, s.n);
        (void)reach_none(c, list);
        json_decref(list);
        *out = s;
}

static bool read_collection(call *c, metric_collection *k)
{
        int64_t every = 0, period = 0;
        jread r;

        jread_init(&r, c->body, "", &c->problem);
        (void)jread_text(&r, "name", 1, NAME_MOST, &k->name);
        read_nodes(c, &r, &k->nodes);
        read_function(c, &r, &k->function);
        if (jread_int(&r, "every", METRIC_EVERY_MIN / 1000, METRIC_EVERY_MAX / 1000, &every) == 0)
                (void)jread_missing(&r, "every");
        if (jread_int(&r, "period", 1, METRIC_EVERY_MAX / 1000, &period) == 0)
                period = every;
        if (!problem_is(&c->problem) && !k->nodes.p == !k->function.p)
                problem_at(&c->problem, "nodes", "or function is needed, and not both");
        (void)read_selector(c, &r, &k->selector);
        jread_end(&r);
        k->every = every * 1000;
        k->period = period * 1000;
        k->scope = c->who.scope;
        k->actor = c->who.name;
        k->created = c->now;
        return !problem_is(&c->problem);
}

static void on_collection(call *c, store_batch *b, int rc)
{
        metric_collection *k = c->data;

        for (size_t i = 0; rc == 0 && i < b->n; i++)
                if (b->ops[i]->kind == STORE_ROW_ADD)
                        k->id = b->ops[i]->id;
        if (rc < 0) {
                call_refused(c, "the collection cannot be made", rc);
                return;
        }
        c->location =
                odm_arena_fmt(&c->arena, "/api/v1/metrics/collections/%lld", (long long)k->id);
        call_reply(c, 201, collection_json(k, 0));
}

static void commit_row(call *c, const char *action, const store_table *t, void *row,
                       const char *kind, void (*then)(call *c, store_batch *b, int rc))
{
        store_batch *b = call_batch(c, action, 0, ODM_STR(""), "");
        store_op *op;

        if (b && call_op(c, b, STORE_ROW_ADD, &op)) {
                op->row = (store_row_op){.table = t, .row = row};
                if (add_event(c, b, kind, json_object())) {
                        c->data = row;
                        call_commit(c, b, then);
                        return;
                }
        }
        store_batch_free(b);
        call_fail(c);
}

void collection_create(call *c)
{
        metric_collection *k = odm_new(&c->arena, metric_collection);

        if (k && read_collection(c, k) &&
            !too_many(c, &table_metric_collection, METRIC_COLLECTIONS, "collections"))
                commit_row(c, "collection.create", &table_metric_collection, k, "metric.collection",
                           on_collection);
        else
                call_fail(c);
}

static void on_stopped(call *c, store_batch *b, int rc)
{
        (void)b;
        if (rc < 0)
                call_refused(c, "it cannot be stopped", rc);
        else
                call_reply(c, 202, collection_json(c->data, -1));
}

void collection_stop(call *c)
{
        metric_collection *k = odm_new(&c->arena, metric_collection);
        store_batch *b = NULL;
        store_op *op;

        if (k && find_collection(c, k))
                b = call_batch(c, "collection.stop", 0, c->param[0], "");
        if (b && call_op(c, b, STORE_ROW_PATCH, &op)) {
                k->state = METRIC_STOPPING;
                op->row = (store_row_op){
                        .table = &table_metric_collection, .row = k, .fields = STORE_FIELD(7)};
                if (add_event(c, b, "metric.collection", json_object())) {
                        c->data = k;
                        call_commit(c, b, on_stopped);
                        return;
                }
        }
        store_batch_free(b);
        call_fail(c);
}

/* ---- thresholds ------------------------------------------------------------------------------ */

static json_t *limit_json(const metric_limit *l)
{
        json_t *o = json_object();

        if (put_id(o, "id", l->id) && put_words(o, "name", l->name) &&
            put_text(o, "metric", l->metric) && put_object(o, "selector", l->selector) &&
            (!l->has_low || json_object_set_new(o, "low", json_real(l->low)) == 0) &&
            (!l->has_high || json_object_set_new(o, "high", json_real(l->high)) == 0) &&
            json_object_set_new(o, "hysteresis", json_real(l->hysteresis)) == 0 &&
            put_words(o, "severity", l->severity) && put_text(o, "actor", l->actor) &&
            put_ms(o, "created", l->created))
                return o;
        json_decref(o);
        return NULL;
}

static odm_str limit_scope(const void *row)
{
        return ((const metric_limit *)row)->scope;
}

static int64_t limit_id(const void *row)
{
        return ((const metric_limit *)row)->id;
}

static json_t *limit_line(const void *row)
{
        return limit_json(row);
}

void limit_list(call *c)
{
        list_rows(c, &table_metric_limit, sizeof(metric_limit), limit_scope, limit_id, limit_line);
}

static bool read_number(call *c, jread *r, const char *name, double *out)
{
        const json_t *v = json_object_get(c->body, name);

        r->asked[r->n_asked++] = name;
        if (!v)
                return false;
        if (!json_is_number(v) || !isfinite(json_number_value(v)) ||
            fabs(json_number_value(v)) > 1e100) {
                (void)jread_wrong(r, name, "has to be a number");
                return false;
        }
        *out = json_number_value(v);
        return true;
}

static bool read_limit(call *c, metric_limit *l)
{
        unsigned severity;
        jread r;

        jread_init(&r, c->body, "", &c->problem);
        (void)jread_text(&r, "name", 1, NAME_MOST, &l->name);
        if (jread_text(&r, "metric", 1, SAMPLE_NAME, &l->metric) == 0)
                (void)jread_missing(&r, "metric");
        else if (!problem_is(&c->problem) && !sample_name_ok(l->metric))
                (void)jread_wrong(&r, "metric", "is no name");
        l->has_low = read_number(c, &r, "low", &l->low);
        l->has_high = read_number(c, &r, "high", &l->high);
        (void)read_number(c, &r, "hysteresis", &l->hysteresis);
        if (jread_word(&r, "severity", severities, &severity) == 1)
                l->severity = odm_cstr(severities[severity]);
        (void)read_selector(c, &r, &l->selector);
        jread_end(&r);
        if (!problem_is(&c->problem) && !l->has_low && !l->has_high)
                problem_at(&c->problem, "low", "or high is needed, or both");
        if (!problem_is(&c->problem) && l->has_low && l->has_high && l->low >= l->high)
                problem_at(&c->problem, "low", "is not below `high`");
        if (l->hysteresis < 0)
                problem_at(&c->problem, "hysteresis", "is below 0");
        l->scope = c->who.scope;
        l->actor = c->who.name;
        l->created = c->now;
        return !problem_is(&c->problem);
}

static void on_limit(call *c, store_batch *b, int rc)
{
        metric_limit *l = c->data;

        for (size_t i = 0; rc == 0 && i < b->n; i++)
                if (b->ops[i]->kind == STORE_ROW_ADD)
                        l->id = b->ops[i]->id;
        if (rc < 0) {
                call_refused(c, "the threshold cannot be made", rc);
                return;
        }
        c->location = odm_arena_fmt(&c->arena, "/api/v1/metrics/thresholds/%lld", (long long)l->id);
        call_reply(c, 201, limit_json(l));
}

void limit_create(call *c)
{
        metric_limit *l = odm_new(&c->arena, metric_limit);

        if (l && read_limit(c, l) && !too_many(c, &table_metric_limit, METRIC_LIMITS, "thresholds"))
                commit_row(c, "threshold.create", &table_metric_limit, l, "metric.limit", on_limit);
        else
                call_fail(c);
}

static void on_removed(call *c, store_batch *b, int rc)
{
        (void)b;
        if (rc < 0)
                call_refused(c, "it cannot be removed", rc);
        else
                call_empty(c, 204);
}

static bool find_limit(call *c, metric_limit *out)
{
        metric_limit key = {0}, row;
        int rc;

        if (!call_id(c, c->param[0], "threshold", &key.id))
                return false;
        rc = store_row_get(c->api->opt.store, &table_metric_limit, &key, &c->arena, &row);
        if (rc == 0 && !call_sees(c, row.scope))
                rc = ODM_ENOENT;
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no threshold %lld.",
                            (long long)key.id);
        else if (rc < 0)
                problem_err(&c->problem, rc, "the threshold cannot be read");
        else
                *out = row;
        return rc == 0;
}

/* Who stood beyond it is told by this that all is normal. */
static json_t *gone_json(const metric_limit *l)
{
        json_t *o = json_object();

        if (put_id(o, "removed", l->id) && put_text(o, "metric", l->metric) &&
            put_words(o, "name", l->name))
                return o;
        json_decref(o);
        return NULL;
}

void limit_remove(call *c)
{
        metric_limit *l = odm_new(&c->arena, metric_limit);
        store_batch *b = NULL;
        store_op *op;

        if (l && find_limit(c, l))
                b = call_batch(c, "threshold.remove", 0, c->param[0], "");
        if (b && call_op(c, b, STORE_ROW_DELETE, &op)) {
                op->row = (store_row_op){.table = &table_metric_limit, .row = l};
                if (add_event(c, b, "metric.limit", gone_json(l))) {
                        call_commit(c, b, on_removed);
                        return;
                }
        }
        store_batch_free(b);
        call_fail(c);
}
