/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of store.h, held to each engine in turn, and what only a file can show: that it
 * outlives a kill, refuses what it cannot read, and shares its syncs. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sqlite_db.h"
#include "store.h"
#include "support.h"
#include "tell.h"

/* ---- a store for a test ------------------------------------------------------------ */

typedef struct fix {
        const char *engine; /* "mem" or "sqlite" */
        bool wrapped;       /* through the fail engine, which fails nothing */
        char dir[64], where[128];
        store_opt opt;
        store_fault fault;
        store *st;
        odm_arena a;
} fix;

static void open_again(fix *f)
{
        char diag[STORE_DIAG];
        int rc = store_open(&f->opt, &f->st, diag);

        if (rc < 0)
                fail_msg("open %s: %s (%s)", f->where, odm_err_name(rc), diag);
}

static fix *fix_new(const char *engine, bool wrapped)
{
        fix *f = calloc(1, sizeof *f);

        f->engine = engine;
        f->wrapped = wrapped;
        snprintf(f->dir, sizeof f->dir, "%s", "/tmp/store_test.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        snprintf(f->where, sizeof f->where, "%s", "mem:");
        if (strcmp(engine, "sqlite") == 0)
                snprintf(f->where, sizeof f->where, "sqlite:%s/db", f->dir);
        store_opt_init(&f->opt);
        f->opt.where = f->where;
        f->opt.fault = wrapped ? &f->fault : NULL;
        odm_arena_init(&f->a, &heap, (size_t)64 << 20);
        open_again(f);
        return f;
}

static void fix_free(fix *f)
{
        static const char *const names[] = {"db", "db-wal", "db-shm", "db-lock"};
        char path[160];

        store_close(f->st);
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
                unlink(path);
        }
        rmdir(f->dir);
        odm_arena_done(&f->a);
        free(f);
}

static int mem_setup(void **state)
{
        *state = fix_new("mem", false);
        return 0;
}

static int sqlite_setup(void **state)
{
        *state = fix_new("sqlite", false);
        return 0;
}

static int fail_setup(void **state)
{
        *state = fix_new("sqlite", true);
        return 0;
}

static int teardown(void **state)
{
        fix_free(*state);
        return 0;
}

#define S(z) odm_cstr(z)

static int write_now(fix *f, store_batch *b)
{
        int rc = store_write_sync(f->st, b);

        store_batch_free(b);
        return rc;
}

static void add_device(store_batch *b, const char *name, const char *devid, const char *model)
{
        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);

        op->device = (store_device){
                .name = S(name), .devid = S(devid), .model = S(model), .created = 1000};
}

static int64_t new_device(fix *f, const char *name)
{
        store_batch *b = store_batch_new();
        char devid[80];
        int64_t id;

        snprintf(devid, sizeof devid, "IMEI:%s", name);
        add_device(b, name, devid, "M1");
        assert_int_equal(store_write_sync(f->st, b), 0);
        id = b->ops[0]->id;
        assert_true(id > 0);
        store_batch_free(b);
        return id;
}

static store_op *add_job(store_batch *b, int64_t device, int priority)
{
        store_op *op = store_batch_add(b, STORE_JOB_CREATE);

        op->job = (store_job){.device = device,
                              .kind = S("get"),
                              .commands = S("[{}]"),
                              .priority = priority,
                              .max_attempts = 3,
                              .created = 2000};
        return op;
}

static int64_t new_job(fix *f, int64_t device, int priority)
{
        store_batch *b = store_batch_new();
        int64_t id;

        add_job(b, device, priority);
        assert_int_equal(store_write_sync(f->st, b), 0);
        id = b->ops[0]->id;
        store_batch_free(b);
        return id;
}

static store_op *add_move(store_batch *b, int64_t device, int64_t job, uint32_t from,
                          store_job_state to)
{
        store_op *op = store_batch_add(b, STORE_JOB_MOVE);

        op->job_move.device = device;
        op->job_move.job = job;
        op->job_move.from = from;
        op->job_move.to = to;
        op->job_move.at = 3000;
        return op;
}

static int move(fix *f, int64_t device, int64_t job, uint32_t from, store_job_state to)
{
        store_batch *b = store_batch_new();

        add_move(b, device, job, from, to);
        return write_now(f, b);
}

/* ---- devices ------------------------------------------------------------------------ */

static void device_comes_back_as_it_was_put(void **state)
{
        fix *f = *state;
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);
        store_device d;

        op->device = (store_device){.name = S("acme/meter/17"),
                                    .devid = S("IMEI:17"),
                                    .state = STORE_DEVICE_HELD,
                                    .maker = S("Acme"),
                                    .tags = S("blue north"),
                                    .wake_override = S("udp://:2948"),
                                    .reached = S("http://a:1"),
                                    .created = 7,
                                    .wake_at = 9,
                                    .wake_tries = 2,
                                    .wake_session = 77};
        assert_int_equal(write_now(f, b), 0);
        assert_int_equal(store_device_by_devid(f->st, S("IMEI:17"), &f->a, &d), 0);
        assert_str(d.name, "acme/meter/17");
        assert_str(d.maker, "Acme");
        assert_str(d.tags, "blue north");
        assert_str(d.reached, "http://a:1");
        assert_null(d.model.p);
        assert_int_equal(d.state, STORE_DEVICE_HELD);
        assert_int_equal(d.created, 7);
        assert_int_equal(d.updated, 7);
        assert_int_equal(d.rev, 1);
        assert_int_equal(d.wake_session, 77);
        assert_int_equal(store_device_by_name(f->st, S("acme/meter/17"), &f->a, &d), 0);
        assert_int_equal(store_device_get(f->st, d.id, &f->a, &d), 0);
        assert_int_equal(store_device_get(f->st, d.id + 1, &f->a, &d), ODM_ENOENT);
        assert_int_equal(store_device_by_name(f->st, S("acme/meter"), &f->a, &d), ODM_ENOENT);
}

static void names_and_devids_are_unique(void **state)
{
        fix *f = *state;
        store_batch *b;
        store_device d;

        new_device(f, "a");
        b = store_batch_new();
        add_device(b, "a", "other", NULL);
        assert_int_equal(write_now(f, b), ODM_EEXIST);
        b = store_batch_new();
        add_device(b, "b", "IMEI:a", NULL);
        assert_int_equal(write_now(f, b), ODM_EEXIST);
        b = store_batch_new(); /* twice in one batch: nothing of it happens */
        add_device(b, "c", NULL, NULL);
        add_device(b, "c", NULL, NULL);
        assert_int_equal(write_now(f, b), ODM_EEXIST);
        assert_int_equal(store_device_by_name(f->st, S("c"), &f->a, &d), ODM_ENOENT);
        b = store_batch_new(); /* devices without a DevId do not collide */
        add_device(b, "d", NULL, NULL);
        add_device(b, "e", "", NULL);
        assert_int_equal(write_now(f, b), 0);
        b = store_batch_new();
        add_device(b, "", NULL, NULL);
        assert_int_equal(write_now(f, b), ODM_EINVAL);
}

static int patch(fix *f, int64_t id, uint32_t fields, int64_t rev, store_device to)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

        to.id = id;
        op->device_patch = (store_device_patch){.fields = fields, .expect_rev = rev, .to = to};
        return write_now(f, b);
}

static void a_patch_changes_what_it_names(void **state)
{
        fix *f = *state;
        int64_t id = new_device(f, "a"), other = new_device(f, "b");
        store_device d, to = {.name = S("z"),
                              .fwv = S("2.0"),
                              .reached = S("https://b"),
                              .updated = 50,
                              .last_contact = 49};
        uint32_t fields = STORE_DF_FWV | STORE_DF_LAST_CONTACT | STORE_DF_REACHED;

        assert_int_equal(patch(f, id, fields, 0, to), 0);
        assert_int_equal(store_device_get(f->st, id, &f->a, &d), 0);
        assert_str(d.reached, "https://b");
        assert_str(d.name, "a");
        assert_str(d.fwv, "2.0");
        assert_str(d.model, "M1");
        assert_int_equal(d.last_contact, 49);
        assert_int_equal(d.rev, 1); /* no operator's doing */
        assert_int_equal(patch(f, id, STORE_DF_NAME, 1, to), 0);
        assert_int_equal(store_device_by_name(f->st, S("z"), &f->a, &d), 0);
        assert_int_equal(d.rev, 2);
        assert_int_equal(store_device_by_name(f->st, S("a"), &f->a, &d), ODM_ENOENT);
        assert_int_equal(patch(f, id, STORE_DF_NAME, 1, to), ODM_ESTATE); /* rev has moved on */
        to.name = S("b");
        assert_int_equal(patch(f, id, STORE_DF_NAME, 0, to), ODM_EEXIST);
        to.devid = S("IMEI:b");
        assert_int_equal(patch(f, id, STORE_DF_DEVID, 0, to), ODM_EEXIST);
        to.devid = S("new");
        assert_int_equal(patch(f, id, STORE_DF_DEVID, 0, to), 0);
        assert_int_equal(store_device_by_devid(f->st, S("IMEI:a"), &f->a, &d), ODM_ENOENT);
        assert_int_equal(store_device_by_devid(f->st, S("new"), &f->a, &d), 0);
        assert_int_equal(patch(f, other + 5, STORE_DF_FWV, 0, to), ODM_ENOENT);
}

static void devices_are_listed_in_pages(void **state)
{
        fix *f = *state;
        store_batch *b = store_batch_new();
        store_device_list l;
        store_device_filter q = {.limit = 10};
        char names[25][16];

        for (int i = 0; i < 25; i++) {
                snprintf(names[i], sizeof names[i], "%s/%02d", i % 2 ? "odd" : "even", i);
                add_device(b, names[i], NULL, i % 5 ? "M1" : "M5");
        }
        assert_int_equal(write_now(f, b), 0);
        for (int page = 0; page < 3; page++) {
                assert_int_equal(store_device_find(f->st, &q, &f->a, &l), 0);
                assert_int_equal(l.n, page < 2 ? 10 : 5);
                assert_int_equal(l.more, page < 2);
                q.after = l.v[l.n - 1].name;
        }
        assert_str(q.after, "odd/23");
        q = (store_device_filter){.prefix = S("odd/")};
        assert_int_equal(store_device_find(f->st, &q, &f->a, &l), 0);
        assert_int_equal(l.n, 12);
        q.model = S("M5");
        assert_int_equal(store_device_find(f->st, &q, &f->a, &l), 0);
        assert_int_equal(l.n, 2);
        q = (store_device_filter){.text = S("EVEN/0")};
        assert_int_equal(store_device_find(f->st, &q, &f->a, &l), 0);
        assert_int_equal(l.n, 5);
        q = (store_device_filter){.states = 1u << STORE_DEVICE_ACTIVE};
        assert_int_equal(store_device_find(f->st, &q, &f->a, &l), 0);
        assert_int_equal(l.n, 0);
        assert_false(l.more);
}

