/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that are registered.  A row of each is durable before the registration is answered, so
 * that a gateway that begins anew knows them all, and they need not notice; what an update changes
 * beside the time is durable before that is answered. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway.h"
#include "heap.h"
#include "log.h"
#include "lwm2m_inner.h"
#include "rand.h"

#define GRACE_MS 5000 /* an update may be so late */
#define KEPT_MAX ((size_t)64 << 10)
#define LINKS_MEMORY ((size_t)2 << 20)

typedef struct lw_client_row {
        odm_str ep, location, addr, identity, links, version, binding;
        bool secure, queue;
        int64_t lifetime_s, since;
        odm_str kept;
        odm_str front; /* endpoint of the gateway that it is behind */
} lw_client_row;

static const field row_fields[] = {
        STORE_FIELD_OF(lw_client_row, ep, STR),      STORE_FIELD_OF(lw_client_row, location, STR),
        STORE_FIELD_OF(lw_client_row, addr, STR),    STORE_FIELD_OF(lw_client_row, identity, STR),
        STORE_FIELD_OF(lw_client_row, links, STR),   STORE_FIELD_OF(lw_client_row, version, STR),
        STORE_FIELD_OF(lw_client_row, binding, STR), STORE_FIELD_OF(lw_client_row, secure, BOOL),
        STORE_FIELD_OF(lw_client_row, queue, BOOL),  STORE_FIELD_OF(lw_client_row, lifetime_s, I64),
        STORE_FIELD_OF(lw_client_row, since, I64),   STORE_FIELD_OF(lw_client_row, kept, BLOB),
        STORE_FIELD_OF(lw_client_row, front, STR),
};
static const record record_client = STORE_RECORD_OF(lw_client_row, row_fields);
const store_table lwm2m_table_client = {.name = "lwm2m_client", .rec = &record_client, .n_key = 1};

/* ---- finding ------------------------------------------------------------------------------------- */

static uint64_t hash(odm_str s)
{
        uint64_t h = 1469598103934665603u;

        for (size_t i = 0; i < s.n; i++)
                h = (h ^ (uint8_t)s.p[i]) * 1099511628211u;
        return h ^ h >> 31;
}

static size_t addr_chain(const void *sa, socklen_t n)
{
        return hash((odm_str){sa, n}) % CHAINS;
}

bool lw_client_is_at(const client *c, const net_addr *addr)
{
        return c->addr.n == addr->n && memcmp(&c->addr.sa, &addr->sa, addr->n) == 0;
}

const client *lw_client_via(const client *c)
{
        return c->front ? c->front : c;
}

net_addr lw_client_addr(const client *c)
{
        net_addr out = {.n = lw_client_via(c)->addr.n};

        c = lw_client_via(c);
        memcpy(&out.sa, &c->addr.sa, c->addr.n);
        return out;
}

client *lw_client_by_name(lwm2m *a, odm_str ep)
{
        client *c = a->by_name[hash(ep) % CHAINS];

        while (c && !odm_str_is(ep, c->ep))
                c = c->by_name;
        return c;
}

client *lw_client_of(lwm2m *a, const gw_device *d)
{
        client *c = lw_client_by_name(a, d->id);

        return c && c->record == d ? c : NULL;
}

client *lw_client_by_location(lwm2m *a, odm_str location)
{
        client *c = a->by_location[hash(location) % CHAINS];

        while (c && !odm_str_is(location, c->location))
                c = c->by_location;
        return c;
}

client *lw_client_by_addr(lwm2m *a, const net_addr *addr, bool secure)
{
        client *c = a->by_addr[addr_chain(&addr->sa, addr->n)];

        while (c && (c->secure != secure || !lw_client_is_at(c, addr)))
                c = c->by_addr;
        return c;
}

static void unlink_name(client *c)
{
        client **at = &c->a->by_name[hash(odm_cstr(c->ep)) % CHAINS];

        while (*at != c)
                at = &(*at)->by_name;
        *at = c->by_name;
}

