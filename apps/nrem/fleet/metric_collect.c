/* SPDX-License-Identifier: Apache-2.0 */
/* Collections: values that devices are asked for again and again, or a function of DiagMon that is
 * started on them and reports by itself.
 *
 *     collection --devices found, page by page--> tasks --due--> job --done--> samples
 *
 * The first turn of a device is anywhere within the interval, by its number: a million devices are
 * asked one after the other, not at once.  Those behind one gateway have one turn, so that they are
 * asked together.  A device is asked for one thing at a time: until that has ended its next turns,
 * as those that passed while nobody looked, are left out; the gap shows.
 * Facts: xrem.md N2, mo-diagmon.md 2 to 5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway_row.h"
#include "heap.h"
#include "job_event.h"
#include "log.h"
#include "metric.h"

#define KEY "collect/"
#define STOP "stop-"
#define TASK_PAGE 50                         /* jobs made in one batch */
#define SCAN_PAGE 200                        /* devices looked at */
#define SCAN_EVERY ((int64_t)10 * 60 * 1000) /* devices that came in another way are found */
#define RUN_SPREAD ((int64_t)60000)          /* a function is started on all devices within this */
#define RUN_LATER ((int64_t)10 * 60 * 1000)
#define RETRY_MAX ((int64_t)24 * 3600 * 1000)
#define NEVER INT64_MAX
#define WAIT_TURNS 100 /* for a device that sleeps, or calls when it likes: so many turns, but */
#define WAIT_LEAST ((int64_t)10 * 60 * 1000)
#define WAIT_MOST ((int64_t)24 * 3600 * 1000)
#define WAIT_MORE ((int64_t)60000) /* until an order whose end nobody told is given up */

/* ---- when ------------------------------------------------------------------------------- */

int64_t metric_first_due(int64_t device, int64_t collection, int64_t every, int64_t now)
{
        uint64_t h =
                (uint64_t)device * 0x9E3779B97F4A7C15u ^ (uint64_t)collection * 0xC2B2AE3D27D4EB4Fu;

        h ^= h >> 29;
        h *= 0xBF58476D1CE4E5B9u;
        h ^= h >> 32;
        return now + (int64_t)(h % (uint64_t)every);
}

int64_t metric_next_due(int64_t due, int64_t every, int64_t now)
{
        int64_t next = due + every;

        return next > now ? next : next + (now - next + every) / every * every;
}

/* ---- what is asked ---------------------------------------------------------------------- */

static json_t *set_leaf(const char *uri, const char *format, int64_t value)
{
        char text[24];

        (void)snprintf(text, sizeof text, "%lld", (long long)value);
        return json_pack("{s:s, s:s, s:s, s:s}", "cmd", "replace", "uri", uri, "format", format,
                         "data", text);
}

/* Settings, then the Start; or the Stop. */
static json_t *run_commands(const metric_collection *c, bool stop)
{
        json_t *list = json_array();
        char uri[256];
        bool ok = list != NULL;
        int n = (int)c->function.n;
        const struct {
                const char *leaf;
                int64_t value;
        } leaves[] = {
                {"DiagMonConfig/ConfigParms/SampIntrvl", c->every / 1000},
                {"DiagMonConfig/ReportCondition/Period", c->period / 1000},
                {"DiagMonConfig/DefDuration", 0},
        };

        for (size_t i = 0; ok && !stop && i < ODM_COUNT(leaves); i++) {
                (void)snprintf(uri, sizeof uri, "%.*s/%s", n, c->function.p, leaves[i].leaf);
                ok = json_array_append_new(list, set_leaf(uri, "int", leaves[i].value)) == 0;
        }
        (void)snprintf(uri, sizeof uri, "%.*s/Operations/%s", n, c->function.p,
                       stop ? "Stop" : "Start");
        ok = ok &&
             json_array_append_new(list, json_pack("{s:s, s:s}", "cmd", "exec", "uri", uri)) == 0;
        if (!ok) {
                json_decref(list);
                return NULL;
        }
        return list;
}

