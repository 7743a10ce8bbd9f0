/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a session: headers, ends, versions, several messages a package, large objects, the
 * clock (dm-protocol.md 1, 3, 4). */
#include "stage.h"

#define OK(n) "Status " #n "/0 SyncHdr 200 | "

static void sessions_run_and_end(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                hears(&s, PKG1);
                assert_str(s.heard->hdr.ver_dtd, "1.2");
                assert_str(s.heard->hdr.ver_proto, "DM/1.2");
                assert_str(s.heard->hdr.session_id, "A1");
                assert_str(s.heard->hdr.msg_id, "1");
                assert_str(s.heard->hdr.target, "https://dm.example/s");
                assert_str(s.heard->hdr.source, "IMEI:004999010640000");
                assert_int_equal(s.heard->hdr.meta.max_msg, 65536);
                assert_false(s.heard->hdr.cred.present);
                assert_str(s.sent.url, "https://dm.example/s");
                assert_str(s.sent.content_type, odm_codec_mime(codec));
                s.hdr = "<RespURI>https://dm.example/s?sid=7c1</RespURI>";
                says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
                assert_str(s.sent.url, "https://dm.example/s?sid=7c1");
                assert_str(s.heard->hdr.msg_id, "2");
                assert_str(s.heard->hdr.session_id, "A1");
                assert_str(s.heard->body->target_refs->uri, "IMEI:004999010640000");
                assert_str(s.heard->body->source_refs->uri, "https://dm.example/s");
                s.hdr = NULL;
                says(&s, HDR_OK(2) GET("1", "./A/c") "<Final/>");
                assert_str(s.sent.url, "https://dm.example/s?sid=7c1");
                assert_str(s.heard->hdr.msg_id, "3");
                says(&s, HDR_OK(3) "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                odm_client_stats st = odm_client_get_stats(s.c);
                assert_int_equal(st.messages_out, 3);
                assert_int_equal(st.messages_in, 3);
                assert_int_equal(st.commands, 2);
                assert_string_equal(odm_client_diag(s.c), "");
                stage_close(&s);
        }
}

static void triggers_and_choices_of_session_ids(void **state)
{
        struct stage s;

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        s.opt.alert = ODM_ALERT_SERVER_INITIATED;
        s.opt.session_id = ODM_ABSENT;
        starts(&s);
        assert_int_equal(s.heard->body->code, 1200);
        odm_str id = odm_client_session_id(s.c);
        assert_true(id.n >= 1 && id.n <= 4);
        stage_close(&s);
}

static const struct ends {
        const char *why, *hdr, *proto, *dtd, *session, *target, *said;
        odm_outcome outcome;
        const char *heard; /* before the end; NULL: nothing */
        const char *diag;  /* NULL: not looked at */
} ends[] = {
        {"only statuses", .said = HDR_OK(1) "<Final/>", .outcome = ODM_OUTCOME_DONE},
        {"the server aborts", .said = HDR_OK(1) ALERT("1", "1223", "") GET("2", "./A/b") "<Final/>",
         .outcome = ODM_OUTCOME_ABORTED},
        {"another session", .session = "B2", .said = HDR_OK(1) GET("1", "./A/b") "<Final/>",
         .outcome = ODM_OUTCOME_BAD_MESSAGE},
        {"another device", .target = "IMEI:1", .said = HDR_OK(1) GET("1", "./A/b") "<Final/>",
         .outcome = ODM_OUTCOME_BAD_MESSAGE},
        {"the session in decimal", .session = "161", .said = HDR_OK(1) "<Final/>",
         .outcome = ODM_OUTCOME_DONE},
        {"the session in small letters", .session = "a1", .said = HDR_OK(1) "<Final/>",
         .outcome = ODM_OUTCOME_DONE},
        {"a server out of order", .said = HDR_CODE(1, 503, "") "<Final/>",
         .outcome = ODM_OUTCOME_REFUSED},
        {"refused without a challenge", .said = HDR_CODE(1, 401, "") "<Final/>",
         .outcome = ODM_OUTCOME_AUTH_REFUSED},
        {"a version nobody speaks", .proto = "DM/9.9",
         .said = HDR_OK(1) GET("1", "./A/b") "<Final/>", .outcome = ODM_OUTCOME_VERSION,
         .heard = "Status 1/0 SyncHdr 513 ='DM/1.2' | Status 1/1 Get 513 | Final",
         .diag = "the server speaks DM/9.9, DTD 1.2"},
        {"an old version", .proto = "DM/1.1", .dtd = "1.1",
         .said = HDR_OK(1) GET("1", "./A/b") "<Final/>", .outcome = ODM_OUTCOME_VERSION,
         .heard = "Status 1/0 SyncHdr 513 ='DM/1.2' | Status 1/1 Get 513 | Final"},
        {"a DTD nobody speaks", .dtd = "9.9", .said = HDR_OK(1) GET("1", "./A/b") "<Final/>",
         .outcome = ODM_OUTCOME_VERSION,
         .heard = "Status 1/0 SyncHdr 505 ='1.2' | Status 1/1 Get 505 | Final"},
        {"a version nobody speaks, members too", .proto = "DM/9.9",
         .said = HDR_OK(1) CMD("Sequence", "1", REPLACE("2", "./A/b", "x")) "<Final/>",
         .outcome = ODM_OUTCOME_VERSION,
         .heard = "Status 1/0 SyncHdr 513 ='DM/1.2' | Status 1/1 Sequence 513 | "
                  "Status 1/2 Replace 513 | Final"},
        {"it refuses our version", .said = HDR_CODE(1, 513, "") "<Final/>",
         .outcome = ODM_OUTCOME_VERSION},
};

