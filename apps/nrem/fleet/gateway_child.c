/* SPDX-License-Identifier: Apache-2.0 */
/* Devices behind gateways: found by their DeviceID whatever gateway they come through, so that a
 * name stays with its device wherever that moves. */
#include <stdio.h>

#include "gateway_part.h"
#include "log.h"
#include "presence_part.h"
#include "selector.h"

#define SWEEP_PAGE 100
#define NAMES_TRIED 20
#define TAG ODM_STR("gateway")

/* ---- gateways --------------------------------------------------------------------------- */

bool gateway_allowed(const gateways *s, const store_device *g)
{
        return !s->tagged || selector_word(g->tags, TAG);
}

int gateway_known(gateways *s, fleet_turn *t, const store_device *g, gateway_row *out)
{
        gateway_row *row;
        int rc = gateway_find(s->host->store, g->id, t->arena, out);
        store_op *op;

        if (rc != ODM_ENOENT)
                return rc;
        row = odm_new(store_batch_arena(t->batch), gateway_row);
        op = row ? fleet_row(t, STORE_ROW_ADD, &table_gateway, row) : NULL;
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true;
        /* one that was forgotten may have tasks left: their numbers are never given again */
        *row = (gateway_row){
                .device = g->id, .work = 1, .found = t->now, .wanted = t->now, .serial = t->now};
        *out = *row;
        return fleet_tell(t, g->id, "gateway.found",
                          json_pack("{s:s%}", "device", g->name.p, g->name.n));
}

int gateway_patch(fleet_turn *t, const gateway_row *r, uint64_t fields)
{
        odm_arena *a = store_batch_arena(t->batch);
        gateway_row *row = odm_new(a, gateway_row);
        store_op *op = row ? fleet_row(t, STORE_ROW_PATCH, &table_gateway, row) : NULL;

        if (!op)
                return ODM_ENOMEM;
        *row = *r;
        row->swept = odm_arena_copy(a, r->swept);
        row->reason = odm_arena_copy(a, r->reason);
        op->row.fields = fields;
        op->lenient = true; /* it may have gone with its device */
        return a->err ? odm_arena_err(a) : 0;
}

/* ---- states ------------------------------------------------------------------------------- */

/* An operator here has switched it off, and not its gateway. */
static bool is_off(const store_device *d, const gateway_child *was)
{
        return d->state == STORE_DEVICE_DEACTIVATED && was->state != GATEWAY_DEACTIVATED;
}

/* What an operator decided here stands; what the gateway said of it may be said otherwise. */
static bool may_set(const store_device *d, const gateway_child *was, const gateway_child *c,
                    store_device_state to)
{
        if (d->state == STORE_DEVICE_HELD || d->state == STORE_DEVICE_REFUSED || is_off(d, was))
                return false;
        if (to == STORE_DEVICE_PROVISIONED || to == d->state)
                return false;
        /* one with sessions of its own shows by them that it is there */
        return c->mode != GATEWAY_TRANSPARENT || to == STORE_DEVICE_DETACHED;
}

static int tell_state(gateways *s, fleet_turn *t, const store_device *d, const gateway_child *c,
                      store_device_state to, const char *reason)
{
        static const char *const kinds[STORE_DEVICE_STATES] = {
                [STORE_DEVICE_ACTIVE] = "device.active",
                [STORE_DEVICE_ASLEEP] = "device.asleep",
                [STORE_DEVICE_UNREACHABLE] = "device.unreachable",
                [STORE_DEVICE_DETACHED] = "device.detached",
                [STORE_DEVICE_DEACTIVATED] = "device.deactivated",
        };
        json_t *o = json_pack("{s:s, s:s%}", "from", store_device_state_name(d->state), "device",
                              d->name.p, d->name.n);
        char id[24];

        (void)snprintf(id, sizeof id, "%lld", (long long)c->gateway);
        if (!o || (reason && json_object_set_new(o, "reason", json_string(reason)) < 0) ||
            json_object_set_new(o, "gateway", json_string(id)) < 0 ||
            (s->late.n && json_object_set_new(o, "time", json_stringn(s->late.p, s->late.n)) < 0)) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        return fleet_tell(t, d->id, kinds[to], o);
}

