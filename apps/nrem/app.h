/* SPDX-License-Identifier: Apache-2.0 */
/* app.h - nremd put together: store, listeners, REST and the DM side, on one loop. */
#ifndef NREM_APP_H
#define NREM_APP_H

#include "cfg.h"
#include "loop.h"

typedef struct app app;

/* Opens the store in the state folder and begins to serve.  Borrows both until app_stop().
 * `version` is the package's.  0, or an error with the reason in `d`. */
ODM_MUST_USE int app_start(const cfg *c, loop *l, const char *version, app **out, diag *d);
/* Looks at the certificates and keys that a start would need.  0, or an error with the reason in
 * `d`. */
ODM_MUST_USE int app_check(const cfg *c, diag *d);
/* Reads the certificates and keys of TLS listeners again; when one is not good, the log says so and
 * the old ones stay. */
void app_reload(app *a);
/* On the loop's thread, when the loop does not run any more: takes no more requests, lets running
 * exchanges finish, writes what waits, and frees.  NULL is allowed. */
void app_stop(app *a);
/* The port of the first listener that serves devices (or REST), for tests; 0: none. */
unsigned app_port(const app *a, bool rest, bool tls);

#endif
