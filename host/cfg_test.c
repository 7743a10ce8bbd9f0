/* SPDX-License-Identifier: Apache-2.0 */
/* cfg_test.c - what a configuration file may say, and how mistakes are told. */
#include "cfg.h"

#include <unistd.h>

#include "support.h"

static const char *const colours[] = {"red", "green", NULL};
static const cfg_key keys[] = {
        {"a.name", CFG_STRING, "none", "A name."},
        {"a.count", CFG_INT, "5", "How many.\nTwo lines.", .min = 1, .max = 10},
        {"a.any", CFG_INT, NULL, "Any number."},
        {"a.wait", CFG_DURATION, "1m", "How long.", .min = 1000, .max = 3600000},
        {"a.room", CFG_SIZE, "64k", "How much.", .min = 1, .max = 1 << 30},
        {"a.on", CFG_BOOL, "no", "Whether."},
        {"b.colour", CFG_ENUM, "red", "Which.", .choices = colours},
        {"b.list", CFG_LIST, NULL, "Some."},
        {"b.file", CFG_PATH, NULL, "Where."},
        {"b.must", CFG_STRING, NULL, "Needed.", .required = true},
        {"item *.path", CFG_PATH, NULL, "Of each.", .required = true},
        {"item *.on", CFG_BOOL, "yes", "Whether."},
        {"thing *.words", CFG_LIST, NULL, "Some."},
};

static cfg *fresh(void)
{
        cfg *c;

        assert_int_equal(cfg_new(keys, ODM_COUNT(keys), &c), 0);
        return c;
}

static void defaults_hold(void **state)
{
        cfg *c = fresh();

        (void)state;
        assert_string_equal(cfg_str(c, "a.name"), "none");
        assert_int_equal(cfg_int(c, "a.count"), 5);
        assert_int_equal(cfg_ms(c, "a.wait"), 60000);
        assert_int_equal(cfg_int(c, "a.room"), 65536);
        assert_false(cfg_bool(c, "a.on"));
        assert_int_equal(cfg_enum(c, "b.colour"), 0);
        assert_int_equal(cfg_list_n(c, "b.list"), 0);
        assert_null(cfg_str(c, "b.file"));
        assert_false(cfg_given(c, "a.name"));
        cfg_free(c);
}

static void good_file_is_read(void **state)
{
        cfg *c = fresh();
        diag d = {0};
        int rc =
                cfg_parse(c,
                          ODM_STR("# comment\n\n[a]\nname = \"x # \\\"y\\\"\"  # said\ncount=10\r\n"
                                  "wait = 90s\nroom = 2M\non = Yes\n[ b ]\ncolour = green\n"
                                  "list = one, \"two, three\" , four\nfile = sub/x\nmust = a#b"),
                          "/etc/x/y.conf", &d);

        (void)state;
        if (rc < 0)
                fail_msg("%s", d.text);
        assert_string_equal(cfg_str(c, "a.name"), "x # \"y\"");
        assert_int_equal(cfg_int(c, "a.count"), 10);
        assert_int_equal(cfg_ms(c, "a.wait"), 90000);
        assert_int_equal(cfg_int(c, "a.room"), 2 << 20);
        assert_true(cfg_bool(c, "a.on"));
        assert_string_equal(cfg_str(c, "b.colour"), "green");
        assert_int_equal(cfg_enum(c, "b.colour"), 1);
        assert_int_equal(cfg_list_n(c, "b.list"), 3);
        assert_string_equal(cfg_list_at(c, "b.list", 1), "two, three");
        assert_string_equal(cfg_str(c, "b.file"), "/etc/x/sub/x");
        assert_string_equal(cfg_str(c, "b.must"), "a#b");
        assert_int_equal(cfg_check(c, NULL), 0);
        cfg_free(c);
}

