/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks of fan-outs: begun, gone on with after a start of the gateway, turned, forgotten. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fanout_inner.h"
#include "heap.h"
#include "log.h"

#define TASK_BYTES ((size_t)16 << 20) /* a task's commands, read, and its targets */
#define RESULTS_S (7 * INT64_C(86400))
#define PAGE 500

odm_fanout_now fanout_now(void)
{
        return (odm_fanout_now){loop_now(), loop_wall()};
}

fanout_task *fanout_by_id(const fanout_part *p, uint64_t id)
{
        for (fanout_task *t = p->tasks; t; t = t->next)
                if ((uint64_t)t->row.id == id)
                        return t;
        return NULL;
}

fanout_task *fanout_by_name(const fanout_part *p, odm_str name)
{
        for (fanout_task *t = p->tasks; t; t = t->next)
                if (t->row.name.n && odm_str_eq(t->row.name, name))
                        return t;
        return NULL;
}

/* ---- devices ---------------------------------------------------------------------------------- */

gw_device *fanout_device(const fanout_part *p, uint32_t number)
{
        static const char prefixes[] = "dg";
        char key[GW_KEY];
        gw_device *d = NULL;

        for (size_t i = 0; !d && prefixes[i] && number < FANOUT_STRANGER; i++) {
                (void)snprintf(key, sizeof key, "%c%04u", prefixes[i], (unsigned)number);
                d = gw_by_key(p->g, odm_cstr(key));
        }
        return d;
}

odm_presence fanout_presence(const gw_device *d)
{
        if (d->state == GW_DEACTIVATED)
                return ODM_PRESENCE_BARRED;
        if (d->mode == GW_TRANSPARENT)
                return ODM_PRESENCE_FOREIGN;
        if (d->state == GW_DETACHED)
                return ODM_PRESENCE_GONE;
        return gw_is_awake(d) ? ODM_PRESENCE_AWAKE : ODM_PRESENCE_ASLEEP;
}

bool fanout_at_work(const gateway *g, const gw_device *d)
{
        return g->fanout && g->fanout->f && odm_fanout_runs(g->fanout->f, d->number);
}

void fanout_count(const fanout_part *p, uint32_t device)
{
        gw_device *d = fanout_device(p, device);

        if (d)
                d->pending = odm_fanout_waiting(p->f, device);
}

/* ---- memory ------------------------------------------------------------------------------------- */

void fanout_free_task(fanout_task *t)
{
        odm_arena_done(&t->keep);
        free(t);
}

static void link_task(fanout_part *p, fanout_task *t)
{
        t->next = p->tasks;
        p->tasks = t;
}

static void unlink_task(fanout_task *t)
{
        fanout_task **at = &t->p->tasks;

        while (*at != t)
                at = &(*at)->next;
        *at = t->next;
}

void fanout_bury(fanout_task *t)
{
        unlink_task(t);
        fanout_free_task(t);
}

static fanout_task *new_task(fanout_part *p, const fanout_row *row)
{
        fanout_task *t = calloc(1, sizeof *t);

        if (!t)
                return NULL;
        t->p = p;
        t->row = *row;
        odm_arena_init(&t->keep, &heap_mem, TASK_BYTES);
        if (record_copy(gw_table_fanout.rec, &t->row, &t->keep) == 0)
                return t;
        fanout_free_task(t);
        return NULL;
}

void fanout_close_task(fanout_task *t)
{
        odm_arena small;

        t->open = t->telling = false;
        t->row.cmds = t->row.targets = ODM_ABSENT;
        t->cmds = (odm_fanout_cmds){0};
        t->list = (fanout_list){0};
        odm_arena_init(&small, &heap_mem, TASK_BYTES);
        if (record_copy(gw_table_fanout.rec, &t->row, &small) < 0) {
                log_error("no memory for a task that is over");
                t->row.name = t->row.task = t->row.server = t->row.correlator = ODM_ABSENT;
        }
        odm_arena_done(&t->keep);
        t->keep = small;
}

