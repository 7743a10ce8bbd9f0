/* SPDX-License-Identifier: Apache-2.0 */
/* Templates on the log of events and on the clock.
 *
 *     template --sweep, scan: a page a turn--> items --due--> job of Gets --> compared --> ...
 *
 * Items are found by when they are due; the first turns of a template that is new or has changed
 * are one after the other, so that a fleet does not call at once, and each keeps its place then. */
#include "template_part.h"

#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"

#define READ_MEMORY ((size_t)64 << 20)
#define DUE_PAGE 100
#define WALK_PAGE 200
#define STEP_MS 20         /* between the first turns of two devices */
#define PAUSE_MS 20        /* between two pages of a walk: others have their turn */
#define SCAN_EVERY 3600000 /* devices that came in another way are found */
#define LOOK_ITEMS 16      /* of a device, whose values the mirror may have */

/* ---- those there are ------------------------------------------------------------------------- */

static void free_all(template_known *k)
{
        while (k) {
                template_known *next = k->next;

                json_decref(k->json);
                odm_arena_done(&k->a);
                free(k);
                k = next;
        }
}

template_known *templates_find(const templates *s, int64_t id)
{
        template_known *k = s->all;

        while (k && k->row.id != id)
                k = k->next;
        return k;
}

static void begin(template_walk *w)
{
        *w = (template_walk){.on = true};
}

/* A walk goes on where it was when nothing has changed. */
static void take_over(template_known *k, const template_known *was, int64_t now)
{
        if (was && was->row.rev == k->row.rev) {
                k->sweep = was->sweep;
                k->scan = was->scan;
                k->sweep.after.p = k->sweep.room;
                k->scan.after.p = k->scan.room;
                k->all = was->all;
                k->slot = was->slot;
                return;
        }
        k->slot = now;
        begin(&k->sweep);
        if (!k->rests)
                begin(&k->scan);
}

static int read_one(const template_row *row, template_known **out)
{
        template_known *k = calloc(1, sizeof *k);
        problem p;
        int rc;

        if (!k)
                return ODM_ENOMEM;
        odm_arena_init(&k->a, &heap_mem, READ_MEMORY);
        k->row = *row;
        rc = record_copy(table_template.rec, &k->row, &k->a);
        if (rc == 0)
                k->json = json_loadb(k->row.spec.p, k->row.spec.n, 0, NULL);
        if (rc == 0 && !k->json)
                rc = ODM_ENOMEM;
        problem_init(&p);
        k->rests = !k->row.enabled;
        if (rc == 0 && !template_read(k->json, &p, &k->a, &k->spec)) {
                log_error("a template is not understood, and rests",
                          log_str("template", k->row.name), log_text("reason", p.detail));
                k->rests = true;
        }
        problem_done(&p);
        if (rc < 0)
                free_all(k);
        else
                *out = k;
        return rc;
}

/* In the order in which they decide. */
static void insert(template_known **all, template_known *k)
{
        while (*all && ((*all)->row.priority > k->row.priority ||
                        ((*all)->row.priority == k->row.priority && (*all)->row.id < k->row.id)))
                all = &(*all)->next;
        k->next = *all;
        *all = k;
}

/* Those known that are not among `all` are gone; their devices leave page by page. */
static void let_go(templates *s, const template_known *all)
{
        template_known *next;

        for (template_known *k = s->all; k; k = next) {
                const template_known *now = all;

                next = k->next;
                k->next = NULL;
                while (now && now->row.id != k->row.id)
                        now = now->next;
                if (now) {
                        free_all(k);
                        continue;
                }
                k->rests = true;
                begin(&k->sweep);
                k->scan.on = false;
                k->next = s->gone;
                s->gone = k;
        }
}

static int read_all(templates *s)
{
        const store_scan scan = {.table = &table_template, .limit = TEMPLATES_MAX};
        store_rows rows = {0};
        template_known *all = NULL;
        int64_t now = s->host->now(s->host->ctx);
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, READ_MEMORY);
        rc = store_row_find(s->host->store, &scan, &a, &rows);
        for (size_t i = 0; rc == 0 && i < rows.n; i++) {
                template_known *k = NULL;

                rc = read_one((const template_row *)rows.v + i, &k);
                if (rc == 0) {
                        take_over(k, templates_find(s, k->row.id), now);
                        insert(&all, k);
                }
        }
        odm_arena_done(&a);
        if (rc < 0) {
                free_all(all);
                return rc;
        }
        let_go(s, all);
        s->all = all;
        return 0;
}

