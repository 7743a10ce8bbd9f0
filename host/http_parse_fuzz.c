/* SPDX-License-Identifier: Apache-2.0 */
/* http_parse_fuzz.c - a stranger's response, whole and in two pieces, must mean the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int run(http_parse *p, odm_str in, size_t cut, size_t *used)
{
        size_t more = 0;
        int rc = http_parse_feed(p, odm_str_to(in, cut), used);

        if (rc != 0)
                return rc;
        rc = http_parse_feed(p, odm_str_from(in, cut), &more);
        *used += more;
        return rc;
}

/* Fields of ranges: what is taken lies within the size. */
static void run_ranges(odm_str in, uint64_t size)
{
        uint64_t first = 0, part = 0, all = 0;

        if (http_range(in, size, &first, &part) == 1 &&
            (part == 0 || first >= size || part > size - first))
                abort();
        if (http_content_range(in, &first, &part, &all) == 0 && (first > all || part > all - first))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        const http_limits lim = {.max_head = 512, .max_fields = 8, .max_body = 512};
        http_parse a, b;
        size_t used_a = 0, used_b = 0, cut;
        odm_str in;
        int ra, rb;

        if (n < 1)
                return 0;
        in = (odm_str){(const char *)data + 1, n - 1};
        cut = data[0] < in.n ? data[0] : in.n;
        run_ranges(in, data[0]);
        http_parse_init(&a, &heap_mem, &lim);
        http_parse_init(&b, &heap_mem, &lim);
        ra = run(&a, in, in.n, &used_a);
        rb = run(&b, in, cut, &used_b);
        if ((ra < 0) != (rb < 0) || (ra >= 0 && (ra != rb || used_a != used_b)))
                abort();
        if (ra == 1 && (a.status != b.status || a.body.n != b.body.n ||
                        (a.body.n && memcmp(a.body.p, b.body.p, a.body.n) != 0)))
                abort();
        http_parse_done(&a);
        http_parse_done(&b);
        return 0;
}
