/* SPDX-License-Identifier: Apache-2.0 */
/* coap_test.c - CoAP over loopback: ends of ours with each other, through a bad network, and with
 * peers that write octets of their own. */
#include "coap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cert.h"
#include "support.h"
#include "udp.h"

#define PATIENCE_MS 10000

/* ---- a stage: a server and a client, and what they saw ----------------------------------------- */

typedef struct stage {
        loop *l;
        co_end *server, *client;
        net_addr to;     /* the server, or the network before it */
        net_addr device; /* the client, as the server sees it */
        bool known;
        unsigned asked; /* requests that the server's application saw */
        unsigned held;  /* ... and has not answered */
        co_request *open[4];
        co_watcher *watcher;
        unsigned gone;
        char identity[32];

        unsigned done; /* ends heard of */
        co_end_of why;
        uint8_t code;
        int64_t observe;
        int format;
        odm_str body; /* exact copy */
        char order[16];
} stage;

static void serve(void *ctx, co_request *r, co_peer *p, const co_msg *m);

static bool key_of(void *ctx, odm_str identity, uint8_t key[CO_KEY_MAX], size_t *n)
{
        (void)ctx;
        if (!odm_str_is(identity, "device-1"))
                return false;
        memcpy(key, "secret", 6);
        *n = 6;
        return true;
}

static const co_app server_app = {.request = serve, .psk = key_of};
static const co_app client_app = {.request = serve};

static co_setup quick(stage *s, const co_app *app)
{
        co_setup c;

        co_setup_init(&c);
        assert_int_equal(net_addr_parse("127.0.0.1", 0, &c.at), 0);
        c.ack_ms = 40;
        c.app = app;
        c.ctx = s;
        return c;
}

static co_end *open_end(stage *s, const co_setup *c)
{
        diag d = {0};
        co_end *e;

        assert_int_equal(co_open(s->l, c, &e, &d), 0);
        return e;
}

static void begin(stage *s, const co_setup *server, const co_setup *client)
{
        co_setup a = quick(s, &server_app), b = quick(s, &client_app);

        memset(s, 0, sizeof *s);
        assert_int_equal(loop_new(&s->l), 0);
        s->server = open_end(s, server ? server : &a);
        s->client = open_end(s, client ? client : &b);
        assert_int_equal(net_addr_parse("127.0.0.1", co_port(s->server), &s->to), 0);
}

static void end(stage *s)
{
        co_close(s->client);
        co_close(s->server);
        exact_free(s->body);
        loop_free(s->l);
}

static void watcher_gone(void *ctx, co_watcher *w)
{
        stage *s = ctx;

        assert_ptr_equal(w, s->watcher);
        s->watcher = NULL;
        s->gone++;
}

/* "echo" gives the body back, "size/N" N octets, "hold" is answered by the test, "watch" can be
 * observed, "slow" too and is answered by the test, "rd" makes something, "far" something whose
 * path no message has room for. */
static void serve(void *ctx, co_request *r, co_peer *p, const co_msg *m)
{
        stage *s = ctx;
        co_msg a;
        char big[20000];
        uint64_t n;

        s->asked++;
        s->known = true;
        co_peer_addr(p, &s->device);
        snprintf(s->identity, sizeof s->identity, "%.*s", (int)co_peer_identity(p).n,
                 co_peer_identity(p).p ? co_peer_identity(p).p : "");
        co_msg_init(&a, CO_CONTENT);
        a.format = m->format;
        if (odm_str_is(m->path, "echo")) {
                a.body = m->body;
        } else if (odm_str_starts(m->path, "size/") &&
                   odm_str_u64(odm_str_from(m->path, 5), sizeof big, &n) == 0) {
                for (size_t i = 0; i < n; i++)
                        big[i] = (char)('a' + i % 26);
                a.body = (odm_str){big, (size_t)n};
        } else if (odm_str_is(m->path, "hold")) {
                s->open[s->held++] = r;
                return;
        } else if (odm_str_is(m->path, "watch")) {
                if (m->observe == 0)
                        s->watcher = co_watch(r, watcher_gone, s);
                a.body = ODM_STR("first");
        } else if (odm_str_is(m->path, "slow")) {
                s->watcher = co_watch(r, watcher_gone, s);
                s->open[s->held++] = r;
                return;
        } else if (odm_str_is(m->path, "far")) {
                memset(big, 'x', sizeof big);
                a.code = CO_CREATED;
                a.path = (odm_str){big, sizeof big};
        } else if (odm_str_is(m->path, "rd")) {
                a.code = CO_CREATED;
                a.path = ODM_STR("rd/17");
                a.body = co_query(m, "ep");
        } else {
                a.code = CO_NOT_FOUND;
        }
        co_answer(r, &a);
}

static void ended(void *ctx, co_end_of why, const co_msg *m)
{
        stage *s = ctx;

        s->done++;
        s->why = why;
        if (!m)
                return;
        s->code = m->code;
        s->observe = m->observe;
        s->format = m->format;
        exact_free(s->body);
        s->body = exact_bytes(m->body.p ? m->body.p : "", m->body.n);
        if (m->body.n && strlen(s->order) + 1 < sizeof s->order)
                strncat(s->order, (const char[2]){m->body.p[m->body.n - 1], 0}, 1);
}

static void until(stage *s, unsigned done)
{
        odm_time last = odm_time_add(loop_now(), PATIENCE_MS);

        while (s->done < done) {
                assert_false(odm_time_reached(loop_now(), last));
                assert_int_equal(loop_once(s->l, 50), 0);
        }
}

/* Lets the loop run for a while, when what is awaited is that nothing comes. */
static void pass(stage *s, int64_t ms)
{
        odm_time last = odm_time_add(loop_now(), ms);

        while (!odm_time_reached(loop_now(), last))
                assert_int_equal(loop_once(s->l, 5), 0);
}

static uint64_t ask(stage *s, co_end *e, const net_addr *to, uint8_t code, const char *path,
                    odm_str body)
{
        co_msg m;
        uint64_t id;

        co_msg_init(&m, code);
        m.path = odm_cstr(path);
        m.body = body;
        assert_int_equal(co_ask(e, to, &m, NULL, ended, s, &id), 0);
        assert_true(id != 0);
        return id;
}

/* ---- a network that loses, doubles and delays -------------------------------------------------------- */

typedef struct network {
        udp *front, *back; /* towards the client, towards the server */
        net_addr client, server;
        unsigned n, lose_every, copies;
        char hello[512]; /* the last ClientHello */
        size_t hello_n;
        unsigned cookies; /* HelloVerifyRequests */
} network;

