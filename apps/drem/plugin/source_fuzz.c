/* SPDX-License-Identifier: Apache-2.0 */
/* What busctl prints comes from any service: a value within its limits, or refused and nothing. */
#include <stdlib.h>

#include "heap.h"
#include "source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const odm_str text = {(const char *)data, size};
        odm_buf b;

        odm_buf_init(&b, &heap_mem, SOURCE_MOST);
        if (source_property(text, &b) < 0 ? b.n != 0 : b.n > SOURCE_MOST)
                abort();
        if (source_fits(ODM_FMT_INT, text) && !source_fits(ODM_FMT_FLOAT, text))
                abort();
        odm_buf_done(&b);
        return 0;
}
