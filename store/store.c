/* SPDX-License-Identifier: Apache-2.0 */
/* The store's front: batches, the one writer with group commit, and reads passed on.
 *
 * The writer takes up to group_max waiting batches as one transaction, each batch between a mark
 * and a keep, and tells each `done` after the commit.  When the transaction as a whole fails, its
 * batches are tried again one by one, so that none suffers for another. */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine.h"
#include "row.h"

#define OPS_MAX 4096
#define BATCH_BYTES ((size_t)256 << 20)

struct store {
        const store_engine *eng;
        void *e;
        const char *name; /* of the engine */
        store_opt opt;
        _Atomic int64_t heard; /* store_events_heard() */
        pthread_t writer;
        pthread_mutex_t lock; /* all below */
        pthread_cond_t work;
        store_batch *first, **last;
        uint32_t queue;
        size_t queue_bytes;
        bool closing;
        store_stats stats;
        char diag[STORE_DIAG];      /* of the last transaction that failed */
        pthread_mutex_t watch_lock; /* held while the watcher is called */
        void (*watch)(void *ctx, int64_t seq);
        void *watch_ctx;
};

/* ---- names ---------------------------------------------------------------------- */

static const char *const device_states[STORE_DEVICE_STATES] = {
        [STORE_DEVICE_PROVISIONED] = "provisioned",
        [STORE_DEVICE_ACTIVE] = "active",
        [STORE_DEVICE_HELD] = "held",
        [STORE_DEVICE_REFUSED] = "refused",
        [STORE_DEVICE_DEACTIVATED] = "deactivated",
        [STORE_DEVICE_ASLEEP] = "asleep",
        [STORE_DEVICE_UNREACHABLE] = "unreachable",
        [STORE_DEVICE_DETACHED] = "detached",
};

static const char *const job_states[STORE_JOB_STATES] = {
        [STORE_JOB_QUEUED] = "queued",
        [STORE_JOB_NOTIFIED] = "notified",
        [STORE_JOB_IN_SESSION] = "in_session",
        [STORE_JOB_WAITING] = "waiting",
        [STORE_JOB_DONE] = "done",
        [STORE_JOB_FAILED] = "failed",
        [STORE_JOB_EXPIRED] = "expired",
        [STORE_JOB_CANCELLED] = "cancelled",
};

const char *store_device_state_name(store_device_state s)
{
        return (unsigned)s < STORE_DEVICE_STATES ? device_states[s] : "?";
}

bool store_device_welcome(store_device_state s)
{
        switch (s) {
        case STORE_DEVICE_PROVISIONED:
        case STORE_DEVICE_ACTIVE:
        case STORE_DEVICE_ASLEEP:
        case STORE_DEVICE_UNREACHABLE:
        case STORE_DEVICE_DETACHED: return true;
        case STORE_DEVICE_HELD:
        case STORE_DEVICE_REFUSED:
        case STORE_DEVICE_DEACTIVATED: break;
        }
        return false;
}

bool store_device_state_parse(odm_str s, store_device_state *out)
{
        for (unsigned i = 0; i < STORE_DEVICE_STATES; i++)
                if (odm_str_is(s, device_states[i])) {
                        *out = (store_device_state)i;
                        return true;
                }
        return false;
}

const char *store_job_state_name(store_job_state s)
{
        return (unsigned)s < STORE_JOB_STATES ? job_states[s] : "?";
}

bool store_job_state_parse(odm_str s, store_job_state *out)
{
        for (unsigned i = 0; i < STORE_JOB_STATES; i++)
                if (odm_str_is(s, job_states[i])) {
                        *out = (store_job_state)i;
                        return true;
                }
        return false;
}

/* ---- memory ---------------------------------------------------------------------- */

static void *heap_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

const odm_mem store_heap = {heap_resize, NULL};

/* ---- batches ---------------------------------------------------------------------- */

store_batch *store_batch_new(void)
{
        store_batch *b = calloc(1, sizeof *b);

        if (b)
                odm_arena_init(&b->arena, &store_heap, BATCH_BYTES);
        return b;
}

