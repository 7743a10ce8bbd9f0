/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules: every arrow and refusal of mo-scheduling.md 5, the codes and alerts of 7, conditions,
 * missed runs, clocks that jump, the power cut after every record, each allocation failing. */
#include "lab.h"
#include "mo.h"
#include "odm/fumo.h"
#include "odm/schedule.h"

#define WALL INT64_C(1290000000) /* 20101117T132000Z, a Wednesday */

static struct world { /* one at a time: tests and restarts do not overlap */
        odm_fumo fumo;
        odm_schedules *s;
        odm_trap_hub hub;
        odm_provider trap;
        odm_schedule_now now;
        bool no_account, busy, changed;
        char lacks[32]; /* the requirement that does not hold */
} w;

static odm_schedule_now tell_time(void *ctx)
{
        (void)ctx;
        return w.now;
}

static int elsewhere(void *ctx, odm_str id, odm_str server)
{
        (void)ctx;
        (void)server;
        return odm_str_is(id, "else:one")   ? 0
               : odm_str_is(id, "else:two") ? ODM_EACCESS
                                            : ODM_ENOENT;
}

static bool has_account(void *ctx, odm_str server)
{
        (void)ctx;
        return !w.no_account && (odm_str_is(server, "srv") || odm_str_is(server, "other"));
}

static bool holds(void *ctx, odm_str what)
{
        (void)ctx;
        return !odm_str_is(what, w.lacks);
}

static bool is_busy(void *ctx)
{
        (void)ctx;
        return w.busy;
}

static void changed(void *ctx)
{
        (void)ctx;
        w.changed = true;
}

static int32_t one_hour_east(void *ctx, odm_wall at)
{
        (void)ctx;
        (void)at;
        return 3600;
}

static int mount(lab *l)
{
        const odm_schedules_opt o = {.mem = l->mem,
                                     .tree = l->tree,
                                     .mo = &odm_mo_scheduling,
                                     .zone = {.offset = one_hour_east},
                                     .hub = &w.hub,
                                     .now = tell_time,
                                     .has_account = has_account,
                                     .holds = holds,
                                     .is_busy = is_busy,
                                     .changed = changed};
        int rc;

        w.trap = (odm_provider){.name = "trap", .mo = &odm_mo_trap};
        rc = odm_fumo_mount(&w.fumo, l->tasks, &odm_mo_fumo);
        if (rc == 0)
                rc = odm_tree_mount(l->tree, NULL, &w.trap);
        return rc == 0 ? odm_schedules_new(&o, &w.s) : rc;
}

static int put(lab *l, const char *uri, odm_format f, const char *text)
{
        const odm_value v = {.format = f, .data = odm_cstr(text)};

        return odm_tree_write(l->tree, odm_cstr(uri), &v, LAB_NOW);
}

static int made(lab *l)
{
        static const char all[] = "Add=srv+other&Delete=srv+other&Exec=srv+other&Get=srv+other&"
                                  "Replace=srv+other";
        int rc = odm_fumo_add(&w.fumo, "main", LAB_NOW);

        if (rc == 0)
                rc = put(l, "./FUMO/main/Download/PkgURL", ODM_FMT_CHR, "http://h/p");
        if (rc == 0)
                rc = put(l, "./FUMO?prop=ACL", ODM_FMT_CHR, all);
        if (rc == 0)
                rc = put(l, "./Schedule?prop=ACL", ODM_FMT_CHR, all);
        if (rc == 0)
                rc = put(l, "./T/n", ODM_FMT_CHR, "0");
        if (rc == 0)
                rc = put(l, "./T?prop=ACL", ODM_FMT_CHR, all);
        if (rc == 0)
                rc = put(l, "./Trap/Low/TrapID", ODM_FMT_CHR, "t:low");
        return rc == 0 ? put(l, "./Trap/Low/Status", ODM_FMT_INT, "10") : rc;
}

static int open_lab(lab *l, const odm_mem *mem)
{
        int rc;

        w = (struct world){.hub = {.elsewhere = elsewhere},
                           .now = {.mono = {1000000}, .wall = {WALL}, .set = true}};
        rc = lab_open(l, mem, mount);
        return rc == 0 ? made(l) : rc;
}

static void close_lab(lab *l)
{
        odm_schedules_free(w.s);
        w.s = NULL;
        lab_close(l);
}

/* ---- what a server does -------------------------------------------------------------------- */

static int operate(lab *l, const char *server, odm_cmd kind, const char *uri, odm_format f,
                   const char *data, const char *correlator, unsigned *status)
{
        const odm_op op = {.kind = kind,
                           .target = odm_cstr(uri),
                           .server = odm_cstr(server),
                           .has_value = data != NULL,
                           .value = {.format = f, .data = odm_cstr(data)},
                           .correlator = odm_cstr(correlator)};
        odm_answer out = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, l->mem, 1 << 20);
        rc = odm_tree_do(l->tree, &op, LAB_NOW, &a, &out);
        odm_arena_done(&a);
        if (rc == 0)
                *status = out.status;
        return rc;
}

static unsigned set(lab *l, const char *server, const char *rel, const char *data)
{
        char uri[200];
        unsigned status = 0;

        snprintf(uri, sizeof uri, "./Schedule/%s", rel);
        assert_int_equal(operate(l, server, ODM_CMD_ADD, uri, ODM_FMT_ABSENT, data, NULL, &status),
                         0);
        if (status == 418)
                assert_int_equal(operate(l, server, ODM_CMD_REPLACE, uri, ODM_FMT_ABSENT, data,
                                         NULL, &status),
                                 0);
        return status;
}

static int hear(void *ctx, const odm_alert *a)
{
        static const char type[] = "urn:oma:at:x-dm-scheduling:1.0:";
        lab *l = ctx;
        size_t n = strlen(l->said);
        unsigned code = 0, state = 0;
        char data[1024];

        assert_int_equal(a->code, 1226);
        assert_true(odm_str_starts(a->type, type));
        assert_int_equal(a->format, ODM_FMT_XML);
        snprintf(data, sizeof data, "%.*s", (int)a->data.n, a->data.p);
        assert_int_equal(sscanf(data, "<ResultCode>%u<", &code), 1);
        assert_int_equal(sscanf(strstr(data, "<State>"), "<State>%u<", &state), 1);
        if (odm_str_is(a->mark, "critical") != (code >= 1300))
                fail_msg("the mark of %u is %.*s", code, (int)a->mark.n, a->mark.p);
        snprintf(l->said + n, sizeof l->said - n, "%s%.*s:%u:%u:%.*s", n ? " " : "",
                 (int)(a->type.n - strlen(type)), a->type.p + strlen(type), code, state,
                 a->correlator.p ? (int)a->correlator.n : 1,
                 a->correlator.p ? a->correlator.p : "-");
        l->last_alert = a->id;
        return 0;
}

