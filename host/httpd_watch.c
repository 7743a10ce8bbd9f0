/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_watch.c - connections that take their time, and connections that take the room of others.
 *
 * libmicrohttpd closes a connection on which nothing moves.  One octet now and then keeps it open
 * for ever, so each step of a request has a time of its own here, checked once a second:
 *
 *     STARTED --> WAITING --request line--> HEAD --> BODY --> WORK --> REPLY --+
 *                    ^                                                         |
 *                    +---------------------------------------------------------+
 *
 * Whoever is late is told 408 where that is still possible, and shut down; the library sees the end
 * of the stream and tidies up.  WORK has no time: there the peer waits for us.
 *
 * When few connections are left, those without a request make room, of the addresses that have the
 * most, those first that wait for the longest. */
#include "httpd_inner.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

int64_t httpd_now_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t slow_ms(const httpd *h)
{
        return (int64_t)h->opt.slow_s * 1000;
}

/* ---- connections come and go --------------------------------------------------------- */

/* Who counts as one peer: an address, and of IPv6 the 64 bits that a site has. */
static void find_origin(const struct sockaddr *sa, uint8_t out[ORIGIN])
{
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;

        memset(out, 0, ORIGIN);
        if (sa && sa->sa_family == AF_INET) {
                memcpy(&v4, sa, sizeof v4);
                memcpy(out, &v4.sin_addr, 4);
        } else if (sa && sa->sa_family == AF_INET6) {
                memcpy(&v6, sa, sizeof v6);
                if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
                        memcpy(out, (const uint8_t *)&v6.sin6_addr + 12, 4);
                else
                        memcpy(out, &v6.sin6_addr, ORIGIN);
        }
}

conn *httpd_conn_new(listener *l, struct MHD_Connection *c)
{
        const union MHD_ConnectionInfo *info;
        httpd *h = l->h;
        conn *k = calloc(1, sizeof *k);

        if (!k)
                return NULL;
        k->l = l;
        info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        k->fd = info ? info->connect_fd : -1;
        info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        find_origin(info ? info->client_addr : NULL, k->origin);
        atomic_init(&k->since, httpd_now_ms());
        atomic_init(&k->due, k->since + slow_ms(h));
        atomic_init(&k->stage, STAGE_WAITING);
        pthread_mutex_lock(&h->watch);
        k->next = l->conns;
        k->prev = &l->conns;
        if (k->next)
                k->next->prev = &k->next;
        l->conns = k;
        if (++l->n_conns == 1 || l->n_conns > l->mark) /* the first: it may sleep for long */
                pthread_cond_signal(&h->wake);
        pthread_mutex_unlock(&h->watch);
        return k;
}

/* The descriptor is still open: whoever holds the lock may use it. */
void httpd_conn_free(conn *k)
{
        httpd *h;

        if (!k)
                return;
        h = k->l->h;
        pthread_mutex_lock(&h->watch);
        *k->prev = k->next;
        if (k->next)
                k->next->prev = k->prev;
        k->l->n_conns--;
        pthread_mutex_unlock(&h->watch);
        httpd_tls_unref(k->tls);
        free(k->peer);
        free(k);
}

/* ---- stages -------------------------------------------------------------------------- */

bool httpd_conn_enter(conn *k, stage to, int64_t due)
{
        int was = atomic_load(&k->stage);

        if (was == STAGE_DOOMED)
                return false;
        if (to == STAGE_WAITING)
                atomic_store(&k->since, httpd_now_ms());
        atomic_store(&k->due, due); /* first: a new stage is never judged by an old time */
        return atomic_compare_exchange_strong(&k->stage, &was, to);
}

int64_t httpd_due(const httpd *h, uint64_t octets)
{
        return httpd_now_ms() + slow_ms(h) + (int64_t)(octets / HTTPD_SLOWEST) * 1000;
}

/* ---- the end of patience --------------------------------------------------------------- */

/* What the peer is in the middle of saying will not be answered otherwise.  Not with TLS: its
 * session belongs to another thread. */
