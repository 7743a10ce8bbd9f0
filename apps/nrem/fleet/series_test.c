/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets, rhythm and gaps as tables, and against values computed another way. */
#include "series.h"

#include "support.h"

static void buckets_begin_on_their_edges(void **state)
{
        static const struct {
                int64_t at, span, want;
        } rows[] = {
                {0, 300000, 0},
                {299999, 300000, 0},
                {300000, 300000, 300000},
                {-1, 300000, -300000},
                {-300000, 300000, -300000},
                {1795365305000, 86400000, 1795305600000},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                assert_true(series_start(rows[i].at, rows[i].span) == rows[i].want);
}

/* Random samples, shuffled and merged in any grouping, are what a plain loop finds. */
static void merging_is_the_same_in_any_order(void **state)
{
        seeded rng;

        (void)state;
        (void)seeded_rng(&rng, 5);
        for (unsigned round = 0; round < 200; round++) {
                series_bucket parts[8] = {{0}}, all = {0};
                unsigned n = 1 + (unsigned)(seeded_next(&rng) % 60);
                double min = 1e9, max = -1e9, sum = 0, last = 0;
                int64_t first_at = INT64_MAX, last_at = -1;

                for (unsigned i = 0; i < n; i++) {
                        int64_t at = (int64_t)(seeded_next(&rng) % 1000) * 100 + i; /* no two */
                        double v = (double)(int64_t)(seeded_next(&rng) % 2001) - 1000;
                        series_bucket one = series_one(0, at, v, 7);

                        series_merge(&parts[seeded_next(&rng) % 8], &one);
                        min = v < min ? v : min;
                        max = v > max ? v : max;
                        sum += v;
                        if (at > last_at)
                                last = v;
                        last_at = at > last_at ? at : last_at;
                        first_at = at < first_at ? at : first_at;
                }
                for (unsigned i = 8; i-- > 0;)
                        series_merge(&all, &parts[i]);
                assert_int_equal(all.n, n);
                assert_true(all.min == min && all.max == max && all.sum == sum);
                assert_true(all.value == last && all.last == last_at && all.first == first_at);
        }
}

typedef struct learn_row {
        int64_t distances[12]; /* up to a 0 */
        int64_t want;
        const char *why;
} learn_row;

static const learn_row learns[] = {
        {{0}, 0, "one sample tells nothing"},
        {{60000}, 60000, "two do"},
        {{60000, 61000, 59000, 60000}, 60000, "a little early or late"},
        {{60000, 600000, 60000}, 60000, "a gap changes nothing"},
        {{60000, 600000, 600000, 60000}, 60000, "nor do two"},
        {{60000, 600000, 600000, 600000}, 600000, "three in a row are the rhythm now"},
        {{600000, 60000, 60000, 60000}, 60000, "the first distance may have been a gap"},
        {{60000, 600000, 60000, 600000, 60000, 600000}, 60000, "not in a row"},
        {{1000, 2000, 1000, 2000, 1000}, 1000, "whole seconds only"},
        {{60000, -5}, 60000, "no distance at all"},
};

static void the_rhythm_is_learnt(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(learns); i++) {
                series_rhythm r = {0};

                for (size_t k = 0; k < 12 && learns[i].distances[k]; k++)
                        series_learn(&r, learns[i].distances[k]);
                if (r.every != learns[i].want)
                        fail_msg("%s: %lld", learns[i].why, (long long)r.every);
        }
}

