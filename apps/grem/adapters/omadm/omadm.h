/* SPDX-License-Identifier: Apache-2.0 */
/* omadm.h - the adapter for OMA DM devices: the gateway is their DM server.
 *
 * Proxy mode: the server side of nremd (apps/nrem/dm.h) runs on the gateway's store.  A device
 * behind is a store_device with an account; an order is a store_job; what a device tells is an
 * `alert` event of the store's log.  Transparent mode: a device has a server of its own, and the
 * gateway only passes on what wakes it.  Facts: gwmo.md 3, 7, 8. */
#ifndef GREM_OMADM_H
#define GREM_OMADM_H

#include "adapter.h"

extern const adapter_class omadm_class;
/* Port of the first listener, for tests; 0: none.  `adapter` is what open() made. */
unsigned omadm_port(const void *adapter, bool tls);
unsigned omadm_relay_port(const void *adapter); /* the same, of wake-ups */

#endif