/* ---- plans ---------------------------------------------------------------------------------------- */

static odm_fanout_plan plan_of(const fanout_task *t)
{
        const fanout_row *r = &t->row;
        odm_fanout_plan p;

        odm_fanout_plan_init(&p);
        p.id = (uint64_t)r->id;
        p.cmds = &t->cmds;
        p.not_before.s = r->not_before;
        p.expire.s = r->expire;
        p.timeout_ms = r->timeout_ms;
        p.parallel = r->parallel;
        p.retry = r->retry;
        p.stop_pct = r->stop_pct;
        p.priority = (uint8_t)r->priority;
        p.agg_window_s = r->agg_window;
        p.agg_max = r->agg_max;
        p.max_queue = r->max_queue;
        return p;
}

/* The engine's targets, with the presence given or, where that is NULL, as it is now. */
static odm_fanout_to *targets_of(const fanout_task *t, const odm_presence *given)
{
        const fanout_list *l = &t->list;
        odm_fanout_to *to = calloc(l->n ? l->n : 1, sizeof *to);

        for (size_t i = 0; to && i < l->n; i++) {
                const gw_device *d = given ? NULL : fanout_device(t->p, l->v[i]);
                to[i].device = l->v[i];
                to[i].presence = given ? given[i] : d ? fanout_presence(d) : ODM_PRESENCE_UNKNOWN;
        }
        return to;
}

static void recount(const fanout_task *t)
{
        for (size_t i = 0; i < t->list.n; i++)
                fanout_count(t->p, t->list.v[i]);
}

/* ---- beginning -------------------------------------------------------------------------------------- */

/* In one batch with the end of the run before, which has the same name. */
static int write_start(fanout_task *t, const fanout_task *before)
{
        store_batch *b = store_batch_new();
        int rc = b ? marks_next(t->p->g->marks, MARKS_FANOUT, &t->row.id) : ODM_ENOMEM;

        if (rc == 0)
                rc = fanout_put(b, &t->row);
        if (rc == 0 && before)
                rc = fanout_purge(b, before->row.id, true);
        if (rc == 0)
                rc = gw_write(t->p->g, b);
        store_batch_free(b);
        return rc;
}

static void take_back(const fanout_task *t)
{
        store_batch *b = store_batch_new();
        int rc = b ? fanout_purge(b, t->row.id, true) : ODM_ENOMEM;

        if (rc == 0)
                rc = gw_write(t->p->g, b);
        if (rc < 0)
                log_error("a task that could not begin stays until the next start",
                          log_text("reason", odm_err_text(rc)));
        store_batch_free(b);
}

static int start(fanout_task *t, const odm_presence *presence)
{
        odm_fanout_to *to = targets_of(t, presence);
        odm_fanout_plan plan = plan_of(t);
        odm_fanout_now now = fanout_now();
        int rc = to ? odm_fanout_start(t->p->f, &plan, to, t->list.n, &now) : ODM_ENOMEM;

        free(to);
        return rc;
}

static int prepare(fanout_part *p, const fanout_order *o, fanout_task **out)
{
        fanout_task *t = new_task(p, &o->row);
        const char *why;
        int rc;

        if (!t)
                return ODM_ENOMEM;
        rc = odm_fanout_cmds_parse(t->row.cmds, &t->keep, &t->cmds, &why);
        if (rc == 0)
                rc = fanout_pack(&o->list, &t->keep, &t->row.targets);
        if (rc == 0)
                rc = fanout_unpack(t->row.targets, &t->keep, &t->list);
        if (rc < 0) {
                fanout_free_task(t);
                return rc;
        }
        t->row.id = 0;
        t->row.state = ODM_FANOUT_RUNNING;
        t->row.total = (uint32_t)t->list.n;
        t->row.finished = 0;
        *out = t;
        return 0;
}

