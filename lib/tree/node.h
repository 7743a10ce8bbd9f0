/* SPDX-License-Identifier: Apache-2.0 */
/* node.h - how the tree keeps its nodes.
 *
 * Only txn.c changes nodes of a tree in use: each change there is journalled, so that it can be
 * taken back without needing memory.  What is here changes nothing that is seen from outside. */
#ifndef TREE_NODE_H
#define TREE_NODE_H

#include "odm/tree.h"

/* A provider and its place. */
struct mount {
        struct mount *next;
        const odm_provider *p;
        struct node *top;
        const odm_binding **bind; /* one per descriptor; NULL where none is bound */
        size_t n_bind;            /* length of bind */
        odm_change *list;         /* while committing: what was done below */
        uint32_t n_changes, n_seen;
        bool touched, inbox;
        void (*gone)(void *ctx); /* copies: the provider may be freed before the tree */
        void *gone_ctx;
};

struct node {
        struct node *parent;
        struct node **kids; /* in order of names */
        uint32_t n_kids, cap_kids;
        struct mount *mount;  /* of the object the node belongs to, or NULL */
        const odm_desc *desc; /* or NULL for a node nobody described */
        odm_str name;         /* owned unless it is the descriptor's */
        odm_str value;        /* owned; absent: the descriptor's default */
        odm_str type;         /* owned; absent: the descriptor's, else the usual */
        odm_str acl, title;   /* owned; empty for none */
        int64_t tstamp;
        uint64_t born;   /* the operation that made it, see odm_tree.serial */
        uint64_t marked; /* the operation that last met it (TNDS Replace) */
        uint16_t verno;
        uint8_t format;
        bool permanent; /* server cannot create, delete or rename it */
        bool fixed;     /* mount made it: nobody can */
};

struct txn {
        bool open;       /* odm_tree_begin() */
        bool own;        /* of one operation */
        bool committing; /* providers are applying: nothing may change */
        bool silent;     /* mounting or loading: not logged */
        odm_wall now;
        odm_arena arena; /* journal and changes */
        struct undo *last;
        odm_buf record;  /* for the log */
        odm_buf path;    /* of the latest entry in record */
        bool fresh_path; /* the next entry must not lean on `path` */
};

struct odm_tree {
        odm_tree_opt opt;
        struct node *root;
        struct mount *mounts;
        uint32_t n_nodes;
        size_t n_bytes;
        uint64_t serial, last_serial; /* of the operation now, and of the latest */
        odm_str server;               /* who does the operation now; absent: the device */
        uint64_t culprit;             /* the one refused at the last commit */
        struct txn txn;
};

#define NO_STR ((odm_str){NULL, 0})

/* Would strings of `in` octets fit in place of `out`? */
static inline bool tree_has_room(const odm_tree *t, size_t out, size_t in)
{
        return in <= t->opt.max_bytes && t->n_bytes - out <= t->opt.max_bytes - in;
}

/* A copy in the tree's memory; absent stays absent, empty needs none.  ODM_ENOMEM. */
ODM_MUST_USE int odm_str_dup(const odm_tree *t, odm_str s, odm_str *out);
void odm_str_free(const odm_tree *t, odm_str s);

/* A node on its own, with its name copied unless it is the descriptor's.  NULL: no memory. */
struct node *odm_node_new(const odm_tree *t, odm_str name, const odm_desc *desc, struct mount *m);
void odm_node_free(const odm_tree *t, struct node *n); /* with all below; n is detached */

struct node *odm_node_find(const struct node *parent, odm_str name);
/* Makes room for one more child, so that odm_node_attach() cannot fail. */
ODM_MUST_USE int odm_node_reserve(const odm_tree *t, struct node *parent);
void odm_node_attach(struct node *parent, struct node *n);
void odm_node_detach(struct node *n);
/* The next node in tree order within the subtree of `top`; NULL after the last. */
struct node *odm_node_next(const struct node *top, struct node *n);
struct node *odm_node_after(const struct node *top,
                            struct node *n); /* the same, past all below n */

bool odm_node_owns_name(const struct node *n);
/* A child of a mount that forwards one level below: the device's own to make and remove. */
static inline bool node_is_key(const struct node *n)
{
        const struct mount *m = n->mount;

        return m && m->p->forward && m->p->forward_below && n->parent == m->top;
}
static inline bool node_is_leaf(const struct node *n)
{
        return n->format != ODM_FMT_NODE;
}
odm_str odm_node_value(const struct node *n);
odm_str odm_node_type(const struct node *n);
size_t odm_node_bytes(const struct node *n); /* of its own strings */
/* The effective ACL: its own, or that of the nearest ancestor with one. */
odm_str odm_node_acl(const struct node *n);
/* "./A/b", in `a`; absent on failure. */
odm_str odm_node_uri(const struct node *n, odm_arena *a);
const odm_binding *odm_node_binding(const struct mount *m, const odm_desc *d);

#endif
