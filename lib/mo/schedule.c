/* SPDX-License-Identifier: Apache-2.0 */
/* Scheduling, our profile: the object, whose it is, and its states (mo-scheduling.md 3, 5, 7).
 *
 * Each look does at most one move, a transaction that the host makes durable before the next.  What
 * servers do in between is told by the tree: a schedule that is new, gone or changed is looked at
 * again. */
#include "odm/schedule.h"

#include <assert.h>
#include <string.h>

#include "odm/task.h"
#include "schedule_inner.h"

#define AT_N (sizeof ODM_SCHEDULE_AT) /* with the slash behind it */
#define GONE_S (7 * INT64_C(86400))   /* a schedule without owner stays that long */
#define BUSY_MS 1000
#define JUMP_MS 2000
#define POLL_MS 10000 /* between looks at requirements that do not hold */
#define TYPE "urn:oma:at:x-dm-scheduling:1.0:"

/* ---- the list ------------------------------------------------------------------------------- */

static struct item *item_find(odm_schedules *s, odm_str name)
{
        for (struct item *i = s->first; i; i = i->next)
                if (odm_str_eq(i->name, name))
                        return i;
        return NULL;
}

static void drop_plan(struct item *it)
{
        odm_schedule_plan_free(it->all, it->plan);
        it->plan = NULL;
}

static void item_free(struct item *it)
{
        drop_plan(it);
        odm_run_forget(it);
        odm_free(it->all->opt.mem, (void *)(uintptr_t)it->name.p, it->name.n + 1);
        odm_free(it->all->opt.mem, it, sizeof *it);
}

static int item_add(odm_schedules *s, odm_str name)
{
        struct item *it = odm_alloc(s->opt.mem, sizeof *it);
        char *text = odm_alloc(s->opt.mem, name.n + 1);

        if (!it || !text) {
                odm_free(s->opt.mem, it, sizeof *it);
                odm_free(s->opt.mem, text, name.n + 1);
                return ODM_ENOMEM;
        }
        memcpy(text, name.p, name.n);
        *it = (struct item){.next = s->first, .all = s, .name = {text, name.n}};
        s->first = it;
        return 0;
}

static int add_missing(void *ctx, odm_str name)
{
        return item_find(ctx, name) ? 0 : item_add(ctx, name);
}

static uint32_t highest(struct pen *p, const char *list, uint32_t most)
{
        size_t n = 0;
        const odm_str *name = odm_pen_names(p, list, &n);
        uint64_t v;

        if (n > 0 && odm_str_u64(name[n - 1], UINT32_MAX - 1, &v) == 0 && v >= most)
                return (uint32_t)v + 1;
        return most;
}

static bool exists(odm_schedules *s, odm_str name, int *rc)
{
        struct pen p;

        odm_pen_open(&p, s, name, (odm_wall){0});
        odm_str uri = odm_pen_uri(&p, "%s", "");
        bool there = p.rc == 0 && odm_tree_exists(s->opt.tree, uri);
        if (there) {
                s->next_log = highest(&p, "Log", s->next_log);
                s->next_report = highest(&p, "Ext/xrem/Report", s->next_report);
        }
        *rc = p.rc;
        odm_pen_done(&p);
        return there;
}

/* The list as the tree has it. */
static int scan(odm_schedules *s)
{
        int rc = odm_tree_children(s->opt.tree, ODM_STR(ODM_SCHEDULE_AT), add_missing, s);

        for (struct item **at = &s->first; *at && rc == 0;) {
                struct item *it = *at;
                if (exists(s, it->name, &rc)) {
                        at = &it->next;
                } else if (rc == 0) {
                        *at = it->next;
                        item_free(it);
                }
        }
        if (rc == 0)
                s->rescan = false;
        return rc;
}

/* ---- states --------------------------------------------------------------------------------- */

void odm_schedule_set(struct pen *p, odm_schedule_state to, unsigned gating)
{
        unsigned result = 1200;

        odm_pen_put_number(p, "State", to);
        if (to == ODM_SCHEDULE_FINISHED)
                result = odm_pen_number(p, "LastResult", result);
        if (to > ODM_SCHEDULE_RUNNING && gating & 16)
                odm_run_report(p, "StateChange", result, to, p->now, ODM_ABSENT, ODM_STR(""));
        ODM_TRACE(p->s->opt.trace, "schedule", "%.*s: state %d", (int)p->name.n, p->name.p,
                  (int)to);
}

