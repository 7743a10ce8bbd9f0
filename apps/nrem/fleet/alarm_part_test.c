/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms that live on the log of events: a store in memory, a clock of ours. */
#include <time.h>

#include "alarm_api.h"
#include "stage.h"

extern const fleet_part part_alarm;
static const fleet_part *const parts[] = {&part_alarm, NULL};

#define MINUTE 60000
#define DAY INT64_C(86400000)

static void begin(stage *s)
{
        stage_begin(s, parts, NULL, 200 * DAY);
        stage_open(s);
}

static int64_t run(stage *s)
{
        return stage_run(s, 100);
}

#define FIRED                                                                             \
        "{\"code\":1226,\"type\":\"urn:oma:at:diagmon:1.0:TrapNotification\",\"source\":" \
        "\"./Trap/Room\",\"mark\":\"warning\",\"data\":\"3 is at or below 4\"}"
#define OVER                                                                                      \
        "{\"code\":1226,\"type\":\"urn:oma:at:diagmon:1.0:TrapInactiveNotification\",\"source\":" \
        "\"./Trap/Room\",\"mark\":\"warning\",\"data\":\"9\"}"
#define LOST "{\"reason\":\"silent\"}"
#define FOUND "{\"from\":\"unreachable\"}"

static store_rows rows(stage *s, enum alarm_index index)
{
        const store_scan scan = {.table = &table_alarm, .index = index, .limit = 10000};
        store_rows l = {0};

        assert_int_equal(store_row_find(s->st, &scan, &s->a, &l), 0);
        return l;
}

static alarm_row only(stage *s)
{
        store_rows l = rows(s, 0);

        assert_int_equal(l.n, 1);
        return *(alarm_row *)l.v;
}

static alarm_tally tally(stage *s)
{
        const alarm_tally key = {.id = 1};
        alarm_tally t;

        assert_int_equal(store_row_get(s->st, &table_alarm_tally, &key, &s->a, &t), 0);
        return t;
}

/* The alert as one of so many minutes ago; 0: without a time. */
static const char *late(const char *alert, int64_t minutes)
{
        static char text[512];
        char when[ODM_WALL_TEXT];

        odm_wall_format((odm_wall){(stage_ms - minutes * MINUTE) / 1000}, when);
        snprintf(text, sizeof text, "%.*s,\"time\":\"%s\"}", (int)strlen(alert) - 1, alert, when);
        return minutes ? text : alert;
}

/* To the second, which is what alerts say. */
static int64_t at_minute(int64_t before)
{
        return before ? stage_ms / 1000 * 1000 - before * MINUTE : stage_ms;
}

static void a_trap_raises_one_alarm_and_ends_it(void **state)
{
        stage s;
        alarm_row r;

        (void)state;
        begin(&s);
        stage_devices(&s, 2);
        stage_say(&s, 1, "alert", FIRED);
        run(&s);
        r = only(&s);
        assert_int_equal(r.state, ALARM_ROW_ACTIVE);
        assert_int_equal(r.count, 1);
        assert_str(r.cause, "urn:oma:mo:x-xrem-trap-threshold:1.0/Room");
        assert_str(r.source, "./Trap/Room");
        assert_str(r.name, "d1");
        assert_int_equal(tally(&s).active[ALARM_WARNING - 1], 1);
        stage_ms += MINUTE;
        stage_say(&s, 1, "alert", FIRED);
        run(&s);
        r = only(&s);
        assert_int_equal(r.count, 2);
        assert_int_equal(r.seen - r.raised, MINUTE);
        assert_int_equal(tally(&s).active[ALARM_WARNING - 1], 1);
        stage_say(&s, 1, "alert", OVER);
        run(&s);
        r = only(&s);
        assert_int_equal(r.state, ALARM_ROW_CLEARED);
        assert_int_equal(r.cleared, stage_ms);
        assert_int_equal(tally(&s).active[ALARM_WARNING - 1], 0);
        stage_say(&s, 2, "alert", OVER); /* which never began */
        run(&s);
        (void)only(&s);
        assert_int_equal(stage_told(&s, "alarm.raised"), 1);
        assert_int_equal(stage_told(&s, "alarm.repeated"), 1);
        assert_int_equal(stage_told(&s, "alarm.cleared"), 1);
        stage_end(&s);
}

