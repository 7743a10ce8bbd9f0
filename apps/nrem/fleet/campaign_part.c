/* SPDX-License-Identifier: Apache-2.0 */
/* Campaigns on the log of events: jobs that end move their items; the clock fills campaigns with
 * items, orders those whose turn it is, looks after those that are due, and decides what is next.
 *
 * Nothing is kept in memory.  A turn of the clock does a page of each, never more. */
#include "campaign_part.h"

#include <stdlib.h>
#include <string.h>

#include "campaign_turn.h"
#include "log.h"

#define ITEMS_PAGE 200
#define FILL_PAGE 500
#define BATCH_ROOM 2500 /* operations after which a turn ends */
#define REFILL_MS 300000
#define SOURCE_MS 60000
#define BAD_PLAN_MS 3600000

typedef struct campaigns {
        int64_t refill;
        int64_t last; /* the campaign that the last turn ended with: the next one goes first */
} campaigns;

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static int campaigns_open(const fleet_host *h, void **out, diag *d)
{
        campaigns *p = calloc(1, sizeof *p);

        (void)d;
        if (!p)
                return ODM_ENOMEM;
        p->refill = h->conf ? cfg_ms(h->conf, "campaigns.join_every") : REFILL_MS;
        *out = p;
        return 0;
}

static void campaigns_close(void *p)
{
        free(p);
}

/* ---- events ---------------------------------------------------------------------------------- */

typedef struct job_key {
        int64_t campaign;
        uint32_t tries;
        bool check;
} job_key;

/* campaign/7/1 or campaign/7/1/check */
static bool read_key(odm_str s, job_key *out)
{
        uint64_t id, tries;
        size_t n = 0;

        if (!odm_str_starts(s, "campaign/"))
                return false;
        s = odm_str_from(s, strlen("campaign/"));
        while (n < s.n && s.p[n] != '/')
                n++;
        if (odm_str_u64(odm_str_to(s, n), INT64_MAX, &id) < 0)
                return false;
        s = odm_str_from(s, n + 1);
        for (n = 0; n < s.n && s.p[n] != '/'; n++)
                ;
        if (odm_str_u64(odm_str_to(s, n), UINT32_MAX, &tries) < 0)
                return false;
        *out = (job_key){(int64_t)id, (uint32_t)tries, odm_str_is(odm_str_from(s, n), "/check")};
        return out->check || n == s.n;
}

static bool fits(const campaign_item *it, const job_key *k)
{
        return it->tries == k->tries && it->state == (k->check ? ITEM_CHECKING : ITEM_ORDERED);
}

static int job_ended(fleet_turn *t, const fleet_event *ev)
{
        campaign_item key = {.dev = ev->e.device}, it;
        campaign_turn w;
        job_key k;
        int rc;

        if (!read_key(fleet_text(ev, "key"), &k))
                return 0;
        key.campaign = k.campaign;
        rc = store_row_get(t->host->store, &table_campaign_item, &key, t->arena, &it);
        if (rc == ODM_ENOENT || (rc == 0 && !fits(&it, &k)))
                return 0; /* taken back, or of a try before */
        if (rc == 0)
                rc = campaign_turn_begin(&w, t, k.campaign);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        rc = campaign_turn_job_ended(&w, &it, fleet_id(ev, "job"), ev->e.kind,
                                     fleet_text(ev, "reason"));
        if (rc == 0)
                rc = campaign_turn_end(&w, false);
        campaign_turn_done(&w);
        return rc;
}

