/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms of alerts, of lost devices, of what campaigns could not do. */
#include <stdlib.h>
#include <string.h>

#include "alarm_api.h"
#include "alarm_row.h"
#include "heap.h"
#include "log.h"
#include "metrics.h"
#include "sample.h"

#define DAY_MS INT64_C(86400000)
#define TRIM_MS 3600000      /* between looks for old ones */
#define TRIM_PAGE 200        /* alarms a tick */
#define COVER_PAGE 200       /* the same, of devices behind a gateway */
#define BACK_MS 60000        /* who is behind a gateway that is back may call before it is missed */
#define COVER_MS 5000        /* gateway and devices are not found silent in one moment */
#define RECOUNT_MS 60000     /* between two counts, each of which reads all that is active */
#define CAMPAIGN "campaign " /* a source; the campaign's number follows */
#define MAP_MEMORY ((size_t)4 << 20)

/* ---- open and close ------------------------------------------------------------------------- */

static int read_rules(alarm_self *s)
{
        problem p;
        alarm_map map = {0};
        odm_str text = ODM_ABSENT;
        json_t *rules = NULL;
        odm_arena a;
        int rc;

        problem_init(&p);
        odm_arena_init(&a, &heap_mem, MAP_MEMORY);
        rc = store_setting_get(s->host->store, ALARM_RULES_SETTING, &a, &text);
        if (rc == 0)
                rules = json_loadb(text.p, text.n, 0, NULL);
        rc = rc == ODM_ENOENT ? 0 : rc;
        if (rules && !alarm_map_read(rules, &a, &map, &p)) /* of another version of ours */
                log_error("the rules of alarms are not understood; those built in count",
                          log_text("reason", p.detail));
        problem_done(&p);
        pthread_rwlock_wrlock(&s->lock);
        if (rc == 0) {
                odm_arena old = s->map_arena;
                json_t *gone = s->rules;

                s->map_arena = a;
                s->rules = rules;
                s->map = map;
                a = old;
                rules = gone;
        }
        pthread_rwlock_unlock(&s->lock);
        json_decref(rules);
        odm_arena_done(&a);
        return rc;
}

/* The tally is there, and numbers go on where they stopped. */
static int begin_numbers(alarm_self *s)
{
        const store_scan newest = {
                .table = &table_alarm, .index = ALARM_BY_ID, .down = true, .limit = 1};
        alarm_tally key = {.id = 1}, t = {0};
        store_rows l = {0};
        store_batch *b;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        rc = store_row_find(s->host->store, &newest, &a, &l);
        if (rc == 0) {
                rc = store_row_get(s->host->store, &table_alarm_tally, &key, &a, &t);
                if (rc == 0 && l.n && ((alarm_row *)l.v)->id > t.last_id)
                        t.last_id = ((alarm_row *)l.v)->id;
                atomic_store(&s->last_id, t.last_id);
        }
        if (rc == ODM_ENOENT) {
                b = store_batch_new();
                store_op *op = b ? store_batch_add(b, STORE_ROW_PUT) : NULL;
                if (op)
                        op->row = (store_row_op){.table = &table_alarm_tally, .row = &key};
                rc = op ? store_write_sync(s->host->store, b) : ODM_ENOMEM;
                store_batch_free(b);
        }
        odm_arena_done(&a);
        return rc;
}

static void alarm_close(void *p)
{
        alarm_self *s = p;

        if (!s)
                return;
        json_decref(s->rules);
        odm_arena_done(&s->map_arena);
        pthread_rwlock_destroy(&s->lock);
        free(s);
}

static int alarm_open(const fleet_host *h, void **out, diag *d)
{
        alarm_self *s = calloc(1, sizeof *s);
        int rc;

        if (!s)
                return ODM_ENOMEM;
        s->host = h;
        s->keep = h->conf ? cfg_ms(h->conf, "alarms.keep") : 90 * DAY_MS;
        s->per_device = h->conf ? (uint32_t)cfg_int(h->conf, "alarms.per_device") : 200;
        s->recount = true;
        pthread_rwlock_init(&s->lock, NULL);
        odm_arena_init(&s->map_arena, &heap_mem, MAP_MEMORY);
        rc = read_rules(s);
        if (rc == 0)
                rc = begin_numbers(s);
        if (rc < 0) {
                alarm_close(s);
                return diag_set(d, rc, "alarms cannot be read: %s", odm_err_text(rc));
        }
        *out = s;
        return 0;
}

