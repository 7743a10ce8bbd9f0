/* SPDX-License-Identifier: Apache-2.0 */
/* Add (dm-protocol.md 7.2), with the parents it makes on the way, and the list that a creator
 * gets (dm-tree.md 4.5). */
#include <assert.h>

#include "acl.h"
#include "desc.h"
#include "job.h"
#include "txn.h"
#include "value.h"

/* How many children made after `d` there are, against its Occurrence. */
static bool occurs_full(const struct spot *parent, const odm_desc *d)
{
        uint32_t most = d->occurs_n, n = 0;

        if (d->occurs == ODM_OCC_ZERO_OR_MORE || d->occurs == ODM_OCC_ONE_OR_MORE)
                return false;
        if (d->occurs == ODM_OCC_ONE || d->occurs == ODM_OCC_ZERO_OR_ONE)
                most = 1;
        for (uint32_t i = 0; i < parent->node->n_kids; i++)
                n += parent->node->kids[i]->desc == d;
        return n >= most;
}

/* Its children are the device's own business. */
static bool has_keys(const struct spot *parent)
{
        const struct mount *m = parent->mount;

        return m && m->top == parent->node && m->p->forward && m->p->forward_below;
}

/* May `name` be made below `parent`, by its description?  Says after which descriptor.
 * Documents differ in where they write Add: on the parent, or on the leaf that may be added. */
static unsigned check_place(const struct job *j, const struct spot *parent, odm_str name, bool last,
                            const odm_desc **out)
{
        const odm_desc *d = NULL;

        if (odm_spot_is_leaf(parent) || parent->node == NULL)
                return ODM_ST_NOT_ALLOWED;
        if (!job_is_device(j) && has_keys(parent))
                return ODM_ST_NOT_ALLOWED;
        if (parent->desc) {
                d = odm_desc_child(parent->mount->p->mo, parent->desc, name);
                if (d == NULL && !odm_desc_is_open(parent->desc))
                        return ODM_ST_NOT_ALLOWED;
        }
        if (d && !last && desc_is_leaf(d))
                return ODM_ST_NOT_ALLOWED;
        if (d && !job_is_device(j) && odm_desc_is_fixed(parent->mount->p->mo, d))
                return ODM_ST_NOT_ALLOWED;
        if (!odm_job_may(j, parent, ODM_ACC_ADD) &&
            !(d && desc_is_leaf(d) && (d->access & ODM_ACC_ADD)))
                return ODM_ST_NOT_ALLOWED;
        if (d && occurs_full(parent, d))
                return ODM_ST_FULL;
        *out = d;
        return ODM_ST_OK;
}

static bool may_add_below(const struct job *j, const struct spot *parent)
{
        if (j->in_doc && parent->node->born == j->t->serial)
                return true; /* part of what this very Add makes */
        return odm_job_has_right(j, parent, ODM_ACC_ADD);
}

/* ---- making one node --------------------------------------------------------------- */

/* The list of a new interior node (dm-tree.md 4.5); returns 1, or what the operation ends with.  A
 * server whose id would break the list, or give rights to others, makes no node that needs one. */
static int creator_acl(struct job *j, const struct spot *parent, odm_str *out)
{
        odm_str s = j->op->server;

        *out = NO_STR;
        if (job_is_device(j) || odm_acl_allows(odm_node_acl(parent->near), ODM_ACC_REPLACE, s))
                return 1;
        if (!odm_acl_is_server(s))
                return job_status(j, ODM_ST_DENIED);
        *out = odm_arena_fmt(j->a, "Add=%.*s&Delete=%.*s%s%.*s&Replace=%.*s", (int)s.n, s.p,
                             (int)s.n, s.p, j->t->opt.creator_get ? "&Get=" : "",
                             j->t->opt.creator_get ? (int)s.n : 0, s.p, (int)s.n, s.p);
        return out->p ? 1 : odm_arena_err(j->a);
}

/* A new node with what it starts with; `type` absent is the usual one. */
static int make(struct job *j, struct spot *at, odm_str name, const odm_desc *d, odm_value v,
                odm_str acl)
{
        odm_tree *t = j->t;
        struct node *n;
        int rc = 0;

        if (t->n_nodes >= t->opt.max_nodes ||
            !tree_has_room(t, 0, name.n + v.data.n + v.type.n + acl.n))
                return job_status(j, ODM_ST_FULL);
        n = odm_node_new(t, name, d, at->mount);
        if (n == NULL)
                return ODM_ENOMEM;
        n->format = (uint8_t)v.format;
        n->permanent = job_is_device(j) && d && odm_desc_is_fixed(at->mount->p->mo, d);
        rc = odm_str_dup(t, v.type, &n->type);
        if (rc == 0)
                rc = odm_str_dup(t, v.data, &n->value);
        if (rc == 0)
                rc = odm_str_dup(t, acl, &n->acl);
        if (rc == 0)
                rc = odm_txn_add(t, at->node, n);
        if (rc < 0) {
                odm_node_free(t, n);
                return rc;
        }
        at->node = at->near = n;
        at->desc = d;
        at->name = n->name;
        if (d && d->name.n == 0 && at->n_unnamed < ODM_COUNT(at->unnamed))
                at->unnamed[at->n_unnamed++] = n->name;
        return 0;
}