/* A rule starts a draft.  What cannot be started is told in the log only: nobody waits. */
static int rule_starts(fleet_turn *t, const fleet_event *ev)
{
        odm_arena *a = store_batch_arena(t->batch);
        campaign_state to;
        campaign_turn w;
        const char *no;
        int rc = campaign_turn_begin(&w, t, fleet_id(ev, "campaign"));

        if (rc < 0) {
                log_warn("a rule starts a campaign that is not there",
                         log_int("campaign", fleet_id(ev, "campaign")));
                return rc == ODM_ENOENT ? 0 : rc;
        }
        rc = campaign_turn_scope(&w);
        if (rc == ODM_EMALFORMED || rc == ODM_ENOENT)
                rc = 0;
        no = rc < 0 ? NULL
                    : campaign_may((campaign_state)w.c.state, CAMPAIGN_START, w.scope.plan.approval,
                                   w.c.approved.n > 0, &to);
        if (no)
                log_warn("a rule cannot start a campaign", log_int("campaign", w.c.id),
                         log_text("reason", no));
        if (rc == 0 && !no) {
                w.fields = campaign_act(&w.c, CAMPAIGN_START, to, ODM_STR("rule"), t->now, a);
                rc = campaign_turn_tell(&w, "campaign.started", NULL);
                if (rc == 0)
                        rc = campaign_turn_end(&w, false);
        }
        campaign_turn_done(&w);
        return rc;
}

static int find_working(fleet_turn *t, store_rows *out)
{
        const campaign working = {.work = 1};
        const store_scan scan = {.table = &table_campaign,
                                 .index = CAMPAIGN_BY_WORK,
                                 .same = 1,
                                 .at = &working,
                                 .limit = CAMPAIGNS_AT_WORK};

        return store_row_find(t->host->store, &scan, t->arena, out);
}

/* An item of a device that was removed. */
static int forget_device(fleet_turn *t, int64_t id, odm_str name)
{
        const campaign_item key = {.campaign = id, .name = name};
        campaign_item it;
        campaign_turn w;
        bool gone;
        int rc = store_row_by(t->host->store, &table_campaign_item, ITEM_BY_NAME, &key, t->arena,
                              &it);

        if (rc == ODM_ENOENT || (rc == 0 && campaign_item_ended((campaign_item_state)it.state)))
                return 0;
        if (rc == 0)
                rc = campaign_turn_begin(&w, t, id);
        if (rc < 0)
                return rc;
        rc = campaign_turn_gone(&w, &it, &gone);
        if (rc == 0)
                rc = campaign_turn_end(&w, false);
        campaign_turn_done(&w);
        return rc;
}

static int device_removed(fleet_turn *t, const fleet_event *ev)
{
        odm_str name = fleet_text(ev, "device");
        store_rows r = {0};
        int rc = name.n ? find_working(t, &r) : 0;

        for (size_t i = 0; rc == 0 && i < r.n; i++)
                rc = forget_device(t, ((campaign *)r.v)[i].id, name);
        return rc;
}

static int rename_item(fleet_turn *t, const campaign_item *it, odm_str name)
{
        odm_arena *a = store_batch_arena(t->batch);
        campaign_item *row = odm_new(a, campaign_item);
        store_op *op = row ? fleet_row(t, STORE_ROW_PATCH, &table_campaign_item, row) : NULL;

        if (!op)
                return ODM_ENOMEM;
        *row = (campaign_item){
                .dev = it->dev, .campaign = it->campaign, .name = odm_arena_copy(a, name)};
        op->lenient = true; /* it may be gone */
        op->row.fields = STORE_FIELD(ITEM_F_name);
        return a->err ? odm_arena_err(a) : 0;
}

/* Its items are found and told by its name, in campaigns that have ended too. */
static int device_changed(fleet_turn *t, int64_t dev)
{
        const campaign_item at = {.dev = dev};
        store_scan scan = {.table = &table_campaign_item, .same = 1, .at = &at, .limit = 1};
        store_device d;
        store_rows r = {0};
        int rc = store_row_find(t->host->store, &scan, t->arena, &r);

        if (rc == 0 && r.n)
                rc = store_device_get(t->host->store, dev, t->arena, &d);
        if (rc < 0 || !r.n || odm_str_eq(((campaign_item *)r.v)->name, d.name))
                return rc == ODM_ENOENT ? 0 : rc;
        scan.limit = 1000;
        rc = store_row_find(t->host->store, &scan, t->arena, &r);
        for (size_t i = 0; rc == 0 && i < r.n; i++)
                rc = rename_item(t, (campaign_item *)r.v + i, d.name);
        return rc;
}

