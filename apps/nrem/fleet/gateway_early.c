/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts of devices behind a gateway that are not known yet.  A session puts them down as
 * `gateway.early` of their gateway; here they are kept until the record was read, and are told as
 * the device's then, in their order: each is a row from the batch that heard it to the batch that
 * tells it.  What no record comes for is told as the gateway's.
 *
 *     unknown --> kept, with a want --(the want is done with)--> ripe --> told */
#include <stdio.h>
#include <string.h>

#include "gateway_part.h"
#include "log.h"

#define EARLY_MOST 10000 /* of one gateway; what is more is told as that's */
#define EARLY_OF_ONE 20  /* of one device */
#define EARLY_PAGE 50

/* ---- telling -------------------------------------------------------------------------------- */

/* As the device's behind it, whose address it has below the mount point. */
static int of_device(json_t *o, int64_t gateway, fleet_turn *t, bool *nested)
{
        odm_str key, rest, source = odm_cstr(json_string_value(json_object_get(o, "source")));
        char id[24];

        if (!gateway_mount_split(source, &key, &rest))
                return ODM_EINVAL;
        source = odm_arena_fmt(t->arena, ".%.*s", (int)rest.n, rest.p);
        *nested = gateway_mount_split(source, &key, &rest);
        (void)snprintf(id, sizeof id, "%lld", (long long)gateway);
        if (!source.p || json_object_set_new(o, "source", json_stringn(source.p, source.n)) < 0 ||
            (!json_object_get(o, "gateway") &&
             json_object_set_new(o, "gateway", json_string(id)) < 0))
                return ODM_ENOMEM;
        return 0;
}

/* `device` 0: as the gateway's.  `at`: when it came, if that was not now; it is said where the
 * device said no time. */
static int tell(fleet_turn *t, int64_t gateway, int64_t device, int64_t at, const json_t *data)
{
        json_t *o = json_deep_copy(data);
        char time[ODM_WALL_TEXT];
        bool nested = false;
        int rc = o && device ? of_device(o, gateway, t, &nested) : 0;

        odm_wall_format((odm_wall){at / 1000}, time);
        if (rc == 0 && o && at && !json_object_get(o, "time") &&
            json_object_set_new(o, "time", json_string(time)) < 0)
                rc = ODM_ENOMEM;
        if (rc < 0) {
                json_decref(o);
                return rc;
        }
        return fleet_tell(t, device ? device : gateway, nested ? GATEWAY_EARLY : "alert", o);
}

/* ---- keeping -------------------------------------------------------------------------------- */

static int count(fleet_turn *t, int64_t gateway, int64_t n)
{
        gateway_row *row = odm_new(store_batch_arena(t->batch), gateway_row);
        store_op *op = row ? fleet_row(t, STORE_ROW_PATCH, &table_gateway, row) : NULL;

        if (!op)
                return ODM_ENOMEM;
        *row = (gateway_row){.device = gateway, .early = n};
        op->row.fields = op->row.plus = STORE_FIELD(GW_early);
        op->lenient = true; /* it may have gone with its device */
        return 0;
}

static store_op *put(fleet_turn *t, store_op_kind kind, const gateway_early *e)
{
        odm_arena *a = store_batch_arena(t->batch);
        gateway_early *row = odm_new(a, gateway_early);

        if (!row)
                return NULL;
        *row = *e;
        row->key = odm_arena_copy(a, e->key);
        row->data = odm_arena_copy(a, e->data);
        return a->err ? NULL : fleet_row(t, kind, &table_gateway_early, row);
}

static int find(gateways *s, fleet_turn *t, int64_t gateway, odm_str key, store_rows *out)
{
        const gateway_early at = {.device = gateway, .key = key};
        const store_scan scan = {.table = &table_gateway_early,
                                 .same = key.p ? 2 : 1,
                                 .at = &at,
                                 .limit = key.p ? EARLY_OF_ONE : EARLY_PAGE};

        return store_row_find(s->host->store, &scan, t->arena, out);
}

/* Its record is under way, or will be asked for.  False: nobody would tell. */
static int is_coming(gateways *s, fleet_turn *t, gateway_row *row, odm_str key, bool *coming,
                     bool *wanted)
{
        gateway_want w = {.device = row->device, .key = key};
        int rc = store_row_get(s->host->store, &table_gateway_want, &w, t->arena, &w);

        *wanted = rc == 0;
        *coming = rc == 0 || row->wanted || row->asking || row->job || row->listing;
        return rc == ODM_ENOENT ? 0 : rc;
}

