/* SPDX-License-Identifier: Apache-2.0 */
/* Orders whose end shows later: a restart and a factory reset, by the device coming back; locks and
 * a wipe, by what /8 says (lwm2m.md 5). */
#include <string.h>

#include "job.h"

#define RESULT ODM_LW_PATH3(8, 0, 5)
#define LOCK ODM_LW_PATH2(8, 0)

static bool comes_back(enum task t)
{
        return t == TASK_RESTART || t == TASK_FACTORY_RESET;
}

/* What the order fails with when the device refuses it. */
static unsigned failure(enum task t)
{
        switch (t) {
        case TASK_RESTART:
        case TASK_LOCK_FULL: return 1402;
        case TASK_LOCK_PART: return 1403;
        case TASK_UNLOCK: return 1404;
        case TASK_WIPE: return 1405;
        default: return 1400;
        }
}

/* The number of /8/0 that the order is for. */
static int64_t lock_of(enum task t)
{
        return t == TASK_LOCK_FULL ? 2 : t == TASK_LOCK_PART ? 1 : 0;
}

static int order(odm_job *j)
{
        odm_lw_value v = {.type = ODM_LW_T_INTEGER, .i = lock_of(j->task)};

        j->executed = true;
        switch (j->task) {
        case TASK_RESTART:
                return odm_job_execute(j, PHASE_ORDER, ODM_LW_PATH3(3, 0, 4), ODM_ABSENT);
        case TASK_FACTORY_RESET:
                return odm_job_execute(j, PHASE_ORDER, ODM_LW_PATH3(3, 0, 5), ODM_ABSENT);
        case TASK_WIPE: return odm_job_execute(j, PHASE_ORDER, ODM_LW_PATH3(8, 0, 3), ODM_ABSENT);
        default: return odm_job_write(j, PHASE_ORDER, ODM_LW_PATH3(8, 0, 0), &v);
        }
}

#define WIPE_LIST "./LAWMO/AvailableWipeList/"
#define CHOSEN "/ToBeWiped"

static bool is_chosen(const odm_bridge *b, uint16_t item, odm_arena *a)
{
        odm_str key = odm_arena_fmt(a, WIPE_LIST "%u" CHOSEN, item);

        return key.p && odm_str_is(odm_bridge_kept(b, key), "true");
}

/* Whether a server chose items at all, those included that the device has no more. */
static bool any_chosen(const odm_bridge *b)
{
        const size_t tail = sizeof CHOSEN - 1;

        for (const struct kept *k = b->kept; k; k = k->next) {
                odm_str path = {k->text, k->path_n};
                if (odm_str_starts(path, WIPE_LIST) && path.n > tail &&
                    odm_str_is(odm_str_from(path, path.n - tail), CHOSEN) &&
                    odm_str_is((odm_str){k->text + k->path_n, k->data_n}, "true"))
                        return true;
        }
        return false;
}

/* Without a choice everything is meant.  A choice that the device cannot be told is not made for
 * everything: nothing is wiped.  For the same reason a choice stays when it was wiped, unlike that
 * of a device whose next Wipe then finds nothing: a Wipe said twice would take all. */
static int wipe_all(odm_job *j)
{
        return any_chosen(j->b) ? odm_job_end(j, 1406, NULL) : order(j);
}

/* Of the items that can be wiped, those that a server chose become the targets. */
static int on_items(odm_job *j)
{
        odm_lw_path at = ODM_LW_PATH3(8, 0, 4);
        odm_lw_request rq;
        odm_lw_list l;

        if (!odm_job_ok(j))
                return wipe_all(j);
        odm_arena_reset(&j->work);
        int rc = odm_bridge_answer_of(j->b, j->rq.path, j->answer, &j->work, &l);
        if (rc < 0)
                return rc == ODM_ENOMEM ? rc : wipe_all(j);
        odm_lw_node *v = odm_arena_get(&j->work, (l.n + 1) * sizeof *v);
        for (size_t i = 0; v && i < l.n; i++) {
                if (l.v[i].path.depth != 4 || !is_chosen(j->b, l.v[i].path.id[3], &j->work))
                        continue;
                v[j->items] = (odm_lw_node){.path = odm_lw_path_down(at, (uint16_t)j->items),
                                            .value = l.v[i].value};
                j->items++;
        }
        if (j->work.err)
                return odm_arena_err(&j->work);
        if (j->items == 0)
                return wipe_all(j);
        l = (odm_lw_list){v, j->items};
        rc = odm_bridge_write_of(j->b, at, &l, odm_bridge_ct_of_several(j->b), &j->work, &rq);
        if (rc < 0)
                return rc;
        rc = odm_job_execute(j, PHASE_TARGETS, at, ODM_ABSENT);
        j->rq = rq;
        return rc;
}

