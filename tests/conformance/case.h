/* SPDX-License-Identifier: Apache-2.0 */
/* case.h - conformance cases as text.  README.md tells the words; a case is a list of lines,
 * each a word and its arguments. */
#ifndef CONFORMANCE_CASE_H
#define CONFORMANCE_CASE_H

#include "odm/base.h"

#define TOKENS 48

typedef struct token {
        odm_str text;
        bool quoted;
} token;

typedef struct line {
        struct line *next;
        unsigned number; /* in its file */
        odm_str word;    /* case, covers, tree, recv, want ... */
        token *arg;
        unsigned n;
} line;

typedef struct test_case {
        struct test_case *next;
        const char *file;
        odm_str title;
        line *lines;
        bool server; /* "side server" */
        bool ok[2], ran;
} test_case;

/* Reads a file's cases, appended to *list.  False, with a message on standard output, when the
 * file cannot be read or a line cannot be understood. */
bool case_read(const char *file, odm_arena *a, test_case **list);
/* True when the case covers requirement `id`. */
bool case_covers(const test_case *c, odm_str id);

/* The argument "name=value" of a line; absent when there is none. */
odm_str line_option(const line *l, const char *name);
bool line_has(const line *l, const char *word);

#endif
