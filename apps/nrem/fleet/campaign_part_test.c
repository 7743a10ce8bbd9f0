/* SPDX-License-Identifier: Apache-2.0 */
/* Campaigns under simulated time, on a store in memory, with devices that fail in every way. */
#include "campaign_scene.h"

#include <stdio.h>

#include "campaign_turn.h"
#include "gateway_row.h"
#include "package.h"

static void ten_thousand_devices_end_as_they_are(void **state)
{
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 10000, 1);
        scene_devices(&s, 10000, -1);
        id = scene_campaign(&s, SCENE_PLAN);
        scene_finish(&s, id);
        scene_check_ends(&s, id);
        scene_end(&s);
}

static void a_server_that_is_killed_does_nothing_twice(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 3; seed++) {
                scene s;
                int64_t id;

                scene_begin(&s, 200, seed);
                scene_devices(&s, 200, -1);
                id = scene_campaign(&s, SCENE_PLAN);
                scene_run(&s, id, INT64_MAX, true);
                scene_check_ends(&s, id);
                scene_end(&s);
        }
}

/* ---- what operators do --------------------------------------------------------------------------- */

static void waves_come_one_after_the_other(void **state)
{
        scene s;
        campaign c;
        int64_t id;

        (void)state;
        scene_begin(&s, 100, 1);
        scene_devices(&s, 100, DEV_OK);
        id = scene_campaign(&s, "{\"canary\":5,\"wave\":50,\"soak\":3600,\"hold\":true}");
        scene_pass(&s, id, 30 * MINUTE);
        scene_stands(&s, id, "running: 95 pending, 5 succeeded");
        scene_pass(&s, id, HOUR);
        c = scene_row(&s, id);
        assert_int_equal(c.state, CAMPAIGN_PAUSED);
        assert_str(c.reason, "the canary is done: resume it to go on");
        assert_null(scene_order(&s, id, CAMPAIGN_RESUME));
        scene_pass(&s, id, HOUR);
        scene_stands(&s, id, "running: 45 pending, 55 succeeded");
        c = scene_row(&s, id);
        assert_int_equal(c.wave, 2);
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 100 succeeded");
        scene_end(&s);
}

static void too_many_failures_halt_it_until_an_operator_goes_on(void **state)
{
        scene s;
        campaign c;
        int64_t id;
        unsigned orders = 0;

        (void)state;
        scene_begin(&s, 200, 1);
        scene_devices(&s, 100, DEV_BAD);
        scene_devices(&s, 100, DEV_OK);
        id = scene_campaign(&s, "{\"wave\":20,\"stop_above\":50,\"stop_least\":10}");
        scene_pass(&s, id, 8 * HOUR);
        c = scene_row(&s, id);
        assert_int_equal(c.state, CAMPAIGN_HALTED);
        assert_true(c.failed >= 10 && c.failed <= 20);
        for (unsigned i = 1; i <= 200; i++)
                orders += s.dev[i].orders;
        assert_true(orders <= 20);
        assert_null(scene_order(&s, id, CAMPAIGN_RESUME));
        scene_pass(&s, id, 8 * HOUR);
        assert_int_equal(scene_row(&s, id).state, CAMPAIGN_HALTED);
        assert_null(scene_order(&s, id, CAMPAIGN_CANCEL));
        scene_finish(&s, id);
        c = scene_row(&s, id);
        assert_int_equal(c.state, CAMPAIGN_CANCELLED);
        assert_int_equal(c.work, 0);
        assert_int_equal(c.pending + c.delayed + c.ordered + c.checking, 0);
        assert_int_equal(c.succeeded + c.failed + c.cancelled, 200);
        scene_end(&s);
}

static void a_pause_takes_back_what_no_device_has_begun(void **state)
{
        scene s;
        campaign c;
        int64_t id;

        (void)state;
        scene_begin(&s, 50, 1);
        scene_devices(&s, 30, DEV_DEAF);
        scene_devices(&s, 20, DEV_OK);
        id = scene_campaign(&s, "{}");
        scene_pass(&s, id, 4 * MINUTE);
        assert_null(scene_order(&s, id, CAMPAIGN_PAUSE));
        scene_pass(&s, id, 2 * HOUR);
        c = scene_row(&s, id);
        assert_int_equal(c.ordered, 0);
        assert_true(c.delayed >= 30);
        assert_int_equal(c.delayed + c.succeeded, 50);
        for (unsigned i = 1; i <= 30; i++) {
                const store_job_filter open = {.device = i, .states = STORE_JOB_OPEN};
                store_job_list l;
                assert_int_equal(store_job_find(s.on.st, &open, &s.on.a, &l), 0);
                assert_int_equal(l.n, 0);
                s.dev[i].is = DEV_OK;
        }
        assert_null(scene_order(&s, id, CAMPAIGN_RESUME));
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 50 succeeded");
        for (unsigned i = 1; i <= 50; i++)
                assert_int_equal(s.dev[i].orders, 1);
        scene_end(&s);
}

