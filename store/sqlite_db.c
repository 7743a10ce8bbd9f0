/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of SQLite's interface that the engine needs, with one place for its errors. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "sqlite_db.h"

#define BUSY_MS 10000
#define SLOT_BYTES 1024  /* small pieces of memory a connection has at hand: statements that are */
#define SLOTS_WRITER 600 /* kept hold many of them */
#define SLOTS_READER 300
#define SHAPE_TEXT ((size_t)64 << 10)
#define OF_SERVER 0x7872656d  /* "xrem"; once of gateways, too */
#define OF_GATEWAY 0x78726d67 /* "xrmg" */

int db_error(db *x, int code)
{
        x->rc = code;
        snprintf(x->diag, sizeof x->diag, "%s (%d)",
                 x->c ? sqlite3_errmsg(x->c) : sqlite3_errstr(code),
                 x->c ? sqlite3_extended_errcode(x->c) : code);
        if (x->serving)
                return (code & 0xff) == SQLITE_NOMEM ? ODM_ENOMEM : ODM_EIO;
        switch (code & 0xff) {
        case SQLITE_NOMEM: return ODM_ENOMEM;
        case SQLITE_PERM:
        case SQLITE_READONLY:
        case SQLITE_AUTH:
        case SQLITE_CANTOPEN: return ODM_EACCESS;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return ODM_EMALFORMED;
        default: return ODM_EIO;
        }
}

int db_exec(db *x, const char *sql)
{
        int code = sqlite3_exec(x->c, sql, NULL, NULL, NULL);

        return code == SQLITE_OK ? 0 : db_error(x, code);
}

int db_open(db *x, const char *file, bool read_only)
{
        int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
        int code, rc;

        *x = (db){.c = NULL};
        code = sqlite3_open_v2(file, &x->c, flags | SQLITE_OPEN_NOMUTEX, NULL);
        if (code != SQLITE_OK) {
                rc = db_error(x, code);
                goto out;
        }
        (void)sqlite3_db_config(x->c, SQLITE_DBCONFIG_LOOKASIDE, NULL, SLOT_BYTES,
                                read_only ? SLOTS_READER : SLOTS_WRITER);
        sqlite3_busy_timeout(x->c, BUSY_MS);
        sqlite3_extended_result_codes(x->c, 1);
        rc = read_only ? db_exec(x, "PRAGMA query_only=1")
                       : db_exec(x, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                    "PRAGMA temp_store=MEMORY;"
                                    "PRAGMA wal_autocheckpoint=4000"); /* 16 MB of log */
out:
        if (rc < 0) {
                sqlite3_close(x->c);
                x->c = NULL;
        }
        return rc;
}

void db_close(db *x)
{
        for (size_t i = 0; i < DB_STATEMENTS; i++)
                sqlite3_finalize(x->cache[i].st);
        for (size_t i = 0; i < DB_SHAPES; i++)
                sqlite3_finalize(x->shaped[i].st);
        sqlite3_close(x->c);
        x->c = NULL;
}

/* ---- statements ---------------------------------------------------------------- */

sqlite3_stmt *db_statement(db *x, const char *sql)
{
        size_t i = (size_t)((uintptr_t)sql >> 3) % DB_STATEMENTS, tried = 0;
        int code;

        while (x->cache[i].sql && x->cache[i].sql != sql) {
                i = (i + 1) % DB_STATEMENTS;
                tried++;
                assert(tried < DB_STATEMENTS); /* more texts in the code than room for them */
        }
        if (x->cache[i].sql)
                return x->cache[i].st;
        code = sqlite3_prepare_v3(x->c, sql, -1, SQLITE_PREPARE_PERSISTENT, &x->cache[i].st, NULL);
        if (code != SQLITE_OK) {
                db_error(x, code);
                return NULL;
        }
        x->cache[i].sql = sql;
        return x->cache[i].st;
}

/* FNV-1a over its words. */
static size_t place_of(const db_shape *s)
{
        const uint64_t words[] = {(uintptr_t)s->of, s->kind, s->a, s->b, s->c};
        uint64_t h = 14695981039346656037u;

        for (size_t i = 0; i < ODM_COUNT(words); i++)
                h = (h ^ words[i] ^ words[i] >> 32) * 1099511628211u;
        return (size_t)(h >> 20) % (DB_SHAPES / DB_WAYS) * DB_WAYS;
}

