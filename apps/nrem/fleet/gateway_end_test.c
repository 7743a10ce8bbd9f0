/* SPDX-License-Identifier: Apache-2.0 */
/* What gateways tell of devices, word for word, and what becomes of the jobs. */
#include <string.h>

#include "event.h"
#include "gateway_lab.h"

#define UPDATE                                                                                    \
        "[{\"cmd\":\"replace\",\"uri\":\"./FUMO/main/DownloadAndUpdate/PkgURL\",\"data\":\"u\"}," \
        "{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/DownloadAndUpdate\",\"correlator\":\"c-7\"}]"
#define TWO                                                      \
        "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"data\":\"1\"}," \
        "{\"cmd\":\"replace\",\"uri\":\"./B\",\"data\":\"2\"}]"
#define BOTH                                  \
        "[{\"cmd\":\"get\",\"uri\":\"./A\"}," \
        "{\"cmd\":\"get\",\"uri\":\"./B\"}]"

/* The first device of a task that its gateway keeps: for a sleeper, or, since a sleeper is not read
 * that way, for many. */
static int64_t kept(stage *s, const char *commands, int64_t *gw, int64_t *id, int64_t *task)
{
        unsigned n = strstr(commands, "\"get\"") ? 4 : 1;
        int64_t ids[4], jobs[4];
        store_job k;

        *gw = lab_meters(s, "g", n, ids);
        *id = ids[0];
        if (n == 1)
                lab_set_state(s, *id, STORE_DEVICE_ASLEEP, "device.asleep");
        lab_orders(s, ids, n, commands, jobs);
        k = lab_carries(s, *gw, "dev:urn:g:1");
        *task = lab_task_of(&k);
        lab_ends(s, &k, STORE_JOB_WAITING);
        stage_ms += 60000;
        return jobs[0];
}

static odm_str entry(stage *s, const char *says)
{
        return odm_arena_fmt(&s->a, "<Device ID=\"urn:g:1\" Key=\"d1\" %s</Device>", says);
}

/* Its own alerts, the last of them. */
static unsigned alerts_of(stage *s, int64_t device, odm_str *last)
{
        store_event_list l = {0};
        unsigned n = 0;

        assert_int_equal(event_page(s->st, 0, device, &s->a, &l), 0);
        for (size_t i = 0; i < l.n; i++)
                if (l.v[i].device == device && odm_str_is(l.v[i].kind, "alert")) {
                        n++;
                        *last = l.v[i].data;
                }
        return n;
}

static const struct row {
        const char *why, *commands, *says;
        store_job_state to;
        const char *reason;
        bool heard; /* the device itself */
} rows[] = {
        {"what went well goes without saying", TWO, "State=\"3\">", STORE_JOB_DONE, "", true},
        {"one of them is said", TWO, "State=\"3\"><Cmd CmdRef=\"1\" Status=\"200\"/>",
         STORE_JOB_DONE, "", true},
        {"nothing is said of one that failed", TWO,
         "State=\"4\"><Cmd CmdRef=\"1\" Status=\"200\"/>", STORE_JOB_FAILED,
         "Replace ./B: 0 no answer", true},
        {"what is of no command is of the first without a word", TWO,
         "State=\"4\"><Cmd CmdRef=\"1\" Status=\"200\"/><Cmd Status=\"507\"/>", STORE_JOB_FAILED,
         "Replace ./B: 507 Atomic failed", true},
        {"a number of no command is none", TWO,
         "State=\"4\"><Cmd CmdRef=\"1\" Status=\"200\"/><Cmd CmdRef=\"9\" Status=\"425\"/>",
         STORE_JOB_FAILED, "Replace ./B: 425 Permission denied", true},
        {"it was not begun", TWO, "State=\"4\" Text=\"no way there\"><Cmd Status=\"500\"/>",
         STORE_JOB_FAILED, "no way there", true},
        {"nor said why", TWO, "State=\"4\"><Cmd Status=\"500\"/>", STORE_JOB_FAILED,
         "its gateway did not begin it", true},
        {"it was not reached", TWO, "State=\"5\"><Cmd Status=\"408\"/>", STORE_JOB_FAILED,
         "its gateway could not reach it in time", false},
        {"it was taken back there", TWO, "State=\"8\"><Cmd Status=\"214\"/>", STORE_JOB_CANCELLED,
         "it was cancelled at its gateway", false},
        {"two values, one of them read", BOTH,
         "><Cmd CmdRef=\"1\" Status=\"200\"><LocURI>./A</LocURI><Data>7</Data></Cmd>"
         "<Cmd CmdRef=\"2\" Status=\"404\"/>",
         STORE_JOB_FAILED, "Get ./B: 404 Not found", true},
};

