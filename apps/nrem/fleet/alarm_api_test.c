/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms and presence over REST, with all parts at work. */
#include <unistd.h>

#include "alarm_row.h"
#include "api_world.h"

#define V TOKEN_VIEWER
#define O TOKEN_OPERATOR
#define A TOKEN_ADMIN
#define ALARMS "/api/v1/alarms"

static void requests_are_answered_as_the_table_says(void **state)
{
        static const struct row {
                const char *why;
                unsigned who;
                const char *method, *path, *body;
                unsigned status;
                const char *member, *value; /* of the answer; NULL: any */
        } rows[] = {
                {"nobody", NOBODY, "GET", ALARMS, NULL, 401, NULL, NULL},
                {"a viewer does not raise", V, "POST", ALARMS,
                 "{\"device\":\"acme/1\",\"cause\":\"x\"}", 403, NULL, NULL},
                {"raised", O, "POST", ALARMS,
                 "{\"device\":\"acme/1\",\"cause\":\"door\",\"source\":\"front\",\"severity\":"
                 "\"minor\",\"text\":\"open\"}",
                 201, "state", "active"},
                {"again, worse", O, "POST", ALARMS,
                 "{\"device\":\"acme/1\",\"cause\":\"door\",\"source\":\"front\",\"severity\":"
                 "\"critical\"}",
                 200, "severity", "critical"},
                {"elsewhere at it", O, "POST", ALARMS,
                 "{\"device\":\"acme/1\",\"cause\":\"door\",\"source\":\"back\"}", 201, "severity",
                 "indeterminate"},
                {"a cause the table knows", O, "POST", ALARMS,
                 "{\"device\":\"other/1\",\"cause\":\"integrity\"}", 201, "probable_cause",
                 "corruptData"},
                {"and what is said wins", O, "POST", ALARMS,
                 "{\"device\":\"other/1\",\"cause\":\"integrity\",\"severity\":\"warning\","
                 "\"event_type\":\"equipmentAlarm\",\"probable_cause\":\"fileError\"}",
                 200, "probable_cause", "fileError"},
                {"without a cause", O, "POST", ALARMS, "{\"device\":\"acme/1\"}", 400, NULL, NULL},
                {"of no device", O, "POST", ALARMS, "{\"device\":\"acme/9\",\"cause\":\"x\"}", 400,
                 NULL, NULL},
                {"a probable cause that is none", O, "POST", ALARMS,
                 "{\"device\":\"acme/1\",\"cause\":\"x\",\"probable_cause\":\"bad\"}", 400, NULL,
                 NULL},
                {"out of scope", SCOPED, "POST", ALARMS, "{\"device\":\"other/1\",\"cause\":\"x\"}",
                 400, NULL, NULL},
                {"shown", V, "GET", ALARMS "/1", NULL, 200, "cause", "door"},
                {"not shown out of scope", SCOPED, "GET", ALARMS "/3", NULL, 404, NULL, NULL},
                {"none of that number", V, "GET", ALARMS "/99", NULL, 404, NULL, NULL},
                {"no number", V, "GET", ALARMS "/x", NULL, 404, NULL, NULL},
                {"acknowledged", O, "PATCH", ALARMS "/1",
                 "{\"acknowledged\":true,\"comment\":\"on the way\"}", 200, "acknowledged_by",
                 "otto"},
                {"judged", O, "PATCH", ALARMS "/1", "{\"severity\":\"major\"}", 200, "severity",
                 "major"},
                {"nothing asked", O, "PATCH", ALARMS "/1", "{}", 200, "severity", "major"},
                {"cleared is no severity", O, "PATCH", ALARMS "/1", "{\"severity\":\"cleared\"}",
                 400, NULL, NULL},
                {"a viewer does not judge", V, "PATCH", ALARMS "/1", "{\"severity\":\"minor\"}",
                 403, NULL, NULL},
                {"not judged out of scope", SCOPED, "PATCH", ALARMS "/3",
                 "{\"severity\":\"minor\"}", 404, NULL, NULL},
                {"over", O, "POST", ALARMS "/2/clear", "{\"comment\":\"closed\"}", 200, "state",
                 "cleared"},
                {"over already", O, "POST", ALARMS "/2/clear", "{}", 409, NULL, NULL},
                {"judged when it is over", O, "PATCH", ALARMS "/2", "{\"severity\":\"minor\"}", 409,
                 NULL, NULL},
                {"over by its cause", O, "POST", ALARMS,
                 "{\"device\":\"other/1\",\"cause\":\"integrity\",\"severity\":\"cleared\"}", 200,
                 "state", "cleared"},
                {"which does not stand", O, "POST", ALARMS,
                 "{\"device\":\"other/1\",\"cause\":\"integrity\",\"severity\":\"cleared\"}", 404,
                 NULL, NULL},
                {"a state that is none", V, "GET", ALARMS "?state=open", NULL, 400, NULL, NULL},
                {"a severity that is none", V, "GET", ALARMS "?severity=major,bad", NULL, 400, NULL,
                 NULL},
                {"seen or not", V, "GET", ALARMS "?acknowledged=maybe", NULL, 400, NULL, NULL},
                {"no time", V, "GET", ALARMS "?since=monday", NULL, 400, NULL, NULL},
                {"no cursor", V, "GET", ALARMS "?cursor=x", NULL, 400, NULL, NULL},
                {"no such device", V, "GET", ALARMS "?device=acme%2F9", NULL, 404, NULL, NULL},
                {"rules are an admin's", O, "PUT", ALARMS "/rules", "{\"rules\":[]}", 403, NULL,
                 NULL},
                {"rules that make no sense", A, "PUT", ALARMS "/rules", "{\"rules\":[{}]}", 400,
                 NULL, NULL},
                {"rules", A, "PUT", ALARMS "/rules",
                 "{\"rules\":[{\"cause\":\"door\",\"severity\":\"warning\"}]}", 200, NULL, NULL},
                {"rules are shown", V, "GET", ALARMS "/rules", NULL, 200, NULL, NULL},
                {"what is expected", V, "GET", "/api/v1/devices/acme%2F1/presence", NULL, 200,
                 "expected_by", "server"},
                {"a viewer expects nothing", V, "PATCH", "/api/v1/devices/acme%2F1/presence",
                 "{\"interval\":60}", 403, NULL, NULL},
                {"expected", O, "PATCH", "/api/v1/devices/acme%2F1/presence",
                 "{\"interval\":60,\"gateway\":\"acme/2\"}", 204, NULL, NULL},
                {"so it is shown", V, "GET", "/api/v1/devices/acme%2F1/presence", NULL, 200,
                 "gateway", "acme/2"},
                {"behind itself", O, "PATCH", "/api/v1/devices/acme%2F1/presence",
                 "{\"gateway\":\"acme/1\"}", 400, NULL, NULL},
                {"a gateway out of scope", SCOPED, "PATCH", "/api/v1/devices/acme%2F1/presence",
                 "{\"gateway\":\"other/1\"}", 400, NULL, NULL},
                {"a time that is none", O, "PATCH", "/api/v1/devices/acme%2F1/presence",
                 "{\"interval\":-5}", 400, NULL, NULL},
                {"taken back", O, "PATCH", "/api/v1/devices/acme%2F1/presence",
                 "{\"interval\":null,\"awake\":0,\"gateway\":null}", 204, NULL, NULL},
                {"as before", V, "GET", "/api/v1/devices/acme%2F1/presence", NULL, 200,
                 "expected_by", "server"},
                {"taken away", O, "PATCH", "/api/v1/devices/acme%2F1", "{\"state\":\"detached\"}",
                 200, "state", "detached"},
                {"back", O, "PATCH", "/api/v1/devices/acme%2F1", "{\"state\":\"active\"}", 200,
                 "state", "provisioned"},
        };
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "acme/1");
        world_device(&w, "acme/2");
        world_device(&w, "other/1");
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                answer a = world_ask(&w, r->who, r->method, r->path, r->body);

                if (a.status != r->status ||
                    (r->member && strcmp(answer_text(&a, r->member), r->value) != 0)) {
                        char *text = a.json ? json_dumps(a.json, JSON_COMPACT) : NULL;
                        fail_msg("%s: %s %s gave %u: %s", r->why, r->method, r->path, a.status,
                                 text ? text : "");
                }
                answer_done(&a);
        }
        world_stop(&w);
}

