/* SPDX-License-Identifier: Apache-2.0 */
/* Gateways on the log of events: what they tell, jobs of theirs that end, devices that are lost and
 * found; and the clock's work, a piece a batch. */
#include "gateway_api.h"

#include <stdlib.h>
#include <string.h>

#include "gateway_trigger.h"
#include "heap.h"
#include "log.h"
#include "metrics.h"

#define MOST 10000
#define ROOM ((size_t)256 << 20)
#define WORD_MS 999   /* gateways tell whole seconds: it attached then, or so much later */
#define MANY_MS 60000 /* a count of many devices is good for so long */
#define MOST_COUNTED 1000000

/* ---- pokes ---------------------------------------------------------------------------------- */

void gateway_poke(gateways *s, int64_t device)
{
        size_t i;

        pthread_mutex_lock(&s->lock);
        for (i = 0; i < s->n_poked && s->poked[i] != device; i++)
                ;
        if (i == GATEWAY_POKES) { /* they are found again */
                s->scan = true;
                s->scanned = 0;
        } else if (i == s->n_poked) {
                s->poked[s->n_poked++] = device;
        }
        pthread_mutex_unlock(&s->lock);
}

void gateway_unpoke(gateways *s, int64_t device)
{
        pthread_mutex_lock(&s->lock);
        for (size_t i = 0; i < s->n_poked; i++)
                if (s->poked[i] == device) {
                        memmove(s->poked + i, s->poked + i + 1,
                                (--s->n_poked - i) * sizeof *s->poked);
                        break;
                }
        pthread_mutex_unlock(&s->lock);
}

/* ---- open and close ---------------------------------------------------------------------------- */

static int gateways_open(const fleet_host *h, void **out, diag *d)
{
        gateways *s = calloc(1, sizeof *s);

        (void)d;
        if (!s)
                return ODM_ENOMEM;
        s->host = h;
        s->own_names = h->conf && cfg_enum(h->conf, "gateways.names") == 1;
        s->tagged = h->conf && cfg_bool(h->conf, "gateways.tagged");
        s->most = h->conf ? (uint32_t)cfg_int(h->conf, "gateways.devices") : MOST;
        s->room = ROOM;
        s->scan = true;
        pthread_mutex_init(&s->lock, NULL);
        odm_arena_init(&s->read_arena, &heap_mem, s->room);
        *out = s;
        return 0;
}

static void gateways_close(void *p)
{
        gateways *s = p;

        if (!s)
                return;
        odm_arena_done(&s->read_arena);
        pthread_mutex_destroy(&s->lock);
        free(s);
}

static void gateways_created(void *p, int64_t device, int64_t job)
{
        gateways *s = p;
        gateway_child c;
        odm_arena a;
        char block[2048];

        (void)job;
        odm_arena_init_on(&a, &heap_mem, 65536, block, sizeof block);
        if (gateway_find_child(s->host->store, device, &a, &c) != ODM_ENOENT)
                gateway_poke(s, device);
        odm_arena_done(&a);
}

/* ---- alerts ------------------------------------------------------------------------------------- */

static int want(fleet_turn *t, gateway_row *row, const gateway_want *w)
{
        int rc = gateway_want_put(t, w);

        row->work = 1;
        return rc == 0 ? gateway_patch(t, row, STORE_FIELD(GW_work)) : rc;
}

static int on_attached(gateways *s, fleet_turn *t, const store_device *g, gateway_row *row,
                       odm_str key, const gateway_word *w)
{
        const gateway_record r = {.key = key,
                                  .id = w->id,
                                  .protocol = w->protocol,
                                  .mode = w->mode,
                                  .component = w->component,
                                  .state = GATEWAY_ACTIVE,
                                  .seen = w->at ? w->at + WORD_MS : 0,
                                  .attached = true};
        gateway_child c;
        store_device d;
        int rc;

        if (!key.p || !gateway_mode_name(w->mode))
                return 0;
        rc = store_device_by_devid(s->host->store, w->id, t->arena, &d);
        if (rc == 0)
                rc = gateway_find_child(s->host->store, d.id, t->arena, &c);
        if (rc == 0)
                rc = gateway_take(s, t, g, row, &d, &r);
        if (rc != ODM_ENOENT)
                return rc;
        return want(t, row,
                    &(gateway_want){.device = g->id,
                                    .key = key,
                                    .id = w->id,
                                    .protocol = w->protocol,
                                    .mode = w->mode,
                                    .component = w->component});
}

