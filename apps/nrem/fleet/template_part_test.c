/* SPDX-License-Identifier: Apache-2.0 */
/* Two thousand devices that have something else than wanted, some of which refuse to change; those
 * that come, go and are removed; what a kill leaves.  The clock is the test's, and so are the
 * devices: each has one value, and answers its jobs. */
#include "template_part.h"

#include <stdlib.h>
#include <string.h>

#include "job_event.h"
#include "stage.h"

#define NOW 1795365305000ll
#define HOUR 3600000ll
#define DEVICES 2000

extern const fleet_part part_template, part_presence;
static const fleet_part *const parts[] = {&part_presence, &part_template, NULL};

static struct answers {          /* the devices */
        char value[DEVICES + 8]; /* of ./A, by number of the device */
        unsigned gets, writes;   /* jobs answered */
        int64_t largest;         /* jobs open at one time */
} dev;

static void begin(stage *s)
{
        dev = (struct answers){0};
        stage_begin(s, parts, NULL, NOW);
        stage_open(s);
}

static int64_t add_device(stage *s, const char *name, bool tell)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);
        int64_t id;

        op->device.name = odm_cstr(name);
        op->device.state = STORE_DEVICE_ACTIVE;
        op->device.last_contact = stage_ms;
        if (tell)
                stage_event(b, STORE_LAST, "device.created", "{}");
        assert_int_equal(store_write_sync(s->st, b), 0);
        id = op->id;
        store_batch_free(b);
        assert_in_range(id, 1, DEVICES + 7);
        dev.value[id] = '0';
        return id;
}

static void put_template(stage *s, store_op_kind kind, int64_t rev, unsigned mode, const char *spec)
{
        template_row r = {.id = kind == STORE_ROW_ADD ? 0 : 1,
                          .name = ODM_STR("t"),
                          .enabled = true,
                          .mode = mode,
                          .every = 3600,
                          .rev = rev,
                          .spec = odm_cstr(spec),
                          .actor = ODM_STR("ada")};
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, kind);

        op->row = (store_row_op){.table = &table_template, .row = &r};
        if (kind == STORE_ROW_PATCH)
                op->row.fields = STORE_FIELD(TEMPLATE_F_mode) | STORE_FIELD(TEMPLATE_F_rev) |
                                 STORE_FIELD(TEMPLATE_F_spec);
        stage_event(b, 0, "template.changed", "{}");
        stage_write(s, b);
}

/* ---- the devices ------------------------------------------------------------------------ */

/* A seventh of them takes no value. */
static bool is_stubborn(int64_t device)
{
        return device % 7 == 0;
}

static void answer(stage *s, const store_job *j)
{
        json_t *list = json_loadb(j->commands.p, j->commands.n, 0, NULL);
        const json_t *cmd = json_array_get(list, 0);
        bool get = strcmp(json_string_value(json_object_get(cmd, "cmd")), "get") == 0;
        bool ok = get || !is_stubborn(j->device);
        store_value v = {.uri = ODM_STR("./A"), .data = {&dev.value[j->device], 1}};
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_RESULT_PUT);

        assert_string_equal(json_string_value(json_object_get(cmd, "uri")), "./A");
        *(get ? &dev.gets : &dev.writes) += 1;
        if (!get && ok)
                dev.value[j->device] = *json_string_value(json_object_get(cmd, "data"));
        op->result.device = j->device;
        op->result.job = j->id;
        op->result.r = (store_result){
                .status = ok ? 200 : 500, .sent = true, .items = &v, .n_items = get ? 1 : 0};
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = j->device;
        op->job_move.job = j->id;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = ok ? STORE_JOB_DONE : STORE_JOB_FAILED;
        op->job_move.at = stage_ms;
        assert_int_equal(job_event_add(b, j, ok ? STORE_JOB_DONE : STORE_JOB_FAILED,
                                       ok ? "" : "./A: 500", stage_ms),
                         0);
        stage_write(s, b);
        json_decref(list);
}

/* All open jobs are answered; how many there were. */
static size_t answer_all(stage *s)
{
        const store_job_filter f = {.states = STORE_JOB_OPEN, .limit = 1000};
        store_job_list l = {0};
        odm_arena a;
        size_t n;

        odm_arena_init(&a, &heap, (size_t)64 << 20);
        assert_int_equal(store_job_find(s->st, &f, &a, &l), 0);
        for (size_t i = 0; i < l.n; i++)
                answer(s, &l.v[i]);
        n = l.n;
        if ((int64_t)n > dev.largest)
                dev.largest = (int64_t)n;
        odm_arena_done(&a);
        return n;
}

