/* SPDX-License-Identifier: Apache-2.0 */
/* Items move by these functions only, so that tallies are always what the items are. */
#include "campaign_turn.h"

#include <assert.h>
#include <stdio.h>

#include "gateway_row.h"
#include "job_event.h"

#define LOOK_AGAIN 60000
#define REASON_MOST 240

/* ---- the campaign ------------------------------------------------------------------------- */

int campaign_turn_begin(campaign_turn *w, fleet_turn *t, int64_t id)
{
        const campaign key = {.id = id};
        campaign c;
        int rc = store_row_get(t->host->store, &table_campaign, &key, t->arena, &c);

        if (rc < 0)
                return rc;
        *w = (campaign_turn){.t = t, .c = c, .rev = c.rev};
        return 0;
}

int campaign_turn_scope(campaign_turn *w)
{
        int rc;

        if (w->scoped)
                return 0;
        w->scoped = true;
        rc = campaign_scope_init(&w->scope, w->t->host, &w->c, w->t->arena);
        return rc;
}

void campaign_turn_done(campaign_turn *w)
{
        if (w->scoped)
                campaign_scope_done(&w->scope);
        w->scoped = false;
}

static uint64_t add_deltas(const campaign_turn *w, campaign *row)
{
        uint64_t plus = 0;

        for (unsigned s = 0; s < ITEM_STATES; s++)
                if (w->delta[s]) {
                        *campaign_tally(row, (campaign_item_state)s) = w->delta[s];
                        plus |= campaign_tally_field((campaign_item_state)s);
                }
        if (w->d_total) {
                row->total = w->d_total;
                plus |= STORE_FIELD(CAMPAIGN_F_total);
        }
        if (w->d_left) {
                row->left = w->d_left;
                plus |= STORE_FIELD(CAMPAIGN_F_left);
        }
        if (w->d_base_failed) {
                row->base_failed = w->d_base_failed;
                plus |= STORE_FIELD(CAMPAIGN_F_base_failed);
        }
        return plus;
}

int campaign_turn_end(campaign_turn *w, bool guard)
{
        odm_arena *a = store_batch_arena(w->t->batch);
        campaign *row = odm_new(a, campaign), *is = odm_new(a, campaign);
        uint64_t plus;
        store_op *op;

        if (!row || !is)
                return ODM_ENOMEM;
        *row = w->c;
        plus = add_deltas(w, row);
        if (!w->fields && !plus)
                return 0;
        row->reason = odm_arena_copy(a, w->c.reason); /* w->t->arena ends before the batch */
        row->cursor = odm_arena_copy(a, w->c.cursor);
        row->updated = w->t->now;
        op = fleet_row(w->t, STORE_ROW_PATCH, &table_campaign, row);
        if (!op)
                return ODM_ENOMEM;
        op->row.fields = w->fields | plus | STORE_FIELD(CAMPAIGN_F_updated);
        op->row.plus = plus;
        op->lenient = !guard;
        if (guard) {
                is->rev = w->rev;
                op->row.where = STORE_FIELD(CAMPAIGN_F_rev);
                op->row.is = is;
        }
        return 0;
}

int campaign_turn_tell(campaign_turn *w, const char *kind, json_t *more)
{
        json_t *o = more ? more : json_object();
        char id[24];

        (void)snprintf(id, sizeof id, "%lld", (long long)w->c.id);
        if (json_object_set_new(o, "campaign", json_string(id)) < 0 ||
            json_object_set_new(o, "name",
                                json_stringn(w->c.name.p ? w->c.name.p : "", w->c.name.n)) < 0) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        return fleet_tell(w->t, 0, kind, o);
}

/* ---- items -------------------------------------------------------------------------------- */

static void count(campaign_turn *w, campaign_item_state s, int64_t by)
{
        w->delta[s] += by;
        *campaign_tally(&w->c, s) += by;
}

static void count_left(campaign_turn *w, const campaign_item *it, campaign_item_state s, int64_t by)
{
        if (it->n == 0 || (s != ITEM_SKIPPED && s != ITEM_CANCELLED))
                return;
        w->d_left += by;
        w->c.left += by;
}

