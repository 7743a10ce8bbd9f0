/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the server engine against a scripted device, each in XML and in WBXML.
 * What a row expects is written as script.h tells. */
#include "script.h"
#include "support.h"

#define DEVINFO "./DevInfo/DevId=IMEI:1; ./DevInfo/Man=Example"
#define WELCOME "auth; session 1201; " DEVINFO "; nonces c"
#define SETUP "S0=212! S1=200 S2=200"

static const odm_codec *const codecs[] = {&odm_codec_xml, &odm_codec_wbxml};

#define EACH_CODEC(i) for (size_t i = 0; i < ODM_COUNT(codecs); i++)

static void open_play(play *p, size_t i)
{
        play_open(p, codecs[i], &heap);
}

/* ---- sessions ------------------------------------------------------------------------- */

static void idle_session_ends(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                package1(&p);
                expect(&p, SETUP " Final");
                heard(&p, WELCOME "; end 1");
                assert_str(p.reply->hdr.msg_id, "1");
                assert_str(p.reply->hdr.session_id, "A1");
                assert_str(p.reply->hdr.target, "IMEI:1");
                assert_str(p.reply->hdr.source, "http://dm/s");
                assert_str(p.reply->hdr.ver_proto, "DM/1.2");
                assert_str(p.reply->body->target_refs->uri, "http://dm/s");
                assert_str(p.reply->body->source_refs->uri, "IMEI:1");
                assert_str(p.reply_type, odm_codec_mime(codecs[i]));
                assert_true(odm_server_ended(p.s));
                say(&p, "status 0 200"); /* and still each message is answered */
                post(&p);
                expect(&p, "S0=200 Final");
                heard(&p, "");
                play_close(&p);
        }
}

static void one_get(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                job(&p, 7);
                package1(&p);
                expect(&p, SETUP " Get(./A) Final");
                heard(&p, WELCOME);
                say(&p, "status 0 212");
                say(&p, "status 4 200");
                say(&p, "results 4 ./A hello");
                post(&p);
                expect(&p, "S0=200 Final");
                heard(&p, "7/0 200 ./A=hello; done 7; end 1");
                assert_str(p.reply->hdr.msg_id, "2");
                play_close(&p);
        }
}

static void many_jobs_share_a_message(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                chain(job(&p, 1), command(&p, ODM_CMD_REPLACE, "./B", "x"));
                job_list(&p, 2,
                         group(&p, ODM_CMD_ATOMIC,
                               chain(command(&p, ODM_CMD_ADD, "./C", "1"),
                                     command(&p, ODM_CMD_DELETE, "./D", NULL))));
                job(&p, 3);
                p.jobs[2].alone = true;
                job(&p, 4);
                package1(&p);
                expect(&p, SETUP " Get(./A) Replace(./B) Atomic[ Add(./C) Delete(./D)] Final");
                heard(&p, WELCOME);
                say(&p, "status 0 212");
                say(&p, "status 8 215"); /* in any order: matched by CmdRef */
                say(&p, "results 4 ./A one");
                say(&p, "status 7 418");
                say(&p, "status 6 507");
                say(&p, "status 5 200");
                say(&p, "status 4 200");
                post(&p);
                expect(&p, "S0=200 Get(./A) Final"); /* 3 is alone */
                heard(&p, "1/0 200 ./A=one; 1/1 200; done 1; 2/0 507; 2/1 418; 2/2 215; done 2");
                say_all(&p, 200);
                post(&p);
                expect(&p, "S0=200 Get(./A) Final");
                heard(&p, "3/0 200 ./A=v; done 3");
                say_all(&p, 404);
                post(&p);
                expect(&p, "S0=200 Final");
                heard(&p, "4/0 404; done 4; end 1");
                play_close(&p);
        }
}

static void statuses_of_one_command_are_merged(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                job(&p, 1)->items->next = command(&p, ODM_CMD_GET, "./B", NULL)->items;
                package1(&p);
                say(&p, "status 0 212");
                say(&p, "status 4 200");
                say(&p, "status 4 404 why");
                say(&p, "status 4 200");
                say(&p, "results 4 ./A x");
                say(&p, "status 99 200"); /* of a command never sent */
                say(&p, "results 99 ./A x");
                p.log[0] = '\0';
                post(&p);
                expect(&p, "S0=200 Final");
                heard(&p, "1/0 404 =why ./A=x; done 1; end 1");
                play_close(&p);
        }
}

static void bad_jobs_are_refused(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        job_list(&p, 1, group(&p, ODM_CMD_ATOMIC, command(&p, ODM_CMD_GET, "./A", NULL)));
        job_list(&p, 2, group(&p, ODM_CMD_ATOMIC, command(&p, ODM_CMD_EXEC, "./A", NULL)));
        job_list(&p, 3,
                 group(&p, ODM_CMD_ATOMIC,
                       group(&p, ODM_CMD_ATOMIC, command(&p, ODM_CMD_ADD, "./A", "1"))));
        job_list(&p, 4, group(&p, ODM_CMD_SEQUENCE, NULL));
        job_list(&p, 5, command(&p, ODM_CMD_STATUS, "./A", NULL));
        job_list(&p, 6, command(&p, ODM_CMD_GET, NULL, NULL));
        package1(&p);
        expect(&p, SETUP " Final");
        heard(&p,
              WELCOME "; refused 1; refused 2; refused 3; refused 4; refused 5; refused 6; end 1");
        play_close(&p);
}

/* What may be sent can be saved and loaded: one ceiling for both. */
static void a_job_has_a_ceiling(void **state)
{
        enum { MOST = 40 };

        (void)state;
        for (unsigned over = 0; over < 2; over++) {
                odm_command *list = NULL;
                play p;
                open_play(&p, 0);
                p.opt.limits.max_items = MOST;
                p.save_each = true;
                for (unsigned i = 0; i < MOST - 2 + over; i++) {
                        odm_command *c = command(&p, ODM_CMD_DELETE, "./A", NULL);
                        c->next = list;
                        list = c;
                }
                job_list(&p, 1,
                         chain(group(&p, ODM_CMD_ATOMIC, command(&p, ODM_CMD_DELETE, "./A", NULL)),
                               list));
                package1(&p);
                heard(&p, over ? WELCOME "; refused 1; end 1" : WELCOME);
                play_close(&p);
        }
}

/* ---- authentication ----------------------------------------------------------------------- */

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

static odm_meta chal(const char *nonce)
{
        return (odm_meta){.present = true,
                          .format = ODM_FMT_B64,
                          .type = ODM_STR("syncml:auth-md5"),
                          .next_nonce = odm_cstr(nonce)};
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

/* ---- versions and order ----------------------------------------------------------------- */

static void versions(void **state)
{
        static const struct row {
                const char *why, *proto, *dtd, *want, *answer;
                bool dm11;
        } rows[] = {
                {"DM 1.2", "DM/1.2", "1.2", SETUP " Final", "DM/1.2", false},
                {"DM 1.3", "DM/1.3", "1.2", SETUP " Final", "DM/1.3", false},
                {"a version to come", "DM/9.9", "1.2", "S0=513 S1=513 S2=513 Final", "DM/1.2",
                 false},
                {"a DTD to come", "DM/1.2", "9.9", "S0=505 S1=505 S2=505 Final", "DM/1.2", false},
                {"DM 1.1 refused", "DM/1.1", "1.1", "S0=513 S1=513 S2=513 Final", "DM/1.2", false},
                {"DM 1.1 allowed", "DM/1.1", "1.1", SETUP " Final", "DM/1.1", true},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                play p;
                open_play(&p, i % 2);
                p.proto = r->proto;
                p.dtd = r->dtd;
                p.opt.peer.allow_dm11 = r->dm11;
                package1(&p);
                expect(&p, r->want);
                assert_str(p.reply->hdr.ver_proto, r->answer);
                if (p.reply->body->code == 513) {
                        assert_str(p.reply->body->items->data.bytes, "DM/1.2");
                        p.proto = "DM/1.2"; /* it falls back in the same session */
                        p.dtd = "1.2";
                        say(&p, "status 0 200");
                        package1(&p);
                        expect(&p, "S0=212! S2=200 S3=200 Final");
                }
                play_close(&p);
        }
}

static void message_order(void **state)
{
        static const struct row {
                const char *why;
                uint32_t id;
                const char *source, *session;
                bool first;
        } rows[] = {
                {"a gap", 4, "IMEI:1", "A1", false},
                {"the same number, other content", 1, "IMEI:1", "A1", false},
                {"not the first", 5, "IMEI:1", "A1", true},
                {"another session", 2, "IMEI:1", "B2", false},
                {"another device", 2, "IMEI:2", "A1", false},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                play p;
                open_play(&p, i % 2);
                job(&p, 1);
                if (!r->first) {
                        package1(&p);
                        heard(&p, WELCOME);
                }
                p.msg_id = r->id;
                p.source = r->source;
                p.session = r->session;
                say(&p, "alert 1201");
                post(&p);
                expect(&p, r->first ? "S0=400 S1=400 1223 Final" : "S0=400 S1=400 1223 Final");
                assert_int_equal(odm_server_outcome(p.s), ODM_OUTCOME_BAD_MESSAGE);
                post(&p);
                assert_int_equal(p.rc, ODM_ESTATE);
                play_close(&p);
        }
}

static void repetition_lends_the_last_reply(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                for (int saved = 0; saved < 2; saved++) {
                        play p;
                        open_play(&p, i);
                        p.save_each = saved;
                        job(&p, 1);
                        package1(&p);
                        heard(&p, WELCOME);
                        for (int n = 0; n < 3; n++) {
                                post_again(&p);
                                expect(&p, SETUP " Get(./A) Final");
                                heard(&p, "");
                        }
                        say_all(&p, 200);
                        post(&p);
                        heard(&p, "1/0 200 ./A=v; done 1; end 1");
                        post_again(&p);
                        expect(&p, "S0=200 Final");
                        heard(&p, "");
                        play_close(&p);
                }
        }
}

