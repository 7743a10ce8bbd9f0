/* SPDX-License-Identifier: Apache-2.0 */
/* row.h - what all engines need of tables (table.h): whether what is asked makes sense, in which
 * order rows are read, and how they compare. */
#ifndef STORE_ROW_H
#define STORE_ROW_H

#include "table.h"

#define ROW_FIND_MOST 10000
#define ROW_FIND_USUAL 100
#define ROW_DELETE_USUAL 1000

/* 0, or ODM_EINVAL with a sentence: a table that is none. */
ODM_MUST_USE int row_tables_check(const store_opt *opt, char diag[STORE_DIAG]);

/* Where the store has that table; n_tables: nowhere. */
size_t row_table_at(const store_opt *opt, const store_table *t);

/* Whether an operation, or a scan, says nothing that cannot be: 0 or ODM_EINVAL. */
ODM_MUST_USE int row_op_check(const store_opt *opt, store_op_kind kind, const store_row_op *op);
ODM_MUST_USE int row_scan_check(const store_opt *opt, const store_scan *s);

/* STORE_FIELD()s of the key; of all texts that are never absent. */
uint64_t row_key(const store_table *t);
uint64_t row_never_absent(const store_table *t);
/* Whether its rows go with a device. */
bool row_is_devices(const store_table *t);

/* The fields of an order: those of the index, then those of the key that are not among them; of a
 * unique index its own are enough. */
typedef struct row_order {
        uint8_t f[2 * STORE_INDEX_FIELDS];
        uint8_t n;
} row_order;
row_order row_order_of(const store_table *t, uint8_t index);

/* Compares the fields o->f[from .. to - 1] of two rows, absent as empty. */
int row_cmp(const store_table *t, const row_order *o, unsigned from, unsigned to, const void *a,
            const void *b);
/* Whether those fields of two rows are the same, as they would be kept. */
bool row_same(const store_table *t, uint64_t fields, const void *a, const void *b);

/* `plus` added to what `into` has, within the range of the kind. */
void row_sum(const field *f, void *into, const void *plus);

/* Field i as it is kept; all of them, and zeros between.  Texts are shared. */
void row_set(const store_table *t, size_t i, void *out, const void *row);
void row_plain(const store_table *t, const void *row, void *out);
/* `row` into `out` (STORE_ROW_BYTES at most): its fields and zeros, texts copied into `a`. */
ODM_MUST_USE int row_copy(const store_table *t, const void *row, odm_arena *a, void *out);

#endif
