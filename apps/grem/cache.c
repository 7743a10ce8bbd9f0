/* SPDX-License-Identifier: Apache-2.0 */
/* cache.c - the last values of devices; see cache.h.
 *
 * A row is written when its value is another, or the old one is a minute old: a device that is read
 * each second costs the disk nothing.  Changes gather in a batch; until that is durable they lie
 * over what the store says, in the order they came. */
#include "cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"

#define FLUSH_MS 500
#define AGAIN_MS 2000 /* after a batch that could not be written */
#define FRESH_S 60
#define OPS 1000 /* of one batch */
#define UNKNOWN UINT16_MAX
#define READ_PAGE 1000

typedef struct cache_row {
        int64_t number; /* of the record */
        odm_str path;
        uint32_t format;
        odm_str type, data;
        bool has_data;
        int64_t at;
} cache_row;

static const field row_fields[] = {
        STORE_FIELD_OF(cache_row, number, I64), STORE_FIELD_OF(cache_row, path, STR),
        STORE_FIELD_OF(cache_row, format, U32), STORE_FIELD_OF(cache_row, type, STR),
        STORE_FIELD_OF(cache_row, data, BLOB),  STORE_FIELD_OF(cache_row, has_data, BOOL),
        STORE_FIELD_OF(cache_row, at, I64),
};
static const record row_record = STORE_RECORD_OF(cache_row, row_fields);
const store_table gw_table_cache = {.name = "gw_cache", .rec = &row_record, .n_key = 2};

struct change {         /* in the order they came */
        cache_row *row; /* in the batch's arena; of a drop only number and path count */
        bool drop;
};

struct layer { /* a batch and what is in it */
        store_batch *b;
        struct change v[OPS];
        size_t n;
};

struct cache {
        gateway *g;
        struct layer layer[2]; /* the one that fills, and the one on its way */
        unsigned filling;
        bool writing, told;
        loop_timer timer;
        size_t rows, most;
        uint16_t *count; /* rows of each record, by its number */
        size_t n_count;
};

/* ---- rows of the store ---------------------------------------------------------------------------- */

static bool at_or_below(odm_str path, odm_str top)
{
        if (odm_str_is(top, "."))
                return true;
        if (path.n < top.n || memcmp(path.p, top.p, top.n) != 0)
                return false;
        return path.n == top.n || path.p[top.n] == '/';
}

struct range {
        cache_row same, from, below;
        store_scan scan;
};

/* Rows strictly below `top`: "./A/" up to "./A0", for the slash is before the nought. */
static int make_range(struct range *r, int64_t number, odm_str top, odm_arena *a)
{
        *r = (struct range){.same = {.number = number},
                            .from = {.number = number},
                            .below = {.number = number}};
        r->from.path = odm_arena_join(a, top, ODM_STR("/"));
        r->below.path = odm_arena_join(a, top, ODM_STR("0"));
        if (r->from.path.p == NULL || r->below.path.p == NULL)
                return odm_arena_err(a);
        r->scan = (store_scan){.table = &gw_table_cache,
                               .same = 1,
                               .at = &r->same,
                               .from = &r->from,
                               .below = &r->below,
                               .limit = READ_PAGE};
        return 0;
}

/* ---- how many ---------------------------------------------------------------------------------------- */

static uint16_t *count_of(cache *c, uint32_t number)
{
        if (number >= c->n_count) {
                size_t n = ((size_t)number + 1024) & ~(size_t)1023;
                uint16_t *more = realloc(c->count, n * sizeof *more);
                if (more == NULL)
                        return NULL;
                for (size_t i = c->n_count; i < n; i++)
                        more[i] = UNKNOWN;
                c->count = more;
                c->n_count = n;
        }
        return &c->count[number];
}

/* Room for one more row of the device?  Then it is counted. */
static bool take_room(cache *c, const gw_device *d)
{
        uint16_t *n = count_of(c, d->number);
        const cache_row same = {.number = d->number};
        const store_scan s = {.table = &gw_table_cache, .same = 1, .at = &same};
        uint64_t rows = 0;

        if (n == NULL)
                return false;
        if (*n == UNKNOWN) {
                if (store_row_count(gw_store(c->g), &s, CACHE_DEVICE_ROWS, &rows) < 0)
                        return false;
                *n = (uint16_t)rows;
        }
        if (*n >= CACHE_DEVICE_ROWS)
                return false;
        if (c->rows >= c->most) {
                if (!c->told)
                        log_warn("no room for more values of devices",
                                 log_int("gateway.cache", (int64_t)c->most));
                c->told = true;
                return false;
        }
        ++*n;
        c->rows++;
        return true;
}

