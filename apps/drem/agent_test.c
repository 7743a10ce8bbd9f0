/* SPDX-License-Identifier: Apache-2.0 */
/* agent_test.c - the whole agent against a DM server on loopback. */
#include "agent.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent_lab.h"
#include "cert.h"
#include "dm_fake.h"
#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "net.h"
#include "support.h"

typedef struct world {
        dm_fake f;
        char dir[64];
        cfg *c;
        loop *l;
        agent *g;
} world;

static int set_up(void **state)
{
        world *w = calloc(1, sizeof *w);
        char ca[96], ca_key[96], cert[96], key[96];
        static const char *const names[] = {"localhost", NULL};
        const cert_request r = {"localhost", names, 5, true, false};

        lab_begin(w->dir, "agent_test");
        snprintf(ca, sizeof ca, "%s/ca.pem", w->dir);
        snprintf(ca_key, sizeof ca_key, "%s/ca.key", w->dir);
        snprintf(cert, sizeof cert, "%s/s.pem", w->dir);
        snprintf(key, sizeof key, "%s/s.key", w->dir);
        assert_int_equal(cert_make_ca("test", 5, ca, ca_key, NULL), 0);
        assert_int_equal(cert_make(&r, ca, ca_key, cert, key, NULL), 0);
        dm_fake_start(&w->f, cert, key);
        assert_int_equal(cfg_new(conf_keys, conf_keys_n, &w->c), 0);
        lab_set(w->c, "agent.state=%s/state", w->dir);
        lab_account(w->c, FAKE_ID, "localhost", w->f.plain, FAKE_USER, FAKE_USER_PASSWORD,
                    FAKE_PASSWORD);
        lab_set(w->c, "device.id=urn:uuid:test-device");
        lab_set(w->c, "wake.listen=127.0.0.1:0");
        lab_set(w->c, "transport.ca_file=%s", ca);
        assert_int_equal(loop_new(&w->l), 0);
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        world *w = *state;

        agent_close(w->g);
        loop_free(w->l);
        cfg_free(w->c);
        dm_fake_stop(&w->f);
        lab_remove(w->dir);
        free(w);
        return 0;
}

static void open_agent(world *w)
{
        lab_open(w->c, w->l, NULL, &w->g);
}

static void restart_agent(world *w)
{
        agent_close(w->g);
        w->g = NULL;
        open_agent(w);
}

/* Runs the loop until the status says `text`, for some seconds at most. */
static void run_until(world *w, const char *text)
{
        odm_time limit = odm_time_add(loop_now(), 15000);

        while (!lab_status_has(w->g, text)) {
                if (odm_time_reached(loop_now(), limit)) {
                        odm_buf b;
                        odm_buf_init(&b, &heap_mem, 65536);
                        assert_int_equal(agent_status(w->g, &b), 0);
                        fail_msg("no '%s' in:\n%.*s", text, (int)b.n, b.p);
                }
                assert_int_equal(loop_once(w->l, 50), 0);
        }
}

static void run_for(world *w, int64_t ms)
{
        odm_time limit = odm_time_add(loop_now(), ms);

        while (!odm_time_reached(loop_now(), limit))
                assert_int_equal(loop_once(w->l, 20), 0);
}

/* ---- sessions -------------------------------------------------------------------------- */

static const fake_job reads[] = {
        {ODM_CMD_GET, "./DevInfo/DevId"},
        {ODM_CMD_GET, "./DevDetail/SwV"},
        {ODM_CMD_GET, "./Vendor/xrem/Uptime"},
        {ODM_CMD_GET, "./Vendor/xrem/Net"},
        {ODM_CMD_GET, "./Vendor/xrem/Net/lo/Addrs"},
        {ODM_CMD_GET, "./Vendor/xrem/Net/nosuch0/Addrs"},
        {ODM_CMD_GET, "./Vendor/xrem/Memory/TotalKB"},
        {ODM_CMD_GET, "./Vendor/xrem/Disk/root/Mount"},
        {ODM_CMD_REPLACE, "./Vendor/xrem/Config/Interval", "30", NULL, ODM_FMT_INT},
        {ODM_CMD_REPLACE, "./Vendor/xrem/Config/Interval", "3", NULL, ODM_FMT_INT},
        {ODM_CMD_REPLACE, "./Vendor/xrem/Config/Log", "loud"},
        {ODM_CMD_REPLACE, "./Vendor/xrem/Uptime", "5", NULL, ODM_FMT_INT},
        {ODM_CMD_EXEC, "./Vendor/xrem/Ping"},
        {ODM_CMD_GET, "./DMAcc/main/AppAuth/1/AAuthSecret"},
};

