/* SPDX-License-Identifier: Apache-2.0 */
/* What fan-outs say: commands in, outcomes and documents out, and read again. */
#include "odm/fanout.h"
#include "support.h"

#define ARENA (8u << 20)
#define T(uri) "<Target><LocURI>" uri "</LocURI></Target>"
#define GET(uri) "<Get><Item>" T(uri) "</Item></Get>"
#define EXEC(uri) "<Exec><Item>" T(uri) "</Item></Exec>"
#define REPLACE(uri, data) "<Replace><Item>" T(uri) "<Data>" data "</Data></Item></Replace>"
#define S(z)                        \
        {                           \
                "" z, sizeof(z) - 1 \
        }
#define BODY(x) "<SyncBody>" x "</SyncBody>"

/* ---- commands ----------------------------------------------------------------------------------- */

static const struct shape {
        const char *why, *text;
        uint32_t n; /* 0: refused */
        bool again, replaces, has_names;
} shapes[] = {
        {"a Get", BODY(GET("./a")), 1, true, false, false},
        {"a Replace", BODY(REPLACE("./a", "1")), 1, true, true, false},
        {"an Exec", BODY(EXEC("./a")), 1, false, false, false},
        {"both", BODY(GET("./a") EXEC("./b")), 2, false, false, false},
        {"members count",
         BODY("<Sequence>" GET("./a") "<Atomic>" REPLACE("./b",
                                                         "1") "</Atomic></Sequence>" GET("./c")),
         5, true, false, false},
        {"a declaration before it", "<?xml version='1.0'?>\n" BODY(GET("./a")), 1, true, false,
         false},
        {"blanks around it", " \n" BODY(GET("./a")) "\n", 1, true, false, false},
        {"a namespace", "<SyncBody xmlns='SYNCML:SYNCML1.2'>" GET("./a") "</SyncBody>", 1, true,
         false, false},
        {"a name in data", BODY(REPLACE("./a", "{LocalURL}")), 1, true, true, true},
        {"a name in an address", BODY(GET("./a/{Name}")), 1, true, false, true},
        {"an image by its name", BODY(REPLACE("./a", "x{LocalURL:fw-1}y")), 1, true, true, true},
        {"an image by its hash",
         BODY(REPLACE("./a", "{LocalURL:"
                             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}")),
         1, true, true, true},
        {"braces of other kinds", BODY(REPLACE("./a", "{} {local} {LocalURL:} {")), 1, true, true,
         false},

        {"nothing", ""},
        {"no command", BODY("")},
        {"text", "Get ./a"},
        {"a command without a body", GET("./a")},
        {"another root", "<SyncHdr>" GET("./a") "</SyncHdr>"},
        {"an Alert", BODY("<Alert><Data>1226</Data></Alert>")},
        {"a Status", BODY("<Status><Data>200</Data></Status>")},
        {"no address", BODY("<Get><Item></Item></Get>")},
        {"an Exec in an Atomic", BODY("<Atomic>" EXEC("./a") "</Atomic>")},
        {"a Sequence in a Sequence",
         BODY("<Sequence><Sequence>" GET("./a") "</Sequence></Sequence>")},
        {"a CmdID too long", BODY("<Get><CmdID>123456789012345678901234567890123</CmdID><Item>" T(
                                     "./a") "</Item></Get>")},
        {"the end too early", "<SyncBody>" GET("./a")},
        {"something behind it", BODY(GET("./a")) "</SyncML><SyncML>"},
};

static void commands_are_read(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(shapes); i++) {
                const struct shape *s = &shapes[i];
                odm_str in = exact_copy(s->text);
                odm_fanout_cmds c = {.n = 99};
                const char *why = NULL;
                odm_arena a;
                odm_arena_init(&a, &heap, ARENA);
                int rc = odm_fanout_cmds_parse(in, &a, &c, &why);
                if ((rc == 0) != (s->n > 0) || (rc < 0 && (c.n != 99 || !why)))
                        fail_msg("%s: %s, %s", s->why, odm_err_name(rc), why ? why : "");
                if (rc == 0 && (c.n != s->n || c.again != s->again || c.replaces != s->replaces ||
                                c.has_names != s->has_names))
                        fail_msg("%s: n %u again %d replaces %d names %d", s->why, (unsigned)c.n,
                                 c.again, c.replaces, c.has_names);
                odm_arena_done(&a);
                exact_free(in);
        }
}

