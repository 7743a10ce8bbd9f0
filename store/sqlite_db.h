/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_db.h - one SQLite connection: its prepared statements, binding and reading by record, and
 * the migrations of a file. */
#ifndef STORE_SQLITE_DB_H
#define STORE_SQLITE_DB_H

#include <sqlite3.h>

#include "table.h"

#define DB_STATEMENTS 256 /* texts of the code, of which there are about 100 */
#define DB_SHAPES                                                                             \
        256       /* statements made for tables (sqlite_row.c); beyond, the longest unused go \
                   */
#define DB_WAYS 8 /* places one of them may be in */

/* What a statement made for a table depends on; of what, and as its maker counts. */
typedef struct db_shape {
        const void *of;
        uint64_t kind, a, b, c;
} db_shape;

typedef struct db {
        sqlite3 *c;
        void *owner; /* the engine this is a connection of */
        /* by the address of the SQL text, which is a constant */
        struct {
                const char *sql;
                sqlite3_stmt *st;
        } cache[DB_STATEMENTS];
        struct {
                db_shape shape;
                sqlite3_stmt *st;
                uint64_t used;
        } shaped[DB_SHAPES];
        uint64_t clock; /* of `used` */
        int rc;         /* the last code of SQLite that was no success */
        store_owner of; /* for whom it is opened, before db_migrate() */
        bool serving;   /* opened and found good: what fails from now on is ODM_EIO */
        char diag[STORE_DIAG];
} db;

/* ODM_EACCESS, ODM_EMALFORMED, ODM_EIO, ODM_ENOMEM; the sentence is in x->diag. */
ODM_MUST_USE int db_open(db *x, const char *file, bool read_only);
void db_close(db *x);
ODM_MUST_USE int db_exec(db *x, const char *sql); /* statements without results */
/* The meaning of a code of SQLite; remembers it and the sentence in x.  Once the file serves, all
 * but ODM_ENOMEM is ODM_EIO: a caller's request has nothing to do with it. */
int db_error(db *x, int code);

/* Brings the file to version n by scripts[user_version .. n-1], each in a transaction of its own.
 * An empty one becomes that of x->of.  ODM_EUNSUPPORTED: written by a newer version, or another's.
 */
ODM_MUST_USE int db_migrate(db *x, const char *const *scripts, unsigned n);

/* A statement ready to be bound; NULL when it cannot be had (x->rc).  `sql` must be a constant. */
sqlite3_stmt *db_statement(db *x, const char *sql);

/* The statement of a shape, whose text `text` writes when it is not at hand (x->rc). */
sqlite3_stmt *db_shaped(db *x, const db_shape *shape,
                        int (*text)(const db_shape *shape, odm_buf *out));

/* Binds ?1, ?2 ... by the letters of `fmt`: i int64_t, s text (odm_str), b octets (odm_str).
 * Returns the statement, or NULL. */
sqlite3_stmt *db_bind(db *x, const char *sql, const char *fmt, ...);
/* More of them, from ?first on, after another of these. */
ODM_MUST_USE int db_bind_more(db *x, sqlite3_stmt *st, int first, const char *fmt, ...);
/* One field of a record as ?i; `never_absent`: an absent text as an empty one. */
ODM_MUST_USE int db_bind_field(db *x, sqlite3_stmt *st, int i, const field *f, const void *rec,
                               bool never_absent);
/* The first `n` fields of a record as ?1 to ?n. */
ODM_MUST_USE int db_bind_record(db *x, sqlite3_stmt *st, const record *r, size_t n,
                                const void *rec);

/* Runs a statement that gives nothing, and resets it. */
ODM_MUST_USE int db_run(db *x, sqlite3_stmt *st);
/* The same; ODM_EEXIST when a row is there already that excludes what it would have written. */
ODM_MUST_USE int db_run_unique(db *x, sqlite3_stmt *st);
/* The same; ODM_ENOENT when it found no row to change. */
ODM_MUST_USE int db_change(db *x, sqlite3_stmt *st);
/* Runs a statement with the fields of a record as ?1 to ?n. */
ODM_MUST_USE int db_put(db *x, const char *sql, const record *r, const void *rec);
/* 1: a row is there, 0: no more (and the statement is reset), or an error (reset). */
ODM_MUST_USE int db_step(db *x, sqlite3_stmt *st);
/* 0: the first row is there, else ODM_ENOENT or an error (and the statement is reset).  The
 * statement may be NULL. */
ODM_MUST_USE int db_first(db *x, sqlite3_stmt *st);
void db_reset(sqlite3_stmt *st); /* NULL is allowed */

/* Reads columns from `col` on into a record; texts into the arena. */
ODM_MUST_USE int db_read_record(sqlite3_stmt *st, int col, const record *r, odm_arena *a,
                                void *rec);
ODM_MUST_USE int db_read_str(sqlite3_stmt *st, int col, odm_arena *a, odm_str *out);
/* One record, or all rows of a statement as a list; the statement may be NULL (an error). */
ODM_MUST_USE int db_one(db *x, sqlite3_stmt *st, const record *r, odm_arena *a, void *rec);
ODM_MUST_USE int db_all(db *x, sqlite3_stmt *st, record_list *l);
/* The first column of the first row; ODM_ENOENT without one.  The statement may be NULL. */
ODM_MUST_USE int db_str(db *x, sqlite3_stmt *st, odm_arena *a, odm_str *out);
ODM_MUST_USE int db_number(db *x, sqlite3_stmt *st, int64_t *out);

#endif