static void rubbish_changes_nothing(void **state)
{
        static const char *const rows[] = {"", "GET / HTTP/1.1", "<SyncML>", "\x02\x00"};
        (void)state;
        play p;
        open_play(&p, 0);
        job(&p, 1);
        package1(&p);
        heard(&p, WELCOME);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str body = exact_copy(rows[i]);
                odm_packet in = {.body = body};
                assert_int_equal(odm_server_recv(p.s, &in, (odm_time){0}), ODM_EMALFORMED);
                exact_free(body);
        }
        say_all(&p, 200);
        post(&p);
        heard(&p, "1/0 200 ./A=v; done 1; end 1");
        play_close(&p);
}

/* An old message that comes late finds the session as it was. */
static void stale_messages_change_nothing(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        job(&p, 1);
        job(&p, 2);
        p.jobs[0].alone = true;
        package1(&p);
        odm_str first = exact_bytes(p.body.p, p.body.n);
        odm_packet in = {.body = first};
        say_all(&p, 200);
        post(&p);
        assert_int_equal(odm_server_recv(p.s, &in, (odm_time){0}), ODM_EMALFORMED);
        exact_free(first);
        p.log[0] = '\0';
        say_all(&p, 200);
        post(&p);
        heard(&p, "2/0 200 ./A=v; done 2; end 1");
        play_close(&p);
}

/* ---- what a device may say -------------------------------------------------------------- */

static void illegal_commands(void **state)
{
        static const struct row {
                const char *say, *want;
        } rows[] = {
                {"Get ./A", "S0=212! S1=405 Final"},    {"Add ./A 1", "S0=212! S1=405 Final"},
                {"Delete ./A", "S0=212! S1=405 Final"}, {"Copy ./A", "S0=212! S1=405 Final"},
                {"Exec ./A", "S0=212! S1=405 Final"},   {"Put ./A", "S0=212! S1=406 Final"},
                {"Search ./A", "S0=212! S1=406 Final"}, {"Replace ./A 1", "S0=212! S1=405 Final"},
                {"Replace", "S0=212! S1=412 Final"},    {"alert 1100", "S0=212! S1=406 Final"},
                {"alert 1104", "S0=212! S1=406 Final"}, {"alert 1221", "S0=212! S1=406 Final"},
                {"alert 1299", "S0=212! S1=406 Final"}, {"alert 0", "S0=212! S1=412 Final"},
                {"alert 1222", "S0=212! S1=200 Final"}, {"alert 1225", "S0=212! S1=200 Final"},
                {"alert 1226", "S0=212! S1=412 Final"}, {"alert 1223", "S0=212! S1=200 Final"},
        };
        (void)state;
        EACH_CODEC(i)
        {
                for (size_t k = 0; k < ODM_COUNT(rows); k++) {
                        play p;
                        open_play(&p, i);
                        say(&p, "%s", rows[k].say);
                        post(&p);
                        expect(&p, rows[k].want);
                        play_close(&p);
                }
        }
}

static void odd_numbers(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                say(&p, "alert 1201");
                say_devinfo(&p);
                p.out.body->cmd_id = ODM_STR("1");
                p.out.body->next->cmd_id = ODM_STR("1"); /* repeated */
                say(&p, "alert 1222");
                p.out.body->next->next->cmd_id = ODM_ABSENT; /* forgotten */
                post(&p);
                expect(&p, "S0=212! S1=200 S1=200 S=400 Final");
                play_close(&p);
        }
}

static void devinfo_of_all_kinds(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                odm_command *c = say_command(&p, ODM_CMD_REPLACE);
                odm_item *it = say_item(&p, c, "./DevInfo", NULL);
                it->meta = (odm_meta){.present = true, .format = ODM_FMT_NODE};
                it = say_item(&p, c, NULL, "T");
                it->target = ODM_STR("./DevInfo/Man"); /* Target instead of Source */
                it = say_item(&p, c, "./DevInfo/Ext/A", "AAEC");
                it->meta = (odm_meta){.present = true, .format = ODM_FMT_B64};
                post(&p);
                expect(&p, "S0=212! S1=200 Final");
                assert_non_null(strstr(p.log, "./DevInfo/Man=T; ./DevInfo/Ext/A="));
                play_close(&p);
        }
}

/* A NUL in text: that item fails, never the session. */
static void nul_in_data(void **state)
{
        (void)state;
        play p;
        open_play(&p, 1);
        job(&p, 1);
        say(&p, "alert 1201");
        odm_command *c = say_command(&p, ODM_CMD_REPLACE);
        say_item(&p, c, "./DevInfo/Man", "ok");
        say_item(&p, c, "./DevInfo/Mod", "")->data = (odm_data){ODM_DATA_OPAQUE, {"a\0b", 3}};
        post(&p);
        expect(&p, "S0=212! S1=200 S2=200 S2=400 Get(./A) Final");
        heard(&p, "auth; session 1201; ./DevInfo/Man=ok; nonces c");
        say(&p, "status 0 212");
        say(&p, "status 5 200");
        say(&p, "results 5 ./A x");
        p.out.body->next->next->items->data = (odm_data){ODM_DATA_OPAQUE, {"a\0b", 3}};
        post(&p);
        expect(&p, "S0=200 Final");
        heard(&p, "1/0 400; done 1; end 1");
        play_close(&p);
}

static odm_item *typed_item(play *p, odm_command *c, const char *type, const char *text)
{
        odm_item *it = say_item(p, c, "./Vendor/X", text);

        it->meta = (odm_meta){
                .present = true, .format = ODM_FMT_CHR, .type = type ? odm_cstr(type) : ODM_ABSENT};
        return it;
}

static void device_alerts(void **state)
{
        static const struct row {
                const char *why, *one, *two;
                unsigned status;
                const char *want, *log;
        } rows[] = {
                {"one item", "com.x/a", NULL, 200, "S0=212! S1=200 Final", "alert 1226 com.x/a c1"},
                {"two alike", "com.x/a", "com.x/b", 202, "S0=212! S1=202 Final",
                 "alert 1226 com.x/a c1; alert 1226 com.x/b c1"},
                {"one without Type", "com.x/a", "", 200, "S0=212! S1=200 S1=412 Final",
                 "alert 1226 com.x/a c1"},
                {"a type nobody knows", "com.x/a", NULL, 415, "S0=212! S1=415 Final",
                 "alert 1226 com.x/a c1"},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                char want[PLAY_LOG];
                play p;
                open_play(&p, i % 2);
                p.alert_status = r->status;
                odm_command *c = say_command(&p, ODM_CMD_ALERT);
                c->code = 1226;
                c->correlator = ODM_STR("c1");
                typed_item(&p, c, r->one, "1");
                if (r->two)
                        typed_item(&p, c, *r->two ? r->two : NULL, "2");
                post(&p);
                expect(&p, r->want);
                (void)snprintf(want, sizeof want, "auth; %s; nonces c; end 1", r->log);
                heard(&p, want);
                play_close(&p);
        }
}