/* So long, in steps; devices answer at once. */
static void live(stage *s, int64_t ms, int64_t step)
{
        int64_t until = stage_ms + ms, next;

        for (; stage_ms < until; stage_ms += step)
                do
                        assert_int_equal(fleet_run(s->f, 5000, &next), 0);
                while (answer_all(s) > 0);
}

static template_row counts(stage *s)
{
        template_row r = {.id = 1};
        uint64_t n;
        odm_arena a;

        odm_arena_init(&a, &heap, 1 << 20);
        assert_int_equal(store_row_get(s->st, &table_template, &r, &a, &r), 0);
        odm_arena_done(&a);
        for (unsigned i = 0; i < TEMPLATE_STATES; i++) { /* the tally is what there is */
                const template_item at = {.tmpl = 1, .state = i};
                const store_scan scan = {.table = &table_template_item,
                                         .index = TEMPLATE_ITEM_BY_STATE,
                                         .same = 2,
                                         .at = &at};
                assert_int_equal(store_row_count(s->st, &scan, 100000, &n), 0);
                assert_int_equal(*template_tally(&r, (template_state)i), n);
        }
        return r;
}

#define SPEC "{\"devices\":{\"prefix\":\"d\"},\"nodes\":[{\"uri\":\"./A\",\"data\":\"1\"}]}"
#define SPEC2 "{\"devices\":{\"prefix\":\"d\"},\"nodes\":[{\"uri\":\"./A\",\"data\":\"2\"}]}"
#define NONE "{\"devices\":{\"prefix\":\"x\"},\"nodes\":[{\"uri\":\"./A\",\"data\":\"1\"}]}"

static void many_are_put_right_and_the_rest_given_up(void **state)
{
        stage s;
        template_row r;
        unsigned writes;

        (void)state;
        begin(&s);
        for (unsigned i = 0; i < DEVICES; i++) {
                char name[16];

                (void)snprintf(name, sizeof name, "d%u", i);
                (void)add_device(&s, name, false);
        }
        put_template(&s, STORE_ROW_ADD, 1, TEMPLATE_WATCH, SPEC);
        live(&s, 60000, 1000);
        r = counts(&s);
        assert_int_equal(r.drifted, DEVICES);
        assert_int_equal(dev.writes, 0);
        assert_int_equal(dev.gets, DEVICES);          /* each once */
        assert_in_range(dev.largest, 1, 2 * 50 + 10); /* and not all at the same moment */
        put_template(&s, STORE_ROW_PATCH, 2, TEMPLATE_ENFORCE, SPEC);
        live(&s, 60000, 1000);
        stage_open(&s); /* a kill: what was in memory is gone */
        live(&s, 4 * HOUR, 60000);
        r = counts(&s);
        assert_int_equal(r.conform, DEVICES - DEVICES / 7);
        assert_int_equal(r.failed, DEVICES / 7);
        writes = dev.writes;
        assert_int_equal(writes, DEVICES - DEVICES / 7 + DEVICES / 7 * TEMPLATE_TRIES);
        dev.value[1] = '0'; /* by hand */
        live(&s, HOUR + 60000, 60000);
        assert_int_equal(dev.value[1], '1');
        assert_int_equal(dev.writes, writes + 1); /* those given up are left alone */
        put_template(&s, STORE_ROW_PATCH, 3, TEMPLATE_ENFORCE, NONE);
        live(&s, 60000, 1000);
        r = counts(&s);
        assert_int_equal(r.conform + r.failed + r.unknown, 0);
        stage_end(&s);
}

static void devices_come_and_go(void **state)
{
        store_batch *b;
        store_op *op;
        stage s;
        int64_t id;

        (void)state;
        begin(&s);
        put_template(&s, STORE_ROW_ADD, 1, TEMPLATE_ENFORCE, SPEC);
        live(&s, 1000, 1000);
        (void)add_device(&s, "e", true); /* not selected */
        id = add_device(&s, "d", true);
        live(&s, 1, 1); /* at once */
        assert_int_equal(dev.value[id], '1');
        assert_int_equal(counts(&s).conform, 1);
        b = store_batch_new();
        op = store_batch_add(b, STORE_DEVICE_DELETE);
        op->of = id;
        stage_event(b, 0, "device.removed", "{\"device\":\"d\"}");
        stage_write(&s, b);
        live(&s, 1, 1);
        assert_int_equal(counts(&s).conform, 0);
        stage_end(&s);
}

