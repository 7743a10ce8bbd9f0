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

        for (size_t i = 0; i < n; i++) {
                uint8_t c;
                rand_bytes(&c, 1);
                *out++ = digits[c >> 4];
                *out++ = digits[c & 15];
        }
        *out = 0;
}
