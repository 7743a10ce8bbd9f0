/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - records of devices: in memory all of them, in the store what must outlive a restart.
 *
 * What happens to a device is judged by odm/inventory.h; what comes of it goes to hooks at once, to
 * the server by alerts, and to the store, alerts and changed records in one batch a moment later: a
 * thousand devices that come together are a few batches. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_inner.h"
#include "fanout.h"
#include "heap.h"
#include "log.h"
#include "rand.h"
#include "recover.h"

#define FLUSH_MS 20
#define AGAIN_MS 2000   /* after a batch that could not be written */
#define ABSENT_MS 60000 /* after the start: whom no adapter knows is not there */
#define SEEN_S 300      /* LastSeen alone is written so often */
#define BATCH_OPS 2000  /* of one write */
#define ID_MAX 255      /* octets of a DeviceID */
#define TEXT_MAX 255    /* of another text */
#define LIST_MAX 2000   /* of mos and dms */
#define DOC_MAX 4096
#define ALERT_BURST 60  /* alerts of one device at once, and then */
#define GRAVE_BURST 300 /* fatal ones and final ones have more */
#define ALERT_EVERY_MS 1000
#define TALKS_EVERY_MS 60000 /* that a device talks too much is logged */
#define WORDS_MAX 1024       /* octets of an alert but for its data, which alone can be split */
#define HASH_MIN 1024

static rec *rec_of(gw_device *d)
{
        return (rec *)(void *)d;
}

/* ---- writing ------------------------------------------------------------------------------------- */

static void flush_soon(devices *v, int64_t ms)
{
        if (!v->flush.in && loop_timer_set(v->g->loop, &v->flush, odm_time_add(loop_now(), ms)) < 0)
                log_error("no memory for a timer");
}

void device_mark(rec *r)
{
        devices *v = r->v;

        if (!r->dirty) {
                r->dirty = true;
                r->next_dirty = v->dirty;
                v->dirty = r;
        }
        flush_soon(v, FLUSH_MS);
}

static int flush_once(devices *v);

struct held { /* a full batch, while the store refuses them */
        struct held *next;
        store_batch *b;
};

static void hold(devices *v)
{
        struct held *h = calloc(1, sizeof *h);

        if (!h)
                return; /* it gets fuller */
        h->b = v->b;
        *v->last_held = h;
        v->last_held = &h->next;
        v->b = NULL;
}

static store_batch *let_go(devices *v)
{
        struct held *h = v->held;
        store_batch *b = h->b;

        v->held = h->next;
        if (!v->held)
                v->last_held = &v->held;
        free(h);
        return b;
}

/* The batch that waits, made when there is none; NULL: no memory.  One that has much goes before,
 * or is held. */
store_batch *device_batch(devices *v)
{
        if (v->b && v->b->n >= BATCH_OPS / 2 && v->failing)
                hold(v);
        else if (v->b && v->b->n >= BATCH_OPS / 2)
                (void)flush_once(v); /* else it gets fuller */
        if (!v->b)
                v->b = store_batch_new();
        if (!v->b)
                log_error("no memory for a batch");
        flush_soon(v, FLUSH_MS);
        return v->b;
}

/* What was to be written is written again, alerts too, and records that went; rows as they are
 * then. */
static void on_written(void *ctx, store_batch *b, int rc)
{
        devices *v = ctx;

        v->failing = rc < 0;
        if (rc == 0)
                return;
        log_error("records of devices cannot be kept", log_text("reason", odm_err_text(rc)));
        v->next_changed = true;
        for (size_t i = 0; i < v->n; i++)
                device_mark(v->all[i]);
        loop_timer_stop(&v->flush);
        if (device_batch(v) && device_again(v->b, b) < 0)
                log_error("records that went stay until the next start: no memory");
        if (v->b && north_again(v->g->north, v->b, b) < 0)
                log_error("alerts are lost: no memory");
        loop_timer_stop(&v->flush);
        flush_soon(v, AGAIN_MS);
}

/* Moves what is dirty into the batch, up to its ceiling. */
static int gather(devices *v, store_batch *b)
{
        int rc = device_put_next(v, b);

        while (rc == 0 && v->dirty && b->n < BATCH_OPS) {
                rec *r = v->dirty;
                rc = device_put_row(r, b);
                if (rc == 0) {
                        v->dirty = r->next_dirty;
                        r->next_dirty = NULL;
                        r->dirty = false;
                }
        }
        return rc;
}

