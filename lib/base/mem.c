/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation, arenas and growable buffers over the allocator that was handed in. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "odm/base.h"

#define ALIGN 8
#define CHUNK_FIRST 1024
#define CHUNK_MOST 65536

struct odm_chunk {
        struct odm_chunk *older;
        size_t size;   /* octets of the whole chunk, this header included */
        bool borrowed; /* the caller's block */
};

#define HEAD ((sizeof(struct odm_chunk) + ALIGN - 1) / ALIGN * ALIGN)

void *odm_alloc(const odm_mem *m, size_t n)
{
        void *p = m->resize(m->ctx, NULL, 0, n ? n : 1);

        if (p)
                memset(p, 0, n);
        return p;
}

void odm_free(const odm_mem *m, void *p, size_t n)
{
        if (p)
                (void)m->resize(m->ctx, p, n ? n : 1, 0);
}

/* ---- arena --------------------------------------------------------------- */

void odm_arena_init(odm_arena *a, const odm_mem *m, size_t max)
{
        *a = (odm_arena){.mem = m, .max = max, .chunk = CHUNK_FIRST};
}

static void use_chunk(odm_arena *a, struct odm_chunk *c)
{
        c->older = a->chunks;
        a->chunks = c;
        a->at = (char *)c + HEAD;
        a->end = (char *)c + c->size;
}

void odm_arena_init_on(odm_arena *a, const odm_mem *m, size_t max, void *block, size_t n)
{
        size_t skip = (ALIGN - (uintptr_t)block % ALIGN) % ALIGN;

        odm_arena_init(a, m, max);
        if (n < skip + HEAD + ALIGN)
                return;
        struct odm_chunk *c = (struct odm_chunk *)((char *)block + skip);
        c->size = n - skip;
        c->borrowed = true;
        use_chunk(a, c);
}

static bool grow(odm_arena *a, size_t n)
{
        size_t size = a->chunk;

        if (n > a->max || a->used > a->max - n) {
                a->err = ODM_ELIMIT;
                return false;
        }
        if (size < n + HEAD)
                size = n + HEAD;
        if (size > a->max - a->used + HEAD)
                size = a->max - a->used + HEAD;
        if (size < n + HEAD)
                size = n + HEAD;
        struct odm_chunk *c = a->mem->resize(a->mem->ctx, NULL, 0, size);
        if (c == NULL) {
                a->err = ODM_ENOMEM;
                return false;
        }
        c->size = size;
        c->borrowed = false;
        a->used += size - HEAD;
        if (a->chunk < a->used / 4) /* a quarter of it all: few calls, little that stays unused */
                a->chunk = a->used / 4 < CHUNK_MOST ? a->used / 4 / ALIGN * ALIGN : CHUNK_MOST;
        use_chunk(a, c);
        return true;
}

void *odm_arena_get(odm_arena *a, size_t n)
{
        if (n > SIZE_MAX / 2) {
                a->err = ODM_ELIMIT;
                return NULL;
        }
        n = (n + ALIGN - 1) / ALIGN * ALIGN;
        if (n > (size_t)(a->end - a->at) && !grow(a, n))
                return NULL;
        void *p = a->at;
        a->at += n;
        return p;
}

void *odm_arena_zget(odm_arena *a, size_t n)
{
        void *p = odm_arena_get(a, n);

        if (p)
                memset(p, 0, n);
        return p;
}

odm_str odm_arena_copy(odm_arena *a, odm_str s)
{
        return odm_arena_join(a, s, ODM_ABSENT);
}

odm_str odm_arena_join(odm_arena *a, odm_str x, odm_str y)
{
        char *p;

        if (x.p == NULL && y.p == NULL)
                return ODM_ABSENT;
        p = odm_arena_get(a, x.n + y.n + 1);
        if (p == NULL)
                return ODM_ABSENT;
        if (x.n)
                memcpy(p, x.p, x.n);
        if (y.n)
                memcpy(p + x.n, y.p, y.n);
        p[x.n + y.n] = '\0';
        return (odm_str){p, x.n + y.n};
}