/* ---- news ------------------------------------------------------------------------------------ */

/* When it was, of what was told late; 0: now.  A clock that was never set, or runs ahead, is not
 * believed. */
static int64_t time_of(const alarm_self *s, const fleet_turn *t, const fleet_event *ev)
{
        int64_t at;

        if (sample_time_parse(odm_str_trim(fleet_text(ev, "time")), &at) < 0)
                return 0;
        return at < t->now && at > t->now - s->keep ? at : 0;
}

/* Puts what is said of the event's device; one that is gone has no alarms. */
static int say(alarm_self *s, fleet_turn *t, const fleet_event *ev, int64_t gateway,
               const alarm_news *n)
{
        int64_t device = ev->e.device;
        alarm_word w = {.device = device, .gateway = gateway, .at = time_of(s, t, ev), .news = n};
        alarm_step step;
        store_device d;
        int rc = store_device_get(s->host->store, device, t->arena, &d);

        if (rc == ODM_ENOENT)
                return 0;
        w.name = d.name;
        if (rc == 0)
                rc = alarm_put(s, t, &w, &step, NULL);
        if (rc == ODM_ELIMIT) {
                log_warn("the device has too many alarms; this one is not kept",
                         log_str("device", d.name), log_str("cause", n->cause));
                return 0;
        }
        return rc;
}

/* Rules may change while an operator's request reads them: what is taken out of them is copied. */
static int ask_map(alarm_self *s, const alarm_alert *al, odm_arena *a, alarm_news *n)
{
        int rc;

        pthread_rwlock_rdlock(&s->lock);
        rc = alarm_map_alert(&s->map, al, a, n);
        if (rc == 1 &&
            ((n->cause = odm_arena_copy(a, n->cause)).p == NULL ||
             (n->probable.p && (n->probable = odm_arena_copy(a, n->probable)).p == NULL)))
                rc = ODM_ENOMEM;
        pthread_rwlock_unlock(&s->lock);
        return rc;
}

int alarm_ask_cause(alarm_self *s, odm_arena *a, alarm_news *n)
{
        int rc;

        pthread_rwlock_rdlock(&s->lock);
        rc = alarm_map_cause(&s->map, n);
        if (n->probable.p && (n->probable = odm_arena_copy(a, n->probable)).p == NULL)
                rc = ODM_ENOMEM;
        pthread_rwlock_unlock(&s->lock);
        return rc;
}

static int on_alert(alarm_self *s, fleet_turn *t, const fleet_event *ev)
{
        const alarm_alert al = {.type = fleet_text(ev, "type"),
                                .source = fleet_text(ev, "source"),
                                .mark = fleet_text(ev, "mark"),
                                .data = fleet_text(ev, "data")};
        alarm_news n;
        int rc = ask_map(s, &al, t->arena, &n);

        return rc == 1 ? say(s, t, ev, 0, &n) : rc;
}

/* Whether the alarm that the device is lost stands. */
static int is_lost(alarm_self *s, odm_arena *a, int64_t device, bool *lost)
{
        const alarm_row what = {
                .device = device, .cause = ODM_STR(ALARM_UNREACHABLE), .source = ODM_STR("")};
        alarm_row r = {0};
        int rc = device ? store_row_by(s->host->store, &table_alarm, ALARM_BY_WHAT, &what, a, &r)
                        : ODM_ENOENT;

        if (rc == 0 || rc == ODM_ENOENT) {
                *lost = rc == 0 && r.state != ALARM_ROW_CLEARED;
                rc = 0;
        }
        return rc;
}

