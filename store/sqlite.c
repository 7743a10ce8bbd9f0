/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded engine: one SQLite file in WAL mode, synced fully at each commit.  The writer thread
 * has a connection of its own; readers borrow one of a small pool.  The path dictionary is small
 * and only grows, so all of it is kept in memory too. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"
#include "map.h"
#include "sqlite_cols.h"
#include "sqlite_db.h"
#include "sqlite_device.h"
#include "sqlite_row.h"
#include "sqlite_schema.h"

#define PATHS_MAX (1u << 20)
#define FILE_TEXT 4096
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

typedef struct reader {
        db db; /* first: a handle is a db */
        struct reader *next;
} reader;

typedef struct path_entry {
        uint32_t id;
        size_t n;
        char p[];
} path_entry;

typedef struct sqlite {
        db w; /* first: the writer's handle is a db */
        char file[FILE_TEXT];
        int lock_fd;
        int64_t ids[ID_KINDS];
        unsigned ids_moved;                /* bits 1 << id_kind */
        atomic_int_fast64_t sessions;      /* the last number given */
        int64_t sessions_kept;             /* no number up to this one is given again */
        int64_t sessions_next;             /* what that becomes when the transaction is kept */
        store_opt opt;                     /* its tables */
        int64_t numbers[STORE_TABLES_MAX]; /* the last given in each table */
        uint64_t numbers_moved;            /* bits of those to be kept */
        store_counts count, count_begun, count_marked; /* as the transaction leaves them */
        store_counts count_told;                       /* as it was kept; under pool_lock */
        bool old_messages; /* there are some in the table of older versions */

        pthread_mutex_t pool_lock;
        pthread_cond_t pool_cond;
        reader *idle;
        uint32_t open_readers, max_readers;

        pthread_rwlock_t book_lock;
        map by_text; /* path -> entry, which it owns; the writer's alone */
        path_entry **by_id;
        uint32_t paths, cap_paths, mark_paths, begin_paths;
} sqlite;

#define PUT_ROW(table, FIELDS) "REPLACE INTO " table "(" COLS(FIELDS) ") VALUES(" PARAMS(FIELDS) ")"

/* The same for tables with indexes: REPLACE would take the old row out of each and put the new one
 * in, an update touches those only whose columns are named. */
#define FIRST_SET(f, k) "\"" #f "\"=excluded.\"" #f "\""
#define MORE_SET(f, k) ",\"" #f "\"=excluded.\"" #f "\""
#define UPSERT(table, FIELDS, key, STATE)                                \
        "INSERT INTO " table                                             \
        "(" COLS(FIELDS) ") VALUES(" PARAMS(FIELDS) ") ON CONFLICT(" key \
                                                    ") DO UPDATE SET " STATE(FIRST_SET, MORE_SET)

/* Most rows are put whole: a record of the table's columns. */
static int put_record(sqlite *s, const char *sql, const record *r, const void *rec)
{
        sqlite3_stmt *st = db_statement(&s->w, sql);
        int rc = db_bind_record(&s->w, st, r, r->n, rec);

        return rc < 0 ? rc : db_run(&s->w, st);
}

/* ---- the path dictionary ----------------------------------------------------------- */

static int book_grow(sqlite *s)
{
        uint32_t cap = s->cap_paths ? s->cap_paths * 2 : 256;
        path_entry **v;

        if (s->paths < s->cap_paths)
                return 0;
        v = realloc(s->by_id, cap * sizeof(path_entry *));
        if (v == NULL)
                return ODM_ENOMEM;
        s->by_id = v;
        s->cap_paths = cap;
        return 0;
}

/* Adds number paths + 1. */
static int book_add(sqlite *s, odm_str path)
{
        path_entry *e = malloc(sizeof *e + path.n + 1);
        void *old;
        int rc;

        if (e == NULL)
                return ODM_ENOMEM;
        *e = (path_entry){.id = s->paths + 1, .n = path.n};
        memcpy(e->p, path.p, path.n);
        pthread_rwlock_wrlock(&s->book_lock);
        rc = book_grow(s);
        if (rc == 0)
                rc = map_put(&s->by_text, (map_key){.text = path}, e, &old);
        if (rc == 0)
                s->by_id[s->paths++] = e;
        else
                free(e);
        pthread_rwlock_unlock(&s->book_lock);
        return rc;
}

