/* SPDX-License-Identifier: Apache-2.0 */
/* What the server engine does without: commands that a device refuses, room, memory, its own
 * state saved and loaded. */
#include "script.h"
#include "support.h"

/* ---- falling back ---------------------------------------------------------------------------- */

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

/* ---- addresses, ceilings, saving ------------------------------------------------------------- */

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

/* ---- torture --------------------------------------------------------------------------------- */

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
                cmocka_unit_test(user_alerts_and_nested_atomics),
                cmocka_unit_test(what_the_device_can_take),
                cmocka_unit_test(job_gone_inside_an_object),
                cmocka_unit_test(atomic_is_split),
                cmocka_unit_test(members_without_a_status),
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
