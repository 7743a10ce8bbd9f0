/* SPDX-License-Identifier: Apache-2.0 */
/* Both sides prove who they are: what the client shows, what it demands, which nonces it keeps
 * (dm-protocol.md 9). */
#include "stage.h"

#define OK(n) "Status " #n "/0 SyncHdr 200 | "
#define N1 "EBESExQVFhcYGRobHB0eHw=="
#define CLIENT_NONCE "./DMAcc/main/AppAuth/1/AAuthData"
#define SERVER_NONCE "./DMAcc/main/AppAuth/2/AAuthData"

static odm_str leaf(struct stage *s, const char *uri)
{
        odm_value v;

        assert_int_equal(odm_tree_read(s->tree, odm_cstr(uri), &s->a, &v), 0);
        return odm_arena_copy(&s->a, v.data);
}

static odm_nonce nonce_run(uint8_t first)
{
        odm_nonce n = {.n = 16};

        for (int i = 0; i < 16; i++)
                n.p[i] = (uint8_t)(first + i);
        return n;
}

static const odm_command *hdr_status(const struct stage *s)
{
        assert_non_null(s->heard);
        assert_str(s->heard->body->cmd_ref, "0");
        return s->heard->body;
}

/* The server learns the nonce that the client gave it. */
static void learn(struct stage *s)
{
        const odm_command *st = hdr_status(s);

        (void)odm_prover_answer(&s->prover, st->code, st->chal.present ? &st->chal : NULL);
}

static void known_credentials_are_shown_at_once(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_DIGEST);
                starts(&s);
                assert_true(s.heard->hdr.cred.present);
                assert_str(s.heard->hdr.cred.data, "gr8X0aiuQVvDV7QGvXQl9A==");
                assert_str(s.heard->hdr.cred.meta.type, "syncml:auth-md5");
                assert_str(s.heard->hdr.source_name, "dev-0001");

                /* 212: nothing is shown any more; both nonces are kept for the next session */
                odm_str before = leaf(&s, SERVER_NONCE);
                says(&s,
                     HDR_CODE(1, 212, CHAL("syncml:auth-md5", N1)) GET("1", "./A/b") "<Final/>");
                hears(&s,
                      "Status 1/0 SyncHdr 212 chal syncml:auth-md5 | Status 1/1 Get 200 [./A/b] | "
                      "Results 1/1 ./A/b='hello' | Final");
                assert_false(s.heard->hdr.cred.present);
                odm_nonce issued = nonce_run(0x10), given;
                assert_octets(leaf(&s, CLIENT_NONCE), odm_nonce_view(&issued));
                assert_int_equal(odm_nonce_parse(hdr_status(&s)->chal.next_nonce, &given), 0);
                assert_octets(leaf(&s, SERVER_NONCE), odm_nonce_view(&given));
                assert_false(odm_str_eq(before, odm_nonce_view(&given)));
                learn(&s);
                says(&s, HDR_OK(2) "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                stage_close(&s);
        }
}

static void a_nonce_that_is_never_said_is_not_kept(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_DIGEST);
                starts(&s);
                odm_str before = leaf(&s, SERVER_NONCE);
                odm_nonce issued = nonce_run(0x10);
                /* the server proves itself, and leaves us nothing to answer */
                says(&s, HDR_CODE(1, 212, CHAL("syncml:auth-md5", N1)) "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                assert_octets(leaf(&s, CLIENT_NONCE), odm_nonce_view(&issued));
                assert_octets(leaf(&s, SERVER_NONCE), before);
                stage_close(&s);
        }
}

/* What a stranger slipped in is kept neither when he leaves nor when the server refuses it. */
static void a_nonce_of_a_stranger_is_not_kept(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_DIGEST);
                s.prover.type = ODM_AUTH_NONE;
                starts(&s);
                says(&s, HDR_CODE(1, 401, CHAL("syncml:auth-md5", N1)) "<Final/>");
                assert_non_null(s.line.p);
                s.prover.type = ODM_AUTH_MD5; /* from here on it is the server */
                says(&s, HDR_CODE(2, 401, "") "<Final/>");
                silent(&s, ODM_OUTCOME_AUTH_REFUSED);
                odm_nonce kept = nonce_run(0);
                assert_octets(leaf(&s, CLIENT_NONCE), odm_nonce_view(&kept));
                stage_close(&s);
        }
}

