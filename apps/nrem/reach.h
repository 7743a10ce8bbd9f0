/* SPDX-License-Identifier: Apache-2.0 */
/* reach.h - what a request reaches through a gateway.  ./GwDev/<key>/... of a gateway is the tree
 * of another device, and is for those alone who may have that by its name; what has a gateway act
 * on all of its devices (fan-outs, triggers, stored configuration, schedules) is for those who may
 * have all of them. */
#ifndef NREM_REACH_H
#define NREM_REACH_H

#include "call.h"

/* Whether the token may have these commands done on the device with the number `device`; false with
 * the problem set: 404 for a device that it does not see, 409 for one that is held, refused or
 * switched off here, 403 for what is of all of them. */
bool reach_commands(call *c, int64_t device, const json_t *list);
/* The same for one address that is read. */
bool reach_uri(call *c, int64_t device, odm_str uri);
/* Whether what is at the address may be shown to the token: not what is of a device that it does
 * not see, nor what is of all of them where it does not see all. */
bool reach_shows(call *c, int64_t device, odm_str uri);
/* Whether the token sees all devices behind this one, which is so when there are none. */
bool reach_covers(call *c, int64_t device);
/* Whether the token may switch the device off or do away with it, which is the end for all behind
 * it; false with the problem set: 403 when it does not see all of them. */
bool reach_end(call *c, int64_t device);
/* For commands (or nodes, each with its "uri") of whichever device: true when all of them are for a
 * device itself, or the token sees all devices; else false with the problem set. */
bool reach_none(call *c, const json_t *list);

#endif