static void tags_and_contact_filter(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a"), b = new_device(f, "b");
        store_device_filter q = {.tag = S("blue")};
        store_device_list l;

        assert_int_equal(patch(f, a, STORE_DF_TAGS | STORE_DF_LAST_CONTACT, 0,
                               (store_device){.tags = S("red blue"), .last_contact = 100}),
                         0);
        assert_int_equal(patch(f, b, STORE_DF_TAGS | STORE_DF_LAST_CONTACT, 0,
                               (store_device){.tags = S("blueish"), .last_contact = 200}),
                         0);
        assert_int_equal(store_device_find(f->st, &q, &f->a, &l), 0);
        assert_int_equal(l.n, 1);
        assert_int_equal(l.v[0].id, a);
        q = (store_device_filter){.contact_before = 200};
        assert_int_equal(store_device_find(f->st, &q, &f->a, &l), 0);
        assert_int_equal(l.n, 1);
        q = (store_device_filter){.contact_after = 200};
        assert_int_equal(store_device_find(f->st, &q, &f->a, &l), 0);
        assert_int_equal(l.v[0].id, b);
}

/* Random devices, changed and deleted at random, and random filters beside a look at each device.
 */

#define FLEET 60

static const char *any_of(uint64_t *seed, const char *const *v, unsigned n)
{
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        return v[(unsigned)(*seed >> 33) % n];
}
#define ANY(seed, ...)                                   \
        any_of(seed, (const char *const[]){__VA_ARGS__}, \
               ODM_COUNT(((const char *const[]){__VA_ARGS__})))

static store_device any_device(uint64_t *seed)
{
        return (store_device){
                .state = ANY(seed, "", NULL, NULL, NULL) ? STORE_DEVICE_ACTIVE : STORE_DEVICE_HELD,
                .maker = S(ANY(seed, "Acme", "Bolt", "", NULL)),
                .model = S(ANY(seed, "M1", "M2", NULL)),
                .fwv = S(ANY(seed, "1.0", "1.1", "2.0", NULL)),
                .tags = S(ANY(seed, "north", "north blue", "blue  red ", "northern", "", NULL)),
                .last_contact = ANY(seed, "", NULL) ? 100 : 200};
}

static store_device_filter any_filter(uint64_t *seed)
{
        return (store_device_filter){.prefix = S(ANY(seed, NULL, NULL, "a/", "b/1", "\xff")),
                                     .text = S(ANY(seed, NULL, NULL, "ACM", "a/2", "m1")),
                                     .states = ANY(seed, "", NULL) ? 1u << STORE_DEVICE_HELD
                                               : ANY(seed, "", NULL)
                                                       ? 1u << STORE_DEVICE_HELD |
                                                                 1u << STORE_DEVICE_ACTIVE
                                                       : 0,
                                     .maker = S(ANY(seed, NULL, NULL, "Acme", "Bolt", "")),
                                     .model = S(ANY(seed, NULL, NULL, "M1", "M2", "M3", "")),
                                     .fwv = S(ANY(seed, NULL, NULL, NULL, "1.0", "")),
                                     .tag = S(ANY(seed, NULL, NULL, "north", "red", "nor")),
                                     .contact_before = ANY(seed, "", NULL, NULL) ? 200 : 0,
                                     .limit = ANY(seed, "", NULL) ? 3 : 50,
                                     .look = ANY(seed, "", NULL) ? 4 : 0};
}

static bool has_tag(odm_str tags, odm_str tag)
{
        char padded[80], word[40];

        snprintf(padded, sizeof padded, " %.*s ", (int)tags.n, tags.p ? tags.p : "");
        snprintf(word, sizeof word, " %.*s ", (int)tag.n, tag.p);
        return strstr(padded, word) != NULL;
}

static bool has_text(odm_str hay, odm_str needle)
{
        char x[64], y[64];

        snprintf(x, sizeof x, "%.*s", (int)hay.n, hay.p ? hay.p : "");
        snprintf(y, sizeof y, "%.*s", (int)needle.n, needle.p);
        return strcasestr(x, y) != NULL;
}

static bool is_wanted(const store_device_filter *f, const store_device *d)
{
        return (!f->states || f->states >> d->state & 1) &&
               (!f->prefix.n || odm_str_eq(odm_str_to(d->name, f->prefix.n), f->prefix)) &&
               (!f->text.n || has_text(d->name, f->text) || has_text(d->maker, f->text) ||
                has_text(d->model, f->text) || has_text(d->devid, f->text)) &&
               (!f->maker.p || odm_str_eq(f->maker, d->maker)) &&
               (!f->model.p || odm_str_eq(f->model, d->model)) &&
               (!f->fwv.p || odm_str_eq(f->fwv, d->fwv)) &&
               (!f->tag.n || has_tag(d->tags, f->tag)) &&
               (!f->contact_before || d->last_contact < f->contact_before);
}

static int by_name(const void *a, const void *b)
{
        return odm_str_cmp(((const store_device *)a)->name, ((const store_device *)b)->name);
}

static void expect_list(fix *f, store_device_filter q, const store_device *all, size_t n)
{
        store_device_list l;
        size_t at = 0;
        unsigned pages = 0;

        do {
                assert_int_equal(store_device_find(f->st, &q, &f->a, &l), 0);
                assert_true(l.n <= q.limit && ++pages < 2 * FLEET);
                for (size_t i = 0; i < l.n; i++, at++) {
                        while (at < n && !is_wanted(&q, &all[at]))
                                at++;
                        assert_true(at < n && l.v[i].id == all[at].id);
                }
                if (l.more && q.look == 0)
                        assert_int_equal(l.n, q.limit);
                if (l.more)
                        assert_true(odm_str_cmp(l.next, q.after) > 0);
                q.after = l.next;
        } while (l.more);
        while (at < n && !is_wanted(&q, &all[at]))
                at++;
        assert_int_equal(at, n);
}

static void change_fleet(fix *f, const int64_t *ids, uint64_t *seed)
{
        for (int i = 0; i < FLEET; i++) {
                store_batch *b = store_batch_new();
                store_op *op;

                if (i % 9 == 8) {
                        store_batch_add(b, STORE_DEVICE_DELETE)->of = ids[i];
                } else {
                        op = store_batch_add(b, STORE_DEVICE_PATCH);
                        op->device_patch.to = any_device(seed);
                        op->device_patch.to.id = ids[i];
                        op->device_patch.to.name = odm_arena_fmt(store_batch_arena(b), "b/%d!", i);
                        op->device_patch.fields = STORE_DF_TAGS | STORE_DF_MAKER |
                                                  (i % 2 ? STORE_DF_MODEL | STORE_DF_FWV : 0) |
                                                  (i % 3 ? 0 : STORE_DF_NAME | STORE_DF_STATE);
                }
                assert_int_equal(write_now(f, b), 0);
        }
}

static size_t look_at_each(fix *f, const int64_t *ids, store_device *all)
{
        size_t n = 0;

        for (int i = 0; i < FLEET; i++)
                n += store_device_get(f->st, ids[i], &f->a, &all[n]) == 0;
        qsort(all, n, sizeof *all, by_name);
        return n;
}

static void device_lists_agree_with_a_look_at_each(void **state)
{
        fix *f = *state;
        store_device all[FLEET];
        int64_t ids[FLEET];
        uint64_t seed = 3;

        for (int i = 0; i < FLEET; i++) {
                store_batch *b = store_batch_new();
                store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);

                op->device = any_device(&seed);
                op->device.name = odm_arena_fmt(store_batch_arena(b), "%c/%d", 'a' + i % 2, i);
                assert_int_equal(store_write_sync(f->st, b), 0);
                ids[i] = op->id;
                store_batch_free(b);
        }
        for (int round = 0; round < 3; round++) {
                size_t n = look_at_each(f, ids, all);
                for (int i = 0; i < 300; i++)
                        expect_list(f, any_filter(&seed), all, n);
                if (round == 0)
                        change_fleet(f, ids, &seed);
                odm_arena_reset(&f->a);
        }
}

static void wake_ups_come_due(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a"), b = new_device(f, "b");
        store_device_list l;

        new_device(f, "c");
        patch(f, a, STORE_DF_WAKE, 0, (store_device){.wake_at = 200, .wake_tries = 1});
        patch(f, b, STORE_DF_WAKE, 0, (store_device){.wake_at = 100});
        assert_int_equal(store_device_wake_due(f->st, 99, 10, &f->a, &l), 0);
        assert_int_equal(l.n, 0);
        assert_int_equal(store_device_wake_due(f->st, 200, 10, &f->a, &l), 0);
        assert_int_equal(l.n, 2);
        assert_int_equal(l.v[0].id, b);
        assert_int_equal(store_device_wake_due(f->st, 200, 1, &f->a, &l), 0);
        assert_true(l.n == 1 && l.more);
}

static int wake_again(fix *f, int64_t id, int64_t was, int64_t at)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

        op->device_patch = (store_device_patch){.fields = STORE_DF_WAKE,
                                                .expect_wake = true,
                                                .expect_wake_at = was,
                                                .to = {.id = id, .wake_at = at, .wake_session = 7}};
        return write_now(f, b);
}

static void a_wake_up_that_a_session_ended_does_not_begin_again(void **state)
{
        fix *f = *state;
        int64_t id = new_device(f, "a");
        store_device d;

        assert_int_equal(wake_again(f, id, 0, 100), 0);
        assert_int_equal(wake_again(f, id, 100, 200), 0);
        assert_int_equal(patch(f, id, STORE_DF_WAKE, 0, (store_device){0}), 0);
        assert_int_equal(wake_again(f, id, 200, 400), ODM_ESTATE);
        assert_int_equal(store_device_get(f->st, id, &f->a, &d), 0);
        assert_int_equal(d.wake_at, 0);
        assert_int_equal(d.wake_session, 0);
        assert_int_equal(wake_again(f, id, 0, 500), 0);
}

/* ---- accounts ------------------------------------------------------------------------- */

static int put_account(fix *f, int64_t device, const char *user)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ACCOUNT_PUT);

        op->account = (store_account){.device = device,
                                      .user = S(user),
                                      .secret = S("qCuuTa3laq2VWRZa+k/r6g=="),
                                      .auth = 2,
                                      .nonce = S("never taken from here")};
        return write_now(f, b);
}

