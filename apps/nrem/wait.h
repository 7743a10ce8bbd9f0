/* SPDX-License-Identifier: Apache-2.0 */
/* wait.h - requests that wait for the end of a job, without holding a thread.
 *
 * All waits live on the event loop.  A hint (wait_hint(), any thread) makes them look at the store
 * at once; they also look every second, so that a hint lost delays but never forgets. */
#ifndef NREM_WAIT_H
#define NREM_WAIT_H

#include "loop.h"
#include "store.h"

typedef struct waits waits;

/* Called once, on the loop: rc 0 when the job has ended, ODM_ESTATE when the time is over or the
 * waits are stopped, ODM_ENOENT when the job is gone, else what the store said. */
typedef void (*wait_fn)(void *ctx, int rc);

/* Borrows both until waits_free(); at most `max` wait at one time.  0, ODM_ENOMEM. */
ODM_MUST_USE int waits_new(loop *l, store *st, unsigned max, waits **out);
/* On the loop's thread, or when the loop does not run.  Waits that are left are called with
 * ODM_ESTATE; those that other threads have begun and the loop has not seen yet are, when it runs
 * next. */
void waits_stop(waits *w);
void waits_free(waits *w); /* after waits_stop(); NULL is allowed */

/* Any thread.  0: fn will be called; ODM_ENOMEM, ODM_ELIMIT (`max` wait), ODM_ESTATE (stopped): it
 * will not. */
ODM_MUST_USE int wait_job(waits *w, int64_t job, int64_t ms, wait_fn fn, void *ctx);
/* Any thread: `job` has moved. */
void wait_hint(waits *w, int64_t job);

#endif
