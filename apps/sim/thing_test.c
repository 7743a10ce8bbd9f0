/* SPDX-License-Identifier: Apache-2.0 */
/* One LwM2M device as its objects: what may be asked of it, and what comes of packages. */
#include "thing.h"

#include <string.h>

#include "heap.h"
#include "support.h"

static const odm_wall noon = {1767268800};

static group meters(group_delivery delivery)
{
        return (group){.name = "meters",
                       .kind = GROUP_LWM2M,
                       .o = {.prefix = "meter/", .first = 1, .stride = 1, .n = 10},
                       .maker = "Acme",
                       .model = "M1",
                       .hwv = "1",
                       .fwv = "1.0",
                       .swv = "3",
                       .lifetime_ms = 60000,
                       .battery = 100,
                       .drain_ms = 1000,
                       .delivery = delivery,
                       .protocols = 5};
}

static odm_lw_registry *registry(void)
{
        odm_lw_registry *r = NULL;
        size_t n = 0;

        assert_int_equal(odm_lw_registry_new(&heap_mem, &r), 0);
        assert_int_equal(odm_lw_registry_load(r, odm_cstr(thing_objects), &n, NULL), 0);
        assert_int_equal(n, 2);
        return r;
}

static odm_lw_path path(const char *text)
{
        odm_lw_path p;

        assert_int_equal(odm_lw_path_parse(odm_cstr(text), &p), 0);
        return p;
}

/* ---- requests ------------------------------------------------------------------------------- */

static int write_text(thing *t, const odm_lw_registry *reg, const char *at, const char *text,
                      odm_arena *a)
{
        odm_lw_node n = {.path = path(at)};
        odm_lw_list l = {&n, 1};

        assert_int_equal(
                odm_lw_value_parse(odm_lw_type_at(reg, n.path), odm_cstr(text), a, &n.value), 0);
        return thing_write(t, reg, &l, noon);
}

static void requests_have_their_answers(void **state)
{
        static const struct {
                const char *why, *verb, *at, *arg;
                int code;
                const char *value; /* of the first node read */
        } rows[] = {
                {"a resource", "read", "/3/0/0", NULL, 205, "Acme"},
                {"what it runs", "read", "/3/0/3", NULL, 205, "1.0"},
                {"its name is its serial number", "read", "/3/0/2", NULL, 205, "meter/4"},
                {"no error is error 0", "read", "/3/0/11/0", NULL, 205, "0"},
                {"a whole instance", "read", "/3/0", NULL, 205, "Acme"},
                {"an object", "read", "/6", NULL, 205, NULL},
                {"a sensor", "read", "/3303/0/5701", NULL, 205, "Cel"},
                {"no such object", "read", "/77", NULL, 404, NULL},
                {"no such instance", "read", "/3/1", NULL, 404, NULL},
                {"no such resource", "read", "/3/0/99", NULL, 404, NULL},
                {"no such resource instance", "read", "/3/0/11/7", NULL, 404, NULL},
                {"secrets are no object of it", "read", "/0/0/5", NULL, 404, NULL},
                {"what is executed has no value", "read", "/3/0/4", NULL, 405, NULL},
                {"a package is not given back", "read", "/5/0/0", NULL, 405, NULL},
                {"a value to be written", "write", "/26241/0/0", "7", 204, NULL},
                {"it has it", "read", "/26241/0/0", NULL, 205, "7"},
                {"its own number", "write", "/3/0/3", "2.0", 405, NULL},
                {"a lifetime out of range", "write", "/1/0/1", "0", 400, NULL},
                {"a text too long", "write", "/3/0/15",
                 "0123456789012345678901234567890123456789012345678901234567890123", 400, NULL},
                {"nothing is there", "write", "/26241/1/0", "7", 404, NULL},
                {"run", "execute", "/26241/0/2", "", 204, NULL},
                {"it ran", "read", "/26241/0/3", NULL, 205, "1"},
                {"no executable one", "execute", "/3/0/0", "", 405, NULL},
                {"arguments that are none", "execute", "/3/0/4", "x=", 400, NULL},
                {"nothing is downloaded", "execute", "/5/0/2", "", 405, NULL},
                {"an error on demand", "write", "/26241/0/4", "8", 204, NULL},
                {"is told", "read", "/3/0/11/0", NULL, 205, "8"},
                {"and taken back", "execute", "/3/0/12", "", 204, NULL},
                {"it is", "read", "/3/0/11/0", NULL, 205, "0"},
                {"no more devices", "create", "/3", NULL, 405, NULL},
                {"a program", "create", "/9", NULL, 201, NULL},
                {"the program", "read", "/9/0/7", NULL, 205, "0"},
                {"nothing to be installed", "execute", "/9/0/4", "", 405, NULL},
                {"it goes", "delete", "/9/0", NULL, 202, NULL},
                {"it is gone", "delete", "/9/0", NULL, 404, NULL},
                {"what has to be there", "delete", "/3/0", NULL, 405, NULL},
        };
        group g = meters(DELIVERY_BOTH);
        odm_lw_registry *reg = registry();
        odm_arena a;
        thing t;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1u << 20);
        assert_int_equal(thing_init(&t, &g, 3, ODM_ABSENT, noon), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const char *verb = rows[i].verb;
                odm_lw_list l = {NULL, 0};
                int32_t instance = -1;
                int code = 0;
                if (strcmp(verb, "read") == 0)
                        code = thing_read(&t, reg, path(rows[i].at), noon, &a, &l);
                else if (strcmp(verb, "write") == 0)
                        code = write_text(&t, reg, rows[i].at, rows[i].arg, &a);
                else if (strcmp(verb, "execute") == 0)
                        code = thing_execute(&t, reg, path(rows[i].at), odm_cstr(rows[i].arg));
                else if (strcmp(verb, "create") == 0)
                        code = thing_create(&t, path(rows[i].at).id[0], &instance);
                else
                        code = thing_delete(&t, path(rows[i].at));
                if (code != rows[i].code)
                        fail_msg("%s: %d", rows[i].why, code);
                if (rows[i].value) {
                        odm_str got = odm_lw_value_text(&l.v[0].value, &a);
                        if (!odm_str_is(got, rows[i].value))
                                fail_msg("%s: '%.*s'", rows[i].why, (int)got.n, got.p);
                }
        }
        thing_done(&t);
        odm_arena_done(&a);
        odm_lw_registry_free(reg);
}

