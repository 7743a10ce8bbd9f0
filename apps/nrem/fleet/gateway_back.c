/* SPDX-License-Identifier: Apache-2.0 */
/* Orders that go back into the queue, for another way; that are with a gateway which their device
 * has left; that nobody wants any more. */
#include "gateway_part.h"
#include "gateway_relay.h"

int gateway_put_back(gateways *s, fleet_turn *t, const gateway_relay *r, const char *why)
{
        gateway_relay to = *r;
        store_job j;
        int rc = store_job_get(s->host->store, r->job, t->arena, &j);

        if (rc == ODM_ENOENT || (rc == 0 && gateway_job_over(j.state)))
                return gateway_relay_drop(t, r);
        if (rc < 0)
                return rc;
        to.task = 0;
        to.image = ODM_STR("");
        rc = gateway_relay_put(t, &to);
        if (rc == 0 && j.state == STORE_JOB_WAITING)
                rc = gateway_job_move(t, &j, STORE_JOB_BIT(STORE_JOB_WAITING), STORE_JOB_QUEUED,
                                      why);
        gateway_poke(s, r->device);
        return rc;
}

static int give_up(fleet_turn *t, const gateway_relay *r, const store_job *j)
{
        int rc = gateway_relay_drop(t, r);

        return rc == 0 ? gateway_job_move(
                                 t, j, STORE_JOB_OPEN, STORE_JOB_FAILED,
                                 "it left its gateway meanwhile; what became of it is not known")
                       : rc;
}

/* The job that a task is for its gateway, while it is open. */
static int find_carrier(store *st, const gateway_task *k, odm_arena *a, store_job *out)
{
        const store_job_filter f = {
                .device = k->device, .states = STORE_JOB_OPEN, .limit = 1000, .no_commands = true};
        odm_str key = odm_arena_fmt(a, GATEWAY_JOB_KEY "%lld", (long long)k->id);
        store_job_list l = {0};
        int rc = key.p ? store_job_find(st, &f, a, &l) : odm_arena_err(a);

        for (size_t i = 0; rc == 0 && i < l.n; i++)
                if (odm_str_eq(l.v[i].key, key)) {
                        *out = l.v[i];
                        return 0;
                }
        return rc < 0 ? rc : ODM_ENOENT;
}

static int find_job(gateways *s, fleet_turn *t, const gateway_task *k, store_job *out)
{
        return find_carrier(s->host->store, k, t->arena, out);
}

/* It was in a session, if only in one that was lost. */
static bool is_begun(const store_job *j)
{
        return j->attempts > 0 ||
               !((STORE_JOB_BIT(STORE_JOB_QUEUED) | STORE_JOB_BIT(STORE_JOB_NOTIFIED)) &
                 STORE_JOB_BIT(j->state));
}

int gateway_has_begun(store *st, const store_job *j, odm_arena *a, bool *begun)
{
        gateway_relay r = {.device = j->device, .job = j->id};
        gateway_task k;
        store_job carrier;
        int rc = store_row_get(st, &table_gateway_relay, &r, a, &r);

        *begun = rc == ODM_ENOENT || (rc == 0 && r.task > 0);
        if (rc < 0 || !*begun)
                return rc == ODM_ENOENT ? 0 : rc;
        k = (gateway_task){.device = r.gateway, .id = r.task};
        rc = find_carrier(st, &k, a, &carrier);
        *begun = rc < 0 || is_begun(&carrier);
        return rc == ODM_ENOENT ? 0 : rc;
}

