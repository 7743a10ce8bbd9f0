/* SPDX-License-Identifier: Apache-2.0 */
/* Replace of a leaf's value, and of the properties that a server may set (dm-protocol.md 7.3,
 * dm-tree.md 3, 4.4). */
#include "desc.h"
#include "job.h"
#include "txn.h"
#include "value.h"

#define TITLE_MOST 255

/* ---- values ------------------------------------------------------------------------- */

static int set_value(struct job *j, odm_str uri)
{
        struct node *n = j->trail.at.node;
        value_place place = {n->desc, (odm_format)n->format, odm_node_type(n), n->permanent};
        odm_value v = {.format = ODM_FMT_ABSENT};
        odm_str usual = n->desc && n->desc->type.n ? n->desc->type : ODM_STR("text/plain");
        unsigned status = ODM_ST_OK;
        int rc = odm_value_take(&place, j->op, j->t->opt.max_value, j->a, &v, &status);

        if (rc == 0 && odm_status_ok(status))
                rc = odm_job_check(j, &j->trail.at, uri, &v, &status);
        if (rc != 0 || !odm_status_ok(status))
                return rc ? rc : job_status(j, status);
        if (odm_str_eq(v.type, usual))
                v.type = NO_STR;
        if (!tree_has_room(j->t, n->value.n + n->type.n, v.data.n + v.type.n))
                return job_status(j, ODM_ST_FULL);
        return odm_txn_value(j->t, n, v.format, v.type, v.data, job_is_device(j) && j->op->quiet);
}

/* A live leaf: its provider takes the value now, and nothing takes it back. */
static int write_live(struct job *j, odm_str uri)
{
        const struct spot *s = &j->trail.at;
        const odm_binding *b = odm_spot_binding(s);
        value_place place = {s->desc, odm_spot_format(s), odm_spot_type(s), true};
        odm_value v = {.format = ODM_FMT_ABSENT};
        unsigned status = ODM_ST_OK;
        odm_at at;

        if (!j->alone)
                return job_status(j, ODM_ST_UNSUPPORTED);
        int rc = odm_value_take(&place, j->op, j->t->opt.max_value, j->a, &v, &status);
        if (rc != 0 || !odm_status_ok(status))
                return rc ? rc : job_status(j, status);
        odm_spot_at(s, uri, &at);
        rc = b->write(s->mount->p->ctx, &at, &v, &status);
        if (rc == ODM_ENOMEM || rc == ODM_ELIMIT)
                return rc;
        return job_status(j, rc ? (unsigned)ODM_ST_FAILED : status);
}

static bool takes_values(const struct spot *s)
{
        const odm_binding *b = odm_spot_binding(s);

        return odm_spot_is_leaf(s) && (!odm_spot_is_live(s) || (b && b->write));
}

static int replace_value(struct job *j)
{
        const struct spot *s = &j->trail.at;
        odm_str uri;

        if (!takes_values(s) || !odm_job_may(j, s, ODM_ACC_REPLACE))
                return job_status(j, ODM_ST_NOT_ALLOWED);
        if (!odm_job_has_right(j, s, ODM_ACC_REPLACE))
                return job_status(j, ODM_ST_DENIED);
        uri = odm_uri_text(&j->uri, j->uri.depth, j->a);
        if (uri.p == NULL)
                return odm_arena_err(j->a);
        return odm_spot_is_live(s) ? write_live(j, uri) : set_value(j, uri);
}

/* ---- properties ------------------------------------------------------------------------ */

/* The list of a leaf is its parent's business alone (dm-tree.md 4.4). */
static bool may_set_acl(const struct job *j)
{
        const struct trail *w = &j->trail;

        if (j->uri.depth && odm_job_has_right(j, &w->above, ODM_ACC_REPLACE))
                return true;
        return !odm_spot_is_leaf(&w->at) && odm_job_has_right(j, &w->at, ODM_ACC_REPLACE);
}

