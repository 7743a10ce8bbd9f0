/* SPDX-License-Identifier: Apache-2.0 */
/* wake.h - wake-ups: package 0 over UDP (dm-security-bootstrap-notification.md part B).
 *
 * A datagram starts a session only when its digest is right for the account it names, it was not
 * followed before (also not before a restart), and not too many came.  Everything else is dropped
 * without an answer. */
#ifndef DREM_WAKE_H
#define DREM_WAKE_H

#include "device.h"
#include "udp.h"

typedef struct wake wake;

typedef struct wake_call {
        odm_str account; /* URI of the account */
        char session_id[5];
        bool by_server; /* initiator */
        bool resync, resync_ascii;
} wake_call;

/* Listens at `at`.  Calls that hold reach `fn`, on the loop.  `device` is borrowed.
 * Returns 0, ODM_EIO, ODM_ENOMEM; `d` says why. */
ODM_MUST_USE int wake_open(loop *l, const net_addr *at, device *v, int64_t min_interval_ms,
                           void (*fn)(void *ctx, const wake_call *call), void *ctx, wake **out,
                           diag *d);
void wake_close(wake *w); /* NULL is allowed */
uint16_t wake_port(const wake *w);

typedef struct wake_stats {
        uint64_t datagrams, followed, forged, repeated, dropped;
} wake_stats;
wake_stats wake_get_stats(const wake *w);

#endif
