/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of devices behind gateways, on a log of our own: what becomes of those that the gateways
 * are given for them is written by hand; a store in memory, a clock of the test's. */
#include "gateway_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"

static void a_read_goes_through_the_gateway(void **state)
{
        int64_t id, gw, job;
        store_result_list l;
        store_tree t;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &id);
        lab_orders(&s, &id, 1, LAB_GET_FWV, &job);
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
        assert_str(lab_job(&s, job).reason, "with its gateway g");
        k = lab_carrier(&s, gw);
        assert_str(k.commands, "[{\"cmd\":\"get\",\"uri\":\"./GwDev/d1/DevDetail/FwV\"}]");
        lab_answers(&s, gw, 200, "./GwDev/d1/DevDetail/FwV", "2.5");
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_DONE);
        assert_int_equal(store_job_results(s.st, id, job, &s.a, &l), 0);
        assert_int_equal(l.n, 1);
        assert_str(l.v[0].items[0].uri, "./DevDetail/FwV");
        assert_str(l.v[0].items[0].data, "2.5");
        assert_int_equal(store_tree_get(s.st, id, ODM_STR("./DevDetail/FwV"), &s.a, &t), 0);
        assert_str(t.v[0].value, "2.5");
        assert_str(lab_device(&s, id).fwv, "2.5");
        assert_int_equal(stage_told(&s, "job.done"), 3); /* inventory, the gateway's, this one */
        stage_end(&s);
}

static void a_refusal_is_told_in_the_devices_own_words(void **state)
{
        const store_result no = {
                .status = 404, .sent = true, .text = ODM_STR("no resource is mapped to it")};
        int64_t id, gw, job;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &id);
        lab_orders(&s, &id, 1, "[{\"cmd\":\"replace\",\"uri\":\"./X/Y\",\"data\":\"1\"}]", &job);
        k = lab_carrier(&s, gw);
        lab_ends_with(&s, &k, STORE_JOB_FAILED, &no, 1);
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_FAILED);
        assert_str(lab_job(&s, job).reason,
                   "Replace ./X/Y: 404 Not found (no resource is mapped to it)");
        stage_end(&s);
}

/* More than is worked on at a time: one after the other. */
static void large_jobs_go_through(void **state)
{
        static const char head[] = "[{\"cmd\":\"replace\",\"uri\":\"./X/Y\",\"data\":\"";
        const size_t n = (size_t)8 << 20;
        char *commands = malloc(sizeof head + n + 4);
        int64_t ids[12], jobs[12];
        stage s;

        (void)state;
        memcpy(commands, head, sizeof head - 1);
        memset(commands + sizeof head - 1, 'x', n);
        memcpy(commands + sizeof head - 1 + n, "\"}]", 4);
        lab_begin(&s);
        (void)lab_meters(&s, "g", 12, ids);
        for (unsigned i = 0; i < 12; i++) {
                commands[sizeof head - 1] = (char)('a' + i);
                jobs[i] = lab_order(&s, ids[i], commands);
        }
        lab_run(&s);
        for (unsigned i = 0; i < 12; i++)
                assert_int_equal(lab_job_state(&s, jobs[i]), STORE_JOB_WAITING);
        stage_end(&s);
        free(commands);
}

/* Some sleep: what the others say does not wait for them. */
static void collected_values_are_told_as_they_come(void **state)
{
        static const char get[] = "[{\"cmd\":\"get\",\"uri\":\"./X/Y\",\"optional\":true}]";
        int64_t ids[4], gw, jobs[4];
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 4, ids);
        for (unsigned i = 0; i < 4; i++)
                jobs[i] = lab_order_kind(&s, "collection", ids[i], get, 0);
        lab_run(&s);
        assert_int_equal(lab_open_jobs(&s, gw), 1);
        k = lab_carries(&s, gw, "Operations/AggWindow");
        lab_results(
                &s, gw, lab_task_of(&k),
                "<Device ID=\"urn:g:1\" Key=\"d1\"><Cmd CmdRef=\"1\" Status=\"200\"/></Device>");
        assert_int_equal(lab_job_state(&s, jobs[0]), STORE_JOB_DONE);
        assert_int_equal(lab_job_state(&s, jobs[1]), STORE_JOB_WAITING);
        stage_end(&s);
}