static void the_failed_are_retried_by_one_act(void **state)
{
        scene s;
        campaign c;
        int64_t id;

        (void)state;
        scene_begin(&s, 60, 1);
        scene_devices(&s, 55, DEV_OK);
        scene_devices(&s, 3, DEV_CORRUPT);
        scene_devices(&s, 2, DEV_BAD);
        id = scene_campaign(&s, "{\"threshold\":0,\"stop_above\":5,\"stop_least\":58}");
        scene_finish(&s, id);
        scene_stands(&s, id, "halted: 55 succeeded, 5 failed");
        for (unsigned i = 56; i <= 58; i++)
                s.dev[i].is = DEV_OK;
        assert_null(scene_order(&s, id, CAMPAIGN_RESUME));
        assert_null(scene_order(&s, id, CAMPAIGN_RETRY));
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 58 succeeded, 2 failed");
        c = scene_row(&s, id);
        assert_int_equal(c.base_failed, 0);
        assert_int_equal(s.dev[1].orders, 1);
        assert_int_equal(s.dev[56].orders, 2);
        scene_end(&s);
}

/* Some of them only, by why they failed. */
static void those_that_failed_so_are_retried(void **state)
{
        store_batch *b = store_batch_new();
        scene s;
        campaign c;
        int64_t id;

        (void)state;
        scene_begin(&s, 5, 1);
        scene_devices(&s, 3, DEV_CORRUPT);
        scene_devices(&s, 2, DEV_BAD);
        id = scene_campaign(&s, "{\"threshold\":0}");
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 5 failed");
        for (unsigned i = 1; i <= 5; i++)
                s.dev[i].is = DEV_OK;
        c = scene_row(&s, id);
        c.classes = CLASS_BIT(CLASS_CORRUPT);
        store_batch_add(b, STORE_ROW_PATCH)->row = (store_row_op){
                .table = &table_campaign, .row = &c, .fields = STORE_FIELD(CAMPAIGN_F_classes)};
        scene_write(&s, b);
        assert_null(scene_order(&s, id, CAMPAIGN_RETRY));
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 3 succeeded, 2 failed");
        assert_int_equal(s.dev[5].orders, 1);
        scene_end(&s);
}

static void nothing_is_ordered_before_it_begins(void **state)
{
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 3, 1);
        scene_devices(&s, 3, DEV_OK);
        id = scene_campaign(&s, "{\"begin\":\"2026-11-23T02:00:00Z\"}");
        scene_pass(&s, id, HOUR);
        scene_stands(&s, id, "running: 3 pending");
        for (unsigned i = 1; i <= 3; i++)
                assert_int_equal(s.dev[i].orders, 0);
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 3 succeeded");
        scene_end(&s);
}

static void nothing_is_ordered_behind_the_deadline(void **state)
{
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 3, 1);
        scene_devices(&s, 3, DEV_OK);
        id = scene_campaign(&s, "{\"deadline\":\"2026-11-22T00:00:00Z\"}");
        scene_finish(&s, id);
        scene_stands(&s, id, "done");
        assert_str(scene_row(&s, id).reason, "its deadline has come");
        for (unsigned i = 1; i <= 3; i++)
                assert_int_equal(s.dev[i].orders, 0);
        scene_end(&s);
}

static void at_the_deadline_what_was_not_begun_fails(void **state)
{
        scene s;
        campaign c;
        int64_t id;

        (void)state;
        scene_begin(&s, 50, 1);
        scene_devices(&s, 10, DEV_OK);
        scene_devices(&s, 10, DEV_DEAF);
        scene_devices(&s, 30, DEV_OK);
        id = scene_campaign(
                &s, "{\"canary\":20,\"threshold\":100,\"deadline\":\"2026-11-23T02:00:00Z\"}");
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 10 succeeded, 40 failed");
        c = scene_row(&s, id);
        assert_int_equal(c.ended, 1795399200000);
        assert_str(scene_item(&s, id, 12).reason,
                   "it had not called when the campaign's deadline came");
        assert_str(scene_item(&s, id, 45).reason,
                   "its turn had not come when the campaign's deadline came");
        scene_end(&s);
}

#define RETRY_SILENT "\"retry\":{\"count\":9,\"delay\":0,\"classes\":[\"silent\"]}"

