/* SPDX-License-Identifier: Apache-2.0 */
/* Who comes in, with the real programs on both sides: devices nobody made known where the server
 * lets them in, and devices that prove themselves by a TLS certificate. */
#include <signal.h>
#include <time.h>

#include "cert.h"
#include "daemon.h"
#include "fsio.h"

static daemon_process server;

/* ---- the agent ------------------------------------------------------------------- */

/* Runs dremd with an account for the TLS listener, and these lines besides. */
static pid_t agent_start(const char *name, const char *account, const char *transport)
{
        char text[2048], conf[64], state[64], log[64], path[300];
        int n;

        (void)snprintf(conf, sizeof conf, "%s.conf", name);
        (void)snprintf(state, sizeof state, "%s.d", name);
        (void)snprintf(log, sizeof log, "%s.log", name);
        n = snprintf(text, sizeof text,
                     "[agent]\nstate = %s\n[device]\nid = urn:%s\n"
                     "[account]\nserver_id = xrem\nurl = https://localhost:%u/dm\n%s\n"
                     "[transport]\nca_file = %s\n%s\n[wake]\nlisten = 127.0.0.1:0\n"
                     "min_interval = 0s\n[session]\nretry_min = 200ms\nretry_max = 1s\n",
                     daemon_path(state), name, server.tls_port, account, daemon_path("ca/ca.pem"),
                     transport);
        assert_true(n > 0 && (size_t)n < sizeof text);
        assert_int_equal(fsio_write(NULL, daemon_path(conf), odm_cstr(text), 0600, NULL), 0);
        (void)snprintf(path, sizeof path, "%s", daemon_path(conf));
        const char *const args[] = {"--config", path, NULL};
        return daemon_run_program(DREMD, NULL, log, args);
}

static void agent_stop(pid_t pid)
{
        kill(pid, SIGTERM);
        assert_int_equal(daemon_end(pid), 0);
}

/* The device with that DevId as REST shows it, NULL when there is none. */
static json_t *device_of(const char *devid)
{
        json_t *list = NULL, *o, *found = NULL;
        size_t i;

        assert_int_equal(daemon_ask(&server, false, "GET", "/api/v1/devices", NULL, &list), 200);
        json_array_foreach(json_object_get(list, "items"), i, o)
        {
                const char *id = json_string_value(json_object_get(o, "devid"));
                if (id && strcmp(id, devid) == 0)
                        found = json_incref(o);
        }
        json_decref(list);
        return found;
}

static const char *word(const json_t *o, const char *member)
{
        const char *s = json_string_value(json_object_get(o, member));

        return s ? s : "";
}

static void wait_for(const char *devid, const char *member, const char *value)
{
        const struct timespec pause = {0, 50000000};

        for (int i = 0; i < 1200; i++) {
                json_t *o = device_of(devid);
                bool is = strcmp(word(o, member), value) == 0;
                json_decref(o);
                if (is)
                        return;
                nanosleep(&pause, NULL);
        }
        fail_msg("%s of %s does not become %s", member, devid, value);
}

static void wait_for_log(const char *log, const char *text)
{
        const struct timespec pause = {0, 50000000};

        for (int i = 0; i < 1200; i++) {
                if (daemon_says(log, text))
                        return;
                nanosleep(&pause, NULL);
        }
        odm_buf b = daemon_text(log);
        fail_msg("%s does not say \"%s\": %s", log, text, b.p);
}

/* A job that the device of that DevId is woken for, and which is done. */
static void reads_from(const char *devid)
{
        char path[300];
        json_t *o = device_of(devid), *job = NULL;

        (void)snprintf(path, sizeof path, "/api/v1/devices/%s/jobs", word(o, "name"));
        char *slash = strstr(path, "new/");
        if (slash) { /* a name is one segment of the path */
                memmove(slash + 6, slash + 4, strlen(slash + 4) + 1);
                memcpy(slash, "new%2F", 6);
        }
        json_decref(o);
        assert_int_equal(daemon_ask(&server, false, "POST", path,
                                    "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./DevDetail/FwV\"}],"
                                    "\"wait\":20}",
                                    &job),
                         201);
        assert_string_equal(word(job, "state"), "done");
        json_decref(job);
}

/* ---- devices nobody made known ------------------------------------------------------- */

static void devices_without_any_proof_are_let_in(void **state)
{
        const char *const settings[] = {"dm.unknown=accept", "dm.accept_hour=1", NULL};
        pid_t first, second;

        (void)state;
        server = daemon_start("open.log", settings);
        first = agent_start("bare", "auth = none\nserver_auth = none", "");
        wait_for("urn:bare", "state", "active");
        second = agent_start("late", "auth = none\nserver_auth = none", "");
        wait_for_log("late.log", "refused"); /* the second within the hour */
        assert_null(device_of("urn:late"));
        agent_stop(second);
        agent_stop(first);
        daemon_stop(&server);
}