static void bad_replies_end_it(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                for (size_t i = 0; i < ODM_COUNT(ends); i++) {
                        const struct ends *r = &ends[i];
                        struct stage s;
                        begins(&s, codec, STAGE_OPEN);
                        starts(&s);
                        s.proto = r->proto ? r->proto : s.proto;
                        s.dtd = r->dtd ? r->dtd : s.dtd;
                        s.target = r->target ? r->target : s.target;
                        s.session = r->session;
                        says(&s, r->said);
                        if (r->heard) {
                                hears(&s, r->heard);
                                says(&s, HDR_OK(2) "<Final/>");
                        }
                        if (odm_client_outcome(s.c) != r->outcome || s.line.p)
                                print_error("%s\n", r->why);
                        silent(&s, r->outcome);
                        if (r->diag)
                                assert_string_equal(odm_client_diag(s.c), r->diag);
                        stage_close(&s);
                }
        }
}

static void rubbish_is_no_message(void **state)
{
        static const char *const bad[] = {"", "\n", "<html></html>", "\x02\xa4\x01\x6a",
                                          "<SyncML>"};

        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                for (size_t i = 0; i < ODM_COUNT(bad); i++) {
                        struct stage s;
                        odm_packet p = {.body = odm_cstr(bad[i])};
                        begins(&s, codec, STAGE_OPEN);
                        starts(&s);
                        assert_int_equal(odm_client_recv(s.c, &p, s.now, s.wall), 0);
                        assert_int_equal(odm_client_outcome(s.c), ODM_OUTCOME_BAD_MESSAGE);
                        assert_int_equal(odm_client_recv(s.c, &p, s.now, s.wall), ODM_ESTATE);
                        stage_close(&s);
                }
        }
}

static void servers_count_their_messages_as_they_like(void **state)
{
        struct stage s;

        (void)state;
        begins(&s, &odm_codec_wbxml, STAGE_OPEN);
        starts(&s);
        s.server_msg = 41;
        says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
        hears(&s, OK(42) "Status 42/1 Get 200 [./A/b] | Results 42/1 ./A/b='hello' | Final");
        s.server_msg = 6;
        says(&s,
             "<Status><CmdID>1</CmdID><MsgRef>2</MsgRef><Cmd>SyncHdr</Cmd><Data>200</Data></Status>"
             "<Final/>"); /* no CmdRef at all */
        silent(&s, ODM_OUTCOME_DONE);
        stage_close(&s);
}

static void version_1_3_falls_back(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                s.opt.dm13 = true;
                starts(&s);
                assert_str(s.heard->hdr.ver_proto, "DM/1.3");
                says(&s, HDR_CODE(1, 513, "") "<Final/>");
                hears(&s, OK(1) PKG1);
                assert_str(s.heard->hdr.ver_proto, "DM/1.2");
                assert_str(s.heard->hdr.msg_id, "2");
                says(&s, HDR_OK(2) GET("1", "./A/b") "<Final/>");
                hears(&s, OK(2) "Status 2/1 Get 200 [./A/b] | Results 2/1 ./A/b='hello' | Final");
                stage_close(&s);

                begins(&s, codec, STAGE_OPEN);
                s.opt.dm13 = true;
                s.proto = "DM/1.3";
                starts(&s);
                says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
                hears(&s, OK(1) "Status 1/1 Get 200 [./A/b] | Results 1/1 ./A/b='hello' | Final");
                assert_str(s.heard->hdr.ver_proto, "DM/1.3");
                stage_close(&s);

                begins(&s, codec, STAGE_OPEN);
                s.opt.allow_dm11 = true;
                s.proto = "DM/1.1";
                s.dtd = "1.1";
                starts(&s);
                says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
                hears(&s, OK(1) "Status 1/1 Get 200 [./A/b] | Results 1/1 ./A/b='hello' | Final");
                stage_close(&s);
        }
}

/* ---- several messages a package --------------------------------------------------- */

static void an_open_package_is_asked_on(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                says(&s, HDR_OK(1) REPLACE("1", "./A/b", "x"));
                hears(&s, OK(1) "Status 1/1 Replace 200 [./A/b] | Alert 1222");
                says(&s, HDR_OK(2) STATUS(2, "3", "Alert", 200) GET("1", "./A/b"));
                hears(&s, OK(2) "Status 2/1 Get 200 [./A/b] | Results 2/1 ./A/b='x'");
                says(&s, HDR_OK(3) GET("1", "./A/c") "<Final/>");
                hears(&s, OK(3) "Status 3/1 Get 200 [./A/c] | Results 3/1 ./A/c='' | Final");
                says(&s, HDR_OK(4) "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                stage_close(&s);
        }
}

static void an_open_package_is_closed_in_the_end(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                says(&s, HDR_OK(1) REPLACE("1", "./A/b", "x"));
                hears(&s, OK(1) "Status 1/1 Replace 200 [./A/b] | Alert 1222");
                says(&s, HDR_OK(2) STATUS(2, "3", "Alert", 200) "<Final/>");
                hears(&s, "Status 2/0 SyncHdr 200 | Final");
                says(&s, HDR_OK(3) "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                stage_close(&s);
        }
}

