/* SPDX-License-Identifier: Apache-2.0 */
/* The power goes at every write, sync, truncation, creation and removal of the SQLite engine.
 *
 * A workload of all kinds of operations runs once on a disk in memory (disk.h); then the disk is
 * made as a cut at each step may have left it, the store is opened on it, and has to be exactly
 * what some first batches make of an empty one: all acknowledged ones among them, none of them
 * half.  What they make is told by the engine in memory.  Then the rest of the batches is written,
 * and all must be there.
 *
 * POWERCUT=all takes every step, in every way; POWERCUT=N that many of them; POWERCUT_SEED chooses
 * which. */
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "powercut_vfs.h"
#include "sqlite_db.h"
#include "sqlite_schema.h"
#include "support.h"
#include "tell.h"

#define S(z) odm_cstr(z)
#define ROUNDS 6
#define KINDS 13
#define BATCHES (ROUNDS * KINDS)
#define GROUP 4       /* batches in a transaction, where the workload makes one of several */
#define CHECKPOINT 20 /* pages of log */
#define CUTS_IN_CHECK 150
#define MIGRATION_CUTS_IN_CHECK 50

static char folder[64], where[96], file[80];
static uint64_t seed;

enum { VERSIONS = sizeof((const char *const[]){SQLITE_MIGRATIONS}) / sizeof(const char *) };

/* ---- the workload: batch i of it, the same every time ------------------------------------- */

#define TEXT(literal)                        \
        {                                    \
                literal, sizeof(literal) - 1 \
        }

static odm_str fmt(store_batch *b, const char *f, int n)
{
        return odm_arena_fmt(store_batch_arena(b), f, n);
}

static void make_device(store_batch *b, int r)
{
        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);

        op->device = (store_device){.name = fmt(b, "acme/%d", r),
                                    .devid = fmt(b, "IMEI:%d", r),
                                    .tags = S("a b"),
                                    .created = 1000 + r};
        op = store_batch_add(b, STORE_ACCOUNT_PUT);
        op->account = (store_account){
                .device = STORE_LAST, .user = fmt(b, "u%d", r), .secret = S("x"), .auth = 2};
        op = store_batch_add(b, STORE_EVENT_ADD);
        op->event = (store_event){
                .at = r, .device = STORE_LAST, .kind = S("device.created"), .data = S("{}")};
        op = store_batch_add(b, STORE_AUDIT_ADD);
        op->audit = (store_audit){
                .at = r, .device = STORE_LAST, .actor = S("otto"), .action = S("create")};
}

static void make_jobs(store_batch *b, int r)
{
        for (int i = 0; i < 2; i++) {
                store_op *op = store_batch_add(b, STORE_JOB_CREATE);
                op->job = (store_job){.device = r,
                                      .kind = S("get"),
                                      .commands = S("[{\"cmd\":\"get\",\"uri\":\"./DevInfo\"}]"),
                                      .priority = i,
                                      .deadline = 9000 + r,
                                      .max_attempts = 3,
                                      .key = i ? ODM_ABSENT : fmt(b, "key%d", r),
                                      .created = 2000 + r};
                op = store_batch_add(b, STORE_JOB_NOTE);
                op->note.device = r;
                op->note.job = STORE_LAST;
                op->note.n = (store_note){.at = 2000, .text = S("made")};
        }
}

/* The session's row, and one more message of it. */
static void put_session(store_batch *b, const store_session *s, store_message m)
{
        store_op *op = store_batch_add(b, STORE_SESSION_PUT);
        store_message *said = odm_new(store_batch_arena(b), store_message);

        assert_non_null(said);
        *said = m;
        op->session.s = *s;
        op->session.v = said;
        op->session.n = 1;
}

static store_session session_row(store_batch *b, int r)
{
        return (store_session){.device = r,
                               .id = r,
                               .dm_id = fmt(b, "%d", r),
                               .sid = fmt(b, "sid%d", r),
                               .codec = S("wbxml"),
                               .started = 3000 + r};
}

static void open_session(store_batch *b, int r)
{
        store_session s = session_row(b, r);
        store_op *op;

        put_session(b, &s,
                    (store_message){.at = 3000, .mime = S("m"), .bytes = fmt(b, "%900d", r)});
        op = store_batch_add(b, STORE_SESSION_SAVE);
        op->save.device = r;
        op->save.session = r;
        op->save.saved = fmt(b, "%5000d", r); /* spills over pages */
}