/* The row that was counted is not kept. */
static void give_room(cache *c, const gw_device *d)
{
        uint16_t *n = count_of(c, d->number);

        c->rows--;
        if (n && *n != UNKNOWN)
                --*n;
}

/* What was counted is not what is there: it is counted anew. */
static int count_all(cache *c)
{
        const store_scan all = {.table = &gw_table_cache};
        uint64_t n = 0;
        int rc = store_row_count(gw_store(c->g), &all, c->most, &n);

        if (rc < 0)
                return rc;
        c->rows = (size_t)n;
        for (size_t i = 0; i < c->n_count; i++)
                c->count[i] = UNKNOWN;
        return 0;
}

/* ---- batches ----------------------------------------------------------------------------------------- */

static void flush(cache *c);

static void not_kept(cache *c, int rc)
{
        log_error("values of devices are not kept", log_text("reason", odm_err_text(rc)));
        if (count_all(c) < 0)
                log_error("values of devices cannot be counted");
}

static void drop_rows(cache *c, int64_t number, odm_str path);

/* What was to go is still there: it goes a moment later, with what was put there meanwhile, for a
 * value that is missing is asked for, and one that is gone would be told.  The layer's batch is the
 * caller's. */
static void drop_again(cache *c, struct layer *l)
{
        const cache_row *gone[OPS];
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                if (l->v[i].drop)
                        gone[n++] = l->v[i].row;
        l->b = NULL;
        l->n = 0;
        for (size_t i = 0; i < n; i++)
                drop_rows(c, gone[i]->number, gone[i]->path);
        loop_timer_stop(&c->timer);
        if (c->layer[c->filling].n &&
            loop_timer_set(gw_loop(c->g), &c->timer, odm_time_add(loop_now(), AGAIN_MS)) < 0)
                log_error("no memory for a timer");
}

static void on_written(void *ctx, store_batch *b, int rc)
{
        cache *c = ctx;
        struct layer *l = &c->layer[!c->filling];

        c->writing = false;
        if (rc < 0) {
                not_kept(c, rc);
                drop_again(c, l);
                return;
        }
        for (size_t i = 0; i < b->n; i++) {
                const store_op *op = b->ops[i];
                size_t gone = 0;
                if (op->kind == STORE_ROWS_DELETE)
                        gone = (size_t)op->id;
                else if (op->kind == STORE_ROW_DELETE && op->rc == 0)
                        gone = 1;
                c->rows -= gone < c->rows ? gone : c->rows;
        }
        l->b = NULL; /* it goes with this call */
        l->n = 0;
        if (c->layer[c->filling].n >= OPS / 2)
                flush(c);
}

/* What was gathered goes to the store; what comes meanwhile gathers in the other layer. */
static void flush(cache *c)
{
        struct layer *l = &c->layer[c->filling];

        if (c->writing || l->n == 0)
                return;
        c->filling = !c->filling;
        c->writing = true;
        loop_timer_stop(&c->timer);
        int rc = gw_write_then(c->g, l->b, on_written, c);
        if (rc == 0)
                return;
        store_batch *b = l->b;
        not_kept(c, rc);
        c->writing = false;
        drop_again(c, l);
        store_batch_free(b);
}

static void on_timer(void *ctx)
{
        cache *c = ctx;

        flush(c);
        if (c->layer[c->filling].n) /* the other one is still on its way */
                (void)!loop_timer_set(gw_loop(c->g), &c->timer, odm_time_add(loop_now(), FLUSH_MS));
}

/* The layer that fills, with room for two operations; NULL: what is to be kept is not. */
static struct layer *open_layer(cache *c)
{
        struct layer *l = &c->layer[c->filling];

        if (l->n + 2 > OPS) {
                flush(c);
                l = &c->layer[c->filling];
                if (l->n + 2 > OPS)
                        return NULL;
        }
        if (l->b == NULL)
                l->b = store_batch_new();
        if (l->b && !c->timer.in)
                (void)!loop_timer_set(gw_loop(c->g), &c->timer, odm_time_add(loop_now(), FLUSH_MS));
        return l->b ? l : NULL;
}