static int campaigns_event(void *p, fleet_turn *t, const fleet_event *ev)
{
        (void)p;
        if (odm_str_is(ev->e.kind, "device.changed"))
                return ev->e.device ? device_changed(t, ev->e.device) : 0;
        if (odm_str_is(ev->e.kind, "device.removed"))
                return device_removed(t, ev);
        if (odm_str_is(ev->e.kind, "rule.campaign"))
                return rule_starts(t, ev);
        return odm_str_starts(ev->e.kind, "job.") && ev->e.device ? job_ended(t, ev) : 0;
}

/* ---- pages of items -------------------------------------------------------------------------- */

static int find_items(campaign_turn *w, uint8_t index, campaign_item_state s,
                      const campaign_item *from, const campaign_item *below, uint32_t limit,
                      store_rows *out)
{
        const campaign_item at = {.campaign = w->c.id, .state = s};
        const store_scan scan = {.table = &table_campaign_item,
                                 .index = index,
                                 .same = 2,
                                 .at = &at,
                                 .from = from,
                                 .below = below,
                                 .limit = limit};

        return store_row_find(w->t->host->store, &scan, w->t->arena, out);
}

/* Those due by now, at most so many. */
static int find_due(campaign_turn *w, campaign_item_state s, uint32_t limit, store_rows *out)
{
        const campaign_item below = {.due = w->t->now + 1};

        return find_items(w, ITEM_BY_DUE, s, NULL, &below, limit, out);
}

/* When the next item in that state is due. */
static int next_due(campaign_turn *w, campaign_item_state s, int64_t *at)
{
        store_rows r = {0};
        int rc = find_items(w, ITEM_BY_DUE, s, NULL, NULL, 1, &r);

        if (rc == 0 && r.n > 0)
                *at = earlier(*at, ((campaign_item *)r.v)->due);
        return rc;
}

static int is_open(campaign_turn *w, bool *open)
{
        const campaign_item below = {.n = w->c.released < INT64_MAX ? w->c.released + 1
                                                                    : INT64_MAX};
        store_rows r = {0};
        int rc = 0;

        *open = w->c.delayed + w->c.ordered + w->c.checking > 0;
        if (!*open && w->c.pending > 0) {
                rc = find_items(w, ITEM_BY_ORDER, ITEM_PENDING, NULL, &below, 1, &r);
                *open = r.n > 0;
        }
        return rc;
}

/* ---- filling ---------------------------------------------------------------------------------- */

/* It was left out, at first or when its turn came, and may fit by now. */
static bool may_join(const campaign_turn *w, const campaign_item *known)
{
        return w->scope.plan.join && known->state == ITEM_SKIPPED;
}

static int fill_item(campaign_turn *w, const store_device *d, const campaign_item *was)
{
        campaign_item it = {.dev = d->id,
                            .campaign = w->c.id,
                            .name = d->name,
                            .reason = ODM_STR(""),
                            .n = w->c.total + 1},
                      known;
        campaign_order o = {.class = CLASS_NONE};
        int rc = store_row_get(w->t->host->store, &table_campaign_item, &it, w->t->arena, &known);
        bool again = rc == 0;

        if (again && !may_join(w, &known))
                return 0;
        rc = rc == ODM_ENOENT ? 0 : rc;
        if (rc == 0 && was) {
                it.version = w->c.version.n ? ODM_ABSENT : was->before;
                rc = w->c.version.n ? 0 : campaign_item_back(&w->scope, &it, &o);
        }
        if (rc == 0 && o.class == CLASS_NONE)
                rc = campaign_item_order(&w->scope, &it, d, w->t->now, &o);
        if (rc < 0)
                return rc;
        if (again)
                return o.class == CLASS_NONE ? campaign_turn_join(w, &known) : 0;
        if (o.class != CLASS_NONE) {
                it.state = ITEM_SKIPPED;
                it.n = 0;
                it.class = o.class;
                it.reason = odm_cstr(o.reason);
        }
        return campaign_turn_add(w, &it);
}

