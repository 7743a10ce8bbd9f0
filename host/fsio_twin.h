/* SPDX-License-Identifier: Apache-2.0 */
/* fsio_twin.h - a journal and its copy: two files with the same octets, so that a record that the
 * disk damaged in one is taken from the other.
 *
 * The journal is the truth: what is synced there is kept.  The copy is written after it and need
 * not be synced; whatever a power cut leaves of it is good.  When both are compacted, the journal
 * goes first: a copy that does not begin like the journal then stands for the same, as it was
 * before, and nothing was appended since. */
#ifndef HOST_FSIO_TWIN_H
#define HOST_FSIO_TWIN_H

#include "fsio.h"

typedef struct fsio_healed {
        unsigned records; /* of the journal that were damaged, and taken from the copy */
        bool head;        /* so was its head */
        bool lost;        /* a record is damaged in both, it and what follows is gone */
        bool copy;        /* the copy was damaged */
} fsio_healed;

/* Before the journal at `path` is opened: mends it with the copy at `copy`.  A journal that was
 * damaged is kept as PATH.damaged, in place of one before.  A journal that is not there is not made
 * of its copy: who moved it away wants to begin anew.
 * 0 with *out saying what was found; ODM_EIO, ODM_ENOMEM, with `d`: the journal is as it was. */
ODM_MUST_USE int fsio_twin_heal(const fsio_ops *ops, const char *path, const char *copy,
                                fsio_healed *out, diag *d);
/* After it was opened: the copy becomes what the journal is; nothing is written if it is that.
 * 0, ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int fsio_twin_copy(const fsio_ops *ops, const char *path, const char *copy, diag *d);

#endif
