/* SPDX-License-Identifier: Apache-2.0 */
/* Who listens to the log: streams of server-sent events, and requests that wait for the next one.
 *
 * Each listener has a place of its own in the log and is brought forward from it, by one thread:
 * so one that comes late, comes back with the number it saw last, or is slow, misses nothing. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "event.h"
#include "fleet.h"
#include "heap.h"
#include "log.h"
#include "loop.h"

#define STREAM "text/event-stream"
#define LISTENERS_MAX 256
#define ALIVE_MS 15000   /* a stream says something that often */
#define STALLED_MS 250   /* a slow peer is tried again */
#define GIVE_UP_MS 60000 /* and is let go */
#define WAIT_MAX_S 300
#define BACK_MOST 1000000 /* events looked through for the newest that fit */

typedef struct listener {
        struct listener *next;
        httpd_stream *stream; /* or: */
        call *call;           /* waits for the next event that fits */
        int64_t at;           /* heard up to */
        int64_t missed;       /* events before that were not kept for it */
        uint32_t limit;       /* of the answer to `call` */
        int64_t until;        /* monotonic ms: the answer is due; or the stream was stalled long */
        int64_t alive;        /* a sign of life is due */
        bool stalled;
        event_filter filter; /* its texts: */
        char kind[64], scope[256];
        char hash[TOKEN_HASH]; /* of the token by which it listens */
} listener;

typedef struct events {
        store *st;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t cond;
        listener *all;
        unsigned n;
        bool more, stopping, started;
} events;

/* ---- one listener ------------------------------------------------------------------- */

static void drop(listener *l)
{
        httpd_stream_end(l->stream);
        free(l);
}

static int write_event(listener *l, const json_t *o)
{
        const char *id = json_string_value(json_object_get(o, "id"));
        const char *kind = json_string_value(json_object_get(o, "kind"));
        char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15));
        odm_buf b;
        int rc = text ? 0 : ODM_ENOMEM;

        odm_buf_init(&b, &heap_mem, (size_t)1 << 20);
        if (rc == 0)
                rc = odm_buf_fmt(&b, "id: %s\nevent: %s\ndata: ", id, kind);
        if (rc == 0)
                rc = odm_buf_put(&b, text, strlen(text));
        if (rc == 0)
                rc = odm_buf_put(&b, "\n\n", 2);
        if (rc == 0)
                rc = httpd_stream_write(l->stream, odm_buf_view(&b));
        odm_buf_done(&b);
        free(text);
        return rc;
}

/* Brings a stream forward.  0; ODM_ELIMIT: it is slow; others: it is over. */
static int pump_stream(events *e, listener *l)
{
        event_view view = {.st = e->st};
        store_event_list page;
        odm_arena a;
        int rc = 0;

        odm_arena_init(&a, &heap_mem, EVENT_MEMORY);
        do {
                page = (store_event_list){0};
                rc = event_page(e->st, l->at, l->filter.device, &a, &page);
                for (size_t i = 0; rc == 0 && i < page.n; i++) {
                        json_t *o = NULL;
                        rc = event_show(&view, &l->filter, &page.v[i], &o);
                        if (rc == 1)
                                rc = write_event(l, o);
                        json_decref(o);
                        if (rc == 0)
                                l->at = page.v[i].seq;
                }
        } while (rc == 0 && page.more);
        odm_arena_done(&a);
        return rc;
}

static bool token_is_good(events *e, const listener *l)
{
        store_token who;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)64 << 10);
        rc = store_token_by_hash(e->st, (odm_str){l->hash, TOKEN_HASH}, &a, &who);
        if (rc == 0 && who.expires && who.expires <= loop_wall_ms())
                rc = ODM_EACCESS;
        odm_arena_done(&a);
        return rc != ODM_ENOENT && rc != ODM_EACCESS;
}

/* With how far it is: who comes back need not look again through what was not for it. */
static int write_alive(listener *l)
{
        char text[64];

        (void)snprintf(text, sizeof text, ": alive\nid: %lld\n\n", (long long)l->at);
        return httpd_stream_write(l->stream, odm_cstr(text));
}

/* False: the stream is over, and gone. */
static bool serve_stream(events *e, listener *l, int64_t now)
{
        int rc = pump_stream(e, l);

        if (rc == 0 && now >= l->alive) {
                l->alive = now + ALIVE_MS;
                rc = token_is_good(e, l) ? write_alive(l) : ODM_EACCESS;
        }
        if (rc == ODM_ELIMIT && !l->stalled) {
                l->stalled = true;
                l->until = now + GIVE_UP_MS;
        }
        if (rc == 0)
                l->stalled = false;
        if (rc == 0 || (rc == ODM_ELIMIT && now < l->until))
                return true;
        drop(l);
        return false;
}

