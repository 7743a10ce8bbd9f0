/* SPDX-License-Identifier: Apache-2.0 */
/* Devices behind gateways, on a log of our own: what gateways tell of them is written by hand; a
 * store in memory, a clock of the test's. */
#include "gateway_lab.h"

#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "presence_part.h"

extern const fleet_part part_gateway;

static void a_gateway_is_found_by_what_it_tells(void **state)
{
        stage s;
        int64_t gw, id;
        store_device d;

        (void)state;
        lab_begin(&s);
        gw = lab_gateway(&s, "gw");
        lab_attach(&s, gw, "d0001", "urn:imei:1");
        assert_int_equal(stage_told(&s, "gateway.found"), 1);
        assert_int_equal(lab_by_devid(&s, "urn:imei:1"), 0); /* its record is asked for first */
        lab_inventory(&s, gw, lab_record(&s, "d0001", "urn:imei:1", "1"));
        id = lab_by_devid(&s, "urn:imei:1");
        d = lab_device(&s, id);
        assert_str(d.name, "gw/d0001");
        assert_int_equal(d.state, STORE_DEVICE_ACTIVE);
        assert_str(d.maker, "Acme");
        assert_str(d.fwv, "1.0");
        assert_str(d.reached, "http://server:8080");
        assert_int_equal(lab_child(&s, id).gateway, gw);
        assert_str(lab_child(&s, id).protocol, "LWM2M/1.1");
        assert_int_equal(stage_told(&s, "device.attached"), 1);
        assert_int_equal(stage_told(&s, "device.created"), 1);
        assert_int_equal(stage_told(&s, "gateway.inventory"), 1);
        assert_false(lab_open_job(&s, gw, &(store_job){0}));
        lab_attach(&s, gw, "d0001", "urn:imei:1"); /* told again, it is no news */
        assert_int_equal(stage_told(&s, "device.attached"), 1);
        assert_false(lab_open_job(&s, gw, &(store_job){0}));
        stage_end(&s);
}

static void a_device_moves_and_keeps_its_name(void **state)
{
        int64_t ids[2], a, b;
        gateway_child c;
        stage s;

        (void)state;
        lab_begin(&s);
        a = lab_meters(&s, "a", 2, ids);
        b = lab_gateway(&s, "b");
        lab_attach(&s, b, "d0044", "urn:a:2");
        c = lab_child(&s, ids[1]);
        assert_int_equal(c.gateway, b);
        assert_str(c.key, "d0044");
        assert_int_equal(c.moves, 1);
        assert_str(lab_device(&s, ids[1]).name, "a/d2");
        /* what its old gateway says now is of the past */
        lab_detach(&s, a, "d2", "urn:a:2", 3);
        assert_int_equal(lab_state(&s, ids[1]), STORE_DEVICE_ACTIVE);
        stage_end(&s);
}

static void calls(stage *s, int64_t id)
{
        store_batch *b = store_batch_new();

        store_batch_add(b, STORE_DEVICE_PATCH)->device_patch = (store_device_patch){
                .fields = STORE_DF_LAST_CONTACT, .to = {.id = id, .last_contact = stage_ms}};
        stage_write(s, b);
}

static void states_are_those_that_gateways_tell(void **state)
{
        int64_t id, gw;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &id);
        lab_tells(&s, gw, "d1", "3");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_UNREACHABLE);
        assert_int_equal(stage_told(&s, "alarm.raised"), 1);
        lab_tells(&s, gw, "d1", "0"); /* it is expected there, which says nothing of what it is */
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_UNREACHABLE);
        lab_tells(&s, gw, "d1", "1");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_ACTIVE);
        assert_int_equal(stage_told(&s, "alarm.cleared"), 1);
        lab_tells(&s, gw, "d1", "5");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_DEACTIVATED);
        lab_tells(&s, gw, "d1", "1");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_ACTIVE);
        lab_detach(&s, gw, "d1", "urn:g:1", 1);
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_DETACHED);
        /* silence means nothing: it is the gateway who tells */
        lab_attach(&s, gw, "d1", "urn:g:1");
        stage_ms += 30 * LAB_DAY;
        calls(&s, gw);
        lab_run(&s);
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_ACTIVE);
        stage_end(&s);
}

/* They are asleep from then on, whatever their records say for a moment, until they are told to be
 * awake, or attach anew. */
