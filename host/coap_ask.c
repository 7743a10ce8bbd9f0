/* SPDX-License-Identifier: Apache-2.0 */
/* coap_ask.c - requests out, one to a peer at a time.
 *
 *              turn           ACK             response
 *     QUEUED ------> SENT ----------> WAITING ----------> done()
 *                     | ^                |
 *                     +-+ next block     +--> RESTING: an observation, done() for each
 *                                             notification
 *
 * A notification in blocks is fetched whole by a request of its own, as the rest of its blocks may
 * not use the token of the observation (RFC 7959 2.6). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coap_inner.h"
#include "heap.h"
#include "rand.h"

#define TABLE_FIRST 16
#define NEWER_MS 128000 /* after that a notification is new whatever its number (RFC 7641 3.4) */

/* ---- the table ---------------------------------------------------------------------------------- */

static co_asked **place_of(const co_end *e, uint64_t id)
{
        return &e->asks[id & (e->asks_cap - 1)];
}

static co_asked *ask_find(const co_end *e, uint64_t id)
{
        co_asked *a = e->asks_cap ? *place_of(e, id) : NULL;

        while (a && a->id != id)
                a = a->chain;
        return a;
}

static int table_grow(co_end *e)
{
        size_t cap = e->asks_cap ? e->asks_cap * 2 : TABLE_FIRST, old_cap = e->asks_cap;
        co_asked **v, **old = e->asks;

        if (e->n_asks < e->asks_cap)
                return 0;
        v = calloc(cap, sizeof(co_asked *));
        if (!v)
                return ODM_ENOMEM;
        e->asks = v;
        e->asks_cap = cap;
        for (size_t i = 0; i < old_cap; i++)
                while (old[i]) {
                        co_asked *a = old[i], **at = place_of(e, a->id);

                        old[i] = a->chain;
                        a->chain = *at;
                        *at = a;
                }
        free(old);
        return 0;
}

static void table_take(co_asked *a)
{
        co_asked **at = place_of(a->end, a->id);

        while (*at != a)
                at = &(*at)->chain;
        *at = a->chain;
        a->end->n_asks--;
}

/* ---- one ask --------------------------------------------------------------------------------------- */

/* What is only needed until the response is there. */
static void flight_free(co_asked *a)
{
        co_flight *f = a->f;

        if (!f)
                return;
        loop_timer_stop(&f->retry);
        loop_timer_stop(&f->deadline);
        free(f->p);
        free(f->body);
        odm_buf_done(&f->reply);
        if (f->fd >= 0)
                close(f->fd);
        free(f);
        a->f = NULL;
}

static void ask_free(co_asked *a)
{
        flight_free(a);
        free(a);
}

static odm_str identity_of(const co_asked *a)
{
        return a->named ? (odm_str){a->text, a->identity_n} : ODM_ABSENT;
}

static odm_str body_of(const co_asked *a)
{
        return a->f && a->f->body ? (odm_str){a->f->body, (size_t)a->f->total} : (odm_str){"", 0};
}

/* What is asked, its body left out; queries are in `query`. */
static co_msg message_of(const co_asked *a, odm_str query[CO_QUERY_MAX])
{
        const char *at = a->text + a->identity_n;
        co_msg m;

        co_msg_init(&m, a->code);
        m.path = (odm_str){at, a->path_n};
        at += a->path_n;
        for (unsigned i = 0; i < a->n_query; i++) {
                uint16_t n;

                memcpy(&n, at, sizeof n);
                query[i] = (odm_str){at + sizeof n, n};
                at += sizeof n + n;
        }
        m.query = query;
        m.n_query = a->n_query;
        m.format = a->format;
        m.accept = a->accept;
        m.observe = a->observe;
        return m;
}