static int on_detached(gateways *s, fleet_turn *t, const store_device *g, const gateway_word *w)
{
        gateway_child c = {.device = 0};
        store_device d;
        int rc = store_device_by_devid(s->host->store, w->id, t->arena, &d);

        if (rc == 0)
                rc = gateway_find_child(s->host->store, d.id, t->arena, &c);
        if (rc < 0 || c.gateway != g->id) /* behind another one by now */
                return rc == ODM_ENOENT ? 0 : rc;
        return gateway_told(s, t, &c, GATEWAY_DETACHED_STATE, gateway_detach_text(w->reason));
}

static const char *state_text(uint32_t state)
{
        return state == GATEWAY_DEACTIVATED   ? "its gateway switched it off"
               : state == GATEWAY_UNREACHABLE ? "its gateway cannot reach it"
                                              : "its gateway says so";
}

/* Of a device that is not known yet; what an attach said of it stays. */
static int want_told(gateways *s, fleet_turn *t, gateway_row *row, odm_str key, bool naps)
{
        gateway_want w = {.device = row->device, .key = key};
        int rc = store_row_get(s->host->store, &table_gateway_want, &w, t->arena, &w);

        w.naps = naps;
        w.asked = w.asked && naps;
        return rc == 0 || rc == ODM_ENOENT ? want(t, row, &w) : rc;
}

static int on_state(gateways *s, fleet_turn *t, const store_device *g, gateway_row *row,
                    odm_str key, odm_str data)
{
        gateway_child c;
        uint64_t state;
        int rc;

        if (!key.p || odm_str_u64(odm_str_trim(data), GATEWAY_STATES - 1, &state) < 0)
                return 0;
        rc = gateway_find_key(s->host->store, g->id, key, t->arena, &c);
        if (rc == 0)
                return gateway_told(s, t, &c, (uint32_t)state, state_text((uint32_t)state));
        return rc == ODM_ENOENT ? want_told(s, t, row, key, state == GATEWAY_ASLEEP) : rc;
}

/* Words with spaces between; `out` is empty at the end. */
static odm_str next_word(odm_str s, odm_str *out)
{
        size_t n = 0;

        s = odm_str_trim(s);
        while (n < s.n && s.p[n] != ' ')
                n++;
        *out = odm_str_to(s, n);
        return odm_str_from(s, n);
}

/* "2 d0001 d0002 ..": the habit of each, told when it changes (docs/gateway.md). */
static int on_states(gateways *s, fleet_turn *t, const store_device *g, gateway_row *row,
                     odm_str data)
{
        odm_str state, key, rest = next_word(data, &state);
        int rc = 0;

        for (rest = next_word(rest, &key); rc == 0 && key.n; rest = next_word(rest, &key))
                if (gateway_key_ok(key))
                        rc = on_state(s, t, g, row, key, state);
        return rc;
}

/* "d0001 d0002 ..": their records are read, also if that is under way. */
static int on_renewed(gateways *s, fleet_turn *t, gateway_row *row, odm_str data)
{
        odm_str key, rest = next_word(data, &key);
        int rc = 0;

        for (; rc == 0 && key.n; rest = next_word(rest, &key)) {
                gateway_want w = {.device = row->device, .key = key};
                if (!gateway_key_ok(key))
                        continue;
                rc = store_row_get(s->host->store, &table_gateway_want, &w, t->arena, &w);
                w.asked = false;
                if (rc == 0 || rc == ODM_ENOENT)
                        rc = want(t, row, &w);
        }
        return rc;
}

