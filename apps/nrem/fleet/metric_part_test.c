/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of the log against series and roll-ups computed another way; what is refused; what goes
 * when it is old; thresholds; collections.  The clock is the test's. */
#include <math.h>
#include <stdlib.h>

#include "gateway_row.h"
#include "metric.h"
#include "stage.h"

#define NOW 1795365305000ll /* 2026-11-22T16:35:05Z */
#define MINUTE 60000ll
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static const store_table *const child_tables[] = {&table_gateway_child, NULL};
static const fleet_part part_children = {.name = "children", .tables = child_tables};
static const fleet_part *const parts[] = {&part_metric, &part_children, NULL};

static void begin(stage *s)
{
        stage_begin(s, parts, NULL, NOW);
        stage_open(s);
}

static int64_t add_device(stage *s, const char *name, store_device_state state)
{
        const store_device d = {.name = odm_cstr(name), .state = state};

        return stage_device(s, &d);
}

static void run(stage *s)
{
        (void)stage_run(s, 50);
}

static metric_part *part(stage *s)
{
        return fleet_self(s->f, &part_metric);
}

/* "a=1 b=text" at a time; 0: none. */
static void tell(stage *s, int64_t device, int64_t at, const char *values)
{
        sample_set set = {0};
        bool refused;

        for (size_t n; *values; values += n + (values[n] == ' ')) {
                size_t eq = strcspn(values, "=");

                n = strcspn(values, " ");
                assert_true(eq < n);
                assert_int_equal(
                        sample_add(&set, at, (odm_str){values, eq},
                                   sample_value(ODM_STR("chr"),
                                                (odm_str){values + eq + 1, n - eq - 1}, &refused)),
                        0);
        }
        stage_say(s, device, SAMPLE_EVENT, sample_take(&set, "rest", ODM_ABSENT, &s->a).p);
}

static int64_t metric_id(stage *s, const char *name)
{
        const metric_name key = {.name = odm_cstr(name)};
        metric_name row = {0};
        int rc = store_row_by(s->st, &table_metric_name, METRIC_NAME_BY_NAME, &key, &s->a, &row);

        return rc == 0 ? row.id : 0;
}

static bool series_of(stage *s, int64_t device, const char *name, metric_series *out)
{
        const metric_series key = {.device = device, .metric = metric_id(s, name)};

        return store_row_get(s->st, &table_metric_series, &key, &s->a, out) == 0;
}

static size_t raw_of(stage *s, int64_t device, const char *name, const metric_sample **out)
{
        const metric_sample key = {.device = device, .metric = metric_id(s, name)};
        const store_scan scan = {
                .table = &table_metric_sample, .same = 2, .at = &key, .limit = 10000};
        store_rows rows = {0};

        assert_int_equal(store_row_find(s->st, &scan, &s->a, &rows), 0);
        *out = rows.v;
        return rows.n;
}

/* ---- against a plain loop ------------------------------------------------------------------ */

#define SAMPLES 600

typedef struct known {
        int64_t at;
        double value;
} known;

/* Whether the bucket is what a loop over all samples finds; counts its samples. */
static void bucket_is_right(const series_bucket *b, int64_t span, const known *v, size_t n,
                            size_t *counted)
{
        series_bucket want = {0};

        for (size_t i = 0; i < n; i++) {
                if (v[i].at < b->start || v[i].at >= b->start + span)
                        continue;
                if (!want.n || v[i].value < want.min)
                        want.min = v[i].value;
                if (!want.n || v[i].value > want.max)
                        want.max = v[i].value;
                if (!want.n || v[i].at > want.last) {
                        want.last = v[i].at;
                        want.value = v[i].value;
                }
                want.n++;
                want.sum += v[i].value;
        }
        *counted += (size_t)want.n;
        if (b->n != want.n || b->min != want.min || b->max != want.max || b->sum != want.sum ||
            b->value != want.value || b->last != want.last)
                fail_msg("bucket of %lld at %lld: %lld samples instead of %lld", (long long)span,
                         (long long)b->start, (long long)b->n, (long long)want.n);
}

static void roll_ups_are_right(stage *s, int64_t device, const char *name, const known *v, size_t n)
{
        metric_series row;

        assert_true(series_of(s, device, name, &row));
        assert_int_equal(row.samples, n);
        for (uint32_t level = 0; level < SERIES_LEVELS; level++) {
                const metric_rollup key = {.device = device, .metric = row.metric, .level = level};
                const store_scan scan = {
                        .table = &table_metric_rollup, .same = 3, .at = &key, .limit = 10000};
                store_rows rows = {0};
                size_t counted = 0;

                assert_int_equal(store_row_find(s->st, &scan, &s->a, &rows), 0);
                for (size_t i = 0; i < rows.n; i++)
                        bucket_is_right(&((const metric_rollup *)rows.v + i)->b, series_span[level],
                                        v, n, &counted);
                bucket_is_right(&row.open[level], series_span[level], v, n, &counted);
                assert_int_equal(counted, n);
        }
}

