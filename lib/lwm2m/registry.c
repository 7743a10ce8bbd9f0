/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of objects: those built in, and over them those of definition documents. */
#include <assert.h>
#include <string.h>

#include "registry.h"

#define ARENA_MAX ((size_t)16 << 20)

int odm_lw_registry_new(const odm_mem *mem, odm_lw_registry **out)
{
        odm_lw_registry *r = odm_alloc(mem, sizeof *r);

        if (r == NULL)
                return ODM_ENOMEM;
        r->mem = mem;
        odm_arena_init(&r->text, mem, ARENA_MAX);
        *out = r;
        return 0;
}

void odm_lw_registry_free(odm_lw_registry *r)
{
        if (r == NULL)
                return;
        odm_arena_done(&r->text);
        odm_free(r->mem, r->v, r->cap * sizeof *r->v);
        odm_free(r->mem, r, sizeof *r);
}

void odm_lw_registry_swap(odm_lw_registry *a, odm_lw_registry *b)
{
        odm_lw_registry was = *a;

        *a = *b;
        *b = was;
}

/* Where object `id` is in a table by rising id, or would go. */
static size_t place(const odm_lw_object *v, size_t n, uint16_t id)
{
        size_t low = 0;

        while (low < n) {
                size_t mid = low + (n - low) / 2;
                if (v[mid].id < id)
                        low = mid + 1;
                else
                        n = mid;
        }
        return low;
}

const odm_lw_object *odm_lw_object_find(const odm_lw_registry *r, uint16_t id)
{
        size_t i = r ? place(r->v, r->n, id) : 0;

        if (r && i < r->n && r->v[i].id == id)
                return &r->v[i];
        i = place(odm_lw_builtin, odm_lw_builtin_n, id);
        return i < odm_lw_builtin_n && odm_lw_builtin[i].id == id ? &odm_lw_builtin[i] : NULL;
}

const odm_lw_object *odm_lw_object_next(const odm_lw_registry *r, const odm_lw_object *after)
{
        uint16_t id = after ? (uint16_t)(after->id + 1) : 0;
        size_t i = place(odm_lw_builtin, odm_lw_builtin_n, id), k = r ? place(r->v, r->n, id) : 0;
        const odm_lw_object *own = r && k < r->n ? &r->v[k] : NULL;
        const odm_lw_object *built = i < odm_lw_builtin_n ? &odm_lw_builtin[i] : NULL;

        if (own && (built == NULL || own->id <= built->id))
                return own;
        return built;
}

const odm_lw_resource *odm_lw_resource_find(const odm_lw_registry *r, uint16_t object, uint16_t id)
{
        const odm_lw_object *o = odm_lw_object_find(r, object);
        size_t low = 0, high = o ? o->n : 0;

        while (low < high) {
                size_t mid = low + (high - low) / 2;
                if (o->v[mid].id == id)
                        return &o->v[mid];
                if (o->v[mid].id < id)
                        low = mid + 1;
                else
                        high = mid;
        }
        return NULL;
}

odm_lw_type odm_lw_type_at(const odm_lw_registry *r, odm_lw_path p)
{
        const odm_lw_resource *res =
                p.depth >= 3 ? odm_lw_resource_find(r, p.id[0], p.id[2]) : NULL;

        return res ? res->type : ODM_LW_T_UNKNOWN;
}

/* "1.2" against "1.10", part by part. */
static int version_cmp(odm_str a, odm_str b)
{
        for (;;) {
                uint64_t x = 0, y = 0;
                while (a.n > 0 && a.p[0] != '.') {
                        x = x * 10 + (uint64_t)(a.p[0] - '0');
                        a = odm_str_from(a, 1);
                }
                while (b.n > 0 && b.p[0] != '.') {
                        y = y * 10 + (uint64_t)(b.p[0] - '0');
                        b = odm_str_from(b, 1);
                }
                if (x != y)
                        return x < y ? -1 : 1;
                if (a.n == 0 && b.n == 0)
                        return 0;
                a = odm_str_from(a, 1);
                b = odm_str_from(b, 1);
        }
}

int odm_lw_registry_room(odm_lw_registry *r, size_t n)
{
        size_t cap = r->cap ? r->cap : 16;

        if (n > ODM_LW_OBJECTS_MAX - r->n)
                return ODM_ELIMIT;
        while (cap < r->n + n)
                cap *= 2;
        if (cap == r->cap)
                return 0;
        odm_lw_object *v = r->mem->resize(r->mem->ctx, r->v, r->cap * sizeof *v, cap * sizeof *v);
        if (v == NULL)
                return ODM_ENOMEM;
        r->v = v;
        r->cap = cap;
        return 0;
}

void odm_lw_registry_put(odm_lw_registry *r, const odm_lw_object *o)
{
        const odm_lw_object *old = odm_lw_object_find(r, o->id);
        size_t i = place(r->v, r->n, o->id);

        if (old && version_cmp(o->version, old->version) < 0)
                return;
        if (i < r->n && r->v[i].id == o->id) {
                r->v[i] = *o;
                return;
        }
        assert(r->n < r->cap);
        memmove(&r->v[i + 1], &r->v[i], (r->n - i) * sizeof *r->v);
        r->v[i] = *o;
        r->n++;
}
