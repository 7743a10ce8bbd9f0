/* SPDX-License-Identifier: Apache-2.0 */
/* loop_test.c - the loop, names and URLs, and datagrams. */
#include "loop.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "net.h"
#include "support.h"
#include "udp.h"

static char trail[64];

static void mark(const char *z)
{
        strncat(trail, z, sizeof trail - strlen(trail) - 1);
}

static loop *fresh(void)
{
        loop *l;

        trail[0] = 0;
        assert_int_equal(loop_new(&l), 0);
        return l;
}

static void mark_a(void *ctx)
{
        (void)ctx;
        mark("a");
}

static void mark_b(void *ctx)
{
        (void)ctx;
        mark("b");
}

static void stop(void *ctx)
{
        mark("s");
        loop_stop(ctx);
}

static void timers_run_in_order(void **state)
{
        loop *l = fresh();
        loop_timer a = {.fn = mark_a}, b = {.fn = mark_b}, s = {.fn = stop, .ctx = l};
        odm_time now = loop_now();

        (void)state;
        assert_int_equal(loop_timer_set(l, &s, odm_time_add(now, 30)), 0);
        assert_int_equal(loop_timer_set(l, &a, odm_time_add(now, 20)), 0);
        assert_int_equal(loop_timer_set(l, &b, odm_time_add(now, 10)), 0);
        assert_int_equal(loop_run(l), 0);
        assert_string_equal(trail, "bas");
        assert_null(a.in);
        loop_free(l);
}

static void clocks_may_be_ahead(void **state)
{
        loop *l = fresh();
        loop_timer a = {.fn = mark_a};
        odm_time before = loop_now();
        odm_wall wall = loop_wall();

        (void)state;
        assert_int_equal(loop_timer_set(l, &a, odm_time_add(before, 3600000)), 0);
        assert_int_equal(loop_once(l, 0), 0);
        assert_string_equal(trail, "");
        loop_skip(3600000);
        assert_int_equal(loop_once(l, -1), 0);
        assert_string_equal(trail, "a");
        assert_true(loop_now().ms - before.ms >= 3600000 && loop_wall().s - wall.s >= 3600);
        loop_free(l);
}

static void timers_move_and_stop(void **state)
{
        loop *l = fresh();
        loop_timer t[50];
        loop_timer s = {.fn = stop, .ctx = l};
        odm_time now = loop_now();

        (void)state;
        for (int i = 0; i < 50; i++) {
                t[i] = (loop_timer){.fn = mark_a};
                assert_int_equal(loop_timer_set(l, &t[i], odm_time_add(now, (i * 37) % 50)), 0);
        }
        for (int i = 0; i < 50; i++)
                if (i != 7)
                        loop_timer_stop(&t[i]);
        assert_int_equal(loop_timer_set(l, &t[7], odm_time_add(now, 5)), 0);
        assert_int_equal(loop_timer_set(l, &t[8], ODM_NEVER), 0);
        assert_int_equal(loop_timer_set(l, &s, odm_time_add(now, 60)), 0);
        assert_int_equal(loop_run(l), 0);
        assert_string_equal(trail, "as");
        loop_free(l);
}

typedef struct pair {
        loop_io a, b;
        int n;
} pair;

/* Both ends are ready; whoever comes first removes the other. */
static void on_either(void *ctx, unsigned events)
{
        pair *p = ctx;

        assert_true(events & LOOP_READ);
        p->n++;
        loop_io_del(&p->a);
        loop_io_del(&p->b);
}

static void removed_watches_are_silent(void **state)
{
        loop *l = fresh();
        int one[2], two[2];
        pair p = {0};

        (void)state;
        assert_int_equal(pipe(one), 0);
        assert_int_equal(pipe(two), 0);
        p.a = (loop_io){.fd = one[0], .fn = on_either, .ctx = &p};
        p.b = (loop_io){.fd = two[0], .fn = on_either, .ctx = &p};
        assert_int_equal(loop_io_add(l, &p.a, LOOP_READ), 0);
        assert_int_equal(loop_io_add(l, &p.b, LOOP_READ), 0);
        assert_int_equal(write(one[1], "x", 1), 1);
        assert_int_equal(write(two[1], "x", 1), 1);
        assert_int_equal(loop_once(l, 1000), 0);
        assert_int_equal(loop_once(l, 0), 0);
        assert_int_equal(p.n, 1);
        for (int i = 0; i < 2; i++) {
                close(one[i]);
                close(two[i]);
        }
        loop_free(l);
}