/* Mostly in order; some late by up to two days, some on the edge of a bucket, some at a clock that
 * had jumped. */
static int64_t next_time(seeded *rng, int64_t *at)
{
        switch (seeded_next(rng) % 12) {
        case 0: return *at - (int64_t)(seeded_next(rng) % (2 * DAY));
        case 1: return series_start(*at, 5 * MINUTE) + (seeded_next(rng) % 2 ? 0 : -1);
        case 2: return series_start(*at, DAY);
        case 3: return NOW - 1 - (int64_t)(seeded_next(rng) % 1000); /* far ahead of the others */
        default: *at += 1000 + (int64_t)(seeded_next(rng) % (8 * MINUTE)); return *at;
        }
}

static bool is_new(const known *v, size_t n, int64_t at)
{
        for (size_t i = 0; i < n; i++)
                if (v[i].at == at)
                        return false;
        return true;
}

static void random_samples_give_right_roll_ups(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 6; seed++) {
                stage s;
                seeded rng;
                known v[SAMPLES];
                size_t n = 0;
                int64_t at = NOW - 4 * DAY, device;

                begin(&s);
                (void)seeded_rng(&rng, seed);
                device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
                for (unsigned i = 0; i < SAMPLES; i++) {
                        char text[64];
                        double value = (double)(int64_t)(seeded_next(&rng) % 20001) / 4 - 2500;
                        int64_t t = next_time(&rng, &at);

                        if (t < NOW - 6 * DAY || t > NOW)
                                continue;
                        (void)snprintf(text, sizeof text, "m=%.17g", value);
                        tell(&s, device, t, text);
                        if (seeded_next(&rng) % 8 == 0) { /* again, maybe with another value */
                                tell(&s, device, t, seeded_next(&rng) % 2 ? text : "m=77");
                        }
                        if (is_new(v, n, t))
                                v[n++] = (known){t, value};
                        if (seeded_next(&rng) % 20 == 0)
                                run(&s);
                        if (seeded_next(&rng) % 50 == 0)
                                stage_open(&s);
                }
                run(&s);
                roll_ups_are_right(&s, device, "m", v, n);
                stage_end(&s);
        }
}

static void one_event_may_hold_many_of_all_times(void **state)
{
        stage s;
        seeded rng;
        known v[SAMPLE_VALUES];
        sample_set set = {0};
        int64_t device;
        size_t n = 0;

        (void)state;
        begin(&s);
        (void)seeded_rng(&rng, 9);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        tell(&s, device, NOW - 1, "m=1"); /* all else is late */
        v[n++] = (known){NOW - 1, 1};
        while (set.n < SAMPLE_VALUES - 1) {
                int64_t t = NOW - (int64_t)(seeded_next(&rng) % (3 * HOUR)) / 1000 * 1000 - 5000;
                double value = (double)(seeded_next(&rng) % 100);

                assert_int_equal(sample_add(&set, t, ODM_STR("m"), json_real(value)), 0);
                if (is_new(v, n, t))
                        v[n++] = (known){t, value};
        }
        stage_say(&s, device, SAMPLE_EVENT, sample_take(&set, "rest", ODM_ABSENT, &s.a).p);
        run(&s);
        roll_ups_are_right(&s, device, "m", v, n);
        stage_end(&s);
}

/* Series of an event are read together, where there are enough; those between are not its. */
static void many_metrics_in_one_event(void **state)
{
        stage s;
        int64_t device;

        (void)state;
        begin(&s);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        for (unsigned k = 0; k < 100; k++) {
                char text[20];
                (void)snprintf(text, sizeof text, "m%u=1", k);
                tell(&s, device, NOW - 90000, text);
        }
        run(&s);
        for (unsigned i = 0; i < 3; i++) /* near, far apart, and new ones */
                tell(&s, device, NOW - 60000 + i * 1000,
                     i == 0   ? "m3=2 m4=3 m5=4 m7=5"
                     : i == 1 ? "m1=2 m30=3 m60=4 m99=5"
                              : "a=2 m98=3 m97=4 b=5 m0=6");
        run(&s);
        static const struct {
                const char *name;
                int samples;
                double value;
        } rows[] = {{"m3", 2, 2},  {"m7", 2, 5},  {"m6", 1, 1}, {"m1", 2, 2}, {"m60", 2, 4},
                    {"m99", 2, 5}, {"m98", 2, 3}, {"m0", 2, 6}, {"a", 1, 2},  {"b", 1, 5}};
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                metric_series row;

                assert_true(series_of(&s, device, rows[i].name, &row));
                if (row.samples != rows[i].samples || row.value != rows[i].value)
                        fail_msg("%s: %lld samples", rows[i].name, (long long)row.samples);
        }
        stage_end(&s);
}

