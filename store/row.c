/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables by their description: checks, order, comparison. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "row.h"

#define NAME_MOST 40

/* ---- tables that make sense ----------------------------------------------------- */

static bool is_name(const char *z)
{
        size_t n = strspn(z, "abcdefghijklmnopqrstuvwxyz0123456789_");

        return n >= 1 && n <= NAME_MOST && z[n] == 0;
}

static bool index_is_good(const store_table *t, uint8_t i)
{
        const store_index *x = &t->index[i];
        uint64_t seen = 0;

        if (!is_name(x->name) || x->n < 1 || x->n > STORE_INDEX_FIELDS)
                return false;
        for (uint8_t k = 0; k < i; k++)
                if (strcmp(t->index[k].name, x->name) == 0)
                        return false;
        for (uint8_t k = 0; k < x->n; k++) {
                if (x->fields[k] >= t->rec->n || seen & STORE_FIELD(x->fields[k]))
                        return false;
                seen |= STORE_FIELD(x->fields[k]);
        }
        return true;
}

static bool record_is_good(const record *r)
{
        for (size_t i = 0; i < r->n; i++) {
                if (!is_name(r->fields[i].name))
                        return false;
                for (size_t k = 0; k < i; k++)
                        if (strcmp(r->fields[i].name, r->fields[k].name) == 0)
                                return false;
        }
        return r->n >= 1 && r->n <= STORE_FIELDS_MAX && r->size <= STORE_ROW_BYTES;
}

static bool table_is_good(const store_table *t)
{
        if (!is_name(t->name) || !record_is_good(t->rec))
                return false;
        if (t->n_key < 1 || t->n_key > STORE_INDEX_FIELDS || t->n_key > t->rec->n)
                return false;
        if (t->numbered && t->rec->fields[t->n_key - 1].kind != FIELD_I64)
                return false;
        if (t->n_index > STORE_INDEXES_MAX)
                return false;
        for (uint8_t i = 0; i < t->n_index; i++)
                if (!index_is_good(t, i))
                        return false;
        return true;
}

int row_tables_check(const store_opt *opt, char diag[STORE_DIAG])
{
        if (opt->n_tables > STORE_TABLES_MAX) {
                snprintf(diag, STORE_DIAG, "store: more than %d tables", STORE_TABLES_MAX);
                return ODM_EINVAL;
        }
        for (size_t i = 0; i < opt->n_tables; i++) {
                bool good = table_is_good(opt->tables[i]);
                for (size_t k = 0; good && k < i; k++)
                        good = strcmp(opt->tables[k]->name, opt->tables[i]->name) != 0;
                if (!good) {
                        snprintf(diag, STORE_DIAG,
                                 "store: the table \"%.40s\" is described wrongly",
                                 opt->tables[i]->name);
                        return ODM_EINVAL;
                }
        }
        return 0;
}

size_t row_table_at(const store_opt *opt, const store_table *t)
{
        size_t i = 0;

        while (i < opt->n_tables && opt->tables[i] != t)
                i++;
        return i;
}

/* ---- fields ------------------------------------------------------------------------- */

static uint64_t first_fields(size_t n)
{
        return n == STORE_FIELDS_MAX ? UINT64_MAX : STORE_FIELD(n) - 1;
}

uint64_t row_key(const store_table *t)
{
        return first_fields(t->n_key);
}

uint64_t row_never_absent(const store_table *t)
{
        uint64_t all = row_key(t);

        for (uint8_t i = 0; i < t->n_index; i++)
                for (uint8_t k = 0; k < t->index[i].n; k++)
                        all |= STORE_FIELD(t->index[i].fields[k]);
        return all;
}

bool row_is_devices(const store_table *t)
{
        return strcmp(t->rec->fields[0].name, "device") == 0 && t->rec->fields[0].kind == FIELD_I64;
}

row_order row_order_of(const store_table *t, uint8_t index)
{
        row_order o = {.n = 0};
        uint64_t seen = 0;

        for (uint8_t k = 0; index && k < t->index[index - 1].n; k++) {
                o.f[o.n++] = t->index[index - 1].fields[k];
                seen |= STORE_FIELD(t->index[index - 1].fields[k]);
        }
        if (index && t->index[index - 1].unique)
                return o;
        for (uint8_t k = 0; k < t->n_key; k++)
                if (!(seen & STORE_FIELD(k)))
                        o.f[o.n++] = k;
        return o;
}

static int cmp_field(const field *f, const void *a, const void *b)
{
        if (field_is_text(f))
                return odm_str_cmp(field_text(f, a), field_text(f, b));
        if (f->kind == FIELD_F64) {
                double x = field_real(f, a), y = field_real(f, b);
                return x < y ? -1 : x > y;
        }
        int64_t x = field_number(f, a), y = field_number(f, b);
        return x < y ? -1 : x > y;
}

int row_cmp(const store_table *t, const row_order *o, unsigned from, unsigned to, const void *a,
            const void *b)
{
        int d = 0;

        for (unsigned i = from; d == 0 && i < to; i++)
                d = cmp_field(&t->rec->fields[o->f[i]], a, b);
        return d;
}

