/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - the command line, the configuration and the signals; see daemon.h.  The rest is
 * agent.c. */
#include "daemon.h"

#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "bootstrap.h"
#include "cli.h"
#include "conf.h"
#include "conf_kept.h"
#include "control.h"
#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "odm/codec.h"
#include "prompt.h"
#include "sdnotify.h"
#include "service.h"
#include "table.h"

#define NOT_RUNNING 3 /* exit code of --status and its kin, as service scripts have it */

static const char more[] =
        "Signals:\n"
        "  TERM, INT   ends the running session in good order, then ends; a second one\n"
        "              ends at once\n"
        "  USR1        begins a session now\n"
        "  HUP         opens the log file again\n"
        "\n"
        "Exit codes: 0 ended as asked, 1 failed, 2 wrong command line or configuration,\n"
        "3 no agent runs (--status, --sync, --request-update,\n"
        "--request-software).\n"
        "Manual pages: %s(8), %s.conf(5).";

typedef struct arguments {
        const daemon_program *program;
        const char *config, *bootstrap, *pin, *describe;
        cli_list set;
        bool check, print_config, status, sync, reset, request_update, request_software, accept;
        const conf_kept *kept; /* NULL: nobody looked what the configuration was */
} arguments;

typedef struct running {
        const daemon_program *program;
        const cfg *conf;
        loop *loop;
        agent *agent;
        agent_app app; /* of a program that has one */
        int log_fd;
} running;

/* ---- signals and commands ---------------------------------------------------------- */

static void on_stop(void *ctx, int signo)
{
        running *r = ctx;

        service_stopping(signo);
        agent_stop(r->agent);
}

static void on_usr1(void *ctx, int signo)
{
        running *r = ctx;

        (void)signo;
        agent_sync(r->agent, "signal");
}

static void on_hup(void *ctx, int signo)
{
        running *r = ctx;

        (void)signo;
        service_log_again(r->conf, r->log_fd);
}

static int on_command(void *ctx, odm_str command, odm_buf *b)
{
        running *r = ctx;

        if (odm_str_is(command, "status"))
                return agent_status(r->agent, b);
        if (!odm_str_is(command, "sync"))
                return agent_asked(r->agent, command, b);
        agent_sync(r->agent, "control socket");
        return odm_buf_str(b, ODM_STR("a session begins\n"));
}

/* ---- running --------------------------------------------------------------------------- */

static int add_signals(running *r)
{
        int rc = loop_signal(r->loop, SIGTERM, on_stop, r);

        if (rc == 0)
                rc = loop_signal(r->loop, SIGINT, on_stop, r);
        if (rc == 0)
                rc = loop_signal(r->loop, SIGUSR1, on_usr1, r);
        if (rc == 0)
                rc = loop_signal(r->loop, SIGHUP, on_hup, r);
        return rc;
}

static int write_pid(const cfg *c, diag *d)
{
        const char *path = cfg_str(c, "agent.pid_file");
        char text[24];
        int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

        return path ? fsio_write(NULL, path, (odm_str){text, (size_t)n}, 0644, d) : 0;
}

static int run_loop(running *r)
{
        int rc;

        log_info("ready");
        sdnotify("READY=1");
        rc = loop_run(r->loop);
        log_info("ended");
        return rc;
}

static int take_folder(const cfg *c, int *lock, diag *d)
{
        const char *folder = cfg_str(c, "agent.state");
        char *path = fsio_join(folder, "lock");
        int rc = path ? fsio_mkdir(folder, 0700, d) : ODM_ENOMEM;

        if (rc == 0)
                rc = fsio_lock(path, lock, d);
        free(path);
        return rc;
}

static conf_source source_of(const arguments *a)
{
        const daemon_program *p = a->program;

        return (conf_source){.keys = p->keys,
                             .n_keys = p->n_keys,
                             .set = &a->set,
                             .file = a->config ? a->config : p->config,
                             .check = p->check};
}

/* What is in use, and is not what was kept, is kept from now on. */
static int keep_conf(const cfg *c, const arguments *a, diag *d)
{
        const conf_source s = source_of(a);
        conf_was was = a->kept ? a->kept->was : CONF_SAME;

        return was == CONF_FIRST || was == CONF_EDITED || was == CONF_COPY_LOST
                       ? conf_kept_write(&s, c, d)
                       : 0;
}