static void fill_list(struct stage *s, int n)
{
        char uri[32], value[64];

        for (int i = 0; i < n; i++) {
                (void)snprintf(uri, sizeof uri, "./L/n%03d", i);
                (void)snprintf(value, sizeof value, "value number %03d of the list", i);
                sets(s, uri, value);
        }
}

#define SMALL "<Meta><MaxMsgSize xmlns='syncml:metinf'>2000</MaxMsgSize></Meta>"

/* Plays on until the client closes its package; counts items of Results, in order. */
static unsigned collect(struct stage *s, unsigned *messages)
{
        unsigned items = 0;
        char said[256];

        for (*messages = 1; *messages < 200; ++*messages) {
                assert_non_null(s->heard);
                assert_true(s->sent.body.n <= 2000);
                for (const odm_command *cmd = s->heard->body; cmd; cmd = cmd->next)
                        for (const odm_item *it = cmd->items; cmd->kind == ODM_CMD_RESULTS && it;
                             it = it->next)
                                items++;
                if (s->heard->final)
                        return items;
                (void)snprintf(said, sizeof said,
                               "<Status><CmdID>1</CmdID><MsgRef>%u</MsgRef><CmdRef>0</CmdRef>"
                               "<Cmd>SyncHdr</Cmd><Data>200</Data></Status>" ALERT("2", "1222", ""),
                               (unsigned)odm_ref_number(s->heard->hdr.msg_id));
                says(s, said);
        }
        return items;
}

static void replies_are_split_to_what_the_server_takes(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                unsigned messages;
                begins(&s, codec, STAGE_OPEN);
                fill_list(&s, 100);
                starts(&s);
                s.hdr = SMALL;
                says(&s, HDR_OK(1) GET("1", "./L?list=StructData") GET("2", "./A/b") "<Final/>");
                assert_int_equal(collect(&s, &messages), 102);
                assert_true(messages >= 3);
                s.hdr = NULL;
                says(&s, HDR_OK(9) "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                stage_close(&s);
        }
}

static void many_statuses_are_split_too(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                unsigned messages, statuses = 0;
                odm_buf b;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                odm_buf_init(&b, &heap, 1 << 20);
                assert_int_equal(odm_buf_str(&b, odm_cstr(HDR_OK(1))), 0);
                for (int i = 0; i < 60; i++)
                        assert_int_equal(odm_buf_fmt(&b,
                                                     "<Delete><CmdID>%d</CmdID><Item><Target>"
                                                     "<LocURI>./none/%d</LocURI></Target></Item>"
                                                     "</Delete>",
                                                     i + 1, i),
                                         0);
                assert_int_equal(odm_buf_put(&b, "<Final/>", sizeof "<Final/>"), 0);
                s.hdr = SMALL;
                says(&s, b.p);
                for (messages = 1; messages < 20; messages++) {
                        for (const odm_command *cmd = s.heard->body; cmd; cmd = cmd->next)
                                statuses += cmd->kind == ODM_CMD_STATUS && cmd->code == 404;
                        assert_true(s.sent.body.n <= 2000);
                        if (s.heard->final)
                                break;
                        says(&s, HDR_OK(0) ALERT("2", "1222", ""));
                }
                assert_int_equal(statuses, 60);
                assert_true(messages > 1);
                odm_buf_done(&b);
                stage_close(&s);
        }
}

static void what_fits_nowhere_ends_it(void **state)
{
        struct stage s;

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        starts(&s);
        s.hdr = "<Meta><MaxMsgSize xmlns='syncml:metinf'>300</MaxMsgSize></Meta>";
        says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
        silent(&s, ODM_OUTCOME_TOO_LARGE);
        stage_close(&s);

        /* Statuses find room, the Results never do: asking on for ever is no way out */
        bool stuck = false;
        for (unsigned room = 500; room < 1200; room += 10) {
                char meta[100];
                unsigned n = 0;
                begins(&s, &odm_codec_xml, STAGE_OPEN);
                starts(&s);
                (void)snprintf(meta, sizeof meta,
                               "<Meta><MaxMsgSize xmlns='syncml:metinf'>%u</MaxMsgSize></Meta>",
                               room);
                s.hdr = meta;
                says(&s, HDR_OK(1) GET("1", "./A/b?list=Struct") GET("2", "./A/b") "<Final/>");
                while (s.line.p && !s.heard->final && ++n < 12)
                        says(&s, HDR_OK(0) ALERT("2", "1222", ""));
                if (s.line.p == NULL)
                        silent(&s, ODM_OUTCOME_TOO_LARGE);
                else
                        assert_true(s.heard->final);
                stuck |= s.line.p == NULL && n > 0;
                stage_close(&s);
        }
        assert_true(stuck); /* the case is among them */
}

/* ---- large objects ------------------------------------------------------------------- */

#define CHUNK(id, size, text) \
        CMD("Replace", id, "<Item>" TARGET("./A/b") size DATA(text) "<MoreData/></Item>")

