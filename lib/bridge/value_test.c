/* SPDX-License-Identifier: Apache-2.0 */
/* Values of each type of LwM2M in each format of DM, and back; what is told, and was not heard. */
#include "lab.h"

#define LINKS "</1/0>,</3/0>,</5/0>,</6/0>,</7/0>,</9/0>,</16/0>,</3303/0>"

static const char map[] = "./T                   node   G    -         mo urn:oma:mo:x-t:1.0\n"
                          "./T/BoolText          chr    G    /1/0/6\n"
                          "./T/BoolInt           int    G    /1/0/6\n"
                          "./T/IntBool           bool   G    /1/0/1\n"
                          "./T/TextBool          bool   G    /1/0/7\n"
                          "./T/IntFloat          float  G    /1/0/1\n"
                          "./T/TextFloat         float  G    /1/0/7\n"
                          "./T/FloatInt          int    G    /6/0/2\n"
                          "./T/LargeInt          int    G    /6/0/3\n"
                          "./T/TextInt           int    G    /1/0/7\n"
                          "./T/IntTime           time   G    /1/0/1\n"
                          "./T/LateTime          time   G    /3/0/13\n"
                          "./T/TextTime          time   G    /1/0/7\n"
                          "./T/TextBin           bin    G    /1/0/7\n"
                          "./T/OpaqueBin         bin    G    /5/0/0\n"
                          "./T/IntBin            bin    G    /1/0/1\n"
                          "./T/Link              chr    G    /9/0/13\n"
                          "./T/Times             int    GR   /7/0/2    times 1000\n"
                          "./T/TimesText         int    G    /1/0/7    times 1000\n"
                          "./T/TimesMuch         int    G    /7/0/3    times 1000\n"
                          "./T/Enum              chr    GR   /7/0/8    enum 1=one,2=two\n"
                          "./T/EnumText          chr    G    /1/0/7    enum 1=one\n"
                          "./T/DecimalText       chr    G    /1/0/7    decimal 2\n"
                          "./T/Decimal           chr    G    /6/0/2    decimal 3\n"
                          "./T/DecimalWhole      chr    G    /1/0/1    decimal 3\n"
                          "./T/Sleep             int    GR   /1/^/1    sleep-interval\n"
                          "./T/When              chr    G    /1/0/0    ?7=1\n"
                          "./T/Time              time   GR   /3/0/13\n"
                          "./T/Data              bin    GR   /16/0/2\n"
                          "./T/Kept              chr    GR   /3        kept first\n";

static const char *value_of(lab *l, const char *path, unsigned *status)
{
        const odm_plan_result *r = lab_read(l, path, ODM_ASK_NODE);

        *status = r->status;
        return r->status == 200 ? lab_nodes(l, r->nodes) + strlen(path) + 1 : NULL;
}

static void begin_own(lab *l)
{
        lab_begin(l, LINKS);
        lab_set(l, "/6/0/2", "120.25");
        lab_set(l, "/6/0/3", "1e+20");
        lab_set(l, "/3/0/13", "999999999999");
        lab_set(l, "/5/0/0", "qrs=");
        lab_set(l, "/9/0/13", "5:1");
        lab_set(l, "/7/0/2", "7");
        lab_set(l, "/7/0/3", "9223372036854775807");
        lab_set(l, "/7/0/8", "2");
        lab_set(l, "/16/0/2", "AAE=");
}

static void each_type_is_read_in_each_format(void **state)
{
        static const struct {
                const char *path, *value; /* NULL: it has none */
        } rows[] = {
                {"./T/BoolText", "chr=true"},  {"./T/BoolInt", "int=1"},
                {"./T/IntBool", "bool=true"},  {"./T/TextBool", NULL},
                {"./T/IntFloat", "float=300"}, {"./T/TextFloat", NULL},
                {"./T/FloatInt", "int=120"},   {"./T/LargeInt", NULL},
                {"./T/TextInt", NULL},         {"./T/IntTime", "time=19700101T000500Z"},
                {"./T/LateTime", NULL},        {"./T/TextTime", NULL},
                {"./T/TextBin", "bin=UQ"},     {"./T/OpaqueBin", "bin=\xaa\xbb"},
                {"./T/IntBin", "bin=300"},     {"./T/Link", "chr=5:1"},
                {"./T/Times", "int=7000"},     {"./T/TimesText", NULL},
                {"./T/TimesMuch", NULL},       {"./T/Enum", "chr=two"},
                {"./T/EnumText", NULL},        {"./T/DecimalText", NULL},
                {"./T/Decimal", "chr=120.25"}, {"./T/DecimalWhole", "chr=300"},
                {"./T/Sleep", "int=0"},        {"./T/When", NULL},
                {"./T/Kept", "chr=first"},
        };
        lab l;

        (void)state;
        begin_own(&l);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                unsigned status;
                const char *got = value_of(&l, rows[i].path, &status);
                if (status != (rows[i].value ? 200 : 404))
                        fail_msg("%s: %u", rows[i].path, status);
                if (rows[i].value && strcmp(got, rows[i].value) != 0)
                        fail_msg("%s: %s", rows[i].path, got);
        }
        lab_close(&l);
}

