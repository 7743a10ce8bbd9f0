/* SPDX-License-Identifier: Apache-2.0 */
/* prompt.c - a line from the terminal, without echo; see prompt.h. */
#include "prompt.h"

#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "odm/base.h"

/* One octet at a time: what follows the line is the next reader's. */
static int read_line(int fd, char *out, size_t room)
{
        size_t n = 0;
        char c;

        for (;;) {
                if (read(fd, &c, 1) != 1)
                        return ODM_ENOENT;
                if (c == '\n')
                        break;
                if (n + 1 == room)
                        return ODM_ELIMIT;
                out[n++] = c;
        }
        out[n] = '\0';
        return 0;
}

int prompt_pin(void *ctx, bool again, char *out, size_t room)
{
        struct termios before, quiet;
        int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), rc;

        (void)ctx;
        if (fd < 0)
                return ODM_ENOENT;
        if (tcgetattr(fd, &before) < 0) {
                close(fd);
                return ODM_ENOENT;
        }
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)(ECHO);
        (void)tcsetattr(fd, TCSAFLUSH, &quiet);
        (void)dprintf(fd, "%sPIN: ", again ? "That is not it. " : "");
        rc = read_line(fd, out, room);
        (void)dprintf(fd, "\n");
        (void)tcsetattr(fd, TCSAFLUSH, &before);
        close(fd);
        return rc;
}