static store_op *move(store_batch *b, int device, int job, store_job_state from, store_job_state to)
{
        store_op *op = store_batch_add(b, STORE_JOB_MOVE);

        op->job_move.device = device;
        op->job_move.job = job;
        op->job_move.from = STORE_JOB_BIT(from);
        op->job_move.to = to;
        op->job_move.at = 4000;
        return op;
}

static void claim_job(store_batch *b, int r)
{
        store_op *op = move(b, r, 2 * r - 1, STORE_JOB_QUEUED, STORE_JOB_IN_SESSION);

        op->job_move.attempt = 1;
        store_session s = session_row(b, r);

        op->job_move.session = r;
        put_session(b, &s, (store_message){.at = 4000, .out = true, .bytes = fmt(b, "%700d", r)});
}

static void put_nonces(store_batch *b, int r)
{
        store_op *op = store_batch_add(b, STORE_NONCES);

        op->nonces = (store_nonces){.device = r,
                                    .nonce = fmt(b, "nonce%d", r),
                                    .previous = S("before"),
                                    .server_nonce = fmt(b, "ours%d", r)};
}

static void finish_job(store_batch *b, int r)
{
        static store_value v = {.uri = TEXT("./DevInfo/Man"), .data = TEXT("Acme")};
        store_op *op = store_batch_add(b, STORE_RESULT_PUT);

        op->result.device = r;
        op->result.job = 2 * r - 1;
        op->result.r = (store_result){
                .status = 200, .sent = true, .text = fmt(b, "%60d", r), .items = &v, .n_items = 1};
        move(b, r, 2 * r - 1, STORE_JOB_IN_SESSION, STORE_JOB_DONE);
        put_nonces(b, r);
}

static void change_tree(store_batch *b, int r)
{
        static const store_tree_change set[] = {
                {.kind = STORE_TREE_SET, .path = TEXT("./A/One"), .value = TEXT("1")},
                {.kind = STORE_TREE_SET, .path = TEXT("./A/Two"), .value = TEXT("2")},
                {.kind = STORE_TREE_SET, .path = TEXT("./B"), .value = TEXT("3")},
                {.kind = STORE_TREE_CHILDREN, .path = TEXT("./A"), .value = TEXT("One/Three")}};
        store_tree_change *own = odm_new(store_batch_arena(b), store_tree_change);
        store_op *op = store_batch_add(b, STORE_TREE_UPDATE);

        op->tree.device = r;
        op->tree.at = 5000 + r;
        op->tree.v = set;
        op->tree.n = ODM_COUNT(set);
        *own = (store_tree_change){
                .kind = STORE_TREE_SET, .path = fmt(b, "./New/%d", r), .value = S("n")};
        op = store_batch_add(b, STORE_TREE_UPDATE);
        op->tree.device = r;
        op->tree.at = 5001 + r;
        op->tree.v = own;
        op->tree.n = 1;
}

static void end_session(store_batch *b, int r)
{
        store_session s = session_row(b, r);
        store_op *op;

        s.outcome = S("done");
        s.authenticated = true;
        s.last = 6000;
        s.messages = 2;
        s.bytes_in = 900;
        put_session(b, &s, (store_message){.at = 6000, .bytes = S("end")});
        op = store_batch_add(b, STORE_SESSION_SAVE);
        op->save.device = r;
        op->save.session = r;
}

static void put_token(store_batch *b, int r)
{
        store_op *op = store_batch_add(b, STORE_TOKEN_PUT);

        op->token = (store_token){
                .name = fmt(b, "t%d", r), .hash = fmt(b, "%32d", r), .role = S("admin")};
        if (r > 1)
                store_batch_add(b, STORE_TOKEN_DELETE)->key = fmt(b, "t%d", r - 1);
        op = store_batch_add(b, STORE_SETTING_PUT);
        op->setting.key = S("k");
        op->setting.value = fmt(b, "%3000d", r);
}

static void patch_device(store_batch *b, int r)
{
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

        op->device_patch.fields = STORE_DF_NAME | STORE_DF_FWV | STORE_DF_WAKE;
        op->device_patch.to = (store_device){.id = r,
                                             .name = fmt(b, "acme/new/%d", r),
                                             .fwv = S("2"),
                                             .wake_at = 7000,
                                             .wake_session = (uint32_t)r};
        op = store_batch_add(b, STORE_LOCKOUT);
        op->lockout = (store_lockout){r, 3, 8000};
}

