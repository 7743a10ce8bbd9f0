/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_inner.h - what the files of the HTTP server share; nobody else includes it.
 *
 *     httpd.c          listeners, starting and stopping
 *     httpd_steps.c    a request on its way, as the library calls us
 *     httpd_gate.c     what may pass
 *     httpd_request.c  a request: its life, and looking at it
 *     httpd_reply.c    replies, now or later
 *     httpd_stream.c   replies without end
 *
 * Locks, in the order they are taken: a request's, the server's, a stream's, those of
 * libmicrohttpd. */
#ifndef HOST_HTTPD_INNER_H
#define HOST_HTTPD_INNER_H

#include "httpd.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define REQ_BLOCK 4096 /* of the arena, in one piece with the request */
#define REQ_ARENA_MAX (256u << 10)
#define FIELDS_MAX 64

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

/* httpd_request.c */
httpd_req *httpd_req_new(listener *l, struct MHD_Connection *c, const char *uri);
void httpd_req_unref(httpd_req *r); /* NULL is not allowed */

/* httpd_gate.c: why the head is refused, or NULL.  Copies fields and target into r. */
const char *httpd_gate_check(httpd_req *r);

/* httpd_reply.c */
struct MHD_Response *httpd_response(const httpd_req *r, const httpd_reply *reply);
struct MHD_Response *httpd_finish_headers(const httpd *h, struct MHD_Response *m, const char *type,
                                          const http_field *f, size_t n);
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
