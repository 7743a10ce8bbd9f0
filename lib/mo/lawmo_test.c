/* SPDX-License-Identifier: Apache-2.0 */
/* LAWMO: every arrow and every refusal of mo-lawmo-dcmo.md A3 and A4, the codes of A6, the power
 * cut after each record of A7, each allocation failing in turn. */
#include "odm/lawmo.h"

#include "lab.h"
#include "mo.h"

#define ALL 0x3e /* bits 1 to 5 */

static odm_lawmo lawmo; /* one at a time: tests and restarts do not overlap */
static unsigned able = ALL;
static bool wipes_data = true, notifies = true;
static size_t n_items = 2;

static const odm_lawmo_item items[] = {{"logs", "Logs"}, {"meter", "Meter data"}, {"x", "X"}};

static int mount(lab *l)
{
        lawmo = (odm_lawmo){.able = able, .wipes_data = wipes_data, .notifies = notifies};
        return odm_lawmo_mount(&lawmo, l->tasks, &odm_mo_lawmo);
}

static int made(lab *l)
{
        const odm_value acl = {.data = ODM_STR("Get=*&Replace=srv&Exec=srv")};
        int rc = odm_lawmo_fill(&lawmo, items, n_items, LAB_NOW);

        return rc == 0 ? odm_tree_write(l->tree, ODM_STR("./LAWMO?prop=ACL"), &acl, LAB_NOW) : rc;
}

static int open_lab(lab *l, const odm_mem *mem)
{
        int rc = lab_open(l, mem, mount);

        return rc == 0 ? made(l) : rc;
}

/* One line of a story:
 *   = REL VALUE [STATUS]   the server replaces a leaf   ! NAME [CORR] STATUS  it orders an
 * operation ? STEP [ITEMS]         that is lent now             + CAUSE               it ends so .
 * REL VALUE            a leaf says so               > TEXT                the alert, answered
 */
static const odm_task *lent;

static void expect_step(lab *l, const char *why, const char *name, const char *with)
{
        int rc = odm_tasks_next(l->tasks, LAB_NOW, &lent);

        if (rc < 0 || (rc == 0) != (strcmp(name, "nothing") == 0) ||
            (rc == 1 && strcmp(lent->kind->steps[lent->step], name) != 0))
                fail_msg("%s: wanted %s, rc %d", why, name, rc);
        if (rc == 1 && !odm_str_is(odm_task_arg(lent, "items"), with) &&
            !(with[0] == 0 && !odm_task_arg(lent, "items").p))
                fail_msg("%s: items are not '%s'", why, with);
}

static void end_step(lab *l, const char *why, const char *cause)
{
        const odm_task_end e = {.cause = odm_task_cause_of(odm_cstr(cause)),
                                .note = ODM_STR("so it was")};

        assert_string_equal(odm_task_cause_name(e.cause), cause);
        if (odm_tasks_done(l->tasks, lent->id, &e, LAB_NOW) != 0)
                fail_msg("%s: %s refused", why, cause);
}

static void expect_said(lab *l, const char *why, const char *text)
{
        char want[256] = "";

        assert_int_equal(lab_report(l, 200), 0);
        if (*text)
                snprintf(want, sizeof want, ODM_LAWMO_ALERT " ./LAWMO/Operations/%s\n", text);
        if (strcmp(l->said, want) != 0)
                fail_msg("%s: wanted '%s', said '%s'", why, want, l->said);
}