/* `of` is the relay for whose sake; NULL: for none, and nobody waits for what comes of it. */
static int end_fanout(fleet_turn *t, gateways *s, const gateway_task *k, int32_t priority,
                      json_t *commands, const gateway_relay *of)
{
        gateway_row row;
        int64_t before, id;
        const gateway_new n = {.form = GATEWAY_STOP,
                               .commands = commands,
                               .priority = priority,
                               .image =
                                       of ? odm_arena_fmt(t->arena, "%lld/%lld",
                                                          (long long)of->device, (long long)of->job)
                                          : ODM_STR(""),
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
        int rc = gateway_members(s, t->arena, r->gateway, r->task, &l);

        v = l.v;
        *any = false;
        for (size_t i = 0; i < l.n && rc == 0 && !*any; i++) {
                store_job j;
                if (v[i].device == r->device)
                        continue;
                rc = store_job_get(s->host->store, v[i].job, t->arena, &j);
                *any = rc == 0 && !gateway_job_over(j.state);
                rc = rc == ODM_ENOENT ? 0 : rc;
        }
        return rc;
}

/* What takes back the Exec of a job that the gateway has; ODM_ENOENT: nothing does. */
static int exec_stop(gateways *s, fleet_turn *t, int64_t carrier, json_t **out)
{
        job_commands all;
        store_job j;
        int rc = store_job_get(s->host->store, carrier, t->arena, &j);

        if (rc == 0)
                rc = job_decode(j.commands, j.atomic, t->arena, &all);
        *out = rc == 0 ? gateway_exec_stop(&all) : NULL;
        return rc == 0 && !*out ? ODM_ENOENT : rc;
}

/* Has the gateway take the device out of a fan-out, or an Exec out of its queue: behind the task
 * itself, where that has not gone yet.  *asked: it will say what came of that. */
static int take_out(gateways *s, fleet_turn *t, const gateway_relay *r, bool *asked)
{
        const gateway_task key = {.device = r->gateway, .id = r->task};
        gateway_row row;
        gateway_task k;
        store_job j;
        size_t room = 0;
        json_t *stop = NULL;
        int rc = store_row_get(s->host->store, &table_gateway_task, &key, t->arena, &k);

        *asked = false;
        if (rc == 0 && k.form != GATEWAY_FANOUT && k.form != GATEWAY_DIRECT)
                rc = ODM_ENOENT;
        if (rc == 0)
                rc = find_job(s, t, &k, &j);
        if (rc == 0)
                rc = gateway_find(s->host->store, r->gateway, t->arena, &row);
        if (rc == 0)
                rc = gateway_room(s, t->arena, r->gateway, &room);
        if (rc == 0 && room && k.form == GATEWAY_DIRECT)
                rc = exec_stop(s, t, j.id, &stop);
        else if (rc == 0 && room)
                stop = gateway_target_stop(k.id, r->key);
        if (rc == 0 && room)
                rc = end_fanout(t, s, &k, j.priority, stop, k.form == GATEWAY_DIRECT ? r : NULL);
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
        rc = gateway_relay_drop(t, &r);
        if (rc == 0 && r.task > 0)
                rc = gateway_task_look(t, r.gateway, r.task);
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

        if (rc == 0 && !gateway_job_over(j.state))
                rc = is_in_doubt(s, t, r, &j, &doubt);
        if (rc == 0 && r->task > 0)
                rc = others_wait(s, t, r, &others);
        if (rc == 0 && (doubt || others))
                rc = take_out(s, t, r, &asked);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (doubt && asked)
                return 0;
        rc = r->task > 0 ? gateway_task_look(t, r->gateway, r->task) : 0;
        if (rc == 0 && !doubt) {
                r->plain = false;
                return gateway_put_back(s, t, r, "the device is behind another gateway now");
        }
        return rc == 0 ? give_up(t, r, &j) : rc;
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

static int relay_of(gateways *s, fleet_turn *t, odm_str text, gateway_relay *out)
{
        uint64_t device, job;
        size_t n = 0;

        while (n < text.n && text.p[n] != '/')
                n++;
        if (odm_str_u64(odm_str_to(text, n), INT64_MAX, &device) < 0 ||
            odm_str_u64(odm_str_from(text, n + 1), INT64_MAX, &job) < 0)
                return ODM_ENOENT;
        *out = (gateway_relay){.device = (int64_t)device, .job = (int64_t)job};
        return store_row_get(s->host->store, &table_gateway_relay, out, t->arena, out);
}

int gateway_stop_ended(gateways *s, fleet_turn *t, const gateway_task *k, int64_t job)
{
        store_result_list l = {0};
        gateway_relay r = {.device = 0};
        gateway_child c;
        store_job j = {.state = STORE_JOB_QUEUED};
        int rc = relay_of(s, t, k->image, &r);

        if (rc == 0)
                rc = gateway_find_child(s->host->store, r.device, t->arena, &c);
        if (rc == 0 && (r.gateway != k->device || c.gateway == r.gateway)) /* it has come back */
                rc = ODM_ENOENT;
        if (rc == 0)
                rc = store_job_get(s->host->store, r.job, t->arena, &j);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        rc = store_job_results(s->host->store, k->device, job, t->arena, &l);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        rc = r.task > 0 ? gateway_task_look(t, r.gateway, r.task) : 0;
        if (rc < 0)
                return rc;
        if (gateway_job_over(j.state))
                return gateway_relay_drop(t, &r);
        if (!l.n || !job_status_ok(l.v[0].status))
                return give_up(t, &r, &j);
        r.plain = false;
        return gateway_put_back(s, t, &r, "the device is behind another gateway now");
}

/* It is over: the gateway, which has a ceiling of tasks, need not keep it.  Without room for a job
 * it does. */
static int clear_fanout(fleet_turn *t, gateways *s, const gateway_task *k)
{
        size_t room;
        int rc = gateway_room(s, t->arena, k->device, &room);

        if (rc < 0 || !room)
                return rc;
        return end_fanout(t, s, k, 0, gateway_task_clear(k->id), NULL);
}

/* What the gateway has of it is not to be done any more; an Exec that its device has already comes
 * to its end. */
static int have_stopped(fleet_turn *t, gateways *s, const gateway_task *k, const store_job *j)
{
        json_t *stop = NULL;
        int rc;

        if (k->form == GATEWAY_FANOUT)
                return end_fanout(t, s, k, j->priority, gateway_task_stop(k->id), NULL);
        rc = k->form == GATEWAY_DIRECT ? exec_stop(s, t, j->id, &stop) : ODM_ENOENT;
        if (rc == 0)
                rc = end_fanout(t, s, k, j->priority, stop, NULL);
        return rc == ODM_ENOENT ? 0 : rc;
}

/* Nobody waits for it any more, or it is over. */
static int cancel_task(gateways *s, fleet_turn *t, const gateway_task *k)
{
        store_job j;
        int rc = find_job(s, t, k, &j);

        if (rc == ODM_ENOENT) {
                rc = k->form == GATEWAY_FANOUT ? clear_fanout(t, s, k) : 0;
                return rc == 0 ? gateway_task_drop(t, k->device, k->id) : rc;
        }
        if (rc == 0 && is_begun(&j))
                rc = have_stopped(t, s, k, &j);
        if (rc == 0)
                rc = gateway_job_move(t, &j, STORE_JOB_BIT(j.state), STORE_JOB_CANCELLED,
                                      "the job that it was made for is over");
        return rc == 0 ? gateway_task_drop(t, k->device, k->id) : rc;
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
        rc = gateway_members(s, t->arena, k->device, k->id, &members);
        if (rc < 0)
                return rc;
        return members.n ? settle_task(t, k) : cancel_task(s, t, k);
}
