/* SPDX-License-Identifier: Apache-2.0 */
/* What the server's commands get for an answer: each row is one message of the server to a fresh
 * device, and the client's reply to it (dm-protocol.md 2 and 7). */
#include "stage.h"

#define OK1 "Status 1/0 SyncHdr 200 | "

struct row {
        const char *why, *said, *heard;
        const char *uri, *value; /* afterwards; NULL: not looked at */
        void (*prepare)(struct stage *s);
};

static void without_extras(struct stage *s)
{
        s->opt.has_copy = s->opt.has_exec = s->opt.has_atomic = false;
        s->opt.has_list = s->opt.has_tnds = false;
}

static void with_small_objects(struct stage *s)
{
        s->opt.max_obj_size = 10;
}

static void without_tnds(struct stage *s)
{
        s->opt.has_tnds = false;
}

static const struct row rows[] = {
        {"a leaf and an interior node", GET("1", "./A/b") GET("2", "./A"),
         OK1 "Status 1/1 Get 200 [./A/b] | Status 1/2 Get 200 [./A] | Results 1/1 ./A/b='hello' | "
             "Results 1/2 ./A:node='b/c' | Final"},
        {"an empty leaf", GET("1", "./A/c"),
         OK1 "Status 1/1 Get 200 [./A/c] | Results 1/1 ./A/c='' | Final"},
        {"odd CmdIDs, one of them twice", GET("17", "./A/b") GET("a1", "./none") GET("17", "./A/c"),
         OK1 "Status 1/17 Get 200 [./A/b] | Status 1/a1 Get 404 [./none] | "
             "Status 1/17 Get 200 [./A/c] | Results 1/17 ./A/b='hello' | Results 1/17 ./A/c='' | "
             "Final"},
        {"in the order they came",
         GET("1", "./A/b") ADD("2", "./A/d", "1") REPLACE("3", "./A/b", "x"),
         OK1 "Status 1/1 Get 200 [./A/b] | Status 1/2 Add 200 [./A/d] | "
             "Status 1/3 Replace 200 [./A/b] | Results 1/1 ./A/b='hello' | Final",
         "./A/b", "x"},
        {"no Status for a Status",
         STATUS(1, "99", "Get", 200) GET("1", "./A/b") STATUS(7, "1", "Nonsense", 500),
         OK1 "Status 1/1 Get 200 [./A/b] | Results 1/1 ./A/b='hello' | Final"},
        {"items that fare alike", CMD("Get", "1", ITEM("./A/b", "") ITEM("./A/c", "")),
         OK1 "Status 1/1 Get 200 [./A/b ./A/c] | Results 1/1 ./A/b='hello' | Results 1/1 ./A/c='' "
             "| Final"},
        {"items that do not", CMD("Get", "1", ITEM("./A/b", "") ITEM("./none", "")),
         OK1 "Status 1/1 Get 200 [./A/b] | Status 1/1 Get 404 [./none] | "
             "Results 1/1 ./A/b='hello' | Final"},
        {"an item without Target", CMD("Get", "1", "<Item></Item>"),
         OK1 "Status 1/1 Get 412 | Final"},
        {"no items at all", CMD("Delete", "1", ""), OK1 "Status 1/1 Delete 412 | Final"},
        {"no CmdID", "<Get>" ITEM("./A/b", "") "</Get>" GET("2", "./A/b"),
         OK1 "Status 1/ Get 400 | Status 1/2 Get 200 [./A/b] | Results 1/2 ./A/b='hello' | Final"},
        {"an unknown element", CMD("Frobnicate", "1", ITEM("./A/b", "")) GET("2", "./A/b"),
         OK1 "Status 1/1 Frobnicate 400 | Status 1/2 Get 200 [./A/b] | Results 1/2 ./A/b='hello' | "
             "Final"},
        {"commands of data synchronisation",
         CMD("Put", "1", ITEM("./A/b", DATA("x"))) CMD("Search", "2", "") CMD("Map", "3", ""),
         OK1 "Status 1/1 Put 406 | Status 1/2 Search 406 | Status 1/3 Map 406 | Final", "./A/b",
         "hello"},
        {"Meta on the command, overridden by an item",
         CMD("Add", "1",
             META("int") ITEM("./A/i", DATA("7")) ITEM("./A/s", META("chr") DATA("seven")))
                 GET("2", "./A/i?prop=Format") GET("3", "./A/s?prop=Format"),
         OK1 "Status 1/1 Add 200 [./A/i ./A/s] | Status 1/2 Get 200 [./A/i?prop=Format] | "
             "Status 1/3 Get 200 [./A/s?prop=Format] | Results 1/2 ./A/i?prop=Format='int' | "
             "Results 1/3 ./A/s?prop=Format='chr' | Final"},
        {"an interior node and a leaf in it", ADD_NODE("1", "./T") ADD("2", "./T/a", "x"),
         OK1 "Status 1/1 Add 200 [./T] | Status 1/2 Add 200 [./T/a] | Final", "./T/a", "x"},
        {"what is there already", ADD("1", "./A/b", "x"), OK1 "Status 1/1 Add 418 [./A/b] | Final",
         "./A/b", "hello"},
        {"an implicit parent that cannot be made", ADD("1", "./Vendor/Nope/x", "1"),
         OK1 "Status 1/1 Add 405 [./Vendor/Nope/x] >./Vendor/Nope | Final"},
        {"Replace of nothing", REPLACE("1", "./none", "x"),
         OK1 "Status 1/1 Replace 404 [./none] | Final"},
        {"a format nobody knows", CMD("Replace", "1", ITEM("./A/b", META("hologram") DATA("x"))),
         OK1 "Status 1/1 Replace 415 [./A/b] | Final", "./A/b", "hello"},
        {"Replace without Data empties", CMD("Replace", "1", ITEM("./A/b", "")),
         OK1 "Status 1/1 Replace 200 [./A/b] | Final", "./A/b", ""},
        {"an object above our limit", REPLACE("1", "./A/b", "0123456789a"),
         OK1 "Status 1/1 Replace 413 [./A/b] | Final", "./A/b", "hello", with_small_objects},
        {"Delete", DELETE("1", "./A") GET("2", "./A/b"),
         OK1 "Status 1/1 Delete 200 [./A] | Status 1/2 Get 404 [./A/b] | Final"},
        {"the last account stays", DELETE("1", "./DMAcc/main"),
         OK1 "Status 1/1 Delete 403 [./DMAcc/main] | Final", "./DMAcc/main/AppID", "w7"},
        {"Copy",
         CMD("Copy", "1",
             "<Item>" TARGET("./A/d") "<Source><LocURI>./A/b</LocURI></Source></Item>"),
         OK1 "Status 1/1 Copy 200 [./A/d] | Final", "./A/d", "hello"},
        {"Copy from nowhere", CMD("Copy", "1", ITEM("./A/d", "")),
         OK1 "Status 1/1 Copy 412 [./A/d] | Final"},
        {"Exec", EXEC("1", "./Vendor/Run"), OK1 "Status 1/1 Exec 200 [./Vendor/Run] | Final"},
        {"Exec of what does not run", EXEC("1", "./Vendor/Even"),
         OK1 "Status 1/1 Exec 405 [./Vendor/Even] | Final"},
        {"Exec of two", CMD("Exec", "1", ITEM("./Vendor/Run", "") ITEM("./Vendor/Run", "")),
         OK1 "Status 1/1 Exec 400 | Final"},
        {"a client without options",
         CMD("Copy", "1", "<Item>" TARGET("./A/d") "<Source><LocURI>./A/b</LocURI></Source></Item>")
                 EXEC("2", "./Vendor/Run") CMD("Atomic", "3", ADD("4", "./A/x", "1"))
                         GET("5", "./A?list=Struct"),
         OK1 "Status 1/1 Copy 406 | Status 1/2 Exec 406 | Status 1/3 Atomic 406 | "
             "Status 1/4 Add 215 | Status 1/5 Get 406 [./A?list=Struct] | Final",
         "./A/x", "(none)", without_extras},
        {"an alert that is none of ours",
         ALERT("1", "1201", "") ALERT("2", "1150", "") ALERT("3", "1226", "") CMD("Alert", "4", ""),
         OK1 "Status 1/1 Alert 406 | Status 1/2 Alert 406 | Status 1/3 Alert 406 | "
             "Status 1/4 Alert 412 | Final"},
        {"a user nobody can ask", ALERT("1", "1100", TEXT_ITEM("") TEXT_ITEM("hello")),
         OK1 "Status 1/1 Alert 406 | Final"},

        /* Sequence */
        {"a Sequence in its order",
         CMD("Sequence", "1", ADD("2", "./A/n", "1") REPLACE("3", "./A/n", "2") GET("4", "./A/n")),
         OK1
         "Status 1/1 Sequence 200 | Status 1/2 Add 200 [./A/n] | "
         "Status 1/3 Replace 200 [./A/n] | Status 1/4 Get 200 [./A/n] | Results 1/4 ./A/n='2' | "
         "Final"},
        {"a member that fails stops no Sequence",
         CMD("Sequence", "1", GET("2", "./none") ADD("3", "./A/x", "1")) GET("4", "./A/x"),
         OK1 "Status 1/1 Sequence 200 | Status 1/2 Get 404 [./none] | Status 1/3 Add 200 [./A/x] | "
             "Status 1/4 Get 200 [./A/x] | Results 1/4 ./A/x='1' | Final"},
        {"Exec in a Sequence", CMD("Sequence", "1", EXEC("2", "./Vendor/Run")),
         OK1 "Status 1/1 Sequence 200 | Status 1/2 Exec 200 [./Vendor/Run] | Final"},
        {"Sequence in Sequence",
         CMD("Sequence", "1", CMD("Sequence", "2", GET("3", "./A/b")) GET("4", "./A/b")),
         OK1 "Status 1/1 Sequence 200 | Status 1/2 Sequence 400 | Status 1/3 Get 215 | "
             "Status 1/4 Get 200 [./A/b] | Results 1/4 ./A/b='hello' | Final"},
        {"an empty Sequence", CMD("Sequence", "1", ""), OK1 "Status 1/1 Sequence 200 | Final"},

        /* Atomic */
        {"an Atomic that holds", CMD("Atomic", "1", ADD_NODE("2", "./T") ADD("3", "./T/p", "8080")),
         OK1
         "Status 1/1 Atomic 200 | Status 1/2 Add 200 [./T] | Status 1/3 Add 200 [./T/p] | Final",
         "./T/p", "8080"},
        {"one that does not",
         CMD("Atomic", "1",
             ADD("2", "./A/x", "1") REPLACE("3", "./none", "2") ADD("4", "./A/y", "3"))
                 GET("5", "./A"),
         OK1 "Status 1/1 Atomic 507 | Status 1/2 Add 216 [./A/x] | "
             "Status 1/3 Replace 404 [./none] | Status 1/4 Add 215 | Status 1/5 Get 200 [./A] | "
             "Results 1/5 ./A:node='b/c' | Final"},
        {"Delete is taken back", CMD("Atomic", "1", DELETE("2", "./A") REPLACE("3", "./none", "x")),
         OK1 "Status 1/1 Atomic 507 | Status 1/2 Delete 216 [./A] | "
             "Status 1/3 Replace 404 [./none] | Final",
         "./A/b", "hello"},
        {"properties are taken back",
         CMD("Atomic", "1",
             REPLACE("2", "./A?prop=ACL", "Get=*&amp;Replace=*") REPLACE("3", "./A?prop=Name", "B")
                     REPLACE("4", "./none", "x")) GET("5", "./A?prop=ACL"),
         OK1 "Status 1/1 Atomic 507 | Status 1/2 Replace 216 [./A?prop=ACL] | "
             "Status 1/3 Replace 216 [./A?prop=Name] | Status 1/4 Replace 404 [./none] | "
             "Status 1/5 Get 200 [./A?prop=ACL] | Results 1/5 ./A?prop=ACL='' | Final"},
        {"items of the member that fails",
         CMD("Atomic", "1",
             CMD("Replace", "2",
                 ITEM("./A/b", DATA("x")) ITEM("./none", DATA("x")) ITEM("./A/c", DATA("x")))),
         OK1 "Status 1/1 Atomic 507 | Status 1/2 Replace 216 [./A/b] | "
             "Status 1/2 Replace 404 [./none] | Status 1/2 Replace 215 [./A/c] | Final",
         "./A/b", "hello"},
        {"a Get may not be in it", CMD("Atomic", "1", ADD("2", "./A/x", "1") GET("3", "./A/b")),
         OK1 "Status 1/1 Atomic 507 | Status 1/2 Add 216 [./A/x] | Status 1/3 Get 500 | Final",
         "./A/x", "(none)"},
        {"nor an Exec", CMD("Atomic", "1", EXEC("2", "./Vendor/Run")),
         OK1 "Status 1/1 Atomic 507 | Status 1/2 Exec 500 | Final"},
        {"nor another Atomic", CMD("Atomic", "1", CMD("Atomic", "2", ADD("3", "./A/x", "1"))),
         OK1 "Status 1/1 Atomic 507 | Status 1/2 Atomic 500 | Status 1/3 Add 215 | Final", "./A/x",
         "(none)"},
        {"nor something unknown",
         CMD("Atomic", "1", ADD("2", "./A/x", "1") CMD("Frobnicate", "3", "")),
         OK1
         "Status 1/1 Atomic 507 | Status 1/2 Add 216 [./A/x] | Status 1/3 Frobnicate 400 | Final",
         "./A/x", "(none)"},
        {"a provider refuses a member in the middle",
         CMD("Atomic", "1",
             ADD("2", "./A/x", "1")
                     CMD("Replace", "3", ITEM("./A/b", DATA("x")) ITEM("./Vendor/Even", DATA("3")))
                             REPLACE("4", "./A/c", "y")),
         OK1 "Status 1/1 Atomic 507 | Status 1/2 Add 216 [./A/x] | "
             "Status 1/3 Replace 500 [./A/b ./Vendor/Even] | Status 1/4 Replace 216 [./A/c] | "
             "Final",
         "./A/b", "hello"},
        {"the device refuses the whole",
         CMD("Atomic", "1", ADD("2", "./A/x", "1") REPLACE("3", "./Vendor/Even", "3")),
         OK1 "Status 1/1 Atomic 507 | Status 1/2 Add 216 [./A/x] | "
             "Status 1/3 Replace 500 [./Vendor/Even] | Final",
         "./Vendor/Even", "2"},
        {"an Atomic in a Sequence",
         CMD("Sequence", "1",
             CMD("Atomic", "2", ADD("3", "./A/x", "1") DELETE("4", "./none"))
                     ADD("5", "./A/y", "2")),
         OK1 "Status 1/1 Sequence 200 | Status 1/2 Atomic 507 | Status 1/3 Add 216 [./A/x] | "
             "Status 1/4 Delete 404 [./none] | Status 1/5 Add 200 [./A/y] | Final",
         "./A/x", "(none)"},

        /* lists and documents */
        {"the structure of a branch", GET("1", "./A?list=Struct"),
         OK1 "Status 1/1 Get 200 [./A?list=Struct] | Results 1/1 ./A:node ./A/b ./A/c | Final"},
        {"with its data", GET("1", "./A?list=StructData"),
         OK1 "Status 1/1 Get 200 [./A?list=StructData] | Results 1/1 ./A:node ./A/b='hello' "
             "./A/c='' | Final"},
        {"a document where none is taken",
         CMD("Add", "1",
             ITEM("./T", "<Meta><Format xmlns='syncml:metinf'>xml</Format><Type "
                         "xmlns='syncml:metinf'>application/vnd.syncml.dmtnds+xml</Type></Meta>"
                         "<Data>&lt;MgmtTree&gt;&lt;/MgmtTree&gt;</Data>")),
         OK1 "Status 1/1 Add 415 [./T] | Final", NULL, NULL, without_tnds},
};

