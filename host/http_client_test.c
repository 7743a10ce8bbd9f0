/* SPDX-License-Identifier: Apache-2.0 */
/* http_client_test.c - the client against a server that says what a script tells it. */
#include "http_client.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"

/* ---- memory that ends ------------------------------------------------------------ */

static bool no_more; /* nothing that was there grows: linked so that this file is asked */

void *__real_realloc(void *p, size_t n); /* NOLINT: the linker's name */
void *__wrap_realloc(void *p, size_t n); /* NOLINT */

void *__wrap_realloc(void *p, size_t n) /* NOLINT */
{
        return no_more && p ? NULL : __real_realloc(p, n);
}

/* ---- a scripted server: one step a request ---------------------------------------- */

typedef struct script_step {
        const char *reply; /* NULL: read the request and close without a word */
        bool closes;       /* closes after the reply */
        bool silent;       /* says nothing and keeps the connection */
        const char *piece; /* behind the reply again and again, until the client goes */
        unsigned pause_ms; /* between the pieces */
        bool deaf;         /* does not wait for a request */
} script_step;

typedef struct server {
        int fd;
        uint16_t port;
        pthread_t thread;
        const script_step *steps;
        size_t n;
        unsigned connections;
        char requests[8192]; /* all that came */
        size_t requests_n;
} server;

/* Reads one request, by its Content-Length; false when the peer has closed. */
static bool read_request(server *s, int fd)
{
        size_t start = s->requests_n;

        for (;;) {
                char *head, *length;
                size_t body = 0;
                ssize_t n = recv(fd, s->requests + s->requests_n,
                                 sizeof s->requests - 1 - s->requests_n, 0);
                if (n <= 0)
                        return false;
                s->requests_n += (size_t)n;
                s->requests[s->requests_n] = 0;
                head = strstr(s->requests + start, "\r\n\r\n");
                if (!head)
                        continue;
                length = strstr(s->requests + start, "Content-Length: ");
                if (length && length < head)
                        body = strtoul(length + 16, NULL, 10);
                if (s->requests_n >= (size_t)(head + 4 - s->requests) + body)
                        return true;
        }
}

static void *serve(void *arg)
{
        server *s = arg;
        size_t i = 0;
        int fd = -1;

        while (i < s->n) {
                const script_step *step = &s->steps[i];
                if (fd < 0) {
                        fd = accept(s->fd, NULL, NULL);
                        s->connections++;
                }
                if (!step->deaf && !read_request(s, fd)) {
                        close(fd);
                        fd = -1;
                        continue;
                }
                i++;
                if (step->reply)
                        (void)!send(fd, step->reply, strlen(step->reply), MSG_NOSIGNAL);
                while (step->piece && send(fd, step->piece, strlen(step->piece), MSG_NOSIGNAL) > 0)
                        (void)poll(NULL, 0, (int)step->pause_ms);
                if (step->closes || (!step->reply && !step->silent)) {
                        close(fd);
                        fd = -1;
                }
        }
        if (fd >= 0) {
                char buf[256];
                while (recv(fd, buf, sizeof buf, 0) > 0) /* until the client goes */
                        ;
                close(fd);
        }
        return NULL;
}

static void start(server *s, const script_step *steps, size_t n)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t len = sizeof sa;

        *s = (server){.steps = steps, .n = n};
        s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(s->fd, (struct sockaddr *)&sa, sizeof sa), 0);
        assert_int_equal(listen(s->fd, 8), 0);
        getsockname(s->fd, (struct sockaddr *)&sa, &len);
        s->port = ntohs(sa.sin_port);
        assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void finish(server *s)
{
        pthread_join(s->thread, NULL);
        close(s->fd);
}

static http_sync *client(const char *proxy)
{
        http_client_opt opt;
        http_sync *s;

        http_client_opt_init(&opt);
        opt.connect_ms = 3000;
        opt.reply_ms = 300;
        opt.proxy = proxy;
        opt.proxy_auth = proxy ? "Basic eDp5" : NULL;
        opt.limits.max_body = 1000;
        assert_int_equal(http_sync_new(&opt, &s), 0);
        return s;
}

