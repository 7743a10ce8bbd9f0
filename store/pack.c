/* SPDX-License-Identifier: Apache-2.0 */
/* Compact octets for result items, messages and the tree mirror. */
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

/* ---- the messages of a session ----------------------------------------------- */

static size_t message_size(const store_message *m)
{
        return pack_size_u64((uint64_t)m->at) + 1 + pack_size_str(m->mime) +
               pack_size_str(m->hmac) + pack_size_u64(m->size) + pack_size_str(m->bytes);
}

static char *pack_message(char *p, const store_message *m)
{
        p = pack_u64(p, (uint64_t)m->at);
        *p++ = (char)m->out;
        p = pack_str(p, m->mime);
        p = pack_str(p, m->hmac);
        p = pack_u64(p, m->size);
        return pack_str(p, m->bytes);
}

static store_message unpack_message(unpack *u)
{
        store_message m = {.at = (int64_t)unpack_u64(u)};

        m.out = unpack_u64(u) != 0;
        m.mime = unpack_str(u);
        m.hmac = unpack_str(u);
        m.size = unpack_u64(u);
        m.bytes = unpack_str(u);
        return m;
}

static int count_messages(odm_str log, size_t *bytes, size_t *n)
{
        unpack u = {log.p, log.p + log.n, false};

        for (*bytes = *n = 0; u.p < u.end; ++*n)
                *bytes += unpack_message(&u).bytes.n;
        return u.bad ? ODM_EIO : 0;
}

int pack_messages(odm_str log, const store_message *v, size_t n, size_t most, odm_arena *a,
                  odm_str *out)
{
        size_t size = log.n, bytes = 0, before = 0;
        char *block, *p;
        int rc = log.n ? count_messages(log, &bytes, &before) : 0;

        if (rc < 0)
                return rc;
        for (size_t i = 0; i < n; i++)
                size += message_size(&v[i]) + 10; /* where `size` takes the place of octets */
        block = odm_arena_get(a, size + 1);
        if (block == NULL)
                return odm_arena_err(a);
        if (log.n)
                memcpy(block, log.p, log.n);
        p = block + log.n;
        for (size_t i = 0; i < n; i++) {
                store_message m = v[i];
                if (m.size == 0)
                        m.size = m.bytes.n;
                if (m.bytes.p && m.bytes.n > (bytes < most ? most - bytes : 0))
                        m.bytes = ODM_ABSENT;
                bytes += m.bytes.n;
                p = pack_message(p, &m);
        }
        assert((size_t)(p - block) <= size);
        *out = (odm_str){block, (size_t)(p - block)};
        return 0;
}

int unpack_messages(odm_str log, odm_arena *a, store_message_list *out)
{
        unpack u = {log.p, log.p + log.n, false};
        store_message_list l = {0};
        size_t bytes, n;
        int rc = log.n ? count_messages(log, &bytes, &n) : 0;

        if (rc < 0 || log.n == 0) {
                if (rc == 0)
                        *out = l;
                return rc;
        }
        l.v = odm_arena_zget(a, n * sizeof *l.v);
        if (l.v == NULL)
                return odm_arena_err(a);
        for (; l.n < n; l.n++) {
                l.v[l.n] = unpack_message(&u);
                l.v[l.n].n = (uint32_t)l.n + 1;
        }
        *out = l;
        return 0;
}