static void commands_have_a_ceiling(void **state)
{
        odm_fanout_cmds c;
        const char *why;
        odm_arena a;
        odm_buf b;

        (void)state;
        odm_arena_init(&a, &heap, ARENA);
        odm_buf_init(&b, &heap, 1 << 20);
        assert_int_equal(odm_buf_str(&b, ODM_STR("<SyncBody>")), 0);
        for (int i = 0; i <= ODM_FANOUT_COMMANDS; i++)
                assert_int_equal(odm_buf_str(&b, ODM_STR(GET("./a"))), 0);
        assert_int_equal(odm_buf_str(&b, ODM_STR("</SyncBody>")), 0);
        assert_true(odm_fanout_cmds_parse(odm_buf_view(&b), &a, &c, &why) < 0);
        odm_buf_done(&b);
        odm_arena_done(&a);
}

static int local_url(void *ctx, odm_str image, odm_arena *a, odm_str *out)
{
        (void)ctx;
        if (odm_str_is(image, "none"))
                return ODM_ENOENT;
        *out = odm_arena_fmt(a, "http://gw/img/%.*s", image.p ? (int)image.n : 6,
                             image.p ? image.p : "newest");
        return out->p ? 0 : ODM_ENOMEM;
}

static const struct made {
        const char *why, *data, *want; /* NULL: there is no such image */
} made[] = {
        {"nothing to put in", "plain {x}", "plain {x}"},
        {"an address", "{LocalURL}", "http://gw/img/newest"},
        {"of an image", "a{LocalURL:fw 1}b", "ahttp://gw/img/fw 1b"},
        {"two of them", "{DeviceID}={Name}", "urn:x:1&lt;2=&lt;meter&gt;"},
        {"not there", "{LocalURL:none}", NULL},
};

/* The data of the first command, as text and as elements. */
static void check_made(const struct made *m, bool xml)
{
        const odm_fanout_names names = {ODM_STR("urn:x:1<2"), ODM_STR("<meter>"), local_url, NULL};
        const odm_command *list = NULL;
        odm_fanout_cmds c;
        const char *why;
        odm_arena a;

        odm_arena_init(&a, &heap, ARENA);
        odm_str text = odm_arena_fmt(
                &a,
                BODY("<Replace><Item>" T("./a") "<Data>%s%s%s</Data></Item></Replace>"
                                                "<Sequence>" EXEC("./{Name}") "</Sequence>"),
                xml ? "<a>" : "", m->data, xml ? "</a>" : "");
        assert_int_equal(odm_fanout_cmds_parse(text, &a, &c, &why), 0);
        int rc = odm_fanout_cmds_for(&c, &names, ODM_STR("f7"), &a, &list);
        if (rc != (m->want ? 0 : ODM_ENOENT))
                fail_msg("%s: %s", m->why, odm_err_name(rc));
        if (rc == 0) {
                odm_str got = list->items->data.bytes;
                odm_str want = xml ? odm_arena_fmt(&a, "<a>%s</a>", m->want) : odm_cstr(m->want);
                if (!xml && strchr(m->want, '&'))
                        want = ODM_STR("urn:x:1<2=<meter>");
                assert_octets(got, want);
                assert_str(list->next->body->items->target, "./<meter>");
                assert_str(list->next->body->correlator, "f7.2");
                assert_null(list->correlator.p);
        }
        odm_arena_done(&a);
}

