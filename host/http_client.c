/* SPDX-License-Identifier: Apache-2.0 */
/* http_client.c - HTTP/1.1 over one connection at a time; see http_client.h.
 *
 *   IDLE --send--> NAME -> CONNECT -+-> (https by proxy) TUNNEL_SEND -> TUNNEL_RECV -+
 *     |                             +-----------------------------------> HANDSHAKE <-+
 *     |                             +--(http)--> SEND -> RECV -> IDLE       |
 *     +--send, connection kept-------------------^  ^-----------------------+
 *   Any state but IDLE --trouble--> FAILED --> IDLE, the connection closed
 *   SEND or RECV on a kept connection, closed before an octet came --> NAME, once             */
#include "http_client.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gzip.h"
#include "heap.h"
#include "net.h"

#define ADDRS 8
#define KEY_MAX 300
#define REQUEST_HEAD_MAX (64u << 10)
#define SHORT_MS 2000 /* of silence, before a body that is too short is looked at */

typedef enum client_state {
        IDLE,
        NAME,
        CONNECT,
        TUNNEL_SEND,
        TUNNEL_RECV,
        HANDSHAKE,
        SEND,
        RECV,
        FAILED, /* the callback is still to be called */
} client_state;

static const char *const state_names[] = {"idle",        "name",        "connect",
                                          "tunnel-send", "tunnel-recv", "handshake",
                                          "send",        "recv",        "failed"};

struct http_client {
        loop *loop;
        http_client_opt opt; /* its strings are ours */
        bool has_proxy;
        net_url proxy;

        client_state state;
        loop_timer timer;
        net_query *query;
        net_addr addrs[ADDRS];
        size_t n_addrs, addr_at;

        /* the connection */
        loop_io io;
        tls_conn *tls;
        bool resumed;
        http_client_counts counts;
        char key[KEY_MAX];        /* "https://host:port" it leads to; "" = none */
        char resume_key[KEY_MAX]; /* whose session `resume` is */
        tls_resume resume;

        /* the request */
        net_url url;
        odm_buf tunnel, out;
        size_t out_at;
        http_parse parse;
        bool head;    /* HEAD: the reply has no body */
        bool kept;    /* it went out on a connection kept from before */
        bool sent;    /* an octet of it went out */
        bool over;    /* the connection is not to be kept */
        bool in_send; /* http_client_send() has not returned */
        odm_time due; /* of the whole reply */
        diag why;
        int rc;
        void (*fn)(void *ctx, const http_reply *r);
        void *ctx;
};

/* What a step says to advance(). */
typedef enum step_result {
        STEP_ON,   /* the state has changed: go on */
        STEP_WAIT, /* until the socket is ready */
        STEP_END,  /* the callback was called: the client may be gone */
} step_result;

void http_client_opt_init(http_client_opt *o)
{
        *o = (http_client_opt){.max_inflated = 16u << 20,
                               .connect_ms = 20000,
                               .reply_ms = 60000,
                               .idle_ms = 30000,
                               .user_agent = "xrem"};
        http_limits_init(&o->limits);
}

static void enter(http_client *c, client_state to)
{
        ODM_TRACE(c->opt.trace, "http", "%s -> %s", state_names[c->state], state_names[to]);
        c->state = to; /* the only assignment to state in this file */
}

static void set_timer(http_client *c, int64_t ms)
{
        if (loop_timer_set(c->loop, &c->timer, odm_time_add(loop_now(), ms)) < 0)
                c->over = true; /* only when it was not set: at least do not keep the connection */
}

static void disconnect(http_client *c)
{
        loop_io_del(&c->io);
        tls_conn_free(c->tls);
        c->tls = NULL;
        if (c->io.fd >= 0)
                close(c->io.fd);
        c->io.fd = -1;
        c->key[0] = 0;
}

/* ---- the end of a request -------------------------------------------------------- */

