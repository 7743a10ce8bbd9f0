/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements of devices: who is read and who tells, what is news, what outlives a restart, what
 * is told together. */
#include "odm/values.h"
#include "report.h"
#include "support.h"
#include "yard.h"

#define AT "./GwMO/Config/Ext/Reports/"
#define WINDOW "./GwMO/Config/Alerts/ReportWindow"
#define LEVEL "./Ext/Level"

static const part_class *const classes[] = {&part_gwconfig, &part_gwinventory, &part_gwmount,
                                            &part_gwreport, &part_gwnorth,     NULL};

static int setup(void **arg)
{
        static const char *const settings[] = {"gateway.samples=1000", NULL};

        (void)arg;
        yard_set_up(classes, settings);
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, WINDOW, "0", ODM_FMT_INT), 200);
        return 0;
}

static void add(const char *rule, const char *name, const char *value, odm_format format)
{
        char uri[96];

        snprintf(uri, sizeof uri, AT "%s%s%s", rule, name ? "/" : "", name ? name : "");
        assert_int_equal(yard_do(NULL, ODM_CMD_ADD, uri, value, name ? format : ODM_FMT_NODE), 200);
}

static bool is_watched(void *ctx)
{
        return report_counted(yard.g).watched == *(size_t *)ctx;
}

/* A rule on all devices; until it has found `n` more of them. */
static void rule(const char *name, const char *nodes, const char *interval, size_t n)
{
        size_t watched = report_counted(yard.g).watched + n;

        add(name, NULL, NULL, ODM_FMT_NODE);
        add(name, "Match", "id=*", ODM_FMT_CHR);
        add(name, "Nodes", nodes, ODM_FMT_CHR);
        if (interval)
                add(name, "Interval", interval, ODM_FMT_INT);
        assert_true(yard_turn(3000, is_watched, &watched));
}

static fake_device *a_meter(const char *id, const char *level)
{
        fake_device *d = yard_attach(id);

        fake_set(d, LEVEL, level, ODM_FMT_INT);
        return d;
}

static bool is_kept(void *ctx)
{
        return report_counted(yard.g).kept >= *(uint64_t *)ctx;
}

static void until_kept(uint64_t n)
{
        if (!yard_turn(5000, is_kept, &n))
                fail_msg("%llu are kept", (unsigned long long)report_counted(yard.g).kept);
}

static bool is_told(void *ctx)
{
        return yard_alerts(ODM_VALUES_ALERT) >= *(unsigned *)ctx;
}

/* Values in alerts that wait, without their times, into yard.text. */
static void told(unsigned alerts)
{
        if (!yard_turn(5000, is_told, &alerts) || yard_alerts(ODM_VALUES_ALERT) != alerts)
                fail_msg("%u alerts: %s", yard_alerts(ODM_VALUES_ALERT), yard.text);
}

static struct {
        uint64_t id[256];
        size_t n;
} heard;

static int hear(void *ctx, const odm_alert *a)
{
        (void)ctx;
        assert_true(heard.n < ODM_COUNT(heard.id));
        heard.id[heard.n++] = a->id;
        return 0;
}

/* With the server: it answers all alerts, or none. */
static void session(bool answered)
{
        heard.n = 0;
        assert_int_equal(parts_alerts(yard.parts, ODM_STR(YARD_SERVER), loop_wall(), hear, NULL),
                         0);
        for (size_t i = 0; answered && i < heard.n; i++)
                parts_alerted(yard.parts, heard.id[i], 200);
        parts_rest(yard.parts, answered);
}

