/* SPDX-License-Identifier: Apache-2.0 */
/* A run (mo-scheduling.md 5 to 7, 9).
 *
 *     begin --act, act ...--> over          each arrow one transaction
 *             Exec: "begun" --> "over"
 *
 * Acts change the tree in the transaction that notes them as done.  An Exec cannot: what it sets in
 * motion is not the tree's.  So it is noted as begun, durably, before it is done; after a power cut
 * in between nobody knows whether it was, and it is not done again. */
#include <assert.h>
#include <string.h>

#include "odm/codec.h"
#include "schedule_inner.h"

#define TASK_MEMORY ((size_t)1 << 20)
#define RESULT_OK 1200
#define RESULT_SOME 1201
#define RESULT_NONE 1402
#define RESULT_DENIED 1403
#define RESULT_BAD 1404
#define RESULT_MISSED 1405

void odm_run_note(struct pen *p, unsigned from, odm_wall due, const odm_wall *until,
                  odm_str correlator)
{
        odm_pen_put_number(p, "Ext/xrem/Run/From", from);
        odm_pen_put_time(p, "Ext/xrem/Run/Due", due);
        if (until)
                odm_pen_put_time(p, "Ext/xrem/Run/Until", *until);
        if (correlator.p)
                odm_pen_put(p, "Ext/xrem/Run/Correlator", ODM_FMT_CHR, correlator);
        odm_pen_put_number(p, "Ext/xrem/Run/Begun", 0);
        odm_pen_put_number(p, "Ext/xrem/Run/Over", 0);
        odm_pen_put(p, "Ext/xrem/Run/Done", ODM_FMT_CHR, ODM_STR(""));
}

void odm_run_forget(struct item *it)
{
        if (it->task)
                odm_arena_done(&it->arena);
        it->task = NULL;
        it->intends = false;
}

/* ---- the Log --------------------------------------------------------------------------------- */

/* Makes room in a list of numbered nodes: the oldest go. */
static void keep_latest(struct pen *p, const char *list, size_t most)
{
        char rel[64];
        size_t n = 0;
        const odm_str *name = odm_pen_names(p, list, &n);

        for (size_t i = 0; p->rc == 0 && n - i >= most; i++) {
                odm_str at = odm_arena_fmt(&p->a, "%s/%.*s", list, (int)name[i].n, name[i].p);
                if (!at.p || at.n >= sizeof rel)
                        return;
                memcpy(rel, at.p, at.n + 1);
                odm_pen_delete(p, rel);
        }
}

static const char *entry(struct pen *p, const char *list, uint32_t n, const char *leaf)
{
        odm_str at = odm_arena_fmt(&p->a, "%s/%010lu/%s", list, (unsigned long)n, leaf);

        if (!at.p && p->rc == 0)
                p->rc = odm_arena_err(&p->a);
        return at.p ? at.p : "";
}

void odm_run_log(struct pen *p, unsigned cmd, unsigned status, odm_str data)
{
        uint32_t n = p->s->next_log++;

        keep_latest(p, "Log", ODM_SCHEDULE_LOG);
        odm_pen_put_time(p, entry(p, "Log", n, "Time"), p->now);
        odm_pen_put_number(p, entry(p, "Log", n, "Cmd"), cmd);
        odm_pen_put_number(p, entry(p, "Log", n, "Status"), status);
        if (data.p)
                odm_pen_put(p, entry(p, "Log", n, "Data"), ODM_FMT_CHR, data);
}

/* ---- reports --------------------------------------------------------------------------------- */

static odm_str cut_line(odm_str *rest)
{
        const char *nl = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
        odm_str line = odm_str_to(*rest, nl ? (size_t)(nl - rest->p) : rest->n);

        *rest = odm_str_from(*rest, line.n + 1);
        return line;
}

struct line { /* of the journal: "3 Replace 200" */
        unsigned seq, status;
        odm_str name;
};

