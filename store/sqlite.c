/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded engine: one SQLite file in WAL mode, synced fully at each commit.  The writer thread
 * has a connection of its own; readers borrow one of a small pool. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite_device.h"
#include "sqlite_engine.h"
#include "sqlite_row.h"
#include "sqlite_schema.h"

#define NUMBERS_AHEAD                                                              \
        65536 /* of sessions: kept as used before they are, and most never written \
               */
#define CHECK_MOST ((off_t)256 << 20) /* octets of a file that is checked at each start */

static const char *const migrations[] = {SQLITE_MIGRATIONS};

/* In the table `counter`; the others are id_kind's. */
enum {
        COUNTER_SESSION = 2,
        COUNTER_DEVICES = 16, /* and the state: how many there are */
        COUNTER_JOBS = 32,    /* the same */
        COUNTER_SESSIONS = 48 /* how many are kept */
};

/* ---- opening ------------------------------------------------------------------------- */

static int load_ids(sqlite *s)
{
        static const char *const sql[ID_KINDS] = {
                [ID_DEVICE] = "SELECT ifnull(max(value), 0) FROM counter WHERE kind = 0",
                [ID_JOB] = "SELECT ifnull(max(value), 0) FROM counter WHERE kind = 1",
                [ID_EVENT] = "SELECT ifnull(max(seq), 0) FROM event",
                [ID_AUDIT] = "SELECT ifnull(max(seq), 0) FROM audit",
        };
        int rc = 0;

        for (int i = 0; rc == 0 && i < ID_KINDS; i++)
                rc = db_number(&s->w, db_bind(&s->w, sql[i], ""), &s->ids[i]);
        return rc;
}

static int keep_counter(sqlite *s, int64_t kind, int64_t value)
{
        return db_run(&s->w, db_bind(&s->w, "REPLACE INTO counter VALUES(?,?)", "ii", kind, value));
}

/* Whether the file may be written must be known now, not at the first device. */
static int load_sessions(sqlite *s)
{
        int64_t last = 0, old = 0;
        int rc = db_number(
                &s->w,
                db_bind(&s->w, "SELECT ifnull(max(value), 0) FROM counter WHERE kind = 2", ""),
                &last);

        if (rc == 0)
                rc = db_number(&s->w, db_bind(&s->w, "SELECT EXISTS (SELECT 1 FROM message)", ""),
                               &old);
        if (rc == 0)
                rc = keep_counter(s, COUNTER_SESSION, last + NUMBERS_AHEAD);
        if (rc < 0)
                return rc;
        s->old_messages = old != 0;
        s->sessions = last;
        s->sessions_kept = s->sessions_next = last + NUMBERS_AHEAD;
        return 0;
}

/* Where each of a store's counts is kept in `counter`. */
static uint64_t *count_of(store_counts *c, int64_t kind)
{
        if (kind >= COUNTER_DEVICES && kind < COUNTER_DEVICES + STORE_DEVICE_STATES)
                return &c->devices[kind - COUNTER_DEVICES];
        if (kind >= COUNTER_JOBS && kind < COUNTER_JOBS + STORE_JOB_STATES)
                return &c->jobs[kind - COUNTER_JOBS];
        return kind == COUNTER_SESSIONS ? &c->sessions : NULL;
}

/* What there is is counted as it changes: a count of a large table takes seconds. */
static int load_counts(sqlite *s)
{
        sqlite3_stmt *st = db_bind(&s->w, "SELECT kind, value FROM counter", "");
        int rc;

        if (st == NULL)
                return db_error(&s->w, s->w.rc);
        while ((rc = db_step(&s->w, st)) == 1) {
                uint64_t *n = count_of(&s->count, sqlite3_column_int64(st, 0));
                if (n)
                        *n = (uint64_t)sqlite3_column_int64(st, 1);
        }
        s->count_told = s->count;
        return rc;
}

