/* SPDX-License-Identifier: Apache-2.0 */
/* What the session lends to its host: user interaction, operations that take time, and what
 * became of the host's own alerts (dm-protocol.md 5, 6, 7.7). */
#include "stage.h"

#define OK1 "Status 1/0 SyncHdr 200 | "
#define CONFIRM(id) ALERT(id, "1101", TEXT_ITEM("MINDT=2&amp;FOO=1") TEXT_ITEM("Really?"))

static const odm_request *asks(struct stage *s)
{
        const odm_request *req = NULL;

        if (odm_client_next(s->c, &req) != 1)
                fail_msg("nothing is asked; heard %.*s", (int)s->line.n,
                         s->line.p ? s->line.p : "");
        assert_null(s->line.p);
        return req;
}

static void with_user(struct stage *s, const odm_codec *codec)
{
        begins(s, codec, STAGE_OPEN);
        s->opt.has_ui = true;
        starts(s);
}

static void options_reach_the_host_decoded(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                with_user(&s, codec);
                says(&s, HDR_OK(1) ALERT("1", "1102",
                                         TEXT_ITEM("MINDT=2&amp;MAXDT=60&amp;DR=John+D%6fe%2&amp;"
                                                   "MAXLEN=10&amp;IT=N&amp;ET=P&amp;WHAT=ever")
                                                 TEXT_ITEM("Your name?")) "<Final/>");
                const odm_request *r = asks(&s);
                assert_int_equal(r->kind, ODM_REQ_USER);
                assert_int_equal(r->alert, 1102);
                assert_str(r->text, "Your name?");
                assert_str(r->preset, "John Doe%2");
                assert_int_equal(r->min_s, 2);
                assert_int_equal(r->max_s, 60);
                assert_int_equal(r->max_len, 10);
                assert_int_equal(r->input, 'N');
                assert_int_equal(r->echo, 'P');
                assert_ptr_equal(asks(&s), r); /* the same until it is answered */
                odm_packet p;
                assert_int_equal(odm_client_send(s.c, &p), 0);
                assert_int_equal(odm_client_answer(s.c, r->id + 1, &(odm_reply){.status = 200},
                                                   s.now, s.wall),
                                 ODM_ESTATE);
                answers(&s, 200, "abc");
                hears(&s, OK1 "Status 1/1 Alert 200 ='abc' | Final");
                stage_close(&s);
        }
}

static void texts_in_options_are_decoded_as_far_as_they_go(void **state)
{
        static const struct row_text {
                const char *why, *said, *text;
        } texts[] = {
                {"small digits", "DR=%6a%6b", "jk"}, {"large digits", "DR=%6A%4Fx", "jOx"},
                {"no digits", "DR=%zz%6", "%zz%6"},  {"one digit", "DR=%6z", "%6z"},
                {"a blank", "DR=a+b%20c", "a b c"},  {"the last counts", "DR=a&amp;DR=b", "b"},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(texts); i++) {
                struct stage s;
                char said[512];
                with_user(&s, &odm_codec_xml);
                (void)snprintf(
                        said, sizeof said,
                        HDR_OK(1) ALERT("1", "1102", TEXT_ITEM("%s") TEXT_ITEM("?")) "<Final/>",
                        texts[i].said);
                says(&s, said);
                if (!odm_str_is(asks(&s)->preset, texts[i].text))
                        fail_msg("%s: %s", texts[i].why, texts[i].said);
                stage_close(&s);
        }
}

static void choices_are_handed_over_in_order(void **state)
{
        static const char *const taken[] = {"3", "1"};
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                with_user(&s, codec);
                says(&s, HDR_OK(1) ALERT("1", "1104",
                                         "<Item><Data>DR=1-3</Data></Item>" TEXT_ITEM("Which?")
                                                 TEXT_ITEM("Mail") TEXT_ITEM("Browser")
                                                         TEXT_ITEM("Store")) "<Final/>");
                const odm_request *r = asks(&s);
                assert_str(r->preset, "1-3");
                assert_str(r->choices->data.bytes, "Mail");
                assert_str(r->choices->next->next->data.bytes, "Store");
                assert_int_equal(stage_answer(&s, 200, taken, 2), 0);
                hears(&s, OK1 "Status 1/1 Alert 200 ='3' ='1' | Final");
                stage_close(&s);
        }
}