typedef struct harvest {
        json_t *items;
        uint32_t limit;
        bool newest; /* the last `limit` of all; else the first, and no more than can be answered */
        bool more;
} harvest;

static int harvest_take(harvest *h, json_t *o)
{
        if (json_array_append_new(h->items, o) < 0)
                return ODM_ENOMEM;
        if (h->newest && json_array_size(h->items) > h->limit)
                (void)json_array_remove(h->items, 0);
        return 0;
}

/* Looks for events behind *at.  0, ODM_ENOMEM, ODM_EIO. */
static int gather(store *st, const event_filter *f, int64_t *at, harvest *h)
{
        event_view view = {.st = st};
        store_event_list page;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, EVENT_MEMORY);
        do {
                page = (store_event_list){0};
                rc = event_page(st, *at, f->device, &a, &page);
                for (size_t i = 0; rc == 0 && i < page.n; i++) {
                        json_t *o = NULL;
                        h->more = !h->newest && (json_array_size(h->items) == h->limit ||
                                                 view.octets >= EVENT_OCTETS);
                        if (h->more)
                                break;
                        rc = event_show(&view, f, &page.v[i], &o);
                        if (rc == 1)
                                rc = harvest_take(h, o);
                        if (rc == 0)
                                *at = page.v[i].seq;
                }
        } while (rc == 0 && page.more && !h->more);
        odm_arena_done(&a);
        return rc;
}

/* {"items", "last", "next", "missed"}; takes items.  NULL: out of memory. */
static json_t *answer_of(json_t *items, int64_t at, bool more, int64_t missed)
{
        json_t *o = page_new(items, more ? id_text(at) : NULL);

        if (o && json_object_set_new(o, "last", id_text(at)) == 0 &&
            (!missed || put_int(o, "missed", missed)))
                return o;
        json_decref(o);
        return NULL;
}

/* False: it was answered, and is gone. */
static bool serve_wait(events *e, listener *l, int64_t now)
{
        harvest h = {.items = json_array(), .limit = l->limit};
        int rc = h.items ? gather(e->st, &l->filter, &l->at, &h) : ODM_ENOMEM;

        if (rc == 0 && json_array_size(h.items) == 0 && now < l->until) {
                json_decref(h.items);
                return true;
        }
        if (rc < 0) {
                json_decref(h.items);
                call_refused(l->call, "the events cannot be read", rc);
        } else {
                call_reply(l->call, 200, answer_of(h.items, l->at, h.more, l->missed));
        }
        free(l);
        return false;
}

/* ---- all of them -------------------------------------------------------------------- */

static listener *take_all(events *e)
{
        listener *l = e->all;

        e->all = NULL;
        e->more = false;
        return l;
}

/* When somebody has to be looked at without an event. */
static int64_t due_of(const listener *all, int64_t now)
{
        int64_t due = now + ALIVE_MS;

        for (const listener *l = all; l; l = l->next) {
                int64_t at = l->call ? l->until : l->stalled ? now + STALLED_MS : l->alive;

                if (at < due)
                        due = at;
        }
        return due;
}

static void rest(events *e, int64_t ms)
{
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += ms / 1000;
        until.tv_nsec += ms % 1000 * 1000000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_nsec -= 1000000000;
                until.tv_sec++;
        }
        (void)pthread_cond_timedwait(&e->cond, &e->lock, &until);
}

static void *run(void *ctx)
{
        events *e = ctx;

        pthread_mutex_lock(&e->lock);
        while (!e->stopping) {
                listener *l = take_all(e), *next, *kept = NULL;
                unsigned gone = 0;
                int64_t now = loop_now().ms;

                pthread_mutex_unlock(&e->lock);
                for (; l; l = next) {
                        next = l->next;
                        if (l->call ? serve_wait(e, l, now) : serve_stream(e, l, now)) {
                                l->next = kept;
                                kept = l;
                        } else {
                                gone++;
                        }
                }
                pthread_mutex_lock(&e->lock);
                e->n -= gone;
                while ((l = kept)) {
                        kept = l->next;
                        l->next = e->all;
                        e->all = l;
                }
                now = loop_now().ms;
                if (!e->more && !e->stopping) {
                        int64_t due = due_of(e->all, now);
                        rest(e, due > now ? due - now : 1);
                }
        }
        pthread_mutex_unlock(&e->lock);
        return NULL;
}

