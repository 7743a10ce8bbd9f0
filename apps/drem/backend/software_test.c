/* SPDX-License-Identifier: Apache-2.0 */
/* What installers say and how they end, in every way; the order of work; files that nobody holds.
 * Downloader and installer are scripts; the real ones have tests of their own. */
#include "software.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "support.h"
#include "workshop.h"

static loop *l;
static int64_t limit;
static size_t most = 8;
static unsigned heard, waited_for;
static char log_of_ends[512], inventory[512];
static const char *held;

/* Does what the file ORDER says, and writes down what it was asked. */
static const char installer_script[] = "#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho \"$*\" >>asked\n"
                                       "[ -f \"$1\" ] && . \"./$1\"\nexit 0\n";

static int set_up(void **state)
{
        (void)state;
        limit = 0;
        most = 8;
        workshop_open();
        workshop_put("installer", installer_script, 0755);
        workshop_put("pkg", "the package", 0644);
        workshop_put("bare", "another package", 0644);
        workshop_sign("pkg");
        return 0;
}

/* ---- the part's side ---------------------------------------------------------------------- */

static void maybe_stop(void)
{
        if (++heard >= waited_for)
                loop_stop(l);
}

static int on_done(void *ctx, uint32_t id, const odm_task_end *e)
{
        size_t n = strlen(log_of_ends);

        (void)ctx;
        snprintf(log_of_ends + n, sizeof log_of_ends - n, "%u %s%s%s%.*s\n", (unsigned)id,
                 odm_task_cause_name(e->cause), e->has_data ? " kept" : "", e->note.n ? " " : "",
                 (int)e->note.n, e->note.p ? e->note.p : "");
        maybe_stop();
        return 0;
}

static void on_listed(void *ctx, const char *installer, const odm_component *list, size_t n)
{
        size_t k = 0;

        (void)ctx;
        inventory[0] = 0;
        assert_string_equal(installer, "maker");
        for (size_t i = 0; i < n; i++)
                k += (size_t)snprintf(inventory + k, sizeof inventory - k, "%.*s %.*s %d %.*s; ",
                                      (int)list[i].id.n, list[i].id.p, (int)list[i].version.n,
                                      list[i].version.p, list[i].active, (int)list[i].name.n,
                                      list[i].name.p);
        maybe_stop();
}

static void wait_for(unsigned n)
{
        heard = 0;
        waited_for = n;
        assert_int_equal(loop_run(l), 0);
}

static software *open_software(void)
{
        static char folder[WORKSHOP_PATH], fetch[WORKSHOP_PATH], keys[WORKSHOP_PATH],
                maker[WORKSHOP_PATH];
        static const char *command[] = {maker, NULL};
        static const char *const types[] = {"application/octet-stream", NULL};
        static const char *const environments[] = {"linux", "posix", NULL};
        assert_int_equal(loop_new(&l), 0);
        const software_opt o = {.loop = l,
                                .folder = folder,
                                .terms = {.fetch = fetch, .max_size = 1 << 20, .tries = 1},
                                .keys = keys,
                                .command_ms = limit,
                                .environments = environments,
                                .installer = {{"maker", command, types}},
                                .n_installers = 1,
                                .most = most,
                                .done = on_done,
                                .listed = on_listed};
        software *s = NULL;

        workshop_path("kept", folder);
        workshop_path("fetch", fetch);
        workshop_path("keys", keys);
        workshop_path("installer", maker);
        assert_int_equal(software_open(&o, &s, NULL), 0);
        log_of_ends[0] = 0;
        return s;
}

static void close_software(software *s)
{
        software_close(s);
        loop_free(l);
}

static void begin(software *s, uint32_t id, odm_scomo_step step, const char *args)
{
        const odm_task t = {
                .id = id, .kind = &odm_scomo_kind, .step = step, .args = odm_cstr(args)};

        assert_int_equal(software_begin(s, &t, ODM_STR("the package")), 0);
}

static const char *url(const char *name, const char *more)
{
        static char text[256];

        snprintf(text, sizeof text, "url=%s/%s\nhold=p1\npkg=net.x\n%s", workshop, name, more);
        return text;
}

