/* SPDX-License-Identifier: Apache-2.0 */
#include "zone.h"

#include "support.h"
#include <time.h>

/* A file of version 2 with `times` changes between the two types, and a rule. */
static size_t build(char *out, const int64_t *times, size_t n, int32_t a, int32_t b,
                    const char *rule)
{
        char *p = out;

        for (int version = 0; version < 2; version++) {
                size_t count = version ? n : 0;
                memset(p, 0, 44);
                memcpy(p, "TZif2", 5);
                p[35] = (char)count;
                p[39] = version ? 2 : 1;
                p[43] = 4;
                p += 44;
                for (size_t i = 0; i < count; i++)
                        for (int k = 7; k >= 0; k--)
                                *p++ = (char)((uint64_t)times[i] >> 8 * k);
                for (size_t i = 0; i < count; i++)
                        *p++ = (char)(1 - i % 2);
                for (int t = 0; t < (version ? 2 : 1); t++) {
                        int32_t off = t ? b : a;
                        for (int k = 3; k >= 0; k--)
                                *p++ = (char)((uint32_t)off >> 8 * k);
                        *p++ = (char)t;
                        *p++ = 0;
                }
                memcpy(p, "ABC", 4);
                p += 4;
        }
        return (size_t)(p - out) + (size_t)snprintf(p, 64, "\n%s\n", rule);
}

static const int64_t changes[] = {1000000, 2000000};

static const struct row {
        const char *why, *rule;
        int64_t t;
        int32_t off;
} rows[] = {
        {"before all changes", "CET-1", 0, 3600},
        {"at the first", "CET-1", 1000000, 7200},
        {"before the second", "CET-1", 1999999, 7200},
        {"behind the last, no summer time", "CET-1", 2000000, 3600},
        {"behind the last, no rule", "", 1800000000, 3600},
        {"winter", "CET-1CEST,M3.5.0,M10.5.0/3", 1774745999, 3600},
        {"the second it begins", "CET-1CEST,M3.5.0,M10.5.0/3", 1774746000, 7200},
        {"the last second of it", "CET-1CEST,M3.5.0,M10.5.0/3", 1792889999, 7200},
        {"the second it ends", "CET-1CEST,M3.5.0,M10.5.0/3", 1792890000, 3600},
        {"the south, January", "AEST-10AEDT,M10.1.0,M4.1.0/3", 1768435200, 39600},
        {"the south, July", "AEST-10AEDT,M10.1.0,M4.1.0/3", 1784073600, 36000},
        {"half an hour", "<+0530>-5:30", 1800000000, 19800},
        {"behind Greenwich", "EST5EDT,M3.2.0,M11.1.0", 1784073600, -14400},
        {"summer time of its own length", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1768435200,
         39600},
        {"hours below zero", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1784073600, -3600},
        {"days of the year", "X0Y,J60/0,J300/0", 1772323199, 0},
        {"the sixtieth is March 1st", "X0Y,J60/0,J300/0", 1772323200, 3600},
        {"and in a leap year too", "X0Y,J60/0,J300/0", 1835481600, 3600},
        {"where the other way counts it", "X0Y,59/0,300/0", 1835395200, 3600},
};

static void tells_local_time_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char file[512];
                odm_str in = exact_bytes(file, build(file, changes, 2, 3600, 7200, rows[i].rule));
                zone z;

                if (zone_parse(in, &z) != 0)
                        fail_msg("%s: it cannot be read", rows[i].why);
                if (zone_offset(&z, rows[i].t) != rows[i].off)
                        fail_msg("%s: %d", rows[i].why, zone_offset(&z, rows[i].t));
                exact_free(in);
        }
}

static void refuses_what_is_no_zone(void **state)
{
        static const char *const bad[] = {"X",
                                          "X1Y,M3.5.0",
                                          "X1Y,M13.1.0,M1.1.0",
                                          "X1Y,J0,J1",
                                          "X1Y,M3.6.0,M4.1.0",
                                          "1",
                                          "X1 ",
                                          "<X1",
                                          "X25",
                                          "X1Y,M3.5.0,M10.5.0/168"};
        char file[512];
        size_t n = build(file, changes, 2, 3600, 7200, "CET-1CEST,M3.5.0,M10.5.0/3");
        zone z = {.n_times = 77};

        (void)state;
        for (size_t i = 0; i < n; i++) { /* every part of a file that is cut */
                odm_str in = exact_bytes(file, i);
                if (zone_parse(in, &z) != ODM_EMALFORMED)
                        fail_msg("the first %zu octets were enough", i);
                exact_free(in);
        }
        for (size_t i = 0; i < ODM_COUNT(bad); i++) {
                odm_str in = exact_bytes(file, build(file, changes, 2, 3600, 7200, bad[i]));
                if (zone_parse(in, &z) != ODM_EMALFORMED)
                        fail_msg("'%s' was taken", bad[i]);
                exact_free(in);
        }
        n = build(file, changes, 2, 3600, 7200, "X1");
        file[44 + 10 + 44 + 16] = 2; /* a change to a type that is not there */
        assert_int_equal(zone_parse((odm_str){file, n}, &z), ODM_EMALFORMED);
        assert_int_equal(z.n_times, 77);
}

