/* SPDX-License-Identifier: Apache-2.0 */
/* Orders that change something: Write, Create, Delete, Execute, Observe.  Several values are one
 * request or none at all, since LwM2M can take nothing back; what the gateway itself keeps is
 * changed last. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

struct change {           /* one value of an order */
        odm_lw_node node; /* for the device; depth 0: none */
        odm_str keep;     /* for the gateway: where; absent: none */
        odm_str value;
};

struct state {
        struct change *v;
        size_t n;
};

/* When all requests went well: what the gateway keeps. */
static int keep_and_end(odm_plan *p)
{
        struct state *s = p->state;

        for (size_t i = 0; i < s->n && !p->failed; i++) {
                if (s->v[i].keep.p == NULL)
                        continue;
                int rc = odm_bridge_keep(p->b, s->v[i].keep, s->v[i].value);
                if (rc == ODM_ELIMIT) {
                        odm_plan_refuse(p, ODM_ST_FULL, "the gateway keeps no more for it");
                        return 0;
                }
                if (rc < 0)
                        return rc;
        }
        return odm_plan_end(p);
}

static int new_plan(odm_bridge *b, size_t n, odm_arena *a, odm_plan **out)
{
        struct state *s = odm_new(a, struct state);

        if (s == NULL)
                return odm_arena_err(a);
        s->v = odm_arena_zget(a, (n ? n : 1) * sizeof *s->v);
        if (s->v == NULL)
                return odm_arena_err(a);
        int rc = odm_plan_new(b, a, keep_and_end, out);
        if (rc < 0)
                return rc;
        (*out)->state = s;
        (*out)->stop = true;
        return 0;
}

/* ---- values --------------------------------------------------------------------------------- */

static void refuse_value(odm_plan *p)
{
        odm_plan_refuse(p, ODM_ST_BAD_FORMAT, "the value does not fit the resource");
}

static int set_raw(odm_plan *p, odm_lw_path at, const odm_bridge_node *v, struct change *out)
{
        const odm_lw_resource *res = odm_lw_resource_find(p->b->reg, at.id[0], at.id[2]);

        if (res && !(res->ops & ODM_LW_W)) {
                odm_plan_refuse(p, ODM_ST_NOT_ALLOWED, "the resource is not to be written");
                return 0;
        }
        out->node.path = at;
        int rc = odm_bridge_to_lw(NULL, res ? res->type : ODM_LW_T_UNKNOWN, &v->value, p->a,
                                  &out->node.value);
        if (rc == ODM_EMALFORMED || (rc == ODM_ELIMIT && p->a->err == 0)) {
                refuse_value(p);
                return 0;
        }
        return rc;
}

static int set_row(odm_plan *p, const struct row *row, odm_str name, const odm_bridge_node *v,
                   struct change *out)
{
        odm_lw_path src;

        if (!odm_bridge_source(p->b, row, name, &src)) {
                odm_plan_refuse(p, ODM_ST_NOT_FOUND, "the device does not have it");
                return 0;
        }
        if (row->rule == RULE_KEPT && !odm_bridge_kept_fits(row->format, v->value.data)) {
                refuse_value(p);
                return 0;
        }
        if (row->rule == RULE_KEPT || row->rule == RULE_OR_KEPT) {
                out->keep = v->path;
                out->value = v->value.data.p ? v->value.data : ODM_STR("");
                return 0;
        }
        const odm_lw_resource *res = odm_lw_resource_find(p->b->reg, src.id[0], src.id[2]);
        if (res == NULL) { /* a definition that came later has it no more */
                odm_plan_refuse(p, ODM_ST_NOT_FOUND, "the object has no such resource");
                return 0;
        }
        out->node.path = src;
        int rc = odm_bridge_to_lw(row, res->type, &v->value, p->a, &out->node.value);
        if (rc == ODM_EMALFORMED || (rc == ODM_ELIMIT && p->a->err == 0)) {
                refuse_value(p);
                return 0;
        }
        return rc;
}

static int stage(odm_plan *p, const odm_bridge_node *v)
{
        odm_lw_request rq = {.verb = ODM_LW_STAGE,
                             .path = ODM_LW_PATH3(5, 0, 0),
                             .ct = ODM_LW_OPAQUE,
                             .accept = ODM_LW_NO_CT,
                             .payload = v->value.data};
        struct state *s = p->state;
        struct change *c = &s->v[s->n++];

        c->keep = ODM_STR("=FUMO"); /* the package waits at the gateway: ready to update */
        c->value = ODM_STR("50");
        return odm_plan_add(p, &rq);
}

