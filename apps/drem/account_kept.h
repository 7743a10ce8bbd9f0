/* SPDX-License-Identifier: Apache-2.0 */
/* account_kept.h - whether the section [account] is still what it was when the account in the tree
 * was made, or first seen beside one: a change of it is not in use, and people wonder.
 *
 *     STATE/account.kept    SHA-256 of the section's values and passwords, in hexadecimal */
#ifndef DREM_ACCOUNT_KEPT_H
#define DREM_ACCOUNT_KEPT_H

#include "cfg.h"

/* Keeps what the section says now.  `folder` is the state's.  0; ODM_ENOMEM, ODM_EIO; where a file
 * with a password cannot be read, its error, and what was kept stays. */
ODM_MUST_USE int account_kept_write(const cfg *c, const char *folder, diag *d);
/* True when the section says something else than what was kept.  False as well where that cannot be
 * told; where nothing was kept, it is kept now. */
bool account_kept_differs(const cfg *c, const char *folder);

#endif
