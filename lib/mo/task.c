/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a task (mo-others.md 1.4).
 *
 * What is remembered stands in the tree; the structs here are its image.  Each move changes both or
 * neither: the struct is copied before, the tree has a transaction open, and a failure puts both
 * back. Text lives in an arena of the task, so the copy of the struct is all there is to put back.
 */
#include "odm/task.h"

#include <assert.h>
#include <string.h>

#include "task_node.h"

#define DAY 86400
#define CLOCK_SET INT64_C(1577836800) /* 2020: a clock before was never set */

const char *odm_task_cause_text(odm_task_cause c)
{
        static const char *const texts[] = {
#define X(name, text) text,
                ODM_TASK_CAUSES(X)
#undef X
        };

        return (unsigned)c < ODM_COUNT(texts) ? texts[c] : "unknown";
}

static const char *const cause_names[] = {
#define X(name, text) #name,
        ODM_TASK_CAUSES(X)
#undef X
};

const char *odm_task_cause_name(odm_task_cause c)
{
        return (unsigned)c < ODM_COUNT(cause_names) ? cause_names[c] : "FAILED";
}

odm_task_cause odm_task_cause_of(odm_str name)
{
        for (size_t i = 0; i < ODM_COUNT(cause_names); i++)
                if (odm_str_is(name, cause_names[i]))
                        return (odm_task_cause)i;
        return ODM_CAUSE_FAILED;
}

/* ---- the set ------------------------------------------------------------------------------ */

int odm_tasks_new(const odm_tasks_opt *opt, odm_tasks **out)
{
        odm_tasks *ts = odm_alloc(opt->mem, sizeof *ts);
        int rc;

        if (!ts)
                return ODM_ENOMEM;
        ts->opt = *opt;
        ts->next_id = 1;
        ts->provider = (odm_provider){.name = "task", .mo = opt->mo};
        rc = odm_tree_mount(opt->tree, NULL, &ts->provider);
        if (rc < 0)
                odm_free(opt->mem, ts, sizeof *ts);
        else
                *out = ts;
        return rc;
}

static void drop_slot(odm_tasks *ts, struct slot *s)
{
        odm_arena_done(&s->text);
        *s = ts->slot[--ts->n];
        memset(&ts->slot[ts->n], 0, sizeof *s);
}

void odm_tasks_free(odm_tasks *ts)
{
        if (!ts)
                return;
        while (ts->n)
                drop_slot(ts, &ts->slot[ts->n - 1]);
        odm_free(ts->opt.mem, ts, sizeof *ts);
}

odm_tree *odm_tasks_tree(const odm_tasks *ts)
{
        return ts->opt.tree;
}

const odm_mem *odm_tasks_mem(const odm_tasks *ts)
{
        return ts->opt.mem;
}

bool odm_tasks_moving(const odm_tasks *ts)
{
        return ts->moving;
}

int odm_tasks_know(odm_tasks *ts, const odm_task_kind *kind, void *ctx)
{
        if (ts->n_kinds == ODM_TASK_KINDS)
                return ODM_ELIMIT;
        ts->kind[ts->n_kinds].kind = kind;
        ts->kind[ts->n_kinds++].ctx = ctx;
        return 0;
}

static struct slot *slot_by_id(odm_tasks *ts, uint32_t id)
{
        for (size_t i = 0; i < ts->n; i++)
                if (ts->slot[i].t.id == id)
                        return &ts->slot[i];
        return NULL;
}

const odm_task *odm_tasks_at(const odm_tasks *ts, size_t i)
{
        return i < ts->n ? &ts->slot[i].t : NULL;
}

const odm_task *odm_tasks_busy(const odm_tasks *ts, odm_str object)
{
        for (size_t i = 0; i < ts->n; i++)
                if (ts->slot[i].t.step && odm_str_eq(ts->slot[i].t.object, object))
                        return &ts->slot[i].t;
        return NULL;
}

