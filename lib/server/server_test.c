/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the server engine against a scripted device, each in XML and in WBXML.
 * What a row expects is written as script.h tells. */
#include "script.h"
#include "support.h"

/* ---- sessions -------------------------------------------------------------------------------- */

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

/* ---- versions and order ---------------------------------------------------------------------- */

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

/* ---- what a device may say ------------------------------------------------------------------- */

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

/* ---- packages of several messages ------------------------------------------------------------ */

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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(idle_session_ends),
                cmocka_unit_test(one_get),
                cmocka_unit_test(many_jobs_share_a_message),
                cmocka_unit_test(statuses_of_one_command_are_merged),
                cmocka_unit_test(bad_jobs_are_refused),
                cmocka_unit_test(a_job_has_a_ceiling),
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
        };

        return RUN_TESTS(tests);
}