static int on_request(fleet_turn *t, const store_device *d, const fleet_event *ev,
                      const gateway_word *w, gateway_row *row)
{
        json_t *o = json_pack("{s:s%, s:s%}", "device", d->name.p, d->name.n, "kind", w->kind.p,
                              w->kind.n);

        if (o && w->detail.n &&
            json_object_set_new(o, "detail", json_stringn(w->detail.p, w->detail.n)) < 0) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        if (odm_str_is(w->kind, "resync") && row) {
                row->work = 1;
                row->wanted = t->now;
                if (gateway_patch(t, row, STORE_FIELD(GW_work) | STORE_FIELD(GW_wanted)) < 0) {
                        json_decref(o);
                        return ODM_ENOMEM;
                }
        }
        return fleet_tell(t, ev->e.device, "gateway.request", o);
}

static int hear_request(gateways *s, fleet_turn *t, const fleet_event *ev, const store_device *d)
{
        gateway_row row;
        gateway_word w;
        int rc = gateway_word_read(GATEWAY_REQUEST, fleet_text(ev, "data"), t->arena, &w);
        int known;

        if (rc < 0)
                return rc == ODM_EMALFORMED || rc == ODM_ELIMIT ? 0 : rc;
        known = gateway_find(s->host->store, d->id, t->arena, &row);
        if (known < 0 && known != ODM_ENOENT)
                return known;
        return on_request(t, d, ev, &w, known == 0 ? &row : NULL);
}

static int hear_of_devices(gateways *s, fleet_turn *t, const fleet_event *ev, gateway_news news,
                           const store_device *g)
{
        odm_str key = gateway_record_key(fleet_text(ev, "source")), data = fleet_text(ev, "data");
        gateway_word w = {0};
        gateway_row row;
        int rc = 0;

        if (!gateway_allowed(s, g)) {
                log_warn("a device that is no gateway tells of others; see gateways.tagged",
                         log_str("device", g->name));
                return 0;
        }
        if (news != GATEWAY_STATE && news != GATEWAY_RENEWED)
                rc = gateway_word_read(news, data, t->arena, &w);
        if (rc == ODM_EMALFORMED || rc == ODM_ELIMIT)
                return 0;
        if (rc == 0)
                rc = gateway_known(s, t, g, &row);
        if (rc < 0)
                return rc;
        switch (news) {
        case GATEWAY_ATTACHED: return on_attached(s, t, g, &row, key, &w);
        case GATEWAY_DETACHED: return on_detached(s, t, g, &w);
        case GATEWAY_RENEWED: return on_renewed(s, t, &row, data);
        default:
                return odm_str_is(fleet_text(ev, "source"), GATEWAY_RECORDS)
                               ? on_states(s, t, g, &row, data)
                               : on_state(s, t, g, &row, key, data);
        }
}

static int on_alert(gateways *s, fleet_turn *t, const fleet_event *ev)
{
        gateway_news news = gateway_news_of(fleet_text(ev, "type"));
        store_device d;
        int rc;

        if (news == GATEWAY_NONE || ev->e.device == 0)
                return 0;
        rc = store_device_get(s->host->store, ev->e.device, t->arena, &d);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        switch (news) {
        case GATEWAY_ATTACHED:
        case GATEWAY_DETACHED:
        case GATEWAY_STATE:
        case GATEWAY_RENEWED:
                s->late = fleet_text(ev, "time");
                rc = hear_of_devices(s, t, ev, news, &d);
                s->late = ODM_ABSENT;
                return rc;
        case GATEWAY_RESULTS: return gateway_results(s, t, ev);
        case GATEWAY_IMAGE: return gateway_image_told(s, t, ev);
        case GATEWAY_REQUEST: return hear_request(s, t, ev, &d);
        case GATEWAY_ADDRESS: return gateway_address_told(t, d.id, fleet_text(ev, "data"));
        case GATEWAY_VALUES:
                return gateway_allowed(s, &d) ? gateway_values(s, t, d.id, fleet_text(ev, "data"))
                                              : 0;
        default: return 0; /* those end jobs of the gateway */
        }
}

