/* SPDX-License-Identifier: Apache-2.0 */
/* DiagMon: every arrow and every refusal of mo-diagmon.md 3, 4 and 7.3, the codes of 6, the power
 * cut after every record (10), what settings may be, live data, each allocation failing in turn. */
#include "odm/diag.h"

#include "lab.h"
#include "mo.h"
#include "odm/fumo.h"

static odm_diag diag; /* one at a time: tests and restarts do not overlap */
static odm_diag_function memory, qos, ring, restart, lte, battery;
static odm_fumo fumo;
static unsigned ready_says;

static int read_live(void *ctx, const odm_diag_function *f, odm_str rel, odm_arena *a,
                     odm_value *out)
{
        (void)ctx;
        if (odm_str_is(rel, "StorageTotal"))
                return ODM_ENOENT;
        out->data = odm_arena_fmt(a, "%zu", strlen(f->name) + rel.n);
        return out->data.p ? 0 : odm_arena_err(a);
}

static int list_live(void *ctx, const odm_diag_function *f, odm_str rel,
                     int (*add)(void *list, odm_str name), void *to)
{
        (void)ctx;
        if (f == &memory && odm_str_is(rel, "ExtMem"))
                return add(to, ODM_STR("sd1"));
        if (f == &battery && rel.n == 0)
                return add(to, ODM_STR("BAT0"));
        return 0;
}

static unsigned ready(void *ctx, const odm_diag_function *f, const odm_task *t)
{
        (void)ctx;
        assert_ptr_equal(odm_diag_of(&diag, t->object), f);
        return ready_says;
}

static int mount(lab *l)
{
        int rc;

        odm_diag_done(&diag);
        diag = (odm_diag){.read = read_live, .list = list_live, .ready = ready};
        memory = (odm_diag_function){"Memory", &odm_mo_diag_memory, ODM_DIAG_SNAPSHOT};
        battery = (odm_diag_function){"Battery", &odm_mo_diag_battery, ODM_DIAG_SNAPSHOT};
        qos = (odm_diag_function){"QoS", &odm_mo_diag_qos, ODM_DIAG_ACTION};
        ring = (odm_diag_function){"TrapLog", &odm_mo_diag_traplog, ODM_DIAG_RING};
        restart = (odm_diag_function){"Restart", &odm_mo_diag_restart, ODM_DIAG_RESTART};
        lte = (odm_diag_function){"RF/LTE", &odm_mo_diag_rf_lte, ODM_DIAG_SNAPSHOT};
        fumo = (odm_fumo){.tasks = NULL};
        rc = odm_fumo_mount(&fumo, l->tasks, &odm_mo_fumo);
        if (rc == 0)
                rc = odm_diag_init(&diag, l->tasks);
        odm_diag_function *const all[] = {&memory, &battery, &qos, &ring, &restart, &lte};
        for (size_t i = 0; i < ODM_COUNT(all) && rc == 0; i++)
                rc = odm_diag_mount(&diag, all[i]);
        return rc;
}

static int made(lab *l)
{
        static const char *const uris[] = {"./DiagMon?prop=ACL", "./FUMO?prop=ACL"};
        const odm_value acl = {.data = ODM_STR("Get=*&Replace=srv&Exec=srv&Add=srv&Delete=srv")};
        int rc = odm_fumo_add(&fumo, "main", LAB_NOW);

        for (size_t i = 0; i < ODM_COUNT(uris) && rc == 0; i++)
                rc = odm_tree_write(l->tree, odm_cstr(uris[i]), &acl, LAB_NOW);
        return rc;
}

static int open_lab(lab *l, const odm_mem *mem)
{
        int rc = lab_open(l, mem, mount);

        ready_says = 1200;
        return rc == 0 ? made(l) : rc;
}

static void close_lab(lab *l)
{
        lab_close(l);
        odm_diag_done(&diag);
}

static const odm_task *lent;

