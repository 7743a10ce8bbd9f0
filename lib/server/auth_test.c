/* SPDX-License-Identifier: Apache-2.0 */
/* Who proves what, both ways: sessions of the server engine against a scripted device. */
#include "script.h"
#include "support.h"

static void no_credentials(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                p.show = ODM_AUTH_NONE;
                job(&p, 1);
                package1(&p);
                expect(&p, "S0=407! S1=407 S2=407 Final");
                heard(&p, "");
                assert_str(p.reply->body->chal.type, "syncml:auth-md5");
                assert_int_equal(p.reply->body->chal.format, ODM_FMT_B64);
                assert_true(p.nonce.n >= 16);
                p.show = ODM_AUTH_MD5;
                say(&p, "status 0 200");
                package1(&p);
                expect(&p, "S0=212! S2=200 S3=200 Get(./A) Final");
                heard(&p, WELCOME);
                play_close(&p);
        }
}

static void wrong_password(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.password = "guess";
        package1(&p);
        expect(&p, "S0=401! S1=401 S2=401 Final");
        heard(&p, "failed");
        package1(&p);
        expect(&p, "S0=401 S1=401 S2=401 Final");
        heard(&p, "failed; end 4");
        package1(&p);
        assert_int_equal(p.rc, ODM_ESTATE);
        play_close(&p);
}

/* An unknown device hears what a wrong password hears (S-AUTH-12). */
static void unknown_peer(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.opt.peer.known = false;
        p.opt.transport_auth = true;
        p.opt.peer.type = ODM_AUTH_NONE;
        package1(&p);
        expect(&p, "S0=401! S1=401 S2=401 Final");
        heard(&p, "failed");
        package1(&p);
        expect(&p, "S0=401 S1=401 S2=401 Final");
        heard(&p, "failed; end 4");
        play_close(&p);
}

/* Nothing in a refusal tells whether the device exists, nor whether we could prove ourselves. */
static void refusals_look_alike(void **state)
{
        static const odm_auth_type shown[] = {ODM_AUTH_NONE, ODM_AUTH_MD5, ODM_AUTH_MAC};

        (void)state;
        EACH_CODEC(i)
        {
                for (size_t k = 0; k < ODM_COUNT(shown); k++) {
                        play known, unknown;
                        open_play(&known, i);
                        open_play(&unknown, i);
                        known.opt.peer.server_type = k ? shown[k] : ODM_AUTH_MD5;
                        known.show = unknown.show = shown[k];
                        known.password = unknown.password = "wrong";
                        unknown.opt.peer = (odm_peer){.type = ODM_AUTH_MD5};
                        package1(&known);
                        package1(&unknown);
                        expect(&unknown, known.seen);
                        assert_int_equal(known.reply_n, unknown.reply_n);
                        assert_int_equal(known.reply_mac.n, unknown.reply_mac.n);
                        play_close(&known);
                        play_close(&unknown);
                }
        }
}

static void every_message(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                p.opt.every_message = true;
                job(&p, 1);
                package1(&p);
                expect(&p, "S0=200! S1=200 S2=200 Get(./A) Final");
                heard(&p, WELCOME);
                p.show = ODM_AUTH_NONE; /* and forgets to show it again */
                say_all(&p, 200);
                post(&p);
                expect(&p, "S0=407! Final");
                p.show = ODM_AUTH_MD5;
                say(&p, "status 0 200");
                odm_command *st = say_command(&p, ODM_CMD_STATUS);
                st->msg_ref = ODM_STR("1");
                st->cmd_ref = ODM_STR("4");
                st->code = 200;
                post(&p);
                expect(&p, "S0=200! Final");
                heard(&p, "nonces c; 1/0 200; done 1; end 1");
                play_close(&p);
        }
}

static void basic_only_where_allowed(void **state)
{
        (void)state;
        for (int allowed = 0; allowed < 2; allowed++) {
                play p;
                open_play(&p, 0);
                p.show = ODM_AUTH_BASIC;
                p.opt.peer.accept_basic = allowed;
                package1(&p);
                expect(&p, allowed ? "S0=212 S1=200 S2=200 Final" : "S0=401! S1=401 S2=401 Final");
                play_close(&p);
        }
}

