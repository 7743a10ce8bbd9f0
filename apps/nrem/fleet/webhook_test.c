/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks against a receiver that fails, stalls, ends and comes back. */
#include "webhook.h"

#include <stdlib.h>
#include <unistd.h>

#include "api_world.h"

#define SECRET "a secret of sixteen"

/* ---- the rules ------------------------------------------------------------------------ */

static void kinds_begin(void **state)
{
        static const struct row {
                const char *why, *kinds, *kind;
                bool wants;
        } rows[] = {
                {"all", "", "alarm.raised", true},
                {"one", "alarm.", "alarm.raised", true},
                {"another", "alarm.", "job.done", false},
                {"the second of two", "alarm. job.", "job.done", true},
                {"exactly", "job.done", "job.done", true},
                {"longer than the kind", "job.done.x", "job.done", false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const webhook w = {.kinds = odm_cstr(rows[i].kinds)};
                if (webhook_wants(&w, odm_cstr(rows[i].kind)) != rows[i].wants)
                        fail_msg("%s", rows[i].why);
        }
}

static void waits_double_up_to_a_ceiling(void **state)
{
        (void)state;
        for (uint32_t n = 1; n < 60; n++) {
                int64_t least = n < 10 ? 1000ll << (n - 1) : WEBHOOK_LONGEST_MS;
                assert_int_equal(webhook_wait(n, 0), least);
                assert_in_range(webhook_wait(n, UINT32_MAX), least, least + least / 4);
        }
        assert_int_equal(webhook_wait(UINT32_MAX, 0), WEBHOOK_LONGEST_MS);
}

static void the_signature_is_hmac_sha256(void **state)
{
        char out[WEBHOOK_SIGNATURE];

        (void)state; /* computed with another implementation */
        assert_int_equal(webhook_sign(ODM_STR(SECRET), 1700000000, ODM_STR("{\"events\":[]}"), out),
                         0);
        assert_string_equal(
                out, "sha256=7678ffd98c44efa2708e2ea8c08762a7aac3ec5234dfaa64a54403091fc21ec3");
}

/* ---- a receiver ------------------------------------------------------------------------ */

typedef struct receiver {
        httpd *h;
        unsigned port;
        pthread_mutex_t lock;
        int64_t missed;            /* as POSTs said that went well */
        unsigned posts, fail, bad; /* POSTs; answers 500 to so many; signatures that are wrong */
        bool stall;                /* keeps requests without an answer */
        httpd_req *kept[16];
        unsigned n_kept;
        char seen[8192]; /* ids of events in order, a blank between, of POSTs that went well */
} receiver;

static void note_events(receiver *r, const json_t *events)
{
        const json_t *e;
        size_t i;

        json_array_foreach(events, i, e)
        {
                size_t n = strlen(r->seen);
                (void)snprintf(r->seen + n, sizeof r->seen - n, "%s ",
                               json_string_value(json_object_get(e, "id")));
        }
}

static void on_post(void *ctx, httpd_req *q)
{
        receiver *r = ctx;
        odm_str body = httpd_body(q), time = httpd_field(q, "X-Xrem-Time");
        json_t *o = json_loadb(body.p, body.n, 0, NULL);
        char sign[WEBHOOK_SIGNATURE];
        unsigned status = 200;
        uint64_t at = 0;
        bool keep;

        if (odm_str_u64(time, INT64_MAX, &at) < 0 ||
            webhook_sign(ODM_STR(SECRET), (int64_t)at, body, sign) < 0)
                sign[0] = 0;
        pthread_mutex_lock(&r->lock);
        r->posts++;
        if (!odm_str_is(httpd_field(q, "X-Xrem-Signature"), sign))
                r->bad++;
        keep = r->stall && r->n_kept < ODM_COUNT(r->kept);
        if (keep)
                r->kept[r->n_kept++] = q;
        if (!keep && r->fail) {
                r->fail--;
                status = 500;
        } else if (!keep) {
                note_events(r, json_object_get(o, "events"));
                r->missed += json_integer_value(json_object_get(o, "missed"));
        }
        pthread_mutex_unlock(&r->lock);
        json_decref(o);
        if (!keep)
                httpd_send_text(q, status, "so");
}

static void receiver_start(receiver *r, unsigned port)
{
        httpd_opt o;
        httpd_listener l;
        char addr[32];

        httpd_opt_init(&o);
        httpd_listener_init(&l);
        (void)snprintf(addr, sizeof addr, "127.0.0.1:%u", port);
        assert_int_equal(net_hostport_parse(addr, &l.addr), 0);
        l.max_body = (size_t)8 << 20;
        l.app = (httpd_app){NULL, on_post, r};
        assert_int_equal(httpd_start(&o, &l, 1, &r->h, NULL), 0);
        r->port = httpd_port(r->h, 0);
}

static void receiver_stop(receiver *r)
{
        pthread_mutex_lock(&r->lock);
        for (unsigned i = 0; i < r->n_kept; i++)
                httpd_send_text(r->kept[i], 503, "no");
        r->n_kept = 0;
        pthread_mutex_unlock(&r->lock);
        httpd_stop(r->h, 1000);
}

static void say(world *w, const char *kind, unsigned n)
{
        store_batch *b = store_batch_new();

        for (unsigned i = 0; i < n; i++) {
                store_op *op = store_batch_add(b, STORE_EVENT_ADD);
                op->event = (store_event){.at = 1, .kind = odm_cstr(kind), .data = ODM_STR("{}")};
        }
        assert_int_equal(store_write_sync(w->store, b), 0);
        store_batch_free(b);
}

static void make(world *w, const receiver *r, const char *kinds)
{
        char body[256];

        (void)snprintf(body, sizeof body,
                       "{\"url\":\"http://127.0.0.1:%u/in\",\"kinds\":[%s],\"secret\":\"" SECRET
                       "\"}",
                       r->port, kinds);
        answer a = world_ask(w, TOKEN_ADMIN, "POST", "/api/v1/webhooks", body);
        assert_int_equal(a.status, 201);
        assert_string_equal(answer_text(&a, "secret"), SECRET);
        answer_done(&a);
}

/* Until the receiver has seen n events, in order and each once as far as it answered well. */
static bool sees(receiver *r, int64_t first, unsigned n)
{
        for (unsigned tries = 0; tries < 4000; tries++) {
                char want[8192] = "";
                bool same;

                for (unsigned i = 0; i < n; i++) {
                        size_t at = strlen(want);
                        (void)snprintf(want + at, sizeof want - at, "%lld ",
                                       (long long)(first + i));
                }
                pthread_mutex_lock(&r->lock);
                same = strcmp(r->seen, want) == 0;
                pthread_mutex_unlock(&r->lock);
                if (same)
                        return true;
                (void)usleep(5000);
        }
        print_message("seen: %s\n", r->seen);
        return false;
}

static void events_arrive_in_order_and_signed(void **state)
{
        world w;
        receiver r = {.lock = PTHREAD_MUTEX_INITIALIZER};

        (void)state;
        world_start(&w, NULL);
        receiver_start(&r, 0);
        say(&w, "config.before", 3);
        make(&w, &r, "\"config.\""); /* event 4 is its own */
        say(&w, "y.other", 1);
        say(&w, "config.a", 250);
        assert_true(sees(&r, 6, 250));
        assert_true(r.posts >= 3);
        assert_int_equal(r.bad, 0);
        world_stop(&w);
        receiver_stop(&r);
}

static void a_receiver_that_fails_gets_them_again(void **state)
{
        world w;
        receiver r = {.lock = PTHREAD_MUTEX_INITIALIZER, .fail = 2};

        (void)state;
        world_start(&w, NULL);
        receiver_start(&r, 0);
        make(&w, &r, "\"config.\"");
        say(&w, "config.a", 5);
        assert_true(sees(&r, 2, 5));
        assert_true(r.posts >= 3);
        say(&w, "config.a", 1);
        assert_true(sees(&r, 2, 6));
        world_stop(&w);
        receiver_stop(&r);
}

static const char *state_now(world *w, char out[16])
{
        answer a = world_ask(w, TOKEN_ADMIN, "GET", "/api/v1/webhooks/1", NULL);

        (void)snprintf(out, 16, "%s", answer_text(&a, "state"));
        answer_done(&a);
        return out;
}

static void one_that_is_away_is_told_as_an_event(void **state)
{
        world w;
        receiver r = {.lock = PTHREAD_MUTEX_INITIALIZER};
        char text[16];
        unsigned tries = 0;

        (void)state;
        world_start(&w, NULL);
        receiver_start(&r, 0);
        make(&w, &r, "\"config.\"");
        receiver_stop(&r);
        say(&w, "config.a", 2);
        while (strcmp(state_now(&w, text), "failing") != 0 && tries++ < 4000)
                (void)usleep(5000);
        assert_string_equal(text, "failing");
        answer a = world_ask(&w, TOKEN_VIEWER, "GET", "/api/v1/events?kind=webhook.failing", NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 1);
        answer_done(&a);
        receiver_start(&r, r.port);
        a = world_ask(&w, TOKEN_ADMIN, "PATCH", "/api/v1/webhooks/1", "{\"enabled\":true}");
        assert_int_equal(a.status, 200); /* a change is tried at once */
        answer_done(&a);
        assert_true(sees(&r, 2, 2));
        for (tries = 0; strcmp(state_now(&w, text), "ok") != 0 && tries < 4000; tries++)
                (void)usleep(5000);
        assert_string_equal(text, "ok");
        world_stop(&w);
        receiver_stop(&r);
}

static void set_enabled(world *w, const char *body)
{
        answer a = world_ask(w, TOKEN_ADMIN, "PATCH", "/api/v1/webhooks/1", body);

        assert_int_equal(a.status, 200);
        answer_done(&a);
}

/* What was said to be missed, when so many posts have come; -1: they did not. */
static int64_t missed_after(receiver *r, unsigned posts)
{
        int64_t missed = 0;
        unsigned n = 0;

        for (unsigned tries = 0; n < posts && tries < 4000; tries++) {
                pthread_mutex_lock(&r->lock);
                n = r->posts;
                missed = r->missed;
                pthread_mutex_unlock(&r->lock);
                if (n < posts)
                        (void)usleep(5000);
        }
        return n < posts ? -1 : missed;
}

/* The log keeps 640 events or a few more here. */
static void what_was_not_kept_for_it_is_told(void **state)
{
        world w;
        receiver r = {.lock = PTHREAD_MUTEX_INITIALIZER};
        store_event_list first;
        odm_arena arena;
        int64_t last;

        (void)state;
        odm_arena_init(&arena, &heap, 1 << 20);
        world_start(&w, NULL);
        receiver_start(&r, 0);
        make(&w, &r, "\"config.\"");
        set_enabled(&w, "{\"enabled\":false}");
        for (unsigned i = 0; i < 15; i++)
                say(&w, "config.a", 100);
        assert_int_equal(store_event_find(w.store, 0, 0, 1, &arena, &first), 0);
        assert_in_range(first.v[0].seq, 700, 900);
        set_enabled(&w, "{\"enabled\":true}"); /* an event as well, of another kind */
        assert_int_equal(store_event_last(w.store, &last), 0);
        assert_true(sees(&r, first.v[0].seq, (unsigned)(last - first.v[0].seq)));
        assert_in_range(missed_after(&r, 1), first.v[0].seq - 3, first.v[0].seq - 1);
        say(&w, "config.b", 1);
        assert_in_range(missed_after(&r, 8), first.v[0].seq - 3, first.v[0].seq - 1); /* once */
        world_stop(&w);
        receiver_stop(&r);
        odm_arena_done(&arena);
}

static void say_values(world *w, unsigned n)
{
        json_t *values = json_object();
        char key[32], *data;

        for (unsigned i = 0; i < 100; i++) {
                (void)snprintf(key, sizeof key, "%0*u", 20, i);
                (void)json_object_set_new(values, key, json_sprintf("%01000u", i));
        }
        json_t *o = json_pack("{s:o}", "values", values);
        data = json_dumps(o, JSON_COMPACT);
        store_batch *b = store_batch_new();
        for (unsigned i = 0; i < n; i++)
                store_batch_add(b, STORE_EVENT_ADD)->event =
                        (store_event){.at = 1, .kind = ODM_STR("config.v"), .data = odm_cstr(data)};
        assert_int_equal(store_write_sync(w->store, b), 0);
        store_batch_free(b);
        json_decref(o);
        free(data);
}

static void large_events_go_in_more_posts(void **state)
{
        world w;
        receiver r = {.lock = PTHREAD_MUTEX_INITIALIZER};

        (void)state;
        world_start(&w, NULL);
        receiver_start(&r, 0);
        make(&w, &r, "\"config.\"");
        say_values(&w, 100); /* 10 MB */
        assert_true(sees(&r, 2, 100));
        world_stop(&w);
        receiver_stop(&r);
}

static void one_that_stalls_holds_up_nobody(void **state)
{
        world w;
        receiver slow = {.lock = PTHREAD_MUTEX_INITIALIZER, .stall = true};
        receiver r = {.lock = PTHREAD_MUTEX_INITIALIZER};

        (void)state;
        world_start(&w, NULL);
        receiver_start(&slow, 0);
        receiver_start(&r, 0);
        make(&w, &slow, "\"config.\"");
        make(&w, &r, "\"config.\"");
        say(&w, "config.a", 4);
        assert_true(sees(&r, 3, 4));
        answer a = world_ask(&w, TOKEN_ADMIN, "DELETE", "/api/v1/webhooks/1", NULL);
        assert_int_equal(a.status, 204);
        answer_done(&a);
        a = world_ask(&w, TOKEN_ADMIN, "DELETE", "/api/v1/webhooks/1", NULL);
        assert_int_equal(a.status, 404);
        answer_done(&a);
        world_stop(&w); /* and ends at once, with a POST under way */
        receiver_stop(&slow);
        receiver_stop(&r);
}

static void what_is_asked_is_checked(void **state)
{
        static const struct row {
                const char *why, *body;
                unsigned who, status;
        } rows[] = {
                {"no URL", "{}", TOKEN_ADMIN, 400},
                {"another scheme", "{\"url\":\"ftp://x/y/\"}", TOKEN_ADMIN, 400},
                {"a kind that there never is",
                 "{\"url\":\"http://x/\",\"kinds\":[\"alarm.rased\"]}", TOKEN_ADMIN, 400},
                {"a kind that is none", "{\"url\":\"http://x/\",\"kinds\":[\"A b\"]}", TOKEN_ADMIN,
                 400},
                {"a short secret", "{\"url\":\"http://x/\",\"secret\":\"x\"}", TOKEN_ADMIN, 400},
                {"a member nobody knows", "{\"url\":\"http://x/\",\"x\":1}", TOKEN_ADMIN, 400},
                {"an operator", "{\"url\":\"http://x/\"}", TOKEN_OPERATOR, 403},
                {"nobody", "{\"url\":\"http://x/\"}", NOBODY, 401},
        };
        world w;

        (void)state;
        world_start(&w, NULL);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                answer a = world_ask(&w, rows[i].who, "POST", "/api/v1/webhooks", rows[i].body);
                if (a.status != rows[i].status)
                        fail_msg("%s: %u", rows[i].why, a.status);
                answer_done(&a);
        }
        answer a = world_ask(&w, TOKEN_ADMIN, "GET", "/api/v1/webhooks", NULL);
        assert_int_equal(json_array_size(json_object_get(a.json, "items")), 0);
        answer_done(&a);
        world_stop(&w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(kinds_begin),
                cmocka_unit_test(waits_double_up_to_a_ceiling),
                cmocka_unit_test(the_signature_is_hmac_sha256),
                cmocka_unit_test(events_arrive_in_order_and_signed),
                cmocka_unit_test(a_receiver_that_fails_gets_them_again),
                cmocka_unit_test(one_that_is_away_is_told_as_an_event),
                cmocka_unit_test(what_was_not_kept_for_it_is_told),
                cmocka_unit_test(large_events_go_in_more_posts),
                cmocka_unit_test(one_that_stalls_holds_up_nobody),
                cmocka_unit_test(what_is_asked_is_checked),
        };

        return RUN_TESTS(tests);
}