static campaign_item *keep_item(campaign_turn *w, const campaign_item *it)
{
        odm_arena *a = store_batch_arena(w->t->batch);
        campaign_item *row = odm_new(a, campaign_item);

        if (!row)
                return NULL;
        *row = *it;
        row->name = odm_arena_copy(a, it->name);
        row->reason = odm_arena_copy(a, odm_str_to(it->reason, REASON_MOST));
        row->version = odm_arena_copy(a, it->version);
        row->before = odm_arena_copy(a, it->before);
        row->after = odm_arena_copy(a, odm_str_to(it->after, REASON_MOST));
        row->updated = w->t->now;
        return a->err ? NULL : row;
}

static int tell_end(campaign_turn *w, const campaign_item *it)
{
        odm_str why = odm_str_to(it->reason, odm_utf8_cut(it->reason, REASON_MOST));
        char id[24];
        json_t *o;

        (void)snprintf(id, sizeof id, "%lld", (long long)w->c.id);
        o = json_pack("{s:s, s:s%, s:s, s:s}", "campaign", id, "device",
                      it->name.p ? it->name.p : "", it->name.n, "state",
                      campaign_item_states[it->state], "class", campaign_classes[it->class]);
        if (o && why.n && odm_utf8_ok(why) &&
            json_object_set_new(o, "reason", json_stringn(why.p, why.n)) < 0) {
                json_decref(o);
                o = NULL;
        }
        return o ? fleet_tell(w->t, it->dev, "campaign.device", o) : ODM_ENOMEM;
}

int campaign_turn_item(campaign_turn *w, const campaign_item *it, campaign_item_state from)
{
        campaign_item_state to = (campaign_item_state)it->state;
        campaign_item *row = keep_item(w, it);
        store_op *op;

        if (!row)
                return ODM_ENOMEM;
        row->ended = campaign_item_ended(to) ? w->t->now : 0;
        op = fleet_row(w->t, STORE_ROW_PUT, &table_campaign_item, row);
        if (!op)
                return ODM_ENOMEM;
        if (from != to) {
                count(w, from, -1);
                count(w, to, 1);
                count_left(w, it, from, -1);
                count_left(w, it, to, 1);
        }
        return campaign_item_ended(to) && !campaign_item_ended(from) ? tell_end(w, it) : 0;
}

int campaign_turn_add(campaign_turn *w, const campaign_item *it)
{
        campaign_item *row = keep_item(w, it);
        store_op *op = row ? fleet_row(w->t, STORE_ROW_ADD, &table_campaign_item, row) : NULL;

        if (!op)
                return ODM_ENOMEM;
        row->ended = campaign_item_ended((campaign_item_state)it->state) ? w->t->now : 0;
        count(w, (campaign_item_state)it->state, 1);
        if (it->n > 0) {
                w->d_total++;
                w->c.total++;
        }
        return 0;
}

int campaign_turn_join(campaign_turn *w, campaign_item *it)
{
        campaign_item *row;

        assert(it->state == ITEM_SKIPPED);
        it->state = ITEM_PENDING;
        it->class = CLASS_NONE;
        it->reason = ODM_STR("");
        if (it->n > 0) /* it has its place */
                return campaign_turn_item(w, it, ITEM_SKIPPED);
        it->n = w->c.total + 1;
        row = keep_item(w, it);
        if (!row || !fleet_row(w->t, STORE_ROW_PUT, &table_campaign_item, row))
                return ODM_ENOMEM;
        row->ended = 0;
        count(w, ITEM_SKIPPED, -1);
        count(w, ITEM_PENDING, 1);
        w->d_total++;
        w->c.total++;
        return 0;
}

static int item_ends(campaign_turn *w, campaign_item *it, campaign_item_state to,
                     campaign_class class, odm_str reason)
{
        campaign_item_state from = (campaign_item_state)it->state;

        it->state = to;
        it->class = class;
        it->reason = reason;
        it->due = 0;
        return campaign_turn_item(w, it, from);
}