static void reports_are_taken_at_their_word(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                int64_t gw, id, task, job, before;
                store_job j;
                stage s;

                lab_begin(&s);
                job = kept(&s, r->commands, &gw, &id, &task);
                before = lab_device(&s, id).last_contact;
                lab_results(&s, gw, task, entry(&s, r->says).p);
                j = lab_job(&s, job);
                if (j.state != r->to || !odm_str_is(j.reason, r->reason))
                        fail_msg("%s: %s '%.*s'", r->why, store_job_state_name(j.state),
                                 (int)j.reason.n, j.reason.p ? j.reason.p : "");
                if (lab_device(&s, id).last_contact != (r->heard ? stage_ms : before))
                        fail_msg("%s: when it was heard", r->why);
                stage_end(&s);
        }
}

static void a_read_is_a_sign_of_the_device(void **state)
{
        int64_t id, gw;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &id);
        lab_orders(&s, &id, 1, LAB_GET_FWV, NULL);
        stage_ms += 60000;
        lab_answers(&s, gw, 200, "./GwDev/d1/DevDetail/FwV", "2.5");
        assert_int_equal(lab_device(&s, id).last_contact, stage_ms);
        stage_end(&s);
}

/* It is news as if the device had told it, once. */
static void a_result_of_long_ago_is_an_alert(void **state)
{
        static const struct {
                const char *why, *commands, *says, *data;
        } cases[] = {
                {"a failed update", UPDATE,
                 "><Cmd CmdRef=\"1\" Status=\"200\"/><Cmd CmdRef=\"2\" Status=\"202\" "
                 "Result=\"402\"/><Cmd CmdRef=\"2\" Status=\"202\" Result=\"402\"/>",
                 "\"mark\":\"critical\",\"data\":\"402\",\"correlator\":\"c-7\"}"},
                {"a good one", UPDATE,
                 "><Cmd CmdRef=\"1\" Status=\"200\"/><Cmd CmdRef=\"2\" Status=\"202\" "
                 "Result=\"200\"/>",
                 "\"mark\":\"informational\",\"data\":\"200\",\"correlator\":\"c-7\"}"},
                {"without a name",
                 "[{\"cmd\":\"exec\",\"uri\":\"./DiagMon/Memory/Operations/Start\"}]",
                 "><Cmd CmdRef=\"1\" Status=\"202\" Result=\"1200\"/>",
                 "\"mark\":\"informational\",\"data\":\"1200\"}"},
                {"done at once", UPDATE,
                 "><Cmd CmdRef=\"1\" Status=\"200\"/><Cmd CmdRef=\"2\" Status=\"200\"/>", NULL},
                {"of no object whose alerts are known", "[{\"cmd\":\"exec\",\"uri\":\"./X/Y\"}]",
                 "><Cmd CmdRef=\"1\" Status=\"202\" Result=\"200\"/>", NULL},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                odm_str last = ODM_STR(""), want = odm_cstr(cases[i].data);
                int64_t gw, id, task;
                unsigned n;
                stage s;

                lab_begin(&s);
                (void)kept(&s, cases[i].commands, &gw, &id, &task);
                lab_results(&s, gw, task, entry(&s, cases[i].says).p);
                lab_results(&s, gw, task, entry(&s, cases[i].says).p);
                n = alerts_of(&s, id, &last);
                if (n != (want.p != NULL) || (want.p && !lab_says(last, want.p)))
                        fail_msg("%s: %u, %.*s", cases[i].why, n, (int)last.n, last.p);
                stage_end(&s);
        }
}