static void values_are_written_by_their_rules(void **state)
{
        static const struct {
                const char *why, *path, *value;
                odm_format format;
                const char *asked;
                unsigned status;
        } rows[] = {
                {"by its rule", "./T/Times", "3000", ODM_FMT_INT, "Write /7/0/2 /7/0/2=3", 200},
                {"what is no multiple", "./T/Times", "3001", ODM_FMT_INT, "", 415},
                {"what stands for a number", "./T/Enum", "one", ODM_FMT_CHR,
                 "Write /7/0/8 /7/0/8=1", 200},
                {"what stands for none", "./T/Enum", "three", ODM_FMT_CHR, "", 415},
                {"a time", "./T/Time", "20240229T120000Z", ODM_FMT_TIME,
                 "Write /3/0/13 /3/0/13=1709208000", 200},
                {"octets", "./T/Data", "\001\002", ODM_FMT_BIN, "Write /16/0/2 /16/0/2=AQI=", 200},
                {"octets of no object that is known", "./LwM2M/3303/0/5700", "ab", ODM_FMT_BIN,
                 "Write /3303/0/5700 /3303/0/5700=YWI=", 200},
                {"a time of none", "./LwM2M/3303/0/5518", "20240229T120000Z", ODM_FMT_TIME,
                 "Write /3303/0/5518 /3303/0/5518=1709208000", 200},
                {"true", "./LwM2M/3303/0/5850", "true", ODM_FMT_BOOL,
                 "Write /3303/0/5850 /3303/0/5850=1", 200},
                {"an interval", "./T/Sleep", "120", ODM_FMT_INT, "Write /1/0/1 /1/0/1=120", 200},
                {"a number of five digits and none", "./LwM2M/3303/00/1", "1", ODM_FMT_INT, "",
                 404},
        };
        lab l;

        (void)state;
        begin_own(&l);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                unsigned status = lab_write(&l, rows[i].path, rows[i].format, rows[i].value);
                if (status != rows[i].status || strcmp(l.log, rows[i].asked) != 0)
                        fail_msg("%s: %u, asked %s", rows[i].why, status, l.log);
        }
        lab_close(&l);
}

/* What is told by itself goes through the same rules; what has none is told where it is. */
static void all_that_is_told_is_told(void **state)
{
        odm_bridge_news n;
        lab l;

        (void)state;
        begin_own(&l);
        lab_set(&l, "/1/0/2", "1"); /* no rule names it */
        n = lab_told(&l, "/1/0");
        assert_string_equal(lab_nodes(&l, n.nodes),
                            "./T/IntBool bool=true; ./T/IntFloat float=300; "
                            "./T/IntTime time=19700101T000500Z; ./T/IntBin bin=300; "
                            "./T/DecimalWhole chr=300; ./T/Sleep int=0; ./LwM2M/1/0/2 int=1; "
                            "./T/BoolText chr=true; ./T/BoolInt int=1; ./T/TextBin bin=UQ");
        assert_int_equal(n.n_alerts, 0); /* no rule makes traps of errors */
        n = lab_told(&l, "/9/0/13");
        assert_string_equal(lab_nodes(&l, n.nodes), "./T/Link chr=5:1");
        odm_alert a = {.source = ODM_STR("./Trap/error1")};
        assert_int_equal(odm_bridge_untold(l.b, &a), 0);
        lab_close(&l);
}

/* ---- with the map that ships -------------------------------------------------------------------- */

static void what_is_watched_is_what_it_offers(void **state)
{
        static const struct {
                const char *links;
                size_t n;
        } rows[] = {{"</3/0>,</5/0>", 3}, {"</3/0>", 1}, {"</1/0>", 0}};
        odm_lw_path out[ODM_BRIDGE_WATCH];
        lab l;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                assert_int_equal(lab_open(&l, &heap, rows[i].links, "1.0"), 0);
                if (odm_bridge_watch(l.b, out) != rows[i].n)
                        fail_msg("%s: %zu", rows[i].links, odm_bridge_watch(l.b, out));
                lab_close(&l);
        }
}

/* An alert that could not be kept is one again with the next values. */
static void what_was_not_kept_is_told_again(void **state)
{
        static const char *const sources[] = {"./Trap/error", "./Trap/error64", "./Trap/error01",
                                              "./Trap/x", "./DevInfo"};
        odm_bridge_news n;
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        lab_set(&l, "/3/0/11/0", "1");
        n = lab_told(&l, "/3/0/11");
        assert_int_equal(n.n_alerts, 1);
        assert_int_equal(lab_told(&l, "/3/0/11").n_alerts, 0);
        for (size_t i = 0; i < ODM_COUNT(sources); i++) {
                odm_alert other = {.source = odm_cstr(sources[i])};
                assert_int_equal(odm_bridge_untold(l.b, &other), 0);
                assert_int_equal(lab_told(&l, "/3/0/11").n_alerts, 0);
        }
        assert_int_equal(odm_bridge_untold(l.b, &n.alert[0]), 0);
        assert_int_equal(lab_told(&l, "/3/0/11").n_alerts, 1);
        lab_close(&l);
}

