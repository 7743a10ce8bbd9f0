/* SPDX-License-Identifier: Apache-2.0 */
#include "series.h"

#define MINUTE ((int64_t)60000)
/* Devices tell whole seconds, and are a little late now and then. */
#define SLACK 1000

const int64_t series_span[SERIES_LEVELS] = {
        [SERIES_5M] = 5 * MINUTE, [SERIES_HOUR] = 60 * MINUTE, [SERIES_DAY] = 24 * 60 * MINUTE};

int64_t series_start(int64_t at, int64_t span)
{
        int64_t rest = at % span;

        return at - (rest < 0 ? rest + span : rest);
}

series_bucket series_one(int64_t start, int64_t at, double value, int64_t every)
{
        return (series_bucket){.start = start,
                               .n = 1,
                               .first = at,
                               .last = at,
                               .min = value,
                               .max = value,
                               .sum = value,
                               .value = value,
                               .every = every};
}

void series_merge(series_bucket *into, const series_bucket *b)
{
        if (b->n == 0)
                return;
        if (into->n == 0) {
                *into = *b;
                return;
        }
        into->n += b->n;
        into->sum += b->sum;
        if (b->min < into->min)
                into->min = b->min;
        if (b->max > into->max)
                into->max = b->max;
        if (b->first < into->first)
                into->first = b->first;
        if (b->last > into->last) {
                into->last = b->last;
                into->value = b->value;
                into->every = b->every;
        }
}

/* ---- rhythm --------------------------------------------------------------------------- */

static bool near(int64_t a, int64_t b)
{
        int64_t d = a > b ? a - b : b - a;

        return d <= b / 4 || d <= SLACK;
}

void series_learn(series_rhythm *r, int64_t distance)
{
        if (distance <= 0)
                return;
        if (r->every == 0) {
                r->every = distance;
        } else if (near(distance, r->every)) {
                r->odd_n = 0;
        } else if (r->odd_n > 0 && near(distance, r->odd)) {
                if (++r->odd_n >= SERIES_ODD)
                        *r = (series_rhythm){.every = distance};
        } else {
                r->odd = distance;
                r->odd_n = 1;
        }
}

bool series_gap(int64_t from, int64_t to, int64_t every)
{
        return every > 0 && to - from > every + every / 2 + SLACK;
}

/* ---- limits --------------------------------------------------------------------------- */

const char *series_side_name(series_side s)
{
        static const char *const names[] = {"normal", "low", "high"};

        return names[s];
}

series_side series_judge(const series_limits *l, series_side now, double value)
{
        if (l->has_low && value <= l->low)
                return SERIES_LOW;
        if (l->has_high && value >= l->high)
                return SERIES_HIGH;
        if (now == SERIES_LOW && l->has_low && value < l->low + l->hysteresis)
                return SERIES_LOW;
        if (now == SERIES_HIGH && l->has_high && value > l->high - l->hysteresis)
                return SERIES_HIGH;
        return SERIES_NORMAL;
}

/* ---- showing -------------------------------------------------------------------------- */

void series_plot_begin(series_plot *p, const series_bucket *before)
{
        p->last = -1;
        p->cur = (series_bucket){.n = 0};
        if (before) {
                p->last = before->last;
                p->every = before->every;
        }
}

/* The gap between the last sample and one at `next`, as far as it is shown. */
static int tell_gap(series_plot *p, int64_t next, int64_t every)
{
        series_entry e = {.gap = true, .until = next < p->to ? next : p->to};

        if (p->last < 0 || !series_gap(p->last, next, p->every ? p->every : every))
                return 0;
        e.b.start = p->last + (p->every ? p->every : every);
        if (e.b.start < p->from)
                e.b.start = p->from;
        return e.b.start < e.until ? p->tell(p->ctx, &e) : 0;
}

static int tell_bucket(series_plot *p)
{
        series_entry e = {.b = p->cur};
        int rc = 0;

        if (p->cur.n == 0)
                return 0;
        rc = tell_gap(p, p->cur.first, p->cur.every);
        if (rc == 0)
                rc = p->tell(p->ctx, &e);
        p->last = p->cur.last;
        p->every = p->cur.every;
        p->cur.n = 0;
        return rc;
}

int series_plot_feed(series_plot *p, const series_bucket *b)
{
        series_bucket one = *b;
        int rc = 0;

        if (p->step)
                one.start = series_start(b->start, p->step);
        if (p->cur.n && (!p->step || p->cur.start != one.start))
                rc = tell_bucket(p);
        if (rc == 0)
                series_merge(&p->cur, &one);
        return rc;
}

int series_plot_end(series_plot *p, const series_bucket *after)
{
        int rc = tell_bucket(p);

        if (rc == 0)
                rc = tell_gap(p, after ? after->first : p->to, after ? after->every : 0);
        return rc;
}
