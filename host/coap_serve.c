/* SPDX-License-Identifier: Apache-2.0 */
/* coap_serve.c - requests in: what comes twice is answered twice and done once (RFC 7252 4.2, 4.5),
 * bodies in blocks are put together before the application hears of them, and what it answers is
 * given out in blocks (RFC 7959). */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coap_inner.h"
#include "heap.h"

#define SERVED_MS 60000 /* a body in blocks is kept for so long */

/* ---- what was asked before -------------------------------------------------------------------------- */

static bool seen_counts(const co_seen *s)
{
        return s->used && !odm_time_reached(loop_now(), odm_time_add(s->at, CO_LIFETIME_MS));
}

static co_seen *seen_find(co_peer *p, uint16_t mid)
{
        for (unsigned i = 0; i < p->n_seen; i++)
                if (p->seen[i].mid == mid && seen_counts(&p->seen[i]))
                        return &p->seen[i];
        return NULL;
}

/* Twice the places, the new ones next in turn. */
static int seen_grow(co_peer *p)
{
        unsigned n = p->n_seen ? p->n_seen * 2u : 1;
        co_seen *v = realloc(p->seen, n * sizeof *v);

        if (!v)
                return ODM_ENOMEM;
        for (unsigned i = p->n_seen; i < n; i++)
                v[i] = (co_seen){.used = false};
        p->seen = v;
        p->seen_at = p->n_seen;
        p->n_seen = (uint8_t)n;
        return 0;
}

/* Most ask once in a while, so there are more places only when the next is still needed. */
static co_seen *seen_new(co_peer *p, uint16_t mid, co_request *r)
{
        co_seen *s = p->n_seen ? &p->seen[p->seen_at] : NULL;

        if ((!s || seen_counts(s)) && p->n_seen < CO_SEEN && seen_grow(p) < 0)
                return NULL;
        s = &p->seen[p->seen_at];
        p->seen_at = (uint8_t)((p->seen_at + 1u) & (p->n_seen - 1u));
        free(s->reply);
        *s = (co_seen){.mid = mid, .used = true, .at = loop_now(), .open = r};
        return s;
}

static co_seen *seen_of(co_peer *p, const co_request *r)
{
        for (unsigned i = 0; i < p->n_seen; i++)
                if (p->seen[i].open == r)
                        return &p->seen[i];
        return NULL;
}

/* A duplicate: answered as the first was, when that is so far. */
static void again(co_peer *p, const co_seen *s, const co_wire *w)
{
        p->end->counts.duplicates++;
        if (s->reply)
                peer_send(p, s->reply, s->reply_n);
        else if (w->type == CO_CON && (!s->open || s->open->acked))
                peer_send_empty(p, CO_ACK, w->mid);
}

/* ---- requests ------------------------------------------------------------------------------------------ */

static uint64_t key_of(const co_wire *w)
{
        uint64_t h = co_hash(CO_HASH, &w->m.code, 1);

        h = co_hash(h, w->m.path.p ? w->m.path.p : "", w->m.path.n);
        h = co_hash(h, &w->m.accept, sizeof w->m.accept);
        for (size_t i = 0; i < w->m.n_query; i++) {
                h = co_hash(h, "&", 1);
                h = co_hash(h, w->m.query[i].p, w->m.query[i].n);
        }
        return h;
}

static void request_free(co_request *r)
{
        loop_timer_stop(&r->piggyback);
        *r->link = r->next;
        if (r->next)
                r->next->link = r->link;
        if (r->peer) {
                co_seen *s = seen_of(r->peer, r);

                if (s)
                        s->open = NULL;
                r->peer->open--;
        }
        free(r);
}

/* The answer takes long: it is confirmed that the request is here. */
static void on_piggyback(void *ctx)
{
        co_request *r = ctx;

        if (!r->peer)
                return;
        r->acked = true;
        peer_send_empty(r->peer, CO_ACK, r->mid);
}

