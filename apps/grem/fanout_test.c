/* SPDX-License-Identifier: Apache-2.0 */
/* fanout_test.c - ./GwMO/Fanout on devices in memory: what servers write and execute, what is run,
 * kept and told, restarts and kills. */
#include "fanout.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fanout_inner.h"
#include "odm/fanout.h"
#include "support.h"
#include "yard.h"

#define TASKS YARD_TASKS "/"
#define GROUPS "./GwMO/Inventory/Groups/"
#define BODY(x) "<SyncBody>" x "</SyncBody>"
#define T(uri) "<Item><Target><LocURI>" uri "</LocURI></Target></Item>"
#define GET(uri) "<Get><CmdID>1</CmdID>" T(uri) "</Get>"
#define EXEC(uri) "<Exec><CmdID>2</CmdID>" T(uri) "</Exec>"
#define REPLACE(uri, data)                                                                    \
        "<Replace><CmdID>3</CmdID><Item><Target><LocURI>" uri "</LocURI></Target><Data>" data \
        "</Data></Item></Replace>"
#define FWV BODY(GET("./DevDetail/FwV"))
#define REBOOT BODY(EXEC("./Reboot/Now"))
#define SPACE                                                                                      \
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567" \
        "8901234567890123456789012345678901234567890123456789012345678901234567890123456789012345" \
        "67890123456789012345678901234567890123456789012345678901234567890123456789"
#define LIMIT_MS 10000

static const part_class *const classes[] = {&part_gwconfig, &part_gwinventory, &part_gwmount,
                                            &part_gwfanout, &part_schedule,    NULL};

static int setup(void **arg)
{
        (void)arg;
        return yard_set_up(classes, NULL);
}

/* ---- what a server does ------------------------------------------------------------------------ */

/* A task with up to three targets, joined by commas. */
static void make(const char *task, const char *targets, const char *cmds)
{
        char text[256], rel[32], *save = NULL;
        unsigned n = 0;

        assert_int_equal(yard_task_add(task, NULL, NULL, ODM_FMT_NODE), 200);
        assert_int_equal(yard_task_add(task, "TaskID", task, ODM_FMT_CHR), 200);
        assert_int_equal(yard_task_add(task, "Cmds", cmds, ODM_FMT_XML), 200);
        snprintf(text, sizeof text, "%s", targets);
        for (char *t = strtok_r(text, ",", &save); t; t = strtok_r(NULL, ",", &save)) {
                snprintf(rel, sizeof rel, "Targets/%u", ++n);
                assert_int_equal(yard_task_add(task, rel, t, ODM_FMT_CHR), 200);
        }
}

static unsigned state_of(const char *task)
{
        return (unsigned)strtoul(yard_task_leaf(task, "State"), NULL, 10);
}

#define leaf_is(task, rel, want) assert_string_equal(yard_task_leaf(task, rel), want)

static void start(const char *task)
{
        assert_int_equal(yard_task_exec(task, "Start"), 202);
}

/* Of the node of a task, or of one below: "t/Targets/1". */
static unsigned delete_task(const char *node)
{
        char uri[64];

        snprintf(uri, sizeof uri, TASKS "%s", node);
        return yard_do(NULL, ODM_CMD_DELETE, uri, NULL, ODM_FMT_ABSENT);
}

/* A device that sleeps for a minute, unless it is woken. */
static fake_device *sleeper(const char *id)
{
        fake_device *d = yard_attach(id);

        fake_sleep(d, 60000);
        return d;
}

static void restart(void)
{
        yard_stop();
        yard_start(classes);
}

typedef struct wanted {
        const char *task;
        unsigned state;
} wanted;

static bool has_state(void *ctx)
{
        const wanted *w = ctx;

        return state_of(w->task) == w->state;
}

static void wait_state(const char *task, unsigned to)
{
        wanted w = {task, to};

        if (!yard_turn(LIMIT_MS, has_state, &w))
                fail_msg("%s is %u, not %u", task, state_of(task), to);
}

/* A task is made, and comes to its end in that state. */
static void run(const char *task, const char *targets, const char *cmds, unsigned to)
{
        make(task, targets, cmds);
        start(task);
        wait_state(task, to);
}

/* Alerts of a type that wait for the server, in yard.text. */
static unsigned alerts(const char *type)
{
        yard_settle();
        north_rest(yard.g->north, true);
        return yard_alerts(type);
}

static void want_alerts(const char *type, const char *text)
{
        (void)alerts(type);
        if (strcmp(yard.text, text) != 0)
                fail_msg("told: %s\nnot: %s", yard.text, text);
}

#define RESULTS "urn:oma:at:oma-gwmo:resultaggregation:1.0"
#define DONE "urn:oma:at:oma-gwmo:completionstatus:1.0"
#define TOTALS(all, ok, bad, open) \
        "<Totals Total=\"" all "\" Ok=\"" ok "\" Failed=\"" bad "\" Pending=\"" open "\"/>"
#define DOC_OF(task, seq, last, totals, body)                                           \
        TASKS task ":c1:<FanoutResult TaskID=\"" task "\" Seq=\"" seq "\" Last=\"" last \
                   "\">" totals body "</FanoutResult>"
#define DOC(task, seq, totals, body) DOC_OF(task, seq, "1", totals, body)
#define AND(a, b) a " " b
#define GROUP(state, cmd, count, devices)                                             \
        "<Group State=\"" state "\">" cmd "<Count>" count "</Count><Devices>" devices \
        "</Devices></Group>"
#define GOT(value)                                  \
        "<Cmd CmdRef=\"1\" Status=\"200\"><LocURI " \
        "Format=\"chr\">./DevDetail/FwV</LocURI><Data>" value "</Data></Cmd>"
