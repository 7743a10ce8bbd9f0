/* SPDX-License-Identifier: Apache-2.0 */
#include "part/ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "odm/diag.h"

#define RECORDS 10000 /* as many as MaxRecords may say */
#define DEFAULT 100

typedef struct numbers {
        uint32_t *list;
        size_t n, room;
} numbers;

static int take_number(void *ctx, odm_str name)
{
        numbers *l = ctx;
        uint64_t id;

        if (odm_str_u64(name, UINT32_MAX - 1, &id) < 0)
                return 0;
        if (l->n == l->room) {
                size_t room = l->room ? l->room * 2 : 64;
                uint32_t *more = realloc(l->list, room * sizeof *more);
                if (!more)
                        return ODM_ENOMEM;
                l->list = more;
                l->room = room;
        }
        l->list[l->n++] = (uint32_t)id;
        return 0;
}

static int by_number(const void *a, const void *b)
{
        uint32_t x, y;

        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return x < y ? -1 : x > y;
}

/* The numbers of all records, in order; the list is the caller's to free. */
static int all_numbers(const part_host *h, const char *function, numbers *out)
{
        char uri[128];
        int rc;

        *out = (numbers){.list = NULL};
        snprintf(uri, sizeof uri, ODM_DIAG_AT "/%s/DiagMonData", function);
        rc = odm_tree_children(h->tree, odm_cstr(uri), take_number, out);
        if (rc == ODM_ENOENT)
                rc = 0;
        if (rc == 0 && out->n)
                qsort(out->list, out->n, sizeof *out->list, by_number);
        return rc;
}

static int64_t number_at(const part_host *h, const char *function, const char *rel,
                         int64_t otherwise)
{
        odm_value v = {ODM_FMT_ABSENT};
        char uri[128], block[256];
        uint64_t n = 0;
        odm_arena a;

        odm_arena_init_on(&a, &heap_mem, 4096, block, sizeof block);
        snprintf(uri, sizeof uri, ODM_DIAG_AT "/%s/%s", function, rel);
        if (odm_tree_read(h->tree, odm_cstr(uri), &a, &v) < 0 ||
            odm_str_u64(v.data, INT32_MAX, &n) < 0)
                n = (uint64_t)otherwise;
        odm_arena_done(&a);
        return (int64_t)n;
}

static size_t most(const part_host *h, const char *function)
{
        int64_t n = number_at(h, function, "DiagMonConfig/ConfigParms/MaxRecords", DEFAULT);

        return n < 1 ? 1 : n > RECORDS ? RECORDS : (size_t)n;
}

bool ring_records(const part_host *h, const char *function)
{
        return number_at(h, function, "Status", 0) == ODM_DIAG_RUNNING;
}

unsigned ring_percent(const part_host *h, const char *function)
{
        size_t max = most(h, function);
        numbers l;
        int rc = all_numbers(h, function, &l);
        unsigned percent = rc < 0 ? 0 : l.n >= max ? 100 : (unsigned)(l.n * 100 / max);

        free(l.list);
        return percent;
}

int ring_each(const part_host *h, const char *function, int (*fn)(void *ctx, uint32_t id),
              void *ctx)
{
        numbers l;
        int rc = all_numbers(h, function, &l);

        for (size_t i = 0; i < l.n && rc == 0; i++)
                rc = fn(ctx, l.list[i]);
        free(l.list);
        return rc;
}

odm_str ring_read(const part_host *h, const char *function, uint32_t id, const char *leaf,
                  odm_arena *a)
{
        odm_str uri =
                odm_arena_fmt(a, ODM_DIAG_AT "/%s/DiagMonData/%u/%s", function, (unsigned)id, leaf);
        odm_value v = {ODM_FMT_ABSENT};

        if (!uri.p || odm_tree_read(h->tree, uri, a, &v) < 0)
                return ODM_ABSENT;
        return odm_arena_copy(a, v.data);
}

/* ---- adding ------------------------------------------------------------------------------------ */

static int delete_node(const part_host *h, odm_str uri, odm_wall now)
{
        const odm_op op = {.kind = ODM_CMD_DELETE, .target = uri};
        odm_answer got = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, 65536);
        rc = odm_tree_do(h->tree, &op, now, &a, &got);
        odm_arena_done(&a);
        return rc;
}

static bool is_over(const part_host *h, const char *function, uint32_t id, const char *over)
{
        char block[2048];
        odm_arena a;
        bool is;

        odm_arena_init_on(&a, &heap_mem, 65536, block, sizeof block);
        is = ring_read(h, function, id, over, &a).n > 0;
        odm_arena_done(&a);
        return is;
}