static void names_are_put_in(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(made); i++) {
                check_made(&made[i], false);
                check_made(&made[i], true);
        }
}

static const struct tag {
        const char *in, *tag;
        uint32_t n;
} tags[] = {{"f7.2", "f7", 2},
            {"a.b.0", "a.b", 0},
            {"f7.255", "f7", 255},
            {"f7.256"},
            {"f7."},
            {".1"},
            {"f7"},
            {""},
            {"f7.x"}};

static void tags_are_known_again(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(tags); i++) {
                odm_str in = exact_copy(tags[i].in), tag = ODM_ABSENT;
                uint32_t n = 9;
                int rc = odm_fanout_tag(in, &tag, &n);
                assert_int_equal(rc, tags[i].tag ? 0 : ODM_EMALFORMED);
                if (rc == 0)
                        assert_str(tag, tags[i].tag);
                assert_int_equal(n, rc == 0 ? tags[i].n : 9);
                exact_free(in);
        }
}

static const struct over {
        const char *why, *late, *early;
        bool is;
} overs[] = {
        {"the same node", REPLACE("./a", "2"), REPLACE("./a", "1"), true},
        {"another", REPLACE("./b", "2"), REPLACE("./a", "1"), false},
        {"more of them", REPLACE("./b", "2") REPLACE("./a", "2"), REPLACE("./a", "1"), true},
        {"less", REPLACE("./a", "2"), REPLACE("./a", "1") REPLACE("./b", "1"), false},
        {"it does something else too", REPLACE("./a", "2") EXEC("./b"), REPLACE("./a", "1"), false},
        {"the early one does", REPLACE("./a", "2"), REPLACE("./a", "1") GET("./b"), false},
};

static void later_values_overtake(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(overs); i++) {
                odm_fanout_cmds late, early;
                const char *why;
                odm_arena a;
                odm_arena_init(&a, &heap, ARENA);
                odm_str l = odm_arena_fmt(&a, BODY("%s"), overs[i].late);
                odm_str e = odm_arena_fmt(&a, BODY("%s"), overs[i].early);
                assert_int_equal(odm_fanout_cmds_parse(l, &a, &late, &why), 0);
                assert_int_equal(odm_fanout_cmds_parse(e, &a, &early, &why), 0);
                if (odm_fanout_overtakes(&late, &early) != overs[i].is)
                        fail_msg("%s", overs[i].why);
                odm_arena_done(&a);
        }
}

/* ---- outcomes ----------------------------------------------------------------------------------- */

static const odm_fanout_value
        fwv = {S("./DevDetail/FwV"), {ODM_FMT_CHR, S("text/plain"), S("1<0")}, .has_data = true},
        bin = {S("./B"), {ODM_FMT_BIN, {NULL, 0}, {"\0\xff", 2}}, .has_data = true},
        odd = {S("./O"), {ODM_FMT_ABSENT, {NULL, 0}, {"\x01", 1}}, .has_data = true},
        inner = {S("./N"), {ODM_FMT_NODE, S("urn:x"), {NULL, 0}}},
        empty = {S("./E"), {ODM_FMT_INT, {NULL, 0}, {"", 0}}, .has_data = true};