/* What is told, each answered with `status`. */
static void report(lab *l, const char *server, unsigned status)
{
        char all[sizeof l->said] = "";

        l->said[0] = 0;
        assert_int_equal(odm_schedules_alerts(w.s, odm_cstr(server), w.now.wall, hear, l), 0);
        snprintf(all, sizeof all, "%s", l->said);
        for (int i = 0; l->said[0] && i < 40; i++) {
                uint64_t id = l->last_alert;
                assert_int_equal(odm_schedules_alerted(w.s, id, status, LAB_NOW), 0);
                if (status >= 500)
                        break;
                l->said[0] = 0;
                assert_int_equal(odm_schedules_alerts(w.s, odm_cstr(server), w.now.wall, hear, l),
                                 0);
        }
        snprintf(l->said, sizeof l->said, "%s", all);
}

static void look(lab *l, const char *why)
{
        int rc = 1;

        (void)l;
        for (int i = 0; i < 400 && rc == 1; i++)
                rc = odm_schedules_look(w.s, &w.now);
        if (rc != 0)
                fail_msg("%s: looking gave %d", why, rc);
}

static void fire(bool active)
{
        const odm_trap_event e = {.uri = ODM_STR("./Trap/Low"),
                                  .id = ODM_STR("t:low"),
                                  .reason = ODM_STR("x"),
                                  .active = active,
                                  .at = w.now.wall};
        odm_trap_listener *next;

        for (odm_trap_listener *i = w.hub.first; i; i = next) {
                next = i->next;
                if (odm_trap_id_same(i->id, e.id))
                        i->fn(i->ctx, &e);
        }
}

static void pass(int64_t s)
{
        w.now.mono.ms += s * 1000;
        w.now.wall.s += s;
}

/* ---- stories: a line each, without the name of the schedule it is "a" ------------------------
 *   =REL VALUE ; STATUS   the server sets or adds a leaf (200 unless said)
 *   &REL ; STATUS         it deletes a node          @SERVER   the lines that follow are this one's
 *   !OP STATUS [CORR]     it executes
 *   +SECONDS              time passes, and there is a look     *   a look
 *   j SECONDS             the wall clock jumps (then a look)   c SECONDS   is set, that much on
 *   s STATE   v REL VALUE a leaf of the schedule   g URI VALUE any leaf   d URI VALUE the device
 * sets > TEXT                the alerts, answered with 200        < TEXT   with 500 T 1 or 0 the
 * trap goes active, or inactive    X   it is deleted L WORD                the requirement does not
 * hold        B 1 or 0   busy    A 0   no account n SECONDS             when to look next, from now
 * on; "never" R                     the device starts again */
static const char *server = "srv";

static void expect_next(const char *why, const char *text)
{
        odm_time t = odm_schedules_time(w.s, &w.now);
        long s = t.ms == ODM_NEVER.ms ? -1 : (long)((t.ms - w.now.mono.ms + 999) / 1000);
        long want = strcmp(text, "never") == 0 ? -1 : strtol(text, NULL, 10);

        if (s != want)
                fail_msg("%s: next look in %ld s, not %s", why, s, text);
}

static lab machines[2], *cur; /* a device that starts again is another one */

static void restart(const char *why)
{
        lab *to = cur == &machines[0] ? &machines[1] : &machines[0];

        odm_schedules_free(w.s);
        w.hub = (odm_trap_hub){.elsewhere = elsewhere};
        w.now.mono.ms = 5000;
        if (lab_restart(cur, cur->n_log, to, mount, made) != 0)
                fail_msg("%s: no restart", why);
        lab_close(cur);
        cur = to;
}

static void change(lab *l, const char *why, const char *line)
{
        char rel[160] = "", data[600] = "";
        const char *semi = strstr(line, " ;"), *space = strchr(line, ' ');
        unsigned want = semi ? (unsigned)strtoul(semi + 2, NULL, 10) : 200, status = 0;
        size_t end = semi ? (size_t)(semi - line) : strlen(line);
        bool full = strncmp(line + 1, "./", 2) == 0;

        if (space && space < line + end)
                snprintf(data, sizeof data, "%.*s", (int)(line + end - space - 1), space + 1);
        snprintf(rel, sizeof rel, "%s%.*s",
                 full                              ? ""
                 : strncmp(line + 1, "b/", 2) == 0 ? ""
                                                   : "a/",
                 (int)((space && space < line + end ? space : line + end) - line - 1), line + 1);
        if (line[0] == '=') {
                status = set(l, server, rel, data);
        } else {
                char uri[200];
                snprintf(uri, sizeof uri, "./Schedule/%s", rel);
                if (uri[strlen(uri) - 1] == '/')
                        uri[strlen(uri) - 1] = 0;
                assert_int_equal(operate(l, server, ODM_CMD_DELETE, uri, ODM_FMT_ABSENT, NULL, NULL,
                                         &status),
                                 0);
        }
        if (status != want)
                fail_msg("%s: '%s' gave %u", why, line, status);
}

static void order(lab *l, const char *why, const char *line)
{
        char op[64] = "", corr[64] = "", uri[160];
        unsigned want = 0, status = 0;
        int n = sscanf(line + 1, "%63s %u %63s", op, &want, corr);

        snprintf(uri, sizeof uri, "./Schedule/%s%sOperations/%s",
                 op[0] == 'b' && op[1] == '/' ? "b" : "a", "/", op[1] == '/' ? op + 2 : op);
        assert_int_equal(operate(l, server, ODM_CMD_EXEC, uri, ODM_FMT_ABSENT, NULL,
                                 n == 3 ? corr : NULL, &status),
                         0);
        if (status != want)
                fail_msg("%s: '%s' gave %u", why, line, status);
}

static void expect_text(lab *l, const char *why, const char *uri, const char *want)
{
        if (strcmp(lab_get(l, uri), want) != 0)
                fail_msg("%s: %s is '%s', not '%s'", why, uri, lab_get(l, uri), want);
}

static void expect_leaf(lab *l, const char *why, const char *line)
{
        char uri[200], rel[128] = "";
        int at = 0;

        sscanf(line + 1, " %127s %n", rel, &at);
        snprintf(uri, sizeof uri, "%s%s",
                 line[0] == 'g'               ? ""
                 : strncmp(rel, "b/", 2) == 0 ? "./Schedule/"
                                              : "./Schedule/a/",
                 rel);
        if (line[0] == 'd')
                assert_int_equal(put(l, rel, ODM_FMT_ABSENT, line + 1 + at), 0);
        else
                expect_text(l, why, uri, at ? line + 1 + at : "");
}

