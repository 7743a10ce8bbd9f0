/* SPDX-License-Identifier: Apache-2.0 */
/* coap.c - ends, peers and their datagrams; see coap.h and coap_inner.h. */
#include <coap3/coap.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coap_inner.h"
#include "rand.h"

#define ROUND 64              /* datagrams taken before others on the loop have their turn */
#define TABLE_FIRST 16        /* places of the table of peers at first; a power of two */
#define SOCKET_ROOM (1 << 20) /* octets the kernel may keep for us: a storm of registrations */

/* ---- messages ----------------------------------------------------------------------------------- */

void co_msg_init(co_msg *m, uint8_t code)
{
        *m = (co_msg){.code = code, .format = -1, .accept = -1, .observe = -1, .max_age = -1};
}

void co_code_format(uint8_t code, char out[CO_CODE_TEXT])
{
        snprintf(out, CO_CODE_TEXT, "%u.%02u", co_class(code), code & 31u);
}

odm_str co_query(const co_msg *m, const char *key)
{
        size_t n = strlen(key);

        for (size_t i = 0; i < m->n_query; i++) {
                odm_str q = m->query[i];

                if (!odm_str_starts(q, key) || (q.n > n && q.p[n] != '='))
                        continue;
                return q.n > n ? odm_str_from(q, n + 1) : (odm_str){"", 0};
        }
        return ODM_ABSENT;
}

const char *co_end_text(co_end_of why)
{
        switch (why) {
        case CO_REPLY: return "answered";
        case CO_SILENT: return "no answer";
        case CO_RESET: return "reset by the peer";
        case CO_UNREACHABLE: return "not reachable";
        case CO_GARBLED: return "blocks that do not fit together, or too long a body";
        case CO_CLOSED: return "the connection was ended";
        }
        ODM_UNREACHABLE();
}

/* ---- addresses ------------------------------------------------------------------------------------- */

/* An IPv6 socket reaches IPv4 addresses in their mapped form. */
co_addr co_addr_of(const net_addr *a, int family)
{
        co_addr out = {.n = 0};
        struct sockaddr_in v4;

        if (a->sa.ss_family == AF_INET && family == AF_INET6) {
                memcpy(&v4, &a->sa, sizeof v4);
                out.v6.sin6_family = AF_INET6;
                out.v6.sin6_port = v4.sin_port;
                out.v6.sin6_addr.s6_addr[10] = out.v6.sin6_addr.s6_addr[11] = 0xff;
                memcpy(out.v6.sin6_addr.s6_addr + 12, &v4.sin_addr, 4);
                out.n = sizeof out.v6;
        } else if (a->n <= sizeof out.v6) {
                memcpy(&out.sa, &a->sa, a->n);
                out.n = a->n;
        }
        return out;
}

void co_addr_net(const co_addr *a, net_addr *out)
{
        memset(out, 0, sizeof *out);
        memcpy(&out->sa, &a->sa, a->n);
        out->n = a->n;
}

