/* SPDX-License-Identifier: Apache-2.0 */
/* The part of DiagMon among others, with a server's operations: runs and whom they are told to,
 * alarms, logs, restarts, the panic log; on this machine's own /proc, a made-up pstore. */
#include "part/diagmon.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mo.h"
#include "part/fm.h"
#include "part/notice.h"
#include "part/ring.h"
#include "part/traplog.h"
#include "stand.h"
#include "support.h"

static char root[48];
static const part_host *host;
static odm_provider accounts;
static char told[128], heard[16384], restarted[128];
static uint64_t ids[256];
static size_t n_ids;

/* ---- another part, to have what parts get ------------------------------------------------------ */

static int spy_mount(const part_host *h, void **out, diag *d)
{
        (void)d;
        host = h;
        *out = &accounts;
        return 0;
}

static void spy_close(void *p)
{
        (void)p;
}

static const part_class spy = {.name = "spy", .mount = spy_mount, .close = spy_close};
static const part_class *const classes[] = {&spy, &part_diagmon, NULL};

/* ---- the agent --------------------------------------------------------------------------------- */

static void on_tell(void *ctx, odm_str server)
{
        (void)ctx;
        snprintf(told, sizeof told, "%.*s", (int)server.n, server.p ? server.p : "");
}

static void on_text(void *ctx, const char *text)
{
        (void)ctx;
        (void)text;
}

static void on_restart(void *ctx, const char *why)
{
        (void)ctx;
        snprintf(restarted, sizeof restarted, "%s", why);
        loop_stop(stand.loop);
}

static void on_again(void *ctx, const char *why)
{
        (void)ctx;
        snprintf(restarted, sizeof restarted, "alone, %s", why);
        loop_stop(stand.loop);
}

static void on_ended(void *ctx)
{
        (void)ctx;
        loop_stop(stand.loop);
}

static const parts_agent agent = {.tell = on_tell,
                                  .call = on_text,
                                  .restart = on_restart,
                                  .again = on_again,
                                  .firmware = on_text,
                                  .ended = on_ended};

static void start(void)
{
        accounts = (odm_provider){.name = "dmacc", .mo = &odm_mo_dmacc};
        stand_start(classes, &accounts, &agent);
}

static void put(const char *uri, const char *text)
{
        const odm_value v = {.data = odm_cstr(text)};

        assert_int_equal(odm_tree_write(stand.tree, odm_cstr(uri), &v, loop_wall()), 0);
}

static void put_file(const char *path, const char *text)
{
        write_below(root, path, text);
}

static void set_up_conf(const char *more)
{
        char text[600];

        snprintf(text, sizeof text, "[diag]\nroot = %s\nsamples = 16k\n%s", root, more);
        stand_configure(text);
}

static int set_up_with(const char *more)
{
        char path[96];

        told[0] = heard[0] = restarted[0] = 0;
        stand_open();
        snprintf(root, sizeof root, "%s/root", stand.dir);
        assert_int_equal(mkdir(root, 0755), 0);
        snprintf(path, sizeof path, "%s/proc", root);
        assert_int_equal(symlink("/proc", path), 0);
        put_file("/sys/fs/pstore/dmesg-ramoops-0", "Panic#1\nOops: it \x01 broke\n");
        put_file("/sys/class/hwmon/hwmon0/temp1_input", "1000\n");
        put_file("/sys/fs/pstore/console-ramoops-0", "just talk\n");
        set_up_conf(more);
        start();
        put("./DMAcc/a/AppID", "w7");
        put("./DMAcc/a/ServerID", "srv");
        put("./DMAcc/a/AppAddr/1/Addr", "http://h/dm");
        put("./DMAcc/b/AppID", "w7");
        put("./DMAcc/b/ServerID", "two");
        put("./DMAcc/b/AppAddr/1/Addr", "http://h/dm");
        put("./DiagMon?prop=ACL", "Get=*&Replace=*&Exec=*&Add=*&Delete=*");
        return 0;
}

