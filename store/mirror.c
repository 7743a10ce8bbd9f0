/* SPDX-License-Identifier: Apache-2.0 */
/* The tree mirror of one device: its whole tree as one block, node paths as numbers of a
 * dictionary.
 *
 *     1, newest time, number of nodes, then for each node, parents before children:
 *     path number (0: the path as text follows), format, type, value, [size], age
 *
 * A row per node would take three times the space and eight times the time. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "pack.h"

#define VERSION 1
#define MANY 16  /* nodes that are made at once */
#define OTHER 15 /* a format that is none of the names below: text follows */

static const char *const formats[] = {NULL,   "b64",  "bin", "bool", "chr",  "int",
                                      "node", "null", "xml", "date", "time", "float"};
static const char *const types[] = {NULL, "text/plain", "application/octet-stream"};

/* Octet order, with '/' before all else: a node comes right before what is below it. */
int mirror_path_cmp(odm_str a, odm_str b)
{
        size_t n = a.n < b.n ? a.n : b.n;

        for (size_t i = 0; i < n; i++) {
                if (a.p[i] == b.p[i])
                        continue;
                if (a.p[i] == '/')
                        return -1;
                if (b.p[i] == '/')
                        return 1;
                return (uint8_t)a.p[i] < (uint8_t)b.p[i] ? -1 : 1;
        }
        return a.n < b.n ? -1 : a.n > b.n;
}

static bool is_below(odm_str path, odm_str top)
{
        return path.n > top.n && path.p[top.n] == '/' && memcmp(path.p, top.p, top.n) == 0;
}

/* ---- decoding ----------------------------------------------------------------- */

static odm_str name_from(unpack *u, const char *const *names, size_t n)
{
        uint64_t i = unpack_u64(u);

        if (i == OTHER)
                return unpack_str(u);
        if (i >= n) {
                u->bad = true;
                return ODM_ABSENT;
        }
        return odm_cstr(names[i]);
}

static int decode_node(unpack *u, const path_book *book, odm_arena *a, int64_t newest,
                       store_node *out)
{
        store_node n = {.format = ODM_ABSENT};
        uint64_t path = unpack_u64(u);
        int rc;

        if (path == 0) {
                n.path = unpack_str(u);
        } else {
                rc = path > UINT32_MAX ? ODM_EIO : book->text(book->h, (uint32_t)path, a, &n.path);
                if (rc < 0)
                        return rc;
                n.number = (uint32_t)path;
        }
        n.format = name_from(u, formats, ODM_COUNT(formats));
        n.type = name_from(u, types, ODM_COUNT(types));
        n.value = unpack_str(u);
        n.size = n.value.p ? n.value.n : unpack_u64(u);
        n.at = newest - (int64_t)unpack_u64(u);
        if (u->bad || n.path.p == NULL)
                return ODM_EIO;
        *out = n;
        return 0;
}

/* `spare`: room for that many more nodes behind. */
static int decode(odm_str blob, const path_book *book, odm_arena *a, size_t spare, store_tree *out)
{
        unpack u = {blob.p, blob.p + blob.n, false};
        store_tree t = {.n = 0};
        uint64_t n = 0;

        if (blob.n) {
                if (unpack_u64(&u) != VERSION)
                        return ODM_EIO;
                t.at = (int64_t)unpack_u64(&u);
                n = unpack_u64(&u);
                if (u.bad || n > blob.n)
                        return ODM_EIO;
        }
        t.v = odm_arena_get(a, ((size_t)n + spare + 1) * sizeof *t.v);
        if (t.v == NULL)
                return odm_arena_err(a);
        for (; t.n < n; t.n++) {
                int rc = decode_node(&u, book, a, t.at, &t.v[t.n]);
                if (rc < 0)
                        return rc;
        }
        *out = t;
        return 0;
}

int mirror_decode(odm_str blob, const path_book *book, odm_arena *a, store_tree *out)
{
        return decode(blob, book, a, 0, out);
}

