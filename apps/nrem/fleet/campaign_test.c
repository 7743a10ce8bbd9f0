/* SPDX-License-Identifier: Apache-2.0 */
#include "campaign.h"

#include "support.h"

/* ---- states: every arrow, every refusal ---------------------------------------------------- */

static const struct arrow {
        campaign_state from;
        const char *to[8]; /* by action; NULL: refused */
} arrows[] = {
        /*                   approve  start      pause     resume     cancel       retry rollback
           remove */
        {CAMPAIGN_DRAFT, {"draft", "running", NULL, NULL, "cancelled", NULL, NULL, "draft"}},
        {CAMPAIGN_RUNNING, {NULL, NULL, "paused", NULL, "cancelled", "running", "cancelled", NULL}},
        {CAMPAIGN_PAUSED, {NULL, NULL, NULL, "running", "cancelled", "running", "cancelled", NULL}},
        {CAMPAIGN_HALTED, {NULL, NULL, NULL, "running", "cancelled", "running", "cancelled", NULL}},
        {CAMPAIGN_DONE, {NULL, NULL, NULL, NULL, NULL, "running", "done", "done"}},
        {CAMPAIGN_CANCELLED, {NULL, NULL, NULL, NULL, NULL, NULL, "cancelled", "cancelled"}},
};

static void every_action_does_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(arrows); i++)
                for (unsigned a = 0; campaign_actions[a]; a++) {
                        campaign_state to = (campaign_state)77;
                        bool approve = a == CAMPAIGN_APPROVE;
                        const char *no = campaign_may(arrows[i].from, (campaign_action)a, approve,
                                                      false, &to);
                        const char *want = arrows[i].to[a];

                        if (!want && (!no || to != (campaign_state)77))
                                fail_msg("%s %s is possible", campaign_states[arrows[i].from],
                                         campaign_actions[a]);
                        if (want && (no || strcmp(campaign_states[to], want) != 0))
                                fail_msg("%s %s: %s", campaign_states[arrows[i].from],
                                         campaign_actions[a], no ? no : campaign_states[to]);
                }
}

static void approval_is_wanted_where_the_plan_says_so(void **state)
{
        campaign_state to;

        (void)state;
        assert_non_null(campaign_may(CAMPAIGN_DRAFT, CAMPAIGN_START, true, false, &to));
        assert_null(campaign_may(CAMPAIGN_DRAFT, CAMPAIGN_START, true, true, &to));
        assert_non_null(campaign_may(CAMPAIGN_DRAFT, CAMPAIGN_APPROVE, false, false, &to));
        assert_non_null(campaign_may(CAMPAIGN_DRAFT, CAMPAIGN_APPROVE, true, true, &to));
}

/* ---- verdicts -------------------------------------------------------------------------------- */

#define FUMO "org.openmobilealliance.dm.firmwareupdate.downloadandupdate"
#define SCOMO "urn:oma:at:scomo:1.0:OperationComplete"

static const struct verdict {
        const char *why, *type;
        unsigned status;
        campaign_class class;
} verdicts[] = {
        {"firmware installed", FUMO, 200, CLASS_NONE},
        {"a damaged package", FUMO, 402, CLASS_CORRUPT},
        {"a stranger's signature", FUMO, 404, CLASS_SIGNATURE},
        {"the same number as a Status", NULL, 404, CLASS_UNSUPPORTED},
        {"the download was cut", FUMO, 503, CLASS_NETWORK},
        {"the device is busy", NULL, 405, CLASS_BUSY},
        {"not for this device", FUMO, 403, CLASS_UNFIT},
        {"no room", FUMO, 501, CLASS_SPACE},
        {"the trial failed", FUMO, 410, CLASS_INSTALL},
        {"a number of the vendor's", FUMO, 450, CLASS_OTHER},
        {"software installed", SCOMO, 1200, CLASS_NONE},
        {"of the vendor's, and good", SCOMO, 1250, CLASS_NONE},
        {"no dependency", SCOMO, 1405, CLASS_INSTALL},
        {"the environment", SCOMO, 1413, CLASS_UNFIT},
        {"the server may not", NULL, 425, CLASS_DENIED},
        {"an alert of another kind", "urn:oma:at:lawmo:1.0:x", 1405, CLASS_OTHER},
        {"done", NULL, 200, CLASS_NONE},
        {"a failure of the device's", NULL, 500, CLASS_OTHER},
};

