/* SPDX-License-Identifier: Apache-2.0 */
/* Campaigns over REST: who may, what is refused and why, pages, scopes, acts. */
#include <stdio.h>
#include <unistd.h>

#include "api_world.h"

#define URL "\"url\":\"http://dl/2.0\",\"version\":\"2.0\""

static const struct row {
        const char *why;
        unsigned who;
        const char *method, *path, *body;
        unsigned status;
        const char *says; /* in the answer */
} rows[] = {
        {"nobody", NOBODY, "GET", "", NULL, 401, NULL},
        {"a viewer makes none", TOKEN_VIEWER, "POST", "", "{}", 403, NULL},
        {"no name, no target", TOKEN_OPERATOR, "POST", "", "{}", 400, "target"},
        {"nothing to send", TOKEN_OPERATOR, "POST", "", "{\"name\":\"a\",\"target\":{}}", 400,
         "\"package\""},
        {"no version", TOKEN_OPERATOR, "POST", "",
         "{\"name\":\"a\",\"target\":{},\"url\":\"http://x\"}", 400, "\"version\""},
        {"a URL that is none", TOKEN_OPERATOR, "POST", "",
         "{\"name\":\"a\",\"target\":{},\"url\":\"ftp://dl/2\",\"version\":\"2\"}", 400, "\"url\""},
        {"no such package", TOKEN_OPERATOR, "POST", "",
         "{\"name\":\"a\",\"target\":{},\"package\":\"99\"}", 400, "there is no such package"},
        {"a device nobody knows", TOKEN_OPERATOR, "POST", "",
         "{\"name\":\"a\",\"target\":{\"devices\":[\"x\"]}," URL "}", 400, "there is no device x"},
        {"a plan with an unknown member", TOKEN_OPERATOR, "POST", "",
         "{\"name\":\"a\",\"target\":{},\"plan\":{\"x\":1}," URL "}", 400, "plan.x"},
        {"no variable", TOKEN_OPERATOR, "POST", "",
         "{\"name\":\"a\",\"target\":{},\"commands\":[{\"cmd\":\"replace\",\"uri\":\"./A\","
         "\"data\":\"${colour}\"}]}",
         400, "${colour} is no variable"},
        {"no command", TOKEN_OPERATOR, "POST", "",
         "{\"name\":\"a\",\"target\":{},\"commands\":[{\"cmd\":\"jump\"}]}", 400, "commands[0]"},
        {"no URI to verify", TOKEN_OPERATOR, "POST", "",
         "{\"name\":\"a\",\"target\":{},\"verify\":{\"uri\":\"./A\\\"\",\"value\":\"\"}," URL "}",
         400, "verify.uri"},
        {"started before it is approved", TOKEN_OPERATOR, "POST", "",
         "{\"name\":\"a\",\"target\":{},\"start\":true,\"plan\":{\"approval\":true}," URL "}", 400,
         "start"},
        {"a deadline that has passed", TOKEN_OPERATOR, "POST", "",
         "{\"name\":\"a\",\"target\":{},\"plan\":{\"deadline\":\"2020-01-01T00:00:00Z\"}," URL "}",
         400, "plan.deadline"},
        {"beyond the scope", SCOPED, "POST", "", "{\"name\":\"a\",\"target\":{}," URL "}", 403,
         "acme/"},
        {"within it", SCOPED, "POST", "",
         "{\"name\":\"a\",\"target\":{\"prefix\":\"acme/\"}," URL "}", 201, "\"id\""},
        {"for all", TOKEN_OPERATOR, "POST", "",
         "{\"name\":\"b\",\"target\":{},\"plan\":{\"approval\":true}," URL "}", 201, "\"id\""},
        {"both are listed", TOKEN_VIEWER, "GET", "", NULL, 200, "\"name\":\"b\""},
        {"a state that is none", TOKEN_VIEWER, "GET", "?state=asleep", NULL, 400, "state"},
        {"a scope does not see what reaches beyond", SCOPED, "GET", "/2", NULL, 404, NULL},
        {"nor acts on it", SCOPED, "POST", "/2/start", NULL, 404, NULL},
        {"but sees its own", SCOPED, "GET", "/1", NULL, 200, "\"draft\""},
        {"not approved", TOKEN_OPERATOR, "POST", "/2/start", NULL, 409, "approved first"},
        {"not by who made it", TOKEN_OPERATOR, "POST", "/2/approve", NULL, 403, "another token"},
        {"by somebody else", TOKEN_ADMIN, "POST", "/2/approve", NULL, 200, "\"approved\""},
        {"approved once", TOKEN_ADMIN, "POST", "/2/approve", NULL, 409, "already"},
        {"a draft has nothing to retry", TOKEN_OPERATOR, "POST", "/2/retry", NULL, 409, NULL},
        {"a class that is none", TOKEN_OPERATOR, "POST", "/2/retry?class=luck", NULL, 400, "class"},
        {"a dry run", TOKEN_OPERATOR, "POST", "/preview?others=1",
         "{\"name\":\"a\",\"target\":{\"prefix\":\"acme/\"}," URL "}", 200,
         "its name is other; wanted is acme/"},
        {"what it would do", TOKEN_VIEWER, "GET", "/2/preview", NULL, 200, "DownloadAndUpdate"},
        {"no number", TOKEN_VIEWER, "GET", "/x", NULL, 404, NULL},
        {"none of that number", TOKEN_VIEWER, "GET", "/77", NULL, 404, "no campaign 77"},
        {"it starts", TOKEN_OPERATOR, "POST", "/2/start", NULL, 200, "\"running\""},
        {"it was started", TOKEN_OPERATOR, "POST", "/2/start", NULL, 409, "already"},
        {"running ones are not removed", TOKEN_OPERATOR, "DELETE", "/2", NULL, 409, "cancel"},
        {"a pause", TOKEN_OPERATOR, "POST", "/2/pause", NULL, 200, "paused by"},
        {"a second one", TOKEN_OPERATOR, "POST", "/2/pause", NULL, 409, NULL},
        {"a device's state that is none", TOKEN_VIEWER, "GET", "/2/devices?state=x", NULL, 400,
         "state"},
        {"a cursor that is none", TOKEN_VIEWER, "GET", "/2/devices?state=failed&cursor=x", NULL,
         400, "cursor"},
        {"a rollback to nowhere", TOKEN_OPERATOR, "POST", "/2/rollback", NULL, 400, "url"},
        {"to half of something", TOKEN_OPERATOR, "POST", "/2/rollback?url=http%3A%2F%2Fdl%2F1",
         NULL, 400, "go together"},
        {"to something else", TOKEN_OPERATOR, "POST", "/2/rollback?url=dl&version=1", NULL, 400,
         "no http or https URL"},
        {"to two things", TOKEN_OPERATOR, "POST",
         "/2/rollback?package=1&url=http%3A%2F%2Fdl%2F1&version=1.0", NULL, 400, "its own url"},
        {"a rollback", TOKEN_OPERATOR, "POST", "/2/rollback?url=http%3A%2F%2Fdl%2F1&version=1.0",
         NULL, 201, "\"rolls_back\":\"2\""},
        {"a rollback of that", TOKEN_OPERATOR, "POST", "/3/rollback?url=u&version=1", NULL, 409,
         NULL},
        {"the first is ended", TOKEN_VIEWER, "GET", "/2", NULL, 200, "\"cancelled\""},
};