static int inflate_body(http_client *c, odm_buf *inflated, http_reply *r)
{
        odm_str coding = http_parse_field(&c->parse, "content-encoding");
        int rc;

        r->body = odm_buf_view(&c->parse.body);
        if (coding.n == 0 || odm_str_ieq(coding, "identity") || odm_str_ieq(coding, "utf-8") ||
            r->body.n == 0) /* some take the charset for a coding */
                return 0;
        if (!odm_str_ieq(coding, "gzip") && !odm_str_ieq(coding, "x-gzip"))
                return diag_set(&c->why, ODM_EMALFORMED,
                                "the reply has a content coding we did not "
                                "ask for");
        rc = gzip_unpack(r->body, inflated);
        if (rc < 0)
                return diag_set(&c->why, rc, "the compressed reply: %s", odm_err_text(rc));
        r->body = odm_buf_view(inflated);
        return 0;
}

/* Calls back.  The reply's memory is moved out of the client first, because the callback may
 * start the next request, or free the client. */
static step_result finish(http_client *c, int rc)
{
        http_reply r = {.rc = rc, .sent = c->sent};
        odm_buf inflated;
        http_parse parse;
        diag why;

        odm_buf_init(&inflated, &heap_mem, c->opt.max_inflated);
        if (r.rc == 0)
                r.rc = inflate_body(c, &inflated, &r);
        parse = c->parse;
        why = c->why;
        http_parse_init(&c->parse, &heap_mem, &c->opt.limits);
        if (r.rc == 0) {
                r.status = parse.status;
                r.fields = parse.fields;
                r.n_fields = parse.n_fields;
        } else {
                r.why = why.text[0] ? why.text : odm_err_text(r.rc);
        }
        loop_timer_stop(&c->timer);
        net_query_cancel(c->query);
        c->query = NULL;
        if (c->rc < 0 || r.rc < 0 || c->over || parse.close)
                disconnect(c);
        else
                set_timer(c, c->opt.idle_ms);
        odm_buf_cut(&c->out, 0);
        enter(c, IDLE);
        c->fn(c->ctx, &r); /* c may be gone */
        odm_buf_done(&inflated);
        http_parse_done(&parse);
        return STEP_END;
}

/* The request has failed with c->why.  Never calls back from within http_client_send(). */
static step_result fail(http_client *c, int rc)
{
        c->rc = rc;
        if (!c->in_send)
                return finish(c, rc);
        enter(c, FAILED);
        set_timer(c, 0);
        return STEP_END;
}

/* ---- connecting ---------------------------------------------------------------------- */

static void on_io(void *ctx, unsigned events);
static void advance(http_client *c);