#define ENDED(result) "<Cmd CmdRef=\"2\" Status=\"202\" Result=\"" result "\"/>"

/* ---- from end to end ------------------------------------------------------------------------------ */

static void a_get_of_three_is_one_document(void **arg)
{
        (void)arg;
        yard_attach("one");
        yard_attach("two");
        fake_set(yard_attach("three"), "./DevDetail/FwV", "2.0", ODM_FMT_CHR);
        run("t1", "all,dev:one,dev:one", FWV, 40);
        want_alerts(RESULTS, DOC("t1", "1", TOTALS("3", "3", "0", "0"),
                                 GROUP("3", GOT("1.0"), "2", "d0001 d0002")
                                         GROUP("3", GOT("2.0"), "1", "d0003")));
        want_alerts(DONE, TASKS "t1:c1:40");
        leaf_is("t1", "Total", "3");
        leaf_is("t1", "Done", "3");
        leaf_is("t1", "Ok", "3");
        leaf_is("t1", "Failed", "0");
        leaf_is("t1", "Pending", "0");
        leaf_is("t1", "Results", "d0001/d0002/d0003");
        leaf_is("t1", "Results/d0003/DeviceID", "three");
        leaf_is("t1", "Results/d0003/State", "3");
        leaf_is("t1", "Results/d0003/Status", "200");
        leaf_is("t1", "Results/d0003/Tries", "1");
        assert_non_null(strstr(yard_task_leaf("t1", "Results/d0003/Data"), "<Data>2.0</Data>"));
        leaf_is("t1", "Results/d0009/State", "(none)");
        assert_int_equal(gw_counts_of(yard.g)->results_merged, 3);
        /* again: numbers go on, results are the new ones */
        start("t1");
        wait_state("t1", 40);
        assert_int_equal(alerts(RESULTS), 2);
        assert_non_null(strstr(yard.text, "Seq=\"2\""));
}

static const struct start {
        const char *why, *targets, *cmds;
        unsigned status, state;
} starts[] = {
        {"no target", "", FWV, 400, 71},
        {"nobody is in it", "match:man=Nobody", FWV, 400, 71},
        {"no commands", "all", "<SyncBody></SyncBody>", 400, 71},
        {"an alert", "all", BODY("<Alert><Data>1226</Data></Alert>"), 400, 71},
        {"a group that is not", "group:none", FWV, 404, 71},
        {"devices that are not", "dev:nobody,dev:nothing", FWV, 404, 71},
        {"one of them is", "dev:nobody,dev:one", FWV, 202, 41},
        {"by maker", "match:man=Fake", FWV, 202, 40},
        {"a group by name", "group:north", FWV, 202, 40},
        {"a group by what they are", "group:fakes", FWV, 202, 40},
        {"a leaf that is not", "dev:one", BODY(GET("./DevDetail/Nothing")), 202, 41},
        {"an image that is not", "dev:one", BODY(REPLACE("./FUMO/main/PkgName", "{LocalURL:x}")),
         202, 41},
};

static void starts_are_answered_by_the_table(void **arg)
{
        char task[16];

        (void)arg;
        yard_attach("one");
        yard_attach("two");
        yard_do(NULL, ODM_CMD_ADD, GROUPS "a", NULL, ODM_FMT_NODE);
        yard_do(NULL, ODM_CMD_ADD, GROUPS "a/GroupID", "north", ODM_FMT_CHR);
        assert_int_equal(yard_do(NULL, ODM_CMD_ADD, GROUPS "a/Members/1", "two", ODM_FMT_CHR), 200);
        yard_do(NULL, ODM_CMD_ADD, GROUPS "b", NULL, ODM_FMT_NODE);
        yard_do(NULL, ODM_CMD_ADD, GROUPS "b/GroupID", "fakes", ODM_FMT_CHR);
        assert_int_equal(yard_do(NULL, ODM_CMD_ADD, GROUPS "b/Match", "man=Fa*", ODM_FMT_CHR), 200);
        for (size_t i = 0; i < ODM_COUNT(starts); i++) {
                const struct start *s = &starts[i];
                snprintf(task, sizeof task, "s%zu", i);
                make(task, s->targets, s->cmds);
                unsigned status = yard_task_exec(task, "Start");
                if (status != s->status)
                        fail_msg("%s: %u", s->why, status);
                wait_state(task, s->state);
        }
        leaf_is("s6", "Results/u1/DeviceID", "nobody");
        leaf_is("s6", "Results/u1/Status", "404");
        leaf_is("s8", "Results", "d0002");
        leaf_is("s9", "Total", "2");
        leaf_is("s10", "Results/d0001/Status", "404");
        leaf_is("s11", "Results/d0001/Status", "404");
        /* out of turn */
        assert_int_equal(yard_task_exec("s7", "Cancel"), 405);
        assert_int_equal(yard_task_exec("s7", "Pause"), 405);
        assert_int_equal(yard_task_exec("s7", "Resume"), 405);
        assert_int_equal(yard_task_exec("none", "Start"), 404);
}

static const struct wrong {
        const char *rel, *data;
        odm_format format;
} wrongs[] = {
        {"Targets/1", "someone", ODM_FMT_CHR},    {"Targets/1", "match:x=y", ODM_FMT_CHR},
        {"Schedule", "tomorrow", ODM_FMT_CHR},    {"Expire", "later", ODM_FMT_TIME},
        {"Priority", "8", ODM_FMT_INT},           {"DevTimeout", "0", ODM_FMT_INT},
        {"MaxParallel", "0", ODM_FMT_INT},        {"Retry", "101", ODM_FMT_INT},
        {"StopOnFailPct", "101", ODM_FMT_INT},    {"Operations/ReturnFormat", "5", ODM_FMT_INT},
        {"Operations/AggMax", "-1", ODM_FMT_INT},
};