/* Gives back its turn, or its place in the queue. */
static void leave_peer(co_asked *a)
{
        co_peer *p = a->peer;

        a->peer = NULL;
        if (!p)
                return;
        if (p->busy == a) {
                p->busy = NULL;
                return;
        }
        for (co_asked **at = &p->first; *at; at = &(*at)->next)
                if (*at == a) {
                        *at = a->next;
                        if (p->tail == &a->next)
                                p->tail = at;
                        return;
                }
}

static void finish(co_asked *a, co_end_of why, const co_msg *m);

static void deliver_whole(co_asked *a, co_end_of why, const co_msg *m)
{
        co_asked *w = ask_find(a->end, a->f->whole_of);
        co_msg told;

        if (!w || w->fetching != a->id)
                return;
        w->fetching = 0;
        if (why != CO_REPLY || co_class(m->code) != 2) {
                if (!w->told) /* else the next notification tries again */
                        finish(w, why, m);
                return;
        }
        told = *m;
        told.observe = a->f->whole_seq;
        w->told = true;
        w->done(w->ctx, CO_REPLY, &told);
}

/* The last word on an ask. */
static void finish(co_asked *a, co_end_of why, const co_msg *m)
{
        co_peer *p = a->peer ? a->peer : peer_find(a->end, &a->to);

        if (why == CO_SILENT)
                a->end->counts.silent++;
        if (p)
                peer_hold(p);
        leave_peer(a);
        table_take(a);
        if (a->f && a->f->whole_of)
                deliver_whole(a, why, m);
        else
                a->done(a->ctx, why, m);
        ask_free(a);
        if (p) {
                ask_pump(p);
                peer_let(p);
        }
}

static void on_deadline(void *ctx)
{
        co_asked *a = ctx;

        finish(a, a->state == ASK_OVER ? (co_end_of)a->why : CO_SILENT, NULL);
}

/* As finish(), but not from within the caller's call. */
static void finish_soon(co_asked *a, co_end_of why)
{
        leave_peer(a);
        loop_timer_stop(&a->f->retry);
        a->state = ASK_OVER;
        a->why = why;
        if (loop_timer_set(a->end->loop, &a->f->deadline, loop_now()) < 0)
                assert(a->f->deadline.in); /* it is armed: at the latest it says so then */
}

/* ---- sending ------------------------------------------------------------------------------------------ */

static void on_retry(void *ctx)
{
        co_asked *a = ctx;

        if (a->f->tries++ >= a->end->set.retransmit) {
                finish(a, CO_SILENT, NULL);
                return;
        }
        a->end->counts.retransmitted++;
        a->f->wait_ms *= 2;
        peer_send(a->peer, a->f->p, a->f->n);
        if (loop_timer_set(a->end->loop, &a->f->retry, odm_time_add(loop_now(), a->f->wait_ms)) < 0)
                return; /* then the deadline ends it */
}

/* The part of the body whose turn it is; absent when the file cannot be read. */
static odm_str payload_of(co_asked *a, char *room, co_wire *w)
{
        size_t size = co_block_size(a->f->szx), n;

        if (a->f->total <= size && a->f->sent == 0 && a->f->fd < 0)
                return body_of(a);
        n = a->f->total - a->f->sent < size ? (size_t)(a->f->total - a->f->sent) : size;
        w->block1 = (co_block){.on = true,
                               .szx = a->f->szx,
                               .num = (uint32_t)(a->f->sent / size),
                               .more = a->f->sent + n < a->f->total};
        if (a->f->sent == 0)
                w->size1 = (int64_t)a->f->total;
        if (a->f->fd < 0)
                return (odm_str){a->f->body + a->f->sent, n};
        if (pread(a->f->fd, room, n, (off_t)a->f->sent) != (ssize_t)n)
                return ODM_ABSENT;
        if (a->f->count)
                *a->f->count += n;
        return (odm_str){room, n};
}

