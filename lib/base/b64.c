/* SPDX-License-Identifier: Apache-2.0 */
#include <nettle/base64.h>

#include "odm/base.h"

odm_str odm_b64_encode(odm_arena *a, odm_str octets)
{
        size_t n = odm_b64_size(octets.n);
        char *p = odm_arena_get(a, n + 1);

        if (p == NULL)
                return ODM_ABSENT;
        base64_encode_raw(p, octets.n, (const uint8_t *)octets.p);
        p[n] = '\0';
        return (odm_str){p, n};
}

int odm_b64_decode(odm_arena *a, odm_str text, odm_str *out)
{
        struct base64_decode_ctx ctx;
        size_t n = BASE64_DECODE_LENGTH(text.n);
        uint8_t *p = odm_arena_get(a, n + 1);

        if (p == NULL)
                return odm_arena_err(a);
        base64_decode_init(&ctx);
        if (!base64_decode_update(&ctx, &n, p, text.n, text.p) || !base64_decode_final(&ctx))
                return ODM_EMALFORMED;
        *out = (odm_str){(char *)p, n};
        return 0;
}
