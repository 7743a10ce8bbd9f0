/* SPDX-License-Identifier: Apache-2.0 */
#include "version.h"

#include "support.h"

static const struct pair {
        const char *why, *a, *b;
        int d;
} pairs[] = {
        {"numbers, not text", "1.9", "1.10", -1},
        {"the same", "2.4.1", "2.4.1", 0},
        {"what is missing is 0", "1.2", "1.2.0.0", 0},
        {"and less than 1", "1.2", "1.2.0.1", -1},
        {"zeros in front", "1.02", "1.2", 0},
        {"longer than any machine word", "1.99999999999999999999998", "1.99999999999999999999999",
         -1},
        {"a longer number", "9999999999999999999999", "10000000000000000000000", -1},
        {"any sign parts", "1-2_3", "1.2.3", 0},
        {"a v in front", "v1.2", "1.2", 0},
        {"but a word is one", "version 2", "3", -1},
        {"before the version itself", "1.2-rc1", "1.2", -1},
        {"one candidate after the other", "1.2rc2", "1.2-rc10", -1},
        {"alpha, beta, rc", "1.2-alpha", "1.2-beta", -1},
        {"beta, rc", "1.2-beta4", "1.2-RC1", -1},
        {"a tilde", "1.2~bpo1", "1.2", -1},
        {"a tilde and a number", "1.2~1", "1.2", -1},
        {"other words come behind", "1.2a", "1.2", 1},
        {"in their order", "1.2a", "1.2b", -1},
        {"and before the next number", "1.2a", "1.2.1", -1},
        {"case does not count", "1.2A", "1.2a", 0},
        {"a build", "1.2+20260101", "1.2+20251231", 1},
        {"dates", "2026-01-31", "2026.02.01", -1},
        {"nothing", "", "", 0},
        {"nothing and something", "", "0.1", -1},
};

static int sign(int d)
{
        return d < 0 ? -1 : d > 0;
}

static void orders_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(pairs); i++) {
                odm_str a = exact_copy(pairs[i].a), b = exact_copy(pairs[i].b);
                if (sign(version_cmp(a, b)) != pairs[i].d || sign(version_cmp(b, a)) != -pairs[i].d)
                        fail_msg("%s: %s, %s", pairs[i].why, pairs[i].a, pairs[i].b);
                exact_free(a);
                exact_free(b);
        }
}

/* Sorting needs that a < b < c gives a < c. */
static void is_an_order(void **state)
{
        static const char *const all[] = {"",       "0",    "1",     "1.0-rc1", "1.0~x", "1.0",
                                          "1.0a",   "1a",   "1.0.1", "1.0.1b",  "v1.1",  "1-1",
                                          "1.beta", "beta", "x",     "1.0.a",   "1..2",  "~"};
        size_t n = ODM_COUNT(all);

        (void)state;
        for (size_t i = 0; i < n * n * n; i++) {
                odm_str a = odm_cstr(all[i % n]), b = odm_cstr(all[i / n % n]),
                        c = odm_cstr(all[i / n / n]);
                if (version_cmp(a, b) <= 0 && version_cmp(b, c) <= 0 && version_cmp(a, c) > 0)
                        fail_msg("'%s' '%s' '%s'", a.p, b.p, c.p);
        }
}

static const struct row {
        const char *why, *range, *v;
        bool ok, in;
} rows[] = {
        {"exactly", "1.2", "1.2", true, true},
        {"exactly another", "1.2", "1.3", true, false},
        {"a version with a blank", "Build 7", "build 7", true, true},
        {"at least", ">=1.2", "1.10", true, true},
        {"below", "<2", "2.0", true, false},
        {"both", ">=1.2 <2", "1.9.9", true, true},
        {"both, not the second", ">=1.2 <2", "2", true, false},
        {"a comma between", ">1.2,<=2", "2", true, true},
        {"nothing between", ">1.2<=2", "2", true, true},
        {"blanks behind the signs", ">= 1.2  < 2", "1.5", true, true},
        {"but not that one", ">=1 !=1.5", "1.5", true, false},
        {"equal", "=1.5", "1.5.0", true, true},
        {"equal, doubled", "==1.5", "1.5", true, true},
        {"one of two", "<1 || >=3", "3.1", true, true},
        {"none of two", "<1 || >=3", "2", true, false},
        {"single ones", "1.0||1.1", "1.1", true, true},
        {"a version not known", ">=0", "", true, false},
        {"nothing", "", "1", false, false},
        {"a sign alone", ">=", "1", false, false},
        {"a sign too much", ">>1", "2", false, false},
        {"words behind", ">=1 and", "2", false, false},
        {"half of an or", "1 ||", "1", false, false},
        {"no sign before the first", "1.0 <2", "1.0.2", false, false},
        {"as others write it", "^1.2", "1.2", false, false},
        {"and others", "~1.2", "1.2", false, false},
        {"a version with signs of its own", "fw=1.2~rc1", "fw=1.2~rc1", true, true},
        {"only signs", "...", "0", false, false},
};

static void ranges_hold_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str r = exact_copy(rows[i].range), v = exact_copy(rows[i].v);
                if (version_range_ok(r) != rows[i].ok || version_in(r, v) != rows[i].in)
                        fail_msg("%s: '%s' '%s'", rows[i].why, rows[i].range, rows[i].v);
                exact_free(r);
                exact_free(v);
        }
        assert_false(version_in(ODM_STR(">=0"), ODM_ABSENT));
}

static void a_range_has_a_ceiling(void **state)
{
        char text[VERSION_RANGE_MAX + 1];

        (void)state;
        memset(text, '1', sizeof text);
        assert_true(version_range_ok((odm_str){text, VERSION_RANGE_MAX}));
        assert_false(version_range_ok((odm_str){text, VERSION_RANGE_MAX + 1}));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(orders_as_the_table_says),
                cmocka_unit_test(is_an_order),
                cmocka_unit_test(ranges_hold_as_the_table_says),
                cmocka_unit_test(a_range_has_a_ceiling),
        };

        return RUN_TESTS(tests);
}
