/* SPDX-License-Identifier: Apache-2.0 */
/* What the SQLite engine does when its disk is full, fails, may not be written, is slow, or gives
 * back other octets than it was given.  Always: no crash, no acknowledged batch lost as long as the
 * disk keeps its word, a sentence that names the file, what is wrong and what to do, and work goes
 * on when the disk does.
 *
 * A batch here stands on its own, with a setting first and a setting last: both are there, or
 * neither. */
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

#include "powercut_vfs.h"
#include "sqlite_db.h"
#include "support.h"
#include "tell.h"

#define S(z) odm_cstr(z)
#define TRIES 14
#define FLIPS 90

static char folder[64], where[96], file[80];

typedef struct rig {
        disk *disk;
        store *st;
        bool acked[TRIES + 1];
        char diag[STORE_DIAG];
} rig;

/* ---- batches --------------------------------------------------------------------------- */

static void put_setting(store_batch *b, const char *format, int i)
{
        store_op *op = store_batch_add(b, STORE_SETTING_PUT);

        op->setting.key = odm_arena_fmt(store_batch_arena(b), format, i);
        op->setting.value = odm_arena_fmt(store_batch_arena(b), "%1500d", i);
}

static store_batch *batch_of(int i)
{
        static const store_tree_change c[] = {
                {.kind = STORE_TREE_SET, .path = {"./A/B", sizeof "./A/B" - 1}, .value = {"x", 1}}};
        store_batch *b = store_batch_new();
        store_op *op;

        put_setting(b, "first%d", i);
        op = store_batch_add(b, STORE_DEVICE_CREATE);
        op->device = (store_device){.name = odm_arena_fmt(store_batch_arena(b), "d%d", i)};
        op = store_batch_add(b, STORE_ACCOUNT_PUT);
        op->account = (store_account){.device = STORE_LAST};
        op = store_batch_add(b, STORE_JOB_CREATE);
        op->job = (store_job){.device = STORE_LAST, .commands = S("[]")};
        op = store_batch_add(b, STORE_TREE_UPDATE);
        op->tree.device = STORE_LAST;
        op->tree.v = c;
        op->tree.n = 1;
        op = store_batch_add(b, STORE_EVENT_ADD);
        op->event = (store_event){.kind = S("k")};
        put_setting(b, "last%d", i);
        return b;
}

static int write_one(rig *r, int i)
{
        store_batch *b = batch_of(i);
        int rc = store_write_sync(r->st, b);

        store_batch_free(b);
        r->acked[i] = rc == 0;
        return rc;
}

static int open_rig(rig *r)
{
        store_opt opt;

        store_opt_init(&opt);
        opt.where = where;
        return store_open(&opt, &r->st, r->diag);
}

static void must_open(rig *r, const char *why)
{
        int rc = open_rig(r);

        if (rc < 0)
                fail_msg("%s: %s (%s)", why, odm_err_name(rc), r->diag);
}

static void close_rig(rig *r)
{
        store_close(r->st);
        r->st = NULL;
}

static rig *rig_new(void)
{
        rig *r = calloc(1, sizeof *r);

        r->disk = disk_new();
        powercut_use(r->disk);
        return r;
}

static void rig_free(rig *r)
{
        close_rig(r);
        powercut_use(NULL);
        disk_free(r->disk);
        free(r);
}

static bool has(rig *r, const char *format, int i)
{
        char key[24];
        odm_arena a;
        odm_str v;

        snprintf(key, sizeof key, format, i);
        odm_arena_init(&a, &heap, 1 << 20);
        int rc = store_setting_get(r->st, S(key), &a, &v);
        if (rc < 0 && rc != ODM_ENOENT)
                fail_msg("%s cannot be read: %s", key, odm_err_name(rc));
        odm_arena_done(&a);
        return rc == 0;
}

/* Acknowledged ones are there; others are not, or, when `maybe`, whole or not at all. */
static void expect_batches(rig *r, bool maybe, const char *why, uint64_t n)
{
        for (int i = 0; i <= TRIES; i++) {
                bool first = has(r, "first%d", i), last = has(r, "last%d", i);
                if (first != last)
                        fail_msg("%s %llu: batch %d is half there", why, (unsigned long long)n, i);
                if (r->acked[i] ? !first : first && !maybe)
                        fail_msg("%s %llu: batch %d was%s acknowledged, and is%s there", why,
                                 (unsigned long long)n, i, r->acked[i] ? "" : " not",
                                 first ? "" : " not");
        }
}

static void expect_words(const char *text, const char *const *words)
{
        for (; *words; words++)
                if (!strstr(text, *words))
                        fail_msg("\"%s\" says nothing of \"%s\"", text, *words);
}

/* ---- full ---------------------------------------------------------------------------------- */

