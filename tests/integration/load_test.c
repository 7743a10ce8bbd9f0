/* SPDX-License-Identifier: Apache-2.0 */
/* More than the server can bear: idle connections, more connections than there are, ten times more
 * devices than it has sessions for, bodies beyond its memory, and one door under a flood while the
 * other is asked.  It turns away what is too much, stays within its memory, and goes on.
 *
 * XREM_LOAD_IDLE (default 2000) and XREM_LOAD_SECONDS (default 10) make it larger. */
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon.h"
#include "heap.h"
#include "http_client.h"
#include "loop.h"
#include "wire.h"

#ifdef __SANITIZE_ADDRESS__
#define BLOAT 4 /* what the sanitizer adds to each block */
#elif defined __SANITIZE_THREAD__
#define BLOAT 16 /* its shadow of each octet */
#else
#define BLOAT 1
#endif

#define HOST "Host: localhost\r\n"
#define SESSIONS 20 /* of the server */
#define DEVICES "200"
#define MEMORY ((size_t)8 << 20)
#define MINE 1u   /* the address of who behaves well */
#define THEIRS 2u /* and of who does not */

static daemon_process server;
static tls_cred *cred;
static http_sync *good; /* one connection for the whole test */
static char token[128], bearer[160];
static size_t idle_n, seconds;

static size_t size_of(const char *name, size_t otherwise)
{
        const char *text = getenv(name);
        unsigned long n = text ? strtoul(text, NULL, 10) : 0;

        return n > 0 ? n : otherwise;
}

/* ---- looking at the server -------------------------------------------------------- */

/* Octets of a line such as "VmRSS" of its /proc/PID/status. */
static size_t memory_of(const char *what)
{
        char path[64], line[256];
        size_t n = 0, len = strlen(what);
        FILE *f;

        (void)snprintf(path, sizeof path, "/proc/%d/status", (int)server.pid);
        f = fopen(path, "r");
        assert_non_null(f);
        while (fgets(line, sizeof line, f))
                if (strncmp(line, what, len) == 0 && line[len] == ':')
                        n = strtoul(line + len + 1, NULL, 10) * 1024;
        (void)fclose(f);
        return n;
}

/* VmHWM begins anew: what earlier tests held is none of the next one's. */
static void forget_peak(void)
{
        char path[64];
        FILE *f;

        (void)snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)server.pid);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs("5", f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static long grown_since(size_t before) /* KiB */
{
        return ((long)memory_of("VmRSS") - (long)before) / 1024;
}

static size_t files_of_server(void)
{
        char path[64];
        size_t n = 0;
        DIR *d;

        (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)server.pid);
        d = opendir(path);
        assert_non_null(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n - 2;
}

static const http_reply *get(http_sync *c, const char *path)
{
        const http_field f = {ODM_STR("Authorization"), odm_cstr(bearer)};
        char url[300];
        http_request r = {.method = "GET", .fields = &f, .n_fields = 1};

        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server.port, path);
        r.url = odm_cstr(url);
        return http_sync_send(c, &r);
}

static size_t metric(const char *name)
{
        const http_reply *r = get(good, "/metrics");
        char line[80], *text, *at;
        size_t n;

        assert_int_equal(r->status, 200);
        (void)snprintf(line, sizeof line, "\n%s ", name);
        text = strndup(r->body.p, r->body.n);
        at = strstr(text, line);
        if (!at)
                fail_msg("no metric %s", name);
        n = (size_t)strtod(at + strlen(line), NULL);
        free(text);
        return n;
}

/* Who asks for what there is gets it, whatever others do. */
static void all_is_well(void)
{
        const http_reply *r = get(good, "/api/v1/devices?limit=1");

        if (r->rc < 0 || r->status != 200)
                fail_msg("REST does not answer: %u %s", r->status, r->why ? r->why : "");
}

static void all_is_well_anew(void)
{
        http_client_opt o;
        http_sync *c;

        http_client_opt_init(&o);
        assert_int_equal(http_sync_new(&o, &c), 0);
        const http_reply *r = get(c, "/healthz");
        if (r->rc < 0 || r->status != 200)
                fail_msg("a new connection is not served: %u %s", r->status, r->why ? r->why : "");
        http_sync_free(c);
}

/* ---- devices ---------------------------------------------------------------------- */

static pid_t devices(const char *count, const char *parallel, const char *sessions, size_t time)
{
        char url[64], most[32];

        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/dm", server.port);
        (void)snprintf(most, sizeof most, "%zu", time);
        const char *const args[] = {"--server", url,  "-n",     count,        "-p", parallel, "-s",
                                    sessions,   "-q", "--json", "--max-time", most, NULL};
        return daemon_run_program(XREMSIM, token, "sim.out", args);
}