static int fill_page(campaign_turn *w, bool *more)
{
        store_device_filter f = {.after = w->c.cursor, .limit = FILL_PAGE, .look = 4 * FILL_PAGE};
        store_device_list l = {0};
        int rc;

        selector_filter(&w->scope.target, &f);
        rc = store_device_find(w->t->host->store, &f, w->t->arena, &l);
        for (size_t i = 0; rc == 0 && i < l.n; i++)
                if (selector_has(&w->scope.target, &l.v[i], w->t->arena, NULL))
                        rc = fill_item(w, &l.v[i], NULL);
        if (rc == 0 && l.more)
                w->c.cursor = l.next;
        *more = l.more;
        return rc;
}

/* By a list of names. */
static int fill_named(campaign_turn *w, bool *more)
{
        const selector_list *l = &w->scope.target.devices;
        size_t done = (size_t)w->c.cursor_n, end = done + FILL_PAGE;
        int rc = 0;

        if (end > l->n)
                end = l->n;
        for (size_t i = done; rc == 0 && i < end; i++) {
                store_device d;

                rc = store_device_by_name(w->t->host->store, l->v[i], w->t->arena, &d);
                if (rc == 0 && selector_has(&w->scope.target, &d, w->t->arena, NULL))
                        rc = fill_item(w, &d, NULL);
                if (rc == ODM_ENOENT)
                        rc = 0;
        }
        w->c.cursor_n = (int64_t)end;
        w->fields |= STORE_FIELD(CAMPAIGN_F_cursor_n);
        *more = end < l->n;
        return rc;
}

/* With the devices that another campaign has brought where they are. */
static int fill_back(campaign_turn *w, bool *more)
{
        const campaign_item at = {.campaign = w->c.source, .state = ITEM_SUCCEEDED};
        const campaign_item from = {.n = w->c.cursor_n + 1};
        const store_scan scan = {.table = &table_campaign_item,
                                 .index = ITEM_BY_ORDER,
                                 .same = 2,
                                 .at = &at,
                                 .from = &from,
                                 .limit = FILL_PAGE};
        store_rows r = {0};
        int rc = store_row_find(w->t->host->store, &scan, w->t->arena, &r);
        const campaign_item *v = r.v;

        for (size_t i = 0; rc == 0 && i < r.n; i++) {
                store_device d;

                rc = store_device_get(w->t->host->store, v[i].dev, w->t->arena, &d);
                if (rc == 0)
                        rc = fill_item(w, &d, &v[i]);
                if (rc == ODM_ENOENT)
                        rc = 0;
        }
        if (rc == 0 && r.n > 0)
                w->c.cursor_n = v[r.n - 1].n;
        w->fields |= STORE_FIELD(CAMPAIGN_F_cursor_n);
        *more = r.more;
        return rc;
}

/* Devices that are in mid-update when their campaign is rolled back get there all the same: it is
 * looked at again until it has ended before a look at all of it began. */
static int source_goes_on(campaign_turn *w, bool *out)
{
        const campaign key = {.id = w->c.source};
        campaign from;
        int rc =
                key.id ? store_row_get(w->t->host->store, &table_campaign, &key, w->t->arena, &from)
                       : ODM_ENOENT;

        *out = rc == 0 && (from.work || from.ended > (w->c.refill ? w->c.refill : w->c.started));
        return rc == ODM_ENOENT ? 0 : rc;
}

static int fill(campaign_turn *w, const campaigns *p, bool *again)
{
        bool more = false, goes_on = false;
        int rc = w->c.source                     ? fill_back(w, &more)
                 : w->scope.target.devices.n > 0 ? fill_named(w, &more)
                                                 : fill_page(w, &more);

        if (rc < 0)
                return rc;
        w->fields |= STORE_FIELD(CAMPAIGN_F_cursor);
        *again = true;
        if (more)
                return 0;
        rc = source_goes_on(w, &goes_on);
        if (rc < 0)
                return rc;
        w->c.filled = true;
        w->c.cursor = ODM_ABSENT;
        w->c.cursor_n = 0;
        w->c.refill = w->scope.plan.join ? w->t->now + p->refill
                      : goes_on          ? w->t->now + SOURCE_MS
                                         : 0;
        w->fields |= STORE_FIELD(CAMPAIGN_F_filled) | STORE_FIELD(CAMPAIGN_F_refill) |
                     STORE_FIELD(CAMPAIGN_F_cursor_n);
        return 0;
}

