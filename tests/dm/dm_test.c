/* SPDX-License-Identifier: Apache-2.0 */
/* dm_test.c - devices at the door: a client engine with a tree, over HTTP on loopback, against the
 * DM side and a store. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "odm/notify.h"
#include "world.h"

#define SET_TEXT JOB_REPLACE("./Vendor/lab/Text", "a")

static world *made(void **state, const char *where)
{
        return *state = world_new(sizeof(world), where);
}

static int setup(void **state)
{
        (void)made(state, NULL);
        return 0;
}

static int setup_xml(void **state)
{
        made(state, NULL)->codec = &odm_codec_xml;
        return 0;
}

static int setup_sqlite(void **state)
{
        (void)made(state, "sqlite");
        return 0;
}

static int setup_mac(void **state)
{
        made(state, NULL)->auth = ODM_AUTH_MAC;
        return 0;
}

/* ---- sessions ------------------------------------------------------------------------- */

static void a_first_session_tells_who_it_is(void **state)
{
        world *w = *state;
        store_device d;
        store_session_list l;
        store_message_list m;
        store_account acc;

        world_warm_up(w);
        d = world_device(w);
        assert_int_equal(d.state, STORE_DEVICE_ACTIVE);
        assert_str(d.maker, "Example");
        assert_str(d.model, "X1");
        assert_str(d.address, "127.0.0.1");
        assert_str(d.route, "called");
        assert_true(d.last_contact > 0);
        assert_true(d.fwv.p != NULL); /* asked for, since it was not known */
        expect_node(w, "./DevInfo/Man", "Example");
        world_stop(w); /* what nobody waits for is written */
        assert_int_equal(store_session_find(w->store, w->device, 0, 0, &w->a, &l), 0);
        assert_int_equal(l.n, 1);
        assert_true(l.v[0].authenticated);
        assert_str(l.v[0].outcome, "done");
        assert_int_equal(store_session_messages(w->store, w->device, l.v[0].id, &w->a, &m), 0);
        assert_int_equal(m.n, 2 * w->sent);
        assert_int_equal(l.v[0].messages, 2 * w->sent);
        assert_false(m.v[0].out);
        assert_true(m.v[1].out && m.v[1].bytes.n > 0);
        assert_int_equal(store_account_get(w->store, w->device, &w->a, &acc), 0);
        assert_true(acc.nonce.n >= 16 && acc.server_nonce.n >= 16);
}

/* A session without work asks one small thing all the same, so that the device can hand over its
 * next nonce: neither side ever proves itself twice with the same one. */
static void each_session_renews_both_nonces(void **state)
{
        world *w = *state;
        store_account acc[4];
        store_job_list jobs;
        const store_job_filter all = {.device = w->device};

        world_start(w);
        for (int i = 0; i < 4; i++) {
                expect_done(w);
                assert_true(i == 0 || w->sent == 2); /* no challenge, one answer */
                assert_int_equal(store_account_get(w->store, w->device, &w->a, &acc[i]), 0);
                assert_true(acc[i].nonce.n >= 16 && acc[i].server_nonce.n >= 16);
                for (int k = 0; k < i; k++)
                        assert_false(odm_str_eq(acc[i].nonce, acc[k].nonce) ||
                                     odm_str_eq(acc[i].server_nonce, acc[k].server_nonce));
        }
        assert_int_equal(store_job_find(w->store, &all, &w->a, &jobs), 0);
        assert_int_equal(jobs.n, 0);
        expect_node(w, "./DevInfo/DmV", "1.0");
}

static void jobs_are_carried_out(void **state)
{
        world *w = *state;
        char text[32];
        int64_t get, set, add, run;

        world_start(w);
        get = world_job(w,
                        "[{\"cmd\":\"get\",\"uri\":\"./DevInfo/Man\"},"
                        "{\"cmd\":\"get\",\"uri\":\"./Vendor/lab\"}]",
                        false);
        set = world_job(w, JOB_REPLACE("./Vendor/lab/Text", "hi"), false);
        add = world_job(w,
                        "[{\"cmd\":\"add\",\"uri\":\"./Vendor/lab/Items/a\",\"format\":\"node\"},"
                        "{\"cmd\":\"add\",\"uri\":\"./Vendor/lab/Items/a/Note\",\"data\":\"n\"}]",
                        true);
        run = world_job(w,
                        "[{\"cmd\":\"sequence\",\"commands\":["
                        "{\"cmd\":\"exec\",\"uri\":\"./Vendor/lab/Run\",\"data\":\"7\"},"
                        "{\"cmd\":\"get\",\"uri\":\"./Vendor/lab/Count\"}]}]",
                        false);
        expect_done(w);
        expect_job(w, get, "done");
        expect_job(w, set, "done");
        expect_job(w, add, "done");
        expect_job(w, run, "done");
        expect_results(w, get, "200 200");
        expect_results(w, add, "200 200 200");
        expect_results(w, run, "200 200 200");
        assert_int_equal(w->dev.runs, 1);
        assert_true(device_read(&w->dev, "./Vendor/lab/Text", text, sizeof text));
        assert_string_equal(text, "hi");
        expect_node(w, "./Vendor/lab/Text", "hi");
        expect_node(w, "./Vendor/lab/Items/a/Note", "n");
        expect_node(w, "./Vendor/lab/Count", "1");
        assert_int_equal(world_job_now(w, get).attempts, 1);
        assert_str(world_job_now(w, get).route, "called");
}

static void what_fails_is_told_and_blocks_nobody(void **state)
{
        world *w = *state;
        char text[32];
        int64_t broken, nested, missing, atomic, last;

        world_start(w);
        broken = world_job(w, "no json", false);
        nested = world_job(w, JOB_EXEC("./Vendor/lab/Run"), true);
        missing = world_job(w,
                            "[{\"cmd\":\"get\",\"uri\":\"./No/Such\"},"
                            "{\"cmd\":\"get\",\"uri\":\"./DevInfo/Mod\"}]",
                            false);
        atomic = world_job(w,
                           "[{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Text\",\"data\":\"x\"},"
                           "{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Picky\",\"data\":\"no\"}]",
                           true);
        last = world_job(w, JOB_GET("./DevInfo/Lang"), false);
        expect_done(w);
        expect_job(w, broken, "failed: its commands cannot be read");
        expect_job(w, nested, "failed: it holds what may not be sent");
        expect_job(w, missing, "failed: Get ./No/Such: 404 Not found");
        expect_results(w, missing, "404 200");
        expect_job(w, atomic, "failed: Replace ./Vendor/lab/Picky: 403 Forbidden");
        expect_results(w, atomic, "507 216 403");
        expect_job(w, last, "done");
        assert_int_equal(w->dev.runs, 0);
        assert_true(!device_read(&w->dev, "./Vendor/lab/Text", text, sizeof text) ||
                    strcmp(text, "x") != 0);
        expect_node(w, "./Vendor/lab/Text", "-");
}