static json_t *told(void)
{
        odm_buf text = daemon_text("sim.out");
        json_t *o = json_loads(text.p, 0, NULL);

        if (!o)
                fail_msg("xremsim: %s", text.p);
        odm_buf_done(&text);
        return o;
}

static bool still_runs(pid_t pid)
{
        siginfo_t info = {0};

        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
        return info.si_pid == 0;
}

static void devices_are_served(void)
{
        pid_t pid = devices(DEVICES, "4", "1", 60);

        if (daemon_end(pid) != 0) {
                odm_buf text = daemon_text("sim.out");
                fail_msg("devices are not served: %s", text.p);
        }
}

/* ---- connections -------------------------------------------------------------------- */

static size_t hold(wire *w, size_t n, const tls_cred *c)
{
        static const char ask[] = "GET /healthz HTTP/1.1\r\n" HOST "\r\n";
        char reply[1024];

        for (size_t i = 0; i < n; i++) {
                w[i] = wire_open(THEIRS, c ? server.tls_port : server.port, c);
                if (w[i].fd < 0 || !wire_send(&w[i], odm_cstr(ask)) ||
                    !wire_read(&w[i], reply, sizeof reply, "\"ok\"}}", NULL))
                        return i;
        }
        return n;
}

static void let_go(wire *w, size_t n)
{
        for (size_t i = 0; i < n; i++)
                wire_close(&w[i]);
}

static void idle_connections_cost_little(void **state)
{
        wire *w = calloc(idle_n, sizeof *w), few[100];
        size_t before;
        long plain, tls;

        (void)state;
        assert_int_equal(hold(w, 50, NULL), 50); /* what is allocated once */
        let_go(w, 50);
        assert_int_equal(hold(few, 20, cred), 20);
        let_go(few, 20);
        before = memory_of("VmRSS");
        assert_int_equal(hold(w, idle_n, NULL), idle_n);
        all_is_well();
        plain = grown_since(before) * 1024 / (long)idle_n;
        before = memory_of("VmRSS");
        assert_int_equal(hold(few, ODM_COUNT(few), cred), ODM_COUNT(few));
        tls = grown_since(before) * 1024 / (long)ODM_COUNT(few);
        all_is_well_anew();
        assert_int_equal(metric("nrem_http_evicted_total"), 0);
        print_message("# %ld octets a plain connection, %ld a TLS connection\n", plain, tls);
        assert_true(plain <= 12288 * BLOAT);
        assert_true(tls <= 28672 * BLOAT);
        let_go(few, ODM_COUNT(few));
        let_go(w, idle_n);
        free(w);
}

/* One address opens more connections than there are, some of them with the begin of a request. */
static void one_address_does_not_take_all_connections(void **state)
{
        size_t most = idle_n + idle_n / 4, n = most + most / 2, stood = 0;
        wire *w = calloc(n, sizeof *w);

        (void)state;
        for (size_t i = 0; i < n; i++) {
                w[i] = wire_open(THEIRS, server.port, NULL);
                if (w[i].fd < 0)
                        continue;
                stood++;
                (void)wire_send(&w[i],
                                i % 4 ? ODM_STR("POST /dm HTTP/1.1\r\n" HOST) : ODM_STR("\r\n"));
                if (i % 500 == 0) {
                        all_is_well();
                        all_is_well_anew();
                }
        }
        assert_true(stood > most / 2);
        all_is_well_anew();
        all_is_well();
        assert_true(files_of_server() <= 2 * most + 128);
        assert_true(metric("nrem_http_evicted_total") > 0);
        print_message("# %zu connections stood, %zu were evicted\n", stood,
                      metric("nrem_http_evicted_total"));
        let_go(w, n);
        free(w);
        all_is_well_anew();
}

/* ---- bodies ------------------------------------------------------------------------- */

/* Octets that the server's connections have for it and it has not read. */
static unsigned long unread(void)
{
        unsigned port, state;
        unsigned long out, in, all = 0;
        char line[512];
        FILE *f = fopen("/proc/net/tcp", "re");

        assert_non_null(f);
        while (fgets(line, sizeof line, f))
                if (sscanf(line, " %*d: %*8x:%x %*8x:%*x %x %lx:%lx", &port, &state, &out, &in) ==
                            4 &&
                    port == server.port && state == 1 /* established */)
                        all += in;
        (void)fclose(f);
        return all;
}

