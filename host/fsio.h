/* SPDX-License-Identifier: Apache-2.0 */
/* fsio.h - files that survive a power cut.
 *
 * A file written by fsio_write() is, after a cut at any moment, the old one or the new one.
 * A journal is a file of records; after a cut it holds every record that was synced, perhaps
 * some later ones, and nothing else: reading stops at the first torn record and cuts it off.
 *
 * Journal file:  "ODMJ" version(1) 0 0 0,  then records of
 *     length (4, little-endian) | CRC-32 of length and payload (4, little-endian) | payload */
#ifndef HOST_FSIO_H
#define HOST_FSIO_H

#include <sys/types.h>

#include "diag.h"

/* The system calls that change a disk, replaceable so that a test can cut the power at each.
 * Each behaves as its system call; `ctx` comes first. */
typedef struct fsio_ops {
        ssize_t (*write)(void *ctx, int fd, const void *p, size_t n);
        int (*fsync)(void *ctx, int fd);
        int (*rename)(void *ctx, const char *from, const char *to);
        int (*ftruncate)(void *ctx, int fd, off_t n);
        void *ctx;
} fsio_ops;
extern const fsio_ops fsio_real; /* wherever ops are taken, NULL means this */

/* Reads a whole file of at most `max` octets onto `out` (borrowed; appended).
 * Returns 0, ODM_ENOENT, ODM_ELIMIT, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int fsio_read(const char *path, size_t max, odm_buf *out, diag *d);
/* Replaces a file: temporary, fsync, rename, fsync of the folder.  0, ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int fsio_write(const fsio_ops *ops, const char *path, odm_str data, mode_t mode,
                            diag *d);
/* Makes a folder and its parents, the last one with `mode`.  Existing is good. */
ODM_MUST_USE int fsio_mkdir(const char *path, mode_t mode, diag *d);
/* "folder/name" on the heap, to be free()d; NULL when out of memory. */
char *fsio_join(const char *folder, const char *name);

/* An exclusive lock on a file, made when not there, held until fsio_unlock() or the process ends.
 * Blocks for a second at most.  ODM_EEXIST when another process holds it still (its number is in
 * `d`); ODM_EIO. */
ODM_MUST_USE int fsio_lock(const char *path, int *fd, diag *d);
void fsio_unlock(int fd);

/* ---- journals --------------------------------------------------------------------- */

typedef struct fsio_journal fsio_journal;

#define FSIO_RECORD_MAX (128u << 20)

/* Opens or makes the journal at `path` (mode 0600) and calls `replay` for each record, in order;
 * a negative return of it ends the opening with that error.  A torn tail is cut off, and `d` says
 * so with a return of 0.  What was read is durable on return.  Returns 0, ODM_EMALFORMED (not a
 * journal), ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int fsio_journal_open(const fsio_ops *ops, const char *path,
                                   int (*replay)(void *ctx, odm_str record), void *ctx,
                                   fsio_journal **out, diag *d);
void fsio_journal_close(fsio_journal *j); /* NULL is allowed; does not sync */
/* Appends a record; it is durable after the next sync.  After a failure the journal takes no more
 * until fsio_journal_compact() has made a new file: ODM_EIO.  ODM_ELIMIT for a record too long. */
ODM_MUST_USE int fsio_journal_append(fsio_journal *j, odm_str record);
/* Makes all appended records durable; cheap when there is nothing new. */
ODM_MUST_USE int fsio_journal_sync(fsio_journal *j);
/* Octets in the file, and octets since the last compaction. */
uint64_t fsio_journal_size(const fsio_journal *j);
uint64_t fsio_journal_grown(const fsio_journal *j);
/* Replaces the whole journal by one record, which stands for all before; durable on return.
 * On failure the old journal goes on, unless only the folder could not be synced: then the journal
 * takes no more until a compaction succeeds. */
ODM_MUST_USE int fsio_journal_compact(fsio_journal *j, odm_str snapshot);
/* For who looks into the content of a journal's file (fsio_twin.h): whether it begins as one; the
 * octets of the whole record at `at`, 0 when none is there; the octets it claims to have, right or
 * wrong, 0 when not even that is to be read. */
#define FSIO_JOURNAL_HEAD 8
bool fsio_is_journal(odm_str file);
size_t fsio_record_at(odm_str file, size_t at);
size_t fsio_record_claims(odm_str file, size_t at);
/* Why the last append, sync or compaction that failed did, with the file's name; "" when none did.
 */
const char *fsio_journal_why(const fsio_journal *j);

#endif
