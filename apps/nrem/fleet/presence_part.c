/* SPDX-License-Identifier: Apache-2.0 */
/* Silence is found by looking at a device when its time has come, not by writing down each call. */
#include "presence_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "mirror.h"
#include "presence_api.h"

#define LOOK_PAGE 200 /* devices a tick */
#define SEED_PAGE 500
#define SOON_MS 300000 /* by then a device that is new has told how often it calls */
#define AGAIN_MS 60000 /* a call may have been on its way when it was found silent */
#define SPREAD_S 600   /* over which devices of an older server are looked at first */
#define DAY_S 86400
#define MISSED 2
#define INTERVAL ODM_STR(MIRROR_INTERVAL)
#define SEEDED ODM_STR("presence.seeded") /* the name up to which it was done; " ": all */

#define F(m) STORE_FIELD_OF(presence_row, m, I64)
static const field presence_fields[] = {
        F(device),     F(silent_at), F(wish),
        F(wish_awake), F(told),      F(told_awake),
        F(since),      F(gateway),   STORE_FIELD_OF(presence_row, relayed, BOOL)};
#undef F
_Static_assert(ODM_COUNT(presence_fields) == PF_N, "presence_field is in the order of the fields");
static const record record_presence = STORE_RECORD_OF(presence_row, presence_fields);
static const store_index presence_indexes[] = {
        {.name = "silent", .fields = {PF_SILENT_AT}, .n = 1}};
const store_table table_presence = {.name = "presence",
                                    .rec = &record_presence,
                                    .n_key = 1,
                                    .index = presence_indexes,
                                    .n_index = 1};

typedef struct self {
        const fleet_host *host;
        int64_t opened;
        bool seeding; /* rows of devices that are older than this part are still to be made */
} self;

void presence_expect(const cfg *conf, const presence_row *r, presence_expectation *out)
{
        if (r->relayed) {
                *out = (presence_expectation){.wish = PRESENCE_NEVER};
                return;
        }
        *out = (presence_expectation){.wish = r->wish,
                                      .wish_awake = r->wish_awake,
                                      .told = r->told,
                                      .told_awake = r->told_awake,
                                      .usual = conf ? cfg_ms(conf, "presence.interval") / 1000
                                                    : DAY_S,
                                      .missed = conf ? cfg_int(conf, "presence.missed") : MISSED};
}

int presence_waits(const fleet_turn *t, const store_device *d, int64_t *out)
{
        const presence_row key = {.device = d->id};
        presence_row r = key;
        presence_expectation x;
        int rc = store_row_get(t->host->store, &table_presence, &key, t->arena, &r);

        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        presence_expect(t->host->conf, &r, &x);
        *out = presence_lost_at(d->last_contact, &x);
        return 0;
}

/* ---- one device ----------------------------------------------------------------------------- */

int presence_read_told(store *st, odm_arena *a, presence_row *r)
{
        store_tree t = {0};
        uint64_t v = 0;
        int rc = store_tree_get(st, r->device, INTERVAL, a, &t);

        if (rc == 0 && t.n && odm_str_u64(t.v[0].value, INT32_MAX, &v) == 0)
                r->told = v ? (int64_t)v : PRESENCE_NEVER;
        return rc == ODM_ENOENT ? 0 : rc;
}

/* `known`: the row is there, as far as we have read. */
static int put_row(fleet_turn *t, const presence_row *r, bool known)
{
        presence_row *copy = odm_new(store_batch_arena(t->batch), presence_row);
        store_op *op;

        if (!copy)
                return ODM_ENOMEM;
        *copy = *r;
        if (!known) {
                op = fleet_row(t, STORE_ROW_ADD, &table_presence, copy);
                if (!op)
                        return ODM_ENOMEM;
                op->lenient =
                        true; /* what it says is said by the patch, which leaves wishes alone */
        }
        op = fleet_row(t, STORE_ROW_PATCH, &table_presence, copy);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true; /* it may have gone with its device */
        op->row.fields = STORE_FIELD(PF_SILENT_AT) | STORE_FIELD(PF_TOLD) |
                         STORE_FIELD(PF_TOLD_AWAKE) | STORE_FIELD(PF_SINCE);
        return 0;
}

static void put_span(char out[32], int64_t ms)
{
        int64_t s = ms / 1000;

        if (s < 120)
                (void)snprintf(out, 32, "%lld s", (long long)s);
        else if (s < 7200)
                (void)snprintf(out, 32, "%lld min", (long long)(s / 60));
        else if (s < 2 * DAY_S)
                (void)snprintf(out, 32, "%lld h", (long long)(s / 3600));
        else
                (void)snprintf(out, 32, "%lld days", (long long)(s / DAY_S));
}