static void check_reads(world *w)
{
        static const char *const lines[] = {
                "devinfo ./DevInfo/DevId = urn:uuid:test-device",
                "devinfo ./DevInfo/Ext/xrem/Wake = udp://:",
                "200 ./DevInfo/DevId = urn:uuid:test-device",
                "200 ./DevDetail/SwV = xrem dremd 0.0",
                "200 ./Vendor/xrem/Uptime = ",
                "200 ./Vendor/xrem/Net/lo/Addrs = 127.0.0.1/8",
                "404 ./Vendor/xrem/Net/nosuch0/Addrs",
                "200 ./Vendor/xrem/Memory/TotalKB = ",
                "200 ./Vendor/xrem/Disk/root/Mount = /",
                "200 ./Vendor/xrem/Config/Interval\n",
                "415 ./Vendor/xrem/Config/Interval\n",
                "415 ./Vendor/xrem/Config/Log\n",
                "405 ./Vendor/xrem/Uptime\n",
                "200 ./Vendor/xrem/Ping\n",
                "405 ./DMAcc/main/AppAuth/1/AAuthSecret\n",
        };

        for (size_t i = 0; i < ODM_COUNT(lines); i++)
                if (!dm_fake_reported(&w->f, lines[i]))
                        fail_msg("no '%s' in:\n%s", lines[i], w->f.report);
}

static void first_session_shows_the_machine(void **state)
{
        world *w = *state;

        w->f.jobs = reads;
        w->f.n_jobs = ODM_COUNT(reads);
        open_agent(w);
        run_until(w, "last-outcome: done");
        check_reads(w);
        assert_int_equal(w->f.alerts_1201, 1);
        assert_true(lab_status_has(w->g, "next-session: in 30 s") ||
                    lab_status_has(w->g, "next-session: in 29 s"));
}

static void every_way_of_talking_works(void **state)
{
        static const struct {
                const char *why, *codec, *scheme, *auth, *gzip, *dm13;
        } rows[] = {
                {"XML", "xml", "http", "digest", "no", "no"},
                {"TLS", "wbxml", "https", "digest", "no", "no"},
                {"TLS, XML, gzip", "xml", "https", "digest", "yes", "no"},
                {"gzip", "wbxml", "http", "digest", "yes", "no"},
                {"MAC", "wbxml", "http", "hmac", "no", "no"},
                {"MAC, XML", "xml", "http", "hmac", "no", "no"},
                {"basic over TLS", "wbxml", "https", "basic", "no", "no"},
        };
        world *w = *state;

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                bool tls = strcmp(rows[i].scheme, "https") == 0;
                char command[128];

                agent_close(w->g);
                w->g = NULL;
                snprintf(command, sizeof command, "rm -rf %s/state", w->dir);
                assert_int_equal(system(command), 0);
                w->f.type = strcmp(rows[i].auth, "hmac") == 0    ? ODM_AUTH_MAC
                            : strcmp(rows[i].auth, "basic") == 0 ? ODM_AUTH_BASIC
                                                                 : ODM_AUTH_MD5;
                w->f.client = w->f.previous = w->f.server = (odm_nonce){0};
                w->f.jobs = reads;
                w->f.n_jobs = ODM_COUNT(reads);
                w->f.next_job = 0;
                w->f.report[0] = 0;
                lab_set(w->c, "session.codec=%s", rows[i].codec);
                lab_set(w->c, "transport.gzip=%s", rows[i].gzip);
                lab_set(w->c, "session.dm13=%s", rows[i].dm13);
                lab_set(w->c, "account.auth=%s", rows[i].auth);
                lab_set(w->c, "account.server_auth=%s",
                        strcmp(rows[i].auth, "hmac") == 0 ? "hmac" : "digest");
                lab_set(w->c, "account.url=%s://localhost:%u/dm", rows[i].scheme,
                        tls ? w->f.tls : w->f.plain);
                open_agent(w);
                run_until(w, "last-outcome: ");
                run_until(w, "last-session-ended: 2");
                if (!lab_status_has(w->g, "last-outcome: done"))
                        fail_msg("%s: the session failed", rows[i].why);
                check_reads(w);
        }
}