static void delete_device(store_batch *b, int r)
{
        if (r % 3 == 0)
                store_batch_add(b, STORE_DEVICE_DELETE)->of = r - 1;
        else
                move(b, r, 2 * r, STORE_JOB_QUEUED, STORE_JOB_CANCELLED);
}

static tell_row *new_row(store_batch *b, store_op_kind kind, int64_t device, int64_t n,
                         uint64_t fields)
{
        store_op *op = store_batch_add(b, kind);
        tell_row *row = odm_new(store_batch_arena(b), tell_row);

        assert_true(op && row);
        *row = (tell_row){.device = device, .n = n};
        op->row = (store_row_op){.table = &tell_table, .row = row, .fields = fields};
        return row;
}

/* Numbers 2 r - 1 and 2 r. */
static void add_rows(store_batch *b, int r)
{
        for (int i = 0; i < 2; i++) {
                tell_row *row = new_row(b, STORE_ROW_ADD, r, 0, 0);
                row->name = fmt(b, i ? "second %d" : "first %d", r);
                row->state = i ? (uint32_t)r % 3 : 0;
        }
}

static void change_rows(store_batch *b, int r)
{
        static const tell_row nine = {.state = 9}, none = {.state = 0};
        static const store_scan nines = {
                .table = &tell_table, .index = TELL_BY_STATE, .same = 1, .at = &nine, .limit = 1};
        tell_row *row = new_row(b, STORE_ROW_PATCH, r, 2 * r - 1,
                                STORE_FIELD(TELL_COUNT) | STORE_FIELD(TELL_STATE));
        store_op *op = b->ops[b->n - 1];

        row->count = 5;
        row->state = 9;
        op->row.plus = STORE_FIELD(TELL_COUNT);
        op->row.where = STORE_FIELD(TELL_STATE);
        op->row.is = &none;
        row = new_row(b, STORE_ROW_PUT, r, 2 * r, 0);
        row->name = fmt(b, "new %d", r);
        row->text = fmt(b, "%5000d", r); /* spills over pages */
        if (r > 1)
                new_row(b, STORE_ROW_DELETE, r - 1, 2 * r - 2, 0);
        if (r % 2 == 0)
                store_batch_add(b, STORE_ROWS_DELETE)->row.scan = &nines;
}

/* A batch that is turned down in its last operation. */
static void be_refused(store_batch *b, int r)
{
        store_op *op = store_batch_add(b, STORE_SETTING_PUT);

        op->setting.key = S("never");
        op->setting.value = S("seen");
        move(b, r, 2 * r - 1, STORE_JOB_QUEUED, STORE_JOB_FAILED);
}

static void write_event(store_batch *b, int r)
{
        store_op *op = store_batch_add(b, STORE_EVENT_ADD);

        op->event = (store_event){.at = r, .kind = S("job.done"), .data = fmt(b, "%200d", r)};
        op = store_batch_add(b, STORE_AUDIT_ADD);
        op->audit = (store_audit){.at = r, .actor = S("ada"), .action = S("look")};
}

static store_batch *batch_of(int i)
{
        static void (*const kinds[KINDS])(store_batch * b, int r) = {
                make_device,  make_jobs,     add_rows,    open_session, claim_job,
                finish_job,   change_tree,   end_session, put_token,    change_rows,
                patch_device, delete_device, be_refused};
        store_batch *b = store_batch_new();

        kinds[i % KINDS](b, i / KINDS + 1);
        if (i % KINDS < 4)
                write_event(b, i);
        return b;
}

static int rc_of(int i)
{
        return i % KINDS == KINDS - 1 ? ODM_ESTATE : 0;
}

/* For a file that was filled long ago. */
static store_batch *later_batch(int i)
{
        store_batch *b = store_batch_new();
        store_op *op;

        make_device(b, 100 + i);
        op = store_batch_add(b, STORE_JOB_CREATE);
        op->job = (store_job){.device = 7,
                              .kind = S("get"),
                              .commands = S("[]"),
                              .key = fmt(b, "later%d", i),
                              .created = 9000};
        new_row(b, STORE_ROW_ADD, 7, 0, 0)->name = fmt(b, "later %d", i);
        return b;
}

