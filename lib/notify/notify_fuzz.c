/* SPDX-License-Identifier: Apache-2.0 */
/* A datagram from anybody: what unwraps and parses is made again to the same octets behind
 * the digest (future-use bits aside), and is never taken for genuine. */
#include <stdlib.h>
#include <string.h>

#include "odm/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

static const odm_mem heap = {resize, NULL};

static void check_round_trip(odm_str in, const odm_notification *n, const odm_secret *s,
                             const odm_nonce *nonce)
{
        odm_buf b;
        const uint8_t *p = (const uint8_t *)in.p;
        bool future = (p[17] & 7) || p[18] || p[19] || p[20];

        odm_buf_init(&b, &heap, 2 * ODM_NOTIFY_MAX);
        if (odm_notify_make(n, s, nonce, &b) < 0)
                abort();
        if (!future && !odm_str_eq(odm_str_from(odm_buf_view(&b), 16), odm_str_from(in, 16)))
                abort();
        if (odm_notify_verify(odm_buf_view(&b), s, nonce) != ODM_NOTIFY_GOOD)
                abort();
        odm_buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        odm_str in = {(const char *)data, size}, package0;
        odm_notification n;
        odm_secret s;
        const odm_nonce nonce = {.n = 4, .p = {1, 2, 3, 4}};

        odm_secret_of(ODM_STR("srv1"), ODM_STR("a password nobody guesses"), &s);
        if (odm_wsp_unwrap(in, &package0) < 0)
                return 0;
        if (odm_notify_parse(package0, &n) < 0)
                abort();
        if (odm_notify_verify(package0, &s, &nonce) != ODM_NOTIFY_FORGED)
                abort();
        check_round_trip(package0, &n, &s, &nonce);
        return 0;
}
