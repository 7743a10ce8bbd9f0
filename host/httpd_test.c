/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_test.c - the server and the client over real sockets on loopback. */
#include "httpd_inner.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cert.h"
#include "fsio.h"
#include "gzip.h"
#include "heap.h"
#include "http_client.h"
#include "support.h"

/* ---- the application under test --------------------------------------------------- */

typedef struct world {
        char dir[64];
        httpd *h;
        uint16_t plain, tls;
        pthread_t worker;
        bool has_worker;
        httpd_req *_Atomic held;
        httpd_stream *stream;
        atomic_int calls;
} world;

static void *reply_later(void *arg)
{
        httpd_req *r = arg;

        usleep(30000);
        httpd_send_text(r, 202, "later");
        return NULL;
}

static void *write_stream(void *arg)
{
        world *w = arg;

        for (int i = 0; i < 3; i++) {
                usleep(20000);
                if (httpd_stream_write(w->stream, ODM_STR("data: x\n\n")) < 0)
                        break;
        }
        httpd_stream_end(w->stream);
        return NULL;
}

static void echo(httpd_req *r)
{
        const http_field f[] = {{ODM_STR("X-Seen"), httpd_field(r, "x-test")}};
        const httpd_reply reply = {.status = 200,
                                   .type = "text/plain",
                                   .fields = f,
                                   .n_fields = f[0].value.p ? 1 : 0,
                                   .body = httpd_body(r)};

        httpd_send(r, &reply);
}

static void on_head(void *ctx, httpd_req *r, size_t *max_body)
{
        (void)ctx;
        if (odm_str_is(httpd_path(r), "/small"))
                *max_body = 10;
        if (odm_str_is(httpd_path(r), "/forbidden"))
                httpd_send_text(r, 401, "who are you?");
}

static void on_request(void *ctx, httpd_req *r)
{
        world *w = ctx;
        odm_str path = httpd_path(r);

        atomic_fetch_add(&w->calls, 1);
        if (odm_str_is(path, "/later")) {
                w->has_worker = pthread_create(&w->worker, NULL, reply_later, r) == 0;
        } else if (odm_str_is(path, "/held")) {
                w->held = r;
        } else if (odm_str_is(path, "/stream")) {
                w->stream = httpd_stream_begin(r, 200, "text/event-stream", NULL, 0);
                w->has_worker = pthread_create(&w->worker, NULL, write_stream, w) == 0;
        } else if (odm_str_is(path, "/query")) {
                odm_str q = httpd_query(r, "b");
                const httpd_reply reply = {.status = q.p ? 200 : 404, .body = q};
                httpd_send(r, &reply);
        } else if (odm_str_is(path, "/who")) {
                const tls_peer *p = httpd_peer_cert(r);
                httpd_send_text(r, 200, p->verified ? p->common_name : p->present ? "bad" : "none");
        } else {
                echo(r);
        }
}

static void path_in(const world *w, const char *name, char out[128])
{
        snprintf(out, 128, "%s/%s", w->dir, name);
}

static void make_files(world *w)
{
        static const char *const names[] = {"localhost", "127.0.0.1", NULL};
        char ca[128], ca_key[128], cert[128], key[128];
        const cert_request server = {"localhost", names, 10, true, false};
        const cert_request client = {"device-7", NULL, 10, false, true};

        snprintf(w->dir, sizeof w->dir, "/tmp/httpd_test.XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        path_in(w, "ca.pem", ca);
        path_in(w, "ca.key", ca_key);
        assert_int_equal(cert_make_ca("test CA", 10, ca, ca_key, NULL), 0);
        path_in(w, "s.pem", cert);
        path_in(w, "s.key", key);
        assert_int_equal(cert_make(&server, ca, ca_key, cert, key, NULL), 0);
        path_in(w, "c.pem", cert);
        path_in(w, "c.key", key);
        assert_int_equal(cert_make(&client, ca, ca_key, cert, key, NULL), 0);
        path_in(w, "other.pem", ca);
        path_in(w, "other.key", ca_key);
        assert_int_equal(cert_make_ca("stranger", 10, ca, ca_key, NULL), 0);
}

static void start_with(world *w, const httpd_opt *opt)
{
        char cert[128], key[128], ca[128], ticket[128];
        httpd_listener l[2];
        diag d = {0};

        path_in(w, "s.pem", cert);
        path_in(w, "s.key", key);
        path_in(w, "ca.pem", ca);
        path_in(w, "ticket.key", ticket);
        for (int i = 0; i < 2; i++) {
                httpd_listener_init(&l[i]);
                assert_int_equal(net_addr_parse("127.0.0.1", 0, &l[i].addr), 0);
                l[i].app = (httpd_app){on_head, on_request, w};
                l[i].max_body = 100000;
        }
        l[1].tls = true;
        l[1].cert_file = cert;
        l[1].key_file = key;
        l[1].client_ca_file = ca;
        l[1].ticket_file = ticket;
        if (httpd_start(opt, l, 2, &w->h, &d) < 0)
                fail_msg("%s", d.text);
        w->plain = httpd_port(w->h, 0);
        w->tls = httpd_port(w->h, 1);
}

static void start_server(world *w, unsigned max_active)
{
        httpd_opt opt;

        httpd_opt_init(&opt);
        opt.max_active = max_active;
        start_with(w, &opt);
}

static void remove_files(const world *w)
{
        static const char *const names[] = {"ca.pem",    "ca.key",    "s.pem",
                                            "s.key",     "c.pem",     "c.key",
                                            "other.pem", "other.key", "ticket.key"};
        char path[128];

        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                path_in(w, names[i], path);
                unlink(path);
        }
        rmdir(w->dir);
}

static int set_up(void **state)
{
        world *w = calloc(1, sizeof *w);

        make_files(w);
        start_server(w, 100);
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        world *w = *state;

        httpd_stop(w->h, 1000);
        remove_files(w);
        free(w);
        return 0;
}

static void join_worker(world *w)
{
        if (w->has_worker)
                pthread_join(w->worker, NULL);
        w->has_worker = false;
}