struct slot *odm_slot_add(odm_tasks *ts)
{
        struct slot *s = &ts->slot[ts->n];

        if (ts->n == ODM_TASK_MAX)
                return NULL;
        ts->n++;
        *s = (struct slot){.saved = false};
        odm_arena_init(&s->text, ts->opt.mem, ODM_TASK_ARENA);
        return s;
}

/* ---- a task's own text ---------------------------------------------------------------------- */

static struct slot *slot_of(odm_task *t)
{
        return (struct slot *)t; /* the task is its first member */
}

static int copy(odm_task *t, odm_str in, odm_str *out)
{
        odm_arena *a = &slot_of(t)->text;
        odm_str s = odm_arena_copy(a, in);

        if (in.p && !s.p)
                return odm_arena_err(a);
        *out = s;
        return 0;
}

/* The line of an argument, its end included; absent when there is none. */
static odm_str arg_line(odm_str args, const char *name)
{
        size_t n = strlen(name);

        for (odm_str rest = args; rest.n;) {
                const char *end = memchr(rest.p, '\n', rest.n);
                odm_str line = odm_str_to(rest, end ? (size_t)(end - rest.p) + 1 : rest.n);
                if (odm_str_starts(line, name) && line.n > n && line.p[n] == '=')
                        return line;
                rest = odm_str_from(rest, line.n);
        }
        return ODM_ABSENT;
}

odm_str odm_task_arg(const odm_task *t, const char *name)
{
        odm_str line = arg_line(t->args, name);

        if (!line.p)
                return ODM_ABSENT;
        line = odm_str_from(line, strlen(name) + 1);
        return odm_str_to(line, line.n - (line.n && line.p[line.n - 1] == '\n'));
}

int odm_task_arg_set(odm_task *t, const char *name, odm_str value)
{
        odm_arena *a = &slot_of(t)->text;
        odm_str old = arg_line(t->args, name), before = t->args, after = ODM_STR(""), line;

        if (odm_str_has(value, '\n') || odm_str_has(value, 0))
                return ODM_EINVAL;
        if (old.p) {
                before = odm_str_to(t->args, (size_t)(old.p - t->args.p));
                after = odm_str_from(t->args, before.n + old.n);
        }
        line = odm_arena_fmt(a, "%.*s%.*s%s=%.*s\n", (int)before.n, before.p ? before.p : "",
                             (int)after.n, after.p, name, (int)value.n, value.p ? value.p : "");
        if (!line.p)
                return odm_arena_err(a);
        if (line.n > ODM_TASK_TEXT)
                return ODM_ELIMIT;
        t->args = line;
        return 0;
}

int odm_task_target_set(odm_task *t, odm_str uri)
{
        return copy(t, uri, &t->target);
}

bool odm_task_is(const odm_task *t, const char *rel)
{
        return t->exec.n > t->object.n && odm_str_is(odm_str_from(t->exec, t->object.n + 1), rel);
}

void odm_task_step(odm_task *t, unsigned step, bool alone)
{
        t->step = step;
        t->alone = alone;
        t->tries = 0;
}

void odm_task_finish(odm_task *t, unsigned result)
{
        odm_task_step(t, 0, false);
        t->result = result;
}

int odm_task_leaf(odm_tasks *ts, const odm_task *t, const char *rel, odm_arena *a, odm_str *out)
{
        odm_str uri = odm_arena_fmt(a, "%.*s/%s", (int)t->object.n, t->object.p, rel);
        odm_value v = {ODM_FMT_ABSENT};
        int rc = uri.p ? odm_tree_read(ts->opt.tree, uri, a, &v) : odm_arena_err(a);

        if (rc == ODM_ENOENT || rc == ODM_EINVAL)
                rc = 0;
        if (rc == 0)
                *out = v.data;
        return rc;
}