static const struct outcome {
        const char *why;
        odm_fanout_cmd cmd[3];
        size_t n;
        const char *text;
        odm_fanout_target state;
        unsigned status;
} outcomes[] = {
        {"a Replace", {{S("1"), 200}}, 1, "<Cmd CmdRef=\"1\" Status=\"200\"/>", ODM_TARGET_OK, 200},
        {"not found",
         {{S("1"), 200}, {S("2"), 404}},
         2,
         "<Cmd CmdRef=\"1\" Status=\"200\"/><Cmd CmdRef=\"2\" Status=\"404\"/>",
         ODM_TARGET_FAILED,
         404},
        {"of all commands", {{{NULL, 0}, 503}}, 1, "<Cmd Status=\"503\"/>", ODM_TARGET_FAILED, 503},
        {"accepted",
         {{S("1"), 202}},
         1,
         "<Cmd CmdRef=\"1\" Status=\"202\"/>",
         ODM_TARGET_RUNNING,
         200},
        {"accepted, and well",
         {{S("1"), 202, 200}},
         1,
         "<Cmd CmdRef=\"1\" Status=\"202\" Result=\"200\"/>",
         ODM_TARGET_OK,
         200},
        {"in an object's own codes",
         {{S("1"), 202, 1200}},
         1,
         "<Cmd CmdRef=\"1\" Status=\"202\" Result=\"1200\"/>",
         ODM_TARGET_OK,
         200},
        {"accepted, and not well",
         {{S("1"), 202, 410}},
         1,
         "<Cmd CmdRef=\"1\" Status=\"202\" Result=\"410\"/>",
         ODM_TARGET_FAILED,
         410},
        {"another waits still",
         {{S("1"), 202, 410}, {S("2"), 202}},
         2,
         "<Cmd CmdRef=\"1\" Status=\"202\" Result=\"410\"/><Cmd CmdRef=\"2\" Status=\"202\"/>",
         ODM_TARGET_RUNNING,
         410},
        {"rolled back is no success",
         {{S("1"), 216}},
         1,
         "<Cmd CmdRef=\"1\" Status=\"216\"/>",
         ODM_TARGET_FAILED,
         216},
        {"a value",
         {{S("1"), 200, 0, &fwv, 1}},
         1,
         "<Cmd CmdRef=\"1\" Status=\"200\"><LocURI Format=\"chr\" "
         "Type=\"text/plain\">./DevDetail/FwV</LocURI>"
         "<Data>1&lt;0</Data></Cmd>",
         ODM_TARGET_OK,
         200},
        {"octets",
         {{S("1"), 200, 0, &bin, 1}},
         1,
         "<Cmd CmdRef=\"1\" Status=\"200\"><LocURI Format=\"bin\">./B</LocURI>"
         "<Data Encoding=\"b64\">AP8=</Data></Cmd>",
         ODM_TARGET_OK,
         200},
        {"text that XML cannot carry",
         {{S("1"), 200, 0, &odd, 1}},
         1,
         "<Cmd CmdRef=\"1\" Status=\"200\"><LocURI>./O</LocURI><Data "
         "Encoding=\"b64\">AQ==</Data></Cmd>",
         ODM_TARGET_OK,
         200},
        {"an interior node",
         {{S("1"), 200, 0, &inner, 1}},
         1,
         "<Cmd CmdRef=\"1\" Status=\"200\"><LocURI Format=\"node\" "
         "Type=\"urn:x\">./N</LocURI></Cmd>",
         ODM_TARGET_OK,
         200},
        {"an empty value",
         {{S("1"), 200, 0, &empty, 1}},
         1,
         "<Cmd CmdRef=\"1\" Status=\"200\"><LocURI Format=\"int\">./E</LocURI><Data></Data></Cmd>",
         ODM_TARGET_OK,
         200},
};

static void assert_same_cmds(const odm_fanout_cmd *x, const odm_fanout_cmd *y, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                assert_octets(x[i].ref, y[i].ref);
                assert_int_equal(x[i].status, y[i].status);
                assert_int_equal(x[i].result, y[i].result);
                assert_int_equal(x[i].n, y[i].n);
                for (size_t k = 0; k < x[i].n; k++) {
                        assert_octets(x[i].v[k].uri, y[i].v[k].uri);
                        assert_int_equal(x[i].v[k].value.format, y[i].v[k].value.format);
                        assert_octets(x[i].v[k].value.type, y[i].v[k].value.type);
                        assert_octets(x[i].v[k].value.data, y[i].v[k].value.data);
                        assert_int_equal(x[i].v[k].has_data, y[i].v[k].has_data);
                }
        }
}