/* Every size from nothing to enough: the store may not open, or refuse batches, until there is
 * room. */
static void a_full_disk_loses_nothing_and_is_told(void **state)
{
        static const char *const words[] = {"/db", "full", "room", NULL};
        bool opened = false, refused = false;

        (void)state;
        for (uint64_t size = 4096;; size += 20480) {
                rig *r = rig_new();
                int failed = 0;
                powercut_set((powercut_faults){.capacity = size, .checkpoint = 30});
                int rc = open_rig(r);
                if (rc < 0) {
                        assert_false(opened); /* what opened in less room opens in more */
                        assert_int_equal(rc, ODM_EIO);
                        expect_words(r->diag, words);
                        powercut_set((powercut_faults){.capacity = 0});
                        must_open(r, "with room again");
                }
                opened = rc == 0;
                for (int i = 0; i < TRIES; i++) {
                        rc = write_one(r, i);
                        if (rc == 0)
                                continue;
                        failed++;
                        assert_int_equal(rc, ODM_EIO);
                        store_diag(r->st, r->diag);
                        expect_words(r->diag, words);
                        expect_batches(r, false, "full at", size); /* it reads on */
                }
                refused |= failed > 0;
                powercut_set((powercut_faults){.capacity = 0});
                assert_int_equal(write_one(r, TRIES), 0);
                expect_batches(r, false, "room after", size);
                close_rig(r);
                must_open(r, "after a full disk");
                expect_batches(r, false, "opened after", size);
                rig_free(r);
                if (opened && failed == 0)
                        break;
        }
        assert_true(refused);
}

/* ---- a disk that fails ---------------------------------------------------------------------- */

static const struct way {
        const char *why;
        int code;
        bool for_ever;
} ways[] = {
        {"a write fails", SQLITE_IOERR_WRITE, false},
        {"a sync fails", SQLITE_IOERR_FSYNC, false},
        {"no room for a moment", SQLITE_FULL, false},
        {"the disk is gone", SQLITE_IOERR_WRITE, true},
};

static void try_all(rig *r)
{
        for (int i = 0; i < TRIES; i++) {
                int rc = write_one(r, i);
                if (rc < 0)
                        assert_int_equal(rc, ODM_EIO);
        }
}

/* True: the failure came. */
static bool fail_at(const struct way *w, uint64_t n)
{
        rig *r = rig_new();
        disk *after;
        bool came;

        must_open(r, w->why);
        powercut_set((powercut_faults){
                .fail_at = n, .code = w->code, .for_ever = w->for_ever, .checkpoint = 30});
        try_all(r);
        came = powercut_changes() >= n;
        expect_batches(r, false, w->why, n);
        powercut_set((powercut_faults){.fail_at = 0});
        if (w->for_ever) { /* and is there again */
                assert_int_equal(write_one(r, TRIES), 0);
                expect_batches(r, false, w->why, n);
        }
        after = disk_cut(r->disk, disk_steps(r->disk), DISK_TEARS, n);
        close_rig(r);
        must_open(r, w->why);
        expect_batches(r, true, "a new start after a failure at", n);
        close_rig(r);
        disk_free(r->disk);
        r->disk = after; /* instead of that, the power went */
        powercut_use(after);
        must_open(r, w->why);
        expect_batches(r, true, "a cut after a failure at", n);
        rig_free(r);
        return came;
}

static void a_failing_disk_is_told_and_survived(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(ways); i++)
                for (uint64_t n = 1; fail_at(&ways[i], n); n += 1 + n / 12)
                        ;
}

/* ---- read-only ----------------------------------------------------------------------------- */

static void a_disk_that_may_not_be_written_is_told(void **state)
{
        static const char *const words[] = {"/db", "may not be written", "read-only", NULL};
        rig *r = rig_new();

        (void)state;
        must_open(r, "new");
        assert_int_equal(write_one(r, 0), 0);
        close_rig(r);
        powercut_set((powercut_faults){.read_only = true});
        assert_int_equal(open_rig(r), ODM_EACCESS);
        expect_words(r->diag, words);
        powercut_set((powercut_faults){.read_only = false});
        must_open(r, "writable again");
        expect_batches(r, false, "read-only", 0);
        rig_free(r);
}

/* ---- slow ------------------------------------------------------------------------------------ */

typedef struct tally {
        pthread_mutex_t lock;
        pthread_cond_t cond;
        int done;
} tally;

static void count_done(void *ctx, store_batch *b, int rc)
{
        tally *t = ctx;

        (void)b;
        assert_int_equal(rc, 0);
        pthread_mutex_lock(&t->lock);
        t->done++;
        pthread_cond_signal(&t->cond);
        pthread_mutex_unlock(&t->lock);
}

