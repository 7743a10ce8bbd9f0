/* SPDX-License-Identifier: Apache-2.0 */
/* What came of a task becomes what came of the jobs that it was made for: results with addresses of
 * the device's own tree, its mirror, and an end by the rules of job.h, in one batch.  A job that is
 * over already, or whose relay is gone, hears nothing: so what a gateway tells twice counts once.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "gateway_part.h"
#include "gateway_relay.h"
#include "heap.h"
#include "job.h"
#include "job_event.h"
#include "mirror.h"
#include "odm/fanout.h"

#define PAGE 100
#define DOC_MEMORY ((size_t)64 << 20)
#define REASON_MOST 200

/* ---- jobs --------------------------------------------------------------------------------- */

static bool is_over(store_job_state s)
{
        return !(STORE_JOB_OPEN & STORE_JOB_BIT(s));
}

/* Not lenient: what follows from it must not happen without it. */
static int move_job(fleet_turn *t, const store_job *j, uint32_t from, store_job_state to,
                    const char *reason)
{
        odm_arena *a = store_batch_arena(t->batch);
        store_op *op = fleet_op(t, STORE_JOB_MOVE);

        if (!op)
                return ODM_ENOMEM;
        op->job_move.device = j->device;
        op->job_move.job = j->id;
        op->job_move.from = from;
        op->job_move.to = to;
        op->job_move.reason = odm_arena_copy(a, odm_cstr(reason));
        op->job_move.note =
                odm_arena_fmt(a, "%s%s%s", store_job_state_name(to), reason[0] ? ": " : "", reason);
        op->job_move.at = t->now;
        if (a->err)
                return odm_arena_err(a);
        return is_over(to) ? job_event_add(t->batch, j, to, reason, t->now) : 0;
}

static int drop_relay(fleet_turn *t, const gateway_relay *r)
{
        gateway_relay *key = odm_new(store_batch_arena(t->batch), gateway_relay);
        store_op *op = key ? fleet_row(t, STORE_ROW_DELETE, &table_gateway_relay, key) : NULL;

        if (!op)
                return ODM_ENOMEM;
        *key = (gateway_relay){.device = r->device, .job = r->job};
        op->lenient = true;
        return 0;
}

static int drop_task(fleet_turn *t, int64_t gateway, int64_t id)
{
        gateway_task *key = odm_new(store_batch_arena(t->batch), gateway_task);
        store_op *op = key ? fleet_row(t, STORE_ROW_DELETE, &table_gateway_task, key) : NULL;

        if (!op)
                return ODM_ENOMEM;
        *key = (gateway_task){.device = gateway, .id = id};
        op->lenient = true;
        return 0;
}

/* The clock looks whether the task is still wanted. */
static int look_at_task(fleet_turn *t, int64_t gateway, int64_t id)
{
        gateway_task *k = odm_new(store_batch_arena(t->batch), gateway_task);
        store_op *op = k ? fleet_row(t, STORE_ROW_PATCH, &table_gateway_task, k) : NULL;

        if (!op)
                return ODM_ENOMEM;
        *k = (gateway_task){.device = gateway, .id = id, .work = 1};
        op->row.fields = STORE_FIELD(GT_work);
        op->lenient = true;
        return 0;
}

static int put_relay(fleet_turn *t, const gateway_relay *r)
{
        odm_arena *a = store_batch_arena(t->batch);
        gateway_relay *row = odm_new(a, gateway_relay);

        if (!row || !fleet_row(t, STORE_ROW_PUT, &table_gateway_relay, row))
                return ODM_ENOMEM;
        *row = *r;
        row->image = odm_arena_copy(a, r->image);
        row->key = odm_arena_copy(a, r->key);
        return a->err ? odm_arena_err(a) : 0;
}

int gateway_put_back(gateways *s, fleet_turn *t, const gateway_relay *r, const char *why)
{
        gateway_relay to = *r;
        store_job j;
        int rc = store_job_get(s->host->store, r->job, t->arena, &j);

        if (rc == ODM_ENOENT || (rc == 0 && is_over(j.state)))
                return drop_relay(t, r);
        if (rc < 0)
                return rc;
        to.task = 0;
        to.image = ODM_STR("");
        rc = put_relay(t, &to);
        if (rc == 0 && j.state == STORE_JOB_WAITING)
                rc = move_job(t, &j, STORE_JOB_BIT(STORE_JOB_WAITING), STORE_JOB_QUEUED, why);
        gateway_poke(s, r->device);
        return rc;
}

/* ---- what a device answered ------------------------------------------------------------------ */

typedef struct ending {
        gateways *s;
        fleet_turn *t;
        const gateway_relay *relay;
        store_job job;
        job_commands all;
        job_answer *ans;
        mirror_changes mirror;
        store_device_patch patch;
} ending;

