/* SPDX-License-Identifier: Apache-2.0 */
/* What gateways tell of the values of devices behind them becomes samples of those, and of no
 * others. */
#include <string.h>

#include "gateway_part.h"
#include "metric.h"
#include "odm/values.h"
#include "stage.h"

#define NOW 1795365305000ll /* 2026-11-22T16:35:05Z */

extern const fleet_part part_gateway, part_presence, part_alarm;
static const fleet_part *const parts[] = {&part_alarm, &part_gateway, &part_presence, &part_metric,
                                          NULL};

static int64_t device(stage *s, const char *name)
{
        const store_device d = {
                .name = odm_cstr(name), .state = STORE_DEVICE_ACTIVE, .last_contact = NOW};

        return stage_device(s, &d);
}

static int64_t child(stage *s, int64_t gateway, const char *key, const char *name)
{
        const int64_t id = device(s, name);
        const gateway_child c = {
                .device = id, .gateway = gateway, .key = odm_cstr(key), .mode = GATEWAY_ADAPTATION};
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ROW_PUT);

        assert_non_null(op);
        op->row = (store_row_op){.table = &table_gateway_child, .row = &c};
        stage_write(s, b);
        return id;
}

static void values(stage *s, int64_t gateway, const char *doc)
{
        json_t *o = json_pack("{s:i, s:s, s:s, s:s}", "code", 1226, "type", ODM_VALUES_ALERT,
                              "source", "./GwMO/Inventory/Records", "data", doc);
        char *text = json_dumps(o, JSON_COMPACT);

        stage_say(s, gateway, "alert", odm_arena_copy(&s->a, odm_cstr(text)).p);
        free(text);
        json_decref(o);
        (void)stage_run(s, 50);
}

/* "TIME=VALUE .." of a device's metric, times in seconds before NOW; "" for none. */
static const char *samples(stage *s, int64_t of, const char *name)
{
        const metric_name by = {.name = odm_cstr(name)};
        metric_name row = {0};
        metric_sample key = {.device = of};
        store_scan scan = {.table = &table_metric_sample, .same = 2, .at = &key, .limit = 100};
        store_rows rows = {0};
        odm_str text = ODM_STR("");

        if (store_row_by(s->st, &table_metric_name, METRIC_NAME_BY_NAME, &by, &s->a, &row) < 0)
                return "";
        key.metric = row.id;
        assert_int_equal(store_row_find(s->st, &scan, &s->a, &rows), 0);
        for (size_t i = 0; i < rows.n; i++) {
                const metric_sample *v = (const metric_sample *)rows.v + i;
                text = odm_arena_fmt(&s->a, "%.*s%lld=%g ", (int)text.n, text.p,
                                     (long long)(v->at - NOW) / 1000, v->value);
        }
        return text.p;
}

#define DOC(body) "<Values Base=\"20261122T163005Z\">" body "</Values>" /* five minutes before */
#define BATTERY "./DiagMon/Battery/DiagMonData/1/Level"

static void they_become_samples(void **state)
{
        stage s;
        int64_t gw, other, d1, d2, far;

        (void)state;
        stage_begin(&s, parts, NULL, NOW);
        stage_open(&s);
        gw = device(&s, "gw");
        other = device(&s, "other");
        d1 = child(&s, gw, "d0001", "meter/1");
        d2 = child(&s, gw, "d0002", "meter/2");
        far = child(&s, other, "d0007", "meter/7");
        values(&s, gw,
               DOC("<Node URI=\"./Ext/Level\" Format=\"int\">"
                   "<V Key=\"d0001\" At=\"0\">87</V><V Key=\"d0002\" At=\"1\">64</V>"
                   "<V Key=\"d0001\" At=\"60\">86</V><V Key=\"d0007\" At=\"60\">1</V>"
                   "<V Key=\"d0099\" At=\"60\">1</V></Node>"
                   "<Node URI=\"./Ext/Heat\" Format=\"float\"><V Key=\"d0001\" At=\"60\">20.5</V>"
                   "</Node><Node URI=\"./Ext/Bits\" Format=\"bin\"><V Key=\"d0001\" At=\"0\">x</V>"
                   "</Node>"));
        assert_string_equal(samples(&s, d1, "Ext.Level"), "-300=87 -240=86 ");
        assert_string_equal(samples(&s, d1, "Ext.Heat"), "-240=20.5 ");
        assert_string_equal(samples(&s, d1, "Ext.Bits"), "");
        assert_string_equal(samples(&s, d2, "Ext.Level"), "-299=64 ");
        assert_string_equal(samples(&s, far, "Ext.Level"), ""); /* it is another gateway's */
        stage_end(&s);
}