static void results_are_classed_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(verdicts); i++)
                if (campaign_class_of(odm_cstr(verdicts[i].type), verdicts[i].status) !=
                    verdicts[i].class)
                        fail_msg("%s", verdicts[i].why);
}

static void later_tries_wait_longer(void **state)
{
        campaign_plan p;

        (void)state;
        campaign_plan_init(&p);
        p.retry_delay = 100;
        p.retry_most = 350;
        assert_int_equal(campaign_delay(&p, 1), 100);
        assert_int_equal(campaign_delay(&p, 2), 200);
        assert_int_equal(campaign_delay(&p, 3), 350);
        assert_int_equal(campaign_delay(&p, 99), 350);
        assert_true(campaign_retries(&p, CLASS_NETWORK, 2));
        assert_false(campaign_retries(&p, CLASS_NETWORK, 3));
        assert_false(campaign_retries(&p, CLASS_SIGNATURE, 1));
        p.retries = 0;
        assert_false(campaign_retries(&p, CLASS_NETWORK, 1));
}

/* ---- waves ----------------------------------------------------------------------------------- */

static const struct wave_row {
        const char *why;
        campaign_share canary, wave;
        int64_t total, bound[5]; /* of waves 1 to 5 */
} waves[] = {
        {"all at once", {0}, {0}, 100, {100, 100, 100, 100, 100}},
        {"a canary, then all", {.count = 5}, {0}, 100, {5, 100, 100, 100, 100}},
        {"a canary and waves", {.count = 5}, {.count = 40}, 100, {5, 45, 85, 100, 100}},
        {"shares", {.percent = 1}, {.percent = 25}, 1000, {10, 260, 510, 760, 1000}},
        {"a share is rounded up", {.percent = 1}, {.percent = 50}, 5, {1, 4, 5, 5, 5}},
        {"waves alone", {0}, {.count = 30}, 100, {30, 60, 90, 100, 100}},
        {"a canary beyond all", {.count = 500}, {.count = 1}, 100, {100, 100, 100, 100, 100}},
        {"nobody", {.count = 5}, {.count = 5}, 0, {0, 0, 0, 0, 0}},
        {"large waves", {.count = 1}, {.count = 10000000}, 100, {1, 100, 100, 100, 100}},
};

static void waves_end_where_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(waves); i++) {
                campaign_plan p;

                campaign_plan_init(&p);
                p.canary = waves[i].canary;
                p.wave = waves[i].wave;
                assert_int_equal(campaign_bound(&p, 0, waves[i].total), 0);
                for (uint32_t w = 1; w <= 5; w++)
                        if (campaign_bound(&p, w, waves[i].total) != waves[i].bound[w - 1])
                                fail_msg("%s: wave %u is %lld", waves[i].why, w,
                                         (long long)campaign_bound(&p, w, waves[i].total));
                for (int64_t n = 1; n <= waves[i].total; n++) {
                        uint32_t w = campaign_wave_of(&p, n, waves[i].total);
                        if (n > campaign_bound(&p, w, waves[i].total) ||
                            n <= campaign_bound(&p, w - 1, waves[i].total))
                                fail_msg("%s: item %lld is of wave %u", waves[i].why, (long long)n,
                                         w);
                }
        }
}

/* ---- what is next ---------------------------------------------------------------------------- */

#define NOW 1000000