static void tell(lab *l, const char *why, const char *line)
{
        char a[128] = "", b[128] = "", c[64] = "", uri[160];
        const char *rest = strchr(line, ' ');
        unsigned status = 0;
        int n = sscanf(line + 1, "%127s %127s %63s", a, b, c);

        snprintf(uri, sizeof uri, "./LAWMO/%s%s", line[0] == '!' ? "Operations/" : "", a);
        switch (line[0]) {
        case '=':
                assert_int_equal(lab_set(l, uri, ODM_FMT_BOOL, b, &status), 0);
                if (status != (n == 3 ? strtoul(c, NULL, 10) : 200))
                        fail_msg("%s: %s: %u", why, line, status);
                break;
        case '!':
                assert_int_equal(lab_exec(l, uri, n == 3 ? b : NULL, &status), 0);
                if (status != strtoul(n == 3 ? c : b, NULL, 10))
                        fail_msg("%s: %s: %u", why, line, status);
                break;
        case '?': expect_step(l, why, a, b); break;
        case '+': end_step(l, why, a); break;
        case '.':
                if (strcmp(lab_get(l, uri), rest ? rest + 1 : "") != 0)
                        fail_msg("%s: %s: %s", why, line, lab_get(l, uri));
                break;
        case '>': expect_said(l, why, line[1] ? line + 2 : ""); break;
        default: fail_msg("%s: what is '%s'?", why, line);
        }
}

struct story {
        const char *why, *line[20];
};

#define LOGS "AvailableWipeList/logs/ToBeWiped"
#define METER "AvailableWipeList/meter/ToBeWiped"

static const struct story stories[] = {
        {"from 30 to 10, and back",
         {".State 30", "!FullyLock c1 202", ".State 30", "?fully-lock", "+OK", ".State 10",
          "> FullyLock informational 1200 c1", ">", "!UnLock c2 202", "?unlock", "+OK", ".State 30",
          "> UnLock informational 1200 c2", ">"}},
        {"from 30 to 20, to 10, to 20, to 30",
         {"!PartiallyLock 202", "?partially-lock", "+OK", ".State 20",
          "> PartiallyLock informational 1200 -", "!FullyLock 202", "?fully-lock", "+OK",
          ".State 10", "!PartiallyLock 202", "?partially-lock", "+OK", ".State 20", "!UnLock 202",
          "?unlock", "+OK", ".State 30"}},
        {"unlocked already", {"!UnLock 1200", ".State 30", "?nothing", ">"}},
        {"fully locked already",
         {"!FullyLock 202", "?fully-lock", "+OK", "> FullyLock informational 1200 -",
          "!FullyLock c2 1200", "?nothing", ".State 10", ">"}},
        {"partially locked already",
         {"!PartiallyLock 202", "?partially-lock", "+OK", "!PartiallyLock 1200", "?nothing"}},
        {"a lock that fails leaves the state",
         {"!FullyLock c1 202", "?fully-lock", "+FAILED", ".State 30",
          "> FullyLock critical 1402 c1", "!FullyLock 202"}},
        {"so does a partial one",
         {"!PartiallyLock 202", "?partially-lock", "+FAILED", ".State 30",
          "> PartiallyLock critical 1403 -"}},
        {"so does an unlock",
         {"!FullyLock 202", "?fully-lock", "+OK", "> FullyLock informational 1200 -", "!UnLock 202",
          "?unlock", "+FAILED", ".State 10", "> UnLock critical 1404 -"}},
        {"the user said no",
         {"!FullyLock 202", "?fully-lock", "+CANCELLED", ".State 30",
          "> FullyLock critical 1401 -"}},
        {"a wipe of all data", {"!Wipe c3 202", "?wipe", "+OK", "> Wipe informational 1201 c3"}},
        {"and of what is marked, which is marked no more",
         {"=" LOGS " true", "!Wipe c3 202", "?wipe logs", "+OK", "> Wipe informational 1202 c3",
          "." LOGS " false", "!Wipe 202", "?wipe"}},
        {"both, in the order of their names",
         {"=" METER " true", "=" LOGS " true", "!Wipe 202", "?wipe logs,meter"}},
        {"what is marked too late is for the next",
         {"=" LOGS " true", "!Wipe 202", "=" METER " true", "?wipe logs", "+OK",
          "> Wipe informational 1202 -", "." METER " true", "!Wipe 202", "?wipe meter"}},
        {"a wipe that fails keeps its marks",
         {"=" LOGS " true", "!Wipe c3 202", "?wipe logs", "+FAILED", "> Wipe critical 1405 c3",
          "." LOGS " true"}},
        {"a wipe leaves a lock",
         {"!FullyLock 202", "?fully-lock", "+OK", "> FullyLock informational 1200 -", "!Wipe 202",
          "?wipe", "+OK", ".State 10"}},
        {"busy: refused without an alert",
         {"!FullyLock c1 202", "!UnLock 405", "!FullyLock 405", "!Wipe 405", "!FactoryReset 405",
          "?fully-lock", "+OK", "> FullyLock informational 1200 c1", ">"}},
        {"a reset that fails is told, and all goes on",
         {"!FactoryReset c4 202", "?factory-reset", "+FAILED", "> FactoryReset critical 1400 c4",
          ".State 30", "!FullyLock 202"}},
        {"not the server's to write",
         {"=State 30 405", "=LAWMOConfig/NotifyUser true",
          "=AvailableWipeList/logs/ListItemName x 405"}},
        {"no boolean", {"=" LOGS " maybe 415", "." LOGS " false"}},
        {"only those can be executed", {"!Ext 404", "!Nothing 404"}},
        {"the reason, and none after it went well",
         {"!FullyLock 202", "?fully-lock", "+FAILED", "> FullyLock critical 1402 -",
          ".Ext/xrem/Reason so it was", "!FullyLock 202", "?fully-lock", "+OK",
          ".Ext/xrem/Reason"}},
};

