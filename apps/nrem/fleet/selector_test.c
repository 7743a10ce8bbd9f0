/* SPDX-License-Identifier: Apache-2.0 */
#include "selector.h"

#include "heap.h"
#include "support.h"

static const store_device meter = {.name = {"acme/meter/17", 13},
                                   .maker = {"Acme", 4},
                                   .model = {"M1", 2},
                                   .hwv = {"3", 1},
                                   .fwv = {"1.10", 4},
                                   .tags = {"outdoor tz:Europe/Paris", 23}};

static const struct row {
        const char *why, *text;
        bool has;
        const char *said;
} rows[] = {
        {"all", "{}", true, NULL},
        {"a list", "{\"devices\":[\"b\",\"acme/meter/17\",\"a\"]}", true, NULL},
        {"not in the list", "{\"devices\":[\"acme/meter/1\"]}", false,
         "it is not in the list of devices"},
        {"a prefix", "{\"prefix\":\"acme/\"}", true, NULL},
        {"another prefix", "{\"prefix\":\"acme/meter/18\"}", false,
         "its name is acme/meter/17; wanted is acme/meter/18"},
        {"a tag", "{\"tags\":[\"outdoor\"]}", true, NULL},
        {"all tags", "{\"tags\":[\"tz:Europe/Paris\",\"outdoor\"]}", true, NULL},
        {"a tag it has not", "{\"tags\":[\"outdoor\",\"out\"]}", false, "it has no tag out"},
        {"a model", "{\"model\":\"M1\"}", true, NULL},
        {"one of the models", "{\"model\":[\"M0\",\"M1\"]}", true, NULL},
        {"another model", "{\"model\":\"M2\"}", false, "its model is M1; wanted is M2"},
        {"a maker", "{\"maker\":\"Acme\",\"model\":\"M1\"}", true, NULL},
        {"another maker", "{\"maker\":\"Else\"}", false, "its maker is Acme; wanted is Else"},
        {"by numbers", "{\"fwv\":\">=1.9 <2\"}", true, NULL},
        {"too late a version", "{\"fwv\":\"<1.9\"}", false,
         "its firmware version is 1.10; wanted is <1.9"},
        {"a version not known", "{\"swv\":\">=1\"}", false,
         "its software version is not known; wanted is >=1"},
        {"hardware", "{\"hwv\":\"3\"}", true, NULL},
        {"one of many fails", "{\"prefix\":\"acme/\",\"fwv\":\"1.10\",\"hwv\":\"4\"}", false,
         "its hardware version is 3; wanted is 4"},
};

static void selects_as_the_table_says(void **state)
{
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = exact_copy(rows[i].text), why = ODM_ABSENT;
                selector s;

                assert_int_equal(selector_parse(in, &a, &s), 0);
                exact_free(in);
                if (selector_has(&s, &meter, &a, &why) != rows[i].has)
                        fail_msg("%s", rows[i].why);
                assert_octets(why, odm_cstr(rows[i].said));
                assert_int_equal(selector_has(&s, &meter, &a, NULL), rows[i].has);
        }
        odm_arena_done(&a);
}

static const struct bad {
        const char *why, *text, *name;
} bad[] = {
        {"no such member", "{\"modle\":\"M1\"}", "target.modle"},
        {"no list", "{\"tags\":\"outdoor\"}", "target.tags"},
        {"an empty list", "{\"devices\":[]}", "target.devices"},
        {"an entry of another kind", "{\"devices\":[\"a\",1]}", "target.devices"},
        {"an empty entry", "{\"model\":[\"\"]}", "target.model"},
        {"no range", "{\"fwv\":\">=\"}", "target.fwv"},
        {"no text", "{\"prefix\":7}", "target.prefix"},
};

static void names_what_is_wrong(void **state)
{
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(bad); i++) {
                json_t *o = json_loads(bad[i].text, 0, NULL);
                selector s = {.prefix = ODM_STR("as it was")};
                const char *name;
                problem p;

                problem_init(&p);
                if (selector_read(o, "target", &p, &a, &s))
                        fail_msg("%s", bad[i].why);
                name = json_string_value(json_object_get(json_array_get(p.errors, 0), "name"));
                assert_str(odm_cstr(name), bad[i].name);
                assert_str(s.prefix, "as it was");
                assert_int_equal(selector_parse(odm_cstr(bad[i].text), &a, &s), ODM_EMALFORMED);
                problem_done(&p);
                json_decref(o);
        }
        odm_arena_done(&a);
}

static void stays_within_a_scope_as_the_table_says(void **state)
{
        static const struct {
                const char *why, *text, *scope;
                bool within;
        } scopes[] = {
                {"no scope", "{}", "", true},
                {"all devices", "{}", "acme/", false},
                {"a prefix inside", "{\"prefix\":\"acme/meter/\"}", "acme/", true},
                {"a prefix that reaches beyond", "{\"prefix\":\"ac\"}", "acme/", false},
                {"names inside", "{\"devices\":[\"acme/1\",\"acme/2\"]}", "acme/", true},
                {"one name outside", "{\"devices\":[\"acme/1\",\"b/2\"]}", "acme/", false},
                {"other conditions do not help", "{\"tags\":[\"acme/\"]}", "acme/", false},
        };
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(scopes); i++) {
                selector s;

                assert_int_equal(selector_parse(odm_cstr(scopes[i].text), &a, &s), 0);
                if (selector_within(&s, odm_cstr(scopes[i].scope)) != scopes[i].within)
                        fail_msg("%s", scopes[i].why);
        }
        odm_arena_done(&a);
}

static void the_store_is_asked_for_what_it_can_tell(void **state)
{
        store_device_filter f = {.limit = 7};
        selector s;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        assert_int_equal(selector_parse(ODM_STR("{\"prefix\":\"a/\",\"model\":[\"x\",\"y\"],"
                                                "\"maker\":\"m\",\"tags\":[\"t\",\"u\"],"
                                                "\"devices\":[\"a/2\",\"a/1\",\"a/2\"]}"),
                                        &a, &s),
                         0);
        selector_filter(&s, &f);
        assert_str(f.prefix, "a/");
        assert_str(f.maker, "m");
        assert_str(f.tag, "t");
        assert_true(!f.model.p && f.limit == 7);
        assert_int_equal(s.devices.n, 2);
        assert_str(s.devices.v[0], "a/1");
        odm_arena_done(&a);
}

static int parse_under_torture(failing *f, void *arg)
{
        odm_arena a;
        selector s;
        int rc;

        odm_arena_init(&a, &f->mem, 1 << 20);
        rc = selector_parse(odm_cstr(arg), &a, &s);
        odm_arena_done(&a);
        return rc;
}

static void runs_out_of_memory_cleanly(void **state)
{
        char text[] = "{\"devices\":[\"a\",\"b\"],\"model\":\"x\"}";

        (void)state;
        torture(parse_under_torture, text, 50);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(selects_as_the_table_says),
                cmocka_unit_test(names_what_is_wrong),
                cmocka_unit_test(stays_within_a_scope_as_the_table_says),
                cmocka_unit_test(the_store_is_asked_for_what_it_can_tell),
                cmocka_unit_test(runs_out_of_memory_cleanly),
        };

        return RUN_TESTS(tests);
}
