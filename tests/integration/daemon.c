/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "http_client.h"

static char folder[64];

const char *daemon_path(const char *name)
{
        static char path[4][256];
        static unsigned turn;
        char *p = path[turn++ % 4];

        (void)snprintf(p, sizeof path[0], "%s/%s", folder, name);
        return p;
}

int daemon_make_folder(void **state)
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

int daemon_drop_folder(void **state)
{
        (void)state;
        remove_all(folder);
        return 0;
}

/* ---- the process ----------------------------------------------------------------- */

pid_t daemon_run_program(const char *program, const char *token, const char *out,
                         const char *const *args)
{
        const char *argv[64] = {program};
        size_t n = 1;

        (void)unlink(daemon_path(out)); /* what an earlier one said is not this one's */
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* it goes with a test that fails */
        int fd = open(daemon_path(out), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 ||
            (token && setenv("XREM_TOKEN", token, 1) < 0))
                _exit(126);
        for (; *args && n + 1 < ODM_COUNT(argv); args++)
                argv[n++] = *args;
        execv(program, (char **)(uintptr_t)argv);
        _exit(127);
}

pid_t daemon_run(const char *out, const char *const *args)
{
        return daemon_run_program(NREMD, NULL, out, args);
}

int daemon_end(pid_t pid)
{
        int status;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status))
                return -WTERMSIG(status);
        return WEXITSTATUS(status);
}

odm_buf daemon_text(const char *name)
{
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 1 << 20);
        if (fsio_read(daemon_path(name), 1 << 20, &b, NULL) < 0)
                odm_buf_cut(&b, 0);
        assert_int_equal(odm_buf_byte(&b, 0), 0);
        return b;
}

bool daemon_says(const char *name, const char *what)
{
        odm_buf b = daemon_text(name);
        bool yes = strstr(b.p, what) != NULL;

        odm_buf_done(&b);
        return yes;
}

static void read_ports(const char *log, daemon_process *p)
{
        odm_buf b = daemon_text(log);
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

void daemon_make_certificates(void)
{
        char option[300];

        (void)snprintf(option, sizeof option, "--make-dev-ca=%s", daemon_path("ca"));
        const char *const args[] = {option, NULL};
        assert_int_equal(daemon_end(daemon_run("out", args)), 0);
}

daemon_process daemon_start(const char *log, const char *const *settings)
{
        char state[300], cert[300], key[300];
        daemon_process p = {0};
        const struct timespec pause = {0, 20000000};
        const char *fixed[] = {state,
                               cert,
                               key,
                               "dm.listen=127.0.0.1:0",
                               "api.listen=127.0.0.1:0",
                               "dm.listen_tls=127.0.0.1:0",
                               "api.listen_tls=127.0.0.1:0",
                               "log.form=json",
                               "wake.from=127.0.0.1:0"};
        const char *args[64] = {NULL};
        size_t n = 0;

        (void)snprintf(state, sizeof state, "server.state=%s", daemon_path("state"));
        (void)snprintf(cert, sizeof cert, "tls.cert=%s", daemon_path("ca/server.pem"));
        (void)snprintf(key, sizeof key, "tls.key=%s", daemon_path("ca/server.key"));
        for (size_t i = 0; i < ODM_COUNT(fixed); i++) {
                args[n++] = "-s";
                args[n++] = fixed[i];
        }
        for (; settings && *settings && n + 3 < ODM_COUNT(args); settings++) {
                args[n++] = "-s";
                args[n++] = *settings;
        }
        p.pid = daemon_run(log, args);
        for (int i = 0; i < 3000 && !daemon_says(log, "\"started\""); i++) {
                if (waitpid(p.pid, NULL, WNOHANG) != 0) {
                        odm_buf b = daemon_text(log);
                        fail_msg("nremd did not start: %s", b.p);
                }
                nanosleep(&pause, NULL);
        }
        read_ports(log, &p);
        assert_true(p.port != 0 && p.tls_port != 0);
        return p;
}

void daemon_stop(daemon_process *p)
{
        kill(p->pid, SIGTERM);
        assert_int_equal(daemon_end(p->pid), 0);
}

static void set_bearer(char *out, size_t n)
{
        odm_buf token = daemon_text("state/admin.token");

        (void)snprintf(out, n, "Bearer %.69s", token.p);
        odm_buf_done(&token);
}

static unsigned ask(const daemon_process *p, bool tls, const char *method, const char *path,
                    const char *body, const char *key, json_t **answer)
{
        http_client_opt opt;
        tls_cred *cred = NULL;
        http_sync *s;
        char url[1024], bearer[128];
        http_field f[] = {{ODM_STR("Authorization"), {NULL, 0}},
                          {ODM_STR("Content-Type"), ODM_STR("application/json")},
                          {ODM_STR("Idempotency-Key"), odm_cstr(key)}};
        http_request r = {
                .method = method, .fields = f, .n_fields = key ? 3 : 2, .body = odm_cstr(body)};

        set_bearer(bearer, sizeof bearer);
        f[0].value = odm_cstr(bearer);
        (void)snprintf(url, sizeof url, "%s://localhost:%u%s", tls ? "https" : "http",
                       tls ? p->tls_port : p->port, path);
        r.url = odm_cstr(url);
        http_client_opt_init(&opt);
        opt.limits.max_body = opt.max_inflated = (size_t)64 << 20;
        opt.reply_ms = 120000;
        if (tls) {
                const tls_cred_opt co = {.ca_file = daemon_path("ca/ca.pem")};
                assert_int_equal(tls_cred_new(&co, &cred, NULL), 0);
                opt.tls = cred;
        }
        assert_int_equal(http_sync_new(&opt, &s), 0);
        const http_reply *reply = http_sync_send(s, &r);
        if (reply->rc < 0)
                fail_msg("%s: %s", url, reply->why);
        unsigned status = reply->status;
        if (answer)
                *answer = reply->body.n ? json_loadb(reply->body.p, reply->body.n, 0, NULL) : NULL;
        http_sync_free(s);
        tls_cred_free(cred);
        return status;
}

unsigned daemon_ask(const daemon_process *p, bool tls, const char *method, const char *path,
                    const char *body, json_t **answer)
{
        return ask(p, tls, method, path, body, NULL, answer);
}

unsigned daemon_ask_keyed(const daemon_process *p, const char *path, const char *body,
                          const char *key, json_t **answer)
{
        return ask(p, false, "POST", path, body, key, answer);
}