static void across(network *n, udp *u, odm_str d, const net_addr *to)
{
        if (n->lose_every && ++n->n % n->lose_every == 0)
                return;
        for (unsigned i = 0; i < n->copies; i++)
                assert_int_equal(udp_send(u, d, to), 0);
}

static void from_client(void *ctx, odm_str d, const net_addr *from)
{
        network *n = ctx;

        n->client = *from;
        if (d.n > 14 && d.n <= sizeof n->hello && d.p[0] == 22 && d.p[13] == 1) {
                memcpy(n->hello, d.p, d.n);
                n->hello_n = d.n;
        }
        across(n, n->back, d, &n->server);
}

static void from_server(void *ctx, odm_str d, const net_addr *from)
{
        network *n = ctx;

        (void)from;
        n->cookies += d.n > 14 && d.p[0] == 22 && d.p[13] == 3;
        across(n, n->front, d, &n->client);
}

static void network_begin(stage *s, network *n, unsigned lose_every, unsigned copies)
{
        net_addr any;
        diag d = {0};

        assert_int_equal(net_addr_parse("127.0.0.1", 0, &any), 0);
        *n = (network){.server = s->to, .lose_every = lose_every, .copies = copies};
        assert_int_equal(udp_open(s->l, &any, from_client, n, &n->front, &d), 0);
        assert_int_equal(udp_open(s->l, &any, from_server, n, &n->back, &d), 0);
        net_addr_set_port(&s->to, udp_port(n->front));
}

static void network_end(network *n)
{
        udp_close(n->front);
        udp_close(n->back);
}

/* ---- requests ------------------------------------------------------------------------------------------ */

static void both_sides_ask_over_the_same_sockets(void **state)
{
        const odm_str query[] = {ODM_STR("lt=60"), ODM_STR("ep=meter-1"), ODM_STR("Q")};
        stage s;
        co_msg m;
        uint64_t id;

        (void)state;
        begin(&s, NULL, NULL);
        co_msg_init(&m, CO_POST);
        m.path = ODM_STR("rd");
        m.query = query;
        m.n_query = 3;
        m.format = 40;
        m.body = ODM_STR("</3/0>");
        assert_int_equal(co_ask(s.client, &s.to, &m, NULL, ended, &s, &id), 0);
        until(&s, 1);
        assert_int_equal(s.why, CO_REPLY);
        assert_int_equal(s.code, CO_CREATED);
        assert_str(s.body, "meter-1");
        assert_int_equal(net_addr_port(&s.device), co_port(s.client));

        ask(&s, s.server, &s.device, CO_PUT, "echo", ODM_STR("\x01\x00\x02"));
        until(&s, 2);
        assert_int_equal(s.code, CO_CONTENT);
        assert_octets(s.body, ODM_STR("\x01\x00\x02"));
        ask(&s, s.server, &s.device, CO_GET, "nothing/here", ODM_ABSENT);
        until(&s, 3);
        assert_int_equal(s.code, CO_NOT_FOUND);
        end(&s);
}

static void queries_are_found_by_their_key(void **state)
{
        const odm_str query[] = {ODM_STR("lt=60"), ODM_STR("Q"), ODM_STR("lwm2m=1.0"),
                                 ODM_STR("b=")};
        const co_msg m = {.query = query, .n_query = 4};
        char text[CO_CODE_TEXT];

        (void)state;
        assert_str(co_query(&m, "lt"), "60");
        assert_str(co_query(&m, "lwm2m"), "1.0");
        assert_non_null(co_query(&m, "Q").p);
        assert_int_equal(co_query(&m, "Q").n, 0);
        assert_non_null(co_query(&m, "b").p);
        assert_null(co_query(&m, "l").p);
        assert_null(co_query(&m, "ep").p);
        co_code_format(CO_NOT_FOUND, text);
        assert_string_equal(text, "4.04");
}

static void bodies_travel_whole(void **state)
{
        static const struct row {
                const char *why;
                size_t n;
                unsigned block_a, block_b; /* server, client */
                unsigned lose_every, copies;
        } rows[] = {
                {"nothing", 0, 1024, 1024, 0, 1},
                {"one octet", 1, 1024, 1024, 0, 1},
                {"a block exactly", 1024, 1024, 1024, 0, 1},
                {"a block and one", 1025, 1024, 1024, 0, 1},
                {"several", 5000, 1024, 1024, 0, 1},
                {"small ones", 1000, 16, 16, 0, 1},
                {"of two minds: the server has small ones", 3000, 64, 1024, 0, 1},
                {"of two minds: the client has small ones", 3000, 1024, 64, 0, 1},
                {"each third datagram is lost", 3000, 256, 256, 3, 1},
                {"each fourth datagram is lost", 3000, 512, 256, 4, 1},
                {"each datagram comes twice", 3000, 256, 256, 0, 2},
                {"twice, and some not at all", 3000, 256, 256, 5, 2},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                stage s;
                network net = {0};
                co_setup a, b;

                a = quick(&s, &server_app);
                b = quick(&s, &client_app);
                a.block = r->block_a;
                b.block = r->block_b;
                a.retransmit = b.retransmit = 8;
                begin(&s, &a, &b);
                network_begin(&s, &net, r->lose_every, r->copies);
                char *p = malloc(r->n + 1);
                for (size_t k = 0; k < r->n; k++)
                        p[k] = (char)(k * 7 + k / 256);
                ask(&s, s.client, &s.to, CO_PUT, "echo", (odm_str){p, r->n});
                until(&s, 1);
                if (s.why != CO_REPLY || s.code != CO_CONTENT || s.body.n != r->n ||
                    memcmp(s.body.p, p, r->n) != 0 || s.asked != 1)
                        fail_msg("%s: %s, %x, %zu octets, asked %u times", r->why,
                                 co_end_text(s.why), s.code, s.body.n, s.asked);
                free(p);
                network_end(&net);
                end(&s);
        }
}