static odm_format format_of(const char *rel)
{
        return strstr(rel, "OnComplete")                                              ? ODM_FMT_BOOL
               : strstr(rel, "URL") || strstr(rel, "Host") || strstr(rel, "ServerID") ? ODM_FMT_CHR
                                                                                      : ODM_FMT_INT;
}

static void is_lent(lab *l, const char *why, const char *step)
{
        int rc = odm_tasks_next(l->tasks, LAB_NOW, &lent);

        if ((rc == 0) != (strcmp(step, "nothing") == 0) || rc < 0 ||
            (rc == 1 && strcmp(lent->kind->steps[lent->step], step) != 0))
                fail_msg("%s: wanted %s, rc %d", why, step, rc);
}

static void is_said(lab *l, const char *why, const char *text)
{
        char want[256] = "";

        if (*text)
                snprintf(want, sizeof want, "urn:oma:at:diagmon:1.0:OperationComplete ./%s\n",
                         text);
        assert_int_equal(lab_report(l, 200), 0);
        if (strcmp(l->said, want) != 0)
                fail_msg("%s: wanted '%s', said '%s'", why, want, l->said);
}

/* One line of a story, below ./DiagMon:
 *   = REL VALUE [STATUS]  a server replaces a leaf   ! REL [CORR] STATUS  it executes a node
 *   ? STEP  that is lent now, or "nothing"           + CAUSE  it ends so
 *   s FUNCTION N  its Status                         > TEXT  the alert */
static void tell(lab *l, const char *why, const char *line)
{
        char a[160] = "", b[128] = "", c[64] = "", uri[200];
        unsigned status = 0, want;
        int n = sscanf(line + 1, "%159s %127s %63s", a, b, c);

        snprintf(uri, sizeof uri, "./%s%s", strncmp(a, "FUMO", 4) == 0 ? "" : "DiagMon/", a);
        switch (line[0]) {
        case '=':
                want = n == 3 ? (unsigned)strtoul(c, NULL, 10) : 200;
                assert_int_equal(
                        lab_set(l, uri, format_of(a), strcmp(b, "-") == 0 ? "" : b, &status), 0);
                if (status != want)
                        fail_msg("%s: %s: %u", why, line, status);
                break;
        case '!':
                want = (unsigned)strtoul(n == 3 ? c : b, NULL, 10);
                assert_int_equal(lab_exec(l, uri, n == 3 ? b : NULL, &status), 0);
                if (status != want)
                        fail_msg("%s: %s: %u", why, line, status);
                break;
        case '?': is_lent(l, why, a); break;
        case '+': {
                const odm_task_end e = {.cause = odm_task_cause_of(odm_cstr(a))};
                assert_string_equal(odm_task_cause_name(e.cause), a);
                assert_int_equal(odm_tasks_done(l->tasks, lent->id, &e, LAB_NOW), 0);
                break;
        }
        case 's':
                snprintf(uri, sizeof uri, "./DiagMon/%s/Status", a);
                if (strcmp(lab_get(l, uri), b) != 0)
                        fail_msg("%s: %s is %s, not %s", why, uri, lab_get(l, uri), b);
                break;
        case '>': is_said(l, why, n > 0 ? line + 2 : ""); break;
        default: fail_msg("%s: what is '%s'?", why, line);
        }
}

struct story {
        const char *why, *line[20];
};

#define START "!Memory/Operations/Start c1 "
#define STOP "!Memory/Operations/Stop c2 "
#define INTERVAL "=Memory/DiagMonConfig/ConfigParms/SampIntrvl 1"
#define DURATION "=Memory/DiagMonConfig/DefDuration 5"
#define URL "=Memory/DiagMonConfig/DiagDataURL http://h/p"
#define DONE(n) "> DiagMon/Memory informational " n " c1"