/* A gateway whose way was cut tells of the night in the morning. */
static void what_is_told_late_has_its_own_time(void **state)
{
        static const struct row {
                const char *why;
                int64_t fired, over, raised, cleared; /* minutes before it was told; 0: then */
        } rows[] = {
                {"told in time", 0, 0, 0, 0},
                {"told an hour late", 60, 30, 60, 30},
                {"its end told as before it began", 60, 90, 60, 60},
                {"a clock that runs ahead", -60, -30, 0, 0},
                {"a clock that was never set", 200000, 200000, 0, 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *x = &rows[i];
                stage s;
                alarm_row r;

                begin(&s);
                stage_devices(&s, 1);
                stage_say(&s, 1, "alert", late(FIRED, x->fired));
                run(&s);
                r = only(&s);
                if (r.raised != at_minute(x->raised) || r.seen != r.raised || r.changed != stage_ms)
                        fail_msg("%s: raised %lld", x->why, (long long)(stage_ms - r.raised));
                stage_say(&s, 1, "alert", late(OVER, x->over));
                run(&s);
                r = only(&s);
                if (r.cleared != at_minute(x->cleared))
                        fail_msg("%s: cleared %lld", x->why, (long long)(stage_ms - r.cleared));
                stage_end(&s);
        }
}

static void a_lost_device_is_an_alarm_until_it_calls(void **state)
{
        static const struct row {
                const char *why, *kind, *data;
                bool over;
        } rows[] = {
                {"it calls", "device.active", FOUND, true},
                {"a new unit of its name calls", "device.active", "{\"from\":\"provisioned\"}",
                 true},
                {"an operator takes it away", "device.detached", "{}", true},
                {"and switches it off", "device.deactivated", "{}", true},
                {"it sleeps", "device.asleep", "{\"from\":\"active\"}", false},
                {"it is silent no more, and sleeps", "device.asleep", "{\"from\":\"unreachable\"}",
                 true},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stage s;

                begin(&s);
                stage_devices(&s, 1);
                stage_say(&s, 1, "device.unreachable", LOST);
                stage_say(&s, 1, "device.unreachable", LOST);
                run(&s);
                assert_int_equal(only(&s).count, 2);
                assert_int_equal(only(&s).severity, ALARM_MAJOR);
                stage_say(&s, 1, rows[i].kind, rows[i].data);
                run(&s);
                if ((only(&s).state == ALARM_ROW_CLEARED) != rows[i].over)
                        fail_msg("%s: state %u", rows[i].why, only(&s).state);
                stage_end(&s);
        }
}

static void a_threshold_is_an_alarm(void **state)
{
        stage s;

        (void)state;
        begin(&s);
        stage_devices(&s, 1);
        stage_say(&s, 1, "metric.crossed",
                  "{\"metric\":\"cpu.temp\",\"name\":\"hot\",\"severity\":\"critical\",\"side\":"
                  "\"high\","
                  "\"value\":91.5,\"limit\":90}");
        run(&s);
        assert_int_equal(only(&s).severity, ALARM_CRITICAL);
        assert_str(only(&s).source, "cpu.temp hot");
        assert_str(only(&s).text, "91.5 is high, the limit is 90");
        stage_say(&s, 1, "metric.crossed",
                  "{\"metric\":\"cpu.temp\",\"name\":\"hot\",\"severity\":\"critical\",\"side\":"
                  "\"normal\","
                  "\"value\":80}");
        run(&s);
        assert_int_equal(only(&s).state, ALARM_ROW_CLEARED);
        stage_end(&s);
}

/* Then there is no value. */
static void a_threshold_that_is_removed_clears_its_alarm(void **state)
{
        stage s;

        (void)state;
        begin(&s);
        stage_devices(&s, 1);
        stage_say(&s, 1, "metric.crossed",
                  "{\"metric\":\"m\",\"side\":\"low\",\"value\":1,\"limit\":2}");
        run(&s);
        stage_say(&s, 1, "metric.crossed", "{\"metric\":\"m\",\"side\":\"normal\"}");
        run(&s);
        assert_int_equal(only(&s).state, ALARM_ROW_CLEARED);
        assert_str(only(&s).text, "the threshold was removed");
        stage_end(&s);
}

/* What a campaign could not do is an alarm, unless the device has told it. */
static void a_failed_item_of_a_campaign_is_an_alarm(void **state)
{
        static const char failed[] =
                "{\"campaign\":\"7\",\"state\":\"failed\",\"reason\":\"it never came back\"}";
        static const char update[] =
                "{\"type\":\"org.openmobilealliance.dm.firmwareupdate.update\",\"source\":"
                "\"./FUMO/main\",\"data\":\"410\"}";
        stage s;

        (void)state;
        begin(&s);
        stage_devices(&s, 2);
        stage_say(&s, 1, "campaign.device", failed);
        stage_say(&s, 2, "alert", update);
        stage_say(&s, 2, "campaign.device", failed);
        run(&s);
        store_rows l = rows(&s, 0);
        assert_int_equal(l.n, 2);
        assert_str(((alarm_row *)l.v)[0].source, "campaign 7");
        assert_str(((alarm_row *)l.v)[0].text, "it never came back");
        assert_str(((alarm_row *)l.v)[1].source, "./FUMO/main");
        stage_say(&s, 1, "campaign.device", "{\"campaign\":\"7\",\"state\":\"skipped\"}");
        run(&s);
        assert_int_equal(tally(&s).active[ALARM_MAJOR - 1], 2);
        stage_say(&s, 1, "campaign.device", "{\"campaign\":\"7\",\"state\":\"succeeded\"}");
        run(&s);
        assert_int_equal(tally(&s).active[ALARM_MAJOR - 1], 1);
        stage_end(&s);
}

static void what_is_done_is_not_done_again_after_a_kill(void **state)
{
        (void)state;
        for (unsigned at = 1; at < 12; at++) {
                stage s;
                int64_t next;
                int rc;

                begin(&s);
                stage_devices(&s, 3);
                for (unsigned i = 0; i < 9; i++)
                        stage_say(&s, i % 3 + 1, "alert", FIRED);
                store_fault_set(
                        &s.fault,
                        (store_fault){.fail_commit = store_fault_get(&s.fault).commits + at});
                rc = fleet_run(s.f, 20, &next);
                store_fault_set(&s.fault, (store_fault){0});
                stage_open(&s);
                run(&s);
                store_rows l = rows(&s, 0);
                assert_int_equal(l.n, 3);
                for (size_t i = 0; i < 3; i++)
                        if (((alarm_row *)l.v)[i].count != 3)
                                fail_msg("commit %u failed (%s): count %u", at, odm_err_name(rc),
                                         ((alarm_row *)l.v)[i].count);
                assert_int_equal(tally(&s).active[ALARM_WARNING - 1], 3);
                stage_end(&s);
        }
}

/* All at once, some twice: one alarm each, counted. */
static void a_storm_is_borne(void **state)
{
        enum { N = 20000, AGAIN = 2000 };
        stage s;
        alarm_tally t;

        (void)state;
        begin(&s);
        stage_devices(&s, N);
        for (unsigned k = 0; k < 2; k++)
                for (unsigned i = 1; i <= (k ? AGAIN : N);) {
                        store_batch *b = store_batch_new();

                        for (unsigned n = 0; n < 1000; n++, i++)
                                stage_event(b, i, "alert", FIRED);
                        stage_write(&s, b);
                }
        run(&s);
        t = tally(&s);
        assert_int_equal(t.active[ALARM_WARNING - 1], N);
        assert_int_equal(t.unseen[ALARM_WARNING - 1], N);
        assert_int_equal(stage_told(&s, "alarm.raised"), N);
        assert_int_equal(stage_told(&s, "alarm.repeated"), AGAIN);
        stage_end(&s);
}

static void cleared_ones_go_after_their_time(void **state)
{
        stage s;

        (void)state;
        begin(&s);
        stage_devices(&s, 2);
        stage_ms += 300 * DAY; /* the clock was wrong, and is put right */
        run(&s);
        stage_ms -= 300 * DAY;
        stage_say(&s, 1, "alert", FIRED);
        stage_say(&s, 1, "alert", OVER);
        stage_say(&s, 2, "alert", FIRED);
        run(&s);
        stage_ms += 90 * DAY - MINUTE;
        run(&s);
        assert_int_equal(rows(&s, 0).n, 2);
        stage_ms += 2 * 3600000;
        run(&s);
        assert_str(only(&s).name, "d2"); /* what stands stays */
        const alarm_note of = {.device = 1};
        const store_scan notes = {.table = &table_alarm_note, .same = 1, .at = &of};
        uint64_t n;
        assert_int_equal(store_row_count(s.st, &notes, 10, &n), 0);
        assert_int_equal(n, 0);
        stage_end(&s);
}

static void raise_numbered(stage *s, unsigned i, bool clear)
{
        char data[400];

        snprintf(data, sizeof data,
                 "{\"type\":\"urn:oma:at:x-xrem-fm:1.0:Alarm\",\"data\":\"<Alarm><Severity>%s"
                 "</Severity><Cause>c%u</Cause></Alarm>\"}",
                 clear ? "cleared" : "major", i);
        stage_say(s, 1, "alert", data);
        stage_ms++;
}

static void a_device_has_so_many_and_no_more(void **state)
{
        stage s;

        (void)state;
        begin(&s);
        stage_devices(&s, 1);
        for (unsigned i = 0; i < 200; i++)
                raise_numbered(&s, i, false);
        run(&s);
        raise_numbered(&s, 200, false); /* all of them stand */
        run(&s);
        assert_int_equal(rows(&s, 0).n, 200);
        raise_numbered(&s, 7, true);
        raise_numbered(&s, 9, true);
        run(&s);
        raise_numbered(&s, 201, false); /* the one that is over for longest goes */
        run(&s);
        store_rows l = rows(&s, 0);
        assert_int_equal(l.n, 200);
        bool seven = false, nine = false, last = false;
        for (size_t i = 0; i < l.n; i++) {
                odm_str cause = ((alarm_row *)l.v)[i].cause;
                seven = seven || odm_str_is(cause, "c7");
                nine = nine || odm_str_is(cause, "c9");
                last = last || odm_str_is(cause, "c201");
        }
        assert_true(!seven && nine && last);
        assert_int_equal(tally(&s).active[ALARM_MAJOR - 1], 199);
        stage_end(&s);
}

static void history_is_a_ring(void **state)
{
        stage s;
        const alarm_note of = {.device = 1};
        const store_scan notes = {.table = &table_alarm_note, .same = 1, .at = &of, .limit = 1000};
        store_rows l;
        int64_t least = INT64_MAX;

        (void)state;
        begin(&s);
        stage_devices(&s, 1);
        for (unsigned i = 0; i < 80; i++) {
                stage_say(&s, 1, "alert", FIRED);
                stage_say(&s, 1, "alert", OVER);
        }
        run(&s);
        assert_int_equal(only(&s).notes, 160);
        assert_int_equal(store_row_find(s.st, &notes, &s.a, &l), 0);
        assert_int_equal(l.n, ALARM_NOTES);
        for (size_t i = 0; i < l.n; i++)
                least = ((alarm_note *)l.v)[i].n < least ? ((alarm_note *)l.v)[i].n : least;
        assert_int_equal(least, 61);
        stage_end(&s);
}

/* Gateway 1 with the devices 2 ... 6, found silent after or before it. */
static void a_lost_gateway_covers_those_behind_it(void **state)
{
        static const struct row {
                const char *why;
                bool first;    /* the gateway is found silent first */
                unsigned back; /* devices that call in time */
        } rows[] = {
                {"the gateway first, all come back", true, 5},
                {"the gateway first, two stay away", true, 3},
                {"the gateway last", false, 4},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stage s;
                alarm_tally t;

                begin(&s);
                stage_devices(&s, 6);
                if (rows[i].first) {
                        stage_say(&s, 1, "device.unreachable", LOST);
                        run(&s);
                }
                for (int64_t d = 2; d <= 6; d++)
                        stage_say(&s, d, "device.unreachable",
                                  "{\"reason\":\"silent\",\"gateway\":\"1\"}");
                if (!rows[i].first)
                        stage_say(&s, 1, "device.unreachable", LOST);
                run(&s);
                stage_ms += 5000;
                run(&s);
                t = tally(&s);
                if (t.active[ALARM_MAJOR - 1] != 1 || t.hidden != 5)
                        fail_msg("%s: %lld shown, %lld hidden", rows[i].why,
                                 (long long)t.active[ALARM_MAJOR - 1], (long long)t.hidden);
                assert_int_equal(stage_told(&s, "alarm.raised"), rows[i].first ? 1 : 6);
                stage_say(&s, 1, "device.active", FOUND);
                for (unsigned d = 0; d < rows[i].back; d++)
                        stage_say(&s, 2 + d, "device.active", FOUND);
                run(&s);
                assert_int_equal(tally(&s).active[ALARM_MAJOR - 1], 0);
                stage_ms += MINUTE;
                run(&s);
                t = tally(&s);
                if (t.active[ALARM_MAJOR - 1] != 5 - rows[i].back || t.hidden != 0)
                        fail_msg("%s, back: %lld shown, %lld hidden", rows[i].why,
                                 (long long)t.active[ALARM_MAJOR - 1], (long long)t.hidden);
                stage_end(&s);
        }
}

static void a_removed_device_takes_its_alarms_with_it(void **state)
{
        stage s;
        store_batch *b;
        store_op *op;

        (void)state;
        begin(&s);
        stage_devices(&s, 3);
        for (int64_t d = 1; d <= 3; d++)
                stage_say(&s, d, "alert", FIRED);
        run(&s);
        b = store_batch_new();
        op = store_batch_add(b, STORE_DEVICE_DELETE);
        op->of = 2;
        stage_event(b, 0, "device.removed", "{\"device\":\"d2\"}");
        stage_write(&s, b);
        stage_ms += MINUTE;
        run(&s);
        assert_int_equal(rows(&s, 0).n, 2);
        assert_int_equal(tally(&s).active[ALARM_WARNING - 1], 2);
        stage_end(&s);
}

static void a_new_name_is_that_of_its_alarms(void **state)
{
        stage s;
        store_batch *b;
        store_op *op;

        (void)state;
        begin(&s);
        stage_devices(&s, 1);
        stage_say(&s, 1, "alert", FIRED);
        run(&s);
        b = store_batch_new();
        op = store_batch_add(b, STORE_DEVICE_PATCH);
        op->device_patch = (store_device_patch){.fields = STORE_DF_NAME,
                                                .to = {.id = 1, .name = ODM_STR("acme/1")}};
        stage_event(b, 1, "device.changed", "{}");
        stage_write(&s, b);
        run(&s);
        assert_str(only(&s).name, "acme/1");
        stage_end(&s);
}

static void numbers_are_never_given_again(void **state)
{
        stage s;
        store_batch *b;

        (void)state;
        begin(&s);
        stage_devices(&s, 2);
        stage_say(&s, 1, "alert", FIRED);
        run(&s);
        assert_int_equal(only(&s).id, 1);
        b = store_batch_new();
        store_batch_add(b, STORE_DEVICE_DELETE)->of = 1;
        stage_write(&s, b);
        stage_open(&s);
        stage_say(&s, 2, "alert", FIRED);
        run(&s);
        assert_int_equal(only(&s).id, 2);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_trap_raises_one_alarm_and_ends_it),
                cmocka_unit_test(what_is_told_late_has_its_own_time),
                cmocka_unit_test(a_lost_device_is_an_alarm_until_it_calls),
                cmocka_unit_test(a_threshold_is_an_alarm),
                cmocka_unit_test(a_threshold_that_is_removed_clears_its_alarm),
                cmocka_unit_test(a_failed_item_of_a_campaign_is_an_alarm),
                cmocka_unit_test(what_is_done_is_not_done_again_after_a_kill),
                cmocka_unit_test(a_storm_is_borne),
                cmocka_unit_test(cleared_ones_go_after_their_time),
                cmocka_unit_test(a_device_has_so_many_and_no_more),
                cmocka_unit_test(history_is_a_ring),
                cmocka_unit_test(a_lost_gateway_covers_those_behind_it),
                cmocka_unit_test(a_removed_device_takes_its_alarms_with_it),
                cmocka_unit_test(a_new_name_is_that_of_its_alarms),
                cmocka_unit_test(numbers_are_never_given_again),
        };

        return RUN_TESTS(tests);
}
