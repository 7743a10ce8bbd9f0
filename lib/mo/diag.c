/* SPDX-License-Identifier: Apache-2.0 */
/* DiagMon on a device (mo-diagmon.md): what Start and Stop of a function mean, when a run goes on
 * after a power cut, what its settings may be. */
#include "odm/diag.h"

#include <assert.h>
#include <string.h>

#include "task_node.h"

#define ALERT "urn:oma:at:diagmon:1.0:OperationComplete"
#define DATA "DiagMonData"
#define PARMS "DiagMonConfig/ConfigParms"
#define DAY 86400

static const char *const steps[] = {
        [ODM_DIAG_RUN] = "run",       [ODM_DIAG_END] = "end",     [ODM_DIAG_UPLOAD] = "upload",
        [ODM_DIAG_REBOOT] = "reboot", [ODM_DIAG_CHECK] = "check",
};

const odm_diag_function *odm_diag_of(const odm_diag *d, odm_str uri)
{
        const size_t from = sizeof ODM_DIAG_AT; /* with the slash */

        if (!odm_str_starts(uri, ODM_DIAG_AT "/"))
                return NULL;
        uri = odm_str_from(uri, from);
        for (const odm_diag_function *f = d->functions; f; f = f->next) {
                size_t n = strlen(f->name);
                if (odm_str_is(odm_str_to(uri, n), f->name) && (uri.n == n || uri.p[n] == '/'))
                        return f;
        }
        return NULL;
}

unsigned odm_diag_result(odm_task_cause cause, bool delivery)
{
        if (delivery && cause != ODM_CAUSE_OK)
                return cause == ODM_CAUSE_UNAVAILABLE ? 1501
                       : cause == ODM_CAUSE_SERVER    ? 1500
                                                      : 1406;
        switch (cause) {
        case ODM_CAUSE_OK: return 1200;
        case ODM_CAUSE_CANCELLED: return 1401;
        case ODM_CAUSE_INTERRUPTED: return 1402;
        case ODM_CAUSE_BAD_URL:
        case ODM_CAUSE_BAD_CONFIG: return 1404;
        case ODM_CAUSE_NO_ROOM: return 1405;
        case ODM_CAUSE_UNSUPPORTED: return 1411;
        case ODM_CAUSE_UNAVAILABLE: return 1501;
        case ODM_CAUSE_SERVER: return 1500;
        case ODM_CAUSE_CORRUPT:
        case ODM_CAUSE_MISMATCH:
        case ODM_CAUSE_UNSIGNED:
        case ODM_CAUSE_NOT_ACCEPTED:
        case ODM_CAUSE_AUTH:
        case ODM_CAUSE_TIMEOUT:
        case ODM_CAUSE_FAILED:
        case ODM_CAUSE_NETWORK: break;
        }
        return 1412;
}

/* ---- numbers as leaves and arguments ------------------------------------------------------- */

static uint64_t number(odm_str text)
{
        uint64_t n = 0;

        return odm_str_u64(text, INT64_MAX, &n) < 0 ? 0 : n;
}

static odm_str digits(uint64_t n, char out[21])
{
        size_t at = 20;

        do
                out[at--] = (char)('0' + n % 10);
        while ((n /= 10) != 0);
        return (odm_str){out + at + 1, 20 - at};
}

static int set_number_arg(odm_task *t, const char *name, uint64_t n)
{
        char text[21];

        return odm_task_arg_set(t, name, digits(n, text));
}

static int set_status(odm_tasks *ts, const odm_task *t, uint64_t status)
{
        char text[21];

        return odm_task_leaf_set(ts, t, "Status", ODM_FMT_INT, digits(status, text));
}

/* ---- what a Start takes with it -------------------------------------------------------------- */

static int copy_leaf(odm_tasks *ts, odm_task *t, odm_arena *a, const char *rel, const char *name)
{
        odm_str value = ODM_ABSENT;
        int rc = odm_task_leaf(ts, t, rel, a, &value);

        return rc < 0 || !value.p ? rc : odm_task_arg_set(t, name, odm_str_trim(value));
}

