/* SPDX-License-Identifier: Apache-2.0 */
/* coap_inner.h - what the files of coap share.
 *
 *     coap.c        ends, peers, datagrams in and out, idle peers
 *     coap_ask.c    requests out: retransmission, blocks both ways, observations
 *     coap_serve.c  requests in: duplicates, separate responses, blocks both ways
 *     coap_watch.c  notifications to observers of ours
 *     coap_dtls.c   DTLS under all that
 *     coap_wire.c   messages as octets, by libcoap
 *
 * Why exchanges are not libcoap's too (4.3.1): each call into a context looks at every session it
 * has, it does not know duplicates of requests, its public interface cannot write to an address
 * from a server's port unless that address has just written, and its sockets cannot share a port.
 * A gateway with thousands of devices that may be asked at any time needs all four. */
#ifndef HOST_COAP_INNER_H
#define HOST_COAP_INNER_H

#include <netinet/in.h>

#include "coap.h"

#define CO_TOKEN 8
#define CO_DATAGRAM 2048 /* octets of the longest we write or read */
#define CO_SEEN 16       /* requests of a peer remembered for their duplicates; a power of two */
#define CO_SERVED 4      /* bodies kept for a peer that takes them in blocks */
#define CO_LIFETIME_MS 247000
#define CO_STRANGERS 64 /* bodies of body_max octets that may be in the making at once */

enum { CO_CON = 0, CO_NON = 1, CO_ACK = 2, CO_RST = 3 };

/* ---- messages: coap_wire.c ------------------------------------------------------------------ */

typedef struct co_block {
        bool on; /* the option is there */
        bool more;
        uint8_t szx;
        uint32_t num;
} co_block;
static inline size_t co_block_size(uint8_t szx)
{
        return (size_t)16 << szx;
}

typedef struct co_token {
        uint8_t n, p[CO_TOKEN];
} co_token;

typedef struct co_wire { /* a message and what it has beside a co_msg */
        uint8_t type;
        uint16_t mid;
        co_token token;
        co_msg m; /* of one read, texts are in `held`, path and query here */
        co_block block1, block2;
        uint8_t etag_n, etag[8];
        int64_t size1, size2; /* -1: absent */
        bool bad_option;      /* one that must be understood is not */
        bool response;        /* writing: the path is a Location-Path */
        char path[CO_PATH_MAX];
        odm_str query[CO_QUERY_MAX];
        void *held;
} co_wire;

/* Reads; done with co_wire_done().  ODM_EMALFORMED, with type and mid set where they can be read
 * (type CO_RST where they cannot), ODM_ENOMEM. */
ODM_MUST_USE int co_wire_read(odm_str datagram, co_wire *out);
void co_wire_done(co_wire *w);
/* Writes a message with `payload`.  Octets written, or 0 when `room` is not enough. */
ODM_MUST_USE size_t co_wire_write(const co_wire *w, odm_str payload, uint8_t *out, size_t room);

/* ---- what there is -------------------------------------------------------------------------- */

typedef struct co_addr { /* half of a net_addr's size and more */
        union {
                struct sockaddr sa;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        };
        socklen_t n;
} co_addr;

typedef struct co_from { /* which of our addresses a peer knows, where there are several */
        bool on;
        union {
                struct in_addr v4;
                struct in6_addr v6;
        };
} co_from;

typedef struct co_seen { /* a request taken, for its duplicates */
        odm_time at;
        co_request *open; /* not answered yet */
        uint8_t *reply;   /* what it was answered */
        uint16_t reply_n, mid;
        bool used;
} co_seen;

typedef struct co_body { /* Block1: a body that comes in */
        uint64_t key;
        odm_buf buf;
} co_body;

typedef struct co_served { /* Block2: a body that goes out */
        bool on;
        uint64_t key;
        uint8_t code, etag[8];
        int format;
        int64_t max_age;
        char *p;
        size_t n;
        int fd;                  /* -1: it is at p */
        _Atomic uint64_t *count; /* of octets that go out; may be NULL */
        odm_time at;
} co_served;

