/* SPDX-License-Identifier: Apache-2.0 */
/* What DiagMon finds on a made-up machine, row by row; what other programs print; the real one. */
#include "part/probe.h"

#include <sys/stat.h>
#include <unistd.h>

#include "part/outside.h"
#include "support.h"

static char root[64];
static char found[16384];

static void put_file(const char *path, const char *text)
{
        write_below(root, path, text);
}

static int set_up(void **state)
{
        (void)state;
        snprintf(root, sizeof root, "/tmp/probe_test.XXXXXX");
        return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        snprintf(command, sizeof command, "rm -r %s", root);
        return system(command);
}

/* Lines "path=text". */
static int write_down(void *ctx, odm_str rel, odm_str text)
{
        size_t n = strlen(found);

        (void)ctx;
        snprintf(found + n, sizeof found - n, "%.*s=%.*s\n", (int)rel.n, rel.p, (int)text.n,
                 text.p);
        return 0;
}

static const char *find(void (*probe)(const machine *m, odm_wall now, probe_sink *to))
{
        const machine m = {root};
        probe_sink to = {write_down, NULL, 0};

        found[0] = 0;
        probe(&m, (odm_wall){1290000000}, &to);
        assert_int_equal(to.rc, 0);
        return found;
}

static void nothing_where_nothing_is(void **state)
{
        uint64_t n = 7;

        (void)state;
        assert_string_equal(find(probe_memory), "");
        assert_string_equal(find(probe_battery), "");
        assert_string_equal(find(probe_processes), "");
        assert_string_equal(find(probe_sensors), "");
        assert_string_equal(find(probe_links), "");
        assert_int_equal(probe_counter(&(machine){root}, ODM_STR("cpu.user"), &n), ODM_ENOENT);
        assert_int_equal(n, 7);
}

static void memory(void **state)
{
        (void)state;
        put_file("/proc/meminfo", "MemTotal:       1000000 kB\nMemAvailable:   500000 kB\n");
        assert_string_equal(find(probe_memory), "RAMTotal=1024000\nRAMAvail=512000\n");
}

