/* SPDX-License-Identifier: Apache-2.0 */
/* What devices behind a gateway tell before they are known here: by hand, as sessions put it down.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway_row.h"
#include "heap.h"
#include "stage.h"

extern const fleet_part part_presence, part_alarm, part_gateway;
static const fleet_part *const parts[] = {&part_alarm, &part_gateway, &part_presence, NULL};

#define DAY INT64_C(86400000)
#define TRAP "urn:oma:at:diagmon:1.0:TrapNotification"
#define OVER "urn:oma:at:diagmon:1.0:TrapInactiveNotification"
#define KEPT_OF_ONE 20

static void begin(stage *s)
{
        stage_begin(s, parts, NULL, 100 * DAY);
        stage_open(s);
}

static int64_t device(stage *s, const char *name)
{
        const store_device d = {.name = odm_cstr(name),
                                .devid = odm_arena_fmt(&s->a, "urn:%s", name),
                                .tags = ODM_STR("gateway"),
                                .state = STORE_DEVICE_ACTIVE,
                                .last_contact = stage_ms};

        return stage_device(s, &d);
}

static void say(stage *s, int64_t device, const char *kind, const char *type, const char *source,
                const char *data)
{
        json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:s}", "code", 1226, "type", type, "source",
                              source, "mark", "warning", "data", data);
        char *text = json_dumps(o, JSON_COMPACT);

        stage_say(s, device, kind, odm_arena_copy(&s->a, odm_cstr(text)).p);
        free(text);
        json_decref(o);
}

static void early(stage *s, int64_t gw, const char *type, const char *source)
{
        say(s, gw, "gateway.early", type, source, "9");
}

static odm_str attach_text(stage *s, const char *id)
{
        return odm_arena_fmt(&s->a,
                             "<DeviceAttach><DeviceID>%s</DeviceID><Mode>3</Mode>"
                             "<Protocol>LWM2M/1.1</Protocol></DeviceAttach>",
                             id);
}

#define ATTACHED "urn:oma:at:oma-gwmo:deviceattached:1.1"

static void attach(stage *s, int64_t gw, const char *key, const char *id)
{
        say(s, gw, "alert", ATTACHED, odm_arena_fmt(&s->a, "./GwMO/Inventory/Records/%s", key).p,
            attach_text(s, id).p);
}

/* The job of the gateway that asks for records ends, as a session would leave it; it is read, or
 * it is not. */
static void looked(stage *s, int64_t gw, bool read)
{
        const store_job_filter f = {.device = gw,
                                    .states = STORE_JOB_BIT(STORE_JOB_QUEUED),
                                    .limit = 1,
                                    .in_order = true};
        store_value none = {.uri = ODM_STR("./GwMO/Inventory/Records"),
                            .format = ODM_STR("xml"),
                            .type = ODM_STR("application/vnd.syncml.dmtnds+xml"),
                            .data = ODM_STR("<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2"
                                            "</VerDTD><Node><NodeName>Records</NodeName></Node>"
                                            "</MgmtTree>")};
        store_batch *b = store_batch_new();
        store_job_list l = {0};
        store_op *op;
        char data[200];

        assert_int_equal(store_job_find(s->st, &f, &s->a, &l), 0);
        assert_int_equal(l.n, 1);
        op = store_batch_add(b, STORE_RESULT_PUT);
        op->result.device = gw;
        op->result.job = l.v[0].id;
        op->result.r = (store_result){
                .status = read ? 200 : 404, .sent = true, .items = &none, .n_items = read};
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = gw;
        op->job_move.job = l.v[0].id;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = read ? STORE_JOB_DONE : STORE_JOB_FAILED;
        op->job_move.at = stage_ms;
        (void)snprintf(data, sizeof data, "{\"job\":\"%lld\",\"key\":\"%.*s\"}",
                       (long long)l.v[0].id, (int)l.v[0].key.n, l.v[0].key.p);
        stage_event(b, gw, read ? "job.done" : "job.failed", data);
        stage_write(s, b);
        (void)stage_run(s, 500);
}

