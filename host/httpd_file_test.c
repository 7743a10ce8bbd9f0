/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_file_test.c - files sent, in whole and in parts, and bodies that go to a sink, over real
 * sockets on loopback, with TLS and without. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cert.h"
#include "fsio.h"
#include "http_client.h"
#include "httpd.h"
#include "support.h"

#define SMALL ((size_t)100000)
#define LARGE ((size_t)12 << 20) /* more than the buffers of both sides hold */

typedef struct world {
        char dir[64], small[96], large[96];
        httpd *h;
        uint16_t port[2]; /* plain, TLS */
        tls_cred *cred;
        http_sync *s;
        /* the sink */
        int out;
        atomic_ulong took;
        _Atomic uint64_t sent;
        atomic_int begun, handled, gone, failed;
} world;

static char octet(size_t at)
{
        return (char)('a' + (at * 7 + at / 251) % 26);
}

static void make_file(const char *path, size_t n)
{
        char *p = malloc(n);

        assert_non_null(p);
        for (size_t i = 0; i < n; i++)
                p[i] = octet(i);
        assert_int_equal(fsio_write(NULL, path, (odm_str){p, n}, 0600, NULL), 0);
        free(p);
}

/* ---- the application under test -------------------------------------------------- */

static int take(void *ctx, odm_str data)
{
        world *w = ctx;

        if (write(w->out, data.p, data.n) != (ssize_t)data.n) {
                atomic_store(&w->failed, errno);
                return ODM_EIO;
        }
        atomic_fetch_add(&w->took, data.n);
        return 0;
}

static void gone(void *ctx)
{
        atomic_fetch_add(&((world *)ctx)->gone, 1);
}

static void on_head(void *ctx, httpd_req *r, size_t *max_body)
{
        const httpd_sink sink = {take, gone, ctx};

        if (!odm_str_is(httpd_method(r), "PUT"))
                return;
        *max_body = 2 * SMALL;
        httpd_set_sink(r, &sink);
        atomic_fetch_add(&((world *)ctx)->begun, 1);
}

static void send_file(world *w, httpd_req *r)
{
        const http_field more = {ODM_STR("X-More"), ODM_STR("yes")};
        bool large = odm_str_is(httpd_path(r), "/large"),
             empty = odm_str_is(httpd_path(r), "/empty");
        httpd_file f = {.size = large ? LARGE : SMALL,
                        .type = "application/octet-stream",
                        .etag = ODM_STR("abc"),
                        .fields = &more,
                        .n_fields = 1};

        f.fd = open(empty ? "/dev/null" : large ? w->large : w->small, O_RDONLY | O_CLOEXEC);
        assert_true(f.fd >= 0);
        if (empty)
                f.size = 0;
        if (odm_str_is(httpd_path(r), "/counted"))
                f.sent = &w->sent;
        httpd_send_file(r, &f);
}

static void on_request(void *ctx, httpd_req *r)
{
        world *w = ctx;

        if (!odm_str_is(httpd_method(r), "PUT")) {
                send_file(w, r);
                return;
        }
        assert_int_equal(httpd_body(r).n, 0);
        atomic_fetch_add(&w->handled, 1);
        httpd_send_text(r, atomic_load(&w->failed) ? 507 : 200, "so it is");
}

static void start_server(world *w, unsigned slow_s)
{
        char cert[128], key[128];
        httpd_listener l[2];
        httpd_opt opt;
        diag d = {0};

        snprintf(cert, sizeof cert, "%s/s.pem", w->dir);
        snprintf(key, sizeof key, "%s/s.key", w->dir);
        for (int i = 0; i < 2; i++) {
                httpd_listener_init(&l[i]);
                assert_int_equal(net_addr_parse("127.0.0.1", 0, &l[i].addr), 0);
                l[i].app = (httpd_app){on_head, on_request, w};
        }
        l[1].tls = true;
        l[1].cert_file = cert;
        l[1].key_file = key;
        httpd_opt_init(&opt);
        opt.slow_s = slow_s;
        if (httpd_start(&opt, l, 2, &w->h, &d) < 0)
                fail_msg("%s", d.text);
        for (size_t i = 0; i < 2; i++)
                w->port[i] = httpd_port(w->h, i);
}