static int send_held(devices *v)
{
        int rc = 0;

        while (rc == 0 && v->held) {
                rc = gw_write_then(v->g, v->held->b, on_written, v);
                if (rc == 0)
                        (void)let_go(v);
        }
        return rc;
}

static int flush_once(devices *v)
{
        int rc = send_held(v);
        store_batch *b = v->b ? v->b : device_batch(v);

        if (rc == 0)
                rc = b ? gather(v, b) : ODM_ENOMEM;

        loop_timer_stop(&v->flush);
        if (rc == 0)
                rc = gw_write_then(v->g, b, on_written, v);
        if (rc == 0)
                v->b = NULL;
        else
                log_warn("records of devices wait", log_text("reason", odm_err_text(rc)));
        return rc;
}

static void on_flush(void *ctx)
{
        devices *v = ctx;
        int rc = 0;

        while (rc == 0 && (v->dirty || v->b || v->held))
                rc = flush_once(v);
        if (rc < 0)
                flush_soon(v, AGAIN_MS);
}

/* ---- alerts --------------------------------------------------------------------------------------- */

static bool is_up(const gw_device *d)
{
        return d->state == GW_ACTIVE || d->state == GW_ASLEEP;
}

static int add_event(devices *v, rec *r, const char *type, odm_str data, odm_format format)
{
        store_batch *b = device_batch(v);
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .type = odm_cstr(type),
                       .format = format,
                       .mark = ODM_STR("informational"),
                       .data = data};
        char source[64];

        snprintf(source, sizeof source, "./GwMO/Inventory/Records/%s", r->d.key);
        a.source = odm_cstr(source);
        return b ? north_event(v->g->north, b, r->d.number, &a, loop_wall()) : ODM_ENOMEM;
}

/* The latest state is the one that matters. */
static void tell_state(devices *v, rec *r)
{
        char digit[2] = {(char)('0' + r->d.state), 0};
        store_batch *b = device_batch(v);
        int rc = ODM_ENOMEM;

        if (b) {
                (void)north_cancel(v->g->north, b, r->d.number, ODM_STR(ODM_INV_STATE_ALERT));
                rc = add_event(v, r, ODM_INV_STATE_ALERT, odm_cstr(digit), ODM_FMT_INT);
        }
        if (rc == 0) {
                r->told_asleep = r->d.state == GW_ASLEEP;
                r->told_away = !is_up(&r->d);
        }
        if (rc < 0)
                log_error("an alert is lost", log_text("type", ODM_INV_STATE_ALERT),
                          log_text("reason", odm_err_text(rc)));
}

/* What came and went took each other back: a state that was told in between, or before, is not what
 * it is now. */
static void right_state(devices *v, rec *r)
{
        if (is_up(&r->d) ? r->told_away
                         : north_holds(v->g->north, r->d.number, ODM_STR(ODM_INV_STATE_ALERT)))
                tell_state(v, r);
}

/* An attach or detach; one that takes back what waits is no event, but counted. */
static void tell_presence(devices *v, rec *r, bool attach, unsigned reason)
{
        const char *type = attach ? ODM_INV_ATTACHED_ALERT : ODM_INV_DETACHED_ALERT;
        const char *other = attach ? ODM_INV_DETACHED_ALERT : ODM_INV_ATTACHED_ALERT;
        const odm_inv_attach doc = {.id = r->d.id,
                                    .protocol = r->d.protocol,
                                    .mode = (odm_inv_mode)r->d.mode,
                                    .is_gateway = r->d.is_gateway,
                                    .at = loop_wall()};
        store_batch *batch;
        odm_buf b;
        int rc;

        if (!gw_config_bool(v->g, attach ? "Alerts/Attach" : "Alerts/Detach", true))
                return;
        batch = device_batch(v);
        if (batch && north_cancel(v->g->north, batch, r->d.number, odm_cstr(other))) {
                r->d.flaps++;
                right_state(v, r);
                return;
        }
        odm_buf_init(&b, &heap_mem, DOC_MAX);
        rc = attach ? odm_inv_attach_doc(&doc, &b)
                    : odm_inv_detach_doc(r->d.id, reason, loop_wall(), &b);
        if (rc == 0)
                rc = add_event(v, r, type, odm_buf_view(&b), ODM_FMT_XML);
        odm_buf_done(&b);
        if (rc == 0 && attach)
                r->told_asleep = r->told_away = false;
        if (rc < 0)
                log_error("an alert is lost", log_text("type", type),
                          log_text("reason", odm_err_text(rc)));
}

/* ---- states ---------------------------------------------------------------------------------------- */

