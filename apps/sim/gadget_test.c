/* SPDX-License-Identifier: Apache-2.0 */
/* A device of a scenario lies down as a record and stands up from it; damaged records, folders. */
#include "gadget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "heap.h"
#include "keep.h"
#include "support.h"

static const group kind = {.name = "g",
                           .o = {.prefix = "sim/",
                                 .password = "sim-{n}",
                                 .server = "http://127.0.0.1/dm",
                                 .server_id = "xrem",
                                 .server_user = "xrem",
                                 .first = 1,
                                 .n = 9,
                                 .stride = 1,
                                 .auth = ODM_AUTH_MD5},
                           .maker = "Acme",
                           .model = "M1",
                           .hwv = "2",
                           .fwv = "1.0",
                           .swv = "1.1",
                           .battery = 100};
static const odm_wall now = {1790000000};

static void equal(gadget *g, const char *uri, const char *text)
{
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 65536);
        if (!odm_str_is(gadget_get(g, uri, &a), text))
                fail_msg("%s is not %s", uri, text);
        odm_arena_done(&a);
}

/* A value of a spring day. */
static void has_a_temperature(gadget *g)
{
        odm_arena a;
        odm_str text;
        double v;

        odm_arena_init(&a, &heap_mem, 65536);
        text = odm_arena_copy(&a, gadget_get(g, "./Vendor/sim/Temperature", &a));
        assert_non_null(text.p);
        v = strtod(text.p, NULL);
        assert_true(v > 11 && v < 33);
        odm_arena_done(&a);
}

static void it_is_what_its_group_says(void **state)
{
        gadget *g = NULL;

        (void)state;
        assert_int_equal(gadget_open(&kind, 4, ODM_ABSENT, &heap_mem, now, &g), 0);
        equal(g, "./DevInfo/DevId", "urn:xremsim:sim/5");
        equal(g, "./DevInfo/Man", "Acme");
        equal(g, "./DevInfo/Mod", "M1");
        equal(g, "./DevDetail/HwV", "2");
        equal(g, "./DevDetail/FwV", "1.0");
        equal(g, SIM_ACCOUNT "/AppAuth/c/AAuthSecret", "sim-5");
        assert_int_equal(gadget_state(g), 10);
        has_a_temperature(g);
        gadget_free(g, &heap_mem);
}

/* The record of a device whose hardware holds something. */
static odm_buf record_of_one(void)
{
        gadget *g = NULL;
        odm_buf b;

        odm_buf_init(&b, &heap_mem, GADGET_RECORD_MAX);
        assert_int_equal(gadget_open(&kind, 0, ODM_ABSENT, &heap_mem, now, &g), 0);
        assert_int_equal(gadget_set(g, "./DevDetail/FwV", "2.0", now), 0);
        (void)snprintf(g->held, sizeof g->held, "3.0");
        (void)snprintf(g->trial, sizeof g->trial, "4.0");
        g->fired = 0x8000000000000005u;
        g->over = 4;
        g->calls = 77;
        assert_true(g->dirty);
        assert_int_equal(gadget_dump(g, &b), 0);
        assert_false(g->dirty);
        gadget_free(g, &heap_mem);
        return b;
}

static void it_stands_up_from_its_record(void **state)
{
        odm_buf b = record_of_one();
        gadget *g = NULL;
        gadget_glance seen = {0};

        (void)state;
        assert_true(b.n < 2048);
        assert_int_equal(gadget_peek(odm_buf_view(&b), &seen), 0);
        assert_true(seen.fired == 0x8000000000000005u && seen.calls == 77 && seen.over == 4);
        assert_true(seen.state == 10 && !seen.busy);
        assert_int_equal(gadget_open(&kind, 0, odm_buf_view(&b), &heap_mem, now, &g), 0);
        equal(g, "./DevDetail/FwV", "2.0");
        assert_string_equal(g->held, "3.0");
        assert_string_equal(g->trial, "4.0");
        assert_false(g->dirty);
        assert_int_equal(gadget_set(g, "./DevDetail/FwV", "2.0", now), 0);
        assert_false(g->dirty); /* it said so already */
        gadget_free(g, &heap_mem);
        odm_buf_done(&b);
}

/* One with all the objects there are, as its group says. */
static const group *rich(void)
{
        static group g;

        g = kind;
        g.software = g.traps = true;
        g.diag = (1u << (MEASURES + 1)) - 1;
        g.battery = 80;
        return &g;
}

static odm_buf record_of_rich(void)
{
        gadget *g = NULL;
        gadget_package *p;
        odm_buf b;

        odm_buf_init(&b, &heap_mem, GADGET_RECORD_MAX);
        assert_int_equal(gadget_open(rich(), 0, ODM_ABSENT, &heap_mem, now, &g), 0);
        p = gadget_held(g, ODM_STR("p1"), true);
        assert_non_null(p);
        (void)snprintf(p->component, sizeof p->component, "net.example.app");
        (void)snprintf(p->version, sizeof p->version, "2.1");
        assert_true(gadget_held(g, ODM_STR("p1"), true) == p);
        assert_null(gadget_held(g, ODM_STR("p2"), false));
        assert_null(gadget_held(g, ODM_STR("a name too long"), true));
        assert_null(gadget_held(g, ODM_ABSENT, true));
        assert_int_equal(gadget_dump(g, &b), 0);
        gadget_free(g, &heap_mem);
        return b;
}

