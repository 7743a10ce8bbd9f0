/* SPDX-License-Identifier: Apache-2.0 */
/* The log as people and programs see it: pages, requests that wait, streams. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api_world.h"
#include "event.h"
#include "heap.h"
#include "loop.h"

#define LIMIT_MS 10000

static void say(world *w, int64_t device, const char *kind, const char *data)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_EVENT_ADD);

        op->event = (store_event){
                .at = 1000, .device = device, .kind = odm_cstr(kind), .data = odm_cstr(data)};
        assert_int_equal(store_write_sync(w->store, b), 0);
        store_batch_free(b);
}

/* The kinds of an answer's items, a blank between. */
static const char *kinds(const answer *a, char out[512])
{
        const json_t *items = json_object_get(a->json, "items"), *v;
        size_t i;

        out[0] = 0;
        json_array_foreach(items, i, v)
        {
                size_t n = strlen(out);
                (void)snprintf(out + n, 512 - n, "%s%s", n ? " " : "",
                               json_string_value(json_object_get(v, "kind")));
        }
        return out;
}

static void pages_and_filters(void **state)
{
        static const struct row {
                const char *why, *query;
                unsigned who, status;
                const char *kinds;
        } rows[] = {
                {"the newest, the last one at the end", "?limit=2", TOKEN_VIEWER, 200, "x.d y.e"},
                {"from the beginning", "?after=0&limit=3", TOKEN_VIEWER, 200,
                 "device.created device.created x.a"},
                {"those behind one", "?after=4", TOKEN_VIEWER, 200, "x.c x.d y.e"},
                {"none behind the last", "?after=99", TOKEN_VIEWER, 200, ""},
                {"by kind", "?kind=y.", TOKEN_VIEWER, 200, "y.e"},
                {"the newest by kind, looked for far back", "?kind=device.&limit=1", TOKEN_VIEWER,
                 200, "device.created"},
                {"of one device", "?device=acme%2F1&kind=x", TOKEN_VIEWER, 200, "x.a x.c"},
                {"of a device nobody knows", "?device=nobody", TOKEN_VIEWER, 404, NULL},
                {"a scope hides others and what is of none", "?after=0", SCOPED, 200,
                 "device.created x.a x.c"},
                {"a scope hides devices", "?device=other", SCOPED, 404, NULL},
                {"no number", "?after=x", TOKEN_VIEWER, 400, NULL},
                {"too long a wait", "?wait=999", TOKEN_VIEWER, 400, NULL},
                {"nobody", "", NOBODY, 401, NULL},
        };
        world w;
        char got[512];

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "acme/1");
        world_device(&w, "other");
        say(&w, 1, "x.a", "{\"n\":1}");
        say(&w, 2, "x.b", "{}");
        say(&w, 1, "x.c", "no JSON");
        say(&w, 2, "x.d", "{}");
        say(&w, 0, "y.e", "{}");
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char path[128];
                (void)snprintf(path, sizeof path, "/api/v1/events%s", rows[i].query);
                answer a = world_ask(&w, rows[i].who, "GET", path, NULL);
                if (a.status != rows[i].status)
                        fail_msg("%s: %u", rows[i].why, a.status);
                if (rows[i].kinds && strcmp(kinds(&a, got), rows[i].kinds) != 0)
                        fail_msg("%s: '%s'", rows[i].why, got);
                answer_done(&a);
        }
        world_stop(&w);
}