static void make_client(world *w)
{
        http_client_opt opt;
        char ca[128];
        const tls_cred_opt to = {.ca_file = ca};

        snprintf(ca, sizeof ca, "%s/ca.pem", w->dir);
        assert_int_equal(tls_cred_new(&to, &w->cred, NULL), 0);
        http_client_opt_init(&opt);
        opt.tls = w->cred;
        opt.connect_ms = 5000;
        opt.reply_ms = 5000;
        assert_int_equal(http_sync_new(&opt, &w->s), 0);
}

static int set_up(void **state)
{
        static const char *const names[] = {"localhost", NULL};
        const cert_request server = {"localhost", names, 10, true, false};
        world *w = calloc(1, sizeof *w);
        char ca[128], ca_key[128], cert[128], key[128];

        assert_non_null(w);
        w->out = -1;
        snprintf(w->dir, sizeof w->dir, "/tmp/httpd_file_test.XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        snprintf(w->small, sizeof w->small, "%s/small", w->dir);
        snprintf(w->large, sizeof w->large, "%s/large", w->dir);
        make_file(w->small, SMALL);
        make_file(w->large, LARGE);
        snprintf(ca, sizeof ca, "%s/ca.pem", w->dir);
        snprintf(ca_key, sizeof ca_key, "%s/ca.key", w->dir);
        snprintf(cert, sizeof cert, "%s/s.pem", w->dir);
        snprintf(key, sizeof key, "%s/s.key", w->dir);
        assert_int_equal(cert_make_ca("test CA", 10, ca, ca_key, NULL), 0);
        assert_int_equal(cert_make(&server, ca, ca_key, cert, key, NULL), 0);
        start_server(w, 30);
        make_client(w);
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        static const char *const names[] = {"ca.pem", "ca.key", "s.pem", "s.key",
                                            "small",  "large",  "put"};
        world *w = *state;
        char path[128];

        http_sync_free(w->s);
        tls_cred_free(w->cred);
        httpd_stop(w->h, 1000);
        if (w->out >= 0)
                close(w->out);
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                snprintf(path, sizeof path, "%s/%s", w->dir, names[i]);
                unlink(path);
        }
        rmdir(w->dir);
        free(w);
        return 0;
}

/* ---- files go out ------------------------------------------------------------------ */

static const struct file_row {
        const char *why, *method, *path, *name, *value, *name2, *value2;
        unsigned status;
        size_t first, n;
        const char *content_range;
} file_rows[] = {
        {"all of it, never compressed", "GET", "/f", NULL, NULL, NULL, NULL, 200, 0, SMALL, NULL},
        {"a part", "GET", "/f", "Range", "bytes=10-19", NULL, NULL, 206, 10, 10,
         "bytes 10-19/100000"},
        {"the rest", "GET", "/f", "Range", "bytes=99990-", NULL, NULL, 206, 99990, 10,
         "bytes 99990-99999/100000"},
        {"the end", "GET", "/f", "Range", "bytes=-1", NULL, NULL, 206, 99999, 1,
         "bytes 99999-99999/100000"},
        {"behind the end", "GET", "/f", "Range", "bytes=100000-", NULL, NULL, 416, 0, 0,
         "bytes */100000"},
        {"several ranges: all of it", "GET", "/f", "Range", "bytes=0-1,5-6", NULL, NULL, 200, 0,
         SMALL, NULL},
        {"many ranges", "GET", "/f", "Range",
         "bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-", NULL,
         NULL, 200, 0, SMALL, NULL},
        {"no range that we know", "GET", "/f", "Range", "lines=1-2", NULL, NULL, 200, 0, SMALL,
         NULL},
        {"the rest of this very file", "GET", "/f", "Range", "bytes=99990-", "If-Range", "\"abc\"",
         206, 99990, 10, "bytes 99990-99999/100000"},
        {"the rest, but of another file", "GET", "/f", "Range", "bytes=99990-", "If-Range",
         "\"abd\"", 200, 0, SMALL, NULL},
        {"a weak tag proves nothing", "GET", "/f", "Range", "bytes=99990-", "If-Range", "W/\"abc\"",
         200, 0, SMALL, NULL},
        {"neither does a date", "GET", "/f", "Range", "bytes=99990-", "If-Range",
         "Sat, 29 Oct 1994 19:43:31 GMT", 200, 0, SMALL, NULL},
        {"it is known", "GET", "/f", "If-None-Match", "\"x\", W/\"abc\"", NULL, NULL, 304, 0, 0,
         NULL},
        {"anything is known", "GET", "/f", "If-None-Match", "*", NULL, NULL, 304, 0, 0, NULL},
        {"something else is known", "GET", "/f", "If-None-Match", "\"x\", abc", NULL, NULL, 200, 0,
         SMALL, NULL},
        {"the head", "HEAD", "/f", NULL, NULL, NULL, NULL, 200, 0, 0, NULL},
        {"a range of a head", "HEAD", "/f", "Range", "bytes=0-1", NULL, NULL, 200, 0, 0, NULL},
        {"an empty file", "GET", "/empty", NULL, NULL, NULL, NULL, 200, 0, 0, NULL},
        {"a part of an empty file", "GET", "/empty", "Range", "bytes=0-", NULL, NULL, 416, 0, 0,
         "bytes */0"},
};

