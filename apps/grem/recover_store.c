/* SPDX-License-Identifier: Apache-2.0 */
/* recover_store.c - a store that is damaged does not keep the gateway from starting: its last copy
 * takes its place, or an empty one, and the damaged file stays beside it for
 * people. What the copy does not know comes back by itself: devices attach, servers are called. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copy.h"
#include "log.h"
#include "recover_store.h"

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
        const store_copy_opt o = {.from = from, .to = to};
        char why[STORE_DIAG];
        int rc = store_copy(&o, why);

        if (rc < 0)
                log_warn("a copy of the store", log_text("file", to), log_text("reason", why));
        return rc;
}

int recover_store_keep(const char *path)
{
        char *to = beside(path, ".copy");
        int rc = to && access(path, R_OK) == 0 ? copy(path, to) : ODM_ENOENT;

        free(to);
        return rc;
}

#define DAMAGED ".damaged"

/* The log goes with the damaged file: it fits no other, and what was written last may stand in it
 * alone. */
static void put_log_away(const char *wal, const char *path)
{
        char *to = beside(path, DAMAGED "-wal");

        if (!to || rename(wal, to) < 0)
                (void)unlink(wal);
        free(to);
}

/* The copy into the place of the damaged file, which is out of the way.  Marked before: the power
 * may go when it is there. */
static recover_mended put_copy(const char *path, marks *m)
{
        char *from = beside(path, ".copy");
        char *wal = beside(path, "-wal"), *shm = beside(path, "-shm");
        recover_mended how = RECOVER_ANEW;

        marks_mended(m, RECOVER_COPY);
        if (wal)
                put_log_away(wal, path);
        if (shm)
                (void)unlink(shm);
        if (from && wal && shm && access(from, R_OK) == 0 && copy(from, path) == 0)
                how = RECOVER_COPY;
        marks_mended(m, how);
        free(from);
        free(wal);
        free(shm);
        return how;
}

static recover_mended mend(const char *path, marks *m)
{
        char *away = beside(path, DAMAGED), *log = beside(path, DAMAGED "-wal");
        recover_mended how = RECOVER_WHOLE;

        if (log)
                (void)unlink(log); /* of a file that was put away before */
        if (away && log && rename(path, away) == 0)
                how = put_copy(path, m);
        free(away);
        free(log);
        return how;
}

/* A file beside it says that it is damaged. */
#define CONDEMNED ".bad"

void recover_store_condemn(const char *path)
{
        char *mark = beside(path, CONDEMNED);
        int fd = mark ? open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

        if (fd < 0 || fsync(fd) < 0)
                log_error("a damaged store is not marked", log_text("file", path));
        if (fd >= 0)
                close(fd);
        free(mark);
}

static bool is_condemned(const char *path)
{
        char *mark = beside(path, CONDEMNED);
        bool is = mark && access(mark, F_OK) == 0 && access(path, F_OK) == 0;

        free(mark);
        return is;
}

/* After it was mended: a cut in between has it mended again. */
static void pardon(const char *path)
{
        char *mark = beside(path, CONDEMNED);

        if (mark)
                (void)unlink(mark);
        free(mark);
}

/* The power went when the damaged file was out of the way, and nothing in its place yet. */
static bool is_half_mended(const char *path)
{
        char *away = beside(path, DAMAGED);
        bool half = away && access(path, F_OK) < 0 && errno == ENOENT && access(away, F_OK) == 0;

        free(away);
        return half;
}

static int open_store(const char *path, const store_opt *opt, marks *m, store **out,
                      char why[STORE_DIAG], recover_mended *how)
{
        bool half = path && is_half_mended(path);
        int rc;

        *how = half ? put_copy(path, m) : RECOVER_WHOLE;
        if (path && !half && is_condemned(path)) {
                log_error("the store was found damaged");
                *how = mend(path, m);
        }
        if (path)
                pardon(path);
        rc = store_open(opt, out, why);
        if (rc != ODM_EMALFORMED || !path)
                return rc;
        log_error("the store is damaged", log_text("reason", why));
        half = half || *how != RECOVER_WHOLE; /* it is out of the way already */
        if (!half)
                *how = mend(path, m);
        if (*how == RECOVER_WHOLE)
                return rc;
        if (!half)
                rc = store_open(opt, out, why);
        if (rc == ODM_EMALFORMED && *how == RECOVER_COPY) { /* the copy too */
                (void)unlink(path);
                *how = RECOVER_ANEW;
                marks_mended(m, *how);
                rc = store_open(opt, out, why);
        }
        return rc;
}

int recover_store_open(const char *path, const store_opt *opt, marks *m, store **out,
                       char why[STORE_DIAG], recover_mended *how)
{
        int rc = open_store(path, opt, m, out, why, how);

        if (path && *how == RECOVER_WHOLE) /* mended by a start that did not come to its end */
                *how = (recover_mended)marks_how(m);
        return rc;
}
