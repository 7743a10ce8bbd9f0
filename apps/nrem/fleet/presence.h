/* SPDX-License-Identifier: Apache-2.0 */
/* presence.h - whether a device is there, as its state tells.
 *
 *     PROVISIONED --first session--> ACTIVE <--session-- ASLEEP, UNREACHABLE, DETACHED
 *
 *     ACTIVE --awake time over--> ASLEEP            a device with a pattern of waking only
 *     ACTIVE, ASLEEP --silent for too long--> UNREACHABLE
 *     any of those --operator or gateway says so--> DETACHED, DEACTIVATED
 *
 * A device is expected once in an interval; so many of them may go by without a call, and a half
 * more.  Silence counts from the last call, but not while nobody listened.
 * Pure: no store, thread or clock.  Facts: xrem.md N7, gwmo.md 5. */
#ifndef NREM_PRESENCE_H
#define NREM_PRESENCE_H

#include "store.h"

#define PRESENCE_INTERVAL_MAX_S 31536000
#define PRESENCE_NEVER (-1) /* as an interval: not expected at all */

typedef struct presence_expectation { /* seconds; what is said first counts */
        int64_t wish, wish_awake;     /* an operator's: 0 says nothing, PRESENCE_NEVER */
        int64_t told, told_awake;     /* the device's: 0 says nothing, PRESENCE_NEVER */
        int64_t usual;                /* the server's default: 0 or PRESENCE_NEVER: not expected */
        int64_t missed;               /* so many calls may be missed */
} presence_expectation;

/* Milliseconds between calls that are expected; 0: none are. */
int64_t presence_interval(const presence_expectation *x);
/* Milliseconds that it stays awake after a call; 0: it does not sleep. */
int64_t presence_awake(const presence_expectation *x);

/* When a device that called last at `base` is unreachable; 0: never. */
int64_t presence_lost_at(int64_t base, const presence_expectation *x);

typedef struct presence_facts {
        store_device_state state;
        int64_t contact; /* ms since 1970: last session; 0: never */
        int64_t since;   /* when the state was entered by other means; 0: not known */
        int64_t opened;  /* when the server began to listen */
} presence_facts;

typedef struct presence_verdict {
        store_device_state state; /* what it is by now */
        int64_t look_at;          /* when to look again; 0: not before it has called */
} presence_verdict;

presence_verdict presence_judge(const presence_facts *f, const presence_expectation *x,
                                int64_t now);

#endif
