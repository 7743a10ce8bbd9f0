/* SPDX-License-Identifier: Apache-2.0 */
/* bootstrap.h - the first account, out of a message in a file
 * (dm-security-bootstrap-notification.md part C). */
#ifndef DREM_BOOTSTRAP_H
#define DREM_BOOTSTRAP_H

#include "conf.h"
#include "odm/bootstrap.h"
#include "part.h"

typedef struct bootstrap_opt {
        const char *path; /* where the message is from, for people */
        odm_str message;  /* as `xrem bootstrap make` writes it */
        const char *pin;  /* NULL: the user is asked */
        bool replace;     /* an account of the same server is written over */
        /* Asks for the PIN into `out`, with a zero; `again` when the last one was wrong.  0, or
         * ODM_ENOENT when there is nobody to ask.  NULL: there is nobody. */
        int (*ask)(void *ctx, bool again, char *out, size_t room);
        void *ctx;
        const agent_app *app; /* whose tree it is; NULL for dremd */
} bootstrap_opt;

/* Proves the message and makes its accounts in the state folder of `c`, which the caller has
 * locked. Appends to `told` a line for each account.  0, or an error with the reason in `d`; then
 * nothing has changed. */
ODM_MUST_USE int bootstrap_run(const cfg *c, const char *version, const bootstrap_opt *o,
                               odm_buf *told, diag *d);

#endif
