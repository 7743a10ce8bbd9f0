/* SPDX-License-Identifier: Apache-2.0 */
/* Nonces, and the names of the authentication types (dm-protocol.md 9, 9.4; security B3). */
#include <nettle/base64.h>
#include <string.h>

#include "odm/auth.h"

#define NONCE_FRESH 16                                           /* octets of those we issue */
#define NONCE_TEXT_MAX ((size_t)(ODM_NONCE_MAX / 3 + 1) * 4 * 2) /* base64, and line breaks */

const odm_nonce odm_nonce_default_zero = {4, {0}};
const odm_nonce odm_nonce_default_ascii = {10, "0x00000000"};

static const struct type_name {
        const char *syncml, *aauth;
} names[] = {
        [ODM_AUTH_NONE] = {"", ""},
        [ODM_AUTH_BASIC] = {"syncml:auth-basic", "BASIC"},
        [ODM_AUTH_MD5] = {"syncml:auth-md5", "DIGEST"},
        [ODM_AUTH_MAC] = {"syncml:auth-MAC", "HMAC"},
        [ODM_AUTH_OTHER] = {"?", "?"},
};

const char *odm_auth_name(odm_auth_type t)
{
        return (size_t)t < ODM_COUNT(names) ? names[t].syncml : "?";
}

const char *odm_auth_aauth(odm_auth_type t)
{
        return (size_t)t < ODM_COUNT(names) ? names[t].aauth : "?";
}

odm_auth_type odm_auth_parse(odm_str name)
{
        name = odm_str_trim(name);
        if (name.n == 0)
                return ODM_AUTH_NONE;
        for (int t = ODM_AUTH_BASIC; t < ODM_AUTH_OTHER; t++)
                if (odm_str_ieq(name, names[t].syncml) || odm_str_ieq(name, names[t].aauth))
                        return (odm_auth_type)t;
        return ODM_AUTH_OTHER;
}

int odm_nonce_new(const odm_rng *rng, odm_nonce *out)
{
        odm_nonce fresh = {.n = NONCE_FRESH};

        if (rng->fill(rng->ctx, fresh.p, NONCE_FRESH) < 0)
                return ODM_EIO;
        *out = fresh;
        return 0;
}

int odm_nonce_parse(odm_str b64, odm_nonce *out)
{
        struct base64_decode_ctx ctx;
        uint8_t octets[BASE64_DECODE_LENGTH(NONCE_TEXT_MAX)];
        size_t n = sizeof octets;

        if (b64.n > NONCE_TEXT_MAX)
                return ODM_EMALFORMED;
        base64_decode_init(&ctx);
        if (!base64_decode_update(&ctx, &n, octets, b64.n, b64.p) || !base64_decode_final(&ctx) ||
            n > ODM_NONCE_MAX)
                return ODM_EMALFORMED;
        *out = (odm_nonce){.n = (uint8_t)n};
        memcpy(out->p, octets, n);
        return 0;
}

odm_str odm_nonce_view(const odm_nonce *n)
{
        return (odm_str){(const char *)n->p, n->n};
}