/* ---- raw requests ------------------------------------------------------------------- */

static int raw_connect(uint16_t port)
{
        struct sockaddr_in sa = {.sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
        struct timeval tv = {5, 0};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
        return fd;
}

/* Sends octets, reads until the peer closes or the reply's head came; returns the status. */
static unsigned raw_exchange(uint16_t port, odm_str request, bool *closed)
{
        char buf[4096];
        size_t n = 0;
        ssize_t got = 1;
        int fd = raw_connect(port);

        assert_int_equal(send(fd, request.p, request.n, MSG_NOSIGNAL), request.n);
        while (n < sizeof buf - 1 && (got = recv(fd, buf + n, sizeof buf - 1 - n, 0)) > 0) {
                n += (size_t)got;
                buf[n] = 0;
                if (!strstr(buf, "onnection: close") && strstr(buf, "\r\n\r\n"))
                        break;
        }
        *closed = got == 0;
        close(fd);
        buf[n] = 0;
        return n > 12 ? (unsigned)strtoul(buf + 9, NULL, 10) : 0;
}

#define RAW(text)                         \
        {                                 \
                "" text, sizeof(text) - 1 \
        }

static const struct gate_row {
        const char *why;
        odm_str in;
        unsigned status;
} gate_rows[] = {
        {"a plain request", RAW("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200},
        {"blanks around a value are no harm", RAW("GET / HTTP/1.1\r\nHost:  a \r\nX-A: b\r\n\r\n"),
         200},
        {"an empty value", RAW("GET / HTTP/1.1\r\nHost: a\r\nX-A:\r\nX-B: c\r\n\r\n"), 200},
        {"an absolute target", RAW("GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n"), 200},
        {"chunked",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nabc\r\n0\r\n\r\n"),
         200},
        {"a length", RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"), 200},
        {"an absolute target, its host in other letters",
         RAW("GET http://A:80/x HTTP/1.1\r\nHost: a:80\r\n\r\n"), 200},
        {"an expectation that is met",
         RAW("POST /forbidden HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n"
             "Content-Length: 3\r\n\r\n"),
         401},
        {"an extension of a chunk",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3;a=\"b\"\r\nabc\r\n0\r\nX: y\r\n\r\n"),
         200},
        {"a line end too many before it", RAW("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200},
        {"no Host", RAW("GET / HTTP/1.1\r\nX: a\r\n\r\n"), 400},
        {"an empty Host", RAW("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400},
        {"a Host with a path", RAW("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400},
        {"a Host with a user", RAW("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400},
        {"a Host with a blank", RAW("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400},
        {"an absolute target of another host", RAW("GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n"),
         400},
        {"an absolute target of another port", RAW("GET http://a:81/x HTTP/1.1\r\nHost: a\r\n\r\n"),
         400},
        {"an absolute target with a user", RAW("GET http://u@a/x HTTP/1.1\r\nHost: a\r\n\r\n"),
         400},
        {"an authority as target", RAW("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"two blanks behind the method", RAW("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"two blanks before the version", RAW("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a blank behind the version", RAW("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400},
        {"a blank in the target", RAW("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"NUL in the target", RAW("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a bare line feed behind the first line", RAW("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400},
        {"a bare line feed at the end", RAW("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400},
        {"a bare line feed behind the last value", RAW("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400},
        {"a folded line first of all", RAW("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400},
        {"version 0.9", RAW("GET /\r\n\r\n"), 400},
        {"version 0.9, said", RAW("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505},
        {"version 2", RAW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
        {"version 11", RAW("GET / HTTP/11\r\nHost: a\r\n\r\n"), 400},
        {"another protocol", RAW("GET / ICAP/1.0\r\nHost: a\r\n\r\n"), 400},
        {"an expectation nobody knows",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\nContent-Length: 3\r\n\r\nabc"),
         417},
        {"a length below zero", RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nabc"),
         400},
        {"an empty length", RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabc"), 400},
        {"a length of 64 bits",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\nabc"), 400},
        {"a length beyond 64 bits",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc"), 413},
        {"a chunk size that is none",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"), 400},
        {"a chunk size below zero",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc"), 400},
        {"a chunk size with 0x",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc"), 400},
        {"a blank behind a chunk size",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc"), 400},
        {"a chunk size beyond 64 bits",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "fffffffffffffffff\r\nabc"),
         413},
        {"more in a chunk than its size",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nabcde\r\n0\r\n\r\n"),
         400},
        {"a trailer without a colon",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\nabc\r\n0\r\nnonsense\r\n\r\n"),
         400},
        {"no Host in 1.0", RAW("GET / HTTP/1.0\r\nX: a\r\n\r\n"), 400},
        {"two Hosts", RAW("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400},
        {"length and chunked",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
             "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
         400},
        {"chunked and length",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
             "Content-Length: 3\r\n\r\n0\r\n\r\n"),
         400},
        {"differing lengths",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
             "Content-Length: 4\r\n\r\nabcd"),
         400},
        {"the same length twice",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
             "Content-Length: 3\r\n\r\nabc"),
         400},
        {"a length that is a list",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc"), 400},
        {"a signed length", RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc"),
         400},
        {"a hexadecimal length",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc"), 400},
        {"gzip, chunked",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
         400},
        {"Chunked in capitals",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"), 400},
        {"chunked twice",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
             "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
         400},
        {"identity", RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"), 400},
        {"a vertical tab before chunked",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
             "chunked\r\n\r\n0\r\n\r\n"),
         400},
        {"a blank before the colon",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc"), 400},
        {"a name with a bracket", RAW("GET / HTTP/1.1\r\nHost: a\r\nX[a]: b\r\n\r\n"), 400},
        {"a name with a control character", RAW("GET / HTTP/1.1\r\nHost: a\r\nX\x01: b\r\n\r\n"),
         400},
        {"a control character in a value",
         RAW("GET / HTTP/1.1\r\nHost: a\r\nX: b\x01"
             "c\r\n\r\n"),
         400},
        {"NUL in a value", RAW("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\nY: d\r\n\r\n"), 400},
        {"NUL in the last value", RAW("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"), 400},
        {"two NULs in the last value", RAW("GET / HTTP/1.1\r\nHost: a\r\nX: b\0\0c\r\n\r\n"), 400},
        {"bare line feeds", RAW("GET / HTTP/1.1\nHost: a\nX: b\n\n"), 400},
        {"NUL in a name", RAW("GET / HTTP/1.1\r\nHost: a\r\nX\0Y: b\r\n\r\n"), 400},
        {"NUL hides a length",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\0"
             "4\r\n\r\nabc"),
         400},
        {"a folded line", RAW("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\nY: d\r\n\r\n"), 400},
        {"a bare CR in a value", RAW("GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n"), 400},
        {"no colon", RAW("GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n"), 400},
        {"an empty name", RAW("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"), 400},
        {"a method that is no token", RAW("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a target that is no path", RAW("GET abc HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"too long by its length",
         RAW("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nabcdefghijk"), 413},
        {"too long in chunks",
         RAW("POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
             "800\r\n"),
         0},
        {"a coding not known",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\na"),
         415},
        {"a charset where the coding belongs",
         RAW("POST /e HTTP/1.1\r\nHost: a\r\nContent-Encoding: UTF-8\r\nContent-Length: "
             "1\r\n\r\na"),
         200},
        {"refused at its head",
         RAW("POST /forbidden HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n"), 401},
        {"damaged gzip",
         RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: "
             "3\r\n\r\nabc"),
         400},
};

static void gate_refuses_what_is_ambiguous(void **state)
{
        world *w = *state;

        for (size_t i = 0; i < ODM_COUNT(gate_rows); i++) {
                const struct gate_row *r = &gate_rows[i];
                bool closed = false;
                unsigned status;
                if (r->status == 0)
                        continue; /* played by its own test */
                status = raw_exchange(w->plain, r->in, &closed);
                /* a closed connection without a word refuses too */
                if (status != r->status && !(r->status == 400 && status == 0 && closed))
                        fail_msg("%s: gave %u, not %u", r->why, status, r->status);
                if (r->status == 400 && !closed)
                        fail_msg("%s: the connection stays open", r->why);
        }
}

static void chunks_past_the_ceiling_are_413(void **state)
{
        world *w = *state;
        char text[4096];
        bool closed;
        int n = snprintf(text, sizeof text,
                         "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "800\r\n%02048d\r\n0\r\n\r\n",
                         0);

        assert_int_equal(raw_exchange(w->plain, (odm_str){text, (size_t)n}, &closed), 413);
        assert_true(closed);
}

/* A request made of a head and a piece again and again. */
static unsigned repeated(world *w, const char *head, const char *piece, size_t times,
                         const char *tail, bool *closed)
{
        size_t n = strlen(head), step = strlen(piece), room = n + step * times + strlen(tail) + 1;
        char *text = malloc(room);
        unsigned status;

        memcpy(text, head, n);
        for (size_t i = 0; i < times; i++)
                memcpy(text + n + i * step, piece, step);
        memcpy(text + n + times * step, tail, strlen(tail));
        status = raw_exchange(w->plain, (odm_str){text, room - 1}, closed);
        free(text);
        return status;
}

static void heads_have_ceilings(void **state)
{
        static const struct {
                const char *why, *head, *piece;
                size_t times;
                const char *tail;
                unsigned status;
        } rows[] = {
                {"many fields", "GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", 63, "\r\n", 200},
                {"a field too many", "GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n", 64, "\r\n", 431},
                {"a long value", "GET / HTTP/1.1\r\nHost: a\r\nX: ", "v", 6000, "\r\n\r\n", 200},
                {"too long a value", "GET / HTTP/1.1\r\nHost: a\r\nX: ", "v", 9000, "\r\n\r\n",
                 431},
                {"fields without end", "GET / HTTP/1.1\r\nHost: a\r\n", "Xyz: abcdef\r\n", 2000, "",
                 431},
                {"a long target", "GET /", "v", 4000, " HTTP/1.1\r\nHost: a\r\n\r\n", 200},
                {"too long a target", "GET /", "v", 9000, " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
                {"too long a method", "G", "E", 9000, "T / HTTP/1.1\r\nHost: a\r\n\r\n", 414},
                {"too long an extension of a chunk",
                 "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;", "v", 9000,
                 "\r\nabc\r\n0\r\n\r\n", 500},
                {"too long a trailer",
                 "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", "v",
                 9000, "\r\n\r\n", 431},
        };
        world *w = *state;

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                bool closed = false;
                unsigned got = repeated(w, rows[i].head, rows[i].piece, rows[i].times, rows[i].tail,
                                        &closed);
                if (got != rows[i].status)
                        fail_msg("%s: gave %u, not %u", rows[i].why, got, rows[i].status);
                if (got != 200 && !closed)
                        fail_msg("%s: the connection stays open", rows[i].why);
        }
}

static void ask_held(int fd)
{
        odm_str s = ODM_STR("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");

        assert_int_equal(send(fd, s.p, s.n, MSG_NOSIGNAL), s.n);
}

/* All that a connection says until it ends. */
static size_t raw_all(int fd, char *buf, size_t room)
{
        size_t n = 0;
        ssize_t got;

        while (n < room - 1 && (got = recv(fd, buf + n, room - 1 - n, 0)) > 0)
                n += (size_t)got;
        buf[n] = 0;
        return n;
}

static unsigned count_of(const char *text, const char *what)
{
        unsigned n = 0;

        for (; (text = strstr(text, what)); text++)
                n++;
        return n;
}

static void raw_send(int fd, odm_str s)
{
        assert_int_equal(send(fd, s.p, s.n, MSG_NOSIGNAL), s.n);
}

static void requests_in_a_row_are_answered_in_order(void **state)
{
        world *w = *state;
        char buf[16384];
        int fd = raw_connect(w->plain);

        for (int i = 0; i < 20; i++)
                raw_send(fd, ODM_STR("GET /e HTTP/1.1\r\nHost: a\r\nX-Test: q\r\n\r\n"));
        raw_send(fd, ODM_STR("GET /query?b=last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        shutdown(fd, SHUT_WR); /* a peer that has said all still hears the answers */
        raw_all(fd, buf, sizeof buf);
        assert_int_equal(count_of(buf, "HTTP/1.1 200 OK"), 21);
        assert_int_equal(count_of(buf, "X-Seen: q"), 20);
        assert_non_null(strstr(buf, "\r\n\r\nlast"));
        close(fd);
}

/* Where chunks end is a matter of taste for the library: nothing behind them is a request. */
static void nothing_behind_chunks_is_a_request(void **state)
{
        world *w = *state;
        char buf[4096];
        int fd = raw_connect(w->plain);

        raw_send(fd, ODM_STR("POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "3\nabc\n0\n\nGET /e HTTP/1.1\r\nHost: a\r\n\r\n"));
        raw_all(fd, buf, sizeof buf);
        assert_int_equal(count_of(buf, "HTTP/1.1 "), 1);
        assert_non_null(strstr(buf, "onnection: close"));
        close(fd);
}

static void a_body_that_is_expected_is_asked_for(void **state)
{
        world *w = *state;
        char buf[4096] = "";
        int fd = raw_connect(w->plain);

        raw_send(fd, ODM_STR("POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                             "Connection: close\r\nContent-Length: 3\r\n\r\n"));
        assert_true(recv(fd, buf, sizeof buf - 1, 0) > 0);
        assert_string_equal(buf, "HTTP/1.1 100 Continue\r\n\r\n");
        raw_send(fd, ODM_STR("abc"));
        raw_all(fd, buf, sizeof buf);
        assert_non_null(strstr(buf, "200 OK"));
        assert_non_null(strstr(buf, "\r\n\r\nabc"));
        close(fd);
}

static const http_reply *ask(http_sync *s, uint16_t port, const char *scheme, const char *path,
                             odm_str body, bool gzip)
{
        const http_field f[] = {{ODM_STR("X-Test"), ODM_STR("yes")}};
        char url[128];
        http_request r = {.method = body.p ? "POST" : "GET",
                          .fields = f,
                          .n_fields = 1,
                          .body = body,
                          .gzip = gzip};

        snprintf(url, sizeof url, "%s://localhost:%u%s", scheme, port, path);
        r.url = odm_cstr(url);
        return http_sync_send(s, &r);
}

/* ---- the slow and the many -------------------------------------------------------------- */

static void start_tight(world *w, unsigned connections)
{
        httpd_opt opt;

        httpd_stop(w->h, 1000);
        httpd_opt_init(&opt);
        opt.slow_s = 1;
        opt.max_connections = connections;
        start_with(w, &opt);
}

static void who_is_slow_is_told_and_closed(void **state)
{
        static const struct {
                const char *why;
                odm_str begin, piece;
                bool told, tls;
        } rows[] = {
                {"no request", RAW(""), RAW(""), false},
                {"line ends for ever", RAW("\r\n"), RAW("\r\n"), false},
                {"a first line octet by octet", RAW("GET /"), RAW("a"), false},
                {"a head field by field", RAW("GET / HTTP/1.1\r\nHost: a\r\n"), RAW("X: y\r\n"),
                 true},
                {"a body octet by octet",
                 RAW("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\n\r\n"), RAW("a"), true},
                {"a body chunk by chunk",
                 RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
                 RAW("1\r\na\r\n"), true},
                {"trailers without end",
                 RAW("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"),
                 RAW("X: y\r\n"), true},
                {"a handshake that does not go on", RAW("\x16\x03\x01\x02"), RAW(""), .tls = true},
        };
        struct pollfd p[ODM_COUNT(rows)];
        world *w = *state;
        char buf[4096];

        start_tight(w, 100);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                p[i] = (struct pollfd){.fd = raw_connect(rows[i].tls ? w->tls : w->plain),
                                       .events = POLLIN};
                raw_send(p[i].fd, rows[i].begin);
        }
        for (size_t open = ODM_COUNT(rows), turn = 0; open > 0 && turn < 100; turn++) {
                open = 0;
                usleep(100000);
                assert_true(poll(p, ODM_COUNT(rows), 0) >= 0);
                for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                        if (p[i].revents)
                                continue;
                        (void)!send(p[i].fd, rows[i].piece.p, rows[i].piece.n, MSG_NOSIGNAL);
                        open++;
                }
        }
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                if (!p[i].revents)
                        fail_msg("%s: the connection stays open", rows[i].why);
                raw_all(p[i].fd, buf, sizeof buf);
                if ((strstr(buf, "HTTP/1.1 408 ") != NULL) != rows[i].told)
                        fail_msg("%s: %s", rows[i].why, buf);
                close(p[i].fd);
        }
        assert_int_equal(httpd_get_stats(w->h).late, ODM_COUNT(rows));
        assert_int_equal(atomic_load(&w->calls), 0);
}

/* Answers that nobody takes end the connection; one that is being worked on may take its time. */
static void who_does_not_read_is_closed(void **state)
{
        world *w = *state;
        char buf[4096], one[4096];
        int n, fd, held;
        size_t at = 0;

        n = snprintf(one, sizeof one, "GET /e HTTP/1.1\r\nHost: a\r\nX-Test: %01500d\r\n\r\n", 0);
        start_tight(w, 100);
        fd = raw_connect(w->plain);
        held = raw_connect(w->plain);
        ask_held(held);
        for (int i = 0; i < 30000 && httpd_get_stats(w->h).late == 0;) {
                ssize_t put = send(fd, one + at, (size_t)n - at, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (put > 0) {
                        at = (at + (size_t)put) % (size_t)n;
                } else {
                        usleep(1000);
                        i++;
                }
        }
        assert_int_equal(httpd_get_stats(w->h).late, 1);
        while (!w->held)
                usleep(1000);
        httpd_send_text(w->held, 200, "at last");
        assert_true(recv(held, buf, sizeof buf, 0) > 0);
        close(held);
        close(fd);
}

/* One address takes all the room: another comes in nevertheless, and is kept. */
static void who_waits_makes_room(void **state)
{
        world *w = *state;
        http_client_opt opt;
        http_sync *mine, *late;
        int fd[200];
        struct sockaddr_in other = {.sin_family = AF_INET,
                                    .sin_addr = {htonl(INADDR_LOOPBACK + 1)}};
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

        start_tight(w, 32);
        to.sin_port = htons(w->plain);
        http_client_opt_init(&opt);
        assert_int_equal(http_sync_new(&opt, &mine), 0);
        assert_int_equal(ask(mine, w->plain, "http", "/e", ODM_STR("a"), false)->status, 200);
        for (size_t i = 0; i < ODM_COUNT(fd); i++) {
                fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(bind(fd[i], (struct sockaddr *)&other, sizeof other), 0);
                assert_int_equal(connect(fd[i], (struct sockaddr *)&to, sizeof to), 0);
                raw_send(fd[i], i & 1 ? ODM_STR("GET / HTTP/1.1\r\nHost: a\r\n") : ODM_STR("\r\n"));
        }
        assert_int_equal(http_sync_new(&opt, &late), 0);
        assert_int_equal(ask(late, w->plain, "http", "/e", ODM_STR("a"), false)->status, 200);
        assert_int_equal(ask(mine, w->plain, "http", "/e", ODM_STR("a"), false)->status, 200);
        assert_true(httpd_get_stats(w->h).evicted > 0);
        http_sync_free(late);
        for (size_t i = 0; i < ODM_COUNT(fd); i++)
                close(fd[i]);
        http_sync_free(mine);
}

/* ---- with our own client ---------------------------------------------------------------- */

static http_sync *client_for(world *w, const char *ca, const char *cert, tls_cred **cred)
{
        char a[128], c[128], k[128], name[32];
        http_client_opt opt;
        tls_cred_opt to = {.ca_file = a};
        http_sync *s;

        path_in(w, ca, a);
        if (cert) {
                snprintf(name, sizeof name, "%s.pem", cert);
                path_in(w, name, c);
                snprintf(name, sizeof name, "%s.key", cert);
                path_in(w, name, k);
                to.cert_file = c;
                to.key_file = k;
        }
        assert_int_equal(tls_cred_new(&to, cred, NULL), 0);
        http_client_opt_init(&opt);
        opt.tls = *cred;
        opt.connect_ms = 5000;
        opt.reply_ms = 5000;
        assert_int_equal(http_sync_new(&opt, &s), 0);
        return s;
}

static void bodies_go_both_ways(void **state)
{
        world *w = *state;
        tls_cred *cred;
        http_sync *s = client_for(w, "ca.pem", NULL, &cred);
        char *big = malloc(90000);

        for (size_t i = 0; i < 90000; i++)
                big[i] = (char)('a' + i % 7);
        for (int round = 0; round < 8; round++) {
                bool tls = round & 1, gzip = round & 2;
                const http_reply *r = ask(s, tls ? w->tls : w->plain, tls ? "https" : "http", "/e",
                                          (odm_str){big, 90000}, gzip);
                if (r->rc < 0)
                        fail_msg("%s", r->why);
                assert_int_equal(r->status, 200);
                assert_octets(r->body, ((odm_str){big, 90000}));
                assert_str(http_reply_field(r, "content-encoding"), "gzip");
                assert_str(http_reply_field(r, "x-seen"), "yes");
        }
        http_sync_free(s);
        tls_cred_free(cred);
        free(big);
}

static void one_connection_serves_many(void **state)
{
        world *w = *state;
        tls_cred *cred;
        http_sync *s = client_for(w, "ca.pem", NULL, &cred);

        for (int i = 0; i < 20; i++) {
                const http_reply *r = ask(s, w->tls, "https", "/e", ODM_STR("abc"), false);
                assert_int_equal(r->rc, 0);
                assert_str(r->body, "abc");
        }
        assert_int_equal(httpd_get_stats(w->h).handshakes, 1);
        assert_int_equal(httpd_get_stats(w->h).requests, 20);
        http_sync_free(s);
        tls_cred_free(cred);
}

static void inflating_has_a_ceiling(void **state)
{
        world *w = *state;
        tls_cred *cred;
        http_sync *s = client_for(w, "ca.pem", NULL, &cred);
        char *zeros = calloc(1, 5000000);
        const http_reply *r = ask(s, w->plain, "http", "/e", (odm_str){zeros, 5000000}, true);

        assert_int_equal(r->rc, 0);
        assert_int_equal(r->status, 413);
        http_sync_free(s);
        tls_cred_free(cred);
        free(zeros);
}

static void a_large_body_is_refused_early(void **state)
{
        world *w = *state;
        tls_cred *cred;
        http_sync *s = client_for(w, "ca.pem", NULL, &cred);
        char *big = malloc(20000000);
        const http_reply *r;

        memset(big, 'x', 20000000);
        r = ask(s, w->plain, "http", "/e", (odm_str){big, 20000000}, false);
        /* the server closes with octets of ours unread, so its answer may be lost to a reset */
        assert_true((r->rc == 0 && r->status == 413) || r->rc == ODM_EIO);
        http_sync_free(s);
        tls_cred_free(cred);
        free(big);
}

static void replies_may_come_later(void **state)
{
        world *w = *state;
        tls_cred *cred;
        http_sync *s = client_for(w, "ca.pem", NULL, &cred);

        for (int i = 0; i < 4; i++) {
                const http_reply *r = ask(s, i & 1 ? w->tls : w->plain, i & 1 ? "https" : "http",
                                          "/later", ODM_STR("abc"), false);
                join_worker(w);
                assert_int_equal(r->rc, 0);
                assert_int_equal(r->status, 202);
                assert_str(r->body, "later\n");
        }
        http_sync_free(s);
        tls_cred_free(cred);
}

/* What was read makes room for as much, however little of all that is. */
static void streams_hold_what_waits_to_the_last_octet(void **state)
{
        httpd_stream st = {.at = 0};

        (void)state;
        pthread_mutex_init(&st.lock, NULL);
        odm_buf_init(&st.buf, &heap_mem, 10);
        assert_int_equal(httpd_stream_write(&st, ODM_STR("0123456789")), 0);
        assert_int_equal(httpd_stream_write(&st, ODM_STR("a")), ODM_ELIMIT);
        st.at = 3; /* gone out */
        assert_int_equal(httpd_stream_write(&st, ODM_STR("abcd")), ODM_ELIMIT);
        assert_int_equal(httpd_stream_write(&st, ODM_STR("abc")), 0);
        assert_octets(odm_str_from(odm_buf_view(&st.buf), st.at), ODM_STR("3456789abc"));
        odm_buf_done(&st.buf);
        pthread_mutex_destroy(&st.lock);
}

static void streams_flow_and_end(void **state)
{
        world *w = *state;
        tls_cred *cred;
        http_sync *s = client_for(w, "ca.pem", NULL, &cred);
        const http_reply *r = ask(s, w->plain, "http", "/stream", ODM_ABSENT, false);

        join_worker(w);
        assert_int_equal(r->rc, 0);
        assert_str(r->body, "data: x\n\ndata: x\n\ndata: x\n\n");
        http_sync_free(s);
        tls_cred_free(cred);
}

static void queries_are_decoded(void **state)
{
        world *w = *state;
        tls_cred *cred;
        http_sync *s = client_for(w, "ca.pem", NULL, &cred);
        const http_reply *r = ask(s, w->plain, "http", "/query?a=1&b=x%2fy+z&c", ODM_ABSENT, false);

        assert_str(r->body, "x/y z");
        r = ask(s, w->plain, "http", "/query?b=x%00y", ODM_ABSENT, false);
        assert_int_equal(r->status, 404);
        r = ask(s, w->plain, "http", "/query?b=%4", ODM_ABSENT, false);
        assert_int_equal(r->status, 404);
        http_sync_free(s);
        tls_cred_free(cred);
}

static void strangers_certificates_are_refused(void **state)
{
        world *w = *state;
        tls_cred *cred;
        http_sync *s = client_for(w, "other.pem", NULL, &cred);
        const http_reply *r = ask(s, w->tls, "https", "/", ODM_ABSENT, false);

        assert_int_equal(r->rc, ODM_EACCESS);
        assert_non_null(strstr(r->why, "ertificate"));
        assert_int_equal(atomic_load(&w->calls), 0);
        http_sync_free(s);
        tls_cred_free(cred);
}

/* A server by itself on an address, with this world's certificate. */
static httpd *start_alone(world *w, const char *address, uint16_t port)
{
        char cert[128], key[128], ca[128], ticket[128];
        httpd_listener l;
        httpd_opt opt;
        httpd *h;
        diag d = {0};

        path_in(w, "s.pem", cert);
        path_in(w, "s.key", key);
        path_in(w, "ca.pem", ca);
        path_in(w, "ticket.key", ticket);
        httpd_opt_init(&opt);
        httpd_listener_init(&l);
        assert_int_equal(net_addr_parse(address, port, &l.addr), 0);
        l.tls = true;
        l.cert_file = cert;
        l.key_file = key;
        l.client_ca_file = ca;
        l.ticket_file = ticket;
        l.app = (httpd_app){NULL, on_request, w};
        if (httpd_start(&opt, &l, 1, &h, &d) < 0)
                fail_msg("%s", d.text);
        return h;
}

static void a_name_not_in_the_certificate_is_refused(void **state)
{
        world *w = *state;
        tls_cred *cred;
        http_sync *s = client_for(w, "ca.pem", NULL, &cred);
        httpd *h = start_alone(w, "127.0.0.2", 0);
        char url[64];
        http_request r = {.method = "GET"};

        snprintf(url, sizeof url, "https://127.0.0.2:%u/", httpd_port(h, 0));
        r.url = odm_cstr(url);
        assert_int_equal(http_sync_send(s, &r)->rc, ODM_EACCESS);
        httpd_stop(h, 100);
        http_sync_free(s);
        tls_cred_free(cred);
}

/* ---- a proxy that tunnels -------------------------------------------------------------- */

typedef struct proxy {
        int fd;
        uint16_t port, to;
        pthread_t thread;
        char head[512];
} proxy;

static void relay(int a, int b)
{
        struct pollfd p[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
        char buf[4096];

        while (poll(p, 2, 5000) > 0) {
                for (int i = 0; i < 2; i++) {
                        ssize_t n = p[i].revents ? recv(p[i].fd, buf, sizeof buf, 0) : -1;
                        if (p[i].revents && n <= 0)
                                return;
                        if (n > 0)
                                (void)!send(p[!i].fd, buf, (size_t)n, MSG_NOSIGNAL);
                }
        }
}

static void *run_proxy(void *arg)
{
        odm_str yes = ODM_STR("HTTP/1.1 200 Connection established\r\n\r\n");
        proxy *p = arg;
        int from = accept(p->fd, NULL, NULL), to;
        size_t n = 0;

        while (n < sizeof p->head - 1 && !strstr(p->head, "\r\n\r\n")) {
                ssize_t got = recv(from, p->head + n, 1, 0); /* not an octet of TLS too many */
                if (got <= 0)
                        break;
                n++;
        }
        to = raw_connect(p->to);
        (void)!send(from, yes.p, yes.n, MSG_NOSIGNAL);
        relay(from, to);
        close(from);
        close(to);
        return NULL;
}

static void start_proxy(proxy *p, uint16_t to)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t n = sizeof sa;

        *p = (proxy){.to = to};
        p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(p->fd, (struct sockaddr *)&sa, sizeof sa), 0);
        assert_int_equal(listen(p->fd, 4), 0);
        getsockname(p->fd, (struct sockaddr *)&sa, &n);
        p->port = ntohs(sa.sin_port);
        assert_int_equal(pthread_create(&p->thread, NULL, run_proxy, p), 0);
}

static void tls_goes_through_a_proxy_and_is_verified(void **state)
{
        world *w = *state;
        char url[64], ca[128], expect[64];
        tls_cred *cred;
        http_client_opt opt;
        http_sync *s;
        proxy p;

        start_proxy(&p, w->tls);
        path_in(w, "ca.pem", ca);
        assert_int_equal(tls_cred_new(&(tls_cred_opt){.ca_file = ca}, &cred, NULL), 0);
        http_client_opt_init(&opt);
        snprintf(url, sizeof url, "http://127.0.0.1:%u", p.port);
        opt.tls = cred;
        opt.proxy = url;
        assert_int_equal(http_sync_new(&opt, &s), 0);
        for (int i = 0; i < 3; i++) { /* one tunnel for all */
                const http_reply *r = ask(s, w->tls, "https", "/e", ODM_STR("abc"), false);
                if (r->rc < 0)
                        fail_msg("%s", r->why);
                assert_str(r->body, "abc");
        }
        http_sync_free(s);
        tls_cred_free(cred);
        pthread_join(p.thread, NULL);
        close(p.fd);
        snprintf(expect, sizeof expect, "CONNECT localhost:%u HTTP/1.1\r\n", w->tls);
        assert_non_null(strstr(p.head, expect));
}

static void client_certificates_are_seen(void **state)
{
        world *w = *state;
        tls_cred *with, *without;
        http_sync *a = client_for(w, "ca.pem", "c", &with);
        http_sync *b = client_for(w, "ca.pem", NULL, &without);

        for (int i = 0; i < 2; i++) {
                assert_str(ask(a, w->tls, "https", "/who", ODM_ABSENT, false)->body, "device-7\n");
                assert_str(ask(b, w->tls, "https", "/who", ODM_ABSENT, false)->body, "none\n");
        }
        http_sync_free(a);
        http_sync_free(b);
        tls_cred_free(with);
        tls_cred_free(without);
}

static void tickets_survive_a_restart(void **state)
{
        world *w = *state;
        tls_cred *cred;
        http_sync *s = client_for(w, "ca.pem", "c", &cred);
        uint16_t port = w->tls;

        assert_int_equal(ask(s, port, "https", "/e", ODM_STR("a"), false)->rc, 0);
        assert_int_equal(httpd_get_stats(w->h).resumed, 0);
        httpd_stop(w->h, 1000);
        /* the same port, because a session belongs to a server's name and port */
        w->h = start_alone(w, "127.0.0.1", port);
        assert_str(ask(s, port, "https", "/who", ODM_ABSENT, false)->body, "device-7\n");
        assert_int_equal(httpd_get_stats(w->h).handshakes, 1);
        assert_int_equal(httpd_get_stats(w->h).resumed, 1);
        http_sync_free(s);
        tls_cred_free(cred);
}

/* Makes a certificate in place of the server's, signed by the CA in `ca`. */
static void make_server_cert(world *w, const char *ca, const char *ca_key)
{
        static const char *const names[] = {"localhost", NULL};
        const cert_request server = {"anew", names, 10, true, false};
        char a[128], k[128], cert[128], key[128];

        path_in(w, ca, a);
        path_in(w, ca_key, k);
        path_in(w, "s.pem", cert);
        path_in(w, "s.key", key);
        assert_int_equal(cert_make(&server, a, k, cert, key, NULL), 0);
}

static void certificates_are_read_again(void **state)
{
        world *w = *state;
        tls_cred *old_cred, *new_cred;
        http_sync *kept = client_for(w, "ca.pem", NULL, &old_cred), *fresh;
        char path[128];
        diag d = {0};

        assert_int_equal(ask(kept, w->tls, "https", "/e", ODM_STR("a"), false)->rc, 0);
        make_server_cert(w, "other.pem", "other.key");
        assert_int_equal(httpd_reload(w->h, &d), 0);
        /* a connection from before goes on; a new one sees the new certificate */
        assert_int_equal(ask(kept, w->tls, "https", "/e", ODM_STR("a"), false)->rc, 0);
        fresh = client_for(w, "other.pem", NULL, &new_cred);
        assert_int_equal(ask(fresh, w->tls, "https", "/e", ODM_STR("a"), false)->rc, 0);
        http_sync_free(fresh);
        tls_cred_free(new_cred);
        /* a damaged one changes nothing, and says which it was */
        path_in(w, "s.pem", path);
        assert_int_equal(fsio_write(NULL, path, ODM_STR("nonsense"), 0600, NULL), 0);
        assert_int_equal(httpd_reload(w->h, &d), ODM_EMALFORMED);
        assert_non_null(strstr(d.text, "s.pem"));
        fresh = client_for(w, "other.pem", NULL, &new_cred);
        assert_int_equal(ask(fresh, w->tls, "https", "/e", ODM_STR("a"), false)->rc, 0);
        http_sync_free(fresh);
        http_sync_free(kept);
        tls_cred_free(old_cred);
        tls_cred_free(new_cred);
}

static int on_ticket(gnutls_session_t s, unsigned type, unsigned when, unsigned incoming,
                     const gnutls_datum_t *m)
{
        uint32_t *life = gnutls_session_get_ptr(s);

        (void)type;
        (void)when;
        (void)incoming;
        if (m->size >= 4) /* RFC 8446 4.6.1: its lifetime comes first */
                *life = (uint32_t)m->data[0] << 24 | (uint32_t)m->data[1] << 16 |
                        (uint32_t)m->data[2] << 8 | m->data[3];
        return 0;
}

static void tickets_last_a_week(void **state)
{
        static const char ask[] = "GET /e HTTP/1.1\r\nHost: a\r\n\r\n";
        world *w = *state;
        gnutls_certificate_credentials_t cred;
        gnutls_session_t s;
        uint32_t life = 0;
        char buf[1024];
        ssize_t got;
        int fd = raw_connect(w->tls);

        assert_int_equal(gnutls_certificate_allocate_credentials(&cred), 0);
        assert_int_equal(gnutls_init(&s, GNUTLS_CLIENT), 0);
        assert_int_equal(gnutls_priority_set_direct(s, tls_priorities, NULL), 0);
        assert_int_equal(gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cred), 0);
        gnutls_transport_set_int(s, fd);
        gnutls_session_set_ptr(s, &life);
        gnutls_handshake_set_hook_function(s, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET, GNUTLS_HOOK_BOTH,
                                           on_ticket);
        assert_int_equal(gnutls_handshake(s), 0);
        assert_true(gnutls_record_send(s, ask, sizeof ask - 1) > 0);
        do /* a ticket is no data, and ends a call too */
                got = gnutls_record_recv(s, buf, sizeof buf);
        while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
        assert_true(got > 0);
        assert_int_equal(life, 7 * 24 * 3600);
        gnutls_deinit(s);
        gnutls_certificate_free_credentials(cred);
        close(fd);
}

static void ticket_keys_are_guarded(void **state)
{
        world *w = *state;
        char path[128];
        tls_ticket_key k = {{NULL, 0}};

        path_in(w, "ticket.key", path);
        assert_int_equal(chmod(path, 0644), 0);
        assert_int_equal(tls_ticket_key_load(path, &k, NULL), ODM_EACCESS);
        assert_int_equal(fsio_write(NULL, path, ODM_STR("short"), 0600, NULL), 0);
        assert_int_equal(tls_ticket_key_load(path, &k, NULL), ODM_EMALFORMED);
        for (size_t n = 63; n <= 65; n++) {
                char text[65];
                int rc;
                memset(text, 'k', sizeof text);
                assert_int_equal(fsio_write(NULL, path, (odm_str){text, n}, 0600, NULL), 0);
                rc = tls_ticket_key_load(path, &k, NULL);
                assert_int_equal(rc, n == 64 ? 0 : ODM_EMALFORMED);
                tls_ticket_key_done(&k);
        }
        assert_null(k.d.data);
}

static void too_many_at_once_are_shed(void **state)
{
        world *w = *state;
        tls_cred *cred;
        http_sync *s;
        int fd;

        httpd_stop(w->h, 1000);
        start_server(w, 1);
        fd = raw_connect(w->plain);
        ask_held(fd);
        while (!w->held)
                usleep(1000);
        s = client_for(w, "ca.pem", NULL, &cred);
        {
                const http_reply *r = ask(s, w->plain, "http", "/e", ODM_ABSENT, false);
                assert_int_equal(r->status, 503);
                assert_str(http_reply_field(r, "retry-after"), "1");
        }
        httpd_send_text(w->held, 200, "at last");
        assert_int_equal(ask(s, w->plain, "http", "/e", ODM_STR("x"), false)->status, 200);
        assert_int_equal(httpd_get_stats(w->h).shed, 1);
        close(fd);
        http_sync_free(s);
        tls_cred_free(cred);
}

static void *stop_soon(void *arg)
{
        world *w = arg;

        httpd_stop(w->h, 2000);
        return NULL;
}

/* Whether a connection is answered; one that is let go ends without a word. */
static bool is_answered(uint16_t port)
{
        static const char ask_it[] = "GET /e HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        char buf[64];
        int fd = raw_connect(port);
        bool got = send(fd, ask_it, sizeof ask_it - 1, MSG_NOSIGNAL) > 0 &&
                   recv(fd, buf, sizeof buf, 0) > 0;

        close(fd);
        return got;
}

static void stopping_waits_for_what_runs(void **state)
{
        world *w = *state;
        char buf[512] = "";
        pthread_t t;
        int fd = raw_connect(w->plain);

        ask_held(fd);
        while (!w->held)
                usleep(1000);
        assert_true(is_answered(w->plain));
        assert_int_equal(pthread_create(&t, NULL, stop_soon, w), 0);
        while (is_answered(w->plain)) /* until who comes is let go */
                usleep(1000);
        httpd_send_text(w->held, 200, "finished");
        pthread_join(t, NULL);
        assert_true(recv(fd, buf, sizeof buf - 1, 0) > 0);
        assert_non_null(strstr(buf, "200 OK"));
        close(fd);
        start_server(w, 100);
}

static void stopping_abandons_after_its_deadline(void **state)
{
        world *w = *state;
        char buf[512] = "";
        int fd = raw_connect(w->plain);

        ask_held(fd);
        while (!w->held)
                usleep(1000);
        httpd_stop(w->h, 50);
        assert_true(recv(fd, buf, sizeof buf - 1, 0) > 0);
        assert_non_null(strstr(buf, " 503 "));
        close(fd);
        /* the request is still good to look at, and to reply to */
        assert_str(httpd_path(w->held), "/held");
        assert_str(httpd_field(w->held, "host"), "a");
        httpd_send_text(w->held, 200, "to nobody");
        start_server(w, 100);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(gate_refuses_what_is_ambiguous),
                T(chunks_past_the_ceiling_are_413),
                T(heads_have_ceilings),
                T(requests_in_a_row_are_answered_in_order),
                T(nothing_behind_chunks_is_a_request),
                T(a_body_that_is_expected_is_asked_for),
                T(who_is_slow_is_told_and_closed),
                T(who_does_not_read_is_closed),
                T(who_waits_makes_room),
                T(certificates_are_read_again),
                T(bodies_go_both_ways),
                T(one_connection_serves_many),
                T(inflating_has_a_ceiling),
                T(a_large_body_is_refused_early),
                T(replies_may_come_later),
                T(streams_flow_and_end),
                cmocka_unit_test(streams_hold_what_waits_to_the_last_octet),
                T(queries_are_decoded),
                T(strangers_certificates_are_refused),
                T(a_name_not_in_the_certificate_is_refused),
                T(tls_goes_through_a_proxy_and_is_verified),
                T(client_certificates_are_seen),
                T(tickets_survive_a_restart),
                T(tickets_last_a_week),
                T(ticket_keys_are_guarded),
                T(too_many_at_once_are_shed),
                T(stopping_waits_for_what_runs),
                T(stopping_abandons_after_its_deadline),
        };

        return RUN_TESTS(tests);
}
