/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: what they may say, which events they mean, and what they do. */
#include "rule.h"

#include <stdlib.h>
#include <unistd.h>

#include "api_world.h"
#include "heap.h"

/* ---- what a rule may say ----------------------------------------------------------------- */

static const struct row {
        const char *why, *json, *wrong; /* the member at fault; NULL: none */
} rows[] = {
        {"the least there is", "{\"on\":\"x\",\"do\":[{\"notify\":\"a\"}]}", NULL},
        {"no kind", "{\"do\":[{\"notify\":\"a\"}]}", "on"},
        {"no kind that there can be", "{\"on\":\"Alarm raised\",\"do\":[{\"notify\":\"a\"}]}",
         "on"},
        {"nothing to do", "{\"on\":\"x\"}", "do"},
        {"an empty list", "{\"on\":\"x\",\"do\":[]}", "do"},
        {"what rules do", "{\"on\":\"rule.fired\",\"do\":[{\"notify\":\"a\"}]}", "on"},
        {"two in one", "{\"on\":\"x\",\"do\":[{\"notify\":\"a\",\"tag\":\"b\"}]}", "do[0]"},
        {"an action nobody knows", "{\"on\":\"x\",\"do\":[{\"sing\":\"a\"}]}", "do[0].sing"},
        {"a tag of two words", "{\"on\":\"x\",\"do\":[{\"tag\":\"a b\"}]}", "do[0].tag"},
        {"a job without commands", "{\"on\":\"x\",\"do\":[{\"job\":{}}]}", "do[0].job.commands"},
        {"a job",
         "{\"on\":\"x\",\"do\":[{\"job\":{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./A\"}]}}]}",
         NULL},
        {"a command that is none",
         "{\"on\":\"x\",\"do\":[{\"job\":{\"commands\":[{\"cmd\":\"got\",\"uri\":\"./A\"}]}}]}",
         "commands[0].cmd"},
        {"a condition that is none",
         "{\"on\":\"x\",\"where\":{\"a\":{}},\"do\":[{\"notify\":\"a\"}]}", "where.a"},
        {"a condition of two things",
         "{\"on\":\"x\",\"where\":{\"a\":{\"above\":1,\"x\":2}},\"do\":[{\"notify\":\"a\"}]}",
         "where.a"},
        {"a range",
         "{\"on\":\"x\",\"where\":{\"a\":{\"above\":1,\"below\":2}},\"do\":[{\"notify\":\"a\"}]}",
         NULL},
        {"an empty choice", "{\"on\":\"x\",\"where\":{\"a\":[]},\"do\":[{\"notify\":\"a\"}]}",
         "where.a"},
        {"devices that are none",
         "{\"on\":\"x\",\"devices\":{\"colour\":\"red\"},\"do\":[{\"notify\":\"a\"}]}",
         "devices.colour"},
};

static void rules_say_what_they_may(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                json_t *o = json_loads(rows[i].json, 0, NULL);
                const char *name;
                rule_spec s;
                odm_arena a;
                problem p;

                assert_non_null(o);
                odm_arena_init(&a, &heap_mem, 1 << 20);
                problem_init(&p);
                bool ok = rule_read(o, &p, &a, &s);
                name = json_string_value(json_object_get(json_array_get(p.errors, 0), "name"));
                if (ok != !rows[i].wrong || (name && strcmp(name, rows[i].wrong) != 0))
                        fail_msg("%s: %d %s", rows[i].why, ok, name ? name : "-");
                problem_done(&p);
                odm_arena_done(&a);
                json_decref(o);
        }
}

/* ---- which events are meant --------------------------------------------------------------- */

