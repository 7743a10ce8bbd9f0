/* SPDX-License-Identifier: Apache-2.0 */
/* report_part.c - see report.h.
 *
 * A watch is a rule on a device: it knows the last value of each node that was kept.  After a
 * restart it knows none, so each is kept once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "inner.h"
#include "log.h"
#include "odm/inventory.h"
#include "odm/values.h"
#include "report.h"
#include "rights.h"

#define AT "./GwMO/Config/Ext/Reports"
#define SOURCE "./GwMO/Inventory/Records"
#define BUCKETS 1024
#define RULE_MEMORY ((size_t)1 << 20)
#define JUDGE_MS 500 /* after a change: more of them may follow */
#define SOON_MS 1000 /* values that are kept together are one commit */
#define FULL 500     /* ... or so many of them */
#define CALL_MS 60000
#define PAGE 1000
#define PAGE_MEMORY ((size_t)4 << 20)
#define WINDOW_S 300
#define ANEW_MS INT64_C(3600000) /* a registration that nobody told of may have ended them */

typedef struct sample_row {
        int64_t id;
        odm_str key; /* of the device */
        uint32_t format;
        int64_t at;
        odm_str uri, value;
} sample_row;

static const field row_fields[] = {
        STORE_FIELD_OF(sample_row, id, I64),     STORE_FIELD_OF(sample_row, key, STR),
        STORE_FIELD_OF(sample_row, format, U32), STORE_FIELD_OF(sample_row, at, I64),
        STORE_FIELD_OF(sample_row, uri, STR),    STORE_FIELD_OF(sample_row, value, STR),
};
static const record row_record = STORE_RECORD_OF(sample_row, row_fields);
const store_table gw_table_sample = {.name = "gw_sample", .rec = &row_record, .n_key = 1};

typedef struct rule { /* texts in `a` */
        struct rule *next;
        odm_arena a;
        odm_str uri, match, node[REPORT_NODES];
        size_t n;
        int64_t interval_ms; /* 0: the device says when */
        int64_t least_s, most_s;
        double step, low, high; /* NAN: none */
        odm_command *list;      /* a Get of each node */
} rule;

typedef struct last { /* that was kept */
        bool has, is_number;
        uint32_t hash;
        double number;
        int64_t at, heard; /* heard: of the loop's clock */
} last;

typedef struct watch {
        struct watch *next; /* of the bucket */
        struct report *p;
        gw_device *d;
        const rule *r;
        loop_timer due;     /* of the next read */
        uint64_t run, call; /* a read, an observation that is begun; 0: none */
        size_t at;          /* the node of `call` */
        bool late;          /* a read was due while it slept */
        last v[];           /* r->n */
} watch;

typedef struct report {
        const part_host *host;
        gateway *g; /* NULL for a bootstrap */
        gw_hook hook;
        rule *rules;
        watch *bucket[BUCKETS];
        loop_timer judge, soon, window;
        store_batch *batch; /* rows that are to be written */
        int64_t next;       /* number of the next row */
        size_t max;
        int64_t way[REPORT_ALERTS]; /* alerts that the server has not answered */
        size_t n_way;
        report_counts c;
} report;

/* ---- rows --------------------------------------------------------------------------------------- */

static int delete_row(store_batch *b, int64_t id)
{
        sample_row *row = odm_new(store_batch_arena(b), sample_row);
        store_op *op = row ? store_batch_add(b, STORE_ROW_DELETE) : NULL;

        if (!op)
                return ODM_ENOMEM;
        row->id = id;
        op->lenient = true;
        op->row = (store_row_op){.table = &gw_table_sample, .row = row};
        return 0;
}

/* A page of rows from the oldest on.  0 or an error. */
static int oldest(const report *p, uint32_t most, odm_arena *a, store_rows *out)
{
        const store_scan scan = {.table = &gw_table_sample, .limit = most};

        return store_row_find(p->g->store, &scan, a, out);
}

