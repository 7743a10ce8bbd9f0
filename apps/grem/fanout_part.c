/* SPDX-License-Identifier: Apache-2.0 */
/* fanout_part.c - ./GwMO/Fanout: tasks as servers write, read and execute them (gwmo.md 6).
 *
 * What a server writes is stored in the tree and counts when Operations/Start is executed: what is
 * written later does not touch the run.  State, counts and results are live. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fanout_inner.h"
#include "fanout_text.h"
#include "heap.h"
#include "log.h"
#include "mo.h"
#include "odm/recur.h"

#define TASK "Fanout/*"
#define ORDER_BYTES ((size_t)64 << 20) /* of memory for one start */
#define PAGE 500
#define SWEEP_MS INT64_C(3600000)
#define TIME_MAX_S 86400
#define DAY_S 86400

/* ---- what may be written --------------------------------------------------------------------- */

static int check_target(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        (void)ctx, (void)at;
        if (v && !fanout_target_ok(v->data))
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static int check_when(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        odm_moment m;

        (void)ctx, (void)at;
        if (v && v->data.n && !odm_str_starts(v->data, "./") && odm_moment_parse(v->data, &m) < 0)
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

static int check_time(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        odm_wall w;

        (void)ctx, (void)at;
        if (v && odm_wall_parse(v->data, &w) < 0)
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

/* Numbers, and how large they may be. */
static const struct number_leaf {
        const char *name;
        uint32_t least, most, otherwise;
} numbers[] = {
        {"Priority", 0, 7, 4},
        {"DevTimeout", 1, TIME_MAX_S, 60},
        {"MaxParallel", 1, 10000, 8},
        {"Retry", 0, 100, 2},
        {"StopOnFailPct", 0, 100, 0},
        {"Operations/ReturnFormat", 0, ODM_RETURN_FAILURES, ODM_RETURN_GROUP},
        {"Operations/AggWindow", 0, 7 * DAY_S, 0},
        {"Operations/AggMax", 0, 1000000, 0},
};

static int check_number(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        uint64_t n;

        (void)ctx;
        for (size_t i = 0; v && i < ODM_COUNT(numbers); i++) {
                const char *last = strrchr(numbers[i].name, '/');
                if (!odm_str_is(at->desc->name, last ? last + 1 : numbers[i].name))
                        continue;
                if (odm_str_u64(v->data, numbers[i].most, &n) < 0 || n < numbers[i].least)
                        *status = ODM_ST_BAD_FORMAT;
        }
        return 0;
}

/* ---- a task's settings -------------------------------------------------------------------------- */

typedef struct reader { /* of one task's leaves */
        fanout_part *p;
        odm_str name;
        odm_arena a;
} reader;

static odm_str text_of(reader *r, const char *rel)
{
        odm_str uri = odm_arena_fmt(&r->a, FANOUT_TASKS "%.*s/%s", (int)r->name.n, r->name.p, rel);
        odm_value v;

        if (!uri.p || odm_tree_read(r->p->host->tree, uri, &r->a, &v) < 0)
                return ODM_ABSENT;
        return odm_arena_copy(&r->a, v.data.p ? v.data : ODM_STR(""));
}

static uint32_t number_of(reader *r, const char *rel)
{
        uint64_t n = 0;

        for (size_t i = 0; i < ODM_COUNT(numbers); i++)
                if (strcmp(numbers[i].name, rel) == 0)
                        return odm_str_u64(text_of(r, rel), numbers[i].most, &n) == 0
                                       ? (uint32_t)n
                                       : numbers[i].otherwise;
        ODM_UNREACHABLE();
}

static int32_t local_offset(void *ctx, odm_wall at)
{
        time_t t = (time_t)at.s;
        struct tm tm;

        (void)ctx;
        return localtime_r(&t, &tm) ? (int32_t)tm.tm_gmtoff : 0;
}

static const odm_zone zone = {.offset = local_offset};

typedef struct due_search { /* over the conditions of a schedule */
        reader *r;
        odm_str at;
        int64_t due; /* 0: none yet */
} due_search;

static odm_str schedule_leaf(const due_search *s, odm_str name, const char *rel)
{
        odm_str uri = odm_arena_fmt(&s->r->a, "%.*s/Condition/%.*s/Timer/%s", (int)s->at.n, s->at.p,
                                    (int)name.n, name.p, rel);
        odm_value v;

        if (!uri.p || odm_tree_read(s->r->p->host->tree, uri, &s->r->a, &v) < 0)
                return ODM_ABSENT;
        return odm_arena_copy(&s->r->a, v.data);
}

static int look_at_condition(void *ctx, odm_str name)
{
        due_search *s = ctx;
        odm_str rule = schedule_leaf(s, name, "Recurrence");
        odm_recur recur = {.freq = ODM_FREQ_ONCE};
        odm_moment base;
        odm_wall due;

        if (odm_moment_parse(schedule_leaf(s, name, "Base"), &base) < 0 ||
            (rule.n && odm_recur_parse(rule, &recur) < 0))
                return 0;
        if (odm_recur_next(&recur, base, &zone, (odm_wall){loop_wall().s - 1}, &due) == 1 &&
            (s->due == 0 || due.s < s->due))
                s->due = due.s;
        return 0;
}

/* When a task is to begin: 0 now; false: that cannot be known. */
static bool when_of(reader *r, int64_t *out)
{
        odm_str text = text_of(r, "Schedule"), at;
        due_search s = {.r = r, .at = text};
        odm_moment m;

        *out = 0;
        if (!text.n)
                return true;
        if (!odm_str_starts(text, "./")) {
                bool good = odm_moment_parse(text, &m) == 0;
                if (good)
                        *out = odm_moment_wall(m, &zone).s;
                return good;
        }
        at = odm_arena_fmt(&r->a, "%.*s/Condition", (int)text.n, text.p);
        if (!at.p || odm_tree_children(r->p->host->tree, at, look_at_condition, &s) < 0)
                return false;
        *out = s.due;
        return s.due > 0;
}

static int64_t expire_of(reader *r, int64_t begins)
{
        odm_str text = text_of(r, "Expire");
        int64_t ttl = gw_config_int(r->p->g, "SAF/DefaultTTL", DAY_S);
        int64_t now = loop_wall().s;
        odm_wall w;

        if (text.n && odm_wall_parse(text, &w) == 0)
                return w.s;
        return (begins > now ? begins : now) + ttl;
}

typedef struct names { /* of children, in an arena: the tree is read while they are gone through */
        odm_arena *a;
        odm_str *v;
        size_t n, cap;
} names;

static int add_name(void *ctx, odm_str name)
{
        names *l = ctx;

        if (l->n == l->cap) {
                size_t cap = l->cap ? l->cap * 2 : 64;
                odm_str *v = odm_arena_get(l->a, cap * sizeof *v);
                if (!v)
                        return odm_arena_err(l->a);
                if (l->n)
                        memcpy(v, l->v, l->n * sizeof *v);
                l->v = v;
                l->cap = cap;
        }
        l->v[l->n] = odm_arena_copy(l->a, name);
        return l->v[l->n++].p ? 0 : odm_arena_err(l->a);
}

static int targets_of(reader *r, fanout_who *w)
{
        odm_str at = odm_arena_fmt(&r->a, FANOUT_TASKS "%.*s/Targets", (int)r->name.n, r->name.p);
        names l = {.a = &r->a};
        int rc = at.p ? odm_tree_children(r->p->host->tree, at, add_name, &l) : ODM_ENOMEM;

        if (rc == ODM_ENOENT)
                rc = 0;
        for (size_t i = 0; rc == 0 && w->status == 0 && i < l.n; i++) {
                odm_str rel = odm_arena_fmt(&r->a, "Targets/%.*s", (int)l.v[i].n, l.v[i].p);
                rc = rel.p ? fanout_who_add(w, text_of(r, rel.p)) : odm_arena_err(&r->a);
        }
        return rc;
}

static void settings_of(reader *r, fanout_row *row)
{
        row->priority = number_of(r, "Priority");
        row->timeout_ms = (int64_t)number_of(r, "DevTimeout") * 1000;
        row->parallel = number_of(r, "MaxParallel");
        row->retry = number_of(r, "Retry");
        row->stop_pct = number_of(r, "StopOnFailPct");
        row->format = number_of(r, "Operations/ReturnFormat");
        row->agg_window = number_of(r, "Operations/AggWindow");
        row->agg_max = number_of(r, "Operations/AggMax");
        row->make_groups = odm_str_is(text_of(r, "Operations/MakeGroups"), "true");
        row->max_queue = (uint32_t)gw_config_int(r->p->g, "SAF/MaxQueue", 100);
        row->started = loop_wall().s;
}

/* What open tasks take of SAF/MaxBytes. */
static int64_t bytes_open(const fanout_part *p)
{
        int64_t n = 0;

        for (const fanout_task *t = p->tasks; t; t = t->next)
                if (t->open)
                        n += (int64_t)(t->row.cmds.n + t->list.n * 40);
        return n;
}

static bool has_room(const fanout_part *p, const fanout_order *o)
{
        int64_t most = gw_config_int(p->g, "SAF/MaxBytes", 10 << 20);

        return bytes_open(p) + (int64_t)(o->row.cmds.n + o->list.n * 40) <= most;
}

/* ---- Exec ------------------------------------------------------------------------------------------ */

/* All that is told of a start; *status is why it cannot be, or 0. */
static int read_order(reader *r, const odm_op *op, fanout_order *o, unsigned *status)
{
        fanout_who w = {.p = r->p, .a = &r->a};
        const char *why = NULL;
        odm_fanout_cmds cmds;
        int rc;

        o->row.name = r->name;
        o->row.kind = FANOUT_TASK;
        o->row.task = text_of(r, "TaskID");
        o->row.cmds = text_of(r, "Cmds");
        o->row.server = op->server;
        o->row.correlator = op->correlator;
        settings_of(r, &o->row);
        if (!when_of(r, &o->row.not_before) || !o->row.task.n) {
                *status = ODM_ST_BAD_REQUEST;
                return 0;
        }
        o->row.expire = expire_of(r, o->row.not_before);
        rc = odm_fanout_cmds_parse(o->row.cmds, &r->a, &cmds, &why);
        if (rc == ODM_EMALFORMED || rc == ODM_ELIMIT) {
                log_warn("a fan-out cannot begin", log_text("reason", why));
                *status = ODM_ST_BAD_REQUEST;
                return 0;
        }
        if (rc == 0)
                rc = targets_of(r, &w);
        if (rc < 0)
                return rc;
        fanout_who_list(&w, &o->list);
        *status = w.status ? w.status : o->list.n == 0 ? ODM_ST_BAD_REQUEST : 0;
        if (*status == 0 && o->list.n == o->list.n_strangers)
                *status = ODM_ST_NOT_FOUND;
        if (*status == 0 && !has_room(r->p, o))
                *status = ODM_ST_FULL;
        if (*status == 0)
                rc = fanout_who_may(r->p, &o->list, op->server, &cmds, &r->a, &o->presence);
        return rc;
}

static int exec_start(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        fanout_part *p = ctx;
        const fanout_task *t = fanout_by_name(p, at->name[0]);
        reader r = {.p = p, .name = at->name[0]};
        fanout_order o = {.row = {.id = 0}};
        unsigned why = 0;
        int rc;

        if (!p->opened || (t && t->open)) {
                *status = p->opened ? ODM_ST_NOT_ALLOWED : ODM_ST_UNAVAILABLE;
                return 0;
        }
        odm_arena_init(&r.a, &heap_mem, ORDER_BYTES);
        rc = read_order(&r, op, &o, &why);
        if (rc == 0 && why == 0)
                rc = fanout_begin(p, &o, status);
        if (rc == 0 && why) {
                fanout_refuse(p, r.name, o.row.task);
                *status = why;
        }
        odm_arena_done(&r.a);
        return rc == ODM_ELIMIT ? ODM_ENOMEM : rc;
}

static int exec_turn(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        fanout_part *p = ctx;
        odm_str what = at->desc->name;
        odm_fanout_state to = odm_str_is(what, "Cancel")  ? ODM_FANOUT_CANCELLED
                              : odm_str_is(what, "Pause") ? ODM_FANOUT_PAUSED
                                                          : ODM_FANOUT_RUNNING;

        (void)op;
        return fanout_turn(p, fanout_by_name(p, at->name[0]), to, status);
}

/* An Exec that waits for its device, by its correlator: 200 when it is certain that it was not
 * begun and will not be, 404 else. */
static int exec_take_back(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        fanout_part *p = ctx;
        odm_str correlator = odm_str_trim(op->value.data);

        (void)at;
        *status = ODM_ST_NOT_FOUND;
        for (const fanout_task *t = p->tasks; t && correlator.n; t = t->next) {
                const fanout_row *r = &t->row;
                if (!t->open || r->kind != FANOUT_QUEUED || t->list.n != 1 ||
                    !odm_str_eq(r->correlator, correlator) || !odm_str_eq(r->server, op->server) ||
                    !odm_fanout_rests(p->f, (uint64_t)r->id, t->list.v[0]))
                        continue;
                fanout_take_back(p, t, t->list.v[0]);
                *status = ODM_ST_OK;
                break;
        }
        return 0;
}

/* ---- live leaves ------------------------------------------------------------------------------------- */

static int put_number(odm_arena *a, odm_value *out, uint64_t n)
{
        *out = (odm_value){.format = ODM_FMT_INT, .data = odm_arena_number(a, n)};
        return out->data.p ? 0 : odm_arena_err(a);
}

static odm_fanout_view view_of(const fanout_part *p, const fanout_task *t)
{
        odm_fanout_view v = {.state = ODM_FANOUT_IDLE};

        if (!t || (t->open && odm_fanout_look(p->f, (uint64_t)t->row.id, &v) == 0))
                return v;
        v = (odm_fanout_view){.state = (odm_fanout_state)t->row.state,
                              .total = t->row.total,
                              .ok = t->row.ok,
                              .failed = t->row.failed,
                              .done = t->row.ok + t->row.failed};
        v.pending = v.total - v.done;
        return v;
}

static int read_count(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const fanout_part *p = ctx;
        odm_fanout_view v = view_of(p, fanout_by_name(p, at->name[0]));
        odm_str name = at->desc->name;

        return put_number(a, out,
                          odm_str_is(name, "State")    ? (uint64_t)v.state
                          : odm_str_is(name, "Total")  ? v.total
                          : odm_str_is(name, "Done")   ? v.done
                          : odm_str_is(name, "Ok")     ? v.ok
                          : odm_str_is(name, "Failed") ? v.failed
                                                       : v.pending);
}

/* A result is called as its record is, or "u1" where there is none. */
static odm_str result_name(const fanout_target_row *r, char *room, size_t n)
{
        if (r->key.n)
                return r->key;
        (void)snprintf(room, n, "u%u", (unsigned)(r->device - FANOUT_STRANGER + 1));
        return odm_cstr(room);
}

static int list_results(void *ctx, const odm_at *at, int (*add)(void *list, odm_str name), void *to)
{
        const fanout_part *p = ctx;
        const fanout_task *t = fanout_by_name(p, at->name[0]);
        fanout_target_row key = {.task = t ? t->row.id : 0}, last;
        store_scan s = {.table = &gw_table_target, .same = 1, .at = &key, .limit = PAGE};
        bool more = t != NULL;
        int rc = 0;

        while (rc == 0 && more) {
                store_rows rows;
                odm_arena a;
                char room[16];
                odm_arena_init(&a, &heap_mem, PAGE * ((size_t)ODM_FANOUT_OUTCOME_MAX + 4096));
                rc = store_row_find(gw_store(p->g), &s, &a, &rows);
                for (size_t i = 0; rc == 0 && i < rows.n; i++) {
                        const fanout_target_row *r = (const fanout_target_row *)rows.v + i;
                        rc = add(to, result_name(r, room, sizeof room));
                        last = (fanout_target_row){.task = r->task, .device = r->device};
                }
                more = rc == 0 && rows.more && rows.n > 0;
                s.after = &last;
                odm_arena_done(&a);
        }
        return rc;
}

/* The row of a result; the one read last is kept, for leaves are read one after the other. */
static const fanout_target_row *row_of(fanout_part *p, const odm_at *at)
{
        const fanout_task *t = fanout_by_name(p, at->name[0]);
        odm_str name = at->name[1];
        fanout_target_row row = {.task = t ? t->row.id : 0};
        uint64_t n;

        if (!t || name.n < 2 || odm_str_u64(odm_str_from(name, 1), UINT32_MAX, &n) < 0)
                return NULL;
        row.device = name.p[0] == 'u' ? (int64_t)(FANOUT_STRANGER - 1 + n) : (int64_t)n;
        if (p->has_seen && p->seen.task == row.task && p->seen.device == row.device)
                return &p->seen;
        odm_arena_reset(&p->seen_arena);
        p->has_seen = store_row_get(gw_store(p->g), &gw_table_target, &row, &p->seen_arena,
                                    &p->seen) == 0;
        return p->has_seen ? &p->seen : NULL;
}

static int read_result(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const fanout_target_row *r = row_of(ctx, at);
        odm_str name = at->desc->name;
        char text[ODM_WALL_TEXT];

        if (!r)
                return ODM_ENOENT;
        if (odm_str_is(name, "State"))
                return put_number(a, out, r->state);
        if (odm_str_is(name, "Status"))
                return put_number(a, out, r->status);
        if (odm_str_is(name, "Tries"))
                return put_number(a, out, r->tries);
        if (odm_str_is(name, "Time")) {
                odm_wall_format((odm_wall){r->at}, text);
                *out = (odm_value){.format = ODM_FMT_TIME,
                                   .data = odm_arena_copy(a, odm_cstr(text))};
        } else if (odm_str_is(name, "Data")) {
                *out = (odm_value){
                        .format = ODM_FMT_XML,
                        .data = odm_arena_copy(a, r->outcome.p ? r->outcome : ODM_STR(""))};
        } else {
                *out = (odm_value){.format = ODM_FMT_CHR,
                                   .data = odm_arena_copy(a, r->id.p ? r->id : ODM_STR(""))};
        }
        return out->data.p ? 0 : odm_arena_err(a);
}

/* ---- nodes that come and go ------------------------------------------------------------------------------ */

static int put_node(odm_tree *t, odm_arena *a, odm_str at, const char *rel, odm_format format,
                    unsigned *status)
{
        const odm_op op = {.kind = ODM_CMD_ADD,
                           .target = odm_arena_fmt(a, "%.*s/%s", (int)at.n, at.p, rel),
                           .value = {.format = format}};
        odm_answer answer;
        int rc;

        if (!op.target.p)
                return odm_arena_err(a);
        if (odm_tree_exists(t, op.target))
                return 0;
        rc = odm_tree_do(t, &op, loop_wall(), a, &answer);
        if (rc == 0 && !odm_status_ok(answer.status))
                *status = answer.status;
        return rc;
}

static int count_one(void *ctx, odm_str name)
{
        (void)name;
        ++*(size_t *)ctx;
        return 0;
}

/* What every task has, however its server wrote it. */
static int complete(odm_tree *t, odm_str at, unsigned *status)
{
        static const struct {
                const char *rel;
                odm_format format;
        } nodes[] = {{"Targets", ODM_FMT_NODE},          {"Operations", ODM_FMT_NODE},
                     {"Operations/Start", ODM_FMT_NULL}, {"Operations/Cancel", ODM_FMT_NULL},
                     {"Operations/Pause", ODM_FMT_NULL}, {"Operations/Resume", ODM_FMT_NULL},
                     {"Results", ODM_FMT_NODE}};
        size_t n = 0;
        odm_arena a;
        int rc = odm_tree_children(t, ODM_STR(FANOUT_AT "/Fanout"), count_one, &n);

        if (n > FANOUT_TASKS_MAX)
                *status = ODM_ST_FULL;
        odm_arena_init(&a, &heap_mem, 65536);
        for (size_t i = 0; i < ODM_COUNT(nodes) && rc == 0 && odm_status_ok(*status); i++)
                rc = put_node(t, &a, at, nodes[i].rel, nodes[i].format, status);
        odm_arena_done(&a);
        return rc;
}

/* The name of the task whose own node it is. */
static bool is_task(odm_str uri, odm_str *name)
{
        odm_str rel = odm_str_from(uri, strlen(FANOUT_TASKS));

        *name = rel;
        return odm_str_starts(uri, FANOUT_TASKS) && rel.n > 0 && !odm_str_has(rel, '/');
}

static int validate(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        fanout_part *p = ctx;
        int rc = 0;

        for (const odm_change *c = list; c && rc == 0 && odm_status_ok(*status); c = c->next) {
                const fanout_task *task;
                odm_str name;
                if (!is_task(c->uri, &name))
                        continue;
                task = fanout_by_name(p, name);
                if (c->kind == ODM_CHANGE_ADD && odm_tree_exists(t, c->uri))
                        rc = complete(t, c->uri, status);
                else if ((c->kind == ODM_CHANGE_DELETE && task && task->open &&
                          task->row.state != ODM_FANOUT_CANCELLED) || /* that comes first */
                         (c->kind == ODM_CHANGE_PROP && c->prop == ODM_PROP_NAME))
                        *status = ODM_ST_NOT_ALLOWED; /* results are told by the name */
        }
        return rc;
}

/* One of its targets is taken back: "x7/Targets/d0001". */
static void withdraw(fanout_part *p, odm_str rel, odm_str target)
{
        static const char targets[] = "/Targets/", dev[] = "dev:";
        size_t n = 0;

        while (n < rel.n && rel.p[n] != '/')
                n++;
        if (!odm_str_starts(odm_str_from(rel, n), targets) || !odm_str_starts(target, dev))
                return;
        const fanout_task *t = fanout_by_name(p, odm_str_to(rel, n));
        const gw_device *d = gw_by_id(p->g, odm_str_from(target, sizeof dev - 1));
        if (!t || !t->open || !d)
                return;
        fanout_take_back(p, t, d->number);
}

static int commit(void *ctx, odm_tree *t, const odm_change *list)
{
        fanout_part *p = ctx;

        for (const odm_change *c = list; c; c = c->next) {
                fanout_task *task;
                odm_str name;
                bool gone = c->kind == ODM_CHANGE_DELETE && !odm_tree_exists(t, c->uri);
                if (gone && !is_task(c->uri, &name) && p->opened &&
                    odm_str_starts(c->uri, FANOUT_TASKS))
                        withdraw(p, name, odm_change_value(c, ODM_STR("")));
                if (!gone || !is_task(c->uri, &name))
                        continue;
                task = fanout_by_name(p, name);
                if (task)
                        fanout_forget(p, task);
        }
        return 0;
}

/* ---- an Exec for somebody who may sleep --------------------------------------------------------------------- */

/* The address on the device itself. */
static odm_str below_mount(const gw_device *d, odm_str target)
{
        size_t n = strlen("./GwDev/") + strlen(d->key);
        odm_str rel = odm_str_from(target, n);

        return odm_str_starts(target, "./GwDev/") && rel.n > 1 && rel.p[0] == '/' ? rel
                                                                                  : ODM_ABSENT;
}

static int write_meta(odm_buf *b, const odm_value *v)
{
        int rc = odm_buf_str(b, ODM_STR("<Meta>"));

        if (rc == 0 && v->format != ODM_FMT_ABSENT)
                rc = odm_buf_fmt(b, "<Format xmlns=\"syncml:metinf\">%s</Format>",
                                 odm_format_name(v->format));
        if (rc == 0 && v->type.n) {
                rc = odm_buf_str(b, ODM_STR("<Type xmlns=\"syncml:metinf\">"));
                if (rc == 0)
                        rc = odm_fanout_put_text(b, v->type);
                if (rc == 0)
                        rc = odm_buf_str(b, ODM_STR("</Type>"));
        }
        return rc == 0 ? odm_buf_str(b, ODM_STR("</Meta>")) : rc;
}

/* Octets are base64 in XML. */
static int write_data(odm_buf *b, const odm_value *v)
{
        odm_str text = v->data;
        odm_arena a;
        int rc = odm_buf_str(b, ODM_STR("<Data>"));

        odm_arena_init(&a, &heap_mem, ODM_FANOUT_CMDS_MAX);
        if (rc == 0 && v->format == ODM_FMT_BIN) {
                text = odm_b64_encode(&a, text.p ? text : ODM_STR(""));
                rc = text.p ? 0 : odm_arena_err(&a);
        }
        if (rc == 0)
                rc = odm_fanout_put_text(b, text);
        odm_arena_done(&a);
        return rc == 0 ? odm_buf_str(b, ODM_STR("</Data>")) : rc;
}

static int write_command(odm_buf *b, odm_str rel, const odm_op *op)
{
        const char *name = odm_cmd_name(op->kind);
        int rc = odm_buf_fmt(b, "<SyncBody><%s><CmdID>1</CmdID><Item><Target><LocURI>.", name);

        if (rc == 0)
                rc = odm_fanout_put_text(b, rel);
        if (rc == 0)
                rc = odm_buf_str(b, ODM_STR("</LocURI></Target>"));
        if (rc == 0 && op->kind != ODM_CMD_DELETE)
                rc = write_meta(b, &op->value);
        if (rc == 0 && op->has_value)
                rc = write_data(b, &op->value);
        return rc == 0 ? odm_buf_fmt(b, "</Item></%s></SyncBody>", name) : rc;
}

/* One command of one device, kept until it can be done. */
static int queue(fanout_part *p, const gw_device *d, const odm_op *op, odm_str rel)
{
        uint32_t number = d->number;
        odm_presence presence = fanout_presence(d);
        fanout_order o = {.row = {.kind = FANOUT_QUEUED,
                                  .task = op->target,
                                  .server = op->server,
                                  .correlator = op->correlator,
                                  .timeout_ms = 60000,
                                  .parallel = 1,
                                  .retry = 2,
                                  .priority = 4,
                                  .started = loop_wall().s},
                          .list = {.v = &number, .n = 1},
                          .presence = &presence};
        unsigned status = 0;
        odm_buf b;
        int rc;

        o.row.max_queue = (uint32_t)gw_config_int(p->g, "SAF/MaxQueue", 100);
        o.row.expire = loop_wall().s + gw_config_int(p->g, "SAF/DefaultTTL", DAY_S);
        if (odm_fanout_waiting(p->f, number) >= o.row.max_queue)
                return ODM_ELIMIT;
        odm_buf_init(&b, &heap_mem, ODM_FANOUT_CMDS_MAX);
        rc = write_command(&b, rel, op);
        o.row.cmds = odm_buf_view(&b);
        if (rc == 0 && !has_room(p, &o))
                rc = ODM_ELIMIT;
        if (rc == 0)
                rc = fanout_begin(p, &o, &status);
        odm_buf_done(&b);
        if (rc == 0 && status != ODM_ST_ACCEPTED)
                rc = status == ODM_ST_FULL           ? ODM_ELIMIT
                     : status == ODM_ST_STORE_FAILED ? ODM_EIO
                                                     : ODM_EMALFORMED;
        return rc;
}

int fanout_queue_exec(gateway *g, gw_device *d, const odm_op *op)
{
        odm_str rel = below_mount(d, op->target);

        if (!g->fanout)
                return ODM_ESTATE;
        if (op->kind != ODM_CMD_EXEC || !rel.p)
                return ODM_EMALFORMED;
        return queue(g->fanout, d, op, rel);
}

/* ---- commands of schedules ---------------------------------------------------------------------- */

static gw_device *mounted(const fanout_part *p, odm_str target)
{
        odm_str rest = odm_str_from(target, strlen("./GwDev/"));
        size_t n = 0;

        while (n < rest.n && rest.p[n] != '/')
                n++;
        return odm_str_starts(target, "./GwDev/") ? gw_by_key(p->g, odm_str_to(rest, n)) : NULL;
}

static unsigned may(fanout_part *p, const gw_device *d, const odm_op *op)
{
        const odm_command command = {.kind = op->kind};
        const odm_command *at[] = {&command};
        const odm_fanout_cmds cmds = {.list = &command, .n = 1, .at = at};
        uint32_t number = d->number;
        const fanout_list one = {.v = &number, .n = 1};
        odm_presence *presence;
        unsigned status = ODM_ST_FAILED;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 65536);
        if (fanout_who_may(p, &one, op->server, &cmds, &a, &presence) == 0)
                status = *presence == ODM_PRESENCE_DENIED    ? ODM_ST_DENIED
                         : *presence == ODM_PRESENCE_BARRED  ? ODM_ST_FORBIDDEN
                         : *presence == ODM_PRESENCE_FOREIGN ? ODM_ST_UNSUPPORTED
                                                             : 0;
        odm_arena_done(&a);
        return status;
}

/* A policy's command for a device waits for it as those of servers do (gwmo.md 8). */
static unsigned elsewhere(void *ctx, const odm_op *op)
{
        fanout_part *p = ctx;
        gw_device *d = p->opened ? mounted(p, op->target) : NULL;
        odm_str rel = d ? below_mount(d, op->target) : ODM_ABSENT;
        unsigned status;

        if (!rel.p)
                return 0;
        if (op->doc || op->kind == ODM_CMD_COPY)
                return ODM_ST_UNSUPPORTED;
        status = may(p, d, op);
        if (status)
                return status;
        switch (queue(p, d, op, rel)) {
        case 0: return ODM_ST_ACCEPTED;
        case ODM_ELIMIT: return ODM_ST_FULL;
        case ODM_EMALFORMED: return ODM_ST_BAD_REQUEST;
        case ODM_EIO: return ODM_ST_STORE_FAILED;
        default: return ODM_ST_FAILED;
        }
}

/* ---- devices --------------------------------------------------------------------------------------------------- */

static void now_is(fanout_part *p, gw_device *d, odm_presence presence)
{
        odm_fanout_now now = fanout_now();

        if (!p->opened)
                return;
        odm_fanout_device(p->f, d->number, presence, &now);
        fanout_wake(p);
}

static void on_awake(void *ctx, gw_device *d)
{
        fanout_part *p = ctx;

        now_is(p, d, fanout_presence(d));
        if (p->opened)
                fanout_below_look(p, d, false);
}

static void on_asleep(void *ctx, gw_device *d)
{
        now_is(ctx, d, ODM_PRESENCE_ASLEEP);
}

static void on_moved(void *ctx, gw_device *d, gw_state from)
{
        (void)from;
        now_is(ctx, d, fanout_presence(d));
}

static void on_removed(void *ctx, gw_device *d)
{
        fanout_part *p = ctx;
        odm_fanout_now now = fanout_now();

        if (!p->opened)
                return;
        odm_fanout_removed(p->f, d->number, &now);
        fanout_below_drop(p, d->number);
        fanout_wake(p);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static void on_timer(void *ctx)
{
        fanout_work(ctx);
}

static void on_sweep(void *ctx)
{
        fanout_part *p = ctx;

        fanout_sweep(p);
        if (loop_timer_set(p->host->loop, &p->sweep, odm_time_add(loop_now(), SWEEP_MS)) < 0)
                log_error("no memory for a timer");
}

static const odm_binding bindings[] = {
        {.path = TASK "/Targets/*", .check = check_target},
        {.path = TASK "/Schedule", .check = check_when},
        {.path = TASK "/Expire", .check = check_time},
        {.path = TASK "/Priority", .check = check_number},
        {.path = TASK "/DevTimeout", .check = check_number},
        {.path = TASK "/MaxParallel", .check = check_number},
        {.path = TASK "/Retry", .check = check_number},
        {.path = TASK "/StopOnFailPct", .check = check_number},
        {.path = TASK "/Operations/ReturnFormat", .check = check_number},
        {.path = TASK "/Operations/AggWindow", .check = check_number},
        {.path = TASK "/Operations/AggMax", .check = check_number},
        {.path = TASK "/Operations/Start", .exec = exec_start},
        {.path = TASK "/Operations/Cancel", .exec = exec_turn},
        {.path = TASK "/Operations/Pause", .exec = exec_turn},
        {.path = TASK "/Operations/Resume", .exec = exec_turn},
        {.path = "Ext/TakeBack", .exec = exec_take_back},
        {.path = TASK "/State", .read = read_count},
        {.path = TASK "/Total", .read = read_count},
        {.path = TASK "/Done", .read = read_count},
        {.path = TASK "/Ok", .read = read_count},
        {.path = TASK "/Failed", .read = read_count},
        {.path = TASK "/Pending", .read = read_count},
        {.path = TASK "/Results", .list = list_results},
        {.path = TASK "/Results/*/DeviceID", .read = read_result},
        {.path = TASK "/Results/*/State", .read = read_result},
        {.path = TASK "/Results/*/Status", .read = read_result},
        {.path = TASK "/Results/*/Data", .read = read_result},
        {.path = TASK "/Results/*/Time", .read = read_result},
        {.path = TASK "/Results/*/Tries", .read = read_result},
};

static void gwfanout_close(void *ctx)
{
        fanout_part *p = ctx;
        fanout_task *t;

        if (p->g) {
                gw_hook_del(p->g, &p->hook);
                p->g->fanout = NULL;
        }
        loop_timer_stop(&p->timer);
        loop_timer_stop(&p->sweep);
        if (p->opened)
                fanout_stop_runs(p, 0);
        fanout_below_drop(p, 0);
        while ((t = p->tasks) != NULL) {
                p->tasks = t->next;
                fanout_free_task(t);
        }
        odm_fanout_free(p->f);
        odm_arena_done(&p->seen_arena);
        free(p);
}

static int gwfanout_mount(const part_host *h, void **out, diag *d)
{
        fanout_part *p = calloc(1, sizeof *p);
        odm_fanout_opt o;
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->g = h->app;
        p->timer = (loop_timer){.fn = on_timer, .ctx = p};
        p->sweep = (loop_timer){.fn = on_sweep, .ctx = p};
        odm_arena_init(&p->seen_arena, &heap_mem, FANOUT_BYTES);
        p->provider = (odm_provider){.name = "gwfanout",
                                     .mo = &odm_mo_gwfanout,
                                     .bind = bindings,
                                     .n_bind = ODM_COUNT(bindings),
                                     .ctx = p,
                                     .validate = validate,
                                     .commit = commit};
        odm_fanout_opt_init(&o, &heap_mem);
        o.trace = log_tracer();
        rc = odm_fanout_new(&o, &p->f);
        if (rc == 0)
                rc = odm_tree_mount(h->tree, NULL, &p->provider);
        if (rc < 0) {
                p->g = NULL;
                gwfanout_close(p);
                return diag_set(d, rc, FANOUT_AT ": %s", odm_err_text(rc));
        }
        p->hook = (gw_hook){.awake = on_awake,
                            .asleep = on_asleep,
                            .moved = on_moved,
                            .alert = fanout_alert,
                            .removed = on_removed,
                            .ctx = p};
        if (p->g)
                gw_hook_add(p->g, &p->hook);
        *out = p;
        return 0;
}

static int gwfanout_open(void *ctx, diag *d)
{
        fanout_part *p = ctx;
        int rc = fanout_load(p);

        if (rc < 0)
                return diag_set(d, rc, "fan-outs under way: %s", odm_err_text(rc));
        p->g->fanout = p;
        p->opened = true;
        on_sweep(p);
        fanout_wake(p);
        return 0;
}

static int gwfanout_status(const void *ctx, odm_buf *b)
{
        const fanout_part *p = ctx;
        unsigned open = 0, over = 0;

        for (const fanout_task *t = p->tasks; t; t = t->next)
                ++*(t->open ? &open : &over);
        return odm_buf_fmt(b, "fanouts-open: %u\nfanouts-over: %u\n", open, over);
}

static const char *const roots[] = {FANOUT_AT, NULL};

const part_class part_gwfanout = {
        .name = "gwfanout",
        .roots = roots,
        .mount = gwfanout_mount,
        .open = gwfanout_open,
        .elsewhere = elsewhere,
        .status = gwfanout_status,
        .close = gwfanout_close,
};
