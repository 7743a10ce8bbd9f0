/* SPDX-License-Identifier: Apache-2.0 */
/* Performance data over REST: put, asked for as JSON and CSV, by step, in pages, of many devices;
 * what is refused; collections and thresholds. */
#include <time.h>
#include <unistd.h>

#include "api_world.h"
#include "sample.h"

static int64_t hour; /* the begin of the hour before the last one, ms */

static const char *at(char out[SAMPLE_TIME], int64_t second)
{
        sample_time_format(hour + second * 1000, out);
        return out;
}

static void ask_ok(world *w, const char *method, const char *path, const char *body,
                   unsigned status)
{
        answer a = world_ask(w, TOKEN_OPERATOR, method, path, body);

        if (a.status != status)
                fail_msg("%s %s: %u", method, path, a.status);
        answer_done(&a);
}

/* Samples every 60 s, `from` to `to`; the value is the second. */
static void put(world *w, const char *device, int64_t from, int64_t to)
{
        char body[16384], when[SAMPLE_TIME], path[100];
        size_t n = (size_t)snprintf(body, sizeof body, "{\"samples\":[");

        for (int64_t s = from; s < to; s += 60)
                n += (size_t)snprintf(body + n, sizeof body - n,
                                      "%s{\"at\":\"%s\",\"values\":{\"load\":%lld}}",
                                      s > from ? "," : "", at(when, s), (long long)s);
        (void)snprintf(body + n, sizeof body - n, "]}");
        (void)snprintf(path, sizeof path, "/api/v1/devices/%s/metrics", device);
        ask_ok(w, "POST", path, body, 202);
}

/* Waits until the device's series has so many samples. */
static void wait_for(world *w, const char *device, int samples)
{
        char path[300];
        int n = -1;

        (void)snprintf(path, sizeof path, "/api/v1/devices/%s/metrics", device);
        for (unsigned i = 0; i < 1000 && n != samples; i++) {
                answer a = world_ask(w, TOKEN_VIEWER, "GET", path, NULL);
                json_t *one = json_array_get(json_object_get(a.json, "items"), 0);

                n = (int)json_integer_value(json_object_get(one, "samples"));
                answer_done(&a);
                if (n != samples)
                        (void)usleep(5000);
        }
        assert_int_equal(n, samples);
}

/* "second:value" of each sample, "second-second" of a gap, "second:min/max/mean/last" of a step. */
static void shown(const json_t *items, char *out, size_t room)
{
        const json_t *e;
        size_t i, n = 0;

        out[0] = 0;
        json_array_foreach(items, i, e)
        {
                int64_t from = 0, until = 0;
                const json_t *v = json_object_get(e, "value");

                assert_int_equal(
                        sample_time_parse(odm_cstr(json_string_value(json_object_get(e, "at"))),
                                          &from),
                        0);
                from = (from - hour) / 1000;
                if (json_is_true(json_object_get(e, "gap"))) {
                        assert_int_equal(sample_time_parse(odm_cstr(json_string_value(
                                                                   json_object_get(e, "until"))),
                                                           &until),
                                         0);
                        n += (size_t)snprintf(out + n, room - n, "%s%lld-%lld", i ? " " : "",
                                              (long long)from, (long long)(until - hour) / 1000);
                } else if (v) {
                        n += (size_t)snprintf(out + n, room - n, "%s%lld:%g", i ? " " : "",
                                              (long long)from, json_number_value(v));
                } else {
                        n += (size_t)snprintf(out + n, room - n, "%s%lld:%g/%g/%g", i ? " " : "",
                                              (long long)from,
                                              json_number_value(json_object_get(e, "min")),
                                              json_number_value(json_object_get(e, "max")),
                                              json_number_value(json_object_get(e, "mean")));
                }
        }
}

typedef struct get_row {
        const char *query; /* %s: from, to */
        int64_t from, to;
        const char *want, *why;
} get_row;

