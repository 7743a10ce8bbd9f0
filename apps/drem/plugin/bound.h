/* SPDX-License-Identifier: Apache-2.0 */
/* bound.h - a table file at work: its nodes in the tree, bound to what the file says. */
#ifndef DREM_BOUND_H
#define DREM_BOUND_H

#include "loop.h"
#include "odm/task.h"
#include "table.h"

typedef struct bound bound;

/* Mounts it at ./Vendor/NAME; takes the table, also when it fails.  0, or an error with the reason
 * in `d`. */
ODM_MUST_USE int bound_mount(table *t, odm_tree *tree, odm_tasks *tasks, bound **out, diag *d);
/* Settings are leaves that the tree keeps: makes them what their files are now.  *moved becomes
 * true when that changed the tree.  0, ODM_ESTATE (a transaction is open), ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int bound_refresh(bound *b, bool *moved);
/* Milliseconds until that is to be done again; -1: never. */
int64_t bound_interval(const bound *b);
/* Begins to ask commands and properties.  0, ODM_ENOMEM. */
ODM_MUST_USE int bound_open(bound *b, loop *l);
/* The node at this address, if an Exec of it runs a command; else NULL. */
const table_node *bound_exec(const bound *b, odm_str uri);
void bound_close(bound *b); /* before its tree is freed; NULL is allowed */

#endif
