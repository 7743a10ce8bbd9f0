/* SPDX-License-Identifier: Apache-2.0 */
/* spare.h - the copy of the gateway's own store, for when that is damaged (recover_store.h): made
 * while the gateway runs and when it ends, each time proved before it takes the last one's place.
 *
 *     gateway.db --changed, every gateway.copy_every--> gateway.db.copy
 *          \--is damaged--> the copy stays; an alarm, and a start that mends it              */
#ifndef GREM_SPARE_H
#define GREM_SPARE_H

#include "gateway.h"

typedef struct spare spare;

/* Begins; `path` is the file of the open store.  `damaged` is called on the loop, once, when the
 * store was found to be no whole one.  0, ODM_ENOMEM. */
ODM_MUST_USE int spare_open(gateway *g, const char *path,
                            void (*damaged)(void *ctx, const char *why), void *ctx, spare **out);
void spare_stop(spare *s); /* waits for a copy under way, which ends unfinished.  NULL is allowed */
void spare_close(spare *s); /* after spare_stop(), when the loop does not run.  NULL is allowed */

#endif
