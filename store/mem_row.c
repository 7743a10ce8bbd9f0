/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables in memory: a map by key, which has the rows, and one for each index, which has
 * their keys.  Fields are written so that the order of octets is that of the values. */
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "mem.h"

#define KEY_MOST ((size_t)64 << 20)

typedef union tmp_row {
        char p[STORE_ROW_BYTES];
        max_align_t align;
} tmp_row;

unsigned mem_row_maps(const store_opt *opt)
{
        unsigned n = 0;

        for (size_t i = 0; i < opt->n_tables; i++)
                n += 1u + opt->tables[i]->n_index;
        return n;
}

/* The map of a table's rows; those of its indexes are behind it. */
static unsigned map_of(const mem *m, const store_table *t)
{
        unsigned n = TABLES;

        for (size_t i = 0; m->opt.tables[i] != t; i++)
                n += 1u + m->opt.tables[i]->n_index;
        return n;
}

/* ---- keys ----------------------------------------------------------------------- */

static int put_number(odm_buf *b, uint64_t v)
{
        uint8_t p[8];

        for (int i = 0; i < 8; i++)
                p[i] = (uint8_t)(v >> (56 - 8 * i));
        return odm_buf_put(b, p, sizeof p);
}

static int put_text(odm_buf *b, odm_str s)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < s.n; i++) {
                rc = odm_buf_byte(b, (uint8_t)s.p[i]);
                if (rc == 0 && s.p[i] == 0)
                        rc = odm_buf_byte(b, 0xff);
        }
        return rc < 0 ? rc : odm_buf_put(b, "\0", 2);
}

