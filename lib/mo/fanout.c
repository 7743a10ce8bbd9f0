/* SPDX-License-Identifier: Apache-2.0 */
/* Fan-outs: tasks that are under way, and what is next (gwmo.md 6, 8, 10; xrem.md G7).
 *
 *     start --not before--> serves <--pause, resume--> paused
 *                             | Expire, cancel, too many failures: stop is set
 *                             v
 *                  all ended, all kept --TELL last--> gone
 *
 * A task in memory is its plan and forty octets a target.  What came of it is the host's, who keeps
 * it with the row. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fanout_inner.h"

#define PARALLEL_MAX 100000
#define RETRY_MAX 100
#define TIMEOUT_MAX_MS INT64_C(86400000)
#define WALL_LOOK_MS 60000 /* the clock may have been set meanwhile */
#define SAMPLE 10          /* targets that a stop on failures wants to have seen */

/* ---- making --------------------------------------------------------------------------------- */

void odm_fanout_opt_init(odm_fanout_opt *o, const odm_mem *mem)
{
        *o = (odm_fanout_opt){.mem = mem,
                              .max_tasks = 256,
                              .max_targets = 200000,
                              .max_running = 512,
                              .retry_ms = 5000,
                              .retry_max_ms = 300000};
}

void odm_fanout_plan_init(odm_fanout_plan *p)
{
        *p = (odm_fanout_plan){
                .timeout_ms = 60000, .parallel = 8, .retry = 2, .priority = 4, .max_queue = 100};
}

int odm_fanout_new(const odm_fanout_opt *opt, odm_fanout **out)
{
        odm_fanout *f;

        if (opt->max_tasks == 0 || opt->max_targets == 0 || opt->max_running == 0 ||
            opt->retry_ms < 1 || opt->retry_max_ms < opt->retry_ms)
                return ODM_EINVAL;
        f = odm_alloc(opt->mem, sizeof *f);
        if (!f)
                return ODM_ENOMEM;
        f->opt = *opt;
        f->v = odm_alloc(opt->mem, opt->max_tasks * sizeof *f->v);
        if (!f->v) {
                odm_free(opt->mem, f, sizeof *f);
                return ODM_ENOMEM;
        }
        *out = f;
        return 0;
}

static void free_task(const odm_mem *m, task *t)
{
        odm_free(m, t->v, t->room * sizeof *t->v);
        odm_free(m, t, sizeof *t);
}

void odm_fanout_free(odm_fanout *f)
{
        if (!f)
                return;
        for (uint32_t i = 0; i < f->n; i++)
                free_task(f->opt.mem, f->v[i]);
        odm_free(f->opt.mem, (void *)f->v, f->opt.max_tasks * sizeof *f->v);
        odm_free(f->opt.mem, f, sizeof *f);
}

task *odm_fanout_task(const odm_fanout *f, uint64_t id)
{
        for (uint32_t i = 0; i < f->n; i++)
                if (f->v[i]->plan.id == id)
                        return f->v[i];
        return NULL;
}

static void forget(odm_fanout *f, task *t)
{
        uint32_t i = 0;

        while (f->v[i] != t)
                i++;
        memmove((void *)&f->v[i], (void *)&f->v[i + 1], (f->n - i - 1) * sizeof *f->v);
        f->n--;
        f->targets -= t->n;
        f->running -= t->running;
        free_task(f->opt.mem, t);
        odm_fanout_unblock_all(f);
}

void odm_fanout_drop(odm_fanout *f, uint64_t id)
{
        task *t = odm_fanout_task(f, id);

        if (t)
                forget(f, t);
}

/* ---- starting --------------------------------------------------------------------------------- */

static int by_device(const void *a, const void *b)
{
        const target *x = a, *y = b;

        return x->device < y->device ? -1 : x->device > y->device;
}

static bool plan_ok(const odm_fanout_plan *p)
{
        return p->id && p->cmds && p->timeout_ms > 0 && p->timeout_ms <= TIMEOUT_MAX_MS &&
               p->parallel > 0 && p->parallel <= PARALLEL_MAX && p->retry <= RETRY_MAX &&
               p->stop_pct <= 100 && p->priority <= 7;
}

