/* SPDX-License-Identifier: Apache-2.0 */
/* Gateways in REST, what is behind them, and devices that are put elsewhere or replaced.  Local
 * addresses are shown to an admin who asks for them, and to nobody else. */
#include "gateway_api.h"

#include <stdlib.h>

#include "account.h"
#include "presence_part.h"
#include "reach.h"

static const char *const states[GATEWAY_STATES] = {"provisioned", "active",   "asleep",
                                                   "unreachable", "detached", "deactivated"};
static const char *const image_states[] = {"loading", "ready", "failed"};
static const char *const modes[] = {"transparent", "proxy", "adaptation", NULL};

/* ---- showing ------------------------------------------------------------------------------ */

static bool sees(odm_str scope, odm_str name)
{
        return scope.n == 0 || odm_str_eq(odm_str_to(name, scope.n), scope);
}

static bool put_child(json_t *o, const gateway_child *c, bool addresses)
{
        return put_text(o, "key", c->key) && put_cstr(o, "mode", gateway_mode_name(c->mode)) &&
               put_text(o, "protocol", c->protocol) &&
               (!c->type.n || put_text(o, "type", c->type)) &&
               (c->state >= GATEWAY_STATES || put_cstr(o, "told", states[c->state])) &&
               put_ms(o, "since", c->since) && put_ms(o, "told_at", c->told) &&
               put_int(o, "wakes_every", c->wake_interval) && put_int(o, "moves", c->moves) &&
               (!addresses ||
                (put_text(o, "address", c->addr) && put_text(o, "address_type", c->addr_type)));
}

bool gateway_describe(void *p, const store_device *d, odm_str scope, bool addresses, odm_arena *a,
                      json_t *o)
{
        const gateways *s = p;
        store_device g = {.name = ODM_ABSENT};
        gateway_child c;
        json_t *in;

        if (gateway_find_child(s->host->store, d->id, a, &c) < 0 || !c.gateway)
                return true;
        if (store_device_get(s->host->store, c.gateway, a, &g) < 0 || !sees(scope, g.name))
                g.name = ODM_ABSENT;
        in = json_object();
        if (put_text(in, "name", g.name) && put_child(in, &c, addresses))
                return json_object_set_new(o, "gateway", in) == 0;
        json_decref(in);
        return false;
}

static int count(call *c, int64_t gateway, uint64_t *out)
{
        const gateway_child at = {.gateway = gateway};
        const store_scan scan = {
                .table = &table_gateway_child, .index = CHILD_BY_KEY, .same = 1, .at = &at};

        return store_row_count(c->api->opt.store, &scan, 1000000, out);
}

static json_t *gateway_json(call *c, const store_device *d, const gateway_row *r)
{
        json_t *o = json_object();
        uint64_t n = 0;

        if (count(c, d->id, &n) == 0 && put_text(o, "name", d->name) &&
            put_text(o, "devid", d->devid) &&
            put_cstr(o, "state", store_device_state_name(d->state)) &&
            put_int(o, "devices", (int64_t)n) && put_ms(o, "found", r->found) &&
            put_ms(o, "last_seen", d->last_contact) && put_ms(o, "inventory_read", r->read_at) &&
            put_bool(o, "inventory_wanted", r->wanted || r->job) &&
            (!r->reason.n || put_text(o, "reason", r->reason)) &&
            put_bool(o, "fanouts", !r->no_tasks) && put_bool(o, "images_kept", !r->no_images))
                return o;
        json_decref(o);
        return NULL;
}

static bool append_gateway(call *c, json_t *items, const gateway_row *r)
{
        store_device d;
        int rc = store_device_get(c->api->opt.store, r->device, &c->arena, &d);

        if (rc == ODM_ENOENT || (rc == 0 && !call_sees(c, d.name)))
                return true;
        return rc == 0 && json_array_append_new(items, gateway_json(c, &d, r)) == 0;
}

static void gateway_list(call *c)
{
        gateway_row after = {0};
        store_scan scan = {.table = &table_gateway};
        store_rows l = {0};
        json_t *items;
        int rc;

        if (!call_page(c, &scan.limit, &after.device)) {
                call_fail(c);
                return;
        }
        scan.after = after.device ? &after : NULL;
        rc = store_row_find(c->api->opt.store, &scan, &c->arena, &l);
        if (rc < 0) {
                call_refused(c, "the gateways cannot be read", rc);
                return;
        }
        items = json_array();
        for (size_t i = 0; i < l.n; i++)
                if (!append_gateway(c, items, (gateway_row *)l.v + i)) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        call_reply(c, 200,
                   page_new(items, l.more ? id_text(((gateway_row *)l.v)[l.n - 1].device) : NULL));
}