static const http_reply *ask_row(world *w, const struct file_row *row, bool tls)
{
        http_field f[2];
        size_t n = 0;
        char url[96];

        if (row->name)
                f[n++] = (http_field){odm_cstr(row->name), odm_cstr(row->value)};
        if (row->name2)
                f[n++] = (http_field){odm_cstr(row->name2), odm_cstr(row->value2)};
        snprintf(url, sizeof url, "http%s://localhost:%u%s", tls ? "s" : "", w->port[tls],
                 row->path);
        return http_sync_send(w->s, &(http_request){.method = row->method,
                                                    .url = odm_cstr(url),
                                                    .fields = f,
                                                    .n_fields = n});
}

static void check_row(world *w, const struct file_row *row, bool tls)
{
        const http_reply *r = ask_row(w, row, tls);
        odm_str range = http_reply_field(r, "content-range");

        if (r->rc < 0 || r->status != row->status || r->body.n != row->n)
                fail_msg("%s: %d, %u, %zu octets: %s", row->why, r->rc, r->status, r->body.n,
                         r->why ? r->why : "");
        for (size_t i = 0; i < r->body.n; i++)
                if (r->body.p[i] != octet(row->first + i))
                        fail_msg("%s: another octet at %zu", row->why, i);
        if (row->content_range ? !odm_str_is(range, row->content_range) : range.p != NULL)
                fail_msg("%s: Content-Range %.*s", row->why, (int)range.n, range.p ? range.p : "");
        assert_str(http_reply_field(r, "etag"), "\"abc\"");
        assert_str(http_reply_field(r, "accept-ranges"), "bytes");
        assert_str(http_reply_field(r, "x-more"), "yes");
        assert_null(http_reply_field(r, "content-encoding").p);
}

static void files_and_their_parts(void **state)
{
        for (size_t i = 0; i < ODM_COUNT(file_rows); i++)
                for (int tls = 0; tls < 2; tls++)
                        check_row(*state, &file_rows[i], tls);
}

static void what_goes_out_is_counted(void **state)
{
        world *w = *state;

        for (size_t i = 0; i < ODM_COUNT(file_rows); i++)
                for (int tls = 0; tls < 2; tls++) {
                        struct file_row row = file_rows[i];
                        uint64_t before = atomic_load(&w->sent);

                        if (strcmp(row.path, "/f") != 0)
                                continue;
                        row.path = "/counted";
                        check_row(w, &row, tls);
                        if (atomic_load(&w->sent) - before != row.n)
                                fail_msg("%s: counted %llu", row.why,
                                         (unsigned long long)(atomic_load(&w->sent) - before));
                }
}