/* Raises n alarms on each of the devices, then clears and acknowledges some. */
static void fill(world *w, unsigned devices, unsigned n)
{
        static const char *const severities[] = {"critical", "major", "minor", "warning"};

        for (unsigned d = 0; d < devices; d++) {
                char name[32];

                snprintf(name, sizeof name, "%s/%u", d % 2 ? "acme" : "other", d);
                world_device(w, name);
                for (unsigned i = 0; i < n; i++) {
                        char body[200], path[64];
                        answer a;

                        snprintf(body, sizeof body,
                                 "{\"device\":\"%s\",\"cause\":\"c%u\",\"severity\":\"%s\"}", name,
                                 i, severities[i % 4]);
                        a = world_ask(w, O, "POST", ALARMS, body);
                        assert_int_equal(a.status, 201);
                        if (i % 3 == 0) {
                                snprintf(path, sizeof path, ALARMS "/%s%s", answer_text(&a, "id"),
                                         i % 2 ? "" : "/clear");
                                answer_done(&a);
                                a = world_ask(w, O, i % 2 ? "PATCH" : "POST", path,
                                              i % 2 ? "{\"acknowledged\":true}" : "{}");
                                assert_int_equal(a.status, 200);
                        }
                        answer_done(&a);
                }
        }
}