/* 70, which the owner is always told, unless the answer to its command says so. */
static void state_fail(struct pen *p, unsigned result, const char *why, bool tell)
{
        odm_pen_put_number(p, "LastResult", result);
        odm_pen_put(p, "Ext/xrem/Reason", ODM_FMT_CHR, odm_cstr(why));
        odm_schedule_set(p, ODM_SCHEDULE_ERROR, 0);
        if (tell)
                odm_run_report(p, "StateChange", result, ODM_SCHEDULE_ERROR, p->now, ODM_ABSENT,
                               ODM_STR(""));
}

static void state_arm(struct pen *p, const odm_schedule_now *now)
{
        struct item *it = item_find(p->s, p->name);

        odm_schedule_set(p, ODM_SCHEDULE_ACTIVE, 0);
        odm_pen_put_number(p, "Runs", 0);
        odm_pen_put_number(p, "Ext/xrem/Missed", 0);
        odm_pen_put(p, "Ext/xrem/Reason", ODM_FMT_CHR, ODM_STR(""));
        odm_pen_delete(p, "Ext/xrem/Seen");
        odm_pen_delete(p, "Ext/xrem/Met");
        odm_pen_delete(p, "Ext/xrem/Gone");
        if (now->set)
                odm_pen_put_time(p, "Ext/xrem/Armed", now->wall);
        else
                odm_pen_delete(p, "Ext/xrem/Armed");
        if (!it)
                return;
        odm_when_reset(it, now);
        it->stale = true;
}

/* Another of the same owner that waits for this one's end. */
static void arm_next(struct pen *p, odm_str next, const odm_schedule_now *now)
{
        odm_str owner = odm_pen_get(p, "Server");

        for (struct item *i = p->s->first; i && p->rc == 0; i = i->next) {
                struct plan *l = NULL;
                const char *why = NULL;
                struct pen o;
                odm_pen_open(&o, p->s, i->name, p->now);
                if (odm_str_eq(odm_pen_get(&o, "ID"), next) &&
                    odm_str_eq(odm_pen_get(&o, "Server"), owner) &&
                    odm_pen_number(&o, "State", 0) == ODM_SCHEDULE_INACTIVE && o.rc == 0) {
                        int rc = odm_schedule_plan_read(p->s, i->name, false, &l, &why);
                        if (rc == 0)
                                state_arm(&o, now);
                        else if (rc == ODM_EMALFORMED)
                                state_fail(&o, 1404, why, true);
                        else
                                o.rc = rc;
                        odm_schedule_plan_free(p->s, l);
                }
                if (p->rc == 0)
                        p->rc = o.rc;
                odm_pen_done(&o);
        }
}