static void sleepers_are_told_together(void **state)
{
        int64_t ids[3], gw, late;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 3, ids);
        lab_alert(&s, gw, LAB_STATE, GATEWAY_RECORDS, "2 d1 d3 d9");
        assert_int_equal(lab_state(&s, ids[0]), STORE_DEVICE_ASLEEP);
        assert_int_equal(lab_state(&s, ids[1]), STORE_DEVICE_ACTIVE);
        assert_int_equal(lab_state(&s, ids[2]), STORE_DEVICE_ASLEEP);
        assert_int_equal(stage_told(&s, "device.asleep"), 2);
        lab_looked(&s, gw, "d9", "urn:g:9"); /* one that was not known: awake just now */
        late = lab_by_devid(&s, "urn:g:9");
        assert_int_equal(lab_state(&s, late), STORE_DEVICE_ASLEEP);
        lab_sync(&s, gw);
        lab_inventory(&s, gw,
                      odm_arena_fmt(&s.a, "%s%s%s%s", lab_record(&s, "d1", "urn:g:1", "1"),
                                    lab_record(&s, "d2", "urn:g:2", "2"),
                                    lab_record(&s, "d3", "urn:g:3", "1"),
                                    lab_record(&s, "d9", "urn:g:9", "1"))
                              .p);
        for (int i = 0; i < 3; i++)
                assert_int_equal(lab_state(&s, ids[i]), STORE_DEVICE_ASLEEP);
        assert_int_equal(lab_state(&s, late), STORE_DEVICE_ASLEEP);
        lab_alert(&s, gw, LAB_STATE, GATEWAY_RECORDS, "1 d1");
        lab_attach(&s, gw, "d3", "urn:g:3");
        assert_int_equal(lab_state(&s, ids[0]), STORE_DEVICE_ACTIVE);
        assert_int_equal(lab_state(&s, ids[1]), STORE_DEVICE_ASLEEP);
        assert_int_equal(lab_state(&s, ids[2]), STORE_DEVICE_ACTIVE);
        for (size_t i = 0; i < 5; i++) /* no list of any */
                lab_alert(&s, gw, LAB_STATE, GATEWAY_RECORDS,
                          (const char *[]){"", "2", " ", "9 d1", "2 ../x  d1/d2"}[i]);
        assert_int_equal(lab_state(&s, ids[0]), STORE_DEVICE_ACTIVE);
        stage_end(&s);
}

static void a_lost_gateway_hides_what_is_behind_it(void **state)
{
        int64_t ids[150], gw;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 150, ids);
        lab_set_state(&s, gw, STORE_DEVICE_UNREACHABLE, "device.unreachable");
        stage_ms += 10000;
        lab_run(&s);
        for (unsigned i = 0; i < 150; i++)
                assert_int_equal(lab_state(&s, ids[i]), STORE_DEVICE_UNREACHABLE);
        assert_int_equal(stage_told(&s, "alarm.raised"), 1); /* that of the gateway */
        lab_set_state(&s, gw, STORE_DEVICE_ACTIVE, "device.active");
        stage_ms += 120000;
        lab_run(&s);
        for (unsigned i = 0; i < 150; i++)
                assert_int_equal(lab_state(&s, ids[i]), STORE_DEVICE_ACTIVE);
        assert_int_equal(stage_told(&s, "alarm.raised"), 1);
        stage_end(&s);
}

/* It is there behind another one; and what a gateway that is lost has told is there with it. */
static void who_leaves_a_lost_gateway_is_there(void **state)
{
        int64_t id, a, b;
        stage s;

        (void)state;
        lab_begin(&s);
        a = lab_meters(&s, "a", 1, &id);
        b = lab_gateway(&s, "b");
        lab_set_state(&s, a, STORE_DEVICE_UNREACHABLE, "device.unreachable");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_UNREACHABLE);
        lab_attach(&s, b, "d9", "urn:a:1");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_ACTIVE);
        lab_set_state(&s, b, STORE_DEVICE_UNREACHABLE, "device.unreachable");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_UNREACHABLE);
        lab_set_state(&s, a, STORE_DEVICE_ACTIVE, "device.active");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_UNREACHABLE);
        lab_set_state(&s, b, STORE_DEVICE_ACTIVE, "device.active");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_ACTIVE);
        stage_end(&s);
}