/* One that the server then takes is its own, whenever it proves that it is the server. */
static void a_nonce_the_server_takes_is_kept(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_DIGEST);
                s.prover.type = ODM_AUTH_NONE;
                starts(&s);
                says(&s, HDR_CODE(1, 401, CHAL("syncml:auth-md5", N1)) "<Final/>");
                s.prover.type = ODM_AUTH_MD5;
                says(&s, HDR_CODE(2, 212, "") "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                odm_nonce issued = nonce_run(0x10);
                assert_octets(leaf(&s, CLIENT_NONCE), odm_nonce_view(&issued));
                stage_close(&s);
        }
}

static void over_an_open_transport_each_message_is_proved(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_DIGEST);
                s.opt.secure = false;
                starts(&s);
                odm_str first = s.heard->hdr.cred.data;
                says(&s,
                     HDR_CODE(1, 200, CHAL("syncml:auth-md5", N1)) GET("1", "./A/b") "<Final/>");
                assert_int_equal(hdr_status(&s)->code, 200);
                assert_true(hdr_status(&s)->chal.present);
                assert_true(s.heard->hdr.cred.present);
                assert_false(odm_str_eq(first, s.heard->hdr.cred.data));
                learn(&s);
                says(&s, HDR_CODE(2, 200, CHAL("syncml:auth-md5", "AAAA"))
                                 GET("1", "./A/c") "<Final/>");
                hears(&s,
                      "Status 2/0 SyncHdr 200 chal syncml:auth-md5 | Status 2/1 Get 200 [./A/c] | "
                      "Results 2/1 ./A/c='' | Final");
                assert_octets(leaf(&s, CLIENT_NONCE), ((odm_str){"\0\0\0", 3}));
                stage_close(&s);
        }
}

static void a_challenge_repeats_package_1(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_DIGEST);
                s.prover.type = ODM_AUTH_NONE;
                starts(&s);
                s.hdr = "<RespURI>https://dm.example/s?sid=1</RespURI>";
                says(&s, HDR_CODE(1, 401, CHAL("syncml:auth-md5", "AAECAwQFBgcICQoLDA0ODw=="))
                                 STATUS(1, "1", "Alert", 401)
                                         STATUS(1, "2", "Replace", 401) "<Final/>");
                hears(&s, OK(1) PKG1);
                assert_str(s.heard->hdr.msg_id, "2");
                assert_str(s.heard->hdr.session_id, "A1");
                assert_str(s.heard->hdr.cred.data, "gr8X0aiuQVvDV7QGvXQl9A==");
                s.hdr = NULL;
                says(&s, HDR_CODE(2, 401, CHAL("syncml:auth-md5", N1)) "<Final/>");
                silent(&s, ODM_OUTCOME_AUTH_REFUSED); /* the second refusal */
                odm_nonce kept = nonce_run(0);
                assert_octets(leaf(&s, CLIENT_NONCE), odm_nonce_view(&kept)); /* not theirs */
                stage_close(&s);
        }
}

static void a_challenge_has_alerts_sent_again(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                odm_alert a = {.id = 5,
                               .code = ODM_ALERT_GENERIC,
                               .type = ODM_STR("x"),
                               .data = ODM_STR("y")};
                const odm_request *req;
                begins(&s, codec, STAGE_DIGEST);
                assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
                assert_int_equal(odm_client_alert(s.c, &a), 0);
                assert_int_equal(odm_client_start(s.c, s.now, s.wall), 0);
                assert_int_equal(stage_listen(&s), 0);
                hears(&s, "Alert 1201 | " PKG1_DEVINFO " | Alert 1226 :chr;x='y' | Final");
                s.prover.type = ODM_AUTH_NONE;
                says(&s, HDR_CODE(1, 401, CHAL("syncml:auth-md5", N1)) STATUS(1, "1", "Alert", 401)
                                 STATUS(1, "2", "Replace", 401)
                                         STATUS(1, "3", "Alert", 401) "<Final/>");
                hears(&s, OK(1) "Alert 1201 | " PKG1_DEVINFO " | Alert 1226 :chr;x='y' | Final");
                assert_int_equal(odm_client_next(s.c, &req), 0); /* a refusal is no answer */
                s.prover.type = ODM_AUTH_MD5;
                says(&s, HDR_CODE(2, 212, CHAL("syncml:auth-md5", N1)) STATUS(2, "4", "Alert", 200)
                                 GET("1", "./A/b") "<Final/>");
                hears(&s,
                      "Status 2/0 SyncHdr 212 chal syncml:auth-md5 | Status 2/1 Get 200 [./A/b] | "
                      "Results 2/1 ./A/b='hello' | Final");
                assert_int_equal(odm_client_next(s.c, &req), 1);
                assert_int_equal(req->alert_id, 5);
                assert_int_equal(req->status, 200);
                stage_close(&s);
        }
}