int odm_task_leaf_set(odm_tasks *ts, const odm_task *t, const char *rel, odm_format format,
                      odm_str text)
{
        const odm_value v = {.format = format, .data = text};
        char block[512];
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, ts->opt.mem, 8192, block, sizeof block);
        odm_str uri = odm_arena_fmt(&a, "%.*s/%s", (int)t->object.n, t->object.p, rel);
        rc = uri.p ? odm_tree_write(ts->opt.tree, uri, &v, ts->now) : odm_arena_err(&a);
        odm_arena_done(&a);
        return rc;
}

/* ---- moves: tree and image together ----------------------------------------------------- */

static int open_move(odm_tasks *ts, odm_wall now)
{
        int rc = odm_tree_begin(ts->opt.tree, now);

        if (rc < 0)
                return rc;
        ts->now = now;
        ts->moving = true;
        return 0;
}

/* Ends the transaction of a move that went well so far, or takes all of it back.  A provider that
 * fails after all had agreed does not undo it: the tree keeps the move, so it was made. */
static int close_move(odm_tasks *ts, int rc)
{
        unsigned status = ODM_ST_STORE_FAILED;

        if (rc == 0) {
                rc = odm_tree_commit(ts->opt.tree, &status);
                if (rc == ODM_EIO && odm_status_ok(status))
                        rc = 0;
        } else {
                odm_tree_rollback(ts->opt.tree);
        }
        ts->moving = false;
        return rc == 0 && !odm_status_ok(status) ? ODM_EIO : rc;
}

/* The same for a move that changes a task, whose image goes back with the tree. */
static int settle(odm_tasks *ts, struct slot *s, const odm_task *before, int rc)
{
        rc = close_move(ts, rc < 0 ? rc : odm_slot_save(ts, s, before));
        if (rc < 0)
                s->t = *before;
        else
                s->saved = true;
        return rc;
}

static void traced(const odm_tasks *ts, const odm_task *t)
{
        if (t->step)
                ODM_TRACE(ts->opt.trace, "task", "%u %.*s: %s", t->id, (int)t->exec.n, t->exec.p,
                          t->kind->steps[t->step]);
        else
                ODM_TRACE(ts->opt.trace, "task", "%u %.*s: result %u", t->id, (int)t->exec.n,
                          t->exec.p, t->result);
}

/* The number goes up for ever, so that a late answer to an alert cannot meet another task. */
static uint32_t new_id(odm_tasks *ts)
{
        while (slot_by_id(ts, ts->next_id) || ts->next_id == 0)
                ts->next_id++;
        return ts->next_id++;
}

static int describe(odm_tasks *ts, struct slot *s, odm_str object, const odm_at *at,
                    const odm_op *op)
{
        odm_task *t = &s->t;
        int rc = copy(t, object, &t->object);

        if (rc == 0)
                rc = copy(t, at->uri, &t->exec);
        if (rc == 0)
                rc = copy(t, op->server, &t->server);
        if (rc == 0)
                rc = copy(t, op->correlator, &t->correlator);
        if (rc == 0)
                t->id = new_id(ts);
        t->since = at->now;
        return rc;
}

static bool may_begin(const odm_tasks *ts, odm_str object, const odm_op *op, unsigned *status)
{
        *status = ODM_ST_FAILED;
        if (ts->n == ODM_TASK_MAX || op->correlator.n > ODM_TASK_CORRELATOR ||
            odm_tree_in_transaction(ts->opt.tree))
                return false;
        *status = ODM_ST_NOT_ALLOWED;
        if (odm_tasks_busy(ts, object))
                return false;
        for (size_t i = 0; i < ts->n; i++)
                if (ts->slot[i].t.alone)
                        return false;
        *status = ODM_ST_OK;
        return true;
}