static unsigned status_of(int rc)
{
        switch (rc) {
        case 0: return ODM_ST_ACCEPTED;
        case ODM_EMALFORMED:
        case ODM_EINVAL: return ODM_ST_BAD_REQUEST;
        case ODM_ELIMIT: return ODM_ST_FULL;
        case ODM_EIO: return ODM_ST_STORE_FAILED;
        default: return ODM_ST_FAILED;
        }
}

int fanout_begin(fanout_part *p, const fanout_order *o, unsigned *status)
{
        fanout_task *before = fanout_by_name(p, o->row.name), *t = NULL;
        int rc = prepare(p, o, &t);

        if (rc == 0 && before)
                t->row.seq = before->row.seq;
        if (rc == 0)
                rc = write_start(t, before);
        if (rc == 0) {
                rc = start(t, o->presence);
                if (rc < 0)
                        take_back(t);
                if (before)
                        fanout_bury(before);
        }
        *status = status_of(rc);
        if (rc < 0) {
                if (t)
                        fanout_free_task(t);
                return rc == ODM_ENOMEM ? rc : 0;
        }
        t->open = true;
        link_task(p, t);
        recount(t);
        log_info("a fan-out begins", log_text("task", t->row.task.p ? t->row.task.p : ""),
                 log_int("devices", (int64_t)t->list.n));
        fanout_wake(p);
        return 0;
}

void fanout_refuse(fanout_part *p, odm_str name, odm_str task_id)
{
        const fanout_row row = {.name = name,
                                .task = task_id,
                                .state = ODM_FANOUT_REFUSED,
                                .finished = loop_wall().s};
        fanout_task *t = new_task(p, &row), *before = fanout_by_name(p, name);

        if (!t)
                return;
        if (write_start(t, before) < 0) {
                fanout_free_task(t);
                return;
        }
        if (before)
                fanout_bury(before);
        link_task(p, t);
}

/* ---- turns -------------------------------------------------------------------------------------------- */

static int keep_state(fanout_task *t, odm_fanout_state to)
{
        store_batch *b = store_batch_new();
        fanout_row row = t->row;
        int rc;

        row.state = to;
        rc = b ? fanout_patch(b, &row, STORE_FIELD(FANOUT_F_STATE)) : ODM_ENOMEM;
        if (rc == 0)
                rc = gw_write(t->p->g, b);
        if (rc == 0)
                t->row.state = to;
        store_batch_free(b);
        return rc;
}

static int cancel(fanout_task *t, const odm_fanout_now *now)
{
        odm_fanout_view v;
        int rc = odm_fanout_look(t->p->f, (uint64_t)t->row.id, &v);

        if (rc == 0 && v.pending == 0)
                return ODM_ESTATE;
        if (rc == 0)
                rc = keep_state(t, ODM_FANOUT_CANCELLED);
        return rc == 0 ? odm_fanout_cancel(t->p->f, (uint64_t)t->row.id, now) : rc;
}

static int hold_or_go(fanout_task *t, bool hold, const odm_fanout_now *now)
{
        odm_fanout *f = t->p->f;
        uint64_t id = (uint64_t)t->row.id;
        int rc = hold ? odm_fanout_pause(f, id, now) : odm_fanout_resume(f, id, now);

        if (rc < 0)
                return rc;
        rc = keep_state(t, hold ? ODM_FANOUT_PAUSED : ODM_FANOUT_RUNNING);
        if (rc < 0) {
                int back = hold ? odm_fanout_resume(f, id, now) : odm_fanout_pause(f, id, now);
                assert(back == 0);
                (void)back;
        }
        return rc;
}

int fanout_turn(fanout_part *p, fanout_task *t, odm_fanout_state to, unsigned *status)
{
        odm_fanout_now now = fanout_now();
        int rc = ODM_ESTATE;

        if (t && t->open)
                rc = to == ODM_FANOUT_CANCELLED ? cancel(t, &now)
                                                : hold_or_go(t, to == ODM_FANOUT_PAUSED, &now);
        *status = rc == 0 ? ODM_ST_OK : rc == ODM_ESTATE ? ODM_ST_NOT_ALLOWED : status_of(rc);
        if (rc == 0)
                fanout_wake(p);
        return rc == ODM_ENOMEM ? rc : 0;
}