/* The presence of each is in `next` until it is placed. */
static int take_targets(const odm_fanout *f, task *t, const odm_fanout_to *to, size_t n)
{
        uint32_t kept = 0;
        target *v;

        if (n > f->opt.max_targets)
                return ODM_ELIMIT;
        v = odm_alloc(f->opt.mem, n * sizeof *v);
        if (!v)
                return ODM_ENOMEM;
        for (size_t i = 0; i < n; i++)
                v[i] = (target){.device = to[i].device,
                                .due = NO_TIME,
                                .next = (uint32_t)to[i].presence,
                                .state = ODM_TARGET_PENDING};
        qsort(v, n, sizeof *v, by_device);
        for (size_t i = 0; i < n; i++)
                if (kept == 0 || v[kept - 1].device != v[i].device)
                        v[kept++] = v[i];
        t->v = v;
        t->room = (uint32_t)n;
        t->n = kept;
        return 0;
}

static int make(const odm_fanout *f, const odm_fanout_plan *p, const odm_fanout_to *to, size_t n,
                const odm_fanout_now *now, task **out)
{
        const queue empty = {NOWHERE, NOWHERE};
        task *t;
        int rc;

        if (!plan_ok(p) || n == 0)
                return ODM_EINVAL;
        for (size_t i = 0; i < n; i++)
                if (to[i].device == 0)
                        return ODM_EINVAL;
        if (odm_fanout_task(f, p->id))
                return ODM_EEXIST;
        if (f->n == f->opt.max_tasks)
                return ODM_ELIMIT;
        t = odm_alloc(f->opt.mem, sizeof *t);
        if (!t)
                return ODM_ENOMEM;
        *t = (task){.plan = *p, .look = NO_TIME};
        t->ready = t->woken = t->runs = t->dirty = t->lent = empty;
        t->started = p->not_before.s <= now->wall.s;
        t->tell_at = odm_time_add(now->mono, (int64_t)p->agg_window_s * 1000);
        rc = take_targets(f, t, to, n);
        if (rc == 0 && t->n > f->opt.max_targets - f->targets)
                rc = ODM_ELIMIT;
        if (rc < 0) {
                free_task(f->opt.mem, t);
                return rc;
        }
        *out = t;
        return 0;
}

static void insert(odm_fanout *f, task *t)
{
        uint32_t i = f->n;

        while (i > 0 && (f->v[i - 1]->plan.priority > t->plan.priority ||
                         (f->v[i - 1]->plan.priority == t->plan.priority &&
                          f->v[i - 1]->plan.id > t->plan.id)))
                i--;
        memmove((void *)&f->v[i + 1], (void *)&f->v[i], (f->n - i) * sizeof *f->v);
        f->v[i] = t;
        f->n++;
        f->targets += t->n;
}

/* ---- what waits for sleepers ------------------------------------------------------------------ */

static bool waits(const target *x)
{
        return x->state == ODM_TARGET_ASLEEP || x->state == ODM_TARGET_PENDING;
}

uint32_t odm_fanout_waiting(const odm_fanout *f, uint32_t device)
{
        uint32_t n = 0;

        for (uint32_t i = 0; i < f->n; i++) {
                const target *x = odm_target_of(f->v[i], device);
                if (x && waits(x))
                        n += f->v[i]->plan.cmds->n;
        }
        return n;
}

bool odm_fanout_runs(const odm_fanout *f, uint32_t device)
{
        for (uint32_t i = 0; i < f->n; i++) {
                const target *x = odm_target_of(f->v[i], device);
                if (x && x->state == ODM_TARGET_RUNNING)
                        return true;
        }
        return false;
}

/* Whether what `t` has of the device still is to be read, or run, between two that replace. */
static bool stands_between(const task *o, const task *early, const task *late, uint32_t device)
{
        const target *x;

        if (o->plan.id <= early->plan.id || o->plan.id >= late->plan.id || o->plan.cmds->replaces)
                return false;
        x = odm_target_of(o, device);
        return x && !odm_target_over(x->state);
}

static bool is_overtaken(const odm_fanout *f, const task *early, const target *x, const task *late)
{
        if (!x || !waits(x))
                return false;
        for (uint32_t i = 0; i < f->n; i++)
                if (stands_between(f->v[i], early, late, x->device))
                        return false;
        return true;
}