static unsigned failures;

static void plays(const struct row *r, const odm_codec *codec)
{
        struct stage s;
        char said[8192];

        begins(&s, codec, STAGE_OPEN);
        if (r->prepare)
                r->prepare(&s);
        starts(&s);
        (void)snprintf(said, sizeof said, "%s%s<Final/>", HDR_OK(1), r->said);
        says(&s, said);
        if (!odm_str_is(s.line, r->heard)) {
                print_error("\n%s (%s):\n got %.*s\nwant %s\n", r->why, odm_codec_name(codec),
                            (int)s.line.n, s.line.p ? s.line.p : "", r->heard);
                failures++;
        }
        if (r->uri && failures == 0 && strcmp(value_of(&s, r->uri), r->value) != 0)
                fail_msg("%s: %s is now '%s'", r->why, r->uri, value_of(&s, r->uri));
        says(&s, HDR_OK(2) "<Final/>");
        silent(&s, ODM_OUTCOME_DONE);
        stage_close(&s);
}

static void commands_are_answered_as_the_table_says(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                for (size_t i = 0; i < ODM_COUNT(rows); i++)
                        if (codec == &odm_codec_xml || !strstr(rows[i].said, "Frobnicate"))
                                plays(&rows[i], codec); /* no token for what nobody knows */
        }
        assert_int_equal(failures, 0);
}