/* Forgets the numbers above n, which were never committed. */
static void book_cut(sqlite *s, uint32_t n)
{
        pthread_rwlock_wrlock(&s->book_lock);
        while (s->paths > n) {
                path_entry *e = s->by_id[--s->paths];
                map_remove(&s->by_text, (map_key){.text = {e->p, e->n}});
                free(e);
        }
        pthread_rwlock_unlock(&s->book_lock);
}

static int book_load(sqlite *s)
{
        sqlite3_stmt *st = db_bind(&s->w, "SELECT id, path FROM path ORDER BY id", "");
        int rc;

        if (st == NULL)
                return db_error(&s->w, s->w.rc);
        while ((rc = db_step(&s->w, st)) == 1) {
                const char *p = sqlite3_column_blob(st, 1);
                odm_str path = {p ? p : "", (size_t)sqlite3_column_bytes(st, 1)};
                bool in_order = sqlite3_column_int64(st, 0) == (int64_t)s->paths + 1;
                rc = in_order ? book_add(s, path) : ODM_EMALFORMED;
                if (rc < 0) {
                        db_reset(st);
                        break;
                }
        }
        return rc;
}

/* Lent, not copied: what a row names was committed, and stays until the store is closed. */
static int path_text(void *h, uint32_t id, odm_arena *a, odm_str *out)
{
        sqlite *s = ((db *)h)->owner;
        odm_str t = ODM_ABSENT;

        (void)a;
        pthread_rwlock_rdlock(&s->book_lock);
        if (id >= 1 && id <= s->paths)
                t = (odm_str){s->by_id[id - 1]->p, s->by_id[id - 1]->n};
        pthread_rwlock_unlock(&s->book_lock);
        *out = t;
        return 0;
}

static int path_id(void *h, odm_str path, uint32_t *out)
{
        sqlite *s = h;
        const path_entry *e = map_find(&s->by_text, (map_key){.text = path});
        int rc;

        if (e || s->paths == PATHS_MAX) {
                *out = e ? e->id : 0;
                return 0;
        }
        rc = db_run(&s->w, db_bind(&s->w, "INSERT INTO path VALUES(?,?)", "is",
                                   (int64_t)s->paths + 1, path));
        if (rc == 0)
                rc = book_add(s, path);
        if (rc == 0)
                *out = s->paths;
        return rc;
}

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
        char name[FILE_TEXT + 8];

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
        return rc < 0 ? rc : book_load(s);
}

