/* SPDX-License-Identifier: Apache-2.0 */
/* Due times: rules and their times, month ends, leap years, the clock put forward and back. */
#include "odm/recur.h"

#include "support.h"

/* ---- local time, as tables of when it changes --------------------------------------------- */

struct change {
        const char *at; /* UTC */
        int32_t offset; /* from then on */
};

static const struct change bern[] = {{"19700101T000000Z", 3600}, {"20250330T010000Z", 7200},
                                     {"20251026T010000Z", 3600}, {"20260329T010000Z", 7200},
                                     {"20261025T010000Z", 3600}, {"20270328T010000Z", 7200},
                                     {"20271031T010000Z", 3600}, {NULL, 0}};
static const struct change new_york[] = {{"19700101T000000Z", -18000},
                                         {"20260308T070000Z", -14400},
                                         {"20261101T060000Z", -18000},
                                         {NULL, 0}};
static const struct change kathmandu[] = {{"19700101T000000Z", 20700}, {NULL, 0}};
static const struct change lord_howe[] = {/* half an hour, and the other half of the year */
                                          {"19700101T000000Z", 39600},
                                          {"20260404T150000Z", 37800},
                                          {"20261003T153000Z", 39600},
                                          {NULL, 0}};

static odm_wall wall(const char *text)
{
        odm_wall w = {0};

        if (odm_wall_parse(odm_cstr(text), &w) != 0)
                fail_msg("no time: '%s'", text);
        return w;
}

static int32_t offset(void *ctx, odm_wall at)
{
        const struct change *c = ctx;

        while (c[1].at && wall(c[1].at).s <= at.s)
                c++;
        return c->offset;
}

static odm_zone zone_of(const struct change *table)
{
        return (odm_zone){.offset = table ? offset : NULL, .ctx = (void *)(uintptr_t)table};
}

static const struct local_row {
        const char *why, *text, *utc;
        const struct change *zone;
} locals[] = {
        {"UTC needs no zone", "20260701T120000Z", "20260701T120000Z", bern},
        {"without a zone local time is UTC", "20260701T120000", "20260701T120000Z", NULL},
        {"in summer", "20260701T120000", "20260701T100000Z", bern},
        {"in winter", "20260101T120000", "20260101T110000Z", bern},
        {"the last moment before the gap", "20260329T015959", "20260329T005959Z", bern},
        {"at its begin", "20260329T020000", "20260329T010000Z", bern},
        {"within it", "20260329T023000", "20260329T010000Z", bern},
        {"its last second", "20260329T025959", "20260329T010000Z", bern},
        {"the first moment after it", "20260329T030000", "20260329T010000Z", bern},
        {"one hour after it", "20260329T040000", "20260329T020000Z", bern},
        {"before the doubled hour", "20261025T015959", "20261024T235959Z", bern},
        {"its begin, the first time", "20261025T020000", "20261025T000000Z", bern},
        {"its end, the first time", "20261025T025959", "20261025T005959Z", bern},
        {"after it", "20261025T030000", "20261025T020000Z", bern},
        {"west of Greenwich, the gap", "20260308T023000", "20260308T070000Z", new_york},
        {"west of Greenwich, doubled", "20261101T013000", "20261101T053000Z", new_york},
        {"a zone of three quarters", "20260101T000000", "20251231T181500Z", kathmandu},
        {"half an hour forward", "20261004T021500", "20261003T153000Z", lord_howe},
        {"half an hour back", "20260405T014500", "20260404T144500Z", lord_howe},
};

static void local_times_are_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(locals); i++) {
                const struct local_row *r = &locals[i];
                odm_zone z = zone_of(r->zone);
                odm_str in = exact_copy(r->text);
                odm_moment m;
                char got[ODM_WALL_TEXT];
                assert_int_equal(odm_moment_parse(in, &m), 0);
                odm_wall_format(odm_moment_wall(m, &z), got);
                if (strcmp(got, r->utc) != 0)
                        fail_msg("%s: %s gave %s, not %s", r->why, r->text, got, r->utc);
                exact_free(in);
        }
}