static int set_up(void **unused)
{
        (void)unused;
        return set_up_with("[check good]\ncommand = echo fine\n"
                           "[check bad]\ncommand = echo worn out; exit 3\n"
                           "[check gone]\ncommand = /nowhere/at/all\n"
                           "[check slow]\ncommand = sleep 600\ntime = 200ms\n");
}

static int tear_down(void **unused)
{
        (void)unused;
        stand_stop();
        stand_close();
        return 0;
}

/* ---- what a server does ------------------------------------------------------------------------ */

static unsigned execute(const char *uri)
{
        unsigned status = stand_operate(ODM_CMD_EXEC, uri, NULL, loop_wall());

        parts_go(stand.parts);
        return status;
}

/* Lines "type source data correlator". */
static int hear(void *ctx, const odm_alert *a)
{
        size_t n = strlen(heard);
        const char *type = a->type.p;

        (void)ctx;
        for (const char *c = a->type.p; c < a->type.p + a->type.n; c++)
                if (*c == ':')
                        type = c + 1;
        snprintf(heard + n, sizeof heard - n, "%.*s %.*s %.*s %.*s\n",
                 (int)(a->type.p + a->type.n - type), type, (int)a->source.n, a->source.p,
                 (int)a->data.n, a->data.p, a->correlator.p ? (int)a->correlator.n : 1,
                 a->correlator.p ? a->correlator.p : "-");
        if (n_ids < ODM_COUNT(ids))
                ids[n_ids++] = a->id;
        return 0;
}

static const char *session_with(const char *server)
{
        heard[0] = 0;
        n_ids = 0;
        assert_int_equal(parts_alerts(stand.parts, odm_cstr(server), loop_wall(), hear, NULL), 0);
        for (size_t i = 0; i < n_ids; i++)
                parts_alerted(stand.parts, ids[i], 200);
        return heard;
}

static size_t count(const char *text)
{
        size_t n = 0;

        for (const char *at = heard; (at = strstr(at, text)); at++)
                n++;
        return n;
}

static bool is_at_work(const char *name)
{
        char uri[96];

        snprintf(uri, sizeof uri, "./DiagMon/%s/Status", name);
        return strcmp(stand_get(uri), "20") == 0;
}

/* Until the function is no longer at work. */
static void wait_for(const char *name)
{
        odm_time until = odm_time_add(loop_now(), 60000);

        while (is_at_work(name) && !odm_time_reached(loop_now(), until))
                assert_int_equal(loop_once(stand.loop, 100), 0);
        assert_false(is_at_work(name));
}

/* The same of one that only waits: seconds go by as fast as they can. */
static void pass_time_of(const char *name)
{
        for (int i = 0; i < 1000 && is_at_work(name); i++) {
                assert_int_equal(loop_once(stand.loop, 1), 0);
                loop_skip(50);
        }
        assert_false(is_at_work(name));
}

#define MEMORY "./DiagMon/Memory"
#define PARM "/DiagMonConfig/ConfigParms/"

/* ---- functions --------------------------------------------------------------------------------- */

static void what_the_machine_has_not_is_not_there(void **unused)
{
        static const char *const there[] = {"Memory",  "AppExe",  "PM",       "FM",
                                            "TrapLog", "Restart", "SelfTest", "PanicLog"};
        static const char *const absent[] = {"Battery", "Link", "Location", "RF/LTE"};
        char uri[64];

        (void)unused;
        for (size_t i = 0; i < ODM_COUNT(there); i++) {
                snprintf(uri, sizeof uri, "./DiagMon/%s", there[i]);
                if (!odm_tree_exists(stand.tree, odm_cstr(uri)))
                        fail_msg("%s is not there", uri);
        }
        for (size_t i = 0; i < ODM_COUNT(absent); i++) {
                snprintf(uri, sizeof uri, "./DiagMon/%s", absent[i]);
                if (odm_tree_exists(stand.tree, odm_cstr(uri)))
                        fail_msg("%s is there", uri);
        }
        assert_true(strtol(stand_get(MEMORY "/DiagMonData/RAMTotal"), NULL, 10) > 1000);
        snprintf(uri, sizeof uri, "./DiagMon/AppExe/DiagMonData/%d/Pid", (int)getpid());
        assert_true(strtol(stand_get(uri), NULL, 10) == getpid());
        assert_int_equal(stand_operate(ODM_CMD_GET, "./DiagMon?list=TNDS", NULL, loop_wall()), 200);
}