static void devices_with_the_common_password_are_let_in_and_woken(void **state)
{
        const char *const settings[] = {"dm.unknown=accept", "dm.accept_password=all-pw",
                                        "dm.accept_server_password=all-sv", "wake.first=500ms",
                                        NULL};
        pid_t good, bad;

        (void)state;
        server = daemon_start("shared.log", settings);
        good = agent_start("good", "user = good\npassword = all-pw\nserver_password = all-sv", "");
        bad = agent_start("bad", "user = bad\npassword = guess\nserver_password = all-sv", "");
        wait_for("urn:good", "state", "active");
        reads_from("urn:good");
        wait_for_log("bad.log", "refused");
        wait_for("urn:bad", "state", "provisioned"); /* known by name, never let in */
        agent_stop(bad);
        agent_stop(good);
        daemon_stop(&server);
}

/* ---- certificates ---------------------------------------------------------------------- */

static char path_of_ca[300], path_of_ca_key[300];

static void make_cert(const char *file, const char *name, unsigned days)
{
        char cert[300], key[300], text[64];
        const cert_request r = {.common_name = name, .days = days, .client = true};

        (void)snprintf(text, sizeof text, "%s.pem", file);
        (void)snprintf(cert, sizeof cert, "%s", daemon_path(text));
        (void)snprintf(text, sizeof text, "%s.key", file);
        (void)snprintf(key, sizeof key, "%s", daemon_path(text));
        assert_int_equal(cert_make(&r, path_of_ca, path_of_ca_key, cert, key, NULL), 0);
}

/* With the certificate in `file`, or without one. */
static pid_t start_with_cert(const char *name, const char *file)
{
        char lines[700] = "", cert[64], key[64];

        if (file) {
                (void)snprintf(cert, sizeof cert, "%s.pem", file);
                (void)snprintf(key, sizeof key, "%s.key", file);
                (void)snprintf(lines, sizeof lines, "cert_file = %s\nkey_file = %s",
                               daemon_path(cert), daemon_path(key));
        }
        return agent_start(name, "auth = none\nserver_auth = none", lines);
}

static void make_ca(const char *file)
{
        char text[64];

        (void)snprintf(text, sizeof text, "%s.pem", file);
        (void)snprintf(path_of_ca, sizeof path_of_ca, "%s", daemon_path(text));
        (void)snprintf(text, sizeof text, "%s.key", file);
        (void)snprintf(path_of_ca_key, sizeof path_of_ca_key, "%s", daemon_path(text));
        assert_int_equal(cert_make_ca(file, 30, path_of_ca, path_of_ca_key, NULL), 0);
}

static void a_certificate_named_for_the_device_is_enough(void **state)
{
        static const struct row {
                const char *why, *name, *file;
        } rows[] = {
                {"it is named for another", "other", "cert-right"},
                {"its time is over", "old", "cert-old"},
                {"another CA signed it", "forged", "cert-forged"},
                {"it shows none", "none", NULL},
        };
        char setting[320], body[256], log[64], devid[64];
        const char *const settings[] = {setting, NULL};
        const struct timespec over = {1, 200000000};
        pid_t pid;

        (void)state;
        make_ca("rogue");
        make_cert("cert-forged", "urn:forged", 30);
        make_ca("devices");
        make_cert("cert-old", "urn:old", 0);
        make_cert("cert-right", "urn:right", 30);
        nanosleep(&over, NULL); /* the old one ends with this second */
        (void)snprintf(setting, sizeof setting, "tls.client_ca=%s", path_of_ca);
        server = daemon_start("certs.log", settings);
        for (size_t i = 0; i <= ODM_COUNT(rows); i++) {
                const char *name = i < ODM_COUNT(rows) ? rows[i].name : "right";
                (void)snprintf(body, sizeof body,
                               "{\"name\":\"%s\",\"devid\":\"urn:%s\",\"auth\":\"none\"}", name,
                               name);
                assert_int_equal(daemon_ask(&server, false, "POST", "/api/v1/devices", body, NULL),
                                 201);
        }
        pid = start_with_cert("right", "cert-right");
        wait_for("urn:right", "state", "active");
        agent_stop(pid);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                pid = start_with_cert(rows[i].name, rows[i].file);
                (void)snprintf(log, sizeof log, "%s.log", rows[i].name);
                wait_for_log(log, "refused");
                (void)snprintf(devid, sizeof devid, "urn:%s", rows[i].name);
                json_t *o = device_of(devid);
                if (strcmp(word(o, "state"), "provisioned") != 0)
                        fail_msg("%s, and it is %s", rows[i].why, word(o, "state"));
                json_decref(o);
                agent_stop(pid);
        }
        daemon_stop(&server);
}

static int make_all(void **state)
{
        if (daemon_make_folder(state) < 0)
                return -1;
        daemon_make_certificates();
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(devices_without_any_proof_are_let_in),
                cmocka_unit_test(devices_with_the_common_password_are_let_in_and_woken),
                cmocka_unit_test(a_certificate_named_for_the_device_is_enough),
        };

        return cmocka_run_group_tests_name("door", tests, make_all, daemon_drop_folder);
}
