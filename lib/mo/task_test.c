/* SPDX-License-Identifier: Apache-2.0 */
/* The life that all tasks share, shown with firmware objects: who may run beside whom, ceilings,
 * reports and their pauses, nodes that make no sense. */
#include "lab.h"
#include "mo.h"
#include "odm/fumo.h"

static odm_fumo fumo;
static const odm_task *lent;
static const odm_task_end done = {.cause = ODM_CAUSE_OK};

static int mount(lab *l)
{
        fumo = (odm_fumo){.tasks = NULL};
        return odm_fumo_mount(&fumo, l->tasks, &odm_mo_fumo);
}

static void set_up(lab *l, size_t objects)
{
        const odm_value acl = {.data = ODM_STR("Get=*&Replace=*&Exec=*")};

        assert_int_equal(lab_open(l, &heap, mount), 0);
        assert_int_equal(odm_tree_write(l->tree, ODM_STR("./FUMO?prop=ACL"), &acl, LAB_NOW), 0);
        for (size_t i = 0; i < objects; i++) {
                char name[24], uri[64];
                unsigned status;
                snprintf(name, sizeof name, "o%zu", i);
                assert_int_equal(odm_fumo_add(&fumo, name, LAB_NOW), 0);
                for (int both = 0; both < 2; both++) {
                        snprintf(uri, sizeof uri, "./FUMO/%s/Download%s/PkgURL", name,
                                 both ? "AndUpdate" : "");
                        assert_int_equal(lab_set(l, uri, ODM_FMT_CHR, "http://h/p", &status), 0);
                        assert_int_equal(status, 200);
                }
        }
}

static unsigned order(lab *l, size_t object, const char *node, const char *correlator)
{
        char uri[64];
        unsigned status = 0;

        snprintf(uri, sizeof uri, "./FUMO/o%zu/%s", object, node);
        assert_int_equal(lab_exec(l, uri, correlator, &status), 0);
        return status;
}

static uint32_t next_is(lab *l, const char *object)
{
        assert_int_equal(odm_tasks_next(l->tasks, LAB_NOW, &lent), 1);
        assert_str(lent->object, object);
        return lent->id;
}

static void finish(lab *l, uint32_t id)
{
        assert_int_equal(odm_tasks_done(l->tasks, id, &done, LAB_NOW), 0);
}

static void steps_that_want_to_be_alone_are(void **state)
{
        lab l;

        (void)state;
        set_up(&l, 3);
        assert_int_equal(order(&l, 0, "DownloadAndUpdate", "a"), 202);
        assert_int_equal(order(&l, 1, "Download", "b"), 202);
        uint32_t a = next_is(&l, "./FUMO/o0"), b = next_is(&l, "./FUMO/o1");
        finish(&l, a); /* it wants to install, but the other one is at work */
        assert_int_equal(odm_tasks_next(l.tasks, LAB_NOW, &lent), 0);
        assert_int_equal(order(&l, 2, "Download", "c"), 405); /* and nothing new begins */
        finish(&l, b);
        assert_int_equal(next_is(&l, "./FUMO/o0"), a);
        assert_int_equal(order(&l, 2, "Download", "c"), 405);
        finish(&l, a);
        assert_int_equal(order(&l, 2, "Download", "c"), 202);
        lab_close(&l);
}

static void there_is_a_ceiling(void **state)
{
        lab l;

        (void)state;
        set_up(&l, ODM_TASK_MAX + 1);
        for (size_t i = 0; i < ODM_TASK_MAX; i++)
                assert_int_equal(order(&l, i, "Download", "c"), 202);
        assert_int_equal(order(&l, ODM_TASK_MAX, "Download", "c"), 500);
        finish(&l, next_is(&l, "./FUMO/o0"));
        assert_int_equal(lab_report(&l, 200), 0);
        assert_int_equal(order(&l, ODM_TASK_MAX, "Download", "c"), 202);
        lab_close(&l);
}

static void what_cannot_be_kept_is_refused(void **state)
{
        char correlator[ODM_TASK_CORRELATOR + 2];
        lab l;

        (void)state;
        set_up(&l, 1);
        memset(correlator, 'c', sizeof correlator);
        correlator[ODM_TASK_CORRELATOR + 1] = 0;
        assert_int_equal(order(&l, 0, "Download", correlator), 500);
        assert_int_equal(odm_tree_begin(l.tree, LAB_NOW), 0);
        assert_int_equal(order(&l, 0, "Download", "c"), 500); /* as in an Atomic */
        odm_tree_rollback(l.tree);
        correlator[ODM_TASK_CORRELATOR] = 0;
        assert_int_equal(order(&l, 0, "Download", correlator), 202);
        lab_close(&l);
}

