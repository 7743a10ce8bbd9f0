/* SPDX-License-Identifier: Apache-2.0 */
/* cfg.h - configuration: files of "key = value" under [sections], keys declared in a table.
 *
 *     # a comment
 *     [dm]
 *     listen = 0.0.0.0:8080
 *     idle   = 90s
 *     names  = one, two, "three, four"
 *
 *     [check disk]         # one of several of its kind, each with a name of its own
 *     command = df -P /
 *
 * An unknown key, a bad value and a key given twice are errors that name file, line and reason.
 * A value may stand in double quotes, with \" and \\ inside; a '#' starts a comment at the
 * beginning of a line or after a blank, outside of quotes.  The same table prints the commented
 * file of defaults, so that documents never lie. */
#ifndef HOST_CFG_H
#define HOST_CFG_H

#include <stdio.h>

#include "diag.h"

typedef enum cfg_kind {
        CFG_STRING,
        CFG_PATH,     /* a string; relative to the configuration file's folder when not absolute */
        CFG_INT,      /* min .. max */
        CFG_BOOL,     /* yes no true false on off 1 0 */
        CFG_DURATION, /* 500ms 30s 5m 12h 7d, or plain seconds; min .. max in milliseconds */
        CFG_SIZE,     /* 512 64k 16M 1G (powers of 1024); min .. max in octets */
        CFG_ENUM,     /* one of choices */
        CFG_LIST,     /* strings separated by commas */
} cfg_kind;

typedef struct cfg_key {
        const char *name; /* "section.key"; "check *.command" in each [check NAME] */
        cfg_kind kind;
        const char *def; /* default, as written in a file; NULL = none (then cfg_str() is absent) */
        const char *help;           /* sentences, lines broken by \n */
        int64_t min, max;           /* of INT, DURATION, SIZE; both 0 = any that is not negative */
        const char *const *choices; /* of ENUM, ended by NULL */
        bool required;              /* cfg_check() misses it when neither given nor default */
} cfg_key;

typedef struct cfg cfg;

/* `keys` is borrowed until cfg_free().  Returns 0, ODM_ENOMEM, or ODM_EINVAL when a default does
 * not parse (a mistake of ours). */
ODM_MUST_USE int cfg_new(const cfg_key *keys, size_t n, cfg **out);
void cfg_free(cfg *c); /* NULL is allowed; wipes the values */

/* Reads a file of at most 1 MiB; may be called for several files, a later one overrides.
 * Returns 0, ODM_ENOENT when there is no such file, ODM_EIO, ODM_EMALFORMED, ODM_ENOMEM; `d` says
 * "FILE:LINE: reason".  After an error the values are those of before the call. */
ODM_MUST_USE int cfg_load(cfg *c, const char *path, diag *d);
/* The same from text in memory; `name` stands for the file in messages. */
ODM_MUST_USE int cfg_parse(cfg *c, odm_str text, const char *name, diag *d);
/* One "section.key=value" of the command line; wins over files whenever they are loaded. */
ODM_MUST_USE int cfg_set(cfg *c, const char *assignment, diag *d);
/* ODM_ENOENT when a required key has no value; `d` names it. */
ODM_MUST_USE int cfg_check(const cfg *c, diag *d);

/* Values, lent until the next change or cfg_free().  Asking for a key that is not in the table,
 * or as another kind, is a mistake of ours and asserts. */
bool cfg_given(const cfg *c, const char *name);      /* set by file or command line */
const char *cfg_str(const cfg *c, const char *name); /* STRING, PATH, ENUM; NULL = absent */
int64_t cfg_int(const cfg *c, const char *name);     /* INT, SIZE; 0 = absent */
int64_t cfg_ms(const cfg *c, const char *name);      /* DURATION, milliseconds */
bool cfg_bool(const cfg *c, const char *name);
int cfg_enum(const cfg *c, const char *name); /* index into choices; -1 = absent */
/* Sections that have a name, in the order they came in: how many there are of a kind ("check"), the
 * one at `i`, its name.  It takes all getters, with the key as the table has it: "check *.command".
 * A name is of 1 to 32 letters, digits, '-' and '_'; there may be 256 of all kinds. */
#define CFG_NAMED_MAX 256
size_t cfg_named_n(const cfg *c, const char *kind);
const cfg *cfg_named(const cfg *c, const char *kind, size_t i);
const char *cfg_name(const cfg *named);
/* The line of its file where a key was given, or for NULL the section with a name; 0 when it was
 * not: for reasons that the table of keys cannot know. */
unsigned cfg_line(const cfg *c, const char *name);
size_t cfg_list_n(const cfg *c, const char *name);
const char *cfg_list_at(const cfg *c, const char *name, size_t i);

/* The text forms, for other places that take the same (tree nodes, command lines). */
ODM_MUST_USE int cfg_duration_parse(odm_str s, int64_t *ms); /* 0, ODM_EMALFORMED, ODM_ELIMIT */
ODM_MUST_USE int cfg_size_parse(odm_str s, int64_t *octets);

/* Prints the table as a file: help as comments, defaults commented out, required keys open. */
void cfg_print(const cfg_key *keys, size_t n, FILE *to);

#endif