/* The last number given in each table of numbered rows. */
static int load_numbers(sqlite *s)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < s->opt.n_tables; i++) {
                rc = db_number(&s->w,
                               db_bind(&s->w, "SELECT last FROM row_number WHERE name = ?", "s",
                                       odm_cstr(s->opt.tables[i]->name)),
                               &s->numbers[i]);
                if (rc == ODM_ENOENT)
                        rc = 0;
        }
        return rc;
}

/* One process at a time: the numbers and the dictionary live in memory.  A file of its own, because
 * closing any other descriptor of the database would drop SQLite's locks. */
static int take_lock(sqlite *s, char diag[STORE_DIAG])
{
        char name[SQLITE_FILE_TEXT + 8];

        snprintf(name, sizeof name, "%s-lock", s->file);
        s->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (s->lock_fd < 0) {
                snprintf(diag, STORE_DIAG, "store %.150s: cannot be opened for writing: %.60s",
                         s->file, strerror(errno));
                return errno == EACCES || errno == EPERM || errno == EROFS || errno == ENOENT ||
                                       errno == ENOTDIR || errno == EISDIR
                               ? ODM_EACCESS
                               : ODM_EIO;
        }
        if (flock(s->lock_fd, LOCK_EX | LOCK_NB)) {
                snprintf(diag, STORE_DIAG, "store %.180s: another process has it open", s->file);
                return ODM_EACCESS;
        }
        return 0;
}

