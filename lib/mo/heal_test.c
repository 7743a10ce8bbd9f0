/* SPDX-License-Identifier: Apache-2.0 */
/* Judging devices, and what is done about those that are not what they should be. */
#include "odm/heal.h"
#include "support.h"

static void devices_are_judged_as_the_table_says(void **state)
{
        static const struct {
                const char *why, *version, *hash; /* the rule */
                const char *has_version, *has_hash;
                unsigned differing, faults;
        } v[] = {
                {"nothing is asked", NULL, NULL, "1.0", "aa", 0, 0},
                {"as it should", "1.0", "AA", "1.0", "aa", 0, 0},
                {"blanks around it", "1.0", NULL, " 1.0 ", NULL, 0, 0},
                {"another version", "1.0", NULL, "1.1", NULL, 0, ODM_HEAL_VERSION},
                {"no version", "1.0", NULL, NULL, NULL, 0, ODM_HEAL_VERSION},
                {"another hash", "1.0", "aa", "1.0", "ab", 0, ODM_HEAL_HASH},
                {"a shorter hash", NULL, "aa", "1.0", "a", 0, ODM_HEAL_HASH},
                {"it tells no hash", "1.0", "aa", "1.0", NULL, 0, 0},
                {"a setting", NULL, NULL, NULL, NULL, 2, ODM_HEAL_CONFIG},
                {"all of it", "1.0", "aa", "2", "bb", 1,
                 ODM_HEAL_VERSION | ODM_HEAL_HASH | ODM_HEAL_CONFIG},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                odm_heal_rule r = {odm_cstr(v[i].version), odm_cstr(v[i].hash)};
                odm_heal_facts f = {odm_cstr(v[i].has_version), odm_cstr(v[i].has_hash),
                                    v[i].differing};
                if (odm_heal_judge(&r, &f) != v[i].faults)
                        fail_msg("%s: %u", v[i].why, odm_heal_judge(&r, &f));
        }
}

static void faults_are_told_in_words(void **state)
{
        char z[ODM_HEAL_TEXT];

        (void)state;
        odm_heal_text(0, z);
        assert_string_equal(z, "");
        odm_heal_text(ODM_HEAL_HASH, z);
        assert_string_equal(z, "its firmware was changed");
        odm_heal_text(7, z);
        assert_string_equal(z, "it runs another version than it should; its firmware was changed; "
                               "it is configured otherwise");
}

static void values_are_the_same_by_what_they_say(void **state)
{
        static const struct {
                const char *is, *stored;
                bool same;
        } v[] = {{"a", "a", true},     {"a", "b", false}, {" a\n", "a", true}, {"true", "1", true},
                 {"0", "False", true}, {"1", "0", false}, {"07", "7", true},   {"-7", "7", false},
                 {"+7", "7", true},    {"", "", true},    {"", "0", false},    {"-", "+", false},
                 {"7.0", "7", false},  {"0", "00", true}, {"1", "yes", false}, {"A", "a", false}};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(v); i++)
                if (odm_heal_same(odm_cstr(v[i].is), odm_cstr(v[i].stored)) != v[i].same)
                        fail_msg("'%s' and '%s'", v[i].is, v[i].stored);
}

enum { SEEN = ODM_HEAL_SEEN, FOUND, SILENT, DONE, TIME, MEANS, RELEASED };
enum { LOOK = 1, OUT = 2, INSTALL = 4, CONFIGURE = 8, BACK = 16, LOST = 32 };