static void values_that_cannot_be_are_refused(void **arg)
{
        (void)arg;
        make("t", "all", FWV);
        for (size_t i = 0; i < ODM_COUNT(wrongs); i++) {
                unsigned status =
                        yard_task_add("t", wrongs[i].rel, wrongs[i].data, wrongs[i].format);
                if (status != 415 && status != 418)
                        fail_msg("%s %s: %u", wrongs[i].rel, wrongs[i].data, status);
        }
}

/* ---- sleepers ---------------------------------------------------------------------------------------- */

static bool is_told(void *ctx)
{
        (void)ctx;
        return north_waiting(yard.g->north) > 0 && alerts(DONE) > 0;
}

static void a_sleeper_runs_when_it_wakes(void **arg)
{
        static const char *const rule[][2] = {{"./GwMO/Config/ModeRules/a/Match", "id=*"},
                                              {"./GwMO/Config/ModeRules/a/Priority", "1"},
                                              {"./GwMO/Config/ModeRules/a/Mode", "1"}};
        const gw_change proxy = {
                .mode = GW_PROXY, .wake_interval_s = -2, .awake_s = -2, .active = -1};
        fake_device *d;
        odm_time woke;

        (void)arg;
        d = sleeper("one");
        fake_log_clear(yard.fake);
        make("t", "dev:one", REBOOT);
        start("t");
        assert_int_equal(state_of("t"), 10);
        assert_int_equal(fake_record(d)->pending, 1);
        (void)yard_turn(300, NULL, NULL);
        assert_string_equal(fake_log(yard.fake), ""); /* nobody tries */
        assert_int_equal(yard_task_exec("t", "Start"), 405);
        /* what waits was made for the mode that it has */
        assert_int_equal(gw_change_device(yard.g, fake_record(d), &proxy), ODM_ESTATE);
        for (size_t i = 0; i < ODM_COUNT(rule); i++)
                assert_int_equal(yard_do(NULL, ODM_CMD_ADD, rule[i][0], rule[i][1],
                                         i == 0 ? ODM_FMT_CHR : ODM_FMT_INT),
                                 200);
        (void)yard_turn(100, NULL, NULL);
        assert_int_equal(fake_record(d)->mode, GW_ADAPTATION);
        woke = loop_now();
        fake_wake(d, 5000);
        wait_state("t", 40);
        assert_true(loop_now().ms - woke.ms < 1000);
        assert_string_equal(fake_log(yard.fake), "exec d0001 ./Reboot/Now\n");
        assert_int_equal(fake_record(d)->pending, 0);
        assert_int_equal(gw_change_device(yard.g, fake_record(d), &proxy), 0);
}

static void what_comes_too_late_is_408(void **arg)
{
        fake_device *d;

        (void)arg;
        d = yard_attach("one");
        yard_attach("two");
        fake_sleep(d, 60000);
        run("t", "all", REBOOT, 10);
        loop_skip(INT64_C(90000) * 1000);
        wait_state("t", 60);
        leaf_is("t", "Results/d0001/Status", "408");
        leaf_is("t", "Results/d0001/State", "5");
        leaf_is("t", "Results/d0002/State", "3");
}

static void the_last_value_wins(void **arg)
{
        fake_device *d;

        (void)arg;
        d = yard_attach("one");
        fake_set(d, "./Ext/Level", "0", ODM_FMT_CHR);
        fake_sleep(d, 60000);
        fake_log_clear(yard.fake);
        make("a", "dev:one", BODY(REPLACE("./Ext/Level", "1")));
        make("b", "dev:one", BODY(REPLACE("./Ext/Level", "{DeviceID}")));
        start("a");
        start("b");
        wait_state("a", 40);
        assert_int_equal(fake_record(d)->pending, 1);
        fake_wake(d, 5000);
        wait_state("b", 40);
        assert_string_equal(fake_log(yard.fake), "write d0001 ./Ext/Level=one\n");
}

static void too_much_is_420(void **arg)
{
        char task[8];

        (void)arg;
        (void)sleeper("one");
        assert_int_equal(
                yard_do(NULL, ODM_CMD_REPLACE, "./GwMO/Config/SAF/MaxQueue", "2", ODM_FMT_INT),
                200);
        for (int i = 0; i < 3; i++) {
                snprintf(task, sizeof task, "t%d", i);
                make(task, "dev:one", REBOOT);
                start(task);
        }
        wait_state("t2", 41);
        leaf_is("t2", "Results/d0001/Status", "420");
        assert_int_equal(
                yard_do(NULL, ODM_CMD_REPLACE, "./GwMO/Config/SAF/MaxBytes", "1024", ODM_FMT_INT),
                200);
        make("t4", "dev:one", BODY(REPLACE("./A", SPACE SPACE SPACE SPACE)));
        assert_int_equal(yard_task_exec("t4", "Start"), 420);
        assert_int_equal(state_of("t4"), 71);
}

/* ---- final alerts --------------------------------------------------------------------------------------- */

static void a_final_alert_ends_it(void **arg)
{
        fake_device *one, *two;

        (void)arg;
        one = yard_attach("one");
        two = yard_attach("two");
        fake_later(one, 50, "urn:x:done", 200);
        fake_later(two, 100, "urn:x:done", 410);
        run("t", "all", REBOOT, 41);
        want_alerts(RESULTS, DOC("t", "1", TOTALS("2", "1", "1", "0"),
                                 GROUP("3", ENDED("200"), "1", "d0001")
                                         GROUP("4", ENDED("410"), "1", "d0002")));
        assert_int_equal(alerts("urn:x:done"), 0); /* gathered, not relayed */
}