static void a_failing_store_counts_nothing_twice(void **state)
{
        (void)state;
        for (unsigned at = 1; at < 30; at++) {
                stage s;
                known v[12];
                int64_t device[3], next;
                int rc;

                begin(&s);
                for (unsigned i = 0; i < 3; i++)
                        device[i] = add_device(&s,
                                               i == 0   ? "a"
                                               : i == 1 ? "b"
                                                        : "c",
                                               STORE_DEVICE_ACTIVE);
                for (unsigned i = 0; i < 12; i++) {
                        v[i] = (known){NOW - HOUR + i * 4 * MINUTE, i};
                        for (unsigned k = 0; k < 3; k++) {
                                char text[20];
                                (void)snprintf(text, sizeof text, "m=%u", i);
                                tell(&s, device[k], v[i].at, text);
                        }
                }
                store_fault_set(
                        &s.fault,
                        (store_fault){.fail_commit = store_fault_get(&s.fault).commits + at});
                do
                        rc = fleet_run(s.f, 50, &next);
                while (rc == ODM_EIO);
                assert_int_equal(rc, 0);
                for (unsigned k = 0; k < 3; k++)
                        roll_ups_are_right(&s, device[k], "m", v, 12);
                stage_end(&s);
        }
}

/* ---- what is taken, and what not ------------------------------------------------------------ */

static void what_is_no_measurement_is_told_apart(void **state)
{
        stage s;
        metric_series row;
        const metric_sample *raw;
        int64_t device;

        (void)state;
        begin(&s);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        tell(&s, device, NOW - 9000, "state=up n=1 appexeinfo.17.Pid=17");
        tell(&s, device, NOW - 5000, "state=down n=2");
        tell(&s, device, NOW - 7000, "state=late n=3");
        tell(&s, device, NOW + 2 * HOUR, "n=4");
        tell(&s, device, NOW - 8 * DAY, "n=5");
        run(&s);
        assert_true(series_of(&s, device, "state", &row));
        assert_str(row.text, "down");
        assert_int_equal(row.samples, 0);
        assert_true(series_of(&s, device, "n", &row));
        assert_int_equal(row.samples, 3);
        assert_true(row.value == 2 && row.last == NOW - 5000);
        assert_int_equal(raw_of(&s, device, "n", &raw), 3);
        assert_int_equal(metric_id(&s, "appexeinfo.17.Pid"), 0);
        assert_int_equal(part(&s)->refused, 3);
        assert_int_equal(part(&s)->late, 1);
        stage_end(&s);
}

static void ceilings_hold(void **state)
{
        stage s;
        metric_series row;
        int64_t a, b;

        (void)state;
        begin(&s);
        part(&s)->series_max = 2;
        part(&s)->names_max = 3;
        a = add_device(&s, "a", STORE_DEVICE_ACTIVE);
        b = add_device(&s, "b", STORE_DEVICE_ACTIVE);
        tell(&s, a, NOW - 3000, "m1=1 m2=2 m3=3 m4=4");
        tell(&s, a, NOW - 2000, "m3=3");
        tell(&s, b, NOW - 2000, "m3=3 m4=4");
        run(&s);
        assert_true(series_of(&s, a, "m2", &row));
        assert_false(series_of(&s, a, "m3", &row));
        assert_true(series_of(&s, b, "m3", &row));
        assert_int_equal(metric_id(&s, "m4"), 0);
        stage_end(&s);
}

static void a_device_that_is_gone_leaves_nothing(void **state)
{
        stage s;
        metric_series row;
        int64_t device;
        store_batch *b = store_batch_new();

        (void)state;
        begin(&s);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        tell(&s, device, NOW - 2000, "m=1");
        run(&s);
        assert_true(series_of(&s, device, "m", &row));
        store_batch_add(b, STORE_DEVICE_DELETE)->of = device;
        assert_int_equal(store_write_sync(s.st, b), 0);
        store_batch_free(b);
        tell(&s, device, NOW - 1000, "m=1"); /* it was on its way */
        run(&s);
        assert_false(series_of(&s, device, "m", &row));
        stage_end(&s);
}

static void names_keep_their_number_over_a_restart(void **state)
{
        stage s;
        int64_t device, m;

        (void)state;
        begin(&s);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        tell(&s, device, NOW - 9000, "k=1 m=1");
        run(&s);
        m = metric_id(&s, "m");
        stage_open(&s);
        tell(&s, device, NOW - 8000, "n=1 m=2");
        run(&s);
        assert_int_equal(metric_id(&s, "m"), m);
        assert_true(metric_id(&s, "n") > m);
        assert_int_equal(part(&s)->fresh, 0);
        stage_end(&s);
}

/* ---- what is old ------------------------------------------------------------------------------ */

