/* SPDX-License-Identifier: Apache-2.0 */
/* The whole server in one process, on a disk (powercut_vfs.h) whose syncs do not come back: nothing
 * is acknowledged, what only reads is answered, more requests than it may hold are turned away, and
 * all of it goes on when the disk does. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "app.h"
#include "conf.h"
#include "fsio.h"
#include "heap.h"
#include "http_client.h"
#include "log.h"
#include "powercut_vfs.h"
#include "support.h"

#define POSTERS_MOST 64
#define FIRST_POSTERS 4

static char folder[64], token[96];
static unsigned port;

/* ---- requests ------------------------------------------------------------------------------ */

static unsigned ask(const char *method, const char *path, const char *body, bool *later)
{
        http_client_opt opt;
        http_sync *s;
        char url[256];
        const http_field f[] = {{ODM_STR("Authorization"), odm_cstr(token)},
                                {ODM_STR("Content-Type"), ODM_STR("application/json")}};
        http_request r = {.method = method, .fields = f, .n_fields = 2, .body = odm_cstr(body)};

        http_client_opt_init(&opt);
        opt.reply_ms = 120000;
        assert_int_equal(http_sync_new(&opt, &s), 0);
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
        r.url = odm_cstr(url);
        const http_reply *reply = http_sync_send(s, &r);
        unsigned status = reply->rc < 0 ? 0 : reply->status;
        if (later)
                *later = http_reply_field(reply, "Retry-After").n > 0;
        http_sync_free(s);
        return status;
}

typedef struct poster {
        pthread_t thread;
        int i;
        unsigned status; /* 0: not answered */
        bool later;
} poster;

static poster posters[POSTERS_MOST];
static pthread_mutex_t answered_lock = PTHREAD_MUTEX_INITIALIZER;

static void *post(void *ctx)
{
        poster *p = ctx;
        char body[48];
        bool later;

        (void)snprintf(body, sizeof body, "{\"name\":\"slow/%d\"}", p->i);
        unsigned status = ask("POST", "/api/v1/devices", body, &later);
        pthread_mutex_lock(&answered_lock);
        p->status = status;
        p->later = later;
        pthread_mutex_unlock(&answered_lock);
        return NULL;
}

static void start_poster(int i)
{
        posters[i] = (poster){.i = i};
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post, &posters[i]), 0);
}

/* Statuses so far: how many of the first n posters have one; all of them are `want`. */
static int answered(int n, unsigned want)
{
        int count = 0;

        pthread_mutex_lock(&answered_lock);
        for (int i = 0; i < n; i++)
                if (posters[i].status) {
                        count++;
                        if (posters[i].status != want || (want == 503 && !posters[i].later))
                                fail_msg("poster %d was answered %u", i, posters[i].status);
                }
        pthread_mutex_unlock(&answered_lock);
        return count;
}

/* ---- the server ------------------------------------------------------------------------- */

typedef struct server {
        cfg *conf;
        loop *loop;
        app *app;
        pthread_t thread;
        disk *disk;
} server;

static void *run(void *ctx)
{
        assert_int_equal(loop_run(((server *)ctx)->loop), 0);
        return NULL;
}

static void read_token(void)
{
        char path[96];
        odm_buf b;

        (void)snprintf(path, sizeof path, "%s/admin.token", folder);
        odm_buf_init(&b, &heap_mem, 4096);
        assert_int_equal(fsio_read(path, 4096, &b, NULL), 0);
        (void)snprintf(token, sizeof token, "Bearer %.*s", (int)strcspn(b.p, "\n"), b.p);
        odm_buf_done(&b);
}

static void configure(server *s)
{
        char text[512];
        diag d = {{0}};

        (void)snprintf(text, sizeof text,
                       "[server]\nstate = %s\n[dm]\nlisten = 127.0.0.1:0\n"
                       "[api]\nlisten = 127.0.0.1:0\n[wake]\nenabled = no\n"
                       "[limits]\nactive = 16\n",
                       folder);
        assert_int_equal(cfg_new(conf_keys, conf_keys_n, &s->conf), 0);
        if (cfg_parse(s->conf, odm_cstr(text), "nremd.conf", &d) < 0)
                fail_msg("%s", d.text);
        assert_int_equal(loop_new(&s->loop), 0);
}

