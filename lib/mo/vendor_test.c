/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of vendors: each cause, the power cut, a step nobody does. */
#include "lab.h"
#include "mo.h"
#include "odm/result.h"
#include "odm/vendor.h"

#define TYPE "urn:oma:at:x-xrem-vendor:1.0:OperationComplete"

static odm_tasks *tasks;

static int exec(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        (void)ctx;
        return odm_tasks_exec(tasks, &odm_vendor_kind, ODM_STR("./Vendor/xrem"), at, op, status);
}

static const odm_binding bind[] = {{.path = "Ping", .exec = exec}};
static const odm_provider vendor = {.name = "v", .mo = &odm_mo_xrem, .bind = bind, .n_bind = 1};

static int mount(lab *l)
{
        int rc = odm_tree_mount(l->tree, NULL, &vendor);

        tasks = l->tasks;
        return rc == 0 ? odm_tasks_know(l->tasks, &odm_vendor_kind, NULL) : rc;
}

static int made(lab *l)
{
        const odm_value acl = {.data = ODM_STR("Get=*&Exec=srv")};

        return odm_tree_write(l->tree, ODM_STR("./Vendor?prop=ACL"), &acl, LAB_NOW);
}

static void every_cause_has_a_result(void **state)
{
        static const struct {
                odm_task_cause cause;
                const char *mark, *code;
        } row[] = {
                {ODM_CAUSE_OK, "informational", "1200"},
                {ODM_CAUSE_FAILED, "critical", "1402"},
                {ODM_CAUSE_TIMEOUT, "critical", "1403"},
                {ODM_CAUSE_INTERRUPTED, "critical", "1404"},
                {ODM_CAUSE_UNSUPPORTED, "critical", "1411"},
                {ODM_CAUSE_CORRUPT, "critical", "1402"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                const odm_task_end e = {.cause = row[i].cause};
                const odm_task *t = NULL;
                unsigned status = 0;
                char want[160];
                lab l;
                assert_int_equal(lab_open(&l, &heap, mount), 0);
                assert_int_equal(made(&l), 0);
                assert_int_equal(lab_exec(&l, "./Vendor/xrem/Ping", "c1", &status), 0);
                assert_int_equal(status, 202);
                assert_int_equal(lab_exec(&l, "./Vendor/xrem/Ping", "c2", &status), 0);
                assert_int_equal(status, 405);
                assert_int_equal(odm_tasks_next(l.tasks, LAB_NOW, &t), 1);
                assert_int_equal(t->step, ODM_VENDOR_RUN);
                assert_int_equal(odm_tasks_done(l.tasks, t->id, &e, LAB_NOW), 0);
                assert_int_equal(lab_report(&l, 200), 0);
                snprintf(want, sizeof want, TYPE " ./Vendor/xrem/Ping %s %s c1\n", row[i].mark,
                         row[i].code);
                assert_string_equal(l.said, want);
                assert_string_not_equal(
                        odm_result_text(ODM_STR(TYPE), (unsigned)strtoul(row[i].code, NULL, 10)),
                        odm_result_text(ODM_ABSENT, 1499));
                assert_int_equal(lab_report(&l, 200), 0);
                assert_string_equal(l.said, "");
                lab_close(&l);
        }
}

/* After any record: a command that may have begun is not begun again, and its order is answered. */
static void the_power_goes(void **state)
{
        const odm_task_end e = {.cause = ODM_CAUSE_OK};
        const odm_task *t = NULL;
        unsigned status = 0, began = 0, cut = 0;
        lab l;

        (void)state;
        assert_int_equal(lab_open(&l, &heap, mount), 0);
        assert_int_equal(made(&l), 0);
        assert_int_equal(lab_exec(&l, "./Vendor/xrem/Ping", "c1", &status), 0);
        assert_int_equal(odm_tasks_next(l.tasks, LAB_NOW, &t), 1);
        assert_int_equal(odm_tasks_done(l.tasks, t->id, &e, LAB_NOW), 0);
        for (size_t n = 0; n <= l.n_log; n++) {
                lab after;
                assert_int_equal(lab_restart(&l, n, &after, mount, made), 0);
                if (odm_tasks_next(after.tasks, LAB_NOW, &t) == 1) {
                        began++;
                        assert_int_equal(t->tries, 1);
                        assert_int_equal(odm_tasks_done(after.tasks, t->id, &e, LAB_NOW), 0);
                }
                assert_int_equal(lab_report(&after, 200), 0);
                cut += strstr(after.said, " 1404 ") != NULL;
                if (n == l.n_log)
                        assert_non_null(strstr(after.said, " 1200 "));
                lab_close(&after);
        }
        assert_int_equal(began, 1);
        assert_int_equal(cut, 1);
        lab_close(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_cause_has_a_result),
                cmocka_unit_test(the_power_goes),
        };

        return RUN_TESTS(tests);
}
