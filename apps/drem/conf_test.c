/* SPDX-License-Identifier: Apache-2.0 */
/* conf_test.c - what the table of settings cannot say by itself. */
#include "conf.h"

#include <unistd.h>

#include "support.h"

static const struct row {
        const char *why, *text, *says; /* says NULL: good */
} rows[] = {
        {"nothing at all", "", NULL},
        {"an account", "[account]\nserver_id = a\nurl = https://h/dm\n", NULL},
        {"no URL", "[account]\nserver_id = a\n", "account.url is missing"},
        {"no server", "[account]\nurl = https://h/dm\n", "account.server_id is missing"},
        {"a URL of another kind", "[account]\nserver_id = a\nurl = coap://h/dm\n", "account.url"},
        {"two passwords", "[account]\npassword = a\npassword_file = b\n", "exclude each other"},
        {"two server passwords", "[account]\nserver_password = a\nserver_password_file = b\n",
         "exclude each other"},
        {"two network keys", "[bootstrap]\nnetwork_key = a\nnetwork_key_file = b\n",
         "exclude each other"},
        {"an installer", "[firmware]\ninstaller = exec\ncommand = /bin/true\n", NULL},
        {"no installer", "[firmware]\ninstaller = exec\n", "firmware.command is missing"},
        {"no port to listen on", "[wake]\nlisten = 127.0.0.1\n", "wake.listen"},
        {"... which does not matter", "[wake]\nenabled = no\nlisten = 127.0.0.1\n", NULL},
        {"a wake-up address", "[wake]\naddress = udp://192.0.2.1:2948\n", NULL},
        {"... of another kind", "[wake]\naddress = tcp://192.0.2.1:2948\n", "wake.address"},
        {"too often", "[session]\ninterval = 9s\n", "shorter than"},
        {"never by the clock", "[session]\ninterval = 0\n", NULL},
        {"waits upside down", "[session]\nretry_min = 1h\nretry_max = 1m\n", "longer than"},
        {"a network", "[network]\nbackend = networkd\nethernet = eth0\n[nap e]\naddr = eth0\n",
         NULL},
        {"no program", "[network]\nbackend = exec\n", "network.command is missing"},
        {"a modem of networkd", "[network]\nbackend = networkd\nmodem = yes\n", "network.modem"},
        {"an access point of nothing", "[network]\nbackend = networkd\n[nap e]\ntitle = E\n",
         "[nap e]: addr is missing"},
        {"what can be wiped", "[lawmo]\nwipe_paths = /srv/a, /srv/b\n[wipe x]\ncommand = true\n",
         NULL},
        {"nothing to wipe", "[wipe x]\ntitle = X\n", "[wipe x] has neither"},
        {"not from the root", "[wipe x]\npaths = srv\n", "wipe *.paths: 'srv' is no path"},
        {"the root", "[lawmo]\nwipe_paths = /\n", "'/' is no path"},
        {"the root, hidden", "[lawmo]\nwipe_paths = ///\n", "is no path"},
        {"by a detour", "[lawmo]\nwipe_paths = /srv/../etc\n", "is no path"},
        {"back at its end", "[lawmo]\nwipe_paths = /srv/..\n", "is no path"},
        {"the same, shorter", "[lawmo]\nwipe_paths = /..\n", "is no path"},
        {"the root by a dot", "[lawmo]\nwipe_paths = /.\n", "is no path"},
        {"one letter", "[lawmo]\nwipe_paths = /x\n", NULL},
        {"a log", "[log]\nfile = /srv/x/log\n[lawmo]\nwipe_paths = /srv/x\n", NULL},
        {"the state", "[lawmo]\nwipe_paths = /var/lib/dremd\n", "agent.state is there"},
        {"above the state", "[lawmo]\nwipe_paths = /var/\n", "agent.state is there"},
        {"within the state", "[lawmo]\nwipe_paths = /var/lib/dremd/journal\n",
         "agent.state is there"},
        {"beside the state", "[lawmo]\nwipe_paths = /var/lib/dremd2\n", NULL},
        {"a password", "[account]\npassword_file = /srv/x/p\n[lawmo]\nwipe_paths = /srv/x\n",
         "account.password_file is there"},
        {"beside a password",
         "[account]\npassword_file = /srv/x/p\n[lawmo]\nwipe_paths = /srv/x/q\n", NULL},
        {"keys", "[firmware]\nkeys = /srv/keys\n[wipe k]\npaths = /srv/keys\n",
         "firmware.keys is there"},
        {"a capability", "[capability cam]\nenable = true\n", NULL},
        {"none", "[capability cam]\nstate = true\n", "[capability cam] has no command"},
};

static void settings_that_need_others_are_checked(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                diag d = {{0}};
                int rc;
                cfg *c;

                assert_int_equal(cfg_new(conf_keys, conf_keys_n, &c), 0);
                assert_int_equal(cfg_parse(c, odm_cstr(r->text), "f", &d), 0);
                rc = conf_check(c, &d);
                if ((rc < 0) != (r->says != NULL) || (r->says && !strstr(d.text, r->says)))
                        fail_msg("%s: %d '%s'", r->why, rc, d.text);
                cfg_free(c);
        }
}

static void secrets_come_from_files(void **state)
{
        char path[] = "/tmp/conf_test.XXXXXX", text[64], out[8];
        int fd = mkstemp(path);
        diag d = {{0}};
        cfg *c;

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "secret\nmore\n", 12), 12);
        close(fd);
        assert_int_equal(cfg_new(conf_keys, conf_keys_n, &c), 0);
        assert_int_equal(conf_secret(c, "account.password", "account.password_file", out, 8, &d),
                         0);
        assert_string_equal(out, "");
        snprintf(text, sizeof text, "account.password_file=%s", path);
        assert_int_equal(cfg_set(c, text, &d), 0);
        assert_int_equal(conf_secret(c, "account.password", "account.password_file", out, 8, &d),
                         0);
        assert_string_equal(out, "secret");
        assert_int_equal(conf_secret(c, "account.password", "account.password_file", out, 6, &d),
                         ODM_ELIMIT);
        unlink(path);
        assert_int_equal(conf_secret(c, "account.password", "account.password_file", out, 8, &d),
                         ODM_ENOENT);
        cfg_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(settings_that_need_others_are_checked),
                cmocka_unit_test(secrets_come_from_files),
        };

        return RUN_TESTS(tests);
}