/* What a gateway tells of those behind it is not for a token that may not see them all. */
static void a_scope_hides_what_gateways_tell_of_others(void **state)
{
        static const struct {
                const char *kind, *data;
                int shown; /* to a token; to a webhook with that prefix all are */
        } rows[] = {
                {"alert", "\"type\":\"urn:oma:at:oma-gwmo:resultaggregation:1.0\"", 0},
                {"alert", "\"type\":\"urn:oma:at:x-xrem-gw:1.0:RecordChange\"", 0},
                {"alert", "\"type\":\"urn:oma:at:x-xrem-gw:1.0:TaskRequest\"", 1},
                {"alert", "\"type\":\"org.example\",\"source\":\"./GwDev/d2/A\"", 0},
                {"alert", "\"type\":\"org.example\",\"target\":\"./GwDev/d2/A\"", 0},
                {"alert", "\"type\":\"org.example\",\"source\":\"./A\"", 1},
                {"gateway.early", "\"type\":\"org.example\"", 0},
                {"gateway.found", "\"n\":1", 1},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                for (unsigned token = 0; token < 2; token++) {
                        const event_filter f = {.scope = ODM_STR("acme/"), .token = token};
                        event_view view = {.st = NULL};
                        json_t *o = NULL;
                        char data[256];

                        (void)snprintf(data, sizeof data, "{\"device\":\"acme/gw\",%s}",
                                       rows[i].data);
                        const store_event e = {
                                .at = 1, .kind = odm_cstr(rows[i].kind), .data = odm_cstr(data)};
                        int rc = event_show(&view, &f, &e, &o);
                        if (rc != (token ? rows[i].shown : 1))
                                fail_msg("%s %s: %d", rows[i].kind, rows[i].data, rc);
                        json_decref(o);
                }
        }
}

static void an_event_is_shown_whole(void **state)
{
        world w;
        const json_t *e;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "acme/1");
        say(&w, 1, "x.a", "{\"n\":1}");
        answer a = world_ask(&w, TOKEN_VIEWER, "GET", "/api/v1/events?kind=x.", NULL);
        e = json_array_get(json_object_get(a.json, "items"), 0);
        assert_string_equal(json_string_value(json_object_get(e, "id")), "2");
        assert_string_equal(json_string_value(json_object_get(e, "time")), "1970-01-01T00:00:01Z");
        assert_string_equal(json_string_value(json_object_get(e, "device")), "acme/1");
        assert_int_equal(json_integer_value(json_object_get(json_object_get(e, "data"), "n")), 1);
        assert_string_equal(answer_text(&a, "last"), "2");
        answer_done(&a);
        world_stop(&w);
}

/* ---- large ones ----------------------------------------------------------------------- */

/* One of a text of so many octets; its characters have three. */
static void say_large(world *w, const char *kind, size_t n)
{
        static const char head[] = "{\"data\":\"";
        char *data = malloc(n + sizeof head + 3), *at = data + sizeof head - 1;

        memcpy(data, head, sizeof head - 1);
        for (size_t i = 0; i < n; i += 3, at += 3)
                memcpy(at, "\xe2\x82\xac", 3);
        memcpy(at, "\"}", 3);
        say(w, 0, kind, data);
        free(data);
}

static void a_page_holds_what_its_memory_does(void **state)
{
        world w;
        odm_arena a;
        store_event_list l = {.more = true};
        int64_t at = 0;

        (void)state;
        odm_arena_init(&a, &heap_mem, (size_t)16 << 10);
        world_start(&w, NULL);
        for (unsigned i = 0; i < 40; i++)
                say_large(&w, "x.a", i == 20 ? 9000 : 900);
        for (unsigned pages = 0; l.more; pages++) {
                assert_in_range(pages, 0, 40);
                assert_int_equal(event_page(w.store, at, 0, &a, &l), 0);
                for (size_t i = 0; i < l.n; i++)
                        assert_int_equal(l.v[i].seq, ++at);
        }
        assert_int_equal(at, 40);
        odm_arena_done(&a);
        world_stop(&w);
}

static size_t data_octets(const answer *a, size_t i)
{
        const json_t *e = json_array_get(json_object_get(a->json, "items"), i);

        return json_string_length(json_object_get(json_object_get(e, "data"), "data"));
}