/* Reads the file through, as long as that takes no more than a moment. */
static int check_file(sqlite *s)
{
        sqlite3_stmt *st = NULL;
        struct stat file;
        int code, rc = 0;

        if (stat(s->file, &file) == 0 && file.st_size > CHECK_MOST)
                return 0;
        code = sqlite3_prepare_v2(s->w.c, "PRAGMA quick_check(1)", -1, &st, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_step(st);
        if (code != SQLITE_ROW) {
                rc = db_error(&s->w, code);
        } else if (strcmp((const char *)sqlite3_column_text(st, 0), "ok") != 0) {
                snprintf(s->w.diag, sizeof s->w.diag, "%.200s",
                         (const char *)sqlite3_column_text(st, 0));
                s->w.rc = SQLITE_CORRUPT;
                rc = ODM_EMALFORMED;
        }
        sqlite3_finalize(st);
        return rc;
}

/* What the operator can do; of a code of SQLite. */
static const char *advice(int code)
{
        switch (code & 0xff) {
        case SQLITE_FULL: return "; make room on its disk";
        case SQLITE_IOERR: return "; see what the system's log says of its disk";
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return "; restore a backup, or move it and its -wal away to begin anew";
        case SQLITE_PERM:
        case SQLITE_AUTH:
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
                return "; see who owns it and its folder, and whether they are mounted read-only";
        default: return "";
        }
}

static const char *explain(int rc)
{
        switch (rc) {
        case ODM_EMALFORMED: return "is damaged, or is no store of xrem";
        case ODM_EACCESS: return "may not be written";
        case ODM_EUNSUPPORTED: return "is not for this program";
        case ODM_ENOMEM: return "needs more memory than there is";
        default: return "cannot be opened";
        }
}

static int set_cache(sqlite *s)
{
        char sql[64];

        snprintf(sql, sizeof sql, "PRAGMA cache_size=-%zu", s->opt.cache_bytes / 1024);
        return db_exec(&s->w, sql);
}

static int prepare_file(sqlite *s)
{
        int rc = db_open(&s->w, s->file, false);

        s->w.owner = s;
        s->w.of = s->opt.owner;
        if (rc == 0)
                rc = set_cache(s);
        if (rc == 0)
                rc = sqlite_device_functions(&s->w);
        if (rc == 0)
                rc = check_file(s);
        if (rc == 0)
                rc = db_migrate(&s->w, migrations, ODM_COUNT(migrations));
        if (rc == 0)
                rc = load_ids(s);
        if (rc == 0)
                rc = load_sessions(s);
        if (rc == 0)
                rc = sqlite_row_tables(&s->w, &s->opt);
        if (rc == 0)
                rc = load_numbers(s);
        if (rc == 0)
                rc = load_counts(s);
        return rc < 0 ? rc : book_load(&s->book);
}

static void sqlite_close(void *e)
{
        sqlite *s = e;
        sqlite_reader *r;

        while ((r = s->idle)) {
                s->idle = r->next;
                db_close(&r->db);
                free(r);
        }
        if (s->w.c) {
                if (s->sessions_kept && keep_counter(s, COUNTER_SESSION, s->sessions) < 0)
                        s->sessions_kept = 0; /* then some numbers are left out */
                sqlite3_exec(s->w.c, "PRAGMA optimize", NULL, NULL, NULL);
                db_close(&s->w);
        }
        if (s->lock_fd >= 0)
                close(s->lock_fd);
        pthread_mutex_destroy(&s->pool_lock);
        pthread_cond_destroy(&s->pool_cond);
        book_end(&s->book);
        free(s);
}

/* Nobody asks SQLite how much memory it holds, and counting it takes a lock at each allocation. */
static void configure_library(void)
{
        (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int sqlite_open(const store_opt *opt, const char *where, void **out, char diag[STORE_DIAG])
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        sqlite *s = calloc(1, sizeof *s);
        int rc;

        if (s == NULL)
                return ODM_ENOMEM;
        (void)pthread_once(&once, configure_library);
        s->lock_fd = -1;
        s->opt = *opt;
        s->max_readers = opt->readers;
        pthread_mutex_init(&s->pool_lock, NULL);
        pthread_cond_init(&s->pool_cond, NULL);
        book_begin(&s->book, &s->w);
        if (where[0] == 0 || strlen(where) >= sizeof s->file) {
                snprintf(diag, STORE_DIAG, "store: the name of the file is empty or too long");
                rc = ODM_EINVAL;
                goto out;
        }
        memcpy(s->file, where, strlen(where) + 1);
        rc = take_lock(s, diag);
        if (rc < 0)
                goto out;
        rc = prepare_file(s);
        if (rc < 0) {
                snprintf(diag, STORE_DIAG, "store %.120s: %s: %.120s%s", s->file, explain(rc),
                         s->w.diag, advice(s->w.rc));
                goto out;
        }
        s->w.serving = true;
        *out = s;
        s = NULL;
out:
        if (s)
                sqlite_close(s);
        return rc;
}

static void sqlite_diag(void *e, char out[STORE_DIAG])
{
        const sqlite *s = e;

        snprintf(out, STORE_DIAG, "store %.120s: %.120s%s", s->file, s->w.diag, advice(s->w.rc));
}

static int new_reader(sqlite *s, sqlite_reader **out)
{
        sqlite_reader *r = calloc(1, sizeof *r);
        int rc = r ? db_open(&r->db, s->file, true) : ODM_ENOMEM;

        if (rc == 0) {
                rc = sqlite_device_functions(&r->db);
                if (rc < 0)
                        db_close(&r->db);
        }
        if (rc < 0) {
                free(r);
                return rc == ODM_ENOMEM ? rc : ODM_EIO;
        }
        r->db.owner = s;
        r->db.serving = true;
        *out = r;
        return 0;
}

static int reader_take(void *e, void **out)
{
        sqlite *s = e;
        sqlite_reader *r;
        bool make;
        int rc = 0;

        pthread_mutex_lock(&s->pool_lock);
        while (s->idle == NULL && s->open_readers == s->max_readers)
                pthread_cond_wait(&s->pool_cond, &s->pool_lock);
        r = s->idle;
        make = r == NULL;
        if (make)
                s->open_readers++;
        else
                s->idle = r->next;
        pthread_mutex_unlock(&s->pool_lock);
        if (make) {
                rc = new_reader(s, &r);
                if (rc < 0) {
                        pthread_mutex_lock(&s->pool_lock);
                        s->open_readers--;
                        pthread_cond_signal(&s->pool_cond);
                        pthread_mutex_unlock(&s->pool_lock);
                }
        }
        if (rc == 0)
                *out = r;
        return rc;
}

static void reader_give(void *e, void *h)
{
        sqlite *s = e;
        sqlite_reader *r = h;

        pthread_mutex_lock(&s->pool_lock);
        r->next = s->idle;
        s->idle = r;
        pthread_cond_signal(&s->pool_cond);
        pthread_mutex_unlock(&s->pool_lock);
}

/* ---- transactions ---------------------------------------------------------------------- */

static int run(sqlite *s, const char *sql)
{
        return db_run(&s->w, db_bind(&s->w, sql, ""));
}

static int sqlite_begin(void *e)
{
        sqlite *s = e;

        s->paths_begun = s->book.n;
        s->count_begun = s->count;
        return run(s, "BEGIN IMMEDIATE");
}

static int store_ids(sqlite *s)
{
        int rc = 0;

        for (unsigned i = 0; rc == 0 && s->ids_moved >> i; i++)
                if (s->ids_moved >> i & 1)
                        rc = keep_counter(s, i, s->ids[i]);
        if (rc == 0 && s->sessions + NUMBERS_AHEAD / 2 > s->sessions_kept) {
                s->sessions_next = s->sessions + NUMBERS_AHEAD;
                rc = keep_counter(s, COUNTER_SESSION, s->sessions_next);
        }
        return rc;
}

static int store_counted(sqlite *s)
{
        int rc = 0;

        for (int64_t kind = COUNTER_DEVICES; rc == 0 && kind <= COUNTER_SESSIONS; kind++) {
                const uint64_t *now = count_of(&s->count, kind);
                const uint64_t *begun = count_of(&s->count_begun, kind);
                if (now && begun && *now != *begun)
                        rc = keep_counter(s, kind, (int64_t)*now);
        }
        return rc;
}

static int store_numbers(sqlite *s)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < s->opt.n_tables; i++)
                if (s->numbers_moved >> i & 1)
                        rc = db_run(&s->w,
                                    db_bind(&s->w, "REPLACE INTO row_number VALUES(?,?)", "si",
                                            odm_cstr(s->opt.tables[i]->name), s->numbers[i]));
        return rc;
}

