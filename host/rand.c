/* SPDX-License-Identifier: Apache-2.0 */
/* rand.c - getrandom(2); see rand.h. */
#include "rand.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_bytes(void *p, size_t n)
{
        uint8_t *at = p;

        while (n > 0) {
                ssize_t got = getrandom(at, n > 256 ? 256 : n, 0);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0) /* no kernel we run on: going on would make guessable secrets */
                        abort();
                at += got;
                n -= (size_t)got;
        }
}

static int rand_fill(void *ctx, void *p, size_t n)
{
        (void)ctx;
        rand_bytes(p, n);
        return 0;
}

const odm_rng rand_rng = {.fill = rand_fill};

uint64_t rand_below(uint64_t n)
{
        uint64_t v, skip;

        assert(n > 0);
        skip = (0 - n) % n; /* 2^64 mod n: values below it would weigh the low results */
        do
                rand_bytes(&v, sizeof v);
        while (v < skip);
        return v % n;
}

void rand_hex(char *out, size_t n)
{
        static const char digits[] = "0123456789abcdef";
        uint8_t some[32];

        while (n > 0) { /* a call to the kernel is dearer than what it gives */
                size_t now = n < sizeof some ? n : sizeof some;
                rand_bytes(some, now);
                for (size_t i = 0; i < now; i++) {
                        *out++ = digits[some[i] >> 4];
                        *out++ = digits[some[i] & 15];
                }
                n -= now;
        }
        *out = 0;
        odm_wipe(some, sizeof some);
}