static int always_0(int i)
{
        (void)i;
        return 0;
}

typedef struct plan {
        int n; /* batches */
        store_batch *(*batch)(int i);
        int (*rc)(int i); /* what becomes of it */
} plan;

static const plan all_kinds = {BATCHES, batch_of, rc_of}, later = {8, later_batch, always_0};

static char *told(store *st, char why[200])
{
        char *all = NULL;
        int rc = tell_all(st, &all);

        if (rc < 0)
                snprintf(why, 200, "it cannot be read: %s", odm_err_name(rc));
        return all;
}

/* ---- what the batches make of a store ------------------------------------------------------ */

typedef struct truth {
        const plan *plan;
        char *after[BATCHES + 1]; /* after the first i batches */
} truth;

static int open_store(const char *at, store **out, char why[200])
{
        char diag[STORE_DIAG];
        store_opt opt;

        store_opt_init(&opt);
        opt.where = at;
        opt.tables = tell_tables;
        opt.n_tables = 1;
        int rc = store_open(&opt, out, diag);
        if (rc < 0)
                snprintf(why, 200, "it does not open: %s (%.150s)", odm_err_name(rc), diag);
        return rc;
}

static void write_batch(store *st, const plan *p, int i)
{
        store_batch *b = p->batch(i);
        int rc = store_write_sync(st, b);

        if (rc != p->rc(i))
                fail_msg("batch %d gave %s", i, odm_err_name(rc));
        store_batch_free(b);
}

static void learn(store *st, truth *t)
{
        char why[200] = "";

        for (int i = 0; i <= t->plan->n; i++) {
                t->after[i] = told(st, why);
                if (!t->after[i])
                        fail_msg("after batch %d %s", i, why);
                if (i < t->plan->n)
                        write_batch(st, t->plan, i);
        }
        store_close(st);
}

static void forget(truth *t)
{
        for (int i = 0; i <= t->plan->n; i++)
                free(t->after[i]);
}

static const char *first_difference(const char *a, const char *b)
{
        const char *line = a;

        for (; *a && *a == *b; a++, b++)
                if (*a == '\n')
                        line = a + 1;
        return line;
}

/* How many batches it is the result of, at least `least`; -1: of no number. */
static int batches_in(const truth *t, const char *all, uint64_t least)
{
        for (int i = (int)least; i <= t->plan->n; i++)
                if (strcmp(t->after[i], all) == 0)
                        return i;
        return -1;
}

/* ---- the workload, once ----------------------------------------------------------------- */

typedef struct desk { /* where batches are answered */
        const plan *plan;
        pthread_mutex_t lock;
        pthread_cond_t cond;
        disk *disk;
        int done;
        bool open;
} desk;

typedef struct ticket {
        desk *at;
        int batch; /* -1: holds the writer until the group is complete */
} ticket;

static void answered(void *ctx, store_batch *b, int rc)
{
        const ticket *t = ctx;
        desk *d = t->at;

        (void)b;
        pthread_mutex_lock(&d->lock);
        if (t->batch < 0) {
                while (!d->open)
                        pthread_cond_wait(&d->cond, &d->lock);
        } else if (rc == d->plan->rc(t->batch)) {
                disk_promise(d->disk, (uint64_t)t->batch + 1);
        }
        d->done++;
        pthread_cond_broadcast(&d->cond);
        pthread_mutex_unlock(&d->lock);
}

static void wait_answers(desk *d, int n)
{
        pthread_mutex_lock(&d->lock);
        d->open = true;
        pthread_cond_broadcast(&d->cond);
        while (d->done < n)
                pthread_cond_wait(&d->cond, &d->lock);
        pthread_mutex_unlock(&d->lock);
}

/* Batches first .. first+n-1 as one transaction, or as one each. */
static void write_group(store *st, desk *d, int first, int n)
{
        ticket t[GROUP + 1] = {{d, -1}};
        store_batch *gate = store_batch_new();

        d->done = 0;
        d->open = false;
        assert_int_equal(store_write(st, gate, answered, &t[0]), 0);
        for (int i = 0; i < n; i++) {
                t[i + 1] = (ticket){d, first + i};
                assert_int_equal(store_write(st, d->plan->batch(first + i), answered, &t[i + 1]),
                                 0);
        }
        wait_answers(d, n + 1);
}