static void policies_without_credentials(void **state)
{
        (void)state;
        for (int transport = 0; transport < 2; transport++) {
                play p;
                open_play(&p, 0);
                p.show = ODM_AUTH_NONE;
                p.user = NULL; /* no LocName */
                p.opt.transport_auth = transport;
                if (!transport)
                        p.opt.peer.type = ODM_AUTH_NONE;
                job(&p, 1);
                package1(&p);
                expect(&p, "S0=200 S1=200 S2=200 Get(./A) Final");
                heard(&p, "auth; session 1201; " DEVINFO);
                play_close(&p);
        }
}

static void no_loc_name(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        package1(&p);
        expect(&p, SETUP " Final");
        play_close(&p);
        open_play(&p, 0);
        p.opt.peer.user = ODM_ABSENT; /* any LocName goes */
        package1(&p);
        expect(&p, SETUP " Final");
        play_close(&p);
}

static void mac_both_ways(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                p.show = ODM_AUTH_MAC;
                p.opt.peer.type = ODM_AUTH_MAC;
                p.opt.peer.server_type = ODM_AUTH_MAC;
                job(&p, 1);
                package1(&p);
                expect(&p, "S0=200! S1=200 S2=200 Get(./A) Final");
                assert_non_null(p.reply_mac.p);
                assert_false(p.reply->hdr.cred.present);
                say_all(&p, 200);
                p.out.body->code = 200;
                post(&p);
                expect(&p, "S0=200! Final");
                assert_non_null(p.reply_mac.p);
                play_close(&p);
        }
}

static void mac_is_answered_with_mac(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.show = ODM_AUTH_MAC; /* stronger than demanded */
        job(&p, 1);
        package1(&p);
        expect(&p, "S0=200! S1=200 S2=200 Get(./A) Final");
        assert_non_null(p.reply_mac.p);
        p.show = ODM_AUTH_NONE; /* and then goes without */
        say(&p, "status 0 200");
        post(&p);
        assert_true(odm_server_ended(p.s));
        play_close(&p);
}

/* The device challenges: the same commands again, with Cred (S-AUTH-06, S-AUTH-07). */
static void proves_itself_on_demand(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                chain(job(&p, 1), command(&p, ODM_CMD_REPLACE, "./B", "x"));
                job_list(&p, 2, group(&p, ODM_CMD_SEQUENCE, command(&p, ODM_CMD_GET, "./C", NULL)));
                package1(&p);
                expect(&p, SETUP " Get(./A) Replace(./B) Sequence[ Get(./C)] Final");
                assert_false(p.reply->hdr.cred.present);
                heard(&p, WELCOME);
                for (int again = 0; again < 2; again++) {
                        say_all(&p, 407 - again * 6);
                        p.out.body->code = again ? 401 : 407;
                        p.out.body->chal = chal("AAECAwQFBgcICQoLDA0ODw==");
                        post(&p);
                        expect(&p, "S0=200 Get(./A) Replace(./B) Sequence[ Get(./C)] Final");
                        heard(&p, "nonces s");
                        assert_true(p.reply->hdr.cred.present);
                        assert_str(p.reply->hdr.source_name, "srv");
                }
                say_all(&p, 200);
                p.out.body->chal = chal("EBESExQVFhcYGRobHB0eHw==");
                post(&p);
                expect(&p, "S0=200 Final");
                assert_false(p.reply->hdr.cred.present);
                heard(&p,
                      "nonces s; 1/0 200 ./A=v; 1/1 200; done 1; 2/0 200; 2/1 200 ./C=v; done 2; "
                      "end 1");
                play_close(&p);
        }
}

/* What was refused is the request for more: the commands before it were taken, and an Exec among
 * them must not run twice. */
static void challenged_while_asking_on(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                p.save_each = true;
                job_list(&p, 1,
                         chain(command(&p, ODM_CMD_EXEC, "./Run", NULL),
                               command(&p, ODM_CMD_GET, "./A", NULL)));
                package1(&p);
                expect(&p, SETUP " Exec(./Run) Get(./A) Final");
                heard(&p, WELCOME);
                p.no_final = true;
                say(&p, "status 0 200");
                say(&p, "status 4 200");
                say(&p, "status 5 200");
                post(&p);
                expect(&p, "S0=200 1222");
                heard(&p, "");
                p.no_final = false; /* a failure message is closed */
                say(&p, "status 0 407");
                p.out.body->chal = chal("AAECAwQFBgcICQoLDA0ODw==");
                say(&p, "status 2 407");
                post(&p);
                expect(&p, "S0=200 1222");
                assert_true(p.reply->hdr.cred.present);
                heard(&p, "nonces s");
                say(&p, "status 0 212");
                say(&p, "status 2 200");
                odm_command *c = say_command(&p, ODM_CMD_RESULTS);
                c->msg_ref = ODM_STR("1");
                c->cmd_ref = ODM_STR("5");
                say_item(&p, c, "./A", "v");
                post(&p);
                expect(&p, "S0=200 Final");
                heard(&p, "1/0 200; 1/1 200 ./A=v; done 1; end 1");
                play_close(&p);
        }
}