/* How many the filter lists, page by page, each once and in falling order of change. */
static unsigned listed(world *w, unsigned who, const char *filter, unsigned limit)
{
        char cursor[128] = "";
        unsigned n = 0;
        bool seen[1024] = {false};

        for (;;) {
                char path[400], before[32] = "9";
                const json_t *items;
                answer a;

                snprintf(path, sizeof path, ALARMS "?limit=%u%s%s%s", limit, filter,
                         *cursor ? "&cursor=" : "", cursor);
                a = world_ask(w, who, "GET", path, NULL);
                assert_int_equal(a.status, 200);
                items = json_object_get(a.json, "items");
                assert_true(json_array_size(items) <= limit);
                for (size_t i = 0; i < json_array_size(items); i++) {
                        const json_t *o = json_array_get(items, i);
                        const char *changed = json_string_value(json_object_get(o, "changed"));
                        long id = strtol(json_string_value(json_object_get(o, "id")), NULL, 10);

                        assert_true(id > 0 && id < 1024 && !seen[id]);
                        seen[id] = true;
                        assert_true(strcmp(changed, before) <= 0);
                        snprintf(before, sizeof before, "%s", changed);
                        n++;
                }
                snprintf(cursor, sizeof cursor, "%s", answer_text(&a, "next"));
                answer_done(&a);
                if (!*cursor)
                        return n;
        }
}

static void lists_hold_what_was_asked_for(void **state)
{
        /* 4 devices with 12 alarms each: 2 of them cleared, 2 acknowledged, 3 of each severity */
        static const struct row {
                const char *why, *filter;
                unsigned who, n;
        } rows[] = {
                {"all", "", V, 48},
                {"active", "&state=active", V, 40},
                {"cleared", "&state=cleared", V, 8},
                {"suppressed", "&state=suppressed", V, 0},
                {"seen", "&acknowledged=true", V, 8},
                {"active and not seen", "&state=active&acknowledged=false", V, 32},
                {"major", "&severity=major", V, 12},
                {"active and critical", "&state=active&severity=critical", V, 8},
                {"active, critical or major", "&state=active&severity=critical,major", V, 20},
                {"of a device", "&device=acme%2F1", V, 12},
                {"of a device, active, minor", "&device=acme%2F1&state=active&severity=minor", V,
                 2},
                {"by prefix", "&prefix=acme%2F", V, 24},
                {"by a prefix of nobody", "&prefix=zzz", V, 0},
                {"since the beginning", "&since=2001-01-01T00:00:00Z", V, 48},
                {"since the future", "&since=2999-01-01T00:00:00Z", V, 0},
                {"active, since", "&state=active&since=2001-01-01T00:00:00Z", V, 40},
                {"what a scope sees", "", SCOPED, 24},
                {"active of a scope", "&state=active", SCOPED, 20},
        };
        static const unsigned limits[] = {1, 5, 100};
        world w;

        (void)state;
        world_start(&w, NULL);
        fill(&w, 4, 12);
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                for (size_t k = 0; k < ODM_COUNT(limits); k++) {
                        unsigned n = listed(&w, rows[i].who, rows[i].filter, limits[k]);

                        if (n != rows[i].n)
                                fail_msg("%s, %u a page: %u", rows[i].why, limits[k], n);
                }
        world_stop(&w);
}