/* A task that is over before it began leaves only what it did to the object's leaves. */
static int settle_begun(odm_tasks *ts, struct slot *s, int rc, unsigned *status)
{
        const odm_task fresh = s->t;
        bool refused = rc == 0 && *status != ODM_ST_OK;
        bool kept = rc == 0 && !refused && fresh.step != 0;

        if (kept)
                rc = settle(ts, s, &fresh, 0);
        else if (refused)
                (void)close_move(ts, ODM_ESTATE);
        else
                rc = close_move(ts, rc);
        if (rc == 0 && kept) {
                traced(ts, &s->t);
                *status = ODM_ST_ACCEPTED;
                return 0;
        }
        if (rc == 0 && !refused)
                *status = fresh.result;
        drop_slot(ts, s);
        return rc;
}

/* An Exec while the object's task is under way: its kind says what that means. */
static int exec_beside(odm_tasks *ts, struct slot *s, const odm_at *at, const odm_op *op,
                       unsigned *status)
{
        const odm_task before = s->t;
        unsigned got = ODM_ST_NOT_ALLOWED;
        int rc;

        if (odm_tree_in_transaction(ts->opt.tree)) {
                *status = ODM_ST_FAILED;
                return 0;
        }
        rc = open_move(ts, at->now);
        if (rc < 0)
                return rc;
        rc = s->t.kind->busy(s->t.ctx, ts, &s->t, at->uri, op, &got);
        assert(s->t.step || rc < 0); /* the host would not hear of an end */
        if (rc == 0 && !odm_status_ok(got)) {
                (void)close_move(ts, ODM_ESTATE);
                s->t = before;
                *status = got;
                return 0;
        }
        rc = settle(ts, s, &before, rc);
        if (rc < 0)
                return rc;
        if (s->t.step != before.step) {
                s->lent = false;
                traced(ts, &s->t);
        }
        *status = got;
        return 0;
}

int odm_tasks_exec(odm_tasks *ts, const odm_task_kind *kind, odm_str object, const odm_at *at,
                   const odm_op *op, unsigned *status)
{
        void *ctx = NULL;
        struct slot *s;
        const odm_task *busy = odm_tasks_busy(ts, object);
        int rc;

        if (busy && busy->kind->busy) {
                s = slot_by_id(ts, busy->id);
                assert(s); /* `busy` is in it */
                return exec_beside(ts, s, at, op, status);
        }
        if (!may_begin(ts, object, op, status))
                return 0;
        for (size_t i = 0; i < ts->n_kinds; i++)
                if (ts->kind[i].kind == kind)
                        ctx = ts->kind[i].ctx;
        s = odm_slot_add(ts);
        assert(s); /* may_begin() saw that there is room */
        s->t.kind = kind;
        s->t.ctx = ctx;
        rc = describe(ts, s, object, at, op);
        if (rc == 0)
                rc = open_move(ts, at->now);
        if (rc < 0) {
                drop_slot(ts, s);
                return rc;
        }
        return settle_begun(ts, s, kind->begin(ctx, ts, &s->t, status), status);
}

int odm_task_alert(const odm_task *t, odm_str type, odm_str source, const char *bad, odm_arena *a,
                   odm_alert *out)
{
        out->type = type;
        out->source = source;
        out->format = ODM_FMT_INT;
        out->mark = t->result % 1000 < 300 ? ODM_STR("informational") : odm_cstr(bad);
        out->data = odm_arena_number(a, t->result);
        return out->data.p ? 1 : odm_arena_err(a);
}

/* ---- the work --------------------------------------------------------------------------- */

static bool is_watching(const odm_task *t)
{
        return (t->kind->watching >> t->step & 1) != 0;
}

static bool may_be_lent(const odm_tasks *ts, const struct slot *s)
{
        if (!s->t.step || s->lent)
                return false;
        for (size_t i = 0; i < ts->n; i++) {
                const struct slot *o = &ts->slot[i];
                if (o->lent && (s->t.alone || o->t.alone) && !is_watching(&s->t) &&
                    !is_watching(&o->t))
                        return false;
        }
        return true;
}