static void a_run_is_told_to_whom_it_lists(void **unused)
{
        (void)unused;
        put(MEMORY "/DiagMonConfig/DefDuration", "1");
        put(MEMORY "/ServerIDs/x/ServerID", "two");
        put(MEMORY "/ServerIDs/y/ServerID", "nobody");
        assert_int_equal(execute(MEMORY "/Operations/Start"), 202);
        assert_string_equal(session_with("two"), ""); /* not due */
        pass_time_of("Memory");
        assert_string_equal(told, "two");
        assert_string_equal(stand_get(MEMORY "/ServerIDs/y/ServerID"),
                            "(none)"); /* has no account */
        assert_string_equal(session_with("srv"), "");
        session_with("two");
        assert_int_equal(count("OperationComplete " MEMORY " 1200 c1"), 1);
        assert_int_equal(count("CollectedSimpleDataReport " MEMORY "/DiagMonData/RAMAvail "), 2);
        assert_int_equal(count(" c1\n"), n_ids);
        assert_string_equal(session_with("two"), "");
        assert_string_equal(stand_get(MEMORY "/Status"), "40");
}

static void a_run_that_lists_nobody_is_told_to_who_ordered_it(void **unused)
{
        (void)unused;
        put(MEMORY PARM "SampIntrvl", "1");
        assert_int_equal(execute(MEMORY "/Operations/Start"), 202);
        assert_int_equal(execute(MEMORY "/Operations/Stop"), 1200);
        pass_time_of("Memory");
        assert_string_equal(stand_get(MEMORY "/Status"), "30");
        session_with("srv");
        assert_int_equal(count("/RAMAvail "), 1);
}

static void each_sample_is_a_new_one(void **unused)
{
        (void)unused;
        put("./DiagMon/Sensor" PARM "SampIntrvl", "1");
        assert_int_equal(execute("./DiagMon/Sensor/Operations/Start"), 202);
        for (int i = 2; i < 4; i++) {
                char text[16];
                snprintf(text, sizeof text, "%d000\n", i);
                put_file("/sys/class/hwmon/hwmon0/temp1_input", text);
                loop_skip(1000);
                assert_int_equal(loop_once(stand.loop, 0), 0);
        }
        assert_int_equal(execute("./DiagMon/Sensor/Operations/Stop"), 1200);
        pass_time_of("Sensor");
        session_with("srv");
        for (int i = 1; i < 4; i++) {
                char want[32];
                snprintf(want, sizeof want, "/Value %d c1\n", i);
                if (count(want) < 1)
                        fail_msg("%s", heard);
        }
}

static void a_run_that_wants_no_report_at_its_end_gets_none(void **unused)
{
        const odm_value no = {.format = ODM_FMT_BOOL, .data = ODM_STR("false")};

        (void)unused;
        put(MEMORY PARM "SampIntrvl", "1");
        assert_int_equal(odm_tree_write(stand.tree,
                                        ODM_STR(MEMORY "/DiagMonConfig/ReportCondition/OnComplete"),
                                        &no, loop_wall()),
                         0);
        assert_int_equal(execute(MEMORY "/Operations/Start"), 202);
        assert_int_equal(execute(MEMORY "/Operations/Stop"), 1200);
        pass_time_of("Memory");
        assert_string_equal(session_with("srv"), "");
}

static void a_run_ends_when_its_memory_is_full(void **unused)
{
        (void)unused;
        put("./DiagMon/AppExe" PARM "SampIntrvl", "1");
        put("./DiagMon/AppExe/DiagMonConfig/DefMemory", "1");
        assert_int_equal(execute("./DiagMon/AppExe/Operations/Start"), 202);
        pass_time_of("AppExe");
        assert_string_equal(stand_get("./DiagMon/AppExe/Status"), "50");
        session_with("srv");
        assert_true(count("/Name ") > 0);
}