/* ODM_ENOENT: there is nothing to end. */
static int begin(ending *e, gateways *s, fleet_turn *t, const gateway_relay *r)
{
        store_result_list l = {0};
        int rc;

        *e = (ending){.s = s, .t = t, .relay = r, .mirror = {.a = store_batch_arena(t->batch)}};
        e->mirror.own_only = e->mirror.there = true;
        rc = store_job_get(s->host->store, r->job, t->arena, &e->job);
        if (rc == 0 && is_over(e->job.state))
                rc = ODM_ENOENT;
        if (rc == ODM_ENOENT) {
                rc = drop_relay(t, r);
                return rc < 0 ? rc : ODM_ENOENT;
        }
        if (rc == 0)
                rc = job_decode(e->job.commands, e->job.atomic, t->arena, &e->all);
        if (rc == 0)
                rc = store_job_results(s->host->store, r->device, r->job, t->arena, &l);
        if (rc < 0)
                return rc;
        e->ans = odm_arena_zget(t->arena, e->all.n * sizeof *e->ans);
        if (!e->ans)
                return odm_arena_err(t->arena);
        job_answers(&e->all, &l, e->ans);
        return 0;
}

/* What is known of every device stands in its row. */
static void lift(ending *e, const store_value *v)
{
        store_device *p = &e->patch.to;
        const struct {
                const char *path;
                uint32_t field;
                odm_str *place;
        } columns[] = {
                {"./DevInfo/Man", STORE_DF_MAKER, &p->maker},
                {"./DevInfo/Mod", STORE_DF_MODEL, &p->model},
                {"./DevInfo/DmV", STORE_DF_DMV, &p->dmv},
                {"./DevInfo/Lang", STORE_DF_LANG, &p->lang},
                {"./DevDetail/FwV", STORE_DF_FWV, &p->fwv},
                {"./DevDetail/SwV", STORE_DF_SWV, &p->swv},
                {"./DevDetail/HwV", STORE_DF_HWV, &p->hwv},
        };
        odm_str text = odm_str_to(v->data, 255);

        if (!text.p || !odm_utf8_ok(text) || odm_str_is(v->format, "node"))
                return;
        for (size_t i = 0; i < ODM_COUNT(columns); i++)
                if (odm_str_is(job_path(v->uri), columns[i].path)) {
                        *columns[i].place = text;
                        e->patch.fields |= columns[i].field;
                }
}

/* Takes a result whose texts live in the batch or longer. */
static int take_result(ending *e, const store_result *r)
{
        store_op *op;
        int rc;

        if (r->index >= e->all.n || e->ans[r->index].has)
                return 0;
        op = fleet_op(e->t, STORE_RESULT_PUT);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true;
        op->result.device = e->relay->device;
        op->result.job = e->relay->job;
        op->result.r = *r;
        op->result.r.at = e->t->now;
        e->ans[r->index] = (job_answer){.has = true,
                                        .status = r->status,
                                        .alert = command_alert_type(r->text),
                                        .text = r->text};
        rc = mirror_answer(&e->mirror, e->all.flat[r->index].c, r->status, r->items, r->n_items);
        for (size_t i = 0; i < r->n_items && job_status_ok(r->status); i++)
                lift(e, &r->items[i]);
        return rc;
}

static int put_tree(ending *e)
{
        store_op *op;

        if (!e->mirror.n)
                return 0;
        op = fleet_op(e->t, STORE_TREE_UPDATE);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true;
        op->tree.device = e->relay->device;
        op->tree.at = e->t->now;
        op->tree.v = e->mirror.v;
        op->tree.n = e->mirror.n;
        return 0;
}

static int put_device(ending *e, bool there)
{
        store_op *op;

        if (there) {
                e->patch.fields |= STORE_DF_LAST_CONTACT;
                e->patch.to.last_contact = e->t->now;
        }
        if (!e->patch.fields)
                return 0;
        op = fleet_op(e->t, STORE_DEVICE_PATCH);
        if (!op)
                return ODM_ENOMEM;
        op->lenient = true;
        op->device_patch = e->patch;
        op->device_patch.to.id = e->relay->device;
        op->device_patch.to.updated = e->t->now;
        return 0;
}

/* The job ends so. */
static int end(ending *e, const job_verdict *v, bool there)
{
        int rc = put_tree(e);

        if (rc == 0)
                rc = put_device(e, there);
        if (rc == 0)
                rc = drop_relay(e->t, e->relay);
        if (rc == 0)
                rc = move_job(e->t, &e->job, STORE_JOB_OPEN, v->to, v->reason);
        atomic_fetch_add(&e->s->ended, 1);
        return rc;
}

static void say(job_verdict *v, store_job_state to, odm_str reason)
{
        odm_str s = odm_str_to(reason, odm_utf8_cut(reason, REASON_MOST));

        v->to = to;
        (void)snprintf(v->reason, sizeof v->reason, "%.*s", (int)s.n, s.p ? s.p : "");
}

/* ---- the same commands, below the mount point -------------------------------------------------- */

static odm_str own_uri(odm_str uri, odm_str key, odm_arena *a)
{
        odm_str k, rest;

        if (gateway_mount_split(uri, &k, &rest) && odm_str_eq(k, key))
                return odm_arena_fmt(a, ".%.*s", (int)rest.n, rest.p);
        return odm_arena_copy(a, uri);
}

/* "at ./GwDev/d1/X" and the like. */
static odm_str own_text(odm_str text, odm_str key, odm_arena *a)
{
        odm_str uri = odm_str_starts(text, "at ") ? odm_str_from(text, 3) : ODM_ABSENT;

        if (!uri.p)
                return odm_arena_copy(a, text);
        uri = own_uri(uri, key, a);
        return uri.p ? odm_arena_join(a, ODM_STR("at "), uri) : uri;
}

