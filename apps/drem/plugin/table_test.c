/* SPDX-License-Identifier: Apache-2.0 */
/* table_test.c - table files: what they say, and every reason for which one is refused. */
#include "table.h"

#include "odm/codec.h"
#include "support.h"

#define GOOD                                                                              \
        "[object]\ntype = urn:oma:mo:x-example-meter:1.0\ntitle = M\n"                    \
        "[node Serial]\nfile = serial\n"                                                  \
        "[node limit]\nat = Config/Limit\nformat = int\nfile = /run/limit\nwrite = yes\n" \
        "refresh = 2s\n"                                                                  \
        "[node power]\nat = Config/Power\nformat = float\ncommand = cat /x | head -1\n"   \
        "timeout = 3s\ndescription = \"Watts, now\"\n"                                    \
        "[node Host]\ndbus = system org.a /org/a org.a.I Name\n"                          \
        "[node Reset]\nexec = reset-it\n"

static void a_table_is_read(void **state)
{
        table *t = NULL;
        diag d = {{0}};

        (void)state;
        assert_int_equal(table_parse(ODM_STR(GOOD), "/etc/t/meter.table", &t, &d), 0);
        assert_string_equal(t->name, "meter");
        assert_string_equal(t->type, "urn:oma:mo:x-example-meter:1.0");
        assert_string_equal(t->title, "M");
        assert_int_equal(t->n, 5);
        assert_string_equal(t->node[0].at, "Serial");
        assert_string_equal(t->node[0].text, "/etc/t/serial"); /* beside the table */
        assert_int_equal(t->node[0].kind, TABLE_FILE);
        assert_int_equal(t->node[0].format, ODM_FMT_CHR);
        assert_int_equal(t->node[0].line, 4);
        assert_string_equal(t->node[1].at, "Config/Limit");
        assert_int_equal(t->node[1].kind, TABLE_SETTING);
        assert_int_equal(t->node[1].refresh_ms, 2000);
        assert_int_equal(t->node[2].kind, TABLE_COMMAND);
        assert_string_equal(t->node[2].text, "cat /x | head -1");
        assert_int_equal(t->node[2].timeout_ms, 3000);
        assert_int_equal(t->node[2].refresh_ms, 60000);
        assert_int_equal(t->node[3].kind, TABLE_DBUS);
        assert_int_equal(t->node[4].kind, TABLE_EXEC);
        assert_int_equal(t->node[4].format, ODM_FMT_NULL);
        table_free(t);
}

static void refusals_name_the_line(void **state)
{
        static const struct {
                const char *why, *text, *want;
        } row[] = {
                {"nothing", "", "f.table:1: there is no [node NAME]"},
                {"an unknown section", "[leaf x]\n", "f.table:1: unknown section"},
                {"an unknown key", "[node x]\nfile = a\ncolour = red\n", "f.table:3: unknown key"},
                {"a format that is none", "[node x]\nformat = number\n", "f.table:2: format"},
                {"no line of it", "[node x]\nfile\n", "f.table:2: neither"},
                {"no source", "# a\n\n[node x]\nformat = int\n",
                 "f.table:3: [node x]: one of file, command, dbus and exec is missing"},
                {"a section without anything", "[node a]\nfile = a\n[node x]\n",
                 "f.table:3: [node x]: one of"},
                {"two sources", "[node x]\nfile = a\ncommand = b\n",
                 "f.table:1: [node x]: more than one"},
                {"a command that is none", "[node x]\ncommand = \"  \"\n",
                 "f.table:1: [node x]: it names nothing"},
                {"what cannot be written", "[node x]\ncommand = a\nwrite = yes\n",
                 "f.table:1: [node x]: only a file"},
                {"an Exec with a format", "[node x]\nexec = a\nformat = int\n",
                 "f.table:1: [node x]: what an Exec runs"},
                {"a property of four words", "[node x]\ndbus = system a b c\n",
                 "f.table:1: [node x]: a property is five words"},
                {"no place", "[node x]\nfile = a\nat = a//b\n", "f.table:3: [node x]: 'at'"},
                {"above the object", "[node x]\nfile = a\nat = ../b\n",
                 "f.table:3: [node x]: 'at'"},
                {"a query", "[node x]\nfile = a\nat = b?prop=ACL\n", "f.table:3: [node x]: 'at'"},
                {"twice the same", "[node x]\nfile = a\n[node y]\nat = x\nfile = b\n",
                 "f.table:4: [node y]: another node"},
                {"one below another", "[node x]\nfile = a\n[node y]\nat = x/y\nfile = b\n",
                 "f.table:4: [node y]: another node"},
                {"one above another", "[node x]\nfile = a\nat = y/x\n[node y]\nfile = b\n",
                 "f.table:4: [node y]: another node"},
                {"never asked", "[node x]\ncommand = a\nrefresh = 0\n", "f.table:3: refresh"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                table *t = NULL;
                diag d = {{0}};
                odm_str text = exact_copy(row[i].text);
                int rc = table_parse(text, "f.table", &t, &d);
                if (rc != ODM_EMALFORMED || !strstr(d.text, row[i].want))
                        fail_msg("%s: %d '%s'", row[i].why, rc, d.text);
                assert_null(t);
                exact_free(text);
        }
}

static void names_are_those_of_nodes(void **state)
{
        static const char *const bad[] = {"/etc/.table", "a b.table", "/x/a?b.table", "/x/..table"};
        table *t = NULL;
        diag d = {{0}};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(bad); i++)
                if (table_parse(ODM_STR("[node x]\nfile = a\n"), bad[i], &t, &d) != ODM_EMALFORMED)
                        fail_msg("%s", bad[i]);
        assert_int_equal(table_load("/nowhere/x.table", &t, &d), ODM_ENOENT);
}

static void the_description_is_one(void **state)
{
        const char *why = "";
        odm_doc *doc = NULL;
        table *t = NULL;
        diag d = {{0}};
        odm_arena a;
        odm_buf b;
        odm_mo mo;

        (void)state;
        odm_arena_init(&a, &heap, 1 << 20);
        odm_buf_init(&b, &heap, 1 << 20);
        assert_int_equal(table_parse(ODM_STR(GOOD), "/etc/t/meter.table", &t, &d), 0);
        assert_int_equal(table_describe(t, &a, &doc), 0);
        if (odm_mo_from_doc(doc->nodes, &a, &mo, &why) < 0)
                fail_msg("%s", why);
        assert_str(mo.id, "urn:oma:mo:x-example-meter:1.0");
        assert_str(mo.path, "Vendor");
        assert_int_equal(mo.n, 7); /* Config stands once */
        const odm_desc *limit = odm_mo_find(&mo, ODM_STR("Config/Limit"));
        assert_non_null(limit);
        assert_int_equal(limit->access, ODM_ACC_GET | ODM_ACC_REPLACE);
        const odm_desc *reset = odm_mo_find(&mo, ODM_STR("Reset"));
        assert_non_null(reset);
        assert_int_equal(reset->access, ODM_ACC_EXEC);
        assert_int_equal(odm_doc_encode(&odm_codec_xml, doc, true, &b), 0);
        assert_non_null(memmem(b.p, b.n, "Watts, now", 10));
        odm_buf_done(&b);
        odm_arena_done(&a);
        table_free(t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_table_is_read),
                cmocka_unit_test(refusals_name_the_line),
                cmocka_unit_test(names_are_those_of_nodes),
                cmocka_unit_test(the_description_is_one),
        };

        return RUN_TESTS(tests);
}