static void knows_fixed_zones_and_names(void **state)
{
        zone z;

        (void)state;
        assert_int_equal(zone_fixed(ODM_STR("UTC"), &z), 0);
        assert_int_equal(zone_offset(&z, 1800000000), 0);
        assert_int_equal(zone_fixed(ODM_STR("-03:30"), &z), 0);
        assert_int_equal(zone_offset(&z, 1800000000), -12600);
        assert_int_equal(zone_fixed(ODM_STR("+24:00"), &z), ODM_EMALFORMED);
        assert_int_equal(zone_fixed(ODM_STR("02:00"), &z), ODM_EMALFORMED);
        assert_true(zone_name_ok(ODM_STR("America/Argentina/Buenos_Aires")));
        assert_true(zone_name_ok(ODM_STR("Etc/GMT+5")));
        assert_false(zone_name_ok(ODM_STR("../etc/passwd")));
        assert_false(zone_name_ok(ODM_STR("/etc/passwd")));
        assert_false(zone_name_ok(ODM_STR("a/../b")));
        assert_false(zone_name_ok(ODM_STR("")));
}

/* 2026-11-23 is a Monday; 1795392000 its first second in UTC. */
#define MONDAY 1795392000
#define AT(d, h, m) ((MONDAY + (d)*86400 + (h)*3600 + (m)*60) * (int64_t)1000)

static const struct open_row {
        const char *why;
        zone_window w;
        int64_t now;
        bool open;
        int64_t edge;
} opens[] = {
        {"inside", {ZONE_DAYS, 120, 300}, AT(0, 2, 30), true, AT(0, 4, 0)},
        {"the first moment", {ZONE_DAYS, 120, 300}, AT(0, 1, 0), true, AT(0, 4, 0)},
        {"before it", {ZONE_DAYS, 120, 300}, AT(0, 1, 0) - 1, false, AT(0, 1, 0)},
        {"the end is outside", {ZONE_DAYS, 120, 300}, AT(0, 4, 0), false, AT(1, 1, 0)},
        {"past midnight, before", {ZONE_DAYS, 1380, 60}, AT(0, 22, 30), true, AT(1, 0, 0)},
        {"past midnight, behind", {ZONE_DAYS, 1380, 60}, AT(0, 23, 30), true, AT(1, 0, 0)},
        {"another day", {1 << 2, 120, 300}, AT(0, 2, 0), false, AT(2, 1, 0)},
        {"Sunday's reaches into Monday", {1 << 6, 1380, 180}, AT(0, 1, 0), true, AT(0, 2, 0)},
        {"a week later", {1 << 0, 120, 300}, AT(0, 5, 0), false, AT(7, 1, 0)},
        {"all day", {1 << 0, 0, 0}, AT(0, 5, 0), true, AT(0, 23, 0)},
};

static void opens_windows_as_the_table_says(void **state)
{
        char file[512];
        size_t n = build(file, changes, 2, 3600, 7200, "CET-1CEST,M3.5.0,M10.5.0/3");
        int64_t edge;
        zone z;

        (void)state;
        assert_int_equal(zone_parse((odm_str){file, n}, &z), 0);
        for (size_t i = 0; i < ODM_COUNT(opens); i++) {
                bool open = zone_open(&z, &opens[i].w, 1, opens[i].now, &edge);
                if (open != opens[i].open || edge != opens[i].edge)
                        fail_msg("%s: %d, %lld", opens[i].why, open, (long long)edge);
        }
        assert_true(zone_open(&z, NULL, 0, 0, &edge) && edge == INT64_MAX);
}

/* 2026-03-29 02:00 is 03:00: a window in the hour that is not there. */
static void the_hour_that_is_not_there_harms_nobody(void **state)
{
        const zone_window w = {ZONE_DAYS, 130, 170};
        char file[512];
        size_t n = build(file, changes, 2, 3600, 7200, "CET-1CEST,M3.5.0,M10.5.0/3");
        int64_t edge, now = 1774738800000; /* 2026-03-29 00:00 local */
        zone z;

        (void)state;
        assert_int_equal(zone_parse((odm_str){file, n}, &z), 0);
        assert_false(zone_open(&z, &w, 1, now, &edge));
        assert_true(edge > now && edge < now + 86400000 * (int64_t)2);
        assert_true(zone_open(&z, &w, 1, edge, &edge));
}

/* As the C library has it, all over two years. */
static void agrees_with_the_system_files(void **state)
{
        static const char *const names[] = {"Europe/Paris",        "America/New_York",
                                            "Australia/Lord_Howe", "Asia/Kolkata",
                                            "Africa/Casablanca",   "Pacific/Apia"};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                char path[128], *buf = malloc(ZONE_FILE_MAX);
                FILE *f;
                zone z;
                size_t n = 0;

                (void)snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", names[i]);
                f = fopen(path, "rb");
                if (f) {
                        n = fread(buf, 1, ZONE_FILE_MAX, f);
                        (void)fclose(f);
                        assert_int_equal(zone_parse((odm_str){buf, n}, &z), 0);
                        setenv("TZ", path + strlen("/usr/share/zoneinfo/"), 1);
                        tzset();
                        for (time_t t = 1700000000; t < 2300000000; t += 7213 * 5) {
                                struct tm tm;
                                localtime_r(&t, &tm);
                                if (zone_offset(&z, t) != tm.tm_gmtoff)
                                        fail_msg("%s at %lld", names[i], (long long)t);
                        }
                }
                free(buf);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tells_local_time_as_the_table_says),
                cmocka_unit_test(refuses_what_is_no_zone),
                cmocka_unit_test(knows_fixed_zones_and_names),
                cmocka_unit_test(opens_windows_as_the_table_says),
                cmocka_unit_test(the_hour_that_is_not_there_harms_nobody),
                cmocka_unit_test(agrees_with_the_system_files),
        };

        return RUN_TESTS(tests);
}