static int own_result(const store_result *r, odm_str key, odm_arena *a, store_result *out)
{
        store_value *v = odm_arena_zget(a, (r->n_items + 1) * sizeof *v);

        *out = *r;
        for (size_t i = 0; v && i < r->n_items; i++)
                v[i] = (store_value){.uri = own_uri(r->items[i].uri, key, a),
                                     .format = odm_arena_copy(a, r->items[i].format),
                                     .type = odm_arena_copy(a, r->items[i].type),
                                     .data = odm_arena_copy(a, r->items[i].data)};
        if (!v)
                return odm_arena_err(a);
        out->items = v;
        out->text = own_text(r->text, key, a);
        return a->err ? odm_arena_err(a) : 0;
}

/* The device is asleep: what it was not asked is kept for it by its gateway. */
static bool is_asleep(const ending *e, const store_result_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                if (l->v[i].status == ODM_ST_UNAVAILABLE && l->v[i].index < e->all.n)
                        return !e->relay->again;
        return false;
}

/* Of an Atomic nothing was done when a member was not. */
static bool was_undone(const ending *e, const store_result_list *l, const store_result *r)
{
        if (r->status == ODM_ST_UNAVAILABLE)
                return true;
        for (int32_t p = (int32_t)r->index; p >= 0; p = e->all.flat[p].parent) {
                uint32_t i = (uint32_t)p;

                if (e->all.flat[i].c->kind != ODM_CMD_ATOMIC)
                        continue;
                for (size_t k = 0; k < l->n; k++)
                        if (l->v[k].status == ODM_ST_UNAVAILABLE && l->v[k].index >= i &&
                            l->v[k].index <= i + e->all.flat[i].members)
                                return true;
        }
        return false;
}

static int go_again(ending *e)
{
        gateway_relay r = *e->relay;
        int rc = put_tree(e);

        r.again = true;
        if (rc == 0)
                rc = put_device(e, false);
        return rc == 0 ? gateway_put_back(e->s, e->t, &r,
                                          "the device is asleep; its gateway will keep the rest")
                       : rc;
}

/* Of the gateway's job, what the device's is by it. */
static void judge_direct(const ending *e, store_job_state to, odm_str reason, job_verdict *v)
{
        bool whole = true;

        for (uint32_t i = 0; i < e->all.n; i++)
                whole = whole && (e->ans[i].has || e->all.flat[i].members);
        if (to == STORE_JOB_DONE || (to == STORE_JOB_FAILED && whole))
                job_finish(&e->all, e->ans, v);
        else
                say(v, to, reason);
}

static int end_direct(gateways *s, fleet_turn *t, const gateway_relay *r, int64_t job,
                      store_job_state to, odm_str reason, bool no_tasks)
{
        odm_arena *a = store_batch_arena(t->batch);
        store_result_list l = {0};
        job_verdict v;
        ending e;
        bool asleep;
        int rc = begin(&e, s, t, r);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        rc = store_job_results(s->host->store, r->gateway, job, t->arena, &l);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        asleep = to == STORE_JOB_FAILED && !no_tasks && is_asleep(&e, &l);
        rc = 0;
        for (size_t i = 0; i < l.n && rc == 0; i++) {
                store_result own;

                if (l.v[i].index >= e.all.n || (asleep && was_undone(&e, &l, &l.v[i])))
                        continue;
                rc = own_result(&l.v[i], r->key, a, &own);
                if (rc == 0)
                        rc = take_result(&e, &own);
        }
        if (rc < 0)
                return rc;
        if (asleep)
                return go_again(&e);
        judge_direct(&e, to, reason, &v);
        return end(&e, &v, l.n > 0);
}

/* ---- fan-outs ------------------------------------------------------------------------------------- */

static int value_of(const odm_fanout_value *v, odm_arena *a, store_value *out)
{
        odm_str format = v->value.format == ODM_FMT_ABSENT
                                 ? ODM_ABSENT
                                 : odm_cstr(odm_format_name(v->value.format));

        *out = (store_value){.uri = odm_arena_copy(a, v->uri),
                             .format = odm_arena_copy(a, format),
                             .type = odm_arena_copy(a, v->value.type),
                             .data = v->has_data ? odm_arena_copy(a, v->value.data) : ODM_ABSENT};
        return a->err ? odm_arena_err(a) : 0;
}

static odm_str outcome_text(const ending *e, uint32_t index, const odm_fanout_cmd *c, odm_str why,
                            odm_arena *a)
{
        odm_str type = c->result ? gateway_alert_of(job_uri(e->all.flat[index].c)) : ODM_ABSENT;

        if (type.n)
                return odm_arena_join(a, ODM_STR(COMMAND_BY_ALERT), type);
        if (c->more)
                return odm_arena_fmt(a, "%u more values were too large for the gateway's report",
                                     c->more);
        for (size_t i = 0; i < c->n; i++)
                if (!c->v[i].has_data && c->v[i].size)
                        return odm_arena_fmt(a,
                                             "a value of %llu octets was too large for the "
                                             "gateway's report",
                                             (unsigned long long)c->v[i].size);
        return job_status_ok(c->status) ? ODM_ABSENT : odm_arena_copy(a, why);
}

/* The device's final alert, which its gateway has kept as a result: it is news as that of any
 * device, alarms hang on it. */
