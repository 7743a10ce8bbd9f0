/* SPDX-License-Identifier: Apache-2.0 */
/* parts_test.c - steps and alerts of parts, shown with firmware objects and a part that does
 * nothing but write down what it was told. */
#include "stand.h"

#include <sys/stat.h>
#include <unistd.h>

#include "mo.h"
#include "odm/fumo.h"
#include "support.h"

#define NOW ((odm_wall){1290000000})

static odm_fumo fumo;
static const part_host *host;

static struct seen {
        bool now; /* steps end at once */
        unsigned begun, rests, ended, looks;
        uint32_t id, answered;
        unsigned status;
        char told[64], heard[256], met[32];
} seen;

/* ---- the part ------------------------------------------------------------------------------- */

static const odm_task_end good = {.cause = ODM_CAUSE_OK};

static int fake_mount(const part_host *h, void **out, diag *d)
{
        (void)d;
        host = h;
        *out = &fumo;
        return odm_fumo_mount(&fumo, h->tasks, &odm_mo_fumo);
}

static int fake_fill(void *p, diag *d)
{
        (void)d;
        return odm_fumo_add(p, "main", NOW);
}

static int fake_begin(void *p, const odm_task *t)
{
        (void)p;
        seen.begun++;
        seen.id = t->id;
        if (seen.now)
                assert_int_equal(host->done(host->ctx, t->id, &good), 0);
        return 0;
}

static void fake_rest(void *p, bool ok)
{
        (void)p;
        seen.rests += ok;
}

static int fake_alerts(void *p, odm_str server, int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        const odm_alert a = {.id = 77, .type = ODM_STR("of-the-part"), .data = server};

        (void)p;
        return fn(ctx, &a);
}

static void fake_met(void *p, odm_str server)
{
        (void)p;
        snprintf(seen.met, sizeof seen.met, "%.*s", (int)server.n, server.p);
}

static void fake_alerted(void *p, uint64_t id, unsigned status)
{
        (void)p;
        seen.answered = (uint32_t)id;
        seen.status = status;
}

static void fake_look(void *p)
{
        (void)p;
        seen.looks++;
}

static void fake_close(void *p)
{
        (void)p;
}

static bool never(const cfg *c)
{
        (void)c;
        return false;
}

static const char *const roots[] = {ODM_FUMO_AT, NULL};
static const odm_task_kind *const kinds[] = {&odm_fumo_kind, NULL};
static const part_class fake = {.name = "fake",
                                .roots = roots,
                                .kinds = kinds,
                                .mount = fake_mount,
                                .fill = fake_fill,
                                .begin = fake_begin,
                                .rest = fake_rest,
                                .alerts = fake_alerts,
                                .met = fake_met,
                                .alerted = fake_alerted,
                                .look = fake_look,
                                .close = fake_close};
static const part_class gone = {
        .name = "gone", .kinds = kinds, .wanted = never, .mount = fake_mount, .close = fake_close};
static const part_class *const with_it[] = {&fake, NULL}, *const without[] = {&gone, NULL};

/* ---- the agent ------------------------------------------------------------------------------ */

static void on_tell(void *ctx, odm_str server)
{
        (void)ctx;
        snprintf(seen.told, sizeof seen.told, "%.*s", (int)server.n, server.p ? server.p : "");
}

static void on_text(void *ctx, const char *text)
{
        (void)ctx;
        (void)text;
}

static void on_ended(void *ctx)
{
        (void)ctx;
        seen.ended++;
        loop_stop(stand.loop);
}

static const parts_agent agent = {.tell = on_tell,
                                  .call = on_text,
                                  .restart = on_text,
                                  .firmware = on_text,
                                  .ended = on_ended};

static void start(const part_class *const *classes)
{
        stand_start(classes, NULL, &agent);
}

static int set_up(void **unused)
{
        (void)unused;
        memset(&seen, 0, sizeof seen);
        stand_open();
        stand_configure("");
        start(with_it);
        return 0;
}

static int tear_down(void **unused)
{
        (void)unused;
        stand_stop();
        stand_close();
        return 0;
}

/* ---- what a server does --------------------------------------------------------------------- */

static void order_download(void)
{
        const odm_value acl = {.data = ODM_STR("Get=*&Replace=*&Exec=*")};

        assert_int_equal(odm_tree_write(stand.tree, ODM_STR("./FUMO?prop=ACL"), &acl, NOW), 0);
        assert_int_equal(
                stand_operate(ODM_CMD_REPLACE, "./FUMO/main/Download/PkgURL", "http://h/p", NOW),
                200);
        assert_int_equal(stand_operate(ODM_CMD_EXEC, "./FUMO/main/Download", NULL, NOW), 202);
}

static const char *state_of_it(void)
{
        return stand_get("./FUMO/main/State");
}

static int hear(void *ctx, const odm_alert *a)
{
        size_t n = strlen(seen.heard);

        (void)ctx;
        seen.id = (uint32_t)(a->id >> 32);
        snprintf(seen.heard + n, sizeof seen.heard - n, "%.*s %.*s;", (int)a->type.n, a->type.p,
                 a->source_name.p ? (int)a->source_name.n : 1,
                 a->source_name.p ? a->source_name.p : "-");
        return 0;
}