static size_t buckets_of(stage *s, int64_t device, const char *name, uint32_t level)
{
        const metric_rollup key = {.device = device, .metric = metric_id(s, name), .level = level};
        const store_scan scan = {.table = &table_metric_rollup, .same = 3, .at = &key};
        uint64_t n = 0;

        assert_int_equal(store_row_count(s->st, &scan, 10000, &n), 0);
        return (size_t)n;
}

static void old_rows_go_by_their_kind(void **state)
{
        stage s;
        const metric_sample *raw;
        metric_series row;
        int64_t device;

        (void)state;
        begin(&s);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        for (int64_t t = NOW - 5 * HOUR; t < NOW; t += 5 * MINUTE)
                tell(&s, device, t, "m=1");
        run(&s);
        assert_int_equal(raw_of(&s, device, "m", &raw), 60);
        part(&s)->keep_raw = HOUR;
        part(&s)->keep[SERIES_5M] = 2 * HOUR;
        part(&s)->keep[SERIES_HOUR] = 3 * HOUR;
        part(&s)->keep[SERIES_DAY] = 4 * HOUR;
        stage_ms += HOUR; /* the next look is due */
        run(&s);
        assert_int_equal(raw_of(&s, device, "m", &raw), 0);
        assert_int_equal(buckets_of(&s, device, "m", SERIES_5M), 10);
        assert_int_equal(buckets_of(&s, device, "m", SERIES_HOUR), 1);
        assert_true(series_of(&s, device, "m", &row));
        stage_ms += 4 * HOUR;
        run(&s);
        assert_false(series_of(&s, device, "m", &row));
        stage_end(&s);
}

static void pages_of_old_rows_follow_each_other(void **state)
{
        stage s;
        const metric_sample *raw;
        metric_series row;
        int64_t device[3], next;
        unsigned left = 0;

        (void)state;
        begin(&s);
        for (unsigned i = 0; i < 3; i++) {
                char name[8];
                (void)snprintf(name, sizeof name, "d%u", i);
                device[i] = add_device(&s, name, STORE_DEVICE_ACTIVE);
                for (unsigned k = 0; k < 150; k++) {
                        char text[20];
                        (void)snprintf(text, sizeof text, "m%u=1", k);
                        tell(&s, device[i], NOW - 1000, text);
                }
        }
        run(&s);
        part(&s)->keep_raw = HOUR;
        part(&s)->swept = (metric_series){0};
        part(&s)->sweep_at = stage_ms + 30 * DAY; /* then the clock was put right */
        stage_ms += 2 * HOUR;
        assert_int_equal(fleet_run(s.f, 50, &next), 0);
        for (unsigned i = 0; i < 3; i++)
                left += raw_of(&s, device[i], "m149", &raw) > 0;
        assert_int_equal(left, 2); /* a page of 200 series at a time */
        assert_true(next <= stage_ms + 1000);
        for (unsigned i = 0; i < 4; i++) {
                stage_ms = next;
                assert_int_equal(fleet_run(s.f, 50, &next), 0);
        }
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(raw_of(&s, device[i], "m149", &raw), 0);
        assert_true(series_of(&s, device[2], "m0", &row));
        stage_end(&s);
}

/* ---- thresholds -------------------------------------------------------------------------------- */

static size_t events_of(stage *s, const char *kind, char *out, size_t room)
{
        store_event_list l = {0};
        size_t n = 0, at = 0;

        assert_int_equal(store_event_find(s->st, 0, 0, 1000, &s->a, &l), 0);
        out[0] = 0;
        for (size_t i = 0; i < l.n; i++) {
                json_t *o;
                const char *side;

                if (!odm_str_is(l.v[i].kind, kind))
                        continue;
                n++;
                o = json_loadb(l.v[i].data.p, l.v[i].data.n, 0, NULL);
                side = json_string_value(json_object_get(o, "side"));
                at += (size_t)snprintf(out + at, room - at, "%s%s", at ? " " : "",
                                       side ? side : "?");
                json_decref(o);
        }
        return n;
}

static void add_limit(stage *s, const char *select, double low, double high, double hysteresis)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ROW_ADD);
        const metric_limit row = {.metric = ODM_STR("m"),
                                  .selector = odm_cstr(select),
                                  .has_low = true,
                                  .has_high = true,
                                  .low = low,
                                  .high = high,
                                  .hysteresis = hysteresis};

        op->row = (store_row_op){.table = &table_metric_limit, .row = &row};
        stage_event(b, 0, "metric.limit", NULL);
        stage_write(s, b);
}

