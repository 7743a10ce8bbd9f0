/* SPDX-License-Identifier: Apache-2.0 */
/* shared.h - a vendor object in a shared object: loaded, judged, mounted (odm/plugin.h). */
#ifndef DREM_SHARED_H
#define DREM_SHARED_H

#include "diag.h"
#include "odm/plugin.h"
#include "odm/tree.h"

typedef struct shared shared;

/* Loads FOLDER/NAME.so, and reads its description.  0, or an error with "FILE: reason" in `d`:
 * ODM_ENOENT, ODM_EMALFORMED, ODM_EACCESS (others may write it), ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int shared_load(const char *folder, const char *name, shared **out, diag *d);
/* The same for one that is in memory; `path` stands for its file.  Borrows `p`. */
ODM_MUST_USE int shared_take(const odm_plugin *p, const char *path, shared **out, diag *d);
/* Mounts it at ./Vendor/NAME.  Errors as odm_tree_mount(), with the reason in `d`. */
ODM_MUST_USE int shared_mount(shared *s, odm_tree *t, diag *d);
/* The tree is loaded: tells it the values that dremd keeps.  0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int shared_start(shared *s, odm_tree *t);
void shared_close(shared *s); /* before the tree it is mounted on is freed; NULL is allowed */

/* Whether `rel`, a path below the object, is one of `pattern`; the names of its unnamed segments
 * go into `name`, ended by NULL, at most four, in `room`. */
#define SHARED_NAMES 4
bool shared_match(const char *pattern, odm_str rel, char room[SHARED_NAMES][65],
                  const char *name[SHARED_NAMES + 1]);

#endif
