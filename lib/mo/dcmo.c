/* SPDX-License-Identifier: Apache-2.0 */
/* DCMO 1.0: the flags of mo-lawmo-dcmo.md B3, the orders of B4, the alert of B5, the codes of B6,
 * and what B7 says of power cuts. */
#include "odm/dcmo.h"

#include <string.h>

#include "rows.h"

#define ARENA 16384

static const char *const steps[] = {
        [ODM_DCMO_ENABLE] = "enable",
        [ODM_DCMO_DISABLE] = "disable",
        [ODM_DCMO_CHECK] = "check",
};

unsigned odm_dcmo_result(bool enable, odm_task_cause cause)
{
        switch (cause) {
        case ODM_CAUSE_OK: return 1200;
        case ODM_CAUSE_CANCELLED: return 1401;
        case ODM_CAUSE_UNAVAILABLE: return 1404;
        case ODM_CAUSE_NOT_ACCEPTED: return 1405;
        case ODM_CAUSE_UNSUPPORTED: return 1411;
        default: return enable ? 1402 : 1403;
        }
}

odm_dcmo_verdict odm_dcmo_judge(bool enabled, bool found_on, bool starting, bool deny_user)
{
        if (enabled == found_on)
                return ODM_DCMO_AS_IT_IS;
        if (starting || (found_on && deny_user))
                return ODM_DCMO_BACK;
        return ODM_DCMO_TAKEN;
}

static bool enables(const odm_task *t)
{
        return odm_task_is(t, "Operations/Enable");
}

const odm_dcmo_capability *odm_dcmo_of(const odm_dcmo *d, odm_str object)
{
        odm_str name = odm_str_from(object, sizeof ODM_DCMO_AT);

        for (size_t i = 0; i < d->n; i++)
                if (odm_str_is(name, d->list[i].name))
                        return &d->list[i];
        return NULL;
}

/* ---- an order --------------------------------------------------------------------------- */

static int dcmo_begin(void *ctx, odm_tasks *ts, odm_task *t, unsigned *status)
{
        const odm_dcmo *d = ctx;
        const odm_dcmo_capability *c = odm_dcmo_of(d, t->object);
        bool enable = enables(t);

        (void)ts;
        if (!c || !(enable ? c->can_enable : c->can_disable))
                *status = ODM_ST_UNSUPPORTED;
        else if (!enable && c->bearer)
                *status = ODM_ST_NOT_ALLOWED;
        else if (odm_dcmo_is_enabled(d, c) == enable)
                odm_task_finish(t, 1200);
        else
                odm_task_step(t, enable ? ODM_DCMO_ENABLE : ODM_DCMO_DISABLE, false);
        return 0;
}

static int dcmo_ended(void *ctx, odm_tasks *ts, odm_task *t, const odm_task_end *e)
{
        bool enable = enables(t), ok = e->cause == ODM_CAUSE_OK;
        odm_str why = t->note.n ? t->note : odm_cstr(odm_task_cause_text(e->cause));
        int rc = odm_task_leaf_set(ts, t, "Ext/xrem/Reason", ODM_FMT_CHR, ok ? ODM_STR("") : why);

        (void)ctx;
        odm_task_finish(t, odm_dcmo_result(enable, e->cause));
        if (rc < 0 || !ok)
                return rc;
        return odm_task_leaf_set(ts, t, "Enabled", ODM_FMT_BOOL,
                                 enable ? ODM_STR("true") : ODM_STR("false"));
}

static int dcmo_resume(void *ctx, odm_tasks *ts, odm_task *t)
{
        (void)ctx;
        (void)ts;
        if (t->tries && t->step != ODM_DCMO_CHECK)
                odm_task_step(t, ODM_DCMO_CHECK, false);
        return 0;
}

static int dcmo_report(void *ctx, const odm_task *t, size_t i, odm_arena *a, odm_alert *out)
{
        (void)ctx;
        if (i > 0)
                return 0;
        return odm_task_alert(t, ODM_STR("urn:oma:at:dcmo:1.0:OperationComplete"), t->exec,
                              "warning", a, out);
}