/* Devices that came in another way are found in an hour, and asked within the next, whatever the
 * clock was before. */
static void a_clock_set_back_stops_no_look(void **state)
{
        stage s;
        int64_t id;

        (void)state;
        begin(&s);
        put_template(&s, STORE_ROW_ADD, 1, TEMPLATE_ENFORCE, SPEC);
        live(&s, 1000, 1000);
        stage_ms -= 48 * HOUR;
        live(&s, 1000, 1000);
        id = add_device(&s, "d", false);
        live(&s, 3 * HOUR, 10 * 60000);
        assert_int_equal(dev.value[id], '1');
        stage_end(&s);
}

static void a_removed_template_is_left_by_all(void **state)
{
        const template_row key = {.id = 1};
        const store_scan all = {.table = &table_template_item};
        store_batch *b;
        store_op *op;
        stage s;
        uint64_t n;
        int64_t next;

        (void)state;
        begin(&s);
        put_template(&s, STORE_ROW_ADD, 1, TEMPLATE_ENFORCE, SPEC);
        (void)add_device(&s, "d", true);
        assert_int_equal(fleet_run(s.f, 100, &next), 0); /* a job waits for the device */
        b = store_batch_new();
        op = store_batch_add(b, STORE_ROW_DELETE);
        op->row = (store_row_op){.table = &table_template, .row = &key};
        stage_event(b, 0, "template.changed", "{\"template\":\"1\"}");
        stage_write(&s, b);
        for (unsigned i = 0; i < 10; i++, stage_ms += 100)
                assert_int_equal(fleet_run(s.f, 100, &next), 0);
        assert_int_equal(store_row_count(s.st, &all, 10, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(answer_all(&s), 0); /* it was taken back */
        stage_end(&s);
}

/* An order for a device that calls once a day is there when it does; a template that looks every
 * hour makes no other meanwhile. */
static void who_calls_rarely_finds_its_order(void **state)
{
        stage s;
        int64_t id, next, contact;

        (void)state;
        begin(&s);
        put_template(&s, STORE_ROW_ADD, 1, TEMPLATE_ENFORCE, SPEC);
        id = add_device(&s, "d", true);
        contact = stage_ms;
        for (; stage_ms < contact + 24 * HOUR; stage_ms += 10 * 60000)
                assert_int_equal(fleet_run(s.f, 100, &next), 0);
        assert_int_equal(answer_all(&s), 1);
        live(&s, 60000, 1000);
        assert_int_equal(dev.value[id], '1');
        assert_int_equal(counts(&s).conform, 1);
        assert_int_equal(stage_told(&s, "job.expired"), 0);
        stage_end(&s);
}

/* What an order of before would write is not wanted any more. */
static void an_order_does_not_outlive_its_revision(void **state)
{
        stage s;
        int64_t id, next;
        store_job_list l = {0};
        const store_job_filter open = {.states = STORE_JOB_OPEN, .limit = 10};

        (void)state;
        begin(&s);
        put_template(&s, STORE_ROW_ADD, 1, TEMPLATE_ENFORCE, SPEC);
        id = add_device(&s, "d", true);
        assert_int_equal(fleet_run(s.f, 100, &next), 0);
        assert_int_equal(answer_all(&s), 1); /* it has something else: it is to be put right */
        assert_int_equal(fleet_run(s.f, 100, &next), 0);
        put_template(&s, STORE_ROW_PATCH, 2, TEMPLATE_ENFORCE, SPEC2);
        for (unsigned i = 0; i < 100; i++, stage_ms += 100)
                assert_int_equal(fleet_run(s.f, 100, &next), 0);
        assert_int_equal(stage_told(&s, "job.cancelled"), 1);
        assert_int_equal(store_job_find(s.st, &open, &s.a, &l), 0);
        assert_int_equal(l.n, 1);
        live(&s, 60000, 1000);
        assert_int_equal(dev.value[id], '2');
        assert_int_equal(dev.writes, 1);
        assert_int_equal(counts(&s).conform, 1);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(many_are_put_right_and_the_rest_given_up),
                cmocka_unit_test(devices_come_and_go),
                cmocka_unit_test(who_calls_rarely_finds_its_order),
                cmocka_unit_test(an_order_does_not_outlive_its_revision),
                cmocka_unit_test(a_clock_set_back_stops_no_look),
                cmocka_unit_test(a_removed_template_is_left_by_all),
        };

        return RUN_TESTS(tests);
}