static bool same_shape(const db_shape *x, const db_shape *y)
{
        return x->of == y->of && x->kind == y->kind && x->a == y->a && x->b == y->b && x->c == y->c;
}

static sqlite3_stmt *prepare_shape(db *x, const db_shape *shape,
                                   int (*text)(const db_shape *shape, odm_buf *out))
{
        sqlite3_stmt *st = NULL;
        odm_buf sql;
        int code;

        odm_buf_init(&sql, &store_heap, SHAPE_TEXT);
        if (text(shape, &sql) < 0) {
                db_error(x, SQLITE_NOMEM);
        } else {
                code = sqlite3_prepare_v3(x->c, sql.p, (int)sql.n, SQLITE_PREPARE_PERSISTENT, &st,
                                          NULL);
                if (code != SQLITE_OK)
                        db_error(x, code);
        }
        odm_buf_done(&sql);
        return st;
}

sqlite3_stmt *db_shaped(db *x, const db_shape *shape,
                        int (*text)(const db_shape *shape, odm_buf *out))
{
        size_t first = place_of(shape), at = first;
        sqlite3_stmt *st;

        for (size_t i = first; i < first + DB_WAYS; i++) {
                if (x->shaped[i].st && same_shape(&x->shaped[i].shape, shape)) {
                        x->shaped[i].used = ++x->clock;
                        return x->shaped[i].st;
                }
                if (x->shaped[i].used < x->shaped[at].used)
                        at = i;
        }
        st = prepare_shape(x, shape, text);
        if (st == NULL)
                return NULL;
        sqlite3_finalize(x->shaped[at].st);
        x->shaped[at].shape = *shape;
        x->shaped[at].st = st;
        x->shaped[at].used = ++x->clock;
        return st;
}

