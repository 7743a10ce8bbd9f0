/* SPDX-License-Identifier: Apache-2.0 */
/* httpd.h - an HTTP/1.1 server over libmicrohttpd, behind a gate of our own.
 *
 * The gate refuses with 400, and closes, what servers and proxies read differently: two or
 * differing lengths, a length beside a transfer coding, a coding other than exactly "chunked", a
 * field name that is no token, NUL or control characters in a value, no Host or several, or one
 * that differs from the target's.  A request in chunks is the last of its connection: the library
 * takes line ends there that others do not.  An application sees only requests that passed, with
 * their whole body (unless it took that by a sink), inflated when it came as gzip; a charset named
 * as the coding is no coding.  TLS is 1.2 or later, with session tickets.
 *
 * Handlers run on the listener's worker threads, several at once.  A handler either replies, or
 * keeps the request and replies later from any thread: the connection sleeps meanwhile. */
#ifndef HOST_HTTPD_H
#define HOST_HTTPD_H

#include "http_parse.h"
#include "net.h"
#include "tls.h"

typedef struct httpd httpd;
typedef struct httpd_req httpd_req;

/* What a listener serves. */
typedef struct httpd_app {
        /* The head of a request is in, the body not yet.  May lower or raise *max_body (given as
         * the listener's), or reply at once: then the body is not read.  NULL: nothing to do. */
        void (*head)(void *ctx, httpd_req *r, size_t *max_body);
        /* The request is whole.  Replies now, or keeps r and replies later, once in any case. */
        void (*handle)(void *ctx, httpd_req *r);
        void *ctx;
} httpd_app;

/* Where a body goes as it comes, instead of into memory.  Its functions are called on the
 * connection's thread, which has other connections too: what takes long is for others. */
typedef struct httpd_sink {
        /* The next octets.  A negative return ends it: what still comes is read and dropped for a
         * while, then the connection ends; if the body ends before, handle() may say why. */
        int (*take)(void *ctx, odm_str data);
        /* handle() will not be called: the peer has gone, or the request was refused. */
        void (*gone)(void *ctx);
        void *ctx;
} httpd_sink;

typedef struct httpd_listener {
        net_addr addr; /* port 0: a free one, see httpd_port() */
        bool tls;
        const char *cert_file, *key_file; /* PEM, with tls */
        const char *client_ca_file;       /* ask clients for certificates of this CA; NULL = no */
        const char *ticket_file;          /* session ticket key; NULL = a new key each start */
        httpd_app app;
        size_t max_body;  /* octets, inflated; default 1 MiB: beyond 413 */
        unsigned workers; /* threads; default 2 */
} httpd_listener;
void httpd_listener_init(httpd_listener *l);

typedef struct httpd_opt {
        unsigned max_connections; /* of each listener; default 4096.  With an eighth of it left,
                                     connections without a request make room: the oldest of those
                                     addresses that have the most.  Fewer when the system has not
                                     the descriptors, which the log tells */
        unsigned max_per_address; /* default 0 = no limit */
        unsigned max_active;      /* requests being handled, all listeners: beyond 503 with
                                     Retry-After; default 2048.  One share takes at most 7 of 8 */
        unsigned idle_s;          /* a connection without octets is closed; default 60 */
        unsigned slow_s;          /* time for a head to come, and for a body or a reply, which
                                     have a second more for each 500 octets: then 408, or just
                                     the end; default 30 */
        size_t connection_memory; /* head of a request fits into it: beyond 431; default 8192 */
        const odm_mem *mem;       /* for bodies: beyond what it gives, 503; default heap_mem.
                                     Borrowed as long as there are requests */
        const char *server_name;  /* Server header; NULL = none */
} httpd_opt;
void httpd_opt_init(httpd_opt *o);

/* Opens the listeners and starts.  Strings are copied, file contents read.  Returns 0, ODM_EIO,
 * ODM_EMALFORMED (certificates), ODM_EINVAL, ODM_ENOMEM; `d` says which listener and why. */
ODM_MUST_USE int httpd_start(const httpd_opt *opt, const httpd_listener *l, size_t n, httpd **out,
                             diag *d);
/* Reads the files of a TLS listener as httpd_start() does, but for its ticket key, and lets them
 * go. Errors as there. */
ODM_MUST_USE int httpd_try_files(const httpd_listener *l, diag *d);
uint16_t httpd_port(const httpd *h, size_t listener);
/* Accepts no more, lets running requests finish for at most `ms`, then answers what is kept with
 * 503 and ends.  Requests kept by the application stay valid until it replies (to nobody).
 * Called once, not from a handler. */