static const struct meant {
        const char *why, *where, *data;
        bool means;
} meant[] = {
        {"nothing is asked", "{}", "{}", true},
        {"a text", "{\"a\":\"x\"}", "{\"a\":\"x\"}", true},
        {"another text", "{\"a\":\"x\"}", "{\"a\":\"y\"}", false},
        {"a member that is not there", "{\"a\":\"x\"}", "{}", false},
        {"how a text begins", "{\"a\":\"x*\"}", "{\"a\":\"xyz\"}", true},
        {"how it does not", "{\"a\":\"x*\"}", "{\"a\":\"y\"}", false},
        {"any text", "{\"a\":\"*\"}", "{\"a\":\"\"}", true},
        {"a number", "{\"a\":5}", "{\"a\":5}", true},
        {"a number as text", "{\"a\":5}", "{\"a\":\"5.0\"}", true},
        {"a text that is no number", "{\"a\":5}", "{\"a\":\"5x\"}", false},
        {"truth", "{\"a\":true}", "{\"a\":true}", true},
        {"untruth", "{\"a\":true}", "{\"a\":false}", false},
        {"one of many", "{\"a\":[\"x\",\"y\"]}", "{\"a\":\"y\"}", true},
        {"none of many", "{\"a\":[\"x\",\"y\"]}", "{\"a\":\"z\"}", false},
        {"above", "{\"a\":{\"above\":5}}", "{\"a\":\"5.5\"}", true},
        {"not above", "{\"a\":{\"above\":5}}", "{\"a\":5}", false},
        {"between", "{\"a\":{\"above\":5,\"below\":6}}", "{\"a\":5.5}", true},
        {"beyond", "{\"a\":{\"above\":5,\"below\":6}}", "{\"a\":6}", false},
        {"no number to compare", "{\"a\":{\"above\":5}}", "{\"a\":\"nan\"}", false},
        {"all have to hold", "{\"a\":\"x\",\"b\":1}", "{\"a\":\"x\",\"b\":2}", false},
};

static void events_are_meant_or_not(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(meant); i++) {
                json_t *where = json_loads(meant[i].where, 0, NULL);
                json_t *data = json_loads(meant[i].data, 0, NULL);
                const rule_spec s = {.on = ODM_STR("k."), .where = where};

                if (rule_means(&s, ODM_STR("k.x"), data) != meant[i].means)
                        fail_msg("%s", meant[i].why);
                assert_false(rule_means(&s, ODM_STR("k"), data));
                json_decref(where);
                json_decref(data);
        }
}

static void texts_are_filled_in(void **state)
{
        static const struct filled {
                const char *text, *want;
        } texts[] = {
                {"\"{device} at {n}: {s} {t} {r}\"", "\"acme/1 at 7: x true 1.5\""},
                {"\"{kind}\"", "\"k.x\""},
                {"\"{nobody} {} { {{n}\"", "\"{nobody} {} { {7\""},
                {"[{\"uri\":\"./A/{n}\",\"m\":1}]", "[{\"uri\":\"./A/7\",\"m\":1}]"},
        };
        json_t *data = json_loads("{\"n\":7,\"s\":\"x\",\"t\":true,\"r\":1.5,\"o\":{}}", 0, NULL);

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(texts); i++) {
                json_t *v = json_loads(texts[i].text, JSON_DECODE_ANY, NULL);
                json_t *want = json_loads(texts[i].want, JSON_DECODE_ANY, NULL);
                json_t *got = rule_filled(v, ODM_STR("k.x"), ODM_STR("acme/1"), data);

                if (!json_equal(want, got))
                        fail_msg("%s: %s", texts[i].text, json_string_value(got));
                json_decref(v);
                json_decref(want);
                json_decref(got);
        }
        json_decref(data);
}

/* ---- what they do --------------------------------------------------------------------------- */

static void say(world *w, int64_t device, const char *kind, const char *data)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_EVENT_ADD);

        op->event = (store_event){
                .at = 1, .device = device, .kind = odm_cstr(kind), .data = odm_cstr(data)};
        assert_int_equal(store_write_sync(w->store, b), 0);
        store_batch_free(b);
}