/* ---- devices that come and go -------------------------------------------------------------------- */

static int items_of(fleet_turn *t, int64_t dev, store_rows *out)
{
        const template_item at = {.dev = dev};
        const store_scan scan = {
                .table = &table_template_item, .same = 1, .at = &at, .limit = TEMPLATES_MAX};

        return store_row_find(t->host->store, &scan, t->arena, out);
}

static template_item *item_of(const store_rows *rows, int64_t tmpl)
{
        template_item *v = rows->v;

        for (size_t i = 0; i < rows->n; i++)
                if (v[i].tmpl == tmpl)
                        return &v[i];
        return NULL;
}

/* A device that is awake again is asked only when its time has come or something was wrong. */
static int look_at(templates *s, fleet_turn *t, const template_known *k, const store_device *d,
                   template_item *it, bool changed)
{
        bool stale = it->checked == 0 || t->now - it->checked >= k->row.every * 1000 ||
                     it->state != TEMPLATE_CONFORM;

        if (!template_selects(k, d))
                return template_leave(s, t, it);
        if (odm_str_eq(it->name, d->name) && (it->phase != PHASE_IDLE || (!changed && !stale)))
                return 0;
        it->name = d->name;
        if (it->phase == PHASE_IDLE && (changed || stale))
                it->due = t->now;
        return template_put(t, it, (template_state)it->state);
}

static int on_device(templates *s, fleet_turn *t, const fleet_event *ev)
{
        store_rows rows = {0};
        store_device d;
        bool changed = odm_str_is(ev->e.kind, "device.changed");
        int rc = store_device_get(t->host->store, ev->e.device, t->arena, &d);

        if (rc == 0)
                rc = items_of(t, d.id, &rows);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        for (const template_known *k = s->all; rc == 0 && k; k = k->next) {
                template_item *it = item_of(&rows, k->row.id);

                if (it)
                        rc = look_at(s, t, k, &d, it, changed);
                else if (template_selects(k, &d))
                        rc = template_join(t, k, &d, t->now);
        }
        return rc;
}

/* The event has only the name; its rows go unless they are of a device that is there. */
static int on_removed(templates *s, fleet_turn *t, odm_str name)
{
        const template_item at = {.name = name};
        const store_scan scan = {.table = &table_template_item,
                                 .index = TEMPLATE_ITEM_OF_NAME,
                                 .same = 1,
                                 .at = &at,
                                 .limit = TEMPLATES_MAX};
        store_rows rows = {0};
        int rc = store_row_find(t->host->store, &scan, t->arena, &rows);

        for (size_t i = 0; rc == 0 && i < rows.n; i++) {
                const template_item *it = (const template_item *)rows.v + i;
                store_device d;

                rc = store_device_get(t->host->store, it->dev, t->arena, &d);
                if (rc == ODM_ENOENT)
                        rc = template_leave(s, t, it);
        }
        return rc;
}

/* A job of somebody has read or written: the mirror may know better than the last check. */
static int on_other_job(templates *s, fleet_turn *t, const fleet_event *ev)
{
        store_rows rows = {0};
        template_item *v;
        int rc;

        if (!s->all || !ev->e.device || odm_str_is(fleet_text(ev, "kind"), "collection"))
                return 0;
        rc = items_of(t, ev->e.device, &rows);
        v = rows.v;
        for (size_t i = 0; rc == 0 && i < rows.n && i < LOOK_ITEMS; i++) {
                bool suspect = false;

                if (v[i].phase != PHASE_IDLE || v[i].due <= t->now || v[i].checked == 0)
                        continue;
                rc = template_suspects(s, t, &v[i], &suspect);
                if (rc < 0 || !suspect)
                        continue;
                v[i].due = t->now;
                rc = template_put(t, &v[i], (template_state)v[i].state);
        }
        return rc;
}

