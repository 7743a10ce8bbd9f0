/* SPDX-License-Identifier: Apache-2.0 */
/* strangers_test.c - devices that have not all of DM, or little room, and jobs that are done all
 * the same. */
#include <unistd.h>

#include "world.h"

static int setup(void **state)
{
        *state = world_new(sizeof(world), NULL);
        return 0;
}

static int setup_xml(void **state)
{
        (void)setup(state);
        ((world *)*state)->codec = &odm_codec_xml;
        return 0;
}

/* The value of a node in the result of a job's command; NULL when it is not among them. */
static const store_value *found(world *w, int64_t job, uint32_t index, const char *uri)
{
        store_result_list l;

        assert_int_equal(store_job_results(w->store, w->device, job, &w->a, &l), 0);
        for (size_t i = 0; i < l.n; i++)
                for (size_t k = 0; l.v[i].index == index && k < l.v[i].n_items; k++)
                        if (odm_str_is(l.v[i].items[k].uri, uri))
                                return &l.v[i].items[k];
        return NULL;
}

static const char *why_of(world *w, int64_t job, uint32_t index)
{
        store_result_list l;

        assert_int_equal(store_job_results(w->store, w->device, job, &w->a, &l), 0);
        for (size_t i = 0; i < l.n; i++)
                if (l.v[i].index == index && l.v[i].text.p)
                        return odm_arena_copy(&w->a, l.v[i].text).p;
        return "";
}

/* ---- lists ------------------------------------------------------------------------------ */

static void a_list_that_is_refused_is_read_node_by_node(void **state)
{
        world *w = *state;
        const store_value *v;
        int64_t job, other;

        w->no_list = true;
        world_start(w);
        job = world_job(w,
                        "[{\"cmd\":\"get\",\"uri\":\"./Vendor/lab?list=StructData\"},"
                        "{\"cmd\":\"get\",\"uri\":\"./DevInfo?list=TNDS+Type\"},"
                        "{\"cmd\":\"get\",\"uri\":\"./DevInfo?list=Struct\"},"
                        "{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Text\",\"data\":\"new\"}]",
                        false);
        other = world_job(w, JOB_REPLACE("./Vendor/lab/Text", "last"), false);
        expect_done(w);
        expect_job(w, job, "done");
        expect_results(w, job, "200 200 200 200");
        expect_job(w, other, "done");
        v = found(w, job, 0, "./Vendor/lab/Text");
        assert_non_null(v);
        assert_str(v->data, "hello"); /* it was read before it was changed */
        v = found(w, job, 0, "./Vendor/lab");
        assert_non_null(v);
        assert_str(v->format, "node");
        assert_null(v->data.p);
        assert_non_null(strstr(why_of(w, job, 0), "one by one"));
        assert_non_null(found(w, job, 1, "./DevInfo/Mod"));
        assert_non_null(found(w, job, 1, "./DevInfo/Mod")->data.p);
        v = found(w, job, 2, "./DevInfo/Mod");
        assert_non_null(v);
        assert_null(v->data.p);                      /* names were asked for */
        expect_node(w, "./Vendor/lab/Text", "last"); /* the next job did not overtake */
        expect_node(w, "./Vendor/lab/Level", "1");
}

static void a_list_of_what_is_not_there_fails(void **state)
{
        world *w = *state;
        int64_t job;

        w->no_list = true;
        world_start(w);
        job = world_job(w, JOB_GET("./No/Such?list=StructData"), false);
        expect_done(w);
        expect_job(w, job, "failed: Get ./No/Such: 404 Not found");
        expect_results(w, job, "404");
}

static void a_job_may_want_no_fallback(void **state)
{
        world *w = *state;
        int64_t job;

        w->no_list = true;
        world_start(w);
        job = world_job(w,
                        "[{\"cmd\":\"get\",\"uri\":\"./Vendor/lab?list=StructData\","
                        "\"fallback\":false}]",
                        false);
        expect_done(w);
        expect_job(w, job, "failed: Get ./Vendor/lab: 406");
}

/* Wherever the session is lost, the next one brings it to its end. */
static void a_walk_that_is_lost_is_begun_again(void **state)
{
        world *w = *state;

        w->no_list = true;
        world_start(w);
        for (unsigned i = 2; i < 6; i++) {
                int64_t job =
                        world_job(w,
                                  "[{\"cmd\":\"get\",\"uri\":\"./Vendor/lab?list=StructData\"},"
                                  "{\"cmd\":\"get\",\"uri\":\"./DevInfo/Man\"}]",
                                  false);
                w->stop_after = i;
                world_session(w);
                w->stop_after = 0;
                expect_done(w);
                expect_done(w);
                world_wait(w, job, STORE_JOB_DONE);
                expect_results(w, job, "200 200");
                assert_non_null(found(w, job, 0, "./Vendor/lab/Text"));
        }
}

