/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a DDF or TNDS document, and as XML to lay out: see oracle.h. */
#include <stdlib.h>

#include "oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void *heap_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx, (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
        static const odm_mem mem = {heap_resize, NULL};
        odm_str in = {(const char *)p, n};
        odm_buf once, twice;

        (void)oracle_doc(in);
        odm_buf_init(&once, &mem, 1 << 26);
        odm_buf_init(&twice, &mem, 1 << 26);
        if (odm_xml_pretty(in, NULL, &once) == 0)
                if (odm_xml_pretty(odm_buf_view(&once), NULL, &twice) == ODM_EMALFORMED)
                        abort(); /* what it lays out is XML */
        odm_buf_done(&twice);
        odm_buf_done(&once);
        return 0;
}
