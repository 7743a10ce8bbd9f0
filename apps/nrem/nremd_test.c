/* SPDX-License-Identifier: Apache-2.0 */
/* nremd as a whole program: it starts, serves, says what is wrong, and stops. */
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "http_client.h"
#include "support.h"

static char folder[64];

static char *in_folder(const char *name)
{
        static char path[4][256];
        static unsigned turn;
        char *p = path[turn++ % 4];

        (void)snprintf(p, sizeof path[0], "%s/%s", folder, name);
        return p;
}

static int make_folder(void **state)
{
        (void)state;
        (void)snprintf(folder, sizeof folder, "/tmp/nremd_test.XXXXXX");
        return mkdtemp(folder) ? 0 : -1;
}

static void remove_all(const char *path)
{
        DIR *d = opendir(path);
        struct dirent *e;
        char name[512];

        while (d && (e = readdir(d))) {
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
                if (unlink(name) < 0)
                        remove_all(name);
        }
        if (d)
                closedir(d);
        (void)rmdir(path);
}

static int drop_folder(void **state)
{
        (void)state;
        remove_all(folder);
        return 0;
}

/* ---- the process -------------------------------------------------------------------- */

typedef struct process {
        pid_t pid;
        unsigned port, tls_port;
} process;

/* Runs nremd with these arguments; both outputs go into `out` in the folder. */
static pid_t run(const char *out, const char *const *args)
{
        pid_t pid = fork();
        const char *argv[24] = {NREMD};
        size_t n = 1;

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        int fd = open(in_folder(out), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
                _exit(126);
        for (; *args && n + 1 < ODM_COUNT(argv); args++)
                argv[n++] = *args;
        execv(NREMD, (char **)(uintptr_t)argv);
        _exit(127);
}

static int end_of(pid_t pid)
{
        int status;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status))
                return -WTERMSIG(status);
        return WEXITSTATUS(status);
}

static odm_buf text_of(const char *name)
{
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 1 << 20);
        if (fsio_read(in_folder(name), 1 << 20, &b, NULL) < 0)
                odm_buf_cut(&b, 0);
        assert_int_equal(odm_buf_byte(&b, 0), 0);
        return b;
}

static bool says(const char *name, const char *what)
{
        odm_buf b = text_of(name);
        bool yes = strstr(b.p, what) != NULL;

        odm_buf_done(&b);
        return yes;
}