static void bad_times_are_refused(void **state)
{
        static const char *const bad[] = {"",
                                          "2026",
                                          "20260101",
                                          "2026010100000",
                                          "20260101T000000z",
                                          "20260101T000000ZZ",
                                          "20260101 000000",
                                          "2026-01-01T00:00",
                                          "20261301T000000",
                                          "20260229T000000",
                                          "20260431T000000Z",
                                          "20260101T240000",
                                          "20260101T006000",
                                          "20260101T000060",
                                          "19691231T235959",
                                          "2026010aT000000"};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(bad); i++) {
                odm_moment m = {.s = 7};
                odm_str in = exact_copy(bad[i]);
                if (odm_moment_parse(in, &m) != ODM_EMALFORMED || m.s != 7)
                        fail_msg("'%s' was taken", bad[i]);
                exact_free(in);
        }
}

/* ---- rules -------------------------------------------------------------------------------- */

static const struct rule_row {
        const char *why, *base, *rule; /* rule NULL: once */
        const char *want;              /* the times from the base on, up to six; ends with "." when
                                          there are no more */
        const struct change *zone;
} rules[] = {
        {"once", "20260101T120000Z", NULL, "20260101T120000Z ."},
        {"every minute", "20260101T235800Z", "FREQ=MINUTELY",
         "20260101T235800Z 20260101T235900Z 20260102T000000Z 20260102T000100Z"},
        {"every quarter, from the base on", "20260101T120730Z", "FREQ=MINUTELY;INTERVAL=15",
         "20260101T120730Z 20260101T122230Z 20260101T123730Z"},
        {"every 50 minutes, over midnight", "20260101T230000Z", "FREQ=MINUTELY;INTERVAL=50",
         "20260101T230000Z 20260101T235000Z 20260102T004000Z"},
        {"minutes of some hours", "20260101T080000Z", "FREQ=MINUTELY;INTERVAL=30;BYHOUR=8,20",
         "20260101T080000Z 20260101T083000Z 20260101T200000Z 20260101T203000Z 20260102T080000Z"},
        {"minutes that never meet", "20260101T080000Z", "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1,3",
         "20260101T080000Z ."},
        {"a minute of each hour", "20260101T220500Z", "FREQ=HOURLY",
         "20260101T220500Z 20260101T230500Z 20260102T000500Z"},
        {"every 7 hours", "20260101T000000Z", "FREQ=HOURLY;INTERVAL=7",
         "20260101T000000Z 20260101T070000Z 20260101T140000Z 20260101T210000Z 20260102T040000Z"},
        {"thrice an hour", "20260101T000500Z", "FREQ=HOURLY;BYMINUTE=5,25,45",
         "20260101T000500Z 20260101T002500Z 20260101T004500Z 20260101T010500Z"},
        {"hours on working days", "20260102T230000Z", "FREQ=HOURLY;BYDAY=MO,TU,WE,TH,FR",
         "20260102T230000Z 20260105T000000Z 20260105T010000Z"},
        {"every 5 hours at 3 only", "20260101T030000Z", "FREQ=HOURLY;INTERVAL=5;BYHOUR=3",
         "20260101T030000Z 20260106T030000Z 20260111T030000Z"},
        {"hours that never meet", "20260101T030000Z", "FREQ=HOURLY;INTERVAL=24;BYHOUR=4",
         "20260101T030000Z ."},
        {"every day", "20260227T020000Z", "FREQ=DAILY",
         "20260227T020000Z 20260228T020000Z 20260301T020000Z"},
        {"every day, over a leap day", "20280228T020000Z", "FREQ=DAILY",
         "20280228T020000Z 20280229T020000Z 20280301T020000Z"},
        {"2100 is no leap year", "21000228T020000Z", "FREQ=DAILY",
         "21000228T020000Z 21000301T020000Z"},
        {"2000 was one", "20000228T020000Z", "FREQ=DAILY", "20000228T020000Z 20000229T020000Z"},
        {"every third day", "20260130T020000Z", "FREQ=DAILY;INTERVAL=3",
         "20260130T020000Z 20260202T020000Z 20260205T020000Z"},
        {"hours and minutes of a day", "20260101T060000Z", "FREQ=DAILY;BYHOUR=6,18;BYMINUTE=0,30",
         "20260101T060000Z 20260101T063000Z 20260101T180000Z 20260101T183000Z 20260102T060000Z"},
        {"days on the 13th that are Fridays", "20260213T000000Z",
         "FREQ=DAILY;BYDAY=FR;BYMONTHDAY=13",
         "20260213T000000Z 20260313T000000Z 20261113T000000Z 20270813T000000Z"},
        {"a base the rule leaves out is the first all the same", "20260107T050000Z",
         "FREQ=DAILY;BYHOUR=2", "20260107T050000Z 20260108T020000Z 20260109T020000Z"},
        {"every week", "20260107T020000Z", "FREQ=WEEKLY",
         "20260107T020000Z 20260114T020000Z 20260121T020000Z"},
        {"two days a week", "20260105T020000Z", "FREQ=WEEKLY;BYDAY=MO,TH",
         "20260105T020000Z 20260108T020000Z 20260112T020000Z 20260115T020000Z"},
        {"every other week, which begins on Monday", "20260104T020000Z",
         "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO",
         "20260104T020000Z 20260112T020000Z 20260118T020000Z 20260126T020000Z"},
        {"every month", "20260115T020000Z", "FREQ=MONTHLY",
         "20260115T020000Z 20260215T020000Z 20260315T020000Z"},
        {"the 31st is not in every month", "20260131T020000Z", "FREQ=MONTHLY",
         "20260131T020000Z 20260331T020000Z 20260531T020000Z 20260731T020000Z 20260831T020000Z"},
        {"the 30th is not in February", "20260130T020000Z", "FREQ=MONTHLY",
         "20260130T020000Z 20260330T020000Z 20260430T020000Z"},
        {"the 29th is, in leap years", "20271229T020000Z", "FREQ=MONTHLY",
         "20271229T020000Z 20280129T020000Z 20280229T020000Z 20280329T020000Z"},
        {"several days of a month", "20260101T020000Z", "FREQ=MONTHLY;BYMONTHDAY=1,15,31",
         "20260101T020000Z 20260115T020000Z 20260131T020000Z 20260201T020000Z 20260215T020000Z "
         "20260301T020000Z"},
        {"every quarter of a year", "20251130T020000Z", "FREQ=MONTHLY;INTERVAL=3",
         "20251130T020000Z 20260530T020000Z 20260830T020000Z"},
        {"all Sundays of every other month", "20260201T020000Z", "FREQ=MONTHLY;INTERVAL=2;BYDAY=SU",
         "20260201T020000Z 20260208T020000Z 20260215T020000Z 20260222T020000Z 20260405T020000Z"},
        {"a day that no such month has", "20260228T020000Z",
         "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30", "20260228T020000Z ."},
        {"every year", "20260615T020000Z", "FREQ=YEARLY",
         "20260615T020000Z 20270615T020000Z 20280615T020000Z"},
        {"29 February", "20240229T020000Z", "FREQ=YEARLY",
         "20240229T020000Z 20280229T020000Z 20320229T020000Z"},
        {"29 February past 2100", "20960229T020000Z", "FREQ=YEARLY",
         "20960229T020000Z 21040229T020000Z"},
        {"the first of each month, by year", "20261101T020000Z", "FREQ=YEARLY;BYMONTHDAY=1",
         "20261101T020000Z 20261201T020000Z 20270101T020000Z"},
        {"further than a life", "20260101T000000Z", "FREQ=YEARLY;INTERVAL=101",
         "20260101T000000Z ."},
        {"a count", "20260101T000000Z", "FREQ=DAILY;COUNT=3",
         "20260101T000000Z 20260102T000000Z 20260103T000000Z ."},
        {"a count of one", "20260101T000000Z", "FREQ=DAILY;COUNT=1", "20260101T000000Z ."},
        {"a count takes in the base that the rule leaves out", "20260101T050000Z",
         "FREQ=DAILY;BYHOUR=2;COUNT=2", "20260101T050000Z 20260102T020000Z ."},
        {"until, that moment too", "20260101T000000Z", "FREQ=DAILY;UNTIL=20260103T000000Z",
         "20260101T000000Z 20260102T000000Z 20260103T000000Z ."},
        {"until just before", "20260101T000000Z", "FREQ=DAILY;UNTIL=20260102T235959Z",
         "20260101T000000Z 20260102T000000Z ."},
        {"until before the base", "20260101T000000Z", "FREQ=DAILY;UNTIL=20251231T000000Z", "."},
        {"until in local time", "20260701T000000", "FREQ=DAILY;UNTIL=20260702T000000",
         "20260630T220000Z 20260701T220000Z .", bern},
        {"letters of either case", "20260105T000000Z", "freq=weekly;byday=mo,We",
         "20260105T000000Z 20260107T000000Z 20260112T000000Z"},
        {"the end of what can be written", "99991231T000000Z", "FREQ=DAILY", "99991231T000000Z ."},

        {"a day of local time over the change to summer", "20260328T023000", "FREQ=DAILY",
         "20260328T013000Z 20260329T010000Z 20260330T003000Z", bern},
        {"and to winter", "20261024T023000", "FREQ=DAILY",
         "20261024T003000Z 20261025T003000Z 20261026T013000Z", bern},
        {"UTC takes no notice", "20260328T023000Z", "FREQ=DAILY",
         "20260328T023000Z 20260329T023000Z 20260330T023000Z", bern},
        {"hours over the gap: 1, 3, 4", "20260329T013000", "FREQ=HOURLY",
         "20260329T003000Z 20260329T010000Z 20260329T013000Z 20260329T023000Z", bern},
        {"minutes within the gap are one", "20260329T013000", "FREQ=MINUTELY;INTERVAL=15",
         "20260329T003000Z 20260329T004500Z 20260329T010000Z 20260329T011500Z", bern},
        {"what is one is counted once", "20260329T013000", "FREQ=MINUTELY;INTERVAL=15;COUNT=4",
         "20260329T003000Z 20260329T004500Z 20260329T010000Z 20260329T011500Z .", bern},
        {"hours over the doubled one: it runs once", "20261025T010000", "FREQ=HOURLY",
         "20261024T230000Z 20261025T000000Z 20261025T020000Z 20261025T030000Z", bern},
        {"minutes too", "20261025T023000", "FREQ=MINUTELY;INTERVAL=15",
         "20261025T003000Z 20261025T004500Z 20261025T020000Z", bern},
        {"weeks keep the time of day", "20260322T030000", "FREQ=WEEKLY",
         "20260322T020000Z 20260329T010000Z 20260405T010000Z", bern},
        {"the day is that of the wall", "20260105T003000", "FREQ=WEEKLY;BYDAY=MO",
         "20260104T233000Z 20260111T233000Z", bern},
        {"west of Greenwich", "20260307T023000", "FREQ=DAILY",
         "20260307T073000Z 20260308T070000Z 20260309T063000Z", new_york},
        {"half an hour", "20261003T021500", "FREQ=DAILY",
         "20261002T154500Z 20261003T153000Z 20261004T151500Z", lord_howe},
};