static void nonces_and_lockout_outlive_an_account_change(void **state)
{
        fix *f = *state;
        int64_t id = new_device(f, "a");
        store_batch *b;
        store_op *op;
        store_account acc;

        assert_int_equal(store_account_get(f->st, id, &f->a, &acc), ODM_ENOENT);
        assert_int_equal(put_account(f, id, "u1"), 0);
        assert_int_equal(put_account(f, id + 9, "u1"), ODM_ENOENT);
        b = store_batch_new();
        op = store_batch_add(b, STORE_NONCES);
        op->nonces = (store_nonces){id, {"\0\1\2", 3}, ODM_STR("old"), ODM_ABSENT};
        op = store_batch_add(b, STORE_LOCKOUT);
        op->lockout = (store_lockout){id, 4, 12345};
        assert_int_equal(write_now(f, b), 0);
        assert_int_equal(put_account(f, id, "u2"), 0);
        assert_int_equal(store_account_get(f->st, id, &f->a, &acc), 0);
        assert_str(acc.user, "u2");
        assert_int_equal(acc.nonce.n, 3);
        assert_memory_equal(acc.nonce.p, "\0\1\2", 3);
        assert_str(acc.previous, "old");
        assert_null(acc.server_nonce.p);
        assert_int_equal(acc.failures, 4);
        assert_int_equal(acc.locked_until, 12345);
}

/* ---- batches ---------------------------------------------------------------------------- */

static void a_batch_is_all_or_nothing(void **state)
{
        fix *f = *state;
        store_batch *b = store_batch_new();
        store_device d;
        int64_t job, id = new_device(f, "x");

        job = new_job(f, id, 0);
        add_device(b, "a", NULL, NULL);
        add_move(b, id, job, STORE_JOB_BIT(STORE_JOB_QUEUED), STORE_JOB_DONE);
        add_move(b, id, job, STORE_JOB_BIT(STORE_JOB_QUEUED), STORE_JOB_DONE);
        assert_int_equal(store_write_sync(f->st, b), ODM_ESTATE);
        assert_int_equal(b->ops[0]->rc, 0);
        assert_int_equal(b->ops[2]->rc, ODM_ESTATE);
        b->ops[2]->lenient = true; /* the same again: now the refusal stays where it is */
        assert_int_equal(store_device_by_name(f->st, S("a"), &f->a, &d), ODM_ENOENT);
        assert_int_equal(store_write_sync(f->st, b), 0);
        assert_int_equal(b->ops[2]->rc, ODM_ESTATE);
        assert_int_equal(store_device_by_name(f->st, S("a"), &f->a, &d), 0);
        store_batch_free(b);
}

static void later_operations_name_what_earlier_ones_made(void **state)
{
        fix *f = *state;
        store_batch *b = store_batch_new();
        store_op *op;
        store_job j;
        store_account acc;
        const store_message hello = {.bytes = S("hello")};
        store_message_list m;

        new_device(f, "first");
        add_device(b, "a", NULL, NULL);
        op = store_batch_add(b, STORE_ACCOUNT_PUT);
        op->account = (store_account){.device = STORE_LAST, .user = S("u")};
        add_job(b, STORE_LAST, 0);
        op = store_batch_add(b, STORE_SESSION_PUT);
        op->session.s = (store_session){.device = STORE_LAST, .started = 5};
        op->session.v = &hello;
        op->session.n = 1;
        op = add_move(b, STORE_LAST, STORE_LAST, STORE_JOB_OPEN, STORE_JOB_IN_SESSION);
        op->job_move.session = STORE_LAST;
        assert_int_equal(store_write_sync(f->st, b), 0);
        assert_int_equal(store_account_get(f->st, b->ops[0]->id, &f->a, &acc), 0);
        assert_int_equal(store_job_get(f->st, b->ops[2]->id, &f->a, &j), 0);
        assert_int_equal(j.device, b->ops[0]->id);
        assert_int_equal(j.session, b->ops[3]->id);
        assert_int_equal(store_session_messages(f->st, j.device, b->ops[3]->id, &f->a, &m), 0);
        assert_int_equal(m.n, 1);
        assert_int_equal(m.v[0].n, 1);
        store_batch_free(b);
}

/* ---- jobs ---------------------------------------------------------------------------------- */

static void jobs_move_only_from_where_they_are_expected(void **state)
{
        static const struct row {
                const char *why;
                uint32_t from;
                store_job_state to;
                int rc;
                bool finished;
        } rows[] = {
                {"a claim", STORE_JOB_BIT(STORE_JOB_QUEUED), STORE_JOB_IN_SESSION, 0, false},
                {"a second claim", STORE_JOB_BIT(STORE_JOB_QUEUED), STORE_JOB_IN_SESSION,
                 ODM_ESTATE, false},
                {"put back", STORE_JOB_BIT(STORE_JOB_IN_SESSION), STORE_JOB_QUEUED, 0, false},
                {"done", STORE_JOB_OPEN, STORE_JOB_DONE, 0, true},
                {"cancelled too late", STORE_JOB_OPEN, STORE_JOB_CANCELLED, ODM_ESTATE, true},
        };
        fix *f = *state;
        int64_t id = new_device(f, "a"), job = new_job(f, id, 0);
        store_job j;

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int rc = move(f, id, job, rows[i].from, rows[i].to);
                assert_int_equal(store_job_get(f->st, job, &f->a, &j), 0);
                if (rc != rows[i].rc || (j.finished != 0) != rows[i].finished)
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
        }
        assert_int_equal(move(f, id, job + 1, STORE_JOB_OPEN, STORE_JOB_DONE), ODM_ENOENT);
        assert_int_equal(move(f, id + 1, job, STORE_JOB_OPEN, STORE_JOB_DONE), ODM_ENOENT);
}

static void a_claim_counts_and_fences(void **state)
{
        fix *f = *state;
        int64_t id = new_device(f, "a"), job = new_job(f, id, 0);
        store_batch *b = store_batch_new();
        store_op *op = add_move(b, id, job, STORE_JOB_BIT(STORE_JOB_QUEUED), STORE_JOB_IN_SESSION);
        store_job j;

        op->job_move.attempt = true;
        op->job_move.session = 8;
        op->job_move.reason = S("because");
        op->job_move.correlator = S("c1");
        op->job_move.route = S("udp wake");
        assert_int_equal(write_now(f, b), 0);
        assert_int_equal(store_job_get(f->st, job, &f->a, &j), 0);
        assert_int_equal(j.attempts, 1);
        assert_int_equal(j.started, 3000);
        assert_str(j.reason, "because");
        assert_str(j.route, "udp wake");
        b = store_batch_new();
        op = add_move(b, id, job, STORE_JOB_OPEN, STORE_JOB_DONE);
        op->job_move.expect_session = 9; /* another session's */
        assert_int_equal(write_now(f, b), ODM_ESTATE);
        b = store_batch_new();
        op = add_move(b, id, job, STORE_JOB_OPEN, STORE_JOB_DONE);
        op->job_move.expect_attempts = 0;
        assert_int_equal(write_now(f, b), ODM_ESTATE);
        b = store_batch_new();
        op = add_move(b, id, job, STORE_JOB_OPEN, STORE_JOB_DONE);
        op->job_move.expect_session = 8;
        op->job_move.expect_attempts = 1;
        op->job_move.reason = S("");
        assert_int_equal(write_now(f, b), 0);
        assert_int_equal(store_job_get(f->st, job, &f->a, &j), 0);
        assert_null(j.reason.p);
        assert_str(j.correlator, "c1");
        assert_str(j.commands, "[{}]");
}

static void jobs_are_found_by_order_state_and_correlator(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a"), b = new_device(f, "b");
        int64_t low = new_job(f, a, 1), high = new_job(f, a, 9), last = new_job(f, a, 1);
        int64_t other = new_job(f, b, 5);
        store_job_filter q = {
                .device = a, .states = STORE_JOB_BIT(STORE_JOB_QUEUED), .in_order = true};
        store_job_list l;
        store_batch *x;

        assert_int_equal(store_job_find(f->st, &q, &f->a, &l), 0);
        assert_int_equal(l.n, 3);
        assert_true(l.v[0].id == high && l.v[1].id == low && l.v[2].id == last);
        assert_str(l.v[0].commands, "[{}]");
        q = (store_job_filter){.limit = 2, .no_commands = true};
        assert_int_equal(store_job_find(f->st, &q, &f->a, &l), 0);
        assert_true(l.n == 2 && l.more && l.v[0].id == other && l.v[1].id == last);
        assert_null(l.v[0].commands.p);
        q.before = last;
        assert_int_equal(store_job_find(f->st, &q, &f->a, &l), 0);
        assert_true(l.n == 2 && !l.more && l.v[0].id == high && l.v[1].id == low);
        x = store_batch_new();
        add_move(x, a, low, STORE_JOB_OPEN, STORE_JOB_WAITING)->job_move.correlator = S("c7");
        assert_int_equal(write_now(f, x), 0);
        q = (store_job_filter){
                .device = a, .correlator = S("c7"), .states = STORE_JOB_BIT(STORE_JOB_WAITING)};
        assert_int_equal(store_job_find(f->st, &q, &f->a, &l), 0);
        assert_true(l.n == 1 && l.v[0].id == low);
        q = (store_job_filter){.in_order = true};
        assert_int_equal(store_job_find(f->st, &q, &f->a, &l), ODM_EINVAL);
}

/* Pages of jobs of some states, beside all jobs. */
static void job_pages_agree_with_all_jobs(void **state)
{
        fix *f = *state;
        int64_t ids[40], device[4];
        unsigned states[40];

        for (int i = 0; i < 4; i++)
                device[i] = new_device(f, (const char *[]){"a", "b", "c", "d"}[i]);
        for (unsigned i = 0; i < 40; i++) {
                ids[i] = new_job(f, device[i * 7 % 4], 0);
                states[i] = i * 5 % STORE_JOB_STATES;
                assert_int_equal(move(f, device[i * 7 % 4], ids[i], STORE_JOB_OPEN, states[i]), 0);
        }
        for (uint32_t mask = 1; mask < STORE_JOB_BIT(STORE_JOB_STATES); mask += 7) {
                store_job_filter q = {.states = mask, .limit = 1 + mask % 5, .no_commands = true};
                store_job_list l;
                unsigned at = 40;
                do {
                        assert_int_equal(store_job_find(f->st, &q, &f->a, &l), 0);
                        for (size_t i = 0; i < l.n; i++) {
                                while (at > 0 && !(mask >> states[at - 1] & 1))
                                        at--;
                                assert_true(at > 0 && l.v[i].id == ids[--at]);
                        }
                        q.before = l.n ? l.v[l.n - 1].id : 0;
                } while (l.more);
                while (at > 0 && !(mask >> states[at - 1] & 1))
                        at--;
                assert_int_equal(at, 0);
                odm_arena_reset(&f->a);
        }
}