/* Takes l.  ODM_ELIMIT, ODM_ESTATE: it is not kept, and the caller's. */
static int listen_on(events *e, listener *l)
{
        int rc = 0;

        pthread_mutex_lock(&e->lock);
        if (e->stopping)
                rc = ODM_ESTATE;
        else if (e->n >= LISTENERS_MAX)
                rc = ODM_ELIMIT;
        if (rc == 0) {
                l->next = e->all;
                e->all = l;
                e->n++;
                e->more = true;
                pthread_cond_signal(&e->cond);
        }
        pthread_mutex_unlock(&e->lock);
        return rc;
}

static bool has_room(events *e)
{
        bool room;

        pthread_mutex_lock(&e->lock);
        room = !e->stopping && e->n < LISTENERS_MAX;
        pthread_mutex_unlock(&e->lock);
        return room;
}

/* ---- REST --------------------------------------------------------------------------- */

static bool read_filter(call *c, listener *l)
{
        odm_str kind = call_query(c, "kind"), name = call_query(c, "device");
        store_device d;

        if (kind.n >= sizeof l->kind) {
                problem_at(&c->problem, "kind", "is longer than any kind");
                return false;
        }
        if (name.p) {
                c->param[0] = name;
                if (!call_device(c, &d))
                        return false;
                l->filter.device = d.id;
        }
        (void)snprintf(l->kind, sizeof l->kind, "%.*s", (int)kind.n, kind.p ? kind.p : "");
        (void)snprintf(l->scope, sizeof l->scope, "%.*s", (int)c->who.scope.n,
                       c->who.scope.p ? c->who.scope.p : "");
        l->filter.kind = odm_cstr(l->kind);
        l->filter.scope = odm_cstr(l->scope);
        l->filter.token = true;
        memcpy(l->hash, c->who.hash.p, sizeof l->hash);
        return true;
}

/* The newest that fit are those behind a place that is found by going back in strides from the
 * last event.  *last becomes the last one looked at. */
static int newest(store *st, const event_filter *f, int64_t *last, harvest *h)
{
        int64_t from = *last;

        h->newest = true;
        for (int64_t stride = h->limit;; stride *= 4) {
                int64_t at = stride < from ? from - stride : 0;
                int rc;

                (void)json_array_clear(h->items);
                rc = gather(st, f, &at, h);
                if (rc == 0 && at > *last)
                        *last = at;
                if (rc < 0 || json_array_size(h->items) >= h->limit || stride >= from ||
                    stride >= BACK_MOST)
                        return rc;
        }
}

static void send_page(call *c, listener *l, bool has_after)
{
        harvest h = {.items = json_array(), .limit = l->limit};
        store *st = c->api->opt.store;
        int64_t last = 0, missed = l->missed;
        int rc = h.items ? 0 : ODM_ENOMEM;

        if (rc == 0 && has_after) {
                last = l->at;
                rc = gather(st, &l->filter, &last, &h);
        } else if (rc == 0) {
                rc = store_event_last(st, &last);
                if (rc == 0)
                        rc = newest(st, &l->filter, &last, &h);
        }
        free(l);
        if (rc == 0) {
                call_reply(c, 200, answer_of(h.items, last, h.more, missed));
        } else {
                json_decref(h.items);
                call_refused(c, "the events cannot be read", rc);
        }
}

static void keep_waiting(call *c, listener *l, int64_t wait_s)
{
        int rc;

        l->call = c;
        l->until = loop_now().ms + wait_s * 1000;
        rc = listen_on(call_self(c), l);
        if (rc < 0) { /* too many, or we stop: what is known now */
                l->call = NULL;
                send_page(c, l, true);
        }
}

static int write_head(listener *l)
{
        char text[96];
        int rc = httpd_stream_write(l->stream, ODM_STR("retry: 2000\n\n"));

        if (rc < 0 || !l->missed)
                return rc;
        (void)snprintf(text, sizeof text, "event: missed\ndata: {\"missed\":%lld}\n\n",
                       (long long)l->missed);
        return httpd_stream_write(l->stream, odm_cstr(text));
}

static void begin_stream(call *c, listener *l)
{
        events *e = call_self(c);

        if (!has_room(e)) {
                free(l);
                problem_set(&c->problem, PROBLEM_UNAVAILABLE, "%d listen already.", LISTENERS_MAX);
                call_fail(c);
                return;
        }
        l->stream = call_stream(c, STREAM);
        if (!l->stream) {
                free(l);
                return;
        }
        l->alive = loop_now().ms + ALIVE_MS;
        if (write_head(l) < 0 || listen_on(e, l) < 0)
                drop(l);
}