static void octets_travel_in_the_codecs_way(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                says(&s, HDR_OK(1) CMD("Add", "1",
                                       ITEM("./A/bin",
                                            "<Meta><Format xmlns='syncml:metinf'>b64</Format>"
                                            "<Type xmlns='syncml:metinf'>application/octet-stream"
                                            "</Type></Meta><Data>AAEC/w==</Data>"))
                                 GET("2", "./A/bin") GET("3", "./A/bin?prop=Size") "<Final/>");
                assert_non_null(s.heard);
                const odm_command *r = s.heard->body;
                while (r && r->kind != ODM_CMD_RESULTS)
                        r = r->next;
                assert_non_null(r);
                bool binary = odm_codec_is_binary(codec);
                assert_int_equal(r->items->meta.format, binary ? ODM_FMT_BIN : ODM_FMT_B64);
                assert_octets(r->items->data.bytes,
                              binary ? ((odm_str){"\0\1\2\xff", 4}) : ODM_STR("AAEC/w=="));
                assert_str(r->next->items->data.bytes, "4");
                stage_close(&s);
        }
}

static void octets_in_xml_are_base64_whatever_is_said(void **state)
{
        struct stage s;
        odm_value v;

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        starts(&s);
        says(&s, HDR_OK(1) CMD("Add", "1", ITEM("./A/o", META("bin") DATA("AAEC/w==")))
                         CMD("Add", "2", ITEM("./A/p", META("bin") DATA("no base64!"))) "<Final/>");
        hears(&s, OK1 "Status 1/1 Add 200 [./A/o] | Status 1/2 Add 200 [./A/p] | Final");
        assert_int_equal(odm_tree_read(s.tree, ODM_STR("./A/o"), &s.a, &v), 0);
        assert_octets(v.data, ((odm_str){"\0\1\2\xff", 4}));
        assert_string_equal(value_of(&s, "./A/p"), "no base64!");
        stage_close(&s);
}

