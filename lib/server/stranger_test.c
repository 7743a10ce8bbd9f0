/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of others in a session under way: who saw its address on an open transport can post
 * to it, and must neither learn nor change anything (dm-protocol.md 9). */
#include "script.h"
#include "support.h"

/* A session that proves every message, and waits for the answer to a Get. */
static void begins(play *p, size_t i)
{
        play_open(p, codecs[i], &heap);
        p->opt.every_message = true;
        p->opt.peer.server_type = ODM_AUTH_MD5;
        job(p, 1);
        package1(p);
        expect(p, "S0=200! S1=200 S2=200 Get(./A) Final");
        assert_true(p->reply->hdr.cred.present);
        p->log[0] = '\0';
}

static void who_proves_nothing_sees_no_credentials(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                begins(&p, i);
                p.password = "guessed";
                say(&p, "status 0 200");
                post(&p);
                expect(&p, "S0=401! Final");
                assert_false(p.reply->hdr.cred.present);
                say(&p, "status 0 200");
                post(&p);
                expect(&p, "S0=401 Final"); /* the last word, to the same stranger */
                assert_false(p.reply->hdr.cred.present);
                assert_int_equal(p.reply->hdr.source_name.n, 0);
                play_close(&p);
        }
}

static void no_version_moves_the_numbers(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                begins(&p, i);
                odm_msg *ours = p.reply;
                p.proto = "DM/9.9";
                p.show = ODM_AUTH_NONE;
                p.msg_id = 900;
                say(&p, "alert 1201");
                post(&p);
                expect(&p, "S0=513 S1=513 Final");

                p.proto = "DM/1.2"; /* the device itself goes on */
                p.show = ODM_AUTH_MD5;
                p.msg_id = 2;
                p.reply = ours;
                say_all(&p, 200);
                post(&p);
                expect(&p, "S0=200! Final");
                heard(&p, "nonces c; 1/0 200 ./A=v; done 1; end 1");
                play_close(&p);
        }
}

static void no_size_is_believed_unproved(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                begins(&p, i);
                p.password = "guessed";
                p.msg_id = 900;
                p.max_msg = 100;
                say(&p, "alert 1201");
                post(&p);
                expect(&p, "S0=401! S1=401 Final");
                heard(&p, "failed");
                assert_false(odm_server_ended(p.s));
                assert_int_equal(odm_server_peer_max_msg(p.s), 0);
                play_close(&p);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_proves_nothing_sees_no_credentials),
                cmocka_unit_test(no_version_moves_the_numbers),
                cmocka_unit_test(no_size_is_believed_unproved),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