static void an_exec_accepted_waits_for_its_alert(void **state)
{
        world *w = *state;
        odm_alert say = {.id = 1,
                         .code = ODM_ALERT_GENERIC,
                         .source = ODM_STR("./Vendor/lab/Slow"),
                         .type = ODM_STR("org.example.done"),
                         .format = ODM_FMT_CHR,
                         .data = ODM_STR("1200"),
                         .correlator = ODM_STR("c-17")};
        store_event_list e;
        int64_t job, other;

        world_start(w);
        job = world_job(w,
                        "[{\"cmd\":\"exec\",\"uri\":\"./Vendor/lab/Slow\",\"data\":\"3\","
                        "\"correlator\":\"c-17\"}]",
                        false);
        other = world_job(w,
                          "[{\"cmd\":\"exec\",\"uri\":\"./Vendor/lab/Slow\",\"data\":\"4\","
                          "\"correlator\":\"c-18\"}]",
                          false);
        expect_done(w);
        expect_job(w, job, "waiting: accepted by the device");
        expect_results(w, job, "202");
        w->say = &say;
        expect_done(w);
        expect_job(w, job, "done");
        expect_results(w, job, "1200");
        expect_job(w, other, "waiting: accepted");
        say.correlator = ODM_ABSENT; /* known by its source then */
        say.data = ODM_STR("500");
        expect_done(w);
        expect_job(w, other, "failed: Exec ./Vendor/lab/Slow: 500");
        say.source = ODM_STR("./Vendor/lab/Flag"); /* of no job: kept as an event */
        expect_done(w);
        assert_int_equal(store_event_find(w->store, 0, w->device, 100, &w->a, &e), 0);
        unsigned alerts = 0;
        for (size_t i = 0; i < e.n; i++)
                alerts += odm_str_is(e.v[i].kind, "alert");
        assert_int_equal(alerts, 3);
        assert_int_equal(w->dev.ran[3], 1);
}

static odm_alert report(uint64_t id, const char *source, odm_format format, const char *data,
                        const char *when)
{
        return (odm_alert){.id = id,
                           .code = ODM_ALERT_GENERIC,
                           .source = odm_cstr(source),
                           .source_name = odm_cstr(when),
                           .type = ODM_STR("urn:oma:at:diagmon:1.0:CollectedSimpleDataReport"),
                           .format = format,
                           .data = odm_cstr(data),
                           .correlator = ODM_STR("pm-5")};
}

/* Samples are told leaf by leaf: one event a message, with the device's times; what is no
 * measurement is left out, and does not end the job of its run. */
static void samples_of_a_message_are_one_event(void **state)
{
        world *w = *state;
        const odm_alert say[] = {
                report(1, "./DiagMon/Memory/DiagMonData/RAMAvail", ODM_FMT_INT, "4711",
                       "20261122T163505Z"),
                report(2, "./DiagMon/Link/DiagMonData/lo/State", ODM_FMT_CHR, "up",
                       "20261122T163505Z"),
                report(3, "./DiagMon/PanicLog/DiagMonData/1/Log", ODM_FMT_BIN, "\1\2", NULL),
                report(4, "./DiagMon/Memory/DiagMonData/RAMAvail", ODM_FMT_INT, "4712",
                       "20261122T163515Z"),
        };
        store_event_list e;
        unsigned events = 0;

        world_start(w);
        int64_t job = world_job(w,
                                "[{\"cmd\":\"exec\",\"uri\":\"./Vendor/lab/Slow\",\"data\":\"3\","
                                "\"correlator\":\"pm-5\"}]",
                                false);
        expect_done(w);
        w->say = say;
        w->says = ODM_COUNT(say);
        expect_done(w);
        expect_job(w, job, "waiting: accepted");
        assert_int_equal(store_event_find(w->store, 0, w->device, 100, &w->a, &e), 0);
        for (size_t i = 0; i < e.n; i++) {
                assert_false(odm_str_is(e.v[i].kind, "alert"));
                if (!odm_str_is(e.v[i].kind, "metric.samples"))
                        continue;
                events++;
                assert_str(e.v[i].data,
                           "{\"by\":\"report\",\"samples\":[{\"at\":\"2026-11-22T16:35:05Z\","
                           "\"values\":{\"memory.RAMAvail\":4711,\"link.lo.State\":\"up\"}},"
                           "{\"at\":\"2026-11-22T16:35:15Z\",\"values\":{\"memory.RAMAvail\":"
                           "4712}}],\"correlator\":\"pm-5\"}");
        }
        assert_int_equal(events, 1);
}

/* ---- lost sessions ------------------------------------------------------------------------ */

/* The device gets its commands, and is never heard of again. */
static void lose_session(world *w)
{
        w->stop_after = 1;
        world_session(w);
        w->stop_after = 0;
}

/* The same where the nonces of lost sessions have to be found again first. */
static void lose_job(world *w, int64_t job)
{
        uint32_t before = world_job_now(w, job).attempts;

        for (w->stop_after = 1; world_job_now(w, job).attempts == before; w->stop_after++) {
                assert_true(w->stop_after < 4);
                world_session(w);
        }
        w->stop_after = 0;
}

static void a_lost_session_puts_jobs_back(void **state)
{
        world *w = *state;
        int64_t set;

        world_warm_up(w);
        set = world_job(w, SET_TEXT, false);
        lose_session(w);
        expect_job(w, set, "in_session");
        expect_done(w); /* the new session takes over what the old one held */
        expect_job(w, set, "done");
        assert_int_equal(world_job_now(w, set).attempts, 2);
}

/* What is said stays in memory while the session runs, and is one row when it has ended. */
static void messages_can_be_seen_while_a_session_runs(void **state)
{
        world *w = *state;
        store_session_list live, kept;
        store_message_list m;
        int64_t before;

        world_warm_up(w);
        assert_int_equal(store_session_find(w->store, w->device, 0, 0, &w->a, &kept), 0);
        before = kept.v[0].id;
        lose_session(w);
        assert_int_equal(dm_sessions(w->dm, w->device, &w->a, &live), 0);
        assert_true(live.n >= 1 && live.v[0].id > before);
        assert_null(live.v[0].outcome.p);
        assert_int_equal(live.v[0].messages, 2 * w->sent);
        assert_int_equal(store_session_find(w->store, w->device, 0, 0, &w->a, &kept), 0);
        assert_int_equal(kept.v[0].id, before);
        assert_int_equal(dm_session_said(w->dm, live.v[0].id, 0, &w->a, &m), 0);
        assert_int_equal(m.n, 2 * w->sent);
        assert_true(m.v[0].n == 1 && !m.v[0].out && m.v[1].out && m.v[1].bytes.n > 0);
        assert_int_equal(dm_session_said(w->dm, live.v[0].id, 1, &w->a, &m), 0);
        assert_int_equal(m.n, 2 * w->sent - 1);
        assert_int_equal(dm_session_said(w->dm, 99999, 0, &w->a, &m), ODM_ENOENT);
        world_stop(w);
        assert_int_equal(store_session_find(w->store, w->device, 0, 0, &w->a, &kept), 0);
        assert_int_equal(kept.v[0].id, live.v[0].id);
        assert_str(kept.v[0].outcome, "lost: the server stops");
        assert_int_equal(store_session_messages(w->store, w->device, kept.v[0].id, &w->a, &m), 0);
        assert_int_equal(m.n, 2 * w->sent);
}

