/* SPDX-License-Identifier: Apache-2.0 */
/* watch_test.c - what devices tell: traps, what they send, what is observed. */
#include <math.h>

#include "stage.h"

static void error_codes_become_traps(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "", STAGE_D1);
        assert_null(strstr(s.told, "alert"));
        device_tell(&d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x01"), ODM_LW_TLV);
        stage_until(&s, s.told, "TrapNotification");
        s.told[0] = 0;
        /* refused: all is as it was */
        assert_int_equal(device_say(&d, CO_POST, "rd", "ep=d1&lwm2m=1.0", "<3/0"), CO_BAD_REQUEST);
        device_tell(&d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x00"), ODM_LW_TLV);
        stage_until(&s, s.told, "TrapInactiveNotification");
        stage_end(&s);
}

/* What a device sends is answered when it is read, and its alerts are kept. */
static void alerts_are_kept_before_they_are_answered(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "", "ep=d1&lwm2m=1.1&lt=60");
        stage_pass(&s, 20);
        assert_int_equal(device_send(&d, ODM_STR("[{\"n\":")), CO_BAD_REQUEST);
        s.full = true;
        device_have(&d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x07"), ODM_LW_TLV);
        assert_int_equal(device_send(&d, ODM_STR("[{\"bn\":\"/3/0/11/0\",\"v\":7}]")),
                         CO_UNAVAILABLE);
        s.full = false;
        assert_int_equal(device_send(&d, ODM_STR("[{\"bn\":\"/3/0/11/0\",\"v\":7}]")), CO_CHANGED);
        assert_non_null(strstr(s.told, "alert ./Trap/error7 urn:oma:at:diagmon:1.0:TrapNot"));
        /* so with a notification, which is looked for again */
        s.full = true;
        s.told[0] = 0;
        device_tell(&d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x00"), ODM_LW_TLV);
        device_have(&d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x00"), ODM_LW_TLV);
        stage_pass(&s, 50);
        assert_null(strstr(s.told, "alert"));
        s.full = false;
        loop_skip(5000);
        stage_until(&s, s.told, "alert ./Trap/error7 urn:oma:at:diagmon:1.0:TrapInactive");
        stage_end(&s);
}

static void observed_values_are_told(void **state)
{
        stage s;
        device d;
        gw_device *r;
        const adapter_attrs attrs = {.pmin_s = 5, .pmax_s = -1, .gt = NAN, .lt = 20, .st = NAN};

        (void)state;
        stage_begin_with(&s, &d, "", STAGE_D1);
        r = s.records[0];
        lwm2m_class.observe(s.adapter, 1, r, r->native,
                            ODM_STR("./DiagMon/Battery/DiagMonData/1/BatteryLevel"), &attrs, 5000);
        assert_int_equal(stage_replied(&s, 1), 200);
        assert_non_null(strstr(d.asked, "PUT 3/0/9?pmin=5\n"));
        assert_non_null(strstr(d.asked, "GET 3/0/9 observe\n"));
        device_tell(&d, "3/0/9", ODM_STR("12"), ODM_LW_TEXT);
        stage_until(&s, s.told, "BatteryLevel=12\n");
        stage_end(&s);
}

/* A server writes what it wants to know, and hears of it. */
static void observations_are_ordered_by_nodes(void **state)
{
        adapter_node v[] = {
                {.path = ODM_STR("./LwM2M/Observe/hot"), .value.format = ODM_FMT_NODE},
                {.path = ODM_STR("./LwM2M/Observe/hot/Ref"),
                 .value = {.format = ODM_FMT_CHR,
                           .data = ODM_STR("./DiagMon/Battery/DiagMonData/1/BatteryLevel")},
                 .has_data = true},
                {.path = ODM_STR("./LwM2M/Observe/hot/gt"),
                 .value = {.format = ODM_FMT_FLOAT, .data = ODM_STR("80")},
                 .has_data = true},
        };
        stage s;
        device d;
        gw_device *r;

        (void)state;
        stage_begin_with(&s, &d, "", STAGE_D1);
        r = s.records[0];
        lwm2m_class.create(s.adapter, 1, r, r->native, v, ODM_COUNT(v), 5000);
        assert_int_equal(stage_replied(&s, 1), 200);
        stage_until(&s, d.asked, "PUT 3/0/9?gt=80\n");
        stage_until(&s, d.asked, "GET 3/0/9 observe\n");
        stage_until(&s, s.told, "BatteryLevel urn:oma:at:diagmon:1.0:CollectedSimpleDataReport 77");
        stage_read(&s, 2, "./LwM2M/Observe/hot/Status");
        assert_string_equal(s.nodes, "./LwM2M/Observe/hot/Status=200 ");
        device_tell(&d, "3/0/9", ODM_STR("81"), ODM_LW_TEXT);
        stage_until(&s, s.told, "CollectedSimpleDataReport 81");
        stage_until(&s, s.told,
                    "alert ./LwM2M/Observe/hot urn:oma:at:diagmon:1.0:TrapNotification 81");
        device_tell(&d, "3/0/9", ODM_STR("80"), ODM_LW_TEXT);
        stage_until(&s, s.told, "TrapInactiveNotification 80");
        stage_reopen(&s); /* it is asked for again */
        device_forget(&d);
        device_enrol(&d, STAGE_D1);
        stage_until(&s, d.asked, "PUT 3/0/9?gt=80\n");
        stage_until(&s, d.asked, "GET 3/0/9 observe\n");
        stage_pass(&s, 20);
        r = s.records[0];
        lwm2m_class.remove(s.adapter, 3, r, r->native, ODM_STR("./LwM2M/Observe/hot"), 5000);
        assert_int_equal(stage_replied(&s, 3), 200);
        s.told[0] = 0;
        device_tell(&d, "3/0/9", ODM_STR("90"), ODM_LW_TEXT);
        stage_pass(&s, 50);
        assert_null(strstr(s.told, "=90"));
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(error_codes_become_traps),
                cmocka_unit_test(alerts_are_kept_before_they_are_answered),
                cmocka_unit_test(observed_values_are_told),
                cmocka_unit_test(observations_are_ordered_by_nodes),
        };

        return RUN_TESTS(tests);
}
