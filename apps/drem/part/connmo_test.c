/* SPDX-License-Identifier: Apache-2.0 */
/* The trial of new connections as a whole: stories with a real program and a server that is or is
 * not reached, and the power cut at every state that the disk ever had in them. */
#include "part/connmo.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "mo.h"
#include "support.h"

#define NOW ((odm_wall){1290000000})
#define LOG_MAX 256
#define STATES 128
#define OLD "10.0.0.2"
#define NEW "10.9.9.9"
#define LEAF "./NAP/e/IP/IPv4/IPAddr"

/* What the disk holds: so many records of the tree, this record of the part. */
typedef struct disk {
        size_t n_log;
        odm_str record; /* absent: none */
        bool told;      /* an alert was kept */
} disk;

static char dir[32], applied[64], settings[64], record[64];
static odm_str tree_log[LOG_MAX]; /* of the first life */
static size_t n_log;
static disk states[STATES];
static size_t n_states;
static bool noting; /* states are kept */

static cfg *conf;
static loop *l;
static odm_tree *tree;
static odm_tasks *tasks;
static void *part;
static part_host host;
static const odm_provider dmacc = {.name = "dmacc", .mo = &odm_mo_dmacc};

static struct world {
        bool reached; /* what becomes of sessions */
        unsigned calls, alerts, calls_begun;
        char alert[600];
} w;

/* ---- what a disk holds ---------------------------------------------------------------------- */

static odm_str read_file(const char *path)
{
        odm_str s = ODM_ABSENT;
        odm_buf b;

        odm_buf_init(&b, &heap, 1 << 20);
        if (fsio_read(path, 1 << 20, &b, NULL) == 0)
                s = exact_bytes(b.p, b.n);
        odm_buf_done(&b);
        return s;
}

static void note_state(void)
{
        disk now = {.n_log = n_log, .told = w.alerts > 0};
        const disk *last = n_states ? &states[n_states - 1] : NULL;

        if (!noting)
                return;
        now.record = read_file(record);
        if (last && last->n_log == now.n_log && last->told == now.told &&
            odm_str_eq(last->record, now.record)) {
                exact_free(now.record);
                return;
        }
        assert_true(n_states < STATES);
        states[n_states++] = now;
}

static int keep_log(void *ctx, odm_str text)
{
        (void)ctx;
        note_state(); /* the record may be there before the tree's */
        assert_true(n_log < LOG_MAX);
        if (noting)
                tree_log[n_log++] = exact_bytes(text.p, text.n);
        return 0;
}

static void forget_states(void)
{
        while (n_states)
                exact_free(states[--n_states].record);
        while (n_log)
                exact_free(tree_log[--n_log]);
}

/* ---- the agent ------------------------------------------------------------------------------- */

static int on_moved(void *ctx)
{
        (void)ctx;
        note_state();
        return 0;
}

static int on_alert(void *ctx, odm_str server, const odm_alert *a)
{
        (void)ctx;
        assert_null(server.p);
        note_state();
        w.alerts++;
        snprintf(w.alert, sizeof w.alert, "%.*s %.*s %.*s", (int)a->type.n, a->type.p,
                 (int)a->source.n, a->source.p, (int)a->data.n, a->data.p);
        return 0;
}

static void on_call(void *ctx, const char *why)
{
        (void)ctx;
        (void)why;
        note_state();
        w.calls++;
}

static int hear_nothing(void *ctx, const odm_alert *a)
{
        (void)ctx;
        (void)a;
        fail_msg("the part has no alerts of its own");
        return 0;
}

static void session(bool good)
{
        assert_int_equal(part_connmo.alerts(part, ODM_STR("srv"), hear_nothing, NULL), 0);
        if (good)
                part_connmo.met(part, ODM_STR("srv"));
        part_connmo.rest(part, good);
        note_state();
}

static const char *phase(void)
{
        static char text[40];
        odm_buf b;

        odm_buf_init(&b, &heap, 4096);
        assert_int_equal(part_connmo.status(part, &b), 0);
        snprintf(text, sizeof text, "%.*s", (int)b.n, b.p);
        odm_buf_done(&b);
        text[strcspn(text, "\n")] = 0;
        return text + strlen("network: ");
}

/* Runs until a phase, sessions included; false when it does not come. */
static bool run_until(const char *want)
{
        for (int i = 0; i < 3000; i++) {
                if (strcmp(phase(), want) == 0)
                        return true;
                if (w.calls > w.calls_begun) {
                        w.calls_begun = w.calls;
                        session(w.reached);
                        continue;
                }
                assert_int_equal(loop_once(l, 10), 0);
                note_state();
        }
        return false;
}