/* Writes the batches from `first` on, alone and in groups in turn, with the store closed and
 * opened once between. */
static int work(disk *on, const plan *p, int first, char why[200])
{
        desk d = {.plan = p, .disk = on};
        store *st;
        int rc = open_store(where, &st, why);

        if (rc < 0)
                return rc;
        pthread_mutex_init(&d.lock, NULL);
        pthread_cond_init(&d.cond, NULL);
        for (int i = first; i < p->n;) {
                int n = i % 3 ? 1 : GROUP;
                if (n > p->n - i)
                        n = p->n - i;
                write_group(st, &d, i, n);
                i += n;
                if (i % 40 < n) {
                        store_close(st);
                        rc = open_store(where, &st, why);
                        if (rc < 0)
                                break;
                }
        }
        if (rc == 0)
                store_close(st);
        pthread_cond_destroy(&d.cond);
        pthread_mutex_destroy(&d.lock);
        return rc;
}

/* ---- what is found after a cut ---------------------------------------------------------- */

static bool integrity(char why[200])
{
        sqlite3_stmt *st = NULL;
        bool ok = false;
        db x;

        if (db_open(&x, file, false) < 0) {
                snprintf(why, 200, "it does not open again: %.100s", x.diag);
                return false;
        }
        if (sqlite3_prepare_v2(x.c, "PRAGMA integrity_check", -1, &st, NULL) == SQLITE_OK &&
            sqlite3_step(st) == SQLITE_ROW) {
                const char *text = (const char *)sqlite3_column_text(st, 0);
                ok = strcmp(text, "ok") == 0;
                snprintf(why, 200, "the file is not whole: %.100s", text);
        }
        sqlite3_finalize(st);
        db_close(&x);
        return ok;
}

/* The store on the disk in use holds the batches promised: how many, -1 with the reason if not. */
static int holds(const truth *t, uint64_t promised, char why[200])
{
        store *st;
        char *all;
        int n = -1;

        if (open_store(where, &st, why) < 0)
                return -1;
        all = told(st, why);
        store_close(st);
        if (all) {
                n = batches_in(t, all, promised);
                if (n < 0)
                        snprintf(why, 200, "%d batches were promised, and it says \"%.100s\"",
                                 (int)promised, first_difference(all, t->after[promised]));
        }
        free(all);
        return n;
}

/* The disk as a cut left it; the work goes on to its end on it. */
static bool survives(const truth *t, disk *after, char why[200])
{
        uint64_t promised = disk_promised(after, 0);
        powercut_faults f = {.checkpoint = CHECKPOINT};
        int n;

        powercut_use(after);
        powercut_set(f);
        n = holds(t, promised, why);
        if (n < 0 || !integrity(why))
                return false;
        if (work(after, t->plan, n, why) < 0)
                return false;
        return holds(t, (uint64_t)t->plan->n, why) == t->plan->n;
}

typedef struct cut {
        size_t at;
        disk_loss how;
        size_t again; /* a second one, so many steps into the work after it; 0: none */
} cut;

static bool survives_cut(const truth *t, disk *d, const cut *c, char why[200])
{
        uint64_t mix = seed ^ ((uint64_t)c->at << 8) ^ (uint64_t)c->how;
        disk *after = disk_cut(d, c->at, c->how, mix), *second = NULL;
        bool ok = survives(t, after, why);

        if (ok && c->again) {
                second = disk_cut(after, c->again % (disk_steps(after) + 1), DISK_TEARS, mix + 1);
                ok = survives(t, second, why);
        }
        powercut_use(NULL);
        disk_free(second);
        disk_free(after);
        return ok;
}

static size_t cuts_wanted(size_t in_check)
{
        const char *z = getenv("POWERCUT");

        if (z && strcmp(z, "all") == 0)
                return SIZE_MAX;
        return z ? strtoul(z, NULL, 10) : in_check;
}