/* One value of a Write, or an Add of a leaf. */
static int set(odm_plan *p, const odm_bridge_node *v, bool adding)
{
        struct state *s = p->state;
        odm_lw_path at;
        odm_str name;

        int rc = odm_bridge_raw(v->path, &at);
        if (rc == 0 && at.depth >= 3)
                return set_raw(p, at, v, &s->v[s->n++]);
        if (rc != ODM_ENOENT) {
                odm_plan_refuse(p, rc == 0 ? ODM_ST_NOT_ALLOWED : ODM_ST_NOT_FOUND,
                                "no leaf of LwM2M");
                return 0;
        }
        const struct row *row = odm_bridge_row(p->b, v->path, &name);
        if (row == NULL || row->format == ODM_FMT_NODE ||
            !(row->access & (adding ? ODM_ACC_ADD | ODM_ACC_REPLACE : ODM_ACC_REPLACE))) {
                odm_plan_refuse(p, row ? ODM_ST_NOT_ALLOWED : ODM_ST_NOT_FOUND,
                                row ? "the node is not to be written" : "there is no such node");
                return 0;
        }
        if (row->rule == RULE_STAGE)
                return stage(p, v);
        return set_row(p, row, name, v, &s->v[s->n++]);
}

static int by_path(const void *x, const void *y)
{
        const odm_lw_node *a = x, *b = y;

        return odm_lw_path_cmp(a->path, b->path);
}

/* The values for the device, in order. */
static int device_values(odm_plan *p, odm_lw_list *out)
{
        struct state *s = p->state;
        odm_lw_node *v = odm_arena_get(p->a, (s->n ? s->n : 1) * sizeof *v);
        size_t n = 0;

        if (v == NULL)
                return odm_arena_err(p->a);
        for (size_t i = 0; i < s->n; i++)
                if (s->v[i].node.path.depth > 0)
                        v[n++] = s->v[i].node;
        if (n > 1)
                qsort(v, n, sizeof *v, by_path);
        *out = (odm_lw_list){v, n};
        return 0;
}

static int add_write(odm_plan *p, odm_lw_path at, const odm_lw_list *l)
{
        odm_lw_request rq;
        int rc = odm_bridge_write_of(p->b, at, l, odm_bridge_ct_for(p->b, at, l), p->a, &rq);

        if (rc == ODM_EINVAL) {
                odm_plan_refuse(p, ODM_ST_BAD_REQUEST, "the same resource twice");
                return 0;
        }
        return rc < 0 ? rc : odm_plan_add(p, &rq);
}

/* All of them in one instance: one Write. */
static int write_all(odm_plan *p)
{
        odm_lw_list l = {.n = 0};
        int rc = device_values(p, &l);

        if (rc < 0 || l.n == 0)
                return rc;
        if (p->n_steps > 0) {
                odm_plan_refuse(p, ODM_ST_UNSUPPORTED, "not together with a package");
                return 0;
        }
        /* 1.0 has no path of one of several values: it is part of a Write of the instance */
        if (l.n == 1 && (l.v[0].path.depth < 4 || p->b->v1_1))
                return add_write(p, l.v[0].path, &l);
        odm_lw_path at = odm_lw_path_to(l.v[0].path, 2);
        for (size_t i = 1; i < l.n; i++)
                if (!odm_lw_path_below(l.v[i].path, at)) {
                        odm_plan_refuse(p, ODM_ST_UNSUPPORTED,
                                        "several instances cannot be written as one");
                        return 0;
                }
        return add_write(p, at, &l);
}

int odm_plan_write(odm_bridge *b, const odm_bridge_node *v, size_t n, odm_arena *a, odm_plan **out)
{
        odm_plan *p;
        int rc = new_plan(b, n, a, &p);

        for (size_t i = 0; i < n && rc == 0 && !p->over; i++)
                rc = set(p, &v[i], false);
        if (rc == 0 && !p->over)
                rc = write_all(p);
        if (rc == 0 && p->n_steps > 0 && n > 1 && p->step[0].rq.verb == ODM_LW_STAGE)
                odm_plan_refuse(p, ODM_ST_UNSUPPORTED, "a package goes by itself");
        if (rc == 0)
                rc = odm_plan_begin(p);
        if (rc == 0)
                *out = p;
        return rc;
}

