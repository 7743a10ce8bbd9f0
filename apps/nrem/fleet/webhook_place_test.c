/* SPDX-License-Identifier: Apache-2.0 */
/* How far webhooks are, over a kill: what was to be said of what is lost, and what was looked
 * through. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "httpd.h"
#include "net.h"
#include "stage.h"
#include "webhook.h"

extern const fleet_part part_webhook;
static const fleet_part *const parts[] = {&part_webhook, NULL};

#define KEPT 640
#define TRIES 4000

typedef struct receiver {
        httpd *h;
        pthread_mutex_t lock;
        bool fails;
        unsigned taken;
        int64_t missed;
} receiver;

static void on_post(void *ctx, httpd_req *q)
{
        receiver *r = ctx;
        odm_str body = httpd_body(q);
        json_t *o = json_loadb(body.p, body.n, 0, NULL);
        bool fails;

        pthread_mutex_lock(&r->lock);
        fails = r->fails;
        if (!fails) {
                r->taken++;
                r->missed += json_integer_value(json_object_get(o, "missed"));
        }
        pthread_mutex_unlock(&r->lock);
        json_decref(o);
        httpd_send_text(q, fails ? 500 : 200, "so");
}

static void receiver_start(receiver *r)
{
        httpd_opt o;
        httpd_listener l;

        httpd_opt_init(&o);
        httpd_listener_init(&l);
        assert_int_equal(net_hostport_parse("127.0.0.1:0", &l.addr), 0);
        l.app = (httpd_app){NULL, on_post, r};
        assert_int_equal(httpd_start(&o, &l, 1, &r->h, NULL), 0);
}

static void set_fails(receiver *r, bool fails)
{
        pthread_mutex_lock(&r->lock);
        r->fails = fails;
        pthread_mutex_unlock(&r->lock);
}

static unsigned taken(receiver *r, int64_t *missed)
{
        unsigned n;

        pthread_mutex_lock(&r->lock);
        n = r->taken;
        *missed = r->missed;
        pthread_mutex_unlock(&r->lock);
        return n;
}

/* Of kinds that begin with "x.", to the receiver, from the beginning of the log. */
static void make(stage *s, unsigned port)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ROW_ADD);
        webhook w = {.url = odm_arena_fmt(&s->a, "http://127.0.0.1:%u/in", port),
                     .kinds = ODM_STR("x."),
                     .prefix = ODM_STR(""),
                     .secret = ODM_STR("a secret of sixteen"),
                     .error = ODM_STR(""),
                     .actor = ODM_STR("ada"),
                     .enabled = true};

        op->row.table = &table_webhook;
        op->row.row = &w;
        stage_write(s, b);
}

static webhook row_now(stage *s)
{
        const webhook key = {.id = 1};
        webhook w;

        assert_int_equal(store_row_get(s->st, &table_webhook, &key, &s->a, &w), 0);
        return w;
}

static void say(stage *s, const char *kind, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                stage_say(s, 0, kind, "{}");
}

static void what_was_missed_is_told_after_a_kill(void **state)
{
        receiver r = {.lock = PTHREAD_MUTEX_INITIALIZER, .fails = true};
        int64_t missed = 0;
        stage s;

        (void)state;
        stage_begin_log(&s, parts, NULL, 1000000, KEPT, 0);
        receiver_start(&r);
        make(&s, httpd_port(r.h, 0));
        say(&s, "x.a", 1500);
        stage_open(&s);
        for (unsigned i = 0; i < TRIES && row_now(&s).failures == 0; i++)
                (void)usleep(5000);
        assert_true(row_now(&s).failures > 0);
        set_fails(&r, false);
        stage_open(&s);
        for (unsigned i = 0; i < TRIES && taken(&r, &missed) == 0; i++)
                (void)usleep(5000);
        assert_in_range(missed, 700, 1500 - KEPT);
        for (unsigned i = 0; i < TRIES && row_now(&s).place < 1500; i++)
                (void)usleep(5000);
        assert_int_equal(row_now(&s).place, 1500);
        (void)taken(&r, &missed);
        assert_in_range(missed, 700, 1500 - KEPT); /* once */
        stage_end(&s);
        httpd_stop(r.h, 1000);
}

static void what_was_looked_through_is_not_missed(void **state)
{
        receiver r = {.lock = PTHREAD_MUTEX_INITIALIZER};
        stage s;

        (void)state;
        stage_begin(&s, parts, NULL, 1000000);
        receiver_start(&r);
        make(&s, httpd_port(r.h, 0));
        say(&s, "y.b", 6000);
        stage_open(&s);
        for (unsigned i = 0; i < TRIES && row_now(&s).place < 4000; i++)
                (void)usleep(5000);
        assert_in_range(row_now(&s).place, 4000, 6000);
        stage_end(&s);
        httpd_stop(r.h, 1000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_missed_is_told_after_a_kill),
                cmocka_unit_test(what_was_looked_through_is_not_missed),
        };

        return RUN_TESTS(tests);
}