/* A device that calls by an account of its own. */
static int64_t own_device(stage *s)
{
        const store_device own = {.name = ODM_STR("own"),
                                  .devid = ODM_STR("urn:own"),
                                  .fwv = ODM_STR("4.2"),
                                  .state = STORE_DEVICE_ACTIVE,
                                  .route = ODM_STR("called"),
                                  .last_contact = stage_ms};
        int64_t id = stage_device(s, &own);

        lab_put_account(s, id);
        return id;
}

static void nobody_is_taken_over_by_hearsay(void **state)
{
        int64_t gw, id;
        gateway_child c;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_gateway(&s, "gw");
        id = own_device(&s);
        lab_attach(&s, gw, "d0001", "urn:own");
        lab_inventory(&s, gw, lab_record(&s, "d0001", "urn:own", "1"));
        assert_int_equal(gateway_find_child(s.st, id, &s.a, &c), ODM_ENOENT);
        stage_end(&s);
}

static void where_gateways_are_marked_no_other_one_is_believed(void **state)
{
        static const char *const tags[] = {"", "gateways big", "big gateway"};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(tags); i++) {
                gateway_row row;
                int64_t gw;
                stage s;

                lab_begin(&s);
                ((gateways *)fleet_self(s.f, &part_gateway))->tagged = true;
                gw = lab_gateway_tagged(&s, "gw", tags[i]);
                lab_attach(&s, gw, "d1", "urn:m:1");
                assert_int_equal(gateway_find(s.st, gw, &s.a, &row), i == 2 ? 0 : ODM_ENOENT);
                stage_end(&s);
        }
}

/* Nor behind what is behind it: nothing would ever reach either. */
static void nobody_is_behind_itself(void **state)
{
        int64_t outer, inner;
        gateway_child c;
        stage s;

        (void)state;
        lab_begin(&s);
        outer = lab_meters(&s, "o", 1, &inner);
        lab_sync(&s, outer);
        lab_inventory(&s, outer,
                      odm_arena_fmt(&s.a, "%s%s", lab_record(&s, "d1", "urn:o:1", "1"),
                                    lab_record(&s, "d2", "urn:gw:o", "1"))
                              .p);
        assert_int_equal(gateway_find_child(s.st, outer, &s.a, &c), ODM_ENOENT);
        lab_attach(&s, inner, "d5", "urn:gw:o");
        lab_answers(&s, outer, 404, "",
                    NULL); /* the inner one's inventory: what it told has to do */
        assert_int_equal(gateway_find_child(s.st, outer, &s.a, &c), ODM_ENOENT);
        stage_end(&s);
}

/* Orders of a device that is there with another gateway are not for whoever says its name; when
 * that one lets go of it they are. */
static void a_stranger_pulls_nobody_over(void **state)
{
        static const struct {
                const char *why, *type, *data;
                bool stays;
        } rows[] = {
                {"it went", LAB_DETACHED,
                 "<DeviceDetach><DeviceID>urn:a:1</DeviceID><Reason>1</Reason></DeviceDetach>",
                 false},
                {"it is silent", LAB_STATE, "3", false},
                {"it sleeps", LAB_STATE, "2", true},
                {"it is switched off", LAB_STATE, "5", true},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int64_t id, a, b, job;
                stage s;

                lab_begin(&s);
                a = lab_meters(&s, "a", 1, &id);
                b = lab_gateway_tagged(&s, "b", "");
                stage_ms += 60000;
                lab_attach(&s, b, "d9", "urn:a:1");
                lab_attach(&s, b, "d9", "urn:a:1");
                lab_inventory(&s, b, lab_record(&s, "d9", "urn:a:1", "1"));
                assert_int_equal(lab_child(&s, id).gateway, a);
                assert_int_equal(stage_told(&s, "device.claimed"), 1);
                lab_orders(&s, &id, 1, LAB_GET_FWV, &job);
                assert_int_equal(lab_open_jobs(&s, b), 0);
                assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
                lab_alert(&s, a, rows[i].type, LAB_RECORD("d1"), rows[i].data);
                if (rows[i].stays) {
                        lab_attach(&s, b, "d9", "urn:a:1");
                        if (lab_child(&s, id).gateway != a || lab_open_jobs(&s, b) != 0)
                                fail_msg("%s", rows[i].why);
                        stage_end(&s);
                        continue;
                }
                lab_looked(&s, b, "d9", "urn:a:1");
                if (lab_child(&s, id).gateway != b)
                        fail_msg("%s", rows[i].why);
                assert_str(lab_child(&s, id).key, "d9");
                assert_int_equal(lab_child(&s, id).claimed, 0);
                stage_end(&s);
        }
}

