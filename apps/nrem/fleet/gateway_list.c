/* SPDX-License-Identifier: Apache-2.0 */
/* Inventories: the whole of a gateway that is new, single records of devices that are.  One thing
 * is asked for at a time, and what comes is worked in page by page: first the devices that are not
 * there are made, then all are taken.
 *
 *     few devices     all records with one Get
 *     many            the keys of all with one Get; each is a want then, and wants are asked for
 *                     LOOK_MOST at a time.  When none is left, the whole was read */
#include <string.h>

#include "gateway_part.h"
#include "gateway_relay.h"
#include "heap.h"
#include "log.h"

#define PAGE 100       /* records a batch */
#define LOOK_MOST 50   /* records asked for by one job */
#define WHOLE_MOST 200 /* of a gateway that may have so many, the keys are asked for first */
#define NAMES_PAGE 500
#define INVENTORY_MS 86400000

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

static int find_wants(gateways *s, odm_arena *a, int64_t gateway, bool asked, store_rows *out)
{
        const gateway_want at = {.device = gateway, .asked = asked};
        const store_scan scan = {.table = &table_gateway_want,
                                 .index = WANT_BY_ASKED,
                                 .same = 2,
                                 .at = &at,
                                 .limit = WHOLE_MOST};

        return store_row_find(s->host->store, &scan, a, out);
}

/* ---- asking ------------------------------------------------------------------------------- */

/* The first `n` wants of `l` are asked for by what is made now. */
static int mark_asked(fleet_turn *t, const store_rows *l, size_t n)
{
        const gateway_want *v = l->v;
        int rc = 0;

        for (size_t i = 0; i < n && rc == 0; i++) {
                gateway_want w = v[i];

                w.asked = true;
                rc = gateway_want_put(t, &w);
        }
        return rc;
}

static int ask(fleet_turn *t, gateway_row *row, gateway_form form, json_t *commands,
               uint64_t fields)
{
        int64_t before = row->serial;
        const gateway_new n = {.form = form,
                               .commands = commands,
                               .deadline = t->now + INVENTORY_MS,
                               .actor = ODM_STR("gateway")};
        int rc = gateway_task_new(t, row, &n, &row->asking);

        row->asked_at = t->now;
        fields |= STORE_FIELD(GW_asking) | STORE_FIELD(GW_asked_at);
        return rc == 0 ? gateway_count(t, row, before, fields) : rc;
}

/* What was asked for is not there yet; a job that nobody has told the end of does not count for
 * ever. */
static bool is_asking(const fleet_turn *t, const gateway_row *row)
{
        return row->asking &&
               !fleet_due(t->now, row->asked_at + 2 * INVENTORY_MS, 2 * INVENTORY_MS);
}

static int is_large(gateways *s, const gateway_row *row, const store_rows *wants, bool *out)
{
        const gateway_child at = {.gateway = row->device};
        const store_scan scan = {
                .table = &table_gateway_child, .index = CHILD_BY_KEY, .same = 1, .at = &at};
        uint64_t n = 0;
        int rc = store_row_count(s->host->store, &scan, WHOLE_MOST, &n);

        *out = row->large || wants->n + n >= WHOLE_MOST;
        return rc;
}

static int ask_all(gateways *s, fleet_turn *t, gateway_row *row, const store_rows *wants)
{
        bool large;
        int rc = is_large(s, row, wants, &large);

        if (rc < 0)
                return rc;
        row->wanted = 0;
        row->begun = t->now;
        row->reason = ODM_STR("");
        row->listing = false;
        rc = ask(t, row, large ? GATEWAY_NAMES : GATEWAY_INVENTORY,
                 large ? gateway_names_get() : gateway_inventory_get(NULL, 0),
                 STORE_FIELD(GW_wanted) | STORE_FIELD(GW_begun) | STORE_FIELD(GW_reason) |
                         STORE_FIELD(GW_listing));
        return rc < 0 || large ? rc : mark_asked(t, wants, wants->n);
}