/* A Replace that has not been sent, and that `late` makes needless, has happened (gwmo.md 8). */
static void overtake(odm_fanout *f, const task *late)
{
        if (!late->plan.cmds->replaces || late->plan.stop_pct || !late->started)
                return;
        for (uint32_t i = 0; i < f->n; i++) {
                task *t = f->v[i];
                if (t == late || t->plan.id > late->plan.id || t->stop ||
                    t->plan.expire.s > late->plan.expire.s ||
                    !odm_fanout_overtakes(late->plan.cmds, t->plan.cmds))
                        continue;
                for (uint32_t k = 0; k < late->n; k++) {
                        target *x = odm_target_of(t, late->v[k].device);
                        if (odm_target_over(late->v[k].state) || !is_overtaken(f, t, x, late))
                                continue;
                        odm_target_end(f, t, x, ODM_TARGET_OK, ODM_ST_OK);
                        t->saved += t->plan.cmds->n;
                }
        }
}

/* ---- the first move of each --------------------------------------------------------------------- */

static void place(odm_fanout *f, task *t, target *x, odm_presence p)
{
        switch (p) {
        case ODM_PRESENCE_AWAKE: odm_target_ready(t, x); return;
        case ODM_PRESENCE_ASLEEP: odm_target_sleep(f, t, x); return;
        case ODM_PRESENCE_GONE:
                odm_target_end(f, t, x, ODM_TARGET_SKIPPED, ODM_ST_UNAVAILABLE);
                return;
        case ODM_PRESENCE_BARRED:
                odm_target_end(f, t, x, ODM_TARGET_FAILED, ODM_ST_FORBIDDEN);
                return;
        case ODM_PRESENCE_FOREIGN:
                odm_target_end(f, t, x, ODM_TARGET_SKIPPED, ODM_ST_UNSUPPORTED);
                return;
        case ODM_PRESENCE_DENIED: odm_target_end(f, t, x, ODM_TARGET_FAILED, ODM_ST_DENIED); return;
        case ODM_PRESENCE_UNKNOWN:
                odm_target_end(f, t, x, ODM_TARGET_SKIPPED, ODM_ST_NOT_FOUND);
                return;
        }
        ODM_UNREACHABLE();
}

static void stop_on_failures(odm_fanout *f, task *t);

int odm_fanout_start(odm_fanout *f, const odm_fanout_plan *p, const odm_fanout_to *to, size_t n,
                     const odm_fanout_now *now)
{
        task *t;
        int rc = make(f, p, to, n, now, &t);

        if (rc < 0)
                return rc;
        insert(f, t);
        for (uint32_t i = 0; i < t->n; i++) {
                target *x = &t->v[i];
                place(f, t, x, (odm_presence)x->next);
        }
        overtake(f, t);
        for (uint32_t i = 0; i < t->n; i++)
                if (t->v[i].state == ODM_TARGET_ASLEEP &&
                    odm_fanout_waiting(f, t->v[i].device) > t->plan.max_queue)
                        odm_target_end(f, t, &t->v[i], ODM_TARGET_FAILED, ODM_ST_FULL);
        stop_on_failures(f, t);
        return 0;
}

/* ---- going on after a start of the host ------------------------------------------------------------ */

static void restore_over(task *t, target *x, const odm_fanout_row *r)
{
        x->state = (uint8_t)r->state;
        x->status = (uint16_t)r->status;
        x->ended = r->ended;
        *(r->state == ODM_TARGET_OK ? &t->ok : &t->failed) += 1;
        if (r->ended > t->last_ended)
                t->last_ended = t->kept = r->ended;
}

static void restore_row(odm_fanout *f, task *t, target *x, const odm_fanout_row *r,
                        const odm_fanout_now *now)
{
        x->tries = r->tries < UINT8_MAX ? (uint8_t)r->tries : UINT8_MAX;
        if (odm_target_over(r->state)) {
                restore_over(t, x, r);
        } else if (r->state == ODM_TARGET_RUNNING && r->awaits) {
                odm_target_await(f, t, x, now);
                x->flags |= TARGET_SLOT;
                t->slots++;
        } else if (r->state == ODM_TARGET_RUNNING && !t->plan.cmds->again) {
                odm_target_end(f, t, x, ODM_TARGET_TIMEOUT, ODM_ST_TIMEOUT); /* nobody knows */
        }
}