static void sqlite_close(void *e)
{
        sqlite *s = e;
        reader *r;

        while ((r = s->idle)) {
                s->idle = r->next;
                db_close(&r->db);
                free(r);
        }
        book_cut(s, 0);
        free(s->by_id);
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
        pthread_rwlock_destroy(&s->book_lock);
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
        pthread_rwlock_init(&s->book_lock, NULL);
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

static int new_reader(sqlite *s, reader **out)
{
        reader *r = calloc(1, sizeof *r);
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
        reader *r;
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
        reader *r = h;

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

        s->begin_paths = s->paths;
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
        book_cut(s, s->begin_paths);
}

static int sqlite_mark(void *e)
{
        sqlite *s = e;

        s->mark_paths = s->paths;
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
        book_cut(s, s->mark_paths);
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

/* 0, or ODM_ENOENT when the statement found no row to change. */
static int change(sqlite *s, sqlite3_stmt *st)
{
        int rc = db_run(&s->w, st);

        return rc < 0 ? rc : sqlite3_changes(s->w.c) ? 0 : ODM_ENOENT;
}

static int device_contact(void *e, const store_device_patch *p)
{
        sqlite *s = e;

        return change(s,
                      db_bind(&s->w,
                              "UPDATE device SET address = CASE WHEN ?1 THEN ?2 ELSE address END,"
                              " route = CASE WHEN ?3 THEN ?4 ELSE route END,"
                              " last_contact = CASE WHEN ?5 THEN ?6 ELSE last_contact END,"
                              " updated = ?7 WHERE id = ?8",
                              "isisiiii", (int64_t)(p->fields & STORE_DF_ADDRESS), p->to.address,
                              (int64_t)(p->fields & STORE_DF_ROUTE), p->to.route,
                              (int64_t)(p->fields & STORE_DF_LAST_CONTACT), p->to.last_contact,
                              p->to.updated, p->to.id));
}

/* One row of a group, of a statement with rows of a state and how many have it. */
static int uncount_rows(sqlite *s, sqlite3_stmt *st, uint64_t *counts, int64_t n)
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
        int rc = uncount_rows(
                s,
                db_bind(&s->w, "SELECT state, count(*) FROM job WHERE device = ? GROUP BY state",
                        "i", d->id),
                s->count.jobs, STORE_JOB_STATES);

        if (rc == 0)
                rc = uncount_rows(s,
                                  db_bind(&s->w, "SELECT 0, count(*) FROM session WHERE device = ?",
                                          "i", d->id),
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

/* One more than asked was looked for, to know whether there is more. */
static bool cut_list(record_list *l, uint32_t limit)
{
        bool more = l->n > limit;

        if (more)
                l->n = limit;
        return more;
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
        more = cut_list(&l, limit);
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
        return put_record(e, PUT_ROW("account", ACCOUNT_FIELDS), &record_account, x);
}

static int nonces_put(void *e, const store_nonces *n)
{
        sqlite *s = e;

        return change(s, db_bind(&s->w,
                                 "UPDATE account SET nonce = ifnull(?1, nonce),"
                                 " previous = ifnull(?2, previous),"
                                 " server_nonce = ifnull(?3, server_nonce) WHERE device = ?4",
                                 "bbbi", n->nonce, n->previous, n->server_nonce, n->device));
}

static int lockout_put(void *e, const store_lockout *l)
{
        sqlite *s = e;

        return change(s,
                      db_bind(&s->w,
                              "UPDATE account SET failures = ?, locked_until = ? WHERE device = ?",
                              "iii", (int64_t)l->failures, l->locked_until, l->device));
}

/* ---- jobs ---------------------------------------------------------------------------------- */

static int64_t is_open(store_job_state s)
{
        return (STORE_JOB_OPEN & STORE_JOB_BIT(s)) != 0;
}

#define JOB_SELECT "SELECT " COLS(JOB_FIELDS) " FROM job"
#define JOB_LIST \
        "SELECT " COLS(JOB_HEAD_FIELDS) ", CASE WHEN ?1 THEN NULL ELSE commands END FROM job"
/* ?1 no commands, ?2 states, ?3 limit, ?4 correlator, ?5 deadline, ?6 before, ?7 device */
#define JOB_FILTER                                                           \
        " (?2 >> state) & 1 AND (?4 IS NULL OR ifnull(correlator, '') = ?4)" \
        " AND (?5 = 0 OR (deadline > 0 AND deadline <= ?5)) AND (?6 = 0 OR id < ?6)"

static int job_get(void *h, int64_t device, int64_t id, odm_arena *a, store_job *out)
{
        sqlite3_stmt *st =
                device ? db_bind(h, JOB_SELECT " WHERE device = ? AND id = ?", "ii", device, id)
                       : db_bind(h, JOB_SELECT " WHERE id = ?", "i", id);

        return db_one(h, st, &record_job, a, out);
}

/* Each shape of question has the statement whose index answers it. */
static const char *job_question(const store_job_filter *f)
{
        bool open = !(f->states & ~STORE_JOB_OPEN);

        if (f->in_order)
                return open ? JOB_LIST " WHERE device = ?7 AND open = 1 AND" JOB_FILTER
                                       " ORDER BY priority DESC, id LIMIT ?3"
                            : JOB_LIST " WHERE device = ?7 AND" JOB_FILTER
                                       " ORDER BY priority DESC, id LIMIT ?3";
        if (f->device)
                return open ? JOB_LIST " INDEXED BY job_open WHERE device = ?7 AND open = 1"
                                       " AND" JOB_FILTER " ORDER BY id DESC LIMIT ?3"
                            : JOB_LIST " WHERE device = ?7 AND" JOB_FILTER
                                       " ORDER BY id DESC LIMIT ?3";
        if (f->deadline_before && open)
                return JOB_LIST
                        " INDEXED BY job_deadline WHERE ?7 = 0 AND open = 1 AND deadline > 0"
                        " AND deadline <= ?5 AND" JOB_FILTER " ORDER BY deadline LIMIT ?3";
        return JOB_LIST " INDEXED BY job_id WHERE ?7 = 0 AND id < ?8 AND" JOB_FILTER
                        " ORDER BY id DESC LIMIT ?3";
}

static int read_jobs(db *x, const char *sql, const store_job_filter *f, record_list *l)
{
        sqlite3_stmt *st = db_bind(x, sql, "iiisiii", (int64_t)f->no_commands, (int64_t)f->states,
                                   (int64_t)f->limit + 1, f->correlator, f->deadline_before,
                                   f->before, f->device);
        int rc = 0;

        if (st && sqlite3_bind_parameter_count(st) > 7)
                rc = db_bind_more(x, st, 8, "i", f->before ? f->before : INT64_MAX);
        if (rc == 0 && st && sqlite3_bind_parameter_count(st) > 8)
                rc = db_bind_more(x, st, 9, "i", (int64_t)__builtin_ctz(f->states));
        return rc < 0 ? rc : db_all(x, st, l);
}

static int by_newest_job(const void *x, const void *y)
{
        const store_job *a = x, *b = y;

        return a->id > b->id ? -1 : a->id < b->id;
}

/* Jobs of all devices in some states: the newest of each state, and of these the newest.  One index
 * has them in that order for one state only. */
static int read_jobs_by_state(db *x, const store_job_filter *f, record_list *l)
{
        int rc = 0;

        for (uint32_t i = 0; rc == 0 && i < STORE_JOB_STATES; i++) {
                store_job_filter one = *f;
                one.states = f->states & STORE_JOB_BIT(i);
                if (one.states)
                        rc = read_jobs(x,
                                       JOB_LIST " INDEXED BY job_state WHERE ?7 = 0"
                                                " AND state = ?9 AND id < ?8 AND" JOB_FILTER
                                                " ORDER BY id DESC LIMIT ?3",
                                       &one, l);
        }
        if (rc == 0 && l->n)
                qsort(l->v, l->n, sizeof(store_job), by_newest_job);
        return rc;
}

static int job_find(void *h, const store_job_filter *f, odm_arena *a, store_job_list *out)
{
        record_list l = {.r = &record_job, .a = a};
        bool all = f->states == STORE_JOB_BIT(STORE_JOB_STATES) - 1;
        bool due = f->deadline_before && !(f->states & ~STORE_JOB_OPEN);
        bool more;
        int rc = f->device || all || due ? read_jobs(h, job_question(f), f, &l)
                                         : read_jobs_by_state(h, f, &l);

        if (rc < 0)
                return rc;
        more = cut_list(&l, f->limit);
        *out = (store_job_list){(store_job *)(void *)l.v, l.n, more};
        return 0;
}

static int job_create(void *e, const store_job *j)
{
        sqlite *s = e;
        sqlite3_stmt *st = db_statement(
                &s->w,
                "INSERT INTO job(" COLS(JOB_FIELDS) ", open) VALUES(" PARAMS(JOB_FIELDS) ",?)");
        int rc = db_bind_record(&s->w, st, &record_job, record_job.n, j);

        if (rc == 0)
                rc = db_bind_more(&s->w, st, (int)record_job.n + 1, "i", is_open(j->state));
        if (rc == 0)
                rc = db_run(&s->w, st);
        if (rc == 0)
                s->count.jobs[j->state]++;
        return rc;
}

static int job_now_of(void *e, int64_t device, int64_t job, job_now *out)
{
        db *x = e;
        sqlite3_stmt *st = db_bind(x,
                                   "SELECT state, attempts, session, started, finished FROM job"
                                   " WHERE device = ? AND id = ?",
                                   "ii", device, job);
        int rc = st ? db_step(x, st) : db_error(x, x->rc);

        if (rc != 1)
                return rc < 0 ? rc : ODM_ENOENT;
        *out = (job_now){(store_job_state)sqlite3_column_int64(st, 0),
                         (uint32_t)sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2),
                         sqlite3_column_int64(st, 3), sqlite3_column_int64(st, 4)};
        db_reset(st);
        return 0;
}

#define JOB_MOVE                                                                \
        "UPDATE job SET state = ?1, attempts = ?2, session = ?3, started = ?4," \
        " finished = ?5, updated = ?6,"                                         \
        " reason = CASE WHEN ?7 IS NULL THEN reason ELSE nullif(?7, '') END,"   \
        " correlator = ifnull(?8, correlator), route = ifnull(?9, route)"
#define JOB_THAT " WHERE device = ?10 AND id = ?11"

/* An open job stays where it is in the indexes of open ones. */
static int job_move(void *e, const store_job_move *m, const job_now *now)
{
        sqlite *s = e;
        const char *sql = !is_open(now->state)        ? JOB_MOVE ", open = 0" JOB_THAT
                          : m->from & ~STORE_JOB_OPEN ? JOB_MOVE ", open = 1" JOB_THAT
                                                      : JOB_MOVE JOB_THAT;

        int rc =
                change(s, db_bind(&s->w, sql, "iiiiiisssii", (int64_t)now->state,
                                  (int64_t)now->attempts, now->session, now->started, now->finished,
                                  m->at, m->reason, m->correlator, m->route, m->device, m->job));

        if (rc == 0) {
                s->count.jobs[now->was]--;
                s->count.jobs[now->state]++;
        }
        return rc;
}

static int job_open_count(void *e, int64_t device, uint64_t *out)
{
        int64_t n;
        int rc = db_number(
                e,
                db_bind(e, "SELECT count(*) FROM job WHERE device = ? AND open = 1", "i", device),
                &n);

        if (rc == 0)
                *out = (uint64_t)n;
        return rc;
}

static int job_drop(sqlite *s, int64_t device, int64_t id)
{
        static const char *const drop[] = {"DELETE FROM result WHERE device = ? AND job = ?",
                                           "DELETE FROM note WHERE device = ? AND job = ?",
                                           "DELETE FROM job WHERE device = ? AND id = ?"};
        int rc = uncount_rows(s,
                              db_bind(&s->w, "SELECT state, 1 FROM job WHERE device = ? AND id = ?",
                                      "ii", device, id),
                              s->count.jobs, STORE_JOB_STATES);

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(drop); i++)
                rc = db_run(&s->w, db_bind(&s->w, drop[i], "ii", device, id));
        return rc;
}

static int job_trim(void *e, int64_t device, int64_t ended, uint32_t keep)
{
        sqlite *s = e;
        int64_t id;
        int rc;

        do {
                rc = db_number(&s->w,
                               db_bind(&s->w,
                                       "SELECT id FROM job WHERE device = ? AND open = 0"
                                       " ORDER BY id DESC LIMIT 1 OFFSET ?",
                                       "ii", device, (int64_t)keep),
                               &id);
                if (rc == 0)
                        rc = db_number(
                                &s->w,
                                db_bind(&s->w,
                                        "SELECT id FROM (SELECT id, finished FROM job"
                                        " WHERE device = ? AND open = 0 AND id <> ?"
                                        " ORDER BY id LIMIT ?) ORDER BY finished, id LIMIT 1",
                                        "iii", device, ended, (int64_t)JOBS_LOOKED_AT),
                                &id);
                if (rc == 0)
                        rc = job_drop(s, device, id);
        } while (rc == 0);
        return rc == ODM_ENOENT ? 0 : rc;
}

static int result_put(void *e, int64_t device, int64_t job, const store_result *r, odm_str items)
{
        sqlite *s = e;
        sqlite3_stmt *st = db_statement(
                &s->w,
                "REPLACE INTO result(" COLS(RESULT_FIELDS) ", device, job, items) VALUES(" PARAMS(
                        RESULT_FIELDS) ",?,?,?)");
        int rc = db_bind_record(&s->w, st, &record_result, record_result.n, r);

        if (rc == 0)
                rc = db_bind_more(&s->w, st, (int)record_result.n + 1, "iib", device, job, items);
        return rc < 0 ? rc : db_run(&s->w, st);
}

static int read_result(sqlite3_stmt *st, odm_arena *a, record_list *l)
{
        void *slot;
        odm_str items;
        int rc = record_list_room(l, &slot);

        if (rc == 0)
                rc = db_read_record(st, 0, &record_result, a, slot);
        if (rc == 0)
                rc = db_read_str(st, (int)record_result.n, a, &items);
        if (rc == 0) {
                store_result *r = slot;
                rc = unpack_values(items, a, &r->items, &r->n_items);
        }
        if (rc == 0)
                l->n++;
        return rc;
}

static int results(void *h, int64_t device, int64_t job, odm_arena *a, store_result_list *out)
{
        record_list l = {.r = &record_result, .a = a};
        db *x = h;
        sqlite3_stmt *st = db_bind(
                x,
                "SELECT " COLS(RESULT_FIELDS) ", items FROM result"
                                              " WHERE device = ? AND job = ? ORDER BY \"index\"",
                "ii", device, job);
        int rc;

        if (st == NULL)
                return db_error(x, x->rc);
        while ((rc = db_step(x, st)) == 1) {
                rc = read_result(st, a, &l);
                if (rc < 0) {
                        db_reset(st);
                        break;
                }
        }
        if (rc == 0)
                *out = (store_result_list){(store_result *)(void *)l.v, l.n};
        return rc;
}

static int note_add(void *e, int64_t device, int64_t job, const store_note *n, uint32_t keep)
{
        sqlite *s = e;
        int64_t last;
        int rc = db_number(
                &s->w,
                db_bind(&s->w, "SELECT ifnull(max(n), 0) FROM note WHERE device = ? AND job = ?",
                        "ii", device, job),
                &last);

        if (rc == 0)
                rc = db_run(&s->w,
                            db_bind(&s->w, "INSERT INTO note VALUES(?,?,?,?,?,?)", "iiiiis", device,
                                    job, last + 1, n->at, (int64_t)n->state, n->text));
        if (rc == 0 && last + 1 > (int64_t)keep)
                rc = db_run(&s->w,
                            db_bind(&s->w,
                                    "DELETE FROM note WHERE device = ? AND job = ? AND n <= ?",
                                    "iii", device, job, last + 1 - (int64_t)keep));
        return rc;
}

static int job_by_key(void *h, int64_t device, odm_str key, int64_t *out)
{
        return db_number(
                h, db_bind(h, "SELECT id FROM job WHERE device = ? AND key = ?", "is", device, key),
                out);
}

static int notes(void *h, int64_t device, int64_t job, odm_arena *a, store_note_list *out)
{
        record_list l = {.r = &record_note, .a = a};
        int rc = db_all(
                h,
                db_bind(h,
                        "SELECT " COLS(NOTE_FIELDS) " FROM note"
                                                    " WHERE device = ? AND job = ? ORDER BY n",
                        "ii", device, job),
                &l);

        if (rc == 0)
                *out = (store_note_list){(store_note *)(void *)l.v, l.n};
        return rc;
}

/* ---- the mirror ------------------------------------------------------------------------- */

static int one_str(db *x, sqlite3_stmt *st, odm_arena *a, odm_str *out)
{
        int rc;

        if (st == NULL)
                return db_error(x, x->rc);
        rc = db_step(x, st);
        if (rc == 0)
                return ODM_ENOENT;
        if (rc < 0)
                return rc;
        rc = db_read_str(st, 0, a, out);
        db_reset(st);
        return rc;
}

static int tree_get(void *h, int64_t device, odm_arena *a, odm_str *out)
{
        return one_str(h, db_bind(h, "SELECT nodes FROM tree WHERE device = ?", "i", device), a,
                       out);
}

static int tree_put(void *e, int64_t device, int64_t at, odm_str blob)
{
        return db_run(e, db_bind(e, "REPLACE INTO tree VALUES(?,?,?)", "iib", device, at, blob));
}

/* ---- sessions --------------------------------------------------------------------------- */

#define SESSION_SELECT "SELECT " COLS(SESSION_FIELDS) " FROM session"

static int session_get(void *h, int64_t device, int64_t id, odm_arena *a, store_session *out)
{
        return db_one(h,
                      db_bind(h, SESSION_SELECT " WHERE device = ? AND id = ?", "ii", device, id),
                      &record_session, a, out);
}

static int session_put(void *e, const store_session *x, odm_str log, bool fresh)
{
        sqlite *s = e;
        sqlite3_stmt *st = db_statement(
                &s->w, "INSERT INTO session(" COLS(SESSION_FIELDS) ", log) VALUES(" PARAMS(
                               SESSION_FIELDS) ",?) ON CONFLICT(device, id) DO UPDATE "
                                               "SET " SESSION_STATE_FIELDS(
                                                       FIRST_SET, MORE_SET) ", log = "
                                                                            "excluded.log");
        int rc = db_bind_record(&s->w, st, &record_session, record_session.n, x);

        if (rc == 0)
                rc = db_bind_more(&s->w, st, (int)record_session.n + 1, "b", log);
        if (rc == 0)
                rc = db_run(&s->w, st);
        if (rc == 0)
                s->count.sessions += fresh;
        return rc;
}

static int session_save(void *e, int64_t device, int64_t session, odm_str sid, odm_str saved)
{
        return db_run(e, saved.p ? db_bind(e,
                                           "REPLACE INTO saved(device, session, sid, state)"
                                           " VALUES(?,?,?,?)",
                                           "iisb", device, session, sid, saved)
                                 : db_bind(e, "DELETE FROM saved WHERE device = ? AND session = ?",
                                           "ii", device, session));
}

static int session_trim(void *e, int64_t device, uint32_t keep)
{
        static const char *const drop[] = {"DELETE FROM session WHERE device = ? AND id <= ?",
                                           "DELETE FROM saved WHERE device = ? AND session <= ?",
                                           "DELETE FROM message WHERE device = ? AND session <= ?"};
        sqlite *s = e;
        int64_t id;
        int rc = db_number(&s->w,
                           db_bind(&s->w,
                                   "SELECT id FROM session WHERE device = ?"
                                   " ORDER BY id DESC LIMIT 1 OFFSET ?",
                                   "ii", device, (int64_t)keep),
                           &id);

        if (rc == ODM_ENOENT)
                return 0;
        for (size_t i = 0; rc == 0 && i < ODM_COUNT(drop) - !s->old_messages; i++) {
                rc = db_run(&s->w, db_bind(&s->w, drop[i], "ii", device, id));
                if (rc == 0 && i == 0)
                        s->count.sessions -= (uint64_t)sqlite3_changes(s->w.c);
        }
        return rc;
}

static int session_find(void *h, int64_t device, int64_t before, uint32_t limit, odm_arena *a,
                        store_session_list *out)
{
        record_list l = {.r = &record_session, .a = a};
        int64_t below = before ? before : INT64_MAX, most = (int64_t)limit + 1;
        bool more;
        int rc = db_all(
                h,
                db_bind(h, SESSION_SELECT " WHERE device = ? AND id < ? ORDER BY id DESC LIMIT ?",
                        "iii", device, below, most),
                &l);

        if (rc < 0)
                return rc;
        more = cut_list(&l, limit);
        *out = (store_session_list){(store_session *)(void *)l.v, l.n, more};
        return 0;
}

/* What an older version kept, as if it had been kept by this one. */
static int old_log(db *x, int64_t device, int64_t session, odm_arena *a, odm_str *out)
{
        record_list l = {.r = &record_message, .a = a};
        int rc = db_all(x,
                        db_bind(x,
                                "SELECT " COLS(MESSAGE_FIELDS) " FROM message"
                                                               " WHERE device = ? AND session = ?"
                                                               " ORDER BY n",
                                "ii", device, session),
                        &l);

        return rc < 0 || l.n == 0 ? rc
                                  : pack_messages(ODM_ABSENT, (store_message *)(void *)l.v, l.n,
                                                  SIZE_MAX, a, out);
}

static int session_log(void *h, int64_t device, int64_t session, odm_arena *a, odm_str *out)
{
        sqlite *s = ((db *)h)->owner;
        odm_str log;
        int rc = one_str(h,
                         db_bind(h, "SELECT log FROM session WHERE device = ? AND id = ?", "ii",
                                 device, session),
                         a, &log);

        if (rc == 0 && log.p == NULL && s->old_messages)
                rc = old_log(h, device, session, a, &log);
        if (rc == 0)
                *out = log;
        return rc;
}

static int saved_get(void *h, odm_str sid, odm_arena *a, store_session *out, odm_str *saved)
{
        db *x = h;
        sqlite3_stmt *st =
                db_bind(x, "SELECT device, session, state FROM saved WHERE sid = ?", "s", sid);
        int rc = st ? db_step(x, st) : db_error(x, x->rc);
        int64_t device, id;
        odm_str state;

        if (rc != 1)
                return rc < 0 ? rc : ODM_ENOENT;
        device = sqlite3_column_int64(st, 0);
        id = sqlite3_column_int64(st, 1);
        rc = db_read_str(st, 2, a, &state);
        db_reset(st);
        if (rc == 0)
                rc = session_get(h, device, id, a, out);
        if (rc == 0)
                *saved = state;
        return rc;
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
        return put_record(e, PUT_ROW("token", TOKEN_FIELDS), &record_token, t);
}

static int token_delete(void *e, odm_str name)
{
        sqlite *s = e;

        return change(s, db_bind(&s->w, "DELETE FROM token WHERE name = ?", "s", name));
}

static int setting_get(void *h, odm_str key, odm_arena *a, odm_str *out)
{
        return one_str(h, db_bind(h, "SELECT value FROM setting WHERE key = ?", "s", key), a, out);
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
        more = cut_list(&l, limit);
        *out = (store_event_list){(store_event *)(void *)l.v, l.n, more};
        return 0;
}

static int event_last(void *h, int64_t *out)
{
        return db_number(h, db_bind(h, "SELECT COALESCE(MAX(seq), 0) FROM event", ""), out);
}

static int event_add(void *e, const store_event *v)
{
        return put_record(e, PUT_ROW("event", EVENT_FIELDS), &record_event, v);
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
        more = cut_list(&l, limit);
        *out = (store_audit_list){(store_audit *)(void *)l.v, l.n, more};
        return 0;
}

static int audit_add(void *e, const store_audit *v)
{
        return put_record(e, PUT_ROW("audit", AUDIT_FIELDS), &record_audit, v);
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
        .read = {device_known,  device_get, name_owner,   devid_owner, device_find, wake_due,
                 account_get,   job_get,    job_find,     results,     job_by_key,  notes,
                 tree_get,      path_text,  session_find, session_get, session_log, saved_get,
                 token_by_hash, token_find, setting_get,  event_find,  event_last,  audit_find,
                 count,         row_get,    row_find,     row_count},
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
        .job_create = job_create,
        .job_now = job_now_of,
        .job_move = job_move,
        .job_open_count = job_open_count,
        .job_trim = job_trim,
        .result_put = result_put,
        .note_add = note_add,
        .tree_put = tree_put,
        .path_id = path_id,
        .session_number = session_number,
        .session_put = session_put,
        .session_save = session_save,
        .session_trim = session_trim,
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