static void crossings_are_told_once(void **state)
{
        stage s;
        char sides[200];
        int64_t device, other;

        (void)state;
        begin(&s);
        add_limit(&s, "{\"prefix\":\"d\"}", 10, 80, 5);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        other = add_device(&s, "x", STORE_DEVICE_ACTIVE);
        tell(&s, device, NOW - 90000, "m=50 k=99");
        tell(&s, device, NOW - 80000, "m=85");
        tell(&s, device, NOW - 70000, "m=90");
        tell(&s, other, NOW - 70000, "m=90"); /* not selected */
        run(&s);
        stage_open(&s);
        tell(&s, device, NOW - 60000, "m=78"); /* not far enough back */
        tell(&s, device, NOW - 95000, "m=5");  /* late: that was before */
        tell(&s, device, NOW - 60000, "m=5");  /* repeated */
        tell(&s, device, NOW - 50000, "m=70");
        tell(&s, device, NOW - 40000, "m=10");
        run(&s);
        assert_int_equal(events_of(&s, "metric.crossed", sides, sizeof sides), 3);
        assert_string_equal(sides, "high normal low");
        stage_end(&s);
}

static void a_threshold_that_is_removed_is_crossed_no_more(void **state)
{
        stage s;
        char sides[200];
        int64_t device[3];

        (void)state;
        begin(&s);
        add_limit(&s, "{}", 10, 80, 5);
        for (unsigned i = 0; i < 3; i++) {
                char name[8];
                (void)snprintf(name, sizeof name, "d%u", i);
                device[i] = add_device(&s, name, STORE_DEVICE_ACTIVE);
                tell(&s, device[i], NOW - 9000, i == 1 ? "m=50" : "m=85");
        }
        run(&s);
        assert_int_equal(events_of(&s, "metric.crossed", sides, sizeof sides), 2);
        const metric_limit key = {.id = 1};
        store_batch *b = store_batch_new();
        store_batch_add(b, STORE_ROW_DELETE)->row =
                (store_row_op){.table = &table_metric_limit, .row = &key};
        assert_int_equal(store_write_sync(s.st, b), 0);
        store_batch_free(b);
        stage_say(&s, 0, "metric.limit", "{\"removed\":\"1\",\"metric\":\"m\"}");
        run(&s);
        assert_int_equal(events_of(&s, "metric.crossed", sides, sizeof sides), 4);
        assert_string_equal(sides, "high high normal normal");
        tell(&s, device[0], NOW - 8000, "m=90");
        run(&s);
        assert_int_equal(events_of(&s, "metric.crossed", sides, sizeof sides), 4);
        stage_end(&s);
}

/* ---- collections --------------------------------------------------------------------------------- */

static int64_t add_collection(stage *s, const metric_collection *row)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ROW_ADD);
        int64_t id;

        op->row = (store_row_op){.table = &table_metric_collection, .row = row};
        stage_event(b, 0, "metric.collection", NULL);
        assert_int_equal(store_write_sync(s->st, b), 0);
        id = op->id;
        store_batch_free(b);
        return id;
}

static void stop_collection(stage *s, int64_t id)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ROW_PATCH);
        const metric_collection row = {.id = id, .state = METRIC_STOPPING};

        op->row = (store_row_op){
                .table = &table_metric_collection, .row = &row, .fields = STORE_FIELD(7)};
        stage_event(b, 0, "metric.collection", NULL);
        stage_write(s, b);
}

static size_t jobs_of(stage *s, int64_t device, store_job_list *l)
{
        const store_job_filter f = {.device = device, .limit = 1000};

        assert_int_equal(store_job_find(s->st, &f, &s->a, l), 0);
        return l->n;
}

/* As a session would: the job's only command has been answered. */
static void answer(stage *s, const store_job *j, const char *uri, const char *value)
{
        store_value v = {.uri = odm_cstr(uri), .format = ODM_STR("int"), .data = odm_cstr(value)};
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_RESULT_PUT);

        op->result.device = j->device;
        op->result.job = j->id;
        op->result.r = (store_result){
                .status = 200, .sent = true, .at = stage_ms, .items = &v, .n_items = 1};
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = j->device;
        op->job_move.job = j->id;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = STORE_JOB_DONE;
        op->job_move.at = stage_ms;
        stage_event(b, j->device, "job.done",
                    odm_arena_fmt(&s->a, "{\"job\":\"%lld\",\"key\":\"%.*s\"}", (long long)j->id,
                                  (int)j->key.n, j->key.p)
                            .p);
        stage_write(s, b);
}

#define TEXT(literal)                        \
        {                                    \
                literal, sizeof(literal) - 1 \
        }
static const metric_collection every_minute = {
        .selector = TEXT("{\"prefix\":\"d\"}"),
        .nodes = TEXT("[{\"uri\":\"./DiagMon/Memory/DiagMonData/RAMAvail\"}]"),
        .every = MINUTE};

