/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "sdnotify.h"

int service_configure(const char *program, const cfg_key *keys, size_t n, const cli_list *set,
                      const char *file, int (*check)(const cfg *c, diag *d), cfg **out)
{
        cfg *c = NULL;
        diag d = {{0}};
        int rc = cfg_new(keys, n, &c);

        if (rc < 0)
                (void)diag_set(&d, rc, "the table of settings: %s", odm_err_text(rc));
        for (size_t i = 0; rc == 0 && i < set->n; i++)
                rc = cfg_set(c, set->at[i], &d);
        if (rc == 0 && file)
                rc = cfg_load(c, file, &d);
        if (rc == 0)
                rc = cfg_check(c, &d);
        if (rc == 0)
                rc = check(c, &d);
        if (rc < 0) {
                (void)fprintf(stderr, "%s: %s\n", program, d.text[0] ? d.text : odm_err_text(rc));
                cfg_free(c);
                return rc;
        }
        *out = c;
        return 0;
}

int service_checked(const char *program, const char *file, int rc, const diag *d)
{
        if (rc < 0)
                (void)fprintf(stderr, "%s: %s\n", program, d->text[0] ? d->text : odm_err_text(rc));
        else if (file)
                (void)printf("%s: %s: the configuration is good\n", program, file);
        else
                (void)printf("%s: the configuration is good; there is no file, the defaults hold\n",
                             program);
        return rc < 0 ? CLI_FAILED : CLI_OK;
}

static int open_log(const cfg *c)
{
        const char *path = cfg_str(c, "log.file");

        return path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640) : STDERR_FILENO;
}

int service_log_start(const char *program, const cfg *c)
{
        int fd = open_log(c), level = cfg_enum(c, "log.level");

        if (fd < 0)
                (void)fprintf(stderr, "%s: log.file: %s: %s\n", program, cfg_str(c, "log.file"),
                              strerror(errno));
        else
                log_init(program, level < 0 ? LOG_LEVEL_INFO : (log_level)level,
                         (log_form)cfg_enum(c, "log.form"), fd, cfg_str(c, "log.trace"));
        return fd;
}

void service_log_again(const cfg *c, int fd)
{
        int fresh;

        if (fd == STDERR_FILENO)
                return;
        fresh = open_log(c);
        if (fresh < 0 || dup3(fresh, fd, O_CLOEXEC) < 0)
                log_error("the log file is not opened again", log_int("errno", errno));
        else
                log_info("the log file is opened again");
        if (fresh >= 0)
                close(fresh);
}

void service_stopping(int signo)
{
        sigset_t set;

        log_info("stopping", log_text("signal", signo == SIGINT ? "INT" : "TERM"));
        sdnotify("STOPPING=1");
        (void)signal(SIGTERM, SIG_DFL);
        (void)signal(SIGINT, SIG_DFL);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