/* What the device is by now: as it was told to be, unless its gateway is lost. */
static int enter(gateways *s, fleet_turn *t, const store_device *d, const gateway_child *was,
                 const gateway_child *c, const char *reason, store_device_patch *p)
{
        store_device_state to = gateway_device_state(c->state);

        if (c->mode == GATEWAY_TRANSPARENT && to == STORE_DEVICE_DEACTIVATED)
                to = STORE_DEVICE_DETACHED; /* whose sessions we refuse is not its to say */
        if (c->lost && (to == STORE_DEVICE_ACTIVE || to == STORE_DEVICE_ASLEEP))
                to = STORE_DEVICE_UNREACHABLE;
        if (!may_set(d, was, c, to))
                return 0;
        p->fields |= STORE_DF_STATE;
        p->to.state = to;
        if (to == STORE_DEVICE_ACTIVE || to == STORE_DEVICE_ASLEEP)
                gateway_poke(s, d->id);
        return tell_state(s, t, d, c, to, c->lost ? "its gateway is lost" : reason);
}

static int put_patch(fleet_turn *t, const store_device *d, const store_device_patch *p)
{
        store_op *op;

        if (!p->fields)
                return 0;
        op = fleet_op(t, STORE_DEVICE_PATCH);
        if (!op)
                return ODM_ENOMEM;
        op->device_patch = *p;
        op->device_patch.to.id = d->id;
        op->device_patch.to.updated = t->now;
        op->lenient = true;
        return 0;
}

static int put_child(fleet_turn *t, const gateway_child *c)
{
        odm_arena *a = store_batch_arena(t->batch);
        gateway_child *row = odm_new(a, gateway_child);
        odm_str *texts[] = {&row->key,    &row->protocol, &row->addr,     &row->addr_type,
                            &row->called, &row->type,     &row->claim_key};

        if (!row || !fleet_row(t, STORE_ROW_PUT, &table_gateway_child, row))
                return ODM_ENOMEM;
        *row = *c;
        for (size_t i = 0; i < ODM_COUNT(texts); i++)
                *texts[i] = odm_arena_copy(a, *texts[i]);
        return a->err ? odm_arena_err(a) : 0;
}

/* Whether its gateway says that it is there, if switched off. */
static bool is_there(const gateway_child *c)
{
        return c->gateway && !c->lost &&
               (c->state == GATEWAY_ACTIVE || c->state == GATEWAY_ASLEEP ||
                c->state == GATEWAY_DEACTIVATED);
}

/* Nobody has it any more: who claimed it meanwhile is asked again. */
static int release(gateways *s, fleet_turn *t, gateway_child *c)
{
        gateway_row row;
        int rc;

        if (!c->claimed || is_there(c))
                return 0;
        rc = gateway_find(s->host->store, c->claimed, t->arena, &row);
        if (rc == 0)
                rc = gateway_want_put(t,
                                      &(gateway_want){.device = c->claimed, .key = c->claim_key});
        if (rc == 0) {
                row.work = 1;
                rc = gateway_patch(t, &row, STORE_FIELD(GW_work));
        }
        c->claimed = 0;
        c->claim_key = ODM_STR("");
        return rc == ODM_ENOENT ? 0 : rc;
}

int gateway_told(gateways *s, fleet_turn *t, const gateway_child *was, uint32_t state,
                 const char *reason)
{
        gateway_child c = *was;
        store_device_patch p = {0};
        store_device d;
        int rc = store_device_get(s->host->store, was->device, t->arena, &d);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        c.state = is_off(&d, was) && state == GATEWAY_DEACTIVATED ? was->state : state;
        c.told = t->now;
        c.naps = state == GATEWAY_ASLEEP;
        rc = enter(s, t, &d, was, &c, reason, &p);
        if (rc == 0)
                rc = put_patch(t, &d, &p);
        if (rc == 0)
                rc = release(s, t, &c);
        return rc == 0 ? put_child(t, &c) : rc;
}

/* ---- devices --------------------------------------------------------------------------------- */

/* Another one of this page is called so. */
static bool is_given_now(const fleet_turn *t, odm_str name)
{
        for (size_t i = 0; i < t->batch->n; i++)
                if (t->batch->ops[i]->kind == STORE_DEVICE_CREATE &&
                    odm_str_eq(t->batch->ops[i]->device.name, name))
                        return true;
        return false;
}

