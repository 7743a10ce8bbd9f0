/* SPDX-License-Identifier: Apache-2.0 */
/* bootstrap_test.c - a message in a file makes an account, and the agent calls its server. */
#include "bootstrap.h"

#include <unistd.h>

#include "agent.h"
#include "dm_fake.h"
#include "heap.h"
#include "log.h"
#include "support.h"

typedef struct world {
        dm_fake f;
        char dir[64];
        cfg *c;
        odm_buf message, told;
        diag d;
        const char *const *pins; /* what the user types, one after the other */
        unsigned asked;
        bool again;
} world;

static void set(world *w, const char *fmt, const char *value)
{
        char text[256];

        snprintf(text, sizeof text, fmt, value);
        assert_int_equal(cfg_set(w->c, text, &w->d), 0);
}

static int set_up(void **state)
{
        world *w = calloc(1, sizeof *w);

        log_init("bootstrap_test", LOG_LEVEL_ERROR, LOG_FORM_TEXT, 2, NULL);
        snprintf(w->dir, sizeof w->dir, "/tmp/bootstrap_test.XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        dm_fake_start(&w->f, NULL, NULL);
        assert_int_equal(cfg_new(conf_keys, conf_keys_n, &w->c), 0);
        set(w, "agent.state=%s/state", w->dir);
        set(w, "device.id=%s", "urn:uuid:test-device");
        set(w, "wake.enabled=%s", "no");
        odm_buf_init(&w->message, &heap_mem, ODM_BOOT_MAX);
        odm_buf_init(&w->told, &heap_mem, 65536);
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        world *w = *state;
        char command[96];

        dm_fake_stop(&w->f);
        cfg_free(w->c);
        odm_buf_done(&w->message);
        odm_buf_done(&w->told);
        snprintf(command, sizeof command, "rm -r %s", w->dir);
        assert_int_equal(system(command), 0);
        free(w);
        return 0;
}

/* Makes a message for the server of the test. */
static void make_message(world *w, odm_boot_profile p, odm_boot_sec sec, const char *network,
                         const char *pin, const char *password)
{
        const odm_boot_keys keys = {odm_cstr(network), odm_cstr(pin)};
        odm_boot_offer o = {.account = {.server_id = ODM_STR(FAKE_ID),
                                        .user = ODM_STR(FAKE_USER),
                                        .password = odm_cstr(password),
                                        .type = ODM_AUTH_MD5,
                                        .server_user = ODM_STR(FAKE_ID),
                                        .server_password = ODM_STR(FAKE_PASSWORD),
                                        .server_type = ODM_AUTH_MD5}};
        odm_buf doc;
        odm_boot b;
        char url[64];

        snprintf(url, sizeof url, "http://localhost:%u/dm", w->f.plain);
        o.account.addr = odm_cstr(url);
        odm_buf_init(&doc, &heap_mem, ODM_BOOT_MAX);
        odm_buf_cut(&w->message, 0);
        assert_int_equal(odm_boot_make(p, &o, &doc), 0);
        assert_int_equal(odm_boot_sign(p, sec, &keys, odm_buf_view(&doc), &b), 0);
        assert_int_equal(odm_boot_put_mime(&b, &w->message), 0);
        odm_buf_done(&doc);
}

static int ask(void *ctx, bool again, char *out, size_t room)
{
        world *w = ctx;

        assert_int_equal(again, w->asked > 0);
        if (w->pins[w->asked] == NULL)
                return ODM_ENOENT;
        snprintf(out, room, "%s", w->pins[w->asked++]);
        return 0;
}

static int run(world *w, const char *pin, const char *const *pins, bool replace)
{
        const bootstrap_opt o = {.path = "message",
                                 .message = odm_buf_view(&w->message),
                                 .pin = pin,
                                 .replace = replace,
                                 .ask = pins ? ask : NULL,
                                 .ctx = w};

        w->pins = pins;
        w->asked = 0;
        w->d.text[0] = '\0';
        odm_buf_cut(&w->told, 0);
        return bootstrap_run(w->c, "0.0", &o, &w->told, &w->d);
}

static void says(world *w, int rc, const char *text)
{
        if (rc >= 0 || !strstr(w->d.text, text))
                fail_msg("%d '%s', not '%s'", rc, w->d.text, text);
        assert_int_equal(w->told.n, 0);
}

/* The agent with an account of the message: its session goes well. */
static void agent_calls(world *w)
{
        odm_time limit = odm_time_add(loop_now(), 15000);
        agent *g = NULL;
        loop *l = NULL;

        assert_int_equal(loop_new(&l), 0);
        if (agent_open(w->c, l, "0.0", false, NULL, &g, &w->d) < 0)
                fail_msg("%s", w->d.text);
        while (dm_fake_done(&w->f) == 0) {
                if (odm_time_reached(loop_now(), limit))
                        fail_msg("no session");
                assert_int_equal(loop_once(l, 50), 0);
        }
        assert_int_equal(w->f.alerts_1201, 1); /* the client begins */
        agent_close(g);
        loop_free(l);
}

static void a_pin_makes_an_account_that_works(void **state)
{
        static const char *const pins[] = {"1111", "2222", "1234", NULL};
        world *w = *state;

        make_message(w, ODM_BOOT_DM, ODM_BOOT_USER, NULL, "1234", FAKE_USER_PASSWORD);
        if (run(w, NULL, pins, false) < 0)
                fail_msg("%s", w->d.text);
        assert_int_equal(w->asked, 3);
        assert_str(odm_buf_view(&w->told), "account of " FAKE_ID ": ./DMAcc/1\n");
        agent_calls(w);
}

static void what_the_network_knows_makes_one(void **state)
{
        world *w = *state;

        make_message(w, ODM_BOOT_CP, ODM_BOOT_NETWORK, "234150123456789", NULL, FAKE_USER_PASSWORD);
        set(w, "bootstrap.network_key=%s", "234150123456789");
        if (run(w, NULL, NULL, false) < 0)
                fail_msg("%s", w->d.text);
        agent_calls(w);
}

static void what_is_not_proved_changes_nothing(void **state)
{
        static const char *const wrong[] = {"1", "2", "3", "1234", NULL}, *const none[] = {NULL};
        world *w = *state;
        agent *g = NULL;
        loop *l = NULL;

        make_message(w, ODM_BOOT_DM, ODM_BOOT_USER, NULL, "1234", FAKE_USER_PASSWORD);
        says(w, run(w, NULL, wrong, false), "not proved by this PIN");
        assert_int_equal(w->asked, 3);
        says(w, run(w, "4321", wrong, false), "not proved by this PIN");
        assert_int_equal(w->asked, 0);
        says(w, run(w, NULL, none, false), "a PIN is needed");
        says(w, run(w, NULL, NULL, false), "a PIN is needed");
        make_message(w, ODM_BOOT_DM, ODM_BOOT_NETWORK, "1", NULL, FAKE_USER_PASSWORD);
        says(w, run(w, "1", NULL, false), "network_key does not fit");
        assert_int_equal(loop_new(&l), 0);
        says(w, agent_open(w->c, l, "0.0", false, NULL, &g, &w->d), "there is no account");
        loop_free(l);
}

static void messages_that_are_none_are_refused(void **state)
{
        static const struct {
                const char *text, *says;
        } rows[] = {
                {"", "no bootstrap message"},
                {"hello", "no bootstrap message"},
                {"Content-Type: application/vnd.syncml.dm+wbxml\n\nx", "nothing proves"},
                {"Content-Type: text/plain; SEC=1\n\nx", "another purpose"},
                {"Content-Type: application/vnd.wap.connectivity-wbxml; SEC=3\n\nx",
                 "not proved by this PIN"},
        };
        world *w = *state;

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_buf_cut(&w->message, 0);
                assert_int_equal(odm_buf_str(&w->message, odm_cstr(rows[i].text)), 0);
                says(w, run(w, "1234", NULL, false), rows[i].says);
        }
}

static void a_known_server_is_replaced_only_when_asked(void **state)
{
        world *w = *state;

        make_message(w, ODM_BOOT_DM, ODM_BOOT_USER, NULL, "1234", "wrong-password");
        assert_int_equal(run(w, "1234", NULL, false), 0);
        make_message(w, ODM_BOOT_DM, ODM_BOOT_USER, NULL, "1234", FAKE_USER_PASSWORD);
        says(w, run(w, "1234", NULL, false), "there is an account of this server");
        assert_int_equal(run(w, "1234", NULL, true), 0);
        assert_str(odm_buf_view(&w->told), "account of " FAKE_ID ": ./DMAcc/1\n");
        agent_calls(w);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(a_pin_makes_an_account_that_works),
                TEST(what_the_network_knows_makes_one),
                TEST(what_is_not_proved_changes_nothing),
                TEST(messages_that_are_none_are_refused),
                TEST(a_known_server_is_replaced_only_when_asked),
        };

        return RUN_TESTS(tests);
}
