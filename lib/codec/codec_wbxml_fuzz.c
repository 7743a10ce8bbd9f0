/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a message in WBXML: see oracle.h for what must hold. */
#include "oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
        (void)oracle_msg(&odm_codec_wbxml, (odm_str){(const char *)p, n});
        return 0;
}