/* ---- packages ------------------------------------------------------------------------------------ */

static const char good[] = "version: 2.0\nmodel: M1\nand so on";

static void packages_take_their_way(void **state)
{
        group g = meters(DELIVERY_BOTH);
        odm_lw_registry *reg = registry();
        char version[IMAGE_VERSION] = "";
        odm_arena a;
        thing t;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1u << 20);
        assert_int_equal(thing_init(&t, &g, 3, ODM_ABSENT, noon), 0);
        assert_int_equal(write_text(&t, reg, "/5/0/1", "http://127.0.0.1/x", &a), 204);
        assert_int_equal(t.firmware.state, FW_DOWNLOADING);
        assert_true(t.wants & THING_FETCH);
        assert_int_equal(write_text(&t, reg, "/5/0/1", "http://127.0.0.1/y", &a), 405);
        assert_int_equal(thing_look(&t, odm_cstr(good), version), THING_OK);
        thing_fetched(&t, THING_OK, version);
        assert_int_equal(t.firmware.state, FW_DOWNLOADED);
        assert_int_equal(thing_execute(&t, reg, path("/5/0/2"), ODM_STR("")), 204);
        assert_int_equal(t.firmware.state, FW_UPDATING);
        thing_restart(&t); /* the power was cut: it begins again */
        assert_true(t.wants & THING_INSTALL);
        thing_installed(&t, THING_OK, true);
        assert_string_equal(t.fwv, "2.0");
        assert_int_equal(t.firmware.state, FW_IDLE);
        assert_int_equal(t.firmware.result, THING_OK);

        assert_int_equal(write_text(&t, reg, "/5/0/1", "http://127.0.0.1/x", &a), 204);
        thing_restart(&t); /* a download is lost */
        assert_int_equal(t.firmware.state, FW_IDLE);
        assert_int_equal(t.firmware.result, THING_LOST);
        assert_int_equal(write_text(&t, reg, "/5/0/1", "", &a), 204);
        assert_int_equal(t.firmware.result, 0);
        assert_int_equal(thing_look(&t, ODM_STR("version: 2\nmodel: B2\n"), version), THING_TYPE);
        thing_done(&t);
        odm_arena_done(&a);
        odm_lw_registry_free(reg);
}

static void who_takes_pushes_only_fetches_nothing(void **state)
{
        group g = meters(DELIVERY_PUSH);
        odm_lw_registry *reg = registry();
        odm_lw_node n = {.path = ODM_LW_PATH3(5, 0, 0),
                         .value = {.type = ODM_LW_T_OPAQUE, .data = odm_cstr(good)}};
        odm_lw_list l = {&n, 1};
        odm_arena a;
        thing t;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1u << 20);
        assert_int_equal(thing_init(&t, &g, 3, ODM_ABSENT, noon), 0);
        assert_int_equal(write_text(&t, reg, "/5/0/1", "http://127.0.0.1/x", &a), 405);
        assert_int_equal(thing_write(&t, reg, &l, noon), 204);
        assert_int_equal(t.firmware.state, FW_DOWNLOADED);
        assert_string_equal(t.firmware.version, "2.0");
        n.value.data = (odm_str){"", 1}; /* a zero: begin anew */
        assert_int_equal(thing_write(&t, reg, &l, noon), 204);
        assert_int_equal(t.firmware.state, FW_IDLE);
        thing_done(&t);
        odm_arena_done(&a);
        odm_lw_registry_free(reg);
}

