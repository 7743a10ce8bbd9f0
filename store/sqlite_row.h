/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_row.h - rows of tables (table.h) in SQLite: the table "alarm" is t_alarm, its index
 * "cause" is t_alarm.cause.  A key that is one whole number is the rowid; other tables have no
 * rowid.
 *
 * All functions take a connection, the writer's or a reader's, and are as engine.h says. */
#ifndef STORE_SQLITE_ROW_H
#define STORE_SQLITE_ROW_H

#include "row.h"
#include "sqlite_db.h"

/* Makes the tables that are not there, columns they have won, and their indexes, in one
 * transaction.  ODM_EINVAL with a sentence in x->diag: what is there cannot be made so. */
ODM_MUST_USE int sqlite_row_tables(db *x, const store_opt *opt);

ODM_MUST_USE int sqlite_row_get(db *x, const store_table *t, const void *row, odm_arena *a,
                                void *out);
ODM_MUST_USE int sqlite_row_find(db *x, const store_scan *s, odm_arena *a, store_rows *out);
ODM_MUST_USE int sqlite_row_count(db *x, const store_scan *s, uint64_t most, uint64_t *out);
ODM_MUST_USE int sqlite_row_add(db *x, const store_table *t, const void *row);
ODM_MUST_USE int sqlite_row_put(db *x, const store_table *t, const void *row);
ODM_MUST_USE int sqlite_row_patch(db *x, const store_row_op *op);
ODM_MUST_USE int sqlite_row_delete(db *x, const store_row_op *op);
ODM_MUST_USE int sqlite_rows_delete(db *x, const store_scan *s, int64_t *out);
ODM_MUST_USE int sqlite_row_device_gone(db *x, const store_opt *opt, int64_t device);

/* The text by which a scan is read, and all that is bound to it; for tests. */
ODM_MUST_USE int sqlite_row_find_text(const store_scan *s, odm_buf *out);

#endif
