/* SPDX-License-Identifier: Apache-2.0 */
/* LwM2M devices of a scenario and a server that is this test, over real sockets. */
#include "things.h"

#include <string.h>
#include <unistd.h>

#include "coap.h"
#include "heap.h"
#include "support.h"

#define WAIT_MS 10000

static const char package[] = "version: 2.0\nmodel: M1\nand so on";

typedef struct world {
        loop *loop;
        co_end *server;
        scenario s;
        things *f;
        net_addr device; /* who registered last */
        char query[512], links[1024];
        unsigned registered, updated, deregistered, served, told, accounts;
        bool answered, over;
        co_end_of why;
        uint8_t code;
        int format;
        char body[512], path[64];
        char seen[16][64]; /* notifications */
} world;

static void on_request(void *ctx, co_request *r, co_peer *p, const co_msg *m)
{
        world *w = ctx;
        co_msg a;

        co_msg_init(&a, CO_CHANGED);
        co_peer_addr(p, &w->device);
        if (m->code == CO_POST && odm_str_is(m->path, "rd")) {
                size_t n = 0;
                for (size_t i = 0; i < m->n_query; i++)
                        n += (size_t)snprintf(w->query + n, sizeof w->query - n, "%.*s ",
                                              (int)m->query[i].n, m->query[i].p);
                (void)snprintf(w->links, sizeof w->links, "%.*s", (int)m->body.n, m->body.p);
                w->registered++;
                a.code = CO_CREATED;
                a.path = ODM_STR("rd/7");
        } else if (m->code == CO_POST && odm_str_is(m->path, "rd/7")) {
                w->updated++;
        } else if (m->code == CO_POST && odm_str_is(m->path, "bs")) {
                w->accounts++;
        } else if (m->code == CO_DELETE) {
                w->deregistered++;
                a.code = CO_DELETED;
        } else {
                w->served++;
                a.code = CO_CONTENT;
                a.body = odm_cstr(package);
        }
        co_answer(r, &a);
}

static const co_app app = {.request = on_request};

static void on_over(void *ctx)
{
        ((world *)ctx)->over = true;
}

static void open_world(world *w, const char *more)
{
        char path[] = "/tmp/things.XXXXXX", text[1024];
        int fd = mkstemp(path), n;
        co_setup s;
        diag d = {{0}};

        memset(w, 0, sizeof *w);
        co_setup_init(&s);
        s.app = &app;
        s.ctx = w;
        s.ack_ms = 100;
        s.retransmit = 1;
        assert_int_equal(net_addr_parse("127.0.0.1", 0, &s.at), 0);
        assert_int_equal(loop_new(&w->loop), 0);
        assert_int_equal(co_open(w->loop, &s, &w->server, &d), 0);
        n = snprintf(text, sizeof text,
                     "[run]\nseed = 1\n[group m]\nprotocol = lwm2m\nserver = "
                     "coap://127.0.0.1:%u\nmodel = M1\n"
                     "start = 0\ninstall = 50ms\nreboot = 50ms\nretry_wait = 50ms\n%s",
                     co_port(w->server), more);
        assert_int_equal(write(fd, text, (size_t)n), n);
        close(fd);
        if (scenario_load(&w->s, path, &d) < 0)
                fail_msg("%s", d.text);
        unlink(path);
        w->s.group[0].o.server = w->s.group[0].server;
        w->s.group[0].o.parallel = 1;
        assert_int_equal(scenario_aim(&w->s), 0);
        assert_int_equal(things_new(w->loop, &w->s, NULL, NULL, on_over, w, &w->f, &d), 0);
        assert_int_equal(things_start(w->f, 0, &d), 0);
}

static void close_world(world *w)
{
        assert_string_equal(things_get_stats(w->f)->why, "");
        things_stop(w->f);
        assert_true(w->over);
        things_free(w->f);
        co_close(w->server);
        loop_free(w->loop);
        scenario_done(&w->s);
}

#define until(w, what)                                                 \
        do {                                                           \
                odm_time end_ = odm_time_add(loop_now(), WAIT_MS);     \
                while (!(what) && !odm_time_reached(loop_now(), end_)) \
                        assert_int_equal(loop_once((w)->loop, 20), 0); \
                assert_true(what);                                     \
        } while (0)

/* ---- what the server asks --------------------------------------------------------------------- */

