/* SPDX-License-Identifier: Apache-2.0 */
#include "keep.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "fsio.h"

#define APPLICATION 0x78736d31 /* "xsm1" */

struct keep {
        sqlite3 *db;
        sqlite3_stmt *put;
        int lock;
        diag why;
};

static int failed(keep *k)
{
        return diag_set(&k->why, ODM_EIO, "%s", sqlite3_errmsg(k->db));
}

static int run(keep *k, const char *sql)
{
        return sqlite3_exec(k->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(k);
}

static int number(keep *k, const char *sql, int64_t *out)
{
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(k->db, sql, -1, &st, NULL);

        if (rc == SQLITE_OK)
                rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
                *out = sqlite3_column_int64(st, 0);
        sqlite3_finalize(st);
        return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : failed(k);
}

static int set_up(keep *k)
{
        int64_t app = 0, tables = 0;
        int rc = number(k, "PRAGMA application_id", &app);

        if (rc == 0)
                rc = number(k, "SELECT count(*) FROM sqlite_schema", &tables);
        if (rc == 0 && app != APPLICATION && (app != 0 || tables != 0))
                return diag_set(&k->why, ODM_EMALFORMED, "is another program's file");
        if (rc == 0)
                rc = run(k, "PRAGMA application_id = 0x78736d31;"
                            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                            "CREATE TABLE IF NOT EXISTS device (grp TEXT, n INTEGER, record BLOB,"
                            " PRIMARY KEY (grp, n)) WITHOUT ROWID;"
                            "CREATE TABLE IF NOT EXISTS run (seed INTEGER)");
        if (rc == 0 &&
            sqlite3_prepare_v2(k->db, "INSERT OR REPLACE INTO device VALUES (?1, ?2, ?3)", -1,
                               &k->put, NULL) != SQLITE_OK)
                rc = failed(k);
        return rc;
}

int keep_open(const char *folder, keep **out, diag *d)
{
        keep *k = calloc(1, sizeof *k);
        char *lock = fsio_join(folder, "lock"), *file = fsio_join(folder, "devices.db");
        int rc = k && lock && file ? fsio_mkdir(folder, 0700, d) : ODM_ENOMEM;

        if (k)
                k->lock = -1;
        if (rc == 0)
                rc = fsio_lock(lock, &k->lock, d);
        if (rc == 0 && sqlite3_open(file, &k->db) != SQLITE_OK) {
                rc = failed(k);
                diag_set(d, rc, "%s: %s", file, k->why.text);
        } else if (rc == 0) {
                rc = set_up(k);
                if (rc < 0)
                        diag_set(d, rc, "%s: %s", file, k->why.text);
        }
        free(lock);
        free(file);
        if (rc < 0)
                keep_close(k);
        else
                *out = k;
        return rc;
}

void keep_close(keep *k)
{
        if (!k)
                return;
        sqlite3_finalize(k->put);
        sqlite3_close(k->db);
        if (k->lock >= 0)
                fsio_unlock(k->lock);
        free(k);
}

int keep_seed(keep *k, uint64_t *out)
{
        int64_t seed = 0;
        int rc = number(k, "SELECT seed FROM run", &seed);

        if (rc == 0)
                *out = (uint64_t)seed;
        return rc;
}

int keep_set_seed(keep *k, uint64_t seed)
{
        char sql[96];

        (void)snprintf(sql, sizeof sql, "DELETE FROM run; INSERT INTO run VALUES (%lld)",
                       (long long)seed);
        return run(k, sql);
}

int keep_each(keep *k, int (*fn)(void *ctx, const char *group, uint32_t number, odm_str record),
              void *ctx)
{
        sqlite3_stmt *st = NULL;
        int rc = sqlite3_prepare_v2(k->db, "SELECT grp, n, record FROM device", -1, &st, NULL);
        int told = 0;

        while (rc == SQLITE_OK || rc == SQLITE_ROW) {
                rc = sqlite3_step(st);
                if (rc != SQLITE_ROW)
                        break;
                const char *group = (const char *)sqlite3_column_text(st, 0);
                const odm_str record = {sqlite3_column_blob(st, 2),
                                        (size_t)sqlite3_column_bytes(st, 2)};
                if (group && record.p)
                        told = fn(ctx, group, (uint32_t)sqlite3_column_int64(st, 1), record);
                if (told)
                        break;
        }
        sqlite3_finalize(st);
        if (told)
                return told;
        return rc == SQLITE_DONE ? 0 : failed(k);
}

int keep_put(keep *k, const char *group, uint32_t n, odm_str record)
{
        int rc = sqlite3_bind_text(k->put, 1, group, -1, SQLITE_STATIC);

        if (rc == SQLITE_OK)
                rc = sqlite3_bind_int64(k->put, 2, n);
        if (rc == SQLITE_OK)
                rc = sqlite3_bind_blob64(k->put, 3, record.p, record.n, SQLITE_STATIC);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(k->put);
        (void)sqlite3_reset(k->put);
        return rc == SQLITE_DONE ? 0 : failed(k);
}

const char *keep_why(const keep *k)
{
        return k->why.text;
}
