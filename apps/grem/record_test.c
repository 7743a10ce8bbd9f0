/* SPDX-License-Identifier: Apache-2.0 */
/* Records of devices: what they take of what a device says, and how they are kept when the disk is
 * full for a while. */
#include <signal.h>
#include <sys/resource.h>

#include "cache.h"
#include "odm/inventory.h"
#include "support.h"
#include "yard.h"

static const part_class *const classes[] = {&part_gwconfig, &part_gwinventory, &part_gwmount,
                                            &part_gwnorth, NULL};

static int set_up(void **arg)
{
        (void)arg;
        return yard_set_up(classes, NULL);
}

/* No file gets longer than it is. */
static void disk_is_full(bool is)
{
        struct rlimit l;

        assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
        l.rlim_cur = is ? 1 : l.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static bool has_failed(void *ctx)
{
        store_stats s;

        (void)ctx;
        store_stat(yard.g->store, &s);
        return s.failed > 0;
}

static void a_record_that_went_is_not_in_the_way(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        gw_device *d = fake_record(one);
        assert_string_equal(d->key, "d0001");
        assert_int_equal(yard_alerts(ODM_INV_ATTACHED_ALERT), 1);
        fake_go(one, ADAPTER_DEREGISTERED);
        yard_settle();
        disk_is_full(true);
        assert_int_equal(devices_remove(yard.g, d), 0);
        devices_flush(yard.g->devices);
        assert_true(yard_turn(3000, has_failed, NULL));
        (void)yard_turn(50, NULL, NULL);
        disk_is_full(false);
        one = fake_find(yard.fake, "one");
        assert_non_null(fake_attach(one)); /* a record of its own */
        for (int i = 0; i < 3; i++) {
                loop_skip(2500);
                yard_settle();
        }
        assert_int_equal(yard_alerts(ODM_INV_ATTACHED_ALERT), 1);
        assert_non_null(strstr(yard.text, "Records/d0002"));
}

/* What a server was told is not kept is as in memory, also after the next start. */
static void a_change_that_was_not_kept_is_tried_again(void **arg)
{
        static const char name[] = "./GwMO/Inventory/Records/d0001/Name";

        (void)arg;
        (void)yard_attach("one");
        yard_settle();
        disk_is_full(true);
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, name, "pump", ODM_FMT_CHR), 510);
        disk_is_full(false);
        assert_int_equal(yard_get(name), 200);
        assert_non_null(strstr(yard.text, "/Name=pump"));
        for (int i = 0; i < 3; i++) {
                loop_skip(2500);
                yard_settle();
        }
        yard_stop();
        yard_start(classes);
        assert_int_equal(yard_get(name), 200);
        assert_non_null(strstr(yard.text, "/Name=pump"));
}

static uint64_t rows_of_values(void)
{
        const store_scan all = {.table = &gw_table_cache};
        uint64_t rows = 0;

        assert_int_equal(store_row_count(yard.g->store, &all, 1000, &rows), 0);
        return rows;
}

static void values_of_a_device_that_went_do_not_stay(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        gw_device *d = fake_record(one);
        fake_changed(one, "./DevInfo/Man");
        (void)yard_turn(700, NULL, NULL);
        assert_int_equal(rows_of_values(), 1);
        fake_go(one, ADAPTER_DEREGISTERED);
        yard_settle();
        assert_int_equal(devices_remove(yard.g, d), 0);
        yard_settle();
        disk_is_full(true);
        assert_true(yard_turn(3000, has_failed, NULL));
        (void)yard_turn(50, NULL, NULL);
        disk_is_full(false);
        for (int i = 0; i < 3; i++) {
                loop_skip(2500);
                yard_settle();
        }
        assert_int_equal(rows_of_values(), 0);
}

/* The record is away for good, its values not yet: the gateway is killed. */
static void nor_when_the_gateway_is_killed_meanwhile(void **arg)
{
        char command[256];

        (void)arg;
        fake_device *one = yard_attach("one"), *two = yard_attach("two");
        gw_device *d = fake_record(one);
        fake_changed(one, "./DevInfo/Man");
        fake_changed(two, "./DevInfo/Man");
        (void)yard_turn(700, NULL, NULL);
        assert_int_equal(rows_of_values(), 2);
        fake_go(one, ADAPTER_DEREGISTERED);
        yard_settle();
        assert_int_equal(devices_remove(yard.g, d), 0);
        yard_settle();
        assert_int_equal(rows_of_values(), 2);
        snprintf(command, sizeof command, "cp -r %s/state %s/kept", yard.dir, yard.dir);
        assert_int_equal(system(command), 0);
        yard_stop();
        snprintf(command, sizeof command, "rm -r %s/state && mv %s/kept %s/state", yard.dir,
                 yard.dir, yard.dir);
        assert_int_equal(system(command), 0);
        yard_start(classes);
        assert_int_equal(gw_count(yard.g, -1), 1);
        (void)yard_turn(700, NULL, NULL);
        assert_int_equal(rows_of_values(), 1);
        assert_int_equal(yard_get("./GwDev/d0002/DevInfo/Man"), 200);
}