static void batteries(void **state)
{
        static const struct {
                const char *why, *file, *text, *status;
        } rows[] = {
                {"it is used", "status", "Discharging\n", "0"},
                {"plugged, and left as it is", "status", "Not charging\n", "0"},
                {"filling", "status", "Charging\n", "1"},
                {"filled", "status", "Full\n", "2"},
                {"nobody knows", "status", "Unknown\n", "6"},
                {"nearly empty", "capacity_level", "Critical\n", "4"},
                {"broken", "health", "Dead\n", "3"},
                {"too hot", "health", "Overheat\n", "3"},
                {"taken out", "present", "0\n", "5"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char path[96], want[64];
                put_file("/sys/class/power_supply/BAT0/type", "Battery\n");
                put_file("/sys/class/power_supply/BAT0/status", "Discharging\n");
                snprintf(path, sizeof path, "/sys/class/power_supply/BAT0/%s", rows[i].file);
                put_file(path, rows[i].text);
                snprintf(want, sizeof want, "BAT0/BatteryStatus=%s\n", rows[i].status);
                if (!strstr(find(probe_battery), want))
                        fail_msg("%s: %s", rows[i].why, found);
                snprintf(path, sizeof path, "%s/sys/class/power_supply/BAT0/%s", root,
                         rows[i].file);
                unlink(path);
        }
        put_file("/sys/class/power_supply/BAT0/status", "Charging\n");
        put_file("/sys/class/power_supply/BAT0/capacity", "81\n");
        put_file("/sys/class/power_supply/BAT0/technology", "Li-ion\n");
        put_file("/sys/class/power_supply/BAT0/voltage_now", "12345678\n");
        put_file("/sys/class/power_supply/BAT0/temp", "251\n");
        put_file("/sys/class/power_supply/AC/type", "Mains\n");
        put_file("/sys/class/power_supply/AC/online", "1\n");
        put_file("/sys/class/power_supply/mouse/type", "Battery\n");
        put_file("/sys/class/power_supply/mouse/scope", "Device\n");
        assert_string_equal(find(probe_battery),
                            "BAT0/BatteryLevel=81\nBAT0/BatteryStatus=1\nBAT0/BatteryType=Li-ion\n"
                            "BAT0/Voltage=12345\nBAT0/Temp=25\nBAT0/PlugStatus=1\n");
}

static void processes(void **state)
{
        (void)state;
        put_file("/proc/stat", "cpu  100 0 50 900 7 0 0 0 0 0\nbtime 1000000000\n");
        put_file("/proc/2/stat", "2 (kthreadd) S 0 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 2 0 0 0\n");
        put_file("/proc/9/stat", "9 (kworker) I 2 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 2 0 0 0\n");
        put_file("/proc/77/stat",
                 "77 (a) b (c\x01) R 1 77 77 0 -1 4194304 100 0 0 0 250 150 0 0 20 0 1 0 "
                 "6000 1000000 10 18446744073709551615\n");
        put_file("/proc/88/stat", "88 (torn");
        find(probe_processes);
        assert_non_null(strstr(found, "77/Name=a) b (c \n"));
        assert_non_null(strstr(found, "77/Pid=77\n77/State=R\n77/CpuTime=4\n"));
        assert_non_null(strstr(found, "77/Start=20010909T014740Z\n"));
        assert_null(strstr(found, "2/Name"));
        assert_null(strstr(found, "9/Name"));
        assert_null(strstr(found, "88/"));
}

static void sensors(void **state)
{
        (void)state;
        put_file("/sys/class/hwmon/hwmon0/name", "acme\n");
        put_file("/sys/class/hwmon/hwmon0/temp1_input", "-1500\n");
        put_file("/sys/class/hwmon/hwmon0/temp1_label", "outside\n");
        put_file("/sys/class/hwmon/hwmon0/in0_input", "3300\n");
        put_file("/sys/class/hwmon/hwmon0/intrusion0_alarm", "0\n");
        put_file("/sys/class/hwmon/hwmon0/power1_input", "2500000\n");
        put_file("/sys/class/hwmon/hwmon0/fan1_input", "1200\n");
        put_file("/sys/class/hwmon/hwmon0/curr1_input", "none\n");
        put_file("/sys/class/thermal/thermal_zone0/temp", "45000\n");
        put_file("/sys/class/thermal/thermal_zone0/type", "soc\n");
        assert_string_equal(
                find(probe_sensors),
                "hwmon0-fan1/Name=acme\nhwmon0-fan1/Type=fan\nhwmon0-fan1/Unit=1/min\n"
                "hwmon0-fan1/Value=1200\nhwmon0-fan1/Time=20101117T132000Z\n"
                "hwmon0-in0/Name=acme\nhwmon0-in0/Type=voltage\nhwmon0-in0/Unit=V\n"
                "hwmon0-in0/Value=3.3\nhwmon0-in0/Time=20101117T132000Z\n"
                "hwmon0-power1/Name=acme\nhwmon0-power1/Type=power\nhwmon0-power1/Unit=W\n"
                "hwmon0-power1/Value=2.5\nhwmon0-power1/Time=20101117T132000Z\n"
                "hwmon0-temp1/Name=acme outside\nhwmon0-temp1/Type=temperature\n"
                "hwmon0-temp1/Unit=Cel\nhwmon0-temp1/Value=-1.5\n"
                "hwmon0-temp1/Time=20101117T132000Z\n"
                "zone0/Name=soc\nzone0/Type=temperature\nzone0/Unit=Cel\nzone0/Value=45\n"
                "zone0/Time=20101117T132000Z\n");
}

static void links_and_counters(void **state)
{
        static const struct {
                const char *name;
                uint64_t value;
        } rows[] = {
                {"cpu.user", 1000},
                {"cpu.system", 500},
                {"cpu.iowait", 70},
                {"kernel.contexts", 4321},
                {"kernel.interrupts", 99},
                {"kernel.processes", 12},
                {"net.eth0.rx_bytes", 5000},
                {"net.v.10.rx_bytes", 6},
                {"disk.sda.reads", 3},
                {"disk.sda.read_bytes", 5120},
                {"disk.sda.write_bytes", 4096},
        };
        static const char *const none[] = {"",
                                           "cpu",
                                           "cpu.magic",
                                           "net.eth0",
                                           "net.eth1.rx_bytes",
                                           "net.../../x.rx_bytes",
                                           "disk.sda.weight",
                                           "moon.phase",
                                           "net.eth0.a/b"};
        const machine m = {root};
        uint64_t n = 0;

        (void)state;
        put_file("/sys/class/net/eth0/operstate", "up\n");
        put_file("/sys/class/net/eth0/speed", "1000\n");
        put_file("/sys/class/net/eth0/statistics/rx_bytes", "5000\n");
        put_file("/sys/class/net/eth0/statistics/tx_dropped", "2\n");
        put_file("/sys/class/net/v.10/operstate", "down\n");
        put_file("/sys/class/net/v.10/speed", "-1\n");
        put_file("/sys/class/net/v.10/statistics/rx_bytes", "6\n");
        put_file("/sys/class/net/bonding_masters", "\n");
        put_file("/sys/block/sda/stat", "3 0 10 5 2 0 8 1 0 0 0\n");
        put_file("/proc/stat", "cpu  100 0 50 900 7 0 0 0 0 0\ncpu0 1 2 3\nintr 99 1 2 3\n"
                               "ctxt 4321\nbtime 1000000000\nprocesses 12\n");
        assert_string_equal(find(probe_links),
                            "eth0/Name=eth0\neth0/State=up\neth0/Speed=1000\neth0/RxBytes=5000\n"
                            "eth0/TxDropped=2\nv.10/Name=v.10\nv.10/State=down\nv.10/RxBytes=6\n");
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                assert_int_equal(probe_counter(&m, odm_cstr(rows[i].name), &n), 0);
                if (n != rows[i].value)
                        fail_msg("%s: %llu", rows[i].name, (unsigned long long)n);
        }
        for (size_t i = 0; i < ODM_COUNT(none); i++)
                if (probe_counter(&m, odm_cstr(none[i]), &n) != ODM_ENOENT)
                        fail_msg("%s is a counter", none[i]);
}