static void run_row(world *w, const struct row *r)
{
        char path[256];
        answer a;
        char *text;

        (void)snprintf(path, sizeof path, "/api/v1/campaigns%s", r->path);
        a = world_ask(w, r->who, r->method, path, r->body);
        text = a.json ? json_dumps(a.json, JSON_COMPACT) : NULL;
        if (a.status != r->status || (r->says && (!text || !strstr(text, r->says))))
                fail_msg("%s: %u %s", r->why, a.status, text ? text : "");
        free(text);
        answer_done(&a);
}

static void answers_as_the_table_says(void **state)
{
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "acme/1");
        world_device(&w, "acme/2");
        world_device(&w, "other");
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                run_row(&w, &rows[i]);
        world_stop(&w);
}

/* A configuration is no firmware because nobody said what it is. */
static void a_package_goes_as_what_it_is(void **state)
{
        static const struct row tries[] = {
                {"a configuration", TOKEN_OPERATOR, "POST", "",
                 "{\"name\":\"a\",\"package\":\"1\",\"target\":{}}", 400, "package"},
                {"as firmware", TOKEN_OPERATOR, "POST", "",
                 "{\"name\":\"a\",\"kind\":\"firmware\",\"package\":\"1\",\"target\":{}}", 400,
                 "another kind"},
                {"with its own commands", TOKEN_OPERATOR, "POST", "",
                 "{\"name\":\"a\",\"package\":\"1\",\"target\":{},\"kind\":\"commands\","
                 "\"commands\":[{\"cmd\":\"replace\",\"uri\":\"./A\",\"data\":\"${url}\"}]}",
                 201, "\"commands\""},
        };
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        a = world_ask(
                &w, TOKEN_OPERATOR, "POST", "/api/v1/packages",
                "{\"name\":\"c\",\"version\":\"1\",\"kind\":\"configuration\",\"url\":\"http://"
                "dl/c\",\"size\":1,\"sha256\":"
                "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}");
        assert_int_equal(a.status, 201);
        answer_done(&a);
        for (size_t i = 0; i < ODM_COUNT(tries); i++)
                run_row(&w, &tries[i]);
        world_stop(&w);
}