static void tell(lab *l, const char *why, const char *line)
{
        unsigned status = 0;
        const char *arg = line[1] == ' ' ? line + 2 : line + 1;

        switch (line[0]) {
        case '=':
        case '&': change(l, why, line); break;
        case '@': server = line + 1; break;
        case '!': order(l, why, line); break;
        case '+':
                pass(strtol(arg, NULL, 10));
                look(l, why);
                break;
        case '*': look(l, why); break;
        case 'j':
                w.now.wall.s += strtol(arg, NULL, 10);
                look(l, why);
                break;
        case 'c':
                w.now.set = true;
                w.now.wall.s = WALL + strtol(arg, NULL, 10);
                look(l, why);
                break;
        case 'u':
                w.now.set = false;
                w.now.wall.s = 100000;
                break;
        case 's': expect_text(l, why, "./Schedule/a/State", arg); break;
        case 'v':
        case 'g':
        case 'd': expect_leaf(l, why, line); break;
        case '>':
        case '<':
                report(l, server, line[0] == '>' ? 200 : 500);
                if (strcmp(l->said, line[1] ? arg : "") != 0)
                        fail_msg("%s: told '%s', not '%s'", why, l->said, arg);
                break;
        case 'T':
                assert_int_equal(
                        put(l, "./Trap/Low/Status", ODM_FMT_INT, arg[0] == '1' ? "20" : "10"), 0);
                fire(arg[0] == '1');
                break;
        case 'M': fire(true); break; /* momentary: Status stays */
        case 'X':
                assert_int_equal(lab_delete(l, "./Trap/Low", &status), 0);
                assert_int_equal(status, 200);
                odm_schedules_review(w.s);
                break;
        case 'L': snprintf(w.lacks, sizeof w.lacks, "%s", arg); break;
        case 'B': w.busy = arg[0] == '1'; break;
        case 'A':
                w.no_account = arg[0] == '0';
                odm_schedules_review(w.s);
                break;
        case 'n': expect_next(why, arg); break;
        case 'R': restart(why); break;
        default: fail_msg("%s: what is '%s'?", why, line);
        }
}

#define SET(uri, value)                                                                         \
        "<Replace><Item><Target><LocURI>" uri "</LocURI></Target><Data>" value "</Data></Item>" \
        "</Replace>"
#define GET(uri) "<Get><Item><Target><LocURI>" uri "</LocURI></Target></Item></Get>"
#define EXEC(uri)                                                                                 \
        "<Exec><Correlator>n1</Correlator><Item><Target><LocURI>" uri "</LocURI></Target></Item>" \
        "</Exec>"
#define ID "=ID nightly"
#define HOURLY "=Condition/1/Timer/Base 0", "=Condition/1/Timer/Recurrence FREQ=HOURLY"
#define ONCE "=Condition/1/Timer/Base 20101117T140000Z"
#define CMD "=Task/1/Cmd " SET("./T/n", "1")
#define PLAIN ID, HOURLY, CMD
#define GOOD "TaskResult:1200:20:-"

