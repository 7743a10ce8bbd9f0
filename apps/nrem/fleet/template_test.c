/* SPDX-License-Identifier: Apache-2.0 */
/* Templates as tables: what may be said, what is found of a device, what puts it right. */
#include "template.h"

#include "heap.h"
#include "support.h"

#define NODE(text) "{\"nodes\":[" text "]}"

static const struct {
        const char *why, *text, *at; /* NULL: nothing is wrong */
} texts[] = {
        {"a value", NODE("{\"uri\":\"./A/b\",\"data\":\"1\"}"), NULL},
        {"of a format", NODE("{\"uri\":\"./A/b\",\"format\":\"int\",\"data\":\"1\"}"), NULL},
        {"octets", NODE("{\"uri\":\"./A/b\",\"data_base64\":\"AAE=\"}"), NULL},
        {"an interior node", NODE("{\"uri\":\"./A/b\",\"format\":\"node\"}"), NULL},
        {"gone", NODE("{\"uri\":\"./A/b\",\"absent\":true}"), NULL},
        {"a secret", NODE("{\"uri\":\"./A/b\",\"data\":\"x\",\"secret\":true}"), NULL},
        {"devices", "{\"devices\":{\"prefix\":\"a/\"},\"nodes\":[{\"uri\":\"./A\",\"data\":\"\"}]}",
         NULL},
        {"no nodes", "{}", "nodes"},
        {"none of them", "{\"nodes\":[]}", "nodes"},
        {"no object", "{\"nodes\":[1]}", "nodes[0]"},
        {"no value", NODE("{\"uri\":\"./A/b\"}"), "nodes[0].data"},
        {"two values", NODE("{\"uri\":\"./A/b\",\"data\":\"1\",\"data_base64\":\"AA==\"}"),
         "nodes[0].data_base64"},
        {"no base64", NODE("{\"uri\":\"./A/b\",\"data_base64\":\"A\"}"), "nodes[0].data_base64"},
        {"gone, with a value", NODE("{\"uri\":\"./A/b\",\"absent\":true,\"data\":\"1\"}"),
         "nodes[0].absent"},
        {"an interior value", NODE("{\"uri\":\"./A/b\",\"format\":\"node\",\"data\":\"1\"}"),
         "nodes[0].format"},
        {"no such format", NODE("{\"uri\":\"./A/b\",\"format\":\"text\",\"data\":\"1\"}"),
         "nodes[0].format"},
        {"no uri", NODE("{\"data\":\"1\"}"), "nodes[0].uri"},
        {"the root", NODE("{\"uri\":\"./\",\"absent\":true}"), "nodes[0].uri"},
        {"a query", NODE("{\"uri\":\"./A?prop=ACL\",\"data\":\"1\"}"), "nodes[0].uri"},
        {"elsewhere", NODE("{\"uri\":\"/A/b\",\"data\":\"1\"}"), "nodes[0].uri"},
        {"twice", NODE("{\"uri\":\"./A\",\"data\":\"1\"},{\"uri\":\"./A\",\"absent\":true}"),
         "nodes[1].uri"},
        {"not known", NODE("{\"uri\":\"./A\",\"data\":\"1\",\"acl\":\"x\"}"), "nodes[0].acl"},
        {"no selector",
         "{\"devices\":{\"modell\":\"a\"},\"nodes\":[{\"uri\":\"./A\",\"data\":\"\"}]}",
         "devices.modell"},
};

static void templates_say_what_they_may(void **state)
{
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(texts); i++) {
                json_t *o = json_loads(texts[i].text, 0, NULL);
                template_spec s;
                problem p;

                problem_init(&p);
                assert_non_null(o);
                if (template_read(o, &p, &a, &s) != (texts[i].at == NULL))
                        fail_msg("%s: %s", texts[i].why, p.detail);
                if (texts[i].at)
                        assert_string_equal(json_string_value(json_object_get(
                                                    json_array_get(p.errors, 0), "name")),
                                            texts[i].at);
                problem_done(&p);
                json_decref(o);
        }
        odm_arena_done(&a);
}

/* ---- one device ---------------------------------------------------------------------------- */

