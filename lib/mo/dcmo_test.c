/* SPDX-License-Identifier: Apache-2.0 */
/* DCMO: the flags, orders and refusals of mo-lawmo-dcmo.md B3 and B4, the codes of B6, the power
 * cut after each record of B7, each allocation failing in turn. */
#include "odm/dcmo.h"

#include "lab.h"
#include "mo.h"

static odm_dcmo dcmo; /* one at a time: tests and restarts do not overlap */
static bool notifies = true;
static const odm_dcmo_capability list[] = {
        {"cam", "Camera", "Hardware", "In front", true, true, false, false},
        {"wan", "Cellular", NULL, NULL, true, true, true, false},
        {"fixed", "Screen", NULL, NULL, .can_disable = true},
        {"card", "Memory card", "IO", NULL, true, true, .removable = true},
};

static const size_t n_listed = ODM_COUNT(list);

static int mount(lab *l)
{
        dcmo = (odm_dcmo){.list = list, .n = n_listed, .notifies = notifies};
        return odm_dcmo_mount(&dcmo, l->tasks, &odm_mo_dcmo);
}

static int made(lab *l)
{
        const odm_value acl = {.data = ODM_STR("Get=*&Replace=srv&Exec=srv")};
        int rc = odm_dcmo_prune(&dcmo, LAB_NOW);

        for (size_t i = 0; i < n_listed && rc == 0; i++)
                rc = odm_dcmo_add(&dcmo, &list[i], true, LAB_NOW);
        return rc == 0 ? odm_tree_write(l->tree, ODM_STR("./DCMO?prop=ACL"), &acl, LAB_NOW) : rc;
}

static int open_lab(lab *l, const odm_mem *mem)
{
        int rc = lab_open(l, mem, mount);

        return rc == 0 ? made(l) : rc;
}

/* As in lawmo_test; names are below ./DCMO. */
static const odm_task *lent;

static void expect_step(lab *l, const char *why, const char *name)
{
        int rc = odm_tasks_next(l->tasks, LAB_NOW, &lent);

        if (rc < 0 || (rc == 0) != (strcmp(name, "nothing") == 0) ||
            (rc == 1 && strcmp(lent->kind->steps[lent->step], name) != 0))
                fail_msg("%s: wanted %s, rc %d", why, name, rc);
}

static void end_step(lab *l, const char *why, const char *cause)
{
        const odm_task_end e = {.cause = odm_task_cause_of(odm_cstr(cause))};

        assert_string_equal(odm_task_cause_name(e.cause), cause);
        if (odm_tasks_done(l->tasks, lent->id, &e, LAB_NOW) != 0)
                fail_msg("%s: %s refused", why, cause);
}

static void expect_said(lab *l, const char *why, const char *text)
{
        char want[256] = "";

        assert_int_equal(lab_report(l, 200), 0);
        if (*text)
                snprintf(want, sizeof want, "urn:oma:at:dcmo:1.0:OperationComplete ./DCMO/%s\n",
                         text);
        if (strcmp(l->said, want) != 0)
                fail_msg("%s: wanted '%s', said '%s'", why, want, l->said);
}