static const struct story stories[] = {
        {"a snapshot has nothing to do",
         {"sMemory 10", START "1200", "sMemory 40", "?nothing", ">"}},
        {"with an interval it runs until it is stopped",
         {INTERVAL, START "202", "sMemory 20", "?run", ">", STOP "1200", "sMemory 20", "?end",
          "+OK", "sMemory 30", DONE("1200"), ">", STOP "1200", "sMemory 30", "?nothing"}},
        {"with a duration until that is over",
         {DURATION, START "202", "?run", "+OK", "sMemory 40", DONE("1200"), ">"}},
        {"one run at a time",
         {INTERVAL, START "202", START "405", "?run", START "405", "sMemory 20", "+OK",
          DONE("1200"), START "202"}},
        {"stopped before it was begun",
         {INTERVAL, START "202", STOP "1200", STOP "1200", "?end", "+OK", "sMemory 30",
          DONE("1200")}},
        {"never run, stopped without effect", {STOP "1200", "sMemory 10", "?nothing", ">"}},
        {"the memory is full",
         {INTERVAL, START "202", "?run", "+NO_ROOM", "sMemory 50",
          "> DiagMon/Memory critical 1405 c1", START "202", "sMemory 20"}},
        {"it fails",
         {INTERVAL, START "202", "?run", "+FAILED", "sMemory 60",
          "> DiagMon/Memory critical 1412 c1", START "202"}},
        {"data are sent before the result is told",
         {DURATION, URL, START "202", "?run", "+OK", "sMemory 20", ">", "?upload", START "405",
          STOP "1200", "?nothing", "+OK", "sMemory 40", DONE("1200"), ">"}},
        {"there, nobody takes them",
         {DURATION, URL, START "202", "?run", "+OK", "?upload", "+NETWORK", "sMemory 40",
          "> DiagMon/Memory critical 1406 c1"}},
        {"the data server is away",
         {DURATION, URL, START "202", "?run", "+OK", "?upload", "+UNAVAILABLE", "sMemory 40",
          "> DiagMon/Memory critical 1501 c1"}},
        {"a full run sends what it has",
         {DURATION, URL, START "202", "?run", "+NO_ROOM", "?upload", "+OK", "sMemory 50",
          "> DiagMon/Memory critical 1405 c1"}},
        {"a stopped one too",
         {INTERVAL, URL, START "202", "?run", STOP "1200", "?end", "+OK", "?upload", "+OK",
          "sMemory 30", DONE("1200")}},
        {"a failed one has nothing to send",
         {DURATION, URL, START "202", "?run", "+FAILED", "sMemory 60", "?nothing",
          "> DiagMon/Memory critical 1412 c1"}},
        {"a snapshot may be sent",
         {URL, START "202", "?upload", "+OK", "sMemory 40", DONE("1200")}},
        {"an action is always work",
         {"!QoS/Operations/Start c3 202", "sQoS 20", "?run", "+OK", "sQoS 40",
          "> DiagMon/QoS informational 1200 c3"}},
        {"an action that cannot be",
         {"!QoS/Operations/Start c3 202", "?run", "+BAD_CONFIG", "sQoS 60",
          "> DiagMon/QoS critical 1404 c3"}},
        {"a log is kept from the start",
         {"sTrapLog 20", "!TrapLog/Operations/Stop 1200", "sTrapLog 30",
          "!TrapLog/Operations/Stop 1200", "sTrapLog 30", "!TrapLog/Operations/Start 1200",
          "sTrapLog 20", "?nothing", ">"}},
        {"a restart that is never answered",
         {"!Restart/Operations/Start c4 202", "sRestart 20", "?reboot",
          "!Restart/Operations/Start c5 405", INTERVAL, START "405", ">"}},
        {"a restart that does not happen",
         {"!Restart/Operations/Start c4 202", "?reboot", "+FAILED", "sRestart 60",
          "> DiagMon/Restart critical 1402 c4", "!Restart/Operations/Start c4 202"}},
        {"not while a package is fetched",
         {"=FUMO/main/Download/PkgURL http://h/p", "!FUMO/main/Download c9 202",
          "!Restart/Operations/Start c4 405", "?download", "!Restart/Operations/Start c4 405",
          "sRestart 10"}},
        {"but while something only watches",
         {INTERVAL, START "202", "?run", "!Restart/Operations/Start c4 202", "?reboot"}},
        {"below another node",
         {"!RF/LTE/Operations/Start c6 1200", "sRF/LTE 40", "!RF/Operations/Start c6 404",
          "!RF/LTE/Operations/Pause c6 404", "!RF/GSM/Operations/Start c6 404"}},
        {"no Exec but these",
         {"!Memory/Operations c1 405", "!Memory/Status c1 405", "!Memory c1 405",
          "!Restart/Operations/Stop c1 404"}},
        {"settings within their limits",
         {"=Memory/DiagMonConfig/DefDuration -1 415", "=Memory/DiagMonConfig/DefMemory 1000001 415",
          "=Memory/DiagMonConfig/ReportCondition/Period 604801 415",
          "=Memory/DiagMonConfig/ReportCondition/OnComplete false",
          "=Memory/DiagMonConfig/DiagDataURL ftp://h 415",
          "=Memory/DiagMonConfig/DiagDataURL https://h",
          "=Restart/DiagMonConfig/ConfigParms/Type 2 415",
          "=Restart/DiagMonConfig/ConfigParms/Delay 60",
          "=QoS/DiagMonConfig/ConfigParms/Count 0 415", "=QoS/DiagMonConfig/ConfigParms/Count 5",
          "=TrapLog/DiagMonConfig/ConfigParms/MaxRecords 0 415",
          "=Memory/DiagMonConfig/DiagDataURL -"}},
        {"not for servers to write",
         {"=Memory/Status 20 405", "=Memory/DiagMonData/RAMTotal 1 405",
          "=Restart/DiagMonData/RestartCount 1 405"}},
};