static void it_has_the_objects_of_its_group(void **state)
{
        odm_buf b = record_of_rich();
        gadget *g = NULL;
        odm_arena a;

        (void)state;
        assert_int_equal(gadget_open(rich(), 0, odm_buf_view(&b), &heap_mem, now, &g), 0);
        assert_string_equal(gadget_held(g, ODM_STR("p1"), false)->component, "net.example.app");
        assert_string_equal(gadget_held(g, ODM_STR("p1"), false)->version, "2.1");
        for (int i = 0; i < 2 * GADGET_PACKAGES; i++) { /* the first ones go */
                char hold[8];
                (void)snprintf(hold, sizeof hold, "q%d", i);
                assert_non_null(gadget_held(g, odm_cstr(hold), true));
        }
        assert_null(gadget_held(g, ODM_STR("p1"), false));
        odm_arena_init(&a, &heap_mem, 65536);
        assert_true(gadget_get(g, "./DiagMon/Battery/DiagMonData/1/BatteryLevel", &a).n > 0);
        assert_true(gadget_get(g, "./DiagMon/Memory/DiagMonData/RAMTotal", &a).n > 0);
        assert_true(gadget_get(g, "./DiagMon/Sensor/DiagMonData/temp1/Value", &a).n > 0);
        assert_null(gadget_get(g, "./DiagMon/Sensor/DiagMonData/temp2/Value", &a).p);
        assert_true(odm_tree_exists(g->tree, ODM_STR("./SCM/Inventory")));
        assert_true(odm_tree_exists(g->tree, ODM_STR("./Trap")));
        equal(g, "./DiagMon/Restart/Status", "10");
        odm_arena_done(&a);
        gadget_free(g, &heap_mem);
        odm_buf_done(&b);
        assert_int_equal(gadget_open(&kind, 0, ODM_ABSENT, &heap_mem, now, &g), 0);
        assert_false(odm_tree_exists(g->tree, ODM_STR("./SCM")));
        assert_false(odm_tree_exists(g->tree, ODM_STR("./DiagMon")));
        gadget_free(g, &heap_mem);
}

/* A record that ends anywhere is refused or stands for a device; nothing else happens. */
static void cut(const group *k, odm_buf b, size_t most)
{
        for (size_t n = 0; n < b.n && n < most; n++) {
                gadget *g = NULL;
                int rc = gadget_open(k, 0, (odm_str){b.p, n}, &heap_mem, now, &g);
                assert_true(rc == 0 || rc == ODM_EMALFORMED);
                assert_true(rc == 0 || g == NULL);
                gadget_free(g, &heap_mem);
        }
        odm_buf_done(&b);
}

static void a_record_cut_short_does_no_harm(void **state)
{
        (void)state;
        cut(&kind, record_of_one(), SIZE_MAX);
        cut(rich(), record_of_rich(), 200);
}

static int count(void *ctx, const char *name, uint32_t n, odm_str record)
{
        int *seen = ctx;

        *seen += strcmp(name, "g") == 0 && n == 7 && odm_str_is(record, "two");
        return 0;
}

static void a_folder_keeps_records_and_one_process(void **state)
{
        char folder[] = "/tmp/keep.XXXXXX", command[64];
        keep *k = NULL, *other = NULL;
        uint64_t seed = 1;
        int seen = 0;
        diag d = {{0}};

        (void)state;
        assert_non_null(mkdtemp(folder));
        assert_int_equal(keep_open(folder, &k, &d), 0);
        assert_int_equal(keep_seed(k, &seed), 0);
        assert_true(seed == 0);
        assert_int_equal(keep_set_seed(k, 42), 0);
        assert_int_equal(keep_put(k, "g", 7, ODM_STR("one")), 0);
        assert_int_equal(keep_put(k, "g", 7, ODM_STR("two")), 0);
        assert_int_equal(keep_open(folder, &other, &d), ODM_EEXIST);
        assert_null(other);
        keep_close(k);
        assert_int_equal(keep_open(folder, &k, &d), 0);
        assert_int_equal(keep_seed(k, &seed), 0);
        assert_true(seed == 42);
        assert_int_equal(keep_each(k, count, &seen), 0);
        assert_int_equal(seen, 1);
        keep_close(k);
        (void)snprintf(command, sizeof command, "rm -r %s", folder);
        assert_int_equal(system(command), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_is_what_its_group_says),
                cmocka_unit_test(it_stands_up_from_its_record),
                cmocka_unit_test(it_has_the_objects_of_its_group),
                cmocka_unit_test(a_record_cut_short_does_no_harm),
                cmocka_unit_test(a_folder_keeps_records_and_one_process),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
