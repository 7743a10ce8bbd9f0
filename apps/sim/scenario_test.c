/* SPDX-License-Identifier: Apache-2.0 */
/* Files of scenarios: what they mean, and what is refused with its reason. */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

static int load(const char *text, scenario *s, diag *d)
{
        char path[] = "/tmp/scenario.XXXXXX";
        int fd = mkstemp(path), rc;
        size_t n = strlen(text);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, n), (ssize_t)n);
        close(fd);
        memset(s, 0, sizeof *s);
        d->text[0] = '\0';
        rc = scenario_load(s, path, d);
        unlink(path);
        return rc;
}

static void a_file_means_what_it_says(void **state)
{
        static const char text[] = "[run]\nseed = 9\nparallel = 500\n"
                                   "[group a]\ncount = 10\nfirst = 5\nmodel = M1\ntags = x, y\n"
                                   "call = 30s\ncodec = xml\n"
                                   "[group b]\nprefix = q/\nfwv = 3\nsoftware = yes\ntraps = yes\n"
                                   "diag = sensor, restart\nlink = 8k\nbattery = 70\n"
                                   "[fault f]\nkind = power-cut\nstate = updating\ngroup = a\n"
                                   "devices = 5-6\n"
                                   "[fault g]\nkind = clock-skew\nskew = -2h\ncount = 4\n";
        static scenario s;
        diag d;
        size_t hit = 0;

        (void)state;
        assert_int_equal(load(text, &s, &d), 0);
        assert_int_equal(s.n_groups, 2);
        assert_int_equal(s.devices, 11);
        assert_int_equal(s.parallel, 11); /* no more than there are devices */
        assert_string_equal(s.group[0].o.prefix, "sim/a/");
        assert_string_equal(s.group[1].o.prefix, "q/");
        assert_int_equal(s.group[1].begin, 10);
        assert_int_equal(s.group[0].call_ms, 30000);
        assert_int_equal(s.group[0].o.n_tags, 2);
        assert_ptr_equal(s.group[0].o.codec, &odm_codec_xml);
        assert_string_equal(s.group[1].fwv, "3");
        assert_true(s.group[1].software && s.group[1].traps && s.group[1].link == 8192);
        assert_int_equal(s.group[1].diag, 1u << MEASURE_SENSOR | 1u << MEASURES);
        assert_int_equal(s.group[1].battery, 70);
        assert_true(!s.group[0].software && !s.group[0].diag && !s.group[0].traps);
        assert_int_equal(s.fault[0].state, 60);
        assert_true(s.fault[1].ms == -7200000);
        assert_int_equal(scenario_aim(&s), 0);
        for (size_t g = 0; g < 2; g++)
                for (uint32_t i = 0; i < s.group[g].o.n; i++) {
                        uint64_t f = scenario_faults(&s, &s.group[g], i);
                        assert_int_equal(f & 1, g == 0 && i < 2);
                        hit += f >> 1 & 1;
                }
        assert_int_equal(hit, 4);
        scenario_done(&s);
}

static void kinds_of_devices_are_counted_apart(void **state)
{
        static scenario s;
        diag d;

        (void)state;
        assert_int_equal(load("[group a]\ncount = 3\n[group b]\nprotocol = lwm2m\ncount = 4\n"
                              "version = 1.1\nserver = coap://127.0.0.1\n[group c]\ncount = 2\n",
                              &s, &d),
                         0);
        assert_int_equal(s.devices, 5);
        assert_int_equal(s.things, 4);
        assert_int_equal(s.group[1].begin, 0);
        assert_true(s.group[1].v11);
        assert_int_equal(s.group[1].lifetime_ms, 240000);
        assert_int_equal(s.group[2].begin, 3);
        assert_int_equal(s.parallel, 9);
        scenario_done(&s);
        assert_int_equal(load("[group b]\nprotocol = lwm2m\n", &s, &d), 0);
        assert_int_equal(s.parallel, 1); /* also without any of the other kind */
        scenario_done(&s);
}

static void what_makes_no_sense_is_refused_with_its_reason(void **state)
{
        static const struct {
                const char *why, *text;
        } rows[] = {
                {"there is no [group NAME]", "[run]\nseed = 1\n"},
                {"bogus", "[group a]\nbogus = 1\n"},
                {"colon", "[group a]\nprefix = a:b\n"},
                {"million", "[group a]\ncount = 600000\n[group b]\ncount = 600000\n"},
                {"kind: is needed", "[group a]\n[fault f]\nstate = 60\n"},
                {"exclude each other",
                 "[group a]\n[fault f]\nkind = silence\ncount = 1\nshare = 3%\n"},
                {"no such group", "[group a]\n[fault f]\nkind = silence\ngroup = b\n"},
                {"share", "[group a]\n[fault f]\nkind = silence\nshare = 3\n"},
                {"devices", "[group a]\n[fault f]\nkind = silence\ndevices = x\n"},
                {"none has such a number", "[group a]\ncount = 2\n[group b]\ncount = 9\n"
                                           "[fault f]\nkind = silence\ngroup = a\n"
                                           "devices = 1, 3-4\n"},
                {"lifetime", "[group a]\nprotocol = lwm2m\ncall = 1h\nlifetime = 1m\n"},
                {"keys", "[group a]\nprotocol = lwm2m\nkeys = /tmp\n"},
                {"diag: is memory", "[group a]\ndiag = memory, thumbs\n"},
                {"traps, link", "[group a]\nprotocol = lwm2m\nlink = 1k\n"},
                {"software, diag", "[group a]\nprotocol = lwm2m\nsoftware = yes\n"},
                {"none of FUMO's", "[group a]\n[fault f]\nkind = silence\nstate = asleep\n"},
                {"needs one", "[group a]\n[fault f]\nkind = power-cut\n"},
                {"is for power-cut", "[group a]\n[fault f]\nkind = slow-link\nstate = ready\n"},
                {"none of the causes", "[group a]\n[fault f]\nkind = wrong-result\ncause = BAD\n"},
                {"skew", "[group a]\n[fault f]\nkind = clock-skew\nskew = soon\n"},
                {"come out", "[group a]\n[fault f]\nkind = silence\nalways = yes\n"},
        };
        static scenario s;
        diag d;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                if (load(rows[i].text, &s, &d) == 0 || !strstr(d.text, rows[i].why))
                        fail_msg("row %zu: '%s' is not in '%s'", i, rows[i].why, d.text);
                scenario_done(&s);
        }
        memset(&s, 0, sizeof s);
        assert_int_equal(scenario_load(&s, "/nowhere/x", &d), ODM_ENOENT);
        scenario_done(&s);
}

static void our_examples_can_be_run(void **state)
{
        static const char *const names[] = {"campaign.scenario", "storms.scenario"};
        static scenario s;
        char path[512];
        diag d;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                memset(&s, 0, sizeof s);
                (void)snprintf(path, sizeof path, "%s/%s", getenv("SCENARIOS"), names[i]);
                if (scenario_load(&s, path, &d) < 0)
                        fail_msg("%s", d.text);
                assert_int_equal(scenario_aim(&s), 0);
                scenario_done(&s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_file_means_what_it_says),
                cmocka_unit_test(kinds_of_devices_are_counted_apart),
                cmocka_unit_test(what_makes_no_sense_is_refused_with_its_reason),
                cmocka_unit_test(our_examples_can_be_run),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