static void on_done(void *ctx, co_end_of why, const co_msg *m)
{
        world *w = ctx;

        w->answered = true;
        w->why = why;
        if (why != CO_REPLY)
                return;
        w->code = m->code;
        w->format = m->format;
        (void)snprintf(w->body, sizeof w->body, "%.*s", (int)m->body.n, m->body.p ? m->body.p : "");
        (void)snprintf(w->path, sizeof w->path, "%.*s", (int)m->path.n, m->path.p ? m->path.p : "");
}

static void on_told(void *ctx, co_end_of why, const co_msg *m)
{
        world *w = ctx;

        if (why != CO_REPLY || w->told == ODM_COUNT(w->seen))
                return;
        (void)snprintf(w->seen[w->told++], sizeof w->seen[0], "%.*s", (int)m->body.n, m->body.p);
}

static void ask_as(world *w, uint8_t code, const char *path, odm_str body, int format, int accept)
{
        co_msg m;
        co_how how = {.deadline_ms = 2000};
        uint64_t id;

        co_msg_init(&m, code);
        m.path = odm_cstr(path);
        m.body = body;
        m.format = format;
        m.accept = accept;
        w->answered = false;
        w->body[0] = w->path[0] = '\0';
        assert_int_equal(co_ask(w->server, &w->device, &m, &how, on_done, w, &id), 0);
        until(w, w->answered);
}

static void ask(world *w, uint8_t code, const char *path, const char *body, int accept)
{
        ask_as(w, code, path, body ? odm_cstr(body) : ODM_ABSENT,
               !body             ? -1
               : body == package ? 42
                                 : 0,
               accept);
}

static void observe_as(world *w, const char *path, int accept)
{
        co_msg m;
        uint64_t id;

        co_msg_init(&m, CO_GET);
        m.path = odm_cstr(path);
        m.observe = 0;
        m.accept = accept;
        assert_int_equal(co_ask(w->server, &w->device, &m, NULL, on_told, w, &id), 0);
}

static void observe(world *w, const char *path)
{
        observe_as(w, path, 0);
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void they_register_and_answer(void **state)
{
        static const struct {
                const char *why;
                uint8_t code;
                const char *path, *body;
                int accept;
                uint8_t want;
                int format;
                const char *text;
        } rows[] = {
                {"a value as text", CO_GET, "3/0/1", NULL, -1, CO_CONTENT, 0, "M1"},
                {"an instance as TLV", CO_GET, "3/0", NULL, -1, CO_CONTENT, 11542, NULL},
                {"and as JSON", CO_GET, "3303/0", NULL, 11543, CO_CONTENT, 11543, NULL},
                {"1.0 has no SenML", CO_GET, "3/0", NULL, 110, CO_NOT_ACCEPTABLE, -1, NULL},
                {"what is there", CO_GET, "26241", NULL, 40, CO_CONTENT, 40,
                 "</26241>,</26241/0>,</26241/0/0>,</26241/0/1>,</26241/0/2>,</26241/0/3>,"
                 "</26241/0/4>"},
                {"a value is written", CO_PUT, "26241/0/1", "moin", -1, CO_CHANGED, -1, NULL},
                {"and is there", CO_GET, "26241/0/1", NULL, -1, CO_CONTENT, 0, "moin"},
                {"run", CO_POST, "26241/0/2", NULL, -1, CO_CHANGED, -1, NULL},
                {"not there", CO_GET, "44/0/1", NULL, -1, CO_NOT_FOUND, -1, NULL},
                {"no path", CO_GET, "a/b", NULL, -1, CO_NOT_FOUND, -1, NULL},
                {"may not be written", CO_PUT, "3/0/3", "9", -1, CO_NOT_ALLOWED, -1, NULL},
                {"no number", CO_PUT, "26241/0/0", "x", -1, CO_BAD_REQUEST, -1, NULL},
                {"what 1.0 has not", CO_FETCH, "", NULL, -1, CO_NOT_ALLOWED, -1, NULL},
        };
        world w;

        (void)state;
        open_world(&w, "prefix = meter/\nfirst = 17\ncall = 1h\n");
        until(&w, w.registered);
        assert_string_equal(w.query, "ep=urn:xremsim:meter/17 lt=10860 lwm2m=1.0 b=U ");
        assert_non_null(strstr(w.links, "</3/0>,"));
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                ask(&w, rows[i].code, rows[i].path, rows[i].body, rows[i].accept);
                if (w.why != CO_REPLY || w.code != rows[i].want ||
                    (rows[i].want == CO_CONTENT && w.format != rows[i].format) ||
                    (rows[i].text && strcmp(rows[i].text, w.body) != 0))
                        fail_msg("%s: %d, code %u, format %d, '%s'", rows[i].why, w.why, w.code,
                                 w.format, w.body);
        }
        ask(&w, CO_POST, "9", NULL, -1);
        assert_int_equal(w.code, CO_CREATED);
        assert_string_equal(w.path, "9/0");
        ask_as(&w, CO_POST, "9", ODM_STR("\x00\x03"), 11542, -1); /* an empty one of a number */
        assert_int_equal(w.code, CO_CREATED);
        assert_string_equal(w.path, "9/3");
        until(&w, w.updated); /* what it has is other than it said */
        close_world(&w);
}