static void files_are_given_in_blocks(void **state)
{
        char name[] = "/tmp/coap-test-XXXXXX";
        stage s;
        co_msg m;
        _Atomic uint64_t sent = 0;
        co_file f = {.size = 3333, .sent = &sent};
        uint64_t id;

        (void)state;
        begin(&s, NULL, NULL);
        f.fd = mkstemp(name);
        assert_true(f.fd >= 0);
        assert_int_equal(unlink(name), 0);
        for (size_t i = 0; i < f.size; i++)
                assert_int_equal(write(f.fd, &(char){(char)(i % 251)}, 1), 1);
        co_msg_init(&m, CO_PUT);
        m.path = ODM_STR("echo");
        m.file = &f;
        assert_int_equal(co_ask(s.client, &s.to, &m, NULL, ended, &s, &id), 0);
        until(&s, 1);
        assert_int_equal(s.code, CO_CONTENT);
        assert_int_equal(s.body.n, 3333);
        assert_int_equal((uint8_t)s.body.p[3000], 3000 % 251);
        assert_int_equal(sent, 3333);

        /* and the other way: the answer to a request that is held */
        ask(&s, s.client, &s.to, CO_GET, "hold", ODM_ABSENT);
        while (!s.held)
                assert_int_equal(loop_once(s.l, 50), 0);
        memcpy(name, "/tmp/coap-test-XXXXXX", sizeof name);
        f.fd = mkstemp(name);
        assert_true(f.fd >= 0);
        assert_int_equal(unlink(name), 0);
        assert_int_equal(ftruncate(f.fd, 3333), 0);
        m.code = CO_CONTENT;
        m.path = ODM_ABSENT;
        co_answer(s.open[0], &m);
        until(&s, 2);
        assert_int_equal(s.body.n, 3333);
        assert_int_equal(sent, 2 * 3333);
        end(&s);
}

static void too_long_a_body_is_refused(void **state)
{
        stage s;
        co_setup a = quick(&s, &server_app), b;
        char big[5000];

        (void)state;
        b = quick(&s, &client_app);
        a.body_max = 4096;
        b.body_max = 4096;
        begin(&s, &a, &b);
        memset(big, 'x', sizeof big);
        ask(&s, s.client, &s.to, CO_PUT, "echo", (odm_str){big, sizeof big});
        until(&s, 1);
        assert_int_equal(s.code, CO_TOO_LARGE);
        assert_int_equal(s.asked, 0);
        ask(&s, s.client, &s.to, CO_GET, "size/5000", ODM_ABSENT);
        until(&s, 2);
        assert_int_equal(s.why, CO_GARBLED);
        end(&s);
}

static void requests_go_one_after_the_other(void **state)
{
        stage s;

        (void)state;
        begin(&s, NULL, NULL);
        for (int i = 0; i < 3; i++)
                ask(&s, s.client, &s.to, CO_GET, "hold", ODM_ABSENT);
        pass(&s, 30);
        assert_int_equal(s.held, 1);
        co_answer_code(s.open[0], CO_CHANGED);
        until(&s, 1);
        pass(&s, 30);
        assert_int_equal(s.held, 2);
        co_answer_code(s.open[1], CO_CHANGED);
        until(&s, 2);
        while (s.held < 3)
                assert_int_equal(loop_once(s.l, 50), 0);
        co_answer_code(s.open[2], CO_CHANGED);
        until(&s, 3);
        end(&s);
}

static void late_answers_are_separate(void **state)
{
        stage s;
        co_setup a = quick(&s, &server_app);
        co_counts c;

        (void)state;
        a.piggyback_ms = 5;
        begin(&s, &a, NULL);
        ask(&s, s.client, &s.to, CO_GET, "hold", ODM_ABSENT);
        pass(&s, 200); /* longer than a retransmission takes */
        co_count(s.client, &c);
        assert_int_equal(c.retransmitted, 0); /* it was confirmed */
        assert_int_equal(s.held, 1);
        co_answer_code(s.open[0], CO_CHANGED);
        until(&s, 1);
        assert_int_equal(s.code, CO_CHANGED);
        pass(&s, 100);
        co_count(s.server, &c);
        assert_int_equal(c.retransmitted, 0); /* and so was the answer */
        end(&s);
}

static void silence_ends_a_request(void **state)
{
        stage s;
        co_msg m;
        co_how how = {.deadline_ms = 30};
        uint64_t id;
        udp *deaf;
        net_addr to;
        diag d = {0};
        co_setup b;

        (void)state;
        b = quick(&s, &client_app);
        b.retransmit = 2;
        b.ack_ms = 10;
        begin(&s, NULL, &b);
        assert_int_equal(net_addr_parse("127.0.0.1", 0, &to), 0);
        assert_int_equal(udp_open(s.l, &to, NULL, NULL, &deaf, &d), 0);
        net_addr_set_port(&to, udp_port(deaf));
        ask(&s, s.client, &to, CO_GET, "x", ODM_ABSENT);
        until(&s, 1);
        assert_int_equal(s.why, CO_SILENT);

        ask(&s, s.client, &s.to, CO_GET, "hold", ODM_ABSENT); /* heard, and never answered */
        co_msg_init(&m, CO_GET);
        m.path = ODM_STR("echo");
        assert_int_equal(co_ask(s.client, &s.to, &m, &how, ended, &s, &id), 0);
        until(&s, 2); /* the second waits for its turn, and its time passes */
        assert_int_equal(s.why, CO_SILENT);
        co_answer_code(s.open[0], CO_CHANGED);
        until(&s, 3);
        assert_int_equal(s.why, CO_REPLY);
        udp_close(deaf);
        end(&s);
}

static void a_cancelled_request_is_not_heard_of(void **state)
{
        stage s;
        uint64_t first, second;

        (void)state;
        begin(&s, NULL, NULL);
        first = ask(&s, s.client, &s.to, CO_GET, "hold", ODM_ABSENT);
        second = ask(&s, s.client, &s.to, CO_GET, "hold", ODM_ABSENT);
        pass(&s, 20);
        co_cancel(s.client, second);
        co_cancel(s.client, first);
        co_cancel(s.client, 12345);
        ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("x"));
        until(&s, 1);
        assert_str(s.body, "x");
        co_answer_code(s.open[0], CO_CHANGED);
        pass(&s, 20);
        assert_int_equal(s.done, 1);
        end(&s);
}

static void idle_peers_are_forgotten_and_come_back(void **state)
{
        stage s;
        co_setup a = quick(&s, &server_app);
        co_counts c;

        (void)state;
        a.idle_ms = 40;
        begin(&s, &a, NULL);
        ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("x"));
        until(&s, 1);
        co_count(s.server, &c);
        assert_int_equal(c.peers, 1);
        pass(&s, 120);
        co_count(s.server, &c);
        assert_int_equal(c.peers, 0);
        ask(&s, s.server, &s.device, CO_PUT, "echo", ODM_STR("y"));
        until(&s, 2);
        assert_str(s.body, "y");
        end(&s);
}

static void answers_come_from_the_address_that_was_asked(void **state)
{
        static const struct row {
                const char *why, *at, *to;
        } rows[] = {
                {"IPv4", "0.0.0.0", "127.0.0.2"},
                {"IPv4 over an IPv6 socket", "::", "127.0.0.2"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stage s;
                co_setup a = quick(&s, &server_app);

                assert_int_equal(net_addr_parse(rows[i].at, 0, &a.at), 0);
                begin(&s, &a, NULL);
                assert_int_equal(net_addr_parse(rows[i].to, co_port(s.server), &s.to), 0);
                ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("x"));
                until(&s, 1);
                if (s.why != CO_REPLY) /* one from elsewhere does not count */
                        fail_msg("%s: %s", rows[i].why, co_end_text(s.why));
                ask(&s, s.server, &s.device, CO_PUT, "echo", ODM_STR("y"));
                until(&s, 2);
                assert_str(s.body, "y");
                end(&s);
        }
}