static void what_a_device_tells_is_kept_when_it_changed(void **arg)
{
        (void)arg;
        fake_device *d = a_meter("one", "10");
        rule("level", LEVEL, NULL, 1);
        assert_non_null(strstr(fake_log(yard.fake), "observe d0001 " LEVEL));
        fake_changed(d, LEVEL);
        fake_changed(d, LEVEL);
        until_kept(1);
        told(1);
        fake_set(d, LEVEL, "11", ODM_FMT_INT);
        fake_changed(d, LEVEL);
        until_kept(2);
        assert_int_equal(report_counted(yard.g).kept, 2);
        assert_true(report_counted(yard.g).same >= 1);
        session(false);
        assert_int_equal(report_counted(yard.g).waiting, 1); /* the first is not answered */
        told(1);
        assert_non_null(strstr(yard.text, "<Node URI=\"" LEVEL "\" Format=\"int\">"
                                          "<V Key=\"d0001\" At=\"0\">10</V></Node>"));
        session(true);
        told(1);
        assert_non_null(strstr(yard.text, ">11</V>"));
        assert_int_equal(report_counted(yard.g).waiting, 0);
}

/* So long by the clock of the loop, whatever the time of day does meanwhile. */
static void what_is_told_again_is_so_when_the_clock_is_set_back(void **arg)
{
        adapter_node v = {.path = ODM_STR(LEVEL),
                          .value = {.format = ODM_FMT_INT, .data = ODM_STR("10")},
                          .has_data = true,
                          .at = {loop_wall().s}};

        (void)arg;
        fake_device *d = a_meter("one", "10");
        rule("level", LEVEL, NULL, 1);
        add("level", "Most", "60", ODM_FMT_INT);
        (void)yard_turn(800, NULL, NULL);
        uint64_t before = report_counted(yard.g).kept;
        devices_changed(yard.g, fake_record(d), &v, 1);
        until_kept(before + 1);
        loop_skip(61000);
        v.at.s -= 86400;
        devices_changed(yard.g, fake_record(d), &v, 1);
        until_kept(before + 2);
}

static void of_transparent_ones_nothing_is_read(void **arg)
{
        static const char mode[] = "./GwMO/Inventory/Records/d0001/Mode";
        size_t watched = 0;

        (void)arg;
        fake_device *d = a_meter("one", "10");
        fake_caps(d, ADAPTER_READ);
        rule("level", LEVEL, "1", 1);
        until_kept(1);
        while (gw_busy(yard.g, fake_record(d)))
                (void)yard_turn(5, NULL, NULL);
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, mode, "1", ODM_FMT_INT), 200);
        assert_true(is_watched(&watched));
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, mode, "3", ODM_FMT_INT), 200);
        until_kept(2);
}

static void others_are_read_again_and_again(void **arg)
{
        (void)arg;
        fake_device *d = a_meter("one", "10");
        fake_caps(d, ADAPTER_READ);
        rule("level", LEVEL " ./Ext/None", "1", 1);
        until_kept(1);
        fake_set(d, LEVEL, "12", ODM_FMT_INT);
        until_kept(2);
        assert_int_equal(report_counted(yard.g).kept, 2);
}

static void one_that_sleeps_is_read_when_it_wakes(void **arg)
{
        (void)arg;
        fake_device *d = a_meter("one", "10");
        fake_sleep(d, 60000);
        rule("level", LEVEL, "1", 1);
        (void)yard_turn(1500, NULL, NULL);
        assert_int_equal(report_counted(yard.g).kept, 0);
        fake_wake(d, 0);
        until_kept(1);
}

static void small_steps_are_no_news(void **arg)
{
        (void)arg;
        fake_device *d = a_meter("one", "10");
        rule("level", LEVEL, NULL, 1);
        add("level", "Step", "5", ODM_FMT_FLOAT);
        (void)yard_turn(800, NULL, NULL);
        static const struct {
                const char *value;
                unsigned kept;
        } steps[] = {{"10", 1}, {"14", 1}, {"15", 2}, {"11", 2}, {"10", 3}, {"x", 4}, {"x", 4}};
        uint64_t before = report_counted(yard.g).kept;
        for (size_t i = 0; i < ODM_COUNT(steps); i++) {
                fake_set(d, LEVEL, steps[i].value, ODM_FMT_CHR);
                fake_changed(d, LEVEL);
                until_kept(before + steps[i].kept);
        }
        (void)yard_turn(1200, NULL, NULL);
        assert_int_equal(report_counted(yard.g).kept, before + 4);
}

