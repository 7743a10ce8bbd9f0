/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - the settings of dremd, as a table that also documents them. */
#ifndef DREM_CONF_H
#define DREM_CONF_H

#include "cfg.h"
#include "odm/auth.h"

extern const cfg_key conf_keys[];
extern const size_t conf_keys_n;

/* What the table cannot say: keys that need or exclude each other.  0 or ODM_EMALFORMED. */
ODM_MUST_USE int conf_check(const cfg *c, diag *d);

/* Where plain HTTP may go: nowhere, to this machine, anywhere. */
typedef enum conf_plain { CONF_PLAIN_NO, CONF_PLAIN_LOOPBACK, CONF_PLAIN_YES } conf_plain;

/* The type of account.auth or account.server_auth. */
odm_auth_type conf_auth(const cfg *c, const char *key);
/* Whether a path may be wiped: it begins at the root, is not the root, holds nothing that the
 * configuration names (the state, keys, passwords), and is not within the state.
 * 0 or ODM_EMALFORMED. */
ODM_MUST_USE int conf_may_wipe(const cfg *c, const char *path, diag *d);
/* The text of `key`, or the first line of the file named by `file_key`; into `out`, with a zero.
 * Empty when neither is set.  0, ODM_EIO, ODM_ELIMIT. */
ODM_MUST_USE int conf_secret(const cfg *c, const char *key, const char *file_key, char *out,
                             size_t room, diag *d);

#endif
