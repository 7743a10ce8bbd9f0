/* SPDX-License-Identifier: Apache-2.0 */
/* Finding places, whether they are stored or live at a provider. */
#include <assert.h>
#include <string.h>

#include "desc.h"
#include "spot.h"

void odm_spot_root(odm_tree *t, struct spot *out)
{
        *out = (struct spot){.node = t->root, .near = t->root, .name = ODM_STR("")};
}

odm_format odm_spot_format(const struct spot *s)
{
        return s->node ? (odm_format)s->node->format : s->desc->format;
}

bool odm_spot_is_leaf(const struct spot *s)
{
        return odm_spot_format(s) != ODM_FMT_NODE;
}

odm_str odm_spot_type(const struct spot *s)
{
        return s->node ? odm_node_type(s->node) : s->desc->type;
}

const odm_binding *odm_spot_binding(const struct spot *s)
{
        return odm_node_binding(s->mount, s->desc);
}

bool odm_spot_is_live(const struct spot *s)
{
        const odm_binding *b = odm_spot_binding(s);

        return s->node == NULL || (b && b->read);
}

odm_str odm_uri_text(const odm_uri *uri, unsigned depth, odm_arena *a)
{
        const odm_str *last = depth ? &uri->seg[depth - 1] : NULL;

        if (depth == 0)
                return ODM_STR(".");
        return odm_arena_join(a, ODM_STR("./"),
                              odm_str_to(uri->path, (size_t)(last->p + last->n - uri->path.p)));
}

void odm_spot_at(const struct spot *s, odm_str uri, odm_at *out)
{
        *out = (odm_at){.uri = uri, .desc = s->desc};
        for (size_t i = 0; i < ODM_COUNT(out->name); i++)
                out->name[i] = i < s->n_unnamed ? s->unnamed[i] : ODM_ABSENT;
}

static void note_unnamed(struct spot *s)
{
        if (s->desc && s->desc->name.n == 0 && s->n_unnamed < ODM_COUNT(s->unnamed))
                s->unnamed[s->n_unnamed++] = s->name;
}

/* ---- live children ------------------------------------------------------------- */

struct wanted {
        odm_str name;
        bool found;
};

static int is_wanted(void *list, odm_str name)
{
        struct wanted *w = list;

        w->found = odm_str_eq(w->name, name);
        return w->found;
}

static int live_is_listed(const struct spot *s, odm_str uri, odm_str name)
{
        const odm_binding *b = odm_spot_binding(s);
        struct wanted w = {name, false};
        odm_at at;

        if (b == NULL || b->list == NULL)
                return 0;
        odm_spot_at(s, uri, &at);
        int rc = b->list(s->mount->p->ctx, &at, is_wanted, &w);
        return rc < 0 ? rc : w.found;
}

/* True when the described child `d` of `s` is there without being stored. */
static bool live_by_name(const struct spot *s, const odm_desc *d)
{
        const odm_binding *b = odm_node_binding(s->mount, d);

        if (d->name.n == 0)
                return false;
        return desc_is_leaf(d) ? b && b->read : s->node == NULL;
}

static int step_live(struct spot *s, odm_str uri, odm_str name)
{
        assert(s->desc == NULL || s->mount); /* descriptions come with a mount */
        const odm_desc *d = s->desc ? odm_desc_child(s->mount->p->mo, s->desc, name) : NULL;
        int rc = 1;

        if (d == NULL)
                return 0;
        if (d->name.n == 0)
                rc = live_is_listed(s, uri, name);
        else if (!live_by_name(s, d))
                rc = 0;
        if (rc <= 0)
                return rc;
        s->node = NULL;
        s->desc = d;
        s->name = name;
        note_unnamed(s);
        return 1;
}

int odm_spot_step_at(struct spot *s, odm_str uri, odm_str name)
{
        struct node *kid = s->node ? odm_node_find(s->node, name) : NULL;

        if (kid == NULL)
                return step_live(s, uri, name);
        if (kid->mount != s->mount)
                s->n_unnamed = 0;
        s->node = s->near = kid;
        s->mount = kid->mount;
        s->desc = kid->desc;
        s->name = kid->name;
        note_unnamed(s);
        return 1;
}

bool odm_spot_forwards(const struct spot *s)
{
        if (s->node == NULL || s->mount == NULL || s->mount->p->forward == NULL)
                return false;
        return s->mount->p->forward_below ? node_is_key(s->node) : s->mount->top == s->node;
}