static void they_are_told_together_and_outlive_a_restart(void **arg)
{
        (void)arg;
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, WINDOW, "3600", ODM_FMT_INT), 200);
        fake_device *one = a_meter("one", "1"), *two = a_meter("two", "2");
        rule("level", LEVEL, NULL, 2);
        fake_changed(one, LEVEL);
        fake_changed(two, LEVEL);
        until_kept(2);
        assert_int_equal(yard_alerts(ODM_VALUES_ALERT), 0);
        assert_int_equal(report_counted(yard.g).waiting, 2);
        yard_stop();
        yard_start(classes);
        assert_int_equal(report_counted(yard.g).waiting, 2);
        one = a_meter("one", "3");
        size_t watched = 1;
        assert_true(yard_turn(3000, is_watched, &watched));
        fake_changed(one, LEVEL);
        until_kept(1);
        /* a session that is held anyway takes them along */
        session(false);
        told(1);
        assert_non_null(strstr(yard.text, ">1</V>"));
        assert_non_null(strstr(yard.text, "Key=\"d0002\""));
        assert_non_null(strstr(yard.text, ">3</V>"));
        assert_int_equal(report_counted(yard.g).waiting, 0);
}

static void the_oldest_make_room(void **arg)
{
        char value[16];

        (void)arg;
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, WINDOW, "3600", ODM_FMT_INT), 200);
        fake_device *d = a_meter("one", "0");
        rule("level", LEVEL, NULL, 1);
        for (int i = 1; i <= 1600; i++) {
                snprintf(value, sizeof value, "%d", i);
                fake_set(d, LEVEL, value, ODM_FMT_INT);
                fake_changed(d, LEVEL);
        }
        until_kept(1600);
        report_counts c = report_counted(yard.g);
        assert_int_equal(c.waiting + c.dropped, c.kept);
        assert_true(c.dropped > 0 && c.waiting <= 1600);
}

/* More than eight alerts of values, as rows. */
static void make_many(void)
{
        char value[16];

        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, WINDOW, "3600", ODM_FMT_INT), 200);
        fake_device *d = a_meter("one", "0");
        fake_set(d, "./Ext/Text", "", ODM_FMT_CHR);
        rule("level", LEVEL " ./Ext/Text", NULL, 1);
        for (int i = 1; i <= 900; i++) {
                char text[251];
                memset(text, 'x', 250);
                text[250] = '\0';
                snprintf(value, sizeof value, "%d", i);
                memcpy(text, value, strlen(value));
                fake_set(d, "./Ext/Text", text, ODM_FMT_CHR);
                fake_changed(d, "./Ext/Text");
        }
        until_kept(900);
}

static void many_are_several_alerts_but_not_all_at_once(void **arg)
{
        (void)arg;
        make_many();
        size_t before = north_waiting(yard.g->north);
        session(false);
        assert_int_equal(north_waiting(yard.g->north) - before, REPORT_ALERTS);
        assert_true(report_counted(yard.g).waiting > 0);
}

/* Of the alerts that are to go there is room for two: the rest stays rows, and nothing of them is
 * left with the alerts. */
static void what_is_too_much_for_the_north_stays_rows(void **arg)
{
        const odm_alert other = {.code = ODM_ALERT_GENERIC, .type = ODM_STR("urn:x:other")};

        (void)arg;
        make_many();
        yard_set("gateway.alerts=100");
        while (north_waiting(yard.g->north) < 98)
                assert_int_equal(north_add(yard.g, NULL, NORTH_EVENT, &other, loop_wall(), NULL),
                                 0);
        session(false);
        assert_int_equal(north_waiting(yard.g->north), 100);
        for (int i = 0; i < 10; i++)
                session(true);
        assert_int_equal(report_counted(yard.g).waiting, 0);
        assert_int_equal(north_waiting(yard.g->north), 0);
}