/* ---- devices and jobs -------------------------------------------------------------------------- */

static int begin_sweep(fleet_turn *t, gateway_row *row, gateway_sweep sweep)
{
        row->work = 1;
        row->sweep = sweep;
        row->swept = ODM_STR("");
        row->lost = sweep == GATEWAY_SWEEP_LOST;
        return gateway_patch(t, row,
                             STORE_FIELD(GW_work) | STORE_FIELD(GW_sweep) | STORE_FIELD(GW_swept) |
                                     STORE_FIELD(GW_lost));
}

/* Its rows have gone with it: what is left of them is taken care of under its number. */
static int on_removed(gateways *s, fleet_turn *t, const fleet_event *ev)
{
        const gateway_child at = {.gateway = ev->e.device};
        const store_scan scan = {
                .table = &table_gateway_child, .index = CHILD_BY_KEY, .same = 1, .at = &at};
        gateway_row *row = odm_new(store_batch_arena(t->batch), gateway_row);
        uint64_t any = 0;
        int rc = store_row_count(s->host->store, &scan, 1, &any);

        if (rc < 0 || !any)
                return rc;
        if (!row || !fleet_row(t, STORE_ROW_PUT, &table_gateway, row))
                return ODM_ENOMEM;
        *row = (gateway_row){.device = ev->e.device, .work = 1, .sweep = GATEWAY_SWEEP_GONE};
        return 0;
}

static int on_direct(gateways *s, fleet_turn *t, const fleet_event *ev)
{
        gateway_child c;
        store_device d;
        int rc = store_device_get(s->host->store, ev->e.device, t->arena, &d);

        if (rc == 0)
                rc = gateway_find_child(s->host->store, d.id, t->arena, &c);
        if (rc == 0)
                rc = gateway_leave(s, t, &d, &c);
        return rc == ODM_ENOENT ? 0 : rc;
}

static int on_device(gateways *s, fleet_turn *t, const fleet_event *ev)
{
        bool lost = odm_str_is(ev->e.kind, "device.unreachable");
        gateway_row row;
        int rc;

        if (odm_str_is(ev->e.kind, "device.removed"))
                return on_removed(s, t, ev);
        if (odm_str_is(ev->e.kind, "device.direct"))
                return on_direct(s, t, ev);
        if (odm_str_is(ev->e.kind, "device.active") || odm_str_is(ev->e.kind, "device.changed"))
                gateway_poke(s, ev->e.device); /* it may have jobs again */
        if (!lost && !odm_str_is(ev->e.kind, "device.active"))
                return 0;
        rc = gateway_find(s->host->store, ev->e.device, t->arena, &row);
        if (rc < 0 || row.lost == lost)
                return rc == ODM_ENOENT ? 0 : rc;
        return begin_sweep(t, &row, lost ? GATEWAY_SWEEP_LOST : GATEWAY_SWEEP_BACK);
}

/* There may be room for jobs that were left because there was none. */
static int look_for_left(gateways *s, fleet_turn *t, int64_t device)
{
        gateway_row row;
        int rc;

        if (!s->full)
                return 0;
        rc = gateway_find(s->host->store, device, t->arena, &row);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        s->full = false;
        pthread_mutex_lock(&s->lock);
        s->scan = true;
        s->scanned = 0;
        pthread_mutex_unlock(&s->lock);
        return 0;
}