static const get_row gets[] = {
        {"device=d&step=raw", 0, 240, "0:0 60:60 120:120 180:180", "samples as they came"},
        {"device=d&step=raw", 1440, 1980, "1440:1440 1500-1800 1800:1800 1860:1860 1920:1920",
         "a gap is an entry"},
        {"device=d&step=5m", 0, 900, "0:0/240/120 300:300/540/420 600:600/840/720", "a roll-up"},
        {"device=d&step=10m", 0, 1200, "0:0/540/270 600:600/1140/870", "two of them"},
        {"device=d&step=2m", 0, 240, "0:0/60/30 120:120/180/150", "made of samples"},
        {"device=d&step=10m", 1200, 2400, "1200:1200/1440/1320 1500-1800 1800:1800/2340/2070",
         "a gap between steps"},
        {"device=d&step=1h", 0, 3600, "0:0/3540/1783.64", "the open hour"},
        {"device=d&metric=none", 0, 3600, "", "a metric that nobody told of"},
        {"prefix=&step=30m", 0, 3600, "0:0/1440/720 1800:1800/3540/2670", "all devices in one"},
        {"prefix=d&step=30s", 0, 240, "0:0/0/0 60:60/60/60 120:120/120/120 180:180/180/180",
         "no gap: they tell each minute"},
        {"prefix=d&step=5m", 1200, 2400,
         "1200:1200/1440/1320 1500-1800 1800:1800/2040/1920 2100:2100/2340/2220", "a gap of all"},
        {"tag=x&step=30m", 0, 3600, "", "none of them"},
};

static void samples_are_shown(void **state)
{
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        world_device(&w, "e");
        put(&w, "d", 0, 1500);
        put(&w, "d", 1800, 3600);
        put(&w, "e", 0, 1500);
        put(&w, "e", 0, 1500); /* again: nothing changes */
        wait_for(&w, "d", 55);
        wait_for(&w, "e", 25);
        for (size_t i = 0; i < ODM_COUNT(gets); i++) {
                char path[400], a1[SAMPLE_TIME], a2[SAMPLE_TIME], got[1000];
                bool named = strstr(gets[i].query, "metric=") != NULL;
                answer a;

                (void)snprintf(path, sizeof path, "/api/v1/metrics?%s%s&from=%s&to=%s",
                               gets[i].query, named ? "" : "&metric=load", at(a1, gets[i].from),
                               at(a2, gets[i].to));
                a = world_ask(&w, TOKEN_VIEWER, "GET", path, NULL);
                shown(json_object_get(a.json, "items"), got, sizeof got);
                if (a.status != 200 || strcmp(got, gets[i].want) != 0)
                        fail_msg("%s: %u \"%s\" instead of \"%s\"", gets[i].why, a.status, got,
                                 gets[i].want);
                answer_done(&a);
        }
        world_stop(&w);
}

static void pages_follow_each_other(void **state)
{
        world w;
        char next[SAMPLE_TIME] = "", a1[SAMPLE_TIME], a2[SAMPLE_TIME], all[4000] = "";
        unsigned pages = 0;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        put(&w, "d", 0, 1200);
        put(&w, "d", 1800, 2400);
        wait_for(&w, "d", 30);
        do {
                char path[400], got[1000];
                answer a;

                (void)snprintf(path, sizeof path,
                               "/api/v1/metrics?device=d&metric=load&step=raw&limit=7&from=%s&to=%s"
                               "%s%s",
                               at(a1, 0), at(a2, 2400), next[0] ? "&cursor=" : "", next);
                a = world_ask(&w, TOKEN_VIEWER, "GET", path, NULL);
                assert_int_equal(a.status, 200);
                shown(json_object_get(a.json, "items"), got, sizeof got);
                (void)snprintf(next, sizeof next, "%s", answer_text(&a, "next"));
                (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s",
                               pages ? " " : "", got);
                answer_done(&a);
        } while (next[0] && ++pages < 20);
        assert_int_equal(pages, 4);
        assert_non_null(strstr(all, "1140:1140 1200-1800 1800:1800"));
        for (unsigned s = 0; s < 2400; s += s == 1140 ? 660 : 60) {
                char one[40];
                const char *place;

                (void)snprintf(one, sizeof one, "%u:%u", s, s);
                place = strstr(all, one);
                assert_non_null(place);
        }
        world_stop(&w);
}

typedef struct bad_row {
        unsigned who;
        const char *method, *path, *body;
        unsigned status;
        const char *why;
} bad_row;

