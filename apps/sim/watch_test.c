/* SPDX-License-Identifier: Apache-2.0 */
/* What a device measures while it rests, on a clock that is moved. */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define BEGAN 1790000000

static const measure_who who = {.i = 3, .battery = 90, .drain_ms = 60000};

static odm_time at(int64_t s)
{
        return (odm_time){1000 + s * 1000};
}

static odm_wall wall(int64_t s)
{
        return (odm_wall){BEGAN + s};
}

static odm_task task_of(uint32_t id, const char *args)
{
        return (odm_task){.id = id, .correlator = ODM_STR("c1"), .args = odm_cstr(args)};
}

typedef struct heard {
        uint64_t id[64];
        char when[64][ODM_WALL_TEXT], source[64][80], data[64][40];
        size_t n;
} heard;

static int hear(void *ctx, const odm_alert *a)
{
        heard *h = ctx;

        assert_true(h->n < 64);
        assert_int_equal(a->code, 1226);
        h->id[h->n] = a->id;
        (void)snprintf(h->when[h->n], sizeof h->when[0], "%.*s", (int)a->source_name.n,
                       a->source_name.p ? a->source_name.p : "");
        (void)snprintf(h->source[h->n], sizeof h->source[0], "%.*s", (int)a->source.n, a->source.p);
        (void)snprintf(h->data[h->n], sizeof h->data[0], "%.*s", (int)a->data.n, a->data.p);
        h->n++;
        return 0;
}

static heard told(watch *w, size_t most)
{
        heard h = {.n = 0};

        assert_int_equal(watch_alerts(w, &who, most, hear, &h), 0);
        return h;
}

