/* SPDX-License-Identifier: Apache-2.0 */
/* mended_test.c - a store that went back to its copy: what is not done, given or told a second
 * time, and what goes on. */
#include <stdio.h>
#include <unistd.h>

#include "fanout_inner.h"
#include "support.h"
#include "yard.h"

#define TASKS YARD_TASKS "/"
#define T(uri) "<Item><Target><LocURI>" uri "</LocURI></Target>"
#define BODY(x) "<SyncBody>" x "</SyncBody>"
#define GET BODY("<Get><CmdID>1</CmdID>" T("./DevDetail/FwV") "</Item></Get>")
#define EXEC BODY("<Exec><CmdID>1</CmdID>" T("./Reboot/Now") "</Item></Exec>")
#define SET BODY("<Replace><CmdID>1</CmdID>" T("./Ext/Level") "<Data>5</Data></Item></Replace>")
#define RESULTS "urn:oma:at:oma-gwmo:resultaggregation:1.0"
#define DONE "urn:oma:at:oma-gwmo:completionstatus:1.0"
#define LIMIT_MS 20000

static const part_class *const classes[] = {&part_gwconfig, &part_gwinventory, &part_gwmount,
                                            &part_gwfanout, &part_gwrecover,   NULL};

static int setup(void **arg)
{
        (void)arg;
        return yard_set_up(classes, NULL);
}

/* ---- what happens to the gateway ---------------------------------------------------------------- */

static void shell(const char *format)
{
        char command[256];

        snprintf(command, sizeof command, format, yard.dir, yard.dir, yard.dir);
        assert_int_equal(system(command), 0);
}

/* It is stopped and begun: the copy is as the store is now. */
static void copy_now(void)
{
        yard_stop();
        yard_start(classes);
}

/* It is killed, and its store is damaged: the copy takes its place. */
static void go_back(void)
{
        char path[128];

        yard_settle();
        shell("cp -r %s/state %s/kept");
        yard_stop();
        shell("rm -r %s/state && mv %s/kept %s/state");
        snprintf(path, sizeof path, "%s/state/gateway.db", yard.dir);
        recover_store_condemn(path);
        yard_start(classes);
        assert_int_equal(yard.g->mended, RECOVER_COPY);
}

/* ---- numbers -------------------------------------------------------------------------------------- */

static uint32_t key_of(const char *id)
{
        return fake_record(yard_attach(id))->number;
}

static int64_t alert_number(void)
{
        const odm_alert a = {.code = ODM_ALERT_GENERIC,
                             .source = ODM_STR("./X"),
                             .type = ODM_STR("urn:x:number"),
                             .format = ODM_FMT_CHR,
                             .data = ODM_STR("1")};
        int64_t id = 0;

        assert_int_equal(north_add(yard.g, NULL, NORTH_EVENT, &a, loop_wall(), &id), 0);
        return id;
}

static void begin(const char *task, const char *cmds, const char *when)
{
        assert_int_equal(yard_task_add(task, NULL, NULL, ODM_FMT_NODE), 200);
        assert_int_equal(yard_task_add(task, "TaskID", task, ODM_FMT_CHR), 200);
        assert_int_equal(yard_task_add(task, "Cmds", cmds, ODM_FMT_XML), 200);
        assert_int_equal(yard_task_add(task, "Targets/1", "all", ODM_FMT_CHR), 200);
        if (when)
                assert_int_equal(yard_task_add(task, "Schedule", when, ODM_FMT_CHR), 200);
        assert_int_equal(yard_task_exec(task, "Start"), 202);
}

static const fanout_task *task_of(const char *name)
{
        return fanout_by_name(yard.g->fanout, odm_cstr(name));
}

/* Keys, tasks and alerts of after the copy are known to others: nobody else gets their numbers. */
static void no_number_is_given_twice(void **arg)
{
        int64_t alert, task;
        uint32_t key;

        (void)arg;
        (void)key_of("one");
        copy_now();
        for (int i = 0; i < 2; i++) {
                key = key_of(i ? "four" : "two");
                alert = alert_number();
                begin(i ? "y" : "x", GET, NULL);
                task = task_of(i ? "y" : "x")->row.id;
                go_back();
                assert_int_equal(key_of("one"), 1);
                assert_true(key_of(i ? "five" : "three") > key);
                assert_true(alert_number() > alert);
                begin(i ? "b" : "a", GET, NULL);
                assert_true(task_of(i ? "b" : "a")->row.id > task);
                copy_now();
        }
}

/* With no copy, too. */
static void an_empty_store_gives_none_twice(void **arg)
{
        uint32_t key;

        (void)arg;
        key = key_of("one");
        copy_now();
        shell("rm %s/state/gateway.db.copy");
        yard_stop();
        shell("rm %s/state/gateway.db.copy && mv %s/state/gateway.db %s/state/gateway.db.damaged");
        yard_start(classes);
        assert_int_equal(yard.g->mended, RECOVER_ANEW);
        assert_true(key_of("one") > key);
}

/* ---- tasks ------------------------------------------------------------------------------------------ */

static void want(const char *task, const char *rel, const char *value)
{
        const char *text = yard_task_leaf(task, rel);

        if (strcmp(text, value) != 0)
                fail_msg("%s of %s is '%s', not '%s'", rel, task, text, value);
}

static unsigned alerts_from(const char *type, const char *task)
{
        char text[96];
        unsigned n = 0;

        yard_settle();
        north_rest(yard.g->north, true);
        (void)yard_alerts(type);
        snprintf(text, sizeof text, TASKS "%s:", task);
        for (const char *at = yard.text; (at = strstr(at, text)) != NULL; at++)
                n++;
        return n;
}