static void room_for_peers_is_limited(void **state)
{
        stage s;
        co_setup a = quick(&s, &server_app);
        co_end *more[4];
        co_counts c;

        (void)state;
        a.peers_max = 2;
        begin(&s, &a, NULL);
        for (unsigned i = 0; i < 4; i++) {
                co_setup b = quick(&s, &client_app);

                more[i] = open_end(&s, &b);
                ask(&s, more[i], &s.to, CO_PUT, "echo", ODM_STR("x"));
                until(&s, i + 1);
                assert_int_equal(s.why, CO_REPLY);
        }
        co_count(s.server, &c);
        assert_int_equal(c.peers, 2);
        for (unsigned i = 0; i < 4; i++)
                co_close(more[i]);
        end(&s);
}

/* ---- observations -------------------------------------------------------------------------------------------- */

static uint64_t observe(stage *s, const char *path)
{
        co_msg m;
        uint64_t id;

        co_msg_init(&m, CO_GET);
        m.path = odm_cstr(path);
        m.observe = 0;
        assert_int_equal(co_ask(s->client, &s->to, &m, NULL, ended, s, &id), 0);
        return id;
}

static void notify(stage *s, odm_str body, bool con)
{
        co_msg m;

        co_msg_init(&m, CO_CONTENT);
        m.body = body;
        co_notify(s->watcher, &m, con);
}

static void notifications_come_until_they_are_cancelled(void **state)
{
        stage s;
        uint64_t id;
        co_counts c;

        (void)state;
        begin(&s, NULL, NULL);
        id = observe(&s, "watch");
        until(&s, 1);
        assert_str(s.body, "first");
        assert_true(s.observe >= 0);
        notify(&s, ODM_STR("second"), false);
        until(&s, 2);
        assert_str(s.body, "second");
        notify(&s, ODM_STR("third"), true);
        until(&s, 3);
        assert_str(s.body, "third");
        pass(&s, 100);
        co_count(s.server, &c);
        assert_int_equal(c.retransmitted, 0); /* confirmed */
        ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("meanwhile"));
        until(&s, 4);
        co_cancel(s.client, id);
        notify(&s, ODM_STR("nobody"), true);
        pass(&s, 60);
        assert_int_equal(s.done, 4);
        assert_int_equal(s.gone, 1);
        end(&s);
}

static void long_notifications_are_fetched(void **state)
{
        char big[3000];
        stage s;

        (void)state;
        begin(&s, NULL, NULL);
        observe(&s, "watch");
        until(&s, 1);
        memset(big, 'z', sizeof big);
        notify(&s, (odm_str){big, sizeof big}, true);
        until(&s, 2); /* what is there now is what counts */
        assert_str(s.body, "first");
        assert_int_equal(s.asked, 2);
        notify(&s, ODM_STR("short"), true);
        until(&s, 3);
        assert_str(s.body, "short");
        end(&s);
}

static void watchers_end(void **state)
{
        stage s;

        (void)state;
        begin(&s, NULL, NULL);
        observe(&s, "watch");
        until(&s, 1);
        observe(&s, "watch"); /* the same again: one is enough */
        until(&s, 2);
        assert_int_equal(s.gone, 1);
        co_watch_end(s.watcher);
        assert_int_equal(s.gone, 1);
        observe(&s, "watch");
        until(&s, 3);
        notify(&s, ODM_STR("x"), true); /* under way at the end */
        end(&s);
}

static void observations_outlive_idle_peers(void **state)
{
        stage s;
        co_setup b = quick(&s, &client_app);
        co_counts c;

        (void)state;
        b.idle_ms = 30;
        begin(&s, NULL, &b);
        observe(&s, "watch");
        until(&s, 1);
        pass(&s, 100);
        co_count(s.client, &c);
        assert_int_equal(c.peers, 0);
        assert_int_equal(c.open_asks, 1);
        notify(&s, ODM_STR("later"), true);
        until(&s, 2);
        assert_str(s.body, "later");
        co_forget(s.client, &s.to);
        co_count(s.client, &c);
        assert_int_equal(c.open_asks, 0);
        end(&s);
}

/* ---- strangers who write octets ------------------------------------------------------------------------------- */

typedef struct stranger {
        udp *u;
        net_addr peer;
        char got[8][200]; /* datagrams, in hexadecimal */
        uint8_t raw[8][200];
        size_t raw_n[8];
        unsigned n;
} stranger;

static void hear(void *ctx, odm_str d, const net_addr *from)
{
        stranger *x = ctx;

        if (x->n == ODM_COUNT(x->got) || d.n > 99)
                return;
        x->peer = *from;
        for (size_t i = 0; i < d.n; i++)
                snprintf(x->got[x->n] + 2 * i, 3, "%02x", (uint8_t)d.p[i]);
        memcpy(x->raw[x->n], d.p, d.n);
        x->raw_n[x->n++] = d.n;
}

static void stranger_begin(stage *s, stranger *x)
{
        net_addr any;
        diag d = {0};

        memset(x, 0, sizeof *x);
        assert_int_equal(net_addr_parse("127.0.0.1", 0, &any), 0);
        assert_int_equal(udp_open(s->l, &any, hear, x, &x->u, &d), 0);
}

static void hear_until(stage *s, stranger *x, unsigned n)
{
        odm_time last = odm_time_add(loop_now(), PATIENCE_MS);

        while (x->n < n) {
                assert_false(odm_time_reached(loop_now(), last));
                assert_int_equal(loop_once(s->l, 50), 0);
        }
}