static void every_arrow(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(stories); i++) {
                lab l;
                assert_int_equal(open_lab(&l, &heap), 0);
                for (size_t k = 0; k < ODM_COUNT(stories[i].line) && stories[i].line[k]; k++)
                        tell(&l, stories[i].why, stories[i].line[k]);
                close_lab(&l);
        }
}

static void codes(void **state)
{
        static const struct {
                odm_task_cause cause;
                unsigned run, delivery;
        } rows[] = {
                {ODM_CAUSE_OK, 1200, 1200},          {ODM_CAUSE_CANCELLED, 1401, 1406},
                {ODM_CAUSE_CORRUPT, 1412, 1406},     {ODM_CAUSE_MISMATCH, 1412, 1406},
                {ODM_CAUSE_UNSIGNED, 1412, 1406},    {ODM_CAUSE_NOT_ACCEPTED, 1412, 1406},
                {ODM_CAUSE_AUTH, 1412, 1406},        {ODM_CAUSE_TIMEOUT, 1412, 1406},
                {ODM_CAUSE_UNSUPPORTED, 1411, 1406}, {ODM_CAUSE_FAILED, 1412, 1406},
                {ODM_CAUSE_BAD_URL, 1404, 1406},     {ODM_CAUSE_UNAVAILABLE, 1501, 1501},
                {ODM_CAUSE_SERVER, 1500, 1500},      {ODM_CAUSE_NO_ROOM, 1405, 1406},
                {ODM_CAUSE_NETWORK, 1412, 1406},     {ODM_CAUSE_BAD_CONFIG, 1404, 1406},
                {ODM_CAUSE_INTERRUPTED, 1402, 1406},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                assert_int_equal(odm_diag_result(rows[i].cause, false), rows[i].run);
                assert_int_equal(odm_diag_result(rows[i].cause, true), rows[i].delivery);
        }
}

static void settings_go_with_the_run(void **state)
{
        char until[24];
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        tell(&l, "", INTERVAL);
        tell(&l, "", DURATION);
        tell(&l, "", START "202");
        tell(&l, "too late", "=Memory/DiagMonConfig/ConfigParms/SampIntrvl 9");
        tell(&l, "", "?run");
        snprintf(until, sizeof until, "%lld", (long long)LAB_NOW.s + 5);
        assert_str(odm_task_arg(lent, "SampIntrvl"), "1");
        assert_str(odm_task_arg(lent, "Period"), "0");
        assert_str(odm_task_arg(lent, "OnComplete"), "true");
        assert_str(odm_task_arg(lent, "until"), until);
        close_lab(&l);
}

