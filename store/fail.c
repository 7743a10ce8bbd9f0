/* SPDX-License-Identifier: Apache-2.0 */
/* The engine that fails on demand: around another one, it counts rows written, commits and readers
 * taken, and answers ODM_EIO to those the test chose.  A failing write comes in the middle of a
 * batch and of a transaction, as a full disk's does. */
#include <stdlib.h>
#include <string.h>

#include "engine.h"

typedef struct wrapped {
        const store_engine *in;
        void *e;
        store_fault *fault;
} wrapped;

static bool strikes(const store_fault *f, uint64_t *count, const uint64_t *order)
{
        uint64_t n = __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
        uint64_t at = __atomic_load_n(order, __ATOMIC_RELAXED);

        return at && (n == at || (n > at && __atomic_load_n(&f->for_ever, __ATOMIC_RELAXED)));
}

static int write_fault(wrapped *w)
{
        return strikes(w->fault, &w->fault->writes, &w->fault->fail_write) ? ODM_EIO : 0;
}

void store_fault_set(store_fault *f, store_fault to)
{
        __atomic_store_n(&f->fail_write, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&f->fail_commit, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&f->fail_read, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&f->writes, to.writes, __ATOMIC_RELAXED);
        __atomic_store_n(&f->commits, to.commits, __ATOMIC_RELAXED);
        __atomic_store_n(&f->reads, to.reads, __ATOMIC_RELAXED);
        __atomic_store_n(&f->for_ever, to.for_ever, __ATOMIC_RELAXED);
        __atomic_store_n(&f->fail_write, to.fail_write, __ATOMIC_RELEASE);
        __atomic_store_n(&f->fail_commit, to.fail_commit, __ATOMIC_RELEASE);
        __atomic_store_n(&f->fail_read, to.fail_read, __ATOMIC_RELEASE);
}

store_fault store_fault_get(store_fault *f)
{
        return (store_fault){
                .fail_write = __atomic_load_n(&f->fail_write, __ATOMIC_RELAXED),
                .fail_commit = __atomic_load_n(&f->fail_commit, __ATOMIC_RELAXED),
                .fail_read = __atomic_load_n(&f->fail_read, __ATOMIC_RELAXED),
                .for_ever = __atomic_load_n(&f->for_ever, __ATOMIC_RELAXED),
                .writes = __atomic_load_n(&f->writes, __ATOMIC_RELAXED),
                .commits = __atomic_load_n(&f->commits, __ATOMIC_RELAXED),
                .reads = __atomic_load_n(&f->reads, __ATOMIC_RELAXED),
        };
}

void engine_fail_wraps(void *e, const store_engine *inner, void *inner_e, store_fault *fault)
{
        *(wrapped *)e = (wrapped){inner, inner_e, fault};
}

static int fail_open(const store_opt *opt, const char *where, void **out, char diag[STORE_DIAG])
{
        void *w = calloc(1, sizeof(wrapped));

        (void)opt;
        (void)where;
        (void)diag;
        if (w == NULL)
                return ODM_ENOMEM;
        *out = w;
        return 0;
}

static void fail_close(void *e)
{
        wrapped *w = e;

        w->in->close(w->e);
        free(w);
}

static void fail_diag(void *e, char out[STORE_DIAG])
{
        memcpy(out, "a failure made for a test", sizeof "a failure made for a test");
        (void)e;
}

/* A reader's handle has to lead to the inner reader: the handles of both kinds are pairs. */
typedef struct handle {
        wrapped w; /* w.e is the inner engine's handle */
} handle;

static int fail_reader_take(void *e, void **out)
{
        wrapped *w = e;
        handle *h;
        int rc;

        if (strikes(w->fault, &w->fault->reads, &w->fault->fail_read))
                return ODM_EIO;
        h = calloc(1, sizeof *h);
        if (h == NULL)
                return ODM_ENOMEM;
        *h = (handle){*w};
        rc = w->in->reader_take(w->e, &h->w.e);
        if (rc < 0) {
                free(h);
                return rc;
        }
        *out = h;
        return 0;
}

static void fail_reader_give(void *e, void *h)
{
        wrapped *w = e;

        w->in->reader_give(w->e, ((handle *)h)->w.e);
        free(h);
}

static int fail_commit(void *e)
{
        wrapped *w = e;

        if (strikes(w->fault, &w->fault->commits, &w->fault->fail_commit))
                return ODM_EIO;
        return w->in->commit(w->e);
}

static void fail_rollback(void *e)
{
        wrapped *w = e;

        w->in->rollback(w->e);
}

/* Passes a call on to the inner engine: reads as they are, writes after counting. */
#define PASS(name, params, args)         \
        static int fail_##name params    \
        {                                \
                wrapped *w = e;          \
                return w->in->name args; \
        }
#define PASS_READ(name, params, args)         \
        static int fail_##name params         \
        {                                     \
                wrapped *w = e;               \
                return w->in->read.name args; \
        }