/* ---- sweeps ------------------------------------------------------------------------------------ */

static int end_items(campaign_turn *w, campaign_item_state s, bool *any)
{
        store_rows r = {0};
        int rc = find_items(w, ITEM_BY_ORDER, s, NULL, NULL, ITEMS_PAGE, &r);

        for (size_t i = 0; rc == 0 && i < r.n; i++) {
                campaign_item *it = (campaign_item *)r.v + i;

                it->state = w->c.closing ? ITEM_FAILED : ITEM_CANCELLED;
                it->class = w->c.closing ? CLASS_LATE : it->class;
                it->reason = w->c.closing ? ODM_STR("its turn had not come when the campaign's "
                                                    "deadline came")
                                          : ODM_STR("the campaign was cancelled");
                it->due = 0;
                rc = campaign_turn_item(w, it, s);
        }
        *any = r.n > 0;
        return rc;
}

/* A page of orders that no device has begun. */
static int withdraw_page(campaign_turn *w, bool *any)
{
        const campaign_item from = {.n = w->c.swept + 1};
        bool close = w->c.sweep == SWEEP_CLOSE, begun;
        campaign_item_state to = !close         ? ITEM_DELAYED
                                 : w->c.closing ? ITEM_FAILED
                                                : ITEM_CANCELLED;
        const char *why = !close         ? "taken back while the campaign does not run"
                          : w->c.closing ? "it had not called when the campaign's deadline came"
                                         : "the campaign was cancelled";
        store_rows r = {0};
        int rc = find_items(w, ITEM_BY_ORDER, ITEM_ORDERED, &from, NULL, ITEMS_PAGE, &r);

        for (size_t i = 0; rc == 0 && i < r.n; i++) {
                campaign_item *it = (campaign_item *)r.v + i;

                w->c.swept = it->n;
                rc = campaign_turn_withdraw(
                        w, it, to, close && w->c.closing ? CLASS_LATE : CLASS_NONE, why, &begun);
        }
        w->fields |= STORE_FIELD(CAMPAIGN_F_swept);
        *any = r.n > 0;
        return rc;
}

static int retry_page(campaign_turn *w, bool *any)
{
        const campaign_item from = {.n = w->c.swept + 1};
        store_rows r = {0};
        int rc = find_items(w, ITEM_BY_ORDER, ITEM_FAILED, &from, NULL, ITEMS_PAGE, &r);

        for (size_t i = 0; rc == 0 && i < r.n; i++) {
                campaign_item *it = (campaign_item *)r.v + i;

                w->c.swept = it->n;
                if (w->c.classes && !(w->c.classes & CLASS_BIT(it->class)))
                        continue;
                it->state = ITEM_DELAYED;
                it->due = w->t->now;
                it->attempts = 0;
                w->d_base_failed--;
                rc = campaign_turn_item(w, it, ITEM_FAILED);
        }
        w->fields |= STORE_FIELD(CAMPAIGN_F_swept);
        *any = r.n > 0;
        return rc;
}

/* The package may go, for all it cares. */
static int let_go(campaign_turn *w)
{
        store_op *op;

        if (!w->c.holds)
                return 0;
        op = package_use(w->t->batch, w->c.package, -1);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true;
        w->c.holds = false;
        w->fields |= STORE_FIELD(CAMPAIGN_F_holds);
        return 0;
}

static int remove_page(campaign_turn *w, bool *any)
{
        const campaign_item at = {.campaign = w->c.id};
        odm_arena *a = store_batch_arena(w->t->batch);
        campaign_item *key = odm_new(a, campaign_item);
        campaign *row = odm_new(a, campaign);
        store_scan *scan = odm_new(a, store_scan);
        store_rows r = {0};
        store_op *op;
        int rc;

        if (!key || !row || !scan)
                return ODM_ENOMEM;
        *key = at;
        *row = (campaign){.id = w->c.id};
        *scan = (store_scan){.table = &table_campaign_item,
                             .index = ITEM_BY_NAME,
                             .same = 1,
                             .at = key,
                             .limit = 1};
        rc = store_row_find(w->t->host->store, scan, w->t->arena, &r);
        if (rc < 0)
                return rc;
        *any = r.n > 0;
        scan->limit = 1000;
        op = *any ? fleet_op(w->t, STORE_ROWS_DELETE)
                  : fleet_row(w->t, STORE_ROW_DELETE, &table_campaign, row);
        if (!op)
                return ODM_ENOMEM;
        if (!*any)
                return let_go(w);
        op->row = (store_row_op){.table = &table_campaign_item, .scan = scan};
        return 0;
}