static step_result try_connect(http_client *c)
{
        int one = 1;

        while (c->addr_at < c->n_addrs) {
                const net_addr *a = &c->addrs[c->addr_at++];
                disconnect(c);
                c->io.fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                if (c->io.fd < 0)
                        continue;
                (void)setsockopt(c->io.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                if (connect(c->io.fd, (const struct sockaddr *)&a->sa, a->n) < 0 &&
                    errno != EINPROGRESS) {
                        diag_set(&c->why, 0, "%s: %s", c->has_proxy ? c->proxy.host : c->url.host,
                                 strerror(errno));
                        continue;
                }
                if (loop_io_add(c->loop, &c->io, LOOP_WRITE) < 0)
                        return fail(c, ODM_ENOMEM);
                enter(c, CONNECT);
                return STEP_WAIT;
        }
        return fail(c, ODM_EIO);
}

static void on_name(void *ctx, int rc, const net_addr *a, size_t n, const char *why)
{
        http_client *c = ctx;

        c->query = NULL;
        assert(c->state == NAME);
        if (rc < 0) {
                diag_set(&c->why, rc, "%s", why);
                (void)fail(c, ODM_EIO);
                return;
        }
        c->n_addrs = n < ADDRS ? n : ADDRS;
        memcpy(c->addrs, a, c->n_addrs * sizeof *a);
        (void)try_connect(c);
}

static step_result start_connect(http_client *c)
{
        const net_url *to = c->has_proxy ? &c->proxy : &c->url;

        disconnect(c);
        c->kept = c->over = false;
        c->out_at = c->n_addrs = c->addr_at = 0;
        http_parse_reset(&c->parse);
        enter(c, NAME);
        set_timer(c, c->opt.connect_ms);
        if (to->host[0] && net_addr_parse(to->host, to->port, &c->addrs[0]) == 0) {
                c->n_addrs = 1;
                return try_connect(c);
        }
        if (net_query_start(c->loop, to->host, to->port, SOCK_STREAM, on_name, c, &c->query) < 0)
                return fail(c, ODM_ENOMEM);
        return STEP_WAIT;
}

/* Once on a fresh connection: the server may close a kept one at the moment we use it.  As no
 * octet of a reply came, an answer cannot have been lost on us. */
static step_result lost(http_client *c, int rc)
{
        if (c->kept && !c->parse.any)
                return start_connect(c);
        return fail(c, rc);
}

static step_result begin_tls(http_client *c)
{
        bool same = strcmp(c->resume_key, c->key) == 0;

        if (!c->opt.tls) {
                diag_set(&c->why, 0, "no TLS credentials are configured");
                return fail(c, ODM_EINVAL);
        }
        if (tls_conn_new(c->opt.tls, c->io.fd, c->url.host, same ? &c->resume : NULL, &c->tls) < 0)
                return fail(c, ODM_ENOMEM);
        enter(c, HANDSHAKE);
        return STEP_ON;
}

static void set_due(http_client *c)
{
        c->due = odm_time_add(loop_now(), c->opt.reply_ms);
        set_timer(c, c->opt.reply_ms);
}

/* The connection stands: the request may go out. */
static void begin_send(http_client *c)
{
        http_parse_reset(&c->parse);
        c->parse.head_request = c->head;
        c->out_at = 0;
        enter(c, SEND);
        set_due(c);
}

/* Its length says there is more, and what came is whole all the same. */
static bool is_whole(const http_client *c)
{
        return c->opt.whole && http_parse_is_short(&c->parse) &&
               c->opt.whole(odm_buf_view(&c->parse.body));
}

static bool is_https(const http_client *c)
{
        return strcmp(c->url.scheme, "https") == 0;
}

static void make_key(const net_url *u, char out[KEY_MAX])
{
        snprintf(out, KEY_MAX, "%s://%s:%u", u->scheme, u->host, u->port);
}

static step_result on_connected(http_client *c)
{
        int err = 0;
        socklen_t n = sizeof err;

        if (getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0 || err != 0) {
                diag_set(&c->why, 0, "%s port %u: %s", c->has_proxy ? c->proxy.host : c->url.host,
                         c->has_proxy ? c->proxy.port : c->url.port, strerror(err));
                return try_connect(c);
        }
        c->counts.connections++;
        make_key(&c->url, c->key);
        if (!is_https(c)) {
                begin_send(c);
        } else if (c->has_proxy) {
                enter(c, TUNNEL_SEND);
        } else {
                return begin_tls(c);
        }
        return STEP_ON;
}

static step_result wait_for(http_client *c, unsigned events)
{
        if (loop_io_set(&c->io, events) < 0)
                return fail(c, ODM_EIO);
        return STEP_WAIT;
}

static step_result on_handshake(http_client *c)
{
        int rc = tls_conn_handshake(c->tls, &c->why);

        if (rc > 0)
                return wait_for(c, rc == TLS_AGAIN_READ ? LOOP_READ : LOOP_WRITE);
        if (rc < 0)
                return fail(c, rc);
        c->resumed = tls_conn_resumed(c->tls);
        c->counts.handshakes++;
        c->counts.resumed += c->resumed;
        begin_send(c);
        return STEP_ON;
}

/* ---- octets ---------------------------------------------------------------------------- */

/* As tls_conn_read() and tls_conn_write(), with or without TLS. */
static int conn_read(http_client *c, void *p, size_t room, size_t *n)
{
        ssize_t got;

        if (c->tls)
                return tls_conn_read(c->tls, p, room, n, &c->why);
        do
                got = recv(c->io.fd, p, room, 0);
        while (got < 0 && errno == EINTR);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                return TLS_AGAIN_READ;
        if (got < 0)
                return diag_set(&c->why, ODM_EIO, "%s: %s", c->url.host, strerror(errno));
        *n = (size_t)got;
        return 0;
}

static int conn_write(http_client *c, odm_str s, size_t *n)
{
        ssize_t put;

        if (c->tls)
                return tls_conn_write(c->tls, s.p, s.n, n, &c->why);
        do
                put = send(c->io.fd, s.p, s.n, MSG_NOSIGNAL);
        while (put < 0 && errno == EINTR);
        if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                return TLS_AGAIN_WRITE;
        if (put < 0)
                return diag_set(&c->why, ODM_EIO, "%s: %s", c->url.host, strerror(errno));
        *n = (size_t)put;
        return 0;
}

/* Reads once and feeds the parser.  Returns 1 when the reply is whole, 0 when octets came,
 * TLS_AGAIN_* + 1 to wait, negative on failure. */
enum { READ_MORE = 0, READ_WHOLE = 1, READ_WAIT_READ = 2, READ_WAIT_WRITE = 3 };

static int read_some(http_client *c)
{
        char buf[16384];
        size_t n = 0, used = 0;
        int rc = conn_read(c, buf, sizeof buf, &n);

        if (rc > 0)
                return rc == TLS_AGAIN_READ ? READ_WAIT_READ : READ_WAIT_WRITE;
        if (rc < 0)
                return rc;
        if (n == 0) {
                c->over = true;
                rc = http_parse_eof(&c->parse);
                if (rc < 0 && !c->tls && is_whole(c))
                        return READ_WHOLE;
                return rc == 1 ? READ_WHOLE
                               : diag_set(&c->why, ODM_EIO,
                                          "%s closed the connection before its "
                                          "reply was whole",
                                          c->url.host);
        }
        rc = http_parse_feed(&c->parse, (odm_str){buf, n}, &used);
        if (rc < 0)
                return diag_set(&c->why, rc, "the reply of %s: %s", c->url.host, odm_err_text(rc));
        if (used < n)
                c->over = true; /* octets nobody asked for: not to be taken for the next reply */
        return rc == 1 ? READ_WHOLE : READ_MORE;
}

static step_result on_tunnel_send(http_client *c)
{
        size_t n = 0;
        int rc = conn_write(c, odm_str_from(odm_buf_view(&c->tunnel), c->out_at), &n);

        if (rc > 0)
                return wait_for(c, LOOP_WRITE);
        if (rc < 0)
                return fail(c, rc);
        c->out_at += n;
        if (c->out_at < c->tunnel.n)
                return STEP_ON;
        c->parse.head_request = true; /* a CONNECT that succeeds has no body */
        enter(c, TUNNEL_RECV);
        return STEP_ON;
}

static step_result on_tunnel_recv(http_client *c)
{
        int rc = read_some(c);
        unsigned status = c->parse.status;

        if (rc == READ_MORE)
                return STEP_ON;
        if (rc >= READ_WAIT_READ)
                return wait_for(c, LOOP_READ);
        if (rc < 0)
                return fail(c, rc);
        if (status / 100 != 2 || c->over) {
                diag_set(&c->why, 0, "the proxy %s answered %u", c->proxy.host, status);
                return fail(c, ODM_EIO);
        }
        return begin_tls(c);
}

static step_result on_send(http_client *c)
{
        odm_str rest = odm_str_from(odm_buf_view(&c->out), c->out_at);
        size_t n = 0;
        int rc = conn_write(c, rest, &n);

        if (rc == TLS_AGAIN_READ)
                return wait_for(c, LOOP_READ);
        if (rc > 0) {
                /* a server that refuses a large body answers before it has read it */
                rc = read_some(c);
                if (rc == READ_WHOLE) {
                        c->over = true;
                        return finish(c, 0);
                }
                return rc < 0 ? lost(c, rc) : wait_for(c, LOOP_READ | LOOP_WRITE);
        }
        if (rc < 0) { /* perhaps it refused and closed: its answer may be waiting */
                c->over = true;
                enter(c, RECV);
                return STEP_ON;
        }
        c->sent = true;
        c->out_at += n;
        set_due(c);
        if (c->out_at == c->out.n)
                enter(c, RECV);
        return STEP_ON;
}

/* The timer goes off after some silence, or when the reply is due. */
static void wait_short(http_client *c)
{
        int64_t left = c->due.ms - loop_now().ms;

        set_timer(c, left < 0 ? 0 : left < SHORT_MS ? left : SHORT_MS);
}

/* Silence in the middle of a reply.  True: the timer was not the last one. */
static bool goes_on(http_client *c)
{
        int64_t left = c->due.ms - loop_now().ms;

        if (!c->opt.whole || !http_parse_is_short(&c->parse))
                return false;
        if (is_whole(c)) {
                c->over = true;
                (void)finish(c, 0);
                return true;
        }
        if (left > 0)
                set_timer(c, left);
        return left > 0;
}

static step_result on_recv(http_client *c)
{
        int rc = read_some(c);

        if (rc == READ_MORE) {
                if (c->opt.whole && http_parse_is_short(&c->parse))
                        wait_short(c);
                return STEP_ON;
        }
        if (rc == READ_WAIT_READ)
                return wait_for(c, LOOP_READ);
        if (rc == READ_WAIT_WRITE)
                return wait_for(c, LOOP_WRITE);
        if (rc < 0)
                return lost(c, rc);
        if (c->tls) {
                tls_conn_save(c->tls, &c->resume);
                memcpy(c->resume_key, c->key, sizeof c->key);
        }
        return wait_for(c, LOOP_READ) == STEP_END ? STEP_END : finish(c, 0);
}

/* A kept connection is ready to read: closed, or, with TLS, a ticket came late. */
static step_result on_idle(http_client *c)
{
        char c1;
        size_t n = 0;

        if (conn_read(c, &c1, 1, &n) > 0)
                return STEP_WAIT;
        loop_timer_stop(&c->timer);
        disconnect(c);
        return STEP_END;
}

static step_result step(http_client *c)
{
        switch (c->state) {
        case CONNECT: return on_connected(c);
        case TUNNEL_SEND: return on_tunnel_send(c);
        case TUNNEL_RECV: return on_tunnel_recv(c);
        case HANDSHAKE: return on_handshake(c);
        case SEND: return on_send(c);
        case RECV: return on_recv(c);
        case IDLE: return on_idle(c);
        case NAME:
        case FAILED: return STEP_WAIT;
        }
        ODM_UNREACHABLE();
}

static void on_timer(void *ctx);

/* A server that never stops talking keeps the loop from its timers. */
static void advance(http_client *c)
{
        while (step(c) == STEP_ON)
                if (c->state == RECV && odm_time_reached(loop_now(), c->due)) {
                        on_timer(c);
                        return;
                }
}

static void on_io(void *ctx, unsigned events)
{
        (void)events; /* a hang-up shows in the next read or write */
        advance(ctx);
}

static void on_timer(void *ctx)
{
        http_client *c = ctx;

        switch (c->state) {
        case IDLE: disconnect(c); break;
        case FAILED: (void)finish(c, c->rc); break;
        case NAME:
        case CONNECT:
        case TUNNEL_SEND:
        case TUNNEL_RECV:
        case HANDSHAKE:
                diag_set(&c->why, 0, "%s: no connection in %lld ms (%s)", c->url.host,
                         (long long)c->opt.connect_ms, state_names[c->state]);
                (void)fail(c, ODM_EIO);
                break;
        case SEND:
        case RECV:
                if (c->state == RECV && goes_on(c))
                        return;
                diag_set(&c->why, 0, "%s: no reply in %lld ms", c->url.host,
                         (long long)c->opt.reply_ms);
                (void)fail(c, ODM_EIO);
                break;
        }
}

/* ---- making the request ------------------------------------------------------------------ */

static bool is_ours(odm_str name)
{
        static const char *const ours[] = {"host",
                                           "connection",
                                           "content-length",
                                           "user-agent",
                                           "accept-encoding",
                                           "transfer-encoding",
                                           "content-encoding",
                                           "proxy-authorization"};

        for (size_t i = 0; i < ODM_COUNT(ours); i++)
                if (odm_str_ieq(name, ours[i]))
                        return true;
        return false;
}

static int put_field(odm_buf *b, const char *name, odm_str value)
{
        return odm_buf_fmt(b, "%s: %.*s\r\n", name, (int)value.n, value.p);
}

static int put_fields(odm_buf *b, const http_request *r)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < r->n_fields; i++) {
                const http_field *f = &r->fields[i];
                if (!http_is_token(f->name) || !http_value_ok(f->value) || is_ours(f->name))
                        return ODM_EINVAL;
                rc = odm_buf_str(b, f->name);
                if (rc == 0)
                        rc = odm_buf_str(b, ODM_STR(": "));
                if (rc == 0)
                        rc = odm_buf_str(b, f->value);
                if (rc == 0)
                        rc = odm_buf_str(b, ODM_STR("\r\n"));
        }
        return rc;
}

