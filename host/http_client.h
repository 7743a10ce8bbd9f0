/* SPDX-License-Identifier: Apache-2.0 */
/* http_client.h - a small HTTP/1.1 client on the loop.
 *
 * A client keeps one connection to one server at a time, and one request at a time on it;
 * keep-alive when the server allows.  When a kept connection turns out to be closed before one
 * octet of reply came, the request is sent once more on a fresh one.  Redirects are not followed:
 * they are replies like any other (dm-protocol.md 10).  Certificates are always verified. */
#ifndef HOST_HTTP_CLIENT_H
#define HOST_HTTP_CLIENT_H

#include "http_parse.h"
#include "loop.h"
#include "tls.h"

typedef struct http_client_opt {
        const tls_cred *tls;    /* borrowed; NULL: https is refused */
        const char *proxy;      /* "http://host:port", copied; NULL or "" = none */
        const char *proxy_auth; /* value of Proxy-Authorization, copied; NULL = none */
        const char *user_agent; /* copied */
        http_limits limits;
        size_t max_inflated; /* of a compressed body; default 16 MiB */
        int64_t connect_ms;  /* names, TCP, proxy and TLS together; default 20000 */
        int64_t reply_ms;    /* from the last octet sent to the whole reply; default 60000 */
        int64_t idle_ms;     /* how long an idle connection is kept; default 30000 */
        /* Some servers announce more octets than they send.  Where it is set, a body that ends too
         * soon (the connection closes, without TLS, or is silent for two seconds) is shown to it;
         * true takes it for whole.  NULL: such a reply has failed. */
        bool (*whole)(odm_str body);
        const odm_tracer *trace;
} http_client_opt;
void http_client_opt_init(http_client_opt *o);

typedef struct http_request {
        const char *method;
        odm_str url;
        const http_field *fields; /* beyond Host, User-Agent, Content-Length, Accept-Encoding,
                                     Connection, which we write */
        size_t n_fields;
        odm_str body; /* absent: no body */
        bool gzip;    /* compress the body when that is shorter (Content-Encoding: gzip) */
} http_request;

typedef struct http_reply { /* lent during the callback */
        int rc;             /* 0, or ODM_EIO (transport), ODM_EACCESS (certificate), ODM_EMALFORMED,
                               ODM_ELIMIT (reply too large), ODM_ENOMEM, ODM_EINVAL (URL) */
        const char *why;    /* a sentence when rc < 0 */
        unsigned status;
        const http_field *fields;
        size_t n_fields;
        odm_str body; /* decompressed */
        bool sent;    /* rc < 0: an octet of the request may have reached the server */
} http_reply;
odm_str http_reply_field(const http_reply *r, const char *name);

typedef struct http_client http_client;

/* Returns 0, ODM_ENOMEM, ODM_EINVAL (the proxy's URL). */
ODM_MUST_USE int http_client_new(loop *l, const http_client_opt *opt, http_client **out);
void http_client_free(http_client *c); /* NULL is allowed; a running request is dropped unheard */

/* From the next request on by another proxy, or by none (NULL or ""); closes an idle connection if
 * that is a change.  Copies.  0, ODM_ESTATE when a request is running, ODM_EINVAL for what is no
 * URL of a proxy or no value of Proxy-Authorization, ODM_ENOMEM. */
ODM_MUST_USE int http_client_set_proxy(http_client *c, const char *proxy, const char *proxy_auth);
/* Starts a request; copies what it needs.  `fn` is called once, never before this returns; from
 * within it a next request may be started or the client freed.
 * Returns 0, ODM_ESTATE when one is running, ODM_EINVAL for a field that may not be sent,
 * ODM_ENOMEM. */
ODM_MUST_USE int http_client_send(http_client *c, const http_request *r,
                                  void (*fn)(void *ctx, const http_reply *r), void *ctx);
void http_client_cancel(http_client *c);        /* drops the running request and its connection */
void http_client_close(http_client *c);         /* closes an idle connection */
bool http_client_resumed(const http_client *c); /* the last TLS handshake was a resumed one */
typedef struct http_client_counts {             /* since the client was made */
        uint64_t connections, handshakes, resumed;
} http_client_counts;
http_client_counts http_client_counted(const http_client *c);

/* The same, blocking, for command line programs: runs a loop of its own until the reply is there.
 * The reply lives until the next call or http_sync_free(). */
typedef struct http_sync http_sync;
ODM_MUST_USE int http_sync_new(const http_client_opt *opt, http_sync **out);
void http_sync_free(http_sync *s);
const http_reply *http_sync_send(http_sync *s, const http_request *r); /* never NULL */

#endif
