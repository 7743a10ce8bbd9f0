/* SPDX-License-Identifier: Apache-2.0 */
/* nested_test.c - a gateway below as a target of fan-outs: what it is given, when that is started,
 * and that it goes when it is over. */
#include <stdio.h>

#include "fanout_inner.h"
#include "support.h"
#include "yard.h"

#define TASKS YARD_TASKS
#define CMD(kind, uri, data)                                                                       \
        "<SyncBody><" kind "><CmdID>1</CmdID><Item><Target><LocURI>" uri "</LocURI></Target>" data \
        "</Item></" kind "></SyncBody>"
#define GET CMD("Get", "./DevDetail/FwV", "")
#define EXEC CMD("Exec", "./Reboot/Now", "")
#define DONE "urn:oma:at:oma-gwmo:completionstatus:1.0"
#define RESULTS "urn:oma:at:oma-gwmo:resultaggregation:1.0"
#define LIMIT_MS 20000

static const part_class *const classes[] = {&part_gwconfig, &part_gwinventory, &part_gwmount,
                                            &part_gwfanout, NULL};

static int setup(void **arg)
{
        (void)arg;
        return yard_set_up(classes, NULL);
}

/* ---- what a server does ---------------------------------------------------------------------------- */

static void begin(const char *task, const char *cmds)
{
        assert_int_equal(yard_task_add(task, NULL, NULL, ODM_FMT_NODE), 200);
        assert_int_equal(yard_task_add(task, "TaskID", task, ODM_FMT_CHR), 200);
        assert_int_equal(yard_task_add(task, "Cmds", cmds, ODM_FMT_XML), 200);
        assert_int_equal(yard_task_add(task, "Targets/1", "dev:below", ODM_FMT_CHR), 200);
        assert_int_equal(yard_task_exec(task, "Start"), 202);
}

static unsigned number(const char *task, const char *rel)
{
        return (unsigned)strtoul(yard_task_leaf(task, rel), NULL, 10);
}

static void wait_over(const char *task, unsigned want)
{
        char name[16];

        snprintf(name, sizeof name, "%s", task);
        assert_true(yard_turn(LIMIT_MS, yard_task_over, name));
        assert_int_equal(number(task, "State"), want);
}

/* ---- a gateway ----------------------------------------------------------------------------------------- */

static fake_device *below;

static void make_below(int64_t ms)
{
        below = fake_new(yard.fake, "below");
        fake_is_gateway(below, true);
        fake_interior(below, TASKS, NULL);
        fake_later(below, ms, DONE, 40);
}

static bool has_so_many(void *n)
{
        return fake_children(below, TASKS) == *(size_t *)n;
}

static void wait_nodes(size_t n)
{
        if (!yard_turn(LIMIT_MS, has_so_many, &n))
                fail_msg("%zu nodes instead of %zu:\n%s", fake_children(below, TASKS), n,
                         fake_log(yard.fake));
}

static unsigned count_in(const char *text, const char *what)
{
        unsigned n = 0;

        for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
                n++;
        return n;
}

/* ---- cases ----------------------------------------------------------------------------------------------- */

static void what_is_over_goes(void **arg)
{
        (void)arg;
        make_below(20);
        yard_attach("below");
        begin("t", EXEC);
        wait_over("t", 40);
        wait_nodes(0);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(yard_task_exec("t", "Start"), 202);
                wait_over("t", 40);
        }
        wait_nodes(0);
        assert_int_equal(count_in(fake_log(yard.fake), "/Operations/Start\n") +
                                 count_in(fake_log(yard.fake), "/Operations/Start f"),
                         4);
}

/* What an earlier run of this gateway has left there, a thousand of them: there is room again. */
static void what_was_left_there_goes_too(void **arg)
{
        char at[64];

        (void)arg;
        make_below(20);
        for (int i = 1; i <= 998; i++) {
                snprintf(at, sizeof at, TASKS "/p%d", i + 1000);
                fake_interior(below, at, NULL);
        }
        fake_interior(below, TASKS "/x7", NULL); /* of others */
        fake_interior(below, TASKS "/power", NULL);
        yard_attach("below");
        wait_nodes(2);
        begin("t", EXEC);
        wait_over("t", 40);
        wait_nodes(2);
}

