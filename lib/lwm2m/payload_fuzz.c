/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a payload of any format: what is read can be written, and read the same again. */
#include <stdlib.h>
#include <string.h>

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

/* The next node with a value: one without says that something is there, which what is below it says
 * as well, so that it may be left out. */
static size_t valued(const odm_lw_list *l, size_t i)
{
        while (i < l->n && l->v[i].value.type == ODM_LW_T_NONE)
                i++;
        return i;
}

static bool same(const odm_lw_list *x, const odm_lw_list *y)
{
        size_t i = valued(x, 0), k = valued(y, 0);

        for (; i < x->n && k < y->n; i = valued(x, i + 1), k = valued(y, k + 1))
                if (!odm_lw_path_eq(x->v[i].path, y->v[k].path) ||
                    x->v[i].value.type != y->v[k].value.type ||
                    !odm_str_eq(x->v[i].value.data, y->v[k].value.data) ||
                    x->v[i].value.i != y->v[k].value.i)
                        return false;
        return i >= x->n && k >= y->n;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
        static const unsigned cts[] = {ODM_LW_TEXT, ODM_LW_OPAQUE,     ODM_LW_CBOR,
                                       ODM_LW_TLV,  ODM_LW_SENML_JSON, ODM_LW_SENML_CBOR,
                                       ODM_LW_JSON};
        static const odm_lw_path ats[] = {
                {0}, {1, {3}}, {2, {3, 0}}, {3, {3, 0, 9}}, {4, {3, 0, 6, 1}}};
        odm_mem mem = {resize, NULL};
        odm_lw_list l, again;
        odm_arena a;
        odm_buf b;

        if (n < 2)
                return 0;
        unsigned ct = cts[p[0] % ODM_COUNT(cts)];
        odm_lw_frame f = {.at = ats[p[1] % ODM_COUNT(ats)]};
        odm_arena_init(&a, &mem, 4 << 20);
        odm_buf_init(&b, &mem, 4 << 20);
        if (odm_lw_decode(&f, ct, (odm_str){(const char *)p + 2, n - 2}, &a, &l) == 0 &&
            odm_lw_encode(&f, ct, &l, &b) == 0 && (ct == ODM_LW_TLV || ct == ODM_LW_CBOR)) {
                if (odm_lw_decode(&f, ct, odm_buf_view(&b), &a, &again) < 0 || !same(&l, &again))
                        abort();
        }
        odm_buf_done(&b);
        odm_arena_done(&a);
        return 0;
}