static void outcomes_are_written_and_read(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(outcomes); i++) {
                const struct outcome *o = &outcomes[i];
                const odm_fanout_cmd *back;
                unsigned status = 0;
                odm_arena a;
                odm_buf b;
                size_t n;
                odm_arena_init(&a, &heap, ARENA);
                odm_buf_init(&b, &heap, ODM_FANOUT_OUTCOME_MAX);
                assert_int_equal(odm_fanout_outcome_write(o->cmd, o->n, &b), 0);
                assert_str(odm_buf_view(&b), o->text);
                if (odm_fanout_judge(o->cmd, o->n, &status) != o->state || status != o->status)
                        fail_msg("%s: status %u", o->why, status);
                assert_int_equal(odm_fanout_outcome_read(odm_buf_view(&b), &a, &back, &n), 0);
                assert_int_equal(n, o->n);
                assert_same_cmds(o->cmd, back, n);
                odm_buf_done(&b);
                odm_arena_done(&a);
        }
}

static void outcomes_have_a_ceiling(void **state)
{
        static char large[ODM_FANOUT_OUTCOME_MAX];
        odm_fanout_cmd cmd[ODM_FANOUT_COMMANDS + 1];
        odm_fanout_value v[600];
        const odm_fanout_cmd *back;
        odm_arena a;
        odm_buf b;
        size_t n;

        (void)state;
        memset(large, 'x', sizeof large);
        for (size_t i = 0; i < ODM_COUNT(v); i++)
                v[i] = (odm_fanout_value){
                        {large, 60}, {ODM_FMT_CHR, {NULL, 0}, {large, 300}}, .has_data = true};
        v[0].value.data.n = sizeof large;
        for (size_t i = 0; i < ODM_COUNT(cmd); i++)
                cmd[i] = (odm_fanout_cmd){
                        {"12345678901234567890123456789012", 32}, 200, 0, v, ODM_COUNT(v), 0};
        odm_arena_init(&a, &heap, ARENA);
        odm_buf_init(&b, &heap, ODM_FANOUT_OUTCOME_MAX);
        assert_int_equal(odm_fanout_outcome_write(cmd, ODM_FANOUT_COMMANDS + 1, &b), ODM_EINVAL);
        assert_int_equal(odm_fanout_outcome_write(cmd, ODM_FANOUT_COMMANDS, &b), 0);
        assert_true(b.n <= ODM_FANOUT_OUTCOME_MAX);
        assert_int_equal(odm_fanout_outcome_read(odm_buf_view(&b), &a, &back, &n), 0);
        assert_int_equal(n, ODM_FANOUT_COMMANDS);
        for (size_t i = 0; i < n; i++) /* none is forgotten */
                assert_int_equal(back[i].n + back[i].more, ODM_COUNT(v));
        assert_int_equal(back[0].v[0].size, sizeof large);
        assert_false(back[0].v[0].has_data);
        assert_true(back[0].v[1].has_data);
        odm_buf_cut(&b, 0);
        cmd[0].ref.n = 33;
        assert_int_equal(odm_fanout_outcome_write(cmd, 1, &b), ODM_EINVAL);
        odm_buf_done(&b);
        odm_arena_done(&a);
}

/* ---- documents ---------------------------------------------------------------------------------- */

#define OK "<Cmd CmdRef=\"1\" Status=\"200\"/>"
#define NO "<Cmd CmdRef=\"1\" Status=\"404\"/>"
#define HEAD(last)                                              \
        "<FanoutResult TaskID=\"t&lt;\" Seq=\"3\" Last=\"" last \
        "\"><Totals Total=\"4\" Ok=\"2\" Failed=\"1\" Pending=\"1\"/>"