static json_t *words(const fleet_turn *t, const store_device *d, const presence_row *r,
                     const presence_expectation *x, store_device_state to)
{
        json_t *o = json_pack("{s:s}", "from", store_device_state_name(d->state));
        char silent[32], every[32], id[24];
        int rc = o ? 0 : -1;

        if (o && to == STORE_DEVICE_UNREACHABLE) {
                put_span(silent, t->now - d->last_contact);
                put_span(every, presence_interval(x));
                rc = json_object_set_new(
                        o, "reason",
                        json_sprintf("silent for %s, it was to call every %s", silent, every));
                if (rc == 0 && r->gateway) {
                        (void)snprintf(id, sizeof id, "%lld", (long long)r->gateway);
                        rc = json_object_set_new(o, "gateway", json_string(id));
                }
        }
        if (rc == 0)
                return o;
        json_decref(o);
        return NULL;
}

/* Gives the device the state it has by now, in words and in its row. */
static int enter(fleet_turn *t, const store_device *d, presence_row *r,
                 const presence_expectation *x, store_device_state to)
{
        const char *kind = to == STORE_DEVICE_UNREACHABLE ? "device.unreachable"
                           : to == STORE_DEVICE_ASLEEP    ? "device.asleep"
                                                          : "device.active";
        store_op *op = fleet_op(t, STORE_DEVICE_PATCH);

        if (!op)
                return ODM_ENOMEM;
        op->device_patch =
                (store_device_patch){.fields = STORE_DF_STATE,
                                     .expect_rev = d->rev,
                                     .to = {.id = d->id, .state = to, .updated = t->now}};
        if (to == STORE_DEVICE_UNREACHABLE) {
                r->since = t->now;
                r->silent_at = t->now + AGAIN_MS;
        }
        return fleet_tell(t, d->id, kind, words(t, d, r, x, to));
}

/* Looks at a device.  `least`: look again no later than then; 0: as the judgement says. */
static int look(self *s, fleet_turn *t, presence_row *r, bool known, int64_t least)
{
        presence_expectation x;
        presence_verdict v;
        store_device d;
        int rc = store_device_get(s->host->store, r->device, t->arena, &d);

        if (rc == ODM_ENOENT)
                return 0; /* it goes with its row */
        if (rc == 0)
                rc = presence_read_told(s->host->store, t->arena, r);
        if (rc < 0)
                return rc;
        presence_expect(s->host->conf, r, &x);
        v = presence_judge(&(presence_facts){.state = d.state,
                                             .contact = d.last_contact,
                                             .since = r->since,
                                             .opened = s->opened},
                           &x, t->now);
        if (r->relayed)
                v.state = d.state;
        r->silent_at = v.look_at;
        if (least && v.look_at > least)
                r->silent_at = least;
        if (v.state != d.state)
                rc = enter(t, &d, r, &x, v.state);
        return rc < 0 ? rc : put_row(t, r, known);
}

/* ---- events ------------------------------------------------------------------------------------ */

static int row_of(const self *s, odm_arena *a, int64_t device, presence_row *out)
{
        const presence_row key = {.device = device};
        presence_row r = key;
        int rc = store_row_get(s->host->store, &table_presence, &key, a, &r);

        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        *out = r;
        return 0;
}

static int on_device(self *s, fleet_turn *t, const fleet_event *ev, const char *word)
{
        presence_row r;
        int rc = row_of(s, t->arena, ev->e.device, &r);
        int64_t least = 0;

        if (rc < 0 || odm_str_is(ev->e.kind, "device.unreachable"))
                return rc; /* our own: the second look is planned */
        if (strcmp(word, "active") == 0) {
                odm_str from = fleet_text(ev, "from");

                /* let in by an operator it has not called: silence begins now */
                r.since = odm_str_is(from, "deactivated") || odm_str_is(from, "detached") ? ev->e.at
                                                                                          : 0;
                least = t->now + SOON_MS;
        }
        return look(s, t, &r, false, least);
}

/* It said how often it calls. */
static int on_interval(self *s, fleet_turn *t, const fleet_event *ev)
{
        presence_row r;
        int64_t seconds = fleet_int(ev, "seconds");
        int64_t told = seconds ? seconds : PRESENCE_NEVER;
        int rc = row_of(s, t->arena, ev->e.device, &r);

        return rc < 0 || r.told == told ? rc : look(s, t, &r, false, 0);
}