static bool read_line(odm_str text, struct line *out)
{
        const char *a = text.n ? memchr(text.p, ' ', text.n) : NULL;
        uint64_t seq, status;

        if (!a)
                return false;
        odm_str rest = odm_str_from(text, (size_t)(a - text.p) + 1);
        const char *b = rest.n ? memchr(rest.p, ' ', rest.n) : NULL;
        if (!b || odm_str_u64(odm_str_to(text, (size_t)(a - text.p)), 1999, &seq) < 0 ||
            odm_str_u64(odm_str_from(rest, (size_t)(b - rest.p) + 1), 1999, &status) < 0)
                return false;
        *out = (struct line){(unsigned)seq, (unsigned)status,
                             odm_str_to(rest, (size_t)(b - rest.p))};
        return true;
}

static bool is_done(unsigned status)
{
        return odm_status_ok(status) && status != ODM_ST_CANCELLED &&
               status != ODM_ST_NOT_EXECUTED && status != ODM_ST_ROLLED_BACK;
}

static int put_escaped(odm_buf *b, odm_str text)
{
        int rc = 0;

        for (size_t i = 0; i < text.n && rc == 0; i++) {
                switch (text.p[i]) {
                case '<': rc = odm_buf_str(b, ODM_STR("&lt;")); break;
                case '>': rc = odm_buf_str(b, ODM_STR("&gt;")); break;
                case '&': rc = odm_buf_str(b, ODM_STR("&amp;")); break;
                default: rc = odm_buf_byte(b, (uint8_t)text.p[i]);
                }
        }
        return rc;
}

static int put_cmd(odm_buf *b, const struct line *l)
{
        return odm_buf_fmt(b, "<Cmd seq=\"%u\"><Name>%.*s</Name><Status>%u</Status></Cmd>", l->seq,
                           (int)l->name.n, l->name.p, l->status);
}

/* One element a command: of its items the first that failed tells. */
static int put_cmds(odm_buf *b, odm_str cmds)
{
        struct line now = {0}, next;
        int rc = 0;

        while (cmds.n && rc == 0) {
                if (!read_line(cut_line(&cmds), &next))
                        continue;
                if (now.seq == next.seq) {
                        if (is_done(now.status))
                                now.status = next.status;
                        continue;
                }
                rc = now.seq ? put_cmd(b, &now) : 0;
                now = next;
        }
        return rc == 0 && now.seq ? put_cmd(b, &now) : rc;
}

static int put_data(odm_buf *b, odm_str id, unsigned result, unsigned state, odm_wall at,
                    odm_str cmds)
{
        char time[ODM_WALL_TEXT];
        int rc = odm_buf_fmt(b, "<ResultCode>%u</ResultCode><ID>", result);

        odm_wall_format(at, time);
        if (rc == 0)
                rc = put_escaped(b, id);
        if (rc == 0)
                rc = odm_buf_fmt(b, "</ID><Time>%s</Time><State>%u</State>", time, state);
        return rc == 0 ? put_cmds(b, cmds) : rc;
}

void odm_run_report(struct pen *p, const char *event, unsigned result, odm_schedule_state state,
                    odm_wall at, odm_str correlator, odm_str cmds)
{
        static const char list[] = "Ext/xrem/Report";
        odm_str id = odm_pen_get(p, "ID");
        uint32_t n = p->s->next_report++;
        odm_buf b;
        int rc;

        if (p->rc < 0)
                return;
        odm_buf_init(&b, p->s->opt.mem, 8192);
        rc = put_data(&b, id, result, state, at, cmds);
        keep_latest(p, list, ODM_SCHEDULE_REPORTS);
        odm_pen_put(p, entry(p, list, n, "Event"), ODM_FMT_CHR, odm_cstr(event));
        odm_pen_put_time(p, entry(p, list, n, "Time"), at);
        odm_pen_put_number(p, entry(p, list, n, "Result"), result);
        if (correlator.n)
                odm_pen_put(p, entry(p, list, n, "Correlator"), ODM_FMT_CHR, correlator);
        if (rc == 0)
                odm_pen_put(p, entry(p, list, n, "Data"), ODM_FMT_CHR, odm_buf_view(&b));
        else if (p->rc == 0)
                p->rc = rc;
        odm_buf_done(&b);
}

