/* SPDX-License-Identifier: Apache-2.0 */
/* nremd: the management server.  The command line, the configuration and the signals; the rest is
 * app.c. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"
#include "cli.h"
#include "conf.h"
#include "devca.h"
#include "log.h"
#include "sdnotify.h"
#include "service.h"

#define DEFAULT_CONFIG "/etc/xrem/nremd.conf"

static const char about[] =
        "Manages devices and gateways over OMA Device Management, and offers what it\n"
        "knows and does as REST under /api/v1.";

static const char more[] =
        "Signals:\n"
        "  TERM, INT   takes no more requests, finishes running exchanges, ends; a\n"
        "              second one ends at once\n"
        "  HUP         opens the log file again, reads the certificates again\n"
        "\n"
        "Exit codes: 0 ended as asked, 1 failed, 2 wrong command line or configuration.\n"
        "Manual pages: nremd(8), nremd.conf(5).\n";

typedef struct arguments {
        const char *config, *dev_ca;
        cli_list set;
        bool print_config, check;
} arguments;

typedef struct running {
        const cfg *conf;
        loop *loop;
        app *app;
        int log_fd;
} running;

static void on_stop(void *ctx, int signo)
{
        running *r = ctx;

        service_stopping(signo);
        loop_stop(r->loop);
}

static void on_hup(void *ctx, int signo)
{
        running *r = ctx;

        (void)signo;
        service_log_again(r->conf, r->log_fd);
        app_reload(r->app);
}

static int serve(const cfg *c, int log_fd)
{
        running r = {.conf = c, .log_fd = log_fd};
        diag d = {{0}};
        int rc = loop_new(&r.loop);

        (void)signal(SIGPIPE, SIG_IGN);
        (void)umask(077); /* what we keep lets who reads it speak as a device */
        if (rc == 0)
                rc = loop_signal(r.loop, SIGTERM, on_stop, &r);
        if (rc == 0)
                rc = loop_signal(r.loop, SIGINT, on_stop, &r);
        if (rc == 0)
                rc = loop_signal(r.loop, SIGHUP, on_hup, &r);
        if (rc == 0)
                rc = app_start(c, r.loop, XREM_VERSION, &r.app, &d);
        if (rc < 0) {
                log_error("not started", log_text("reason", d.text[0] ? d.text : odm_err_text(rc)));
        } else {
                sdnotify("READY=1");
                rc = loop_run(r.loop);
        }
        app_stop(r.app);
        loop_free(r.loop);
        if (rc == 0)
                log_info("ended");
        return rc < 0 ? CLI_FAILED : CLI_OK;
}

static int make_dev_ca(const char *folder)
{
        diag d = {{0}};
        int rc = devca_make(folder, &d);

        if (rc < 0) {
                (void)fprintf(stderr, "nremd: %s\n", d.text[0] ? d.text : odm_err_text(rc));
                return CLI_FAILED;
        }
        (void)printf("%s/ca.pem\n%s/server.pem\n%s/server.key\n", folder, folder, folder);
        return CLI_OK;
}

int main(int argc, char **argv)
{
        arguments a = {0};
        const cli_option options[] = {
                {'c', "config", CLI_STRING, &a.config, "FILE",
                 "read this configuration, see nremd.conf(5);\nwithout it " DEFAULT_CONFIG
                 ", if there is one"},
                {'s', "set", CLI_LIST, &a.set, "KEY=VALUE",
                 "one setting, such as log.level=debug; wins over the file"},
                {0, "check", CLI_FLAG, &a.check, NULL,
                 "check the configuration, say how it is, and end"},
                {0, "print-config", CLI_FLAG, &a.print_config, NULL,
                 "print all settings with their defaults as a file"},
                {0, "make-dev-ca", CLI_STRING, &a.dev_ca, "DIR",
                 "make a CA and a certificate for this machine, for trying"},
        };
        const cli_program p = {"nremd", XREM_VERSION,       "[options]", about,
                               options, ODM_COUNT(options), more};
        int first;
        cfg *c = NULL;

        switch (cli_parse(&p, argc, argv, false, &first)) {
        case CLI_EXIT_OK: return CLI_OK;
        case CLI_EXIT_USAGE: return CLI_USAGE;
        case CLI_GO_ON: break;
        }
        if (first < argc) {
                (void)fprintf(stderr, "nremd: %s: takes no operands; try --help\n", argv[first]);
                return CLI_USAGE;
        }
        if (a.print_config) {
                cfg_print(conf_keys, conf_keys_n, stdout);
                return CLI_OK;
        }
        if (a.dev_ca)
                return make_dev_ca(a.dev_ca);
        if (!a.config && access(DEFAULT_CONFIG, F_OK) == 0)
                a.config = DEFAULT_CONFIG;
        if (service_configure("nremd", conf_keys, conf_keys_n, &a.set, a.config, conf_check, &c) <
            0)
                return CLI_USAGE;
        int code = CLI_OK;
        if (a.check) {
                diag d = {{0}};
                int rc = app_check(c, &d);
                code = service_checked("nremd", a.config, rc, &d);
        } else {
                int log_fd = service_log_start("nremd", c);
                code = log_fd < 0 ? CLI_USAGE : serve(c, log_fd);
        }
        cfg_free(c);
        return code;
}
