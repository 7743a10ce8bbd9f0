/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors of management objects: made of a decoded DDF document (dm-tree.md 7), and found by
 * path.  Documents come from vendors, so each rule is checked with a reason of its own. */
#include "desc.h"
#include "value.h"

const odm_desc *odm_desc_child(const odm_mo *mo, const odm_desc *parent, odm_str name)
{
        const odm_desc *unnamed = NULL;

        for (uint16_t i = parent->first_child; i; i = mo->nodes[i].next) {
                if (mo->nodes[i].name.n == 0)
                        unnamed = &mo->nodes[i];
                else if (odm_str_eq(mo->nodes[i].name, name))
                        return &mo->nodes[i];
        }
        return unnamed;
}

const odm_desc *odm_desc_unnamed(const odm_mo *mo, const odm_desc *parent)
{
        return odm_desc_child(mo, parent, ODM_STR(""));
}

bool odm_desc_is_open(const odm_desc *d)
{
        return !desc_is_leaf(d) && (odm_str_is(d->name, "Ext") || odm_str_is(d->name, "Bearer"));
}

bool odm_desc_is_fixed(const odm_mo *mo, const odm_desc *d)
{
        while (d->permanent && d != mo->nodes)
                d = &mo->nodes[d->parent];
        return d->permanent;
}

bool odm_desc_takes_type(const odm_desc *d, odm_str type)
{
        odm_str all = d->types.n ? d->types : d->type;

        if (all.n == 0)
                return true;
        while (all.n) {
                size_t n = 0;
                while (n < all.n && all.p[n] != ' ')
                        n++;
                if (odm_text_same(odm_str_to(all, n), type))
                        return true;
                all = odm_str_from(all, n + 1);
        }
        return false;
}

static odm_str without_version(odm_str id)
{
        for (size_t n = id.n; n; n--)
                if (id.p[n - 1] == ':')
                        return odm_str_to(id, n);
        return id;
}

bool odm_mo_id_same(odm_str a, odm_str b)
{
        return a.n && odm_str_eq(without_version(a), without_version(b));
}

const odm_desc *odm_mo_find(const odm_mo *mo, odm_str rel)
{
        const odm_desc *d = mo->nodes;

        while (rel.n && d) {
                size_t n = 0;
                while (n < rel.n && rel.p[n] != '/')
                        n++;
                d = odm_desc_child(mo, d, odm_str_to(rel, n));
                rel = odm_str_from(rel, n + 1);
        }
        return d;
}

/* ---- from a document -------------------------------------------------------- */

static const char *check_node(const odm_doc_node *n, bool top)
{
        bool leaf = n->df_format != ODM_FMT_NODE;

        if (!n->has_df)
                return "DFProperties is missing";
        if (n->df_format == ODM_FMT_ABSENT)
                return "DFFormat is missing";
        if (n->df_format == ODM_FMT_OTHER)
                return "DFFormat is none of the known formats";
        if (n->name.n && !odm_name_ok(n->name))
                return "NodeName has a character that no name may have";
        if (!top && n->path.n)
                return "Path is only for the top nodes of a document";
        if (leaf && n->children)
                return "a leaf has children";
        if (!leaf && (n->default_value.p || n->value.kind != ODM_DATA_ABSENT))
                return "an interior node has a value";
        if (leaf && n->df_types == NULL)
                return "DFType of a leaf names no MIME type";
        if (leaf && n->df_type_is_ddf_name)
                return "DFType of a leaf is an object identifier";
        if (!leaf && n->df_types && !n->df_type_is_ddf_name)
                return "DFType of an interior node is a MIME type";
        if ((n->occurs == ODM_OCC_ZERO_OR_N || n->occurs == ODM_OCC_ONE_OR_N) &&
            (n->occurs_n < 2 || n->occurs_n > 65536))
                return "Occurrence N is not from 2 to 65536";
        if (leaf && (n->access & ODM_ACC_EXEC) == 0 && n->default_value.n &&
            !odm_value_fits(n->df_format, n->default_value))
                return "DefaultValue does not fit DFFormat";
        return NULL;
}

/* Siblings must differ in name, and only one of them may be unnamed. */
static const char *check_siblings(const odm_doc_node *first)
{
        for (const odm_doc_node *x = first; x; x = x->next)
                for (const odm_doc_node *y = x->next; y; y = y->next)
                        if (odm_str_eq(x->name, y->name))
                                return x->name.n ? "two nodes have the same name"
                                                 : "two siblings are unnamed";
        return NULL;
}

static odm_str join_types(const odm_doc_node *n, odm_arena *a)
{
        odm_str all = ODM_STR("");

        if (n->df_types == NULL || n->df_types->next == NULL)
                return all;
        for (const odm_ref *r = n->df_types; r; r = r->next)
                all = all.n ? odm_arena_fmt(a, "%.*s %.*s", (int)all.n, all.p, (int)r->uri.n,
                                            r->uri.p)
                            : r->uri;
        return all;
}

static odm_str or_empty(odm_str s)
{
        return s.p ? s : ODM_STR("");
}

