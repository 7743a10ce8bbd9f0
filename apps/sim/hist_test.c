/* SPDX-License-Identifier: Apache-2.0 */
#include "hist.h"

#include "support.h"

static void what_is_small_is_exact(void **state)
{
        hist h = {0};

        (void)state;
        for (uint64_t v = 1; v <= 60; v++)
                hist_add(&h, v);
        assert_int_equal(hist_at(&h, 500), 30);
        assert_int_equal(hist_at(&h, 950), 57);
        assert_int_equal(hist_at(&h, 1000), 60);
}

static void what_is_large_is_near(void **state)
{
        static const uint64_t rows[] = {64, 65, 1000, 99999, 1234567, 4000000000u, 1ull << 39};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                hist h = {0};
                hist_add(&h, rows[i]);
                hist_add(&h, rows[i] * 8);
                uint64_t got = hist_at(&h, 500);
                if (got < rows[i] || got > rows[i] + rows[i] / HIST_FINE)
                        fail_msg("%llu was told as %llu", (unsigned long long)rows[i],
                                 (unsigned long long)got);
        }
}

static void nothing_and_too_much_are_borne(void **state)
{
        hist h = {0};

        (void)state;
        assert_int_equal(hist_at(&h, 990), 0);
        hist_add(&h, UINT64_MAX);
        assert_true(hist_at(&h, 500) >= 1ull << 39);
        assert_int_equal(h.max, UINT64_MAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_small_is_exact),
                cmocka_unit_test(what_is_large_is_near),
                cmocka_unit_test(nothing_and_too_much_are_borne),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