static const struct scene {
        const char *why;
        struct {
                int event;
                unsigned faults;
                int64_t ms; /* that pass before */
                unsigned action;
                odm_heal_state then;
        } step[12];
} scenes[] = {
        {"well, and looked at again",
         {{SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING},
          {SEEN, 0, 0, 0, ODM_HEAL_CHECKING},
          {FOUND, 0, 0, 0, ODM_HEAL_WELL},
          {TIME, 0, 1000, 0, ODM_HEAL_WELL},
          {TIME, 0, 3600000, LOOK, ODM_HEAL_CHECKING},
          {FOUND, 0, 0, 0, ODM_HEAL_WELL},
          {SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING}}},
        {"configured otherwise, and healed",
         {{SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING},
          {FOUND, 4, 0, OUT | CONFIGURE, ODM_HEAL_HEALING},
          {SEEN, 0, 0, 0, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 0, 0, BACK, ODM_HEAL_WELL}}},
        {"firmware first, then what it brought",
         {{SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING},
          {FOUND, 2, 0, OUT | INSTALL, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 4, 0, CONFIGURE, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 0, 0, BACK, ODM_HEAL_WELL}}},
        {"it cannot be healed, with rests between",
         {{SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING},
          {FOUND, 1, 0, OUT | INSTALL, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 1, 0, 0, ODM_HEAL_RESTING},
          {SEEN, 0, 0, 0, ODM_HEAL_RESTING},
          {TIME, 0, 59000, 0, ODM_HEAL_RESTING},
          {TIME, 0, 1000, INSTALL, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 1, 0, LOST, ODM_HEAL_LOST},
          {TIME, 0, 3600000, LOOK, ODM_HEAL_PROVING},
          {FOUND, 0, 0, BACK, ODM_HEAL_WELL}}},
        {"what heals it comes at last",
         {{SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING},
          {MEANS, 0, 0, 0, ODM_HEAL_CHECKING},
          {FOUND, 1, 0, OUT | INSTALL, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 1, 0, 0, ODM_HEAL_RESTING},
          {MEANS, 0, 0, INSTALL, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 0, 0, BACK, ODM_HEAL_WELL},
          {MEANS, 0, 0, 0, ODM_HEAL_WELL}}},
        {"it comes after the gateway gave up",
         {{SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING},
          {FOUND, 1, 0, OUT | INSTALL, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 1, 0, 0, ODM_HEAL_RESTING},
          {TIME, 0, 60000, INSTALL, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 1, 0, LOST, ODM_HEAL_LOST},
          {MEANS, 0, 0, INSTALL, ODM_HEAL_HEALING}}},
        {"its faults take turns: that has an end too",
         {{SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING},
          {FOUND, 1, 0, OUT | INSTALL, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 2, 0, INSTALL, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 1, 0, INSTALL, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 4, 0, CONFIGURE, ODM_HEAL_HEALING},
          {DONE, 0, 0, LOOK, ODM_HEAL_PROVING},
          {FOUND, 2, 0, LOST, ODM_HEAL_LOST}}},
        {"silent, then here",
         {{SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING},
          {SILENT, 0, 0, 0, ODM_HEAL_CHECKING},
          {TIME, 0, 1000, 0, ODM_HEAL_CHECKING},
          {SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING},
          {SILENT, 0, 0, 0, ODM_HEAL_CHECKING},
          {TIME, 0, 300000, LOOK, ODM_HEAL_CHECKING},
          {FOUND, 0, 0, 0, ODM_HEAL_WELL}}},
        {"an operator takes it back meanwhile",
         {{SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING},
          {FOUND, 4, 0, OUT | CONFIGURE, ODM_HEAL_HEALING},
          {RELEASED, 0, 0, 0, ODM_HEAL_UNKNOWN},
          {DONE, 0, 0, 0, ODM_HEAL_UNKNOWN},
          {FOUND, 4, 0, 0, ODM_HEAL_UNKNOWN},
          {SEEN, 0, 0, LOOK, ODM_HEAL_CHECKING}}},
};

static void devices_are_healed_as_the_scenes_say(void **state)
{
        const odm_heal_terms terms = {.every_ms = 3600000, .tries = 2};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(scenes); i++) {
                odm_heal h = {.due = INT64_MAX};
                int64_t now = 1000;
                for (size_t k = 0; k == 0 || scenes[i].step[k].then || scenes[i].step[k].event;
                     k++) {
                        if (k == ODM_COUNT(scenes[i].step))
                                break;
                        now += scenes[i].step[k].ms;
                        unsigned got = odm_heal_hear(&h, (odm_heal_event)scenes[i].step[k].event,
                                                     scenes[i].step[k].faults, &terms, now);
                        if (got != scenes[i].step[k].action || h.state != scenes[i].step[k].then)
                                fail_msg("%s, step %zu: %u, %s", scenes[i].why, k, got,
                                         odm_heal_state_name(h.state));
                }
        }
}

static void without_an_interval_it_is_looked_at_when_it_attaches(void **state)
{
        const odm_heal_terms terms = {.tries = 1};
        odm_heal h = {.due = INT64_MAX};

        (void)state;
        assert_int_equal(odm_heal_hear(&h, ODM_HEAL_SEEN, 0, &terms, 0), LOOK);
        assert_int_equal(odm_heal_hear(&h, ODM_HEAL_FOUND, 0, &terms, 0), 0);
        assert_true(h.due == INT64_MAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(devices_are_judged_as_the_table_says),
                cmocka_unit_test(faults_are_told_in_words),
                cmocka_unit_test(values_are_the_same_by_what_they_say),
                cmocka_unit_test(devices_are_healed_as_the_scenes_say),
                cmocka_unit_test(without_an_interval_it_is_looked_at_when_it_attaches),
        };
        return RUN_TESTS(tests);
}
