/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

typedef struct search {
        bool (*keep)(void *ctx, odm_str name);
        void *ctx;
        odm_arena *a;
        odm_str found;
} search;

static int find_stale(void *ctx, odm_str name)
{
        search *s = ctx;

        if (s->keep(s->ctx, name))
                return 0;
        s->found = odm_arena_copy(s->a, name);
        return s->found.p ? 1 : odm_arena_err(s->a);
}

static int delete_in(odm_tree *t, odm_str uri, odm_arena *a, odm_wall now)
{
        const odm_op op = {.kind = ODM_CMD_DELETE, .target = uri};
        odm_answer got = {0};
        int rc = odm_tree_do(t, &op, now, a, &got);

        return rc == 0 && !odm_status_ok(got.status) && got.status != ODM_ST_NOT_FOUND ? ODM_EIO
                                                                                       : rc;
}

int odm_rows_delete(odm_tree *t, const odm_mem *mem, odm_str uri, odm_wall now)
{
        odm_arena a;
        int rc;

        odm_arena_init(&a, mem, 65536);
        rc = delete_in(t, uri, &a, now);
        odm_arena_done(&a);
        return rc;
}

/* A child at a time, since the tree may not change while it is listed. */
int odm_rows_prune(odm_tree *t, const odm_mem *mem, odm_str parent,
                   bool (*keep)(void *ctx, odm_str name), void *ctx, odm_wall now)
{
        odm_arena a;
        search s = {keep, ctx, &a, ODM_ABSENT};
        int rc;

        odm_arena_init(&a, mem, 65536);
        while ((rc = odm_tree_children(t, parent, find_stale, &s)) == 1) {
                odm_str uri = odm_arena_fmt(&a, "%.*s/%.*s", (int)parent.n, parent.p,
                                            (int)s.found.n, s.found.p);
                rc = uri.p ? delete_in(t, uri, &a, now) : odm_arena_err(&a);
                if (rc < 0)
                        break;
                odm_arena_reset(&a);
        }
        odm_arena_done(&a);
        return rc == ODM_ENOENT ? 0 : rc;
}

int odm_rows_put(odm_tree *t, const odm_mem *mem, odm_str at, const char *rel, odm_format format,
                 const char *text, bool always, odm_wall now)
{
        const odm_value v = {.format = format, .data = odm_cstr(text)};
        odm_value is = {ODM_FMT_ABSENT};
        odm_arena a;
        odm_str uri;
        int rc = 0;

        odm_arena_init(&a, mem, 65536);
        uri = odm_arena_fmt(&a, "%.*s/%s", (int)at.n, at.p, rel);
        if (!uri.p)
                rc = odm_arena_err(&a);
        else if (!odm_tree_exists(t, uri))
                rc = odm_tree_write(t, uri, &v, now);
        else if (always)
                rc = odm_tree_read(t, uri, &a, &is);
        if (rc == 0 && always && is.format != ODM_FMT_ABSENT && !odm_str_eq(is.data, v.data))
                rc = odm_tree_write(t, uri, &v, now);
        odm_arena_done(&a);
        return rc;
}

bool odm_rows_true(odm_tree *t, const odm_mem *mem, odm_str at, const char *rel)
{
        odm_value v = {ODM_FMT_ABSENT};
        odm_arena a;
        odm_str uri;
        bool yes;

        odm_arena_init(&a, mem, 65536);
        uri = odm_arena_fmt(&a, "%.*s/%s", (int)at.n, at.p, rel);
        yes = uri.p && odm_tree_read(t, uri, &a, &v) == 0 && odm_str_is(v.data, "true");
        odm_arena_done(&a);
        return yes;
}