static int64_t by_devid(stage *s, const char *devid)
{
        store_device d = {0};
        int rc = store_device_by_devid(s->st, odm_cstr(devid), &s->a, &d);

        assert_true(rc == 0 || rc == ODM_ENOENT);
        return d.id;
}

/* Sources of the alerts that were told as the device's, with a blank behind each; those that are
 * none of the gateway's own. */
static const char *told(stage *s, int64_t device)
{
        store_event_list l = {0};
        odm_str all = ODM_STR("");

        assert_int_equal(store_event_find(s->st, 0, device, 1000, &s->a, &l), 0);
        for (size_t i = 0; i < l.n; i++) {
                json_t *o = json_loadb(l.v[i].data.p, l.v[i].data.n, 0, NULL);
                const char *source = json_string_value(json_object_get(o, "source"));
                if (odm_str_is(l.v[i].kind, "alert") && strncmp(source, "./GwMO", 6) != 0)
                        all = odm_arena_fmt(&s->a, "%.*s%s ", (int)all.n, all.p, source);
                json_decref(o);
        }
        return all.p;
}

static size_t kept(stage *s)
{
        const store_scan scan = {.table = &table_gateway_early, .limit = 1000};
        store_rows l = {0};

        assert_int_equal(store_row_find(s->st, &scan, &s->a, &l), 0);
        return l.n;
}

static int64_t counted(stage *s, int64_t gw)
{
        gateway_row row;

        assert_int_equal(gateway_find(s->st, gw, &s->a, &row), 0);
        return row.early;
}

static bool is_unheard(stage *s, int64_t gw)
{
        bool is = false;

        assert_int_equal(fleet_unheard(s->st, gw, ODM_STR(GATEWAY_EARLY), &s->a, &is), 0);
        return is;
}

/* The server is killed: what it has in memory is gone. */
static void kill_it(stage *s)
{
        stage_open(s);
        (void)stage_run(s, 500);
}

static void an_alarm_of_a_first_session_is_the_devices(void **state)
{
        stage s;
        int64_t gw, id;

        (void)state;
        begin(&s);
        gw = device(&s, "gw");
        attach(&s, gw, "d1", "urn:1");
        early(&s, gw, TRAP, "./GwDev/d1/Trap/Room");
        early(&s, gw, TRAP, "./GwDev/d1/Trap/Heat");
        assert_true(is_unheard(&s, gw));
        (void)stage_run(&s, 500);
        assert_false(is_unheard(&s, gw));
        assert_int_equal(kept(&s), 2);
        assert_int_equal(counted(&s, gw), 2);
        kill_it(&s);
        early(&s, gw, OVER, "./GwDev/d1/Trap/Heat");
        (void)stage_run(&s, 500);
        assert_int_equal(stage_told(&s, "alarm.raised"), 0);
        looked(&s, gw, false); /* its gateway cannot say more than when it attached */
        kill_it(&s);
        id = by_devid(&s, "urn:1");
        assert_true(id > 0);
        assert_string_equal(told(&s, gw), "");
        assert_string_equal(told(&s, id), "./Trap/Room ./Trap/Heat ./Trap/Heat ");
        assert_int_equal(stage_told(&s, "alarm.raised"), 2);
        assert_int_equal(stage_told(&s, "alarm.cleared"), 1);
        say(&s, id, "alert", OVER, "./Trap/Room", "");
        (void)stage_run(&s, 500);
        assert_int_equal(stage_told(&s, "alarm.cleared"), 2);
        assert_int_equal(kept(&s), 0);
        assert_int_equal(counted(&s, gw), 0);
        early(&s, gw, TRAP, "./GwDev/d1/Trap/Late"); /* it was written a moment before */
        (void)stage_run(&s, 500);
        assert_string_equal(told(&s, id), "./Trap/Room ./Trap/Heat ./Trap/Heat ./Trap/Room "
                                          "./Trap/Late ");
        stage_end(&s);
}