static const struct story {
        const char *why, *line[40];
} stories[] = {
        {"made: inactive, its server's, with what can be asked of it",
         {PLAIN, "s10", "v Server srv", "*", "s10", "n never", "g ./T/n 0", ">"}},
        {"each hour from activation on",
         {PLAIN, "!Activate 1200", "s20", "*", "g ./T/n 1", "s20", "v Runs 1", "v LastResult 1200",
          "v LastRun 20101117T132000Z", "> " GOOD, ">", "n 3600", "d ./T/n 0", "+3599", "g ./T/n 0",
          "+1", "g ./T/n 1", "v Runs 2", "> " GOOD}},
        {"once, and it is finished",
         {ID, ONCE, CMD, "!Activate 1200", "*", "s20", "n 2400", "+2400", "g ./T/n 1", "s40",
          "> TaskResult:1200:40:-", "n never", "!Activate 1200", "*", "s40", "v Runs 1"}},
        {"local time is what the clock on the wall shows",
         {ID, "=Condition/1/Timer/Base 20101117T150000", CMD, "!Activate 1200", "*", "n 2400"}},
        {"deactivated it does nothing",
         {PLAIN, "!Activate 1200", "*", "!Deactivate 1200", "s10", "d ./T/n 0", "+7200",
          "g ./T/n 0", "!Deactivate 1200", "*", "n never"}},
        {"activated twice is activated once",
         {PLAIN, "!Activate 1200", "*", "v Runs 1", "!Activate 1200", "*", "v Runs 1"}},
        {"as often as Repeat says",
         {PLAIN, "=Repeat 2", "!Activate 1200", "*", "s20", "+3600", "s40", "v Runs 2",
          "> " GOOD " TaskResult:1200:40:-", "!RunNow 405", "!Activate 1200", "*", "v Runs 1"}},
        {"a count is used up",
         {ID, "=Condition/1/Timer/Base 20101117T133000Z",
          "=Condition/1/Timer/Recurrence FREQ=MINUTELY;COUNT=2", CMD, "!Activate 1200", "+600",
          "s20", "+60", "s40", "v Runs 2"}},
        {"run now, and back to what it was",
         {PLAIN, "!RunNow 202 c1", "s30", "*", "s10", "g ./T/n 1", "v Runs 1",
          "> TaskResult:1200:10:c1", ">"}},
        {"run now tells its end whatever Gating says",
         {PLAIN, "=Gating 0", "!RunNow 202", "*", "> TaskResult:1200:10:-"}},
        {"run now while it is active",
         {ID, ONCE, CMD, "!Activate 1200", "*", "!RunNow 202 c1", "*", "s20",
          "> TaskResult:1200:20:c1", "+2400", "s40"}},
        {"run now of what is finished",
         {ID, ONCE, CMD, "!Activate 1200", "+2400", "s40", ">TaskResult:1200:40:-", "!RunNow 202 c",
          "*", "s40", "> TaskResult:1200:40:c"}},
        {"run now when it is not valid yet, or no more",
         {PLAIN, "=Valid/From 20101117T132001Z", "!RunNow 405", "s10", "+1", "!RunNow 202", "*",
          "v Runs 1", "=Valid/To 20101117T132002Z", "!RunNow 202", "*", "+1", "!RunNow 405", "s10",
          "v Runs 2"}},
        {"run now when no clock tells whether it is valid",
         {"u", PLAIN, "=Valid/From 20101117T132000Z", "!RunNow 405", "c0", "!RunNow 202"}},
        {"while it runs",
         {PLAIN, "B1", "!RunNow 202 c1", "*", "s30", "!RunNow 405", "!Activate 405",
          "!Deactivate 405", "& ;405", "=Task/1/Seq 1 ;405", "=Condition/1/Timer/Window 5",
          "=Gating 3", "B0", "+1", "s10", "> TaskResult:1200:10:c1"}},
        {"only successes that are asked for",
         {PLAIN, "=Gating 2", "!Activate 1200", "*", "v Runs 1", ">"}},
        {"a failing command does not stop the others",
         {ID, HOURLY, "=Task/1/Cmd " SET("./No/n", "1"), "=Task/2/Cmd " SET("./T/n", "2"),
          "=Gating 2", "!Activate 1200", "*", "g ./T/n 2", "> TaskResult:1201:20:-"}},
        {"all failed",
         {ID, HOURLY, "=Task/1/Cmd " SET("./No/n", "1"), "=Gating 2", "!Activate 1200", "*",
          "> TaskResult:1402:20:-", "v LastResult 1402"}},
        {"its owner may not",
         {ID, HOURLY, "=Task/1/Cmd " SET("./T/n", "1"), "d ./T?prop=ACL Get=*", "!Activate 1200",
          "*", "g ./T/n 0", "> TaskResult:1403:20:-"}},
        {"rights are those of the time of the run",
         {PLAIN, "d ./T?prop=ACL Get=*", "!Activate 1200", "*", "> TaskResult:1403:20:-",
          "d ./T?prop=ACL Replace=srv", "+3600", "> " GOOD, "g ./T/n 1"}},
        {"in the order of Seq, then of name",
         {ID, HOURLY, "=Task/1/Cmd " SET("./T/n", "first"), "=Task/1/Seq 7",
          "=Task/2/Cmd " SET("./T/n", "second"), "=Task/0/Cmd " SET("./T/n", "third"),
          "!Activate 1200", "*", "g ./T/n first"}},
        {"the Log",
         {ID, HOURLY, "=Task/1/Cmd " GET("./T/n"), "!Activate 1200", "*", "v Log/0000000000/Data 0",
          "v Log/0000000000/Cmd 1", "v Log/0000000000/Status 200",
          "v Log/0000000000/Time 20101117T132000Z", "&Log/0000000000",
          "v Log/0000000000/Cmd (none)"}},
        {"an Exec starts a task of its own, with its own Correlator",
         {ID, HOURLY, "=Task/1/Cmd " EXEC("./FUMO/main/Download"), "!Activate 1200", "*",
          "g ./FUMO/main/State 30", "g ./Vendor/Task/1/Correlator n1",
          "g ./Vendor/Task/1/Server srv", "> " GOOD, "+3600", "> TaskResult:1402:20:-"}},
        {"an Atomic is done or not done",
         {ID, HOURLY, "=Task/1/Cmd <Atomic>" SET("./T/n", "5") SET("./No/x", "1") "</Atomic>",
          "!Activate 1200", "*", "g ./T/n 0", "v Log/0000000000/Status 507",
          "v Log/0000000001/Status 216", "v Log/0000000002/Status 404", "> TaskResult:1402:20:-"}},
        {"a Sequence with an Atomic in it",
         {ID, HOURLY,
          "=Task/1/Cmd <Sequence>" SET("./T/n", "5") "<Atomic>" SET("./T/n", "6") "</Atomic>" GET(
                  "./T/n") "</Sequence>",
          "!Activate 1200", "*", "g ./T/n 6", "> " GOOD, "v Log/0000000004/Data 6",
          "v Log/0000000004/Cmd 5"}},
        {"one may activate another",
         {PLAIN, "=b/ID second", "=b/Condition/1/Timer/Base 0", "=b/Task/1/Cmd " SET("./T/n", "b"),
          "=Task/1/Cmd " EXEC("./Schedule/b/Operations/Activate"), "!Activate 1200", "*",
          "g ./T/n b", "v b/State 40"}},
        {"the end of one activates the next",
         {ID, "=Condition/1/Timer/Base 0", CMD, "=Next second", "=b/ID second",
          "=b/Condition/1/Timer/Base 0", "=b/Task/1/Cmd " SET("./T/n", "b"), "!Activate 1200", "*",
          "g ./T/n b", "s40", "v b/State 40"}},
        {"the next one is badly configured",
         {ID, "=Condition/1/Timer/Base 0", CMD, "=Next second", "=b/ID second",
          "=b/Condition/1/Timer/Base soon", "=b/Task/1/Cmd " SET("./T/n", "b"), "=Gating 0",
          "!Activate 1200", "*", "s40", "v b/State 70", "> StateChange:1404:70:-"}},
        {"changes of state are told when that is wanted",
         {ID, "=Condition/1/Timer/Base 0", CMD, "=Gating 16", "!Activate 1200", "*", "s40",
          "> StateChange:1200:40:-"}},
        {"a report the server could not take is told again",
         {PLAIN, "!Activate 1200", "*", "< " GOOD, "> " GOOD, ">"}},

        /* validity */
        {"not before it is valid",
         {PLAIN, "=Valid/From 20101117T152000Z", "!Activate 1200", "*", "v Runs 0", "s20", "n 3600",
          "+3600", "v Runs 0", "n 3600", "+3600", "v Runs 1", "g ./T/n 1"}},
        {"expired",
         {PLAIN,
          "=Valid/To 20101117T140000Z",
          "=Gating 16",
          "!Activate 1200",
          "*",
          "s20",
          "n 2400",
          "+2399",
          "s20",
          "+1",
          "s50",
          "> StateChange:1200:50:-",
          "+7200",
          "v Runs 1",
          "!RunNow 405",
          "!Deactivate 405",
          "=Valid/To 20101118T000000Z",
          "!Activate 1200",
          "*",
          "s20"}},

        /* missed runs */
        {"several missed: one late run, the others counted",
         {PLAIN, "=Gating 33", "!Activate 1200", "*", "> " GOOD, "+18000", "v Runs 2",
          "v Ext/xrem/Missed 4", "> TaskResult:1405:20:- " GOOD}},
        {"too late for its window: missed",
         {ID, "=Condition/1/Timer/Base 20101117T140000Z",
          "=Condition/1/Timer/Recurrence FREQ=DAILY", "=Condition/1/Timer/Window 60", CMD,
          "=Gating 32", "!Activate 1200", "*", "+2461", "v Runs 0", "g ./T/n 0",
          "v Ext/xrem/Missed 1", "v LastResult 1405", "> TaskResult:1405:20:-",
          "v Log/0000000000/Status 1405", "n 3600", "+86399", "v Runs 1"}},
        {"within its window: late",
         {ID, "=Condition/1/Timer/Base 20101117T140000Z",
          "=Condition/1/Timer/Recurrence FREQ=DAILY", "=Condition/1/Timer/Window 60", CMD,
          "!Activate 1200", "*", "+2460", "v Runs 1"}},
        {"what came again and again before activation is nothing to make up for",
         {ID, "=Condition/1/Timer/Base 20101101T020000Z",
          "=Condition/1/Timer/Recurrence FREQ=DAILY", CMD, "!Activate 1200", "*", "v Runs 0",
          "v Ext/xrem/Missed 0"}},
        {"once, a moment ago: late",
         {ID, "=Condition/1/Timer/Base 20101117T131900Z", CMD, "!Activate 1200", "*", "s40",
          "v Runs 1"}},
        {"once, too long ago: missed, and finished",
         {ID, "=Condition/1/Timer/Base 20101117T131900Z", "=Condition/1/Timer/Window 30", CMD,
          "!Activate 1200", "*", "s40", "v Runs 0", "v Ext/xrem/Missed 1"}},
        {"the clock jumps on: one run",
         {ID, "=Condition/1/Timer/Base 20101117T140000Z",
          "=Condition/1/Timer/Recurrence FREQ=DAILY", CMD, "!Activate 1200", "*", "j864000",
          "v Runs 1", "v Ext/xrem/Missed 9"}},
        {"the clock jumps back: no time comes twice",
         {ID, "=Condition/1/Timer/Base 20101117T140000Z",
          "=Condition/1/Timer/Recurrence FREQ=HOURLY", CMD, "!Activate 1200", "*", "+2400",
          "v Runs 1", "j-1800", "+1800", "v Runs 1", "n 1800", "+3600", "v Runs 2"}},
        {"a clock that was far ahead is put right: it goes on",
         {ID, "=Condition/1/Timer/Base 20101117T140000Z",
          "=Condition/1/Timer/Recurrence FREQ=DAILY", CMD, "!Activate 1200", "*", "j8640000",
          "v Runs 1", "j-8640000", "v Runs 1", "n 2400", "+2400", "v Runs 2", "n 3600", "+86400",
          "v Runs 3"}},
        {"and when the device starts before it is put right, and after that",
         {ID, "=Condition/1/Timer/Base 20101117T140000Z",
          "=Condition/1/Timer/Recurrence FREQ=DAILY", CMD, "!Activate 1200", "*", "j8640000", "R",
          "v Runs 1", "j-8640000", "v Ext/xrem/Seen 20101117T132000Z", "R", "*", "+2400",
          "v Runs 2"}},
        {"activated by a clock that is far ahead",
         {ID, "=Condition/1/Timer/Base 20101117T140000Z",
          "=Condition/1/Timer/Recurrence FREQ=DAILY", CMD, "j8640000", "!Activate 1200", "*",
          "v Runs 0", "j-8640000", "v Ext/xrem/Armed 20101117T132000Z", "+2400", "v Runs 1"}},
        {"an interval that was counted by a clock far ahead",
         {PLAIN, "!Activate 1200", "*", "v Runs 1", "j8640000", "R", "*", "v Runs 2", "j-8640000",
          "R", "*", "v Runs 2", "+3600", "v Runs 3"}},
        {"from activation on, no jump matters",
         {PLAIN, "!Activate 1200", "*", "v Runs 1", "j864000", "v Runs 1", "j-1000000", "v Runs 1",
          "+3600", "v Runs 2"}},

        /* no clock */
        {"without a clock times of the calendar wait",
         {"u", ID, "=Condition/1/Timer/Base 20101117T140000Z", CMD, "!Activate 1200", "*", "+7200",
          "s20", "v Runs 0", "c0", "s20", "n 2400", "+2400", "s40", "v Runs 1"}},
        {"and intervals do not",
         {"u", PLAIN, "!Activate 1200", "*", "v Runs 1", "+3600", "v Runs 2", "c0", "v Runs 2",
          "v Ext/xrem/Armed 20101117T122000Z", "n 3600", "+3600", "v Runs 3"}},
        {"a rule of the calendar counts from when the clock is set",
         {"u", ID, "=Condition/1/Timer/Base 0", "=Condition/1/Timer/Recurrence FREQ=DAILY;BYHOUR=2",
          CMD, "!Activate 1200", "*", "+60", "v Runs 0", "c0", "v Runs 1", "n 3600"}},

        /* requirements */
        {"suspended until its requirements hold",
         {PLAIN, "=Require power link=WLAN load<=150", "=Gating 17", "L link=WLAN",
          "!Activate 1200", "*", "s60", "> StateChange:1200:60:-", "v Runs 0", "n 10", "+10", "s60",
          "L", "+10", "s20", "v Runs 1", "> " GOOD}},
        {"not within the window: missed",
         {PLAIN, "=Condition/1/Timer/Window 30", "=Require power", "=Gating 32", "L power",
          "!Activate 1200", "*", "s60", "+30", "s60", "+1", "s20", "v Runs 0",
          "> TaskResult:1405:20:-"}},
        {"the next time takes the place of the one before",
         {PLAIN, "=Require power", "L power", "!Activate 1200", "*", "s60", "+3600", "s60", "L",
          "+10", "v Runs 1", "v Ext/xrem/Missed 1"}},
        {"deactivated while suspended",
         {PLAIN, "=Require power", "L power", "!Activate 1200", "*", "s60", "!Deactivate 1200",
          "s10", "L", "+100", "v Runs 0"}},

        /* traps, thresholds */
        {"a trap fires",
         {ID, "=Condition/1/Trap/TrapID t:low", CMD, "!Activate 1200", "*", "s20", "g ./T/n 0",
          "T1", "*", "g ./T/n 1", "v Runs 1", "*", "v Runs 1", "T0", "*", "v Runs 1", "M", "*",
          "v Runs 2"}},
        {"a trap that was active before is no event",
         {ID, "=Condition/1/Trap/TrapID t:low", CMD, "T1", "!Activate 1200", "*", "v Runs 0"}},
        {"a trap elsewhere",
         {ID, "=Condition/1/Trap/TrapID else:one", CMD, "!Activate 1200", "s20"}},
        {"a trap elsewhere, which is not for its owner",
         {ID, "=Condition/1/Trap/TrapID else:two", CMD, "!Activate 1404",
          "v Ext/xrem/Reason its owner may not read the device of its trap"}},
        {"its trap is gone",
         {ID, "=Condition/1/Trap/TrapID t:low", CMD, "!Activate 1200", "*", "X", "*", "s70",
          "> StateChange:1404:70:-", "v Ext/xrem/Reason its trap is gone", "!Activate 1404"}},
        {"a value reaches a limit",
         {ID,
          "=Condition/1/Threshold/Ref ./T/x",
          "=Condition/1/Threshold/High 80",
          CMD,
          "d ./T/x 79",
          "!Activate 1200",
          "*",
          "v Runs 0",
          "n 60",
          "d ./T/x 80.5",
          "+59",
          "v Runs 0",
          "+1",
          "v Runs 1",
          "+60",
          "v Runs 1",
          "d ./T/x 3",
          "+60",
          "d ./T/x 80",
          "+60",
          "v Runs 2"}},
        {"or falls to one, looked at as often as it says",
         {ID, "=Condition/1/Threshold/Ref ./T/x", "=Condition/1/Threshold/Low -5",
          "=Condition/1/Threshold/SampIntrvl 2", CMD, "!Activate 1200", "*", "n 2", "d ./T/x -5",
          "+2", "v Runs 1"}},
        {"what the owner may not read starts nothing",
         {ID, "=Condition/1/Threshold/Ref ./T/x", "=Condition/1/Threshold/High 1", CMD, "d ./T/x 5",
          "d ./T?prop=ACL Replace=srv", "!Activate 1200", "*", "+60", "v Runs 0"}},
        {"at a time, if a value is low then",
         {ID, HOURLY, "=Condition/1/Threshold/Ref ./T/x", "=Condition/1/Threshold/Low 5",
          "=Condition/1/Timer/Window 300", CMD, "d ./T/x 9", "!Activate 1200", "*", "v Runs 0",
          "n 60", "+60", "d ./T/x 5", "+60", "v Runs 1", "n 3480"}},
        {"not met within the window is not missed",
         {ID, HOURLY, "=Condition/1/Threshold/Ref ./T/x", "=Condition/1/Threshold/Low 5",
          "=Condition/1/Timer/Window 100", CMD, "d ./T/x 9", "!Activate 1200", "*", "+60", "+60",
          "d ./T/x 1", "+60", "v Runs 0", "v Ext/xrem/Missed 0"}},
        {"a trap and a value together",
         {ID, "=Condition/1/Trap/TrapID t:low", "=Condition/1/Threshold/Ref ./T/x",
          "=Condition/1/Threshold/Low 5", CMD, "d ./T/x 9", "!Activate 1200", "*", "T1", "*",
          "v Runs 0", "d ./T/x 5", "+60", "v Runs 1", "+60", "v Runs 1"}},
        {"either of two conditions",
         {ID, "=Condition/1/Trap/TrapID t:low", "=Condition/2/Timer/Base 0",
          "=Condition/2/Timer/Recurrence FREQ=HOURLY", CMD, "!Activate 1200", "*", "v Runs 1", "T1",
          "*", "v Runs 2", "+3600", "v Runs 3"}},

        /* changes while it is active */
        {"a new rule counts at once",
         {PLAIN, "!Activate 1200", "*", "n 3600", "=Condition/1/Timer/Recurrence FREQ=MINUTELY",
          "*", "n 60", "+60", "v Runs 2"}},
        {"a bad one is an error, which is always told",
         {PLAIN, "=Gating 0", "!Activate 1200", "*", "=Condition/1/Timer/Recurrence FREQ=NEVER",
          "*", "s70", "> StateChange:1404:70:-", "=Condition/1/Timer/Recurrence FREQ=DAILY", "+10",
          "s70", "!RunNow 405", "!Activate 1200", "*", "s20"}},
        {"deleted while it is active", {PLAIN, "!Activate 1200", "*", "&", "+7200", "n never"}},

        /* whose it is */
        {"others may not change or execute it, whatever their rights",
         {PLAIN, "@other", "=ID x ;425", "=Task/2/Cmd x ;425", "!Activate 425", "!RunNow 425",
          "& ;425", "=b/ID mine", "v b/Server other", "@srv", "=b/ID yours ;425"}},
        {"what the device says of it nobody else does",
         {PLAIN, "=State 30 ;405", "=Server other ;405", "=Runs 9 ;405", "=Log/1/Cmd 1 ;405",
          "=Ext/xrem/Level 0 ;405", "=LastRun x ;405", "=Operations/More x ;405", "&State ;405",
          "&Operations ;405", "&Server ;405"}},
        {"its owner is gone, and so is it after a week",
         {PLAIN, "!Activate 1200", "*", "A0", "*", "s70", "v LastResult 1403", "+604799", "s70",
          "+4000", "v State (none)", "n never"}},
        {"its owner comes back: it stays, in error",
         {PLAIN, "!Activate 1200", "A0", "*", "s70", "A1", "*", "v Ext/xrem/Gone (none)", "+700000",
          "s70", "!Activate 1200", "s20"}},
        {"anybody may delete it then",
         {PLAIN, "!Activate 1200", "A0", "*", "s70", "@other", "&", "v State (none)", "@srv"}},

        /* what may not be stored */
        {"an Alert",
         {ID, HOURLY, "=Task/1/Cmd <Alert><Data>1100</Data></Alert>", "!Activate 1404", "s70", ">",
          "v Ext/xrem/Reason no Alert in a task", "!RunNow 405"}},
        {"a schedule may make another, which may make none",
         {ID, HOURLY,
          "=Task/1/Cmd <Add><Item><Target><LocURI>./Schedule/b/ID</LocURI></Target><Data>b</Data>"
          "</Item></Add>",
          "!Activate 1200", "*", "v b/ID b", "v b/Server srv", "v b/Ext/xrem/Level 1",
          "=b/Condition/1/Timer/Base 0",
          "=b/Task/1/Cmd <Add><Item><Target><LocURI>./Schedule/c/ID</LocURI></Target><Data>c</Data>"
          "</Item></Add>",
          "!b/Activate 1404", "v b/State 70"}},
        {"bad configurations, one after the other",
         {"=Name x",
          "!Activate 1404",
          ID,
          "!Activate 1404",
          "=Condition/1/Timer/Window 1",
          "!Activate 1404",
          "=Condition/1/Timer/Base soon",
          "!Activate 1404",
          "=Condition/1/Timer/Base 0",
          "!Activate 1404",
          CMD,
          "!Activate 1200",
          "!Deactivate 1200",
          "=Valid/From tomorrow",
          "!Activate 1404",
          "=Valid/From 20100101T000000",
          "=Require sun",
          "!Activate 1404",
          "=Require load<=x",
          "!Activate 1404",
          "=Require power",
          "=Condition/2/Trap/TrapID none",
          "!Activate 1404",
          "&Condition/2",
          "=Condition/3/Threshold/Ref ./T/n",
          "!Activate 1404",
          "=Condition/3/Threshold/High 3",
          "=Condition/3/Threshold/SampIntrvl 0",
          "!Activate 1404",
          "&Condition/3",
          "=b/ID nightly",
          "!Activate 1404",
          "=b/ID other",
          "=Task/2/Seq 1",
          "!Activate 1404",
          "&Task/2"}},
        {"after all that", {PLAIN, "!Activate 1200", "=Gating -1", "*", "s70"}},

        /* restarts */
        {"what was active is active after a restart, and nothing runs twice",
         {PLAIN, "!Activate 1200", "*", "v Runs 1", "R", "*", "v Runs 1", "+3600", "v Runs 2"}},
        {"a time of the calendar neither",
         {ID, "=Condition/1/Timer/Base 20101117T140000Z",
          "=Condition/1/Timer/Recurrence FREQ=HOURLY", CMD, "!Activate 1200", "+2400", "v Runs 1",
          "R", "*", "v Runs 1", "n 3600"}},
        {"what came while it was off: one late run",
         {ID, "=Condition/1/Timer/Base 20101117T140000Z",
          "=Condition/1/Timer/Recurrence FREQ=HOURLY", CMD, "!Activate 1200", "+2400", "v Runs 1",
          "R", "j10800", "v Runs 2", "v Ext/xrem/Missed 2"}},
        {"reports wait through it", {PLAIN, "!Activate 1200", "*", "R", "> " GOOD, ">"}},
        {"a value that stays high over a restart starts nothing again",
         {ID, "=Condition/1/Threshold/Ref ./T/x", "=Condition/1/Threshold/High 80", CMD,
          "d ./T/x 90", "!Activate 1200", "*", "v Runs 1", "R", "*", "+60", "v Runs 1"}},
        {"without a clock after it, intervals begin anew",
         {PLAIN, "!Activate 1200", "*", "v Runs 1", "R", "u", "*", "v Runs 1", "+3600",
          "v Runs 2"}},
};