/* In another mode its alert would not come by us any more. */
static void a_mode_waits_for_final_alerts(void **arg)
{
        const gw_change change = {
                .mode = GW_PROXY, .wake_interval_s = -2, .awake_s = -2, .active = -1};
        fake_device *d;

        (void)arg;
        d = yard_attach("one");
        assert_int_equal(gw_change_device(yard.g, fake_record(d), &change), 0);
        fake_later(d, 20000, "urn:x:done", 200);
        make("t", "all", REBOOT);
        start("t");
        (void)yard_turn(100, NULL, NULL);
        assert_false(gw_busy(yard.g, fake_record(d)));
        assert_int_equal(fake_record(d)->pending, 0);
        gw_change back = change;
        back.mode = GW_ADAPTATION;
        assert_int_equal(gw_change_device(yard.g, fake_record(d), &back), ODM_ESTATE);
        loop_skip(20001);
        wait_state("t", 40);
        assert_int_equal(gw_change_device(yard.g, fake_record(d), &back), 0);
}

static void an_exec_of_its_own_is_relayed(void **arg)
{
        const odm_op op = {.kind = ODM_CMD_EXEC,
                           .target = ODM_STR("./GwDev/d0001/Reboot/Now"),
                           .server = ODM_STR(YARD_SERVER),
                           .correlator = ODM_STR("mine")};
        fake_device *d;

        (void)arg;
        d = yard_attach("one");
        fake_later(d, 20, "urn:x:done", 17);
        fake_sleep(d, 60000);
        assert_int_equal(fanout_queue_exec(yard.g, fake_record(d), &op), 0);
        assert_int_equal(fake_record(d)->pending, 1);
        fake_wake(d, 5000);
        (void)yard_turn(300, NULL, NULL);
        want_alerts("urn:x:done", "./GwDev/d0001/Reboot/Now:mine:17");
        assert_int_equal(alerts(DONE), 0);
        /* one that is answered at once has no alert but ours */
        fake_later(d, 0, NULL, 0);
        fake_sleep(d, 60000);
        assert_int_equal(fanout_queue_exec(yard.g, fake_record(d), &op), 0);
        fake_wake(d, 5000);
        assert_true(yard_turn(LIMIT_MS, is_told, NULL));
        want_alerts(DONE, "./GwDev/d0001/Reboot/Now:mine:200");
}

static unsigned take_back(const char *server, const char *correlator)
{
        return yard_do(server, ODM_CMD_EXEC, "./GwMO/Fanout/Ext/TakeBack", correlator,
                       correlator ? ODM_FMT_CHR : ODM_FMT_ABSENT);
}

/* As long as it waits it can be taken back, and is not done then; by whom it is of. */
static void an_exec_that_waits_is_taken_back(void **arg)
{
        const odm_op op = {.kind = ODM_CMD_EXEC,
                           .target = ODM_STR("./GwDev/d0001/Reboot/Now"),
                           .server = ODM_STR(YARD_SERVER),
                           .correlator = ODM_STR("mine")};
        fake_device *d;

        (void)arg;
        d = sleeper("one");
        assert_int_equal(fanout_queue_exec(yard.g, fake_record(d), &op), 0);
        assert_int_equal(take_back(NULL, "yours"), 404);
        assert_int_equal(take_back(NULL, NULL), 404);
        assert_int_equal(take_back("other", "mine"), 425);
        assert_int_equal(fake_record(d)->pending, 1);
        assert_int_equal(take_back(NULL, "mine"), 200);
        assert_int_equal(fake_record(d)->pending, 0);
        assert_int_equal(take_back(NULL, "mine"), 404);
        assert_true(yard_turn(LIMIT_MS, is_told, NULL));
        want_alerts(DONE, "./GwDev/d0001/Reboot/Now:mine:214");
        fake_log_clear(yard.fake);
        fake_wake(d, 5000);
        (void)yard_turn(200, NULL, NULL);
        assert_null(strstr(fake_log(yard.fake), "exec"));
        fake_sleep(d, 60000); /* what the device has is not taken back */
        assert_int_equal(fanout_queue_exec(yard.g, fake_record(d), &op), 0);
        fake_delay(d, FAKE_SILENT);
        fake_wake(d, 5000);
        (void)yard_turn(200, NULL, NULL);
        assert_int_equal(take_back(NULL, "mine"), 404);
}

/* ---- turns ------------------------------------------------------------------------------------------------ */

static void it_is_held_and_cancelled(void **arg)
{
        fake_device *d;

        (void)arg;
        d = sleeper("one");
        make("t", "dev:one", REBOOT);
        start("t");
        assert_int_equal(yard_task_exec("t", "Resume"), 405);
        assert_int_equal(yard_task_exec("t", "Pause"), 200);
        assert_int_equal(state_of("t"), 30);
        fake_wake(d, 0);
        (void)yard_turn(100, NULL, NULL);
        assert_int_equal(state_of("t"), 30);
        restart();
        assert_int_equal(state_of("t"), 30);
        d = yard_attach("one");
        assert_int_equal(delete_task("t"), 405);
        assert_int_equal(yard_task_exec("t", "Resume"), 200);
        wait_state("t", 40);
        fake_sleep(d, 60000);
        make("u", "dev:one", REBOOT);
        start("u");
        assert_int_equal(yard_task_exec("u", "Cancel"), 200);
        wait_state("u", 50);
        assert_int_equal(yard_task_exec("u", "Cancel"), 405);
        want_alerts(DONE, TASKS "t:c1:40 " TASKS "u:c1:50");
        assert_int_equal(delete_task("u"), 200);
        make("u", "dev:one", REBOOT); /* a new one has nothing of it */
        assert_int_equal(state_of("u"), 0);
        leaf_is("u", "Results", "");
}