static void a_run_goes_on_after_a_restart(void **unused)
{
        (void)unused;
        put(MEMORY PARM "SampIntrvl", "1");
        put(MEMORY "/DiagMonConfig/DefDuration", "2");
        assert_int_equal(execute(MEMORY "/Operations/Start"), 202);
        stand_stop();
        start();
        assert_string_equal(stand_get(MEMORY "/Status"), "20");
        pass_time_of("Memory");
        assert_string_equal(stand_get(MEMORY "/Status"), "40");
        session_with("srv");
        assert_true(count("/RAMAvail ") >= 2); /* one from before it */
}

static void checks_are_run(void **unused)
{
        static const char *const rows[][3] = {
                {"good", "0", "fine"},
                {"bad", "1", "worn out"},
                {"gone", "2", NULL},
                {"slow", "1", "it took too long"},
        };
        char uri[96];

        (void)unused;
        assert_int_equal(execute("./DiagMon/SelfTest/Operations/Start"), 202);
        wait_for("SelfTest");
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                snprintf(uri, sizeof uri, "./DiagMon/SelfTest/DiagMonData/%s/Result", rows[i][0]);
                assert_string_equal(stand_get(uri), rows[i][1]);
                snprintf(uri, sizeof uri, "./DiagMon/SelfTest/DiagMonData/%s/Text", rows[i][0]);
                if (rows[i][2])
                        assert_string_equal(stand_get(uri), rows[i][2]);
        }
        session_with("srv");
        assert_int_equal(count("/Result "), 4);
        put("./DiagMon/SelfTest" PARM "Test", "bad");
        assert_int_equal(execute("./DiagMon/SelfTest/Operations/Start"), 202);
        wait_for("SelfTest");
        assert_string_equal(stand_get("./DiagMon/SelfTest/DiagMonData/bad/Result"), "1");
        assert_string_equal(stand_get("./DiagMon/SelfTest/DiagMonData/good/Result"), "(none)");
        put("./DiagMon/SelfTest" PARM "Test", "none");
        assert_int_equal(execute("./DiagMon/SelfTest/Operations/Start"), 1404);
}

static void an_action_is_given_up_when_it_is_stopped(void **unused)
{
        (void)unused;
        put("./DiagMon/SelfTest" PARM "Test", "slow");
        assert_int_equal(execute("./DiagMon/SelfTest/Operations/Start"), 202);
        assert_int_equal(execute("./DiagMon/SelfTest/Operations/Stop"), 1200);
        wait_for("SelfTest");
        assert_string_equal(stand_get("./DiagMon/SelfTest/Status"), "30");
}

static void the_way_to_a_host_is_measured(void **unused)
{
        (void)unused;
        if (!odm_tree_exists(stand.tree, ODM_STR("./DiagMon/QoS")))
                SKIP_TEST("no right to send ICMP here");
        put("./DMAcc/a/AppAddr/1/Addr", "");
        put("./DMAcc/b/AppAddr/1/Addr", "");
        assert_int_equal(execute("./DiagMon/QoS/Operations/Start"), 1404); /* no server's address */
        put("./DiagMon/QoS" PARM "Host", "127.0.0.1");
        put("./DiagMon/QoS" PARM "Count", "3");
        assert_int_equal(execute("./DiagMon/QoS/Operations/Start"), 202);
        wait_for("QoS");
        assert_string_equal(stand_get("./DiagMon/QoS/Status"), "40");
        assert_string_equal(stand_get("./DiagMon/QoS/DiagMonData/Loss"), "0.00");
        assert_true(strtod(stand_get("./DiagMon/QoS/DiagMonData/Delay"), NULL) > 0);
        put("./DiagMon/QoS" PARM "Host", "no.such.host.invalid");
        assert_int_equal(execute("./DiagMon/QoS/Operations/Start"), 202);
        wait_for("QoS");
        assert_string_equal(stand_get("./DiagMon/QoS/Status"), "60");
        assert_string_equal(stand_get("./DiagMon/QoS/DiagMonData/Loss"), "(none)");
}

static int note_row(void *ctx, odm_str name)
{
        snprintf(ctx, 64, "%.*s", (int)name.n, name.p);
        return 0;
}