void odm_schedule_end(struct pen *p, unsigned gating, const odm_schedule_now *now)
{
        odm_str next = odm_pen_get(p, "Next");

        odm_schedule_set(p, ODM_SCHEDULE_FINISHED, gating);
        if (next.n)
                arm_next(p, next, now);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static int fail_now(struct item *it, struct pen *p, unsigned result, const char *why, bool gone)
{
        odm_pen_begin(p);
        state_fail(p, result, why, true);
        if (gone)
                odm_pen_put_time(p, "Ext/xrem/Gone", p->now);
        if (odm_pen_commit(p) < 0)
                return p->rc;
        drop_plan(it);
        it->is_restored = false;
        return 1;
}

/* 1: it is in error now; 0: it has its plan. */
static int load_plan(struct item *it, struct pen *p, const odm_schedule_now *now)
{
        struct plan *l = NULL;
        const char *why = NULL;
        int rc;

        if (it->plan && !it->stale)
                return 0;
        rc = odm_schedule_plan_read(it->all, it->name, false, &l, &why);
        if (rc == ODM_EMALFORMED)
                return fail_now(it, p, 1404, why, false);
        if (rc < 0)
                return rc;
        drop_plan(it);
        it->plan = l;
        it->stale = false;
        odm_schedule_plan_listen(l, it);
        if (!it->is_restored)
                odm_when_restore(it, p, now);
        return p->rc;
}

/* Owner and traps are there still? 1: no, and it is in error now. */
static int review(struct item *it, struct pen *p)
{
        const struct plan *l = it->plan;
        odm_schedules *s = it->all;

        if (it->reviewed == s->review)
                return 0;
        if (!s->opt.has_account(s->opt.ctx, l->server))
                return fail_now(it, p, 1403, "its owner has no account any more", true);
        for (size_t i = 0; i < l->n_cond; i++) {
                odm_str uri = ODM_ABSENT;
                int rc = l->cond[i].has_trap
                                 ? odm_schedule_find_trap(p, l->cond[i].trap, l->server, &uri)
                                 : 0;
                if (rc == ODM_ENOENT)
                        return fail_now(it, p, 1404, "its trap is gone", false);
                if (rc == ODM_EACCESS)
                        return fail_now(it, p, 1403,
                                        "its owner may not read the device of its trap", false);
                if (rc < 0)
                        return rc;
        }
        it->reviewed = s->review;
        return 0;
}

static bool is_over(const struct item *it, const odm_schedule_now *now)
{
        return it->plan->has_to && now->set &&
               now->wall.s >= odm_moment_wall(it->plan->to, &it->all->opt.zone).s;
}

/* A move that changes the state only. */
static int go(struct item *it, struct pen *p, odm_schedule_state to, const odm_schedule_now *now)
{
        odm_pen_begin(p);
        if (to == ODM_SCHEDULE_FINISHED)
                odm_schedule_end(p, it->plan->gating, now);
        else
                odm_schedule_set(p, to, it->plan->gating);
        return odm_pen_commit(p) < 0 ? p->rc : 1;
}

static void note_seen(struct item *it, struct pen *p)
{
        if (it->seen >= 0)
                odm_pen_put_time(p, "Ext/xrem/Seen", (odm_wall){it->seen});
        odm_pen_put_number(p, "Ext/xrem/Met", it->met);
        it->doubted = false;
}

static int keep_news(struct item *it, struct pen *p, const struct news *n)
{
        odm_pen_begin(p);
        note_seen(it, p);
        if (n->missed)
                odm_run_missed(p, n->missed, n->missed_at, it->plan->gating);
        return odm_pen_commit(p) < 0 ? p->rc : 1;
}

static bool requirements_hold(const struct item *it)
{
        const struct plan *l = it->plan;
        const odm_schedules_opt *o = &it->all->opt;

        for (size_t i = 0; i < l->n_require; i++)
                if (!o->holds(o->ctx, l->require[i]))
                        return false;
        return true;
}

static bool is_busy(const odm_schedules *s)
{
        return s->opt.is_busy && s->opt.is_busy(s->opt.ctx);
}

static int begin_run(struct item *it, struct pen *p)
{
        odm_pen_begin(p);
        note_seen(it, p);
        odm_run_note(p, ODM_SCHEDULE_ACTIVE, it->due, it->has_until ? &it->until : NULL,
                     ODM_ABSENT);
        odm_schedule_set(p, ODM_SCHEDULE_RUNNING, 0);
        if (odm_pen_commit(p) < 0)
                return p->rc;
        it->wanted = false;
        return 1;
}

static int go_on(struct item *it, struct pen *p, unsigned state, const odm_schedule_now *now)
{
        uint32_t repeat = it->plan->repeat;

        if (repeat && odm_pen_number(p, "Runs", 0) >= repeat)
                return go(it, p, ODM_SCHEDULE_FINISHED, now);
        if (!it->wanted) {
                it->next_look = odm_when_next(it, now);
                if (!odm_when_more(it, now))
                        return go(it, p, ODM_SCHEDULE_FINISHED, now);
                return state == ODM_SCHEDULE_SUSPENDED ? go(it, p, ODM_SCHEDULE_ACTIVE, now) : 0;
        }
        it->next_look = odm_time_add(now->mono, BUSY_MS);
        if (is_busy(it->all))
                return 0;
        if (!it->all->opt.has_account(it->all->opt.ctx, it->plan->server))
                return fail_now(it, p, 1403, "its owner has no account any more", true);
        if (requirements_hold(it))
                return begin_run(it, p);
        it->next_look = odm_time_add(now->mono, POLL_MS);
        if (odm_when_next(it, now).ms < it->next_look.ms)
                it->next_look = odm_when_next(it, now);
        return state == ODM_SCHEDULE_ACTIVE ? go(it, p, ODM_SCHEDULE_SUSPENDED, now) : 0;
}

/* The clock came to be set after activation: from now on the calendar is known. */
static int note_armed(struct item *it, struct pen *p, const odm_schedule_now *now)
{
        int64_t at = now->wall.s - (now->mono.ms - it->armed.ms) / 1000;

        odm_pen_begin(p);
        odm_pen_put_time(p, "Ext/xrem/Armed", (odm_wall){at});
        if (odm_pen_commit(p) < 0)
                return p->rc;
        it->armed_wall = at;
        return 1;
}

static int wait(struct item *it, struct pen *p, unsigned state, const odm_schedule_now *now)
{
        struct news n;
        int rc = load_plan(it, p, now);

        if (rc == 0)
                rc = review(it, p);
        if (rc != 0)
                return rc;
        if (is_over(it, now))
                return go(it, p, ODM_SCHEDULE_EXPIRED, now);
        odm_when_doubt(it, now);
        if (now->set && it->armed_wall < 0)
                return note_armed(it, p, now);
        rc = odm_when_look(it, p, now, &n);
        if (rc == 0 && (n.missed || n.met_changed || it->doubted))
                rc = keep_news(it, p, &n);
        return rc == 0 ? go_on(it, p, state, now) : rc;
}

/* ---- looking -------------------------------------------------------------------------------- */

/* In error without an owner: gone after a week, and armed no more. */
static int bury(struct item *it, struct pen *p, const odm_schedule_now *now)
{
        int64_t gone = odm_pen_time(p, "Ext/xrem/Gone");

        it->next_look = ODM_NEVER;
        if (gone < 0 || p->rc < 0)
                return p->rc;
        it->next_look = odm_time_add(now->mono, 3600000);
        bool back = it->all->opt.has_account(it->all->opt.ctx, odm_pen_get(p, "Server"));
        if (!back && (!now->set || now->wall.s - gone < GONE_S))
                return p->rc;
        odm_pen_begin(p);
        odm_pen_delete(p, back ? "Ext/xrem/Gone" : "");
        return odm_pen_commit(p) < 0 ? p->rc : 1;
}

static int run(struct item *it, struct pen *p, const odm_schedule_now *now)
{
        unsigned from = odm_pen_number(p, "Ext/xrem/Run/From", 0);

        it->next_look = odm_time_add(now->mono, BUSY_MS);
        if (p->rc < 0 || is_busy(it->all))
                return p->rc;
        if (it->stale)
                drop_plan(it);
        it->stale = false;
        if (odm_schedule_is_armed(from) && !it->plan) { /* to know whether it goes on */
                const char *why;
                int rc = odm_schedule_plan_read(it->all, it->name, false, &it->plan, &why);
                if (rc == 0)
                        odm_schedule_plan_listen(it->plan, it);
                if (rc < 0 && rc != ODM_EMALFORMED)
                        return rc;
                if (!it->is_restored)
                        odm_when_restore(it, p, now);
        }
        return odm_run_move(it, now);
}

static int look_at(struct item *it, const odm_schedule_now *now)
{
        struct pen p;
        unsigned state;
        int rc;

        odm_pen_open(&p, it->all, it->name, now->wall);
        state = odm_pen_number(&p, "State", ODM_SCHEDULE_INACTIVE);
        rc = p.rc;
        if (rc == 0 && odm_schedule_is_armed(state)) {
                rc = wait(it, &p, state, now);
        } else if (rc == 0 && state == ODM_SCHEDULE_RUNNING) {
                it->reviewed = it->all->review;
                rc = run(it, &p, now);
        } else if (rc == 0) {
                drop_plan(it);
                it->is_restored = it->stale = false;
                it->reviewed = it->all->review;
                rc = bury(it, &p, now);
        }
        odm_pen_done(&p);
        if (rc != 0)
                it->next_look = (odm_time){0}; /* there is more, or it is to be tried again */
        return rc;
}

/* The calendar went another way than time did: all is to be looked at. */
static void notice_jump(odm_schedules *s, const odm_schedule_now *now)
{
        int64_t apart = now->wall.s * 1000 - now->mono.ms - s->apart_ms;

        if (now->set == s->was_set && apart > -JUMP_MS && apart < JUMP_MS)
                return;
        s->was_set = now->set;
        s->apart_ms += apart;
        for (struct item *i = s->first; i; i = i->next)
                i->next_look = (odm_time){0};
}

int odm_schedules_look(odm_schedules *s, const odm_schedule_now *now)
{
        int rc = odm_tree_in_transaction(s->opt.tree) ? ODM_ESTATE : 0;

        notice_jump(s, now);

        if (rc == 0 && s->rescan)
                rc = scan(s);
        for (struct item *i = s->first; i && rc == 0; i = i->next)
                if (i->stale || i->reviewed != s->review ||
                    odm_time_reached(now->mono, i->next_look))
                        rc = look_at(i, now);
        return rc;
}

odm_time odm_schedules_time(const odm_schedules *s, const odm_schedule_now *now)
{
        odm_time first = ODM_NEVER;

        if (s->rescan)
                return now->mono;
        for (const struct item *i = s->first; i; i = i->next) {
                if (i->stale)
                        return now->mono;
                if (i->next_look.ms < first.ms)
                        first = i->next_look;
        }
        return first;
}

void odm_schedules_review(odm_schedules *s)
{
        s->review++;
}

/* ---- what servers execute ------------------------------------------------------------------- */

struct order {
        odm_schedules *s;
        struct item *it;
        struct pen *p;
        odm_schedule_now now;
        unsigned state;
        odm_str correlator;
};

static int refuse_config(struct order *o, int rc, const char *why, unsigned *status)
{
        if (rc != ODM_EMALFORMED)
                return rc;
        odm_pen_begin(o->p);
        state_fail(o->p, 1404, why, false); /* the status tells */
        if (odm_pen_commit(o->p) == 0)
                *status = 1404;
        return o->p->rc;
}

static int activate(struct order *o, unsigned *status)
{
        struct plan *l = NULL;
        const char *why = NULL;
        int rc;

        *status = o->state == ODM_SCHEDULE_RUNNING ? ODM_ST_NOT_ALLOWED : 1200;
        if (o->state == ODM_SCHEDULE_RUNNING || odm_schedule_is_armed(o->state))
                return 0;
        rc = odm_schedule_plan_read(o->s, o->it->name, false, &l, &why);
        odm_schedule_plan_free(o->s, l);
        if (rc < 0)
                return refuse_config(o, rc, why, status);
        odm_pen_begin(o->p);
        state_arm(o->p, &o->now);
        return odm_pen_commit(o->p);
}

static int deactivate(struct order *o, unsigned *status)
{
        *status = o->state == ODM_SCHEDULE_INACTIVE ? 1200 : ODM_ST_NOT_ALLOWED;
        if (!odm_schedule_is_armed(o->state))
                return 0;
        *status = 1200;
        odm_pen_begin(o->p);
        odm_schedule_set(o->p, ODM_SCHEDULE_INACTIVE, 0);
        return odm_pen_commit(o->p);
}

static bool is_valid(const odm_schedules *s, const struct plan *l, const odm_schedule_now *now)
{
        if (!l->has_from && !l->has_to)
                return true;
        return now->set &&
               (!l->has_from || now->wall.s >= odm_moment_wall(l->from, &s->opt.zone).s) &&
               (!l->has_to || now->wall.s < odm_moment_wall(l->to, &s->opt.zone).s);
}

/* Not what its conditions say counts, but that it is valid and has runs left. */
static int run_now(struct order *o, unsigned *status)
{
        uint32_t repeat = odm_pen_number(o->p, "Repeat", 0);
        struct plan *l = NULL;
        const char *why = NULL;
        int rc;

        *status = ODM_ST_NOT_ALLOWED;
        if (o->state == ODM_SCHEDULE_RUNNING || o->state == ODM_SCHEDULE_EXPIRED ||
            o->state == ODM_SCHEDULE_ERROR || (repeat && odm_pen_number(o->p, "Runs", 0) >= repeat))
                return o->p->rc;
        rc = odm_schedule_plan_read(o->s, o->it->name, true, &l, &why);
        if (rc < 0)
                return refuse_config(o, rc, why, status);
        bool valid = is_valid(o->s, l, &o->now);
        odm_schedule_plan_free(o->s, l);
        if (!valid)
                return 0;
        odm_pen_begin(o->p);
        odm_run_note(o->p, o->state, o->now.wall, NULL,
                     o->correlator.p ? o->correlator : ODM_STR(""));
        odm_schedule_set(o->p, ODM_SCHEDULE_RUNNING, 0);
        if (odm_pen_commit(o->p) == 0)
                *status = ODM_ST_ACCEPTED;
        return o->p->rc;
}

static int obey(struct order *o, odm_str what, odm_str server, unsigned *status)
{
        odm_str owner = odm_pen_get(o->p, "Server");

        o->state = odm_pen_number(o->p, "State", ODM_SCHEDULE_INACTIVE);
        if (o->p->rc < 0)
                return o->p->rc;
        *status = ODM_ST_DENIED; /* its commands are done with the owner's rights */
        if (server.p && !odm_str_eq(server, owner))
                return 0;
        if (odm_str_is(what, "Activate"))
                return activate(o, status);
        if (odm_str_is(what, "Deactivate"))
                return deactivate(o, status);
        return run_now(o, status);
}

static int schedule_exec(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        odm_schedules *s = ctx;
        struct order o = {.s = s, .now = s->opt.now(s->opt.ctx), .correlator = op->correlator};
        struct pen p;
        int rc = 0;

        *status = ODM_ST_FAILED;
        if (odm_tree_in_transaction(s->opt.tree) || op->correlator.n > 64)
                return 0;
        if (s->rescan)
                rc = scan(s);
        o.it = item_find(s, at->name[0]);
        if (rc < 0 || !o.it)
                return rc;
        odm_pen_open(&p, s, o.it->name, o.now.wall);
        o.p = &p;
        rc = obey(&o, at->desc->name, op->server, status);
        odm_pen_done(&p);
        o.it->stale = true;
        s->opt.changed(s->opt.ctx);
        return rc;
}

/* ---- what servers change -------------------------------------------------------------------- */

struct place { /* of a change */
        odm_str name, rel;
};

static struct place place_of(odm_str uri)
{
        odm_str rest = odm_str_from(uri, AT_N);
        const char *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
        size_t n = slash ? (size_t)(slash - rest.p) : rest.n;

        return (struct place){odm_str_to(rest, n), odm_str_from(rest, n + (slash != NULL))};
}

/* Whether `rel` is `part` or below it. */
static bool is_below(odm_str rel, const char *part)
{
        size_t n = strlen(part);

        return odm_str_starts(rel, part) && (rel.n == n || rel.p[n] == '/');
}

static bool is_ours(odm_str rel)
{
        static const char *const parts[] = {"State", "Server",     "LastRun", "LastResult",
                                            "Runs",  "Operations", "Log",     "Ext"};

        for (size_t i = 0; i < ODM_COUNT(parts); i++)
                if (is_below(rel, parts[i]))
                        return true;
        return false;
}

static int count_one(void *ctx, odm_str name)
{
        (void)name;
        ++*(unsigned *)ctx;
        return 0;
}

/* A new schedule gets its owner, and what the device provides. */
static int create(odm_schedules *s, struct pen *p, const odm_change *c, unsigned *status)
{
        static const char *const ops[] = {"Operations/Activate", "Operations/Deactivate",
                                          "Operations/RunNow"};
        unsigned n = 0;
        int rc;

        if (s->running && s->running_level > 0) { /* no deeper (mo-scheduling.md 6) */
                *status = ODM_ST_NOT_ALLOWED;
                return 0;
        }
        rc = odm_tree_children(s->opt.tree, ODM_STR(ODM_SCHEDULE_AT), count_one, &n);
        if (rc == 0 && n > ODM_SCHEDULE_MAX)
                *status = ODM_ST_FULL;
        if (rc < 0 || !odm_status_ok(*status))
                return rc;
        if (c->server.p)
                odm_pen_put(p, "Server", ODM_FMT_CHR, c->server);
        if (s->running)
                odm_pen_put_number(p, "Ext/xrem/Level", 1);
        odm_pen_put_number(p, "State", ODM_SCHEDULE_INACTIVE);
        for (size_t i = 0; i < ODM_COUNT(ops); i++)
                odm_pen_put(p, ops[i], ODM_FMT_NULL, ODM_STR(""));
        return p->rc;
}

static bool is_owner(const odm_change *c, odm_str owner)
{
        return owner.p && odm_str_eq(owner, c->server);
}

/* 200, or why this server may not make this change. */
static unsigned judge(struct pen *p, const odm_change *c, struct place at)
{
        if (c->kind == ODM_CHANGE_DELETE && at.rel.n == 0) {
                bool gone = odm_change_value(c, ODM_STR("Ext/xrem/Gone")).p != NULL;
                if (odm_str_is(odm_change_value(c, ODM_STR("State")), "30"))
                        return ODM_ST_NOT_ALLOWED;
                return gone || is_owner(c, odm_change_value(c, ODM_STR("Server"))) ? ODM_ST_OK
                                                                                   : ODM_ST_DENIED;
        }
        bool log = c->kind == ODM_CHANGE_DELETE && is_below(at.rel, "Log");
        if (c->kind != ODM_CHANGE_PROP && is_ours(at.rel) && !log)
                return ODM_ST_NOT_ALLOWED;
        bool running = odm_pen_number(p, "State", 0) == ODM_SCHEDULE_RUNNING;
        bool renamed = c->kind == ODM_CHANGE_PROP && c->prop == ODM_PROP_NAME && at.rel.n == 0;
        if (running && (is_below(at.rel, "Task") || renamed))
                return ODM_ST_NOT_ALLOWED;
        return is_owner(c, odm_pen_get(p, "Server")) ? ODM_ST_OK : ODM_ST_DENIED;
}

static int validate_one(odm_schedules *s, const odm_change *c, unsigned *status)
{
        struct place at = place_of(c->uri);
        struct pen p;
        int rc = 0;

        if (at.name.n == 0)
                return 0;
        odm_pen_open(&p, s, at.name, (odm_wall){0});
        if (c->kind == ODM_CHANGE_ADD && at.rel.n == 0) {
                odm_str state = odm_pen_uri(&p, "State");
                if (p.rc == 0 && !odm_tree_exists(s->opt.tree, state)) /* not asked about again */
                        rc = create(s, &p, c, status);
        } else if (c->server.p) {
                *status = judge(&p, c, at);
        }
        if (rc == 0)
                rc = p.rc;
        odm_pen_done(&p);
        return rc;
}

static int schedule_validate(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        int rc = 0;

        (void)t;
        for (const odm_change *c = list; c && rc == 0 && odm_status_ok(*status); c = c->next)
                rc = validate_one(ctx, c, status);
        return rc;
}

static int schedule_commit(void *ctx, odm_tree *t, const odm_change *list)
{
        odm_schedules *s = ctx;
        bool changed = false;

        (void)t;
        for (const odm_change *c = list; c; c = c->next) {
                struct place at = place_of(c->uri);
                struct item *it = item_find(s, at.name);
                bool whole = at.name.n && at.rel.n == 0 &&
                             (c->kind != ODM_CHANGE_PROP || c->prop == ODM_PROP_NAME);
                s->rescan |= whole;
                if (it && c->server.p)
                        it->stale = true;
                changed |= whole || (it && c->server.p);
        }
        if (changed)
                s->opt.changed(s->opt.ctx);
        return 0;
}

/* ---- alerts --------------------------------------------------------------------------------- */

static int tell(struct pen *p, odm_str name, odm_wall now, odm_arena *a,
                int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        static const char *const leaves[] = {"Event", "Time", "Result", "Correlator", "Data"};
        odm_str v[5], uri;
        odm_wall at;
        uint64_t id;

        for (size_t i = 0; i < ODM_COUNT(leaves); i++) {
                odm_str rel =
                        odm_arena_fmt(a, "Ext/xrem/Report/%.*s/%s", (int)name.n, name.p, leaves[i]);
                if (!rel.p)
                        return odm_arena_err(a);
                v[i] = odm_pen_get(p, rel.p);
        }
        uri = odm_pen_uri(p, "%s", "");
        if (p->rc < 0)
                return p->rc;
        if (odm_str_u64(name, UINT32_MAX, &id) < 0 || odm_wall_parse(v[1], &at) < 0)
                return 0;
        odm_alert alert = {.id = id,
                           .code = ODM_ALERT_GENERIC,
                           .source = uri,
                           .source_name = now.s - at.s > 60 ? v[1] : ODM_ABSENT,
                           .type = odm_arena_join(a, ODM_STR(TYPE), v[0]),
                           .format = ODM_FMT_XML,
                           .mark = odm_str_starts(v[2], "12") ? ODM_STR("informational")
                                                              : ODM_STR("critical"),
                           .data = v[4],
                           .correlator = v[3].n ? v[3] : ODM_ABSENT};
        return alert.type.p ? fn(ctx, &alert) : odm_arena_err(a);
}

static int tell_all(odm_schedules *s, const struct item *it, odm_str server, odm_wall now,
                    int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        struct pen p;
        size_t n = 0;
        int rc;

        odm_pen_open(&p, s, it->name, now);
        if (odm_str_eq(odm_pen_get(&p, "Server"), server)) {
                const odm_str *name = odm_pen_names(&p, "Ext/xrem/Report", &n);
                rc = p.rc;
                for (size_t i = 0; i < n && rc == 0; i++)
                        rc = tell(&p, name[i], now, &p.a, fn, ctx);
        } else {
                rc = p.rc;
        }
        odm_pen_done(&p);
        return rc;
}

int odm_schedules_alerts(odm_schedules *s, odm_str server, odm_wall now,
                         int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        int rc = s->rescan ? scan(s) : 0;

        for (const struct item *i = s->first; i && rc == 0; i = i->next)
                rc = tell_all(s, i, server, now, fn, ctx);
        return rc;
}

int odm_schedules_alerted(odm_schedules *s, uint64_t id, unsigned status, odm_wall now)
{
        int rc = 0;

        if (!odm_alert_over(status))
                return 0;
        for (const struct item *i = s->first; i && rc == 0; i = i->next) {
                struct pen p;
                odm_pen_open(&p, s, i->name, now);
                odm_str rel = odm_arena_fmt(&p.a, "Ext/xrem/Report/%010lu", (unsigned long)id);
                if (!rel.p)
                        p.rc = odm_arena_err(&p.a);
                if (p.rc == 0 && odm_tree_exists(s->opt.tree, odm_pen_uri(&p, "%s", rel.p)))
                        odm_pen_delete(&p, rel.p);
                rc = p.rc;
                odm_pen_done(&p);
        }
        return rc;
}

int odm_schedules_owners(odm_schedules *s, void (*fn)(void *ctx, odm_str server), void *ctx)
{
        int rc = s->rescan ? scan(s) : 0;

        for (const struct item *i = s->first; i && rc == 0; i = i->next) {
                struct pen p;
                size_t n = 0;
                odm_pen_open(&p, s, i->name, (odm_wall){0});
                odm_str owner = odm_pen_get(&p, "Server");
                (void)odm_pen_names(&p, "Ext/xrem/Report", &n);
                rc = p.rc;
                if (rc == 0 && n > 0 && owner.p)
                        fn(ctx, owner);
                odm_pen_done(&p);
        }
        return rc;
}

uint32_t odm_schedules_noted(const odm_schedules *s)
{
        return s->next_report;
}

odm_schedules_count odm_schedules_counted(odm_schedules *s)
{
        odm_schedules_count c = {0};

        for (const struct item *i = s->first; i; i = i->next) {
                struct pen p;
                size_t n = 0;
                odm_pen_open(&p, s, i->name, (odm_wall){0});
                unsigned state = odm_pen_number(&p, "State", 0);
                (void)odm_pen_names(&p, "Ext/xrem/Report", &n);
                c.schedules++;
                c.active += odm_schedule_is_armed(state);
                c.running += state == ODM_SCHEDULE_RUNNING;
                c.reports += (unsigned)n;
                odm_pen_done(&p);
        }
        return c;
}

/* ---- life ----------------------------------------------------------------------------------- */

static const odm_binding bindings[] = {
        {.path = "*/Operations/Activate", .exec = schedule_exec},
        {.path = "*/Operations/Deactivate", .exec = schedule_exec},
        {.path = "*/Operations/RunNow", .exec = schedule_exec},
};

int odm_schedules_new(const odm_schedules_opt *opt, odm_schedules **out)
{
        odm_schedules *s = odm_alloc(opt->mem, sizeof *s);
        int rc;

        if (!s)
                return ODM_ENOMEM;
        s->opt = *opt;
        s->rescan = true;
        s->review = 1;
        s->provider = (odm_provider){.name = "schedule",
                                     .mo = opt->mo,
                                     .bind = bindings,
                                     .n_bind = ODM_COUNT(bindings),
                                     .ctx = s,
                                     .validate = schedule_validate,
                                     .commit = schedule_commit};
        rc = odm_tree_mount(opt->tree, NULL, &s->provider);
        if (rc < 0)
                odm_free(opt->mem, s, sizeof *s);
        else
                *out = s;
        return rc;
}

void odm_schedules_free(odm_schedules *s)
{
        if (!s)
                return;
        while (s->first) {
                struct item *it = s->first;
                s->first = it->next;
                item_free(it);
        }
        odm_free(s->opt.mem, s, sizeof *s);
}