static bool file_has(const char *path, const char *text)
{
        odm_str s = read_file(path);
        bool has = s.p && memmem(s.p, s.n, text, strlen(text)) != NULL;

        exact_free(s);
        return has;
}

/* Runs until `path` has `text`: what was begun at the start is over. */
static bool run_until_file(const char *path, const char *text)
{
        for (int i = 0; i < 3000; i++) {
                if (file_has(path, text))
                        return true;
                assert_int_equal(loop_once(l, 10), 0);
        }
        return false;
}

/* ---- a device ---------------------------------------------------------------------------------- */

static void write_program(const char *body)
{
        char path[64], text[300];

        snprintf(path, sizeof path, "%s/apply", dir);
        snprintf(text, sizeof text, "#!/bin/sh\n. \"$2\"\necho \"$1 $nap_1_ipv4_addr\" >>%s\n%s\n",
                 applied, body);
        assert_int_equal(fsio_write(NULL, path, odm_cstr(text), 0755, NULL), 0);
}

static void configure(const char *more)
{
        char text[600];
        diag d = {{0}};

        snprintf(text, sizeof text,
                 "[agent]\nstate = %s\n[network]\nbackend = exec\ncommand = %s/apply\n"
                 "ethernet = eth0\ntries = 2\nsettle_time = 20ms\nretry_wait = 100ms\ntrial_time = "
                 "20s\n"
                 "[nap e]\naddr = eth0\nipv4 = " OLD "/24\nipv6 = none\n%s",
                 dir, dir, more);
        assert_int_equal(cfg_new(conf_keys, conf_keys_n, &conf), 0);
        assert_int_equal(cfg_parse(conf, odm_cstr(text), "test", &d), 0);
        assert_int_equal(conf_check(conf, &d), 0);
}

static void mount(size_t records)
{
        odm_tree_opt o;
        const odm_tasks_opt t = {.mem = &heap, .mo = &odm_mo_task};
        odm_tasks_opt to = t;
        diag d = {{0}};

        odm_tree_opt_init(&o, &heap);
        o.log = keep_log;
        assert_int_equal(odm_tree_new(&o, &tree), 0);
        to.tree = tree;
        assert_int_equal(odm_tasks_new(&to, &tasks), 0);
        assert_int_equal(odm_tree_mount(tree, NULL, &dmacc), 0);
        host = (part_host){.tree = tree,
                           .tasks = tasks,
                           .conf = conf,
                           .folder = dir,
                           .moved = on_moved,
                           .alert = on_alert,
                           .call = on_call};
        assert_int_equal(part_connmo.mount(&host, &part, &d), 0);
        for (size_t i = 0; i < records; i++)
                assert_int_equal(odm_tree_load(tree, tree_log[i]), 0);
}

static int begin_life(size_t records, diag *d)
{
        int rc;

        w = (struct world){.reached = w.reached};
        mount(records);
        rc = part_connmo.fill(part, d);
        host.loop = l;
        if (rc == 0)
                rc = part_connmo.open(part, d);
        if (rc == 0)
                part_connmo.rest(part, true);
        note_state();
        return rc;
}

static void end_life(void)
{
        part_connmo.close(part);
        odm_tree_free(tree);
        odm_tasks_free(tasks);
        part = NULL;
        tree = NULL;
}

static int open_world(void **state)
{
        (void)state;
        snprintf(dir, sizeof dir, "/tmp/connmo_test-XXXXXX");
        assert_non_null(mkdtemp(dir));
        snprintf(applied, sizeof applied, "%s/applied", dir);
        snprintf(settings, sizeof settings, "%s/connmo/settings", dir);
        snprintf(record, sizeof record, "%s/connmo/record", dir);
        write_program("exit 0");
        assert_int_equal(loop_new(&l), 0);
        w = (struct world){.reached = true};
        noting = true;
        return 0;
}

static int close_world(void **state)
{
        char command[80];

        (void)state;
        forget_states();
        loop_free(l);
        cfg_free(conf);
        conf = NULL;
        snprintf(command, sizeof command, "rm -rf '%s'", dir);
        return system(command);
}