static int item_waits(campaign_turn *w, campaign_item *it, int64_t due, campaign_class class,
                      odm_str reason)
{
        campaign_item_state from = (campaign_item_state)it->state;

        it->state = ITEM_DELAYED;
        it->due = due;
        it->class = class;
        it->reason = reason;
        return campaign_turn_item(w, it, from);
}

int campaign_turn_failed(campaign_turn *w, campaign_item *it, campaign_class class, odm_str reason)
{
        int rc = campaign_turn_scope(w);

        if (rc < 0)
                return rc;
        it->attempts++;
        if (campaign_retries(&w->scope.plan, class, it->attempts) &&
            w->c.state != CAMPAIGN_CANCELLED && !w->c.closing)
                return item_waits(w, it, w->t->now + campaign_delay(&w->scope.plan, it->attempts),
                                  class, reason);
        return item_ends(w, it, ITEM_FAILED, class, reason);
}

/* ---- jobs --------------------------------------------------------------------------------- */

/* The order of a try is campaign/7/1, the question what it reached campaign/7/1/check. */
static odm_str key_of(campaign_turn *w, const campaign_item *it)
{
        return odm_arena_fmt(w->t->arena, "campaign/%lld/%u%s", (long long)w->c.id, it->tries,
                             it->state == ITEM_CHECKING ? "/check" : "");
}

static int make_job(campaign_turn *w, const campaign_item *it, odm_str commands, bool atomic)
{
        const fleet_order o = {.device = it->dev,
                               .kind = "campaign",
                               .commands = commands,
                               .atomic = atomic,
                               .attempts = 20,
                               .key = key_of(w, it),
                               .actor = w->c.actor};

        return o.key.p ? fleet_job(w->t, &o) : odm_arena_err(w->t->arena);
}

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

/* Nobody tells when a device takes its order: it is looked at that often. */
static int64_t next_look(const campaign_turn *w)
{
        return w->t->now + earlier(w->scope.plan.update_time, w->scope.plan.contact_time);
}

/* How it reaches the server is known when it has called for the first time. */
static int not_called_yet(campaign_turn *w, campaign_item *it, const store_device *d)
{
        int64_t since = d->created > w->c.started ? d->created : w->c.started;

        if (w->t->now >= since + w->scope.plan.contact_time)
                return campaign_turn_failed(w, it, CLASS_UNREACHED, ODM_STR("it has never called"));
        return item_waits(w, it, w->t->now + LOOK_AGAIN, CLASS_NONE,
                          ODM_STR("it has never called"));
}

int campaign_turn_order(campaign_turn *w, campaign_item *it)
{
        campaign_item_state from = (campaign_item_state)it->state;
        campaign_order o = {.class = CLASS_NONE};
        store_device d;
        int rc = store_device_get(w->t->host->store, it->dev, w->t->arena, &d);

        if (rc == ODM_ENOENT)
                return item_ends(w, it, ITEM_CANCELLED, CLASS_GONE,
                                 ODM_STR("the device was removed"));
        if (rc == 0)
                rc = campaign_turn_scope(w);
        if (rc == 0)
                rc = campaign_item_order(&w->scope, it, &d, w->t->now, &o);
        if (rc < 0)
                return rc;
        if (o.class != CLASS_NONE)
                return item_ends(
                        w, it, it->tries && o.class == CLASS_THERE ? ITEM_SUCCEEDED : ITEM_SKIPPED,
                        o.class, odm_cstr(o.reason));
        if (!o.open)
                return item_waits(w, it, o.edge, CLASS_NONE, ODM_STR("waits for its window"));
        if (o.unknown)
                return not_called_yet(w, it, &d);
        it->state = ITEM_ORDERED;
        it->tries++;
        it->before = it->tries == 1 ? d.fwv : it->before;
        it->ordered = w->t->now;
        it->due = earlier(o.edge, next_look(w));
        it->class = CLASS_NONE;
        it->reason = ODM_STR("");
        rc = make_job(w, it, o.commands, w->c.atomic);
        return rc < 0 ? rc : campaign_turn_item(w, it, from);
}