static void times_of(const struct rule_row *r, char *out, size_t room)
{
        odm_zone z = zone_of(r->zone);
        odm_recur rule = {.freq = ODM_FREQ_ONCE};
        odm_moment base;
        odm_wall at;
        size_t n = 0;
        int rc = 1;

        assert_int_equal(odm_moment_parse(odm_cstr(r->base), &base), 0);
        if (r->rule && odm_recur_parse(odm_cstr(r->rule), &rule) != 0)
                fail_msg("%s: '%s' is no rule", r->why, r->rule);
        odm_wall after = {odm_moment_wall(base, &z).s - 1};
        out[0] = 0;
        for (const char *w = r->want; rc == 1 && w;
             w = strchr(w, ' ') ? strchr(w, ' ') + 1 : NULL) {
                char text[ODM_WALL_TEXT] = ".";
                rc = odm_recur_next(&rule, base, &z, after, &at);
                if (rc == 1) {
                        odm_wall_format(at, text);
                        after = at;
                }
                n += (size_t)snprintf(out + n, room - n, "%s%s", n ? " " : "", text);
        }
}

static void rules_give_the_times_of_the_table(void **state)
{
        char got[256];

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rules); i++) {
                times_of(&rules[i], got, sizeof got);
                if (strcmp(got, rules[i].want) != 0)
                        fail_msg("%s: %s %s gave %s, not %s", rules[i].why, rules[i].base,
                                 rules[i].rule ? rules[i].rule : "once", got, rules[i].want);
        }
}

