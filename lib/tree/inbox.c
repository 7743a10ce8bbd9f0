/* SPDX-License-Identifier: Apache-2.0 */
/* ./Inbox: a server adds an object there when the place does not matter to it, and the device
 * puts it where its identifier belongs (dm-stdobj.md 4). */
#include "desc.h"
#include "job.h"

#define TRIES_MOST 100000 /* more children than a tree may have */

/* Where objects of `id` live: the place, and whether each gets a name of its own there. */
struct home {
        odm_str uri; /* the object itself, or what its instances are below */
        bool many;
};

static odm_str desc_uri(const struct mount *m, const odm_desc *d, odm_arena *a)
{
        const odm_mo *mo = m->p->mo;
        odm_str rel = ODM_STR("");
        odm_str top;

        for (; d != mo->nodes; d = &mo->nodes[d->parent]) {
                rel = odm_arena_fmt(a, "/%.*s%.*s", (int)d->name.n, d->name.p, (int)rel.n, rel.p);
                if (d->name.n == 0 || rel.p == NULL)
                        return ODM_ABSENT;
        }
        top = odm_node_uri(m->top, a);
        return top.p ? odm_arena_join(a, top, rel) : top;
}

/* Looks for the identifier at the top of an object, and at its unnamed nodes. */
static bool home_find(struct job *j, odm_str id, struct home *out)
{
        for (struct mount *m = j->t->mounts; m; m = m->next) {
                const odm_mo *mo = m->p->mo;
                for (uint16_t i = 0; i < mo->n; i++) {
                        const odm_desc *d = &mo->nodes[i];
                        if (desc_is_leaf(d) || !odm_mo_id_same(d->type, id) || m->inbox)
                                continue;
                        if (i > 0 && d->name.n)
                                continue;
                        out->many = i > 0;
                        out->uri = desc_uri(m, i ? &mo->nodes[d->parent] : d, j->a);
                        if (out->uri.p)
                                return true;
                }
        }
        return false;
}

static bool is_free(struct job *j, odm_str uri)
{
        struct trail w;
        odm_uri u;

        if (odm_uri_parse(uri, &j->t->opt.uri, &u) < 0)
                return false;
        return odm_trail_follow(j->t, &u, j->a, &w) == 0 && !w.found;
}

/* The name asked for if it is free, else the first free number. */
static odm_str free_place(struct job *j, odm_str base, odm_str wish)
{
        odm_str uri;

        if (odm_name_ok(wish)) {
                uri = odm_arena_fmt(j->a, "%.*s/%.*s", (int)base.n, base.p, (int)wish.n, wish.p);
                if (uri.p == NULL || is_free(j, uri))
                        return uri;
        }
        for (unsigned i = 1; i <= TRIES_MOST; i++) {
                uri = odm_arena_fmt(j->a, "%.*s/%u", (int)base.n, base.p, i);
                if (uri.p == NULL || is_free(j, uri))
                        return uri;
        }
        return ODM_ABSENT;
}

static int place(struct job *j, odm_str id, odm_str wish, const odm_op *what)
{
        struct home home = {.many = false};
        odm_op op = *what;
        struct job sub = odm_job_for(j, &op, j->out);
        int rc;

        if (!home_find(j, id, &home))
                return j->a->err ? odm_arena_err(j->a) : job_status(j, ODM_ST_NOT_FOUND);
        op.target = home.many ? free_place(j, home.uri, wish) : home.uri;
        if (op.target.p == NULL) /* no name is free, or none that an address may have */
                return j->a->err ? odm_arena_err(j->a) : job_status(j, ODM_ST_FULL);
        sub.placed = true;
        rc = odm_job_find(&sub, op.target);
        if (rc == 1)
                rc = odm_do_add(&sub);
        if (rc == 0 && odm_status_ok(j->out->status))
                j->out->created = op.target;
        return rc;
}

/* Each top of the document is an object of its own; it goes to its place without its name. */
static int place_doc(struct job *j, odm_str wish)
{
        int rc = 0;

        for (const odm_doc_node *n = j->op->doc->nodes; n && rc == 0; n = n->next) {
                odm_doc_node *top = odm_new(j->a, odm_doc_node);
                odm_doc *doc = odm_new(j->a, odm_doc);
                odm_op op = *j->op;
                if (top == NULL || doc == NULL)
                        return odm_arena_err(j->a);
                *doc = *j->op->doc;
                *top = *n;
                doc->nodes = top;
                top->next = NULL;
                top->name = ODM_STR("");
                top->path = ODM_ABSENT;
                op.doc = doc;
                rc = place(j, n->type, n->name.n ? n->name : wish, &op);
                if (!odm_status_ok(j->out->status))
                        break;
        }
        return rc;
}

int odm_do_inbox(struct job *j)
{
        odm_str wish = j->uri.depth > 1 ? j->uri.seg[j->uri.depth - 1] : ODM_ABSENT;

        if (j->trail.depth != 1 || j->uri.depth > 2)
                return job_status(j, ODM_ST_NOT_ALLOWED);
        if (!odm_job_has_right(j, &j->trail.at, ODM_ACC_ADD))
                return job_status(j, ODM_ST_DENIED);
        if (j->op->doc)
                return place_doc(j, wish);
        if (j->op->value.format != ODM_FMT_NODE)
                return job_status(j, ODM_ST_NOT_ALLOWED);
        return place(j, odm_str_trim(j->op->value.type), wish, j->op);
}
