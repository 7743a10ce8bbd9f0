/* SPDX-License-Identifier: Apache-2.0 */
/* ./GwMO/EDTrigger: who is woken, what is told of it, time to live, restarts. */
#include "support.h"
#include "yard.h"

#define ADD ODM_CMD_ADD
#define EXEC ODM_CMD_EXEC
#define AT "./GwMO/EDTrigger/Trigger/"
#define COMPLETION "urn:oma:at:oma-gwmo:completionstatus:1.0"

static const part_class *const classes[] = {&part_gwconfig, &part_gwinventory, &part_gwmount,
                                            &part_gwfanout, &part_gwtrigger,   NULL};

static int setup(void **arg)
{
        (void)arg;
        return yard_set_up(classes, NULL);
}

static void make(const char *name, const char *target, const char *notification, const char *ttl)
{
        char uri[96];

        snprintf(uri, sizeof uri, AT "%s", name);
        assert_int_equal(yard_do(NULL, ADD, uri, NULL, ODM_FMT_NODE), 200);
        snprintf(uri, sizeof uri, AT "%s/Target", name);
        assert_int_equal(yard_do(NULL, ADD, uri, target, ODM_FMT_CHR), 200);
        snprintf(uri, sizeof uri, AT "%s/Notification", name);
        if (notification)
                assert_int_equal(yard_do(NULL, ADD, uri, notification, ODM_FMT_BIN), 200);
        snprintf(uri, sizeof uri, AT "%s/TTL", name);
        if (ttl)
                assert_int_equal(yard_do(NULL, ADD, uri, ttl, ODM_FMT_INT), 200);
}

static unsigned send_it(const char *name)
{
        char uri[96];

        snprintf(uri, sizeof uri, AT "%s/Operations/Send", name);
        return yard_do(NULL, EXEC, uri, NULL, ODM_FMT_ABSENT);
}

static int status_of(const char *name)
{
        char uri[96];

        snprintf(uri, sizeof uri, AT "%s/Status", name);
        assert_int_equal(yard_get(uri), 200);
        const char *is = strchr(yard.text, '=');
        assert_non_null(is);
        return (int)strtol(is + 1, NULL, 10);
}

static bool is_told(void *ctx)
{
        (void)ctx;
        return yard_alerts(COMPLETION) > 0;
}

static void one_that_is_awake_needs_nothing(void **arg)
{
        (void)arg;
        yard_attach("one");
        make("t", "dev:one", NULL, NULL);
        assert_int_equal(status_of("t"), 0);
        assert_int_equal(send_it("t"), 200);
        assert_int_equal(status_of("t"), 3);
        assert_string_equal(fake_log(yard.fake), "");
        assert_int_equal(yard_alerts(COMPLETION), 0); /* said by the 200 */
}

static void one_that_sleeps_is_woken(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        fake_sleep(one, 0);
        make("t", "dev:one", NULL, NULL);
        assert_int_equal(send_it("t"), 202);
        assert_string_equal(fake_log(yard.fake), "wake d0001\n");
        assert_int_equal(status_of("t"), 1);
        assert_int_equal(send_it("t"), 405); /* it is at it */
        fake_wake(one, 0);
        assert_int_equal(status_of("t"), 3);
        assert_int_equal(yard_alerts(COMPLETION), 1);
        assert_string_equal(yard.text, AT "t:c1:3");
        assert_int_equal(send_it("t"), 200); /* once more */
}

static void a_notification_is_brought(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        fake_sleep(one, 0);
        make("t", "dev:one", "octets of it", NULL);
        assert_int_equal(send_it("t"), 200); /* what becomes of it is between device and server */
        assert_string_equal(fake_log(yard.fake), "wake d0001 12\n");
        assert_int_equal(status_of("t"), 2);
        assert_int_equal(yard_alerts(COMPLETION), 0);
}

static void silent_ones_are_tried_when_they_come(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        fake_sleep(one, 0);
        fake_refuse(one, NULL, 503, "no route");
        make("t", "dev:one", "octets of it", NULL);
        assert_int_equal(send_it("t"), 202);
        assert_int_equal(status_of("t"), 1);
        fake_refuse(one, NULL, 0, NULL);
        fake_wake(one, 0);
        assert_int_equal(status_of("t"), 2);
        assert_string_equal(fake_log(yard.fake), "wake d0001 12\nwake d0001 12\n");
        assert_int_equal(yard_alerts(COMPLETION), 1);
        assert_string_equal(yard.text, AT "t:c1:2");
}

static void refusals_are_told(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one"), *two = yard_attach("two");
        fake_sleep(one, 0);
        fake_sleep(two, 0);
        fake_refuse(one, NULL, 405, "it cannot");
        make("t", "dev:one", NULL, NULL);
        assert_int_equal(send_it("t"), 500);
        assert_int_equal(status_of("t"), 4);
        make("all", "all", NULL, NULL);
        assert_int_equal(send_it("all"), 202); /* two is on its way */
        fake_wake(two, 0);
        assert_int_equal(status_of("all"), 4); /* one of them failed */
        assert_int_equal(yard_alerts(COMPLETION), 1);
        assert_string_equal(yard.text, AT "all:c1:4");
}