static void who_is_asleep_gets_it_when_it_wakes(void **state)
{
        int64_t id, gw, job;
        odm_str clear;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &id);
        lab_orders(&s, &id, 1, "[{\"cmd\":\"replace\",\"uri\":\"./X/Y\",\"data\":\"1\"}]", &job);
        lab_answers(&s, gw, 503, "", NULL); /* it sleeps */
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
        k = lab_carries(&s, gw, "dev:urn:g:1");
        assert_true(lab_says(k.commands, "<LocURI>./X/Y</LocURI>"));
        assert_true(lab_says(k.commands, "Operations/Start"));
        lab_results(
                &s, gw, lab_task_of(&k),
                "<Device ID=\"urn:g:1\" Key=\"d1\"><Cmd CmdRef=\"1\" Status=\"200\"/></Device>");
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_DONE);
        /* told twice, and completed: nothing more comes of it */
        lab_results(
                &s, gw, lab_task_of(&k),
                "<Device ID=\"urn:g:1\" Key=\"d1\"><Cmd CmdRef=\"1\" Status=\"500\"/></Device>");
        lab_ends(&s, &k, STORE_JOB_DONE);
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_DONE);
        /* but that the gateway need not keep it, which may know that already */
        assert_int_equal(lab_open_jobs(&s, gw), 1);
        clear = odm_arena_fmt(&s.a,
                              "[{\"cmd\":\"delete\",\"uri\":\"./GwMO/Fanout/Fanout/x%lld\","
                              "\"optional\":true}]",
                              (long long)lab_task_of(&k));
        k = lab_carrier(&s, gw);
        assert_true(odm_str_eq(k.commands, clear));
        lab_ends(&s, &k, STORE_JOB_DONE);
        assert_int_equal(lab_open_jobs(&s, gw), 0);
        stage_end(&s);
}

/* What it has done before it fell asleep is not done again. */
static void what_was_done_is_not_done_again_when_it_wakes(void **state)
{
        const store_result half[] = {{.index = 0, .status = 200, .sent = true},
                                     {.index = 1, .status = 503, .sent = true}};
        int64_t id, gw, job;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &id);
        lab_orders(&s, &id, 1,
                   "[{\"cmd\":\"add\",\"uri\":\"./X/First\",\"data\":\"1\"},"
                   "{\"cmd\":\"add\",\"uri\":\"./X/Second\",\"data\":\"1\"}]",
                   &job);
        k = lab_carrier(&s, gw);
        lab_ends_with(&s, &k, STORE_JOB_FAILED, half, 2);
        k = lab_carries(&s, gw, "<LocURI>./X/Second</LocURI>");
        assert_false(lab_says(k.commands, "./X/First"));
        lab_results(
                &s, gw, lab_task_of(&k),
                "<Device ID=\"urn:g:1\" Key=\"d1\"><Cmd CmdRef=\"1\" Status=\"500\"/>"
                "<Cmd CmdRef=\"2\" Status=\"200\"/></Device>"); /* the first word on it stands */
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_DONE);
        stage_end(&s);
}

#define UPDATE                                                                                    \
        "[{\"cmd\":\"replace\",\"uri\":\"./FUMO/main/DownloadAndUpdate/PkgURL\",\"data\":\"u\"}," \
        "{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/DownloadAndUpdate\"}]"

