/* SPDX-License-Identifier: Apache-2.0 */
/* Get out of flat nodes (dm-tree.md 3, 5, 8).
 *
 * The nodes at and below the target are put in tree order, parents that the list has not are made
 * up on the way, and what comes of it is written in the form that was asked for. */
#include <assert.h>
#include <string.h>

#include "odm/view.h"

#define LIST_MOST 16384

/* One node of the answer, in tree order. */
struct entry {
        odm_str path; /* "./A/b" */
        unsigned depth;
        const odm_view_node *node; /* NULL: interior, and only known by what is below it */
};

struct scene {
        const odm_view *v;
        odm_uri uri;
        odm_str path; /* the target as the nodes call it */
        odm_arena *a;
        odm_answer *out;
        struct entry *e;
        size_t n, cap;
        size_t newest[ODM_URI_SEGS + 2]; /* entry of each depth; may be another branch's */
};

static int answer(struct scene *s, unsigned status)
{
        s->out->status = status;
        return 0;
}

/* ---- addresses -------------------------------------------------------------------------------- */

/* In tree order: the slash is before all other characters. */
static int path_cmp(odm_str a, odm_str b)
{
        size_t n = a.n < b.n ? a.n : b.n;

        for (size_t i = 0; i < n; i++) {
                unsigned x = a.p[i] == '/' ? 0 : (unsigned char)a.p[i];
                unsigned y = b.p[i] == '/' ? 0 : (unsigned char)b.p[i];
                if (x != y)
                        return x < y ? -1 : 1;
        }
        return a.n < b.n ? -1 : a.n > b.n;
}

static bool is_below(odm_str path, odm_str top)
{
        return path.n > top.n && path.p[top.n] == '/' && memcmp(path.p, top.p, top.n) == 0;
}

static bool is_at_or_below(odm_str path, odm_str top)
{
        return odm_str_eq(path, top) || is_below(path, top);
}

static unsigned depth_of(odm_str path)
{
        unsigned n = 0;

        for (size_t i = 0; i < path.n; i++)
                n += path.p[i] == '/';
        return n;
}

static odm_str name_of(odm_str path)
{
        size_t n = path.n;

        while (n && path.p[n - 1] != '/')
                n--;
        return odm_str_from(path, n);
}

static bool is_address(odm_str path)
{
        odm_uri u;

        if (!odm_str_is(path, ".") && !odm_str_starts(path, "./"))
                return false;
        return odm_uri_parse(path, NULL, &u) == 0 && !u.prop && !u.list;
}

static bool is_leaf(const struct entry *e)
{
        return e->node && e->node->value.format != ODM_FMT_NODE;
}

int odm_view_target(odm_str top, odm_str target, const odm_uri_limits *lim, odm_arena *a,
                    odm_str *path, odm_view_need *need, unsigned *status)
{
        odm_uri u, t;
        int rc = odm_uri_parse(target, lim, &u);

        *status = odm_uri_status(rc);
        if (rc < 0)
                return 0;
        if (odm_uri_parse(top, NULL, &t) < 0 || u.depth < t.depth) {
                *status = ODM_ST_NOT_FOUND;
                return 0;
        }
        if (t.depth && !is_at_or_below(u.path, t.path)) {
                *status = ODM_ST_NOT_FOUND;
                return 0;
        }
        odm_str rest = odm_str_from(u.path, t.path.n + (t.depth ? 1 : 0));
        odm_str got = rest.n ? odm_arena_join(a, ODM_STR("./"), rest) : ODM_STR(".");
        if (got.p == NULL)
                return odm_arena_err(a);
        *path = got;
        *need = ODM_VIEW_NODE;
        if (u.list == ODM_LIST_STRUCT)
                *need = ODM_VIEW_STRUCT;
        else if (u.list == ODM_LIST_STRUCT_DATA)
                *need = ODM_VIEW_DATA;
        else if (u.list == ODM_LIST_TNDS)
                *need = u.list_props & (1u << ODM_PROP_VALUE) ? ODM_VIEW_DATA : ODM_VIEW_STRUCT;
        return 0;
}

/* ---- order ------------------------------------------------------------------------------------ */

/* Of two with the same address the one that knows more goes first. */
static int node_cmp(const odm_view_node *x, const odm_view_node *y)
{
        int by_path = path_cmp(x->path, y->path);

        if (by_path)
                return by_path;
        if (x->has_data != y->has_data)
                return x->has_data ? -1 : 1;
        return x < y ? -1 : x > y;
}

static void sift(const odm_view_node **v, size_t i, size_t n)
{
        const odm_view_node *it = v[i];

        for (size_t kid = 2 * i + 1; kid < n; kid = 2 * i + 1) {
                if (kid + 1 < n && node_cmp(v[kid], v[kid + 1]) < 0)
                        kid++;
                if (node_cmp(it, v[kid]) >= 0)
                        break;
                v[i] = v[kid];
                i = kid;
        }
        v[i] = it;
}