static void a_refused_alert_is_dropped_late_too(void **state)
{
        static char data[5000];

        (void)state;
        memset(data, 'x', sizeof data);
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                odm_alert a = {.id = 5,
                               .code = ODM_ALERT_GENERIC,
                               .type = ODM_STR("x"),
                               .data = {data, sizeof data}};
                const odm_request *req;
                begins(&s, codec, STAGE_DIGEST);
                s.opt.send_max = 2048;
                s.prover.type = ODM_AUTH_NONE;
                assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
                assert_int_equal(odm_client_alert(s.c, &a), 0);
                assert_int_equal(odm_client_start(s.c, s.now, s.wall), 0);
                assert_int_equal(stage_listen(&s), 0);
                assert_false(s.heard->final); /* the first chunk is in it */
                says(&s, HDR_OK(1) GET("1", "./A/b"));
                hears(&s,
                      "Status 1/0 SyncHdr 407 chal syncml:auth-md5 | Status 1/1 Get 407 | Final");
                s.prover.type = ODM_AUTH_MD5;
                learn(&s);
                says(&s, HDR_OK(2) STATUS(1, "3", "Alert", 413) ALERT("1", "1222", ""));
                hears(&s, "Status 2/0 SyncHdr 212 chal syncml:auth-md5 | Status 2/1 Alert 200 | "
                          "Final");
                assert_int_equal(odm_client_next(s.c, &req), 1);
                assert_int_equal(req->alert_id, 5);
                assert_int_equal(req->status, 413);
                assert_int_equal(odm_client_next(s.c, &req), 0); /* and it is gone */
                says(&s, HDR_OK(3) "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                stage_close(&s);
        }
}

static void other_types_are_answered_where_allowed(void **state)
{
        static const struct row {
                const char *why, *type;
                bool basic, secure;
                odm_outcome outcome; /* NONE: answered */
                const char *cred;
        } rows[] = {
                {"basic, not allowed", "syncml:auth-basic", false, true, ODM_OUTCOME_AUTH_REFUSED,
                 0},
                {"basic, allowed", "syncml:auth-basic", true, true, ODM_OUTCOME_NONE,
                 "ZGV2LTAwMDE6czNjcjN0LXB3"},
                {"basic in the open", "syncml:auth-basic", true, false, ODM_OUTCOME_AUTH_REFUSED,
                 0},
                {"a MAC", "syncml:auth-MAC", false, true, ODM_OUTCOME_NONE, NULL},
                {"a certificate", "syncml:auth-X509", true, true, ODM_OUTCOME_AUTH_REFUSED, 0},
        };
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                        struct stage s;
                        char said[1024];
                        begins(&s, codec, STAGE_DIGEST);
                        s.opt.allow_basic = rows[i].basic;
                        s.opt.secure = rows[i].secure;
                        s.prover.type = ODM_AUTH_NONE;
                        starts(&s);
                        (void)snprintf(
                                said, sizeof said,
                                "<Status><CmdID>1</CmdID><MsgRef>1</MsgRef><CmdRef>0</CmdRef>"
                                "<Cmd>SyncHdr</Cmd><Chal><Meta><Format xmlns='syncml:metinf'>"
                                "b64</Format><Type xmlns='syncml:metinf'>%s</Type></Meta></Chal>"
                                "<Data>407</Data></Status><Final/>",
                                rows[i].type);
                        says(&s, said);
                        if (odm_client_outcome(s.c) != rows[i].outcome)
                                fail_msg("%s: %s", rows[i].why,
                                         odm_outcome_name(odm_client_outcome(s.c)));
                        if (rows[i].outcome == ODM_OUTCOME_NONE) {
                                hears(&s, OK(1) PKG1);
                                assert_int_equal(s.sent.mac.p != NULL, rows[i].cred == NULL);
                                if (rows[i].cred)
                                        assert_str(s.heard->hdr.cred.data, rows[i].cred);
                        }
                        stage_close(&s);
                }
        }
}

