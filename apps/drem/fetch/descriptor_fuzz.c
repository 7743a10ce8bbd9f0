/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors come from any server: read cleanly or refused, and what was read has its limits. */
#include <stdlib.h>
#include <string.h>

#include "descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        descriptor d, kept;

        memset(&d, 0x5a, sizeof d);
        kept = d;
        if (descriptor_parse((odm_str){(const char *)data, size}, &d) < 0) {
                if (memcmp(&d, &kept, sizeof d) != 0)
                        abort();
        } else if (!d.object[0] || memchr(d.object, 0, sizeof d.object) == NULL ||
                   memchr(d.notify, 0, sizeof d.notify) == NULL) {
                abort();
        }
        return 0;
}
