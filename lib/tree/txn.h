/* SPDX-License-Identifier: Apache-2.0 */
/* txn.h - changes to the tree, each journalled, and their end.
 *
 * Everything below needs an open transaction.  A change that returns an error has changed nothing.
 * odm_txn_undo() to a mark takes back what came after it, and needs no memory. */
#ifndef TREE_TXN_H
#define TREE_TXN_H

#include "node.h"

struct undo;

/* Opens the transaction of one operation, unless one is open; tells which by *own. */
ODM_MUST_USE int odm_txn_enter(odm_tree *t, odm_wall now, bool *own);
/* Ends what odm_txn_enter() opened: commits, or takes all back. */
ODM_MUST_USE int odm_txn_leave(odm_tree *t, bool own, bool keep, unsigned *status);
/* The same for what is not the session's doing: mounting, and loading a record.  Providers are not
 * asked and nothing is logged. */
ODM_MUST_USE int odm_txn_replay_begin(odm_tree *t);
void odm_txn_replay_end(odm_tree *t, bool keep);
struct undo *odm_txn_mark(const odm_tree *t);
void odm_txn_undo(odm_tree *t, const struct undo *mark);
void odm_txn_done(odm_tree *t); /* frees what transactions use; none may be open */

/* Attaches `n`, which is not yet in the tree and becomes the tree's.  ODM_ENOMEM. */
ODM_MUST_USE int odm_txn_add(odm_tree *t, struct node *parent, struct node *n);
ODM_MUST_USE int odm_txn_delete(odm_tree *t, struct node *n);
/* Sets value, format and type (absent: the descriptor's or the usual).  Copies. */
ODM_MUST_USE int odm_txn_value(odm_tree *t, struct node *n, odm_format f, odm_str type,
                               odm_str data, bool quiet);
ODM_MUST_USE int odm_txn_acl(odm_tree *t, struct node *n, odm_str acl);
ODM_MUST_USE int odm_txn_title(odm_tree *t, struct node *n, odm_str title);
ODM_MUST_USE int odm_txn_rename(odm_tree *t, struct node *n, odm_str name);
/* TStamp and VerNo as a record has them. */
ODM_MUST_USE int odm_txn_stamp(odm_tree *t, struct node *n, int64_t tstamp, uint16_t verno);

#endif
