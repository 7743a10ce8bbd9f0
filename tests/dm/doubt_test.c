/* SPDX-License-Identifier: Apache-2.0 */
/* doubt_test.c - Execs whose answer was lost, on devices that keep a list of their tasks; alerts
 * that come where nobody waits for them, and several for one Exec. */
#include <stdlib.h>
#include <string.h>

#include "mo.h"
#include "odm/fumo.h"
#include "world.h"

#define FETCH                                                                          \
        "[{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/Download\",\"correlator\":\"c-1\"}," \
        "{\"cmd\":\"get\",\"uri\":\"./FUMO/main/State\"}]"

typedef struct home { /* first: the world, as teardown has it */
        world w;
        odm_fumo fumo;
        odm_tasks *tasks;
} home;

static int setup(void **state)
{
        *state = world_new(sizeof(home), NULL);
        return 0;
}

static int setup_sqlite(void **state)
{
        *state = world_new(sizeof(home), "sqlite");
        return 0;
}

static int teardown(void **state)
{
        home *h = *state;
        odm_tasks *tasks = h->tasks;

        (void)world_teardown(state);
        odm_tasks_free(tasks);
        return 0;
}

static void mount_firmware(home *h)
{
        const odm_value url = {.format = ODM_FMT_CHR, .data = ODM_STR("http://example.net/fw")};
        const odm_tasks_opt o = {.mem = &heap, .tree = h->w.dev.tree, .mo = &odm_mo_task};

        assert_int_equal(odm_tasks_new(&o, &h->tasks), 0);
        assert_int_equal(odm_fumo_mount(&h->fumo, h->tasks, &odm_mo_fumo), 0);
        assert_int_equal(odm_fumo_add(&h->fumo, "main", (odm_wall){1}), 0);
        assert_int_equal(odm_tree_write(h->w.dev.tree, odm_cstr("./FUMO/main/Download/PkgURL"),
                                        &url, (odm_wall){1}),
                         0);
        assert_int_equal(odm_tasks_load(h->tasks, (odm_wall){1}), 0);
        h->w.tasks = h->tasks;
}

/* The device is known, so that the first reply of the next session carries commands. */
static world *warm_up(home *h)
{
        world_start(&h->w);
        mount_firmware(h);
        expect_done(&h->w);
        return &h->w;
}

static size_t count_tasks(const home *h)
{
        size_t n = 0;

        while (odm_tasks_at(h->tasks, n))
                n++;
        return n;
}

static uint32_t last_task(const home *h)
{
        assert_int_equal(count_tasks(h), 1);
        return odm_tasks_at(h->tasks, 0)->id;
}

static void finish_task(home *h, odm_task_cause cause)
{
        const odm_task_end e = {.cause = cause};
        const odm_task *t;

        assert_int_equal(odm_tasks_next(h->tasks, (odm_wall){1}, &t), 1);
        assert_int_equal(odm_tasks_done(h->tasks, t->id, &e, (odm_wall){1}), 0);
}

/* The reply with the commands does not arrive; or it does, and the answer to it is lost. */
static void lose(world *w, bool before)
{
        *(before ? &w->stop_after : &w->cut_after) = 1;
        world_session(w);
        w->stop_after = w->cut_after = 0;
}

static void expect_attempts(world *w, int64_t job, uint32_t n)
{
        assert_int_equal(world_job_now(w, job).attempts, n);
}

/* ---- lost answers ------------------------------------------------------------------------ */

static void what_did_not_arrive_is_sent_again(void **state)
{
        home *h = *state;
        world *w = warm_up(h);
        int64_t job = world_job(w, FETCH, false);

        lose(w, true);
        assert_int_equal(count_tasks(h), 0);
        expect_done(w);
        expect_job(w, job, "waiting: accepted by the device");
        expect_results(w, job, "202 200");
        expect_attempts(w, job, 2);
        assert_int_equal(last_task(h), 1);
        finish_task(h, ODM_CAUSE_OK);
        expect_done(w);
        expect_job(w, job, "done");
        expect_results(w, job, "200 200");
        assert_int_equal(count_tasks(h), 0);
}