static void keep_and_send(co_asked *a, const uint8_t *d, size_t n)
{
        uint8_t *copy = malloc(n);

        if (!copy) {
                finish_soon(a, CO_SILENT);
                return;
        }
        memcpy(copy, d, n);
        free(a->f->p);
        a->f->p = copy;
        a->f->n = n;
        a->f->tries = 0;
        a->f->wait_ms = co_first_wait(a->end);
        a->state = a->non ? ASK_WAITING : ASK_SENT;
        if (!a->non && loop_timer_set(a->end->loop, &a->f->retry,
                                      odm_time_add(loop_now(), a->f->wait_ms)) < 0) {
                finish_soon(a, CO_SILENT);
                return;
        }
        peer_send(a->peer, d, n);
}

static void ask_send(co_asked *a)
{
        uint8_t d[CO_DATAGRAM];
        char room[1024];
        odm_str query[CO_QUERY_MAX], part;
        co_wire w = {.type = a->non ? CO_NON : CO_CON, .size1 = -1, .size2 = -1};
        size_t n;

        w.m = message_of(a, query);
        w.mid = a->f->mid = a->peer->mid++;
        w.token.n = CO_TOKEN;
        memcpy(w.token.p, &a->id, CO_TOKEN);
        if (a->f->reply.n > 0) { /* the response's next block */
                w.m.observe = -1;
                w.block2 = (co_block){.on = true, .szx = a->f->szx};
                w.block2.num = (uint32_t)(a->f->reply.n / co_block_size(a->f->szx));
                part = a->code == CO_FETCH ? body_of(a) : (odm_str){"", 0};
        } else {
                part = payload_of(a, room, &w);
        }
        n = part.p || a->f->total == 0 ? co_wire_write(&w, part, d, sizeof d) : 0;
        if (n)
                keep_and_send(a, d, n);
        else
                finish_soon(a, CO_GARBLED);
}

static bool may_ask(const co_peer *p, const co_asked *a)
{
        odm_str have = co_peer_identity(p);

        return !a->named || odm_str_eq(have, identity_of(a));
}

void ask_pump(co_peer *p)
{
        while (!p->dead && !p->busy && p->first && (!p->dtls || dtls_up(p))) {
                co_asked *a = p->first;

                p->first = a->next;
                if (!p->first)
                        p->tail = &p->first;
                p->busy = a;
                if (may_ask(p, a))
                        ask_send(a);
                else
                        finish_soon(a, CO_UNREACHABLE);
        }
}

/* ---- making one --------------------------------------------------------------------------------------- */

static size_t text_size(const co_msg *m)
{
        size_t n = m->path.n;

        for (size_t i = 0; i < m->n_query; i++)
                n += m->query[i].n;
        return n;
}

static void append(char **at, odm_str s)
{
        if (s.n && s.p)
                memcpy(*at, s.p, s.n);
        *at += s.n;
}

/* An ask with the message but its body, and for whom. */
static co_asked *ask_alloc(const co_msg *m, const co_how *how)
{
        odm_str identity = how ? how->identity : ODM_ABSENT;
        co_asked *a = calloc(1, sizeof *a + identity.n + text_size(m) + 2 * m->n_query);
        char *at;

        if (!a)
                return NULL;
        a->non = how && how->non;
        a->named = identity.p != NULL;
        a->code = m->code;
        a->observe = m->observe < 0 ? -1 : (int8_t)m->observe;
        a->format = m->format;
        a->accept = m->accept;
        a->identity_n = (uint8_t)identity.n;
        a->path_n = (uint16_t)m->path.n;
        a->n_query = (uint8_t)m->n_query;
        at = a->text;
        append(&at, identity);
        append(&at, m->path);
        for (size_t i = 0; i < m->n_query; i++) {
                uint16_t n = (uint16_t)m->query[i].n;

                append(&at, (odm_str){(const char *)&n, sizeof n});
                append(&at, m->query[i]);
        }
        return a;
}

