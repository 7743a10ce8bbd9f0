/* SPDX-License-Identifier: Apache-2.0 */
/* Inventories: the whole of a gateway that is new, single records of devices that are.  What comes
 * is worked in page by page: first the devices that are not there are made, then all are taken. */
#include <string.h>

#include "gateway_part.h"
#include "gateway_relay.h"
#include "heap.h"
#include "log.h"

#define PAGE 100     /* records a batch */
#define LOOK_MOST 20 /* records asked for one by one; beyond that, the whole inventory */
#define INVENTORY_MS 86400000
#define READ_MEMORY ((size_t)256 << 20)

int gateway_want_put(fleet_turn *t, const gateway_want *w)
{
        odm_arena *a = store_batch_arena(t->batch);
        gateway_want *row = odm_new(a, gateway_want);

        if (!row || !fleet_row(t, STORE_ROW_PUT, &table_gateway_want, row))
                return ODM_ENOMEM;
        *row = *w;
        row->key = odm_arena_copy(a, w->key);
        row->id = odm_arena_copy(a, w->id);
        row->protocol = odm_arena_copy(a, w->protocol);
        return a->err ? odm_arena_err(a) : 0;
}

static int find_wants(gateways *s, odm_arena *a, int64_t gateway, store_rows *out)
{
        const gateway_want at = {.device = gateway};
        const store_scan scan = {
                .table = &table_gateway_want, .same = 1, .at = &at, .limit = 10000};

        return store_row_find(s->host->store, &scan, a, out);
}

/* ---- asking ------------------------------------------------------------------------------- */

/* The wants of `l` are asked for by what is made now. */
static int mark_asked(fleet_turn *t, const store_rows *l)
{
        const gateway_want *v = l->v;
        int rc = 0;

        for (size_t i = 0; i < l->n && rc == 0; i++) {
                gateway_want w = v[i];

                w.asked = true;
                rc = w.asked == v[i].asked ? 0 : gateway_want_put(t, &w);
        }
        return rc;
}

static int ask(fleet_turn *t, gateway_row *row, gateway_form form, json_t *commands,
               uint64_t fields)
{
        int64_t before = row->serial, id;
        const gateway_new n = {.form = form,
                               .commands = commands,
                               .deadline = t->now + INVENTORY_MS,
                               .actor = ODM_STR("gateway")};
        int rc = gateway_task_new(t, row, &n, &id);

        return rc == 0 ? gateway_count(t, row, before, fields) : rc;
}

static int ask_all(fleet_turn *t, gateway_row *row)
{
        row->wanted = 0;
        row->begun = t->now;
        row->reason = ODM_STR("");
        return ask(t, row, GATEWAY_INVENTORY, gateway_inventory_get(NULL, 0),
                   STORE_FIELD(GW_wanted) | STORE_FIELD(GW_begun) | STORE_FIELD(GW_reason));
}

static int ask_some(fleet_turn *t, gateway_row *row, const store_rows *l)
{
        const gateway_want *v = l->v;
        odm_str keys[LOOK_MOST];
        size_t n = 0;

        for (size_t i = 0; i < l->n && n < LOOK_MOST; i++)
                if (!v[i].asked)
                        keys[n++] = v[i].key;
        return ask(t, row, GATEWAY_LOOK, gateway_inventory_get(keys, n), 0);
}

/* What waits to be asked for. */
static size_t not_asked(const store_rows *l)
{
        const gateway_want *v = l->v;
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                n += !v[i].asked;
        return n;
}

/* ---- working in ----------------------------------------------------------------------------- */

void gateway_list_forget(gateways *s)
{
        odm_arena_done(&s->read_arena);
        odm_arena_init(&s->read_arena, &heap_mem, READ_MEMORY);
        s->read = NULL;
        s->n_read = s->n_refused = 0;
        s->read_job = 0;
}

