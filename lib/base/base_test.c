/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

static void numbers_parse_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *in;
                uint64_t max;
                int rc;
                uint64_t value;
        } rows[] = {
                {"zero", "0", 10, 0, 0},
                {"the most allowed", "255", 255, 0, 255},
                {"one above", "256", 255, ODM_ELIMIT, 0},
                {"far above", "99999999999999999999999", UINT64_MAX, ODM_ELIMIT, 0},
                {"the largest there is", "18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
                {"nothing", "", 10, ODM_EMALFORMED, 0},
                {"a sign", "-1", 10, ODM_EMALFORMED, 0},
                {"a blank", " 1", 10, ODM_EMALFORMED, 0},
                {"a letter far behind", "9999999999999999999999x", 10, ODM_EMALFORMED, 0},
                {"a small ceiling", "7", 5, ODM_ELIMIT, 0},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = exact_copy(rows[i].in);
                uint64_t v = 77;
                int rc = odm_str_u64(in, rows[i].max, &v);
                if (rc != rows[i].rc || v != (rc == 0 ? rows[i].value : 77))
                        fail_msg("%s: %s gave %s, %llu", rows[i].why, rows[i].in, odm_err_name(rc),
                                 (unsigned long long)v);
                exact_free(in);
        }
}

static void utf8_is_judged_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *in;
                bool ok;
        } rows[] = {
                {"plain", "abc", true},
                {"two octets", "\xc3\xa4", true},
                {"three octets", "\xe2\x82\xac", true},
                {"four octets", "\xf0\x9f\x98\x80", true},
                {"overlong two", "\xc0\x80", false},
                {"overlong three", "\xe0\x80\x80", false},
                {"a surrogate", "\xed\xa0\x80", false},
                {"past the last code point", "\xf4\x90\x80\x80", false},
                {"cut short", "\xe2\x82", false},
                {"a tail alone", "\x80", false},
                {"a head and no tail", "\xc3(", false},
                {"the second of its tails is none", "\xe2\x82(", false},
                {"the lowest of three octets", "\xe0\xa0\x80", true},
                {"the last before the surrogates", "\xed\x9f\xbf", true},
                {"overlong four", "\xf0\x8f\xbf\xbf", false},
                {"the lowest of four octets", "\xf0\x90\x80\x80", true},
                {"the last code point", "\xf4\x8f\xbf\xbf", true},
                {"no head at all", "\xf5\x80\x80\x80", false},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = exact_copy(rows[i].in);
                if (odm_utf8_ok(in) != rows[i].ok)
                        fail_msg("%s", rows[i].why);
                exact_free(in);
        }
        assert_false(odm_utf8_ok((odm_str){"a\0b", 3}));
        assert_int_equal(odm_utf8_cut(ODM_STR("a\xe2\x82\xac"), 3), 1);
        assert_int_equal(odm_utf8_cut(ODM_STR("a\xe2\x82\xac"), 4), 4);
        assert_int_equal(odm_utf8_len(ODM_STR("a\xe2\x82\xac")), 2);
}

static void calendar_time_goes_there_and_back(void **state)
{
        static const struct row {
                int64_t s;
                const char *text;
        } rows[] = {
                {0, "19700101T000000Z"},
                {994869497, "20010711T163817Z"},
                {951782400, "20000229T000000Z"},
                {INT64_C(253402300799), "99991231T235959Z"},
                {INT64_C(4107542400), "21000301T000000Z"},
        };
        static const char *const bad[] = {"",
                                          "20010711T163817",
                                          "20010230T000000Z",
                                          "21000229T000000Z",
                                          "20011311T000000Z",
                                          "20010711T240000Z",
                                          "20010711T006000Z",
                                          "20010711T000060Z",
                                          "20010732T000000Z",
                                          "20010700T000000Z",
                                          "20010011T000000Z",
                                          "19691231T235959Z",
                                          "20010711t000000Z",
                                          "20010711T000000z",
                                          "2x010711T000000Z",
                                          "20x10711T000000Z",
                                          "2001071xT000000Z",
                                          "20010x11T000000Z",
                                          "20010711T0x0000Z",
                                          "20010711T000 00Z",
                                          "20010711T00000/Z"};
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char text[ODM_WALL_TEXT];
                odm_wall back = {-1};
                odm_wall_format((odm_wall){rows[i].s}, text);
                assert_string_equal(text, rows[i].text);
                assert_int_equal(odm_wall_parse(odm_cstr(text), &back), 0);
                assert_true(back.s == rows[i].s);
        }
        for (size_t i = 0; i < ODM_COUNT(bad); i++) {
                odm_wall w = {5};
                assert_int_equal(odm_wall_parse(odm_cstr(bad[i]), &w), ODM_EMALFORMED);
                assert_true(w.s == 5);
        }
        char text[ODM_WALL_TEXT]; /* what no text can say becomes what comes nearest */
        odm_wall_format((odm_wall){-1}, text);
        assert_string_equal(text, "19700101T000000Z");
        odm_wall_format((odm_wall){INT64_MAX}, text);
        assert_string_equal(text, "99991231T235959Z");
}