static void limits_have_hysteresis(void **state)
{
        static const struct {
                series_limits l;
                series_side was;
                double value;
                series_side want;
                const char *why;
        } rows[] = {
                {{false, true, 0, 80, 5}, SERIES_NORMAL, 79.9, SERIES_NORMAL, "below"},
                {{false, true, 0, 80, 5}, SERIES_NORMAL, 80, SERIES_HIGH, "at it"},
                {{false, true, 0, 80, 5}, SERIES_HIGH, 76, SERIES_HIGH, "not far enough back"},
                {{false, true, 0, 80, 5}, SERIES_HIGH, 75, SERIES_NORMAL, "far enough"},
                {{false, true, 0, 80, 0}, SERIES_HIGH, 79.9, SERIES_NORMAL, "no hysteresis"},
                {{true, false, 10, 0, 2}, SERIES_NORMAL, 10, SERIES_LOW, "at the low one"},
                {{true, false, 10, 0, 2}, SERIES_LOW, 11.9, SERIES_LOW, "still"},
                {{true, false, 10, 0, 2}, SERIES_LOW, 12, SERIES_NORMAL, "no more"},
                {{true, true, 10, 80, 2}, SERIES_LOW, 90, SERIES_HIGH, "from one to the other"},
                {{true, true, 10, 80, 2}, SERIES_HIGH, 5, SERIES_LOW, "and back"},
                {{false, false, 0, 0, 0}, SERIES_HIGH, 5, SERIES_NORMAL, "no limit at all"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                if (series_judge(&rows[i].l, rows[i].was, rows[i].value) != rows[i].want)
                        fail_msg("%s", rows[i].why);
        assert_string_equal(series_side_name(SERIES_HIGH), "high");
}

/* ---- what is shown: "n" a bucket of one sample at second n, "a-b" a gap ------------------- */

typedef struct plot_row {
        int64_t step_s, from_s, to_s;
        int64_t before_s, after_s; /* samples outside; -1: none */
        int64_t every_s;
        int64_t at[12]; /* seconds, up to a -1 */
        const char *want, *why;
} plot_row;

static const plot_row plots[] = {
        {0, 0, 100, -1, -1, 10, {0, 10, 20, -1}, "0 10 20 30-100", "the end is a gap"},
        {0, 0, 30, -1, -1, 10, {0, 10, 20, -1}, "0 10 20", "one that is not late yet"},
        {0, 0, 60, -1, -1, 10, {0, 10, 40, 50, -1}, "0 10 20-40 40 50", "a gap between"},
        {0, 0, 60, -1, -1, 10, {30, 40, 50, -1}, "30 40 50", "before the first there is none"},
        {0, 20, 60, 10, -1, 10, {40, 50, -1}, "20-40 40 50", "but there was one before"},
        {0, 30, 60, 0, -1, 10, {40, 50, -1}, "30-40 40 50", "a gap is cut to what is asked for"},
        {0, 0, 30, -1, 60, 10, {0, 10, 20, -1}, "0 10 20", "a gap that begins at the end"},
        {0, 0, 40, -1, 60, 10, {0, 10, 20, -1}, "0 10 20 30-40", "one that goes on behind it"},
        {0, 0, 40, -1, 44, 10, {0, 10, 20, 34, -1}, "0 10 20 34", "a little late is no gap"},
        {0, 0, 100, -1, -1, 0, {0, 10, 90, -1}, "0 10 90", "without a rhythm there is none"},
        {0, 0, 100, 0, -1, 10, {-1}, "10-100", "nothing but a gap"},
        {0, 0, 100, -1, -1, 10, {-1}, "", "nothing at all"},
        {20, 0, 60, -1, -1, 10, {0, 10, 20, 30, 40, 50, -1}, "0*2 20*2 40*2", "merged by step"},
        {20, 0, 100, -1, -1, 10, {0, 10, 70, 80, 90, -1}, "0*2 20-70 60 80*2", "gap in buckets"},
        {20, 0, 80, -1, -1, 20, {19, 41, 60, -1}, "0 40 60", "an empty bucket is not yet a gap"},
};

typedef struct shown {
        char text[400];
        size_t n;
} shown;

static int show(void *ctx, const series_entry *e)
{
        shown *s = ctx;
        const char *blank = s->n ? " " : "";
        long long start = e->b.start / 1000, until = e->until / 1000, n = e->b.n;

        if (e->gap)
                s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%s%lld-%lld",
                                         blank, start, until);
        else if (n == 1)
                s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%s%lld", blank,
                                         start);
        else
                s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%s%lld*%lld",
                                         blank, start, n);
        return 0;
}

static void gaps_are_shown_and_not_filled(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(plots); i++) {
                const plot_row *r = &plots[i];
                shown s = {{0}, 0};
                series_plot p = {.step = r->step_s * 1000,
                                 .from = r->from_s * 1000,
                                 .to = r->to_s * 1000,
                                 .tell = show,
                                 .ctx = &s};
                series_bucket before = series_one(0, r->before_s * 1000, 1, r->every_s * 1000);
                series_bucket after = series_one(0, r->after_s * 1000, 1, r->every_s * 1000);

                series_plot_begin(&p, r->before_s >= 0 ? &before : NULL);
                for (size_t k = 0; r->at[k] >= 0; k++) {
                        int64_t at = r->at[k] * 1000;
                        series_bucket b = series_one(at, at, 1, r->every_s * 1000);

                        assert_int_equal(series_plot_feed(&p, &b), 0);
                }
                assert_int_equal(series_plot_end(&p, r->after_s >= 0 ? &after : NULL), 0);
                if (strcmp(s.text, r->want) != 0)
                        fail_msg("%s: \"%s\" instead of \"%s\"", r->why, s.text, r->want);
        }
}

static int stop_at_once(void *ctx, const series_entry *e)
{
        (void)ctx;
        (void)e;
        return 7;
}

static void who_has_enough_is_not_told_more(void **state)
{
        series_plot p = {.to = 1000000, .tell = stop_at_once};
        series_bucket a = series_one(0, 0, 1, 1000), b = series_one(5000, 5000, 1, 1000);

        (void)state;
        series_plot_begin(&p, NULL);
        assert_int_equal(series_plot_feed(&p, &a), 0);
        assert_int_equal(series_plot_feed(&p, &b), 7);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(buckets_begin_on_their_edges),
                cmocka_unit_test(merging_is_the_same_in_any_order),
                cmocka_unit_test(the_rhythm_is_learnt),
                cmocka_unit_test(limits_have_hysteresis),
                cmocka_unit_test(gaps_are_shown_and_not_filled),
                cmocka_unit_test(who_has_enough_is_not_told_more),
        };

        return RUN_TESTS(tests);
}