/* A device believes what is said of its alerts only from a server that has proved itself: with what
 * is challenged it is said again, else it would tell of them in the next session. */
static void alerts_of_a_challenged_message(void **state)
{
        (void)state;
        for (int kept = 0; kept < 2; kept++)
                EACH_CODEC(i)
                {
                        play p;
                        open_play(&p, i);
                        p.save_each = kept;
                        job(&p, 1);
                        odm_command *c = say_command(&p, ODM_CMD_ALERT);
                        c->code = 1226;
                        c->correlator = ODM_STR("c1");
                        typed_item(&p, c, "com.x/a", "1");
                        say(&p, "alert 1201");
                        post(&p);
                        expect(&p, "S0=212! S1=200 S2=200 Get(./A) Final");
                        heard(&p, "auth; alert 1226 com.x/a c1; session 1201; nonces c");
                        for (int again = 0; again < 2; again++) {
                                say_all(&p, 407 - again * 6);
                                p.out.body->code = again ? 401 : 407;
                                p.out.body->chal = chal("AAECAwQFBgcICQoLDA0ODw==");
                                post(&p);
                                expect(&p, "S0=200 S1=200 Get(./A) Final");
                                assert_str(p.reply->body->next->msg_ref, "1");
                                heard(&p, "nonces s");
                        }
                        say_all(&p, 200);
                        p.out.body->chal = chal("EBESExQVFhcYGRobHB0eHw==");
                        post(&p);
                        expect(&p, "S0=200 Final");
                        heard(&p, "nonces s; 1/0 200 ./A=v; done 1; end 1");
                        play_close(&p);
                }
}

static void device_stops(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                p.save_each = i == 1; /* a session that is over is kept too, for a repetition */
                chain(job(&p, 1), command(&p, ODM_CMD_GET, "./B", NULL));
                package1(&p);
                heard(&p, WELCOME);
                say(&p, "status 0 212");
                say(&p, "status 4 200");
                say(&p, "results 4 ./A x");
                say(&p, "alert 1223");
                post(&p);
                expect(&p, "S0=200 S4=200 Final");
                heard(&p, "1/0 200 ./A=x; end 3"); /* job 1 is not done: the host puts it back */
                play_close(&p);
        }
}

static void server_stops(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        job(&p, 1);
        package1(&p);
        p.log[0] = '\0';
        odm_server_abort(p.s);
        say_all(&p, 200);
        post(&p);
        expect(&p, "S0=200 1223 Final");
        heard(&p, "1/0 200 ./A=v; done 1; end 2");
        play_close(&p);
}

static void whole_message_refused(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        job(&p, 1);
        package1(&p);
        p.log[0] = '\0';
        say(&p, "status 0 513");
        post(&p);
        expect(&p, "S0=200 Final");
        heard(&p, "1/0 513; done 1; end 7");
        play_close(&p);
}

/* ---- packages of several messages ------------------------------------------------------- */

static void next_message(void **state)
{
        (void)state;
        for (int saved = 0; saved < 2; saved++)
                EACH_CODEC(i)
                {
                        play p;
                        open_play(&p, i);
                        p.save_each = saved;
                        chain(job(&p, 1), command(&p, ODM_CMD_GET, "./B", NULL));
                        job(&p, 2);
                        p.jobs[1].alone = true;
                        package1(&p);
                        heard(&p, WELCOME);
                        say(&p, "status 0 212");
                        say(&p, "status 4 200");
                        say(&p, "results 4 ./A x");
                        p.no_final = true;
                        post(&p);
                        expect(&p, "S0=200 1222"); /* and no command, no Final */
                        heard(&p, "");
                        say(&p, "status 0 200");
                        say(&p, "status 2 200");
                        odm_command *st = say_command(&p, ODM_CMD_STATUS);
                        *st = (odm_command){.kind = ODM_CMD_STATUS,
                                            .cmd_id = ODM_STR("9"),
                                            .msg_ref = ODM_STR("1"),
                                            .cmd_ref = ODM_STR("5"),
                                            .cmd = ODM_STR("Get"),
                                            .code = 404};
                        p.no_final = false;
                        post(&p);
                        expect(&p, "S0=200 Get(./A) Final");
                        heard(&p, "1/0 200 ./A=x; 1/1 404; done 1");
                        play_close(&p);
                }
}

static void package1_of_two_messages(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        job(&p, 1);
        p.no_final = true;
        package1(&p);
        expect(&p, SETUP " 1222");
        heard(&p, WELCOME);
        say(&p, "status 0 212");
        say(&p, "status 4 200");
        p.no_final = false;
        post(&p);
        expect(&p, "S0=200 Get(./A) Final");
        play_close(&p);
}

static void small_messages(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                unsigned results = 0, messages = 0;
                open_play(&p, i);
                odm_command *list = job(&p, 1);
                for (int n = 0; n < 19; n++)
                        chain(list, command(&p, ODM_CMD_GET, "./Some/Longer/Name/Of/A/Node", NULL));
                p.max_msg = 1500;
                package1(&p);
                while (p.rc == 0 && !odm_server_ended(p.s)) {
                        assert_true(p.reply_n <= 1500);
                        p.log[0] = '\0';
                        say_all(&p, 200);
                        if (!p.reply->final)
                                say(&p, "alert 1222");
                        p.no_final = !p.reply->final;
                        post(&p);
                        for (const char *at = p.log; (at = strstr(at, " 200 ")); at++)
                                results++;
                        assert_true(++messages < 30);
                }
                assert_int_equal(results, 20);
                assert_non_null(strstr(p.log, "done 1; end 1"));
                play_close(&p);
        }
}

/* More Statuses than a small message holds: the rest goes in the next one. */
static void statuses_that_find_no_room(void **state)
{
        (void)state;
        for (int saved = 0; saved < 2; saved++) {
                play p;
                unsigned got = 0;
                open_play(&p, 0);
                p.save_each = saved;
                p.max_msg = 1600;
                job(&p, 1);
                for (int n = 0; n < 20; n++)
                        say(&p, "alert 1222");
                post(&p);
                for (int n = 0; n < 8 && p.rc == 0; n++) {
                        assert_true(p.reply_n <= 1600);
                        for (const char *at = p.seen; (at = strstr(at, "=200")); at++)
                                got++;
                        if (p.reply->final)
                                break;
                        say(&p, "status 0 212");
                        say(&p, "alert 1222");
                        p.no_final = true;
                        post(&p);
                }
                assert_true(got >= 20);
                assert_non_null(strstr(p.seen, "Get(./A) Final"));
                play_close(&p);
        }
}

/* ---- large objects ---------------------------------------------------------------------- */

/* A device that puts chunks together; returns how many messages it took. */
static unsigned take_object(play *p, odm_str want, unsigned max)
{
        unsigned n = 0;
        odm_buf got;
        bool more = true;

        odm_buf_init(&got, &heap, 64u << 20);
        while (more && ++n < 5000) {
                const odm_command *c = p->reply->body;
                while (c && c->kind == ODM_CMD_STATUS)
                        c = c->next;
                assert_non_null(c);
                assert_true(p->reply_n <= max);
                assert_null(c->next);
                more = c->items->more;
                assert_int_equal(p->reply->final, !more);
                assert_int_equal(c->items->meta.has_size, n == 1);
                assert_int_equal(odm_buf_str(&got, c->items->data.bytes), 0);
                if (n == 1)
                        assert_true(c->items->meta.size >= want.n);
                say_all(p, more ? 213 : 200);
                if (more)
                        say(p, "alert 1222");
                p->no_final = more;
                post(p);
                assert_int_equal(p->rc, 0);
        }
        odm_str all = odm_buf_view(&got);
        if (p->codec == &odm_codec_xml)
                assert_int_equal(odm_b64_decode(&p->a, odm_buf_view(&got), &all), 0);
        assert_int_equal(all.n, want.n);
        assert_memory_equal(all.p, want.p, want.n);
        odm_buf_done(&got);
        return n;
}