static const http_reply *post(http_sync *s, const char *host, uint16_t port)
{
        char url[64];
        http_request r = {.method = "POST", .body = ODM_STR("body")};

        snprintf(url, sizeof url, "http://%s:%u/p", host, port);
        r.url = odm_cstr(url);
        return http_sync_send(s, &r);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* ---- one exchange --------------------------------------------------------------------- */

static const struct one_row {
        const char *why;
        script_step step;
        int rc;
        unsigned status;
        const char *body;
} ones[] = {
        {"as it should", {OK}, 0, 200, "ok"},
        {"100 before it", {"HTTP/1.1 100 Continue\r\n\r\n" OK}, 0, 200, "ok"},
        {"to the end", {"HTTP/1.1 200 OK\r\n\r\nok", true}, 0, 200, "ok"},
        {"a redirect is not followed",
         {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"},
         0,
         302,
         ""},
        {"500", {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"}, 0, 500, ""},
        {"a coding not asked for",
         {"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nok"},
         ODM_EMALFORMED},
        {"a charset where the coding belongs",
         {"HTTP/1.1 200 OK\r\nContent-Encoding: UTF-8\r\nContent-Length: 2\r\n\r\nok"},
         0,
         200,
         "ok"},
        {"damaged gzip",
         {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"},
         ODM_EMALFORMED},
        {"another protocol", {"HTTP/1.1 101 Yes\r\nUpgrade: x\r\n\r\n"}, ODM_EMALFORMED},
        {"HTTP/2", {"HTTP/2 200\r\nContent-Length: 2\r\n\r\nok"}, ODM_EMALFORMED},
        {"two lengths",
         {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"},
         ODM_EMALFORMED},
        {"a length and chunks",
         {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
          "2\r\nok\r\n0\r\n\r\n"},
         ODM_EMALFORMED},
        {"a length below zero",
         {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok"},
         ODM_EMALFORMED},
        {"a length beyond 64 bits",
         {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok"},
         ODM_EMALFORMED},
        {"a chunk of 2^64",
         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          "10000000000000000\r\nok"},
         ODM_EMALFORMED},
        {"a chunk that is too long",
         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          "fffff\r\nok"},
         ODM_ELIMIT},
        {"a folded line", {"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\nok"}, ODM_EMALFORMED},
        {"too long", {"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"}, ODM_ELIMIT},
        {"nonsense", {"hello\r\n\r\n"}, ODM_EMALFORMED},
        {"cut in the middle", {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", true}, ODM_EIO},
        {"closed without a word on a fresh connection", {NULL}, ODM_EIO},
        {"silence", {NULL, .silent = true}, ODM_EIO},
        {"silence in the middle", {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"}, ODM_EIO},
};

static void exchanges_end_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(ones); i++) {
                const struct one_row *r = &ones[i];
                http_sync *c = client(NULL);
                const http_reply *got;
                server s;

                start(&s, &r->step, 1);
                got = post(c, "127.0.0.1", s.port);
                if (got->rc != r->rc || (got->rc == 0 && got->status != r->status))
                        fail_msg("%s: %d, %u: %s", r->why, got->rc, got->status,
                                 got->why ? got->why : "");
                if (got->rc == 0)
                        assert_str(got->body, r->body);
                else
                        assert_true(got->sent && got->why[0]);
                http_sync_free(c);
                finish(&s);
                assert_int_equal(s.connections, 1);
        }
}

static bool says_end(odm_str body)
{
        return body.n >= 3 && memcmp(body.p + body.n - 3, "end", 3) == 0;
}

/* A length that is too long is borne where the application knows a whole body. */
static void a_length_beyond_the_body_is_borne(void **state)
{
        static const struct {
                const char *why;
                script_step step;
                int rc;
        } rows[] = {
                {"closed", {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe end", true}, 0},
                {"kept open", {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe end"}, 0},
                {"cut", {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe en", true}, ODM_EIO},
                {"stuck", {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe en"}, ODM_EIO},
                {"no body", {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true}, ODM_EIO},
                {"in chunks",
                 {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nthe end", true},
                 ODM_EIO},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                http_client_opt opt;
                http_sync *c;
                server s;

                http_client_opt_init(&opt);
                opt.reply_ms = 300;
                opt.whole = says_end;
                assert_int_equal(http_sync_new(&opt, &c), 0);
                start(&s, &rows[i].step, 1);
                const http_reply *got = post(c, "127.0.0.1", s.port);
                if (got->rc != rows[i].rc)
                        fail_msg("%s: %d: %s", rows[i].why, got->rc, got->why ? got->why : "");
                if (got->rc == 0)
                        assert_str(got->body, "the end");
                http_sync_free(c);
                finish(&s);
        }
}

#define CHUNKS "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* Whatever never ends is ended by us: by its size, or by its time. */
static void what_never_ends_is_ended(void **state)
{
        static const struct {
                const char *why;
                script_step step;
                int rc;
        } rows[] = {
                {"interim replies", {"", .piece = "HTTP/1.1 100 Continue\r\n\r\n"}, ODM_ELIMIT},
                {"interim replies with fields",
                 {"", .piece = "HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"},
                 ODM_ELIMIT},
                {"a status line", {"HTTP/1.1 200 ", .piece = "O"}, ODM_ELIMIT},
                {"fields", {"HTTP/1.1 200 OK\r\n", .piece = "X: y\r\n"}, ODM_ELIMIT},
                {"a field", {"HTTP/1.1 200 OK\r\nX: ", .piece = "yyyyyyyyyyyyyyyy"}, ODM_ELIMIT},
                {"line ends", {"", .piece = "\r"}, ODM_ELIMIT},
                {"noise", {"", .piece = "\xff\xfe\xfd\xfc\n"}, ODM_ELIMIT},
                {"a body without a length",
                 {"HTTP/1.1 200 OK\r\n\r\n", .piece = "xxxx"},
                 ODM_ELIMIT},
                {"chunks", {CHUNKS, .piece = "1\r\nx\r\n"}, ODM_ELIMIT},
                {"an extension of a chunk", {CHUNKS "1;", .piece = "xxxx"}, ODM_ELIMIT},
                {"zeros before a size", {CHUNKS, .piece = "0000"}, ODM_ELIMIT},
                {"trailers", {CHUNKS "0\r\n", .piece = "X: y\r\n"}, ODM_ELIMIT},
                {"interim replies now and then",
                 {"", .piece = "HTTP/1.1 100 Continue\r\n\r\n", .pause_ms = 20},
                 ODM_EIO},
                {"a field that drips",
                 {"HTTP/1.1 200 OK\r\nX: ", .piece = "y", .pause_ms = 20},
                 ODM_EIO},
                {"a body that drips",
                 {"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", .piece = "y", .pause_ms = 20},
                 ODM_EIO},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                http_sync *c = client(NULL);
                const http_reply *got;
                server s;

                start(&s, &rows[i].step, 1);
                got = post(c, "127.0.0.1", s.port);
                if (got->rc != rows[i].rc)
                        fail_msg("%s: %d, %s", rows[i].why, got->rc, got->why ? got->why : "");
                http_sync_free(c);
                finish(&s);
                assert_int_equal(s.connections, 1);
        }
}

/* A server that falls silent, or goes, wherever it is in its reply. */
static void a_reply_may_stop_at_any_octet(void **state)
{
        static const char reply[] =
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n";
        http_client_opt opt;

        (void)state;
        http_client_opt_init(&opt);
        opt.reply_ms = 30;
        for (size_t n = 0; n < sizeof reply - 1; n++) {
                for (int stays = 0; stays < 2; stays++) {
                        char part[sizeof reply] = "";
                        const script_step step = {part, .closes = !stays, .silent = stays};
                        const http_reply *got;
                        http_sync *c;
                        server s;

                        memcpy(part, reply, n);
                        opt.reply_ms = stays ? 30 : 3000;
                        assert_int_equal(http_sync_new(&opt, &c), 0);
                        start(&s, &step, 1);
                        got = post(c, "127.0.0.1", s.port);
                        if (got->rc != ODM_EIO)
                                fail_msg("%zu octets, then %s: %d", n,
                                         stays ? "silence" : "the end", got->rc);
                        http_sync_free(c);
                        finish(&s);
                }
        }
}

/* Before there is a reply: a server that takes the connection and says nothing. */
static void a_silent_peer_is_left_before_the_reply_too(void **state)
{
        static const struct {
                const char *why, *url;
                bool proxied;
        } rows[] = {
                {"a handshake without an answer", "https://127.0.0.1", false},
                {"a proxy that does not answer to CONNECT", "https://dm.example", true},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const script_step quiet = {NULL, .silent = true, .deaf = true};
                const tls_cred_opt to = {0};
                http_request r = {.method = "GET"};
                char url[64], proxy[64];
                http_client_opt opt;
                const http_reply *got;
                tls_cred *cred;
                http_sync *c;
                server s;

                start(&s, &quiet, 1);
                snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", s.port);
                snprintf(url, sizeof url, "%s:%u/", rows[i].url, s.port);
                r.url = odm_cstr(url);
                assert_int_equal(tls_cred_new(&to, &cred, NULL), 0);
                http_client_opt_init(&opt);
                opt.tls = cred;
                opt.connect_ms = 200;
                opt.proxy = rows[i].proxied ? proxy : NULL;
                assert_int_equal(http_sync_new(&opt, &c), 0);
                got = http_sync_send(c, &r);
                if (got->rc != ODM_EIO || got->sent || !strstr(got->why, "no connection"))
                        fail_msg("%s: %d, %s", rows[i].why, got->rc, got->why ? got->why : "");
                http_sync_free(c);
                tls_cred_free(cred);
                finish(&s);
        }
}

static void a_redirect_to_itself_is_one_reply(void **state)
{
        char reply[128];
        const script_step steps[] = {{reply}};
        http_sync *c = client(NULL);
        server s;

        (void)state;
        start(&s, steps, 1);
        snprintf(reply, sizeof reply,
                 "HTTP/1.1 307 Again\r\nLocation: http://127.0.0.1:%u/p\r\nContent-Length: "
                 "0\r\n\r\n",
                 s.port);
        assert_int_equal(post(c, "127.0.0.1", s.port)->status, 307);
        http_sync_free(c);
        finish(&s);
        assert_int_equal(s.connections, 1);
}

static void a_kept_connection_that_died_is_replaced_once(void **state)
{
        const script_step steps[] = {{OK}, {NULL}, {OK}};
        http_sync *c = client(NULL);
        server s;

        (void)state;
        start(&s, steps, ODM_COUNT(steps));
        assert_int_equal(post(c, "127.0.0.1", s.port)->rc, 0);
        assert_int_equal(post(c, "127.0.0.1", s.port)->rc, 0); /* died, sent again */
        http_sync_free(c);
        finish(&s);
        assert_int_equal(s.connections, 2);
}

static void half_a_reply_is_never_asked_for_again(void **state)
{
        const script_step steps[] = {{OK}, {"HTTP/1.1 200", true}};
        http_sync *c = client(NULL);
        server s;

        (void)state;
        start(&s, steps, ODM_COUNT(steps));
        assert_int_equal(post(c, "127.0.0.1", s.port)->rc, 0);
        assert_int_equal(post(c, "127.0.0.1", s.port)->rc, ODM_EIO);
        http_sync_free(c);
        finish(&s);
}

static void connections_are_kept_unless_told(void **state)
{
        const script_step steps[] = {
                {OK},
                {OK},
                {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", true},
                {OK}};
        http_sync *c = client(NULL);
        server s;

        (void)state;
        start(&s, steps, ODM_COUNT(steps));
        for (int i = 0; i < 4; i++)
                assert_int_equal(post(c, "127.0.0.1", s.port)->rc, 0);
        http_sync_free(c);
        finish(&s);
        assert_int_equal(s.connections, 2);
}

static void octets_behind_a_reply_close_the_connection(void **state)
{
        const script_step steps[] = {{OK "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"}, {OK}};
        http_sync *c = client(NULL);
        server s;

        (void)state;
        start(&s, steps, ODM_COUNT(steps));
        assert_str(post(c, "127.0.0.1", s.port)->body, "ok");
        assert_str(post(c, "127.0.0.1", s.port)->body, "ok");
        http_sync_free(c);
        finish(&s);
        assert_int_equal(s.connections, 2);
}

static void proxies_get_the_absolute_form(void **state)
{
        const script_step steps[] = {{OK}};
        char proxy[64];
        http_sync *c;
        server s;

        (void)state;
        start(&s, steps, 1);
        snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", s.port);
        c = client(proxy);
        assert_int_equal(post(c, "dm.example", 8080)->rc, 0);
        http_sync_free(c);
        finish(&s);
        assert_non_null(strstr(s.requests, "POST http://dm.example:8080/p HTTP/1.1\r\n"));
        assert_non_null(strstr(s.requests, "\r\nHost: dm.example:8080\r\n"));
        assert_non_null(strstr(s.requests, "\r\nProxy-Authorization: Basic eDp5\r\n"));
}

static void tunnels_that_are_refused_are_told(void **state)
{
        const script_step steps[] = {{"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"}};
        char proxy[64];
        http_request r = {.method = "GET", .url = ODM_STR("https://dm.example/")};
        const http_reply *got;
        http_sync *c;
        server s;

        (void)state;
        start(&s, steps, 1);
        snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", s.port);
        c = client(proxy);
        got = http_sync_send(c, &r);
        assert_int_equal(got->rc, ODM_EIO);
        assert_non_null(strstr(got->why, "403"));
        assert_false(got->sent);
        http_sync_free(c);
        finish(&s);
        assert_non_null(
                strstr(s.requests, "CONNECT dm.example:443 HTTP/1.1\r\nHost: dm.example:443\r\n"));
}

static void bad_requests_are_refused_here(void **state)
{
        const http_field line_end[] = {{ODM_STR("X"), ODM_STR("a\r\nY: b")}};
        const http_field ours[] = {{ODM_STR("Host"), ODM_STR("b")}};
        http_sync *c = client(NULL);
        http_request r = {.method = "GET", .url = ODM_STR("http://127.0.0.1:1/"), .n_fields = 1};

        (void)state;
        r.fields = line_end;
        assert_int_equal(http_sync_send(c, &r)->rc, ODM_EINVAL);
        r.fields = ours;
        assert_int_equal(http_sync_send(c, &r)->rc, ODM_EINVAL);
        r.n_fields = 0;
        r.method = "GET /x";
        assert_int_equal(http_sync_send(c, &r)->rc, ODM_EINVAL);
        r.method = "GET";
        r.url = ODM_STR("ftp://127.0.0.1/");
        assert_int_equal(http_sync_send(c, &r)->rc, ODM_EINVAL);
        r.url = ODM_STR("https://127.0.0.1:1/"); /* no credentials: never in the clear instead */
        assert_true(http_sync_send(c, &r)->rc < 0);
        http_sync_free(c);
}

static void never(void *ctx)
{
        (void)ctx;
}

static void never_replied(void *ctx, const http_reply *r)
{
        (void)ctx;
        (void)r;
        fail_msg("a request that was refused is answered");
}

/* Without a timer a request would wait for ever: one that can have none is refused at once. */
static void a_request_without_a_timer_is_refused(void **state)
{
        loop_timer others[16];
        http_client_opt o;
        http_client *c;
        loop *l;

        (void)state;
        http_client_opt_init(&o);
        assert_int_equal(loop_new(&l), 0);
        for (size_t i = 0; i < ODM_COUNT(others); i++) { /* as many as there is room for */
                others[i] = (loop_timer){.fn = never};
                assert_int_equal(loop_timer_set(l, &others[i], odm_time_add(loop_now(), 60000)), 0);
        }
        assert_int_equal(http_client_new(l, &o, &c), 0);
        const http_request r = {.method = "GET", .url = ODM_STR("http://127.0.0.1:1/")};
        for (int round = 0; round < 2; round++) {
                no_more = true;
                int rc = http_client_send(c, &r, never_replied, NULL);
                no_more = false;
                assert_int_equal(rc, ODM_ENOMEM);
        }
        http_client_free(c);
        loop_free(l);
}

static void nobody_listens(void **state)
{
        http_sync *c = client(NULL);
        const http_reply *r;
        server s;

        (void)state;
        start(&s, NULL, 0);
        finish(&s); /* the port is free again */
        r = post(c, "127.0.0.1", s.port);
        assert_int_equal(r->rc, ODM_EIO);
        assert_non_null(strstr(r->why, "refused"));
        assert_false(r->sent);
        http_sync_free(c);
}

/* ---- from within the callback -------------------------------------------------------------- */

typedef struct chain {
        loop *l;
        http_client *c;
        char url[64];
        int n;
} chain;

static void on_chain(void *ctx, const http_reply *r)
{
        chain *k = ctx;
        http_request next = {.method = "POST", .url = odm_cstr(k->url), .body = ODM_STR("x")};

        assert_int_equal(r->rc, 0);
        if (++k->n < 3) {
                assert_int_equal(http_client_send(k->c, &next, on_chain, k), 0);
                assert_str(r->body, "ok"); /* the reply is still there */
                return;
        }
        http_client_free(k->c);
        assert_str(r->body, "ok");
        loop_stop(k->l);
}

static void callbacks_may_go_on_or_free(void **state)
{
        const script_step steps[] = {{OK}, {OK}, {OK}};
        http_client_opt opt;
        http_request r = {.method = "POST", .body = ODM_STR("x")};
        chain k = {0};
        server s;

        (void)state;
        start(&s, steps, 3);
        http_client_opt_init(&opt);
        assert_int_equal(loop_new(&k.l), 0);
        assert_int_equal(http_client_new(k.l, &opt, &k.c), 0);
        snprintf(k.url, sizeof k.url, "http://127.0.0.1:%u/", s.port);
        r.url = odm_cstr(k.url);
        assert_int_equal(http_client_send(k.c, &r, on_chain, &k), 0);
        assert_int_equal(http_client_send(k.c, &r, on_chain, &k), ODM_ESTATE);
        assert_int_equal(loop_run(k.l), 0);
        assert_int_equal(k.n, 3);
        loop_free(k.l);
        finish(&s);
}

typedef struct asker {
        loop *l;
        http_client *c;
        char url[64];
} asker;

static void on_asked(void *ctx, const http_reply *r)
{
        asker *a = ctx;

        assert_int_equal(r->rc, 0);
        loop_stop(a->l);
}

static void ask(asker *a)
{
        const http_request r = {.method = "GET", .url = odm_cstr(a->url)};

        assert_int_equal(http_client_send(a->c, &r, on_asked, a), 0);
        assert_int_equal(http_client_set_proxy(a->c, NULL, NULL), ODM_ESTATE);
        assert_int_equal(loop_run(a->l), 0);
}

static void the_proxy_may_change_between_requests(void **state)
{
        const script_step steps[] = {{OK}, {OK}, {OK}, {OK}, {OK}};
        char proxy[64];
        http_client_opt opt;
        asker a;
        server s;

        (void)state;
        start(&s, steps, ODM_COUNT(steps));
        http_client_opt_init(&opt);
        assert_int_equal(loop_new(&a.l), 0);
        assert_int_equal(http_client_new(a.l, &opt, &a.c), 0);
        snprintf(a.url, sizeof a.url, "http://127.0.0.1:%u/", s.port);
        snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", s.port);
        ask(&a);
        assert_int_equal(http_client_set_proxy(a.c, proxy, "Basic eDp5"), 0);
        ask(&a);
        assert_int_equal(http_client_set_proxy(a.c, "https://127.0.0.1:1", NULL), ODM_EINVAL);
        assert_int_equal(http_client_set_proxy(a.c, "nowhere", NULL), ODM_EINVAL);
        assert_int_equal(http_client_set_proxy(a.c, proxy, "a\r\nb"), ODM_EINVAL);
        assert_int_equal(http_client_set_proxy(a.c, proxy, "Basic eDp5"), 0); /* as it is */
        ask(&a);
        assert_int_equal(http_client_set_proxy(a.c, proxy, NULL), 0);
        ask(&a);
        assert_int_equal(http_client_set_proxy(a.c, "", NULL), 0);
        ask(&a);
        http_client_free(a.c);
        loop_free(a.l);
        finish(&s);
        assert_int_equal(s.connections, 4);
        const char *direct = strstr(s.requests, "GET / HTTP/1.1"),
                   *first = strstr(s.requests, "GET http://127.0.0.1:"),
                   *last = strstr(first, "GET / HTTP/1.1");
        assert_non_null(direct);
        assert_true(direct < first && last > first);
        assert_non_null(strstr(first, "Proxy-Authorization: Basic eDp5"));
        assert_null(strstr(last, "Proxy-Authorization"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(exchanges_end_as_the_table_says),
                cmocka_unit_test(what_never_ends_is_ended),
                cmocka_unit_test(a_reply_may_stop_at_any_octet),
                cmocka_unit_test(a_silent_peer_is_left_before_the_reply_too),
                cmocka_unit_test(a_redirect_to_itself_is_one_reply),
                cmocka_unit_test(a_kept_connection_that_died_is_replaced_once),
                cmocka_unit_test(a_length_beyond_the_body_is_borne),
                cmocka_unit_test(half_a_reply_is_never_asked_for_again),
                cmocka_unit_test(connections_are_kept_unless_told),
                cmocka_unit_test(octets_behind_a_reply_close_the_connection),
                cmocka_unit_test(proxies_get_the_absolute_form),
                cmocka_unit_test(the_proxy_may_change_between_requests),
                cmocka_unit_test(tunnels_that_are_refused_are_told),
                cmocka_unit_test(bad_requests_are_refused_here),
                cmocka_unit_test(a_request_without_a_timer_is_refused),
                cmocka_unit_test(nobody_listens),
                cmocka_unit_test(callbacks_may_go_on_or_free),
        };

        return RUN_TESTS(tests);
}