static void every_arrow(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(stories); i++) {
                lab l;
                assert_int_equal(open_lab(&l, &heap), 0);
                for (size_t k = 0; k < ODM_COUNT(stories[i].line) && stories[i].line[k]; k++)
                        tell(&l, stories[i].why, stories[i].line[k]);
                lab_close(&l);
        }
}

static void what_there_are_no_means_for_is_refused(void **state)
{
        static const struct {
                const char *why, *line;
                unsigned able;
                bool data;
                size_t items;
        } rows[] = {
                {"no full lock", "!FullyLock 406", ALL & ~(1u << ODM_LAWMO_FULLY_LOCK), true, 2},
                {"no partial lock", "!PartiallyLock 406", ALL & ~(1u << ODM_LAWMO_PARTIALLY_LOCK),
                 true, 2},
                {"no unlock", "!UnLock 406", ALL & ~(1u << ODM_LAWMO_UNLOCK), true, 2},
                {"no reset", "!FactoryReset 406", ALL & ~(1u << ODM_LAWMO_FACTORY_RESET), true, 2},
                {"no wipe", "!Wipe 406", ALL & ~(1u << ODM_LAWMO_WIPE), false, 0},
                {"nothing to wipe is marked", "!Wipe 1406", ALL, false, 2},
                {"nobody to tell", "=LAWMOConfig/NotifyUser true 404", ALL, true, 2},
                {"no list", "=AvailableWipeList/logs/ToBeWiped true 404", ALL, true, 0},
        };

        (void)state;
        notifies = false;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                lab l;
                able = rows[i].able;
                wipes_data = rows[i].data;
                n_items = rows[i].items;
                assert_int_equal(open_lab(&l, &heap), 0);
                tell(&l, rows[i].why, rows[i].line);
                tell(&l, rows[i].why, "?nothing");
                tell(&l, rows[i].why, ">");
                lab_close(&l);
        }
        able = ALL;
        wipes_data = notifies = true;
        n_items = 2;
}

