/* SPDX-License-Identifier: Apache-2.0 */
/* ping.h - packets to a host and back (ICMP echo), by a thread of its own: a name may take its time
 * to be found. */
#ifndef DREM_PART_PING_H
#define DREM_PART_PING_H

#include "loop.h"

#define PING_HOST 256

typedef struct ping ping;

typedef struct ping_result {
        unsigned sent, received;
        double delay_ms, jitter_ms; /* mean of the delays, mean of their differences in a row */
        const char *failed;         /* static; NULL when packets were sent */
} ping_result;

/* Whether this process may send them at all. */
bool ping_may(void);
/* Sends `count` packets, one each `gap_ms`, and waits `wait_ms` for the last one.  The loop calls
 * `done` once, not before this returns; `ping` is gone after it.  0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int ping_start(loop *l, const char *host, unsigned count, int gap_ms, int wait_ms,
                            void (*done)(void *ctx, const ping_result *r), void *ctx, ping **out);
/* `done` is not called.  NULL is allowed. */
void ping_cancel(ping *p);

#endif