static int tell_alert(const ending *e, uint32_t index, const odm_fanout_cmd *c)
{
        const odm_command *cmd = e->all.flat[index].c;
        odm_str type = gateway_alert_of(job_uri(cmd)), source = gateway_alert_source(job_uri(cmd));
        json_t *o;

        if (!type.n || !c->result)
                return 0;
        o = json_pack("{s:i, s:s%, s:s%, s:o, s:s, s:s, s:o}", "code", 1226, "type", type.p, type.n,
                      "source", source.p, source.n, "gateway",
                      json_sprintf("%lld", (long long)e->relay->gateway), "format", "int", "mark",
                      job_status_ok(c->result % 1000) ? "informational" : "critical", "data",
                      json_sprintf("%u", c->result));
        if (o && cmd->correlator.n && odm_utf8_ok(cmd->correlator))
                (void)json_object_set_new(o, "correlator",
                                          json_stringn(cmd->correlator.p, cmd->correlator.n));
        return fleet_tell(e->t, e->relay->device, "alert", o);
}

static int take_outcome(ending *e, uint32_t index, const odm_fanout_cmd *c, odm_str why)
{
        odm_arena *a = store_batch_arena(e->t->batch);
        store_value *v = odm_arena_zget(a, (c->n + 1) * sizeof *v);
        store_result r = {.index = index,
                          .status =
                                  c->status == ODM_ST_ACCEPTED && c->result ? c->result : c->status,
                          .sent = true,
                          .items = v,
                          .n_items = c->n};
        int rc = 0;

        if (!v)
                return odm_arena_err(a);
        for (size_t i = 0; i < c->n && rc == 0; i++)
                rc = value_of(&c->v[i], a, &v[i]);
        r.text = outcome_text(e, index, c, why, a);
        if (a->err)
                return odm_arena_err(a);
        if (rc == 0 && !e->ans[index].has)
                rc = tell_alert(e, index, c);
        return rc == 0 ? take_result(e, &r) : rc;
}

/* An outcome of no command is that of the first that has none. */
static int take_outcomes(ending *e, const odm_fanout_entry *o)
{
        int rc = 0;

        for (size_t i = 0; i < o->n && rc == 0; i++) {
                uint64_t ref = 0;

                if (o->cmd[i].ref.n && odm_str_u64(o->cmd[i].ref, e->all.n, &ref) == 0 && ref) {
                        rc = take_outcome(e, (uint32_t)ref - 1, &o->cmd[i], o->text);
                        continue;
                }
                for (uint32_t k = 0; k < e->all.n; k++)
                        if (!e->ans[k].has && !e->all.flat[k].members) {
                                rc = take_outcome(e, k, &o->cmd[i], o->text);
                                break;
                        }
        }
        return rc;
}

/* No command was given to the device at all. */
static bool was_not_begun(const odm_fanout_entry *o)
{
        for (size_t i = 0; i < o->n; i++)
                if (o->cmd[i].ref.n)
                        return false;
        return o->state == ODM_TARGET_FAILED;
}

static void judge_target(const ending *e, const odm_fanout_entry *o, job_verdict *v)
{
        bool late = e->job.deadline && e->job.deadline <= e->t->now;

        switch (o->state) {
        case ODM_TARGET_TIMEOUT:
                say(v, late ? STORE_JOB_EXPIRED : STORE_JOB_FAILED,
                    o->text.n ? o->text : ODM_STR("its gateway could not reach it in time"));
                return;
        case ODM_TARGET_CANCELLED:
                say(v, STORE_JOB_CANCELLED,
                    o->text.n ? o->text : ODM_STR("it was cancelled at its gateway"));
                return;
        default: job_finish(&e->all, e->ans, v);
        }
        if (v->to != STORE_JOB_FAILED && v->to != STORE_JOB_DONE)
                say(v, STORE_JOB_FAILED, ODM_STR("its gateway told no result"));
        if (v->to == STORE_JOB_FAILED && was_not_begun(o))
                say(v, STORE_JOB_FAILED,
                    o->text.n ? o->text : ODM_STR("its gateway did not begin it"));
}

/* It had left before its turn came, and is elsewhere by now. */
static int has_moved(ending *e, bool *moved)
{
        gateway_child c;
        int rc = gateway_find_child(e->s->host->store, e->relay->device, e->t->arena, &c);

        *moved = rc == 0 && c.gateway && c.gateway != e->relay->gateway;
        return rc == ODM_ENOENT ? 0 : rc;
}

/* Its gateway has the package no more, or serves it nowhere. */
static int without_image(gateways *s, fleet_turn *t, const gateway_relay *r)
{
        gateway_relay to = *r;

        to.plain = true;
        return gateway_put_back(s, t, &to, "its gateway could not give it the package");
}

static int end_target(gateways *s, fleet_turn *t, const gateway_relay *r, const odm_fanout_entry *o)
{
        bool moved = false;
        job_verdict v;
        ending e;
        int rc = begin(&e, s, t, r);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        if (o->state == ODM_TARGET_SKIPPED)
                rc = has_moved(&e, &moved);
        if (rc == 0 && moved)
                return gateway_put_back(s, t, r, "the device is behind another gateway now");
        if (rc == 0 && r->image.n && was_not_begun(o))
                return without_image(s, t, r);
        if (rc == 0)
                rc = take_outcomes(&e, o);
        if (rc < 0)
                return rc;
        if (o->state == ODM_TARGET_OK) /* what went without saying */
                for (uint32_t i = 0; i < e.all.n; i++)
                        if (!e.ans[i].has)
                                e.ans[i] = (job_answer){.has = true, .status = ODM_ST_OK};
        judge_target(&e, o, &v);
        return end(&e, &v, o->state == ODM_TARGET_OK || o->state == ODM_TARGET_FAILED);
}

