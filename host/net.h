/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - addresses and URLs. */
#ifndef HOST_NET_H
#define HOST_NET_H

#include <sys/socket.h>

#include "diag.h"
#include "loop.h"

typedef struct net_addr {
        struct sockaddr_storage sa;
        socklen_t n; /* 0 = none */
} net_addr;

#define NET_ADDR_TEXT 64 /* room for "[v6%scope]:port" and a zero */

/* A numeric address: "127.0.0.1", "::1", "[::1]", "" or "*" for any (IPv6 with IPv4 where the
 * machine has it).  Returns 0 or ODM_EMALFORMED. */
ODM_MUST_USE int net_addr_parse(const char *host, uint16_t port, net_addr *out);
/* The same with its port behind: "127.0.0.1:8080", "[::1]:8080", ":8080", "*:8080". */
ODM_MUST_USE int net_hostport_parse(const char *text, net_addr *out);
void net_addr_format(const net_addr *a, char out[NET_ADDR_TEXT]); /* with port */
void net_addr_host(const net_addr *a, char out[NET_ADDR_TEXT]);   /* without; v4 in v6 as v4 */
uint16_t net_addr_port(const net_addr *a);
void net_addr_set_port(net_addr *a, uint16_t port);
bool net_addr_is_loopback(const net_addr *a);

/* Resolves a name, blocking.  Up to `max` addresses of `socktype`; *n says how many.
 * Returns 0 or ODM_ENOENT with the reason in `d`. */
ODM_MUST_USE int net_resolve(const char *host, uint16_t port, int socktype, net_addr *out,
                             size_t max, size_t *n, diag *d);
/* The same in a thread of its own; fn is called on the loop with rc and, until it returns, the
 * addresses.  net_query_cancel() makes sure that fn is not called any more. */
typedef struct net_query net_query;
ODM_MUST_USE int net_query_start(loop *l, const char *host, uint16_t port, int socktype,
                                 void (*fn)(void *ctx, int rc, const net_addr *a, size_t n,
                                            const char *why),
                                 void *ctx, net_query **out);
void net_query_cancel(net_query *q); /* NULL is allowed; after fn was called q is gone */

/* ---- URLs ---------------------------------------------------------------------- */

typedef struct net_url {   /* an absolute URL; text copied */
        char scheme[8];    /* lower case: "http", "https", "udp", "coap" ... */
        char host[256];    /* without brackets; may be empty */
        uint16_t port;     /* 0 = none given and none known for the scheme (80, 443) */
        bool v6;           /* the host was in brackets */
        char target[2048]; /* path and query, at least "/"; no fragment */
} net_url;

/* Returns 0, ODM_EMALFORMED (no URL, user information, control characters, bad port), ODM_ELIMIT.
 */
ODM_MUST_USE int net_url_parse(odm_str url, net_url *out);
/* The Host header of it: without the port when it is the scheme's own.  Cut at n. */
void net_url_host_header(const net_url *u, char *out, size_t n);

#endif