/* STR_I and OPAQUE are the same in WBXML (dm-representation.md 4.3): octets are octets. */
static void octets_in_wbxml_are_not_decoded(void **state)
{
        struct stage s;

        (void)state;
        begins(&s, &odm_codec_wbxml, STAGE_OPEN);
        starts(&s);
        says(&s, HDR_OK(1) CMD("Add", "1", ITEM("./A/o", META("bin") DATA("AAEC/w=="))) "<Final/>");
        hears(&s, OK1 "Status 1/1 Add 200 [./A/o] | Final");
        assert_string_equal(value_of(&s, "./A/o"), "AAEC/w==");
        stage_close(&s);
}

/* Control characters have no place in XML; a value of them is no reason to end the session. */
static void values_that_xml_cannot_carry(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                sets(&s, "./A/b", "a\x01z");
                says(&s, HDR_OK(1) GET("1", "./A/b") GET("2", "./A/b?prop=Size")
                                 GET("3", "./A?list=TNDS+Value") GET("4", "./A/c") "<Final/>");
                if (codec == &odm_codec_xml)
                        hears(&s, OK1 "Status 1/1 Get 200 [./A/b] | Status 1/2 Get 200 "
                                      "[./A/b?prop=Size] | Status 1/3 Get 500 [./A?list=TNDS+Value]"
                                      " | Status 1/4 Get 200 [./A/c] | Results 1/1 ./A/b:b64="
                                      "'YQF6' | Results 1/2 ./A/b?prop=Size='3' | "
                                      "Results 1/4 ./A/c='' | Final");
                else
                        assert_non_null(strstr(s.line.p, "Results 1/1 ./A/b='a\x01z' | "));
                stage_close(&s);
        }
}