static const struct row {
        const char *why, *said;
        unsigned status; /* of the user; 0: nobody is asked */
        const char *heard;
        const char *uri, *value;
} rows[] = {
        {"text is shown", ALERT("1", "1100", "<Item></Item>" TEXT_ITEM("hello")), 200,
         OK1 "Status 1/1 Alert 200 | Final"},
        {"no text", ALERT("1", "1101", TEXT_ITEM("")), 0, OK1 "Status 1/1 Alert 412 | Final"},
        {"no choices", ALERT("1", "1103", TEXT_ITEM("") TEXT_ITEM("Which?")), 0,
         OK1 "Status 1/1 Alert 412 | Final"},
        {"too many choices to show",
         ALERT("1", "1103", TEXT_ITEM("") TEXT_ITEM("?") TEXT_ITEM("a")), 416,
         OK1 "Status 1/1 Alert 416 | Final"},
        {"No has no effect on others", CONFIRM("1") REPLACE("2", "./A/b", "x"), 304,
         OK1 "Status 1/1 Alert 304 | Status 1/2 Replace 200 [./A/b] | Final", "./A/b", "x"},
        {"Cancel stops the message",
         GET("1", "./A/c") CONFIRM("2") REPLACE("3", "./A/b", "x")
                 CMD("Atomic", "4", ADD("5", "./A/x", "1")),
         214,
         OK1 "Status 1/1 Get 200 [./A/c] | Status 1/2 Alert 214 | Status 1/3 Replace 215 | "
             "Status 1/4 Atomic 215 | Status 1/5 Add 215 | Results 1/1 ./A/c='' | Final",
         "./A/b", "hello"},
        {"so does waiting too long", CONFIRM("1") REPLACE("2", "./A/b", "x"), 408,
         OK1 "Status 1/1 Alert 408 | Status 1/2 Replace 215 | Final", "./A/b", "hello"},
        {"No in a Sequence",
         CMD("Sequence", "1", CONFIRM("2") REPLACE("3", "./A/b", "x")) GET("4", "./A/b"), 304,
         OK1 "Status 1/1 Sequence 200 | Status 1/2 Alert 304 | Status 1/3 Replace 215 | "
             "Status 1/4 Get 200 [./A/b] | Results 1/4 ./A/b='hello' | Final",
         "./A/b", "hello"},
        {"Cancel in a Sequence",
         CMD("Sequence", "1", CONFIRM("2") REPLACE("3", "./A/b", "x")) GET("4", "./A/b"), 214,
         OK1 "Status 1/1 Sequence 200 | Status 1/2 Alert 214 | Status 1/3 Replace 215 | "
             "Status 1/4 Get 215 | Final",
         "./A/b", "hello"},
        {"Yes in an Atomic", CMD("Atomic", "1", CONFIRM("2") REPLACE("3", "./A/b", "x")), 200,
         OK1
         "Status 1/1 Atomic 200 | Status 1/2 Alert 200 | Status 1/3 Replace 200 [./A/b] | Final",
         "./A/b", "x"},
        {"No in an Atomic",
         CMD("Atomic", "1", REPLACE("2", "./A/b", "x") CONFIRM("3") ADD("4", "./A/x", "1")), 304,
         OK1 "Status 1/1 Atomic 507 | Status 1/2 Replace 216 [./A/b] | Status 1/3 Alert 304 | "
             "Status 1/4 Add 215 | Final",
         "./A/b", "hello"},
        {"Cancel in an Atomic",
         CMD("Atomic", "1", REPLACE("2", "./A/b", "x") CONFIRM("3")) GET("4", "./A/b"), 214,
         OK1 "Status 1/1 Atomic 507 | Status 1/2 Replace 216 [./A/b] | Status 1/3 Alert 214 | "
             "Status 1/4 Get 215 | Final",
         "./A/b", "hello"},
        {"an Exec that takes time", EXEC("1", "./Vendor/Later") GET("2", "./A/b"), 202,
         OK1 "Status 1/1 Exec 202 [./Vendor/Later] | Status 1/2 Get 200 [./A/b] | "
             "Results 1/2 ./A/b='hello' | Final"},
        {"one with a result of its own", EXEC("1", "./Vendor/Later"), 1415,
         OK1 "Status 1/1 Exec 1415 [./Vendor/Later] | Final"},
};