bool co_addr_eq(const co_addr *a, const co_addr *b)
{
        if (a->sa.sa_family != b->sa.sa_family)
                return false;
        if (a->sa.sa_family == AF_INET)
                return a->v4.sin_port == b->v4.sin_port &&
                       a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
        return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
               memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

uint64_t co_hash(uint64_t h, const void *p, size_t n)
{
        const uint8_t *u = p;

        for (size_t i = 0; i < n; i++)
                h = (h ^ u[i]) * 1099511628211u;
        return h;
}

static size_t place_of(const co_end *e, const co_addr *a)
{
        uint64_t h = CO_HASH;

        if (a->sa.sa_family == AF_INET) {
                h = co_hash(h, &a->v4.sin_port, sizeof a->v4.sin_port);
                h = co_hash(h, &a->v4.sin_addr, sizeof a->v4.sin_addr);
        } else {
                h = co_hash(h, &a->v6.sin6_port, sizeof a->v6.sin6_port);
                h = co_hash(h, &a->v6.sin6_addr, sizeof a->v6.sin6_addr);
        }
        return (size_t)(h ^ h >> 29) & (e->peers_cap - 1);
}

/* ---- peers, by address and by age ------------------------------------------------------------------ */

co_peer *peer_find(const co_end *e, const co_addr *a)
{
        if (e->peers_cap == 0)
                return NULL;
        for (co_peer *p = e->peers[place_of(e, a)]; p; p = p->chain)
                if (co_addr_eq(&p->addr, a))
                        return p;
        return NULL;
}

static void table_put(co_end *e, co_peer *p)
{
        size_t at = place_of(e, &p->addr);

        p->chain = e->peers[at];
        e->peers[at] = p;
}

static int table_grow(co_end *e)
{
        size_t was = e->peers_cap, cap = was ? was * 2 : TABLE_FIRST;
        co_peer **v, **old = e->peers;

        if (e->n_peers < e->peers_cap)
                return 0;
        v = calloc(cap, sizeof(co_peer *));
        if (!v)
                return ODM_ENOMEM;
        e->peers = v;
        e->peers_cap = cap;
        for (size_t i = 0; i < was; i++)
                for (co_peer *p = old[i], *next; p; p = next) {
                        next = p->chain;
                        table_put(e, p);
                }
        free(old);
        return 0;
}

static void table_take(co_end *e, co_peer *p)
{
        co_peer **at = &e->peers[place_of(e, &p->addr)];

        while (*at != p)
                at = &(*at)->chain;
        *at = p->chain;
        e->n_peers--;
}

static void age_unlink(co_end *e, co_peer *p)
{
        *(p->older ? &p->older->newer : &e->oldest) = p->newer;
        *(p->newer ? &p->newer->older : &e->newest) = p->older;
}

static void age_append(co_end *e, co_peer *p)
{
        p->older = e->newest;
        p->newer = NULL;
        *(e->newest ? &e->newest->newer : &e->oldest) = p;
        e->newest = p;
}

static int64_t idle_of(const co_end *e)
{
        return e->dtls ? e->set.secure_idle_ms : e->set.idle_ms;
}

static void reap_later(co_end *e)
{
        if (!e->oldest)
                loop_timer_stop(&e->reap);
        else if (!e->reap.in &&
                 loop_timer_set(e->loop, &e->reap, odm_time_add(e->oldest->last, idle_of(e))) < 0)
                return; /* the next peer's word tries again */
}

static void touch(co_peer *p)
{
        co_end *e = p->end;

        p->last = loop_now();
        if (!p->proven)
                return;
        if (e->newest != p) {
                age_unlink(e, p);
                age_append(e, p);
        }
        reap_later(e);
}

static bool peer_is_idle(const co_peer *p)
{
        return !p->held && !p->busy && !p->first && !p->outs && !p->open;
}

static void on_reap(void *ctx)
{
        co_end *e = ctx;
        odm_time now = loop_now();

        while (e->oldest && odm_time_reached(now, odm_time_add(e->oldest->last, idle_of(e)))) {
                if (peer_is_idle(e->oldest))
                        peer_drop(e->oldest, CO_CLOSED);
                else
                        touch(e->oldest);
        }
        reap_later(e);
}

/* Room for one more: the longest idle of the first few goes. */
static bool make_room(co_end *e)
{
        co_peer *p = e->oldest;

        for (int i = 0; i < 32 && p && e->n_proven >= e->set.peers_max; i++, p = p->newer) {
                if (!peer_is_idle(p))
                        continue;
                peer_drop(p, CO_CLOSED);
                return true;
        }
        return e->n_proven < e->set.peers_max;
}

bool peer_prove(co_peer *p)
{
        co_end *e = p->end;

        if (!make_room(e)) {
                e->counts.refused++;
                return false;
        }
        p->proven = true;
        p->last = loop_now();
        e->n_proven++;
        age_append(e, p);
        reap_later(e);
        return true;
}

co_peer *peer_new(co_end *e, const co_addr *a, const co_from *from)
{
        co_peer *p = peer_new_unproven(e, a, from);

        if (p && !peer_prove(p)) {
                peer_drop(p, CO_CLOSED);
                return NULL;
        }
        return p;
}

co_peer *peer_new_unproven(co_end *e, const co_addr *a, const co_from *from)
{
        co_peer *p;

        if (table_grow(e) < 0 || !(p = calloc(1, sizeof *p))) {
                e->counts.refused++;
                return NULL;
        }
        p->end = e;
        p->addr = *a;
        p->from = *from;
        p->tail = &p->first;
        p->last = loop_now();
        rand_bytes(&p->mid, sizeof p->mid);
        table_put(e, p);
        e->n_peers++;
        return p;
}

co_peer *peer_get(co_end *e, const co_addr *a)
{
        co_peer *p = peer_find(e, a);

        if (p)
                return p;
        if (e->dtls && !e->set.client)
                return NULL;
        p = peer_new(e, a, &(co_from){.on = false});
        if (p && e->dtls && dtls_begin(p) < 0) {
                peer_drop(p, CO_UNREACHABLE);
                return NULL;
        }
        return p;
}

void peer_hold(co_peer *p)
{
        p->held++;
}

void peer_let(co_peer *p)
{
        assert(p->held > 0);
        if (--p->held == 0 && p->dead)
                free(p);
}

void peer_drop(co_peer *p, co_end_of why)
{
        if (p->dead)
                return;
        p->dead = true;
        p->held++;
        table_take(p->end, p);
        if (p->proven) {
                age_unlink(p->end, p);
                p->end->n_proven--;
        }
        ask_drop_all(p, why);
        while (p->outs)
                out_free(p->outs);
        serve_forget(p);
        dtls_end(p);
        peer_let(p);
}

void co_peer_drop(co_end *e, const net_addr *to)
{
        co_addr a = co_addr_of(to, e->family);
        co_peer *p = peer_find(e, &a);

        if (p)
                peer_drop(p, CO_CLOSED);
}

void co_peer_addr(const co_peer *p, net_addr *out)
{
        co_addr_net(&p->addr, out);
}

odm_str co_peer_identity(const co_peer *p)
{
        return p->dtls ? dtls_identity(p) : ODM_ABSENT;
}

/* ---- out ------------------------------------------------------------------------------------------- */

/* The address that an answer comes from is the one that was asked. */
static void put_from(struct msghdr *h, int family, const co_from *from)
{
        struct cmsghdr *c = CMSG_FIRSTHDR(h);
        struct in_pktinfo v4 = {.ipi_spec_dst = from->v4};
        struct in6_pktinfo v6 = {.ipi6_addr = from->v6};

        c->cmsg_level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
        c->cmsg_type = family == AF_INET ? IP_PKTINFO : IPV6_PKTINFO;
        if (family == AF_INET)
                memcpy(CMSG_DATA(c), &v4, sizeof v4);
        else
                memcpy(CMSG_DATA(c), &v6, sizeof v6);
        c->cmsg_len = CMSG_LEN(family == AF_INET ? sizeof v4 : sizeof v6);
        h->msg_controllen = CMSG_SPACE(family == AF_INET ? sizeof v4 : sizeof v6);
}

void end_send(co_end *e, const co_addr *to, const co_from *from, const void *d, size_t n)
{
        struct iovec v = {(void *)(uintptr_t)d, n};
        union {
                char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
                struct cmsghdr align;
        } c;
        struct msghdr h = {.msg_name = (void *)(uintptr_t)&to->sa,
                           .msg_namelen = to->n,
                           .msg_iov = &v,
                           .msg_iovlen = 1};
        ssize_t rc;

        e->counts.out++;
        memset(&c, 0, sizeof c);
        if (from->on) {
                h.msg_control = &c;
                h.msg_controllen = sizeof c;
                put_from(&h, e->family, from);
        }
        do
                rc = sendmsg(e->io.fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (rc < 0 && errno == EINTR);
        /* What did not go is as good as lost on the way. */
}

void peer_send(co_peer *p, const uint8_t *d, size_t n)
{
        if (p->dead)
                return;
        touch(p);
        if (p->dtls)
                dtls_send(p, d, n);
        else
                end_send(p->end, &p->addr, &p->from, d, n);
}

void peer_send_empty(co_peer *p, uint8_t type, uint16_t mid)
{
        uint8_t d[4] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(mid >> 8), (uint8_t)mid};

        peer_send(p, d, sizeof d);
}

int64_t co_first_wait(const co_end *e)
{
        return (int64_t)e->set.ack_ms + (int64_t)rand_below(e->set.ack_ms / 2 + 1);
}

void out_free(co_out *o)
{
        co_out **at = &o->peer->outs;

        while (*at != o)
                at = &(*at)->next;
        *at = o->next;
        loop_timer_stop(&o->timer);
        free(o->p);
        free(o);
}

static void out_wait(co_out *o)
{
        if (loop_timer_set(o->peer->end->loop, &o->timer, odm_time_add(loop_now(), o->wait_ms)) < 0)
                out_free(o); /* sent once, and not again */
}

static void on_out(void *ctx)
{
        co_out *o = ctx;
        co_watcher *w = o->watcher;

        if (o->tries++ < o->peer->end->set.retransmit) {
                o->peer->end->counts.retransmitted++;
                o->wait_ms *= 2;
                peer_send(o->peer, o->p, o->n);
                out_wait(o);
                return;
        }
        o->peer->end->counts.silent++;
        out_free(o);
        if (w)
                watch_lost(w);
}

void peer_send_con(co_peer *p, const uint8_t *d, size_t n, uint16_t mid, co_watcher *w)
{
        co_out *o = calloc(1, sizeof *o);
        uint8_t *copy = malloc(n);

        peer_send(p, d, n);
        if (!o || !copy || p->dead) {
                free(o);
                free(copy);
                return;
        }
        memcpy(copy, d, n);
        *o = (co_out){.next = p->outs, .peer = p, .mid = mid, .p = copy, .n = n, .watcher = w};
        o->wait_ms = co_first_wait(p->end);
        o->timer = (loop_timer){.fn = on_out, .ctx = o};
        p->outs = o;
        out_wait(o);
}

/* An ACK or RST for a message of ours that is no request. */
static void out_settled(co_peer *p, uint16_t mid)
{
        for (co_out *o = p->outs; o; o = o->next)
                if (o->mid == mid) {
                        out_free(o);
                        return;
                }
}

/* ---- in ---------------------------------------------------------------------------------------------- */

static void on_empty(co_peer *p, const co_wire *w)
{
        switch (w->type) {
        case CO_CON: /* a ping */ peer_send_empty(p, CO_RST, w->mid); break;
        case CO_ACK:
                out_settled(p, w->mid);
                ask_acked(p, w->mid);
                break;
        case CO_RST:
                out_settled(p, w->mid);
                if (!ask_reset(p, w->mid))
                        watch_reset(p, w->mid);
                break;
        default: break;
        }
}

static void on_message(co_peer *p, co_wire *w)
{
        if (w->m.code == 0) {
                on_empty(p, w);
        } else if (co_class(w->m.code) == 0) {
                if (w->type == CO_CON || w->type == CO_NON)
                        serve_request(p, w);
        } else if (!ask_response(p, w) && w->type != CO_ACK) {
                peer_send_empty(p, CO_RST, w->mid);
        }
}

void peer_datagram(co_peer *p, odm_str d)
{
        co_wire w;

        if (p->dead)
                return;
        touch(p);
        peer_hold(p);
        if (co_wire_read(d, &w) < 0) {
                p->end->counts.refused++;
                if (w.type == CO_CON)
                        peer_send_empty(p, CO_RST, w.mid);
        } else {
                on_message(p, &w);
                co_wire_done(&w);
        }
        peer_let(p);
}

static void on_datagram(co_end *e, const co_addr *from, const co_from *at, odm_str d)
{
        co_peer *p;

        e->counts.in++;
        if (e->dtls) {
                dtls_datagram(e, from, at, d);
                return;
        }
        p = peer_find(e, from);
        if (!p) /* whoever sends no CoAP costs no memory */
                p = d.n >= 4 && (uint8_t)d.p[0] >> 6 == 1 ? peer_new(e, from, at) : NULL;
        if (p)
                peer_datagram(p, d);
}

static co_from get_from(struct msghdr *h)
{
        co_from from = {.on = false};
        struct in_pktinfo v4;
        struct in6_pktinfo v6;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
                if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
                        memcpy(&v4, CMSG_DATA(c), sizeof v4);
                        from = (co_from){.on = true, .v4 = v4.ipi_spec_dst};
                } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
                        memcpy(&v6, CMSG_DATA(c), sizeof v6);
                        from = (co_from){.on = true, .v6 = v6.ipi6_addr};
                }
        }
        return from;
}

