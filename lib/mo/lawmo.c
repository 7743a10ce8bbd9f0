/* SPDX-License-Identifier: Apache-2.0 */
/* LAWMO 1.0: the states of mo-lawmo-dcmo.md A3, the orders of A4, the alert of A5, and what A7 says
 * of power cuts.  The state is a leaf of the tree, and it moves in the transaction that moves its
 * task. */
#include "odm/lawmo.h"

#include <string.h>

#include "rows.h"

#define LIST "AvailableWipeList"
#define NOTIFY "LAWMOConfig/NotifyUser"

static const char *const steps[] = {
        [ODM_LAWMO_FULLY_LOCK] = "fully-lock",
        [ODM_LAWMO_PARTIALLY_LOCK] = "partially-lock",
        [ODM_LAWMO_UNLOCK] = "unlock",
        [ODM_LAWMO_WIPE] = "wipe",
        [ODM_LAWMO_FACTORY_RESET] = "factory-reset",
};

static const struct operation {
        const char *rel;
        odm_lawmo_state to; /* 0: it does not move */
        const char *to_text;
        unsigned failed; /* the result */
} operations[] = {
        [ODM_LAWMO_FULLY_LOCK] = {"Operations/FullyLock", ODM_LAWMO_FULLY_LOCKED, "10", 1402},
        [ODM_LAWMO_PARTIALLY_LOCK] = {"Operations/PartiallyLock", ODM_LAWMO_PARTIALLY_LOCKED, "20",
                                      1403},
        [ODM_LAWMO_UNLOCK] = {"Operations/UnLock", ODM_LAWMO_UNLOCKED, "30", 1404},
        [ODM_LAWMO_WIPE] = {.rel = "Operations/Wipe", .failed = 1405},
        [ODM_LAWMO_FACTORY_RESET] = {.rel = "Operations/FactoryReset", .failed = 1400},
};

static odm_lawmo_step step_of(const odm_task *t)
{
        odm_lawmo_step s = ODM_LAWMO_FULLY_LOCK;

        while (s < ODM_LAWMO_FACTORY_RESET && !odm_task_is(t, operations[s].rel))
                s++;
        return s;
}

unsigned odm_lawmo_result(odm_lawmo_step step, odm_task_cause cause, bool items)
{
        if (cause == ODM_CAUSE_OK)
                return step != ODM_LAWMO_WIPE ? ODM_LAWMO_OK : items ? 1202 : 1201;
        if (cause == ODM_CAUSE_CANCELLED)
                return 1401;
        if (step == ODM_LAWMO_WIPE &&
            (cause == ODM_CAUSE_UNSUPPORTED || cause == ODM_CAUSE_INTERRUPTED))
                return 1406; /* it was never begun */
        return operations[step].failed;
}

static odm_lawmo_state state_of(odm_str text)
{
        uint64_t n = 0;

        if (odm_str_u64(text, 30, &n) == 0 && (n == 10 || n == 20))
                return (odm_lawmo_state)n;
        return ODM_LAWMO_UNLOCKED;
}

/* ---- an order --------------------------------------------------------------------------- */

bool odm_lawmo_next_item(odm_str *list, odm_str *out)
{
        const char *comma = list->n ? memchr(list->p, ',', list->n) : NULL;
        odm_str one = odm_str_to(*list, comma ? (size_t)(comma - list->p) : list->n);

        if (one.n == 0)
                return false;
        *list = odm_str_from(*list, one.n + (comma != NULL));
        *out = one;
        return true;
}

typedef struct marked {
        odm_tasks *ts;
        const odm_task *t;
        odm_arena *a;
        odm_str names; /* separated by commas, of which no name of a node here has any */
} marked;

static int add_if_marked(void *ctx, odm_str name)
{
        marked *m = ctx;
        odm_str v = ODM_ABSENT;
        odm_str rel = odm_arena_fmt(m->a, LIST "/%.*s/ToBeWiped", (int)name.n, name.p);
        int rc = rel.p ? odm_task_leaf(m->ts, m->t, rel.p, m->a, &v) : odm_arena_err(m->a);

        if (rc < 0 || !odm_str_is(v, "true"))
                return rc;
        m->names = odm_arena_fmt(m->a, "%.*s%s%.*s", (int)m->names.n, m->names.p ? m->names.p : "",
                                 m->names.n ? "," : "", (int)name.n, name.p);
        return m->names.p ? 0 : odm_arena_err(m->a);
}

static int begin_wipe(const odm_lawmo *l, odm_tasks *ts, odm_task *t, odm_arena *a)
{
        marked m = {ts, t, a, ODM_ABSENT};
        int rc = odm_tree_children(odm_tasks_tree(ts), ODM_STR(ODM_LAWMO_AT "/" LIST),
                                   add_if_marked, &m);

        if (rc == ODM_ENOENT)
                rc = 0;
        if (rc < 0)
                return rc;
        if (!m.names.n && !l->wipes_data) {
                odm_task_finish(t, 1406);
                return 0;
        }
        if (m.names.n)
                rc = odm_task_arg_set(t, "items", m.names);
        odm_task_step(t, ODM_LAWMO_WIPE, false);
        return rc;
}