void mirror_cut(store_tree *t, odm_str prefix)
{
        size_t from = 0, to;

        if (odm_str_is(prefix, ".") || prefix.n == 0)
                return;
        while (from < t->n && mirror_path_cmp(t->v[from].path, prefix) < 0)
                from++;
        for (to = from; to < t->n; to++)
                if (!odm_str_eq(t->v[to].path, prefix) && !is_below(t->v[to].path, prefix))
                        break;
        t->v += from;
        t->n = to - from;
        t->at = 0;
        for (size_t i = 0; i < t->n; i++)
                if (t->v[i].at > t->at)
                        t->at = t->v[i].at;
}

/* ---- encoding ------------------------------------------------------------------ */

static size_t size_name(odm_str s, const char *const *names, size_t n, uint64_t *code)
{
        for (*code = 0; *code < n; ++*code)
                if (s.p == NULL || (names[*code] && odm_str_is(s, names[*code])))
                        return 1;
        *code = OTHER;
        return 1 + pack_size_str(s);
}

typedef struct coded {
        uint32_t path;
        uint64_t format, type;
        bool keep, with_value;
} coded;

/* Decides how node `n` is written; returns its size. */
static int plan(const store_node *n, const path_book *book, int64_t newest, size_t room, coded *c,
                size_t *size)
{
        int rc = n->number ? 0 : book->id(book->h, n->path, &c->path);
        size_t fixed, value;

        if (rc < 0)
                return rc;
        if (n->number)
                c->path = n->number;
        fixed = pack_size_u64(c->path) + (c->path ? 0 : pack_size_str(n->path));
        fixed += size_name(n->format, formats, ODM_COUNT(formats), &c->format);
        fixed += size_name(n->type, types, ODM_COUNT(types), &c->type);
        fixed += pack_size_u64((uint64_t)(newest - n->at));
        value = pack_size_str(n->value);
        c->with_value = n->value.p != NULL && fixed + value <= room;
        if (!c->with_value)
                value = 1 + pack_size_u64(n->size);
        c->keep = fixed + value <= room;
        *size = c->keep ? fixed + value : 0;
        return 0;
}

static char *write_node(char *p, const store_node *n, const coded *c, int64_t newest)
{
        p = pack_u64(p, c->path);
        if (c->path == 0)
                p = pack_str(p, n->path);
        p = pack_u64(p, c->format);
        if (c->format == OTHER)
                p = pack_str(p, n->format);
        p = pack_u64(p, c->type);
        if (c->type == OTHER)
                p = pack_str(p, n->type);
        if (c->with_value) {
                p = pack_str(p, n->value);
        } else {
                p = pack_u64(p, 0);
                p = pack_u64(p, n->size);
        }
        return pack_u64(p, (uint64_t)(newest - n->at));
}

static int encode(const store_tree *t, const path_book *book, size_t max, odm_arena *a,
                  odm_str *out)
{
        size_t size = 1 + pack_size_u64((uint64_t)t->at) + pack_size_u64(t->n), kept = 0;
        coded *c = odm_arena_zget(a, (t->n + 1) * sizeof *c);
        char *block, *p;

        if (c == NULL)
                return odm_arena_err(a);
        for (size_t i = 0; i < t->n; i++) {
                size_t n;
                int rc = plan(&t->v[i], book, t->at, max > size ? max - size : 0, &c[i], &n);
                if (rc < 0)
                        return rc;
                size += n;
                kept += c[i].keep;
        }
        block = odm_arena_get(a, size);
        if (block == NULL)
                return odm_arena_err(a);
        p = pack_u64(block, VERSION);
        p = pack_u64(p, (uint64_t)t->at);
        p = pack_u64(p, kept);
        for (size_t i = 0; i < t->n; i++)
                if (c[i].keep)
                        p = write_node(p, &t->v[i], &c[i], t->at);
        assert((size_t)(p - block) <= size);
        *out = (odm_str){block, (size_t)(p - block)};
        return 0;
}