static int set_acl(struct job *j, odm_str acl)
{
        struct node *n = j->trail.at.node;

        if (!may_set_acl(j))
                return job_status(j, ODM_ST_DENIED);
        if (odm_acl_check(acl) < 0)
                return job_status(j, ODM_ST_FAILED);
        if (n == j->t->root && !odm_acl_allows(acl, ODM_ACC_ADD, ODM_STR("")))
                return job_status(j, ODM_ST_NOT_ALLOWED); /* not Add=* any more */
        if (!tree_has_room(j->t, n->acl.n, acl.n))
                return job_status(j, ODM_ST_FULL);
        return odm_txn_acl(j->t, n, acl);
}

static int set_title(struct job *j, odm_str title)
{
        struct node *n = j->trail.at.node;

        if (!j->t->opt.has_tstamp)
                return job_status(j, ODM_ST_UNSUPPORTED);
        if (!odm_job_has_right(j, &j->trail.at, ODM_ACC_REPLACE))
                return job_status(j, ODM_ST_DENIED);
        if (!odm_utf8_ok(title))
                return job_status(j, ODM_ST_BAD_FORMAT);
        if (title.n > TITLE_MOST)
                return job_status(j, ODM_ST_TOO_LARGE);
        if (!tree_has_room(j->t, n->title.n, title.n))
                return job_status(j, ODM_ST_FULL);
        return odm_txn_title(j->t, n, title);
}

/* Its description names the node, or would name it after the rename. */
static bool name_is_given(const struct spot *above, const struct node *n, odm_str name)
{
        const odm_desc *d = NULL;

        if (n->desc && n->desc->name.n)
                return true;
        if (above->desc)
                d = odm_desc_child(above->mount->p->mo, above->desc, name);
        return d && d->name.n;
}

static int set_name(struct job *j, odm_str name)
{
        struct node *n = j->trail.at.node;
        struct spot sibling = j->trail.above;
        uint16_t most = j->t->opt.uri.max_seg_len;
        int rc;

        if (n == j->t->root || n->permanent || n->fixed || node_is_key(n) ||
            name_is_given(&sibling, n, name))
                return job_status(j, ODM_ST_NOT_ALLOWED);
        if (!odm_job_has_right(j, &j->trail.at, ODM_ACC_REPLACE))
                return job_status(j, ODM_ST_DENIED);
        if (!odm_name_ok(name))
                return job_status(j, ODM_ST_FAILED);
        if (most && odm_utf8_len(name) > most)
                return job_status(j, ODM_ST_URI_TOO_LONG);
        if (odm_str_eq(name, n->name))
                return job_status(j, ODM_ST_OK);
        odm_str up = odm_uri_text(&j->uri, j->uri.depth - 1u, j->a);
        if (up.p == NULL)
                return odm_arena_err(j->a);
        rc = odm_spot_step_at(&sibling, up, name);
        if (rc != 0)
                return rc < 0 ? rc : job_status(j, ODM_ST_EXISTS);
        if (!tree_has_room(j->t, n->name.n, name.n))
                return job_status(j, ODM_ST_FULL);
        return odm_txn_rename(j->t, n, name);
}

int odm_do_prop_replace(struct job *j)
{
        odm_str text = j->op->value.data.p ? j->op->value.data : ODM_STR("");

        if (j->trail.at.node == NULL) /* live: a provider's, without properties to set */
                return job_status(j, ODM_ST_NOT_ALLOWED);
        switch (j->uri.prop) {
        case ODM_PROP_ACL: return set_acl(j, text);
        case ODM_PROP_NAME: return set_name(j, text);
        case ODM_PROP_TITLE: return set_title(j, text);
        default: return job_status(j, ODM_ST_NOT_ALLOWED);
        }
}

int odm_do_replace(struct job *j)
{
        if (j->uri.list)
                return job_status(j, ODM_ST_NOT_ALLOWED);
        if (!j->trail.found)
                return job_status(j, ODM_ST_NOT_FOUND);
        if (j->uri.prop && j->op->doc)
                return job_status(j, ODM_ST_BAD_FORMAT);
        if (j->uri.prop)
                return odm_do_prop_replace(j);
        return j->op->doc ? odm_do_doc_replace(j) : replace_value(j);
}
