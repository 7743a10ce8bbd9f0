/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_steps.c - a request on its way, as libmicrohttpd calls us.
 *
 * A request is made when its first line arrives (httpd_on_uri), checked when its head is in
 * (on_head), collected (on_upload), and handed to the application when whole (on_whole):
 *
 *     HEAD -> BODY -> WHOLE -> (kept) -> answered
 *
 * It has two owners: the server until its exchange is completed, and the application from head() or
 * handle() to its reply. */
#include "httpd_inner.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gzip.h"
#include "heap.h"

/* A week, the most that TLS 1.3 allows.  It counts from the full handshake, however often the
 * session is resumed: with the six hours that are usual, a device that calls each hour would begin
 * anew every sixth time. */
#define TICKET_LIFE_S (7 * 24 * 3600)

#define DROPPED_MAX ((size_t)4 << 20) /* octets read for nothing, so that a peer may hear why */

/* ---- answers of our own ----------------------------------------------------------------- */

/* Our own answers, on the server's thread: the library has no application yet. */
static enum MHD_Result answer(httpd_req *r, unsigned status, const char *text, const http_field *f,
                              size_t n)
{
        char line[256];
        const httpd_reply reply = {
                .status = status,
                .type = "text/plain; charset=utf-8",
                .fields = f,
                .n_fields = n,
                .body = {line, (size_t)snprintf(line, sizeof line, "%s\n", text)}};

        r->last = true;
        r->response = httpd_response(r, &reply);
        r->status = status;
        return httpd_reply_queue(r);
}

static enum MHD_Result answer_close(httpd_req *r, unsigned status, const char *text)
{
        return answer(r, status, text, NULL, 0);
}

/* ---- who asks ---------------------------------------------------------------------------- */