/* Until when the answer is waited for: a campaign is not kept open by it for long after its
 * deadline. */
static int64_t answer_by(const campaign_turn *w)
{
        const campaign_plan *p = &w->scope.plan;
        int64_t last = p->deadline > w->t->now ? p->deadline : w->t->now;

        return p->deadline ? earlier(w->t->now + p->contact_time, last + p->update_time)
                           : w->t->now + p->contact_time;
}

/* Asks what it runs now. */
static int ask(campaign_turn *w, campaign_item *it, campaign_class class, odm_str reason)
{
        campaign_item_state from = (campaign_item_state)it->state;
        odm_str list;
        int rc = campaign_turn_scope(w);

        if (rc < 0)
                return rc;
        list = odm_arena_fmt(w->t->arena, "[{\"cmd\":\"get\",\"uri\":\"%.*s\"}]",
                             (int)w->c.verify.n, w->c.verify.p);
        it->state = ITEM_CHECKING;
        it->class = class;
        it->reason = reason;
        it->due = answer_by(w);
        rc = list.p ? make_job(w, it, list, false) : odm_arena_err(w->t->arena);
        return rc < 0 ? rc : campaign_turn_item(w, it, from);
}

/* What the item was to reach. */
static int expected(campaign_turn *w, const campaign_item *it, odm_str *out)
{
        campaign_order o = {.expect = ODM_ABSENT};
        store_device d;
        int rc = store_device_get(w->t->host->store, it->dev, w->t->arena, &d);

        d.fwv = ODM_ABSENT; /* whatever it was, it is asked now */
        d.state = STORE_DEVICE_ACTIVE;
        if (rc == 0)
                rc = campaign_turn_scope(w);
        if (rc == 0)
                rc = campaign_item_expect(&w->scope, it, &d, &o);
        if (rc == 0)
                *out = o.expect;
        return rc;
}

static int answered(campaign_turn *w, campaign_item *it, int64_t job)
{
        odm_str got, want = ODM_ABSENT;
        odm_arena *a = w->t->arena;
        int rc = campaign_item_got(w->t->host->store, it->dev, job, a, &got);

        if (rc == 0)
                rc = expected(w, it, &want);
        if (rc == ODM_ENOENT)
                return item_ends(w, it, ITEM_CANCELLED, CLASS_GONE,
                                 ODM_STR("the device was removed"));
        if (rc < 0)
                return rc;
        it->after = got;
        if (campaign_item_reached(&w->c, want, got))
                return item_ends(w, it, ITEM_SUCCEEDED, CLASS_NONE, ODM_STR(""));
        if (it->class == CLASS_SILENT)
                return campaign_turn_failed(
                        w, it, CLASS_SILENT,
                        odm_arena_fmt(a,
                                      "it fell silent in mid-update, came back, and has %.*s "
                                      "instead of %.*s",
                                      (int)got.n, got.p ? got.p : "", (int)want.n, want.p));
        return campaign_turn_failed(w, it, CLASS_MISMATCH,
                                    odm_arena_fmt(a,
                                                  "it reported success, and has %.*s instead of "
                                                  "%.*s",
                                                  (int)got.n, got.p ? got.p : "", (int)want.n,
                                                  want.p));
}

static int order_ended(campaign_turn *w, campaign_item *it, int64_t job, odm_str kind,
                       odm_str reason)
{
        campaign_verdict v;
        int rc;

        if (odm_str_is(kind, "job.done"))
                return w->c.verify.n ? ask(w, it, CLASS_NONE, ODM_STR("asked what it has now"))
                                     : item_ends(w, it, ITEM_SUCCEEDED, CLASS_NONE, ODM_STR(""));
        if (odm_str_is(kind, "job.cancelled"))
                return item_ends(w, it, ITEM_FAILED, CLASS_STOPPED,
                                 ODM_STR("its job was cancelled"));
        if (odm_str_is(kind, "job.expired"))
                return campaign_turn_failed(w, it, CLASS_UNREACHED, reason);
        rc = campaign_item_verdict(w->t->host->store, it->dev, job, reason, w->t->arena, &v);
        return rc < 0 ? rc : campaign_turn_failed(w, it, v.class, v.reason);
}