static json_t *get_commands(const metric_collection *c)
{
        json_t *nodes = json_loadb(c->nodes.p ? c->nodes.p : "", c->nodes.n, 0, NULL), *node;
        json_t *list = json_array();
        bool ok = list && json_is_array(nodes);
        size_t i;

        json_array_foreach(nodes, i, node)
        {
                const char *uri = json_string_value(json_object_get(node, "uri"));
                json_t *get = json_pack("{s:s, s:s, s:b}", "cmd", "get", "uri", uri ? uri : "",
                                        "optional", 1);

                ok = ok && json_array_append_new(list, get) == 0;
        }
        json_decref(nodes);
        if (!ok) {
                json_decref(list);
                return NULL;
        }
        return list;
}

odm_str metric_commands(const metric_collection *c, bool stop, odm_arena *a)
{
        json_t *list = c->function.n ? run_commands(c, stop) : get_commands(c);
        char *dump = list ? json_dumps(list, JSON_COMPACT) : NULL;
        odm_str text = dump ? odm_arena_copy(a, odm_cstr(dump)) : ODM_ABSENT;

        free(dump);
        json_decref(list);
        return text;
}

/* ---- those there are -------------------------------------------------------------------- */

static int add_order(metric_part *p, const metric_collection *row)
{
        metric_order *o = &p->orders[p->n_orders];
        int rc;

        *o = (metric_order){.row = *row, .scanning = row->state == METRIC_ACTIVE};
        rc = selector_parse(row->selector, &p->orders_memory, &o->sel);
        if (rc == 0)
                p->n_orders++;
        return rc == ODM_EMALFORMED ? 0 : rc;
}

int metric_orders_read(metric_part *p, diag *d)
{
        const store_scan scan = {.table = &table_metric_collection, .limit = METRIC_COLLECTIONS};
        store_rows rows = {0};
        int rc;

        p->n_orders = 0;
        odm_arena_reset(&p->orders_memory);
        rc = store_row_find(p->host->store, &scan, &p->orders_memory, &rows);
        if (rc == 0) {
                p->orders = odm_arena_zget(&p->orders_memory, (rows.n + 1) * sizeof *p->orders);
                rc = p->orders ? 0 : ODM_ENOMEM;
        }
        for (size_t i = 0; rc == 0 && i < rows.n; i++)
                rc = add_order(p, (const metric_collection *)rows.v + i);
        return rc < 0 ? diag_set(d, rc, "the collections cannot be read: %s", odm_err_text(rc)) : 0;
}

static metric_order *find_order(const metric_part *p, int64_t id)
{
        for (size_t i = 0; i < p->n_orders; i++)
                if (p->orders[i].row.id == id)
                        return &p->orders[i];
        return NULL;
}

/* ---- devices are found -------------------------------------------------------------------- */

/* Those that may call again; whether they are asked now is another matter. */
#define STATES \
        (1u << STORE_DEVICE_ACTIVE | 1u << STORE_DEVICE_ASLEEP | 1u << STORE_DEVICE_UNREACHABLE)

static bool is_wanted(const metric_order *o, const store_device *d, odm_arena *a)
{
        return (1u << d->state & STATES) && selector_has(&o->sel, d, a, NULL);
}

/* The device's own turn, or its gateway's. */
static int find_turn(fleet_turn *t, const metric_order *o, int64_t device, int64_t *due)
{
        int64_t spread = o->row.function.n ? RUN_SPREAD : o->row.every, turn;
        gateway_child c = {0};
        int rc = gateway_find_child(t->host->store, device, t->arena, &c);

        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (spread > o->row.every)
                spread = o->row.every;
        if (o->row.function.n || !c.gateway) {
                *due = metric_first_due(device, o->row.id, spread, t->now);
                return 0;
        }
        turn = metric_first_due(c.gateway, o->row.id, spread, 0); /* the same whenever it came */
        *due = metric_next_due(turn - spread, spread, t->now);
        return 0;
}