static void devices_are_asked_one_after_the_other(void **state)
{
        stage s;
        int64_t next, id;
        unsigned most = 0, all = 0;
        store_job_list l;

        (void)state;
        begin(&s);
        for (unsigned i = 0; i < 600; i++) {
                char name[8];
                (void)snprintf(name, sizeof name, "d%u", i);
                (void)add_device(&s, name,
                                 i < 590 ? STORE_DEVICE_ACTIVE : STORE_DEVICE_DEACTIVATED);
        }
        id = add_collection(&s, &every_minute);
        run(&s);
        for (unsigned second = 0; second < 60; second++) {
                store_counts before, after;
                unsigned n;

                stage_ms = NOW + second * 1000 + 999;
                assert_int_equal(store_count(s.st, &before), 0);
                assert_int_equal(fleet_run(s.f, 50, &next), 0);
                assert_int_equal(store_count(s.st, &after), 0);
                n = (unsigned)(after.jobs[STORE_JOB_QUEUED] - before.jobs[STORE_JOB_QUEUED]);
                most = n > most ? n : most;
                all += n;
                if (second == 30)
                        stage_open(&s);
        }
        assert_in_range(all, 580, 590); /* those of the last millisecond may be still to come */
        assert_in_range(most, 10, 40);  /* not all at once */
        stage_ms = NOW + 5 * MINUTE;    /* it has not answered: one order at a time */
        run(&s);
        assert_int_equal(jobs_of(&s, 1, &l), 1);
        assert_true(l.v[0].deadline > NOW + 100 * MINUTE);
        assert_true(l.v[0].deadline <= stage_ms + 100 * MINUTE);
        stop_collection(&s, id);
        run(&s);
        const metric_collection key = {.id = id};
        metric_collection row;
        assert_int_equal(store_row_get(s.st, &table_metric_collection, &key, &s.a, &row),
                         ODM_ENOENT);
        stage_ms += 10 * MINUTE;
        run(&s);
        assert_int_equal(jobs_of(&s, 1, &l), 1);
        assert_int_equal(l.v[0].state, STORE_JOB_CANCELLED);
        stage_end(&s);
}

/* A sleeper: its order waits until it wakes, then it is its turn at the next moment of its own. */
static void who_answers_late_is_asked_once_meanwhile(void **state)
{
        stage s;
        store_job_list l;
        metric_series row;
        int64_t device, turn, gone;

        (void)state;
        begin(&s);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        (void)add_collection(&s, &every_minute);
        run(&s);
        stage_ms += MINUTE;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 1);
        turn = metric_first_due(device, 1, MINUTE, NOW);
        stage_ms = turn + 10 * MINUTE + 7000;
        run(&s);
        stage_open(&s); /* over a restart, too */
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 1);
        answer(&s, &l.v[0], "./DiagMon/Memory/DiagMonData/RAMAvail", "4711");
        run(&s);
        assert_true(series_of(&s, device, "memory.RAMAvail", &row) && row.last == stage_ms);
        assert_int_equal(jobs_of(&s, device, &l), 1); /* its turns that passed are left out */
        stage_ms = turn + 11 * MINUTE - 1;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 1);
        stage_ms++;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 2);
        /* an end that nobody tells is waited for no longer than the order itself */
        gone = l.v[0].deadline;
        stage_ms = gone;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 2);
        stage_ms = gone + 2 * MINUTE;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 3);
        stage_end(&s);
}

/* The server was down for long: the answer to what it asks then is heard, and the turns go on. */
static void turns_go_on_after_a_long_silence_of_the_server(void **state)
{
        int64_t device, turn = metric_first_due(1, 1, MINUTE, NOW);
        store_job_list l;
        stage s;

        (void)state;
        begin(&s);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        assert_int_equal(device, 1);
        (void)add_collection(&s, &every_minute);
        run(&s);
        stage_ms = turn + 3 * DAY + 7;
        stage_open(&s);
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 1);
        answer(&s, &l.v[0], "./DiagMon/Memory/DiagMonData/RAMAvail", "4711");
        run(&s);
        stage_ms = turn + 3 * DAY + MINUTE - 1;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 1);
        stage_ms++;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 2);
        stage_end(&s);
}

static void those_behind_a_gateway_have_one_turn(void **state)
{
        int64_t ids[20], gw;
        store_job_list l;
        stage s;

        (void)state;
        begin(&s);
        gw = add_device(&s, "g", STORE_DEVICE_ACTIVE);
        for (unsigned i = 0; i < ODM_COUNT(ids); i++) {
                store_batch *b = store_batch_new();
                gateway_child c = {.gateway = gw};
                char name[8];

                (void)snprintf(name, sizeof name, "d%u", i);
                c.device = ids[i] = add_device(&s, name, STORE_DEVICE_ACTIVE);
                (void)snprintf(name, sizeof name, "k%u", i);
                c.key = odm_cstr(name);
                store_batch_add(b, STORE_ROW_ADD)->row =
                        (store_row_op){.table = &table_gateway_child, .row = &c};
                stage_write(&s, b);
        }
        (void)add_collection(&s, &every_minute);
        run(&s);
        for (unsigned i = 0; i < 60 && jobs_of(&s, ids[0], &l) == 0; i++) {
                stage_ms += 1000;
                run(&s);
        }
        for (unsigned i = 0; i < ODM_COUNT(ids); i++)
                assert_int_equal(jobs_of(&s, ids[i], &l), 1);
        stage_end(&s);
}