static void after_too_many_lost_sessions_a_job_has_failed(void **state)
{
        world *w = *state;
        int64_t set;

        world_warm_up(w);
        set = world_job(w, SET_TEXT, false);
        for (int i = 0; i < 3; i++)
                lose_job(w, set);
        expect_done(w);
        expect_job(w, set, "failed: every session that tried it was lost");
}

static void an_exec_that_may_have_run_is_not_repeated(void **state)
{
        world *w = *state;
        const odm_alert say = {.id = 1,
                               .code = ODM_ALERT_GENERIC,
                               .source = ODM_STR("./Vendor/lab/Run"),
                               .type = ODM_STR("x"),
                               .format = ODM_FMT_CHR,
                               .data = ODM_STR("200"),
                               .correlator = ODM_STR("c1")};
        int64_t run;

        world_warm_up(w);
        run = world_job(w,
                        "[{\"cmd\":\"exec\",\"uri\":\"./Vendor/lab/Run\",\"data\":\"5\","
                        "\"correlator\":\"c1\"},"
                        "{\"cmd\":\"get\",\"uri\":\"./Vendor/lab/Count\"}]",
                        false);
        lose_session(w);
        expect_done(w);
        expect_job(w, run, "waiting: the session was lost after Exec ./Vendor/lab/Run may have");
        assert_int_equal(w->dev.runs, 0);
        w->say = &say; /* its alert: what was left is sent then */
        expect_done(w);
        w->say = NULL;
        if (world_job_now(w, run).state != STORE_JOB_DONE)
                expect_done(w);
        expect_job(w, run, "done");
        expect_results(w, run, "200 200");
}

static void an_add_is_looked_at_before_it_is_repeated(void **state)
{
        world *w = *state;
        const char *add = "[{\"cmd\":\"add\",\"uri\":\"./Vendor/lab/Items/k\",\"format\":\"node\"},"
                          "{\"cmd\":\"add\",\"uri\":\"./Vendor/lab/Items/k/Note\",\"data\":\"v\"}]";
        int64_t done, again, differs;

        world_warm_up(w);
        done = world_job(w, add, false);
        lose_session(w); /* and the device did it all the same, as we pretend below */
        again = world_job(w, JOB_REPLACE("./Vendor/lab/Text", "q"), false);
        odm_value node = {.format = ODM_FMT_NODE},
                  v = {.format = ODM_FMT_CHR, .data = ODM_STR("v")};
        assert_int_equal(
                odm_tree_write(w->dev.tree, odm_cstr("./Vendor/lab/Items/k"), &node, (odm_wall){1}),
                0);
        assert_int_equal(odm_tree_write(w->dev.tree, odm_cstr("./Vendor/lab/Items/k/Note"), &v,
                                        (odm_wall){1}),
                         0);
        expect_done(w);
        expect_job(w, done, "done");
        expect_results(w, done, "200* 200*");
        expect_job(w, again, "done");
        differs = world_job(w,
                            "[{\"cmd\":\"add\",\"uri\":\"./Vendor/lab/Items/k/Note\","
                            "\"data\":\"other\"},"
                            "{\"cmd\":\"add\",\"uri\":\"./Vendor/lab/Items/n\","
                            "\"format\":\"node\"}]",
                            false);
        lose_session(w);
        expect_done(w); /* there with another value: sent, and refused as it should be */
        expect_job(w, differs, "failed: Add ./Vendor/lab/Items/k/Note: 418");
        expect_results(w, differs, "418 200");
        expect_node(w, "./Vendor/lab/Items/k/Note", "v");
}

static void an_atomic_job_is_taken_as_done_or_sent_whole(void **state)
{
        world *w = *state;
        const char *add = "[{\"cmd\":\"add\",\"uri\":\"./Vendor/lab/Items/z\",\"format\":\"node\"},"
                          "{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Text\",\"data\":\"t\"}]";
        odm_value node = {.format = ODM_FMT_NODE};
        int64_t sent, taken;

        world_warm_up(w);
        sent = world_job(w, add, true);
        lose_session(w);
        expect_done(w);
        expect_job(w, sent, "done");
        expect_results(w, sent, "200 200 200");
        taken = world_job(w,
                          "[{\"cmd\":\"add\",\"uri\":\"./Vendor/lab/Items/y\","
                          "\"format\":\"node\"}]",
                          true);
        lose_session(w);
        assert_int_equal(
                odm_tree_write(w->dev.tree, odm_cstr("./Vendor/lab/Items/y"), &node, (odm_wall){1}),
                0);
        expect_done(w);
        expect_job(w, taken, "done");
        expect_results(w, taken, "200* 200*");
}

static void a_restart_puts_jobs_back(void **state)
{
        world *w = *state;
        int64_t set, run;

        world_warm_up(w);
        set = world_job(w, SET_TEXT, false);
        run = world_job(w, JOB_EXEC("./Vendor/lab/Run"), false);
        world_stop(w);
        for (int i = 0; i < 2; i++) /* as a process that was killed leaves them */
                world_move(w, (store_job_move){.job = i ? run : set,
                                               .to = STORE_JOB_IN_SESSION,
                                               .attempt = 1,
                                               .session = 99,
                                               .at = 1});
        world_start(w);
        expect_job(w, set, "queued: the session was lost");
        expect_job(w, run, "waiting: the session was lost after Exec");
        expect_done(w);
        expect_job(w, set, "done");
}

static void stopping_puts_jobs_back(void **state)
{
        world *w = *state;
        int64_t set;

        world_warm_up(w);
        set = world_job(w, SET_TEXT, false);
        lose_session(w);
        world_stop(w);
        expect_job(w, set, "queued: the session was lost");
}

static void a_silent_session_is_lost(void **state)
{
        world *w = *state;
        int64_t set;

        w->opt.session_idle_ms = 300;
        world_warm_up(w);
        set = world_job(w, SET_TEXT, false);
        lose_session(w);
        world_wait(w, set, STORE_JOB_QUEUED);
}

static void cancel(world *w, int64_t job)
{
        world_move(w, (store_job_move){.job = job, .to = STORE_JOB_CANCELLED});
}

static void a_cancelled_job_is_not_sent(void **state)
{
        world *w = *state;
        int64_t run;

        world_warm_up(w);
        run = world_job(w, JOB_EXEC("./Vendor/lab/Run"), false);
        cancel(w, run);
        expect_done(w);
        assert_int_equal(w->dev.runs, 0);
        expect_job(w, run, "cancelled");
}

static int64_t job_until(world *w, int64_t deadline)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_JOB_CREATE);
        int64_t id;

        op->job = (store_job){.device = w->device,
                              .commands = ODM_STR(JOB_GET(".")),
                              .deadline = deadline,
                              .created = 1};
        assert_int_equal(store_write_sync(w->store, b), 0);
        id = op->id;
        store_batch_free(b);
        return id;
}