static void answers_have_their_effects(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                        const struct row *r = &rows[i];
                        struct stage s;
                        char said[4096];
                        with_user(&s, codec);
                        (void)snprintf(said, sizeof said, "%s%s<Final/>", HDR_OK(1), r->said);
                        says(&s, said);
                        if (r->status)
                                answers(&s, r->status, NULL);
                        if (!odm_str_is(s.line, r->heard))
                                print_error("%s\n", r->why);
                        hears(&s, r->heard);
                        if (r->uri)
                                assert_string_equal(value_of(&s, r->uri), r->value);
                        stage_close(&s);
                }
        }
}

static void an_operation_can_be_done_by_the_host(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                odm_result two = {.uri = ODM_STR("./Vendor/Later"),
                                  .value = {ODM_FMT_INT, ODM_ABSENT, ODM_STR("42")},
                                  .has_data = true};
                odm_reply r = {.status = 200, .results = &two};
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                says(&s, HDR_OK(1) CMD("Get", "1",
                                       ITEM("./A/b", "") ITEM("./Vendor/Later", "")
                                               ITEM("./A/c", "")) "<Final/>");
                const odm_request *req = asks(&s);
                assert_int_equal(req->kind, ODM_REQ_NODE);
                assert_str(req->op->target, "./Vendor/Later");
                assert_int_equal(odm_client_answer(s.c, req->id, &r, s.now, s.wall), 0);
                assert_int_equal(stage_listen(&s), 0);
                hears(&s, OK1 "Status 1/1 Get 200 [./A/b ./Vendor/Later ./A/c] | "
                              "Results 1/1 ./A/b='hello' | Results 1/1 ./Vendor/Later:int='42' | "
                              "Results 1/1 ./A/c='' | Final");
                stage_close(&s);
        }
}

static void an_exec_hands_over_its_argument(void **state)
{
        struct stage s;

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        starts(&s);
        says(&s, HDR_OK(1) CMD("Sequence", "1", EXEC("2", "./Vendor/Later") GET("3", "./A/b"))
                         CMD("Exec", "4",
                             "<Correlator>job-17</Correlator>" ITEM("./Vendor/Later",
                                                                    DATA("arg"))) "<Final/>");
        answers(&s, 200, NULL);
        const odm_request *req = asks(&s);
        assert_str(req->op->correlator, "job-17");
        assert_str(req->op->value.data, "arg");
        assert_int_equal(req->op->has_value, true);
        answers(&s, 202, NULL);
        hears(&s, OK1 "Status 1/1 Sequence 200 | Status 1/2 Exec 200 [./Vendor/Later] | "
                      "Status 1/3 Get 200 [./A/b] | Status 1/4 Exec 202 [./Vendor/Later] | "
                      "Results 1/3 ./A/b='hello' | Final");
        stage_close(&s);
}

static odm_alert event(uint64_t id, const char *data)
{
        return (odm_alert){.id = id,
                           .code = ODM_ALERT_GENERIC,
                           .source = ODM_STR("./Vendor/Diag/1"),
                           .type = ODM_STR("Reversed-Domain-Name: com.example.dm/diag"),
                           .mark = ODM_STR("warning"),
                           .format = ODM_FMT_INT,
                           .correlator = ODM_STR("job-17"),
                           .data = odm_cstr(data)};
}

#define EVENT(n)                                                         \
        "Alert 1226 (job-17) ./Vendor/Diag/1:int;Reversed-Domain-Name: " \
        "com.example.dm/diag!warning='" n "'"

static void alerts_of_the_host_are_delivered(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                odm_alert one = event(11, "1"), two = event(12, "2");
                const odm_request *req;
                begins(&s, codec, STAGE_OPEN);
                assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
                assert_int_equal(odm_client_alert(s.c, &one), 0);
                assert_int_equal(odm_client_start(s.c, s.now, s.wall), 0);
                assert_int_equal(stage_listen(&s), 0);
                hears(&s, "Alert 1201 | " PKG1_DEVINFO " | " EVENT("1") " | Final");
                two.code = ODM_ALERT_CLIENT_EVENT;
                two.correlator = ODM_ABSENT;
                two.mark = ODM_ABSENT;
                two.source = ODM_ABSENT;
                two.type = ODM_STR("com.example/login");
                two.format = ODM_FMT_ABSENT;
                assert_int_equal(odm_client_alert(s.c, &two), 0);
                says(&s, HDR_OK(1) STATUS(1, "3", "Alert", 200) GET("1", "./A/b") "<Final/>");
                hears(&s, OK1 "Status 1/1 Get 200 [./A/b] | Results 1/1 ./A/b='hello' | "
                              "Alert 1224 :chr;com.example/login='2' | Final");
                assert_int_equal(odm_client_next(s.c, &req), 1);
                assert_int_equal(req->kind, ODM_REQ_ALERTED);
                assert_int_equal(req->alert_id, 11);
                assert_int_equal(req->status, 200);
                assert_int_equal(odm_client_next(s.c, &req), 0);
                says(&s, HDR_OK(2) STATUS(2, "4", "Alert", 415) "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                assert_int_equal(odm_client_next(s.c, &req), 1); /* told after the end, too */
                assert_int_equal(req->alert_id, 12);
                assert_int_equal(req->status, 415);
                assert_int_equal(odm_client_next(s.c, &req), 0);
                assert_int_equal(odm_client_alert(s.c, &two), ODM_ESTATE);
                stage_close(&s);
        }
}