static int add_task(fleet_turn *t, const metric_order *o, int64_t device)
{
        metric_task *row = odm_new(store_batch_arena(t->batch), metric_task);
        store_op *op;
        int rc;

        if (!row)
                return ODM_ENOMEM;
        *row = (metric_task){.device = device, .collection = o->row.id};
        rc = find_turn(t, o, device, &row->due);
        if (rc < 0)
                return rc;
        op = fleet_row(t, STORE_ROW_ADD, &table_metric_task, row);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true; /* it may be one of them already */
        return 0;
}

static void go_on(metric_order *o, const store_device_list *l)
{
        odm_str name = l->n ? l->v[l->n - 1].name : ODM_STR("");

        o->scanning = l->more && name.n > 0 && name.n <= sizeof o->room;
        o->after = ODM_ABSENT;
        if (!o->scanning)
                return;
        memcpy(o->room, name.p, name.n);
        o->after = (odm_str){o->room, name.n};
}

static int scan_page(fleet_turn *t, metric_order *o)
{
        store_device_filter f = {.after = o->after, .limit = SCAN_PAGE};
        store_device_list l = {0};
        int rc;

        selector_filter(&o->sel, &f);
        f.states = STATES;
        rc = store_device_find(t->host->store, &f, t->arena, &l);
        for (size_t i = 0; rc == 0 && i < l.n; i++) {
                metric_task task = {.device = l.v[i].id, .collection = o->row.id};

                if (!is_wanted(o, &l.v[i], t->arena))
                        continue;
                rc = store_row_get(t->host->store, &table_metric_task, &task, t->arena, &task);
                if (rc == ODM_ENOENT)
                        rc = add_task(t, o, l.v[i].id);
        }
        if (rc == 0)
                go_on(o, &l);
        return rc;
}

/* One page of one collection; true: there is more to look at. */
static int scan(metric_part *p, fleet_turn *t, bool *more)
{
        int rc = 0;

        if (fleet_due(t->now, p->scan_at, SCAN_EVERY)) {
                p->scan_at = t->now + SCAN_EVERY;
                for (size_t i = 0; i < p->n_orders; i++)
                        p->orders[i].scanning |= p->orders[i].row.state == METRIC_ACTIVE;
        }
        for (size_t i = 0; rc == 0 && i < p->n_orders; i++)
                if (p->orders[i].scanning) {
                        rc = scan_page(t, &p->orders[i]);
                        break;
                }
        *more = false;
        for (size_t i = 0; i < p->n_orders; i++)
                *more |= p->orders[i].scanning;
        return rc;
}

/* ---- devices are asked ---------------------------------------------------------------------- */

static int count(fleet_turn *t, int64_t collection, unsigned asked, unsigned answered,
                 unsigned failed)
{
        static const uint64_t fields =
                STORE_FIELD(11) | STORE_FIELD(12) | STORE_FIELD(13); /* asked, answered, failed */
        metric_collection *row = odm_new(store_batch_arena(t->batch), metric_collection);
        store_op *op;

        if (!row)
                return ODM_ENOMEM;
        row->id = collection;
        row->asked = asked;
        row->answered = answered;
        row->failed = failed;
        op = fleet_row(t, STORE_ROW_PATCH, &table_metric_collection, row);
        if (!op)
                return ODM_ENOMEM;
        op->row.fields = op->row.plus = fields;
        op->lenient = true; /* it may be gone */
        return 0;
}

static int put_task(fleet_turn *t, store_op_kind kind, const metric_task *task)
{
        metric_task *row = odm_new(store_batch_arena(t->batch), metric_task);

        if (!row)
                return ODM_ENOMEM;
        *row = *task;
        return fleet_row(t, kind, &table_metric_task, row) ? 0 : ODM_ENOMEM;
}

