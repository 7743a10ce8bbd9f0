/* SPDX-License-Identifier: Apache-2.0 */
/* When a schedule is due (mo-scheduling.md 3, 4, 9).
 *
 * A timer is due at its times; all of them up to `seen` were dealt with, so that a clock put back
 * brings none of them again, unless it is put back so far that it must have been wrong.  What was
 * missed while nobody looked becomes one late run, if it is still wanted, and the rest is counted.
 * A timer beside other parts of its condition stays due, within its window, until these hold too.
 * A condition without timer is met at the moment when it comes to hold. */
#include <assert.h>

#include "schedule_inner.h"

#define LONGEST_MS (3600 * INT64_C(1000)) /* a clock that is slewed is looked at all the same */
#define AHEAD_S 86400                     /* a clock put back by more was wrong */

static int64_t max64(int64_t a, int64_t b)
{
        return a > b ? a : b;
}

static int64_t seconds_since(odm_time since, const odm_schedule_now *now)
{
        return (now->mono.ms - since.ms) / 1000;
}

/* ---- what is known ------------------------------------------------------------------------ */

void odm_when_reset(struct item *it, const odm_schedule_now *now)
{
        it->armed = now->mono;
        it->armed_wall = now->set ? now->wall.s : -1;
        it->seen = it->seen_s = -1;
        it->met = 0;
        it->wanted = false;
        it->is_restored = true;
}

void odm_when_doubt(struct item *it, const odm_schedule_now *now)
{
        if (now->set && it->seen > now->wall.s + AHEAD_S) {
                it->seen = now->wall.s;
                it->doubted = true;
        }
        if (now->set && it->armed_wall > now->wall.s + AHEAD_S)
                it->armed_wall = -1;
}

void odm_when_restore(struct item *it, struct pen *p, const odm_schedule_now *now)
{
        bool known;

        it->armed_wall = odm_pen_time(p, "Ext/xrem/Armed");
        it->seen = odm_pen_time(p, "Ext/xrem/Seen");
        it->met = odm_pen_number(p, "Ext/xrem/Met", 0);
        odm_when_doubt(it, now);
        known = now->set && it->armed_wall >= 0 && it->armed_wall <= now->wall.s;
        it->armed.ms = now->mono.ms - (known ? (now->wall.s - it->armed_wall) * 1000 : 0);
        /* with no calendar to tell, counting begins anew, after what ran at activation */
        it->seen_s = !known ? 0 : it->seen < 0 ? -1 : it->seen - it->armed_wall;
        it->wanted = false;
        it->is_restored = p->rc == 0;
}

/* ---- timers ------------------------------------------------------------------------------- */

/* Where the search for times begins; false: there is no telling yet. */
static bool timer_after(const struct item *it, const struct cond *c, const odm_schedule_now *now,
                        odm_moment *base, odm_wall *after)
{
        const struct plan *l = it->plan;
        const odm_zone *z = &it->all->opt.zone;

        if (!now->set || it->armed_wall < 0)
                return false;
        *base = c->from_now ? odm_moment_local((odm_wall){it->armed_wall}, z) : c->base;
        /* what came again and again before activation is nothing to make up for */
        after->s = it->seen >= 0 || c->rule.freq == ODM_FREQ_ONCE ? it->seen : it->armed_wall - 1;
        if (l->has_from)
                after->s = max64(after->s, odm_moment_wall(l->from, z).s - 1);
        return true;
}

static bool timer_latest(const struct item *it, const struct cond *c, const odm_schedule_now *now,
                         odm_wall *due, unsigned *n)
{
        odm_moment base = {.s = 0};
        odm_wall after = {it->seen_s};
        int64_t elapsed = seconds_since(it->armed, now);

        if (c->by_seconds) {
                if (!odm_recur_latest(&c->rule, base, NULL, after, (odm_wall){elapsed}, due, n))
                        return false;
                due->s += now->wall.s - elapsed;
                return true;
        }
        return timer_after(it, c, now, &base, &after) &&
               odm_recur_latest(&c->rule, base, &it->all->opt.zone, after, now->wall, due, n);
}