static int done_so_far(tally *t)
{
        pthread_mutex_lock(&t->lock);
        int n = t->done;
        pthread_mutex_unlock(&t->lock);
        return n;
}

static void a_slow_disk_acknowledges_nothing_early(void **state)
{
        tally t = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
        rig *r = rig_new();
        store_opt opt;
        store_stats s;
        int taken = 0;

        (void)state;
        store_opt_init(&opt);
        opt.where = where;
        opt.queue_max = 8;
        assert_int_equal(store_open(&opt, &r->st, r->diag), 0);
        assert_int_equal(write_one(r, 0), 0);
        powercut_hold(true);
        for (int rc = 0; rc == 0;) {
                store_batch *b = batch_of(taken + 1);
                rc = store_write(r->st, b, count_done, &t);
                if (rc < 0) {
                        assert_int_equal(rc, ODM_ELIMIT); /* it sheds */
                        store_batch_free(b);
                        break;
                }
                taken++;
                if (taken == 1)
                        while (powercut_waiting() == 0) /* the writer has it, and waits */
                                sched_yield();
        }
        assert_int_equal(taken, 9);
        expect_batches(r, false, "held", 0); /* readers see the first one alone, and do not wait */
        assert_int_equal(done_so_far(&t), 0);
        store_stat(r->st, &s);
        assert_int_equal(s.queue, 8);
        powercut_hold(false);
        pthread_mutex_lock(&t.lock);
        while (t.done < taken)
                pthread_cond_wait(&t.cond, &t.lock);
        pthread_mutex_unlock(&t.lock);
        for (int i = 1; i <= taken; i++)
                r->acked[i] = true;
        expect_batches(r, false, "let go", 0);
        rig_free(r);
}

/* ---- other octets than were written ----------------------------------------------------- */

/* The disk of a store with all batches, closed (`log` false) or as a cut leaves it, with its log.
 */
static disk *filled(bool log)
{
        rig *r = rig_new();
        disk *d;

        powercut_set((powercut_faults){.checkpoint = log ? 9999 : 0});
        must_open(r, "new");
        for (int i = 0; i <= TRIES; i++)
                assert_int_equal(write_one(r, i), 0);
        if (!log)
                close_rig(r);
        d = disk_cut(r->disk, disk_steps(r->disk), DISK_KEEPS_ALL, 0);
        rig_free(r);
        return d;
}

static void flip(disk *d, int no, uint64_t at, size_t n)
{
        uint8_t p[64];

        assert_true(n <= sizeof p);
        n = disk_read(d, no, at, p, n);
        for (size_t i = 0; i < n; i++)
                p[i] ^= 0xa5;
        disk_write(d, no, at, p, n);
}

/* Opened, read and written as far as it goes: a damaged file is refused with a sentence, or says
 * ODM_EIO where it is damaged.  True: it was refused. */
static bool bears(disk *d, const char *why, uint64_t at)
{
        static const char *const words[] = {"/db", "damaged", "backup", NULL};
        rig r = {.disk = d};
        char *all = NULL;
        int rc;

        powercut_use(d);
        rc = open_rig(&r);
        if (rc < 0) {
                /* the head also tells who made the file, and which version */
                if (rc != ODM_EMALFORMED && (at >= 100 || !strstr(r.diag, "/db")))
                        fail_msg("%s at %llu: %s (%s)", why, (unsigned long long)at,
                                 odm_err_name(rc), r.diag);
                if (at >= 100)
                        expect_words(r.diag, words);
                powercut_use(NULL);
                return true;
        }
        rc = tell_all(r.st, &all);
        if (rc < 0 && rc != ODM_EIO)
                fail_msg("%s at %llu: reading gave %s", why, (unsigned long long)at,
                         odm_err_name(rc));
        free(all);
        rc = write_one(&r, TRIES);
        if (rc < 0 && rc != ODM_EIO && rc != ODM_EEXIST)
                fail_msg("%s at %llu: writing gave %s", why, (unsigned long long)at,
                         odm_err_name(rc));
        close_rig(&r);
        powercut_use(NULL);
        return false;
}