static void what_is_ordered_has_a_status_and_limits(void **state)
{
        odm_bridge_news n;
        unsigned status;
        char far[120];
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        memset(far, 'x', sizeof far);
        assert_int_equal(odm_bridge_observed(l.b, ODM_STR("a"), 200), 0); /* nobody ordered it */
        assert_int_equal(odm_bridge_observed(l.b, (odm_str){far, sizeof far}, 200), 0);
        assert_null(value_of(&l, "./LwM2M/Observe/a/Status", &status));
        assert_int_equal(lab_create(&l, "./LwM2M/Observe/a/Ref", ODM_FMT_CHR, "./LwM2M/3/0/9"),
                         200);
        assert_int_equal(lab_create(&l, "./LwM2M/Observe/a", ODM_FMT_NODE, NULL), 418);
        assert_int_equal(lab_create(&l, "./LwM2M/Observe/a/lt", ODM_FMT_FLOAT, "50"), 200);
        assert_int_equal(lab_create(&l, "./LwM2M/Observe/a/pmin", ODM_FMT_INT, "-1"), 200);
        (void)odm_bridge_observe_news(l.b);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(odm_bridge_observed(l.b, ODM_STR("a"), 405), 0);
                assert_string_equal(value_of(&l, "./LwM2M/Observe/a/Status", &status), "int=405");
        }
        assert_false(odm_bridge_observe_news(l.b)); /* the answer is none */
        lab_set(&l, "/3/0/9", "40");
        n = lab_told(&l, "/3/0/9");
        assert_int_equal(n.n_alerts, 2);
        assert_int_equal(lab_told(&l, "/3/0/9").n_alerts, 1); /* below it still: a sample alone */
        assert_int_equal(odm_bridge_untold(l.b, &n.alert[0]), 0);
        assert_int_equal(lab_told(&l, "/3/0/9").n_alerts, 1);
        assert_int_equal(odm_bridge_untold(l.b, &n.alert[1]), 0);
        assert_int_equal(lab_told(&l, "/3/0/9").n_alerts, 2);
        lab_set(&l, "/3/0/9", "60");
        n = lab_told(&l, "/3/0/9");
        assert_int_equal(n.n_alerts, 2);
        assert_int_equal(odm_bridge_untold(l.b, &n.alert[1]), 0);
        assert_int_equal(lab_told(&l, "/3/0/9").n_alerts, 2);
        assert_int_equal(lab_told(&l, "/3/0/9").n_alerts, 1);
        lab_close(&l);
}

static void what_nobody_has_is_not_observed(void **state)
{
        static const char *const refs[] = {"./LwM2M/3/0/99",  "./LwM2M/3/0",
                                           "./No/Such",       "./FUMO/main/Download/PkgURL",
                                           "./DevInfo/DevId", "no"};
        odm_bridge_observation o[ODM_BRIDGE_OBSERVE];
        char path[64];
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        for (size_t i = 0; i < ODM_COUNT(refs); i++) {
                snprintf(path, sizeof path, "./LwM2M/Observe/o%zu/Ref", i);
                assert_int_equal(lab_create(&l, path, ODM_FMT_CHR, refs[i]), 200);
        }
        assert_int_equal(odm_bridge_observations(l.b, o), ODM_COUNT(refs));
        for (size_t i = 1; i < ODM_COUNT(refs); i++)
                if (o[i].there)
                        fail_msg("%.*s is there", (int)o[i].ref.n, o[i].ref.p);
        lab_close(&l);
}

static int own_map(void **state)
{
        (void)state;
        lab_map_text = map;
        return 0;
}

static int shipped_map(void **state)
{
        (void)state;
        lab_map_text = NULL;
        return 0;
}

#define OWN(f) cmocka_unit_test_setup_teardown(f, own_map, shipped_map)

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                OWN(each_type_is_read_in_each_format),
                OWN(values_are_written_by_their_rules),
                OWN(all_that_is_told_is_told),
                cmocka_unit_test(what_is_watched_is_what_it_offers),
                cmocka_unit_test(what_was_not_kept_is_told_again),
                cmocka_unit_test(what_is_ordered_has_a_status_and_limits),
                cmocka_unit_test(what_nobody_has_is_not_observed),
        };
        lab_map_path = argc > 1 ? argv[1] : "apps/grem/maps/lwm2m.map";
        return RUN_TESTS(tests);
}