static const struct bad_row {
        const char *why, *in, *says;
} bad_rows[] = {
        {"unknown section", "\n[c]\n", "f.conf:2: unknown section [c]"},
        {"unknown key", "[a]\nnmae = x\n", "f.conf:2: unknown key 'nmae' in section [a]"},
        {"a key of another section", "[b]\nname = x\n", "f.conf:2: unknown key 'name'"},
        {"a key before any section", "name = x\n", "f.conf:1: unknown key 'name'"},
        {"twice", "[a]\nname = x\n\nname = y\n", "f.conf:4: 'name' was given in line 2 already"},
        {"no equals sign", "[a]\nname\n", "f.conf:2: neither"},
        {"below the range", "[a]\ncount = 0\n", "f.conf:2: count: 0 is not between 1 and 10"},
        {"above the range", "[a]\ncount = 11\n", "is not between 1 and 10"},
        {"no number", "[a]\ncount = ten\n", "'ten' is not a whole number"},
        {"a number too long", "[a]\nany = 99999999999999999999\n", "is not a whole number"},
        {"an empty number", "[a]\ncount =\n", "is not a whole number"},
        {"no duration", "[a]\nwait = 3 fortnights\n", "is not a duration"},
        {"a duration too short", "[a]\nwait = 999ms\n", "is not between 1000 ms and 3600000 ms"},
        {"a duration that overflows", "[a]\nwait = 9223372036854775807d\n", "is not a duration"},
        {"no size", "[a]\nroom = big\n", "is not a size"},
        {"no boolean", "[a]\non = maybe\n", "'maybe' is neither yes nor no"},
        {"none of the choices", "[b]\ncolour = blue\n", "'blue' is none of: red, green"},
        {"an open quote", "[a]\nname = \"x\n", "the quotes do not match"},
        {"text behind a quote", "[a]\nname = \"x\" y\n", "the quotes do not match"},
        {"an empty path", "[b]\nfile =\n", "the path is empty"},
        {"an open section", "[a\n", "a section is written"},
        {"a name where there is none", "[a x]\n", "unknown section [a x]"},
        {"no name where there is one", "[item]\n", "unknown section [item]"},
        {"a name of a kind unknown", "[itm x]\n", "unknown section [itm x]"},
        {"a name that is none", "[item a.b]\n", "unknown section [item a.b]"},
        {"the pattern itself", "[item *]\n", "unknown section [item *]"},
        {"two names", "[item a b]\n", "unknown section [item a b]"},
        {"a name too long", "[item a23456789b123456789c123456789d123]\n", "unknown section"},
        {"a key of another kind", "[item x]\nwords = a\n",
         "f.conf:2: unknown key 'words' in section [item x]"},
        {"twice in a named one", "[item x]\non = no\n[item y]\non = no\n[item x]\non = yes\n",
         "f.conf:6: 'on' was given in line 2 already"},
};

static void mistakes_are_told_with_their_place(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(bad_rows); i++) {
                const struct bad_row *r = &bad_rows[i];
                cfg *c = fresh();
                diag d = {0};
                odm_str in = exact_copy(r->in);

                assert_int_equal(cfg_set(c, "a.name=before", NULL), 0);
                if (cfg_parse(c, in, "f.conf", &d) != ODM_EMALFORMED || !strstr(d.text, r->says))
                        fail_msg("%s: '%s'", r->why, d.text);
                assert_string_equal(cfg_str(c, "a.name"), "before");
                assert_int_equal(cfg_int(c, "a.count"), 5);
                assert_int_equal(cfg_named_n(c, "item"), 0);
                exact_free(in);
                cfg_free(c);
        }
}

static void command_line_wins(void **state)
{
        cfg *c = fresh();
        diag d = {0};

        (void)state;
        assert_int_equal(cfg_set(c, "a.count=7", &d), 0);
        assert_int_equal(cfg_parse(c, ODM_STR("[a]\ncount = 3\nname = n\n"), "f", &d), 0);
        assert_int_equal(cfg_int(c, "a.count"), 7);
        assert_string_equal(cfg_str(c, "a.name"), "n");
        assert_int_equal(cfg_set(c, "a.count=70", &d), ODM_EMALFORMED);
        assert_int_equal(cfg_set(c, "nonsense", &d), ODM_EMALFORMED);
        assert_int_equal(cfg_set(c, "a.nonsense=1", &d), ODM_EMALFORMED);
        assert_int_equal(cfg_int(c, "a.count"), 7);
        cfg_free(c);
}

static void required_keys_are_missed(void **state)
{
        cfg *c = fresh();
        diag d = {0};

        (void)state;
        assert_int_equal(cfg_check(c, &d), ODM_ENOENT);
        assert_non_null(strstr(d.text, "b.must"));
        cfg_free(c);
}