static odm_str octets(play *p, size_t n)
{
        seeded s = {5};
        char *q = odm_arena_get(&p->a, n);

        assert_non_null(q);
        for (size_t i = 0; i < n; i++)
                q[i] = (char)seeded_next(&s);
        return (odm_str){q, n};
}

static odm_command *big(play *p, size_t n)
{
        odm_command *c = command(p, ODM_CMD_REPLACE, "./Big", NULL);

        c->items->data = (odm_data){ODM_DATA_OPAQUE, octets(p, n)};
        c->items->meta = (odm_meta){.present = true, .format = ODM_FMT_BIN};
        return c;
}

static void sends_a_large_object(void **state)
{
        static const struct row {
                const char *why;
                size_t n;
                unsigned max;
                bool save;
        } rows[] = {
                {"100 kB in 8 kB messages", 100000, 8192, false},
                {"in messages of 1500, saved at each", 9001, 1500, true},
                {"a little more than fits", 2100, 2000, false},
        };
        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++)
                EACH_CODEC(i)
                {
                        play p;
                        open_play(&p, i);
                        p.max_msg = rows[r].max;
                        p.save_each = rows[r].save;
                        odm_command *c = big(&p, rows[r].n);
                        job_list(&p, 1, chain(c, command(&p, ODM_CMD_GET, "./After", NULL)));
                        package1(&p);
                        heard(&p, WELCOME);
                        while (p.seen[strlen(p.seen) - 1] ==
                               '0') { /* only Statuses: asks for more */
                                say(&p, "status 0 212");
                                say(&p, "alert 1222");
                                p.no_final = true;
                                post(&p);
                        }
                        (void)take_object(&p, c->items->data.bytes, rows[r].max);
                        expect(&p, "S0=200 Get(./After) Final");
                        heard(&p, "1/0 200");
                        play_close(&p);
                }
}

static void text_is_cut_between_characters(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                odm_buf got;
                open_play(&p, i);
                char *text = odm_arena_get(&p.a, 4000);
                for (size_t k = 0; k < 4000; k += 4)
                        memcpy(text + k, "\xC3\xA4&a", 4);
                odm_command *c = command(&p, ODM_CMD_REPLACE, "./T", NULL);
                c->items->data = (odm_data){ODM_DATA_TEXT, {text, 4000}};
                job_list(&p, 1, c);
                p.max_msg = 2000;
                package1(&p);
                odm_buf_init(&got, &heap, 8192);
                for (int n = 0; n < 20 && strstr(p.seen, "./T"); n++) {
                        const odm_command *r = p.reply->body;
                        while (r->kind == ODM_CMD_STATUS)
                                r = r->next;
                        assert_true(odm_utf8_ok(r->items->data.bytes));
                        assert_int_equal(odm_buf_str(&got, r->items->data.bytes), 0);
                        p.no_final = r->items->more;
                        say_all(&p, r->items->more ? 213 : 200);
                        post(&p);
                }
                assert_octets(odm_buf_view(&got), ((odm_str){text, 4000}));
                odm_buf_done(&got);
                play_close(&p);
        }
}

static void large_objects_that_cannot_go(void **state)
{
        static const struct row {
                const char *why;
                unsigned max_obj;
                bool yes;
                const char *log;
        } rows[] = {
                {"beyond MaxObjSize", 10000, true, "1/0 413 unsent; 1/1 215 unsent; done 1 unsent"},
                {"no large objects", 0, false, "1/0 413 unsent; 1/1 215 unsent; done 1 unsent"},
        };
        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++) {
                char want[PLAY_LOG];
                play p;
                open_play(&p, r % 2);
                p.max_msg = 8192;
                p.max_obj = rows[r].max_obj;
                job_list(&p, 1, chain(big(&p, 20000), command(&p, ODM_CMD_GET, "./A", NULL)));
                job(&p, 2);
                play_start(&p);
                odm_server_set_large_objects(p.s, rows[r].yes);
                package1(&p);
                if (!p.reply->final) { /* it tried a message with fewer Statuses */
                        say(&p, "status 0 212");
                        say(&p, "alert 1222");
                        p.no_final = true;
                        post(&p);
                }
                assert_non_null(strstr(p.seen, "Get(./A) Final")); /* the next job goes on */
                (void)snprintf(want, sizeof want, WELCOME "; %s", rows[r].log);
                heard(&p, want);
                play_close(&p);
        }
}

/* MaxObjSize counts what travels: base64 takes a third more (dm-protocol.md 4). */
static void max_obj_size_counts_what_travels(void **state)
{
        static const struct row {
                unsigned max_obj;
                bool xml, goes;
        } rows[] = {{4000, true, true}, {3999, true, false}, {3000, false, true}};

        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++) {
                play p;
                open_play(&p, rows[r].xml ? 0 : 1);
                p.max_msg = 2000;
                p.max_obj = rows[r].max_obj;
                job_list(&p, 1, big(&p, 3000));
                package1(&p);
                assert_int_equal(strstr(p.seen, "Replace(") != NULL, rows[r].goes);
                play_close(&p);
        }
}

/* A job that XML cannot carry fails; the session and the next job do not. */
static void values_that_xml_cannot_carry(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                for (int large = 0; large < 2; large++) {
                        play p;
                        open_play(&p, i);
                        char *text = odm_arena_get(&p.a, 5000);
                        memset(text, 'x', 5000);
                        text[large ? 4000 : 1] = '\x01';
                        odm_command *c = command(&p, ODM_CMD_REPLACE, "./T", NULL);
                        c->items->data = (odm_data){ODM_DATA_TEXT, {text, large ? 5000 : 3}};
                        odm_command *d = command(&p, ODM_CMD_GET, "./\x02", NULL);
                        job_list(&p, 1, c);
                        job_list(&p, 2, d);
                        job(&p, 3);
                        p.max_msg = 2000;
                        package1(&p);
                        if (i == 0) {
                                expect(&p, SETUP " Get(./A) Final");
                                heard(&p, WELCOME "; 1/0 400 unsent; done 1 unsent; 2/0 400 unsent;"
                                                  " done 2 unsent");
                        } else {
                                assert_non_null(strstr(p.seen, "Replace(./T)"));
                        }
                        play_close(&p);
                }
        }
}

static void too_big_for_one_message(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                job_list(&p, 1, group(&p, ODM_CMD_ATOMIC, chain(big(&p, 4000), big(&p, 4000))));
                job(&p, 2);
                p.max_msg = 4096;
                package1(&p);
                expect(&p, SETUP);
                say(&p, "status 0 212");
                say(&p, "alert 1222");
                p.no_final = true;
                post(&p);
                expect(&p, "S0=200 S2=200 Get(./A) Final");
                heard(&p,
                      WELCOME "; 1/0 413 unsent; 1/1 215 unsent; 1/2 215 unsent; done 1 unsent");
                play_close(&p);
        }
}

static void object_that_breaks_off(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                p.max_msg = 4096;
                job_list(&p, 1, big(&p, 20000));
                package1(&p);
                heard(&p, WELCOME);
                for (int again = 0; again < 2; again++) {
                        say_all(&p, 213);
                        say(&p, "alert 1222");
                        p.no_final = true;
                        post(&p);
                        assert_non_null(strstr(p.seen, "Replace(./Big)+"));
                        say(&p, "status 0 212");
                        say(&p, "alert 1225");
                        post(&p);
                        if (again)
                                break;
                        assert_non_null(strstr(p.seen, "Replace(./Big)+"));
                        const odm_command *c = p.reply->body->next->next;
                        assert_true(c->items->meta.has_size); /* from the start */
                        heard(&p, "");
                }
                expect(&p, "S0=200 S2=200 Final");
                heard(&p, "1/0 424 unsent; done 1; end 1");
                play_close(&p);
        }
}