static void what_the_host_refuses_is_not_begun(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        ready_says = 1404;
        tell(&l, "no host", "!QoS/Operations/Start c1 1404");
        tell(&l, "no host", "sQoS 10");
        tell(&l, "no host", "?nothing");
        tell(&l, "no alert", ">");
        close_lab(&l);
}

static void put(lab *l, const char *uri, const char *text)
{
        const odm_value v = {.data = odm_cstr(text)};

        assert_int_equal(odm_tree_write(l->tree, odm_cstr(uri), &v, LAB_NOW), 0);
}

static void a_start_clears_what_was_found_before(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        put(&l, "./DiagMon/QoS/DiagMonData/Loss", "1.5");
        put(&l, "./DiagMon/TrapLog/DiagMonData/1/TrapID", "t");
        tell(&l, "", "!QoS/Operations/Start c1 202");
        tell(&l, "a log is not cleared", "!TrapLog/Operations/Start 1200");
        assert_string_equal(lab_get(&l, "./DiagMon/QoS/DiagMonData/Loss"), "(none)");
        assert_string_equal(lab_get(&l, "./DiagMon/TrapLog/DiagMonData/1/TrapID"), "t");
        close_lab(&l);
}

static void live_data_are_read_and_listed(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        assert_string_equal(lab_get(&l, "./DiagMon/Memory/DiagMonData/RAMAvail"), "14");
        assert_string_equal(lab_get(&l, "./DiagMon/Memory/DiagMonData/StorageTotal"), "(none)");
        assert_string_equal(lab_get(&l, "./DiagMon/Memory/DiagMonData/ExtMem/sd1/Total"), "22");
        assert_string_equal(lab_get(&l, "./DiagMon/Memory/DiagMonData/ExtMem/sd2/Total"), "(none)");
        assert_string_equal(lab_get(&l, "./DiagMon/Battery/DiagMonData/BAT0/BatteryLevel"), "24");
        assert_string_equal(lab_get(&l, "./DiagMon/RF/LTE/DiagMonData/RSRP"), "10");
        assert_ptr_equal(odm_diag_of(&diag, ODM_STR("./DiagMon/RF/LTE/Status")), &lte);
        assert_ptr_equal(odm_diag_of(&diag, ODM_STR("./DiagMon/QoS")), &qos);
        assert_null(odm_diag_of(&diag, ODM_STR("./DiagMon/QoSX")));
        assert_null(odm_diag_of(&diag, ODM_STR("./DiagMon")));
        close_lab(&l);
}

static void functions_have_their_types(void **state)
{
        static const char *const rows[][2] = {
                {"urn:oma:mo:oma-diag:memory:1.0", "./DiagMon/Memory"},
                {"urn:oma:mo:oma-diag:batteryinfo:1.0", "./DiagMon/Battery"},
                {"urn:oma:mo:oma-diag:restart:1.0", "./DiagMon/Restart"},
                {"urn:oma:mo:oma-diag:RFParms_3GPP_LTE:1.0", "./DiagMon/RF/LTE"},
                {"urn:oma:mo:oma-diag:trapeventlogging:1.0", "./DiagMon/TrapLog"},
        };
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str at = ODM_ABSENT;
                odm_arena a;
                odm_arena_init(&a, &heap, 1 << 16);
                assert_int_equal(
                        odm_tree_find_mo(l.tree, odm_cstr(rows[i][0]), ODM_ABSENT, &a, &at), 1);
                assert_str(at, rows[i][1]);
                odm_arena_done(&a);
        }
        close_lab(&l);
}