/* Copies what the table keeps; the document may live in another arena. */
static int fill(odm_desc *d, const odm_doc_node *n, odm_arena *a)
{
        odm_str text = or_empty(n->default_value);

        *d = (odm_desc){
                .format = n->df_format,
                .access = n->access,
                .permanent = n->permanent,
                .any_case = n->any_case,
                .occurs = n->occurs,
                .occurs_n = n->occurs_n,
                .has_default = n->default_value.p != NULL,
        };
        d->name = odm_arena_copy(a, or_empty(n->name));
        d->type = odm_arena_copy(a, n->df_types ? or_empty(n->df_types->uri) : ODM_STR(""));
        d->types = odm_arena_copy(a, join_types(n, a));
        d->title = odm_arena_copy(a, or_empty(n->df_title));
        d->text = odm_arena_copy(a, or_empty(n->description));
        d->default_value = odm_arena_copy(a, text);
        if (d->name.p && d->type.p && d->types.p && d->title.p && d->text.p && d->default_value.p)
                return 0;
        return odm_arena_err(a);
}

/* The next node of a document in its order; `up` is the stack of those above. */
static const odm_doc_node *walk_next(const odm_doc_node *n, const odm_doc_node **up,
                                     unsigned *depth)
{
        if (n->children) {
                up[(*depth)++] = n;
                return n->children;
        }
        while (*depth && n->next == NULL)
                n = up[--*depth];
        return *depth ? n->next : NULL;
}

static bool path_ok(odm_str path, odm_str *plain)
{
        odm_uri u;

        if (path.n == 0) {
                *plain = ODM_STR("");
                return true;
        }
        if (odm_uri_parse(path, NULL, &u) < 0 || u.prop || u.list)
                return false;
        *plain = u.path;
        return true;
}

/* Where a walk through a document is. */
struct place {
        const odm_doc_node *up[ODM_URI_SEGS], *at;
        unsigned depth;
};

/* Counts the nodes below `top` and checks each; 0 with *why set when one breaks a rule. */
static size_t check_all(const odm_doc_node *top, struct place *p, const char **why)
{
        size_t count = 0;

        *p = (struct place){.at = top};
        while (p->at && *why == NULL) {
                *why = check_node(p->at, p->at == top);
                if (*why == NULL)
                        *why = check_siblings(p->at->children);
                if (*why == NULL && p->at->children && p->depth + 1 >= ODM_URI_SEGS)
                        *why = "nodes are nested too deeply";
                if (*why == NULL && ++count > UINT16_MAX)
                        *why = "more than 65535 nodes";
                if (*why == NULL)
                        p->at = walk_next(p->at, p->up, &p->depth);
        }
        return *why ? 0 : count;
}

static odm_str add_name(odm_arena *a, odm_str path, odm_str name)
{
        odm_str shown = name.n ? name : ODM_STR("<X>");

        if (path.p == NULL)
                return path;
        return odm_arena_fmt(a, "%.*s%s%.*s", (int)path.n, path.p, path.n ? "/" : "", (int)shown.n,
                             shown.p);
}

int odm_mo_culprit(const odm_doc_node *top, odm_arena *arena, odm_str *where)
{
        const char *why = NULL;
        odm_str path = ODM_STR("");
        struct place p;

        (void)check_all(top, &p, &why);
        if (why == NULL) {
                p.at = top; /* then it is the Path, which only the top has */
                p.depth = 0;
                if (path_ok(top->path, &path))
                        return ODM_ENOENT;
                path = ODM_STR("");
        }
        for (unsigned i = 0; i < p.depth; i++)
                path = add_name(arena, path, p.up[i]->name);
        path = add_name(arena, path, p.at->name);
        if (path.p == NULL)
                return odm_arena_err(arena);
        *where = path;
        return 0;
}

static int fill_all(const odm_doc_node *top, odm_desc *nodes, odm_arena *a)
{
        const odm_doc_node *up[ODM_URI_SEGS];
        uint16_t index[ODM_URI_SEGS + 1] = {0}; /* of the latest node at each depth */
        uint16_t i = 0;
        unsigned depth = 0;

        for (const odm_doc_node *n = top; n; n = walk_next(n, up, &depth), i++) {
                int rc = fill(&nodes[i], n, a);
                if (rc < 0)
                        return rc;
                if (depth) {
                        odm_desc *parent = &nodes[index[depth - 1]];
                        nodes[i].parent = index[depth - 1];
                        if (parent->first_child == 0)
                                parent->first_child = i;
                        else
                                nodes[index[depth]].next = i;
                }
                index[depth] = i;
        }
        return 0;
}

int odm_mo_from_doc(const odm_doc_node *top, odm_arena *arena, odm_mo *out, const char **why)
{
        const char *reason = NULL;
        odm_mo mo = {.n = 0};
        odm_str path = ODM_ABSENT;
        struct place place;
        size_t n = check_all(top, &place, &reason);
        int rc = 0;

        if (reason == NULL && !path_ok(top->path, &path))
                reason = "Path is no node URI";
        if (reason) {
                *why = reason;
                return ODM_EMALFORMED;
        }
        odm_desc *nodes = odm_arena_get(arena, n * sizeof *nodes);
        if (nodes == NULL)
                return odm_arena_err(arena);
        rc = fill_all(top, nodes, arena);
        if (rc < 0)
                return rc;
        mo.path = odm_arena_copy(arena, path);
        if (mo.path.p == NULL)
                return odm_arena_err(arena);
        mo.id = top->df_type_is_ddf_name ? nodes[0].type : ODM_STR("");
        mo.nodes = nodes;
        mo.n = (uint16_t)n;
        *out = mo;
        return 0;
}