static int copy_parms(odm_tasks *ts, odm_task *t, const odm_diag_function *f, odm_arena *a)
{
        const odm_desc *parms = odm_mo_find(f->mo, ODM_STR(PARMS));
        int rc = 0;

        for (uint16_t i = parms ? parms->first_child : 0; rc == 0 && i; i = f->mo->nodes[i].next) {
                const odm_desc *d = &f->mo->nodes[i];
                odm_str rel = odm_arena_join(a, ODM_STR(PARMS "/"), d->name);
                odm_str name = odm_arena_copy(a, d->name); /* with its zero */
                rc = rel.p && name.p ? copy_leaf(ts, t, a, rel.p, name.p) : odm_arena_err(a);
        }
        return rc;
}

static int copy_settings(odm_tasks *ts, odm_task *t, const odm_diag_function *f, odm_arena *a)
{
        static const char *const rel[][2] = {
                {"DiagMonConfig/DefDuration", "DefDuration"},
                {"DiagMonConfig/DefMemory", "DefMemory"},
                {"DiagMonConfig/DiagDataURL", "DiagDataURL"},
                {"DiagMonConfig/ReportCondition/Period", "Period"},
                {"DiagMonConfig/ReportCondition/OnComplete", "OnComplete"},
        };
        int rc = copy_parms(ts, t, f, a);

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(rel); i++)
                rc = copy_leaf(ts, t, a, rel[i][0], rel[i][1]);
        return rc;
}

typedef struct names {
        odm_arena *a;
        struct name {
                struct name *next;
                odm_str text;
        } * first;
} names;

static int take_name(void *ctx, odm_str text)
{
        names *l = ctx;
        struct name *n = odm_new(l->a, struct name);

        if (!n)
                return odm_arena_err(l->a);
        n->text = odm_arena_copy(l->a, text);
        n->next = l->first;
        l->first = n;
        return n->text.p ? 0 : odm_arena_err(l->a);
}

/* What the last run found goes when the next one begins (mo-diagmon.md 3). */
static int clear_data(odm_tasks *ts, const odm_task *t, odm_arena *a)
{
        odm_str data = odm_arena_join(a, t->object, ODM_STR("/" DATA "/"));
        names l = {.a = a};
        int rc = data.p ? 0 : odm_arena_err(a);

        if (rc == 0)
                rc = odm_tree_children(odm_tasks_tree(ts), odm_str_to(data, data.n - 1), take_name,
                                       &l);
        for (const struct name *n = l.first; rc == 0 && n; n = n->next) {
                odm_op op = {.kind = ODM_CMD_DELETE, .target = odm_arena_join(a, data, n->text)};
                odm_answer got = {0};
                rc = op.target.p ? odm_tree_do(odm_tasks_tree(ts), &op, ts->now, a, &got)
                                 : odm_arena_err(a);
        }
        return rc;
}

/* ---- Start and Stop -------------------------------------------------------------------------- */

static bool has_arg(const odm_task *t, const char *name)
{
        return odm_task_arg(t, name).n > 0;
}

/* A run is over; where there is one, its data go to their server before the result is told. */
static int conclude(odm_tasks *ts, odm_task *t, odm_diag_status status, unsigned result)
{
        int rc = 0;

        if (!has_arg(t, "DiagDataURL")) {
                odm_task_finish(t, result);
                return set_status(ts, t, status);
        }
        rc = set_number_arg(t, "status", status);
        if (rc == 0)
                rc = set_number_arg(t, "result", result);
        if (rc == 0)
                rc = set_status(ts, t, ODM_DIAG_RUNNING);
        odm_task_step(t, ODM_DIAG_UPLOAD, false);
        return rc;
}

static int begin_run(const odm_diag *d, const odm_diag_function *f, odm_tasks *ts, odm_task *t,
                     odm_arena *a)
{
        int rc = copy_settings(ts, t, f, a);
        uint64_t duration = number(odm_task_arg(t, "DefDuration"));
        unsigned ready = 1200;

        if (rc == 0 && d->ready)
                ready = d->ready(d->ctx, f, t);
        if (rc < 0 || ready != 1200) {
                odm_task_finish(t, ready);
                return rc;
        }
        if (f->way == ODM_DIAG_SNAPSHOT && !duration && !number(odm_task_arg(t, "SampIntrvl")))
                return conclude(ts, t, ODM_DIAG_COMPLETED, 1200);
        if (f->way == ODM_DIAG_ACTION)
                rc = clear_data(ts, t, a);
        if (rc == 0 && duration)
                rc = set_number_arg(t, "until", (uint64_t)ts->now.s + duration);
        if (rc == 0)
                rc = set_status(ts, t, ODM_DIAG_RUNNING);
        odm_task_step(t, ODM_DIAG_RUN, false);
        return rc;
}