static void texts_of_large_ones_are_cut(void **state)
{
        world w;
        answer a;

        (void)state;
        world_start(&w, NULL);
        say_large(&w, "x.a", 3000000);
        say_large(&w, "x.b", 3000000);
        say_large(&w, "x.c", 60000);
        a = world_ask(&w, TOKEN_VIEWER, "GET", "/api/v1/events?after=1", NULL);
        assert_int_equal(a.status, 200);
        assert_int_equal(data_octets(&a, 0), EVENT_TEXT / 3 * 3);
        assert_int_equal(data_octets(&a, 1), 60000);
        answer_done(&a);
        world_stop(&w);
}

static void an_answer_has_an_end(void **state)
{
        world w;
        answer a;
        char path[64] = "/api/v1/events?after=0";
        size_t n = 0, pages = 0;

        (void)state;
        world_start(&w, NULL);
        for (unsigned i = 0; i < 100; i++)
                say_large(&w, "x.a", 60000);
        for (const char *next = ""; next; pages++) {
                a = world_ask(&w, TOKEN_VIEWER, "GET", path, NULL);
                assert_int_equal(a.status, 200);
                n += json_array_size(json_object_get(a.json, "items"));
                next = json_string_value(json_object_get(a.json, "next"));
                (void)snprintf(path, sizeof path, "/api/v1/events?after=%s", next ? next : "");
                answer_done(&a);
        }
        assert_int_equal(n, 100);
        assert_int_equal(pages, 2);
        world_stop(&w);
}

typedef struct later {
        world *w;
        const char *kind;
} later;

static void *say_later(void *ctx)
{
        later *l = ctx;

        (void)usleep(100000);
        say(l->w, 0, "y.other", "{}");
        say(l->w, 0, l->kind, "{}");
        return NULL;
}

static void a_request_waits_for_the_next(void **state)
{
        world w;
        char got[512];
        pthread_t t;
        later l = {&w, "x.a"};

        (void)state;
        world_start(&w, NULL);
        assert_int_equal(pthread_create(&t, NULL, say_later, &l), 0);
        answer a = world_ask(&w, TOKEN_VIEWER, "GET", "/api/v1/events?wait=20&kind=x.", NULL);
        pthread_join(t, NULL);
        assert_int_equal(a.status, 200);
        assert_string_equal(kinds(&a, got), "x.a");
        answer_done(&a);
        a = world_ask(&w, TOKEN_VIEWER, "GET", "/api/v1/events?wait=1&after=2", NULL);
        assert_int_equal(a.status, 200);
        assert_string_equal(kinds(&a, got), "");
        assert_string_equal(answer_text(&a, "last"), "2");
        answer_done(&a);
        world_stop(&w);
}

/* ---- streams, by a bare socket ------------------------------------------------------- */

typedef struct ear {
        int fd;
        char text[65536];
        size_t n;
} ear;

static void ear_open(ear *e, world *w, unsigned who, const char *path, const char *more)
{
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)w->port)};
        char head[1024];
        int n;

        *e = (ear){.fd = socket(AF_INET, SOCK_STREAM, 0)};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(connect(e->fd, (struct sockaddr *)&to, sizeof to), 0);
        n = snprintf(head, sizeof head,
                     "GET %s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
                     "Authorization: Bearer %s\r\n%s\r\n",
                     path, w->token[who], more);
        assert_int_equal(write(e->fd, head, (size_t)n), n);
}

/* Reads until `text` was heard; false when the peer ends or it takes too long. */
static bool ear_hears(ear *e, const char *text)
{
        int64_t until = loop_now().ms + LIMIT_MS;

        while (!strstr(e->text, text)) {
                struct pollfd p = {.fd = e->fd, .events = POLLIN};
                int64_t left = until - loop_now().ms;
                ssize_t n;

                if (left <= 0 || poll(&p, 1, (int)left) != 1)
                        return false;
                n = read(e->fd, e->text + e->n, sizeof e->text - 1 - e->n);
                if (n <= 0)
                        return false;
                e->n += (size_t)n;
        }
        return true;
}

