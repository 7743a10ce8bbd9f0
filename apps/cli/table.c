/* SPDX-License-Identifier: Apache-2.0 */
/* Tables.  All rows are collected first, since widths depend on all of them. */
#include "table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define GAP 2    /* blanks between columns */
#define LEAST 3  /* a column is not cut to less than this */
#define DEPTH 64 /* as many levels as `open` has bits */

struct row {
        struct row *next;
        xrem_cell cell[XREM_COLS_MAX];
        odm_str stem;  /* the lines of the tree before the first cell */
        int depth;     /* -1: no tree */
        uint64_t open; /* bit d: a later row continues level d */
};

struct xrem_table {
        xrem *c;
        const xrem_col *cols;
        size_t n_cols, n_rows;
        struct row *first, **last;
        unsigned width[XREM_COLS_MAX];
};

xrem_table *xrem_table_new(xrem *c, const xrem_col *cols, size_t n)
{
        xrem_table *t = xrem_new(c, xrem_table, 1);

        assert(n > 0 && n <= XREM_COLS_MAX);
        *t = (xrem_table){.c = c, .cols = cols, .n_cols = n, .last = &t->first};
        return t;
}

static void add_row(xrem_table *t, int depth, const xrem_cell *cells)
{
        struct row *r = xrem_new(t->c, struct row, 1);

        r->depth = depth;
        for (size_t i = 0; i < t->n_cols; i++) {
                r->cell[i] = cells[i];
                r->cell[i].text =
                        cells[i].text.p ? xrem_visible(t->c, cells[i].text, false) : ODM_STR("-");
        }
        *t->last = r;
        t->last = &r->next;
        t->n_rows++;
}

void xrem_table_row(xrem_table *t, const xrem_cell *cells)
{
        add_row(t, -1, cells);
}

void xrem_table_node(xrem_table *t, unsigned depth, const xrem_cell *cells)
{
        add_row(t, depth < DEPTH ? (int)depth : DEPTH - 1, cells);
}

size_t xrem_table_rows(const xrem_table *t)
{
        return t->n_rows;
}

/* ---- trees -------------------------------------------------------------------- */

/* From the last row to the first: which levels go on below each row. */
static void find_open_levels(xrem_table *t)
{
        struct row **all = xrem_new(t->c, struct row *, t->n_rows + 1);
        uint64_t open = 0;
        size_t n = 0;

        for (struct row *r = t->first; r; r = r->next)
                all[n++] = r;
        while (n-- > 0) {
                struct row *r = all[n];

                if (r->depth < 0)
                        continue;
                uint64_t up_to = r->depth == 63 ? UINT64_MAX : (UINT64_C(2) << r->depth) - 1;
                open &= up_to;
                r->open = open;
                open |= UINT64_C(1) << r->depth;
        }
}

static void draw_stems(xrem_table *t)
{
        const char *pass = t->c->utf8 ? "\u2502   " : "|   ";
        const char *tee = t->c->utf8 ? "\u251c\u2500\u2500 " : "|-- ";
        const char *corner = t->c->utf8 ? "\u2514\u2500\u2500 " : "`-- ";
        char line[DEPTH * 12];

        find_open_levels(t);
        for (struct row *r = t->first; r; r = r->next) {
                size_t n = 0;

                for (int d = 1; d <= r->depth; d++) {
                        bool goes_on = r->open >> d & 1;
                        const char *part = d < r->depth ? (goes_on ? pass : "    ")
                                           : goes_on    ? tee
                                                        : corner;
                        size_t len = strlen(part);

                        memcpy(line + n, part, len);
                        n += len;
                }
                r->stem = xrem_copy(t->c, (odm_str){line, n});
        }
}

/* ---- widths ---------------------------------------------------------------------- */

static unsigned columns_of(odm_str s)
{
        return (unsigned)odm_utf8_len(s);
}

static void measure(xrem_table *t, bool head)
{
        for (size_t i = 0; i < t->n_cols; i++) {
                t->width[i] = head ? (unsigned)strlen(t->cols[i].head) : 0;
                for (const struct row *r = t->first; r; r = r->next) {
                        unsigned w = columns_of(r->cell[i].text);

                        if (i == 0)
                                w += columns_of(r->stem);
                        if (w > t->width[i])
                                t->width[i] = w;
                }
        }
}

static unsigned total(const xrem_table *t)
{
        unsigned sum = 0;

        for (size_t i = 0; i < t->n_cols; i++)
                sum += t->width[i] + (i ? GAP : 0);
        return sum;
}

/* Takes from the widest column that may be cut until the row fits, or nothing is left. */
static void fit(xrem_table *t, unsigned limit)
{
        while (limit && total(t) > limit) {
                size_t widest = t->n_cols;

                for (size_t i = 0; i < t->n_cols; i++)
                        if (!t->cols[i].keep && t->width[i] > LEAST &&
                            (widest == t->n_cols || t->width[i] > t->width[widest]))
                                widest = i;
                if (widest == t->n_cols)
                        return;
                t->width[widest]--;
        }
}

/* ---- printing --------------------------------------------------------------------- */

/* The first `n` characters of s. */
static odm_str first_chars(odm_str s, unsigned n)
{
        size_t i = 0;

        while (i < s.n && n > 0) {
                i++;
                while (i < s.n && ((uint8_t)s.p[i] & 0xc0) == 0x80)
                        i++;
                n--;
        }
        return odm_str_to(s, i);
}

static void put(odm_str s)
{
        fwrite(s.p ? s.p : "", 1, s.n, stdout);
}

static void print_cell(const xrem_table *t, size_t i, odm_str stem, xrem_cell cell, bool last)
{
        const char *dots = t->c->utf8 ? "\u2026" : "~";
        unsigned taken = columns_of(stem), room = t->width[i], want = columns_of(cell.text);
        bool cut = taken + want > room;
        unsigned left = room > taken ? room - taken : 0;
        odm_str text = cut ? first_chars(cell.text, left ? left - 1 : 0) : cell.text;
        unsigned pad = cut ? 0 : room - taken - want;

        put(first_chars(stem, room));
        if (t->cols[i].right && !cut)
                printf("%*s", (int)pad, "");
        if (cell.colour != XREM_PLAIN)
                fputs(xrem_colour(t->c, cell.colour), stdout);
        put(text);
        if (cut && left)
                fputs(dots, stdout);
        if (cell.colour != XREM_PLAIN)
                fputs(xrem_colour(t->c, XREM_PLAIN), stdout);
        if (!last)
                printf("%*s", (int)(GAP + (t->cols[i].right ? 0 : pad)), "");
}

static void print_row(const xrem_table *t, const struct row *r)
{
        size_t n = t->n_cols;

        while (n > 1 && r->cell[n - 1].text.n == 0) /* no blanks at the end of a line */
                n--;
        for (size_t i = 0; i < n; i++)
                print_cell(t, i, i == 0 ? r->stem : ODM_STR(""), r->cell[i], i + 1 == n);
        putchar('\n');
}

void xrem_table_print(xrem_table *t, bool head)
{
        struct row top = {.depth = -1, .stem = ODM_STR("")};

        draw_stems(t);
        measure(t, head);
        fit(t, xrem_term_width(t->c));
        for (size_t i = 0; i < t->n_cols; i++)
                top.cell[i] = CELL_IN(odm_cstr(t->cols[i].head), XREM_BOLD);
        if (head)
                print_row(t, &top);
        for (const struct row *r = t->first; r; r = r->next)
                print_row(t, r);
}