static void start(server *s)
{
        diag d = {{0}};

        s->disk = disk_new();
        powercut_use(s->disk);
        configure(s);
        if (app_start(s->conf, s->loop, "0.0.test", &s->app, &d) < 0)
                fail_msg("not started: %s", d.text);
        port = app_port(s->app, true, false);
        read_token();
        assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

static void stop(server *s)
{
        loop_stop(s->loop);
        pthread_join(s->thread, NULL);
        app_stop(s->app);
        loop_free(s->loop);
        cfg_free(s->conf);
        powercut_use(NULL);
        disk_free(s->disk);
}

/* ---- tests -------------------------------------------------------------------------------- */

static void a_slow_disk_stops_nobody_who_reads(void **state)
{
        server s = {.conf = NULL};
        int n = FIRST_POSTERS, shed = 0;

        (void)state;
        start(&s);
        assert_int_equal(ask("POST", "/api/v1/devices", "{\"name\":\"before\"}", NULL), 201);
        powercut_hold(true);
        for (int i = 0; i < n; i++)
                start_poster(i);
        while (powercut_waiting() == 0)
                sched_yield();
        for (int i = 0; i < 5; i++) {
                assert_int_equal(ask("GET", "/healthz", NULL, NULL), 200);
                assert_int_equal(ask("GET", "/api/v1/devices/before", NULL, NULL), 200);
                assert_int_equal(ask("GET", "/api/v1/devices/slow%2F0", NULL, NULL), 404);
        }
        assert_int_equal(answered(n, 201), 0);
        /* one after the other, until one is turned away */
        while (shed == 0 && n < POSTERS_MOST) {
                start_poster(n++);
                assert_int_not_equal(ask("GET", "/healthz", NULL, NULL), 0);
                shed = answered(n, 503);
        }
        while (shed == 0) { /* they are more than it may hold */
                sched_yield();
                shed = answered(n, 503);
        }
        powercut_hold(false);
        for (int i = 0; i < n; i++)
                pthread_join(posters[i].thread, NULL);
        for (int i = 0; i < n; i++) {
                char path[64];
                (void)snprintf(path, sizeof path, "/api/v1/devices/slow%%2F%d", i);
                bool made = posters[i].status == 201;
                assert_true(made || posters[i].status == 503);
                assert_true(made || i >= FIRST_POSTERS);
                assert_int_equal(ask("GET", path, NULL, NULL), made ? 200 : 404);
        }
        stop(&s);
}

/* A folder with a gateway's store in it is not begun in: nothing of it is read or written. */
static void a_gateways_folder_is_left_alone(void **state)
{
        server s = {.conf = NULL};
        char path[96];
        diag d = {{0}};

        (void)state;
        (void)snprintf(path, sizeof path, "%s/gateway.db", folder);
        assert_int_equal(fsio_write(NULL, path, ODM_STR("of gremd"), 0600, &d), 0);
        configure(&s);
        assert_int_equal(app_start(s.conf, s.loop, "0.0.test", &s.app, &d), ODM_EUNSUPPORTED);
        if (!strstr(d.text, folder) || !strstr(d.text, "gremd"))
                fail_msg("%s", d.text);
        loop_free(s.loop);
        cfg_free(s.conf);
        assert_int_equal(unlink(path), 0);
        (void)snprintf(path, sizeof path, "%s/lock", folder);
        assert_int_equal(access(path, F_OK), -1);
}

static int set_up(void **state)
{
        (void)state;
        (void)snprintf(folder, sizeof folder, "/tmp/slow_test.XXXXXX");
        log_init("slow_test", LOG_LEVEL_ERROR, LOG_FORM_TEXT, STDERR_FILENO, NULL);
        powercut_install();
        return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
        DIR *d = opendir(folder);
        struct dirent *e;

        (void)state;
        powercut_remove();
        while (d && (e = readdir(d)))
                if (unlinkat(dirfd(d), e->d_name, 0) < 0) /* the folder of a part */
                        (void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
        if (d)
                closedir(d);
        return rmdir(folder);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_gateways_folder_is_left_alone),
                cmocka_unit_test(a_slow_disk_stops_nobody_who_reads),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