static void unlink_location(client *c)
{
        client **at = &c->a->by_location[hash(odm_cstr(c->location)) % CHAINS];

        if (!c->location[0])
                return;
        while (*at != c)
                at = &(*at)->by_location;
        *at = c->by_location;
        c->location[0] = 0;
}

static void unlink_addr(client *c)
{
        client **at = &c->a->by_addr[addr_chain(&c->addr.sa, c->addr.n)];

        if (!c->addr.n)
                return;
        while (*at != c)
                at = &(*at)->by_addr;
        *at = c->by_addr;
        c->addr.n = 0;
}

static void link_location(client *c)
{
        client **at = &c->a->by_location[hash(odm_cstr(c->location)) % CHAINS];

        c->by_location = *at;
        *at = c;
}

void lw_client_locate(client *c)
{
        unlink_location(c);
        do
                rand_hex(c->location, (LOCATION_MAX - 1) / 2);
        while (lw_client_by_location(c->a, odm_cstr(c->location)));
        link_location(c);
}

void lw_client_move(client *c, const net_addr *addr, bool secure)
{
        client **at = &c->a->by_addr[addr_chain(&addr->sa, addr->n)];

        assert(addr->n <= sizeof c->addr.v6);
        if (c->secure == secure && lw_client_is_at(c, addr))
                return;
        unlink_addr(c);
        memcpy(&c->addr.sa, &addr->sa, addr->n);
        c->addr.n = addr->n;
        c->secure = secure;
        c->by_addr = *at;
        *at = c;
}

/* ---- one ---------------------------------------------------------------------------------------------- */

int lw_client_text(char **at, odm_str s)
{
        char *copy = malloc(s.n + 1);

        if (!copy)
                return ODM_ENOMEM;
        if (s.n)
                memcpy(copy, s.p, s.n);
        copy[s.n] = 0;
        free(*at);
        *at = copy;
        return 0;
}

int lw_client_word(client *c, const char **at, odm_str s)
{
        const char *word = words_take(c->a->words, s);

        if (!word)
                return ODM_ENOMEM;
        words_drop(c->a->words, *at);
        *at = word;
        return 0;
}

static void free_texts(client *c)
{
        words_drop(c->a->words, c->identity);
        words_drop(c->a->words, c->root);
        words_drop(c->a->words, c->links);
        free(c->ep);
}

static void on_expiry(void *ctx)
{
        client *c = ctx;

        if (!lw_client_here(c)) {
                lw_client_leave(c);
                return;
        }
        c->a->expiries++;
        log_info("registration expired", log_text("endpoint", c->ep));
        lw_client_gone(c, ADAPTER_EXPIRED);
}

static void on_jobs(void *ctx)
{
        lw_work_pump(ctx);
}

client *lw_client_new(lwm2m *a, odm_str ep)
{
        client **at = &a->by_name[hash(ep) % CHAINS];
        client *c = a->n < a->max ? calloc(1, sizeof *c) : NULL;

        if (!c)
                return NULL;
        c->a = a;
        c->expiry = (loop_timer){.fn = on_expiry, .ctx = c};
        c->jobs = (loop_timer){.fn = on_jobs, .ctx = c};
        if (lw_client_text(&c->ep, ep) < 0 || lw_client_word(c, &c->identity, ODM_STR("")) < 0 ||
            lw_client_word(c, &c->root, ODM_STR("")) < 0 ||
            lw_client_word(c, &c->links, ODM_STR("")) < 0) {
                free_texts(c);
                free(c);
                return NULL;
        }
        c->by_name = *at;
        *at = c;
        a->n++;
        return c;
}

void lw_client_free(client *c)
{
        loop_timer_stop(&c->expiry);
        loop_timer_stop(&c->jobs);
        loop_timer_stop(&c->greet);
        lw_errand_drop_all(c, ODM_ST_UNAVAILABLE);
        lw_watch_stop_all(c);
        lw_work_drop(c);
        while (c->behind)
                lw_behind_leave(c->behind);
        lw_behind_leave(c);
        odm_bridge_free(c->bridge);
        unlink_name(c);
        unlink_location(c);
        unlink_addr(c);
        c->a->n--;
        free_texts(c);
        free(c);
}