/* ---- raw ------------------------------------------------------------------------------ */

static int raw_connect(uint16_t port)
{
        struct sockaddr_in sa = {.sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
        struct timeval tv = {5, 0};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 65536;

        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
        return fd;
}

static void put(int fd, odm_str s)
{
        assert_int_equal(send(fd, s.p, s.n, MSG_NOSIGNAL), s.n);
}

/* The head of a reply, octet by octet; its status. */
static unsigned read_head(int fd)
{
        char buf[2048];
        size_t n = 0;

        while (n < 4 || memcmp(buf + n - 4, "\r\n\r\n", 4) != 0) {
                assert_true(n < sizeof buf - 1 && recv(fd, buf + n, 1, 0) == 1);
                n++;
        }
        buf[n] = 0;
        return (unsigned)strtoul(buf + 9, NULL, 10);
}

static unsigned open_files(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

/* Nobody else waits for one who takes his time, and he gets every octet. */
static void a_slow_reader_gets_all(void **state)
{
        world *w = *state;
        int fd = raw_connect(w->port[0]);
        char buf[16384];
        size_t n = 0;
        ssize_t got;

        put(fd, ODM_STR("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        assert_int_equal(read_head(fd), 200);
        for (size_t i = 0; i < 8; i++)
                check_row(w, &file_rows[i], i % 2);
        while ((got = recv(fd, buf, sizeof buf, 0)) > 0)
                for (ssize_t i = 0; i < got; i++, n++)
                        if (buf[i] != octet(n))
                                fail_msg("another octet at %zu", n);
        assert_int_equal(n, LARGE);
        close(fd);
}

static void files_are_closed_when_the_peer_goes(void **state)
{
        world *w = *state;
        unsigned before = open_files(), now = 0;

        for (int i = 0; i < 10; i++) {
                int fd = raw_connect(w->port[0]);
                put(fd, ODM_STR("GET /large HTTP/1.1\r\nHost: a\r\n\r\n"));
                assert_int_equal(read_head(fd), 200);
                close(fd);
        }
        for (int i = 0; i < 5000 && (now = open_files()) > before; i++)
                usleep(1000);
        assert_true(now <= before);
}

/* ---- bodies come in ----------------------------------------------------------------- */

static void open_sink(world *w, const char *path)
{
        char own[128];

        snprintf(own, sizeof own, "%s/put", w->dir);
        w->out = open(path ? path : own, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(w->out >= 0);
}

static void a_body_goes_to_its_sink(void **state)
{
        world *w = *state;
        char url[96], *text = malloc(2 * SMALL), *back = malloc(2 * SMALL);

        assert_non_null(text);
        assert_non_null(back);
        for (size_t i = 0; i < 2 * SMALL; i++)
                text[i] = octet(i);
        open_sink(w, NULL);
        for (int tls = 0; tls < 2; tls++) {
                const http_reply *r;
                snprintf(url, sizeof url, "http%s://localhost:%u/x", tls ? "s" : "", w->port[tls]);
                r = http_sync_send(w->s, &(http_request){.method = "PUT",
                                                         .url = odm_cstr(url),
                                                         .body = {text, 2 * SMALL}});
                assert_int_equal(r->status, 200);
                assert_int_equal(pread(w->out, back, 2 * SMALL, (off_t)(2 * SMALL) * tls),
                                 2 * SMALL);
                assert_memory_equal(text, back, 2 * SMALL);
        }
        assert_int_equal(w->took, 4 * SMALL);
        assert_int_equal(w->handled, 2);
        free(text);
        free(back);
}

static void wait_gone(world *w, int n)
{
        for (int i = 0; i < 10000 && atomic_load(&w->gone) < n; i++)
                usleep(1000);
        assert_int_equal(w->gone, n);
}

static const struct refused_row {
        const char *why, *head;
        unsigned status; /* 0: the peer goes away */
        size_t took;
} refused_rows[] = {
        {"cut short", "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n1234567890", 0, 10},
        {"cut in a chunk",
         "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n12345", 0, 5},
        {"no octet came", "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", 0, 0},
        {"too long", "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 200001\r\n\r\n", 413, 0},
        {"compressed",
         "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\na", 415,
         0},
        {"an expectation", "PUT /x HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: 1\r\n\r\n",
         417, 0},
};

static void a_sink_hears_when_the_body_does_not_come(void **state)
{
        world *w = *state;

        open_sink(w, NULL);
        for (size_t i = 0; i < ODM_COUNT(refused_rows); i++) {
                const struct refused_row *row = &refused_rows[i];
                int fd = raw_connect(w->port[0]);
                unsigned status = 0;
                put(fd, odm_cstr(row->head));
                if (row->status)
                        status = read_head(fd);
                for (int k = 0; k < 5000 && (w->begun <= (int)i || w->took < row->took); k++)
                        usleep(1000);
                close(fd);
                wait_gone(w, (int)i + 1);
                if (status != row->status || w->took != row->took || w->handled)
                        fail_msg("%s: %u, %lu octets", row->why, status, w->took);
                atomic_store(&w->took, 0);
        }
}

/* The peer is told when it has sent what is dropped, or is cut off when that is too much. */
static void a_full_disk_ends_the_body(void **state)
{
        world *w = *state;
        char url[96], *text = calloc(1, SMALL);
        const http_reply *r;

        assert_non_null(text);
        open_sink(w, "/dev/full");
        snprintf(url, sizeof url, "http://localhost:%u/x", w->port[0]);
        r = http_sync_send(
                w->s,
                &(http_request){.method = "PUT", .url = odm_cstr(url), .body = {text, SMALL}});
        assert_int_equal(r->status, 507);
        assert_int_equal(w->failed, ENOSPC);
        assert_int_equal(w->took, 0);
        assert_int_equal(w->handled, 1);
        assert_int_equal(w->gone, 0);
        free(text);
}

static void a_body_in_chunks_has_its_ceiling(void **state)
{
        static const char head[] =
                "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        world *w = *state;
        int fd = raw_connect(w->port[0]);
        char piece[1024 + 8];

        open_sink(w, NULL);
        memset(piece, 'x', sizeof piece);
        memcpy(piece, "400\r\n", 5);
        memcpy(piece + 5 + 1024, "\r\n", 2);
        put(fd, odm_cstr(head));
        for (size_t n = 0; n <= 2 * SMALL; n += 1024)
                put(fd, (odm_str){piece, 5 + 1024 + 2});
        put(fd, ODM_STR("0\r\n\r\n"));
        assert_int_equal(read_head(fd), 413);
        close(fd);
        wait_gone(w, 1);
        assert_true(w->took <= 2 * SMALL);
        assert_int_equal(w->handled, 0);
}

static void a_body_that_drips_is_late(void **state)
{
        world *w = *state;
        int fd;

        httpd_stop(w->h, 1000);
        start_server(w, 1);
        open_sink(w, NULL);
        fd = raw_connect(w->port[0]);
        put(fd, ODM_STR("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n1"));
        assert_int_equal(read_head(fd), 408);
        close(fd);
        wait_gone(w, 1);
}

static void stopping_ends_sinks(void **state)
{
        world *w = *state;
        int fd = raw_connect(w->port[0]);

        open_sink(w, NULL);
        put(fd, ODM_STR("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n1"));
        for (int k = 0; k < 5000 && w->took < 1; k++)
                usleep(1000);
        httpd_stop(w->h, 10);
        assert_int_equal(w->gone, 1);
        close(fd);
        start_server(w, 30);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(files_and_their_parts),     T(what_goes_out_is_counted),
                T(a_slow_reader_gets_all),    T(files_are_closed_when_the_peer_goes),
                T(a_body_goes_to_its_sink),   T(a_sink_hears_when_the_body_does_not_come),
                T(a_full_disk_ends_the_body), T(a_body_in_chunks_has_its_ceiling),
                T(a_body_that_drips_is_late), T(stopping_ends_sinks),
        };

        return RUN_TESTS(tests);
}