/* ---- create ----------------------------------------------------------------------------------- */

/* ./LwM2M/<O>/<I>: with the leaves below it. */
static int create_instance(odm_plan *p, odm_lw_path at)
{
        odm_lw_list l;
        odm_lw_request rq;

        int rc = device_values(p, &l);
        if (rc < 0)
                return rc;
        for (size_t i = 0; i < l.n; i++)
                if (!odm_lw_path_below(l.v[i].path, at)) {
                        odm_plan_refuse(p, ODM_ST_UNSUPPORTED, "one instance at a time");
                        return 0;
                }
        if (odm_bridge_has(p->b, at)) {
                odm_plan_refuse(p, ODM_ST_EXISTS, "the device has it");
                return 0;
        }
        odm_lw_node empty = {.path = at};
        if (l.n == 0)
                l = (odm_lw_list){&empty, 1};
        at = odm_lw_path_to(at, 1);
        rc = odm_bridge_write_of(p->b, at, &l, odm_bridge_ct_for(p->b, at, &l), p->a, &rq);
        if (rc == ODM_EINVAL) {
                odm_plan_refuse(p, ODM_ST_BAD_REQUEST, "the same resource twice");
                return 0;
        }
        if (rc < 0)
                return rc;
        rq.verb = ODM_LW_CREATE;
        return odm_plan_add(p, &rq);
}

/* A node that a server makes: remembered by its name alone. */
static int make_node(odm_plan *p, const odm_bridge_node *v)
{
        struct state *s = p->state;
        odm_str name;
        const struct row *row = odm_bridge_row(p->b, v->path, &name);
        odm_lw_path src;

        if (row == NULL || row->rule != RULE_MADE || !odm_bridge_source(p->b, row, name, &src)) {
                odm_plan_refuse(p, row ? ODM_ST_NOT_ALLOWED : ODM_ST_NOT_FOUND,
                                "no node can be made there");
                return 0;
        }
        if (odm_bridge_kept(p->b, v->path).p) {
                odm_plan_refuse(p, ODM_ST_EXISTS, "the node is there");
                return 0;
        }
        if (odm_bridge_is_observe(v->path) && odm_bridge_observe_full(p->b)) {
                odm_plan_refuse(p, ODM_ST_FULL, "no more observations of a device");
                return 0;
        }
        s->v[s->n++] = (struct change){.keep = v->path, .value = ODM_STR("")};
        return 0;
}

/* A leaf below a node that a server makes brings that node with it. */
static int make_parent(odm_plan *p, const odm_bridge_node *v)
{
        struct state *s = p->state;
        odm_str name, path = v->path;

        for (size_t n = path.n; n > 0; n--) {
                if (path.p[n - 1] != '/')
                        continue;
                odm_str up = odm_str_to(path, n - 1);
                const struct row *row = odm_bridge_row(p->b, up, &name);
                if (row == NULL || row->rule != RULE_MADE)
                        continue;
                if (odm_bridge_kept(p->b, up).p == NULL)
                        s->v[s->n++] = (struct change){.keep = up, .value = ODM_STR("")};
                return 0;
        }
        return 0;
}

int odm_plan_create(odm_bridge *b, const odm_bridge_node *v, size_t n, odm_arena *a, odm_plan **out)
{
        odm_lw_path at, instance = {0};
        odm_plan *p;
        int rc = new_plan(b, 2 * n, a, &p);

        for (size_t i = 0; i < n && rc == 0 && !p->over; i++) {
                bool raw = odm_bridge_raw(v[i].path, &at) == 0;
                if (raw && at.depth == 2) {
                        if (instance.depth > 0)
                                odm_plan_refuse(p, ODM_ST_UNSUPPORTED, "one instance at a time");
                        instance = at;
                } else if (!raw && v[i].value.format == ODM_FMT_NODE) {
                        rc = make_node(p, &v[i]);
                } else {
                        rc = raw ? 0 : make_parent(p, &v[i]);
                        if (rc == 0)
                                rc = set(p, &v[i], true);
                }
        }
        if (rc == 0 && !p->over)
                rc = instance.depth ? create_instance(p, instance) : write_all(p);
        if (rc == 0)
                rc = odm_plan_begin(p);
        if (rc == 0)
                *out = p;
        return rc;
}