/* By heap: the C library's sort may ask for memory behind our back. */
static void order(const odm_view_node **v, size_t n)
{
        for (size_t i = n / 2; i > 0; i--)
                sift(v, i - 1, n);
        for (size_t i = n; i > 1; i--) {
                const odm_view_node *last = v[i - 1];
                v[i - 1] = v[0];
                v[0] = last;
                sift(v, 0, i - 1);
        }
}

/* ---- the nodes at and below the target ----------------------------------------------------------- */

static int add_entry(struct scene *s, odm_str path, const odm_view_node *node)
{
        if (s->n == s->cap) {
                size_t cap = s->cap ? s->cap * 2 : 16;
                struct entry *more = odm_arena_get(s->a, cap * sizeof *more);
                if (more == NULL)
                        return odm_arena_err(s->a);
                if (s->n)
                        memcpy(more, s->e, s->n * sizeof *more);
                s->e = more;
                s->cap = cap;
        }
        unsigned depth = depth_of(path);
        assert(depth < ODM_COUNT(s->newest)); /* addresses are no deeper */
        s->newest[depth] = s->n;
        s->e[s->n++] = (struct entry){path, depth, node};
        return 0;
}

/* The nearest entry that is above `path`; the target's own is above all. */
static const struct entry *above(const struct scene *s, odm_str path)
{
        for (unsigned d = depth_of(path); d > s->e[0].depth; d--) {
                const struct entry *e = &s->e[s->newest[d - 1]];
                if (e->depth == d - 1 && is_below(path, e->path))
                        return e;
        }
        return NULL;
}

static odm_str name_of_target(const struct scene *s)
{
        return s->uri.depth ? s->uri.seg[s->uri.depth - 1] : ODM_STR(".");
}

/* Puts the node behind those there are, with what lies between. */
static int add_node(struct scene *s, const odm_view_node *node)
{
        odm_str path = node->path;
        int rc = 0;

        if (s->n && odm_str_eq(s->e[s->n - 1].path, path))
                return 0;
        if (s->n == 0 && !odm_str_eq(path, s->path))
                rc = add_entry(s, s->path, NULL);
        if (rc < 0 || s->n == 0)
                return rc ? rc : add_entry(s, path, node);
        const struct entry *up = above(s, path);
        assert(up);
        if (is_leaf(up))
                return 0;
        for (size_t i = up->path.n + 1; rc == 0 && i < path.n; i++)
                if (path.p[i] == '/')
                        rc = add_entry(s, odm_str_to(path, i), NULL);
        return rc ? rc : add_entry(s, path, node);
}

/* *too_many: the answer would have more nodes than it may. */
static int collect(struct scene *s, bool *too_many)
{
        size_t most = s->v->max_list ? s->v->max_list : LIST_MOST, n = 0;
        const odm_view_node **v = odm_arena_get(s->a, (s->v->n + 1) * sizeof *v);
        int rc = 0;

        if (v == NULL)
                return odm_arena_err(s->a);
        for (size_t i = 0; i < s->v->n; i++)
                if (is_at_or_below(s->v->nodes[i].path, s->path) && is_address(s->v->nodes[i].path))
                        v[n++] = &s->v->nodes[i];
        order(v, n);
        for (size_t i = 0; rc == 0 && i < n && (!s->uri.list || s->n <= most); i++)
                rc = add_node(s, v[i]);
        if (rc == 0 && s->n == 0 && odm_str_is(s->path, "."))
                rc = add_entry(s, s->path, NULL);
        *too_many = s->uri.list && s->n > most;
        return rc;
}

/* ---- what a node shows ---------------------------------------------------------------------------- */

static odm_format format_of(const struct entry *e)
{
        if (e->node == NULL)
                return ODM_FMT_NODE;
        return e->node->value.format ? e->node->value.format : ODM_FMT_CHR;
}

static odm_str type_of(const struct entry *e)
{
        if (e->node && e->node->value.type.p)
                return e->node->value.type;
        return is_leaf(e) ? ODM_STR("text/plain") : ODM_STR("");
}

static odm_str data_of(const struct entry *e)
{
        return e->node->value.data.p ? e->node->value.data : ODM_STR("");
}

static bool has_data(const struct entry *e)
{
        return is_leaf(e) && e->node->has_data;
}

static odm_str stamp_of(const struct scene *s, const struct entry *e)
{
        char text[ODM_WALL_TEXT];
        odm_wall at = e->node && e->node->at.s ? e->node->at : s->v->now;

        odm_wall_format(at, text);
        return odm_arena_copy(s->a, odm_cstr(text));
}

