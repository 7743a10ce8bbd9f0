/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_trigger.h - how a package 0 reaches a device behind a gateway in transparent mode, which
 * has sessions of its own with us (gwmo.md 7; xrem.md N5):
 *
 *     its gateway is a device of ours   ./GwMO/EDTrigger there, with the package in it
 *     it told us its gateway's address  a datagram to that, which the gateway passes on          */
#ifndef NREM_GATEWAY_TRIGGER_H
#define NREM_GATEWAY_TRIGGER_H

#include "dm.h"
#include "fleet.h"

extern const store_table table_gateway_address;

/* The device's gateway is at `address` ("udp://host:port" or "host:port"; anything else: nowhere).
 * 0 or ODM_ENOMEM. */
ODM_MUST_USE int gateway_address_told(fleet_turn *t, int64_t device, odm_str address);

/* As dm_opt.way and .carry.  Any thread. */
ODM_MUST_USE int gateway_way_of(store *st, const store_device *d, odm_arena *a, dm_way *out);
ODM_MUST_USE int gateway_carry(const dm_way *w, const store_device *d, const dm_package *p,
                               store_batch *b);

#endif