void httpd_stop(httpd *h, int64_t ms); /* frees; NULL is allowed */
/* Reads certificates, keys, CAs and ticket keys again, for connections to come: all of them, or
 * none when one is not good.  Errors as httpd_start(). */
ODM_MUST_USE int httpd_reload(httpd *h, diag *d);

typedef struct httpd_stats {
        uint64_t requests, refused, shed; /* handled; by the gate; by max_active or memory */
        uint64_t late, evicted;           /* connections closed: too slow; for the room of others */
        uint64_t handshakes, resumed;     /* TLS */
        unsigned active;
} httpd_stats;
httpd_stats httpd_get_stats(const httpd *h);

/* ---- the request: good until it is replied to --------------------------------- */

odm_str httpd_method(const httpd_req *r);
odm_str httpd_path(const httpd_req *r);       /* percent-encoded as it came, no query */
odm_str httpd_query_text(const httpd_req *r); /* without '?', as it came; may be empty */
odm_str httpd_query(const httpd_req *r,
                    const char *name); /* decoded value; absent when not there */
odm_str httpd_field(const httpd_req *r, const char *name); /* header; absent when not there */
odm_str httpd_body(const httpd_req *r);                    /* whole, inflated */
const net_addr *httpd_peer(const httpd_req *r);
bool httpd_is_tls(const httpd_req *r);
const tls_peer *httpd_peer_cert(const httpd_req *r); /* never NULL; verified once a connection */
size_t httpd_listener_of(const httpd_req *r);
/* In head(): which of the shares of max_active the request counts to; 0 if not said. */
#define HTTPD_SHARES 2
void httpd_set_share(httpd_req *r, unsigned share);
/* In head(), which does not reply then: the body goes to `sink`, which is copied.  Either handle()
 * is called for the request, its body empty, or sink->gone(): once.  *max_body is the ceiling as
 * ever, and may be any size.  A body with a content coding is refused (415). */
void httpd_set_sink(httpd_req *r, const httpd_sink *sink);
/* A pointer of the application's that travels with the request. */
void httpd_set_data(httpd_req *r, void *data);
void *httpd_data(const httpd_req *r);
/* Percent-decodes, '+' too when `form`; into the request's memory.  Absent for a bad encoding
 * or a NUL. */
odm_str httpd_unescape(httpd_req *r, odm_str s, bool form);

/* ---- the reply ------------------------------------------------------------------- */

typedef struct httpd_reply {
        unsigned status;
        const char *type;         /* Content-Type; NULL = none */
        const http_field *fields; /* more headers */
        size_t n_fields;
        odm_str body; /* copied */
        bool no_gzip; /* never compress: it is compressed already, or secret beside a stranger's
                         text */
} httpd_reply;

/* Replies, from any thread, once; r is gone.  A body of 1 to 512 KiB is sent as gzip when
 * the client asked for it and it is shorter.  Never fails: when memory is out the client gets
 * 500 or a closed connection. */
void httpd_send(httpd_req *r, const httpd_reply *reply);
/* The same with a text/plain body of one line. */
void httpd_send_text(httpd_req *r, unsigned status, const char *text);

/* A file, of which the peer may ask for a part. */
typedef struct httpd_file {
        int fd;        /* a regular file; taken, closed when all is sent */
        uint64_t size; /* what it has, and keeps as long as it is sent */
        const char *type;
        odm_str etag; /* an opaque tag without its quotes, which stands for these very octets */
        const http_field *fields; /* more headers */
        size_t n_fields;
        _Atomic uint64_t *sent; /* what of it goes out is added here, on any thread, until the
                                   server stops; NULL: nobody counts, which is cheaper */
} httpd_file;

/* Replies with the file, never compressed: 200; 206 with the range that is asked for, unless
 * If-Range names another tag; 416 for a range that is not there, or several; 304 for the tag the
 * peer has. For the rest as httpd_send(). */
void httpd_send_file(httpd_req *r, const httpd_file *file);

/* A reply without end: event streams.  r is gone; the stream is the caller's until
 * httpd_stream_end().  NULL when memory is out (r has been answered). */
typedef struct httpd_stream httpd_stream;
httpd_stream *httpd_stream_begin(httpd_req *r, unsigned status, const char *type,
                                 const http_field *fields, size_t n);
/* Any thread.  Copies.  Returns 0; ODM_ESTATE when the peer has gone or the server stops;
 * ODM_ELIMIT when more than 1 MiB waits for a slow peer; ODM_ENOMEM. */
ODM_MUST_USE int httpd_stream_write(httpd_stream *s, odm_str data);
void httpd_stream_end(httpd_stream *s); /* NULL is allowed */

#endif
