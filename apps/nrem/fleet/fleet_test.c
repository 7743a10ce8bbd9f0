/* SPDX-License-Identifier: Apache-2.0 */
/* The log of events and those who live on it: in order, once, whatever fails. */
#include "stage.h"

#include <stdlib.h>
#include <unistd.h>

#include "heap.h"

/* A part that counts, by a row for each device and one for all. */
typedef struct tally {
        int64_t device, heard, last;
} tally;

#define X(f)                                      \
        {                                         \
#f, offsetof(tally, f), FIELD_I64 \
        }
static const field tally_fields[] = {X(device), X(heard), X(last)};
#undef X
static const record record_tally = {sizeof(tally), tally_fields, 3};
static const store_table table_tally = {.name = "tally", .rec = &record_tally, .n_key = 1};
static const store_table *const tables[] = {&table_tally, NULL};

#define HEARD 1
#define LAST 2
#define NO_DEVICE 999999 /* the row of events without one */

typedef struct counter {
        unsigned opened, events, ticks;
        int64_t last; /* seq: rises, but when heard again */
        int fail;     /* what event() returns, `fails` times */
        unsigned fails;
        bool refuse;  /* event() adds what the store turns down */
        int64_t next; /* what tick() asks for */
        bool job;     /* a job for each event */
        bool echo;    /* an event of ours for each that is not */
} counter;

static counter the;   /* what the part below works on */
static unsigned jobs; /* that were made */

static int count_open(const fleet_host *h, void **out, diag *d)
{
        (void)h;
        (void)d;
        the.opened++;
        *out = &the;
        return 0;
}

static int count_row(fleet_turn *t, const fleet_event *ev)
{
        int64_t device = ev->e.device ? ev->e.device : NO_DEVICE;
        tally *row = odm_new(store_batch_arena(t->batch), tally), was;
        store_op *op;
        int rc;

        if (!row)
                return ODM_ENOMEM;
        *row = (tally){.device = device, .heard = 1, .last = ev->e.seq};
        rc = store_row_get(t->host->store, &table_tally, row, t->arena, &was);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (rc == 0) /* read, add one, put: wrong unless the last event of the device is in */
                row->heard = was.heard + 1;
        op = fleet_row(t, STORE_ROW_PUT, &table_tally, row);
        return op ? 0 : ODM_ENOMEM;
}

static int count_event(void *p, fleet_turn *t, const fleet_event *ev)
{
        counter *c = p;
        store_op *op;

        c->events++;
        c->last = ev->e.seq;
        if (c->fails) {
                c->fails--;
                return c->fail;
        }
        if (c->refuse && fleet_int(ev, "bad")) {
                op = fleet_op(t, STORE_TOKEN_DELETE);
                if (!op)
                        return ODM_ENOMEM;
                op->key = ODM_STR("nobody");
        }
        if (c->echo && !fleet_int(ev, "echo") &&
            fleet_tell(t, ev->e.device, "x.echo", json_pack("{s:i}", "echo", 1)) < 0)
                return ODM_ENOMEM;
        if (c->job) {
                fleet_order o = {
                        .device = ev->e.device,
                        .kind = "test",
                        .commands = ODM_STR(
                                "[{\"cmd\":\"exec\",\"uri\":\"./A\",\"correlator\":\"own\"},"
                                "{\"cmd\":\"exec\",\"uri\":\"./B\"}]"),
                        .key = fleet_text(ev, "key"),
                        .actor = ODM_STR("me")};
                int rc = fleet_job(t, &o);
                if (rc < 0)
                        return rc;
        }
        return count_row(t, ev);
}

static int count_tick(void *p, fleet_turn *t, int64_t *at)
{
        counter *c = p;

        (void)t;
        c->ticks++;
        *at = c->next;
        return 0;
}

static const fleet_part part_count = {.name = "count",
                                      .tables = tables,
                                      .events = "x.",
                                      .open = count_open,
                                      .event = count_event,
                                      .tick = count_tick};
static const fleet_part *const parts[] = {&part_count, NULL};

static void job_created(void *ctx, int64_t device, int64_t job)
{
        (void)ctx;
        (void)device;
        (void)job;
        jobs++;
}

static void begin_log(stage *s, uint32_t kept, uint32_t unheard)
{
        const fleet_host with = {.job_created = job_created};

        the = (counter){.next = INT64_MAX};
        jobs = 0;
        stage_begin_log(s, parts, &with, 1000000, kept, unheard);
        assert_int_equal(s->n_tables, 1);
        stage_open(s);
}

static void begin(stage *s)
{
        begin_log(s, 1000000, 1000000);
}

static void run(stage *s)
{
        (void)stage_run(s, 20);
}

