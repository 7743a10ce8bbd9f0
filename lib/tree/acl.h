/* SPDX-License-Identifier: Apache-2.0 */
/* acl.h - what the room needs of lists beyond odm/tree.h. */
#ifndef TREE_ACL_H
#define TREE_ACL_H

#include "odm/tree.h"

/* True when a list can name the server `id` (dm-tree.md 4.1).  "*" names no one. */
bool odm_acl_is_server(odm_str id);

/* `acl` without `server`; with `keep_commands` an entry left without ids becomes "Cmd=*", as the
 * root's must (dm-tree.md 4.6), else it goes.  Absent when the arena is exhausted. */
odm_str odm_acl_remove(odm_arena *a, odm_str acl, odm_str server, bool keep_commands);

#endif
