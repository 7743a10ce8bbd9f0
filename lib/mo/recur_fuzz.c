/* SPDX-License-Identifier: Apache-2.0 */
/* Rules come from any server: "BASE RULE".  What is taken gives times that grow, and that are found
 * again from just before them. */
#include <stdlib.h>
#include <string.h>

#include "odm/recur.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int32_t summer(void *ctx, odm_wall at) /* from the 90th to the 300th day of 365 */
{
        int64_t day = at.s / 86400 % 365;

        (void)ctx;
        return day >= 90 && day < 300 ? 7200 : 3600;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const odm_zone z = {.offset = summer};
        const char *space = size ? memchr(data, ' ', size) : NULL;
        odm_str in = {(const char *)data, size}, base_text = in, rule_text = ODM_ABSENT;
        odm_recur rule = {.freq = ODM_FREQ_ONCE};
        odm_moment base;
        odm_wall after, at, again;

        if (space) {
                base_text = odm_str_to(in, (size_t)(space - in.p));
                rule_text = odm_str_from(in, base_text.n + 1);
        }
        if (odm_moment_parse(base_text, &base) < 0 ||
            (rule_text.p && odm_recur_parse(rule_text, &rule) < 0))
                return 0;
        after = (odm_wall){odm_moment_wall(base, &z).s - 1};
        for (int i = 0; i < 4 && odm_recur_next(&rule, base, &z, after, &at) == 1; i++) {
                if (at.s <= after.s ||
                    odm_recur_next(&rule, base, &z, (odm_wall){at.s - 1}, &again) != 1 ||
                    again.s != at.s)
                        abort();
                after = at;
        }
        return 0;
}
