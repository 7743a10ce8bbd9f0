/* SPDX-License-Identifier: Apache-2.0 */
/* connmo.h - access points of the configuration, [nap NAME], as instances of ./NAP. */
#ifndef DREM_PART_CONNMO_H
#define DREM_PART_CONNMO_H

#include "odm/connmo.h"
#include "part.h"

/* Makes ./NAP/NAME of each [nap NAME] in one transaction: those that are protected so that they are
 * as the configuration says, the others only if `all`.
 * 0, or an error with the reason in `d` and nothing changed. */
ODM_MUST_USE int connmo_make(const part_host *h, const odm_connmo *c, bool all, diag *d);
/* Whether [nap NAME] of "./NAP/NAME" is protected. */
bool connmo_protected(const cfg *conf, odm_str uri);

#endif