static void a_document_above_the_servers_limit_is_413(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                s.hdr = "<Meta><MaxObjSize xmlns='syncml:metinf'>20</MaxObjSize></Meta>";
                says(&s, HDR_OK(1) GET("1", "./A?list=TNDS") GET("2", "./A/b") "<Final/>");
                hears(&s, OK1 "Status 1/1 Get 413 [./A?list=TNDS] | Status 1/2 Get 200 [./A/b] | "
                              "Results 1/2 ./A/b='hello' | Final");
                stage_close(&s);
        }
}

#define TNDS                                                                                    \
        "<MgmtTree xmlns='syncml:dmddf1.2'><VerDTD>1.2</VerDTD><Node><NodeName>Mail</NodeName>" \
        "<RTProperties><Format><node/></Format><Type><DDFName></DDFName></Type></RTProperties>" \
        "<Node><NodeName>Host</NodeName><RTProperties><Format><chr/></Format><Type><MIME>"      \
        "text/plain</MIME></Type></RTProperties><Value>mail.example</Value></Node></Node></"    \
        "MgmtTree>"

static void documents_go_in_and_out(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                odm_limits lim;
                odm_doc *doc;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                says(&s,
                     HDR_OK(1) CMD("Add", "1",
                                   ITEM("./A", "<Meta><Format xmlns='syncml:metinf'>xml</Format>"
                                               "<Type xmlns='syncml:metinf'>"
                                               "application/vnd.syncml.dmtnds+xml</Type></Meta>"
                                               "<Data>" TNDS "</Data>"))
                             GET("2", "./A/Mail?list=TNDS") "<Final/>");
                assert_string_equal(value_of(&s, "./A/Mail/Host"), "mail.example");
                const odm_command *r = s.heard->body;
                while (r && r->kind != ODM_CMD_RESULTS)
                        r = r->next;
                assert_non_null(r);
                assert_str(r->items->meta.type, odm_codec_tnds_mime(codec));
                odm_limits_init(&lim);
                assert_int_equal(odm_doc_decode(r->items->data.bytes, &lim, &s.a, &doc), 0);
                assert_str(doc->nodes->name, "Mail");
                assert_str(doc->nodes->children->value.bytes, "mail.example");
                says(&s, HDR_OK(2) CMD("Add", "1",
                                       ITEM("./A/Broken",
                                            "<Meta><Format xmlns='syncml:metinf'>chr</Format>"
                                            "<Type xmlns='syncml:metinf'>"
                                            "application/vnd.syncml.dmtnds+xml</Type></Meta>"
                                            "<Data>rubbish</Data>")) "<Final/>");
                hears(&s, "Status 2/0 SyncHdr 200 | Status 2/1 Add 400 [./A/Broken] | Final");
                stage_close(&s);
        }
}