/* The alarms of those behind it are looked at when all who are lost with it are known. */
static int look_behind(fleet_turn *t, int64_t gateway, int64_t ms)
{
        alarm_gate *g = odm_new(store_batch_arena(t->batch), alarm_gate);

        if (!g)
                return ODM_ENOMEM;
        *g = (alarm_gate){gateway, t->now + ms};
        return fleet_row(t, STORE_ROW_PUT, &table_alarm_gate, g) ? 0 : ODM_ENOMEM;
}

static int on_lost(alarm_self *s, fleet_turn *t, const fleet_event *ev)
{
        int64_t gateway = fleet_id(ev, "gateway");
        alarm_news n = {.cause = ODM_STR(ALARM_UNREACHABLE),
                        .source = ODM_STR(""),
                        .type = -1,
                        .text = fleet_text(ev, "reason")};
        bool lost = false;
        int rc = is_lost(s, t->arena, gateway, &lost);

        n.covered = alarm_follows(n.cause, lost);
        if (rc == 0 && gateway && !lost)
                rc = look_behind(t, gateway, COVER_MS);
        if (rc == 0)
                rc = alarm_ask_cause(s, t->arena, &n);
        return rc == 1 ? say(s, t, ev, gateway, &n) : rc;
}

/* Heard again, or not expected any more.  A gateway uncovers those behind it, after a while in
 * which they may call. */
static int on_found(alarm_self *s, fleet_turn *t, const fleet_event *ev, odm_str text)
{
        const alarm_news n = {.clear = true,
                              .cause = ODM_STR(ALARM_UNREACHABLE),
                              .source = ODM_STR(""),
                              .text = text};
        const alarm_row of = {.gateway = ev->e.device, .state = ALARM_ROW_HIDDEN};
        const store_scan hidden = {
                .table = &table_alarm, .index = ALARM_BY_GATEWAY, .same = 2, .at = &of};
        bool lost = false;
        uint64_t any = 0;
        int rc = is_lost(s, t->arena, ev->e.device, &lost);

        if (rc < 0 || !lost)
                return rc;
        rc = store_row_count(s->host->store, &hidden, 1, &any);
        if (rc == 0 && any)
                rc = look_behind(t, ev->e.device, BACK_MS);
        return rc == 0 ? say(s, t, ev, 0, &n) : rc;
}

/* ---- devices that are called otherwise ---------------------------------------------------------- */

static int rename_alarm(fleet_turn *t, const alarm_row *r, odm_str name)
{
        odm_arena *a = store_batch_arena(t->batch);
        alarm_row *to = odm_new(a, alarm_row);
        store_op *op;

        if (!to)
                return ODM_ENOMEM;
        *to = (alarm_row){
                .device = r->device, .id = r->id, .rev = 1, .name = odm_arena_copy(a, name)};
        op = to->name.p ? fleet_row(t, STORE_ROW_PATCH, &table_alarm, to) : NULL;
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true; /* it may be gone */
        op->row.fields = STORE_FIELD(AF_NAME) | STORE_FIELD(AF_REV);
        op->row.plus = STORE_FIELD(AF_REV);
        return 0;
}

static int on_renamed(alarm_self *s, fleet_turn *t, const fleet_event *ev)
{
        const alarm_row of = {.device = ev->e.device};
        store_scan scan = {
                .table = &table_alarm, .index = ALARM_BY_DEVICE, .same = 1, .at = &of, .limit = 1};
        store_device d = {.id = 0};
        store_rows l = {0};
        int rc = store_row_find(s->host->store, &scan, t->arena, &l);

        if (rc == 0 && l.n)
                rc = store_device_get(s->host->store, ev->e.device, t->arena, &d);
        if (rc < 0 || !l.n || odm_str_eq(((alarm_row *)l.v)->name, d.name))
                return rc == ODM_ENOENT ? 0 : rc;
        scan.limit = 1000; /* per_device is no more */
        rc = store_row_find(s->host->store, &scan, t->arena, &l);
        for (size_t i = 0; rc == 0 && i < l.n; i++)
                rc = rename_alarm(t, (alarm_row *)l.v + i, d.name);
        return rc;
}