static int find_members(gateways *s, odm_arena *a, int64_t gateway, int64_t task, store_rows *out)
{
        const gateway_relay at = {.gateway = gateway, .task = task};
        const store_scan scan = {.table = &table_gateway_relay,
                                 .index = RELAY_BY_TASK,
                                 .same = 2,
                                 .at = &at,
                                 .limit = GATEWAY_TARGETS};

        return store_row_find(s->host->store, &scan, a, out);
}

static int end_by_key(gateways *s, fleet_turn *t, const store_rows *l, bool *done, odm_str key,
                      int64_t device, const odm_fanout_entry *o)
{
        const gateway_relay *v = l->v;

        for (size_t i = 0; i < l->n; i++) {
                if (done[i] || !(key.n ? odm_str_eq(v[i].key, key) : v[i].device == device))
                        continue;
                done[i] = true;
                return end_target(s, t, &v[i], o);
        }
        return 0;
}

static int end_entry(gateways *s, fleet_turn *t, const store_rows *l, bool *done,
                     const odm_fanout_entry *o)
{
        store_device d = {0};
        odm_str key;
        size_t at = 0;
        int rc = 0;

        if (o->is_group) {
                while (rc == 0 && odm_fanout_next_key(o->keys, &at, &key))
                        rc = end_by_key(s, t, l, done, key, 0, o);
                return rc;
        }
        if (o->id.n)
                rc = store_device_by_devid(s->host->store, o->id, t->arena, &d);
        if (rc == 0)
                return end_by_key(s, t, l, done, ODM_ABSENT, d.id, o);
        return rc == ODM_ENOENT ? end_by_key(s, t, l, done, o->key, 0, o) : rc;
}

int gateway_results(gateways *s, fleet_turn *t, const fleet_event *ev)
{
        odm_fanout_doc doc;
        store_rows l = {0};
        odm_arena a;
        bool *done;
        int rc;

        odm_arena_init(&a, &heap_mem, DOC_MEMORY);
        rc = odm_fanout_doc_read(fleet_text(ev, "data"), &a, &doc);
        if (rc == ODM_EMALFORMED || rc == ODM_ELIMIT) {
                odm_arena_done(&a);
                return 0; /* the completion ends what it was about */
        }
        if (rc == 0)
                rc = find_members(s, t->arena, ev->e.device, gateway_task_number(doc.task), &l);
        done = rc == 0 ? odm_arena_zget(t->arena, l.n + 1) : NULL;
        if (!done)
                rc = rc < 0 ? rc : odm_arena_err(t->arena);
        for (const odm_fanout_entry *o = doc.entries; rc == 0 && o; o = o->next)
                if (odm_target_over(o->state))
                        rc = end_entry(s, t, &l, done, o);
        odm_arena_done(&a);
        return rc;
}

/* ---- tasks that are over ------------------------------------------------------------------------ */

/* Its first Add, which is number 1 both in a task and in a load, was refused as something that it
 * has not. */
static bool has_no_such(gateways *s, fleet_turn *t, int64_t gateway, int64_t job)
{
        store_result_list l = {0};

        if (store_job_results(s->host->store, gateway, job, t->arena, &l) < 0)
                return false;
        for (size_t i = 0; i < l.n; i++)
                if (l.v[i].index == 1)
                        switch (l.v[i].status) {
                        case ODM_ST_NOT_FOUND:
                        case ODM_ST_NOT_ALLOWED:
                        case ODM_ST_UNSUPPORTED:
                        case ODM_ST_NOT_IMPLEMENTED: return true;
                        default: break;
                        }
        return false;
}

static int set_flag(gateways *s, fleet_turn *t, int64_t gateway, unsigned flag)
{
        gateway_row row;
        int rc = gateway_find(s->host->store, gateway, t->arena, &row);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        row.no_tasks = row.no_images = true;
        return gateway_patch(t, &row, STORE_FIELD(flag));
}

/* Those that no report told of. */
static int end_rest(gateways *s, fleet_turn *t, const gateway_task *k, store_job_state to,
                    odm_str reason)
{
        store_rows l = {0};
        const gateway_relay *v;
        int rc = find_members(s, t->arena, k->device, k->id, &l);

        v = l.v;
        for (size_t i = 0; i < l.n && rc == 0; i++) {
                job_verdict verdict;
                ending e;

                rc = begin(&e, s, t, &v[i]);
                if (rc == ODM_ENOENT) {
                        rc = 0;
                        continue;
                }
                if (rc < 0)
                        break;
                if (to == STORE_JOB_DONE)
                        say(&verdict, STORE_JOB_FAILED, ODM_STR("its gateway told no result"));
                else
                        say(&verdict, to, reason);
                rc = end(&e, &verdict, false);
        }
        return rc;
}

