/* SPDX-License-Identifier: Apache-2.0 */
/* udp.c - datagrams; see udp.h. */
#include "udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUND 32 /* datagrams taken before others on the loop have their turn */

struct udp {
        loop_io io;
        void (*fn)(void *ctx, odm_str datagram, const net_addr *from);
        void *ctx;
        int family;
        bool running, closed; /* fn runs; it closed us meanwhile */
};

static void udp_free(udp *u)
{
        close(u->io.fd);
        free(u);
}

static void on_ready(void *ctx, unsigned events)
{
        udp *u = ctx;
        char buf[UDP_MAX + 1];

        (void)events;
        u->running = true;
        for (int i = 0; i < ROUND && !u->closed; i++) {
                net_addr from = {.n = sizeof from.sa};
                ssize_t n = recvfrom(u->io.fd, buf, sizeof buf, MSG_DONTWAIT,
                                     (struct sockaddr *)&from.sa, &from.n);
                if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                        break;
                if (n >= 0 && n <= UDP_MAX && u->fn)
                        u->fn(u->ctx, (odm_str){buf, (size_t)n}, &from);
        }
        u->running = false;
        if (u->closed)
                udp_free(u);
}

int udp_open(loop *l, const net_addr *at,
             void (*fn)(void *ctx, odm_str datagram, const net_addr *from), void *ctx, udp **out,
             diag *d)
{
        udp *u = calloc(1, sizeof *u);
        char text[NET_ADDR_TEXT];
        int off = 0;

        if (!u)
                return ODM_ENOMEM;
        net_addr_format(at, text);
        u->fn = fn;
        u->ctx = ctx;
        u->family = at->sa.ss_family;
        u->io = (loop_io){.fn = on_ready, .ctx = u};
        u->io.fd = socket(u->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (u->io.fd < 0)
                goto fail;
        if (u->family == AF_INET6)
                (void)setsockopt(u->io.fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        if (bind(u->io.fd, (const struct sockaddr *)&at->sa, at->n) < 0 ||
            loop_io_add(l, &u->io, LOOP_READ) < 0)
                goto fail;
        *out = u;
        return 0;
fail:
        diag_set(d, ODM_EIO, "udp %s: %s", text, strerror(errno));
        if (u->io.fd >= 0)
                close(u->io.fd);
        free(u);
        return ODM_EIO;
}

void udp_close(udp *u)
{
        if (!u)
                return;
        loop_io_del(&u->io);
        u->closed = true;
        if (!u->running)
                udp_free(u);
}

uint16_t udp_port(const udp *u)
{
        net_addr a = {.n = sizeof a.sa};

        if (getsockname(u->io.fd, (struct sockaddr *)&a.sa, &a.n) < 0)
                return 0;
        return net_addr_port(&a);
}

/* An IPv6 socket reaches IPv4 addresses in their mapped form. */
static net_addr mapped(const net_addr *to)
{
        struct sockaddr_in v4;
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
        net_addr a = {.n = sizeof v6};

        memcpy(&v4, &to->sa, sizeof v4);
        v6.sin6_port = v4.sin_port;
        v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
        memcpy(v6.sin6_addr.s6_addr + 12, &v4.sin_addr, 4);
        memcpy(&a.sa, &v6, sizeof v6);
        return a;
}

int udp_send(udp *u, odm_str datagram, const net_addr *to)
{
        net_addr a = *to;
        ssize_t n;

        if (u->family == AF_INET6 && to->sa.ss_family == AF_INET)
                a = mapped(to);
        do
                n = sendto(u->io.fd, datagram.p, datagram.n, MSG_DONTWAIT | MSG_NOSIGNAL,
                           (const struct sockaddr *)&a.sa, a.n);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? ODM_ELIMIT
                                                                                   : ODM_EIO;
        return 0;
}