/* Nor does another try. */
static void who_is_silent_keeps_no_campaign_open_beyond_its_deadline(void **state)
{
        scene s;
        campaign c;
        int64_t id, deadline = 1795399200000;

        (void)state;
        scene_begin(&s, 10, 1);
        scene_devices(&s, 5, DEV_OK);
        scene_devices(&s, 5, DEV_DEAD);
        id = scene_campaign(
                &s,
                "{\"deadline\":\"2026-11-23T02:00:00Z\",\"update_time\":1800," RETRY_SILENT "}");
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 5 succeeded, 5 failed");
        c = scene_row(&s, id);
        assert_int_equal(scene_item(&s, id, 7).class, CLASS_SILENT);
        assert_in_range(c.ended, deadline, deadline + HOUR);
        scene_end(&s);
}

static void who_is_silent_keeps_no_cancelled_campaign_open(void **state)
{
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 5, 1);
        scene_devices(&s, 5, DEV_DEAD);
        id = scene_campaign(&s, "{\"update_time\":3600," RETRY_SILENT "}");
        scene_pass(&s, id, HOUR);
        assert_null(scene_order(&s, id, CAMPAIGN_CANCEL));
        scene_finish(&s, id);
        assert_int_equal(scene_row(&s, id).work, 0);
        for (unsigned i = 1; i <= 5; i++)
                assert_int_equal(s.dev[i].orders, 1);
        scene_end(&s);
}

/* A job that was taken back, and whose end is heard late, says nothing of the try that is under
 * way. */
static void the_end_of_another_try_is_none_of_this(void **state)
{
        static const char *const others[] = {"1", "3", "2/check", "2/x", ""};
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 1, 1);
        scene_devices(&s, 1, DEV_DEAF);
        id = scene_campaign(&s, "{}");
        scene_pass(&s, id, MINUTE);
        assert_null(scene_order(&s, id, CAMPAIGN_PAUSE));
        scene_pass(&s, id, MINUTE);
        assert_null(scene_order(&s, id, CAMPAIGN_RESUME));
        scene_pass(&s, id, MINUTE);
        assert_int_equal(scene_item(&s, id, 1).tries, 2);
        for (size_t i = 0; i < ODM_COUNT(others); i++) {
                char data[80];

                (void)snprintf(data, sizeof data, "{\"job\":\"1\",\"key\":\"campaign/%lld/%s\"}",
                               (long long)id, others[i]);
                stage_say(&s.on, 1, "job.failed", data);
                scene_pass(&s, id, MINUTE);
                scene_stands(&s, id, "running: 1 ordered");
        }
        scene_end(&s);
}

static void runs(scene *s, int64_t dev, const char *fwv)
{
        store_batch *b = store_batch_new();

        store_batch_add(b, STORE_DEVICE_PATCH)->device_patch = (store_device_patch){
                .fields = STORE_DF_FWV, .to = {.id = dev, .fwv = odm_cstr(fwv)}};
        scene_write(s, b);
}

/* Between two tries: a rollback brings it to what it had before the first one; and when it has got
 * there meanwhile, it has got there. */
static void what_a_device_had_is_what_it_had_at_first(void **state)
{
        static const struct {
                const char *has, *stands, *before;
        } rows[] = {{"1.5", "running: 1 ordered", "1.0"}, {"2.0", "done: 1 succeeded", "1.0"}};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                scene s;
                int64_t id;

                scene_begin(&s, 1, 1);
                scene_devices(&s, 1, DEV_DEAF);
                id = scene_campaign(&s, "{}");
                scene_pass(&s, id, MINUTE);
                assert_null(scene_order(&s, id, CAMPAIGN_PAUSE));
                scene_pass(&s, id, MINUTE);
                runs(&s, 1, rows[i].has);
                assert_null(scene_order(&s, id, CAMPAIGN_RESUME));
                scene_pass(&s, id, MINUTE);
                scene_stands(&s, id, rows[i].stands);
                assert_str(scene_item(&s, id, 1).before, rows[i].before);
                scene_end(&s);
        }
}

static void turn_of(scene *s, odm_arena *a, fleet_turn *out)
{
        odm_arena_init(a, &heap, 1 << 20);
        *out = (fleet_turn){
                .host = &s->on.host, .batch = store_batch_new(), .arena = a, .now = stage_ms};
}