/* Where gateways are marked as such, others tell nothing of anybody. */
static void only_a_gateway_is_believed(void **state)
{
        stage s;
        int64_t gw, d1;

        (void)state;
        stage_begin(&s, parts, NULL, NOW);
        stage_open(&s);
        ((gateways *)fleet_self(s.f, &part_gateway))->tagged = true;
        gw = device(&s, "gw");
        d1 = child(&s, gw, "d0001", "meter/1");
        values(&s, gw,
               DOC("<Node URI=\"./Ext/Level\" Format=\"int\"><V Key=\"d0001\" At=\"0\">87</V>"
                   "</Node>"));
        assert_string_equal(samples(&s, d1, "Ext.Level"), "");
        stage_end(&s);
}

static void told_again_they_are_known(void **state)
{
        static const char doc[] = DOC("<Node URI=\"./Ext/Level\" Format=\"int\">"
                                      "<V Key=\"d0001\" At=\"0\">87</V></Node>");
        stage s;
        int64_t gw, d1;

        (void)state;
        stage_begin(&s, parts, NULL, NOW);
        stage_open(&s);
        gw = device(&s, "gw");
        d1 = child(&s, gw, "d0001", "meter/1");
        values(&s, gw, doc);
        values(&s, gw, doc);
        assert_string_equal(samples(&s, d1, "Ext.Level"), "-300=87 ");
        stage_end(&s);
}

static void what_breaks_off_counts_as_far_as_it_goes(void **state)
{
        stage s;
        int64_t gw, d1;

        (void)state;
        stage_begin(&s, parts, NULL, NOW);
        stage_open(&s);
        gw = device(&s, "gw");
        d1 = child(&s, gw, "d0001", "meter/1");
        values(&s, gw, "<Values><V/>");
        values(&s, gw, "");
        values(&s, gw,
               "<Values Base=\"20261122T163005Z\"><Node URI=\"./Ext/Level\" Format=\"int\">"
               "<V Key=\"d0001\" At=\"0\">87</V><V Key=\"d0001\" At=\"x\">86</V></Node></Values>");
        assert_string_equal(samples(&s, d1, "Ext.Level"), "-300=87 ");
        stage_end(&s);
}

static void many_of_one_device_are_several_events(void **state)
{
        odm_buf doc;
        stage s;
        int64_t gw, d1;

        (void)state;
        stage_begin(&s, parts, NULL, NOW);
        stage_open(&s);
        gw = device(&s, "gw");
        d1 = child(&s, gw, "d0001", "meter/1");
        odm_buf_init(&doc, &heap, 1 << 20);
        assert_int_equal(
                odm_buf_fmt(&doc, "<Values Base=\"20261122T163005Z\"><Node URI=\"./Ext/Level\">"),
                0);
        for (int i = 0; i < 300; i++)
                assert_int_equal(odm_buf_fmt(&doc, "<V Key=\"d0001\" At=\"%d\">%d</V>", i, i), 0);
        assert_int_equal(odm_buf_str(&doc, ODM_STR("</Node></Values>")), 0);
        assert_int_equal(odm_buf_byte(&doc, 0), 0);
        values(&s, gw, doc.p);
        odm_buf_done(&doc);
        assert_int_equal(stage_told(&s, SAMPLE_EVENT), 2);
        const char *first = samples(&s, d1, "Ext.Level"); /* a page of a hundred */
        assert_int_equal(strncmp(first, "-300=0 -299=1 ", 14), 0);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(they_become_samples),
                cmocka_unit_test(only_a_gateway_is_believed),
                cmocka_unit_test(told_again_they_are_known),
                cmocka_unit_test(what_breaks_off_counts_as_far_as_it_goes),
                cmocka_unit_test(many_of_one_device_are_several_events),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
