/* SPDX-License-Identifier: Apache-2.0 */
/* A URI that parses is made of good names that join to its path again, within its limits. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const odm_uri_limits lim = {.max_depth = 20, .max_tot_len = 200, .max_seg_len = 32};
        odm_str in = {(const char *)data, size};
        odm_uri u, strict;
        size_t n = 0;

        if (odm_uri_parse(in, NULL, &u) < 0) {
                MUST(odm_uri_parse(in, &lim, &strict) < 0);
                return 0;
        }
        for (size_t i = 0; i < u.depth; i++) {
                MUST(odm_name_ok(u.seg[i]));
                n += u.seg[i].n + (i > 0);
        }
        MUST(u.depth <= ODM_URI_SEGS && n == u.path.n);
        if (odm_uri_parse(in, &lim, &strict) == 0)
                MUST(strict.depth == u.depth && strict.depth <= lim.max_depth);
        return 0;
}
