/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 30000

static struct sockaddr_in loopback(unsigned last, unsigned port)
{
        return (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)port),
                                    .sin_addr = {htonl(0x7f000000 + last)}};
}

static bool ready(const wire *w, short events, int ms)
{
        struct pollfd p = {.fd = w->fd, .events = events};

        return poll(&p, 1, ms) > 0;
}

static bool shake_hands(wire *w, const tls_cred *cred)
{
        int rc;

        if (tls_conn_new(cred, w->fd, "localhost", NULL, &w->tls) < 0)
                return false;
        while ((rc = tls_conn_handshake(w->tls, NULL)) > 0)
                if (!ready(w, rc == TLS_AGAIN_READ ? POLLIN : POLLOUT, PATIENCE_MS))
                        return false;
        return rc == 0;
}

wire wire_open(unsigned from, unsigned port, const tls_cred *cred)
{
        const struct sockaddr_in here = loopback(from, 0), there = loopback(1, port);
        wire w = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
        int err = 0;
        socklen_t n = sizeof err;

        if (w.fd < 0)
                return w;
        if (bind(w.fd, (const struct sockaddr *)&here, sizeof here) == 0 &&
            (connect(w.fd, (const struct sockaddr *)&there, sizeof there) == 0 ||
             errno == EINPROGRESS) &&
            ready(&w, POLLOUT, PATIENCE_MS) &&
            getsockopt(w.fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && err == 0 &&
            (!cred || shake_hands(&w, cred)))
                return w;
        wire_close(&w);
        return w;
}

void wire_close(wire *w)
{
        tls_conn_free(w->tls);
        if (w->fd >= 0)
                close(w->fd);
        *w = (wire){.fd = -1};
}

/* As tls_conn_write() and tls_conn_read(). */
static int put(wire *w, odm_str s, size_t *n)
{
        ssize_t got;

        if (w->tls)
                return tls_conn_write(w->tls, s.p, s.n, n, NULL);
        got = send(w->fd, s.p, s.n, MSG_NOSIGNAL);
        if (got < 0)
                return errno == EAGAIN ? TLS_AGAIN_WRITE : ODM_EIO;
        *n = (size_t)got;
        return 0;
}

static int get(wire *w, char *p, size_t room, size_t *n)
{
        ssize_t got;

        if (w->tls)
                return tls_conn_read(w->tls, p, room, n, NULL);
        got = recv(w->fd, p, room, 0);
        if (got < 0)
                return errno == EAGAIN ? TLS_AGAIN_READ : ODM_EIO;
        *n = (size_t)got;
        return 0;
}

bool wire_send(wire *w, odm_str s)
{
        while (s.n > 0) {
                size_t n = 0;
                int rc = put(w, s, &n);
                if (rc < 0 ||
                    (rc > 0 && !ready(w, rc == TLS_AGAIN_READ ? POLLIN : POLLOUT, PATIENCE_MS)))
                        return false;
                s = odm_str_from(s, n);
        }
        return true;
}

size_t wire_read(wire *w, char *buf, size_t room, const char *until, bool *closed)
{
        size_t n = 0;
        bool end = false;

        while (n + 1 < room && !end) {
                size_t got = 0;
                int rc = get(w, buf + n, room - 1 - n, &got);
                if (rc > 0 && !ready(w, rc == TLS_AGAIN_READ ? POLLIN : POLLOUT, PATIENCE_MS))
                        break;
                end = rc < 0 || (rc == 0 && got == 0);
                n += got;
                buf[n] = 0;
                if (until && strstr(buf, until))
                        break;
        }
        buf[n] = 0;
        if (closed)
                *closed = end;
        return n;
}

bool wire_stirs(wire *w, int ms)
{
        return (w->tls && tls_conn_pending(w->tls)) || ready(w, POLLIN, ms);
}
