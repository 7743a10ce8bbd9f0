/* SPDX-License-Identifier: Apache-2.0 */
/* powercut_vfs.h - for tests: SQLite on a disk in memory (disk.h), which loses power, is full,
 * fails, lies or keeps everybody waiting.  It promises what SQLite's own layer for Unix promises,
 * syncs of the folder at the same moments included, and no more. */
#ifndef STORE_POWERCUT_VFS_H
#define STORE_POWERCUT_VFS_H

#include "disk.h"

/* Makes this layer the one that databases are opened by, until powercut_remove().  Files without
 * a name still go to the system's. */
void powercut_install(void);
void powercut_remove(void);
/* The disk from now on, which is borrowed; no file may be open.  Faults and counts begin anew. */
void powercut_use(disk *d);

typedef struct powercut_faults {
        uint64_t fail_at;        /* the Nth write, truncation or sync fails, from 1; 0: none */
        int code;                /* with this code of SQLite; a write leaves half of itself */
        bool for_ever;           /* and so does all after it */
        uint64_t capacity;       /* octets of all files together, SQLITE_FULL beyond; 0: no end */
        bool read_only;          /* nothing opens for writing */
        bool sync_lies;          /* a sync does nothing */
        bool names_lie;          /* nor does one of the folder */
        const char *synchronous; /* in place of what connections ask for: "0" off, "1" normal */
        unsigned checkpoint;     /* pages of log, in place of theirs; below 10000, 0: theirs */
} powercut_faults;
void powercut_set(powercut_faults f);
/* Writes, truncations and syncs since powercut_use() or powercut_set(). */
uint64_t powercut_changes(void);

/* While held, syncs wait; gives how many wait now. */
void powercut_hold(bool held);
unsigned powercut_waiting(void);

#endif