static void counters_make_rows(void **unused)
{
        char row[64] = "", uri[160];

        (void)unused;
        assert_int_equal(execute("./DiagMon/PM/Operations/Start"), 1404); /* none are named */
        put("./DiagMon/PM" PARM "Counters", "kernel.contexts cpu.user");
        put("./DiagMon/PM" PARM "Granularity", "1");
        put("./DiagMon/PM/DiagMonConfig/DefDuration", "2");
        assert_int_equal(execute("./DiagMon/PM/Operations/Start"), 202);
        pass_time_of("PM");
        (void)odm_tree_children(stand.tree, ODM_STR("./DiagMon/PM/DiagMonData"), note_row, row);
        snprintf(uri, sizeof uri, "./DiagMon/PM/DiagMonData/%s/kernel.contexts", row);
        assert_true(strtol(stand_get(uri), NULL, 10) > 0);
        snprintf(uri, sizeof uri, "./DiagMon/PM/DiagMonData/%s/End", row);
        assert_int_equal(strlen(stand_get(uri)), 16);
        put("./DiagMon/PM" PARM "Counters", "kernel.contexts moon.phase");
        assert_int_equal(execute("./DiagMon/PM/Operations/Start"), 1404);
}

/* ---- alarms and logs --------------------------------------------------------------------------- */

#define FM "./DiagMon/FM"

static void an_alarm_is_told_once_until_it_changes(void **unused)
{
        const odm_str object = ODM_STR("/var");

        (void)unused;
        assert_int_equal(fm_raise(host, FM_STORAGE, object, FM_MINOR, ODM_STR("9 < 10 & so on")),
                         0);
        session_with("srv");
        assert_int_equal(count("<Severity>minor</Severity><Cause>storage-full</Cause>"
                               "<Object>/var</Object><Text>9 &lt; 10 &amp; so on</Text>"),
                         1);
        assert_true(fm_stands(host, FM_STORAGE, object));
        assert_string_equal(stand_get(FM "/DiagMonData/1/Severity"), "minor");
        assert_string_equal(stand_get(FM "/DiagMonData/1/Id"), "1");
        assert_int_equal(fm_raise(host, FM_STORAGE, object, FM_MINOR, ODM_STR("9 < 10 & so on")),
                         0);
        assert_string_equal(session_with("srv"), "");
        assert_int_equal(fm_raise(host, FM_STORAGE, object, FM_MAJOR, ODM_STR("full")), 0);
        session_with("srv");
        assert_int_equal(count("<Severity>major</Severity><Cause>storage-full</Cause>"
                               "<Object>/var</Object><Text>full</Text>"),
                         1);
        assert_int_equal(fm_clear(host, FM_STORAGE, object, ODM_STR("mended")), 0);
        assert_false(fm_stands(host, FM_STORAGE, object));
        session_with("srv");
        assert_int_equal(count("<Severity>cleared</Severity>"), 1);
        assert_int_equal(fm_clear(host, FM_STORAGE, object, ODM_ABSENT), 0); /* none stands */
        assert_string_equal(session_with("srv"), "");
        assert_int_equal(strlen(stand_get(FM "/DiagMonData/1/Cleared")), 16);
        assert_string_equal(stand_get(FM "/DiagMonData/1/Text"), "mended");
        assert_int_equal(fm_raise(host, FM_STORAGE, object, FM_CLEARED, object), ODM_EINVAL);
        assert_int_equal(fm_raise(host, "", object, FM_MINOR, object), ODM_EINVAL);
}

