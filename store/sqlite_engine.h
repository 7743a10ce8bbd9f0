/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_engine.h - what the parts of the SQLite engine share, and those that are in files of their
 * own: jobs (sqlite_job.c) and sessions (sqlite_session.c).
 *
 * The functions are as engine.h says: `e` is the engine, `h` a connection, the writer's or a
 * reader's. */
#ifndef STORE_SQLITE_ENGINE_H
#define STORE_SQLITE_ENGINE_H

#include <stdatomic.h>

#include "engine.h"
#include "sqlite_book.h"
#include "sqlite_cols.h"

#define SQLITE_FILE_TEXT 4096

typedef struct sqlite_reader {
        db db; /* first: a handle is a db */
        struct sqlite_reader *next;
} sqlite_reader;

typedef struct sqlite {
        db w; /* first: the writer's handle is a db */
        char file[SQLITE_FILE_TEXT];
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
        book book;
        uint32_t paths_begun, paths_marked; /* how many the book had */

        pthread_mutex_t pool_lock;
        pthread_cond_t pool_cond;
        sqlite_reader *idle;
        uint32_t open_readers, max_readers;
} sqlite;

/* Takes from `counts`, which has n, what a statement's rows say: a state, and how many have it. */
ODM_MUST_USE int sqlite_uncount(sqlite *s, sqlite3_stmt *st, uint64_t *counts, int64_t n);

ODM_MUST_USE int sqlite_job_get(void *h, int64_t device, int64_t id, odm_arena *a, store_job *out);
ODM_MUST_USE int sqlite_job_find(void *h, const store_job_filter *f, odm_arena *a,
                                 store_job_list *out);
ODM_MUST_USE int sqlite_job_by_key(void *h, int64_t device, odm_str key, int64_t *out);
ODM_MUST_USE int sqlite_results(void *h, int64_t device, int64_t job, odm_arena *a,
                                store_result_list *out);
ODM_MUST_USE int sqlite_notes(void *h, int64_t device, int64_t job, odm_arena *a,
                              store_note_list *out);
ODM_MUST_USE int sqlite_job_create(void *e, const store_job *j);
ODM_MUST_USE int sqlite_job_now(void *e, int64_t device, int64_t job, job_now *out);
ODM_MUST_USE int sqlite_job_move(void *e, const store_job_move *m, const job_now *now);
ODM_MUST_USE int sqlite_job_open_count(void *e, int64_t device, uint64_t *out);
ODM_MUST_USE int sqlite_job_trim(void *e, int64_t device, int64_t ended, uint32_t keep);
ODM_MUST_USE int sqlite_result_put(void *e, int64_t device, int64_t job, const store_result *r,
                                   odm_str items);
ODM_MUST_USE int sqlite_note_add(void *e, int64_t device, int64_t job, const store_note *n,
                                 uint32_t keep);

ODM_MUST_USE int sqlite_session_find(void *h, int64_t device, int64_t before, uint32_t limit,
                                     odm_arena *a, store_session_list *out);
ODM_MUST_USE int sqlite_session_get(void *h, int64_t device, int64_t id, odm_arena *a,
                                    store_session *out);
ODM_MUST_USE int sqlite_session_log(void *h, int64_t device, int64_t session, odm_arena *a,
                                    odm_str *out);
ODM_MUST_USE int sqlite_saved_get(void *h, odm_str sid, odm_arena *a, store_session *out,
                                  odm_str *saved);
ODM_MUST_USE int sqlite_session_put(void *e, const store_session *x, odm_str log, bool fresh);
ODM_MUST_USE int sqlite_session_save(void *e, int64_t device, int64_t session, odm_str sid,
                                     odm_str saved);
ODM_MUST_USE int sqlite_session_trim(void *e, int64_t device, uint32_t keep);

#endif