/* The device begins its order while that is being taken back: it is the device's. */
static void what_a_device_has_just_begun_is_not_taken_back(void **state)
{
        store_batch *b = store_batch_new();
        scene s;
        campaign_item it;
        campaign_turn w;
        fleet_turn t;
        int64_t id;
        odm_arena a;
        bool begun;
        store_op *op;

        (void)state;
        scene_begin(&s, 1, 1);
        scene_devices(&s, 1, DEV_DEAF);
        id = scene_campaign(&s, "{}");
        scene_pass(&s, id, MINUTE);
        turn_of(&s, &a, &t);
        assert_int_equal(campaign_turn_begin(&w, &t, id), 0);
        it = scene_item(&s, id, 1);
        assert_int_equal(campaign_turn_withdraw(&w, &it, ITEM_DELAYED, CLASS_NONE, "no", &begun),
                         0);
        assert_false(begun);
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = 1;
        op->job_move.job = 1;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = STORE_JOB_IN_SESSION;
        op->job_move.at = stage_ms;
        scene_write(&s, b);
        assert_int_equal(store_write_sync(s.on.st, t.batch), ODM_ESTATE);
        campaign_turn_done(&w);
        store_batch_free(t.batch);
        odm_arena_done(&a);
        scene_end(&s);
}

/* An operator acts while the clock is at work: nothing of that turn happens. */
static void an_operator_is_not_overruled(void **state)
{
        scene s;
        campaign_turn w;
        fleet_turn t;
        int64_t id;
        odm_arena a;

        (void)state;
        scene_begin(&s, 1, 1);
        scene_devices(&s, 1, DEV_DEAF);
        id = scene_campaign(&s, "{}");
        turn_of(&s, &a, &t);
        assert_int_equal(campaign_turn_begin(&w, &t, id), 0);
        assert_null(scene_order(&s, id, CAMPAIGN_CANCEL));
        w.c.state = CAMPAIGN_DONE;
        w.fields = STORE_FIELD(CAMPAIGN_F_state);
        assert_int_equal(campaign_turn_end(&w, true), 0);
        assert_int_equal(store_write_sync(s.on.st, t.batch), ODM_ESTATE);
        assert_int_equal(scene_row(&s, id).state, CAMPAIGN_CANCELLED);
        campaign_turn_done(&w);
        store_batch_free(t.batch);
        odm_arena_done(&a);
        scene_end(&s);
}

static void devices_are_ordered_in_their_windows(void **state)
{
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 20, 1);
        scene_devices(&s, 10, DEV_OK);
        scene_devices(&s, 10, DEV_DEAF);
        id = scene_campaign(
                &s, "{\"windows\":[{\"from\":\"03:00\",\"until\":\"04:00\"}],\"zone\":\"+05:00\"}");
        scene_pass(&s, id, HOUR); /* 02:00 by the tag of the devices */
        scene_stands(&s, id, "running: 20 delayed");
        assert_int_equal(scene_item(&s, id, 1).due, 1795399200000); /* 03:00 at +01:00 */
        scene_pass(&s, id, HOUR + 30 * MINUTE);
        scene_stands(&s, id, "running: 10 ordered, 10 succeeded");
        scene_pass(&s, id, HOUR); /* closed again: taken back until tomorrow */
        scene_stands(&s, id, "running: 10 delayed, 10 succeeded");
        assert_int_equal(scene_item(&s, id, 15).due, 1795399200000 + 24 * HOUR);
        for (unsigned i = 11; i <= 20; i++)
                s.dev[i].is = DEV_OK;
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 20 succeeded");
        scene_end(&s);
}

/* The order of a device behind a gateway: it waits for the package there, for the gateway to call,
 * or for the device, as far as is known. */
static void goes_through_a_gateway(scene *s, int64_t dev, int64_t task, store_job_state carrier)
{
        const store_job_filter f = {.device = dev, .states = STORE_JOB_OPEN, .limit = 1};
        store_batch *b = store_batch_new();
        gateway_relay r = {.device = dev, .gateway = 1, .task = task};
        store_job_list l = {0};
        store_op *op;

        assert_int_equal(store_job_find(s->on.st, &f, &s->on.a, &l), 0);
        assert_int_equal(l.n, 1);
        r.job = l.v[0].id;
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = dev;
        op->job_move.job = r.job;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = STORE_JOB_WAITING;
        op->job_move.attempt = 1;
        op->job_move.route = ODM_STR("gateway");
        op->job_move.at = stage_ms;
        store_batch_add(b, STORE_ROW_ADD)->row =
                (store_row_op){.table = &table_gateway_relay, .row = &r};
        if (task > 0) {
                op = store_batch_add(b, STORE_JOB_CREATE);
                op->job = (store_job){.device = 1,
                                      .kind = ODM_STR("relay"),
                                      .commands = ODM_STR("[{\"cmd\":\"get\",\"uri\":\"./A\"}]"),
                                      .key = odm_arena_fmt(store_batch_arena(b), "gateway/%lld",
                                                           (long long)task)};
                op = store_batch_add(b, STORE_JOB_MOVE);
                op->job_move.device = 1;
                op->job_move.job = STORE_LAST;
                op->job_move.from = STORE_JOB_OPEN;
                op->job_move.to = carrier;
        }
        scene_write(s, b);
}