static int64_t heard(stage *s, int64_t device)
{
        const tally key = {.device = device};
        tally row = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, 1 << 16);
        rc = store_row_get(s->st, &table_tally, &key, &a, &row);
        odm_arena_done(&a);
        return rc == 0 ? row.heard : 0;
}

static void every_event_is_heard_once_and_in_order(void **state)
{
        stage s;

        (void)state;
        begin(&s);
        stage_devices(&s, 40);
        for (unsigned i = 0; i < 1000; i++)
                stage_say(&s, i % 41, i % 7 ? "x.a" : "y.a", "{}");
        run(&s);
        int64_t sum = heard(&s, NO_DEVICE);
        for (int64_t d = 1; d <= 40; d++)
                sum += heard(&s, d);
        assert_int_equal(sum, 1000 - 143);
        assert_int_equal(the.events, 1000 - 143);
        run(&s);
        assert_int_equal(the.events, 1000 - 143);
        stage_end(&s);
}

static void the_place_is_kept_with_what_came_of_it(void **state)
{
        stage s;

        (void)state;
        begin(&s);
        for (unsigned i = 0; i < 10; i++)
                stage_say(&s, 0, "x.a", "{}");
        run(&s);
        stage_open(&s); /* as after a kill */
        stage_say(&s, 0, "x.a", "{}");
        run(&s);
        assert_int_equal(heard(&s, NO_DEVICE), 11);
        assert_int_equal(the.events, 11);
        stage_end(&s);
}

static void the_log_waits_for_who_lives_on_it(void **state)
{
        stage s;

        (void)state;
        begin_log(&s, 640, 10000);
        for (unsigned i = 0; i < 4000; i++)
                stage_say(&s, 0, "x.a", "{}");
        run(&s);
        assert_int_equal(heard(&s, NO_DEVICE), 4000);
        for (unsigned i = 0; i < 1400; i++) { /* what was heard goes */
                stage_say(&s, 0, "x.a", "{}");
                run(&s);
        }
        assert_in_range(stage_told(&s, "x.a"), 640, 700);
        stage_end(&s);
}

static void what_had_to_go_is_said(void **state)
{
        stage s;
        odm_buf b;

        (void)state;
        begin_log(&s, 640, 100);
        stage_say(&s, 0, "x.a", "{}");
        run(&s);
        for (unsigned i = 0; i < 1999; i++)
                stage_say(&s, 0, "x.a", "{}");
        run(&s);
        assert_int_equal(the.last, 2000);
        assert_in_range(heard(&s, NO_DEVICE), 741, 751);
        odm_buf_init(&b, &heap_mem, 1 << 16);
        assert_int_equal(fleet_metrics(s.f, &b), 0);
        assert_true(odm_buf_put(&b, "", 1) == 0);
        assert_int_equal(2000 - heard(&s, NO_DEVICE), strtoll(strrchr(b.p, ' '), NULL, 10));
        odm_buf_done(&b);
        stage_end(&s);
}

/* More than is read at a time. */
static void large_events_are_heard(void **state)
{
        stage s;
        const size_t n = (size_t)8 << 20;
        static const char head[] = "{\"data\":\"";
        char *data = malloc(n + sizeof head + 3), *at = data + sizeof head - 1;
        odm_arena a;
        bool unheard = false;

        (void)state;
        memcpy(data, head, sizeof head - 1);
        memset(at, 'x', n);
        memcpy(at + n, "\"}", 3);
        begin(&s);
        for (unsigned i = 0; i < 33; i++)
                stage_say(&s, 1, "x.a", data);
        odm_arena_init(&a, &heap_mem, (size_t)1 << 20);
        assert_int_equal(fleet_unheard(s.st, 1, ODM_STR("x.b"), &a, &unheard), 0);
        assert_true(unheard); /* it may be there */
        odm_arena_done(&a);
        run(&s);
        assert_int_equal(heard(&s, 1), 33);
        stage_end(&s);
        free(data);
}

static void a_failing_store_makes_nothing_happen_twice(void **state)
{
        (void)state;
        for (unsigned at = 1; at < 40; at++) {
                stage s;
                int64_t next;
                int rc;

                begin(&s);
                stage_devices(&s, 5);
                for (unsigned i = 0; i < 12; i++)
                        stage_say(&s, i % 5 + 1, "x.a", "{}");
                store_fault_set(
                        &s.fault,
                        (store_fault){.fail_commit = store_fault_get(&s.fault).commits + at});
                do
                        rc = fleet_run(s.f, 20, &next);
                while (rc == ODM_EIO);
                assert_int_equal(rc, 0);
                for (int64_t d = 1; d <= 5; d++)
                        assert_int_equal(heard(&s, d), d <= 2 ? 3 : 2);
                stage_end(&s);
        }
}