int odm_trail_follow(odm_tree *t, const odm_uri *uri, odm_arena *a, struct trail *out)
{
        struct trail w = {.found = false};
        int rc = 1;

        odm_spot_root(t, &w.at);
        w.above = w.at;
        while (rc == 1 && w.depth < uri->depth && !w.forwarded) {
                struct spot next = w.at;
                odm_str text = odm_uri_text(uri, w.depth, a);
                if (text.p == NULL)
                        return odm_arena_err(a);
                rc = odm_spot_step_at(&next, text, uri->seg[w.depth]);
                if (rc < 0)
                        return rc;
                if (rc == 0)
                        break;
                rc = 1;
                w.above = w.at;
                w.at = next;
                w.depth++;
                w.forwarded = odm_spot_forwards(&w.at);
        }
        w.found = w.depth == uri->depth;
        *out = w;
        return 0;
}

int odm_spot_read(const struct spot *s, odm_str uri, odm_arena *a, odm_value *out)
{
        const odm_binding *b = odm_spot_binding(s);
        odm_value v = {.format = odm_spot_format(s), .type = odm_spot_type(s)};
        odm_at at;

        if (b && b->read) {
                odm_spot_at(s, uri, &at);
                int rc = b->read(s->mount->p->ctx, &at, a, &v);
                if (rc != 0)
                        return rc;
                if (v.format == ODM_FMT_ABSENT)
                        v.format = odm_spot_format(s);
        } else if (s->node) {
                v.data = odm_node_value(s->node);
        } else {
                return ODM_ENOENT;
        }
        if (v.type.n == 0)
                v.type = ODM_STR("text/plain");
        if (v.data.p == NULL)
                v.data = ODM_STR("");
        *out = v;
        return 0;
}

/* ---- names of all children ------------------------------------------------------- */

struct gather {
        odm_arena *a;
        struct names *to;
};

static int add_name(odm_arena *a, struct names *to, odm_str name)
{
        if (to->n == to->cap) {
                size_t cap = to->cap ? to->cap * 2 : 16;
                odm_str *more = odm_arena_get(a, cap * sizeof *more);
                if (more == NULL)
                        return odm_arena_err(a);
                if (to->n)
                        memcpy(more, to->name, to->n * sizeof *more);
                to->name = more;
                to->cap = cap;
        }
        to->name[to->n++] = name;
        return 0;
}

static int gather_live(void *list, odm_str name)
{
        struct gather *g = list;
        odm_str copy;

        if (!odm_name_ok(name)) /* a provider's name that no URI could carry */
                return 0;
        copy = odm_arena_copy(g->a, name);
        return copy.p ? add_name(g->a, g->to, copy) : odm_arena_err(g->a);
}

/* Lets the name at i sink to its place in the heap of the first n. */
static void sift(odm_str *name, size_t i, size_t n)
{
        odm_str it = name[i];

        for (size_t kid = 2 * i + 1; kid < n; kid = 2 * i + 1) {
                if (kid + 1 < n && odm_str_cmp(name[kid], name[kid + 1]) < 0)
                        kid++;
                if (odm_str_cmp(it, name[kid]) >= 0)
                        break;
                name[i] = name[kid];
                i = kid;
        }
        name[i] = it;
}

/* By heap: the C library's sort may ask for memory behind our back. */
static void order(odm_str *name, size_t n)
{
        for (size_t i = n / 2; i > 0; i--)
                sift(name, i - 1, n);
        for (size_t i = n; i > 1; i--) {
                odm_str last = name[i - 1];
                name[i - 1] = name[0];
                name[0] = last;
                sift(name, 0, i - 1);
        }
}

static void sort_names(struct names *l)
{
        size_t n = 0;

        if (l->n < 2)
                return;
        order(l->name, l->n);
        for (size_t i = 0; i < l->n; i++)
                if (n == 0 || !odm_str_eq(l->name[n - 1], l->name[i]))
                        l->name[n++] = l->name[i];
        l->n = n;
}

int odm_spot_names(odm_tree *t, const struct spot *s, odm_str uri, odm_arena *a, struct names *out)
{
        struct names l = {.n = 0};
        struct gather g = {a, &l};
        const odm_binding *b = odm_spot_binding(s);
        size_t stored = s->node ? s->node->n_kids : 0;
        int rc = 0;

        (void)t;
        for (size_t i = 0; rc == 0 && i < stored; i++)
                rc = add_name(a, &l, s->node->kids[i]->name);
        if (rc == 0 && b && b->list && !odm_spot_is_leaf(s)) {
                odm_at at;
                odm_spot_at(s, uri, &at);
                rc = b->list(s->mount->p->ctx, &at, gather_live, &g);
        }
        if (rc == 0 && s->desc && !odm_spot_forwards(s)) {
                const odm_mo *mo = s->mount->p->mo;
                for (uint16_t i = s->desc->first_child; rc == 0 && i; i = mo->nodes[i].next)
                        if (live_by_name(s, &mo->nodes[i]))
                                rc = add_name(a, &l, mo->nodes[i].name);
        }
        if (rc != 0)
                return rc;
        if (l.n > stored) /* stored ones are in order already */
                sort_names(&l);
        *out = l;
        return 0;
}
