/* SPDX-License-Identifier: Apache-2.0 */
#include "ear.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 0x7f100000u /* 127.16.0.0 */
#define ROUND 64          /* datagrams taken before others on the loop have their turn */
#define DATAGRAM_MAX 2048

struct ear {
        loop_io io;
        uint32_t n;
        uint16_t port;
        void (*fn)(void *ctx, uint32_t i, odm_str datagram);
        void *ctx;
};

/* Where the datagram was sent to; 0 when the system does not say. */
static uint32_t address_of(struct msghdr *m)
{
        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
                struct in_pktinfo info;
                if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
                        continue;
                memcpy(&info, CMSG_DATA(c), sizeof info);
                return ntohl(info.ipi_addr.s_addr);
        }
        return 0;
}

static void on_ready(void *ctx, unsigned events)
{
        ear *e = ctx;
        char buf[DATAGRAM_MAX];
        _Alignas(struct cmsghdr) char control[256];

        (void)events;
        for (int i = 0; i < ROUND; i++) {
                struct iovec v = {buf, sizeof buf};
                struct msghdr m = {.msg_iov = &v,
                                   .msg_iovlen = 1,
                                   .msg_control = control,
                                   .msg_controllen = sizeof control};
                ssize_t n = recvmsg(e->io.fd, &m, MSG_DONTWAIT);
                if (n < 0)
                        break;
                uint32_t at = address_of(&m);
                if (!(m.msg_flags & MSG_TRUNC) && at >= FIRST && at - FIRST < e->n)
                        e->fn(e->ctx, at - FIRST, (odm_str){buf, (size_t)n});
        }
}

/* Outsiders cannot send to 127.0.0.0/8, and what comes to other addresses is not looked at. */
int ear_open(loop *l, uint16_t port, uint32_t n,
             void (*fn)(void *ctx, uint32_t i, odm_str datagram), void *ctx, ear **out, diag *d)
{
        ear *e = calloc(1, sizeof *e);
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
        socklen_t size = sizeof at;
        int on = 1;

        if (!e)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        e->n = n;
        e->fn = fn;
        e->ctx = ctx;
        e->io = (loop_io){.fn = on_ready, .ctx = e};
        e->io.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (e->io.fd < 0 || setsockopt(e->io.fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0 ||
            bind(e->io.fd, (const struct sockaddr *)&at, sizeof at) < 0 ||
            getsockname(e->io.fd, (struct sockaddr *)&at, &size) < 0 ||
            loop_io_add(l, &e->io, LOOP_READ) < 0) {
                diag_set(d, ODM_EIO, "wake-ups on port %u: %s", port, strerror(errno));
                ear_close(e);
                return ODM_EIO;
        }
        e->port = ntohs(at.sin_port);
        *out = e;
        return 0;
}

void ear_close(ear *e)
{
        if (!e)
                return;
        loop_io_del(&e->io);
        if (e->io.fd >= 0)
                close(e->io.fd);
        free(e);
}

void ear_address(const ear *e, uint32_t i, char out[EAR_ADDRESS])
{
        uint32_t a = FIRST + i;

        (void)snprintf(out, EAR_ADDRESS, "udp://%u.%u.%u.%u:%u", a >> 24, a >> 16 & 255,
                       a >> 8 & 255, a & 255, e->port);
}