static void a_job_past_its_deadline_expires(void **state)
{
        world *w = *state;
        int64_t id;

        world_start(w);
        id = job_until(w, 5);
        world_wait(w, id, STORE_JOB_EXPIRED);
        expect_job(w, id, "expired: the device did not call in time");
}

static int64_t waiting_job(world *w, int64_t deadline, odm_str route)
{
        int64_t id = job_until(w, deadline);

        world_move(w, (store_job_move){.job = id, .to = STORE_JOB_WAITING, .route = route});
        return id;
}

/* It comes after the deadline, and says more than that this has passed. */
static void the_word_of_a_gateway_is_waited_for(void **state)
{
        world *w = *state;
        int64_t now = loop_wall_ms(), own, late, kept;

        world_start(w);
        kept = waiting_job(w, now - 1000, ODM_STR("gateway"));
        late = waiting_job(w, now - 60000, ODM_STR("gateway"));
        own = waiting_job(w, now - 1000, ODM_STR("called"));
        world_wait(w, own, STORE_JOB_EXPIRED);
        world_wait(w, late, STORE_JOB_EXPIRED);
        expect_job(w, own, "expired: its alert did not come in time");
        expect_job(w, kept, "waiting");
}

/* ---- large things ---------------------------------------------------------------------------- */

static void a_large_object_goes_and_comes_in_chunks(void **state)
{
        enum { SIZE = 300000 };
        world *w = *state;
        char *json = malloc(SIZE + 200);
        store_result_list r;
        store_session_list l;
        store_message_list m;
        int64_t set, get;
        int n;

        w->max_msg = 16384;
        world_warm_up(w);
        n = snprintf(json, SIZE,
                     "[{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Blob\","
                     "\"format\":\"bin\",\"data_base64\":\"");
        memset(json + n, 'A', SIZE);
        snprintf(json + n + SIZE, 100, "\"}]");
        set = world_job(w, json, false);
        get = world_job(w, JOB_GET("./Vendor/lab/Blob"), false);
        free(json);
        expect_done(w);
        expect_job(w, set, "done");
        expect_job(w, get, "done");
        assert_int_equal(store_job_results(w->store, w->device, get, &w->a, &r), 0);
        assert_int_equal(r.v[0].n_items, 1);
        assert_int_equal(r.v[0].items[0].data.n, SIZE / 4 * 3);
        assert_true(w->sent > 15);
        world_stop(w); /* its messages were put in parts */
        assert_int_equal(store_session_find(w->store, w->device, 0, 1, &w->a, &l), 0);
        assert_int_equal(store_session_messages(w->store, w->device, l.v[0].id, &w->a, &m), 0);
        assert_int_equal(m.n, 2 * w->sent);
        assert_true(m.v[m.n - 1].n == m.n && m.v[m.n - 1].out && m.v[m.n - 1].bytes.n > 0);
}

static void a_whole_object_is_read_as_a_document(void **state)
{
        world *w = *state;
        store_result_list r;
        const store_value *v;
        int64_t get;

        world_start(w);
        get = world_job(w,
                        "[{\"cmd\":\"get\",\"uri\":\"./DevInfo?list=TNDS\"},"
                        "{\"cmd\":\"get\",\"uri\":\"./DevDetail?list=StructData\"}]",
                        false);
        expect_done(w);
        expect_job(w, get, "done");
        expect_node(w, "./DevInfo/Mod", "X1");
        expect_node(w, "./DevDetail/LrgObj", "true");
        assert_int_equal(store_job_results(w->store, w->device, get, &w->a, &r), 0);
        v = r.v[0].items; /* the same text in both codecs */
        assert_int_equal(r.v[0].n_items, 1);
        assert_str(v->format, "xml");
        assert_str(v->type, "application/vnd.syncml.dmtnds+xml");
        assert_true(odm_str_starts(v->data, "<MgmtTree"));
        assert_non_null(memmem(v->data.p, v->data.n, "<Value>X1</Value>", 17));
}

/* ---- at the door ------------------------------------------------------------------------ */

static void http_rules_hold(void **state)
{
        static const struct row {
                const char *why, *method, *path, *type, *body;
                unsigned status;
        } rows[] = {
                {"no POST", "GET", "/dm", NULL, NULL, 405},
                {"another type", "POST", "/dm", "text/xml", "<a/>", 415},
                {"no type", "POST", "/dm", NULL, "<a/>", 415},
                {"a charset we do not read", "POST", "/dm",
                 "application/vnd.syncml.dm+xml; charset=utf-16", "<a/>", 415},
                {"no message", "POST", "/dm", "application/vnd.syncml.dm+xml; charset=\"UTF-8\"",
                 "<a/>", 400},
                {"an empty body", "POST", "/dm", "application/vnd.syncml.dm+xml", "", 400},
                {"other parameters", "POST", "/dm", "application/vnd.syncml+xml;x=y", "zz", 400},
                {"a session that is not", "POST", "/dm?sid=0123", "application/vnd.syncml.dm+xml",
                 "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2"
                 "</VerProto><SessionID>1</SessionID><MsgID>3</MsgID><Target><LocURI>x</LocURI>"
                 "</Target><Source><LocURI>IMEI:1</LocURI></Source></SyncHdr><SyncBody><Final/>"
                 "</SyncBody></SyncML>",
                 404},
        };
        world *w = *state;

        world_start(w);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                unsigned got =
                        world_post(w, r->method, r->path, r->type, odm_cstr(r->body), NULL, 0);
                if (got != r->status)
                        fail_msg("%s: %u", r->why, got);
        }
        char *big = calloc(1, 100000);
        memset(big, ' ', 100000);
        assert_int_equal(world_post(w, "POST", "/dm", "application/vnd.syncml.dm+xml",
                                    (odm_str){big, 100000}, NULL, 0),
                         413);
        size_t n = 0; /* short, and deeper than any message */
        memcpy(big, "<SyncML>", n = 8);
        for (int i = 0; i < 1000; i++, n += 3)
                memcpy(big + n, "<x>", 3);
        assert_int_equal(world_post(w, "POST", "/dm", "application/vnd.syncml.dm+xml",
                                    (odm_str){big, n}, NULL, 0),
                         413);
        free(big);
}

/* It must not reach another session that happens to have the same SessionID and waits for that
 * number: its Statuses would be taken for those of other commands. */
static void a_token_means_one_session(void **state)
{
        static const struct row {
                const char *why, *path;
                unsigned status;
        } rows[] = {
                {"of a session that is gone", "/dm?sid=0123456789abcdef0123456789abcdef", 404},
                {"none: the number is what there is", "/dm", 200},
        };
        world *w = *state;
        const odm_str second = ODM_STR(
                "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2"
                "</VerProto><SessionID>7A</SessionID><MsgID>2</MsgID><Target><LocURI>x</LocURI>"
                "</Target><Source><LocURI>IMEI:1</LocURI></Source></SyncHdr><SyncBody><Final/>"
                "</SyncBody></SyncML>");

        world_start(w);
        w->session = "7A";
        lose_session(w); /* it waits for message 2 */
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                unsigned got = world_post(w, "POST", rows[i].path, "application/vnd.syncml.dm+xml",
                                          second, NULL, 0);
                if (got != rows[i].status)
                        fail_msg("%s: %u", rows[i].why, got);
        }
}