/* The next time, on the clock that never goes back; ODM_NEVER when there is none. */
static odm_time timer_next(const struct item *it, const struct cond *c, const odm_schedule_now *now)
{
        odm_moment base = {.s = 0};
        odm_wall after = {it->seen_s}, at;

        if (c->by_seconds)
                return odm_recur_next(&c->rule, base, NULL, after, &at)
                               ? odm_time_add(it->armed, at.s * 1000)
                               : ODM_NEVER;
        if (!timer_after(it, c, now, &base, &after))
                return odm_time_add(now->mono, LONGEST_MS);
        if (!odm_recur_next(&c->rule, base, &it->all->opt.zone, after, &at))
                return ODM_NEVER;
        return odm_time_add(now->mono, max64(at.s - now->wall.s, 0) * 1000);
}

static void want(struct item *it, odm_wall due, int64_t window, struct news *n)
{
        if (it->wanted && it->due.s < due.s) { /* one late run, not two */
                n->missed++;
                n->missed_at = it->due;
        }
        it->wanted = true;
        it->due = due;
        it->has_until = window > 0;
        it->until.s = due.s + window;
}

static bool is_late(const struct cond *c, odm_wall due, const odm_schedule_now *now)
{
        return c->window > 0 && now->wall.s > due.s + c->window;
}

static void look_timer(struct item *it, struct cond *c, const odm_schedule_now *now, odm_wall due,
                       unsigned count, struct news *n)
{
        if (c->has_trap || c->has_threshold) {
                c->is_due = true;
                c->due = due;
                return;
        }
        if (is_late(c, due, now))
                count++;
        else
                want(it, due, c->window, n);
        if (count > 1) {
                n->missed += count - 1;
                n->missed_at = due;
        }
}

/* ---- traps and thresholds ------------------------------------------------------------------- */

/* The owner's rights count: what it may not read does not start its runs. */
static int sample(const struct item *it, const struct cond *c, struct pen *p, bool *reached)
{
        const odm_op op = {
                .kind = ODM_CMD_GET, .target = c->ref, .server = it->plan->server, .at_hand = true};
        const int64_t million = 1000000;
        odm_answer out = {0};
        int64_t v;
        int rc = odm_tree_do(it->all->opt.tree, &op, p->now, &p->a, &out);

        *reached = false;
        if (rc == ODM_ENOMEM || rc == ODM_ESTATE)
                return rc;
        if (rc != 0 || !odm_status_ok(out.status) || !out.results ||
            odm_trap_number(odm_str_trim(out.results->value.data), &v) < 0)
                return 0;
        *reached = (c->has_low && v <= c->low * million) || (c->has_high && v >= c->high * million);
        return 0;
}

static int look_threshold(struct item *it, struct cond *c, struct pen *p,
                          const odm_schedule_now *now)
{
        int rc;

        if (!c->has_threshold || (c->has_timer && !c->is_due) ||
            !odm_time_reached(now->mono, c->sample_at))
                return 0;
        rc = sample(it, c, p, &c->reached);
        if (rc == 0)
                c->sample_at = odm_time_add(now->mono, c->every_ms);
        return rc;
}

static void look_timed(struct item *it, struct cond *c, bool holds, const odm_schedule_now *now,
                       struct news *n)
{
        if (!c->is_due)
                return;
        if (is_late(c, c->due, now)) {
                c->is_due = false; /* nothing was missed: it was never met */
        } else if (holds) {
                c->is_due = false;
                want(it, c->due, c->window, n);
        }
}

static void look_edge(struct item *it, struct cond *c, bool holds, const odm_schedule_now *now,
                      struct news *n)
{
        uint32_t bit = 1u << (c - it->plan->cond);
        bool lasts = holds && (!c->has_trap || c->active);

        /* a trap fires once by itself; beside a threshold the two have to meet */
        if (c->has_threshold ? holds && !(it->met & bit) : c->fired)
                want(it, now->wall, 0, n);
        if (lasts != ((it->met & bit) != 0)) {
                it->met ^= bit;
                n->met_changed = true;
        }
}

