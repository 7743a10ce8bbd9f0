/* SPDX-License-Identifier: Apache-2.0 */
/* nremd as a whole program: it starts, serves, says what is wrong, and stops. */
#include <signal.h>
#include <sys/stat.h>

#include "daemon.h"
#include "fsio.h"

static void makes_certificates_once(void **state)
{
        char option[128];
        struct stat before, after;

        (void)state;
        (void)snprintf(option, sizeof option, "--make-dev-ca=%s", daemon_path("ca"));
        const char *const args[] = {option, NULL};
        assert_int_equal(daemon_end(daemon_run("out", args)), 0);
        assert_int_equal(stat(daemon_path("ca/server.key"), &before), 0);
        assert_int_equal(before.st_mode & 0777, 0600);
        assert_int_equal(daemon_end(daemon_run("out", args)), 0);
        assert_int_equal(stat(daemon_path("ca/server.key"), &after), 0);
        assert_true(before.st_ino == after.st_ino && before.st_mtime == after.st_mtime);
}

static void serves_and_keeps_what_it_acknowledged(void **state)
{
        odm_buf first, second;
        struct stat db;

        (void)state;
        daemon_process p = daemon_start("log1", NULL);
        first = daemon_text("state/admin.token");
        assert_true(daemon_says("log1", first.p)); /* told once */
        assert_int_equal(stat(daemon_path("state/nrem.db"), &db), 0);
        assert_int_equal(db.st_mode & 077, 0); /* ours alone, whatever the folder */
        assert_int_equal(daemon_ask(&p, false, "GET", "/healthz", NULL, NULL), 200);
        assert_int_equal(
                daemon_ask(&p, false, "POST", "/api/v1/devices", "{\"name\":\"a/b\"}", NULL), 201);
        assert_int_equal(daemon_ask(&p, true, "GET", "/api/v1/devices/a%2Fb", NULL, NULL), 200);
        assert_int_equal(daemon_ask(&p, true, "GET", "/metrics", NULL, NULL), 200);
        kill(p.pid, SIGTERM);
        assert_int_equal(daemon_end(p.pid), 0);
        assert_true(daemon_says("log1", "\"ended\""));

        p = daemon_start("log2", NULL);
        second = daemon_text("state/admin.token");
        assert_str(odm_cstr(second.p), first.p);
        assert_false(daemon_says("log2", "xrem_"));
        assert_int_equal(daemon_ask(&p, false, "GET", "/api/v1/devices/a%2Fb", NULL, NULL), 200);
        assert_int_equal(daemon_ask(&p, false, "DELETE", "/api/v1/devices/a%2Fb", NULL, NULL), 204);
        kill(p.pid, SIGKILL); /* what was answered is durable */
        assert_int_equal(daemon_end(p.pid), -SIGKILL);

        p = daemon_start("log3", NULL);
        assert_int_equal(daemon_ask(&p, false, "GET", "/api/v1/devices/a%2Fb", NULL, NULL), 404);
        kill(p.pid, SIGINT);
        assert_int_equal(daemon_end(p.pid), 0);
        odm_buf_done(&first);
        odm_buf_done(&second);
}

/* A request that is sent again, because its answer was lost, makes one job. */
static void a_key_makes_one_job(void **state)
{
        const char *job = "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./DevInfo\"}]}";
        char long_key[300], id[3][24];
        daemon_process p = daemon_start("log1", NULL);
        json_t *o = NULL;

        (void)state;
        assert_int_equal(daemon_ask(&p, false, "POST", "/api/v1/devices", "{\"name\":\"k\"}", NULL),
                         201);
        for (int i = 0; i < 3; i++) {
                const char *key = i < 2 ? "once" : "twice";
                if (i == 1) { /* and beyond a restart */
                        daemon_stop(&p);
                        p = daemon_start("log1", NULL);
                }
                assert_int_equal(daemon_ask_keyed(&p, "/api/v1/devices/k/jobs", job, key, &o),
                                 i == 1 ? 200 : 201);
                (void)snprintf(id[i], sizeof id[i], "%s",
                               json_string_value(json_object_get(o, "id")));
                json_decref(o);
        }
        assert_string_equal(id[0], id[1]);
        assert_string_not_equal(id[0], id[2]);
        memset(long_key, 'k', sizeof long_key - 1);
        long_key[sizeof long_key - 1] = '\0';
        assert_int_equal(daemon_ask_keyed(&p, "/api/v1/devices/k/jobs", job, long_key, NULL), 400);
        daemon_stop(&p);
}

static void refuses_a_folder_in_use(void **state)
{
        char other[300];
        daemon_process p = daemon_start("log1", NULL);

        (void)state;
        (void)snprintf(other, sizeof other, "server.state=%s", daemon_path("state"));
        const char *const args[] = {"-s", other, "-s", "dm.listen=127.0.0.1:0", NULL};
        assert_int_equal(daemon_end(daemon_run("out", args)), 1);
        assert_true(daemon_says("out", "not started"));
        kill(p.pid, SIGTERM);
        assert_int_equal(daemon_end(p.pid), 0);
}

static const struct row {
        const char *why, *conf;
        int code;
        const char *says;
} rows[] = {
        {"a good one", "[log]\nlevel = debug\n", 0, "nremd.conf: the configuration is good\n"},
        {"a key unknown", "[log]\n\nlevle = debug\n", 2, "nremd.conf:3"},
        {"a bad value", "[jobs]\nttl = never\n", 2, "nremd.conf:2"},
        {"a TLS listener without certificate", "[dm]\nlisten_tls = :0\n", 2, "tls.cert"},
};

static void checks_its_configuration(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const char *const args[] = {"--check", "--config", daemon_path("nremd.conf"), NULL};
                assert_int_equal(fsio_write(NULL, daemon_path("nremd.conf"), odm_cstr(rows[i].conf),
                                            0600, NULL),
                                 0);
                int code = daemon_end(daemon_run("out", args));
                if (code != rows[i].code || !daemon_says("out", rows[i].says)) {
                        odm_buf b = daemon_text("out");
                        fail_msg("%s: ended with %d: %s", rows[i].why, code, b.p);
                }
        }
        const char *const none[] = {"--config", daemon_path("missing.conf"), NULL};
        assert_int_equal(daemon_end(daemon_run("out", none)), 2);
        const char *const operand[] = {"start", NULL};
        assert_int_equal(daemon_end(daemon_run("out", operand)), 2);
        const char *const help[] = {"--help", NULL};
        assert_int_equal(daemon_end(daemon_run("out", help)), 0);
        assert_true(daemon_says("out", "--make-dev-ca"));
}

static void what_it_prints_is_a_configuration(void **state)
{
        const char *const print[] = {"--print-config", NULL};
        const char *const check[] = {"--check", "--config", daemon_path("printed"), NULL};

        (void)state;
        assert_int_equal(daemon_end(daemon_run("printed", print)), 0);
        assert_true(daemon_says("printed", "# server_id = xrem"));
        assert_int_equal(daemon_end(daemon_run("out", check)), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(checks_its_configuration),
                cmocka_unit_test(what_it_prints_is_a_configuration),
                cmocka_unit_test(makes_certificates_once),
                cmocka_unit_test(serves_and_keeps_what_it_acknowledged),
                cmocka_unit_test(a_key_makes_one_job),
                cmocka_unit_test(refuses_a_folder_in_use),
        };
        return cmocka_run_group_tests(tests, daemon_make_folder, daemon_drop_folder);
}