static void the_same_for_many_is_one_task(void **state)
{
        int64_t ids[10], jobs[10], gw;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 10, ids);
        lab_orders(&s, ids, 10, UPDATE, jobs);
        assert_int_equal(lab_open_jobs(&s, gw), 1);
        k = lab_carries(&s, gw, "dev:urn:g:10");
        lab_results(&s, gw, lab_task_of(&k),
                    "<Group><Cmd CmdRef=\"1\" Status=\"200\"/>"
                    "<Cmd CmdRef=\"2\" Status=\"202\" Result=\"200\"/><Count>7</Count>"
                    "<Devices>d1 d2 d3 d4 d5 d6 d7</Devices></Group>"
                    "<Device ID=\"urn:g:8\" Key=\"d8\"><Cmd CmdRef=\"1\" Status=\"200\"/>"
                    "<Cmd CmdRef=\"2\" Status=\"202\" Result=\"402\"/></Device>");
        for (unsigned i = 0; i < 7; i++)
                assert_int_equal(lab_job_state(&s, jobs[i]), STORE_JOB_DONE);
        assert_int_equal(lab_job_state(&s, jobs[7]), STORE_JOB_FAILED);
        assert_true(lab_says(lab_job(&s, jobs[7]).reason, ": 402 "));
        lab_run(&s); /* alarms are those of a device that tells by itself */
        assert_int_equal(stage_told(&s, "alarm.raised"), 1);
        assert_int_equal(lab_job_state(&s, jobs[8]), STORE_JOB_WAITING);
        lab_ends(&s, &k, STORE_JOB_DONE); /* the gateway says that it is complete */
        assert_int_equal(lab_job_state(&s, jobs[8]), STORE_JOB_FAILED);
        assert_str(lab_job(&s, jobs[9]).reason, "its gateway told no result");
        stage_end(&s);
}

/* A device is in a task once: it is told what came of it once. */
static void the_same_twice_for_one_device_is_two_tasks(void **state)
{
        int64_t ids[2], gw;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 2, ids);
        for (unsigned i = 0; i < 4; i++)
                (void)lab_order(&s, ids[i % 2], UPDATE);
        lab_run(&s);
        assert_int_equal(lab_open_jobs(&s, gw), 2);
        stage_end(&s);
}

/* The second word on a device is none; the others of the report count. */
static void a_report_that_names_a_device_twice_counts(void **state)
{
        int64_t ids[4], jobs[4], gw;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 4, ids);
        lab_orders(&s, ids, 4, UPDATE, jobs);
        k = lab_carrier(&s, gw);
        lab_results(
                &s, gw, lab_task_of(&k),
                "<Group><Cmd CmdRef=\"1\" Status=\"200\"/>"
                "<Cmd CmdRef=\"2\" Status=\"202\" Result=\"200\"/><Count>3</Count>"
                "<Devices>d1 d2 d1</Devices></Group>"
                "<Device ID=\"urn:g:2\" Key=\"d2\"><Cmd CmdRef=\"1\" Status=\"500\"/></Device>"
                "<Device ID=\"urn:g:3\" Key=\"d3\"><Cmd CmdRef=\"1\" Status=\"500\"/></Device>");
        assert_int_equal(lab_job_state(&s, jobs[0]), STORE_JOB_DONE);
        assert_int_equal(lab_job_state(&s, jobs[1]), STORE_JOB_DONE);
        assert_int_equal(lab_job_state(&s, jobs[2]), STORE_JOB_FAILED);
        assert_int_equal(lab_job_state(&s, jobs[3]), STORE_JOB_WAITING);
        stage_end(&s);
}

/* One of them was cancelled, and that was not heard yet: the others of the report count. */
static void a_report_on_a_job_that_is_over_counts_for_the_others(void **state)
{
        store_batch *b = store_batch_new();
        int64_t ids[2], jobs[2], gw;
        store_op *op;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 2, ids);
        lab_orders(&s, ids, 2, UPDATE, jobs);
        k = lab_carrier(&s, gw);
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = ids[0];
        op->job_move.job = jobs[0];
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = STORE_JOB_CANCELLED;
        op->job_move.at = stage_ms;
        stage_write(&s, b);
        lab_results(&s, gw, lab_task_of(&k),
                    "<Group><Cmd CmdRef=\"1\" Status=\"200\"/>"
                    "<Cmd CmdRef=\"2\" Status=\"202\" Result=\"200\"/><Count>2</Count>"
                    "<Devices>d1 d2</Devices></Group>");
        assert_int_equal(lab_job_state(&s, jobs[0]), STORE_JOB_CANCELLED);
        assert_int_equal(lab_job_state(&s, jobs[1]), STORE_JOB_DONE);
        stage_end(&s);
}