static int put_request_line(http_client *c, const char *method)
{
        char host[300];
        int rc;

        net_url_host_header(&c->url, host, sizeof host);
        if (c->has_proxy && !is_https(c))
                rc = odm_buf_fmt(&c->out, "%s http://%s%s HTTP/1.1\r\n", method, host,
                                 c->url.target);
        else
                rc = odm_buf_fmt(&c->out, "%s %s HTTP/1.1\r\n", method, c->url.target);
        if (rc == 0)
                rc = odm_buf_fmt(&c->out, "Host: %s\r\nUser-Agent: %s\r\nAccept-Encoding: gzip\r\n",
                                 host, c->opt.user_agent);
        if (rc == 0 && c->has_proxy && !is_https(c) && c->opt.proxy_auth)
                rc = put_field(&c->out, "Proxy-Authorization", odm_cstr(c->opt.proxy_auth));
        return rc;
}

static int put_body(odm_buf *out, odm_str body, bool packed)
{
        int rc = packed ? odm_buf_str(out, ODM_STR("Content-Encoding: gzip\r\n")) : 0;

        if (rc == 0 && body.p)
                rc = odm_buf_fmt(out, "Content-Length: %zu\r\n", body.n);
        if (rc == 0)
                rc = odm_buf_str(out, ODM_STR("\r\n"));
        if (rc == 0)
                rc = odm_buf_str(out, body);
        return rc;
}

