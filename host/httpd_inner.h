/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_inner.h - what the files of the HTTP server share; nobody else includes it.
 *
 *     httpd.c          listeners, starting and stopping
 *     httpd_tls.c      certificates, which may be replaced
 *     httpd_watch.c    connections that are too slow or too many
 *     httpd_steps.c    a request on its way, as the library calls us
 *     httpd_gate.c     what may pass
 *     httpd_request.c  a request: its life, and looking at it
 *     httpd_reply.c    replies, now or later
 *     httpd_stream.c   replies without end
 *     httpd_file.c     replies that are files
 *
 * Locks, in the order they are taken: a request's, the server's, a stream's, those of
 * libmicrohttpd; that over connections, last and alone. */
#ifndef HOST_HTTPD_INNER_H
#define HOST_HTTPD_INNER_H

#include "httpd.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define REQ_BLOCK 4096 /* of the arena, in one piece with the request */
#define REQ_ARENA_MAX (256u << 10)
#define FIELDS_MAX 64
#define HTTPD_SLOWEST 500 /* octets a second of a body or a reply, beyond the first time */

#define ORIGIN 8 /* octets of an address that make one peer of it */

/* What a TLS listener has at one time; connections hold what they began with. */
typedef struct httpd_tls {
        atomic_int refs;
        gnutls_certificate_credentials_t cred;
        tls_ticket_key ticket;
} httpd_tls;

typedef struct listener_files { /* copies */
        char *cert, *key, *client_ca, *ticket;
} listener_files;

typedef struct conn conn;

typedef struct listener {
        httpd *h;
        size_t index;
        httpd_listener opt; /* only app, tls and max_body */
        bool asks_client;
        struct MHD_Daemon *daemon;
        uint16_t port;
        listener_files files;
        char *key, *cert, *trust; /* PEM texts, which the daemon borrows */
        /* under h->watch */
        httpd_tls *tls; /* for new connections */
        conn *conns;
        size_t n_conns, mark; /* beyond the mark, who waits makes room */
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
        atomic_uint active[HTTPD_SHARES];
        atomic_uint_fast64_t requests, refused, shed, late, evicted, handshakes, resumed;
        /* connections */
        pthread_mutex_t watch;
        pthread_cond_t wake;
        pthread_t watcher;
        bool watched, watch_ends;
};

/* Where a connection is; see httpd_watch.c. */
typedef enum stage {
        STAGE_WAITING, /* for the first line of a request */
        STAGE_HEAD,
        STAGE_BODY,
        STAGE_WORK,   /* the application's */
        STAGE_REPLY,  /* is being sent */
        STAGE_DOOMED, /* shut down by us */
} stage;

/* One of a listener's connections.  The stage is the thread's of the connection, but that the
 * watcher may doom it. */
struct conn {
        listener *l;
        conn *next, **prev; /* in l->conns, under h->watch */
        int fd;             /* open as long as it is in the list */
        uint8_t origin[ORIGIN];
        atomic_int stage;
        _Atomic int64_t due;   /* milliseconds; in no stage but WORK it may be later */
        _Atomic int64_t since; /* when it began to wait */
        httpd_tls *tls;
        bool seen;      /* a request came */
        tls_peer *peer; /* NULL: it showed no certificate */
};

typedef enum phase { PHASE_HEAD, PHASE_BODY, PHASE_WHOLE } phase;

struct httpd_req {
        httpd *h;
        listener *l;
        struct MHD_Connection *c;
        conn *conn; /* good until the exchange is completed */
        atomic_int refs;
        phase phase; /* of the server's thread only */
        bool counted, active;
        unsigned share;
        size_t max_body;
        bool too_large, no_memory, last; /* last: the connection ends after it */
        size_t dropped;
        uint64_t sunk;    /* octets that the sink took */
        int64_t body_due; /* of a body without octets */
        httpd_sink sink;  /* take is NULL: none, the body is kept here */
        bool sink_open;   /* it hears of the end by gone() yet */
        const char *method_at, *uri_at,
                *version_at; /* in the library's buffer, while in the head */

        pthread_mutex_t lock; /* over what follows, to the line */
        struct MHD_Response *response;
        unsigned status;
        uint64_t reply_n; /* octets of its body; UINT64_MAX: without end */
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

/* httpd.c: requests being handled, of all shares. */
unsigned httpd_active(const httpd *h);

/* httpd_request.c */
httpd_req *httpd_req_new(conn *k, struct MHD_Connection *c, const char *uri);
void httpd_req_unref(httpd_req *r); /* NULL is not allowed */

/* httpd_gate.c: why the head is refused, or NULL, and the status for it.  Copies fields and target
 * into r. */
const char *httpd_gate_check(httpd_req *r, unsigned *status);

/* httpd_tls.c: the listener's files read anew; errors as httpd_start().  The caller's to unref. */
int httpd_tls_load(const listener_files *f, httpd_tls **out, diag *d);
httpd_tls *httpd_tls_ref(listener *l); /* that of new connections */
void httpd_tls_unref(httpd_tls *t);    /* NULL is allowed */
/* A PEM file with a zero behind; NULL stays NULL. */
int httpd_pem_read(const char *path, char **out, diag *d);
void httpd_pem_free(char *pem);

/* httpd_watch.c */
int64_t httpd_now_ms(void);
int httpd_watch_start(httpd *h);
void httpd_watch_stop(httpd *h);
conn *httpd_conn_new(listener *l, struct MHD_Connection *c); /* NULL: no memory */
void httpd_conn_free(conn *k);                               /* NULL is allowed */
/* By the connection's thread: false when it is doomed. */
bool httpd_conn_enter(conn *k, stage to, int64_t due);
/* When so many octets have to be over with. */
int64_t httpd_due(const httpd *h, uint64_t octets);

/* httpd_reply.c */
struct MHD_Response *httpd_response(const httpd_req *r, const httpd_reply *reply);
struct MHD_Response *httpd_finish_headers(const httpd_req *r, struct MHD_Response *m,
                                          const char *type, const http_field *f, size_t n);
bool httpd_reply_begin(httpd_req *r);
void httpd_reply_deliver(httpd_req *r, unsigned status, struct MHD_Response *m);
enum MHD_Result httpd_reply_queue(httpd_req *r);
/* Puts r among those that are replied to later; false when the server does not wait any more. */
bool httpd_keep_add(httpd_req *r);
void httpd_keep_del(httpd_req *r); /* under the server's lock */

/* httpd_steps.c: for MHD_start_daemon() */
void *httpd_on_uri(void *ctx, const char *uri, struct MHD_Connection *c);
enum MHD_Result httpd_on_access(void *ctx, struct MHD_Connection *c, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_n, void **req);
void httpd_on_completed(void *ctx, struct MHD_Connection *c, void **req,
                        enum MHD_RequestTerminationCode why);
void httpd_on_connection(void *ctx, struct MHD_Connection *c, void **socket_ctx,
                         enum MHD_ConnectionNotificationCode what);

/* httpd_stream.c: ends all of them, for the server's end. */
void httpd_streams_end(httpd *h);

#endif
