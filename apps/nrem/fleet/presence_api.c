/* SPDX-License-Identifier: Apache-2.0 */
/* Presence in REST: what is expected of a device, and what an operator expects of it. */
#include "presence_api.h"

#include "presence_part.h"

static bool read_row(call *c, int64_t device, presence_row *out)
{
        const presence_row key = {.device = device};
        presence_row r = key;
        int rc = store_row_get(c->api->opt.store, &table_presence, &key, &c->arena, &r);

        if (rc == 0 || rc == ODM_ENOENT)
                rc = presence_read_told(c->api->opt.store, &c->arena, &r);
        if (rc < 0) {
                problem_err(&c->problem, rc, "what is expected of the device cannot be read");
                return false;
        }
        *out = r;
        return true;
}

/* Name of the gateway; absent where there is none that the token may see. */
static odm_str gateway_name(call *c, int64_t id)
{
        store_device d;

        if (id == 0 || store_device_get(c->api->opt.store, id, &c->arena, &d) < 0 ||
            !call_sees(c, d.name))
                return ODM_ABSENT;
        return d.name;
}

static bool put_wish(json_t *o, const char *name, int64_t v)
{
        return v == 0 || put_int(o, name, v < 0 ? 0 : v);
}

static json_t *presence_json(call *c, const store_device *d, const presence_row *r)
{
        presence_expectation x;
        json_t *o = json_object();
        int64_t interval;

        presence_expect(fleet_host_of(c->api->opt.fleet)->conf, r, &x);
        interval = presence_interval(&x);
        if (put_text(o, "device", d->name) &&
            put_cstr(o, "state", store_device_state_name(d->state)) &&
            put_ms(o, "last_seen", d->last_contact) &&
            put_int(o, "expected_every", interval / 1000) &&
            put_int(o, "awake_for", presence_awake(&x) / 1000) &&
            put_cstr(o, "expected_by",
                     r->relayed ? "gateway"
                     : x.wish   ? "operator"
                     : x.told   ? "device"
                                : "server") &&
            put_ms(o, "unreachable_at",
                   d->state == STORE_DEVICE_ACTIVE || d->state == STORE_DEVICE_ASLEEP
                           ? presence_lost_at(d->last_contact, &x)
                           : 0) &&
            put_wish(o, "interval", r->wish) && put_wish(o, "awake", r->wish_awake) &&
            put_text(o, "gateway", gateway_name(c, r->gateway)))
                return o;
        json_decref(o);
        return NULL;
}

static void presence_show(call *c)
{
        store_device d;
        presence_row r;

        if (call_device(c, &d) && read_row(c, d.id, &r))
                call_reply(c, 200, presence_json(c, &d, &r));
        else
                call_fail(c);
}

/* ---- change --------------------------------------------------------------------------------- */

/* Seconds; 0: never; null: as the device says. */
static void read_seconds(jread *r, const char *name, int64_t *out, uint64_t *fields, unsigned which)
{
        odm_str none;
        int64_t v = 0;
        int rc = json_is_null(json_object_get(r->obj, name))
                         ? jread_text_or_null(r, name, 0, 0, &none)
                         : jread_int(r, name, 0, PRESENCE_INTERVAL_MAX_S, &v);

        if (rc <= 0)
                return;
        *out = rc == 2 ? 0 : v ? v : PRESENCE_NEVER;
        *fields |= STORE_FIELD(which);
}

static void read_gateway(call *c, jread *r, const store_device *d, presence_row *row,
                         uint64_t *fields)
{
        odm_str name = ODM_ABSENT;
        store_device g;
        int rc = jread_text_or_null(r, "gateway", 1, 128, &name);

        if (rc <= 0)
                return;
        *fields |= STORE_FIELD(PF_GATEWAY);
        row->gateway = 0;
        if (rc == 2)
                return;
        rc = call_sees(c, name) ? store_device_by_name(c->api->opt.store, name, &c->arena, &g)
                                : ODM_ENOENT;
        if (rc == ODM_ENOENT)
                (void)jread_wrong(r, "gateway", "is none that there is");
        else if (rc < 0)
                problem_err(&c->problem, rc, "the gateway cannot be read");
        else if (g.id == d->id)
                (void)jread_wrong(r, "gateway", "has to be another device");
        else
                row->gateway = g.id;
}

typedef struct change {
        store_device d;
        presence_row row;
        uint64_t fields;
} change;

static bool read_change(call *c, change *n)
{
        jread r;

        if (!call_device(c, &n->d) || !read_row(c, n->d.id, &n->row))
                return false;
        jread_init(&r, c->body, "", &c->problem);
        read_seconds(&r, "interval", &n->row.wish, &n->fields, PF_WISH);
        read_seconds(&r, "awake", &n->row.wish_awake, &n->fields, PF_WISH_AWAKE);
        read_gateway(c, &r, &n->d, &n->row, &n->fields);
        jread_end(&r);
        return !problem_is(&c->problem);
}

static void on_changed(call *c, store_batch *b, int rc)
{
        (void)b;
        if (rc < 0)
                call_refused(c, "what is expected of the device cannot be changed", rc);
        else
                call_empty(c, 204);
}

static void presence_change(call *c)
{
        change *n = odm_new(&c->arena, change);
        store_batch *b = NULL;
        store_op *add, *patch;

        if (n && read_change(c, n))
                b = call_batch(c, "device.expect", n->d.id, n->d.name, "");
        if (b && call_op(c, b, STORE_ROW_ADD, &add) && call_op(c, b, STORE_ROW_PATCH, &patch) &&
            call_event(c, b, "device.expected", n->d.id, n->d.name)) {
                add->lenient = true;
                add->row = (store_row_op){.table = &table_presence, .row = &n->row};
                patch->row = add->row;
                patch->row.fields = n->fields;
                call_commit(c, b, on_changed);
                return;
        }
        store_batch_free(b);
        call_fail(c);
}

#define PRESENCE "/api/v1/devices/{name}/presence"
const call_route presence_routes[PRESENCE_ROUTES] = {
        {"GET", PRESENCE, ACCESS_VIEWER, "", false, presence_show},
        {"PATCH", PRESENCE, ACCESS_OPERATOR, "", true, presence_change},
};