static void a_stream_begins_where_it_was(void **state)
{
        world w;
        ear e;

        (void)state;
        world_start(&w, NULL);
        for (unsigned i = 0; i < 600; i++) /* more than a page */
                say(&w, 0, "x.old", "{}");
        ear_open(&e, &w, TOKEN_VIEWER, "/api/v1/events", "");
        assert_true(ear_hears(&e, "retry:"));
        say(&w, 0, "x.new", "{\"n\":1}");
        assert_true(ear_hears(&e, "id: 601\nevent: x.new\ndata: {"));
        assert_null(strstr(e.text, "x.old"));
        close(e.fd);
        say(&w, 0, "x.missed", "{}");
        ear_open(&e, &w, TOKEN_VIEWER, "/api/v1/events?after=7", "Last-Event-ID: 598\r\n");
        assert_true(ear_hears(&e, "event: x.missed"));
        assert_null(strstr(e.text, "id: 598\n"));
        assert_non_null(strstr(e.text, "id: 599\n"));
        assert_non_null(strstr(e.text, "id: 601\n"));
        close(e.fd);
        world_stop(&w);
}

static void a_stream_goes_on_behind_a_large_one(void **state)
{
        world w;
        ear e;

        (void)state;
        world_start(&w, NULL);
        ear_open(&e, &w, TOKEN_VIEWER, "/api/v1/events", "");
        assert_true(ear_hears(&e, "retry:"));
        say_large(&w, "x.large", 3000000);
        say(&w, 0, "x.next", "{}");
        assert_true(ear_hears(&e, "event: x.next"));
        assert_non_null(strstr(e.text, "event: x.large"));
        close(e.fd);
        world_stop(&w);
}

/* The log keeps 640 or a few more here. */
static void what_is_not_kept_any_more_is_told(void **state)
{
        world w;
        answer a;
        ear e;
        char text[80];
        int64_t missed;

        (void)state;
        world_start(&w, NULL);
        for (unsigned i = 0; i < 1500; i++)
                say(&w, 0, "x.old", "{}");
        a = world_ask(&w, TOKEN_VIEWER, "GET", "/api/v1/events?after=100&limit=1", NULL);
        missed = json_integer_value(json_object_get(a.json, "missed"));
        assert_in_range(missed, 700, 760);
        (void)snprintf(text, sizeof text, "%lld", (long long)missed + 101);
        assert_string_equal(json_string_value(json_object_get(
                                    json_array_get(json_object_get(a.json, "items"), 0), "id")),
                            text);
        answer_done(&a);
        a = world_ask(&w, TOKEN_VIEWER, "GET", "/api/v1/events?after=1400&limit=1", NULL);
        assert_null(json_object_get(a.json, "missed"));
        answer_done(&a);
        /* a log that was put back: what comes is not waited for until it has the old numbers */
        a = world_ask(&w, TOKEN_VIEWER, "GET", "/api/v1/events?after=9000", NULL);
        assert_string_equal(json_string_value(json_object_get(a.json, "last")), "1500");
        answer_done(&a);
        ear_open(&e, &w, TOKEN_VIEWER, "/api/v1/events?after=100", "");
        (void)snprintf(text, sizeof text, "event: missed\ndata: {\"missed\":%lld}\n\n",
                       (long long)missed);
        assert_true(ear_hears(&e, text));
        assert_true(ear_hears(&e, "event: x.old"));
        close(e.fd);
        world_stop(&w);
}

static void a_stream_shows_what_its_token_may_see(void **state)
{
        world w;
        ear e;

        (void)state;
        world_start(&w, NULL);
        world_device(&w, "acme/1");
        world_device(&w, "other");
        ear_open(&e, &w, SCOPED, "/api/v1/events?after=0", "");
        say(&w, 0, "x.none", "{}");
        say(&w, 2, "x.other", "{}");
        say(&w, 1, "x.mine", "{}");
        assert_true(ear_hears(&e, "x.mine"));
        assert_null(strstr(e.text, "x.none"));
        assert_null(strstr(e.text, "x.other"));
        close(e.fd);
        world_stop(&w);
}