void odm_run_missed(struct pen *p, unsigned n, odm_wall at, unsigned gating)
{
        odm_str text = odm_arena_fmt(&p->a, "%u %s missed", n, n == 1 ? "run" : "runs");

        odm_pen_put_number(p, "Ext/xrem/Missed", odm_pen_number(p, "Ext/xrem/Missed", 0) + n);
        odm_pen_put_number(p, "LastResult", RESULT_MISSED);
        odm_run_log(p, 0, RESULT_MISSED, text);
        if (gating & 32)
                odm_run_report(p, "TaskResult", RESULT_MISSED, ODM_SCHEDULE_ACTIVE, at, ODM_ABSENT,
                               ODM_STR(""));
}

/* ---- the end of a run ------------------------------------------------------------------------ */

static unsigned result_of(odm_str done)
{
        unsigned good = 0, bad = 0, denied = 0;
        struct line l;

        while (done.n) {
                if (!read_line(cut_line(&done), &l) || !stored_counts(odm_cmd_parse(l.name)))
                        continue;
                good += is_done(l.status);
                bad += !is_done(l.status);
                denied += l.status == ODM_ST_DENIED;
        }
        if (bad == 0)
                return RESULT_OK;
        if (good > 0)
                return RESULT_SOME;
        return denied == bad ? RESULT_DENIED : RESULT_NONE;
}

static odm_schedule_state state_after(struct item *it, unsigned from, uint32_t runs,
                                      const odm_schedule_now *now)
{
        if (!odm_schedule_is_armed(from))
                return from == ODM_SCHEDULE_FINISHED ? ODM_SCHEDULE_FINISHED
                                                     : ODM_SCHEDULE_INACTIVE;
        if (!it->plan)
                return ODM_SCHEDULE_ACTIVE; /* the next look says what is wrong */
        if ((it->plan->repeat && runs >= it->plan->repeat) || !odm_when_more(it, now))
                return ODM_SCHEDULE_FINISHED;
        return ODM_SCHEDULE_ACTIVE;
}

static bool is_asked_for(unsigned gating, unsigned result, bool ordered)
{
        bool good = result < 1300, bad = result != RESULT_OK;

        return ordered || (good && (gating & 1)) || (bad && (gating & 2));
}

/* `why`: it could not be begun at all. */
static int finish(struct item *it, struct pen *p, const char *why, const odm_schedule_now *now)
{
        odm_str done = odm_pen_get(p, "Ext/xrem/Run/Done");
        odm_str correlator = odm_pen_get(p, "Ext/xrem/Run/Correlator");
        unsigned from = odm_pen_number(p, "Ext/xrem/Run/From", ODM_SCHEDULE_INACTIVE);
        unsigned gating = odm_pen_number(p, "Gating", 15);
        uint32_t runs = odm_pen_number(p, "Runs", 0) + 1;
        odm_schedule_state to = state_after(it, from, runs, now);

        unsigned result = why ? RESULT_BAD : result_of(done);

        odm_pen_begin(p);
        if (why)
                odm_pen_put(p, "Ext/xrem/Reason", ODM_FMT_CHR, odm_cstr(why));
        odm_pen_put_time(p, "LastRun", p->now);
        odm_pen_put_number(p, "LastResult", result);
        odm_pen_put_number(p, "Runs", runs);
        odm_pen_delete(p, "Ext/xrem/Run");
        if (is_asked_for(gating, result, correlator.p != NULL))
                odm_run_report(p, "TaskResult", result, to, p->now, correlator, done);
        if (to == ODM_SCHEDULE_FINISHED && odm_schedule_is_armed(from))
                odm_schedule_end(p, gating, now);
        else
                odm_schedule_set(p, to, 0); /* coming back is no event */
        if (odm_pen_commit(p) < 0)
                return p->rc;
        odm_run_forget(it);
        ODM_TRACE(p->s->opt.trace, "schedule", "%.*s: result %u", (int)it->name.n, it->name.p,
                  result);
        return 1;
}