static int sweep(campaign_turn *w, bool *again)
{
        bool any = false;
        int rc = 0;

        switch ((campaign_sweep)w->c.sweep) {
        case SWEEP_NONE: return 0;
        case SWEEP_REMOVE: *again = true; return remove_page(w, &any);
        case SWEEP_RETRY: rc = retry_page(w, &any); break;
        case SWEEP_CLOSE:
                rc = end_items(w, ITEM_PENDING, &any);
                if (rc == 0 && !any)
                        rc = end_items(w, ITEM_DELAYED, &any);
                if (rc < 0 || any)
                        break;
                rc = withdraw_page(w, &any);
                break;
        case SWEEP_WITHDRAW: rc = withdraw_page(w, &any); break;
        }
        *again |= any;
        if (rc == 0 && !any) {
                w->c.sweep = SWEEP_NONE;
                w->fields |= STORE_FIELD(CAMPAIGN_F_sweep);
        }
        return rc;
}

static void begin_sweep(campaign_turn *w, campaign_sweep s)
{
        w->c.sweep = s;
        w->c.swept = 0;
        w->fields |= STORE_FIELD(CAMPAIGN_F_sweep) | STORE_FIELD(CAMPAIGN_F_swept);
}

/* ---- orders ------------------------------------------------------------------------------------ */

static uint32_t room(const campaign_turn *w)
{
        int64_t busy = w->c.ordered + w->c.checking, most = w->scope.plan.parallel;

        if (most == 0 || most - busy >= ITEMS_PAGE)
                return ITEMS_PAGE;
        return most > busy ? (uint32_t)(most - busy) : 0;
}

static int order_all(campaign_turn *w, store_rows *r)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < r->n; i++)
                rc = campaign_turn_order(w, (campaign_item *)r->v + i);
        return rc;
}

static int order(campaign_turn *w, bool *again)
{
        const campaign_item below = {.n = w->c.released < INT64_MAX ? w->c.released + 1
                                                                    : INT64_MAX};
        uint32_t most = room(w);
        store_rows r = {0};
        int rc = 0;

        if (most > 0) {
                rc = find_due(w, ITEM_DELAYED, most, &r);
                if (rc == 0)
                        rc = order_all(w, &r);
                *again |= r.n > 0;
        }
        most = room(w);
        r.n = 0;
        if (rc == 0 && most > 0 && w->c.pending > 0 && w->c.released > 0) {
                rc = find_items(w, ITEM_BY_ORDER, ITEM_PENDING, NULL, &below, most, &r);
                if (rc == 0)
                        rc = order_all(w, &r);
                *again |= r.n > 0;
        }
        return rc;
}

static int look_after(campaign_turn *w, campaign_item_state s, bool *again)
{
        store_rows r = {0};
        int rc = find_due(w, s, ITEMS_PAGE, &r);

        for (size_t i = 0; rc == 0 && i < r.n; i++)
                rc = campaign_turn_look(w, (campaign_item *)r.v + i);
        *again |= r.n > 0;
        return rc;
}

/* ---- the next step ------------------------------------------------------------------------------ */

static int set_state(campaign_turn *w, campaign_state s, const char *reason, const char *event)
{
        json_t *more = reason ? json_pack("{s:s}", "reason", reason) : NULL;

        w->c.state = s;
        w->fields |= STORE_FIELD(CAMPAIGN_F_state);
        if (reason) {
                w->c.reason = odm_arena_copy(w->t->arena, odm_cstr(reason));
                w->fields |= STORE_FIELD(CAMPAIGN_F_reason);
        }
        return campaign_turn_tell(w, event, more);
}

