/* SPDX-License-Identifier: Apache-2.0 */
/* Add and Replace of a TNDS document: a subtree in one go, all or nothing (dm-tree.md 8).
 *
 * Each node of the document becomes an operation of its own, in document order; the first that is
 * refused gives its status to the whole, and the operation around takes back what was done.
 * Where the top node goes is the decision procedure of section 8:
 *
 *   Path is there                               target / Path / NodeName
 *   NodeName empty                              the target itself                   (b)
 *   target exists and is interior (Add)         target / NodeName                   (a)
 *   NodeName is the target's last segment       the target itself                   (b)
 *   otherwise                                   target / NodeName, making target    (a) */
#include "desc.h"
#include "job.h"
#include "txn.h"

struct load {
        struct job *j;
        odm_str target; /* "./A/b" */
        bool replace;
        odm_str last;      /* last segment of the target */
        bool target_there; /* before the operation, and interior */
};

static odm_str strip_dots(odm_str path)
{
        if (odm_str_is(path, "."))
                return ODM_STR("");
        return odm_str_starts(path, "./") ? odm_str_from(path, 2) : path;
}

static odm_str join(odm_arena *a, odm_str base, odm_str name)
{
        if (base.p == NULL || name.n == 0)
                return base;
        return odm_arena_fmt(a, "%.*s/%.*s", (int)base.n, base.p, (int)name.n, name.p);
}

static odm_str place_of_top(const struct load *l, const odm_doc_node *n)
{
        odm_arena *a = l->j->a;

        if (n->path.p)
                return join(a, join(a, l->target, strip_dots(n->path)), n->name);
        if (n->name.n == 0 || odm_str_is(n->name, "."))
                return l->target;
        if ((l->replace || !l->target_there) && odm_str_eq(n->name, l->last))
                return l->target;
        return join(a, l->target, n->name);
}

static bool is_interior(const odm_doc_node *n)
{
        if (n->format != ODM_FMT_ABSENT)
                return n->format == ODM_FMT_NODE;
        return n->children || (n->has_rt && n->type_is_ddf_name);
}

/* The operation, of out->kind, that a node of the document stands for.  Octets are octets,
 * whichever form the document has; what is no base64 is refused when its turn comes.  0,
 * ODM_ENOMEM, ODM_ELIMIT. */
static int op_of(const struct load *l, const odm_doc_node *n, odm_str uri, odm_op *out)
{
        odm_op op = {
                .kind = out->kind, .target = uri, .server = l->j->op->server, .has_value = true};
        int rc = 0;

        op.value.type = n->type;
        op.value.format = n->format;
        if (is_interior(n))
                op.value.format = ODM_FMT_NODE;
        else
                op.value.data = n->value.bytes;
        if (op.value.format == ODM_FMT_BIN && n->value.kind == ODM_DATA_TEXT)
                rc = odm_b64_decode(l->j->a, n->value.bytes.p ? n->value.bytes : ODM_STR(""),
                                    &op.value.data);
        op.b64 = rc == ODM_EMALFORMED;
        if (op.value.format == ODM_FMT_ABSENT)
                op.value.format = ODM_FMT_CHR;
        *out = op;
        return op.b64 ? 0 : rc;
}

/* An ACL in the document stays as it is there; else the usual of a new node. */
static int apply_acl(struct job *sub, const odm_doc_node *n)
{
        struct trail w;
        int rc;

        if (n->acl.n == 0)
                return 0;
        if (odm_acl_check(n->acl) < 0)
                return job_status(sub, ODM_ST_FAILED);
        if (sub->uri.depth == 0 && !odm_acl_allows(n->acl, ODM_ACC_ADD, ODM_STR("")))
                return job_status(sub, ODM_ST_NOT_ALLOWED); /* the root keeps its Add=* */
        if (!tree_has_room(sub->t, 0, n->acl.n))
                return job_status(sub, ODM_ST_FULL);
        rc = odm_trail_follow(sub->t, &sub->uri, sub->a, &w);
        if (rc < 0 || odm_str_eq(w.at.node->acl, n->acl))
                return rc;
        return odm_txn_acl(sub->t, w.at.node, n->acl);
}

