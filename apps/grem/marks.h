/* SPDX-License-Identifier: Apache-2.0 */
/* marks.h - what must not go back when the store does (recover_store.h), in a file of its own
 * beside it, "gateway.marks", a journal (fsio.h):
 *
 *     numbers    of devices, tasks and alerts: a block is durable here before any of it is given
 *     answered   alerts that are over, of which the store's copy has a row perhaps
 *     mended     the store was, and what follows from that is not done yet
 *
 * With it no number is given twice, whatever became of the store and whenever the power went. */
#ifndef GREM_MARKS_H
#define GREM_MARKS_H

#include "fsio.h"

typedef struct marks marks;

typedef enum marks_kind {
        MARKS_DEVICE,
        MARKS_FANOUT,
        MARKS_ALERT,
        MARKS_KINDS,
} marks_kind;

/* `copies`: copies of the store are made, which may take its place.  A file that cannot be read is
 * put aside.  0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int marks_open(const fsio_ops *ops, const char *folder, bool copies, marks **out,
                            diag *d);
/* What was reserved and not given is free again.  `copied`: the store is closed, and its copy is as
 * it.  NULL is allowed. */
void marks_close(marks *m, bool copied);

/* The store knows of numbers below `next`. */
void marks_floor(marks *m, marks_kind k, int64_t next);
/* A number, positive, rising, never given before.  0, ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int marks_next(marks *m, marks_kind k, int64_t *out);

/* Said before anything takes the place of a damaged store, and with how it went after; `how` is a
 * recover_mended.  Where the marks were damaged too, numbers begin far above those that the store
 * knows.  A failure is logged. */
void marks_mended(marks *m, unsigned how);
unsigned marks_how(const marks *m); /* 0: the store is whole */
void marks_settled(marks *m);       /* all that follows is done, and durable */

/* Alerts that the server has answered; said before their rows go.  *upto is for marks_gone().  A
 * failure is logged. */
void marks_answered(marks *m, const int64_t *id, size_t n, size_t *upto);
void marks_gone(marks *m, size_t upto);             /* the rows are gone from the store, durably */
bool marks_is_answered(const marks *m, int64_t id); /* when it was opened */
/* A copy of the store is begun; it has taken the place of the last one, or (`good` false) has not.
 */
void marks_copying(marks *m);
void marks_copied(marks *m, bool good);

#endif