static int full(void *ctx, odm_str rel, odm_str text)
{
        (void)ctx;
        (void)rel;
        (void)text;
        return ODM_ELIMIT;
}

static void a_full_sink_ends_it(void **state)
{
        const machine m = {""};
        probe_sink to = {full, NULL, 0};

        (void)state;
        probe_processes(&m, (odm_wall){0}, &to);
        assert_int_equal(to.rc, ODM_ELIMIT);
}

static void this_machine(void **state)
{
        const machine m = {""};
        probe_sink to = {write_down, NULL, 0};
        char mine[32];

        (void)state;
        found[0] = 0;
        probe_memory(&m, (odm_wall){0}, &to);
        assert_non_null(strstr(found, "RAMTotal="));
        assert_non_null(strstr(found, "StorageTotal="));
        found[0] = 0;
        probe_processes(&m, (odm_wall){0}, &to);
        snprintf(mine, sizeof mine, "%d/Name=", (int)getpid());
        assert_true(strlen(found) > sizeof found - 400 || strstr(found, mine) != NULL);
}

/* ---- what others print ------------------------------------------------------------------------- */

static void modems(void **state)
{
        static const char *const lines[] = {
                "modem.dbus-path                         : /org/freedesktop/ModemManager1/Modem/0",
                "modem.generic.access-technologies.length : 1",
                "modem.generic.access-technologies.value[1] : lte",
                "modem.3gpp.registration-state           : roaming",
                "modem.location.3gpp.mcc                 : 228",
                "modem.location.3gpp.mnc                 : 01",
                "modem.location.3gpp.lac                 : FFFE",
                "modem.location.3gpp.tac                 : 00C7",
                "modem.location.3gpp.cid                 : 0123ABCD",
                "modem.signal.lte.rssi                   : -63.00",
                "modem.signal.lte.rsrp                   : -95.40",
                "modem.signal.lte.rsrq                   : --",
                "modem.signal.umts.rscp                  : rubbish",
                "no colon here",
                "",
        };
        outside_radio_state s = {.roaming = -1};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(lines); i++)
                outside_radio_line(&s, odm_cstr(lines[i]));
        assert_string_equal(s.tech, "lte");
        assert_string_equal(s.mcc, "228");
        assert_string_equal(s.mnc, "01");
        assert_string_equal(s.area, "00C7");
        assert_string_equal(s.cell, "0123ABCD");
        assert_string_equal(s.rssi[2], "-63.00");
        assert_string_equal(s.rsrp, "-95.40");
        assert_string_equal(s.rsrq, "");
        assert_string_equal(s.rscp, "");
        assert_int_equal(s.roaming, 1);
}

