/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a document of values: refused, or its values can be written and are read again. */
#include "odm/values.h"

#include <stdlib.h>
#include <string.h>

#define MUST(x)                  \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void *on_heap(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n)
                return realloc(p, n);
        free(p);
        return NULL;
}

static const odm_mem mem = {on_heap, NULL};

static int count(void *ctx, const odm_values_row *row)
{
        MUST(row->key.n && row->uri.n && row->value.n <= ODM_VALUES_TEXT);
        ++*(size_t *)ctx;
        return 0;
}

static int rewrite(void *ctx, const odm_values_row *row)
{
        int rc = odm_values_add(ctx, row);

        MUST(rc == 0 || rc == ODM_EINVAL || rc == ODM_ELIMIT);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        const odm_str in = {n ? (const char *)data : "", n};
        odm_values *v = NULL;
        size_t written, seen = 0;
        odm_buf doc;

        if (odm_values_new(&mem, 1 << 16, &v) < 0)
                return 0;
        odm_buf_init(&doc, &mem, 1 << 16);
        MUST(odm_values_read(in, &mem, rewrite, v) <= 0);
        written = odm_values_count(v);
        if (written) { /* else there is no base */
                MUST(odm_values_take(v, &doc) == 0);
                MUST(odm_values_read(odm_buf_view(&doc), &mem, count, &seen) == 0);
                MUST(seen == written);
        }
        odm_buf_done(&doc);
        odm_values_free(v);
        return 0;
}
