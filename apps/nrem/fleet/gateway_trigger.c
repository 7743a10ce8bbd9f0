/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_trigger.c - see gateway_trigger.h.  Triggers have few names at a gateway, by the number
 * of the device: what a name was used for before is replaced. */
#include "gateway_trigger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway_row.h"
#include "net.h"

#define NAMES 200 /* a gateway of ours keeps 256 */
#define URI_ROOM 160
#define ADDRESS_MOST 300

typedef struct address { /* of the gateway of a device, as the device told it */
        int64_t device;
        odm_str addr; /* "host:port"; empty: nowhere */
        int64_t at;
} address;

static const field address_fields[] = {STORE_FIELD_OF(address, device, I64),
                                       STORE_FIELD_OF(address, addr, STR),
                                       STORE_FIELD_OF(address, at, I64)};
static const record address_record = STORE_RECORD_OF(address, address_fields);
const store_table table_gateway_address = {
        .name = "gateway_address", .rec = &address_record, .n_key = 1};

/* ---- what a device told -------------------------------------------------------------------- */

static bool split(odm_str text, dm_way *out)
{
        char url[ADDRESS_MOST + 8];
        net_url u;

        if (odm_str_starts(text, "udp://"))
                text = odm_str_from(text, 6);
        if (!text.n || text.n > ADDRESS_MOST)
                return false;
        (void)snprintf(url, sizeof url, "udp://%.*s", (int)text.n, text.p);
        if (net_url_parse(odm_cstr(url), &u) < 0 || !u.host[0] || !u.port ||
            strlen(u.host) >= sizeof out->host)
                return false;
        (void)snprintf(out->host, sizeof out->host, "%s", u.host);
        out->port = u.port;
        return true;
}

int gateway_address_told(fleet_turn *t, int64_t device, odm_str told)
{
        odm_arena *a = store_batch_arena(t->batch);
        address *row = odm_new(a, address);
        odm_str text = odm_str_trim(told);
        dm_way w;

        if (!row || !fleet_row(t, STORE_ROW_PUT, &table_gateway_address, row))
                return ODM_ENOMEM;
        *row = (address){.device = device,
                         .addr = odm_arena_copy(a, split(text, &w) ? text : ODM_STR("")),
                         .at = t->now};
        return row->addr.p ? 0 : odm_arena_err(a);
}

/* ---- ways ---------------------------------------------------------------------------------------- */

static bool is_there(const store_device *g)
{
        return store_device_welcome(g->state) && g->state != STORE_DEVICE_UNREACHABLE &&
               g->state != STORE_DEVICE_PROVISIONED && g->state != STORE_DEVICE_DETACHED;
}

static int by_gateway(store *st, const store_device *d, odm_arena *a, dm_way *out)
{
        gateway_child c;
        store_device g;
        int rc = gateway_find_child(st, d->id, a, &c);

        if (rc < 0)
                return rc;
        if (!c.gateway || c.mode != GATEWAY_TRANSPARENT || c.lost || !d->devid.n)
                return ODM_ENOENT;
        rc = store_device_get(st, c.gateway, a, &g);
        if (rc < 0 || !is_there(&g))
                return rc < 0 ? rc : ODM_ENOENT;
        out->gateway = g.id;
        (void)snprintf(out->name, sizeof out->name, "%.*s", (int)odm_utf8_cut(g.name, 100),
                       g.name.p);
        return 0;
}

static int by_address(store *st, const store_device *d, odm_arena *a, dm_way *out)
{
        const address key = {.device = d->id};
        address row;
        int rc = store_row_get(st, &table_gateway_address, &key, a, &row);

        if (rc < 0)
                return rc;
        return split(row.addr, out) ? 0 : ODM_ENOENT;
}

int gateway_way_of(store *st, const store_device *d, odm_arena *a, dm_way *out)
{
        int rc;

        *out = (dm_way){.gateway = 0};
        rc = by_gateway(st, d, a, out);
        return rc == ODM_ENOENT ? by_address(st, d, a, out) : rc;
}

/* ---- triggers --------------------------------------------------------------------------------------- */

static bool put(json_t *list, json_t *o)
{
        return o && json_array_append_new(list, o) == 0;
}

static bool put_leaf(json_t *list, const char *base, const char *rel, const char *format,
                     const char *member, odm_str value)
{
        char uri[URI_ROOM];

        (void)snprintf(uri, sizeof uri, "%s/%s", base, rel);
        return put(list, json_pack("{s:s, s:s, s:s, s:s%}", "cmd", "add", "uri", uri, "format",
                                   format, member, value.p, value.n));
}

static json_t *commands(const store_device *d, const dm_package *p, odm_arena *a)
{
        char base[64], send[URI_ROOM], ttl[24];
        odm_str target = odm_arena_fmt(a, "dev:%.*s", (int)d->devid.n, d->devid.p);
        odm_str b64 = odm_b64_encode(a, p->octets);
        json_t *list = json_array();

        (void)snprintf(base, sizeof base, GATEWAY_TRIGGERS "/w%lld", (long long)(d->id % NAMES));
        (void)snprintf(send, sizeof send, "%s/Operations/Send", base);
        (void)snprintf(ttl, sizeof ttl, "%lld", (long long)p->ms / 1000 + 1);
        if (list && target.p && b64.p &&
            put(list, json_pack("{s:s, s:s, s:b}", "cmd", "delete", "uri", base, "optional", 1)) &&
            put(list, json_pack("{s:s, s:s, s:s}", "cmd", "add", "uri", base, "format", "node")) &&
            put_leaf(list, base, "Target", "chr", "data", target) &&
            put_leaf(list, base, "Notification", "bin", "data_base64", b64) &&
            put_leaf(list, base, "ServerID", "chr", "data", p->server_id) &&
            put_leaf(list, base, "TTL", "int", "data", odm_cstr(ttl)) &&
            put(list, json_pack("{s:s, s:s}", "cmd", "exec", "uri", send)))
                return list;
        json_decref(list);
        return NULL;
}

int gateway_carry(const dm_way *w, const store_device *d, const dm_package *p, store_batch *b)
{
        odm_arena *a = store_batch_arena(b);
        json_t *list = commands(d, p, a);
        char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
        odm_str kept = text ? odm_arena_copy(a, odm_cstr(text)) : ODM_ABSENT;
        store_op *op = kept.p ? store_batch_add(b, STORE_JOB_CREATE) : NULL;

        json_decref(list);
        free(text);
        if (!op)
                return ODM_ENOMEM;
        op->job = (store_job){.device = w->gateway,
                              .kind = ODM_STR("trigger"),
                              .commands = kept,
                              .priority = 1, /* somebody waits for the device */
                              .deadline = p->at + p->ms,
                              .max_attempts = 3,
                              .actor = ODM_STR("wake"),
                              .created = p->at,
                              .updated = p->at};
        return 0;
}
