/* SPDX-License-Identifier: Apache-2.0 */
/* httpd.c - libmicrohttpd behind our gate; see httpd.h.
 *
 * A request is made when its first line arrives (on_uri), checked and copied when its head is in
 * (on_head), collected (on_upload), and handed to the application when whole (on_whole):
 *
 *     HEAD -> BODY -> WHOLE -> (KEPT) -> ANSWERED
 *
 * What the application may look at later, from other threads or after the server has stopped, is
 * copied into the request's own arena, so a kept request never reaches back into the library.
 *
 * A request has two owners: the server until its exchange is completed, and the application from
 * handle() or head() to httpd_send(). */
#include "httpd.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fsio.h"
#include "gzip.h"
#include "heap.h"
#include "log.h"

#define REQ_BLOCK 4096 /* of the arena, in one piece with the request */
#define REQ_ARENA_MAX (256u << 10)
#define FIELDS_MAX 64
#define GZIP_FROM 256         /* octets below which compressing does not pay */
#define STREAM_MAX (1u << 20) /* octets that may wait for a slow peer */
#define LISTENERS_MAX 8

typedef struct listener {
        httpd *h;
        size_t index;
        httpd_listener opt; /* only app, tls, max_body, and client_ca_file as a flag */
        bool asks_client;
        struct MHD_Daemon *daemon;
        uint16_t port;
        char *key, *cert, *trust; /* PEM texts, which the daemon borrows */
        tls_ticket_key ticket;
} listener;

struct httpd {
        httpd_opt opt;
        char *server_name;
        listener *l;
        size_t n;
        pthread_mutex_t lock; /* over the lists, in_flight */
        pthread_cond_t quiet;
        httpd_req *kept;       /* replied to later */
        httpd_stream *streams; /* open ones */
        unsigned in_flight;    /* exchanges from head to completion */
        bool closed;           /* nothing more is kept */
        atomic_bool stopping;
        atomic_uint active;
        atomic_uint_fast64_t requests, refused, shed, handshakes, resumed;
};

typedef struct conn { /* one of a listener's connections */
        bool seen;    /* a request came */
        tls_peer peer;
} conn;

typedef enum phase { PHASE_HEAD, PHASE_BODY, PHASE_WHOLE } phase;

struct httpd_req {
        httpd *h;
        listener *l;
        struct MHD_Connection *c;
        atomic_int refs;
        phase phase; /* of the server's thread only */
        bool counted, active;
        size_t max_body;
        bool too_large;
        size_t dropped;

        pthread_mutex_t lock; /* over what follows, to the line */
        struct MHD_Response *response;
        unsigned status;
        bool suspended, abandoned;
        /* ---- */
        httpd_req *next, **prev; /* in h->kept, under h->lock */

        odm_arena arena;
        odm_str uri, method, path, query;
        http_field fields[FIELDS_MAX];
        size_t n_fields;
        odm_buf body;
        net_addr peer;
        const tls_peer *cert;
        void *data;
        bool wants_gzip;
        _Alignas(8) char block[REQ_BLOCK];
};

struct httpd_stream {
        atomic_int refs; /* the application and the response */
        httpd *h;
        struct MHD_Connection *c;
        pthread_mutex_t lock;
        odm_buf buf;
        size_t at;
        bool ended, gone, suspended;
        httpd_stream *next, **prev; /* in h->streams, under h->lock */
};

static const tls_peer no_peer;

void httpd_listener_init(httpd_listener *l)
{
        *l = (httpd_listener){.max_body = 1u << 20, .workers = 2};
}

void httpd_opt_init(httpd_opt *o)
{
        *o = (httpd_opt){.max_connections = 4096,
                         .max_active = 2048,
                         .idle_s = 60,
                         .connection_memory = 16384};
}

/* ---- the life of a request ---------------------------------------------------------- */

static httpd_req *req_new(listener *l, struct MHD_Connection *c, const char *uri)
{
        httpd_req *r = malloc(sizeof *r);

        if (!r)
                return NULL;
        memset(r, 0, offsetof(httpd_req, block));
        r->h = l->h;
        r->l = l;
        r->c = c;
        r->max_body = l->opt.max_body;
        r->cert = &no_peer;
        atomic_init(&r->refs, 1);
        pthread_mutex_init(&r->lock, NULL);
        odm_arena_init_on(&r->arena, &heap_mem, REQ_ARENA_MAX, r->block, sizeof r->block);
        r->uri = odm_arena_copy(&r->arena, odm_cstr(uri));
        return r;
}