/* What was heard before the device lost its trust is told all the same. */
static void gives_up_while_asking_on(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                job_list(&p, 1,
                         chain(command(&p, ODM_CMD_EXEC, "./Run", NULL),
                               command(&p, ODM_CMD_GET, "./A", NULL)));
                package1(&p);
                heard(&p, WELCOME);
                p.no_final = true;
                say(&p, "status 0 200");
                say(&p, "status 4 200");
                post(&p);
                expect(&p, "S0=200 1222");
                p.no_final = false;
                say(&p, "status 0 401"); /* and no challenge */
                post(&p);
                expect(&p, "S0=200 Final");
                heard(&p, "1/0 200; end 4");
                play_close(&p);
        }
}

static void gives_up_proving(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.opt.peer.server_type = ODM_AUTH_MD5;
        job(&p, 1);
        package1(&p);
        assert_true(p.reply->hdr.cred.present);
        p.log[0] = '\0';
        say_all(&p, 401);
        p.out.body->code = 401;
        p.out.body->chal = chal("AAECAwQFBgcICQoLDA0ODw==");
        post(&p);
        expect(&p, "S0=200 Get(./A) Final");
        heard(&p, "nonces s");
        say_all(&p, 401);
        p.out.body->code = 401;
        p.out.body->chal = chal("AAECAwQFBgcICQoLDA0ODw==");
        post(&p);
        expect(&p, "S0=200 Final");
        heard(&p, "end 4"); /* the job stays with the host */
        play_close(&p);
}

/* A nonce in base64 of base64: when the plain reading is refused, the inner one is tried. */
static void nonce_wrapped_twice(void **state)
{
        static const struct row {
                const char *why, *nonce; /* decoded once */
                const char *meant;       /* in base64 */
        } rows[] = {
                {"base64 of octets, filled up",
                 "AAECAwQFBgcICQoLDA0ODw==", "AAECAwQFBgcICQoLDA0ODw=="},
                {"base64 of octets, with its signs", "++//AAECAwQFBgcI", "++//AAECAwQFBgcI"},
                {"hexadecimal digits are a nonce", "0123456789abcdef0123456789abcdef",
                 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
                {"a word is a nonce", "Nonce123", "Tm9uY2UxMjM="},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                play p;
                char digest[ODM_SECRET_LEN];
                odm_secret secret;
                odm_nonce meant;
                open_play(&p, i % 2);
                p.opt.peer.server_type = ODM_AUTH_MD5;
                job(&p, 1);
                package1(&p);
                say_all(&p, 401);
                p.out.body->code = 401;
                odm_str wrapped = odm_b64_encode(&p.a, odm_cstr(rows[i].nonce));
                p.out.body->chal = chal(wrapped.p);
                post(&p);
                assert_int_equal(odm_nonce_parse(odm_cstr(rows[i].meant), &meant), 0);
                odm_secret_of(ODM_STR("srv"), ODM_STR("spw"), &secret);
                odm_auth_md5(&secret, &meant, digest);
                if (!odm_str_eq(p.reply->hdr.cred.data, (odm_str){digest, sizeof digest}))
                        fail_msg("%s: another nonce was used", rows[i].why);
                play_close(&p);
        }
}

/* A Status for our SyncHdr that names it by Cmd alone, and comes last. */
static void hdr_status_without_refs(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        job(&p, 1);
        package1(&p);
        heard(&p, WELCOME);
        say(&p, "status 4 407");
        say(&p, "status 0 407");
        odm_command *st = p.out.body->next;
        st->cmd_ref = st->msg_ref = ODM_ABSENT;
        st->chal = chal("AAECAwQFBgcICQoLDA0ODw==");
        post(&p);
        expect(&p, "S0=200 Get(./A) Final");
        assert_true(p.reply->hdr.cred.present);
        say_all(&p, 200);
        p.out.body->next->msg_ref = ODM_ABSENT; /* nor the Status of the Get */
        p.out.body->next->next->msg_ref = ODM_ABSENT;
        post(&p);
        heard(&p, "nonces s; 1/0 200 ./A=v; done 1; end 1");
        play_close(&p);
}

/* Meta on the command counts for its items. */
static void meta_on_the_command(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                odm_command *c = say_command(&p, ODM_CMD_REPLACE);
                c->meta = (odm_meta){.present = true, .format = ODM_FMT_B64};
                say_item(&p, c, "./DevInfo/Man", "RXhhbXBsZQ==");
                post(&p);
                expect(&p, "S0=212! S1=200 Final");
                heard(&p, "auth; ./DevInfo/Man=Example; nonces c; end 1");
                play_close(&p);
        }
}