/* Every description of mo/diag_*.ddf has the nodes of mo-diagmon.md 2, at its place. */
static void all_functions_have_the_frame(void **state)
{
        static const struct {
                const char *name;
                const odm_mo *mo;
                odm_diag_way way;
                const char *status;
                unsigned start;
        } rows[] = {
                {"AppData", &odm_mo_diag_appdata, ODM_DIAG_SNAPSHOT, "10", 1200},
                {"AppExe", &odm_mo_diag_appexe, ODM_DIAG_SNAPSHOT, "10", 1200},
                {"FM", &odm_mo_diag_fm, ODM_DIAG_RING, "20", 1200},
                {"Link", &odm_mo_diag_link, ODM_DIAG_SNAPSHOT, "10", 1200},
                {"Location", &odm_mo_diag_location, ODM_DIAG_SNAPSHOT, "10", 1200},
                {"PanicLog", &odm_mo_diag_paniclog, ODM_DIAG_RING, "20", 1200},
                {"PM", &odm_mo_diag_pm, ODM_DIAG_ACTION, "10", 202},
                {"RF/GSM", &odm_mo_diag_rf_gsm, ODM_DIAG_SNAPSHOT, "10", 1200},
                {"RF/UMTS", &odm_mo_diag_rf_umts, ODM_DIAG_SNAPSHOT, "10", 1200},
                {"SelfTest", &odm_mo_diag_selftest, ODM_DIAG_ACTION, "10", 202},
                {"Sensor", &odm_mo_diag_sensor, ODM_DIAG_SNAPSHOT, "10", 1200},
        };
        static odm_diag_function more[ODM_COUNT(rows)];
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char uri[96];
                unsigned status = 0;
                more[i] = (odm_diag_function){rows[i].name, rows[i].mo, rows[i].way};
                assert_int_equal(odm_diag_mount(&diag, &more[i]), 0);
                snprintf(uri, sizeof uri, "./DiagMon/%s/Status", rows[i].name);
                assert_string_equal(lab_get(&l, uri), rows[i].status);
                snprintf(uri, sizeof uri, "./DiagMon/%s/Operations/Start", rows[i].name);
                assert_int_equal(lab_exec(&l, uri, "c", &status), 0);
                if (status != rows[i].start)
                        fail_msg("%s: %u", uri, status);
                snprintf(uri, sizeof uri, "./DiagMon/%s/Description", rows[i].name);
                assert_string_not_equal(lab_get(&l, uri), "(none)");
                snprintf(uri, sizeof uri, "./DiagMon/%s/ServerID", rows[i].name);
                assert_int_equal(lab_set(&l, uri, ODM_FMT_CHR, "srv", &status), 0);
                assert_int_equal(status, 200);
        }
        close_lab(&l);
}

/* ---- power cuts ---------------------------------------------------------------------------- */

static void live_through(lab *l)
{
        tell(l, "", INTERVAL);
        tell(l, "", URL);
        tell(l, "", START "202");
        tell(l, "", "?run");
        tell(l, "", STOP "1200");
        tell(l, "", "?end");
        tell(l, "", "+OK");
        tell(l, "", "?upload");
        tell(l, "", "+OK");
}

static void the_power_may_go_after_any_record(void **state)
{
        size_t idle = 0, running = 0;
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        live_through(&l);
        for (size_t n = 0; n <= l.n_log; n++) {
                const odm_task_end ok = {.cause = ODM_CAUSE_OK};
                lab again;
                assert_int_equal(lab_restart(&l, n, &again, mount, made), 0);
                const odm_task *t = odm_tasks_at(again.tasks, 0);
                idle += t == NULL;
                running += t != NULL;
                bool ordered = t != NULL, stopped = t && t->step != ODM_DIAG_RUN;
                for (int i = 0; i < 5 && odm_tasks_next(again.tasks, LAB_NOW, &lent) == 1; i++)
                        assert_int_equal(odm_tasks_done(again.tasks, lent->id, &ok, LAB_NOW), 0);
                tell(&again, "after a cut",
                     !ordered  ? "sMemory 10"
                     : stopped ? "sMemory 30"
                               : "sMemory 40");
                tell(&again, "one alert", ordered ? DONE("1200") : ">");
                tell(&again, "once", ">");
                lab_close(&again);
        }
        assert_true(idle > 2 && running > 4);
        close_lab(&l);
}