static int free_name(gateways *s, fleet_turn *t, const store_device *g, const gateway_record *r,
                     odm_str *out)
{
        for (unsigned i = 0; i < NAMES_TRIED; i++) {
                odm_str name = gateway_name_of(g->name, r, s->own_names && i == 0, t->arena);
                store_device d;
                int rc;

                if (name.p && i > 1)
                        name = odm_arena_fmt(t->arena, "%.*s-%u", (int)name.n, name.p, i);
                if (!name.p)
                        return odm_arena_err(t->arena);
                if (is_given_now(t, name))
                        continue;
                rc = store_device_by_name(s->host->store, name, t->arena, &d);
                if (rc == ODM_ENOENT)
                        *out = name;
                if (rc < 0)
                        return rc == ODM_ENOENT ? 0 : rc;
        }
        return ODM_EEXIST;
}

int gateway_places(gateways *s, int64_t gateway, size_t *out)
{
        const gateway_child at = {.gateway = gateway};
        const store_scan scan = {
                .table = &table_gateway_child, .index = CHILD_BY_KEY, .same = 1, .at = &at};
        uint64_t n = 0;
        int rc = store_row_count(s->host->store, &scan, s->most, &n);

        *out = n < s->most ? (size_t)(s->most - n) : 0;
        return rc;
}

int gateway_make(gateways *s, fleet_turn *t, const store_device *g, const gateway_record *r,
                 size_t *places, bool *made)
{
        odm_arena *a = store_batch_arena(t->batch);
        odm_str name = ODM_ABSENT;
        store_op *op;
        int rc = *places ? free_name(s, t, g, r, &name) : ODM_EEXIST;

        *made = false;
        if (rc == ODM_EEXIST) {
                log_warn("a device behind a gateway is not taken: there is no room, or no name",
                         log_str("gateway", g->name), log_str("device", r->id));
                return 0;
        }
        if (rc < 0)
                return rc;
        op = fleet_op(t, STORE_DEVICE_CREATE);
        if (!op)
                return ODM_ENOMEM;
        op->device = (store_device){.name = odm_arena_copy(a, name),
                                    .devid = odm_arena_copy(a, r->id),
                                    .state = STORE_DEVICE_PROVISIONED,
                                    .created = t->now,
                                    .updated = t->now};
        if (!op->device.name.p || !op->device.devid.p)
                return odm_arena_err(a);
        --*places;
        *made = true;
        return fleet_tell(t, STORE_LAST, "device.created",
                          json_pack("{s:s%, s:s}", "device", name.p, name.n, "actor", "gateway"));
}

/* An operator has said that it is a gateway. */
static bool is_trusted(const store_device *g)
{
        return selector_word(g->tags, TAG);
}

/* Who has proved itself to us is not taken over by somebody's word: what we heard last of it was
 * its own call, by an account.  Nor is one that was given an account, and has not called yet, but
 * by who is trusted. */
static int is_own(gateways *s, odm_arena *a, const store_device *g, const store_device *d,
                  const gateway_record *r, bool *own)
{
        store_account acc;
        int rc;

        *own = false;
        if (r->mode == GATEWAY_TRANSPARENT || odm_str_is(d->route, "gateway") ||
            (!d->last_contact && is_trusted(g)))
                return 0;
        rc = store_account_get(s->host->store, d->id, a, &acc);
        *own = rc == 0 && (d->last_contact || !(acc.flags & STORE_ACCOUNT_MADE_UP));
        return rc == ODM_ENOENT ? 0 : rc;
}

/* One that is there with another gateway stays, until that says otherwise, or an operator does: its
 * orders are not for whoever says its name. */
static int claim(fleet_turn *t, const store_device *g, const store_device *d,
                 const gateway_child *was, const gateway_record *r)
{
        gateway_child c = *was;
        char id[24], behind[24];
        int rc;

        if (was->claimed == g->id && odm_str_eq(was->claim_key, r->key))
                return 0;
        log_warn("a gateway tells of a device that is with another one",
                 log_str("gateway", g->name), log_str("device", d->name));
        c.claimed = g->id;
        c.claim_key = r->key;
        (void)snprintf(id, sizeof id, "%lld", (long long)g->id);
        (void)snprintf(behind, sizeof behind, "%lld", (long long)was->gateway);
        rc = fleet_tell(t, d->id, "device.claimed",
                        json_pack("{s:s%, s:s, s:s%, s:s%, s:s}", "device", d->name.p, d->name.n,
                                  "gateway", id, "by", g->name.p, g->name.n, "key", r->key.p,
                                  r->key.n, "behind", behind));
        return rc == 0 ? put_child(t, &c) : rc;
}