static int sqlite_commit(void *e)
{
        sqlite *s = e;
        int rc = store_ids(s);

        if (rc == 0)
                rc = store_counted(s);
        if (rc == 0 && s->numbers_moved)
                rc = store_numbers(s);

        if (rc == 0)
                rc = run(s, "COMMIT");
        if (rc == 0) {
                s->ids_moved = 0;
                s->numbers_moved = 0;
                pthread_mutex_lock(&s->pool_lock);
                s->count_told = s->count;
                pthread_mutex_unlock(&s->pool_lock);
                s->sessions_kept = s->sessions_next;
        }
        return rc;
}

static void sqlite_rollback(void *e)
{
        sqlite *s = e;

        if (!sqlite3_get_autocommit(s->w.c))
                sqlite3_exec(s->w.c, "ROLLBACK", NULL, NULL, NULL);
        s->count = s->count_begun;
        book_cut(&s->book, s->paths_begun);
}

static int sqlite_mark(void *e)
{
        sqlite *s = e;

        s->paths_marked = s->book.n;
        s->count_marked = s->count;
        return run(s, "SAVEPOINT batch");
}

static int sqlite_keep(void *e)
{
        return run(e, "RELEASE batch");
}

static int sqlite_undo(void *e)
{
        sqlite *s = e;
        int rc = run(s, "ROLLBACK TO batch");

        s->count = s->count_marked;
        book_cut(&s->book, s->paths_marked);
        return rc < 0 ? rc : run(s, "RELEASE batch");
}

static int next_id(void *e, id_kind kind, int64_t *out)
{
        sqlite *s = e;

        *out = ++s->ids[kind];
        if (kind <= ID_JOB)
                s->ids_moved |= 1u << kind;
        return 0;
}