static void what_is_refused_harms_no_other(void **state)
{
        stage s;

        (void)state;
        begin(&s);
        stage_devices(&s, 9);
        the.refuse = true;
        for (int64_t d = 1; d <= 9; d++)
                stage_say(&s, d, "x.a", d == 4 ? "{\"bad\":1}" : "{}");
        run(&s);
        for (int64_t d = 1; d <= 9; d++)
                assert_int_equal(heard(&s, d), d == 4 ? 0 : 1);
        stage_end(&s);
}

static void a_part_without_memory_hears_it_again(void **state)
{
        stage s;
        int64_t next;

        (void)state;
        begin(&s);
        the.fail = ODM_ENOMEM;
        the.fails = 2;
        stage_say(&s, 0, "x.a", "{}");
        assert_int_equal(fleet_run(s.f, 20, &next), ODM_ENOMEM);
        run(&s);
        assert_int_equal(heard(&s, NO_DEVICE), 1);
        stage_end(&s);
}

static void events_of_its_own_come_back(void **state)
{
        stage s;

        (void)state;
        begin(&s);
        the.echo = true;
        stage_say(&s, 0, "x.a", "no JSON at all");
        stage_say(&s, 0, "x.a", "[]");
        run(&s);
        assert_int_equal(heard(&s, NO_DEVICE), 4);
        stage_end(&s);
}

static void a_job_is_made_once(void **state)
{
        stage s;
        odm_arena a;
        store_job_list l;
        const store_job_filter all = {.device = 1};

        (void)state;
        begin(&s);
        stage_devices(&s, 1);
        the.job = true;
        stage_say(&s, 1, "x.a", "{\"key\":\"k/1\"}");
        stage_say(&s, 1, "x.a", "{\"key\":\"k/1\"}");
        stage_say(&s, 1, "x.a", "{\"key\":\"k/2\"}");
        run(&s);
        assert_int_equal(jobs, 2);
        odm_arena_init(&a, &heap_mem, 1 << 20);
        assert_int_equal(store_job_find(s.st, &all, &a, &l), 0);
        assert_int_equal(l.n, 2);
        assert_true(l.v[0].correlator.n > 0);
        odm_arena_done(&a);
        stage_end(&s);
}

static void the_clock_is_kept(void **state)
{
        stage s;
        int64_t next;

        (void)state;
        begin(&s);
        the.next = stage_ms + 5000;
        assert_int_equal(fleet_run(s.f, 20, &next), 0);
        assert_int_equal(the.ticks, 1);
        assert_int_equal(next, stage_ms + 5000);
        stage_ms += 4999;
        assert_int_equal(fleet_run(s.f, 20, &next), 0);
        assert_int_equal(the.ticks, 1);
        stage_ms++;
        the.next = INT64_MAX;
        assert_int_equal(fleet_run(s.f, 20, &next), 0);
        assert_int_equal(the.ticks, 2);
        stage_say(&s, 0, "x.a", "{}"); /* who heard something is asked again */
        assert_int_equal(fleet_run(s.f, 20, &next), 0);
        assert_int_equal(the.ticks, 3);
        stage_ms = next; /* and everybody once a minute */
        assert_int_equal(fleet_run(s.f, 20, &next), 0);
        assert_int_equal(the.ticks, 4);
        stage_ms -= 3600000; /* set back: nobody waits until it is as late again */
        assert_int_equal(fleet_run(s.f, 20, &next), 0);
        assert_int_equal(the.ticks, 5);
        assert_int_equal(next, stage_ms + 60000);
        stage_end(&s);
}

static void a_thread_of_its_own_hears_at_once(void **state)
{
        stage s;

        (void)state;
        begin(&s);
        assert_int_equal(fleet_start(s.f), 0);
        for (unsigned i = 0; i < 50; i++)
                stage_say(&s, 0, "x.a", "{}");
        for (unsigned i = 0; i < 2000 && heard(&s, NO_DEVICE) < 50; i++)
                (void)usleep(5000);
        assert_int_equal(heard(&s, NO_DEVICE), 50);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_event_is_heard_once_and_in_order),
                cmocka_unit_test(the_place_is_kept_with_what_came_of_it),
                cmocka_unit_test(the_log_waits_for_who_lives_on_it),
                cmocka_unit_test(what_had_to_go_is_said),
                cmocka_unit_test(large_events_are_heard),
                cmocka_unit_test(a_failing_store_makes_nothing_happen_twice),
                cmocka_unit_test(what_is_refused_harms_no_other),
                cmocka_unit_test(a_part_without_memory_hears_it_again),
                cmocka_unit_test(events_of_its_own_come_back),
                cmocka_unit_test(a_job_is_made_once),
                cmocka_unit_test(the_clock_is_kept),
                cmocka_unit_test(a_thread_of_its_own_hears_at_once),
        };

        return RUN_TESTS(tests);
}