const odm_task_kind odm_dcmo_kind = {
        .name = "dcmo",
        .steps = steps,
        .n_steps = ODM_COUNT(steps),
        .begin = dcmo_begin,
        .ended = dcmo_ended,
        .resume = dcmo_resume,
        .report = dcmo_report,
};

/* ---- the objects ------------------------------------------------------------------------- */

static int dcmo_exec(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        const odm_dcmo *d = ctx;
        odm_str object = odm_str_to(at->uri, sizeof ODM_DCMO_AT + at->name[0].n);

        return odm_tasks_exec(d->tasks, &odm_dcmo_kind, object, at, op, status);
}

static const odm_binding bindings[] = {
        {.path = "*/Operations/Enable", .exec = dcmo_exec},
        {.path = "*/Operations/Disable", .exec = dcmo_exec},
};

int odm_dcmo_mount(odm_dcmo *d, odm_tasks *tasks, const odm_mo *mo)
{
        int rc;

        d->tasks = tasks;
        d->provider = (odm_provider){.name = "dcmo",
                                     .mo = mo,
                                     .bind = bindings,
                                     .n_bind = ODM_COUNT(bindings),
                                     .ctx = d};
        rc = odm_tree_mount(odm_tasks_tree(tasks), NULL, &d->provider);
        return rc < 0 ? rc : odm_tasks_know(tasks, &odm_dcmo_kind, d);
}

static bool is_listed(void *ctx, odm_str name)
{
        const odm_dcmo *d = ctx;

        for (size_t i = 0; i < d->n; i++)
                if (odm_str_is(name, d->list[i].name))
                        return true;
        return false;
}

int odm_dcmo_prune(odm_dcmo *d, odm_wall now)
{
        return odm_rows_prune(odm_tasks_tree(d->tasks), odm_tasks_mem(d->tasks),
                              ODM_STR(ODM_DCMO_AT), is_listed, d, now);
}

static odm_str uri_of(const odm_dcmo_capability *c, odm_arena *a)
{
        return odm_arena_fmt(a, ODM_DCMO_AT "/%s", c->name);
}

bool odm_dcmo_has(const odm_dcmo *d, const odm_dcmo_capability *c)
{
        odm_arena a;
        odm_str at;
        bool yes;

        odm_arena_init(&a, odm_tasks_mem(d->tasks), ARENA);
        at = uri_of(c, &a);
        yes = at.p && odm_tree_exists(odm_tasks_tree(d->tasks), at);
        odm_arena_done(&a);
        return yes;
}

typedef struct leaf {
        const char *rel;
        odm_format format;
        const char *text; /* NULL: it is not to be there */
        bool always;      /* the configuration has the say; else whoever wrote it last */
} leaf;

static int put_leaf(odm_dcmo *d, odm_str at, const leaf *f, odm_wall now)
{
        odm_tree *tree = odm_tasks_tree(d->tasks);
        const odm_mem *mem = odm_tasks_mem(d->tasks);
        odm_arena a;
        odm_str uri;
        int rc;

        if (f->text)
                return odm_rows_put(tree, mem, at, f->rel, f->format, f->text, f->always, now);
        odm_arena_init(&a, mem, ARENA);
        uri = odm_arena_fmt(&a, "%.*s/%s", (int)at.n, at.p, f->rel);
        rc = uri.p ? odm_rows_delete(tree, mem, uri, now) : odm_arena_err(&a);
        odm_arena_done(&a);
        return rc;
}

/* As one transaction: a capability is there with all it must have, or not at all. */
static int put_all(odm_dcmo *d, odm_str at, const leaf *list, size_t n, odm_wall now)
{
        odm_tree *tree = odm_tasks_tree(d->tasks);
        unsigned status = ODM_ST_OK;
        int rc = odm_tree_begin(tree, now);

        if (rc < 0)
                return rc;
        for (size_t i = 0; i < n && rc == 0; i++)
                rc = put_leaf(d, at, &list[i], now);
        if (rc == 0)
                rc = odm_tree_commit(tree, &status);
        else
                odm_tree_rollback(tree);
        return rc == 0 && !odm_status_ok(status) ? ODM_EIO : rc;
}