/* One that has not begun is skipped, and is not run when it wakes. */
static void one_target_is_taken_back(void **arg)
{
        fake_device *one;

        (void)arg;
        one = yard_attach("one");
        yard_attach("two");
        fake_sleep(one, 60000);
        make("t", "dev:one,dev:two", REBOOT);
        start("t");
        assert_int_equal(delete_task("t/Targets/1"), 200);
        wait_state("t", 41);
        leaf_is("t", "Results/d0001/State", "7");
        leaf_is("t", "Results/d0002/State", "3");
        fake_wake(one, 0);
        (void)yard_turn(100, NULL, NULL);
        assert_string_equal(fake_log(yard.fake), "exec d0002 ./Reboot/Now\n");
        /* nothing of a task that is over */
        assert_int_equal(delete_task("t/Targets/2"), 200);
        assert_int_equal(state_of("t"), 41);
}

/* What is cancelled leaves no node, though a device is still at it. */
static void a_cancelled_task_can_be_deleted_at_once(void **arg)
{
        fake_device *one;

        (void)arg;
        one = yard_attach("one");
        fake_delay(one, FAKE_SILENT);
        make("t", "dev:one", REBOOT);
        start("t");
        (void)yard_turn(100, NULL, NULL);
        assert_int_equal(fake_waiting(yard.fake), 1);
        assert_int_equal(delete_task("t"), 405);
        assert_int_equal(yard_task_exec("t", "Cancel"), 200);
        assert_int_equal(delete_task("t"), 200);
        (void)yard_turn(60, NULL, NULL);
        assert_int_equal(fake_waiting(yard.fake), 0);
        assert_int_equal(yard_get(TASKS "t/State"), 404);
        restart();
        assert_int_equal(yard_get(TASKS "t/State"), 404);
}

static bool is_written(void *ctx)
{
        (void)ctx;
        return yard.g->fanout->tasks->writing;
}

/* What is told of it is on its way to the disk when its node goes. */
static void a_task_can_be_deleted_while_it_is_told(void **arg)
{
        const odm_str name = ODM_STR("t");

        (void)arg;
        fake_sleep(yard_attach("one"), 0);
        make("t", "dev:one", REBOOT);
        start("t");
        assert_int_equal(yard_task_exec("t", "Cancel"), 200);
        assert_true(yard_turn(LIMIT_MS, is_written, NULL));
        assert_int_equal(delete_task("t"), 200);
        assert_null(fanout_by_name(yard.g->fanout, name));
        (void)yard_turn(60, NULL, NULL);
        assert_null(yard.g->fanout->tasks);
        make("t", "dev:one", REBOOT);
        start("t");
}

static void failures_in_full(void **arg)
{
        (void)arg;
        yard_attach("one");
        fake_refuse(yard_attach("two"), "./Reboot/Now", 405, "not \"now\"");
        make("t", "all", REBOOT);
        assert_int_equal(yard_task_add("t", "Operations/ReturnFormat", "4", ODM_FMT_INT), 200);
        start("t");
        wait_state("t", 41);
        want_alerts(RESULTS, DOC("t", "1", TOTALS("2", "1", "1", "0"),
                                 "<Device ID=\"two\" Key=\"d0002\" State=\"4\" "
                                 "Text=\"not &quot;now&quot;\"><Cmd CmdRef=\"2\" Status=\"405\"/>"
                                 "</Device>"));
}

static void groups_of_the_result(void **arg)
{
        (void)arg;
        yard_attach("one");
        fake_refuse(yard_attach("two"), "./Reboot/Now", 405, "no");
        make("t", "all", REBOOT);
        assert_int_equal(yard_task_add("t", "Operations/MakeGroups", "true", ODM_FMT_BOOL), 200);
        start("t");
        wait_state("t", 41);
        fake_refuse(fake_find(yard.fake, "two"), "./Reboot/Now", 0, NULL);
        run("again", "group:t-fail", REBOOT, 40);
        leaf_is("again", "Results", "d0002");
}

/* A second run has its own members, and who may not make groups makes none. */
static void groups_are_made_anew_by_who_may(void **arg)
{
        const odm_value acl = {.data = ODM_STR("Add=*&Delete=*&Exec=*&Get=*&Replace=*")};

        (void)arg;
        yard_attach("one");
        fake_refuse(yard_attach("two"), "./Reboot/Now", 405, "no");
        make("t", "all", REBOOT);
        assert_int_equal(yard_task_add("t", "Operations/MakeGroups", "true", ODM_FMT_BOOL), 200);
        start("t");
        wait_state("t", 41);
        assert_int_equal(yard_get("./GwMO/Inventory/Groups/t-fail/Members/d0002"), 200);
        fake_refuse(fake_find(yard.fake, "two"), "./Reboot/Now", 0, NULL);
        start("t");
        wait_state("t", 40);
        assert_int_equal(yard_get("./GwMO/Inventory/Groups/t-fail/Members/d0002"), 404);
        assert_int_equal(yard_get("./GwMO/Inventory/Groups/t-ok/Members/d0002"), 200);

        /* another server, which has rights on tasks and devices, and not on groups */
        assert_int_equal(
                odm_tree_write(yard.tree, ODM_STR("./GwMO/Fanout?prop=ACL"), &acl, loop_wall()), 0);
        assert_int_equal(odm_tree_write(yard.tree, ODM_STR("./GwDev?prop=ACL"), &acl, loop_wall()),
                         0);
        fake_refuse(fake_find(yard.fake, "two"), "./Reboot/Now", 405, "no");
        assert_int_equal(
                yard_do("two", ODM_CMD_EXEC, TASKS "t/Operations/Start", NULL, ODM_FMT_ABSENT),
                202);
        wait_state("t", 41);
        assert_int_equal(yard_get("./GwMO/Inventory/Groups/t-ok/Members/d0002"), 200);
}

