/* SPDX-License-Identifier: Apache-2.0 */
/* desc.h - walking a table of descriptors. */
#ifndef TREE_DESC_H
#define TREE_DESC_H

#include "odm/tree.h"

static inline bool desc_is_leaf(const odm_desc *d)
{
        return d->format != ODM_FMT_NODE;
}

/* The descriptor of the child `name` of `parent`: the named one, else the unnamed one, else NULL.
 */
const odm_desc *odm_desc_child(const odm_mo *mo, const odm_desc *parent, odm_str name);
/* The unnamed child, or NULL. */
const odm_desc *odm_desc_unnamed(const odm_mo *mo, const odm_desc *parent);
/* True when nodes nobody described may live below: the branches Ext and Bearer. */
bool odm_desc_is_open(const odm_desc *d);
/* True for a node that is there from the start: permanent, and no dynamic one above. */
bool odm_desc_is_fixed(const odm_mo *mo, const odm_desc *d);
/* True when `type` is one of the MIME types of leaf `d`, or `d` names none. */
bool odm_desc_takes_type(const odm_desc *d, odm_str type);
/* True when two MO identifiers differ in their version at most. */
bool odm_mo_id_same(odm_str a, odm_str b);

#endif