static int open_agent(running *r, bool reset, diag *d)
{
        const daemon_program *p = r->program;
        int rc = p->open ? p->open(r->conf, r->loop, p->version, &r->app.app, d) : 0;

        if (rc == 0)
                rc = agent_open(r->conf, r->loop, p->version, reset, p->app ? &r->app : NULL,
                                &r->agent, d);
        if (rc == 0 && p->start)
                rc = p->start(r->app.app, d);
        return rc;
}

static void close_agent(running *r)
{
        const daemon_program *p = r->program;

        if (r->app.app)
                p->stop(r->app.app);
        agent_close(r->agent);
        if (r->app.app)
                p->close(r->app.app);
}

static int serve(const cfg *c, const arguments *a, int log_fd, bool *again)
{
        running r = {.program = a->program, .conf = c, .log_fd = log_fd};
        control *ctl = NULL;
        diag d = {{0}};
        int lock = -1, rc = take_folder(c, &lock, &d);

        if (a->program->app)
                r.app = *a->program->app;
        r.app.kept = a->kept;
        if (rc == 0)
                rc = keep_conf(c, a, &d);
        if (rc == 0)
                rc = loop_new(&r.loop);
        if (rc == 0)
                rc = add_signals(&r);
        if (rc == 0)
                rc = open_agent(&r, a->reset, &d);
        if (rc == 0)
                rc = control_open(r.loop, cfg_str(c, "agent.state"), on_command, &r, &ctl, &d);
        if (rc == 0)
                rc = write_pid(c, &d);
        if (rc == 0)
                rc = run_loop(&r);
        else
                log_error("not started", log_text("reason", d.text[0] ? d.text : odm_err_text(rc)));
        *again = rc == 0 && agent_restart(r.agent);
        control_close(ctl);
        close_agent(&r);
        loop_free(r.loop);
        fsio_unlock(lock);
        return rc < 0 ? CLI_FAILED : CLI_OK;
}

static int start(const cfg *c, const arguments *a)
{
        int fd = service_log_start(a->program->name, c);

        if (fd < 0)
                return CLI_FAILED;
        (void)signal(SIGPIPE, SIG_IGN);
        arguments now = *a;
        bool again = true;
        int code = CLI_OK;
        while (again) {
                code = serve(c, &now, fd, &again);
                now.reset = false; /* that was for the first start */
        }
        return code;
}

/* ---- a bootstrap ------------------------------------------------------------------------- */

/* Started by root on a state folder that is the agent's, it works as the agent: its files stay the
 * agent's. */
static int become_owner(const cfg *c, diag *d)
{
        struct stat st;

        if (geteuid() != 0 || stat(cfg_str(c, "agent.state"), &st) < 0 || st.st_uid == 0)
                return 0;
        if (setgroups(0, NULL) < 0 || setgid(st.st_gid) < 0 || setuid(st.st_uid) < 0)
                return diag_set(d, ODM_EIO, "cannot become the owner of %s",
                                cfg_str(c, "agent.state"));
        return 0;
}

static int bootstrap_from(const cfg *c, const arguments *a, odm_str message, odm_buf *told, diag *d)
{
        const bootstrap_opt o = {.path = a->bootstrap,
                                 .message = message,
                                 .pin = a->pin,
                                 .replace = a->reset,
                                 .ask = prompt_pin,
                                 .app = a->program->app};
        int lock = -1, rc = become_owner(c, d);

        if (rc == 0)
                rc = take_folder(c, &lock, d);
        if (rc == 0)
                rc = bootstrap_run(c, a->program->version, &o, told, d);
        fsio_unlock(lock);
        return rc;
}

static int bootstrap(const cfg *c, const arguments *a)
{
        diag d = {{0}};
        odm_buf in, told;
        int rc;

        odm_buf_init(&in, &heap_mem, ODM_BOOT_MAX + 1);
        odm_buf_init(&told, &heap_mem, 65536);
        rc = fsio_read(a->bootstrap, ODM_BOOT_MAX, &in, &d);
        if (rc == 0)
                rc = bootstrap_from(c, a, odm_buf_view(&in), &told, &d);
        if (rc == 0)
                printf("%.*s", (int)told.n, told.p);
        else
                (void)fprintf(stderr, "%s: %s\n", a->program->name,
                              d.text[0] ? d.text : odm_err_text(rc));
        if (in.n)
                odm_wipe(in.p, in.n);
        odm_buf_done(&in);
        odm_buf_done(&told);
        return rc < 0 ? CLI_FAILED : CLI_OK;
}