store_op *store_batch_add(store_batch *b, store_op_kind kind)
{
        store_op *op;

        if (b->n == OPS_MAX)
                return NULL;
        if (b->n == b->cap) {
                size_t cap = b->cap ? b->cap * 2 : 8;
                store_op **ops = odm_arena_get(&b->arena, cap * sizeof(store_op *));
                if (ops == NULL)
                        return NULL;
                if (b->n)
                        memcpy(ops, b->ops, b->n * sizeof(store_op *));
                b->ops = ops;
                b->cap = cap;
        }
        op = odm_new(&b->arena, store_op);
        if (op == NULL)
                return NULL;
        op->kind = kind;
        if (kind == STORE_JOB_MOVE)
                op->job_move.expect_attempts = -1;
        b->ops[b->n++] = op;
        return op;
}

odm_arena *store_batch_arena(store_batch *b)
{
        return &b->arena;
}

void store_batch_free(store_batch *b)
{
        if (b == NULL)
                return;
        odm_arena_done(&b->arena);
        free(b);
}

/* ---- STORE_LAST ------------------------------------------------------------------- */

typedef struct last_ids {
        int64_t device, job, session;
} last_ids;

typedef struct op_ids {
        int64_t *device, *job, *session;
} op_ids;

static op_ids ids_of(store_op *op)
{
        switch (op->kind) {
        case STORE_DEVICE_CREATE:
        case STORE_TOKEN_PUT:
        case STORE_TOKEN_ADD:
        case STORE_TOKEN_DELETE:
        case STORE_TOKEN_WITHDRAW:
        case STORE_SETTING_PUT:
        case STORE_ROW_ADD:
        case STORE_ROW_PUT:
        case STORE_ROW_PATCH:
        case STORE_ROW_DELETE:
        case STORE_ROWS_DELETE: return (op_ids){0};
        case STORE_DEVICE_PATCH: return (op_ids){.device = &op->device_patch.to.id};
        case STORE_DEVICE_DELETE: return (op_ids){.device = &op->of};
        case STORE_ACCOUNT_PUT: return (op_ids){.device = &op->account.device};
        case STORE_NONCES: return (op_ids){.device = &op->nonces.device};
        case STORE_LOCKOUT: return (op_ids){.device = &op->lockout.device};
        case STORE_JOB_CREATE: return (op_ids){.device = &op->job.device};
        case STORE_JOB_MOVE:
                return (op_ids){&op->job_move.device, &op->job_move.job, &op->job_move.session};
        case STORE_RESULT_PUT: return (op_ids){&op->result.device, &op->result.job, NULL};
        case STORE_JOB_NOTE: return (op_ids){&op->note.device, &op->note.job, NULL};
        case STORE_TREE_UPDATE: return (op_ids){.device = &op->tree.device};
        case STORE_SESSION_PUT: return (op_ids){&op->session.s.device, NULL, &op->session.s.id};
        case STORE_SESSION_SAVE: return (op_ids){&op->save.device, NULL, &op->save.session};
        case STORE_EVENT_ADD: return (op_ids){.device = &op->event.device};
        case STORE_AUDIT_ADD: return (op_ids){.device = &op->audit.device};
        }
        return (op_ids){0};
}

static void resolve(store_op *op, const last_ids *l)
{
        op_ids ids = ids_of(op);

        if (ids.device && *ids.device == STORE_LAST)
                *ids.device = l->device;
        if (ids.job && *ids.job == STORE_LAST)
                *ids.job = l->job;
        if (ids.session && *ids.session == STORE_LAST)
                *ids.session = l->session;
}

static void learn(const store_op *op, last_ids *l)
{
        if (op->kind == STORE_DEVICE_CREATE)
                l->device = op->id;
        else if (op->kind == STORE_JOB_CREATE)
                l->job = op->id;
        else if (op->kind == STORE_SESSION_PUT)
                l->session = op->id;
}

/* ---- the writer ---------------------------------------------------------------------- */

/* One operation, on a copy: a batch tried again starts from what was asked. */
static int run_op(store *st, store_op *op, last_ids *last, odm_arena *a)
{
        store_op run = *op;
        int rc;

        run.id = 0;
        resolve(&run, last);
        rc = store_apply(st->eng, st->e, &st->opt, st->heard, &run, a);
        op->rc = rc;
        op->id = run.id;
        if (rc == 0)
                learn(&run, last);
        return rc < 0 && store_is_refusal(rc) && op->lenient ? 0 : rc;
}

