/* SPDX-License-Identifier: Apache-2.0 */
/* How many may register: a ceiling for who is new, also after a start with another one. */
#include "stage.h"

static void who_is_known_stays_when_fewer_may_register(void **state)
{
        stage s;
        device one, two, three;

        (void)state;
        stage_begin_with(&s, &one, "devices = 2\n", STAGE_D1);
        device_begin(&s, &two, NULL);
        device_enrol(&two, "ep=d2&lwm2m=1.0&lt=60");
        device_observed(&two);
        device_begin(&s, &three, NULL);
        assert_int_equal(device_register(&three, "ep=d3&lwm2m=1.0&lt=60"), CO_UNAVAILABLE);
        stage_set(&s, "devices = 1\n");
        stage_reopen(&s);
        assert_int_equal(device_update(&one), CO_CHANGED);
        assert_int_equal(device_update(&two), CO_CHANGED);
        assert_int_equal(device_leave(&two), CO_DELETED);
        assert_int_equal(device_register(&three, "ep=d3&lwm2m=1.0&lt=60"), CO_UNAVAILABLE);
        assert_int_equal(device_leave(&one), CO_DELETED);
        assert_int_equal(device_register(&three, "ep=d3&lwm2m=1.0&lt=60"), CO_CREATED);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_is_known_stays_when_fewer_may_register),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
