/* SPDX-License-Identifier: Apache-2.0 */
/* rights.h - what servers may do to the devices behind: the lists of ./GwDev and ./GwDev/<key>
 * (gwmo.md 2), also by what they had the gateway keep, and it does later by itself. */
#ifndef GREM_RIGHTS_H
#define GREM_RIGHTS_H

#include "gateway.h"
#include "odm/fanout.h"

/* ---- a device --------------------------------------------------------------------------------- */

/* The list that counts for devices without one of their own, in `a`; absent: nobody may anything.
 */
odm_str rights_above(gateway *g, odm_arena *a);
/* Whether `server` (absent: the gateway itself) has all of `bits` (odm_access) on the device; `d`
 * NULL: on one that has no record yet.  False too when there is no memory to know. */
bool rights_have(gateway *g, const gw_device *d, odm_str above, odm_str server, unsigned bits);
/* What these commands need. */
unsigned rights_needed(const odm_fanout_cmds *c);

/* ---- who wrote an entry ------------------------------------------------------------------------ */

/* An entry has Ext/Writers/<leaf> for each of its leaves that a server wrote: its ServerID. */

/* From a provider's validate: keeps who changed the leaves of entries of the list at `at`
 * ("./GwMO/Config/ConfigData").  0, or as odm_tree_write(). */
ODM_MUST_USE int rights_note(odm_tree *t, const odm_change *list, odm_str at);
/* Whether all who wrote the entry `uri` have all of `bits` on the device, as rights_have(). */
bool rights_writers_have(gateway *g, odm_str uri, const gw_device *d, unsigned bits);

#endif