static cache_row *new_row(struct layer *l, int64_t number, odm_str path)
{
        odm_arena *a = store_batch_arena(l->b);
        cache_row *r = odm_new(a, cache_row);

        if (r == NULL)
                return NULL;
        r->number = number;
        r->path = odm_arena_copy(a, path);
        return r->path.p ? r : NULL;
}

/* ---- what is known of one node -------------------------------------------------------------------- */

/* 1 with *out (texts in `a` or the layer's), 0 for none, or an error. */
static int find(cache *c, const gw_device *d, odm_str path, odm_arena *a, cache_row *out)
{
        const cache_row key = {.number = d->number, .path = path};

        for (unsigned k = 0; k < 2; k++) {
                const struct layer *l = &c->layer[k == 0 ? c->filling : !c->filling];
                for (size_t i = l->n; i > 0; i--) {
                        const struct change *x = &l->v[i - 1];
                        if (x->row->number != d->number)
                                continue;
                        if (x->drop && at_or_below(path, x->row->path))
                                return 0;
                        if (!x->drop && odm_str_eq(x->row->path, path)) {
                                *out = *x->row;
                                return 1;
                        }
                }
        }
        int rc = store_row_get(gw_store(c->g), &gw_table_cache, &key, a, out);
        return rc == ODM_ENOENT ? 0 : rc < 0 ? rc : 1;
}

static bool is_news(const cache_row *old, const adapter_node *v, int64_t at)
{
        if (old->has_data && !v->has_data && v->value.format == (odm_format)old->format)
                return false; /* that it is there was known, and its value too */
        if (old->has_data != v->has_data || (odm_format)old->format != v->value.format ||
            !odm_str_eq(old->type, v->value.type) || !odm_str_eq(old->data, v->value.data))
                return true;
        return at - old->at >= FRESH_S || old->at > loop_wall().s; /* of a clock that was ahead */
}

static bool fill_row(cache_row *r, const adapter_node *v, int64_t at, odm_arena *a)
{
        r->format = (uint32_t)v->value.format;
        r->type = odm_arena_copy(a, v->value.type);
        r->data = odm_arena_copy(a, v->has_data && v->value.data.p ? v->value.data : ODM_STR(""));
        r->has_data = v->has_data;
        r->at = at;
        return r->data.p && (r->type.p || v->value.type.p == NULL);
}

/* False: it is not kept. */
static bool put_row(cache *c, const gw_device *d, const adapter_node *v, int64_t at)
{
        struct layer *l = open_layer(c);
        cache_row *r = l ? new_row(l, d->number, v->path) : NULL;
        store_op *op = NULL;

        if (r && fill_row(r, v, at, store_batch_arena(l->b)))
                op = store_batch_add(l->b, STORE_ROW_PUT);
        if (op == NULL)
                return false;
        op->row = (store_row_op){.table = &gw_table_cache, .row = r};
        l->v[l->n++] = (struct change){r, false};
        return true;
}

/* A value that came without its format or type has those of before. */
static adapter_node like(const adapter_node *v, const cache_row *old)
{
        adapter_node n = *v;

        if (n.value.format == ODM_FMT_ABSENT)
                n.value.format = (odm_format)old->format;
        if (n.value.type.p == NULL && old->type.n)
                n.value.type = old->type;
        return n;
}

static void put_node(cache *c, const gw_device *d, const adapter_node *v)
{
        int64_t at = v->at.s ? v->at.s : loop_wall().s;
        cache_row old;
        adapter_node n = *v;
        odm_arena a;

        if (v->value.format == ODM_FMT_ABSENT && !v->has_data)
                return; /* a name alone says too little */
        if (v->has_data && v->value.data.n > CACHE_VALUE) {
                cache_drop(c, d, v->path);
                return;
        }
        odm_arena_init(&a, &heap_mem, 65536);
        int rc = find(c, d, v->path, &a, &old);
        if (rc == 1)
                n = like(v, &old);
        if (rc == 1 && is_news(&old, &n, at))
                (void)put_row(c, d, &n, at);
        if (rc == 0 && take_room(c, d) && !put_row(c, d, &n, at))
                give_room(c, d);
        odm_arena_done(&a);
}

