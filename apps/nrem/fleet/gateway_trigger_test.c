/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_trigger_test.c - by which way the package 0 of a device goes. */
#include "gateway_trigger.h"

#include <string.h>

#include "gateway_row.h"
#include "heap.h"
#include "job_codec.h"
#include "stage.h"

#define NOW 1767323045000

extern const fleet_part part_gateway;
static const fleet_part *const parts[] = {&part_gateway, NULL};

static int64_t put_device(stage *s, const char *name, store_device_state state)
{
        return stage_device(s, &(store_device){.name = odm_cstr(name),
                                               .devid = odm_cstr(name),
                                               .state = state,
                                               .created = NOW});
}

static void put_child(stage *s, int64_t device, int64_t gateway, uint32_t mode, bool lost)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ROW_PUT);
        const gateway_child c = {.device = device,
                                 .gateway = gateway,
                                 .key = ODM_STR("d0001"),
                                 .mode = mode,
                                 .lost = lost,
                                 .state = GATEWAY_ACTIVE};

        assert_non_null(op);
        op->row = (store_row_op){.table = &table_gateway_child, .row = &c};
        stage_write(s, b);
}

static void tell(stage *s, int64_t device, const char *address)
{
        store_batch *b = store_batch_new();
        odm_arena a;
        fleet_turn t = {.host = &s->host, .batch = b, .arena = &a, .now = NOW};

        odm_arena_init(&a, &heap_mem, 65536);
        assert_int_equal(gateway_address_told(&t, device, odm_cstr(address)), 0);
        odm_arena_done(&a);
        stage_write(s, b);
}

static void each_device_has_its_way(void **state)
{
        static const struct {
                const char *why;
                bool child;
                uint32_t mode;
                bool lost;
                store_device_state gateway;
                const char *told;
                const char *want; /* "gateway", "host:port", or "" for none */
        } rows[] = {
                {"behind none", false, 0, false, STORE_DEVICE_ACTIVE, NULL, ""},
                {"its own server's", true, GATEWAY_TRANSPARENT, false, STORE_DEVICE_ACTIVE, NULL,
                 "gateway"},
                {"of a gateway that sleeps", true, GATEWAY_TRANSPARENT, false, STORE_DEVICE_ASLEEP,
                 "10.0.0.1:2948", "gateway"},
                {"managed by its gateway", true, GATEWAY_PROXY, false, STORE_DEVICE_ACTIVE, NULL,
                 ""},
                {"its gateway is lost", true, GATEWAY_TRANSPARENT, true, STORE_DEVICE_UNREACHABLE,
                 "udp://10.0.0.1:2948", "10.0.0.1:2948"},
                {"its gateway was switched off", true, GATEWAY_TRANSPARENT, false,
                 STORE_DEVICE_DEACTIVATED, NULL, ""},
                {"its gateway is another server's", false, 0, false, STORE_DEVICE_ACTIVE,
                 "gw.example.org:1", "gw.example.org:1"},
                {"no port", false, 0, false, STORE_DEVICE_ACTIVE, "udp://10.0.0.1", ""},
                {"another kind of address", false, 0, false, STORE_DEVICE_ACTIVE,
                 "http://10.0.0.1/x", ""},
                {"no address", false, 0, false, STORE_DEVICE_ACTIVE, " ", ""},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char got[300] = "";
                store_device d = {.name = ODM_STR("dev"), .devid = ODM_STR("dev")};
                stage s;
                dm_way w;
                int rc;

                stage_begin(&s, parts, NULL, NOW);
                const int64_t g = put_device(&s, "gate", rows[i].gateway);
                d.id = put_device(&s, "dev", STORE_DEVICE_ACTIVE);
                if (rows[i].child)
                        put_child(&s, d.id, g, rows[i].mode, rows[i].lost);
                if (rows[i].told)
                        tell(&s, d.id, rows[i].told);
                rc = gateway_way_of(s.st, &d, &s.a, &w);
                if (rc == 0 && w.gateway) {
                        assert_int_equal(w.gateway, g);
                        assert_string_equal(w.name, "gate");
                        snprintf(got, sizeof got, "gateway");
                } else if (rc == 0) {
                        snprintf(got, sizeof got, "%s:%u", w.host, w.port);
                } else {
                        assert_int_equal(rc, ODM_ENOENT);
                }
                if (strcmp(got, rows[i].want) != 0)
                        fail_msg("%s: '%s'", rows[i].why, got);
                stage_end(&s);
        }
}

/* What the gateway is to do is what REST would have let in. */
static void a_trigger_is_a_job_of_the_gateway(void **state)
{
        static const char *const wanted[] = {"./GwMO/EDTrigger/Trigger/w7",
                                             "./GwMO/EDTrigger/Trigger/w7",
                                             "./GwMO/EDTrigger/Trigger/w7/Target",
                                             "./GwMO/EDTrigger/Trigger/w7/Notification",
                                             "./GwMO/EDTrigger/Trigger/w7/ServerID",
                                             "./GwMO/EDTrigger/Trigger/w7/TTL",
                                             "./GwMO/EDTrigger/Trigger/w7/Operations/Send"};
        const dm_way w = {.gateway = 3};
        const store_device d = {.id = 207, .devid = ODM_STR("urn:x")};
        const dm_package p = {
                .octets = {"\0\1zero", 6}, .server_id = ODM_STR("xrem"), .at = NOW, .ms = 9500};
        store_batch *b = store_batch_new();
        job_commands all;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        assert_int_equal(gateway_carry(&w, &d, &p, b), 0);
        assert_int_equal(b->n, 1);
        const store_job *j = &b->ops[0]->job;
        assert_int_equal(j->device, 3);
        assert_int_equal(j->deadline, NOW + 9500);
        assert_int_equal(job_decode(j->commands, false, &a, &all), 0);
        assert_int_equal(all.n, ODM_COUNT(wanted));
        for (size_t i = 0; i < all.n; i++)
                assert_true(odm_str_is(all.flat[i].c->items->target, wanted[i]));
        assert_true(odm_str_eq(all.flat[3].c->items->data.bytes, p.octets));
        assert_true(odm_str_is(all.flat[2].c->items->data.bytes, "dev:urn:x"));
        assert_true(odm_str_is(all.flat[5].c->items->data.bytes, "10"));
        odm_arena_done(&a);
        store_batch_free(b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_device_has_its_way),
                cmocka_unit_test(a_trigger_is_a_job_of_the_gateway),
        };
        return RUN_TESTS(tests);
}