static int on_device(alarm_self *s, fleet_turn *t, const fleet_event *ev)
{
        odm_str from = fleet_text(ev, "from");

        if (odm_str_is(ev->e.kind, "device.unreachable"))
                return on_lost(s, t, ev);
        if (odm_str_is(ev->e.kind, "device.active") || odm_str_is(ev->e.kind, "device.asleep"))
                return !from.n || odm_str_is(from, "active") || odm_str_is(from, "asleep")
                               ? 0
                               : on_found(s, t, ev, ODM_STR("it was heard again"));
        if (odm_str_is(ev->e.kind, "device.detached"))
                return on_found(s, t, ev, ODM_STR("it was detached"));
        if (odm_str_is(ev->e.kind, "device.deactivated"))
                return on_found(s, t, ev, ODM_STR("it was deactivated"));
        if (odm_str_is(ev->e.kind, "device.changed"))
                return on_renamed(s, t, ev);
        if (odm_str_is(ev->e.kind, "device.removed"))
                s->recount = true; /* its rows have gone with it */
        return 0;
}

/* A threshold of performance data was crossed, or the value is back. */
static int on_crossed(alarm_self *s, fleet_turn *t, const fleet_event *ev)
{
        odm_str side = fleet_text(ev, "side"), what = fleet_text(ev, "metric"),
                name = fleet_text(ev, "name");
        alarm_news n = {
                .clear = odm_str_is(side, "normal"), .cause = ODM_STR(ALARM_THRESHOLD), .type = -1};
        double value = json_number_value(json_object_get(ev->data, "value"));
        int rc;

        n.source = odm_arena_fmt(t->arena, "%.*s%s%.*s", (int)what.n, what.n ? what.p : "",
                                 name.n ? " " : "", (int)name.n, name.n ? name.p : "");
        n.source = odm_str_to(n.source, odm_utf8_cut(n.source, n.source.n < ALARM_SOURCE_MAX
                                                                       ? n.source.n
                                                                       : ALARM_SOURCE_MAX));
        if (n.clear && !json_object_get(ev->data, "value"))
                n.text = ODM_STR("the threshold was removed");
        else
                n.text = n.clear ? odm_arena_fmt(t->arena, "%g is normal", value)
                                 : odm_arena_fmt(
                                           t->arena, "%g is %.*s, the limit is %g", value,
                                           (int)side.n, side.n ? side.p : "",
                                           json_number_value(json_object_get(ev->data, "limit")));
        (void)alarm_severity_parse(fleet_text(ev, "severity"), &n.severity);
        if (!n.source.p || !n.text.p)
                return odm_arena_err(t->arena);
        rc = alarm_ask_cause(s, t->arena, &n);
        return rc == 1 ? say(s, t, ev, 0, &n) : rc;
}

/* Whether the device has said itself that an update failed. */
static int has_said(const alarm_self *s, fleet_turn *t, int64_t device, bool *said)
{
        const alarm_row of = {.device = device};
        const store_scan scan = {.table = &table_alarm,
                                 .index = ALARM_BY_DEVICE,
                                 .same = 1,
                                 .at = &of,
                                 .limit = 1000};
        store_rows l = {0};
        int rc = store_row_find(s->host->store, &scan, t->arena, &l);

        for (size_t i = 0; rc == 0 && i < l.n; i++) {
                const alarm_row *r = (const alarm_row *)l.v + i;
                if (r->state != ALARM_ROW_CLEARED && odm_str_is(r->cause, ALARM_UPDATE) &&
                    !odm_str_starts(r->source, CAMPAIGN))
                        *said = true;
        }
        return rc;
}

