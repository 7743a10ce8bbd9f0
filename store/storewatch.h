/* SPDX-License-Identifier: Apache-2.0 */
/* storewatch.h - tells the log when the store can write no more and what to do, and when it can
 * again.  While it cannot, a small setting is written every few seconds, so that this is found out
 * without anybody's request. */
#ifndef STORE_STOREWATCH_H
#define STORE_STOREWATCH_H

#include "loop.h"
#include "store.h"

typedef struct storewatch storewatch;

/* Borrows both.  0 or ODM_ENOMEM. */
ODM_MUST_USE int storewatch_new(store *st, loop *l, storewatch **out);
/* On the loop's thread: looks no more.  NULL is allowed. */
void storewatch_stop(storewatch *w);
/* After the store is closed.  NULL is allowed. */
void storewatch_free(storewatch *w);

#endif
