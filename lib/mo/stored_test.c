/* SPDX-License-Identifier: Apache-2.0 */
/* Stored commands: what may be stored, in which order it is done, what comes of each. */
#include "stored.h"

#include "mo.h"
#include "support.h"

#define LEAF(kind, uri, data)                                                  \
        "<" kind "><Item><Target><LocURI>" uri "</LocURI></Target><Data>" data \
        "</Data></Item></" kind ">"
#define BARE(kind, uri) \
        "<" kind "><Item><Target><LocURI>" uri "</LocURI></Target></Item></" kind ">"
#define META(format) "<Meta><Format xmlns='syncml:metinf'>" format "</Format></Meta>"

static const struct shape {
        const char *why, *text;
        const char *want; /* "SEQ Kind" of each act; NULL: refused */
        bool makes;
} shapes[] = {
        {"a Replace", LEAF("Replace", "./T/n", "1"), "1 Replace"},
        {"each item by itself",
         "<Delete><Item><Target><LocURI>./a</LocURI></Target></Item><Item><Target><LocURI>./b"
         "</LocURI></Target></Item></Delete>",
         "1 Delete 1 Delete"},
        {"a Get", BARE("Get", "./T"), "1 Get"},
        {"an Exec", BARE("Exec", "./T"), "1 Exec"},
        {"a Copy",
         "<Copy><Item><Target><LocURI>./b</LocURI></Target><Source><LocURI>./a</LocURI></Source>"
         "</Item></Copy>",
         "1 Copy"},
        {"an Atomic is one", "<Atomic>" LEAF("Add", "./a", "1") LEAF("Add", "./b", "1") "</Atomic>",
         "1 Atomic"},
        {"a Sequence is each of it",
         "<Sequence>" BARE("Get", "./a") "<Atomic>" LEAF("Add", "./b", "1") "</Atomic>" BARE(
                 "Exec", "./c") "</Sequence>",
         "1 Sequence 2 Get 3 Atomic 5 Exec"},
        {"a CmdID does no harm",
         "<Get><CmdID>9</CmdID><Item><Target><LocURI>./a</LocURI></Target></Item></Get>", "1 Get"},
        {"blanks around it", "\n  " BARE("Get", "./a") "\n", "1 Get"},
        {"it makes a schedule", LEAF("Add", "./Schedule/b/ID", "1"), "1 Add", true},
        {"through the Inbox", LEAF("Add", "./Inbox", "1"), "1 Add", true},
        {"in an Atomic", "<Atomic>" LEAF("Add", "Schedule/b/ID", "1") "</Atomic>", "1 Atomic",
         true},
        {"it changes one", LEAF("Replace", "./Schedule/b/ID", "1"), "1 Replace"},

        {"nothing", ""},
        {"text", "Get ./a"},
        {"two commands", BARE("Get", "./a") BARE("Get", "./b")},
        {"no item", "<Get></Get>"},
        {"no address", "<Get><Item></Item></Get>"},
        {"an empty one", BARE("Get", "  ")},
        {"a Copy from nowhere", BARE("Copy", "./a")},
        {"an Exec of two",
         "<Exec><Item><Target><LocURI>./a</LocURI></Target></Item><Item><Target><LocURI>./b"
         "</LocURI></Target></Item></Exec>"},
        {"pieces",
         "<Add><Item><Target><LocURI>./a</LocURI></Target><Data>1</Data><MoreData/></Item>"
         "</Add>"},
        {"an Alert", "<Alert><Data>1100</Data></Alert>"},
        {"a Status", "<Status><MsgRef>1</MsgRef><CmdRef>1</CmdRef><Cmd>Get</Cmd><Data>200</Data>"
                     "</Status>"},
        {"a Map", "<Map></Map>"},
        {"what nobody knows", "<Frob></Frob>"},
        {"an Alert in a Sequence", "<Sequence><Alert><Data>1101</Data></Alert></Sequence>"},
        {"an Exec in an Atomic", "<Atomic>" BARE("Exec", "./a") "</Atomic>"},
        {"a Get in an Atomic", "<Atomic>" BARE("Get", "./a") "</Atomic>"},
        {"an Atomic in an Atomic", "<Atomic><Atomic>" LEAF("Add", "./b", "1") "</Atomic></Atomic>"},
        {"a Sequence in a Sequence",
         "<Sequence><Sequence>" BARE("Get", "./a") "</Sequence></Sequence>"},
        {"an empty Atomic", "<Atomic></Atomic>"},
        {"an end too early", BARE("Get", "./a") "</SyncBody></SyncML>"},
        {"a second body", BARE("Get", "./a") "</SyncBody><SyncBody>" BARE("Get", "./b")},
        {"a declaration", "<?xml version='1.0'?>" BARE("Get", "./a")},
        {"not closed", "<Get><Item>"},
};

