/* SPDX-License-Identifier: Apache-2.0 */
/* errand_test.c - what the gateway orders: reads, writes and calls, of devices that are awake,
 * silent or gone. */
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stage.h"

static void values_are_read_and_written(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "", STAGE_D1);
        assert_int_equal(stage_read(&s, 1, STAGE_FWV), 200);
        assert_string_equal(s.nodes, "./DevDetail/FwV=1.0 ");
        assert_int_equal(stage_read(&s, 2, "./DiagMon/Battery/DiagMonData/1/BatteryLevel"), 200);
        assert_non_null(strstr(s.nodes, "BatteryLevel=77"));

        assert_int_equal(stage_write(&s, 3, "./LwM2M/1/0/1", ODM_FMT_INT, "300"), 200);
        assert_non_null(strstr(d.asked, "PUT 1/0/1\n"));
        assert_int_equal(d.body_n, 3);
        assert_memory_equal(d.body, "300", 3);

        assert_int_equal(stage_read(&s, 4, "./LwM2M/6/0/0"), 404);
        stage_end(&s);
}

static void a_device_is_asked_to_call(void **state)
{
        stage s;
        device d;
        gw_device *r;

        (void)state;
        stage_begin_with(&s, &d, "", NULL);
        assert_int_equal(device_say(&d, CO_POST, "rd", "ep=d1&lwm2m=1.0", "</1/3>,</3/0>"),
                         CO_CREATED);
        r = s.records[0];
        lwm2m_class.wake(s.adapter, 1, r, r->native, ODM_ABSENT, ODM_STR("xrem"));
        assert_int_equal(stage_replied(&s, 1), 200);
        assert_non_null(strstr(d.asked, "POST 1/3/8\n"));
        lwm2m_class.wake(s.adapter, 2, r, r->native, ODM_STR("package 0"), ODM_STR("xrem"));
        assert_int_equal(stage_replied(&s, 2), 406);
        stage_end(&s);
}

static void silence_is_408(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "retransmit = 1\n", STAGE_D1);
        device_end(&d);
        assert_int_equal(stage_read(&s, 1, STAGE_FWV), 408);
        stage_end(&s);
}

static void a_cancelled_order_is_not_replied(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "", STAGE_D1);
        stage_ask(&s, 9, STAGE_FWV);
        lwm2m_class.cancel(s.adapter, 9);
        lwm2m_class.cancel(s.adapter, 9);
        assert_int_equal(stage_read(&s, 10, STAGE_FWV), 200);
        assert_int_equal(s.replied, 10);
        stage_ask(&s, 11, STAGE_FWV);
        stage_end(&s); /* with one under way */
}

static void is_503_at_once(stage *s, uint64_t id)
{
        if (s->replied != id || s->status != 503)
                fail_msg("%u: %u", (unsigned)id, s->status);
        s->status = 0;
}

/* Its record lives on, and with it what the adapter once gave for it. */
static void a_device_that_is_gone_is_asked_nothing(void **state)
{
        const odm_str p = ODM_STR(STAGE_FWV);
        const adapter_attrs attrs = {.pmin_s = -1, .pmax_s = -1, .gt = NAN, .lt = NAN, .st = NAN};
        adapter_node v = {.path = p, .has_data = true};
        stage s;
        device d;
        gw_device *r;

        (void)state;
        stage_begin_with(&s, &d, "", STAGE_D1);
        r = s.records[0];
        stage_ask(&s, 20, STAGE_FWV);
        s.open = 20;
        assert_int_equal(device_leave(&d), CO_DELETED);
        assert_non_null(strstr(s.told, "gone d1 1\n"));
        assert_int_equal(s.replied, 0); /* it was cancelled before */
        lwm2m_class.read(s.adapter, 1, r, r->native, &p, 1, ADAPTER_LIST_NONE, 9);
        is_503_at_once(&s, 1);
        lwm2m_class.write(s.adapter, 2, r, r->native, &v, 1, 9);
        is_503_at_once(&s, 2);
        lwm2m_class.create(s.adapter, 3, r, r->native, &v, 1, 9);
        is_503_at_once(&s, 3);
        lwm2m_class.remove(s.adapter, 4, r, r->native, p, 9);
        is_503_at_once(&s, 4);
        lwm2m_class.execute(s.adapter, 5, r, r->native, p, p, ODM_ABSENT, 9);
        is_503_at_once(&s, 5);
        lwm2m_class.observe(s.adapter, 6, r, r->native, p, &attrs, 9);
        is_503_at_once(&s, 6);
        lwm2m_class.wake(s.adapter, 7, r, r->native, ODM_ABSENT, p);
        is_503_at_once(&s, 7);
        lwm2m_class.forget(s.adapter, r, r->native);
        device_enrol(&d, STAGE_D1);
        assert_int_equal(stage_read(&s, 9, STAGE_FWV), 200);
        lwm2m_class.forget(s.adapter, r, r->native);
        lwm2m_class.forget(s.adapter, r, r->native);
        stage_end(&s);
}

