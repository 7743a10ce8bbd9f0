/* SPDX-License-Identifier: Apache-2.0 */
/* lockout.h - who guesses passwords waits longer and longer.
 *
 * Counted for each pair of a claimed device and a source address, so that a stranger cannot lock a
 * device out from elsewhere; and for devices that do not exist just as for those that do, so that
 * nothing is revealed.  Any thread. */
#ifndef NREM_LOCKOUT_H
#define NREM_LOCKOUT_H

#include "odm/base.h"

typedef struct lockout lockout;

#define LOCKOUT_PAIRS 65536             /* remembered; the longest unused goes */
#define LOCKOUT_MOST_MS (3600 * 1000)   /* the longest lock-out */
#define LOCKOUT_FORGET_MS (3600 * 1000) /* failures older than this count no more */

/* `after` failures in a row lock out for first_ms, each further one for twice as long.
 * 0, ODM_ENOMEM. */
ODM_MUST_USE int lockout_new(uint32_t after, int64_t first_ms, lockout **out);
void lockout_free(lockout *l); /* NULL is allowed */

/* Milliseconds to wait still; 0: go on. */
int64_t lockout_left(lockout *l, odm_str device, odm_str address, odm_time now);
/* One more failure; returns how many in a row. */
uint32_t lockout_failed(lockout *l, odm_str device, odm_str address, odm_time now);
void lockout_clear(lockout *l, odm_str device, odm_str address);
/* Forgets a device's failures from every address: an operator has changed it, so what failed
 * before says nothing any more.  Looks at every pair. */
void lockout_pardon(lockout *l, odm_str device);

#endif