/* Every way at every step, or a sample of `most`: those that fail. */
static size_t cut_everywhere(const truth *t, disk *d, size_t most, bool tell)
{
        size_t steps = disk_steps(d), all = (steps + 1) * DISK_LOSSES, failed = 0;
        size_t n = most < all ? most : all;
        char why[200] = "";
        seeded rnd;

        (void)seeded_rng(&rnd, seed);
        for (size_t i = 0; i < n; i++) {
                uint64_t chosen = n == all ? i : seeded_next(&rnd) % all;
                cut c = {(size_t)(chosen / DISK_LOSSES), (disk_loss)(chosen % DISK_LOSSES),
                         i % 4 == 0 ? (size_t)(seeded_next(&rnd) >> 32) + 1 : 0};
                if (survives_cut(t, d, &c, why))
                        continue;
                failed++;
                if (tell)
                        print_error("cut after step %zu of %zu, which %s, again %zu: %s\n", c.at,
                                    steps, disk_loss_name(c.how), c.again, why);
                if (failed == 5 || !tell)
                        break;
        }
        if (tell)
                print_message("# %zu cuts of %zu, seed %llu\n", n, all, (unsigned long long)seed);
        return failed;
}

/* ---- tests --------------------------------------------------------------------------------- */

/* Runs the plan once on `on`. */
static disk *recorded(const plan *p, powercut_faults f, disk *on)
{
        char why[200] = "";

        f.checkpoint = CHECKPOINT;
        powercut_use(on);
        powercut_set(f);
        if (work(on, p, 0, why) < 0)
                fail_msg("the workload: %s", why);
        powercut_use(NULL);
        assert_int_equal(disk_promised(on, disk_steps(on)), p->n);
        return on;
}

static void learn_empty(truth *t)
{
        char why[200] = "";
        store *st;

        t->plan = &all_kinds;
        assert_int_equal(open_store("mem:", &st, why), 0);
        learn(st, t);
}

static void a_cut_at_any_write_loses_no_promise(void **state)
{
        disk *d = recorded(&all_kinds, (powercut_faults){.fail_at = 0}, disk_new());
        truth t;

        (void)state;
        learn_empty(&t);
        size_t failed = cut_everywhere(&t, d, cuts_wanted(CUTS_IN_CHECK), true);
        forget(&t);
        disk_free(d);
        assert_int_equal(failed, 0);
}

/* What proves something only if it can fail. */
static const struct bad {
        const char *why;
        powercut_faults f;
} bads[] = {
        {"nothing is synced (synchronous=OFF)", {.synchronous = "0"}},
        {"commits are not synced (synchronous=NORMAL)", {.synchronous = "1"}},
        {"the disk says synced and lies", {.sync_lies = true}},
        {"the folder is never synced", {.names_lie = true}},
};

static void a_store_that_does_not_sync_is_caught(void **state)
{
        truth t;

        (void)state;
        learn_empty(&t);
        for (size_t i = 0; i < ODM_COUNT(bads); i++) {
                disk *d = recorded(&all_kinds, bads[i].f, disk_new());
                if (cut_everywhere(&t, d, 300, false) == 0)
                        fail_msg("%s, and no cut showed it", bads[i].why);
                disk_free(d);
        }
        forget(&t);
}

/* ---- files of older versions ------------------------------------------------------------ */

/* A disk with a file of that version, as its own program left it: testdata/README.md. */
static disk *disk_of_version(unsigned version)
{
        disk *d = disk_new(), *settled;
        char path[300];
        odm_buf sql;
        db x;

        snprintf(path, sizeof path, "%s/version-%u.sql", TESTDATA, version);
        FILE *f = fopen(path, "r");
        if (!f)
                fail_msg("%s: each version that was has its file", path);
        odm_buf_init(&sql, &heap, 1 << 20);
        for (int c = getc(f); c != EOF; c = getc(f))
                assert_int_equal(odm_buf_byte(&sql, (uint8_t)c), 0);
        assert_int_equal(odm_buf_byte(&sql, 0), 0);
        fclose(f);
        powercut_use(d);
        assert_int_equal(db_open(&x, file, false), 0);
        if (db_exec(&x, sql.p) < 0)
                fail_msg("%s: %s", path, x.diag);
        db_close(&x);
        odm_buf_done(&sql);
        powercut_use(NULL);
        settled = disk_cut(d, disk_steps(d), DISK_KEEPS_ALL, 0);
        disk_free(d);
        return settled;
}