static odm_inv_terms terms_of(const devices *v)
{
        return (odm_inv_terms){.grace = gw_config_int(v->g, "Alerts/DetachGrace", 0) * 1000,
                               .kept = cfg_ms(v->g->conf, "gateway.records_kept")};
}

static void inv_of(const rec *r, odm_inv *out)
{
        const gw_device *d = &r->d;

        *out = (odm_inv){.state = (odm_inv_state)d->state,
                         .known = d->attached.s > 0,
                         .seen = r->heard,
                         .awake_until = d->awake_until.ms,
                         .next_wake = r->wake_due,
                         .lifetime = d->lifetime_s * 1000,
                         .wake_interval = d->wake_interval_s > 0 ? d->wake_interval_s * 1000 : -1,
                         .awake = d->awake_s > 0 ? d->awake_s * 1000 : 0};
}

static void take_inv(rec *r, const odm_inv *i)
{
        odm_wall wall = loop_wall();
        int64_t now = loop_now().ms;
        gw_device *d = &r->d;

        r->v->by_state[d->state]--;
        d->state = (gw_state)i->state; /* the only place where a record's state changes */
        r->v->by_state[d->state]++;
        d->awake_until = (odm_time){i->awake_until};
        if (i->seen != r->heard)
                d->seen = wall;
        r->heard = i->seen;
        r->wake_due = i->next_wake;
        d->next_wake = (odm_wall){i->next_wake > 0 && i->next_wake != ODM_INV_NEVER
                                          ? wall.s + (i->next_wake - now) / 1000
                                          : 0};
}

static void set_timer(rec *r)
{
        odm_inv_terms t = terms_of(r->v);
        odm_inv i;

        inv_of(r, &i);
        if (loop_timer_set(r->v->g->loop, &r->timer, (odm_time){odm_inv_due(&i, &t)}) < 0)
                log_error("no memory for a timer");
}

/* Two gaps between wake-ups that are alike make a pattern, when nobody knows better. */
static void learn(rec *r)
{
        int64_t now = loop_now().ms, gap = r->woke ? now - r->woke : 0;

        if (r->d.wake_interval_s != 0 && !r->gap)
                return;
        if (r->gap > 0 && gap > 0 && gap <= r->gap + r->gap / 5 && gap >= r->gap - r->gap / 5)
                r->d.wake_interval_s = (gap + r->gap) / 2000;
        if (gap > 0)
                r->gap = gap;
        r->woke = now;
}

static void remove_record(devices *v, rec *r);

/* What came of an event, told to all; `why` is of a detach.  The record may be gone after it. */
static void follow(rec *r, unsigned news, gw_state from, adapter_gone why)
{
        devices *v = r->v;
        gateway *g = v->g;
        gw_device *d = &r->d;

        if (news & ODM_INV_ATTACHED)
                d->attached = loop_wall();
        if (news & (ODM_INV_MOVED | ODM_INV_ATTACHED) || d->seen.s - r->written_seen > SEEN_S)
                device_mark(r);
        if (news & ODM_INV_MOVED)
                log_info("device", log_text("key", d->key), log_str("id", d->id),
                         log_int("state", d->state), log_int("before", from));
        if (news & ODM_INV_WENT || d->state == GW_DEACTIVATED)
                runner_forget(g->runner, d);
        if (news & ODM_INV_ATTACHED)
                tell_presence(v, r, true, 0);
        if (news & ODM_INV_WENT)
                tell_presence(v, r, false, (unsigned)why);
        if (news & ODM_INV_TELL)
                tell_state(v, r);
        device_many_heard(r, (news & (ODM_INV_WOKE | ODM_INV_ATTACHED)) != 0);
        set_timer(r);
        if (news & ODM_INV_MOVED)
                GW_TELL(g, moved, d, from);
        if (news & ODM_INV_ATTACHED)
                GW_TELL(g, attached, d, (news & ODM_INV_BACK) != 0);
        if (news & ODM_INV_WOKE)
                GW_TELL(g, awake, d);
        if (news & ODM_INV_SLEPT)
                GW_TELL(g, asleep, d);
        if (news & ODM_INV_WENT)
                GW_TELL(g, gone, d, why);
        if (news & ODM_INV_OVER)
                remove_record(v, r);
}