static void shapes_are_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(shapes); i++) {
                const struct shape *r = &shapes[i];
                odm_str in = exact_copy(r->text);
                stored s = {.n = 0};
                const char *why = NULL;
                char got[256] = "";
                odm_arena a;
                odm_arena_init(&a, &heap, 1 << 20);
                int rc = odm_stored_add(&s, in, &a, &why);
                if (rc != (r->want ? 0 : ODM_EMALFORMED) || (rc < 0 && !why))
                        fail_msg("%s: %d (%s)", r->why, rc, why ? why : "no reason");
                for (size_t k = 0; rc == 0 && k < s.n; k++)
                        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%u %s",
                                 k ? " " : "", s.act[k].seq, odm_cmd_name(s.act[k].cmd->kind));
                if (rc == 0 && (strcmp(got, r->want) != 0 || s.makes_object != r->makes))
                        fail_msg("%s: %s", r->why, got);
                odm_arena_done(&a);
                exact_free(in);
        }
}

static void there_are_not_too_many(void **state)
{
        static char text[STORED_ACTS * 80 + 200];
        stored s = {.n = 0};
        const char *why = NULL;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 1 << 20);
        size_t n = (size_t)snprintf(text, sizeof text, "<Sequence>");
        for (int i = 1; i < STORED_ACTS; i++)
                n += (size_t)snprintf(text + n, sizeof text - n, BARE("Get", "./a"));
        snprintf(text + n, sizeof text - n, "</Sequence>");
        assert_int_equal(odm_stored_add(&s, odm_cstr(text), &a, &why), 0);
        assert_int_equal(s.n, STORED_ACTS);
        assert_int_equal(odm_stored_add(&s, ODM_STR(BARE("Get", "./a")), &a, &why), ODM_EMALFORMED);
        odm_arena_done(&a);
}

/* ---- doing it -------------------------------------------------------------------------------- */

static const struct deed {
        const char *why, *text;
        const char *want; /* "Kind status=data" of each */
        const char *n;    /* ./T/n afterwards; NULL: 0 */
} deeds[] = {
        {"a Replace", LEAF("Replace", "./T/n", "5"), "Replace 200", "5"},
        {"without the right", LEAF("Replace", "./U/n", "5"), "Replace 425"},
        {"no such node", LEAF("Replace", "./T/x", "5"), "Replace 404"},
        {"no value at all", BARE("Replace", "./T/n"), "Replace 200", ""},
        {"a value", BARE("Get", "./T/n"), "Get 200=0"},
        {"children", BARE("Get", "./T"), "Get 200=bin/n"},
        {"octets", BARE("Get", "./T/bin"), "Get 200=AAH/"},
        {"several", "<Get><Item><Target><LocURI>./T?list=StructData</LocURI></Target></Item></Get>",
         "Get 200=./T=\n./T/bin=AAH/\n./T/n=0"},
        {"a document", "<Get><Item><Target><LocURI>./T/n?list=TNDS</LocURI></Target></Item></Get>",
         "Get 200=<"},
        {"what may not be read", BARE("Get", "./U"), "Get 425"},
        {"what is too large", BARE("Get", "./T2/big"), "Get 413"},
        {"octets, as base64",
         "<Replace><Item><Target><LocURI>./T/n</LocURI></Target>" META("b64") "<Data>NQ==</Data>"
                                                                              "</Item></Replace>",
         "Replace 200", "NQ=="},
        {"a format nobody knows",
         "<Replace><Item><Target><LocURI>./T/n</LocURI></Target>" META("frob") "<Data>5</Data>"
                                                                               "</Item></Replace>",
         "Replace 415"},
        {"a document that is none",
         "<Add><Item><Target><LocURI>./T/d</LocURI></Target><Meta><Format xmlns='syncml:metinf'>xml"
         "</Format><Type xmlns='syncml:metinf'>application/vnd.syncml.dmtnds+xml</Type></Meta>"
         "<Data>&lt;nonsense</Data></Item></Add>",
         "Add 400"},
        {"an Atomic",
         "<Atomic>" LEAF("Replace", "./T/n", "5") LEAF("Add", "./T/a", "1") "</Atomic>",
         "Atomic 200 Replace 200 Add 200", "5"},
        {"one that fails",
         "<Atomic>" LEAF("Replace", "./T/n", "5") LEAF("Replace", "./U/n", "1")
                 LEAF("Add", "./T/a", "1") "</Atomic>",
         "Atomic 507 Replace 216 Replace 425 Add 215"},
        {"an Exec of what is none", BARE("Exec", "./T/n"), "Exec 405"},
};

static odm_tree *open_tree(void)
{
        static const struct {
                const char *uri, *text;
                odm_format f;
        } leaves[] = {{"./T/n", "0", ODM_FMT_CHR},
                      {"./U/n", "0", ODM_FMT_CHR},
                      {"./T?prop=ACL", "Add=srv&Get=srv&Replace=srv&Exec=srv", ODM_FMT_CHR},
                      {"./U?prop=ACL", "Get=other", ODM_FMT_CHR}};
        static char big[STORED_DATA + 2];
        odm_tree_opt o;
        odm_tree *t = NULL;
        odm_value v = {.format = ODM_FMT_BIN, .data = {"\0\1\xff", 3}};

        odm_tree_opt_init(&o, &heap);
        assert_int_equal(odm_tree_new(&o, &t), 0);
        assert_int_equal(odm_tree_write(t, ODM_STR("./T/bin"), &v, (odm_wall){0}), 0);
        memset(big, 'x', STORED_DATA + 1);
        v = (odm_value){.format = ODM_FMT_CHR, .data = odm_cstr(big)};
        assert_int_equal(odm_tree_write(t, ODM_STR("./T2/big"), &v, (odm_wall){0}), 0);
        for (size_t i = 0; i < ODM_COUNT(leaves); i++) {
                v = (odm_value){.format = leaves[i].f, .data = odm_cstr(leaves[i].text)};
                assert_int_equal(odm_tree_write(t, odm_cstr(leaves[i].uri), &v, (odm_wall){0}), 0);
        }
        return t;
}