static void objects_come_in_chunks(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                says(&s, HDR_OK(1) GET("1", "./A/c") CHUNK("2", SIZE(9), "abc"));
                hears(&s, OK(1) "Status 1/1 Get 200 [./A/c] | Status 1/2 Replace 213 [./A/b] | "
                                "Results 1/1 ./A/c=''");
                says(&s, HDR_OK(2) CHUNK("1", "", "def"));
                hears(&s, OK(2) "Status 2/1 Replace 213 [./A/b] | Alert 1222");
                assert_string_equal(value_of(&s, "./A/b"), "hello");
                says(&s, HDR_OK(3) STATUS(3, "3", "Alert", 200)
                                 REPLACE("1", "./A/b", "ghi") "<Final/>");
                hears(&s, OK(3) "Status 3/1 Replace 200 [./A/b] | Final");
                assert_string_equal(value_of(&s, "./A/b"), "abcdefghi");
                stage_close(&s);
        }
}

static size_t value_n(struct stage *s, const char *uri)
{
        odm_value v;

        assert_int_equal(odm_tree_read(s->tree, odm_cstr(uri), &s->a, &v), 0);
        return v.data.n;
}

static void base64_is_cut_anywhere(void **state)
{
        static const char *const sizes[] = {SIZE(8), SIZE(5)}; /* of the text, or of the octets */
        (void)state;
        for (size_t i = 0; i < 2; i++) {
                struct stage s;
                char said[2048];
                begins(&s, &odm_codec_xml, STAGE_OPEN);
                starts(&s);
                (void)snprintf(
                        said, sizeof said,
                        "%s<Add><CmdID>1</CmdID><Meta><Format xmlns='syncml:metinf'>b64</Format>"
                        "<Type xmlns='syncml:metinf'>application/octet-stream</Type></Meta>"
                        "<Item><Target><LocURI>./A/o</LocURI></Target>%s<Data>AAECA</Data>"
                        "<MoreData/></Item></Add>",
                        HDR_OK(1), sizes[i]);
                says(&s, said);
                hears(&s, OK(1) "Status 1/1 Add 213 [./A/o] | Alert 1222");
                says(&s,
                     HDR_OK(2) CMD(
                             "Add", "1",
                             "<Meta><Format xmlns='syncml:metinf'>b64</Format><Type "
                             "xmlns='syncml:metinf'>application/octet-stream</Type></Meta>" ITEM(
                                     "./A/o", DATA("/8="))) "<Final/>");
                hears(&s, OK(2) "Status 2/1 Add 200 [./A/o] | Final");
                odm_value v;
                assert_int_equal(odm_tree_read(s.tree, ODM_STR("./A/o"), &s.a, &v), 0);
                assert_octets(v.data, ((odm_str){"\0\1\2\3\xff", 5}));
                stage_close(&s);
        }
}

#define B64_CHUNK(size, text, more)                                                                \
        "<Add><CmdID>1</CmdID><Meta><Format xmlns='syncml:metinf'>b64</Format>"                    \
        "<Type xmlns='syncml:metinf'>application/octet-stream</Type></Meta><Item>" TARGET("./A/o") \
                size                                                                               \
                DATA(text) more "</Item></Add>"

static void base64_may_be_counted_decoded(void **state)
{
        static const char *const sizes[] = {SIZE(12), SIZE(8), SIZE(7)};

        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                for (size_t i = 0; i < ODM_COUNT(sizes); i++) {
                        struct stage s;
                        char said[2048];
                        begins(&s, codec, STAGE_OPEN);
                        starts(&s);
                        (void)snprintf(said, sizeof said,
                                       "%s" B64_CHUNK("%s", "AAEC", "<MoreData/>"), HDR_OK(1),
                                       sizes[i]);
                        says(&s, said);
                        hears(&s, OK(1) "Status 1/1 Add 213 [./A/o] | Alert 1222");
                        says(&s, HDR_OK(2) B64_CHUNK("", "/wAB/", "<MoreData/>"));
                        hears(&s, OK(2) "Status 2/1 Add 213 [./A/o] | Alert 1222");
                        says(&s, HDR_OK(3) B64_CHUNK("", "/8=", "") "<Final/>");
                        if (i == 2) {
                                hears(&s, OK(3) "Status 3/1 Add 424 [./A/o] | Final");
                        } else {
                                hears(&s, OK(3) "Status 3/1 Add 200 [./A/o] | Final");
                                assert_int_equal(value_n(&s, "./A/o"), 8);
                        }
                        stage_close(&s);
                }
        }
}