/* ---- a table file as a description ------------------------------------------------------- */

static int describe(const char *name, const char *path)
{
        diag d = {{0}};
        table *t = NULL;
        odm_doc *doc = NULL;
        odm_arena a;
        odm_buf out;
        int rc = table_load(path, &t, &d);

        odm_arena_init(&a, &heap_mem, (size_t)4 << 20);
        odm_buf_init(&out, &heap_mem, (size_t)4 << 20);
        if (rc == 0)
                rc = table_describe(t, &a, &doc);
        if (rc == 0)
                rc = odm_doc_encode(&odm_codec_xml, doc, true, &out);
        if (rc == 0)
                printf("%.*s\n", (int)out.n, out.p);
        else
                (void)fprintf(stderr, "%s: %s\n", name, d.text[0] ? d.text : odm_err_text(rc));
        odm_buf_done(&out);
        odm_arena_done(&a);
        table_free(t);
        return rc < 0 ? CLI_FAILED : CLI_OK;
}

/* ---- asking the one that runs -------------------------------------------------------------- */

/* Of an agent that does not run, the last status is still of interest. */
static int show_last(const cfg *c)
{
        char *path = fsio_join(cfg_str(c, "agent.state"), "status");
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 65536);
        if (path && fsio_read(path, 60000, &b, NULL) == 0)
                printf("not running; when it last did:\n%.*s", (int)b.n, b.p);
        odm_buf_done(&b);
        free(path);
        return NOT_RUNNING;
}

static int ask(const char *name, const cfg *c, const char *command)
{
        diag d = {{0}};
        odm_buf b;
        int rc, code = CLI_OK;

        odm_buf_init(&b, &heap_mem, 65536);
        rc = control_ask(cfg_str(c, "agent.state"), command, &b, &d);
        if (rc == 0)
                printf("%.*s", (int)b.n, b.p ? b.p : "");
        else
                (void)fprintf(stderr, "%s: %s\n", name, d.text);
        odm_buf_done(&b);
        if (rc < 0)
                code = rc != ODM_ENOENT                 ? CLI_FAILED
                       : strcmp(command, "status") == 0 ? show_last(c)
                                                        : NOT_RUNNING;
        return code;
}

/* ---- the command line ----------------------------------------------------------------------- */

/* A file that is damaged does not keep a gateway from running, or from being asked. */
static int configure_kept(const arguments *a, conf_kept *kept, cfg **out)
{
        const conf_source s = source_of(a);
        diag d = {{0}};
        int rc = conf_kept_open(&s, kept, out, &d);

        if (rc < 0 && (rc != ODM_ENOENT || a->config))
                (void)fprintf(stderr, "%s: %s\n", a->program->name,
                              d.text[0] ? d.text : odm_err_text(rc));
        else if (kept->was == CONF_DAMAGED)
                (void)fprintf(stderr, "%s: %s; the last good configuration is in use\n",
                              a->program->name, kept->why);
        else if (kept->was == CONF_REFUSED)
                (void)fprintf(stderr,
                              "%s: %s was changed; until --accept-config the last accepted "
                              "configuration is in use\n",
                              a->program->name, kept->file);
        return rc;
}

/* The file that is read; NULL: there is none. */
static const char *file_of(const arguments *a)
{
        const char *usual = a->program->config;

        if (a->config)
                return a->config;
        return access(usual, F_OK) == 0 ? usual : NULL;
}

static int checked(const cfg *c, const arguments *a)
{
        diag d = {{0}};
        int rc = agent_check(c, &d);

        return service_checked(a->program->name, file_of(a), rc, &d);
}

static int configure(const arguments *a, conf_kept *kept, cfg **out)
{
        const daemon_program *p = a->program;

        if (p->keeps && !a->check && !a->accept && !a->bootstrap) {
                int rc = configure_kept(a, kept, out);
                if (rc != ODM_ENOENT || a->config)
                        return rc; /* else it has none, and never had */
        }
        return service_configure(p->name, p->keys, p->n_keys, &a->set, file_of(a), p->check, out);
}

