/* SPDX-License-Identifier: Apache-2.0 */
/* sink.h - where an encoder writes: a buffer with its end at hand, so that a constant
 * piece costs a comparison and a store.  The first failure sticks in `rc`. */
#ifndef SINK_H
#define SINK_H

#include <string.h>

#include "codec_ops.h"

struct sink {
        char *at, *end;
        odm_buf *buf;
        size_t before; /* octets of buf when we began */
        int rc;
        uint8_t page;
};

static inline struct sink sink_begin(odm_buf *buf, uint8_t page)
{
        return (struct sink){.at = buf->p ? buf->p + buf->n : NULL,
                             .end = buf->p ? buf->p + buf->cap : NULL,
                             .buf = buf,
                             .before = buf->n,
                             .page = page};
}

/* Makes the buffer larger.  False, and rc set, when it cannot. */
bool odm_sink_grow(struct sink *s, size_t n);

static inline bool sink_room(struct sink *s, size_t n)
{
        return n <= (size_t)(s->end - s->at) || odm_sink_grow(s, n);
}

static inline void sink_put(struct sink *s, const void *p, size_t n)
{
        if (n && sink_room(s, n)) {
                memcpy(s->at, p, n);
                s->at += n;
        }
}

static inline void sink_byte(struct sink *s, uint8_t c)
{
        if (sink_room(s, 1))
                *s->at++ = (char)c;
}

/* Makes what was written count, or nothing of it.  Returns rc. */
static inline int sink_end(struct sink *s)
{
        if (s->rc == 0 && s->buf->p)
                s->buf->n = (size_t)(s->at - s->buf->p);
        else
                s->buf->n = s->before;
        return s->rc;
}

/* Decimal digits of v, written at the end of `room`; returns where they begin. */
static inline char *sink_digits(char room[20], uint64_t v)
{
        char *p = room + 20;

        do
                *--p = (char)('0' + v % 10);
        while ((v /= 10) > 0);
        return p;
}

/* Writes s as XML text: mark-up and CR escaped.  What XML cannot carry is ODM_EINVAL. */
void odm_sink_escaped(struct sink *s, odm_str text);
/* How many octets of s at most, whole characters, take up to `room` octets escaped. */
size_t odm_escaped_fit(odm_str s, size_t room);

#endif
