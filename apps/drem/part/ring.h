/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h - logs of the device as records in its tree: ./DiagMon/<function>/DiagMonData/<number>,
 * the oldest of which go when there are MaxRecords; and the servers a function is to tell. */
#ifndef DREM_PART_RING_H
#define DREM_PART_RING_H

#include "part.h"

typedef struct ring_leaf {
        const char *name;
        odm_str text;
} ring_leaf;

/* Whether the function is there and records: its Status is 20. */
bool ring_records(const part_host *h, const char *function);
/* Adds a record in one transaction; what goes for it are records whose leaf `over` is not empty
 * first, if that is not NULL.  *id gets its number.  Not durable before h->moved().
 * 0, ODM_ESTATE, ODM_ENOMEM, ODM_ELIMIT, ODM_EIO. */
ODM_MUST_USE int ring_add(const part_host *h, const char *function, const char *over,
                          const ring_leaf *leaves, size_t n, uint32_t *id);
/* Records in percent of MaxRecords, 0 .. 100. */
unsigned ring_percent(const part_host *h, const char *function);
/* Calls fn with the number of each record, from the oldest; stops at a non-zero return and returns
 * it.  fn may change the tree. */
int ring_each(const part_host *h, const char *function, int (*fn)(void *ctx, uint32_t id),
              void *ctx);
/* A leaf of a record, in `a`; absent when there is none. */
odm_str ring_read(const part_host *h, const char *function, uint32_t id, const char *leaf,
                  odm_arena *a);

/* Calls fn for each server below ServerIDs, and ServerID, of a function that has an account here;
 * entries that have none any more are deleted.  How many there were, or an error of fn. */
int ring_servers(const part_host *h, const char *function, int (*fn)(void *ctx, odm_str server),
                 void *ctx);

#endif