static odm_result *add_result(struct scene *s, odm_result **last)
{
        odm_result *r = odm_new(s->a, odm_result);

        if (r == NULL)
                return NULL;
        if (*last)
                (*last)->next = r;
        else
                s->out->results = r;
        *last = r;
        return r;
}

/* The address in our tree. */
static odm_str uri_of(const struct scene *s, const struct entry *e)
{
        return odm_arena_join(s->a, s->v->top, odm_str_from(e->path, 1));
}

/* ---- a value, the names of children, a property ------------------------------------------------- */

static int one_result(struct scene *s, odm_str target, odm_value v, bool is_prop)
{
        odm_result *last = NULL;

        if (s->v->max_result && v.data.n > s->v->max_result)
                return answer(s, ODM_ST_TOO_LARGE);
        odm_result *r = add_result(s, &last);
        if (r == NULL)
                return odm_arena_err(s->a);
        r->uri = target;
        r->value = v;
        r->has_data = true;
        r->is_prop = is_prop;
        return 0;
}

static int names_of_children(struct scene *s, odm_str *out)
{
        size_t n = 0, at = 0;

        for (size_t i = 1; i < s->n; i++)
                n += s->e[i].depth == s->e[0].depth + 1 ? name_of(s->e[i].path).n + 1 : 0;
        char *p = odm_arena_get(s->a, n + 1);
        if (p == NULL)
                return odm_arena_err(s->a);
        for (size_t i = 1; i < s->n; i++) {
                if (s->e[i].depth != s->e[0].depth + 1)
                        continue;
                odm_str name = name_of(s->e[i].path);
                if (at)
                        p[at++] = '/';
                memcpy(p + at, name.p, name.n);
                at += name.n;
        }
        *out = (odm_str){p, at};
        return 0;
}

static int get_value(struct scene *s, odm_str target)
{
        odm_value v = {.format = ODM_FMT_NODE, .type = ODM_STR("text/plain")};
        int rc = 0;

        if (is_leaf(&s->e[0]) && !s->e[0].node->has_data)
                return answer(s, ODM_ST_NOT_ALLOWED);
        if (is_leaf(&s->e[0]))
                v = (odm_value){format_of(s->e), type_of(s->e), data_of(s->e)};
        else
                rc = names_of_children(s, &v.data);
        return rc ? rc : one_result(s, target, v, false);
}

static int get_prop(struct scene *s, odm_str target)
{
        const struct entry *e = &s->e[0];
        odm_str text = ODM_STR("");

        switch (s->uri.prop) {
        case ODM_PROP_ACL: break;
        case ODM_PROP_FORMAT: text = odm_cstr(odm_format_name(format_of(e))); break;
        case ODM_PROP_NAME: text = name_of_target(s); break;
        case ODM_PROP_TYPE: text = type_of(e); break;
        case ODM_PROP_TSTAMP: text = stamp_of(s, e); break;
        case ODM_PROP_SIZE:
                if (!is_leaf(e))
                        return answer(s, ODM_ST_UNSUPPORTED);
                if (!has_data(e))
                        return answer(s, ODM_ST_NOT_ALLOWED);
                text = odm_arena_number(s->a, data_of(e).n);
                break;
        case ODM_PROP_TITLE:
        case ODM_PROP_VERNO:
        case ODM_PROP_VALUE:
        case ODM_PROP_NONE: return answer(s, ODM_ST_UNSUPPORTED);
        }
        if (text.p == NULL)
                return odm_arena_err(s->a);
        return one_result(s, target, (odm_value){.data = text}, true);
}

/* ---- lists -------------------------------------------------------------------------------------- */

static int get_list(struct scene *s)
{
        bool data = s->uri.list == ODM_LIST_STRUCT_DATA;
        odm_result *last = NULL;

        for (size_t i = 0; i < s->n; i++) {
                const struct entry *e = &s->e[i];
                if (data && is_leaf(e) && !has_data(e))
                        continue; /* as a leaf of our own that is not there now */
                if (data && has_data(e) && s->v->max_result && data_of(e).n > s->v->max_result)
                        return answer(s, ODM_ST_TOO_LARGE);
                odm_result *r = add_result(s, &last);
                if (r == NULL)
                        return odm_arena_err(s->a);
                r->uri = uri_of(s, e);
                r->value.format = format_of(e);
                r->value.type = type_of(e);
                if (data && is_leaf(e)) {
                        r->value.data = data_of(e);
                        r->has_data = true;
                }
                if (r->uri.p == NULL)
                        return odm_arena_err(s->a);
        }
        return 0;
}

static bool wants(const struct scene *s, odm_prop p)
{
        return s->uri.list_props & (1u << p);
}