static void req_unref(httpd_req *r)
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

/* False when the server does not wait for anybody any more. */
static bool keep_list_add(httpd_req *r)
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
static void keep_list_del(httpd_req *r)
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

static struct MHD_Response *finish_headers(const httpd *h, struct MHD_Response *m, const char *type,
                                           const http_field *f, size_t n)
{
        if (m && ((type && !add_header(m, "Content-Type", type)) ||
                  (h->server_name && !add_header(m, "Server", h->server_name)) ||
                  (atomic_load(&h->stopping) && !add_header(m, "Connection", "close")) ||
                  !add_fields(m, f, n))) {
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

static struct MHD_Response *make_response(const httpd_req *r, const httpd_reply *reply)
{
        bool may_pack = !reply->no_gzip && reply->body.n >= GZIP_FROM;
        struct MHD_Response *m = NULL;

        if (may_pack && r->wants_gzip)
                m = packed_response(reply->body);
        if (!m)
                m = MHD_create_response_from_buffer(reply->body.n, (void *)(uintptr_t)reply->body.p,
                                                    MHD_RESPMEM_MUST_COPY);
        if (m && may_pack)
                (void)add_header(m, "Vary", "Accept-Encoding");
        return finish_headers(r->h, m, reply->type, reply->fields, reply->n_fields);
}

/* Gives the response to the server's thread, wherever that is with the request, and drops the
 * application's hold on it.  NULL closes the connection.  r->lock is held, and released here. */
static void deliver(httpd_req *r, unsigned status, struct MHD_Response *m)
{
        assert(r->status == 0 && !r->abandoned);
        r->response = m;
        r->status = status;
        if (r->active)
                atomic_fetch_sub(&r->h->active, 1);
        r->active = false;
        if (r->suspended) {
                pthread_mutex_lock(&r->h->lock);
                keep_list_del(r);
                pthread_mutex_unlock(&r->h->lock);
                r->suspended = false;
                MHD_resume_connection(r->c);
        }
        pthread_mutex_unlock(&r->lock);
        req_unref(r);
}

/* Takes r->lock for a reply; false when nobody listens any more, and then r is gone.  The lock
 * keeps httpd_stop() from freeing the server under the reply. */
static bool begin_reply(httpd_req *r)
{
        pthread_mutex_lock(&r->lock);
        if (!r->abandoned)
                return true;
        pthread_mutex_unlock(&r->lock);
        req_unref(r);
        return false;
}

void httpd_send(httpd_req *r, const httpd_reply *reply)
{
        static const httpd_reply poor = {.status = 500};
        struct MHD_Response *m;

        if (!begin_reply(r))
                return;
        m = make_response(r, reply);
        if (m)
                deliver(r, reply->status, m);
        else
                deliver(r, 500, make_response(r, &poor));
}

void httpd_send_text(httpd_req *r, unsigned status, const char *text)
{
        char line[512];
        int n = snprintf(line, sizeof line, "%.500s\n", text);
        const httpd_reply reply = {
                .status = status, .type = "text/plain; charset=utf-8", .body = {line, (size_t)n}};

        httpd_send(r, &reply);
}

static enum MHD_Result queue(httpd_req *r)
{
        return r->response ? MHD_queue_response(r->c, r->status, r->response) : MHD_NO;
}

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

        r->response = make_response(r, &reply);
        r->status = status;
        return queue(r);
}

static enum MHD_Result answer_close(httpd_req *r, unsigned status, const char *text)
{
        const http_field close = {ODM_STR("Connection"), ODM_STR("close")};

        return answer(r, status, text, &close, 1);
}

/* ---- the gate ------------------------------------------------------------------------------ */

typedef struct head_scan {
        httpd_req *r;
        const char *bad;    /* why it is refused */
        const char *expect; /* where the next field's name begins if all lines are plain */
        unsigned hosts, lengths, codings;
        odm_str length;
} head_scan;

static void scan_special(head_scan *s, const http_field *f)
{
        if (odm_str_ieq(f->name, "host")) {
                s->hosts++;
        } else if (odm_str_ieq(f->name, "content-length")) {
                if (s->lengths++ && !odm_str_eq(s->length, f->value))
                        s->bad = "two different lengths";
                s->length = f->value;
        } else if (odm_str_ieq(f->name, "transfer-encoding")) {
                s->codings++;
                if (!odm_str_is(f->value, "chunked"))
                        s->bad = "a transfer coding other than chunked";
        }
}

/* The library cuts a value at a NUL octet and joins folded lines.  Both show in the addresses:
 * in a plain head a name begins two octets (CR LF) behind the end of the value before it. */
static bool is_contiguous(head_scan *s, const char *name, const char *value, size_t value_n)
{
        bool good = !s->expect || name == s->expect;

        s->expect = value + value_n + 2;
        return good;
}

/* Behind the last value the library has put zeros over CR LF CR LF. */
static bool ends_well(const head_scan *s)
{
        return !s->expect || memcmp(s->expect - 2, "\0\0\0", 4) == 0;
}

static enum MHD_Result on_field(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_n,
                                const char *value, size_t value_n)
{
        head_scan *s = ctx;
        httpd_req *r = s->r;
        http_field f = {{name, name_n}, {value ? value : "", value ? value_n : 0}};

        (void)kind;
        if (r->n_fields == FIELDS_MAX)
                s->bad = "too many header fields";
        else if (!http_is_token(f.name))
                s->bad = "a header name that is no token";
        else if (!http_value_ok(f.value))
                s->bad = "a control character in a header";
        else if (!is_contiguous(s, name, f.value.p, f.value.n))
                s->bad = "a NUL octet, a folded line or a bare line feed in the head";
        if (s->bad)
                return MHD_NO;
        f.value = odm_str_trim(f.value);
        scan_special(s, &f);
        r->fields[r->n_fields].name = odm_arena_copy(&r->arena, f.name);
        r->fields[r->n_fields++].value = odm_arena_copy(&r->arena, f.value);
        return s->bad ? MHD_NO : MHD_YES;
}

static const char *check_head(httpd_req *r)
{
        head_scan s = {.r = r};
        uint64_t n;

        MHD_get_connection_values_n(r->c, MHD_HEADER_KIND, on_field, &s);
        if (s.bad)
                return s.bad;
        if (!ends_well(&s))
                return "a NUL octet or a bare line feed in the head";
        if (s.hosts != 1)
                return s.hosts ? "several Host fields" : "no Host field";
        if (s.lengths > 1)
                return "two lengths";
        if (s.codings > 1 || (s.codings && s.lengths))
                return "a length beside a transfer coding";
        if (s.lengths && odm_str_u64(s.length, INT64_MAX, &n) < 0)
                return "a length that is no number";
        return NULL;
}

/* Path and query as they came; an absolute target loses its authority. */
static const char *check_target(httpd_req *r)
{
        odm_str s = r->uri;
        const char *at;

        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '#')
                        return "a target with a character that is not allowed";
        if (odm_str_starts(s, "http://") || odm_str_starts(s, "https://")) {
                s = odm_str_from(s, (size_t)(strstr(s.p, "://") - s.p) + 3);
                at = memchr(s.p, '/', s.n);
                s = at ? odm_str_from(s, (size_t)(at - s.p)) : ODM_STR("/");
        }
        if (s.n == 0 || (s.p[0] != '/' && !odm_str_is(s, "*")))
                return "a target that is no path";
        at = memchr(s.p, '?', s.n);
        r->path = odm_str_to(s, at ? (size_t)(at - s.p) : s.n);
        r->query = at ? odm_str_from(s, r->path.n + 1) : ODM_STR("");
        return NULL;
}

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
static void look_at_tls(httpd_req *r, conn *k)
{
        const union MHD_ConnectionInfo *info;

        if (k->seen)
                return;
        k->seen = true;
        info = MHD_get_connection_info(r->c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        if (!info || !info->tls_session)
                return;
        atomic_fetch_add(&r->h->handshakes, 1);
        if (gnutls_session_is_resumed(info->tls_session))
                atomic_fetch_add(&r->h->resumed, 1);
        if (r->l->asks_client)
                tls_peer_of(info->tls_session, true, &k->peer);
}

static void find_cert(httpd_req *r)
{
        const union MHD_ConnectionInfo *info;
        tls_peer *copy;
        conn *k;

        if (!r->l->opt.tls)
                return;
        info = MHD_get_connection_info(r->c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        k = info ? info->socket_context : NULL;
        if (!k)
                return;
        look_at_tls(r, k);
        if (!k->peer.present)
                return;
        copy = odm_arena_get(&r->arena, sizeof *copy);
        if (copy) {
                *copy = k->peer;
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
        const http_field later[] = {{ODM_STR("Retry-After"), ODM_STR("1")},
                                    {ODM_STR("Connection"), ODM_STR("close")}};

        atomic_fetch_add(&r->h->shed, 1);
        return answer(r, 503, "too busy; try again soon", later, 2);
}

/* What the head alone forbids: too long a body, a coding we cannot read. */
static unsigned judge_body(const httpd_req *r)
{
        odm_str length = httpd_field(r, "content-length");
        odm_str coding = httpd_field(r, "content-encoding");
        uint64_t n = 0;

        if (coding.n && !odm_str_ieq(coding, "gzip") && !odm_str_ieq(coding, "x-gzip") &&
            !odm_str_ieq(coding, "identity"))
                return 415;
        if (length.p && odm_str_u64(length, INT64_MAX, &n) == 0 && n > r->max_body)
                return 413;
        return 0;
}

static enum MHD_Result call_head(httpd_req *r)
{
        unsigned status;

        if (r->l->opt.app.head) {
                atomic_fetch_add(&r->refs, 1); /* the application's, if it replies */
                r->l->opt.app.head(r->l->opt.app.ctx, r, &r->max_body);
                if (r->status)
                        return queue(r);
                req_unref(r);
        }
        status = judge_body(r);
        if (status == 413)
                return answer_close(r, 413, "the body is too large");
        if (status == 415)
                return answer_close(r, 415, "only gzip is taken as a content coding");
        odm_buf_init(&r->body, &heap_mem, r->max_body + 1024);
        r->phase = PHASE_BODY;
        return MHD_YES;
}

static enum MHD_Result on_head(httpd_req *r, const char *method)
{
        const char *bad;

        r->method = odm_arena_copy(&r->arena, odm_cstr(method));
        begin_flight(r);
        bad = check_head(r);
        if (!bad)
                bad = check_target(r);
        if (!bad && !http_is_token(r->method))
                bad = "a method that is no token";
        if (bad) {
                atomic_fetch_add(&r->h->refused, 1);
                return answer_close(r, 400, bad);
        }
        if (r->arena.err)
                return answer_close(r, 500, "out of memory");
        if (atomic_load(&r->h->stopping) || atomic_load(&r->h->active) >= r->h->opt.max_active)
                return shed(r);
        r->wants_gzip = http_list_has(httpd_field(r, "accept-encoding"), "gzip");
        find_peer(r);
        find_cert(r);
        return call_head(r);
}

/* The library cannot answer in the middle of a body, so one that is too long is read and dropped,
 * for a while. */
static enum MHD_Result on_upload(httpd_req *r, odm_str data)
{
        int rc = r->too_large ? ODM_ELIMIT : odm_buf_str(&r->body, data);

        if (rc == 0)
                return MHD_YES;
        if (rc == ODM_ENOMEM)
                return MHD_NO;
        r->too_large = true;
        r->dropped += data.n;
        return r->dropped > r->max_body + (4u << 20) ? MHD_NO : MHD_YES;
}

static int inflate_body(httpd_req *r)
{
        odm_str coding = httpd_field(r, "content-encoding");
        odm_buf plain;
        int rc;

        if (r->too_large)
                return ODM_ELIMIT;
        if (!coding.n || odm_str_ieq(coding, "identity") || r->body.n == 0)
                return r->body.n > r->max_body ? ODM_ELIMIT : 0;
        odm_buf_init(&plain, &heap_mem, r->max_body);
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

        if (keep_list_add(r)) {
                r->suspended = true;
                MHD_suspend_connection(r->c);
                return;
        }
        r->response = make_response(r, &sorry);
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
        return waits ? MHD_YES : queue(r);
}

static enum MHD_Result on_whole(httpd_req *r)
{
        int rc = inflate_body(r);

        r->phase = PHASE_WHOLE;
        if (rc == ODM_ELIMIT)
                return answer_close(r, 413, "the body is too large");
        if (rc == ODM_EMALFORMED)
                return answer_close(r, 400, "the compressed body is damaged");
        if (rc < 0)
                return answer_close(r, 500, "out of memory");
        if (atomic_fetch_add(&r->h->active, 1) >= r->h->opt.max_active) {
                atomic_fetch_sub(&r->h->active, 1);
                return shed(r);
        }
        atomic_fetch_add(&r->h->requests, 1);
        r->active = true;
        atomic_fetch_add(&r->refs, 1); /* the application's, until it replies */
        r->l->opt.app.handle(r->l->opt.app.ctx, r);
        return suspend_or_queue(r);
}

/* ---- what the library calls -------------------------------------------------------------------
 */

static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *c)
{
        return req_new(ctx, c, uri);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *c, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_n, void **req)
{
        httpd_req *r = *req;
        odm_str data = {upload, *upload_n};

        (void)ctx;
        (void)c;
        (void)url;
        (void)version;
        if (!r)
                return MHD_NO;
        if (r->phase == PHASE_HEAD)
                return on_head(r, method);
        if (data.n) {
                *upload_n = 0;
                return on_upload(r, data);
        }
        if (r->phase == PHASE_BODY)
                return on_whole(r);
        return suspend_or_queue(r); /* resumed */
}

static void on_completed(void *ctx, struct MHD_Connection *c, void **req,
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
        if (r->counted) {
                pthread_mutex_lock(&h->lock);
                if (--h->in_flight == 0)
                        pthread_cond_signal(&h->quiet);
                pthread_mutex_unlock(&h->lock);
        }
        req_unref(r);
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **socket_ctx,
                          enum MHD_ConnectionNotificationCode what)
{
        listener *l = ctx;
        const union MHD_ConnectionInfo *info;
        int one = 1;

        if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
                free(*socket_ctx);
                *socket_ctx = NULL;
                return;
        }
        info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info)
                (void)setsockopt(info->connect_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (!l->opt.tls)
                return;
        *socket_ctx = calloc(1, sizeof(conn));
        info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        if (info && info->tls_session) /* refused: every handshake is a full one, no more */
                (void)gnutls_session_ticket_enable_server(info->tls_session, &l->ticket.d);
}

static void on_log(void *ctx, const char *fmt, va_list ap)
{
        char line[256];

        (void)ctx;
        vsnprintf(line, sizeof line, fmt, ap);
        line[strcspn(line, "\n")] = 0;
        log_debug("http server", log_text("detail", line));
}

/* ---- looking at a request
 * ------------------------------------------------------------------------ */

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

/* ---- streams
 * ------------------------------------------------------------------------------------------ */

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
static struct MHD_Response *stream_response(httpd_stream *s, const char *type,
                                            const http_field *fields, size_t n)
{
        struct MHD_Response *m = MHD_create_response_from_callback(
                MHD_SIZE_UNKNOWN, 4096, on_stream_read, s, on_stream_gone);
        if (!m) {
                on_stream_gone(s);
                return NULL;
        }
        return finish_headers(s->h, m, type, fields, n); /* on failure it lets go of s */
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

        if (!begin_reply(r))
                return NULL;
        s = stream_new(r);
        if (s)
                m = stream_response(s, type, fields, n);
        if (m) {
                deliver(r, status, m);
                return s;
        }
        if (s)
                stream_unref(s);
        deliver(r, 500, make_response(r, &poor));
        return NULL;
}

int httpd_stream_write(httpd_stream *s, odm_str data)
{
        int rc = ODM_ESTATE;

        pthread_mutex_lock(&s->lock);
        if (!s->gone && !s->ended) {
                if (s->at > 0 && s->at >= s->buf.n / 2) { /* what was read makes room */
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

/* ---- starting and stopping
 * -------------------------------------------------------------------------------- */

static int read_pem(const char *path, char **out, diag *d)
{
        odm_buf b;
        int rc;

        if (!path)
                return 0;
        odm_buf_init(&b, &heap_mem, 1u << 20);
        rc = fsio_read(path, (1u << 20) - 1, &b, d);
        if (rc == 0)
                rc = odm_buf_byte(&b, 0);
        if (rc < 0)
                odm_buf_done(&b);
        else
                *out = b.p; /* malloc's, see heap.h */
        return rc;
}

static int load_tls(listener *l, const httpd_listener *o, diag *d)
{
        int rc;

        if (!o->cert_file)
                return diag_set(d, ODM_EINVAL, "a TLS listener needs a certificate");
        rc = read_pem(o->cert_file, &l->cert, d);
        if (rc == 0)
                rc = read_pem(o->key_file ? o->key_file : o->cert_file, &l->key, d);
        if (rc == 0)
                rc = read_pem(o->client_ca_file, &l->trust, d);
        if (rc == 0 && o->ticket_file)
                rc = tls_ticket_key_load(o->ticket_file, &l->ticket, d);
        else if (rc == 0 && gnutls_session_ticket_key_generate(&l->ticket.d) < 0)
                rc = ODM_ENOMEM;
        l->asks_client = o->client_ca_file != NULL;
        return rc;
}

static int open_socket(listener *l, const net_addr *at, diag *d)
{
        char text[NET_ADDR_TEXT];
        net_addr got = {.n = sizeof got.sa};
        int on = 1, off = 0;
        int fd = socket(at->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        net_addr_format(at, text);
        if (fd < 0)
                return diag_set(d, -1, "listener %s: %s", text, strerror(errno));
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (at->sa.ss_family == AF_INET6)
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        if (bind(fd, (const struct sockaddr *)&at->sa, at->n) < 0 || listen(fd, 1024) < 0 ||
            getsockname(fd, (struct sockaddr *)&got.sa, &got.n) < 0) {
                diag_set(d, 0, "listener %s: %s", text, strerror(errno));
                close(fd);
                return -1;
        }
        l->port = net_addr_port(&got);
        return fd;
}

static int start_daemon(listener *l, const httpd_listener *o, diag *d)
{
        const httpd_opt *h = &l->h->opt;
        unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                         MHD_USE_ERROR_LOG | (o->tls ? (unsigned)MHD_USE_TLS : 0);
        struct MHD_OptionItem items[12];
        size_t n = 0;
        int fd = open_socket(l, &o->addr, d);

        if (fd < 0)
                return ODM_EIO;
        if (o->workers > 1)
                items[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, o->workers, NULL};
        if (o->tls) {
                items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, l->key};
                items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, l->cert};
                items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
                                                     (void *)(uintptr_t)tls_priorities};
                if (l->trust)
                        items[n++] =
                                (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, l->trust};
        }
        items[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
        l->daemon = MHD_start_daemon(
                flags, 0, NULL, NULL, on_access, l, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, on_uri, l,
                MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
                on_connection, l, MHD_OPTION_CONNECTION_MEMORY_LIMIT, h->connection_memory,
                MHD_OPTION_CONNECTION_LIMIT, h->max_connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                h->max_per_address, MHD_OPTION_CONNECTION_TIMEOUT, h->idle_s,
                MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
        if (l->daemon)
                return 0;
        close(fd);
        return diag_set(d, o->tls ? ODM_EMALFORMED : ODM_EIO, "listener %zu does not start%s",
                        l->index, o->tls ? ": is its certificate good and for its key?" : "");
}

static int start_listener(httpd *h, size_t i, const httpd_listener *o, diag *d)
{
        listener *l = &h->l[i];
        int rc = 0;

        l->h = h;
        l->index = i;
        l->opt = *o;
        if (!o->app.handle || o->workers == 0 || o->workers > h->opt.max_connections)
                return diag_set(d, ODM_EINVAL, "listener %zu has no handler or no workers", i);
        if (o->tls)
                rc = load_tls(l, o, d);
        return rc < 0 ? rc : start_daemon(l, o, d);
}

static void free_all(httpd *h)
{
        for (size_t i = 0; h->l && i < h->n; i++) {
                listener *l = &h->l[i];
                if (l->key)
                        odm_wipe(l->key, strlen(l->key));
                free(l->key);
                free(l->cert);
                free(l->trust);
                tls_ticket_key_done(&l->ticket);
        }
        pthread_cond_destroy(&h->quiet);
        pthread_mutex_destroy(&h->lock);
        free(h->server_name);
        free(h->l);
        free(h);
}

int httpd_start(const httpd_opt *opt, const httpd_listener *l, size_t n, httpd **out, diag *d)
{
        pthread_condattr_t attr;
        httpd *h;
        int rc = 0;

        if (n == 0 || n > LISTENERS_MAX)
                return diag_set(d, ODM_EINVAL, "from 1 to %d listeners", LISTENERS_MAX);
        h = calloc(1, sizeof *h);
        if (!h)
                return ODM_ENOMEM;
        h->opt = *opt;
        h->n = n;
        pthread_mutex_init(&h->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&h->quiet, &attr);
        pthread_condattr_destroy(&attr);
        h->l = calloc(n, sizeof *h->l);
        h->server_name = opt->server_name ? strdup(opt->server_name) : NULL;
        if (!h->l || (opt->server_name && !h->server_name))
                rc = diag_set(d, ODM_ENOMEM, "out of memory");
        for (size_t i = 0; rc == 0 && i < n; i++)
                rc = start_listener(h, i, &l[i], d);
        if (rc < 0)
                httpd_stop(h, 0);
        else
                *out = h;
        return rc;
}

uint16_t httpd_port(const httpd *h, size_t i)
{
        return i < h->n ? h->l[i].port : 0;
}

static void end_streams(httpd *h)
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

static void wait_quiet(httpd *h, int64_t ms)
{
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += ms / 1000;
        until.tv_nsec += (ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_sec++;
                until.tv_nsec -= 1000000000;
        }
        pthread_mutex_lock(&h->lock);
        while (h->in_flight > 0)
                if (pthread_cond_timedwait(&h->quiet, &h->lock, &until) == ETIMEDOUT)
                        break;
        pthread_mutex_unlock(&h->lock);
}

static httpd_req *take_kept(httpd *h)
{
        httpd_req *r;

        pthread_mutex_lock(&h->lock);
        h->closed = true;
        r = h->kept;
        if (r)
                atomic_fetch_add(&r->refs, 1);
        pthread_mutex_unlock(&h->lock);
        return r;
}

/* Answers what the application still keeps; it may look at those requests until it replies. */
static void abandon_kept(httpd *h)
{
        const httpd_reply sorry = {.status = 503};
        httpd_req *r;

        while ((r = take_kept(h))) {
                pthread_mutex_lock(&r->lock);
                if (r->suspended) { /* else its reply came meanwhile */
                        pthread_mutex_lock(&h->lock);
                        keep_list_del(r);
                        pthread_mutex_unlock(&h->lock);
                        r->response = make_response(r, &sorry);
                        r->status = 503;
                        r->abandoned = true;
                        r->suspended = false;
                        MHD_resume_connection(r->c);
                }
                pthread_mutex_unlock(&r->lock);
                req_unref(r);
        }
}

void httpd_stop(httpd *h, int64_t ms)
{
        if (!h)
                return;
        atomic_store(&h->stopping, true);
        for (size_t i = 0; h->l && i < h->n; i++) {
                int fd = h->l[i].daemon ? MHD_quiesce_daemon(h->l[i].daemon) : -1;
                if (fd >= 0)
                        close(fd);
        }
        end_streams(h);
        wait_quiet(h, ms);
        abandon_kept(h);
        wait_quiet(h, ms > 0 ? 500 : 0); /* for the 503s to leave */
        for (size_t i = 0; h->l && i < h->n; i++)
                if (h->l[i].daemon)
                        MHD_stop_daemon(h->l[i].daemon);
        free_all(h);
}

httpd_stats httpd_get_stats(const httpd *h)
{
        return (httpd_stats){.requests = atomic_load(&h->requests),
                             .refused = atomic_load(&h->refused),
                             .shed = atomic_load(&h->shed),
                             .handshakes = atomic_load(&h->handshakes),
                             .resumed = atomic_load(&h->resumed),
                             .active = atomic_load(&h->active)};
}
