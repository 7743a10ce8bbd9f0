/* SPDX-License-Identifier: Apache-2.0 */
/* One device of a template: asked, compared, put right, given up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign_item.h"
#include "job_event.h"
#include "presence_part.h"
#include "template_part.h"

#define KEY "template/%lld/%lld"
#define WAIT_LEAST 600000              /* ms in which a device has to call */
#define GRACE 300000                   /* and the job's end has to be heard */
#define NEVER_CALLED (30ll * 86400000) /* a device of which nobody knows when it calls */
#define REASON_MOST 240
#define TOLD 10 /* nodes of a difference in an event */

static int64_t every_of(const template_known *k)
{
        return k->row.every * 1000;
}

/* ---- rows --------------------------------------------------------------------------------- */

static int count(fleet_turn *t, int64_t id, template_state s, int64_t by)
{
        template_row *row = odm_new(store_batch_arena(t->batch), template_row);
        store_op *op;

        if (!row)
                return ODM_ENOMEM;
        row->id = id;
        *template_tally(row, s) = by;
        op = fleet_row(t, STORE_ROW_PATCH, &table_template, row);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true; /* it may just have been removed */
        op->row.fields = op->row.plus = template_tally_field(s);
        return 0;
}

static int move_tally(fleet_turn *t, int64_t id, template_state from, template_state to)
{
        int rc;

        if (from == to)
                return 0;
        rc = count(t, id, from, -1);
        return rc < 0 ? rc : count(t, id, to, 1);
}

static template_item *copy_of(fleet_turn *t, const template_item *it)
{
        template_item *row = odm_new(store_batch_arena(t->batch), template_item);

        if (!row)
                return NULL;
        *row = *it;
        row->reason = odm_str_to(row->reason, REASON_MOST);
        return record_copy(table_template_item.rec, row, store_batch_arena(t->batch)) < 0 ? NULL
                                                                                          : row;
}

int template_put(fleet_turn *t, const template_item *it, template_state from)
{
        template_item *row = copy_of(t, it);

        if (!row)
                return ODM_ENOMEM;
        if (it->state != from)
                row->since = t->now;
        if (!fleet_row(t, STORE_ROW_PUT, &table_template_item, row))
                return ODM_ENOMEM;
        return move_tally(t, it->tmpl, from, (template_state)it->state);
}

int template_join(fleet_turn *t, const template_known *k, const store_device *d, int64_t due)
{
        const template_item it = {.dev = d->id,
                                  .tmpl = k->row.id,
                                  .name = d->name,
                                  .state = TEMPLATE_UNKNOWN,
                                  .since = t->now,
                                  .due = due,
                                  .seen_rev = k->row.rev,
                                  .diff = ODM_STR(""),
                                  .reason = ODM_STR("")};
        template_item *row = copy_of(t, &it);

        if (!row || !fleet_row(t, STORE_ROW_ADD, &table_template_item, row))
                return ODM_ENOMEM;
        return count(t, k->row.id, TEMPLATE_UNKNOWN, 1);
}

/* ---- events -------------------------------------------------------------------------------- */

static int tell(fleet_turn *t, const template_known *k, const template_item *it, const char *kind)
{
        json_t *o = json_object(), *diff = NULL;
        bool ok = put_id(o, "template", k->row.id) && put_text(o, "name", k->row.name) &&
                  put_text(o, "device", it->name);

        if (it->diff.n)
                diff = json_loadb(it->diff.p, it->diff.n, 0, NULL);
        while (json_array_size(diff) > TOLD)
                (void)json_array_remove(diff, TOLD);
        if (diff)
                ok = json_object_set_new(o, "difference", diff) == 0 && ok;
        if (it->reason.n)
                ok = put_text(o, "reason", it->reason) && ok;
        if (!ok) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        return fleet_tell(t, it->dev, kind, o);
}

/* ---- what it is to have --------------------------------------------------------------------- */

static int fill_for(const template_known *k, const store_device *d, odm_arena *a,
                    template_list *out, char which[CAMPAIGN_VAR])
{
        const campaign_vars vars = {.name = d->name,
                                    .devid = d->devid,
                                    .maker = d->maker,
                                    .model = d->model,
                                    .hwv = d->hwv,
                                    .fwv = d->fwv,
                                    .swv = d->swv,
                                    .tags = d->tags};

        return template_fill(k->spec.nodes, &vars, a, out, which);
}