static void what_no_device_behind_a_gateway_has_begun_is_taken_back(void **state)
{
        static const struct {
                const char *why;
                int64_t task;
                store_job_state carrier;
                bool back;
        } rows[] = {
                {"its package is not there", GATEWAY_WAITS, STORE_JOB_QUEUED, true},
                {"its gateway has not called", 7, STORE_JOB_NOTIFIED, true},
                {"its gateway is being told", 7, STORE_JOB_IN_SESSION, false},
                {"its gateway keeps it", 7, STORE_JOB_WAITING, false},
                {"its gateway has said that it has it", 7, STORE_JOB_DONE, false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                for (unsigned how = 0; how < 3; how++) {
                        campaign c;
                        int64_t id;
                        scene s;

                        scene_begin(&s, 2, 1);
                        scene_devices(&s, 2, DEV_DEAF); /* the first is the gateway */
                        id = scene_campaign_of(
                                &s, "{\"devices\":[\"d/000002\"]}",
                                "{\"windows\":[{\"from\":\"01:00\",\"until\":\"02:00\"}]}");
                        scene_pass(&s, id, 10 * MINUTE);
                        scene_stands(&s, id, "running: 1 ordered");
                        goes_through_a_gateway(&s, 2, rows[i].task, rows[i].carrier);
                        if (how == 0)
                                assert_null(scene_order(&s, id, CAMPAIGN_PAUSE));
                        if (how == 1)
                                assert_null(scene_order(&s, id, CAMPAIGN_CANCEL));
                        scene_pass(&s, id, how == 2 ? HOUR : 10 * MINUTE);
                        c = scene_row(&s, id);
                        if ((c.ordered == 0) != rows[i].back)
                                fail_msg("%s (%u): %s", rows[i].why, how,
                                         c.ordered ? "it stays" : "it is taken back");
                        scene_end(&s);
                }
}

static void not_more_are_under_way_than_wanted(void **state)
{
        scene s;
        campaign c;
        int64_t id;

        (void)state;
        scene_begin(&s, 40, 1);
        scene_devices(&s, 40, DEV_OK);
        id = scene_campaign(&s, "{\"parallel\":7}");
        for (unsigned i = 0; i < 100; i++) {
                scene_pass(&s, id, MINUTE);
                c = scene_row(&s, id);
                assert_true(c.ordered + c.checking <= 7);
        }
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 40 succeeded");
        scene_end(&s);
}

static void late_devices_join(void **state)
{
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 40, 1);
        scene_devices(&s, 10, DEV_OK);
        id = scene_campaign_of(&s, "{\"prefix\":\"d/\"}", "{\"join\":true}");
        scene_pass(&s, id, 2 * HOUR);
        scene_stands(&s, id, "running: 10 succeeded");
        scene_devices(&s, 5, DEV_OK);
        scene_pass(&s, id, 2 * HOUR);
        scene_stands(&s, id, "running: 15 succeeded");
        assert_null(scene_order(&s, id, CAMPAIGN_CANCEL));
        scene_finish(&s, id);
        assert_int_equal(scene_row(&s, id).work, 0);
        scene_end(&s);
}

/* Some were left out: one was switched off, one ran what the package is not for. */
static void devices_that_come_to_fit_join(void **state)
{
        store_batch *b = store_batch_new();
        scene s;
        campaign c;
        int64_t id;

        (void)state;
        scene_begin(&s, 12, 1);
        scene_devices(&s, 8, DEV_OK);
        scene_devices(&s, 2, DEV_OFF);
        scene_devices(&s, 2, DEV_NEW);
        id = scene_campaign_of(&s, "{\"prefix\":\"d/\"}", "{\"join\":true,\"wave\":\"50%\"}");
        scene_pass(&s, id, 2 * HOUR);
        scene_stands(&s, id, "running: 8 succeeded, 4 skipped");
        c = scene_row(&s, id);
        assert_int_equal(c.total, 8);
        for (unsigned i = 9; i <= 11; i++) { /* the last stays as it is */
                store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);
                op->device_patch.fields = STORE_DF_STATE | STORE_DF_FWV;
                op->device_patch.to = (store_device){
                        .id = i, .state = STORE_DEVICE_ACTIVE, .fwv = ODM_STR("1.0")};
                s.dev[i].is = DEV_OK;
        }
        scene_write(&s, b);
        scene_pass(&s, id, 2 * HOUR);
        scene_stands(&s, id, "running: 11 succeeded, 1 skipped");
        c = scene_row(&s, id);
        assert_int_equal(c.total, 11);
        assert_int_equal(c.left, 0);
        assert_null(scene_order(&s, id, CAMPAIGN_CANCEL));
        scene_finish(&s, id);
        assert_int_equal(scene_row(&s, id).work, 0);
        scene_end(&s);
}

