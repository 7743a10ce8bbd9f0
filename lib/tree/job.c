/* SPDX-License-Identifier: Apache-2.0 */
/* The way of one operation: parse, find, forward or do, and keep or take back what it changed. */
#include <assert.h>

#include "desc.h"
#include "job.h"
#include "txn.h"

int odm_job_find(struct job *j, odm_str target)
{
        int rc = odm_uri_parse(target, &j->t->opt.uri, &j->uri);

        if (rc < 0)
                return job_status(j, odm_uri_status(rc));
        rc = odm_trail_follow(j->t, &j->uri, j->a, &j->trail);
        if (rc == ODM_EIO) /* a provider could not say what is there */
                return job_status(j, ODM_ST_FAILED);
        return rc < 0 ? rc : 1;
}

struct job odm_job_for(const struct job *j, const odm_op *op, odm_answer *out)
{
        struct job sub = *j;

        sub.op = op;
        sub.out = out;
        return sub;
}

bool odm_job_may(const struct job *j, const struct spot *s, unsigned access)
{
        if (job_is_device(j) || j->placed)
                return true;
        return s->desc ? (s->desc->access & access) != 0 : access != ODM_ACC_EXEC;
}

bool odm_job_has_right(const struct job *j, const struct spot *s, unsigned access)
{
        if (job_is_device(j) || j->placed || j->trusted)
                return true;
        return odm_acl_allows(odm_node_acl(s->near), access, j->op->server);
}

bool odm_spot_is_inbox(const struct spot *s)
{
        return s->mount && s->mount->inbox;
}

int odm_job_check(struct job *j, const struct spot *s, odm_str uri, const odm_value *v,
                  unsigned *status)
{
        const odm_binding *b = odm_spot_binding(s);
        odm_at at;

        (void)j;
        *status = ODM_ST_OK;
        if (b == NULL || b->check == NULL)
                return 0;
        odm_spot_at(s, uri, &at);
        return b->check(s->mount->p->ctx, &at, v, status);
}

odm_result *odm_job_result(struct job *j)
{
        odm_result *r = odm_new(j->a, odm_result);
        odm_result **end = &j->out->results;

        if (r == NULL)
                return NULL;
        while (*end)
                end = &(*end)->next;
        *end = r;
        return r;
}

/* ---- mounts that forward -------------------------------------------------------- */

static unsigned right_for(odm_cmd kind)
{
        switch (kind) {
        case ODM_CMD_ADD: return ODM_ACC_ADD;
        case ODM_CMD_DELETE: return ODM_ACC_DELETE;
        case ODM_CMD_EXEC: return ODM_ACC_EXEC;
        case ODM_CMD_REPLACE:
        case ODM_CMD_COPY: return ODM_ACC_REPLACE;
        default: return ODM_ACC_GET;
        }
}

/* The properties of the place where it forwards are ours, and so is that the device itself makes
 * and removes a key; everything else at and below it is the provider's. */
static bool is_forwarded(const struct job *j)
{
        const struct trail *w = &j->trail;

        if (!w->forwarded || (w->found && j->uri.prop))
                return false;
        return !(w->found && job_is_device(j) && node_is_key(w->at.node) &&
                 (j->op->kind == ODM_CMD_ADD || j->op->kind == ODM_CMD_DELETE));
}

static int forward(struct job *j)
{
        const struct spot *s = &j->trail.at;
        odm_answer got = {.status = ODM_ST_OK};
        odm_at at;

        if (!odm_job_has_right(j, s, right_for(j->op->kind)))
                return job_status(j, ODM_ST_DENIED);
        odm_str uri = odm_uri_text(&j->uri, j->uri.depth, j->a);
        if (uri.p == NULL)
                return odm_arena_err(j->a);
        odm_spot_at(s, uri, &at);
        int rc = s->mount->p->forward(s->mount->p->ctx, j->op, &at, j->a, &got);
        if (rc == 0)
                *j->out = got;
        return rc;
}

/* ---- dispatch --------------------------------------------------------------------- */

static int run(struct job *j)
{
        int rc = odm_job_find(j, j->op->target);

        if (rc <= 0)
                return rc;
        if (is_forwarded(j))
                return forward(j);
        if (odm_spot_is_inbox(&j->trail.at) && j->trail.depth > 0) {
                if (j->op->kind == ODM_CMD_ADD && j->uri.prop == ODM_PROP_NONE)
                        return odm_do_inbox(j); /* the device's own too: a bootstrap */
                if (!job_is_device(j))
                        return job_status(j, ODM_ST_NOT_ALLOWED);
        }
        switch (j->op->kind) {
        case ODM_CMD_ADD: return odm_do_add(j);
        case ODM_CMD_REPLACE: return odm_do_replace(j);
        case ODM_CMD_DELETE: return odm_do_delete(j);
        case ODM_CMD_GET: return odm_do_get(j);
        case ODM_CMD_COPY: return odm_do_copy(j);
        case ODM_CMD_EXEC: return odm_do_exec(j);
        default: return job_status(j, ODM_ST_UNSUPPORTED);
        }
}

static bool changes(odm_cmd kind)
{
        return kind == ODM_CMD_ADD || kind == ODM_CMD_REPLACE || kind == ODM_CMD_DELETE ||
               kind == ODM_CMD_COPY;
}

static void forget_results(odm_answer *got)
{
        if (!odm_status_ok(got->status))
                got->results = NULL;
}

int odm_tree_do(odm_tree *t, const odm_op *op, odm_wall now, odm_arena *a, odm_answer *out)
{
        odm_answer got = {.status = ODM_ST_OK};
        struct job j = {.t = t, .op = op, .now = now, .a = a, .out = &got};
        bool own = false;
        int rc, end;

        if (!changes(op->kind)) {
                rc = run(&j);
        } else {
                rc = odm_txn_enter(t, now, &own);
                if (rc < 0)
                        return rc;
                struct undo *mark = odm_txn_mark(t);
                uint64_t outer = t->serial;
                odm_str before = t->server;
                t->serial = ++t->last_serial;
                t->server = op->server;
                j.alone = own;
                rc = run(&j);
                t->serial = outer;
                t->server = before;
                bool keep = rc == 0 && odm_status_ok(got.status);
                if (!keep)
                        odm_txn_undo(t, mark);
                end = odm_txn_leave(t, own, keep, &got.status);
                rc = rc ? rc : end;
        }
        if (rc != 0 && rc != ODM_LATER)
                return rc;
        forget_results(&got);
        *out = got;
        return rc;
}