/* Notes come from programs, and names of files are any octets: no alarm is lost for that. */
static void a_notice_of_any_octets_is_kept(void **unused)
{
        char at_most[FM_TEXT], text[FM_TEXT + 2];
        odm_task_end e = {.cause = ODM_CAUSE_NO_ROOM, .note = ODM_STR("4\xe9\tMB")};
        notice n;

        (void)unused;
        memset(at_most, 'x', FM_TEXT - 1);
        at_most[FM_TEXT - 1] = 0;
        notice_init(&n, host, FM_STORAGE, "/v\xff");
        notice_room(&n, &e);
        assert_true(fm_stands(host, FM_STORAGE, ODM_STR("/v?")));
        assert_string_equal(stand_get(FM "/DiagMonData/1/Text"), "4??MB");
        notice_say(&n, FM_MAJOR, "voilà\n");
        assert_string_equal(stand_get(FM "/DiagMonData/1/Text"), "voilà?");
        snprintf(text, sizeof text, "%sé", at_most);
        notice_say(&n, FM_MINOR, text);
        assert_string_equal(stand_get(FM "/DiagMonData/1/Text"), at_most);
        notice_say(&n, FM_MINOR, "other");
        e.note = odm_cstr(text);
        notice_room(&n, &e);
        assert_string_equal(stand_get(FM "/DiagMonData/1/Text"), at_most);
        notice_stop(&n);
}

static void alarms_go_to_whom_is_listed(void **unused)
{
        (void)unused;
        put(FM "/ServerID", "two");
        put(FM PARM "MinSeverity", "major");
        assert_int_equal(fm_raise(host, "test", ODM_STR(""), FM_MINOR, ODM_STR("x")), 0);
        assert_false(fm_stands(host, "test", ODM_STR("")));
        assert_int_equal(fm_raise(host, "test", ODM_STR(""), FM_CRITICAL, ODM_STR("<\"&>")), 0);
        assert_string_equal(told, "two");
        assert_string_equal(session_with("srv"), "");
        session_with("two");
        assert_int_equal(count("Alarm " FM "/DiagMonData/1 <Alarm><Id>1</Id>"), 1);
        assert_int_equal(count("<Text>&lt;\"&amp;&gt;</Text>"), 1);
        assert_int_equal(execute(FM "/Operations/Stop"), 1200);
        assert_int_equal(fm_raise(host, "other", ODM_STR(""), FM_CRITICAL, ODM_STR("x")), 0);
        assert_string_equal(session_with("two"), "");
        assert_int_equal(odm_tree_begin(stand.tree, loop_wall()), 0);
        assert_int_equal(fm_clear(host, "test", ODM_STR(""), ODM_ABSENT), ODM_ESTATE);
        odm_tree_rollback(stand.tree);
}

static void what_is_over_goes_first(void **unused)
{
        (void)unused;
        put(FM PARM "MaxRecords", "3");
        assert_int_equal(fm_raise(host, "a", ODM_STR(""), FM_MINOR, ODM_STR("x")), 0);
        assert_int_equal(fm_raise(host, "b", ODM_STR(""), FM_MINOR, ODM_STR("x")), 0);
        assert_int_equal(fm_clear(host, "b", ODM_STR(""), ODM_ABSENT), 0);
        assert_int_equal(traplog_fullest(host, NULL), 66);
        assert_int_equal(fm_raise(host, "c", ODM_STR(""), FM_MINOR, ODM_STR("x")), 0);
        assert_int_equal(fm_raise(host, "d", ODM_STR(""), FM_MINOR, ODM_STR("x")), 0);
        assert_true(fm_stands(host, "a", ODM_STR("")));
        assert_int_equal(fm_raise(host, "e", ODM_STR(""), FM_MINOR, ODM_STR("x")), 0);
        assert_false(fm_stands(host, "a", ODM_STR("")));
        assert_true(fm_stands(host, "c", ODM_STR("")));
}

static void traps_are_logged(void **unused)
{
        const char *name = NULL;

        (void)unused;
        put("./DiagMon/TrapLog" PARM "MaxRecords", "2");
        for (int i = 0; i < 3; i++)
                assert_int_equal(traplog_add(host, ODM_STR("the:trap"), i != 1, ODM_STR("why")), 0);
        assert_string_equal(stand_get("./DiagMon/TrapLog/DiagMonData/1/Event"), "(none)");
        assert_string_equal(stand_get("./DiagMon/TrapLog/DiagMonData/2/Event"), "inactive");
        assert_string_equal(stand_get("./DiagMon/TrapLog/DiagMonData/3/TrapID"), "the:trap");
        assert_int_equal(traplog_fullest(host, &name), 100);
        assert_string_equal(name, "TrapLog");
        assert_int_equal(
                stand_operate(ODM_CMD_DELETE, "./DiagMon/TrapLog/DiagMonData/3", NULL, loop_wall()),
                200);
        assert_int_equal(execute("./DiagMon/TrapLog/Operations/Stop"), 1200);
        assert_int_equal(traplog_add(host, ODM_STR("the:trap"), true, ODM_STR("why")), 0);
        assert_string_equal(stand_get("./DiagMon/TrapLog/DiagMonData/3/TrapID"), "(none)");
        stand_stop();
        start(); /* and stays stopped */
        assert_string_equal(stand_get("./DiagMon/TrapLog/Status"), "30");
}

