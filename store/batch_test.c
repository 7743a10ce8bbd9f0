/* SPDX-License-Identifier: Apache-2.0 */
/* Batches: whole or not at all, many in a transaction, and what a failing engine does to them. */
#include <pthread.h>

#include "store_lab.h"

/* ---- batches ------------------------------------------------------------------------------- */

static void a_batch_is_all_or_nothing(void **state)
{
        lab *f = *state;
        store_batch *b = store_batch_new();
        store_device d;
        int64_t job, id = lab_device(f, "x");

        job = lab_job(f, id, 0);
        lab_add_device(b, "a", NULL, NULL);
        lab_add_move(b, id, job, STORE_JOB_BIT(STORE_JOB_QUEUED), STORE_JOB_DONE);
        lab_add_move(b, id, job, STORE_JOB_BIT(STORE_JOB_QUEUED), STORE_JOB_DONE);
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
        lab *f = *state;
        store_batch *b = store_batch_new();
        store_op *op;
        store_job j;
        store_account acc;
        const store_message hello = {.bytes = S("hello")};
        store_message_list m;

        lab_device(f, "first");
        lab_add_device(b, "a", NULL, NULL);
        op = store_batch_add(b, STORE_ACCOUNT_PUT);
        op->account = (store_account){.device = STORE_LAST, .user = S("u")};
        lab_add_job(b, STORE_LAST, 0);
        op = store_batch_add(b, STORE_SESSION_PUT);
        op->session.s = (store_session){.device = STORE_LAST, .started = 5};
        op->session.v = &hello;
        op->session.n = 1;
        op = lab_add_move(b, STORE_LAST, STORE_LAST, STORE_JOB_OPEN, STORE_JOB_IN_SESSION);
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

/* ---- the queue ----------------------------------------------------------------------------- */

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

static void hold(lab *f, gate *g)
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
        lab *f = *state;
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
        lab *f = *state;
        store_batch *a, *b, *c;
        store_device d;
        gate g;

        hold(f, &g);
        a = store_batch_new();
        lab_add_device(a, "n1", NULL, NULL);
        b = store_batch_new();
        lab_add_device(b, "n2", NULL, NULL);
        lab_add_device(b, "n1", NULL, NULL); /* taken by the batch before */
        c = store_batch_new();
        lab_add_device(c, "n3", NULL, NULL);
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
        lab *f = *state;
        unsigned taken = 0;
        store_stats s;
        int rc;
        gate g;

        store_close(f->st);
        f->opt.queue_max = 8;
        lab_open(f);
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
        lab *f = arg;

        for (int i = 0; i < EACH; i++) {
                store_batch *b = store_batch_new();
                odm_arena a;
                store_device d;
                lab_add_device(b, "shared", NULL, NULL);
                b->ops[0]->lenient = true;
                store_op *op = store_batch_add(b, STORE_EVENT_ADD);
                op->event = (store_event){.kind = S("k")};
                assert_int_equal(lab_write(f, b), 0);
                odm_arena_init(&a, &heap, 1 << 20);
                assert_int_equal(store_device_by_name(f->st, S("shared"), &a, &d), 0);
                odm_arena_done(&a);
        }
        return NULL;
}

static void many_threads_write_and_read(void **state)
{
        lab *f = *state;
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

/* ---- failures on demand -------------------------------------------------------------------- */

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

        lab_add_device(b, "f", "F", NULL);
        op = store_batch_add(b, STORE_ACCOUNT_PUT);
        op->account = (store_account){.device = STORE_LAST};
        lab_add_job(b, STORE_LAST, 0);
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
        lab *f = *state;
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
        lab_expect_tree(f, d.id, "./New", "./New= ./New/One=x ./New/Two=x");
        store_diag(f->st, diag);
        assert_true(diag[0] != 0);
}

static void a_failing_commit_is_told_and_tried_alone(void **state)
{
        lab *f = *state;
        store_device d;
        gate g;
        store_batch *a = store_batch_new(), *b = store_batch_new();

        hold(f, &g);
        lab_add_device(a, "n1", NULL, NULL);
        lab_add_device(b, "n2", NULL, NULL);
        assert_int_equal(store_write(f->st, a, count_done, &g), 0);
        assert_int_equal(store_write(f->st, b, count_done, &g), 0);
        store_fault_set(&f->fault, (store_fault){.fail_commit = 1}); /* of the two together */
        wait_done(&g, 2);
        assert_int_equal(store_device_by_name(f->st, S("n1"), &f->a, &d), 0);
        assert_int_equal(store_device_by_name(f->st, S("n2"), &f->a, &d), 0);
        store_fault_set(&f->fault, (store_fault){.fail_commit = 1, .for_ever = true});
        a = store_batch_new();
        lab_add_device(a, "n3", NULL, NULL);
        assert_int_equal(lab_write(f, a), ODM_EIO);
        store_fault_set(&f->fault, (store_fault){0});
        assert_int_equal(store_device_by_name(f->st, S("n3"), &f->a, &d), ODM_ENOENT);
}

static void a_failing_read_leaves_the_result_alone(void **state)
{
        lab *f = *state;
        store_device d = {.id = 77};

        lab_device(f, "a");
        store_fault_set(&f->fault, (store_fault){.fail_read = 1});
        assert_int_equal(store_device_by_name(f->st, S("a"), &f->a, &d), ODM_EIO);
        assert_int_equal(d.id, 77);
        assert_int_equal(store_device_by_name(f->st, S("a"), &f->a, &d), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH_ENGINE(a_batch_is_all_or_nothing),
                EACH_ENGINE(later_operations_name_what_earlier_ones_made),
                EACH_ENGINE(waiting_batches_share_a_transaction),
                EACH_ENGINE(a_refused_batch_does_not_touch_its_neighbours),
                EACH_ENGINE(a_full_queue_sheds),
                EACH_ENGINE(many_threads_write_and_read),
                ON(lab_fail, each_failing_write_leaves_nothing_behind),
                ON(lab_fail, a_failing_commit_is_told_and_tried_alone),
                ON(lab_fail, a_failing_read_leaves_the_result_alone),
        };

        return RUN_TESTS(tests);
}
