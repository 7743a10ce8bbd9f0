/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: sorted arrays of children, so that ten thousand of them are found by halving. */
#include <assert.h>
#include <string.h>

#include "node.h"

int odm_str_dup(const odm_tree *t, odm_str s, odm_str *out)
{
        char *p;

        if (s.p == NULL || s.n == 0) {
                *out = s.p ? ODM_STR("") : NO_STR;
                return 0;
        }
        p = odm_alloc(t->opt.mem, s.n);
        if (p == NULL)
                return ODM_ENOMEM;
        memcpy(p, s.p, s.n);
        *out = (odm_str){p, s.n};
        return 0;
}

void odm_str_free(const odm_tree *t, odm_str s)
{
        if (s.n)
                odm_free(t->opt.mem, (void *)(uintptr_t)s.p, s.n);
}

/* Values hold secrets; what is let go is not left lying about. */
static void value_free(const odm_tree *t, odm_str s)
{
        if (s.n)
                odm_wipe((void *)(uintptr_t)s.p, s.n);
        odm_str_free(t, s);
}

bool odm_node_owns_name(const struct node *n)
{
        return n->name.n && !(n->desc && n->desc->name.p == n->name.p);
}

struct node *odm_node_new(const odm_tree *t, odm_str name, const odm_desc *desc, struct mount *m)
{
        struct node *n = odm_alloc(t->opt.mem, sizeof *n);

        if (n == NULL)
                return NULL;
        n->desc = desc;
        n->mount = m;
        if (desc && desc->name.n && odm_str_eq(desc->name, name)) {
                n->name = desc->name;
        } else if (odm_str_dup(t, name, &n->name) < 0) {
                odm_free(t->opt.mem, n, sizeof *n);
                return NULL;
        }
        n->format = (uint8_t)(desc ? desc->format : ODM_FMT_NODE);
        return n;
}

static void free_one(const odm_tree *t, struct node *n)
{
        if (odm_node_owns_name(n))
                odm_str_free(t, n->name);
        value_free(t, n->value);
        odm_str_free(t, n->type);
        odm_str_free(t, n->acl);
        odm_str_free(t, n->title);
        odm_free(t->opt.mem, n->kids, n->cap_kids * sizeof *n->kids);
        odm_free(t->opt.mem, n, sizeof *n);
}

void odm_node_free(const odm_tree *t, struct node *n)
{
        struct node *up = NULL;

        if (n)
                n->parent = NULL;
        while (n) {
                if (n->n_kids) {
                        up = n;
                        n = up->kids[--up->n_kids];
                        continue;
                }
                up = n->parent;
                free_one(t, n);
                n = up;
        }
}

/* Where `name` is among the children, or belongs. */
static uint32_t place_of(const struct node *parent, odm_str name)
{
        uint32_t lo = 0, hi = parent->n_kids;

        while (lo < hi) {
                uint32_t mid = lo + (hi - lo) / 2;
                if (odm_str_cmp(parent->kids[mid]->name, name) < 0)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo;
}

struct node *odm_node_find(const struct node *parent, odm_str name)
{
        uint32_t i = place_of(parent, name);

        if (i < parent->n_kids && odm_str_eq(parent->kids[i]->name, name))
                return parent->kids[i];
        return NULL;
}

int odm_node_reserve(const odm_tree *t, struct node *parent)
{
        uint32_t cap = parent->cap_kids ? parent->cap_kids * 2 : 4;
        struct node **kids;

        if (parent->n_kids < parent->cap_kids)
                return 0;
        kids = t->opt.mem->resize(t->opt.mem->ctx, parent->kids, parent->cap_kids * sizeof *kids,
                                  cap * sizeof *kids);
        if (kids == NULL)
                return ODM_ENOMEM;
        parent->kids = kids;
        parent->cap_kids = cap;
        return 0;
}

void odm_node_attach(struct node *parent, struct node *n)
{
        uint32_t i = place_of(parent, n->name);

        assert(parent->n_kids < parent->cap_kids);
        memmove(&parent->kids[i + 1], &parent->kids[i],
                (parent->n_kids - i) * sizeof *parent->kids);
        parent->kids[i] = n;
        parent->n_kids++;
        n->parent = parent;
}

/* The parent keeps the room, so that an undo can put the node back. */
void odm_node_detach(struct node *n)
{
        struct node *parent = n->parent;
        uint32_t i = place_of(parent, n->name);

        assert(i < parent->n_kids && parent->kids[i] == n);
        parent->n_kids--;
        memmove(&parent->kids[i], &parent->kids[i + 1],
                (parent->n_kids - i) * sizeof *parent->kids);
}

struct node *odm_node_next(const struct node *top, struct node *n)
{
        return n->n_kids ? n->kids[0] : odm_node_after(top, n);
}

struct node *odm_node_after(const struct node *top, struct node *n)
{
        while (n != top) {
                uint32_t i = place_of(n->parent, n->name) + 1;
                if (i < n->parent->n_kids)
                        return n->parent->kids[i];
                n = n->parent;
        }
        return NULL;
}

odm_str odm_node_value(const struct node *n)
{
        if (n->value.p)
                return n->value;
        return n->desc && n->desc->has_default ? n->desc->default_value : ODM_STR("");
}

odm_str odm_node_type(const struct node *n)
{
        if (n->type.p)
                return n->type;
        if (n->desc)
                return n->desc->type;
        return node_is_leaf(n) ? ODM_STR("text/plain") : ODM_STR("");
}

size_t odm_node_bytes(const struct node *n)
{
        return (odm_node_owns_name(n) ? n->name.n : 0) + n->value.n + n->type.n + n->acl.n +
               n->title.n;
}

odm_str odm_node_acl(const struct node *n)
{
        while (n->acl.n == 0 && n->parent)
                n = n->parent;
        return n->acl;
}

odm_str odm_node_uri(const struct node *n, odm_arena *a)
{
        size_t len = 1;
        char *p;

        for (const struct node *x = n; x->parent; x = x->parent)
                len += x->name.n + 1;
        p = odm_arena_get(a, len + 1);
        if (p == NULL)
                return ODM_ABSENT;
        size_t at = len;
        for (const struct node *x = n; x->parent; x = x->parent) {
                at -= x->name.n;
                memcpy(p + at, x->name.p, x->name.n);
                p[--at] = '/';
        }
        p[0] = '.';
        p[len] = '\0';
        return (odm_str){p, len};
}

const odm_binding *odm_node_binding(const struct mount *m, const odm_desc *d)
{
        return m && m->bind && d ? m->bind[d - m->p->mo->nodes] : NULL;
}