static int build_request(http_client *c, const http_request *r)
{
        odm_buf packed;
        odm_str body = r->body;
        bool smaller = false;
        int rc;

        odm_buf_init(&packed, &heap_mem, r->body.n);
        odm_buf_cut(&c->out, 0);
        if (r->gzip && r->body.n > 64 && gzip_pack(r->body, &packed) == 0 && packed.n < r->body.n) {
                body = odm_buf_view(&packed);
                smaller = true;
        }
        rc = put_request_line(c, r->method);
        if (rc == 0)
                rc = put_fields(&c->out, r);
        if (rc == 0)
                rc = put_body(&c->out, body, smaller);
        odm_buf_done(&packed);
        return rc;
}

static int build_tunnel(http_client *c)
{
        const char *open = c->url.v6 ? "[" : "", *shut = c->url.v6 ? "]" : "";
        int rc;

        odm_buf_cut(&c->tunnel, 0);
        rc = odm_buf_fmt(&c->tunnel, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n", open,
                         c->url.host, shut, c->url.port, open, c->url.host, shut, c->url.port);
        if (rc == 0 && c->opt.proxy_auth)
                rc = put_field(&c->tunnel, "Proxy-Authorization", odm_cstr(c->opt.proxy_auth));
        if (rc == 0)
                rc = odm_buf_str(&c->tunnel, ODM_STR("\r\n"));
        return rc;
}