static const struct form {
        const char *why;
        odm_fanout_format format;
        const char *want;
} forms[] = {
        {"each in full", ODM_RETURN_FULL,
         HEAD("1") "<Device ID=\"urn:1\" Key=\"d0001\" State=\"3\">" OK "</Device>"
                   "<Device ID=\"urn:2\" Key=\"d0002\" State=\"4\" Text=\"not "
                   "&quot;there&quot;\">" NO "</Device>"
                   "<Device ID=\"urn:3\" Key=\"d0003\" State=\"3\">" OK "</Device></FanoutResult>"},
        {"by outcome", ODM_RETURN_GROUP,
         HEAD("1") "<Group State=\"3\">" OK "<Count>2</Count><Devices>d0001 d0003</Devices></Group>"
                   "<Group State=\"4\" Text=\"not &quot;there&quot;\">" NO
                   "<Count>1</Count><Devices>d0002</Devices></Group></FanoutResult>"},
        {"counted", ODM_RETURN_COUNT, HEAD("1") "</FanoutResult>"},
        {"nothing", ODM_RETURN_NONE, HEAD("1") "</FanoutResult>"},
        {"failures", ODM_RETURN_FAILURES,
         HEAD("1") "<Device ID=\"urn:2\" Key=\"d0002\" State=\"4\" Text=\"not "
                   "&quot;there&quot;\">" NO "</Device></FanoutResult>"},
};

static void add_three(odm_gather *g)
{
        assert_int_equal(odm_gather_add(g, ODM_STR("d0001"), ODM_STR("urn:1"), ODM_TARGET_OK,
                                        ODM_STR(OK), ODM_ABSENT),
                         0);
        assert_int_equal(odm_gather_add(g, ODM_STR("d0002"), ODM_STR("urn:2"), ODM_TARGET_FAILED,
                                        ODM_STR(NO), ODM_STR("not \"there\"")),
                         0);
        assert_int_equal(odm_gather_add(g, ODM_STR("d0003"), ODM_STR("urn:3"), ODM_TARGET_OK,
                                        ODM_STR(OK), ODM_ABSENT),
                         0);
        assert_int_equal(g->n, 3);
}

static void documents_have_five_forms(void **state)
{
        const odm_fanout_totals totals = {4, 2, 1, 1};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(forms); i++) {
                odm_gather g;
                odm_buf b;
                odm_gather_init(&g, &heap, forms[i].format, 65536);
                odm_buf_init(&b, &heap, 65536);
                add_three(&g);
                assert_int_equal(odm_gather_write(&g, ODM_STR("t<"), 3, true, &totals, &b), 0);
                assert_str(odm_buf_view(&b), forms[i].want);
                assert_true(b.n <= g.used);
                odm_gather_done(&g);
                odm_buf_done(&b);
        }
}

/* Parts of bounded size, which together have every device once. */
static void documents_come_in_parts(void **state)
{
        const odm_fanout_totals totals = {5000, 5000, 0, 0};
        const size_t room = 4096;
        bool seen[5000] = {false};
        unsigned next = 0, parts = 0;

        (void)state;
        while (next < 5000) {
                odm_fanout_doc d;
                odm_gather g;
                odm_arena a;
                odm_buf b;
                odm_gather_init(&g, &heap, ODM_RETURN_GROUP, room);
                for (; next < 5000; next++) {
                        char key[16], out[64];
                        (void)snprintf(key, sizeof key, "d%04u", next);
                        (void)snprintf(out, sizeof out, "<Cmd CmdRef=\"%u\" Status=\"200\"/>",
                                       next % 100 / 33);
                        int rc = odm_gather_add(&g, odm_cstr(key), ODM_STR("x"), ODM_TARGET_OK,
                                                odm_cstr(out), ODM_ABSENT);
                        assert_true(rc == 0 || rc == 1);
                        if (rc == 1)
                                break;
                }
                assert_true(g.n > 100);
                odm_buf_init(&b, &heap, room);
                odm_arena_init(&a, &heap, ARENA);
                assert_int_equal(
                        odm_gather_write(&g, ODM_STR("t"), ++parts, next == 5000, &totals, &b), 0);
                assert_int_equal(odm_fanout_doc_read(odm_buf_view(&b), &a, &d), 0);
                assert_int_equal(d.seq, parts);
                assert_int_equal(d.last, next == 5000);
                for (const odm_fanout_entry *e = d.entries; e; e = e->next) {
                        uint32_t n = 0;
                        odm_str key;
                        size_t at = 0;
                        while (odm_fanout_next_key(e->keys, &at, &key)) {
                                unsigned number = 0;
                                assert_int_equal(sscanf(key.p, "d%4u", &number), 1);
                                assert_false(seen[number]);
                                seen[number] = true;
                                n++;
                        }
                        assert_int_equal(e->count, n);
                }
                odm_gather_done(&g);
                odm_buf_done(&b);
                odm_arena_done(&a);
        }
        for (size_t i = 0; i < 5000; i++)
                assert_true(seen[i]);
}