/* Asks until the member of "devices" has the number. */
static void wait_tally(world *w, const char *path, const char *member, long long n)
{
        for (unsigned i = 0; i < 2000; i++) {
                answer a = world_ask(w, TOKEN_VIEWER, "GET", path, NULL);
                json_t *v = json_object_get(json_object_get(a.json, "devices"), member);
                bool there = json_is_integer(v) && json_integer_value(v) == n;

                answer_done(&a);
                if (there)
                        return;
                (void)usleep(5000);
        }
        fail_msg("%s: %s is never %lld", path, member, n);
}

static void wait_ended(world *w, const char *path)
{
        bool ended = false;

        for (unsigned i = 0; i < 2000 && !ended; i++) {
                answer a = world_ask(w, TOKEN_VIEWER, "GET", path, NULL);

                ended = answer_text(&a, "ended")[0] != 0;
                answer_done(&a);
                if (!ended)
                        (void)usleep(5000);
        }
        assert_true(ended);
}

static void devices_come_in_pages(void **state)
{
        static const char *const states[] = {"", "&state=ordered"};
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        for (unsigned i = 0; i < 25; i++) {
                char name[32];
                (void)snprintf(name, sizeof name, "acme/%02u", i);
                world_device(&w, name);
        }
        a = world_ask(&w, TOKEN_OPERATOR, "POST", "/api/v1/campaigns",
                      "{\"name\":\"a\",\"target\":{},\"start\":true," URL "}");
        assert_int_equal(a.status, 201);
        assert_string_equal(a.location, "/api/v1/campaigns/1");
        answer_done(&a);
        wait_tally(&w, "/api/v1/campaigns/1", "ordered", 25);
        for (size_t k = 0; k < ODM_COUNT(states); k++) {
                char cursor[64] = "";
                unsigned seen = 0;

                do {
                        char path[256];
                        const char *next;

                        (void)snprintf(path, sizeof path,
                                       "/api/v1/campaigns/1/devices?limit=10%s%s%s", states[k],
                                       cursor[0] ? "&cursor=" : "", cursor);
                        a = world_ask(&w, TOKEN_VIEWER, "GET", path, NULL);
                        assert_int_equal(a.status, 200);
                        seen += (unsigned)json_array_size(json_object_get(a.json, "items"));
                        next = json_string_value(json_object_get(a.json, "next"));
                        cursor[0] = 0;
                        for (const char *p = next ? next : ""; *p; p++) /* a slash is escaped */
                                (void)snprintf(cursor + strlen(cursor),
                                               sizeof cursor - strlen(cursor),
                                               *p == '/' ? "%%2F" : "%c", *p);
                        answer_done(&a);
                } while (cursor[0]);
                assert_int_equal(seen, 25);
        }
        a = world_ask(&w, TOKEN_OPERATOR, "POST", "/api/v1/campaigns/1/cancel", NULL);
        assert_int_equal(a.status, 200);
        answer_done(&a);
        wait_tally(&w, "/api/v1/campaigns/1", "cancelled", 25);
        wait_ended(&w, "/api/v1/campaigns/1");
        a = world_ask(&w, TOKEN_OPERATOR, "DELETE", "/api/v1/campaigns/1", NULL);
        assert_int_equal(a.status, 204);
        answer_done(&a);
        world_stop(&w);
}

static void what_was_a_package_is_not_gone_back_from(void **state)
{
        static const struct row then[] = {
                {"to what it had", TOKEN_OPERATOR, "POST", "/1/rollback", NULL, 409,
                 "not there any more"},
                {"to what is said", TOKEN_OPERATOR, "POST",
                 "/1/rollback?url=http%3A%2F%2Fdl%2F1&version=1", NULL, 201,
                 "\"rolls_back\":\"1\""},
        };
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        a = world_ask(&w, TOKEN_OPERATOR, "POST", "/api/v1/packages",
                      "{\"name\":\"c\",\"version\":\"2\",\"kind\":\"firmware\",\"url\":\"http://dl/"
                      "c\",\"size\":1,\"sha256\":"
                      "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}");
        assert_int_equal(a.status, 201);
        answer_done(&a);
        a = world_ask(&w, TOKEN_OPERATOR, "POST", "/api/v1/campaigns",
                      "{\"name\":\"a\",\"target\":{},\"start\":true,\"package\":\"1\"}");
        assert_int_equal(a.status, 201);
        answer_done(&a);
        wait_ended(&w, "/api/v1/campaigns/1"); /* there are no devices */
        a = world_ask(&w, TOKEN_OPERATOR, "DELETE", "/api/v1/packages/1", NULL);
        assert_int_equal(a.status, 204);
        answer_done(&a);
        for (size_t i = 0; i < ODM_COUNT(then); i++)
                run_row(&w, &then[i]);
        world_stop(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(answers_as_the_table_says),
                cmocka_unit_test(a_package_goes_as_what_it_is),
                cmocka_unit_test(what_was_a_package_is_not_gone_back_from),
                cmocka_unit_test(devices_come_in_pages),
        };

        return RUN_TESTS(tests);
}