static void octets_of_alerts_take_the_codecs_form(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                odm_alert octets = event(31, ""), control = event(32, ""), mark = event(33, "x");
                bool binary = odm_codec_is_binary(codec);
                begins(&s, codec, STAGE_OPEN);
                octets.format = ODM_FMT_BIN;
                octets.data = (odm_str){"\0\1\2\xff", 4};
                control.format = ODM_FMT_ABSENT;
                control.data = ODM_STR("\x02");
                mark.mark = ODM_STR("\x02");
                assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
                assert_int_equal(odm_client_alert(s.c, &octets), 0);
                assert_int_equal(odm_client_alert(s.c, &control), 0);
                assert_int_equal(odm_client_alert(s.c, &mark), binary ? 0 : ODM_EINVAL);
                assert_int_equal(odm_client_start(s.c, s.now, s.wall), 0);
                assert_int_equal(stage_listen(&s), 0);
                const odm_command *a = s.heard->body->next->next;
                assert_int_equal(a->items->meta.format, binary ? ODM_FMT_BIN : ODM_FMT_B64);
                assert_octets(a->items->data.bytes, binary ? octets.data : ODM_STR("AAEC/w=="));
                a = a->next;
                assert_int_equal(a->items->meta.format, binary ? ODM_FMT_CHR : ODM_FMT_B64);
                assert_octets(a->items->data.bytes, binary ? control.data : ODM_STR("Ag=="));
                assert_true(s.heard->final);
                stage_close(&s);
        }
}

static void plays_a_large_alert(const odm_codec *codec, unsigned chunk_status)
{
        static char data[5000];
        struct stage s;
        odm_alert large = event(21, ""), small = event(22, "2");
        const odm_request *req;
        size_t n = 0;
        memset(data, 'x', sizeof data);
        begins(&s, codec, STAGE_OPEN);
        s.opt.send_max = 2048;
        large.data = (odm_str){data, sizeof data};
        assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
        assert_int_equal(odm_client_alert(s.c, &large), 0);
        assert_int_equal(odm_client_alert(s.c, &small), 0);
        assert_int_equal(odm_client_start(s.c, s.now, s.wall), 0);
        assert_int_equal(stage_listen(&s), 0);
        for (unsigned i = 1; i < 10; i++) {
                const odm_command *last = s.heard->body;
                char said[1024];
                assert_true(s.sent.body.n <= 2048);
                for (const odm_command *x = s.heard->body; x; x = x->next) {
                        if (x->kind == ODM_CMD_ALERT && x->code == ODM_ALERT_GENERIC &&
                            x->items->data.bytes.n > 1)
                                n += x->items->data.bytes.n;
                        last = x;
                }
                if (s.heard->final)
                        break;
                assert_true(last->items->more);
                (void)snprintf(said, sizeof said,
                               "<Status><CmdID>1</CmdID><MsgRef>%u</MsgRef><CmdRef>0</CmdRef>"
                               "<Cmd>SyncHdr</Cmd><Data>200</Data></Status><Status><CmdID>2"
                               "</CmdID><MsgRef>%u</MsgRef><CmdRef>%.*s</CmdRef><Cmd>Alert"
                               "</Cmd><Data>%u</Data></Status>" ALERT("3", "1222", ""),
                               i, i, (int)last->cmd_id.n, last->cmd_id.p, chunk_status);
                says(&s, said);
                assert_int_equal(odm_client_next(s.c, &req), 0); /* a chunk is not the end */
        }
        assert_true(s.heard->final);
        assert_int_equal(n, sizeof data);
        stage_close(&s);
}