static unsigned hear(rec *r, odm_inv_event e, int64_t ms, adapter_gone why)
{
        odm_inv_terms t = terms_of(r->v);
        gw_state from = r->d.state;
        odm_inv i;
        unsigned news;

        inv_of(r, &i);
        news = odm_inv_hear(&i, e, ms, &t, loop_now().ms);
        take_inv(r, &i);
        if (from == GW_ASLEEP && news & ODM_INV_WOKE)
                learn(r);
        follow(r, news, from, why);
        return news;
}

void device_on_time(void *ctx)
{
        (void)hear(ctx, ODM_INV_TIME, 0, ADAPTER_EXPIRED);
}

/* Those that were here before the restart, of which nobody has said anything. */
static void on_absent(void *ctx)
{
        devices *v = ctx;

        for (size_t i = v->n; i-- > 0;) {
                rec *r = v->all[i];
                if (!r->d.adapter && r->d.lifetime_s == 0 &&
                    (r->d.state == GW_ACTIVE || r->d.state == GW_ASLEEP))
                        (void)hear(r, ODM_INV_LOST, 0, ADAPTER_LINK_LOST);
        }
}

/* ---- what adapters say ---------------------------------------------------------------------------- */

static odm_str cut(odm_str s, size_t max)
{
        return odm_str_to(s, odm_utf8_cut(s, max));
}

/* `mine` where the adapter knows nothing. */
static odm_str pick(odm_str theirs, odm_str mine)
{
        return theirs.p ? cut(theirs, TEXT_MAX) : mine;
}

static odm_str join_mos(const adapter_device *d, odm_buf *b)
{
        for (size_t i = 0; i < d->n_mos; i++)
                if (b->n + d->mos[i].n + 1 > LIST_MAX || odm_str_has(d->mos[i], ' ') ||
                    (b->n && odm_buf_byte(b, ' ') < 0) || odm_buf_str(b, d->mos[i]) < 0)
                        break;
        return odm_buf_view(b);
}

/* The texts that the record has after `d` was told; `mine` NULL for a new one. */
static void merge(odm_str t[DEVICE_TEXTS], gw_device *mine, const adapter_device *d, odm_str mos)
{
        gw_device none = {.number = 0}, *m = mine ? mine : &none;
        const odm_str v[DEVICE_TEXTS] = {
                d->id,
                m->name,
                pick(d->addr, m->addr),
                m->reason,
                pick(d->protocol, m->protocol),
                pick(d->addr_type, m->addr_type),
                pick(d->man, m->man),
                pick(d->mod, m->mod),
                pick(d->dev_type, m->dev_type),
                pick(d->fwv, m->fwv),
                pick(d->swv, m->swv),
                pick(d->hwv, m->hwv),
                d->n_mos ? mos : m->mos,
                d->dms.p ? cut(d->dms, LIST_MAX) : m->dms,
        };

        memcpy(t, v, sizeof v);
}

static bool same_texts(gw_device *d, const odm_str t[DEVICE_TEXTS])
{
        for (size_t i = 0; i < DEVICE_TEXTS; i++)
                if (!odm_str_eq(*device_text(d, i), t[i]))
                        return false;
        return true;
}

/* Who made it, and what it runs: what the server finds a device by.  Its addresses are not. */
static bool same_description(const gw_device *d, const odm_str t[DEVICE_TEXTS])
{
        gw_device said = {0};

        for (size_t i = 0; i < DEVICE_TEXTS; i++)
                *device_text(&said, i) = t[i];
        return odm_str_eq(d->name, said.name) && odm_str_eq(d->man, said.man) &&
               odm_str_eq(d->mod, said.mod) && odm_str_eq(d->dev_type, said.dev_type) &&
               odm_str_eq(d->fwv, said.fwv) && odm_str_eq(d->swv, said.swv) &&
               odm_str_eq(d->hwv, said.hwv);
}

/* Its mode is not to change now (gwmo.md 3). */
static bool is_at_work(const gateway *g, const gw_device *d)
{
        return d->pending > 0 || gw_busy(g, d) || fanout_at_work(g, d);
}

/* One that was told of is told of again: whose it is has changed. */
static void tell_mode(rec *r, gw_mode was)
{
        gw_state s = r->d.state;

        if (was && was != r->d.mode && (s == GW_ACTIVE || s == GW_ASLEEP || s == GW_UNREACHABLE))
                tell_presence(r->v, r, true, 0);
}

static void judge_mode(rec *r)
{
        gw_device *d = &r->d;
        int mode;

        if (d->mode_set)
                return;
        mode = gw_config_mode(r->v->g, d);
        if (!mode)
                mode = (int)odm_inv_by_capability(d->protocol, d->dms);
        if (mode != (int)d->mode && !(d->mode && is_at_work(r->v->g, d))) {
                gw_mode was = d->mode;
                d->mode = (gw_mode)mode;
                device_mark(r);
                tell_mode(r, was);
                GW_TELL(r->v->g, moved, d, d->state);
        }
}

