/* SPDX-License-Identifier: Apache-2.0 */
/* value.h - does a value fit its format, and what becomes of one a server sent. */
#ifndef TREE_VALUE_H
#define TREE_VALUE_H

#include "odm/tree.h"

/* True when `data` is a value of `f`: int a signed 32 bit decimal, bool "true" or "false" ... */
bool odm_value_fits(odm_format f, odm_str data);
/* True when a and b differ in the case of ASCII letters at most. */
bool odm_text_same(odm_str a, odm_str b);
/* True for "major/minor". */
bool odm_mime_ok(odm_str type);
bool odm_mime_is_text(odm_str type);

/* What the node is already, against which a new value is judged. */
typedef struct value_place {
        const odm_desc *desc; /* or NULL */
        odm_format format;    /* of the node there, ODM_FMT_ABSENT when it is to be made */
        odm_str type;
        bool permanent;
} value_place;

/* Judges the value of `op` for a leaf, and decodes base64 where dm-tree.md 3 says so (in `a`).
 * *out is complete on return: format and type set.  Returns 0 with *status set (200, 405, 413,
 * 415), or ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_value_take(const value_place *at, const odm_op *op, size_t max, odm_arena *a,
                                odm_value *out, unsigned *status);

#endif