/* ---- one act ----------------------------------------------------------------------------------- */

static void note_results(struct pen *p, uint32_t over, const stored_result *r, size_t n)
{
        odm_str done = odm_pen_get(p, "Ext/xrem/Run/Done");

        for (size_t i = 0; i < n && p->rc == 0; i++) {
                odm_run_log(p, r[i].seq, r[i].status, r[i].data);
                done = odm_arena_fmt(&p->a, "%.*s%u %s %u\n", (int)done.n, done.p ? done.p : "",
                                     r[i].seq, odm_cmd_name(r[i].kind), r[i].status);
                if (!done.p)
                        p->rc = odm_arena_err(&p->a);
        }
        odm_pen_put(p, "Ext/xrem/Run/Done", ODM_FMT_CHR, done);
        odm_pen_put_number(p, "Ext/xrem/Run/Begun", over);
        odm_pen_put_number(p, "Ext/xrem/Run/Over", over);
}

/* A provider refused what was done, at the end of the transaction, and all of it was taken back. */
static void refuse(stored_result *r, size_t n, unsigned status)
{
        if (n == 1) {
                r[0].status = status;
                return;
        }
        r[0].status = ODM_ST_ATOMIC_FAILED;
        for (size_t i = 1; i < n; i++)
                r[i].status = i + 1 < n ? ODM_ST_ROLLED_BACK : status;
}

struct acting {
        struct item *it;
        struct pen *p;
        uint32_t i;
        odm_arena a;
        stored_result r[STORED_ACTS];
        size_t n;
};

static int do_it(struct acting *x, bool *undo)
{
        struct item *it = x->it;
        odm_str owner = odm_pen_get(x->p, "Server");

        if (x->p->rc < 0)
                return x->p->rc;
        it->task->elsewhere = it->all->opt.elsewhere;
        it->task->elsewhere_ctx = it->all->opt.ctx;
        return odm_stored_do(it->task, x->i, it->all->opt.tree, owner, x->p->now, &x->a, x->r,
                             &x->n, undo);
}

/* What was done, and the entry in the journal that says so, together. */
static int do_in_transaction(struct acting *x)
{
        odm_tree *t = x->it->all->opt.tree;
        struct pen *p = x->p;
        unsigned status = ODM_ST_OK;
        bool undo = false;
        int rc;

        odm_pen_begin(p);
        if (p->rc < 0)
                return p->rc;
        rc = do_it(x, &undo);
        if (rc == 0 && undo) {
                odm_tree_rollback(t);
                rc = odm_tree_begin(t, p->now);
        }
        if (rc == 0) {
                note_results(p, x->i + 1, x->r, x->n);
                rc = p->rc;
        }
        if (rc == 0)
                rc = odm_tree_commit(t, &status);
        else if (odm_tree_in_transaction(t))
                odm_tree_rollback(t);
        if (rc == ODM_EIO && status == ODM_ST_OK)
                rc = 0; /* the device failed after it was agreed */
        if (rc < 0 || odm_status_ok(status))
                return rc < 0 ? rc : 1;
        if (status == ODM_ST_STORE_FAILED)
                return ODM_EIO;
        refuse(x->r, x->n, status);
        odm_pen_begin(p);
        note_results(p, x->i + 1, x->r, x->n);
        return odm_pen_commit(p) < 0 ? p->rc : 1;
}

static int note_begun(struct item *it, struct pen *p, uint32_t i)
{
        odm_pen_begin(p);
        odm_pen_put_number(p, "Ext/xrem/Run/Begun", i + 1);
        if (odm_pen_commit(p) < 0)
                return p->rc;
        it->intends = true;
        return 1;
}