/* The gateway would not have the task: its devices are told one by one. */
static int one_by_one(gateways *s, fleet_turn *t, const gateway_task *k)
{
        store_rows l = {0};
        gateway_relay *v;
        int rc = find_members(s, t->arena, k->device, k->id, &l);

        v = l.v;
        for (size_t i = 0; i < l.n && rc == 0; i++) {
                v[i].plain = true;
                v[i].again = false;
                rc = gateway_put_back(s, t, &v[i], "its gateway takes no fan-out for it");
        }
        return rc;
}

/* An Exec that was answered 202 is over; one that was refused never began. */
static bool was_started(gateways *s, fleet_turn *t, int64_t gateway, int64_t job)
{
        store_result_list l = {0};

        if (store_job_results(s->host->store, gateway, job, t->arena, &l) < 0 || !l.n)
                return false;
        return job_status_ok(l.v[l.n - 1].status) || command_alert_type(l.v[l.n - 1].text).n;
}

/* The clock has the gateway take it away, and drops it. */
static int fanout_ended(gateways *s, fleet_turn *t, const gateway_task *k, int64_t job,
                        store_job_state to, odm_str reason)
{
        int rc = 0;

        if (to != STORE_JOB_FAILED || was_started(s, t, k->device, job)) {
                rc = end_rest(s, t, k, to == STORE_JOB_FAILED ? STORE_JOB_DONE : to, reason);
                return rc == 0 ? look_at_task(t, k->device, k->id) : rc;
        }
        if (has_no_such(s, t, k->device, job)) {
                rc = set_flag(s, t, k->device, GW_no_tasks);
                if (rc == 0)
                        rc = drop_task(t, k->device, k->id);
        } else { /* it may have been made, and not been started */
                rc = look_at_task(t, k->device, k->id);
        }
        return rc == 0 ? one_by_one(s, t, k) : rc;
}

static int direct_ended(gateways *s, fleet_turn *t, const gateway_task *k, int64_t job,
                        store_job_state to, odm_str reason)
{
        store_rows l = {0};
        gateway_row row = {0};
        const gateway_relay *v;
        int rc = find_members(s, t->arena, k->device, k->id, &l);

        if (rc == 0)
                rc = gateway_find(s->host->store, k->device, t->arena, &row);
        v = l.v;
        for (size_t i = 0; i < l.n && rc == 0; i++)
                rc = end_direct(s, t, &v[i], job, to, reason, row.no_tasks || v[i].plain);
        return rc == ODM_ENOENT ? 0 : rc;
}

/* The last command of a load is the one that tells. */
static int load_ended(gateways *s, fleet_turn *t, const gateway_task *k, int64_t job,
                      store_job_state to, odm_str reason)
{
        odm_arena *a = store_batch_arena(t->batch);
        const gateway_image key = {.device = k->device, .sha256 = k->image};
        gateway_image *img = odm_new(a, gateway_image), known;
        store_result_list l = {0};
        gateway_row row = {.device = k->device, .work = 1};
        bool ready = false;
        json_t *o;
        int rc = store_row_get(s->host->store, &table_gateway_image, &key, t->arena, &known);

        if (rc == 0 && to != STORE_JOB_EXPIRED && to != STORE_JOB_CANCELLED) {
                rc = store_job_results(s->host->store, k->device, job, t->arena, &l);
                ready = rc == 0 && l.n && job_status_ok(l.v[l.n - 1].status) &&
                        l.v[l.n - 1].status != ODM_ST_ACCEPTED;
        }
        if (rc < 0 || !img)
                return rc == ODM_ENOENT ? 0 : rc < 0 ? rc : ODM_ENOMEM;
        *img = known;
        img->sha256 = odm_arena_copy(a, known.sha256);
        img->name = odm_arena_copy(a, known.name);
        img->state = ready ? GATEWAY_LOADED : GATEWAY_UNLOADED;
        img->at = t->now;
        img->reason = ready ? ODM_STR("") : odm_arena_copy(a, odm_str_to(reason, REASON_MOST));
        if (!fleet_row(t, STORE_ROW_PUT, &table_gateway_image, img))
                return ODM_ENOMEM;
        if (!ready && has_no_such(s, t, k->device, job))
                rc = set_flag(s, t, k->device, GW_no_images);
        if (rc == 0)
                rc = gateway_patch(t, &row, STORE_FIELD(GW_work));
        o = json_pack("{s:s%, s:s%, s:s}", "sha256", known.sha256.p, known.sha256.n, "package",
                      known.name.p ? known.name.p : "", known.name.n, "state",
                      ready ? "ready" : "failed");
        if (o && !ready && img->reason.n && odm_utf8_ok(img->reason))
                (void)json_object_set_new(o, "reason", json_stringn(img->reason.p, img->reason.n));
        return rc == 0 ? fleet_tell(t, k->device, "gateway.image", o) : (json_decref(o), rc);
}

static bool state_of(odm_str kind, store_job_state *out)
{
        return odm_str_starts(kind, "job.") && store_job_state_parse(odm_str_from(kind, 4), out);
}