static void an_arena_stops_at_its_ceiling(void **state)
{
        odm_arena a;
        size_t got = 0;

        (void)state;
        odm_arena_init(&a, &heap, 10000);
        while (odm_arena_get(&a, 100))
                got += 104;
        assert_int_equal(a.err, ODM_ELIMIT);
        assert_true(got <= 10000 && got > 5000);
        odm_arena_reset(&a);
        assert_int_equal(a.err, 0);
        assert_non_null(odm_arena_get(&a, 100));
        assert_null(odm_arena_get(&a, SIZE_MAX));
        assert_int_equal(a.err, ODM_ELIMIT);
        odm_arena_done(&a);

        char block[512];
        odm_arena_init_on(&a, &heap, 4096, block, sizeof block);
        assert_int_equal(a.used, 0);
        char *p = odm_arena_get(&a, 16);
        assert_true(p > block && p < block + sizeof block);
        assert_non_null(odm_arena_get(&a, 1000));
        odm_arena_reset(&a);
        assert_non_null(odm_arena_get(&a, 300));
        odm_arena_done(&a);

        odm_arena_init_on(&a, &heap, 4096, block, 16); /* a block too small is left alone */
        p = odm_arena_get(&a, 8);
        assert_non_null(p);
        assert_false(p >= block && p < block + sizeof block);
        odm_arena_done(&a);

        odm_arena_init(&a, &heap, 4096); /* what is longer than a chunk gets one of its own */
        p = odm_arena_get(&a, 3000);
        assert_non_null(p);
        memset(p, 1, 3000);
        odm_arena_done(&a);
        p = odm_alloc(&heap, 0); /* nothing is something one can give back */
        assert_non_null(p);
        odm_free(&heap, p, 0);
        odm_free(&heap, NULL, 7);
}

static void a_buffer_keeps_what_it_had_when_it_is_full(void **state)
{
        odm_buf b;

        (void)state;
        odm_buf_init(&b, &heap, 600);
        assert_int_equal(odm_buf_str(&b, ODM_STR("hello")), 0);
        for (int i = 0; i < 59; i++)
                assert_int_equal(odm_buf_put(&b, "0123456789", 10), 0);
        assert_int_equal(odm_buf_put(&b, "0123456789", 10), ODM_ELIMIT);
        assert_int_equal(odm_buf_view(&b).n, 595);
        odm_buf_cut(&b, 5);
        assert_str(odm_buf_view(&b), "hello");
        odm_buf_trim(&b);
        assert_int_equal(b.cap, 5);
        assert_int_equal(odm_buf_str(&b, ODM_STR(", again")), 0);
        assert_str(odm_buf_view(&b), "hello, again");
        odm_buf_cut(&b, 0);
        odm_buf_trim(&b);
        assert_null(b.p);
        odm_buf_done(&b);
}

static void formatted_text_is_put_whole_or_not_at_all(void **state)
{
        static const struct row {
                const char *why;
                int digits;
                size_t max;
                int rc;
        } rows[] = {
                {"short", 10, 1000, 0},
                {"as long as fits beside a zero", 255, 1000, 0},
                {"longer than what is tried first", 256, 1000, 0},
                {"much longer", 900, 1000, 0},
                {"too long", 900, 500, ODM_ELIMIT},
                {"a little too long", 100, 99, ODM_ELIMIT},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_buf b;
                odm_buf_init(&b, &heap, rows[i].max);
                int rc = odm_buf_fmt(&b, "%0*d", rows[i].digits, 7);
                if (rc != rows[i].rc || b.n != (rc == 0 ? (size_t)rows[i].digits : 0))
                        fail_msg("%s: %s, %zu octets", rows[i].why, odm_err_name(rc), b.n);
                if (rc == 0)
                        assert_int_equal(b.p[b.n - 1], '7');
                odm_buf_done(&b);
        }
}

static void keep_line(void *ctx, const char *room, const char *line)
{
        (void)snprintf(ctx, 600, "%s: %s", room, line);
}

static void a_trace_is_one_line_of_bounded_length(void **state)
{
        char got[600] = "";
        const odm_tracer ears = {keep_line, got}, no_ears = {NULL, got};
        const odm_tracer *t = &ears, *deaf = &no_ears, *none = NULL;

        (void)state;
        ODM_TRACE(none, "base", "%d", 1);
        ODM_TRACE(deaf, "base", "%d", 2);
        assert_string_equal(got, "");
        ODM_TRACE(t, "base", "%d and %s", 3, "four");
        assert_string_equal(got, "base: 3 and four");
        ODM_TRACE(t, "base", "%0700d", 5);
        assert_int_equal(strlen(got), strlen("base: ") + 511);
}

