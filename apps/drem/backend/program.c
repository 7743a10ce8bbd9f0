/* SPDX-License-Identifier: Apache-2.0 */
/* A child is over when its process is; what a grandchild may still hold open does not count. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIPE_HOLDS 65536

extern char **environ;

struct program {
        program_opt opt;
        pid_t pid;
        loop_io out, life;
        char text[PROGRAM_LINE];
        size_t n;
};

static void put_line(program *p)
{
        if (p->opt.line)
                p->opt.line(p->opt.ctx, (odm_str){p->text, p->n});
        p->n = 0;
}

/* Takes what is there, not more than a pipe holds: who writes without end keeps nobody else from
 * his turn.  False at the end. */
static bool drain(program *p)
{
        char block[4096];
        ssize_t n = 0;

        for (size_t k = 0; k < PIPE_HOLDS / sizeof block; k++) {
                n = read(p->out.fd, block, sizeof block);
                if (n <= 0)
                        break;
                for (ssize_t i = 0; i < n; i++) {
                        if (block[i] == '\n')
                                put_line(p);
                        else if (p->n < sizeof p->text)
                                p->text[p->n++] = block[i];
                }
        }
        return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void on_output(void *ctx, unsigned events)
{
        program *p = ctx;

        (void)events;
        if (!drain(p))
                loop_io_del(&p->out);
}

static void free_program(program *p)
{
        loop_io_del(&p->out);
        loop_io_del(&p->life);
        if (p->out.fd >= 0)
                close(p->out.fd);
        if (p->life.fd >= 0)
                close(p->life.fd);
        free(p);
}

static void on_exit_of(void *ctx, unsigned events)
{
        program *p = ctx;
        const program_opt opt = p->opt;
        int status = 0;

        (void)events;
        if (waitpid(p->pid, &status, WNOHANG) != p->pid)
                return;
        (void)drain(p);
        if (p->n)
                put_line(p);
        free_program(p);
        opt.done(opt.ctx, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static int spawn(program *p, int to)
{
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attr;
        sigset_t none, usual;
        int rc;

        sigemptyset(&none);
        sigemptyset(&usual);
        sigaddset(&usual, SIGPIPE);
        posix_spawn_file_actions_init(&files);
        posix_spawnattr_init(&attr);
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&files, to, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&files, to, STDERR_FILENO);
        posix_spawnattr_setsigmask(&attr, &none); /* the loop blocks what it handles */
        posix_spawnattr_setsigdefault(&attr, &usual);
        posix_spawnattr_setpgroup(&attr, 0);
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                POSIX_SPAWN_SETPGROUP);
        rc = posix_spawnp(&p->pid, p->opt.argv[0], &files, &attr, (char *const *)p->opt.argv,
                          environ);
        posix_spawnattr_destroy(&attr);
        posix_spawn_file_actions_destroy(&files);
        return rc;
}

int program_start(loop *l, const program_opt *opt, program **out, diag *d)
{
        program *p = calloc(1, sizeof *p);
        int ends[2] = {-1, -1}, rc;

        if (!p)
                return ODM_ENOMEM;
        p->opt = *opt;
        p->out = (loop_io){.fd = -1, .fn = on_output, .ctx = p};
        p->life = (loop_io){.fd = -1, .fn = on_exit_of, .ctx = p};
        if (pipe2(ends, O_CLOEXEC) < 0) {
                free(p);
                return diag_set(d, ODM_EIO, "%s: %s", opt->argv[0], strerror(errno));
        }
        p->out.fd = ends[0];
        rc = spawn(p, ends[1]);
        close(ends[1]);
        if (rc != 0) {
                free_program(p);
                return diag_set(d, ODM_EIO, "%s: %s", opt->argv[0], strerror(rc));
        }
        p->life.fd = pidfd_open(p->pid, 0);
        rc = p->life.fd < 0 || fcntl(p->out.fd, F_SETFL, O_NONBLOCK) < 0 ? ODM_EIO : 0;
        if (rc == 0)
                rc = loop_io_add(l, &p->out, LOOP_READ);
        if (rc == 0)
                rc = loop_io_add(l, &p->life, LOOP_READ);
        if (rc < 0) {
                program_kill(p);
                return diag_set(d, rc, "%s: %s", opt->argv[0], odm_err_text(rc));
        }
        *out = p;
        return 0;
}

void program_kill(program *p)
{
        if (!p)
                return;
        (void)kill(-p->pid, SIGKILL);
        (void)kill(p->pid, SIGKILL);
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        free_program(p);
}

void program_leave(program *p)
{
        if (p)
                free_program(p);
}