/* ---- changing ------------------------------------------------------------------- */

typedef struct change {
        store_tree t;
        size_t cap;
        odm_arena *a;
        int64_t at;
        size_t value_max;
} change;

/* The first node not before path. */
static size_t seek(const change *x, odm_str path)
{
        size_t lo = 0, hi = x->t.n;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                if (mirror_path_cmp(x->t.v[mid].path, path) < 0)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo;
}

static void remove_range(change *x, size_t from, size_t to)
{
        if (from == to)
                return;
        memmove(&x->t.v[from], &x->t.v[to], (x->t.n - to) * sizeof *x->t.v);
        x->t.n -= to - from;
}

static size_t end_of(const change *x, size_t from, odm_str path)
{
        while (from < x->t.n && is_below(x->t.v[from].path, path))
                from++;
        return from;
}

/* Room for n more nodes. */
static int make_room(change *x, size_t n)
{
        size_t cap = x->cap * 2 + 64;
        store_node *v;

        if (n <= x->cap - x->t.n)
                return 0;
        if (cap < x->t.n + n)
                cap = x->t.n + n;
        v = odm_arena_get(x->a, cap * sizeof *v);
        if (v == NULL)
                return odm_arena_err(x->a);
        memcpy(v, x->t.v, x->t.n * sizeof *v);
        x->t.v = v;
        x->cap = cap;
        return 0;
}

/* The node of that path, made when it was not there. */
static int ensure(change *x, odm_str path, store_node **out)
{
        size_t i = seek(x, path);
        int rc;

        if (i == x->t.n || !odm_str_eq(x->t.v[i].path, path)) {
                rc = make_room(x, 1);
                if (rc < 0)
                        return rc;
                memmove(&x->t.v[i + 1], &x->t.v[i], (x->t.n - i) * sizeof *x->t.v);
                x->t.n++;
                x->t.v[i] = (store_node){.path = path, .at = x->at};
        }
        *out = &x->t.v[i];
        return 0;
}

static int by_path(const void *a, const void *b)
{
        return mirror_path_cmp(*(const odm_str *)a, *(const odm_str *)b);
}

/* Makes those of many nodes that are not there, without a word on them, so that ensure() finds each
 * in its place: one by one, each would move all that is behind it, and a device says what there is
 * in the order it likes.  Sorts `paths`. */
static int ensure_all(change *x, odm_str *paths, size_t n)
{
        size_t fresh = 0, from, to;
        int rc;

        if (n < MANY)
                return 0;
        qsort(paths, n, sizeof *paths, by_path);
        for (size_t i = 0; i < n; i++) {
                size_t k = seek(x, paths[i]);
                if ((fresh == 0 || !odm_str_eq(paths[fresh - 1], paths[i])) &&
                    (k == x->t.n || !odm_str_eq(x->t.v[k].path, paths[i])))
                        paths[fresh++] = paths[i];
        }
        rc = make_room(x, fresh);
        if (rc < 0)
                return rc;
        from = x->t.n;
        x->t.n = to = from + fresh;
        while (fresh) /* from behind, in place */
                if (from && mirror_path_cmp(x->t.v[from - 1].path, paths[fresh - 1]) > 0)
                        x->t.v[--to] = x->t.v[--from];
                else
                        x->t.v[--to] = (store_node){.path = paths[--fresh], .at = x->at};
        return 0;
}

/* There, and known to be an interior node: so are those above it. */
static bool is_interior(const change *x, odm_str path)
{
        size_t k = seek(x, path);

        return k < x->t.n && odm_str_eq(x->t.v[k].path, path) &&
               odm_str_is(x->t.v[k].format, "node");
}

