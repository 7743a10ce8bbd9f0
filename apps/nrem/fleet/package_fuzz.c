/* SPDX-License-Identifier: Apache-2.0 */
/* A path as a stranger asks for it: refused, or made of what it was read as. */
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "package.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        const store_device d = {.reached = ODM_STR("http://a")};
        odm_str in = {(const char *)data, n}, link;
        package_path path;
        bool signature = true;
        odm_arena a;

        if (!package_path_read(in, &path))
                return 0;
        const package p = {
                .id = path.id, .state = PACKAGE_READY, .sha256 = path.sha256, .file = path.file};
        odm_arena_init(&a, &heap_mem, 1 << 16);
        link = package_link(&p, &d, ODM_ABSENT, &a);
        if (!package_path_is(&path, &p, &signature) || signature ||
            !package_path_read(odm_str_from(link, d.reached.n), &path) || path.id != p.id)
                abort();
        odm_arena_done(&a);
        return 0;
}