#define DAY_AHEAD "2990-01-01T00:00:00Z"
static const bad_row bads[] = {
        {TOKEN_VIEWER, "GET", "/api/v1/metrics?device=d", NULL, 400, "no metric"},
        {TOKEN_VIEWER, "GET", "/api/v1/metrics?metric=m", NULL, 400, "no device"},
        {TOKEN_VIEWER, "GET", "/api/v1/metrics?metric=m&device=x", NULL, 404, "no such device"},
        {SCOPED, "GET", "/api/v1/metrics?metric=m&device=d", NULL, 404, "not to be seen"},
        {TOKEN_VIEWER, "GET", "/api/v1/metrics?metric=m&device=d&step=x", NULL, 400, "no step"},
        {TOKEN_VIEWER, "GET", "/api/v1/metrics?metric=m&device=d&from=x", NULL, 400, "no time"},
        {TOKEN_VIEWER, "GET", "/api/v1/metrics?metric=m&device=d&from=-1h&to=-2h", NULL, 400,
         "from behind to"},
        {TOKEN_VIEWER, "GET", "/api/v1/metrics?metric=m&device=d&format=xml", NULL, 400, "a form"},
        {TOKEN_VIEWER, "GET", "/api/v1/metrics?metric=m&prefix=d&step=raw", NULL, 400,
         "samples of many devices"},
        {TOKEN_VIEWER, "GET", "/api/v1/metrics?metric=m&prefix=d&from=-7d&step=1s", NULL, 400,
         "too many steps"},
        {TOKEN_VIEWER, "POST", "/api/v1/devices/d/metrics", "{}", 403, "a viewer puts"},
        {TOKEN_OPERATOR, "POST", "/api/v1/devices/d/metrics", "{}", 400, "no samples"},
        {TOKEN_OPERATOR, "POST", "/api/v1/devices/d/metrics", "{\"samples\":[{}]}", 400,
         "no values"},
        {TOKEN_OPERATOR, "POST", "/api/v1/devices/d/metrics",
         "{\"samples\":[{\"values\":{\"a b\":1}}]}", 400, "a bad name"},
        {TOKEN_OPERATOR, "POST", "/api/v1/devices/d/metrics",
         "{\"samples\":[{\"values\":{\"a\":[]}}]}", 400, "a bad value"},
        {TOKEN_OPERATOR, "POST", "/api/v1/devices/d/metrics",
         "{\"samples\":[{\"values\":{\"a\":1e200}}]}", 400, "too large a value"},
        {TOKEN_OPERATOR, "POST", "/api/v1/devices/d/metrics",
         "{\"samples\":[{\"values\":{\"a\":1},\"at\":\"" DAY_AHEAD "\"}]}", 400, "in the future"},
        {TOKEN_OPERATOR, "POST", "/api/v1/devices/d/metrics",
         "{\"samples\":[{\"values\":{\"a\":1},\"at\":\"2001-01-01T00:00:00Z\"}]}", 400, "too old"},
        {TOKEN_OPERATOR, "POST", "/api/v1/devices/d/metrics",
         "{\"samples\":[{\"values\":{\"a\":1},\"x\":1}]}", 400, "a member nobody knows"},
        {TOKEN_OPERATOR, "POST", "/api/v1/metrics/collections", "{}", 400, "nothing"},
        {TOKEN_OPERATOR, "POST", "/api/v1/metrics/collections", "{\"selector\":{},\"every\":60}",
         400, "neither nodes nor function"},
        {TOKEN_OPERATOR, "POST", "/api/v1/metrics/collections",
         "{\"selector\":{},\"every\":60,\"nodes\":[\"./A\"],\"function\":\"./B\"}", 400, "both"},
        {TOKEN_OPERATOR, "POST", "/api/v1/metrics/collections",
         "{\"selector\":{},\"every\":0,\"nodes\":[\"./A\"]}", 400, "no time between"},
        {TOKEN_OPERATOR, "POST", "/api/v1/metrics/collections",
         "{\"selector\":{},\"every\":60,\"nodes\":[\"A\"]}", 400, "no node"},
        {TOKEN_OPERATOR, "POST", "/api/v1/metrics/collections",
         "{\"selector\":{},\"every\":60,\"nodes\":[{\"uri\":\"./A\",\"metric\":\"a b\"}]}", 400,
         "no name"},
        {TOKEN_OPERATOR, "POST", "/api/v1/metrics/collections",
         "{\"selector\":{\"color\":1},\"every\":60,\"nodes\":[\"./A\"]}", 400, "no selector"},
        {SCOPED, "POST", "/api/v1/metrics/collections",
         "{\"selector\":{},\"every\":60,\"nodes\":[\"./A\"]}", 403, "beyond the scope"},
        {SCOPED, "POST", "/api/v1/metrics/collections",
         "{\"selector\":{\"prefix\":\"acme/\"},\"every\":60,\"nodes\":[\"./GwDev/d1/DevInfo/"
         "Lang\"]}",
         403, "through a gateway"},
        {SCOPED, "POST", "/api/v1/metrics/collections",
         "{\"selector\":{\"prefix\":\"acme/\"},\"every\":60,\"function\":\"./GwDev/d1/DiagMon/"
         "Memory\"}",
         403, "a function through a gateway"},
        {TOKEN_OPERATOR, "GET", "/api/v1/metrics/collections/77", NULL, 404, "no such collection"},
        {TOKEN_OPERATOR, "DELETE", "/api/v1/metrics/collections/77", NULL, 404, "nothing to stop"},
        {TOKEN_OPERATOR, "POST", "/api/v1/metrics/thresholds", "{\"selector\":{},\"metric\":\"m\"}",
         400, "no limit"},
        {TOKEN_OPERATOR, "POST", "/api/v1/metrics/thresholds",
         "{\"selector\":{},\"metric\":\"m\",\"low\":2,\"high\":1}", 400, "upside down"},
        {TOKEN_OPERATOR, "POST", "/api/v1/metrics/thresholds",
         "{\"selector\":{},\"metric\":\"m\",\"low\":2,\"severity\":\"bad\"}", 400, "no severity"},
        {TOKEN_OPERATOR, "DELETE", "/api/v1/metrics/thresholds/77", NULL, 404, "no threshold"},
};