/* A campaign is done with a device.  What the device itself told of it is alarm enough. */
static int on_campaign(alarm_self *s, fleet_turn *t, const fleet_event *ev)
{
        odm_str state = fleet_text(ev, "state");
        bool failed = odm_str_is(state, "failed"), said = false;
        alarm_news n = {.clear = !failed,
                        .cause = ODM_STR(ALARM_UPDATE),
                        .source = odm_arena_fmt(t->arena, CAMPAIGN "%lld",
                                                (long long)fleet_id(ev, "campaign")),
                        .text = fleet_text(ev, "reason"),
                        .type = -1};
        int rc = n.source.p ? 0 : odm_arena_err(t->arena);

        if (!failed && !odm_str_is(state, "succeeded"))
                return 0;
        n.text = odm_str_to(
                n.text,
                odm_utf8_cut(n.text, n.text.n < ALARM_TEXT_MAX ? n.text.n : ALARM_TEXT_MAX));
        if (rc == 0 && failed)
                rc = has_said(s, t, ev->e.device, &said);
        if (rc < 0 || said)
                return rc;
        rc = alarm_ask_cause(s, t->arena, &n);
        return rc == 1 ? say(s, t, ev, 0, &n) : rc;
}

static int alarm_event(void *p, fleet_turn *t, const fleet_event *ev)
{
        alarm_self *s = p;

        if (odm_str_is(ev->e.kind, "alarm.rules"))
                return read_rules(s);
        if (odm_str_is(ev->e.kind, "alert"))
                return ev->e.device ? on_alert(s, t, ev) : 0;
        if (odm_str_is(ev->e.kind, "metric.crossed"))
                return ev->e.device ? on_crossed(s, t, ev) : 0;
        if (odm_str_is(ev->e.kind, "campaign.device"))
                return ev->e.device ? on_campaign(s, t, ev) : 0;
        return on_device(s, t, ev);
}

/* ---- the clock -------------------------------------------------------------------------------- */

/* A tally whose rev is the same when this is written was not changed while we counted. */
static int recount(alarm_self *s, fleet_turn *t)
{
        odm_arena *a = store_batch_arena(t->batch);
        alarm_tally *to = odm_new(a, alarm_tally), *is = odm_new(a, alarm_tally);
        const alarm_tally key = {.id = 1};
        store_op *op;
        int rc = to && is ? store_row_get(s->host->store, &table_alarm_tally, &key, t->arena, is)
                          : ODM_ENOMEM;

        if (rc == 0)
                rc = alarm_count(s->host->store, ODM_ABSENT, INT64_MAX, to);
        if (rc < 0)
                return rc;
        s->recount = false;
        s->recount_at = t->now + RECOUNT_MS;
        if (memcmp(to->active, is->active, sizeof to->active) == 0 &&
            memcmp(to->unseen, is->unseen, sizeof to->unseen) == 0 && to->hidden == is->hidden)
                return 0;
        s->recount = true; /* until it is seen to be right */
        to->rev = is->rev + 1;
        op = fleet_row(t, STORE_ROW_PATCH, &table_alarm_tally, to);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true;
        op->row.fields = STORE_FIELD(13) - 2; /* all but the key and last_id */
        op->row.where = STORE_FIELD(12);
        op->row.is = is;
        return 0;
}

static int trim(alarm_self *s, fleet_turn *t)
{
        const alarm_row of = {.state = ALARM_ROW_CLEARED}, below = {.changed = t->now - s->keep};
        const store_scan scan = {.table = &table_alarm,
                                 .index = ALARM_BY_STATE,
                                 .same = 1,
                                 .at = &of,
                                 .below = &below,
                                 .limit = TRIM_PAGE};
        store_rows l = {0};
        int rc = store_row_find(s->host->store, &scan, t->arena, &l);

        for (size_t i = 0; rc == 0 && i < l.n; i++)
                rc = alarm_forget(t, (alarm_row *)l.v + i);
        if (rc == 0)
                s->trim_at = l.more ? t->now : t->now + TRIM_MS;
        return rc;
}