static int judge_lock(odm_job *j)
{
        unsigned code = j->result > 0 ? odm_bridge_lock_result(j->result) : 0;

        if (j->task == TASK_WIPE && code == 1201 && j->items > 0)
                code = 1202;
        if (code == 0 && j->task != TASK_WIPE && j->state == lock_of(j->task))
                code = 1200;
        if (code)
                return odm_job_end(j, code, NULL);
        odm_job_wait(j, PHASE_VERDICT, JOB_LOOK_MS);
        return 0;
}

/* It restarts now, or never: what else may be ordered of it waits no longer than that can take. */
static int await_back(odm_job *j)
{
        odm_time last = odm_time_add(j->now, j->b->back_ms);

        if (last.ms < j->deadline.ms)
                j->deadline = last;
        odm_job_wait(j, PHASE_VERDICT, j->b->back_ms);
        return 0;
}

static int on_ordered(odm_job *j)
{
        bool silent = j->answer->code == 0;

        if (!odm_job_ok(j) && !(silent && comes_back(j->task)))
                return odm_job_end(j, failure(j->task), NULL);
        if (!comes_back(j->task)) {
                j->result = j->state = -1;
                return odm_job_read(j, PHASE_VERDICT, LOCK);
        }
        if (odm_job_ok(j) && j->b->behind)
                return odm_job_end(j, 1200, NULL);
        return await_back(j);
}

static int on_answer(odm_job *j)
{
        int rc;

        switch (j->phase) {
        case PHASE_ITEMS: return on_items(j);
        case PHASE_TARGETS:
                return odm_job_ok(j) ? order(j) : odm_job_end(j, failure(j->task), NULL);
        case PHASE_ORDER: return on_ordered(j);
        case PHASE_VERDICT: rc = odm_job_learn(j); return rc < 0 ? rc : judge_lock(j);
        case PHASE_BEGIN:
        case PHASE_PICK:
        case PHASE_CREATE:
        case PHASE_PROBE:
        case PHASE_VERSION:
        case PHASE_PROTOCOLS:
        case PHASE_RESET:
        case PHASE_FETCH:
        case PHASE_OFFER:
        case PHASE_PUSH:
        case PHASE_LOADING:
        case PHASE_INSTALL:
        case PHASE_WORKING:
        case PHASE_VERIFY:
        case PHASE_SWITCH:
        case PHASE_SWITCHED:
        case PHASE_OVER: break;
        }
        ODM_UNREACHABLE();
}

/* After the gateway was away: an order that may have been given is not given again. */
static int begin(odm_job *j)
{
        if (j->executed && comes_back(j->task))
                return await_back(j);
        if (j->executed)
                return odm_job_read(j, PHASE_VERDICT, LOCK);
        j->items = 0;
        if (j->task == TASK_WIPE)
                return odm_job_read(j, PHASE_ITEMS, ODM_LW_PATH3(8, 0, 2));
        return order(j);
}

/* One so quick that its answer is still awaited is not asked again: it would restart once more. */
static int on_back(odm_job *j)
{
        bool given = j->phase == PHASE_ORDER ? j->lent : j->phase == PHASE_VERDICT;

        return given && comes_back(j->task) ? odm_job_end(j, 1200, NULL) : 0;
}

int odm_job_order(odm_job *j, enum event ev)
{
        bool waits = j->want == ODM_JOB_WAIT && !j->lent && j->phase == PHASE_VERDICT;

        switch (ev) {
        case EV_BEGIN: return begin(j);
        case EV_ANSWER: return on_answer(j);
        case EV_FETCHED: return 0;
        case EV_TOLD: return waits && !comes_back(j->task) ? judge_lock(j) : 0;
        case EV_BACK: return on_back(j);
        case EV_TIME:
                return waits && !comes_back(j->task) ? odm_job_read(j, PHASE_VERDICT, LOCK) : 0;
        }
        ODM_UNREACHABLE();
}
