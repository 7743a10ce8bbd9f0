/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - this machine as a managed device: its tree, and what it must not forget. */
#ifndef DREM_DEVICE_H
#define DREM_DEVICE_H

#include "conf.h"
#include "ident.h"
#include "objects.h"
#include "odm/bootstrap.h"
#include "parts.h"

typedef struct device {
        odm_tree *tree;
        state *state;
        objects objects;
        odm_tasks *tasks;
        parts *parts;
        ident ident;
        char dev_id[256], version[64], maker[160], model[160], firmware[300];
        char wake[256]; /* ./DevInfo/Ext/xrem/Wake; empty: the node is absent */
} device;

/* Makes the tree with the machine's values, loads what the state folder holds and, when it holds
 * no account, makes one of the configuration.  `version` is the program's; `c` and `app`, which may
 * be NULL, are borrowed.
 * on_config, on_sync and ctx as in objects.h.
 * Returns 0 or an error with `d` saying what to do. */
ODM_MUST_USE int device_open(const cfg *c, const char *version, const agent_app *app,
                             void (*on_config)(void *ctx),
                             void (*on_sync)(void *ctx, odm_str correlator), void *ctx,
                             device **out, diag *d);
/* The same without hooks, and without an account where there is none: for a bootstrap. */
ODM_MUST_USE int device_open_bare(const cfg *c, const char *version, const agent_app *app,
                                  device **out, diag *d);
void device_close(device *v); /* NULL is allowed */

/* The version that the installer knows of; "" leaves FwV as it is.  Copies. */
void device_set_firmware(device *v, const char *version);
/* Says where wake-ups reach us: `port` is the one we listen on, 0 for none. */
void device_set_wake(device *v, const cfg *c, uint16_t port);
/* Writes the account of the configuration over ./DMAcc/main, its nonces forgotten. */
ODM_MUST_USE int device_reset_account(device *v, const cfg *c, diag *d);
/* Makes the accounts of a bootstrap message that was proven, durable on return.  The first server a
 * device has gets the rights over the agent's settings that one of the configuration gets.
 * 0 with *out in `a`; an error with the reason in `d`, and, but for ODM_EIO, nothing changed. */
ODM_MUST_USE int device_bootstrap(device *v, const cfg *c, const odm_boot *b, bool replace,
                                  odm_arena *a, odm_boot_done *out, diag *d);

#endif