static const struct next_row {
        const char *why;
        campaign_plan p;
        campaign_stage s;
        campaign_step step;
        int64_t at;
        const char *reason;
} nexts[] = {
        {"not all items are there", {.soak = 0}, {.total = 5}, STEP_WAIT, INT64_MAX, NULL},
        {"its time has not come",
         {.begin = NOW + 5},
         {.total = 5, .filled = true},
         STEP_WAIT,
         NOW + 5,
         NULL},
        {"the first wave",
         {.soak = 0},
         {.total = 5, .filled = true},
         STEP_RELEASE,
         INT64_MAX,
         NULL},
        {"nobody", {.soak = 0}, {.filled = true}, STEP_FINISH, INT64_MAX, NULL},
        {"nobody yet", {.join = true}, {.filled = true}, STEP_WAIT, INT64_MAX, NULL},
        {"nobody yet has come back",
         {.soak = 0},
         {.filled = true, .coming = true},
         STEP_WAIT,
         INT64_MAX,
         NULL},
        {"all are released, some under way",
         {.soak = 0},
         {.wave = 1, .released = 5, .total = 5, .succeeded = 4, .open = true, .filled = true},
         STEP_WAIT,
         INT64_MAX,
         NULL},
        {"all have ended",
         {.soak = 0},
         {.wave = 1, .released = 5, .total = 5, .succeeded = 4, .failed = 1, .filled = true},
         STEP_FINISH,
         INT64_MAX,
         NULL},
        {"others may join",
         {.join = true},
         {.wave = 1, .released = 5, .total = 5, .succeeded = 5, .filled = true},
         STEP_WAIT,
         INT64_MAX,
         NULL},
        {"the threshold is near",
         {.threshold = 90},
         {.wave = 1,
          .released = 10,
          .total = 50,
          .succeeded = 8,
          .failed = 1,
          .open = true,
          .filled = true},
         STEP_WAIT,
         INT64_MAX,
         NULL},
        {"the threshold is reached",
         {.threshold = 90, .soak = 100},
         {.wave = 1, .released = 10, .total = 50, .succeeded = 9, .failed = 1, .filled = true},
         STEP_REACHED,
         INT64_MAX,
         NULL},
        {"it soaks",
         {.threshold = 90, .soak = 100},
         {.wave = 1,
          .released = 10,
          .total = 50,
          .succeeded = 9,
          .filled = true,
          .reached = NOW - 99},
         STEP_WAIT,
         NOW + 1,
         NULL},
        {"it has soaked",
         {.threshold = 90, .soak = 100},
         {.wave = 1,
          .released = 10,
          .total = 50,
          .succeeded = 9,
          .filled = true,
          .reached = NOW - 100},
         STEP_RELEASE,
         NOW,
         NULL},
        {"the clock was set back: it soaks from now on",
         {.threshold = 90, .soak = 100},
         {.wave = 1,
          .released = 10,
          .total = 50,
          .succeeded = 9,
          .filled = true,
          .reached = NOW + 1},
         STEP_REACHED,
         INT64_MAX,
         NULL},
        {"somebody is to look at the canary",
         {.threshold = 90, .hold = true},
         {.wave = 1, .released = 10, .total = 50, .succeeded = 9, .filled = true, .reached = NOW},
         STEP_HOLD,
         NOW,
         "the canary is done: resume it to go on"},
        {"only at the canary",
         {.threshold = 90, .hold = true},
         {.wave = 2, .released = 20, .total = 50, .succeeded = 19, .filled = true, .reached = NOW},
         STEP_RELEASE,
         NOW,
         NULL},
        {"those left out do not count",
         {.threshold = 100},
         {.wave = 1, .released = 10, .total = 50, .succeeded = 8, .left = 2, .filled = true},
         STEP_REACHED,
         INT64_MAX,
         NULL},
        {"it cannot be reached any more",
         {.threshold = 90},
         {.wave = 1,
          .released = 10,
          .total = 50,
          .succeeded = 7,
          .failed = 2,
          .open = true,
          .filled = true},
         STEP_HALT,
         INT64_MAX,
         "of 10 devices 2 failed; the next wave wants 90 % to succeed"},
        {"an operator says go on",
         {.threshold = 90},
         {.wave = 1,
          .released = 10,
          .total = 50,
          .succeeded = 7,
          .failed = 3,
          .filled = true,
          .forced = true},
         STEP_RELEASE,
         INT64_MAX,
         NULL},
        {"but not before this one has ended",
         {.threshold = 90},
         {.wave = 1,
          .released = 10,
          .total = 50,
          .succeeded = 6,
          .failed = 3,
          .open = true,
          .filled = true,
          .forced = true},
         STEP_WAIT,
         INT64_MAX,
         NULL},
        {"somebody has looked at the canary",
         {.threshold = 90, .hold = true},
         {.wave = 1,
          .released = 10,
          .total = 50,
          .succeeded = 9,
          .filled = true,
          .reached = NOW,
          .forced = true},
         STEP_RELEASE,
         NOW,
         NULL},
        {"too many failed",
         {.stop_above = 10, .stop_least = 10},
         {.wave = 1,
          .released = 50,
          .total = 50,
          .succeeded = 8,
          .failed = 2,
          .open = true,
          .filled = true},
         STEP_HALT,
         INT64_MAX,
         "2 of 10 failed, which is more than 10 %"},
        {"not more than that",
         {.stop_above = 10, .stop_least = 10},
         {.wave = 1,
          .released = 50,
          .total = 50,
          .succeeded = 9,
          .failed = 1,
          .open = true,
          .filled = true},
         STEP_WAIT,
         INT64_MAX,
         NULL},
        {"too few to tell",
         {.stop_above = 10, .stop_least = 10},
         {.wave = 1,
          .released = 50,
          .total = 50,
          .succeeded = 0,
          .failed = 9,
          .open = true,
          .filled = true},
         STEP_WAIT,
         INT64_MAX,
         NULL},
        {"what failed before it was resumed is known",
         {.stop_above = 10, .stop_least = 1},
         {.wave = 1,
          .released = 50,
          .total = 50,
          .succeeded = 9,
          .failed = 9,
          .base_succeeded = 9,
          .base_failed = 9,
          .open = true,
          .filled = true},
         STEP_WAIT,
         INT64_MAX,
         NULL},
        {"what fails behind it counts",
         {.stop_above = 10, .stop_least = 1},
         {.wave = 1,
          .released = 50,
          .total = 50,
          .succeeded = 9,
          .failed = 10,
          .base_succeeded = 9,
          .base_failed = 9,
          .open = true,
          .filled = true},
         STEP_HALT,
         INT64_MAX,
         "1 of 1 failed, which is more than 10 %"},
};