static void alerts_may_need_more_than_a_message(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                plays_a_large_alert(codec, 213);
                plays_a_large_alert(codec, 200); /* a server that takes a chunk for the whole */
        }
}

/* In XML they are four times as long: together they fit no message, though there are few. */
static void what_is_longer_on_the_way_is_cut(void **state)
{
        static char data[400];

        (void)state;
        memset(data, '<', sizeof data);
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                odm_alert a = event(11, "");
                size_t n = 0;

                a.data = (odm_str){data, sizeof data};
                begins(&s, codec, STAGE_OPEN);
                s.opt.send_max = 2048;
                assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
                assert_int_equal(odm_client_alert(s.c, &a), 0);
                assert_int_equal(odm_client_start(s.c, s.now, s.wall), 0);
                assert_int_equal(stage_listen(&s), 0);
                for (unsigned i = 1; s.line.p; i++) {
                        char said[512];

                        for (const odm_command *x = s.heard->body; x; x = x->next)
                                if (x->kind == ODM_CMD_ALERT && x->items)
                                        n += x->items->data.bytes.n;
                        if (s.heard->final)
                                break;
                        (void)snprintf(
                                said, sizeof said,
                                "<Status><CmdID>1</CmdID><MsgRef>%u</MsgRef><CmdRef>0</CmdRef>"
                                "<Cmd>SyncHdr</Cmd><Data>200</Data></Status>" ALERT("3", "1222",
                                                                                    ""),
                                i);
                        says(&s, said);
                }
                assert_int_equal(odm_client_outcome(s.c), ODM_OUTCOME_NONE);
                assert_int_equal(n, sizeof data);
                stage_close(&s);
        }
}

/* Begins with so many alerts that the last of them has no room in package 1. */
static void begins_with_one_alert_too_many(struct stage *s, const odm_codec *codec)
{
        static char data[300];
        odm_alert a = event(11, "");

        memset(data, 'x', sizeof data);
        a.data = (odm_str){data, sizeof data};
        for (unsigned n = 1; n < 20; n++) {
                begins(s, codec, STAGE_OPEN);
                s->opt.send_max = 2048;
                assert_int_equal(odm_client_new(&s->opt, s->tree, &s->c), 0);
                for (unsigned i = 0; i < n; i++)
                        assert_int_equal(odm_client_alert(s->c, &a), 0);
                assert_int_equal(odm_client_start(s->c, s->now, s->wall), 0);
                assert_int_equal(stage_listen(s), 0);
                if (!s->heard->final)
                        return;
                stage_close(s);
        }
        fail_msg("there is room for all");
}

/* What a server orders meanwhile is answered before it, and with what was asked for. */
static void an_alert_that_waits_for_room_is_not_mixed_with_results(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;

                begins_with_one_alert_too_many(&s, codec);
                says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
                hears(&s, OK1 "Status 1/1 Get 200 [./A/b] | Results 1/1 ./A/b='hello' | " EVENT(
                                  "...300") " | Final");
                stage_close(&s);
        }
}

static void an_unanswered_alert_is_not_told(void **state)
{
        struct stage s;
        odm_alert one = event(1, "1");
        const odm_request *req;

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        starts(&s);
        assert_int_equal(odm_client_alert(s.c, &one), 0);
        says(&s, HDR_OK(1) GET("1", "./A/c") "<Final/>");
        says(&s, HDR_OK(2) "<Final/>");
        silent(&s, ODM_OUTCOME_DONE);
        assert_int_equal(odm_client_next(s.c, &req), 0);
        stage_close(&s);
}

static void what_the_host_did_is_not_rolled_back(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                says(&s, HDR_OK(1) CMD("Atomic", "1",
                                       REPLACE("2", "./A/b", "x") REPLACE("3", "./Far/x", "1")
                                               REPLACE("4", "./none", "2")) "<Final/>");
                const odm_request *req = asks(&s);
                assert_int_equal(req->kind, ODM_REQ_NODE);
                assert_str(req->op->target, "./Far/x");
                answers(&s, 200, NULL);
                hears(&s,
                      OK1 "Status 1/1 Atomic 507 | Status 1/2 Replace 216 [./A/b] | "
                          "Status 1/3 Replace 516 [./Far/x] | Status 1/4 Replace 404 [./none] | "
                          "Final");
                assert_string_equal(value_of(&s, "./A/b"), "hello");
                says(&s, HDR_OK(2) REPLACE("1", "./Far/x", "1") "<Final/>");
                answers(&s, 99, NULL);
                hears(&s, "Status 2/0 SyncHdr 200 | Status 2/1 Replace 500 [./Far/x] | Final");
                stage_close(&s);
        }
}