static void device_is(scene *s, int64_t dev, store_device_state state)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

        op->device_patch.fields = STORE_DF_STATE;
        op->device_patch.to = (store_device){.id = dev, .state = state};
        scene_write(s, b);
}

/* Before there was anybody, and one that was there, and switched off when its turn came. */
static void who_joins_goes_by_the_plan(void **state)
{
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 20, 1);
        id = scene_campaign_of(&s, "{\"prefix\":\"d/\"}",
                               "{\"join\":true,\"canary\":3,\"hold\":true}");
        scene_pass(&s, id, HOUR);
        scene_devices(&s, 10, DEV_OK);
        scene_pass(&s, id, HOUR);
        scene_stands(&s, id, "paused: 7 pending, 3 succeeded");
        device_is(&s, 9, STORE_DEVICE_DEACTIVATED);
        assert_null(scene_order(&s, id, CAMPAIGN_RESUME));
        scene_pass(&s, id, HOUR);
        scene_stands(&s, id, "running: 9 succeeded, 1 skipped");
        device_is(&s, 9, STORE_DEVICE_ACTIVE);
        scene_pass(&s, id, HOUR);
        scene_stands(&s, id, "running: 10 succeeded");
        assert_int_equal(scene_row(&s, id).total, 10);
        assert_int_equal(scene_row(&s, id).left, 0);
        scene_end(&s);
}

/* How it reaches the server is known when it calls: it has as long for that as any other. */
static void who_joins_late_may_have_to_call_first(void **state)
{
        const campaign row = {.version = ODM_STR("2.0")};
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 10, 1);
        id = scene_create(&s, &row, "{\"prefix\":\"d/\"}", "{\"join\":true,\"contact_time\":3600}");
        scene_pass(&s, id, 10 * HOUR);
        scene_devices(&s, 5, DEV_OK);
        scene_pass(&s, id, 30 * MINUTE);
        scene_stands(&s, id, "running: 5 delayed");
        scene_pass(&s, id, 40 * MINUTE);
        scene_stands(&s, id, "running: 5 failed");
        assert_str(scene_item(&s, id, 1).reason, "it has never called");
        scene_end(&s);
}

/* Of a wave in which some were left out when their turn came, the others have to succeed. */
static void who_was_left_out_holds_up_no_wave(void **state)
{
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 20, 1);
        scene_devices(&s, 20, DEV_OK);
        id = scene_campaign(&s,
                            "{\"canary\":10,\"threshold\":100,\"begin\":\"2026-11-23T01:00:00Z\"}");
        scene_pass(&s, id, 30 * MINUTE);
        scene_stands(&s, id, "running: 20 pending");
        device_is(&s, 2, STORE_DEVICE_DEACTIVATED);
        device_is(&s, 5, STORE_DEVICE_DETACHED);
        scene_pass(&s, id, 3 * HOUR);
        scene_stands(&s, id, "done: 18 succeeded, 2 skipped");
        assert_int_equal(scene_row(&s, id).left, 2);
        scene_end(&s);
}

/* Who failed and is missed since has not been left out. */
static void who_was_tried_is_not_skipped(void **state)
{
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 10, 1);
        scene_devices(&s, 10, DEV_FLAKY);
        id = scene_campaign(&s, "{\"retry\":{\"count\":1,\"delay\":7200}}");
        scene_pass(&s, id, HOUR);
        scene_stands(&s, id, "running: 10 delayed");
        device_is(&s, 4, STORE_DEVICE_UNREACHABLE);
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 10 succeeded");
        scene_end(&s);
}