static void goes_on_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(nexts); i++) {
                char reason[CAMPAIGN_REASON] = "";
                campaign_stage s = nexts[i].s;
                int64_t at = 0;
                campaign_step got;

                s.now = NOW;
                got = campaign_next(&nexts[i].p, &s, &at, reason);
                if (got != nexts[i].step || at != nexts[i].at)
                        fail_msg("%s: %d, %lld", nexts[i].why, got, (long long)at);
                assert_str(odm_cstr(reason), nexts[i].reason ? nexts[i].reason : "");
        }
}

/* ---- the plan's JSON --------------------------------------------------------------------------- */

#define FULL                                                                                    \
        "{\"canary\":5,\"wave\":\"10%\",\"threshold\":95,\"soak\":3600,\"hold\":true,"          \
        "\"stop_above\":20,\"stop_least\":7,\"retry\":{\"count\":3,\"delay\":60,"               \
        "\"max_delay\":600,\"classes\":[\"corrupt\",\"network\"]},\"parallel\":100,"            \
        "\"contact_time\":86400,\"update_time\":1800,\"windows\":[{\"days\":[\"mon\",\"fri\"]," \
        "\"from\":\"22:00\",\"until\":\"04:30\"}],\"zone\":\"Europe/Paris\",\"join\":true,"     \
        "\"approval\":true,\"begin\":\"2026-12-01T00:00:00Z\","                                 \
        "\"deadline\":\"2026-12-31T00:00:00Z\"}"

static void a_plan_comes_back_as_it_was_written(void **state)
{
        json_t *in = json_loads(FULL, 0, NULL), *out;
        campaign_plan p;
        problem pr;

        (void)state;
        problem_init(&pr);
        assert_true(campaign_plan_read(in, "plan", &pr, &p));
        assert_int_equal(p.windows[0].days, 0x11);
        assert_int_equal(p.windows[0].until, 270);
        assert_int_equal(p.retry_classes, CLASS_BIT(CLASS_CORRUPT) | CLASS_BIT(CLASS_NETWORK));
        out = campaign_plan_json(&p);
        assert_true(json_equal(in, out));
        json_decref(in);
        json_decref(out);
        problem_done(&pr);
}

static const struct bad_row {
        const char *why, *text, *name;
} bads[] = {
        {"nobody knows it", "{\"canaries\":5}", "plan.canaries"},
        {"no share", "{\"canary\":\"5\"}", "plan.canary"},
        {"more than all", "{\"wave\":\"101%\"}", "plan.wave"},
        {"none of it", "{\"wave\":\"0%\"}", "plan.wave"},
        {"more than all", "{\"threshold\":101}", "plan.threshold"},
        {"no class", "{\"retry\":{\"classes\":[\"bad luck\"]}}", "plan.retry.classes"},
        {"no object", "{\"retry\":3}", "plan.retry"},
        {"no day",
         "{\"windows\":[{\"days\":[\"someday\"],\"from\":\"00:00\",\"until\":\"01:00\"}]}",
         "plan.windows[0].days"},
        {"no time", "{\"windows\":[{\"from\":\"24:01\",\"until\":\"01:00\"}]}",
         "plan.windows[0].from"},
        {"no end", "{\"windows\":[{\"from\":\"22:00\"}]}", "plan.windows[0].until"},
        {"no zone", "{\"zone\":\"../x\"}", "plan.zone"},
        {"it ends before it begins",
         "{\"begin\":\"2026-12-01T00:00:00Z\",\"deadline\":\"2026-12-01T00:00:00Z\"}",
         "plan.deadline"},
};