/* Where the tree did one item of a member and the host the other, each has its Status: the one that
 * a provider refused, the other that is not taken back. */
static void a_member_of_tree_and_host_is_marked_when_it_is_refused(void **state)
{
        static const char *const pairs[] = {
                ITEM("./Vendor/Even", DATA("3")) ITEM("./Far/x", DATA("1")),
                ITEM("./Far/x", DATA("1")) ITEM("./Vendor/Even", DATA("3")),
        };
        static const char *const fares[] = {
                "Status 1/3 Replace 500 [./Vendor/Even] | Status 1/3 Replace 516 [./Far/x]",
                "Status 1/3 Replace 516 [./Far/x] | Status 1/3 Replace 500 [./Vendor/Even]",
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(pairs); i++) {
                struct stage s;
                char said[1024], heard[512];
                begins(&s, &odm_codec_xml, STAGE_OPEN);
                starts(&s);
                (void)snprintf(said, sizeof said,
                               "%s<Atomic><CmdID>1</CmdID>"
                               "%s<Replace><CmdID>3</CmdID>%s</Replace>%s</Atomic><Final/>",
                               HDR_OK(1), REPLACE("2", "./A/b", "x"), pairs[i],
                               REPLACE("4", "./A/c", "y"));
                says(&s, said);
                answers(&s, 200, NULL);
                (void)snprintf(heard, sizeof heard,
                               OK1 "Status 1/1 Atomic 507 | "
                                   "Status 1/2 Replace 216 [./A/b] | %s | "
                                   "Status 1/4 Replace 216 [./A/c] | Final",
                               fares[i]);
                hears(&s, heard);
                stage_close(&s);
        }
}

/* What the host says of a refusal is Data of an Item. */
static void refusals_say_why(void **state)
{
        static const struct {
                const char *why, *text, *heard;
                unsigned status;
        } said[] = {
                {"a refusal", "there is none", "Status 1/1 Replace 405 [./Far/x] ='there is none'",
                 405},
                {"it says nothing", NULL, "Status 1/1 Replace 405 [./Far/x]", 405},
                {"a success needs no reason", "done", "Status 1/1 Replace 200 [./Far/x]", 200},
                {"what XML cannot carry", "a\001b", "Status 1/1 Replace 405 [./Far/x]", 405},
        };
        char two[256];

        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                for (size_t i = 0; i < ODM_COUNT(said); i++) {
                        struct stage s;
                        const odm_reply r = {.status = said[i].status,
                                             .text = odm_cstr(said[i].text)};
                        begins(&s, codec, STAGE_OPEN);
                        starts(&s);
                        says(&s, HDR_OK(1) REPLACE("1", "./Far/x", "1") "<Final/>");
                        assert_int_equal(odm_client_answer(s.c, asks(&s)->id, &r, s.now, s.wall),
                                         0);
                        assert_int_equal(stage_listen(&s), 0);
                        (void)snprintf(two, sizeof two, OK1 "%s | Final", said[i].heard);
                        if (!odm_str_is(s.line, two))
                                print_error("%s\n", said[i].why);
                        hears(&s, two);
                        stage_close(&s);
                }
        }
}

/* Items that are refused for several reasons have a Status each, and a reason is cut. */
static void reasons_are_kept_apart(void **state)
{
        struct stage s;
        char text[400];
        odm_reply r = {.status = 405, .text = ODM_STR("one")};

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        starts(&s);
        says(&s, HDR_OK(1) CMD("Replace", "1",
                               ITEM("./Far/x", DATA("1")) ITEM("./Far/y", DATA("2"))) "<Final/>");
        assert_int_equal(odm_client_answer(s.c, asks(&s)->id, &r, s.now, s.wall), 0);
        memset(text, 'x', sizeof text);
        r.text = (odm_str){text, sizeof text};
        assert_int_equal(odm_client_answer(s.c, asks(&s)->id, &r, s.now, s.wall), 0);
        assert_int_equal(stage_listen(&s), 0);
        hears(&s, OK1 "Status 1/1 Replace 405 [./Far/x] ='one' | "
                      "Status 1/1 Replace 405 [./Far/y] ='...255' | Final");
        stage_close(&s);
}

