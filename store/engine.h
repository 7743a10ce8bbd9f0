/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - what a store engine does: keep rows, in transactions.
 *
 * The meaning of each operation is in apply.c, once for all engines; an engine reads and writes
 * rows. Functions of the writer are called by the writer thread alone, between begin() and commit()
 * or rollback(); a batch lies between mark() and keep() or undo().  Readers work on a handle of
 * reader_take(), in any thread.  Reads put their texts into the arena; all return as store.h says.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "table.h"

#define JOBS_LOOKED_AT 16

typedef enum id_kind { ID_DEVICE, ID_JOB, ID_EVENT, ID_AUDIT, ID_KINDS } id_kind;

/* What a move looks at. */
typedef struct job_now {
        store_job_state state;
        uint32_t attempts;
        int64_t session, started, finished;
        store_job_state was; /* for job_move(): before it */
} job_now;

/* What both a writer and a reader can ask; `h` is the engine for the writer, else a reader's
 * handle. */
typedef struct engine_reads {
        int (*device_known)(void *h, int64_t id); /* 0, ODM_ENOENT */
        int (*device_get)(void *h, int64_t id, odm_arena *a, store_device *out);
        int (*name_owner)(void *h, odm_str name, int64_t *out);
        int (*devid_owner)(void *h, odm_str devid, int64_t *out);
        int (*device_find)(void *h, const store_device_filter *f, odm_arena *a,
                           store_device_list *out);
        int (*wake_due)(void *h, int64_t now, uint32_t limit, odm_arena *a, store_device_list *out);
        int (*account_get)(void *h, int64_t device, odm_arena *a, store_account *out);
        /* device 0: not known */
        int (*job_get)(void *h, int64_t device, int64_t id, odm_arena *a, store_job *out);
        int (*job_find)(void *h, const store_job_filter *f, odm_arena *a, store_job_list *out);
        int (*results)(void *h, int64_t device, int64_t job, odm_arena *a, store_result_list *out);
        int (*job_by_key)(void *h, int64_t device, odm_str key, int64_t *out);
        int (*notes)(void *h, int64_t device, int64_t job, odm_arena *a, store_note_list *out);
        int (*tree_get)(void *h, int64_t device, odm_arena *a, odm_str *out);
        /* absent when nobody has that number */
        int (*path_text)(void *h, uint32_t id, odm_arena *a, odm_str *out);
        int (*session_find)(void *h, int64_t device, int64_t before, uint32_t limit, odm_arena *a,
                            store_session_list *out);
        int (*session_get)(void *h, int64_t device, int64_t id, odm_arena *a, store_session *out);
        /* what session_put() was given last, absent when that was absent; ENOENT */
        int (*session_log)(void *h, int64_t device, int64_t session, odm_arena *a, odm_str *out);
        int (*saved)(void *h, odm_str sid, odm_arena *a, store_session *out, odm_str *saved);
        int (*token_by_hash)(void *h, odm_str hash, odm_arena *a, store_token *out);
        int (*token_find)(void *h, odm_arena *a, store_token_list *out);
        int (*setting_get)(void *h, odm_str key, odm_arena *a, odm_str *out);
        int (*event_find)(void *h, int64_t after, int64_t device, uint32_t limit, odm_arena *a,
                          store_event_list *out);
        int (*event_last)(void *h, int64_t *out); /* 0: none */
        int (*audit_find)(void *h, int64_t before, int64_t device, uint32_t limit, odm_arena *a,
                          store_audit_list *out);
        int (*count)(void *h, store_counts *out);
        /* rows of tables: what is asked was checked (row.h), a scan has its limit */
        int (*row_get)(void *h, const store_table *t, const void *row, odm_arena *a, void *out);
        int (*row_find)(void *h, const store_scan *s, odm_arena *a, store_rows *out);
        int (*row_count)(void *h, const store_scan *s, uint64_t most, uint64_t *out);
} engine_reads;