/* Nor who was given an account, and has not called yet; a name alone is no account. */
static void a_stranger_gets_nobody_who_is_awaited(void **state)
{
        static const struct {
                const char *why, *tags;
                uint32_t flags;
                bool taken;
        } rows[] = {
                {"an account was given to it", "", 0, false},
                {"the gateway is trusted", "gateway", 0, true},
                {"it has a name only", "", STORE_ACCOUNT_MADE_UP, true},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const store_device known = {.name = ODM_STR("meter/1"),
                                            .devid = ODM_STR("urn:m:1")};
                store_batch *b = store_batch_new();
                gateway_child c;
                int64_t id, gw;
                stage s;

                lab_begin(&s);
                id = stage_device(&s, &known);
                store_batch_add(b, STORE_ACCOUNT_PUT)->account =
                        (store_account){.device = id, .flags = rows[i].flags};
                stage_write(&s, b);
                gw = lab_gateway_tagged(&s, "gw", rows[i].tags);
                lab_attach(&s, gw, "d1", "urn:m:1");
                lab_inventory(&s, gw, lab_record(&s, "d1", "urn:m:1", "1"));
                if ((gateway_find_child(s.st, id, &s.a, &c) == 0) != rows[i].taken)
                        fail_msg("%s", rows[i].why);
                stage_end(&s);
        }
}

/* Said to be near its gateway, and then to be the gateway's. */
static void nobody_is_taken_over_in_two_steps(void **state)
{
        int64_t gw, id;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_gateway(&s, "gw");
        id = own_device(&s);
        lab_attach_as(&s, gw, "d1", "urn:own", GATEWAY_TRANSPARENT, stage_ms);
        lab_inventory(&s, gw,
                      "<Node><NodeName>d1</NodeName>" LAB_LEAF("DeviceID", "urn:own")
                              LAB_LEAF("Mode", "1") LAB_LEAF("State", "1") "</Node>");
        assert_int_equal(lab_child(&s, id).mode, GATEWAY_TRANSPARENT);
        lab_attach_as(&s, gw, "d1", "urn:own", GATEWAY_ADAPTATION, stage_ms);
        assert_int_equal(lab_child(&s, id).mode, GATEWAY_TRANSPARENT);
        assert_str(lab_device(&s, id).route, "called");
        lab_orders(&s, &id, 1, "[{\"cmd\":\"get\",\"uri\":\"./A\"}]", NULL);
        assert_false(lab_open_job(&s, gw, &(store_job){0}));
        stage_end(&s);
}

/* What a device tells itself, and whether it may call, is not a gateway's to say. */
static void who_calls_by_itself_is_not_switched_off(void **state)
{
        int64_t gw, id;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_gateway(&s, "gw");
        id = own_device(&s);
        lab_sync(&s, gw);
        lab_inventory(&s, gw,
                      "<Node><NodeName>d1</NodeName>" LAB_LEAF("DeviceID", "urn:own")
                              LAB_LEAF("Mode", "1") LAB_LEAF("State", "1")
                                      LAB_LEAF("FwV", "6.6") "</Node>");
        assert_str(lab_device(&s, id).fwv, "4.2");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_ACTIVE);
        for (size_t i = 0; i < 3; i++) { /* expected, asleep, silent */
                lab_tells(&s, gw, "d1", (const char *[]){"0", "2", "3"}[i]);
                assert_int_equal(lab_state(&s, id), STORE_DEVICE_ACTIVE);
        }
        lab_tells(&s, gw, "d1", "5");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_DETACHED);
        stage_end(&s);
}

static void what_an_operator_decided_stays_so(void **state)
{
        static const char *const told[] = {"5", "1", "2", "5", "1"};
        static const struct {
                store_device_state to;
                const char *kind;
        } rows[] = {
                {STORE_DEVICE_DEACTIVATED, "device.deactivated"},
                {STORE_DEVICE_HELD, "device.held"},
                {STORE_DEVICE_REFUSED, "device.refused"},
        };

        (void)state;
        for (size_t k = 0; k < ODM_COUNT(rows); k++) {
                int64_t id, gw;
                stage s;

                lab_begin(&s);
                gw = lab_meters(&s, "g", 1, &id);
                lab_set_state(&s, id, rows[k].to, rows[k].kind);
                for (size_t i = 0; i < ODM_COUNT(told); i++) {
                        lab_tells(&s, gw, "d1", told[i]);
                        assert_int_equal(lab_state(&s, id), rows[k].to);
                }
                lab_sync(&s, gw);
                lab_inventory(&s, gw, lab_record(&s, "d1", "urn:g:1", "5"));
                lab_tells(&s, gw, "d1", "1");
                assert_int_equal(lab_state(&s, id), rows[k].to);
                stage_end(&s);
        }
}