static void alerts_have_a_ceiling(void **state)
{
        struct stage s;
        odm_alert one = event(1, "1");

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        s.opt.max_alerts = 2;
        assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
        assert_int_equal(odm_client_alert(s.c, &one), 0);
        assert_int_equal(odm_client_alert(s.c, &one), 0);
        assert_int_equal(odm_client_alert(s.c, &one), ODM_ELIMIT);
        one.code = 1201;
        assert_int_equal(odm_client_alert(s.c, &one), ODM_EINVAL);
        stage_close(&s);
}

/* What a server takes it says with its first reply: ours before it is a small one, whatever waits.
 */
static void the_first_message_is_small(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                odm_packet pkt = {.body = ODM_ABSENT};
                begins(&s, codec, STAGE_OPEN);
                s.opt.max_alerts = 100;
                assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
                for (uint64_t i = 1; i <= 100; i++) {
                        const odm_alert one = event(i, "1");
                        assert_int_equal(odm_client_alert(s.c, &one), 0);
                }
                assert_int_equal(odm_client_start(s.c, s.now, s.wall), 0);
                assert_int_equal(odm_client_send(s.c, &pkt), 1);
                assert_true(pkt.body.n > 2048 && pkt.body.n <= 4096);
                stage_close(&s);
        }
}

static void the_user_can_stop_it_all(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                with_user(&s, codec); /* while the reply is awaited */
                assert_int_equal(odm_client_abort(s.c), 0);
                says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
                hears(&s, OK1 "Alert 1223 | Final");
                says(&s, HDR_OK(2) STATUS(2, "2", "Alert", 200) "<Final/>");
                silent(&s, ODM_OUTCOME_USER_ABORT);
                stage_close(&s);

                with_user(&s, codec); /* while a question is open */
                says(&s, HDR_OK(1) CMD("Atomic", "1", REPLACE("2", "./A/b", "x") CONFIRM("3"))
                                 GET("4", "./A/b") "<Final/>");
                assert_int_equal(odm_client_abort(s.c), 0);
                assert_int_equal(stage_listen(&s), 0);
                hears(&s,
                      OK1 "Alert 1223 | Status 1/1 Atomic 507 | Status 1/2 Replace 216 [./A/b] | "
                          "Status 1/3 Alert 215 | Status 1/4 Get 215 | Final");
                assert_string_equal(value_of(&s, "./A/b"), "hello");
                odm_client_fail(s.c);
                assert_int_equal(odm_client_outcome(s.c), ODM_OUTCOME_USER_ABORT);
                stage_close(&s);

                begins(&s, codec, STAGE_OPEN); /* while package 1 waits to be sent */
                assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
                assert_int_equal(odm_client_start(s.c, s.now, s.wall), 0);
                assert_int_equal(odm_client_abort(s.c), 0);
                assert_int_equal(stage_listen(&s), 0);
                assert_str(s.heard->hdr.msg_id, "1");
                assert_true(s.heard->final);
                assert_int_equal(s.heard->body->code, 1223);
                stage_close(&s);

                odm_packet again; /* while what was not answered waits to be sent once more */
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                odm_str first = odm_arena_copy(&s.a, s.sent.body);
                s.now = odm_client_deadline(s.c);
                assert_int_equal(odm_client_tick(s.c, s.now), 0);
                assert_int_equal(odm_client_abort(s.c), 0);
                assert_int_equal(odm_client_send(s.c, &again), 1);
                assert_octets(again.body, first); /* it is out already, and must be the same */
                says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
                hears(&s, OK1 "Alert 1223 | Final");
                stage_close(&s);

                begins(&s, codec, STAGE_OPEN); /* before it began */
                assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
                assert_int_equal(odm_client_abort(s.c), 0);
                silent(&s, ODM_OUTCOME_USER_ABORT);
                stage_close(&s);
        }
}