static void every_arrow(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(stories); i++) {
                server = "srv";
                cur = &machines[0];
                assert_int_equal(open_lab(cur, &heap), 0);
                for (size_t k = 0; k < ODM_COUNT(stories[i].line) && stories[i].line[k]; k++)
                        tell(cur, stories[i].why, stories[i].line[k]);
                close_lab(cur);
        }
}

/* ---- what is told ------------------------------------------------------------------------- */

static char heard[2048];

static int hear_data(void *ctx, const odm_alert *a)
{
        (void)ctx;
        snprintf(heard, sizeof heard, "%.*s|%.*s|%.*s|%.*s|%.*s", (int)a->source.n, a->source.p,
                 (int)a->source_name.n, a->source_name.p ? a->source_name.p : "", (int)a->type.n,
                 a->type.p, (int)a->mark.n, a->mark.p, (int)a->data.n, a->data.p);
        return 0;
}

static void an_alert_is_as_chapter_7_says(void **state)
{
        static const char *const lines[] = {
                "=ID <a & b>",
                HOURLY,
                "=Task/1/Cmd <Sequence>" SET("./T/n", "1") SET("./No/n", "1") "</Sequence>",
                "=Task/2/Cmd <Replace><Item><Target><LocURI>./T/n</LocURI></Target><Data>1</Data>"
                "</Item><Item><Target><LocURI>./No</LocURI></Target><Data>1</Data></Item></"
                "Replace>",
                "!Activate 1200",
                "*"};

        (void)state;
        cur = &machines[0];
        assert_int_equal(open_lab(cur, &heap), 0);
        for (size_t i = 0; i < ODM_COUNT(lines); i++)
                tell(cur, "", lines[i]);
        assert_int_equal(odm_schedules_alerts(w.s, ODM_STR("srv"), w.now.wall, hear_data, NULL), 0);
        assert_string_equal(heard,
                            "./Schedule/a||urn:oma:at:x-dm-scheduling:1.0:TaskResult|informational|"
                            "<ResultCode>1201</ResultCode><ID>&lt;a &amp; b&gt;</ID>"
                            "<Time>20101117T132000Z</Time><State>20</State>"
                            "<Cmd seq=\"1\"><Name>Sequence</Name><Status>200</Status></Cmd>"
                            "<Cmd seq=\"2\"><Name>Replace</Name><Status>200</Status></Cmd>"
                            "<Cmd seq=\"3\"><Name>Replace</Name><Status>404</Status></Cmd>"
                            "<Cmd seq=\"4\"><Name>Replace</Name><Status>404</Status></Cmd>");
        assert_int_equal(odm_schedules_alerts(w.s, ODM_STR("srv"), (odm_wall){w.now.wall.s + 61},
                                              hear_data, NULL),
                         0);
        assert_non_null(strstr(heard, "./Schedule/a|20101117T132000Z|")); /* when it was */
        heard[0] = 0;
        assert_int_equal(odm_schedules_alerts(w.s, ODM_STR("other"), w.now.wall, hear_data, NULL),
                         0);
        assert_string_equal(heard, "");
        close_lab(cur);
}