static void deadlines_are_found(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a"), first, second;
        store_job_filter q = {.states = STORE_JOB_OPEN, .deadline_before = 50};
        store_job_list l;
        store_batch *b = store_batch_new();

        add_job(b, a, 0)->job.deadline = 50;
        add_job(b, a, 0)->job.deadline = 51;
        add_job(b, a, 0); /* none */
        assert_int_equal(store_write_sync(f->st, b), 0);
        first = b->ops[0]->id;
        second = b->ops[1]->id;
        store_batch_free(b);
        assert_int_equal(store_job_find(f->st, &q, &f->a, &l), 0);
        assert_true(l.n == 1 && l.v[0].id == first);
        move(f, a, first, STORE_JOB_OPEN, STORE_JOB_EXPIRED);
        q.deadline_before = 60;
        assert_int_equal(store_job_find(f->st, &q, &f->a, &l), 0);
        assert_true(l.n == 1 && l.v[0].id == second);
}

static void results_and_notes_are_kept_with_the_job(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a"), job = new_job(f, a, 0);
        store_value items[] = {
                {S("./A"), S("chr"), S("text/plain"), S("1")},
                {S("./B"), ODM_ABSENT, ODM_ABSENT, {"\0\xff", 2}},
                {S("./C"), S("node"), ODM_ABSENT, ODM_ABSENT},
        };
        store_result_list r;
        store_note_list n;
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_RESULT_PUT);

        op->result.device = a;
        op->result.job = job;
        op->result.r = (store_result){2, 200, true, S("fine"), 44, items, 3};
        op = store_batch_add(b, STORE_RESULT_PUT);
        op->result.device = a;
        op->result.job = job;
        op->result.r = (store_result){.index = 0, .status = 404};
        for (int i = 0; i < 120; i++) {
                op = store_batch_add(b, STORE_JOB_NOTE);
                op->note.device = a;
                op->note.job = job;
                op->note.n = (store_note){i, STORE_JOB_QUEUED, S("text")};
        }
        assert_int_equal(write_now(f, b), 0);
        assert_int_equal(store_job_results(f->st, a, job, &f->a, &r), 0);
        assert_int_equal(r.n, 2);
        assert_int_equal(r.v[0].status, 404);
        assert_int_equal(r.v[1].index, 2);
        assert_int_equal(r.v[1].n_items, 3);
        assert_str(r.v[1].items[0].data, "1");
        assert_memory_equal(r.v[1].items[1].data.p, "\0\xff", 2);
        assert_null(r.v[1].items[2].data.p);
        assert_null(r.v[1].items[1].format.p);
        assert_int_equal(store_job_notes(f->st, a, job, &f->a, &n), 0);
        assert_int_equal(n.n, 100);
        assert_int_equal(n.v[0].at, 20);
        assert_int_equal(store_job_results(f->st, a, job + 1, &f->a, &r), 0);
        assert_int_equal(r.n, 0);
}

static void open_jobs_have_a_ceiling_and_ended_ones_go(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a"), first = 0;
        store_batch *b;
        store_job_list l;
        store_job j;

        store_close(f->st);
        f->opt.jobs_open_max = 4;
        f->opt.jobs_kept = 2;
        if (f->opt.where[0] == 'm') { /* a new store: what was made is gone */
                open_again(f);
                a = new_device(f, "a");
        } else {
                open_again(f);
        }
        for (int i = 0; i < 4; i++) {
                int64_t id = new_job(f, a, 0);
                first = first ? first : id;
        }
        b = store_batch_new();
        add_job(b, a, 0);
        assert_int_equal(write_now(f, b), ODM_ELIMIT);
        for (int64_t i = first; i < first + 4; i++)
                assert_int_equal(move(f, a, i, STORE_JOB_OPEN, STORE_JOB_DONE), 0);
        assert_int_equal(store_job_find(f->st, &(store_job_filter){.device = a}, &f->a, &l), 0);
        assert_int_equal(l.n, 2);
        assert_int_equal(l.v[1].id, first + 2);
        assert_int_equal(store_job_get(f->st, first, &f->a, &j), ODM_ENOENT);
        assert_true(new_job(f, a, 0) >= first + 4);
}

static void a_key_names_one_job_of_a_device(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a"), other = new_device(f, "b"), first;
        store_batch *b = store_batch_new();
        store_job_list l;
        store_job j;

        add_job(b, a, 0);
        b->ops[0]->job.key = ODM_STR("k");
        assert_int_equal(store_write_sync(f->st, b), 0);
        first = b->ops[0]->id;
        store_batch_free(b);
        assert_int_equal(store_job_get(f->st, first, &f->a, &j), 0);
        assert_str(j.key, "k");
        b = store_batch_new();
        add_job(b, a, 0);
        b->ops[0]->job.key = ODM_STR("k");
        assert_int_equal(store_write_sync(f->st, b), ODM_EEXIST);
        assert_int_equal(b->ops[0]->id, first);
        store_batch_free(b);
        b = store_batch_new();
        add_job(b, other, 0); /* of another device: another name */
        b->ops[0]->job.key = ODM_STR("k");
        assert_int_equal(write_now(f, b), 0);
        (void)new_job(f, a, 0); /* without a key there are many */
        (void)new_job(f, a, 0);
        assert_int_equal(store_job_find(f->st, &(store_job_filter){.device = a}, &f->a, &l), 0);
        assert_int_equal(l.n, 3);
}

/* One that was made before all of them and ends behind them is the newest that ended. */
static void a_job_that_ends_late_is_kept(void **state)
{
        fix *f = *state;
        int64_t a, slow, id;
        store_batch *b;
        store_op *op;
        store_job_list l;
        store_job j;

        store_close(f->st);
        f->opt.jobs_kept = 3;
        open_again(f);
        a = new_device(f, "late");
        slow = new_job(f, a, 0);
        for (int i = 0; i < 5; i++) {
                id = new_job(f, a, 0);
                assert_int_equal(move(f, a, id, STORE_JOB_OPEN, STORE_JOB_DONE), 0);
        }
        b = store_batch_new();
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move = (store_job_move){.device = a,
                                        .job = slow,
                                        .from = STORE_JOB_OPEN,
                                        .expect_attempts = -1,
                                        .to = STORE_JOB_CANCELLED,
                                        .at = 1000000};
        op = store_batch_add(b, STORE_JOB_NOTE);
        op->note.device = a;
        op->note.job = slow;
        op->note.n.text = S("why");
        assert_int_equal(write_now(f, b), 0);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(store_job_get(f->st, slow, &f->a, &j), 0);
                assert_int_equal(j.state, STORE_JOB_CANCELLED);
                id = new_job(f, a, 0); /* nor does the next to end take its place */
                assert_int_equal(move(f, a, id, STORE_JOB_OPEN, STORE_JOB_DONE), 0);
        }
        assert_int_equal(store_job_find(f->st, &(store_job_filter){.device = a}, &f->a, &l), 0);
        assert_int_equal(l.n, 3);
}

/* ---- the mirror ------------------------------------------------------------------------- */

static int change_tree(fix *f, int64_t device, int64_t at, const store_tree_change *v, size_t n)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_TREE_UPDATE);

        op->tree.device = device;
        op->tree.at = at;
        op->tree.v = v;
        op->tree.n = n;
        return write_now(f, b);
}

static void expect_tree(fix *f, int64_t device, const char *prefix, const char *want)
{
        char got[1024] = "";
        size_t n = 0;
        store_tree t;
        int rc = store_tree_get(f->st, device, S(prefix), &f->a, &t);

        if (rc == 0)
                for (size_t i = 0; i < t.n; i++)
                        n += (size_t)snprintf(got + n, sizeof got - n, "%s%.*s=%.*s", i ? " " : "",
                                              (int)t.v[i].path.n, t.v[i].path.p,
                                              (int)t.v[i].value.n,
                                              t.v[i].value.p ? t.v[i].value.p : "");
        assert_string_equal(rc < 0 ? odm_err_name(rc) : got, want);
}

#define SET(p, v)                                                        \
        {                                                                \
                STORE_TREE_SET, S(p), S("chr"), S("text/plain"), S(v), 0 \
        }

static void the_mirror_follows_changes(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a");
        const store_tree_change first[] = {SET("./A-B", "x"), SET("./A/B/C", "1"),
                                           SET("./A/B/D", "2"), SET("./A/E", "3")};
        const store_tree_change children[] = {
                {STORE_TREE_CHILDREN, S("./A/B"), ODM_ABSENT, ODM_ABSENT, S("D/F"), 0}};
        const store_tree_change gone[] = {
                {STORE_TREE_GONE, S("./A/B"), ODM_ABSENT, ODM_ABSENT, ODM_ABSENT, 0}};
        const store_tree_change leaf[] = {SET("./A", "flat")};
        const store_tree_change bad[] = {SET("A", "x")};
        store_tree t;

        expect_tree(f, a, ".", "ENOENT");
        assert_int_equal(change_tree(f, a, 100, first, 4), 0);
        expect_tree(f, a, ".", ".= ./A= ./A/B= ./A/B/C=1 ./A/B/D=2 ./A/E=3 ./A-B=x");
        expect_tree(f, a, "./A/B", "./A/B= ./A/B/C=1 ./A/B/D=2");
        expect_tree(f, a, "./A/B/D", "./A/B/D=2");
        expect_tree(f, a, "./A/B/Dx", "ENOENT");
        assert_int_equal(change_tree(f, a, 200, children, 1), 0);
        expect_tree(f, a, "./A/B", "./A/B= ./A/B/D=2 ./A/B/F=");
        assert_int_equal(store_tree_get(f->st, a, S("./A/B"), &f->a, &t), 0);
        assert_int_equal(t.at, 200);
        assert_int_equal(t.v[1].at, 100);
        assert_str(t.v[1].format, "chr");
        assert_str(t.v[1].type, "text/plain");
        assert_str(t.v[0].format, "node");
        assert_null(t.v[2].format.p);
        assert_int_equal(change_tree(f, a, 300, gone, 1), 0);
        expect_tree(f, a, ".", ".= ./A= ./A/E=3 ./A-B=x");
        assert_int_equal(change_tree(f, a, 300, bad, 1), ODM_EINVAL);
        assert_int_equal(change_tree(f, a, 250, leaf, 1), 0); /* the clock stepped back */
        expect_tree(f, a, ".", ".= ./A=flat ./A-B=x");
        assert_int_equal(change_tree(f, a + 1, 250, leaf, 1), ODM_ENOENT);
}