int campaign_turn_job_ended(campaign_turn *w, campaign_item *it, int64_t job, odm_str kind,
                            odm_str reason)
{
        if (it->state == ITEM_ORDERED)
                return order_ended(w, it, job, kind, reason);
        if (odm_str_is(kind, "job.done"))
                return answered(w, it, job);
        if (it->class == CLASS_SILENT)
                return campaign_turn_failed(w, it, CLASS_SILENT, it->reason);
        return campaign_turn_failed(w, it, CLASS_MISMATCH,
                                    odm_arena_fmt(w->t->arena,
                                                  "it reported success; what it has now cannot be "
                                                  "read: %.*s",
                                                  (int)reason.n, reason.p ? reason.p : ""));
}

/* ---- orders taken back ----------------------------------------------------------------------- */

#define NOT_BEGUN (STORE_JOB_BIT(STORE_JOB_QUEUED) | STORE_JOB_BIT(STORE_JOB_NOTIFIED))

/* Not lenient: when the device has just begun it, nothing of this turn happens, and it is looked
 * at again. */
static int cancel_job(campaign_turn *w, const store_job *j, uint32_t from, const char *reason)
{
        odm_arena *a = store_batch_arena(w->t->batch);
        odm_str why = odm_arena_copy(a, odm_cstr(reason));
        store_op *op = fleet_op(w->t, STORE_JOB_MOVE);

        if (!op || !why.p)
                return ODM_ENOMEM;
        op->job_move.device = j->device;
        op->job_move.job = j->id;
        op->job_move.from = from;
        op->job_move.to = STORE_JOB_CANCELLED;
        op->job_move.reason = why;
        op->job_move.note = why;
        op->job_move.at = w->t->now;
        return job_event_add(w->t->batch, j, STORE_JOB_CANCELLED, reason, w->t->now);
}

static int has_begun(campaign_turn *w, const store_job *j, bool *begun)
{
        *begun = !(NOT_BEGUN & STORE_JOB_BIT(j->state));
        return j->state == STORE_JOB_WAITING && odm_str_is(j->route, "gateway")
                       ? gateway_has_begun(w->t->host->store, j, w->t->arena, begun)
                       : 0;
}

int campaign_turn_withdraw(campaign_turn *w, campaign_item *it, campaign_item_state to,
                           campaign_class class, const char *reason, bool *begun)
{
        odm_str key = key_of(w, it);
        store_job j;
        int rc = key.p ? campaign_item_job(w->t->host->store, it->dev, key, w->t->arena, &j)
                       : odm_arena_err(w->t->arena);

        *begun = false;
        if (rc == 0)
                rc = has_begun(w, &j, begun);
        if (rc == 0 && !*begun)
                rc = cancel_job(w, &j, NOT_BEGUN | STORE_JOB_BIT(j.state), reason);
        if (*begun || (rc < 0 && rc != ODM_ENOENT))
                return rc;
        if (to == ITEM_DELAYED)
                return item_waits(w, it, w->t->now, class, odm_cstr(reason));
        return item_ends(w, it, to, class, odm_cstr(reason));
}

/* ---- looked after ---------------------------------------------------------------------------- */

static int look_later(campaign_turn *w, campaign_item *it, int64_t due)
{
        it->due = due;
        return campaign_turn_item(w, it, (campaign_item_state)it->state);
}

/* The device does not answer the question what it has. */
static int no_answer(campaign_turn *w, campaign_item *it, const store_job *j)
{
        odm_str text = it->class == CLASS_SILENT
                               ? it->reason
                               : ODM_STR("it reported success, and has not called since: what it "
                                         "has is not known");
        int rc = cancel_job(w, j, STORE_JOB_OPEN, "the device did not answer in time");

        return rc < 0 ? rc : campaign_turn_failed(w, it, CLASS_SILENT, text);
}