/* A value that was seen while the clock was ahead is not of tomorrow for ever. */
static void a_value_is_not_of_a_time_to_come(void **arg)
{
        const adapter_node ahead = {.path = ODM_STR("./DevInfo/Man"),
                                    .value = {.format = ODM_FMT_CHR, .data = ODM_STR("Fake")},
                                    .has_data = true,
                                    .at = {loop_wall().s + 100000}};
        char when[ODM_WALL_TEXT];

        (void)arg;
        fake_device *one = yard_attach("one");
        devices_changed(yard.g, fake_record(one), &ahead, 1);
        fake_changed(one, "./DevInfo/Man"); /* the same, now */
        fake_sleep(one, 60000);
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man?prop=TStamp"), 200);
        odm_wall_format(ahead.at, when);
        if (strstr(yard.text, when))
                fail_msg("%s", yard.text);
}

/* Several batches were on their way: what was in them is tried again together, after a pause.  None
 * of it is lost, nor told: that each device came waits, and is taken back. */
static void a_full_disk_is_not_tried_over_and_over(void **arg)
{
        store_stats s;
        char id[16];
        size_t waiting;

        (void)arg;
        for (unsigned i = 0; i < 5000; i++) {
                snprintf(id, sizeof id, "d%u", i);
                assert_non_null(fake_attach(fake_new(yard.fake, id)));
        }
        for (int i = 0; i < 20; i++)
                yard_settle();
        waiting = north_waiting(yard.g->north);
        disk_is_full(true);
        for (unsigned i = 0; i < 5000; i++) {
                snprintf(id, sizeof id, "d%u", i);
                fake_go(fake_find(yard.fake, id), ADAPTER_DEREGISTERED);
        }
        (void)yard_turn(1500, NULL, NULL);
        store_stat(yard.g->store, &s);
        disk_is_full(false);
        assert_true(s.failed > 0);
        if (s.failed > 20)
                fail_msg("%llu batches failed", (unsigned long long)s.failed);
        for (int i = 0; i < 3; i++) {
                loop_skip(2500);
                yard_settle();
        }
        yard_stop();
        yard_start(classes);
        assert_int_equal(gw_count(yard.g, GW_DETACHED), 5000);
        assert_int_equal(north_waiting(yard.g->north), waiting - 5000);
}

/* A text that is too long is cut between two characters: no message can hold half of one. */
static void long_texts_are_cut_at_a_character(void **arg)
{
        static const char *const leaves[] = {"Man", "Mod", "DeviceID"};
        char long_text[401];

        (void)arg;
        for (size_t i = 0; i < sizeof long_text - 1; i += 2)
                memcpy(long_text + i, "\xc3\xa9", 2);
        long_text[sizeof long_text - 1] = 0;
        fake_device *one = fake_new(yard.fake, "one");
        fake_set(one, "./DevInfo/Man", long_text, ODM_FMT_CHR);
        fake_set(one, "./DevInfo/Mod", long_text + 2, ODM_FMT_CHR);
        (void)yard_attach("one");
        for (size_t i = 0; i < ODM_COUNT(leaves); i++) {
                char uri[96];
                snprintf(uri, sizeof uri, "./GwMO/Inventory/Records/d0001/%s", leaves[i]);
                assert_int_equal(yard_get(uri), 200);
                assert_true(odm_utf8_ok(odm_cstr(yard.text)));
        }
}

/* ---- what the server is told ------------------------------------------------------------------ */

static int answer(void *ctx, const odm_alert *a)
{
        *(uint64_t *)ctx = a->id;
        return 1;
}

/* The server has heard of all that waits. */
static void hear_all(void)
{
        uint64_t id;

        for (yard_settle(); north_waiting(yard.g->north); north_rest(yard.g->north, true)) {
                assert_int_equal(north_alerts(yard.g->north, ODM_STR(YARD_SERVER), answer, &id), 1);
                north_alerted(yard.g->north, id, 200);
        }
}

#define SOURCE_D1 "./GwMO/Inventory/Records/d0001"

/* Of the states that wait, the one that is told last. */
static const char *last_state(void)
{
        char *last;

        (void)yard_alerts(ODM_INV_STATE_ALERT);
        last = strrchr(yard.text, ' ');
        return last ? last + 1 : yard.text;
}

/* It came and went, or went and came, within one window, which is no news.  What its state was in
 * between is none either, and is put right where the server knows it. */