static void observers_hear_of_errors(void **state)
{
        world w;

        (void)state;
        open_world(&w, "call = 1h\n[fault hot]\nkind = alarm\nafter = 500ms\nfor = 500ms\n"
                       "alarm = peripheral\n");
        until(&w, w.registered);
        observe(&w, "3/0/11/0");
        until(&w, w.told == 3);
        assert_string_equal(w.seen[0], "0");
        assert_string_equal(w.seen[1], "8");
        assert_string_equal(w.seen[2], "0");
        close_world(&w);
}

static void the_second_observer_of_a_device_is_told_too(void **state)
{
        world w;

        (void)state;
        open_world(&w, "call = 1h\n[fault hot]\nkind = alarm\nafter = 500ms\nalarm = peripheral\n");
        until(&w, w.registered);
        observe_as(&w, "3/0/11", 11542);
        observe_as(&w, "5/0/3", 0);
        until(&w, w.told == 3);
        close_world(&w);
}

static void firmware_is_pulled_and_runs_after_a_restart(void **state)
{
        char url[64];
        world w;

        (void)state;
        open_world(&w, "call = 1h\n");
        until(&w, w.registered);
        observe(&w, "5/0/3");
        until(&w, w.told == 1);
        (void)snprintf(url, sizeof url, "coap://127.0.0.1:%u/img/1", co_port(w.server));
        ask(&w, CO_PUT, "5/0/1", url, -1);
        assert_int_equal(w.code, CO_CHANGED);
        until(&w, w.told >= 2 && strcmp(w.seen[w.told - 1], "2") == 0);
        ask(&w, CO_POST, "5/0/2", NULL, -1);
        assert_int_equal(w.code, CO_CHANGED);
        until(&w, w.registered == 2);
        ask(&w, CO_GET, "3/0/3", NULL, -1);
        assert_string_equal(w.body, "2.0");
        ask(&w, CO_GET, "5/0/5", NULL, -1);
        assert_string_equal(w.body, "1");
        assert_int_equal(things_get_stats(w.f)->updated, 1);
        close_world(&w);
}