static odm_str key_of(const metric_order *o, const char *word, int64_t due, odm_arena *a)
{
        return odm_arena_fmt(a, KEY "%lld/%s%lld", (long long)o->row.id, word,
                             (long long)(due / 1000));
}

/* How long an order for values may take. */
static int64_t patience(const metric_order *o)
{
        int64_t ms = o->row.every * WAIT_TURNS;

        ms = ms < WAIT_LEAST ? WAIT_LEAST : ms > WAIT_MOST ? WAIT_MOST : ms;
        return o->row.every > ms ? o->row.every : ms;
}

static int ask(fleet_turn *t, const metric_order *o, const metric_task *task, bool stop)
{
        odm_arena *a = store_batch_arena(t->batch);
        bool run = o->row.function.n > 0;
        fleet_order order = {.device = task->device,
                             .kind = "collection",
                             .commands = metric_commands(&o->row, stop, a),
                             .priority = -1, /* people go first */
                             .deadline = run ? 0 : t->now + patience(o),
                             .key = key_of(o, stop ? STOP : "", task->due, a),
                             .actor = odm_arena_copy(a, o->row.actor)};

        if (!order.commands.p || !order.key.p || a->err)
                return ODM_ENOMEM;
        return fleet_job(t, &order);
}

/* A task whose order is under way is due when that is given up, so long after its turn. */
static int64_t until_given_up(const metric_order *o)
{
        return patience(o) + WAIT_MORE;
}

/* The turn whose order is under way, if one is. */
static int64_t turn_of(const metric_order *o, const metric_task *task)
{
        return task->due - until_given_up(o);
}

/* A function that was begun has no turn at which a device that is selected no more would leave. */
static int leave(fleet_turn *t, const metric_order *o, int64_t device)
{
        metric_task task = {.device = device, .collection = o->row.id};
        int rc = store_row_get(t->host->store, &table_metric_task, &task, t->arena, &task);

        if (rc < 0 || task.due != NEVER)
                return rc == ODM_ENOENT ? 0 : rc;
        task.due = t->now;
        rc = ask(t, o, &task, true);
        return rc == 0 ? put_task(t, STORE_ROW_DELETE, &task) : rc;
}

int metric_device_changed(metric_part *p, fleet_turn *t, int64_t device)
{
        store_device d;
        int rc = 0;

        if (p->n_orders == 0)
                return 0;
        rc = store_device_get(t->host->store, device, t->arena, &d);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        for (size_t i = 0; rc == 0 && i < p->n_orders; i++) {
                const metric_order *o = &p->orders[i];

                if (o->row.state != METRIC_ACTIVE)
                        continue;
                if (is_wanted(o, &d, t->arena))
                        rc = add_task(t, o, device);
                else if (o->row.function.n && !selector_has(&o->sel, &d, t->arena, NULL))
                        rc = leave(t, o, device);
        }
        return rc;
}

/* It is the device's turn.  One that is selected no more leaves the collection. */
static int take_turn(metric_part *p, fleet_turn *t, metric_task *task)
{
        const metric_order *o = find_order(p, task->collection);
        store_device d;
        int rc;

        if (!o)
                return put_task(t, STORE_ROW_DELETE, task);
        rc = store_device_get(t->host->store, task->device, t->arena, &d);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (rc == ODM_ENOENT || !is_wanted(o, &d, t->arena))
                return put_task(t, STORE_ROW_DELETE, task);
        if (d.state != STORE_DEVICE_UNREACHABLE) {
                if (task->due + until_given_up(o) <= t->now) /* nobody looked for so long */
                        task->due = metric_next_due(task->due, o->row.every, t->now) - o->row.every;
                rc = ask(t, o, task, false);
                if (rc == 0)
                        rc = count(t, o->row.id, 1, 0, 0);
                task->due = o->row.function.n ? NEVER : task->due + until_given_up(o);
        } else if (o->row.function.n) { /* later */
                task->due = t->now + RUN_LATER;
        } else {
                task->due = metric_next_due(task->due, o->row.every, t->now);
        }
        return rc == 0 ? put_task(t, STORE_ROW_PUT, task) : rc;
}