static void do_one(const struct deed *r)
{
        odm_tree *t = open_tree();
        odm_str in = exact_copy(r->text);
        stored s = {.n = 0};
        static stored_result out[STORED_ACTS];
        const char *why = NULL;
        char got[512] = "";
        bool undo = false;
        unsigned status = 0;
        size_t n = 0;
        odm_value v = {0};
        odm_arena a;

        odm_arena_init(&a, &heap, 1 << 20);
        if (odm_stored_add(&s, in, &a, &why) != 0)
                fail_msg("%s: %s", r->why, why);
        bool alone = s.act[0].cmd->kind == ODM_CMD_EXEC;
        if (!alone)
                assert_int_equal(odm_tree_begin(t, (odm_wall){0}), 0);
        assert_int_equal(odm_stored_do(&s, 0, t, ODM_STR("srv"), (odm_wall){0}, &a, out, &n, &undo),
                         0);
        for (size_t i = 0; i < n; i++)
                snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s %u%s%.*s", i ? " " : "",
                         odm_cmd_name(out[i].kind), out[i].status, out[i].data.p ? "=" : "",
                         (int)out[i].data.n, out[i].data.p ? out[i].data.p : "");
        if (undo)
                odm_tree_rollback(t);
        else if (!alone)
                assert_int_equal(odm_tree_commit(t, &status), 0);
        size_t most = r->want[strlen(r->want) - 1] == '<' ? strlen(r->want) : sizeof got;
        if (strncmp(got, r->want, most) != 0)
                fail_msg("%s: '%s'", r->why, got);
        assert_int_equal(odm_tree_read(t, ODM_STR("./T/n"), &a, &v), 0);
        if (!odm_str_is(v.data, r->n ? r->n : "0"))
                fail_msg("%s: ./T/n is '%.*s'", r->why, (int)v.data.n, v.data.p);
        odm_arena_done(&a);
        exact_free(in);
        odm_tree_free(t);
}

static void each_is_done_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(deeds); i++)
                do_one(&deeds[i]);
}

static unsigned take_some(void *ctx, const odm_op *op)
{
        unsigned *asked = ctx;

        ++*asked;
        return odm_str_starts(op->target, "./Elsewhere") ? ODM_ST_ACCEPTED : 0;
}

static const struct away {
        const char *why, *text;
        unsigned asked;
        const char *want;
} aways[] = {
        {"what is taken is not done here", LEAF("Replace", "./Elsewhere/a", "1"), 1, "Replace 202"},
        {"an Exec too", BARE("Exec", "./Elsewhere/a"), 1, "Exec 202"},
        {"what is not is", LEAF("Replace", "./T/n", "5"), 1, "Replace 200"},
        {"a Get is not asked about", BARE("Get", "./Elsewhere/a"), 0, "Get 404"},
        {"nor what is in an Atomic", "<Atomic>" LEAF("Replace", "./T/n", "5") "</Atomic>", 0,
         "Atomic 200"},
};

static void some_is_done_elsewhere(void **state)
{
        static stored_result out[STORED_ACTS];

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(aways); i++) {
                odm_tree *t = open_tree();
                unsigned asked = 0, status = 0;
                stored s = {.elsewhere = take_some, .elsewhere_ctx = &asked};
                const char *why = NULL;
                char got[64];
                bool undo = false;
                size_t n = 0;
                odm_arena a;
                odm_arena_init(&a, &heap, 1 << 20);
                assert_int_equal(odm_stored_add(&s, odm_cstr(aways[i].text), &a, &why), 0);
                assert_int_equal(odm_tree_begin(t, (odm_wall){0}), 0);
                assert_int_equal(
                        odm_stored_do(&s, 0, t, ODM_STR("srv"), (odm_wall){0}, &a, out, &n, &undo),
                        0);
                assert_int_equal(odm_tree_commit(t, &status), 0);
                snprintf(got, sizeof got, "%s %u", odm_cmd_name(out[0].kind), out[0].status);
                if (strcmp(got, aways[i].want) != 0 || asked != aways[i].asked)
                        fail_msg("%s: %s, asked %u times", aways[i].why, got, asked);
                odm_arena_done(&a);
                odm_tree_free(t);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(shapes_are_as_the_table_says),
                cmocka_unit_test(there_are_not_too_many),
                cmocka_unit_test(each_is_done_as_the_table_says),
                cmocka_unit_test(some_is_done_elsewhere),
        };

        return RUN_TESTS(tests);
}
