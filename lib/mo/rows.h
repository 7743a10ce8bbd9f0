/* SPDX-License-Identifier: Apache-2.0 */
/* rows.h - nodes that follow a list of the host's: what is not on it goes. */
#ifndef MO_ROWS_H
#define MO_ROWS_H

#include "odm/tree.h"

/* Deletes, as the device itself, each child of `parent` that `keep` does not want.  A parent that
 * is not there is good.  0, ODM_ENOMEM, ODM_EIO, ODM_ESTATE, ODM_ELIMIT. */
ODM_MUST_USE int odm_rows_prune(odm_tree *t, const odm_mem *mem, odm_str parent,
                                bool (*keep)(void *ctx, odm_str name), void *ctx, odm_wall now);
/* Deletes one node; one that is not there is good. */
ODM_MUST_USE int odm_rows_delete(odm_tree *t, const odm_mem *mem, odm_str uri, odm_wall now);
/* Writes the leaf `rel` below `at`; `always`, or only where it is not there. */
ODM_MUST_USE int odm_rows_put(odm_tree *t, const odm_mem *mem, odm_str at, const char *rel,
                              odm_format format, const char *text, bool always, odm_wall now);
/* Whether the leaf `rel` below `at` says "true". */
bool odm_rows_true(odm_tree *t, const odm_mem *mem, odm_str at, const char *rel);

#endif