void lw_client_free_all(lwm2m *a)
{
        for (size_t i = 0; i < CHAINS; i++)
                while (a->by_name[i])
                        lw_client_free(a->by_name[i]);
}

static int make_bridge(client *c)
{
        const odm_bridge_opt opt = {
                .mem = &heap_mem,
                .trace = log_tracer(),
                .map = c->a->map,
                .reg = c->a->registry,
                .id = odm_cstr(c->ep),
                .back_ms = cfg_ms(c->a->conf, "lwm2m.restart"),
        };

        return c->bridge ? 0 : odm_bridge_new(&opt, &c->bridge);
}

int lw_client_offers(client *c, odm_str links, odm_str version)
{
        odm_arena mem;
        odm_lw_links l;
        int rc;

        odm_arena_init(&mem, &heap_mem, LINKS_MEMORY);
        rc = odm_lw_links_parse(links, ODM_ABSENT, &mem, &l);
        if (rc == 0)
                rc = make_bridge(c);
        if (rc == 0)
                rc = odm_bridge_offers(c->bridge, &l, version);
        if (rc == 0)
                rc = lw_client_word(c, &c->links, links);
        if (rc == 0)
                rc = lw_client_word(c, &c->root,
                                    odm_str_starts(l.root, "/") ? odm_str_from(l.root, 1) : l.root);
        if (rc == 0)
                c->cts = l.cts;
        if (rc == 0)
                snprintf(c->version, sizeof c->version, "%.*s", (int)version.n, version.p);
        odm_arena_done(&mem);
        return rc;
}

co_end *lw_client_end(const client *c)
{
        return lw_client_via(c)->secure ? c->a->secure : c->a->plain;
}

bool lw_client_here(const client *c)
{
        return lw_client_via(c)->location[0] != 0;
}

static bool listens(const client *c)
{
        return !c->queue || !odm_time_reached(loop_now(), c->awake);
}

bool lw_client_awake(const client *c)
{
        c = lw_client_via(c);
        return lw_client_here(c) && !c->joining && listens(c);
}

static void live_on(client *c)
{
        if (!c->front &&
            loop_timer_set(c->a->loop, &c->expiry,
                           odm_time_add(loop_now(), c->lifetime_s * 1000 + GRACE_MS)) < 0)
                log_error("no memory for a lifetime", log_text("endpoint", c->ep));
}

void lw_client_resume(client *c)
{
        live_on(c);
        odm_bridge_sleeps(c->bridge, c->lifetime_s, c->queue, !c->queue);
        if (c->queue)
                c->a->host.asleep(c->a->host.ctx, c->record, 0);
        else
                c->a->host.awake(c->a->host.ctx, c->record, 0);
}

void lw_client_present(client *c)
{
        const adapter_host *h = &c->a->host;
        bool awake = listens(lw_client_via(c));

        odm_bridge_sleeps(c->bridge, c->lifetime_s, c->queue, awake);
        if (c->record && awake)
                h->awake(h->ctx, c->record, c->queue ? c->a->awake_ms : 0);
        else if (c->record)
                h->asleep(h->ctx, c->record, 0);
}

/* It, and those behind it, who are reached when it is. */
static void all_present(client *c)
{
        lw_client_present(c);
        for (client *k = c->behind, *next; k; k = next) {
                next = k->beside;
                lw_client_present(k);
        }
}

void lw_client_heard(client *c)
{
        if (c->front)
                c = c->front;
        c->heard = loop_wall();
        live_on(c);
        c->awake = c->queue ? odm_time_add(loop_now(), c->a->awake_ms) : ODM_NEVER;
        all_present(c);
        lw_work_wake(c->a);
}

void lw_client_silent(client *c)
{
        if (c->front)
                c = c->front;
        if (!c->queue || !lw_client_awake(c))
                return;
        c->awake = loop_now();
        all_present(c);
}

