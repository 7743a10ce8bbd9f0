/* SPDX-License-Identifier: Apache-2.0 */
/* walk.h - a part of a tree read node by node, for devices that have no ?list=.  Pure but for the
 * arena.
 *
 *     Get URI --an interior node: names of children--> Gets of them, and so on --> all is read
 *
 *     walk_begin(&w, ...);
 *     while (walk_gets(&w, ..., &list) == 1)
 *             ... send the list; for the i-th answer: walk_take(&w, i, status, items, n)
 *             walk_next(&w);
 *     w.status, w.v and w.n are the answer
 */
#ifndef NREM_WALK_H
#define NREM_WALK_H

#include "job_codec.h"

#define WALK_NODES 20000               /* of one walk */
#define WALK_OCTETS ((size_t)16 << 20) /* of their values and names */
#define WALK_GETS 100                  /* at a time */

typedef struct walk {
        odm_arena *a;
        job_list list;
        odm_str root;
        odm_str *uri; /* every node: read, asked for, and then those still to be asked for */
        size_t n_uri, cap_uri, at, sent;
        store_value *v; /* what was read, texts in `a` */
        size_t n, cap, octets;
        uint32_t status; /* 200, or what the device said to the first node, or 413 */
        odm_str text;    /* a sentence for people, once it is over */
} walk;

/* Begins at the path of Get `c`; all lives in `a`.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int walk_begin(walk *w, const odm_command *c, odm_arena *a);
/* The next Gets, in `a`: 1 with *out set, 0 when it is over; ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int walk_gets(walk *w, odm_command **out);
/* The answer to the i-th of them; copies.  What is refused below the first node is left out: it may
 * be hidden from us, or be gone since its parent was read.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int walk_take(walk *w, size_t i, unsigned status, const store_value *items, size_t n);
/* All of them are answered.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int walk_next(walk *w);

#endif