static void chunk_refused(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.max_msg = 4096;
        job_list(&p, 1, chain(big(&p, 20000), command(&p, ODM_CMD_GET, "./A", NULL)));
        package1(&p);
        heard(&p, WELCOME);
        say_all(&p, 413);
        post(&p);
        expect(&p, "S0=200 Get(./A) Final");
        heard(&p, "1/0 413");
        play_close(&p);
}

static void chunk_challenged(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                p.max_msg = 4096;
                odm_command *c = big(&p, 20000);
                job_list(&p, 1, c);
                package1(&p);
                heard(&p, WELCOME);
                say_all(&p, 407);
                p.out.body->code = 407;
                p.out.body->chal = chal("AAECAwQFBgcICQoLDA0ODw==");
                post(&p);
                heard(&p, "nonces s");
                (void)take_object(&p, c->items->data.bytes, 4096);
                heard(&p, "1/0 200; done 1; end 1");
                play_close(&p);
        }
}

/* A chunk's answer without credentials: refused, and then the object goes on. */
static void chunk_after_a_refusal(void **state)
{
        (void)state;
        play p;
        open_play(&p, 1);
        p.max_msg = 4096;
        p.opt.every_message = true;
        odm_command *c = big(&p, 20000);
        job_list(&p, 1, c);
        package1(&p);
        heard(&p, WELCOME);
        p.show = ODM_AUTH_NONE;
        p.no_final = true;
        say_all(&p, 213);
        say(&p, "alert 1222");
        post(&p);
        expect(&p, "S0=407! S3=407 Final");
        p.show = ODM_AUTH_MD5;
        say(&p, "status 0 200");
        odm_command *st = say_command(&p, ODM_CMD_STATUS);
        st->msg_ref = ODM_STR("1");
        st->cmd_ref = ODM_STR("4");
        st->code = 213;
        say(&p, "alert 1222");
        post(&p);
        expect(&p, "S0=200! S3=200 Replace(./Big)+");
        assert_false(p.reply->body->next->next->items->meta.has_size);
        play_close(&p);
}

static void send_chunk(play *p, const char *text, size_t size, bool more)
{
        odm_command *c = say_command(p, ODM_CMD_RESULTS);
        odm_item *it = say_item(p, c, "./A", text);

        c->msg_ref = ODM_STR("1");
        c->cmd_ref = ODM_STR("4");
        it->more = more;
        it->meta = (odm_meta){.present = true, .has_size = size > 0, .size = size};
}

static void send_alert_chunk(play *p, const char *type, const char *text, size_t size, bool more)
{
        odm_command *c = say_command(p, ODM_CMD_ALERT);
        odm_item *it = typed_item(p, c, type, text);

        c->code = 1226;
        c->correlator = ODM_STR("c1");
        it->more = more;
        it->meta.has_size = size > 0;
        it->meta.size = size;
}

/* One event, once all of it is there. */
static void takes_chunked_alerts(void **state)
{
        static const struct row {
                const char *why;
                size_t size, again; /* again: it comes once more, from its start */
                const char *first, *last, *log;
        } rows[] = {
                {"whole", 12, 0, "213", "200", "alert 1226 com.x/a c1onetwosixten; "},
                {"begun anew", 12, 12, "213", "200", "alert 1226 com.x/a c1onetwosixten; "},
                {"another Size", 13, 0, "213", "424", ""},
                {"no Size", 0, 0, "411", NULL, NULL},
                {"too large", 99999999, 0, "413", NULL, NULL},
        };
        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++)
                for (int saved = 0; saved < 2; saved++)
                        EACH_CODEC(i)
                        {
                                char want[PLAY_LOG];
                                play p;
                                open_play(&p, i);
                                p.save_each = saved;
                                p.no_final = true;
                                send_alert_chunk(&p, "com.x/a", "onetwo", rows[r].size, true);
                                post(&p);
                                (void)snprintf(want, sizeof want, "S0=212! S1=%s 1222",
                                               rows[r].first);
                                expect(&p, want);
                                heard(&p, "auth; nonces c");
                                if (rows[r].again) {
                                        say(&p, "status 0 200");
                                        send_alert_chunk(&p, "com.x/a", "onetwo", rows[r].again,
                                                         true);
                                        post(&p);
                                        expect(&p, "S0=200 S2=213 1222");
                                }
                                if (rows[r].last) {
                                        p.no_final = false;
                                        say(&p, "status 0 200");
                                        send_alert_chunk(&p, "com.x/a", "sixten", 0, false);
                                        post(&p);
                                        (void)snprintf(want, sizeof want, "S0=200 S2=%s Final",
                                                       rows[r].last);
                                        expect(&p, want);
                                        (void)snprintf(want, sizeof want, "%send 1", rows[r].log);
                                        heard(&p, want);
                                }
                                play_close(&p);
                        }
}

/* Half of one that is never gone on with is not mixed with the next. */
static void a_chunk_of_an_alert_is_forgotten(void **state)
{
        play p;

        (void)state;
        open_play(&p, 0);
        p.no_final = true;
        send_alert_chunk(&p, "com.x/a", "onetwo", 12, true);
        post(&p);
        p.no_final = false;
        say(&p, "status 0 200");
        odm_command *c = say_command(&p, ODM_CMD_ALERT);
        c->code = 1226;
        typed_item(&p, c, "com.x/b", "1")->source = ODM_STR("./Vendor/Y");
        post(&p);
        expect(&p, "S0=200 S2=200 Final");
        heard(&p, "auth; nonces c; alert 1226 com.x/b ; end 1");
        play_close(&p);
}

static void takes_chunked_results(void **state)
{
        static const struct row {
                const char *why;
                size_t size;
                const char *first, *last, *log;
        } rows[] = {
                {"whole", 9, "S0=200 S4=213 1222", "S0=200 Final",
                 "1/0 200 ./A=onetwosix; done 1; end 1"},
                {"another Size", 10, "S0=200 S4=213 1222", "S0=200 S3=424 Final",
                 "1/0 424; done 1; end 1"},
                {"no Size", 0, "S0=200 S4=411 1222", NULL, NULL},
                {"too large", 99999999, "S0=200 S4=413 1222", NULL, NULL},
        };
        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++)
                for (int saved = 0; saved < 2; saved++)
                        EACH_CODEC(i)
                        {
                                play p;
                                open_play(&p, i);
                                p.save_each = saved;
                                job(&p, 1);
                                package1(&p);
                                heard(&p, WELCOME);
                                p.no_final = true;
                                say(&p, "status 0 212");
                                say(&p, "status 4 200");
                                say(&p, "alert 1222");
                                send_chunk(&p, "one", rows[r].size, true);
                                post(&p);
                                assert_non_null(strstr(p.seen, rows[r].first + 7));
                                if (rows[r].last) {
                                        say(&p, "status 0 200");
                                        send_chunk(&p, "two", 0, true);
                                        post(&p);
                                        expect(&p, "S0=200 S2=213 1222");
                                        p.no_final = false;
                                        say(&p, "status 0 200");
                                        say(&p, "status 3 200");
                                        send_chunk(&p, "six", 0, false);
                                        post(&p);
                                        expect(&p, rows[r].last);
                                        heard(&p, rows[r].log);
                                }
                                play_close(&p);
                        }
}

/* A device that goes on with an object that was refused: its end is no value. */
static void the_rest_of_a_refused_object_is_none(void **state)
{
        static const struct row {
                const char *why;
                size_t size;
                const char *again, *last, *log;
        } rows[] = {
                {"no Size", 0, "S0=200 S2=411 1222", "S0=200 S2=411 Final",
                 "1/0 411; done 1; end 1"},
                {"too large", 99999999, "S0=200 S2=413 1222", "S0=200 S2=413 Final",
                 "1/0 413; done 1; end 1"},
        };
        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++)
                for (int saved = 0; saved < 2; saved++)
                        EACH_CODEC(i)
                        {
                                play p;
                                open_play(&p, i);
                                p.save_each = saved;
                                job(&p, 1);
                                package1(&p);
                                heard(&p, WELCOME);
                                p.no_final = true;
                                say(&p, "status 0 212");
                                say(&p, "status 4 200");
                                send_chunk(&p, "one", rows[r].size, true);
                                post(&p);
                                say(&p, "status 0 200");
                                send_chunk(&p, "two", 0, true);
                                post(&p);
                                expect(&p, rows[r].again);
                                p.no_final = false;
                                say(&p, "status 0 200");
                                send_chunk(&p, "six", 0, false);
                                post(&p);
                                expect(&p, rows[r].last);
                                heard(&p, rows[r].log);
                                play_close(&p);
                        }
}