static void octets_are_answered_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *sent, *answer; /* hexadecimal; NULL: none */
                unsigned asked;
        } rows[] = {
                {"a request", "40031234b46563686fff61", "60451234ff61", 1},
                {"the same with a token", "42031234aabbb46563686fff61", "62451234aabbff61", 1},
                {"a ping", "40001234", "70001234", 0},
                {"version 2", "80031234b46563686f", NULL, 0},
                {"too short", "4003", NULL, 0},
                {"a token of nine octets", "49031234010203040506070809", "70001234", 0},
                {"an option cut off", "40031234b465", "70001234", 0},
                {"a payload marker and nothing", "40031234b46563686fff", "70001234", 0},
                {"an unknown option that must be understood", "40031234b46563686fe1018d61",
                 "60821234", 0},
                {"an unknown one that need not be", "40031234b46563686fe1018e61ff61",
                 "60451234ff61", 1},
                {"blocks of a reserved size", "40031234b46563686fd1030fff61", "60821234", 0},
                {"a second block without a first", "40031234b46563686fd10310ff61", "60881234d10e10",
                 0},
                {"a response nobody waits for", "44451234aabbccddff61", "70001234", 0},
                {"an acknowledgement nobody waits for", "60001234", NULL, 0},
                {"a reset nobody waits for", "70001234", NULL, 0},
                {"a query too many for its path", "40011234b3666f6f", "60841234", 1},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                odm_str d = from_hex(r->sent);
                stage s;
                stranger x;

                begin(&s, NULL, NULL);
                stranger_begin(&s, &x);
                assert_int_equal(udp_send(x.u, d, &s.to), 0);
                if (r->answer)
                        hear_until(&s, &x, 1);
                else
                        pass(&s, 20);
                if (s.asked != r->asked ||
                    (r->answer ? strcmp(x.got[0], r->answer) != 0 : x.n != 0))
                        fail_msg("%s: answered '%s', asked %u", r->why, x.got[0], s.asked);
                udp_close(x.u);
                exact_free(d);
                end(&s);
        }
}

static void what_comes_twice_is_done_once(void **state)
{
        odm_str d = from_hex("40031234b46563686fff61"), other = from_hex("40031235b46563686fff61");
        stage s;
        stranger x;
        co_counts c;

        (void)state;
        begin(&s, NULL, NULL);
        stranger_begin(&s, &x);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(udp_send(x.u, d, &s.to), 0);
        hear_until(&s, &x, 3);
        assert_int_equal(s.asked, 1);
        assert_string_equal(x.got[0], x.got[2]);
        assert_int_equal(udp_send(x.u, other, &s.to), 0);
        hear_until(&s, &x, 4);
        assert_int_equal(s.asked, 2);
        co_count(s.server, &c);
        assert_int_equal(c.duplicates, 2);
        udp_close(x.u);
        exact_free(d);
        exact_free(other);
        end(&s);
}

static void what_cannot_be_answered_is_not_done_again(void **state)
{
        odm_str d = from_hex("40031234b3666172");
        stage s;
        stranger x;

        (void)state;
        begin(&s, NULL, NULL);
        stranger_begin(&s, &x);
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(udp_send(x.u, d, &s.to), 0);
        hear_until(&s, &x, 1);
        assert_string_equal(x.got[0], "60001234"); /* it is here, and that is all */
        assert_int_equal(s.asked, 1);
        udp_close(x.u);
        exact_free(d);
        end(&s);
}

/* An observer asks again, with another token, before it was answered. */
static void a_watcher_may_end_before_its_request(void **state)
{
        odm_str d[] = {from_hex("41011234aa6054736c6f77"), from_hex("41011235bb6054736c6f77")};
        stage s;
        stranger x;
        co_msg m;

        (void)state;
        begin(&s, NULL, NULL);
        stranger_begin(&s, &x);
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(udp_send(x.u, d[i], &s.to), 0);
                while (s.held <= i)
                        assert_int_equal(loop_once(s.l, 50), 0);
        }
        assert_int_equal(s.gone, 1);
        co_msg_init(&m, CO_CONTENT);
        m.body = ODM_STR("x");
        for (unsigned i = 0; i < 2; i++) {
                co_answer(s.open[i], &m);
                hear_until(&s, &x, i + 1);
                exact_free(d[i]);
        }
        assert_string_equal(x.got[0], "61451234aaff78");
        assert_string_equal(x.got[1], "61451235bb6101ff78");
        udp_close(x.u);
        end(&s);
}

/* A device that sends notification `seq` with one letter. */
static void raw_notification(stranger *x, const uint8_t token[8], uint8_t type, uint16_t mid,
                             unsigned seq, char letter)
{
        uint8_t d[32] = {(uint8_t)(0x48 | type << 4), 0x45, (uint8_t)(mid >> 8), (uint8_t)mid};

        memcpy(d + 4, token, 8);
        d[12] = 0x63; /* Observe, three octets */
        d[13] = (uint8_t)(seq >> 16);
        d[14] = (uint8_t)(seq >> 8);
        d[15] = (uint8_t)seq;
        d[16] = 0xff;
        d[17] = (uint8_t)letter;
        assert_int_equal(udp_send(x->u, (odm_str){(char *)d, 18}, &x->peer), 0);
}

static void older_notifications_are_not_told(void **state)
{
        stage s;
        stranger x;
        uint8_t token[8];
        uint64_t id;

        (void)state;
        begin(&s, NULL, NULL);
        stranger_begin(&s, &x);
        net_addr_set_port(&s.to, udp_port(x.u));
        id = observe(&s, "v");
        hear_until(&s, &x, 1);
        memcpy(token, x.raw[0] + 4, 8);
        raw_notification(&x, token, 2, (uint16_t)(x.raw[0][2] << 8 | x.raw[0][3]), 10, 'a');
        until(&s, 1);
        raw_notification(&x, token, 1, 1, 12, 'b');
        raw_notification(&x, token, 1, 2, 11, 'c');       /* overtaken on the way */
        raw_notification(&x, token, 1, 3, 12, 'd');       /* the same again */
        raw_notification(&x, token, 1, 4, 0xfffff0, 'e'); /* older, around the corner */
        raw_notification(&x, token, 1, 5, 0x80000b, 'f');
        until(&s, 3);
        assert_string_equal(s.order, "abf");
        raw_notification(&x, token, 1, 6, 3, 'g'); /* newer, around the corner */
        until(&s, 4);
        raw_notification(&x, token, 0, 7, 2, 'h'); /* old, but confirmed */
        hear_until(&s, &x, 2);
        assert_string_equal(x.got[1], "60000007");
        loop_skip(129000); /* after two minutes any is new */
        raw_notification(&x, token, 1, 8, 1, 'i');
        until(&s, 5);
        assert_string_equal(s.order, "abfgi");
        co_cancel(s.client, id);
        raw_notification(&x, token, 0, 9, 20, 'j');
        hear_until(&s, &x, 3);
        assert_string_equal(x.got[2], "70000009");
        udp_close(x.u);
        end(&s);
}

/* Whoever waits for it hears that it will not come; later notifications are of use by themselves.
 */