static void targets_are_judged(void **arg)
{
        (void)arg;
        make("t", "dev:nobody", NULL, NULL);
        assert_int_equal(send_it("t"), 404);
        assert_int_equal(status_of("t"), 0);
        assert_int_equal(yard_do(NULL, ADD, AT "u", NULL, ODM_FMT_NODE), 200);
        assert_int_equal(send_it("u"), 400); /* no target */
        assert_int_equal(yard_do(NULL, ADD, AT "u/Target", "who:one", ODM_FMT_CHR), 415);
        assert_int_equal(yard_do(NULL, ADD, AT "u/TTL", "0", ODM_FMT_INT), 415);
        assert_int_equal(yard_do(NULL, ADD, AT "u/Status", "3", ODM_FMT_INT), 418);
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, AT "u?prop=Name", "v", ODM_FMT_CHR), 405);
}

/* Whom a server may have do nothing it does not wake either. */
static void it_needs_a_right_to_the_device(void **arg)
{
        const odm_value acl = {.data = ODM_STR("Add=*&Delete=*&Exec=srv+two&Get=*&Replace=*")};
        fake_device *one = yard_attach("one"), *two = yard_attach("two");

        (void)arg;
        fake_sleep(one, 0);
        fake_sleep(two, 0);
        assert_int_equal(
                odm_tree_write(yard.tree, ODM_STR("./GwMO/EDTrigger?prop=ACL"), &acl, loop_wall()),
                0);
        make("t", "dev:one", NULL, NULL);
        make("all", "all", NULL, NULL);
        assert_int_equal(yard_do("two", EXEC, AT "t/Operations/Send", NULL, ODM_FMT_ABSENT), 425);
        assert_int_equal(yard_do("two", EXEC, AT "all/Operations/Send", NULL, ODM_FMT_ABSENT), 425);
        assert_string_equal(fake_log(yard.fake), "");
        assert_int_equal(
                odm_tree_write(yard.tree, ODM_STR("./GwDev/d0002?prop=ACL"), &acl, loop_wall()), 0);
        assert_int_equal(yard_do("two", EXEC, AT "all/Operations/Send", NULL, ODM_FMT_ABSENT), 202);
        assert_string_equal(fake_log(yard.fake), "wake d0002\n");
}

static void it_ends_with_its_time(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        fake_sleep(one, 0);
        fake_refuse(one, NULL, 503, "no route");
        make("t", "dev:one", NULL, "1");
        assert_int_equal(send_it("t"), 202);
        assert_true(yard_turn(5000, is_told, NULL));
        assert_string_equal(yard.text, AT "t:c1:5");
        assert_int_equal(status_of("t"), 5);

        fake_refuse(one, NULL, 0, NULL);
        make("u", "dev:one", NULL, "1");
        assert_int_equal(send_it("u"), 202);
        (void)yard_turn(1500, NULL, NULL);
        assert_int_equal(status_of("u"), 2); /* it was called, and did not come */
}

static void a_restart_forgets_nothing(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        fake_sleep(one, 0);
        make("t", "dev:one", NULL, NULL);
        assert_int_equal(send_it("t"), 202);
        yard_stop();
        yard_start(classes);
        assert_int_equal(status_of("t"), 1);
        yard_attach("one");
        assert_true(yard_turn(5000, is_told, NULL));
        assert_int_equal(yard_alerts(COMPLETION), 1);
        assert_string_equal(yard.text, AT "t:c1:3");
        assert_int_equal(status_of("t"), 3);
        yard_stop();
        yard_start(classes);
        assert_int_equal(status_of("t"), 3);
        assert_int_equal(yard_alerts(COMPLETION), 1); /* once */
}

static void deleted_ones_are_gone(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        fake_delay(one, FAKE_SILENT);
        fake_sleep(one, 0);
        make("t", "dev:one", NULL, NULL);
        assert_int_equal(send_it("t"), 202);
        assert_int_equal(yard_do(NULL, ODM_CMD_DELETE, AT "t", NULL, ODM_FMT_ABSENT), 200);
        assert_non_null(strstr(fake_log(yard.fake), "cancel d0001\n"));
        make("t", "dev:one", NULL, NULL);
        assert_int_equal(status_of("t"), 0);
        yard_settle();
        yard_stop();
        yard_start(classes);
        assert_int_equal(status_of("t"), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, yard_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(one_that_is_awake_needs_nothing),
                TEST(one_that_sleeps_is_woken),
                TEST(a_notification_is_brought),
                TEST(silent_ones_are_tried_when_they_come),
                TEST(refusals_are_told),
                TEST(targets_are_judged),
                TEST(it_needs_a_right_to_the_device),
                TEST(it_ends_with_its_time),
                TEST(a_restart_forgets_nothing),
                TEST(deleted_ones_are_gone),
        };

        return RUN_TESTS(tests);
}