static int ask_some(fleet_turn *t, gateway_row *row, const store_rows *l)
{
        const gateway_want *v = l->v;
        odm_str keys[LOOK_MOST];
        size_t n = 0;
        int rc;

        for (; n < l->n && n < LOOK_MOST; n++)
                keys[n] = v[n].key;
        rc = ask(t, row, GATEWAY_LOOK, gateway_inventory_get(keys, n), 0);
        return rc == 0 ? mark_asked(t, l, n) : rc;
}

/* ---- working in ----------------------------------------------------------------------------- */

void gateway_list_forget(gateways *s)
{
        odm_arena_done(&s->read_arena);
        odm_arena_init(&s->read_arena, &heap_mem, s->room);
        s->read = NULL;
        s->read_names = NULL;
        s->n_read = s->n_refused = s->n_names = 0;
        s->read_job = 0;
}

/* Those whose records could not be read are what the alert said of them. */
static int add_wanted(gateways *s, int64_t gateway)
{
        store_rows l = {0};
        gateway_record *v;
        const gateway_want *w;
        int rc = find_wants(s, &s->read_arena, gateway, true, &l);

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
                if (there || !w[i].id.n || !gateway_mode_name(w[i].mode))
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

/* The names in a list of children, "d0001/d0002". */
static int read_names(gateways *s, const store_value *items, size_t n)
{
        odm_str all = ODM_ABSENT;
        size_t most = 1;

        for (size_t i = 0; i < n && !all.p; i++)
                if (odm_str_is(items[i].uri, GATEWAY_RECORDS))
                        all = items[i].data;
        for (size_t i = 0; i < all.n; i++)
                most += all.p[i] == '/';
        s->read_names = odm_arena_get(&s->read_arena, most * sizeof *s->read_names);
        if (!s->read_names)
                return odm_arena_err(&s->read_arena);
        while (all.n) {
                size_t end = 0;
                odm_str key;

                while (end < all.n && all.p[end] != '/')
                        end++;
                key = odm_str_to(all, end);
                if (gateway_key_ok(key))
                        s->read_names[s->n_names++] = key;
                all = odm_str_from(all, end + 1);
        }
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
        if (row->names)
                rc = read_names(s, items, n);
        else
                rc = gateway_records_read(items, n, s->most, &s->read_arena, &s->read, &s->n_read,
                                          &s->n_refused);
        if (rc == 0 && !row->names && !row->whole)
                rc = add_wanted(s, row->device);
        if (rc == 0)
                s->read_job = row->job;
        return rc;
}

/* True when all devices of the page are there. */
static int make_missing(gateways *s, fleet_turn *t, const store_device *g, size_t from, size_t to,
                        bool *all)
{
        size_t places = 0;
        int rc = gateway_places(s, g->id, &places);

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
                        rc = gateway_make(s, t, g, &s->read[i], &places, &made);
                if (made)
                        *all = false;
        }
        return rc;
}

static int forget_want(gateways *s, fleet_turn *t, int64_t gateway, odm_str key)
{
        odm_arena *a = store_batch_arena(t->batch);
        gateway_want *w = odm_new(a, gateway_want);
        store_op *op = w ? fleet_row(t, STORE_ROW_DELETE, &table_gateway_want, w) : NULL;

        if (!op)
                return ODM_ENOMEM;
        *w = (gateway_want){.device = gateway, .key = odm_arena_copy(a, key)};
        op->lenient = true;
        return w->key.p ? gateway_early_ripe(s, t, gateway, key) : ODM_ENOMEM;
}

/* It was told to be asleep meanwhile, and is awake but for a moment.  *asked: the answer is what it
 * is wanted for; else it is to be read once more. */
static int take_told(gateways *s, fleet_turn *t, int64_t gateway, gateway_record *r, bool *asked)
{
        gateway_want w = {.device = gateway, .key = r->key};
        int rc = store_row_get(s->host->store, &table_gateway_want, &w, t->arena, &w);

        if (rc == 0 && w.naps && r->state == GATEWAY_ACTIVE)
                r->state = GATEWAY_ASLEEP;
        *asked = w.asked;
        return rc == ODM_ENOENT ? 0 : rc;
}