int gateway_task_ended(gateways *s, fleet_turn *t, const fleet_event *ev, int64_t id)
{
        const gateway_task key = {.device = ev->e.device, .id = id};
        odm_str reason = fleet_text(ev, "reason");
        int64_t job = fleet_id(ev, "job");
        store_job_state to;
        gateway_task k;
        int rc = store_row_get(s->host->store, &table_gateway_task, &key, t->arena, &k);

        if (rc < 0 || !state_of(ev->e.kind, &to))
                return rc == ODM_ENOENT ? 0 : rc;
        switch ((gateway_form)k.form) {
        case GATEWAY_DIRECT: rc = direct_ended(s, t, &k, job, to, reason); break;
        case GATEWAY_FANOUT: return fanout_ended(s, t, &k, job, to, reason);
        case GATEWAY_LOAD: rc = load_ended(s, t, &k, job, to, reason); break;
        case GATEWAY_INVENTORY:
        case GATEWAY_NAMES:
        case GATEWAY_LOOK:
                rc = gateway_list_ended(s, t, &k, job, to == STORE_JOB_DONE, reason);
                break;
        case GATEWAY_STOP:
        case GATEWAY_TRIGGER: break;
        }
        return rc == 0 ? drop_task(t, k.device, k.id) : rc;
}

/* ---- taken back -------------------------------------------------------------------------------- */

static int find_job(gateways *s, fleet_turn *t, const gateway_task *k, store_job *out)
{
        const store_job_filter f = {
                .device = k->device, .states = STORE_JOB_OPEN, .limit = 1000, .no_commands = true};
        odm_str key = odm_arena_fmt(t->arena, GATEWAY_JOB_KEY "%lld", (long long)k->id);
        store_job_list l = {0};
        int rc = key.p ? store_job_find(s->host->store, &f, t->arena, &l) : odm_arena_err(t->arena);

        for (size_t i = 0; rc == 0 && i < l.n; i++)
                if (odm_str_eq(l.v[i].key, key)) {
                        *out = l.v[i];
                        return 0;
                }
        return rc < 0 ? rc : ODM_ENOENT;
}

/* It was in a session, if only in one that was lost. */
static bool is_begun(const store_job *j)
{
        return j->attempts > 0 ||
               !((STORE_JOB_BIT(STORE_JOB_QUEUED) | STORE_JOB_BIT(STORE_JOB_NOTIFIED)) &
                 STORE_JOB_BIT(j->state));
}

static int end_fanout(fleet_turn *t, gateways *s, const gateway_task *k, int32_t priority,
                      json_t *commands)
{
        gateway_row row;
        int64_t before, id;
        const gateway_new n = {.form = GATEWAY_STOP,
                               .commands = commands,
                               .priority = priority,
                               .deadline = t->now + INT64_C(86400000),
                               .actor = ODM_STR("gateway")};
        int rc = gateway_find(s->host->store, k->device, t->arena, &row);

        if (rc < 0) {
                json_decref(commands);
                return rc == ODM_ENOENT ? 0 : rc;
        }
        before = row.serial;
        rc = gateway_task_new(t, &row, &n, &id);
        return rc == 0 ? gateway_count(t, &row, before, 0) : rc;
}

/* Whether the task is still wanted for another device. */
static int others_wait(gateways *s, fleet_turn *t, const gateway_relay *r, bool *any)
{
        store_rows l = {0};
        const gateway_relay *v;
        int rc = find_members(s, t->arena, r->gateway, r->task, &l);

        v = l.v;
        *any = false;
        for (size_t i = 0; i < l.n && rc == 0 && !*any; i++) {
                store_job j;
                if (v[i].device == r->device)
                        continue;
                rc = store_job_get(s->host->store, v[i].job, t->arena, &j);
                *any = rc == 0 && !is_over(j.state);
                rc = rc == ODM_ENOENT ? 0 : rc;
        }
        return rc;
}

/* Has the gateway take the device out of a fan-out: behind the task itself, where that has not gone
 * yet.  *asked: it will say what came of that. */
static int take_out(gateways *s, fleet_turn *t, const gateway_relay *r, bool *asked)
{
        const gateway_task key = {.device = r->gateway, .id = r->task};
        gateway_row row;
        gateway_task k;
        store_job j;
        size_t room = 0;
        int rc = store_row_get(s->host->store, &table_gateway_task, &key, t->arena, &k);

        *asked = false;
        if (rc == 0 && k.form != GATEWAY_FANOUT)
                rc = ODM_ENOENT;
        if (rc == 0)
                rc = find_job(s, t, &k, &j);
        if (rc == 0)
                rc = gateway_find(s->host->store, r->gateway, t->arena, &row);
        if (rc == 0)
                rc = gateway_room(s, t->arena, r->gateway, &room);
        if (rc == 0 && room)
                rc = end_fanout(t, s, &k, j.priority, gateway_target_stop(k.id, r->key));
        *asked = rc == 0 && room;
        return rc == ODM_ENOENT ? 0 : rc;
}

int gateway_withdrawn(gateways *s, fleet_turn *t, int64_t device, int64_t job)
{
        const gateway_relay key = {.device = device, .job = job};
        bool others = false;
        gateway_relay r;
        int rc = store_row_get(s->host->store, &table_gateway_relay, &key, t->arena, &r);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        rc = drop_relay(t, &r);
        if (rc == 0 && r.task > 0)
                rc = look_at_task(t, r.gateway, r.task);
        if (rc == 0 && r.task > 0)
                rc = others_wait(s, t, &r, &others);
        return rc == 0 && others ? take_out(s, t, &r, &(bool){false}) : rc;
}