static void a_device_that_is_removed_holds_up_nothing(void **state)
{
        scene s;
        int64_t id;
        store_batch *b;

        (void)state;
        scene_begin(&s, 10, 1);
        scene_devices(&s, 10, DEV_DEAF);
        id = scene_campaign(&s, "{\"contact_time\":36000}");
        scene_pass(&s, id, 30 * MINUTE);
        b = store_batch_new();
        store_batch_add(b, STORE_DEVICE_DELETE)->of = 3; /* nobody tells: found when it is due */
        store_batch_add(b, STORE_DEVICE_DELETE)->of = 7;
        stage_event(b, 0, "device.removed", "{\"device\":\"d/000007\"}");
        scene_write(&s, b);
        scene_pass(&s, id, MINUTE);
        scene_stands(&s, id, "running: 9 ordered, 1 cancelled");
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 8 failed, 2 cancelled");
        assert_str(scene_item(&s, id, 3).reason, "the device was removed");
        assert_str(scene_item(&s, id, 4).reason, "it did not call in time");
        scene_end(&s);
}

/* One that is renamed is found by its new name, and gone when it goes by that. */
static void a_device_that_is_renamed_is_followed(void **state)
{
        store_batch *b = store_batch_new();
        store_op *op;
        scene s;
        int64_t id, other;

        (void)state;
        scene_begin(&s, 3, 1);
        scene_devices(&s, 3, DEV_DEAF);
        other = scene_campaign(&s, "{\"contact_time\":60}");
        id = scene_campaign(&s, "{\"contact_time\":36000}");
        scene_pass(&s, id, 30 * MINUTE);
        op = store_batch_add(b, STORE_DEVICE_PATCH);
        op->device_patch.fields = STORE_DF_NAME;
        op->device_patch.to = (store_device){.id = 2, .name = ODM_STR("e/2")};
        stage_event(b, 2, "device.changed", NULL);
        scene_write(&s, b);
        scene_pass(&s, id, MINUTE);
        assert_str(scene_item(&s, id, 2).name, "e/2");
        assert_str(scene_item(&s, other, 2).name, "e/2");
        assert_str(scene_item(&s, id, 1).name, "d/000001");
        b = store_batch_new();
        store_batch_add(b, STORE_DEVICE_DELETE)->of = 2;
        stage_event(b, 0, "device.removed", "{\"device\":\"e/2\"}");
        scene_write(&s, b);
        scene_pass(&s, id, MINUTE);
        scene_stands(&s, id, "running: 2 ordered, 1 cancelled");
        scene_stands(&s, other, "done: 3 failed");
        scene_end(&s);
}

static void a_list_of_names_and_commands_with_variables(void **state)
{
        const campaign row = {.kind = CAMPAIGN_COMMANDS,
                              .commands = ODM_STR("[{\"cmd\":\"replace\",\"uri\":\"./A/Site\","
                                                  "\"data\":\"${tag.site} ${device}\"}]")};
        scene s;
        store_job_list l;
        const store_job_filter f = {.device = 7};
        int64_t id;

        (void)state;
        scene_begin(&s, 10, 1);
        scene_devices(&s, 10, DEV_DEAF);
        id = scene_create(&s, &row, "{\"devices\":[\"d/000007\",\"d/000002\"]}", "{}");
        scene_pass(&s, id, MINUTE);
        scene_stands(&s, id, "running: 2 ordered");
        assert_int_equal(store_job_find(s.on.st, &f, &s.on.a, &l), 0);
        assert_int_equal(l.n, 1);
        assert_non_null(strstr(l.v[0].commands.p, "Bern d/000007"));
        assert_str(l.v[0].key, "campaign/1/1");
        scene_end(&s);
}

static int64_t add_package(scene *s, const char *version)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ROW_ADD);
        package p = {.name = ODM_STR("fw"),
                     .version = odm_cstr(version),
                     .state = PACKAGE_READY,
                     .file = ODM_STR("image"),
                     .sha256 = ODM_STR("0123456789012345678901234567890123456789012345678901234567"
                                       "890123")};
        int64_t id;

        op->row = (store_row_op){.table = &table_package, .row = &p};
        assert_int_equal(store_write_sync(s->on.st, b), 0);
        id = op->id;
        store_batch_free(b);
        return id;
}

static void a_rollback_brings_each_device_to_what_it_had(void **state)
{
        scene s;
        campaign with = {.package = 0}, c;
        int64_t id, back, old, new;

        (void)state;
        scene_begin(&s, 10, 1);
        scene_devices(&s, 6, DEV_OK);
        scene_devices(&s, 4, DEV_BAD);
        old = add_package(&s, "1.0");
        new = add_package(&s, "2.0");
        with.package = new;
        id = scene_create(&s, &with, "{}", "{\"threshold\":0}");
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 6 succeeded, 4 failed");
        with = (campaign){.package = new, .source = id};
        back = scene_create(&s, &with, "{}", "{}");
        scene_pass(&s, back, 4 * MINUTE);
        c = scene_row(&s, back);
        assert_int_equal(c.total, 6);
        assert_int_equal(scene_item(&s, back, 2).package, old);
        assert_str(scene_item(&s, back, 2).version, "1.0");
        assert_int_equal(scene_item(&s, back, 8).dev, 0);
        scene_end(&s);
}

