/* SPDX-License-Identifier: Apache-2.0 */
/* view.h - the answer to a Get, out of flat nodes: for trees that live elsewhere, of which whoever
 * answers has only a list of addresses with values (devices behind a gateway, a cache).
 *
 *     nodes      ./DevInfo                                 target  ./GwDev/d1/DevInfo?list=Struct
 *                ./DevInfo/Man = "Acme"    at "./GwDev/d1"
 *     answer     ./GwDev/d1/DevInfo
 *                ./GwDev/d1/DevInfo/Man
 *
 * Every form of Get has its answer: a leaf, the names of an interior node's children, ?list= of
 * Struct, StructData and TNDS, ?prop=.  Facts: dm-tree.md 3, 5, 8. */
#ifndef ODM_VIEW_H
#define ODM_VIEW_H

#include "odm/tree.h"

typedef struct odm_view_node {
        odm_str path;    /* "./DevInfo/Man"; "." is the top */
        odm_value value; /* format NODE: interior, its type an MO identifier or absent.  A leaf's
                            absent format is chr, its absent type text/plain */
        bool has_data;   /* a leaf's: its value is known */
        odm_wall at;     /* when the value was so, for TStamp; 0: now */
} odm_view_node;

typedef struct odm_view {
        odm_str top; /* where the nodes are in our tree: "./GwDev/d0001".  That node is there
                        whatever the list has */
        const odm_view_node *nodes; /* in any order.  Interior nodes may be left out: what lies
                                       between is there as well.  What is no address, what lies
                                       below a leaf, and all but one of those with the same address
                                       are passed over */
        size_t n;
        odm_wall now;
        uint32_t max_list; /* most nodes of an answer: beyond 413; 0: 16384 */
        size_t max_result; /* as odm_op.max_result */
} odm_view;

/* What of the nodes an answer needs, so that no more is fetched. */
typedef enum odm_view_need {
        ODM_VIEW_NODE,   /* the node alone: its value, or the names of its children */
        ODM_VIEW_STRUCT, /* all at and below it, without values */
        ODM_VIEW_DATA,   /* the same with values */
} odm_view_need;

/* Splits the target of a Get below `top`: *path is what the nodes call it ("./DevInfo", "." for
 * `top` itself), in `a`.  `lim` is for the whole target.
 * 0 with *status 200, or another status when the target is none (404, 406, 414), or not at or below
 * `top` (404); ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_view_target(odm_str top, odm_str target, const odm_uri_limits *lim,
                                 odm_arena *a, odm_str *path, odm_view_need *need,
                                 unsigned *status);

/* Answers the Get of `target`, a whole URI of our tree with its query.  Statuses in *out: 200; 404
 * no such node; 405 a leaf whose value nobody knows; 406 a property that there is not (Title,
 * VerNo; Size of an interior node); 413; those of odm_uri_parse().  The own ACL of such nodes is
 * always empty.  Results are in `a` and borrow the values of the nodes.
 * 0, ODM_ENOMEM, ODM_ELIMIT (the arena's). */
ODM_MUST_USE int odm_view_get(const odm_view *v, odm_str target, odm_arena *a, odm_answer *out);

/* ---- what is not for everybody --------------------------------------------------------------- */

/* Names of nodes whose values are credentials (dm-stdobj.md 1), up to a NULL. */
extern const char *const odm_secret_nodes[];
/* Whether the last name of the address is one of them; a query does not matter. */
bool odm_is_secret(odm_str uri);

#endif