static void what_arrived_is_waited_for(void **state)
{
        home *h = *state;
        world *w = warm_up(h);
        int64_t job = world_job(w, FETCH, false);

        lose(w, false);
        assert_int_equal(last_task(h), 1);
        expect_done(w);
        expect_job(w, job, "waiting: the device has it");
        expect_results(w, job, "202");
        expect_done(w);
        expect_attempts(w, job, 1);
        assert_int_equal(last_task(h), 1);
        finish_task(h, ODM_CAUSE_CORRUPT);
        expect_done(w); /* the rest was never sent, or never answered */
        if (world_job_now(w, job).state == STORE_JOB_QUEUED)
                expect_done(w);
        expect_job(w, job, "failed: Exec ./FUMO/main/Download: 402 Corrupted package");
        expect_results(w, job, "402 200");
        assert_int_equal(count_tasks(h), 0);
}

static unsigned told(world *w, const char *kind)
{
        store_event_list l = {0};
        unsigned n = 0;

        assert_int_equal(store_event_find(w->store, 0, w->device, 1000, &w->a, &l), 0);
        for (size_t i = 0; i < l.n; i++)
                n += odm_str_is(l.v[i].kind, kind);
        return n;
}

/* Its answer comes when it is over. */
static void a_job_has_one_end(void **state)
{
        world *w = warm_up(*state);
        int64_t job = world_job(w, JOB_GET("./DevInfo/DevId"), false);
        store_op *op;

        w->switch_off = store_batch_new();
        op = store_batch_add(w->switch_off, STORE_JOB_MOVE);
        op->job_move = (store_job_move){.device = w->device,
                                        .job = job,
                                        .from = STORE_JOB_OPEN,
                                        .expect_attempts = -1,
                                        .to = STORE_JOB_CANCELLED};
        expect_done(w);
        expect_job(w, job, "cancelled");
        assert_int_equal(world_job_now(w, job).attempts, 1);
        assert_int_equal(told(w, "job.done"), 0);
}

/* On the heap. */
static char *large_replace(void)
{
        static const char head[] = "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"data\":\"";
        const size_t n = (size_t)8 << 20;
        char *z = malloc(sizeof head + n + 4);

        memcpy(z, head, sizeof head - 1);
        memset(z + sizeof head - 1, 'x', n);
        memcpy(z + sizeof head - 1 + n, "\"}]", 4);
        return z;
}

/* All of them together are more than is read at a time. */
static void large_jobs_are_put_back_after_a_kill(void **state)
{
        char *commands = large_replace();
        world *w = warm_up(*state);
        int64_t jobs[10];

        for (size_t i = 0; i < ODM_COUNT(jobs); i++) {
                jobs[i] = world_job(w, commands, false);
                world_move(w, (store_job_move){.job = jobs[i],
                                               .from = STORE_JOB_OPEN,
                                               .to = STORE_JOB_IN_SESSION,
                                               .attempt = 1,
                                               .session = 77});
        }
        free(commands);
        world_stop(w);
        world_start(w);
        for (size_t i = 0; i < ODM_COUNT(jobs); i++)
                assert_int_equal(world_job_now(w, jobs[i]).state, STORE_JOB_QUEUED);
}

/* The same, of one device that may tell of each. */
static void large_jobs_that_wait_end_no_session(void **state)
{
        const odm_alert told = {.code = ODM_ALERT_GENERIC,
                                .source = ODM_STR("./A"),
                                .type = ODM_STR("urn:oma:at:fumo:1.0:downloadandupdate"),
                                .data = ODM_STR("200"),
                                .format = ODM_FMT_INT};
        char *commands = large_replace();
        world *w = warm_up(*state);

        for (size_t i = 0; i < 33; i++)
                world_move(w, (store_job_move){.job = world_job(w, commands, false),
                                               .from = STORE_JOB_OPEN,
                                               .to = STORE_JOB_WAITING,
                                               .attempt = 1});
        free(commands);
        w->say = &told;
        w->says = 1;
        expect_done(w);
}

/* The lost session is still ours when the next one begins with the alert. */
static void an_alert_finds_the_job_of_a_lost_session(void **state)
{
        home *h = *state;
        world *w = warm_up(h);
        int64_t job = world_job(w, JOB_EXEC_AS("./FUMO/main/Download", "c-2"), false);

        lose(w, false);
        expect_job(w, job, "in_session");
        finish_task(h, ODM_CAUSE_OK);
        expect_done(w);
        expect_job(w, job, "done");
        expect_results(w, job, "200");
        expect_attempts(w, job, 1);
        expect_done(w);
        assert_int_equal(count_tasks(h), 0); /* and was not begun again */
}

