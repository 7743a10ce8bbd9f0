/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h - what devices said last, as rows of the gateway's store: for reads while they sleep.
 *
 * Values are written a moment after they were heard; reads see them at once.  What is lost in a
 * power cut is asked for again.  There are at most gateway.cache rows, CACHE_DEVICE_ROWS of one
 * device; what is more, or larger than CACHE_VALUE, is not kept, nor are credentials. */
#ifndef GREM_CACHE_H
#define GREM_CACHE_H

#include "gateway.h"
#include "odm/view.h"

#define CACHE_DEVICE_ROWS 1000
#define CACHE_VALUE 4096 /* octets */

typedef struct cache cache;

/* Opened when the store is.  0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int cache_open(gateway *g, cache **out);
/* What waits is written if the store is still there.  NULL is allowed. */
void cache_close(cache *c);

/* Nodes of the device, heard now.  Without data: only that they are there. */
void cache_put(cache *c, const gw_device *d, const adapter_node *v, size_t n);
/* A value that was written: kept if the device has said one there itself, for what it never tells
 * nobody else does. */
void cache_renew(cache *c, const gw_device *d, const adapter_node *v);
/* What is at and below `path` and not among the n nodes is there no more. */
void cache_keep_only(cache *c, const gw_device *d, odm_str path, const adapter_node *v, size_t n);
/* The node with all below it is gone; "." is all. */
void cache_drop(cache *c, const gw_device *d, odm_str path);
/* What is kept at and below `path`; nothing is no error.  Texts in `a`.
 * 0, ODM_ENOMEM, ODM_ELIMIT (the arena's), ODM_EIO. */
ODM_MUST_USE int cache_read(cache *c, const gw_device *d, odm_str path, odm_arena *a,
                            odm_view_node **out, size_t *n);
size_t cache_rows(const cache *c);

extern const store_table gw_table_cache;

#endif