static void reports_wait_longer_and_longer(void **state)
{
        static const int64_t pause[] = {60, 300, 1800, 7200, 86400, 86400};
        odm_time now = {5000};
        odm_str server = ODM_ABSENT;
        lab l;

        (void)state;
        set_up(&l, 1);
        assert_int_equal(order(&l, 0, "Download", "c"), 202);
        uint32_t id = next_is(&l, "./FUMO/o0");
        assert_true(odm_tasks_report_time(l.tasks, NULL).ms == ODM_NEVER.ms);
        finish(&l, id);
        assert_int_equal(odm_tasks_report_time(l.tasks, &server).ms, 0);
        assert_str(server, "srv");
        for (size_t i = 0; i < ODM_COUNT(pause); i++) {
                assert_int_equal(lab_tell(&l), 0);
                assert_int_equal(odm_tasks_session_over(l.tasks, ODM_STR("srv"), now, LAB_NOW), 0);
                assert_int_equal(odm_tasks_report_time(l.tasks, NULL).ms, now.ms + pause[i] * 1000);
                /* a session that told nothing changes nothing */
                assert_int_equal(odm_tasks_session_over(l.tasks, ODM_STR("srv"), now, LAB_NOW), 0);
                assert_int_equal(odm_tasks_report_time(l.tasks, NULL).ms, now.ms + pause[i] * 1000);
        }
        odm_wall late = {LAB_NOW.s + 31 * 86400};
        assert_int_equal(odm_tasks_session_over(l.tasks, ODM_STR("other"), now, late), 0);
        assert_non_null(odm_tasks_at(l.tasks, 0));
        assert_int_equal(odm_tasks_session_over(l.tasks, ODM_STR("srv"), now, late), 0);
        assert_null(odm_tasks_at(l.tasks, 0)); /* given up */
        lab_close(&l);
}

static int no_room(void *ctx, const odm_alert *alert)
{
        (void)ctx;
        (void)alert;
        return ODM_ELIMIT;
}

/* Otherwise the device would call its server in a circle. */
static void what_found_no_room_or_no_way_waits_too(void **state)
{
        const odm_time now = {5000};
        lab l;

        (void)state;
        set_up(&l, 2);
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(order(&l, i, "Download", "c"), 202);
        finish(&l, next_is(&l, "./FUMO/o0"));
        finish(&l, next_is(&l, "./FUMO/o1"));
        assert_int_equal(odm_tasks_report_time(l.tasks, NULL).ms, 0);
        assert_int_equal(odm_tasks_reports(l.tasks, ODM_STR("srv"), no_room, NULL), ODM_ELIMIT);
        assert_int_equal(odm_tasks_session_over(l.tasks, ODM_STR("srv"), now, LAB_NOW), 0);
        assert_int_equal(odm_tasks_report_time(l.tasks, NULL).ms, now.ms + 60000);
        assert_int_equal(odm_tasks_unreached(l.tasks, ODM_STR("other"), now, LAB_NOW), 0);
        assert_int_equal(odm_tasks_report_time(l.tasks, NULL).ms, now.ms + 60000);
        assert_int_equal(odm_tasks_unreached(l.tasks, ODM_STR("srv"), now, LAB_NOW), 0);
        assert_int_equal(odm_tasks_report_time(l.tasks, NULL).ms, now.ms + 300000);
        lab_close(&l);
}

