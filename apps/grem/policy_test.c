/* SPDX-License-Identifier: Apache-2.0 */
/* policy_test.c - schedules of the gateway that traps of its devices start. */
#include <stdio.h>
#include <string.h>

#include "support.h"
#include "yard.h"

#define LIMIT_MS 10000
#define NOTICE "urn:oma:at:diagmon:1.0:TrapNotification"
#define OVER "urn:oma:at:diagmon:1.0:TrapInactiveNotification"
#define DOOR "urn:oma:mo:x-xrem-trap-threshold:1.0/Door"
#define AT "./Schedule/p"
#define ACTED "write d0001 ./Ext/Level=7"

static const part_class *const classes[] = {
        &part_gwconfig, &part_gwinventory, &part_gwmount,  &part_gwfanout,
        &part_trap,     &part_schedule,    &part_gwpolicy, NULL};

static int setup(void **arg)
{
        fake_device *d;

        (void)arg;
        yard_set_up(classes, NULL);
        for (int i = 0; i < 2; i++) {
                d = yard_attach(i ? "two" : "one");
                fake_set(d, "./Ext/Level", "1", ODM_FMT_CHR);
                fake_set(d, "./Trap/Door/TrapID", DOOR, ODM_FMT_CHR);
                fake_set(d, "./Trap/Gate/TrapID", "urn:x:gate", ODM_FMT_CHR);
        }
        yard_settle();
        return 0;
}

static void leaf(const char *rel, const char *data, odm_format format)
{
        char uri[80];

        snprintf(uri, sizeof uri, AT "%s", rel);
        if (yard_do(NULL, ODM_CMD_ADD, uri, data, format) != 200)
                fail_msg("%s: %u", uri, yard.status);
}

/* What its Activate is answered. */
static unsigned make(const char *trap)
{
        unsigned status;

        leaf("", NULL, ODM_FMT_NODE);
        leaf("/ID", "p", ODM_FMT_CHR);
        leaf("/Condition/1/Trap/TrapID", trap, ODM_FMT_CHR);
        leaf("/Task/1/Cmd",
             "<Replace><Item><Target><LocURI>./GwDev/d0001/Ext/Level</LocURI></Target><Data>7"
             "</Data></Item></Replace>",
             ODM_FMT_XML);
        status = yard_do(NULL, ODM_CMD_EXEC, AT "/Operations/Activate", NULL, ODM_FMT_ABSENT);
        yard_settle(); /* it listens */
        return status;
}

static bool has_acted(void *ctx)
{
        (void)ctx;
        return strstr(fake_log(yard.fake), ACTED) != NULL;
}

static void clear(void)
{
        fake_log_clear(yard.fake);
        (void)yard_do(NULL, ODM_CMD_DELETE, AT, NULL, ODM_FMT_ABSENT);
        yard_settle();
}

/* Each alert is heard on its own: the schedule is made, the device tells, the schedule goes. */
static void traps_of_devices_start_policies(void **arg)
{
        static const struct row {
                const char *why, *trap, *device, *source, *type;
                bool acts;
        } rows[] = {
                {"by its address", "./GwDev/d0001/Trap/Door", "one", "./Trap/Door", NOTICE, true},
                {"by its TrapID", "./GwDev/d0001/" DOOR, "one", "./Trap/Door", NOTICE, true},
                {"of another device", "./GwDev/d0002/" DOOR, "two", "./Trap/Door", NOTICE, true},
                {"in other letters", "./GwDev/d0001/URN:oma:mo:x-xrem-trap-threshold:1.0/door",
                 "one", "./Trap/Door", NOTICE, true},
                {"what is no trap object", "./GwDev/d0001/LwM2M/Observe/hot", "one",
                 "./LwM2M/Observe/hot", NOTICE, true},
                {"it is over", "./GwDev/d0001/" DOOR, "one", "./Trap/Door", OVER, false},
                {"it is no alert of a trap", "./GwDev/d0001/" DOOR, "one", "./Trap/Door",
                 "urn:oma:at:diagmon:1.0:OperationComplete", false},
                {"another trap", "./GwDev/d0001/" DOOR, "one", "./Trap/Gate", NOTICE, false},
                {"the same of another device", "./GwDev/d0001/" DOOR, "two", "./Trap/Door", NOTICE,
                 false},
                {"a trap without a TrapID", "./GwDev/d0001/" DOOR, "one", "./Trap/None", NOTICE,
                 false},
        };

        (void)arg;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                bool acted;

                clear();
                if (make(r->trap) != 1200)
                        fail_msg("%s: not taken: %u", r->why, yard.status);
                assert_int_equal(fake_alert(fake_find(yard.fake, r->device), r->source, r->type,
                                            "it is open", "warning"),
                                 0);
                acted = yard_turn(r->acts ? LIMIT_MS : 150, has_acted, NULL);
                if (acted != r->acts)
                        fail_msg("%s: %s", r->why, fake_log(yard.fake));
        }
        assert_int_equal(yard_alerts(NOTICE), 8); /* all of them went north as well */
}

/* The server is the owner of what is kept; it may not hear of devices that it may not read. */
static void who_may_not_read_a_device_does_not_hear_of_it(void **arg)
{
        (void)arg;
        assert_int_equal(make("./GwDev/d0009/Trap/Door"), 1404);
        clear();
        assert_int_equal(make("./GwDev/d0001/Trap/Door"), 1200);
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, "./GwDev/d0001?prop=ACL",
                                 "Get=other&Replace=" YARD_SERVER, ODM_FMT_CHR),
                         200);
        parts_rest(yard.parts, true); /* a session is over: rights are looked at again */
        assert_int_equal(
                fake_alert(fake_find(yard.fake, "one"), "./Trap/Door", NOTICE, "", "minor"), 0);
        assert_false(yard_turn(150, has_acted, NULL));
        assert_int_equal(yard_get(AT "/State"), 200);
        assert_string_equal(yard.text, AT "/State=70\n");
        clear();
        assert_int_equal(make("./GwDev/d0001/Trap/Door"), 1404);
        assert_int_equal(yard_get(AT "/Ext/xrem/Reason"), 200);
        assert_non_null(strstr(yard.text, "its owner may not read the device of its trap"));
}

/* The device is asked which trap it is, and goes meanwhile. */
static void a_device_that_is_asked_may_go(void **arg)
{
        fake_device *d = fake_find(yard.fake, "one");

        (void)arg;
        assert_int_equal(make("./GwDev/d0001/" DOOR), 1200);
        fake_delay(d, FAKE_SILENT);
        assert_int_equal(fake_alert(d, "./Trap/Door", NOTICE, "", "minor"), 0);
        fake_go(d, ADAPTER_LINK_LOST);
        yard_settle();
        assert_int_equal(devices_remove(yard.g, fake_record(d)), 0);
        yard_settle();
        assert_false(has_acted(NULL));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, yard_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(traps_of_devices_start_policies),
                TEST(who_may_not_read_a_device_does_not_hear_of_it),
                TEST(a_device_that_is_asked_may_go),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