static void a_panic_is_recorded_once(void **unused)
{
        (void)unused;
        assert_string_equal(stand_get("./DiagMon/PanicLog/DiagMonData/1/Log"),
                            "Panic#1\nOops: it ? broke\n");
        assert_int_equal(strlen(stand_get("./DiagMon/PanicLog/DiagMonData/1/Time")), 16);
        stand_stop();
        start();
        assert_string_equal(stand_get("./DiagMon/PanicLog/DiagMonData/2/Log"), "(none)");
        put_file("/var/lib/systemd/pstore/7/dmesg.txt", "another\n");
        stand_stop();
        start();
        assert_string_equal(stand_get("./DiagMon/PanicLog/DiagMonData/2/Log"), "another\n");
}

static void the_kernels_faults_are_recorded(void **unused)
{
        char path[96];
        int fd;

        (void)unused;
        stand_stop();
        snprintf(path, sizeof path, "%s/dev", root);
        assert_int_equal(mkdir(path, 0755), 0);
        snprintf(path, sizeof path, "%s/dev/kmsg", root);
        assert_int_equal(mkfifo(path, 0600), 0);
        fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC); /* a reader and a writer is there */
        assert_true(fd >= 0);
        start();
        static const char *const lines[] = {
                "6,1,5,-;usb 1-1: new device\n",
                "30,2,6,-;systemd[1]: a BUG: of somebody else\n",
                "4,3,7,-;BUG: unable to handle page fault\n",
                "6,4,8,-;Call Trace:\n SUBSYSTEM=none\n",
        };
        for (size_t i = 0; i < ODM_COUNT(lines); i++) {
                assert_true(write(fd, lines[i], strlen(lines[i])) > 0);
                assert_int_equal(loop_once(stand.loop, 1000), 0);
        }
        loop_skip(1000); /* in which more of it may come */
        assert_int_equal(loop_once(stand.loop, 0), 0);
        assert_string_equal(stand_get("./DiagMon/PanicLog/DiagMonData/2/Log"),
                            "BUG: unable to handle page fault\nCall Trace:\n");
        close(fd);
}

/* ---- restarts ---------------------------------------------------------------------------------- */

#define RESTART "./DiagMon/Restart"

static void an_ordered_restart_is_counted(void **unused)
{
        (void)unused;
        assert_string_equal(stand_get(RESTART "/DiagMonData/RestartCount"), "0");
        assert_int_equal(execute(RESTART "/Operations/Start"), 202);
        assert_string_equal(restarted, "ordered by srv");
        assert_int_equal(execute(MEMORY "/Operations/Start"), 405);
        stand_stop();
        start();
        assert_string_equal(stand_get(RESTART "/Status"), "40");
        assert_string_equal(stand_get(RESTART "/DiagMonData/RestartCount"), "1");
        assert_string_equal(stand_get(RESTART "/DiagMonData/LastReason"), "ordered");
        stand_stop();
        start(); /* the agent alone */
        assert_string_equal(stand_get(RESTART "/DiagMonData/RestartCount"), "1");
}

static void a_restart_waits_for_its_delay(void **unused)
{
        (void)unused;
        put(RESTART PARM "Delay", "1");
        assert_int_equal(execute(RESTART "/Operations/Start"), 202);
        assert_string_equal(restarted, "");
        loop_skip(1000);
        assert_int_equal(loop_once(stand.loop, 0), 0);
        assert_string_equal(restarted, "ordered by srv");
}