bool template_selects(const template_known *k, const store_device *d)
{
        return !k->rests && (1u << d->state & TEMPLATE_DEVICES) &&
               selector_has(&k->spec.devices, d, NULL, NULL);
}

typedef struct above { /* a template that decides before this one */
        struct above *next;
        template_list l;
        odm_str name;
} above;

/* As template_fill(), for template `k` among all others. */
static int wanted(const templates *s, const template_known *k, const store_device *d, odm_arena *a,
                  template_list *out, char which[CAMPAIGN_VAR])
{
        above *all = NULL;
        int rc = 0;

        for (const template_known *x = s->all; rc == 0 && x; x = x->next) {
                above *one;

                if (x != k && !template_selects(x, d))
                        continue;
                one = odm_new(a, above);
                if (!one)
                        return odm_arena_err(a);
                rc = fill_for(x, d, a, &one->l, which);
                if (x != k && (rc == ODM_ENOENT || rc == ODM_EMALFORMED)) {
                        rc = 0; /* it says nothing for this device */
                        continue;
                }
                for (const above *h = all; rc == 0 && h; h = h->next)
                        template_overrule(&one->l, &h->l, h->name);
                if (rc == 0 && x == k) {
                        *out = one->l;
                        return 0;
                }
                one->name = x->row.name;
                one->next = all;
                all = one;
        }
        return rc < 0 ? rc : ODM_EINVAL; /* k is one of all */
}

/* ---- orders ---------------------------------------------------------------------------------- */

/* Until when the device may take to call: an order that ends before it calls is none.  0: for ever,
 * as nobody knows when it does. */
static int deadline_of(const fleet_turn *t, const template_known *k, const store_device *d,
                       int64_t *out)
{
        int64_t least = t->now + (every_of(k) > WAIT_LEAST ? every_of(k) : WAIT_LEAST), lost = 0;
        int rc = d->last_contact == 0 ? 0 : presence_waits(t, d, &lost);

        *out = lost == 0 || lost > least ? lost : least;
        return rc;
}

static int order(fleet_turn *t, const template_known *k, template_item *it, const store_device *d,
                 template_phase phase, odm_str commands)
{
        fleet_order o = {.device = it->dev,
                         .kind = "configuration",
                         .commands = commands,
                         .actor = k->row.actor};
        int rc = deadline_of(t, k, d, &o.deadline);

        if (rc < 0)
                return rc;
        it->turn++;
        it->phase = phase;
        it->due = (o.deadline ? o.deadline : t->now + NEVER_CALLED) + GRACE;
        it->seen_rev = k->row.rev;
        o.key = odm_arena_fmt(t->arena, KEY, (long long)k->row.id, (long long)it->turn);
        if (!commands.p || !o.key.p)
                return ODM_ENOMEM;
        return fleet_job(t, &o);
}

static void rest(const fleet_turn *t, const template_known *k, template_item *it)
{
        it->phase = PHASE_IDLE;
        it->due = t->now + every_of(k);
}

static int give_up(fleet_turn *t, const template_known *k, template_item *it, odm_str reason)
{
        rest(t, k, it);
        it->state = TEMPLATE_FAILED;
        it->reason = odm_str_to(reason, REASON_MOST);
        return tell(t, k, it, "config.failed");
}

/* A variable has no value for the device. */
static int cannot_fill(fleet_turn *t, const template_known *k, template_item *it, const char *which)
{
        odm_str why = odm_arena_fmt(t->arena, "${%s} has no value for it", which);
        bool known = it->state == TEMPLATE_FAILED && odm_str_eq(it->reason, why);

        if (!why.p)
                return odm_arena_err(t->arena);
        it->diff = ODM_STR("");
        if (!known)
                return give_up(t, k, it, why);
        rest(t, k, it);
        return 0;
}

static int conforms(fleet_turn *t, const template_known *k, template_item *it)
{
        template_state from = (template_state)it->state;

        rest(t, k, it);
        it->state = TEMPLATE_CONFORM;
        it->tries = 0;
        it->reason = ODM_STR("");
        if (from == TEMPLATE_APPLYING)
                return tell(t, k, it, "config.applied");
        if (from == TEMPLATE_DRIFTED || from == TEMPLATE_FAILED)
                return tell(t, k, it, "config.conform");
        return 0;
}