static void tell(lab *l, const char *why, const char *line)
{
        char a[128] = "", b[128] = "", c[64] = "", uri[160];
        const char *rest = strchr(line, ' ');
        unsigned status = 0;
        int n = sscanf(line + 1, "%127s %127s %63s", a, b, c);

        snprintf(uri, sizeof uri, "./DCMO/%s", a);
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
        case '?': expect_step(l, why, a); break;
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

#define OFF "cam/Operations/Disable"
#define ON "cam/Operations/Enable"

static const struct story stories[] = {
        {"off and on",
         {".cam/Enabled true", "!" OFF " c1 202", ".cam/Enabled true", "?disable", "+OK",
          ".cam/Enabled false", "> " OFF " informational 1200 c1", ">", "!" ON " c2 202", "?enable",
          "+OK", ".cam/Enabled true", "> " ON " informational 1200 c2", ">"}},
        {"on already", {"!" ON " c1 1200", "?nothing", ">"}},
        {"off already",
         {"!" OFF " 202", "?disable", "+OK", "> " OFF " informational 1200 -", "!" OFF " 1200",
          "?nothing", ">"}},
        {"a failure leaves it as it was",
         {"!" OFF " c1 202", "?disable", "+FAILED", ".cam/Enabled true",
          "> " OFF " warning 1403 c1", ".cam/Ext/xrem/Reason it failed", "!" OFF " 202"}},
        {"so does one of Enable",
         {"!" OFF " 202", "?disable", "+OK", "> " OFF " informational 1200 -", "!" ON " 202",
          "?enable", "+UNAVAILABLE", ".cam/Enabled false", "> " ON " warning 1404 -"}},
        {"busy", {"!" OFF " 202", "!" ON " 405", "!" OFF " 405", "?disable"}},
        {"two at a time", {"!" OFF " 202", "!card/Operations/Disable 202", "?disable", "?disable"}},
        {"the bearer of the session", {"!wan/Operations/Disable 405", ".wan/Enabled true", ">"}},
        {"... may be enabled", {"!wan/Operations/Enable 1200"}},
        {"no means to enable", {"!fixed/Operations/Enable 406", "?nothing", ">"}},
        {"not the server's to write", {"=cam/Enabled false 405", "=cam/Property x 405"}},
        {"settings", {"=cam/DCMOConfig/DenyUserEnable true", "=cam/DCMOConfig/NotifyUser true"}},
        {"only the removable one says whether it is there",
         {".card/Attached false", ".cam/Attached (none)", ".wan/Group (none)",
          ".cam/Group Hardware"}},
        {"to enable what is not attached is legal",
         {"!card/Operations/Disable 202", "?disable", "+OK",
          "> card/Operations/Disable informational 1200 -", "!card/Operations/Enable 202",
          "?enable", "+OK", ".card/Enabled true", ".card/Attached false"}},
        {"no such capability", {"!none/Operations/Enable 404"}},
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

static void codes(void **state)
{
        static const struct {
                odm_task_cause cause;
                unsigned enable, disable;
        } rows[] = {
                {ODM_CAUSE_OK, 1200, 1200},           {ODM_CAUSE_CANCELLED, 1401, 1401},
                {ODM_CAUSE_FAILED, 1402, 1403},       {ODM_CAUSE_TIMEOUT, 1402, 1403},
                {ODM_CAUSE_INTERRUPTED, 1402, 1403},  {ODM_CAUSE_UNAVAILABLE, 1404, 1404},
                {ODM_CAUSE_NOT_ACCEPTED, 1405, 1405}, {ODM_CAUSE_UNSUPPORTED, 1411, 1411},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                assert_int_equal(odm_dcmo_result(true, rows[i].cause), rows[i].enable);
                assert_int_equal(odm_dcmo_result(false, rows[i].cause), rows[i].disable);
        }
}

static void what_is_found_is_judged(void **state)
{
        static const struct {
                const char *why;
                bool enabled, found_on, starting, deny;
                odm_dcmo_verdict verdict;
        } rows[] = {
                {"on and on", true, true, false, false, ODM_DCMO_AS_IT_IS},
                {"off and off", false, false, true, true, ODM_DCMO_AS_IT_IS},
                {"off after a start", true, false, true, false, ODM_DCMO_BACK},
                {"on after a start", false, true, true, false, ODM_DCMO_BACK},
                {"the user enabled it", false, true, false, false, ODM_DCMO_TAKEN},
                {"who may not", false, true, false, true, ODM_DCMO_BACK},
                {"the user disabled it", true, false, false, false, ODM_DCMO_TAKEN},
                {"which nobody forbids", true, false, false, true, ODM_DCMO_TAKEN},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                if (odm_dcmo_judge(rows[i].enabled, rows[i].found_on, rows[i].starting,
                                   rows[i].deny) != rows[i].verdict)
                        fail_msg("%s", rows[i].why);
}

static void capabilities_follow_the_configuration(void **state)
{
        const odm_dcmo_capability changed = {"card", "Card", NULL, "of any size"};
        const odm_dcmo_capability bad = {"a/b", "Card"};
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        assert_true(odm_dcmo_has(&dcmo, &list[0]));
        tell(&l, "off", "!" OFF " 202");
        assert_true(odm_dcmo_is_busy(&dcmo, &list[0]));
        assert_false(odm_dcmo_is_busy(&dcmo, &list[3]));
        tell(&l, "off", "?disable");
        tell(&l, "off", "+OK");
        tell(&l, "a setting", "=cam/DCMOConfig/DenyUserEnable true");
        assert_true(odm_dcmo_denies_user(&dcmo, &list[0]));
        assert_false(odm_dcmo_notifies(&dcmo, &list[0]));
        assert_int_equal(made(&l), 0);
        tell(&l, "what was switched off stays off", ".cam/Enabled false");
        tell(&l, "and so do settings", ".cam/DCMOConfig/DenyUserEnable true");
        assert_int_equal(odm_dcmo_add(&dcmo, &changed, true, LAB_NOW), 0);
        tell(&l, "its words follow", ".card/Property Card");
        tell(&l, "its words follow", ".card/Description of any size");
        tell(&l, "what it has not, goes", ".card/Group (none)");
        tell(&l, "what it has not, goes", ".card/Attached (none)");
        assert_int_equal(odm_dcmo_add(&dcmo, &bad, true, LAB_NOW), ODM_EINVAL);
        dcmo.n = 1;
        assert_int_equal(odm_dcmo_prune(&dcmo, LAB_NOW), 0);
        assert_false(odm_dcmo_has(&dcmo, &list[1]));
        assert_true(odm_dcmo_has(&dcmo, &list[0]));
        assert_int_equal(odm_dcmo_set_enabled(&dcmo, &list[0], true, LAB_NOW), 0);
        assert_true(odm_dcmo_is_enabled(&dcmo, &list[0]));
        size_t n = l.n_log;
        assert_int_equal(odm_dcmo_set_enabled(&dcmo, &list[0], true, LAB_NOW), 0);
        assert_int_equal(l.n_log, n); /* nothing new, nothing written */
        lab_close(&l);
}

static void a_lost_operation_is_looked_after(void **state)
{
        static const struct {
                const char *why, *cause, *enabled, *said;
        } rows[] = {
                {"it was done", "OK", "false", OFF " informational 1200 c1"},
                {"it was not", "INTERRUPTED", "true", OFF " warning 1403 c1"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                lab l, again, third;
                char line[64];
                assert_int_equal(open_lab(&l, &heap), 0);
                tell(&l, "", "!" OFF " c1 202");
                assert_int_equal(lab_restart(&l, l.n_log, &again, mount, made), 0);
                tell(&again, "not begun", "?disable");
                assert_int_equal(lab_restart(&again, again.n_log, &third, mount, made), 0);
                lab_close(&again);
                tell(&third, "begun", "?check");
                end_step(&third, rows[i].why, rows[i].cause);
                snprintf(line, sizeof line, ".cam/Enabled %s", rows[i].enabled);
                tell(&third, rows[i].why, line);
                expect_said(&third, rows[i].why, rows[i].said);
                lab_close(&third);
                lab_close(&l);
        }
}

static void the_power_may_go_after_any_record(void **state)
{
        lab l;
        size_t ordered = 0, idle = 0;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        tell(&l, "", "!" OFF " c1 202");
        tell(&l, "", "?disable");
        tell(&l, "", "+OK");
        for (size_t n = 0; n <= l.n_log; n++) {
                const odm_task_end ok = {.cause = ODM_CAUSE_OK};
                lab again;
                assert_int_equal(lab_restart(&l, n, &again, mount, made), 0);
                bool was = odm_tasks_at(again.tasks, 0) != NULL;
                ordered += was;
                idle += !was;
                while (odm_tasks_next(again.tasks, LAB_NOW, &lent) == 1)
                        assert_int_equal(odm_tasks_done(again.tasks, lent->id, &ok, LAB_NOW), 0);
                expect_said(&again, "once", was ? OFF " informational 1200 c1" : "");
                expect_said(&again, "and no more", "");
                tell(&again, "and so it is", was ? ".cam/Enabled false" : ".cam/Enabled true");
                lab_close(&again);
        }
        assert_true(idle > 3 && ordered >= 3);
        lab_close(&l);
}

static int whole_life(failing *f, void *arg)
{
        unsigned status = 0;
        lab l;
        int rc = open_lab(&l, &f->mem);

        (void)arg;
        if (rc == 0)
                rc = lab_exec(&l, "./DCMO/cam/Operations/Disable", "c1", &status);
        if (rc == 0 && status != 202) /* its flag could not be read */
                rc = ODM_ENOMEM;
        if (rc == 0)
                rc = lab_finish(&l, 1);
        lab_close(&l);
        return rc;
}

static void each_allocation_may_fail(void **state)
{
        (void)state;
        torture(whole_life, NULL, 600);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_arrow),
                cmocka_unit_test(codes),
                cmocka_unit_test(what_is_found_is_judged),
                cmocka_unit_test(capabilities_follow_the_configuration),
                cmocka_unit_test(a_lost_operation_is_looked_after),
                cmocka_unit_test(the_power_may_go_after_any_record),
                cmocka_unit_test(each_allocation_may_fail),
        };

        return RUN_TESTS(tests);
}