static void the_mirror_has_ceilings(void **state)
{
        fix *f = *state;
        int64_t a;
        char big[200];
        store_tree_change c[2] = {SET("./A", "x"), SET("./B", "x")};
        store_tree t;

        store_close(f->st);
        f->opt.mirror_value_max = 100;
        f->opt.mirror_bytes = 150;
        open_again(f);
        a = new_device(f, "m");
        memset(big, 'b', sizeof big);
        c[0].value = (odm_str){big, 101};
        c[1].value = (odm_str){big, 100};
        assert_int_equal(change_tree(f, a, 5, c, 2), 0);
        assert_int_equal(store_tree_get(f->st, a, S("."), &f->a, &t), 0);
        assert_int_equal(t.n, 3);
        assert_null(t.v[1].value.p); /* too large by itself */
        assert_int_equal(t.v[1].size, 101);
        assert_int_equal(t.v[2].value.n, 100);
        c[0].path = S("./C");
        c[0].value = (odm_str){big, 90};
        assert_int_equal(change_tree(f, a, 6, c, 1), 0);
        assert_int_equal(store_tree_get(f->st, a, S("./C"), &f->a, &t), 0);
        assert_null(t.v[0].value.p); /* no room left for it */
        assert_int_equal(t.v[0].size, 90);
}

/* What was a leaf loses its value where it turns out to have children. */
static void the_mirror_keeps_no_value_of_an_interior_node(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a");
        const store_tree_change leaf[] = {SET("./A", "x"), SET("./B", "y")};
        const store_tree_change interior[] = {
                {STORE_TREE_CHILDREN, S("./A"), ODM_ABSENT, ODM_ABSENT, S("C"), 0},
                {STORE_TREE_SET, S("./B"), S("node"), ODM_ABSENT, ODM_ABSENT, 0}};
        store_tree t;

        assert_int_equal(change_tree(f, a, 1, leaf, 2), 0);
        assert_int_equal(change_tree(f, a, 2, interior, 2), 0);
        expect_tree(f, a, ".", ".= ./A= ./A/C= ./B=");
        assert_int_equal(store_tree_get(f->st, a, S("./B"), &f->a, &t), 0);
        assert_int_equal(t.v[0].size, 0);
}

static store_tree_change random_change(odm_arena *a, uint64_t *seed)
{
        static const char *const lists[] = {"", "a", "b/c", "c/a-/b/a"};
        static const char *const names[] = {"a", "a-", "b", "bb", "c"};
        store_tree_change c = {STORE_TREE_SET, .format = ODM_STR("chr"), .value = ODM_STR("v")};
        odm_str path = ODM_STR(".");
        uint64_t r = *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        const unsigned kind = r >> 33 & 63;

        for (unsigned depth = 1 + (r >> 40) % 4; depth; depth--, r /= 5)
                path = odm_arena_fmt(a, "%.*s/%s", (int)path.n, path.p, names[(r >> 44) % 5]);
        c.path = path;
        if (kind == 0) {
                c.kind = STORE_TREE_GONE;
        } else if (kind == 1) {
                c.kind = STORE_TREE_CHILDREN;
                c.value = S(lists[(r >> 20) % 4]);
        } else if (kind < 48) { /* mostly not known whether it is a leaf */
                c.format = ODM_ABSENT;
        }
        return c;
}

/* Many changes in one operation come to what they come to one by one. */
static void the_mirror_makes_the_same_of_many_changes_at_once(void **state)
{
        enum { CHANGES = 200 };
        fix *f = *state;
        int64_t at_once = new_device(f, "a"), singly = new_device(f, "b");
        store_tree_change v[CHANGES];
        store_tree x, y;
        uint64_t seed = 1;

        for (int round = 0; round < 5; round++) {
                for (size_t i = 0; i < CHANGES; i++)
                        v[i] = random_change(&f->a, &seed);
                assert_int_equal(change_tree(f, at_once, 5 + round, v, CHANGES), 0);
                for (size_t i = 0; i < CHANGES; i++)
                        assert_int_equal(change_tree(f, singly, 5 + round, &v[i], 1), 0);
                assert_int_equal(store_tree_get(f->st, at_once, S("."), &f->a, &x), 0);
                assert_int_equal(store_tree_get(f->st, singly, S("."), &f->a, &y), 0);
                assert_int_equal(x.n, y.n);
                assert_true(x.n > 20);
                for (size_t i = 0; i < x.n; i++) {
                        assert_true(odm_str_eq(x.v[i].path, y.v[i].path));
                        assert_true(odm_str_eq(x.v[i].format, y.v[i].format));
                        assert_true(odm_str_eq(x.v[i].value, y.v[i].value));
                        assert_int_equal(x.v[i].at, y.v[i].at);
                }
        }
}

/* Processor time of telling a device's n nodes, twice, in an order that is none. */
static double time_of_telling(fix *f, const char *device, size_t n, bool as_list)
{
        int64_t id = new_device(f, device);
        store_tree_change *v = calloc(n, sizeof *v), list = {STORE_TREE_CHILDREN, .path = S("./A")};
        char(*paths)[8] = calloc(n, sizeof *paths), *names = malloc(n * 7 + 1), *p = names;
        clock_t start;

        assert_true(v && paths && names);
        for (size_t i = 0; i < n; i++) {
                p += snprintf(p, 8, "%s%06zx", i ? "/" : "", (n - i) * 7919 % 0xfffffd);
                memcpy(paths[i], "./", 2);
                memcpy(paths[i] + 2, p - 6, 6);
                v[i] = (store_tree_change){STORE_TREE_SET, .path = {paths[i], 8},
                                           .value = ODM_STR("")};
        }
        list.value = (odm_str){names, (size_t)(p - names)};
        start = clock();
        for (int i = 0; i < 2; i++)
                assert_int_equal(
                        as_list ? change_tree(f, id, 1, &list, 1) : change_tree(f, id, 1, v, n), 0);
        free(v);
        free(paths);
        free(names);
        return (double)(clock() - start);
}

/* All devices wait for the one writer: what one of them says costs by how much that is, not by the
 * square of it. */
static void the_mirror_takes_many_nodes_in_any_order(void **state)
{
        fix *f = *state;

        for (int as_list = 0; as_list <= 1; as_list++) {
                double few = time_of_telling(f, as_list ? "few l" : "few", 3000, as_list);
                double many = time_of_telling(f, as_list ? "many l" : "many", 48000, as_list);

                if (many > few * 60) /* sixteen times as much */
                        fail_msg("%d: %.0f for few, %.0f for many", as_list, few, many);
        }
}

/* ---- sessions --------------------------------------------------------------------------- */

static store_session a_session(int64_t device, int64_t id, const char *sid)
{
        return (store_session){.device = device,
                               .id = id,
                               .sid = S(sid),
                               .dm_id = S("A1"),
                               .codec = S("wbxml"),
                               .tls = true,
                               .started = 10};
}

static int64_t new_session(fix *f, int64_t device, const char *sid)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_SESSION_PUT);
        int64_t id;

        op->session.s = a_session(device, 0, sid);
        assert_int_equal(store_write_sync(f->st, b), 0);
        id = op->id;
        store_batch_free(b);
        return id;
}

static int add_message(fix *f, int64_t device, int64_t session, odm_str bytes)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_SESSION_PUT);
        const store_message m = {.at = 11, .out = true, .mime = S("m"), .bytes = bytes};

        op->session.s = a_session(device, session, "tok");
        op->session.v = &m;
        op->session.n = 1;
        return write_now(f, b);
}

static void sessions_are_kept_in_a_ring(void **state)
{
        fix *f = *state;
        int64_t a, ids[5];
        char sid[8], big[600] = {0};
        store_session_list l;
        store_session s;
        store_message_list m;

        store_close(f->st);
        f->opt.sessions_kept = 3;
        f->opt.session_bytes = 1000;
        open_again(f);
        a = new_device(f, "ring");
        for (int i = 0; i < 5; i++) {
                snprintf(sid, sizeof sid, "s%d", i);
                ids[i] = new_session(f, a, sid);
        }
        assert_int_equal(add_message(f, a, ids[0], S("late")), 0); /* made, and the oldest */
        assert_int_equal(store_session_find(f->st, a, 0, 0, &f->a, &l), 0);
        assert_int_equal(l.n, 3);
        assert_int_equal(l.v[0].id, ids[4]);
        assert_int_equal(store_session_find(f->st, a, ids[4], 1, &f->a, &l), 0);
        assert_true(l.n == 1 && l.more && l.v[0].id == ids[3]);
        assert_int_equal(store_session_messages(f->st, a, ids[0], &f->a, &m), 0);
        assert_int_equal(m.n, 0);
        assert_int_equal(add_message(f, a, ids[4], (odm_str){big, 600}), 0);
        assert_int_equal(add_message(f, a, ids[4], (odm_str){big, 600}), 0);
        assert_int_equal(add_message(f, a, ids[4], S("end")), 0);
        assert_int_equal(store_session_messages(f->st, a, ids[4], &f->a, &m), 0);
        assert_int_equal(m.n, 3);
        assert_int_equal(m.v[0].bytes.n, 600);
        assert_null(m.v[1].bytes.p); /* beyond the ceiling: its size alone */
        assert_int_equal(m.v[1].size, 600);
        assert_str(m.v[2].bytes, "end");
        assert_true(m.v[2].n == 3 && m.v[2].out && m.v[2].at == 11);
        assert_str(m.v[2].mime, "m");
        assert_null(m.v[2].hmac.p);
        assert_int_equal(store_session_get(f->st, a, ids[4], &f->a, &s), 0);
        assert_true(s.tls && !s.authenticated);
        assert_null(s.outcome.p);
        assert_int_equal(add_message(f, a + 1, ids[4], S("x")), ODM_ENOENT); /* no such device */
}