static void a_damaged_file_is_refused(void **state)
{
        disk *good = filled(false);
        uint64_t size = disk_size(good, disk_find(good, file));
        unsigned refused = 0;
        seeded rnd;

        (void)state;
        (void)seeded_rng(&rnd, 3);
        for (int i = 0; i < FLIPS; i++) {
                /* the head of the file, heads of pages, and anywhere */
                uint64_t at = i < 30       ? (uint64_t)i * 3
                              : i % 3 == 0 ? seeded_next(&rnd) % size
                                           : seeded_next(&rnd) % (size / 4096) * 4096;
                disk *d = disk_cut(good, disk_steps(good), DISK_KEEPS_ALL, 0);
                flip(d, disk_find(d, file), at, i % 3 == 0 ? 1 : 16);
                refused += bears(d, "octets flipped", at);
                disk_free(d);
        }
        assert_true(refused > FLIPS / 3);
        for (uint64_t left = 1; left < size; left += left < 300 ? 99 : 4096 + 777) {
                disk *d = disk_cut(good, disk_steps(good), DISK_KEEPS_ALL, 0);
                disk_truncate(d, disk_find(d, file), left);
                if (!bears(d, "truncated", left))
                        fail_msg("cut to %llu octets of %llu, it opens", (unsigned long long)left,
                                 (unsigned long long)size);
                disk_free(d);
        }
        disk_free(good);
}

/* A large file is not read through at the start: its damage is met while it serves, and is no fault
 * of who asks. */
static void damage_met_later_is_our_failure(void **state)
{
        disk *d = filled(false);
        rig r = {.disk = d};
        char *all = NULL;

        (void)state;
        powercut_use(d);
        must_open(&r, "good so far");
        for (uint64_t at = 4096; at < disk_size(d, disk_find(d, file)); at += 4096)
                flip(d, disk_find(d, file), at, 16);
        assert_int_equal(tell_all(r.st, &all), ODM_EIO);
        for (int i = 0; i < TRIES; i++) {
                store_batch *b = store_batch_new();
                store_batch_add(b, STORE_DEVICE_DELETE)->of = i + 1;
                int rc = store_write_sync(r.st, b);
                if (rc < 0)
                        assert_int_equal(rc, ODM_EIO);
                store_batch_free(b);
        }
        close_rig(&r);
        powercut_use(NULL);
        disk_free(d);
}

/* What the database holds from before is whole whatever the log says: it is read up to where it is
 * damaged, as after a cut. */
static void a_damaged_log_damages_nothing_else(void **state)
{
        disk *good = filled(true);
        char log[96];
        seeded rnd;

        (void)state;
        snprintf(log, sizeof log, "%s-wal", file);
        uint64_t size = disk_size(good, disk_find(good, log));
        assert_true(size > 50000);
        (void)seeded_rng(&rnd, 4);
        for (int i = 0; i < FLIPS / 2; i++) {
                uint64_t at = i < 8 ? (uint64_t)i * 4 : seeded_next(&rnd) % size;
                disk *d = disk_cut(good, disk_steps(good), DISK_KEEPS_ALL, 0);
                rig r = {.disk = d};
                if (i % 4 == 3)
                        disk_truncate(d, disk_find(d, log), at);
                else
                        flip(d, disk_find(d, log), at, 1 + (size_t)i % 16);
                powercut_use(d);
                must_open(&r, "a damaged log");
                expect_batches(&r, true, "a log damaged at", at);
                bool there = true;
                for (int k = 0; k <= TRIES; k++) { /* the first ones, and no later ones */
                        bool now = has(&r, "first%d", k);
                        assert_true(there || !now);
                        there = now;
                }
                close_rig(&r);
                powercut_use(NULL);
                disk_free(d);
        }
        disk_free(good);
}

static const struct stranger {
        const char *why, *text;
        size_t n;
} strangers[] = {
        {"a text", "[store]\npath = here\n", 20},
        {"zeros", "", 5000},
        {"half a head", "SQLite format 3", 15},
};

static void what_is_no_database_is_left_alone(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(strangers); i++) {
                const struct stranger *s = &strangers[i];
                disk *d = disk_new();
                int no = disk_make(d, file);
                char got[64] = "";
                disk_write(d, no, 0, s->text, strlen(s->text));
                disk_truncate(d, no, s->n);
                if (!bears(d, s->why, 0))
                        fail_msg("%s opens", s->why);
                assert_int_equal(disk_size(d, no), s->n);
                (void)disk_read(d, no, 0, got, sizeof got - 1);
                assert_string_equal(got, s->text);
                disk_free(d);
        }
}

/* ---- main ------------------------------------------------------------------------------------ */

static int set_up(void **state)
{
        (void)state;
        snprintf(folder, sizeof folder, "/tmp/faults_test.XXXXXX");
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
                cmocka_unit_test(a_full_disk_loses_nothing_and_is_told),
                cmocka_unit_test(a_failing_disk_is_told_and_survived),
                cmocka_unit_test(a_disk_that_may_not_be_written_is_told),
                cmocka_unit_test(a_slow_disk_acknowledges_nothing_early),
                cmocka_unit_test(a_damaged_file_is_refused),
                cmocka_unit_test(damage_met_later_is_our_failure),
                cmocka_unit_test(a_damaged_log_damages_nothing_else),
                cmocka_unit_test(what_is_no_database_is_left_alone),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
