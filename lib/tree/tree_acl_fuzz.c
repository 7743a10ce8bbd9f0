/* SPDX-License-Identifier: Apache-2.0 */
/* A good list without a server is a good list, and grants that server nothing by name. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        size_t n = size ? data[0] % 9 : 0;
        odm_arena a;

        if (size < 1 + n)
                return 0;
        odm_str server = {(const char *)data + 1, n};
        odm_str acl = {(const char *)data + 1 + n, size - 1 - n};
        bool good = odm_acl_check(acl) == 0;
        odm_arena_init(&a, &fuzz_heap, 1 << 20);
        odm_str left = odm_acl_without(&a, acl, server);
        if (good && n && !odm_str_is(server, "*")) {
                MUST(odm_acl_check(left) == 0);
                for (unsigned access = 1; access <= ODM_ACC_REPLACE; access *= 2)
                        if (odm_acl_allows(left, access, server))
                                MUST(odm_acl_allows(left, access, ODM_STR("\x01none")));
        }
        odm_arena_done(&a);
        return 0;
}