typedef struct store_engine {
        const char *name;
        int (*open)(const store_opt *opt, const char *where, void **out, char diag[STORE_DIAG]);
        void (*close)(void *e);
        void (*diag)(void *e, char out[STORE_DIAG]); /* the writer's last failure */

        int (*reader_take)(void *e, void **out);
        void (*reader_give)(void *e, void *h);
        engine_reads read;

        int (*begin)(void *e);
        int (*commit)(void *e);
        void (*rollback)(void *e);
        int (*mark)(void *e);
        int (*keep)(void *e);
        int (*undo)(void *e);

        int (*next_id)(void *e, id_kind kind, int64_t *out);
        int64_t (*session_number)(void *e); /* any thread */
        /* old is NULL for a new row; name and devid are known to be free */
        int (*device_put)(void *e, const store_device *old, const store_device *d);
        int (*device_delete)(void *e, const store_device *d);
        /* address, route, last_contact of a device as far as they are named; ENOENT */
        int (*device_contact)(void *e, const store_device_patch *p);
        int (*account_put)(void *e, const store_account *x);
        int (*nonces_put)(void *e, const store_nonces *n);   /* ENOENT */
        int (*lockout_put)(void *e, const store_lockout *l); /* ENOENT */
        int (*job_create)(void *e, const store_job *j);
        int (*job_now)(void *e, int64_t device, int64_t job, job_now *out); /* ENOENT */
        /* the texts of m, its time, and what became of the rest */
        int (*job_move)(void *e, const store_job_move *m, const job_now *now);
        int (*job_open_count)(void *e, int64_t device, uint64_t *out);
        /* Of the JOBS_LOOKED_AT oldest jobs that have ended those go that ended first, but for the
         * one that just has, which somebody may have made long ago. */
        int (*job_trim)(void *e, int64_t device, int64_t ended, uint32_t keep);
        int (*result_put)(void *e, int64_t device, int64_t job, const store_result *r,
                          odm_str items);
        int (*note_add)(void *e, int64_t device, int64_t job, const store_note *n, uint32_t keep);
        int (*tree_put)(void *e, int64_t device, int64_t at, odm_str blob);
        int (*path_id)(void *e, odm_str path, uint32_t *out); /* 0: the dictionary is full */
        /* fresh: there is no row of it */
        int (*session_put)(void *e, const store_session *x, odm_str log, bool fresh);
        int (*session_save)(void *e, int64_t device, int64_t session, odm_str sid, odm_str saved);
        int (*session_trim)(void *e, int64_t device, uint32_t keep);
        int (*token_put)(void *e, const store_token *t);
        int (*token_delete)(void *e, odm_str name);
        int (*setting_put)(void *e, odm_str key, odm_str value);
        int (*event_add)(void *e, const store_event *v);
        int (*event_trim)(void *e, int64_t upto,
                          uint32_t most); /* the oldest go, so many at most */
        int (*audit_add)(void *e, const store_audit *v);

        /* Rows of tables, checked.  given 0: the next number; else no later one is lower. */
        int (*row_number)(void *e, const store_table *t, int64_t given, int64_t *out);
        int (*row_add)(void *e, const store_table *t, const void *row); /* EEXIST */
        int (*row_put)(void *e, const store_table *t, const void *row); /* EEXIST */
        int (*row_patch)(void *e, const store_row_op *op);              /* ENOENT, ESTATE, EEXIST */
        int (*row_delete)(void *e, const store_row_op *op);             /* ENOENT, ESTATE */
        int (*rows_delete)(void *e, const store_scan *s, int64_t *out);
} store_engine;

extern const odm_mem store_heap; /* the C library's */
extern const store_engine engine_mem, engine_sqlite;

/* A wrapper that fails on demand (fail.c). */
extern const store_engine engine_fail;
void engine_fail_wraps(void *e, const store_engine *inner, void *inner_e, store_fault *fault);

/* ---- apply.c ------------------------------------------------------------------ */

/* Carries out one operation; ids are resolved.  Events behind `heard` stay in the log as far as
 * opt->events_unheard allows.  0, a refusal (ODM_ENOENT, ODM_EEXIST, ODM_ESTATE,
 * ODM_ELIMIT, ODM_EINVAL), or a failure (ODM_EIO, ODM_ENOMEM). */
ODM_MUST_USE int store_apply(const store_engine *eng, void *e, const store_opt *opt, int64_t heard,
                             store_op *op, odm_arena *a);
/* True when the operation was understood and turned down, and nothing of it happened. */
bool store_is_refusal(int rc);

/* The job as a move leaves it. */
void job_moved(store_job *j, const store_job_move *m, const job_now *now);

/* ---- pack.c: values and trees as octets ---------------------------------------- */

/* Messages behind `log`, whose octets (those of kept messages) and number are given back: one block
 * in `a`.  A message that would bring its octets above `most` is kept without them. */
ODM_MUST_USE int pack_messages(odm_str log, const store_message *v, size_t n, size_t most,
                               odm_arena *a, odm_str *out);
ODM_MUST_USE int unpack_messages(odm_str log, odm_arena *a, store_message_list *out);

/* The items of a result as one block, in `a`; and back. */
ODM_MUST_USE int pack_values(const store_value *v, size_t n, odm_arena *a, odm_str *out);
ODM_MUST_USE int unpack_values(odm_str blob, odm_arena *a, store_value **out, size_t *out_n);

/* ---- mirror.c: a device's tree as one block ------------------------------------- */

#define MIRROR_PATH_MAX 2048

/* Where paths have numbers. */
typedef struct path_book {
        int (*text)(void *h, uint32_t id, odm_arena *a, odm_str *out);
        int (*id)(void *e, odm_str path, uint32_t *out); /* NULL for a reader */
        void *h;
} path_book;

ODM_MUST_USE int mirror_decode(odm_str blob, const path_book *book, odm_arena *a, store_tree *out);
/* Applies n changes to `blob` and gives the new one, in `a`.  Where it would pass the ceiling of
 * `opt`, values are left out, and then nodes, from the end.  ODM_EINVAL for a path that does not
 * begin with
 * "." or is longer than MIRROR_PATH_MAX. */
ODM_MUST_USE int mirror_update(odm_str blob, const path_book *book, const store_opt *opt,
                               int64_t at, const store_tree_change *v, size_t n, odm_arena *a,
                               odm_str *out);
/* The part of a tree at and below prefix ("." is all). */
void mirror_cut(store_tree *t, odm_str prefix);
int mirror_path_cmp(odm_str a, odm_str b);

#endif