/* The gateway of the path's first parameter. */
static bool find_gateway(call *c, store_device *d, gateway_row *r)
{
        int rc;

        if (!call_device(c, d))
                return false;
        rc = gateway_find(c->api->opt.store, d->id, &c->arena, r);
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "%.*s is no gateway.", (int)d->name.n,
                            d->name.p);
        else if (rc < 0)
                problem_err(&c->problem, rc, "the gateway cannot be read");
        return rc == 0;
}

static json_t *images_json(call *c, int64_t gateway)
{
        const gateway_image at = {.device = gateway};
        const store_scan scan = {
                .table = &table_gateway_image, .same = 1, .at = &at, .limit = 1000};
        store_rows l = {0};
        json_t *list = json_array();
        const gateway_image *v;
        bool ok = store_row_find(c->api->opt.store, &scan, &c->arena, &l) == 0;

        v = l.v;
        for (size_t i = 0; ok && i < l.n; i++) {
                json_t *o = json_object();

                ok = put_text(o, "package", v[i].name) && put_text(o, "sha256", v[i].sha256) &&
                     put_cstr(o, "state", image_states[v[i].state % ODM_COUNT(image_states)]) &&
                     put_ms(o, "since", v[i].at) &&
                     (!v[i].reason.n || put_text(o, "reason", v[i].reason));
                ok = json_array_append_new(list, o) == 0 && ok;
        }
        if (ok)
                return list;
        json_decref(list);
        return NULL;
}

static void gateway_show(call *c)
{
        store_device d;
        gateway_row r;
        json_t *o;

        if (!find_gateway(c, &d, &r)) {
                call_fail(c);
                return;
        }
        o = gateway_json(c, &d, &r);
        if (o && json_object_set_new(o, "images", images_json(c, d.id)) < 0) {
                json_decref(o);
                o = NULL;
        }
        call_reply(c, 200, o);
}

static bool append_child(call *c, json_t *items, const gateway_child *v, bool addresses)
{
        store_device d;
        json_t *o;
        int rc = store_device_get(c->api->opt.store, v->device, &c->arena, &d);

        if (rc == ODM_ENOENT || (rc == 0 && !call_sees(c, d.name)))
                return true;
        if (rc < 0)
                return false;
        o = json_object();
        if (put_text(o, "device", d.name) && put_text(o, "devid", d.devid) &&
            put_cstr(o, "state", store_device_state_name(d.state)) &&
            put_bool(o, "is_gateway", v->component == 1) && put_child(o, v, addresses))
                return json_array_append_new(items, o) == 0;
        json_decref(o);
        return false;
}

static void gateway_devices(call *c)
{
        odm_str cursor = call_query(c, "cursor");
        gateway_child at, after;
        store_scan scan = {.table = &table_gateway_child, .index = CHILD_BY_KEY, .same = 1};
        store_rows l = {0};
        store_device d;
        gateway_row r;
        json_t *items;
        const gateway_child *v;
        int64_t limit;
        bool addresses;
        int rc;

        if (!find_gateway(c, &d, &r) || !call_query_int(c, "limit", 1, 1000, 100, &limit) ||
            !call_admin_flag(c, "addresses", &addresses)) {
                call_fail(c);
                return;
        }
        at = (gateway_child){.gateway = d.id};
        after = (gateway_child){.gateway = d.id, .key = cursor, .device = INT64_MAX};
        scan.at = &at;
        scan.after = cursor.p ? &after : NULL;
        scan.limit = (uint32_t)limit;
        rc = store_row_find(c->api->opt.store, &scan, &c->arena, &l);
        if (rc < 0) {
                call_refused(c, "the devices cannot be read", rc);
                return;
        }
        v = l.v;
        items = json_array();
        for (size_t i = 0; i < l.n; i++)
                if (!append_child(c, items, &v[i], addresses)) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        call_reply(
                c, 200,
                page_new(items, l.more ? json_stringn(v[l.n - 1].key.p, v[l.n - 1].key.n) : NULL));
}