/* Its gateway's clock is ahead: it can move all the same. */
static void nobody_is_seen_in_the_future(void **state)
{
        int64_t id, a, b;
        stage s;

        (void)state;
        lab_begin(&s);
        a = lab_meters(&s, "a", 1, &id);
        b = lab_gateway(&s, "b");
        lab_sync(&s, a);
        lab_inventory(&s, a, lab_record_at(&s, "d1", "urn:a:1", "1", stage_ms + LAB_DAY));
        stage_ms += 10000;
        lab_attach(&s, b, "d9", "urn:a:1");
        assert_int_equal(lab_child(&s, id).gateway, b);
        stage_end(&s);
}

/* Runs on while the store fails once, at its read number `at` from now; whether it came to that. */
static bool run_failing(stage *s, uint64_t at)
{
        store_fault f = store_fault_get(&s->fault);
        bool reached;
        int64_t next;

        f.fail_read = at += f.reads;
        store_fault_set(&s->fault, f);
        for (unsigned i = 0; i < 3; i++) {
                int rc = fleet_run(s->f, 100, &next);

                assert_true(rc == 0 || rc == ODM_EIO);
                stage_ms += 6000;
        }
        f = store_fault_get(&s->fault);
        reached = f.reads >= at;
        f.fail_read = 0;
        store_fault_set(&s->fault, f);
        lab_run(s);
        return reached;
}

/* Its gateway has lost it: who claimed it is asked, whatever cannot be read for a moment. */
static void a_claim_outlives_reads_that_fail(void **state)
{
        bool reached = true;

        (void)state;
        for (uint64_t at = 1; reached; at++) {
                int64_t id, a, b;
                stage s;

                lab_begin(&s);
                a = lab_meters(&s, "a", 1, &id);
                b = lab_gateway_tagged(&s, "b", "");
                stage_ms += 60000;
                lab_attach(&s, b, "d9", "urn:a:1");
                lab_inventory(&s, b, "");
                assert_int_equal(lab_open_jobs(&s, b), 0);
                stage_say(&s, a, "alert",
                          "{\"code\":1226,\"type\":\"" LAB_STATE
                          "\",\"source\":\"" LAB_RECORD("d1") "\",\"data\":\"3\"}");
                reached = run_failing(&s, at);
                assert_int_equal(lab_state(&s, id), STORE_DEVICE_UNREACHABLE);
                assert_int_equal(stage_told(&s, "device.unreachable"), 1);
                lab_looked(&s, b, "d9", "urn:a:1");
                assert_int_equal(lab_child(&s, id).gateway, b);
                stage_end(&s);
        }
}

/* The account is of no matter while the device has not called by it. */
static void a_device_with_an_account_comes_back_and_moves(void **state)
{
        const store_device known = {.name = ODM_STR("meter/1"), .devid = ODM_STR("urn:m:1")};
        int64_t a, b, id;
        stage s;

        (void)state;
        lab_begin(&s);
        id = stage_device(&s, &known);
        lab_put_account(&s, id);
        a = lab_gateway(&s, "a");
        b = lab_gateway(&s, "b");
        lab_attach(&s, a, "d1", "urn:m:1");
        lab_inventory(&s, a, lab_record(&s, "d1", "urn:m:1", "1"));
        assert_int_equal(lab_child(&s, id).gateway, a);
        lab_detach(&s, a, "d1", "urn:m:1", 2);
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_DETACHED);
        lab_attach(&s, a, "d1", "urn:m:1");
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_ACTIVE);
        lab_attach(&s, b, "d7", "urn:m:1");
        assert_int_equal(lab_child(&s, id).gateway, b);
        assert_str(lab_device(&s, id).name, "meter/1");
        stage_end(&s);
}