/* One that was off for long, or whose clock was not set when it ended, tries as often as any. */
static void no_report_is_given_up_untold(void **state)
{
        static const struct {
                int64_t ended, now;
                bool kept; /* after many tries */
        } rows[] = {
                {1800000000, 1800000000 + 31 * 86400, false},
                {1800000000, 1800000000 + 29 * 86400, true},
                {30, 1800000000, true},
        };
        const odm_task_end ok = {.cause = ODM_CAUSE_OK};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const odm_wall late = {rows[i].now};
                const odm_time now = {5000};
                lab l;

                set_up(&l, 1);
                assert_int_equal(order(&l, 0, "Download", "c"), 202);
                assert_int_equal(odm_tasks_done(l.tasks, next_is(&l, "./FUMO/o0"), &ok,
                                                (odm_wall){rows[i].ended}),
                                 0);
                for (unsigned k = 0; k < 5; k++) {
                        assert_int_equal(odm_tasks_unreached(l.tasks, ODM_STR("srv"), now, late),
                                         0);
                        assert_non_null(odm_tasks_at(l.tasks, 0));
                }
                assert_int_equal(odm_tasks_unreached(l.tasks, ODM_STR("srv"), now, late), 0);
                assert_int_equal(odm_tasks_at(l.tasks, 0) != NULL, rows[i].kept);
                lab_close(&l);
        }
}

static void other_servers_are_told_nothing(void **state)
{
        lab l;

        (void)state;
        set_up(&l, 1);
        assert_int_equal(order(&l, 0, "Download", "c"), 202);
        finish(&l, next_is(&l, "./FUMO/o0"));
        assert_int_equal(odm_tasks_reports(l.tasks, ODM_STR("other"), no_room, NULL), 0);
        assert_int_equal(odm_tasks_reports(l.tasks, ODM_STR("sr"), no_room, NULL), 0);
        assert_int_equal(odm_tasks_reports(l.tasks, ODM_ABSENT, no_room, NULL), 0);
        assert_int_equal(odm_tasks_report_time(l.tasks, NULL).ms, 0);
        lab_close(&l);
}

static void answers_that_end_it(void **state)
{
        static const struct {
                const char *why;
                unsigned status;
                bool over;
        } rows[] = {
                {"taken", 200, true},
                {"taken, for later", 202, true},
                {"of no kind the server knows: never said again", 415, true},
                {"not authenticated yet", 401, false},
                {"no credentials seen", 407, false},
                {"the server failed", 500, false},
                {"busy", 503, false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                lab l;
                set_up(&l, 1);
                assert_int_equal(order(&l, 0, "Download", "c"), 202);
                finish(&l, next_is(&l, "./FUMO/o0"));
                assert_int_equal(lab_report(&l, rows[i].status), 0);
                if ((odm_tasks_at(l.tasks, 0) == NULL) != rows[i].over)
                        fail_msg("%s", rows[i].why);
                assert_string_equal(lab_get(&l, "./Vendor/Task/1/Step"),
                                    rows[i].over ? "(none)" : "ended");
                lab_close(&l);
        }
}

static void answers_to_nothing_are_ignored(void **state)
{
        static const uint64_t ids[] = {0, 1 << 8, ODM_TASK_ALERT | 1 << 8, ODM_TASK_ALERT | 7 << 8,
                                       ODM_TASK_ALERT | 1 << 8 | 200};
        lab l;

        (void)state;
        set_up(&l, 1);
        assert_int_equal(order(&l, 0, "Download", "c"), 202);
        uint32_t id = next_is(&l, "./FUMO/o0");
        for (size_t i = 0; i < ODM_COUNT(ids); i++)
                assert_int_equal(odm_tasks_reported(l.tasks, ids[i], 200, LAB_NOW), 0);
        assert_int_equal(odm_tasks_done(l.tasks, id + 1, &done, LAB_NOW), ODM_ENOENT);
        finish(&l, id);
        assert_int_equal(odm_tasks_done(l.tasks, id, &done, LAB_NOW), ODM_ENOENT); /* not twice */
        for (size_t i = 0; i < ODM_COUNT(ids); i++)
                assert_int_equal(odm_tasks_reported(l.tasks, ids[i], 200, LAB_NOW), 0);
        assert_non_null(odm_tasks_at(l.tasks, 0)); /* it was not told yet */
        lab_close(&l);
}

static void the_device_reports_to_nobody_what_it_ordered_itself(void **state)
{
        const odm_op op = {.kind = ODM_CMD_EXEC, .target = ODM_STR("./FUMO/o0/Download")};
        odm_answer out = {0};
        odm_arena a;
        lab l;

        (void)state;
        set_up(&l, 1);
        odm_arena_init(&a, &heap, 1 << 16);
        assert_int_equal(odm_tree_do(l.tree, &op, LAB_NOW, &a, &out), 0);
        odm_arena_done(&a);
        assert_int_equal(out.status, 202);
        finish(&l, next_is(&l, "./FUMO/o0"));
        assert_null(odm_tasks_at(l.tasks, 0));
        assert_string_equal(lab_get(&l, "./FUMO/o0/State"), "50");
        lab_close(&l);
}

static int nothing_made(lab *l)
{
        (void)l;
        return 0;
}

/* What stands in the tree is believed only when it fits together. */
static void nodes_without_sense_are_deleted(void **state)
{
        static const struct {
                const char *why, *leaf, *value;
                odm_format format;
        } rows[] = {
                {"no such kind", "Kind", "nobody", ODM_FMT_CHR},
                {"no such step", "Step", "dance", ODM_FMT_CHR},
                {"a node of another object", "Exec", "./FUMO/o1/Download", ODM_FMT_CHR},
                {"the object itself", "Exec", "./FUMO/o0", ODM_FMT_CHR},
                {"no time", "Since", "yesterday", ODM_FMT_CHR},
                {"an end without a result", "Step", "ended", ODM_FMT_CHR},
                {"a negative number", "Tries", "-1", ODM_FMT_INT},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const odm_value v = {.format = rows[i].format, .data = odm_cstr(rows[i].value)};
                char uri[64];
                lab l, again;
                set_up(&l, 1);
                assert_int_equal(order(&l, 0, "Download", "c"), 202);
                snprintf(uri, sizeof uri, "./Vendor/Task/1/%s", rows[i].leaf);
                assert_int_equal(odm_tree_write(l.tree, odm_cstr(uri), &v, LAB_NOW), 0);
                assert_int_equal(lab_restart(&l, l.n_log, &again, mount, nothing_made), 0);
                if (odm_tasks_at(again.tasks, 0))
                        fail_msg("%s", rows[i].why);
                assert_string_equal(lab_get(&again, "./Vendor/Task/1/Kind"), "(none)");
                lab_close(&again);
                lab_close(&l);
        }
}

static void names_that_are_no_numbers_are_left_alone(void **state)
{
        static const char *const names[] = {"x", "0", "4294967296", "-1"};
        const odm_value v = {.format = ODM_FMT_CHR, .data = ODM_STR("fumo")};
        char uri[64];
        lab l, again;

        (void)state;
        set_up(&l, 1);
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                snprintf(uri, sizeof uri, "./Vendor/Task/%s/Kind", names[i]);
                assert_int_equal(odm_tree_write(l.tree, odm_cstr(uri), &v, LAB_NOW), 0);
        }
        assert_int_equal(order(&l, 0, "Download", "a"), 202);
        assert_int_equal(lab_restart(&l, l.n_log, &again, mount, nothing_made), 0);
        finish(&again, next_is(&again, "./FUMO/o0"));
        assert_null(odm_tasks_at(again.tasks, 1));
        lab_close(&again);
        lab_close(&l);
}