void devices_judge(devices *v)
{
        for (size_t i = 0; i < v->n; i++)
                if (v->all[i]->d.state != GW_PROVISIONED)
                        judge_mode(v->all[i]);
}

/* A new record in no state but the first. */
static rec *make(devices *v, char prefix, const odm_str t[DEVICE_TEXTS])
{
        int64_t number;
        rec *r;

        if (marks_next(v->g->marks, MARKS_DEVICE, &number) < 0 || number >= UINT32_MAX)
                return NULL;
        r = device_rec_new(v, (uint32_t)number, prefix, t);
        if (r && device_put_in(v, r) < 0) {
                device_rec_free(r);
                r = NULL;
        }
        if (r) {
                v->next = (uint32_t)number + 1;
                v->next_changed = true;
        }
        return r;
}

static rec *find_or_make(devices *v, const adapter_device *d, const odm_str t[DEVICE_TEXTS],
                         unsigned *why)
{
        rec *r = device_find(v, d->id);

        if (r)
                return r;
        *why = cfg_bool(v->g->conf, "gateway.provisioned_only")         ? ODM_ST_FORBIDDEN
               : v->n >= (size_t)cfg_int(v->g->conf, "gateway.devices") ? ODM_ST_FULL
                                                                        : 0;
        if (*why)
                return NULL;
        r = make(v, d->is_gateway ? 'g' : 'd', t);
        if (!r)
                *why = ODM_ST_FAILED;
        return r;
}

static void take_numbers(rec *r, const adapter_device *d)
{
        gw_device *m = &r->d;

        m->is_gateway = d->is_gateway;
        m->lifetime_s = d->lifetime_s;
        if (d->wake_interval_s && !m->wake_set_s)
                m->wake_interval_s = d->wake_interval_s;
        if (d->awake_s)
                m->awake_s = d->awake_s;
}

static void take_adapter(rec *r, const adapter_class *k, void *native)
{
        gateway *g = r->v->g;
        gw_device *d = &r->d;

        if (d->adapter && d->adapter != k && d->adapter->forget)
                d->adapter->forget(d->adapter_self, d, d->native);
        d->adapter = k;
        d->native = native;
        for (size_t i = 0; i < g->n_adapters; i++)
                if (g->adapters[i].k == k)
                        d->adapter_self = g->adapters[i].self;
}

/* Whether another adapter has it, and it is there: then nobody else is it. */
static bool is_of_another(const rec *r, const adapter_class *k)
{
        const gw_device *d = &r->d;

        return d->adapter && d->adapter != k && (d->state == GW_ACTIVE || d->state == GW_ASLEEP);
}

gw_device *devices_seen(void *ctx, const adapter_class *k, const adapter_device *d, void *native,
                        unsigned *why)
{
        gateway *g = ctx;
        devices *v = g->devices;
        odm_str t[DEVICE_TEXTS];
        odm_buf mos;
        rec *r = NULL;

        *why = d->id.n == 0 || d->id.n > ID_MAX ? ODM_ST_BAD_REQUEST : 0;
        odm_buf_init(&mos, &heap_mem, LIST_MAX + 64);
        if (!*why) {
                rec *old = device_find(v, d->id);
                merge(t, old ? &old->d : NULL, d, join_mos(d, &mos));
                if (old && is_of_another(old, k))
                        *why = ODM_ST_FORBIDDEN;
                else
                        r = find_or_make(v, d, t, why);
        }
        if (r && r->d.state == GW_DEACTIVATED && !gw_is_quarantined(&r->d)) {
                *why = ODM_ST_FORBIDDEN;
                r->d.adapter = NULL; /* which has been told, and keeps nothing for it */
                r->d.native = r->d.adapter_self = NULL;
                r = NULL;
        }
        if (r && !same_texts(&r->d, t)) {
                bool news = r->d.attached.s > 0 && !same_description(&r->d, t) &&
                            !north_holds(g->north, r->d.number, ODM_STR(ODM_INV_ATTACHED_ALERT));
                if (device_set_texts(r, t) < 0)
                        log_error("no memory for what a device says of itself");
                device_mark(r);
                if (news)
                        device_many_renewed(r);
        }
        odm_buf_done(&mos);
        if (!r) {
                log_warn("device refused", log_str("id", cut(d->id, ID_MAX)),
                         log_int("status", *why));
                return NULL;
        }
        take_numbers(r, d);
        take_adapter(r, k, native);
        if (!r->here || odm_time_reached(loop_now(), r->up))
                r->up = ODM_NEVER;
        r->here = true;
        if (gw_is_quarantined(&r->d)) { /* served for its healing, and for nothing else */
                recover_seen(g, &r->d);
                return &r->d;
        }
        judge_mode(r);
        (void)hear(r, ODM_INV_SEEN, 0, ADAPTER_LINK_LOST);
        return &r->d;
}