static int count_alert(void *ctx, const odm_alert *a)
{
        (void)a;
        ++*(unsigned *)ctx;
        return 0;
}

static void what_grows_has_a_ceiling(void **state)
{
        unsigned n = 0;
        char uri[64];

        (void)state;
        cur = &machines[0];
        assert_int_equal(open_lab(cur, &heap), 0);
        tell(cur, "", ID);
        tell(cur, "", "=Condition/1/Timer/Base 0");
        tell(cur, "", "=Condition/1/Timer/Recurrence FREQ=MINUTELY");
        tell(cur, "", CMD);
        tell(cur, "", "!Activate 1200");
        tell(cur, "", "*");
        for (int i = 0; i < ODM_SCHEDULE_LOG + 5; i++) {
                tell(cur, "", "+60");
                while (cur->n_log) /* nothing is cut here */
                        exact_free(cur->log[--cur->n_log]);
        }
        assert_int_equal(odm_schedules_counted(w.s).reports, ODM_SCHEDULE_REPORTS);
        assert_int_equal(odm_schedules_alerts(w.s, ODM_STR("srv"), w.now.wall, count_alert, &n), 0);
        assert_int_equal(n, ODM_SCHEDULE_REPORTS);
        tell(cur, "the oldest are gone", "v Log/0000000005/Cmd (none)");
        tell(cur, "the others are there", "v Log/0000000006/Cmd 1");
        tell(cur, "up to the latest", "v Log/0000000105/Cmd 1");
        for (int i = 1; i < ODM_SCHEDULE_MAX; i++) {
                snprintf(uri, sizeof uri, "s%d/ID", i);
                assert_int_equal(set(cur, "srv", uri, "x"), 200);
        }
        assert_int_equal(set(cur, "srv", "more/ID", "x"), 420);
        for (int i = 2; i <= ODM_SCHEDULE_CONDITIONS + 1; i++) {
                snprintf(uri, sizeof uri, "a/Condition/%d/Timer/Base", i);
                assert_int_equal(set(cur, "srv", uri, "0"), 200);
        }
        tell(cur, "too many conditions", "*");
        tell(cur, "are an error", "s70");
        close_lab(cur);
}