void fanout_take_back(fanout_part *p, const fanout_task *t, uint32_t device)
{
        static const odm_str why = {"taken back while the device was at it", 37};
        fanout_outcome *o = fanout_outcome_of(p, (uint64_t)t->row.id, device, false);

        if (o && o->text.n == 0 && odm_buf_str(&o->text, why) < 0)
                log_warn("why a target ended is not told");
        if (odm_fanout_withdraw(p->f, (uint64_t)t->row.id, device) == 0)
                fanout_count(p, device);
        fanout_wake(p);
}

/* ---- forgetting ------------------------------------------------------------------------------------------ */

static int purge(fanout_part *p, int64_t id, bool whole)
{
        store_batch *b = store_batch_new();
        int rc = b ? fanout_purge(b, id, whole) : ODM_ENOMEM;

        if (rc == 0)
                rc = gw_write_then(p->g, b, NULL, NULL);
        if (rc < 0)
                store_batch_free(b);
        return rc;
}

void fanout_forget(fanout_part *p, fanout_task *t)
{
        if (t->open)
                odm_fanout_drop(p->f, (uint64_t)t->row.id);
        fanout_stop_runs(p, (uint64_t)t->row.id);
        for (size_t i = 0; t->open && i < t->list.n; i++) {
                gw_device *d = fanout_device(p, t->list.v[i]);
                if (d)
                        fanout_below_look(p, d, true);
        }
        if (purge(p, t->row.id, true) < 0) /* the next start sees that its node is gone */
                log_warn("rows of a task stay until the next start");
        if (!t->writing) {
                fanout_bury(t);
                return;
        }
        t->gone = true; /* what is on its way comes back to it */
        t->open = t->telling = false;
        t->row.name = ODM_ABSENT;
}

void fanout_sweep(fanout_part *p)
{
        int64_t now = loop_wall().s;

        for (fanout_task *t = p->tasks; t; t = t->next) {
                if (t->open || t->row.total == 0 || now - t->row.finished < RESULTS_S)
                        continue;
                if (purge(p, t->row.id, false) < 0)
                        return;
        }
}

/* ---- going on --------------------------------------------------------------------------------------------- */

static int load_target(fanout_part *p, const fanout_target_row *r)
{
        fanout_outcome *o;

        if (!r->awaits)
                return 0;
        o = fanout_outcome_of(p, (uint64_t)r->task, (uint32_t)r->device, true);
        if (!o)
                return ODM_ENOMEM;
        odm_buf_cut(&o->outcome, 0);
        return odm_buf_str(&o->outcome, r->outcome);
}

static int load_targets(fanout_task *t, odm_fanout_row *rows, size_t *n)
{
        fanout_target_row at = {.task = t->row.id}, last;
        store_scan s = {.table = &gw_table_target, .same = 1, .at = &at, .limit = PAGE};
        bool more = true;
        int rc = 0;

        while (rc == 0 && more) {
                store_rows found;
                odm_arena a;
                odm_arena_init(&a, &heap_mem, PAGE * ((size_t)ODM_FANOUT_OUTCOME_MAX + 4096));
                rc = store_row_find(gw_store(t->p->g), &s, &a, &found);
                for (size_t i = 0; rc == 0 && i < found.n && *n < t->list.n; i++) {
                        const fanout_target_row *r = (const fanout_target_row *)found.v + i;
                        rows[(*n)++] = (odm_fanout_row){(uint32_t)r->device,
                                                        (odm_fanout_target)r->state,
                                                        r->status,
                                                        r->tries,
                                                        r->ended,
                                                        r->awaits};
                        rc = load_target(t->p, r);
                        last = (fanout_target_row){.task = r->task, .device = r->device};
                }
                more = rc == 0 && found.more && found.n > 0;
                s.after = &last;
                odm_arena_done(&a);
        }
        return rc;
}