/* The reply to the alert is lost: it is told again, and changes nothing. */
static void an_alert_that_comes_twice_counts_once(void **state)
{
        home *h = *state;
        world *w = warm_up(h);
        int64_t job = world_job(w, FETCH, false);

        expect_done(w);
        expect_job(w, job, "waiting: accepted");
        finish_task(h, ODM_CAUSE_OK);
        lose(w, true);
        expect_job(w, job, "done");
        assert_int_equal(count_tasks(h), 1);
        expect_done(w);
        expect_job(w, job, "done");
        expect_attempts(w, job, 1);
        assert_int_equal(count_tasks(h), 0);
}

/* What is over and could not be told yet is in the list. */
static void an_end_untold_is_waited_for(void **state)
{
        home *h = *state;
        world *w = warm_up(h);
        int64_t job = world_job(w, FETCH, false);

        lose(w, false);
        finish_task(h, ODM_CAUSE_OK);
        w->tasks = NULL;
        expect_done(w);
        expect_job(w, job, "waiting: the device has it");
        w->tasks = h->tasks;
        expect_done(w);
        if (world_job_now(w, job).state == STORE_JOB_QUEUED)
                expect_done(w);
        expect_job(w, job, "done");
        assert_int_equal(count_tasks(h), 0);
        expect_results(w, job, "200 200");
}

static void restart_server(world *w)
{
        world_stop(w);
        world_start(w);
}

static void a_restart_of_the_server_changes_nothing(void **state)
{
        home *h = *state;
        world *w = warm_up(h);
        int64_t job = world_job(w, FETCH, false);

        lose(w, true);
        restart_server(w);
        expect_job(w, job,
                   "waiting: the session was lost after Exec ./FUMO/main/Download may have been "
                   "sent; the device will be asked");
        expect_done(w);
        expect_job(w, job, "waiting: accepted by the device");
        expect_attempts(w, job, 2);
        assert_int_equal(last_task(h), 1);
        finish_task(h, ODM_CAUSE_OK);
        restart_server(w);
        expect_done(w);
        expect_job(w, job, "done");

        job = world_job(w, FETCH, false); /* the same correlator: nothing of before counts */
        lose(w, false);
        restart_server(w);
        expect_done(w);
        expect_job(w, job, "waiting: the device has it");
        expect_attempts(w, job, 1);
        assert_int_equal(last_task(h), 2);
}

static void after_too_many_attempts_it_has_failed(void **state)
{
        home *h = *state;
        world *w = warm_up(h);
        int64_t job = world_job(w, FETCH, false);

        for (uint32_t n = 1; n <= 3; n++) {
                for (w->stop_after = 1; world_job_now(w, job).attempts < n; w->stop_after++) {
                        assert_true(w->stop_after < 6);
                        world_session(w);
                }
                w->stop_after = 0;
        }
        expect_done(w);
        expect_job(w, job, "failed: the device never got Exec ./FUMO/main/Download: every session");
        assert_int_equal(count_tasks(h), 0);
}

/* What cannot be looked for waits for its alert, and so does the rest of its job. */
static void what_cannot_be_asked_for_is_not_repeated(void **state)
{
        static const char *const jobs[] = {
                JOB_EXEC_AS("./Vendor/lab/Run", "c-3"),
                JOB_EXEC("./FUMO/main/Download"),
                ("[{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/Download\",\"correlator\":\"c-4\"},"
                 "{\"cmd\":\"exec\",\"uri\":\"./Vendor/lab/Run\",\"correlator\":\"c-4\"}]"),
        };
        home *h = *state;
        world *w = warm_up(h);

        for (size_t i = 0; i < ODM_COUNT(jobs); i++) {
                int64_t job = world_job(w, jobs[i], false);
                lose(w, true);
                expect_done(w);
                expect_done(w);
                expect_job(w, job, "waiting: the session was lost after Exec");
                expect_attempts(w, job, 1);
        }
        assert_int_equal(w->dev.runs, 0);
        assert_int_equal(count_tasks(h), 0);
}

static void a_device_without_the_list_is_waited_for(void **state)
{
        home *h = *state;
        world *w = &h->w;
        int64_t job;

        world_warm_up(w);
        job = world_job(w, FETCH, false);
        lose(w, true);
        expect_done(w);
        expect_done(w);
        expect_job(w, job, "waiting: the session was lost after Exec");
        expect_attempts(w, job, 1);
}

/* ---- an alert a component ---------------------------------------------------------------- */