static void a_session_is_put_again_and_saved(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a"), id = store_session_number(f->st);
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_SESSION_PUT);
        store_session s;
        odm_str saved;

        assert_true(store_session_number(f->st) > id);
        op->session.s = a_session(a, id, "tok");
        op->session.s.outcome = S("complete");
        op->session.s.last = 99;
        op->session.s.authenticated = true;
        op->session.s.messages = 4;
        op = store_batch_add(b, STORE_SESSION_SAVE);
        op->save.device = a;
        op->save.session = id;
        op->save.saved = (odm_str){"a\0b", 3};
        assert_int_equal(write_now(f, b), 0);
        assert_int_equal(store_session_saved(f->st, S("tok"), &f->a, &s, &saved), 0);
        assert_int_equal(s.id, id);
        assert_str(s.outcome, "complete");
        assert_str(s.dm_id, "A1");
        assert_true(s.authenticated && s.messages == 4 && s.started == 10 && s.last == 99);
        assert_int_equal(saved.n, 3);
        b = store_batch_new();
        op = store_batch_add(b, STORE_SESSION_SAVE);
        op->save.device = a;
        op->save.session = id;
        assert_int_equal(write_now(f, b), 0);
        assert_int_equal(store_session_saved(f->st, S("tok"), &f->a, &s, &saved), ODM_ENOENT);
}

/* ---- tokens, settings, events, audit ---------------------------------------------------- */

static int put_token(fix *f, const char *name, const char *hash)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_TOKEN_PUT);

        op->token = (store_token){.name = S(name), .hash = S(hash), .role = S("admin")};
        return write_now(f, b);
}

static void tokens_are_found_by_hash(void **state)
{
        fix *f = *state;
        store_token t;
        store_token_list l;
        store_batch *b = store_batch_new();

        assert_int_equal(put_token(f, "one", "h1"), 0);
        assert_int_equal(put_token(f, "two", "h1"), ODM_EEXIST);
        assert_int_equal(put_token(f, "two", "h2"), 0);
        assert_int_equal(put_token(f, "two", "h3"), 0); /* replaced */
        assert_int_equal(put_token(f, "three", ""), ODM_EINVAL);
        assert_int_equal(store_token_by_hash(f->st, S("h2"), &f->a, &t), ODM_ENOENT);
        assert_int_equal(store_token_by_hash(f->st, S("h3"), &f->a, &t), 0);
        assert_str(t.name, "two");
        assert_int_equal(store_token_find(f->st, &f->a, &l), 0);
        assert_int_equal(l.n, 2);
        store_batch_add(b, STORE_TOKEN_DELETE)->key = S("one");
        assert_int_equal(write_now(f, b), 0);
        b = store_batch_new();
        store_batch_add(b, STORE_TOKEN_DELETE)->key = S("one");
        assert_int_equal(write_now(f, b), ODM_ENOENT);
}

static int put_setting(fix *f, const char *key, odm_str value)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_SETTING_PUT);

        op->setting.key = S(key);
        op->setting.value = value;
        return write_now(f, b);
}

static void settings_hold_octets(void **state)
{
        fix *f = *state;
        odm_str v;

        assert_int_equal(store_setting_get(f->st, S("k"), &f->a, &v), ODM_ENOENT);
        assert_int_equal(put_setting(f, "k", (odm_str){"\0\1", 2}), 0);
        assert_int_equal(store_setting_get(f->st, S("k"), &f->a, &v), 0);
        assert_memory_equal(v.p, "\0\1", 2);
        assert_int_equal(put_setting(f, "k", ODM_STR("")), 0);
        assert_int_equal(store_setting_get(f->st, S("k"), &f->a, &v), 0);
        assert_true(v.p != NULL && v.n == 0);
        assert_int_equal(put_setting(f, "k", ODM_ABSENT), 0);
        assert_int_equal(store_setting_get(f->st, S("k"), &f->a, &v), ODM_ENOENT);
        assert_int_equal(put_setting(f, "", ODM_STR("x")), ODM_EINVAL);
}

static void events_and_audit_are_ordered(void **state)
{
        fix *f = *state;
        store_batch *b = store_batch_new();
        store_op *op;
        store_event_list e;
        store_audit_list l;

        for (int i = 0; i < 5; i++) {
                op = store_batch_add(b, STORE_EVENT_ADD);
                op->event =
                        (store_event){.at = i, .device = i % 2, .kind = S("k"), .data = S("{}")};
                op = store_batch_add(b, STORE_AUDIT_ADD);
                op->audit = (store_audit){.at = i, .device = i % 2, .actor = S("me")};
        }
        assert_int_equal(write_now(f, b), 0);
        assert_int_equal(store_event_find(f->st, 0, 0, 2, &f->a, &e), 0);
        assert_true(e.n == 2 && e.more && e.v[0].seq < e.v[1].seq && e.v[0].at == 0);
        int64_t last = 0;
        assert_int_equal(store_event_last(f->st, &last), 0);
        assert_int_equal(last, e.v[1].seq + 3);
        assert_int_equal(store_event_find(f->st, e.v[1].seq, 0, 10, &f->a, &e), 0);
        assert_true(e.n == 3 && !e.more && e.v[0].at == 2);
        assert_int_equal(store_event_find(f->st, 0, 1, 10, &f->a, &e), 0);
        assert_true(e.n == 2 && e.v[1].at == 3);
        assert_int_equal(store_audit_find(f->st, 0, 0, 3, &f->a, &l), 0);
        assert_true(l.n == 3 && l.more && l.v[0].at == 4 && l.v[2].at == 2);
        assert_int_equal(store_audit_find(f->st, l.v[2].seq, 0, 3, &f->a, &l), 0);
        assert_true(l.n == 2 && !l.more && l.v[1].at == 0);
        assert_int_equal(store_audit_find(f->st, 0, 1, 3, &f->a, &l), 0);
        assert_int_equal(l.n, 2);
}

static void a_deleted_device_leaves_nothing(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a"), b = new_device(f, "b"), job = new_job(f, a, 0);
        int64_t kept = new_job(f, b, 0), session = new_session(f, a, "tok");
        const store_tree_change c[] = {SET("./A", "x")};
        store_counts n;
        store_job j;
        store_tree t;
        store_session s;
        store_account acc;
        store_batch *x = store_batch_new();

        put_account(f, a, "u");
        change_tree(f, a, 1, c, 1);
        add_message(f, a, session, S("x"));
        store_batch_add(x, STORE_DEVICE_DELETE)->of = a;
        assert_int_equal(write_now(f, x), 0);
        assert_int_equal(store_job_get(f->st, job, &f->a, &j), ODM_ENOENT);
        assert_int_equal(store_job_get(f->st, kept, &f->a, &j), 0);
        assert_int_equal(store_tree_get(f->st, a, S("."), &f->a, &t), ODM_ENOENT);
        assert_int_equal(store_session_get(f->st, a, session, &f->a, &s), ODM_ENOENT);
        assert_int_equal(store_account_get(f->st, a, &f->a, &acc), ODM_ENOENT);
        assert_int_equal(store_count(f->st, &n), 0);
        assert_int_equal(n.devices[STORE_DEVICE_PROVISIONED], 1);
        assert_int_equal(n.jobs[STORE_JOB_QUEUED], 1);
        assert_int_equal(n.sessions, 0);
        assert_true(new_device(f, "a") > b); /* the name is free, the number is not */
}

/* ---- the queue -------------------------------------------------------------------------- */

typedef struct gate {
        pthread_mutex_t lock;
        pthread_cond_t cond;
        bool held, open;
        unsigned done;
} gate;

static void count_done(void *ctx, store_batch *b, int rc)
{
        gate *g = ctx;

        (void)b;
        assert_int_equal(rc, 0);
        pthread_mutex_lock(&g->lock);
        g->done++;
        pthread_cond_broadcast(&g->cond);
        pthread_mutex_unlock(&g->lock);
}

/* Holds the writer thread until the gate opens. */
static void hold_writer(void *ctx, store_batch *b, int rc)
{
        gate *g = ctx;

        (void)b;
        (void)rc;
        pthread_mutex_lock(&g->lock);
        g->held = true;
        pthread_cond_broadcast(&g->cond);
        while (!g->open)
                pthread_cond_wait(&g->cond, &g->lock);
        pthread_mutex_unlock(&g->lock);
}

static void gate_init(gate *g)
{
        *g = (gate){.done = 0};
        pthread_mutex_init(&g->lock, NULL);
        pthread_cond_init(&g->cond, NULL);
}

static void wait_done(gate *g, unsigned n)
{
        pthread_mutex_lock(&g->lock);
        g->open = true;
        pthread_cond_broadcast(&g->cond);
        while (g->done < n)
                pthread_cond_wait(&g->cond, &g->lock);
        pthread_mutex_unlock(&g->lock);
        pthread_mutex_destroy(&g->lock);
        pthread_cond_destroy(&g->cond);
}

static void hold(fix *f, gate *g)
{
        gate_init(g);
        assert_int_equal(store_write(f->st, store_batch_new(), hold_writer, g), 0);
        pthread_mutex_lock(&g->lock);
        while (!g->held)
                pthread_cond_wait(&g->cond, &g->lock);
        pthread_mutex_unlock(&g->lock);
}

static void waiting_batches_share_a_transaction(void **state)
{
        fix *f = *state;
        store_stats before, after;
        gate g;

        hold(f, &g);
        store_stat(f->st, &before);
        for (int i = 0; i < 200; i++) {
                store_batch *b = store_batch_new();
                char key[16];
                snprintf(key, sizeof key, "k%d", i);
                store_op *op = store_batch_add(b, STORE_SETTING_PUT);
                op->setting.key = odm_arena_copy(store_batch_arena(b), S(key));
                op->setting.value = S("v");
                assert_int_equal(store_write(f->st, b, count_done, &g), 0);
        }
        wait_done(&g, 200);
        store_stat(f->st, &after);
        assert_int_equal(after.batches - before.batches, 200);
        assert_int_equal(after.transactions - before.transactions, 1);
}

static void a_refused_batch_does_not_touch_its_neighbours(void **state)
{
        fix *f = *state;
        store_batch *a, *b, *c;
        store_device d;
        gate g;

        hold(f, &g);
        a = store_batch_new();
        add_device(a, "n1", NULL, NULL);
        b = store_batch_new();
        add_device(b, "n2", NULL, NULL);
        add_device(b, "n1", NULL, NULL); /* taken by the batch before */
        c = store_batch_new();
        add_device(c, "n3", NULL, NULL);
        assert_int_equal(store_write(f->st, a, count_done, &g), 0);
        assert_int_equal(store_write(f->st, b, NULL, NULL), 0);
        assert_int_equal(store_write(f->st, c, count_done, &g), 0);
        wait_done(&g, 2);
        assert_int_equal(store_device_by_name(f->st, S("n1"), &f->a, &d), 0);
        assert_int_equal(store_device_by_name(f->st, S("n2"), &f->a, &d), ODM_ENOENT);
        assert_int_equal(store_device_by_name(f->st, S("n3"), &f->a, &d), 0);
}