static void *post_some(void *ctx)
{
        loop *l = ctx;

        assert_int_equal(loop_post(l, mark_a, NULL), 0);
        assert_int_equal(loop_post(l, mark_b, NULL), 0);
        assert_int_equal(loop_post(l, stop, l), 0);
        return NULL;
}

static void other_threads_post(void **state)
{
        loop *l = fresh();
        pthread_t t;

        (void)state;
        assert_int_equal(pthread_create(&t, NULL, post_some, l), 0);
        assert_int_equal(loop_run(l), 0);
        assert_string_equal(trail, "abs");
        pthread_join(t, NULL);
        assert_int_equal(loop_post(l, mark_a, NULL), 0); /* never run, and not lost */
        loop_free(l);
}

static void on_signal(void *ctx, int signo)
{
        mark(signo == SIGUSR1 ? "1" : "2");
        if (signo == SIGUSR2)
                loop_stop(ctx);
}

static void signals_arrive_on_the_loop(void **state)
{
        loop *l = fresh();

        (void)state;
        assert_int_equal(loop_signal(l, SIGUSR1, on_signal, l), 0);
        assert_int_equal(loop_signal(l, SIGUSR2, on_signal, l), 0);
        kill(getpid(), SIGUSR1);
        assert_int_equal(loop_once(l, 1000), 0);
        kill(getpid(), SIGUSR2);
        assert_int_equal(loop_run(l), 0);
        assert_string_equal(trail, "12");
        loop_free(l);
}

/* ---- net ------------------------------------------------------------------------ */

static const struct url_row {
        const char *why, *in;
        int rc;
        const char *scheme, *host, *target, *header;
        uint16_t port;
} urls[] = {
        {"plain", "http://a.b/c?d", 0, "http", "a.b", "/c?d", "a.b", 80},
        {"no path", "https://a", 0, "https", "a", "/", "a", 443},
        {"query only", "http://a?b", 0, "http", "a", "/?b", "a", 80},
        {"a port", "HTTP://a:8080/x", 0, "http", "a", "/x", "a:8080", 8080},
        {"the scheme's own port", "http://a:80/", 0, "http", "a", "/", "a", 80},
        {"version 6", "http://[::1]:81/", 0, "http", "::1", "/", "[::1]:81", 81},
        {"a fragment", "http://a/b#c", 0, "http", "a", "/b", "a", 80},
        {"no host", "udp://:2948", 0, "udp", "", "/", ":2948", 2948},
        {"user information", "http://u:p@a/", ODM_EMALFORMED},
        {"a blank", "http://a/b c", ODM_EMALFORMED},
        {"a line end", "http://a/b\r\nX: y", ODM_EMALFORMED},
        {"no scheme", "//a/b", ODM_EMALFORMED},
        {"relative", "a/b", ODM_EMALFORMED},
        {"port 0", "http://a:0/", ODM_EMALFORMED},
        {"port too high", "http://a:65536/", ODM_EMALFORMED},
        {"an open bracket", "http://[::1/", ODM_EMALFORMED},
        {"a long scheme", "abcdefghijk://a/", ODM_ELIMIT},
        {"empty", "", ODM_EMALFORMED},
};

static void urls_parse_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(urls); i++) {
                const struct url_row *r = &urls[i];
                net_url u = {.port = 7};
                char header[300];
                odm_str in = exact_copy(r->in);
                int rc = net_url_parse(in, &u);

                exact_free(in);
                if (rc != r->rc)
                        fail_msg("%s: %s", r->why, odm_err_name(rc));
                if (rc < 0) {
                        assert_int_equal(u.port, 7);
                        continue;
                }
                net_url_host_header(&u, header, sizeof header);
                assert_string_equal(u.scheme, r->scheme);
                assert_string_equal(u.host, r->host);
                assert_string_equal(u.target, r->target);
                assert_string_equal(header, r->header);
                assert_int_equal(u.port, r->port);
        }
}