/* A session after a resync trigger: the default nonce is good, here and only here. */
static void default_nonce(void **state)
{
        (void)state;
        for (int triggered = 0; triggered < 2; triggered++) {
                play p;
                odm_nonce want;
                char digest[ODM_SECRET_LEN];
                odm_secret secret;
                open_play(&p, 0);
                p.opt.peer.has_nonce = true;
                p.opt.peer.nonce = (odm_nonce){3, "abc"};
                p.opt.peer.server_nonce = (odm_nonce){3, "xyz"};
                p.opt.peer.server_type = ODM_AUTH_MD5;
                p.opt.peer.default_nonce = triggered;
                p.nonce = odm_nonce_default_zero;
                job(&p, 1);
                say(&p, "alert 1200");
                say_devinfo(&p);
                post(&p);
                if (!triggered) {
                        expect(&p, "S0=401! S1=401 S2=401 Final");
                } else {
                        expect(&p, SETUP " Get(./A) Final");
                        want = odm_nonce_default_zero;
                        odm_secret_of(ODM_STR("srv"), ODM_STR("spw"), &secret);
                        odm_auth_md5(&secret, &want, digest);
                        assert_octets(p.reply->hdr.cred.data, ((odm_str){digest, sizeof digest}));
                }
                play_close(&p);
        }
}

static void nonces_are_told(void **state)
{
        (void)state;
        play p;
        odm_nonce c, prev, srv;
        open_play(&p, 0);
        p.opt.peer.has_nonce = true;
        p.opt.peer.nonce = p.nonce = (odm_nonce){3, "abc"};
        package1(&p);
        expect(&p, SETUP " Final");
        odm_server_nonces(p.s, &c, &prev, &srv);
        assert_octets(odm_nonce_view(&c), odm_nonce_view(&p.nonce));
        assert_int_equal(prev.n, 0); /* what was used is spent */
        play_close(&p);
}

/* What proved somebody once proves nobody again, be it in a session of its own. */
static void a_replay_is_refused(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p, again;
                open_play(&p, i);
                p.opt.peer.has_nonce = p.opt.peer.has_previous = true;
                p.opt.peer.nonce = p.nonce = (odm_nonce){3, "abc"};
                p.opt.peer.previous = (odm_nonce){3, "old"};
                package1(&p);
                expect(&p, SETUP " Final");
                odm_nonce c, prev, srv;
                odm_server_nonces(p.s, &c, &prev, &srv);

                open_play(&again, i);
                again.opt.peer.has_nonce = true;
                again.opt.peer.has_previous = prev.n > 0;
                again.opt.peer.nonce = c;
                again.opt.peer.previous = prev;
                play_start(&again);
                odm_buf_cut(&again.body, 0);
                assert_int_equal(odm_buf_str(&again.body, odm_buf_view(&p.body)), 0);
                post_again(&again);
                expect(&again, "S0=401! S1=401 S2=401 Final");
                play_close(&p);
                play_close(&again);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_credentials),
                cmocka_unit_test(wrong_password),
                cmocka_unit_test(unknown_peer),
                cmocka_unit_test(refusals_look_alike),
                cmocka_unit_test(every_message),
                cmocka_unit_test(basic_only_where_allowed),
                cmocka_unit_test(policies_without_credentials),
                cmocka_unit_test(no_loc_name),
                cmocka_unit_test(mac_both_ways),
                cmocka_unit_test(mac_is_answered_with_mac),
                cmocka_unit_test(proves_itself_on_demand),
                cmocka_unit_test(challenged_while_asking_on),
                cmocka_unit_test(gives_up_while_asking_on),
                cmocka_unit_test(gives_up_proving),
                cmocka_unit_test(nonce_wrapped_twice),
                cmocka_unit_test(hdr_status_without_refs),
                cmocka_unit_test(meta_on_the_command),
                cmocka_unit_test(default_nonce),
                cmocka_unit_test(nonces_are_told),
                cmocka_unit_test(a_replay_is_refused),
        };

        return RUN_TESTS(tests);
}
