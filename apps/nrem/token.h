/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - bearer tokens: made once, kept as digests. */
#ifndef NREM_TOKEN_H
#define NREM_TOKEN_H

#include "diag.h"
#include "store.h"

typedef enum token_role { TOKEN_VIEWER, TOKEN_OPERATOR, TOKEN_ADMIN } token_role;
extern const char *const token_roles[]; /* "viewer" "operator" "admin" NULL */

#define TOKEN_TEXT 70 /* "xrem_", 64 hexadecimal digits, a zero */
#define TOKEN_HASH 32 /* SHA-256 */

void token_make(char out[TOKEN_TEXT]);
void token_hash(odm_str token, char out[TOKEN_HASH]);

/* Finds the token's owner: 0 with *out in the arena and its role; ODM_EACCESS when there is none
 * or it has expired; else what the store said. */
ODM_MUST_USE int token_check(store *st, odm_str token, int64_t now_ms, odm_arena *a,
                             store_token *out, token_role *role);

/* At first start, when the store has no token: makes "admin", written into `path` (0600) and told
 * through `text`.  Returns 1 when it did, 0 when there are tokens, or an error with `d` set. */
ODM_MUST_USE int token_first(store *st, const char *path, int64_t now_ms, char text[TOKEN_TEXT],
                             diag *d);

#endif