static const char *session_with(const char *server, odm_wall now)
{
        seen.heard[0] = 0;
        assert_int_equal(parts_alerts(stand.parts, odm_cstr(server), now, hear, NULL), 0);
        return seen.heard;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void a_step_is_begun_and_its_end_is_kept(void **unused)
{
        (void)unused;
        assert_int_equal(seen.rests, 1);
        parts_met(stand.parts, ODM_STR("srv"));
        assert_string_equal(seen.met, "srv");
        host->installed(host->ctx);
        assert_int_equal(seen.looks, 1);
        order_download();
        parts_go(stand.parts);
        parts_go(stand.parts);
        assert_int_equal(seen.begun, 1);
        assert_int_equal(host->done(host->ctx, seen.id, &good), 0);
        assert_string_equal(state_of_it(), "50");
        assert_int_equal(seen.ended, 1);
        stand_stop();
        start(with_it);
        assert_string_equal(state_of_it(), "50");
}

static void a_step_may_end_within_its_beginning(void **unused)
{
        (void)unused;
        order_download();
        seen.now = true;
        parts_go(stand.parts);
        assert_int_equal(seen.begun, 1);
        assert_string_equal(state_of_it(), "50");
}

static void what_nobody_does_any_more_ends(void **unused)
{
        (void)unused;
        order_download();
        stand_stop();
        start(without);
        assert_non_null(odm_tasks_at(stand.tasks, 0));
        assert_int_equal(odm_tasks_at(stand.tasks, 0)->step, 0);
        assert_int_equal(odm_tasks_at(stand.tasks, 0)->result, 408);
}

static void an_end_waits_for_an_open_transaction(void **unused)
{
        (void)unused;
        order_download();
        parts_go(stand.parts);
        assert_int_equal(odm_tree_begin(stand.tree, NOW), 0);
        assert_int_equal(host->done(host->ctx, seen.id, &good), ODM_ESTATE);
        odm_tree_rollback(stand.tree);
        assert_string_equal(state_of_it(), "30");
        assert_int_equal(loop_run(stand.loop), 0); /* until it is said again */
        assert_string_equal(state_of_it(), "50");
}

static void alerts_are_for_their_server(void **unused)
{
        const odm_alert to = {.type = ODM_STR("to-a")}, any = {.type = ODM_STR("any")};

        (void)unused;
        assert_int_equal(host->alert(host->ctx, ODM_STR("a"), &to), 0);
        assert_string_equal(seen.told, "a");
        assert_int_equal(host->alert(host->ctx, ODM_ABSENT, &any), 0);
        stand_stop();
        start(with_it);
        assert_string_equal(session_with("a", loop_wall()), "to-a -;any -;of-the-part -;");
        assert_string_equal(session_with("b", loop_wall()), "any -;of-the-part -;");
        parts_alerted(stand.parts, 1, 500); /* it is worth another try */
        parts_alerted(stand.parts, 2, 415);
        assert_string_equal(session_with("a", loop_wall()), "to-a -;of-the-part -;");
        parts_alerted(stand.parts, 1, 200);
        assert_string_equal(session_with("a", loop_wall()), "of-the-part -;");
        parts_alerted(stand.parts, (uint64_t)seen.id << 32 | 77, 202);
        assert_int_equal(seen.answered, 77);
        assert_int_equal(seen.status, 202);
}

static void a_late_alert_says_when_it_was(void **unused)
{
        const odm_alert a = {.type = ODM_STR("t")};
        const odm_wall now = loop_wall();
        char when[ODM_WALL_TEXT], want[64];

        (void)unused;
        odm_wall_format(now, when);
        assert_int_equal(host->alert(host->ctx, ODM_ABSENT, &a), 0);
        (void)session_with("a", (odm_wall){now.s + 59});
        assert_string_equal(seen.heard, "t -;of-the-part -;");
        (void)session_with("a", (odm_wall){now.s + 3600});
        snprintf(want, sizeof want, "t %.13s", when); /* the second may have passed */
        assert_int_equal(strncmp(seen.heard, want, strlen(want)), 0);
}

static void rights_are_given_where_there_are_none(void **unused)
{
        const odm_str acl = ODM_STR("Get=*&Exec=srv");

        (void)unused;
        assert_int_equal(stand_operate(ODM_CMD_EXEC, "./FUMO/main/Download", NULL, NOW), 425);
        assert_int_equal(parts_grant(stand.parts, acl, false, NOW), 0);
        assert_int_equal(stand_operate(ODM_CMD_EXEC, "./FUMO/main/Download", NULL, NOW), 405);
        assert_int_equal(parts_grant(stand.parts, ODM_STR("Get=*"), false, NOW), 0);
        assert_int_equal(stand_operate(ODM_CMD_EXEC, "./FUMO/main/Download", NULL, NOW), 405);
        assert_int_equal(parts_grant(stand.parts, ODM_STR("Get=*"), true, NOW), 0);
        assert_int_equal(stand_operate(ODM_CMD_EXEC, "./FUMO/main/Download", NULL, NOW), 425);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_step_is_begun_and_its_end_is_kept, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(a_step_may_end_within_its_beginning, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(what_nobody_does_any_more_ends, set_up, tear_down),
                cmocka_unit_test_setup_teardown(an_end_waits_for_an_open_transaction, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(alerts_are_for_their_server, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_late_alert_says_when_it_was, set_up, tear_down),
                cmocka_unit_test_setup_teardown(rights_are_given_where_there_are_none, set_up,
                                                tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
