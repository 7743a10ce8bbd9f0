/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

#include "fsio.h"
#include "heap.h"
#include "rand.h"

const char *const token_roles[] = {"viewer", "operator", "admin", NULL};

void token_make(char out[TOKEN_TEXT])
{
        memcpy(out, "xrem_", 5);
        rand_hex(out + 5, 32);
}

void token_hash(odm_str token, char out[TOKEN_HASH])
{
        /* SHA-256 of octets in memory fails only where GnuTLS could not start at all; then the
         * digest is one that no stored one equals */
        memset(out, 0, TOKEN_HASH);
        (void)gnutls_hash_fast(GNUTLS_DIG_SHA256, token.p ? token.p : "", token.n, out);
}

static int role_parse(odm_str s, token_role *out)
{
        for (unsigned i = 0; token_roles[i]; i++)
                if (odm_str_is(s, token_roles[i])) {
                        *out = (token_role)i;
                        return 0;
                }
        return ODM_EACCESS;
}

int token_check(store *st, odm_str token, int64_t now_ms, odm_arena *a, store_token *out,
                token_role *role)
{
        char hash[TOKEN_HASH];
        store_token t;
        token_role r;
        int rc;

        token_hash(token, hash);
        rc = store_token_by_hash(st, (odm_str){hash, sizeof hash}, a, &t);
        if (rc == ODM_ENOENT)
                return ODM_EACCESS;
        if (rc < 0)
                return rc;
        if (t.expires && t.expires <= now_ms)
                return ODM_EACCESS;
        if (role_parse(t.role, &r) < 0)
                return ODM_EACCESS; /* a role of a later version grants nothing */
        *out = t;
        *role = r;
        return 0;
}

static int put(store *st, const char *text, int64_t now_ms)
{
        store_batch *b = store_batch_new();
        store_op *op = b ? store_batch_add(b, STORE_TOKEN_PUT) : NULL;
        char hash[TOKEN_HASH];
        int rc = ODM_ENOMEM;

        if (op) {
                token_hash(odm_cstr(text), hash);
                op->token = (store_token){.name = ODM_STR("admin"),
                                          .hash = {hash, sizeof hash},
                                          .role = ODM_STR("admin"),
                                          .created = now_ms};
                rc = store_write_sync(st, b);
        }
        store_batch_free(b);
        return rc;
}

/* The file comes first: a cut between the two makes a new token at the next start, where the
 * other order would leave a token that nobody knows. */
static int make_first(store *st, const char *path, int64_t now_ms, char text[TOKEN_TEXT], diag *d)
{
        char line[TOKEN_TEXT + 1];
        int n, rc;

        token_make(text);
        n = snprintf(line, sizeof line, "%s\n", text);
        rc = fsio_write(NULL, path, (odm_str){line, (size_t)n}, 0600, d);
        odm_wipe(line, sizeof line);
        if (rc < 0)
                return rc;
        rc = put(st, text, now_ms);
        return rc < 0 ? diag_set(d, rc, "the first token could not be kept: %s", odm_err_text(rc))
                      : 1;
}

int token_first(store *st, const char *path, int64_t now_ms, char text[TOKEN_TEXT], diag *d)
{
        odm_arena a;
        store_token_list l = {0};
        int rc;

        odm_arena_init(&a, &heap_mem, 1u << 20);
        rc = store_token_find(st, &a, &l);
        odm_arena_done(&a);
        if (rc < 0)
                return diag_set(d, rc, "the tokens cannot be read: %s", odm_err_text(rc));
        return l.n > 0 ? 0 : make_first(st, path, now_ms, text, d);
}