static const struct chunks {
        const char *why, *first, *answer, *second, *then, *value;
} chunks[] = {
        {"too little came", CHUNK("1", SIZE(9), "abc"),
         "Status 1/1 Replace 213 [./A/b] | Alert 1222", REPLACE("1", "./A/b", "d"),
         "Status 2/1 Replace 424 [./A/b] | Final", "hello"},
        {"too much came", CHUNK("1", SIZE(4), "abc"), "Status 1/1 Replace 213 [./A/b] | Alert 1222",
         REPLACE("1", "./A/b", "defg"), "Status 2/1 Replace 424 [./A/b] | Final", "hello"},
        {"too much in a chunk", CHUNK("1", SIZE(4), "abcde"),
         "Status 1/1 Replace 424 [./A/b] | Alert 1222", REPLACE("1", "./A/b", "x"),
         "Status 2/1 Replace 424 [./A/b] | Final", "hello"},
        {"no Size", CHUNK("1", "", "abc"), "Status 1/1 Replace 411 [./A/b] | Alert 1222",
         REPLACE("1", "./A/b", "def"), "Status 2/1 Replace 411 [./A/b] | Final", "hello"},
        {"more than we take", CHUNK("1", SIZE(100), "abc"),
         "Status 1/1 Replace 413 [./A/b] | Alert 1222", GET("1", "./A/b"),
         "Status 2/1 Get 200 [./A/b] | Results 2/1 ./A/b='hello' | Final", "hello"},
        {"another command in between", CHUNK("1", SIZE(9), "abc"),
         "Status 1/1 Replace 213 [./A/b] | Alert 1222", GET("1", "./A/c"),
         "Status 2/1 Get 200 [./A/c] | Alert 1225 >./A/b | Results 2/1 ./A/c='' | Final", "hello"},
        {"another item in between",
         CMD("Replace", "1",
             "<Item>" TARGET("./A/b") SIZE(9)
                     DATA("abc") "<MoreData/></Item>" ITEM("./A/c", DATA("new"))),
         "Status 1/1 Replace 213 [./A/b] | Status 1/1 Replace 200 [./A/c] | Alert 1225 >./A/b",
         GET("1", "./A/c"), "Status 2/1 Get 200 [./A/c] | Results 2/1 ./A/c='new' | Final",
         "hello"},
        {"the same object from the start", CHUNK("1", SIZE(9), "abc"),
         "Status 1/1 Replace 213 [./A/b] | Alert 1222", CHUNK("1", SIZE(9), "abc") "<!-- -->",
         "Status 2/1 Replace 213 [./A/b] | Final", "hello"},
        {"chunks in a Sequence", CMD("Sequence", "1", CHUNK("2", SIZE(9), "abc")),
         "Status 1/1 Sequence 200 | Status 1/2 Replace 400 [./A/b] | Alert 1222", GET("1", "./A/c"),
         "Status 2/1 Get 200 [./A/c] | Results 2/1 ./A/c='' | Final", "hello"},
        {"the rest of what a Sequence may not chunk",
         CMD("Sequence", "1", CHUNK("2", SIZE(9), "abc")),
         "Status 1/1 Sequence 200 | Status 1/2 Replace 400 [./A/b] | Alert 1222",
         REPLACE("1", "./A/b", "def"), "Status 2/1 Replace 424 [./A/b] | Final", "hello"},
        {"the rest, in a Sequence too", CMD("Sequence", "1", CHUNK("2", SIZE(9), "abc")),
         "Status 1/1 Sequence 200 | Status 1/2 Replace 400 [./A/b] | Alert 1222",
         CMD("Sequence", "1", REPLACE("2", "./A/b", "def")),
         "Status 2/1 Sequence 200 | Status 2/2 Replace 424 [./A/b] | Final", "hello"},
        {"one more chunk", CMD("Sequence", "1", CHUNK("2", SIZE(9), "abc")),
         "Status 1/1 Sequence 200 | Status 1/2 Replace 400 [./A/b] | Alert 1222",
         CHUNK("1", "", "def") REPLACE("2", "./A/b", "ghi"),
         "Status 2/1 Replace 424 [./A/b] | Status 2/2 Replace 424 [./A/b] | Final", "hello"},
        {"the rest, after other commands",
         CMD("Sequence", "1", CHUNK("2", SIZE(9), "abc") REPLACE("3", "./A/c", "new")),
         "Status 1/1 Sequence 200 | Status 1/2 Replace 400 [./A/b] | "
         "Status 1/3 Replace 200 [./A/c] | Alert 1222",
         REPLACE("1", "./A/c", "old") REPLACE("2", "./A/b", "def"),
         "Status 2/1 Replace 200 [./A/c] | Status 2/2 Replace 424 [./A/b] | Final", "hello"},
        {"the rest of what an Atomic may not chunk", CMD("Atomic", "1", CHUNK("2", SIZE(9), "abc")),
         "Status 1/1 Atomic 507 | Status 1/2 Replace 400 [./A/b] | Alert 1222",
         CMD("Atomic", "1", REPLACE("2", "./A/b", "def")),
         "Status 2/1 Atomic 507 | Status 2/2 Replace 424 [./A/b] | Final", "hello"},
        {"the rest of what a failed Atomic did not look at",
         CMD("Atomic", "1", REPLACE("2", "./none", "x") CHUNK("3", SIZE(9), "abc")),
         "Status 1/1 Atomic 507 | Status 1/2 Replace 404 [./none] | Status 1/3 Replace 215 | "
         "Alert 1222",
         REPLACE("1", "./A/b", "def"), "Status 2/1 Replace 424 [./A/b] | Final", "hello"},
        {"the rest closes it", CMD("Sequence", "1", CHUNK("2", SIZE(9), "abc")),
         "Status 1/1 Sequence 200 | Status 1/2 Replace 400 [./A/b] | Alert 1222",
         REPLACE("1", "./A/b", "def") REPLACE("2", "./A/b", "whole"),
         "Status 2/1 Replace 424 [./A/b] | Status 2/2 Replace 200 [./A/b] | Final", "whole"},
        {"from the start, as it should be", CMD("Sequence", "1", CHUNK("2", SIZE(9), "abc")),
         "Status 1/1 Sequence 200 | Status 1/2 Replace 400 [./A/b] | Alert 1222",
         CHUNK("1", SIZE(9), "abc"), "Status 2/1 Replace 213 [./A/b] | Final", "hello"},
        {"chunks of what has no value",
         CMD("Delete", "1", "<Item>" TARGET("./A/b") "<MoreData/></Item>"),
         "Status 1/1 Delete 400 [./A/b] | Alert 1222", GET("1", "./A/c"),
         "Status 2/1 Get 200 [./A/c] | Results 2/1 ./A/c='' | Final", "hello"},
};