static int ask(templates *s, fleet_turn *t, const template_known *k, template_item *it,
               const store_device *d, template_phase phase)
{
        char which[CAMPAIGN_VAR];
        template_list l;
        odm_str gets;
        int rc = wanted(s, k, d, t->arena, &l, which);

        if (rc == ODM_ENOENT || rc == ODM_EMALFORMED)
                return cannot_fill(t, k, it, which);
        if (rc < 0)
                return rc;
        gets = template_gets(&l, t->arena);
        if (!odm_str_is(gets, "[]"))
                return order(t, k, it, d, phase, gets);
        it->diff = template_difference(&l, t->arena); /* others decide all of it */
        return it->diff.p ? conforms(t, k, it) : ODM_ENOMEM;
}

/* ---- what was found -------------------------------------------------------------------------- */

/* Puts the answers of a job to the nodes that its commands were about. */
static int read_answers(fleet_turn *t, int64_t device, int64_t id, template_list *l)
{
        store_result_list r = {0};
        store_job j;
        json_t *list = NULL;
        int rc = store_job_get(t->host->store, id, t->arena, &j);

        if (rc == 0)
                rc = store_job_results(t->host->store, device, id, t->arena, &r);
        if (rc == 0)
                list = json_loadb(j.commands.p ? j.commands.p : "[]",
                                  j.commands.p ? j.commands.n : 2, 0, NULL);
        for (size_t i = 0; i < r.n; i++) {
                const store_result *x = &r.v[i];
                const json_t *cmd = json_array_get(list, x->index);
                const char *uri = json_string_value(json_object_get(cmd, "uri"));

                if (uri && x->status)
                        template_found(l, odm_cstr(uri), x->status,
                                       x->n_items ? x->items[0].data : ODM_ABSENT);
        }
        json_decref(list);
        return rc == ODM_ENOENT ? 0 : rc; /* it is gone: nothing was found */
}

static int apply(fleet_turn *t, const template_known *k, template_item *it, const store_device *d,
                 const template_list *l)
{
        bool write = it->wrote_rev != k->row.rev, fresh = it->state != TEMPLATE_APPLYING;
        int rc = order(t, k, it, d, PHASE_APPLYING,
                       template_fixes(l, k->row.atomic, write, t->arena));

        it->state = TEMPLATE_APPLYING;
        it->tries++;
        it->reason = ODM_STR("");
        if (rc == 0 && fresh)
                rc = tell(t, k, it, "config.drift");
        return rc;
}

static int later(fleet_turn *t, const template_known *k, template_item *it, odm_str reason)
{
        if (it->tries >= TEMPLATE_TRIES)
                return give_up(t, k, it, reason);
        it->phase = PHASE_IDLE;
        it->due = t->now + template_delay(it->tries);
        it->reason = odm_str_to(reason, REASON_MOST);
        return 0;
}

static int differs(fleet_turn *t, const template_known *k, template_item *it, const store_device *d,
                   const template_list *l, bool again)
{
        template_phase was = (template_phase)it->phase;

        if (k->row.mode == TEMPLATE_WATCH) {
                bool known = it->state == TEMPLATE_DRIFTED && again;

                rest(t, k, it);
                it->state = TEMPLATE_DRIFTED;
                it->reason = ODM_STR("");
                return known ? 0 : tell(t, k, it, "config.drift");
        }
        if (it->state == TEMPLATE_FAILED && again && it->tries >= TEMPLATE_TRIES) {
                rest(t, k, it); /* it was tried often enough */
                return 0;
        }
        if (it->state == TEMPLATE_FAILED)
                it->tries = 0;
        if (was == PHASE_VERIFYING)
                return later(t, k, it, ODM_STR("the device took it, and has something else"));
        return apply(t, k, it, d, l);
}

static int compared(templates *s, fleet_turn *t, const template_known *k, template_item *it,
                    const store_device *d, const template_list *l)
{
        odm_str diff = template_difference(l, t->arena);
        bool enforce = k->row.mode == TEMPLATE_ENFORCE;
        bool again = it->seen_rev == k->row.rev && odm_str_eq(diff, it->diff);

        (void)s;
        if (!diff.p)
                return ODM_ENOMEM;
        it->checked = t->now;
        it->diff = diff;
        it->seen_rev = k->row.rev;
        if (template_differs(l, enforce && it->wrote_rev != k->row.rev))
                return differs(t, k, it, d, l, again);
        if (enforce)
                it->wrote_rev = k->row.rev;
        return conforms(t, k, it);
}

