/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as links, query parameters and arguments: what is read can be written, and read again.
 */
#include <stdlib.h>

#include "odm/lwm2m.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void *resize(void *ctx, void *p, size_t old, size_t n)
{
        (void)ctx, (void)old;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
        odm_mem mem = {resize, NULL};
        odm_str in = {(const char *)p, n};
        odm_lw_arg args[ODM_LW_ARGS];
        odm_lw_links l, again;
        odm_lw_register r;
        odm_lw_attrs at = {0};
        unsigned cleared = 0;
        size_t n_args;
        odm_arena a;
        odm_buf b;

        odm_arena_init(&a, &mem, 4 << 20);
        odm_buf_init(&b, &mem, 4 << 20);
        if (odm_lw_links_parse(in, ODM_ABSENT, &a, &l) == 0 &&
            odm_lw_links_format(&l, true, &b) == 0 &&
            (odm_lw_links_parse(odm_buf_view(&b), l.root, &a, &again) < 0 || again.n != l.n))
                abort();
        if (odm_lw_args_parse(in, args, &n_args) == 0) {
                odm_buf_cut(&b, 0);
                if (odm_lw_args_format(args, n_args, &b) < 0 || !odm_str_eq(odm_buf_view(&b), in))
                        abort();
        }
        if (odm_lw_register_parse(&in, 1, true, &r) == 0 &&
            odm_lw_attrs_parse(in, &at, &cleared) == 0 && (at.has & cleared) != 0)
                abort();
        odm_buf_done(&b);
        odm_arena_done(&a);
        return 0;
}