static void errors_have_names_and_texts(void **state)
{
        static const struct row {
                int err;
                const char *name, *text;
        } rows[] = {
#define X(name, value, text) {value, #name, text},
                ODM_ERRORS(X)
#undef X
                        {0, "OK", "success"},
                {1, "OK", "success"},
                {-99, "E?", "unknown error"},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                assert_string_equal(odm_err_name(rows[i].err), rows[i].name);
                assert_string_equal(odm_err_text(rows[i].err), rows[i].text);
        }
}

static void text_is_made_where_it_stays(void **state)
{
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 100000);
        assert_str(odm_arena_number(&a, 0), "0");
        assert_str(odm_arena_number(&a, UINT64_MAX), "18446744073709551615");
        for (size_t n = 0; n < 40; n++) { /* whatever room is left in the chunk */
                odm_str s = odm_arena_fmt(&a, "%0*d", 97 + (int)n, 7);
                assert_int_equal(s.n, 97 + n);
                assert_int_equal(s.p[s.n - 1], '7');
                assert_int_equal(s.p[s.n], 0);
        }
        odm_arena_done(&a);
}

static void base64_agrees_with_the_rfc(void **state)
{
        static const char *const rows[][2] = {
                {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
        odm_arena a;
        odm_str back = ODM_STR("x");

        (void)state;
        odm_arena_init(&a, &heap, 100000);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                assert_str(odm_b64_encode(&a, odm_cstr(rows[i][0])), rows[i][1]);
                assert_int_equal(odm_b64_decode(&a, odm_cstr(rows[i][1]), &back), 0);
                assert_str(back, rows[i][0]);
        }
        assert_int_equal(odm_b64_decode(&a, ODM_STR("Zm9v\r\n Yg=="), &back), 0);
        assert_str(back, "foob");
        assert_int_equal(odm_b64_decode(&a, ODM_STR("Zm9"), &back), ODM_EMALFORMED);
        assert_int_equal(odm_b64_decode(&a, ODM_STR("Zm*v"), &back), ODM_EMALFORMED);
        assert_str(back, "foob");
        odm_arena_done(&a);
}

static int copy_much(failing *f, void *arg)
{
        odm_arena a;
        odm_buf b;
        int rc = 0;

        (void)arg;
        odm_arena_init(&a, &f->mem, 1 << 20);
        odm_buf_init(&b, &f->mem, 1 << 20);
        for (int i = 0; i < 2000 && rc == 0; i++) {
                odm_str s = odm_arena_fmt(&a, "number %d of many", i);
                rc = s.p ? odm_buf_str(&b, s) : odm_arena_err(&a);
        }
        odm_buf_done(&b);
        odm_arena_done(&a);
        return rc;
}

static void memory_running_out_leaves_nothing_behind(void **state)
{
        (void)state;
        torture(copy_much, NULL, 100);
}

static void text_helpers_do_what_they_say(void **state)
{
        (void)state;
        assert_str(odm_str_trim(ODM_STR(" \r\n a b\t")), "a b");
        assert_true(odm_str_ieq(ODM_STR("ChR"), "chr"));
        assert_false(odm_str_ieq(ODM_STR("ch"), "chr"));
        assert_false(odm_str_ieq(ODM_STR("chrx"), "chr"));
        assert_true(odm_str_eq(ODM_ABSENT, ODM_STR("")));
        assert_true(odm_str_cmp(ODM_STR("ab"), ODM_STR("abc")) < 0);
        assert_true(odm_str_starts(ODM_STR("./A"), "./"));
        assert_str(odm_str_from(ODM_STR("abc"), 9), "");
        assert_false(odm_str_starts(ODM_STR("."), "./"));
        assert_false(odm_str_starts(ODM_STR("/."), "./"));
        assert_true(odm_str_starts(ODM_STR("x"), ""));
        assert_true(odm_str_cmp(ODM_ABSENT, ODM_STR("a")) < 0);
        assert_int_equal(odm_str_cmp(ODM_STR(""), ODM_ABSENT), 0);
        char secret[4] = "key";
        odm_wipe(secret, 0);
        assert_string_equal(secret, "key");
        odm_wipe(secret, sizeof secret);
        assert_memory_equal(secret, "\0\0\0\0", 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_parse_as_the_table_says),
                cmocka_unit_test(utf8_is_judged_as_the_table_says),
                cmocka_unit_test(calendar_time_goes_there_and_back),
                cmocka_unit_test(an_arena_stops_at_its_ceiling),
                cmocka_unit_test(a_buffer_keeps_what_it_had_when_it_is_full),
                cmocka_unit_test(formatted_text_is_put_whole_or_not_at_all),
                cmocka_unit_test(a_trace_is_one_line_of_bounded_length),
                cmocka_unit_test(errors_have_names_and_texts),
                cmocka_unit_test(text_is_made_where_it_stays),
                cmocka_unit_test(base64_agrees_with_the_rfc),
                cmocka_unit_test(memory_running_out_leaves_nothing_behind),
                cmocka_unit_test(text_helpers_do_what_they_say),
        };
        return RUN_TESTS(tests);
}
