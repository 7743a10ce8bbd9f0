/* SPDX-License-Identifier: Apache-2.0 */
/* Silence found on a clock of ours, in a store in memory; what a session does is written by hand.
 */
#include "presence_part.h"

#include "stage.h"

extern const fleet_part part_presence, part_alarm;
static const fleet_part *const parts[] = {&part_presence, &part_alarm, NULL};

#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)

static void begin(stage *s)
{
        stage_begin(s, parts, NULL, 100 * DAY);
        stage_open(s);
}

/* A device that is in this state and has called `ago` before now. */
static int64_t device(stage *s, const char *name, store_device_state state, int64_t ago)
{
        const store_device d = {.name = odm_cstr(name),
                                .state = state,
                                .created = stage_ms - ago,
                                .last_contact = stage_ms - ago};

        return stage_device(s, &d);
}

static store_device get(stage *s, int64_t id)
{
        store_device d;

        assert_int_equal(store_device_get(s->st, id, &s->a, &d), 0);
        return d;
}

/* What a session of the device writes. */
static void calls(stage *s, int64_t id)
{
        store_device d = get(s, id);
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

        op->device_patch = (store_device_patch){.fields = STORE_DF_LAST_CONTACT,
                                                .to = {.id = id, .last_contact = stage_ms}};
        if (d.state != STORE_DEVICE_ACTIVE) {
                op->device_patch.fields |= STORE_DF_STATE;
                op->device_patch.to.state = STORE_DEVICE_ACTIVE;
                stage_event(
                        b, id, "device.active",
                        odm_arena_fmt(&s->a, "{\"from\":\"%s\"}", store_device_state_name(d.state))
                                .p);
        }
        stage_write(s, b);
}

static void tells_interval(stage *s, int64_t id, const char *seconds)
{
        const store_tree_change set = {.kind = STORE_TREE_SET,
                                       .path = ODM_STR("./Vendor/xrem/Config/Interval"),
                                       .value = odm_cstr(seconds)};
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_TREE_UPDATE);

        op->tree.device = id;
        op->tree.at = stage_ms;
        op->tree.v = &set;
        op->tree.n = 1;
        stage_event(b, id, "device.interval", odm_arena_fmt(&s->a, "{\"seconds\":%s}", seconds).p);
        stage_write(s, b);
}

static void run(stage *s)
{
        (void)stage_run(s, 200);
}

/* Lets the time go by, working when there is something to do. */
static void wait_for(stage *s, int64_t ms)
{
        int64_t until = stage_ms + ms, next = 0;

        for (;;) {
                assert_int_equal(fleet_run(s->f, 200, &next), 0);
                if (next >= until)
                        break;
                stage_ms = next > stage_ms ? next : stage_ms + 1;
        }
        stage_ms = until;
        run(s);
}

static void a_silent_device_is_found_and_its_return_seen(void **state)
{
        stage s;
        int64_t id;

        (void)state;
        begin(&s);
        id = device(&s, "d", STORE_DEVICE_PROVISIONED, 0);
        wait_for(&s, 10 * DAY);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_PROVISIONED); /* never called */
        calls(&s, id);
        tells_interval(&s, id, "3600");
        for (unsigned i = 0; i < 30; i++) {
                wait_for(&s, HOUR);
                calls(&s, id);
        }
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
        wait_for(&s, 2 * HOUR + HOUR / 2 - SECOND);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
        wait_for(&s, SECOND);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_UNREACHABLE);
        wait_for(&s, DAY);
        assert_int_equal(stage_told(&s, "device.unreachable"), 1);
        assert_int_equal(stage_told(&s, "alarm.raised"), 1);
        calls(&s, id);
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
        assert_int_equal(stage_told(&s, "alarm.cleared"), 1);
        wait_for(&s, 3 * HOUR);
        assert_int_equal(stage_told(&s, "device.unreachable"), 2); /* and again */
        stage_end(&s);
}

static void a_sleeper_sleeps_and_is_missed(void **state)
{
        stage s;
        int64_t id;
        store_batch *b;

        (void)state;
        begin(&s);
        id = device(&s, "d", STORE_DEVICE_PROVISIONED, 0);
        b = store_batch_new();
        const presence_row wish = {.device = id, .wish = 3600, .wish_awake = 60};
        store_op *op = store_batch_add(b, STORE_ROW_PUT);
        op->row = (store_row_op){.table = &table_presence, .row = &wish};
        stage_write(&s, b);
        calls(&s, id);
        for (unsigned i = 0; i < 3; i++) {
                wait_for(&s, 59 * SECOND);
                assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
                wait_for(&s, SECOND);
                assert_int_equal(get(&s, id).state, STORE_DEVICE_ASLEEP);
                wait_for(&s, HOUR - 60 * SECOND);
                assert_int_equal(get(&s, id).state, STORE_DEVICE_ASLEEP);
                calls(&s, id);
        }
        assert_int_equal(stage_told(&s, "device.asleep"), 3);
        assert_int_equal(stage_told(&s, "device.unreachable"), 0);
        wait_for(&s, 3 * HOUR);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_UNREACHABLE);
        stage_end(&s);
}

