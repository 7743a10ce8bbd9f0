/* SPDX-License-Identifier: Apache-2.0 */
/* Who is hit by a fault, the words of faults, and what packages tell. */
#include "fault.h"

#include <string.h>

#include "image.h"
#include "support.h"

static size_t hits_of(const fault *f, uint64_t seed, const char *name, uint32_t n)
{
        size_t hits = 0;

        for (uint32_t i = 1; i <= n; i++)
                hits += fault_hits(f, i, fault_draw(seed, name, "g", i));
        return hits;
}

static void as_many_are_drawn_as_are_wanted(void **state)
{
        static const struct {
                const char *why;
                uint32_t count;
                double share;
                uint32_t devices;
                size_t hits;
        } rows[] = {
                {"all", UINT32_MAX, -1, 1000, 1000},
                {"a number", 3, -1, 1000, 3},
                {"none", 0, -1, 1000, 0},
                {"more than there are", 50, -1, 20, 20},
                {"a share", UINT32_MAX, 2.5, 1000, 25},
                {"a share that is rounded", UINT32_MAX, 10, 25, 3},
                {"a share of nothing", UINT32_MAX, 0, 1000, 0},
                {"all of them as a share", UINT32_MAX, 100, 77, 77},
        };
        uint64_t v[1000];

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                fault f = {.count = rows[i].count, .share = rows[i].share};
                for (uint32_t k = 0; k < rows[i].devices; k++)
                        v[k] = fault_draw(9, "f", "g", k + 1);
                fault_aim(&f, v, rows[i].devices);
                if (hits_of(&f, 9, "f", rows[i].devices) != rows[i].hits)
                        fail_msg("%s", rows[i].why);
        }
}

static void the_draw_is_by_seed_fault_group_and_number(void **state)
{
        (void)state;
        assert_true(fault_draw(1, "a", "g", 1) == fault_draw(1, "a", "g", 1));
        assert_true(fault_draw(1, "a", "g", 1) != fault_draw(2, "a", "g", 1));
        assert_true(fault_draw(1, "a", "g", 1) != fault_draw(1, "b", "g", 1));
        assert_true(fault_draw(1, "a", "g", 1) != fault_draw(1, "a", "h", 1));
        assert_true(fault_draw(1, "a", "g", 1) != fault_draw(1, "a", "g", 2));
        assert_true(fault_draw(1, "ab", "c", 1) != fault_draw(1, "a", "bc", 1));
}

static void numbers_hit_those_devices(void **state)
{
        static const struct {
                const char *text;
                uint32_t n;
                bool hit;
        } rows[] = {
                {"1-3, 9", 1, true},  {"1-3, 9", 3, true},
                {"1-3, 9", 4, false}, {"1-3, 9", 9, true},
                {"7", 7, true},       {"7", 8, false},
                {" 5 - 6 ", 6, true}, {"4294967295", UINT32_MAX, true},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                fault f = {.count = UINT32_MAX, .share = -1};
                assert_int_equal(fault_places(odm_cstr(rows[i].text), f.place, &f.n_places), 0);
                assert_int_equal(fault_hits(&f, rows[i].n, 0), rows[i].hit);
        }
}

static void bad_words_are_refused(void **state)
{
        static const char *const places[] = {"", "a", "3-1", "1,", ",1", "1-", "-1", "4294967296"};
        static const char *const shares[] = {"",    "%",      "5",    "101%", "100.1%",
                                             "-1%", "1.2.3%", "1.%x", ".5%"};
        static const char *const states[] = {"", "0", "15", "110", "Updating"};
        char many[300] = "1";
        fault_range r[FAULT_PLACES_MAX];
        double share;
        unsigned s;
        size_t n;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(places); i++)
                if (fault_places(odm_cstr(places[i]), r, &n) != ODM_EMALFORMED)
                        fail_msg("%s", places[i]);
        for (int i = 0; i < FAULT_PLACES_MAX; i++)
                memcpy(many + 1 + 2 * i, ",1", 3);
        assert_int_equal(fault_places(odm_cstr(many), r, &n), ODM_ELIMIT);
        for (size_t i = 0; i < ODM_COUNT(shares); i++)
                if (fault_share(odm_cstr(shares[i]), &share) != ODM_EMALFORMED)
                        fail_msg("%s", shares[i]);
        for (size_t i = 0; i < ODM_COUNT(states); i++)
                if (fault_state(odm_cstr(states[i]), &s) != ODM_EMALFORMED)
                        fail_msg("%s", states[i]);
}

static void good_words_are_understood(void **state)
{
        double share;
        unsigned s;

        (void)state;
        assert_int_equal(fault_share(ODM_STR(" 0.5% "), &share), 0);
        assert_true(share > 0.4999 && share < 0.5001);
        assert_int_equal(fault_share(ODM_STR("100%"), &share), 0);
        assert_int_equal(fault_state(ODM_STR("updating"), &s), 0);
        assert_int_equal(s, 60);
        assert_int_equal(fault_state(ODM_STR("30"), &s), 0);
        assert_int_equal(s, 30);
        assert_string_equal(fault_state_name(100), "done");
        assert_string_equal(fault_state_name(99), "other");
}

static void packages_tell_their_version(void **state)
{
        static const struct {
                const char *why, *file;
                int rc;
                const char *version, *model, *hardware;
        } rows[] = {
                {"one of ours", "version: 2.0\nmodel: M1\nhardware: 3\nbody", 0, "2.0", "M1", "3"},
                {"a version alone", "version: 2.0", 0, "2.0", NULL, NULL},
                {"line ends of another system", "version:2.0\r\n\r\nbody", 0, "2.0", NULL, NULL},
                {"a line of no name ends the head", "version: 2\nbody\nmodel: M1\n", 0, "2", NULL,
                 NULL},
                {"unknown names are passed over", "version: 2\ndate: 1\nmodel: M1\n", 0, "2", "M1",
                 NULL},
                {"another program's file", "image 3\nbody", 0, "", NULL, NULL},
                {"another one with a colon", "model: x\nversion: 2\n", 0, "2", "x", NULL},
                {"a head of something else", "date: x\nversion: 2\n", 0, "", NULL, NULL},
                {"nothing", "", 0, "", NULL, NULL},
                {"no version", "version:\n", ODM_EMALFORMED, NULL, NULL, NULL},
                {"a version with a blank", "version: 2 0\n", ODM_EMALFORMED, NULL, NULL, NULL},
                {"a version without end",
                 "version: 123456789012345678901234567890123456789012345678\n", ODM_EMALFORMED,
                 NULL, NULL, NULL},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                image m = {.version = "before"};
                int rc = image_read(odm_cstr(rows[i].file), &m);
                if (rc != rows[i].rc)
                        fail_msg("%s: %d", rows[i].why, rc);
                if (rc < 0) {
                        assert_string_equal(m.version, "before");
                        continue;
                }
                assert_string_equal(m.version, rows[i].version);
                assert_true(odm_str_eq(m.model, odm_cstr(rows[i].model)));
                assert_true(odm_str_eq(m.hardware, odm_cstr(rows[i].hardware)));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(as_many_are_drawn_as_are_wanted),
                cmocka_unit_test(the_draw_is_by_seed_fault_group_and_number),
                cmocka_unit_test(numbers_hit_those_devices),
                cmocka_unit_test(bad_words_are_refused),
                cmocka_unit_test(good_words_are_understood),
                cmocka_unit_test(packages_tell_their_version),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