int odm_tasks_next(odm_tasks *ts, odm_wall now, const odm_task **out)
{
        for (size_t i = 0; i < ts->n; i++) {
                struct slot *s = &ts->slot[i];
                const odm_task before = s->t;
                if (!may_be_lent(ts, s))
                        continue;
                int rc = open_move(ts, now);
                if (rc < 0)
                        return rc;
                s->t.tries++;
                rc = settle(ts, s, &before, 0);
                if (rc < 0)
                        return rc;
                s->lent = true;
                *out = &s->t;
                return 1;
        }
        return 0;
}

/* Notes come from programs and from afar, and a note is never a reason not to keep the end: what
 * is no text becomes blanks and question marks. */
static int take_note(odm_task *t, odm_str note)
{
        char text[ODM_TASK_NOTE];
        size_t n = odm_utf8_cut(note, note.n < sizeof text ? note.n : sizeof text);
        bool ok = odm_utf8_ok(odm_str_to(note, n));

        if (n == 0 && !t->note.p)
                return 0;
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)note.p[i];
                text[i] = c < ' ' || c == 0x7f ? ' ' : c >= 0x80 && !ok ? '?' : note.p[i];
        }
        return copy(t, (odm_str){text, n}, &t->note);
}

/* Runs one function of the kind, and keeps what it says. */
static int move(odm_tasks *ts, struct slot *s, const odm_task_end *e, odm_wall now)
{
        const odm_task before = s->t;
        int rc = open_move(ts, now);

        if (rc < 0)
                return rc;
        rc = e ? take_note(&s->t, e->note) : 0;
        if (rc == 0)
                rc = e ? s->t.kind->ended(s->t.ctx, ts, &s->t, e)
                       : s->t.kind->resume(s->t.ctx, ts, &s->t);
        if (s->t.step == 0)
                s->t.ended = now;
        rc = settle(ts, s, &before, rc);
        if (rc == 0)
                traced(ts, &s->t);
        return rc;
}

/* Nobody waits for the report of what the device ordered itself. */
static bool is_unheard(const struct slot *s)
{
        return s->t.step == 0 && s->t.server.p == NULL;
}

static int forget(odm_tasks *ts, struct slot *s, odm_wall now)
{
        int rc = open_move(ts, now);

        if (rc == 0)
                rc = close_move(ts, odm_task_node_delete(ts, s->t.id));
        if (rc == 0)
                drop_slot(ts, s);
        return rc;
}

int odm_tasks_done(odm_tasks *ts, uint32_t id, const odm_task_end *e, odm_wall now)
{
        struct slot *s = slot_by_id(ts, id);
        int rc;

        if (!s || !s->lent)
                return ODM_ENOENT;
        rc = move(ts, s, e, now);
        if (rc < 0)
                return rc;
        s->lent = false;
        return is_unheard(s) ? forget(ts, s, now) : 0;
}

/* ---- after a start ---------------------------------------------------------------------- */

int odm_tasks_load(odm_tasks *ts, odm_wall now)
{
        int rc = odm_task_nodes_read(ts, now);

        for (size_t i = ts->n; i-- > 0 && rc == 0;) {
                struct slot *s = &ts->slot[i];
                if (s->t.step)
                        rc = move(ts, s, NULL, now);
                if (rc == 0 && is_unheard(s))
                        rc = forget(ts, s, now);
        }
        return rc;
}

/* ---- reports ---------------------------------------------------------------------------- */

static bool is_reported(const struct slot *s, size_t i)
{
        return (s->answered >> i & 1) != 0;
}

static int report_one(struct slot *s, int (*fn)(void *ctx, const odm_alert *alert), void *ctx,
                      odm_arena *a)
{
        int rc = 0;

        s->alerts = 0;
        for (size_t i = 0; i < ODM_TASK_ALERTS && rc == 0; i++) {
                odm_alert alert = {.code = ODM_ALERT_GENERIC, .correlator = s->t.correlator};
                odm_arena_reset(a);
                rc = s->t.kind->report(s->t.ctx, &s->t, i, a, &alert);
                if (rc <= 0)
                        break;
                s->alerts++;
                alert.id = ODM_TASK_ALERT | (uint64_t)s->t.id << 8 | i;
                rc = is_reported(s, i) ? 0 : fn(ctx, &alert);
        }
        return rc;
}