static void broken_objects_change_nothing(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                for (size_t i = 0; i < ODM_COUNT(chunks); i++) {
                        struct stage s;
                        char text[2048];
                        begins(&s, codec, STAGE_OPEN);
                        s.opt.max_obj_size = 50;
                        starts(&s);
                        (void)snprintf(text, sizeof text, "%s%s", HDR_OK(1), chunks[i].first);
                        says(&s, text);
                        (void)snprintf(text, sizeof text, "%s%s", OK(1), chunks[i].answer);
                        if (!odm_str_is(s.line, text))
                                print_error("%s\n", chunks[i].why);
                        hears(&s, text);
                        (void)snprintf(text, sizeof text, "%s%s<Final/>", HDR_OK(2),
                                       chunks[i].second);
                        says(&s, text);
                        (void)snprintf(text, sizeof text, "%s%s", OK(2), chunks[i].then);
                        if (!odm_str_is(s.line, text))
                                print_error("%s\n", chunks[i].why);
                        hears(&s, text);
                        assert_string_equal(value_of(&s, "./A/b"), chunks[i].value);
                        stage_close(&s);
                }
        }
}

static char *large_value(size_t n)
{
        char *p = malloc(n + 1);

        assert_non_null(p);
        for (size_t i = 0; i < n; i++)
                p[i] = "abcdefghij<&>klm"[i % 16];
        p[n] = '\0';
        return p;
}

/* Joins the chunks of one Results; checks what each message has to look like. */
static void join_chunks(struct stage *s, char *out, size_t total)
{
        size_t n = 0;
        char said[512];

        for (unsigned i = 0; i < 100; i++) {
                const odm_command *last = s->heard->body;
                while (last->next)
                        last = last->next;
                assert_int_equal(last->kind, ODM_CMD_RESULTS);
                assert_true(s->sent.body.n <= 2000);
                assert_int_equal(last->items->meta.has_size, i == 0);
                if (i == 0)
                        assert_int_equal(last->items->meta.size, total);
                assert_true(n + last->items->data.bytes.n <= total);
                memcpy(out + n, last->items->data.bytes.p, last->items->data.bytes.n);
                n += last->items->data.bytes.n;
                assert_int_equal(s->heard->final, !last->items->more);
                if (!last->items->more)
                        break;
                (void)snprintf(said, sizeof said,
                               "<Status><CmdID>1</CmdID><MsgRef>%u</MsgRef><CmdRef>0</CmdRef>"
                               "<Cmd>SyncHdr</Cmd><Data>200</Data></Status><Status><CmdID>2</CmdID>"
                               "<MsgRef>%u</MsgRef><CmdRef>%.*s</CmdRef><Cmd>Results</Cmd>"
                               "<Data>213</Data></Status>" ALERT("3", "1222", ""),
                               (unsigned)odm_ref_number(s->heard->hdr.msg_id),
                               (unsigned)odm_ref_number(s->heard->hdr.msg_id), (int)last->cmd_id.n,
                               last->cmd_id.p);
                says(s, said);
        }
        assert_int_equal(n, total);
}

static void objects_go_out_in_chunks(void **state)
{
        const size_t n = 20000;

        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                char *value = large_value(n), *got = malloc(n);
                begins(&s, codec, STAGE_OPEN);
                sets(&s, "./A/b", value);
                starts(&s);
                s.hdr = SMALL;
                says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
                join_chunks(&s, got, n);
                assert_memory_equal(got, value, n);
                says(&s, HDR_OK(0) "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                free(value);
                free(got);
                stage_close(&s);
        }
}

static void an_object_the_server_refuses_is_dropped(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                char *value = large_value(20000);
                begins(&s, codec, STAGE_OPEN);
                sets(&s, "./A/b", value);
                starts(&s);
                s.hdr = SMALL;
                says(&s, HDR_OK(1) GET("1", "./A/b") GET("2", "./A/c") "<Final/>");
                assert_false(s.heard->final);
                says(&s, HDR_OK(2) STATUS(2, "4", "Results", 413) ALERT("3", "1222", ""));
                hears(&s, OK(2) "Status 2/3 Alert 200 | Results 1/2 ./A/c='' | Final");
                stage_close(&s);

                begins(&s, codec, STAGE_OPEN);
                sets(&s, "./A/b", value);
                starts(&s);
                s.hdr = "<Meta><MaxObjSize xmlns='syncml:metinf'>10000</MaxObjSize></Meta>";
                says(&s, HDR_OK(1) GET("1", "./A/b") GET("2", "./A/c") "<Final/>");
                hears(&s, OK(1) "Status 1/1 Get 413 [./A/b] | Status 1/2 Get 200 [./A/c] | "
                                "Results 1/2 ./A/c='' | Final");
                free(value);
                stage_close(&s);
        }
}

/* ---- the clock, and what is out of turn --------------------------------------------------- */