/* Where the program never ran there is nothing to be accepted: its first start takes the file. */
static int accept_conf(const cfg *c, const arguments *a)
{
        const conf_source s = source_of(a);
        diag d = {{0}};
        int rc = become_owner(c, &d);

        if (rc == 0 && access(cfg_str(c, "agent.state"), F_OK) == 0)
                rc = conf_kept_write(&s, c, &d);
        if (rc < 0)
                (void)fprintf(stderr, "%s: %s\n", a->program->name,
                              d.text[0] ? d.text : odm_err_text(rc));
        return rc < 0 ? CLI_FAILED : CLI_OK;
}

static int run(const arguments *args)
{
        const char *name = args->program->name;
        arguments with = *args;
        const arguments *a = &with;
        conf_kept kept = {.file = ""};
        cfg *c;
        int code;

        if (a->print_config) {
                cfg_print(a->program->keys, a->program->n_keys, stdout);
                return CLI_OK;
        }
        if (a->describe)
                return describe(name, a->describe);
        if (configure(a, &kept, &c) < 0)
                return CLI_USAGE;
        if (kept.file[0])
                with.kept = &kept;
        if (a->status)
                code = ask(name, c, "status");
        else if (a->sync)
                code = ask(name, c, "sync");
        else if (a->request_update)
                code = ask(name, c, "request-update");
        else if (a->request_software)
                code = ask(name, c, "request-software");
        else if (a->bootstrap)
                code = bootstrap(c, a);
        else if (a->accept)
                code = accept_conf(c, a);
        else if (a->check)
                code = checked(c, a);
        else
                code = start(c, a);
        cfg_free(c);
        return code;
}

int daemon_main(const daemon_program *self, int argc, char **argv)
{
        arguments a = {.program = self};
        char config[160], tail[sizeof more + 64];
        const cli_option options[] = {
                {'c', "config", CLI_STRING, &a.config, "FILE", config},
                {'s', "set", CLI_LIST, &a.set, "section.key=value",
                 "one setting; wins over the file, may be repeated"},
                {0, "check", CLI_FLAG, &a.check, NULL,
                 "read the configuration, say that it is good or\nwhat is wrong, end"},
                {0, "print-config", CLI_FLAG, &a.print_config, NULL,
                 "print all settings with their meaning"},
                {0, "status", CLI_FLAG, &a.status, NULL, "tell how the running agent fares"},
                {0, "sync", CLI_FLAG, &a.sync, NULL, "have the running agent begin a session"},
                {0, "request-update", CLI_FLAG, &a.request_update, NULL,
                 "have the running agent ask the server for new\nfirmware, as the user's wish"},
                {0, "request-software", CLI_FLAG, &a.request_software, NULL,
                 "the same for new software"},
                {0, "reset-account", CLI_FLAG, &a.reset, NULL,
                 "at the start, make the account of the\nconfiguration anew, its nonces forgotten"},
                {0, "describe", CLI_STRING, &a.describe, "FILE.table",
                 "judge this table file of a vendor's object, print\nits description (DDF), and "
                 "end"},
                {0, "bootstrap", CLI_STRING, &a.bootstrap, "FILE",
                 "take an account from this bootstrap message,\nand end; with --reset-account also "
                 "in place of\none of the same server"},
                {0, "pin", CLI_STRING, &a.pin, "PIN",
                 "what proves the message, if it wants a PIN; it\nis asked for when this is left "
                 "out"},
                {0, "accept-config", CLI_FLAG, &a.accept, NULL,
                 "keep the configuration as it is now as the good\none, and end"},
        };
        const cli_program p = {.name = self->name,
                               .version = self->version,
                               .usage = "[options]",
                               .about = self->about,
                               .options = options,
                               .n = ODM_COUNT(options) - (self->keeps ? 0 : 1),
                               .more = tail};
        int first;

        snprintf(config, sizeof config, "read this configuration; without it\n%s, if there is one",
                 self->config);
        snprintf(tail, sizeof tail, more, self->name, self->name);

        switch (cli_parse(&p, argc, argv, false, &first)) {
        case CLI_EXIT_OK: return CLI_OK;
        case CLI_EXIT_USAGE: return CLI_USAGE;
        case CLI_GO_ON: break;
        }
        if (first < argc) {
                (void)fprintf(stderr, "%s: '%s' is one word too many; try '%s --help'\n",
                              self->name, argv[first], self->name);
                return CLI_USAGE;
        }
        return run(&a);
}