void devices_awake(void *ctx, gw_device *d, int64_t ms)
{
        rec_of(d)->here = true;
        rec_of(d)->up = ms > 0 ? odm_time_add(loop_now(), ms) : ODM_NEVER;
        if (gw_is_quarantined(d)) {
                recover_seen(ctx, d);
                return;
        }
        (void)hear(rec_of(d), ODM_INV_AWAKE, ms, ADAPTER_LINK_LOST);
}

void devices_asleep(void *ctx, gw_device *d, int64_t ms)
{
        (void)ctx;
        rec_of(d)->up = loop_now();
        (void)hear(rec_of(d), ODM_INV_SLEEPS, ms, ADAPTER_LINK_LOST);
}

void devices_gone(void *ctx, gw_device *d, adapter_gone why)
{
        (void)ctx;
        rec_of(d)->here = false;
        (void)hear(rec_of(d), ODM_INV_GONE, 0, why);
}

/* Switched off by an operator: what it says is nobody's business. */
static bool is_off(const gw_device *d)
{
        return d->state == GW_DEACTIVATED && !gw_is_quarantined(d);
}

gw_device *devices_known(void *ctx, odm_str id)
{
        return gw_by_id(ctx, id);
}

void devices_changed(void *ctx, gw_device *d, const adapter_node *v, size_t n)
{
        gateway *g = ctx;

        if (!is_off(d))
                GW_TELL(g, changed, d, v, n);
}

/* A bucket that loses an alert each second. */
static bool talks_too_much(rec *r, bool matters)
{
        int64_t now = loop_now().ms, burst = matters ? GRAVE_BURST : ALERT_BURST;

        if (r->alerts_at < now)
                r->alerts_at = now;
        if (r->alerts_at - now > (burst - 1) * ALERT_EVERY_MS)
                return true;
        r->alerts_at += ALERT_EVERY_MS;
        return false;
}

/* What it tells is dropped: were it to be offered again, what all others tell would wait behind it.
 */
static void drop_alert(rec *r, const char *why)
{
        int64_t now = loop_now().ms;

        r->dropped++;
        if (now < r->talks_told)
                return;
        log_warn(why, log_text("key", r->d.key), log_int("dropped", r->dropped));
        r->talks_told = now + TALKS_EVERY_MS;
        r->dropped = 0;
}

/* No message to the server might hold it, and no session would get beyond it. */
static bool has_long_words(const odm_alert *a)
{
        return a->source.n + a->source_name.n + a->target.n + a->type.n + a->mark.n +
                       a->correlator.n >
               WORDS_MAX;
}

/* "./FUMO/main" of a device, below its mount. */
static odm_str mounted(odm_arena *a, const gw_device *d, odm_str uri)
{
        odm_str rel = odm_str_starts(uri, "./") ? odm_str_from(uri, 2) : uri;

        if (!uri.p)
                return ODM_ABSENT;
        if (rel.n == 0 || odm_str_is(rel, "."))
                return odm_arena_fmt(a, "./GwDev/%s", d->key);
        return odm_arena_fmt(a, "./GwDev/%s/%.*s", d->key, (int)rel.n, rel.p);
}

/* What a device says is not kept before the device is: a key that nobody has would tell it. */
static int keep_first(rec *r)
{
        int rc = 0;

        while (rc == 0 && r->dirty && r->written_seen == 0)
                rc = flush_once(r->v);
        return rc;
}

static int relay(gateway *g, gw_device *d, north_class k, const odm_alert *a, odm_wall at)
{
        odm_alert up = *a;
        odm_arena arena;
        int rc;

        if (is_off(d))
                return 0;
        odm_arena_init(&arena, &heap_mem, 65536);
        up.source = mounted(&arena, d, a->source.p ? a->source : ODM_STR("."));
        up.target = mounted(&arena, d, a->target);
        rc = arena.err ? odm_arena_err(&arena) : keep_first(rec_of(d));
        if (rc == 0)
                rc = north_relay(g->north, d->number, k, &up, at);
        odm_arena_done(&arena);
        return rc;
}

