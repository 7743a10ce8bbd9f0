/* SPDX-License-Identifier: Apache-2.0 */
#include "download.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_ROOM 2400

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

static void forget_moves(download *d)
{
        free(d->moved);
        d->moved = NULL;
        d->hops = 0;
}

static void end(download *d, const http_reply *r)
{
        forget_moves(d);
        d->fn(d->ctx, r);
}

static void refuse(download *d, int rc, const char *why)
{
        const http_reply r = {.rc = rc, .why = why};

        end(d, &r);
}

/* ---- redirects ---------------------------------------------------------------------------- */

static bool is_moved(const http_reply *r)
{
        if (r->rc < 0 || http_reply_field(r, "location").n == 0)
                return false;
        switch (r->status) {
        case 301:
        case 302:
        case 303:
        case 307:
        case 308: return true;
        default: return false;
        }
}

static int shown(odm_str s)
{
        return s.n < URL_ROOM ? (int)s.n : URL_ROOM;
}

/* Takes "." and ".." out of the path, which ends at a query (RFC 3986 5.2.4). */
static void straighten(char *path)
{
        char *to = path, *from = path;

        while (*from == '/') {
                size_t n = 1 + strcspn(from + 1, "/?#");
                bool last = from[n] != '/';
                bool up = n == 3 && memcmp(from, "/..", 3) == 0;
                if (up || (n == 2 && from[1] == '.')) {
                        while (up && to > path && *--to != '/')
                                continue;
                        if (last)
                                *to++ = '/';
                } else {
                        memmove(to, from, n);
                        to += n;
                }
                from += n;
        }
        memmove(to, from, strlen(from) + 1);
}

/* An absolute URL, or a path, or one beside that of `base`. */
static void resolve(const char *base, odm_str to, char out[URL_ROOM])
{
        const char *host = strstr(base, "://"), *path = host ? strchr(host + 3, '/') : NULL;
        size_t origin = path ? (size_t)(path - base) : strlen(base);
        size_t folder = path ? strcspn(path, "?#") : 0;
        const char *scheme = odm_str_starts(to, "//") ? "" : "/";

        while (folder && path[folder - 1] != '/')
                folder--;
        if (odm_str_starts(to, "http://") || odm_str_starts(to, "https://"))
                (void)snprintf(out, URL_ROOM, "%.*s", shown(to), to.p);
        else if (!*scheme)
                (void)snprintf(out, URL_ROOM, "%.*s:%.*s", host ? (int)(host - base) : 0, base,
                               shown(to), to.p);
        else if (to.p[0] == '/')
                (void)snprintf(out, URL_ROOM, "%.*s%.*s", (int)origin, base, shown(to), to.p);
        else
                (void)snprintf(out, URL_ROOM, "%.*s%s%.*s", (int)(origin + folder), base,
                               folder ? "" : "/", shown(to), to.p);
        out[strcspn(out, "#")] = '\0';
        host = strstr(out, "://");
        path = host ? strchr(host + 3, '/') : NULL;
        if (path)
                straighten(out + (path - out));
}

static const char *place_of(const download *d)
{
        return d->moved ? d->moved : d->url;
}

/* NULL, or why it cannot be followed. */
static const char *follow(download *d, odm_str to)
{
        char url[URL_ROOM], *copy;
        net_url u;

        resolve(place_of(d), to, url);
        if (++d->hops > DOWNLOAD_REDIRECTS)
                return "too many redirects";
        if (to.n >= URL_ROOM / 2 || net_url_parse(odm_cstr(url), &u) < 0)
                return "a redirect leads to what is no URL";
        if (strncmp(place_of(d), "https:", 6) == 0 && strcmp(u.scheme, "https") != 0)
                return "a redirect leaves TLS";
        copy = strdup(url);
        if (!copy)
                return "out of memory";
        free(d->moved);
        d->moved = copy;
        return NULL;
}

static void put_first(downloads *p, download *d)
{
        d->next = p->first;
        p->first = d;
        if (!d->next)
                p->last = &d->next;
        d->waits = true;
        p->counts.waiting++;
}

/* ---- GETs --------------------------------------------------------------------------------- */

static void on_reply(void *ctx, const http_reply *r)
{
        download_slot *s = ctx;
        downloads *p = s->pool;
        download *d = s->for_whom;
        const char *why = NULL;
        bool moved = is_moved(r);

        p->counts.octets += r->rc == 0 ? r->body.n : 0;
        p->counts.redirects += moved;
        if (moved)
                why = follow(d, http_reply_field(r, "location"));
        if (moved && !why)
                put_first(p, d);
        let_go(s);
        if (why)
                refuse(d, ODM_EINVAL, why);
        else if (!moved)
                end(d, r);
}

static void begin(download_slot *s, download *d)
{
        const http_request q = {.method = "GET", .url = odm_cstr(place_of(d))};
        int rc = 0;

        if (!s->http)
                rc = http_client_new(s->pool->loop, &s->pool->opt, &s->http);
        if (rc == 0)
                rc = http_client_send(s->http, &q, on_reply, s);
        if (rc < 0) {
                refuse(d, rc, odm_err_text(rc));
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
        forget_moves(d);
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
        forget_moves(d);
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