static void set_password(world *w, const char *password)
{
        odm_value v = {.format = ODM_FMT_CHR, .data = odm_cstr(password)};

        assert_int_equal(odm_tree_write(w->dev.tree, odm_cstr("./DMAcc/main/AppAuth/c/AAuthSecret"),
                                        &v, (odm_wall){1}),
                         0);
}

static void wrong_credentials_are_refused_and_locked_out(void **state)
{
        world *w = *state;
        int64_t job;

        w->opt.lockout_after = 4;
        w->opt.lockout_ms = 60000;
        world_start(w);
        job = world_job(w, JOB_GET("./DevInfo/Man"), false);
        set_password(w, "wrong");
        for (int i = 0; i < 4 && w->http != 503; i++) {
                world_session(w);
                assert_true(w->outcome != ODM_OUTCOME_DONE);
        }
        world_session(w);
        assert_int_equal(w->http, 503);
        set_password(w, "pw"); /* too late, for a while */
        world_session(w);
        assert_int_equal(w->http, 503);
        expect_job(w, job, "queued");
        assert_true(metrics_get(&w->metrics, METRIC_AUTH_LOCKED) >= 1);
        assert_int_equal(world_device(w).state, STORE_DEVICE_PROVISIONED);
}

/* The digest is right, and the message says that it is somebody else's. */
static void an_account_has_one_user(void **state)
{
        static const struct row {
                const char *name, *session, *want;
        } rows[] = {
                {"other", "1", "<Data>401</Data>"},
                {"dev", "2", "<Data>200</Data>"},
        };
        world *w = *state;
        const odm_nonce none = {0}; /* the first ever */
        odm_secret secret;
        char digest[ODM_SECRET_LEN], reply[8192];

        world_start(w);
        (void)world_add_another(w, "hand", "IMEI:hand");
        odm_secret_of(ODM_STR("dev"), ODM_STR("pw"), &secret);
        odm_auth_md5(&secret, &none, digest);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str message = odm_arena_fmt(
                        &w->a,
                        "<SyncML><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</"
                        "VerProto><SessionID>"
                        "%s</SessionID><MsgID>1</MsgID><Target><LocURI>x</LocURI></Target><Source>"
                        "<LocURI>IMEI:hand</LocURI><LocName>%s</LocName></"
                        "Source><Cred><Meta><Format>"
                        "b64</Format><Type>syncml:auth-md5</Type></Meta><Data>%.*s</Data></Cred>"
                        "</SyncHdr><SyncBody><Final/></SyncBody></SyncML>",
                        rows[i].session, rows[i].name, ODM_SECRET_LEN, digest);
                assert_int_equal(world_post(w, "POST", "/dm", "application/vnd.syncml.dm+xml",
                                            message, reply, sizeof reply),
                                 200);
                if (!strstr(reply, rows[i].want))
                        fail_msg("%s: %s", rows[i].name, reply);
        }
}

static void a_device_nobody_knows_hears_the_same(void **state)
{
        world *w = *state;
        unsigned sent[2];

        world_start(w);
        set_password(w, "wrong");
        world_session(w);
        sent[0] = w->sent;
        assert_int_equal(w->outcome, ODM_OUTCOME_AUTH_REFUSED);
        store_batch *b = store_batch_new();
        store_batch_add(b, STORE_DEVICE_DELETE)->of = w->device;
        world_write(w, b);
        world_session(w);
        sent[1] = w->sent;
        assert_int_equal(w->outcome, ODM_OUTCOME_AUTH_REFUSED);
        assert_int_equal(w->http, 200);
        assert_int_equal(sent[0], sent[1]);
}

static void rename_devid(world *w, const char *devid)
{
        world_patch(w, STORE_DF_DEVID, (store_device){.devid = odm_cstr(devid)});
}

static void unknown_devices_are_held_for_approval(void **state)
{
        world *w = *state;
        store_device d;

        w->opt.unknown = DM_UNKNOWN_HOLD;
        world_start(w);
        rename_devid(w, "IMEI:other");
        expect_refused(w);
        world_stop(w);
        assert_int_equal(store_device_by_devid(w->store, ODM_STR("IMEI:1"), &w->a, &d), 0);
        assert_int_equal(d.state, STORE_DEVICE_HELD);
        assert_str(d.name, "new/IMEI:1");
        world_start(w);
        world_session(w); /* again: still not let in, and not held twice */
        assert_int_equal(w->outcome, ODM_OUTCOME_AUTH_REFUSED);
}

static void unknown_devices_are_let_in(void **state)
{
        world *w = *state;
        store_device d;

        w->opt.unknown = DM_UNKNOWN_ACCEPT;
        world_start(w);
        rename_devid(w, "IMEI:other");
        world_session(w);
        for (unsigned i = 0; i < 2000; i++) { /* what nobody waits for is kept soon after */
                assert_int_equal(store_device_by_devid(w->store, ODM_STR("IMEI:1"), &w->a, &d), 0);
                if (d.maker.n)
                        break;
                (void)usleep(5000);
        }
        assert_int_equal(d.state, STORE_DEVICE_ACTIVE);
        assert_str(d.maker, "Example");
}

static void only_so_many_are_let_in(void **state)
{
        world *w = *state;
        store_device d;

        w->opt.unknown = DM_UNKNOWN_ACCEPT;
        w->opt.accept_hour = 0;
        world_start(w);
        rename_devid(w, "IMEI:other");
        expect_refused(w);
        world_stop(w);
        w->opt.accept_hour = 1;
        w->opt.accept_max = 1; /* there is one */
        world_start(w);
        expect_refused(w);
        world_stop(w);
        w->opt.accept_max = 2;
        world_warm_up(w);
        rename_devid(w, "IMEI:another");
        assert_int_equal(store_device_by_devid(w->store, ODM_STR("IMEI:1"), &w->a, &d), 0);
}

static void devices_let_in_share_a_password(void **state)
{
        world *w = *state;
        store_account acc;
        store_device d;

        w->opt.unknown = DM_UNKNOWN_ACCEPT;
        w->opt.accept_password = "wrong";
        w->opt.accept_server_password = "spw";
        world_start(w);
        rename_devid(w, "IMEI:other");
        expect_refused(w);
        assert_int_equal(store_device_by_devid(w->store, ODM_STR("IMEI:1"), &w->a, &d), 0);
        assert_int_equal(d.state, STORE_DEVICE_PROVISIONED);
        world_stop(w);
        w->device = d.id;
        rename_devid(w, "IMEI:third");
        w->opt.accept_password = "pw";
        world_warm_up(w);
        assert_int_equal(store_device_by_devid(w->store, ODM_STR("IMEI:1"), &w->a, &d), 0);
        assert_int_equal(d.state, STORE_DEVICE_ACTIVE);
        assert_int_equal(store_account_get(w->store, d.id, &w->a, &acc), 0);
        assert_str(acc.user, "dev");
        assert_true(acc.server_nonce.n >= 16);
}