static void answer_all(void);

static char exec_text[] = "exec", set_text[] = "set", get_text[] = "get", gone_text[] = "gone";

static void begin_all(void)
{
        fake_device *d = yard_attach("one");

        fake_set(d, "./Ext/Level", "1", ODM_FMT_INT);
        fake_sleep(d, 600000);
        begin(exec_text, EXEC, NULL);
        begin(set_text, SET, NULL);
        begin(get_text, GET, NULL);
        begin(gone_text, EXEC, NULL);
        begin("later", EXEC, "20400101T000000Z");
}

/* What was open in the copy may have been done since: but for what only reads it is not done again,
 * and says so; what the server has deleted since is over. */
static void orders_of_the_copy_are_not_done_again(void **arg)
{
        fake_device *d;

        (void)arg;
        begin_all();
        copy_now();
        d = yard_attach("one"); /* awake */
        fake_set(d, "./Ext/Level", "1", ODM_FMT_INT);
        assert_true(yard_turn(LIMIT_MS, yard_task_over, gone_text));
        assert_true(yard_turn(LIMIT_MS, yard_task_over, set_text));
        assert_true(yard_turn(LIMIT_MS, yard_task_over, get_text));
        assert_int_equal(yard_do(NULL, ODM_CMD_DELETE, TASKS "gone", NULL, ODM_FMT_ABSENT), 200);
        answer_all();
        go_back();
        assert_null(task_of("gone"));
        assert_true(yard_turn(LIMIT_MS, yard_task_over, exec_text));
        assert_true(yard_turn(LIMIT_MS, yard_task_over, set_text));
        want("exec", "State", "41");
        want("exec", "Results/d0001/Status", "408");
        want("set", "Results/d0001/Status", "408");
        want("later", "State", "10");
        d = fake_new(yard.fake, "one");
        fake_set(d, "./Ext/Level", "9", ODM_FMT_INT);
        yard_attach("one");
        assert_true(yard_turn(LIMIT_MS, yard_task_over, get_text));
        want("get", "State", "40");
        assert_null(strstr(fake_log(yard.fake), "exec"));
        assert_string_equal(fake_value(d, "./Ext/Level"), "9");
        assert_int_equal(alerts_from(DONE, "exec"), 1);
        assert_int_equal(alerts_from(DONE, "gone"), 0);
        (void)alerts_from(RESULTS, "set");
        assert_non_null(strstr(yard.text, "nobody knows whether it was done"));
        assert_true(task_of("get")->row.seq > 1000); /* the server has heard of some */
        copy_now();                                  /* and after another start, too */
        want("exec", "Results/d0001/Status", "408");
        assert_int_equal(yard.g->mended, RECOVER_WHOLE);
}

/* The power goes again before the first start is through. */
static void a_second_cut_changes_nothing(void **arg)
{
        (void)arg;
        begin_all();
        copy_now();
        (void)yard_attach("one");
        assert_true(yard_turn(LIMIT_MS, yard_task_over, exec_text));
        go_back();
        marks_mended(yard.g->marks, RECOVER_COPY); /* as it was before it had come to its end */
        shell("cp -r %s/state %s/kept");
        yard_stop();
        shell("rm -r %s/state && mv %s/kept %s/state");
        yard_start(classes);
        assert_int_equal(yard.g->mended, RECOVER_COPY);
        (void)yard_attach("one");
        assert_true(yard_turn(LIMIT_MS, yard_task_over, get_text));
        want("exec", "Results/d0001/Status", "408");
        assert_null(strstr(fake_log(yard.fake), "exec"));
}

/* ---- alerts ---------------------------------------------------------------------------------------- */

static uint64_t told[64];
static size_t n_told;

static int hear(void *ctx, const odm_alert *a)
{
        if (ctx && !odm_str_is(a->data, ctx))
                return 0;
        assert_true(n_told < ODM_COUNT(told));
        told[n_told++] = a->id;
        return 0;
}

/* The server has answered those with the data; NULL: all. */
static void answer(char *data)
{
        n_told = 0;
        assert_int_equal(north_alerts(yard.g->north, ODM_STR(YARD_SERVER), hear, data), 0);
        for (size_t i = 0; i < n_told; i++)
                north_alerted(yard.g->north, told[i], 200);
        north_rest(yard.g->north, true);
        yard_settle();
}

static void answer_all(void)
{
        yard_settle();
        answer(NULL);
}

static void say(const char *data)
{
        fake_device *d = fake_find(yard.fake, "one");

        assert_int_equal(fake_alert(d ? d : yard_attach("one"), "./X", "urn:x:said", data, "minor"),
                         0);
}

/* Answered since the copy: not told again.  Not answered, or never told: told. */
static void alerts_of_the_copy_are_told_once(void **arg)
{
        static char first[] = "first";

        (void)arg;
        say("first");
        say("second");
        copy_now();
        answer(first);
        assert_int_equal(n_told, 1);
        go_back();
        assert_int_equal(yard_alerts("urn:x:said"), 1);
        assert_non_null(strstr(yard.text, ":second"));
        go_back(); /* the same copy once more */
        assert_int_equal(yard_alerts("urn:x:said"), 1);
        copy_now();
        say("third");
        copy_now();
        go_back(); /* by now the copy is another */
        assert_int_equal(yard_alerts("urn:x:said"), 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, yard_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(no_number_is_given_twice),
                TEST(an_empty_store_gives_none_twice),
                TEST(orders_of_the_copy_are_not_done_again),
                TEST(a_second_cut_changes_nothing),
                TEST(alerts_of_the_copy_are_told_once),
        };

        return RUN_TESTS(tests);
}
