/* SPDX-License-Identifier: Apache-2.0 */
/* net.c - addresses, names and URLs; see net.h. */
#include "net.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- addresses ---------------------------------------------------------------- */

static bool machine_has_v6(void)
{
        return access("/proc/net/if_inet6", R_OK) == 0;
}

static void addr_v4(net_addr *a, struct in_addr in, uint16_t port)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = in};

        *a = (net_addr){.n = sizeof sa};
        memcpy(&a->sa, &sa, sizeof sa);
}

static void addr_v6(net_addr *a, struct in6_addr in, uint16_t port)
{
        struct sockaddr_in6 sa = {
                .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in};

        *a = (net_addr){.n = sizeof sa};
        memcpy(&a->sa, &sa, sizeof sa);
}

int net_addr_parse(const char *host, uint16_t port, net_addr *out)
{
        struct in_addr v4;
        struct in6_addr v6;
        char bare[64];
        size_t n = strlen(host);

        if (n == 0 || strcmp(host, "*") == 0) {
                if (machine_has_v6())
                        addr_v6(out, in6addr_any, port);
                else
                        addr_v4(out, (struct in_addr){htonl(INADDR_ANY)}, port);
                return 0;
        }
        if (n >= sizeof bare)
                return ODM_EMALFORMED;
        memcpy(bare, host, n + 1);
        if (bare[0] == '[' && bare[n - 1] == ']') {
                bare[n - 1] = 0;
                memmove(bare, bare + 1, n - 1);
        } else if (inet_pton(AF_INET, bare, &v4) == 1) {
                addr_v4(out, v4, port);
                return 0;
        }
        if (inet_pton(AF_INET6, bare, &v6) != 1)
                return ODM_EMALFORMED;
        addr_v6(out, v6, port);
        return 0;
}

int net_hostport_parse(const char *text, net_addr *out)
{
        const char *colon = strrchr(text, ':');
        char host[64];
        uint64_t port;
        size_t n;

        if (!colon || odm_str_u64(odm_cstr(colon + 1), 65535, &port) < 0)
                return ODM_EMALFORMED;
        n = (size_t)(colon - text);
        if (n >= sizeof host || (memchr(text, ':', n) && (text[0] != '[' || text[n - 1] != ']')))
                return ODM_EMALFORMED;
        memcpy(host, text, n);
        host[n] = 0;
        return net_addr_parse(host, (uint16_t)port, out);
}

uint16_t net_addr_port(const net_addr *a)
{
        const struct sockaddr *sa = (const struct sockaddr *)&a->sa;

        if (a->n && sa->sa_family == AF_INET)
                return ntohs(((const struct sockaddr_in *)&a->sa)->sin_port);
        if (a->n && sa->sa_family == AF_INET6)
                return ntohs(((const struct sockaddr_in6 *)&a->sa)->sin6_port);
        return 0;
}

void net_addr_set_port(net_addr *a, uint16_t port)
{
        if (a->sa.ss_family == AF_INET)
                ((struct sockaddr_in *)&a->sa)->sin_port = htons(port);
        else if (a->sa.ss_family == AF_INET6)
                ((struct sockaddr_in6 *)&a->sa)->sin6_port = htons(port);
}

/* The IPv4 address inside, also of a mapped IPv6 one. */
static bool addr_as_v4(const net_addr *a, struct in_addr *out)
{
        const struct sockaddr_in6 *s6 = (const struct sockaddr_in6 *)&a->sa;

        if (a->n && a->sa.ss_family == AF_INET) {
                *out = ((const struct sockaddr_in *)&a->sa)->sin_addr;
                return true;
        }
        if (a->n && a->sa.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&s6->sin6_addr)) {
                memcpy(out, s6->sin6_addr.s6_addr + 12, 4);
                return true;
        }
        return false;
}

void net_addr_host(const net_addr *a, char out[NET_ADDR_TEXT])
{
        struct in_addr v4;

        out[0] = 0;
        if (addr_as_v4(a, &v4))
                inet_ntop(AF_INET, &v4, out, NET_ADDR_TEXT);
        else if (a->n && a->sa.ss_family == AF_INET6)
                inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&a->sa)->sin6_addr, out,
                          NET_ADDR_TEXT);
}

void net_addr_format(const net_addr *a, char out[NET_ADDR_TEXT])
{
        char host[NET_ADDR_TEXT];

        net_addr_host(a, host);
        snprintf(out, NET_ADDR_TEXT, strchr(host, ':') ? "[%.50s]:%u" : "%.50s:%u", host,
                 net_addr_port(a));
}

bool net_addr_is_loopback(const net_addr *a)
{
        struct in_addr v4;

        if (addr_as_v4(a, &v4))
                return ntohl(v4.s_addr) >> 24 == 127;
        return a->n && a->sa.ss_family == AF_INET6 &&
               IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
}

