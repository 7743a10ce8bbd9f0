/* SPDX-License-Identifier: Apache-2.0 */
/* The thread owns the work, the loop owns what is to come of it, and so does what is posted, which
 * may run while the thread still holds the lock; who is last gives the memory back.
 * A thread that hangs in a name never keeps the agent from ending. */
#include "part/ping.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET 64
#define MOST 1000

struct ping {
        loop *loop;
        char host[PING_HOST];
        unsigned count;
        int gap_ms, wait_ms;
        void (*done)(void *ctx, const ping_result *r);
        void *ctx;
        pthread_mutex_t lock; /* over `cancelled` and posting: after a cancel the loop may go */
        atomic_bool cancelled;
        atomic_int owners;
        ping_result result;
        /* of the thread */
        int fd, family;
        bool raw;
        uint16_t id;
        int64_t sent_us[MOST], delay_us[MOST]; /* 0 not yet */
};

static void leave(ping *p)
{
        if (atomic_fetch_sub(&p->owners, 1) != 1)
                return;
        pthread_mutex_destroy(&p->lock);
        free(p);
}

static int64_t now_us(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int open_socket(int family, bool *raw)
{
        int proto = family == AF_INET6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;
        int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, proto);

        *raw = fd < 0;
        return fd < 0 ? socket(family, SOCK_RAW | SOCK_CLOEXEC, proto) : fd;
}

bool ping_may(void)
{
        bool raw;
        int fd = open_socket(AF_INET, &raw);

        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

static uint16_t checksum(const uint8_t *p, size_t n)
{
        uint32_t sum = 0;

        for (size_t i = 0; i + 1 < n; i += 2)
                sum += (uint32_t)p[i] << 8 | p[i + 1];
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t)~sum;
}

static void send_one(ping *p, unsigned seq)
{
        uint8_t packet[PACKET] = {0};
        uint16_t sum;

        packet[0] = p->family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
        packet[4] = (uint8_t)(p->id >> 8);
        packet[5] = (uint8_t)p->id;
        packet[6] = (uint8_t)(seq >> 8);
        packet[7] = (uint8_t)seq;
        if (p->family == AF_INET) { /* the kernel makes the other's */
                sum = checksum(packet, sizeof packet);
                packet[2] = (uint8_t)(sum >> 8);
                packet[3] = (uint8_t)sum;
        }
        p->sent_us[seq] = now_us();
        if (send(p->fd, packet, sizeof packet, 0) < 0 && errno == EACCES)
                p->result.failed = "the system forbids it";
        p->result.sent++;
}

/* Others' answers come to a raw socket too. */
static void take_one(ping *p)
{
        uint8_t buf[1024];
        ssize_t n = recv(p->fd, buf, sizeof buf, MSG_DONTWAIT);
        const uint8_t *at = buf;
        unsigned seq;

        if (n > 0 && p->raw && p->family == AF_INET) { /* with its header */
                size_t skip = (size_t)(buf[0] & 15) * 4;
                at += skip;
                n -= (ssize_t)skip;
        }
        if (n < 8 || at[0] != (p->family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) ||
            (p->raw && (at[4] << 8 | at[5]) != p->id))
                return;
        seq = (unsigned)(at[6] << 8 | at[7]);
        if (seq >= p->count || !p->sent_us[seq] || p->delay_us[seq])
                return;
        p->delay_us[seq] = now_us() - p->sent_us[seq];
        if (p->delay_us[seq] == 0)
                p->delay_us[seq] = 1;
        p->result.received++;
}

static void wait_until(ping *p, int64_t until)
{
        while (!atomic_load(&p->cancelled)) {
                int64_t left = (until - now_us() + 999) / 1000;
                struct pollfd f = {.fd = p->fd, .events = POLLIN};
                if (left <= 0)
                        break;
                if (poll(&f, 1, left > 200 ? 200 : (int)left) > 0)
                        take_one(p);
                if (p->result.received == p->count)
                        break;
        }
}

static void sum_up(ping *p)
{
        int64_t total = 0, apart = 0, before = 0;
        unsigned n = 0, pairs = 0;

        for (unsigned i = 0; i < p->count; i++) {
                if (!p->delay_us[i])
                        continue;
                total += p->delay_us[i];
                if (n++) {
                        apart += llabs(p->delay_us[i] - before);
                        pairs++;
                }
                before = p->delay_us[i];
        }
        p->result.delay_ms = n ? (double)total / n / 1000 : 0;
        p->result.jitter_ms = pairs ? (double)apart / pairs / 1000 : 0;
}

static bool reach(ping *p)
{
        const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
        struct addrinfo *list = NULL;

        p->fd = -1;
        if (getaddrinfo(p->host, NULL, &hints, &list) != 0) {
                p->result.failed = "the host is not known";
                return false;
        }
        p->result.failed = "there is no way to the host";
        for (const struct addrinfo *a = list; a && p->fd < 0; a = a->ai_next) {
                p->family = a->ai_family;
                p->fd = open_socket(p->family, &p->raw);
                if (p->fd >= 0 && connect(p->fd, a->ai_addr, a->ai_addrlen) < 0) {
                        close(p->fd);
                        p->fd = -1;
                }
        }
        freeaddrinfo(list);
        if (p->fd >= 0)
                p->result.failed = NULL;
        return p->fd >= 0;
}

static void on_posted(void *ctx)
{
        ping *p = ctx;

        if (!atomic_load(&p->cancelled)) {
                p->done(p->ctx, &p->result);
                leave(p);
        }
        leave(p);
}

static void *work(void *ctx)
{
        ping *p = ctx;

        if (reach(p)) {
                int64_t due = now_us();
                for (unsigned i = 0; i < p->count && !atomic_load(&p->cancelled); i++) {
                        send_one(p, i);
                        due += (int64_t)p->gap_ms * 1000;
                        wait_until(p,
                                   i + 1 < p->count ? due : now_us() + (int64_t)p->wait_ms * 1000);
                }
                close(p->fd);
                sum_up(p);
        }
        pthread_mutex_lock(&p->lock);
        if (!atomic_load(&p->cancelled)) {
                atomic_fetch_add(&p->owners, 1);
                if (loop_post(p->loop, on_posted, p) < 0)
                        leave(p);
        }
        pthread_mutex_unlock(&p->lock);
        leave(p);
        return NULL;
}

int ping_start(loop *l, const char *host, unsigned count, int gap_ms, int wait_ms,
               void (*done)(void *ctx, const ping_result *r), void *ctx, ping **out)
{
        ping *p = calloc(1, sizeof *p);
        pthread_attr_t attr;
        pthread_t thread;
        int bad;

        if (!p)
                return ODM_ENOMEM;
        snprintf(p->host, sizeof p->host, "%s", host);
        p->loop = l;
        p->count = count > MOST ? MOST : count;
        p->gap_ms = gap_ms;
        p->wait_ms = wait_ms;
        p->done = done;
        p->ctx = ctx;
        p->id = (uint16_t)getpid();
        pthread_mutex_init(&p->lock, NULL);
        atomic_init(&p->owners, 2);
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        bad = pthread_create(&thread, &attr, work, p);
        pthread_attr_destroy(&attr);
        if (bad) {
                pthread_mutex_destroy(&p->lock);
                free(p);
                return ODM_EIO;
        }
        *out = p;
        return 0;
}

void ping_cancel(ping *p)
{
        if (!p)
                return;
        pthread_mutex_lock(&p->lock);
        atomic_store(&p->cancelled, true);
        pthread_mutex_unlock(&p->lock);
        leave(p);
}
