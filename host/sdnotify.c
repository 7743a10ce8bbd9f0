/* SPDX-License-Identifier: Apache-2.0 */
/* sdnotify.c - the protocol of sd_notify(3), without its library; see sdnotify.h. */
#include "sdnotify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

void sdnotify(const char *state)
{
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        size_t n = path ? strlen(path) : 0;
        int fd;

        if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
                return;
        memcpy(to.sun_path, path, n);
        if (path[0] == '@')
                to.sun_path[0] = 0; /* the abstract name space */
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return;
        if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
                log_warn("the service manager was not told", log_text("state", state));
        close(fd);
}