/* All but the last octet of a body; then that. */
static void bodies_keep_within_the_memory(void **state)
{
        enum { BODY = 60000, N = 300 };
        static wire w[N];
        static char body[BODY];
        char head[256], reply[1024];
        unsigned taken = 0, shed = 0;
        const struct timespec pause = {0, 20000000};
        size_t before = memory_of("VmRSS");
        int n = snprintf(
                head, sizeof head,
                "POST /dm HTTP/1.1\r\n" HOST
                "Content-Type: application/vnd.syncml.dm+xml\r\nContent-Length: %d\r\n\r\n",
                BODY);

        (void)state;
        forget_peak();
        memset(body, 'x', sizeof body);
        for (size_t i = 0; i < N; i++) {
                w[i] = wire_open(THEIRS, server.port, NULL);
                assert_true(w[i].fd >= 0);
                assert_true(wire_send(&w[i], (odm_str){head, (size_t)n}));
                assert_true(wire_send(&w[i], (odm_str){body, BODY - 1}));
        }
        for (int i = 0; i < 3000 && unread() > 0; i++)
                (void)nanosleep(&pause, NULL);
        assert_int_equal(unread(), 0);
        all_is_well();
        assert_true(metric("nrem_memory_bytes") <= MEMORY);
        for (size_t i = N; i-- > 0;) { /* from the end: who found no memory frees none */
                assert_true(wire_send(&w[i], ODM_STR("x")));
                wire_read(&w[i], reply, sizeof reply, "\r\n\r\n", NULL);
                if (strstr(reply, "HTTP/1.1 503 ") && strstr(reply, "\r\nRetry-After: "))
                        shed++;
                else if (strstr(reply, "HTTP/1.1 400 ")) /* no SyncML */
                        taken++;
                wire_close(&w[i]);
        }
        print_message("# %u bodies taken, %u sent away, %+ld KiB resident\n", taken, shed,
                      grown_since(before));
        assert_int_equal(taken + shed, N);
        assert_true(taken > 0 && shed >= N - MEMORY / BODY);
        assert_true(memory_of("VmHWM") <
                    before + (MEMORY + N * (size_t)12288 + (4u << 20)) * BLOAT);
        assert_true(metric("nrem_memory_bytes") < MEMORY / 2);
        devices_are_served();
}

/* ---- floods --------------------------------------------------------------------------- */

static int count(const json_t *o, const char *name)
{
        return (int)json_integer_value(json_object_get(o, name));
}

static void ten_times_more_devices_are_sent_away(void **state)
{
        size_t before = memory_of("VmRSS"), asked = 0;
        pid_t pid = devices(DEVICES, DEVICES, "1000000", seconds);
        json_t *o;

        (void)state;
        for (; still_runs(pid); asked++) {
                all_is_well();
                if (asked % 16 == 0)
                        all_is_well_anew();
        }
        (void)daemon_end(pid); /* not all of them were served */
        o = told();
        print_message(
                "# %d sessions done, %d sent away, %zu questions answered, %+ld KiB resident\n",
                count(json_object_get(o, "outcomes"), "done"), count(o, "shed"), asked,
                grown_since(before));
        assert_true(count(o, "shed") > 0);
        assert_true(count(json_object_get(o, "outcomes"), "done") > 0);
        assert_true(asked > 2);
        assert_true(memory_of("VmHWM") < before + (MEMORY + ((size_t)32 << 20)) * BLOAT);
        json_decref(o);
        devices_are_served();
}

/* Questions without end, their answers read now and then; how many went out. */
static size_t ask_on(wire *w)
{
        char text[512], reply[8192];
        size_t asked = 0;
        int n;

        if (w->fd < 0)
                *w = wire_open(THEIRS, server.port, NULL);
        n = snprintf(text, sizeof text,
                     "GET /api/v1/devices?limit=5 HTTP/1.1\r\n" HOST "Authorization: %s\r\n\r\n",
                     bearer);
        while (w->fd >= 0 && asked < 8 && wire_send(w, (odm_str){text, (size_t)n}))
                asked++;
        if (w->fd >= 0 && wire_stirs(w, 0)) {
                bool closed;
                wire_read(w, reply, sizeof reply, "HTTP/1.1 ", &closed);
                if (closed)
                        wire_close(w);
        }
        return asked;
}

static void a_flood_of_questions_leaves_devices_alone(void **state)
{
        wire w[40];
        pid_t pid = devices("20", "2", "5", 60);
        size_t asked = 0;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(w); i++)
                w[i] = (wire){.fd = -1};
        for (size_t turn = 0; still_runs(pid); turn++)
                asked += ask_on(&w[turn % ODM_COUNT(w)]);
        let_go(w, ODM_COUNT(w));
        if (daemon_end(pid) != 0) {
                odm_buf text = daemon_text("sim.out");
                fail_msg("devices are not served: %s", text.p);
        }
        print_message("# %zu questions asked meanwhile\n", asked);
        all_is_well();
}

/* ---- descriptors ------------------------------------------------------------------------ */