/* One datagram.  False: there is none. */
static bool take(co_end *e)
{
        char buf[CO_DATAGRAM];
        char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))]
                __attribute__((aligned(sizeof(struct cmsghdr))));
        co_addr from = {.n = 0};
        struct iovec v = {buf, sizeof buf};
        struct msghdr h = {.msg_name = &from.sa,
                           .msg_namelen = sizeof from.v6,
                           .msg_iov = &v,
                           .msg_iovlen = 1};
        co_from at = {.on = false};
        ssize_t n;

        if (e->any) {
                h.msg_control = control;
                h.msg_controllen = sizeof control;
        }
        n = recvmsg(e->io.fd, &h, MSG_DONTWAIT);
        if (n < 0)
                return errno == EINTR || errno == ECONNREFUSED;
        from.n = h.msg_namelen;
        if (e->any)
                at = get_from(&h);
        if (n > 0 && !e->deaf)
                on_datagram(e, &from, &at, (odm_str){buf, (size_t)n});
        return true;
}

static void on_ready(void *ctx, unsigned events)
{
        (void)events;
        for (int i = 0; i < ROUND && take(ctx); i++) {
        }
}

/* ---- ends --------------------------------------------------------------------------------------------- */

void co_setup_init(co_setup *s)
{
        *s = (co_setup){.ack_ms = 2000,
                        .retransmit = 4,
                        .piggyback_ms = 500,
                        .idle_ms = 100000,
                        .secure_idle_ms = 86400000,
                        .block = 1024,
                        .body_max = 65536,
                        .peers_max = 16384,
                        .handshakes_max = 256,
                        .asks_max = 65536};
}