int odm_fanout_restore(odm_fanout *f, const odm_fanout_plan *p, const odm_fanout_to *to, size_t n,
                       const odm_fanout_row *rows, size_t n_rows, uint32_t told,
                       odm_fanout_state state, const odm_fanout_now *now)
{
        task *t;
        int rc = make(f, p, to, n, now, &t);

        if (rc < 0)
                return rc;
        insert(f, t);
        for (size_t i = 0; i < n_rows; i++) {
                target *x = odm_target_of(t, rows[i].device);
                if (x && x->state == ODM_TARGET_PENDING)
                        restore_row(f, t, x, &rows[i], now);
        }
        for (uint32_t i = 0; i < t->n; i++) {
                target *x = &t->v[i];
                odm_presence at = (odm_presence)x->next;
                if (x->state != ODM_TARGET_PENDING)
                        continue;
                place(f, t, x, at == ODM_PRESENCE_GONE ? ODM_PRESENCE_ASLEEP : at);
        }
        t->told = told;
        t->paused = state == ODM_FANOUT_PAUSED;
        stop_on_failures(f, t);
        if (state == ODM_FANOUT_CANCELLED && task_open(t))
                return odm_fanout_cancel(f, p->id, now);
        if (state == ODM_FANOUT_CANCELLED) /* all that is left is to tell it */
                t->stop = state;
        return 0;
}

/* ---- stopping ------------------------------------------------------------------------------------- */

/* Given to the host, which has not answered yet. */
static bool is_out(const target *x)
{
        return x->state == ODM_TARGET_RUNNING && !(x->flags & TARGET_CLAIM) &&
               !(x->flags & TARGET_QUEUED);
}

/* All that does not run ends; who awaits an alert too, unless `spare`. */
static void end_open(odm_fanout *f, task *t, odm_fanout_target state, unsigned status, bool spare)
{
        for (uint32_t i = 0; i < t->n; i++) {
                target *x = &t->v[i];
                if (odm_target_over(x->state) || (is_out(x) && !(x->flags & TARGET_AWAITS)) ||
                    (spare && (x->flags & TARGET_AWAITS)))
                        continue;
                odm_target_end(f, t, x, state, status);
        }
        odm_fanout_unblock_all(f);
}

static void stop(odm_fanout *f, task *t, odm_fanout_state how, odm_fanout_target state,
                 unsigned status, bool spare)
{
        if (t->stop == ODM_FANOUT_IDLE)
                t->stop = how;
        ODM_TRACE(f->opt.trace, "fanout", "task %llu stops: %u", (unsigned long long)t->plan.id,
                  (unsigned)how);
        end_open(f, t, state, status, spare);
}

static void stop_on_failures(odm_fanout *f, task *t)
{
        uint64_t ended = t->ok + t->failed, sample = t->n < SAMPLE ? t->n : SAMPLE;

        if (ended < sample)
                ended = sample;
        if (t->plan.stop_pct && t->stop == ODM_FANOUT_IDLE && task_open(t) &&
            (uint64_t)t->failed * 100 > t->plan.stop_pct * ended)
                stop(f, t, ODM_FANOUT_ABORTED, ODM_TARGET_CANCELLED, ODM_ST_CANCELLED, true);
}

int odm_fanout_cancel(odm_fanout *f, uint64_t id, const odm_fanout_now *now)
{
        task *t = odm_fanout_task(f, id);

        (void)now;
        if (!t)
                return ODM_ENOENT;
        if (task_open(t) == 0 || t->stop == ODM_FANOUT_CANCELLED)
                return ODM_ESTATE;
        t->stop = ODM_FANOUT_CANCELLED;
        stop(f, t, ODM_FANOUT_CANCELLED, ODM_TARGET_CANCELLED, ODM_ST_CANCELLED, false);
        return 0;
}

bool odm_fanout_rests(odm_fanout *f, uint64_t id, uint32_t device)
{
        const task *t = odm_fanout_task(f, id);
        const target *x = t ? odm_target_of(t, device) : NULL;

        return x && !odm_target_over(x->state) && !(x->flags & TARGET_AWAITS) && !is_out(x);
}

