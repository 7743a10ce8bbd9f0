/* SPDX-License-Identifier: Apache-2.0 */
/* coap.h - CoAP over UDP and DTLS on the loop (RFC 7252, 7641, 7959, 8132).
 *
 * An end is one socket, which asks and answers: a server asks the device that registered with it,
 * over the same two addresses, and the device answers.
 *
 *     co_ask()     a request out; its reply, or each notification, comes by co_done
 *     co_app       requests in; co_answer() now or later, co_notify() to observers
 *
 * Bodies are whole on both sides of this interface; blocks, retransmission, duplicates, separate
 * responses and the order of notifications are seen to below it.  Messages on the wire are read and
 * written by libcoap; exchanges are ours (coap_inner.h says why).
 *
 * Peers cost memory only while something goes on with them: after `idle_ms` without a message one
 * is forgotten, and asking its address brings it back.  Observations outlive that.  Under DTLS the
 * session ends with the peer, and only a client can begin a new one.
 *
 * Everything belongs to the loop's thread.  Within a callback anything may be called but
 * co_close().
 */
#ifndef HOST_COAP_H
#define HOST_COAP_H

#include "net.h"

typedef struct co_end co_end;         /* a socket and what goes on over it */
typedef struct co_peer co_peer;       /* whoever is at an address; lent during calls */
typedef struct co_request co_request; /* one that came in and is to be answered */
typedef struct co_watcher co_watcher; /* an observer of ours */

/* ---- messages --------------------------------------------------------------------------- */

#define CO_CODE(klass, detail) ((uint8_t)((klass) << 5 | (detail)))
enum co_code {
        CO_GET = 1,
        CO_POST = 2,
        CO_PUT = 3,
        CO_DELETE = 4,
        CO_FETCH = 5,
        CO_PATCH = 6,
        CO_IPATCH = 7,
        CO_CREATED = CO_CODE(2, 1),
        CO_DELETED = CO_CODE(2, 2),
        CO_VALID = CO_CODE(2, 3),
        CO_CHANGED = CO_CODE(2, 4),
        CO_CONTENT = CO_CODE(2, 5),
        CO_CONTINUE = CO_CODE(2, 31),
        CO_BAD_REQUEST = CO_CODE(4, 0),
        CO_UNAUTHORIZED = CO_CODE(4, 1),
        CO_BAD_OPTION = CO_CODE(4, 2),
        CO_FORBIDDEN = CO_CODE(4, 3),
        CO_NOT_FOUND = CO_CODE(4, 4),
        CO_NOT_ALLOWED = CO_CODE(4, 5),
        CO_NOT_ACCEPTABLE = CO_CODE(4, 6),
        CO_INCOMPLETE = CO_CODE(4, 8),
        CO_PRECONDITION = CO_CODE(4, 12),
        CO_TOO_LARGE = CO_CODE(4, 13),
        CO_UNSUPPORTED_FORMAT = CO_CODE(4, 15),
        CO_SERVER_ERROR = CO_CODE(5, 0),
        CO_NOT_IMPLEMENTED = CO_CODE(5, 1),
        CO_UNAVAILABLE = CO_CODE(5, 3),
};
static inline unsigned co_class(uint8_t code)
{
        return code >> 5;
}
/* "4.04" */
#define CO_CODE_TEXT 8
void co_code_format(uint8_t code, char out[CO_CODE_TEXT]);

#define CO_QUERY_MAX 16 /* query options of a request */
#define CO_PATH_MAX 256 /* octets of a path */

typedef struct co_file { /* a body in a file, read as it is sent */
        int fd;
        uint64_t size;
        _Atomic uint64_t *sent; /* its octets are added here as they go, those of a packet that is
                                   repeated once, until the end is closed; NULL: nobody counts */
} co_file;

/* A request or a response.  Zero it, or use co_msg_init(): absent texts are left out. */
typedef struct co_msg {
        uint8_t code;
        odm_str path;         /* "rd/5", no slash at either end; of 2.01: the Location-Path */
        const odm_str *query; /* "ep=x", each; requests only */
        size_t n_query;
        int format;      /* Content-Format; -1: none */
        int accept;      /* -1: none; requests only */
        int64_t observe; /* request: 0 begin, 1 end; response: the sequence number; -1: none */
        int64_t max_age; /* s; -1: none; responses only */
        odm_str body;
        const co_file *file; /* instead of body, when sending; fd is taken (closed when done) */
} co_msg;
/* No options, no body. */
void co_msg_init(co_msg *m, uint8_t code);
/* Value of the query option "KEY=..." ; absent without it, empty for a bare "KEY". */
odm_str co_query(const co_msg *m, const char *key);

/* ---- ends ---------------------------------------------------------------------------------- */

typedef enum co_security {
        CO_PLAIN, /* no protection at all */
        CO_PSK,   /* DTLS 1.2 with pre-shared keys */
        CO_CERT,  /* DTLS 1.2 with certificates on both sides; PSK too where app->psk is set */
} co_security;

#define CO_KEY_MAX 64       /* octets of a key */
#define CO_IDENTITY_MAX 128 /* octets of an identity */

typedef struct co_app { /* what requests from outside find; functions may be NULL */
        /* A whole request.  `m` is read during the call; `r` is to be answered once, now or later.
         * NULL: everything is answered 4.04. */
        void (*request)(void *ctx, co_request *r, co_peer *p, const co_msg *m);
        /* The key of a PSK identity: fills key[0..*n).  False: unknown. */
        bool (*psk)(void *ctx, odm_str identity, uint8_t key[CO_KEY_MAX], size_t *n);
        /* A DTLS session has come to be, or has ended (of its own or by idling). */
        void (*secured)(void *ctx, co_peer *p, bool up);
} co_app;

