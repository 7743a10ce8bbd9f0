/* SPDX-License-Identifier: Apache-2.0 */
/* The webhooks at work: one thread, one transfer a webhook at a time, by libcurl.
 *
 *     IDLE --events that fit--> POSTING --2xx--> IDLE, the place moves on
 *       ^                          |
 *       +---- the wait is over ----+--else--> IDLE until a time
 *
 * What was sent and how it went is kept in the row; after a kill a POST may come again. */
#include "webhook_part.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "fleet.h"
#include "heap.h"
#include "log.h"
#include "loop.h"
#include "rand.h"

#define PAGE_MEMORY ((size_t)64 << 20)
#define BODY_MAX ((size_t)8 << 20)
#define LOOK_MOST 16      /* pages looked through in one go for events that fit */
#define SKIPPED_MOST 2048 /* events that are not for it, after which its place is kept */
#define CONNECT_MS 5000L
#define REPLY_MS 15000L
#define REPLY_MOST ((size_t)64 << 10) /* octets of an answer we read */
#define SLEEP_MS 60000
#define FAILED_READ_MS 1000

typedef struct hook {
        struct hook *next;
        webhook row; /* its texts in `a` */
        odm_arena a;
        int64_t wait_until; /* monotonic ms */
        bool behind;        /* there may be events for it */
        bool seen;          /* it is in the store still */
        CURL *easy;         /* while POSTING */
        struct curl_slist *head;
        odm_buf body;
        int64_t kept;    /* the place that is durable */
        int64_t at;      /* looked through up to, beyond the place while `missed` is to be told */
        int64_t upto;    /* the place when it went well */
        int64_t missed;  /* events that were gone before they were sent */
        size_t answered; /* octets */
        char error[CURL_ERROR_SIZE];
} hook;

struct webhooks {
        const fleet_host *host;
        pthread_t thread;
        CURLM *multi;
        hook *all;
        atomic_bool more, reload, stopping;
        atomic_uint n, failing;
        bool started;
};

/* ---- the rows ----------------------------------------------------------------------- */

static void free_hook(struct webhooks *s, hook *h)
{
        if (h->easy) {
                (void)curl_multi_remove_handle(s->multi, h->easy);
                curl_easy_cleanup(h->easy);
        }
        curl_slist_free_all(h->head);
        odm_buf_done(&h->body);
        odm_arena_done(&h->a);
        free(h);
}

static hook *find_hook(struct webhooks *s, int64_t id)
{
        hook *h = s->all;

        while (h && h->row.id != id)
                h = h->next;
        return h;
}

static int take_row(struct webhooks *s, const webhook *row)
{
        hook *h = find_hook(s, row->id);
        webhook copy = *row;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)1 << 20);
        rc = record_copy(table_webhook.rec, &copy, &a);
        if (rc == 0 && !h) {
                h = calloc(1, sizeof *h);
                if (h) {
                        odm_arena_init(&h->a, &heap_mem, 1);
                        odm_buf_init(&h->body, &heap_mem, BODY_MAX);
                        h->next = s->all;
                        s->all = h;
                }
        } else if (h) { /* while it runs we know better how far it is */
                copy.place = h->row.place;
                copy.failures = h->row.failures;
        }
        if (rc < 0 || !h) {
                odm_arena_done(&a);
                return rc < 0 ? rc : ODM_ENOMEM;
        }
        odm_arena_done(&h->a);
        h->a = a;
        h->row = copy;
        h->kept = h->kept ? h->kept : copy.place;
        h->seen = h->behind = true;
        h->wait_until = 0; /* a change is a reason to try at once */
        return 0;
}

static void drop_unseen(struct webhooks *s)
{
        for (hook **at = &s->all; *at;) {
                hook *h = *at;

                if (h->seen) {
                        at = &h->next;
                        continue;
                }
                *at = h->next;
                free_hook(s, h);
        }
}

static int read_rows(struct webhooks *s)
{
        const store_scan scan = {.table = &table_webhook, .limit = WEBHOOKS_MAX};
        store_rows rows = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, PAGE_MEMORY);
        rc = store_row_find(s->host->store, &scan, &a, &rows);
        for (hook *h = s->all; rc == 0 && h; h = h->next)
                h->seen = false;
        for (size_t i = 0; rc == 0 && i < rows.n; i++)
                rc = take_row(s, (const webhook *)rows.v + i);
        if (rc == 0) {
                drop_unseen(s);
                atomic_store(&s->n, (unsigned)rows.n);
        }
        odm_arena_done(&a);
        return rc;
}

/* ---- how it went ---------------------------------------------------------------------- */