static int presence_event(void *p, fleet_turn *t, const fleet_event *ev)
{
        static const char *const heard[] = {"active",      "accepted", "changed", "detached",
                                            "deactivated", "expected", "placed"};
        self *s = p;

        if (ev->e.device == 0)
                return 0;
        if (odm_str_is(ev->e.kind, "device.interval"))
                return on_interval(s, t, ev);
        for (size_t i = 0; i < ODM_COUNT(heard); i++)
                if (odm_str_is(odm_str_from(ev->e.kind, sizeof "device." - 1), heard[i]))
                        return on_device(s, t, ev, heard[i]);
        return 0;
}

/* ---- the clock -------------------------------------------------------------------------------- */

/* Rows of devices that were there before this part was. */
static int seed(self *s, fleet_turn *t)
{
        odm_arena *a = store_batch_arena(t->batch);
        odm_str place = ODM_ABSENT;
        store_device_list l = {0};
        store_op *op;
        int rc = store_setting_get(s->host->store, SEEDED, t->arena, &place);

        if (rc == ODM_ENOENT)
                rc = 0;
        if (rc == 0)
                rc = store_device_find(s->host->store,
                                       &(store_device_filter){.after = place, .limit = SEED_PAGE},
                                       t->arena, &l);
        for (size_t i = 0; rc == 0 && i < l.n; i++) {
                presence_row *r = odm_new(a, presence_row);

                if (!r || !(op = fleet_row(t, STORE_ROW_ADD, &table_presence, r)))
                        return ODM_ENOMEM;
                op->lenient = true; /* one that has called since has its row */
                *r = (presence_row){.device = l.v[i].id};
                if (store_device_welcome(l.v[i].state) && l.v[i].last_contact)
                        r->silent_at = t->now + AGAIN_MS + l.v[i].id % SPREAD_S * 1000;
        }
        if (rc < 0 || !(op = fleet_op(t, STORE_SETTING_PUT)))
                return rc < 0 ? rc : ODM_ENOMEM;
        s->seeding = l.more;
        op->setting.key = SEEDED;
        op->setting.value = l.more ? odm_arena_copy(a, l.v[l.n - 1].name) : ODM_STR(" ");
        return op->setting.value.p ? 0 : ODM_ENOMEM;
}

static int look_page(self *s, fleet_turn *t, int64_t *at)
{
        const presence_row from = {.silent_at = 1};
        const store_scan due = {
                .table = &table_presence, .index = 1, .from = &from, .limit = LOOK_PAGE + 1};
        store_rows l = {0};
        presence_row *v;
        int rc = store_row_find(s->host->store, &due, t->arena, &l);

        v = l.v;
        *at = INT64_MAX;
        for (size_t i = 0; rc == 0 && i < l.n; i++) {
                if (v[i].silent_at > t->now || i == LOOK_PAGE) {
                        *at = v[i].silent_at;
                        break;
                }
                rc = look(s, t, &v[i], true, 0);
        }
        return rc;
}

static int presence_tick(void *p, fleet_turn *t, int64_t *at)
{
        self *s = p;

        if (s->seeding) {
                *at = t->now;
                return seed(s, t);
        }
        return look_page(s, t, at);
}

/* ---- open and close ------------------------------------------------------------------------------ */

static int presence_open(const fleet_host *h, void **out, diag *d)
{
        self *s = calloc(1, sizeof *s);
        odm_str place;
        odm_arena a;
        int rc;

        if (!s)
                return ODM_ENOMEM;
        s->host = h;
        s->opened = h->now(h->ctx);
        odm_arena_init(&a, &heap_mem, 65536);
        rc = store_setting_get(h->store, SEEDED, &a, &place);
        s->seeding = rc == ODM_ENOENT || (rc == 0 && !odm_str_is(place, " "));
        odm_arena_done(&a);
        if (rc < 0 && rc != ODM_ENOENT) {
                free(s);
                return diag_set(d, rc, "presence cannot be read: %s", odm_err_text(rc));
        }
        *out = s;
        return 0;
}

static const store_table *const tables[] = {&table_presence, NULL};

const fleet_part part_presence = {.name = "presence",
                                  .tables = tables,
                                  .routes = presence_routes,
                                  .n_routes = PRESENCE_ROUTES,
                                  .events = "device.",
                                  .open = presence_open,
                                  .event = presence_event,
                                  .tick = presence_tick,
                                  .close = free};