static void rights_are_those_of_the_mount(void **arg)
{
        (void)arg;
        yard_attach("one");
        yard_attach("two");
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, "./GwDev/d0002?prop=ACL",
                                 "Get=*&Replace=" YARD_SERVER, ODM_FMT_CHR),
                         200);
        run("t", "all", REBOOT, 41);
        leaf_is("t", "Results/d0001/Status", "200");
        leaf_is("t", "Results/d0002/Status", "425");
}

/* Goes through the documents that wait: keys are marked, each once; how many there were. */
typedef struct tally {
        bool *seen;
        unsigned documents, most;
} tally;

static int tally_document(void *ctx, const odm_alert *a)
{
        tally *t = ctx;
        odm_fanout_doc doc;
        odm_arena mem;

        if (!odm_str_ieq(a->type, RESULTS))
                return 0;
        odm_arena_init(&mem, &heap, 1 << 24);
        assert_true(a->data.n <= 24576);
        assert_int_equal(odm_fanout_doc_read(a->data, &mem, &doc), 0);
        assert_int_equal(doc.seq, ++t->documents);
        for (const odm_fanout_entry *e = doc.entries; e; e = e->next) {
                size_t at = 0;
                odm_str key;
                while (odm_fanout_next_key(e->keys, &at, &key)) {
                        unsigned number = 0;
                        assert_int_equal(sscanf(key.p, "d%u", &number), 1);
                        assert_true(number <= t->most && !t->seen[number]);
                        t->seen[number] = true;
                }
        }
        odm_arena_done(&mem);
        return 0;
}

/* ---- many ------------------------------------------------------------------------------------------------- */

#define CROWD 5000

/* All in documents of bounded size, each device once. */
static void a_crowd_is_told_in_parts(void **arg)
{
        static bool seen[CROWD + 1];
        char id[16];
        unsigned n;

        (void)arg;
        for (int i = 0; i < CROWD; i++) {
                snprintf(id, sizeof id, "dev-%d", i);
                fake_device *d = fake_new(yard.fake, id);
                fake_set(d, "./DevDetail/FwV", i % 10 ? "1.0" : "1.1", ODM_FMT_CHR);
                assert_non_null(fake_attach(d));
        }
        assert_true(north_waiting(yard.g->north) >= CROWD); /* that they are here: each of them */
        make("t", "all", FWV);
        assert_int_equal(yard_task_add("t", "MaxParallel", "100", ODM_FMT_INT), 200);
        start("t");
        wait_state("t", 40);
        leaf_is("t", "Ok", "5000");
        north_rest(yard.g->north, true);
        tally t = {seen, 0, CROWD};
        assert_int_equal(north_alerts(yard.g->north, ODM_STR(YARD_SERVER), tally_document, &t), 0);
        n = t.documents;
        assert_true(n > 1 && n < 4);
        for (int i = 1; i <= CROWD; i++)
                assert_true(seen[i]);
        assert_true(odm_fanout_bytes(yard.g->fanout->f) < 16384); /* nothing is under way */
}

/* ---- a gateway below ------------------------------------------------------------------------------------- */

static void a_gateway_below_has_the_task_for_its_own(void **arg)
{
        fake_device *d;
        odm_alert a = {
                .code = ODM_ALERT_GENERIC,
                .source = ODM_STR("./GwMO/Fanout/Fanout/p1"),
                .type = ODM_STR(RESULTS),
                .correlator = ODM_STR("f1.0"),
                .data = ODM_STR("<FanoutResult TaskID=\"t\" Seq=\"1\"><Group State=\"3\"><Cmd "
                                "CmdRef=\"1\" Status=\"200\"/><Devices>d0001 g0002/d0003"
                                "</Devices></Group></FanoutResult>"),
                .format = ODM_FMT_XML};

        (void)arg;
        d = fake_new(yard.fake, "below");
        fake_is_gateway(d, true);
        fake_interior(d, "./GwMO/Fanout/Fanout", NULL);
        fake_later(d, 100, DONE, 40);
        yard_attach("below");
        make("t", "all", FWV);
        start("t");
        (void)yard_turn(40, NULL, NULL);
        assert_string_equal(fake_value(d, "./GwMO/Fanout/Fanout/p1/Cmds"), FWV);
        assert_string_equal(fake_value(d, "./GwMO/Fanout/Fanout/p1/Targets/1"), "all");
        for (int i = 0; i < 2; i++) /* told twice, and passed on once */
                assert_int_equal(devices_alert(yard.g, fake_record(d), &a, loop_wall()), 0);
        wait_state("t", 40);
        want_alerts(RESULTS,
                    AND(DOC_OF("t", "1", "0", TOTALS("1", "0", "0", "1"),
                               GROUP("3", "<Cmd CmdRef=\"1\" Status=\"200\"/>", "2",
                                     "g0001/d0001 g0001/g0002/d0003")),
                        DOC("t", "2", TOTALS("1", "1", "0", "0"),
                            GROUP("3", "<Cmd Status=\"202\" Result=\"200\"/>", "1", "g0001"))));
        want_alerts(DONE, TASKS "t:c1:40");
}

/* ---- a policy ------------------------------------------------------------------------------------------- */

#define POLICY "./Schedule/night"