static void a_full_queue_sheds(void **state)
{
        fix *f = *state;
        unsigned taken = 0;
        store_stats s;
        int rc;
        gate g;

        store_close(f->st);
        f->opt.queue_max = 8;
        open_again(f);
        hold(f, &g);
        for (;;) {
                store_batch *b = store_batch_new();
                rc = store_write(f->st, b, count_done, &g);
                if (rc < 0) {
                        store_batch_free(b);
                        break;
                }
                taken++;
        }
        assert_int_equal(rc, ODM_ELIMIT);
        assert_int_equal(taken, 8);
        wait_done(&g, taken);
        store_stat(f->st, &s);
        assert_int_equal(s.refused, 1);
}

#define WRITERS 8
#define EACH 40

static void *many_writes(void *arg)
{
        fix *f = arg;

        for (int i = 0; i < EACH; i++) {
                store_batch *b = store_batch_new();
                odm_arena a;
                store_device d;
                add_device(b, "shared", NULL, NULL);
                b->ops[0]->lenient = true;
                store_op *op = store_batch_add(b, STORE_EVENT_ADD);
                op->event = (store_event){.kind = S("k")};
                assert_int_equal(write_now(f, b), 0);
                odm_arena_init(&a, &heap, 1 << 20);
                assert_int_equal(store_device_by_name(f->st, S("shared"), &a, &d), 0);
                odm_arena_done(&a);
        }
        return NULL;
}

static void many_threads_write_and_read(void **state)
{
        fix *f = *state;
        pthread_t t[WRITERS];
        store_stats s;
        store_event_list e;

        for (int i = 0; i < WRITERS; i++)
                assert_int_equal(pthread_create(&t[i], NULL, many_writes, f), 0);
        for (int i = 0; i < WRITERS; i++)
                pthread_join(t[i], NULL);
        store_stat(f->st, &s);
        assert_int_equal(s.batches, WRITERS * EACH);
        if (strcmp(f->engine, "sqlite") == 0)
                assert_true(s.transactions < s.batches);
        assert_int_equal(store_event_find(f->st, 0, 0, 1000, &f->a, &e), 0);
        assert_int_equal(e.n, WRITERS * EACH);
}

/* ---- failures on demand ----------------------------------------------------------------- */

#define TEXT(literal)                        \
        {                                    \
                literal, sizeof(literal) - 1 \
        }

static store_batch *big_batch(void)
{
        static const store_tree_change c[] = {
                {.kind = STORE_TREE_SET, .path = TEXT("./New/One"), .value = TEXT("x")},
                {.kind = STORE_TREE_SET, .path = TEXT("./New/Two"), .value = TEXT("x")}};
        store_batch *b = store_batch_new();
        store_op *op;

        add_device(b, "f", "F", NULL);
        op = store_batch_add(b, STORE_ACCOUNT_PUT);
        op->account = (store_account){.device = STORE_LAST};
        add_job(b, STORE_LAST, 0);
        op = store_batch_add(b, STORE_JOB_NOTE);
        op->note.device = op->note.job = STORE_LAST;
        op = store_batch_add(b, STORE_TREE_UPDATE);
        op->tree.device = STORE_LAST;
        op->tree.v = c;
        op->tree.n = 2;
        op = store_batch_add(b, STORE_EVENT_ADD);
        op->event = (store_event){.kind = S("k")};
        return b;
}

static void each_failing_write_leaves_nothing_behind(void **state)
{
        fix *f = *state;
        store_device d;
        store_event_list e;
        char diag[STORE_DIAG];
        uint64_t n = 0;
        int rc;

        do {
                store_batch *b = big_batch();
                store_fault_set(&f->fault, (store_fault){.fail_write = ++n});
                rc = store_write_sync(f->st, b);
                store_fault_set(&f->fault, (store_fault){0});
                if (rc < 0) {
                        assert_int_equal(rc, ODM_EIO);
                        assert_int_equal(store_device_by_name(f->st, S("f"), &f->a, &d),
                                         ODM_ENOENT);
                        assert_int_equal(store_event_find(f->st, 0, 0, 9, &f->a, &e), 0);
                        assert_int_equal(e.n, 0);
                }
                store_batch_free(b);
        } while (rc < 0);
        assert_true(n > 8);
        assert_int_equal(store_device_by_name(f->st, S("f"), &f->a, &d), 0);
        expect_tree(f, d.id, "./New", "./New= ./New/One=x ./New/Two=x");
        store_diag(f->st, diag);
        assert_true(diag[0] != 0);
}

static void a_failing_commit_is_told_and_tried_alone(void **state)
{
        fix *f = *state;
        store_device d;
        gate g;
        store_batch *a = store_batch_new(), *b = store_batch_new();

        hold(f, &g);
        add_device(a, "n1", NULL, NULL);
        add_device(b, "n2", NULL, NULL);
        assert_int_equal(store_write(f->st, a, count_done, &g), 0);
        assert_int_equal(store_write(f->st, b, count_done, &g), 0);
        store_fault_set(&f->fault, (store_fault){.fail_commit = 1}); /* of the two together */
        wait_done(&g, 2);
        assert_int_equal(store_device_by_name(f->st, S("n1"), &f->a, &d), 0);
        assert_int_equal(store_device_by_name(f->st, S("n2"), &f->a, &d), 0);
        store_fault_set(&f->fault, (store_fault){.fail_commit = 1, .for_ever = true});
        a = store_batch_new();
        add_device(a, "n3", NULL, NULL);
        assert_int_equal(write_now(f, a), ODM_EIO);
        store_fault_set(&f->fault, (store_fault){0});
        assert_int_equal(store_device_by_name(f->st, S("n3"), &f->a, &d), ODM_ENOENT);
}

static void a_failing_read_leaves_the_result_alone(void **state)
{
        fix *f = *state;
        store_device d = {.id = 77};

        new_device(f, "a");
        store_fault_set(&f->fault, (store_fault){.fail_read = 1});
        assert_int_equal(store_device_by_name(f->st, S("a"), &f->a, &d), ODM_EIO);
        assert_int_equal(d.id, 77);
        assert_int_equal(store_device_by_name(f->st, S("a"), &f->a, &d), 0);
}

/* ---- the file --------------------------------------------------------------------------- */

static void all_is_there_after_a_new_start(void **state)
{
        fix *f = *state;
        int64_t a = new_device(f, "a"), job = new_job(f, a, 0), session = new_session(f, a, "tok");
        const store_tree_change c[] = {SET("./A/B", "x")}, more[] = {SET("./A/C", "y")};
        store_job j;
        store_batch *b = store_batch_new();
        int64_t unused = store_session_number(f->st); /* of a session that was never kept */

        change_tree(f, a, 1, c, 1);
        store_batch_add(b, STORE_DEVICE_DELETE)->of = new_device(f, "gone");
        assert_int_equal(write_now(f, b), 0);
        store_close(f->st);
        open_again(f);
        expect_tree(f, a, "./A", "./A= ./A/B=x");
        assert_int_equal(store_job_get(f->st, job, &f->a, &j), 0);
        assert_int_equal(change_tree(f, a, 2, more, 1), 0);
        expect_tree(f, a, "./A", "./A= ./A/B=x ./A/C=y");
        assert_true(new_job(f, a, 0) > job);
        assert_true(new_session(f, a, "t2") > session);
        assert_true(store_session_number(f->st) > unused);
        assert_true(new_device(f, "next") >
                    a + 1); /* a deleted device's number is not used again */
}

static void make_file(const fix *f, const char *name, const char *text, char out[160])
{
        FILE *file;

        snprintf(out, 160, "%s/%s", f->dir, name);
        file = fopen(out, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
}

static void expect_open(const char *where, int rc, const char *word)
{
        store_opt opt;
        store *st = NULL;
        char diag[STORE_DIAG];

        store_opt_init(&opt);
        opt.where = where;
        assert_int_equal(store_open(&opt, &st, diag), rc);
        assert_null(st);
        if (strstr(diag, word) == NULL)
                fail_msg("\"%s\" says nothing of \"%s\"", diag, word);
}

static void drop_file(const char *path)
{
        static const char *const ends[] = {"", "-lock", "-wal", "-shm"};
        char name[200];

        for (size_t i = 0; i < ODM_COUNT(ends); i++) {
                snprintf(name, sizeof name, "%s%s", path, ends[i]);
                unlink(name);
        }
}

static void what_is_no_store_is_refused_with_a_reason(void **state)
{
        fix *f = *state;
        char path[160], text[9000];
        db x;

        memset(text, 'z', sizeof text - 1);
        text[sizeof text - 1] = 0;
        make_file(f, "junk", text, path);
        expect_open(path, ODM_EMALFORMED, "damaged");
        drop_file(path);
        expect_open("/nowhere/at/all", ODM_EACCESS, "No such file");
        expect_open(f->dir, ODM_EACCESS, "may not be written");
        expect_open("pgsql:x", ODM_EINVAL, "no such engine");
        expect_open("sqlite:", ODM_EINVAL, "empty");
        expect_open(f->where, ODM_EACCESS, "another process");

        snprintf(path, sizeof path, "%s/other", f->dir);
        assert_int_equal(db_open(&x, path, false), 0);
        assert_int_equal(db_exec(&x, "CREATE TABLE t(a)"), 0);
        db_close(&x);
        expect_open(path, ODM_EUNSUPPORTED, "another program");
        drop_file(path);
        snprintf(path, sizeof path, "%s-lock", f->dir); /* of the try to open the folder */
        unlink(path);
}

static int open_as(const char *path, store_owner owner, const store_table *t, char why[STORE_DIAG])
{
        const store_table *const tables[] = {t};
        store_opt opt;
        store *st;
        int rc;

        store_opt_init(&opt);
        opt.where = path;
        opt.owner = owner;
        opt.tables = tables;
        opt.n_tables = t != NULL;
        rc = store_open(&opt, &st, why);
        if (rc == 0)
                store_close(st);
        return rc;
}

/* Nobody takes another's.  Files of gateways had the server's number once: their tables tell. */
static void a_file_is_its_owners(void **state)
{
        static const field id = {"id", 0, FIELD_I64};
        static const record device = {.size = sizeof(int64_t), .fields = &id, .n = 1};
        static const store_table devices = {.name = "gw_device", .rec = &device, .n_key = 1};
        static const struct row {
                store_owner owner;
                bool old; /* and not opened since */
                const char *whose;
        } rows[] = {{STORE_OF_SERVER, false, "a server, nremd"},
                    {STORE_OF_GATEWAY, false, "a gateway, gremd"},
                    {STORE_OF_GATEWAY, true, "a gateway, gremd"}};
        fix *f = *state;
        char path[160], why[STORE_DIAG];
        int64_t n;
        db x;

        snprintf(path, sizeof path, "%s/owned", f->dir);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                bool gateway = r->owner == STORE_OF_GATEWAY;
                store_owner other = gateway ? STORE_OF_SERVER : STORE_OF_GATEWAY;

                assert_int_equal(open_as(path, r->owner, r->old ? &devices : NULL, why), 0);
                assert_int_equal(db_open(&x, path, false), 0);
                if (r->old)
                        assert_int_equal(db_exec(&x, "PRAGMA application_id=0x7872656d"), 0);
                db_close(&x);
                assert_int_equal(open_as(path, other, &devices, why), ODM_EUNSUPPORTED);
                if (!strstr(why, r->whose) || !strstr(why, path))
                        fail_msg("%s", why);
                assert_int_equal(open_as(path, r->owner, NULL, why), 0);
                assert_int_equal(db_open(&x, path, false), 0);
                assert_int_equal(db_number(&x, db_bind(&x, "PRAGMA application_id", ""), &n), 0);
                assert_int_equal(n, gateway ? 0x78726d67 : 0x7872656d);
                db_close(&x);
                drop_file(path);
        }
}