/* A gateway behind the gateway attaches, and a device behind that, and has something to tell. */
static void what_came_through_two_is_told_by_steps(void **state)
{
        stage s;
        int64_t outer, inner, id;

        (void)state;
        begin(&s);
        outer = device(&s, "outer");
        attach(&s, outer, "g1", "urn:inner");
        say(&s, outer, "gateway.early", ATTACHED, "./GwDev/g1/GwMO/Inventory/Records/d1",
            attach_text(&s, "urn:1").p);
        early(&s, outer, TRAP, "./GwDev/g1/GwDev/d1/Trap/Room");
        (void)stage_run(&s, 500);
        looked(&s, outer, false);
        inner = by_devid(&s, "urn:inner");
        assert_true(inner > 0);
        assert_int_equal(kept(&s), 1);
        looked(&s, outer, false); /* its records come through the outer one, too */
        id = by_devid(&s, "urn:1");
        assert_true(id > 0);
        assert_string_equal(told(&s, id), "./Trap/Room ");
        assert_int_equal(kept(&s), 0);
        stage_end(&s);
}

static void what_nobody_will_be_known_for_is_the_gateways(void **state)
{
        stage s;
        int64_t gw, other;

        (void)state;
        begin(&s);
        gw = device(&s, "gw");
        early(&s, gw, TRAP, "./GwDev/d9/Trap/None"); /* it is no gateway */
        (void)stage_run(&s, 500);
        assert_string_equal(told(&s, gw), "./GwDev/d9/Trap/None ");
        attach(&s, gw, "d1", "urn:1");
        (void)stage_run(&s, 500);
        looked(&s, gw, true);
        early(&s, gw, TRAP, "./GwDev/d8/Trap/Gone"); /* nobody will say who that is */
        (void)stage_run(&s, 500);
        assert_string_equal(told(&s, gw), "./GwDev/d9/Trap/None ./GwDev/d8/Trap/Gone ");
        assert_int_equal(kept(&s), 0);

        other = device(&s, "other");
        stage_say(&s, other, "gateway.sync", NULL);
        (void)stage_run(&s, 500);
        early(&s, other, TRAP, "./GwDev/d7/Trap/Room"); /* its records are under way */
        (void)stage_run(&s, 500);
        assert_int_equal(kept(&s), 1);
        looked(&s, other, true); /* and it is not among them */
        looked(&s, other, true); /* nor when it is asked for by itself */
        assert_string_equal(told(&s, other), "./GwDev/d7/Trap/Room ");
        assert_int_equal(kept(&s), 0);
        stage_end(&s);
}

/* An order takes nothing along that waits: the gateway is to be none. */
static void a_gateway_that_is_forgotten_leaves_nothing(void **state)
{
        stage s;
        int64_t gw;

        (void)state;
        begin(&s);
        gw = device(&s, "gw");
        attach(&s, gw, "d1", "urn:1");
        early(&s, gw, TRAP, "./GwDev/d1/Trap/Room");
        (void)stage_run(&s, 500);
        assert_int_equal(kept(&s), 1);
        stage_say(&s, gw, "gateway.forget", NULL);
        (void)stage_run(&s, 500);
        assert_int_equal(kept(&s), 0);
        assert_string_equal(told(&s, gw), "./GwDev/d1/Trap/Room ");
        stage_end(&s);
}

static void not_all_is_kept_for_ever(void **state)
{
        stage s;
        int64_t gw;

        (void)state;
        begin(&s);
        gw = device(&s, "gw");
        attach(&s, gw, "d1", "urn:1");
        for (unsigned i = 0; i <= KEPT_OF_ONE; i++)
                early(&s, gw, TRAP, "./GwDev/d1/Trap/Room");
        (void)stage_run(&s, 500);
        assert_int_equal(kept(&s), KEPT_OF_ONE);
        assert_string_equal(told(&s, gw), "./GwDev/d1/Trap/Room ");
        looked(&s, gw, false);
        assert_int_equal(kept(&s), 0);
        stage_end(&s);
}

