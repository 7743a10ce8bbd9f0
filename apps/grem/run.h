/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - calls of adapters and orders on devices under way: what gateway.c keeps for run.c, and
 * calls by others than run.c.
 *
 * gateway.c makes a runner when it opens, gives adapters runner_reply() as adapter_host.reply, and
 * says runner_forget() before a record goes.  gw_run(), gw_cancel() and gw_busy() (gateway.h) find
 * it by gw_runner(). */
#ifndef GREM_RUN_H
#define GREM_RUN_H

#include "gateway.h"

#define RUN_ORDERS_MAX 128 /* orders that wait for one device, the one that runs included */
#define RUN_DEADLINE_MS 60000

typedef struct runner runner;

/* 0 or ODM_ENOMEM. */
ODM_MUST_USE int runner_new(gateway *g, runner **out);
/* What is under way is cancelled at its adapter, unheard.  NULL is allowed. */
void runner_free(runner *r);
runner *gw_runner(gateway *g); /* in gateway.c */
/* adapter_host.reply: ids that nobody waits for are ignored. */
void runner_reply(runner *r, uint64_t id, const adapter_reply *a);
/* The record is about to go, or its device was detached: what is under way on it and what waits
 * ends with 503, or 408 where the device may be doing what is under way.  Heard before this
 * returns. */
void runner_forget(runner *r, gw_device *d);

/* Hears of each command of an order that is over, but containers: what it was, what it was
 * answered.  One owner; NULL ends it. */
typedef void (*run_watcher)(void *ctx, gw_device *d, const odm_command *c, const gw_answer *a);
void run_watch(gateway *g, run_watcher fn, void *ctx);

/* ---- single calls, beside the orders ------------------------------------------------------ */

/* An id for one call of d->adapter's functions (wake, observe, a read of one's own), to
 * be begun right after:
 *
 *     rc = run_call(g, d, 5000, heard, x, &id);
 *     if (rc == 0)
 *             d->adapter->wake(d->adapter_self, id, d, d->native, ODM_ABSENT, ODM_ABSENT);
 *
 * heard() is called once: with the reply (from within the call, too), or with 408 when the deadline
 * has passed, after the adapter was told to cancel it, or with 503 by runner_forget().
 * 0, ODM_ENOMEM, ODM_ELIMIT (too many calls are under way), ODM_ESTATE (the gateway ends). */
typedef void (*run_heard)(void *ctx, const adapter_reply *r);
ODM_MUST_USE int run_call(gateway *g, gw_device *d, int64_t deadline_ms, run_heard heard, void *ctx,
                          uint64_t *id);
/* heard() is not called any more; the adapter is told.  Unknown ids are ignored. */
void run_call_cancel(gateway *g, uint64_t id);
/* What the adapter offers for it: adapter_cap bits; 0 without an adapter. */
unsigned run_caps(gw_device *d);

#endif