static void *wait_long(void *ctx)
{
        later *l = ctx;
        answer a = world_ask(l->w, TOKEN_VIEWER, "GET", "/api/v1/events?wait=300", NULL);

        assert_int_equal(a.status, 200);
        answer_done(&a);
        return NULL;
}

static double listeners(world *w)
{
        odm_buf b;
        double n = -1;
        const char *at;

        odm_buf_init(&b, &heap_mem, 1 << 16);
        assert_int_equal(fleet_metrics(w->fleet, &b), 0);
        assert_int_equal(odm_buf_put(&b, "", 1), 0);
        at = strstr(odm_buf_view(&b).p, "\nnrem_event_listeners ");
        if (at)
                n = strtod(at + 22, NULL);
        odm_buf_done(&b);
        return n;
}

static void stopping_answers_those_who_wait(void **state)
{
        world w;
        pthread_t t;
        later l = {&w, NULL};
        ear e;

        (void)state;
        world_start(&w, NULL);
        assert_int_equal(pthread_create(&t, NULL, wait_long, &l), 0);
        ear_open(&e, &w, TOKEN_VIEWER, "/api/v1/events", "");
        assert_true(ear_hears(&e, "retry:"));
        for (unsigned i = 0; i < 20000 && listeners(&w) < 2; i++)
                (void)usleep(2000);
        assert_true(listeners(&w) == 2);
        fleet_stop(w.fleet);
        pthread_join(t, NULL);
        assert_false(ear_hears(&e, "never said"));
        close(e.fd);
        world_stop(&w);
}

/* ---- their kinds ------------------------------------------------------------------------ */

/* The first cells of its table are the kinds, in backticks. */
static void the_page_lists_exactly_the_kinds(void **state)
{
        FILE *f = fopen(EVENTS, "r");
        char line[4096];
        size_t listed = 0, known = 0;

        (void)state;
        assert_non_null(f);
        while (fgets(line, sizeof line, f)) {
                char *end = strncmp(line, "| `", 3) == 0 ? strchr(line + 1, '|') : NULL;

                if (!end)
                        continue;
                *end = 0;
                for (char *rest, *at = strtok_r(line, "|`, ", &rest); at;
                     at = strtok_r(NULL, "|`, ", &rest)) {
                        assert_non_null(event_kinds[listed]);
                        assert_string_equal(at, event_kinds[listed]);
                        listed++;
                }
        }
        (void)fclose(f);
        while (event_kinds[known])
                known++;
        assert_int_equal(listed, known);
}

static void what_is_asked_for_may_come(void **state)
{
        (void)state;
        assert_true(event_kind_known(ODM_STR("alarm.")));
        assert_true(event_kind_known(ODM_STR("alert")));
        assert_true(event_kind_known(ODM_STR("alarm.raised")));
        assert_false(event_kind_known(ODM_STR("alarm.rased")));
        assert_false(event_kind_known(ODM_STR("alarm.raised.")));
        assert_false(event_kind_known(ODM_STR("")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_page_lists_exactly_the_kinds),
                cmocka_unit_test(what_is_asked_for_may_come),
                cmocka_unit_test(pages_and_filters),
                cmocka_unit_test(a_scope_hides_what_gateways_tell_of_others),
                cmocka_unit_test(an_event_is_shown_whole),
                cmocka_unit_test(a_page_holds_what_its_memory_does),
                cmocka_unit_test(texts_of_large_ones_are_cut),
                cmocka_unit_test(an_answer_has_an_end),
                cmocka_unit_test(a_request_waits_for_the_next),
                cmocka_unit_test(a_stream_begins_where_it_was),
                cmocka_unit_test(a_stream_goes_on_behind_a_large_one),
                cmocka_unit_test(what_is_not_kept_any_more_is_told),
                cmocka_unit_test(a_stream_shows_what_its_token_may_see),
                cmocka_unit_test(stopping_answers_those_who_wait),
        };

        return RUN_TESTS(tests);
}