static void sections_may_have_names(void **state)
{
        cfg *c = fresh();
        diag d = {0};

        (void)state;
        assert_int_equal(cfg_parse(c,
                                   ODM_STR("[item one]\npath = x\n[a]\nname = n\n[ item   two ]\n"
                                           "on = no\n[thing one]\nwords = a, b\n[item one]\n"
                                           "on = no\n[thing e-m_P7]\n"),
                                   "/etc/f.conf", &d),
                         0);
        assert_int_equal(cfg_named_n(c, "item"), 2);
        assert_int_equal(cfg_named_n(c, "thing"), 2);
        assert_int_equal(cfg_named_n(c, "a"), 0);
        assert_string_equal(cfg_name(cfg_named(c, "item", 0)), "one");
        assert_string_equal(cfg_str(cfg_named(c, "item", 0), "item *.path"), "/etc/x");
        assert_false(cfg_bool(cfg_named(c, "item", 0), "item *.on"));
        assert_int_equal(cfg_line(cfg_named(c, "item", 0), "item *.path"), 2);
        assert_int_equal(cfg_line(cfg_named(c, "item", 0), "item *.on"), 10);
        assert_int_equal(cfg_line(cfg_named(c, "item", 0), NULL), 1);
        assert_int_equal(cfg_line(cfg_named(c, "item", 1), "item *.path"), 0);
        assert_int_equal(cfg_line(cfg_named(c, "thing", 1), NULL), 11);
        assert_string_equal(cfg_name(cfg_named(c, "item", 1)), "two");
        assert_null(cfg_str(cfg_named(c, "item", 1), "item *.path"));
        assert_int_equal(cfg_list_n(cfg_named(c, "thing", 0), "thing *.words"), 2);
        assert_string_equal(cfg_name(cfg_named(c, "thing", 1)), "e-m_P7"); /* of no keys at all */

        assert_int_equal(cfg_set(c, "b.must=x", &d), 0);
        assert_int_equal(cfg_check(c, &d), ODM_ENOENT);
        assert_non_null(strstr(d.text, "item two: item *.path"));
        assert_int_equal(cfg_set(c, "item two.path=/p=q", &d), 0);
        assert_int_equal(cfg_check(c, &d), 0);
        assert_string_equal(cfg_str(cfg_named(c, "item", 1), "item *.path"), "/p=q");
        assert_int_equal(cfg_set(c, "item three.path=/p", &d), 0);
        assert_true(cfg_bool(cfg_named(c, "item", 2), "item *.on"));
        assert_int_equal(cfg_set(c, "item.path=/p", &d), ODM_EMALFORMED);
        assert_int_equal(cfg_set(c, "item x.words=/p", &d), ODM_EMALFORMED);
        assert_int_equal(cfg_parse(c, ODM_STR("[item two]\npath = /r\non = yes\n"), "f", &d), 0);
        assert_string_equal(cfg_str(cfg_named(c, "item", 1), "item *.path"), "/p=q");
        assert_true(cfg_bool(cfg_named(c, "item", 1), "item *.on"));
        assert_int_equal(cfg_named_n(c, "item"), 3);
        cfg_free(c);
}

static void there_is_an_end_to_names(void **state)
{
        static char text[CFG_NAMED_MAX * 16 + 64];
        cfg *c = fresh();
        size_t n = 0;
        diag d = {0};

        (void)state;
        for (int i = 0; i < CFG_NAMED_MAX; i++)
                n += (size_t)snprintf(text + n, sizeof text - n, "[thing t%d]\n", i);
        assert_int_equal(cfg_parse(c, (odm_str){text, n}, "f", &d), 0);
        assert_int_equal(cfg_parse(c, ODM_STR("[thing t0]\n"), "f", &d), 0);
        assert_int_equal(cfg_parse(c, ODM_STR("[a]\nname = x\n[item one]\n"), "f", &d), ODM_ELIMIT);
        assert_string_equal(cfg_str(c, "a.name"), "none");
        assert_int_equal(cfg_set(c, "item one.on=no", &d), ODM_ELIMIT);
        n += (size_t)snprintf(text + n, sizeof text - n, "[thing more]\n");
        assert_int_equal(cfg_parse(c, (odm_str){text, n}, "f", &d), ODM_ELIMIT);
        assert_int_equal(cfg_named_n(c, "thing"), CFG_NAMED_MAX);
        cfg_free(c);
}

static void a_missing_file_is_told(void **state)
{
        cfg *c = fresh();
        diag d = {0};

        (void)state;
        assert_int_equal(cfg_load(c, "/nonexistent/x.conf", &d), ODM_ENOENT);
        assert_non_null(strstr(d.text, "/nonexistent/x.conf"));
        cfg_free(c);
}

static void printed_defaults_are_read_back(void **state)
{
        cfg *c = fresh();
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);
        diag d = {0};

        (void)state;
        cfg_print(keys, ODM_COUNT(keys), f);
        fclose(f);
        if (cfg_parse(c, (odm_str){text, n}, "printed", &d) < 0)
                fail_msg("%s", d.text);
        assert_non_null(strstr(text, "[a]\n"));
        assert_non_null(strstr(text, "# Two lines.\n"));
        assert_non_null(strstr(text, "# count = 5\n"));
        assert_non_null(strstr(text, "\nmust = \n"));
        assert_non_null(strstr(text, "\n# as often as needed: [item NAME]\n"));
        assert_non_null(strstr(text, "\n# path = \n"));
        free(text);
        cfg_free(c);
}

static void bad_defaults_are_our_mistake(void **state)
{
        static const cfg_key wrong[] = {{"a.n", CFG_INT, "x", ""}};
        cfg *c = NULL;

        (void)state;
        assert_int_equal(cfg_new(wrong, 1, &c), ODM_EINVAL);
        assert_null(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(defaults_hold),
                cmocka_unit_test(good_file_is_read),
                cmocka_unit_test(mistakes_are_told_with_their_place),
                cmocka_unit_test(command_line_wins),
                cmocka_unit_test(required_keys_are_missed),
                cmocka_unit_test(sections_may_have_names),
                cmocka_unit_test(there_is_an_end_to_names),
                cmocka_unit_test(a_missing_file_is_told),
                cmocka_unit_test(printed_defaults_are_read_back),
                cmocka_unit_test(bad_defaults_are_our_mistake),
        };

        return RUN_TESTS(tests);
}
