/* SPDX-License-Identifier: Apache-2.0 */
/* heap.c - malloc as an odm_mem; see heap.h. */
#include "heap.h"

#include <stdlib.h>

static void *heap_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

const odm_mem heap_mem = {.resize = heap_resize};