static void make(world *w, unsigned who, const char *body, unsigned status)
{
        answer a = world_ask(w, who, "POST", "/api/v1/rules", body);

        if (a.status != status)
                fail_msg("%s: %u", body, a.status);
        answer_done(&a);
}

/* So many events of that kind, or it takes too long. */
static void wait_for(world *w, const char *kind, size_t n)
{
        for (unsigned tries = 0; tries < 4000; tries++) {
                char path[128];
                (void)snprintf(path, sizeof path, "/api/v1/events?after=0&limit=1000&kind=%s",
                               kind);
                answer a = world_ask(w, TOKEN_ADMIN, "GET", path, NULL);
                size_t got = json_array_size(json_object_get(a.json, "items"));
                answer_done(&a);
                if (got == n)
                        return;
                assert_true(got < n);
                (void)usleep(2000);
        }
        fail_msg("no %zu events %s", n, kind);
}

static size_t jobs_of(world *w, const char *device)
{
        char path[128];

        (void)snprintf(path, sizeof path, "/api/v1/devices/%s/jobs", device);
        answer a = world_ask(w, TOKEN_ADMIN, "GET", path, NULL);
        size_t n = json_array_size(json_object_get(a.json, "items"));
        answer_done(&a);
        return n;
}

static void a_rule_does_what_it_says_once(void **state)
{
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "acme/1");
        world_device(&w, "other");
        make(&w, TOKEN_OPERATOR,
             "{\"name\":\"r\",\"on\":\"config.failed\",\"where\":{\"v\":{\"above\":5}},"
             "\"devices\":{\"prefix\":\"acme/\"},\"do\":["
             "{\"job\":{\"commands\":[{\"cmd\":\"replace\",\"uri\":\"./A/b\",\"data\":\"{v}\"}]}},"
             "{\"tag\":\"hot\"},{\"notify\":\"{device} has {v}\"},{\"campaign\":\"7\"}]}",
             201);
        say(&w, 2, "config.failed", "{\"v\":9}"); /* another device */
        say(&w, 1, "config.failed", "{\"v\":5}"); /* not above */
        say(&w, 1, "config.drift", "{\"v\":9}");  /* another kind */
        say(&w, 1, "config.failed", "{\"v\":9}");
        say(&w, 1, "config.failed", "{\"v\":9}"); /* too soon */
        say(&w, 0, "config.conform", "{}");
        make(&w, TOKEN_OPERATOR,
             "{\"name\":\"end\",\"on\":\"config.c\",\"do\":[{\"notify\":\"end\"}]}", 201);
        say(&w, 0, "config.conform", "{}");
        wait_for(&w, "rule.notified", 2);
        wait_for(&w, "rule.fired", 2);
        wait_for(&w, "rule.campaign", 1);
        assert_int_equal(jobs_of(&w, "acme%2F1"), 1);
        assert_int_equal(jobs_of(&w, "other"), 0);
        answer a = world_ask(&w, TOKEN_ADMIN, "GET", "/api/v1/devices/acme%2F1", NULL);
        assert_string_equal(json_string_value(json_array_get(json_object_get(a.json, "tags"), 0)),
                            "hot");
        answer_done(&a);
        a = world_ask(&w, TOKEN_ADMIN, "GET", "/api/v1/jobs/1", NULL);
        assert_string_equal(
                json_string_value(json_object_get(
                        json_array_get(json_object_get(a.json, "commands"), 0), "data")),
                "9");
        assert_string_equal(answer_text(&a, "actor"), "otto");
        answer_done(&a);
        a = world_ask(&w, TOKEN_VIEWER, "GET", "/api/v1/rules/1", NULL);
        assert_int_equal(json_integer_value(json_object_get(a.json, "fired")), 1);
        answer_done(&a);
        world_stop(&w);
}