static void a_challenge_later_repeats_that_message(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_DIGEST);
                s.opt.secure = false;
                starts(&s);
                says(&s,
                     HDR_CODE(1, 200, CHAL("syncml:auth-md5", N1)) GET("1", "./A/b") "<Final/>");
                learn(&s);
                s.prover.type = ODM_AUTH_NONE;
                says(&s, HDR_CODE(2, 401, CHAL("syncml:auth-md5", "AAAA"))
                                 STATUS(2, "2", "Status", 401) "<Final/>");
                hears(&s, OK(2) "Status 1/1 Get 200 [./A/b] | Results 1/1 ./A/b='hello' | Final");
                assert_str(s.heard->hdr.msg_id, "3");
                assert_true(s.heard->hdr.cred.present);
                stage_close(&s);
        }
}

static void an_unproven_server_is_not_obeyed(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_DIGEST);
                s.prover.type = ODM_AUTH_NONE; /* it shows nothing */
                starts(&s);
                says(&s, HDR_CODE(1, 212, CHAL("syncml:auth-md5", N1)) REPLACE("1", "./A/b", "evil")
                                 CMD("Sequence", "2", EXEC("3", "./Vendor/Run")) "<Final/>");
                hears(&s, "Status 1/0 SyncHdr 407 chal syncml:auth-md5 | Status 1/1 Replace 407 | "
                          "Status 1/2 Sequence 407 | Status 1/3 Exec 407 | Final");
                assert_string_equal(value_of(&s, "./A/b"), "hello");
                assert_int_equal(s.execs, 0);
                odm_nonce kept = nonce_run(0), stored = nonce_run(0xa0);
                assert_octets(leaf(&s, CLIENT_NONCE), odm_nonce_view(&kept));
                assert_octets(leaf(&s, SERVER_NONCE), odm_nonce_view(&stored));

                /* then it shows the right thing, and is obeyed */
                s.prover.type = ODM_AUTH_MD5;
                learn(&s);
                says(&s, HDR_OK(2) REPLACE("1", "./A/b", "good") "<Final/>");
                hears(&s,
                      "Status 2/0 SyncHdr 212 chal syncml:auth-md5 | Status 2/1 Replace 200 [./A/b]"
                      " | Final");
                assert_string_equal(value_of(&s, "./A/b"), "good");
                stage_close(&s);
        }
}

static void wrong_twice_ends_it(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                for (int mac = 0; mac < 2; mac++) {
                        struct stage s;
                        begins(&s, codec, mac ? STAGE_MAC : STAGE_DIGEST);
                        s.prover.password = ODM_STR("guessed");
                        starts(&s);
                        says(&s, HDR_OK(1) REPLACE("1", "./A/b", "evil") "<Final/>");
                        assert_int_equal(hdr_status(&s)->code, 401);
                        assert_true(hdr_status(&s)->chal.present);
                        learn(&s);
                        says(&s, HDR_OK(2) REPLACE("1", "./A/b", "evil") "<Final/>");
                        hears(&s, "Status 2/0 SyncHdr 401 | Status 2/1 Replace 401 | Final");
                        says(&s, HDR_OK(3) REPLACE("1", "./A/b", "evil") "<Final/>");
                        silent(&s, ODM_OUTCOME_SERVER_UNTRUSTED);
                        assert_string_equal(value_of(&s, "./A/b"), "hello");
                        stage_close(&s);
                }
        }
}

static void a_status_alone_is_not_challenged(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                odm_alert a = {.id = 5,
                               .code = ODM_ALERT_GENERIC,
                               .type = ODM_STR("x"),
                               .data = ODM_STR("y")};
                const odm_request *req;
                begins(&s, codec, STAGE_DIGEST);
                s.prover.type = ODM_AUTH_NONE;
                assert_int_equal(odm_client_new(&s.opt, s.tree, &s.c), 0);
                assert_int_equal(odm_client_alert(s.c, &a), 0);
                assert_int_equal(odm_client_start(s.c, s.now, s.wall), 0);
                assert_int_equal(stage_listen(&s), 0);
                says(&s, HDR_CODE(1, 212, CHAL("syncml:auth-md5", N1))
                                 STATUS(1, "3", "Alert", 200) "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                assert_int_equal(odm_client_next(s.c, &req), 0); /* anybody could have said so */
                odm_nonce kept = nonce_run(0);
                assert_octets(leaf(&s, CLIENT_NONCE), odm_nonce_view(&kept));
                stage_close(&s);
        }
}

