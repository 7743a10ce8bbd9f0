/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - rows of any kind: what a server keeps beside devices and their jobs.
 *
 * Whoever keeps rows describes them once: a C struct, its fields (fields.h), how many of the first
 * of them are the key, and the orders it wants to read them in.  The engines do the rest.
 *
 *     typedef struct alarm { int64_t device, id; odm_str cause; ... } alarm;
 *     static const field alarm_fields[] = {STORE_FIELD_OF(alarm, device, I64),
 *                                          STORE_FIELD_OF(alarm, id, I64),
 *                                          STORE_FIELD_OF(alarm, cause, STR), ...};
 *     static const record record_alarm = STORE_RECORD_OF(alarm, alarm_fields);
 *     static const store_index alarm_index[] = {{.name = "cause", .fields = {2, 0}, .n = 2}};
 *     const store_table table_alarm = {.name = "alarm", .rec = &record_alarm, .n_key = 2,
 *                                      .index = alarm_index, .n_index = 1};
 *
 *     op = store_batch_add(b, STORE_ROW_PATCH);
 *     op->row = (store_row_op){.table = &table_alarm, .row = &a, .fields = ALARM_COUNT,
 *                              .plus = ALARM_COUNT};
 *
 * Tables are given to store_open(); the engine makes those the file has not, and adds columns that
 * a table has won (they read as 0 or absent).  A column is never taken away, renamed or given
 * another kind, and a key never changes.  Indexes may come, go and change; one that becomes unique
 * while rows are the same cannot be made, and the store does not open.
 *
 * A table whose first key field is called "device" is the device's: its rows go when the device is
 * deleted.  So that tables can be spread by device, whatever is written for one device should
 * begin its key with it.
 *
 * Texts of key and index fields are never absent: an absent one is kept, and read, as empty.
 * Texts are ordered by octet, numbers by value.  A U64 is at most INT64_MAX, an F64 is a number
 * (else EINVAL).  Members of the struct that are no fields are not kept, and read as zero. */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include "fields.h"
#include "store.h"

#define STORE_INDEX_FIELDS 6
#define STORE_FIELDS_MAX 64 /* of a table: a field is a bit */
#define STORE_TABLES_MAX 64
#define STORE_INDEXES_MAX 16 /* of a table */
#define STORE_ROW_BYTES 2048 /* of a struct */

typedef struct store_index {
        const char *name;
        uint8_t fields[STORE_INDEX_FIELDS]; /* numbers of fields of the record, n of them */
        uint8_t n;
        bool unique; /* no two rows have the same values: ODM_EEXIST */
} store_index;

typedef struct store_table {
        const char *name;  /* of lower case letters, digits and '_', at most 40 */
        const record *rec; /* at most STORE_FIELDS_MAX fields */
        uint8_t n_key;     /* the first fields of the record; 1 .. STORE_INDEX_FIELDS */
        bool numbered;     /* the last field of the key is an I64 that the store gives where a row
                              is added with 0: positive, rising in the table, never given again */
        const store_index *index;
        uint8_t n_index;
} store_table;

#define STORE_FIELD(i) ((uint64_t)1 << (i))
#define STORE_FIELD_OF(type, member, KIND)                    \
        {                                                     \
#member, offsetof(type, member), FIELD_##KIND \
        }
#define STORE_RECORD_OF(type, fields)                   \
        {                                               \
                sizeof(type), fields, ODM_COUNT(fields) \
        }

/* Which rows, in which order.  Zero-initialise. */
typedef struct store_scan {
        const store_table *table;
        uint8_t index;  /* order: 0 by the key, i by table->index[i - 1] and then by the key */
        uint8_t same;   /* the first so many fields of that order are as in `at`; a field of the key
                           that the index has too is in the order once */
        const void *at; /* may be NULL without `same` */
        const void *from;  /* the field behind those is at least as in this row; NULL: any */
        const void *below; /* and less than in this; NULL: any.  With either, `same` is not all */
        const void *after; /* only rows behind this one in the order asked for: the last of the page
                              before, of which the fields of the order and the key count */
        bool down;         /* the other way round; `after` too */
        uint32_t limit;    /* 1 .. 10000; 0: 100 */
} store_scan;

typedef struct store_rows {
        void *v; /* n structs of the table's record, in the arena */
        size_t n;
        bool more;
} store_rows;

/* All: ODM_EINVAL for a table the store was not given, an index it has not, `same` beyond the
 * order. A row that is read has its texts in the arena. */

/* The row with the key of `row`.  ODM_ENOENT, and as all reads. */
ODM_MUST_USE int store_row_get(store *st, const store_table *t, const void *row, odm_arena *a,
                               void *out);
/* The first row whose fields of index number `index` (from 1) are as in `row`. */
ODM_MUST_USE int store_row_by(store *st, const store_table *t, uint8_t index, const void *row,
                              odm_arena *a, void *out);
ODM_MUST_USE int store_row_find(store *st, const store_scan *s, odm_arena *a, store_rows *out);
/* How many rows a scan has, counted up to `most`; its limit and `after` do not matter.  The time
 * it takes rises with the number: for what is large keep a tally by `plus`. */
ODM_MUST_USE int store_row_count(store *st, const store_scan *s, uint64_t most, uint64_t *out);

#endif
