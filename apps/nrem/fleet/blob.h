/* SPDX-License-Identifier: Apache-2.0 */
/* blob.h - contents on disk, named by their SHA-256, and uploads that go on where they were cut.
 *
 *     folder/<sha256>    a whole content, proved and durable
 *     folder/<id>.part   what has come so far of the content of <id>
 *
 *     put --octets--> .part, hashed on the way --finish: fsync, hash is right--> <sha256>
 *
 * Any thread.  Only blobs_sync(), blobs_finish() and blobs_sweep() take long.  No octet is kept in
 * memory.  A hash is 64 digits of lower case everywhere here. */
#ifndef NREM_BLOB_H
#define NREM_BLOB_H

#include "diag.h"

typedef struct blobs blobs;
typedef struct blob_put blob_put;

/* Makes the folder.  0, ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int blobs_new(const char *folder, blobs **out, diag *d);
void blobs_free(blobs *b); /* no put may be open; NULL is allowed */

/* ---- uploads ------------------------------------------------------------------------ */

/* Octets here of the content of `id`: all of them when a content of that hash is here. */
uint64_t blobs_have(blobs *b, int64_t id, odm_str sha256, uint64_t size);

/* Goes on with the content of `id`, which has `size` octets, at octet `at`: where the last put
 * ended, or 0 to begin anew.  A put of it that is still open takes no more (whoever comes last is
 * the one who is alive).  0; ODM_ESTATE with *have, when it does not go on at `at` or is being
 * proved; ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int blobs_put(blobs *b, int64_t id, uint64_t size, uint64_t at, blob_put **out,
                           uint64_t *have, diag *d);
/* 0; ODM_EIO, or ODM_ELIMIT when the disk is full, see blob_put_why(); ODM_ESTATE after another put
 * of the same; ODM_ELIMIT without a word beyond the size. */
ODM_MUST_USE int blob_put_write(blob_put *p, odm_str data);
const char *blob_put_why(const blob_put *p); /* a sentence about the write that failed; or "" */
void blob_put_end(blob_put *p);              /* what came stays; NULL is allowed */

/* What has come of it is durable.  0, ODM_EIO; 0 as well when nothing has. */
ODM_MUST_USE int blobs_sync(blobs *b, int64_t id, diag *d);
/* All has come: proves it and puts it into its place, durably.  Puts that are open take no more.
 * 0, too when such a content is here already; ODM_ESTATE when it is not whole; ODM_EMALFORMED when
 * its hash differs: what came is dropped then; ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int blobs_finish(blobs *b, int64_t id, odm_str sha256, uint64_t size, diag *d);
void blobs_drop(blobs *b, int64_t id); /* what came of it */

/* ---- contents ------------------------------------------------------------------------- */

/* True when it is here, and of that size: it stays then until blobs_unpin(). */
bool blobs_pin(blobs *b, odm_str sha256, uint64_t size);
void blobs_unpin(blobs *b, odm_str sha256);
/* A descriptor to read from, or ODM_ENOENT, ODM_EIO. */
ODM_MUST_USE int blobs_open(blobs *b, odm_str sha256, uint64_t *size);
/* "folder/<sha256>", or the part of `id` with an absent hash; false when it is too long. */
#define BLOB_PATH 1200
bool blobs_path(const blobs *b, odm_str sha256, int64_t id, char out[BLOB_PATH]);

/* Is it wanted still?  `id` 0: the content; else the part. */
typedef bool (*blob_wanted)(void *ctx, odm_str sha256, int64_t id);
/* Removes a content that is neither pinned nor wanted; asks on this thread, without locks. */
void blobs_remove(blobs *b, odm_str sha256, blob_wanted wanted, void *ctx);
/* The same with all that is in the folder: how many files went.  One thread at a time does this and
 * blobs_remove(). */
unsigned blobs_sweep(blobs *b, blob_wanted wanted, void *ctx);

#endif
