/* SPDX-License-Identifier: Apache-2.0 */
/* behind_test.c - devices behind one that is a gateway of LwM2M itself. */
#include "heap.h"
#include "stage.h"

#define BEHIND_LINKS "</>;rt=\"oma.lwm2m\",</1/0>,</3/0>,</25/0>,</25/1>"

static odm_str tlv_text(odm_buf *b, uint8_t id, const char *text)
{
        size_t n = strlen(text);

        assert_true(n < 256);
        assert_int_equal(odm_buf_byte(b, 0xc8), 0);
        assert_int_equal(odm_buf_byte(b, id), 0);
        assert_int_equal(odm_buf_byte(b, (uint8_t)n), 0);
        assert_int_equal(odm_buf_str(b, odm_cstr(text)), 0);
        return odm_buf_view(b);
}

/* Manufacturer (two letters) and firmware (three), in /3/0. */
#define FACTS(man, fwv) ODM_STR("\xc2\x00" man "\xc3\x03" fwv)

/* An instance of /25, in TLV. */
static void add_behind(odm_buf *b, uint8_t instance, const char *id, const char *prefix,
                       const char *objects)
{
        odm_buf one;
        odm_str in;

        odm_buf_init(&one, &heap_mem, 1024);
        (void)tlv_text(&one, 0, id);
        (void)tlv_text(&one, 1, prefix);
        in = tlv_text(&one, 3, objects);
        assert_int_equal(odm_buf_byte(b, 0x08), 0);
        assert_int_equal(odm_buf_byte(b, instance), 0);
        assert_int_equal(odm_buf_byte(b, (uint8_t)in.n), 0);
        assert_int_equal(odm_buf_str(b, in), 0);
        odm_buf_done(&one);
}

static void furnish_behind(device *d, odm_buf *b)
{
        add_behind(b, 0, "leaf-1", "d01", "</3/0>,</3303/0>");
        add_behind(b, 1, "leaf-2", "d02", "</d02/3/0>,</d02/3/0>");
        device_have(d, "25", odm_buf_view(b), ODM_LW_TLV);
        device_have(d, "d01/3/0", FACTS("LA", "7.1"), ODM_LW_TLV);
        device_have(d, "d01/3/0/3", ODM_STR("7.1"), ODM_LW_TEXT);
        device_have(d, "d01/3303/0/5700", ODM_STR("21.5"), ODM_LW_TEXT);
        device_have(d, "d02/3/0", FACTS("LB", "8.2"), ODM_LW_TLV);
        device_have(d, "d02/3/0/3", ODM_STR("8.2"), ODM_LW_TEXT);
}

/* A gateway has registered, and its devices are seen. */
static void begin_behind(stage *s, device *d, odm_buf *b, const char *query)
{
        stage_begin_with(s, d, "", NULL);
        odm_buf_init(b, &heap_mem, 4096);
        furnish_behind(d, b);
        device_say(d, CO_POST, "rd", query, BEHIND_LINKS);
        stage_until(s, s->told, "seen leaf-1  man=LA fw=7.1\n");
        stage_until(s, s->told, "seen leaf-2  man=LB fw=8.2\n");
}

static void devices_behind_a_device_are_devices(void **state)
{
        stage s;
        device d;
        odm_buf b;
        gw_device *leaf;

        (void)state;
        begin_behind(&s, &d, &b, "ep=gw&lwm2m=1.0&lt=60");
        assert_non_null(strstr(s.told, "awake leaf-1 0\n"));
        assert_int_equal(stage_read_of(&s, 1, "leaf-1", "./LwM2M/3303/0/5700"), 200);
        assert_non_null(strstr(s.nodes, "=21.5"));
        stage_read_of(&s, 2, "leaf-2", STAGE_FWV);
        assert_string_equal(s.nodes, "./DevDetail/FwV=8.2 ");
        leaf = stage_record(&s, ODM_STR("leaf-2"));
        lwm2m_class.execute(s.adapter, 3, leaf, leaf->native,
                            ODM_STR("./DiagMon/Restart/Operations/Start"), ODM_ABSENT,
                            ODM_STR("c-9"), 5000);
        stage_until(&s, d.asked, "POST d02/3/0/4\n");
        stage_until(&s, s.told, "OperationComplete 1200 c-9\n");
        /* one is there no more, another is new */
        odm_buf_cut(&b, 0);
        add_behind(&b, 1, "leaf-2", "d02", "</3/0>");
        add_behind(&b, 2, "leaf-3", "d01", "</3/0>");
        device_have(&d, "25", odm_buf_view(&b), ODM_LW_TLV);
        device_tell(&d, "25", odm_buf_view(&b), ODM_LW_TLV);
        stage_until(&s, s.told, "gone leaf-1 1\n");
        stage_until(&s, s.told, "seen leaf-3  man=LA fw=7.1\n");
        assert_null(strstr(s.told, "gone leaf-2"));
        /* and without their gateway there are none */
        device_leave(&d);
        assert_non_null(strstr(s.told, "gone leaf-2 3\n"));
        assert_non_null(strstr(s.told, "gone leaf-3 3\n"));
        assert_int_equal(stage_read_of(&s, 4, "leaf-3", STAGE_FWV), 503);
        odm_buf_done(&b);
        stage_end(&s);
}

