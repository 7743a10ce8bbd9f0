/* SPDX-License-Identifier: Apache-2.0 */
/* Compact octets for result items and the tree mirror. */
#include <assert.h>
#include <string.h>

#include "engine.h"
#include "pack.h"

size_t pack_size_u64(uint64_t v)
{
        size_t n = 1;

        while (v >>= 7)
                n++;
        return n;
}

size_t pack_size_str(odm_str s)
{
        return s.p ? pack_size_u64((uint64_t)s.n + 1) + s.n : 1;
}

char *pack_u64(char *p, uint64_t v)
{
        for (; v > 0x7f; v >>= 7)
                *p++ = (char)(v | 0x80);
        *p++ = (char)v;
        return p;
}

char *pack_str(char *p, odm_str s)
{
        if (s.p == NULL)
                return pack_u64(p, 0);
        p = pack_u64(p, (uint64_t)s.n + 1);
        memcpy(p, s.p, s.n);
        return p + s.n;
}

uint64_t unpack_u64(unpack *u)
{
        uint64_t v = 0;

        for (unsigned shift = 0; shift < 64; shift += 7) {
                if (u->p == u->end)
                        break;
                uint8_t c = (uint8_t)*u->p++;
                v |= (uint64_t)(c & 0x7f) << shift;
                if (c < 0x80)
                        return v;
        }
        u->bad = true;
        return 0;
}

odm_str unpack_str(unpack *u)
{
        uint64_t n = unpack_u64(u);

        if (n == 0)
                return ODM_ABSENT;
        if (n - 1 > (uint64_t)(u->end - u->p)) {
                u->bad = true;
                return ODM_ABSENT;
        }
        odm_str s = {u->p, (size_t)(n - 1)};
        u->p += s.n;
        return s;
}

/* ---- the items of a result ------------------------------------------------- */

int pack_values(const store_value *v, size_t n, odm_arena *a, odm_str *out)
{
        size_t size = pack_size_u64(n);
        char *block, *p;

        for (size_t i = 0; i < n; i++)
                size += pack_size_str(v[i].uri) + pack_size_str(v[i].format) +
                        pack_size_str(v[i].type) + pack_size_str(v[i].data);
        block = odm_arena_get(a, size);
        if (block == NULL)
                return odm_arena_err(a);
        p = pack_u64(block, n);
        for (size_t i = 0; i < n; i++) {
                p = pack_str(p, v[i].uri);
                p = pack_str(p, v[i].format);
                p = pack_str(p, v[i].type);
                p = pack_str(p, v[i].data);
        }
        assert((size_t)(p - block) == size);
        *out = (odm_str){block, size};
        return 0;
}

int unpack_values(odm_str blob, odm_arena *a, store_value **out, size_t *out_n)
{
        unpack u = {blob.p, blob.p + blob.n, false};
        uint64_t n = blob.n ? unpack_u64(&u) : 0;
        store_value *v = NULL;

        if (u.bad || n > blob.n)
                return ODM_EIO;
        if (n) {
                v = odm_arena_zget(a, (size_t)n * sizeof *v);
                if (v == NULL)
                        return odm_arena_err(a);
        }
        for (uint64_t i = 0; i < n; i++) {
                v[i].uri = unpack_str(&u);
                v[i].format = unpack_str(&u);
                v[i].type = unpack_str(&u);
                v[i].data = unpack_str(&u);
        }
        if (u.bad)
                return ODM_EIO;
        *out = v;
        *out_n = (size_t)n;
        return 0;
}
