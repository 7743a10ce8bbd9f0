/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - a socket in the state folder by which dremd --status and --sync talk to the one that
 * runs.  A line in ("status", "sync"), text back, closed.  Only its owner may connect. */
#ifndef DREM_CONTROL_H
#define DREM_CONTROL_H

#include "diag.h"
#include "loop.h"

typedef struct control control;

/* Listens at `folder`/control.  `fn` answers a command: appends to b, returns 0 or an error, which
 * is told to the asker.  Returns 0, ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int control_open(loop *l, const char *folder,
                              int (*fn)(void *ctx, odm_str command, odm_buf *b), void *ctx,
                              control **out, diag *d);
void control_close(control *c); /* NULL is allowed */

/* The asking side, blocking for a few seconds at most.  Puts the answer into b, which is empty.
 * ODM_ENOENT when nobody listens, ODM_EIO, also when the answer is an error. */
ODM_MUST_USE int control_ask(const char *folder, const char *command, odm_buf *b, diag *d);

#endif
