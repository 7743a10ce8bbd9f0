/* SPDX-License-Identifier: Apache-2.0 */
/* device_row.c - the records as they are kept. */
#include <string.h>

#include "device_inner.h"
#include "heap.h"

#define PAGE 1000 /* rows of one read */

typedef struct gw_row { /* as it is kept */
        int64_t number;
        odm_str key, id, name, protocol, addr, addr_type, man, mod, dev_type, fwv, swv, hwv, mos,
                dms, reason;
        uint32_t state, mode, flaps;
        bool mode_set, is_gateway;
        int64_t attached, seen, wake_interval, awake, wake_set, next_wake, lifetime;
        bool told_asleep, renewed;
} gw_row;

static const field row_fields[] = {
        STORE_FIELD_OF(gw_row, number, I64),       STORE_FIELD_OF(gw_row, key, STR),
        STORE_FIELD_OF(gw_row, id, STR),           STORE_FIELD_OF(gw_row, name, STR),
        STORE_FIELD_OF(gw_row, protocol, STR),     STORE_FIELD_OF(gw_row, addr, STR),
        STORE_FIELD_OF(gw_row, addr_type, STR),    STORE_FIELD_OF(gw_row, man, STR),
        STORE_FIELD_OF(gw_row, mod, STR),          STORE_FIELD_OF(gw_row, dev_type, STR),
        STORE_FIELD_OF(gw_row, fwv, STR),          STORE_FIELD_OF(gw_row, swv, STR),
        STORE_FIELD_OF(gw_row, hwv, STR),          STORE_FIELD_OF(gw_row, mos, STR),
        STORE_FIELD_OF(gw_row, dms, STR),          STORE_FIELD_OF(gw_row, reason, STR),
        STORE_FIELD_OF(gw_row, state, U32),        STORE_FIELD_OF(gw_row, mode, U32),
        STORE_FIELD_OF(gw_row, flaps, U32),        STORE_FIELD_OF(gw_row, mode_set, BOOL),
        STORE_FIELD_OF(gw_row, is_gateway, BOOL),  STORE_FIELD_OF(gw_row, attached, I64),
        STORE_FIELD_OF(gw_row, seen, I64),         STORE_FIELD_OF(gw_row, wake_interval, I64),
        STORE_FIELD_OF(gw_row, awake, I64),        STORE_FIELD_OF(gw_row, wake_set, I64),
        STORE_FIELD_OF(gw_row, next_wake, I64),    STORE_FIELD_OF(gw_row, lifetime, I64),
        STORE_FIELD_OF(gw_row, told_asleep, BOOL), STORE_FIELD_OF(gw_row, renewed, BOOL),
};
static const record row_record = STORE_RECORD_OF(gw_row, row_fields);
static const store_index row_index[] = {{.name = "id", .fields = {2}, .n = 1, .unique = true}};
const store_table gw_table_device = {
        .name = "gw_device", .rec = &row_record, .n_key = 1, .index = row_index, .n_index = 1};

#define NEXT_KEY "gw.device.next" /* setting: the number of the next record */

static void fill_row(const rec *r, gw_row *row)
{
        const gw_device *d = &r->d;

        *row = (gw_row){.number = d->number,
                        .key = odm_cstr(d->key),
                        .id = d->id,
                        .name = d->name,
                        .protocol = d->protocol,
                        .addr = d->addr,
                        .addr_type = d->addr_type,
                        .man = d->man,
                        .mod = d->mod,
                        .dev_type = d->dev_type,
                        .fwv = d->fwv,
                        .swv = d->swv,
                        .hwv = d->hwv,
                        .mos = d->mos,
                        .dms = d->dms,
                        .reason = d->reason,
                        .state = d->state,
                        .mode = d->mode,
                        .flaps = d->flaps,
                        .mode_set = d->mode_set,
                        .is_gateway = d->is_gateway,
                        .attached = d->attached.s,
                        .seen = d->seen.s,
                        .wake_interval = d->wake_interval_s,
                        .awake = d->awake_s,
                        .wake_set = d->wake_set_s,
                        .next_wake = d->next_wake.s,
                        .lifetime = d->lifetime_s,
                        .told_asleep = r->told_asleep,
                        .renewed = r->renewed};
}

/* The number of the next record goes with the first batch that knows a new one. */
int device_put_next(devices *v, store_batch *b)
{
        store_op *op;

        if (!v->next_changed)
                return 0;
        op = store_batch_add(b, STORE_SETTING_PUT);
        if (!op)
                return ODM_ENOMEM;
        op->setting.key = ODM_STR(NEXT_KEY);
        op->setting.value = odm_arena_fmt(store_batch_arena(b), "%u", (unsigned)v->next);
        if (!op->setting.value.p)
                return ODM_ENOMEM;
        v->next_changed = false;
        return 0;
}