/* Many of them would be more than fits into memory. */
static void large_ones_are_not_kept(void **state)
{
        const size_t n = GATEWAY_EARLY_DATA;
        char *data = malloc(n + 1);
        stage s;
        int64_t gw;

        (void)state;
        memset(data, 'x', n);
        data[n] = 0;
        begin(&s);
        gw = device(&s, "gw");
        attach(&s, gw, "d1", "urn:1");
        early(&s, gw, TRAP, "./GwDev/d1/Trap/Room");
        say(&s, gw, "gateway.early", "urn:example:much", "./GwDev/d1/Much", data);
        (void)stage_run(&s, 500);
        assert_int_equal(kept(&s), 1);
        assert_string_equal(told(&s, gw), "./GwDev/d1/Much ");
        looked(&s, gw, false);
        assert_string_equal(told(&s, by_devid(&s, "urn:1")), "./Trap/Room ");
        stage_end(&s);
        free(data);
}

/* The device is with another gateway: its alarms are not whoever's who says its name. */
static void what_a_claimer_tells_is_its_own(void **state)
{
        stage s;
        int64_t gw, id, thief;
        const store_device d = {.name = ODM_STR("thief"),
                                .devid = ODM_STR("urn:thief"),
                                .state = STORE_DEVICE_ACTIVE};

        (void)state;
        begin(&s);
        gw = device(&s, "gw");
        attach(&s, gw, "d1", "urn:1");
        (void)stage_run(&s, 500);
        looked(&s, gw, false);
        id = by_devid(&s, "urn:1");
        thief = stage_device(&s, &d);
        attach(&s, thief, "d5", "urn:2");
        attach(&s, thief, "d4", "urn:1");
        early(&s, thief, TRAP, "./GwDev/d4/Trap/Room");
        (void)stage_run(&s, 500);
        for (unsigned i = 0; i < 5 && kept(&s); i++)
                looked(&s, thief, false);
        assert_string_equal(told(&s, id), "");
        assert_string_equal(told(&s, thief), "./GwDev/d4/Trap/Room ");
        assert_int_equal(kept(&s), 0);
        stage_end(&s);
}

/* What was kept of it is about to be told: what it says now comes behind that, and is told too. */
static void who_speaks_while_it_is_told_of_comes_behind(void **state)
{
        gateway_early e = {.key = ODM_STR("d1"),
                           .seq = 1,
                           .ripe = 1,
                           .data = ODM_STR("{\"code\":1226,\"type\":\"" TRAP
                                           "\",\"source\":\"./GwDev/d1/Trap/Room\"}")};
        store_batch *b = store_batch_new();
        int64_t gw, id;
        stage s;

        (void)state;
        begin(&s);
        gw = device(&s, "gw");
        attach(&s, gw, "d1", "urn:1");
        (void)stage_run(&s, 500);
        looked(&s, gw, false);
        id = by_devid(&s, "urn:1");
        assert_true(id > 0);
        e.device = gw;
        e.at = stage_ms;
        store_batch_add(b, STORE_ROW_PUT)->row =
                (store_row_op){.table = &table_gateway_early, .row = &e};
        stage_write(&s, b);
        early(&s, gw, TRAP, "./GwDev/d1/Trap/Heat");
        (void)stage_run(&s, 500);
        assert_string_equal(told(&s, id), "./Trap/Room ./Trap/Heat ");
        assert_int_equal(kept(&s), 0);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_alarm_of_a_first_session_is_the_devices),
                cmocka_unit_test(what_came_through_two_is_told_by_steps),
                cmocka_unit_test(what_nobody_will_be_known_for_is_the_gateways),
                cmocka_unit_test(a_gateway_that_is_forgotten_leaves_nothing),
                cmocka_unit_test(not_all_is_kept_for_ever),
                cmocka_unit_test(large_ones_are_not_kept),
                cmocka_unit_test(what_a_claimer_tells_is_its_own),
                cmocka_unit_test(who_speaks_while_it_is_told_of_comes_behind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
