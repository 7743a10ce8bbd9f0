/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of relays and tasks, and moves of the jobs behind them. */
#include "gateway_part.h"
#include "gateway_relay.h"
#include "job_event.h"

bool gateway_job_over(store_job_state s)
{
        return !(STORE_JOB_OPEN & STORE_JOB_BIT(s));
}

/* Not lenient: what follows from it must not happen without it. */
int gateway_job_move(fleet_turn *t, const store_job *j, uint32_t from, store_job_state to,
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
        return gateway_job_over(to) ? job_event_add(t->batch, j, to, reason, t->now) : 0;
}

int gateway_relay_drop(fleet_turn *t, const gateway_relay *r)
{
        gateway_relay *key = odm_new(store_batch_arena(t->batch), gateway_relay);
        store_op *op = key ? fleet_row(t, STORE_ROW_DELETE, &table_gateway_relay, key) : NULL;

        if (!op)
                return ODM_ENOMEM;
        *key = (gateway_relay){.device = r->device, .job = r->job};
        op->lenient = true;
        return 0;
}

int gateway_relay_put(fleet_turn *t, const gateway_relay *r)
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

int gateway_task_drop(fleet_turn *t, int64_t gateway, int64_t id)
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
int gateway_task_look(fleet_turn *t, int64_t gateway, int64_t id)
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

int gateway_members(gateways *s, odm_arena *a, int64_t gateway, int64_t task, store_rows *out)
{
        const gateway_relay at = {.gateway = gateway, .task = task};
        const store_scan scan = {.table = &table_gateway_relay,
                                 .index = RELAY_BY_TASK,
                                 .same = 2,
                                 .at = &at,
                                 .limit = GATEWAY_TARGETS};

        return store_row_find(s->host->store, &scan, a, out);
}
