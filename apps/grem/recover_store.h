/* SPDX-License-Identifier: Apache-2.0 */
/* recover_store.h - the gateway's own store, opened even when it is damaged (xrem.md G10). */
#ifndef GREM_RECOVER_STORE_H
#define GREM_RECOVER_STORE_H

#include "marks.h"
#include "store.h"

typedef enum recover_mended {
        RECOVER_WHOLE,
        RECOVER_COPY, /* its last copy (spare.h) is in use */
        RECOVER_ANEW, /* there was none: it is empty */
} recover_mended;

/* As store_open().  `path`: the file of opt->where, when it is the gateway's own; NULL: another's,
 * which is left as it is.  A file that is no store any more becomes PATH.damaged;
 * one of another program or of a newer version stays as it is: ODM_EUNSUPPORTED.  *how is said
 * again at each start until marks_settled(). */
ODM_MUST_USE int recover_store_open(const char *path, const store_opt *opt, marks *m, store **out,
                                    char why[STORE_DIAG], recover_mended *how);
/* The store of `path` was found damaged while it was open: the next recover_store_open() does not
 * trust it.  A failure is logged. */
void recover_store_condemn(const char *path);
/* The store is closed: PATH.copy is made of it, if it is whole.  0 or an error, which is logged. */
int recover_store_keep(const char *path);

#endif