/* Image and tree move together: a step whose lending cannot be kept was not lent. */
static void a_step_is_lent_when_that_is_kept(void **state)
{
        lab l;

        (void)state;
        set_up(&l, 1);
        assert_int_equal(order(&l, 0, "Download", "a"), 202);
        l.log_fails = true;
        assert_int_equal(odm_tasks_next(l.tasks, LAB_NOW, &lent), ODM_EIO);
        l.log_fails = false;
        assert_int_equal(odm_tree_begin(l.tree, LAB_NOW), 0);
        assert_int_equal(odm_tasks_next(l.tasks, LAB_NOW, &lent), ODM_ESTATE);
        odm_tree_rollback(l.tree);
        uint32_t id = next_is(&l, "./FUMO/o0");
        assert_int_equal(lent->tries, 1);
        assert_int_equal(odm_tasks_next(l.tasks, LAB_NOW, &lent), 0); /* once */
        assert_int_equal(odm_tree_begin(l.tree, LAB_NOW), 0);
        assert_int_equal(odm_tasks_done(l.tasks, id, &done, LAB_NOW), ODM_ESTATE);
        odm_tree_rollback(l.tree);
        finish(&l, id);
        lab_close(&l);
}

static void numbers_are_not_used_again(void **state)
{
        lab l, again;

        (void)state;
        set_up(&l, 2);
        assert_int_equal(order(&l, 0, "Download", "a"), 202);
        assert_int_equal(order(&l, 1, "Download", "b"), 202);
        assert_int_equal(lab_restart(&l, l.n_log, &again, mount, nothing_made), 0);
        uint32_t x = next_is(&again, "./FUMO/o0"), y = next_is(&again, "./FUMO/o1");
        finish(&again, x);
        finish(&again, y);
        assert_int_equal(lab_report(&again, 200), 0);
        assert_int_equal(order(&again, 0, "Download", "c"), 202);
        assert_true(next_is(&again, "./FUMO/o0") > y);
        lab_close(&again);
        lab_close(&l);
}