/* ---- names ---------------------------------------------------------------------- */

int net_resolve(const char *host, uint16_t port, int socktype, net_addr *out, size_t max, size_t *n,
                diag *d)
{
        const struct addrinfo hints = {
                .ai_family = AF_UNSPEC, .ai_socktype = socktype, .ai_flags = AI_ADDRCONFIG};
        struct addrinfo *list = NULL;
        size_t got = 0;
        int rc;

        if (max > 0 && *host && net_addr_parse(host, port, &out[0]) == 0) {
                *n = 1; /* numeric: also where AI_ADDRCONFIG would not see the loopback */
                return 0;
        }
        rc = getaddrinfo(host, NULL, &hints, &list);
        if (rc != 0)
                return diag_set(d, ODM_ENOENT, "%s: %s", host, gai_strerror(rc));
        for (struct addrinfo *a = list; a && got < max; a = a->ai_next) {
                if (a->ai_addrlen > sizeof out[got].sa)
                        continue;
                out[got] = (net_addr){.n = a->ai_addrlen};
                memcpy(&out[got].sa, a->ai_addr, a->ai_addrlen);
                net_addr_set_port(&out[got++], port);
        }
        freeaddrinfo(list);
        if (got == 0)
                return diag_set(d, ODM_ENOENT, "%s has no address", host);
        *n = got;
        return 0;
}

#define QUERY_ADDRS 8

/* A query belongs to two: the loop's side and the thread.  The last one frees it.  The thread rings
 * an eventfd of the query's own, so that nothing of it is left in a loop that ends. */
struct net_query {
        loop_io io; /* the eventfd; -1 when the loop's side is done with it */
        char host[256];
        uint16_t port;
        int socktype;
        void (*fn)(void *ctx, int rc, const net_addr *a, size_t n, const char *why);
        void *ctx;
        pthread_mutex_t lock; /* over io.fd: a ring must not meet a closed one */
        atomic_int refs;
        int rc;
        net_addr addrs[QUERY_ADDRS];
        size_t n;
        diag why;
};

static void query_drop(net_query *q)
{
        if (atomic_fetch_sub(&q->refs, 1) != 1)
                return;
        pthread_mutex_destroy(&q->lock);
        free(q);
}

/* The loop's side lets go of the eventfd. */
static void query_unhook(net_query *q)
{
        pthread_mutex_lock(&q->lock);
        loop_io_del(&q->io);
        close(q->io.fd);
        q->io.fd = -1;
        pthread_mutex_unlock(&q->lock);
}

static void query_done(void *ctx, unsigned events)
{
        net_query *q = ctx;

        (void)events;
        query_unhook(q);
        q->fn(q->ctx, q->rc, q->addrs, q->n, q->why.text);
        query_drop(q);
}

static void *query_run(void *ctx)
{
        net_query *q = ctx;
        const uint64_t one = 1;

        q->rc = net_resolve(q->host, q->port, q->socktype, q->addrs, QUERY_ADDRS, &q->n, &q->why);
        pthread_mutex_lock(&q->lock);
        if (q->io.fd >= 0) /* a fresh eventfd takes the first write */
                (void)!write(q->io.fd, &one, sizeof one);
        pthread_mutex_unlock(&q->lock);
        query_drop(q);
        return NULL;
}

static int query_hook(net_query *q, loop *l)
{
        int rc;

        q->io = (loop_io){.fn = query_done, .ctx = q};
        q->io.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (q->io.fd < 0)
                return ODM_EIO;
        rc = loop_io_add(l, &q->io, LOOP_READ);
        if (rc < 0)
                close(q->io.fd);
        return rc;
}

static int query_thread(net_query *q)
{
        pthread_attr_t attr;
        pthread_t thread;
        int rc;

        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        rc = pthread_create(&thread, &attr, query_run, q);
        pthread_attr_destroy(&attr);
        return rc == 0 ? 0 : ODM_ENOMEM;
}

int net_query_start(loop *l, const char *host, uint16_t port, int socktype,
                    void (*fn)(void *ctx, int rc, const net_addr *a, size_t n, const char *why),
                    void *ctx, net_query **out)
{
        net_query *q;
        int rc;

        if (strlen(host) >= sizeof q->host)
                return ODM_ELIMIT;
        q = calloc(1, sizeof *q);
        if (!q)
                return ODM_ENOMEM;
        snprintf(q->host, sizeof q->host, "%s", host);
        q->port = port;
        q->socktype = socktype;
        q->fn = fn;
        q->ctx = ctx;
        pthread_mutex_init(&q->lock, NULL);
        atomic_store(&q->refs, 2);
        rc = query_hook(q, l);
        if (rc == 0) {
                rc = query_thread(q);
                if (rc < 0)
                        query_unhook(q);
        }
        if (rc < 0) {
                pthread_mutex_destroy(&q->lock);
                free(q);
                return rc;
        }
        *out = q;
        return 0;
}