static void places(void **state)
{
        static const struct {
                const char *why, *line;
                bool is;
        } rows[] = {
                {"a place",
                 "{\"class\":\"TPV\",\"device\":\"/dev/x\",\"mode\":3,"
                 "\"time\":\"2010-11-17T13:20:00.000Z\",\"lat\":46.947222333,\"lon\":-7.5,"
                 "\"altMSL\":540.6,\"eph\":12.2}",
                 true},
                {"not known yet", "{\"class\":\"TPV\",\"mode\":1}", false},
                {"something else", "{\"class\":\"SKY\",\"lat\":1,\"lon\":2}", false},
                {"no number", "{\"class\":\"TPV\",\"lat\":\"x\",\"lon\":2}", false},
                {"cut", "{\"class\":\"TPV\",\"lat\":", false},
                {"nothing", "", false},
        };
        outside_place_state s;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str line = exact_copy(rows[i].line);
                if (outside_place_line(&s, line) != rows[i].is)
                        fail_msg("%s", rows[i].why);
                exact_free(line);
        }
        assert_string_equal(s.lat, "46.947222");
        assert_string_equal(s.lon, "-7.500000");
        assert_string_equal(s.alt, "540.6");
        assert_string_equal(s.radius, "12.2");
        assert_string_equal(s.time, "20101117T132000Z");
}

/* Programs of these names, first in the path. */
static void programs_are_asked(void **state)
{
        static const char *const scripts[][2] = {
                {"systemctl", "#!/bin/sh\nprintf 'Id=a.service\\nIPIngressBytes=10\\n"
                              "IPEgressBytes=20\\n\\nId=b.service\\nIPIngressBytes=[no data]\\n"
                              "IPEgressBytes=18446744073709551615\\n'\n"},
                {"mmcli", "#!/bin/sh\ncase \"$*\" in\n"
                          "*signal*) echo 'modem.signal.umts.rscp : -80.6';;\n"
                          "*location*) echo 'modem.location.3gpp.mcc : 228';;\n"
                          "*) echo 'modem.generic.access-technologies.value[1] : hspa';;\nesac\n"},
        };
        char path[512], before[4096];
        outside *o = NULL;
        probe_sink to = {write_down, NULL, 0};

        (void)state;
        snprintf(before, sizeof before, "%s", getenv("PATH"));
        for (size_t i = 0; i < ODM_COUNT(scripts); i++) {
                snprintf(path, sizeof path, "/bin/%s", scripts[i][0]);
                put_file(path, scripts[i][1]);
                snprintf(path, sizeof path, "%s/bin/%s", root, scripts[i][0]);
                assert_int_equal(chmod(path, 0755), 0);
        }
        snprintf(path, sizeof path, "%s/bin:/bin:/usr/bin", root);
        setenv("PATH", path, 1);
        assert_int_equal(outside_new(&o), 0);
        setenv("PATH", before, 1);
        assert_true(outside_has_services(o));
        assert_true(outside_has_radio(o));
        found[0] = 0;
        outside_services(o, &to);
        assert_string_equal(found, "a.service/App=a.service\na.service/RxBytes=10\n"
                                   "a.service/TxBytes=20\n");
        found[0] = 0;
        outside_radio(o, "lte", &to);
        assert_string_equal(found, "");
        outside_radio(o, "umts", &to);
        assert_string_equal(found, "NetType=WCDMA\nMCC=228\nRSCP=-81\n");
        outside_close(o);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
                T(nothing_where_nothing_is),
                T(memory),
                T(batteries),
                T(processes),
                T(sensors),
                T(links_and_counters),
                T(a_full_sink_ends_it),
                T(this_machine),
                T(modems),
                T(places),
                T(programs_are_asked),
#undef T
        };

        return RUN_TESTS(tests);
}