/* Who is at work would be cut short (mo-diagmon.md 7.3). */
static bool is_idle_but(const odm_tasks *ts, const odm_task *t)
{
        const odm_task *o;

        for (size_t i = 0; (o = odm_tasks_at(ts, i)) != NULL; i++)
                if (o != t && o->step && !(o->kind->watching >> o->step & 1))
                        return false;
        return true;
}

static int begin_restart(const odm_diag_function *f, odm_tasks *ts, odm_task *t, odm_arena *a,
                         unsigned *status)
{
        int rc;

        if (!is_idle_but(ts, t)) {
                *status = ODM_ST_NOT_ALLOWED;
                return 0;
        }
        rc = copy_parms(ts, t, f, a);
        if (rc == 0)
                rc = set_status(ts, t, ODM_DIAG_RUNNING);
        odm_task_step(t, ODM_DIAG_REBOOT, true);
        return rc;
}

static int switch_ring(odm_tasks *ts, odm_task *t, odm_diag_status to)
{
        odm_task_finish(t, 1200);
        return set_status(ts, t, to);
}

static bool is_stop(odm_str exec)
{
        const size_t n = sizeof "/Operations/Stop" - 1;

        return exec.n > n && odm_str_is(odm_str_from(exec, exec.n - n), "/Operations/Stop");
}

static int begin_of(const odm_diag *d, const odm_diag_function *f, odm_tasks *ts, odm_task *t,
                    odm_arena *a, unsigned *status)
{
        if (f->way == ODM_DIAG_RING)
                return switch_ring(ts, t, is_stop(t->exec) ? ODM_DIAG_STOPPED : ODM_DIAG_RUNNING);
        if (is_stop(t->exec)) { /* nothing runs */
                odm_task_finish(t, 1200);
                return 0;
        }
        if (f->way == ODM_DIAG_RESTART)
                return begin_restart(f, ts, t, a, status);
        return begin_run(d, f, ts, t, a);
}

static int diag_begin(void *ctx, odm_tasks *ts, odm_task *t, unsigned *status)
{
        const odm_diag *d = ctx;
        const odm_diag_function *f = odm_diag_of(d, t->object);
        odm_arena a;
        int rc;

        assert(f); /* its binding brought us here */
        odm_arena_init(&a, odm_tasks_mem(ts), 1 << 20);
        rc = begin_of(d, f, ts, t, &a, status);
        odm_arena_done(&a);
        if (rc == ODM_EINVAL || rc == ODM_ELIMIT) { /* settings without end, or with a line break */
                odm_task_finish(t, 1404);
                rc = 0;
        }
        return rc;
}

static int diag_busy(void *ctx, odm_tasks *ts, odm_task *t, odm_str exec, const odm_op *op,
                     unsigned *status)
{
        (void)ctx;
        (void)ts;
        (void)op;
        if (!is_stop(exec))
                return 0; /* 405 */
        if (t->step == ODM_DIAG_RUN)
                odm_task_step(t, ODM_DIAG_END, false);
        *status = 1200;
        return 0;
}

/* ---- how it goes on -------------------------------------------------------------------------- */

static int run_ended(odm_tasks *ts, odm_task *t, odm_task_cause cause)
{
        unsigned result = odm_diag_result(cause, false);

        if (cause == ODM_CAUSE_OK)
                return conclude(ts, t, ODM_DIAG_COMPLETED, result);
        if (cause == ODM_CAUSE_NO_ROOM)
                return conclude(ts, t, ODM_DIAG_FULL, result);
        odm_task_finish(t, result);
        return set_status(ts, t, ODM_DIAG_FAILED);
}

static int upload_ended(odm_tasks *ts, odm_task *t, odm_task_cause cause)
{
        unsigned result = (unsigned)number(odm_task_arg(t, "result"));

        if (cause != ODM_CAUSE_OK)
                result = odm_diag_result(cause, true);
        odm_task_finish(t, result);
        return set_status(ts, t, number(odm_task_arg(t, "status")));
}