static const campaign_vars vars = {
        .name = {"acme/1", 6}, .devid = {"IMEI:1", 6}, .tags = {"outdoor site:north", 18}};

static template_list fill(odm_arena *a, const char *nodes)
{
        json_t *o = json_loads(nodes, 0, NULL);
        template_list l = {0};
        char which[CAMPAIGN_VAR];

        assert_non_null(o);
        assert_int_equal(template_fill(o, &vars, a, &l, which), 0);
        json_decref(o);
        return l;
}

static const struct {
        const char *why, *node;
        uint32_t status;
        const char *value, *is, *fix; /* value NULL: none; fix NULL: nothing is to be done */
} found[] = {
        {"the same", "{\"uri\":\"./A\",\"data\":\"x\"}", 200, "x", "same", NULL},
        {"another", "{\"uri\":\"./A\",\"data\":\"x\"}", 200, "y", "differs",
         "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"data\":\"x\"}]"},
        {"letters count", "{\"uri\":\"./A\",\"data\":\"x\"}", 200, "X", "differs",
         "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"data\":\"x\"}]"},
        {"numbers", "{\"uri\":\"./A\",\"format\":\"int\",\"data\":\"60\"}", 200, " 060", "same",
         NULL},
        {"another number", "{\"uri\":\"./A\",\"format\":\"int\",\"data\":\"60\"}", 200, "6",
         "differs", "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"format\":\"int\",\"data\":\"60\"}]"},
        {"no number", "{\"uri\":\"./A\",\"format\":\"int\",\"data\":\"60\"}", 200, "6x", "differs",
         "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"format\":\"int\",\"data\":\"60\"}]"},
        {"truth", "{\"uri\":\"./A\",\"format\":\"bool\",\"data\":\"true\"}", 200, "True", "same",
         NULL},
        {"no value is an empty one", "{\"uri\":\"./A\",\"data\":\"\"}", 200, NULL, "same", NULL},
        {"octets", "{\"uri\":\"./A\",\"data_base64\":\"AP8=\"}", 200, "", "differs",
         "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"format\":\"bin\",\"data_base64\":\"AP8=\"}]"},
        {"filled in", "{\"uri\":\"./${tag.site}/A\",\"data\":\"${device}\"}", 200, "acme/1", "same",
         NULL},
        {"missing", "{\"uri\":\"./A\",\"type\":\"a/b\",\"data\":\"x\"}", 404, NULL, "missing",
         "[{\"cmd\":\"add\",\"uri\":\"./A\",\"type\":\"a/b\",\"data\":\"x\"}]"},
        {"an interior node", "{\"uri\":\"./A\",\"format\":\"node\"}", 200, "b/c", "same", NULL},
        {"that cannot be read", "{\"uri\":\"./A\",\"format\":\"node\"}", 405, NULL, "same", NULL},
        {"a missing one", "{\"uri\":\"./A\",\"format\":\"node\"}", 404, NULL, "missing",
         "[{\"cmd\":\"add\",\"uri\":\"./A\",\"format\":\"node\"}]"},
        {"gone", "{\"uri\":\"./A\",\"absent\":true}", 404, NULL, "same", NULL},
        {"not gone", "{\"uri\":\"./A\",\"absent\":true}", 200, "x", "extra",
         "[{\"cmd\":\"delete\",\"uri\":\"./A\"}]"},
        {"not gone, unreadable", "{\"uri\":\"./A\",\"absent\":true}", 405, NULL, "extra",
         "[{\"cmd\":\"delete\",\"uri\":\"./A\"}]"},
        {"perhaps gone", "{\"uri\":\"./A\",\"absent\":true}", 425, NULL, "unreadable", NULL},
        {"not readable", "{\"uri\":\"./A\",\"data\":\"x\"}", 405, NULL, "unreadable",
         "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"data\":\"x\"}]"},
        {"a secret", "{\"uri\":\"./A\",\"data\":\"x\",\"secret\":true}", 200, "chr", "unreadable",
         "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"secret\":true,\"data\":\"x\"}]"},
        {"a secret by its name", "{\"uri\":\"./A/AAuthSecret\",\"data\":\"x\"}", 404, NULL,
         "missing",
         "[{\"cmd\":\"add\",\"uri\":\"./A/AAuthSecret\",\"secret\":true,\"data\":\"x\"}]"},
        {"an object",
         "{\"uri\":\"./A\",\"format\":\"xml\",\"type\":\"application/vnd.syncml.dmtnds+xml\","
         "\"data\":\"<MgmtTree/>\"}",
         200, "b", "same", NULL},
};