static const char *leaf(const char *uri)
{
        static char text[200];
        odm_value v = {ODM_FMT_ABSENT};
        odm_arena a;

        odm_arena_init(&a, &heap, 65536);
        snprintf(text, sizeof text, "(none)");
        if (odm_tree_read(tree, odm_cstr(uri), &a, &v) == 0)
                snprintf(text, sizeof text, "%.*s", (int)v.data.n, v.data.n ? v.data.p : "");
        odm_arena_done(&a);
        return text;
}

static unsigned order(odm_cmd kind, const char *uri, const char *data)
{
        const odm_value acl = {.data = ODM_STR("Add=*&Get=*&Replace=*&Delete=*")};
        const odm_op op = {.kind = kind,
                           .target = odm_cstr(uri),
                           .server = ODM_STR("srv"),
                           .has_value = data != NULL,
                           .value.data = odm_cstr(data)};
        odm_answer got = {0};
        odm_arena a;

        assert_int_equal(odm_tree_write(tree, ODM_STR("./NAP?prop=ACL"), &acl, NOW), 0);
        odm_arena_init(&a, &heap, 65536);
        assert_int_equal(odm_tree_do(tree, &op, NOW, &a, &got), 0);
        odm_arena_done(&a);
        return got.status;
}

/* A session in which the server changes the address. */
static void change(const char *addr)
{
        assert_int_equal(order(ODM_CMD_REPLACE, LEAF, addr), 200);
        note_state();
        session(true);
}

static void start(const char *more)
{
        diag d = {{0}};

        configure(more);
        if (begin_life(0, &d) < 0)
                fail_msg("%s", d.text);
        assert_true(run_until_file(applied, "apply " OLD "\n"));
        assert_string_equal(phase(), "steady");
}

/* ---- stories ----------------------------------------------------------------------------------- */

static void a_good_change_stays(void **state)
{
        (void)state;
        start("");
        change(NEW);
        assert_string_equal(phase(), "apply");
        assert_true(run_until("steady"));
        assert_string_equal(leaf(LEAF), NEW);
        assert_true(file_has(settings, NEW));
        assert_int_equal(w.alerts, 0);
        end_life();
}

static void a_bad_one_comes_back_and_is_told(void **state)
{
        (void)state;
        start("");
        w.reached = false;
        change(NEW);
        assert_true(run_until("try"));
        assert_true(run_until("steady"));
        assert_int_equal(w.calls, 2);
        assert_string_equal(leaf(LEAF), OLD);
        assert_true(file_has(settings, OLD));
        assert_true(file_has(applied, "apply " OLD "\napply " NEW "\nrevert " OLD "\n"));
        assert_int_equal(w.alerts, 1);
        assert_non_null(strstr(w.alert, "urn:oma:at:x-xrem-fm:1.0:Alarm ./NAP/e <Alarm>"));
        assert_non_null(strstr(w.alert, "<Cause>connectivity-fallback</Cause>"
                                        "<Object>./NAP/e</Object>"));
        session(true); /* and nothing is tried again */
        assert_string_equal(phase(), "steady");
        end_life();
}

static void what_cannot_be_applied_comes_back_at_once(void **state)
{
        (void)state;
        start("");
        write_program("[ \"$1\" = revert ] || { echo 'no cable'; exit 1; }");
        change(NEW);
        assert_true(run_until("back"));
        assert_true(run_until("steady"));
        assert_int_equal(w.calls, 0);
        assert_string_equal(leaf(LEAF), OLD);
        assert_int_equal(w.alerts, 1);
        end_life();
}

/* The modem is not there yet: a device must not stay without a network for that. */
static void what_fails_at_the_start_is_tried_again(void **state)
{
        char path[64];

        (void)state;
        write_program("[ -e \"${0%/*}/repaired\" ]");
        start("");
        assert_true(run_until_file(applied, "apply " OLD "\napply " OLD "\n"));
        assert_string_equal(phase(), "steady");
        assert_int_equal(w.calls, 0);
        snprintf(path, sizeof path, "%s/repaired", dir);
        assert_int_equal(fsio_write(NULL, path, ODM_STR("x"), 0600, NULL), 0);
        for (int i = 0; i < 3000 && w.calls == 0; i++)
                assert_int_equal(loop_once(l, 10), 0);
        assert_int_equal(w.calls, 1);
        assert_int_equal(w.alerts, 0);
        end_life();
}