#define INSTALL                                                                       \
        "[{\"cmd\":\"exec\",\"uri\":\"./SCM/Download/a/Operations/DownloadInstall\"," \
        "\"correlator\":\"%s\"}]"

static odm_alert component(uint64_t id, const char *correlator, const char *data)
{
        return (odm_alert){.id = id,
                           .code = ODM_ALERT_GENERIC,
                           .source = ODM_STR("./SCM/Download/a/Operations/DownloadInstall"),
                           .type = ODM_STR("urn:oma:at:scomo:1.0:OperationComplete"),
                           .format = ODM_FMT_XML,
                           .data = odm_cstr(data),
                           .correlator = odm_cstr(correlator)};
}

/* The job, accepted by the device. */
static int64_t accepted(world *w, const char *correlator)
{
        char json[200];
        store_batch *b = store_batch_new();
        store_op *op;
        int64_t job;

        snprintf(json, sizeof json, INSTALL, correlator);
        job = world_job(w, json, false);
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = w->device;
        op->job_move.job = job;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = STORE_JOB_WAITING;
        op->job_move.attempt = 1;
        op = store_batch_add(b, STORE_RESULT_PUT);
        op->result.device = w->device;
        op->result.job = job;
        op->result.r = (store_result){.status = ODM_ST_ACCEPTED, .sent = true};
        world_write(w, b);
        return job;
}

static void every_component_is_heard(void **state)
{
        static const struct row {
                const char *why, *data[3], *want;
                unsigned status;
        } rows[] = {
                {"all good",
                 {"<ResultCode>1200</ResultCode><Identifier>x</Identifier>",
                  "<ResultCode>1250</ResultCode><Identifier>y</Identifier>",
                  "<ResultCode>1200</ResultCode><Identifier>z</Identifier>"},
                 "done",
                 1200},
                {"the last failed",
                 {"<ResultCode>1200</ResultCode><Identifier>x</Identifier>",
                  "<ResultCode>1200</ResultCode><Identifier>y</Identifier>",
                  "<ResultCode>1405</ResultCode><Identifier>z</Identifier>"},
                 "failed: Exec ./SCM/Download/a/Operations/DownloadInstall: 1405 Install failed",
                 1405},
                {"the first of two that failed is the reason",
                 {"<ResultCode>1406</ResultCode><Identifier>x</Identifier>",
                  "<ResultCode>1200</ResultCode><Identifier>y</Identifier>",
                  "<ResultCode>1405</ResultCode><Identifier>z</Identifier>"},
                 "failed: Exec ./SCM/Download/a/Operations/DownloadInstall: 1406 Install failed, "
                 "out of memory",
                 1406},
        };
        home *h = *state;
        world *w = &h->w;

        world_warm_up(w);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char correlator[8], status[8];
                odm_alert say[3];
                store_result_list l;
                snprintf(correlator, sizeof correlator, "m-%zu", i);
                int64_t job = accepted(w, correlator);
                int64_t other = accepted(w, "other");
                for (size_t k = 0; k < 3; k++)
                        say[k] = component(k + 1, correlator, rows[i].data[k]);
                w->say = say;
                w->says = 3;
                expect_done(w);
                expect_job(w, job, rows[i].want);
                snprintf(status, sizeof status, "%u", rows[i].status);
                expect_results(w, job, status);
                assert_int_equal(store_job_results(w->store, w->device, job, &w->a, &l), 0);
                assert_int_equal(l.v[0].n_items, 3);
                for (size_t k = 0; k < 3; k++)
                        assert_str(l.v[0].items[k].data, rows[i].data[k]);
                expect_job(w, other, "waiting");
        }
}

/* The package has several messages; the server goes down after the first. */
static void what_was_told_in_part_is_over_all_the_same(void **state)
{
        static char data[1500];
        home *h = *state;
        world *w = &h->w;
        odm_alert say[3];
        int64_t job;

        world_warm_up(w);
        job = accepted(w, "m");
        snprintf(data, sizeof data, "<ResultCode>1200</ResultCode><Identifier>%01400d</Identifier>",
                 7);
        for (size_t k = 0; k < 3; k++)
                say[k] = component(k + 1, "m", data);
        w->say = say;
        w->says = 3;
        w->max_msg = 4096;
        lose(w, true);
        expect_job(w, job, "waiting");
        expect_results(w, job, "1200");
        restart_server(w);
        w->say = NULL;
        w->max_msg = 0;
        expect_done(w);
        expect_job(w, job, "done");
        expect_results(w, job, "1200");
}