static void names_what_is_wrong_in_a_plan(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(bads); i++) {
                json_t *in = json_loads(bads[i].text, 0, NULL);
                campaign_plan p = {.soak = 77};
                const char *name;
                problem pr;

                problem_init(&pr);
                if (campaign_plan_read(in, "plan", &pr, &p))
                        fail_msg("%s", bads[i].why);
                name = json_string_value(json_object_get(json_array_get(pr.errors, 0), "name"));
                assert_str(odm_cstr(name), bads[i].name);
                assert_int_equal(p.soak, 77);
                problem_done(&pr);
                json_decref(in);
        }
}

/* ---- variables ---------------------------------------------------------------------------------- */

static const struct fill_row {
        const char *why, *in, *out, *which;
        int rc;
} fills[] = {
        {"none", "[{\"cmd\":\"get\",\"uri\":\"./A\"}]", "[{\"cmd\":\"get\",\"uri\":\"./A\"}]", "",
         0},
        {"name and tag", "[{\"data\":\"${device} at ${tag.site}\"}]",
         "[{\"data\":\"m/1 at Bern\"}]", "", 0},
        {"inside of others", "[{\"commands\":[{\"commands\":[{\"data\":\"${fwv}\"}]}]}]",
         "[{\"commands\":[{\"commands\":[{\"data\":\"1.0\"}]}]}]", "", 0},
        {"dollars", "[{\"data\":\"$5 $${x}\"}]", "[{\"data\":\"$5 ${x}\"}]", "", 0},
        {"no value", "[{\"data\":\"${swv}\"}]", NULL, "swv", ODM_ENOENT},
        {"no tag of that name", "[{\"data\":\"${tag.sit}\"}]", NULL, "tag.sit", ODM_ENOENT},
        {"no variable", "[{\"data\":\"${colour}\"}]", NULL, "colour", ODM_EMALFORMED},
        {"no end", "[{\"data\":\"${device\"}]", NULL, "device", ODM_EMALFORMED},
};

static void fills_as_the_table_says(void **state)
{
        const campaign_vars v = {.name = ODM_STR("m/1"),
                                 .fwv = ODM_STR("1.0"),
                                 .tags = ODM_STR("outdoor site:Bern")};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(fills); i++) {
                json_t *in = json_loads(fills[i].in, 0, NULL), *out;
                char which[CAMPAIGN_VAR] = "";

                if (campaign_fill(in, &v, which) != fills[i].rc)
                        fail_msg("%s", fills[i].why);
                if (fills[i].rc)
                        assert_str(odm_cstr(which), fills[i].which);
                if (fills[i].out) {
                        out = json_loads(fills[i].out, 0, NULL);
                        assert_true(json_equal(in, out));
                        json_decref(out);
                }
                json_decref(in);
        }
}

static void the_built_in_orders_are_whole(void **state)
{
        const campaign_vars v = {.version = ODM_STR("2.0"),
                                 .url = ODM_STR("https://dl/x"),
                                 .sha256 = ODM_STR("00"),
                                 .package = ODM_STR("p")};
        json_t *a = campaign_firmware("./FUMO/main"), *b = campaign_software("c7");
        char which[CAMPAIGN_VAR];

        (void)state;
        assert_int_equal(campaign_fill(a, &v, which), 0);
        assert_int_equal(campaign_fill(b, &v, which), 0);
        assert_string_equal(json_string_value(json_object_get(json_array_get(a, 1), "data")),
                            "https://dl/x");
        assert_string_equal(json_string_value(json_object_get(json_array_get(b, 4), "uri")),
                            "./SCM/Download/c7/Operations/DownloadInstall");
        json_decref(a);
        json_decref(b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_action_does_as_the_table_says),
                cmocka_unit_test(approval_is_wanted_where_the_plan_says_so),
                cmocka_unit_test(results_are_classed_as_the_table_says),
                cmocka_unit_test(later_tries_wait_longer),
                cmocka_unit_test(waves_end_where_the_table_says),
                cmocka_unit_test(goes_on_as_the_table_says),
                cmocka_unit_test(a_plan_comes_back_as_it_was_written),
                cmocka_unit_test(names_what_is_wrong_in_a_plan),
                cmocka_unit_test(fills_as_the_table_says),
                cmocka_unit_test(the_built_in_orders_are_whole),
        };

        return RUN_TESTS(tests);
}
