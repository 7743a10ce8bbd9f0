/* SPDX-License-Identifier: Apache-2.0 */
/* Devices and accounts: the contract of store.h, held to each engine in turn. */
#include "store_lab.h"

/* ---- devices ------------------------------------------------------------------------------- */

static void device_comes_back_as_it_was_put(void **state)
{
        lab *f = *state;
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
        assert_int_equal(lab_write(f, b), 0);
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
        lab *f = *state;
        store_batch *b;
        store_device d;

        lab_device(f, "a");
        b = store_batch_new();
        lab_add_device(b, "a", "other", NULL);
        assert_int_equal(lab_write(f, b), ODM_EEXIST);
        b = store_batch_new();
        lab_add_device(b, "b", "IMEI:a", NULL);
        assert_int_equal(lab_write(f, b), ODM_EEXIST);
        b = store_batch_new(); /* twice in one batch: nothing of it happens */
        lab_add_device(b, "c", NULL, NULL);
        lab_add_device(b, "c", NULL, NULL);
        assert_int_equal(lab_write(f, b), ODM_EEXIST);
        assert_int_equal(store_device_by_name(f->st, S("c"), &f->a, &d), ODM_ENOENT);
        b = store_batch_new(); /* devices without a DevId do not collide */
        lab_add_device(b, "d", NULL, NULL);
        lab_add_device(b, "e", "", NULL);
        assert_int_equal(lab_write(f, b), 0);
        b = store_batch_new();
        lab_add_device(b, "", NULL, NULL);
        assert_int_equal(lab_write(f, b), ODM_EINVAL);
}

static int patch(lab *f, int64_t id, uint32_t fields, int64_t rev, store_device to)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

        to.id = id;
        op->device_patch = (store_device_patch){.fields = fields, .expect_rev = rev, .to = to};
        return lab_write(f, b);
}

static void a_patch_changes_what_it_names(void **state)
{
        lab *f = *state;
        int64_t id = lab_device(f, "a"), other = lab_device(f, "b");
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
        lab *f = *state;
        store_batch *b = store_batch_new();
        store_device_list l;
        store_device_filter q = {.limit = 10};
        char names[25][16];

        for (int i = 0; i < 25; i++) {
                snprintf(names[i], sizeof names[i], "%s/%02d", i % 2 ? "odd" : "even", i);
                lab_add_device(b, names[i], NULL, i % 5 ? "M1" : "M5");
        }
        assert_int_equal(lab_write(f, b), 0);
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
        lab *f = *state;
        int64_t a = lab_device(f, "a"), b = lab_device(f, "b");
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

static void expect_list(lab *f, store_device_filter q, const store_device *all, size_t n)
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

static void change_fleet(lab *f, const int64_t *ids, uint64_t *seed)
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
                assert_int_equal(lab_write(f, b), 0);
        }
}

static size_t look_at_each(lab *f, const int64_t *ids, store_device *all)
{
        size_t n = 0;

        for (int i = 0; i < FLEET; i++)
                n += store_device_get(f->st, ids[i], &f->a, &all[n]) == 0;
        qsort(all, n, sizeof *all, by_name);
        return n;
}

static void device_lists_agree_with_a_look_at_each(void **state)
{
        lab *f = *state;
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
        lab *f = *state;
        int64_t a = lab_device(f, "a"), b = lab_device(f, "b");
        store_device_list l;

        lab_device(f, "c");
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

static int wake_again(lab *f, int64_t id, int64_t was, int64_t at)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

        op->device_patch = (store_device_patch){.fields = STORE_DF_WAKE,
                                                .expect_wake = true,
                                                .expect_wake_at = was,
                                                .to = {.id = id, .wake_at = at, .wake_session = 7}};
        return lab_write(f, b);
}

static void a_wake_up_that_a_session_ended_does_not_begin_again(void **state)
{
        lab *f = *state;
        int64_t id = lab_device(f, "a");
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

static void a_deleted_device_leaves_nothing(void **state)
{
        lab *f = *state;
        int64_t a = lab_device(f, "a"), b = lab_device(f, "b"), job = lab_job(f, a, 0);
        int64_t kept = lab_job(f, b, 0), session = lab_session(f, a, "tok");
        const store_tree_change c[] = {SET("./A", "x")};
        store_counts n;
        store_job j;
        store_tree t;
        store_session s;
        store_account acc;
        store_batch *x = store_batch_new();

        lab_account(f, a, "u");
        lab_tree(f, a, 1, c, 1);
        lab_message(f, a, session, S("x"));
        store_batch_add(x, STORE_DEVICE_DELETE)->of = a;
        assert_int_equal(lab_write(f, x), 0);
        assert_int_equal(store_job_get(f->st, job, &f->a, &j), ODM_ENOENT);
        assert_int_equal(store_job_get(f->st, kept, &f->a, &j), 0);
        assert_int_equal(store_tree_get(f->st, a, S("."), &f->a, &t), ODM_ENOENT);
        assert_int_equal(store_session_get(f->st, a, session, &f->a, &s), ODM_ENOENT);
        assert_int_equal(store_account_get(f->st, a, &f->a, &acc), ODM_ENOENT);
        assert_int_equal(store_count(f->st, &n), 0);
        assert_int_equal(n.devices[STORE_DEVICE_PROVISIONED], 1);
        assert_int_equal(n.jobs[STORE_JOB_QUEUED], 1);
        assert_int_equal(n.sessions, 0);
        assert_true(lab_device(f, "a") > b); /* the name is free, the number is not */
}

/* ---- accounts ------------------------------------------------------------------------------ */

static void nonces_and_lockout_outlive_an_account_change(void **state)
{
        lab *f = *state;
        int64_t id = lab_device(f, "a");
        store_batch *b;
        store_op *op;
        store_account acc;

        assert_int_equal(store_account_get(f->st, id, &f->a, &acc), ODM_ENOENT);
        assert_int_equal(lab_account(f, id, "u1"), 0);
        assert_int_equal(lab_account(f, id + 9, "u1"), ODM_ENOENT);
        b = store_batch_new();
        op = store_batch_add(b, STORE_NONCES);
        op->nonces = (store_nonces){id, {"\0\1\2", 3}, ODM_STR("old"), ODM_ABSENT};
        op = store_batch_add(b, STORE_LOCKOUT);
        op->lockout = (store_lockout){id, 4, 12345};
        assert_int_equal(lab_write(f, b), 0);
        assert_int_equal(lab_account(f, id, "u2"), 0);
        assert_int_equal(store_account_get(f->st, id, &f->a, &acc), 0);
        assert_str(acc.user, "u2");
        assert_int_equal(acc.nonce.n, 3);
        assert_memory_equal(acc.nonce.p, "\0\1\2", 3);
        assert_str(acc.previous, "old");
        assert_null(acc.server_nonce.p);
        assert_int_equal(acc.failures, 4);
        assert_int_equal(acc.locked_until, 12345);
}

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
                EACH_ENGINE(a_deleted_device_leaves_nothing),
        };

        return RUN_TESTS(tests);
}