static int take_page(gateways *s, fleet_turn *t, const store_device *g, const gateway_row *row,
                     size_t from, size_t to)
{
        int rc = 0;

        for (size_t i = from; i < to && rc == 0; i++) {
                store_device d;
                bool asked;

                rc = take_told(s, t, g->id, &s->read[i], &asked);
                if (rc == 0)
                        rc = store_device_by_devid(s->host->store, s->read[i].id, t->arena, &d);
                if (rc == 0)
                        rc = gateway_take(s, t, g, row, &d, &s->read[i]);
                if (rc == ODM_ENOENT)
                        rc = 0;
                if (rc == 0 && row->whole && asked)
                        rc = forget_want(s, t, g->id, s->read[i].key);
        }
        return rc;
}

/* What was asked for was answered, or will not be. */
static int forget_wants(fleet_turn *t, gateways *s, int64_t gateway)
{
        store_rows l = {0};
        const gateway_want *v;
        int rc = find_wants(s, t->arena, gateway, true, &l);

        v = l.v;
        for (size_t i = 0; i < l.n && rc == 0; i++)
                rc = forget_want(s, t, gateway, v[i].key);
        return rc;
}

/* Who was not told of since it was asked for is detached by a sweep. */
static int whole_is_in(fleet_turn *t, const store_device *g, gateway_row *row, size_t devices,
                       size_t refused, uint64_t fields)
{
        int rc;

        row->read_at = t->now;
        row->sweep = GATEWAY_SWEEP_MISSING;
        row->swept = ODM_STR("");
        row->listing = false;
        log_info("the inventory of a gateway was read", log_str("gateway", g->name),
                 log_int("devices", (int64_t)devices), log_int("refused", (int64_t)refused));
        rc = fleet_tell(t, g->id, "gateway.inventory",
                        json_pack("{s:s%, s:I, s:I}", "device", g->name.p, g->name.n, "devices",
                                  (json_int_t)devices, "refused", (json_int_t)refused));
        fields |= STORE_FIELD(GW_read_at) | STORE_FIELD(GW_sweep) | STORE_FIELD(GW_swept) |
                  STORE_FIELD(GW_listing);
        return rc == 0 ? gateway_patch(t, row, fields) : rc;
}

static int all_in(gateways *s, fleet_turn *t, const store_device *g, gateway_row *row)
{
        uint64_t fields = STORE_FIELD(GW_job) | STORE_FIELD(GW_place) | STORE_FIELD(GW_listed);
        size_t devices = s->n_read, refused = s->n_refused;
        int rc = forget_wants(t, s, row->device);

        row->job = row->place = 0;
        row->listed += (int64_t)devices;
        gateway_list_forget(s);
        if (rc < 0)
                return rc;
        return row->whole ? whole_is_in(t, g, row, devices, refused, fields)
                          : gateway_patch(t, row, fields);
}