/* An operator wants to know now: all devices of the template, or one. */
static int on_check(templates *s, fleet_turn *t, const fleet_event *ev)
{
        template_known *k = templates_find(s, fleet_id(ev, "template"));
        template_item it = {.dev = ev->e.device};
        int rc;

        if (!k)
                return 0;
        if (!it.dev) {
                k->slot = t->now;
                k->all = true;
                begin(&k->sweep);
                return 0;
        }
        it.tmpl = k->row.id;
        rc = store_row_get(t->host->store, &table_template_item, &it, t->arena, &it);
        if (rc < 0 || it.phase != PHASE_IDLE)
                return rc == ODM_ENOENT ? 0 : rc;
        it.due = t->now;
        it.tries = 0;
        return template_put(t, &it, (template_state)it.state);
}

static int hear(void *p, fleet_turn *t, const fleet_event *ev)
{
        templates *s = p;
        odm_str kind = ev->e.kind;

        if (odm_str_is(kind, "template.changed"))
                return read_all(s);
        if (odm_str_is(kind, "template.check"))
                return on_check(s, t, ev);
        if (odm_str_is(kind, "device.removed"))
                return on_removed(s, t, fleet_text(ev, "device"));
        if (odm_str_starts(kind, "device."))
                return ev->e.device ? on_device(s, t, ev) : 0;
        if (odm_str_starts(fleet_text(ev, "key"), "template/"))
                return template_job_ended(s, t, ev);
        return odm_str_is(kind, "job.done") ? on_other_job(s, t, ev) : 0;
}

/* ---- walks ------------------------------------------------------------------------------------------ */

static void go_on(template_walk *w, bool more, odm_str name, int64_t dev)
{
        w->on = more && name.n <= sizeof w->room;
        if (!w->on)
                return;
        memcpy(w->room, name.p, name.n);
        w->after = (odm_str){w->room, name.n};
        w->dev = dev;
}

/* When the next device found has its turn: one after the other, all within an interval. */
static int64_t next_slot(const fleet_turn *t, template_known *k)
{
        if (k->slot < t->now)
                k->slot = t->now;
        else
                k->slot += STEP_MS;
        return t->now + (k->slot - t->now) % (k->row.every * 1000);
}

static int sweep_item(templates *s, fleet_turn *t, template_known *k, template_item *it)
{
        store_device d;
        int rc = store_device_get(t->host->store, it->dev, t->arena, &d);

        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (rc == ODM_ENOENT || !template_selects(k, &d))
                return template_leave(s, t, it);
        if (it->seen_rev != k->row.rev)
                return template_anew(t, it, next_slot(t, k));
        if (it->phase != PHASE_IDLE || !k->all)
                return 0;
        it->due = next_slot(t, k);
        it->tries = 0;
        return template_put(t, it, (template_state)it->state);
}

static int sweep_page(templates *s, fleet_turn *t, template_known *k)
{
        const template_item at = {.tmpl = k->row.id}, after = {.tmpl = k->row.id,
                                                               .name = k->sweep.after,
                                                               .dev = k->sweep.dev};
        const store_scan scan = {.table = &table_template_item,
                                 .index = TEMPLATE_ITEM_BY_NAME,
                                 .same = 1,
                                 .at = &at,
                                 .after = k->sweep.dev ? &after : NULL,
                                 .limit = WALK_PAGE};
        store_rows rows = {0};
        template_item *v;
        int rc = store_row_find(t->host->store, &scan, t->arena, &rows);

        v = rows.v;
        for (size_t i = 0; rc == 0 && i < rows.n; i++)
                rc = sweep_item(s, t, k, &v[i]);
        if (rc < 0)
                return rc;
        go_on(&k->sweep, rows.more, rows.n ? v[rows.n - 1].name : ODM_STR(""),
              rows.n ? v[rows.n - 1].dev : 0);
        if (!k->sweep.on)
                k->all = false;
        return 0;
}

