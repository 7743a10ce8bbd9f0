/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - a vendor object as a file: nodes bound to files, commands or properties of D-Bus.
 *
 *     [object]
 *     type  = urn:oma:mo:x-example-meter:1.0
 *     title = Energy meter
 *
 *     [node Power]
 *     format  = int
 *     command = meter-read --watts
 *     refresh = 10s
 *
 * The file's name without ".table" is the object's: meter.table stands at ./Vendor/meter.  The
 * description (DDF) of the object is made of it. */
#ifndef DREM_TABLE_H
#define DREM_TABLE_H

#include "cfg.h"
#include "odm/tree.h"

#define TABLE_ENDING ".table"
#define TABLE_NODES CFG_NAMED_MAX

typedef enum table_kind {
        TABLE_FILE,    /* its text is the value */
        TABLE_SETTING, /* so it is, and a server may replace it */
        TABLE_COMMAND, /* what a command prints is the value */
        TABLE_DBUS,    /* a property */
        TABLE_EXEC,    /* a command that an Exec runs */
} table_kind;

typedef struct table_node {
        const char *at; /* below the object: "Power", "Battery/Level" */
        table_kind kind;
        odm_format format;
        const char *text;                /* file, command, or the five words of a property */
        const char *title, *description; /* NULL: none */
        int64_t refresh_ms, timeout_ms;
        unsigned line;
} table_node;

typedef struct table {
        char name[65]; /* of the object */
        const char *type, *title, *description;
        size_t n;
        table_node *node;
        cfg *cfg; /* owns the texts */
} table;

extern const cfg_key table_keys[];
extern const size_t table_keys_n;

/* Reads a file.  0 with *out to be table_free()d; ODM_EMALFORMED, ODM_ENOENT, ODM_EIO, ODM_ENOMEM
 * with "FILE:LINE: reason" in `d`. */
ODM_MUST_USE int table_load(const char *path, table **out, diag *d);
/* The same from text; `path` stands for the file. */
ODM_MUST_USE int table_parse(odm_str text, const char *path, table **out, diag *d);
void table_free(table *t); /* NULL is allowed */

/* Its description as a document, in `a`.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int table_describe(const table *t, odm_arena *a, odm_doc **out);

#endif