bool row_same(const store_table *t, uint64_t fields, const void *a, const void *b)
{
        uint64_t never = row_never_absent(t);

        for (size_t i = 0; i < t->rec->n; i++) {
                const field *f = &t->rec->fields[i];

                if (!(fields >> i & 1))
                        continue;
                if (cmp_field(f, a, b))
                        return false;
                if (field_is_text(f) && !(never >> i & 1) &&
                    (field_text(f, a).p == NULL) != (field_text(f, b).p == NULL))
                        return false;
        }
        return true;
}

static int64_t sum_within(int64_t a, int64_t b, int64_t low, int64_t high)
{
        int64_t sum;

        if (__builtin_add_overflow(a, b, &sum))
                return b < 0 ? low : high;
        return sum < low ? low : sum > high ? high : sum;
}

void row_sum(const field *f, void *into, const void *plus)
{
        int64_t a = field_number(f, into), b = field_number(f, plus);
        double real;

        switch (f->kind) {
        case FIELD_I64: field_set_number(f, into, sum_within(a, b, INT64_MIN, INT64_MAX)); break;
        case FIELD_U64: field_set_number(f, into, sum_within(a, b, 0, INT64_MAX)); break;
        case FIELD_I32: field_set_number(f, into, sum_within(a, b, INT32_MIN, INT32_MAX)); break;
        case FIELD_U32:
                field_set_number(f, into, sum_within(a, (int32_t)(uint32_t)b, 0, UINT32_MAX));
                break;
        case FIELD_F64:
                real = field_real(f, into) + field_real(f, plus);
                memcpy((char *)into + f->offset, &real, sizeof real);
                break;
        case FIELD_BOOL:
        case FIELD_STR:
        case FIELD_BLOB: break;
        }
}

void row_set(const store_table *t, size_t i, void *out, const void *row)
{
        const field *f = &t->rec->fields[i];

        if (field_is_text(f)) {
                odm_str s = field_kept_text(f, row, row_never_absent(t) >> i & 1);
                memcpy((char *)out + f->offset, &s, sizeof s);
        } else if (f->kind == FIELD_F64) {
                memcpy((char *)out + f->offset, (const char *)row + f->offset, sizeof(double));
        } else {
                field_set_number(f, out, field_number(f, row));
        }
}

void row_plain(const store_table *t, const void *row, void *out)
{
        memset(out, 0, t->rec->size);
        for (size_t i = 0; i < t->rec->n; i++)
                row_set(t, i, out, row);
}

int row_copy(const store_table *t, const void *row, odm_arena *a, void *out)
{
        _Alignas(max_align_t) char tmp[STORE_ROW_BYTES];
        int rc;

        row_plain(t, row, tmp);
        rc = record_copy(t->rec, tmp, a);
        if (rc == 0)
                memcpy(out, tmp, t->rec->size);
        return rc;
}

/* ---- operations that make sense -------------------------------------------------------- */

/* Numbers that cannot be kept. */
static bool values_fit(const store_table *t, uint64_t fields, uint64_t plus, const void *row)
{
        for (size_t i = 0; i < t->rec->n; i++) {
                const field *f = &t->rec->fields[i];

                if (!(fields >> i & 1))
                        continue;
                if (f->kind == FIELD_U64 && !(plus >> i & 1) && field_number(f, row) < 0)
                        return false;
                if (f->kind == FIELD_F64 && !isfinite(field_real(f, row)))
                        return false;
        }
        return true;
}

static bool are_numbers(const store_table *t, uint64_t fields)
{
        for (size_t i = 0; i < t->rec->n; i++)
                if (fields >> i & 1 &&
                    (field_is_text(&t->rec->fields[i]) || t->rec->fields[i].kind == FIELD_BOOL))
                        return false;
        return true;
}

static bool number_fits(store_op_kind kind, const store_table *t, const void *row)
{
        int64_t n;

        if (!t->numbered)
                return true;
        n = field_number(&t->rec->fields[t->n_key - 1], row);
        return n > 0 || (n == 0 && kind == STORE_ROW_ADD);
}

int row_op_check(const store_opt *opt, store_op_kind kind, const store_row_op *op)
{
        const store_table *t = op->table;
        uint64_t all;
        bool good;

        if (kind == STORE_ROWS_DELETE)
                return op->scan ? row_scan_check(opt, op->scan) : ODM_EINVAL;
        if (t == NULL || op->row == NULL || row_table_at(opt, t) == opt->n_tables)
                return ODM_EINVAL;
        all = first_fields(t->rec->n);
        if (kind == STORE_ROW_ADD || kind == STORE_ROW_PUT)
                return number_fits(kind, t, op->row) && values_fit(t, all, 0, op->row) ? 0
                                                                                       : ODM_EINVAL;
        good = !(op->where & ~all) && (op->where == 0 || op->is);
        if (kind == STORE_ROW_PATCH)
                good = good && !(op->fields & ~all) && !(op->fields & row_key(t)) &&
                       !(op->plus & ~op->fields) && are_numbers(t, op->plus) &&
                       values_fit(t, op->fields, op->plus, op->row);
        return good ? 0 : ODM_EINVAL;
}

int row_scan_check(const store_opt *opt, const store_scan *s)
{
        const store_table *t = s->table;
        row_order o;

        if (t == NULL || row_table_at(opt, t) == opt->n_tables || s->index > t->n_index)
                return ODM_EINVAL;
        o = row_order_of(t, s->index);
        if (s->same > o.n || (s->same && s->at == NULL))
                return ODM_EINVAL;
        return (s->from || s->below) && s->same == o.n ? ODM_EINVAL : 0;
}