typedef struct co_out { /* a confirmable message that is no request */
        struct co_out *next;
        co_peer *peer;
        uint16_t mid;
        uint8_t *p;
        size_t n;
        unsigned tries;
        int64_t wait_ms;
        loop_timer timer;
        co_watcher *watcher; /* whose notification it is */
} co_out;

typedef struct co_ask_ co_asked;
typedef struct co_dtls co_dtls;
typedef struct co_dtls_end co_dtls_end;

struct co_peer {
        co_end *end;
        co_addr addr;
        co_from from;
        co_peer *chain;         /* of the table */
        co_peer *older, *newer; /* by last message */
        odm_time last;
        uint16_t mid;  /* of the next message */
        unsigned held; /* callbacks that still need it */
        bool dead;     /* to be freed when not held */
        bool proven;   /* it is among those by last message; a server's under DTLS once it is up */
        co_asked *busy, *first, **tail; /* asked now, and waiting for their turn */
        co_out *outs;
        co_seen *seen;           /* n_seen of them, at most CO_SEEN */
        uint8_t n_seen, seen_at; /* the place of the next */
        unsigned open;           /* requests not answered */
        co_body *in;             /* NULL: none */
        co_served *served;       /* CO_SERVED */
        co_dtls *dtls;           /* NULL: none */
};

typedef enum ask_state {
        ASK_QUEUED,
        ASK_SENT,    /* not confirmed */
        ASK_WAITING, /* confirmed, the response is to come */
        ASK_RESTING, /* an observation between notifications */
        ASK_OVER,    /* only the word is to be said */
} ask_state;

typedef struct co_flight {       /* what an ask needs until it is answered */
        char *body;              /* `total` octets; NULL: it is in `fd`, or there is none */
        int fd;                  /* -1: none */
        _Atomic uint64_t *count; /* of octets that go out; may be NULL */
        uint64_t total;
        uint64_t sent; /* octets of the body that are confirmed */
        uint8_t szx;
        odm_buf reply; /* Block2 so far */
        uint8_t etag_n, etag[8];
        uint16_t mid;
        uint8_t *p; /* the datagram */
        size_t n;
        unsigned tries;
        int64_t wait_ms;
        loop_timer retry, deadline;
        uint64_t whole_of; /* the observation whose notification this fetches; 0: none */
        int64_t whole_seq;
} co_flight;

struct co_ask_ {     /* there are tens of thousands that rest: as small as can be */
        uint64_t id; /* the token, too */
        co_asked *chain, *next;
        co_end *end;
        co_peer *peer; /* NULL: resting, or over */
        co_addr to;
        co_done done;
        void *ctx;
        co_flight *f;      /* NULL: resting */
        uint64_t fetching; /* the ask that fetches for this; 0: none */
        odm_time seq_at;
        uint32_t seq;  /* of the newest notification */
        uint8_t state; /* an ask_state */
        uint8_t why;   /* a co_end_of, of ASK_OVER */
        bool non;
        bool told;      /* of what is observed, at least once */
        bool named;     /* only whoever has the identity */
        uint8_t code;   /* the message, see message_of() */
        int8_t observe; /* -1: none */
        uint8_t n_query, identity_n;
        uint16_t path_n;
        int32_t format, accept;
        char text[]; /* identity, path, and the queries, each with its length before it */
};

struct co_request {
        co_end *end;
        co_request *next, **link; /* of the end's list */
        co_peer *peer;            /* NULL: gone */
        uint16_t mid;
        bool con, acked;
        co_token token;
        uint64_t key; /* of what is asked for */
        uint8_t code;
        co_block block1, block2;
        char path[CO_PATH_MAX];
        size_t path_n;
        co_watcher *watcher;
        loop_timer piggyback;
};

struct co_watcher {
        co_end *end;
        co_watcher *next;
        co_addr to;
        co_token token;
        uint64_t key;
        uint32_t seq;
        uint16_t mid; /* of the last notification */
        bool told;    /* there was one */
        void (*gone)(void *ctx, co_watcher *w);
        void *ctx;
};

typedef struct co_table { /* chained, doubling */
        void **v;
        size_t n, cap;
} co_table;