static void while_nobody_listens_nobody_is_missed(void **state)
{
        stage s;
        int64_t id;

        (void)state;
        begin(&s);
        id = device(&s, "d", STORE_DEVICE_PROVISIONED, 0);
        calls(&s, id);
        tells_interval(&s, id, "60");
        run(&s);
        stage_ms += 10 * DAY;
        stage_open(&s);
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
        wait_for(&s, 149 * SECOND);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
        wait_for(&s, SECOND);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_UNREACHABLE);
        stage_end(&s);
}

/* A store that is older than presence. */
static void devices_of_an_older_server_are_looked_at(void **state)
{
        enum { N = 1200 };
        stage s;
        unsigned lost = 0;

        (void)state;
        stage_begin(&s, parts, NULL, 100 * DAY);
        for (unsigned i = 0; i < N; i++) {
                char name[16];

                snprintf(name, sizeof name, "d%u", i);
                (void)device(&s, name, i % 3 ? STORE_DEVICE_ACTIVE : STORE_DEVICE_DEACTIVATED, DAY);
        }
        stage_open(&s);
        wait_for(&s, HOUR);
        assert_int_equal(stage_told(&s, "device.unreachable"), 0); /* it has listened for an hour */
        wait_for(&s, 3 * DAY);
        for (int64_t id = 1; id <= N; id++)
                lost += get(&s, id).state == STORE_DEVICE_UNREACHABLE;
        assert_int_equal(lost, N - N / 3);
        assert_int_equal(stage_told(&s, "device.unreachable"), N - N / 3);
        stage_open(&s); /* once is enough */
        run(&s);
        assert_int_equal(stage_told(&s, "device.unreachable"), N - N / 3);
        stage_end(&s);
}

static void an_operator_decides(void **state)
{
        static const struct row {
                const char *why;
                store_device_state to;
                const char *kind;
        } rows[] = {
                {"taken away", STORE_DEVICE_DETACHED, "device.detached"},
                {"switched off", STORE_DEVICE_DEACTIVATED, "device.deactivated"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stage s;
                store_batch *b;
                int64_t id;

                begin(&s);
                id = device(&s, "d", STORE_DEVICE_PROVISIONED, 0);
                calls(&s, id);
                tells_interval(&s, id, "60");
                run(&s);
                b = store_batch_new();
                store_batch_add(b, STORE_DEVICE_PATCH)->device_patch = (store_device_patch){
                        .fields = STORE_DF_STATE, .to = {.id = id, .state = rows[i].to}};
                stage_event(b, id, rows[i].kind, "{\"from\":\"active\"}");
                stage_write(&s, b);
                wait_for(&s, DAY);
                if (get(&s, id).state != rows[i].to || stage_told(&s, "device.unreachable"))
                        fail_msg("%s: %s", rows[i].why, store_device_state_name(get(&s, id).state));
                b = store_batch_new();
                store_batch_add(b, STORE_DEVICE_PATCH)->device_patch = (store_device_patch){
                        .fields = STORE_DF_STATE, .to = {.id = id, .state = STORE_DEVICE_ACTIVE}};
                stage_event(b, id, "device.active", "{\"from\":\"deactivated\"}");
                stage_write(&s, b);
                run(&s);
                assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE); /* its time begins now */
                wait_for(&s, 150 * SECOND);
                assert_int_equal(get(&s, id).state, STORE_DEVICE_UNREACHABLE);
                stage_end(&s);
        }
}

/* The session had read that the device is active, and writes after it was found silent. */
static void a_call_on_its_way_is_not_lost(void **state)
{
        stage s;
        store_batch *b;
        int64_t id;

        (void)state;
        begin(&s);
        id = device(&s, "d", STORE_DEVICE_PROVISIONED, 0);
        calls(&s, id);
        tells_interval(&s, id, "60");
        wait_for(&s, 150 * SECOND);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_UNREACHABLE);
        stage_ms++;
        b = store_batch_new();
        store_batch_add(b, STORE_DEVICE_PATCH)->device_patch = (store_device_patch){
                .fields = STORE_DF_LAST_CONTACT, .to = {.id = id, .last_contact = stage_ms}};
        stage_write(&s, b);
        wait_for(&s, 60 * SECOND);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
        assert_int_equal(stage_told(&s, "device.active"), 2);
        wait_for(&s, 150 * SECOND);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_UNREACHABLE);
        stage_end(&s);
}

static void what_a_device_says_counts_at_once(void **state)
{
        stage s;
        int64_t id;

        (void)state;
        begin(&s);
        id = device(&s, "d", STORE_DEVICE_PROVISIONED, 0);
        calls(&s, id);
        wait_for(&s, HOUR); /* by the default of a day */
        tells_interval(&s, id, "10");
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_UNREACHABLE);
        calls(&s, id);
        tells_interval(&s, id, "0");
        wait_for(&s, 20 * DAY);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE); /* it never calls by itself */
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_silent_device_is_found_and_its_return_seen),
                cmocka_unit_test(a_sleeper_sleeps_and_is_missed),
                cmocka_unit_test(while_nobody_listens_nobody_is_missed),
                cmocka_unit_test(devices_of_an_older_server_are_looked_at),
                cmocka_unit_test(an_operator_decides),
                cmocka_unit_test(a_call_on_its_way_is_not_lost),
                cmocka_unit_test(what_a_device_says_counts_at_once),
        };

        return RUN_TESTS(tests);
}