/* ---- what is optional --------------------------------------------------------------------- */

static void an_atomic_that_is_refused_is_split_where_the_job_allows(void **state)
{
        static const char split[] =
                "[{\"cmd\":\"atomic\",\"split\":true,\"commands\":["
                "{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Text\",\"data\":\"one\"},"
                "{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Level\",\"format\":\"int\",\"data\":"
                "\"7\"}]}]";
        static const char whole[] = JOB_REPLACE("./Vendor/lab/Text", "two");
        world *w = *state;
        char text[32];
        int64_t job, other;

        w->no_atomic = true;
        world_start(w);
        other = world_job(w, whole, true);
        job = world_job(w, split, false);
        expect_done(w);
        expect_job(w, other, "failed: Atomic: 406");
        expect_job(w, job, "done");
        expect_results(w, job, "200 200 200");
        assert_non_null(strstr(why_of(w, job, 0), "no Atomic"));
        assert_true(device_read(&w->dev, "./Vendor/lab/Text", text, sizeof text));
        assert_string_equal(text, "one");
        assert_true(device_read(&w->dev, "./Vendor/lab/Level", text, sizeof text));
        assert_string_equal(text, "7");
        w->no_atomic = false; /* and one that has it gets it whole */
        job = world_job(w, split, false);
        expect_done(w);
        expect_job(w, job, "done");
        assert_string_equal(why_of(w, job, 0), "");
}

static void the_pieces_of_an_atomic_survive_a_lost_session(void **state)
{
        world *w = *state;

        w->no_atomic = true;
        world_start(w);
        for (unsigned i = 2; i < 5; i++) {
                int64_t job = world_job(
                        w,
                        "[{\"cmd\":\"atomic\",\"split\":true,\"commands\":["
                        "{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Text\",\"data\":\"one\"},"
                        "{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Level\",\"format\":\"int\","
                        "\"data\":\"7\"}]},{\"cmd\":\"get\",\"uri\":\"./DevInfo/Man\"}]",
                        false);
                w->stop_after = i;
                world_session(w);
                w->stop_after = 0;
                expect_done(w);
                expect_done(w);
                world_wait(w, job, STORE_JOB_DONE);
                expect_results(w, job, "200 200 200 200");
        }
}

static void optional_commands_may_be_refused(void **state)
{
        world *w = *state;
        int64_t job, strict;

        w->no_copy = true;
        world_start(w);
        job = world_job(w,
                        "[{\"cmd\":\"copy\",\"uri\":\"./Vendor/lab/Items/a\",\"source\":"
                        "\"./Vendor/lab/Text\",\"optional\":true},"
                        "{\"cmd\":\"get\",\"uri\":\"./No/Such\",\"optional\":true},"
                        "{\"cmd\":\"delete\",\"uri\":\"./DevInfo\",\"optional\":true},"
                        "{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Text\",\"data\":\"on\"}]",
                        false);
        strict = world_job(w,
                           "[{\"cmd\":\"copy\",\"uri\":\"./Vendor/lab/Items/a\",\"source\":"
                           "\"./Vendor/lab/Text\"}]",
                           false);
        expect_done(w);
        expect_job(w, job, "done");
        expect_results(w, job, "406 404 405 200");
        expect_job(w, strict, "failed: Copy ./Vendor/lab/Items/a: 406");
}

/* The server asks for the versions in DevDetail, which this device keeps to itself. */
static void what_the_server_asks_for_itself_fails_no_job(void **state)
{
        world *w = *state;
        const odm_op hide = {.kind = ODM_CMD_REPLACE,
                             .target = ODM_STR("./DevDetail?prop=ACL"),
                             .value = {.format = ODM_FMT_CHR, .data = ODM_STR("Get=nobody")},
                             .has_value = true};
        odm_answer out = {0};
        int64_t job;

        world_start(w);
        assert_int_equal(odm_tree_do(w->dev.tree, &hide, (odm_wall){++w->dev.wall}, &w->a, &out),
                         0);
        assert_int_equal(out.status, 200);
        job = world_job(w, JOB_GET("./DevInfo/Man"), false);
        expect_done(w);
        expect_job(w, job, "done");
}