int odm_fanout_withdraw(odm_fanout *f, uint64_t id, uint32_t device)
{
        task *t = odm_fanout_task(f, id);
        target *x = t ? odm_target_of(t, device) : NULL;

        if (!x || odm_target_over(x->state))
                return ODM_ENOENT;
        if (x->flags & TARGET_AWAITS)
                odm_target_end(f, t, x, ODM_TARGET_TIMEOUT, ODM_ST_TIMEOUT);
        else if (is_out(x))
                return ODM_ESTATE;
        else
                odm_target_end(f, t, x, ODM_TARGET_SKIPPED, ODM_ST_CANCELLED);
        odm_fanout_unblock(f, device);
        return 0;
}

int odm_fanout_pause(odm_fanout *f, uint64_t id, const odm_fanout_now *now)
{
        task *t = odm_fanout_task(f, id);

        (void)now;
        if (!t)
                return ODM_ENOENT;
        if (t->paused || t->stop || task_open(t) == 0)
                return ODM_ESTATE;
        t->paused = true;
        odm_fanout_unblock_all(f);
        return 0;
}

int odm_fanout_resume(odm_fanout *f, uint64_t id, const odm_fanout_now *now)
{
        task *t = odm_fanout_task(f, id);

        (void)now;
        if (!t)
                return ODM_ENOENT;
        if (!t->paused)
                return ODM_ESTATE;
        t->paused = false;
        return 0;
}

/* ---- devices ---------------------------------------------------------------------------------------- */

static void wake(odm_fanout *f, task *t, target *x)
{
        x->flags &= (uint16_t)~TARGET_SLEPT;
        if (x->state == ODM_TARGET_ASLEEP)
                odm_target_wake(f, t, x);
}

static void doze(odm_fanout *f, task *t, target *x)
{
        if (x->state == ODM_TARGET_PENDING)
                odm_target_sleep(f, t, x);
        else if (x->state == ODM_TARGET_RUNNING)
                x->flags |= TARGET_SLEPT;
}

void odm_fanout_device(odm_fanout *f, uint32_t device, odm_presence p, const odm_fanout_now *now)
{
        (void)now;
        for (uint32_t i = 0; i < f->n; i++) {
                task *t = f->v[i];
                target *x = odm_target_of(t, device);
                if (!x || odm_target_over(x->state))
                        continue;
                if (p == ODM_PRESENCE_AWAKE)
                        wake(f, t, x);
                else if (p == ODM_PRESENCE_BARRED && waits(x))
                        odm_target_end(f, t, x, ODM_TARGET_FAILED, ODM_ST_FORBIDDEN);
                else
                        doze(f, t, x);
        }
}

void odm_fanout_removed(odm_fanout *f, uint32_t device, const odm_fanout_now *now)
{
        (void)now;
        for (uint32_t i = 0; i < f->n; i++) {
                target *x = odm_target_of(f->v[i], device);
                if (x && !odm_target_over(x->state)) {
                        odm_target_end(f, f->v[i], x, ODM_TARGET_SKIPPED, ODM_ST_NOT_FOUND);
                        stop_on_failures(f, f->v[i]);
                }
        }
}

/* ---- runs --------------------------------------------------------------------------------------------- */

static bool worth_another(const task *t, const target *x, unsigned status)
{
        bool unheard = status == ODM_ST_UNAVAILABLE;

        if (t->stop != ODM_FANOUT_IDLE ||
            !(unheard || (status == ODM_ST_TIMEOUT && t->plan.cmds->again)))
                return false;
        return x->tries <= t->plan.retry || (unheard && (x->flags & TARGET_SLEPT));
}

void odm_fanout_ran(odm_fanout *f, uint64_t id, uint32_t device, odm_fanout_target state,
                    unsigned status, const odm_fanout_now *now)
{
        task *t = odm_fanout_task(f, id);
        target *x = t ? odm_target_of(t, device) : NULL;

        if (!x || x->state != ODM_TARGET_RUNNING ||
            (x->flags & (TARGET_AWAITS | TARGET_CLAIM | TARGET_QUEUED)))
                return;
        bool silent =
                state == ODM_TARGET_TIMEOUT || (state == ODM_TARGET_FAILED && t->plan.cmds->again);
        if (silent && worth_another(t, x, status))
                odm_target_again(f, t, x, status, now);
        else if (state == ODM_TARGET_RUNNING && t->stop == ODM_FANOUT_CANCELLED)
                odm_target_end(f, t, x, ODM_TARGET_CANCELLED, ODM_ST_CANCELLED);
        else if (state == ODM_TARGET_RUNNING && t->expired)
                odm_target_end(f, t, x, ODM_TARGET_TIMEOUT, ODM_ST_TIMEOUT);
        else if (state == ODM_TARGET_RUNNING)
                odm_target_await(f, t, x, now);
        else
                odm_target_end(f, t, x, state, status);
        stop_on_failures(f, t);
}

