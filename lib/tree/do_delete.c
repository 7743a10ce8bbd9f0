/* SPDX-License-Identifier: Apache-2.0 */
/* Delete (dm-protocol.md 7.4), Copy (7.6) and Exec (7.7): the short ones. */
#include <assert.h>

#include "desc.h"
#include "job.h"
#include "txn.h"

/* ---- Delete ---------------------------------------------------------------------- */

static bool is_kept(const struct job *j, const struct node *n)
{
        return n->fixed || ((n->permanent || node_is_key(n)) && !job_is_device(j));
}

/* A binding below may refuse as well: what it serves would go. */
static int check_below(struct job *j, struct node *n, unsigned *status)
{
        const odm_binding *b = odm_node_binding(n->mount, n->desc);
        struct trail w;
        odm_uri u;

        if (b == NULL || b->check == NULL)
                return 0;
        odm_str uri = odm_node_uri(n, j->a);
        if (uri.p == NULL)
                return odm_arena_err(j->a);
        int rc = odm_uri_parse(uri, NULL, &u); /* again, for the unnamed segments */
        if (rc < 0)
                return rc;
        rc = odm_trail_follow(j->t, &u, j->a, &w);
        return rc < 0 ? rc : odm_job_check(j, &w.at, uri, NULL, status);
}

int odm_delete_found(struct job *j)
{
        struct node *top = j->trail.at.node;
        unsigned status = ODM_ST_OK;

        for (struct node *n = top; n; n = odm_node_next(top, n))
                if (is_kept(j, n))
                        return job_status(j, ODM_ST_NOT_ALLOWED);
        for (struct node *n = top; n; n = odm_node_next(top, n)) {
                int rc = check_below(j, n, &status);
                if (rc != 0 || !odm_status_ok(status))
                        return rc ? rc : job_status(j, status);
        }
        return odm_txn_delete(j->t, top);
}

int odm_do_delete(struct job *j)
{
        const struct spot *s = &j->trail.at;

        if (j->uri.prop || j->uri.list)
                return job_status(j, ODM_ST_NOT_ALLOWED);
        if (!j->trail.found)
                return job_status(j, ODM_ST_NOT_FOUND);
        if (s->node == NULL || s->node == j->t->root || is_kept(j, s->node) ||
            !odm_job_may(j, s, ODM_ACC_DELETE))
                return job_status(j, ODM_ST_NOT_ALLOWED);
        if (!odm_job_has_right(j, s, ODM_ACC_DELETE))
                return job_status(j, ODM_ST_DENIED);
        return odm_delete_found(j);
}

/* ---- Copy -------------------------------------------------------------------------- */

/* The source's value, as the operation that writes the target has it. */
static int copy_source(struct job *j, odm_op *op)
{
        odm_answer got = {.status = ODM_ST_OK};
        odm_op get = {.kind = ODM_CMD_GET, .target = j->op->source, .server = j->op->server};
        struct job src = odm_job_for(j, &get, &got);
        int rc = odm_job_find(&src, get.target);

        if (rc == 1) {
                if (src.uri.prop || src.uri.list || src.trail.forwarded)
                        return job_status(j, ODM_ST_NOT_ALLOWED);
                if (src.trail.found && !odm_spot_is_leaf(&src.trail.at))
                        return job_status(j, ODM_ST_NOT_ALLOWED);
                rc = odm_do_get(&src);
        }
        if (rc != 0)
                return rc;
        if (odm_status_ok(got.status)) {
                op->value = got.results->value;
                op->has_value = true;
        }
        return job_status(j, got.status);
}

int odm_do_copy(struct job *j)
{
        odm_op op = {.kind = ODM_CMD_REPLACE,
                     .target = j->op->target,
                     .server = j->op->server,
                     .quiet = j->op->quiet};
        int rc;

        if (j->uri.prop || j->uri.list)
                return job_status(j, ODM_ST_NOT_ALLOWED);
        rc = copy_source(j, &op);
        if (rc != 0 || !odm_status_ok(j->out->status))
                return rc;
        if (!j->trail.found)
                op.kind = ODM_CMD_ADD;
        struct job to = odm_job_for(j, &op, j->out);
        return j->trail.found ? odm_do_replace(&to) : odm_do_add(&to);
}

/* ---- Exec ---------------------------------------------------------------------------- */

int odm_do_exec(struct job *j)
{
        const struct spot *s = &j->trail.at;
        const odm_binding *b;
        unsigned status = ODM_ST_OK;
        odm_at at;

        if (j->uri.prop || j->uri.list)
                return job_status(j, ODM_ST_NOT_ALLOWED);
        if (!j->trail.found)
                return job_status(j, ODM_ST_NOT_FOUND);
        b = odm_spot_binding(s);
        if (!odm_job_may(j, s, ODM_ACC_EXEC) || b == NULL || b->exec == NULL)
                return job_status(j, ODM_ST_NOT_ALLOWED);
        if (!odm_job_has_right(j, s, ODM_ACC_EXEC))
                return job_status(j, ODM_ST_DENIED);
        odm_str uri = odm_uri_text(&j->uri, j->uri.depth, j->a);
        if (uri.p == NULL)
                return odm_arena_err(j->a);
        odm_spot_at(s, uri, &at);
        at.now = j->now;
        int rc = b->exec(s->mount->p->ctx, &at, j->op, &status);
        return rc ? rc : job_status(j, status);
}