static void they_are_kept_with_their_gateway(void **state)
{
        stage s;
        device d;
        odm_buf b;

        (void)state;
        begin_behind(&s, &d, &b, "ep=gw&lwm2m=1.0&lt=60&b=UQ");
        stage_close(&s);
        s.told[0] = d.asked[0] = 0;
        stage_open(&s);
        assert_non_null(strstr(s.told, "asleep leaf-1\n")); /* as its gateway is */
        assert_int_equal(stage_read_of(&s, 1, "leaf-1", STAGE_FWV), 503);
        assert_int_equal(device_update(&d), CO_CHANGED);
        stage_until(&s, s.told, "awake leaf-1 93000\n");
        stage_read_of(&s, 2, "leaf-1", STAGE_FWV);
        assert_string_equal(s.nodes, "./DevDetail/FwV=7.1 ");
        /* a registration of its own takes it away from there */
        stage_until(&s, d.asked, "GET 25 observe\n");
        d.n_watched = 0;
        assert_int_equal(device_register(&d, "ep=leaf-1&lwm2m=1.0&lt=60"), CO_CREATED);
        stage_read_of(&s, 3, "leaf-1", STAGE_FWV);
        assert_string_equal(s.nodes, "./DevDetail/FwV=1.0 ");
        odm_buf_done(&b);
        stage_end(&s);
}

static void what_a_gateway_says_of_others_is_not_believed(void **state)
{
        static const struct row {
                const char *why, *id, *prefix, *objects;
        } rows[] = {
                {"itself", "gw", "d01", "</3/0>"},
                {"a device with a registration of its own", "d1", "d01", "</3/0>"},
                {"nobody", "", "d01", "</3/0>"},
                {"no prefix", "x1", "", "</3/0>"},
                {"a prefix that is a path", "x2", "a/b", "</3/0>"},
                {"one that is too long", "x3", "0123456789012345678901234567890123456789012345678",
                 "</3/0>"},
                {"objects that are none", "x4", "d04", "3/0"},
        };
        stage s;
        device d, own;

        (void)state;
        stage_begin(&s, "");
        device_begin(&s, &own, NULL);
        device_enrol(&own, STAGE_D1);
        device_begin(&s, &d, NULL);
        device_have(&d, "d9/3/0", FACTS("LA", "7.1"), ODM_LW_TLV);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_buf b;

                odm_buf_init(&b, &heap_mem, 4096);
                add_behind(&b, 0, rows[i].id, rows[i].prefix, rows[i].objects);
                add_behind(&b, 1, "good", "d9", "</3/0>");
                device_have(&d, "25", odm_buf_view(&b), ODM_LW_TLV);
                s.told[0] = 0;
                d.n_watched = 0;
                device_say(&d, CO_POST, "rd", "ep=gw&lwm2m=1.0&lt=60", BEHIND_LINKS);
                stage_until(&s, s.told, "seen good  man=LA");
                if (s.n != 3)
                        fail_msg("%s: %zu records", rows[i].why, s.n);
                odm_buf_done(&b);
        }
        stage_read_of(&s, 1, "d1", STAGE_FWV);
        assert_string_equal(s.nodes, "./DevDetail/FwV=1.0 ");
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(devices_behind_a_device_are_devices),
                cmocka_unit_test(they_are_kept_with_their_gateway),
                cmocka_unit_test(what_a_gateway_says_of_others_is_not_believed),
        };

        return RUN_TESTS(tests);
}
