/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - where the value of a table's node comes from.
 *
 * A file is read when it is asked for.  A command or a property is asked beside the loop, again and
 * again, and what it said last is the value: so a session never waits for it.  What fails, takes
 * too long, or prints what is no value of its format leaves no value at all. */
#ifndef DREM_SOURCE_H
#define DREM_SOURCE_H

#include "loop.h"
#include "table.h"

#define SOURCE_MOST 65536 /* octets of a value */

typedef struct source source;

/* Asks a command or a property for the first time as soon as the loop runs; `n` is borrowed.
 * `heard`, which may be NULL, is called whenever it has a value or none any more.
 * 0, ODM_ENOMEM. */
ODM_MUST_USE int source_open(loop *l, const table_node *n,
                             void (*heard)(void *ctx, const table_node *n), void *ctx,
                             source **out);
void source_close(source *s); /* NULL is allowed */
/* What it said last, lent until the loop runs.  0, or ODM_ENOENT. */
ODM_MUST_USE int source_value(const source *s, odm_str *out);

/* The value of a file, in `out`: without line breaks at its end, unless the format is bin.
 * 0; ODM_ENOENT: there is none, or it is no plain file, or its text is no such value; ODM_EIO;
 * ODM_ELIMIT (SOURCE_MOST); ODM_ENOMEM. */
ODM_MUST_USE int source_file(const char *path, odm_format f, odm_buf *out);
/* Puts a value into a file that is there, as a whole where its folder allows that (a link, and what
 * is the kernel's, is written in place).  0, ODM_ENOENT, ODM_EIO with the reason in `d`,
 * ODM_ENOMEM. */
ODM_MUST_USE int source_put(const char *path, odm_format f, odm_str value, diag *d);

/* What busctl prints for a property, such as `s "web 1"`, as a value; items of a list are joined by
 * blanks.  0, ODM_EUNSUPPORTED for a type that is none of those, ODM_EMALFORMED, ODM_ENOMEM,
 * ODM_ELIMIT. */
ODM_MUST_USE int source_property(odm_str text, odm_buf *out);
/* Whether text is a value of the format. */
bool source_fits(odm_format f, odm_str text);

#endif