/* The account says nothing of the password itself, and the server asks for it. */
static void basic_is_shown_only_where_allowed(void **state)
{
        static const struct {
                const char *scheme, *basic, *want;
        } rows[] = {
                {"https", "no", "last-outcome: auth-refused"},
                {"http", "yes", "last-outcome: auth-refused"},
                {"https", "yes", "last-outcome: done"},
        };
        world *w = *state;

        w->f.type = ODM_AUTH_BASIC;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char command[128];
                agent_close(w->g);
                w->g = NULL;
                snprintf(command, sizeof command, "rm -rf %s/state", w->dir);
                assert_int_equal(system(command), 0);
                lab_set(w->c, "account.auth=none");
                lab_set(w->c, "session.basic=%s", rows[i].basic);
                lab_set(w->c, "account.url=%s://localhost:%u/dm", rows[i].scheme,
                        strcmp(rows[i].scheme, "https") == 0 ? w->f.tls : w->f.plain);
                open_agent(w);
                run_until(w, rows[i].want);
        }
}

static void accounts_and_nonces_survive_a_restart(void **state)
{
        world *w = *state;

        open_agent(w);
        run_until(w, "last-outcome: done");
        assert_int_equal(w->f.auth_failed, 0);
        lab_set(w->c, "account.url=http://localhost:1/nowhere"); /* read no more */
        for (unsigned i = 2; i < 5; i++) {
                FILE *log = tmpfile();
                char line[400];
                unsigned told = 0;

                assert_non_null(log);
                log_init("t", LOG_LEVEL_WARN, LOG_FORM_TEXT, fileno(log), NULL);
                restart_agent(w);
                log_init("t", LOG_LEVEL_ERROR, LOG_FORM_TEXT, 2, NULL);
                rewind(log);
                while (fgets(line, sizeof line, log))
                        told += strstr(line, "the section [account] has changed") != NULL;
                assert_int_equal(told, 1);
                (void)fclose(log);
                run_until(w, "last-outcome: done");
                assert_int_equal(dm_fake_done(&w->f), i);
                /* the nonces were right at once: no challenge was needed */
                assert_int_equal(w->f.auth_failed, 0);
        }
}

static void wrong_passwords_are_given_up_and_tried_later(void **state)
{
        world *w = *state;

        w->f.password = "another";
        open_agent(w);
        run_until(w, "last-outcome: auth-refused");
        assert_true(lab_status_has(w->g, "failures-in-a-row: 1"));
        run_until(w, "failures-in-a-row: 2");
        pthread_mutex_lock(&w->f.lock);
        w->f.password = FAKE_USER_PASSWORD;
        pthread_mutex_unlock(&w->f.lock);
        run_until(w, "last-outcome: done");
        assert_true(lab_status_has(w->g, "failures-in-a-row: 0"));
}

static void a_server_that_cannot_prove_itself_gets_nothing(void **state)
{
        world *w = *state;

        lab_set(w->c, "account.server_password=other");
        w->f.jobs = reads;
        w->f.n_jobs = ODM_COUNT(reads);
        open_agent(w);
        run_until(w, "sessions-failed: 1");
        assert_false(dm_fake_reported(&w->f, "200 ./Vendor"));
        assert_false(lab_status_has(w->g, "last-outcome: done"));
}

static void busy_servers_are_left_alone_as_they_ask(void **state)
{
        world *w = *state;

        w->f.refuse_status = 503;
        w->f.retry_after = "100";
        open_agent(w);
        run_until(w, "last-outcome: transport");
        assert_true(lab_status_has(w->g, "HTTP status 503"));
        assert_true(lab_status_has(w->g, "next-session: in 100 s") ||
                    lab_status_has(w->g, "next-session: in 101 s"));
}

