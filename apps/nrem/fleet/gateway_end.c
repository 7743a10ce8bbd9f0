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
        if (rc == 0 && gateway_job_over(e->job.state))
                rc = ODM_ENOENT;
        if (rc == ODM_ENOENT) {
                rc = gateway_relay_drop(t, r);
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
                rc = gateway_relay_drop(e->t, e->relay);
        if (rc == 0)
                rc = gateway_job_move(e->t, &e->job, STORE_JOB_OPEN, v->to, v->reason);
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

/* Who is ordered after the others has the package brought there again. */
static int lose_image(gateways *s, fleet_turn *t, const gateway_relay *r)
{
        const gateway_image key = {.device = r->gateway, .sha256 = r->image};
        gateway_image known;
        int rc = store_row_get(s->host->store, &table_gateway_image, &key, t->arena, &known);

        if (rc < 0 || known.state != GATEWAY_LOADED)
                return rc == ODM_ENOENT ? 0 : rc;
        known.state = GATEWAY_UNLOADED;
        known.at = t->now;
        known.reason = ODM_STR("its gateway could not give it to a device");
        return gateway_image_put(t, &known); /* not told: many may say so at once */
}

/* Its gateway has the package no more, or serves it nowhere. */
static int without_image(gateways *s, fleet_turn *t, const gateway_relay *r,
                         const odm_fanout_entry *o)
{
        gateway_relay to = *r;
        int rc = o->n && o->cmd[0].status == ODM_ST_NOT_FOUND ? lose_image(s, t, r) : 0;

        if (rc < 0)
                return rc;
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
                return without_image(s, t, r, o);
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
                rc = gateway_members(s, t->arena, ev->e.device, gateway_task_number(doc.task), &l);
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
        int rc = gateway_members(s, t->arena, k->device, k->id, &l);

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
        int rc = gateway_members(s, t->arena, k->device, k->id, &l);

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
                return rc == 0 ? gateway_task_look(t, k->device, k->id) : rc;
        }
        if (has_no_such(s, t, k->device, job)) {
                rc = set_flag(s, t, k->device, GW_no_tasks);
                if (rc == 0)
                        rc = gateway_task_drop(t, k->device, k->id);
        } else { /* it may have been made, and not been started */
                rc = gateway_task_look(t, k->device, k->id);
        }
        return rc == 0 ? one_by_one(s, t, k) : rc;
}

static int direct_ended(gateways *s, fleet_turn *t, const gateway_task *k, int64_t job,
                        store_job_state to, odm_str reason)
{
        store_rows l = {0};
        gateway_row row = {0};
        const gateway_relay *v;
        int rc = gateway_members(s, t->arena, k->device, k->id, &l);

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
        const gateway_image key = {.device = k->device, .sha256 = k->image};
        gateway_image known;
        store_result_list l = {0};
        gateway_row row = {.device = k->device, .work = 1};
        bool ready = false;
        int rc = store_row_get(s->host->store, &table_gateway_image, &key, t->arena, &known);

        if (rc == 0 && to != STORE_JOB_EXPIRED && to != STORE_JOB_CANCELLED) {
                rc = store_job_results(s->host->store, k->device, job, t->arena, &l);
                ready = rc == 0 && l.n && job_status_ok(l.v[l.n - 1].status) &&
                        l.v[l.n - 1].status != ODM_ST_ACCEPTED;
        }
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        if (!ready && has_no_such(s, t, k->device, job))
                rc = set_flag(s, t, k->device, GW_no_images);
        if (rc == 0)
                rc = gateway_patch(t, &row, STORE_FIELD(GW_work));
        return rc == 0 ? gateway_image_now(t, &known, ready, reason) : rc;
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
        case GATEWAY_STOP: rc = gateway_stop_ended(s, t, &k, job); break;
        case GATEWAY_TRIGGER: break;
        }
        return rc == 0 ? gateway_task_drop(t, k.device, k.id) : rc;
}