static int take_turns(metric_part *p, fleet_turn *t, int64_t *next)
{
        const metric_task now = {.due = t->now + 1};
        store_scan due = {.table = &table_metric_task,
                          .index = METRIC_TASK_BY_DUE,
                          .below = &now,
                          .limit = TASK_PAGE};
        store_rows rows = {0};
        int rc = store_row_find(t->host->store, &due, t->arena, &rows);

        for (size_t i = 0; rc == 0 && i < rows.n; i++)
                rc = take_turn(p, t, (metric_task *)rows.v + i);
        if (rc < 0 || rows.more || rows.n) {
                *next = t->now;
                return rc;
        }
        due.below = NULL;
        due.limit = 1;
        rc = store_row_find(t->host->store, &due, t->arena, &rows);
        *next = rc == 0 && rows.n ? ((const metric_task *)rows.v)->due : NEVER;
        return rc;
}

/* The name that the collection has for a node. */
static odm_str name_of(const json_t *nodes, odm_str uri, odm_arena *a)
{
        const json_t *node;
        size_t i;

        json_array_foreach(nodes, i, node)
        {
                const char *given = json_string_value(json_object_get(node, "metric"));

                if (given && odm_str_is(uri, json_string_value(json_object_get(node, "uri"))))
                        return odm_cstr(given);
        }
        return sample_name(uri, a);
}

/* ---- it ends ---------------------------------------------------------------------------------- */

/* Nothing is due any more: what does not come is no gap. */
static int forget_rhythm(metric_part *p, fleet_turn *t, const metric_order *o, int64_t device)
{
        json_t *nodes = json_loadb(o->row.nodes.p, o->row.nodes.n, 0, NULL), *node;
        size_t i;
        int rc = 0;

        json_array_foreach(nodes, i, node)
        {
                odm_str uri = odm_cstr(json_string_value(json_object_get(node, "uri")));
                metric_series *row = odm_new(store_batch_arena(t->batch), metric_series);
                store_op *op;

                rc = row ? metric_word_id(p, t, name_of(nodes, uri, t->arena), &row->metric)
                         : ODM_ENOMEM;
                if (rc < 0)
                        break;
                row->device = device;
                op = fleet_row(t, STORE_ROW_PATCH, &table_metric_series, row);
                if (!op) {
                        rc = ODM_ENOMEM;
                        break;
                }
                op->row.fields = METRIC_SERIES_RHYTHM;
                op->lenient = true; /* it may never have answered */
        }
        json_decref(nodes);
        return rc == ODM_ELIMIT ? 0 : rc;
}

/* What the device was not asked yet it need not be asked. */
static int take_back(fleet_turn *t, const metric_order *o, const metric_task *task)
{
        static const char why[] = "the collection has ended";
        const store_job_filter f = {.device = task->device,
                                    .states = STORE_JOB_OPEN & ~STORE_JOB_BIT(STORE_JOB_IN_SESSION),
                                    .limit = 1000,
                                    .no_commands = true};
        odm_str key = key_of(o, "", turn_of(o, task), t->arena);
        store_job_list l = {0};
        size_t i = 0;
        store_op *op;
        int rc = key.p ? store_job_find(t->host->store, &f, t->arena, &l) : odm_arena_err(t->arena);

        while (rc == 0 && i < l.n && !odm_str_eq(l.v[i].key, key))
                i++;
        if (rc < 0 || i == l.n)
                return rc;
        op = fleet_op(t, STORE_JOB_MOVE);
        if (!op)
                return ODM_ENOMEM;
        op->job_move.device = task->device;
        op->job_move.job = l.v[i].id;
        op->job_move.from = f.states;
        op->job_move.to = STORE_JOB_CANCELLED;
        op->job_move.reason = op->job_move.note = odm_cstr(why);
        op->job_move.at = t->now;
        return job_event_add(t->batch, &l.v[i], STORE_JOB_CANCELLED, why, t->now);
}

