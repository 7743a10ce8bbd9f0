/* SPDX-License-Identifier: Apache-2.0 */
/* coap_watch.c - observers of ours and their notifications (RFC 7641). */
#include <stdlib.h>
#include <string.h>

#include "coap_inner.h"

/* Out of the list, and nobody who is still at work knows it any more. */
static void take_out(co_watcher *w)
{
        co_watcher **at = &w->end->watchers;
        co_peer *p = peer_find(w->end, &w->to);

        while (*at != w)
                at = &(*at)->next;
        *at = w->next;
        for (co_request *r = w->end->requests; r; r = r->next)
                if (r->watcher == w)
                        r->watcher = NULL;
        for (co_out *o = p ? p->outs : NULL; o; o = o->next)
                if (o->watcher == w)
                        o->watcher = NULL;
}

static void say_gone(co_watcher *w)
{
        take_out(w);
        if (w->gone)
                w->gone(w->ctx, w);
        free(w);
}

/* One that observes the same, or with the same token, takes the place of the older one. */
static void replace_older(const co_request *r)
{
        co_watcher *w = r->end->watchers, *next;

        for (; w; w = next) {
                next = w->next;
                if (!co_addr_eq(&w->to, &r->peer->addr))
                        continue;
                if (w->key != r->key &&
                    (w->token.n != r->token.n || memcmp(w->token.p, r->token.p, w->token.n) != 0))
                        continue;
                say_gone(w);
                return;
        }
}

co_watcher *co_watch(co_request *r, void (*gone)(void *ctx, co_watcher *w), void *ctx)
{
        co_watcher *w;

        if (!r->peer || !(w = calloc(1, sizeof *w)))
                return NULL;
        replace_older(r);
        w->end = r->end;
        w->to = r->peer->addr;
        w->token = r->token;
        w->key = r->key;
        w->seq = 1;
        w->gone = gone;
        w->ctx = ctx;
        w->next = r->end->watchers;
        r->end->watchers = w;
        r->watcher = w;
        return w;
}

void co_watch_end(co_watcher *w)
{
        take_out(w);
        free(w);
}

void watch_cancelled(co_peer *p, const co_token *t)
{
        for (co_watcher *w = p->end->watchers; w; w = w->next)
                if (w->token.n == t->n && memcmp(w->token.p, t->p, t->n) == 0 &&
                    co_addr_eq(&w->to, &p->addr)) {
                        say_gone(w);
                        return;
                }
}

void watch_reset(co_peer *p, uint16_t mid)
{
        for (co_watcher *w = p->end->watchers; w; w = w->next)
                if (w->told && w->mid == mid && co_addr_eq(&w->to, &p->addr)) {
                        say_gone(w);
                        return;
                }
}

void watch_lost(co_watcher *w)
{
        say_gone(w);
}

void watch_close(co_end *e)
{
        while (e->watchers) {
                co_watcher *w = e->watchers;

                e->watchers = w->next;
                free(w);
        }
}

static void overtake(co_peer *p, co_watcher *w)
{
        for (co_out *o = p->outs; o; o = o->next)
                if (o->watcher == w) {
                        out_free(o);
                        return;
                }
}

void co_notify(co_watcher *w, const co_msg *m, bool con)
{
        uint8_t d[CO_DATAGRAM];
        co_peer *p = peer_get(w->end, &w->to);
        co_wire out = {.type = con ? CO_CON : CO_NON, .token = w->token, .m = *m, .size1 = -1};
        odm_str part = m->body;
        size_t size = co_block_size(w->end->szx), n;

        if (!p)
                return;
        overtake(p, w);
        out.response = true;
        out.size2 = -1;
        w->seq = (w->seq + 1) & 0xffffff;
        out.m.observe = w->seq;
        out.mid = w->mid = p->mid++;
        w->told = true;
        if (part.n > size) { /* the observer asks for the rest */
                out.block2 = (co_block){.on = true, .more = true, .szx = w->end->szx};
                out.size2 = (int64_t)part.n;
                part = odm_str_to(part, size);
        }
        n = co_wire_write(&out, part, d, sizeof d);
        if (n && con)
                peer_send_con(p, d, n, out.mid, w);
        else if (n)
                peer_send(p, d, n);
}