/* The last alert had come, and the target had not been ended for it. */
static void finish_heard(fanout_task *t, const odm_fanout_row *row)
{
        fanout_outcome *o = fanout_outcome_of(t->p, (uint64_t)t->row.id, row->device, false);
        odm_fanout_now now = fanout_now();
        const odm_fanout_cmd *v;
        unsigned status;
        odm_arena a;
        size_t n;

        if (!row->awaits || !o)
                return;
        odm_arena_init(&a, &heap_mem, FANOUT_BYTES);
        if (odm_fanout_outcome_read(odm_buf_view(&o->outcome), &a, &v, &n) == 0) {
                odm_fanout_target to = odm_fanout_judge(v, n, &status);
                if (to != ODM_TARGET_RUNNING &&
                    odm_fanout_final(t->p->f, (uint64_t)t->row.id, row->device, to == ODM_TARGET_OK,
                                     status, &now) < 0)
                        log_warn("a target does not wait for what it was told");
        }
        odm_arena_done(&a);
}

static int restore(fanout_task *t)
{
        odm_fanout_to *to = targets_of(t, NULL);
        odm_fanout_row *rows = calloc(t->list.n ? t->list.n : 1, sizeof *rows);
        odm_fanout_plan plan = plan_of(t);
        odm_fanout_now now = fanout_now();
        size_t n = 0;
        int rc = to && rows ? load_targets(t, rows, &n) : ODM_ENOMEM;

        if (rc == 0)
                rc = odm_fanout_restore(t->p->f, &plan, to, t->list.n, rows, n, t->row.told,
                                        (odm_fanout_state)t->row.state, &now);
        for (size_t i = 0; rc == 0 && i < n; i++)
                finish_heard(t, &rows[i]);
        free(to);
        free(rows);
        return rc;
}

/* ---- after the store was mended --------------------------------------------------------------------------- */

#define SEQ_AHEAD 65536 /* documents that may have been told since the copy was made */

/* Whether what became of it since the copy was made does not matter: it only reads, or its time has
 * not come yet. */
static bool is_harmless(const fanout_task *t)
{
        if (t->row.not_before > loop_wall().s)
                return true;
        for (uint32_t i = 0; i < t->cmds.n; i++) {
                odm_cmd k = t->cmds.at[i]->kind;
                if (k != ODM_CMD_GET && k != ODM_CMD_SEQUENCE)
                        return false;
        }
        return true;
}

/* The number of the target that ended last; of none, 0. */
static int last_ended(const fanout_task *t, odm_arena *a, uint32_t *out)
{
        const fanout_target_row at = {.task = t->row.id};
        const store_scan s = {.table = &gw_table_target,
                              .index = TARGET_BY_ENDED,
                              .same = 1,
                              .at = &at,
                              .down = true,
                              .limit = 1};
        store_rows rows;
        int rc = store_row_find(gw_store(t->p->g), &s, a, &rows);

        if (rc == 0)
                *out = rows.n ? ((const fanout_target_row *)rows.v)->ended : 0;
        return rc;
}

/* What has not ended by the copy, and does not await a final alert, has timed out. */
static int doubt_target(const fanout_task *t, store_batch *b, uint32_t device, odm_arena *a,
                        uint32_t *ended)
{
        const gw_device *d = fanout_device(t->p, device);
        fanout_target_row row = {.task = t->row.id, .device = device};
        int rc = store_row_get(gw_store(t->p->g), &gw_table_target, &row, a, &row);

        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (row.ended || row.awaits)
                return 0;
        row.state = ODM_TARGET_TIMEOUT;
        row.status = ODM_ST_TIMEOUT;
        row.ended = ++*ended;
        row.key = d ? odm_cstr(d->key) : ODM_ABSENT;
        row.id = d ? d->id : ODM_ABSENT;
        row.at = loop_wall().s;
        row.outcome = ODM_STR("<Cmd Status=\"408\"/>");
        row.text = ODM_STR("the gateway's store was damaged: nobody knows whether it was done");
        return fanout_put_target(b, &row);
}