static void patch_text(store_device_patch *p, uint32_t which, odm_str *place, odm_str known,
                       odm_str value, odm_arena *a)
{
        if (!value.n || (known.p && odm_str_eq(known, value)))
                return;
        *place = odm_arena_copy(a, value);
        p->fields |= which;
}

/* Whether the word is of now: not what another gateway remembers of a device that has left it, nor
 * what it has to tell of a time before. */
static bool is_news(const gateway_child *was, const store_device *g, const gateway_record *r)
{
        bool there = r->state < 0 || r->state == GATEWAY_ACTIVE || r->state == GATEWAY_ASLEEP;

        if (!was->gateway || was->gateway == g->id)
                return true;
        if (!there || was->state == GATEWAY_DETACHED_STATE || was->state == GATEWAY_UNREACHABLE)
                return there;
        return !r->seen || r->seen >= was->seen;
}

/* When the device was there last, as far as its gateway has told; never later than now. */
static int64_t seen_at(const fleet_turn *t, const gateway_child *was, const store_device *g,
                       const gateway_record *r)
{
        int64_t at = r->seen && r->seen < t->now ? r->seen : t->now;

        return was->gateway == g->id && was->seen > at ? was->seen : at;
}

static int patch_record(fleet_turn *t, const store_device *g, const store_device *d,
                        const gateway_record *r, bool there, store_device_patch *p)
{
        odm_arena *a = store_batch_arena(t->batch);

        if (r->mode == GATEWAY_TRANSPARENT && d->last_contact)
                return 0; /* it tells all that by itself */
        patch_text(p, STORE_DF_MAKER, &p->to.maker, d->maker, r->maker, a);
        patch_text(p, STORE_DF_MODEL, &p->to.model, d->model, r->model, a);
        patch_text(p, STORE_DF_FWV, &p->to.fwv, d->fwv, r->fwv, a);
        patch_text(p, STORE_DF_SWV, &p->to.swv, d->swv, r->swv, a);
        patch_text(p, STORE_DF_HWV, &p->to.hwv, d->hwv, r->hwv, a);
        if (r->mode != GATEWAY_TRANSPARENT) { /* it reaches us as its gateway does */
                patch_text(p, STORE_DF_REACHED, &p->to.reached, d->reached, g->reached, a);
                patch_text(p, STORE_DF_ROUTE, &p->to.route, d->route, ODM_STR("gateway"), a);
                if (there) {
                        p->to.last_contact = t->now;
                        p->fields |= STORE_DF_LAST_CONTACT;
                }
        }
        return a->err ? odm_arena_err(a) : 0;
}

static int put_presence(fleet_turn *t, int64_t device, int64_t gateway, bool relayed)
{
        presence_row *row = odm_new(store_batch_arena(t->batch), presence_row);
        store_op *op;

        if (!row)
                return ODM_ENOMEM;
        *row = (presence_row){.device = device, .gateway = gateway, .relayed = relayed};
        op = fleet_row(t, STORE_ROW_ADD, &table_presence, row);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true;
        op = fleet_row(t, STORE_ROW_PATCH, &table_presence, row);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true;
        op->row.fields = STORE_FIELD(PF_GATEWAY) | STORE_FIELD(PF_RELAYED);
        return 0;
}

static odm_str newer(odm_str told, odm_str known)
{
        return told.p ? told : known;
}