static void count_is(world *w, unsigned who, const char *query, const char *set,
                     const char *severity, int want)
{
        answer a = world_ask(w, who, "GET", query, NULL);
        const json_t *n = json_object_get(json_object_get(a.json, set), severity);

        if (json_integer_value(n) != want || !json_is_integer(n))
                fail_msg("%s: %s %s is %d", query, set, severity, (int)json_integer_value(n));
        answer_done(&a);
}

static void counts_are_those_of_the_lists(void **state)
{
        world w;

        (void)state;
        world_start(&w, NULL);
        fill(&w, 4, 12);
        count_is(&w, V, ALARMS "/counts", "active", "critical", 8);
        count_is(&w, V, ALARMS "/counts", "active", "major", 12);
        count_is(&w, V, ALARMS "/counts", "unacknowledged", "major", 8);
        count_is(&w, V, ALARMS "/counts", "active", "indeterminate", 0);
        count_is(&w, V, ALARMS "/counts?prefix=acme%2F", "active", "major", 6);
        count_is(&w, V, ALARMS "/counts?prefix=zzz", "active", "major", 0);
        count_is(&w, SCOPED, ALARMS "/counts", "unacknowledged", "major", 4);
        count_is(&w, SCOPED, ALARMS "/counts?prefix=other%2F", "active", "major", 0);
        world_stop(&w);
}

static void history_says_who_did_what(void **state)
{
        static const char *const want[] = {"raised", "changed", "acknowledged", "commented",
                                           "cleared"};
        const json_t *list;
        answer a;
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        a = world_ask(&w, O, "POST", ALARMS, "{\"device\":\"d\",\"cause\":\"c\",\"text\":\"a\"}");
        answer_done(&a);
        a = world_ask(&w, O, "POST", ALARMS, "{\"device\":\"d\",\"cause\":\"c\",\"text\":\"a\"}");
        answer_done(&a); /* repeated: no line */
        a = world_ask(&w, O, "POST", ALARMS, "{\"device\":\"d\",\"cause\":\"c\",\"text\":\"b\"}");
        answer_done(&a);
        a = world_ask(&w, O, "PATCH", ALARMS "/1", "{\"acknowledged\":true,\"comment\":\"seen\"}");
        answer_done(&a);
        a = world_ask(&w, O, "POST", ALARMS "/1/clear", "{}");
        answer_done(&a);
        a = world_ask(&w, V, "GET", ALARMS "/1", NULL);
        list = json_object_get(a.json, "history");
        assert_int_equal(json_array_size(list), ODM_COUNT(want));
        for (size_t i = 0; i < ODM_COUNT(want); i++) {
                const json_t *h = json_array_get(list, i);

                assert_string_equal(json_string_value(json_object_get(h, "what")), want[i]);
                assert_string_equal(json_string_value(json_object_get(h, "actor")), "otto");
        }
        assert_int_equal(json_integer_value(json_object_get(a.json, "count")), 3);
        answer_done(&a);
        world_stop(&w);
}

/* Rules count for what is heard from then on; the part has them when it has heard of it. */
static void rules_are_used(void **state)
{
        const char *severity = "";
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        answer a = world_ask(&w, A, "PUT", ALARMS "/rules",
                             "{\"rules\":[{\"cause\":\"c\",\"severity\":\"critical\"}]}");
        answer_done(&a);
        for (unsigned i = 0; i < 10000 && strcmp(severity, "critical") != 0; i++) {
                a = world_ask(&w, O, "POST", ALARMS, "{\"device\":\"d\",\"cause\":\"c\"}");
                severity = strcmp(answer_text(&a, "severity"), "critical") == 0 ? "critical" : "";
                answer_done(&a);
                (void)usleep(2000);
        }
        assert_string_equal(severity, "critical");
        world_stop(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(requests_are_answered_as_the_table_says),
                cmocka_unit_test(lists_hold_what_was_asked_for),
                cmocka_unit_test(counts_are_those_of_the_lists),
                cmocka_unit_test(history_says_who_did_what),
                cmocka_unit_test(rules_are_used),
        };

        return RUN_TESTS(tests);
}