static int ensure_parents(change *x, odm_str path)
{
        store_node *n;

        for (size_t i = path.n; i-- > 1;) {
                if (path.p[i] != '/')
                        continue;
                odm_str up = odm_str_to(path, i);
                if (is_interior(x, up))
                        return 0;
                int rc = ensure(x, up, &n);
                if (rc < 0)
                        return rc;
                n->format = ODM_STR("node");
                n->value = ODM_ABSENT;
                n->size = 0;
        }
        return 0;
}

static int set_node(change *x, const store_tree_change *c)
{
        store_node *n = NULL;
        int rc = ensure_parents(x, c->path);

        if (rc == 0)
                rc = ensure(x, c->path, &n);
        if (rc != 0)
                return rc;
        assert(n != NULL);
        n->at = x->at;
        if (c->format.p)
                n->format = c->format;
        if (c->type.p)
                n->type = c->type;
        if (c->value.p) {
                n->size = c->value.n;
                n->value = c->value.n <= x->value_max ? c->value : ODM_ABSENT;
        } else if (c->size) {
                n->size = c->size;
                n->value = ODM_ABSENT;
        }
        if (odm_str_is(n->format, "node")) { /* an interior one has no value */
                n->value = ODM_ABSENT;
                n->size = 0;
        } else if (n->format.p) { /* a leaf has nothing below */
                size_t i = (size_t)(n - x->t.v) + 1;
                remove_range(x, i, end_of(x, i, c->path));
        }
        return 0;
}

static void drop_node(change *x, odm_str path)
{
        size_t from = seek(x, path), to = from;

        if (to < x->t.n && odm_str_eq(x->t.v[to].path, path))
                to++;
        remove_range(x, from, end_of(x, to, path));
}

typedef struct name_list {
        odm_str *v;
        size_t n;
} name_list;

static odm_str next_name(odm_str *names)
{
        size_t n = 0;

        while (n < names->n && names->p[n] != '/')
                n++;
        odm_str name = odm_str_to(*names, n);
        *names = odm_str_from(*names, n + 1);
        return name;
}

/* The names of a list, sorted. */
static int list_of(odm_str names, odm_arena *a, name_list *out)
{
        name_list l = {.n = 0};
        size_t most = 1;

        for (size_t i = 0; i < names.n; i++)
                most += names.p[i] == '/';
        l.v = odm_arena_get(a, most * sizeof *l.v);
        if (l.v == NULL)
                return odm_arena_err(a);
        while (names.n) {
                l.v[l.n] = next_name(&names);
                l.n += l.v[l.n].n > 0;
        }
        qsort(l.v, l.n, sizeof *l.v, by_path);
        *out = l;
        return 0;
}

static odm_str child_name(odm_str path, odm_str top)
{
        odm_str rest = odm_str_from(path, top.n + 1);
        size_t n = 0;

        while (n < rest.n && rest.p[n] != '/')
                n++;
        return odm_str_to(rest, n);
}

/* Children that are not among `names` go, with what is below them. */
static void keep_children(change *x, odm_str path, const name_list *names)
{
        size_t i = seek(x, path) + 1, to = i;

        for (size_t end = end_of(x, i, path); i < end; i++) {
                odm_str name = child_name(x->t.v[i].path, path);
                if (names->n && bsearch(&name, names->v, names->n, sizeof name, by_path))
                        x->t.v[to++] = x->t.v[i];
        }
        remove_range(x, to, i);
}

/* Names become the paths of children; those that are too long are left out. */
static int paths_of(odm_str path, name_list *names, odm_arena *a)
{
        size_t n = 0;

        for (size_t i = 0; i < names->n; i++) {
                odm_str name = names->v[i];
                if (path.n + 1 + name.n > MIRROR_PATH_MAX)
                        continue;
                names->v[n] =
                        odm_arena_fmt(a, "%.*s/%.*s", (int)path.n, path.p, (int)name.n, name.p);
                if (names->v[n++].p == NULL)
                        return odm_arena_err(a);
        }
        names->n = n;
        return 0;
}

