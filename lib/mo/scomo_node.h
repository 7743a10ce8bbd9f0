/* SPDX-License-Identifier: Apache-2.0 */
/* scomo_node.h - the nodes of ./SCM: found, made, written, as the device itself. */
#ifndef MO_SCOMO_NODE_H
#define MO_SCOMO_NODE_H

#include "odm/scomo.h"

enum scomo_branch { SCOMO_NONE, SCOMO_DOWNLOAD, SCOMO_DELIVERED, SCOMO_DEPLOYED };

typedef struct scomo_pen {
        odm_tree *tree;
        odm_arena a; /* of everything it returns */
        odm_wall now;
} scomo_pen;

void odm_scomo_pen_init(scomo_pen *p, const odm_scomo *s, odm_wall now);
void odm_scomo_pen_done(scomo_pen *p);

/* "./SCM/Download/x" of an address at or below it, and what it is; absent and NONE for others. */
odm_str odm_scomo_object(odm_str uri, enum scomo_branch *out);

/* All of these: 0, or ODM_ENOMEM, ODM_EIO, ODM_ELIMIT, ODM_EACCESS, ODM_EINVAL. */

/* A copy of the leaf `rel` below `object`, "" when it is not there. */
ODM_MUST_USE int odm_scomo_get(scomo_pen *p, odm_str object, const char *rel, odm_str *out);
/* Whether there is such a leaf that is not empty. */
ODM_MUST_USE int odm_scomo_has(scomo_pen *p, odm_str object, const char *rel, bool *out);
/* Writes it, unless it is so already. */
ODM_MUST_USE int odm_scomo_set(scomo_pen *p, odm_str object, const char *rel, odm_format format,
                               odm_str text);
ODM_MUST_USE int odm_scomo_set_number(scomo_pen *p, odm_str object, const char *rel, unsigned n);
ODM_MUST_USE int odm_scomo_delete(scomo_pen *p, odm_str object);
/* The child of a branch whose leaf `rel` is `text`, that one at `but` passed over; absent when
 * there is none. */
ODM_MUST_USE int odm_scomo_find(scomo_pen *p, enum scomo_branch b, const char *rel, odm_str text,
                                odm_str but, odm_str *out);
/* A free address in a branch, as near to `wish` as may be. */
ODM_MUST_USE int odm_scomo_free_object(scomo_pen *p, enum scomo_branch b, odm_str wish,
                                       odm_str *out);
/* What the device itself puts below a new child: Status, State, Operations. */
ODM_MUST_USE int odm_scomo_fill(scomo_pen *p, odm_str object, enum scomo_branch b);
/* Makes the node of a component tell this. */
ODM_MUST_USE int odm_scomo_write(scomo_pen *p, odm_str object, const odm_component *c);

#endif