/* ---- sessions that are all alike -------------------------------------------------------- */

/* One SessionID for ever, and no credentials: each first message is the same, octet by octet.
 * *same: the reply to the second one is the first one's. */
static void call_twice(world *w, int64_t repeat_ms, bool *same)
{
        static const char first[] = "<SyncML><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</"
                                    "VerProto><SessionID>1</SessionID>"
                                    "<MsgID>1</MsgID><Target><LocURI>http://localhost/dm</LocURI></"
                                    "Target><Source><LocURI>"
                                    "IMEI:alike</LocURI></Source></"
                                    "SyncHdr><SyncBody><Alert><CmdID>1</CmdID><Data>1201</Data>"
                                    "</Alert><Final/></SyncBody></SyncML>";
        static const char type[] = "application/vnd.syncml.dm+xml";
        store_batch *b = store_batch_new();
        char one[4000], two[4000];

        w->opt.repeat_ms = repeat_ms;
        world_start(w);
        int64_t other = world_add_another(w, "alike", "IMEI:alike");
        store_op *op = store_batch_add(b, STORE_ACCOUNT_PUT);
        op->account = (store_account){.device = other, .server_id = ODM_STR("xrem")};
        world_write(w, b);
        assert_int_equal(world_post(w, "POST", "/dm", type, odm_cstr(first), one, sizeof one), 200);
        assert_int_equal(world_post(w, "POST", "/dm", type, odm_cstr(first), two, sizeof two), 200);
        *same = strcmp(one, two) == 0; /* another session has another token in its RespURI */
}

static void a_first_message_that_comes_again_is_a_repetition(void **state)
{
        bool same;

        call_twice(*state, 60000, &same);
        assert_true(same);
}

static void but_not_for_ever(void **state)
{
        bool same;

        call_twice(*state, 0, &same);
        assert_false(same);
}

/* ---- little room ---------------------------------------------------------------------------- */

static void devices_of_small_messages_are_served(void **state)
{
        static const uint32_t sizes[] = {4096, 16384};
        world *w = *state;

        w->no_list = true;
        world_start(w);
        for (size_t i = 0; i < ODM_COUNT(sizes); i++) {
                enum { OCTETS = 60000 };
                char *body = calloc(1, OCTETS + 400);
                int n = snprintf(body, 200,
                                 "[{\"cmd\":\"replace\",\"uri\":\"./Vendor/lab/Text\",\"data\":\"");
                memset(body + n, 'a' + (int)i, OCTETS);
                (void)snprintf(body + n + OCTETS, 200,
                               "\"},{\"cmd\":\"get\",\"uri\":\"./Vendor/lab/Text\"},"
                               "{\"cmd\":\"get\",\"uri\":\"./Vendor/lab?list=StructData\"}]");
                int64_t job = world_job(w, body, false);
                w->max_msg = sizes[i];
                expect_done(w);
                expect_job(w, job, "done");
                expect_results(w, job, "200 200 200");
                assert_true(w->sent > 3 * OCTETS / sizes[i]); /* there, and back twice, in chunks */
                const store_value *v = found(w, job, 1, "./Vendor/lab/Text");
                assert_non_null(v);
                assert_int_equal(v->data.n, OCTETS);
                assert_int_equal(v->data.p[OCTETS - 1], 'a' + (int)i);
                assert_int_equal(found(w, job, 2, "./Vendor/lab/Text")->data.n, OCTETS);
                free(body);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define EACH(f)                                                    \
        cmocka_unit_test_setup_teardown(f, setup, world_teardown), \
                cmocka_unit_test_setup_teardown(f, setup_xml, world_teardown)
                EACH(a_list_that_is_refused_is_read_node_by_node),
                EACH(a_list_of_what_is_not_there_fails),
                EACH(a_job_may_want_no_fallback),
                EACH(a_walk_that_is_lost_is_begun_again),
                EACH(an_atomic_that_is_refused_is_split_where_the_job_allows),
                EACH(the_pieces_of_an_atomic_survive_a_lost_session),
                EACH(optional_commands_may_be_refused),
                EACH(what_the_server_asks_for_itself_fails_no_job),
                cmocka_unit_test_setup_teardown(a_first_message_that_comes_again_is_a_repetition,
                                                setup, world_teardown),
                cmocka_unit_test_setup_teardown(but_not_for_ever, setup, world_teardown),
                EACH(devices_of_small_messages_are_served),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