static int restart_ended(odm_tasks *ts, odm_task *t, bool happened)
{
        odm_str count = ODM_ABSENT;
        char text[21];
        odm_arena a;
        int rc;

        odm_task_finish(t, happened ? 1200 : 1402);
        rc = set_status(ts, t, happened ? ODM_DIAG_COMPLETED : ODM_DIAG_FAILED);
        if (rc < 0 || !happened)
                return rc;
        odm_arena_init(&a, odm_tasks_mem(ts), 4096);
        rc = odm_task_leaf(ts, t, DATA "/RestartCount", &a, &count);
        if (rc == 0)
                rc = odm_task_leaf_set(ts, t, DATA "/RestartCount", ODM_FMT_INT,
                                       digits(number(count) + 1, text));
        if (rc == 0)
                rc = odm_task_leaf_set(ts, t, DATA "/LastReason", ODM_FMT_CHR, ODM_STR("ordered"));
        odm_arena_done(&a);
        return rc;
}

/* The machine has lost the function, or the configuration DiagMon: there is no node to write to. */
static bool is_gone(const odm_diag *d, odm_task *t)
{
        if (d && odm_diag_of(d, t->object))
                return false;
        odm_task_finish(t, odm_diag_result(ODM_CAUSE_UNSUPPORTED, false));
        return true;
}

static int diag_ended(void *ctx, odm_tasks *ts, odm_task *t, const odm_task_end *e)
{
        if (is_gone(ctx, t))
                return 0;
        switch ((odm_diag_step)t->step) {
        case ODM_DIAG_RUN: return run_ended(ts, t, e->cause);
        case ODM_DIAG_END: return conclude(ts, t, ODM_DIAG_STOPPED, 1200);
        case ODM_DIAG_UPLOAD: return upload_ended(ts, t, e->cause);
        case ODM_DIAG_REBOOT: return restart_ended(ts, t, false);
        case ODM_DIAG_CHECK: return restart_ended(ts, t, e->cause == ODM_CAUSE_OK);
        }
        return ODM_EINVAL;
}

static int diag_resume(void *ctx, odm_tasks *ts, odm_task *t)
{
        if (is_gone(ctx, t))
                return 0;
        if (t->step == ODM_DIAG_REBOOT && t->tries)
                odm_task_step(t, ODM_DIAG_CHECK, true);
        if (t->step != ODM_DIAG_RUN || ts->now.s >= t->since.s)
                return 0;
        odm_task_finish(t, 1402); /* how much of it is left no clock tells (mo-diagmon.md 10) */
        return set_status(ts, t, ODM_DIAG_FAILED);
}

static int diag_report(void *ctx, const odm_task *t, size_t i, odm_arena *a, odm_alert *out)
{
        (void)ctx;
        if (i > 0)
                return 0;
        return odm_task_alert(t, ODM_STR(ALERT), t->object, "critical", a, out);
}

const odm_task_kind odm_diag_kind = {
        .name = "diagmon",
        .steps = steps,
        .n_steps = ODM_COUNT(steps),
        .watching = 1u << ODM_DIAG_RUN | 1u << ODM_DIAG_END | 1u << ODM_DIAG_UPLOAD,
        .begin = diag_begin,
        .ended = diag_ended,
        .resume = diag_resume,
        .report = diag_report,
        .busy = diag_busy,
};

/* ---- the provider ---------------------------------------------------------------------------- */

static int on_exec(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        const odm_diag_function *f = ctx;
        odm_str object = odm_str_to(at->uri, sizeof ODM_DIAG_AT + strlen(f->name));

        return odm_tasks_exec(f->diag->tasks, &odm_diag_kind, object, at, op, status);
}

/* The path below DiagMonData; "" for that itself. */
static odm_str below_data(const odm_diag_function *f, odm_str uri)
{
        return odm_str_from(uri, sizeof ODM_DIAG_AT + strlen(f->name) + sizeof "/" DATA);
}

static int on_read(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const odm_diag_function *f = ctx;

        return f->diag->read(f->diag->ctx, f, below_data(f, at->uri), a, out);
}

static int on_list(void *ctx, const odm_at *at, int (*add)(void *list, odm_str name), void *to)
{
        const odm_diag_function *f = ctx;

        return f->diag->list(f->diag->ctx, f, below_data(f, at->uri), add, to);
}

static bool is_one_of(odm_str word, const char *const *list)
{
        while (*list && !odm_str_is(word, *list))
                list++;
        return *list != NULL;
}

