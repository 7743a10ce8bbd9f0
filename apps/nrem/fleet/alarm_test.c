/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an alarm, as tables. */
#include "alarm.h"

#include "support.h"

/* Steps of one alarm, a letter each: R raise major, W raise warning, T raise major with another
 * text, H raise major behind a lost gateway, C clear, A acknowledge, U not acknowledged, J judged
 * critical, + covered, - no longer. */
static alarm_step play(alarm_state *s, char c)
{
        alarm_news n = {.severity = ALARM_MAJOR, .text = ODM_STR("one")};

        switch (c) {
        case 'W': n.severity = ALARM_WARNING; break;
        case 'T': n.text = ODM_STR("two"); break;
        case 'H': n.covered = true; break;
        case 'C':
                n.clear = true;
                n.text = ODM_ABSENT;
                break;
        case 'A': return alarm_acknowledge(s, true);
        case 'U': return alarm_acknowledge(s, false);
        case 'J': return alarm_judge(s, ALARM_CRITICAL);
        case '+': return alarm_cover(s, true);
        case '-': return alarm_cover(s, false);
        default: assert_int_equal(c, 'R');
        }
        return alarm_hear(s, &n);
}

static void an_alarm_goes_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *steps;
                alarm_step last;
                bool active, acked, hidden;
                alarm_severity severity;
                uint32_t count;
                const char *text;
        } rows[] = {
                {"raised", "R", ALARM_RAISED, true, false, false, ALARM_MAJOR, 1, "one"},
                {"repeated is one alarm, counted", "RR", ALARM_REPEATED, true, false, false,
                 ALARM_MAJOR, 2, "one"},
                {"and counted on", "RRRR", ALARM_REPEATED, true, false, false, ALARM_MAJOR, 4,
                 "one"},
                {"another severity", "RW", ALARM_CHANGED, true, false, false, ALARM_WARNING, 2,
                 "one"},
                {"another text", "RT", ALARM_CHANGED, true, false, false, ALARM_MAJOR, 2, "two"},
                {"over", "RRC", ALARM_CLEARED, false, false, false, ALARM_MAJOR, 2, "one"},
                {"over twice is over", "RCC", ALARM_NOTHING, false, false, false, ALARM_MAJOR, 1,
                 "one"},
                {"over before it began", "C", ALARM_NOTHING, false, false, false, ALARM_NONE, 0,
                 NULL},
                {"back again it is counted anew", "RRCR", ALARM_RAISED, true, false, false,
                 ALARM_MAJOR, 1, "one"},
                {"and wants to be seen anew", "RACR", ALARM_RAISED, true, false, false, ALARM_MAJOR,
                 1, "one"},
                {"seen", "RA", ALARM_ACKNOWLEDGED, true, true, false, ALARM_MAJOR, 1, "one"},
                {"seen twice", "RAA", ALARM_NOTHING, true, true, false, ALARM_MAJOR, 1, "one"},
                {"not seen after all", "RAU", ALARM_ACKNOWLEDGED, true, false, false, ALARM_MAJOR,
                 1, "one"},
                {"nothing to see", "A", ALARM_NOTHING, false, false, false, ALARM_NONE, 0, NULL},
                {"a repetition stays seen", "RAR", ALARM_REPEATED, true, true, false, ALARM_MAJOR,
                 2, "one"},
                {"seen when it is over", "RCA", ALARM_ACKNOWLEDGED, false, true, false, ALARM_MAJOR,
                 1, "one"},
                {"judged", "RJ", ALARM_CHANGED, true, false, false, ALARM_CRITICAL, 1, "one"},
                {"judged as it was", "RJJ", ALARM_NOTHING, true, false, false, ALARM_CRITICAL, 1,
                 "one"},
                {"judged when it is over", "RCJ", ALARM_NOTHING, false, false, false, ALARM_MAJOR,
                 1, "one"},
                {"behind a lost gateway", "H", ALARM_RAISED, true, false, true, ALARM_MAJOR, 1,
                 "one"},
                {"the gateway is lost later", "R+", ALARM_CHANGED, true, false, true, ALARM_MAJOR,
                 1, "one"},
                {"the gateway is back, the device is not", "R+-", ALARM_RAISED, true, false, false,
                 ALARM_MAJOR, 1, "one"},
                {"the device is back with it", "HC-", ALARM_NOTHING, false, false, false,
                 ALARM_MAJOR, 1, "one"},
                {"a repetition stays hidden", "HR", ALARM_REPEATED, true, false, true, ALARM_MAJOR,
                 2, "one"},
                {"lost twice", "R++", ALARM_NOTHING, true, false, true, ALARM_MAJOR, 1, "one"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                alarm_state s = {0};
                alarm_step last = ALARM_NOTHING;

                for (const char *c = r->steps; *c; c++)
                        last = play(&s, *c);
                if (last != r->last || s.active != r->active || s.acked != r->acked ||
                    s.hidden != r->hidden || s.severity != r->severity || s.count != r->count ||
                    !odm_str_eq(s.text, odm_cstr(r->text)))
                        fail_msg("%s: %s ends in %d, count %u, severity %d, text %.*s", r->why,
                                 r->steps, last, s.count, s.severity, (int)s.text.n, s.text.p);
                assert_int_equal(alarm_counts(&s), r->active && !r->hidden);
        }
}