static void nodes_are_compared(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(found); i++) {
                char nodes[512];
                template_list l;
                odm_arena a;
                json_t *want, *got;

                odm_arena_init(&a, &heap_mem, 1 << 20);
                (void)snprintf(nodes, sizeof nodes, "[%s]", found[i].node);
                l = fill(&a, nodes);
                assert_true(template_is_open(&l));
                assert_false(template_differs(&l, true));
                template_found(&l, l.v[0].uri, found[i].status,
                               found[i].value ? odm_cstr(found[i].value) : ODM_ABSENT);
                if (strcmp(template_findings[l.v[0].finding], found[i].is) != 0)
                        fail_msg("%s: %s", found[i].why, template_findings[l.v[0].finding]);
                assert_int_equal(template_differs(&l, true), found[i].fix != NULL);
                assert_int_equal(template_differs(&l, false),
                                 found[i].fix != NULL && strcmp(found[i].is, "unreadable") != 0);
                want = json_loads(found[i].fix ? found[i].fix : "[]", 0, NULL);
                got = json_loads(template_fixes(&l, true, true, &a).p, 0, NULL);
                if (!json_equal(want, got))
                        fail_msg("%s: %s", found[i].why, template_fixes(&l, true, true, &a).p);
                json_decref(want);
                json_decref(got);
                odm_arena_done(&a);
        }
}

static void the_difference_shows_no_secret(void **state)
{
        static const char want[] =
                "[{\"uri\":\"./A\",\"is\":\"differs\",\"wanted\":\"x\",\"found\":\"y\"},"
                "{\"uri\":\"./B\",\"is\":\"unreadable\",\"secret\":true,\"status\":200},"
                "{\"uri\":\"./C\",\"is\":\"overruled\",\"by\":\"other\"},"
                "{\"uri\":\"./D\",\"is\":\"differs\",\"wanted_base64\":\"/w==\",\"found\":\"\"}]";
        template_list l, h;
        odm_arena a;
        json_t *w, *g;
        char *text;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        l = fill(&a,
                 "[{\"uri\":\"./A\",\"data\":\"x\"},"
                 "{\"uri\":\"./B\",\"data\":\"hidden\",\"secret\":true},"
                 "{\"uri\":\"./C\",\"data\":\"x\"},"
                 "{\"uri\":\"./D\",\"data_base64\":\"/w==\"},{\"uri\":\"./E\",\"data\":\"e\"}]");
        h = fill(&a, "[{\"uri\":\"./C\",\"data\":\"z\"}]");
        template_overrule(&l, &h, ODM_STR("other"));
        template_found(&l, ODM_STR("./A"), 200, ODM_STR("y"));
        template_found(&l, ODM_STR("./B?prop=Format"), 200, ODM_STR("hidden"));
        template_found(&l, ODM_STR("./C"), 200, ODM_STR("y"));
        template_found(&l, ODM_STR("./D"), 200, ODM_STR(""));
        assert_true(template_is_open(&l));
        template_found(&l, ODM_STR("./E"), 200, ODM_STR("e"));
        assert_false(template_is_open(&l));
        w = json_loads(want, 0, NULL);
        g = json_loads(template_difference(&l, &a).p, 0, NULL);
        text = json_dumps(g, JSON_COMPACT);
        if (!json_equal(w, g))
                fail_msg("%s", text);
        assert_null(strstr(text, "hidden"));
        free(text);
        json_decref(w);
        json_decref(g);
        odm_arena_done(&a);
}

