/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of the real server: certificates are renewed while it runs, and devices that come back
 * resume, also when it was started anew meanwhile. */
#include <signal.h>
#include <time.h>

#include "cert.h"
#include "daemon.h"
#include "fsio.h"
#include "http_client.h"

#define DEVICES 40

static daemon_process server;

static tls_cred *trust(const char *ca)
{
        const tls_cred_opt o = {.ca_file = daemon_path(ca)};
        tls_cred *c;

        assert_int_equal(tls_cred_new(&o, &c, NULL), 0);
        return c;
}

static http_sync *device(const tls_cred *c)
{
        http_client_opt o;
        http_sync *s;

        http_client_opt_init(&o);
        o.tls = c;
        assert_int_equal(http_sync_new(&o, &s), 0);
        return s;
}

static int ask(http_sync *s, const char *scheme, unsigned port, const char *path, char *text,
               size_t room)
{
        char url[128];
        http_request r = {.method = "GET"};
        const http_reply *reply;

        (void)snprintf(url, sizeof url, "%s://localhost:%u%s", scheme, port, path);
        r.url = odm_cstr(url);
        reply = http_sync_send(s, &r);
        if (reply->rc == 0)
                assert_int_equal(reply->status, 200);
        if (reply->rc == 0 && text)
                (void)snprintf(text, room, "%.*s", (int)reply->body.n, reply->body.p);
        return reply->rc;
}

static int call(http_sync *s)
{
        return ask(s, "https", server.tls_port, "/healthz", NULL, 0);
}

/* ---- certificates ------------------------------------------------------------------ */

static void make_other_ca(void)
{
        char cert[300], key[300];

        (void)snprintf(cert, sizeof cert, "%s", daemon_path("ca/other.pem"));
        (void)snprintf(key, sizeof key, "%s", daemon_path("ca/other.key"));
        assert_int_equal(cert_make_ca("another", 30, cert, key, NULL), 0);
}

static void renew(void)
{
        static const char *const names[] = {"localhost", NULL};
        const cert_request r = {.common_name = "anew", .names = names, .days = 30, .server = true};
        char ca[300], ca_key[300], cert[300], key[300];

        (void)snprintf(ca, sizeof ca, "%s", daemon_path("ca/other.pem"));
        (void)snprintf(ca_key, sizeof ca_key, "%s", daemon_path("ca/other.key"));
        (void)snprintf(cert, sizeof cert, "%s", daemon_path("ca/server.pem"));
        (void)snprintf(key, sizeof key, "%s", daemon_path("ca/server.key"));
        assert_int_equal(cert_make(&r, ca, ca_key, cert, key, NULL), 0);
}

static void hang_up(const char *until)
{
        const struct timespec pause = {0, 20000000};

        kill(server.pid, SIGHUP);
        for (int i = 0; i < 3000 && !daemon_says("certs.log", until); i++)
                (void)nanosleep(&pause, NULL);
        if (!daemon_says("certs.log", until))
                fail_msg("the log does not say: %s", until);
}

static void certificates_are_renewed_while_it_runs(void **state)
{
        tls_cred *old_trust, *new_trust;
        http_sync *kept, *fresh;

        (void)state;
        server = daemon_start("certs.log", NULL);
        old_trust = trust("ca/ca.pem");
        kept = device(old_trust);
        assert_int_equal(call(kept), 0);
        new_trust = trust("ca/other.pem");
        renew();
        hang_up("certificates are read again");
        assert_int_equal(call(kept), 0); /* its connection goes on */
        fresh = device(new_trust);
        assert_int_equal(call(fresh), 0);
        http_sync_free(fresh);
        fresh = device(old_trust);
        assert_int_equal(call(fresh), ODM_EACCESS);
        http_sync_free(fresh);
        /* a damaged file changes nothing */
        assert_int_equal(
                fsio_write(NULL, daemon_path("ca/server.pem"), ODM_STR("nothing"), 0644, NULL), 0);
        hang_up("certificates are not read again");
        fresh = device(new_trust);
        assert_int_equal(call(fresh), 0);
        http_sync_free(fresh);
        http_sync_free(kept);
        daemon_stop(&server);
        tls_cred_free(new_trust);
        tls_cred_free(old_trust);
}

/* ---- tickets ------------------------------------------------------------------------- */

static unsigned counter(const char *name)
{
        static char text[65536];
        http_sync *s = device(NULL);
        char line[80], *at;

        assert_int_equal(ask(s, "http", server.port, "/metrics", text, sizeof text), 0);
        http_sync_free(s);
        (void)snprintf(line, sizeof line, "\n%s ", name);
        at = strstr(text, line);
        assert_non_null(at);
        return (unsigned)strtoul(at + strlen(line), NULL, 10);
}

static void devices_that_return_resume(void **state)
{
        char port[64], api_port[64];
        const char *const settings[] = {"limits.idle=1s", port, api_port, NULL};
        http_sync *d[DEVICES];
        tls_cred *c;

        (void)state;
        renew();
        (void)snprintf(port, sizeof port, "dm.listen_tls=127.0.0.1:0");
        (void)snprintf(api_port, sizeof api_port, "api.listen_tls=127.0.0.1:0");
        server = daemon_start("first.log", settings);
        (void)snprintf(port, sizeof port, "dm.listen_tls=127.0.0.1:%u", server.tls_port);
        (void)snprintf(api_port, sizeof api_port, "api.listen_tls=127.0.0.1:%u", server.tls_port);
        c = trust("ca/other.pem");
        for (size_t i = 0; i < DEVICES; i++) {
                d[i] = device(c);
                assert_int_equal(call(d[i]), 0);
        }
        assert_int_equal(counter("nrem_tls_handshakes_total"), DEVICES);
        assert_int_equal(counter("nrem_tls_resumed_total"), 0);
        for (int round = 0; round < 2; round++) { /* the second time with a ticket of the first */
                daemon_stop(&server);
                server = daemon_start("again.log", settings);
                for (size_t i = 0; i < DEVICES; i++)
                        assert_int_equal(call(d[i]), 0);
                assert_int_equal(counter("nrem_tls_handshakes_total"), DEVICES);
                print_message("# %u of %d resumed\n", counter("nrem_tls_resumed_total"), DEVICES);
                assert_true(counter("nrem_tls_resumed_total") >= DEVICES * 95 / 100);
        }
        for (size_t i = 0; i < DEVICES; i++)
                http_sync_free(d[i]);
        daemon_stop(&server);
        tls_cred_free(c);
}

static int begin(void **state)
{
        if (daemon_make_folder(state) < 0)
                return -1;
        daemon_make_certificates();
        make_other_ca();
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(certificates_are_renewed_while_it_runs),
                cmocka_unit_test(devices_that_return_resume),
        };

        return cmocka_run_group_tests_name("tls", tests, begin, daemon_drop_folder);
}
