/* SPDX-License-Identifier: Apache-2.0 */
#include "download.h"

#include <stdlib.h>

typedef struct download_slot {
        downloads *pool;
        http_client *http;
        download *for_whom; /* NULL: free */
} download_slot;

struct downloads {
        loop *loop;
        loop_timer timer; /* a slot is free and somebody waits */
        http_client_opt opt;
        download_slot *slot;
        uint32_t n;
        download *first, **last;
        downloads_counts counts;
};

static void go_on(downloads *p)
{
        if (p->first && !p->timer.in && p->counts.running < p->n &&
            loop_timer_set(p->loop, &p->timer, loop_now()) < 0)
                return; /* the end of another one comes by here again */
}

static void let_go(download_slot *s)
{
        s->for_whom->slot = NULL;
        s->for_whom = NULL;
        s->pool->counts.running--;
        go_on(s->pool);
}

static void on_reply(void *ctx, const http_reply *r)
{
        download_slot *s = ctx;
        download *d = s->for_whom;

        s->pool->counts.octets += r->rc == 0 ? r->body.n : 0;
        let_go(s);
        d->fn(d->ctx, r);
}

static void refuse(download *d, int rc)
{
        const http_reply r = {.rc = rc, .why = odm_err_text(rc)};

        d->fn(d->ctx, &r);
}

static void begin(download_slot *s, download *d)
{
        const http_request q = {.method = "GET", .url = odm_cstr(d->url)};
        int rc = 0;

        if (!s->http)
                rc = http_client_new(s->pool->loop, &s->pool->opt, &s->http);
        if (rc == 0)
                rc = http_client_send(s->http, &q, on_reply, s);
        if (rc < 0) {
                refuse(d, rc);
                return;
        }
        s->for_whom = d;
        d->slot = s;
        s->pool->counts.begun++;
        if (++s->pool->counts.running > s->pool->counts.most)
                s->pool->counts.most = s->pool->counts.running;
}

static download *take_first(downloads *p)
{
        download *d = p->first;

        p->first = d->next;
        if (!p->first)
                p->last = &p->first;
        d->next = NULL;
        d->waits = false;
        p->counts.waiting--;
        return d;
}

static void on_turn(void *ctx)
{
        downloads *p = ctx;

        for (uint32_t i = 0; i < p->n && p->first; i++)
                if (!p->slot[i].for_whom)
                        begin(&p->slot[i], take_first(p));
        go_on(p);
}

int downloads_get(downloads *p, download *d)
{
        net_url u;

        if (net_url_parse(odm_cstr(d->url), &u) < 0)
                return ODM_EINVAL;
        d->next = NULL;
        d->waits = true;
        *p->last = d;
        p->last = &d->next;
        p->counts.waiting++;
        go_on(p);
        return 0;
}

void downloads_drop(downloads *p, download *d)
{
        if (d->slot) {
                http_client_cancel(d->slot->http);
                let_go(d->slot);
        }
        for (download **at = &p->first; d->waits && *at; at = &(*at)->next) {
                if (*at != d)
                        continue;
                *at = d->next;
                if (!*at)
                        p->last = at;
                d->waits = false;
                p->counts.waiting--;
                break;
        }
}

downloads_counts downloads_counted(const downloads *p)
{
        return p->counts;
}

int downloads_new(loop *l, uint32_t n, const tls_cred *tls, size_t max, downloads **out)
{
        downloads *p = calloc(1, sizeof *p);

        if (!p)
                return ODM_ENOMEM;
        p->loop = l;
        p->n = n;
        p->last = &p->first;
        p->timer = (loop_timer){.fn = on_turn, .ctx = p};
        http_client_opt_init(&p->opt);
        p->opt.tls = tls;
        p->opt.user_agent = "xremsim";
        p->opt.limits.max_body = max;
        p->opt.max_inflated = max;
        p->slot = calloc(n, sizeof *p->slot);
        if (!p->slot) {
                free(p);
                return ODM_ENOMEM;
        }
        for (uint32_t i = 0; i < n; i++)
                p->slot[i].pool = p;
        *out = p;
        return 0;
}

void downloads_free(downloads *p)
{
        if (!p)
                return;
        loop_timer_stop(&p->timer);
        for (uint32_t i = 0; i < p->n; i++)
                http_client_free(p->slot[i].http);
        free(p->slot);
        free(p);
}
