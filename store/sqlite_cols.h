/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_cols.h - the lists of fields.h as parts of SQL texts. */
#ifndef STORE_SQLITE_COLS_H
#define STORE_SQLITE_COLS_H

#include "fields.h"

#define FIRST(f, k) "\"" #f "\""
#define MORE(f, k) ",\"" #f "\""
#define FIRST_D(f, k) "d.\"" #f "\""
#define MORE_D(f, k) ",d.\"" #f "\""
#define FIRST_P(f, k) "?"
#define MORE_P(f, k) ",?"

#define COLS(FIELDS) FIELDS(FIRST, MORE)
#define PARAMS(FIELDS) FIELDS(FIRST_P, MORE_P)

#define PUT_ROW(table, FIELDS) "REPLACE INTO " table "(" COLS(FIELDS) ") VALUES(" PARAMS(FIELDS) ")"

/* For ON CONFLICT DO UPDATE SET, of tables with indexes: REPLACE would take the old row out of each
 * and put the new one in, an update touches those only whose columns are named. */
#define FIRST_SET(f, k) "\"" #f "\"=excluded.\"" #f "\""
#define MORE_SET(f, k) ",\"" #f "\"=excluded.\"" #f "\""

#endif