static bool waits_for(const struct slot *s, odm_str server)
{
        return s->t.step == 0 && odm_str_eq(s->t.server, server);
}

/* All of them wait longer when it leads to nothing, also those there was no room for. */
static void mark_told(odm_tasks *ts, odm_str server)
{
        for (size_t i = 0; i < ts->n; i++)
                if (waits_for(&ts->slot[i], server))
                        ts->slot[i].told = true;
}

int odm_tasks_reports(odm_tasks *ts, odm_str server, int (*fn)(void *ctx, const odm_alert *alert),
                      void *ctx)
{
        odm_arena a;
        int rc = 0;

        mark_told(ts, server);
        odm_arena_init(&a, ts->opt.mem, 65536);
        for (size_t i = 0; i < ts->n && rc == 0; i++)
                if (waits_for(&ts->slot[i], server))
                        rc = report_one(&ts->slot[i], fn, ctx, &a);
        odm_arena_done(&a);
        return rc;
}

bool odm_alert_over(unsigned status)
{
        return status != ODM_ST_INVALID_CREDENTIALS && status != ODM_ST_MISSING_CREDENTIALS &&
               status < 500;
}

int odm_tasks_reported(odm_tasks *ts, uint64_t id, unsigned status, odm_wall now)
{
        struct slot *s = slot_by_id(ts, (uint32_t)(id >> 8));
        size_t i = id & 0xff;
        int rc;

        if (!(id & ODM_TASK_ALERT) || !s || s->t.step || i >= s->alerts || !odm_alert_over(status))
                return 0;
        s->answered |= 1u << i;
        for (size_t k = 0; k < s->alerts; k++)
                if (!is_reported(s, k))
                        return 0;
        rc = forget(ts, s, now);
        if (rc < 0)
                s->answered &= ~(1u << i); /* or nobody would come here again */
        return rc;
}

odm_time odm_tasks_report_time(const odm_tasks *ts, odm_str *server)
{
        odm_time first = ODM_NEVER;

        for (size_t i = 0; i < ts->n; i++) {
                const struct slot *s = &ts->slot[i];
                if (s->t.step || s->due.ms >= first.ms)
                        continue;
                first = s->due;
                if (server)
                        *server = s->t.server;
        }
        return first;
}

static const int64_t pause[] = {60, 300, 1800, 7200, DAY};

/* Nobody took its report for a month, though it was tried since the device is on.  What ended
 * before the clock was set is as old as the clock. */
static bool is_given_up(struct slot *s, odm_wall wall)
{
        if (s->t.ended.s < CLOCK_SET && wall.s >= CLOCK_SET)
                s->t.ended = wall;
        return wall.s - s->t.ended.s > 30 * (int64_t)DAY && s->reports >= ODM_COUNT(pause);
}

int odm_tasks_session_over(odm_tasks *ts, odm_str server, odm_time now, odm_wall wall)
{
        for (size_t i = ts->n; i-- > 0;) {
                struct slot *s = &ts->slot[i];
                if (!waits_for(s, server))
                        continue;
                if (is_given_up(s, wall)) {
                        ODM_TRACE(ts->opt.trace, "task", "%u: nobody took its report", s->t.id);
                        int rc = forget(ts, s, wall);
                        if (rc < 0)
                                return rc;
                } else if (s->told) {
                        size_t k =
                                s->reports < ODM_COUNT(pause) ? s->reports : ODM_COUNT(pause) - 1;
                        s->due = odm_time_add(now, pause[k] * 1000);
                        s->reports++;
                        s->told = false;
                }
        }
        return 0;
}

int odm_tasks_unreached(odm_tasks *ts, odm_str server, odm_time now, odm_wall wall)
{
        mark_told(ts, server);
        return odm_tasks_session_over(ts, server, now, wall);
}