/* ---- remove ------------------------------------------------------------------------------------ */

static int remove_mapped(odm_plan *p, odm_str path)
{
        odm_str name;
        const struct row *row = odm_bridge_row(p->b, path, &name);

        if (row == NULL || odm_bridge_kept(p->b, path).p == NULL) {
                odm_plan_refuse(p, row ? ODM_ST_NOT_ALLOWED : ODM_ST_NOT_FOUND,
                                "no node that could be deleted");
                return 0;
        }
        if (!(row->access & ODM_ACC_DELETE)) {
                odm_plan_refuse(p, ODM_ST_NOT_ALLOWED, "the node is not to be deleted");
                return 0;
        }
        for (size_t i = 0; i < ODM_COUNT(p->b->job); i++) {
                const odm_job *j = p->b->job[i];
                if (j && !odm_job_is_over(j) && odm_job_task(j) > TASK_FUMO_BOTH &&
                    odm_job_name(j).p && odm_str_eq(odm_job_name(j), name)) {
                        odm_plan_refuse(p, ODM_ST_NOT_ALLOWED, "it is in use");
                        return 0;
                }
        }
        odm_bridge_forget_below(p->b, path);
        odm_str key = odm_arena_join(p->a, ODM_STR("=SCM/"), name);
        return key.p ? odm_bridge_keep(p->b, key, ODM_ABSENT) : odm_arena_err(p->a);
}

int odm_plan_remove(odm_bridge *b, odm_str path, odm_arena *a, odm_plan **out)
{
        odm_lw_request rq = {.verb = ODM_LW_DELETE, .ct = ODM_LW_NO_CT, .accept = ODM_LW_NO_CT};
        odm_plan *p;
        int rc = new_plan(b, 0, a, &p);

        if (rc < 0)
                return rc;
        switch (odm_bridge_raw(path, &rq.path)) {
        case 0:
                if (rq.path.depth != 2)
                        odm_plan_refuse(p, ODM_ST_NOT_ALLOWED, "only instances can be deleted");
                else
                        rc = odm_plan_add(p, &rq);
                break;
        case ODM_ENOENT: rc = remove_mapped(p, path); break;
        default: odm_plan_refuse(p, ODM_ST_NOT_FOUND, "no path of LwM2M");
        }
        if (rc == 0)
                rc = odm_plan_begin(p);
        if (rc == 0)
                *out = p;
        return rc;
}

/* ---- observe ------------------------------------------------------------------------------------- */

static int observe_path(odm_plan *p, odm_lw_path at, const odm_lw_attrs *attrs, bool off)
{
        odm_lw_request rq = {
                .verb = ODM_LW_ATTRS, .path = at, .ct = ODM_LW_NO_CT, .accept = ODM_LW_NO_CT};
        int rc = 0;

        if (attrs && attrs->has && !off) {
                rq.attrs = *attrs;
                rc = odm_plan_add(p, &rq);
                rq.attrs = (odm_lw_attrs){0};
        }
        if (rc < 0)
                return rc;
        rq = odm_bridge_read_of(p->b, at);
        rq.verb = off ? ODM_LW_CANCEL : ODM_LW_OBSERVE;
        return odm_plan_add(p, &rq);
}

int odm_plan_observe(odm_bridge *b, odm_str path, const odm_lw_attrs *attrs, bool off, odm_arena *a,
                     odm_plan **out)
{
        const struct row *row;
        odm_lw_path at;
        odm_str name;
        odm_plan *p;
        int rc = new_plan(b, 0, a, &p);

        if (rc < 0)
                return rc;
        if (odm_bridge_raw(path, &at) == 0 && at.depth > 0) {
                rc = observe_path(p, at, attrs, off);
        } else {
                row = odm_bridge_row(b, path, &name);
                if (row == NULL || !row->has_source || row->rule == RULE_KEPT ||
                    !odm_bridge_source(b, row, row->source_star < 0 ? ODM_ABSENT : name, &at) ||
                    at.depth < 3)
                        odm_plan_refuse(p, row ? ODM_ST_UNSUPPORTED : ODM_ST_NOT_FOUND,
                                        "no resource of the device tells this");
                else
                        rc = observe_path(p, odm_lw_path_to(at, 3), attrs, off);
                if (rc == 0 && !p->over && row && row->rule == RULE_FUMO_STATE)
                        rc = observe_path(p, odm_lw_path_down(odm_lw_path_to(at, 2), 5), NULL, off);
        }
        if (rc == 0)
                rc = odm_plan_begin(p);
        if (rc == 0)
                *out = p;
        return rc;
}