static bool is_good(odm_str leaf, odm_str value)
{
        static const char *const severities[] = {"indeterminate", "warning",  "minor",
                                                 "major",         "critical", NULL};
        static const struct {
                const char *leaf;
                uint64_t least, most;
        } limits[] = {
                {"SampIntrvl", 0, 7 * DAY},
                {"Period", 0, 7 * DAY},
                {"DefDuration", 0, 3650 * DAY},
                {"DefMemory", 0, 1000000},
                {"Delay", 0, DAY},
                {"Type", 0, 1},
                {"Count", 1, 1000},
                {"MaxRecords", 1, 10000},
                {"Granularity", 1, (uint64_t)DAY},
        };
        uint64_t n = 0;

        for (size_t i = 0; i < ODM_COUNT(limits); i++)
                if (odm_str_is(leaf, limits[i].leaf))
                        return odm_str_u64(value, limits[i].most, &n) == 0 && n >= limits[i].least;
        if (odm_str_is(leaf, "MinSeverity"))
                return is_one_of(value, severities);
        if (odm_str_is(leaf, "DiagDataURL"))
                return value.n == 0 || odm_str_starts(value, "http://") ||
                       odm_str_starts(value, "https://");
        return value.n <= 1024; /* names of hosts, tests, counters */
}

static int on_check(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        (void)ctx;
        if (v && (odm_str_has(v->data, '\n') || odm_str_has(v->data, '\r') ||
                  !is_good(at->desc->name, v->data)))
                *status = ODM_ST_BAD_FORMAT;
        return 0;
}

/* "DiagMonData/x/Name" as bindings name it. */
static odm_str path_of(const odm_mo *mo, uint16_t i, odm_arena *a)
{
        odm_str path = ODM_STR("");

        for (; i; i = mo->nodes[i].parent) {
                odm_str name = mo->nodes[i].name;
                path = odm_arena_fmt(a, "%.*s%s%.*s", name.n ? (int)name.n : 1,
                                     name.n ? name.p : "*", path.n ? "/" : "", (int)path.n, path.p);
                if (!path.p)
                        break;
        }
        return path;
}

static bool has_unnamed(const odm_mo *mo, const odm_desc *d)
{
        for (uint16_t i = d->first_child; i; i = mo->nodes[i].next)
                if (mo->nodes[i].name.n == 0)
                        return true;
        return false;
}

/* What we do at a node; false for nothing. */
static bool bind(const odm_diag_function *f, const odm_desc *d, odm_str path, odm_binding *out)
{
        bool is_leaf = d->format != ODM_FMT_NODE;

        if (d->access & ODM_ACC_EXEC)
                out->exec = on_exec;
        else if (is_leaf && odm_str_starts(path, "DiagMonConfig/"))
                out->check = on_check;
        else if (f->way == ODM_DIAG_SNAPSHOT && is_leaf && odm_str_starts(path, DATA "/"))
                out->read = on_read;
        else if (f->way == ODM_DIAG_SNAPSHOT && odm_str_starts(path, DATA) && has_unnamed(f->mo, d))
                out->list = on_list;
        else
                return false;
        return true;
}

static int bind_all(odm_diag_function *f, odm_arena *a)
{
        odm_binding *list = odm_arena_zget(a, f->mo->n * sizeof *list);
        size_t n = 0;

        if (!list)
                return odm_arena_err(a);
        for (uint16_t i = 1; i < f->mo->n; i++) {
                odm_str path = path_of(f->mo, i, a);
                if (!path.p)
                        return odm_arena_err(a);
                list[n] = (odm_binding){.path = path.p};
                if (bind(f, &f->mo->nodes[i], path, &list[n]))
                        n++;
        }
        f->provider.bind = list;
        f->provider.n_bind = n;
        return 0;
}

int odm_diag_init(odm_diag *d, odm_tasks *tasks)
{
        d->tasks = tasks;
        d->functions = NULL;
        odm_arena_init(&d->text, odm_tasks_mem(tasks), 1 << 20);
        return odm_tasks_know(tasks, &odm_diag_kind, d);
}

int odm_diag_mount(odm_diag *d, odm_diag_function *f)
{
        int rc;

        f->diag = d;
        f->provider = (odm_provider){.name = "diagmon", .mo = f->mo, .ctx = f};
        rc = bind_all(f, &d->text);
        if (rc == 0)
                rc = odm_tree_mount(odm_tasks_tree(d->tasks), NULL, &f->provider);
        if (rc < 0)
                return rc;
        f->next = d->functions;
        d->functions = f;
        return 0;
}

void odm_diag_done(odm_diag *d)
{
        if (d->tasks)
                odm_arena_done(&d->text);
        d->tasks = NULL;
}
