/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - calls of adapters under way, for run.c; others use run.h. */
#ifndef GREM_CALL_H
#define GREM_CALL_H

#include "run.h"

typedef struct calls calls;

ODM_MUST_USE int calls_new(loop *l, calls **out); /* 0 or ODM_ENOMEM */
void calls_free(calls *c);                        /* cancels; nobody hears.  NULL is allowed */
/* As run_call(), run_call_cancel(), runner_reply(), runner_forget(). */
ODM_MUST_USE int calls_begin(calls *c, gw_device *d, int64_t deadline_ms, run_heard heard,
                             void *ctx, uint64_t *id);
void calls_cancel(calls *c, uint64_t id);
void calls_reply(calls *c, uint64_t id, const adapter_reply *r);
void calls_forget(calls *c, gw_device *d);
/* Ends a call that was answered by another way; its ctx, or NULL when nobody waits for it. */
void *calls_drop(calls *c, uint64_t id);
/* 408 for a device that should have answered, 503 for one known to be off-line (gwmo.md 10). */
unsigned call_silence(const gw_device *d);

#endif
