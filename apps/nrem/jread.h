/* SPDX-License-Identifier: Apache-2.0 */
/* jread.h - reads a JSON object member by member, and holds it to what was asked for.
 *
 *     jread_init(&r, object, "", problem);
 *     jread_text(&r, "name", 1, 128, &name);
 *     jread_bool(&r, "atomic", &atomic);
 *     jread_end(&r);
 *     if (problem_is(problem)) ...
 *
 * Each reading returns 1 with *out set, 0 when the member is absent (*out untouched), or -1 when it
 * is wrong, which the problem then names with its full path.  jread_end() names the members that
 * nobody read. */
#ifndef NREM_JREAD_H
#define NREM_JREAD_H

#include "problem.h"

#define JREAD_MEMBERS 24 /* different members asked of one object */
#define JREAD_PATH 160

typedef struct jread {
        const json_t *obj; /* borrowed */
        problem *problem;  /* borrowed */
        char path[JREAD_PATH];
        const char *asked[JREAD_MEMBERS]; /* literals */
        unsigned n_asked;
} jread;

/* `path` is that of the object itself: "" for the body, else "commands[2]". */
void jread_init(jread *r, const json_t *obj, const char *path, problem *p);

/* Text of min to max octets without NUL; borrowed from the document. */
int jread_text(jread *r, const char *name, size_t min, size_t max, odm_str *out);
/* The same, and null gives 2 with *out absent. */
int jread_text_or_null(jread *r, const char *name, size_t min, size_t max, odm_str *out);
int jread_int(jread *r, const char *name, int64_t min, int64_t max, int64_t *out);
int jread_bool(jread *r, const char *name, bool *out);
/* An array of min to max entries. */
int jread_list(jread *r, const char *name, size_t min, size_t max, const json_t **out);
/* One of `words`, ended by NULL; *out is its index. */
int jread_word(jread *r, const char *name, const char *const *words, unsigned *out);
/* RFC 3339 time in UTC. */
int jread_wall(jread *r, const char *name, odm_wall *out);

/* Names `name` as missing; -1. */
int jread_missing(jread *r, const char *name);
int jread_wrong(jread *r, const char *name, const char *reason); /* -1 */
void jread_end(jread *r);

/* RFC 3339, "2026-11-22T16:35:05Z", and back (UTC only; fractions are cut). */
#define WALL_TEXT 21
void wall_format(odm_wall w, char out[WALL_TEXT]);
ODM_MUST_USE int wall_parse(odm_str s, odm_wall *out); /* 0 or ODM_EMALFORMED */

#endif
