/* SPDX-License-Identifier: Apache-2.0 */
#include "campaign_row.h"

const char *const campaign_kinds[] = {"firmware", "software", "commands", NULL};

#define X(f, KIND) STORE_FIELD_OF(campaign, f, KIND),
static const field campaign_fields[] = {CAMPAIGN_FIELDS(X)};
#undef X
#define X(f, KIND) STORE_FIELD_OF(campaign_item, f, KIND),
static const field item_fields[] = {ITEM_FIELDS(X)};
#undef X

static const record record_campaign = STORE_RECORD_OF(campaign, campaign_fields);
static const record record_item = STORE_RECORD_OF(campaign_item, item_fields);

static const store_index campaign_index[] = {
        [CAMPAIGN_BY_WORK - 1] = {.name = "work", .fields = {CAMPAIGN_F_work}, .n = 1},
        [CAMPAIGN_BY_STATE - 1] = {.name = "state", .fields = {CAMPAIGN_F_state}, .n = 1},
};
static const store_index item_index[] = {
        [ITEM_BY_ORDER -
         1] = {.name = "turn", .fields = {ITEM_F_campaign, ITEM_F_state, ITEM_F_n}, .n = 3},
        [ITEM_BY_DUE -
                1] = {.name = "due", .fields = {ITEM_F_campaign, ITEM_F_state, ITEM_F_due}, .n = 3},
        [ITEM_BY_NAME - 1] = {.name = "name", .fields = {ITEM_F_campaign, ITEM_F_name}, .n = 2},
};

const store_table table_campaign = {.name = "campaign",
                                    .rec = &record_campaign,
                                    .n_key = 1,
                                    .numbered = true,
                                    .index = campaign_index,
                                    .n_index = ODM_COUNT(campaign_index)};
const store_table table_campaign_item = {.name = "campaign_item",
                                         .rec = &record_item,
                                         .n_key = 2,
                                         .index = item_index,
                                         .n_index = ODM_COUNT(item_index)};

int64_t *campaign_tally(campaign *c, campaign_item_state s)
{
        int64_t *const all[ITEM_STATES] = {&c->pending,   &c->delayed, &c->ordered, &c->checking,
                                           &c->succeeded, &c->failed,  &c->skipped, &c->cancelled};

        return all[s];
}

uint64_t campaign_tally_field(campaign_item_state s)
{
        return STORE_FIELD(CAMPAIGN_F_pending + (unsigned)s);
}

/* ---- acts ---------------------------------------------------------------------------------- */

void campaign_begin(campaign *row, int64_t now)
{
        row->state = CAMPAIGN_RUNNING;
        row->work = 1;
        row->started = now;
}

#define FIELD(f) STORE_FIELD(CAMPAIGN_F_##f)

static uint64_t begin_sweep(campaign *row, campaign_sweep s)
{
        row->sweep = s;
        row->swept = 0;
        return FIELD(sweep) | FIELD(swept);
}

/* What failed until now is known: only what fails from here on halts it. */
static uint64_t begin_again(campaign *row)
{
        row->base_succeeded = row->succeeded;
        row->base_failed = row->failed;
        row->reason = ODM_STR("");
        return FIELD(base_succeeded) | FIELD(base_failed) | FIELD(reason);
}

static uint64_t close_row(campaign *row, bool open, odm_str why, odm_str who, odm_arena *mem)
{
        row->reason = odm_arena_join(mem, why, who);
        if (!open)
                return FIELD(reason);
        row->work = 1;
        return FIELD(reason) | FIELD(work) | begin_sweep(row, SWEEP_CLOSE);
}

static uint64_t change(campaign *row, campaign_action a, odm_str who, int64_t now, odm_arena *mem)
{
        bool open = row->state != CAMPAIGN_DONE && row->state != CAMPAIGN_CANCELLED;

        switch (a) {
        case CAMPAIGN_APPROVE: row->approved = who; return FIELD(approved);
        case CAMPAIGN_START: campaign_begin(row, now); return FIELD(work) | FIELD(started);
        case CAMPAIGN_PAUSE:
                row->reason = odm_arena_join(mem, ODM_STR("paused by "), who);
                return begin_sweep(row, SWEEP_WITHDRAW) | FIELD(reason);
        case CAMPAIGN_RESUME:
                row->forced |= row->state == CAMPAIGN_HALTED || (row->wave == 1 && row->reached);
                return begin_sweep(row, SWEEP_NONE) | begin_again(row) | FIELD(forced);
        case CAMPAIGN_ROLLBACK: return close_row(row, open, ODM_STR("rolled back by "), who, mem);
        case CAMPAIGN_CANCEL: return close_row(row, open, ODM_STR("cancelled by "), who, mem);
        case CAMPAIGN_RETRY:
                row->work = 1;
                row->ended = 0;
                row->holds = row->package != 0;
                return begin_sweep(row, SWEEP_RETRY) | begin_again(row) | FIELD(work) |
                       FIELD(ended) | FIELD(classes) | FIELD(holds);
        case CAMPAIGN_REMOVE: row->work = 1; return begin_sweep(row, SWEEP_REMOVE) | FIELD(work);
        }
        ODM_UNREACHABLE();
}

uint64_t campaign_act(campaign *row, campaign_action a, campaign_state to, odm_str who, int64_t now,
                      odm_arena *mem)
{
        uint64_t fields = change(row, a, who, now, mem);

        row->state = to;
        row->rev++;
        row->updated = now;
        return fields | FIELD(state) | FIELD(rev) | FIELD(updated);
}