/* The device tells which servers it has: that may change its mode. */
static int take_dms(rec *r, odm_str dms)
{
        odm_str t[DEVICE_TEXTS];
        int rc;

        for (size_t i = 0; i < DEVICE_TEXTS; i++)
                t[i] = device_texts[i] == offsetof(gw_device, dms)
                               ? cut(odm_str_trim(dms), LIST_MAX)
                               : *device_text(&r->d, i);
        rc = device_set_texts(r, t);
        if (rc == 0) {
                device_mark(r);
                judge_mode(r);
        }
        return rc;
}

int devices_alert(void *ctx, gw_device *d, const odm_alert *a, odm_wall at)
{
        gateway *g = ctx;
        rec *r = rec_of(d);
        /* the server's own correlator: somebody waits for it */
        bool final = a->correlator.n && fanout_is_final(a->type);

        if (odm_str_ieq(a->type, ODM_INV_DMS_ALERT))
                return take_dms(r, a->data);
        for (gw_hook *h = g->hooks; h; h = h->next) {
                int rc = h->alert ? h->alert(h->ctx, d, a) : 0;
                if (rc != 0)
                        return rc < 0 ? rc : 0;
        }
        if (has_long_words(a)) {
                drop_alert(r, "a device tells of an address or a name that fits no message");
                return 0;
        }
        if (talks_too_much(r, final || north_is_grave(a->mark))) {
                drop_alert(r, "a device talks too much");
                return 0;
        }
        return relay(g, d, final ? NORTH_FINAL : NORTH_RELAY, a, at.s > 0 ? at : loop_wall());
}

/* ---- what the server and the operator say ---------------------------------------------------------- */

/* The record as it is now, durable. */
static int write_now(rec *r)
{
        devices *v = r->v;
        store_batch *b = store_batch_new();
        int rc = b ? device_put_next(v, b) : ODM_ENOMEM;

        if (rc == 0)
                rc = device_put_row(r, b);
        if (rc == 0)
                rc = gw_write(v->g, b);
        if (rc < 0) { /* it is tried again with the rest */
                v->next_changed = true;
                device_mark(r);
        }
        store_batch_free(b);
        return rc;
}

static int set_text(rec *r, size_t offset, odm_str s)
{
        odm_str t[DEVICE_TEXTS];

        for (size_t i = 0; i < DEVICE_TEXTS; i++)
                t[i] = device_texts[i] == offset ? s : *device_text(&r->d, i);
        return device_set_texts(r, t);
}

bool gw_is_quarantined(const gw_device *d)
{
        return d->state == GW_DEACTIVATED && odm_str_is(d->reason, GW_QUARANTINE);
}

static int switch_device(rec *r, bool on, odm_str reason)
{
        bool was_quarantined = gw_is_quarantined(&r->d);
        int rc = set_text(r, offsetof(gw_device, reason), on ? ODM_STR("") : cut(reason, TEXT_MAX));

        if (rc < 0)
                return rc;
        if (!on && was_quarantined && !gw_is_quarantined(&r->d)) /* an operator, from now on */
                GW_TELL(r->v->g, moved, &r->d, r->d.state);
        (void)hear(r, on ? ODM_INV_ON : ODM_INV_OFF, 0, ADAPTER_OPERATOR);
        if (on && r->d.state == GW_DETACHED && r->d.adapter && r->here) { /* all the time */
                (void)hear(r, ODM_INV_SEEN, 0, ADAPTER_OPERATOR);
                if (odm_time_reached(loop_now(), r->up))
                        (void)hear(r, ODM_INV_SLEEPS, 0, ADAPTER_OPERATOR);
        }
        return 0;
}

int gw_change_device(gateway *g, gw_device *d, const gw_change *c)
{
        rec *r = rec_of(d);
        int rc = 0;

        if (c->mode && c->mode != (int)d->mode && is_at_work(g, d))
                return ODM_ESTATE;
        if (c->name.p)
                rc = set_text(r, offsetof(gw_device, name), cut(c->name, TEXT_MAX));
        if (rc < 0)
                return rc;
        if (c->mode) {
                gw_mode was = d->mode;
                d->mode = (gw_mode)c->mode;
                d->mode_set = true;
                tell_mode(r, was);
                GW_TELL(g, moved, d, d->state);
        }
        if (c->wake_interval_s != -2) {
                d->wake_set_s = c->wake_interval_s > 0 ? c->wake_interval_s : 0;
                if (c->wake_interval_s != 0)
                        d->wake_interval_s = c->wake_interval_s;
        }
        if (c->awake_s != -2)
                d->awake_s = c->awake_s;
        if (c->active >= 0)
                rc = switch_device(r, c->active, c->reason);
        set_timer(r);
        if (rc == 0)
                rc = write_now(r);
        else
                device_mark(r); /* what was changed before is as it is in memory */
        if (rc == 0)
                devices_flush(g->devices);
        return rc;
}