/* Some are in mid-update when it is rolled back: they come to run it, and have to go back too. */
static void a_rollback_waits_for_those_in_mid_update(void **state)
{
        scene s;
        campaign with = {.package = 0}, c;
        int64_t id, back, before;

        (void)state;
        scene_begin(&s, 40, 1);
        scene_devices(&s, 40, DEV_OK);
        (void)add_package(&s, "1.0");
        with.package = add_package(&s, "2.0");
        id = scene_create(&s, &with, "{}", "{\"threshold\":0}");
        scene_pass(&s, id, 6 * MINUTE);
        before = scene_row(&s, id).succeeded;
        assert_null(scene_order(&s, id, CAMPAIGN_ROLLBACK));
        with.source = id;
        back = scene_create(&s, &with, "{}", "{\"threshold\":0}");
        scene_finish(&s, back);
        c = scene_row(&s, id);
        assert_int_equal(c.work, 0);
        assert_true(c.succeeded > before);
        assert_int_equal(scene_row(&s, back).total, c.succeeded);
        assert_int_equal(scene_row(&s, back).work, 0);
        scene_end(&s);
}

static void a_campaign_that_is_removed_leaves_nothing(void **state)
{
        scene s;
        int64_t id;

        (void)state;
        scene_begin(&s, 2500, 1);
        scene_devices(&s, 2500, DEV_NEW);
        id = scene_campaign(&s, "{}");
        scene_finish(&s, id);
        scene_stands(&s, id, "done: 2500 skipped");
        assert_null(scene_order(&s, id, CAMPAIGN_REMOVE));
        scene_pass(&s, id, MINUTE);
        assert_int_equal(scene_row(&s, id).id, 0);
        assert_int_equal(scene_item(&s, id, 1).dev, 0);
        assert_int_equal(scene_item(&s, id, 2500).dev, 0);
        scene_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(waves_come_one_after_the_other),
                cmocka_unit_test(too_many_failures_halt_it_until_an_operator_goes_on),
                cmocka_unit_test(a_pause_takes_back_what_no_device_has_begun),
                cmocka_unit_test(the_failed_are_retried_by_one_act),
                cmocka_unit_test(those_that_failed_so_are_retried),
                cmocka_unit_test(nothing_is_ordered_before_it_begins),
                cmocka_unit_test(nothing_is_ordered_behind_the_deadline),
                cmocka_unit_test(at_the_deadline_what_was_not_begun_fails),
                cmocka_unit_test(who_is_silent_keeps_no_campaign_open_beyond_its_deadline),
                cmocka_unit_test(who_is_silent_keeps_no_cancelled_campaign_open),
                cmocka_unit_test(the_end_of_another_try_is_none_of_this),
                cmocka_unit_test(what_a_device_had_is_what_it_had_at_first),
                cmocka_unit_test(what_a_device_has_just_begun_is_not_taken_back),
                cmocka_unit_test(an_operator_is_not_overruled),
                cmocka_unit_test(devices_are_ordered_in_their_windows),
                cmocka_unit_test(what_no_device_behind_a_gateway_has_begun_is_taken_back),
                cmocka_unit_test(not_more_are_under_way_than_wanted),
                cmocka_unit_test(late_devices_join),
                cmocka_unit_test(devices_that_come_to_fit_join),
                cmocka_unit_test(who_joins_goes_by_the_plan),
                cmocka_unit_test(who_joins_late_may_have_to_call_first),
                cmocka_unit_test(who_was_left_out_holds_up_no_wave),
                cmocka_unit_test(who_was_tried_is_not_skipped),
                cmocka_unit_test(a_device_that_is_removed_holds_up_nothing),
                cmocka_unit_test(a_device_that_is_renamed_is_followed),
                cmocka_unit_test(a_list_of_names_and_commands_with_variables),
                cmocka_unit_test(a_rollback_brings_each_device_to_what_it_had),
                cmocka_unit_test(a_rollback_waits_for_those_in_mid_update),
                cmocka_unit_test(a_campaign_that_is_removed_leaves_nothing),
                cmocka_unit_test(a_server_that_is_killed_does_nothing_twice),
                cmocka_unit_test(ten_thousand_devices_end_as_they_are),
        };

        return RUN_TESTS(tests);
}