/* Something else begins before the object is whole: Alert 1225 names it. */
static void results_that_break_off(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        chain(job(&p, 1), command(&p, ODM_CMD_GET, "./B", NULL));
        package1(&p);
        heard(&p, WELCOME);
        p.no_final = true;
        say(&p, "status 0 212");
        say(&p, "status 4 200");
        say(&p, "status 5 200");
        send_chunk(&p, "one", 9, true);
        post(&p);
        expect(&p, "S0=200 S4=213 1222");
        odm_command *c = say_command(&p, ODM_CMD_RESULTS);
        c->msg_ref = ODM_STR("1");
        c->cmd_ref = ODM_STR("5");
        say_item(&p, c, "./B", "b");
        post(&p);
        expect(&p, "S0=200 1225 1222");
        assert_str(p.reply->body->next->items->source, "./A");
        send_chunk(&p, "one", 6, true); /* it comes again, whole this time */
        post(&p);
        p.no_final = false;
        send_chunk(&p, "two", 0, false);
        post(&p);
        heard(&p, "1/0 200 ./A=onetwo; 1/1 200 ./B=b; done 1; end 1");
        play_close(&p);
}

/* Size may count what the base64 means; and an alert breaks an object off. */
static void base64_results(void **state)
{
        (void)state;
        for (int alert = 0; alert < 2; alert++) {
                play p;
                open_play(&p, 0);
                job(&p, 1);
                package1(&p);
                heard(&p, WELCOME);
                p.no_final = true;
                say(&p, "status 4 200");
                send_chunk(&p, "AAECAwQF", 9, true);
                p.out.body->next->items->meta.format = ODM_FMT_B64;
                post(&p);
                if (alert) {
                        say(&p, "alert 1226");
                        post(&p);
                        expect(&p, "S0=200 S1=412 1225 1222");
                }
                p.no_final = false;
                send_chunk(&p, "BgcI", alert ? 3 : 0, false);
                post(&p);
                heard(&p, alert ? "1/0 200 ./A=BgcI; done 1; end 1"
                                : "1/0 200 ./A=AAECAwQFBgcI; done 1; end 1");
                play_close(&p);
        }
}

static void object_that_grows_too_large(void **state)
{
        (void)state;
        for (int memory = 0; memory < 2; memory++) {
                play p;
                open_play(&p, 0);
                if (memory)
                        p.opt.max_memory = 20000;
                else
                        p.opt.max_obj_size = 20;
                job(&p, 1);
                package1(&p);
                heard(&p, WELCOME);
                p.no_final = true;
                say(&p, "status 4 200");
                if (memory) {
                        char *text = odm_arena_zget(&p.a, 12001);
                        memset(text, 'x', 12000);
                        send_chunk(&p, text, 12500, true);
                } else {
                        send_chunk(&p, "this is more than twenty octets", 19, true);
                }
                post(&p);
                if (p.rc == 0) { /* or the message itself was too much */
                        assert_non_null(strstr(p.seen, memory ? "S2=420" : "S2=413"));
                        p.no_final = false;
                        post(&p);
                        heard(&p, memory ? "1/0 420; done 1; end 1" : "1/0 413; done 1; end 1");
                } else {
                        assert_int_equal(p.rc, ODM_ELIMIT);
                }
                play_close(&p);
        }
}

static void package_ends_inside_an_object(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        job(&p, 1);
        package1(&p);
        heard(&p, WELCOME);
        say(&p, "status 0 212");
        say(&p, "status 4 200");
        send_chunk(&p, "one", 9, true);
        post(&p);
        heard(&p, "1/0 424; done 1; end 1");
        play_close(&p);
}

/* ---- falling back ----------------------------------------------------------------------- */

static odm_command *pair(play *p)
{
        return group(
                p, ODM_CMD_ATOMIC,
                chain(command(p, ODM_CMD_ADD, "./C", "1"), command(p, ODM_CMD_ADD, "./D", "2")));
}

static void atomic_is_split(void **state)
{
        (void)state;
        for (int split = 0; split < 2; split++)
                for (int saved = 0; saved < 2; saved++) {
                        play p;
                        open_play(&p, (size_t)saved);
                        p.save_each = saved;
                        job_list(&p, 1, chain(pair(&p), command(&p, ODM_CMD_GET, "./A", NULL)));
                        p.jobs[0].split_atomic = split;
                        job_list(&p, 2, pair(&p));
                        p.jobs[1].split_atomic = split;
                        package1(&p);
                        heard(&p, WELCOME);
                        if (!split) {
                                play_close(&p);
                                continue;
                        }
                        expect(&p, SETUP " Atomic[ Add(./C) Add(./D)] Final");
                        say(&p, "status 0 212");
                        say(&p, "status 4 406");
                        say(&p, "status 5 215");
                        post(&p);
                        expect(&p, "S0=200 Add(./C) Add(./D) Get(./A) Add(./C) Add(./D) Final");
                        heard(&p, saved ? "1/0 200; 2/0 200" : "1/0 200; 2/0 200");
                        say_all(&p, 200);
                        post(&p);
                        heard(&p,
                              "1/1 200; 1/2 200; 1/3 200 ./A=v; done 1; 2/1 200; 2/2 200; done 2; "
                              "end 1");
                        play_close(&p);
                }
}

static void user_alerts_and_nested_atomics(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                odm_command *ask = command(&p, ODM_CMD_ALERT, NULL, NULL);
                ask->code = 1101;
                say_item(&p, ask, NULL, "MINDT=1");
                say_item(&p, ask, NULL, "Go on?");
                job_list(&p, 1, group(&p, ODM_CMD_SEQUENCE, chain(ask, pair(&p))));
                package1(&p);
                expect(&p, SETUP " Sequence[ 1101 Atomic[ Add(./C) Add(./D)]] Final");
                heard(&p, WELCOME);
                say(&p, "status 0 212");
                say(&p, "status 4 200");
                say(&p, "status 5 304");
                say(&p, "status 6 215");
                say(&p, "status 7 215");
                say(&p, "status 8 215");
                post(&p);
                heard(&p, "1/0 200; 1/1 304; 1/2 215; 1/3 215; 1/4 215; done 1; end 1");
                play_close(&p);
        }
}

static void what_the_device_can_take(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.max_msg = 5000;
        p.max_obj = 70000;
        package1(&p);
        assert_int_equal(odm_server_peer_max_msg(p.s), 5000);
        assert_int_equal(odm_server_peer_max_obj(p.s), 70000);
        assert_string_equal(odm_server_diag(p.s), "");
        play_close(&p);
}

static void job_gone_inside_an_object(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.save_each = true;
        p.max_msg = 4096;
        job_list(&p, 1, chain(big(&p, 20000), command(&p, ODM_CMD_GET, "./A", NULL)));
        package1(&p);
        heard(&p, WELCOME);
        p.forget = true;
        say_all(&p, 213);
        say(&p, "alert 1222");
        p.no_final = true;
        post(&p);
        expect(&p, "S0=200 S3=200 Final");
        heard(&p, "1/0 500 unsent; 1/1 215 unsent; done 1; end 1");
        play_close(&p);
}

static void members_without_a_status(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        job_list(&p, 1, pair(&p));
        job_list(&p, 2, pair(&p));
        chain(job(&p, 3), command(&p, ODM_CMD_GET, "./B", NULL));
        package1(&p);
        heard(&p, WELCOME);
        say(&p, "status 0 212");
        say(&p, "status 4 200");
        say(&p, "status 7 406");
        say(&p, "status 10 200");
        post(&p);
        heard(&p, "1/0 200; 1/1 200; 1/2 200; done 1; 2/0 406; 2/1 215; 2/2 215; done 2; 3/0 200; "
                  "3/1 0; done 3; end 1");
        play_close(&p);
}

/* ---- values in the codec's form --------------------------------------------------------- */