/* Of a time between two seconds: the gateway is not to end it before. */
static void the_end_of_an_order_is_told_after_its_time(void **state)
{
        const int64_t at = 1800000000500;
        int64_t ids[2], gw;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 2, ids);
        for (unsigned i = 0; i < 2; i++)
                (void)lab_order_with(&s, ids[i], UPDATE, at);
        lab_run(&s);
        k = lab_carries(&s, gw, "20270115T080001Z");
        assert_int_equal(k.deadline, at + JOB_GRACE_MS);
        stage_end(&s);
}

static void a_gateway_without_fanouts_gets_them_one_by_one(void **state)
{
        const store_result no[] = {{.index = 0, .status = 404, .sent = true},
                                   {.index = 1, .status = 404, .sent = true}};
        int64_t ids[3], gw;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 3, ids);
        lab_orders(&s, ids, 3, UPDATE, NULL);
        k = lab_carrier(&s, gw);
        lab_ends_with(&s, &k, STORE_JOB_FAILED, no, 2);
        assert_int_equal(lab_open_jobs(&s, gw), 3);
        (void)lab_carries(&s, gw, "./GwDev/d1/FUMO/main/DownloadAndUpdate/PkgURL");
        stage_end(&s);
}

static void what_is_cancelled_is_taken_back(void **state)
{
        int64_t ids[2], jobs[2], gw;
        store_job k, j;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 2, ids);
        lab_orders(&s, ids, 2, UPDATE, jobs);
        k = lab_carrier(&s, gw);
        j = lab_job(&s, jobs[0]);
        lab_ends(&s, &j, STORE_JOB_CANCELLED);
        /* the other wants it: it is accepted, but not for the first one */
        assert_int_equal(lab_job_state(&s, k.id), STORE_JOB_QUEUED);
        lab_ends(&s, &k, STORE_JOB_WAITING);
        j = lab_carries(&s, gw, "/Targets/d1\"");
        assert_true(lab_says(j.commands, "\"delete\""));
        lab_ends(&s, &j, STORE_JOB_DONE);
        j = lab_job(&s, jobs[1]);
        lab_ends(&s, &j, STORE_JOB_EXPIRED);
        assert_int_equal(lab_job_state(&s, k.id), STORE_JOB_CANCELLED);
        /* and it leaves no node */
        k = lab_carries(&s, gw, "/Operations/Cancel\",\"optional\":true");
        assert_true(lab_says(k.commands, "\"cmd\":\"delete\""));
        stage_end(&s);
}

/* One that was in a session which was lost may be there. */
static void what_may_have_arrived_is_taken_back_too(void **state)
{
        int64_t ids[2], jobs[2], gw;
        store_job k, j;
        store_batch *b;
        store_op *op;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 2, ids);
        lab_orders(&s, ids, 2, UPDATE, jobs);
        k = lab_carrier(&s, gw);
        b = store_batch_new();
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = gw;
        op->job_move.job = k.id;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = STORE_JOB_QUEUED;
        op->job_move.attempt = 1;
        op->job_move.at = stage_ms;
        stage_write(&s, b);
        for (unsigned i = 0; i < 2; i++) {
                j = lab_job(&s, jobs[i]);
                lab_ends(&s, &j, STORE_JOB_CANCELLED);
        }
        assert_int_equal(lab_job_state(&s, k.id), STORE_JOB_CANCELLED);
        j = lab_carrier(&s, gw);
        if (lab_says(j.commands, "/Targets/")) {
                lab_ends(&s, &j, STORE_JOB_DONE);
                j = lab_carrier(&s, gw);
        }
        assert_true(lab_says(j.commands, "/Operations/Cancel"));
        stage_end(&s);
}

