/* SPDX-License-Identifier: Apache-2.0 */
/* spot.h - places in the tree: stored nodes, and live ones that only a provider knows.
 *
 * A live node is a child that a `list` binding named, or a leaf with a `read` binding that is not
 * stored; what is described below a live interior node is live too. */
#ifndef TREE_SPOT_H
#define TREE_SPOT_H

#include "node.h"

struct spot {
        struct node *node;    /* NULL for a live one */
        struct node *near;    /* itself, or the nearest stored ancestor */
        struct mount *mount;  /* or NULL */
        const odm_desc *desc; /* or NULL */
        odm_str name;         /* the last segment; "" for the root */
        odm_str unnamed[4];   /* what the first unnamed segments are called */
        unsigned n_unnamed;
};

/* Where a walk along a URI ended. */
struct trail {
        struct spot at, above; /* the last that exists, and its parent */
        unsigned depth;        /* segments that exist */
        bool found;            /* all of them */
        bool forwarded;        /* `at` is where a mount forwards: its top, or a key of it */
};

void odm_spot_root(odm_tree *t, struct spot *out);
bool odm_spot_is_leaf(const struct spot *s);
bool odm_spot_is_live(const struct spot *s); /* not stored, or its value is not */
/* The place from which on a provider takes whole operations. */
bool odm_spot_forwards(const struct spot *s);
odm_format odm_spot_format(const struct spot *s);
odm_str odm_spot_type(const struct spot *s);
const odm_binding *odm_spot_binding(const struct spot *s);

/* Steps from *s, which is at `uri`, to its child; *s is unchanged unless 1 is returned.
 * 1, 0, or a negative error. */
ODM_MUST_USE int odm_spot_step_at(struct spot *s, odm_str uri, odm_str name);
/* Walks `uri` as far as it exists.  A mount that forwards ends the walk.  0 or an error. */
ODM_MUST_USE int odm_trail_follow(odm_tree *t, const odm_uri *uri, odm_arena *a, struct trail *out);
/* What providers are told; the URI is `uri`. */
void odm_spot_at(const struct spot *s, odm_str uri, odm_at *out);
/* The value of a leaf: stored, or read.  0, ODM_LATER, ODM_ENOENT or another error. */
ODM_MUST_USE int odm_spot_read(const struct spot *s, odm_str uri, odm_arena *a, odm_value *out);

struct names {
        odm_str *name;
        size_t n, cap;
};
/* Names of all children, stored and live, sorted, in `a`.  0 or an error. */
ODM_MUST_USE int odm_spot_names(odm_tree *t, const struct spot *s, odm_str uri, odm_arena *a,
                                struct names *out);
/* "./A/b" of the first `depth` segments; absent when the arena is exhausted. */
odm_str odm_uri_text(const odm_uri *uri, unsigned depth, odm_arena *a);

#endif