/* ---- power cuts ------------------------------------------------------------------------- */

#define ADD(uri) "<Add><Item><Target><LocURI>" uri "</LocURI></Target><Data>1</Data></Item></Add>"

static const char *const long_run[] = {
        ID,
        HOURLY,
        "=Task/1/Cmd " ADD("./T/a"),
        "=Task/2/Cmd <Atomic>" ADD("./T/b") SET("./T/n", "7") "</Atomic>",
        "=Task/3/Cmd " EXEC("./FUMO/main/Download"),
        "=Task/4/Cmd <Sequence>" ADD("./T/c") GET("./T/n") "</Sequence>",
        "!RunNow 202 c1",
};

static void order_long_run(lab *l)
{
        for (size_t i = 0; i < ODM_COUNT(long_run); i++)
                tell(l, "", long_run[i]);
}

/* Whatever was on the disk: the rest is done, nothing twice, and it is told once. */
static void goes_on_to_one_report(lab *l, size_t n)
{
        bool ordered = strcmp(lab_get(l, "./Schedule/a/State"), "30") == 0;
        bool over = strcmp(lab_get(l, "./Schedule/a/Runs"), "1") == 0;
        unsigned tasks = 0;

        look(l, "after a power cut");
        if (ordered || over)
                expect_text(l, "after a power cut", "./Schedule/a/State", "10");
        while (odm_tasks_at(l->tasks, tasks))
                tasks++;
        heard[0] = 0;
        assert_int_equal(odm_schedules_alerts(w.s, ODM_STR("srv"), w.now.wall, hear_data, NULL), 0);
        if ((ordered || over) != (heard[0] != 0))
                fail_msg("cut after %zu: told '%s'", n, heard);
        if (strstr(heard, "418") || tasks > 1)
                fail_msg("cut after %zu, %u tasks: done twice: %s", n, tasks, heard);
        if (heard[0] && !strstr(heard, "<Status>500") && (tasks != 1 || !strstr(heard, ">1200<")))
                fail_msg("cut after %zu, %u tasks: %s", n, tasks, heard);
        if (heard[0])
                expect_text(l, "all of it is done", "./T/c", "1");
        report(l, "srv", 200);
        report(l, "srv", 200);
        assert_string_equal(l->said, "");
}