int device_put_row(rec *r, store_batch *b)
{
        gw_row *row = odm_new(store_batch_arena(b), gw_row);
        store_op *op = row ? store_batch_add(b, STORE_ROW_PUT) : NULL;

        if (!op)
                return ODM_ENOMEM;
        fill_row(r, row);
        op->row = (store_row_op){.table = &gw_table_device, .row = row};
        r->written_seen = r->d.seen.s;
        return record_copy(&row_record, row, store_batch_arena(b));
}

store_op *device_delete_row(store_batch *b, uint32_t number)
{
        gw_row *row = odm_new(store_batch_arena(b), gw_row);
        store_op *op = row ? store_batch_add(b, STORE_ROW_DELETE) : NULL;

        if (!op)
                return NULL;
        row->number = number;
        op->lenient = true;
        op->row = (store_row_op){.table = &gw_table_device, .row = row};
        return op;
}

int device_again(store_batch *b, const store_batch *failed)
{
        for (size_t i = 0; i < failed->n; i++) {
                const store_op *op = failed->ops[i];
                if (op->kind == STORE_ROW_DELETE && op->row.table == &gw_table_device &&
                    !device_delete_row(b, (uint32_t)((const gw_row *)op->row.row)->number))
                        return ODM_ENOMEM;
        }
        return 0;
}

static int load_row(devices *v, const gw_row *row)
{
        const odm_str t[DEVICE_TEXTS] = {row->id,       row->name,      row->addr, row->reason,
                                         row->protocol, row->addr_type, row->man,  row->mod,
                                         row->dev_type, row->fwv,       row->swv,  row->hwv,
                                         row->mos,      row->dms};
        int64_t now = loop_now().ms, wall = loop_wall().s;
        rec *r;

        if (row->number < 1 || row->number > UINT32_MAX || row->state >= ODM_INV_STATES ||
            row->mode > GW_ADAPTATION)
                return ODM_EMALFORMED;
        r = device_rec_new(v, (uint32_t)row->number, row->key.n && row->key.p[0] == 'g' ? 'g' : 'd',
                           t);
        if (!r)
                return ODM_ENOMEM;
        gw_device *d = &r->d;
        d->state = (gw_state)row->state;
        d->mode = (gw_mode)row->mode;
        d->mode_set = row->mode_set;
        d->is_gateway = row->is_gateway;
        d->flaps = row->flaps;
        d->attached.s = row->attached;
        d->seen.s = r->written_seen = row->seen;
        d->wake_interval_s = row->wake_interval;
        d->awake_s = row->awake;
        d->wake_set_s = row->wake_set;
        d->next_wake.s = row->next_wake;
        d->lifetime_s = row->lifetime;
        r->told_asleep = row->told_asleep;
        r->told_away = d->state != GW_ACTIVE && d->state != GW_ASLEEP;
        r->heard = now - (wall > row->seen ? wall - row->seen : 0) * 1000;
        if (row->next_wake > 0) { /* from then on, for the clock may have been set back */
                r->wake_due = r->heard + (row->next_wake - row->seen) * 1000;
                r->wake_due = r->wake_due > 0 ? r->wake_due : 1;
        }
        if (device_put_in(v, r) < 0) {
                device_rec_free(r);
                return ODM_ENOMEM;
        }
        if (row->renewed)
                device_many_renewed(r);
        if (v->next <= d->number)
                v->next = d->number + 1;
        return 0;
}

int device_load_next(devices *v)
{
        odm_arena a;
        odm_str text;
        uint64_t n = 1;
        int rc;

        odm_arena_init(&a, &heap_mem, 4096);
        rc = store_setting_get(v->g->store, ODM_STR(NEXT_KEY), &a, &text);
        if (rc == 0)
                rc = odm_str_u64(text, UINT32_MAX, &n);
        odm_arena_done(&a);
        v->next = (uint32_t)n;
        return rc == ODM_ENOENT ? 0 : rc;
}

int device_load_rows(devices *v)
{
        store_scan s = {.table = &gw_table_device, .limit = PAGE};
        gw_row last = {.number = 0};
        bool more = true;
        int rc = 0;

        while (rc == 0 && more) {
                odm_arena a;
                store_rows rows;
                odm_arena_init(&a, &heap_mem, (size_t)64 << 20);
                rc = store_row_find(v->g->store, &s, &a, &rows);
                for (size_t i = 0; rc == 0 && i < rows.n; i++)
                        rc = load_row(v, (const gw_row *)rows.v + i);
                more = rc == 0 && rows.more && rows.n > 0;
                if (more) {
                        last.number = ((const gw_row *)rows.v)[rows.n - 1].number;
                        s.after = &last;
                }
                odm_arena_done(&a);
        }
        return rc;
}