static void a_first_value_that_breaks_off_is_told(void **state)
{
        stage s;
        stranger x;
        uint8_t d[34] = {0x68, 0x45};
        const uint8_t options[] = {0x61, 10, 0xd1, 4, 0x08, 0xff}; /* Observe 10, Block2 0, more */
        uint8_t token[8];

        (void)state;
        begin(&s, NULL, NULL);
        stranger_begin(&s, &x);
        net_addr_set_port(&s.to, udp_port(x.u));
        observe(&s, "v");
        hear_until(&s, &x, 1);
        memcpy(token, x.raw[0] + 4, 8);
        memcpy(d + 2, x.raw[0] + 2, 10);
        memcpy(d + 12, options, sizeof options);
        memset(d + 18, 'x', 16);
        assert_int_equal(udp_send(x.u, (odm_str){(char *)d, sizeof d}, &x.peer), 0);
        hear_until(&s, &x, 2); /* it is asked for the rest, and says no more */
        until(&s, 1);
        assert_int_equal(s.why, CO_SILENT);
        x.n = 0;
        raw_notification(&x, token, 0, 9, 20, 'j');
        hear_until(&s, &x, 1);
        assert_string_equal(x.got[0], "70000009"); /* nobody waits for it */
        udp_close(x.u);
        end(&s);
}

static void answers_of_others_do_not_count(void **state)
{
        stage s;
        stranger x, y;
        uint8_t d[13] = {0x68, 0x45};

        (void)state;
        begin(&s, NULL, NULL);
        stranger_begin(&s, &x);
        stranger_begin(&s, &y);
        net_addr_set_port(&s.to, udp_port(x.u));
        ask(&s, s.client, &s.to, CO_GET, "v", ODM_ABSENT);
        hear_until(&s, &x, 1);
        memcpy(d + 2, x.raw[0] + 2, 10);
        assert_int_equal(udp_send(y.u, (odm_str){(char *)d, 12}, &x.peer), 0);
        pass(&s, 20);
        assert_int_equal(s.done, 0); /* not from there */
        d[11] ^= 1;
        assert_int_equal(udp_send(x.u, (odm_str){(char *)d, 12}, &x.peer), 0);
        pass(&s, 20);
        assert_int_equal(s.done, 0); /* not with that token */
        d[11] ^= 1;
        assert_int_equal(udp_send(x.u, (odm_str){(char *)d, 12}, &x.peer), 0);
        until(&s, 1);
        assert_int_equal(s.why, CO_REPLY);
        udp_close(x.u);
        udp_close(y.u);
        end(&s);
}

/* A separate response with one octet of Block1 (27) or Block2 (23), and `n` octets of a body. */
static void raw_block(stranger *x, uint8_t code, unsigned option, uint8_t block, size_t n)
{
        uint8_t d[40] = {0x48, code, 0, (uint8_t)(option + block)};

        memcpy(d + 4, x->raw[0] + 4, 8);
        d[12] = 0xd1;
        d[13] = (uint8_t)(option - 13);
        d[14] = block;
        d[15] = 0xff;
        memset(d + 16, 'x', n);
        assert_int_equal(udp_send(x->u, (odm_str){(char *)d, n ? 16 + n : 15}, &x->peer), 0);
}

static void responses_to_blocks_count_once(void **state)
{
        stage s;
        stranger x;
        co_setup c = quick(&s, &client_app);

        (void)state;
        c.block = 16;
        c.ack_ms = 5000; /* nothing is sent again meanwhile */
        begin(&s, NULL, &c);
        stranger_begin(&s, &x);
        net_addr_set_port(&s.to, udp_port(x.u));
        ask(&s, s.client, &s.to, CO_PUT, "v", ODM_STR("0123456789012345678901234567890123456789"));
        hear_until(&s, &x, 1);
        raw_block(&x, 0x5f, 27, 0x08, 0);
        hear_until(&s, &x, 3);
        raw_block(&x, 0x5f, 27, 0x08, 0); /* the first block's again */
        hear_until(&s, &x, 4);
        raw_block(&x, 0x5f, 27, 0x18, 0);
        hear_until(&s, &x, 6);
        assert_memory_equal(x.got[3], "6000", 4);
        assert_memory_equal(x.got[4], "6000", 4);
        assert_memory_equal(x.got[5], "4803", 4);
        assert_memory_equal(x.raw[5] + x.raw_n[5] - 8, "23456789", 8);
        raw_block(&x, 0x44, 27, 0x20, 0);
        until(&s, 1);
        assert_int_equal(s.why, CO_REPLY);
        assert_int_equal(s.code, CO_CHANGED);

        pass(&s, 20);
        x.n = 0;
        ask(&s, s.client, &s.to, CO_GET, "v", ODM_ABSENT);
        hear_until(&s, &x, 1);
        raw_block(&x, 0x45, 23, 0x08, 16);
        hear_until(&s, &x, 3);
        raw_block(&x, 0x45, 23, 0x08, 16);
        hear_until(&s, &x, 4);
        raw_block(&x, 0x45, 23, 0x10, 4);
        until(&s, 2);
        assert_int_equal(s.why, CO_REPLY);
        assert_int_equal(s.body.n, 20);
        udp_close(x.u);
        end(&s);
}

static void ask_raw(stage *s, stranger *x, const char *hex)
{
        odm_str d = from_hex(hex);

        assert_int_equal(udp_send(x->u, d, &s->to), 0);
        exact_free(d);
}

static void held_until(stage *s, unsigned n)
{
        odm_time last = odm_time_add(loop_now(), PATIENCE_MS);

        while (s->held < n) {
                assert_false(odm_time_reached(loop_now(), last));
                assert_int_equal(loop_once(s->l, 50), 0);
        }
}

/* Its blocks may come of several descriptors, and it is not kept beyond the last. */
static void a_file_has_one_etag(void **state)
{
        char name[] = "/tmp/coap-test-XXXXXX";
        stage s;
        stranger x;
        co_msg m;
        co_file f[2] = {{.size = 20}, {.size = 20}};

        (void)state;
        begin(&s, NULL, NULL);
        stranger_begin(&s, &x);
        f[0].fd = mkstemp(name);
        assert_true(f[0].fd >= 0);
        assert_int_equal(ftruncate(f[0].fd, 20), 0);
        f[1].fd = open(name, O_RDONLY | O_CLOEXEC);
        assert_true(f[1].fd >= 0);
        assert_int_equal(unlink(name), 0);
        co_msg_init(&m, CO_CONTENT);
        for (unsigned i = 0; i < 2; i++) {
                ask_raw(&s, &x, i ? "40011235b4686f6c64c0" : "40011234b4686f6c64c0");
                held_until(&s, i + 1);
                m.file = &f[i];
                co_answer(s.open[i], &m);
                hear_until(&s, &x, i + 1);
        }
        assert_int_equal(x.raw[0][4], 0x48); /* ETag, eight octets */
        assert_memory_equal(x.raw[0] + 4, x.raw[1] + 4, 9);
        ask_raw(&s, &x, "40011236b4686f6c64c110"); /* the last block */
        hear_until(&s, &x, 3);
        assert_int_equal(s.held, 2);
        ask_raw(&s, &x, "40011237b4686f6c64c110");
        held_until(&s, 3);
        co_answer_code(s.open[2], CO_NOT_FOUND);
        hear_until(&s, &x, 4);
        udp_close(x.u);
        end(&s);
}