static void write_leaf(const char *uri, const char *data, odm_format format)
{
        if (yard_do(NULL, ODM_CMD_ADD, uri, data, format) != 200)
                fail_msg("%s: %u", uri, yard.status);
}

/* A schedule of the gateway starts a stored task, the server being away. */
static void a_policy_starts_a_stored_task(void **arg)
{
        (void)arg;
        yard_attach("one");
        make("t", "all", REBOOT);
        write_leaf(POLICY, NULL, ODM_FMT_NODE);
        write_leaf(POLICY "/ID", "night", ODM_FMT_CHR);
        write_leaf(POLICY "/Condition/1/Timer/Base", "0", ODM_FMT_CHR);
        write_leaf(POLICY "/Task/1/Cmd",
                   "<Exec><Correlator>p-1</Correlator><Item><Target><LocURI>" TASKS
                   "t/Operations/Start</LocURI></Target></Item></Exec>",
                   ODM_FMT_XML);
        assert_int_equal(
                yard_do(NULL, ODM_CMD_EXEC, POLICY "/Operations/Activate", NULL, ODM_FMT_ABSENT),
                1200);
        wait_state("t", 40);
        want_alerts(DONE, TASKS "t:p-1:40");
}

static void run_policy(const char *name, const char *cmd)
{
        char at[80], uri[160];
        const char *leaves[][3] = {{"", NULL, NULL},
                                   {"/ID", name, NULL},
                                   {"/Condition/1/Timer/Base", "0", NULL},
                                   {"/Task/1/Cmd", cmd, "xml"}};

        snprintf(at, sizeof at, "./Schedule/%s", name);
        for (size_t i = 0; i < ODM_COUNT(leaves); i++) {
                snprintf(uri, sizeof uri, "%s%s", at, leaves[i][0]);
                write_leaf(uri, leaves[i][1],
                           leaves[i][2]   ? ODM_FMT_XML
                           : leaves[i][1] ? ODM_FMT_CHR
                                          : ODM_FMT_NODE);
        }
        snprintf(uri, sizeof uri, "%s/Operations/Activate", at);
        assert_int_equal(yard_do(NULL, ODM_CMD_EXEC, uri, NULL, ODM_FMT_ABSENT), 1200);
}

static bool log_is(void *ctx)
{
        return strcmp(fake_log(yard.fake), ctx) == 0;
}

/* Its own commands on a device wait for it, with the rights of who made the policy. */
static void a_policy_commands_a_device(void **arg)
{
        static char want[] = "write d0001 ./Ext/Level=7\nexec d0001 ./Reboot/Now\n";
        fake_device *d;

        (void)arg;
        d = yard_attach("one");
        fake_set(d, "./Ext/Level", "1", ODM_FMT_CHR);
        fake_sleep(d, 60000);
        fake_log_clear(yard.fake);
        run_policy("a", REPLACE("./GwDev/d0001/Ext/Level", "7"));
        (void)yard_turn(200, NULL, NULL);
        run_policy("b", EXEC("./GwDev/d0001/Reboot/Now"));
        (void)yard_turn(200, NULL, NULL);
        assert_int_equal(fake_record(d)->pending, 2);
        fake_wake(d, 5000);
        if (!yard_turn(LIMIT_MS, log_is, want))
                fail_msg("%s", fake_log(yard.fake));
        assert_int_equal(alerts(DONE), 0); /* both were well, and nobody asked */
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, "./GwDev/d0001?prop=ACL",
                                 "Get=*&Replace=" YARD_SERVER, ODM_FMT_CHR),
                         200);
        run_policy("c", EXEC("./GwDev/d0001/Reboot/Now"));
        (void)yard_turn(200, NULL, NULL);
        assert_string_equal(fake_log(yard.fake), want);
        assert_int_equal(yard_get("./Schedule/c/LastResult"), 200);
        assert_non_null(strstr(yard.text, "=1403"));
}

/* ---- restarts and kills ------------------------------------------------------------------------------------ */

#define MANY 30

static void attach_many(bool later)
{
        char id[16];

        for (int i = 0; i < MANY; i++) {
                snprintf(id, sizeof id, "dev-%02d", i);
                fake_device *d = fake_find(yard.fake, id);
                if (!d)
                        d = fake_new(yard.fake, id);
                gw_device *r = fake_attach(d);
                assert_non_null(r);
                fake_key(d, r->key);
                fake_delay(d, 20);
                if (later)
                        fake_later(d, 30, "urn:x:done", 200);
        }
        yard_settle();
}

/* Runs until it is killed; each line of the devices' log goes to `out`. */
static void be_killed(int out)
{
        size_t said = 0;

        yard_start(classes);
        attach_many(true);
        if (state_of("t") == 0 && yard_task_exec("t", "Start") != 202)
                _exit(1);
        if (write(out, "\n", 1) != 1)
                _exit(1);
        for (;;) {
                const char *log = fake_log(yard.fake);
                size_t n = strlen(log);
                if (n > said && write(out, log + said, n - said) < 0)
                        _exit(1);
                said = n;
                if (loop_once(yard.loop, 5) < 0)
                        _exit(1);
        }
}