/* ---- Execs while a task is under way --------------------------------------------------------- */

/* Download begins to watch, Update stops that, DownloadAndUpdate wants to be alone. */
enum { WATCH = 1, STOP, ALONE };
static int busy_says;
static odm_provider watcher;

static int watcher_begin(void *ctx, odm_tasks *ts, odm_task *t, unsigned *status)
{
        (void)ctx;
        (void)ts;
        (void)status;
        odm_task_step(t, odm_task_is(t, "Download") ? WATCH : ALONE, !odm_task_is(t, "Download"));
        return 0;
}

static int watcher_ended(void *ctx, odm_tasks *ts, odm_task *t, const odm_task_end *e)
{
        (void)ctx;
        (void)ts;
        (void)e;
        odm_task_finish(t, t->step == STOP ? 1250 : 1200);
        return 0;
}

static int watcher_resume(void *ctx, odm_tasks *ts, odm_task *t)
{
        (void)ctx;
        (void)ts;
        (void)t;
        return 0;
}

static int watcher_report(void *ctx, const odm_task *t, size_t i, odm_arena *a, odm_alert *out)
{
        (void)ctx;
        (void)a;
        *out = (odm_alert){.code = 1226, .source = t->object, .data = ODM_STR("x")};
        return i == 0;
}

static int watcher_busy(void *ctx, odm_tasks *ts, odm_task *t, odm_str exec, const odm_op *op,
                        unsigned *status)
{
        (void)ctx;
        assert_str(op->server, "srv");
        if (odm_str_is(odm_str_from(exec, exec.n - 7), "/Update")) {
                odm_task_step(t, STOP, false);
                *status = busy_says > 0 ? (unsigned)busy_says : 1200;
        }
        if (busy_says < 0)
                return busy_says;
        return odm_task_leaf_set(ts, t, "State", ODM_FMT_INT, ODM_STR("30"));
}

static const char *const watcher_steps[] = {[WATCH] = "watch", [STOP] = "stop", [ALONE] = "alone"};
static const odm_task_kind watcher_kind = {.name = "watcher",
                                           .steps = watcher_steps,
                                           .n_steps = ODM_COUNT(watcher_steps),
                                           .watching = 1u << WATCH | 1u << STOP,
                                           .begin = watcher_begin,
                                           .ended = watcher_ended,
                                           .resume = watcher_resume,
                                           .report = watcher_report,
                                           .busy = watcher_busy};

static int watcher_exec(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        return odm_tasks_exec(ctx, &watcher_kind, odm_str_to(at->uri, sizeof "./FUMO/o0" - 1), at,
                              op, status);
}

static int mount_watcher(lab *l)
{
        static const odm_binding bind[] = {{.path = "*/Download", .exec = watcher_exec},
                                           {.path = "*/Update", .exec = watcher_exec},
                                           {.path = "*/DownloadAndUpdate", .exec = watcher_exec}};

        watcher = (odm_provider){.name = "watcher",
                                 .mo = &odm_mo_fumo,
                                 .bind = bind,
                                 .n_bind = ODM_COUNT(bind),
                                 .ctx = l->tasks};
        int rc = odm_tree_mount(l->tree, NULL, &watcher);
        return rc < 0 ? rc : odm_tasks_know(l->tasks, &watcher_kind, NULL);
}

static void set_up_watchers(lab *l, const odm_mem *mem)
{
        static const char *const leaves[] = {"o0/State",           "o1/State",
                                             "o0/Download/PkgURL", "o1/Download/PkgURL",
                                             "o0/Update/PkgData",  "o1/DownloadAndUpdate/PkgURL"};
        const odm_value acl = {.data = ODM_STR("Get=*&Replace=*&Exec=*")};

        busy_says = 0;
        assert_int_equal(lab_open(l, mem, mount_watcher), 0);
        assert_int_equal(odm_tree_write(l->tree, ODM_STR("./FUMO?prop=ACL"), &acl, LAB_NOW), 0);
        for (size_t i = 0; i < ODM_COUNT(leaves); i++) {
                const odm_value v = {.data = ODM_STR("10")};
                char uri[64];
                snprintf(uri, sizeof uri, "./FUMO/%s", leaves[i]);
                assert_int_equal(odm_tree_write(l->tree, odm_cstr(uri), &v, LAB_NOW), 0);
        }
}