static bool copy_body(co_flight *f, const co_msg *m)
{
        f->total = m->file ? m->file->size : m->body.n;
        if (m->file || m->body.n == 0)
                return true;
        f->body = malloc(m->body.n);
        if (!f->body)
                return false;
        memcpy(f->body, m->body.p, m->body.n);
        return true;
}

static uint64_t new_id(const co_end *e)
{
        uint64_t id;

        do
                rand_bytes(&id, sizeof id);
        while (id == 0 || ask_find(e, id));
        return id;
}

static int ask_new(co_end *e, const co_addr *to, const co_msg *m, const co_how *how, co_asked **out)
{
        co_asked *a = ask_alloc(m, how);
        co_flight *f = calloc(1, sizeof *f);
        int64_t ms = how && how->deadline_ms > 0 ? how->deadline_ms : CO_LIFETIME_MS;

        if (!a || !f) {
                free(a);
                free(f);
                return ODM_ENOMEM;
        }
        a->end = e;
        a->to = *to;
        a->f = f;
        f->szx = e->szx;
        f->fd = -1;
        odm_buf_init(&f->reply, &heap_mem, e->set.body_max);
        f->retry = (loop_timer){.fn = on_retry, .ctx = a};
        f->deadline = (loop_timer){.fn = on_deadline, .ctx = a};
        if (!copy_body(f, m) || table_grow(e) < 0 ||
            loop_timer_set(e->loop, &a->f->deadline, odm_time_add(loop_now(), ms)) < 0) {
                ask_free(a);
                return ODM_ENOMEM;
        }
        a->id = new_id(e);
        a->chain = *place_of(e, a->id);
        *place_of(e, a->id) = a;
        e->n_asks++;
        if (m->file) {
                a->f->fd = m->file->fd;
                a->f->count = m->file->sent;
        }
        *out = a;
        return 0;
}

static int check(const co_end *e, const co_addr *to, const co_msg *m, const co_how *how)
{
        if (to->n == 0 || to->sa.sa_family != e->family || co_class(m->code) != 0 || m->code == 0)
                return ODM_EINVAL;
        if (how && how->identity.n > CO_IDENTITY_MAX)
                return ODM_EINVAL;
        if (m->path.n > CO_PATH_MAX || m->n_query > CO_QUERY_MAX || text_size(m) > 768 ||
            e->n_asks >= e->set.asks_max)
                return ODM_ELIMIT;
        return 0;
}

static int ask_start(co_end *e, const co_addr *to, const co_msg *m, const co_how *how,
                     co_asked **out)
{
        co_asked *a = NULL;
        co_peer *p;
        int rc = check(e, to, m, how);

        if (rc == 0)
                rc = ask_new(e, to, m, how, &a);
        if (rc < 0) {
                if (m->file)
                        close(m->file->fd);
                return rc;
        }
        *out = a;
        e->counts.asks++;
        p = peer_get(e, to);
        if (!p) {
                finish_soon(a, CO_UNREACHABLE);
                return 0;
        }
        a->peer = p;
        *p->tail = a;
        p->tail = &a->next;
        return 0;
}

int co_ask(co_end *e, const net_addr *to, const co_msg *m, const co_how *how, co_done done,
           void *ctx, uint64_t *id)
{
        co_addr addr = co_addr_of(to, e->family);
        co_asked *a;
        int rc = ask_start(e, &addr, m, how, &a);

        if (rc < 0)
                return rc;
        a->done = done;
        a->ctx = ctx;
        *id = a->id;
        if (a->peer)
                ask_pump(a->peer);
        return 0;
}

void co_cancel(co_end *e, uint64_t id)
{
        co_asked *a = ask_find(e, id);
        co_peer *p;

        if (!a)
                return;
        if (a->fetching)
                co_cancel(e, a->fetching);
        p = a->peer;
        leave_peer(a);
        table_take(a);
        ask_free(a);
        if (p)
                ask_pump(p);
}