/* Whoever looks in between sees the same times as who looks at each. */
static void the_time_of_looking_does_not_matter(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rules); i++) {
                odm_zone z = zone_of(rules[i].zone);
                odm_recur rule = {.freq = ODM_FREQ_ONCE};
                odm_moment base;
                odm_wall first, again;
                assert_int_equal(odm_moment_parse(odm_cstr(rules[i].base), &base), 0);
                if (rules[i].rule)
                        assert_int_equal(odm_recur_parse(odm_cstr(rules[i].rule), &rule), 0);
                odm_wall after = {odm_moment_wall(base, &z).s - 1};
                for (int k = 0; k < 5 && odm_recur_next(&rule, base, &z, after, &first); k++) {
                        for (int64_t s = after.s; s < first.s; s += (first.s - after.s) / 3 + 1)
                                if (odm_recur_next(&rule, base, &z, (odm_wall){s}, &again) != 1 ||
                                    again.s != first.s)
                                        fail_msg("%s: seen from %lld", rules[i].why, (long long)s);
                        after = first;
                }
        }
}

static void what_was_missed_is_counted(void **state)
{
        static const struct {
                const char *why, *base, *rule, *after, *now, *want;
                unsigned n;
        } rows[] = {
                {"nothing yet", "20260101T020000Z", "FREQ=DAILY", "20260101T020000Z",
                 "20260102T015959Z", NULL, 0},
                {"just now", "20260101T020000Z", "FREQ=DAILY", "20260101T020000Z",
                 "20260102T020000Z", "20260102T020000Z", 1},
                {"the base", "20260101T020000Z", NULL, "20251231T000000Z", "20260102T000000Z",
                 "20260101T020000Z", 1},
                {"not again", "20260101T020000Z", NULL, "20260101T020000Z", "20260102T000000Z",
                 NULL, 0},
                {"a week off", "20260101T020000Z", "FREQ=DAILY", "20260103T020000Z",
                 "20260110T120000Z", "20260110T020000Z", 7},
                {"a year off, each minute", "20250101T000000Z", "FREQ=MINUTELY", "20250101T000000Z",
                 "20260101T000030Z", "20260101T000000Z", ODM_RECUR_COUNT},
                {"counted ones are over", "20260101T020000Z", "FREQ=DAILY;COUNT=5",
                 "20260103T020000Z", "20260301T120000Z", "20260105T020000Z", 2},
                {"until", "20260101T020000Z", "FREQ=DAILY;UNTIL=20260104T020000Z",
                 "20251231T020000Z", "20260301T120000Z", "20260104T020000Z", 4},
                {"the clock was put back", "20260101T020000Z", "FREQ=DAILY", "20260105T020000Z",
                 "20260103T120000Z", NULL, 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_recur rule = {.freq = ODM_FREQ_ONCE};
                odm_moment base;
                odm_wall got = {0};
                unsigned n = 0;
                assert_int_equal(odm_moment_parse(odm_cstr(rows[i].base), &base), 0);
                if (rows[i].rule)
                        assert_int_equal(odm_recur_parse(odm_cstr(rows[i].rule), &rule), 0);
                int rc = odm_recur_latest(&rule, base, NULL, wall(rows[i].after), wall(rows[i].now),
                                          &got, &n);
                if (rc != (rows[i].want != NULL) || n != rows[i].n ||
                    (rc && got.s != wall(rows[i].want).s))
                        fail_msg("%s: rc %d, %u of them, %lld", rows[i].why, rc, n,
                                 (long long)got.s);
        }
}

static void bad_rules_are_refused(void **state)
{
        static const char *const bad[] = {"",
                                          "DAILY",
                                          "FREQ",
                                          "FREQ=",
                                          "FREQ=SECONDLY",
                                          "FREQ=DAILY;",
                                          ";FREQ=DAILY",
                                          "FREQ=DAILY;FREQ=DAILY",
                                          "INTERVAL=2",
                                          "FREQ=DAILY;INTERVAL=0",
                                          "FREQ=DAILY;INTERVAL=10000",
                                          "FREQ=DAILY;INTERVAL=-1",
                                          "FREQ=DAILY;COUNT=0",
                                          "FREQ=DAILY;COUNT=10000",
                                          "FREQ=DAILY;COUNT=3;UNTIL=20260101T000000Z",
                                          "FREQ=DAILY;UNTIL=20260101",
                                          "FREQ=DAILY;BYDAY=",
                                          "FREQ=DAILY;BYDAY=MO,",
                                          "FREQ=DAILY;BYDAY=XX",
                                          "FREQ=MONTHLY;BYDAY=1MO",
                                          "FREQ=DAILY;BYMONTHDAY=0",
                                          "FREQ=DAILY;BYMONTHDAY=32",
                                          "FREQ=DAILY;BYMONTHDAY=-1",
                                          "FREQ=WEEKLY;BYMONTHDAY=1",
                                          "FREQ=DAILY;BYHOUR=24",
                                          "FREQ=DAILY;BYMINUTE=60",
                                          "FREQ=DAILY;BYMINUTE=1,,2",
                                          "FREQ=DAILY;BYSECOND=1",
                                          "FREQ=YEARLY;BYMONTH=3",
                                          "FREQ=WEEKLY;WKST=SU",
                                          "FREQ=DAILY;BYSETPOS=1",
                                          "RRULE:FREQ=DAILY",
                                          "FREQ=DAILY ;INTERVAL=2",
                                          "FREQ=DAILY,HOURLY"};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(bad); i++) {
                odm_recur r = {.interval = 99};
                odm_str in = exact_copy(bad[i]);
                if (odm_recur_parse(in, &r) != ODM_EMALFORMED || r.interval != 99)
                        fail_msg("'%s' was taken", bad[i]);
                exact_free(in);
        }
}