static void values_take_the_codecs_form(void **state)
{
        static const char tnds[] =
                "<MgmtTree "
                "xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node><NodeName>M</NodeName>"
                "<RTProperties><Format><chr/></Format><Type><MIME>text/plain</MIME></Type>"
                "</RTProperties><Value>x</Value></Node></MgmtTree>";
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                bool xml = i == 0;
                open_play(&p, i);
                odm_command *c = big(&p, 5);
                odm_command *d = command(&p, ODM_CMD_ADD, "./M", NULL);
                d->items->data = (odm_data){ODM_DATA_XML, odm_cstr(tnds)};
                d->items->meta = (odm_meta){.present = true,
                                            .format = ODM_FMT_XML,
                                            .type = ODM_STR("application/vnd.syncml.dmtnds+xml")};
                job_list(&p, 1, chain(c, d));
                package1(&p);
                const odm_command *r = p.reply->body->next->next->next;
                assert_int_equal(r->items->meta.format, xml ? ODM_FMT_B64 : ODM_FMT_BIN);
                assert_int_equal(r->items->data.bytes.n, xml ? 8 : 5);
                assert_int_equal(r->next->items->data.kind, xml ? ODM_DATA_XML : ODM_DATA_OPAQUE);
                assert_str(r->next->items->meta.type, xml ? "application/vnd.syncml.dmtnds+xml"
                                                          : "application/vnd.syncml.dmtnds+wbxml");
                assert_int_equal(c->items->data.kind,
                                 ODM_DATA_OPAQUE); /* the host's stay as they are */
                assert_int_equal(d->items->data.kind, ODM_DATA_XML);
                play_close(&p);
        }
}

static void large_document(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                odm_buf doc;
                open_play(&p, i);
                odm_buf_init(&doc, &heap, 65536);
                assert_int_equal(odm_buf_fmt(&doc, "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2"
                                                   "</VerDTD>"),
                                 0);
                for (int n = 0; n < 60; n++)
                        assert_int_equal(
                                odm_buf_fmt(&doc,
                                            "<Node><NodeName>N%d</NodeName><RTProperties>"
                                            "<Format><chr/></Format><Type><MIME>text/plain"
                                            "</MIME></Type></RTProperties><Value>some longer "
                                            "text for a value</Value></Node>",
                                            n),
                                0);
                assert_int_equal(odm_buf_fmt(&doc, "</MgmtTree>"), 0);
                odm_command *d = command(&p, ODM_CMD_ADD, "./M", NULL);
                d->items->data = (odm_data){ODM_DATA_XML, odm_buf_view(&doc)};
                d->items->meta = (odm_meta){.present = true,
                                            .format = ODM_FMT_XML,
                                            .type = ODM_STR("application/vnd.syncml.dmtnds+xml")};
                job_list(&p, 1, d);
                p.max_msg = 2000;
                package1(&p);
                heard(&p, WELCOME);
                unsigned n = 0;
                while (p.rc == 0 && !odm_server_ended(p.s) && ++n < 40) {
                        p.no_final = !p.reply->final;
                        say_all(&p, p.no_final ? 213 : 200);
                        if (p.no_final)
                                say(&p, "alert 1222");
                        post(&p);
                }
                heard(&p, "1/0 200; done 1; end 1");
                assert_true(n > 2);
                odm_buf_done(&doc);
                play_close(&p);
        }
}

static void broken_document(void **state)
{
        (void)state;
        play p;
        open_play(&p, 1);
        odm_command *d = command(&p, ODM_CMD_ADD, "./M", NULL);
        d->items->data = (odm_data){ODM_DATA_XML, ODM_STR("<MgmtTree")};
        d->items->meta = (odm_meta){.present = true,
                                    .format = ODM_FMT_XML,
                                    .type = ODM_STR("application/vnd.syncml.dmtnds+xml")};
        job_list(&p, 1, d);
        package1(&p);
        expect(&p, SETUP " Final");
        heard(&p, WELCOME "; 1/0 400 unsent; done 1 unsent; end 1");
        play_close(&p);
}

/* ---- addresses, ceilings, saving -------------------------------------------------------- */

static void addresses(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.opt.resp_uri = ODM_STR("http://dm/s?sid=7");
        p.content_type = "application/vnd.syncml+xml; charset=utf-8";
        job(&p, 1);
        package1(&p);
        assert_str(p.reply->hdr.resp_uri, "http://dm/s?sid=7");
        assert_true(p.reply->hdr.meta.has_max_msg && p.reply->hdr.meta.has_max_obj);
        assert_str(p.reply_type, "application/vnd.syncml+xml"); /* answered in kind */
        say_all(&p, 200);
        post(&p);
        assert_str(p.reply->hdr.resp_uri, "http://dm/s?sid=7");
        play_close(&p);
}

static void message_ceiling(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.opt.max_messages = 4;
        for (uint64_t n = 1; n < 9; n++) {
                job(&p, n);
                p.jobs[n - 1].alone = true;
        }
        package1(&p);
        say_all(&p, 200);
        post(&p);
        expect(&p, "S0=200 1223 Final");
        assert_int_equal(odm_server_outcome(p.s), ODM_OUTCOME_BAD_MESSAGE);
        play_close(&p);
}

static void memory_ceiling(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.opt.max_memory = 3000;
        package1(&p);
        assert_int_equal(p.rc, ODM_ELIMIT);
        post(&p);
        assert_int_equal(p.rc, ODM_ELIMIT); /* spent */
        play_close(&p);
        open_play(&p, 0);
        p.opt.max_msg_size = 600;
        package1(&p);
        assert_int_equal(p.rc, ODM_ELIMIT);
        play_close(&p);
}

static void command_ceiling(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.opt.max_in_message = 2;
        chain(job(&p, 1),
              chain(command(&p, ODM_CMD_GET, "./B", NULL), command(&p, ODM_CMD_GET, "./C", NULL)));
        package1(&p);
        expect(&p, SETUP " Get(./A) Get(./B) Final");
        play_close(&p);
}

static void tiny_messages(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.max_msg = 100;
        job(&p, 1);
        package1(&p);
        assert_int_equal(odm_server_outcome(p.s), ODM_OUTCOME_TOO_LARGE);
        play_close(&p);
}

/* An ordinary session between two messages holds little beside the reply. */
static void little_memory_between_messages(void **state)
{
        (void)state;
        play p;
        open_play(&p, 1);
        odm_command *list = job(&p, 1);
        for (int n = 0; n < 19; n++)
                chain(list, command(&p, ODM_CMD_GET, "./DevDetail/SwV", NULL));
        package1(&p);
        size_t held = odm_server_memory(p.s), reply = 256;
        while (reply < p.reply_n)
                reply *= 2; /* as a buffer grows */
        print_message("# %zu octets held between messages, beside a reply of %zu\n", held - reply,
                      p.reply_n);
        assert_true(held - reply <= 4096);
        play_close(&p);
}

static void job_gone_after_a_load(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.opt.max_in_message = 1;
        p.save_each = true;
        chain(job(&p, 1),
              chain(command(&p, ODM_CMD_GET, "./B", NULL), command(&p, ODM_CMD_GET, "./C", NULL)));
        package1(&p);
        heard(&p, WELCOME);
        p.forget = true;
        say_all(&p, 200);
        post(&p);
        expect(&p, "S0=200 Final");
        heard(&p, "1/0 200 ./A=v; 1/1 500 unsent; 1/2 215 unsent; done 1; end 1");
        play_close(&p);
}

/* The commands that the challenge took back are told too, though nobody has them to send again. */
static void job_gone_when_challenged(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.save_each = true;
        chain(job(&p, 1), command(&p, ODM_CMD_GET, "./B", NULL));
        package1(&p);
        heard(&p, WELCOME);
        p.forget = true;
        say_all(&p, 407);
        p.out.body->code = 407;
        p.out.body->chal = chal("AAECAwQFBgcICQoLDA0ODw==");
        post(&p);
        expect(&p, "S0=200 Final");
        heard(&p, "nonces s; 1/0 500 unsent; 1/1 215 unsent; done 1; end 1");
        play_close(&p);
}