int odm_dcmo_add(odm_dcmo *d, const odm_dcmo_capability *c, bool enabled, odm_wall now)
{
        const leaf leaves[] = {
                {"Property", ODM_FMT_CHR, c->property, true},
                {"Group", ODM_FMT_CHR, c->group, true},
                {"Description", ODM_FMT_CHR, c->description, true},
                {"Attached", ODM_FMT_BOOL, c->removable ? "false" : NULL, false},
                {"Enabled", ODM_FMT_BOOL, enabled ? "true" : "false", false},
                {"DCMOConfig/DenyUserEnable", ODM_FMT_BOOL, "false", false},
                {"DCMOConfig/NotifyUser", ODM_FMT_BOOL, d->notifies ? "false" : NULL, false},
                {"Operations/Enable", ODM_FMT_NULL, "", false},
                {"Operations/Disable", ODM_FMT_NULL, "", false},
                {"Ext/xrem/Reason", ODM_FMT_CHR, "", false},
        };
        odm_arena a;
        odm_str at;
        int rc;

        if (!odm_name_ok(odm_cstr(c->name)))
                return ODM_EINVAL;
        odm_arena_init(&a, odm_tasks_mem(d->tasks), ARENA);
        at = uri_of(c, &a);
        rc = at.p ? put_all(d, at, leaves, ODM_COUNT(leaves), now) : odm_arena_err(&a);
        odm_arena_done(&a);
        return rc;
}

static int set_flag(odm_dcmo *d, const odm_dcmo_capability *c, const char *rel, bool yes,
                    odm_wall now)
{
        const leaf f = {rel, ODM_FMT_BOOL, yes ? "true" : "false", true};
        odm_arena a;
        odm_str at;
        int rc;

        odm_arena_init(&a, odm_tasks_mem(d->tasks), ARENA);
        at = uri_of(c, &a);
        rc = at.p ? put_leaf(d, at, &f, now) : odm_arena_err(&a);
        odm_arena_done(&a);
        return rc;
}

static bool get_flag(const odm_dcmo *d, const odm_dcmo_capability *c, const char *rel)
{
        odm_arena a;
        odm_str at;
        bool yes;

        odm_arena_init(&a, odm_tasks_mem(d->tasks), ARENA);
        at = uri_of(c, &a);
        yes = at.p && odm_rows_true(odm_tasks_tree(d->tasks), odm_tasks_mem(d->tasks), at, rel);
        odm_arena_done(&a);
        return yes;
}

int odm_dcmo_set_enabled(odm_dcmo *d, const odm_dcmo_capability *c, bool yes, odm_wall now)
{
        return set_flag(d, c, "Enabled", yes, now);
}

int odm_dcmo_set_attached(odm_dcmo *d, const odm_dcmo_capability *c, bool yes, odm_wall now)
{
        return set_flag(d, c, "Attached", yes, now);
}

bool odm_dcmo_is_enabled(const odm_dcmo *d, const odm_dcmo_capability *c)
{
        return get_flag(d, c, "Enabled");
}

bool odm_dcmo_denies_user(const odm_dcmo *d, const odm_dcmo_capability *c)
{
        return get_flag(d, c, "DCMOConfig/DenyUserEnable");
}

bool odm_dcmo_notifies(const odm_dcmo *d, const odm_dcmo_capability *c)
{
        return get_flag(d, c, "DCMOConfig/NotifyUser");
}

bool odm_dcmo_is_busy(const odm_dcmo *d, const odm_dcmo_capability *c)
{
        odm_arena a;
        odm_str at;
        bool yes;

        odm_arena_init(&a, odm_tasks_mem(d->tasks), ARENA);
        at = uri_of(c, &a);
        yes = at.p && odm_tasks_busy(d->tasks, at);
        odm_arena_done(&a);
        return yes;
}