static void answers_become_samples(void **state)
{
        stage s;
        store_job_list l;
        metric_series row;
        metric_collection k = every_minute;
        int64_t device, id;

        (void)state;
        begin(&s);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        id = add_collection(&s, &k);
        run(&s);
        stage_ms += MINUTE;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 1);
        assert_str(l.v[0].kind, "collection");
        answer(&s, &l.v[0], "./DiagMon/Memory/DiagMonData/RAMAvail", "4711");
        run(&s);
        assert_true(series_of(&s, device, "memory.RAMAvail", &row));
        assert_true(row.value == 4711 && row.last == stage_ms && row.samples == 1);
        assert_true(row.told && row.rhythm.every == MINUTE);
        const metric_collection key = {.id = id};
        assert_int_equal(store_row_get(s.st, &table_metric_collection, &key, &s.a, &k), 0);
        assert_int_equal(k.asked, 1);
        assert_int_equal(k.answered, 1);
        stop_collection(&s, id);
        run(&s);
        assert_true(series_of(&s, device, "memory.RAMAvail", &row));
        assert_int_equal(row.rhythm.every, 0); /* nothing is due any more */
        stage_end(&s);
}

static void a_function_is_begun_and_stopped(void **state)
{
        static const metric_collection run_memory = {.selector = TEXT("{}"),
                                                     .function = TEXT("./DiagMon/Memory"),
                                                     .every = 10000,
                                                     .period = MINUTE};
        stage s;
        store_job_list l;
        odm_str text;
        int64_t device, id;

        (void)state;
        begin(&s);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        id = add_collection(&s, &run_memory);
        run(&s);
        stage_ms += MINUTE;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 1);
        text = l.v[0].commands;
        assert_non_null(memmem(text.p, text.n, "SampIntrvl", 10));
        assert_non_null(memmem(text.p, text.n, "Operations/Start", 16));
        stage_ms += HOUR;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 1);
        answer(&s, &l.v[0], "./x", "1"); /* somebody stopped it there: it is begun again */
        run(&s);
        stage_ms += 2 * MINUTE;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 2);
        stop_collection(&s, id);
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 3);
        text = l.v[0].commands;
        assert_non_null(memmem(text.p, text.n, "Operations/Stop", 15));
        stage_end(&s);
}

/* As with values: those that are selected no more leave.  One that is away for a while stays. */
static void a_function_is_stopped_where_it_is_wanted_no_more(void **state)
{
        static const metric_collection run_memory = {.selector = TEXT("{\"tags\":[\"hot\"]}"),
                                                     .function = TEXT("./DiagMon/Memory"),
                                                     .every = 10000,
                                                     .period = MINUTE};
        static const store_device hot = {
                .name = {"d", 1}, .tags = {"hot", 3}, .state = STORE_DEVICE_ACTIVE};
        static const struct {
                store_device to;
                uint64_t field;
                size_t jobs;
        } rows[] = {
                {{.state = STORE_DEVICE_DEACTIVATED}, STORE_DF_STATE, 1},
                {{.state = STORE_DEVICE_ACTIVE}, STORE_DF_STATE, 1},
                {{.tags = {"cold", 4}}, STORE_DF_TAGS, 2},
                {{.tags = {"warm", 4}}, STORE_DF_TAGS, 2},
                {{.tags = {"hot", 3}}, STORE_DF_TAGS, 3},
        };
        stage s;
        store_job_list l;
        int64_t device;

        (void)state;
        begin(&s);
        device = stage_device(&s, &hot);
        (void)add_collection(&s, &run_memory);
        run(&s);
        stage_ms += MINUTE;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 1);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                store_batch *b = store_batch_new();
                store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

                op->device_patch.fields = rows[i].field;
                op->device_patch.to = rows[i].to;
                op->device_patch.to.id = device;
                stage_event(b, device, "device.changed", NULL);
                stage_write(&s, b);
                run(&s);
                stage_ms += 2 * MINUTE;
                run(&s);
                assert_int_equal(jobs_of(&s, device, &l), rows[i].jobs);
                if (i == 2)
                        assert_non_null(memmem(l.v[0].commands.p, l.v[0].commands.n,
                                               "Operations/Stop", 15));
        }
        stage_end(&s);
}