static int make_interior(struct job *j, struct spot *at, odm_str name, const odm_desc *d,
                         odm_str type)
{
        odm_str acl;
        int rc = creator_acl(j, at, &acl);

        if (rc <= 0)
                return rc;
        if (d && desc_is_leaf(d))
                return job_status(j, ODM_ST_BAD_FORMAT);
        return make(j, at, name, d,
                    (odm_value){.format = ODM_FMT_NODE, .type = type, .data = NO_STR}, acl);
}

unsigned odm_interior_type(const odm_desc *d, odm_str sent, odm_str *out)
{
        sent = odm_str_trim(sent);
        *out = NO_STR;
        if (sent.n == 0 || odm_str_ieq(sent, "text/plain"))
                return ODM_ST_OK;
        if (!odm_utf8_ok(sent))
                return ODM_ST_BAD_FORMAT;
        if (d == NULL)
                *out = sent;
        else if (!odm_str_eq(d->type, sent) && !odm_mo_id_same(d->type, sent))
                return ODM_ST_BAD_FORMAT;
        return ODM_ST_OK;
}

static int make_leaf(struct job *j, struct spot *at, odm_str name, const odm_desc *d)
{
        value_place place = {.desc = d};
        const odm_binding *b = odm_node_binding(at->mount, d);
        odm_value v = {.format = ODM_FMT_ABSENT};
        unsigned status = ODM_ST_OK;
        int rc;

        if (d && !desc_is_leaf(d))
                return job_status(j, ODM_ST_BAD_FORMAT);
        if (b && b->read) /* it is there by itself, or not at all */
                return job_status(j, ODM_ST_NOT_ALLOWED);
        rc = odm_value_take(&place, j->op, j->t->opt.max_value, j->a, &v, &status);
        if (rc == 0 && odm_status_ok(status) && b && b->check) {
                assert(d); /* what is bound is described */
                struct spot there = *at;
                odm_str uri = odm_uri_text(&j->uri, j->uri.depth, j->a);
                if (uri.p == NULL)
                        return odm_arena_err(j->a);
                there.desc = d;
                if (d->name.n == 0 && there.n_unnamed < ODM_COUNT(there.unnamed))
                        there.unnamed[there.n_unnamed++] = name;
                rc = odm_job_check(j, &there, uri, &v, &status);
        }
        if (rc != 0 || !odm_status_ok(status))
                return rc ? rc : job_status(j, status);
        if (odm_str_eq(v.type, d && d->type.n ? d->type : ODM_STR("text/plain")))
                v.type = NO_STR;
        return make(j, at, name, d, v, NO_STR);
}

static int make_last(struct job *j, struct spot *at, odm_str name, const odm_desc *d)
{
        odm_str type;

        if (j->op->value.format != ODM_FMT_NODE)
                return make_leaf(j, at, name, d);
        unsigned status = odm_interior_type(d, j->op->value.type, &type);
        if (!odm_status_ok(status))
                return job_status(j, status);
        return make_interior(j, at, name, d, type);
}

/* ---- the way down -------------------------------------------------------------------- */

static int add_missing(struct job *j)
{
        struct spot at = j->trail.at;
        unsigned i = j->trail.depth;
        int rc = 0;

        for (; rc == 0 && i < j->uri.depth && odm_status_ok(j->out->status); i++) {
                bool last = i + 1 == j->uri.depth;
                const odm_desc *d = NULL;
                unsigned status = check_place(j, &at, j->uri.seg[i], last, &d);
                if (status == ODM_ST_OK && i == j->trail.depth && !may_add_below(j, &at))
                        status = ODM_ST_DENIED;
                if (status != ODM_ST_OK)
                        rc = job_status(j, status);
                else if (last)
                        rc = make_last(j, &at, j->uri.seg[i], d);
                else
                        rc = make_interior(j, &at, j->uri.seg[i], d, NO_STR);
        }
        if (rc == 0 && !odm_status_ok(j->out->status) && i < j->uri.depth) {
                j->out->failing = odm_uri_text(&j->uri, i, j->a);
                if (j->out->failing.p == NULL)
                        rc = odm_arena_err(j->a);
        }
        return rc;
}

int odm_do_add(struct job *j)
{
        if (j->uri.prop || j->uri.list)
                return job_status(j, ODM_ST_NOT_ALLOWED);
        if (j->op->doc)
                return odm_do_doc_add(j);
        if (j->trail.found)
                return job_status(j, ODM_ST_EXISTS);
        return add_missing(j);
}
