/* SPDX-License-Identifier: Apache-2.0 */
/* What a schedule may ask of a machine, of made-up machines in folders. */
#include "require.h"

#include "support.h"

#define SUPPLY "/sys/class/power_supply/"
#define NET "/sys/class/net/"

static const struct row {
        const char *why;
        const char *file[8][2];
        bool power, load, ethernet, wlan, mobile, eth0;
} rows[] = {
        {"nothing is known: no battery, so it is supplied", {{NULL}}, .power = true},
        {"on the mains",
         {{SUPPLY "AC/type", "Mains"}, {SUPPLY "AC/online", "1"}, {SUPPLY "BAT0/type", "Battery"}},
         .power = true},
        {"on its battery",
         {{SUPPLY "AC/type", "Mains"}, {SUPPLY "AC/online", "0"}, {SUPPLY "BAT0/type", "Battery"}},
         .power = false},
        {"a battery only", {{SUPPLY "BAT0/type", "Battery"}}, .power = false},
        {"by USB",
         {{SUPPLY "usb/type", "USB"}, {SUPPLY "usb/online", "1"}, {SUPPLY "BAT0/type", "Battery"}},
         .power = true},
        {"the battery of a mouse",
         {{SUPPLY "hid/type", "Battery"}, {SUPPLY "hid/scope", "Device"}},
         .power = true},
        {"little load", {{"/proc/loadavg", "0.50 3.00 4.00 1/2 3"}}, .power = true, .load = true},
        {"a little more", {{"/proc/loadavg", "0.51 0.10 0.10 1/2 3"}}, .power = true},
        {"a lot", {{"/proc/loadavg", "12.00 0.10 0.10 1/2 3"}}, .power = true},
        {"a cable",
         {{NET "eth0/type", "1"},
          {NET "eth0/operstate", "up"},
          {NET "eth0/uevent", "INTERFACE=eth0"}},
         .power = true,
         .ethernet = true,
         .eth0 = true},
        {"no cable in it", {{NET "eth0/type", "1"}, {NET "eth0/operstate", "down"}}, .power = true},
        {"a driver that does not say, and a carrier",
         {{NET "eth0/type", "1"}, {NET "eth0/operstate", "unknown"}, {NET "eth0/carrier", "1"}},
         .power = true,
         .ethernet = true,
         .eth0 = true},
        {"the loopback is no connection",
         {{NET "lo/type", "772"}, {NET "lo/operstate", "unknown"}, {NET "lo/carrier", "1"}},
         .power = true},
        {"wireless",
         {{NET "wlp2s0/type", "1"},
          {NET "wlp2s0/operstate", "up"},
          {NET "wlp2s0/uevent", "DEVTYPE=wlan"}},
         .power = true,
         .wlan = true},
        {"mobile",
         {{NET "wwan0/type", "65534"}, {NET "wwan0/operstate", "up"}},
         .power = true,
         .mobile = true},
};

static char root[64];

static void put_file(const char *path, const char *text)
{
        char line[512];

        snprintf(line, sizeof line, "%s\n", text);
        write_below(root, path, line);
}

static void expect(const struct row *r, const char *what, bool got, bool want)
{
        if (got != want)
                fail_msg("%s: %s is %d", r->why, what, got);
}

static void each_machine_has_what_it_has(void **state)
{
        const machine m = {root};
        char command[96];

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                snprintf(root, sizeof root, "/tmp/require_test.XXXXXX");
                assert_non_null(mkdtemp(root));
                for (size_t k = 0; k < ODM_COUNT(r->file) && r->file[k][0]; k++)
                        put_file(r->file[k][0], r->file[k][1]);
                expect(r, "power", require_power(&m), r->power);
                expect(r, "load", require_load(&m, 50), r->load);
                expect(r, "a cable", require_bearer(&m, ODM_STR("Ethernet")), r->ethernet);
                expect(r, "wireless", require_bearer(&m, ODM_STR("WLAN")), r->wlan);
                expect(r, "mobile", require_bearer(&m, ODM_STR("3GPPPS")), r->mobile);
                expect(r, "another", require_bearer(&m, ODM_STR("carrier pigeon")), false);
                expect(r, "eth0", require_interface(&m, ODM_STR("eth0")), r->eth0);
                snprintf(command, sizeof command, "rm -r %s", root);
                assert_int_equal(system(command), 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(each_machine_has_what_it_has)};

        return RUN_TESTS(tests);
}