static void read_ports(const char *log, process *p)
{
        odm_buf b = text_of(log);
        char *save = NULL;

        for (char *line = strtok_r(b.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                json_t *o = json_loads(line, 0, NULL);
                const char *msg = json_string_value(json_object_get(o, "msg"));
                unsigned port = (unsigned)json_integer_value(json_object_get(o, "port"));
                if (msg && strcmp(msg, "listening") == 0)
                        *(json_is_true(json_object_get(o, "tls")) ? &p->tls_port : &p->port) = port;
                json_decref(o);
        }
        odm_buf_done(&b);
}

/* Starts a server on free ports, and waits until it says that it has. */
static process start(const char *log)
{
        char state[300], cert[300], key[300];
        process p = {0};
        const struct timespec pause = {0, 20000000};

        (void)snprintf(state, sizeof state, "server.state=%s", in_folder("state"));
        (void)snprintf(cert, sizeof cert, "tls.cert=%s", in_folder("ca/server.pem"));
        (void)snprintf(key, sizeof key, "tls.key=%s", in_folder("ca/server.key"));
        const char *const args[] = {"-s", state,
                                    "-s", "dm.listen=127.0.0.1:0",
                                    "-s", "api.listen=127.0.0.1:0",
                                    "-s", "api.listen_tls=127.0.0.1:0",
                                    "-s", cert,
                                    "-s", key,
                                    "-s", "log.form=json",
                                    "-s", "wake.from=127.0.0.1:0",
                                    NULL};
        p.pid = run(log, args);
        for (int i = 0; i < 500 && !says(log, "\"started\""); i++) {
                assert_int_equal(waitpid(p.pid, NULL, WNOHANG), 0); /* it lives */
                nanosleep(&pause, NULL);
        }
        read_ports(log, &p);
        assert_true(p.port != 0 && p.tls_port != 0);
        return p;
}

/* ---- asking it ------------------------------------------------------------------------ */

static unsigned ask(const process *p, bool tls, const char *method, const char *path,
                    const char *body)
{
        http_client_opt opt;
        tls_cred *cred = NULL;
        http_sync *s;
        char url[256], bearer[128];
        odm_buf token = text_of("state/admin.token");
        http_field f[] = {{ODM_STR("Authorization"), {NULL, 0}},
                          {ODM_STR("Content-Type"), ODM_STR("application/json")}};
        http_request r = {.method = method, .fields = f, .n_fields = 2, .body = odm_cstr(body)};

        (void)snprintf(bearer, sizeof bearer, "Bearer %.69s", token.p);
        f[0].value = odm_cstr(bearer);
        (void)snprintf(url, sizeof url, "%s://localhost:%u%s", tls ? "https" : "http",
                       tls ? p->tls_port : p->port, path);
        r.url = odm_cstr(url);
        http_client_opt_init(&opt);
        if (tls) {
                const tls_cred_opt co = {.ca_file = in_folder("ca/ca.pem")};
                assert_int_equal(tls_cred_new(&co, &cred, NULL), 0);
                opt.tls = cred;
        }
        assert_int_equal(http_sync_new(&opt, &s), 0);
        const http_reply *reply = http_sync_send(s, &r);
        if (reply->rc < 0)
                fail_msg("%s: %s", url, reply->why);
        unsigned status = reply->status;
        http_sync_free(s);
        tls_cred_free(cred);
        odm_buf_done(&token);
        return status;
}

static void makes_certificates_once(void **state)
{
        char option[128];
        struct stat before, after;

        (void)state;
        (void)snprintf(option, sizeof option, "--make-dev-ca=%s", in_folder("ca"));
        const char *const args[] = {option, NULL};
        assert_int_equal(end_of(run("out", args)), 0);
        assert_int_equal(stat(in_folder("ca/server.key"), &before), 0);
        assert_int_equal(before.st_mode & 0777, 0600);
        assert_int_equal(end_of(run("out", args)), 0);
        assert_int_equal(stat(in_folder("ca/server.key"), &after), 0);
        assert_true(before.st_ino == after.st_ino && before.st_mtime == after.st_mtime);
}

static void serves_and_keeps_what_it_acknowledged(void **state)
{
        odm_buf first, second;

        (void)state;
        process p = start("log1");
        first = text_of("state/admin.token");
        assert_true(says("log1", first.p)); /* told once */
        assert_int_equal(ask(&p, false, "GET", "/healthz", NULL), 200);
        assert_int_equal(ask(&p, false, "POST", "/api/v1/devices", "{\"name\":\"a/b\"}"), 201);
        assert_int_equal(ask(&p, true, "GET", "/api/v1/devices/a%2Fb", NULL), 200);
        assert_int_equal(ask(&p, true, "GET", "/metrics", NULL), 200);
        kill(p.pid, SIGTERM);
        assert_int_equal(end_of(p.pid), 0);
        assert_true(says("log1", "\"ended\""));

        p = start("log2");
        second = text_of("state/admin.token");
        assert_str(odm_cstr(second.p), first.p);
        assert_false(says("log2", "xrem_"));
        assert_int_equal(ask(&p, false, "GET", "/api/v1/devices/a%2Fb", NULL), 200);
        assert_int_equal(ask(&p, false, "DELETE", "/api/v1/devices/a%2Fb", NULL), 204);
        kill(p.pid, SIGKILL); /* what was answered is durable */
        assert_int_equal(end_of(p.pid), -SIGKILL);

        p = start("log3");
        assert_int_equal(ask(&p, false, "GET", "/api/v1/devices/a%2Fb", NULL), 404);
        kill(p.pid, SIGINT);
        assert_int_equal(end_of(p.pid), 0);
        odm_buf_done(&first);
        odm_buf_done(&second);
}

static void refuses_a_folder_in_use(void **state)
{
        char other[300];
        process p = start("log1");

        (void)state;
        (void)snprintf(other, sizeof other, "server.state=%s", in_folder("state"));
        const char *const args[] = {"-s", other, "-s", "dm.listen=127.0.0.1:0", NULL};
        assert_int_equal(end_of(run("out", args)), 1);
        assert_true(says("out", "not started"));
        kill(p.pid, SIGTERM);
        assert_int_equal(end_of(p.pid), 0);
}

static const struct row {
        const char *why, *conf;
        int code;
        const char *says;
} rows[] = {
        {"a good one", "[log]\nlevel = debug\n", 0, ""},
        {"a key unknown", "[log]\n\nlevle = debug\n", 2, "nremd.conf:3"},
        {"a bad value", "[jobs]\nttl = never\n", 2, "nremd.conf:2"},
        {"a TLS listener without certificate", "[dm]\nlisten_tls = :0\n", 2, "tls.cert"},
};

static void checks_its_configuration(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const char *const args[] = {"--check", "--config", in_folder("nremd.conf"), NULL};
                assert_int_equal(fsio_write(NULL, in_folder("nremd.conf"), odm_cstr(rows[i].conf),
                                            0600, NULL),
                                 0);
                int code = end_of(run("out", args));
                if (code != rows[i].code || !says("out", rows[i].says)) {
                        odm_buf b = text_of("out");
                        fail_msg("%s: ended with %d: %s", rows[i].why, code, b.p);
                }
        }
        const char *const none[] = {"--config", in_folder("missing.conf"), NULL};
        assert_int_equal(end_of(run("out", none)), 2);
        const char *const operand[] = {"start", NULL};
        assert_int_equal(end_of(run("out", operand)), 2);
        const char *const help[] = {"--help", NULL};
        assert_int_equal(end_of(run("out", help)), 0);
        assert_true(says("out", "--make-dev-ca"));
}

static void what_it_prints_is_a_configuration(void **state)
{
        const char *const print[] = {"--print-config", NULL};
        const char *const check[] = {"--check", "--config", in_folder("printed"), NULL};

        (void)state;
        assert_int_equal(end_of(run("printed", print)), 0);
        assert_true(says("printed", "# server_id = xrem"));
        assert_int_equal(end_of(run("out", check)), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(checks_its_configuration),
                cmocka_unit_test(what_it_prints_is_a_configuration),
                cmocka_unit_test(makes_certificates_once),
                cmocka_unit_test(serves_and_keeps_what_it_acknowledged),
                cmocka_unit_test(refuses_a_folder_in_use),
        };
        return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