static int end_campaign(campaign_turn *w)
{
        int rc = let_go(w);

        if (rc < 0)
                return rc;
        w->c.work = 0;
        w->c.ended = w->t->now;
        w->fields |= STORE_FIELD(CAMPAIGN_F_work) | STORE_FIELD(CAMPAIGN_F_ended);
        if (w->c.state == CAMPAIGN_CANCELLED)
                return 0;
        return set_state(w, CAMPAIGN_DONE, w->c.closing ? "its deadline has come" : "",
                         "campaign.done");
}

/* The last wave is for all who join later too, but for the canary, which those who come are of
 * until it is full. */
static int release(campaign_turn *w)
{
        const campaign_plan *p = &w->scope.plan;

        w->c.wave++;
        w->c.released = campaign_bound(p, w->c.wave, w->c.total);
        if (w->c.released >= w->c.total)
                w->c.released = !p->join || w->c.wave > 1 ? INT64_MAX
                                : p->canary.count         ? p->canary.count
                                : p->canary.percent       ? w->c.total
                                                          : INT64_MAX;
        w->c.reached = 0;
        w->c.forced = false;
        w->fields |= STORE_FIELD(CAMPAIGN_F_wave) | STORE_FIELD(CAMPAIGN_F_released) |
                     STORE_FIELD(CAMPAIGN_F_reached) | STORE_FIELD(CAMPAIGN_F_forced);
        return campaign_turn_tell(w, "campaign.wave", json_pack("{s:i}", "wave", (int)w->c.wave));
}

static int halt(campaign_turn *w, campaign_state s, const char *reason)
{
        begin_sweep(w, SWEEP_WITHDRAW);
        return set_state(w, s, reason,
                         s == CAMPAIGN_HALTED ? "campaign.halted" : "campaign.paused");
}

static int decide(campaign_turn *w, int64_t *at, bool *again)
{
        char reason[CAMPAIGN_REASON];
        campaign_stage s = {.wave = w->c.wave,
                            .released = w->c.released,
                            .total = w->c.total,
                            .reached = w->c.reached,
                            .succeeded = w->c.succeeded,
                            .failed = w->c.failed,
                            .left = w->c.left,
                            .base_succeeded = w->c.base_succeeded,
                            .base_failed = w->c.base_failed + w->d_base_failed,
                            .filled = w->c.filled,
                            .coming = w->c.source && w->c.refill,
                            .forced = w->c.forced,
                            .now = w->t->now};
        int64_t when;
        int rc = is_open(w, &s.open);
        campaign_step step;

        if (rc < 0)
                return rc;
        step = campaign_next(&w->scope.plan, &s, &when, reason);
        *at = earlier(*at, when > w->t->now ? when : INT64_MAX);
        *again |= step != STEP_WAIT;
        switch (step) {
        case STEP_WAIT: return 0;
        case STEP_REACHED:
                w->c.reached = w->t->now;
                w->fields |= STORE_FIELD(CAMPAIGN_F_reached);
                return 0;
        case STEP_RELEASE: return release(w);
        case STEP_HOLD:
                w->c.forced = true;
                w->fields |= STORE_FIELD(CAMPAIGN_F_forced);
                return halt(w, CAMPAIGN_PAUSED, reason);
        case STEP_HALT: return halt(w, CAMPAIGN_HALTED, reason);
        case STEP_FINISH: return end_campaign(w);
        }
        ODM_UNREACHABLE();
}

/* ---- the clock ---------------------------------------------------------------------------------- */