static void expect_old_jobs(store *st, odm_arena *a)
{
        store_job_filter f = {.device = 7};
        store_job_list l;
        store_job j;
        store_result_list r;

        assert_int_equal(store_job_find(st, &f, a, &l), 0);
        assert_int_equal(l.n, 2);
        assert_int_equal(store_job_get(st, 11, a, &j), 0);
        assert_int_equal(j.state, STORE_JOB_DONE);
        assert_int_equal(store_job_get(st, 12, a, &j), 0);
        assert_int_equal(j.state, STORE_JOB_QUEUED);
        assert_null(j.key.p);
        assert_int_equal(store_job_results(st, 7, 11, a, &r), 0);
        assert_int_equal(r.n, 1);
        assert_int_equal(r.v[0].status, 200);
        assert_str(r.v[0].items[0].data, "Acme");
}

static void expect_found(store *st, store_device_filter f, odm_arena *a)
{
        store_device_list l;

        assert_int_equal(store_device_find(st, &f, a, &l), 0);
        assert_int_equal(l.n, 1);
        assert_int_equal(l.v[0].id, 7);
}

/* What each of those files holds. */
static void expect_old_content(store *st)
{
        odm_arena a;
        store_device d;
        store_account acc;
        store_session s;
        store_message_list m;
        store_tree t;
        odm_str v;

        odm_arena_init(&a, &heap, 1 << 20);
        assert_int_equal(store_device_by_name(st, S("old/meter"), &a, &d), 0);
        assert_int_equal(d.id, 7);
        assert_str(d.model, "M1");
        expect_found(st, (store_device_filter){.tag = S("old")}, &a);
        expect_found(st, (store_device_filter){.tag = S("north")}, &a);
        expect_found(st, (store_device_filter){.model = S("M1")}, &a);
        assert_int_equal(store_device_by_devid(st, S("IMEI:7"), &a, &d), 0);
        assert_int_equal(store_account_get(st, 7, &a, &acc), 0);
        assert_str(acc.nonce, "abc");
        expect_old_jobs(st, &a);
        assert_int_equal(store_session_get(st, 7, 5, &a, &s), 0);
        assert_str(s.outcome, "done");
        assert_int_equal(store_session_messages(st, 7, 5, &a, &m), 0);
        assert_int_equal(m.n, 1);
        assert_int_equal(store_tree_get(st, 7, S("./DevInfo"), &a, &t), 0);
        assert_str(t.v[t.n - 1].value, "Acme");
        assert_int_equal(store_setting_get(st, S("rest.token_hash"), &a, &v), 0);
        assert_str(v, "hash");
        odm_arena_done(&a);
}

static void learn_old(unsigned version, truth *t)
{
        disk *d = disk_of_version(version);
        char why[200] = "";
        store *st;

        t->plan = &later;
        powercut_use(d);
        if (open_store(where, &st, why) < 0)
                fail_msg("version %u: %s", version, why);
        expect_old_content(st);
        learn(st, t);
        powercut_use(NULL);
        disk_free(d);
}

static void an_older_file_is_brought_forward_whole(void **state)
{
        (void)state;
        for (unsigned v = 1; v < VERSIONS; v++) {
                truth t;
                learn_old(v, &t);
                disk *d = recorded(&later, (powercut_faults){.fail_at = 0}, disk_of_version(v));
                size_t failed = cut_everywhere(&t, d, cuts_wanted(MIGRATION_CUTS_IN_CHECK), true);
                forget(&t);
                disk_free(d);
                assert_int_equal(failed, 0);
        }
}

static int set_up(void **state)
{
        const char *z = getenv("POWERCUT_SEED");

        (void)state;
        seed = z ? strtoull(z, NULL, 10) : 1;
        snprintf(folder, sizeof folder, "/tmp/powercut_test.XXXXXX");
        if (!mkdtemp(folder)) /* of the lock, which is a file of the system */
                return -1;
        snprintf(file, sizeof file, "%s/db", folder);
        snprintf(where, sizeof where, "sqlite:%s", file);
        powercut_install();
        return 0;
}

static int tear_down(void **state)
{
        char lock[96];

        (void)state;
        powercut_remove();
        snprintf(lock, sizeof lock, "%s-lock", file);
        unlink(lock);
        return rmdir(folder);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_cut_at_any_write_loses_no_promise),
                cmocka_unit_test(a_store_that_does_not_sync_is_caught),
                cmocka_unit_test(an_older_file_is_brought_forward_whole),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
