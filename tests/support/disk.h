/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h - a disk in memory that loses power: one folder of files, and of all that was done to
 * them what was synced and what was not.
 *
 * Every change is a step.  disk_cut() gives the disk as it may be found when the power went after
 * a number of steps: what was synced is there; of the rest any part may be, by sectors of 512
 * octets.  Names (files made, renamed, removed) are durable by disk_sync_names() alone, and when
 * they are not, some first ones of them may be.  A file longer than what reached it holds zeros or
 * junk there.
 *
 * Any thread may use it. */
#ifndef DISK_H
#define DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct disk disk;

disk *disk_new(void);
void disk_free(disk *d); /* NULL is allowed */

/* ---- files: numbers that stay, whatever their name becomes ------------------------------ */

int disk_find(disk *d, const char *name);    /* -1: no such file */
int disk_make(disk *d, const char *name);    /* the one there, or a new one */
void disk_remove(disk *d, const char *name); /* the number stays good */
void disk_rename(disk *d, const char *from, const char *to);
const char *disk_name(disk *d, size_t i); /* of the i-th name; NULL: no more */

void disk_write(disk *d, int file, uint64_t at, const void *p, size_t n);
void disk_truncate(disk *d, int file, uint64_t size);
void disk_sync(disk *d, int file);
void disk_sync_names(disk *d);
/* The sync that fails: what was not durable is now any part of it, for good, though a reader still
 * sees all. */
void disk_sync_fails(disk *d, int file);
uint64_t disk_size(disk *d, int file);
size_t disk_read(disk *d, int file, uint64_t at, void *p, size_t n); /* octets there were */
uint64_t disk_used(disk *d);                                         /* by all files with a name */

/* ---- power -------------------------------------------------------------------------------- */

/* From here on the numbers up to `n` are promised. */
void disk_promise(disk *d, uint64_t n);
/* The number promised when the power goes after `steps`, earlier cuts included. */
uint64_t disk_promised(disk *d, size_t steps);
size_t disk_steps(disk *d);

typedef enum disk_loss {
        DISK_KEEPS_ALL,   /* what was not synced arrived all the same */
        DISK_KEEPS_FIRST, /* the names did, of the octets none */
        DISK_DROPS_ALL,
        DISK_TEARS, /* any part of it, by the seed */
} disk_loss;
#define DISK_LOSSES 4
const char *disk_loss_name(disk_loss how);

/* The disk as it is found after the power went; to be disk_free()d.  Leaves `d` as it is. */
disk *disk_cut(disk *d, size_t steps, disk_loss how, uint64_t seed);

#endif