static int64_t session_number(void *e)
{
        sqlite *s = e;

        return atomic_fetch_add(&s->sessions, 1) + 1;
}

/* ---- devices ----------------------------------------------------------------------------- */

#define DEVICE_COLS DEVICE_FIELDS(FIRST_D, MORE_D)

/* Whether a statement has a row. */
static int known(db *x, sqlite3_stmt *st)
{
        int64_t one;

        return db_number(x, st, &one);
}

static int device_known(void *h, int64_t id)
{
        return known(h, db_bind(h, "SELECT 1 FROM device WHERE id = ?", "i", id));
}

static int device_get(void *h, int64_t id, odm_arena *a, store_device *out)
{
        return db_one(h, db_bind(h, "SELECT " DEVICE_COLS " FROM device d WHERE id = ?", "i", id),
                      &record_device, a, out);
}

static int name_owner(void *h, odm_str name, int64_t *out)
{
        return db_number(h, db_bind(h, "SELECT device FROM device_name WHERE name = ?", "s", name),
                         out);
}

static int devid_owner(void *h, odm_str devid, int64_t *out)
{
        return db_number(
                h, db_bind(h, "SELECT device FROM device_devid WHERE devid = ?", "s", devid), out);
}

static int device_put(void *e, const store_device *old, const store_device *d)
{
        sqlite *s = e;
        int rc = sqlite_device_put(&s->w, old, d);

        if (rc == 0) {
                if (old)
                        s->count.devices[old->state]--;
                s->count.devices[d->state]++;
        }
        return rc;
}

static int device_contact(void *e, const store_device_patch *p)
{
        sqlite *s = e;

        return db_change(
                &s->w, db_bind(&s->w,
                               "UPDATE device SET address = CASE WHEN ?1 THEN ?2 ELSE address END,"
                               " route = CASE WHEN ?3 THEN ?4 ELSE route END,"
                               " last_contact = CASE WHEN ?5 THEN ?6 ELSE last_contact END,"
                               " updated = ?7 WHERE id = ?8",
                               "isisiiii", (int64_t)(p->fields & STORE_DF_ADDRESS), p->to.address,
                               (int64_t)(p->fields & STORE_DF_ROUTE), p->to.route,
                               (int64_t)(p->fields & STORE_DF_LAST_CONTACT), p->to.last_contact,
                               p->to.updated, p->to.id));
}

int sqlite_uncount(sqlite *s, sqlite3_stmt *st, uint64_t *counts, int64_t n)
{
        int rc;

        if (st == NULL)
                return db_error(&s->w, s->w.rc);
        while ((rc = db_step(&s->w, st)) == 1) {
                int64_t i = sqlite3_column_int64(st, 0);
                if (i >= 0 && i < n)
                        counts[i] -= (uint64_t)sqlite3_column_int64(st, 1);
        }
        return rc;
}

/* The device and all that is its are counted no more. */
static int uncount_device(sqlite *s, const store_device *d)
{
        int rc = sqlite_uncount(
                s,
                db_bind(&s->w, "SELECT state, count(*) FROM job WHERE device = ? GROUP BY state",
                        "i", d->id),
                s->count.jobs, STORE_JOB_STATES);

        if (rc == 0)
                rc = sqlite_uncount(s,
                                    db_bind(&s->w,
                                            "SELECT 0, count(*) FROM session WHERE device = ?", "i",
                                            d->id),
                                    &s->count.sessions, 1);
        s->count.devices[d->state]--;
        return rc;
}