static void an_exec_may_stop_what_is_under_way(void **state)
{
        lab l, again;

        (void)state;
        set_up_watchers(&l, &heap);
        assert_int_equal(order(&l, 0, "Download", "a"), 202);
        assert_int_equal(order(&l, 0, "Download", "b"), 405); /* agreed to nothing: no change */
        assert_string_equal(lab_get(&l, "./FUMO/o0/State"), "10");
        uint32_t id = next_is(&l, "./FUMO/o0");
        assert_int_equal(odm_tree_begin(l.tree, LAB_NOW), 0);
        assert_int_equal(order(&l, 0, "Update", "s"), 500); /* as in an Atomic */
        odm_tree_rollback(l.tree);
        assert_int_equal(order(&l, 0, "Update", "s"), 1200);
        assert_string_equal(lab_get(&l, "./FUMO/o0/State"), "30");
        assert_null(odm_tasks_at(l.tasks, 1));
        assert_int_equal(odm_tasks_done(l.tasks, id, &done, LAB_NOW), ODM_ENOENT); /* withdrawn */
        assert_int_equal(lab_restart(&l, l.n_log, &again, mount_watcher, nothing_made), 0);
        assert_int_equal(next_is(&again, "./FUMO/o0"), id); /* a power cut forgets nothing */
        assert_int_equal(lent->step, STOP);
        lab_close(&again);
        assert_int_equal(next_is(&l, "./FUMO/o0"), id);
        assert_int_equal(lent->step, STOP);
        assert_int_equal(lent->tries, 1);
        assert_str(lent->correlator, "a");
        finish(&l, id);
        assert_int_equal(odm_tasks_at(l.tasks, 0)->result, 1250);
        lab_close(&l);
}

static void a_stop_that_is_refused_or_fails_changes_nothing(void **state)
{
        static const int says[] = {403, ODM_ENOMEM, ODM_EIO};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(says); i++) {
                unsigned status = 0;
                lab l;
                set_up_watchers(&l, &heap);
                assert_int_equal(order(&l, 0, "Download", "a"), 202);
                uint32_t id = next_is(&l, "./FUMO/o0");
                busy_says = says[i];
                int rc = lab_exec(&l, "./FUMO/o0/Update", "s", &status);
                assert_int_equal(rc, says[i] < 0 ? says[i] : 0);
                assert_int_equal(status, says[i] < 0 ? 0 : says[i]);
                busy_says = 0;
                l.log_fails = true; /* 510 of the tree */
                assert_int_equal(lab_exec(&l, "./FUMO/o0/Update", "s", &status), ODM_EIO);
                l.log_fails = false;
                assert_string_equal(lab_get(&l, "./FUMO/o0/State"), "10");
                assert_int_equal(odm_tasks_at(l.tasks, 0)->step, WATCH);
                finish(&l, id);
                assert_int_equal(odm_tasks_at(l.tasks, 0)->result, 1200);
                lab_close(&l);
        }
}

static void a_stop_without_memory_changes_nothing(void **state)
{
        (void)state;
        for (uint64_t i = 1;; i++) {
                failing f;
                unsigned status = 0;
                lab l;
                failing_init(&f);
                set_up_watchers(&l, &f.mem);
                assert_int_equal(order(&l, 0, "Download", "a"), 202);
                (void)next_is(&l, "./FUMO/o0");
                f.calls = 0;
                f.fail_at = i;
                int rc = lab_exec(&l, "./FUMO/o0/Update", "s", &status);
                f.fail_at = 0;
                assert_true(rc == 0 || rc == ODM_ENOMEM);
                assert_int_equal(odm_tasks_at(l.tasks, 0)->step, rc == 0 ? STOP : WATCH);
                assert_string_equal(lab_get(&l, "./FUMO/o0/State"), rc == 0 ? "30" : "10");
                lab_close(&l);
                if (rc == 0)
                        break;
        }
}