/* One that gives no user is known by its Source, and so is its account. */
static void who_has_no_user_is_let_in_by_the_source(void **state)
{
        static const char first[] = "<SyncML><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</"
                                    "VerProto><SessionID>1</SessionID><MsgID>1</MsgID><Target>"
                                    "<LocURI>x</LocURI></Target><Source><LocURI>IMEI:bare</LocURI>"
                                    "</Source></SyncHdr><SyncBody><Final/></SyncBody></SyncML>";
        world *w = *state;
        store_account acc;
        store_device d;

        w->opt.unknown = DM_UNKNOWN_ACCEPT;
        w->opt.accept_password = "pw";
        world_start(w);
        assert_int_equal(world_post(w, "POST", "/dm", "application/vnd.syncml.dm+xml",
                                    odm_cstr(first), NULL, 0),
                         200);
        assert_int_equal(store_device_by_devid(w->store, ODM_STR("IMEI:bare"), &w->a, &d), 0);
        assert_int_equal(store_account_get(w->store, d.id, &w->a, &acc), 0);
        assert_str(acc.user, "IMEI:bare");
}

static void a_deactivated_device_is_refused(void **state)
{
        world *w = *state;

        world_patch(w, STORE_DF_STATE, (store_device){.state = STORE_DEVICE_DEACTIVATED});
        world_start(w);
        expect_refused(w);
}

/* Asleep, unreachable, detached: who calls is there, and that is told once. */
static void a_device_that_calls_is_active(void **state)
{
        static const store_device_state silent[] = {STORE_DEVICE_PROVISIONED, STORE_DEVICE_ASLEEP,
                                                    STORE_DEVICE_UNREACHABLE,
                                                    STORE_DEVICE_DETACHED};
        world *w = *state;
        store_event_list e;
        size_t told = 0;

        world_start(w);
        for (size_t i = 0; i < ODM_COUNT(silent); i++) {
                char want[64];

                world_patch(w, STORE_DF_STATE, (store_device){.state = silent[i]});
                expect_done(w);
                expect_done(w);
                assert_int_equal(world_device(w).state, STORE_DEVICE_ACTIVE);
                snprintf(want, sizeof want, "{\"from\":\"%s\"}",
                         store_device_state_name(silent[i]));
                assert_int_equal(store_event_find(w->store, 0, w->device, 100, &w->a, &e), 0);
                for (size_t k = 0; k < e.n; k++)
                        told += odm_str_is(e.v[k].kind, "device.active") &&
                                odm_str_is(e.v[k].data, want);
                assert_int_equal(told, i + 1);
        }
}

static void a_session_ends_when_its_device_is_switched_off(void **state)
{
        world *w = *state;
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);
        int64_t set;

        world_warm_up(w);
        set = world_job(w, SET_TEXT, false);
        op->device_patch.fields = STORE_DF_STATE;
        op->device_patch.to = (store_device){.id = w->device, .state = STORE_DEVICE_DEACTIVATED};
        w->switch_off = b; /* after the first message */
        world_session(w);
        assert_int_equal(w->outcome, ODM_OUTCOME_ABORTED);
        assert_int_equal(world_job_now(w, set).attempts, 1);
}

static void a_session_ends_when_its_device_is_another_unit(void **state)
{
        world *w = *state;
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);
        int64_t set;

        world_warm_up(w);
        set = world_job(w, SET_TEXT, false);
        op->device_patch.fields = STORE_DF_DEVID;
        op->device_patch.to = (store_device){.id = w->device, .devid = ODM_STR("urn:another")};
        w->switch_off = b; /* after the first message */
        world_session(w);
        assert_int_equal(w->outcome, ODM_OUTCOME_ABORTED);
        assert_int_equal(world_job_now(w, set).attempts, 1);
}

static void too_many_sessions_are_shed(void **state)
{
        world *w = *state;

        w->opt.sessions = 1;
        world_warm_up(w);
        do /* an ended session makes room */
                world_session(w);
        while (w->http == 503);
        (void)world_job(w, JOB_GET("./DevInfo/Man"), false);
        do /* the ended one may be at its last words still */
                lose_session(w);
        while (w->http == 503);
        rename_devid(w, "IMEI:other"); /* another one's session is in the way */
        world_session(w);
        assert_int_equal(w->http, 503);
}

/* ---- the store fails -------------------------------------------------------------------- */

static void nothing_is_acknowledged_that_is_not_kept(void **state)
{
        world *w = *state;
        int64_t set;

        world_warm_up(w);
        set = world_job(w, SET_TEXT, false);
        store_fault_set(&w->fault, (store_fault){.fail_commit = 1, .for_ever = true});
        world_session(w);
        assert_int_equal(w->http, 503);
        store_fault_set(&w->fault, (store_fault){0});
        expect_job(w, set, "queued");
        expect_done(w);
        expect_job(w, set, "done");
        store_fault_set(&w->fault, (store_fault){.fail_read = 1, .for_ever = true});
        world_session(w);
        assert_int_equal(w->http, 503);
        store_fault_set(&w->fault, (store_fault){0});
        expect_done(w);
}

/* Each commit of a whole session failing in turn; afterwards all is as it should be. */
static void each_commit_may_fail(void **state)
{
        world *w = *state;
        unsigned k = 1;

        world_warm_up(w);
        for (bool hit = true; hit && k < 20; k++) {
                int64_t set = world_job(w, SET_TEXT, false);
                store_fault_set(&w->fault, (store_fault){.fail_commit = k});
                world_session(w);
                hit = store_fault_get(&w->fault).commits >= k;
                store_fault_set(&w->fault, (store_fault){0});
                for (int i = 0; i < 5 && world_job_now(w, set).state != STORE_JOB_DONE; i++) {
                        expect_done(w);
                        if (world_job_now(w, set).state == STORE_JOB_IN_SESSION)
                                break; /* its session could not put it back: care.c will */
                }
                if (world_job_now(w, set).state == STORE_JOB_IN_SESSION) {
                        world_stop(w);
                        world_warm_up(w);
                }
                expect_job(w, set, "done");
        }
        assert_true(k > 3);
}

/* ---- wake-ups --------------------------------------------------------------------------- */

static int listen_udp(uint16_t *port)
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t n = sizeof a;
        int fd = socket(AF_INET, SOCK_DGRAM, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
        *port = ntohs(a.sin_port);
        return fd;
}

static odm_str receive(int fd, char *buf, size_t room, int ms)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, ms) != 1)
                return ODM_ABSENT;
        n = recv(fd, buf, room, 0);
        assert_true(n > 0);
        return (odm_str){buf, (size_t)n};
}