static int attach(gateways *s, fleet_turn *t, const store_device *g, const store_device *d,
                  const gateway_child *was, const gateway_child *c)
{
        char id[24], from[24];
        json_t *o;
        int rc = 0;

        (void)snprintf(id, sizeof id, "%lld", (long long)g->id);
        (void)snprintf(from, sizeof from, "%lld", (long long)was->gateway);
        o = json_pack("{s:s%, s:s, s:s%, s:s%}", "device", d->name.p, d->name.n, "gateway", id,
                      "behind", g->name.p, g->name.n, "key", c->key.p, c->key.n);
        if (o && was->gateway && was->gateway != g->id &&
            json_object_set_new(o, "moved_from", json_string(from)) < 0) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        rc = fleet_tell(t, d->id, "device.attached", o);
        if (rc == 0)
                rc = put_presence(t, d->id, g->id, c->mode != GATEWAY_TRANSPARENT);
        if (rc == 0 && was->gateway)
                rc = gateway_put_back_all(s, t, d->id);
        gateway_poke(s, d->id);
        return rc;
}

static uint32_t told_state(const store_device *d, const gateway_child *was, const gateway_record *r)
{
        if (r->state >= 0 && r->state < GATEWAY_STATES &&
            !(is_off(d, was) && r->state == GATEWAY_DEACTIVATED))
                return (uint32_t)r->state;
        return was->state == GATEWAY_STATES ? GATEWAY_ACTIVE : was->state;
}

/* What it is behind its gateway from now on. */
static gateway_child as_told(const fleet_turn *t, const store_device *g, const gateway_row *row,
                             const store_device *d, const gateway_record *r,
                             const gateway_child *was)
{
        bool comes = was->gateway != g->id;
        gateway_child c = *was;

        c.gateway = g->id;
        c.key = r->key;
        c.claimed = 0;
        c.claim_key = ODM_STR("");
        c.mode = (uint32_t)r->mode;
        if (r->component >= 0)
                c.component = (uint32_t)r->component;
        c.state = told_state(d, was, r);
        c.naps = r->state == GATEWAY_ASLEEP || (was->naps && !r->attached && !comes);
        if (c.naps && c.state == GATEWAY_ACTIVE)
                c.state = GATEWAY_ASLEEP;
        c.protocol = newer(r->protocol, was->protocol);
        c.addr = newer(r->addr, was->addr);
        c.addr_type = newer(r->addr_type, was->addr_type);
        c.called = newer(r->name, was->called);
        c.type = newer(r->type, was->type);
        if (r->wake_interval)
                c.wake_interval = r->wake_interval;
        c.lost = row->lost;
        c.told = t->now;
        if (comes) {
                c.since = t->now;
                c.moves += was->gateway != 0;
        }
        if (r->state != GATEWAY_PROVISIONED)
                c.seen = seen_at(t, was, g, r);
        return c;
}

int gateway_take(gateways *s, fleet_turn *t, const store_device *g, const gateway_row *row,
                 const store_device *d, const gateway_record *r)
{
        gateway_child was = {.device = d->id, .state = GATEWAY_STATES}, c;
        store_device_patch p = {0};
        bool above = false, own = false;
        int rc = gateway_is_above(s->host->store, g->id, d->id, t->arena, &above);

        if (rc < 0)
                return rc;
        rc = gateway_find_child(s->host->store, d->id, t->arena, &was);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (!is_news(&was, g, r))
                return 0;
        rc = is_own(s, t->arena, g, d, r, &own);
        if (rc < 0 || above || own) {
                if (rc == 0)
                        log_warn("a gateway tells of a device that is not behind it",
                                 log_str("gateway", g->name), log_str("device", d->name));
                return rc;
        }
        if (was.gateway != g->id && is_there(&was) && !is_trusted(g))
                return claim(t, g, d, &was, r);
        c = as_told(t, g, row, d, r, &was);
        rc = patch_record(t, g, d, r, c.state == GATEWAY_ACTIVE || c.state == GATEWAY_ASLEEP, &p);
        if (rc == 0 && (was.gateway != g->id || !odm_str_eq(was.key, r->key)))
                rc = attach(s, t, g, d, &was, &c);
        if (rc == 0)
                rc = enter(s, t, d, &was, &c,
                           r->reason.p ? "its gateway switched it off" : "its gateway says so", &p);
        if (rc == 0)
                rc = put_patch(t, d, &p);
        return rc == 0 ? put_child(t, &c) : rc;
}

/* It is behind none any more. */
static int leave(gateways *s, fleet_turn *t, const gateway_child *was)
{
        gateway_child c = *was;
        int rc = put_presence(t, c.device, 0, false);

        c.gateway = 0;
        c.lost = false;
        c.since = t->now;
        if (rc == 0)
                rc = release(s, t, &c);
        return rc == 0 ? put_child(t, &c) : rc;
}

