/* SPDX-License-Identifier: Apache-2.0 */
/* Any octets as a definition of objects: what is taken is in order. */
#include <stdlib.h>

#include "odm/lwm2m.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static size_t objects(const odm_lw_registry *r)
{
        size_t n = 0;

        for (const odm_lw_object *o = odm_lw_object_next(r, NULL); o; o = odm_lw_object_next(r, o))
                n++;
        return n;
}

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
        odm_lw_registry *r;
        const char *why;
        const odm_lw_object *last = NULL;

        if (odm_lw_registry_new(&mem, &r) < 0)
                return 0;
        size_t before = objects(r);
        if (odm_lw_registry_load(r, (odm_str){(const char *)p, n}, NULL, &why) < 0 &&
            objects(r) != before)
                abort(); /* nothing was to be taken */
        for (const odm_lw_object *o = odm_lw_object_next(r, NULL); o;
             o = odm_lw_object_next(r, o)) {
                if (last && last->id >= o->id)
                        abort();
                for (size_t i = 1; i < o->n; i++)
                        if (o->v[i - 1].id >= o->v[i].id)
                                abort();
                last = o;
        }
        odm_lw_registry_free(r);
        return 0;
}