static void ends(const char *why, const char *want)
{
        if (strcmp(log_of_ends, want) != 0)
                fail_msg("%s: '%s', not '%s'", why, log_of_ends, want);
        log_of_ends[0] = 0;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void the_inventory_is_what_installers_say(void **state)
{
        static const struct {
                const char *why, *script, *inventory;
                size_t most;
        } rows[] = {
                {"two",
                 "printf 'component\\ta\\t1\\tactive\\tA\\tof "
                 "a\\ncomponent\\tb\\t2\\tinactive\\tB\\n'",
                 "a 1 1 A; b 2 0 B; ", 8},
                {"less than all of it", "printf 'component\\ta\\t1\\tactive\\n'", "a 1 1 ; ", 8},
                {"other lines are not about it",
                 "echo hello; printf 'component\\tc\\t3\\tactive\\tC\\n'", "c 3 1 C; ", 8},
                {"without a name there is none", "printf 'component\\t\\t1\\tactive\\tA\\n'", "",
                 8},
                {"no text", "printf 'component\\t\\377\\t1\\tactive\\tA\\n'", "", 8},
                {"no more than asked for",
                 "for i in 1 2 3 4; do printf \"component\\t$i\\t1\\tactive\\tA\\n\"; done",
                 "1 1 1 A; 2 1 1 A; ", 2},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                most = rows[i].most;
                workshop_put("list", rows[i].script, 0644);
                software *s = open_software();
                wait_for(1);
                if (strcmp(inventory, rows[i].inventory) != 0)
                        fail_msg("%s: '%s'", rows[i].why, inventory);
                close_software(s);
        }
}

static void packages_are_fetched_proved_and_installed(void **state)
{
        odm_component c;
        software *s;

        (void)state;
        workshop_put("install", "printf 'component\\ta\\t1\\tactive\\tA\\n'; cp \"$2\" got", 0644);
        s = open_software();
        wait_for(1);
        begin(s, 7, ODM_SCOMO_DOWNLOAD, url("pkg", ""));
        wait_for(1);
        ends("fetched", "7 OK kept\n");
        begin(s, 7, ODM_SCOMO_INSTALL, url("pkg", "active=1\nname=N\nparams=a b\n"));
        assert_string_equal(log_of_ends, ""); /* never from within */
        wait_for(2);                          /* and what is there by now */
        ends("installed", "7 OK kept\n");
        assert_string_equal(workshop_text("got"), "the package");
        assert_non_null(strstr(workshop_text("asked"), "/kept/p1 net.x active N a b\n"));
        assert_int_equal(software_made(s, 7, 0, &c), 1);
        assert_str(c.id, "a");
        assert_str(c.installer, "maker");
        assert_int_equal(software_made(s, 7, 1, &c), 0);
        assert_int_equal(software_made(s, 8, 0, &c), 0);
        begin(s, 8, ODM_SCOMO_INSTALL, "hold=p2\npkg=y\npushed=1\nactive=0\n");
        wait_for(1);
        ends("pushed without a signature", "8 UNSIGNED the package has no signature\n");
        begin(s, 9, ODM_SCOMO_DOWNLOAD, url("bare", ""));
        wait_for(1);
        ends("nobody signed it", "9 UNSIGNED the package has no signature\n");
        begin(s, 9, ODM_SCOMO_DOWNLOAD, url("nowhere", ""));
        wait_for(1);
        ends("not there", "9 BAD_URL the server has no such file\n");
        close_software(s);
}

static void installers_end_in_many_ways(void **state)
{
        static const struct {
                const char *why, *script, *want;
                odm_scomo_step step;
        } rows[] = {
                {"no room", "echo 4 MB are missing; exit 20", "1 NO_ROOM kept 4 MB are missing\n",
                 ODM_SCOMO_INSTALL},
                {"another machine", "exit 30", "1 MISMATCH kept\n", ODM_SCOMO_INSTALL},
                {"another kind", "echo what is this; exit 50", "1 NOT_ACCEPTED what is this\n",
                 ODM_SCOMO_INSTALL},
                {"failed", "echo one; echo two; echo; exit 1", "1 FAILED kept two\n",
                 ODM_SCOMO_INSTALL},
                {"dies", "kill -9 $$", "1 FAILED kept\n", ODM_SCOMO_INSTALL},
                {"it is there", "exit 0", "1 OK kept\n", ODM_SCOMO_CHECK},
                {"it was undone", "echo undone; exit 3", "1 INTERRUPTED kept undone\n",
                 ODM_SCOMO_CHECK},
                {"cannot be done", "echo no; exit 40", "1 UNSUPPORTED kept no\n",
                 ODM_SCOMO_DEACTIVATE},
                {"activated", "exit 0", "1 OK kept\n", ODM_SCOMO_ACTIVATE},
                {"removed", "[ \"$2\" = a ] || exit 1", "1 OK kept\n", ODM_SCOMO_REMOVE},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                static const char *const orders[] = {
                        [ODM_SCOMO_INSTALL] = "install",       [ODM_SCOMO_CHECK] = "check",
                        [ODM_SCOMO_ACTIVATE] = "activate",     [ODM_SCOMO_REMOVE] = "remove",
                        [ODM_SCOMO_DEACTIVATE] = "deactivate",
                };
                software *s = open_software();
                workshop_put(orders[rows[i].step], rows[i].script, 0644);
                wait_for(1);
                begin(s, 1, ODM_SCOMO_DOWNLOAD, url("pkg", ""));
                wait_for(1);
                log_of_ends[0] = 0;
                begin(s, 1, rows[i].step, url("pkg", "id=a\ninstaller=maker\nactive=1\n"));
                wait_for(2);
                ends(rows[i].why, rows[i].want);
                close_software(s);
        }
}

static void one_change_at_a_time(void **state)
{
        software *s;

        (void)state;
        workshop_put("activate", "[ -e busy ] && exit 9; touch busy; sleep 0.1; rm busy", 0644);
        s = open_software();
        wait_for(1);
        for (uint32_t id = 1; id <= 3; id++)
                begin(s, id, ODM_SCOMO_ACTIVATE, "id=a\ninstaller=maker\n");
        begin(s, 4, ODM_SCOMO_ACTIVATE, "id=a\ninstaller=gone\n");
        wait_for(5); /* and one list after all of them */
        ends("in turn", "1 OK\n2 OK\n3 OK\n4 BAD_CONFIG its installer is not here any more\n");
        close_software(s);
}

static void nobody_waits_for_ever(void **state)
{
        software *s;

        (void)state;
        limit = 100;
        workshop_put("activate", "exec sleep 60", 0644);
        s = open_software();
        wait_for(1);
        begin(s, 1, ODM_SCOMO_ACTIVATE, "id=a\ninstaller=maker\n");
        wait_for(1);
        ends("too long", "1 FAILED the installer took too long\n");
        close_software(s);
}

/* What is under way when dremd ends goes on. */
static void an_installation_outlives_us(void **state)
{
        software *s;

        (void)state;
        workshop_put(
                "activate",
                "trap '' PIPE; touch begun; while [ ! -e go ]; do sleep 0.02; done; touch made",
                0644);
        s = open_software();
        wait_for(1);
        begin(s, 1, ODM_SCOMO_ACTIVATE, "id=a\ninstaller=maker\n");
        for (int i = 0; i < 1000 && !workshop_has("begun"); i++)
                assert_int_equal(loop_once(l, 10), 0);
        close_software(s);
        workshop_put("go", "", 0644);
        for (int i = 0; i < 1000 && !workshop_has("made"); i++)
                usleep(10000);
        assert_true(workshop_has("made"));
}

static void what_fits_is_known_before(void **state)
{
        static const struct {
                const char *why, *env, *type;
                odm_task_cause cause;
        } rows[] = {
                {"anything", "", "", ODM_CAUSE_OK},
                {"named", "Linux", "application/octet-stream; x=y", ODM_CAUSE_OK},
                {"another one", "jvm", "", ODM_CAUSE_MISMATCH},
                {"another kind", "posix", "image/png", ODM_CAUSE_NOT_ACCEPTED},
        };
        software *s;

        (void)state;
        s = open_software();
        wait_for(1);
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                if (software_fits(s, odm_cstr(rows[i].env), odm_cstr(rows[i].type)) !=
                    rows[i].cause)
                        fail_msg("%s", rows[i].why);
        close_software(s);
}

static int is_held(void *ctx, odm_str name)
{
        (void)ctx;
        return odm_str_is(name, held);
}

static void files_that_nobody_holds_go(void **state)
{
        static const char *const names[] = {"p1",         "p1.sig", "p12", "p2.part",
                                            "p2.part.of", "other",  "px"};
        software *s;

        (void)state;
        s = open_software();
        wait_for(1);
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                char path[32];
                snprintf(path, sizeof path, "kept/%s", names[i]);
                workshop_put(path, "x", 0600);
        }
        held = "p1";
        software_tidy(s, is_held, NULL);
        assert_true(workshop_has("kept/p1") && workshop_has("kept/p1.sig") &&
                    workshop_has("kept/other") && workshop_has("kept/px"));
        assert_false(workshop_has("kept/p12") || workshop_has("kept/p2.part") ||
                     workshop_has("kept/p2.part.of"));
        close_software(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_inventory_is_what_installers_say, set_up,
                                                workshop_close),
                cmocka_unit_test_setup_teardown(packages_are_fetched_proved_and_installed, set_up,
                                                workshop_close),
                cmocka_unit_test_setup_teardown(installers_end_in_many_ways, set_up,
                                                workshop_close),
                cmocka_unit_test_setup_teardown(one_change_at_a_time, set_up, workshop_close),
                cmocka_unit_test_setup_teardown(nobody_waits_for_ever, set_up, workshop_close),
                cmocka_unit_test_setup_teardown(an_installation_outlives_us, set_up,
                                                workshop_close),
                cmocka_unit_test_setup_teardown(what_fits_is_known_before, set_up, workshop_close),
                cmocka_unit_test_setup_teardown(files_that_nobody_holds_go, set_up, workshop_close),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