/* ---- DTLS --------------------------------------------------------------------------------------------------------- */

static co_setup psk_client(stage *s, const char *identity, const char *key)
{
        co_setup b = quick(s, &client_app);

        b.security = CO_PSK;
        b.client = true;
        b.identity = odm_cstr(identity);
        b.key = odm_cstr(key);
        return b;
}

static void a_key_makes_a_session(void **state)
{
        stage s;
        co_setup a = quick(&s, &server_app), b = psk_client(&s, "device-1", "secret");
        co_how how = {.identity = ODM_STR("device-2")};
        co_msg m;
        co_counts c;
        uint64_t id;
        uint16_t port;

        (void)state;
        a.security = CO_PSK;
        begin(&s, &a, &b);
        ask(&s, s.client, &s.to, CO_GET, "size/3000", ODM_ABSENT);
        until(&s, 1);
        assert_int_equal(s.why, CO_REPLY);
        assert_int_equal(s.body.n, 3000);
        assert_string_equal(s.identity, "device-1");
        ask(&s, s.server, &s.device, CO_PUT, "echo", ODM_STR("back"));
        until(&s, 2);
        assert_str(s.body, "back");

        /* another identity was wanted than is there */
        co_msg_init(&m, CO_GET);
        m.path = ODM_STR("echo");
        assert_int_equal(co_ask(s.server, &s.device, &m, &how, ended, &s, &id), 0);
        until(&s, 3);
        assert_int_equal(s.why, CO_UNREACHABLE);

        /* it restarts and has the same port */
        port = co_port(s.client);
        co_close(s.client);
        net_addr_set_port(&b.at, port);
        s.client = open_end(&s, &b);
        ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("again"));
        until(&s, 4);
        assert_str(s.body, "again");
        co_count(s.server, &c);
        assert_int_equal(c.secured, 1);
        end(&s);
}

static void a_session_that_is_over_is_not_asked(void **state)
{
        stage s;
        co_setup a = quick(&s, &server_app), b = psk_client(&s, "device-1", "secret");
        co_counts c;

        (void)state;
        a.security = CO_PSK;
        begin(&s, &a, &b);
        ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("x"));
        until(&s, 1);
        co_peer_drop(s.client, &s.to); /* with close_notify */
        do {
                assert_int_equal(loop_once(s.l, 50), 0);
                co_count(s.server, &c);
        } while (c.secured);
        ask(&s, s.server, &s.device, CO_GET, "x", ODM_ABSENT);
        until(&s, 2);
        assert_int_equal(s.why, CO_UNREACHABLE);
        ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("y")); /* the client may begin anew */
        until(&s, 3);
        assert_str(s.body, "y");
        end(&s);
}

static void a_wrong_key_makes_none(void **state)
{
        static const struct row {
                const char *why, *identity, *key;
                co_end_of end;
        } rows[] = {
                {"a wrong key: what it says cannot be read", "device-1", "secreT", CO_SILENT},
                {"nobody we know", "device-9", "secret", CO_UNREACHABLE},
        };
        const co_how how = {.deadline_ms = 300};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stage s;
                co_setup a = quick(&s, &server_app),
                         b = psk_client(&s, rows[i].identity, rows[i].key);
                co_counts c;
                co_msg m;
                uint64_t id;

                a.security = CO_PSK;
                begin(&s, &a, &b);
                co_msg_init(&m, CO_GET);
                m.path = ODM_STR("echo");
                assert_int_equal(co_ask(s.client, &s.to, &m, &how, ended, &s, &id), 0);
                until(&s, 1);
                co_count(s.server, &c);
                if (s.why != rows[i].end || s.asked || c.secured)
                        fail_msg("%s: %s, asked %u", rows[i].why, co_end_text(s.why), s.asked);
                end(&s);
        }
}

static void certificates_make_a_session(void **state)
{
        char dir[] = "/tmp/coap-test-XXXXXX", f[6][64];
        const char *names[] = {"ca.pem", "ca.key", "s.pem", "s.key", "c.pem", "c.key"};
        diag d = {0};
        stage s;
        co_setup a = quick(&s, &server_app), b = quick(&s, &client_app);

        (void)state;
        assert_non_null(mkdtemp(dir));
        for (size_t i = 0; i < 6; i++)
                snprintf(f[i], sizeof f[i], "%s/%s", dir, names[i]);
        assert_int_equal(cert_make_ca("ca", 2, f[0], f[1], &d), 0);
        assert_int_equal(cert_make(&(cert_request){.common_name = "gw", .days = 2, .server = true},
                                   f[0], f[1], f[2], f[3], &d),
                         0);
        assert_int_equal(
                cert_make(&(cert_request){.common_name = "device-7", .days = 2, .client = true},
                          f[0], f[1], f[4], f[5], &d),
                0);
        a.security = b.security = CO_CERT;
        b.client = true;
        a.ca_file = b.ca_file = f[0];
        a.cert_file = f[2];
        a.key_file = f[3];
        b.cert_file = f[4];
        b.key_file = f[5];
        begin(&s, &a, &b);
        ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("x"));
        until(&s, 1);
        assert_int_equal(s.why, CO_REPLY);
        assert_string_equal(s.identity, "device-7");
        end(&s);
        for (size_t i = 0; i < 6; i++)
                assert_int_equal(unlink(f[i]), 0);
        assert_int_equal(rmdir(dir), 0);
}

static void dtls_goes_through_a_bad_network(void **state)
{
        stage s;
        network net;
        co_setup a = quick(&s, &server_app), b = psk_client(&s, "device-1", "secret");

        (void)state;
        a.security = CO_PSK;
        a.retransmit = b.retransmit = 8;
        begin(&s, &a, &b);
        network_begin(&s, &net, 7, 2);
        ask(&s, s.client, &s.to, CO_GET, "size/2000", ODM_ABSENT);
        until(&s, 1);
        assert_int_equal(s.why, CO_REPLY);
        assert_int_equal(s.body.n, 2000);
        assert_int_equal(s.asked, 1);
        network_end(&net);
        end(&s);
}

static co_counts counts_of(const co_end *e)
{
        co_counts c;

        co_count(e, &c);
        return c;
}