static void what_is_an_interval(void **state)
{
        static const struct {
                const char *rule;
                bool is;
        } rows[] = {{"FREQ=MINUTELY;INTERVAL=5", true},
                    {"FREQ=HOURLY;COUNT=2", true},
                    {"FREQ=DAILY", true},
                    {"FREQ=WEEKLY", true},
                    {"FREQ=MONTHLY", false},
                    {"FREQ=YEARLY", false},
                    {"FREQ=DAILY;BYHOUR=2", false},
                    {"FREQ=WEEKLY;BYDAY=MO", false},
                    {"FREQ=HOURLY;BYMINUTE=0", false},
                    {"FREQ=DAILY;BYMONTHDAY=1", false}};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_recur r;
                assert_int_equal(odm_recur_parse(odm_cstr(rows[i].rule), &r), 0);
                if (odm_recur_is_interval(&r) != rows[i].is)
                        fail_msg("%s", rows[i].rule);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(local_times_are_as_the_table_says),
                cmocka_unit_test(bad_times_are_refused),
                cmocka_unit_test(rules_give_the_times_of_the_table),
                cmocka_unit_test(the_time_of_looking_does_not_matter),
                cmocka_unit_test(what_was_missed_is_counted),
                cmocka_unit_test(bad_rules_are_refused),
                cmocka_unit_test(what_is_an_interval),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