void cache_put(cache *c, const gw_device *d, const adapter_node *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (v[i].path.n > 2 && v[i].quality == ADAPTER_LIVE &&
                    !(v[i].has_data && odm_is_secret(v[i].path)))
                        put_node(c, d, &v[i]);
}

void cache_renew(cache *c, const gw_device *d, const adapter_node *v)
{
        cache_row old;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 65536);
        if (find(c, d, v->path, &a, &old) == 1 && old.has_data)
                cache_put(c, d, v, 1);
        odm_arena_done(&a);
}

/* ---- what is there no more ------------------------------------------------------------------------- */

static bool add_delete(struct layer *l, const cache_row *r)
{
        store_op *op = store_batch_add(l->b, STORE_ROW_DELETE);

        if (op == NULL)
                return false;
        op->lenient = true;
        op->row = (store_row_op){.table = &gw_table_cache, .row = r};
        return true;
}

/* All rows below the path; for "." all of the device's. */
static bool add_delete_below(struct layer *l, int64_t number, odm_str path)
{
        odm_arena *a = store_batch_arena(l->b);
        struct range *r = odm_new(a, struct range);

        if (r == NULL || make_range(r, number, path, a) < 0)
                return false;
        r->scan.limit = 10000;
        store_op *op = store_batch_add(l->b, STORE_ROWS_DELETE);
        if (op == NULL)
                return false;
        op->row = (store_row_op){.table = &gw_table_cache, .scan = &r->scan};
        return true;
}

static void drop_rows(cache *c, int64_t number, odm_str path)
{
        struct layer *l = open_layer(c);
        cache_row *r = l ? new_row(l, number, path) : NULL;
        uint16_t *n = count_of(c, (uint32_t)number);

        if (r == NULL || !add_delete(l, r) || !add_delete_below(l, number, path))
                return;
        if (n)
                *n = UNKNOWN;
        l->v[l->n++] = (struct change){r, true};
}

void cache_drop(cache *c, const gw_device *d, odm_str path)
{
        drop_rows(c, d->number, path);
}

static bool is_among(odm_str path, const adapter_node *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (at_or_below(v[i].path, path)) /* itself, or one that it is above */
                        return true;
        return false;
}

void cache_keep_only(cache *c, const gw_device *d, odm_str path, const adapter_node *v, size_t n)
{
        odm_view_node *had = NULL;
        size_t n_had = 0;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, (size_t)16 << 20);
        if (cache_read(c, d, path, &a, &had, &n_had) == 0)
                for (size_t i = 0; i < n_had; i++)
                        if (!is_among(had[i].path, v, n))
                                cache_drop(c, d, had[i].path);
        odm_arena_done(&a);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

struct found {
        odm_arena *a;
        odm_view_node *v;
        size_t n, cap;
};

static int put_found(struct found *f, const cache_row *r, bool instead)
{
        odm_view_node node = {.path = odm_arena_copy(f->a, r->path),
                              .value = {(odm_format)r->format, odm_arena_copy(f->a, r->type),
                                        odm_arena_copy(f->a, r->data)},
                              .has_data = r->has_data,
                              .at = {r->at}};

        if (node.path.p == NULL || (r->data.n && !node.value.data.p) ||
            (r->type.n && !node.value.type.p))
                return odm_arena_err(f->a);
        if (node.value.type.n == 0)
                node.value.type = ODM_ABSENT;
        for (size_t i = 0; instead && i < f->n; i++)
                if (odm_str_eq(f->v[i].path, node.path)) {
                        f->v[i] = node;
                        return 0;
                }
        if (f->n == f->cap) {
                size_t cap = f->cap ? f->cap * 2 : 64;
                odm_view_node *more = odm_arena_get(f->a, cap * sizeof *more);
                if (more == NULL)
                        return odm_arena_err(f->a);
                if (f->n)
                        memcpy(more, f->v, f->n * sizeof *more);
                f->v = more;
                f->cap = cap;
        }
        f->v[f->n++] = node;
        return 0;
}

static void drop_found(struct found *f, odm_str top)
{
        size_t n = 0;

        for (size_t i = 0; i < f->n; i++)
                if (!at_or_below(f->v[i].path, top))
                        f->v[n++] = f->v[i];
        f->n = n;
}