static int run_campaign(campaign_turn *w, campaigns *p, int64_t *at, bool *again)
{
        int rc = 0;

        if (w->scope.plan.deadline && !w->c.closing && w->t->now >= w->scope.plan.deadline) {
                w->c.closing = true;
                w->fields |= STORE_FIELD(CAMPAIGN_F_closing);
                begin_sweep(w, SWEEP_CLOSE);
                *again = true;
                return 0;
        }
        if (w->scope.plan.deadline && !w->c.closing)
                *at = earlier(*at, w->scope.plan.deadline);
        if (w->c.state != CAMPAIGN_RUNNING || w->c.closing)
                return 0;
        if (!w->c.filled || (w->c.refill && w->c.refill <= w->t->now))
                rc = fill(w, p, again);
        if (w->c.refill)
                *at = earlier(*at, w->c.refill);
        if (rc == 0 && w->c.filled)
                rc = decide(w, at, again);
        if (rc == 0 && w->c.state == CAMPAIGN_RUNNING && w->scope.plan.begin <= w->t->now)
                rc = order(w, again);
        return rc;
}

static bool is_closed(const campaign_turn *w)
{
        return (w->c.state == CAMPAIGN_CANCELLED || w->c.closing) && w->c.sweep == SWEEP_NONE &&
               w->c.pending + w->c.delayed + w->c.ordered + w->c.checking == 0;
}

static int turn(campaign_turn *w, campaigns *p, int64_t *at, bool *again)
{
        int rc;

        if (w->c.sweep == SWEEP_REMOVE)
                return sweep(w, again);
        rc = campaign_turn_scope(w);
        if (rc == 0)
                rc = sweep(w, again);
        if (rc < 0)
                return rc;
        if (w->c.sweep == SWEEP_NONE)
                rc = run_campaign(w, p, at, again);
        if (rc == 0)
                rc = look_after(w, ITEM_ORDERED, again);
        if (rc == 0)
                rc = look_after(w, ITEM_CHECKING, again);
        if (rc == 0 && is_closed(w))
                rc = end_campaign(w);
        if (rc == 0 && w->c.state == CAMPAIGN_RUNNING && room(w) > 0)
                rc = next_due(w, ITEM_DELAYED, at);
        if (rc == 0)
                rc = next_due(w, ITEM_ORDERED, at);
        return rc == 0 ? next_due(w, ITEM_CHECKING, at) : rc;
}

/* What is wrong with one campaign stops no other. */
static int tick_one(campaigns *p, fleet_turn *t, int64_t id, int64_t *at, bool *again)
{
        campaign_turn w;
        int rc = campaign_turn_begin(&w, t, id);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        rc = turn(&w, p, at, again);
        if (rc == 0 && w.c.sweep != SWEEP_REMOVE)
                rc = campaign_turn_end(&w, true);
        if (rc == ODM_EMALFORMED || rc == ODM_ENOENT) {
                log_error("a campaign cannot go on", log_int("campaign", id),
                          log_text("reason", rc == ODM_ENOENT ? "its package is gone"
                                                              : "its plan cannot be read"));
                *at = earlier(*at, t->now + BAD_PLAN_MS);
                rc = 0;
        }
        campaign_turn_done(&w);
        return rc;
}

static int campaigns_tick(void *self, fleet_turn *t, int64_t *at)
{
        campaigns *p = self;
        store_rows r = {0};
        bool again = false;
        int rc = find_working(t, &r);
        size_t first = 0;

        while (rc == 0 && first < r.n && ((campaign *)r.v)[first].id <= p->last)
                first++;
        for (size_t i = 0; rc == 0 && i < r.n; i++) {
                int64_t id = ((campaign *)r.v)[(first + i) % r.n].id;

                rc = tick_one(p, t, id, at, &again);
                p->last = id;
                if (t->batch->n > BATCH_ROOM) {
                        again = true;
                        break;
                }
        }
        if (again)
                *at = t->now;
        return rc;
}

static const store_table *const tables[] = {&table_campaign, &table_campaign_item, NULL};

const fleet_part part_campaign = {.name = "campaign",
                                  .tables = tables,
                                  .routes = campaign_routes,
                                  .n_routes = CAMPAIGN_ROUTES,
                                  .events = "job. device.changed device.removed rule.campaign "
                                            "campaign.created campaign.started "
                                            "campaign.paused campaign.resumed campaign.cancelled "
                                            "campaign.retried campaign.removed",
                                  .open = campaigns_open,
                                  .event = campaigns_event,
                                  .tick = campaigns_tick,
                                  .close = campaigns_close};