int gateway_leave(gateways *s, fleet_turn *t, const store_device *d, const gateway_child *was)
{
        int rc;

        if (!was->gateway || was->mode == GATEWAY_TRANSPARENT)
                return 0;
        rc = leave(s, t, was);
        return rc == 0 ? fleet_tell(t, d->id, "device.placed",
                                    json_pack("{s:s%}", "device", d->name.p, d->name.n))
                       : rc;
}

/* Nobody reaches it, until it is told of again: who calls by itself goes on to. */
static int abandon(gateways *s, fleet_turn *t, const store_device *d, const gateway_child *was)
{
        gateway_child c = *was;
        store_device_patch p = {0};
        int rc = 0;

        if (c.mode != GATEWAY_TRANSPARENT) {
                c.state = GATEWAY_DETACHED_STATE;
                c.lost = false;
                rc = enter(s, t, d, was, &c, "its gateway is none any more", &p);
        }
        if (rc == 0)
                rc = put_patch(t, d, &p);
        if (rc == 0)
                rc = gateway_put_back_all(s, t, d->id);
        return rc == 0 ? leave(s, t, &c) : rc;
}

/* ---- sweeps ---------------------------------------------------------------------------------- */

static int sweep_one(gateways *s, fleet_turn *t, const gateway_row *row, const gateway_child *was)
{
        gateway_child c = *was;
        store_device_patch p = {0};
        store_device d;
        int rc;

        if (row->sweep == GATEWAY_SWEEP_MISSING)
                return was->told >= row->begun || was->state == GATEWAY_DETACHED_STATE
                               ? 0
                               : gateway_told(s, t, was, GATEWAY_DETACHED_STATE,
                                              "its gateway does not know it any more");
        rc = store_device_get(s->host->store, was->device, t->arena, &d);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        if (row->sweep == GATEWAY_SWEEP_GONE)
                return abandon(s, t, &d, was);
        c.lost = row->sweep == GATEWAY_SWEEP_LOST;
        if (c.lost == was->lost)
                return 0;
        rc = enter(s, t, &d, was, &c, "its gateway is back", &p);
        if (rc == 0)
                rc = put_patch(t, &d, &p);
        if (rc == 0)
                rc = release(s, t, &c);
        return rc == 0 ? put_child(t, &c) : rc;
}

static int end_sweep(gateways *s, fleet_turn *t, gateway_row *row)
{
        gateway_row *gone;
        bool kept = false;
        int rc;

        if (row->sweep != GATEWAY_SWEEP_GONE) {
                row->sweep = GATEWAY_SWEEP_NONE;
                row->swept = ODM_STR("");
                return gateway_patch(t, row, STORE_FIELD(GW_sweep) | STORE_FIELD(GW_swept));
        }
        rc = gateway_early_all_ripe(s, t, row->device, &kept);
        if (rc < 0 || kept)
                return rc; /* no record will be read: when all is told */
        gone = odm_new(store_batch_arena(t->batch), gateway_row);
        if (!gone)
                return ODM_ENOMEM;
        *gone = (gateway_row){.device = row->device};
        return fleet_row(t, STORE_ROW_DELETE, &table_gateway, gone) ? 0 : ODM_ENOMEM;
}

int gateway_sweep_page(gateways *s, fleet_turn *t, gateway_row *row)
{
        const gateway_child at = {.gateway = row->device, .key = row->swept};
        const store_scan scan = {.table = &table_gateway_child,
                                 .index = CHILD_BY_KEY,
                                 .same = 1,
                                 .at = &at,
                                 .from = &at,
                                 .limit = SWEEP_PAGE};
        store_rows l = {0};
        const gateway_child *v;
        int rc = store_row_find(s->host->store, &scan, t->arena, &l);

        v = l.v;
        for (size_t i = 0; rc == 0 && i < l.n; i++)
                rc = sweep_one(s, t, row, &v[i]); /* the first one again, which does no harm */
        if (rc < 0)
                return rc;
        if (!l.more)
                return end_sweep(s, t, row);
        row->swept = v[l.n - 1].key;
        return gateway_patch(t, row, STORE_FIELD(GW_swept));
}
