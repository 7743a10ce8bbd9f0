/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a device is there, as tables.  Times are seconds here. */
#include "presence.h"

#include "support.h"

#define NEW STORE_DEVICE_PROVISIONED
#define ACT STORE_DEVICE_ACTIVE
#define ASL STORE_DEVICE_ASLEEP
#define LOST STORE_DEVICE_UNREACHABLE
#define DET STORE_DEVICE_DETACHED
#define OFF STORE_DEVICE_DEACTIVATED

static void it_is_judged_as_the_table_says(void **state)
{
        static const struct row {
                const char *why;
                store_device_state is;
                int64_t contact, since, opened, now;
                int64_t every, awake; /* expected of it; two calls may be missed */
                store_device_state want;
                int64_t look;
        } rows[] = {
                {"it has just called", ACT, 1000, 0, 0, 1000, 100, 0, ACT, 1250},
                {"two calls are missed", ACT, 1000, 0, 0, 1249, 100, 0, ACT, 1250},
                {"that was too long", ACT, 1000, 0, 0, 1250, 100, 0, LOST, 0},
                {"nobody expects it", ACT, 1000, 0, 0, 99999, 0, 0, ACT, 0},
                {"it has never called", NEW, 0, 0, 0, 99999, 100, 0, NEW, 0},
                {"it was taken away", DET, 1000, 0, 0, 99999, 100, 0, DET, 0},
                {"it was switched off", OFF, 1000, 0, 0, 99999, 100, 0, OFF, 0},
                {"it waits for approval", STORE_DEVICE_HELD, 1000, 0, 0, 99999, 100, 0,
                 STORE_DEVICE_HELD, 0},
                {"nobody listened for long", ACT, 1000, 0, 5000, 5001, 100, 0, ACT, 5250},
                {"and it has not called since", ACT, 1000, 0, 5000, 5250, 100, 0, LOST, 0},
                {"it was let in again", ACT, 1000, 7000, 0, 7001, 100, 0, ACT, 7250},
                {"awake after its call", ACT, 1000, 0, 0, 1009, 100, 10, ACT, 1010},
                {"asleep then", ACT, 1000, 0, 0, 1010, 100, 10, ASL, 1250},
                {"asleep still", ASL, 1000, 0, 0, 1200, 100, 10, ASL, 1250},
                {"it does not wake", ASL, 1000, 0, 0, 1250, 100, 10, LOST, 0},
                {"it does not sleep any more", ASL, 1000, 0, 0, 1200, 100, 0, ACT, 1250},
                {"awake all the time is no sleep", ACT, 1000, 0, 0, 1200, 100, 100, ACT, 1250},
                {"awake again", ASL, 1195, 0, 0, 1200, 100, 10, ACT, 1205},
                {"lost, and silent", LOST, 1000, 1250, 0, 1310, 100, 0, LOST, 0},
                {"a call was on its way", LOST, 1251, 1250, 0, 1310, 100, 0, ACT, 0},
                {"a call before it was lost is none", LOST, 1250, 1250, 0, 1310, 100, 0, LOST, 0},
                {"lost by an older server", LOST, 1000, 0, 0, 1310, 100, 0, LOST, 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                const presence_facts f = {.state = r->is,
                                          .contact = r->contact * 1000,
                                          .since = r->since * 1000,
                                          .opened = r->opened * 1000};
                const presence_expectation x = {
                        .usual = r->every, .told_awake = r->awake, .missed = 2};
                presence_verdict v = presence_judge(&f, &x, r->now * 1000);

                if (v.state != r->want || v.look_at != r->look * 1000)
                        fail_msg("%s: %s, look at %lld", r->why, store_device_state_name(v.state),
                                 (long long)v.look_at);
        }
}

static void who_speaks_first_is_heard(void **state)
{
        static const struct row {
                const char *why;
                presence_expectation x;
                int64_t every, awake;
        } rows[] = {
                {"the server's default", {.usual = 9}, 9, 0},
                {"the device", {.told = 8, .usual = 9}, 8, 0},
                {"the operator", {.wish = 7, .told = 8, .usual = 9}, 7, 0},
                {"an operator who does not expect it", {.wish = PRESENCE_NEVER, .told = 8}, 0, 0},
                {"a device that never calls", {.told = PRESENCE_NEVER, .usual = 9}, 0, 0},
                {"no default", {.usual = 0}, 0, 0},
                {"a device that sleeps", {.told = 80, .told_awake = 8}, 80, 8},
                {"the operator knows better",
                 {.told = 80, .told_awake = 8, .wish_awake = 5},
                 80,
                 5},
                {"it does not sleep",
                 {.told = 80, .told_awake = 8, .wish_awake = PRESENCE_NEVER},
                 80,
                 0},
                {"a number beyond sense", {.told = INT32_MAX}, PRESENCE_INTERVAL_MAX_S, 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                if (presence_interval(&rows[i].x) != rows[i].every * 1000 ||
                    presence_awake(&rows[i].x) != rows[i].awake * 1000)
                        fail_msg("%s: every %lld ms, awake %lld ms", rows[i].why,
                                 (long long)presence_interval(&rows[i].x),
                                 (long long)presence_awake(&rows[i].x));
}

static void states_say_who_may_call(void **state)
{
        static const bool welcome[STORE_DEVICE_STATES] = {
                [NEW] = true, [ACT] = true, [ASL] = true, [LOST] = true, [DET] = true};

        (void)state;
        for (unsigned i = 0; i < STORE_DEVICE_STATES; i++) {
                store_device_state s = STORE_DEVICE_HELD;

                assert_int_equal(store_device_welcome((store_device_state)i), welcome[i]);
                assert_true(store_device_state_parse(
                        odm_cstr(store_device_state_name((store_device_state)i)), &s));
                assert_int_equal(s, i);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_is_judged_as_the_table_says),
                cmocka_unit_test(who_speaks_first_is_heard),
                cmocka_unit_test(states_say_who_may_call),
        };

        return RUN_TESTS(tests);
}
