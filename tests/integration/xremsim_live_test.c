/* SPDX-License-Identifier: Apache-2.0 */
/* xremsim --scenario against a real nremd: devices update their firmware through FUMO, with the
 * power gone at each of its states, with packages that are damaged, with xremsim itself killed;
 * each order ends with one alert. */
#include "daemon.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PACKAGE_OCTETS 3000
#define FUMO "./FUMO/main/"

static daemon_process server;
static char token[128];

/* ---- packages ------------------------------------------------------------------------------- */

static struct {
        int fd;
        uint16_t port;
        pthread_t thread;
        char body[PACKAGE_OCTETS];
} web;

/* Version 2.0, where it was, a way without end, and what is not there. */
static const char *answer_to(const char *request)
{
        if (strncmp(request, "GET /2.0 ", 9) == 0)
                return "200 OK";
        if (strncmp(request, "GET /was/here?x ", 16) == 0)
                return "301 Moved\r\nLocation: ./../was/../then/./../2.0#top";
        return strncmp(request, "GET /loop ", 10) == 0 ? "307 Moved\r\nLocation: loop"
                                                       : "404 Not Found";
}

static void *serve(void *ctx)
{
        char request[4096], head[256];
        int fd;

        (void)ctx;
        while ((fd = accept(web.fd, NULL, NULL)) >= 0) {
                ssize_t n = recv(fd, request, sizeof request - 1, 0);
                request[n > 0 ? n : 0] = '\0';
                const char *answer = answer_to(request);
                bool there = answer[0] == '2';
                n = snprintf(head, sizeof head,
                             "HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
                             answer, there ? PACKAGE_OCTETS : 0);
                if (send(fd, head, (size_t)n, MSG_NOSIGNAL) == n && there)
                        (void)send(fd, web.body, sizeof web.body, MSG_NOSIGNAL);
                close(fd);
        }
        return NULL;
}

