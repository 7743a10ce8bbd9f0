/* SPDX-License-Identifier: Apache-2.0 */
/* trap_node.h - what a trap's leaves say, and what may be written into them. */
#ifndef MO_TRAP_NODE_H
#define MO_TRAP_NODE_H

#include "odm/trap.h"

#define TRAP_NAME ODM_TRAP_NAME
#define TRAP_ARENA 65536
#define TRAP_EVENT "Ext/xrem/Event" /* "active 20101003T120501Z reason"; empty: all is told */
#define TRAP_BY "Ext/xrem/UriBy"    /* .../<entry of ToRef>: the server that wrote its URI */
#define TRAP_REF_BY "Ext/xrem/RefBy"

odm_trap_kind odm_trap_kind_of(odm_str name); /* of an instance */
bool odm_trap_is_measured(odm_trap_kind k);   /* by the host */

/* The text of a leaf; absent when it is not there.  An absent `uri` is one for which `a` had no
 * room.  0, ODM_ENOMEM, ODM_ELIMIT, ODM_EIO. */
ODM_MUST_USE int odm_trap_text(odm_tree *t, odm_str uri, odm_arena *a, odm_str *out);
ODM_MUST_USE int odm_trap_leaf(odm_tree *t, const char *trap, const char *rel, odm_arena *a,
                               odm_str *out);
/* Whether a node is.  0, ODM_ENOMEM, ODM_ELIMIT, ODM_EIO. */
ODM_MUST_USE int odm_trap_is_there(odm_tree *t, const odm_mem *mem, odm_str uri, bool *out);
/* Writes a leaf of a trap that is there, as the device.  Errors as odm_tree_write(). */
ODM_MUST_USE int odm_trap_put(odm_tree *t, const char *trap, const char *rel, odm_format f,
                              odm_str text, odm_wall now);

typedef struct odm_trap_said {
        bool active;
        odm_str when; /* as text */
        odm_wall at;
        odm_str reason;
} odm_trap_said;
/* What its Event says, in `a`.  0; ODM_ENOENT: there is none; ODM_ENOMEM, ODM_ELIMIT, ODM_EIO. */
ODM_MUST_USE int odm_trap_said_of(odm_tree *t, const char *trap, odm_arena *a, odm_trap_said *out);

typedef struct odm_trap_verdict {
        enum { TRAP_UNKNOWN, TRAP_GOOD, TRAP_BETWEEN, TRAP_BAD } is;
        odm_str reason;
        int64_t hold_ms, interval_ms;
} odm_trap_verdict;
/* How the trap stands by its TrapConfig and what is measured: in the tree or, for kinds that the
 * host measures, in `d`.  Texts in `a`.  0, ODM_ENOMEM, ODM_ELIMIT, ODM_EIO. */
ODM_MUST_USE int odm_trap_judge(odm_tree *t, const char *trap, odm_trap_kind kind,
                                const odm_trap_done *d, odm_wall now, odm_arena *a,
                                odm_trap_verdict *out);

extern const odm_binding odm_trap_bindings[];
extern const size_t odm_trap_bindings_n;
/* odm_provider.validate: completes new traps, remembers who wrote what is done in his name. */
ODM_MUST_USE int odm_trap_validate(odm_tree *t, const odm_mem *mem, const odm_change *list,
                                   unsigned *status);

#endif