/* Samples of a run between its beginning and `until`, and how it is. */
static void runs_have_their_times(void **state)
{
        static const struct {
                const char *why, *args;
                int64_t turn[4]; /* seconds at which somebody looks, up to a zero */
                size_t samples;  /* in memory then */
                bool over, full, due;
        } rows[] = {
                {"one, and no end", "", {100}, 1, false, false, false},
                {"each second", "SampIntrvl=1\n", {1, 2, 3}, 4, false, false, false},
                {"nobody looked for a while", "SampIntrvl=2\n", {9}, 5, false, false, false},
                {"reports now and then", "SampIntrvl=2\nPeriod=4\n", {4}, 3, false, false, true},
                {"until its end",
                 "SampIntrvl=2\nuntil=1790000005\n",
                 {4, 60},
                 3,
                 true,
                 false,
                 false},
                {"its end was before", "until=1780000000\n", {0}, 1, true, false, false},
                {"its memory", "SampIntrvl=1\nDefMemory=1\n", {30}, 8, true, true, false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                watch *w = watch_new();
                odm_task t = task_of(7, rows[i].args);
                bool over = false;
                assert_int_equal(watch_begin(w, &t, MEASURE_MEMORY, at(0), wall(0)), 0);
                for (size_t k = 0; k < 4 && (k == 0 || rows[i].turn[k]); k++)
                        over = watch_turn(w, at(rows[i].turn[k]), wall(rows[i].turn[k]));
                if (w->n != rows[i].samples || over != rows[i].over ||
                    watch_run_of(w, 7)->full != rows[i].full || watch_waits(w) != rows[i].due)
                        fail_msg("%s: %u samples, over %d", rows[i].why, w->n, over);
                watch_free(w);
        }
}

static void samples_are_told_leaf_by_leaf(void **state)
{
        watch *w = watch_new();
        odm_task t = task_of(7, "SampIntrvl=10\n");
        bool whole;
        heard h;

        (void)state;
        assert_int_equal(watch_begin(w, &t, MEASURE_BATTERY, at(0), wall(0)), 0);
        assert_int_equal(watch_due(w), at(10).ms);
        assert_false(watch_turn(w, at(12), wall(12)));
        assert_int_equal(told(w, 48).n, 0); /* none is due */
        watch_end(w, watch_run_of(w, 7));
        assert_true(watch_waits(w) && w->fresh);
        h = told(w, 48);
        assert_int_equal(h.n, 6);
        assert_string_equal(h.source[0], "./DiagMon/Battery/DiagMonData/1/BatteryLevel");
        assert_string_equal(h.when[0], "20260921T141320Z");
        assert_string_equal(h.when[3], "20260921T141330Z"); /* when it was due, not when seen */
        assert_false(w->fresh);
        assert_int_equal(told(w, 2).n, 2);
        for (size_t i = 0; i < 5; i++) {
                watch_taken(w, h.id[i], &whole);
                assert_int_equal(whole, i == 2);
        }
        assert_int_equal(told(w, 48).n, 1); /* the same, with its own number */
        assert_true(told(w, 48).id[0] == h.id[5]);
        assert_false(watch_is_idle(w));
        watch_taken(w, h.id[5], &whole);
        watch_taken(w, h.id[5], &whole); /* once more does nothing */
        assert_false(watch_waits(w));
        assert_true(watch_is_idle(w));
        watch_free(w);
}

static void what_is_not_to_be_reported_is_forgotten(void **state)
{
        watch *w = watch_new();
        odm_task t = task_of(7, "SampIntrvl=1\nPeriod=3\nOnComplete=false\n");

        (void)state;
        assert_int_equal(watch_begin(w, &t, MEASURE_SENSOR, at(0), wall(0)), 0);
        assert_false(watch_turn(w, at(3), wall(3)));
        assert_false(watch_turn(w, at(5), wall(5)));
        watch_end(w, watch_run_of(w, 7));
        assert_int_equal(w->n, 4); /* those that were reported before */
        watch_free(w);
}

static void there_is_a_ceiling(void **state)
{
        watch *w = watch_new();
        odm_task t = task_of(7, "SampIntrvl=1\n");
        size_t octets;

        (void)state;
        octets = w->octets;
        assert_int_equal(watch_begin(w, &t, MEASURE_SENSOR, at(0), wall(0)), 0);
        for (int64_t s = 1; s < 2 * WATCH_SAMPLES; s++)
                assert_false(watch_turn(w, at(s), wall(s)));
        assert_int_equal(w->n, WATCH_SAMPLES);
        assert_int_equal(w->dropped, WATCH_SAMPLES);
        assert_true(w->first->at.s == wall(WATCH_SAMPLES).s);
        watch_end(w, watch_run_of(w, 7));
        for (heard h = told(w, 48); h.n; h = told(w, 48))
                for (size_t i = 0; i < h.n; i++) {
                        bool whole;
                        watch_taken(w, h.id[i], &whole);
                }
        assert_int_equal(w->n, 0);
        assert_int_equal(w->octets, octets);
        watch_free(w);
}

/* It is told until the server has it, and only then is it over; another one takes its place. */
static void a_trap_is_told_once(void **state)
{
        odm_alert a = {.type = ODM_STR("t"), .source = ODM_STR("./Trap/T"), .data = ODM_STR("5")};
        watch *w = watch_new();
        bool whole;

        (void)state;
        assert_int_equal(watch_trap(w, &a), 0);
        assert_true(watch_waits(w) && w->fresh);
        assert_int_equal(told(w, 48).n, 1);
        assert_int_equal(watch_trap(w, &a), 0); /* in vain */
        assert_false(w->fresh);
        a.source_name = ODM_STR("20260921T141320Z"); /* it is long ago now */
        assert_int_equal(watch_trap(w, &a), 0);
        assert_string_equal(told(w, 48).when[0], "20260921T141320Z");
        watch_taken(w, WATCH_TRAP, &whole);
        assert_true(whole);
        assert_false(watch_waits(w));
        assert_int_equal(watch_trap(w, &a), 1);
        assert_int_equal(watch_trap(w, &a), 0); /* a new one, with the same words */
        a.data = ODM_STR("6");
        assert_int_equal(watch_trap(w, &a), 0);
        assert_string_equal(told(w, 48).data[0], "6");
        watch_free(w);
}

static void values_are_of_their_time(void **state)
{
        measure_leaf a[MEASURE_LEAVES], b[MEASURE_LEAVES];

        (void)state;
        for (measure_of what = MEASURE_MEMORY; what < MEASURES; what++) {
                size_t n = measure(what, &who, wall(5), a);
                assert_true(n > 0 && n <= MEASURE_LEAVES);
                assert_int_equal(measure(what, &who, wall(5), b), n);
                for (size_t i = 0; i < n; i++) {
                        assert_string_equal(a[i].text, b[i].text);
                        assert_true(a[i].text[0] != '\0' && a[i].path[0] != '\0');
                }
        }
        for (int64_t s = 0; s < 86400; s += 600) { /* of every hour */
                assert_int_equal(measure(MEASURE_BATTERY, &who, wall(s), a), 3);
                long level = strtol(a[0].text, NULL, 10);
                assert_true(level >= 5 && level <= 90);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(runs_have_their_times),
                cmocka_unit_test(samples_are_told_leaf_by_leaf),
                cmocka_unit_test(what_is_not_to_be_reported_is_forgotten),
                cmocka_unit_test(there_is_a_ceiling),
                cmocka_unit_test(a_trap_is_told_once),
                cmocka_unit_test(values_are_of_their_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
