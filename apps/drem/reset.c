/* SPDX-License-Identifier: Apache-2.0 */
#include "reset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "log.h"

#define ORDER "factory-reset"
#define DONE "factory-reset.done"
#define MOST 4096

int reset_order(const char *folder, odm_str server, odm_str correlator, diag *d)
{
        char *path = fsio_join(folder, ORDER);
        odm_buf b;
        int rc = path ? 0 : ODM_ENOMEM;

        odm_buf_init(&b, &heap_mem, MOST);
        if (odm_str_has(server, '\n') || odm_str_has(correlator, '\n'))
                rc = ODM_EINVAL;
        if (rc == 0)
                rc = odm_buf_fmt(&b, "%.*s\n", (int)server.n, server.p ? server.p : "");
        if (rc == 0 && correlator.p)
                rc = odm_buf_fmt(&b, "%.*s\n", (int)correlator.n, correlator.p);
        if (rc == 0)
                rc = fsio_write(NULL, path, odm_buf_view(&b), 0600, d);
        odm_buf_done(&b);
        free(path);
        return rc;
}

static int remove_file(const char *folder, const char *name, diag *d)
{
        char *path = fsio_join(folder, name);
        int rc = 0;

        if (!path)
                return ODM_ENOMEM;
        if (unlink(path) < 0 && errno != ENOENT)
                rc = diag_set(d, ODM_EIO, "%s: %s", path, strerror(errno));
        free(path);
        return rc;
}

/* The journal goes before the order does: done twice it is the same. */
int reset_honour(const char *folder, diag *d)
{
        static const char *const kept[] = {"journal.damaged", "journal.copy", "journal"};
        char *order = fsio_join(folder, ORDER), *done = fsio_join(folder, DONE);
        int rc = order && done ? 0 : ODM_ENOMEM;

        if (rc == 0 && access(order, F_OK) < 0)
                goto out;
        for (size_t i = 0; i < ODM_COUNT(kept) && rc == 0; i++)
                rc = remove_file(folder, kept[i], d);
        if (rc == 0 && rename(order, done) < 0)
                rc = diag_set(d, ODM_EIO, "%s: %s", order, strerror(errno));
        if (rc == 0)
                log_info("factory reset: the tree begins anew");
out:
        free(order);
        free(done);
        return rc;
}

static odm_str next_line(odm_str *rest)
{
        const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
        odm_str line = odm_str_to(*rest, end ? (size_t)(end - rest->p) : rest->n);

        *rest = odm_str_from(*rest, line.n + (end != NULL));
        return line;
}

int reset_report(const char *folder, odm_buf *b, odm_str *server, odm_str *correlator)
{
        char *path = fsio_join(folder, DONE);
        odm_str rest, first;
        int rc = path ? fsio_read(path, MOST, b, NULL) : ODM_ENOMEM;

        free(path);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        rest = odm_buf_view(b);
        first = next_line(&rest);
        *correlator = rest.n ? next_line(&rest) : ODM_ABSENT;
        *server = first;
        return 1;
}

void reset_reported(const char *folder)
{
        (void)remove_file(folder, DONE, NULL);
}