static size_t kill_after(long ms, char *log, size_t room)
{
        size_t n = 0;
        ssize_t got;
        int fd[2];
        pid_t pid;

        assert_int_equal(pipe(fd), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                be_killed(fd[1]);
        close(fd[1]);
        /* it is at work: the moment is counted from there */
        got = read(fd[0], log, room);
        if (got > 0)
                n = (size_t)got;
        (void)usleep((useconds_t)ms * 1000);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while ((got = read(fd[0], log + n, room - n)) > 0)
                n += (size_t)got;
        close(fd[0]);
        return n;
}

static unsigned times(const char *log, const char *line)
{
        unsigned n = 0;

        for (const char *at = log; (at = strstr(at, line)) != NULL; at++)
                n++;
        return n;
}

static void a_kill_does_nothing_twice(void **arg)
{
        static char log[65536];
        size_t n = 0;
        char line[64];

        (void)arg;
        attach_many(true);
        make("t", "all", REBOOT);
        assert_int_equal(yard_task_add("t", "MaxParallel", "3", ODM_FMT_INT), 200);
        assert_int_equal(yard_task_add("t", "Operations/AggMax", "7", ODM_FMT_INT), 200);
        yard_stop();
        for (long ms = 10; ms < 200; ms += 60)
                n += kill_after(ms, log + n, sizeof log - n - 1);
        log[n] = '\0';
        yard_start(classes);
        attach_many(true);
        n = strlen(log);
        wanted ok = {"t", 40}, not_ok = {"t", 41};
        for (int i = 0; i < 200 && !has_state(&ok) && !has_state(&not_ok); i++) {
                (void)yard_turn(50, NULL, NULL);
                if (state_of("t") == 20 && i == 100) /* those whose alert went with the process */
                        loop_skip(INT64_C(90000) * 1000);
                if (state_of("t") == 60)
                        break;
        }
        assert_true(state_of("t") >= 40);
        (void)strncat(log, fake_log(yard.fake), sizeof log - n - 1);
        for (int i = 1; i <= MANY; i++) {
                snprintf(line, sizeof line, "exec d%04d ./Reboot/Now\n", i);
                if (times(log, line) > 1)
                        fail_msg("%s was run %u times", line, times(log, line));
        }
        assert_int_equal(alerts(DONE), 1);
        /* every device once, in documents that follow each other */
        unsigned all = 0;
        (void)alerts(RESULTS);
        for (int i = 1; i <= MANY; i++) {
                snprintf(line, sizeof line, "d%04d", i);
                assert_int_equal(times(yard.text, line), 1);
                all++;
        }
        assert_int_equal(all, MANY);
}

static bool is_answered(void *ctx)
{
        odm_fanout_row row;

        return odm_fanout_find(yard.g->fanout->f, 1, fake_record(ctx)->number, &row) == 0 &&
               row.awaits;
}

static bool is_asked(void *ctx)
{
        (void)ctx;
        return strstr(fake_log(yard.fake), "./Reboot/Now") != NULL;
}

/* Its final alert is taken, and the power goes. */
static void be_killed_when_told(bool before)
{
        const odm_alert a = {.code = ODM_ALERT_GENERIC,
                             .source = ODM_STR("./Reboot/Now"),
                             .type = ODM_STR("urn:x:done"),
                             .correlator = ODM_STR("f1.0"),
                             .data = ODM_STR("200")};
        fake_device *d;

        yard_start(classes);
        d = yard_attach("one");
        fake_later(d, 600000, "urn:x:done", 200);
        fake_delay(d, before ? 600000 : 50);
        if (yard_task_exec("t", "Start") != 202 || !yard_turn(LIMIT_MS, is_asked, NULL))
                _exit(1);
        if (!before) { /* answered, and that is not a row yet */
                yard.g->fanout->hold = loop_now().ms + 600000;
                if (!yard_turn(LIMIT_MS, is_answered, d))
                        _exit(2);
        }
        if (devices_alert(yard.g, fake_record(d), &a, loop_wall()) != 0)
                _exit(3);
        (void)kill(getpid(), SIGKILL);
}

static void what_was_told_is_not_forgotten(void **arg)
{
        static const struct {
                const char *why;
                bool before;
        } rows[] = {{"before the answer", true}, {"before the answer is a row", false}};

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int how;
                pid_t pid;
                if (i > 0)
                        (void)setup(arg);
                yard_attach("one");
                make("t", "all", REBOOT);
                yard_stop();
                pid = fork();
                assert_true(pid >= 0);
                if (pid == 0)
                        be_killed_when_told(rows[i].before);
                assert_int_equal(waitpid(pid, &how, 0), pid);
                if (!WIFSIGNALED(how) || WTERMSIG(how) != SIGKILL)
                        fail_msg("%s: %d", rows[i].why, how);
                yard_start(classes);
                wait_state("t", 40);
                if (i + 1 < ODM_COUNT(rows))
                        (void)yard_tear_down(arg);
        }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, yard_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_get_of_three_is_one_document),
                TEST(starts_are_answered_by_the_table),
                TEST(values_that_cannot_be_are_refused),
                TEST(a_sleeper_runs_when_it_wakes),
                TEST(what_comes_too_late_is_408),
                TEST(the_last_value_wins),
                TEST(too_much_is_420),
                TEST(a_final_alert_ends_it),
                TEST(a_mode_waits_for_final_alerts),
                TEST(what_was_told_is_not_forgotten),
                TEST(an_exec_of_its_own_is_relayed),
                TEST(an_exec_that_waits_is_taken_back),
                TEST(it_is_held_and_cancelled),
                TEST(one_target_is_taken_back),
                TEST(a_task_can_be_deleted_while_it_is_told),
                TEST(a_cancelled_task_can_be_deleted_at_once),
                TEST(failures_in_full),
                TEST(groups_of_the_result),
                TEST(groups_are_made_anew_by_who_may),
                TEST(rights_are_those_of_the_mount),
                TEST(a_crowd_is_told_in_parts),
                TEST(a_gateway_below_has_the_task_for_its_own),
                TEST(a_policy_starts_a_stored_task),
                TEST(a_policy_commands_a_device),
                TEST(a_kill_does_nothing_twice),
        };
        return RUN_TESTS(tests);
}