static int fell_silent(campaign_turn *w, campaign_item *it, const store_job *j)
{
        int64_t minutes = w->scope.plan.update_time / 60000;
        odm_str text = odm_arena_fmt(w->t->arena,
                                     "it took the order and was not heard of again within %lld min",
                                     (long long)(minutes ? minutes : 1));
        int rc = cancel_job(w, j, STORE_JOB_OPEN, "the device fell silent");

        if (rc < 0 || !text.p)
                return rc < 0 ? rc : odm_arena_err(w->t->arena);
        if (w->c.verify.n)
                return ask(w, it, CLASS_SILENT, text);
        return campaign_turn_failed(w, it, CLASS_SILENT, text);
}

static int not_begun(campaign_turn *w, campaign_item *it, const store_job *j)
{
        int64_t limit = it->ordered + w->scope.plan.contact_time;
        campaign_order o = {.class = CLASS_NONE};
        store_device d;
        int rc;

        if (w->t->now >= limit) {
                rc = cancel_job(w, j, NOT_BEGUN | STORE_JOB_BIT(j->state),
                                "the device did not call in time");
                return rc < 0 ? rc
                              : campaign_turn_failed(w, it, CLASS_UNREACHED,
                                                     ODM_STR("it did not call in time"));
        }
        rc = store_device_get(w->t->host->store, it->dev, w->t->arena, &d);
        if (rc == 0)
                rc = campaign_item_order(&w->scope, it, &d, w->t->now, &o);
        if (rc == ODM_ENOENT) /* removed just now: its job went with it */
                return look_later(w, it, w->t->now + LOOK_AGAIN);
        if (rc < 0)
                return rc;
        if (o.class != CLASS_NONE || o.open)
                return look_later(w, it,
                                  earlier(earlier(limit, next_look(w)),
                                          o.class == CLASS_NONE ? o.edge : limit));
        rc = cancel_job(w, j, NOT_BEGUN | STORE_JOB_BIT(j->state), "its window has closed");
        return rc < 0 ? rc : item_waits(w, it, o.edge, CLASS_NONE, ODM_STR("waits for its window"));
}

int campaign_turn_gone(campaign_turn *w, campaign_item *it, bool *gone)
{
        store_device d;
        int rc = store_device_get(w->t->host->store, it->dev, w->t->arena, &d);

        *gone = rc == ODM_ENOENT;
        if (!*gone)
                return rc;
        return item_ends(w, it, ITEM_CANCELLED, CLASS_GONE, ODM_STR("the device was removed"));
}

static int no_job(campaign_turn *w, campaign_item *it)
{
        bool gone;
        int rc = campaign_turn_gone(w, it, &gone);

        if (rc < 0 || gone)
                return rc;
        return campaign_turn_failed(w, it, CLASS_BUSY,
                                    ODM_STR("no job could be made: too many are open"));
}

int campaign_turn_look(campaign_turn *w, campaign_item *it)
{
        odm_str key = key_of(w, it);
        bool begun = false;
        int64_t limit;
        store_job j = {.state = STORE_JOB_QUEUED};
        int rc = campaign_turn_scope(w);

        if (rc == 0)
                rc = key.p ? campaign_item_job(w->t->host->store, it->dev, key, w->t->arena, &j)
                           : odm_arena_err(w->t->arena);
        if (rc == ODM_ENOENT)
                return no_job(w, it);
        if (rc < 0)
                return rc;
        if (!(STORE_JOB_OPEN & STORE_JOB_BIT(j.state)))
                return look_later(w, it, w->t->now + LOOK_AGAIN); /* its event is under way */
        if (it->state == ITEM_CHECKING)
                return no_answer(w, it, &j);
        rc = has_begun(w, &j, &begun);
        if (rc < 0 || !begun)
                return rc < 0 ? rc : not_begun(w, it, &j);
        limit = j.updated + w->scope.plan.update_time;
        if (odm_str_is(j.route, "gateway")) /* it may not have called its gateway yet */
                limit += w->scope.plan.contact_time;
        return w->t->now >= limit ? fell_silent(w, it, &j) : look_later(w, it, limit);
}
