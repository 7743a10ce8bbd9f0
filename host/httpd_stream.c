/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_stream.c - replies without end: what is written waits in a buffer until the connection
 * takes it, and the connection sleeps while there is nothing. */
#include "httpd_inner.h"

#include <stdlib.h>
#include <string.h>

#include "heap.h"

#define STREAM_MAX (1u << 20) /* octets that may wait for a slow peer */

static void stream_unref(httpd_stream *s)
{
        if (atomic_fetch_sub(&s->refs, 1) != 1)
                return;
        odm_buf_done(&s->buf);
        pthread_mutex_destroy(&s->lock);
        free(s);
}

static ssize_t on_stream_read(void *ctx, uint64_t pos, char *buf, size_t max)
{
        httpd_stream *s = ctx;
        ssize_t n;

        (void)pos;
        pthread_mutex_lock(&s->lock);
        n = (ssize_t)(s->buf.n - s->at < max ? s->buf.n - s->at : max);
        if (n > 0) {
                memcpy(buf, s->buf.p + s->at, (size_t)n);
                s->at += (size_t)n;
                if (s->at == s->buf.n) {
                        odm_buf_cut(&s->buf, 0);
                        s->at = 0;
                }
        } else if (s->ended) {
                n = MHD_CONTENT_READER_END_OF_STREAM;
        } else {
                s->suspended = true;
                MHD_suspend_connection(s->c);
        }
        pthread_mutex_unlock(&s->lock);
        return n;
}

/* Under s->lock. */
static void stream_wake(httpd_stream *s)
{
        if (!s->suspended)
                return;
        s->suspended = false;
        MHD_resume_connection(s->c);
}

static void on_stream_gone(void *ctx)
{
        httpd_stream *s = ctx;

        pthread_mutex_lock(&s->h->lock);
        *s->prev = s->next;
        if (s->next)
                s->next->prev = s->prev;
        pthread_mutex_unlock(&s->h->lock);
        pthread_mutex_lock(&s->lock);
        s->gone = true;
        pthread_mutex_unlock(&s->lock);
        stream_unref(s);
}

static void stream_list_add(httpd_stream *s)
{
        httpd *h = s->h;

        pthread_mutex_lock(&h->lock);
        s->next = h->streams;
        s->prev = &h->streams;
        if (s->next)
                s->next->prev = &s->next;
        h->streams = s;
        s->ended = atomic_load(&h->stopping);
        pthread_mutex_unlock(&h->lock);
}

/* The response that reads from s, which it then holds too; NULL when memory is out. */
static struct MHD_Response *stream_response(const httpd_req *r, httpd_stream *s, const char *type,
                                            const http_field *fields, size_t n)
{
        struct MHD_Response *m = MHD_create_response_from_callback(
                MHD_SIZE_UNKNOWN, 4096, on_stream_read, s, on_stream_gone);
        if (!m) {
                on_stream_gone(s);
                return NULL;
        }
        return httpd_finish_headers(r, m, type, fields, n); /* on failure it lets go of s */
}

static httpd_stream *stream_new(httpd_req *r)
{
        httpd_stream *s = calloc(1, sizeof *s);

        if (!s)
                return NULL;
        s->h = r->h;
        s->c = r->c;
        atomic_init(&s->refs, 2);
        pthread_mutex_init(&s->lock, NULL);
        odm_buf_init(&s->buf, &heap_mem, STREAM_MAX);
        stream_list_add(s);
        return s;
}

httpd_stream *httpd_stream_begin(httpd_req *r, unsigned status, const char *type,
                                 const http_field *fields, size_t n)
{
        static const httpd_reply poor = {.status = 500};
        struct MHD_Response *m = NULL;
        httpd_stream *s;

        if (!httpd_reply_begin(r))
                return NULL;
        s = stream_new(r);
        if (s)
                m = stream_response(r, s, type, fields, n);
        if (m) {
                r->reply_n = UINT64_MAX;
                httpd_reply_deliver(r, status, m);
                return s;
        }
        if (s)
                stream_unref(s);
        httpd_reply_deliver(r, 500, httpd_response(r, &poor));
        return NULL;
}

int httpd_stream_write(httpd_stream *s, odm_str data)
{
        int rc = ODM_ESTATE;

        pthread_mutex_lock(&s->lock);
        if (!s->gone && !s->ended) {
                bool full = data.n > s->buf.max - s->buf.n;
                if (s->at > 0 && (full || s->at >= s->buf.n / 2)) { /* what was read makes room */
                        memmove(s->buf.p, s->buf.p + s->at, s->buf.n - s->at);
                        s->buf.n -= s->at;
                        s->at = 0;
                }
                rc = odm_buf_str(&s->buf, data);
                if (rc == 0)
                        stream_wake(s);
        }
        pthread_mutex_unlock(&s->lock);
        return rc;
}

void httpd_stream_end(httpd_stream *s)
{
        if (!s)
                return;
        pthread_mutex_lock(&s->lock);
        s->ended = true;
        if (!s->gone)
                stream_wake(s);
        pthread_mutex_unlock(&s->lock);
        stream_unref(s);
}
void httpd_streams_end(httpd *h)
{
        pthread_mutex_lock(&h->lock);
        for (httpd_stream *s = h->streams; s; s = s->next) {
                pthread_mutex_lock(&s->lock);
                s->ended = true;
                stream_wake(s);
                pthread_mutex_unlock(&s->lock);
        }
        pthread_mutex_unlock(&h->lock);
}
