/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what the fuzz targets of this room share. */
#ifndef TREE_FUZZ_H
#define TREE_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "odm/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void *fuzz_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

static const odm_mem fuzz_heap = {fuzz_resize, NULL};

#define MUST(cond)                                                                 \
        do {                                                                       \
                if (!(cond)) {                                                     \
                        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
                        abort();                                                   \
                }                                                                  \
        } while (0)

#endif