static void who_calls_by_itself_leaves_its_gateway(void **state)
{
        store_batch *b = store_batch_new();
        int64_t id, gw, job;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &id);
        lab_put_account(&s, id);
        lab_orders(&s, &id, 1, "[{\"cmd\":\"get\",\"uri\":\"./A\"}]", &job);
        k = lab_carrier(&s, gw);
        store_batch_add(b, STORE_DEVICE_PATCH)->device_patch = (store_device_patch){
                .fields = STORE_DF_LAST_CONTACT | STORE_DF_ROUTE,
                .to = {.id = id, .last_contact = stage_ms, .route = ODM_STR("called")}};
        stage_event(b, id, "device.direct", "{\"from\":\"gateway\"}");
        stage_write(&s, b);
        lab_run(&s);
        assert_int_equal(lab_child(&s, id).gateway, 0);
        assert_int_equal(stage_told(&s, "device.placed"), 1);
        assert_int_equal(lab_job_state(&s, k.id), STORE_JOB_CANCELLED);
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_QUEUED); /* its own session takes it */
        lab_attach(&s, gw, "d1", "urn:g:1");
        assert_int_equal(lab_child(&s, id).gateway, 0);
        stage_ms += 30 * LAB_DAY;
        lab_run(&s);
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_UNREACHABLE); /* and is missed again */
        stage_end(&s);
}

/* What gateway a says of a device that came behind b ten seconds ago. */
static void late_words_move_nobody(void **state)
{
        static const struct {
                const char *why;
                const char *at_b;   /* its state there by now; NULL: active */
                const char *record; /* of a; NULL: it tells that the device attached */
                int64_t seen;       /* seconds before or after it came behind b */
                bool moves;
        } rows[] = {
                {"it attached there later", NULL, NULL, 5, true},
                {"it attached there before, which was told late", NULL, NULL, -5, false},
                {"the same, but b has lost it", "3", NULL, -5, true},
                {"it is there, and was seen later", NULL, "1", 5, true},
                {"it sleeps there, and was seen later", NULL, "2", 5, true},
                {"it should be there, but was seen before", NULL, "1", -5, false},
                {"it was seen there in the second in which it left", NULL, "1", 0, false},
                {"it attached there in that second", NULL, NULL, 0, true},
                {"it is said to have left", NULL, "4", 5, false},
                {"it is silent there", NULL, "3", 5, false},
                {"it is silent there, and here as well", "3", "3", 5, false},
                {"it is expected there", NULL, "0", 5, false},
                {"it is switched off there", NULL, "5", 5, false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int64_t id, a, b, at;
                stage s;

                lab_begin(&s);
                a = lab_meters(&s, "a", 1, &id);
                b = lab_gateway(&s, "b");
                stage_ms += 60400;
                at = stage_ms;
                lab_attach(&s, b, "d44", "urn:a:1");
                lab_inventory(&s, b, lab_record(&s, "d44", "urn:a:1", "1"));
                assert_int_equal(lab_child(&s, id).gateway, b);
                if (rows[i].at_b)
                        lab_tells(&s, b, "d44", rows[i].at_b);
                stage_ms += 10000;
                if (rows[i].record) {
                        lab_sync(&s, a);
                        lab_inventory(&s, a,
                                      lab_record_at(&s, "d1", "urn:a:1", rows[i].record,
                                                    at + 1000 * rows[i].seen));
                } else {
                        lab_attach_as(&s, a, "d1", "urn:a:1", 3, at + 1000 * rows[i].seen);
                }
                if (lab_child(&s, id).gateway != (rows[i].moves ? a : b))
                        fail_msg("%s", rows[i].why);
                assert_str(lab_device(&s, id).name, "a/d1");
                stage_end(&s);
        }
}

/* What is left of a gateway's devices when it is none any more, or is removed; and again when it
 * tells of them. */
static void a_forgotten_gateway_leaves_its_devices_detached(void **state)
{
        (void)state;
        for (unsigned removed = 0; removed < 2; removed++) {
                int64_t ids[150], gw, job;
                store_batch *b = store_batch_new();
                gateway_row row;
                stage s;

                lab_begin(&s);
                gw = lab_meters(&s, "g", 150, ids);
                job = lab_order(&s, ids[0], "[{\"cmd\":\"get\",\"uri\":\"./A\"}]");
                lab_run(&s);
                if (removed)
                        store_batch_add(b, STORE_DEVICE_DELETE)->of = gw;
                stage_event(b, gw, removed ? "device.removed" : "gateway.forget", "{}");
                stage_write(&s, b);
                lab_run(&s);
                for (unsigned i = 0; i < 150; i++) {
                        assert_int_equal(lab_state(&s, ids[i]), STORE_DEVICE_DETACHED);
                        assert_int_equal(lab_child(&s, ids[i]).gateway, 0);
                }
                assert_int_equal(stage_told(&s, "device.detached"), 150);
                assert_int_equal(lab_job_state(&s, job), STORE_JOB_QUEUED);
                assert_int_equal(gateway_find(s.st, gw, &s.a, &row), ODM_ENOENT);
                stage_ms += 1000;
                if (removed)
                        gw = lab_gateway(&s, "new");
                lab_attach(&s, gw, "d1", "urn:g:1");
                assert_int_equal(lab_state(&s, ids[0]), STORE_DEVICE_ACTIVE);
                assert_int_equal(lab_child(&s, ids[0]).gateway, gw);
                assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
                stage_end(&s);
        }
}

static void put_children(stage *s, int64_t from, int64_t to)
{
        store_batch *b = store_batch_new();
        odm_arena *a = store_batch_arena(b);

        for (int64_t id = from; id <= to; id++) {
                gateway_child *c = odm_new(a, gateway_child);

                assert_non_null(c);
                *c = (gateway_child){.device = id,
                                     .gateway = 1,
                                     .key = odm_arena_fmt(a, "d%lld", (long long)id)};
                store_batch_add(b, STORE_ROW_PUT)->row =
                        (store_row_op){.table = &table_gateway_child, .row = c};
        }
        stage_write(s, b);
}

static void behind_is(stage *s, long long n)
{
        odm_str line = odm_arena_fmt(&s->a, "\nnrem_gateway_devices %lld\n", n);
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 65536);
        assert_int_equal(fleet_metrics(s->f, &b), 0);
        assert_int_equal(odm_buf_put(&b, "", 1), 0);
        if (!strstr(odm_buf_view(&b).p, line.p))
                fail_msg("not %lld in\n%s", n, odm_buf_view(&b).p);
        odm_buf_done(&b);
}