static int device_delete(void *e, const store_device *d)
{
        static const char *const sql[] = {
                "DELETE FROM device WHERE id = ?",      "DELETE FROM account WHERE device = ?",
                "DELETE FROM job WHERE device = ?",     "DELETE FROM result WHERE device = ?",
                "DELETE FROM note WHERE device = ?",    "DELETE FROM tree WHERE device = ?",
                "DELETE FROM session WHERE device = ?", "DELETE FROM saved WHERE device = ?",
                "DELETE FROM message WHERE device = ?",
        };
        sqlite *s = e;
        int rc = uncount_device(s, d);

        if (rc == 0)
                rc = sqlite_device_keys_gone(&s->w, d);

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(sql); i++)
                rc = db_run(&s->w, db_bind(&s->w, sql[i], "i", d->id));
        return rc < 0 ? rc : sqlite_row_device_gone(&s->w, &s->opt, d->id);
}

static int device_find(void *h, const store_device_filter *f, odm_arena *a, store_device_list *out)
{
        return sqlite_device_find(h, f, a, out);
}

static int wake_due(void *h, int64_t now, uint32_t limit, odm_arena *a, store_device_list *out)
{
        record_list l = {.r = &record_device, .a = a};
        bool more;
        int rc = db_all(h,
                        db_bind(h,
                                "SELECT " DEVICE_COLS " FROM device d WHERE wake_at > 0"
                                " AND wake_at <= ? ORDER BY wake_at LIMIT ?",
                                "ii", now, (int64_t)limit + 1),
                        &l);

        if (rc < 0)
                return rc;
        more = record_list_cut(&l, limit);
        *out = (store_device_list){.v = (store_device *)(void *)l.v, .n = l.n, .more = more};
        return 0;
}

static int account_get(void *h, int64_t device, odm_arena *a, store_account *out)
{
        return db_one(h,
                      db_bind(h, "SELECT " COLS(ACCOUNT_FIELDS) " FROM account WHERE device = ?",
                              "i", device),
                      &record_account, a, out);
}

static int account_put(void *e, const store_account *x)
{
        return db_put(e, PUT_ROW("account", ACCOUNT_FIELDS), &record_account, x);
}

static int nonces_put(void *e, const store_nonces *n)
{
        sqlite *s = e;

        return db_change(&s->w,
                         db_bind(&s->w,
                                 "UPDATE account SET nonce = ifnull(?1, nonce),"
                                 " previous = ifnull(?2, previous),"
                                 " server_nonce = ifnull(?3, server_nonce) WHERE device = ?4",
                                 "bbbi", n->nonce, n->previous, n->server_nonce, n->device));
}

static int lockout_put(void *e, const store_lockout *l)
{
        sqlite *s = e;

        return db_change(
                &s->w,
                db_bind(&s->w, "UPDATE account SET failures = ?, locked_until = ? WHERE device = ?",
                        "iii", (int64_t)l->failures, l->locked_until, l->device));
}

/* ---- the mirror ------------------------------------------------------------------------- */

static int tree_get(void *h, int64_t device, odm_arena *a, odm_str *out)
{
        return db_str(h, db_bind(h, "SELECT nodes FROM tree WHERE device = ?", "i", device), a,
                      out);
}

static int tree_put(void *e, int64_t device, int64_t at, odm_str blob)
{
        return db_run(e, db_bind(e, "REPLACE INTO tree VALUES(?,?,?)", "iib", device, at, blob));
}

/* Lent, not copied: what a row names was committed. */
static int path_text(void *h, uint32_t id, odm_arena *a, odm_str *out)
{
        sqlite *s = ((db *)h)->owner;

        (void)a;
        book_text(&s->book, id, out);
        return 0;
}

static int path_id(void *e, odm_str path, uint32_t *out)
{
        sqlite *s = e;

        return book_id(&s->book, path, out);
}

/* ---- tokens, settings, events, audit ---------------------------------------------------- */

static int token_by_hash(void *h, odm_str hash, odm_arena *a, store_token *out)
{
        return db_one(
                h, db_bind(h, "SELECT " COLS(TOKEN_FIELDS) " FROM token WHERE hash = ?", "b", hash),
                &record_token, a, out);
}