static void the_power_may_go_after_any_record(void **state)
{
        static lab first, again;
        size_t told = 0;

        (void)state;
        assert_int_equal(open_lab(&first, &heap), 0);
        order_long_run(&first);
        look(&first, "");
        odm_schedules_free(w.s);
        for (size_t n = 0; n <= first.n_log; n++) {
                w.hub = (odm_trap_hub){.elsewhere = elsewhere};
                assert_int_equal(lab_restart(&first, n, &again, mount, made), 0);
                goes_on_to_one_report(&again, n);
                told += heard[0] != 0;
                odm_schedules_free(w.s);
                lab_close(&again);
        }
        assert_true(told > 8);
        lab_close(&first);
}

static void what_is_late_after_a_power_cut(void **state)
{
        static const struct {
                const char *why;
                unsigned moves; /* of the run before the cut */
                const char *told, *leaf;
        } rows[] = {
                {"nothing was done: missed", 1, "TaskResult:1405:20:-", "v ./No (none)"},
                {"the first was done: the rest is not", 2, "TaskResult:1201:20:-",
                 "v Log/0000000001/Status 215"},
                {"an Exec was begun: nobody knows", 3, "TaskResult:1201:20:-",
                 "v Log/0000000001/Status 500"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                cur = &machines[0];
                assert_int_equal(open_lab(cur, &heap), 0);
                tell(cur, "", ID);
                tell(cur, "", "=Condition/1/Timer/Base 20101117T132000Z");
                tell(cur, "", "=Condition/1/Timer/Recurrence FREQ=DAILY");
                tell(cur, "", "=Condition/1/Timer/Window 60");
                tell(cur, "", "=Gating 35");
                tell(cur, "", "=Task/1/Cmd " ADD("./T/a"));
                tell(cur, "", "=Task/2/Cmd " EXEC("./FUMO/main/Download"));
                tell(cur, "", "=Task/3/Cmd " ADD("./T/b"));
                tell(cur, "", "!Activate 1200");
                for (unsigned k = 0; k < rows[i].moves; k++)
                        assert_int_equal(odm_schedules_look(w.s, &w.now), 1);
                tell(cur, rows[i].why, "s30");
                restart(rows[i].why);
                tell(cur, rows[i].why, "j61");
                tell(cur, rows[i].why, "s20");
                report(cur, "srv", 200);
                if (strcmp(cur->said, rows[i].told) != 0)
                        fail_msg("%s: told '%s'", rows[i].why, cur->said);
                if (rows[i].moves > 1)
                        tell(cur, rows[i].why, rows[i].leaf);
                tell(cur, rows[i].why, "g ./T/b (none)");
                close_lab(cur);
        }
}

/* ---- failures ------------------------------------------------------------------------------ */

static void a_log_that_fails_changes_nothing(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        order_long_run(&l);
        l.log_fails = true;
        for (int i = 0; i < 3; i++)
                assert_int_equal(odm_schedules_look(w.s, &w.now), ODM_EIO);
        assert_string_equal(lab_get(&l, "./T/a"), "(none)");
        l.log_fails = false;
        look(&l, "");
        assert_string_equal(lab_get(&l, "./T/c"), "1");
        report(&l, "srv", 200);
        assert_string_equal(l.said, "TaskResult:1200:10:c1");
        close_lab(&l);
}

static int try_set(lab *l, const char *rel, const char *data)
{
        char uri[200];
        unsigned status = 0;
        int rc;

        snprintf(uri, sizeof uri, "./Schedule/a/%s", rel);
        rc = operate(l, "srv", ODM_CMD_ADD, uri, ODM_FMT_ABSENT, data, NULL, &status);
        return rc < 0 ? rc : status == 200 ? 0 : ODM_ENOMEM;
}

static int run_through(failing *f, void *arg)
{
        static const char *const leaves[][2] = {
                {"ID", "x"},
                {"Condition/1/Timer/Base", "0"},
                {"Condition/1/Timer/Recurrence", "FREQ=HOURLY;COUNT=2"},
                {"Condition/2/Trap/TrapID", "t:low"},
                {"Condition/2/Threshold/Ref", "./T/n"},
                {"Condition/2/Threshold/High", "5"},
                {"Require", "power"},
                {"Task/1/Cmd", "<Atomic>" ADD("./T/b") SET("./T/n", "7") "</Atomic>"},
                {"Task/2/Cmd", GET("./T?list=TNDS")},
                {"Task/3/Cmd", EXEC("./FUMO/main/Download")}};
        unsigned status = 0, n = 0;
        lab l;
        int rc = open_lab(&l, &f->mem);

        (void)arg;
        for (size_t i = 0; i < ODM_COUNT(leaves) && rc == 0; i++)
                rc = try_set(&l, leaves[i][0], leaves[i][1]);
        if (rc == 0)
                rc = operate(&l, "srv", ODM_CMD_EXEC, "./Schedule/a/Operations/Activate",
                             ODM_FMT_ABSENT, NULL, NULL, &status);
        for (int i = 0; i < 20 && rc == 0; i++) {
                rc = odm_schedules_look(w.s, &w.now);
                if (rc == 0)
                        pass(3600);
                else if (rc == 1)
                        rc = 0;
        }
        if (rc == 0)
                rc = odm_schedules_alerts(w.s, ODM_STR("srv"), w.now.wall, count_alert, &n);
        if (rc == 0)
                rc = odm_schedules_alerted(w.s, 0, 200, LAB_NOW);
        odm_schedules_free(w.s);
        w.s = NULL;
        lab_close(&l);
        return rc;
}

static void each_allocation_may_fail(void **state)
{
        (void)state;
        torture(run_through, NULL, 400);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_arrow),
                cmocka_unit_test(an_alert_is_as_chapter_7_says),
                cmocka_unit_test(what_grows_has_a_ceiling),
                cmocka_unit_test(the_power_may_go_after_any_record),
                cmocka_unit_test(what_is_late_after_a_power_cut),
                cmocka_unit_test(a_log_that_fails_changes_nothing),
                cmocka_unit_test(each_allocation_may_fail),
        };

        return RUN_TESTS(tests);
}
