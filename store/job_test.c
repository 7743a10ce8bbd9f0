/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs, their results and notes: the contract of store.h, held to each engine in turn. */
#include "store_lab.h"

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
        lab *f = *state;
        int64_t id = lab_device(f, "a"), job = lab_job(f, id, 0);
        store_job j;

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int rc = lab_move(f, id, job, rows[i].from, rows[i].to);
                assert_int_equal(store_job_get(f->st, job, &f->a, &j), 0);
                if (rc != rows[i].rc || (j.finished != 0) != rows[i].finished)
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
        }
        assert_int_equal(lab_move(f, id, job + 1, STORE_JOB_OPEN, STORE_JOB_DONE), ODM_ENOENT);
        assert_int_equal(lab_move(f, id + 1, job, STORE_JOB_OPEN, STORE_JOB_DONE), ODM_ENOENT);
}

static void a_claim_counts_and_fences(void **state)
{
        lab *f = *state;
        int64_t id = lab_device(f, "a"), job = lab_job(f, id, 0);
        store_batch *b = store_batch_new();
        store_op *op =
                lab_add_move(b, id, job, STORE_JOB_BIT(STORE_JOB_QUEUED), STORE_JOB_IN_SESSION);
        store_job j;

        op->job_move.attempt = true;
        op->job_move.session = 8;
        op->job_move.reason = S("because");
        op->job_move.correlator = S("c1");
        op->job_move.route = S("udp wake");
        assert_int_equal(lab_write(f, b), 0);
        assert_int_equal(store_job_get(f->st, job, &f->a, &j), 0);
        assert_int_equal(j.attempts, 1);
        assert_int_equal(j.started, 3000);
        assert_str(j.reason, "because");
        assert_str(j.route, "udp wake");
        b = store_batch_new();
        op = lab_add_move(b, id, job, STORE_JOB_OPEN, STORE_JOB_DONE);
        op->job_move.expect_session = 9; /* another session's */
        assert_int_equal(lab_write(f, b), ODM_ESTATE);
        b = store_batch_new();
        op = lab_add_move(b, id, job, STORE_JOB_OPEN, STORE_JOB_DONE);
        op->job_move.expect_attempts = 0;
        assert_int_equal(lab_write(f, b), ODM_ESTATE);
        b = store_batch_new();
        op = lab_add_move(b, id, job, STORE_JOB_OPEN, STORE_JOB_DONE);
        op->job_move.expect_session = 8;
        op->job_move.expect_attempts = 1;
        op->job_move.reason = S("");
        assert_int_equal(lab_write(f, b), 0);
        assert_int_equal(store_job_get(f->st, job, &f->a, &j), 0);
        assert_null(j.reason.p);
        assert_str(j.correlator, "c1");
        assert_str(j.commands, "[{}]");
}