static void what_is_wrong_is_refused(void **state)
{
        world w;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        for (size_t i = 0; i < ODM_COUNT(bads); i++) {
                answer a = world_ask(&w, bads[i].who, bads[i].method, bads[i].path, bads[i].body);

                if (a.status != bads[i].status)
                        fail_msg("%s: %u", bads[i].why, a.status);
                answer_done(&a);
        }
        world_stop(&w);
}

static void csv_has_a_line_for_each_entry(void **state)
{
        world w;
        char path[300], a1[SAMPLE_TIME], a2[SAMPLE_TIME];
        answer a;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "d");
        put(&w, "d", 0, 300);
        wait_for(&w, "d", 5);
        (void)snprintf(path, sizeof path,
                       "/api/v1/metrics?device=d&metric=load&step=raw&format=csv&from=%s&to=%s",
                       at(a1, 0), at(a2, 600));
        a = world_ask(&w, TOKEN_VIEWER, "GET", path, NULL);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.type, "text/csv");
        /* a head, five samples, a gap: "T,d,load,V,\r\n" */
        assert_int_equal(a.size,
                         strlen("time,device,metric,value,gap_until\r\n") +
                                 5 * strlen("2026-11-22T16:35:05Z,d,load,,\r\n") + strlen("0") +
                                 strlen("60") + strlen("120") + strlen("180") + strlen("240") +
                                 2 * strlen("2026-11-22T16:35:05Z") + strlen(",d,load,,\r\n"));
        answer_done(&a);
        world_stop(&w);
}