static void the_count_does_not_begin_anew_by_itself(void **state)
{
        alarm_state s = {
                .known = true, .active = true, .severity = ALARM_MAJOR, .count = UINT32_MAX};
        const alarm_news n = {.severity = ALARM_MAJOR};

        (void)state;
        assert_int_equal(alarm_hear(&s, &n), ALARM_REPEATED);
        assert_int_equal(s.count, UINT32_MAX);
}

static void words_are_those_of_the_standard(void **state)
{
        static const struct row {
                const char *why, *word;
                int severity, type;
                bool probable;
        } rows[] = {
                {"highest", "critical", ALARM_CRITICAL, -1, false},
                {"lowest", "cleared", ALARM_NONE, -1, false},
                {"in capitals", "Major", ALARM_MAJOR, -1, false},
                {"no severity", "fatal", -1, -1, false},
                {"a type", "equipmentAlarm", -1, ALARM_EQUIPMENT, false},
                {"a type in capitals", "EquipmentAlarm", -1, -1, false},
                {"a cause", "thresholdCrossed", -1, -1, true},
                {"misspelt by the standard", "ouputDeviceError", -1, -1, true},
                {"no cause", "threshold", -1, -1, false},
                {"nothing", "", -1, -1, false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                alarm_severity s = ALARM_NONE;
                alarm_type t = ALARM_COMMUNICATIONS;
                odm_str w = exact_copy(r->word);
                bool is_s = alarm_severity_parse(w, &s), is_t = alarm_type_parse(w, &t);

                if (is_s != (r->severity >= 0) || (is_s && (int)s != r->severity) ||
                    is_t != (r->type >= 0) || (is_t && (int)t != r->type) ||
                    alarm_probable_known(w) != r->probable)
                        fail_msg("%s: %s", r->why, r->word);
                exact_free(w);
        }
}

static void only_silence_follows_from_a_lost_gateway(void **state)
{
        (void)state;
        assert_true(alarm_follows(ODM_STR("unreachable"), true));
        assert_false(alarm_follows(ODM_STR("unreachable"), false));
        assert_false(alarm_follows(ODM_STR("integrity"), true));
}

static void every_step_but_nothing_has_a_word(void **state)
{
        (void)state;
        assert_null(alarm_step_word(ALARM_NOTHING));
        for (int s = ALARM_RAISED; s <= ALARM_COMMENTED; s++)
                assert_non_null(alarm_step_word((alarm_step)s));
        assert_string_equal(alarm_step_word(ALARM_REPEATED), "repeated");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_alarm_goes_as_the_table_says),
                cmocka_unit_test(the_count_does_not_begin_anew_by_itself),
                cmocka_unit_test(words_are_those_of_the_standard),
                cmocka_unit_test(only_silence_follows_from_a_lost_gateway),
                cmocka_unit_test(every_step_but_nothing_has_a_word),
        };

        return RUN_TESTS(tests);
}
