/* SPDX-License-Identifier: Apache-2.0 */
/* ddf.h - descriptions of management objects: those built in, and files of makers.
 *
 * An object is found by its identifier, which is the Type of an interior node and so may stand
 * anywhere in a tree; or by its place, when its description says where it stands ("./DevInfo").
 * An object inside of a description (an account below "./DMAcc") is found by its identifier too.
 * What is loaded later comes first: a file replaces what is built in, and an earlier file.
 *
 * Filled at the start, only read afterwards: by any thread then.
 * Facts: dm-tree.md 7, mo-others.md 3. */
#ifndef NREM_DDF_H
#define NREM_DDF_H

#include "diag.h"
#include "odm/tree.h"

typedef struct ddf ddf;

typedef struct ddf_limits { /* of all files together */
        size_t files;       /* default 1000 */
        size_t octets;      /* default 64 MiB; of one file at most 8 MiB */
        size_t nodes;       /* default 200000 */
} ddf_limits;
void ddf_limits_init(ddf_limits *l);

/* A registry that knows the built-in objects; `lim` is copied, NULL means the defaults.
 * 0, ODM_ENOMEM. */
ODM_MUST_USE int ddf_new(const ddf_limits *lim, ddf **out);
void ddf_free(ddf *r); /* NULL is allowed */

/* Loads a file, XML or WBXML, or all files of a folder whose names end in ".ddf", in the order of
 * their names (octets); other files and folders inside of it are passed over.
 * 0; ODM_EMALFORMED for a description that breaks a rule, ODM_ENOENT, ODM_EIO, ODM_ELIMIT,
 * ODM_ENOMEM, with file, node and reason in `d`.  After a failure only ddf_free() may follow. */
ODM_MUST_USE int ddf_load(ddf *r, const char *path, diag *d);
/* Files loaded so far. */
size_t ddf_files(const ddf *r);

/* Where we are in a description: valid while the registry is. */
typedef struct ddf_spot {
        const odm_mo *mo;
        const odm_desc *desc; /* NULL: nowhere */
} ddf_spot;

/* The object with that identifier: letters of either case are equal, the version is as given. */
ddf_spot ddf_by_id(const ddf *r, odm_str id);
/* The object whose description says that it stands at `uri`, "./DevInfo". */
ddf_spot ddf_by_place(const ddf *r, odm_str uri);
/* The child of that name.  Where it is an object of its own, and somebody else described that
 * later, the later description is meant. */
ddf_spot ddf_child(const ddf *r, ddf_spot at, odm_str name);
/* Whether a node to which the device gives `type` may be what `desc` describes: false when both
 * name an object, and not the same one.  Versions may differ here. */
bool ddf_agrees(const odm_desc *desc, odm_str type);

#endif