static int on_job(gateways *s, fleet_turn *t, const fleet_event *ev)
{
        odm_str key = fleet_text(ev, "key");
        uint64_t id = 0;
        int rc = gateway_withdrawn(s, t, ev->e.device, fleet_id(ev, "job"));

        if (rc == 0)
                rc = look_for_left(s, t, ev->e.device);
        /* one of ours, at a gateway that is behind another, may have been relayed itself */
        if (rc < 0 || !odm_str_starts(key, GATEWAY_JOB_KEY) ||
            odm_str_u64(odm_str_from(key, sizeof GATEWAY_JOB_KEY - 1), INT64_MAX, &id) < 0)
                return rc;
        return gateway_task_ended(s, t, ev, (int64_t)id);
}

/* Somebody asks for the inventory, or for no gateway at all. */
static int on_wish(gateways *s, fleet_turn *t, const fleet_event *ev)
{
        gateway_row row;
        store_device d;
        int rc;

        if (odm_str_is(ev->e.kind, "gateway.sync")) {
                rc = store_device_get(s->host->store, ev->e.device, t->arena, &d);
                if (rc == 0)
                        rc = gateway_known(s, t, &d, &row);
                if (rc < 0)
                        return rc == ODM_ENOENT ? 0 : rc;
                row.work = 1;
                row.wanted = t->now;
                row.no_tasks = row.no_images = false; /* it may have learnt */
                return gateway_patch(t, &row,
                                     STORE_FIELD(GW_work) | STORE_FIELD(GW_wanted) |
                                             STORE_FIELD(GW_no_tasks) | STORE_FIELD(GW_no_images));
        }
        if (odm_str_is(ev->e.kind, "gateway.forget")) {
                rc = gateway_find(s->host->store, ev->e.device, t->arena, &row);
                if (rc < 0)
                        return rc == ODM_ENOENT ? 0 : rc;
                return begin_sweep(t, &row, GATEWAY_SWEEP_GONE);
        }
        return 0;
}

static int gateways_event(void *p, fleet_turn *t, const fleet_event *ev)
{
        gateways *s = p;

        if (odm_str_is(ev->e.kind, "alert"))
                return on_alert(s, t, ev);
        if (odm_str_is(ev->e.kind, GATEWAY_EARLY))
                return ev->e.device ? gateway_early_heard(s, t, ev) : 0;
        if (odm_str_starts(ev->e.kind, "gateway."))
                return ev->e.device ? on_wish(s, t, ev) : 0;
        if (odm_str_is(ev->e.kind, "device.placed")) {
                gateway_poke(s, ev->e.device);
                return gateway_put_back_all(s, t, ev->e.device);
        }
        if (odm_str_starts(ev->e.kind, "job."))
                return ev->e.device ? on_job(s, t, ev) : 0;
        return ev->e.device ? on_device(s, t, ev) : 0;
}

/* ---- the clock ------------------------------------------------------------------------------------ */

static int rest(fleet_turn *t, gateway_row *row)
{
        row->work = 0;
        return gateway_patch(t, row, STORE_FIELD(GW_work));
}

/* One gateway that has work; a piece of it. */
static int work(gateways *s, fleet_turn *t, bool *again)
{
        const gateway_row at = {.work = 1};
        const store_scan scan = {.table = &table_gateway,
                                 .index = GATEWAY_BY_WORK,
                                 .same = 1,
                                 .at = &at,
                                 .limit = 1};
        store_rows l = {0};
        gateway_row *row;
        bool more = false;
        int rc = store_row_find(s->host->store, &scan, t->arena, &l);

        if (rc < 0 || !l.n)
                return rc;
        row = l.v;
        *again = true;
        if (row->sweep != GATEWAY_SWEEP_NONE)
                return gateway_sweep_page(s, t, row);
        rc = gateway_go_loaded(s, t, row, &more);
        if (rc < 0 || more)
                return rc;
        rc = gateway_list_work(s, t, row, &more);
        return rc < 0 || more ? rc : rest(t, row);
}