/* ---- wishes ---------------------------------------------------------------------------------- */

/* c->data: how many devices it is about; NULL: that is not told. */
static void on_accepted(call *c, store_batch *b, int rc)
{
        const uint64_t *devices = c->data;

        (void)b;
        if (rc < 0)
                call_refused(c, "the gateway cannot be told", rc);
        else if (devices)
                call_reply(c, 202, json_pack("{s:I}", "devices", (json_int_t)*devices));
        else
                call_empty(c, 202);
}

static void wish(call *c, const store_device *d, const char *event)
{
        store_batch *b = call_batch(c, event, d->id, d->name, "");

        if (b && call_event(c, b, event, d->id, d->name)) {
                call_commit(c, b, on_accepted);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

/* One that has told nothing yet may be asked, too. */
static void gateway_sync(call *c)
{
        store_device d;

        if (call_device(c, &d))
                wish(c, &d, "gateway.sync");
        else
                call_fail(c);
}

static void gateway_forget(call *c)
{
        uint64_t *behind = odm_new(&c->arena, uint64_t);
        store_device d;
        gateway_row r;
        int rc;

        if (!behind || !find_gateway(c, &d, &r) || !reach_end(c, d.id)) {
                call_fail(c);
                return;
        }
        rc = count(c, d.id, behind);
        if (rc < 0) {
                call_refused(c, "its devices cannot be counted", rc);
                return;
        }
        c->data = behind;
        wish(c, &d, "gateway.forget");
}

/* ---- elsewhere ------------------------------------------------------------------------------- */

static void on_changed(call *c, store_batch *b, int rc)
{
        (void)b;
        if (rc == ODM_EEXIST)
                problem_set(&c->problem, PROBLEM_STATE, "Another device has that devid.");
        if (rc < 0)
                call_refused(c, "the device cannot be changed", rc);
        else
                call_empty(c, 204);
}

typedef struct place {
        store_device d, other;
        gateway_child child; /* as it will be */
        presence_row presence;
        store_account account; /* as it will be */
        account_told told;     /* what was made up for it */
        bool has_other, has_account, has_child;
        bool removes; /* the other device goes, by the word of who asks */
} place;

static bool put_rows(call *c, store_batch *b, place *p)
{
        store_op *child, *add, *patch, *route;

        if (!call_op(c, b, STORE_ROW_PUT, &child) || !call_op(c, b, STORE_ROW_ADD, &add) ||
            !call_op(c, b, STORE_ROW_PATCH, &patch))
                return false;
        p->child.device = p->presence.device = p->d.id;
        p->presence.gateway = p->child.gateway;
        p->presence.relayed = p->child.gateway && p->child.mode != GATEWAY_TRANSPARENT;
        child->row = (store_row_op){.table = &table_gateway_child, .row = &p->child};
        add->row = (store_row_op){.table = &table_presence, .row = &p->presence};
        add->lenient = patch->lenient = true;
        patch->row = add->row;
        patch->row.fields = STORE_FIELD(PF_GATEWAY) | STORE_FIELD(PF_RELAYED);
        if (!p->presence.relayed)
                return true;
        if (!call_op(c, b, STORE_DEVICE_PATCH, &route)) /* not by calls of its own, so far */
                return false;
        route->device_patch = (store_device_patch){
                .fields = STORE_DF_ROUTE,
                .to = {.id = p->d.id, .route = ODM_STR("gateway"), .updated = c->now}};
        return true;
}

/* What is wrong with the place `p` is to have, which is behind `g`. */
static bool is_free(call *c, const place *p, const store_device *g)
{
        store *st = c->api->opt.store;
        gateway_child other = {.device = 0};
        bool above = false;
        int rc = gateway_is_above(st, g->id, p->d.id, &c->arena, &above);

        if (rc == 0 && g->id == p->d.id)
                problem_at(&c->problem, "gateway", "has to be another device");
        else if (rc == 0 && above)
                problem_at(&c->problem, "gateway", "is behind the device itself");
        if (rc == 0)
                rc = gateway_find_key(st, g->id, p->child.key, &c->arena, &other);
        if (rc == 0 && other.device != p->d.id)
                problem_at(&c->problem, "key", "is that of another device there");
        else if (rc < 0 && rc != ODM_ENOENT)
                problem_err(&c->problem, rc, "the gateway cannot be read");
        return !problem_is(&c->problem);
}

static bool read_place(call *c, place *p)
{
        odm_str name = ODM_ABSENT, key = ODM_ABSENT;
        unsigned mode = p->child.mode ? p->child.mode - 1 : GATEWAY_ADAPTATION - 1;
        store_device g;
        gateway_row row;
        jread r;
        int has, rc = 0;

        jread_init(&r, c->body, "", &c->problem);
        has = jread_text_or_null(&r, "gateway", 1, 128, &name);
        if (has == 0)
                (void)jread_missing(&r, "gateway");
        if (jread_text(&r, "key", 1, GATEWAY_KEY_MAX, &key) == 1 && !gateway_key_ok(key))
                (void)jread_wrong(&r, "key", "is none that a gateway can have");
        (void)jread_word(&r, "mode", modes, &mode);
        if (has == 1 && !key.p && !problem_is(&c->problem))
                (void)jread_missing(&r, "key");
        jread_end(&r);
        if (problem_is(&c->problem))
                return false;
        p->child.gateway = p->child.claimed = 0;
        p->child.claim_key = ODM_STR("");
        if (has == 2)
                return true;
        rc = call_sees(c, name) ? store_device_by_name(c->api->opt.store, name, &c->arena, &g)
                                : ODM_ENOENT;
        if (rc == 0)
                rc = gateway_find(c->api->opt.store, g.id, &c->arena, &row);
        if (rc == ODM_ENOENT)
                problem_at(&c->problem, "gateway", "is none that there is");
        else if (rc < 0)
                problem_err(&c->problem, rc, "the gateway cannot be read");
        if (rc < 0)
                return false;
        p->child.key = key;
        if (!is_free(c, p, &g))
                return false;
        p->child.moves += p->child.gateway && p->child.gateway != g.id;
        p->child.gateway = g.id;
        p->child.mode = mode + 1;
        p->child.since = p->child.seen = c->now;
        p->child.lost = row.lost;
        return true;
}

static bool read_child(call *c, const store_device *d, gateway_child *out, bool *there)
{
        int rc = gateway_find_child(c->api->opt.store, d->id, &c->arena, out);

        *there = rc == 0;
        if (rc == ODM_ENOENT)
                *out = (gateway_child){.device = d->id, .state = GATEWAY_ACTIVE};
        else if (rc < 0)
                problem_err(&c->problem, rc, "the device cannot be read");
        return rc == 0 || rc == ODM_ENOENT;
}

static void device_move(call *c)
{
        place *p = odm_new(&c->arena, place);
        store_batch *b = NULL;

        if (p && call_device(c, &p->d) && read_child(c, &p->d, &p->child, &p->has_child) &&
            read_place(c, p))
                b = call_batch(c, "device.move", p->d.id, p->d.name, "");
        if (b && put_rows(c, b, p) && call_event(c, b, "device.placed", p->d.id, p->d.name)) {
                call_commit(c, b, on_changed);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

/* ---- a new unit under the old name ------------------------------------------------------------- */

static bool is_other_unit(call *c, const place *p)
{
        store *st = c->api->opt.store;
        bool above = false, below = false;
        int rc;

        if (p->other.id == p->d.id) {
                problem_at(&c->problem, "devid", "is that of the device already");
                return false;
        }
        if (!call_sees(c, p->other.name)) {
                problem_at(&c->problem, "devid", "is that of a device this token does not see");
                return false;
        }
        rc = gateway_is_above(st, p->d.id, p->other.id, &c->arena, &above);
        if (rc == 0)
                rc = gateway_is_above(st, p->other.id, p->d.id, &c->arena, &below);
        if (rc < 0)
                problem_err(&c->problem, rc, "the new unit cannot be read");
        else if (above)
                problem_at(&c->problem, "devid", "is that of a gateway in front of the device");
        else if (below)
                problem_at(&c->problem, "devid", "is that of a device behind it");
        else if (!p->removes)
                problem_set(&c->problem, PROBLEM_EXISTS,
                            "%.*s has that DevId, and would be removed with its jobs and history",
                            (int)p->other.name.n, p->other.name.p);
        return !problem_is(&c->problem);
}

/* The account that the new unit has; without one that of the old unit, with which that cannot prove
 * anything any more. */
static bool read_account(call *c, place *p)
{
        store *st = c->api->opt.store;
        store_account *a = &p->account;
        bool own;
        int rc = p->has_other ? store_account_get(st, p->other.id, &c->arena, a) : ODM_ENOENT;

        own = rc == 0;
        if (rc == ODM_ENOENT)
                rc = store_account_get(st, p->d.id, &c->arena, a);
        p->has_account = rc == 0;
        if (rc < 0 && rc != ODM_ENOENT) {
                problem_err(&c->problem, rc, "the account cannot be read");
                return false;
        }
        if (own) /* it has another name from now on, which the old unit's certificate may have */
                account_set_flag(a, STORE_ACCOUNT_BY_DEVID, a->flags & STORE_ACCOUNT_CERTIFICATE);
        else if (p->has_account)
                return account_renew(c, a, p->d.devid, p->other.devid, &p->told);
        return true;
}

static bool read_unit(call *c, place *p)
{
        store *st = c->api->opt.store;
        odm_str devid = ODM_ABSENT;
        jread r;
        int rc;

        jread_init(&r, c->body, "", &c->problem);
        if (jread_text(&r, "devid", 1, GATEWAY_ID_MAX, &devid) == 0)
                (void)jread_missing(&r, "devid");
        (void)jread_bool(&r, "remove", &p->removes);
        jread_end(&r);
        if (problem_is(&c->problem))
                return false;
        rc = store_device_by_devid(st, devid, &c->arena, &p->other);
        p->has_other = rc == 0;
        if (rc == ODM_ENOENT)
                p->other = (store_device){.devid = devid, .state = STORE_DEVICE_PROVISIONED};
        else if (rc < 0)
                problem_err(&c->problem, rc, "the new unit cannot be read");
        if (problem_is(&c->problem) || (p->has_other && !is_other_unit(c, p)) ||
            !read_account(c, p))
                return false;
        if (!store_device_welcome(p->other.state)) /* by this an operator lets it in */
                p->other.state = STORE_DEVICE_PROVISIONED;
        return !problem_is(&c->problem);
}

/* Where the name is from now on: where the new unit is, or nowhere until that tells. */
static bool find_place(call *c, place *p)
{
        if (p->has_other && !read_child(c, &p->other, &p->child, &p->has_child))
                return false;
        if (p->has_child)
                return true;
        if (!read_child(c, &p->d, &p->child, &p->has_child))
                return false;
        p->child.gateway = 0;
        return true;
}

/* What was known of the unit that is new is known of the name now, and nothing of the old one. */
static bool put_unit(call *c, store_batch *b, place *p)
{
        static const store_tree_change gone = {.kind = STORE_TREE_GONE, .path = {".", 1}};
        store_op *op;

        if (p->has_other &&
            !(call_op(c, b, STORE_DEVICE_DELETE, &op) && (op->of = p->other.id, true) &&
              call_event(c, b, "device.removed", p->other.id, p->other.name)))
                return false;
        if (!call_op(c, b, STORE_DEVICE_PATCH, &op))
                return false;
        op->device_patch = (store_device_patch){
                .fields = STORE_DF_DEVID | STORE_DF_STATE | STORE_DF_MAKER | STORE_DF_MODEL |
                          STORE_DF_HWV | STORE_DF_FWV | STORE_DF_SWV | STORE_DF_DMV |
                          STORE_DF_ADDRESS | STORE_DF_REACHED | STORE_DF_WAKE_REPORTED |
                          STORE_DF_ROUTE | STORE_DF_LAST_CONTACT,
                .expect_rev = p->d.rev,
                .to = p->other};
        op->device_patch.to.id = p->d.id;
        op->device_patch.to.updated = c->now;
        if (!call_op(c, b, STORE_TREE_UPDATE, &op))
                return false;
        op->tree.device = p->d.id;
        op->tree.at = c->now;
        op->tree.v = &gone;
        op->tree.n = 1;
        if (!p->has_account)
                return true;
        if (!call_op(c, b, STORE_ACCOUNT_PUT, &op))
                return false;
        op->account = p->account;
        op->account.device = p->d.id;
        if (!call_op(c, b, STORE_NONCES, &op))
                return false;
        op->nonces = (store_nonces){.device = p->d.id,
                                    .nonce = p->account.nonce,
                                    .previous = p->account.previous,
                                    .server_nonce = p->account.server_nonce};
        return true;
}

static bool tell_unit(call *c, store_batch *b, const place *p)
{
        store_op *op;
        json_t *o =
                json_pack("{s:s%, s:s%, s:s%, s:s%}", "device", p->d.name.p, p->d.name.n, "from",
                          p->d.devid.p ? p->d.devid.p : "", p->d.devid.n, "to", p->other.devid.p,
                          p->other.devid.n, "actor", c->who.name.p, c->who.name.n);
        char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
        odm_str data = text ? odm_arena_copy(&c->arena, odm_cstr(text)) : ODM_ABSENT;

        free(text);
        json_decref(o);
        if (!data.p || !call_op(c, b, STORE_EVENT_ADD, &op))
                return false;
        op->event = (store_event){
                .at = c->now, .device = p->d.id, .kind = ODM_STR("device.replaced"), .data = data};
        return true;
}

/* That one is here ends what was said of the other's silence. */
static bool tell_state(call *c, store_batch *b, const place *p)
{
        bool here = p->other.state == STORE_DEVICE_ACTIVE || p->other.state == STORE_DEVICE_ASLEEP;
        store_op *op;

        if (!here || p->d.state == p->other.state)
                return true;
        if (!call_op(c, b, STORE_EVENT_ADD, &op))
                return false;
        op->event = (store_event){.at = c->now,
                                  .device = p->d.id,
                                  .kind = p->other.state == STORE_DEVICE_ACTIVE
                                                  ? ODM_STR("device.active")
                                                  : ODM_STR("device.asleep"),
                                  .data = odm_arena_fmt(&c->arena, "{\"from\":\"%s\"}",
                                                        store_device_state_name(p->d.state))};
        return op->event.data.p != NULL;
}

static void on_replaced(call *c, store_batch *b, int rc)
{
        const place *p = c->data;
        const api_hooks *h = &c->api->opt.hooks;

        if (rc == 0 && h->device_changed) {
                h->device_changed(h->ctx, p->d.id);
                if (p->has_other)
                        h->device_changed(h->ctx, p->other.id);
        }
        if (rc < 0 || !p->told.server_password.p) {
                on_changed(c, b, rc);
                return;
        }
        json_t *o = json_object();
        if (o && !(put_text(o, "password", p->told.password) &&
                   put_text(o, "server_password", p->told.server_password))) {
                json_decref(o);
                o = NULL;
        }
        c->secret = true;
        call_reply(c, 200, o);
}

static void device_replace(call *c)
{
        place *p = odm_new(&c->arena, place);
        store_batch *b = NULL;
        gateway_row row;
        bool is_gateway = false;

        if (p && call_device(c, &p->d) && read_unit(c, p) && find_place(c, p)) {
                is_gateway = gateway_find(c->api->opt.store, p->d.id, &c->arena, &row) == 0 ||
                             (p->has_other &&
                              gateway_find(c->api->opt.store, p->other.id, &c->arena, &row) == 0);
                b = call_batch(c, "device.replace", p->d.id, p->d.name, "");
        }
        c->data = p;
        if (b && put_unit(c, b, p) && (!p->has_child || put_rows(c, b, p)) && tell_unit(c, b, p) &&
            tell_state(c, b, p) && call_event(c, b, "device.placed", p->d.id, p->d.name) &&
            (!is_gateway || call_event(c, b, "gateway.sync", p->d.id, p->d.name))) {
                call_commit(c, b, on_replaced);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

#define GATEWAY "/api/v1/gateways/{name}"
#define DEVICE "/api/v1/devices/{name}"
const call_route gateway_routes[GATEWAY_ROUTES] = {
        {"GET", "/api/v1/gateways", ACCESS_VIEWER, "limit cursor", false, gateway_list},
        {"GET", GATEWAY, ACCESS_VIEWER, "", false, gateway_show},
        {"DELETE", GATEWAY, ACCESS_OPERATOR, "", false, gateway_forget},
        {"GET", GATEWAY "/devices", ACCESS_VIEWER, "limit cursor addresses", false,
         gateway_devices},
        {"POST", GATEWAY "/sync", ACCESS_OPERATOR, "", false, gateway_sync},
        {"POST", DEVICE "/move", ACCESS_OPERATOR, "", true, device_move},
        {"POST", DEVICE "/replace", ACCESS_OPERATOR, "", true, device_replace},
};