/* ---- gateways ------------------------------------------------------------------------------ */

#define TASK "./GwMO/Fanout/Fanout/x1"
#define FANOUT                                                                         \
        "[{\"cmd\":\"add\",\"uri\":\"" TASK "\",\"format\":\"node\"},"                 \
        "{\"cmd\":\"add\",\"uri\":\"" TASK "/Operations\",\"format\":\"node\"},"       \
        "{\"cmd\":\"add\",\"uri\":\"" TASK "/Operations/Start\",\"format\":\"null\"}," \
        "{\"cmd\":\"exec\",\"uri\":\"" TASK "/Operations/Start\",\"correlator\":"      \
        "\"c-7\"}]"

static unsigned begun;

static int start_task(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        (void)ctx, (void)at, (void)op;
        begun++;
        *status = ODM_ST_ACCEPTED;
        return 0;
}

static int read_task(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx, (void)at;
        *out = (odm_value){.format = ODM_FMT_INT, .data = odm_arena_number(a, begun ? 20 : 0)};
        return out->data.p ? 0 : odm_arena_err(a);
}

static world *warm_up_gateway(home *h, odm_provider *p)
{
        static const odm_binding bind[] = {
                {.path = "Fanout/*/Operations/Start", .exec = start_task},
                {.path = "Fanout/*/State", .read = read_task}};

        *p = (odm_provider){
                .name = "gateway", .mo = &odm_mo_gwfanout, .bind = bind, .n_bind = ODM_COUNT(bind)};
        begun = 0;
        world_start(&h->w);
        assert_int_equal(odm_tree_mount(h->w.dev.tree, NULL, p), 0);
        expect_done(&h->w);
        return &h->w;
}

/* A fan-out that was never started is started in the next session, one that was is not. */
static void a_fanout_is_started_once(void **state)
{
        static odm_provider p;
        home *h = *state;
        world *w = warm_up_gateway(h, &p);
        int64_t job = world_job(w, FANOUT, false);

        lose(w, true);
        assert_int_equal(begun, 0);
        expect_done(w);
        assert_int_equal(begun, 1);
        expect_job(w, job, "waiting: accepted by the device");
        expect_attempts(w, job, 2);
}

static void a_fanout_that_began_is_waited_for(void **state)
{
        static odm_provider p;
        home *h = *state;
        world *w = warm_up_gateway(h, &p);
        int64_t job = world_job(w, FANOUT, false);

        lose(w, false);
        assert_int_equal(begun, 1);
        expect_done(w);
        expect_job(w, job, "waiting: the device has it");
        expect_done(w);
        expect_attempts(w, job, 1);
        assert_int_equal(begun, 1);
}

#define IMAGE "./GwMO/ImageInventory/Images/i0"
#define LOAD                                                             \
        "[{\"cmd\":\"delete\",\"uri\":\"" IMAGE "\",\"optional\":true}," \
        "{\"cmd\":\"add\",\"uri\":\"" IMAGE "\",\"format\":\"node\"},"   \
        "{\"cmd\":\"exec\",\"uri\":\"" IMAGE "/Operations/Download\",\"correlator\":\"c-8\"}]"

static const char *last_order; /* of the image; it failed */

static int start_load(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        (void)ctx, (void)at;
        assert_true(odm_str_is(op->correlator, "c-8"));
        begun++;
        last_order = "c-8";
        *status = ODM_ST_ACCEPTED;
        return 0;
}

static int read_load(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx, (void)at, (void)a;
        *out = (odm_value){.format = ODM_FMT_INT,
                           .data = last_order ? ODM_STR("50") : ODM_STR("0")};
        return 0;
}

static int read_order(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx, (void)at, (void)a;
        *out = (odm_value){.format = ODM_FMT_CHR, .data = odm_cstr(last_order ? last_order : "")};
        return 0;
}

/* As gateways do. */
static int add_operations(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        static const char *const names[] = {"Operations", "Operations/Download"};

        (void)ctx, (void)status;
        for (size_t i = 0; list->kind == ODM_CHANGE_ADD && i < ODM_COUNT(names); i++) {
                char uri[128];
                odm_arena a;
                odm_answer out;
                snprintf(uri, sizeof uri, IMAGE "/%s", names[i]);
                const odm_op op = {.kind = ODM_CMD_ADD,
                                   .target = odm_cstr(uri),
                                   .value = {.format = i ? ODM_FMT_NULL : ODM_FMT_NODE}};
                odm_arena_init(&a, &heap, 65536);
                if (odm_str_is(list->uri, IMAGE))
                        assert_int_equal(odm_tree_do(t, &op, (odm_wall){1}, &a, &out), 0);
                odm_arena_done(&a);
        }
        return 0;
}