static int prepare(http_client *c, const http_request *r)
{
        int rc;

        if (net_url_parse(r->url, &c->url) < 0 || !c->url.host[0] ||
            (!is_https(c) && strcmp(c->url.scheme, "http") != 0)) {
                diag_set(&c->why, 0, "'%.*s' is no URL of http or https",
                         (int)(r->url.n < 200 ? r->url.n : 200), r->url.p ? r->url.p : "");
                c->rc = ODM_EINVAL;
                return 0; /* told by the callback, as every URL may come from a peer */
        }
        rc = build_request(c, r);
        if (rc == 0 && c->has_proxy && is_https(c))
                rc = build_tunnel(c);
        return rc;
}

int http_client_send(http_client *c, const http_request *r,
                     void (*fn)(void *ctx, const http_reply *r), void *ctx)
{
        char key[KEY_MAX];
        int rc;

        if (c->state != IDLE)
                return ODM_ESTATE;
        if (!http_is_token(odm_cstr(r->method)))
                return ODM_EINVAL;
        c->rc = 0;
        c->why.text[0] = 0;
        rc = prepare(c, r);
        if (rc == 0) /* once it is set it can be moved without memory, until the request is over */
                rc = loop_timer_set(c->loop, &c->timer,
                                    odm_time_add(loop_now(), c->opt.connect_ms));
        if (rc < 0) {
                odm_buf_cut(&c->out, 0);
                return rc;
        }
        c->fn = fn;
        c->ctx = ctx;
        c->head = strcmp(r->method, "HEAD") == 0;
        c->sent = c->over = false;
        c->in_send = true;
        make_key(&c->url, key);
        if (c->rc < 0) {
                (void)fail(c, c->rc);
        } else if (c->io.fd >= 0 && strcmp(key, c->key) == 0) {
                c->kept = true;
                begin_send(c);
                if (loop_io_set(&c->io, LOOP_READ | LOOP_WRITE) < 0)
                        (void)fail(c, ODM_EIO);
        } else {
                (void)start_connect(c);
        }
        c->in_send = false;
        return 0;
}