static void set_wake_at(world *w, const char *host, uint16_t port)
{
        char url[64];

        snprintf(url, sizeof url, "udp://%s:%u", host, port); /* without: where it called from */
        world_patch(w, STORE_DF_WAKE_OVERRIDE, (store_device){.wake_override = odm_cstr(url)});
}

static void set_wake(world *w, uint16_t port)
{
        set_wake_at(w, "", port);
}

/* The next wake-up that comes to `fd`: its session, and whether it is the server's. */
static odm_notify_check woken(world *w, int fd, char session[5])
{
        char buf[512];
        odm_str in = receive(fd, buf, sizeof buf, 10000);
        odm_str package0;
        odm_notification n;
        odm_secret secret;
        odm_nonce nonce = {0};
        store_account acc;

        assert_non_null(in.p);
        assert_int_equal(odm_wsp_unwrap(in, &package0), 0);
        assert_int_equal(odm_notify_parse(package0, &n), 0);
        odm_notify_session(n.session_id, session);
        assert_str(n.server_id, "srv");
        odm_secret_of(ODM_STR("srv"), ODM_STR("spw"), &secret);
        assert_int_equal(store_account_get(w->store, w->device, &w->a, &acc), 0);
        nonce.n = (uint8_t)acc.server_nonce.n;
        if (nonce.n) /* before the first session there is none */
                memcpy(nonce.p, acc.server_nonce.p, nonce.n);
        return odm_notify_verify(package0, &secret, &nonce);
}

/* A job that is worth a wake-up. */
static int64_t order(world *w)
{
        int64_t job = world_job(w, JOB_GET("./DevInfo/Man"), false);

        dm_job_created(w->dm, w->device, job);
        return job;
}

static void a_job_wakes_its_device(void **state)
{
        world *w = *state;
        char session[5], again[5];
        uint16_t port;
        int fd = listen_udp(&port);
        int64_t job;

        w->opt.wake_first_ms = 200;
        world_warm_up(w);
        set_wake(w, port);
        job = order(w);
        assert_int_equal(woken(w, fd, session), ODM_NOTIFY_GOOD);
        world_wait(w, job, STORE_JOB_NOTIFIED);
        /* no answer: once more, the same session */
        assert_int_equal(woken(w, fd, again), ODM_NOTIFY_GOOD);
        assert_string_equal(again, session);
        w->session = session;
        w->alert = ODM_ALERT_SERVER_INITIATED;
        expect_done(w);
        expect_job(w, job, "done");
        assert_str(world_job_now(w, job).route, "udp wake");
        assert_str(world_device(w).route, "udp wake");
        assert_int_equal(world_device(w).wake_at, 0);
        close(fd);
}

static void without_an_answer_the_job_waits_for_the_next_contact(void **state)
{
        world *w = *state;
        char session[5];
        uint16_t port;
        int fd = listen_udp(&port), good = 0, resync = 0;
        int64_t job;

        w->opt.wake_first_ms = 50;
        w->opt.wake_max_ms = 100;
        w->opt.wake_tries = 4;
        w->opt.wake_resync = 2;
        w->opt.wake_again_ms = 0;
        world_warm_up(w);
        set_wake(w, port);
        job = order(w);
        for (int i = 0; i < 4; i++) {
                if (woken(w, fd, session) == ODM_NOTIFY_RESYNC)
                        resync++;
                else
                        good++;
        }
        assert_int_equal(good, 2);
        assert_int_equal(resync, 2);
        world_wait(w, job, STORE_JOB_QUEUED);
        expect_job(w, job, "queued: no answer to 4 wake-ups");
        expect_done(w);
        expect_job(w, job, "done");
        close(fd);
}

/* The round after the rest has a session id of its own: the device may have followed the one
 * before, and have nothing more to do with it. */
static void wake_ups_go_on_while_orders_wait(void **state)
{
        world *w = *state;
        char first[5], later[5];
        uint16_t port;
        int fd = listen_udp(&port);
        int64_t job, other;

        w->opt.wake_first_ms = w->opt.wake_max_ms = 50;
        w->opt.wake_tries = 2;
        w->opt.wake_again_ms = 1500;
        world_warm_up(w);
        set_wake(w, port);
        job = order(w);
        for (int i = 0; i < 2; i++)
                assert_int_equal(woken(w, fd, first), ODM_NOTIFY_GOOD);
        world_wait(w, job, STORE_JOB_QUEUED);
        expect_job(w, job, "queued: no answer to 2 wake-ups; tried again in ");
        assert_int_equal(woken(w, fd, later), ODM_NOTIFY_GOOD);
        assert_string_not_equal(first, later);
        world_wait(w, job, STORE_JOB_NOTIFIED);
        w->session = later;
        w->alert = ODM_ALERT_SERVER_INITIATED;
        expect_done(w);
        expect_job(w, job, "done");
        assert_int_equal(world_device(w).wake_at, 0);

        other = order(w);
        (void)woken(w, fd, later);
        cancel(w, other); /* and what is ordered no more wakes nobody */
        for (int i = 0; i < 200 && world_device(w).wake_at; i++)
                usleep(50000);
        assert_int_equal(world_device(w).wake_at, 0);
        close(fd);
}

/* A session was told of the job, and is lost before it claims it. */
static void a_job_that_a_lost_session_had_not_claimed_wakes_the_device(void **state)
{
        world *w = *state;
        char session[5];
        uint16_t port;
        int fd = listen_udp(&port);
        int64_t job;

        w->opt.session_idle_ms = 1500;
        set_wake_at(w, "127.0.0.1", port);
        world_start(w);
        w->stop_after = 2; /* it is asked what it runs, and falls silent */
        world_session(w);
        assert_int_equal(world_device(w).state, STORE_DEVICE_ACTIVE);
        job = order(w);
        (void)woken(w, fd, session);
        world_wait(w, job, STORE_JOB_NOTIFIED);
        close(fd);
}

/* A process before this one made it durable, and was killed before the wake-up was. */
static void a_job_that_nobody_wakes_the_device_for_is_found(void **state)
{
        world *w = *state;
        char session[5];
        uint16_t port;
        int fd = listen_udp(&port);
        int64_t job;

        set_wake_at(w, "127.0.0.1", port);
        job = world_job(w, JOB_GET("./DevInfo/Man"), false);
        world_start(w);
        (void)woken(w, fd, session);
        world_wait(w, job, STORE_JOB_NOTIFIED);
        close(fd);
}

static void a_wake_up_asked_for_is_sent(void **state)
{
        world *w = *state;
        char session[5];
        uint16_t port;
        int fd = listen_udp(&port);
        store_device d;

        world_start(w);
        d = world_device(w);
        assert_int_equal(dm_wake(w->dm, &d), ODM_ENOENT);
        expect_done(w);
        set_wake(w, port);
        d = world_device(w);
        assert_int_equal(dm_wake(w->dm, &d), 0);
        (void)woken(w, fd, session);
        close(fd);
}