static void the_list_follows_the_configuration(void **state)
{
        lab l;
        const odm_lawmo_item bad[] = {{"a/b", "x"}}, comma[] = {{"a,b", "x"}};

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        tell(&l, "marked", "=" METER " true");
        assert_int_equal(odm_lawmo_fill(&lawmo, items + 1, 2, LAB_NOW), 0);
        assert_string_equal(lab_get(&l, "./LAWMO/AvailableWipeList/logs/ListItemName"), "(none)");
        assert_string_equal(lab_get(&l, "./LAWMO/AvailableWipeList/x/ListItemName"), "X");
        tell(&l, "marks stay", "." METER " true");
        assert_int_equal(odm_lawmo_fill(&lawmo, bad, 1, LAB_NOW), ODM_EINVAL);
        assert_int_equal(odm_lawmo_fill(&lawmo, comma, 1, LAB_NOW), ODM_EINVAL);
        assert_int_equal(odm_lawmo_fill(&lawmo, items, 0, LAB_NOW), 0);
        assert_false(odm_tree_exists(l.tree, ODM_STR("./LAWMO/AvailableWipeList")));
        assert_false(odm_lawmo_notifies(&lawmo));
        tell(&l, "told", "=LAWMOConfig/NotifyUser true");
        assert_true(odm_lawmo_notifies(&lawmo));
        lab_close(&l);
}

static void codes(void **state)
{
        static const struct {
                odm_task_cause cause;
                unsigned full, partial, unlock, wipe, items, reset;
        } rows[] = {
                {ODM_CAUSE_OK, 1200, 1200, 1200, 1201, 1202, 1200},
                {ODM_CAUSE_CANCELLED, 1401, 1401, 1401, 1401, 1401, 1401},
                {ODM_CAUSE_FAILED, 1402, 1403, 1404, 1405, 1405, 1400},
                {ODM_CAUSE_TIMEOUT, 1402, 1403, 1404, 1405, 1405, 1400},
                {ODM_CAUSE_UNSUPPORTED, 1402, 1403, 1404, 1406, 1406, 1400},
                {ODM_CAUSE_INTERRUPTED, 1402, 1403, 1404, 1406, 1406, 1400},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_task_cause c = rows[i].cause;
                assert_int_equal(odm_lawmo_result(ODM_LAWMO_FULLY_LOCK, c, false), rows[i].full);
                assert_int_equal(odm_lawmo_result(ODM_LAWMO_PARTIALLY_LOCK, c, false),
                                 rows[i].partial);
                assert_int_equal(odm_lawmo_result(ODM_LAWMO_UNLOCK, c, false), rows[i].unlock);
                assert_int_equal(odm_lawmo_result(ODM_LAWMO_WIPE, c, false), rows[i].wipe);
                assert_int_equal(odm_lawmo_result(ODM_LAWMO_WIPE, c, true), rows[i].items);
                assert_int_equal(odm_lawmo_result(ODM_LAWMO_FACTORY_RESET, c, false),
                                 rows[i].reset);
        }
}

/* ---- power cuts ------------------------------------------------------------------------- */

