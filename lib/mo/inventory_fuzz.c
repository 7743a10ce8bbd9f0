/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a selector over any facts; what the check refuses fits nothing. */
#include "odm/inventory.h"

#include <stdlib.h>

#define MUST(x)                  \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        const char *p = (const char *)data;
        size_t half = n / 2;
        const odm_str selector = {p, half}, rest = {p ? p + half : p, n - half};
        const odm_inv_facts f = {.id = rest, .man = rest, .state = ODM_INV_ACTIVE};
        int rc;

        if (n == 0 || n > 4096)
                return 0;
        rc = odm_inv_selector_check(selector);
        MUST(rc == 0 || rc == ODM_EMALFORMED || rc == ODM_ELIMIT);
        MUST(rc == 0 || !odm_inv_matches(&f, selector));
        MUST(odm_inv_glob(rest, ODM_STR("*")));
        MUST(odm_inv_glob(rest, rest));
        return 0;
}