/* ---- what it is by itself -------------------------------------------------------------------------- */

static void a_battery_runs_down_and_says_so(void **state)
{
        group g = meters(DELIVERY_BOTH);
        unsigned first, later;
        thing t;

        (void)state;
        assert_int_equal(thing_init(&t, &g, 0, ODM_ABSENT, noon), 0);
        first = thing_battery(&t, noon);
        assert_in_range(first, 91, 100);
        assert_int_equal(thing_battery(&t, (odm_wall){noon.s + 10}), first - 10);
        assert_int_equal(t.n_errors, 0);
        later = thing_battery(&t, (odm_wall){noon.s + first - 6});
        assert_int_equal(later, 6);
        assert_int_equal(t.n_errors, 1);
        assert_int_equal(t.error[0], 1);
        assert_int_equal(thing_battery(&t, (odm_wall){noon.s + first - 4}), first); /* a new one */
        assert_int_equal(t.n_errors, 0);
        thing_done(&t);
}

static void what_is_kept_is_taken_up_again(void **state)
{
        group g = meters(DELIVERY_BOTH);
        int32_t instance = -1;
        odm_buf b;
        thing t, again;

        (void)state;
        odm_buf_init(&b, &heap_mem, THING_RECORD_MAX);
        assert_int_equal(thing_init(&t, &g, 5, ODM_ABSENT, noon), 0);
        memcpy(t.fwv, "3.1", 4);
        t.lifetime_s = 99;
        assert_int_equal(thing_create(&t, 9, &instance), 201);
        t.program[0].state = SW_INSTALLED;
        t.program[0].active = true;
        memcpy(t.program[0].version, "1.2", 4);
        assert_int_equal(thing_dump(&t, &b), 0);
        assert_int_equal(thing_init(&again, &g, 5, odm_buf_view(&b), noon), 0);
        assert_string_equal(again.fwv, "3.1");
        assert_int_equal(again.lifetime_s, 99);
        assert_int_equal(again.program[0].state, SW_INSTALLED);
        assert_true(again.program[0].active);
        assert_string_equal(again.program[0].version, "1.2");
        thing_done(&again);
        assert_int_equal(thing_init(&again, &g, 5, ODM_STR("nonsense 7\n"), noon), ODM_EMALFORMED);
        thing_done(&t);
        odm_buf_done(&b);
}

static void those_behind_it_answer_below_their_prefix(void **state)
{
        static const struct {
                const char *path;
                int code;
                const char *value;
        } rows[] = {
                {"25/0/0", 205, "urn:xremsim:meter/4/1"},
                {"25/1/1", 205, "d2"},
                {"25/1/3", 205, "</3/0>,</3303/0>,</26241/0>"},
                {"25/2/0", 404, NULL},
                {"d1/3/0/0", 205, "Acme"},
                {"d2/3/0/3", 205, "1.0"},
                {"d2/3303/0/5701", 205, "Cel"},
                {"d2/1/0/1", 404, NULL}, /* it has no server of its own */
                {"d2/25/0/0", 404, NULL},
                {"d3/3/0/0", 404, NULL},
                {"d0/3/0/0", 404, NULL},
        };
        group g = meters(DELIVERY_BOTH);
        odm_lw_registry *reg = registry();
        odm_arena a;
        thing t;

        (void)state;
        g.leaves = 2;
        odm_arena_init(&a, &heap_mem, 1u << 20);
        assert_int_equal(thing_init(&t, &g, 3, ODM_ABSENT, noon), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str rest = odm_cstr(rows[i].path);
                thing *to = thing_leaf(&t, &rest);
                odm_lw_path at;
                odm_lw_list l;
                int code = odm_lw_path_parse(rest, &at) < 0
                                   ? ODM_COAP_NOT_FOUND
                                   : thing_read(to ? to : &t, reg, at, noon, &a, &l);

                if (code != rows[i].code)
                        fail_msg("%s: %d", rows[i].path, code);
                if (rows[i].value)
                        assert_str(odm_lw_value_text(&l.v[0].value, &a), rows[i].value);
        }
        assert_int_equal(write_text(&t.leaf[1], reg, "/26241/0/0", "7", &a), ODM_COAP_CHANGED);
        assert_int_equal(t.leaf[1].level, 7);
        assert_int_equal(t.level, 0);
        thing_done(&t);
        odm_arena_done(&a);
        odm_lw_registry_free(reg);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(requests_have_their_answers),
                cmocka_unit_test(packages_take_their_way),
                cmocka_unit_test(those_behind_it_answer_below_their_prefix),
                cmocka_unit_test(who_takes_pushes_only_fetches_nothing),
                cmocka_unit_test(a_battery_runs_down_and_says_so),
                cmocka_unit_test(what_is_kept_is_taken_up_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