static void the_agent_may_start_again_alone(void **unused)
{
        (void)unused;
        put(RESTART PARM "Type", "0");
        assert_int_equal(execute(RESTART "/Operations/Start"), 202);
        assert_string_equal(restarted, "alone, ordered by srv");
        stand_stop();
        start();
        assert_string_equal(stand_get(RESTART "/Status"), "40");
}

/* With a command for it, the machine must be another one afterwards. */
static void a_restart_that_did_not_happen_is_tried_again(void **unused)
{
        char path[96];

        (void)unused;
        stand_stop();
        set_up_conf("[firmware]\nrestart = true\n");
        start();
        assert_int_equal(execute(RESTART "/Operations/Start"), 202);
        assert_string_equal(restarted, "ordered by srv");
        restarted[0] = 0;
        stand_stop();
        start(); /* the agent was started, the machine was not */
        assert_string_equal(stand_get(RESTART "/Status"), "20");
        assert_string_equal(restarted, "ordered by srv");
        stand_stop();
        snprintf(path, sizeof path, "%s/diag/instance", stand.dir);
        assert_int_equal(fsio_write(NULL, path, ODM_STR("before 1"), 0600, NULL), 0);
        start();
        assert_string_equal(stand_get(RESTART "/Status"), "40");
        assert_string_equal(stand_get(RESTART "/DiagMonData/RestartCount"), "1");
}

static void other_restarts_are_counted_too(void **unused)
{
        static const struct {
                bool clean;
                const char *reason;
        } rows[] = {{true, "orderly"}, {false, "unexpected"}};
        char path[96];

        (void)unused;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stand_stop();
                snprintf(path, sizeof path, "%s/diag/instance", stand.dir);
                assert_int_equal(fsio_write(NULL, path, ODM_STR("before 1"), 0600, NULL), 0);
                snprintf(path, sizeof path, "%s/diag/clean", stand.dir);
                if (!rows[i].clean)
                        assert_int_equal(unlink(path), 0);
                start();
                assert_string_equal(stand_get(RESTART "/DiagMonData/RestartCount"), i ? "2" : "1");
                assert_string_equal(stand_get(RESTART "/DiagMonData/LastReason"), rows[i].reason);
        }
}

static void damaged_samples_do_not_stop_the_device(void **unused)
{
        char path[96];
        fsio_journal *j = NULL;

        (void)unused;
        stand_stop();
        snprintf(path, sizeof path, "%s/diag/samples", stand.dir);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(fsio_journal_open(NULL, path, NULL, NULL, &j, NULL), 0);
        assert_int_equal(fsio_journal_append(j, ODM_STR("what is this?")), 0);
        fsio_journal_close(j);
        start();
        assert_true(odm_tree_exists(stand.tree, ODM_STR(MEMORY)));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
                T(what_the_machine_has_not_is_not_there),
                T(a_run_is_told_to_whom_it_lists),
                T(a_run_that_lists_nobody_is_told_to_who_ordered_it),
                T(each_sample_is_a_new_one),
                T(a_run_that_wants_no_report_at_its_end_gets_none),
                T(a_run_ends_when_its_memory_is_full),
                T(a_run_goes_on_after_a_restart),
                T(checks_are_run),
                T(an_action_is_given_up_when_it_is_stopped),
                T(the_way_to_a_host_is_measured),
                T(counters_make_rows),
                T(an_alarm_is_told_once_until_it_changes),
                T(a_notice_of_any_octets_is_kept),
                T(alarms_go_to_whom_is_listed),
                T(what_is_over_goes_first),
                T(traps_are_logged),
                T(a_panic_is_recorded_once),
                T(the_kernels_faults_are_recorded),
                T(an_ordered_restart_is_counted),
                T(a_restart_waits_for_its_delay),
                T(the_agent_may_start_again_alone),
                T(a_restart_that_did_not_happen_is_tried_again),
                T(other_restarts_are_counted_too),
                T(damaged_samples_do_not_stop_the_device),
#undef T
        };

        return RUN_TESTS(tests);
}