void co_forget(co_end *e, const net_addr *to)
{
        co_addr addr = co_addr_of(to, e->family);

        for (size_t i = 0; i < e->asks_cap; i++)
                for (co_asked *a = e->asks[i], *next; a; a = next) {
                        next = a->chain;
                        if (a->state != ASK_RESTING || !co_addr_eq(&a->to, &addr))
                                continue;
                        a->fetching = 0;
                        table_take(a);
                        ask_free(a);
                }
}

/* ---- what comes back -------------------------------------------------------------------------------------- */

void ask_acked(co_peer *p, uint16_t mid)
{
        co_asked *a = p->busy;

        if (!a || a->state != ASK_SENT || a->f->mid != mid)
                return;
        loop_timer_stop(&a->f->retry);
        a->state = ASK_WAITING;
}

bool ask_reset(co_peer *p, uint16_t mid)
{
        co_asked *a = p->busy;

        if (!a || a->f->mid != mid || a->state == ASK_OVER)
                return false;
        finish(a, CO_RESET, NULL);
        return true;
}

static void fetch_whole(co_asked *a, int64_t seq)
{
        co_asked *f;
        co_how how = {.identity = identity_of(a)};
        odm_str query[CO_QUERY_MAX];
        co_msg m = message_of(a, query);

        if (a->fetching)
                co_cancel(a->end, a->fetching);
        a->fetching = 0;
        m.body = body_of(a);
        m.observe = -1;
        if (ask_start(a->end, &a->to, &m, &how, &f) < 0) {
                if (!a->told) /* else the next notification tries again */
                        finish(a, CO_UNREACHABLE, NULL);
                return;
        }
        f->f->whole_of = a->id;
        f->f->whole_seq = seq;
        a->fetching = f->id;
        if (f->peer)
                ask_pump(f->peer);
}

/* The value of an observation: told, or fetched when it is in blocks. */
static void tell(co_asked *a, const co_wire *w)
{
        a->seq = (uint32_t)w->m.observe;
        a->seq_at = loop_now();
        if (w->block2.on && w->block2.more) {
                fetch_whole(a, w->m.observe);
        } else {
                a->told = true;
                a->done(a->ctx, CO_REPLY, &w->m);
        }
}

static bool is_newer(const co_asked *a, uint32_t seq)
{
        uint32_t ahead = (seq - a->seq) & 0xffffff;

        return (ahead != 0 && ahead < 1u << 23) ||
               odm_time_reached(loop_now(), odm_time_add(a->seq_at, NEWER_MS));
}

static void on_notification(co_asked *a, const co_wire *w)
{
        if (co_class(w->m.code) != 2 || w->m.observe < 0)
                finish(a, CO_REPLY, &w->m);
        else if (is_newer(a, (uint32_t)w->m.observe))
                tell(a, w);
}

/* The first response of an observation that was accepted. */
static void rest(co_asked *a, const co_wire *w)
{
        co_peer *p = a->peer;

        leave_peer(a);
        a->state = ASK_RESTING;
        loop_timer_stop(&a->f->retry);
        loop_timer_stop(&a->f->deadline);
        if (a->code != CO_FETCH) /* its body says what is observed */
                flight_free(a);
        peer_hold(p);
        tell(a, w);
        ask_pump(p);
        peer_let(p);
}

/* True: the body goes on with the next block. */
static bool next_block1(co_asked *a, const co_wire *w)
{
        uint64_t left = a->f->total - a->f->sent, size = co_block_size(a->f->szx);

        if (a->f->total <= size && a->f->sent == 0 && a->f->fd < 0 && w->m.code != CO_TOO_LARGE)
                return false;
        if (!w->block1.on || a->f->reply.n > 0)
                return false;
        if (w->m.code == CO_TOO_LARGE && a->f->sent == 0 && w->block1.szx < a->f->szx) {
                a->f->szx = w->block1.szx; /* begin again with smaller ones */
                return true;
        }
        if (co_class(w->m.code) != 2 || left <= size)
                return false;
        a->f->sent += size;
        if (w->block1.szx < a->f->szx)
                a->f->szx = w->block1.szx;
        return true;
}

