/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - the control socket; see control.h. */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "heap.h"

#define ASKERS 8
#define ANSWER_MAX 16384
#define ASK_TIME_S 5
#define ERROR_WORD "error: " /* begins an answer that is none */

typedef struct asker {
        struct control *c;
        loop_io io; /* fd -1: free */
        char line[64];
        size_t n;
} asker;

struct control {
        loop *loop;
        loop_io io;
        struct sockaddr_un at;
        int (*fn)(void *ctx, odm_str command, odm_buf *b);
        void *ctx;
        asker askers[ASKERS];
};

static int address(const char *folder, struct sockaddr_un *out, diag *d)
{
        int n;

        *out = (struct sockaddr_un){.sun_family = AF_UNIX};
        n = snprintf(out->sun_path, sizeof out->sun_path, "%s/control", folder);
        if (n < 0 || (size_t)n >= sizeof out->sun_path)
                return diag_set(d, ODM_EINVAL, "%s: too long a path for a socket", folder);
        return 0;
}

static void asker_close(asker *a)
{
        loop_io_del(&a->io);
        if (a->io.fd >= 0)
                close(a->io.fd);
        a->io.fd = -1;
}

/* The answer fits into the socket's buffer, so one send does it. */
static void answer(asker *a)
{
        odm_str command = odm_str_trim((odm_str){a->line, a->n});
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, ANSWER_MAX);
        rc = a->c->fn(a->c->ctx, command, &b);
        if (rc < 0) {
                odm_buf_cut(&b, 0);
                rc = odm_buf_fmt(&b, ERROR_WORD "%s\n", odm_err_text(rc));
        }
        if (rc == 0)
                (void)!send(a->io.fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        odm_buf_done(&b);
        asker_close(a);
}

static void on_line(void *ctx, unsigned events)
{
        asker *a = ctx;
        ssize_t n = recv(a->io.fd, a->line + a->n, sizeof a->line - a->n, MSG_DONTWAIT);

        (void)events;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                asker_close(a);
                return;
        }
        a->n += (size_t)n;
        if (memchr(a->line, '\n', a->n))
                answer(a);
        else if (a->n == sizeof a->line)
                asker_close(a);
}

static void on_connection(void *ctx, unsigned events)
{
        control *c = ctx;
        int fd = accept4(c->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        (void)events;
        for (size_t i = 0; fd >= 0 && i < ASKERS; i++) {
                asker *a = &c->askers[i];
                if (a->io.fd >= 0)
                        continue;
                *a = (asker){.c = c, .io = {.fd = fd, .fn = on_line, .ctx = a}};
                if (loop_io_add(c->loop, &a->io, LOOP_READ) < 0)
                        asker_close(a);
                return;
        }
        if (fd >= 0)
                close(fd); /* all places are taken */
}

static int listen_at(control *c)
{
        mode_t before = umask(0177);
        int rc;

        unlink(c->at.sun_path); /* of one that was killed: the state folder is locked by us */
        rc = bind(c->io.fd, (const struct sockaddr *)&c->at, sizeof c->at);
        umask(before);
        if (rc < 0 || listen(c->io.fd, ASKERS) < 0)
                return ODM_EIO;
        return loop_io_add(c->loop, &c->io, LOOP_READ);
}

int control_open(loop *l, const char *folder, int (*fn)(void *ctx, odm_str command, odm_buf *b),
                 void *ctx, control **out, diag *d)
{
        control *c = calloc(1, sizeof *c);
        int rc;

        if (!c)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        c->loop = l;
        c->fn = fn;
        c->ctx = ctx;
        for (size_t i = 0; i < ASKERS; i++)
                c->askers[i].io.fd = -1;
        rc = address(folder, &c->at, d);
        c->io = (loop_io){.fd = -1, .fn = on_connection, .ctx = c};
        if (rc == 0) {
                c->io.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                rc = c->io.fd < 0 ? ODM_EIO : listen_at(c);
                if (rc < 0)
                        diag_set(d, rc, "%s: %s", c->at.sun_path, strerror(errno));
        }
        if (rc < 0)
                control_close(c);
        else
                *out = c;
        return rc;
}

void control_close(control *c)
{
        if (!c)
                return;
        for (size_t i = 0; i < ASKERS; i++)
                asker_close(&c->askers[i]);
        loop_io_del(&c->io);
        if (c->io.fd >= 0) {
                close(c->io.fd);
                unlink(c->at.sun_path);
        }
        free(c);
}

static int read_answer(int fd, odm_buf *b)
{
        char piece[1024];
        ssize_t n;
        int rc = 0;

        while (rc == 0 && (n = recv(fd, piece, sizeof piece, 0)) != 0)
                rc = n < 0 ? ODM_EIO : odm_buf_put(b, piece, (size_t)n);
        return rc;
}

/* 0, when the agent did what it was asked. */
static int judge(odm_str answer, diag *d)
{
        if (answer.n == 0)
                return diag_set(d, ODM_EIO, "the agent ended without an answer");
        if (!odm_str_starts(answer, ERROR_WORD))
                return 0;
        answer = odm_str_trim(odm_str_from(answer, sizeof ERROR_WORD - 1));
        return diag_set(d, ODM_EIO, "the agent says: %.*s", (int)answer.n, answer.p);
}

int control_ask(const char *folder, const char *command, odm_buf *b, diag *d)
{
        const struct timeval limit = {.tv_sec = ASK_TIME_S};
        struct sockaddr_un at;
        char line[64];
        int n = snprintf(line, sizeof line, "%s\n", command);
        int rc = address(folder, &at, d), fd;

        if (rc < 0)
                return rc;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return diag_set(d, ODM_EIO, "socket: %s", strerror(errno));
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (connect(fd, (const struct sockaddr *)&at, sizeof at) < 0)
                rc = diag_set(d, errno == ENOENT || errno == ECONNREFUSED ? ODM_ENOENT : ODM_EIO,
                              "no agent answers at %s: %s", at.sun_path, strerror(errno));
        else if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n || read_answer(fd, b) < 0)
                rc = diag_set(d, ODM_EIO, "%s: no answer", at.sun_path);
        else
                rc = judge(odm_buf_view(b), d);
        close(fd);
        return rc;
}
