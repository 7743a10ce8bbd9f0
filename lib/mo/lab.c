/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include "mo.h"

static int keep(void *ctx, odm_str record)
{
        lab *l = ctx;

        if (l->log_fails || l->n_log == LAB_LOG)
                return ODM_EIO;
        l->log[l->n_log++] = exact_bytes(record.p, record.n);
        return 0;
}

static int open_empty(lab *l, const odm_mem *mem, int (*mount)(lab *l))
{
        odm_tree_opt o;
        int rc;

        *l = (lab){.mem = mem};
        odm_tree_opt_init(&o, mem);
        o.log = keep;
        o.log_ctx = l;
        rc = odm_tree_new(&o, &l->tree);
        if (rc == 0) {
                const odm_tasks_opt t = {.mem = mem, .tree = l->tree, .mo = &odm_mo_task};
                rc = odm_tasks_new(&t, &l->tasks);
        }
        return rc == 0 ? mount(l) : rc;
}

int lab_open(lab *l, const odm_mem *mem, int (*mount)(lab *l))
{
        int rc = open_empty(l, mem, mount);

        return rc == 0 ? odm_tasks_load(l->tasks, LAB_NOW) : rc;
}

void lab_close(lab *l)
{
        odm_tasks_free(l->tasks);
        odm_tree_free(l->tree);
        while (l->n_log)
                exact_free(l->log[--l->n_log]);
        *l = (lab){.mem = NULL};
}

int lab_restart(const lab *from, size_t n, lab *to, int (*mount)(lab *l), int (*made)(lab *l))
{
        int rc = open_empty(to, from->mem, mount);

        for (size_t i = 0; i < n && rc == 0; i++) {
                rc = keep(to, from->log[i]);
                if (rc == 0)
                        rc = odm_tree_load(to->tree, from->log[i]);
        }
        if (rc == 0)
                rc = made(to);
        return rc == 0 ? odm_tasks_load(to->tasks, LAB_NOW) : rc;
}

static int operate(lab *l, const odm_op *op, unsigned *status)
{
        odm_answer out = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, l->mem, 1 << 20);
        rc = odm_tree_do(l->tree, op, LAB_NOW, &a, &out);
        odm_arena_done(&a);
        if (rc == 0)
                *status = out.status;
        return rc;
}

int lab_exec(lab *l, const char *uri, const char *correlator, unsigned *status)
{
        const odm_op op = {.kind = ODM_CMD_EXEC,
                           .target = odm_cstr(uri),
                           .server = ODM_STR("srv"),
                           .correlator = odm_cstr(correlator)};

        return operate(l, &op, status);
}

int lab_set(lab *l, const char *uri, odm_format format, const char *data, unsigned *status)
{
        const odm_op op = {.kind = ODM_CMD_REPLACE,
                           .target = odm_cstr(uri),
                           .server = ODM_STR("srv"),
                           .has_value = true,
                           .value = {.format = format, .data = odm_cstr(data)}};

        return operate(l, &op, status);
}

int lab_delete(lab *l, const char *uri, unsigned *status)
{
        const odm_op op = {.kind = ODM_CMD_DELETE, .target = odm_cstr(uri)};

        return operate(l, &op, status);
}

const char *lab_get(lab *l, const char *uri)
{
        static char text[1024];
        odm_value v = {0};
        odm_arena a;

        odm_arena_init(&a, &heap, 1 << 20);
        if (odm_tree_read(l->tree, odm_cstr(uri), &a, &v) == 0)
                snprintf(text, sizeof text, "%.*s", (int)v.data.n, v.data.p);
        else
                snprintf(text, sizeof text, "(none)");
        odm_arena_done(&a);
        return text;
}

static int hear(void *ctx, const odm_alert *alert)
{
        lab *l = ctx;
        size_t n = strlen(l->said);

        assert_int_equal(alert->code, 1226);
        l->last_alert = alert->id;
        snprintf(l->said + n, sizeof l->said - n, "%.*s %.*s %.*s %.*s %.*s\n", (int)alert->type.n,
                 alert->type.p, (int)alert->source.n, alert->source.p, (int)alert->mark.n,
                 alert->mark.p, (int)alert->data.n, alert->data.p,
                 alert->correlator.p ? (int)alert->correlator.n : 1,
                 alert->correlator.p ? alert->correlator.p : "-");
        return 0;
}

int lab_tell(lab *l)
{
        l->said[0] = 0;
        return odm_tasks_reports(l->tasks, ODM_STR("srv"), hear, l);
}

int lab_report(lab *l, unsigned status)
{
        uint64_t ids[ODM_TASK_MAX];
        size_t n = 0;
        int rc = lab_tell(l);

        for (size_t i = 0; rc == 0 && odm_tasks_at(l->tasks, i); i++)
                if (odm_tasks_at(l->tasks, i)->step == 0)
                        ids[n++] = ODM_TASK_ALERT | (uint64_t)odm_tasks_at(l->tasks, i)->id << 8;
        while (rc == 0 && n > 0)
                rc = odm_tasks_reported(l->tasks, ids[--n], status, LAB_NOW);
        if (rc == 0)
                rc = odm_tasks_session_over(l->tasks, ODM_STR("srv"), (odm_time){1000}, LAB_NOW);
        return rc;
}

int lab_finish(lab *l, unsigned steps)
{
        const odm_task_end ok = {.cause = ODM_CAUSE_OK};
        const odm_task *t;
        int rc = 0;

        while (rc == 0 && steps-- > 0) {
                rc = odm_tasks_next(l->tasks, LAB_NOW, &t);
                if (rc == 1)
                        rc = odm_tasks_done(l->tasks, t->id, &ok, LAB_NOW);
        }
        return rc == 0 ? lab_report(l, 200) : rc;
}