static void the_end_leaves_no_transaction(void **state)
{
        struct stage s;
        odm_packet p;

        (void)state;
        with_user(&s, &odm_codec_wbxml); /* the host gives up while a question is open */
        says(&s, HDR_OK(1) CMD("Atomic", "1", REPLACE("2", "./A/b", "x") CONFIRM("3")) "<Final/>");
        odm_client_fail(s.c);
        silent(&s, ODM_OUTCOME_TRANSPORT);
        assert_false(odm_tree_in_transaction(s.tree));
        assert_string_equal(value_of(&s, "./A/b"), "hello");
        assert_int_equal(odm_client_abort(s.c), 0);
        assert_string_equal(odm_client_diag(s.c), "the transport failed");
        stage_close(&s);

        with_user(&s, &odm_codec_wbxml); /* stopped between the items of a command */
        says(&s, HDR_OK(1) CMD("Get", "1",
                               ITEM("./A/b", "") ITEM("./Vendor/Later", "") ITEM("./A/c", ""))
                         CMD("Sequence", "2", GET("3", "./A/b")) "<Final/>");
        assert_int_equal(odm_client_abort(s.c), 0);
        assert_int_equal(stage_listen(&s), 0);
        hears(&s,
              OK1 "Alert 1223 | Status 1/1 Get 200 [./A/b] | Status 1/1 Get 215 [./Vendor/Later]"
                  " | Status 1/1 Get 215 [./A/c] | Status 1/2 Sequence 215 | Status 1/3 Get 215 | "
                  "Final");
        s.now = odm_client_deadline(s.c);
        assert_int_equal(odm_client_tick(s.c, s.now), 0); /* no answer is needed to that */
        assert_int_equal(odm_client_send(s.c, &p), 0);
        assert_int_equal(odm_client_outcome(s.c), ODM_OUTCOME_USER_ABORT);
        stage_close(&s);
}

static void a_text_too_long_for_a_message_is_left_out(void **state)
{
        static char text[4000];
        struct stage s;

        (void)state;
        memset(text, 'x', sizeof text - 1);
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        s.opt.has_ui = true;
        s.opt.send_max = 2048;
        starts(&s);
        says(&s, HDR_OK(1) ALERT("1", "1102", TEXT_ITEM("") TEXT_ITEM("?")) "<Final/>");
        answers(&s, 200, text);
        hears(&s, OK1 "Status 1/1 Alert 200 | Final");
        stage_close(&s);
}

static void outcomes_have_names(void **state)
{
        (void)state;
        assert_string_equal(odm_outcome_name(ODM_OUTCOME_NONE), "none");
        assert_string_equal(odm_outcome_name(ODM_OUTCOME_LIMIT), "limit");
        assert_string_equal(odm_outcome_name((odm_outcome)99), "?");
}

static void freeing_with_a_request_open_undoes_the_atomic(void **state)
{
        struct stage s;

        (void)state;
        with_user(&s, &odm_codec_wbxml);
        says(&s, HDR_OK(1) CMD("Atomic", "1", REPLACE("2", "./A/b", "x") CONFIRM("3")) "<Final/>");
        assert_true(odm_tree_in_transaction(s.tree));
        odm_client_free(s.c);
        s.c = NULL;
        assert_false(odm_tree_in_transaction(s.tree));
        assert_string_equal(value_of(&s, "./A/b"), "hello");
        stage_close(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_member_of_tree_and_host_is_marked_when_it_is_refused),
                cmocka_unit_test(options_reach_the_host_decoded),
                cmocka_unit_test(texts_in_options_are_decoded_as_far_as_they_go),
                cmocka_unit_test(choices_are_handed_over_in_order),
                cmocka_unit_test(answers_have_their_effects),
                cmocka_unit_test(an_operation_can_be_done_by_the_host),
                cmocka_unit_test(an_exec_hands_over_its_argument),
                cmocka_unit_test(alerts_of_the_host_are_delivered),
                cmocka_unit_test(octets_of_alerts_take_the_codecs_form),
                cmocka_unit_test(alerts_may_need_more_than_a_message),
                cmocka_unit_test(what_is_longer_on_the_way_is_cut),
                cmocka_unit_test(an_alert_that_waits_for_room_is_not_mixed_with_results),
                cmocka_unit_test(an_unanswered_alert_is_not_told),
                cmocka_unit_test(what_the_host_did_is_not_rolled_back),
                cmocka_unit_test(refusals_say_why),
                cmocka_unit_test(reasons_are_kept_apart),
                cmocka_unit_test(alerts_have_a_ceiling),
                cmocka_unit_test(the_first_message_is_small),
                cmocka_unit_test(the_user_can_stop_it_all),
                cmocka_unit_test(the_end_leaves_no_transaction),
                cmocka_unit_test(a_text_too_long_for_a_message_is_left_out),
                cmocka_unit_test(outcomes_have_names),
                cmocka_unit_test(freeing_with_a_request_open_undoes_the_atomic),
        };
        return RUN_TESTS(tests);
}