odm_str odm_arena_fmt(odm_arena *a, const char *fmt, ...)
{
        va_list ap;
        size_t room = (size_t)(a->end - a->at); /* where it goes if it fits */
        char *free_part = a->at;

        va_start(ap, fmt);
        int n = vsnprintf(free_part, room, fmt, ap);
        va_end(ap);
        if (n < 0)
                return ODM_ABSENT;
        char *p = odm_arena_get(a, (size_t)n + 1);
        if (p == NULL)
                return ODM_ABSENT;
        if (p == free_part && (size_t)n < room)
                return (odm_str){p, (size_t)n};
        va_start(ap, fmt);
        (void)vsnprintf(p, (size_t)n + 1, fmt, ap);
        va_end(ap);
        return (odm_str){p, (size_t)n};
}

odm_str odm_arena_number(odm_arena *a, uint64_t v)
{
        char room[20], *p = room + sizeof room;

        do
                *--p = (char)('0' + v % 10);
        while ((v /= 10) > 0);
        return odm_arena_copy(a, (odm_str){p, (size_t)(room + sizeof room - p)});
}

static void free_chunk(odm_arena *a, struct odm_chunk *c)
{
        if (!c->borrowed)
                (void)a->mem->resize(a->mem->ctx, c, c->size, 0);
}

void odm_arena_reset(odm_arena *a)
{
        struct odm_chunk *keep = a->chunks; /* the newest: chunks grow, so the largest */

        while (keep && keep->older) {
                struct odm_chunk *c = keep->older;
                keep->older = c->older;
                free_chunk(a, c);
        }
        a->chunks = NULL;
        a->at = a->end = NULL;
        a->used = 0;
        a->err = 0;
        if (keep) {
                a->used = keep->borrowed ? 0 : keep->size - HEAD;
                use_chunk(a, keep);
        }
}

void odm_arena_done(odm_arena *a)
{
        while (a->chunks) {
                struct odm_chunk *c = a->chunks;
                a->chunks = c->older;
                free_chunk(a, c);
        }
        a->at = a->end = NULL;
        a->used = 0;
}

/* ---- buffer ---------------------------------------------------------------- */

void odm_buf_init(odm_buf *b, const odm_mem *m, size_t max)
{
        *b = (odm_buf){.mem = m, .max = max};
}

int odm_buf_reserve(odm_buf *b, size_t more)
{
        size_t cap = b->cap ? b->cap : 256;

        if (more > b->max || b->n > b->max - more)
                return ODM_ELIMIT;
        if (b->n + more <= b->cap)
                return 0;
        while (cap < b->n + more)
                cap *= 2;
        if (cap > b->max)
                cap = b->max;
        char *p = b->mem->resize(b->mem->ctx, b->p, b->cap, cap);
        if (p == NULL)
                return ODM_ENOMEM;
        b->p = p;
        b->cap = cap;
        return 0;
}

int odm_buf_put(odm_buf *b, const void *p, size_t n)
{
        int rc = odm_buf_reserve(b, n);

        if (rc < 0)
                return rc;
        if (n)
                memcpy(b->p + b->n, p, n);
        b->n += n;
        return 0;
}

int odm_buf_str(odm_buf *b, odm_str s)
{
        return odm_buf_put(b, s.p, s.n);
}

int odm_buf_byte(odm_buf *b, uint8_t c)
{
        return odm_buf_put(b, &c, 1);
}

int odm_buf_fmt(odm_buf *b, const char *fmt, ...)
{
        va_list ap;
        char probe[256];

        va_start(ap, fmt);
        int n = vsnprintf(probe, sizeof probe, fmt, ap);
        va_end(ap);
        if (n < 0)
                return ODM_EINVAL;
        if ((size_t)n < sizeof probe)
                return odm_buf_put(b, probe, (size_t)n);
        int rc = odm_buf_reserve(b, (size_t)n + 1);
        if (rc < 0)
                return rc;
        va_start(ap, fmt);
        (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
        va_end(ap);
        b->n += (size_t)n;
        return 0;
}

void odm_buf_cut(odm_buf *b, size_t n)
{
        if (n < b->n)
                b->n = n;
}

void odm_buf_trim(odm_buf *b)
{
        if (b->n == b->cap)
                return;
        if (b->n == 0) {
                odm_buf_done(b);
                return;
        }
        char *p = b->mem->resize(b->mem->ctx, b->p, b->cap, b->n);
        if (p) {
                b->p = p;
                b->cap = b->n;
        }
}

void odm_buf_done(odm_buf *b)
{
        if (b->p)
                (void)b->mem->resize(b->mem->ctx, b->p, b->cap, 0);
        b->p = NULL;
        b->n = b->cap = 0;
}