static void values_survive_what_marks_them_up(void **state)
{
        static const char value[] = "a & <b> \"c\" ]]> \xe2\x82\xac";
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                says(&s,
                     HDR_OK(1) REPLACE("1", "./A/b", "a &amp; &lt;b&gt; \"c\" ]]&gt; \xe2\x82\xac")
                             GET("2", "./A/b") "<Final/>");
                assert_string_equal(value_of(&s, "./A/b"), value);
                hears(&s, "Status 1/0 SyncHdr 200 | Status 1/1 Replace 200 [./A/b] | "
                          "Status 1/2 Get 200 [./A/b] | Results 1/2 ./A/b='a & <b> \"c\" ]]> "
                          "\xe2\x82\xac' | Final");
                stage_close(&s);
        }
}

static int device_fails(void *ctx, odm_tree *t, const odm_change *list)
{
        (void)ctx;
        (void)t;
        (void)list;
        return ODM_EIO;
}

/* The device failed after all had agreed: nobody may believe that it was rolled back. */
static void an_atomic_that_the_device_fails_is_not_called_rolled_back(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                s.provider.commit = device_fails;
                starts(&s);
                says(&s,
                     HDR_OK(1) CMD("Atomic", "1",
                                   REPLACE("2", "./A/b", "x") REPLACE("3", "./Vendor/Even", "2"))
                             REPLACE("4", "./Vendor/Even", "4") "<Final/>");
                hears(&s, OK1 "Status 1/1 Atomic 507 | Status 1/2 Replace 516 [./A/b] | "
                              "Status 1/3 Replace 516 [./Vendor/Even] | "
                              "Status 1/4 Replace 510 [./Vendor/Even] | Final");
                assert_string_equal(value_of(&s, "./A/b"), "x");
                stage_close(&s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commands_are_answered_as_the_table_says),
                cmocka_unit_test(octets_travel_in_the_codecs_way),
                cmocka_unit_test(octets_in_xml_are_base64_whatever_is_said),
                cmocka_unit_test(octets_in_wbxml_are_not_decoded),
                cmocka_unit_test(values_that_xml_cannot_carry),
                cmocka_unit_test(a_document_above_the_servers_limit_is_413),
                cmocka_unit_test(documents_go_in_and_out),
                cmocka_unit_test(values_survive_what_marks_them_up),
                cmocka_unit_test(an_atomic_that_the_device_fails_is_not_called_rolled_back),
        };
        return RUN_TESTS(tests);
}