static void the_way_back_is_tried_again(void **state)
{
        (void)state;
        start("");
        w.reached = false;
        write_program("[ \"$1\" = apply ] || [ -e \"${0%/*}/repaired\" ]");
        change(NEW);
        assert_true(run_until("back"));
        assert_true(run_until_file(applied, "revert " OLD "\nrevert " OLD "\n"));
        assert_string_equal(phase(), "back");
        assert_int_equal(w.alerts, 0);
        char path[64];
        snprintf(path, sizeof path, "%s/repaired", dir);
        assert_int_equal(fsio_write(NULL, path, ODM_STR("x"), 0600, NULL), 0);
        assert_true(run_until("steady"));
        assert_int_equal(w.alerts, 1);
        end_life();
}

static void what_only_people_see_is_not_tried(void **state)
{
        (void)state;
        start("");
        assert_int_equal(order(ODM_CMD_ADD, "./NAP/e/Name", "Office"), 200);
        session(true);
        assert_string_equal(phase(), "steady");
        assert_int_equal(order(ODM_CMD_ADD, "./NAP/half/ID", "half"), 200);
        session(true);
        assert_string_equal(phase(), "steady");
        w.reached = false; /* what was taken is not lost with a later change */
        change(NEW);
        assert_true(run_until("try"));
        assert_true(run_until("steady"));
        assert_string_equal(leaf("./NAP/e/Name"), "Office");
        assert_string_equal(leaf("./NAP/half/ID"), "half");
        end_life();
}

static void sessions_of_before_prove_nothing(void **state)
{
        (void)state;
        start("");
        w.reached = false;
        assert_int_equal(order(ODM_CMD_REPLACE, LEAF, NEW), 200);
        session(true);
        assert_string_equal(phase(), "apply");
        session(true); /* woken while the program runs */
        assert_true(run_until("settle"));
        session(true); /* the old address may still have been there */
        assert_true(run_until("try"));
        assert_true(run_until("steady"));
        assert_string_equal(leaf(LEAF), OLD);
        end_life();
}

/* The server would go on to wake it where it was. */
static void who_called_too_early_calls_again(void **state)
{
        (void)state;
        configure("");
        assert_int_equal(begin_life(0, NULL), 0);
        session(true); /* while the program of the start runs */
        assert_int_equal(w.calls, 0);
        assert_true(run_until_file(applied, OLD));
        for (int i = 0; i < 3000 && w.calls == 0; i++)
                assert_int_equal(loop_once(l, 10), 0);
        assert_int_equal(w.calls, 1);
        session(true);
        end_life();
        assert_int_equal(begin_life(n_log, NULL), 0);
        session(false); /* nobody was met */
        assert_int_equal(unlink(applied), 0);
        assert_true(run_until_file(applied, OLD));
        for (int i = 0; i < 20; i++)
                assert_int_equal(loop_once(l, 10), 0);
        assert_int_equal(w.calls, 0);
        end_life();
}

static void time_runs_out(void **state)
{
        (void)state;
        configure("");
        diag d = {{0}};
        assert_int_equal(cfg_set(conf, "network.trial_time=1s", &d), 0);
        assert_int_equal(cfg_set(conf, "network.retry_wait=1h", &d), 0);
        assert_int_equal(begin_life(0, &d), 0);
        assert_true(run_until_file(applied, "apply " OLD "\n"));
        w.reached = false;
        change(NEW);
        assert_true(run_until("try"));
        assert_true(run_until("steady"));
        assert_int_equal(w.calls, 1);
        assert_string_equal(leaf(LEAF), OLD);
        end_life();
}

static void protected_ones_are_as_they_are_configured(void **state)
{
        (void)state;
        start("protected = yes\n[nap other]\naddr = eth0\n");
        assert_int_equal(order(ODM_CMD_REPLACE, LEAF, NEW), 405);
        assert_int_equal(order(ODM_CMD_ADD, "./NAP/e/Name", "x"), 405);
        assert_int_equal(order(ODM_CMD_DELETE, "./NAP/e", NULL), 405);
        assert_int_equal(order(ODM_CMD_DELETE, "./NAP/other", NULL), 200);
        size_t before = n_log;
        diag d = {{0}};
        end_life();
        assert_int_equal(begin_life(before, &d), 0);
        assert_int_equal(n_log, before); /* nothing differed: nothing was written */
        assert_string_equal(leaf(LEAF), OLD);
        assert_string_equal(leaf("./NAP/other/ID"), "(none)"); /* made once */
        end_life();
}