int odm_plan_watch(odm_bridge *b, const odm_bridge_observation *o, odm_arena *a, odm_plan **out)
{
        odm_plan *p;
        int rc = new_plan(b, 0, a, &p);

        if (rc < 0)
                return rc;
        p->stop = false;
        rc = observe_path(p, o->path, &o->attrs, false);
        if (rc == 0)
                rc = odm_plan_begin(p);
        if (rc == 0)
                *out = p;
        return rc;
}

/* ---- execute ---------------------------------------------------------------------------------------- */

static int execute_plan(odm_bridge *b, odm_lw_path at, odm_str arg, odm_arena *a, odm_plan **out)
{
        odm_lw_request rq = {.verb = ODM_LW_EXECUTE,
                             .path = at,
                             .ct = arg.n ? ODM_LW_TEXT : ODM_LW_NO_CT,
                             .accept = ODM_LW_NO_CT,
                             .payload = arg};
        odm_lw_arg args[ODM_LW_ARGS];
        size_t n;
        odm_plan *p;
        int rc = new_plan(b, 0, a, &p);

        if (rc < 0)
                return rc;
        if (odm_lw_args_parse(arg, args, &n) < 0)
                odm_plan_refuse(p, ODM_ST_BAD_REQUEST, "no arguments of Execute");
        else
                rc = odm_plan_add(p, &rq);
        if (rc == 0)
                rc = odm_plan_begin(p);
        if (rc == 0)
                *out = p;
        return rc;
}

static int refused(odm_exec *out, unsigned status, const char *why)
{
        *out = (odm_exec){.status = status, .text = odm_cstr(why)};
        return 0;
}

static int execute_raw(odm_bridge *b, odm_lw_path at, odm_str arg, odm_arena *a, odm_exec *out)
{
        const odm_lw_resource *res =
                at.depth == 3 ? odm_lw_resource_find(b->reg, at.id[0], at.id[2]) : NULL;
        odm_exec e = {.status = ODM_ST_OK};

        if (at.depth != 3 || (res && !(res->ops & ODM_LW_E)))
                return refused(out, ODM_ST_NOT_ALLOWED, "no resource that is executed");
        int rc = execute_plan(b, at, arg, a, &e.plan);
        if (rc == 0)
                *out = e;
        return rc;
}

int odm_bridge_execute(odm_bridge *b, odm_str path, odm_str arg, const odm_job_opt *opt,
                       odm_time now, odm_arena *a, odm_exec *out)
{
        odm_exec e = {.status = ODM_ST_ACCEPTED};
        odm_lw_path at;
        odm_str name;
        int rc = odm_bridge_raw(path, &at);

        if (rc == 0)
                return execute_raw(b, at, arg, a, out);
        const struct row *row = rc == ODM_ENOENT ? odm_bridge_row(b, path, &name) : NULL;
        if (row == NULL)
                return refused(out, ODM_ST_NOT_FOUND, "there is no such node");
        if (!(row->access & ODM_ACC_EXEC))
                return refused(out, ODM_ST_NOT_ALLOWED, "the node is not executed");
        if (!odm_bridge_source(b, row, row->source_star < 0 ? ODM_ABSENT : name, &at))
                return refused(out, ODM_ST_NOT_FOUND, "the device does not have it");
        if (row->rule == RULE_EXEC) {
                e.status = ODM_ST_OK;
                rc = execute_plan(b, at, row->arg, a, &e.plan);
                if (rc == 0)
                        *out = e;
                return rc;
        }
        rc = odm_job_new(b, row->task, path, name, opt, now, &e.job);
        if (rc == ODM_ESTATE)
                return refused(out, ODM_ST_NOT_ALLOWED,
                               "not in this state, or another is under way");
        if (rc == ODM_ENOENT)
                return refused(out, ODM_ST_NOT_FOUND, "there is no such package");
        if (rc < 0)
                return rc;
        *out = e;
        return 0;
}