/* Of what is to come nothing is known, and that is no fault of who asks. */
static void what_is_to_come_is_empty(void **state)
{
        static const char *const of[] = {"device=acme%2Fd&step=raw", "device=acme%2Fd&step=1h",
                                         "prefix=acme%2F&step=1h"};
        world w;
        char path[300];

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "acme/d");
        put(&w, "acme%2Fd", 0, 300);
        wait_for(&w, "acme%2Fd", 5);
        for (size_t i = 0; i < ODM_COUNT(of); i++) {
                (void)snprintf(path, sizeof path,
                               "/api/v1/metrics?metric=load&%s&from=2090-01-01T00:00:00Z"
                               "&to=2090-01-02T00:00:00Z",
                               of[i]);
                answer a = world_ask(&w, TOKEN_VIEWER, "GET", path, NULL);
                if (a.status != 200 || json_array_size(json_object_get(a.json, "items")) != 0)
                        fail_msg("%s: %u", of[i], a.status);
                answer_done(&a);
        }
        world_stop(&w);
}

/* "T,'=1+1,'@sum,-5,\r\n": numbers stay numbers. */
static void csv_holds_no_formulas(void **state)
{
        world w;
        char body[128], path[300], a1[SAMPLE_TIME], a2[SAMPLE_TIME];
        answer a;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "=1+1");
        (void)snprintf(body, sizeof body,
                       "{\"samples\":[{\"at\":\"%s\",\"values\":{\"@sum\":-5}}]}", at(a1, 60));
        ask_ok(&w, "POST", "/api/v1/devices/%3D1%2B1/metrics", body, 202);
        wait_for(&w, "%3D1%2B1", 1);
        (void)snprintf(
                path, sizeof path,
                "/api/v1/metrics?device=%%3D1%%2B1&metric=%%40sum&step=raw&format=csv&from=%s"
                "&to=%s",
                at(a1, 0), at(a2, 600));
        a = world_ask(&w, TOKEN_VIEWER, "GET", path, NULL);
        assert_int_equal(a.status, 200);
        assert_int_equal(a.size, strlen("time,device,metric,value,gap_until\r\n"
                                        "2026-11-22T16:35:05Z,'=1+1,'@sum,-5,\r\n"));
        answer_done(&a);
        world_stop(&w);
}

static void collections_and_thresholds_come_and_go(void **state)
{
        world w;
        answer a;
        char path[300];

        (void)state;
        world_start(&w, NULL);
        a = world_ask(&w, SCOPED, "POST", "/api/v1/metrics/collections",
                      "{\"name\":\"ram\",\"selector\":{\"prefix\":\"acme/\"},\"every\":60,"
                      "\"nodes\":[\"./DiagMon/Memory/DiagMonData/RAMAvail\"]}");
        assert_int_equal(a.status, 201);
        assert_string_equal(answer_text(&a, "state"), "active");
        (void)snprintf(path, sizeof path, "%s", a.location);
        answer_done(&a);
        ask_ok(&w, "GET", path, NULL, 200);
        ask_ok(&w, "DELETE", path, NULL, 202);
        for (unsigned i = 0, status = 200; i < 1000 && status == 200; i++) {
                a = world_ask(&w, TOKEN_VIEWER, "GET", path, NULL);
                status = a.status;
                answer_done(&a);
                if (status == 200)
                        (void)usleep(5000);
                else
                        assert_int_equal(status, 404);
        }
        a = world_ask(&w, TOKEN_OPERATOR, "POST", "/api/v1/metrics/thresholds",
                      "{\"selector\":{},\"metric\":\"load\",\"high\":80.5,\"severity\":\"major\"}");
        assert_int_equal(a.status, 201);
        (void)snprintf(path, sizeof path, "%s", a.location);
        answer_done(&a);
        a = world_ask(&w, TOKEN_VIEWER, "GET", "/api/v1/metrics/thresholds", NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 1);
        answer_done(&a);
        a = world_ask(&w, SCOPED, "GET", "/api/v1/metrics/thresholds", NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 0);
        answer_done(&a);
        ask_ok(&w, "DELETE", path, NULL, 204);
        world_stop(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(samples_are_shown),
                cmocka_unit_test(pages_follow_each_other),
                cmocka_unit_test(csv_has_a_line_for_each_entry),
                cmocka_unit_test(csv_holds_no_formulas),
                cmocka_unit_test(what_is_to_come_is_empty),
                cmocka_unit_test(what_is_wrong_is_refused),
                cmocka_unit_test(collections_and_thresholds_come_and_go),
        };

        hour = ((int64_t)time(NULL) / 3600 - 2) * 3600 * 1000;
        return RUN_TESTS(tests);
}