int devices_provision(gateway *g, odm_str id, odm_str name, int mode, gw_device **out)
{
        devices *v = g->devices;
        odm_str t[DEVICE_TEXTS] = {id, name};
        rec *r;

        if (id.n == 0 || id.n > ID_MAX || name.n > TEXT_MAX)
                return ODM_EINVAL;
        if (device_find(v, id))
                return ODM_EEXIST;
        if (v->n >= (size_t)cfg_int(g->conf, "gateway.devices"))
                return ODM_ELIMIT;
        r = make(v, 'd', t);
        if (!r)
                return ODM_ENOMEM;
        r->d.mode = mode ? (gw_mode)mode : GW_ADAPTATION;
        r->d.mode_set = mode != 0;
        device_mark(r);
        *out = &r->d;
        return 0;
}

static void drop(devices *v, rec *r)
{
        gw_device *d = &r->d;

        runner_forget(v->g->runner, d);
        GW_TELL(v->g, removed, d);
        if (d->adapter && d->adapter->forget)
                d->adapter->forget(d->adapter_self, d, d->native);
        device_take_out(v, r);
        device_rec_free(r);
}

static void remove_record(devices *v, rec *r)
{
        store_batch *b = device_batch(v);

        log_info("record removed", log_text("key", r->d.key), log_str("id", r->d.id));
        if (!b ||
            !device_delete_row(b, r->d.number)) /* read again at the next start, and removed then */
                log_error("no memory: a record stays in the store");
        drop(v, r);
}

int devices_remove(gateway *g, gw_device *d)
{
        if (d->state == GW_ACTIVE || d->state == GW_ASLEEP || d->state == GW_UNREACHABLE)
                return ODM_ESTATE;
        remove_record(g->devices, rec_of(d));
        return 0;
}

/* ---- life ------------------------------------------------------------------------------------------- */

int devices_open(gateway *g, devices **out, diag *d)
{
        devices *v = calloc(1, sizeof *v);
        int rc = ODM_ENOMEM;

        if (!v)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        v->g = g;
        v->hash_n = HASH_MIN;
        v->last_held = &v->held;
        v->hash = calloc(v->hash_n, sizeof(rec *));
        v->kinds = words_new();
        v->flush = (loop_timer){.fn = on_flush, .ctx = v};
        v->absent = (loop_timer){.fn = on_absent, .ctx = v};
        v->many = (loop_timer){.fn = device_many_tell, .ctx = v};
        rand_bytes(&v->seed, sizeof v->seed);
        if (v->hash && v->kinds)
                rc = device_load_next(v);
        if (rc == 0)
                rc = device_load_rows(v);
        if (rc < 0) {
                devices_close(v);
                return diag_set(d, rc, "the records of devices: %s", odm_err_text(rc));
        }
        marks_floor(g->marks, MARKS_DEVICE, v->next);
        *out = v;
        return 0;
}

void devices_start(devices *v)
{
        for (size_t i = 0; i < v->n; i++)
                set_timer(v->all[i]);
        if (loop_timer_set(v->g->loop, &v->absent, odm_time_add(loop_now(), ABSENT_MS)) < 0)
                log_error("no memory for a timer");
}

void devices_orphan(devices *v)
{
        for (size_t i = 0; i < v->n; i++) {
                v->all[i]->d.adapter = NULL;
                v->all[i]->d.native = v->all[i]->d.adapter_self = NULL;
        }
}

void devices_flush(devices *v)
{
        on_flush(v);
}

void devices_close(devices *v)
{
        if (!v)
                return;
        loop_timer_stop(&v->flush);
        loop_timer_stop(&v->absent);
        loop_timer_stop(&v->many);
        for (size_t i = 0; i < v->n; i++)
                device_rec_free(v->all[i]);
        while (v->held)
                store_batch_free(let_go(v));
        store_batch_free(v->b);
        words_free(v->kinds);
        free(v->all);
        free(v->hash);
        free(v);
}