/* What the old gateway keeps for a sleeper goes on behind the new one, when it was not begun. */
static void an_order_kept_for_a_sleeper_follows_it(void **state)
{
        static const struct {
                const char *why, *entry;
                store_job_state to;
                const char *reason;
        } cases[] = {
                {"it was not begun", "State=\"7\"><Cmd Status=\"214\"/>", STORE_JOB_WAITING,
                 "with its gateway b"},
                {"it was done before",
                 "State=\"3\"><Cmd CmdRef=\"1\" Status=\"200\"/>"
                 "<Cmd CmdRef=\"2\" Status=\"202\" Result=\"200\"/>",
                 STORE_JOB_DONE, ""},
                {"nobody knows", "State=\"5\" Text=\"taken back\"><Cmd Status=\"408\"/>",
                 STORE_JOB_FAILED, "taken back"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                int64_t id, a, b, job;
                store_job k, stop;
                stage s;

                lab_begin(&s);
                a = lab_meters(&s, "a", 1, &id);
                lab_set_state(&s, id, STORE_DEVICE_ASLEEP, "device.asleep");
                lab_orders(&s, &id, 1, UPDATE, &job);
                k = lab_carries(&s, a, "/Targets/d1\"");
                lab_ends(&s, &k, STORE_JOB_WAITING);
                b = lab_gateway(&s, "b");
                lab_attach(&s, b, "d9", "urn:a:1");
                assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
                stop = lab_carries(&s, a, "/Targets/d1\"");
                assert_true(lab_says(stop.commands, "\"delete\""));
                assert_int_equal(lab_open_jobs(&s, b), 1); /* its inventory */
                lab_ends(&s, &stop, STORE_JOB_DONE);
                lab_results(&s, a, lab_task_of(&k),
                            odm_arena_fmt(&s.a, "<Device ID=\"urn:a:1\" Key=\"d1\" %s</Device>",
                                          cases[i].entry)
                                    .p);
                if (lab_job_state(&s, job) != cases[i].to ||
                    !odm_str_is(lab_job(&s, job).reason, cases[i].reason))
                        fail_msg("%s: %s %s", cases[i].why,
                                 store_job_state_name(lab_job_state(&s, job)),
                                 odm_arena_fmt(&s.a, "%.*s", (int)lab_job(&s, job).reason.n,
                                               lab_job(&s, job).reason.p)
                                         .p);
                stage_end(&s);
        }
}

static void a_device_that_moves_takes_its_jobs_along(void **state)
{
        int64_t id, a, b, job;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        a = lab_meters(&s, "a", 1, &id);
        lab_orders(&s, &id, 1, LAB_GET_FWV, &job);
        k = lab_carrier(&s, a);
        b = lab_gateway(&s, "b");
        lab_attach(&s, b, "d9", "urn:a:1");
        assert_int_equal(lab_job_state(&s, k.id), STORE_JOB_CANCELLED);
        k = lab_carrier(&s, b); /* its inventory, for it is new */
        lab_ends(&s, &k, STORE_JOB_FAILED);
        (void)lab_carries(&s, b, "./GwDev/d9/DevDetail/FwV");
        lab_answers(&s, b, 200, "./GwDev/d9/DevDetail/FwV", "7");
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_DONE);
        stage_end(&s);
}

#define NAMED "[{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/Update\",\"correlator\":\"c-1\"}]"

/* The old gateway knows whether the Exec waits there still: then it goes along, and is not done by
 * both. */