static void a_newer_file_is_left_alone(void **state)
{
        fix *f = *state;
        db x;

        store_close(f->st);
        f->st = NULL;
        assert_int_equal(db_open(&x, f->where + 7, false), 0);
        assert_int_equal(db_exec(&x, "PRAGMA user_version=900"), 0);
        db_close(&x);
        expect_open(f->where, ODM_EUNSUPPORTED, "newer");
}

static void a_damaged_file_is_noticed(void **state)
{
        fix *f = *state;
        char junk[6000];
        int fd;

        for (int i = 0; i < 50; i++) {
                char name[16];
                snprintf(name, sizeof name, "d%d", i);
                new_device(f, name);
        }
        store_close(f->st);
        f->st = NULL;
        memset(junk, 0x5a, sizeof junk);
        fd = open(f->where + 7, O_WRONLY);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, junk, sizeof junk, 4096 * 2), sizeof junk);
        close(fd);
        expect_open(f->where, ODM_EMALFORMED, "damaged");
}

static void migrations_run_once_in_order_and_whole(void **state)
{
        static const char *const scripts[] = {
                "CREATE TABLE a(x); INSERT INTO a VALUES(1)",
                "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1",
                "CREATE TABLE b(z); INSERT INTO nosuch VALUES(1)",
                "CREATE TABLE b(z)",
        };
        fix *f = *state;
        const char *good[] = {scripts[0], scripts[1], scripts[3]};
        char path[160];
        int64_t n;
        db x;

        snprintf(path, sizeof path, "%s/mig", f->dir);
        for (unsigned from = 0; from <= 3; from++) { /* from every earlier version */
                assert_int_equal(db_open(&x, path, false), 0);
                assert_int_equal(db_migrate(&x, good, from), 0);
                assert_int_equal(db_migrate(&x, good, 3), 0);
                assert_int_equal(db_migrate(&x, good, 3), 0);
                assert_int_equal(db_number(&x, db_bind(&x, "SELECT sum(y) FROM a", ""), &n), 0);
                assert_int_equal(n, 2);
                assert_int_equal(db_migrate(&x, good, 2), ODM_EUNSUPPORTED);
                db_close(&x);
                drop_file(path);
        }
        assert_int_equal(db_open(&x, path, false), 0);
        assert_int_equal(db_migrate(&x, scripts, 3), ODM_EIO); /* the third is broken */
        assert_non_null(strstr(x.diag, "nosuch"));
        assert_int_equal(
                db_number(&x, db_bind(&x, "SELECT count(*) FROM sqlite_master WHERE name='b'", ""),
                          &n),
                0);
        assert_int_equal(n, 0); /* nothing of it stayed */
        assert_int_equal(db_migrate(&x, good, 3), 0);
        db_close(&x);
        drop_file(path);
}

/* ---- a kill in the middle --------------------------------------------------------------- */

static void put_row(store_batch *b, uint32_t i)
{
        store_op *op = store_batch_add(b, STORE_ROW_PUT);
        tell_row *row = odm_new(store_batch_arena(b), tell_row);

        *row = (tell_row){.device = 1,
                          .n = i,
                          .name = odm_arena_fmt(store_batch_arena(b), "%u", i),
                          .count = i};
        op->row = (store_row_op){.table = &tell_table, .row = row};
}

/* The child acknowledges each batch on the pipe only after `done`. */
static void write_until_killed(const fix *f, int out)
{
        char diag[STORE_DIAG];
        store *st;

        if (store_open(&f->opt, &st, diag) < 0)
                _exit(2);
        for (uint32_t i = 1;; i++) {
                store_batch *b = store_batch_new();
                char key[24];
                for (int half = 0; half < 2; half++) {
                        store_op *op = store_batch_add(b, STORE_SETTING_PUT);
                        snprintf(key, sizeof key, "%u.%d", i, half);
                        op->setting.key = odm_arena_copy(store_batch_arena(b), S(key));
                        op->setting.value = S("v");
                }
                put_row(b, i);
                if (store_write_sync(st, b) < 0)
                        _exit(3);
                store_batch_free(b);
                if (write(out, &i, sizeof i) != sizeof i)
                        _exit(4);
        }
}

static bool has_setting(fix *f, uint32_t i, int half)
{
        char key[24];
        odm_str v;

        snprintf(key, sizeof key, "%u.%d", i, half);
        return store_setting_get(f->st, S(key), &f->a, &v) == 0;
}

static bool has_row(fix *f, uint32_t i)
{
        char name[24];
        tell_row row;

        snprintf(name, sizeof name, "%u", i);
        row.name = S(name);
        return store_row_by(f->st, &tell_table, TELL_BY_NAME, &row, &f->a, &row) == 0 &&
               row.count == i;
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
        fix *f = *state;
        uint32_t last = 0, i;

        f->opt.tables = tell_tables;
        f->opt.n_tables = 1;
        for (int round = 0; round < 3; round++) {
                int p[2];
                pid_t pid;
                store_close(f->st);
                f->st = NULL;
                assert_int_equal(pipe(p), 0);
                pid = fork();
                assert_true(pid >= 0);
                if (pid == 0) {
                        close(p[0]);
                        write_until_killed(f, p[1]);
                }
                close(p[1]);
                last = 0;
                while (last < 30u + 17u * (unsigned)round && read(p[0], &i, sizeof i) == sizeof i)
                        last = i;
                kill(pid, SIGKILL);
                while (read(p[0], &i, sizeof i) == sizeof i)
                        last = i;
                close(p[0]);
                waitpid(pid, NULL, 0);
                assert_true(last >= 30);
                open_again(f);
                for (i = 1; i <= last; i++)
                        if (!has_setting(f, i, 0) || !has_setting(f, i, 1) || !has_row(f, i))
                                fail_msg("batch %u of %u was acknowledged and is gone", i, last);
                /* the one in flight is there whole or not at all */
                assert_int_equal(has_setting(f, last + 1, 0), has_setting(f, last + 1, 1));
                assert_int_equal(has_setting(f, last + 1, 0), has_row(f, last + 1));
        }
}

#define ON(setup, t)                                         \
        {                                                    \
#t " (" #setup ")", t, setup, teardown, NULL \
        }
#define EACH_ENGINE(t) ON(mem_setup, t), ON(sqlite_setup, t), ON(fail_setup, t)

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH_ENGINE(device_comes_back_as_it_was_put),
                EACH_ENGINE(names_and_devids_are_unique),
                EACH_ENGINE(a_patch_changes_what_it_names),
                EACH_ENGINE(devices_are_listed_in_pages),
                EACH_ENGINE(tags_and_contact_filter),
                EACH_ENGINE(device_lists_agree_with_a_look_at_each),
                EACH_ENGINE(wake_ups_come_due),
                EACH_ENGINE(a_wake_up_that_a_session_ended_does_not_begin_again),
                EACH_ENGINE(nonces_and_lockout_outlive_an_account_change),
                EACH_ENGINE(a_batch_is_all_or_nothing),
                EACH_ENGINE(later_operations_name_what_earlier_ones_made),
                EACH_ENGINE(jobs_move_only_from_where_they_are_expected),
                EACH_ENGINE(a_claim_counts_and_fences),
                EACH_ENGINE(jobs_are_found_by_order_state_and_correlator),
                EACH_ENGINE(job_pages_agree_with_all_jobs),
                EACH_ENGINE(deadlines_are_found),
                EACH_ENGINE(results_and_notes_are_kept_with_the_job),
                EACH_ENGINE(a_key_names_one_job_of_a_device),
                EACH_ENGINE(open_jobs_have_a_ceiling_and_ended_ones_go),
                EACH_ENGINE(a_job_that_ends_late_is_kept),
                EACH_ENGINE(the_mirror_follows_changes),
                EACH_ENGINE(the_mirror_has_ceilings),
                EACH_ENGINE(the_mirror_keeps_no_value_of_an_interior_node),
                EACH_ENGINE(the_mirror_makes_the_same_of_many_changes_at_once),
                EACH_ENGINE(the_mirror_takes_many_nodes_in_any_order),
                EACH_ENGINE(sessions_are_kept_in_a_ring),
                EACH_ENGINE(a_session_is_put_again_and_saved),
                EACH_ENGINE(tokens_are_found_by_hash),
                EACH_ENGINE(settings_hold_octets),
                EACH_ENGINE(events_and_audit_are_ordered),
                EACH_ENGINE(a_deleted_device_leaves_nothing),
                EACH_ENGINE(waiting_batches_share_a_transaction),
                EACH_ENGINE(a_refused_batch_does_not_touch_its_neighbours),
                EACH_ENGINE(a_full_queue_sheds),
                EACH_ENGINE(many_threads_write_and_read),
                ON(fail_setup, each_failing_write_leaves_nothing_behind),
                ON(fail_setup, a_failing_commit_is_told_and_tried_alone),
                ON(fail_setup, a_failing_read_leaves_the_result_alone),
                ON(sqlite_setup, all_is_there_after_a_new_start),
                ON(sqlite_setup, what_is_no_store_is_refused_with_a_reason),
                ON(sqlite_setup, a_file_is_its_owners),
                ON(sqlite_setup, a_newer_file_is_left_alone),
                ON(sqlite_setup, a_damaged_file_is_noticed),
                ON(sqlite_setup, migrations_run_once_in_order_and_whole),
                ON(sqlite_setup, what_was_acknowledged_survives_a_kill),
        };

        return RUN_TESTS(tests);
}
