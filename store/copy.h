/* SPDX-License-Identifier: Apache-2.0 */
/* copy.h - a copy of the file of a store (engine SQLite), whether it is open or not, by this
 * process or another.
 *
 *     TO.new  <- page by page, as the store was at one moment; writers go on
 *     TO.new  read through: what is damaged takes nothing's place
 *     TO      <- TO.new; what SQLite had beside an older TO goes             */
#ifndef STORE_COPY_H
#define STORE_COPY_H

#include "store.h"

typedef struct store_copy_opt {
        const char *from, *to; /* files; to may be there */
        uint32_t pages;        /* so many at a time; 0: all at once */
        uint32_t pause_ms;     /* between them, so that others have the disk too */
        /* Asked between them, on the caller's thread; true: it ends.  May be NULL. */
        bool (*stop)(void *ctx);
        void *ctx;
} store_copy_opt;

/* Blocks until the copy is durable.  0; ODM_ESTATE: stopped; ODM_EMALFORMED: the copy is no whole
 * store, so the file itself is damaged; ODM_EACCESS, ODM_EIO, ODM_ENOMEM.  `to` is as it was after
 * all but 0; `why` is a sentence then. */
ODM_MUST_USE int store_copy(const store_copy_opt *opt, char why[STORE_DIAG]);

#endif