#define DOC(x) "<FanoutResult TaskID='t' Seq='1'>" x "</FanoutResult>"

static const struct reading {
        const char *why, *text;
        int rc;
        unsigned groups, devices, cmds, count;
        odm_fanout_target state; /* of the first entry */
} readings[] = {
        {"nothing in it", DOC("")},
        {"a group", DOC("<Group>" OK "<Count>2</Count><Devices>a  b</Devices></Group>"), 0, 1, 0, 1,
         2, ODM_TARGET_OK},
        {"keys count, not Count",
         DOC("<Group>" OK "<Count>9</Count><Devices> a b c </Devices></Group>"), 0, 1, 0, 1, 3,
         ODM_TARGET_OK},
        {"Count alone", DOC("<Group>" OK "<Count>9</Count></Group>"), 0, 1, 0, 1, 9, ODM_TARGET_OK},
        {"a state that is not said", DOC("<Device ID='x'>" NO "</Device>"), 0, 0, 1, 1, 1,
         ODM_TARGET_FAILED},
        {"one that is", DOC("<Device ID='x' State='8'>" OK "</Device>"), 0, 0, 1, 1, 1,
         ODM_TARGET_CANCELLED},
        {"what is not known is passed over",
         DOC("<New a='b'><Device ID='y'/></New><Device ID='x'>" OK "<New/></Device>"), 0, 0, 1, 1,
         1, ODM_TARGET_OK},
        {"a device by its key", DOC("<Device Key='d1'/>"), 0, 0, 1, 0, 1, ODM_TARGET_OK},
        {"a device without a name", DOC("<Device/>"), ODM_EMALFORMED},
        {"a command without a status", DOC("<Device ID='x'><Cmd/></Device>"), ODM_EMALFORMED},
        {"a status that is none", DOC("<Device ID='x'><Cmd Status='x'/></Device>"), ODM_EMALFORMED},
        {"a state that is none", DOC("<Device ID='x' State='9'/>"), ODM_EMALFORMED},
        {"octets that are none",
         DOC("<Device ID='x'><Cmd Status='200'><LocURI>a</LocURI><Data Encoding='b64'>*</Data>"
             "</Cmd></Device>"),
         ODM_EMALFORMED},
        {"data of no node", DOC("<Device ID='x'><Cmd Status='200'><Data>1</Data></Cmd></Device>"),
         0, 0, 1, 1, 1, ODM_TARGET_OK},
        {"no task", "<FanoutResult Seq='1'/>", ODM_EMALFORMED},
        {"no number", "<FanoutResult TaskID='t'/>", ODM_EMALFORMED},
        {"another document", "<ImageReady/>", ODM_EMALFORMED},
        {"no document", "hello", ODM_EMALFORMED},
        {"nothing", "", ODM_EMALFORMED},
        {"entities of its own", "<!DOCTYPE a [<!ENTITY b 'c'>]>" DOC("<Device ID='&b;'/>"),
         ODM_EMALFORMED},
        {"too deep", DOC("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"), ODM_ELIMIT},
};