static uint64_t ordered_real(double v)
{
        uint64_t bits;

        v = v == 0 ? 0 : v; /* there are two zeros */
        memcpy(&bits, &v, sizeof bits);
        return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

/* A field begins with 1, so that 2 is behind all that begin alike. */
static int put_field(odm_buf *b, const field *f, const void *row)
{
        int rc = odm_buf_byte(b, 1);

        if (rc < 0)
                return rc;
        if (field_is_text(f))
                return put_text(b, field_text(f, row));
        if (f->kind == FIELD_F64)
                return put_number(b, ordered_real(field_real(f, row)));
        return put_number(b, (uint64_t)field_number(f, row) ^ UINT64_C(1) << 63);
}

static int put_fields(odm_buf *b, const store_table *t, const row_order *o, unsigned n,
                      const void *row)
{
        int rc = 0;

        for (unsigned i = 0; rc == 0 && i < n; i++)
                rc = put_field(b, &t->rec->fields[o->f[i]], row);
        return rc;
}

static map_key key_of(const odm_buf *b)
{
        return (map_key){.text = odm_buf_view(b)};
}

/* The first `n` fields of an order as a key; n 0: all.  The caller frees `b` in any case. */
static int make_key(odm_buf *b, const store_table *t, uint8_t index, unsigned n, const void *row)
{
        row_order o = row_order_of(t, index);

        odm_buf_init(b, &store_heap, KEY_MOST);
        return put_fields(b, t, &o, n ? n : o.n, row);
}

/* ---- reading -------------------------------------------------------------------- */

static bool starts(odm_str s, odm_str with)
{
        return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

static int find_row(const mem *m, const store_table *t, const void *row, void **out)
{
        odm_buf key;
        int rc = make_key(&key, t, 0, 0, row);

        if (rc == 0) {
                *out = map_find(&m->t[map_of(m, t)], key_of(&key));
                rc = *out ? 0 : ODM_ENOENT;
        }
        odm_buf_done(&key);
        return rc;
}

int mem_row_get(void *h, const store_table *t, const void *row, odm_arena *a, void *out)
{
        void *found = NULL;
        int rc = find_row(h, t, row, &found);

        return rc < 0 ? rc : row_copy(t, found, a, out);
}

/* The rows of a scan: their keys in the map of its order are at least `low` and less than `high`.
 */
typedef struct range {
        const mem *m;
        const store_scan *s;
        unsigned rows, map;
        odm_buf low, high;
} range;

/* Takes `b` as a bound where it is narrower; frees what it does not keep.  rc: of making `b`. */
static int narrow(range *r, bool low, odm_buf *b, int rc)
{
        odm_buf *bound = low ? &r->low : &r->high;
        int d = rc == 0 ? odm_str_cmp(odm_buf_view(b), odm_buf_view(bound)) : 0;

        if (low ? d > 0 : d < 0) {
                odm_buf_done(bound);
                *bound = *b;
        } else {
                odm_buf_done(b);
        }
        return rc;
}

/* By the field behind the same ones, as it is in `at`. */
static int narrow_by_field(range *r, bool low, const void *at)
{
        const store_scan *s = r->s;
        row_order o = row_order_of(s->table, s->index);
        odm_buf b;
        int rc;

        odm_buf_init(&b, &store_heap, KEY_MOST);
        rc = put_fields(&b, s->table, &o, s->same, s->at);
        if (rc == 0)
                rc = put_field(&b, &s->table->rec->fields[o.f[s->same]], at);
        return narrow(r, low, &b, rc);
}

static int narrow_by_place(range *r, const void *after)
{
        odm_buf b;
        int rc = make_key(&b, r->s->table, r->s->index, 0, after);

        if (rc == 0 && !r->s->down)
                rc = odm_buf_byte(&b, 0); /* the next there can be */
        return narrow(r, !r->s->down, &b, rc);
}

static void range_done(range *r)
{
        odm_buf_done(&r->low);
        odm_buf_done(&r->high);
}

static int prefix_bounds(range *r)
{
        const store_scan *s = r->s;
        row_order o = row_order_of(s->table, s->index);
        int rc = put_fields(&r->low, s->table, &o, s->same, s->at);

        if (rc == 0)
                rc = odm_buf_str(&r->high, odm_buf_view(&r->low));
        return rc < 0 ? rc : odm_buf_byte(&r->high, 2);
}

static int range_of(const mem *m, const store_scan *s, range *out)
{
        range r = {.m = m, .s = s, .rows = map_of(m, s->table)};
        int rc;

        r.map = r.rows + s->index;
        odm_buf_init(&r.low, &store_heap, KEY_MOST);
        odm_buf_init(&r.high, &store_heap, KEY_MOST);
        rc = prefix_bounds(&r);
        if (rc == 0 && s->from)
                rc = narrow_by_field(&r, true, s->from);
        if (rc == 0 && s->below)
                rc = narrow_by_field(&r, false, s->below);
        if (rc == 0 && s->after)
                rc = narrow_by_place(&r, s->after);
        if (rc < 0)
                range_done(&r);
        else
                *out = r;
        return rc;
}

static map_node *in_range(const range *r, map_node *n)
{
        return n && odm_str_cmp(n->key.text, odm_buf_view(&r->low)) >= 0 &&
                               odm_str_cmp(n->key.text, odm_buf_view(&r->high)) < 0
                       ? n
                       : NULL;
}

static map_node *range_first(const range *r)
{
        const map *at = &r->m->t[r->map];

        return in_range(r, r->s->down ? map_before(at, key_of(&r->high))
                                      : map_from(at, key_of(&r->low)));
}

static map_node *range_next(const range *r, map_node *n)
{
        return in_range(r, r->s->down ? map_before(&r->m->t[r->map], n->key) : n->next[0]);
}

static void *row_of(const range *r, const map_node *n)
{
        const blob *key = n->value;

        if (r->s->index == 0)
                return n->value;
        return map_find(&r->m->t[r->rows], (map_key){.text = {key->p, key->n}});
}

int mem_row_find(void *h, const store_scan *s, odm_arena *a, store_rows *out)
{
        record_list l = {.r = s->table->rec, .a = a};
        range r;
        map_node *n;
        int rc = range_of(h, s, &r);

        if (rc < 0)
                return rc;
        for (n = range_first(&r); rc == 0 && n && l.n < s->limit; n = range_next(&r, n)) {
                void *slot;
                rc = record_list_room(&l, &slot);
                if (rc == 0)
                        rc = row_copy(s->table, row_of(&r, n), a, slot);
                if (rc == 0)
                        l.n++;
        }
        range_done(&r);
        if (rc == 0)
                *out = (store_rows){l.v, l.n, n != NULL};
        return rc;
}

int mem_row_count(void *h, const store_scan *s, uint64_t most, uint64_t *out)
{
        range r;
        uint64_t n = 0;
        int rc = range_of(h, s, &r);

        if (rc < 0)
                return rc;
        for (map_node *at = range_first(&r); at && n < most; at = range_next(&r, at))
                n++;
        range_done(&r);
        *out = n;
        return 0;
}

/* ---- writing -------------------------------------------------------------------- */

int mem_row_number(void *e, const store_table *t, int64_t given, int64_t *out)
{
        mem *m = e;
        int64_t *last = &m->numbers[row_table_at(&m->opt, t)];

        if (given == 0)
                given = *last + 1;
        if (given > *last)
                *last = given;
        *out = given;
        return 0;
}

/* Whether a row that is not `self` has the values of a unique index. */
static int index_is_free(const mem *m, const store_table *t, uint8_t index, const void *row,
                         const void *self)
{
        unsigned rows = map_of(m, t);
        odm_buf key;
        map_node *n;
        int rc = make_key(&key, t, index, t->index[index - 1].n, row);

        n = rc == 0 ? map_from(&m->t[rows + index], key_of(&key)) : NULL;
        if (n && starts(n->key.text, odm_buf_view(&key))) {
                const blob *that = n->value;
                if (map_find(&m->t[rows], (map_key){.text = {that->p, that->n}}) != self)
                        rc = ODM_EEXIST;
        }
        odm_buf_done(&key);
        return rc;
}

static int must_be_free(const mem *m, const store_table *t, const void *row, const void *self)
{
        int rc = 0;

        for (uint8_t i = 1; rc == 0 && i <= t->n_index; i++)
                if (t->index[i - 1].unique)
                        rc = index_is_free(m, t, i, row, self);
        return rc;
}

static int drop_entry(mem *m, const store_table *t, uint8_t index, const void *row)
{
        odm_buf key;
        int rc = make_key(&key, t, index, 0, row);

        if (rc == 0)
                rc = mem_drop(m, map_of(m, t) + index, key_of(&key));
        odm_buf_done(&key);
        return rc;
}

static int put_entry(mem *m, const store_table *t, uint8_t index, const void *row, odm_str of)
{
        odm_buf key;
        int rc = make_key(&key, t, index, 0, row);

        if (rc == 0)
                rc = mem_put(m, map_of(m, t) + index, key_of(&key), mem_blob(of));
        odm_buf_done(&key);
        return rc;
}

static int drop_whole(mem *m, const store_table *t, const void *row)
{
        int rc = 0;

        for (uint8_t i = 1; rc == 0 && i <= t->n_index; i++)
                rc = drop_entry(m, t, i, row);
        return rc < 0 ? rc : drop_entry(m, t, 0, row);
}

static int put_whole(mem *m, const store_table *t, const void *row)
{
        tmp_row kept;
        odm_buf key;
        int rc = make_key(&key, t, 0, 0, row);

        row_plain(t, row, kept.p);
        for (uint8_t i = 1; rc == 0 && i <= t->n_index; i++)
                rc = put_entry(m, t, i, row, odm_buf_view(&key));
        if (rc == 0)
                rc = mem_put(m, map_of(m, t), key_of(&key), record_dup(t->rec, kept.p));
        odm_buf_done(&key);
        return rc;
}

int mem_row_put(void *e, const store_table *t, const void *row)
{
        void *old = NULL;
        int rc = find_row(e, t, row, &old);

        if (rc == 0 || rc == ODM_ENOENT)
                rc = must_be_free(e, t, row, old);
        if (rc == 0 && old)
                rc = drop_whole(e, t, old); /* it lives on in what can be put back */
        return rc < 0 ? rc : put_whole(e, t, row);
}

int mem_row_add(void *e, const store_table *t, const void *row)
{
        void *old = NULL;
        int rc = find_row(e, t, row, &old);

        if (rc != ODM_ENOENT)
                return rc < 0 ? rc : ODM_EEXIST;
        return mem_row_put(e, t, row);
}

static int find_expected(const mem *m, const store_row_op *op, void **out)
{
        int rc = find_row(m, op->table, op->row, out);

        if (rc < 0)
                return rc;
        return op->where && !row_same(op->table, op->where, *out, op->is) ? ODM_ESTATE : 0;
}

int mem_row_patch(void *e, const store_row_op *op)
{
        const store_table *t = op->table;
        tmp_row now;
        void *old = NULL;
        int rc = find_expected(e, op, &old);

        if (rc < 0)
                return rc;
        row_plain(t, old, now.p);
        for (size_t i = 0; i < t->rec->n; i++) {
                if (op->plus >> i & 1)
                        row_sum(&t->rec->fields[i], now.p, op->row);
                else if (op->fields >> i & 1)
                        row_set(t, i, now.p, op->row);
        }
        return mem_row_put(e, t, now.p);
}

int mem_row_delete(void *e, const store_row_op *op)
{
        void *old = NULL;
        int rc = find_expected(e, op, &old);

        return rc < 0 ? rc : drop_whole(e, op->table, old);
}

int mem_rows_delete(void *e, const store_scan *s, int64_t *out)
{
        int64_t n = 0;
        map_node *at;
        range r;
        int rc = range_of(e, s, &r);

        if (rc < 0)
                return rc;
        while (rc == 0 && n < s->limit && (at = range_first(&r))) {
                rc = drop_whole(e, s->table, row_of(&r, at));
                n++;
        }
        range_done(&r);
        *out = n;
        return rc;
}

int mem_row_device_gone(mem *m, int64_t device)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < m->opt.n_tables; i++) {
                const store_table *t = m->opt.tables[i];
                tmp_row at = {{0}};
                const store_scan s = {.table = t, .same = 1, .at = at.p, .limit = UINT32_MAX};
                int64_t n;

                if (!row_is_devices(t))
                        continue;
                field_set_number(&t->rec->fields[0], at.p, device);
                rc = mem_rows_delete(m, &s, &n);
        }
        return rc;
}