/* ---- life ------------------------------------------------------------------------------- */

static char *copy_of(const char *z)
{
        return z && *z ? strdup(z) : NULL;
}

static int parse_proxy(const char *proxy, const char *proxy_auth, net_url *out)
{
        if (net_url_parse(odm_cstr(proxy), out) < 0 || strcmp(out->scheme, "http") != 0 ||
            !out->host[0] || (proxy_auth && !http_value_ok(odm_cstr(proxy_auth))))
                return ODM_EINVAL;
        return 0;
}

static bool same_text(const char *a, const char *b)
{
        return strcmp(a ? a : "", b ? b : "") == 0;
}

int http_client_set_proxy(http_client *c, const char *proxy, const char *proxy_auth)
{
        bool wanted = proxy && *proxy;
        net_url to = {.port = 0};
        char *auth;

        if (c->state != IDLE)
                return ODM_ESTATE;
        if (wanted && parse_proxy(proxy, proxy_auth, &to) < 0)
                return ODM_EINVAL;
        if (!wanted)
                proxy_auth = NULL;
        if (wanted == c->has_proxy && same_text(proxy_auth, c->opt.proxy_auth) &&
            (!wanted || (strcmp(to.host, c->proxy.host) == 0 && to.port == c->proxy.port)))
                return 0;
        auth = copy_of(proxy_auth);
        if (proxy_auth && *proxy_auth && !auth)
                return ODM_ENOMEM;
        http_client_close(c);
        free((char *)(uintptr_t)c->opt.proxy_auth);
        c->opt.proxy_auth = auth;
        c->proxy = to;
        c->has_proxy = wanted;
        return 0;
}

int http_client_new(loop *l, const http_client_opt *opt, http_client **out)
{
        http_client *c = calloc(1, sizeof *c);
        bool wants_proxy = opt->proxy && *opt->proxy;
        int rc = ODM_ENOMEM;

        if (!c)
                return ODM_ENOMEM;
        c->loop = l;
        c->opt = *opt;
        c->opt.proxy = NULL;
        c->opt.proxy_auth = copy_of(opt->proxy_auth);
        c->opt.user_agent = strdup(opt->user_agent ? opt->user_agent : "xrem");
        c->io = (loop_io){.fd = -1, .fn = on_io, .ctx = c};
        c->timer = (loop_timer){.fn = on_timer, .ctx = c};
        http_parse_init(&c->parse, &heap_mem, &opt->limits);
        odm_buf_init(&c->out, &heap_mem, (size_t)1 << 30);
        odm_buf_init(&c->tunnel, &heap_mem, REQUEST_HEAD_MAX);
        if (!c->opt.user_agent || (opt->proxy_auth && *opt->proxy_auth && !c->opt.proxy_auth))
                goto out;
        rc = ODM_EINVAL;
        if (wants_proxy && parse_proxy(opt->proxy, opt->proxy_auth, &c->proxy) < 0)
                goto out;
        if (!http_value_ok(odm_cstr(c->opt.user_agent)) ||
            (c->opt.proxy_auth && !http_value_ok(odm_cstr(c->opt.proxy_auth))))
                goto out;
        c->has_proxy = wants_proxy;
        *out = c;
        return 0;
out:
        http_client_free(c);
        return rc;
}