static odm_str event_data(odm_arena *a, const hook *h)
{
        json_t *o = json_pack("{s:s#, s:s, s:i}", "url", h->row.url.p, (int)h->row.url.n, "error",
                              h->error, "failures", (int)h->row.failures);
        odm_str text = ODM_ABSENT, id = odm_arena_number(a, (uint64_t)h->row.id);
        char *dump;

        (void)json_object_set_new(o, "webhook", json_stringn(id.p, id.n));
        dump = o ? json_dumps(o, JSON_COMPACT) : NULL;
        if (dump)
                text = odm_arena_copy(a, odm_cstr(dump));
        free(dump);
        json_decref(o);
        return text;
}

#define PROGRESS                                                                                 \
        (STORE_FIELD(WEBHOOK_PLACE) | STORE_FIELD(WEBHOOK_FAILURES) |                            \
         STORE_FIELD(WEBHOOK_STATUS) | STORE_FIELD(WEBHOOK_ERROR) | STORE_FIELD(WEBHOOK_TRIED) | \
         STORE_FIELD(WEBHOOK_DELIVERED))

/* Fields of the row as it is now, and an event where it is news. */
static void keep(struct webhooks *s, hook *h, uint64_t fields, const char *news)
{
        store_batch *b = store_batch_new();
        odm_arena *a = b ? store_batch_arena(b) : NULL;
        webhook *row = a ? odm_new(a, webhook) : NULL;
        store_op *op = row ? store_batch_add(b, STORE_ROW_PATCH) : NULL;
        int rc = ODM_ENOMEM;

        if (op) {
                *row = h->row;
                row->error = odm_arena_copy(a, odm_cstr(h->error));
                op->lenient = true; /* it may have been removed */
                op->row = (store_row_op){.table = &table_webhook, .row = row, .fields = fields};
                op = news ? store_batch_add(b, STORE_EVENT_ADD) : NULL;
                if (op)
                        op->event = (store_event){.at = h->row.tried,
                                                  .kind = odm_cstr(news),
                                                  .data = event_data(a, h)};
                rc = store_write_sync(s->host->store, b);
        }
        if (rc < 0)
                log_warn("how far a webhook is cannot be kept", log_int("webhook", h->row.id),
                         log_text("reason", odm_err_text(rc)));
        h->kept = h->row.place; /* or later */
        store_batch_free(b);
}

static void count_failing(struct webhooks *s)
{
        unsigned n = 0;

        for (const hook *h = s->all; h; h = h->next)
                n += h->row.failures >= WEBHOOK_FAILING;
        atomic_store(&s->failing, n);
}

static void on_success(struct webhooks *s, hook *h)
{
        bool was_failing = h->row.failures >= WEBHOOK_FAILING;

        h->row.place = h->upto;
        h->missed = 0;
        h->row.failures = 0;
        h->row.delivered = h->row.tried;
        h->error[0] = 0;
        h->behind = true; /* there may be more */
        if (was_failing)
                log_info("webhook is back", log_int("webhook", h->row.id));
        keep(s, h, PROGRESS, was_failing ? "webhook.recovered" : NULL);
}

static void on_failure(struct webhooks *s, hook *h)
{
        uint32_t random;
        bool news = ++h->row.failures == WEBHOOK_FAILING;

        rand_bytes(&random, sizeof random);
        h->wait_until = loop_now().ms + webhook_wait(h->row.failures, random);
        h->behind = true;
        if (news)
                log_warn("webhook fails", log_int("webhook", h->row.id),
                         log_text("reason", h->error));
        keep(s, h, PROGRESS, news ? "webhook.failing" : NULL);
}