static int stop_page(metric_part *p, fleet_turn *t, const metric_order *o, bool *more)
{
        const metric_task at = {.collection = o->row.id};
        const store_scan scan = {.table = &table_metric_task,
                                 .index = METRIC_TASK_BY_COLLECTION,
                                 .same = 1,
                                 .at = &at,
                                 .limit = TASK_PAGE};
        store_rows rows = {0};
        int rc = store_row_find(t->host->store, &scan, t->arena, &rows);

        for (size_t i = 0; rc == 0 && i < rows.n; i++) {
                const metric_task *task = (const metric_task *)rows.v + i;

                if (!o->row.function.n)
                        rc = forget_rhythm(p, t, o, task->device);
                if (rc == 0 && !o->row.function.n)
                        rc = take_back(t, o, task);
                else if (task->due == NEVER) /* it was begun */
                        rc = ask(t, o, task, true);
                if (rc == 0)
                        rc = put_task(t, STORE_ROW_DELETE, task);
        }
        *more = rows.more;
        return rc;
}

/* One page of devices of one collection that ends; its row goes with the last of them. */
static int stop(metric_part *p, fleet_turn *t, bool *more)
{
        *more = false;
        for (size_t i = 0; i < p->n_orders; i++) {
                metric_order *o = &p->orders[i];
                metric_collection *row;
                int rc;

                if (o->row.state != METRIC_STOPPING)
                        continue;
                rc = store_row_get(t->host->store, &table_metric_collection, &o->row, t->arena,
                                   &(metric_collection){0});
                if (rc == ODM_ENOENT) /* we are about to hear of it */
                        continue;
                if (rc == 0)
                        rc = stop_page(p, t, o, more);
                if (rc < 0 || *more)
                        return rc;
                row = odm_new(store_batch_arena(t->batch), metric_collection);
                if (!row)
                        return ODM_ENOMEM;
                row->id = o->row.id;
                store_op *op = fleet_row(t, STORE_ROW_DELETE, &table_metric_collection, row);
                if (!op)
                        return ODM_ENOMEM;
                op->lenient = true;
                /* memory changes by what is read: the rows are looked at again */
                return fleet_tell(t, 0, "metric.collection", json_object());
        }
        return 0;
}

int metric_collect(metric_part *p, fleet_turn *t, int64_t *at)
{
        bool scanning = false, stopping = false;
        int rc = stop(p, t, &stopping);

        *at = NEVER;
        if (rc == 0 && !t->batch->n)
                rc = scan(p, t, &scanning);
        if (rc == 0 && !t->batch->n)
                rc = take_turns(p, t, at);
        if (rc == 0 && (scanning || stopping || t->batch->n))
                *at = t->now;
        return rc;
}

/* ---- answers ------------------------------------------------------------------------------------ */

static int tell(fleet_turn *t, int64_t device, int64_t every, sample_set *s)
{
        json_t *data;

        if (s->n == 0)
                return 0;
        data = json_pack("{s:s, s:O, s:I}", "by", "collection", "samples", s->samples, "every",
                         (json_int_t)(every / 1000));
        sample_drop(s);
        return fleet_tell(t, device, SAMPLE_EVENT, data);
}

static int take_result(fleet_turn *t, const json_t *nodes, const store_result *r, sample_set *s)
{
        for (size_t i = 0; i < r->n_items; i++) {
                const store_value *v = &r->items[i];
                odm_str name = name_of(nodes, v->uri, t->arena);
                bool refused;
                json_t *value = sample_value(v->format, v->data, &refused);
                int rc;

                if (refused || !name.p) {
                        json_decref(value);
                        continue;
                }
                rc = value ? sample_add(s, r->at, name, value) : ODM_ENOMEM;
                if (rc < 0)
                        return rc == ODM_ELIMIT ? 0 : rc;
        }
        return 0;
}