static int token_find(void *h, odm_arena *a, store_token_list *out)
{
        record_list l = {.r = &record_token, .a = a};
        int rc = db_all(h, db_bind(h, "SELECT " COLS(TOKEN_FIELDS) " FROM token ORDER BY name", ""),
                        &l);

        if (rc == 0)
                *out = (store_token_list){(store_token *)(void *)l.v, l.n};
        return rc;
}

static int token_put(void *e, const store_token *t)
{
        return db_put(e, PUT_ROW("token", TOKEN_FIELDS), &record_token, t);
}

static int token_delete(void *e, odm_str name)
{
        sqlite *s = e;

        return db_change(&s->w, db_bind(&s->w, "DELETE FROM token WHERE name = ?", "s", name));
}

static int setting_get(void *h, odm_str key, odm_arena *a, odm_str *out)
{
        return db_str(h, db_bind(h, "SELECT value FROM setting WHERE key = ?", "s", key), a, out);
}

static int setting_put(void *e, odm_str key, odm_str value)
{
        return db_run(e, value.p ? db_bind(e, "REPLACE INTO setting VALUES(?,?)", "sb", key, value)
                                 : db_bind(e, "DELETE FROM setting WHERE key = ?", "s", key));
}

static int event_find(void *h, int64_t after, int64_t device, uint32_t limit, odm_arena *a,
                      store_event_list *out)
{
        record_list l = {.r = &record_event, .a = a};
        int64_t most = (int64_t)limit + 1;
        bool more;
        int rc = db_all(
                h,
                device ? db_bind(h,
                                 "SELECT " COLS(EVENT_FIELDS) " FROM event"
                                                              " WHERE device = ? AND seq > ? ORDER "
                                                              "BY seq LIMIT ?",
                                 "iii", device, after, most)
                       : db_bind(h,
                                 "SELECT " COLS(EVENT_FIELDS) " FROM event"
                                                              " WHERE seq > ? ORDER BY seq LIMIT ?",
                                 "ii", after, most),
                &l);

        if (rc < 0)
                return rc;
        more = record_list_cut(&l, limit);
        *out = (store_event_list){(store_event *)(void *)l.v, l.n, more};
        return 0;
}

static int event_last(void *h, int64_t *out)
{
        return db_number(h, db_bind(h, "SELECT COALESCE(MAX(seq), 0) FROM event", ""), out);
}

static int event_add(void *e, const store_event *v)
{
        return db_put(e, PUT_ROW("event", EVENT_FIELDS), &record_event, v);
}

static int event_trim(void *e, int64_t upto, uint32_t most)
{
        return db_run(e, db_bind(e,
                                 "DELETE FROM event WHERE seq <= ?1"
                                 " AND seq < (SELECT min(seq) FROM event) + ?2",
                                 "ii", upto, (int64_t)most));
}

static int audit_find(void *h, int64_t before, int64_t device, uint32_t limit, odm_arena *a,
                      store_audit_list *out)
{
        record_list l = {.r = &record_audit, .a = a};
        int64_t below = before ? before : INT64_MAX, most = (int64_t)limit + 1;
        bool more;
        int rc = db_all(
                h,
                device ? db_bind(h,
                                 "SELECT " COLS(AUDIT_FIELDS) " FROM audit"
                                                              " WHERE device = ? AND seq < ? ORDER "
                                                              "BY seq DESC LIMIT ?",
                                 "iii", device, below, most)
                       : db_bind(h,
                                 "SELECT " COLS(
                                         AUDIT_FIELDS) " FROM audit"
                                                       " WHERE seq < ? ORDER BY seq DESC LIMIT ?",
                                 "ii", below, most),
                &l);

        if (rc < 0)
                return rc;
        more = record_list_cut(&l, limit);
        *out = (store_audit_list){(store_audit *)(void *)l.v, l.n, more};
        return 0;
}

static int audit_add(void *e, const store_audit *v)
{
        return db_put(e, PUT_ROW("audit", AUDIT_FIELDS), &record_audit, v);
}