/* A task of a copy of the store. */
static int doubt(fanout_task *t)
{
        store_batch *b = store_batch_new();
        uint32_t ended = 0;
        odm_arena a;
        int rc = b ? 0 : ODM_ENOMEM;

        odm_arena_init(&a, &heap_mem, FANOUT_BYTES);
        t->row.seq += SEQ_AHEAD;
        if (rc == 0)
                rc = fanout_patch(b, &t->row, STORE_FIELD(FANOUT_F_SEQ));
        if (rc == 0)
                rc = last_ended(t, &a, &ended);
        for (size_t i = 0; rc == 0 && !is_harmless(t) && i < t->list.n; i++) {
                odm_arena_reset(&a);
                if (t->list.v[i] < FANOUT_STRANGER)
                        rc = doubt_target(t, b, t->list.v[i], &a, &ended);
        }
        if (rc == 0)
                rc = gw_write(t->p->g, b);
        odm_arena_done(&a);
        store_batch_free(b);
        return rc;
}

static int load_open(fanout_task *t)
{
        const char *why;
        int rc = odm_fanout_cmds_parse(t->row.cmds, &t->keep, &t->cmds, &why);

        if (rc == 0)
                rc = fanout_unpack(t->row.targets, &t->keep, &t->list);
        if (rc == 0 && t->p->g->mended == RECOVER_COPY)
                rc = doubt(t);
        if (rc == 0)
                rc = restore(t);
        t->open = rc == 0;
        if (rc == 0)
                recount(t);
        return rc;
}

static bool has_node(const fanout_part *p, const fanout_row *r)
{
        odm_arena a;
        odm_str uri;
        bool has;

        if (r->name.n == 0)
                return false;
        odm_arena_init(&a, &heap_mem, 4096);
        uri = odm_arena_fmt(&a, FANOUT_TASKS "%.*s", (int)r->name.n, r->name.p);
        has = !uri.p || odm_tree_exists(p->host->tree, uri);
        odm_arena_done(&a);
        return has;
}

static int load_task(fanout_part *p, const fanout_row *r)
{
        /* the tree, which did not go back, has no node: it had ended when that went */
        bool over = r->finished || (p->g->mended == RECOVER_COPY && r->name.n);
        fanout_task *t;
        int rc = 0;

        marks_floor(p->g->marks, MARKS_FANOUT, r->id + 1);
        if (over && !has_node(p, r)) {
                (void)(purge(p, r->id, true) == 0); /* else the next start does it */
                return 0;
        }
        t = new_task(p, r);
        if (!t)
                return ODM_ENOMEM;
        link_task(p, t);
        if (!r->finished)
                rc = load_open(t);
        else
                fanout_close_task(t);
        if (rc == 0 || rc == ODM_ENOMEM)
                return rc;
        log_error("a task cannot be gone on with", log_text("reason", odm_err_text(rc)));
        t->row.state = ODM_FANOUT_REFUSED;
        fanout_close_task(t);
        return 0;
}

int fanout_load(fanout_part *p)
{
        store_scan s = {.table = &gw_table_fanout, .limit = 1};
        fanout_row last = {.id = 0};
        bool more = true;
        int rc = 0;

        while (rc == 0 && more) {
                store_rows rows;
                odm_arena a;
                odm_arena_init(&a, &heap_mem, TASK_BYTES);
                rc = store_row_find(gw_store(p->g), &s, &a, &rows);
                if (rc == 0 && rows.n)
                        rc = load_task(p, rows.v);
                more = rc == 0 && rows.more && rows.n > 0;
                if (more) {
                        last.id = ((const fanout_row *)rows.v)->id;
                        s.after = &last;
                }
                odm_arena_done(&a);
        }
        return rc;
}