static void redirections_are_not_followed(void **state)
{
        world *w = *state;

        w->f.refuse_status = 302;
        open_agent(w);
        run_until(w, "redirections are not followed");
        assert_int_equal(w->f.requests, 1);
}

static void plain_http_stays_on_this_machine(void **state)
{
        world *w = *state;

        lab_set(w->c, "transport.plain_http=no");
        open_agent(w);
        run_until(w, "plain_http does not allow");
        assert_int_equal(w->f.requests, 0);
}

static void without_tls_the_server_must_have_credentials(void **state)
{
        world *w = *state;

        lab_set(w->c, "account.server_auth=none");
        lab_set(w->c, "account.server_password=");
        open_agent(w);
        run_until(w, "must prove itself");
        assert_int_equal(w->f.requests, 0);
}

static void a_lost_reply_is_asked_for_again(void **state)
{
        world *w = *state;

        lab_set(w->c, "session.reply_time=1s");
        w->f.jobs = reads;
        w->f.n_jobs = ODM_COUNT(reads);
        w->f.stall_at = 2;
        open_agent(w);
        run_until(w, "last-outcome: done");
        check_reads(w);
        assert_int_equal(w->f.sessions, 1);
        assert_true(w->f.requests > 2);
}

/* ---- Sync and its alert ---------------------------------------------------------------------- */

/* A second account, of a server that does not answer. */
static int other_mount(const part_host *h, void **out, diag *d)
{
        (void)d;
        *out = (void *)(uintptr_t)h;
        return 0;
}

static int other_fill(void *part, diag *d)
{
        static const char *const leaves[][2] = {
                {"AppID", "w7"},
                {"ServerID", "other"},
                {"AppAddr/1/Addr", "http://localhost:1/dm"},
                {"AppAddr/1/AddrType", "URI"},
        };
        const part_host *h = part;

        (void)d;
        for (size_t i = 0; i < ODM_COUNT(leaves); i++) {
                const odm_value v = {.format = ODM_FMT_CHR, .data = odm_cstr(leaves[i][1])};
                char uri[96];

                snprintf(uri, sizeof uri, "./DMAcc/other/%s", leaves[i][0]);
                assert_int_equal(odm_tree_write(h->tree, odm_cstr(uri), &v, loop_wall()), 0);
        }
        return 0;
}

static void other_close(void *part)
{
        (void)part;
}

/* The one that answers is called as often as ever. */
static void a_server_that_is_away_holds_up_no_other(void **state)
{
        static const part_class other = {
                .name = "other", .mount = other_mount, .fill = other_fill, .close = other_close};
        static const part_class *const parts[] = {&other, NULL};
        static const agent_app app = {.parts = parts, .program = "dremd"};
        world *w = *state;

        lab_set(w->c, "session.retry_min=1h");
        lab_set(w->c, "session.interval=30s");
        open_agent(w);
        agent_close(w->g);
        lab_open(w->c, w->l, &app, &w->g);
        run_until(w, "failures-in-a-row: 1");
        assert_int_equal(dm_fake_done(&w->f), 1);
        assert_true(lab_status_has(w->g, "next-session: in 30 s") ||
                    lab_status_has(w->g, "next-session: in 29 s"));
}

static void sync_brings_another_session_and_its_alert(void **state)
{
        static const fake_job job[] = {{ODM_CMD_EXEC, "./Vendor/xrem/Sync", NULL, "job-7"}};
        world *w = *state;

        w->f.jobs = job;
        w->f.n_jobs = 1;
        open_agent(w);
        run_until(w, "\nsessions: 1");
        assert_true(dm_fake_reported(&w->f, "202 ./Vendor/xrem/Sync"));
        assert_true(lab_status_has(w->g, "alerts-waiting: 1"));
        assert_false(dm_fake_reported(&w->f, "alert "));
        run_until(w, "\nsessions: 2");
        assert_true(dm_fake_reported(&w->f, "alert ./Vendor/xrem/Sync job-7 200"));
        run_until(w, "alerts-waiting: 0");
        run_for(w, 1500);
        assert_int_equal(dm_fake_done(&w->f), 2); /* and that was all */
}