/* Its order is cancelled, or never reached it. */
static void a_function_that_was_not_begun_is_begun_again(void **state)
{
        static const metric_collection run_memory = {.selector = TEXT("{}"),
                                                     .function = TEXT("./DiagMon/Memory"),
                                                     .every = 10000,
                                                     .period = MINUTE};
        static const char *const ends[] = {"job.cancelled", "job.expired", "job.failed"};
        metric_collection k = {.id = 1};
        stage s;
        store_job_list l;
        int64_t device;

        (void)state;
        begin(&s);
        device = add_device(&s, "d", STORE_DEVICE_ACTIVE);
        (void)add_collection(&s, &run_memory);
        run(&s);
        stage_ms += MINUTE;
        run(&s);
        for (size_t i = 0; i < ODM_COUNT(ends); i++) {
                assert_int_equal(jobs_of(&s, device, &l), i + 1);
                stage_say(&s, device, ends[i],
                          odm_arena_fmt(&s.a, "{\"job\":\"%lld\",\"key\":\"%.*s\"}",
                                        (long long)l.v[0].id, (int)l.v[0].key.n, l.v[0].key.p)
                                  .p);
                run(&s);
                stage_ms += HOUR;
                run(&s);
        }
        assert_int_equal(jobs_of(&s, device, &l), ODM_COUNT(ends) + 1);
        assert_int_equal(store_row_get(s.st, &table_metric_collection, &k, &s.a, &k), 0);
        assert_int_equal(k.failed, ODM_COUNT(ends));
        stage_end(&s);
}

/* Whoever came another way is found by looking at all of them again: for years. */
static void looking_for_devices_takes_no_memory(void **state)
{
        const metric_part *p;
        stage s;
        const char *used;

        (void)state;
        begin(&s);
        for (unsigned i = 0; i < 500; i++) {
                char name[8];
                (void)snprintf(name, sizeof name, "d%u", i);
                (void)add_device(&s, name, STORE_DEVICE_ACTIVE);
        }
        metric_collection hourly = every_minute;
        hourly.every = 100 * HOUR;
        (void)add_collection(&s, &hourly);
        run(&s);
        p = fleet_self(s.f, &part_metric);
        used = p->orders_memory.at;
        for (unsigned i = 0; i < 10; i++) {
                stage_ms += 10 * MINUTE;
                run(&s);
        }
        assert_ptr_equal(p->orders_memory.at, used);
        assert_int_equal(p->n_orders, 1);
        assert_false(p->orders[0].scanning);
        stage_end(&s);
}

static void turns_are_never_in_the_past(void **state)
{
        static const struct {
                int64_t due, every, now, want;
        } rows[] = {{100, 10, 105, 110},
                    {100, 10, 110, 120},
                    {100, 10, 111, 120},
                    {100, 10, 100, 110},
                    {100, 10, 1000, 1010}};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                assert_int_equal(metric_next_due(rows[i].due, rows[i].every, rows[i].now),
                                 rows[i].want);
        for (int64_t d = 1; d < 1000; d++)
                assert_in_range(metric_first_due(d, 3, 60000, 5000), 5000, 64999);
}

static void a_device_that_comes_later_joins(void **state)
{
        stage s;
        store_job_list l;
        int64_t device;

        (void)state;
        begin(&s);
        (void)add_collection(&s, &every_minute);
        run(&s);
        device = add_device(&s, "d9", STORE_DEVICE_ACTIVE);
        stage_say(&s, device, "device.active", "{}");
        run(&s);
        stage_ms += MINUTE;
        run(&s);
        assert_int_equal(jobs_of(&s, device, &l), 1);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(random_samples_give_right_roll_ups),
                cmocka_unit_test(one_event_may_hold_many_of_all_times),
                cmocka_unit_test(many_metrics_in_one_event),
                cmocka_unit_test(a_failing_store_counts_nothing_twice),
                cmocka_unit_test(what_is_no_measurement_is_told_apart),
                cmocka_unit_test(ceilings_hold),
                cmocka_unit_test(a_device_that_is_gone_leaves_nothing),
                cmocka_unit_test(names_keep_their_number_over_a_restart),
                cmocka_unit_test(old_rows_go_by_their_kind),
                cmocka_unit_test(pages_of_old_rows_follow_each_other),
                cmocka_unit_test(crossings_are_told_once),
                cmocka_unit_test(a_threshold_that_is_removed_is_crossed_no_more),
                cmocka_unit_test(turns_are_never_in_the_past),
                cmocka_unit_test(devices_are_asked_one_after_the_other),
                cmocka_unit_test(who_answers_late_is_asked_once_meanwhile),
                cmocka_unit_test(turns_go_on_after_a_long_silence_of_the_server),
                cmocka_unit_test(those_behind_a_gateway_have_one_turn),
                cmocka_unit_test(answers_become_samples),
                cmocka_unit_test(a_function_is_begun_and_stopped),
                cmocka_unit_test(a_function_is_stopped_where_it_is_wanted_no_more),
                cmocka_unit_test(a_function_that_was_not_begun_is_begun_again),
                cmocka_unit_test(looking_for_devices_takes_no_memory),
                cmocka_unit_test(a_device_that_comes_later_joins),
        };

        return RUN_TESTS(tests);
}