static void what_was_too_large_to_tell_is_said(void **state)
{
        static const struct {
                const char *says, *text;
        } cases[] = {
                {"><Cmd CmdRef=\"1\" Status=\"200\" More=\"3\"/>",
                 "3 more values were too large for the gateway's report"},
                {"><Cmd CmdRef=\"1\" Status=\"200\"><LocURI>./A/B</LocURI><Data>x</Data>"
                 "<LocURI Size=\"99999\">./A/C</LocURI></Cmd>",
                 "a value of 99999 octets was too large for the gateway's report"},
                {"><Cmd CmdRef=\"1\" Status=\"200\"><LocURI Format=\"node\">./A/B</LocURI></Cmd>",
                 ""},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                int64_t gw, id, task, job;
                store_result_list l = {0};
                stage s;

                lab_begin(&s);
                job = kept(&s, "[{\"cmd\":\"get\",\"uri\":\"./A\"}]", &gw, &id, &task);
                lab_results(&s, gw, task, entry(&s, cases[i].says).p);
                assert_int_equal(store_job_results(s.st, id, job, &s.a, &l), 0);
                assert_int_equal(l.n, 1);
                if (!odm_str_is(l.v[0].text, cases[i].text))
                        fail_msg("'%.*s', not '%s'", (int)l.v[0].text.n,
                                 l.v[0].text.p ? l.v[0].text.p : "", cases[i].text);
                stage_end(&s);
        }
}

/* A fan-out that was begun is not begun again; of one that was not, devices are told one by one. */
static void a_task_that_failed_was_begun_or_not(void **state)
{
        static const struct {
                const char *why;
                store_result last;
                size_t n;
                store_job_state to;
        } cases[] = {
                {"accepted", {.index = 1, .status = 202, .sent = true}, 1, STORE_JOB_FAILED},
                {"its alert said so",
                 {.index = 1, .status = 500, .sent = true, .text = {"alert x:y", 9}},
                 1,
                 STORE_JOB_FAILED},
                {"refused", {.index = 1, .status = 507, .sent = true}, 1, STORE_JOB_WAITING},
                {"no word", {.index = 1}, 0, STORE_JOB_WAITING},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                int64_t ids[2], jobs[2], gw;
                store_job k;
                stage s;

                lab_begin(&s);
                gw = lab_meters(&s, "g", 2, ids);
                lab_orders(&s, ids, 2, UPDATE, jobs);
                k = lab_carries(&s, gw, "dev:urn:g:2");
                lab_ends_with(&s, &k, STORE_JOB_FAILED, &cases[i].last, cases[i].n);
                for (unsigned n = 0; n < 2; n++)
                        if (lab_job_state(&s, jobs[n]) != cases[i].to)
                                fail_msg("%s: %s", cases[i].why,
                                         store_job_state_name(lab_job_state(&s, jobs[n])));
                stage_end(&s);
        }
}

/* Of an Atomic all is done again, and of the rest what was not done. */
static void a_sleeper_gets_an_atomic_whole(void **state)
{
        const store_result said[] = {{.index = 0, .status = 507, .sent = true},
                                     {.index = 1, .status = 216, .sent = true},
                                     {.index = 2, .status = 503, .sent = true},
                                     {.index = 3, .status = 200, .sent = true}};
        int64_t id, gw, job;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &id);
        lab_orders(&s, &id, 1,
                   "[{\"cmd\":\"atomic\",\"commands\":[{\"cmd\":\"add\",\"uri\":\"./X/1\","
                   "\"data\":\"1\"},{\"cmd\":\"add\",\"uri\":\"./X/2\",\"data\":\"2\"}]},"
                   "{\"cmd\":\"add\",\"uri\":\"./X/3\",\"data\":\"3\"}]",
                   &job);
        k = lab_carrier(&s, gw);
        lab_ends_with(&s, &k, STORE_JOB_FAILED, said, 4);
        k = lab_carries(&s, gw, "<LocURI>./X/1</LocURI>");
        assert_true(lab_says(k.commands, "<LocURI>./X/2</LocURI>"));
        assert_false(lab_says(k.commands, "<LocURI>./X/3</LocURI>"));
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
        stage_end(&s);
}

/* It is one of many, and its gateway has not taken the order: it goes along, and the others keep
 * theirs. */
