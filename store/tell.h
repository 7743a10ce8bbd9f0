/* SPDX-License-Identifier: Apache-2.0 */
/* tell.h - for tests: everything a store says, as text, so that two can be compared. */
#ifndef STORE_TELL_H
#define STORE_TELL_H

#include "table.h"

/* A table for tests: numbered, with indexes. */
typedef struct tell_row {
        int64_t device, n;
        odm_str name; /* unique */
        uint32_t state;
        uint64_t count;
        odm_str text;
} tell_row;
enum { TELL_DEVICE, TELL_N, TELL_NAME, TELL_STATE, TELL_COUNT, TELL_TEXT };
enum { TELL_BY_NAME = 1, TELL_BY_STATE };
extern const store_table tell_table;
extern const store_table *const tell_tables[1]; /* for store_opt */

/* All there is to read, on the heap.  What cannot be read is passed over, and the first error of it
 * is returned, with *out untouched.  Rows of tell_table too, where the store has it. */
ODM_MUST_USE int tell_all(store *st, char **out);

#endif