static int cover_page(alarm_self *s, fleet_turn *t, int64_t gateway, bool lost, bool *more)
{
        const alarm_row of = {.gateway = gateway,
                              .state = lost ? ALARM_ROW_ACTIVE : ALARM_ROW_HIDDEN};
        const store_scan scan = {.table = &table_alarm,
                                 .index = ALARM_BY_GATEWAY,
                                 .same = 2,
                                 .at = &of,
                                 .limit = COVER_PAGE};
        store_rows l = {0};
        int rc = store_row_find(s->host->store, &scan, t->arena, &l);

        for (size_t i = 0; rc == 0 && i < l.n; i++) {
                const alarm_row *was = (const alarm_row *)l.v + i;
                alarm_row row = *was;
                alarm_state st;
                alarm_step step;

                alarm_state_of(was, &st);
                step = alarm_cover(&st, alarm_follows(was->cause, lost));
                alarm_state_to(&row, &st);
                if (step != ALARM_NOTHING)
                        rc = alarm_move(
                                t, was, &row,
                                &(alarm_act){step, t->now,
                                             lost ? ODM_STR("its gateway is lost")
                                                  : ODM_STR("its gateway is back, and it is not"),
                                             ODM_ABSENT});
        }
        *more = l.more;
        return rc;
}

/* The gateway that is due; *at: when the next one is. */
static int cover(alarm_self *s, fleet_turn *t, int64_t *at)
{
        const store_scan scan = {.table = &table_alarm_gate, .index = 1, .limit = 1};
        alarm_gate *g, *gone = odm_new(store_batch_arena(t->batch), alarm_gate);
        store_rows l = {0};
        bool lost = false, more = false;
        int rc = gone ? store_row_find(s->host->store, &scan, t->arena, &l) : ODM_ENOMEM;

        *at = INT64_MAX;
        if (rc < 0 || !l.n)
                return rc;
        g = l.v;
        *at = g->at;
        if (g->at > t->now)
                return 0;
        rc = is_lost(s, t->arena, g->device, &lost);
        if (rc == 0)
                rc = cover_page(s, t, g->device, lost, &more);
        *gone = *g;
        if (rc == 0 && !more && !fleet_row(t, STORE_ROW_DELETE, &table_alarm_gate, gone))
                rc = ODM_ENOMEM;
        return rc;
}

static int alarm_tick(void *p, fleet_turn *t, int64_t *at)
{
        alarm_self *s = p;
        int64_t gate = INT64_MAX;
        int rc = cover(s, t, &gate);

        if (rc == 0 && s->recount && fleet_due(t->now, s->recount_at, RECOUNT_MS))
                rc = recount(s, t);
        if (rc == 0 && fleet_due(t->now, s->trim_at, TRIM_MS))
                rc = trim(s, t);
        *at = s->trim_at < gate ? s->trim_at : gate;
        if (s->recount && s->recount_at < *at)
                *at = s->recount_at;
        return rc;
}

/* ---- numbers ------------------------------------------------------------------------------------ */

static int alarm_metrics(void *p, odm_buf *out)
{
        alarm_self *s = p;
        const alarm_tally key = {.id = 1};
        alarm_tally t = {0};
        odm_arena a;
        char block[1024], label[48];
        int rc;

        odm_arena_init_on(&a, &heap_mem, 65536, block, sizeof block);
        rc = store_row_get(s->host->store, &table_alarm_tally, &key, &a, &t);
        odm_arena_done(&a);
        for (unsigned i = ALARM_INDETERMINATE; rc == 0 && i <= ALARM_CRITICAL; i++) {
                (void)snprintf(label, sizeof label, "severity=\"%s\"", alarm_severities[i]);
                rc = metrics_line(out, "nrem_alarms", label, "gauge",
                                  i == ALARM_INDETERMINATE ? "Active alarms" : NULL,
                                  (double)t.active[i - 1]);
        }
        return rc == 0 ? metrics_line(out, "nrem_alarms_dropped_total", "", "counter",
                                      "Alarms not kept, above the ceiling of their device",
                                      (double)atomic_load(&s->dropped))
                       : rc;
}

static const store_table *const tables[] = {&table_alarm, &table_alarm_note, &table_alarm_tally,
                                            &table_alarm_gate, NULL};

const fleet_part part_alarm = {.name = "alarm",
                               .tables = tables,
                               .routes = alarm_routes,
                               .n_routes = ALARM_ROUTES,
                               .events = "alert device. metric.crossed campaign.device alarm.rules",
                               .open = alarm_open,
                               .event = alarm_event,
                               .tick = alarm_tick,
                               .metrics = alarm_metrics,
                               .close = alarm_close};