static int gateways_tick(void *p, fleet_turn *t, int64_t *at)
{
        static int (*const pieces[])(gateways *, fleet_turn *, bool *) = {
                gateway_early_tell, work, gateway_tasks_look, gateway_scan, gateway_go};
        gateways *s = p;
        bool again = false;
        int rc = 0;

        for (size_t i = 0; i < ODM_COUNT(pieces) && rc == 0 && !again; i++)
                rc = pieces[i](s, t, &again);
        *at = again ? t->now : INT64_MAX;
        return rc;
}

/* ---- numbers --------------------------------------------------------------------------------------- */

/* Few are counted each time; many no oftener than every MANY_MS, since a count takes as long as
 * there are rows. */
static int count_behind(gateways *s, uint64_t *out)
{
        const store_scan all = {.table = &table_gateway_child};
        int64_t now = s->host->now(s->host->ctx);
        uint64_t n = 0, known = 0;
        int rc = store_row_count(s->host->store, &all, GATEWAY_FEW, &n);

        if (rc == 0 && n < GATEWAY_FEW)
                *out = n;
        if (rc < 0 || n < GATEWAY_FEW)
                return rc;
        pthread_mutex_lock(&s->lock);
        if (now >= s->counted && now - s->counted < MANY_MS)
                known = s->behind;
        pthread_mutex_unlock(&s->lock);
        if (known) {
                *out = known;
                return 0;
        }
        rc = store_row_count(s->host->store, &all, MOST_COUNTED, &n);
        if (rc < 0)
                return rc;
        pthread_mutex_lock(&s->lock);
        s->behind = n;
        s->counted = now;
        pthread_mutex_unlock(&s->lock);
        *out = n;
        return 0;
}

static int gateways_metrics(void *p, odm_buf *out)
{
        gateways *s = p;
        const struct row {
                const char *name, *label, *help;
                uint64_t value;
        } rows[] = {
                {"nrem_gateway_jobs_total", "way=\"direct\"",
                 "Jobs of devices that went through a gateway", atomic_load(&s->direct)},
                {"nrem_gateway_jobs_total", "way=\"fanout\"", NULL, atomic_load(&s->fanned)},
                {"nrem_gateway_fanouts_total", "", "Fan-outs that were given to gateways",
                 atomic_load(&s->tasks)},
                {"nrem_gateway_images_total", "", "Packages that gateways were told to fetch",
                 atomic_load(&s->loads)},
                {"nrem_gateway_ended_total", "", "Jobs that ended by what a gateway told",
                 atomic_load(&s->ended)},
        };
        const store_scan gateways_all = {.table = &table_gateway};
        uint64_t n = 0, m = 0;
        int rc = store_row_count(s->host->store, &gateways_all, 100000, &n);

        if (rc == 0)
                rc = count_behind(s, &m);
        if (rc == 0)
                rc = metrics_line(out, "nrem_gateways", "", "gauge", "Gateways", (double)n);
        if (rc == 0)
                rc = metrics_line(out, "nrem_gateway_devices", "", "gauge",
                                  "Devices behind gateways", (double)m);
        for (size_t i = 0; i < ODM_COUNT(rows) && rc == 0; i++)
                rc = metrics_line(out, rows[i].name, rows[i].label, "counter", rows[i].help,
                                  (double)rows[i].value);
        return rc;
}

static const store_table *const tables[] = {
        &table_gateway,         &table_gateway_child, &table_gateway_want,
        &table_gateway_relay,   &table_gateway_task,  &table_gateway_image,
        &table_gateway_address, &table_gateway_early, NULL};

const fleet_part part_gateway = {.name = "gateway",
                                 .tables = tables,
                                 .routes = gateway_routes,
                                 .n_routes = GATEWAY_ROUTES,
                                 .events = "alert device. job. gateway.",
                                 .open = gateways_open,
                                 .event = gateways_event,
                                 .tick = gateways_tick,
                                 .created = gateways_created,
                                 .describe = gateway_describe,
                                 .behind = gateway_behind,
                                 .covers = gateway_covers,
                                 .metrics = gateways_metrics,
                                 .close = gateways_close};
