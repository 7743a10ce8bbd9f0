/* SPDX-License-Identifier: Apache-2.0 */
/* The digests of SyncML authentication (dm-protocol.md 9 and 14).  The MAC is not the keyed
 * hash of RFC 2104, although its header is called after it: secret, nonce and digest of the
 * body are joined by colons and hashed once. */
#include <nettle/base64.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>

#include "odm/auth.h"

#define COLON ODM_STR(":")

/* Hash of up to five pieces, joined as they are. */
static void md5_of(const odm_str *piece, size_t n, uint8_t out[MD5_DIGEST_SIZE])
{
        struct md5_ctx h;

        md5_init(&h);
        for (size_t i = 0; i < n; i++)
                md5_update(&h, piece[i].n, (const uint8_t *)piece[i].p);
        md5_digest(&h, MD5_DIGEST_SIZE, out);
        odm_wipe(&h, sizeof h);
}

static void sha256_of(const odm_str *piece, size_t n, uint8_t out[SHA256_DIGEST_SIZE])
{
        struct sha256_ctx h;

        sha256_init(&h);
        for (size_t i = 0; i < n; i++)
                sha256_update(&h, piece[i].n, (const uint8_t *)piece[i].p);
        sha256_digest(&h, SHA256_DIGEST_SIZE, out);
        odm_wipe(&h, sizeof h);
}

static size_t digest_b64(odm_mac_alg alg, const odm_str *piece, size_t n, char out[ODM_MAC_MAX])
{
        uint8_t d[SHA256_DIGEST_SIZE];
        size_t len = alg == ODM_MAC_SHA256 ? SHA256_DIGEST_SIZE : MD5_DIGEST_SIZE;

        if (alg == ODM_MAC_SHA256)
                sha256_of(piece, n, d);
        else
                md5_of(piece, n, d);
        base64_encode_raw(out, len, d);
        odm_wipe(d, sizeof d);
        return odm_b64_size(len);
}

static size_t secret_b64(odm_mac_alg alg, odm_str user, odm_str password, char out[ODM_MAC_MAX])
{
        const odm_str piece[] = {user, COLON, password};

        return digest_b64(alg, piece, ODM_COUNT(piece), out);
}

void odm_secret_of(odm_str user, odm_str password, odm_secret *out)
{
        const odm_str piece[] = {user, COLON, password};
        uint8_t d[MD5_DIGEST_SIZE];

        md5_of(piece, ODM_COUNT(piece), d);
        base64_encode_raw(out->b64, sizeof d, d);
        odm_wipe(d, sizeof d);
}

void odm_auth_md5(const odm_secret *s, const odm_nonce *nonce, char out[ODM_SECRET_LEN])
{
        const odm_str piece[] = {{s->b64, sizeof s->b64}, COLON, odm_nonce_view(nonce)};
        uint8_t d[MD5_DIGEST_SIZE];

        md5_of(piece, ODM_COUNT(piece), d);
        base64_encode_raw(out, sizeof d, d);
}

size_t odm_auth_mac(odm_mac_alg alg, odm_str user, odm_str password, const odm_secret *s,
                    const odm_nonce *nonce, odm_str body, char out[ODM_MAC_MAX])
{
        char secret[ODM_MAC_MAX], of_body[ODM_MAC_MAX];
        odm_str first = {secret, 0}, last = {of_body, 0};

        last.n = digest_b64(alg, &body, 1, of_body);
        if (alg == ODM_MAC_MD5 && s)
                first = (odm_str){s->b64, sizeof s->b64};
        else
                first.n = secret_b64(alg, user, password, secret);
        const odm_str piece[] = {first, COLON, odm_nonce_view(nonce), COLON, last};
        size_t n = digest_b64(alg, piece, ODM_COUNT(piece), out);
        odm_wipe(secret, sizeof secret);
        return n;
}

odm_str odm_auth_basic(odm_arena *a, odm_str user, odm_str password)
{
        odm_str head = odm_arena_join(a, user.p ? user : ODM_STR(""), COLON);
        odm_str both = head.p ? odm_arena_join(a, head, password) : head;

        return both.p ? odm_b64_encode(a, both) : both;
}
