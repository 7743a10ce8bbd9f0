/* SPDX-License-Identifier: Apache-2.0 */
/* doc.h - DDF and TNDS documents: read from files, and walked node by node. */
#ifndef XREM_DOC_H
#define XREM_DOC_H

#include "odm/codec.h"
#include "xrem.h"

#define XREM_DOC_DEPTH 40 /* more than a decoder lets through */

/* Reads and decodes; `what` is "DDF document" or the like, for messages.  XREM_OK, or an exit
 * code having said why. */
int xrem_doc_read(xrem *c, const char *path, const char *what, odm_doc **out);

/* A walk in pre-order: zero it, set `first`, then call next until it returns NULL. */
typedef struct xrem_walk {
        const odm_doc_node *first;
        const char *unnamed; /* how a node without name is written in `uri` */
        odm_doc_node *node;  /* where we are */
        unsigned depth;      /* 0: a top node */
        odm_str uri;         /* "./A/b" */
        odm_doc_node *at[XREM_DOC_DEPTH];
        odm_str uris[XREM_DOC_DEPTH];
} xrem_walk;

odm_doc_node *xrem_walk_next(xrem *c, xrem_walk *w);

#endif