static void a_run_goes_on_where_the_clock_is_known(void **state)
{
        static const struct {
                const char *why, *since, *step, *status, *said;
        } rows[] = {
                {"known", "20101117T132000Z", "run", "sMemory 20", ">"},
                {"back in 1970", "20101117T132001Z", "nothing", "sMemory 60",
                 "> DiagMon/Memory critical 1402 c1"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const odm_value v = {.format = ODM_FMT_CHR, .data = odm_cstr(rows[i].since)};
                lab l, again;
                assert_int_equal(open_lab(&l, &heap), 0);
                tell(&l, "", INTERVAL);
                tell(&l, "", START "202");
                tell(&l, "", "?run");
                assert_int_equal(
                        odm_tree_write(l.tree, ODM_STR("./Vendor/Task/1/Since"), &v, LAB_NOW), 0);
                assert_int_equal(lab_restart(&l, l.n_log, &again, mount, made), 0);
                tell(&again, rows[i].why, rows[i].status);
                tell(&again, rows[i].why, rows[i].said);
                is_lent(&again, rows[i].why, rows[i].step);
                lab_close(&again);
                close_lab(&l);
        }
}

static void a_restart_is_told_afterwards(void **state)
{
        static const struct {
                const char *why, *cause, *status, *said, *count, *reason;
        } rows[] = {
                {"it happened", "+OK", "sRestart 40", "> DiagMon/Restart informational 1200 c4",
                 "1", "ordered"},
                {"it did not", "+INTERRUPTED", "sRestart 60", "> DiagMon/Restart critical 1402 c4",
                 "0", ""},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                lab l, again;
                assert_int_equal(open_lab(&l, &heap), 0);
                tell(&l, "", "=Restart/DiagMonConfig/ConfigParms/Delay 7");
                tell(&l, "", "!Restart/Operations/Start c4 202");
                assert_int_equal(lab_restart(&l, l.n_log, &again, mount, made), 0);
                is_lent(&again, "the power went before it was begun", "reboot");
                assert_str(odm_task_arg(lent, "Delay"), "7");
                assert_str(odm_task_arg(lent, "Type"), "1");
                lab_close(&again);
                tell(&l, "", "?reboot");
                assert_int_equal(lab_restart(&l, l.n_log, &again, mount, made), 0);
                is_lent(&again, rows[i].why, "check");
                tell(&again, rows[i].why, rows[i].cause);
                tell(&again, rows[i].why, rows[i].status);
                tell(&again, rows[i].why, rows[i].said);
                tell(&again, "once", ">");
                assert_string_equal(lab_get(&again, "./DiagMon/Restart/DiagMonData/RestartCount"),
                                    rows[i].count);
                assert_string_equal(lab_get(&again, "./DiagMon/Restart/DiagMonData/LastReason"),
                                    rows[i].reason);
                lab_close(&again);
                close_lab(&l);
        }
}

static int mount_no_memory(lab *l)
{
        odm_diag_done(&diag);
        diag = (odm_diag){.read = read_live, .list = list_live};
        qos = (odm_diag_function){"QoS", &odm_mo_diag_qos, ODM_DIAG_ACTION};
        int rc = odm_diag_init(&diag, l->tasks);
        return rc == 0 ? odm_diag_mount(&diag, &qos) : rc;
}

static int mount_nothing(lab *l)
{
        return odm_tasks_know(l->tasks, &odm_diag_kind, NULL);
}

static int nothing_made(lab *l)
{
        (void)l;
        return 0;
}

static void a_function_that_is_lost_ends_its_run(void **state)
{
        int (*const mounts[])(lab *) = {mount_no_memory, mount_nothing};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(mounts); i++) {
                lab l, again;
                assert_int_equal(open_lab(&l, &heap), 0);
                tell(&l, "", INTERVAL);
                tell(&l, "", START "202");
                tell(&l, "", "?run");
                assert_int_equal(lab_restart(&l, l.n_log, &again, mounts[i], nothing_made), 0);
                is_lent(&again, "nobody can do it", "nothing");
                tell(&again, "told", "> DiagMon/Memory critical 1411 c1");
                assert_string_equal(lab_get(&again, "./DiagMon/Memory/Status"), "(none)");
                lab_close(&again);
                close_lab(&l);
        }
}

