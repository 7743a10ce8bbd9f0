/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_reply.c - replies, from any thread, now or later; see httpd.h.
 *
 * A reply may meet the end of the server.  A request's lock is held while its reply uses the
 * server, and httpd_stop() takes it to abandon the request. */
#include "httpd_inner.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gzip.h"
#include "heap.h"

#define GZIP_FROM 1024        /* octets below which all fits one packet anyway */
#define GZIP_MOST (512 << 10) /* beyond it, compressing holds up the thread for too long */

/* ---- requests that are replied to later ------------------------------------------------- */

/* False when the server does not wait for anybody any more. */
bool httpd_keep_add(httpd_req *r)
{
        httpd *h = r->h;
        bool open;

        pthread_mutex_lock(&h->lock);
        open = !h->closed;
        if (open) {
                r->next = h->kept;
                r->prev = &h->kept;
                if (r->next)
                        r->next->prev = &r->next;
                h->kept = r;
        }
        pthread_mutex_unlock(&h->lock);
        return open;
}

/* Under h->lock. */
void httpd_keep_del(httpd_req *r)
{
        if (!r->prev)
                return;
        *r->prev = r->next;
        if (r->next)
                r->next->prev = r->prev;
        r->prev = NULL;
}
/* ---- replies --------------------------------------------------------------------------- */

static bool add_header(struct MHD_Response *m, const char *name, const char *value)
{
        return MHD_add_response_header(m, name, value) == MHD_YES;
}

static bool add_fields(struct MHD_Response *m, const http_field *f, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                char name[128], value[4096];
                if (f[i].name.n >= sizeof name || f[i].value.n >= sizeof value ||
                    !http_is_token(f[i].name) || !http_value_ok(f[i].value))
                        return false;
                snprintf(name, sizeof name, "%.*s", (int)f[i].name.n, f[i].name.p);
                snprintf(value, sizeof value, "%.*s", (int)f[i].value.n, f[i].value.p);
                if (!add_header(m, name, value))
                        return false;
        }
        return true;
}

struct MHD_Response *httpd_finish_headers(const httpd_req *r, struct MHD_Response *m,
                                          const char *type, const http_field *f, size_t n)
{
        const httpd *h = r->h;
        bool ends = r->last || atomic_load(&h->stopping);

        if (m && ((type && !add_header(m, "Content-Type", type)) ||
                  (h->server_name && !add_header(m, "Server", h->server_name)) ||
                  (ends && !add_header(m, "Connection", "close")) || !add_fields(m, f, n))) {
                MHD_destroy_response(m);
                return NULL;
        }
        return m;
}

static struct MHD_Response *packed_response(odm_str body)
{
        struct MHD_Response *m;
        odm_buf b;

        odm_buf_init(&b, &heap_mem, body.n - 1); /* only when shorter */
        if (gzip_pack(body, &b) < 0) {
                odm_buf_done(&b);
                return NULL;
        }
        /* heap_mem is malloc, so the library may free() what the buffer holds */
        m = MHD_create_response_from_buffer(b.n, b.p, MHD_RESPMEM_MUST_FREE);
        if (!m)
                odm_buf_done(&b);
        else if (!add_header(m, "Content-Encoding", "gzip")) {
                MHD_destroy_response(m);
                m = NULL;
        }
        return m;
}

struct MHD_Response *httpd_response(const httpd_req *r, const httpd_reply *reply)
{
        bool may_pack = !reply->no_gzip && reply->body.n >= GZIP_FROM && reply->body.n <= GZIP_MOST;
        struct MHD_Response *m = NULL;

        if (may_pack && r->wants_gzip)
                m = packed_response(reply->body);
        if (!m)
                m = MHD_create_response_from_buffer(reply->body.n, (void *)(uintptr_t)reply->body.p,
                                                    MHD_RESPMEM_MUST_COPY);
        if (m && may_pack)
                (void)add_header(m, "Vary", "Accept-Encoding");
        return httpd_finish_headers(r, m, reply->type, reply->fields, reply->n_fields);
}

/* Gives the response to the server's thread, wherever that is with the request, and drops the
 * application's hold on it.  NULL closes the connection.  r->lock is held, and released here. */
void httpd_reply_deliver(httpd_req *r, unsigned status, struct MHD_Response *m)
{
        assert(r->status == 0 && !r->abandoned);
        r->response = m;
        r->status = status;
        if (r->active)
                atomic_fetch_sub(&r->h->active[r->share], 1);
        r->active = false;
        if (r->suspended) {
                pthread_mutex_lock(&r->h->lock);
                httpd_keep_del(r);
                r->suspended = false;
                MHD_resume_connection(r->c); /* before httpd_stop() finds nobody kept any more */
                pthread_mutex_unlock(&r->h->lock);
        }
        pthread_mutex_unlock(&r->lock);
        httpd_req_unref(r);
}

/* Takes r->lock for a reply; false when nobody listens any more, and then r is gone.  The lock
 * keeps httpd_stop() from freeing the server under the reply. */
bool httpd_reply_begin(httpd_req *r)
{
        pthread_mutex_lock(&r->lock);
        if (!r->abandoned)
                return true;
        pthread_mutex_unlock(&r->lock);
        httpd_req_unref(r);
        return false;
}

void httpd_send(httpd_req *r, const httpd_reply *reply)
{
        static const httpd_reply poor = {.status = 500};
        struct MHD_Response *m;

        if (!httpd_reply_begin(r))
                return;
        m = httpd_response(r, reply);
        r->reply_n = reply->body.n;
        if (m)
                httpd_reply_deliver(r, reply->status, m);
        else
                httpd_reply_deliver(r, 500, httpd_response(r, &poor));
}

void httpd_send_text(httpd_req *r, unsigned status, const char *text)
{
        char line[512];
        int n = snprintf(line, sizeof line, "%.500s\n", text);
        const httpd_reply reply = {
                .status = status, .type = "text/plain; charset=utf-8", .body = {line, (size_t)n}};

        httpd_send(r, &reply);
}

enum MHD_Result httpd_reply_queue(httpd_req *r)
{
        const bool endless = r->reply_n == UINT64_MAX;

        if (!r->response || !httpd_conn_enter(r->conn, STAGE_REPLY,
                                              endless ? INT64_MAX : httpd_due(r->h, r->reply_n)))
                return MHD_NO;
        return MHD_queue_response(r->c, r->status, r->response);
}