static int set_children(change *x, const store_tree_change *c)
{
        store_tree_change self = {STORE_TREE_SET, .path = c->path, .format = ODM_STR("node"),
                                  .type = c->type};
        name_list names = {.n = 0};
        store_node *child;
        int rc = set_node(x, &self);

        if (rc == 0)
                rc = list_of(c->value, x->a, &names);
        if (rc < 0)
                return rc;
        keep_children(x, c->path, &names);
        rc = paths_of(c->path, &names, x->a);
        if (rc == 0)
                rc = ensure_all(x, names.v, names.n);
        for (size_t i = 0; rc == 0 && i < names.n; i++)
                rc = ensure(x, names.v[i], &child);
        return rc;
}

static bool path_ok(odm_str p)
{
        return p.n >= 1 && p.n <= MIRROR_PATH_MAX && p.p[0] == '.' && (p.n == 1 || p.p[1] == '/') &&
               (p.n == 1 || p.p[p.n - 1] != '/');
}

static int apply_change(change *x, const store_tree_change *c)
{
        switch (c->kind) {
        case STORE_TREE_SET: return set_node(x, c);
        case STORE_TREE_GONE: drop_node(x, c->path); return 0;
        case STORE_TREE_CHILDREN: return set_children(x, c);
        }
        return ODM_EINVAL;
}

/* The paths that a SET makes sure of: its own and those above, up to where they are there, or the
 * path before it has them too.  With `out` NULL they are counted. */
static size_t paths_above(const change *x, odm_str path, odm_str before, odm_str *out)
{
        size_t n = 0;

        if (out)
                out[n] = path;
        n++;
        for (size_t i = path.n; i-- > 1;) {
                odm_str up = odm_str_to(path, i);
                if (path.p[i] != '/')
                        continue;
                if (odm_str_eq(before, up) || is_below(before, up) || is_interior(x, up))
                        break;
                if (out)
                        out[n] = up;
                n++;
        }
        return n;
}

/* The nodes of so many SETs in a row. */
static int ensure_row(change *x, const store_tree_change *v, size_t n)
{
        odm_str before = ODM_ABSENT, *paths;
        size_t all = 0;

        for (size_t i = 0; i < n; before = v[i++].path)
                all += paths_above(x, v[i].path, before, NULL);
        paths = odm_arena_get(x->a, all * sizeof *paths);
        if (paths == NULL)
                return odm_arena_err(x->a);
        before = ODM_ABSENT;
        all = 0;
        for (size_t i = 0; i < n; before = v[i++].path)
                all += paths_above(x, v[i].path, before, paths + all);
        return ensure_all(x, paths, all);
}

static int apply_changes(change *x, const store_tree_change *v, size_t n)
{
        int rc = 0;

        for (size_t i = 0; i < n; i++)
                if (!path_ok(v[i].path))
                        return ODM_EINVAL;
        for (size_t i = 0, row; rc == 0 && i < n; i += row) {
                row = 0;
                while (i + row < n && v[i + row].kind == STORE_TREE_SET)
                        row++;
                if (row >= MANY)
                        rc = ensure_row(x, v + i, row);
                row += row == 0;
                for (size_t k = i; rc == 0 && k < i + row; k++)
                        rc = apply_change(x, &v[k]);
        }
        return rc;
}

int mirror_update(odm_str blob, const path_book *book, const store_opt *opt, int64_t at,
                  const store_tree_change *v, size_t n, odm_arena *a, odm_str *out)
{
        change x = {.a = a, .at = at, .value_max = opt->mirror_value_max};
        int rc = decode(blob, book, a, n, &x.t);

        if (rc != 0)
                return rc;
        x.cap = x.t.n + n;
        rc = apply_changes(&x, v, n);
        if (rc < 0)
                return rc;
        for (size_t i = 0; i < x.t.n; i++) /* clocks may step back: no age is negative */
                if (x.t.v[i].at > x.t.at)
                        x.t.at = x.t.v[i].at;
        return encode(&x.t, book, opt->mirror_bytes, a, out);
}