static int bind_str(sqlite3_stmt *st, int i, bool octets, odm_str s)
{
        if (s.p == NULL)
                return sqlite3_bind_null(st, i);
        if (octets)
                return sqlite3_bind_blob64(st, i, s.n ? s.p : "", s.n, SQLITE_STATIC);
        return sqlite3_bind_text64(st, i, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_list(db *x, sqlite3_stmt *st, int first, const char *fmt, va_list ap)
{
        int code = SQLITE_OK;

        for (int i = 0; code == SQLITE_OK && fmt[i]; i++) {
                if (fmt[i] == 'i')
                        code = sqlite3_bind_int64(st, first + i, va_arg(ap, int64_t));
                else
                        code = bind_str(st, first + i, fmt[i] == 'b', va_arg(ap, odm_str));
        }
        if (code == SQLITE_OK)
                return 0;
        db_reset(st);
        return db_error(x, code);
}

sqlite3_stmt *db_bind(db *x, const char *sql, const char *fmt, ...)
{
        sqlite3_stmt *st = db_statement(x, sql);
        va_list ap;
        int rc = 0;

        va_start(ap, fmt);
        if (st)
                rc = bind_list(x, st, 1, fmt, ap);
        va_end(ap);
        return rc < 0 ? NULL : st;
}

int db_bind_more(db *x, sqlite3_stmt *st, int first, const char *fmt, ...)
{
        va_list ap;
        int rc;

        va_start(ap, fmt);
        rc = bind_list(x, st, first, fmt, ap);
        va_end(ap);
        return rc;
}

int db_bind_field(db *x, sqlite3_stmt *st, int i, const field *f, const void *rec,
                  bool never_absent)
{
        int code;

        if (field_is_text(f))
                code = bind_str(st, i, f->kind == FIELD_BLOB,
                                field_kept_text(f, rec, never_absent));
        else if (f->kind == FIELD_F64)
                code = sqlite3_bind_double(st, i, field_real(f, rec));
        else
                code = sqlite3_bind_int64(st, i, field_number(f, rec));
        if (code == SQLITE_OK)
                return 0;
        db_reset(st);
        return db_error(x, code);
}

int db_bind_record(db *x, sqlite3_stmt *st, const record *r, size_t n, const void *rec)
{
        assert(n <= r->n);
        if (st == NULL)
                return db_error(x, x->rc);
        for (size_t i = 0; i < n; i++) {
                int rc = db_bind_field(x, st, (int)i + 1, &r->fields[i], rec, false);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

void db_reset(sqlite3_stmt *st)
{
        if (st == NULL)
                return;
        sqlite3_reset(st);
        sqlite3_clear_bindings(st);
}

int db_step(db *x, sqlite3_stmt *st)
{
        int code = sqlite3_step(st), rc = 0;

        if (code == SQLITE_ROW)
                return 1;
        if (code != SQLITE_DONE)
                rc = db_error(x, code);
        db_reset(st);
        return rc;
}

int db_run(db *x, sqlite3_stmt *st)
{
        int rc;

        if (st == NULL)
                return db_error(x, x->rc);
        rc = db_step(x, st);
        if (rc == 1)
                db_reset(st);
        return rc < 0 ? rc : 0;
}

int db_run_unique(db *x, sqlite3_stmt *st)
{
        int code;

        if (st == NULL)
                return db_error(x, x->rc);
        code = sqlite3_step(st);
        if (code == SQLITE_DONE || (code & 0xff) == SQLITE_CONSTRAINT) {
                db_reset(st);
                return code == SQLITE_DONE ? 0 : ODM_EEXIST;
        }
        code = db_error(x, code);
        db_reset(st);
        return code;
}

int db_change(db *x, sqlite3_stmt *st)
{
        int rc = db_run(x, st);

        return rc < 0 ? rc : sqlite3_changes(x->c) ? 0 : ODM_ENOENT;
}

int db_put(db *x, const char *sql, const record *r, const void *rec)
{
        sqlite3_stmt *st = db_statement(x, sql);
        int rc = db_bind_record(x, st, r, r->n, rec);

        return rc < 0 ? rc : db_run(x, st);
}

int db_first(db *x, sqlite3_stmt *st)
{
        int rc = st ? db_step(x, st) : db_error(x, x->rc);

        return rc < 0 ? rc : rc == 1 ? 0 : ODM_ENOENT;
}

/* ---- reading ------------------------------------------------------------------------ */

int db_read_str(sqlite3_stmt *st, int col, odm_arena *a, odm_str *out)
{
        odm_str s = ODM_ABSENT;

        if (sqlite3_column_type(st, col) != SQLITE_NULL) {
                const char *p = sqlite3_column_blob(st, col);
                size_t n = (size_t)sqlite3_column_bytes(st, col);
                s = odm_arena_copy(a, (odm_str){p ? p : "", n});
                if (s.p == NULL)
                        return odm_arena_err(a);
        }
        *out = s;
        return 0;
}

int db_read_record(sqlite3_stmt *st, int col, const record *r, odm_arena *a, void *rec)
{
        for (size_t i = 0; i < r->n; i++) {
                const field *f = &r->fields[i];
                char *p = (char *)rec + f->offset;

                if (field_is_text(f)) {
                        odm_str s;
                        int rc = db_read_str(st, col + (int)i, a, &s);
                        if (rc < 0)
                                return rc;
                        memcpy(p, &s, sizeof s);
                } else if (f->kind == FIELD_F64) {
                        memcpy(p, &(double){sqlite3_column_double(st, col + (int)i)},
                               sizeof(double));
                } else {
                        field_set_number(f, rec, sqlite3_column_int64(st, col + (int)i));
                }
        }
        return 0;
}

int db_one(db *x, sqlite3_stmt *st, const record *r, odm_arena *a, void *rec)
{
        _Alignas(max_align_t) char tmp[STORE_ROW_BYTES];
        int rc = db_first(x, st);

        assert(r->size <= sizeof tmp);
        if (rc < 0)
                return rc;
        memset(tmp, 0, r->size);
        rc = db_read_record(st, 0, r, a, tmp);
        if (rc == 0)
                memcpy(rec, tmp, r->size);
        db_reset(st);
        return rc;
}

int db_all(db *x, sqlite3_stmt *st, record_list *l)
{
        int rc;

        if (st == NULL)
                return db_error(x, x->rc);
        while ((rc = db_step(x, st)) == 1) {
                void *slot;
                rc = record_list_room(l, &slot);
                if (rc == 0)
                        rc = db_read_record(st, 0, l->r, l->a, slot);
                if (rc < 0) {
                        db_reset(st);
                        break;
                }
                l->n++;
        }
        return rc;
}

int db_str(db *x, sqlite3_stmt *st, odm_arena *a, odm_str *out)
{
        int rc = db_first(x, st);

        if (rc < 0)
                return rc;
        rc = db_read_str(st, 0, a, out);
        db_reset(st);
        return rc;
}

int db_number(db *x, sqlite3_stmt *st, int64_t *out)
{
        int rc = db_first(x, st);

        if (rc < 0)
                return rc;
        *out = sqlite3_column_int64(st, 0);
        db_reset(st);
        return 0;
}

/* ---- migrations ---------------------------------------------------------------------- */

static int pragma_number(db *x, const char *sql, int64_t *out)
{
        sqlite3_stmt *st = NULL;
        int code = sqlite3_prepare_v2(x->c, sql, -1, &st, NULL), rc = 0;

        if (code == SQLITE_OK)
                code = sqlite3_step(st);
        if (code == SQLITE_ROW)
                *out = sqlite3_column_int64(st, 0);
        else
                rc = db_error(x, code);
        sqlite3_finalize(st);
        return rc;
}

static int number_of(const db *x)
{
        return x->of == STORE_OF_GATEWAY ? OF_GATEWAY : OF_SERVER;
}

/* A file that has tables: whose it is.  That of a gateway from before those had a number of their
 * own has the gateway's devices, and gets it. */
static int check_owner(db *x, int64_t application)
{
        int64_t devices = 0;
        int rc = 0;
        char sql[48];

        if (application == OF_SERVER)
                rc = pragma_number(x, "SELECT count(*) FROM sqlite_master WHERE name='t_gw_device'",
                                   &devices);
        if (rc < 0)
                return rc;
        if (devices)
                application = OF_GATEWAY;
        if (application != number_of(x)) {
                snprintf(x->diag, sizeof x->diag, "it is the database of %s; name another file",
                         application == OF_GATEWAY  ? "a gateway, gremd"
                         : application == OF_SERVER ? "a server, nremd"
                                                    : "another program");
                return ODM_EUNSUPPORTED;
        }
        snprintf(sql, sizeof sql, "PRAGMA application_id=%d", OF_GATEWAY);
        return devices ? db_exec(x, sql) : 0;
}

static int step_version(db *x, const char *script, unsigned version)
{
        char sql[96];
        int rc = db_exec(x, "BEGIN IMMEDIATE");

        if (rc < 0)
                return rc;
        rc = db_exec(x, script);
        snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%u", number_of(x),
                 version);
        if (rc == 0)
                rc = db_exec(x, sql);
        if (rc == 0)
                rc = db_exec(x, "COMMIT");
        if (rc < 0) /* the sentence of the first failure is the one to keep */
                sqlite3_exec(x->c, "ROLLBACK", NULL, NULL, NULL);
        return rc;
}

int db_migrate(db *x, const char *const *scripts, unsigned n)
{
        int64_t version = 0, application = 0, tables = 0;
        int rc = pragma_number(x, "PRAGMA user_version", &version);

        if (rc == 0)
                rc = pragma_number(x, "PRAGMA application_id", &application);
        if (rc == 0)
                rc = pragma_number(x, "SELECT count(*) FROM sqlite_master", &tables);
        if (rc == 0 && tables)
                rc = check_owner(x, application);
        if (rc < 0)
                return rc;
        if (version < 0 || version > n) {
                snprintf(x->diag, sizeof x->diag,
                         "it was written by a newer version (%lld; this one knows %u); start that"
                         " one, or restore a backup of before",
                         (long long)version, n);
                return ODM_EUNSUPPORTED;
        }
        for (unsigned v = (unsigned)version; v < n; v++) {
                rc = step_version(x, scripts[v], v + 1);
                if (rc < 0)
                        return rc;
        }
        return 0;
}
