/* SPDX-License-Identifier: Apache-2.0 */
/* Names, values and times of performance data, and events made of them. */
#include "sample.h"

#include "support.h"

typedef struct name_row {
        const char *uri, *want, *why;
} name_row;

static const name_row names[] = {
        {"./DiagMon/Memory/DiagMonData/RAMAvail", "memory.RAMAvail", "a function by its id"},
        {"./DiagMon/Sensor/DiagMonData/cpu/Value", "sensorinfo.cpu.Value", "dots for slashes"},
        {"./DiagMon/RF/LTE/DiagMonData/RSRP", "RFParms_3GPP_LTE.RSRP", "a place of two segments"},
        {"./DiagMon/PM/DiagMonData/20261123T024500Z/cpu.user", "pm.cpu.user",
         "the row of a period is not part of the name"},
        {"./DiagMon/Custom/DiagMonData/X", "Custom.X", "a function that nobody knows"},
        {"./Vendor/Diag/DiagMonData/Level", "Vendor.Diag.Level", "elsewhere in the tree"},
        {"./DevDetail/Ext/Load?list=Struct", "DevDetail.Ext.Load", "no function, and a query"},
        {"./DiagMon/Memory/DiagMonData/ExtMem/My disk,1/Avail", "memory.ExtMem.My_disk_1.Avail",
         "what a table or a CSV could not hold"},
        {"./", NULL, "nothing"},
        {"", NULL, "nothing at all"},
        {"./A/\xff", NULL, "no text"},
        {"./DiagMon/Memory/DiagMonData/"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         NULL, "longer than a name may be"},
};

static void nodes_have_names(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                odm_str uri = exact_copy(names[i].uri), got;
                odm_arena a;

                odm_arena_init(&a, &heap, 4096);
                got = sample_name(uri, &a);
                if (names[i].want ? !odm_str_is(got, names[i].want) : got.p != NULL)
                        fail_msg("%s: %s gave %.*s", names[i].why, names[i].uri, (int)got.n,
                                 got.p ? got.p : "");
                assert_int_equal(got.p != NULL, got.p && sample_name_ok(got));
                odm_arena_done(&a);
                exact_free(uri);
        }
        assert_false(sample_name_ok(ODM_STR("a b")));
        assert_false(sample_name_ok(ODM_STR("")));
}

typedef struct value_row {
        const char *format, *text, *want; /* JSON; NULL: refused */
        const char *why;
} value_row;

static const value_row values[] = {
        {"int", "-12", "-12", "a number"},
        {"float", "42.3", "42.299999999999997", "one with a point, to the last bit"},
        {"chr", "18446744073709551615", "1.8446744073709552e19", "a counter of 64 bits, as text"},
        {"chr", " 7 ", "7", "blanks around it"},
        {"chr", "1e3", "1000", "an exponent"},
        {"chr", ".5", "0.5", "no digit before the point"},
        {"bool", "true", "1", "yes"},
        {"bool", "false", "0", "no"},
        {"chr", "up", "\"up\"", "a text"},
        {"int", "", "\"\"", "an empty one"},
        {"chr", "0x10", "\"0x10\"", "hexadecimal is a text"},
        {"chr", "nan", "\"nan\"", "so is no number"},
        {"chr", "inf", "\"inf\"", "and what has no end"},
        {"chr", "1e", "\"1e\"", "half an exponent"},
        {"chr", ".", "\".\"", "a point"},
        {"chr", "1 2", "\"1 2\"", "two numbers"},
        {"float", "1e300", NULL, "no measurement is that large"},
        {"float", "1e999", NULL, "nor that large"},
        {"bin", "abc", NULL, "octets"},
        {"node", "A/B", NULL, "names of children"},
        {"chr", "\xff", NULL, "no UTF-8"},
};

static void values_are_numbers_or_text(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(values); i++) {
                odm_str text = exact_copy(values[i].text);
                bool refused = false;
                json_t *v = sample_value(odm_cstr(values[i].format), text, &refused);
                char *got = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;

                if (refused != !values[i].want ||
                    (values[i].want && (!got || strcmp(got, values[i].want) != 0)))
                        fail_msg("%s: %s gave %s", values[i].why, values[i].text,
                                 got ? got : "nothing");
                free(got);
                json_decref(v);
                exact_free(text);
        }
}

static void times_are_read_and_written(void **state)
{
        static const struct {
                const char *text;
                int64_t ms;
                const char *back, *why;
        } rows[] = {
                {"2026-11-22T16:35:05Z", 1795365305000, "2026-11-22T16:35:05Z", "as REST has it"},
                {"20261122T163505Z", 1795365305000, "2026-11-22T16:35:05Z", "as devices have it"},
                {"2026-11-22T16:35:05.25Z", 1795365305250, "2026-11-22T16:35:05.250Z", "a part"},
                {"2026-11-22T16:35:05.2519Z", 1795365305251, "2026-11-22T16:35:05.251Z", "cut"},
                {"2026-11-22 16:35:05", -1, NULL, "not UTC"},
                {"", -1, NULL, "nothing"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int64_t ms = -1;
                char back[SAMPLE_TIME];
                int rc = sample_time_parse(odm_cstr(rows[i].text), &ms);

                if ((rc == 0) != (rows[i].ms >= 0) || ms != rows[i].ms)
                        fail_msg("%s: %lld", rows[i].why, (long long)ms);
                if (rc < 0)
                        continue;
                sample_time_format(ms, back);
                assert_string_equal(back, rows[i].back);
        }
}

static void events_hold_so_many_values(void **state)
{
        sample_set s = {0};
        odm_arena a;
        int rc = 0;
        size_t n = 0;

        (void)state;
        odm_arena_init(&a, &heap, 1 << 20);
        assert_int_equal(sample_add(&s, 5000, ODM_STR("a"), json_integer(1)), 0);
        assert_int_equal(sample_add(&s, 5000, ODM_STR("a"), json_integer(2)), 0);
        assert_int_equal(sample_add(&s, 5000, ODM_STR("b"), json_string("x")), 0);
        assert_int_equal(sample_add(&s, 6500, ODM_STR("a"), json_real(42.3)), 0);
        assert_int_equal(s.n, 3);
        assert_str(sample_take(&s, "report", ODM_STR("c1"), &a),
                   "{\"by\":\"report\",\"samples\":[{\"at\":\"1970-01-01T00:00:05Z\",\"values\":{"
                   "\"a\":1,\"b\":\"x\"}},{\"at\":\"1970-01-01T00:00:06.500Z\",\"values\":{\"a\":"
                   "42.3}}],\"correlator\":\"c1\"}");
        assert_null(s.samples);
        while (rc == 0) {
                rc = sample_add(&s, (int64_t)n * 1000, ODM_STR("a"), json_integer(1));
                n += rc == 0;
        }
        assert_int_equal(rc, ODM_ELIMIT);
        assert_int_equal(n, SAMPLE_VALUES);
        sample_drop(&s);
        odm_arena_done(&a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nodes_have_names),
                cmocka_unit_test(values_are_numbers_or_text),
                cmocka_unit_test(times_are_read_and_written),
                cmocka_unit_test(events_hold_so_many_values),
        };

        return RUN_TESTS(tests);
}
