/* SPDX-License-Identifier: Apache-2.0 */
/* Packages come from any server: their heads are read cleanly or refused. */
#include <stdlib.h>
#include <string.h>

#include "image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(odm_str s, const uint8_t *data, size_t size)
{
        const char *p = (const char *)data;

        return !s.p || (s.p >= p && s.p + s.n <= p + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        image m, kept;

        memset(&m, 0x5a, sizeof m);
        kept = m;
        if (image_read((odm_str){(const char *)data, size}, &m) < 0) {
                if (memcmp(&m, &kept, sizeof m) != 0)
                        abort();
        } else if (memchr(m.version, 0, sizeof m.version) == NULL ||
                   !is_within(m.model, data, size) || !is_within(m.hardware, data, size)) {
                abort();
        }
        return 0;
}