static void faults_hit_firmware(void **state)
{
        static const struct {
                const char *why, *fault;
                bool push;
                const char *state, *result;
        } rows[] = {
                {"a spoilt download", "kind = bad-download\n", false, "0", "5"},
                {"a spoilt push", "kind = bad-download\n", true, "0", "5"},
                {"another status", "kind = http-failure\nstatus = 404\n", false, "0", "7"},
                {"the power is cut", "kind = power-cut\nstate = downloading\n", false, "0", "4"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char url[64], text[256];
                unsigned n;
                world w;
                (void)snprintf(text, sizeof text, "call = 1h\n[fault f]\n%s", rows[i].fault);
                open_world(&w, text);
                until(&w, w.registered);
                (void)snprintf(url, sizeof url, "coap://127.0.0.1:%u/img/1", co_port(w.server));
                n = w.registered;
                if (rows[i].push)
                        ask(&w, CO_PUT, "5/0/0", package, -1);
                else
                        ask(&w, CO_PUT, "5/0/1", url, -1);
                if (strstr(rows[i].fault, "power-cut"))
                        until(&w, w.registered > n);
                for (n = 0; n < 100; n++) {
                        ask(&w, CO_GET, "5/0/5", NULL, -1);
                        if (strcmp(w.body, rows[i].result) == 0)
                                break;
                }
                if (n == 100)
                        fail_msg("%s: result %s", rows[i].why, w.body);
                ask(&w, CO_GET, "5/0/3", NULL, -1);
                assert_string_equal(w.body, rows[i].state);
                close_world(&w);
        }
}

static void sleepers_hear_nothing_until_they_wake(void **state)
{
        world w;

        (void)state;
        open_world(&w, "call = 2s\nawake = 300ms\n");
        until(&w, w.registered);
        assert_non_null(strstr(w.query, "b=UQ"));
        ask(&w, CO_GET, "3/0/1", NULL, -1);
        assert_int_equal(w.why, CO_REPLY);
        until(&w, things_get_stats(w.f)->asleep == 1);
        ask(&w, CO_GET, "3/0/1", NULL, -1);
        assert_int_equal(w.why, CO_SILENT);
        until(&w, w.updated);
        ask(&w, CO_GET, "3/0/1", NULL, -1);
        assert_int_equal(w.why, CO_REPLY);
        close_world(&w);
}

static void one_that_is_told_to_leaves_and_comes_back(void **state)
{
        world w;

        (void)state;
        open_world(&w, "call = 1h\n");
        until(&w, w.registered);
        ask(&w, CO_PUT, "1/0/5", "1", -1);
        ask(&w, CO_POST, "1/0/4", NULL, -1);
        assert_int_equal(w.code, CO_CHANGED);
        until(&w, w.deregistered && w.registered == 2);
        ask(&w, CO_POST, "3/0/4", NULL, -1); /* and so does one that starts again */
        assert_int_equal(w.code, CO_CHANGED);
        until(&w, w.registered == 3);
        ask(&w, CO_POST, "1/0/8", NULL, -1);
        until(&w, w.updated);
        close_world(&w);
}

static void an_account_is_asked_for_and_used(void **state)
{
        char uri[64];
        world w;

        (void)state;
        open_world(&w, "call = 1h\nbootstrap = yes\nversion = 1.1\nformats = senml-json\n");
        until(&w, w.accounts);
        ask(&w, CO_POST, "bs", NULL, -1); /* nothing was given */
        assert_int_equal(w.code, CO_BAD_REQUEST);
        ask(&w, CO_GET, "3/0/1", NULL, -1);
        assert_int_equal(w.code, CO_NOT_ALLOWED);
        ask(&w, CO_DELETE, "", NULL, -1);
        assert_int_equal(w.code, CO_DELETED);
        (void)snprintf(uri, sizeof uri, "coap://127.0.0.1:%u", co_port(w.server));
        ask(&w, CO_PUT, "0/1/0", uri, -1);
        assert_int_equal(w.code, CO_CHANGED);
        ask(&w, CO_PUT, "0/1/2", "3", -1);
        assert_int_equal(w.code, CO_CHANGED);
        ask(&w, CO_PUT, "1/1/1", "600", -1);
        assert_int_equal(w.code, CO_CHANGED);
        assert_int_equal(w.registered, 0);
        ask(&w, CO_POST, "bs", NULL, -1);
        assert_int_equal(w.code, CO_CHANGED);
        until(&w, w.registered);
        assert_non_null(strstr(w.query, " lt=600 "));
        assert_non_null(strstr(w.links, ";ct=110"));
        ask(&w, CO_GET, "3/0", NULL, -1); /* what it has is its choice */
        assert_int_equal(w.format, 110);
        ask(&w, CO_GET, "3/0", NULL, 11542);
        assert_int_equal(w.code, CO_NOT_ACCEPTABLE);
        assert_int_equal(things_get_stats(w.f)->bootstrapped, 1);
        assert_int_equal(things_get_stats(w.f)->formats[4], 1);
        close_world(&w);
}

static void it_says_goodbye_before_it_restarts(void **state)
{
        world w;

        (void)state;
        open_world(&w, "call = 1h\nfarewell = yes\n");
        until(&w, w.registered);
        ask(&w, CO_POST, "3/0/4", NULL, -1);
        until(&w, w.deregistered && w.registered == 2);
        close_world(&w);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(they_register_and_answer),
                cmocka_unit_test(observers_hear_of_errors),
                cmocka_unit_test(the_second_observer_of_a_device_is_told_too),
                cmocka_unit_test(firmware_is_pulled_and_runs_after_a_restart),
                cmocka_unit_test(faults_hit_firmware),
                cmocka_unit_test(sleepers_hear_nothing_until_they_wake),
                cmocka_unit_test(one_that_is_told_to_leaves_and_comes_back),
                cmocka_unit_test(an_account_is_asked_for_and_used),
                cmocka_unit_test(it_says_goodbye_before_it_restarts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