/* Over the ceiling: a hundredth of all goes, the oldest. */
static void make_room(report *p)
{
        store_batch *b = store_batch_new();
        store_rows rows = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, PAGE_MEMORY);
        rc = b ? oldest(p, p->max / 100 < PAGE ? (uint32_t)(p->max / 100 + 1) : PAGE, &a, &rows)
               : ODM_ENOMEM;
        for (size_t i = 0; rc == 0 && i < rows.n; i++)
                rc = delete_row(b, ((const sample_row *)rows.v)[i].id);
        if (rc == 0)
                rc = gw_write(p->g, b);
        if (rc == 0) {
                log_warn("more measurements wait than gateway.samples: the oldest go",
                         log_int("samples", (int64_t)rows.n));
                p->c.waiting -= rows.n < p->c.waiting ? rows.n : p->c.waiting;
                p->c.dropped += rows.n;
        }
        odm_arena_done(&a);
        store_batch_free(b);
}

/* What was not written is to be told again, when it is heard again. */
static void forget_all(report *p)
{
        for (size_t i = 0; i < BUCKETS; i++)
                for (watch *w = p->bucket[i]; w; w = w->next)
                        for (size_t k = 0; k < w->r->n; k++)
                                w->v[k].has = false;
}

static void arm_window(report *p)
{
        int64_t ms = gw_config_int(p->g, "Alerts/ReportWindow", WINDOW_S) * 1000;

        ms = ms < SOON_MS ? SOON_MS : ms;
        if (!p->window.in &&
            loop_timer_set(p->g->loop, &p->window, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer");
}

static void write_rows(report *p)
{
        store_batch *b = p->batch;
        int rc;

        loop_timer_stop(&p->soon);
        if (!b)
                return;
        p->batch = NULL;
        rc = gw_write(p->g, b);
        if (rc == 0) {
                p->c.kept += b->n;
                p->c.waiting += b->n;
                arm_window(p);
        } else {
                log_error("measurements are lost", log_int("samples", (int64_t)b->n),
                          log_text("reason", odm_err_text(rc)));
                p->c.dropped += b->n;
                forget_all(p);
        }
        store_batch_free(b);
        if (p->c.waiting > p->max)
                make_room(p);
}

static void on_soon(void *ctx)
{
        write_rows(ctx);
}

static int add_row(report *p, const sample_row *from)
{
        sample_row *row;
        store_op *op;

        if (!p->batch)
                p->batch = store_batch_new();
        if (!p->batch)
                return ODM_ENOMEM;
        row = odm_new(store_batch_arena(p->batch), sample_row);
        if (!row)
                return ODM_ENOMEM;
        *row = *from;
        row->key = odm_arena_copy(store_batch_arena(p->batch), from->key);
        row->uri = odm_arena_copy(store_batch_arena(p->batch), from->uri);
        row->value = odm_arena_copy(store_batch_arena(p->batch), from->value);
        op = row->key.p && row->uri.p && row->value.p ? store_batch_add(p->batch, STORE_ROW_PUT)
                                                      : NULL;
        if (!op)
                return ODM_ENOMEM;
        op->row = (store_row_op){.table = &gw_table_sample, .row = row};
        if (p->batch->n >= FULL)
                write_rows(p);
        else if (!p->soon.in)
                return loop_timer_set(p->g->loop, &p->soon, odm_time_add(loop_now(), SOON_MS));
        return 0;
}

/* ---- what is news --------------------------------------------------------------------------------- */

static bool number_of(const odm_value *v, double *out)
{
        char text[64], *end;

        if (v->data.n == 0 || v->data.n >= sizeof text)
                return false;
        memcpy(text, v->data.p, v->data.n);
        text[v->data.n] = '\0';
        *out = strtod(text, &end);
        return *end == '\0' && isfinite(*out);
}

static uint32_t hash_of(odm_str s)
{
        uint32_t h = 2166136261u;

        for (size_t i = 0; i < s.n; i++)
                h = (h ^ (uint8_t)s.p[i]) * 16777619u;
        return h;
}

static bool is_news(const rule *r, const last *was, const last *is)
{
        if (!was->has || was->is_number != is->is_number ||
            (r->most_s > 0 && is->heard - was->heard >= r->most_s * 1000))
                return true;
        if (!is->is_number)
                return was->hash != is->hash;
        return r->step > 0 ? fabs(is->number - was->number) >= r->step
                           : is->number < was->number || is->number > was->number;
}

/* A value of the watch's node `k`, seen at `at`.  Two of one second are a second apart, for that is
 * what they are known by. */
static void consider(watch *w, size_t k, const odm_value *v, odm_wall at)
{
        report *p = w->p;
        last *was = &w->v[k],
             is = {.has = true, .hash = hash_of(v->data), .at = at.s, .heard = loop_now().ms};

        if (v->format == ODM_FMT_NODE || v->format == ODM_FMT_BIN || v->format == ODM_FMT_XML ||
            v->data.n > ODM_VALUES_TEXT)
                return;
        is.is_number = number_of(v, &is.number);
        if (!is_news(w->r, was, &is)) {
                p->c.same++;
                return;
        }
        if (was->has && is.at <= was->at && was->at - is.at < 5)
                is.at = was->at + 1;
        *was = is;
        if (add_row(p, &(sample_row){.id = p->next++,
                                     .key = odm_cstr(w->d->key),
                                     .format = v->format,
                                     .at = is.at,
                                     .uri = w->r->node[k],
                                     .value = v->data}) < 0) {
                log_error("no memory for a measurement");
                p->c.dropped++;
                was->has = false;
        }
}

/* ---- watches ------------------------------------------------------------------------------------------ */

static watch **bucket_of(report *p, const gw_device *d)
{
        return &p->bucket[d->number % BUCKETS];
}

static void end_calls(watch *w)
{
        if (w->run)
                gw_cancel(w->p->g, w->run);
        if (w->call)
                run_call_cancel(w->p->g, w->call);
        w->run = w->call = 0;
        loop_timer_stop(&w->due);
}

static void watch_free(watch *w)
{
        watch **at = bucket_of(w->p, w->d);

        while (*at != w)
                at = &(*at)->next;
        *at = w->next;
        end_calls(w);
        w->p->c.watched--;
        free(w);
}

static void plan(watch *w, int64_t ms)
{
        if (loop_timer_set(w->p->g->loop, &w->due, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer");
}

static void on_read(void *ctx, unsigned status, odm_str text, const gw_answer *v, size_t n)
{
        watch *w = ctx;

        (void)status;
        (void)text;
        w->run = 0;
        for (size_t k = 0; k < n && k < w->r->n; k++) {
                const adapter_node *x = v[k].nodes;
                if (odm_status_ok(v[k].status) && v[k].n && x->has_data)
                        consider(w, k, &x->value, x->at.s ? x->at : loop_wall());
        }
}

static void read_now(watch *w)
{
        const gw_order o = {.list = w->r->list};

        w->late = false;
        plan(w, w->r->interval_ms);
        if (!w->run && gw_run(w->p->g, w->d, &o, on_read, w, &w->run) < 0)
                w->run = 0; /* it has enough to do: the next time */
}

static void observe_next(watch *w);

static void on_observed(void *ctx, const adapter_reply *r)
{
        watch *w = ctx;

        w->call = 0;
        if (!odm_status_ok(r->status))
                log_debug("a device does not tell a value by itself", log_text("key", w->d->key),
                          log_str("node", w->r->node[w->at]), log_int("status", r->status));
        for (size_t i = 0; i < r->n; i++)
                if (r->nodes[i].has_data && odm_str_eq(r->nodes[i].path, w->r->node[w->at]))
                        consider(w, w->at, &r->nodes[i].value, loop_wall());
        w->at++;
        observe_next(w);
}

/* One node after the other; the calls may be answered from within. */
static void observe_next(watch *w)
{
        const rule *r = w->r;
        const adapter_attrs attrs = {.pmin_s = r->least_s > 0 ? r->least_s : -1,
                                     .pmax_s = r->most_s > 0 ? r->most_s : -1,
                                     .gt = r->high,
                                     .lt = r->low,
                                     .st = r->step > 0 ? r->step : NAN};
        gw_device *d = w->d;

        if (w->at == r->n || !(run_caps(d) & ADAPTER_OBSERVE) ||
            run_call(w->p->g, d, CALL_MS, on_observed, w, &w->call) < 0)
                return;
        d->adapter->observe(d->adapter_self, w->call, d, d->native, r->node[w->at], &attrs,
                            CALL_MS);
}

static void observe(watch *w)
{
        w->late = false;
        plan(w, ANEW_MS);
        if (w->call)
                return;
        w->at = 0;
        observe_next(w);
}

static void go(watch *w)
{
        if (w->r->interval_ms)
                read_now(w);
        else
                observe(w);
}

static void on_due(void *ctx)
{
        watch *w = ctx;

        if (gw_is_awake(w->d))
                go(w);
        else
                w->late = true;
}

/* The device is here: it is read, at a moment of its own, or asked to tell. */
static void watch_begin(watch *w)
{
        int64_t every = w->r->interval_ms;

        end_calls(w);
        if (every)
                plan(w, w->d->number * INT64_C(7919) % every);
        else
                observe(w);
}

static watch *watch_of(report *p, const gw_device *d, const rule *r)
{
        for (watch *w = *bucket_of(p, d); w; w = w->next)
                if (w->d == d && w->r == r)
                        return w;
        return NULL;
}

static watch *watch_new(report *p, gw_device *d, const rule *r)
{
        watch *w = calloc(1, sizeof *w + r->n * sizeof w->v[0]);

        if (!w) {
                log_error("no memory for measurements of a device");
                return NULL;
        }
        *w = (watch){.next = *bucket_of(p, d), .p = p, .d = d, .r = r};
        w->due = (loop_timer){.fn = on_due, .ctx = w};
        *bucket_of(p, d) = w;
        p->c.watched++;
        return w;
}

/* Which rules are about the device is decided anew; `here`: it attached, and all begins again. */
static void look_at(report *p, gw_device *d, bool here)
{
        for (const rule *r = p->rules; r; r = r->next) {
                watch *w = watch_of(p, d, r);
                bool wanted = d->mode != GW_TRANSPARENT && gw_matches(d, r->match) &&
                              rights_writers_have(p->g, r->uri, d, ODM_ACC_GET);
                if (!wanted && w)
                        watch_free(w);
                else if (wanted && (w ? here : (w = watch_new(p, d, r)) != NULL))
                        watch_begin(w);
        }
}

/* ---- hooks -------------------------------------------------------------------------------------------- */

static void on_attached(void *ctx, gw_device *d, bool back)
{
        (void)back;
        look_at(ctx, d, true);
}

static void on_awake(void *ctx, gw_device *d)
{
        for (watch *w = *bucket_of(ctx, d), *next; w; w = next) {
                next = w->next;
                if (w->d == d && w->late)
                        go(w);
        }
}

/* Whose it is has changed: of one in transparent mode nothing is read. */
static void on_moved(void *ctx, gw_device *d, gw_state from)
{
        if (from == d->state && d->adapter && d->state != GW_DETACHED && d->state != GW_DEACTIVATED)
                look_at(ctx, d, false);
}

static void on_gone(void *ctx, gw_device *d, adapter_gone why)
{
        (void)why;
        for (watch *w = *bucket_of(ctx, d); w; w = w->next)
                if (w->d == d)
                        end_calls(w);
}

static void on_changed(void *ctx, gw_device *d, const adapter_node *v, size_t n)
{
        for (watch *w = *bucket_of(ctx, d); w; w = w->next)
                for (size_t k = 0; w->d == d && k < w->r->n; k++)
                        for (size_t i = 0; i < n; i++)
                                if (v[i].has_data && odm_str_eq(v[i].path, w->r->node[k]))
                                        consider(w, k, &v[i].value,
                                                 v[i].at.s ? v[i].at : loop_wall());
}

static void on_removed(void *ctx, gw_device *d)
{
        for (watch *w = *bucket_of(ctx, d), *next; w; w = next) {
                next = w->next;
                if (w->d == d)
                        watch_free(w);
        }
}

/* ---- rules -------------------------------------------------------------------------------------------- */

static odm_str leaf(report *p, rule *r, const char *name)
{
        odm_str uri = odm_arena_fmt(&r->a, "%.*s/%s", (int)r->uri.n, r->uri.p, name);
        odm_value v;

        if (!uri.p || odm_tree_read(p->host->tree, uri, &r->a, &v) < 0 || v.data.n == 0)
                return ODM_ABSENT;
        return odm_arena_copy(&r->a, odm_str_trim(v.data));
}

static int64_t seconds(report *p, rule *r, const char *name)
{
        uint64_t n;

        return odm_str_u64(leaf(p, r, name), INT32_MAX, &n) == 0 ? (int64_t)n : 0;
}

static double real(report *p, rule *r, const char *name)
{
        const odm_value v = {.data = leaf(p, r, name)};
        double x;

        return v.data.p && number_of(&v, &x) ? x : NAN;
}

static int add_node(rule *r, odm_str uri)
{
        odm_command *c = odm_new(&r->a, odm_command), **end = &r->list;
        odm_item *i = odm_new(&r->a, odm_item);

        if (!c || !i)
                return odm_arena_err(&r->a);
        i->target = uri;
        *c = (odm_command){.kind = ODM_CMD_GET, .items = i};
        while (*end)
                end = &(*end)->next;
        *end = c;
        r->node[r->n++] = uri;
        return 0;
}

static int add_nodes(rule *r, odm_str list)
{
        int rc = 0;

        while (rc == 0 && (list = odm_str_trim(list)).n > 0) {
                size_t n = 0;
                while (n < list.n && !strchr(" \t\r\n", list.p[n]))
                        n++;
                if (r->n == REPORT_NODES)
                        return ODM_ELIMIT;
                rc = add_node(r, odm_str_to(list, n));
                list = odm_str_from(list, n);
        }
        return rc;
}

static void rule_free(rule *r)
{
        odm_arena_done(&r->a);
        free(r);
}

/* One that says not who, or what, is about nothing. */
static int on_rule(void *ctx, odm_str name)
{
        report *p = ctx;
        rule *r = calloc(1, sizeof *r);
        int rc;

        if (!r)
                return ODM_ENOMEM;
        odm_arena_init(&r->a, &heap_mem, RULE_MEMORY);
        r->uri = odm_arena_fmt(&r->a, AT "/%.*s", (int)name.n, name.p);
        r->match = leaf(p, r, "Match");
        r->interval_ms = seconds(p, r, "Interval") * 1000;
        r->least_s = seconds(p, r, "Least");
        r->most_s = seconds(p, r, "Most");
        r->step = real(p, r, "Step");
        r->low = real(p, r, "Low");
        r->high = real(p, r, "High");
        rc = add_nodes(r, leaf(p, r, "Nodes"));
        if (rc == ODM_ELIMIT)
                log_warn("a rule of reports has too many nodes", log_str("rule", name),
                         log_int("most", REPORT_NODES));
        if (!r->match.n || r->n == 0 || r->a.err) {
                rc = r->a.err;
                rule_free(r);
                return rc == ODM_ENOMEM ? rc : 0;
        }
        r->next = p->rules;
        p->rules = r;
        return 0;
}

static bool same_number(double a, double b)
{
        return (isnan(a) && isnan(b)) || (a >= b && a <= b);
}

static bool same_rule(const rule *a, const rule *b)
{
        bool same = odm_str_eq(a->uri, b->uri) && odm_str_eq(a->match, b->match) && a->n == b->n &&
                    a->interval_ms == b->interval_ms && a->least_s == b->least_s &&
                    a->most_s == b->most_s && same_number(a->step, b->step) &&
                    same_number(a->low, b->low) && same_number(a->high, b->high);

        for (size_t i = 0; same && i < a->n; i++)
                same = odm_str_eq(a->node[i], b->node[i]);
        return same;
}

/* The rule goes, and what it is about. */
static void end_rule(report *p, rule *r)
{
        for (size_t i = 0; i < BUCKETS; i++)
                for (watch *w = p->bucket[i], *next; w; w = next) {
                        next = w->next;
                        if (w->r == r)
                                watch_free(w);
                }
        rule_free(r);
}

static void drop_rules(report *p)
{
        while (p->rules) {
                rule *r = p->rules;
                p->rules = r->next;
                end_rule(p, r);
        }
}

/* In place of a rule that was read anew, the one there is, taken out of `old`. */
static rule *known(rule **old, rule *fresh)
{
        for (; *old; old = &(*old)->next)
                if (same_rule(*old, fresh)) {
                        rule *r = *old;
                        *old = r->next;
                        r->next = fresh->next;
                        rule_free(fresh);
                        return r;
                }
        return fresh;
}

/* Rules that are as they were go on as they are. */
static void on_judge(void *ctx)
{
        report *p = ctx;
        rule *old = p->rules, **at;
        size_t n = 0;

        p->rules = NULL;
        if (odm_tree_children(p->host->tree, ODM_STR(AT), on_rule, p) < 0)
                log_error("no memory for the rules of reports");
        for (at = &p->rules; *at && n < REPORT_RULES; at = &(*at)->next, n++)
                *at = known(&old, *at);
        while (*at) {
                rule *more = *at;
                log_warn("too many rules of reports", log_int("most", REPORT_RULES));
                *at = more->next;
                rule_free(more);
        }
        while (old) {
                rule *r = old;
                old = r->next;
                end_rule(p, r);
        }
        for (gw_device *d = p->rules ? gw_next(p->g, NULL) : NULL; d; d = gw_next(p->g, d))
                if (d->adapter && d->state != GW_DETACHED && d->state != GW_DEACTIVATED)
                        look_at(p, d, false);
}

void report_judge(gateway *g)
{
        report *p = g->report;

        if (p && loop_timer_set(g->loop, &p->judge, odm_time_add(loop_now(), JUDGE_MS)) < 0)
                log_error("no memory for a timer");
}

report_counts report_counted(const gateway *g)
{
        return g->report ? g->report->c : (report_counts){0};
}

/* ---- north -------------------------------------------------------------------------------------------- */

/* As many of the rows as one document takes, out of the table and into it; *n says how many. */
static int put_document(store_batch *b, const sample_row *v, size_t rows, size_t *n, odm_buf *text)
{
        odm_values *doc = NULL;
        int rc = odm_values_new(&heap_mem, REPORT_DOC, &doc);

        for (*n = 0; rc == 0 && *n < rows; ++*n) {
                const sample_row *row = &v[*n];
                rc = odm_values_add(doc, &(odm_values_row){row->key,
                                                           row->uri,
                                                           (odm_format)row->format,
                                                           row->value,
                                                           {row->at}});
                if (rc == ODM_EINVAL) /* nothing that could be told: it goes all the same */
                        rc = 0;
                if (rc == 0)
                        rc = delete_row(b, row->id);
        }
        if (rc == ODM_ELIMIT && *n > 1) {
                --*n; /* counted by the loop */
                rc = 0;
        }
        if (rc == 0 && odm_values_count(doc) > 0)
                rc = odm_values_take(doc, text);
        odm_values_free(doc);
        return rc;
}

/* One alert, in a batch of its own: what has been given to the north is written, or it waits there
 * for ever. */
static int put_alert(report *p, const sample_row *v, size_t rows, size_t *n)
{
        store_batch *b = store_batch_new();
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .source = ODM_STR(SOURCE),
                       .type = ODM_STR(ODM_VALUES_ALERT),
                       .mark = ODM_STR("informational"),
                       .format = ODM_FMT_XML};
        odm_buf text;
        int rc;

        odm_buf_init(&text, &heap_mem, REPORT_DOC);
        rc = b ? put_document(b, v, rows, n, &text) : ODM_ENOMEM;
        a.data = odm_buf_view(&text);
        if (rc == 0 && text.n)
                rc = north_add(p->g, b, NORTH_REPORT, &a, loop_wall(), &p->way[p->n_way]);
        if (rc == 0 && b->n)
                rc = gw_write(p->g, b);
        p->n_way += rc == 0 && text.n;
        odm_buf_done(&text);
        store_batch_free(b);
        return rc;
}

/* Of the rows as many alerts as may be on their way.  *more: there are other rows. */
static int put_alerts(report *p, bool *more)
{
        size_t n = 0, told = 0;
        store_rows rows = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, PAGE_MEMORY);
        rc = oldest(p, PAGE, &a, &rows);
        while (rc == 0 && told < rows.n && p->n_way < REPORT_ALERTS) {
                rc = put_alert(p, (const sample_row *)rows.v + told, rows.n - told, &n);
                told += rc == 0 ? n : 0;
        }
        p->c.waiting -= told < p->c.waiting ? told : p->c.waiting;
        *more = rc == 0 && told > 0 && p->n_way < REPORT_ALERTS && p->c.waiting > 0;
        odm_arena_done(&a);
        return rc;
}

static void tell(report *p)
{
        bool more = true;
        int rc = 0;

        write_rows(p);
        while (rc == 0 && more && p->c.waiting > 0 && p->n_way < REPORT_ALERTS)
                rc = put_alerts(p, &more);
        if (rc < 0)
                log_error("measurements wait", log_text("reason", odm_err_text(rc)));
}

/* Those on their way that the server has not answered. */
static size_t on_way(report *p)
{
        size_t n = 0;

        for (size_t i = 0; i < p->n_way; i++)
                if (north_waits(p->g, p->way[i]))
                        p->way[n++] = p->way[i];
        return p->n_way = n;
}

/* While the server does not answer, rows are the better place: they fill the next document, after
 * the session in which it does. */
static void on_window(void *ctx)
{
        report *p = ctx;

        if (on_way(p) > 0)
                return;
        tell(p);
        if (p->c.waiting && p->n_way == 0) /* the store would not */
                arm_window(p);
}

/* ---- life ------------------------------------------------------------------------------------------------ */

static int report_mount(const part_host *h, void **out, diag *d)
{
        report *p = calloc(1, sizeof *p);

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->g = h->app;
        *out = p;
        return 0;
}

/* What waits from before, and the number of the newest. */
static int find_rows(report *p)
{
        const store_scan all = {.table = &gw_table_sample},
                         newest = {.table = &gw_table_sample, .limit = 1, .down = true};
        store_rows rows = {0};
        uint64_t n = 0;
        odm_arena a;
        int rc = store_row_count(p->g->store, &all, (uint64_t)p->max * 2, &n);

        odm_arena_init(&a, &heap_mem, PAGE_MEMORY);
        if (rc == 0)
                rc = store_row_find(p->g->store, &newest, &a, &rows);
        p->next = rc == 0 && rows.n ? ((const sample_row *)rows.v)->id + 1 : 1;
        p->c.waiting = (size_t)n;
        odm_arena_done(&a);
        return rc;
}

static int report_open(void *ctx, diag *d)
{
        report *p = ctx;
        int rc;

        if (!p->g)
                return 0;
        p->max = (size_t)cfg_int(p->g->conf, "gateway.samples");
        rc = find_rows(p);
        if (rc < 0)
                return diag_set(d, rc, "measurements that wait cannot be counted: %s",
                                odm_err_text(rc));
        p->judge = (loop_timer){.fn = on_judge, .ctx = p};
        p->soon = (loop_timer){.fn = on_soon, .ctx = p};
        p->window = (loop_timer){.fn = on_window, .ctx = p};
        p->hook = (gw_hook){.attached = on_attached,
                            .awake = on_awake,
                            .moved = on_moved,
                            .gone = on_gone,
                            .changed = on_changed,
                            .removed = on_removed,
                            .ctx = p};
        gw_hook_add(p->g, &p->hook);
        p->g->report = p;
        report_judge(p->g);
        if (p->c.waiting)
                arm_window(p);
        return 0;
}

/* A session is over: what could not be put on its way before may be now. */
static void report_rest(void *ctx, bool good)
{
        report *p = ctx;
        size_t before = p->n_way;

        if (!p->g || !p->g->report)
                return;
        if (on_way(p) == 0 && good && before && p->c.waiting)
                tell(p);
}

/* A session that is held anyway takes along what waits. */
static int report_alerts(void *ctx, odm_str server, int (*fn)(void *ctx, const odm_alert *a),
                         void *fn_ctx)
{
        report *p = ctx;

        (void)server;
        (void)fn;
        (void)fn_ctx;
        if (p->g && p->g->report && (p->c.waiting || p->batch) && on_way(p) == 0)
                tell(p); /* they are told by part_gwnorth, which comes after this part */
        return 0;
}

static int report_status(const void *ctx, odm_buf *b)
{
        const report *p = ctx;

        if (!p->g || !p->g->report || (!p->c.watched && !p->c.waiting))
                return 0;
        return odm_buf_fmt(b, "measurements: %zu devices watched, %zu values wait\n", p->c.watched,
                           p->c.waiting);
}

static void report_close(void *ctx)
{
        report *p = ctx;

        if (p->g && p->g->report == p) {
                gw_hook_del(p->g, &p->hook);
                drop_rules(p);
                write_rows(p);
                loop_timer_stop(&p->judge);
                loop_timer_stop(&p->window);
                p->g->report = NULL;
        }
        free(p);
}

const part_class part_gwreport = {
        .name = "gwreport",
        .mount = report_mount,
        .open = report_open,
        .rest = report_rest,
        .alerts = report_alerts,
        .status = report_status,
        .close = report_close,
};