static int check(const co_setup *s, uint8_t *szx)
{
        if (s->block < 16 || s->block > 1024 || (s->block & (s->block - 1)) || s->ack_ms == 0 ||
            s->peers_max == 0 || s->handshakes_max == 0 || s->identity.n > CO_IDENTITY_MAX ||
            s->key.n > CO_KEY_MAX)
                return ODM_EINVAL;
        *szx = 0;
        while (co_block_size(*szx) < s->block)
                (*szx)++;
        return 0;
}

static bool is_any(const net_addr *a)
{
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;

        if (a->n == 0 || a->sa.ss_family == AF_INET)
                return a->n > 0 && v4->sin_addr.s_addr == htonl(INADDR_ANY);
        return IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

static void want_from(co_end *e, const net_addr *at)
{
        int on = 1;

        e->any = is_any(at);
        if (e->any && e->family == AF_INET)
                (void)setsockopt(e->io.fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
        else if (e->any)
                (void)setsockopt(e->io.fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
}

static int open_socket(co_end *e, const net_addr *at, diag *d)
{
        struct sockaddr_in any = {.sin_family = AF_INET};
        int off = 0, room = SOCKET_ROOM, rc;
        char text[NET_ADDR_TEXT] = "any address";

        e->family = at->n ? at->sa.ss_family : AF_INET;
        e->io.fd = socket(e->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (e->io.fd < 0)
                goto fail;
        if (e->family == AF_INET6)
                (void)setsockopt(e->io.fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        want_from(e, at);
        if (!e->set.client)
                (void)setsockopt(e->io.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
        if (at->n)
                rc = bind(e->io.fd, (const struct sockaddr *)&at->sa, at->n);
        else
                rc = bind(e->io.fd, (const struct sockaddr *)&any, sizeof any);
        if (rc == 0 && loop_io_add(e->loop, &e->io, LOOP_READ) == 0)
                return 0;
fail:
        if (at->n)
                net_addr_format(at, text);
        diag_set(d, ODM_EIO, "coap %s: %s", text, strerror(errno));
        return ODM_EIO;
}

int co_open(loop *l, const co_setup *s, co_end **out, diag *d)
{
        co_end *e;
        uint8_t szx;
        int rc = check(s, &szx);

        if (rc < 0) {
                diag_set(d, rc, "coap: a setting is out of range");
                return rc;
        }
        e = calloc(1, sizeof *e);
        if (!e)
                return ODM_ENOMEM;
        coap_set_log_level(LOG_EMERG); /* what is malformed is counted, not told */
        e->loop = l;
        e->set = *s;
        e->szx = szx;
        e->io = (loop_io){.fn = on_ready, .ctx = e, .fd = -1};
        e->reap = (loop_timer){.fn = on_reap, .ctx = e};
        rc = open_socket(e, &s->at, d);
        if (rc == 0 && s->security != CO_PLAIN)
                rc = dtls_end_new(e, s, d);
        if (rc < 0) {
                co_close(e);
                return rc;
        }
        *out = e;
        return 0;
}

void co_close(co_end *e)
{
        if (!e)
                return;
        e->set.app = NULL;
        ask_close(e);
        watch_close(e);
        while (e->oldest)
                peer_drop(e->oldest, CO_CLOSED);
        dtls_drop_unproven(e);
        serve_close(e);
        loop_timer_stop(&e->reap);
        loop_io_del(&e->io);
        if (e->io.fd >= 0)
                close(e->io.fd);
        dtls_end_free(e->dtls);
        free(e->peers);
        free(e->asks);
        free(e);
}

uint16_t co_port(const co_end *e)
{
        net_addr a = {.n = sizeof a.sa};

        if (getsockname(e->io.fd, (struct sockaddr *)&a.sa, &a.n) < 0)
                return 0;
        return net_addr_port(&a);
}

void co_deaf(co_end *e, bool deaf)
{
        e->deaf = deaf;
}

void co_count(const co_end *e, co_counts *out)
{
        *out = e->counts;
        out->peers = e->n_peers;
        out->open_asks = e->n_asks;
}