static int add_node(struct load *l, const odm_doc_node *n, odm_str uri)
{
        odm_op op = {.kind = ODM_CMD_ADD};
        struct job sub = odm_job_for(l->j, &op, l->j->out);
        int rc = op_of(l, n, uri, &op);

        sub.in_doc = true;
        if (rc == 0)
                rc = odm_job_find(&sub, uri);
        if (rc <= 0)
                return rc;
        if (sub.trail.forwarded || (odm_spot_is_inbox(&sub.trail.at) && !job_is_device(&sub)))
                return job_status(&sub, ODM_ST_NOT_ALLOWED);
        if (n->children && op.value.format != ODM_FMT_NODE)
                return job_status(&sub, ODM_ST_BAD_FORMAT);
        rc = odm_do_add(&sub);
        if (rc != 0 || !odm_status_ok(sub.out->status))
                return rc;
        return apply_acl(&sub, n);
}

/* ---- Replace ---------------------------------------------------------------------------- */

/* A live leaf that takes values, and has another one now.  1, 0, or an error. */
static int would_be_written(struct job *sub, odm_str uri)
{
        const odm_binding *b = odm_spot_binding(&sub->trail.at);
        odm_value v;

        if (b == NULL || b->write == NULL)
                return 0;
        int rc = odm_spot_read(&sub->trail.at, uri, sub->a, &v);
        if (rc == ODM_ENOMEM || rc == ODM_ELIMIT)
                return rc;
        return rc == 0 && !odm_str_eq(v.data, sub->op->value.data);
}

/* What a reader of the tree hands back unchanged need not be writable. */
static bool stays_as_it_is(struct job *sub)
{
        struct node *n = sub->trail.at.node;
        const struct spot *s = &sub->trail.at;

        if (odm_job_may(sub, s, ODM_ACC_REPLACE) && !odm_spot_is_live(s))
                return false;
        return odm_spot_is_live(s) || (n && odm_str_eq(odm_node_value(n), sub->op->value.data));
}

static int replace_leaf(struct job *sub, odm_str uri)
{
        int rc = would_be_written(sub, uri);

        if (rc < 0)
                return rc;
        if (rc == 1 && odm_job_may(sub, &sub->trail.at, ODM_ACC_REPLACE))
                return job_status(sub, ODM_ST_UNSUPPORTED); /* nothing could take it back */
        if (stays_as_it_is(sub))
                return 0;
        if (!odm_job_may(sub, &sub->trail.at, ODM_ACC_REPLACE))
                return job_status(sub, ODM_ST_NOT_ALLOWED);
        return odm_do_replace(sub);
}

/* An interior node is as if it were made anew: of the kind that the document says, if it says one.
 */
static int replace_interior(struct job *sub, const odm_doc_node *n)
{
        struct node *node = sub->trail.at.node;
        odm_str type;
        unsigned status;

        if (node == sub->t->root || !(n->has_rt && n->type_is_ddf_name))
                return 0;
        status = odm_interior_type(node->desc, n->type, &type);
        if (!odm_status_ok(status))
                return job_status(sub, node->permanent ? (unsigned)ODM_ST_NOT_ALLOWED : status);
        if (node->desc || node->fixed || odm_str_eq(type, node->type))
                return 0;
        if (!tree_has_room(sub->t, node->type.n, type.n))
                return job_status(sub, ODM_ST_FULL);
        return odm_txn_value(sub->t, node, ODM_FMT_NODE, type, NO_STR, false);
}

/* A node that exists: it keeps its place, and takes value and list from the document. */
static int replace_there(struct load *l, struct job *sub, const odm_doc_node *n, odm_str uri)
{
        struct node *node = sub->trail.at.node;
        int rc = 0;

        if (odm_spot_is_leaf(&sub->trail.at))
                rc = replace_leaf(sub, uri);
        else if (node)
                rc = replace_interior(sub, n);
        if (rc != 0 || !odm_status_ok(sub->out->status) || node == NULL)
                return rc;
        node->marked = l->j->t->serial;
        if (n->acl.n)
                return apply_acl(sub, n);
        if (node->permanent || node->acl.n == 0 || odm_str_eq(sub->uri.path, l->j->uri.path))
                return 0;
        return odm_txn_acl(sub->t, node, ODM_STR(""));
}

