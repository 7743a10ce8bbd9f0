/* SPDX-License-Identifier: Apache-2.0 */
/* Templates in REST: who may, what is refused, what is shown. */
#include <unistd.h>

#include "api_world.h"
#include "template.h"

#define AT "/api/v1/templates"

static const struct {
        const char *why;
        unsigned who;
        const char *method, *path, *body;
        unsigned status;
} rows[] = {
        {"none yet", TOKEN_VIEWER, "GET", AT, NULL, 200},
        {"a viewer makes none", TOKEN_VIEWER, "POST", AT,
         "{\"name\":\"t\",\"nodes\":[{\"uri\":\"./A\",\"data\":\"1\"}]}", 403},
        {"beyond the scope", SCOPED, "POST", AT,
         "{\"name\":\"t\",\"nodes\":[{\"uri\":\"./A\",\"data\":\"1\"}]}", 400},
        {"within it", SCOPED, "POST", AT,
         "{\"name\":\"mine\",\"devices\":{\"prefix\":\"acme/\"},"
         "\"nodes\":[{\"uri\":\"./A\",\"data\":\"1\"}]}",
         201},
        {"an operator", TOKEN_OPERATOR, "POST", AT,
         "{\"name\":\"t\",\"mode\":\"enforce\",\"devices\":{\"devices\":[\"none\"]},\"nodes\":["
         "{\"uri\":\"./A\",\"data\":\"1\"},{\"uri\":\"./B\",\"data\":\"hidden\",\"secret\":true}]}",
         201},
        {"the same name", TOKEN_OPERATOR, "POST", AT,
         "{\"name\":\"t\",\"nodes\":[{\"uri\":\"./A\",\"data\":\"1\"}]}", 409},
        {"no name", TOKEN_OPERATOR, "POST", AT, "{\"nodes\":[{\"uri\":\"./A\",\"data\":\"1\"}]}",
         400},
        {"too often", TOKEN_OPERATOR, "POST", AT,
         "{\"name\":\"u\",\"every\":59,\"nodes\":[{\"uri\":\"./A\",\"data\":\"1\"}]}", 400},
        {"no mode", TOKEN_OPERATOR, "PATCH", AT "/2", "{\"mode\":\"fix\"}", 400},
        {"not known", TOKEN_OPERATOR, "PATCH", AT "/2", "{\"x\":1}", 400},
        {"a new secret needs a value", TOKEN_OPERATOR, "PATCH", AT "/2",
         "{\"nodes\":[{\"uri\":\"./C\",\"secret\":true}]}", 400},
        {"one that is there keeps it", TOKEN_OPERATOR, "PATCH", AT "/2",
         "{\"priority\":5,\"nodes\":[{\"uri\":\"./B\",\"secret\":true}]}", 200},
        {"another's", SCOPED, "GET", AT "/2", NULL, 404},
        {"its own", SCOPED, "GET", AT "/1", NULL, 200},
        {"devices", TOKEN_VIEWER, "GET", AT "/1/devices?state=drifted&limit=5&cursor=a", NULL, 200},
        {"no state", TOKEN_VIEWER, "GET", AT "/1/devices?state=bad", NULL, 400},
        {"no such template", TOKEN_VIEWER, "GET", AT "/9/devices", NULL, 404},
        {"a check", TOKEN_OPERATOR, "POST", AT "/1/check", "{}", 204},
        {"of no device of it", TOKEN_OPERATOR, "POST", AT "/2/check", "{\"device\":\"acme/1\"}",
         400},
        {"a viewer checks none", TOKEN_VIEWER, "POST", AT "/1/check", "{}", 403},
        {"of a device", TOKEN_VIEWER, "GET", "/api/v1/devices/acme%2F1/templates", NULL, 200},
        {"of none", TOKEN_VIEWER, "GET", "/api/v1/devices/none/templates", NULL, 404},
        {"gone", TOKEN_OPERATOR, "DELETE", AT "/2", NULL, 204},
        {"for good", TOKEN_OPERATOR, "DELETE", AT "/2", NULL, 404},
};

static void requests_are_answered(void **state)
{
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "acme/1");
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                answer a = world_ask(&w, rows[i].who, rows[i].method, rows[i].path, rows[i].body);
                char *text = a.json ? json_dumps(a.json, JSON_COMPACT) : NULL;

                if (a.status != rows[i].status)
                        fail_msg("%s: %u", rows[i].why, a.status);
                assert_false(text && strstr(text, "hidden"));
                free(text);
                answer_done(&a);
        }
        world_stop(&w);
}

static bool is_shown(world *w)
{
        answer a = world_ask(w, TOKEN_VIEWER, "GET", AT "/1/devices", NULL);
        answer b = world_ask(w, SCOPED, "GET", "/api/v1/devices/acme%2F1/templates", NULL);
        const json_t *items = json_object_get(a.json, "items");
        const json_t *first = json_array_get(items, 0);
        bool there = json_array_size(items) == 1 &&
                     json_array_size(json_object_get(b.json, "items")) == 1;

        if (there) {
                assert_string_equal(json_string_value(json_object_get(first, "device")), "acme/1");
                assert_string_equal(json_string_value(json_object_get(first, "state")), "unknown");
        }
        answer_done(&a);
        answer_done(&b);
        return there;
}

static void a_device_is_taken_in_and_asked(void **state)
{
        unsigned tries = 0;
        answer a;
        world w;

        (void)state;
        world_start(&w, NULL);
        a = world_ask(&w, TOKEN_OPERATOR, "POST", AT,
                      "{\"name\":\"t\",\"devices\":{\"prefix\":\"acme/\"},"
                      "\"nodes\":[{\"uri\":\"./A\",\"data\":\"1\"}]}");
        assert_int_equal(a.status, 201);
        assert_string_equal(a.location, AT "/1");
        answer_done(&a);
        world_device(&w, "acme/1");
        world_device(&w, "other");
        while (!is_shown(&w)) {
                assert_true(++tries < 4000);
                (void)usleep(2000);
        }
        world_stop(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(requests_are_answered),
                cmocka_unit_test(a_device_is_taken_in_and_asked),
        };

        return RUN_TESTS(tests);
}