static void alerts_wait_for_the_server_through_a_restart(void **state)
{
        static const fake_job job[] = {{ODM_CMD_EXEC, "./Vendor/xrem/Sync", NULL, "job-8"}};
        world *w = *state;

        w->f.jobs = job;
        w->f.n_jobs = 1;
        open_agent(w);
        run_until(w, "\nsessions: 1");
        restart_agent(w);
        assert_true(lab_status_has(w->g, "alerts-waiting: 1"));
        run_until(w, "alerts-waiting: 0");
        assert_true(dm_fake_reported(&w->f, "alert ./Vendor/xrem/Sync job-8 200"));
        restart_agent(w);
        assert_true(lab_status_has(w->g, "alerts-waiting: 0"));
}

/* ---- wake-ups --------------------------------------------------------------------------- */

static uint16_t wake_port_of(world *w)
{
        odm_buf b;
        char *at;
        uint16_t port;

        odm_buf_init(&b, &heap_mem, 65536);
        assert_int_equal(agent_status(w->g, &b), 0);
        assert_int_equal(odm_buf_byte(&b, 0), 0);
        at = strstr(b.p, "wake-port: ");
        assert_non_null(at);
        port = (uint16_t)strtoul(at + 11, NULL, 10);
        odm_buf_done(&b);
        return port;
}

static void send_wake(world *w, uint16_t id, const char *password, const odm_nonce *nonce)
{
        const odm_notification n = {.version = ODM_NOTIFY_VERSION,
                                    .ui = ODM_UI_BACKGROUND,
                                    .by_server = true,
                                    .session_id = id,
                                    .server_id = ODM_STR(FAKE_ID)};
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(wake_port_of(w)),
                                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        odm_secret secret;
        odm_buf p, d;

        odm_buf_init(&p, &heap_mem, 2000);
        odm_buf_init(&d, &heap_mem, 2000);
        odm_secret_of(n.server_id, odm_cstr(password), &secret);
        assert_int_equal(odm_notify_make(&n, &secret, nonce, &p), 0);
        assert_int_equal(odm_wsp_wrap(1, odm_buf_view(&p), &d), 0);
        assert_int_equal(sendto(fd, d.p, d.n, 0, (struct sockaddr *)&to, sizeof to), d.n);
        close(fd);
        odm_buf_done(&p);
        odm_buf_done(&d);
}

static odm_nonce server_nonce(world *w)
{
        odm_nonce n;

        pthread_mutex_lock(&w->f.lock);
        n = w->f.server;
        pthread_mutex_unlock(&w->f.lock);
        return n;
}

static void wake_ups_are_followed_once(void **state)
{
        world *w = *state;
        odm_nonce nonce, old;

        open_agent(w);
        run_until(w, "\nsessions: 1");
        old = nonce = server_nonce(w);
        send_wake(w, 0x1234, FAKE_PASSWORD, &nonce);
        run_until(w, "\nsessions: 2");
        assert_string_equal(w->f.last_id, "1234");
        assert_int_equal(w->f.alerts_1200, 1);
        send_wake(w, 0x1234, FAKE_PASSWORD, &old); /* replayed: its nonce is used up */
        run_until(w, "wake-ups-ignored: 1");
        send_wake(w, 0x1235, "guess", &nonce); /* forged */
        run_until(w, "wake-ups-ignored: 2");
        run_for(w, 300);
        assert_true(lab_status_has(w->g, "\nsessions: 2\n"));
        nonce = server_nonce(w);
        send_wake(w, 0x1236, FAKE_PASSWORD, &nonce);
        run_until(w, "\nsessions: 3");
        assert_string_equal(w->f.last_id, "1236");
}

static void default_nonces_bring_a_resync_once_and_for_all(void **state)
{
        world *w = *state;

        open_agent(w);
        run_until(w, "\nsessions: 1");
        pthread_mutex_lock(&w->f.lock);
        w->f.client = w->f.previous = w->f.server = (odm_nonce){0}; /* the server forgot */
        pthread_mutex_unlock(&w->f.lock);
        send_wake(w, 7, FAKE_PASSWORD, &odm_nonce_default_zero);
        run_until(w, "\nsessions: 2");
        assert_true(lab_status_has(w->g, "last-outcome: done"));
        send_wake(w, 7, FAKE_PASSWORD, &odm_nonce_default_zero);
        run_until(w, "wake-ups-ignored: 1");
        restart_agent(w); /* remembered */
        run_until(w, "\nsessions: 1");
        send_wake(w, 7, FAKE_PASSWORD, &odm_nonce_default_zero);
        run_until(w, "wake-ups-ignored: 1");
        run_for(w, 300);
        assert_true(lab_status_has(w->g, "\nsessions: 1\n"));
}