static bool wants_stream(const call *c)
{
        odm_str accept = httpd_field(c->req, "Accept");

        return accept.p && memmem(accept.p, accept.n, STREAM, strlen(STREAM)) != NULL;
}

/* Where it was, as the header of a stream that comes back says, or the query. */
static bool read_place(call *c, listener *l, bool *has)
{
        odm_str at = httpd_field(c->req, "Last-Event-ID");
        uint64_t v = 0;

        if (!at.p)
                at = call_query(c, "after");
        *has = at.p != NULL;
        if (at.p && odm_str_u64(at, INT64_MAX, &v) < 0) {
                problem_at(&c->problem, "after", "is no number of an event");
                return false;
        }
        l->at = (int64_t)v;
        return true;
}

static void event_list(call *c)
{
        listener *l = calloc(1, sizeof *l);
        int64_t limit = 100, wait = 0;
        bool has_after = false;
        int rc;

        if (!l) {
                call_fail(c);
                return;
        }
        if (!read_filter(c, l) || !read_place(c, l, &has_after) ||
            !call_query_int(c, "limit", 1, 1000, 100, &limit) ||
            !call_query_int(c, "wait", 0, WAIT_MAX_S, 0, &wait)) {
                free(l);
                call_fail(c);
                return;
        }
        l->limit = (uint32_t)limit;
        rc = 0;
        if (has_after && l->at) /* 0: whatever there is */
                rc = event_place(c->api->opt.store, &l->at, &l->missed);
        else if (!has_after && (wait || wants_stream(c))) /* from now on */
                rc = store_event_last(c->api->opt.store, &l->at);
        if (rc < 0) {
                free(l);
                call_refused(c, "the events cannot be read", rc);
                return;
        }
        if (wants_stream(c))
                begin_stream(c, l);
        else if (wait)
                keep_waiting(c, l, wait);
        else
                send_page(c, l, has_after);
}

static const call_route routes[] = {
        {"GET", "/api/v1/events", ACCESS_VIEWER, "after limit kind device wait", false, event_list},
};

/* ---- the part ----------------------------------------------------------------------- */

static int open_events(const fleet_host *h, void **out, diag *d)
{
        events *e = calloc(1, sizeof *e);
        pthread_condattr_t attr;

        if (!e)
                return ODM_ENOMEM;
        e->st = h->store;
        pthread_mutex_init(&e->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&e->cond, &attr);
        pthread_condattr_destroy(&attr);
        if (pthread_create(&e->thread, NULL, run, e) != 0) {
                free(e);
                return diag_set(d, ODM_EIO, "no thread for listeners");
        }
        e->started = true;
        *out = e;
        return 0;
}

static int hear(void *p, fleet_turn *t, const fleet_event *ev)
{
        events *e = p;

        (void)t;
        (void)ev;
        pthread_mutex_lock(&e->lock);
        if (!e->more) {
                e->more = true;
                pthread_cond_signal(&e->cond);
        }
        pthread_mutex_unlock(&e->lock);
        return 0;
}

static int metrics_of(void *p, odm_buf *out)
{
        events *e = p;
        unsigned n;

        pthread_mutex_lock(&e->lock);
        n = e->n;
        pthread_mutex_unlock(&e->lock);
        return metrics_line(out, "nrem_event_listeners", "", "gauge",
                            "Streams and requests that wait for events", n);
}

static void stop(void *p)
{
        events *e = p;
        listener *l;

        pthread_mutex_lock(&e->lock);
        e->stopping = true;
        pthread_cond_signal(&e->cond);
        pthread_mutex_unlock(&e->lock);
        if (e->started)
                pthread_join(e->thread, NULL);
        e->started = false;
        while ((l = e->all)) {
                e->all = l->next;
                if (l->call) {
                        l->until = 0;
                        (void)serve_wait(e, l, loop_now().ms);
                } else {
                        drop(l);
                }
        }
        e->n = 0;
}

static void close_events(void *p)
{
        events *e = p;

        stop(e);
        pthread_cond_destroy(&e->cond);
        pthread_mutex_destroy(&e->lock);
        free(e);
}

const fleet_part part_event = {.name = "event",
                               .routes = routes,
                               .n_routes = ODM_COUNT(routes),
                               .events = "*",
                               .open = open_events,
                               .event = hear,
                               .metrics = metrics_of,
                               .stop = stop,
                               .close = close_events};