static int check_ended(templates *s, fleet_turn *t, const template_known *k, template_item *it,
                       const store_device *d, const fleet_event *ev)
{
        char which[CAMPAIGN_VAR];
        template_list l;
        int rc = wanted(s, k, d, t->arena, &l, which);

        if (rc == ODM_ENOENT || rc == ODM_EMALFORMED)
                return cannot_fill(t, k, it, which);
        if (rc == 0)
                rc = read_answers(t, it->dev, fleet_id(ev, "job"), &l);
        if (rc < 0)
                return rc;
        if (!template_is_open(&l))
                return compared(s, t, k, it, d, &l);
        if (odm_str_is(ev->e.kind, "job.done")) /* what is wanted has changed meanwhile */
                return ask(s, t, k, it, d, (template_phase)it->phase);
        rest(t, k, it);
        it->reason = odm_str_to(fleet_text(ev, "reason"), REASON_MOST);
        return 0;
}

static int apply_ended(templates *s, fleet_turn *t, const template_known *k, template_item *it,
                       const store_device *d, const fleet_event *ev)
{
        odm_str reason = fleet_text(ev, "reason");

        if (odm_str_is(ev->e.kind, "job.done")) {
                it->wrote_rev = it->seen_rev;
                return ask(s, t, k, it, d, PHASE_VERIFYING);
        }
        if (odm_str_is(ev->e.kind, "job.failed"))
                return later(t, k, it, reason.n ? reason : ODM_STR("the device refused it"));
        it->tries--; /* it never heard of it */
        rest(t, k, it);
        it->reason = odm_str_is(ev->e.kind, "job.expired") ? ODM_STR("the device has not called")
                                                           : ODM_STR("the job was cancelled");
        return 0;
}

static bool read_key(odm_str s, int64_t *tmpl, int64_t *turn)
{
        uint64_t a, b;
        size_t n = 0;

        if (!odm_str_starts(s, "template/"))
                return false;
        s = odm_str_from(s, sizeof "template/" - 1);
        while (n < s.n && s.p[n] != '/')
                n++;
        if (odm_str_u64(odm_str_to(s, n), INT64_MAX, &a) < 0 ||
            odm_str_u64(odm_str_from(s, n + 1), INT64_MAX, &b) < 0)
                return false;
        *tmpl = (int64_t)a;
        *turn = (int64_t)b;
        return true;
}

int template_job_ended(templates *s, fleet_turn *t, const fleet_event *ev)
{
        template_item it = {.dev = ev->e.device};
        const template_known *k;
        template_state from;
        int64_t turn;
        store_device d;
        int rc;

        if (!read_key(fleet_text(ev, "key"), &it.tmpl, &turn) || !(k = templates_find(s, it.tmpl)))
                return 0;
        rc = store_row_get(t->host->store, &table_template_item, &it, t->arena, &it);
        if (rc == 0 && (it.turn != turn || it.phase == PHASE_IDLE))
                return 0; /* one of before */
        if (rc == 0)
                rc = store_device_get(t->host->store, it.dev, t->arena, &d);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        from = (template_state)it.state;
        if (it.phase == PHASE_APPLYING)
                rc = apply_ended(s, t, k, &it, &d, ev);
        else if (odm_str_is(ev->e.kind, "job.done") || odm_str_is(ev->e.kind, "job.failed"))
                rc = check_ended(s, t, k, &it, &d, ev);
        else {
                rest(t, k, &it);
                it.reason = odm_str_is(ev->e.kind, "job.expired")
                                    ? ODM_STR("the device has not called")
                                    : ODM_STR("the job was cancelled");
        }
        return rc < 0 ? rc : template_put(t, &it, from);
}

/* ---- the clock ---------------------------------------------------------------------------------- */

/* The last job of the item, where it has not begun: then *out.  When the device has just begun it,
 * nothing of this turn happens, and it is looked at again. */