int odm_fanout_final(odm_fanout *f, uint64_t id, uint32_t device, bool ok, unsigned status,
                     const odm_fanout_now *now)
{
        task *t = odm_fanout_task(f, id);
        target *x = t ? odm_target_of(t, device) : NULL;

        (void)now;
        if (!x || !(x->flags & TARGET_AWAITS))
                return ODM_ENOENT;
        odm_target_end(f, t, x, ok ? ODM_TARGET_OK : ODM_TARGET_FAILED, status);
        stop_on_failures(f, t);
        return 0;
}

/* ---- what is next --------------------------------------------------------------------------------------- */

static odm_time wall_time(odm_wall at, const odm_fanout_now *now)
{
        int64_t s = at.s > now->wall.s ? at.s - now->wall.s : 0;

        return odm_time_add(now->mono, s > WALL_LOOK_MS / 1000 ? WALL_LOOK_MS : s * 1000);
}

/* A target whose time has come. */
static void due(task *t, target *x)
{
        x->due = NO_TIME;
        if (x->state == ODM_TARGET_PENDING)
                odm_target_ready(t, x);
        else
                odm_target_release(t, x);
}

static void look(task *t, int64_t now)
{
        int64_t next = NO_TIME;

        if (now < t->look)
                return;
        for (uint32_t i = 0; i < t->n; i++) {
                if (t->v[i].due <= now)
                        due(t, &t->v[i]);
                if (t->v[i].due < next)
                        next = t->v[i].due;
        }
        t->look = next;
}

static void tick(odm_fanout *f, task *t, const odm_fanout_now *now)
{
        if (!t->started && t->plan.not_before.s <= now->wall.s)
                t->started = true;
        if (task_open(t) && !t->expired && t->plan.expire.s <= now->wall.s) {
                t->expired = true;
                stop(f, t, ODM_FANOUT_EXPIRED, ODM_TARGET_TIMEOUT, ODM_ST_TIMEOUT, false);
        }
        look(t, now->mono.ms);
}

static void claim_from(odm_fanout *f, task *t, const queue *q, uint32_t slots)
{
        while (q->first != NOWHERE && t->slots < slots && f->running < f->opt.max_running) {
                target *x = &t->v[q->first];
                odm_target_unqueue(t, x);
                if (odm_fanout_blocks(f, t, x->device))
                        x->flags |= TARGET_BLOCKED;
                else
                        odm_target_claim(f, t, x);
        }
}

static void claim(odm_fanout *f, task *t)
{
        if (!task_serves(t))
                return;
        claim_from(f, t, &t->woken, UINT32_MAX); /* their time is short */
        claim_from(f, t, &t->ready, t->plan.parallel);
}

static bool lend_run(task *t, const odm_fanout_now *now, odm_fanout_ask *ask)
{
        target *x = odm_target_next_run(t);
        int64_t left;

        if (!x)
                return false;
        left = t->plan.expire.s > now->wall.s ? t->plan.expire.s - now->wall.s : 1;
        *ask = (odm_fanout_ask){.kind = ODM_ASK_RUN,
                                .task = t->plan.id,
                                .device = x->device,
                                .deadline_ms = t->plan.timeout_ms};
        if (left < t->plan.timeout_ms / 1000)
                ask->deadline_ms = left * 1000;
        return true;
}

static bool lend_keep(task *t, odm_fanout_ask *ask)
{
        target *x = odm_target_lend(t);

        if (!x)
                return false;
        *ask = (odm_fanout_ask){.kind = ODM_ASK_KEEP,
                                .task = t->plan.id,
                                .device = x->device,
                                .row = odm_target_row(x)};
        return true;
}

static odm_fanout_state final_state(const task *t)
{
        if (t->stop != ODM_FANOUT_IDLE)
                return t->stop;
        return t->failed ? ODM_FANOUT_FAILURES : ODM_FANOUT_OK;
}

static bool is_over(const task *t)
{
        return task_open(t) == 0 && t->dirty.first == NOWHERE && t->lent.first == NOWHERE;
}

