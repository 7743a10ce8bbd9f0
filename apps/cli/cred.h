/* SPDX-License-Identifier: Apache-2.0 */
/* cred.h - nonces and secrets as they are given on the command line. */
#ifndef XREM_CRED_H
#define XREM_CRED_H

#include "args.h"
#include "odm/auth.h"

/* --nonce, or `otherwise`.  XREM_OK, or XREM_BAD_INPUT having said why. */
int xrem_cred_nonce(xrem *c, const xrem_args *a, const odm_nonce *otherwise, odm_nonce *out);
/* --password or --password-file; NULL when neither was given.  XREM_OK or an exit code. */
int xrem_cred_password(xrem *c, const xrem_args *a, const char **out);
/* The same for another pair of options. */
int xrem_cred_text(xrem *c, const xrem_args *a, const char *option, const char *file_option,
                   const char **out);
/* --secret, or what the password makes of `user`; *has is false when nothing was given. */
int xrem_cred_secret(xrem *c, const xrem_args *a, odm_str user, odm_secret *out, bool *has);

#endif
