/* SPDX-License-Identifier: Apache-2.0 */
/* stored.h - commands that are kept as text, in the XML of SyncML, to be done later on the tree as
 * if a server had sent them in a session (mo-scheduling.md 3, 6). */
#ifndef MO_STORED_H
#define MO_STORED_H

#include "odm/tree.h"

#define STORED_ACTS 64   /* of one task */
#define STORED_DATA 8192 /* octets kept of what a Get finds */

typedef struct stored_act { /* what is done at once or not at all */
        const odm_command *cmd;
        const odm_item *item; /* NULL: a whole Atomic, or the begin of a Sequence */
        unsigned seq;         /* number of the command from 1, those around it included */
} stored_act;

typedef struct stored {
        stored_act act[STORED_ACTS];
        size_t n;
        unsigned seq;      /* commands in all */
        bool makes_object; /* something may be made below ./Schedule */
        /* Asked before a command that is no Get, and in no Atomic, is done on the tree: 0, or the
         * status it has, being somebody else's to do, and kept.  NULL: never. */
        unsigned (*elsewhere)(void *ctx, const odm_op *op);
        void *elsewhere_ctx;
} stored;

/* NULL, or why `c` may not stand where it does, directly or in `around`, or is wrong in itself:
 * containers nest by this no deeper than an Atomic in a Sequence. */
const char *odm_stored_wrong(const odm_command *c, const odm_command *around);

/* Adds the one command of `text` to `s`, which begins zeroed; what hangs from it is in `a`, and
 * borrows from `text`.  0; ODM_EMALFORMED with *why, static text, for what may not be stored;
 * ODM_ENOMEM. */
ODM_MUST_USE int odm_stored_add(stored *s, odm_str text, odm_arena *a, const char **why);

typedef struct stored_result {
        unsigned seq;
        odm_cmd kind;
        unsigned status;
        odm_str data; /* Get; absent else */
} stored_result;

/* Does act `i` with the rights of `server`; results, one a command, are in `a`.  All but Exec is to
 * be inside a transaction of the caller's, who commits it or, when *undo is set, rolls it back.
 * 0, ODM_ENOMEM, ODM_ESTATE; all else is a status. */
ODM_MUST_USE int odm_stored_do(const stored *s, size_t i, odm_tree *t, odm_str server, odm_wall now,
                               odm_arena *a, stored_result out[STORED_ACTS], size_t *n, bool *undo);

/* Whether a command of this kind is counted in the result of a run: those around others are not. */
static inline bool stored_counts(odm_cmd kind)
{
        return kind != ODM_CMD_ATOMIC && kind != ODM_CMD_SEQUENCE;
}

#endif