/* What is to become of it, whose device is `child` or 0: kept where others of that wait. */
static int keep_or_tell(gateways *s, fleet_turn *t, const fleet_event *ev, gateway_row *row,
                        odm_str key, int64_t child)
{
        gateway_early e = {.device = row->device, .key = key, .seq = ev->e.seq, .at = ev->e.at};
        bool coming = false, wanted = false;
        store_rows l = {0};
        store_op *op;
        int rc = find(s, t, row->device, key, &l);

        if (rc == 0)
                rc = is_coming(s, t, row, key, &coming, &wanted);
        if (rc == 0 && !l.n && (child || !coming))
                return tell(t, row->device, child, 0, ev->data);
        if (rc == 0 && (l.n >= EARLY_OF_ONE || row->early >= EARLY_MOST ||
                        ev->e.data.n > GATEWAY_EARLY_DATA)) {
                log_warn("too much is told by devices behind a gateway that are not known yet",
                         log_int("gateway", row->device), log_str("key", key));
                return tell(t, row->device, child, 0, ev->data);
        }
        if (rc == 0 && !wanted && !child) {
                rc = gateway_want_put(t, &(gateway_want){.device = row->device, .key = key});
                row->work = 1;
                if (rc == 0)
                        rc = gateway_patch(t, row, STORE_FIELD(GW_work));
        }
        if (rc < 0)
                return rc;
        e.ripe = !wanted && child;
        e.data = ev->e.data;
        op = put(t, STORE_ROW_PUT, &e);
        return op ? count(t, row->device, 1) : ODM_ENOMEM;
}

int gateway_early_heard(gateways *s, fleet_turn *t, const fleet_event *ev)
{
        odm_str key, rest;
        gateway_child c = {0};
        gateway_row row = {.device = ev->e.device};
        store_device g;
        int rc = store_device_get(s->host->store, ev->e.device, t->arena, &g);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        if (!gateway_mount_split(fleet_text(ev, "source"), &key, &rest))
                return tell(t, g.id, 0, 0, ev->data);
        rc = gateway_find_key(s->host->store, g.id, key, t->arena, &c);
        if (rc == 0 || rc == ODM_ENOENT)
                rc = gateway_allowed(s, &g) ? gateway_find(s->host->store, g.id, t->arena, &row)
                                            : ODM_ENOENT;
        if (rc == ODM_ENOENT) /* it is no gateway */
                return tell(t, g.id, c.device, 0, ev->data);
        return rc < 0 ? rc : keep_or_tell(s, t, ev, &row, key, c.device);
}

/* ---- ripe ----------------------------------------------------------------------------------- */

static int ripen(fleet_turn *t, const store_rows *l)
{
        const gateway_early *v = l->v;

        for (size_t i = 0; i < l->n; i++) {
                gateway_early e = v[i];
                store_op *op;

                if (e.ripe)
                        continue;
                e.ripe = 1;
                e.data = ODM_ABSENT;
                op = put(t, STORE_ROW_PATCH, &e);
                if (!op)
                        return ODM_ENOMEM;
                op->row.fields = STORE_FIELD(GY_ripe);
                op->lenient = true;
        }
        return 0;
}

int gateway_early_ripe(gateways *s, fleet_turn *t, int64_t gateway, odm_str key)
{
        store_rows l = {0};
        int rc = find(s, t, gateway, key, &l);

        return rc == 0 ? ripen(t, &l) : rc;
}

int gateway_early_all_ripe(gateways *s, fleet_turn *t, int64_t gateway, bool *any)
{
        store_rows l = {0};
        int rc = find(s, t, gateway, ODM_ABSENT, &l);

        *any = l.n > 0;
        return rc == 0 ? ripen(t, &l) : rc;
}

static int tell_ripe(gateways *s, fleet_turn *t, const gateway_early *e)
{
        gateway_child c = {0};
        json_t *data = json_loadb(e->data.p ? e->data.p : "", e->data.n, 0, NULL);
        store_op *op;
        int rc = gateway_find_key(s->host->store, e->device, e->key, t->arena, &c);

        if (rc == 0 || rc == ODM_ENOENT)
                rc = data ? tell(t, e->device, c.device, e->at, data) : 0;
        json_decref(data);
        op = rc == 0 ? put(t, STORE_ROW_DELETE, e) : NULL;
        if (!op)
                return rc < 0 ? rc : ODM_ENOMEM;
        return count(t, e->device, -1);
}

int gateway_early_tell(gateways *s, fleet_turn *t, bool *again)
{
        const gateway_early at = {.ripe = 1};
        const store_scan scan = {.table = &table_gateway_early,
                                 .index = EARLY_BY_RIPE,
                                 .same = 1,
                                 .at = &at,
                                 .limit = EARLY_PAGE};
        store_rows l = {0};
        int rc = store_row_find(s->host->store, &scan, t->arena, &l);

        for (size_t i = 0; rc == 0 && i < l.n; i++)
                rc = tell_ripe(s, t, (const gateway_early *)l.v + i);
        if (l.n)
                *again = true;
        return rc;
}