static void sleepers_are_asked_while_they_are_awake(void **state)
{
        stage s;
        device d;

        (void)state;
        stage_begin_with(&s, &d, "awake = 1s\n", NULL);
        device_enrol(&d, "ep=d1&lwm2m=1.0&lt=600&b=UQ");
        assert_non_null(strstr(s.told, "awake d1 1000\n"));
        device_observed(&d);
        assert_int_equal(stage_read(&s, 1, STAGE_FWV), 200);
        loop_skip(2000);
        assert_int_equal(stage_read(&s, 2, STAGE_FWV), 503);
        device_update(&d);
        assert_int_equal(stage_read(&s, 3, STAGE_FWV), 200);
        stage_end(&s);
}

static void write_definition(const stage *s, const char *type)
{
        char xml[1024];

        snprintf(xml, sizeof xml,
                 "<LWM2M><Object ObjectType=\"MODefinition\"><Name>X</Name>"
                 "<ObjectID>33000</ObjectID><ObjectURN>urn:oma:lwm2m:x:33000</ObjectURN>"
                 "<MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>"
                 "<Resources><Item ID=\"1\"><Name>Y</Name><Operations>RW</Operations>"
                 "<MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory>"
                 "<Type>%s</Type></Item></Resources></Object></LWM2M>",
                 type);
        stage_file(s, "objects/x.xml", xml);
}

static odm_format format_of_y(stage *s)
{
        s->format = ODM_FMT_ABSENT;
        s->replied = 0;
        assert_int_equal(stage_read(s, 11, "./LwM2M/33000/0/1"), 200);
        return s->format;
}

/* A definition that comes, or is another one, while the gateway runs. */
static void definitions_are_read_when_they_change(void **state)
{
        stage s;
        device d;
        char folder[96], file[128];

        (void)state;
        stage_make(&s);
        snprintf(folder, sizeof folder, "%s/objects", s.folder);
        snprintf(file, sizeof file, "%s/x.xml", folder);
        assert_int_equal(mkdir(folder, 0700), 0);
        stage_set(&s, "objects = %s\n", folder);
        stage_open(&s);
        device_begin(&s, &d, NULL);
        device_have(&d, "33000/0/1", ODM_STR("5"), ODM_LW_TEXT);
        device_say(&d, CO_POST, "rd", "ep=d1&lwm2m=1.0", "</1/0>,</3/0>,</33000/0>");
        assert_int_equal(format_of_y(&s), ODM_FMT_CHR); /* as text is, when nobody knows */
        write_definition(&s, "Integer");
        loop_skip(2000);
        device_say(&d, CO_POST, "rd", "ep=d1&lwm2m=1.0", "</1/0>,</3/0>,</33000/0>");
        assert_int_equal(format_of_y(&s), ODM_FMT_INT);
        write_definition(&s, "Float"); /* for a device that registered before, too */
        loop_skip(2000);
        assert_int_equal(format_of_y(&s), ODM_FMT_FLOAT);
        write_definition(&s, "No such type");
        loop_skip(2000);
        assert_int_equal(format_of_y(&s), ODM_FMT_FLOAT); /* what was known stays */
        assert_int_equal(unlink(file), 0);
        loop_skip(2000);
        assert_int_equal(format_of_y(&s), ODM_FMT_CHR); /* nobody knows it any more */
        assert_int_equal(rmdir(folder), 0);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(values_are_read_and_written),
                cmocka_unit_test(a_device_is_asked_to_call),
                cmocka_unit_test(silence_is_408),
                cmocka_unit_test(a_cancelled_order_is_not_replied),
                cmocka_unit_test(a_device_that_is_gone_is_asked_nothing),
                cmocka_unit_test(sleepers_are_asked_while_they_are_awake),
                cmocka_unit_test(definitions_are_read_when_they_change),
        };

        return RUN_TESTS(tests);
}
