/* SPDX-License-Identifier: Apache-2.0 */
/* gauge_test.c - a made-up machine in a folder; and a real cable between two network namespaces,
 * which carries data, then is taken down. */
#include "gauge.h"

#include <errno.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

static char root[64];

static void put_file(const char *path, const char *text)
{
        write_below(root, path, text);
}

static int set_up(void **state)
{
        (void)state;
        snprintf(root, sizeof root, "/tmp/gauge_test.XXXXXX");
        return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        snprintf(command, sizeof command, "rm -r %s", root);
        return system(command);
}

#define HEAD                                                 \
        "Inter-|   Receive                |  Transmit\n"     \
        " face |bytes    packets errs drop|bytes  packets\n" \
        "    lo: 999999 1 0 0 0 0 0 0 999999 1 0 0 0 0 0 0\n"

static void speed_is_a_difference(void **state)
{
        static const struct {
                const char *why, *dev;
                int64_t ms; /* since the look before */
                gauge_way way;
                int rc;
                int64_t want; /* bit/s */
        } row[] = {
                {"the first look", "eth0: 1000 0 0 0 0 0 0 0 500 0 0 0 0 0 0 0\n", 0, GAUGE_DOWN,
                 ODM_ENOENT, 0},
                {"down", "eth0: 11000 0 0 0 0 0 0 0 3000 0 0 0 0 0 0 0\n", 10000, GAUGE_DOWN, 0,
                 8000},
                {"up, of the same look", "eth0:99999 0 0 0 0 0 0 0 99999 0 0 0 0 0 0 0\n", 10,
                 GAUGE_UP, 0, 2000},
                {"both, of two",
                 "eth0: 11000 0 0 0 0 0 0 0 3000 0 0 0 0 0 0 0\n"
                 "wwan0: 1000 0 0 0 0 0 0 0 1000 0 0 0 0 0 0 0\n",
                 990, GAUGE_BOTH, 0, 16000},
                {"one went", "eth0: 11000 0 0 0 0 0 0 0 3000 0 0 0 0 0 0 0\n", 1000, GAUGE_BOTH,
                 ODM_ENOENT, 0},
                {"nothing flows", "eth0: 11000 0 0 0 0 0 0 0 3000 0 0 0 0 0 0 0\n", 1000,
                 GAUGE_BOTH, 0, 0},
                {"all are gone", "", 1000, GAUGE_BOTH, ODM_ENOENT, 0},
                {"and come again", "eth0: 5 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n", 1000, GAUGE_BOTH,
                 ODM_ENOENT, 0},
        };
        gauge_speed g = {{0}};
        odm_time now = {5000000};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                char text[1024];
                int64_t got = 0;
                snprintf(text, sizeof text, HEAD "%s", row[i].dev);
                put_file("/proc/net/dev", text);
                now.ms += row[i].ms;
                if (gauge_speed_look(&g, root, now, row[i].way, &got) != row[i].rc ||
                    got != row[i].want)
                        fail_msg("%s: %lld", row[i].why, (long long)got);
                assert_int_equal(gauge_has_net(root), row[i].dev[0] != 0);
        }
}

static void power_is_below_zero(void **state)
{
        static const struct {
                const char *why, *line;
                int rc, want;
        } row[] = {
                {"as drivers say it", " wlan0: 0000   60.  -50.  -256  0 0 0 0 0 0\n", 0, -50},
                {"no number of dBm", " wlan0: 0000   60.  70.  0  0 0 0 0 0 0\n", ODM_ENOENT, 0},
                {"not associated", " wlan0: 0000    0.  -256.  -256  0 0 0 0 0 0\n", ODM_ENOENT, 0},
                {"the second one knows",
                 " wlan0: 0000 60. 0. 0 0\n wlan1: 0000   60  -71  -256  0\n", 0, -71},
                {"nothing there", "", ODM_ENOENT, 0},
        };
        int dbm = 0;

        (void)state;
        assert_int_equal(gauge_wlan("/nowhere", &dbm), ODM_ENOENT);
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                char text[512];
                snprintf(text, sizeof text,
                         "Inter-| sta-|   Quality        |\n"
                         " face | tus | link level noise |\n%s",
                         row[i].line);
                put_file("/proc/net/wireless", text);
                dbm = 0;
                if (gauge_wlan(root, &dbm) != row[i].rc || dbm != row[i].want)
                        fail_msg("%s: %d", row[i].why, dbm);
        }
}