static void long_values_are_cut_between_characters(void **state)
{
        odm_arena a;
        template_list l;
        json_t *g, *first;
        char value[1 + 2 * TEMPLATE_SHOWN];
        odm_str shown;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        l = fill(&a, "[{\"uri\":\"./A\",\"data\":\"x\"}]");
        value[0] = 'a';
        for (size_t i = 1; i + 1 < sizeof value; i += 2)
                memcpy(value + i, "\xc3\xa9", 2);
        template_found(&l, ODM_STR("./A"), 200, (odm_str){value, sizeof value});
        g = json_loads(template_difference(&l, &a).p, 0, NULL);
        first = json_object_get(json_array_get(g, 0), "found");
        shown = (odm_str){json_string_value(first), json_string_length(first)};
        assert_int_equal(shown.n, TEMPLATE_SHOWN - 1 + 3);
        assert_true(odm_utf8_ok(shown));
        json_decref(g);
        odm_arena_done(&a);
}

static void what_grows_has_a_ceiling(void **state)
{
        char nodes[TEMPLATE_NODES * 800] = "[";
        odm_arena a;
        template_list l;
        char *value;

        (void)state;
        odm_arena_init(&a, &heap_mem, 4 << 20);
        for (unsigned i = 0; i < TEMPLATE_NODES; i++)
                (void)snprintf(nodes + strlen(nodes), sizeof nodes - strlen(nodes),
                               "%s{\"uri\":\"./%0500u\",\"data\":\"%0150u\"}", i ? "," : "", i, i);
        (void)snprintf(nodes + strlen(nodes), sizeof nodes - strlen(nodes), "]");
        l = fill(&a, nodes);
        value = odm_arena_zget(&a, 5000);
        memset(value, 'v', 5000);
        for (unsigned i = 0; i < l.n; i++)
                template_found(&l, l.v[i].uri, 200, (odm_str){value, 5000});
        assert_in_range(template_difference(&l, &a).n, 20000, 40000);
        odm_arena_done(&a);
}

static const struct {
        const char *why, *mine, *theirs;
        bool overruled;
} pairs[] = {
        {"another node", "{\"uri\":\"./A/b\",\"data\":\"1\"}", "{\"uri\":\"./A/c\",\"data\":\"1\"}",
         false},
        {"the same node", "{\"uri\":\"./A/b\",\"data\":\"1\"}",
         "{\"uri\":\"./A/b\",\"data\":\"2\"}", true},
        {"below what is to be gone", "{\"uri\":\"./A/b\",\"data\":\"1\"}",
         "{\"uri\":\"./A\",\"absent\":true}", true},
        {"above what is to be there", "{\"uri\":\"./A\",\"absent\":true}",
         "{\"uri\":\"./A/b\",\"data\":\"1\"}", true},
        {"above what is to be gone too", "{\"uri\":\"./A\",\"absent\":true}",
         "{\"uri\":\"./A/b\",\"absent\":true}", false},
        {"above, and there", "{\"uri\":\"./A\",\"format\":\"node\"}",
         "{\"uri\":\"./A/b\",\"data\":\"1\"}", false},
        {"a name that begins so", "{\"uri\":\"./A/bc\",\"data\":\"1\"}",
         "{\"uri\":\"./A/b\",\"absent\":true}", false},
};

static void the_higher_one_decides(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(pairs); i++) {
                template_list mine, theirs, none;
                char text[256];
                odm_arena a;

                odm_arena_init(&a, &heap_mem, 1 << 20);
                (void)snprintf(text, sizeof text, "[%s]", pairs[i].mine);
                mine = fill(&a, text);
                none = fill(&a, text);
                (void)snprintf(text, sizeof text, "[%s]", pairs[i].theirs);
                theirs = fill(&a, text);
                template_overrule(&mine, &theirs, ODM_STR("t"));
                if ((mine.v[0].overruled.p != NULL) != pairs[i].overruled)
                        fail_msg("%s", pairs[i].why);
                assert_int_equal(strcmp(template_gets(&mine, &a).p, "[]") == 0, pairs[i].overruled);
                template_overrule(&theirs, &theirs, ODM_STR("x")); /* decides nothing any more */
                template_overrule(&none, &theirs, ODM_STR("t"));
                assert_null(none.v[0].overruled.p);
                odm_arena_done(&a);
        }
}