static void addresses_parse_and_print(void **state)
{
        net_addr a;
        char t[NET_ADDR_TEXT];

        (void)state;
        assert_int_equal(net_hostport_parse("127.0.0.1:80", &a), 0);
        net_addr_format(&a, t);
        assert_string_equal(t, "127.0.0.1:80");
        assert_true(net_addr_is_loopback(&a));
        assert_int_equal(net_hostport_parse("[::1]:81", &a), 0);
        net_addr_format(&a, t);
        assert_string_equal(t, "[::1]:81");
        assert_true(net_addr_is_loopback(&a));
        assert_int_equal(net_addr_parse("::ffff:10.1.2.3", 5, &a), 0);
        net_addr_host(&a, t);
        assert_string_equal(t, "10.1.2.3");
        assert_int_equal(net_hostport_parse("*:9", &a), 0);
        assert_int_equal(net_addr_port(&a), 9);
        assert_int_equal(net_hostport_parse("::1:80", &a), ODM_EMALFORMED);
        assert_int_equal(net_hostport_parse("1.2.3.4", &a), ODM_EMALFORMED);
        assert_int_equal(net_hostport_parse("1.2.3.4:x", &a), ODM_EMALFORMED);
        assert_int_equal(net_hostport_parse("1.2.3.4:70000", &a), ODM_EMALFORMED);
        assert_int_equal(net_addr_parse("name", 1, &a), ODM_EMALFORMED);
}

static void on_name(void *ctx, int rc, const net_addr *a, size_t n, const char *why)
{
        (void)why;
        if (rc == 0 && n > 0 && net_addr_is_loopback(&a[0]) && net_addr_port(&a[0]) == 77)
                mark("y");
        loop_stop(ctx);
}

static void names_resolve_beside_the_loop(void **state)
{
        loop *l = fresh();
        net_query *q;

        (void)state;
        assert_int_equal(net_query_start(l, "localhost", 77, SOCK_STREAM, on_name, l, &q), 0);
        assert_int_equal(loop_run(l), 0);
        assert_string_equal(trail, "y");
        assert_int_equal(net_query_start(l, "localhost", 77, SOCK_STREAM, on_name, l, &q), 0);
        net_query_cancel(q);
        for (int i = 0; i < 5; i++)
                assert_int_equal(loop_once(l, 20), 0);
        assert_string_equal(trail, "y");
        loop_free(l);
}

typedef struct sock {
        udp *u;
        loop *l;
        char got[64];
        net_addr from;
        bool closes;
} sock;

static void on_datagram(void *ctx, odm_str d, const net_addr *from)
{
        sock *s = ctx;

        snprintf(s->got, sizeof s->got, "%.*s", (int)d.n, d.p);
        s->from = *from;
        if (s->closes)
                udp_close(s->u);
        loop_stop(s->l);
}

static void datagrams_travel(void **state)
{
        loop *l = fresh();
        sock a = {.l = l}, b = {.l = l, .closes = true};
        char big[UDP_MAX + 1] = {0};
        net_addr at, to;

        (void)state;
        assert_int_equal(net_addr_parse("127.0.0.1", 0, &at), 0);
        assert_int_equal(udp_open(l, &at, on_datagram, &a, &a.u, NULL), 0);
        assert_int_equal(net_addr_parse("*", 0, &at), 0);
        assert_int_equal(udp_open(l, &at, on_datagram, &b, &b.u, NULL), 0);
        assert_int_equal(net_addr_parse("127.0.0.1", udp_port(a.u), &to), 0);
        assert_int_equal(udp_send(b.u, (odm_str){big, sizeof big}, &to), 0); /* dropped */
        assert_int_equal(udp_send(b.u, ODM_STR("there"), &to), 0);
        assert_int_equal(loop_run(l), 0);
        assert_string_equal(a.got, "there");
        assert_int_equal(net_addr_port(&a.from), udp_port(b.u));
        assert_int_equal(udp_send(a.u, ODM_STR("back"), &a.from), 0);
        assert_int_equal(loop_run(l), 0);
        assert_string_equal(b.got, "back");
        udp_close(a.u);
        loop_free(l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(timers_run_in_order),
                cmocka_unit_test(clocks_may_be_ahead),
                cmocka_unit_test(timers_move_and_stop),
                cmocka_unit_test(removed_watches_are_silent),
                cmocka_unit_test(other_threads_post),
                cmocka_unit_test(signals_arrive_on_the_loop),
                cmocka_unit_test(urls_parse_as_the_table_says),
                cmocka_unit_test(addresses_parse_and_print),
                cmocka_unit_test(names_resolve_beside_the_loop),
                cmocka_unit_test(datagrams_travel),
        };

        return RUN_TESTS(tests);
}