/* Each key is a want; of those that are there already more is known. */
static int want_names(gateways *s, fleet_turn *t, gateway_row *row)
{
        size_t from = s->read_job == row->job ? (size_t)row->place : 0, to;
        uint64_t fields = STORE_FIELD(GW_place);
        int rc = read_answer(s, row);

        to = from + NAMES_PAGE < s->n_names ? from + NAMES_PAGE : s->n_names;
        for (size_t i = from; i < to && rc == 0; i++) {
                gateway_want *w = odm_new(store_batch_arena(t->batch), gateway_want);
                store_op *op = w ? fleet_row(t, STORE_ROW_ADD, &table_gateway_want, w) : NULL;

                if (!op)
                        return ODM_ENOMEM;
                *w = (gateway_want){.device = row->device, .key = s->read_names[i]};
                w->key = odm_arena_copy(store_batch_arena(t->batch), w->key);
                op->lenient = true;
                rc = w->key.p ? 0 : ODM_ENOMEM;
        }
        if (rc < 0)
                return rc;
        row->place = (int64_t)to;
        if (to == s->n_names) {
                row->job = row->place = row->listed = 0;
                row->names = false;
                row->listing = true;
                fields |= STORE_FIELD(GW_job) | STORE_FIELD(GW_listed) | STORE_FIELD(GW_names) |
                          STORE_FIELD(GW_listing);
                gateway_list_forget(s);
        }
        return gateway_patch(t, row, fields);
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

/* The answer is more than there is room for: in smaller pieces, or nobody is said to be missing. */
static int give_up_answer(gateways *s, fleet_turn *t, gateway_row *row)
{
        uint64_t fields = STORE_FIELD(GW_job) | STORE_FIELD(GW_place);
        int rc = 0;

        gateway_list_forget(s);
        row->job = row->place = 0;
        if (row->whole && !row->large) {
                row->large = true;
                row->wanted = t->now;
                fields |= STORE_FIELD(GW_large) | STORE_FIELD(GW_wanted);
        } else {
                rc = forget_wants(t, s, row->device);
                row->names = row->listing = false;
                row->reason = ODM_STR("what it answers is too large");
                fields |= STORE_FIELD(GW_names) | STORE_FIELD(GW_listing) | STORE_FIELD(GW_reason);
        }
        return rc == 0 ? gateway_patch(t, row, fields) : rc;
}

/* ---- in turn ---------------------------------------------------------------------------------- */

int gateway_list_work(gateways *s, fleet_turn *t, gateway_row *row, bool *again)
{
        store_device g;
        store_rows l = {0};
        int rc = store_device_get(s->host->store, row->device, t->arena, &g);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        if (row->job) {
                *again = true;
                rc = row->names ? want_names(s, t, row) : work_in(s, t, &g, row);
                return rc == ODM_ELIMIT && s->read_job != row->job ? give_up_answer(s, t, row) : rc;
        }
        if (is_asking(t, row))
                return 0;
        rc = find_wants(s, t->arena, row->device, false, &l);
        if (rc < 0 || (!row->wanted && !l.n && !row->listing))
                return rc;
        *again = true;
        if (row->wanted)
                return ask_all(s, t, row, &l);
        if (l.n)
                return ask_some(t, row, &l);
        return whole_is_in(t, &g, row, (size_t)row->listed, 0, 0);
}

/* Whether one of the job's commands was answered so. */
static bool was_answered(gateways *s, fleet_turn *t, int64_t device, int64_t job, unsigned status)
{
        store_result_list l = {0};
        bool was = false;

        if (store_job_results(s->host->store, device, job, t->arena, &l) < 0)
                return false;
        for (size_t i = 0; i < l.n; i++)
                was = was || l.v[i].status == status;
        return was;
}

/* It could not be read; in smaller pieces, perhaps. */
static uint64_t all_failed(gateways *s, fleet_turn *t, gateway_row *row, int64_t job,
                           odm_str reason)
{
        if (!row->large && was_answered(s, t, row->device, job, ODM_ST_TOO_LARGE)) {
                row->large = true;
                row->wanted = t->now;
                return STORE_FIELD(GW_large) | STORE_FIELD(GW_wanted);
        }
        row->reason = odm_str_to(reason, odm_utf8_cut(reason, 240));
        return STORE_FIELD(GW_reason);
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
        if (k->id == row.asking) {
                row.asking = 0;
                fields |= STORE_FIELD(GW_asking);
        }
        if (row.job) { /* another answer is being worked in: then all once more */
                row.wanted = t->now;
                return gateway_patch(t, &row, fields | STORE_FIELD(GW_wanted));
        }
        if (k->form != GATEWAY_LOOK && !done)
                fields |= all_failed(s, t, &row, job, reason);
        row.names = k->form == GATEWAY_NAMES;
        if (row.names && !done)
                return gateway_patch(t, &row, fields);
        row.job = job;
        row.place = 0;
        row.whole = k->form == GATEWAY_INVENTORY && done;
        fields |= STORE_FIELD(GW_job) | STORE_FIELD(GW_place) | STORE_FIELD(GW_whole) |
                  STORE_FIELD(GW_names);
        return gateway_patch(t, &row, fields);
}