static void an_exec_that_waits_is_taken_back(void **state)
{
        static const struct {
                const char *why;
                store_job_state carrier, stop;
                unsigned status; /* of the stop; 0: none */
                store_job_state to;
                const char *reason;
        } cases[] = {
                {"it waited", STORE_JOB_WAITING, STORE_JOB_DONE, 200, STORE_JOB_WAITING,
                 "with its gateway b"},
                {"it was on its way there", STORE_JOB_IN_SESSION, STORE_JOB_DONE, 200,
                 STORE_JOB_WAITING, "with its gateway b"},
                {"its device had it", STORE_JOB_WAITING, STORE_JOB_DONE, 404, STORE_JOB_FAILED,
                 "it left its gateway meanwhile; what became of it is not known"},
                {"the gateway is gone", STORE_JOB_WAITING, STORE_JOB_EXPIRED, 0, STORE_JOB_FAILED,
                 "it left its gateway meanwhile; what became of it is not known"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                const store_result r = {.status = cases[i].status, .sent = true};
                int64_t id, a, b, job;
                store_job k, stop;
                stage s;

                lab_begin(&s);
                a = lab_meters(&s, "a", 1, &id);
                lab_orders(&s, &id, 1, NAMED, &job);
                k = lab_carrier(&s, a);
                lab_ends(&s, &k, cases[i].carrier);
                b = lab_gateway(&s, "b");
                lab_attach(&s, b, "d9", "urn:a:1");
                assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
                stop = lab_carries(&s, a, GATEWAY_TAKE_BACK);
                assert_true(lab_says(stop.commands, "\"c-1\""));
                lab_ends_with(&s, &stop, cases[i].stop, &r, cases[i].status != 0);
                if (lab_job_state(&s, job) != cases[i].to ||
                    !odm_str_is(lab_job(&s, job).reason, cases[i].reason))
                        fail_msg("%s: %s", cases[i].why,
                                 store_job_state_name(lab_job_state(&s, job)));
                assert_int_equal(lab_job_state(&s, k.id), STORE_JOB_CANCELLED);
                stage_end(&s);
        }
}

/* Whom nobody waits for any more is not done, once its device wakes. */
static void a_job_that_is_cancelled_takes_its_exec_back(void **state)
{
        int64_t id, gw, job;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &id);
        lab_orders(&s, &id, 1, NAMED, &job);
        k = lab_carrier(&s, gw);
        lab_ends(&s, &k, STORE_JOB_WAITING);
        k = lab_job(&s, job);
        lab_ends(&s, &k, STORE_JOB_CANCELLED);
        (void)lab_carries(&s, gw, GATEWAY_TAKE_BACK);
        stage_end(&s);
}

#define TWO_EXECS                                             \
        "[{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/Update\"}," \
        "{\"cmd\":\"exec\",\"uri\":\"./DiagMon/Restart/Operations/Start\"}]"

static void what_had_begun_is_not_done_twice(void **state)
{
        static const struct {
                const char *why, *commands;
                store_job_state carrier, to;
        } cases[] = {
                {"an Exec that nobody has begun", UPDATE, STORE_JOB_QUEUED, STORE_JOB_WAITING},
                {"two that are being sent", TWO_EXECS, STORE_JOB_IN_SESSION, STORE_JOB_FAILED},
                {"two that were accepted", TWO_EXECS, STORE_JOB_WAITING, STORE_JOB_FAILED},
                {"an Add in an Atomic",
                 "[{\"cmd\":\"atomic\",\"commands\":[{\"cmd\":\"add\",\"uri\":\"./A\","
                 "\"data\":\"1\"}]}]",
                 STORE_JOB_IN_SESSION, STORE_JOB_FAILED},
                {"a read", LAB_GET_FWV, STORE_JOB_IN_SESSION, STORE_JOB_WAITING},
                {"a Replace", "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"data\":\"1\"}]",
                 STORE_JOB_IN_SESSION, STORE_JOB_WAITING},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                int64_t id, a, b, job;
                store_job k;
                stage s;

                lab_begin(&s);
                a = lab_meters(&s, "a", 1, &id);
                lab_orders(&s, &id, 1, cases[i].commands, &job);
                k = lab_carrier(&s, a);
                if (cases[i].carrier != STORE_JOB_QUEUED)
                        lab_ends(&s, &k, cases[i].carrier);
                b = lab_gateway(&s, "b");
                lab_attach(&s, b, "d9", "urn:a:1");
                if (lab_job_state(&s, job) != cases[i].to)
                        fail_msg("%s: %s", cases[i].why,
                                 store_job_state_name(lab_job_state(&s, job)));
                if (cases[i].to == STORE_JOB_FAILED)
                        assert_str(lab_job(&s, job).reason,
                                   "it left its gateway meanwhile; what became of it is not known");
                else
                        assert_str(lab_job(&s, job).reason, "with its gateway b");
                stage_end(&s);
        }
}