unsigned lw_client_introduce(client *c)
{
        char text[NET_ADDR_TEXT], protocol[16];
        odm_arena mem;
        adapter_device d = {.id = odm_cstr(c->ep)};
        odm_str *mos = NULL;
        net_addr at = lw_client_addr(c);
        unsigned why = ODM_ST_FAILED;

        odm_arena_init(&mem, &heap_mem, 65536);
        net_addr_format(&at, text);
        snprintf(protocol, sizeof protocol, "LWM2M/%s", c->version);
        d.protocol = odm_cstr(protocol);
        if (c->front) {
                d.addr = odm_arena_fmt(&mem, "%s/%s", c->front->ep, c->root);
                d.addr_type = ODM_STR("LWM2M");
        } else {
                d.addr = odm_cstr(text);
                d.addr_type = strchr(text, '[') ? ODM_STR("IPv6") : ODM_STR("IPv4");
        }
        d.awake_s = c->queue ? c->a->awake_ms / 1000 : -1;
        d.wake_interval_s = c->queue ? 0 : -1;
        if (odm_bridge_mos(c->bridge, &mem, &mos, &d.n_mos) == 0)
                d.mos = mos;
        c->record = c->a->host.seen(c->a->host.ctx, &lwm2m_class, &d, c, &why);
        odm_arena_done(&mem);
        return c->record ? 0 : why;
}

/* Those behind it are out of reach without it. */
static void lose_behind(client *c)
{
        while (c->behind)
                lw_client_gone(c->behind, ADAPTER_LINK_LOST);
}

void lw_client_leave(client *c)
{
        lose_behind(c);
        if (lw_client_unsave(c) < 0)
                log_error("a registration that is over stays on disk", log_text("endpoint", c->ep));
        lw_client_free(c);
}

/* Its registration is over, but not what was ordered: many restart for their update so.  Its jobs
 * wait for the device, each up to its deadline. */
static void retire(client *c)
{
        loop_timer_stop(&c->expiry);
        loop_timer_stop(&c->greet);
        lw_errand_drop_all(c, ODM_ST_UNAVAILABLE);
        lw_watch_stop_all(c);
        unlink_location(c);
        unlink_addr(c);
        lw_behind_leave(c);
        c->greeting = GREET_DUE;
        if (lw_client_save(c, NULL, NULL) < 0)
                log_error("what is under way is not kept", log_text("endpoint", c->ep));
}

void lw_client_gone(client *c, adapter_gone why)
{
        bool at_work = odm_bridge_job(c->bridge, 0) != NULL;
        gw_device *left = c->record;
        lwm2m *a = c->a;

        lose_behind(c);
        c->record = NULL; /* nothing more is asked of it, and what is asked is cancelled */
        if (at_work)
                retire(c);
        if (left)
                a->host.gone(a->host.ctx, left, why);
        if (!at_work)
                lw_client_leave(c);
}

void lw_client_settled(client *c)
{
        if (!lw_client_here(c) && !odm_bridge_job(c->bridge, 0) &&
            loop_timer_set(c->a->loop, &c->expiry, loop_now()) < 0)
                log_error("no memory for a timer");
}

