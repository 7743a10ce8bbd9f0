/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a record: refused without a trace, or loaded to a state that dumps and loads to
 * itself. */
#include "fixture.h"
#include "fuzz.h"

static odm_tree *open_tree(void)
{
        odm_tree_opt o;
        odm_tree *t = NULL;

        odm_tree_opt_init(&o, &fuzz_heap);
        MUST(odm_tree_new(&o, &t) == 0);
        MUST(odm_tree_mount(t, NULL, &lab_provider) == 0);
        MUST(odm_tree_mount(t, NULL, &lab_accounts) == 0);
        return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        odm_tree *x = open_tree(), *y = open_tree();
        odm_buf before, after, again;

        odm_buf_init(&before, &fuzz_heap, SIZE_MAX / 2);
        odm_buf_init(&after, &fuzz_heap, SIZE_MAX / 2);
        odm_buf_init(&again, &fuzz_heap, SIZE_MAX / 2);
        MUST(odm_tree_dump(x, &before) == 0);
        int rc = odm_tree_load(x, (odm_str){(const char *)data, size});
        MUST(odm_tree_dump(x, &after) == 0);
        if (rc < 0)
                MUST(odm_str_eq(odm_buf_view(&before), odm_buf_view(&after)));
        MUST(odm_tree_load(y, odm_buf_view(&after)) == 0);
        MUST(odm_tree_dump(y, &again) == 0);
        MUST(odm_str_eq(odm_buf_view(&after), odm_buf_view(&again)));
        odm_buf_done(&before);
        odm_buf_done(&after);
        odm_buf_done(&again);
        odm_tree_free(x);
        odm_tree_free(y);
        return 0;
}