static void a_state_of_in_between_is_not_the_last_word(void **arg)
{
        (void)arg;
        fake_device *one = fake_new(yard.fake, "one");
        fake_lifetime(one, 600);
        fake_pattern(one, 60, 5);
        assert_non_null(fake_attach(one));
        gw_device *d = fake_record(one);
        yard_settle();
        fake_sleep(one, 60000);
        loop_skip(200000);
        yard_settle();
        assert_int_equal(d->state, GW_UNREACHABLE);
        hear_all(); /* that it is silent */
        loop_skip(500000);
        yard_settle();
        assert_int_equal(d->state, GW_DETACHED);
        assert_non_null(fake_attach(one));
        yard_settle();
        assert_int_equal(yard_alerts(ODM_INV_DETACHED_ALERT), 0);
        assert_string_equal(last_state(), SOURCE_D1 "::1");
        hear_all();
        fake_go(one, ADAPTER_DEREGISTERED); /* nothing but that: no news */
        assert_non_null(fake_attach(one));
        yard_settle();
        assert_int_equal(north_waiting(yard.g->north), 0);
        fake_go(one, ADAPTER_DEREGISTERED);
        hear_all();
        assert_non_null(fake_attach(one));
        yard_settle();
        fake_sleep(one, 60000);
        loop_skip(200000);
        yard_settle();
        assert_int_equal(d->state, GW_UNREACHABLE);
        loop_skip(500000);
        yard_settle();
        assert_int_equal(yard_alerts(ODM_INV_ATTACHED_ALERT), 0);
        assert_string_equal(last_state(), SOURCE_D1 "::4");
}

static void switch_it(gw_device *d, bool on)
{
        const gw_change c = {
                .wake_interval_s = -2, .awake_s = -2, .active = on, .reason = ODM_STR("operator")};

        assert_int_equal(gw_change_device(yard.g, d, &c), 0);
}

/* Switched off and on again, it is as it is then, not as it was. */
static void who_left_while_switched_off_is_gone(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        gw_device *d = fake_record(one);
        switch_it(d, false);
        fake_go(one, ADAPTER_DEREGISTERED);
        switch_it(d, true);
        assert_int_equal(d->state, GW_DETACHED);
        assert_non_null(fake_attach(one));
        assert_int_equal(d->state, GW_ACTIVE);
        switch_it(d, false);
        fake_sleep(one, 60000);
        switch_it(d, true);
        assert_int_equal(d->state, GW_ASLEEP);
        fake_wake(one, 0);
        switch_it(d, false);
        switch_it(d, true);
        assert_true(gw_is_awake(d));
}

/* The clock was set back while the gateway was off: who sleeps is not awaited later for that. */
static void a_clock_set_back_lets_nobody_sleep_longer(void **arg)
{
        (void)arg;
        loop_skip(3600000);
        fake_device *one = fake_new(yard.fake, "one");
        fake_lifetime(one, 86400);
        fake_pattern(one, 60, 5);
        assert_non_null(fake_attach(one));
        yard_settle();
        fake_sleep(one, 60000);
        yard_settle();
        yard_stop();
        loop_skip(-1800000);
        yard_start(classes);
        gw_device *d = gw_by_id(yard.g, ODM_STR("one"));
        assert_int_equal(d->state, GW_ASLEEP);
        loop_skip(75000);
        yard_settle();
        assert_int_equal(d->state, GW_UNREACHABLE);
}

#define MANY 20000 /* with the longest names */

static void write_expected(unsigned i, const char *rel, const char *text, odm_format format)
{
        const odm_value v = {.format = format, .data = odm_cstr(text)};
        char uri[160];

        snprintf(uri, sizeof uri, "./GwMO/Inventory/Ext/Expected/%060u%s", i, rel);
        assert_int_equal(odm_tree_write(yard.tree, odm_cstr(uri), &v, loop_wall()), 0);
}

static int set_up_many(void **arg)
{
        (void)arg;
        return yard_set_up(classes, (const char *const[]){"gateway.devices=20000", NULL});
}

static bool are_expected(void *n)
{
        return gw_count(yard.g, GW_PROVISIONED) == *(size_t *)n;
}

/* A name that is too long for a record is in nobody's way. */
static void all_that_are_expected_stay(void **arg)
{
        size_t n = MANY;
        char id[256];

        (void)arg;
        for (unsigned i = 0; i < MANY; i++) {
                snprintf(id, sizeof id, "%0255u", i);
                write_expected(i, "/DeviceID", id, ODM_FMT_CHR);
        }
        assert_true(yard_turn(20000, are_expected, &n));
        char *name = test_malloc((8 << 20) + 1);
        memset(name, 'x', 8 << 20);
        name[8 << 20] = 0;
        write_expected(0, "/Name", name, ODM_FMT_CHR);
        test_free(name);
        yard_settle();
        assert_true(are_expected(&n));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, yard_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_record_that_went_is_not_in_the_way),
                TEST(a_change_that_was_not_kept_is_tried_again),
                TEST(values_of_a_device_that_went_do_not_stay),
                TEST(nor_when_the_gateway_is_killed_meanwhile),
                TEST(a_value_is_not_of_a_time_to_come),
                TEST(a_full_disk_is_not_tried_over_and_over),
                cmocka_unit_test_setup_teardown(all_that_are_expected_stay, set_up_many,
                                                yard_tear_down),
                TEST(long_texts_are_cut_at_a_character),
                TEST(a_state_of_in_between_is_not_the_last_word),
                TEST(who_left_while_switched_off_is_gone),
                TEST(a_clock_set_back_lets_nobody_sleep_longer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
