/* SPDX-License-Identifier: Apache-2.0 */
/* machine_test.c - a made-up machine in a folder, and the real one. */
#include "machine.h"

#include "support.h"

static char root[64];

static void put_file(const char *path, const char *text)
{
        write_below(root, path, text);
}

static int set_up(void **state)
{
        (void)state;
        snprintf(root, sizeof root, "/tmp/machine_test.XXXXXX");
        assert_non_null(mkdtemp(root));
        return 0;
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        snprintf(command, sizeof command, "rm -r %s", root);
        return system(command);
}

static void values_are_read(void **state)
{
        const machine m = {root};
        char load[3][16], text[128];
        int64_t n;

        (void)state;
        put_file("/proc/uptime", "12345.67 999.0\n");
        put_file("/proc/loadavg", "0.10 0.20 3.00 1/100 77\n");
        put_file("/proc/meminfo", "MemTotal:       2048 kB\nMemAvailable:   1000 kB\n");
        put_file("/proc/cpuinfo", "processor\t: 0\nmodel name\t: A CPU @ 1 GHz\n");
        assert_int_equal(machine_uptime(&m, &n), 0);
        assert_int_equal(n, 12345);
        assert_int_equal(machine_load(&m, load), 0);
        assert_string_equal(load[0], "0.10");
        assert_string_equal(load[2], "3.00");
        assert_int_equal(machine_memory(&m, "MemAvailable", &n), 0);
        assert_int_equal(n, 1000);
        assert_int_equal(machine_cpu_model(&m, text, sizeof text), 0);
        assert_string_equal(text, "A CPU @ 1 GHz");
}

static void what_is_not_there_is_absent(void **state)
{
        const machine m = {root};
        machine_disk d[MACHINE_DISKS];
        machine_temp t[MACHINE_TEMPS];
        machine_net i[MACHINE_NETS];
        char load[3][16], text[128];
        int64_t n;

        (void)state;
        assert_int_equal(machine_uptime(&m, &n), ODM_ENOENT);
        assert_int_equal(machine_load(&m, load), ODM_ENOENT);
        assert_int_equal(machine_memory(&m, "MemTotal", &n), ODM_ENOENT);
        assert_int_equal(machine_cpu_model(&m, text, sizeof text), ODM_ENOENT);
        assert_int_equal(machine_disks(&m, d), 0);
        assert_int_equal(machine_temps(&m, t), 0);
        assert_int_equal(machine_nets(&m, i), 0);
}

static void sensors_are_named(void **state)
{
        const machine m = {root};
        machine_temp t[MACHINE_TEMPS];

        (void)state;
        put_file("/sys/class/hwmon/hwmon0/name", "coretemp\n");
        put_file("/sys/class/hwmon/hwmon0/temp1_input", "45000\n");
        put_file("/sys/class/hwmon/hwmon0/temp1_label", "Package 0\n");
        put_file("/sys/class/hwmon/hwmon0/temp2_input", "-1500\n");
        put_file("/sys/class/hwmon/hwmon0/fan1_input", "900\n");
        put_file("/sys/class/thermal/thermal_zone0/temp", "51000\n");
        put_file("/sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
        put_file("/sys/class/thermal/cooling_device0/type", "fan\n");
        assert_int_equal(machine_temps(&m, t), 3);
        assert_string_equal(t[0].name, "hwmon0-temp1");
        assert_string_equal(t[0].label, "coretemp Package 0");
        assert_int_equal(t[0].milli, 45000);
        assert_string_equal(t[1].label, "coretemp");
        assert_int_equal(t[1].milli, -1500);
        assert_string_equal(t[2].name, "zone0");
        assert_string_equal(t[2].label, "cpu-thermal");
}

static void interfaces_have_counters(void **state)
{
        const machine m = {root};
        machine_net i[MACHINE_NETS];

        (void)state;
        put_file("/sys/class/net/eth7/mtu", "1500\n");
        put_file("/sys/class/net/eth7/address", "02:00:00:00:00:07\n");
        put_file("/sys/class/net/eth7/operstate", "up\n");
        put_file("/sys/class/net/eth7/statistics/rx_bytes", "18446744073709551615\n");
        put_file("/sys/class/net/bonding_masters", "bond0\n");
        put_file("/sys/class/net/wlan0/mtu", "1400\n");
        put_file("/sys/class/net/wlan0/operstate", "down\n");
        assert_int_equal(machine_nets(&m, i), 2);
        assert_string_equal(i[0].name, "eth7");
        assert_string_equal(i[0].mac, "02:00:00:00:00:07");
        assert_string_equal(i[0].counter[0], "18446744073709551615");
        assert_string_equal(i[0].counter[1], "");
        assert_true(i[0].up);
        assert_int_equal(i[0].mtu, 1500);
        assert_false(i[1].up);
}

static void disks_are_real_ones_once(void **state)
{
        const machine m = {root};
        machine_disk d[MACHINE_DISKS];
        size_t n;

        (void)state;
        put_file("/proc/self/mounts", "overlay / overlay rw 0 0\n"
                                      "proc /proc proc rw 0 0\n"
                                      "/dev/x / ext4 rw 0 0\n"
                                      "/dev/y /nonexistent ext4 rw 0 0\n");
        n = machine_disks(&m, d);
        assert_int_equal(n, 1);
        assert_string_equal(d[0].name, "root");
        assert_string_equal(d[0].mount, "/");
        assert_string_equal(d[0].fs, "overlay");
        assert_true(d[0].total_mb > 0 && d[0].free_mb <= d[0].total_mb);

        put_file("/proc/self/mounts", "proc /proc proc rw 0 0\n"); /* as in a changed root */
        assert_int_equal(machine_disks(&m, d), 1);
        assert_string_equal(d[0].name, "root");
        assert_string_equal(d[0].fs, "unknown");
}

static void this_machine_answers(void **state)
{
        const machine m = {""};
        machine_net i[MACHINE_NETS];
        int64_t n;
        bool lo = false;
        size_t count = machine_nets(&m, i);

        (void)state;
        for (size_t k = 0; k < count; k++)
                lo |= strcmp(i[k].name, "lo") == 0 && strstr(i[k].addrs, "127.0.0.1/8");
        assert_true(lo);
        assert_int_equal(machine_uptime(&m, &n), 0);
        assert_true(n > 0);
        assert_int_equal(machine_cpu_count(&m, &n), 0);
        assert_true(n > 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(values_are_read),          T(what_is_not_there_is_absent),
                T(sensors_are_named),        T(interfaces_have_counters),
                T(disks_are_real_ones_once), T(this_machine_answers),
        };

        return RUN_TESTS(tests);
}