static void who_may_not_read_a_device_is_told_nothing(void **arg)
{
        (void)arg;
        (void)a_meter("one", "1");
        assert_int_equal(
                yard_do(NULL, ODM_CMD_REPLACE, "./GwDev/d0001?prop=ACL", "Get=srv", ODM_FMT_CHR),
                200);
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, "./GwMO/Config/Ext?prop=ACL",
                                 "Add=*&Get=*&Replace=*", ODM_FMT_CHR),
                         200);
        assert_int_equal(yard_do("other", ODM_CMD_ADD, AT "o", NULL, ODM_FMT_NODE), 200);
        assert_int_equal(yard_do("other", ODM_CMD_ADD, AT "o/Match", "id=*", ODM_FMT_CHR), 200);
        assert_int_equal(yard_do("other", ODM_CMD_ADD, AT "o/Nodes", LEVEL, ODM_FMT_CHR), 200);
        rule("mine", LEVEL, NULL, 1); /* and not two */
        (void)yard_turn(700, NULL, NULL);
        assert_int_equal(report_counted(yard.g).watched, 1);
}

static void a_right_that_is_taken_away_ends_it(void **arg)
{
        static const char acl[] = "./GwDev?prop=ACL";
        size_t n = 0;

        (void)arg;
        (void)a_meter("one", "1");
        rule("level", LEVEL, "1", 1);
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, acl, "Get=other&Replace=srv", ODM_FMT_CHR),
                         200);
        assert_true(yard_turn(3000, is_watched, &n));
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, acl, "Get=srv&Replace=srv", ODM_FMT_CHR),
                         200);
        n = 1;
        assert_true(yard_turn(3000, is_watched, &n));
}

static void other_settings_change_nothing(void **arg)
{
        (void)arg;
        fake_device *d = a_meter("one", "1");
        rule("level", LEVEL, NULL, 1);
        fake_changed(d, LEVEL);
        until_kept(1);
        fake_log_clear(yard.fake);
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, "./GwMO/Config/Alerts/BatchWindow", "7",
                                 ODM_FMT_INT),
                         200);
        rule("second", "./DevDetail/FwV", NULL, 1);
        (void)yard_turn(1500, NULL, NULL);
        assert_null(strstr(fake_log(yard.fake), LEVEL)); /* it is not asked for anew */
        assert_int_equal(report_counted(yard.g).kept, 1);
}

static void a_rule_that_goes_ends_it(void **arg)
{
        size_t none = 0;

        (void)arg;
        (void)a_meter("one", "1");
        rule("level", LEVEL, "1", 1);
        until_kept(1);
        assert_int_equal(yard_do(NULL, ODM_CMD_DELETE, AT "level", NULL, ODM_FMT_ABSENT), 200);
        assert_true(yard_turn(3000, is_watched, &none));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, yard_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_a_device_tells_is_kept_when_it_changed),
                TEST(what_is_told_again_is_so_when_the_clock_is_set_back),
                TEST(of_transparent_ones_nothing_is_read),
                TEST(others_are_read_again_and_again),
                TEST(one_that_sleeps_is_read_when_it_wakes),
                TEST(small_steps_are_no_news),
                TEST(they_are_told_together_and_outlive_a_restart),
                TEST(the_oldest_make_room),
                TEST(many_are_several_alerts_but_not_all_at_once),
                TEST(what_is_too_much_for_the_north_stays_rows),
                TEST(who_may_not_read_a_device_is_told_nothing),
                TEST(a_right_that_is_taken_away_ends_it),
                TEST(other_settings_change_nothing),
                TEST(a_rule_that_goes_ends_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