/* To read or to replace once more does no harm. */
static bool may_be_repeated(const job_commands *all)
{
        for (uint32_t i = 0; i < all->n; i++)
                switch (all->flat[i].c->kind) {
                case ODM_CMD_GET:
                case ODM_CMD_REPLACE:
                case ODM_CMD_ATOMIC:
                case ODM_CMD_SEQUENCE: break;
                default: return false;
                }
        return true;
}

/* Whether the old gateway may have done what must not be done twice. */
static int is_in_doubt(gateways *s, fleet_turn *t, const gateway_relay *r, const store_job *j,
                       bool *doubt)
{
        const gateway_task k = {.device = r->gateway, .id = r->task};
        job_commands all;
        store_job carrier;
        int rc;

        *doubt = false;
        if (r->task <= 0)
                return 0;
        rc = find_job(s, t, &k, &carrier);
        if (rc == 0 && !is_begun(&carrier))
                return 0;
        if (rc == 0 || rc == ODM_ENOENT) /* over, or gone with its gateway */
                rc = job_decode(j->commands, j->atomic, t->arena, &all);
        if (rc == 0)
                *doubt = !may_be_repeated(&all);
        return rc;
}

/* It goes on behind the new gateway; or when the old one has said that it never began there; or
 * ends here. */
static int take_along(gateways *s, fleet_turn *t, gateway_relay *r)
{
        bool doubt = false, asked = false, others = false;
        store_job j;
        int rc = store_job_get(s->host->store, r->job, t->arena, &j);

        if (rc == 0 && !is_over(j.state))
                rc = is_in_doubt(s, t, r, &j, &doubt);
        if (rc == 0 && r->task > 0)
                rc = others_wait(s, t, r, &others);
        if (rc == 0 && (doubt || others))
                rc = take_out(s, t, r, &asked);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (doubt && asked)
                return 0;
        rc = r->task > 0 ? look_at_task(t, r->gateway, r->task) : 0;
        if (rc == 0 && !doubt) {
                r->plain = false;
                return gateway_put_back(s, t, r, "the device is behind another gateway now");
        }
        if (rc == 0)
                rc = drop_relay(t, r);
        return rc == 0 ? move_job(t, &j, STORE_JOB_OPEN, STORE_JOB_FAILED,
                                  "it left its gateway meanwhile; what became of it is not known")
                       : rc;
}

int gateway_put_back_all(gateways *s, fleet_turn *t, int64_t device)
{
        const gateway_relay at = {.device = device};
        const store_scan scan = {
                .table = &table_gateway_relay, .same = 1, .at = &at, .limit = 1000};
        store_rows l = {0};
        gateway_relay *v;
        int rc = store_row_find(s->host->store, &scan, t->arena, &l);

        v = l.v;
        for (size_t i = 0; i < l.n && rc == 0; i++)
                rc = take_along(s, t, &v[i]);
        return rc;
}

/* It is over: the gateway, which has a ceiling of tasks, need not keep it.  Without room for a job
 * it does. */
static int clear_fanout(fleet_turn *t, gateways *s, const gateway_task *k)
{
        size_t room;
        int rc = gateway_room(s, t->arena, k->device, &room);

        if (rc < 0 || !room)
                return rc;
        return end_fanout(t, s, k, 0, gateway_task_clear(k->id));
}

/* Nobody waits for it any more, or it is over. */
static int cancel_task(gateways *s, fleet_turn *t, const gateway_task *k)
{
        store_job j;
        int rc = find_job(s, t, k, &j);

        if (rc == ODM_ENOENT) {
                rc = k->form == GATEWAY_FANOUT ? clear_fanout(t, s, k) : 0;
                return rc == 0 ? drop_task(t, k->device, k->id) : rc;
        }
        if (rc == 0 && k->form == GATEWAY_FANOUT && is_begun(&j))
                rc = end_fanout(t, s, k, j.priority, gateway_task_stop(k->id));
        if (rc == 0)
                rc = move_job(t, &j, STORE_JOB_BIT(j.state), STORE_JOB_CANCELLED,
                              "the job that it was made for is over");
        return rc == 0 ? drop_task(t, k->device, k->id) : rc;
}

static int settle_task(fleet_turn *t, const gateway_task *k)
{
        gateway_task *to = odm_new(store_batch_arena(t->batch), gateway_task);
        store_op *op = to ? fleet_row(t, STORE_ROW_PATCH, &table_gateway_task, to) : NULL;

        if (!op)
                return ODM_ENOMEM;
        *to = (gateway_task){.device = k->device, .id = k->id};
        op->row.fields = STORE_FIELD(GT_work);
        op->lenient = true;
        return 0;
}

/* One a turn, for each may count a task of its gateway. */
int gateway_tasks_look(gateways *s, fleet_turn *t, bool *again)
{
        const gateway_task at = {.work = 1};
        const store_scan scan = {.table = &table_gateway_task,
                                 .index = TASK_BY_WORK,
                                 .same = 1,
                                 .at = &at,
                                 .limit = 1};
        store_rows l = {0}, members = {0};
        const gateway_task *k;
        int rc = store_row_find(s->host->store, &scan, t->arena, &l);

        if (rc < 0 || !l.n)
                return rc;
        k = l.v;
        *again = true;
        rc = find_members(s, t->arena, k->device, k->id, &members);
        if (rc < 0)
                return rc;
        return members.n ? settle_task(t, k) : cancel_task(s, t, k);
}