#define PASS_WRITE(name, params, args)             \
        static int fail_##name params              \
        {                                          \
                wrapped *w = e;                    \
                int rc = write_fault(w);           \
                return rc ? rc : w->in->name args; \
        }

PASS(begin, (void *e), (w->e))
PASS(mark, (void *e), (w->e))
PASS(keep, (void *e), (w->e))
PASS(undo, (void *e), (w->e))
PASS(next_id, (void *e, id_kind kind, int64_t *out), (w->e, kind, out))

static int64_t fail_session_number(void *e)
{
        wrapped *w = e;

        return w->in->session_number(w->e);
}

PASS_READ(device_known, (void *e, int64_t id), (w->e, id))
PASS_READ(device_get, (void *e, int64_t id, odm_arena *a, store_device *out), (w->e, id, a, out))
PASS_READ(name_owner, (void *e, odm_str name, int64_t *out), (w->e, name, out))
PASS_READ(devid_owner, (void *e, odm_str devid, int64_t *out), (w->e, devid, out))
PASS_READ(device_find,
          (void *e, const store_device_filter *f, odm_arena *a, store_device_list *out),
          (w->e, f, a, out))
PASS_READ(wake_due, (void *e, int64_t now, uint32_t limit, odm_arena *a, store_device_list *out),
          (w->e, now, limit, a, out))
PASS_READ(account_get, (void *e, int64_t device, odm_arena *a, store_account *out),
          (w->e, device, a, out))
PASS_READ(job_get, (void *e, int64_t device, int64_t id, odm_arena *a, store_job *out),
          (w->e, device, id, a, out))
PASS_READ(job_find, (void *e, const store_job_filter *f, odm_arena *a, store_job_list *out),
          (w->e, f, a, out))
PASS_READ(results, (void *e, int64_t device, int64_t job, odm_arena *a, store_result_list *out),
          (w->e, device, job, a, out))
PASS_READ(job_by_key, (void *e, int64_t device, odm_str key, int64_t *out),
          (w->e, device, key, out))
PASS_READ(notes, (void *e, int64_t device, int64_t job, odm_arena *a, store_note_list *out),
          (w->e, device, job, a, out))
PASS_READ(tree_get, (void *e, int64_t device, odm_arena *a, odm_str *out), (w->e, device, a, out))
PASS_READ(path_text, (void *e, uint32_t id, odm_arena *a, odm_str *out), (w->e, id, a, out))
PASS_READ(session_find,
          (void *e, int64_t device, int64_t before, uint32_t limit, odm_arena *a,
           store_session_list *out),
          (w->e, device, before, limit, a, out))
PASS_READ(session_get, (void *e, int64_t device, int64_t id, odm_arena *a, store_session *out),
          (w->e, device, id, a, out))
PASS_READ(session_log, (void *e, int64_t device, int64_t session, odm_arena *a, odm_str *out),
          (w->e, device, session, a, out))
PASS_READ(saved, (void *e, odm_str sid, odm_arena *a, store_session *out, odm_str *bytes),
          (w->e, sid, a, out, bytes))
PASS_READ(token_by_hash, (void *e, odm_str hash, odm_arena *a, store_token *out),
          (w->e, hash, a, out))
PASS_READ(token_find, (void *e, odm_arena *a, store_token_list *out), (w->e, a, out))
PASS_READ(setting_get, (void *e, odm_str key, odm_arena *a, odm_str *out), (w->e, key, a, out))
PASS_READ(event_find,
          (void *e, int64_t after, int64_t device, uint32_t limit, odm_arena *a,
           store_event_list *out),
          (w->e, after, device, limit, a, out))
PASS_READ(event_last, (void *e, int64_t *out), (w->e, out))
PASS_READ(audit_find,
          (void *e, int64_t before, int64_t device, uint32_t limit, odm_arena *a,
           store_audit_list *out),
          (w->e, before, device, limit, a, out))
PASS_READ(count, (void *e, store_counts *out), (w->e, out))

PASS_WRITE(device_put, (void *e, const store_device *old, const store_device *d), (w->e, old, d))
PASS_WRITE(device_delete, (void *e, const store_device *d), (w->e, d))
PASS_WRITE(device_contact, (void *e, const store_device_patch *p), (w->e, p))
PASS_WRITE(account_put, (void *e, const store_account *x), (w->e, x))
PASS_WRITE(nonces_put, (void *e, const store_nonces *n), (w->e, n))
PASS_WRITE(lockout_put, (void *e, const store_lockout *l), (w->e, l))
PASS_WRITE(job_create, (void *e, const store_job *j), (w->e, j))
PASS(job_now, (void *e, int64_t device, int64_t job, job_now *out), (w->e, device, job, out))
PASS_WRITE(job_move, (void *e, const store_job_move *m, const job_now *now), (w->e, m, now))
PASS(job_open_count, (void *e, int64_t device, uint64_t *out), (w->e, device, out))
PASS_WRITE(job_trim, (void *e, int64_t device, int64_t ended, uint32_t keep),
           (w->e, device, ended, keep))