static void a_bad_configuration_stops_the_start(void **state)
{
        static const char *const rows[][2] = {
                {"ipv4_gateway = here\n", "IP/IPv4/Gateway"},
                {"[nap x]\naddr = eth0\nipv4 = 10.0.0.1\n", "IP/IPv4/NetMask"},
                {"[nap x]\naddr = eth0\nipv4 = 10.0.0.300/24\n", "IP/IPv4/IPAddr"},
                {"[nap x]\naddr = eth1\n", "[nap x]: network.ethernet"},
                {"[nap x]\naddr = cafe\nbearer = WLAN\n", "BearerType"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                diag d = {{0}};
                configure(rows[i][0]);
                noting = false;
                mount(0);
                assert_true(part_connmo.fill(part, &d) < 0);
                if (!strstr(d.text, rows[i][1]))
                        fail_msg("%s: '%s'", rows[i][0], d.text);
                assert_false(odm_tree_exists(tree, ODM_STR("./NAP/e")));
                end_life();
                cfg_free(conf);
                conf = NULL;
        }
}

static void a_damaged_record_stops_the_start(void **state)
{
        static const char *const bad[] = {"",
                                          "steady\n",
                                          "nap 0\neffect \nfailed\nwhy \nsettings\n",
                                          "steady 0\neffect !\nfailed\nwhy \nsettings\n",
                                          "steady 0\neffect \nwhy \nsettings\n",
                                          "steady 0\neffect \nfailed\nwhy \nsetting\n"};

        (void)state;
        start("");
        end_life();
        noting = false;
        for (size_t i = 0; i < ODM_COUNT(bad); i++) {
                diag d = {{0}};
                assert_int_equal(fsio_write(NULL, record, odm_cstr(bad[i]), 0600, NULL), 0);
                assert_true(begin_life(n_log, &d) < 0);
                assert_non_null(strstr(d.text, "is damaged"));
                end_life();
        }
}

/* ---- the power cut -------------------------------------------------------------------------- */

/* One more life from what the disk held: it ends with the settings that the tree says, whole. */
static void live_on(size_t i, bool first_reached, bool reached)
{
        const disk *s = &states[i];
        diag d = {{0}};
        bool new_then, is_new;

        (void)unlink(applied);
        (void)unlink(settings);
        (void)unlink(record);
        if (s->record.p)
                assert_int_equal(fsio_write(NULL, record, s->record, 0600, NULL), 0);
        w.reached = reached;
        if (begin_life(s->n_log, &d) < 0)
                fail_msg("state %zu: %s", i, d.text);
        new_then = strcmp(leaf(LEAF), NEW) == 0;
        if (!run_until("steady"))
                fail_msg("state %zu: stays in %s", i, phase());
        is_new = strcmp(leaf(LEAF), NEW) == 0;
        if (!run_until_file(settings, is_new ? NEW : OLD))
                fail_msg("state %zu: the tree says %s, the file does not", i, leaf(LEAF));
        if (!reached && !first_reached && is_new)
                fail_msg("state %zu: nobody was ever reached with the new settings", i);
        if (!reached && new_then && !is_new && !s->told && w.alerts == 0)
                fail_msg("state %zu: nobody was told", i);
        end_life();
}

static void tell_story(bool reached)
{
        start("");
        w.reached = reached;
        change(NEW);
        assert_true(run_until("try"));
        assert_true(run_until("steady"));
        note_state();
        end_life();
        noting = false;
        assert_true(n_states > 6);
        for (size_t i = 0; i < n_states; i++) {
                live_on(i, reached, true);
                live_on(i, reached, false);
        }
}

static void the_power_is_cut_in_a_good_trial(void **state)
{
        (void)state;
        tell_story(true);
}

static void the_power_is_cut_in_a_bad_trial(void **state)
{
        (void)state;
        tell_story(false);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_good_change_stays),
                TEST(a_bad_one_comes_back_and_is_told),
                TEST(what_cannot_be_applied_comes_back_at_once),
                TEST(what_fails_at_the_start_is_tried_again),
                TEST(the_way_back_is_tried_again),
                TEST(what_only_people_see_is_not_tried),
                TEST(sessions_of_before_prove_nothing),
                TEST(who_called_too_early_calls_again),
                TEST(time_runs_out),
                TEST(protected_ones_are_as_they_are_configured),
                TEST(a_bad_configuration_stops_the_start),
                TEST(a_damaged_record_stops_the_start),
                TEST(the_power_is_cut_in_a_good_trial),
                TEST(the_power_is_cut_in_a_bad_trial),
        };

        return RUN_TESTS(tests);
}