/* The one that ended while it could not be spoken to, the gateway being begun anew meanwhile. */
static void after_a_restart_too(void **arg)
{
        (void)arg;
        make_below(FAKE_SILENT);
        fake_later(below, 3600000, DONE, 40);
        yard_attach("below");
        begin("t", EXEC);
        wait_nodes(1);
        yard_settle();
        yard_stop();
        yard_start(classes);
        make_below(3600000);
        fake_interior(below, TASKS "/p1", NULL);
        fake_interior(below, TASKS "/p5", NULL);
        yard_attach("below");
        wait_nodes(1); /* it is at p1 */
        assert_int_equal(yard_task_exec("t", "Cancel"), 200);
        wait_over("t", 50);
        wait_nodes(0);
}

/* What is there under its name is not started: nobody knows what it is. */
static void a_task_that_is_there_is_not_started(void **arg)
{
        (void)arg;
        make_below(20);
        yard_attach("below");
        fake_refuse(below, TASKS, 500, "not now"); /* it cannot be tidied up */
        fake_exec(below, TASKS "/p1/Operations/Start");
        begin("t", EXEC);
        wait_over("t", 41);
        assert_int_equal(number("t", "Results/g0001/Status"), 408);
        assert_int_equal(count_in(fake_log(yard.fake), "Operations/Start"), 0);
        fake_refuse(below, TASKS, 0, NULL);
        fake_exec(below, TASKS "/p2/Operations/Start");
        begin("u", GET); /* may be done again, when that is gone */
        (void)yard_turn(100, NULL, NULL);
        loop_skip(10000);
        wait_over("u", 40);
        assert_int_equal(count_in(fake_log(yard.fake), "exec g0001 " TASKS "/p2/Operations/Start"),
                         1);
        wait_nodes(0);
}

/* One that it does not take whole is not started either. */
static void a_task_that_is_not_whole_is_not_started(void **arg)
{
        (void)arg;
        make_below(20);
        yard_attach("below");
        fake_refuse(below, TASKS "/p1/Cmds", 413, "too large");
        begin("t", EXEC);
        wait_over("t", 41);
        assert_int_equal(number("t", "Results/g0001/Status"), 413);
        assert_int_equal(count_in(fake_log(yard.fake), "exec g0001 " TASKS "/p1/Operations/Start"),
                         0);
        wait_nodes(0);
}

static void tell_result(void)
{
        const odm_alert a = {
                .code = ODM_ALERT_GENERIC,
                .source = ODM_STR(TASKS "/p1"),
                .type = ODM_STR(RESULTS),
                .correlator = ODM_STR("f1.0"),
                .data = ODM_STR("<FanoutResult TaskID=\"t\" Seq=\"1\"><Group State=\"3\"><Cmd "
                                "CmdRef=\"1\" Status=\"200\"/><Devices>d0001</Devices></Group>"
                                "</FanoutResult>"),
                .format = ODM_FMT_XML};

        assert_int_equal(devices_alert(yard.g, fake_record(below), &a, loop_wall()), 0);
}

static bool is_asked_to_start(void *n)
{
        return count_in(fake_log(yard.fake), "exec g0001 " TASKS "/p1/Operations/Start") ==
               *(unsigned *)n;
}

/* Begun anew, for what was answered was that it may not have begun: it counts from one again. */
static void results_of_a_second_run_go_on(void **arg)
{
        unsigned one = 1, two = 2;

        (void)arg;
        make_below(400);
        yard_attach("below");
        fake_refuse(below, TASKS "/p1/Operations/Start", 408, "lost");
        fake_delay(below, 200);
        begin("t", GET);
        assert_true(yard_turn(LIMIT_MS, is_asked_to_start, &one));
        tell_result();
        tell_result(); /* once more the same: it goes on once */
        assert_int_equal(yard_alerts(RESULTS), 1);
        (void)yard_turn(500, NULL, NULL);
        fake_refuse(below, TASKS "/p1/Operations/Start", 0, NULL);
        loop_skip(10000);
        assert_true(yard_turn(LIMIT_MS, is_asked_to_start, &two));
        tell_result();
        assert_int_equal(yard_alerts(RESULTS), 2);
        wait_over("t", 40);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, yard_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_is_over_goes),
                TEST(what_was_left_there_goes_too),
                TEST(after_a_restart_too),
                TEST(a_task_that_is_there_is_not_started),
                TEST(a_task_that_is_not_whole_is_not_started),
                TEST(results_of_a_second_run_go_on),
        };

        return RUN_TESTS(tests);
}