static int mark_found(struct job *j, odm_str uri)
{
        struct trail w;
        odm_uri u;
        int rc = odm_uri_parse(uri, NULL, &u);

        if (rc == 0)
                rc = odm_trail_follow(j->t, &u, j->a, &w);
        if (rc == 0)
                for (struct node *n = w.at.node; n; n = n->parent)
                        n->marked = j->t->serial;
        return rc;
}

static int replace_node(struct load *l, const odm_doc_node *n, odm_str uri)
{
        odm_op op = {.kind = ODM_CMD_REPLACE};
        struct job sub = odm_job_for(l->j, &op, l->j->out);
        bool leaf;
        int rc = op_of(l, n, uri, &op);

        if (rc == 0)
                rc = odm_job_find(&sub, uri);
        if (rc <= 0)
                return rc;
        if (sub.trail.forwarded || odm_spot_is_inbox(&sub.trail.at))
                return job_status(&sub, ODM_ST_NOT_ALLOWED);
        leaf = sub.trail.found && odm_spot_is_leaf(&sub.trail.at);
        if (sub.trail.found && leaf == !is_interior(n))
                return replace_there(l, &sub, n, uri);
        if (sub.trail.found && sub.trail.at.node) { /* leaf and interior change places */
                rc = odm_delete_found(&sub);
                if (rc != 0 || !odm_status_ok(sub.out->status))
                        return rc;
        }
        rc = add_node(l, n, uri);
        if (rc != 0 || !odm_status_ok(sub.out->status))
                return rc;
        return mark_found(l->j, uri);
}

static bool has_permanent(const struct node *top)
{
        for (const struct node *n = top; n; n = odm_node_next(top, (struct node *)(uintptr_t)n))
                if (n->permanent || n->fixed || node_is_key(n))
                        return true;
        return false;
}

/* What the document does not have goes, but for what cannot. */
static int delete_unmarked(struct job *j, struct node *top)
{
        struct node *n = odm_node_next(top, top);

        while (n) {
                bool keep = n->marked == j->t->serial || has_permanent(n);
                struct node *after = keep ? odm_node_next(top, n) : odm_node_after(top, n);
                if (!keep) {
                        struct job sub = *j;
                        sub.trail.at.node = n;
                        int rc = odm_delete_found(&sub);
                        if (rc != 0 || !odm_status_ok(j->out->status))
                                return rc;
                }
                n = after;
        }
        return 0;
}

/* ---- both ---------------------------------------------------------------------------------- */

struct step {
        const odm_doc_node *node;
        odm_str uri;
};

static int one_node(struct load *l, const odm_doc_node *n, odm_str uri)
{
        return l->replace ? replace_node(l, n, uri) : add_node(l, n, uri);
}

/* The tree of one top node, in document order, with a stack instead of recursion. */
static int one_top(struct load *l, const odm_doc_node *top)
{
        struct step up[ODM_URI_SEGS];
        const odm_doc_node *n = top;
        odm_str uri = place_of_top(l, top);
        unsigned depth = 0;
        int rc = 0;

        if (top->name.n && !odm_name_ok(top->name) && !odm_str_is(top->name, "."))
                return job_status(l->j, ODM_ST_FAILED);
        while (n && rc == 0) {
                if (uri.p == NULL)
                        return odm_arena_err(l->j->a);
                rc = one_node(l, n, uri);
                if (rc != 0 || !odm_status_ok(l->j->out->status))
                        return rc;
                if (n->children && depth == ODM_URI_SEGS)
                        return job_status(l->j, ODM_ST_URI_TOO_LONG);
                if (n->children) {
                        up[depth++] = (struct step){n, uri};
                        n = n->children;
                } else {
                        while (depth && n->next == NULL)
                                n = up[--depth].node;
                        n = depth ? n->next : NULL;
                }
                if (n && !odm_name_ok(n->name))
                        return job_status(l->j, ODM_ST_FAILED);
                if (n)
                        uri = join(l->j->a, up[depth - 1].uri, n->name);
        }
        return rc;
}