/* Those whose records could not be read are what the alert said of them. */
static int add_wanted(gateways *s, int64_t gateway)
{
        store_rows l = {0};
        gateway_record *v;
        const gateway_want *w;
        int rc = find_wants(s, &s->read_arena, gateway, &l);

        w = l.v;
        v = rc == 0 ? odm_arena_zget(&s->read_arena, (s->n_read + l.n + 1) * sizeof *v) : NULL;
        if (!v)
                return rc < 0 ? rc : odm_arena_err(&s->read_arena);
        if (s->n_read)
                memcpy(v, s->read, s->n_read * sizeof *v);
        for (size_t i = 0; i < l.n; i++) {
                bool there = false;

                for (size_t k = 0; k < s->n_read && !there; k++)
                        there = odm_str_eq(v[k].key, w[i].key);
                if (there || !w[i].asked || !w[i].id.n || !gateway_mode_name(w[i].mode))
                        continue;
                v[s->n_read++] = (gateway_record){.key = w[i].key,
                                                  .id = w[i].id,
                                                  .protocol = w[i].protocol,
                                                  .mode = w[i].mode,
                                                  .component = w[i].component,
                                                  .state = GATEWAY_ACTIVE};
        }
        s->read = v;
        return 0;
}

static int read_answer(gateways *s, const gateway_row *row)
{
        store_result_list l = {0};
        store_value *items;
        size_t n = 0, k = 0;
        int rc;

        if (s->read_job == row->job)
                return 0;
        gateway_list_forget(s);
        rc = store_job_results(s->host->store, row->device, row->job, &s->read_arena, &l);
        for (size_t i = 0; rc == 0 && i < l.n; i++)
                n += l.v[i].n_items;
        items = rc == 0 ? odm_arena_zget(&s->read_arena, (n + 1) * sizeof *items) : NULL;
        if (!items)
                return rc < 0 && rc != ODM_ENOENT ? rc : odm_arena_err(&s->read_arena);
        for (size_t i = 0; i < l.n; i++)
                for (size_t j = 0; j < l.v[i].n_items; j++)
                        items[k++] = l.v[i].items[j];
        rc = gateway_records_read(items, n, s->most, &s->read_arena, &s->read, &s->n_read,
                                  &s->n_refused);
        if (rc == 0 && !row->whole)
                rc = add_wanted(s, row->device);
        if (rc == 0)
                s->read_job = row->job;
        return rc;
}

/* True when all devices of the page are there. */
static int make_missing(gateways *s, fleet_turn *t, const store_device *g, size_t from, size_t to,
                        bool *all)
{
        int rc = 0;

        *all = true;
        for (size_t i = from; i < to && rc == 0; i++) {
                bool made = false;
                store_device d;

                rc = store_device_by_devid(s->host->store, s->read[i].id, t->arena, &d);
                if (rc != ODM_ENOENT)
                        continue;
                for (size_t k = from; k < i && rc == ODM_ENOENT; k++)
                        if (odm_str_eq(s->read[k].id, s->read[i].id))
                                rc = 0; /* two keys for one */
                if (rc == ODM_ENOENT)
                        rc = gateway_make(s, t, g, &s->read[i], &made);
                if (made)
                        *all = false;
        }
        return rc;
}

static int take_page(gateways *s, fleet_turn *t, const store_device *g, const gateway_row *row,
                     size_t from, size_t to)
{
        int rc = 0;

        for (size_t i = from; i < to && rc == 0; i++) {
                store_device d;

                rc = store_device_by_devid(s->host->store, s->read[i].id, t->arena, &d);
                if (rc == 0)
                        rc = gateway_take(s, t, g, row, &d, &s->read[i]);
                rc = rc == ODM_ENOENT ? 0 : rc;
        }
        return rc;
}

static int forget_wants(fleet_turn *t, gateways *s, int64_t gateway)
{
        store_rows l = {0};
        gateway_want *v;
        int rc = find_wants(s, store_batch_arena(t->batch), gateway, &l);

        v = l.v;
        for (size_t i = 0; i < l.n && rc == 0 && t->batch->n < 2000; i++)
                if (v[i].asked) {
                        store_op *op = fleet_row(t, STORE_ROW_DELETE, &table_gateway_want, &v[i]);

                        if (!op)
                                return ODM_ENOMEM;
                        op->lenient = true;
                }
        return rc;
}

