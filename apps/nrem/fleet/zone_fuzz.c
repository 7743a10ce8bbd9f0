/* SPDX-License-Identifier: Apache-2.0 */
/* A file of zones of any octets: refused, or local time is within a day of UTC at any moment. */
#include <stdlib.h>
#include <string.h>

#include "zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        const zone_window w = {ZONE_DAYS, 120, 300};
        int64_t edge, t = 0;
        zone z;

        if (n < sizeof t || zone_parse((odm_str){(const char *)data + 8, n - 8}, &z) < 0)
                return 0;
        memcpy(&t, data, sizeof t);
        t %= 4000000000;
        if (zone_offset(&z, t) < -26 * 3600 || zone_offset(&z, t) > 26 * 3600)
                abort();
        (void)zone_open(&z, &w, 1, t * 1000, &edge);
        return 0;
}
