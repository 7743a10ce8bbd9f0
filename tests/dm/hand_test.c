/* SPDX-License-Identifier: Apache-2.0 */
/* hand_test.c - a program that makes jobs for a device while it is in a session (dm_opt.at_hand):
 * they go with that session. */
#include <poll.h>
#include <stdatomic.h>

#include "world.h"

#define GET JOB_GET("./DevInfo/Man")

static struct host {
        world *w;
        int jobs;   /* how many to make, one after the other */
        bool write; /* something of its own is written before each */
        bool cut;   /* it is not to be served */
        int64_t made[8];
        atomic_int n_made, at_hand, left, moved;
} host;

static int setup(void **state)
{
        *state = world_new(sizeof(world), NULL);
        host = (struct host){.w = *state};
        return 0;
}

static void on_made(void *ctx, store_batch *b, int rc)
{
        (void)ctx;
        assert_int_equal(rc, 0);
        host.made[host.n_made] = b->ops[0]->id;
        host.n_made++;
        dm_job_created(host.w->dm, host.w->device, b->ops[0]->id);
}

static void make_job(void *ctx)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_JOB_CREATE);

        (void)ctx;
        op->job = (store_job){.device = host.w->device,
                              .kind = ODM_STR("get"),
                              .commands = ODM_STR(GET),
                              .max_attempts = 3,
                              .created = 1,
                              .updated = 1};
        assert_int_equal(store_write(host.w->store, b, on_made, NULL), 0);
}

static void on_own(void *ctx, store_batch *b, int rc)
{
        (void)ctx;
        (void)b;
        assert_int_equal(rc, 0);
        assert_int_equal(loop_post(host.w->loop, make_job, NULL), 0);
}

static void at_hand(void *ctx, int64_t id)
{
        store_batch *b;

        (void)ctx;
        assert_int_equal(id, host.w->device);
        host.at_hand++;
        if (host.cut)
                dm_cut(host.w->dm, id);
        if (host.jobs == 0)
                return;
        host.jobs--;
        if (!host.write) {
                make_job(NULL);
                return;
        }
        b = store_batch_new();
        assert_int_equal(store_write(host.w->store, b, on_own, NULL), 0);
}

static void left(void *ctx, int64_t id)
{
        (void)ctx;
        assert_int_equal(id, host.w->device);
        host.left++;
}

static void start(world *w)
{
        w->opt.at_hand = at_hand;
        w->opt.left = left;
        world_start(w);
}

static void jobs_made_at_hand_go_with_the_session(void **state)
{
        world *w = *state;

        for (int write = 0; write < 2; write++) {
                host = (struct host){.w = w, .jobs = 3, .write = write};
                if (!write)
                        start(w);
                world_session(w);
                assert_int_equal(w->outcome, ODM_OUTCOME_DONE);
                assert_int_equal(host.n_made, 3);
                for (int i = 0; i < 3; i++)
                        expect_job(w, host.made[i], "done");
                assert_int_equal(host.at_hand, 4); /* and again when one was over */
        }
}

static void wait_left(int n)
{
        odm_time limit = odm_time_add(loop_now(), 10000);

        while (host.left < n && !odm_time_reached(loop_now(), limit))
                (void)poll(NULL, 0, 5);
        assert_int_equal(host.left, n);
}

static void the_end_is_told_once(void **state)
{
        world *w = *state;

        start(w);
        world_session(w);
        wait_left(1);
        world_session(w);
        wait_left(2);
        assert_int_equal(host.at_hand, 2);
}

/* A session that the device does not carry on is left when its place is taken. */
static void a_lost_session_is_left(void **state)
{
        world *w = *state;

        host.jobs = 1;
        start(w);
        w->stop_after = 2;
        world_session(w);
        w->stop_after = 0;
        world_session(w);
        wait_left(2);
        expect_job(w, host.made[0], "done");
}

static void who_is_cut_gets_nothing(void **state)
{
        world *w = *state;

        host.cut = true;
        host.jobs = 1;
        start(w);
        world_session(w);
        assert_int_equal(host.n_made, 1);
        expect_job(w, host.made[0], "queued");
        wait_left(1);
}

/* The server stops while a session waits for what comes of it. */
static void a_stop_ends_the_wait(void **state)
{
        world *w = *state;

        host.jobs = 2;
        start(w);
        w->stop_after = 1;
        world_session(w);
        world_stop(w);
        assert_int_equal(host.left, 1);
}

static void reports_are_alerts_where_wanted(void **state)
{
        static const odm_alert report = {
                .code = ODM_ALERT_GENERIC,
                .source = {"./DiagMon/memory/DiagMonData/RAMAvail", 37},
                .source_name = {"20261122T163505Z", 16},
                .target = {"./Far/Off", 9},
                .type = {"urn:oma:at:diagmon:1.0:CollectedSimpleDataReport", 48},
                .data = {"123", 3},
                .format = ODM_FMT_INT};
        world *w = *state;
        store_event_list l = {0};
        bool found = false;

        w->opt.plain_reports = true;
        w->opt.alert_data = 2;
        start(w);
        w->say = &report;
        w->says = 1;
        world_session(w);
        assert_int_equal(store_event_find(w->store, 0, w->device, 100, &w->a, &l), 0);
        for (size_t i = 0; i < l.n; i++) {
                odm_str d = l.v[i].data;
                assert_false(odm_str_is(l.v[i].kind, "metric.samples"));
                if (!odm_str_is(l.v[i].kind, "alert"))
                        continue;
                found = true;
                assert_non_null(memmem(d.p, d.n, "\"time\":\"20261122T163505Z\"", 25));
                assert_non_null(memmem(d.p, d.n, "\"target\":\"./Far/Off\"", 20));
                assert_non_null(memmem(d.p, d.n, "\"data\":\"12\"", 11));
        }
        assert_true(found);
}

/* In the midst of a character. */
static void a_text_that_is_cut_stays_text(void **state)
{
        static const odm_alert told = {.code = ODM_ALERT_GENERIC,
                                       .source = {"./A", 3},
                                       .type = {"urn:example:said", 16},
                                       .data = {"10 \xe2\x82\xac and more", 15},
                                       .format = ODM_FMT_CHR};
        world *w = *state;
        store_event_list l = {0};
        bool found = false;

        w->opt.alert_data = 5;
        start(w);
        w->say = &told;
        w->says = 1;
        world_session(w);
        assert_int_equal(store_event_find(w->store, 0, w->device, 100, &w->a, &l), 0);
        for (size_t i = 0; i < l.n; i++)
                if (odm_str_is(l.v[i].kind, "alert")) {
                        found = true;
                        assert_non_null(
                                memmem(l.v[i].data.p, l.v[i].data.n, "\"data\":\"10 \"", 12));
                }
        assert_true(found);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(jobs_made_at_hand_go_with_the_session, setup,
                                                world_teardown),
                cmocka_unit_test_setup_teardown(the_end_is_told_once, setup, world_teardown),
                cmocka_unit_test_setup_teardown(a_lost_session_is_left, setup, world_teardown),
                cmocka_unit_test_setup_teardown(who_is_cut_gets_nothing, setup, world_teardown),
                cmocka_unit_test_setup_teardown(a_stop_ends_the_wait, setup, world_teardown),
                cmocka_unit_test_setup_teardown(reports_are_alerts_where_wanted, setup,
                                                world_teardown),
                cmocka_unit_test_setup_teardown(a_text_that_is_cut_stays_text, setup,
                                                world_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