static void silence_is_answered_by_repeating(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                odm_packet again;
                begins(&s, codec, STAGE_OPEN);
                s.opt.reply_ms = 5000;
                starts(&s);
                assert_true(odm_client_deadline(s.c).ms == s.now.ms + 5000);
                odm_str first = odm_arena_copy(&s.a, s.sent.body);
                for (int i = 0; i < 2; i++) {
                        s.now = odm_client_deadline(s.c);
                        s.now.ms--;
                        assert_int_equal(odm_client_tick(s.c, s.now), 0);
                        assert_int_equal(odm_client_send(s.c, &again), 0); /* not yet */
                        s.now.ms++;
                        assert_int_equal(odm_client_tick(s.c, s.now), 0);
                        assert_int_equal(odm_client_send(s.c, &again), 1);
                        assert_octets(again.body, first);
                }
                s.now = odm_client_deadline(s.c);
                assert_int_equal(odm_client_tick(s.c, s.now), 0);
                assert_int_equal(odm_client_send(s.c, &again), 0);
                assert_int_equal(odm_client_outcome(s.c), ODM_OUTCOME_NO_REPLY);
                assert_true(odm_client_deadline(s.c).ms == ODM_NEVER.ms);
                assert_int_equal(odm_client_get_stats(s.c).retries, 2);
                stage_close(&s);

                begins(&s, codec, STAGE_OPEN); /* a late reply is as good */
                starts(&s);
                s.now = odm_client_deadline(s.c);
                assert_int_equal(odm_client_tick(s.c, s.now), 0);
                says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
                hears(&s, OK(1) "Status 1/1 Get 200 [./A/b] | Results 1/1 ./A/b='hello' | Final");
                odm_client_fail(s.c);
                s.line = ODM_ABSENT;
                silent(&s, ODM_OUTCOME_TRANSPORT);
                stage_close(&s);
        }
}

/* ---- replies that come again ------------------------------------------------------------ */

static void an_old_reply_is_silence(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                odm_packet again;
                odm_buf old;

                begins(&s, codec, STAGE_OPEN);
                odm_buf_init(&old, &heap, 65536);
                starts(&s);
                assert_int_equal(
                        stage_write(&s, HDR_OK(1) EXEC("1", "./Vendor/Run") "<Final/>", &old), 0);
                assert_int_equal(stage_hand_over(&s, odm_buf_view(&old), ODM_ABSENT), 0);
                assert_int_equal(stage_listen(&s), 0);
                hears(&s, OK(1) "Status 1/1 Exec 200 [./Vendor/Run] | Final");
                assert_int_equal(s.execs, 1);
                odm_str sent = exact_bytes(s.sent.body.p, s.sent.body.n);
                const odm_packet stale = {.body = odm_buf_view(&old)};
                for (int i = 0; i < 2; i++) { /* nothing is done twice, ours is said again */
                        assert_int_equal(odm_client_recv(s.c, &stale, s.now, s.wall), 0);
                        assert_int_equal(odm_client_send(s.c, &again), 1);
                        assert_octets(again.body, sent);
                }
                assert_int_equal(s.execs, 1);
                assert_int_equal(odm_client_recv(s.c, &stale, s.now, s.wall), 0); /* not for ever */
                assert_int_equal(odm_client_outcome(s.c), ODM_OUTCOME_NO_REPLY);
                exact_free(sent);
                odm_buf_done(&old);
                stage_close(&s);
        }
}

static void calls_out_of_turn_are_refused(void **state)
{
        struct stage s;
        odm_packet p = {.body = ODM_STR("x")};
        const odm_request *req;

        (void)state;
        begins(&s, &odm_codec_wbxml, STAGE_OPEN);
        assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
        assert_int_equal(odm_client_recv(s.c, &p, s.now, s.wall), ODM_ESTATE);
        assert_int_equal(odm_client_send(s.c, &p), 0);
        assert_int_equal(odm_client_next(s.c, &req), 0);
        assert_int_equal(odm_client_answer(s.c, 1, &(odm_reply){.status = 200}, s.now, s.wall),
                         ODM_ESTATE);
        assert_int_equal(odm_client_start(s.c, s.now, s.wall), 0);
        assert_int_equal(odm_client_start(s.c, s.now, s.wall), ODM_ESTATE);
        assert_int_equal(odm_client_recv(s.c, &p, s.now, s.wall), ODM_ESTATE); /* not sent yet */
        stage_close(&s);
        odm_client_free(NULL);
}

static void options_out_of_range_are_refused(void **state)
{
        struct stage s;
        odm_client_opt bad[8];
        odm_client *c = NULL;

        (void)state;
        begins(&s, &odm_codec_wbxml, STAGE_OPEN);
        for (size_t i = 0; i < ODM_COUNT(bad); i++)
                bad[i] = s.opt;
        bad[0].account = ODM_ABSENT;
        bad[1].alert = 1226;
        bad[2].max_msg_size = 2047;
        bad[3].send_max = 100;
        bad[4].reply_ms = 0;
        bad[5].codec = NULL;
        bad[6].limits.max_depth = 1000;
        bad[7].max_messages = 0;
        for (size_t i = 0; i < ODM_COUNT(bad); i++)
                assert_int_equal(odm_client_new(&bad[i], s.tree, &c), ODM_EINVAL);
        s.opt.account = ODM_STR("./DMAcc/nobody");
        assert_int_equal(odm_client_new(&s.opt, s.tree, &c), ODM_ENOENT);
        assert_null(c);
        stage_close(&s);
}