/* Whoever has a wrong key comes as far as the end of the handshake, and no further. */
static void who_proves_nothing_pushes_out_none_who_did(void **state)
{
        stage s;
        co_setup a = quick(&s, &server_app), b = psk_client(&s, "device-1", "secret"),
                 w = psk_client(&s, "device-1", "wrong");
        co_end *other, *crowd[8];

        (void)state;
        a.security = CO_PSK;
        a.peers_max = 2;
        a.handshakes_max = 3;
        begin(&s, &a, &b);
        other = open_end(&s, &b);
        ask(&s, other, &s.to, CO_PUT, "echo", ODM_STR("x"));
        until(&s, 1);
        ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("x"));
        until(&s, 2);
        assert_int_equal(counts_of(s.server).secured, 2);
        for (size_t i = 0; i < ODM_COUNT(crowd); i++) {
                crowd[i] = open_end(&s, &w);
                ask(&s, crowd[i], &s.to, CO_PUT, "echo", ODM_STR("x"));
        }
        pass(&s, 300);
        assert_int_equal(counts_of(s.server).secured, 2);
        assert_int_equal(counts_of(s.server).peers, 2 + 3);
        ask(&s, s.server, &s.device, CO_PUT, "echo", ODM_STR("still"));
        while (s.why != CO_REPLY || s.body.n != 5)
                assert_int_equal(loop_once(s.l, 50), 0);
        for (size_t i = 0; i < ODM_COUNT(crowd); i++)
                co_close(crowd[i]);
        loop_skip(25000); /* they do not last */
        pass(&s, 50);
        assert_int_equal(counts_of(s.server).peers, 2);
        /* one who proves himself takes the place of the longest idle */
        crowd[0] = open_end(&s, &b);
        s.done = 0;
        ask(&s, crowd[0], &s.to, CO_PUT, "echo", ODM_STR("new"));
        until(&s, 1);
        assert_str(s.body, "new");
        assert_int_equal(counts_of(s.server).secured, 2);
        assert_int_equal(counts_of(s.server).peers, 2);
        co_close(crowd[0]);
        co_close(other);
        end(&s);
}

static void a_session_stays_until_another_is_proved(void **state)
{
        stage s;
        network net;
        co_setup a = quick(&s, &server_app), b = psk_client(&s, "device-1", "secret"),
                 w = psk_client(&s, "device-1", "wrong");
        const co_how how = {.deadline_ms = 200};
        co_end *liar, *again;
        uint64_t id;
        co_msg m;

        (void)state;
        a.security = CO_PSK;
        begin(&s, &a, &b);
        network_begin(&s, &net, 0, 1);
        ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("x"));
        until(&s, 1);
        liar = open_end(&s, &w); /* at the same address, as the server sees it */
        co_msg_init(&m, CO_GET);
        m.path = ODM_STR("echo");
        assert_int_equal(co_ask(liar, &s.to, &m, &how, ended, &s, &id), 0);
        until(&s, 2);
        assert_int_equal(s.why, CO_SILENT);
        assert_int_equal(counts_of(s.server).secured, 1);
        ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("still"));
        until(&s, 3);
        assert_str(s.body, "still");
        again = open_end(&s, &b); /* the device began anew: its old session is over then */
        ask(&s, again, &s.to, CO_PUT, "echo", ODM_STR("again"));
        until(&s, 4);
        assert_str(s.body, "again");
        assert_int_equal(counts_of(s.server).secured, 1);
        assert_int_equal(counts_of(s.server).peers, 1);
        co_close(liar);
        co_close(again);
        network_end(&net);
        end(&s);
}

static void cookies_age(void **state)
{
        static const struct row {
                const char *why;
                int64_t skip;
                bool good;
        } rows[] = {
                {"at once", 0, true},
                {"after the secret has changed", 61000, true},
                {"after it has changed twice", 130000, false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                stage s;
                network net;
                co_setup a = quick(&s, &server_app), b = psk_client(&s, "device-1", "secret");
                unsigned cookies;

                a.security = CO_PSK;
                begin(&s, &a, &b);
                network_begin(&s, &net, 0, 1);
                ask(&s, s.client, &s.to, CO_PUT, "echo", ODM_STR("x"));
                until(&s, 1);
                co_peer_drop(s.client, &s.to);
                while (counts_of(s.server).peers)
                        assert_int_equal(loop_once(s.l, 50), 0);
                loop_skip(r->skip);
                cookies = net.cookies;
                assert_int_equal(udp_send(net.back, (odm_str){net.hello, net.hello_n}, &net.server),
                                 0);
                pass(&s, 50);
                if ((counts_of(s.server).peers == 1) != r->good ||
                    (net.cookies > cookies) == r->good)
                        fail_msg("%s: %zu peers", r->why, counts_of(s.server).peers);
                network_end(&net);
                end(&s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(both_sides_ask_over_the_same_sockets),
                cmocka_unit_test(queries_are_found_by_their_key),
                cmocka_unit_test(bodies_travel_whole),
                cmocka_unit_test(files_are_given_in_blocks),
                cmocka_unit_test(too_long_a_body_is_refused),
                cmocka_unit_test(requests_go_one_after_the_other),
                cmocka_unit_test(late_answers_are_separate),
                cmocka_unit_test(silence_ends_a_request),
                cmocka_unit_test(a_cancelled_request_is_not_heard_of),
                cmocka_unit_test(idle_peers_are_forgotten_and_come_back),
                cmocka_unit_test(answers_come_from_the_address_that_was_asked),
                cmocka_unit_test(room_for_peers_is_limited),
                cmocka_unit_test(notifications_come_until_they_are_cancelled),
                cmocka_unit_test(long_notifications_are_fetched),
                cmocka_unit_test(watchers_end),
                cmocka_unit_test(observations_outlive_idle_peers),
                cmocka_unit_test(octets_are_answered_as_the_table_says),
                cmocka_unit_test(what_comes_twice_is_done_once),
                cmocka_unit_test(what_cannot_be_answered_is_not_done_again),
                cmocka_unit_test(a_watcher_may_end_before_its_request),
                cmocka_unit_test(older_notifications_are_not_told),
                cmocka_unit_test(a_first_value_that_breaks_off_is_told),
                cmocka_unit_test(answers_of_others_do_not_count),
                cmocka_unit_test(responses_to_blocks_count_once),
                cmocka_unit_test(a_file_has_one_etag),
                cmocka_unit_test(a_key_makes_a_session),
                cmocka_unit_test(a_session_that_is_over_is_not_asked),
                cmocka_unit_test(a_wrong_key_makes_none),
                cmocka_unit_test(certificates_make_a_session),
                cmocka_unit_test(dtls_goes_through_a_bad_network),
                cmocka_unit_test(who_proves_nothing_pushes_out_none_who_did),
                cmocka_unit_test(a_session_stays_until_another_is_proved),
                cmocka_unit_test(cookies_age),
        };

        return RUN_TESTS(tests);
}