/* One that failed before has left its node. */
static world *warm_up_images(home *h, odm_provider *p, bool marks)
{
        static const odm_binding bind[] = {
                {.path = "Images/*/Operations/Download", .exec = start_load},
                {.path = "Images/*/State", .read = read_load},
                {.path = "Images/*/Correlator", .read = read_order}};
        const odm_op left = {
                .kind = ODM_CMD_ADD, .target = ODM_STR(IMAGE), .value = {.format = ODM_FMT_NODE}};
        odm_answer out;
        odm_arena a;

        *p = (odm_provider){.name = "images",
                            .mo = &odm_mo_gwimages,
                            .bind = bind,
                            .n_bind = marks ? ODM_COUNT(bind) : ODM_COUNT(bind) - 1,
                            .validate = add_operations};
        begun = 0;
        last_order = "c-1";
        world_start(&h->w);
        assert_int_equal(odm_tree_mount(h->w.dev.tree, NULL, p), 0);
        odm_arena_init(&a, &heap, 65536);
        assert_int_equal(odm_tree_do(h->w.dev.tree, &left, (odm_wall){1}, &a, &out), 0);
        assert_int_equal(out.status, 200);
        odm_arena_done(&a);
        expect_done(&h->w);
        return &h->w;
}

static void a_node_that_is_left_tells_nothing_of_a_new_download(void **state)
{
        static odm_provider p;
        home *h = *state;
        world *w = warm_up_images(h, &p, true);
        int64_t job = world_job(w, LOAD, false);

        lose(w, true);
        assert_int_equal(begun, 0);
        expect_done(w);
        assert_int_equal(begun, 1);
        expect_job(w, job, "waiting: accepted by the device");
        expect_attempts(w, job, 2);
}

/* Also at a gateway that does not say which order it tells of. */
static void a_download_that_began_is_waited_for(void **state)
{
        for (int marks = 0; marks < 2; marks++) {
                static odm_provider p;
                home *h = *state;
                world *w = warm_up_images(h, &p, marks);
                int64_t job = world_job(w, LOAD, false);

                lose(w, false);
                assert_int_equal(begun, 1);
                expect_done(w);
                expect_job(w, job, "waiting: the device has it");
                expect_done(w);
                expect_attempts(w, job, 1);
                assert_int_equal(begun, 1);
                if (!marks) {
                        teardown(state);
                        setup(state);
                }
        }
}

#define ON(setup, t)                                         \
        {                                                    \
#t " (" #setup ")", t, setup, teardown, NULL \
        }

int main(void)
{
        const struct CMUnitTest tests[] = {
                ON(setup, what_did_not_arrive_is_sent_again),
                ON(setup_sqlite, what_did_not_arrive_is_sent_again),
                ON(setup, what_arrived_is_waited_for),
                ON(setup_sqlite, what_arrived_is_waited_for),
                ON(setup, a_job_has_one_end),
                ON(setup_sqlite, a_job_has_one_end),
                ON(setup, large_jobs_are_put_back_after_a_kill),
                ON(setup, large_jobs_that_wait_end_no_session),
                ON(setup, an_alert_finds_the_job_of_a_lost_session),
                ON(setup_sqlite, an_alert_finds_the_job_of_a_lost_session),
                ON(setup, an_alert_that_comes_twice_counts_once),
                ON(setup, an_end_untold_is_waited_for),
                ON(setup, a_restart_of_the_server_changes_nothing),
                ON(setup_sqlite, a_restart_of_the_server_changes_nothing),
                ON(setup, after_too_many_attempts_it_has_failed),
                ON(setup, what_cannot_be_asked_for_is_not_repeated),
                ON(setup, a_device_without_the_list_is_waited_for),
                ON(setup, every_component_is_heard),
                ON(setup_sqlite, every_component_is_heard),
                ON(setup, what_was_told_in_part_is_over_all_the_same),
                ON(setup, a_fanout_is_started_once),
                ON(setup, a_fanout_that_began_is_waited_for),
                ON(setup, a_node_that_is_left_tells_nothing_of_a_new_download),
                ON(setup, a_download_that_began_is_waited_for),
        };

        return RUN_TESTS(tests);
}
