/* SPDX-License-Identifier: Apache-2.0 */
/* wake_plan.h - when a device is woken once more; pure.
 *
 *     wanted -> datagram --first--> datagram --2 first--> ... --at most `max`--> the last of
 * `tries` ^                                                               |
 *                  '--------- rest: `again`, 2 `again` ... at most a day ----------'
 *
 * A round has one session id, so that one session answers all its datagrams (security B1); the next
 * round has another, for a device that followed the one before and lost its session.  Rounds go on
 * while orders wait for the device: what takes those away, a deadline or a campaign, ends them. */
#ifndef WAKE_PLAN_H
#define WAKE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

typedef struct wake_plan { /* milliseconds */
        int64_t first;     /* wait for an answer; doubles */
        int64_t max;       /* longest wait for one */
        uint32_t tries;    /* datagrams of a round, at least 1 */
        int64_t again;     /* first rest; 0: there is one round */
} wake_plan;

#define WAKE_REST_MOST ((int64_t)24 * 3600 * 1000)

typedef enum wake_step {
        WAKE_SEND, /* the next datagram */
        WAKE_REST, /* this round had no answer, another follows */
        WAKE_END,  /* the device is awaited to call by itself */
} wake_step;

/* What is next for a device that is due: `sent` datagrams without an answer so far, in all rounds,
 * `rests` since the last one, or not; `orders` wait for it, or none. */
wake_step wake_plan_next(const wake_plan *p, uint32_t sent, bool rests, bool orders);
/* The how manieth of its round the last of `sent` datagrams was; 0: none was sent. */
uint32_t wake_plan_nth(const wake_plan *p, uint32_t sent);
/* How many datagrams there are when the round of `sent` is over. */
uint32_t wake_plan_round_end(const wake_plan *p, uint32_t sent);
/* How long an answer to the last of `sent` (> 0) is waited for. */
int64_t wake_plan_wait(const wake_plan *p, uint32_t sent);
/* The rest behind the round of the last of `sent` (> 0). */
int64_t wake_plan_rest(const wake_plan *p, uint32_t sent);

#endif
