/* SPDX-License-Identifier: Apache-2.0 */
/* The MAC header of a stranger: what parses is written and parses to the same again, and
 * the verifier never takes it. */
#include <stdlib.h>
#include <string.h>

#include "odm/auth.h"

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

static int fill(void *ctx, void *p, size_t n)
{
        (void)ctx;
        memset(p, 7, n);
        return 0;
}

static const odm_mem heap = {resize, NULL};
static const odm_rng rng = {fill, NULL};

static void check_round_trip(const odm_mac *m)
{
        odm_buf b;
        odm_mac again;

        odm_buf_init(&b, &heap, 1 << 20);
        if (odm_mac_format(&b, m) == 0 && !odm_str_has(m->mac, ' ') && !odm_str_has(m->mac, ',')) {
                if (odm_mac_parse(odm_buf_view(&b), &again) < 0 ||
                    !odm_str_eq(again.user, m->user) || !odm_str_eq(again.mac, m->mac) ||
                    again.alg != m->alg)
                        abort();
        }
        odm_buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        odm_str in = {(const char *)data, size};
        odm_mac m;
        odm_arena a;
        odm_check check;
        odm_verifier v = {.type = ODM_AUTH_MAC,
                          .user = ODM_STR("dev-0001"),
                          .password = ODM_STR("a password nobody guesses")};

        if (odm_mac_parse(in, &m) == 0)
                check_round_trip(&m);
        odm_arena_init(&a, &heap, 1 << 20);
        if (size > 0 &&
            odm_verifier_check(&v, ODM_ABSENT, NULL, in, ODM_STR("body"), &rng, &a, &check) == 0 &&
            check.ok)
                abort();
        odm_arena_done(&a);
        return 0;
}