static int scan_page(fleet_turn *t, template_known *k)
{
        store_device_filter f = {.after = k->scan.after, .limit = WALK_PAGE, .look = 2000};
        store_device_list l = {0};
        int rc;

        selector_filter(&k->spec.devices, &f);
        f.states = TEMPLATE_DEVICES;
        rc = store_device_find(t->host->store, &f, t->arena, &l);
        for (size_t i = 0; rc == 0 && i < l.n; i++) {
                template_item it = {.dev = l.v[i].id, .tmpl = k->row.id};

                if (!template_selects(k, &l.v[i]))
                        continue;
                rc = store_row_get(t->host->store, &table_template_item, &it, t->arena, &it);
                if (rc == ODM_ENOENT)
                        rc = template_join(t, k, &l.v[i], next_slot(t, k));
        }
        if (rc == 0)
                go_on(&k->scan, l.more, l.next, 0);
        return rc;
}

/* A page of one walk.  True in *more: there is another. */
static int walk(templates *s, fleet_turn *t, bool *more)
{
        int rc = 0;

        if (fleet_due(t->now, s->scan_at, SCAN_EVERY)) {
                s->scan_at = t->now + SCAN_EVERY;
                for (template_known *k = s->all; k; k = k->next)
                        if (!k->rests && !k->scan.on)
                                begin(&k->scan);
        }
        *more = false;
        for (template_known *k = s->gone ? s->gone : s->all; rc == 0 && k; k = k->next) {
                if (!k->sweep.on && !k->scan.on)
                        continue;
                *more = true;
                return k->sweep.on ? sweep_page(s, t, k) : scan_page(t, k);
        }
        return rc;
}

/* Forgets a template that no device has any more. */
static void forget(templates *s)
{
        template_known *k = s->gone;

        if (!k || k->sweep.on)
                return;
        s->gone = k->next;
        k->next = NULL;
        free_all(k);
}

static int take_turns(templates *s, fleet_turn *t, int64_t *at)
{
        const template_item from = {.due = 1};
        const store_scan due = {.table = &table_template_item,
                                .index = TEMPLATE_ITEM_BY_DUE,
                                .from = &from,
                                .limit = DUE_PAGE + 1};
        store_rows rows = {0};
        template_item *v;
        int rc = store_row_find(t->host->store, &due, t->arena, &rows);

        v = rows.v;
        for (size_t i = 0; rc == 0 && i < rows.n; i++) {
                if (v[i].due > t->now || i == DUE_PAGE) {
                        *at = v[i].due;
                        break;
                }
                rc = template_due(s, t, &v[i]);
        }
        return rc;
}

/* Walks and turns take turns, a batch each: both touch the same rows. */
static int tick(void *p, fleet_turn *t, int64_t *at)
{
        templates *s = p;
        int rc;

        *at = INT64_MAX;
        s->walked = !s->walked;
        if (s->walked) {
                forget(s);
                rc = walk(s, t, &s->walking);
                *at = t->now;
                return rc;
        }
        rc = take_turns(s, t, at);
        if ((s->walking || s->gone) && *at > t->now + PAUSE_MS)
                *at = t->now + PAUSE_MS;
        if (s->all && *at > s->scan_at)
                *at = s->scan_at;
        return rc;
}

/* ---- open and close ---------------------------------------------------------------------------------- */

static void close_templates(void *p)
{
        templates *s = p;

        free_all(s->all);
        free_all(s->gone);
        free(s);
}

static int open_templates(const fleet_host *h, void **out, diag *d)
{
        templates *s = calloc(1, sizeof *s);
        int rc;

        if (!s)
                return ODM_ENOMEM;
        s->host = h;
        s->scan_at = h->now(h->ctx) + SCAN_EVERY;
        rc = read_all(s);
        if (rc < 0) {
                close_templates(s);
                return diag_set(d, rc, "the templates cannot be read: %s", odm_err_text(rc));
        }
        *out = s;
        return 0;
}

static const store_table *const tables[] = {&table_template, &table_template_item, NULL};

const fleet_part part_template = {.name = "template",
                                  .tables = tables,
                                  .routes = template_routes,
                                  .n_routes = TEMPLATE_ROUTES,
                                  .events = "device. job. template.",
                                  .open = open_templates,
                                  .event = hear,
                                  .tick = tick,
                                  .close = close_templates};
