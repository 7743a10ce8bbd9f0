/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include "support.h"

#define GET "{\"cmd\":\"get\",\"uri\":\"./A\"}"

static const struct row {
        const char *why, *in;
        bool atomic;
        problem_kind kind;
        const char *at; /* member at fault */
} rows[] = {
        {"a Get", "[" GET "]"},
        {"a Get of a list", "[{\"cmd\":\"get\",\"uri\":\"./A?list=StructData\"}]"},
        {"a Get of the root", "[{\"cmd\":\"get\",\"uri\":\".\"}]"},
        {"an Add with text",
         "[{\"cmd\":\"add\",\"uri\":\"./A\",\"data\":\"x\",\"format\":\"chr\"}]"},
        {"an Add of an interior node", "[{\"cmd\":\"add\",\"uri\":\"./A\",\"format\":\"node\"}]"},
        {"octets", "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"data_base64\":\"AP8=\"}]"},
        {"no octets at all", "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"data_base64\":\"\"}]"},
        {"a name by Replace", "[{\"cmd\":\"replace\",\"uri\":\"./A?prop=Name\",\"data\":\"B\"}]"},
        {"a Copy", "[{\"cmd\":\"copy\",\"uri\":\"./B\",\"source\":\"./A\"}]", true},
        {"an Exec", "[{\"cmd\":\"exec\",\"uri\":\"./A\",\"correlator\":\"c\",\"data\":\"x\"}]"},
        {"a question",
         "[{\"cmd\":\"alert\",\"code\":1101,\"items\":[\"Now?\"],\"options\":\"MINDT=10\"}]"},
        {"a Sequence with an Atomic",
         "[{\"cmd\":\"sequence\",\"commands\":[" GET ",{\"cmd\":\"atomic\",\"commands\":"
         "[{\"cmd\":\"delete\",\"uri\":\"./A\"}]}]}]"},
        {"what the job can do without", "[{\"cmd\":\"delete\",\"uri\":\"./A\",\"optional\":true}]"},
        {"a list, or nothing",
         "[{\"cmd\":\"get\",\"uri\":\"./A?list=Struct\",\"fallback\":false}]"},
        {"an Atomic that may go in pieces", "[{\"cmd\":\"atomic\",\"split\":true,\"commands\":[{"
                                            "\"cmd\":\"delete\",\"uri\":\"./A\"}]}]"},
        {"a part of an Atomic is not optional",
         "[{\"cmd\":\"delete\",\"uri\":\"./A\",\"optional\":true}]", true, PROBLEM_INVALID,
         "commands[0].optional"},
        {"only an Atomic goes in pieces", "[{\"cmd\":\"delete\",\"uri\":\"./A\",\"split\":true}]",
         .kind = PROBLEM_INVALID, .at = "commands[0].split"},
        {"no object", "[1]", .kind = PROBLEM_INVALID, .at = "commands[0]"},
        {"no cmd", "[{\"uri\":\"./A\"}]", .kind = PROBLEM_INVALID, .at = "commands[0].cmd"},
        {"the second one", "[" GET ",{\"cmd\":\"nop\"}]", .kind = PROBLEM_INVALID,
         .at = "commands[1].cmd"},
        {"no URI", "[{\"cmd\":\"delete\"}]", .kind = PROBLEM_INVALID, .at = "commands[0].uri"},
        {"a URI that is absolute", "[{\"cmd\":\"get\",\"uri\":\"/A\"}]", .kind = PROBLEM_INVALID,
         .at = "commands[0].uri"},
        {"a Delete with a query", "[{\"cmd\":\"delete\",\"uri\":\"./A?prop=Name\"}]",
         .kind = PROBLEM_INVALID, .at = "commands[0].uri"},
        {"a Copy from nowhere", "[{\"cmd\":\"copy\",\"uri\":\"./B\"}]", .kind = PROBLEM_INVALID,
         .at = "commands[0].source"},
        {"a Get with data", "[{\"cmd\":\"get\",\"uri\":\"./A\",\"data\":\"x\"}]",
         .kind = PROBLEM_INVALID, .at = "commands[0].data"},
        {"data twice",
         "[{\"cmd\":\"add\",\"uri\":\"./A\",\"data\":\"x\",\"data_base64\":\"eA==\"}]",
         .kind = PROBLEM_INVALID, .at = "commands[0].data_base64"},
        {"no base64", "[{\"cmd\":\"add\",\"uri\":\"./A\",\"data_base64\":\"x\"}]",
         .kind = PROBLEM_INVALID, .at = "commands[0].data_base64"},
        {"base64 with a blank", "[{\"cmd\":\"add\",\"uri\":\"./A\",\"data_base64\":\"A A=\"}]",
         .kind = PROBLEM_INVALID, .at = "commands[0].data_base64"},
        {"base64 with bits left over",
         "[{\"cmd\":\"add\",\"uri\":\"./A\",\"data_base64\":\"Az6=\"}]", .kind = PROBLEM_INVALID,
         .at = "commands[0].data_base64"},
        {"null has no data",
         "[{\"cmd\":\"add\",\"uri\":\"./A\",\"format\":\"null\",\"data\":\"\"}]",
         .kind = PROBLEM_INVALID, .at = "commands[0].data"},
        {"a format unknown", "[{\"cmd\":\"add\",\"uri\":\"./A\",\"format\":\"text\"}]",
         .kind = PROBLEM_INVALID, .at = "commands[0].format"},
        {"an alert of another code", "[{\"cmd\":\"alert\",\"code\":1200,\"items\":[\"x\"]}]",
         .kind = PROBLEM_INVALID, .at = "commands[0].code"},
        {"an alert without text", "[{\"cmd\":\"alert\",\"code\":1100}]", .kind = PROBLEM_INVALID,
         .at = "commands[0].items"},
        {"a choice of nothing", "[{\"cmd\":\"alert\",\"code\":1103,\"items\":[\"Which?\"]}]",
         .kind = PROBLEM_INVALID, .at = "commands[0].items"},
        {"an empty Sequence", "[{\"cmd\":\"sequence\",\"commands\":[]}]", .kind = PROBLEM_INVALID,
         .at = "commands[0].commands"},
        {"a Sequence in a Sequence",
         "[{\"cmd\":\"sequence\",\"commands\":[{\"cmd\":\"sequence\",\"commands\":[" GET "]}]}]",
         .kind = PROBLEM_NOT_ATOMIC, .at = "commands[0].commands[0].cmd"},
        {"Exec in an atomic job", "[{\"cmd\":\"exec\",\"uri\":\"./A\"}]", true, PROBLEM_NOT_ATOMIC,
         "commands[0].cmd"},
        {"Get in an Atomic", "[{\"cmd\":\"atomic\",\"commands\":[" GET "]}]",
         .kind = PROBLEM_NOT_ATOMIC, .at = "commands[0].commands[0].cmd"},
        {"an Atomic in an atomic job",
         "[{\"cmd\":\"atomic\",\"commands\":[{\"cmd\":\"delete\",\"uri\":\"./A\"}]}]", true,
         PROBLEM_NOT_ATOMIC, "commands[0].cmd"},
        {"a Sequence in an atomic job",
         "[{\"cmd\":\"sequence\",\"commands\":[{\"cmd\":\"delete\",\"uri\":\"./A\"}]}]", true,
         PROBLEM_NOT_ATOMIC, "commands[0].cmd"},
        {"a question in an atomic job", "[{\"cmd\":\"alert\",\"code\":1100,\"items\":[\"x\"]}]",
         true, PROBLEM_NOT_ATOMIC, "commands[0].cmd"},
};

