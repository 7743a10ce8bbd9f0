/* SPDX-License-Identifier: Apache-2.0 */
#include "sink.h"

bool odm_sink_grow(struct sink *s, size_t n)
{
        if (s->rc < 0)
                return false;
        if (s->buf->p)
                s->buf->n = (size_t)(s->at - s->buf->p);
        s->rc = odm_buf_reserve(s->buf, n);
        if (s->rc < 0) {
                s->end = s->at; /* and no later, shorter piece slips in */
                return false;
        }
        s->at = s->buf->p + s->buf->n;
        s->end = s->buf->p + s->buf->cap;
        return true;
}