static void every_cut_of_a_saved_session(void **state)
{
        (void)state;
        play p;
        odm_buf b;
        odm_server *s = NULL;
        open_play(&p, 0);
        p.max_msg = 4096;
        job_list(&p, 1, big(&p, 20000));
        package1(&p);
        odm_buf_init(&b, &heap, 1u << 20);
        assert_int_equal(odm_server_save(p.s, &b), 0);
        for (size_t n = 0; n < b.n; n += n < 600 ? 1 : 97) {
                odm_str cut = exact_bytes(b.p, n);
                assert_int_equal(odm_server_load(&p.opt, cut, &s), ODM_EMALFORMED);
                assert_null(s);
                exact_free(cut);
        }
        odm_buf_done(&b);
        play_close(&p);
}

static void states_that_forbid(void **state)
{
        (void)state;
        play p;
        odm_buf b;
        odm_packet in;
        const odm_event *ev;
        odm_packet out;
        open_play(&p, 0);
        play_start(&p);
        odm_buf_init(&b, &heap, 1u << 20);
        assert_int_equal(odm_server_send(p.s, &out), 0);
        assert_int_equal(odm_server_work(p.s, NULL), ODM_ESTATE);
        package1(&p);
        say(&p, "status 0 212");
        p.msg_id--;
        post(&p); /* to have a message at hand: refused, the number was used */
        in = (odm_packet){.body = odm_buf_view(&p.body)};
        play q;
        open_play(&q, 0);
        play_start(&q);
        assert_int_equal(odm_server_recv(q.s, &in, (odm_time){0}), 0);
        assert_int_equal(odm_server_recv(q.s, &in, (odm_time){0}), ODM_ESTATE);
        assert_int_equal(odm_server_save(q.s, &b), ODM_ESTATE);
        assert_int_equal(odm_server_send(q.s, &out), 0);
        while (odm_server_next(q.s, &ev) == 1)
                ;
        assert_int_equal(odm_server_send(q.s, &out), 1);
        odm_buf_done(&b);
        play_close(&q);
        play_close(&p);
        odm_server_opt bad = p.opt;
        odm_server *s = NULL;
        bad.server_uri = ODM_ABSENT;
        assert_int_equal(odm_server_new(&bad, &s), ODM_EINVAL);
        assert_null(s);
        odm_server_free(NULL);
}

static void peeks(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                odm_peek peek;
                odm_limits lim;
                open_play(&p, i);
                p.show = ODM_AUTH_BASIC;
                package1(&p);
                odm_limits_init(&lim);
                assert_int_equal(odm_server_peek(p.codec, odm_buf_view(&p.body), &lim, &p.a, &peek),
                                 0);
                assert_str(peek.session_id, "A1");
                assert_str(peek.msg_id, "1");
                assert_str(peek.source, "IMEI:1");
                assert_str(peek.user, "dev");
                assert_str(peek.cred_user, "dev");
                assert_str(peek.target, "http://dm/s");
                assert_int_equal(odm_server_peek(p.codec, ODM_STR("no"), &lim, &p.a, &peek) < 0,
                                 true);
                play_close(&p);
        }
}

/* ---- torture ---------------------------------------------------------------------------- */

struct tortured {
        size_t codec;
        bool save;
        size_t pad; /* octets of an alert, which move where a block of memory ends */
};

static int whole_session(failing *f, void *arg)
{
        const struct tortured *t = arg;
        char pad[2048];
        play p;
        int rc;

        memset(pad, 'p', sizeof pad);
        pad[t->pad] = '\0';
        play_open(&p, codecs[t->codec], &f->mem);
        p.save_each = t->save;
        p.max_msg = 3000;
        chain(job(&p, 1), chain(pair(&p), big(&p, 4000)));
        job(&p, 2);
        package1(&p);
        for (int n = 0; n < 30 && p.rc == 0 && !odm_server_ended(p.s); n++) {
                const odm_command *c = p.reply->body;
                while (c->next)
                        c = c->next;
                bool more = c->items && c->items->more;
                p.no_final = n == 1 || more;
                say_all(&p, more ? 213 : 200);
                if (n == 0) {
                        odm_command *a = say_command(&p, ODM_CMD_ALERT);
                        a->code = 1226;
                        typed_item(&p, a, "com.x/a", pad);
                }
                post(&p);
        }
        rc = p.rc;
        play_close(&p);
        return rc;
}

static void no_memory_anywhere(void **state)
{
        (void)state;
        for (int save = 0; save < 2; save++)
                EACH_CODEC(i)
                {
                        struct tortured t = {i, save, 1};
                        torture(whole_session, &t, 250);
                }
}

/* Most is taken from blocks, so that only who needs a new one sees it fail: each in its turn. */
static void no_block_anywhere(void **state)
{
        (void)state;
        for (size_t pad = 30; pad < 1900; pad += 83) {
                struct tortured t = {1, pad & 1, pad};
                torture(whole_session, &t, 100);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(idle_session_ends),
                cmocka_unit_test(one_get),
                cmocka_unit_test(many_jobs_share_a_message),
                cmocka_unit_test(statuses_of_one_command_are_merged),
                cmocka_unit_test(bad_jobs_are_refused),
                cmocka_unit_test(a_job_has_a_ceiling),
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
                cmocka_unit_test(versions),
                cmocka_unit_test(message_order),
                cmocka_unit_test(repetition_lends_the_last_reply),
                cmocka_unit_test(rubbish_changes_nothing),
                cmocka_unit_test(stale_messages_change_nothing),
                cmocka_unit_test(illegal_commands),
                cmocka_unit_test(odd_numbers),
                cmocka_unit_test(devinfo_of_all_kinds),
                cmocka_unit_test(nul_in_data),
                cmocka_unit_test(device_alerts),
                cmocka_unit_test(alerts_of_a_challenged_message),
                cmocka_unit_test(device_stops),
                cmocka_unit_test(server_stops),
                cmocka_unit_test(whole_message_refused),
                cmocka_unit_test(next_message),
                cmocka_unit_test(package1_of_two_messages),
                cmocka_unit_test(small_messages),
                cmocka_unit_test(statuses_that_find_no_room),
                cmocka_unit_test(sends_a_large_object),
                cmocka_unit_test(text_is_cut_between_characters),
                cmocka_unit_test(large_objects_that_cannot_go),
                cmocka_unit_test(max_obj_size_counts_what_travels),
                cmocka_unit_test(values_that_xml_cannot_carry),
                cmocka_unit_test(too_big_for_one_message),
                cmocka_unit_test(object_that_breaks_off),
                cmocka_unit_test(chunk_refused),
                cmocka_unit_test(chunk_challenged),
                cmocka_unit_test(chunk_after_a_refusal),
                cmocka_unit_test(takes_chunked_alerts),
                cmocka_unit_test(a_chunk_of_an_alert_is_forgotten),
                cmocka_unit_test(takes_chunked_results),
                cmocka_unit_test(the_rest_of_a_refused_object_is_none),
                cmocka_unit_test(results_that_break_off),
                cmocka_unit_test(base64_results),
                cmocka_unit_test(object_that_grows_too_large),
                cmocka_unit_test(package_ends_inside_an_object),
                cmocka_unit_test(user_alerts_and_nested_atomics),
                cmocka_unit_test(what_the_device_can_take),
                cmocka_unit_test(job_gone_inside_an_object),
                cmocka_unit_test(atomic_is_split),
                cmocka_unit_test(members_without_a_status),
                cmocka_unit_test(values_take_the_codecs_form),
                cmocka_unit_test(large_document),
                cmocka_unit_test(broken_document),
                cmocka_unit_test(addresses),
                cmocka_unit_test(message_ceiling),
                cmocka_unit_test(memory_ceiling),
                cmocka_unit_test(command_ceiling),
                cmocka_unit_test(tiny_messages),
                cmocka_unit_test(little_memory_between_messages),
                cmocka_unit_test(job_gone_after_a_load),
                cmocka_unit_test(job_gone_when_challenged),
                cmocka_unit_test(every_cut_of_a_saved_session),
                cmocka_unit_test(states_that_forbid),
                cmocka_unit_test(peeks),
                cmocka_unit_test(no_memory_anywhere),
                cmocka_unit_test(no_block_anywhere),
        };

        return RUN_TESTS(tests);
}