static void documents_are_read(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(readings); i++) {
                const struct reading *r = &readings[i];
                odm_fanout_doc d = {.seq = 99};
                unsigned groups = 0, devices = 0, cmds = 0, count = 0;
                odm_str in = exact_copy(r->text);
                odm_arena a;
                odm_arena_init(&a, &heap, ARENA);
                int rc = odm_fanout_doc_read(in, &a, &d);
                if (rc != r->rc || (rc < 0 && d.seq != 99))
                        fail_msg("%s: %s", r->why, odm_err_name(rc));
                for (const odm_fanout_entry *e = rc == 0 ? d.entries : NULL; e; e = e->next) {
                        groups += e->is_group;
                        devices += !e->is_group;
                        cmds += (unsigned)e->n;
                        count += e->count;
                }
                if (groups != r->groups || devices != r->devices || cmds != r->cmds ||
                    count != r->count || (groups + devices && d.entries->state != r->state))
                        fail_msg("%s: %u groups, %u devices, %u commands, %u in all", r->why,
                                 groups, devices, cmds, count);
                odm_arena_done(&a);
                exact_free(in);
        }
}

static int all_of_it(failing *f, void *arg)
{
        const odm_fanout_totals totals = {1, 1, 0, 0};
        const odm_fanout_names names = {ODM_STR("urn:x:1"), ODM_STR("n"), local_url, NULL};
        odm_fanout_cmds c;
        const odm_command *list;
        odm_fanout_doc d;
        const char *why;
        odm_gather g;
        odm_arena a;
        odm_buf b;
        int rc;

        (void)arg;
        odm_arena_init(&a, &f->mem, ARENA);
        odm_buf_init(&b, &f->mem, 65536);
        odm_gather_init(&g, &f->mem, ODM_RETURN_GROUP, 32768);
        rc = odm_fanout_cmds_parse(ODM_STR(BODY(REPLACE("./a", "{LocalURL}") EXEC("./b"))), &a, &c,
                                   &why);
        if (rc == 0)
                rc = odm_fanout_cmds_for(&c, &names, ODM_STR("f1"), &a, &list);
        if (rc == 0)
                rc = odm_fanout_outcome_write(outcomes[9].cmd, 1, &b);
        for (unsigned i = 0; rc == 0 && i < 100; i++) {
                char out[32];
                (void)snprintf(out, sizeof out, "<Cmd Status=\"%u\"/>", 200 + i % 60);
                rc = odm_gather_add(&g, ODM_STR("d1"), ODM_STR("x"), ODM_TARGET_OK, odm_cstr(out),
                                    ODM_STR("why"));
        }
        odm_buf_cut(&b, 0);
        if (rc >= 0)
                rc = odm_gather_write(&g, ODM_STR("t"), 1, true, &totals, &b);
        if (rc == 0)
                rc = odm_fanout_doc_read(odm_buf_view(&b), &a, &d);
        odm_gather_done(&g);
        odm_buf_done(&b);
        odm_arena_done(&a);
        return rc;
}

static void memory_runs_out(void **state)
{
        (void)state;
        torture(all_of_it, NULL, 400);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commands_are_read),
                cmocka_unit_test(commands_have_a_ceiling),
                cmocka_unit_test(names_are_put_in),
                cmocka_unit_test(tags_are_known_again),
                cmocka_unit_test(later_values_overtake),
                cmocka_unit_test(outcomes_are_written_and_read),
                cmocka_unit_test(outcomes_have_a_ceiling),
                cmocka_unit_test(documents_have_five_forms),
                cmocka_unit_test(documents_come_in_parts),
                cmocka_unit_test(documents_are_read),
                cmocka_unit_test(memory_runs_out),
        };
        return RUN_TESTS(tests);
}
