/* SPDX-License-Identifier: Apache-2.0 */
/* recover_store.c - a store that is damaged does not keep the gateway from starting: the copy of
 * the last clean end takes its place, or an empty one, and the damaged file stays beside it for
 * people. What the copy does not know comes back by itself: devices attach, servers are called. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "recover_store.h"

#define COPY_MAX ((size_t)256 << 20) /* as large as a file that is looked at when it is opened */

static char *beside(const char *path, const char *suffix)
{
        size_t n = strlen(path) + strlen(suffix) + 1;
        char *s = malloc(n);

        if (s)
                (void)snprintf(s, n, "%s%s", path, suffix);
        return s;
}

static int copy(const char *from, const char *to)
{
        odm_buf b;
        diag d = {{0}};
        int rc;

        odm_buf_init(&b, &heap_mem, COPY_MAX);
        rc = fsio_read(from, COPY_MAX, &b, &d);
        if (rc == 0)
                rc = fsio_write(NULL, to, odm_buf_view(&b), 0600, &d);
        if (rc < 0)
                log_warn("a copy of the store", log_text("file", to), log_text("reason", d.text));
        odm_buf_done(&b);
        return rc;
}

void recover_store_keep(const char *path)
{
        char *to = beside(path, ".copy"), *wal = beside(path, "-wal");

        if (to && wal && access(path, R_OK) == 0 && access(wal, F_OK) != 0)
                (void)copy(path, to);
        free(to);
        free(wal);
}

/* Out of the way, and the copy into its place. */
static recover_mended mend(const char *path)
{
        char *from = beside(path, ".copy"), *away = beside(path, ".damaged");
        char *wal = beside(path, "-wal"), *shm = beside(path, "-shm");
        recover_mended how = RECOVER_WHOLE;

        if (from && away && wal && shm && rename(path, away) == 0) {
                (void)unlink(wal); /* of the damaged file; it fits no other */
                (void)unlink(shm);
                how = access(from, R_OK) == 0 && copy(from, path) == 0 ? RECOVER_COPY
                                                                       : RECOVER_ANEW;
        }
        free(from);
        free(away);
        free(wal);
        free(shm);
        return how;
}

int recover_store_open(const char *path, const store_opt *opt, store **out, char why[STORE_DIAG],
                       recover_mended *how)
{
        int rc = store_open(opt, out, why);

        *how = RECOVER_WHOLE;
        if (rc != ODM_EMALFORMED || !path)
                return rc;
        log_error("the store is damaged", log_text("reason", why));
        *how = mend(path);
        if (*how == RECOVER_WHOLE)
                return rc;
        rc = store_open(opt, out, why);
        if (rc == ODM_EMALFORMED && *how == RECOVER_COPY) { /* the copy too */
                (void)unlink(path);
                *how = RECOVER_ANEW;
                rc = store_open(opt, out, why);
        }
        return rc;
}