static void one_of_many_that_moves_is_taken_out(void **state)
{
        int64_t ids[2], jobs[2], a, b;
        store_job k, out;
        stage s;

        (void)state;
        lab_begin(&s);
        a = lab_meters(&s, "a", 2, ids);
        b = lab_meters(&s, "b", 1, &(int64_t){0});
        lab_orders(&s, ids, 2, UPDATE, jobs);
        k = lab_carries(&s, a, "dev:urn:a:2");
        lab_attach(&s, b, "d9", "urn:a:1");
        assert_str(lab_job(&s, jobs[0]).reason, "with its gateway b");
        (void)lab_carries(&s, b, "./GwDev/d9/FUMO/main/DownloadAndUpdate");
        assert_int_equal(lab_open_jobs(&s, a), 2); /* the task, and what takes it out */
        lab_ends(&s, &k, STORE_JOB_WAITING);
        out = lab_carries(&s, a, "/Targets/d1\"");
        assert_true(lab_says(out.commands, "\"delete\""));
        lab_results(&s, a, lab_task_of(&k),
                    "<Device ID=\"urn:a:2\" Key=\"d2\"><Cmd CmdRef=\"1\" Status=\"200\"/>"
                    "<Cmd CmdRef=\"2\" Status=\"200\"/></Device>");
        assert_int_equal(lab_job_state(&s, jobs[1]), STORE_JOB_DONE);
        assert_int_equal(lab_job_state(&s, jobs[0]), STORE_JOB_WAITING);
        stage_end(&s);
}

/* That its job has just ended holds up no move. */
static void a_job_that_is_over_holds_up_no_move(void **state)
{
        store_batch *w = store_batch_new();
        int64_t id, a, b, job;
        store_op *op;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        a = lab_meters(&s, "a", 1, &id);
        b = lab_gateway(&s, "b");
        lab_orders(&s, &id, 1, "[{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/Update\"}]", &job);
        k = lab_carrier(&s, a);
        lab_ends(&s, &k, STORE_JOB_IN_SESSION);
        op = store_batch_add(w, STORE_JOB_MOVE); /* and that was not heard yet */
        op->job_move.device = id;
        op->job_move.job = job;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = STORE_JOB_EXPIRED;
        op->job_move.at = stage_ms;
        stage_write(&s, w);
        lab_attach(&s, b, "d9", "urn:a:1");
        assert_int_equal(lab_child(&s, id).gateway, b);
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_EXPIRED);
        assert_int_equal(lab_job_state(&s, k.id), STORE_JOB_CANCELLED);
        stage_end(&s);
}

/* A device asks for what it needs: that is an event.  A gateway that asks to be read is read. */
static void requests_are_told(void **state)
{
        static const struct {
                const char *why, *says;
                bool gateway, told, read;
        } cases[] = {
                {"a resync", "<TaskRequest><Kind>resync</Kind></TaskRequest>", true, true, true},
                {"of what is no gateway", "<TaskRequest><Kind>resync</Kind></TaskRequest>", false,
                 true, false},
                {"something else",
                 "<TaskRequest><Kind>update</Kind><Detail>M1</Detail></TaskRequest>", true, true,
                 false},
                {"no request", "<TaskRequest/>", true, false, false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                const store_device plain = {.name = ODM_STR("p"), .state = STORE_DEVICE_ACTIVE};
                int64_t id, ids[1];
                stage s;

                lab_begin(&s);
                id = cases[i].gateway ? lab_meters(&s, "g", 1, ids) : stage_device(&s, &plain);
                lab_alert(&s, id, "urn:oma:at:x-xrem-gw:1.0:TaskRequest", "./GwMO", cases[i].says);
                if (stage_told(&s, "gateway.request") != cases[i].told ||
                    lab_open_jobs(&s, id) != cases[i].read)
                        fail_msg("%s: %u events, %u jobs", cases[i].why,
                                 stage_told(&s, "gateway.request"), lab_open_jobs(&s, id));
                if (cases[i].read)
                        (void)lab_carries(&s, id, GATEWAY_RECORDS);
                stage_end(&s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reports_are_taken_at_their_word),
                cmocka_unit_test(a_read_is_a_sign_of_the_device),
                cmocka_unit_test(a_result_of_long_ago_is_an_alert),
                cmocka_unit_test(what_was_too_large_to_tell_is_said),
                cmocka_unit_test(a_task_that_failed_was_begun_or_not),
                cmocka_unit_test(a_sleeper_gets_an_atomic_whole),
                cmocka_unit_test(one_of_many_that_moves_is_taken_out),
                cmocka_unit_test(a_job_that_is_over_holds_up_no_move),
                cmocka_unit_test(requests_are_told),
        };

        return RUN_TESTS(tests);
}
