/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.h - what a command and its answer reveal of a device's tree, as changes of the mirror.
 *
 * Pure but for the arena.  Values of nodes that hold credentials are never kept. */
#ifndef NREM_MIRROR_H
#define NREM_MIRROR_H

#include "store.h"

#include "odm/codec.h"

#define MIRROR_INTERVAL "./Vendor/xrem/Config/Interval" /* seconds from call to call */

typedef struct mirror_changes {
        odm_arena *a; /* owns the list and its texts */
        store_tree_change *v;
        size_t n, cap;
        bool own_only; /* what a gateway shows of the devices behind it is left out: they have
                          mirrors of their own */
        bool there;    /* documents stand where they were asked for, whatever they say */
} mirror_changes;

/* Each returns 0, ODM_ENOMEM or ODM_ELIMIT. */

/* One leaf that the device told of itself (package 1). */
ODM_MUST_USE int mirror_leaf(mirror_changes *m, odm_str uri, odm_str format, odm_str type,
                             odm_str value);
/* A TNDS document, as XML text, that the device told of the object at `uri`. */
ODM_MUST_USE int mirror_document(mirror_changes *m, odm_str uri, odm_str text);
/* A command of a job with its status; `items` are the Results of a Get. */
ODM_MUST_USE int mirror_answer(mirror_changes *m, const odm_command *c, unsigned status,
                               const store_value *items, size_t n);

#endif