static odm_doc_node *doc_node(struct scene *s, const struct entry *e, bool top)
{
        odm_doc_node *d = odm_new(s->a, odm_doc_node);

        if (d == NULL)
                return NULL;
        d->name = top ? name_of_target(s) : name_of(e->path);
        d->has_rt = true;
        d->type_is_ddf_name = !is_leaf(e);
        d->type = type_of(e);
        if (wants(s, ODM_PROP_FORMAT))
                d->format = format_of(e);
        if (wants(s, ODM_PROP_TSTAMP)) {
                d->tstamp = stamp_of(s, e);
                if (d->tstamp.p == NULL)
                        return NULL;
        }
        if (has_data(e) && wants(s, ODM_PROP_VALUE))
                d->value = (odm_data){format_of(e) == ODM_FMT_BIN ? ODM_DATA_OPAQUE : ODM_DATA_TEXT,
                                      data_of(e)};
        return d;
}

static int doc_result(struct scene *s, odm_doc_node *top)
{
        odm_doc *doc = odm_new(s->a, odm_doc);
        odm_result *last = NULL;
        odm_result *r = doc ? add_result(s, &last) : NULL;

        if (r == NULL)
                return odm_arena_err(s->a);
        doc->ver_dtd = ODM_STR("1.2");
        doc->nodes = top;
        r->uri = uri_of(s, &s->e[0]);
        r->value.format = ODM_FMT_XML;
        r->has_data = true;
        r->doc = doc;
        return r->uri.p ? 0 : odm_arena_err(s->a);
}

/* In tree order a node's parent is the newest one that is one level higher. */
static int get_doc(struct scene *s)
{
        odm_doc_node **end[ODM_URI_SEGS + 2], *top = NULL;
        size_t bytes = 0;

        end[0] = &top;
        for (size_t i = 0; i < s->n; i++) {
                const struct entry *e = &s->e[i];
                unsigned level = e->depth - s->e[0].depth;
                assert(level <= ODM_URI_SEGS);
                if (is_leaf(e) && !has_data(e) && wants(s, ODM_PROP_VALUE))
                        continue;
                bytes += has_data(e) ? data_of(e).n : 0;
                if (s->v->max_result && bytes > s->v->max_result)
                        return answer(s, ODM_ST_TOO_LARGE);
                odm_doc_node *d = doc_node(s, e, i == 0);
                if (d == NULL)
                        return odm_arena_err(s->a);
                *end[level] = d;
                end[level] = &d->next;
                end[level + 1] = &d->children;
        }
        return doc_result(s, top);
}

/* ---- all of it ------------------------------------------------------------------------------------ */

static int get(struct scene *s, odm_str target)
{
        if (s->n == 0)
                return answer(s, ODM_ST_NOT_FOUND);
        if (s->uri.prop)
                return get_prop(s, target);
        switch (s->uri.list) {
        case ODM_LIST_NONE: return get_value(s, target);
        case ODM_LIST_STRUCT:
        case ODM_LIST_STRUCT_DATA: return get_list(s);
        case ODM_LIST_TNDS: return get_doc(s);
        }
        ODM_UNREACHABLE();
}

int odm_view_get(const odm_view *v, odm_str target, odm_arena *a, odm_answer *out)
{
        odm_answer got = {.status = ODM_ST_OK};
        struct scene s = {.v = v, .a = a, .out = &got};
        bool too_many = false;
        odm_view_need need;
        int rc = odm_view_target(v->top, target, NULL, a, &s.path, &need, &got.status);

        if (rc == 0 && odm_status_ok(got.status)) {
                rc = odm_uri_parse(target, NULL, &s.uri);
                assert(rc == 0); /* it was found good above */
        }
        if (rc == 0 && odm_status_ok(got.status))
                rc = collect(&s, &too_many);
        if (rc == 0 && odm_status_ok(got.status))
                rc = too_many ? answer(&s, ODM_ST_TOO_LARGE) : get(&s, target);
        if (rc != 0)
                return rc;
        if (!odm_status_ok(got.status))
                got.results = NULL;
        *out = got;
        return 0;
}

/* ---- what is not for everybody ------------------------------------------------------------------- */

/* AAuthData is the nonce. */
const char *const odm_secret_nodes[] = {"AAuthSecret", "AAuthData",   "AAuthPW",     "ClientPW",
                                        "ServerPW",    "ClientNonce", "ServerNonce", NULL};

bool odm_is_secret(odm_str uri)
{
        size_t end = 0, begin;

        while (end < uri.n && uri.p[end] != '?')
                end++;
        for (begin = end; begin > 0 && uri.p[begin - 1] != '/'; begin--)
                ;
        for (const char *const *name = odm_secret_nodes; *name; name++)
                if (odm_str_is(odm_str_to(odm_str_from(uri, begin), end - begin), *name))
                        return true;
        return false;
}