static void say_late(const conn *k)
{
        static const char text[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                                   "Content-Type: text/plain; charset=utf-8\r\n"
                                   "Content-Length: 25\r\n\r\nthe request took too long";

        if (!k->l->opt.tls)
                (void)send(k->fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Under the lock. */
static void doom(conn *k, int was)
{
        if (!atomic_compare_exchange_strong(&k->stage, &was, STAGE_DOOMED))
                return; /* it moved on meanwhile */
        if (was == STAGE_HEAD || was == STAGE_BODY)
                say_late(k);
        (void)shutdown(k->fd, SHUT_RDWR);
}

static void look_for_late(listener *l, int64_t now)
{
        for (conn *k = l->conns; k; k = k->next) {
                int was = atomic_load(&k->stage);
                if (was == STAGE_WORK || was == STAGE_DOOMED || now < atomic_load(&k->due))
                        continue;
                atomic_fetch_add(&l->h->late, 1);
                doom(k, was);
        }
}

/* ---- making room ------------------------------------------------------------------------- */

/* A connection as it was when the list was made: what is sorted must not move. */
typedef struct seat {
        conn *k;
        int64_t since;
        uint8_t origin[ORIGIN];
} seat;

static int by_origin(const void *x, const void *y)
{
        const seat *a = x, *b = y;
        int d = memcmp(a->origin, b->origin, ORIGIN);

        return d ? d : (a->since > b->since) - (a->since < b->since);
}

/* The seats of one origin begin at `at`: how many they are. */
static size_t group(const seat *all, size_t n, size_t at)
{
        size_t k = at + 1;

        while (k < n && memcmp(all[k].origin, all[at].origin, ORIGIN) == 0)
                k++;
        return k - at;
}

static size_t beyond(const seat *all, size_t n, size_t level)
{
        size_t sum = 0;

        for (size_t at = 0, g; at < n; at += g) {
                g = group(all, n, at);
                sum += g > level ? g - level : 0;
        }
        return sum;
}

/* The highest number of connections an origin may keep so that `want` of them go. */
static size_t find_level(const seat *all, size_t n, size_t want)
{
        size_t low = 0, high = n; /* beyond(low) >= want > beyond(high) */

        while (high - low > 1) {
                size_t mid = low + (high - low) / 2;
                if (beyond(all, n, mid) >= want)
                        low = mid;
                else
                        high = mid;
        }
        return low;
}

/* Dooms up to `most` of these, the oldest first: only those who wait, or all that do not wait for
 * us.  How many. */
static size_t doom_some(const seat *s, size_t n, size_t most, bool waiting)
{
        size_t gone = 0;

        for (size_t i = 0; i < n && gone < most; i++) {
                int was = atomic_load(&s[i].k->stage);
                if (was == STAGE_WORK || was == STAGE_DOOMED || (waiting && was != STAGE_WAITING))
                        continue;
                doom(s[i].k, was);
                gone++;
        }
        return gone;
}

/* Who holds a quarter of the room by requests that do not come to an end loses those too. */
static size_t evict(const listener *l, const seat *all, size_t n, size_t want)
{
        size_t level = find_level(all, n, want), gone = 0;

        for (size_t at = 0, g; at < n && gone < want; at += g) {
                size_t over, got;
                g = group(all, n, at);
                over = g > level ? g - level : 0;
                if (over > want - gone)
                        over = want - gone;
                got = doom_some(all + at, g, over, true);
                if (got < over && g > l->mark / 4)
                        got += doom_some(all + at, g, over - got, false);
                gone += got;
        }
        return gone;
}

/* Without memory for the list nothing goes but by its time. */
static void make_room(listener *l)
{
        seat *all = malloc(l->n_conns * sizeof *all);
        size_t n = 0;

        if (!all)
                return;
        for (conn *k = l->conns; k; k = k->next) {
                if (atomic_load(&k->stage) == STAGE_DOOMED)
                        continue;
                all[n].k = k;
                all[n].since = atomic_load(&k->since);
                memcpy(all[n++].origin, k->origin, ORIGIN);
        }
        if (n > l->mark) {
                qsort(all, n, sizeof *all, by_origin);
                atomic_fetch_add(&l->h->evicted, evict(l, all, n, n - l->mark + l->mark / 16));
        }
        free(all);
}

/* ---- the thread --------------------------------------------------------------------------- */

static void *watch(void *arg)
{
        httpd *h = arg;
        struct timespec until;

        pthread_mutex_lock(&h->watch);
        while (!h->watch_ends) {
                bool any = false;
                for (size_t i = 0; i < h->n; i++) {
                        look_for_late(&h->l[i], httpd_now_ms());
                        if (h->l[i].n_conns > h->l[i].mark)
                                make_room(&h->l[i]);
                        any |= h->l[i].n_conns > 0;
                }
                clock_gettime(CLOCK_MONOTONIC, &until);
                until.tv_sec += any ? 1 : 5;
                (void)pthread_cond_timedwait(&h->wake, &h->watch, &until);
        }
        pthread_mutex_unlock(&h->watch);
        return NULL;
}

int httpd_watch_start(httpd *h)
{
        if (pthread_create(&h->watcher, NULL, watch, h) != 0)
                return ODM_ENOMEM;
        h->watched = true;
        return 0;
}

void httpd_watch_stop(httpd *h)
{
        if (!h->watched)
                return;
        pthread_mutex_lock(&h->watch);
        h->watch_ends = true;
        pthread_cond_signal(&h->wake);
        pthread_mutex_unlock(&h->watch);
        pthread_join(h->watcher, NULL);
        h->watched = false;
}
