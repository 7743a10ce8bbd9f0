/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite's online backup, in one read transaction of the source: a commit of the store does not
 * make it begin anew, and the log of the store grows until it is over. */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sqlite_db.h"

#define PATH_ROOM 4096
#define BUSY_MS 50 /* somebody has the file for a moment */

static void pause_for(uint32_t ms)
{
        const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

        (void)nanosleep(&t, NULL);
}

static int copy_pages(const store_copy_opt *o, db *from, db *to)
{
        sqlite3_backup *b = sqlite3_backup_init(to->c, "main", from->c, "main");
        int code = SQLITE_OK, rc = 0;

        if (!b)
                return db_error(to, sqlite3_errcode(to->c));
        for (;;) {
                code = sqlite3_backup_step(b, o->pages ? (int)o->pages : -1);
                if (code != SQLITE_OK && code != SQLITE_BUSY && code != SQLITE_LOCKED)
                        break;
                if (o->stop && o->stop(o->ctx)) {
                        rc = ODM_ESTATE;
                        break;
                }
                pause_for(code == SQLITE_OK ? o->pause_ms : BUSY_MS);
        }
        (void)sqlite3_backup_finish(b);
        if (rc < 0)
                snprintf(to->diag, sizeof to->diag, "the copy was not finished");
        return rc < 0 || code == SQLITE_DONE ? rc : db_error(to, code);
}

/* The moment is that of the first read. */
static int copy_at_once(const store_copy_opt *o, db *from, db *to)
{
        int rc = db_exec(from, "BEGIN; SELECT count(*) FROM sqlite_master");

        return rc == 0 ? copy_pages(o, from, to) : rc;
}

static int make(const store_copy_opt *o, const char *path, char why[STORE_DIAG])
{
        db from = {.c = NULL}, to = {.c = NULL};
        int rc = db_open(&from, o->from, true);
        bool ours = rc < 0;

        if (rc == 0)
                rc = db_open(&to, path, false);
        if (rc == 0)
                rc = db_exec(&to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
        if (rc == 0) {
                rc = copy_at_once(o, &from, &to);
                ours = rc < 0 && !to.diag[0];
        }
        if (rc < 0)
                snprintf(why, STORE_DIAG, "%s", ours ? from.diag : to.diag);
        if (to.c)
                db_close(&to);
        if (from.c)
                db_close(&from);
        return rc;
}

static int check(const char *path, char why[STORE_DIAG])
{
        sqlite3_stmt *st = NULL;
        db x = {.c = NULL};
        int code, rc = db_open(&x, path, false);

        if (rc == 0) {
                code = sqlite3_prepare_v2(x.c, "PRAGMA quick_check(1)", -1, &st, NULL);
                if (code == SQLITE_OK)
                        code = sqlite3_step(st);
                if (code != SQLITE_ROW) {
                        rc = db_error(&x, code);
                } else if (strcmp((const char *)sqlite3_column_text(st, 0), "ok") != 0) {
                        snprintf(x.diag, sizeof x.diag, "%.200s",
                                 (const char *)sqlite3_column_text(st, 0));
                        rc = ODM_EMALFORMED;
                }
                sqlite3_finalize(st);
        }
        if (rc < 0)
                snprintf(why, STORE_DIAG, "%s", x.diag);
        if (x.c)
                db_close(&x);
        return rc;
}

static bool sync_path(const char *path, int flags)
{
        int fd = open(path, flags | O_CLOEXEC);
        bool ok = fd >= 0 && fsync(fd) == 0;

        if (fd >= 0)
                close(fd);
        return ok;
}

/* What SQLite keeps beside a file. */
static void drop_beside(const char *path)
{
        static const char *const beside[] = {"-wal", "-shm", "-journal"};
        char name[PATH_ROOM + 16];

        for (size_t i = 0; i < ODM_COUNT(beside); i++) {
                snprintf(name, sizeof name, "%s%s", path, beside[i]);
                (void)unlink(name);
        }
}

static void drop(const char *path)
{
        (void)unlink(path);
        drop_beside(path);
}

/* A log beside `to` is that of an older copy, which somebody had open: SQLite would read it into
 * the new one. */
static int put(const char *fresh, const char *to, char why[STORE_DIAG])
{
        char folder[PATH_ROOM];

        snprintf(folder, sizeof folder, "%s", to);
        if (sync_path(fresh, O_RDONLY)) {
                drop_beside(to);
                if (rename(fresh, to) == 0 && sync_path(dirname(folder), O_RDONLY | O_DIRECTORY))
                        return 0;
        }
        snprintf(why, STORE_DIAG, "%.150s: %.60s", to, strerror(errno));
        return ODM_EIO;
}

int store_copy(const store_copy_opt *opt, char why[STORE_DIAG])
{
        char fresh[PATH_ROOM];
        int n = snprintf(fresh, sizeof fresh, "%s.new", opt->to), rc;

        why[0] = 0;
        if (n < 0 || (size_t)n >= sizeof fresh) {
                snprintf(why, STORE_DIAG, "too long a name");
                return ODM_EIO;
        }
        drop(fresh);
        rc = make(opt, fresh, why);
        if (rc == 0)
                rc = check(fresh, why);
        if (rc == 0)
                rc = put(fresh, opt->to, why);
        drop(fresh);
        return rc;
}