static void rules_are_kept_and_guarded(void **state)
{
        static const char good[] =
                "{\"name\":\"r\",\"on\":\"config.drift\",\"do\":[{\"notify\":\"a\"}]}";
        static const char mine[] =
                "{\"name\":\"m\",\"on\":\"config.drift\",\"devices\":{\"prefix\":\"acme/\"},"
                "\"do\":[{\"notify\":\"a\"}]}";
        world w;

        (void)state;
        world_start(&w, NULL);
        make(&w, TOKEN_VIEWER, good, 403);
        make(&w, SCOPED, good, 400); /* it would reach beyond the scope */
        make(&w, SCOPED, mine, 201);
        make(&w, TOKEN_OPERATOR, good, 201);
        make(&w, TOKEN_OPERATOR, good, 409);
        make(&w, TOKEN_OPERATOR,
             "{\"name\":\"x\",\"on\":\"config.drift\",\"do\":[{\"notify\":\"a\"}],\"y\":1}", 400);
        make(&w, TOKEN_OPERATOR, /* nothing would ever set it off */
             "{\"name\":\"t\",\"on\":\"alarm.rased\",\"do\":[{\"notify\":\"a\"}]}", 400);
        answer a = world_ask(&w, SCOPED, "GET", "/api/v1/rules", NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 1);
        answer_done(&a);
        a = world_ask(&w, SCOPED, "DELETE", "/api/v1/rules/2", NULL);
        assert_int_equal(a.status, 404);
        answer_done(&a);
        a = world_ask(&w, TOKEN_OPERATOR, "PATCH", "/api/v1/rules/2",
                      "{\"enabled\":false,\"where\":{\"a\":1}}");
        assert_int_equal(a.status, 200);
        assert_true(json_is_false(json_object_get(a.json, "enabled")));
        assert_string_equal(answer_text(&a, "on"), "config.drift");
        answer_done(&a);
        say(&w, 0, "config.drift", "{\"a\":1}"); /* only the other rule, which is about devices */
        a = world_ask(&w, TOKEN_OPERATOR, "DELETE", "/api/v1/rules/2", NULL);
        assert_int_equal(a.status, 204);
        answer_done(&a);
        wait_for(&w, "rule.changed", 4);
        wait_for(&w, "rule.fired", 0);
        world_stop(&w);
}

/* A rule for some devices copies nothing of others that a gateway among them tells. */
static void what_a_gateway_tells_of_others_is_not_about_it(void **state)
{
        static const char rules[][160] = {
                "{\"name\":\"some\",\"on\":\"alert\",\"again_after\":0,"
                "\"devices\":{\"prefix\":\"acme/\"},\"do\":[{\"notify\":\"some {data}\"}]}",
                "{\"name\":\"all\",\"on\":\"alert\",\"again_after\":0,"
                "\"do\":[{\"notify\":\"all {data}\"}]}"};
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "acme/gw");
        make(&w, SCOPED, rules[0], 201);
        make(&w, TOKEN_OPERATOR, rules[1], 201);
        say(&w, 1, "alert", "{\"type\":\"a.b\",\"data\":\"own\"}");
        wait_for(&w, "rule.fired", 2);
        say(&w, 1, "alert",
            "{\"type\":\"a.b\",\"source\":\"./GwDev/d2/Ext\",\"data\":\"another\"}");
        wait_for(&w, "rule.fired", 3);
        say(&w, 1, "alert", "{\"type\":\"a.b\",\"data\":\"last\"}");
        wait_for(&w, "rule.fired", 5); /* by both, and the one before by one */
        world_stop(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rules_say_what_they_may),
                cmocka_unit_test(events_are_meant_or_not),
                cmocka_unit_test(texts_are_filled_in),
                cmocka_unit_test(a_rule_does_what_it_says_once),
                cmocka_unit_test(rules_are_kept_and_guarded),
                cmocka_unit_test(what_a_gateway_tells_of_others_is_not_about_it),
        };

        return RUN_TESTS(tests);
}