static bool lend_report(task *t, const odm_fanout_now *now, odm_fanout_ask *ask)
{
        bool last = is_over(t);
        uint32_t fresh = t->kept - t->told;

        if (t->telling)
                return false;
        if (!last && !(fresh && t->plan.agg_max && fresh >= t->plan.agg_max) &&
            !(fresh && t->plan.agg_window_s && odm_time_reached(now->mono, t->tell_at)))
                return false;
        t->telling = true;
        *ask = (odm_fanout_ask){.kind = ODM_ASK_TELL,
                                .task = t->plan.id,
                                .told = t->told,
                                .upto = t->kept,
                                .last = last,
                                .state = last ? final_state(t) : ODM_FANOUT_RUNNING};
        return true;
}

int odm_fanout_next(odm_fanout *f, const odm_fanout_now *now, bool keeps, odm_fanout_ask *ask)
{
        for (uint32_t i = 0; i < f->n; i++)
                tick(f, f->v[i], now);
        for (uint32_t i = 0; i < f->n; i++)
                claim(f, f->v[i]);
        for (uint32_t i = 0; i < f->n; i++)
                if (lend_run(f->v[i], now, ask))
                        return 1;
        for (uint32_t i = 0; keeps && i < f->n; i++)
                if (lend_keep(f->v[i], ask))
                        return 1;
        for (uint32_t i = 0; i < f->n; i++)
                if (lend_report(f->v[i], now, ask))
                        return 1;
        return 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

odm_time odm_fanout_time(const odm_fanout *f, const odm_fanout_now *now)
{
        int64_t at = NO_TIME;

        for (uint32_t i = 0; i < f->n; i++) {
                const task *t = f->v[i];
                at = earlier(at, t->look);
                if (!t->started)
                        at = earlier(at, wall_time(t->plan.not_before, now).ms);
                if (task_open(t) && t->plan.expire.s > now->wall.s)
                        at = earlier(at, wall_time(t->plan.expire, now).ms);
                if (t->plan.agg_window_s && t->kept > t->told && !t->telling)
                        at = earlier(at, t->tell_at.ms);
        }
        return (odm_time){at};
}

void odm_fanout_kept(odm_fanout *f, bool durable)
{
        for (uint32_t i = 0; i < f->n; i++)
                odm_target_kept(f->v[i], durable);
}

void odm_fanout_told(odm_fanout *f, uint64_t id, uint32_t upto, bool last,
                     const odm_fanout_now *now)
{
        task *t = odm_fanout_task(f, id);

        if (!t)
                return;
        assert(upto <= t->kept);
        t->told = upto;
        t->telling = false;
        t->tell_at = odm_time_add(now->mono, (int64_t)t->plan.agg_window_s * 1000);
        if (last)
                forget(f, t);
}

/* ---- looking ---------------------------------------------------------------------------------------------- */

static odm_fanout_state state_of(const task *t)
{
        uint32_t open = task_open(t);

        if (open == 0 || t->stop != ODM_FANOUT_IDLE)
                return ODM_FANOUT_RUNNING; /* how it ended is told, and kept, first */
        if (t->paused)
                return ODM_FANOUT_PAUSED;
        return !t->started || t->asleep == open ? ODM_FANOUT_QUEUED : ODM_FANOUT_RUNNING;
}

int odm_fanout_look(const odm_fanout *f, uint64_t id, odm_fanout_view *out)
{
        const task *t = odm_fanout_task(f, id);

        if (!t)
                return ODM_ENOENT;
        *out = (odm_fanout_view){.state = state_of(t),
                                 .total = t->n,
                                 .done = t->ok + t->failed,
                                 .ok = t->ok,
                                 .failed = t->failed,
                                 .pending = task_open(t),
                                 .told = t->told,
                                 .saved = t->saved};
        return 0;
}

int odm_fanout_find(const odm_fanout *f, uint64_t id, uint32_t device, odm_fanout_row *out)
{
        const task *t = odm_fanout_task(f, id);
        const target *x = t ? odm_target_of(t, device) : NULL;

        if (!x)
                return ODM_ENOENT;
        *out = odm_target_row(x);
        return 0;
}

size_t odm_fanout_bytes(const odm_fanout *f)
{
        return sizeof *f + f->opt.max_tasks * sizeof *f->v + f->n * sizeof(task) +
               f->targets * sizeof(target);
}