static int look_parts(struct item *it, struct cond *c, struct pen *p, const odm_schedule_now *now,
                      struct news *n)
{
        int rc = look_threshold(it, c, p, now);
        bool holds = (!c->has_trap || c->active || c->fired) && (!c->has_threshold || c->reached);

        if (rc < 0)
                return rc;
        if (c->has_timer)
                look_timed(it, c, holds, now, n);
        else
                look_edge(it, c, holds, now, n);
        c->fired = false;
        return 0;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Seconds until it is valid; 0 when it is. */
static int64_t seconds_before(const struct item *it, const odm_schedule_now *now)
{
        const struct plan *l = it->plan;
        int64_t left = 0;

        if (l->has_from)
                left = odm_moment_wall(l->from, &it->all->opt.zone).s - now->wall.s;
        return max64(left, 0);
}

/* Only a clock that is right can tell. */
static bool is_unclear(const struct item *it, const odm_schedule_now *now)
{
        return (it->plan->has_from || it->plan->has_to) && !now->set;
}

/* What happens before its validity is nothing to it. */
static void pass_over(struct item *it, const odm_schedule_now *now)
{
        it->seen_s = max64(it->seen_s, seconds_since(it->armed, now));
        for (size_t i = 0; i < it->plan->n_cond; i++)
                it->plan->cond[i].fired = false;
}

int odm_when_look(struct item *it, struct pen *p, const odm_schedule_now *now, struct news *n)
{
        struct plan *l = it->plan;
        int64_t seen = it->seen, seen_s = it->seen_s;
        int rc = 0;

        *n = (struct news){.missed = 0};
        if (is_unclear(it, now))
                return 0;
        if (seconds_before(it, now) > 0) {
                pass_over(it, now);
                return 0;
        }
        for (size_t i = 0; i < l->n_cond && rc == 0; i++) {
                struct cond *c = &l->cond[i];
                odm_wall due;
                unsigned count;
                if (c->has_timer && timer_latest(it, c, now, &due, &count)) {
                        look_timer(it, c, now, due, count, n);
                        if (now->set)
                                seen = max64(seen, due.s);
                        seen_s = max64(seen_s, due.s - now->wall.s + seconds_since(it->armed, now));
                }
                if (c->has_trap || c->has_threshold)
                        rc = look_parts(it, c, p, now, n);
        }
        it->seen = seen;
        it->seen_s = seen_s;
        if (it->wanted && it->has_until && now->wall.s > it->until.s) {
                it->wanted = false;
                n->missed++;
                n->missed_at = it->due;
        }
        return rc;
}

bool odm_when_more(const struct item *it, const odm_schedule_now *now)
{
        const struct plan *l = it->plan;

        assert(l);
        for (size_t i = 0; i < l->n_cond; i++) {
                const struct cond *c = &l->cond[i];
                if (!c->has_timer || c->is_due || timer_next(it, c, now).ms != ODM_NEVER.ms)
                        return true;
        }
        return it->wanted;
}

static void sooner(odm_time *t, odm_time other)
{
        if (other.ms < t->ms)
                *t = other;
}

odm_time odm_when_next(const struct item *it, const odm_schedule_now *now)
{
        const struct plan *l = it->plan;
        odm_time first = odm_time_add(now->mono, LONGEST_MS);
        int64_t before = seconds_before(it, now);

        if (is_unclear(it, now))
                return first;
        if (before > 0) {
                sooner(&first, odm_time_add(now->mono, before * 1000));
                return first;
        }
        for (size_t i = 0; i < l->n_cond; i++) {
                const struct cond *c = &l->cond[i];
                if (c->has_timer)
                        sooner(&first, timer_next(it, c, now));
                if (c->has_threshold && (!c->has_timer || c->is_due))
                        sooner(&first, c->sample_at);
        }
        if (l->has_to && now->set) {
                int64_t left = odm_moment_wall(l->to, &it->all->opt.zone).s - now->wall.s;
                sooner(&first, odm_time_add(now->mono, max64(left, 0) * 1000));
        }
        if (it->wanted && it->has_until)
                sooner(&first,
                       odm_time_add(now->mono, max64(it->until.s + 1 - now->wall.s, 0) * 1000));
        return first;
}