static int take_results(fleet_turn *t, int64_t device, int64_t job, const metric_order *o)
{
        json_t *nodes = json_loadb(o->row.nodes.p, o->row.nodes.n, 0, NULL);
        store_result_list l = {0};
        sample_set s = {0};
        int rc = store_job_results(t->host->store, device, job, t->arena, &l);

        for (size_t i = 0; rc == 0 && i < l.n; i++)
                if (l.v[i].status >= 200 && l.v[i].status < 300)
                        rc = take_result(t, nodes, &l.v[i], &s);
        if (rc == 0)
                rc = tell(t, device, o->row.every, &s);
        sample_drop(&s);
        json_decref(nodes);
        return rc == ODM_ENOENT ? 0 : rc;
}

/* A run that ended, or did not begin: it is begun again, later and later. */
static int run_again(fleet_turn *t, const metric_order *o, int64_t device, bool failed)
{
        const metric_task key = {.device = device, .collection = o->row.id};
        metric_task row;
        int64_t wait = RUN_SPREAD;
        int rc = store_row_get(t->host->store, &table_metric_task, &key, t->arena, &row);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        row.failures = failed ? row.failures + 1 : 0;
        for (uint32_t i = 1; i < row.failures && wait < RETRY_MAX; i++)
                wait *= 2;
        row.due = t->now + (wait < RETRY_MAX ? wait : RETRY_MAX);
        return put_task(t, STORE_ROW_PUT, &row);
}

/* Its next turn may come. */
static int next_turn(fleet_turn *t, const metric_order *o, int64_t device, odm_str job_key)
{
        const metric_task key = {.device = device, .collection = o->row.id};
        metric_task row;
        odm_str asked;
        int rc = store_row_get(t->host->store, &table_metric_task, &key, t->arena, &row);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        asked = key_of(o, "", turn_of(o, &row), t->arena);
        if (!asked.p || !odm_str_eq(asked, job_key)) /* that was given up */
                return asked.p ? 0 : odm_arena_err(t->arena);
        row.due = metric_next_due(turn_of(o, &row), o->row.every, t->now);
        return put_task(t, STORE_ROW_PUT, &row);
}

/* "collect/7/1795365305": which collection; 0: none, or what comes of a Stop. */
static int64_t key_collection(odm_str key)
{
        size_t n = sizeof KEY - 1;
        uint64_t id = 0;

        if (!odm_str_starts(key, KEY))
                return 0;
        key = odm_str_from(key, n);
        for (n = 0; n < key.n && key.p[n] != '/'; n++)
                ;
        if (odm_str_u64(odm_str_to(key, n), INT64_MAX, &id) < 0 ||
            odm_str_starts(odm_str_from(key, n), "/" STOP))
                return 0;
        return (int64_t)id;
}

int metric_job_ended(metric_part *p, fleet_turn *t, const fleet_event *ev)
{
        int64_t id = key_collection(fleet_text(ev, "key"));
        const metric_order *o = id ? find_order(p, id) : NULL;
        bool done = odm_str_is(ev->e.kind, "job.done");
        int rc;

        if (!o)
                return 0;
        if (o->row.function.n)
                rc = o->row.state == METRIC_ACTIVE ? run_again(t, o, ev->e.device, !done) : 0;
        else /* one that failed may have values all the same */
                rc = take_results(t, ev->e.device, fleet_id(ev, "job"), o);
        if (rc == 0 && !o->row.function.n && o->row.state == METRIC_ACTIVE)
                rc = next_turn(t, o, ev->e.device, fleet_text(ev, "key"));
        return rc == 0 ? count(t, id, 0, done, !done) : rc;
}