struct co_end {
        loop *loop;
        loop_io io;
        int family;
        bool deaf;
        bool any;     /* bound to all addresses: what answers says from which */
        co_setup set; /* texts of it are not kept */
        co_peer **peers;
        size_t n_peers, peers_cap;
        size_t n_proven; /* of them, at most set.peers_max; those below */
        co_peer *oldest, *newest;
        co_asked **asks;
        size_t n_asks, asks_cap;
        co_request *requests;
        co_watcher *watchers;
        size_t coming; /* octets of bodies in the making */
        uint8_t szx;
        loop_timer reap;
        co_dtls_end *dtls; /* NULL: CO_PLAIN */
        co_counts counts;
};

/* ---- peers and datagrams: coap.c ------------------------------------------------------------ */

co_addr co_addr_of(const net_addr *a, int family);
void co_addr_net(const co_addr *a, net_addr *out);
bool co_addr_eq(const co_addr *a, const co_addr *b);
uint64_t co_hash(uint64_t h, const void *p, size_t n);
#define CO_HASH 1469598103934665603u

co_peer *peer_find(const co_end *e, const co_addr *a);
/* Finds or makes; NULL: no room.  Under DTLS a client's begins its handshake. */
co_peer *peer_get(co_end *e, const co_addr *a);
co_peer *peer_new(co_end *e, const co_addr *a, const co_from *from);
/* One that has to prove itself first: it pushes out nobody, and it is its handshake's to end it. */
co_peer *peer_new_unproven(co_end *e, const co_addr *a, const co_from *from);
/* False: no room, with all others at work. */
bool peer_prove(co_peer *p);
void peer_hold(co_peer *p);
void peer_let(co_peer *p);
/* What is under way ends with `why`; it is freed when nobody holds it. */
void peer_drop(co_peer *p, co_end_of why);
/* Sends a datagram to a peer. */
void peer_send(co_peer *p, const uint8_t *d, size_t n);
void peer_send_empty(co_peer *p, uint8_t type, uint16_t mid);
/* A confirmable message: sends it until it is confirmed.  `w` may be NULL. */
void peer_send_con(co_peer *p, const uint8_t *d, size_t n, uint16_t mid, co_watcher *w);
void out_free(co_out *o);
/* A CoAP message of a peer. */
void peer_datagram(co_peer *p, odm_str d);
void end_send(co_end *e, const co_addr *to, const co_from *from, const void *d, size_t n);
int64_t co_first_wait(const co_end *e);

/* ---- requests out: coap_ask.c ---------------------------------------------------------------- */

void ask_pump(co_peer *p); /* the next in the queue, when there is one and nothing is under way */
void ask_acked(co_peer *p, uint16_t mid);
bool ask_reset(co_peer *p, uint16_t mid);
/* False: nobody asked that. */
bool ask_response(co_peer *p, co_wire *w);
void ask_drop_all(co_peer *p, co_end_of why);
void ask_close(co_end *e);

/* ---- requests in: coap_serve.c ----------------------------------------------------------------- */

void serve_request(co_peer *p, co_wire *w);
void serve_forget(co_peer *p); /* what is kept for it */
void serve_close(co_end *e);

/* ---- observers: coap_watch.c --------------------------------------------------------------------- */

void watch_reset(co_peer *p, uint16_t mid);
void watch_lost(co_watcher *w); /* a notification was not confirmed */
void watch_cancelled(co_peer *p, const co_token *t);
void watch_close(co_end *e);

/* ---- DTLS: coap_dtls.c ---------------------------------------------------------------------------- */

ODM_MUST_USE int dtls_end_new(co_end *e, const co_setup *s, diag *d);
void dtls_end_free(co_dtls_end *t);
void dtls_datagram(co_end *e, const co_addr *from, const co_from *at, odm_str d);
ODM_MUST_USE int dtls_begin(co_peer *p); /* a client's */
void dtls_send(co_peer *p, const uint8_t *d, size_t n);
void dtls_end(co_peer *p); /* with close_notify */
void dtls_drop_unproven(co_end *e);
bool dtls_up(const co_peer *p);
odm_str dtls_identity(const co_peer *p);

#endif