/* Runs of the machine, as rows: how the one before ended, and whether that is told. */
static void hard_restarts_are_seen(void **state)
{
        static const struct {
                const char *why, *id;
                bool hard, stopped; /* stopped: the run ends in an orderly way */
        } row[] = {
                {"the first run ever", "11111111-1111-1111-1111-111111111111", false, true},
                {"after an orderly end", "22222222-2222-2222-2222-222222222222", false, false},
                {"only the agent had gone", "22222222-2222-2222-2222-222222222222", false, false},
                {"the power had gone", "33333333-3333-3333-3333-333333333333", true, true},
                {"and no more", "44444444-4444-4444-4444-444444444444", false, true},
        };
        char junk[300] = "", path[96];
        gauge_boot b;

        (void)state;
        assert_int_equal(gauge_boot_look("/nowhere", root, &b), ODM_ENOENT);
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                put_file("/proc/sys/kernel/random/boot_id", row[i].id);
                assert_int_equal(gauge_boot_look(root, root, &b), 0);
                if (b.hard != row[i].hard)
                        fail_msg("%s", row[i].why);
                assert_int_equal(gauge_boot_mark(root, &b, true, NULL), 0);
                if (row[i].stopped)
                        assert_int_equal(gauge_boot_mark(root, &b, false, NULL), 0);
        }
        put_file("/boot", "what is this");
        assert_int_equal(gauge_boot_look(root, root, &b), 0);
        assert_false(b.hard);
        memset(junk, '1', sizeof junk - 1);
        put_file("/boot", junk);
        assert_int_equal(gauge_boot_look(root, root, &b), 0);
        assert_false(b.hard);
        snprintf(path, sizeof path, "%s/boot", root);
        assert_true(unlink(path) == 0 && mkdir(path, 0700) == 0); /* it cannot be read */
        assert_int_equal(gauge_boot_look(root, root, &b), 0);
        assert_false(b.hard);
        assert_int_equal(gauge_boot_look("", root, &b), 0);
        assert_int_equal(strlen(b.id), GAUGE_BOOT_ID - 1);
        assert_true(gauge_boot_mark("/nowhere", &b, true, NULL) < 0);
}

/* ---- a real cable ------------------------------------------------------------------------ */

static odm_time clock_now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (odm_time){(int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000};
}

/* Two ends of a veth pair in a namespace of our own; what is sent into one comes out of the other.
 * The exit code: 0, 77 where this is not allowed, else the number of what went wrong. */
static int in_a_namespace(void)
{
        gauge_speed g = {{0}};
        int64_t fast = 0, idle = 0;
        odm_time now;

        if (unshare(CLONE_NEWNET) < 0)
                return 77;
        if (gauge_has_net(""))
                return 77; /* /proc shows another one's */
        if (system("ip link add va type veth peer name vb 2>/dev/null") != 0)
                return 77;
        if (system("ip addr add 10.77.0.1/24 dev va && ip link set va up && ip link set vb up && "
                   "ip neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev va") != 0)
                return 2;
        if (!gauge_has_net("") || gauge_speed_look(&g, "", clock_now(), GAUGE_UP, &fast) == 0)
                return 3;
        if (system("bash -c 'head -c 200000 /dev/zero >/dev/udp/10.77.0.2/9'") != 0)
                return 4;
        now = odm_time_add(g.at, 1000); /* as if a second had passed */
        if (gauge_speed_look(&g, "", now, GAUGE_UP, &fast) < 0 || fast < 1600000)
                return 5;
        if (system("ip link set va down") != 0)
                return 6;
        now = odm_time_add(now, 1000);
        if (gauge_speed_look(&g, "", now, GAUGE_UP, &idle) < 0)
                return 7;
        now = odm_time_add(now, 1000);
        if (gauge_speed_look(&g, "", now, GAUGE_UP, &idle) < 0 || idle != 0)
                return 8;
        return 0;
}

static void a_cable_is_taken_down(void **state)
{
        pid_t child = fork();
        int status = 0;

        (void)state;
        assert_true(child >= 0);
        if (child == 0)
                _exit(in_a_namespace());
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
                SKIP_TEST("no network namespace of our own is to be had here");
        assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(speed_is_a_difference, set_up, tear_down),
                cmocka_unit_test_setup_teardown(power_is_below_zero, set_up, tear_down),
                cmocka_unit_test_setup_teardown(hard_restarts_are_seen, set_up, tear_down),
                cmocka_unit_test(a_cable_is_taken_down),
        };

        return RUN_TESTS(tests);
}