/* More than its gateway may have: the rest goes when those have ended. */
static void a_gateway_is_not_drowned(void **state)
{
        int64_t ids[300], gw, other, id;
        char get_it[64];
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 300, ids);
        for (unsigned n = 0; n < 4; n++)
                for (unsigned i = 0; i < 300; i++) { /* no two alike */
                        (void)snprintf(get_it, sizeof get_it,
                                       "[{\"cmd\":\"get\",\"uri\":\"./A/%u-%u\"}]", n, i);
                        (void)lab_order(&s, ids[i], odm_arena_copy(&s.a, odm_cstr(get_it)).p);
                }
        (void)stage_run(&s, 2000);
        assert_int_equal(lab_open_jobs(&s, gw), 900);
        other = lab_meters(&s, "o", 1, &id); /* no other one waits for it */
        (void)lab_order(&s, id, LAB_GET_FWV);
        (void)stage_run(&s, 2000);
        assert_int_equal(lab_open_jobs(&s, other), 1);
        k = lab_carrier(&s, gw);
        lab_ends(&s, &k, STORE_JOB_FAILED);
        assert_int_equal(lab_open_jobs(&s, gw), 900);
        stage_end(&s);
}

static void jobs_of_before_a_kill_are_found(void **state)
{
        int64_t id, gw, job, others[2];
        store_batch *b = store_batch_new();
        store_op *op;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &id);
        others[0] = lab_gateway(&s, "x");
        others[1] = lab_gateway(&s, "y");
        op = store_batch_add(b, STORE_JOB_CREATE);
        op->job = (store_job){
                .device = id, .kind = ODM_STR("test"), .commands = ODM_STR(LAB_GET_FWV)};
        assert_int_equal(store_write_sync(s.st, b), 0); /* and nobody was told */
        job = op->id;
        store_batch_free(b);
        b = store_batch_new();
        for (unsigned i = 0; i < 1100; i++) { /* more than are looked through at once */
                op = store_batch_add(b, STORE_JOB_CREATE);
                op->job = (store_job){.device = others[i % 2],
                                      .kind = ODM_STR("test"),
                                      .commands = ODM_STR(LAB_GET_FWV)};
        }
        stage_write(&s, b);
        stage_open(&s);
        lab_run(&s);
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
        stage_open(&s); /* given once, it is not given again */
        lab_run(&s);
        assert_int_equal(lab_open_jobs(&s, gw), 1);
        stage_open(&s);
        lab_answers(&s, gw, 200, "./GwDev/d1/DevDetail/FwV", "1");
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_DONE);
        stage_end(&s);
}