static co_request *request_new(co_peer *p, const co_wire *w)
{
        co_request *r = calloc(1, sizeof *r);
        co_end *e = p->end;

        if (!r)
                return NULL;
        *r = (co_request){.end = e,
                          .next = e->requests,
                          .link = &e->requests,
                          .peer = p,
                          .mid = w->mid,
                          .con = w->type == CO_CON,
                          .token = w->token,
                          .key = key_of(w),
                          .code = w->m.code,
                          .block1 = w->block1,
                          .block2 = w->block2};
        r->piggyback = (loop_timer){.fn = on_piggyback, .ctx = r};
        if (e->requests)
                e->requests->link = &r->next;
        e->requests = r;
        p->open++;
        return r;
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static void reply_bytes(co_request *r, const uint8_t *d, size_t n, uint16_t mid)
{
        co_seen *s = seen_of(r->peer, r);

        if (r->con && r->acked) {
                peer_send_con(r->peer, d, n, mid, NULL);
        } else {
                peer_send(r->peer, d, n);
                if (s && (s->reply = malloc(n))) {
                        memcpy(s->reply, d, n);
                        s->reply_n = (uint16_t)n;
                }
        }
}

static void served_free(co_served *s)
{
        if (!s->on)
                return;
        free(s->p);
        if (s->fd >= 0)
                close(s->fd);
        *s = (co_served){.on = false};
}

static co_served *served_find(const co_request *r)
{
        for (size_t i = 0; r->peer->served && i < CO_SERVED; i++) {
                co_served *s = &r->peer->served[i];

                if (s->on && s->key == r->key &&
                    !odm_time_reached(loop_now(), odm_time_add(s->at, SERVED_MS)))
                        return s;
        }
        return NULL;
}

/* A place for a body: that of the same thing, a free one, or the oldest. */
static co_served *served_place(co_request *r)
{
        co_served *v = r->peer->served, *best;

        if (!v)
                v = r->peer->served = calloc(CO_SERVED, sizeof *v);
        best = v;
        for (size_t i = 0; v && i < CO_SERVED; i++) {
                if (v[i].on && v[i].key == r->key) {
                        best = &v[i];
                        break;
                }
                if (best->on && (!v[i].on || v[i].at.ms < best->at.ms))
                        best = &v[i];
        }
        if (best)
                served_free(best);
        return best;
}

/* The same for the same content, by whichever descriptor. */
static uint64_t hash_of_file(const co_file *f)
{
        struct stat st;
        uint64_t v[4] = {f->size};

        if (fstat(f->fd, &st) == 0) {
                v[1] = (uint64_t)st.st_ino;
                v[2] = (uint64_t)st.st_mtim.tv_sec;
                v[3] = (uint64_t)st.st_mtim.tv_nsec;
        }
        return co_hash(CO_HASH, v, sizeof v);
}

/* Keeps the body of `m` for the blocks to come; NULL: no memory.  A file is taken. */
static co_served *serve_keep(co_request *r, const co_msg *m)
{
        co_served *s = served_place(r);
        uint64_t h;

        if (!s)
                return NULL;
        *s = (co_served){.key = r->key,
                         .code = m->code,
                         .format = m->format,
                         .max_age = m->max_age,
                         .fd = -1,
                         .n = m->file ? (size_t)m->file->size : m->body.n,
                         .at = loop_now()};
        h = m->file ? hash_of_file(m->file) : co_hash(CO_HASH, m->body.p, m->body.n);
        memcpy(s->etag, &h, sizeof s->etag);
        if (m->file) {
                s->fd = m->file->fd;
                s->count = m->file->sent;
        } else {
                s->p = malloc(m->body.n + 1);
                if (!s->p)
                        return NULL;
                memcpy(s->p, m->body.p, m->body.n);
        }
        s->on = true;
        return s;
}

static void answer_init(const co_request *r, co_wire *w, const co_msg *m)
{
        *w = (co_wire){.m = *m, .size1 = -1, .size2 = -1, .response = true, .token = r->token};
        w->type = r->con ? (r->acked ? CO_CON : CO_ACK) : CO_NON;
        w->mid = r->con && !r->acked ? r->mid : r->peer->mid++;
        w->m.n_query = 0;
        w->m.accept = -1;
        if (r->block1.on) {
                w->block1 = r->block1;
                w->block1.more = false;
        }
        if (r->watcher && co_class(m->code) == 2)
                w->m.observe = r->watcher->seq;
        else
                w->m.observe = -1;
}

static void answer_write(co_request *r, const co_wire *w, odm_str part)
{
        uint8_t d[CO_DATAGRAM];
        size_t n = co_wire_write(w, part, d, sizeof d);

        if (n)
                reply_bytes(r, d, n, w->mid);
        request_free(r);
}

/* The block of a kept body that is asked for. */
static void answer_block(co_request *r, co_served *s)
{
        char room[1024];
        co_msg m;
        co_wire w;
        uint8_t szx = r->end->szx;
        uint64_t off;
        size_t n;

        if (r->block2.on && r->block2.szx < szx)
                szx = r->block2.szx;
        off = r->block2.on ? (uint64_t)r->block2.num * co_block_size(r->block2.szx) : 0;
        if (off >= s->n || off % co_block_size(szx)) {
                co_answer_code(r, CO_BAD_REQUEST);
                return;
        }
        n = s->n - off < co_block_size(szx) ? (size_t)(s->n - off) : co_block_size(szx);
        if (s->fd >= 0 && pread(s->fd, room, n, (off_t)off) != (ssize_t)n) {
                served_free(s);
                co_answer_code(r, CO_SERVER_ERROR);
                return;
        }
        co_msg_init(&m, s->code);
        m.format = s->format;
        m.max_age = s->max_age;
        answer_init(r, &w, &m);
        memcpy(w.etag, s->etag, sizeof w.etag);
        w.etag_n = sizeof w.etag;
        w.block2 = (co_block){.on = true, .szx = szx, .more = off + n < s->n};
        w.block2.num = (uint32_t)(off / co_block_size(szx));
        if (off == 0)
                w.size2 = (int64_t)s->n;
        s->at = loop_now();
        if (s->p)
                memcpy(room, s->p + off, n);
        if (s->count)
                *s->count += n;
        if (!w.block2.more) /* who asks for a block again has it from the application */
                served_free(s);
        answer_write(r, &w, (odm_str){room, n});
}

void co_answer(co_request *r, const co_msg *m)
{
        size_t size = co_block_size(r->end->szx);
        co_served *s;
        co_wire w;

        if (!r->peer || r->peer->dead) {
                if (m->file)
                        close(m->file->fd);
                request_free(r);
                return;
        }
        loop_timer_stop(&r->piggyback);
        if (r->block2.on && r->block2.szx < r->end->szx)
                size = co_block_size(r->block2.szx);
        if (m->file || m->body.n > size || (r->block2.on && r->block2.num > 0)) {
                s = serve_keep(r, m);
                if (s) {
                        answer_block(r, s);
                        return;
                }
                if (m->file)
                        close(m->file->fd);
                co_answer_code(r, CO_SERVER_ERROR);
                return;
        }
        answer_init(r, &w, m);
        answer_write(r, &w, m->body);
}

void co_answer_code(co_request *r, uint8_t code)
{
        co_msg m;

        co_msg_init(&m, code);
        r->block2.on = false;
        co_answer(r, &m);
}

co_end *co_request_end(const co_request *r)
{
        return r->end;
}

/* ---- bodies in blocks ------------------------------------------------------------------------------------ */

static void body_drop(co_peer *p)
{
        if (!p->in)
                return;
        p->end->coming -= p->in->buf.n;
        odm_buf_done(&p->in->buf);
        free(p->in);
        p->in = NULL;
}

static int body_begin(co_peer *p, uint64_t key)
{
        body_drop(p);
        p->in = malloc(sizeof *p->in);
        if (!p->in)
                return ODM_ENOMEM;
        p->in->key = key;
        odm_buf_init(&p->in->buf, &heap_mem, p->end->set.body_max);
        return 0;
}

static uint8_t body_add(co_peer *p, const co_request *r, const co_wire *w)
{
        co_body *b;
        co_end *e = p->end;
        uint64_t off = (uint64_t)w->block1.num * co_block_size(w->block1.szx);

        if (w->block1.more && w->m.body.n != co_block_size(w->block1.szx))
                return CO_BAD_REQUEST;
        if (w->block1.num == 0 && body_begin(p, r->key) < 0)
                return CO_UNAVAILABLE;
        b = p->in;
        if (!b || b->key != r->key || off > b->buf.n)
                return CO_INCOMPLETE;
        if (off < b->buf.n)
                return w->block1.more ? CO_CONTINUE : CO_INCOMPLETE; /* here already */
        if ((w->size1 > 0 && (uint64_t)w->size1 > e->set.body_max) ||
            b->buf.n + w->m.body.n > e->set.body_max)
                return CO_TOO_LARGE;
        if (e->coming + w->m.body.n > CO_STRANGERS * e->set.body_max ||
            odm_buf_put(&b->buf, w->m.body.p, w->m.body.n) < 0)
                return CO_UNAVAILABLE;
        e->coming += w->m.body.n;
        return w->block1.more ? CO_CONTINUE : 0;
}

/* True: the body is whole, and at w->m.body. */
static bool gather(co_peer *p, co_request *r, co_wire *w)
{
        uint8_t code;
        co_wire out;
        co_msg m;

        if (!w->block1.on)
                return true;
        code = body_add(p, r, w);
        if (code == 0) {
                w->m.body = odm_buf_view(&p->in->buf);
                return true;
        }
        if (code != CO_CONTINUE)
                body_drop(p);
        co_msg_init(&m, code);
        answer_init(r, &out, &m);
        out.block1 = w->block1;
        if (code == CO_TOO_LARGE)
                out.size1 = (int64_t)p->end->set.body_max;
        answer_write(r, &out, ODM_ABSENT);
        return false;
}

/* ---- in ----------------------------------------------------------------------------------------------------- */

static void give(co_peer *p, co_request *r, co_wire *w)
{
        const co_app *app = p->end->set.app;
        co_served *s;

        if (w->bad_option) {
                co_answer_code(r, CO_BAD_OPTION);
                return;
        }
        if (!gather(p, r, w))
                return;
        if (w->m.observe == 1)
                watch_cancelled(p, &w->token);
        s = w->block2.on && w->block2.num > 0 ? served_find(r) : NULL;
        if (s) {
                answer_block(r, s);
                return;
        }
        p->end->counts.requests++;
        if (!app || !app->request) {
                co_answer_code(r, CO_NOT_FOUND);
                return;
        }
        app->request(p->end->set.ctx, r, p, &w->m);
        if (w->block1.on)
                body_drop(p);
}

void serve_request(co_peer *p, co_wire *w)
{
        co_seen *s = seen_find(p, w->mid);
        co_request *r;

        if (s) {
                again(p, s, w);
                return;
        }
        r = request_new(p, w);
        s = r ? seen_new(p, w->mid, r) : NULL;
        if (!s) { /* it comes again, and may find memory then */
                if (r)
                        request_free(r);
                return;
        }
        give(p, r, w);
        s = seen_find(p, w->mid);
        if (s && s->open && s->open->con && !s->open->acked &&
            loop_timer_set(p->end->loop, &s->open->piggyback,
                           odm_time_add(loop_now(), p->end->set.piggyback_ms)) < 0)
                on_piggyback(s->open);
}

void serve_forget(co_peer *p)
{
        for (co_request *r = p->end->requests; r; r = r->next)
                if (r->peer == p) {
                        loop_timer_stop(&r->piggyback);
                        r->peer = NULL;
                }
        p->open = 0;
        for (unsigned i = 0; i < p->n_seen; i++)
                free(p->seen[i].reply);
        free(p->seen);
        p->seen = NULL;
        p->n_seen = p->seen_at = 0;
        for (size_t i = 0; p->served && i < CO_SERVED; i++)
                served_free(&p->served[i]);
        free(p->served);
        p->served = NULL;
        body_drop(p);
}

void serve_close(co_end *e)
{
        while (e->requests)
                request_free(e->requests);
}