static void floods_are_dropped(void **state)
{
        world *w = *state;

        lab_set(w->c, "wake.min_interval=1h");
        open_agent(w);
        run_until(w, "\nsessions: 1");
        for (uint16_t i = 0; i < 35; i++)
                send_wake(w, (uint16_t)(100 + i), FAKE_PASSWORD, &odm_nonce_default_zero);
        run_until(w, "wake-ups-ignored: 5");
        run_until(w, "\nwoken: 30\n");
}

/* ---- the end ---------------------------------------------------------------------------- */

/* ---- tasks ----------------------------------------------------------------------------- */

static const fake_job an_order[] = {
        {ODM_CMD_REPLACE, "./FUMO/main/Download/PkgURL", "http://127.0.0.1:1/p", NULL, ODM_FMT_CHR},
        {ODM_CMD_EXEC, "./FUMO/main/Download", NULL, "job-1", ODM_FMT_ABSENT},
};

static void with_firmware(world *w)
{
        char path[96];

        snprintf(path, sizeof path, "%s/fetch", w->dir);
        assert_int_equal(fsio_write(NULL, path, ODM_STR("#!/bin/sh\nexec sleep 60\n"), 0755, NULL),
                         0);
        lab_set(w->c, "firmware.installer=slots");
        lab_set(w->c, "firmware.slots=%s/slots", w->dir);
        lab_set(w->c, "firmware.fetch=%s", path);
        w->f.jobs = an_order;
        w->f.n_jobs = ODM_COUNT(an_order);
        open_agent(w);
        run_until(w, "task-1: ./FUMO/main/Download download");
        run_until(w, "last-outcome: done");
        w->f.n_jobs = 0;
}

/* Whatever the configuration says by then, who was told 202 hears how it ended. */
static void tasks_without_an_installer_are_told(void **state)
{
        static const char alert[] = "alert ./FUMO/main job-1 408\n";
        world *w = *state;

        with_firmware(w);
        lab_set(w->c, "firmware.installer=none");
        restart_agent(w);
        for (int i = 0; i < 100 && !dm_fake_reported(&w->f, alert); i++)
                run_for(w, 50);
        assert_true(dm_fake_reported(&w->f, alert));
        run_until(w, "last-outcome: done");
        assert_false(lab_status_has(w->g, "task-1"));
}

static void stopping_ends_the_loop(void **state)
{
        world *w = *state;

        open_agent(w);
        run_until(w, "state: in session");
        agent_stop(w->g);
        assert_int_equal(loop_run(w->l), 0);
        assert_true(lab_status_has(w->g, "state: stopping"));
        restart_agent(w);
        run_until(w, "last-outcome: done");
        agent_stop(w->g);
        assert_int_equal(loop_run(w->l), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(first_session_shows_the_machine),
                T(every_way_of_talking_works),
                T(basic_is_shown_only_where_allowed),
                T(accounts_and_nonces_survive_a_restart),
                T(wrong_passwords_are_given_up_and_tried_later),
                T(a_server_that_cannot_prove_itself_gets_nothing),
                T(busy_servers_are_left_alone_as_they_ask),
                T(redirections_are_not_followed),
                T(plain_http_stays_on_this_machine),
                T(without_tls_the_server_must_have_credentials),
                T(a_lost_reply_is_asked_for_again),
                T(a_server_that_is_away_holds_up_no_other),
                T(sync_brings_another_session_and_its_alert),
                T(alerts_wait_for_the_server_through_a_restart),
                T(wake_ups_are_followed_once),
                T(default_nonces_bring_a_resync_once_and_for_all),
                T(floods_are_dropped),
                T(tasks_without_an_installer_are_told),
                T(stopping_ends_the_loop),
        };

        return RUN_TESTS(tests);
}
