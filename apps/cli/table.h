/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - rows and columns that fit the terminal, and trees drawn in the first column. */
#ifndef XREM_TABLE_H
#define XREM_TABLE_H

#include "term.h"

typedef struct xrem_col {
        const char *head;
        bool right; /* numbers */
        bool keep;  /* never cut: identifiers that are copied */
} xrem_col;

typedef struct xrem_cell {
        odm_str text; /* absent shows as "-" */
        enum xrem_colour colour;
} xrem_cell;
#define CELL(s) ((xrem_cell){(s), XREM_PLAIN})
#define CELL_IN(s, k) ((xrem_cell){(s), (k)})

#define XREM_COLS_MAX 12

typedef struct xrem_table xrem_table;

/* `cols` is borrowed; at most XREM_COLS_MAX. */
xrem_table *xrem_table_new(xrem *c, const xrem_col *cols, size_t n);
/* Adds a row: `cells` has one for each column and is copied, their text borrowed. */
void xrem_table_row(xrem_table *t, const xrem_cell *cells);
/* The same for a row of a tree, in pre-order; depth 0 stands at the left.  At most 63. */
void xrem_table_node(xrem_table *t, unsigned depth, const xrem_cell *cells);
size_t xrem_table_rows(const xrem_table *t);
/* Prints to stdout; columns too wide for the terminal are cut, the widest first. */
void xrem_table_print(xrem_table *t, bool head);

#endif
