/* SPDX-License-Identifier: Apache-2.0 */
/* account.h - accounts of devices as REST makes them.  Texts are of the call's arena; what returns
 * a bool is false when there is no memory. */
#ifndef NREM_ACCOUNT_H
#define NREM_ACCOUNT_H

#include "odm/auth.h"
#include "store.h"

typedef struct call call; /* call.h */

#define ACCOUNT_OPEN 4 /* beside the types of odm_auth_type: nothing is proved */

/* A password for the user: its digest. */
bool account_set_password(call *c, store_account *a, odm_str user, odm_str password);
/* One of the server for itself, by the name that it has for the device. */
bool account_set_server(call *c, store_account *a, odm_str user, odm_str password);
/* By what each side proves itself: an odm_auth_type, NONE for a certificate, or ACCOUNT_OPEN. */
void account_set_auth(store_account *a, unsigned auth);
odm_str account_made_up(call *c); /* a password nobody knows; absent: no memory */
/* Whether it has a password to know: certificates and nothing at all need none. */
bool account_needs_password(const store_account *a);
void account_set_flag(store_account *a, uint32_t flag, bool on);

typedef struct account_told { /* what was made up; absent: it is not needed */
        odm_str password, server_password;
} account_told;
/* The device is another unit now, `devid` instead of `was`: what the old one can prove is good for
 * nothing.  Passwords are made up, and a certificate has to name the DevId. */
bool account_renew(call *c, store_account *a, odm_str was, odm_str devid, account_told *out);

/* Whether a certificate for `name` is the device's. */
static inline bool account_is_named(const store_account *a, const store_device *d, odm_str name)
{
        return odm_str_eq(d->devid, name) ||
               (!(a->flags & STORE_ACCOUNT_BY_DEVID) && odm_str_eq(d->name, name));
}

#endif