static void session_ids_of_the_hosts_own_come_back_as_they_are(void **state)
{
        static const struct {
                const char *why, *ours, *theirs;
                bool same;
        } ids[] = {
                {"as it is", "server-7", "server-7", true},
                {"no number that could be written otherwise", "server-7", "7", false},
                {"a short one", "GZ", "GZ", true},
                {"is no number either", "GZ", "0", false},
                {"small letters", "B7", "b7", true},
                {"decimal", "B7", "183", true},
                {"of another session", "B7", "B8", false},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(ids); i++) {
                struct stage s;
                begins(&s, &odm_codec_wbxml, STAGE_OPEN);
                s.opt.session_id = odm_cstr(ids[i].ours);
                starts(&s);
                s.session = ids[i].theirs;
                says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
                if ((odm_client_outcome(s.c) == ODM_OUTCOME_NONE) != ids[i].same)
                        fail_msg("%s: %s for %s", ids[i].why, ids[i].theirs, ids[i].ours);
                stage_close(&s);
        }
}

static int no_randomness(void *ctx, void *p, size_t n)
{
        (void)ctx;
        (void)p;
        (void)n;
        return ODM_EIO;
}

static void sessions_that_cannot_begin(void **state)
{
        char url[2100];
        struct stage s;
        odm_client *c = NULL;

        (void)state;
        begins(&s, &odm_codec_wbxml, STAGE_OPEN);
        odm_rng good = s.opt.rng;
        s.opt.session_id = ODM_ABSENT; /* one is drawn by lot */
        s.opt.rng = (odm_rng){no_randomness, NULL};
        assert_int_equal(odm_client_new(&s.opt, s.tree, &c), ODM_EIO);
        s.opt.rng = good;
        (void)snprintf(url, sizeof url, "http://dm.example/%02060d", 0);
        sets(&s, "./DMAcc/main/AppAddr/1/Addr", url);
        assert_int_equal(odm_client_new(&s.opt, s.tree, &c), ODM_EINVAL);
        url[2048] = '\0'; /* as long as it may be */
        sets(&s, "./DMAcc/main/AppAddr/1/Addr", url);
        assert_int_equal(odm_client_new(&s.opt, s.tree, &c), 0);
        odm_client_free(c);
        stage_close(&s);
}

/* It refuses our version in one that we do not speak: nobody answers nobody for ever. */
static void versions_refused_in_a_strange_version_end_it(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                s.proto = "DM/9.9";
                says(&s, HDR_CODE(1, 513, "") "<Final/>");
                silent(&s, ODM_OUTCOME_VERSION);
                stage_close(&s);
        }
}

static void endless_sessions_end(void **state)
{
        struct stage s;

        (void)state;
        begins(&s, &odm_codec_wbxml, STAGE_OPEN);
        s.opt.max_messages = 3;
        starts(&s);
        says(&s, HDR_OK(0) GET("1", "./A/b") "<Final/>");
        says(&s, HDR_OK(0) GET("1", "./A/b") "<Final/>");
        assert_non_null(s.line.p);
        says(&s, HDR_OK(0) GET("1", "./A/b") "<Final/>");
        silent(&s, ODM_OUTCOME_LIMIT);
        stage_close(&s);

        begins(&s, &odm_codec_wbxml, STAGE_OPEN); /* and messages of too many commands */
        s.opt.limits.max_commands = 2;
        starts(&s);
        says(&s, HDR_OK(0) GET("1", "./A/b") GET("2", "./A/b") "<Final/>");
        silent(&s, ODM_OUTCOME_BAD_MESSAGE);
        stage_close(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sessions_run_and_end),
                cmocka_unit_test(triggers_and_choices_of_session_ids),
                cmocka_unit_test(bad_replies_end_it),
                cmocka_unit_test(rubbish_is_no_message),
                cmocka_unit_test(servers_count_their_messages_as_they_like),
                cmocka_unit_test(version_1_3_falls_back),
                cmocka_unit_test(an_open_package_is_asked_on),
                cmocka_unit_test(an_open_package_is_closed_in_the_end),
                cmocka_unit_test(replies_are_split_to_what_the_server_takes),
                cmocka_unit_test(many_statuses_are_split_too),
                cmocka_unit_test(what_fits_nowhere_ends_it),
                cmocka_unit_test(objects_come_in_chunks),
                cmocka_unit_test(base64_is_cut_anywhere),
                cmocka_unit_test(base64_may_be_counted_decoded),
                cmocka_unit_test(broken_objects_change_nothing),
                cmocka_unit_test(objects_go_out_in_chunks),
                cmocka_unit_test(an_object_the_server_refuses_is_dropped),
                cmocka_unit_test(silence_is_answered_by_repeating),
                cmocka_unit_test(an_old_reply_is_silence),
                cmocka_unit_test(calls_out_of_turn_are_refused),
                cmocka_unit_test(options_out_of_range_are_refused),
                cmocka_unit_test(session_ids_of_the_hosts_own_come_back_as_they_are),
                cmocka_unit_test(sessions_that_cannot_begin),
                cmocka_unit_test(versions_refused_in_a_strange_version_end_it),
                cmocka_unit_test(endless_sessions_end),
        };
        return RUN_TESTS(tests);
}
