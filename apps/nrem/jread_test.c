/* SPDX-License-Identifier: Apache-2.0 */
#include "jread.h"

#include "support.h"

static const struct row {
        const char *why, *in;
        int rc;
        int64_t s;
} times[] = {
        {"the epoch", "1970-01-01T00:00:00Z", 0, 0},
        {"today", "2026-11-22T16:35:05Z", 0, 1795365305},
        {"fractions are cut", "2026-11-22T16:35:05.999Z", 0, 1795365305},
        {"a leap day", "2024-02-29T00:00:00Z", 0, 1709164800},
        {"a day that was not", "2023-02-29T00:00:00Z", ODM_EMALFORMED, 0},
        {"another zone", "2026-11-22T16:35:05+01:00", ODM_EMALFORMED, 0},
        {"no zone", "2026-11-22T16:35:05", ODM_EMALFORMED, 0},
        {"the basic form", "20261122T163505Z", ODM_EMALFORMED, 0},
        {"cut short", "2026-11-22T16:35", ODM_EMALFORMED, 0},
        {"something behind", "2026-11-22T16:35:05Zx", ODM_EMALFORMED, 0},
        {"nothing", "", ODM_EMALFORMED, 0},
};

static void reads_times(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(times); i++) {
                odm_wall got = {-1};
                odm_str in = exact_copy(times[i].in);
                int rc = wall_parse(in, &got);
                if (rc != times[i].rc || got.s != (rc == 0 ? times[i].s : -1))
                        fail_msg("%s: %s, %lld", times[i].why, odm_err_name(rc), (long long)got.s);
                exact_free(in);
        }
}

static void writes_times(void **state)
{
        char text[WALL_TEXT];

        (void)state;
        wall_format((odm_wall){1795365305}, text);
        assert_string_equal(text, "2026-11-22T16:35:05Z");
}

static const char *fault(const problem *p, size_t i)
{
        const char *z = json_string_value(json_object_get(json_array_get(p->errors, i), "name"));
        return z ? z : "";
}

static void names_every_member_at_fault(void **state)
{
        static const char *const words[] = {"red", "green", NULL};
        json_t *o = json_loads("{\"text\":1,\"number\":11,\"flag\":\"yes\",\"word\":\"blue\","
                               "\"list\":[],\"extra\":null}",
                               0, NULL);
        problem p;
        jread r;
        odm_str s = ODM_ABSENT;
        int64_t n = 7;
        bool flag = true;
        unsigned word = 9;
        const json_t *list = NULL;

        (void)state;
        problem_init(&p);
        jread_init(&r, o, "outer[1]", &p);
        assert_int_equal(jread_text(&r, "text", 0, 10, &s), -1);
        assert_int_equal(jread_int(&r, "number", 0, 10, &n), -1);
        assert_int_equal(jread_bool(&r, "flag", &flag), -1);
        assert_int_equal(jread_word(&r, "word", words, &word), -1);
        assert_int_equal(jread_list(&r, "list", 1, 2, &list), -1);
        assert_int_equal(jread_text(&r, "absent", 0, 10, &s), 0);
        jread_end(&r);
        assert_int_equal(p.kind, PROBLEM_INVALID);
        assert_int_equal(json_array_size(p.errors), 6);
        assert_string_equal(fault(&p, 0), "outer[1].text");
        assert_string_equal(fault(&p, 5), "outer[1].extra");
        assert_true(n == 7 && flag && word == 9 && !list && !s.p); /* outputs as they were */
        problem_done(&p);
        json_decref(o);
}

static void tells_null_from_absent(void **state)
{
        json_t *o = json_loads("{\"a\":null,\"b\":\"x\"}", 0, NULL);
        problem p;
        jread r;
        odm_str s = ODM_STR("before");

        (void)state;
        problem_init(&p);
        jread_init(&r, o, "", &p);
        assert_int_equal(jread_text_or_null(&r, "c", 0, 9, &s), 0);
        assert_str(s, "before");
        assert_int_equal(jread_text_or_null(&r, "b", 0, 9, &s), 1);
        assert_str(s, "x");
        assert_int_equal(jread_text_or_null(&r, "a", 0, 9, &s), 2);
        assert_null(s.p);
        jread_end(&r);
        assert_false(problem_is(&p));
        problem_done(&p);
        json_decref(o);
}

static void a_problem_keeps_its_first_kind(void **state)
{
        problem p;

        (void)state;
        problem_init(&p);
        problem_set(&p, PROBLEM_EXISTS, "first");
        problem_err(&p, ODM_ENOENT, "second");
        problem_at(&p, "x", "third");
        assert_int_equal(problem_status(&p), 409);
        json_t *o = problem_json(&p, "/here");
        assert_string_equal(json_string_value(json_object_get(o, "detail")), "first");
        assert_string_equal(json_string_value(json_object_get(o, "instance")), "/here");
        json_decref(o);
        problem_done(&p);
        problem_init(&p); /* one nobody named is ours */
        assert_int_equal(problem_status(&p), 500);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reads_times),
                cmocka_unit_test(writes_times),
                cmocka_unit_test(names_every_member_at_fault),
                cmocka_unit_test(tells_null_from_absent),
                cmocka_unit_test(a_problem_keeps_its_first_kind),
        };
        return RUN_TESTS(tests);
}