static int begin_move(odm_tasks *ts, odm_task *t, odm_lawmo_step step, odm_arena *a)
{
        odm_str text = ODM_ABSENT;
        int rc = odm_task_leaf(ts, t, "State", a, &text);

        if (rc == 0 && state_of(text) == operations[step].to)
                odm_task_finish(t, ODM_LAWMO_OK);
        else if (rc == 0)
                odm_task_step(t, step, false);
        return rc;
}

static int lawmo_begin(void *ctx, odm_tasks *ts, odm_task *t, unsigned *status)
{
        const odm_lawmo *l = ctx;
        odm_lawmo_step step = step_of(t);
        odm_arena a;
        int rc = 0;

        if (!(l->able >> step & 1)) {
                *status = ODM_ST_UNSUPPORTED;
                return 0;
        }
        odm_arena_init(&a, odm_tasks_mem(ts), (size_t)1 << 20);
        if (step == ODM_LAWMO_WIPE)
                rc = begin_wipe(l, ts, t, &a);
        else if (step == ODM_LAWMO_FACTORY_RESET)
                odm_task_step(t, step, true);
        else
                rc = begin_move(ts, t, step, &a);
        odm_arena_done(&a);
        return rc;
}

/* ---- how it goes on --------------------------------------------------------------------- */

static int give_reason(odm_tasks *ts, const odm_task *t, const odm_task_end *e)
{
        odm_str text = t->note.n ? t->note : odm_cstr(odm_task_cause_text(e->cause));

        return odm_task_leaf_set(ts, t, "Ext/xrem/Reason", ODM_FMT_CHR,
                                 e->cause == ODM_CAUSE_OK ? ODM_STR("") : text);
}

/* What was wiped is marked no more, so that the next Wipe takes what is marked for it. */
static int clear_marks(odm_tasks *ts, const odm_task *t)
{
        odm_str list = odm_task_arg(t, "items"), name;
        odm_arena a;
        int rc = 0;

        odm_arena_init(&a, odm_tasks_mem(ts), (size_t)1 << 20);
        while (rc == 0 && odm_lawmo_next_item(&list, &name)) {
                odm_str v = ODM_ABSENT;
                odm_str rel = odm_arena_fmt(&a, LIST "/%.*s/ToBeWiped", (int)name.n, name.p);
                rc = rel.p ? odm_task_leaf(ts, t, rel.p, &a, &v) : odm_arena_err(&a);
                if (rc == 0 && v.p)
                        rc = odm_task_leaf_set(ts, t, rel.p, ODM_FMT_BOOL, ODM_STR("false"));
        }
        odm_arena_done(&a);
        return rc;
}

static int lawmo_ended(void *ctx, odm_tasks *ts, odm_task *t, const odm_task_end *e)
{
        odm_lawmo_step step = step_of(t);
        bool ok = e->cause == ODM_CAUSE_OK;
        int rc = give_reason(ts, t, e);

        (void)ctx;
        odm_task_finish(t, odm_lawmo_result(step, e->cause, odm_task_arg(t, "items").p != NULL));
        if (rc == 0 && ok && step == ODM_LAWMO_WIPE)
                rc = clear_marks(ts, t);
        else if (rc == 0 && ok && operations[step].to)
                rc = odm_task_leaf_set(ts, t, "State", ODM_FMT_INT,
                                       odm_cstr(operations[step].to_text));
        return rc;
}

/* Whatever was cut short is done again, from its beginning. */
static int lawmo_resume(void *ctx, odm_tasks *ts, odm_task *t)
{
        (void)ctx;
        (void)ts;
        (void)t;
        return 0;
}

static int lawmo_report(void *ctx, const odm_task *t, size_t i, odm_arena *a, odm_alert *out)
{
        (void)ctx;
        if (i > 0)
                return 0;
        return odm_task_alert(t, ODM_STR(ODM_LAWMO_ALERT), t->exec, "critical", a, out);
}

const odm_task_kind odm_lawmo_kind = {
        .name = "lawmo",
        .steps = steps,
        .n_steps = ODM_COUNT(steps),
        .begin = lawmo_begin,
        .ended = lawmo_ended,
        .resume = lawmo_resume,
        .report = lawmo_report,
};

/* ---- the object -------------------------------------------------------------------------- */

static int lawmo_exec(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        const odm_lawmo *l = ctx;

        return odm_tasks_exec(l->tasks, &odm_lawmo_kind, ODM_STR(ODM_LAWMO_AT), at, op, status);
}