static void checks_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                json_t *list = json_loads(r->in, 0, NULL);
                problem p;
                problem_init(&p);
                assert_non_null(list);
                assert_int_equal(command_check(list, r->atomic, &p), r->kind == PROBLEM_NONE);
                if (p.kind != r->kind)
                        fail_msg("%s: %s: %s", r->why, problem_word(&p), p.detail);
                const char *at =
                        json_string_value(json_object_get(json_array_get(p.errors, 0), "name"));
                if (r->at && (!at || strcmp(at, r->at) != 0))
                        fail_msg("%s: blames %s", r->why, at ? at : "nothing");
                problem_done(&p);
                json_decref(list);
        }
}

static void counts_members_too(void **state)
{
        json_t *inner = json_array(), *one = json_loads(GET, 0, NULL), *list;
        problem p;

        (void)state;
        list = json_pack("[{s:s, s:o}]", "cmd", "sequence", "commands", inner);
        for (size_t i = 0; i + 1 < COMMANDS_MAX; i++)
                assert_int_equal(json_array_append(inner, one), 0);
        problem_init(&p);
        assert_true(command_check(list, false, &p)); /* the ceiling itself */
        assert_int_equal(json_array_append(list, one), 0);
        assert_false(command_check(list, false, &p));
        assert_int_equal(p.kind, PROBLEM_TOO_LARGE);
        problem_done(&p);
        json_decref(one);
        json_decref(list);
}

static void writes_text_as_text_and_octets_as_base64(void **state)
{
        static const struct {
                const char *why, *format;
                odm_str in;
                const char *data, *b64;
        } values[] = {
                {"text", "chr", {"h\xc3\xa9", 3}, "h\xc3\xa9", NULL},
                {"nothing", "chr", {"", 0}, "", NULL},
                {"absent", "chr", {NULL, 0}, NULL, NULL},
                {"a zero inside", "chr", {"a\0b", 3}, NULL, "YQBi"},
                {"no UTF-8", "chr", {"\xff", 1}, NULL, "/w=="},
                {"always for bin", "bin", {"abc", 3}, NULL, "YWJj"},
        };
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 4096);
        for (size_t i = 0; i < ODM_COUNT(values); i++) {
                json_t *o = json_object();
                assert_int_equal(command_value_put(o, odm_cstr(values[i].format), values[i].in, &a),
                                 0);
                const char *data = json_string_value(json_object_get(o, "data"));
                const char *b64 = json_string_value(json_object_get(o, "data_base64"));
                assert_int_equal(data == NULL, values[i].data == NULL);
                assert_int_equal(b64 == NULL, values[i].b64 == NULL);
                if (data)
                        assert_string_equal(data, values[i].data);
                if (b64)
                        assert_string_equal(b64, values[i].b64);
                json_decref(o);
        }
        odm_arena_done(&a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(checks_as_the_table_says),
                cmocka_unit_test(counts_members_too),
                cmocka_unit_test(writes_text_as_text_and_octets_as_base64),
        };
        return RUN_TESTS(tests);
}