static int count(void *h, store_counts *out)
{
        sqlite *s = ((db *)h)->owner;

        pthread_mutex_lock(&s->pool_lock);
        *out = s->count_told;
        pthread_mutex_unlock(&s->pool_lock);
        return 0;
}

/* ---- rows of tables --------------------------------------------------------------------- */

static int row_get(void *h, const store_table *t, const void *row, odm_arena *a, void *out)
{
        return sqlite_row_get(h, t, row, a, out);
}

static int row_find(void *h, const store_scan *s, odm_arena *a, store_rows *out)
{
        return sqlite_row_find(h, s, a, out);
}

static int row_count(void *h, const store_scan *s, uint64_t most, uint64_t *out)
{
        return sqlite_row_count(h, s, most, out);
}

static int row_number(void *e, const store_table *t, int64_t given, int64_t *out)
{
        sqlite *s = e;
        size_t i = row_table_at(&s->opt, t);

        if (given == 0)
                given = s->numbers[i] + 1;
        if (given > s->numbers[i]) {
                s->numbers[i] = given;
                s->numbers_moved |= UINT64_C(1) << i;
        }
        *out = given;
        return 0;
}

static int row_add(void *e, const store_table *t, const void *row)
{
        return sqlite_row_add(e, t, row);
}

static int row_put(void *e, const store_table *t, const void *row)
{
        return sqlite_row_put(e, t, row);
}

static int row_patch(void *e, const store_row_op *op)
{
        return sqlite_row_patch(e, op);
}

static int row_delete(void *e, const store_row_op *op)
{
        return sqlite_row_delete(e, op);
}

static int rows_delete(void *e, const store_scan *s, int64_t *out)
{
        return sqlite_rows_delete(e, s, out);
}

const store_engine engine_sqlite = {
        .name = "sqlite",
        .open = sqlite_open,
        .close = sqlite_close,
        .diag = sqlite_diag,
        .reader_take = reader_take,
        .reader_give = reader_give,
        .read = {device_known,
                 device_get,
                 name_owner,
                 devid_owner,
                 device_find,
                 wake_due,
                 account_get,
                 sqlite_job_get,
                 sqlite_job_find,
                 sqlite_results,
                 sqlite_job_by_key,
                 sqlite_notes,
                 tree_get,
                 path_text,
                 sqlite_session_find,
                 sqlite_session_get,
                 sqlite_session_log,
                 sqlite_saved_get,
                 token_by_hash,
                 token_find,
                 setting_get,
                 event_find,
                 event_last,
                 audit_find,
                 count,
                 row_get,
                 row_find,
                 row_count},
        .begin = sqlite_begin,
        .commit = sqlite_commit,
        .rollback = sqlite_rollback,
        .mark = sqlite_mark,
        .keep = sqlite_keep,
        .undo = sqlite_undo,
        .next_id = next_id,
        .device_put = device_put,
        .device_delete = device_delete,
        .device_contact = device_contact,
        .account_put = account_put,
        .nonces_put = nonces_put,
        .lockout_put = lockout_put,
        .job_create = sqlite_job_create,
        .job_now = sqlite_job_now,
        .job_move = sqlite_job_move,
        .job_open_count = sqlite_job_open_count,
        .job_trim = sqlite_job_trim,
        .result_put = sqlite_result_put,
        .note_add = sqlite_note_add,
        .tree_put = tree_put,
        .path_id = path_id,
        .session_number = session_number,
        .session_put = sqlite_session_put,
        .session_save = sqlite_session_save,
        .session_trim = sqlite_session_trim,
        .token_put = token_put,
        .token_delete = token_delete,
        .setting_put = setting_put,
        .event_add = event_add,
        .event_trim = event_trim,
        .audit_add = audit_add,
        .row_number = row_number,
        .row_add = row_add,
        .row_put = row_put,
        .row_patch = row_patch,
        .row_delete = row_delete,
        .rows_delete = rows_delete,
};