static void what_wakes_a_device_can_be_switched_off(void **state)
{
        world *w = *state;
        store_device d;

        w->opt.wake = false;
        world_start(w);
        d = world_device(w);
        assert_int_equal(dm_wake(w->dm, &d), ODM_ESTATE);
}

/* ---- many at once ----------------------------------------------------------------------- */

#define CROWD 50
#define ROUNDS 4

typedef struct one {
        world w; /* a copy, with a device of its own */
        char devid[24], name[24];
        int64_t jobs[ROUNDS];
} one;

static void *live(void *arg)
{
        one *o = arg;

        for (int i = 0; i < ROUNDS; i++) {
                o->jobs[i] = world_job(&o->w,
                                       "[{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Text\","
                                       "\"data\":\"a\"},{\"cmd\":\"exec\",\"uri\":"
                                       "\"./Vendor/lab/Run\",\"data\":\"1\"}]",
                                       false);
                dm_job_created(o->w.dm, o->w.device, o->jobs[i]);
                o->w.stop_after = i == 2 ? 1 : 0;   /* one is lost */
                o->w.session = i == 0 ? "7" : NULL; /* in the first, all have one SessionID */
                world_session(&o->w);
        }
        return NULL;
}

static void many_devices_do_not_mind_each_other(void **state)
{
        world *w = *state;
        one *crowd = calloc(CROWD, sizeof *crowd);
        pthread_t t[CROWD];

        world_start(w);
        for (int i = 0; i < CROWD; i++) {
                one *o = &crowd[i];
                snprintf(o->name, sizeof o->name, "crowd/%d", i);
                snprintf(o->devid, sizeof o->devid, "IMEI:9%d", i);
                world_copy(w, &o->w);
                o->w.codec = i % 2 ? &odm_codec_xml : &odm_codec_wbxml;
                o->w.device = world_add_another(w, o->name, o->devid);
                world_open_device(&o->w, o->devid);
                assert_int_equal(pthread_create(&t[i], NULL, live, o), 0);
        }
        for (int i = 0; i < CROWD; i++)
                pthread_join(t[i], NULL);
        for (int i = 0; i < CROWD; i++) {
                one *o = &crowd[i];
                unsigned ran = 0;
                for (int k = 0; k < ROUNDS; k++) {
                        store_job j = world_job_now(&o->w, o->jobs[k]);
                        ran += j.state == STORE_JOB_DONE;
                        if (j.state != STORE_JOB_DONE && j.state != STORE_JOB_WAITING)
                                fail_msg("job %d of %s is %s", k, o->name,
                                         store_job_state_name(j.state));
                }
                assert_true(ran >= ROUNDS - 1);
                assert_int_equal(o->w.dev.runs, ran); /* none ran twice */
                device_close(&o->w.dev);
                odm_arena_done(&o->w.a);
        }
        free(crowd);
}

#define ON(setup, t)                                               \
        {                                                          \
#t " (" #setup ")", t, setup, world_teardown, NULL \
        }

int main(void)
{
        const struct CMUnitTest tests[] = {
                ON(setup, a_first_session_tells_who_it_is),
                ON(setup_xml, a_first_session_tells_who_it_is),
                ON(setup, each_session_renews_both_nonces),
                ON(setup_xml, each_session_renews_both_nonces),
                ON(setup_mac, each_session_renews_both_nonces),
                ON(setup, jobs_are_carried_out),
                ON(setup_xml, jobs_are_carried_out),
                ON(setup_sqlite, jobs_are_carried_out),
                ON(setup_mac, jobs_are_carried_out),
                ON(setup, what_fails_is_told_and_blocks_nobody),
                ON(setup_xml, what_fails_is_told_and_blocks_nobody),
                ON(setup, an_exec_accepted_waits_for_its_alert),
                ON(setup, samples_of_a_message_are_one_event),
                ON(setup_sqlite, an_exec_accepted_waits_for_its_alert),
                ON(setup, a_lost_session_puts_jobs_back),
                ON(setup_sqlite, a_lost_session_puts_jobs_back),
                ON(setup, messages_can_be_seen_while_a_session_runs),
                ON(setup_sqlite, messages_can_be_seen_while_a_session_runs),
                ON(setup, after_too_many_lost_sessions_a_job_has_failed),
                ON(setup, an_exec_that_may_have_run_is_not_repeated),
                ON(setup, an_add_is_looked_at_before_it_is_repeated),
                ON(setup_xml, an_add_is_looked_at_before_it_is_repeated),
                ON(setup, an_atomic_job_is_taken_as_done_or_sent_whole),
                ON(setup, a_restart_puts_jobs_back),
                ON(setup_sqlite, a_restart_puts_jobs_back),
                ON(setup, stopping_puts_jobs_back),
                ON(setup, a_silent_session_is_lost),
                ON(setup, a_cancelled_job_is_not_sent),
                ON(setup, a_job_past_its_deadline_expires),
                ON(setup, the_word_of_a_gateway_is_waited_for),
                ON(setup, a_large_object_goes_and_comes_in_chunks),
                ON(setup_xml, a_large_object_goes_and_comes_in_chunks),
                ON(setup, a_whole_object_is_read_as_a_document),
                ON(setup_xml, a_whole_object_is_read_as_a_document),
                ON(setup, http_rules_hold),
                ON(setup, a_token_means_one_session),
                ON(setup, wrong_credentials_are_refused_and_locked_out),
                ON(setup, an_account_has_one_user),
                ON(setup, a_device_nobody_knows_hears_the_same),
                ON(setup, unknown_devices_are_held_for_approval),
                ON(setup, unknown_devices_are_let_in),
                ON(setup, only_so_many_are_let_in),
                ON(setup, devices_let_in_share_a_password),
                ON(setup, who_has_no_user_is_let_in_by_the_source),
                ON(setup_xml, devices_let_in_share_a_password),
                ON(setup, a_deactivated_device_is_refused),
                ON(setup, a_device_that_calls_is_active),
                ON(setup, a_session_ends_when_its_device_is_switched_off),
                ON(setup, a_session_ends_when_its_device_is_another_unit),
                ON(setup, too_many_sessions_are_shed),
                ON(setup, nothing_is_acknowledged_that_is_not_kept),
                ON(setup_sqlite, each_commit_may_fail),
                ON(setup, a_job_wakes_its_device),
                ON(setup_sqlite, a_job_wakes_its_device),
                ON(setup, without_an_answer_the_job_waits_for_the_next_contact),
                ON(setup, wake_ups_go_on_while_orders_wait),
                ON(setup_sqlite, wake_ups_go_on_while_orders_wait),
                ON(setup, a_job_that_a_lost_session_had_not_claimed_wakes_the_device),
                ON(setup, a_job_that_nobody_wakes_the_device_for_is_found),
                ON(setup, a_wake_up_asked_for_is_sent),
                ON(setup, what_wakes_a_device_can_be_switched_off),
                ON(setup, many_devices_do_not_mind_each_other),
                ON(setup_sqlite, many_devices_do_not_mind_each_other),
        };

        return RUN_TESTS(tests);
}