gw_device *lw_client_record(const client *c)
{
        const adapter_host *h = &c->a->host;

        return c->record ? c->record : h->known ? h->known(h->ctx, odm_cstr(c->ep)) : NULL;
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

struct saved {
        saved *next;
        lwm2m *a;
        void (*done)(void *ctx, int rc);
        void *ctx;
        int rc;
};

/* On the store's thread. */
static void on_durable(void *ctx, store_batch *b, int rc)
{
        saved *s = ctx;
        lwm2m *a = s->a;
        const uint64_t one = 1;

        (void)b;
        s->rc = rc;
        pthread_mutex_lock(&a->lock);
        *a->done_tail = s;
        a->done_tail = &s->next;
        pthread_mutex_unlock(&a->lock);
        if (write(a->stored.fd, &one, sizeof one) < 0)
                log_error("eventfd", log_int("errno", errno));
}

static saved *take_saved(lwm2m *a)
{
        saved *s;

        pthread_mutex_lock(&a->lock);
        s = a->done;
        a->done = NULL;
        a->done_tail = &a->done;
        pthread_mutex_unlock(&a->lock);
        return s;
}

static void on_stored(void *ctx, unsigned events)
{
        lwm2m *a = ctx;
        uint64_t n;
        saved *s;

        (void)events;
        if (read(a->stored.fd, &n, sizeof n) < 0 && errno != EAGAIN)
                log_error("eventfd", log_int("errno", errno));
        s = take_saved(a);
        while (s) {
                saved *next = s->next;

                if (s->done)
                        s->done(s->ctx, s->rc);
                else if (s->rc < 0)
                        log_error("a registration is not kept", log_err(s->rc));
                free(s);
                s = next;
        }
}

int lw_saver_open(lwm2m *a)
{
        pthread_mutex_init(&a->lock, NULL);
        a->done_tail = &a->done;
        a->stored = (loop_io){.fn = on_stored, .ctx = a};
        a->stored.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        return a->stored.fd < 0 ? ODM_EIO : loop_io_add(a->loop, &a->stored, LOOP_READ);
}

void lw_saver_close(lwm2m *a)
{
        store_batch *all = store_batch_new(); /* durable when those before it are */
        saved *s;

        if (!all || store_write_sync(a->store, all) < 0)
                log_warn("registrations may not all be kept");
        store_batch_free(all);
        loop_io_del(&a->stored);
        s = take_saved(a);
        while (s) {
                saved *next = s->next;

                free(s->ctx);
                free(s);
                s = next;
        }
        if (a->stored.fd >= 0)
                close(a->stored.fd);
        pthread_mutex_destroy(&a->lock);
}

/* A row as it is now, in the batch's memory. */
static int fill_row(client *c, odm_arena *mem, lw_client_row *r)
{
        char addr[NET_ADDR_TEXT];
        net_addr at = lw_client_addr(c);
        odm_buf kept;
        int rc;

        net_addr_format(&at, addr);
        odm_buf_init(&kept, &heap_mem, KEPT_MAX);
        rc = odm_bridge_save(c->bridge, &kept);
        *r = (lw_client_row){.ep = odm_arena_copy(mem, odm_cstr(c->ep)),
                             .location = odm_arena_copy(mem, odm_cstr(c->location)),
                             .addr = odm_arena_copy(mem, odm_cstr(addr)),
                             .identity = odm_arena_copy(mem, odm_cstr(c->identity)),
                             .links = odm_arena_copy(mem, odm_cstr(c->links)),
                             .version = odm_arena_copy(mem, odm_cstr(c->version)),
                             .binding = odm_arena_copy(mem, odm_cstr(c->binding)),
                             .kept = odm_arena_copy(mem, odm_buf_view(&kept)),
                             .front = odm_arena_copy(mem, odm_cstr(c->front ? c->front->ep : "")),
                             .secure = c->secure,
                             .queue = c->queue,
                             .lifetime_s = c->lifetime_s,
                             .since = c->since.s};
        odm_buf_done(&kept);
        return rc < 0 ? rc : mem->err;
}

static int put_row(client *c, store_op_kind kind, store_batch *b)
{
        store_op *op = store_batch_add(b, kind);
        lw_client_row *r = odm_arena_zget(store_batch_arena(b), sizeof *r);
        int rc = op && r ? 0 : ODM_ENOMEM;

        if (rc == 0 && kind == STORE_ROW_PUT)
                rc = fill_row(c, store_batch_arena(b), r);
        else if (rc == 0)
                r->ep = odm_arena_copy(store_batch_arena(b), odm_cstr(c->ep));
        if (rc == 0) {
                op->lenient = kind == STORE_ROW_DELETE;
                op->row = (store_row_op){.table = &lwm2m_table_client, .row = r};
        }
        return rc;
}

static int write_row(client *c, store_op_kind kind, void (*done)(void *ctx, int rc), void *ctx)
{
        store_batch *b = store_batch_new();
        saved *s = calloc(1, sizeof *s);
        int rc = b && s ? put_row(c, kind, b) : ODM_ENOMEM;

        if (rc == 0) {
                *s = (saved){.a = c->a, .done = done, .ctx = ctx};
                rc = store_write(c->a->store, b, on_durable, s);
        }
        if (rc < 0) {
                store_batch_free(b);
                free(s);
        }
        return rc;
}

int lw_client_save(client *c, void (*done)(void *ctx, int rc), void *ctx)
{
        return write_row(c, STORE_ROW_PUT, done, ctx);
}

int lw_client_unsave(client *c)
{
        return write_row(c, STORE_ROW_DELETE, NULL, NULL);
}

void lw_client_keep(client *c)
{
        if (odm_bridge_dirty(c->bridge) && lw_client_save(c, NULL, NULL) < 0)
                log_error("what is under way is not kept", log_text("endpoint", c->ep));
}

/* ---- a life before ---------------------------------------------------------------------------------------- */

static int load(lwm2m *a, const lw_client_row *r)
{
        net_addr addr;
        client *c, *front;
        char text[NET_ADDR_TEXT];
        int rc = 0;

        snprintf(text, sizeof text, "%.*s", (int)r->addr.n, r->addr.p);
        if (r->ep.n == 0 || r->location.n >= LOCATION_MAX ||
            (r->location.n > 0 &&
             (net_hostport_parse(text, &addr) < 0 || (r->secure ? !a->secure : !a->plain))))
                return 0; /* a listener that is no more: its devices come back or expire */
        c = lw_client_new(a, r->ep);
        if (!c)
                return ODM_ENOMEM;
        if (r->location.n > 0) { /* else only its jobs are left */
                memcpy(c->location, r->location.p, r->location.n);
                c->location[r->location.n] = 0;
                link_location(c);
                lw_client_move(c, &addr, r->secure);
        }
        snprintf(c->binding, sizeof c->binding, "%.*s", (int)r->binding.n,
                 r->binding.p ? r->binding.p : "");
        front = r->front.n ? lw_client_by_name(a, r->front) : NULL;
        c->queue = r->queue;
        c->lifetime_s = r->lifetime_s;
        c->since.s = r->since;
        rc = lw_client_word(c, &c->identity, r->identity);
        if (rc == 0)
                rc = lw_client_offers(c, r->links, r->version);
        if (rc == 0 && r->kept.n)
                rc = odm_bridge_load(c->bridge, r->kept, loop_now());
        if (rc == 0 && front && lw_client_here(front))
                lw_behind_join(c, front);
        if (rc < 0) {
                log_warn("a registration cannot be read", log_str("endpoint", r->ep), log_err(rc));
                lw_client_free(c);
        }
        return rc == ODM_ENOMEM ? rc : 0;
}

/* Those that are behind others, or the others. */
static int load_some(lwm2m *a, bool behind, diag *d)
{
        lw_client_row last = {.ep = ODM_ABSENT};
        store_scan scan = {.table = &lwm2m_table_client, .limit = 200};
        odm_arena mem;
        store_rows rows = {.more = true};
        int rc = 0;

        odm_arena_init(&mem, &heap_mem, (size_t)64 << 20);
        while (rc == 0 && rows.more) {
                odm_arena page;

                odm_arena_init(&page, &heap_mem, (size_t)64 << 20);
                rc = store_row_find(a->store, &scan, &page, &rows);
                for (size_t i = 0; rc == 0 && i < rows.n; i++)
                        if ((((lw_client_row *)rows.v)[i].front.n > 0) == behind)
                                rc = load(a, (lw_client_row *)rows.v + i);
                if (rc == 0 && rows.n) {
                        odm_arena_reset(&mem);
                        last.ep = odm_arena_copy(&mem, ((lw_client_row *)rows.v + rows.n - 1)->ep);
                        rc = last.ep.p ? 0 : ODM_ENOMEM;
                        scan.after = &last;
                }
                odm_arena_done(&page);
        }
        odm_arena_done(&mem);
        if (rc < 0)
                diag_set(d, rc, "registrations: %s", odm_err_text(rc));
        return rc;
}

/* The ceiling is for who is new: it may have been higher. */
int lw_client_load_all(lwm2m *a, diag *d)
{
        const size_t max = a->max;
        int rc;

        a->max = SIZE_MAX;
        rc = load_some(a, false, d);
        if (rc == 0)
                rc = load_some(a, true, d);
        a->max = max;
        return rc;
}