static int run_ops(store *st, store_batch *b)
{
        last_ids last = {0};
        odm_arena a;
        int rc = 0;

        odm_arena_init(&a, &store_heap, BATCH_BYTES);
        for (size_t i = 0; rc == 0 && i < b->n; i++) {
                store_op *op = b->ops[i];

                if (op->follows && i && b->ops[i - 1]->rc < 0) {
                        op->rc = b->ops[i - 1]->rc;
                        continue;
                }
                rc = run_op(st, op, &last, &a);
                odm_arena_reset(&a);
        }
        odm_arena_done(&a);
        return rc;
}

/* 0 or a refusal, then the batch is kept or undone; ODM_EIO, ODM_ENOMEM: the transaction is lost.
 */
static int run_batch(store *st, store_batch *b)
{
        int rc = st->eng->mark(st->e), undone;

        if (rc < 0)
                return rc;
        rc = run_ops(st, b);
        if (rc == 0)
                return st->eng->keep(st->e);
        if (!store_is_refusal(rc))
                return rc;
        undone = st->eng->undo(st->e);
        return undone < 0 ? undone : rc;
}

static uint64_t now_us(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void count_transaction(store *st, uint64_t start, int rc, uint32_t ops, const char *diag)
{
        uint64_t took = now_us() - start;

        pthread_mutex_lock(&st->lock);
        if (rc < 0)
                memcpy(st->diag, diag, sizeof st->diag);
        st->stats.transactions++;
        st->stats.failed += rc < 0;
        if (rc < 0 || ops)
                st->stats.failing = rc < 0;
        st->stats.ops += rc < 0 ? 0 : ops;
        st->stats.commit_us_total += took;
        if (took > st->stats.commit_us_max)
                st->stats.commit_us_max = took;
        pthread_mutex_unlock(&st->lock);
}

/* Says how far the log of events goes now. */
static void tell_watch(store *st, const store_batch *first, uint32_t n)
{
        int64_t last = 0;
        uint32_t done = 0;

        pthread_mutex_lock(&st->watch_lock);
        for (const store_batch *b = first; st->watch && done < n; b = b->next, done++)
                for (size_t i = 0; b->rc == 0 && i < b->n; i++)
                        if (b->ops[i]->kind == STORE_EVENT_ADD && b->ops[i]->rc == 0 &&
                            b->ops[i]->id > last)
                                last = b->ops[i]->id;
        if (last)
                st->watch(st->watch_ctx, last);
        pthread_mutex_unlock(&st->watch_lock);
}

void store_watch(store *st, void (*fn)(void *ctx, int64_t seq), void *ctx)
{
        pthread_mutex_lock(&st->watch_lock);
        st->watch = fn;
        st->watch_ctx = ctx;
        pthread_mutex_unlock(&st->watch_lock);
}

void store_events_heard(store *st, int64_t seq)
{
        st->heard = seq;
}

/* Runs `n` batches as one transaction; each batch's rc is set when 0 is returned.  Without marks a
 * refusal is of the transaction, and nothing of it happened. */
static int run_transaction(store *st, store_batch *first, uint32_t n, bool marks)
{
        uint64_t start = now_us();
        uint32_t ops = 0, i = 0;
        char diag[STORE_DIAG] = "";
        int rc = st->eng->begin(st->e);

        for (store_batch *b = first; rc == 0 && i < n; b = b->next, i++) {
                b->rc = marks ? run_batch(st, b) : run_ops(st, b);
                ops += (uint32_t)b->n;
                if (b->rc < 0 && !(marks && store_is_refusal(b->rc)))
                        rc = b->rc;
        }
        if (rc == 0)
                rc = st->eng->commit(st->e);
        if (rc < 0) {
                st->eng->diag(st->e, diag);
                st->eng->rollback(st->e);
        }
        if (rc == 0 || !store_is_refusal(rc))
                count_transaction(st, start, rc, ops, diag);
        if (rc == 0)
                tell_watch(st, first, n);
        return rc;
}

/* Refusals are rare, and a mark costs as much as some operations: a group is run without them
 * first. */
static void run_group(store *st, store_batch *first, uint32_t n)
{
        int rc = run_transaction(st, first, n, false);

        if (rc < 0 && store_is_refusal(rc) && n > 1)
                rc = run_transaction(st, first, n, true);
        if (rc == 0)
                return;
        if (n == 1) {
                first->rc = rc;
                return;
        }
        for (store_batch *b = first; b; b = b->next)
                b->rc = run_transaction(st, b, 1, false);
}

static void finish_group(store_batch *b)
{
        while (b) {
                store_batch *next = b->next;
                void (*done)(void *, store_batch *, int) = b->done;

                b->next = NULL;
                if (done)
                        done(b->ctx, b, b->rc);
                store_batch_free(b);
                b = next;
        }
}

/* Waits for work; takes up to group_max batches.  NULL: closed and nothing left. */
static store_batch *take_group(store *st, uint32_t *n)
{
        store_batch *first, **at;

        pthread_mutex_lock(&st->lock);
        while (st->first == NULL && !st->closing)
                pthread_cond_wait(&st->work, &st->lock);
        first = st->first;
        at = &st->first;
        for (*n = 0; *at && *n < st->opt.group_max; ++*n) {
                st->queue_bytes -= (*at)->arena.used;
                at = &(*at)->next;
        }
        if (first) {
                st->first = *at;
                *at = NULL;
                if (st->first == NULL)
                        st->last = &st->first;
                st->queue -= *n;
                st->stats.batches += *n;
        }
        pthread_mutex_unlock(&st->lock);
        return first;
}

static void *writer(void *arg)
{
        store *st = arg;
        store_batch *first;
        uint32_t n;

        while ((first = take_group(st, &n))) {
                run_group(st, first, n);
                finish_group(first);
        }
        return NULL;
}

int store_write(store *st, store_batch *b, store_done done, void *ctx)
{
        int rc = 0;

        pthread_mutex_lock(&st->lock);
        if (st->closing)
                rc = ODM_ESTATE;
        else if (st->queue >= st->opt.queue_max ||
                 st->queue_bytes + b->arena.used > st->opt.queue_bytes + BATCH_BYTES ||
                 (st->queue && st->queue_bytes + b->arena.used > st->opt.queue_bytes))
                rc = ODM_ELIMIT;
        if (rc == 0) {
                b->done = done;
                b->ctx = ctx;
                b->next = NULL;
                *st->last = b;
                st->last = &b->next;
                st->queue++;
                st->queue_bytes += b->arena.used;
                pthread_cond_signal(&st->work);
        } else {
                st->stats.refused += rc == ODM_ELIMIT;
        }
        pthread_mutex_unlock(&st->lock);
        return rc;
}

/* ---- writing and waiting ----------------------------------------------------------------- */

typedef struct waiter {
        pthread_mutex_t lock;
        pthread_cond_t cond;
        store_batch *asked; /* the caller's; gets what the store's shell of it came to */
        bool done;
        int rc;
} waiter;

/* The writer frees the shell it was given; the caller's batch takes the contents back. */
static void wake_waiter(void *ctx, store_batch *b, int rc)
{
        waiter *w = ctx;

        pthread_mutex_lock(&w->lock);
        *w->asked = *b;
        *b = (store_batch){0};
        odm_arena_init(&b->arena, &store_heap, 0);
        w->rc = rc;
        w->done = true;
        pthread_cond_signal(&w->cond);
        pthread_mutex_unlock(&w->lock);
}

int store_write_sync(store *st, store_batch *b)
{
        waiter w = {.asked = b};
        store_batch *shell = malloc(sizeof *shell);
        int rc;

        if (shell == NULL)
                return ODM_ENOMEM;
        *shell = *b;
        pthread_mutex_init(&w.lock, NULL);
        pthread_cond_init(&w.cond, NULL);
        rc = store_write(st, shell, wake_waiter, &w);
        if (rc == 0) {
                pthread_mutex_lock(&w.lock);
                while (!w.done)
                        pthread_cond_wait(&w.cond, &w.lock);
                pthread_mutex_unlock(&w.lock);
                rc = w.rc;
        } else {
                free(shell);
        }
        pthread_cond_destroy(&w.cond);
        pthread_mutex_destroy(&w.lock);
        return rc;
}

/* ---- opening and closing -------------------------------------------------------------------- */

void store_opt_init(store_opt *o)
{
        *o = (store_opt){
                .where = "mem:",
                .queue_max = 4096,
                .queue_bytes = (size_t)64 << 20,
                .group_max = 256,
                .readers = 4,
                .cache_bytes = (size_t)16 << 20,
                .sessions_kept = 20,
                .session_bytes = (size_t)1 << 20,
                .mirror_value_max = 4096,
                .mirror_bytes = (size_t)1 << 20,
                .jobs_open_max = 1000,
                .jobs_kept = 1000,
                .events_kept = 1000000,
                .events_unheard = 1000000,
        };
}

static const store_engine *engine_of(const char **where)
{
        if (strncmp(*where, "mem:", 4) == 0)
                return &engine_mem;
        if (strncmp(*where, "sqlite:", 7) == 0) {
                *where += 7;
                return &engine_sqlite;
        }
        return strchr(*where, ':') ? NULL : &engine_sqlite;
}

static int open_engine(store *st, char diag[STORE_DIAG])
{
        const char *where = st->opt.where;
        const store_engine *eng = where ? engine_of(&where) : NULL;
        void *inner, *e;
        int rc;

        if (eng == NULL) {
                snprintf(diag, STORE_DIAG, "store \"%s\": no such engine; mem: or sqlite:FILE",
                         where ? where : "");
                return ODM_EINVAL;
        }
        st->name = eng->name; /* the text of opt->where is the caller's */
        st->opt.where = NULL;
        rc = eng->open(&st->opt, where, &inner, diag);
        if (rc < 0)
                return rc;
        st->eng = eng;
        st->e = inner;
        if (st->opt.fault == NULL)
                return 0;
        rc = engine_fail.open(&st->opt, where, &e, diag);
        if (rc < 0) {
                eng->close(inner);
                return rc;
        }
        engine_fail_wraps(e, eng, inner, st->opt.fault);
        st->eng = &engine_fail;
        st->e = e;
        return 0;
}

int store_open(const store_opt *opt, store **out, char diag[STORE_DIAG])
{
        store *st = calloc(1, sizeof *st);
        int rc;

        diag[0] = 0;
        if (st == NULL)
                return ODM_ENOMEM;
        st->opt = *opt;
        st->heard = INT64_MAX;
        st->last = &st->first;
        if (st->opt.group_max == 0 || st->opt.readers == 0 || st->opt.queue_max == 0 ||
            st->opt.sessions_kept == 0) {
                snprintf(diag, STORE_DIAG, "store: an option is zero that must not be");
                rc = ODM_EINVAL;
                goto out;
        }
        rc = row_tables_check(opt, diag);
        if (rc == 0)
                rc = open_engine(st, diag);
        if (rc < 0)
                goto out;
        pthread_mutex_init(&st->lock, NULL);
        pthread_mutex_init(&st->watch_lock, NULL);
        pthread_cond_init(&st->work, NULL);
        if (pthread_create(&st->writer, NULL, writer, st)) {
                snprintf(diag, STORE_DIAG, "store: no thread for the writer");
                pthread_cond_destroy(&st->work);
                pthread_mutex_destroy(&st->watch_lock);
                pthread_mutex_destroy(&st->lock);
                st->eng->close(st->e);
                rc = ODM_ENOMEM;
                goto out;
        }
        *out = st;
        st = NULL;
out:
        free(st);
        return rc;
}

void store_close(store *st)
{
        if (st == NULL)
                return;
        pthread_mutex_lock(&st->lock);
        st->closing = true;
        pthread_cond_signal(&st->work);
        pthread_mutex_unlock(&st->lock);
        pthread_join(st->writer, NULL);
        assert(st->first == NULL);
        st->eng->close(st->e);
        pthread_cond_destroy(&st->work);
        pthread_mutex_destroy(&st->watch_lock);
        pthread_mutex_destroy(&st->lock);
        free(st);
}

void store_stat(store *st, store_stats *out)
{
        pthread_mutex_lock(&st->lock);
        *out = st->stats;
        out->queue = st->queue;
        pthread_mutex_unlock(&st->lock);
}

const char *store_engine_name(const store *st)
{
        return st->name;
}

void store_diag(store *st, char out[STORE_DIAG])
{
        pthread_mutex_lock(&st->lock);
        memcpy(out, st->diag, STORE_DIAG);
        pthread_mutex_unlock(&st->lock);
}

/* ---- reading ---------------------------------------------------------------------------- */

static int begin_read(store *st, void **h)
{
        pthread_mutex_lock(&st->lock);
        st->stats.reads++;
        pthread_mutex_unlock(&st->lock);
        return st->eng->reader_take(st->e, h);
}

/* Takes a reader, asks it, gives it back: the shape of every read. */
#define READ(st, call)                                      \
        do {                                                \
                const engine_reads *r = &(st)->eng->read;   \
                void *h;                                    \
                int read_rc = begin_read((st), &h);         \
                if (read_rc == 0) {                         \
                        read_rc = r->call;                  \
                        (st)->eng->reader_give((st)->e, h); \
                }                                           \
                rc = read_rc;                               \
        } while (0)

static uint32_t page(uint32_t limit)
{
        return limit == 0 ? 100 : limit > 1000 ? 1000 : limit;
}

int store_device_get(store *st, int64_t id, odm_arena *a, store_device *out)
{
        int rc;

        READ(st, device_get(h, id, a, out));
        return rc;
}

int store_device_by_name(store *st, odm_str name, odm_arena *a, store_device *out)
{
        int64_t id = 0;
        int rc;

        READ(st, name_owner(h, name, &id));
        if (rc == 0)
                rc = store_device_get(st, id, a, out);
        return rc;
}

int store_device_by_devid(store *st, odm_str devid, odm_arena *a, store_device *out)
{
        int64_t id = 0;
        int rc;

        READ(st, devid_owner(h, devid, &id));
        if (rc == 0)
                rc = store_device_get(st, id, a, out);
        return rc;
}

int store_device_find(store *st, const store_device_filter *f, odm_arena *a, store_device_list *out)
{
        store_device_filter g = *f;
        int rc;

        g.limit = page(f->limit);
        READ(st, device_find(h, &g, a, out));
        return rc;
}

int store_device_wake_due(store *st, int64_t now, uint32_t limit, odm_arena *a,
                          store_device_list *out)
{
        int rc;

        READ(st, wake_due(h, now, page(limit), a, out));
        return rc;
}

int store_account_get(store *st, int64_t device, odm_arena *a, store_account *out)
{
        int rc;

        READ(st, account_get(h, device, a, out));
        return rc;
}

int store_job_get(store *st, int64_t id, odm_arena *a, store_job *out)
{
        int rc;

        READ(st, job_get(h, 0, id, a, out));
        return rc;
}

int store_job_find(store *st, const store_job_filter *f, odm_arena *a, store_job_list *out)
{
        store_job_filter g = *f;
        int rc;

        if (f->in_order && (f->device == 0 || f->before))
                return ODM_EINVAL;
        g.limit = page(f->limit);
        if (g.states == 0)
                g.states = STORE_JOB_BIT(STORE_JOB_STATES) - 1;
        READ(st, job_find(h, &g, a, out));
        return rc;
}

int store_job_results(store *st, int64_t device, int64_t job, odm_arena *a, store_result_list *out)
{
        int rc;

        READ(st, results(h, device, job, a, out));
        return rc;
}

int store_job_notes(store *st, int64_t device, int64_t job, odm_arena *a, store_note_list *out)
{
        int rc;

        READ(st, notes(h, device, job, a, out));
        return rc;
}

static int read_tree(const engine_reads *r, void *h, int64_t device, odm_arena *a, store_tree *out)
{
        const path_book book = {r->path_text, NULL, h};
        odm_str blob;
        int rc = r->tree_get(h, device, a, &blob);

        return rc < 0 ? rc : mirror_decode(blob, &book, a, out);
}

int store_tree_get(store *st, int64_t device, odm_str prefix, odm_arena *a, store_tree *out)
{
        store_tree t;
        void *h;
        int rc = begin_read(st, &h);

        if (rc < 0)
                return rc;
        rc = read_tree(&st->eng->read, h, device, a, &t);
        st->eng->reader_give(st->e, h);
        if (rc < 0)
                return rc;
        mirror_cut(&t, prefix);
        if (t.n == 0)
                return ODM_ENOENT;
        *out = t;
        return 0;
}

int store_session_find(store *st, int64_t device, int64_t before, uint32_t limit, odm_arena *a,
                       store_session_list *out)
{
        int rc;

        READ(st, session_find(h, device, before, page(limit), a, out));
        return rc;
}

int64_t store_session_number(store *st)
{
        return st->eng->session_number(st->e);
}

int store_session_get(store *st, int64_t device, int64_t id, odm_arena *a, store_session *out)
{
        int rc;

        READ(st, session_get(h, device, id, a, out));
        return rc;
}

int store_session_messages(store *st, int64_t device, int64_t session, odm_arena *a,
                           store_message_list *out)
{
        odm_str log = ODM_ABSENT;
        int rc;

        READ(st, session_log(h, device, session, a, &log));
        if (rc == ODM_ENOENT)
                *out = (store_message_list){0};
        return rc < 0 ? rc == ODM_ENOENT ? 0 : rc : unpack_messages(log, a, out);
}

int store_session_saved(store *st, odm_str sid, odm_arena *a, store_session *out, odm_str *saved)
{
        int rc;

        READ(st, saved(h, sid, a, out, saved));
        return rc;
}

int store_token_by_hash(store *st, odm_str hash, odm_arena *a, store_token *out)
{
        int rc;

        READ(st, token_by_hash(h, hash, a, out));
        return rc;
}

int store_token_find(store *st, odm_arena *a, store_token_list *out)
{
        int rc;

        READ(st, token_find(h, a, out));
        return rc;
}

int store_setting_get(store *st, odm_str key, odm_arena *a, odm_str *out)
{
        int rc;

        READ(st, setting_get(h, key, a, out));
        return rc;
}

int store_event_find(store *st, int64_t after, int64_t device, uint32_t limit, odm_arena *a,
                     store_event_list *out)
{
        int rc;

        READ(st, event_find(h, after, device, page(limit), a, out));
        return rc;
}

int store_event_last(store *st, int64_t *out)
{
        int rc;

        READ(st, event_last(h, out));
        return rc;
}

int store_audit_find(store *st, int64_t before, int64_t device, uint32_t limit, odm_arena *a,
                     store_audit_list *out)
{
        int rc;

        READ(st, audit_find(h, before, device, page(limit), a, out));
        return rc;
}

int store_count(store *st, store_counts *out)
{
        int rc;

        READ(st, count(h, out));
        return rc;
}

/* ---- rows of tables --------------------------------------------------------------------- */

int store_row_get(store *st, const store_table *t, const void *row, odm_arena *a, void *out)
{
        int rc;

        if (row == NULL || row_table_at(&st->opt, t) == st->opt.n_tables)
                return ODM_EINVAL;
        READ(st, row_get(h, t, row, a, out));
        return rc;
}

int store_row_find(store *st, const store_scan *s, odm_arena *a, store_rows *out)
{
        store_scan own = *s;
        int rc = row_scan_check(&st->opt, s);

        if (rc < 0)
                return rc;
        own.limit = s->limit == 0              ? ROW_FIND_USUAL
                    : s->limit > ROW_FIND_MOST ? ROW_FIND_MOST
                                               : s->limit;
        READ(st, row_find(h, &own, a, out));
        return rc;
}

int store_row_by(store *st, const store_table *t, uint8_t index, const void *row, odm_arena *a,
                 void *out)
{
        store_scan s = {.table = t, .index = index, .at = row, .limit = 1};
        store_rows found = {.n = 0};
        int rc;

        if (index == 0 || row_table_at(&st->opt, t) == st->opt.n_tables || index > t->n_index)
                return ODM_EINVAL;
        s.same = t->index[index - 1].n;
        rc = store_row_find(st, &s, a, &found);
        if (rc < 0)
                return rc;
        if (found.n == 0)
                return ODM_ENOENT;
        memcpy(out, found.v, t->rec->size);
        return 0;
}

int store_row_count(store *st, const store_scan *s, uint64_t most, uint64_t *out)
{
        store_scan own = *s;
        int rc = row_scan_check(&st->opt, s);

        if (rc < 0)
                return rc;
        own.after = NULL;
        READ(st, row_count(h, &own, most, out));
        return rc;
}
