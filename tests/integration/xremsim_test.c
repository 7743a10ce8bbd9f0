/* SPDX-License-Identifier: Apache-2.0 */
/* xremsim against a real nremd: its devices are made over REST, call in both codecs, over both
 * transports, with each kind of proof; and what its command line refuses. */
#include "daemon.h"

#define DEVICES "50"

static daemon_process server;
static char token[128];

/* Runs xremsim with these arguments (NULL-ended), its output into the test's folder: its exit code.
 */
static int run(const char *const *args)
{
        const char *argv[40] = {"--json", "--quiet"};

        for (size_t n = 2; *args && n + 1 < ODM_COUNT(argv); args++)
                argv[n++] = *args;
        return daemon_end(daemon_run_program(XREMSIM, token, "sim.out", argv));
}

static json_t *told(int code, int wanted)
{
        odm_buf text = daemon_text("sim.out");
        json_t *o = json_loads(text.p, 0, NULL);

        if (code != wanted || !o)
                fail_msg("xremsim ended with %d: %s", code, text.p);
        odm_buf_done(&text);
        return o;
}

static int number(const json_t *o, const char *name)
{
        return (int)json_integer_value(json_object_get(o, name));
}

static int outcome(const json_t *o, const char *name)
{
        return number(json_object_get(o, "outcomes"), name);
}

static void url_of(char out[64], bool tls, const char *path)
{
        (void)snprintf(out, 64, "%s://localhost:%u%s", tls ? "https" : "http",
                       tls ? server.tls_port : server.port, path);
}

static void create(const char *prefix, const char *auth, int made, int there)
{
        char api[64];

        url_of(api, false, "");
        const char *const args[] = {"--create", "--api", api,      "-n", DEVICES,
                                    "--prefix", prefix,  "--auth", auth, NULL};
        json_t *o = told(run(args), 0);
        assert_int_equal(number(o, "created"), made);
        assert_int_equal(number(o, "there"), there);
        json_decref(o);
}

/* Two sessions of each device: all of them end well. */
static json_t *call(const char *prefix, const char *auth, const char *codec, bool tls)
{
        char url[64];

        url_of(url, tls, "/dm");
        const char *const args[] = {
                "--server", url,      "-n", DEVICES,   "-s",  "2",    "--prefix",
                prefix,     "--auth", auth, "--codec", codec, "--ca", daemon_path("ca/ca.pem"),
                "-p",       "8",      NULL};
        json_t *o = told(run(args), 0);
        assert_int_equal(number(o, "sessions"), 100);
        assert_int_equal(outcome(o, "done"), 100);
        assert_true(number(o, "device_octets") > 0 && number(o, "device_octets") < 4096);
        return o;
}

/* ---- tests ------------------------------------------------------------------------ */

static void devices_are_made_once(void **state)
{
        (void)state;
        create("once/", "md5", 50, 0);
        create("once/", "md5", 0, 50);
}

static void sessions_end_well_in_each_form(void **state)
{
        static const struct {
                const char *prefix, *auth, *codec;
                bool tls;
        } rows[] = {
                {"a/", "md5", "wbxml", false}, {"b/", "md5", "xml", false},
                {"c/", "mac", "wbxml", false}, {"d/", "md5", "wbxml", true},
                {"e/", "basic", "xml", true},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                create(rows[i].prefix, rows[i].auth, 50, 0);
                json_t *o = call(rows[i].prefix, rows[i].auth, rows[i].codec, rows[i].tls);
                if (rows[i].tls) { /* each of the eight connections begins with a full handshake */
                        assert_int_equal(number(o, "tls_handshakes"), 100);
                        assert_int_equal(number(o, "tls_resumed"), 92);
                }
                json_decref(o);
        }
}

static void jobs_are_given_and_done(void **state)
{
        static const char job[] =
                "{\"commands\":[{\"cmd\":\"replace\",\"uri\":\"./Vendor/sim/Level\","
                "\"format\":\"int\",\"data\":\"7\"}]}";
        char api[64];
        json_t *o;

        (void)state;
        create("job/", "md5", 50, 0);
        FILE *f = fopen(daemon_path("job.json"), "w");
        assert_non_null(f);
        assert_true(fputs(job, f) >= 0 && fclose(f) == 0);
        url_of(api, false, "");
        const char *const args[] = {
                "--give", daemon_path("job.json"), "--api", api, "-n", DEVICES, "--prefix", "job/",
                NULL};
        o = told(run(args), 0);
        assert_int_equal(number(o, "jobs"), 50);
        json_decref(o);
        json_decref(call("job/", "md5", "wbxml", false));
        assert_int_equal(
                daemon_ask(&server, false, "GET", "/api/v1/jobs?state=done&limit=1000", NULL, &o),
                200);
        assert_int_equal(json_array_size(json_object_get(o, "items")), 50);
        json_decref(o);
}

static void a_wrong_password_is_a_failure_that_is_told(void **state)
{
        char url[64];

        (void)state;
        create("bad/", "md5", 50, 0);
        url_of(url, false, "/dm");
        const char *const args[] = {"--server", url,          "-n",    "3", "--prefix",
                                    "bad/",     "--password", "wrong", NULL};
        json_t *o = told(run(args), 1);
        assert_int_equal(outcome(o, "auth-refused"), 3);
        json_decref(o);
}

static void the_command_line_is_checked(void **state)
{
        static const char *const rows[][8] = {
                {"--server", "http://192.0.2.1/dm", NULL},
                {"--server", "ftp://127.0.0.1/dm", NULL},
                {"--server", "http://127.0.0.1/dm", "-n", "0", NULL},
                {"--server", "http://127.0.0.1/dm", "--codec", "json", NULL},
                {"--server", "http://127.0.0.1/dm", "--auth", "basic", NULL},
                {"--server", "http://127.0.0.1/dm", "--max-time", "0", NULL},
                {"--server", "http://127.0.0.1/dm", "--prefix", "a:b", NULL},
                {"--server", "http://127.0.0.1/dm", "extra", NULL},
                {"--create", NULL},
                {NULL},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int code = run(rows[i]);
                if (code != 2)
                        fail_msg("row %zu ended with %d", i, code);
        }
}

static int begin(void **state)
{
        if (daemon_make_folder(state) < 0)
                return -1;
        daemon_make_certificates();
        server = daemon_start("log", NULL);
        odm_buf b = daemon_text("state/admin.token");
        (void)snprintf(token, sizeof token, "%.69s", b.p);
        odm_buf_done(&b);
        return 0;
}

static int finish(void **state)
{
        daemon_stop(&server);
        return daemon_drop_folder(state);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(devices_are_made_once),
                cmocka_unit_test(sessions_end_well_in_each_form),
                cmocka_unit_test(jobs_are_given_and_done),
                cmocka_unit_test(a_wrong_password_is_a_failure_that_is_told),
                cmocka_unit_test(the_command_line_is_checked),
        };

        return cmocka_run_group_tests(tests, begin, finish);
}