static const odm_binding bindings[] = {
        {.path = "Operations/FullyLock", .exec = lawmo_exec},
        {.path = "Operations/PartiallyLock", .exec = lawmo_exec},
        {.path = "Operations/UnLock", .exec = lawmo_exec},
        {.path = "Operations/FactoryReset", .exec = lawmo_exec},
        {.path = "Operations/Wipe", .exec = lawmo_exec},
};

int odm_lawmo_mount(odm_lawmo *l, odm_tasks *tasks, const odm_mo *mo)
{
        int rc;

        l->tasks = tasks;
        l->provider = (odm_provider){.name = "lawmo",
                                     .mo = mo,
                                     .bind = bindings,
                                     .n_bind = ODM_COUNT(bindings),
                                     .ctx = l};
        rc = odm_tree_mount(odm_tasks_tree(tasks), NULL, &l->provider);
        return rc < 0 ? rc : odm_tasks_know(tasks, &odm_lawmo_kind, l);
}

typedef struct wanted {
        const odm_lawmo_item *items;
        size_t n;
} wanted;

static bool is_wanted(void *ctx, odm_str name)
{
        const wanted *w = ctx;

        for (size_t i = 0; i < w->n; i++)
                if (odm_str_is(name, w->items[i].name))
                        return true;
        return false;
}

static int put_item(const odm_lawmo *l, const odm_lawmo_item *item, odm_wall now)
{
        odm_tree *tree = odm_tasks_tree(l->tasks);
        const odm_mem *mem = odm_tasks_mem(l->tasks);
        odm_arena a;
        odm_str at;
        int rc;

        odm_arena_init(&a, mem, 4096);
        at = odm_arena_fmt(&a, ODM_LAWMO_AT "/" LIST "/%s", item->name);
        rc = at.p ? odm_rows_put(tree, mem, at, "ListItemName", ODM_FMT_CHR, item->title, true, now)
                  : odm_arena_err(&a);
        if (rc == 0)
                rc = odm_rows_put(tree, mem, at, "ToBeWiped", ODM_FMT_BOOL, "false", false, now);
        odm_arena_done(&a);
        return rc;
}

int odm_lawmo_fill(odm_lawmo *l, const odm_lawmo_item *items, size_t n, odm_wall now)
{
        odm_tree *tree = odm_tasks_tree(l->tasks);
        const odm_mem *mem = odm_tasks_mem(l->tasks);
        wanted w = {items, n};
        odm_str at = ODM_STR(ODM_LAWMO_AT);
        int rc = 0;

        for (size_t i = 0; i < n; i++)
                if (!odm_name_ok(odm_cstr(items[i].name)) || strchr(items[i].name, ','))
                        return ODM_EINVAL;
        if (n == 0)
                rc = odm_rows_delete(tree, mem, ODM_STR(ODM_LAWMO_AT "/" LIST), now);
        else
                rc = odm_rows_prune(tree, mem, ODM_STR(ODM_LAWMO_AT "/" LIST), is_wanted, &w, now);
        for (size_t i = 0; i < n && rc == 0; i++)
                rc = put_item(l, &items[i], now);
        if (rc == 0 && l->notifies)
                rc = odm_rows_put(tree, mem, at, NOTIFY, ODM_FMT_BOOL, "false", false, now);
        else if (rc == 0)
                rc = odm_rows_delete(tree, mem, ODM_STR(ODM_LAWMO_AT "/LAWMOConfig"), now);
        return rc == 0 ? odm_rows_put(tree, mem, at, "Ext/xrem/Reason", ODM_FMT_CHR, "", false, now)
                       : rc;
}

odm_lawmo_state odm_lawmo_now(const odm_lawmo *l)
{
        odm_value v = {ODM_FMT_ABSENT};
        odm_lawmo_state s = ODM_LAWMO_UNLOCKED;
        odm_arena a;

        odm_arena_init(&a, odm_tasks_mem(l->tasks), 4096);
        if (odm_tree_read(odm_tasks_tree(l->tasks), ODM_STR(ODM_LAWMO_AT "/State"), &a, &v) == 0)
                s = state_of(v.data);
        odm_arena_done(&a);
        return s;
}

odm_lawmo_state odm_lawmo_at_start(const odm_lawmo *l)
{
        const odm_task *t = odm_tasks_busy(l->tasks, ODM_STR(ODM_LAWMO_AT));
        odm_lawmo_state now = odm_lawmo_now(l), to = t ? operations[step_of(t)].to : 0;

        return t && t->tries && to && to < now ? to : now;
}

bool odm_lawmo_notifies(const odm_lawmo *l)
{
        return odm_rows_true(odm_tasks_tree(l->tasks), odm_tasks_mem(l->tasks),
                             ODM_STR(ODM_LAWMO_AT), NOTIFY);
}