static int drop(const part_host *h, const char *function, const char *over, numbers *l,
                odm_wall now)
{
        size_t k = 0;
        char uri[160];

        while (over && k < l->n && !is_over(h, function, l->list[k], over))
                k++;
        if (k == l->n)
                k = 0;
        snprintf(uri, sizeof uri, ODM_DIAG_AT "/%s/DiagMonData/%u", function, (unsigned)l->list[k]);
        memmove(l->list + k, l->list + k + 1, (l->n - k - 1) * sizeof *l->list);
        l->n--;
        return delete_node(h, odm_cstr(uri), now);
}

static int put_leaves(const part_host *h, const char *function, uint32_t id,
                      const ring_leaf *leaves, size_t n, odm_wall now)
{
        int rc = 0;

        for (size_t i = 0; i < n && rc == 0; i++) {
                const odm_value v = {.format = ODM_FMT_CHR, .data = leaves[i].text};
                char uri[160];
                snprintf(uri, sizeof uri, ODM_DIAG_AT "/%s/DiagMonData/%u/%s", function,
                         (unsigned)id, leaves[i].name);
                rc = odm_tree_write(h->tree, odm_cstr(uri), &v, now);
        }
        return rc;
}

int ring_add(const part_host *h, const char *function, const char *over, const ring_leaf *leaves,
             size_t n, uint32_t *id)
{
        odm_wall now = loop_wall();
        size_t max = most(h, function);
        unsigned status = ODM_ST_OK;
        numbers l;
        int rc = all_numbers(h, function, &l);
        uint32_t next = rc == 0 && l.n ? l.list[l.n - 1] + 1 : 1;

        if (rc == 0)
                rc = odm_tree_begin(h->tree, now);
        if (rc < 0)
                goto out;
        while (rc == 0 && l.n >= max)
                rc = drop(h, function, over, &l, now);
        if (rc == 0)
                rc = put_leaves(h, function, next, leaves, n, now);
        if (rc == 0)
                rc = odm_tree_commit(h->tree, &status);
        else
                odm_tree_rollback(h->tree);
        if (rc == 0 && !odm_status_ok(status))
                rc = ODM_EIO;
        if (rc == 0)
                *id = next;
out:
        free(l.list);
        return rc;
}

/* ---- servers ----------------------------------------------------------------------------------- */

typedef struct entry { /* below ServerIDs */
        struct entry *next;
        odm_str uri, server;
} entry;

typedef struct entries {
        const part_host *h;
        odm_str at;
        odm_arena a;
        entry *first;
} entries;

static int take_entry(void *ctx, odm_str name)
{
        entries *l = ctx;
        entry *e = odm_new(&l->a, entry);
        odm_value v = {ODM_FMT_ABSENT};
        odm_str leaf;

        if (!e)
                return odm_arena_err(&l->a);
        e->uri = odm_arena_fmt(&l->a, "%.*s/%.*s", (int)l->at.n, l->at.p, (int)name.n, name.p);
        leaf = odm_arena_fmt(&l->a, "%.*s/ServerID", (int)e->uri.n, e->uri.p ? e->uri.p : "");
        if (!e->uri.p || !leaf.p)
                return odm_arena_err(&l->a);
        if (odm_tree_read(l->h->tree, leaf, &l->a, &v) == 0)
                e->server = odm_arena_copy(&l->a, v.data);
        e->next = l->first;
        l->first = e;
        return l->a.err;
}

static int tell_entry(entries *l, entry *e, int (*fn)(void *ctx, odm_str server), void *ctx, int *n)
{
        if (!e->server.n)
                return 0; /* being made */
        if (!part_has_account(l->h, e->server)) {
                if (e->uri.p && !odm_tree_in_transaction(l->h->tree))
                        (void)delete_node(l->h, e->uri, loop_wall()); /* else the next time */
                return 0;
        }
        (*n)++;
        return fn(ctx, e->server);
}

int ring_servers(const part_host *h, const char *function, int (*fn)(void *ctx, odm_str server),
                 void *ctx)
{
        entries l = {.h = h};
        entry one = {.next = NULL};
        odm_value v = {ODM_FMT_ABSENT};
        int rc = 0, n = 0;
        odm_str leaf;

        odm_arena_init(&l.a, &heap_mem, 1 << 20);
        l.at = odm_arena_fmt(&l.a, ODM_DIAG_AT "/%s/ServerIDs", function);
        leaf = odm_arena_fmt(&l.a, ODM_DIAG_AT "/%s/ServerID", function);
        rc = l.at.p && leaf.p ? odm_tree_children(h->tree, l.at, take_entry, &l)
                              : odm_arena_err(&l.a);
        if (rc == ODM_ENOENT)
                rc = 0;
        for (entry *e = l.first; e && rc == 0; e = e->next)
                rc = tell_entry(&l, e, fn, ctx, &n);
        if (rc == 0 && odm_tree_read(h->tree, leaf, &l.a, &v) == 0) {
                one.server = odm_arena_copy(&l.a, v.data);
                rc = tell_entry(&l, &one, fn, ctx, &n);
        }
        odm_arena_done(&l.a);
        return rc < 0 ? rc : n;
}