static int withdraw(fleet_turn *t, const template_item *it, const char *why, bool *out)
{
        const uint32_t not_begun =
                STORE_JOB_BIT(STORE_JOB_QUEUED) | STORE_JOB_BIT(STORE_JOB_NOTIFIED);
        odm_str key = odm_arena_fmt(t->arena, KEY, (long long)it->tmpl, (long long)it->turn);
        store_op *op;
        store_job j;
        int rc;

        *out = false;
        if (it->phase == PHASE_IDLE)
                return 0;
        rc = key.p ? campaign_item_job(t->host->store, it->dev, key, t->arena, &j) : ODM_ENOMEM;
        if (rc < 0 || !(not_begun & STORE_JOB_BIT(j.state)))
                return rc == ODM_ENOENT ? 0 : rc;
        op = fleet_op(t, STORE_JOB_MOVE);
        if (!op)
                return ODM_ENOMEM;
        op->job_move.device = j.device;
        op->job_move.job = j.id;
        op->job_move.from = not_begun;
        op->job_move.to = STORE_JOB_CANCELLED;
        op->job_move.reason = op->job_move.note = odm_cstr(why);
        op->job_move.at = t->now;
        *out = true;
        return job_event_add(t->batch, &j, STORE_JOB_CANCELLED, why, t->now);
}

int template_leave(templates *s, fleet_turn *t, const template_item *it)
{
        template_item *row = copy_of(t, it);
        bool withdrawn;
        int rc = withdraw(t, it, "the template is for this device no more", &withdrawn);

        (void)s;
        if (rc < 0)
                return rc;
        if (!row || !fleet_row(t, STORE_ROW_DELETE, &table_template_item, row))
                return ODM_ENOMEM;
        return count(t, it->tmpl, (template_state)it->state, -1);
}

int template_anew(fleet_turn *t, template_item *it, int64_t due)
{
        bool idle = it->phase == PHASE_IDLE;
        int rc = 0;

        if (it->phase == PHASE_APPLYING) /* values of before; a question is as good as ever */
                rc = withdraw(t, it, "the template has changed", &idle);
        if (rc < 0 || !idle) /* what was found or written is compared with what is wanted then */
                return rc;
        it->phase = PHASE_IDLE;
        it->due = due;
        it->tries = 0;
        return template_put(t, it, (template_state)it->state);
}

int template_due(templates *s, fleet_turn *t, template_item *it)
{
        const template_known *k = templates_find(s, it->tmpl);
        template_state from = (template_state)it->state;
        store_device d;
        int rc = store_device_get(t->host->store, it->dev, t->arena, &d);

        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (rc == ODM_ENOENT || !k || !template_selects(k, &d))
                return template_leave(s, t, it);
        it->name = d.name;
        if (d.state == STORE_DEVICE_UNREACHABLE) {
                rest(t, k, it); /* it is looked at when it is back */
                it->reason = ODM_STR("the device does not call");
                rc = 0;
        } else {
                rc = ask(s, t, k, it, &d, PHASE_CHECKING);
        }
        return rc < 0 ? rc : template_put(t, it, from);
}

/* ---- the mirror ----------------------------------------------------------------------------------- */

int template_suspects(templates *s, fleet_turn *t, const template_item *it, bool *out)
{
        const template_known *k = templates_find(s, it->tmpl);
        char which[CAMPAIGN_VAR];
        template_list l = {0};
        store_device d;
        int rc = k && !k->rests ? store_device_get(t->host->store, it->dev, t->arena, &d)
                                : ODM_ENOENT;

        *out = false;
        if (rc == 0)
                rc = wanted(s, k, &d, t->arena, &l, which);
        if (rc < 0)
                return rc == ODM_ENOENT || rc == ODM_EMALFORMED ? 0 : rc;
        for (size_t i = 0; i < l.n; i++) {
                store_tree tree = {0};

                rc = store_tree_get(t->host->store, it->dev, l.v[i].uri, t->arena, &tree);
                if (rc < 0 && rc != ODM_ENOENT)
                        return rc;
                if (rc < 0 || tree.n == 0 || tree.v[0].at <= it->checked || !tree.v[0].value.p)
                        continue;
                template_found(&l, l.v[i].uri, 200, tree.v[0].value);
                *out |= it->state == TEMPLATE_DRIFTED && l.v[i].finding == FINDING_SAME;
        }
        *out |= it->state == TEMPLATE_CONFORM && template_differs(&l, false);
        return 0;
}