void http_client_cancel(http_client *c)
{
        net_query_cancel(c->query);
        c->query = NULL;
        loop_timer_stop(&c->timer);
        disconnect(c);
        http_parse_reset(&c->parse);
        enter(c, IDLE);
}

void http_client_close(http_client *c)
{
        if (c->state != IDLE)
                return;
        loop_timer_stop(&c->timer);
        if (c->tls)
                tls_conn_bye(c->tls);
        disconnect(c);
}

void http_client_free(http_client *c)
{
        if (!c)
                return;
        http_client_cancel(c);
        tls_resume_done(&c->resume);
        http_parse_done(&c->parse);
        if (c->out.n)
                odm_wipe(c->out.p, c->out.n);
        odm_buf_done(&c->out);
        odm_buf_done(&c->tunnel);
        free((char *)(uintptr_t)c->opt.proxy_auth);
        free((char *)(uintptr_t)c->opt.user_agent);
        free(c);
}

bool http_client_resumed(const http_client *c)
{
        return c->resumed;
}

http_client_counts http_client_counted(const http_client *c)
{
        return c->counts;
}

odm_str http_reply_field(const http_reply *r, const char *name)
{
        for (size_t i = 0; i < r->n_fields; i++)
                if (odm_str_ieq(r->fields[i].name, name))
                        return r->fields[i].value;
        return ODM_ABSENT;
}

/* ---- blocking --------------------------------------------------------------------------- */

struct http_sync {
        loop *loop;
        http_client *client;
        odm_arena arena; /* the last reply */
        http_reply reply;
        bool done;
};

int http_sync_new(const http_client_opt *opt, http_sync **out)
{
        http_sync *s = calloc(1, sizeof *s);
        int rc;

        if (!s)
                return ODM_ENOMEM;
        odm_arena_init(&s->arena, &heap_mem, opt->max_inflated + opt->limits.max_body + (1u << 20));
        rc = loop_new(&s->loop);
        if (rc == 0)
                rc = http_client_new(s->loop, opt, &s->client);
        if (rc < 0)
                http_sync_free(s);
        else
                *out = s;
        return rc;
}

void http_sync_free(http_sync *s)
{
        if (!s)
                return;
        http_client_free(s->client);
        loop_free(s->loop);
        odm_arena_done(&s->arena);
        free(s);
}

static void sync_failed(http_sync *s, int rc)
{
        s->reply = (http_reply){.rc = rc, .why = odm_err_text(rc)};
}

static void sync_reply(void *ctx, const http_reply *r)
{
        http_sync *s = ctx;
        http_field *f = odm_arena_zget(&s->arena, (r->n_fields + 1) * sizeof *f);

        s->done = true;
        s->reply = *r;
        s->reply.body = odm_arena_copy(&s->arena, r->body);
        s->reply.fields = f;
        if (r->why)
                s->reply.why = odm_arena_copy(&s->arena, odm_cstr(r->why)).p;
        for (size_t i = 0; f && i < r->n_fields; i++) {
                f[i].name = odm_arena_copy(&s->arena, r->fields[i].name);
                f[i].value = odm_arena_copy(&s->arena, r->fields[i].value);
        }
        if (s->arena.err)
                sync_failed(s, s->arena.err);
}

const http_reply *http_sync_send(http_sync *s, const http_request *r)
{
        int rc;

        odm_arena_reset(&s->arena);
        s->done = false;
        rc = http_client_send(s->client, r, sync_reply, s);
        while (rc == 0 && !s->done)
                rc = loop_once(s->loop, -1);
        if (rc < 0) {
                http_client_cancel(s->client);
                sync_failed(s, rc);
        }
        return &s->reply;
}