static void on_done(struct webhooks *s, hook *h, CURLcode code)
{
        long status = 0;

        (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_multi_remove_handle(s->multi, h->easy);
        curl_easy_cleanup(h->easy);
        h->easy = NULL;
        curl_slist_free_all(h->head);
        h->head = NULL;
        h->row.status = code == CURLE_OK ? (uint32_t)status : 0;
        h->row.tried = s->host->now(s->host->ctx);
        if (code != CURLE_OK && !h->error[0])
                (void)snprintf(h->error, sizeof h->error, "%s", curl_easy_strerror(code));
        else if (code == CURLE_OK && (status < 200 || status > 299))
                (void)snprintf(h->error, sizeof h->error, "answered %ld", status);
        if (code == CURLE_OK && status >= 200 && status <= 299)
                on_success(s, h);
        else
                on_failure(s, h);
        count_failing(s);
}

/* ---- a POST --------------------------------------------------------------------------- */

static size_t on_answer(char *p, size_t size, size_t n, void *ctx)
{
        hook *h = ctx;

        (void)p;
        h->answered += size * n;
        return h->answered > REPLY_MOST ? 0 : size * n;
}

static bool add_head(hook *h, const char *line)
{
        struct curl_slist *l = curl_slist_append(h->head, line);

        if (l)
                h->head = l;
        return l != NULL;
}

static bool set_head(struct webhooks *s, hook *h)
{
        char sign[WEBHOOK_SIGNATURE], line[128];
        int64_t now = s->host->now(s->host->ctx) / 1000;

        if (webhook_sign(h->row.secret, now, odm_buf_view(&h->body), sign) < 0 ||
            !add_head(h, "Content-Type: application/json") || !add_head(h, "Expect:"))
                return false;
        (void)snprintf(line, sizeof line, "X-Xrem-Time: %lld", (long long)now);
        if (!add_head(h, line))
                return false;
        (void)snprintf(line, sizeof line, "X-Xrem-Signature: %s", sign);
        return add_head(h, line);
}

static bool begin_post(struct webhooks *s, hook *h)
{
        odm_str body = odm_buf_view(&h->body);
        char url[2048];
        CURL *e = curl_easy_init();

        h->error[0] = 0;
        h->answered = 0;
        if (!e || !set_head(s, h)) {
                curl_easy_cleanup(e);
                return false;
        }
        (void)snprintf(url, sizeof url, "%.*s", (int)h->row.url.n, h->row.url.p);
        (void)curl_easy_setopt(e, CURLOPT_PRIVATE, h);
        (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
        (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
        (void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, REPLY_MS);
        (void)curl_easy_setopt(e, CURLOPT_USERAGENT, "xrem");
        (void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, h->head);
        (void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        (void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, body.p);
        (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_answer);
        (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, h);
        (void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->error);
        if (s->host->conf && cfg_str(s->host->conf, "webhooks.ca_file"))
                (void)curl_easy_setopt(e, CURLOPT_CAINFO,
                                       cfg_str(s->host->conf, "webhooks.ca_file"));
        if (curl_easy_setopt(e, CURLOPT_URL, url) != CURLE_OK ||
            curl_multi_add_handle(s->multi, e) != CURLM_OK) {
                curl_easy_cleanup(e);
                return false;
        }
        h->easy = e;
        return true;
}

/* ---- what is to be sent ---------------------------------------------------------------- */

/* One page of the log behind *at: what fits goes into items. */
static int look(struct webhooks *s, const hook *h, int64_t *at, json_t *items, bool *more)
{
        const event_filter f = {.scope = h->row.prefix};
        event_view view = {.st = s->host->store};
        store_event_list page = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, EVENT_MEMORY);
        rc = event_page(s->host->store, *at, 0, &a, &page);
        for (size_t i = 0; rc == 0 && i < page.n && json_array_size(items) < WEBHOOK_EVENTS &&
                           view.octets < EVENT_OCTETS;
             i++) {
                json_t *o = NULL;

                if (webhook_wants(&h->row, page.v[i].kind))
                        rc = event_show(&view, &f, &page.v[i], &o);
                if (rc == 1)
                        rc = json_array_append_new(items, o) == 0 ? 0 : ODM_ENOMEM;
                if (rc == 0)
                        *at = page.v[i].seq;
                *more = page.more || i + 1 < page.n;
        }
        if (page.n == 0)
                *more = false;
        odm_arena_done(&a);
        return rc;
}

static int fill_body(hook *h, json_t *items)
{
        json_t *o = json_pack("{s:O}", "events", items);
        char *text;
        int rc = ODM_ENOMEM;

        if (o && h->missed && !put_int(o, "missed", h->missed)) {
                json_decref(o);
                o = NULL;
        }
        text = o ? json_dumps(o, JSON_COMPACT) : NULL;
        json_decref(o);
        if (text) {
                odm_buf_done(&h->body);
                odm_buf_init(&h->body, &heap_mem, BODY_MAX);
                rc = odm_buf_put(&h->body, text, strlen(text));
        }
        free(text);
        return rc;
}

/* Where to look on.  What the log does not keep any more is told with the next events; until they
 * were taken, the place stays before it. */
static int find_place(struct webhooks *s, hook *h, int64_t *at)
{
        int64_t missed;
        int rc;

        *at = h->row.place;
        rc = event_place(s->host->store, at, &missed);
        if (rc < 0)
                return rc;
        if (*at < h->row.place) /* of a log that was put back */
                h->row.place = h->at = *at;
        if (missed && missed != h->missed)
                log_warn("webhook has missed events", log_int("webhook", h->row.id),
                         log_int("events", missed));
        h->missed = missed;
        if (*at < h->at)
                *at = h->at;
        return 0;
}

/* Nothing of it was for us.  It is kept now and then: after a kill it is neither looked through
 * again, nor missed. */
static void pass(struct webhooks *s, hook *h, int64_t at)
{
        h->at = at;
        if (h->missed)
                return;
        h->row.place = at;
        if (at - h->kept >= SKIPPED_MOST)
                keep(s, h, STORE_FIELD(WEBHOOK_PLACE), NULL);
}

/* Begins a POST when there is something to be sent. */
static void serve(struct webhooks *s, hook *h)
{
        json_t *items = json_array();
        int64_t at = 0;
        bool more = true;
        int rc = items ? find_place(s, h, &at) : ODM_ENOMEM;

        for (unsigned i = 0; rc == 0 && more && i < LOOK_MOST; i++) {
                rc = look(s, h, &at, items, &more);
                if (json_array_size(items))
                        break;
        }
        h->behind = more;
        if (rc == 0 && json_array_size(items) == 0) {
                pass(s, h, at);
        } else if (rc == 0) {
                h->upto = at;
                rc = fill_body(h, items);
                if (rc == 0 && !begin_post(s, h))
                        rc = ODM_ENOMEM;
        }
        json_decref(items);
        if (rc < 0) {
                h->behind = true;
                h->wait_until = loop_now().ms + FAILED_READ_MS;
        }
}

/* ---- the thread -------------------------------------------------------------------------- */

static int serve_all(struct webhooks *s)
{
        bool more = atomic_exchange(&s->more, false);
        int64_t now = loop_now().ms, due = now + SLEEP_MS;

        for (hook *h = s->all; h; h = h->next) {
                if (more)
                        h->behind = true;
                if (!h->row.enabled || h->easy || !h->behind)
                        continue;
                if (now >= h->wait_until)
                        serve(s, h);
                if (!h->easy && h->behind && h->wait_until < due)
                        due = h->wait_until;
        }
        return due > now ? (int)(due - now) : 0;
}

static void *run(void *ctx)
{
        struct webhooks *s = ctx;

        while (!atomic_load(&s->stopping)) {
                int running, left, ms;
                CURLMsg *m;

                if (atomic_exchange(&s->reload, false) && read_rows(s) < 0)
                        atomic_store(&s->reload, true);
                ms = serve_all(s);
                if (atomic_load(&s->reload) && ms > FAILED_READ_MS)
                        ms = FAILED_READ_MS;
                (void)curl_multi_perform(s->multi, &running);
                while ((m = curl_multi_info_read(s->multi, &left))) {
                        hook *h = NULL;

                        if (m->msg != CURLMSG_DONE)
                                continue;
                        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&h);
                        on_done(s, h, m->data.result);
                        ms = 0;
                }
                (void)curl_multi_poll(s->multi, NULL, 0, ms, NULL);
        }
        return NULL;
}

static void wake(struct webhooks *s)
{
        (void)curl_multi_wakeup(s->multi);
}

/* ---- the part -------------------------------------------------------------------------- */

static int open_webhooks(const fleet_host *h, void **out, diag *d)
{
        struct webhooks *s = calloc(1, sizeof *s);

        if (!s)
                return ODM_ENOMEM;
        s->host = h;
        s->multi = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : NULL;
        atomic_store(&s->reload, true);
        if (!s->multi || pthread_create(&s->thread, NULL, run, s) != 0) {
                if (s->multi)
                        (void)curl_multi_cleanup(s->multi);
                free(s);
                return diag_set(d, ODM_EIO, "webhooks cannot begin");
        }
        s->started = true;
        *out = s;
        return 0;
}

static int hear(void *p, fleet_turn *t, const fleet_event *ev)
{
        struct webhooks *s = p;

        (void)t;
        if (odm_str_starts(ev->e.kind, "webhook.changed"))
                atomic_store(&s->reload, true);
        atomic_store(&s->more, true);
        wake(s);
        return 0;
}

static int metrics_of(void *p, odm_buf *out)
{
        struct webhooks *s = p;
        int rc = metrics_line(out, "nrem_webhooks", "", "gauge", "Webhooks", atomic_load(&s->n));

        return rc < 0 ? rc
                      : metrics_line(out, "nrem_webhooks_failing", "", "gauge",
                                     "Webhooks whose receiver does not take events",
                                     atomic_load(&s->failing));
}

static void stop(void *p)
{
        struct webhooks *s = p;

        if (!s->started)
                return;
        s->started = false;
        atomic_store(&s->stopping, true);
        wake(s);
        pthread_join(s->thread, NULL);
}

static void close_webhooks(void *p)
{
        struct webhooks *s = p;

        stop(s);
        while (s->all) {
                hook *h = s->all;

                s->all = h->next;
                free_hook(s, h);
        }
        (void)curl_multi_cleanup(s->multi);
        free(s);
}

static const store_table *const tables[] = {&table_webhook, NULL};

const fleet_part part_webhook = {.name = "webhook",
                                 .tables = tables,
                                 .routes = webhook_routes,
                                 .n_routes = WEBHOOK_ROUTES,
                                 .events = "*",
                                 .open = open_webhooks,
                                 .event = hear,
                                 .metrics = metrics_of,
                                 .stop = stop,
                                 .close = close_webhooks};