static void many_devices_are_counted_once_a_minute(void **state)
{
        stage s;

        (void)state;
        lab_begin(&s);
        behind_is(&s, 0);
        put_children(&s, 1, GATEWAY_FEW - 1);
        behind_is(&s, GATEWAY_FEW - 1);
        put_children(&s, GATEWAY_FEW, GATEWAY_FEW + 5);
        behind_is(&s, GATEWAY_FEW + 5);
        put_children(&s, GATEWAY_FEW + 6, GATEWAY_FEW + 7);
        stage_ms += 59999;
        behind_is(&s, GATEWAY_FEW + 5);
        stage_ms++;
        behind_is(&s, GATEWAY_FEW + 7);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_gateway_is_found_by_what_it_tells),
                cmocka_unit_test(a_device_moves_and_keeps_its_name),
                cmocka_unit_test(states_are_those_that_gateways_tell),
                cmocka_unit_test(sleepers_are_told_together),
                cmocka_unit_test(a_lost_gateway_hides_what_is_behind_it),
                cmocka_unit_test(who_leaves_a_lost_gateway_is_there),
                cmocka_unit_test(nobody_is_taken_over_by_hearsay),
                cmocka_unit_test(where_gateways_are_marked_no_other_one_is_believed),
                cmocka_unit_test(nobody_is_behind_itself),
                cmocka_unit_test(a_stranger_pulls_nobody_over),
                cmocka_unit_test(a_stranger_gets_nobody_who_is_awaited),
                cmocka_unit_test(nobody_is_taken_over_in_two_steps),
                cmocka_unit_test(who_calls_by_itself_is_not_switched_off),
                cmocka_unit_test(what_an_operator_decided_stays_so),
                cmocka_unit_test(nobody_is_seen_in_the_future),
                cmocka_unit_test(a_claim_outlives_reads_that_fail),
                cmocka_unit_test(a_device_with_an_account_comes_back_and_moves),
                cmocka_unit_test(who_calls_by_itself_leaves_its_gateway),
                cmocka_unit_test(late_words_move_nobody),
                cmocka_unit_test(a_forgotten_gateway_leaves_its_devices_detached),
                cmocka_unit_test(many_devices_are_counted_once_a_minute),
        };

        return RUN_TESTS(tests);
}