static void find_peer(httpd_req *r)
{
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(r->c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

        if (!info || !info->client_addr)
                return;
        if (info->client_addr->sa_family == AF_INET)
                r->peer.n = sizeof(struct sockaddr_in);
        else if (info->client_addr->sa_family == AF_INET6)
                r->peer.n = sizeof(struct sockaddr_in6);
        memcpy(&r->peer.sa, info->client_addr, r->peer.n);
}

/* Once a connection: was it resumed, and who is the peer. */
static void look_at_tls(const httpd_req *r, conn *k)
{
        const union MHD_ConnectionInfo *info;
        tls_peer peer;

        if (k->seen)
                return;
        k->seen = true;
        info = MHD_get_connection_info(r->c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        if (!info || !info->tls_session)
                return;
        atomic_fetch_add(&r->h->handshakes, 1);
        if (gnutls_session_is_resumed(info->tls_session))
                atomic_fetch_add(&r->h->resumed, 1);
        if (!r->l->asks_client)
                return;
        tls_peer_of(info->tls_session, true, &peer);
        k->peer = peer.present ? malloc(sizeof peer) : NULL;
        if (k->peer)
                *k->peer = peer;
}

static void find_cert(httpd_req *r)
{
        tls_peer *copy;

        if (!r->l->opt.tls)
                return;
        look_at_tls(r, r->conn);
        if (!r->conn->peer)
                return;
        copy = odm_arena_get(&r->arena, sizeof *copy);
        if (copy) {
                *copy = *r->conn->peer;
                r->cert = copy;
        }
}

/* ---- the steps of a request ------------------------------------------------------------------ */

static void begin_flight(httpd_req *r)
{
        pthread_mutex_lock(&r->h->lock);
        r->h->in_flight++;
        pthread_mutex_unlock(&r->h->lock);
        r->counted = true;
}

static enum MHD_Result shed(httpd_req *r)
{
        const http_field later = {ODM_STR("Retry-After"), ODM_STR("1")};

        atomic_fetch_add(&r->h->shed, 1);
        return answer(r, 503, "too busy; try again soon", &later, 1);
}

/* Some clients put their charset where the coding belongs; it changes nothing of the body. */
static bool leaves_as_is(odm_str coding)
{
        return coding.n == 0 || odm_str_ieq(coding, "identity") || odm_str_ieq(coding, "utf-8") ||
               odm_str_ieq(coding, "utf8") || odm_str_ieq(coding, "us-ascii");
}

/* What the head alone forbids: too long a body, a coding we cannot read, an expectation we do not
 * know. */
static unsigned judge_body(const httpd_req *r)
{
        odm_str length = httpd_field(r, "content-length");
        odm_str coding = httpd_field(r, "content-encoding");
        odm_str expect = httpd_field(r, "expect");
        uint64_t n = 0;

        if (expect.p && !odm_str_ieq(expect, "100-continue"))
                return 417;
        if (!leaves_as_is(coding) &&
            (r->sink.take || (!odm_str_ieq(coding, "gzip") && !odm_str_ieq(coding, "x-gzip"))))
                return 415;
        if (length.p && odm_str_u64(length, INT64_MAX, &n) == 0 && n > r->max_body)
                return 413;
        return 0;
}

/* Is there no room for one more?  A share leaves an eighth to the other. */
static bool is_full(const httpd_req *r)
{
        const httpd *h = r->h;
        unsigned most = h->opt.max_active;

        return httpd_active(h) >= most || atomic_load(&h->active[r->share]) >= most - most / 8;
}

static enum MHD_Result begin_body(httpd_req *r)
{
        r->body_due = httpd_due(r->h, 0);
        if (!httpd_conn_enter(r->conn, STAGE_BODY, r->body_due))
                return MHD_NO;
        odm_buf_init(&r->body, r->h->opt.mem, r->sink.take ? 0 : r->max_body + 1024);
        r->phase = PHASE_BODY;
        return MHD_YES;
}

static enum MHD_Result call_head(httpd_req *r)
{
        if (r->l->opt.app.head) {
                atomic_fetch_add(&r->refs, 1); /* the application's, if it replies */
                r->l->opt.app.head(r->l->opt.app.ctx, r, &r->max_body);
                if (r->status)
                        return httpd_reply_queue(r);
                httpd_req_unref(r);
        }
        if (is_full(r))
                return shed(r);
        switch (judge_body(r)) {
        case 413: return answer_close(r, 413, "the body is too large");
        case 415:
                return answer_close(r, 415,
                                    r->sink.take ? "no content coding is taken here"
                                                 : "only gzip is taken as a content coding");
        case 417: return answer_close(r, 417, "no such expectation can be met");
        default: return begin_body(r);
        }
}

static enum MHD_Result on_head(httpd_req *r, const char *method, const char *version)
{
        unsigned status;
        const char *bad;

        r->method_at = method;
        r->version_at = version;
        r->method = odm_arena_copy(&r->arena, odm_cstr(method));
        begin_flight(r);
        bad = httpd_gate_check(r, &status);
        if (bad) {
                atomic_fetch_add(&r->h->refused, 1);
                return answer_close(r, status, bad);
        }
        if (r->arena.err)
                return answer_close(r, 500, "out of memory");
        if (atomic_load(&r->h->stopping))
                return shed(r);
        r->wants_gzip = http_list_has(httpd_field(r, "accept-encoding"), "gzip");
        find_peer(r);
        find_cert(r);
        return call_head(r);
}

/* Into the sink, which hears of nothing beyond its ceiling. */
static int sink_octets(httpd_req *r, odm_str data)
{
        if (data.n > r->max_body - r->sunk)
                return ODM_ELIMIT;
        if (r->sink.take(r->sink.ctx, data) < 0)
                return ODM_EIO;
        r->sunk += data.n;
        return 0;
}

/* The library cannot answer in the middle of a body, so one that is too long, or that its sink does
 * not take, is read and dropped, for a while. */
static enum MHD_Result on_upload(httpd_req *r, odm_str data)
{
        int rc = ODM_ELIMIT;

        if (r->sink.take && !r->dropped)
                rc = sink_octets(r, data);
        else if (!r->sink.take && !r->too_large && !r->no_memory)
                rc = odm_buf_str(&r->body, data);
        if (r->sink.take) {
                r->too_large |= rc == ODM_ELIMIT && !r->dropped;
        } else if (rc == ODM_ENOMEM) {
                r->no_memory = true;
                odm_buf_done(&r->body);
        } else if (rc < 0 && !r->no_memory) {
                r->too_large = true;
        }
        if (rc < 0)
                r->dropped += data.n;
        atomic_store(&r->conn->due,
                     r->body_due +
                             (int64_t)((r->body.n + r->sunk + r->dropped) / HTTPD_SLOWEST) * 1000);
        return r->dropped > (r->sink.take ? 0 : r->max_body) + DROPPED_MAX ? MHD_NO : MHD_YES;
}

static int inflate_body(httpd_req *r)
{
        odm_str coding = httpd_field(r, "content-encoding");
        odm_buf plain;
        int rc;

        if (r->too_large || r->no_memory)
                return r->too_large ? ODM_ELIMIT : ODM_ENOMEM;
        if (leaves_as_is(coding) || r->body.n == 0)
                return r->body.n > r->max_body ? ODM_ELIMIT : 0;
        odm_buf_init(&plain, r->h->opt.mem, r->max_body);
        rc = gzip_unpack(odm_buf_view(&r->body), &plain);
        if (rc < 0) {
                odm_buf_done(&plain);
                return rc;
        }
        odm_buf_done(&r->body);
        r->body = plain;
        return 0;
}

/* The application keeps r; its connection sleeps.  Under r->lock. */
static void keep(httpd_req *r)
{
        const httpd_reply sorry = {.status = 503};

        if (httpd_keep_add(r)) {
                r->suspended = true;
                MHD_suspend_connection(r->c);
                return;
        }
        r->response = httpd_response(r, &sorry);
        r->status = 503;
        r->abandoned = true;
}

static enum MHD_Result suspend_or_queue(httpd_req *r)
{
        bool waits;

        pthread_mutex_lock(&r->lock);
        if (r->status == 0)
                keep(r);
        waits = r->suspended;
        pthread_mutex_unlock(&r->lock);
        return waits ? MHD_YES : httpd_reply_queue(r);
}

static enum MHD_Result on_whole(httpd_req *r)
{
        int rc = inflate_body(r);

        r->phase = PHASE_WHOLE;
        if (rc == ODM_ELIMIT)
                return answer_close(r, 413, "the body is too large");
        if (rc == ODM_EMALFORMED)
                return answer_close(r, 400, "the compressed body is damaged");
        if (rc < 0 || is_full(r))
                return shed(r);
        if (!httpd_conn_enter(r->conn, STAGE_WORK, INT64_MAX))
                return MHD_NO;
        atomic_fetch_add(&r->h->requests, 1);
        atomic_fetch_add(&r->h->active[r->share], 1);
        r->active = true;
        atomic_fetch_add(&r->refs, 1); /* the application's, until it replies */
        r->sink_open = false;
        r->l->opt.app.handle(r->l->opt.app.ctx, r);
        return suspend_or_queue(r);
}

/* ---- what the library calls ------------------------------------------------------------- */

void *httpd_on_uri(void *ctx, const char *uri, struct MHD_Connection *c)
{
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        conn *k = info ? info->socket_context : NULL;

        (void)ctx;
        if (!k || !httpd_conn_enter(k, STAGE_HEAD, httpd_due(k->l->h, 0)))
                return NULL;
        return httpd_req_new(k, c, uri);
}

enum MHD_Result httpd_on_access(void *ctx, struct MHD_Connection *c, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_n, void **req)
{
        httpd_req *r = *req;
        odm_str data = {upload, *upload_n};

        (void)ctx;
        (void)c;
        (void)url;
        if (!r)
                return MHD_NO;
        if (r->phase == PHASE_HEAD && r->response) /* a library that stops asks again */
                return httpd_reply_queue(r);
        if (r->phase == PHASE_HEAD)
                return on_head(r, method, version);
        if (data.n) {
                *upload_n = 0;
                return on_upload(r, data);
        }
        if (r->phase == PHASE_BODY)
                return on_whole(r);
        return suspend_or_queue(r); /* resumed */
}

/* The response goes with its exchange: an application's thread that still holds the request may be
 * late, and what a response leads to is the server's. */
static void drop_response(httpd_req *r)
{
        struct MHD_Response *m;

        pthread_mutex_lock(&r->lock);
        m = r->response;
        r->response = NULL;
        pthread_mutex_unlock(&r->lock);
        if (m)
                MHD_destroy_response(m);
}

void httpd_on_completed(void *ctx, struct MHD_Connection *c, void **req,
                        enum MHD_RequestTerminationCode why)
{
        httpd_req *r = *req;
        httpd *h;

        (void)ctx;
        (void)c;
        (void)why;
        if (!r)
                return;
        *req = NULL;
        h = r->h;
        if (r->sink_open)
                r->sink.gone(r->sink.ctx);
        drop_response(r);
        (void)httpd_conn_enter(r->conn, STAGE_WAITING,
                               httpd_due(h, 0) + (int64_t)h->opt.idle_s * 1000);
        if (r->counted) {
                pthread_mutex_lock(&h->lock);
                if (--h->in_flight == 0)
                        pthread_cond_signal(&h->quiet);
                pthread_mutex_unlock(&h->lock);
        }
        httpd_req_unref(r);
}

void httpd_on_connection(void *ctx, struct MHD_Connection *c, void **socket_ctx,
                         enum MHD_ConnectionNotificationCode what)
{
        listener *l = ctx;
        const union MHD_ConnectionInfo *info;
        int one = 1;
        conn *k;

        if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
                httpd_conn_free(*socket_ctx);
                *socket_ctx = NULL;
                return;
        }
        *socket_ctx = k = httpd_conn_new(l, c);
        if (!k)
                return; /* its requests are refused */
        (void)setsockopt(k->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        info = l->opt.tls ? MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION) : NULL;
        if (!info || !info->tls_session)
                return;
        k->tls = httpd_tls_ref(l);
        /* refused: the library's certificate, or every handshake a full one, no more */
        (void)gnutls_credentials_set(info->tls_session, GNUTLS_CRD_CERTIFICATE, k->tls->cred);
        gnutls_db_set_cache_expiration(info->tls_session, TICKET_LIFE_S);
        (void)gnutls_session_ticket_enable_server(info->tls_session, &k->tls->ticket.d);
}
