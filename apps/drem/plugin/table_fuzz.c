/* SPDX-License-Identifier: Apache-2.0 */
/* Table files come from many hands: refused with a reason, or made into a description that holds.
 */
#include <stdlib.h>

#include "heap.h"
#include "table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *why = NULL;
        odm_doc *doc = NULL;
        table *t = NULL;
        diag d = {{0}};
        odm_arena a;
        odm_mo mo;

        if (table_parse((odm_str){(const char *)data, size}, "f.table", &t, &d) < 0) {
                if (t || !d.text[0])
                        abort();
                return 0;
        }
        odm_arena_init(&a, &heap_mem, (size_t)16 << 20);
        if (table_describe(t, &a, &doc) < 0 || odm_mo_from_doc(doc->nodes, &a, &mo, &why) < 0)
                abort();
        for (size_t i = 0; i < t->n; i++)
                if (!odm_mo_find(&mo, odm_cstr(t->node[i].at)))
                        abort();
        odm_arena_done(&a);
        table_free(t);
        return 0;
}
