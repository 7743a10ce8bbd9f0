/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_request.c - the life of a request, and looking at it; see httpd.h.
 *
 * What the application may look at later, from other threads or after the server has stopped, is
 * copied into the request's own arena, so a kept request never reaches back into the library. */
#include "httpd_inner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"

static const tls_peer no_peer;

/* ---- its life ---------------------------------------------------------- */

httpd_req *httpd_req_new(conn *k, struct MHD_Connection *c, const char *uri)
{
        listener *l = k->l;
        httpd_req *r = malloc(sizeof *r);

        if (!r)
                return NULL;
        memset(r, 0, offsetof(httpd_req, block));
        r->h = l->h;
        r->l = l;
        r->c = c;
        r->conn = k;
        r->uri_at = uri;
        r->max_body = l->opt.max_body;
        r->cert = &no_peer;
        atomic_init(&r->refs, 1);
        pthread_mutex_init(&r->lock, NULL);
        odm_arena_init_on(&r->arena, &heap_mem, REQ_ARENA_MAX, r->block, sizeof r->block);
        r->uri = odm_arena_copy(&r->arena, odm_cstr(uri));
        return r;
}

void httpd_req_unref(httpd_req *r)
{
        if (atomic_fetch_sub(&r->refs, 1) != 1)
                return;
        if (r->response)
                MHD_destroy_response(r->response);
        odm_buf_done(&r->body);
        odm_arena_done(&r->arena);
        pthread_mutex_destroy(&r->lock);
        free(r);
}

/* ---- looking at a request -------------------------------------------------------------------- */

odm_str httpd_method(const httpd_req *r)
{
        return r->method;
}

odm_str httpd_path(const httpd_req *r)
{
        return r->path;
}

odm_str httpd_query_text(const httpd_req *r)
{
        return r->query;
}

odm_str httpd_field(const httpd_req *r, const char *name)
{
        for (size_t i = 0; i < r->n_fields; i++)
                if (odm_str_ieq(r->fields[i].name, name))
                        return r->fields[i].value;
        return ODM_ABSENT;
}

odm_str httpd_body(const httpd_req *r)
{
        return odm_buf_view(&r->body);
}

const net_addr *httpd_peer(const httpd_req *r)
{
        return &r->peer;
}

bool httpd_is_tls(const httpd_req *r)
{
        return r->l->opt.tls;
}

const tls_peer *httpd_peer_cert(const httpd_req *r)
{
        return r->cert;
}

size_t httpd_listener_of(const httpd_req *r)
{
        return r->l->index;
}

void httpd_set_share(httpd_req *r, unsigned share)
{
        assert(share < HTTPD_SHARES && !r->active);
        r->share = share;
}

void httpd_set_sink(httpd_req *r, const httpd_sink *sink)
{
        assert(r->phase == PHASE_HEAD && sink->take && sink->gone && !r->sink.take);
        r->sink = *sink;
        r->sink_open = true;
}

void httpd_set_data(httpd_req *r, void *data)
{
        r->data = data;
}

void *httpd_data(const httpd_req *r)
{
        return r->data;
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

odm_str httpd_unescape(httpd_req *r, odm_str s, bool form)
{
        char *out = odm_arena_get(&r->arena, s.n + 1);
        size_t n = 0;

        if (!out)
                return ODM_ABSENT;
        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                if (c == '%') {
                        int hi = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
                        int lo = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
                        if (hi < 0 || lo < 0 || hi + lo == 0)
                                return ODM_ABSENT;
                        c = (char)(hi * 16 + lo);
                        i += 2;
                } else if (form && c == '+') {
                        c = ' ';
                }
                out[n++] = c;
        }
        out[n] = 0;
        return (odm_str){out, n};
}

odm_str httpd_query(const httpd_req *r, const char *name)
{
        odm_str s = r->query;

        while (s.n) {
                const char *amp = memchr(s.p, '&', s.n);
                odm_str pair = odm_str_to(s, amp ? (size_t)(amp - s.p) : s.n);
                const char *eq = pair.n ? memchr(pair.p, '=', pair.n) : NULL;
                odm_str key = odm_str_to(pair, eq ? (size_t)(eq - pair.p) : pair.n);

                if (odm_str_is(key,
                               name)) /* the arena grows; what the caller sees does not change */
                        return httpd_unescape((httpd_req *)(uintptr_t)r,
                                              eq ? odm_str_from(pair, key.n + 1) : ODM_STR(""),
                                              true);
                s = odm_str_from(s, amp ? pair.n + 1 : pair.n);
        }
        return ODM_ABSENT;
}