/* The state that the device starts in, before it does anything. */
static void on_doubt_it_starts_locked(void **state)
{
        static const struct {
                const char *why, *line[8];
                odm_lawmo_state at_start;
                const char *step;
        } rows[] = {
                {"nothing ordered", {NULL}, 30, "nothing"},
                {"a lock that was not begun", {"!FullyLock 202"}, 30, "fully-lock"},
                {"one that was", {"!FullyLock 202", "?fully-lock"}, 10, "fully-lock"},
                {"a partial one", {"!PartiallyLock 202", "?partially-lock"}, 20, "partially-lock"},
                {"one that was done", {"!FullyLock 202", "?fully-lock", "+OK"}, 10, "nothing"},
                {"one that failed", {"!FullyLock 202", "?fully-lock", "+FAILED"}, 30, "nothing"},
                {"an unlock that was begun",
                 {"!FullyLock 202", "?fully-lock", "+OK", "!UnLock 202", "?unlock"},
                 10,
                 "unlock"},
                {"a lock made weaker",
                 {"!FullyLock 202", "?fully-lock", "+OK", "!PartiallyLock 202", "?partially-lock"},
                 10,
                 "partially-lock"},
                {"a wipe", {"!Wipe 202", "?wipe"}, 30, "wipe"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                lab l, again;
                assert_int_equal(open_lab(&l, &heap), 0);
                for (size_t k = 0; k < ODM_COUNT(rows[i].line) && rows[i].line[k]; k++)
                        tell(&l, rows[i].why, rows[i].line[k]);
                assert_int_equal(lab_restart(&l, l.n_log, &again, mount, made), 0);
                if (odm_lawmo_at_start(&lawmo) != rows[i].at_start)
                        fail_msg("%s: %d", rows[i].why, odm_lawmo_at_start(&lawmo));
                expect_step(&again, rows[i].why, rows[i].step, "");
                lab_close(&again);
                lab_close(&l);
        }
}

static void the_power_may_go_after_any_record(void **state)
{
        lab l;
        size_t ordered = 0, idle = 0;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        tell(&l, "", "=" LOGS " true");
        tell(&l, "", "!Wipe c3 202");
        tell(&l, "", "?wipe logs");
        tell(&l, "", "+OK");
        for (size_t n = 0; n <= l.n_log; n++) {
                lab again;
                assert_int_equal(lab_restart(&l, n, &again, mount, made), 0);
                bool was = odm_tasks_at(again.tasks, 0) != NULL;
                ordered += was;
                idle += !was;
                const odm_task_end ok = {.cause = ODM_CAUSE_OK};
                while (odm_tasks_next(again.tasks, LAB_NOW, &lent) == 1)
                        assert_int_equal(odm_tasks_done(again.tasks, lent->id, &ok, LAB_NOW), 0);
                expect_said(&again, "once", was ? "Wipe informational 1202 c3" : "");
                expect_said(&again, "and no more", "");
                if (was)
                        tell(&again, "no more", "." LOGS " false");
                lab_close(&again);
        }
        assert_true(idle > 3 && ordered >= 3);
        lab_close(&l);
}

/* ---- failures of the device ------------------------------------------------------------- */

static void nothing_is_accepted_that_cannot_be_kept(void **state)
{
        lab l;
        unsigned status = 0;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        l.log_fails = true;
        assert_int_equal(lab_exec(&l, "./LAWMO/Operations/FullyLock", "c1", &status), ODM_EIO);
        l.log_fails = false;
        tell(&l, "nothing to do", "?nothing");
        tell(&l, "again", "!FullyLock c1 202");
        tell(&l, "again", "?fully-lock");
        l.log_fails = true;
        const odm_task_end ok = {.cause = ODM_CAUSE_OK};
        assert_true(odm_tasks_done(l.tasks, lent->id, &ok, LAB_NOW) < 0);
        l.log_fails = false;
        tell(&l, "not over", ".State 30");
        tell(&l, "now", "+OK");
        tell(&l, "now", ".State 10");
        lab_close(&l);
}

static int whole_life(failing *f, void *arg)
{
        unsigned status = 0;
        lab l;
        int rc = open_lab(&l, &f->mem);

        (void)arg;
        if (rc == 0)
                rc = lab_set(&l, "./LAWMO/" LOGS, ODM_FMT_BOOL, "true", &status);
        if (rc == 0)
                rc = lab_exec(&l, "./LAWMO/Operations/Wipe", "c1", &status);
        if (rc == 0)
                assert_true(status == 202);
        if (rc == 0)
                rc = lab_finish(&l, 1);
        lab_close(&l);
        return rc;
}

static void each_allocation_may_fail(void **state)
{
        (void)state;
        torture(whole_life, NULL, 400);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_arrow),
                cmocka_unit_test(what_there_are_no_means_for_is_refused),
                cmocka_unit_test(the_list_follows_the_configuration),
                cmocka_unit_test(codes),
                cmocka_unit_test(on_doubt_it_starts_locked),
                cmocka_unit_test(the_power_may_go_after_any_record),
                cmocka_unit_test(nothing_is_accepted_that_cannot_be_kept),
                cmocka_unit_test(each_allocation_may_fail),
        };

        return RUN_TESTS(tests);
}