PASS_WRITE(result_put, (void *e, int64_t device, int64_t job, const store_result *r, odm_str items),
           (w->e, device, job, r, items))
PASS_WRITE(note_add, (void *e, int64_t device, int64_t job, const store_note *n, uint32_t keep),
           (w->e, device, job, n, keep))
PASS_WRITE(tree_put, (void *e, int64_t device, int64_t at, odm_str blob), (w->e, device, at, blob))
PASS_WRITE(path_id, (void *e, odm_str path, uint32_t *out), (w->e, path, out))
PASS_WRITE(session_put, (void *e, const store_session *x, odm_str log, bool fresh),
           (w->e, x, log, fresh))
PASS_WRITE(session_save, (void *e, int64_t device, int64_t session, odm_str sid, odm_str bytes),
           (w->e, device, session, sid, bytes))
PASS_WRITE(session_trim, (void *e, int64_t device, uint32_t keep), (w->e, device, keep))
PASS_WRITE(token_put, (void *e, const store_token *t), (w->e, t))
PASS_WRITE(token_delete, (void *e, odm_str name), (w->e, name))
PASS_WRITE(setting_put, (void *e, odm_str key, odm_str value), (w->e, key, value))
PASS_WRITE(event_add, (void *e, const store_event *v), (w->e, v))
PASS_WRITE(event_trim, (void *e, int64_t upto, uint32_t most), (w->e, upto, most))
PASS_WRITE(audit_add, (void *e, const store_audit *v), (w->e, v))
PASS_READ(row_get, (void *e, const store_table *t, const void *row, odm_arena *a, void *out),
          (w->e, t, row, a, out))
PASS_READ(row_find, (void *e, const store_scan *s, odm_arena *a, store_rows *out),
          (w->e, s, a, out))
PASS_READ(row_count, (void *e, const store_scan *s, uint64_t most, uint64_t *out),
          (w->e, s, most, out))
PASS(row_number, (void *e, const store_table *t, int64_t given, int64_t *out),
     (w->e, t, given, out))
PASS_WRITE(row_add, (void *e, const store_table *t, const void *row), (w->e, t, row))
PASS_WRITE(row_put, (void *e, const store_table *t, const void *row), (w->e, t, row))
PASS_WRITE(row_patch, (void *e, const store_row_op *op), (w->e, op))
PASS_WRITE(row_delete, (void *e, const store_row_op *op), (w->e, op))
PASS_WRITE(rows_delete, (void *e, const store_scan *s, int64_t *out), (w->e, s, out))

const store_engine engine_fail = {
        .name = "fail",
        .open = fail_open,
        .close = fail_close,
        .diag = fail_diag,
        .reader_take = fail_reader_take,
        .reader_give = fail_reader_give,
        .read = {fail_device_known, fail_device_get, fail_name_owner,    fail_devid_owner,
                 fail_device_find,  fail_wake_due,   fail_account_get,   fail_job_get,
                 fail_job_find,     fail_results,    fail_job_by_key,    fail_notes,
                 fail_tree_get,     fail_path_text,  fail_session_find,  fail_session_get,
                 fail_session_log,  fail_saved,      fail_token_by_hash, fail_token_find,
                 fail_setting_get,  fail_event_find, fail_event_last,    fail_audit_find,
                 fail_count,        fail_row_get,    fail_row_find,      fail_row_count},
        .begin = fail_begin,
        .commit = fail_commit,
        .rollback = fail_rollback,
        .mark = fail_mark,
        .keep = fail_keep,
        .undo = fail_undo,
        .next_id = fail_next_id,
        .device_put = fail_device_put,
        .device_delete = fail_device_delete,
        .device_contact = fail_device_contact,
        .account_put = fail_account_put,
        .nonces_put = fail_nonces_put,
        .lockout_put = fail_lockout_put,
        .job_create = fail_job_create,
        .job_now = fail_job_now,
        .job_move = fail_job_move,
        .job_open_count = fail_job_open_count,
        .job_trim = fail_job_trim,
        .result_put = fail_result_put,
        .note_add = fail_note_add,
        .tree_put = fail_tree_put,
        .path_id = fail_path_id,
        .session_number = fail_session_number,
        .session_put = fail_session_put,
        .session_save = fail_session_save,
        .session_trim = fail_session_trim,
        .token_put = fail_token_put,
        .token_delete = fail_token_delete,
        .setting_put = fail_setting_put,
        .event_add = fail_event_add,
        .event_trim = fail_event_trim,
        .audit_add = fail_audit_add,
        .row_number = fail_row_number,
        .row_add = fail_row_add,
        .row_put = fail_row_put,
        .row_patch = fail_row_patch,
        .row_delete = fail_row_delete,
        .rows_delete = fail_rows_delete,
};