void net_query_cancel(net_query *q)
{
        if (!q)
                return;
        query_unhook(q);
        query_drop(q);
}

/* ---- URLs --------------------------------------------------------------------------- */

static uint16_t scheme_port(const char *scheme)
{
        static const struct {
                const char *name;
                uint16_t port;
        } known[] = {{"http", 80}, {"https", 443}};

        for (size_t i = 0; i < ODM_COUNT(known); i++)
                if (strcmp(known[i].name, scheme) == 0)
                        return known[i].port;
        return 0;
}

static int copy_text(odm_str s, char *out, size_t room)
{
        if (s.n >= room)
                return ODM_ELIMIT;
        if (s.n)
                memcpy(out, s.p, s.n);
        out[s.n] = 0;
        return 0;
}

static int parse_scheme(odm_str s, net_url *u)
{
        int rc = copy_text(s, u->scheme, sizeof u->scheme);

        if (s.n == 0)
                return ODM_EMALFORMED;
        for (size_t i = 0; rc == 0 && i < s.n; i++) {
                if (u->scheme[i] >= 'A' && u->scheme[i] <= 'Z')
                        u->scheme[i] = (char)(u->scheme[i] + 32);
                if (u->scheme[i] < 'a' || u->scheme[i] > 'z')
                        return ODM_EMALFORMED;
        }
        u->port = scheme_port(u->scheme);
        return rc;
}

static int parse_port(odm_str s, net_url *u)
{
        uint64_t port;

        if (s.n == 0) /* nothing, or a colon with nothing behind: the scheme's own */
                return 0;
        if (odm_str_u64(s, 65535, &port) < 0 || port == 0)
                return ODM_EMALFORMED;
        u->port = (uint16_t)port;
        return 0;
}

static int parse_authority(odm_str s, net_url *u)
{
        const char *end;
        size_t n;
        int rc;

        if (odm_str_has(s, '@')) /* credentials in a URL: no place of ours uses them */
                return ODM_EMALFORMED;
        if (s.n && s.p[0] == '[') {
                end = memchr(s.p, ']', s.n);
                if (!end)
                        return ODM_EMALFORMED;
                n = (size_t)(end - s.p);
                u->v6 = true;
                rc = copy_text((odm_str){s.p + 1, n - 1}, u->host, sizeof u->host);
                s = odm_str_from(s, n + 1);
        } else {
                end = memchr(s.p, ':', s.n);
                n = end ? (size_t)(end - s.p) : s.n;
                rc = copy_text(odm_str_to(s, n), u->host, sizeof u->host);
                s = odm_str_from(s, n);
        }
        if (rc < 0)
                return rc;
        if (s.n && s.p[0] != ':')
                return ODM_EMALFORMED;
        return parse_port(odm_str_from(s, 1), u);
}

static int parse_target(odm_str s, net_url *u)
{
        const char *hash = s.n ? memchr(s.p, '#', s.n) : NULL;
        size_t slash;

        if (hash)
                s.n = (size_t)(hash - s.p);
        slash = s.n == 0 || s.p[0] != '/';
        u->target[0] = '/';
        return copy_text(s, u->target + slash, sizeof u->target - slash);
}

int net_url_parse(odm_str url, net_url *out)
{
        net_url u = {0};
        size_t n = 0, a;
        int rc;

        for (size_t i = 0; i < url.n; i++)
                if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f)
                        return ODM_EMALFORMED;
        while (n < url.n && url.p[n] != ':')
                n++;
        if (!odm_str_starts(odm_str_from(url, n), "://"))
                return ODM_EMALFORMED;
        rc = parse_scheme(odm_str_to(url, n), &u);
        if (rc < 0)
                return rc;
        url = odm_str_from(url, n + 3);
        for (a = 0; a < url.n && !strchr("/?#", url.p[a]); a++)
                ;
        rc = parse_authority(odm_str_to(url, a), &u);
        if (rc == 0)
                rc = parse_target(odm_str_from(url, a), &u);
        if (rc == 0)
                *out = u;
        return rc;
}

void net_url_host_header(const net_url *u, char *out, size_t n)
{
        const char *open = u->v6 ? "[" : "", *shut = u->v6 ? "]" : "";

        if (u->port == scheme_port(u->scheme))
                snprintf(out, n, "%s%s%s", open, u->host, shut);
        else
                snprintf(out, n, "%s%s%s:%u", open, u->host, shut, u->port);
}