static void jobs_are_found_by_order_state_and_correlator(void **state)
{
        lab *f = *state;
        int64_t a = lab_device(f, "a"), b = lab_device(f, "b");
        int64_t low = lab_job(f, a, 1), high = lab_job(f, a, 9), last = lab_job(f, a, 1);
        int64_t other = lab_job(f, b, 5);
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
        lab_add_move(x, a, low, STORE_JOB_OPEN, STORE_JOB_WAITING)->job_move.correlator = S("c7");
        assert_int_equal(lab_write(f, x), 0);
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
        lab *f = *state;
        int64_t ids[40], device[4];
        unsigned states[40];

        for (int i = 0; i < 4; i++)
                device[i] = lab_device(f, (const char *[]){"a", "b", "c", "d"}[i]);
        for (unsigned i = 0; i < 40; i++) {
                ids[i] = lab_job(f, device[i * 7 % 4], 0);
                states[i] = i * 5 % STORE_JOB_STATES;
                assert_int_equal(lab_move(f, device[i * 7 % 4], ids[i], STORE_JOB_OPEN, states[i]),
                                 0);
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
        lab *f = *state;
        int64_t a = lab_device(f, "a"), first, second;
        store_job_filter q = {.states = STORE_JOB_OPEN, .deadline_before = 50};
        store_job_list l;
        store_batch *b = store_batch_new();

        lab_add_job(b, a, 0)->job.deadline = 50;
        lab_add_job(b, a, 0)->job.deadline = 51;
        lab_add_job(b, a, 0); /* none */
        assert_int_equal(store_write_sync(f->st, b), 0);
        first = b->ops[0]->id;
        second = b->ops[1]->id;
        store_batch_free(b);
        assert_int_equal(store_job_find(f->st, &q, &f->a, &l), 0);
        assert_true(l.n == 1 && l.v[0].id == first);
        lab_move(f, a, first, STORE_JOB_OPEN, STORE_JOB_EXPIRED);
        q.deadline_before = 60;
        assert_int_equal(store_job_find(f->st, &q, &f->a, &l), 0);
        assert_true(l.n == 1 && l.v[0].id == second);
}

static void results_and_notes_are_kept_with_the_job(void **state)
{
        lab *f = *state;
        int64_t a = lab_device(f, "a"), job = lab_job(f, a, 0);
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
        assert_int_equal(lab_write(f, b), 0);
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
        lab *f = *state;
        int64_t a = lab_device(f, "a"), first = 0;
        store_batch *b;
        store_job_list l;
        store_job j;

        store_close(f->st);
        f->opt.jobs_open_max = 4;
        f->opt.jobs_kept = 2;
        if (f->opt.where[0] == 'm') { /* a new store: what was made is gone */
                lab_open(f);
                a = lab_device(f, "a");
        } else {
                lab_open(f);
        }
        for (int i = 0; i < 4; i++) {
                int64_t id = lab_job(f, a, 0);
                first = first ? first : id;
        }
        b = store_batch_new();
        lab_add_job(b, a, 0);
        assert_int_equal(lab_write(f, b), ODM_ELIMIT);
        for (int64_t i = first; i < first + 4; i++)
                assert_int_equal(lab_move(f, a, i, STORE_JOB_OPEN, STORE_JOB_DONE), 0);
        assert_int_equal(store_job_find(f->st, &(store_job_filter){.device = a}, &f->a, &l), 0);
        assert_int_equal(l.n, 2);
        assert_int_equal(l.v[1].id, first + 2);
        assert_int_equal(store_job_get(f->st, first, &f->a, &j), ODM_ENOENT);
        assert_true(lab_job(f, a, 0) >= first + 4);
}

static void a_key_names_one_job_of_a_device(void **state)
{
        lab *f = *state;
        int64_t a = lab_device(f, "a"), other = lab_device(f, "b"), first;
        store_batch *b = store_batch_new();
        store_job_list l;
        store_job j;

        lab_add_job(b, a, 0);
        b->ops[0]->job.key = ODM_STR("k");
        assert_int_equal(store_write_sync(f->st, b), 0);
        first = b->ops[0]->id;
        store_batch_free(b);
        assert_int_equal(store_job_get(f->st, first, &f->a, &j), 0);
        assert_str(j.key, "k");
        b = store_batch_new();
        lab_add_job(b, a, 0);
        b->ops[0]->job.key = ODM_STR("k");
        assert_int_equal(store_write_sync(f->st, b), ODM_EEXIST);
        assert_int_equal(b->ops[0]->id, first);
        store_batch_free(b);
        b = store_batch_new();
        lab_add_job(b, other, 0); /* of another device: another name */
        b->ops[0]->job.key = ODM_STR("k");
        assert_int_equal(lab_write(f, b), 0);
        (void)lab_job(f, a, 0); /* without a key there are many */
        (void)lab_job(f, a, 0);
        assert_int_equal(store_job_find(f->st, &(store_job_filter){.device = a}, &f->a, &l), 0);
        assert_int_equal(l.n, 3);
}

/* One that was made before all of them and ends behind them is the newest that ended. */
static void a_job_that_ends_late_is_kept(void **state)
{
        lab *f = *state;
        int64_t a, slow, id;
        store_batch *b;
        store_op *op;
        store_job_list l;
        store_job j;

        store_close(f->st);
        f->opt.jobs_kept = 3;
        lab_open(f);
        a = lab_device(f, "late");
        slow = lab_job(f, a, 0);
        for (int i = 0; i < 5; i++) {
                id = lab_job(f, a, 0);
                assert_int_equal(lab_move(f, a, id, STORE_JOB_OPEN, STORE_JOB_DONE), 0);
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
        assert_int_equal(lab_write(f, b), 0);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(store_job_get(f->st, slow, &f->a, &j), 0);
                assert_int_equal(j.state, STORE_JOB_CANCELLED);
                id = lab_job(f, a, 0); /* nor does the next to end take its place */
                assert_int_equal(lab_move(f, a, id, STORE_JOB_OPEN, STORE_JOB_DONE), 0);
        }
        assert_int_equal(store_job_find(f->st, &(store_job_filter){.device = a}, &f->a, &l), 0);
        assert_int_equal(l.n, 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH_ENGINE(jobs_move_only_from_where_they_are_expected),
                EACH_ENGINE(a_claim_counts_and_fences),
                EACH_ENGINE(jobs_are_found_by_order_state_and_correlator),
                EACH_ENGINE(job_pages_agree_with_all_jobs),
                EACH_ENGINE(deadlines_are_found),
                EACH_ENGINE(results_and_notes_are_kept_with_the_job),
                EACH_ENGINE(a_key_names_one_job_of_a_device),
                EACH_ENGINE(open_jobs_have_a_ceiling_and_ended_ones_go),
                EACH_ENGINE(a_job_that_ends_late_is_kept),
        };

        return RUN_TESTS(tests);
}