static void who_only_watches_is_not_in_the_way(void **state)
{
        lab l;

        (void)state;
        set_up_watchers(&l, &heap);
        assert_int_equal(order(&l, 0, "Download", "a"), 202);
        uint32_t a = next_is(&l, "./FUMO/o0");
        assert_int_equal(order(&l, 1, "DownloadAndUpdate", "b"), 202);
        uint32_t b = next_is(&l, "./FUMO/o1"); /* beside the watcher */
        assert_int_equal(order(&l, 0, "Update", "s"), 1200);
        assert_int_equal(next_is(&l, "./FUMO/o0"), a); /* and the other way round */
        finish(&l, a);
        assert_int_equal(order(&l, 0, "Download", "c"), 405); /* but nothing new begins */
        finish(&l, b);
        assert_int_equal(order(&l, 0, "Download", "c"), 202);
        lab_close(&l);
}

static int commit_fails(void *ctx, odm_tree *t, const odm_change *list)
{
        (void)ctx;
        (void)t;
        (void)list;
        return ODM_EIO;
}

/* A provider fails after all had agreed: the tree keeps the move, so the task has made it too. */
static void what_the_tree_keeps_the_task_keeps(void **state)
{
        lab l, again;

        (void)state;
        set_up(&l, 1);
        fumo.provider.commit = commit_fails;
        assert_int_equal(order(&l, 0, "Download", "a"), 202);
        uint32_t id = next_is(&l, "./FUMO/o0");
        const unsigned step = lent->step;
        assert_int_equal(odm_tasks_done(l.tasks, id, &done, LAB_NOW), 0);
        assert_int_not_equal(odm_tasks_at(l.tasks, 0)->step, step);
        assert_int_equal(odm_tasks_done(l.tasks, id, &done, LAB_NOW), ODM_ENOENT);
        const odm_task kept = *odm_tasks_at(l.tasks, 0);
        assert_int_equal(lab_restart(&l, l.n_log, &again, mount, nothing_made), 0);
        assert_int_equal(odm_tasks_at(again.tasks, 0)->step, kept.step);
        assert_int_equal(odm_tasks_at(again.tasks, 0)->result, kept.result);
        lab_close(&again);
        lab_close(&l);
}

static void causes_have_sentences(void **state)
{
        (void)state;
        assert_string_equal(odm_task_cause_text(ODM_CAUSE_CORRUPT), "the package is damaged");
        assert_string_equal(odm_task_cause_text((odm_task_cause)99), "unknown");
        for (unsigned i = 0; i <= ODM_CAUSE_INTERRUPTED; i++)
                assert_int_equal(odm_task_cause_of(odm_cstr(odm_task_cause_name(i))), i);
        assert_int_equal(odm_task_cause_of(ODM_STR("LUCK")), ODM_CAUSE_FAILED);
        assert_string_equal(odm_task_cause_name((odm_task_cause)99), "FAILED");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(steps_that_want_to_be_alone_are),
                cmocka_unit_test(there_is_a_ceiling),
                cmocka_unit_test(what_cannot_be_kept_is_refused),
                cmocka_unit_test(reports_wait_longer_and_longer),
                cmocka_unit_test(what_found_no_room_or_no_way_waits_too),
                cmocka_unit_test(no_report_is_given_up_untold),
                cmocka_unit_test(other_servers_are_told_nothing),
                cmocka_unit_test(answers_that_end_it),
                cmocka_unit_test(answers_to_nothing_are_ignored),
                cmocka_unit_test(the_device_reports_to_nobody_what_it_ordered_itself),
                cmocka_unit_test(nodes_without_sense_are_deleted),
                cmocka_unit_test(names_that_are_no_numbers_are_left_alone),
                cmocka_unit_test(a_step_is_lent_when_that_is_kept),
                cmocka_unit_test(numbers_are_not_used_again),
                cmocka_unit_test(an_exec_may_stop_what_is_under_way),
                cmocka_unit_test(a_stop_that_is_refused_or_fails_changes_nothing),
                cmocka_unit_test(a_stop_without_memory_changes_nothing),
                cmocka_unit_test(who_only_watches_is_not_in_the_way),
                cmocka_unit_test(what_the_tree_keeps_the_task_keeps),
                cmocka_unit_test(causes_have_sentences),
        };

        return RUN_TESTS(tests);
}