static void variables_without_a_value_are_named(void **state)
{
        static const struct {
                const char *text;
                int rc;
        } rows[] = {
                {"${tag.none}", ODM_ENOENT}, {"${model}", ODM_ENOENT}, {"${xyz}", ODM_EMALFORMED}};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                json_t *o = json_pack("[{s:s, s:s}]", "uri", "./A", "data", rows[i].text);
                char which[CAMPAIGN_VAR], want[CAMPAIGN_VAR + 4];
                template_list l;
                odm_arena a;

                odm_arena_init(&a, &heap_mem, 1 << 20);
                assert_int_equal(template_fill(o, &vars, &a, &l, which), rows[i].rc);
                (void)snprintf(want, sizeof want, "${%s}", which);
                assert_string_equal(want, rows[i].text);
                json_decref(o);
                odm_arena_done(&a);
        }
}

static void an_atomic_holds_all_of_it(void **state)
{
        odm_arena a;
        template_list l;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        l = fill(&a, "[{\"uri\":\"./A\",\"data\":\"1\"},{\"uri\":\"./B\",\"data\":\"2\"}]");
        template_found(&l, ODM_STR("./A"), 404, ODM_ABSENT);
        template_found(&l, ODM_STR("./B"), 200, ODM_STR("1"));
        assert_string_equal(template_fixes(&l, true, false, &a).p,
                            "[{\"cmd\":\"atomic\",\"split\":true,\"commands\":["
                            "{\"cmd\":\"add\",\"uri\":\"./A\",\"data\":\"1\"},"
                            "{\"cmd\":\"replace\",\"uri\":\"./B\",\"data\":\"2\"}]}]");
        assert_string_equal(template_gets(&l, &a).p,
                            "[{\"cmd\":\"get\",\"uri\":\"./A\",\"optional\":true},"
                            "{\"cmd\":\"get\",\"uri\":\"./B\",\"optional\":true}]");
        odm_arena_done(&a);
}

static void secrets_stay_where_they_are(void **state)
{
        json_t *nodes = json_loads("[{\"uri\":\"./A\",\"data\":\"s\",\"secret\":true},"
                                   "{\"uri\":\"./X/ClientPW\",\"data\":\"p\"},"
                                   "{\"uri\":\"./C\",\"data\":\"c\"}]",
                                   0, NULL);
        json_t *shown = template_public(nodes);
        char *text = json_dumps(shown, JSON_COMPACT);

        (void)state;
        assert_string_equal(text, "[{\"uri\":\"./A\",\"secret\":true},"
                                  "{\"uri\":\"./X/ClientPW\",\"secret\":true},"
                                  "{\"uri\":\"./C\",\"data\":\"c\"}]");
        free(text);
        assert_int_equal(template_keep_secrets(shown, nodes), 0);
        assert_string_equal(json_string_value(json_object_get(json_array_get(shown, 1), "data")),
                            "p");
        assert_string_equal(json_string_value(json_object_get(json_array_get(shown, 0), "data")),
                            "s");
        assert_int_equal(template_keep_secrets(shown, NULL), 0);
        json_decref(shown);
        json_decref(nodes);
}

static void further_tries_come_later(void **state)
{
        int64_t last = 0;

        (void)state;
        assert_int_equal(template_delay(0), 0);
        for (uint32_t i = 1; i < 10; i++) {
                assert_true(template_delay(i) >= last);
                last = template_delay(i);
        }
        assert_int_equal(template_delay(1), 60000);
        assert_int_equal(last, 7200000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(templates_say_what_they_may),
                cmocka_unit_test(nodes_are_compared),
                cmocka_unit_test(the_difference_shows_no_secret),
                cmocka_unit_test(long_values_are_cut_between_characters),
                cmocka_unit_test(what_grows_has_a_ceiling),
                cmocka_unit_test(the_higher_one_decides),
                cmocka_unit_test(variables_without_a_value_are_named),
                cmocka_unit_test(an_atomic_holds_all_of_it),
                cmocka_unit_test(secrets_stay_where_they_are),
                cmocka_unit_test(further_tries_come_later),
        };

        return RUN_TESTS(tests);
}