/* Runs it with so many descriptors: its exit code, or -1 when it serves. */
static int with_files(const char *files)
{
        char state[300], nofile[64];
        const struct timespec pause = {0, 20000000};
        pid_t pid;

        (void)snprintf(state, sizeof state, "server.state=%s", daemon_path("few"));
        (void)snprintf(nofile, sizeof nofile, "--nofile=%s:%s", files, files);
        const char *const args[] = {nofile, NREMD_PROGRAM,           "-s", state,
                                    "-s",   "dm.listen=127.0.0.1:0", "-s", "api.listen=127.0.0.1:0",
                                    "-s",   "wake.enabled=no",       NULL};
        pid = daemon_run_program("/usr/bin/prlimit", NULL, "few.log", args);
        for (int i = 0; i < 3000 && still_runs(pid); i++) {
                if (daemon_says("few.log", "nremd: started")) {
                        kill(pid, SIGTERM);
                        if (daemon_end(pid) == 0)
                                return -1;
                        odm_buf text = daemon_text("few.log");
                        fail_msg("it does not end well: %s", text.p);
                }
                (void)nanosleep(&pause, NULL);
        }
        return daemon_end(pid);
}

static void too_few_descriptors_are_told(void **state)
{
        (void)state;
        assert_int_equal(with_files("600"), -1);
        assert_true(daemon_says("few.log", "fewer connections than configured"));
        assert_true(daemon_says("few.log", "possible=472"));
        assert_int_equal(with_files("140"), 1);
        assert_true(daemon_says("few.log", "LimitNOFILE"));
        assert_int_equal(with_files("8192"), -1);
        assert_false(daemon_says("few.log", "fewer connections"));
}

/* ---- the group --------------------------------------------------------------------------- */

/* Each connection is a descriptor here, and there one of each of two listeners.  Who may raises the
 * hard limit. */
static void fit_idle(void)
{
        rlim_t wanted = idle_n * 5 / 2 + 500;
        struct rlimit r = {0}, more = {wanted, wanted};

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
        if (wanted > r.rlim_max && setrlimit(RLIMIT_NOFILE, &more) == 0)
                return;
        r.rlim_cur = r.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
        if (wanted <= r.rlim_cur)
                return;
        idle_n = (r.rlim_cur - 500) * 2 / 5;
        print_message("# the limit of open files allows %zu idle connections\n", idle_n);
}

static int begin(void **state)
{
        char most[64], memory[64], api[64];
        const char *const settings[] = {most,
                                        memory,
                                        "dm.sessions=20",
                                        "limits.active=64",
                                        "limits.slow=5m",
                                        "wake.enabled=no",
                                        NULL};
        tls_cred_opt co = {0};
        http_client_opt o;

        idle_n = size_of("XREM_LOAD_IDLE", 2000);
        seconds = size_of("XREM_LOAD_SECONDS", 10);
        fit_idle();
        if (daemon_make_folder(state) < 0)
                return -1;
        (void)setenv("ASAN_OPTIONS", "quarantine_size_mb=4", 0);
        daemon_make_certificates();
        (void)snprintf(most, sizeof most, "limits.connections=%zu", idle_n + idle_n / 4);
        (void)snprintf(memory, sizeof memory, "limits.memory=%zu", MEMORY);
        server = daemon_start("nremd.log", settings);
        odm_buf b = daemon_text("state/admin.token");
        (void)snprintf(token, sizeof token, "%.69s", b.p);
        (void)snprintf(bearer, sizeof bearer, "Bearer %.69s", b.p);
        odm_buf_done(&b);
        co.ca_file = daemon_path("ca/ca.pem");
        http_client_opt_init(&o);
        o.limits.max_body = 4 << 20;
        if (tls_cred_new(&co, &cred, NULL) < 0 || http_sync_new(&o, &good) < 0)
                return -1;
        (void)snprintf(api, sizeof api, "http://127.0.0.1:%u", server.port);
        const char *const create[] = {"--create", "--api", api, "-n", DEVICES, "-q", NULL};
        return daemon_end(daemon_run_program(XREMSIM, token, "sim.out", create));
}

static int finish(void **state)
{
        http_sync_free(good);
        tls_cred_free(cred);
        daemon_stop(&server);
        return daemon_drop_folder(state);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(idle_connections_cost_little),
                cmocka_unit_test(one_address_does_not_take_all_connections),
                cmocka_unit_test(bodies_keep_within_the_memory),
                cmocka_unit_test(ten_times_more_devices_are_sent_away),
                cmocka_unit_test(a_flood_of_questions_leaves_devices_alone),
                cmocka_unit_test(too_few_descriptors_are_told),
        };

        return cmocka_run_group_tests_name("load", tests, begin, finish);
}