/* Every write that can fail fails once: in the end all is as if none had. */
static void what_cannot_be_written_is_done_later(void **state)
{
        (void)state;
        for (uint64_t at = 1; at < 40; at++) {
                int64_t ids[3], jobs[3], gw;
                store_fault f;
                int64_t next;
                store_job k;
                stage s;

                lab_begin(&s);
                gw = lab_meters(&s, "g", 3, ids);
                for (unsigned i = 0; i < 3; i++)
                        jobs[i] = lab_order(&s, ids[i], UPDATE);
                f = store_fault_get(&s.fault);
                f.fail_write = f.writes + at;
                store_fault_set(&s.fault, f);
                for (unsigned i = 0; i < 5; i++) {
                        int rc = fleet_run(s.f, 100, &next);

                        assert_true(rc == 0 || rc == ODM_EIO);
                        stage_ms += 6000;
                }
                f = store_fault_get(&s.fault);
                f.fail_write = 0;
                store_fault_set(&s.fault, f);
                lab_run(&s);
                assert_int_equal(lab_open_jobs(&s, gw), 1);
                k = lab_carrier(&s, gw);
                lab_results(&s, gw, lab_task_of(&k),
                            "<Group><Cmd CmdRef=\"1\" Status=\"200\"/><Cmd CmdRef=\"2\" "
                            "Status=\"200\"/>"
                            "<Count>3</Count><Devices>d1 d2 d3</Devices></Group>");
                for (unsigned i = 0; i < 3; i++)
                        assert_int_equal(lab_job_state(&s, jobs[i]), STORE_JOB_DONE);
                stage_end(&s);
        }
}

static void a_device_behind_two_gateways_is_reached(void **state)
{
        int64_t id, outer, inner, job;
        stage s;

        (void)state;
        lab_begin(&s);
        outer = lab_meters(&s, "o", 1, &inner);
        /* as heard.c takes what is said below ./GwDev/d1 */
        lab_attach(&s, inner, "d5", "urn:deep");
        lab_answers(&s, outer, 404, "", NULL); /* the inner one's inventory: no */
        id = lab_by_devid(&s, "urn:deep");
        assert_true(id > 0); /* then what was told of it has to do */
        assert_str(lab_device(&s, id).name, "o/d1/d5");
        lab_orders(&s, &id, 1, LAB_GET_FWV, &job);
        (void)lab_carries(&s, outer, "./GwDev/d1/GwDev/d5/DevDetail/FwV");
        lab_answers(&s, outer, 200, "./GwDev/d1/GwDev/d5/DevDetail/FwV", "3");
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_DONE);
        assert_str(lab_device(&s, id).fwv, "3");
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_read_goes_through_the_gateway),
                cmocka_unit_test(a_refusal_is_told_in_the_devices_own_words),
                cmocka_unit_test(large_jobs_go_through),
                cmocka_unit_test(collected_values_are_told_as_they_come),
                cmocka_unit_test(who_is_asleep_gets_it_when_it_wakes),
                cmocka_unit_test(the_same_for_many_is_one_task),
                cmocka_unit_test(what_was_done_is_not_done_again_when_it_wakes),
                cmocka_unit_test(the_same_twice_for_one_device_is_two_tasks),
                cmocka_unit_test(a_report_that_names_a_device_twice_counts),
                cmocka_unit_test(a_report_on_a_job_that_is_over_counts_for_the_others),
                cmocka_unit_test(the_end_of_an_order_is_told_after_its_time),
                cmocka_unit_test(a_gateway_without_fanouts_gets_them_one_by_one),
                cmocka_unit_test(what_is_cancelled_is_taken_back),
                cmocka_unit_test(what_may_have_arrived_is_taken_back_too),
                cmocka_unit_test(an_order_kept_for_a_sleeper_follows_it),
                cmocka_unit_test(a_device_that_moves_takes_its_jobs_along),
                cmocka_unit_test(an_exec_that_waits_is_taken_back),
                cmocka_unit_test(a_job_that_is_cancelled_takes_its_exec_back),
                cmocka_unit_test(what_had_begun_is_not_done_twice),
                cmocka_unit_test(a_gateway_is_not_drowned),
                cmocka_unit_test(jobs_of_before_a_kill_are_found),
                cmocka_unit_test(what_cannot_be_written_is_done_later),
                cmocka_unit_test(a_device_behind_two_gateways_is_reached),
        };

        return RUN_TESTS(tests);
}