static int do_exec(struct acting *x)
{
        const stored_act *act = &x->it->task->act[x->i];
        bool undo = false;
        int rc = 0;

        if (x->it->intends) {
                rc = do_it(x, &undo);
        } else { /* the power went: it may have been done */
                x->n = 1;
                x->r[0] = (stored_result){.seq = act->seq,
                                          .kind = ODM_CMD_EXEC,
                                          .status = ODM_ST_FAILED,
                                          .data = ODM_STR("cut short; not done again")};
        }
        if (rc < 0)
                return rc;
        x->it->intends = false; /* whatever comes: not twice */
        odm_pen_begin(x->p);
        note_results(x->p, x->i + 1, x->r, x->n);
        return odm_pen_commit(x->p) < 0 ? x->p->rc : 1;
}

static int act(struct item *it, struct pen *p, uint32_t i, uint32_t begun)
{
        struct acting *x;
        int rc;

        if (it->task->act[i].cmd->kind == ODM_CMD_EXEC && begun <= i)
                return note_begun(it, p, i);
        x = odm_arena_zget(&p->a, sizeof *x);
        if (!x)
                return odm_arena_err(&p->a);
        x->it = it;
        x->p = p;
        x->i = i;
        odm_arena_init(&x->a, it->all->opt.mem, TASK_MEMORY);
        it->all->running = it;
        it->all->running_level = odm_pen_number(p, "Ext/xrem/Level", 0);
        rc = it->task->act[i].cmd->kind == ODM_CMD_EXEC ? do_exec(x) : do_in_transaction(x);
        it->all->running = NULL;
        odm_arena_done(&x->a);
        return rc;
}

/* ---- going on ---------------------------------------------------------------------------------- */

/* Nothing was done before the power went, and now it is too late: a missed run. */
static int miss(struct item *it, struct pen *p)
{
        unsigned gating = odm_pen_number(p, "Gating", 15);

        odm_pen_begin(p);
        odm_pen_delete(p, "Ext/xrem/Run");
        odm_run_missed(p, 1, p->now, gating);
        odm_schedule_set(p, ODM_SCHEDULE_ACTIVE, 0);
        if (odm_pen_commit(p) < 0)
                return p->rc;
        odm_run_forget(it);
        return 1;
}

/* What is left is not done any more. */
static int give_up(struct item *it, struct pen *p, uint32_t over, uint32_t begun)
{
        const stored *task = it->task;

        odm_pen_begin(p);
        for (uint32_t i = over; i < task->n && p->rc == 0; i++) {
                const stored_result r = {.seq = task->act[i].seq,
                                         .kind = task->act[i].cmd->kind,
                                         .status = i < begun ? ODM_ST_FAILED : ODM_ST_NOT_EXECUTED};
                note_results(p, i + 1, &r, 1);
        }
        return odm_pen_commit(p) < 0 ? p->rc : 1;
}

static int load_task(struct item *it, const char **why)
{
        int rc;

        odm_arena_init(&it->arena, it->all->opt.mem, TASK_MEMORY);
        rc = odm_schedule_plan_task(it->all, it->name, &it->arena, &it->task, why);
        if (rc < 0)
                odm_arena_done(&it->arena);
        return rc;
}

int odm_run_move(struct item *it, const odm_schedule_now *now)
{
        const char *why = NULL;
        bool fresh = it->task == NULL;
        struct pen p;
        int rc;

        odm_pen_open(&p, it->all, it->name, now->wall);
        uint32_t over = odm_pen_number(&p, "Ext/xrem/Run/Over", 0);
        uint32_t begun = odm_pen_number(&p, "Ext/xrem/Run/Begun", 0);
        int64_t until = odm_pen_time(&p, "Ext/xrem/Run/Until");
        rc = p.rc;
        if (rc == 0 && fresh)
                rc = load_task(it, &why);
        if (rc == ODM_EMALFORMED)
                rc = finish(it, &p, why, now);
        else if (rc == 0 && over >= it->task->n)
                rc = finish(it, &p, NULL, now);
        else if (rc == 0 && fresh && until >= 0 && now->set && now->wall.s > until)
                rc = begun ? give_up(it, &p, over, begun) : miss(it, &p);
        else if (rc == 0)
                rc = act(it, &p, over, begun);
        odm_pen_done(&p);
        return rc;
}