static void start_web(void)
{
        struct sockaddr_in at = {.sin_family = AF_INET};
        socklen_t n = sizeof at;

        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        memset(web.body, 'x', sizeof web.body);
        memcpy(web.body, "version: 2.0\n", 13);
        web.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(web.fd, (const struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(listen(web.fd, 64), 0);
        assert_int_equal(getsockname(web.fd, (struct sockaddr *)&at, &n), 0);
        web.port = ntohs(at.sin_port);
        assert_int_equal(pthread_create(&web.thread, NULL, serve, NULL), 0);
}

static void stop_web(void)
{
        shutdown(web.fd, SHUT_RDWR);
        pthread_join(web.thread, NULL);
        close(web.fd);
}

/* ---- xremsim --------------------------------------------------------------------------------- */

static void write_scenario(const char *text)
{
        FILE *f = fopen(daemon_path("scenario"), "w");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

/* `more`: of its arguments, NULL-ended. */
static pid_t start_sim(const char *out, const char *const *more)
{
        char url[64], api[64], file[300];
        const char *argv[24] = {"--scenario", file, "--json", "--create",
                                "--server",   url,  "--api",  api};
        size_t n = 8;

        (void)snprintf(file, sizeof file, "%s", daemon_path("scenario"));
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/dm", server.port);
        (void)snprintf(api, sizeof api, "http://127.0.0.1:%u", server.port);
        for (; more && *more; more++)
                argv[n++] = *more;
        return daemon_run_program(XREMSIM, token, out, argv);
}

/* Its report, after the line that tells the seed. */
static json_t *stop_sim(pid_t pid, const char *out)
{
        odm_buf text;
        json_t *o;
        char *brace;

        kill(pid, SIGTERM);
        int code = daemon_end(pid);
        text = daemon_text(out);
        brace = strchr(text.p, '{');
        o = brace ? json_loads(brace, 0, NULL) : NULL;
        if (code != 0 || !o)
                fail_msg("xremsim ended with %d: %s", code, text.p);
        odm_buf_done(&text);
        return o;
}

static int number(const json_t *o, const char *name)
{
        return (int)json_integer_value(json_object_get(o, name));
}

/* ---- the server ----------------------------------------------------------------------------- */

static void pause_a_little(void)
{
        const struct timespec t = {0, 50000000};

        nanosleep(&t, NULL);
}

/* Until there are `n` devices that begin with `prefix` and called. */
static void wait_for_devices(const char *prefix, size_t n)
{
        char path[200];
        size_t have = 0;

        (void)snprintf(path, sizeof path, "/api/v1/devices?prefix=%s&state=active&limit=1000",
                       prefix);
        for (int i = 0; i < 1200 && have != n; i++) {
                json_t *o = NULL;
                assert_int_equal(daemon_ask(&server, false, "GET", path, NULL, &o), 200);
                have = json_array_size(json_object_get(o, "items"));
                json_decref(o);
                if (have != n)
                        pause_a_little();
        }
        assert_int_equal(have, n);
}

/* Gives a device a job: its number. */
static int give(const char *device, const char *body)
{
        char path[200];
        json_t *o = NULL;
        int id;

        (void)snprintf(path, sizeof path, "/api/v1/devices/%s/jobs", device);
        assert_int_equal(daemon_ask(&server, false, "POST", path, body, &o), 201);
        id = (int)strtol(json_string_value(json_object_get(o, "id")), NULL, 10);
        assert_true(id > 0);
        json_decref(o);
        return id;
}

static int order(const char *device, const char *exec, const char *url)
{
        char body[600];

        (void)snprintf(body, sizeof body,
                       "{\"commands\":[{\"cmd\":\"replace\",\"uri\":\"%s\",\"data\":\"%s\"},"
                       "{\"cmd\":\"exec\",\"uri\":\"" FUMO "%s\"}]}",
                       strcmp(exec, "Download") == 0 ? FUMO "Download/PkgURL"
                                                     : FUMO "DownloadAndUpdate/PkgURL",
                       url, exec);
        return give(device, body);
}

static int order_at(const char *device, const char *exec, const char *path)
{
        char url[64];

        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/%s", web.port, path);
        return order(device, exec, url);
}

static int order_package(const char *device, const char *exec)
{
        return order_at(device, exec, "2.0");
}

static json_t *job_of(int id)
{
        char path[64];
        json_t *o = NULL;

        (void)snprintf(path, sizeof path, "/api/v1/jobs/%d", id);
        assert_int_equal(daemon_ask(&server, false, "GET", path, NULL, &o), 200);
        return o;
}

static bool is_state(const json_t *job, const char *state)
{
        return strcmp(json_string_value(json_object_get(job, "state")), state) == 0;
}

/* Waits until the job is over, and returns it. */
static json_t *ended(int id)
{
        for (int i = 0; i < 2400; i++) {
                json_t *o = job_of(id);
                if (is_state(o, "done") || is_state(o, "failed") || is_state(o, "expired"))
                        return o;
                json_decref(o);
                pause_a_little();
        }
        fail_msg("job %d did not end", id);
        return NULL;
}

static void expect_end(const char *why, int id, const char *state, const char *reason)
{
        json_t *o = ended(id);
        char *text = json_dumps(o, JSON_COMPACT);

        if (!is_state(o, state) || !strstr(text, reason))
                fail_msg("%s: not %s with '%s': %s", why, state, reason, text);
        free(text);
        json_decref(o);
}

static void expect_leaf(const char *why, const char *device, const char *uri, const char *value)
{
        char body[200], wanted[100];
        json_t *o;
        char *text;

        (void)snprintf(body, sizeof body, "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"%s\"}]}", uri);
        o = ended(give(device, body));
        text = json_dumps(o, JSON_COMPACT);
        (void)snprintf(wanted, sizeof wanted, "\"data\":\"%s\"", value);
        if (!strstr(text, wanted))
                fail_msg("%s: %s of %s is not %s: %s", why, uri, device, value, text);
        free(text);
        json_decref(o);
}

static json_t *events_of(const char *device, const char *kind)
{
        char path[200];
        json_t *o = NULL;

        (void)snprintf(path, sizeof path, "/api/v1/events?device=%s%s&limit=100", device, kind);
        assert_int_equal(daemon_ask(&server, false, "GET", path, NULL, &o), 200);
        return o;
}

static size_t alerts_of(const char *device)
{
        json_t *o = events_of(device, "&kind=alert");
        size_t n = json_array_size(json_object_get(o, "items"));

        json_decref(o);
        return n;
}

static void show(json_t *o)
{
        char *text = json_dumps(o, JSON_COMPACT);

        print_error("%s\n", text);
        free(text);
        json_decref(o);
}

/* Else all that the server heard of it is shown. */
static void expect_one_alert(const char *why, const char *device)
{
        char path[200];
        json_t *o = NULL;
        size_t n = alerts_of(device);

        if (n == 1)
                return;
        show(events_of(device, ""));
        (void)snprintf(path, sizeof path, "/api/v1/devices/%s/sessions?limit=100", device);
        assert_int_equal(daemon_ask(&server, false, "GET", path, NULL, &o), 200);
        show(o);
        fail_msg("%s: %zu alerts", why, n);
}

/* ---- tests ------------------------------------------------------------------------------------ */

#define HEAD "[run]\nseed = 5\n"
#define QUICK "call = 300ms\nstart = 300ms\ninstall = 300ms\nreboot = 200ms\nretry_wait = 100ms\n"

static void each_order_ends_once_whatever_fails(void **state)
{
        static const struct {
                const char *why, *exec, *state, *reason, *version;
        } rows[] = {
                /* by the number of the device in the group */
                {"all goes well", "DownloadAndUpdate", "done", "", "2.0"},
                {"power cut in the download", "DownloadAndUpdate", "done", "", "2.0"},
                {"power cut in the installation", "DownloadAndUpdate", "done", "", "2.0"},
                {"power cut when it is done", "DownloadAndUpdate", "done", "", "2.0"},
                {"power cut when a download has failed", "DownloadAndUpdate", "failed", "402",
                 "1.0"},
                {"power cut when an update has failed", "DownloadAndUpdate", "failed", "410",
                 "1.0"},
                {"power cut when the package is ready", "Download", "done", "", "1.0"},
                {"damaged", "DownloadAndUpdate", "failed", "402", "1.0"},
                {"not signed by a key that is trusted", "DownloadAndUpdate", "failed", "404",
                 "1.0"},
                {"busy server", "DownloadAndUpdate", "failed", "412", "1.0"},
                {"wrong result", "DownloadAndUpdate", "failed", "502", "1.0"},
                {"silent for a while", "DownloadAndUpdate", "done", "", "2.0"},
                {"slow link", "DownloadAndUpdate", "done", "", "2.0"},
                {"a lie", "DownloadAndUpdate", "done", "", "1.0"},
                {"clock that is wrong", "DownloadAndUpdate", "done", "", "2.0"},
        };
        static const char text[] =
                HEAD "[group a]\nprefix = fw/\ncount = 15\nmodel = M1\ntags = red\n" QUICK
                     "[fault cut30]\nkind = power-cut\nstate = downloading\ndevices = 2\n"
                     "[fault cut60]\nkind = power-cut\nstate = updating\ndevices = 3\n"
                     "[fault cut100]\nkind = power-cut\nstate = done\ndevices = 4\n"
                     "[fault cut20]\nkind = power-cut\nstate = download-failed\ndevices = 5\n"
                     "[fault cut80]\nkind = power-cut\nstate = failed\ndevices = 6\n"
                     "[fault cut50]\nkind = power-cut\nstate = ready\ndevices = 7\n"
                     "[fault damaged]\nkind = bad-download\ndevices = 5, 8\n"
                     "[fault broken]\nkind = wrong-result\ncause = FAILED\ndevices = 6\n"
                     "[fault stranger]\nkind = bad-signature\ndevices = 9\n"
                     "[fault busy]\nkind = http-failure\nstatus = 503\ndevices = 10\n"
                     "[fault full]\nkind = wrong-result\ncause = NO_ROOM\ndevices = 11\n"
                     "[fault quiet]\nkind = silence\nstate = updating\nfor = 500ms\ndevices = 12\n"
                     "[fault slow]\nkind = slow-link\nrate = 5k\ndevices = 13\n"
                     "[fault lie]\nkind = wrong-result\ncause = OK\ndevices = 14\n"
                     "[fault skew]\nkind = clock-skew\nskew = -1h\ndevices = 15\n";
        int job[ODM_COUNT(rows)];
        char name[32];
        pid_t pid;
        json_t *o;

        (void)state;
        write_scenario(text);
        pid = start_sim("sim.out", NULL);
        wait_for_devices("fw/", ODM_COUNT(rows));
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                (void)snprintf(name, sizeof name, "fw%%2F%zu", i + 1);
                job[i] = order_package(name, rows[i].exec);
        }
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                expect_end(rows[i].why, job[i], rows[i].state, rows[i].reason);
                (void)snprintf(name, sizeof name, "fw%%2F%zu", i + 1);
                expect_leaf(rows[i].why, name, "./DevDetail/FwV", rows[i].version);
                expect_one_alert(rows[i].why, name);
        }
        /* What a fault did once is over: the damaged one is ordered again, the ready one installed.
         */
        job[0] = order_package("fw%2F8", "DownloadAndUpdate");
        job[1] = give("fw%2F7", "{\"commands\":[{\"cmd\":\"exec\",\"uri\":\"" FUMO "Update\"}]}");
        job[2] = order("fw%2F1", "DownloadAndUpdate", "http://127.0.0.1:1/none");
        job[3] = order_at("fw%2F3", "Download", "loop");
        job[4] = order_at("fw%2F4", "Download", "was/here?x");
        expect_end("moved without end", job[3], "failed", "411");
        expect_end("moved", job[4], "done", "");
        expect_end("again", job[0], "done", "");
        expect_end("Update", job[1], "done", "");
        expect_end("nobody serves it", job[2], "failed", "412");
        expect_leaf("again", "fw%2F8", "./DevDetail/FwV", "2.0");
        expect_leaf("Update", "fw%2F7", "./DevDetail/FwV", "2.0");
        o = stop_sim(pid, "sim.out");
        assert_int_equal(number(o, "devices"), 15);
        assert_int_equal(number(o, "updated"), 10);
        assert_int_equal(number(o, "alerts"), 20);
        assert_int_equal(number(o, "redirects"), 7); /* six of them lead on no more */
        for (size_t i = 0; i < json_array_size(json_object_get(o, "faults")); i++) {
                const json_t *f = json_array_get(json_object_get(o, "faults"), i);
                if (strcmp(json_string_value(json_object_get(f, "kind")), "clock-skew") != 0 &&
                    number(f, "fired") != number(f, "devices"))
                        fail_msg("fault %s", json_string_value(json_object_get(f, "name")));
        }
        json_decref(o);
}

/* The power goes in mid-session, so the nonce by which the server proves itself has moved on one
 * side only; the update is over before the next session, which brings its end and challenges the
 * server.
 */
static void an_end_is_told_once_to_a_server_that_is_challenged(void **state)
{
        static const char text[] =
                HEAD "[group n]\nprefix = nonce/\ncount = 2\n"
                     "call = 3s\nstart = 100ms\ninstall = 50ms\nreboot = 100ms\n"
                     "[fault cut]\nkind = power-cut\nstate = downloading\ndevices = 1\n";
        int job[2];
        pid_t pid;

        (void)state;
        write_scenario(text);
        pid = start_sim("nonce.out", NULL);
        wait_for_devices("nonce/", 2);
        for (int i = 0; i < 2; i++) {
                char name[32];
                (void)snprintf(name, sizeof name, "nonce%%2F%d", i + 1);
                job[i] = order_package(name, "DownloadAndUpdate");
        }
        for (int i = 0; i < 2; i++) {
                char name[32];
                (void)snprintf(name, sizeof name, "nonce%%2F%d", i + 1);
                expect_end("nonce", job[i], "done", "");
                expect_leaf("nonce", name, "./DevDetail/FwV", "2.0"); /* a session more */
                expect_one_alert("nonce", name);
        }
        json_decref(stop_sim(pid, "nonce.out"));
}

/* Each state lasts some seconds, so that it is met in it on a slow machine, too. */
static void a_killed_xremsim_goes_on(void **state)
{
        static const char text[] =
                HEAD "[group k]\nprefix = kill/\ncount = 4\n"
                     "call = 300ms\nstart = 100ms\ninstall = 4s\nreboot = 200ms\n"
                     "[fault slow]\nkind = slow-link\nrate = 1k\n"
                     "[fault gone]\nkind = silence\nstate = downloading\n"
                     "devices = 4\n";
        static const char *const states[] = {"30", "60"};
        char folder[300];
        const char *const more[] = {"--state", folder, NULL};
        int job[4];
        pid_t pid;
        json_t *o;

        (void)state;
        (void)snprintf(folder, sizeof folder, "%s", daemon_path("kept"));
        write_scenario(text);
        pid = start_sim("kill.out", more);
        wait_for_devices("kill/", 4);
        for (int i = 0; i < 4; i++) {
                char name[32];
                (void)snprintf(name, sizeof name, "kill%%2F%d", i + 1);
                job[i] = order_package(name, "DownloadAndUpdate");
        }
        for (size_t i = 0; i < ODM_COUNT(states); i++) {
                const char *get = "{\"commands\":[{\"cmd\":\"get\",\"uri\":\"" FUMO "State\"}]}";
                bool there = false;
                for (int k = 0; k < 100 && !there; k++) { /* at work in that state */
                        json_t *j = ended(give("kill%2F1", get));
                        char *said = json_dumps(j, JSON_COMPACT);
                        char wanted[32];
                        (void)snprintf(wanted, sizeof wanted, "\"data\":\"%s\"", states[i]);
                        there = strstr(said, wanted) != NULL;
                        free(said);
                        json_decref(j);
                }
                assert_true(there);
                kill(pid, SIGKILL);
                assert_int_equal(daemon_end(pid), -SIGKILL);
                pid = start_sim("kill.out", more);
        }
        for (int i = 0; i < 3; i++) {
                char name[32];
                (void)snprintf(name, sizeof name, "kill%%2F%d", i + 1);
                expect_end("killed", job[i], "done", "");
                expect_leaf("killed", name, "./DevDetail/FwV", "2.0");
                expect_one_alert("killed", name);
        }
        assert_int_equal(daemon_end(start_sim("second.out", more)), 2);
        assert_true(daemon_says("second.out", "lock"));
        o = stop_sim(pid, "kill.out");
        assert_int_equal(number(o, "seed"), 5);
        assert_int_equal(number(o, "dead"), 1); /* it was before, and stays so */
        json_decref(o);
        o = job_of(job[3]);
        assert_false(is_state(o, "done") || is_state(o, "failed"));
        json_decref(o);
}

static void wake_ups_find_their_device(void **state)
{
        static const char text[] = HEAD "[group w]\nprefix = wake/\ncount = 300\ncall = 1h\n"
                                        "start = 200ms\n";
        static const char body[] = "{\"commands\":[{\"cmd\":\"replace\",\"uri\":\"./Vendor/sim/"
                                   "Level\",\"format\":\"int\",\"data\":\"9\"}]}";
        pid_t pid;
        int job[300];
        json_t *o;

        (void)state;
        write_scenario(text);
        pid = start_sim("wake.out", NULL);
        wait_for_devices("wake/", 300);
        job[0] = give("wake%2F1", body);
        job[1] = give("wake%2F257", body); /* another third octet of its address */
        job[2] = give("wake%2F300", body);
        for (int i = 0; i < 3; i++)
                expect_end("woken", job[i], "done", "");
        for (int i = 0; i < 300; i++) { /* more at one time than a commit of the server holds */
                char name[32];
                (void)snprintf(name, sizeof name, "wake%%2F%d", i + 1);
                job[i] = give(name, body);
        }
        for (int i = 0; i < 300; i++)
                expect_end("all are woken", job[i], "done", "");
        o = stop_sim(pid, "wake.out");
        assert_true(number(o, "wakes") >= 303);
        assert_true(number(o, "device_octets") < 2500);
        json_decref(o);
}

static void alarms_are_raised_and_end(void **state)
{
        static const char text[] =
                HEAD "[group l]\nprefix = alarm/\ncount = 3\ncall = 1h\nstart = 100ms\n"
                     "[fault hot]\nkind = alarm\nafter = 500ms\nfor = 500ms\nalarm = overheated\n"
                     "severity = minor\ntext = as it was wished\n";
        size_t cleared = 0;
        pid_t pid;
        json_t *o;

        (void)state;
        write_scenario(text);
        pid = start_sim("alarm.out", NULL);
        wait_for_devices("alarm/", 3);
        for (int i = 0; i < 1200 && cleared != 3; i++) {
                pause_a_little();
                assert_int_equal(daemon_ask(&server, false, "GET",
                                            "/api/v1/alarms?state=cleared&prefix=alarm/", NULL, &o),
                                 200);
                cleared = json_array_size(json_object_get(o, "items"));
                if (cleared == 3) {
                        char *said = json_dumps(o, JSON_COMPACT);
                        assert_non_null(strstr(said, "\"cause\":\"overheated\""));
                        assert_non_null(strstr(said, "\"severity\":\"minor\""));
                        assert_non_null(strstr(said, "as it was wished"));
                        free(said);
                }
                json_decref(o);
        }
        assert_int_equal(cleared, 3);
        assert_int_equal(alerts_of("alarm%2F2"), 2);
        json_decref(stop_sim(pid, "alarm.out"));
}

static void bad_scenarios_do_not_begin(void **state)
{
        static const char *const rows[] = {
                "[group a]\nbogus = 1\n",
                "",
                "[group a]\nauth = basic\n",
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                write_scenario(rows[i]);
                assert_int_equal(daemon_end(start_sim("bad.out", NULL)), 2);
        }
}

static int begin(void **state)
{
        if (daemon_make_folder(state) < 0)
                return -1;
        daemon_make_certificates();
        static const char *const quick[] = {"wake.first=300ms", NULL};
        server = daemon_start("log", quick);
        odm_buf b = daemon_text("state/admin.token");
        (void)snprintf(token, sizeof token, "%.69s", b.p);
        odm_buf_done(&b);
        start_web();
        return 0;
}

static int finish(void **state)
{
        stop_web();
        daemon_stop(&server);
        return daemon_drop_folder(state);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_order_ends_once_whatever_fails),
                cmocka_unit_test(an_end_is_told_once_to_a_server_that_is_challenged),
                cmocka_unit_test(a_killed_xremsim_goes_on),
                cmocka_unit_test(wake_ups_find_their_device),
                cmocka_unit_test(alarms_are_raised_and_end),
                cmocka_unit_test(bad_scenarios_do_not_begin),
        };

        return cmocka_run_group_tests(tests, begin, finish);
}