static void macs_guard_every_message(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_MAC);
                starts(&s);
                assert_false(s.heard->hdr.cred.present);
                assert_non_null(s.sent.mac.p);
                assert_str(s.heard->hdr.source_name, "dev-0001");
                odm_mac m;
                char right[ODM_MAC_MAX];
                odm_nonce n = nonce_run(0);
                assert_int_equal(odm_mac_parse(s.sent.mac, &m), 0);
                size_t len = odm_auth_mac(ODM_MAC_MD5, ODM_STR("dev-0001"), ODM_STR("s3cr3t-pw"),
                                          NULL, &n, s.sent.body, right);
                assert_octets(m.mac, ((odm_str){right, len}));
                for (unsigned i = 1; i < 4; i++) {
                        char said[2048];
                        (void)snprintf(
                                said, sizeof said,
                                "<Status><CmdID>1</CmdID><MsgRef>%u</MsgRef><CmdRef>0</CmdRef>"
                                "<Cmd>SyncHdr</Cmd>%s<Data>200</Data></Status>%s<Final/>",
                                i, CHAL("syncml:auth-MAC", N1), GET("1", "./A/b"));
                        says(&s, said);
                        assert_int_equal(hdr_status(&s)->code, 200);
                        assert_str(hdr_status(&s)->chal.type, "syncml:auth-MAC");
                        assert_non_null(s.sent.mac.p);
                        learn(&s);
                }
                s.prover.type = ODM_AUTH_NONE; /* once used, then missing */
                says(&s, HDR_OK(4) REPLACE("1", "./A/b", "evil") "<Final/>");
                silent(&s, ODM_OUTCOME_SERVER_UNTRUSTED);
                assert_string_equal(value_of(&s, "./A/b"), "hello");
                stage_close(&s);
        }
}

static void a_resync_uses_the_default_nonce(void **state)
{
        (void)state;
        for (int ascii = 0; ascii < 2; ascii++) {
                struct stage s;
                odm_secret secret;
                char want[ODM_SECRET_LEN];
                const odm_nonce *n = ascii ? &odm_nonce_default_ascii : &odm_nonce_default_zero;
                begins(&s, &odm_codec_xml, STAGE_DIGEST);
                s.opt.resync = true;
                s.opt.resync_ascii = ascii;
                s.opt.alert = ODM_ALERT_SERVER_INITIATED;
                s.prover.nonce = *n;
                starts(&s);
                odm_secret_of(ODM_STR("dev-0001"), ODM_STR("s3cr3t-pw"), &secret);
                odm_auth_md5(&secret, n, want);
                assert_octets(s.heard->hdr.cred.data, ((odm_str){want, sizeof want}));
                says(&s,
                     HDR_CODE(1, 212, CHAL("syncml:auth-md5", N1)) GET("1", "./A/b") "<Final/>");
                assert_int_equal(hdr_status(&s)->code, 212);
                odm_nonce issued = nonce_run(0x10);
                assert_octets(leaf(&s, CLIENT_NONCE), odm_nonce_view(&issued));
                stage_close(&s);
        }
}

static void a_plain_resp_uri_is_not_followed_from_tls(void **state)
{
        static const char *const uris[] = {"<RespURI>http://evil.example/</RespURI>",
                                           "<RespURI>HTTP://evil.example/</RespURI>"};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(uris); i++) {
                struct stage s;
                begins(&s, &odm_codec_xml, STAGE_OPEN);
                starts(&s);
                s.hdr = uris[i];
                says(&s, HDR_OK(1) GET("1", "./A/b") "<Final/>");
                assert_str(s.sent.url, "https://dm.example/s");
                stage_close(&s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_credentials_are_shown_at_once),
                cmocka_unit_test(a_nonce_that_is_never_said_is_not_kept),
                cmocka_unit_test(a_nonce_of_a_stranger_is_not_kept),
                cmocka_unit_test(a_nonce_the_server_takes_is_kept),
                cmocka_unit_test(over_an_open_transport_each_message_is_proved),
                cmocka_unit_test(a_challenge_repeats_package_1),
                cmocka_unit_test(a_challenge_has_alerts_sent_again),
                cmocka_unit_test(a_refused_alert_is_dropped_late_too),
                cmocka_unit_test(other_types_are_answered_where_allowed),
                cmocka_unit_test(a_challenge_later_repeats_that_message),
                cmocka_unit_test(an_unproven_server_is_not_obeyed),
                cmocka_unit_test(wrong_twice_ends_it),
                cmocka_unit_test(a_status_alone_is_not_challenged),
                cmocka_unit_test(macs_guard_every_message),
                cmocka_unit_test(a_resync_uses_the_default_nonce),
                cmocka_unit_test(a_plain_resp_uri_is_not_followed_from_tls),
        };
        return RUN_TESTS(tests);
}
