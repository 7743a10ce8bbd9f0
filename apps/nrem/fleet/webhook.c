/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#define X(f, k)                                     \
        {                                           \
#f, offsetof(webhook, f), FIELD_##k \
        }
static const field webhook_fields[] = {
        X(id, I64),       X(url, STR),       X(kinds, STR),    X(prefix, STR), X(secret, STR),
        X(enabled, BOOL), X(place, I64),     X(failures, U32), X(status, U32), X(error, STR),
        X(tried, I64),    X(delivered, I64), X(created, I64),  X(actor, STR),
};
#undef X
_Static_assert(ODM_COUNT(webhook_fields) == WEBHOOK_FIELDS, "a number for each field");

static const record record_webhook = {sizeof(webhook), webhook_fields, WEBHOOK_FIELDS};
const store_table table_webhook = {
        .name = "webhook", .rec = &record_webhook, .n_key = 1, .numbered = true};

bool webhook_wants(const webhook *w, odm_str kind)
{
        odm_str rest = w->kinds;

        if (rest.n == 0)
                return true;
        while (rest.n) {
                size_t n = 0;

                while (n < rest.n && rest.p[n] != ' ')
                        n++;
                if (n && n <= kind.n && memcmp(rest.p, kind.p, n) == 0)
                        return true;
                rest = odm_str_from(rest, n + 1);
        }
        return false;
}

int64_t webhook_wait(uint32_t failures, uint32_t random)
{
        int64_t ms = WEBHOOK_FIRST_MS;

        for (uint32_t i = 1; i < failures && ms < WEBHOOK_LONGEST_MS; i++)
                ms *= 2;
        if (ms > WEBHOOK_LONGEST_MS)
                ms = WEBHOOK_LONGEST_MS;
        return ms + random % (ms / 4);
}

int webhook_sign(odm_str secret, int64_t time_s, odm_str body, char out[WEBHOOK_SIGNATURE])
{
        uint8_t digest[32];
        gnutls_hmac_hd_t h;
        char time[24];
        int n = snprintf(time, sizeof time, "%lld.", (long long)time_s);

        if (gnutls_hmac_init(&h, GNUTLS_MAC_SHA256, secret.p, secret.n) < 0)
                return ODM_EIO;
        if (gnutls_hmac(h, time, (size_t)n) < 0 || gnutls_hmac(h, body.p, body.n) < 0) {
                gnutls_hmac_deinit(h, NULL);
                return ODM_EIO;
        }
        gnutls_hmac_deinit(h, digest);
        (void)snprintf(out, WEBHOOK_SIGNATURE, "sha256=");
        for (size_t i = 0; i < sizeof digest; i++)
                (void)snprintf(out + 7 + 2 * i, 3, "%02x", digest[i]);
        return 0;
}