typedef struct co_setup {                           /* co_setup_init() sets what is said here */
        net_addr at;                                /* n = 0: any port of any address, IPv4 */
        co_security security;                       /* CO_PLAIN */
        bool client;                                /* DTLS: this side begins sessions; false */
        odm_str identity, key;                      /* of a client with CO_PSK */
        const char *cert_file, *key_file, *ca_file; /* PEM, CO_CERT */
        unsigned ack_ms;         /* 2000, times 1 .. 1.5, doubling (RFC 7252 4.8) */
        unsigned retransmit;     /* 4 */
        unsigned piggyback_ms;   /* 500: an answer later than that is a separate response */
        unsigned idle_ms;        /* 100000: a peer silent for so long is forgotten */
        unsigned secure_idle_ms; /* 86400000: one under DTLS */
        unsigned block;          /* 1024: 16 .. 1024, a power of two */
        size_t body_max;         /* 65536: octets of a body taken */
        size_t peers_max;        /* 16384; then the longest idle go, or new ones are not heard */
        size_t handshakes_max;   /* 256, of a server under DTLS, beside those; then the oldest go */
        size_t asks_max;         /* 65536: requests and observations of ours */
        const co_app *app;       /* borrowed; NULL: answers nothing */
        void *ctx;
} co_setup;
void co_setup_init(co_setup *s);

/* Opens the socket.  Copies `s`.  0, ODM_EINVAL, ODM_ENOMEM, ODM_EIO with the reason. */
ODM_MUST_USE int co_open(loop *l, const co_setup *s, co_end **out, diag *d);
/* Ends everything; no callback comes any more.  NULL is allowed.  Not from within a callback. */
void co_close(co_end *e);
uint16_t co_port(const co_end *e);
/* While it is deaf nothing that comes is heard, as of a device whose radio is off. */
void co_deaf(co_end *e, bool deaf);

typedef struct co_counts {
        uint64_t in, out;                                    /* datagrams */
        uint64_t requests;                                   /* taken, duplicates left out */
        uint64_t asks;                                       /* sent, blocks left out */
        uint64_t retransmitted, duplicates, silent, refused; /* refused: malformed, no room, DTLS */
        size_t peers, open_asks, secured;                    /* now */
} co_counts;
void co_count(const co_end *e, co_counts *out);

/* ---- peers --------------------------------------------------------------------------------- */

void co_peer_addr(const co_peer *p, net_addr *out);
/* The PSK identity, or the name in the certificate (its CN); absent without DTLS. */
odm_str co_peer_identity(const co_peer *p);
/* Ends a DTLS session with close_notify, forgets a peer; what was asked ends CO_CLOSED. */
void co_peer_drop(co_end *e, const net_addr *to);

/* ---- requests out ---------------------------------------------------------------------------- */

typedef enum co_end_of {                 /* how a request ended */
                         CO_REPLY,       /* with a response, of whatever code */
                         CO_SILENT,      /* no answer in time */
                         CO_RESET,       /* the peer does not want it: RST */
                         CO_UNREACHABLE, /* no route, or no DTLS session with the identity asked for
                                          */
                         CO_GARBLED, /* blocks that do not fit together, or a body above body_max */
                         CO_CLOSED,  /* co_peer_drop() */
} co_end_of;
const char *co_end_text(co_end_of why); /* for people: "no answer" */

typedef struct co_how {
        int64_t deadline_ms; /* from now, all blocks together; 0: EXCHANGE_LIFETIME, 247 s */
        bool non;            /* non-confirmable */
        odm_str identity;    /* under DTLS: who it must be; absent: whoever is there */
} co_how;

/* `m` is there with CO_REPLY only, and during the call.  Called once; for an observation that was
 * accepted (m->observe >= 0) again for each notification, newest last and never an older one after
 * a newer (RFC 7641 3.4), until it ends: with a response without Observe, an error code or any
 * other `why`. */
typedef void (*co_done)(void *ctx, co_end_of why, const co_msg *m);

/* Asks whoever is at `to`; requests to one peer go one after the other.  `m` is copied (a file is
 * taken, on failure too).  `how` may be NULL.  *id is for co_cancel() and never 0.  done() comes
 * after this has returned.
 * 0, ODM_ENOMEM, ODM_ELIMIT (asks_max; or too long a path or query), ODM_EINVAL. */
ODM_MUST_USE int co_ask(co_end *e, const net_addr *to, const co_msg *m, const co_how *how,
                        co_done done, void *ctx, uint64_t *id);
/* done() is not called any more.  An observation is forgotten: its next notification is reset.
 * Unknown ids are ignored. */
void co_cancel(co_end *e, uint64_t id);
/* As co_cancel(), for all observations at `to`. */
void co_forget(co_end *e, const net_addr *to);

/* ---- requests in ----------------------------------------------------------------------------- */

/* Answers, once; `r` is gone then.  `m` is copied, a file is taken.  What cannot be sent any more
 * (the peer is gone) is dropped. */
void co_answer(co_request *r, const co_msg *m);
/* The same with a code and nothing else. */
void co_answer_code(co_request *r, uint8_t code);
co_end *co_request_end(const co_request *r);

/* Keeps whoever sent the request (which had observe 0) as an observer; call it before answering,
 * then the answer says that it is observed.  gone() comes when it resets or no longer confirms, or
 * observes the same again; the watcher is freed after it.  NULL: out of memory. */
co_watcher *co_watch(co_request *r, void (*gone)(void *ctx, co_watcher *w), void *ctx);
/* Ends it, as when the request with observe 1 comes; gone() is not called. */
void co_watch_end(co_watcher *w);
/* Sends a notification; `con`: confirmable.  One not yet confirmed is overtaken. */
void co_notify(co_watcher *w, const co_msg *m, bool con);

#endif