/* 1: a further block is to be asked for; 0: the body is whole; else an error. */
static int next_block2(co_asked *a, const co_wire *w)
{
        if (!w->block2.on || (!w->block2.more && a->f->reply.n == 0))
                return a->f->reply.n ? ODM_EMALFORMED : 0;
        if ((uint64_t)w->block2.num * co_block_size(w->block2.szx) != a->f->reply.n)
                return ODM_EMALFORMED;
        if (a->f->reply.n > 0 &&
            (a->f->etag_n != w->etag_n || memcmp(a->f->etag, w->etag, w->etag_n) != 0))
                return ODM_EMALFORMED; /* it changed meanwhile */
        if (w->block2.more && w->m.body.n != co_block_size(w->block2.szx))
                return ODM_EMALFORMED;
        if (odm_buf_put(&a->f->reply, w->m.body.p, w->m.body.n) < 0)
                return ODM_ELIMIT;
        a->f->etag_n = w->etag_n;
        memcpy(a->f->etag, w->etag, sizeof a->f->etag);
        a->f->szx = w->block2.szx;
        return w->block2.more;
}

static void on_response(co_asked *a, co_wire *w)
{
        int rc;

        loop_timer_stop(&a->f->retry);
        if (next_block1(a, w)) {
                ask_send(a);
                return;
        }
        if (w->m.code == CO_CONTINUE) {
                finish(a, CO_GARBLED, NULL);
                return;
        }
        if (a->observe == 0 && w->m.observe >= 0 && co_class(w->m.code) == 2) {
                rest(a, w);
                return;
        }
        rc = next_block2(a, w);
        if (rc > 0) {
                ask_send(a);
                return;
        }
        if (a->f->reply.n > 0)
                w->m.body = odm_buf_view(&a->f->reply);
        finish(a, rc < 0 ? CO_GARBLED : CO_REPLY, rc < 0 ? NULL : &w->m);
}

/* A response of its own that comes twice: that of a block before. */
static bool is_late(const co_asked *a, const co_wire *w)
{
        if (w->type == CO_ACK) /* of this request: its message's number says so */
                return false;
        if (a->f->reply.n > 0)
                return w->m.code == CO_CONTINUE ||
                       (w->block2.on &&
                        (uint64_t)w->block2.num * co_block_size(w->block2.szx) < a->f->reply.n);
        return w->block1.on && w->block1.num != a->f->sent / co_block_size(a->f->szx);
}

bool ask_response(co_peer *p, co_wire *w)
{
        co_asked *a;
        uint64_t id;

        if (w->token.n != CO_TOKEN)
                return false;
        memcpy(&id, w->token.p, sizeof id);
        a = ask_find(p->end, id);
        if (!a || !co_addr_eq(&a->to, &p->addr) || a->state == ASK_QUEUED)
                return false;
        if (w->type == CO_CON)
                peer_send_empty(p, CO_ACK, w->mid);
        if (a->state == ASK_RESTING)
                on_notification(a, w);
        else if (a->state != ASK_OVER && (w->type != CO_ACK || w->mid == a->f->mid) &&
                 !is_late(a, w))
                on_response(a, w);
        return true;
}

void ask_drop_all(co_peer *p, co_end_of why)
{
        while (p->busy)
                finish_soon(p->busy, why);
        while (p->first)
                finish_soon(p->first, why);
}

void ask_close(co_end *e)
{
        for (size_t i = 0; i < e->asks_cap; i++)
                while (e->asks[i]) {
                        co_asked *a = e->asks[i];

                        leave_peer(a);
                        table_take(a);
                        ask_free(a);
                }
}
