/* SPDX-License-Identifier: Apache-2.0 */
/* Which alert means which alarm, as tables; rules of operators; records of devices. */
#include "alarm_map.h"

#include "alarm_record.h"
#include "support.h"

#define FM "urn:oma:at:x-xrem-fm:1.0:Alarm"
#define UP "org.openmobilealliance.dm.firmwareupdate.update"
#define SC "urn:oma:at:scomo:1.0:OperationComplete"
#define TRAP "urn:oma:at:diagmon:1.0:TrapNotification"
#define OVER "urn:oma:at:diagmon:1.0:TrapInactiveNotification"

static odm_arena arena;

static int open_arena(void **state)
{
        (void)state;
        odm_arena_init(&arena, &heap, (size_t)16 << 20);
        return 0;
}

static int close_arena(void **state)
{
        (void)state;
        odm_arena_done(&arena);
        return 0;
}

static json_t *parse(const char *json)
{
        json_t *o = json_loads(json, 0, NULL);

        assert_non_null(o);
        return o;
}

static void alerts_are_read_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *rules;
                const char *in[4]; /* type, source, mark, data */
                const char *want;  /* "cause source severity type probable text", or "clear ..." */
        } rows[] = {
                {"a trap of ours",
                 "[]",
                 {TRAP, "./Trap/Room", "warning", "3 is low"},
                 "urn:oma:mo:x-xrem-trap-threshold:1.0/Room ./Trap/Room warning "
                 "qualityOfServiceAlarm thresholdCrossed 3 is low"},
                {"the mark of a trap is its severity",
                 "[]",
                 {TRAP, "./Trap/Geo", "critical", ""},
                 "urn:oma:mo:oma-diagmontrap:geo:1.0 ./Trap/Geo critical environmentalAlarm "
                 "thresholdCrossed "},
                {"without a mark, the table's",
                 "[]",
                 {TRAP, "./Trap/HardReboot", NULL, NULL},
                 "urn:oma:mo:oma-diagmontrap:hard-reboot:1.0 ./Trap/HardReboot warning "
                 "equipmentAlarm powerProblem "},
                {"a trap that stands elsewhere",
                 "[]",
                 {TRAP, "./X/Trap/1", "minor", NULL},
                 "trap ./X/Trap/1 minor qualityOfServiceAlarm thresholdCrossed "},
                {"over, in other letters",
                 "[]",
                 {"URN:OMA:AT:DIAGMON:1.0:TrapInactiveNotification", "./Trap/Room", "warning", "9"},
                 "clear urn:oma:mo:x-xrem-trap-threshold:1.0/Room ./Trap/Room 9"},
                {"an alarm of the device",
                 "[]",
                 {FM, "./DiagMon/FM/DiagMonData/4", "critical",
                  "<Alarm><Id>4</Id><Severity>major</Severity><Cause>integrity</Cause>"
                  "<Object>./FUMO/main</Object><Text>a &lt; b &amp; c</Text>"
                  "<Time>20260101T000000Z</Time></Alarm>"},
                 "integrity ./FUMO/main major processingErrorAlarm corruptData a < b & c"},
                {"and its end",
                 "[]",
                 {FM, "./x", NULL,
                  "<Alarm><Severity>cleared</Severity><Cause>integrity</Cause>"
                  "<Object>./FUMO/main</Object></Alarm>"},
                 "clear integrity ./FUMO/main "},
                {"a cause nobody knows",
                 "[]",
                 {FM, "./x", NULL,
                  "<Alarm><Severity>sad</Severity><Cause>door open</Cause></Alarm>"},
                 "door open - indeterminate - - "},
                {"an alarm without a cause",
                 "[]",
                 {FM, "./x", NULL, "<Alarm><Severity>major</Severity></Alarm>"},
                 NULL},
                {"an alarm that is no XML",
                 "[]",
                 {FM, "./x", NULL, "<Alarm><Cause>x</Cause>"},
                 NULL},
                {"an update that failed",
                 "[]",
                 {UP, "./FUMO/main", "critical", "410"},
                 "update-failed ./FUMO/main major processingErrorAlarm softwareError "
                 "410 Firmware update failed"},
                {"one that somebody did not want",
                 "[]",
                 {UP, "./FUMO/main", "critical", "401"},
                 "update-failed ./FUMO/main warning processingErrorAlarm softwareError "
                 "401 User cancelled"},
                {"an update that went well",
                 "[]",
                 {UP, "./FUMO/main", NULL, "200"},
                 "clear update-failed ./FUMO/main 200 Successful"},
                {"a result without a code", "[]", {UP, "./FUMO/main", NULL, "well"}, NULL},
                {"software that failed",
                 "[]",
                 {SC, "./SCM/Download/a", NULL,
                  "<ResultCode>1405</ResultCode><Identifier>a</Identifier>"},
                 "update-failed ./SCM/Download/a major processingErrorAlarm softwareError "
                 "1405 Install failed"},
                {"software that went well",
                 "[]",
                 {SC, "./SCM/Download/a", NULL, "1200"},
                 "clear update-failed ./SCM/Download/a 1200 Successful"},
                {"an alert that means nothing here",
                 "[]",
                 {"urn:oma:at:lawmo:1.0:OperationComplete", "./LAWMO", NULL, "1402"},
                 NULL},
                {"an alert without a type", "[]", {NULL, "./A", NULL, NULL}, NULL},
                {"an operator's alert",
                 "[{\"alert\":\"urn:x:hot\",\"cause\":\"overheat\",\"severity\":\"critical\","
                 "\"event_type\":\"environmentalAlarm\","
                 "\"probable_cause\":\"temperatureUnacceptable\"}]",
                 {"urn:X:hot", "./Fan", "minor", "91 C"},
                 "overheat ./Fan critical environmentalAlarm temperatureUnacceptable 91 C"},
                {"and its end",
                 "[{\"alert\":\"urn:x:cool\",\"cause\":\"overheat\",\"clears\":true}]",
                 {"urn:x:cool", "./Fan", NULL, "40 C"},
                 "clear overheat ./Fan 40 C"},
                {"all of a kind",
                 "[{\"alert\":\"urn:x:*\",\"cause\":\"x\"}]",
                 {"urn:x:whatever", "./A", "fatal", NULL},
                 "x ./A critical - - "},
                {"an operator's severity wins",
                 "[{\"cause\":\"integrity\",\"severity\":\"critical\"}]",
                 {FM, "./x", NULL,
                  "<Alarm><Severity>minor</Severity><Cause>integrity</Cause></Alarm>"},
                 "integrity - critical processingErrorAlarm corruptData "},
                {"the first of them does",
                 "[{\"cause\":\"integ*\",\"severity\":\"minor\"},"
                 "{\"cause\":\"integrity\",\"severity\":\"critical\"}]",
                 {FM, "./x", NULL,
                  "<Alarm><Severity>major</Severity><Cause>integrity</Cause></Alarm>"},
                 "integrity - minor processingErrorAlarm corruptData "},
                {"a cause nobody wants",
                 "[{\"cause\":\"urn:oma:mo:oma-diagmontrap:geo:*\",\"ignore\":true}]",
                 {TRAP, "./Trap/Geo", "warning", NULL},
                 NULL},
                {"an alert nobody wants",
                 "[{\"alert\":\"" TRAP "\",\"ignore\":true}]",
                 {TRAP, "./Trap/Geo", "warning", NULL},
                 NULL},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                json_t *rules = parse(r->rules);
                alarm_map m = {0};
                alarm_news n = {0};
                problem p;
                char got[512] = "";
                const alarm_alert in = {.type = odm_cstr(r->in[0]),
                                        .source = odm_cstr(r->in[1]),
                                        .mark = odm_cstr(r->in[2]),
                                        .data = odm_cstr(r->in[3])};

                problem_init(&p);
                if (!alarm_map_read(rules, &arena, &m, &p))
                        fail_msg("%s: %s", r->why, p.detail);
                int rc = alarm_map_alert(&m, &in, &arena, &n);
                if (rc == 1 && n.clear)
                        snprintf(got, sizeof got, "clear %.*s %.*s %.*s", (int)n.cause.n, n.cause.p,
                                 (int)n.source.n, n.source.p, (int)n.text.n,
                                 n.text.p ? n.text.p : "");
                else if (rc == 1)
                        snprintf(got, sizeof got, "%.*s %.*s %s %s %s %.*s", (int)n.cause.n,
                                 n.cause.p, n.source.n ? (int)n.source.n : 1,
                                 n.source.n ? n.source.p : "-", alarm_severities[n.severity],
                                 n.type < 0 ? "-" : alarm_types[n.type],
                                 n.probable.p ? n.probable.p : "-", (int)n.text.n,
                                 n.text.p ? n.text.p : "");
                if (rc != (r->want != NULL) || strcmp(got, r->want ? r->want : "") != 0)
                        fail_msg("%s: %d '%s', want '%s'", r->why, rc, got, r->want);
                problem_done(&p);
                json_decref(rules);
        }
}