/* ---- failures of the device ------------------------------------------------------------------ */

static void nothing_is_accepted_that_cannot_be_kept(void **state)
{
        unsigned status = 0;
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        tell(&l, "", INTERVAL);
        l.log_fails = true;
        assert_int_equal(lab_exec(&l, "./DiagMon/Memory/Operations/Start", "c1", &status), ODM_EIO);
        l.log_fails = false;
        tell(&l, "as it was", "sMemory 10");
        tell(&l, "as it was", "?nothing");
        tell(&l, "", START "202");
        tell(&l, "", "?run");
        l.log_fails = true;
        assert_int_equal(lab_exec(&l, "./DiagMon/Memory/Operations/Stop", "c1", &status), ODM_EIO);
        l.log_fails = false;
        tell(&l, "it runs", "sMemory 20");
        tell(&l, "it runs", "+OK");
        tell(&l, "it ran", DONE("1200"));
        close_lab(&l);
}

static void settings_with_line_breaks_do_no_harm(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        put(&l, "./DiagMon/QoS/DiagMonConfig/ConfigParms/Host", "a b");
        tell(&l, "", "!QoS/Operations/Start c1 202");
        close_lab(&l);
        assert_int_equal(open_lab(&l, &heap), 0);
        unsigned status = 0;
        assert_int_equal(lab_set(&l, "./DiagMon/QoS/DiagMonConfig/ConfigParms/Host", ODM_FMT_CHR,
                                 "a\nDelay=1", &status),
                         0);
        assert_int_equal(status, 415);
        close_lab(&l);
}

static int whole_life(failing *f, void *arg)
{
        static const char *const execs[] = {"./DiagMon/QoS/Operations/Start",
                                            "./DiagMon/QoS/Operations/Stop"};
        const odm_task_end ok = {.cause = ODM_CAUSE_OK};
        unsigned status = 0;
        lab l;
        int rc = open_lab(&l, &f->mem);

        (void)arg;
        if (rc == 0)
                rc = lab_set(&l, "./DiagMon/QoS/DiagMonConfig/DefDuration", ODM_FMT_INT, "60",
                             &status);
        for (size_t i = 0; i < ODM_COUNT(execs) && rc == 0; i++) {
                rc = lab_exec(&l, execs[i], "c1", &status);
                if (rc == 0) {
                        assert_int_equal(status, i ? 1200 : 202);
                        rc = odm_tasks_next(l.tasks, LAB_NOW, &lent) < 0 ? ODM_ENOMEM : 0;
                }
        }
        if (rc == 0)
                rc = odm_tasks_done(l.tasks, lent->id, &ok, LAB_NOW);
        if (rc == 0)
                rc = lab_report(&l, 200);
        close_lab(&l);
        return rc;
}

static void each_allocation_may_fail(void **state)
{
        (void)state;
        torture(whole_life, NULL, 300);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_arrow),
                cmocka_unit_test(codes),
                cmocka_unit_test(settings_go_with_the_run),
                cmocka_unit_test(what_the_host_refuses_is_not_begun),
                cmocka_unit_test(a_start_clears_what_was_found_before),
                cmocka_unit_test(live_data_are_read_and_listed),
                cmocka_unit_test(functions_have_their_types),
                cmocka_unit_test(all_functions_have_the_frame),
                cmocka_unit_test(the_power_may_go_after_any_record),
                cmocka_unit_test(a_run_goes_on_where_the_clock_is_known),
                cmocka_unit_test(a_restart_is_told_afterwards),
                cmocka_unit_test(a_function_that_is_lost_ends_its_run),
                cmocka_unit_test(nothing_is_accepted_that_cannot_be_kept),
                cmocka_unit_test(settings_with_line_breaks_do_no_harm),
                cmocka_unit_test(each_allocation_may_fail),
        };

        return RUN_TESTS(tests);
}