static int all_in(gateways *s, fleet_turn *t, const store_device *g, gateway_row *row)
{
        uint64_t fields = STORE_FIELD(GW_job) | STORE_FIELD(GW_place);
        int rc;

        row->job = row->place = 0;
        if (row->whole) {
                row->read_at = t->now;
                row->sweep = GATEWAY_SWEEP_MISSING;
                row->swept = ODM_STR("");
                fields |= STORE_FIELD(GW_read_at) | STORE_FIELD(GW_sweep) | STORE_FIELD(GW_swept);
                log_info("the inventory of a gateway was read", log_str("gateway", g->name),
                         log_int("devices", (int64_t)s->n_read),
                         log_int("refused", (int64_t)s->n_refused));
                rc = fleet_tell(t, g->id, "gateway.inventory",
                                json_pack("{s:s%, s:I, s:I}", "device", g->name.p, g->name.n,
                                          "devices", (json_int_t)s->n_read, "refused",
                                          (json_int_t)s->n_refused));
                if (rc < 0)
                        return rc;
        }
        gateway_list_forget(s);
        rc = forget_wants(t, s, row->device);
        return rc == 0 ? gateway_patch(t, row, fields) : rc;
}

static int work_in(gateways *s, fleet_turn *t, const store_device *g, gateway_row *row)
{
        /* An answer that is new here is worked in from its beginning, whatever the row says: the
         * place of the one before may have been written after it.  Twice does no harm. */
        size_t from = s->read_job == row->job ? (size_t)row->place : 0, to;
        bool all = true;
        int rc = read_answer(s, row);

        to = from + PAGE < s->n_read ? from + PAGE : s->n_read;
        if (rc == 0 && from < to)
                rc = make_missing(s, t, g, from, to, &all);
        if (rc < 0 || !all)
                return rc; /* those made are there the next time */
        if (from >= to)
                return all_in(s, t, g, row);
        rc = take_page(s, t, g, row, from, to);
        row->place = (int64_t)to;
        return rc == 0 ? gateway_patch(t, row, STORE_FIELD(GW_place)) : rc;
}

/* ---- in turn ---------------------------------------------------------------------------------- */

int gateway_list_work(gateways *s, fleet_turn *t, gateway_row *row, bool *again)
{
        store_device g;
        store_rows l = {0};
        size_t waiting;
        int rc = store_device_get(s->host->store, row->device, t->arena, &g);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        if (row->job) {
                *again = true;
                return work_in(s, t, &g, row);
        }
        rc = find_wants(s, t->arena, row->device, &l);
        waiting = not_asked(&l);
        if (rc < 0 || (!row->wanted && !waiting))
                return rc;
        *again = true;
        if (!row->wanted && waiting <= LOOK_MOST)
                rc = ask_some(t, row, &l);
        else
                rc = ask_all(t, row);
        return rc == 0 ? mark_asked(t, &l) : rc;
}

int gateway_list_ended(gateways *s, fleet_turn *t, const gateway_task *k, int64_t job, bool done,
                       odm_str reason)
{
        uint64_t fields = STORE_FIELD(GW_work);
        gateway_row row;
        int rc = gateway_find(s->host->store, k->device, t->arena, &row);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        row.work = 1;
        if (row.job) { /* another answer is being worked in: then all once more */
                row.wanted = t->now;
                return gateway_patch(t, &row, fields | STORE_FIELD(GW_wanted));
        }
        if (k->form == GATEWAY_INVENTORY && !done) {
                row.reason = odm_str_to(reason, odm_utf8_cut(reason, 240));
                fields |= STORE_FIELD(GW_reason);
        }
        row.job = job;
        row.place = 0;
        row.whole = k->form == GATEWAY_INVENTORY && done;
        fields |= STORE_FIELD(GW_job) | STORE_FIELD(GW_place) | STORE_FIELD(GW_whole);
        return gateway_patch(t, &row, fields);
}