static int all_tops(struct load *l)
{
        int rc = 0;

        if (l->j->op->doc->nodes == NULL)
                return job_status(l->j, ODM_ST_FAILED);
        for (const odm_doc_node *n = l->j->op->doc->nodes; n && rc == 0; n = n->next) {
                rc = one_top(l, n);
                if (!odm_status_ok(l->j->out->status))
                        break;
        }
        return rc;
}

static int load_init(struct load *l, struct job *j, bool replace)
{
        *l = (struct load){.j = j, .replace = replace};
        l->target = odm_uri_text(&j->uri, j->uri.depth, j->a);
        l->last = j->uri.depth ? j->uri.seg[j->uri.depth - 1] : ODM_STR(".");
        l->target_there = j->trail.found && !odm_spot_is_leaf(&j->trail.at);
        return l->target.p ? 0 : odm_arena_err(j->a);
}

int odm_do_doc_add(struct job *j)
{
        struct load l;
        int rc = load_init(&l, j, false);

        return rc < 0 ? rc : all_tops(&l);
}

/* The rest of replace_at(), with the rights that it found. */
static int replace_found(struct load *l, odm_str uri, const odm_doc_node *one)
{
        struct job *top = l->j;
        const struct spot *s = &top->trail.at;
        int rc;

        s->node->marked = top->t->serial;
        rc = one ? one_top(l, one) : all_tops(l);
        if (rc != 0 || !odm_status_ok(top->out->status))
                return rc;
        rc = odm_job_find(top, uri); /* again: it may be another node now */
        if (rc <= 0 || s->node == NULL)
                return rc < 0 ? rc : 0;
        return delete_unmarked(top, s->node);
}

/* Replaces what is at `uri` by the one top, or by all of them, when the server has the rights to
 * that place. */
static int replace_at(struct load *l, struct job *j, odm_str uri, const odm_doc_node *one)
{
        struct job top = odm_job_for(j, j->op, j->out);
        const struct spot *s = &top.trail.at;
        int rc = uri.p ? odm_job_find(&top, uri) : odm_arena_err(j->a);

        if (rc <= 0)
                return rc;
        if (!top.trail.found)
                return job_status(j, ODM_ST_NOT_FOUND);
        if (s->node == NULL || top.trail.forwarded)
                return job_status(j, ODM_ST_NOT_ALLOWED);
        if (!odm_job_has_right(j, s, ODM_ACC_REPLACE) || !odm_job_has_right(j, s, ODM_ACC_ADD) ||
            !odm_job_has_right(j, s, ODM_ACC_DELETE))
                return job_status(j, ODM_ST_DENIED);
        top.trusted = true; /* rights at the top are rights to all of it */
        l->j = &top;
        rc = replace_found(l, uri, one);
        l->j = j;
        return rc;
}

/* A flat document, and one whose first top is the target, replace the target; else each top
 * replaces the child that it names. */
int odm_do_doc_replace(struct job *j)
{
        const odm_doc_node *first = j->op->doc->nodes;
        struct load l;
        int rc = load_init(&l, j, true);

        if (rc < 0)
                return rc;
        if (first == NULL)
                return job_status(j, ODM_ST_FAILED);
        odm_str uri = place_of_top(&l, first);
        if (first->path.p || (uri.p && odm_str_eq(uri, l.target)))
                return replace_at(&l, j, l.target, NULL);
        for (const odm_doc_node *n = first; n && rc == 0 && odm_status_ok(j->out->status);
             n = n->next) {
                l.j = j;
                rc = replace_at(&l, j, place_of_top(&l, n), n);
        }
        return rc;
}