static void rules_that_make_no_sense_are_refused(void **state)
{
        static const struct row {
                const char *why, *rules, *at;
        } rows[] = {
                {"no object", "[1]", "rules[0]"},
                {"nothing named", "[{}]", "rules[0].cause"},
                {"an alert without a cause", "[{\"alert\":\"x\"}]", "rules[0].cause"},
                {"a severity that is none", "[{\"cause\":\"x\",\"severity\":\"bad\"}]",
                 "rules[0].severity"},
                {"cleared is none to give", "[{\"cause\":\"x\",\"severity\":\"cleared\"}]",
                 "rules[0].severity"},
                {"a cause that is not X.733's",
                 "[{\"cause\":\"x\",\"probable_cause\":\"bad luck\"}]", "rules[0].probable_cause"},
                {"a type that is none", "[{\"cause\":\"x\",\"event_type\":\"alarm\"}]",
                 "rules[0].event_type"},
                {"a cause does not clear", "[{\"cause\":\"x\",\"clears\":true}]",
                 "rules[0].clears"},
                {"clears and ignored",
                 "[{\"alert\":\"a\",\"cause\":\"x\",\"clears\":true,"
                 "\"ignore\":true}]",
                 "rules[0].clears"},
                {"many causes of one alert", "[{\"alert\":\"a\",\"cause\":\"x*\"}]",
                 "rules[0].cause"},
                {"a member nobody knows", "[{\"cause\":\"x\"},{\"cause\":\"x\",\"colour\":1}]",
                 "rules[1].colour"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                json_t *rules = parse(rows[i].rules);
                alarm_map m = {.n = 77};
                problem p;

                problem_init(&p);
                assert_false(alarm_map_read(rules, &arena, &m, &p));
                const char *name =
                        json_string_value(json_object_get(json_array_get(p.errors, 0), "name"));
                if (!name || strcmp(name, rows[i].at) != 0)
                        fail_msg("%s: named %s, want %s", rows[i].why, name ? name : "nothing",
                                 rows[i].at);
                assert_int_equal(m.n, 77);
                problem_done(&p);
                json_decref(rules);
        }
}

static void too_many_rules_are_refused(void **state)
{
        json_t *rules = json_array();
        alarm_map m = {0};
        problem p;

        (void)state;
        for (int i = 0; i <= ALARM_RULES_MAX; i++)
                (void)json_array_append_new(rules, json_pack("{s:s}", "cause", "x"));
        problem_init(&p);
        assert_false(alarm_map_read(rules, &arena, &m, &p));
        problem_done(&p);
        (void)json_array_remove(rules, 0);
        problem_init(&p);
        assert_true(alarm_map_read(rules, &arena, &m, &p));
        assert_int_equal(m.n, ALARM_RULES_MAX);
        problem_done(&p);
        json_decref(rules);
}

static void news_of_others_get_what_the_table_says(void **state)
{
        const alarm_map none = {0};
        alarm_news n = {.cause = ODM_STR("unreachable"), .type = -1},
                   mine = {.cause = ODM_STR("unreachable"),
                           .severity = ALARM_MINOR,
                           .type = ALARM_QUALITY,
                           .probable = ODM_STR("congestion")};

        (void)state;
        assert_true(alarm_map_cause(&none, &n));
        assert_int_equal(n.severity, ALARM_MAJOR);
        assert_int_equal(n.type, ALARM_COMMUNICATIONS);
        assert_str(n.probable, "communicationsSubsystemFailure");
        assert_true(alarm_map_cause(&none, &mine));
        assert_int_equal(mine.severity, ALARM_MINOR);
        assert_int_equal(mine.type, ALARM_QUALITY);
        assert_str(mine.probable, "congestion");
}

/* docs/alarms.md has a row for each: `name` in its first column. */
static void the_page_for_users_lists_them_all(void **state)
{
        json_t *list = alarm_map_built_in(), *o;
        char page[65536];
        FILE *f = fopen(DOCS "/alarms.md", "r");
        size_t i, n;

        (void)state;
        assert_non_null(f);
        n = fread(page, 1, sizeof page - 1, f);
        page[n] = 0;
        (void)fclose(f);
        json_array_foreach(list, i, o)
        {
                char head[160];
                const char *alert = json_string_value(json_object_get(o, "alert"));
                const char *cause = json_string_value(json_object_get(o, "cause"));
                const char *word = json_string_value(json_object_get(o, "probable_cause"));
                const char *row;

                snprintf(head, sizeof head, "\n| `%s` |", alert ? alert : cause);
                row = strstr(page, head);
                if (!row)
                        fail_msg("docs/alarms.md has no row %s", head);
                const char *row_end = strchr(row + 1, '\n');
                if (word && (!row_end || !memmem(row, (size_t)(row_end - row), word, strlen(word))))
                        fail_msg("docs/alarms.md: %s is not %s", head, word);
        }
        json_decref(list);
}

static int read_record(failing *f, void *arg)
{
        odm_arena a;
        alarm_record r;
        int rc;

        (void)arg;
        odm_arena_init(&a, &f->mem, 65536);
        rc = alarm_record_read(
                ODM_STR("<Alarm><Cause>a&amp;b</Cause><Text>&lt;&gt;</Text></Alarm>"), &a, &r);
        odm_arena_done(&a);
        return rc;
}

static void records_have_limits(void **state)
{
        char big[ALARM_RECORD_MAX + 2], deep[4096] = "<Alarm>";
        alarm_record r = {0};

        (void)state;
        memset(big, 'x', sizeof big);
        assert_int_equal(alarm_record_read((odm_str){big, ALARM_RECORD_MAX + 1}, &arena, &r),
                         ODM_ELIMIT);
        for (size_t i = 0; i < 400; i++)
                memcpy(deep + 7 + 6 * i, "<Text>", 7);
        assert_int_equal(alarm_record_read(odm_cstr(deep), &arena, &r), ODM_EMALFORMED);
        assert_int_equal(alarm_record_read(ODM_STR("<!DOCTYPE a [<!ENTITY x 'y'>]><Alarm><Cause>&x;"
                                                   "</Cause></Alarm>"),
                                           &arena, &r),
                         ODM_EMALFORMED);
        assert_int_equal(alarm_record_read(ODM_STR("<Other><Cause>x</Cause></Other>"), &arena, &r),
                         ODM_EMALFORMED);
        assert_int_equal(alarm_record_read(ODM_STR("<Alarm><Cause>a</Cause><Text>x<b>y</b>z</Text>"
                                                   "<More><Cause>z</Cause></More></Alarm>"),
                                           &arena, &r),
                         0);
        assert_str(r.cause, "a");
        assert_str(r.text, "x");
        torture(read_record, NULL, 50);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(alerts_are_read_as_the_table_says),
                cmocka_unit_test(rules_that_make_no_sense_are_refused),
                cmocka_unit_test(too_many_rules_are_refused),
                cmocka_unit_test(news_of_others_get_what_the_table_says),
                cmocka_unit_test(the_page_for_users_lists_them_all),
                cmocka_unit_test(records_have_limits),
        };

        return cmocka_run_group_tests(tests, open_arena, close_arena);
}