/* What is on its way to the store, over what is there. */
static int lay_over(const struct layer *l, const gw_device *d, odm_str top, struct found *f)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < l->n; i++) {
                const struct change *x = &l->v[i];
                if (x->row->number != d->number)
                        continue;
                if (x->drop)
                        drop_found(f, x->row->path);
                else if (at_or_below(x->row->path, top))
                        rc = put_found(f, x->row, true);
        }
        return rc;
}

static int read_below(cache *c, const gw_device *d, odm_str top, struct found *f)
{
        struct range r;
        cache_row last;
        bool more = true;
        int rc = make_range(&r, d->number, top, f->a);

        while (rc == 0 && more) {
                store_rows rows;
                rc = store_row_find(gw_store(c->g), &r.scan, f->a, &rows);
                for (size_t i = 0; rc == 0 && i < rows.n; i++)
                        rc = put_found(f, (const cache_row *)rows.v + i, false);
                more = rc == 0 && rows.more && rows.n;
                if (more) {
                        last = ((const cache_row *)rows.v)[rows.n - 1];
                        r.scan.after = &last;
                }
        }
        return rc;
}

int cache_read(cache *c, const gw_device *d, odm_str path, odm_arena *a, odm_view_node **out,
               size_t *n)
{
        const cache_row key = {.number = d->number, .path = path};
        struct found f = {.a = a};
        cache_row row;
        int rc = store_row_get(gw_store(c->g), &gw_table_cache, &key, a, &row);

        if (rc == 0)
                rc = put_found(&f, &row, false);
        else if (rc == ODM_ENOENT)
                rc = 0;
        if (rc == 0)
                rc = read_below(c, d, path, &f);
        if (rc == 0)
                rc = lay_over(&c->layer[!c->filling], d, path, &f);
        if (rc == 0)
                rc = lay_over(&c->layer[c->filling], d, path, &f);
        if (rc < 0)
                return rc;
        *out = f.v;
        *n = f.n;
        return 0;
}

/* ---- those of nobody ------------------------------------------------------------------------------- */

/* The number of the first record from `n` on that rows are of.  1, 0 for none, or an error. */
static int next_number(const cache *c, int64_t n, int64_t *out)
{
        const cache_row from = {.number = n};
        const store_scan s = {.table = &gw_table_cache, .from = &from, .limit = 1};
        store_rows rows;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, 65536);
        rc = store_row_find(gw_store(c->g), &s, &a, &rows);
        if (rc == 0 && rows.n) {
                *out = ((const cache_row *)rows.v)->number;
                rc = 1;
        }
        odm_arena_done(&a);
        return rc;
}

static bool has_record(const cache *c, int64_t number)
{
        const gw_device before = {.number = (uint32_t)(number - 1)};
        const gw_device *d = gw_next(c->g, &before);

        return d && d->number == number;
}

/* Their record went, and the gateway ended before they did. */
static int sweep(cache *c)
{
        int64_t n = 0;
        int rc;

        while ((rc = next_number(c, n, &n)) == 1) {
                if (!has_record(c, n))
                        drop_rows(c, n, ODM_STR("."));
                n++;
        }
        return rc;
}

/* ---- life ------------------------------------------------------------------------------------------- */

int cache_open(gateway *g, cache **out)
{
        cache *c = calloc(1, sizeof *c);

        if (c == NULL)
                return ODM_ENOMEM;
        *c = (cache){.g = g, .most = (size_t)cfg_int(gw_conf(g), "gateway.cache")};
        c->timer = (loop_timer){.fn = on_timer, .ctx = c};
        int rc = count_all(c);
        if (rc == 0)
                rc = sweep(c);
        if (rc < 0) {
                cache_close(c);
                return rc;
        }
        *out = c;
        return 0;
}

void cache_close(cache *c)
{
        if (c == NULL)
                return;
        struct layer *l = &c->layer[c->filling];
        loop_timer_stop(&c->timer);
        if (l->n && gw_write(c->g, l->b) < 0)
                log_error("the last values of devices are not kept");
        store_batch_free(l->b);
        free(c->count);
        free(c);
}

size_t cache_rows(const cache *c)
{
        return c->rows;
}
