/* SPDX-License-Identifier: Apache-2.0 */
/* dremd-fetch against a server that truncates, stalls, redirects, changes the file and lies about
 * ranges. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "support.h"

#define BODY 200000

static char dir[64], program[512], power_cut[512];
static char good[BODY + 1], other[BODY + 1];

/* ---- the server ------------------------------------------------------------------------- */

typedef struct server {
        int listen;
        uint16_t port;
        pthread_t thread;
        pthread_mutex_t lock;
        unsigned requests;
        char first_path[64], posted[128], range[64];
} server;

static server s;

static void put(int fd, const void *p, size_t n)
{
        for (const char *at = p; n > 0;) {
                ssize_t k = send(fd, at, n, MSG_NOSIGNAL);
                if (k <= 0)
                        return;
                at += k;
                n -= (size_t)k;
        }
}

static void put_head(int fd, const char *status, const char *more, size_t length)
{
        char head[512];
        int n = snprintf(head, sizeof head,
                         "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n",
                         status, length, more);

        put(fd, head, (size_t)n);
}

static long range_of(const char *request)
{
        const char *at = strcasestr(request, "\r\nRange: bytes=");

        return at ? strtol(at + 15, NULL, 10) : -1;
}

static void put_rest(int fd, const char *body, long from, const char *etag)
{
        char more[128];

        snprintf(more, sizeof more, "%sContent-Range: bytes %ld-%d/%d\r\n", etag, from, BODY - 1,
                 BODY);
        put_head(fd, "206 Partial Content", more, BODY - (size_t)from);
        put(fd, body + from, BODY - (size_t)from);
}

#define TAG "ETag: \"one\"\r\n"

/* The first time half of it comes; later the rest, as the path says. */
static void cut(int fd, const char *path, long from)
{
        if (from < 0) {
                put_head(fd, "200 OK", TAG, BODY);
                put(fd, good, s.requests == 1 ? BODY / 2 : BODY);
        } else if (strcmp(path, "/cut") == 0) {
                put_rest(fd, good, from, TAG);
        } else if (strcmp(path, "/cut-changed") ==
                   0) { /* If-Range ignored: the rest of another file */
                put_rest(fd, other, from, "ETag: \"two\"\r\n");
        } else if (strcmp(path, "/cut-whole") == 0) {
                put_head(fd, "200 OK", TAG, BODY);
                put(fd, good, BODY);
        } else if (strcmp(path, "/cut-lies") == 0) {
                put_rest(fd, good, from / 2, TAG);
        } else if (strcmp(path, "/cut-huge") == 0) {
                put_head(fd, "206 Partial Content",
                         TAG "Content-Range: bytes 18446744073709551616-/*\r\n", 1);
                put(fd, "x", 1);
        } else {
                put_head(fd, "416 Range Not Satisfiable", "", 0);
        }
}

static const char *const refusals[][2] = {
        {"/401", "401 Unauthorized"}, {"/403", "403 Forbidden"}, {"/404", "404 Not Found"},
        {"/410", "410 Gone"},         {"/500", "500 Failed"},    {"/503", "503 Busy"},
        {"/302", "302 Found"},
};

static void put_descriptor(int fd, const char *size, const char *object)
{
        char text[512], more[] = "Content-Type: application/vnd.oma.dd+xml; charset=utf-8\r\n";
        int n = snprintf(text, sizeof text,
                         "<media><type>a/b</type><size>%s</size><objectURI>%s</objectURI>"
                         "<installNotifyURI>/told</installNotifyURI></media>",
                         size, object);

        put_head(fd, "200 OK", more, (size_t)n);
        put(fd, text, (size_t)n);
}

static void answer(int fd, const char *path, const char *request)
{
        for (size_t i = 0; i < ODM_COUNT(refusals); i++)
                if (strcmp(path, refusals[i][0]) == 0)
                        put_head(fd, refusals[i][1], "", 0);
        if (strcmp(path, "/good") == 0) {
                put_head(fd, "200 OK", TAG, BODY);
                put(fd, good, BODY);
        } else if (strncmp(path, "/cut", 4) == 0) {
                cut(fd, path, range_of(request));
        } else if (strcmp(path, "/same") == 0 && strcasestr(request, "If-Range: \"one\"")) {
                put_rest(fd, good, range_of(request), TAG);
        } else if (strcmp(path, "/same") == 0) {
                put_head(fd, "200 OK", TAG, BODY);
                put(fd, good, BODY);
        } else if (strcmp(path, "/short") == 0) {
                put_head(fd, "200 OK", "", BODY);
                put(fd, good, BODY - 1);
        } else if (strcmp(path, "/empty") == 0) {
                put_head(fd, "200 OK", "", 0);
        } else if (strcmp(path, "/stall") == 0) {
                put_head(fd, "200 OK", "", BODY);
                put(fd, good, 100);
                char c;
                while (read(fd, &c, 1) > 0) /* until the other side gives up */
                        ;
        } else if (strcmp(path, "/circle") == 0) {
                put_head(fd, "302 Found", "Location: /circle\r\n", 0);
        } else if (strcmp(path, "/moved") == 0) {
                put_head(fd, "302 Found", "Location: /good\r\n", 0);
        } else if (strcmp(path, "/file") == 0) {
                put_head(fd, "302 Found", "Location: file:///etc/passwd\r\n", 0);
        } else if (strcmp(path, "/junk") == 0) {
                put(fd, "hello\r\n\r\n", 9);
        } else if (strcmp(path, "/dd") == 0) {
                put_descriptor(fd, "200000", "good");
        } else if (strcmp(path, "/dd-size") == 0) {
                put_descriptor(fd, "199999", "/good");
        } else if (strcmp(path, "/dd-junk") == 0) {
                put_descriptor(fd, "many", "/good");
        } else if (strcmp(path, "/dd-file") == 0) {
                put_descriptor(fd, "5", "file:///etc/passwd");
        } else if (strcmp(path, "/dd-endless") == 0) {
                put_head(fd, "200 OK", "Content-Type: application/vnd.oma.dd+xml\r\n", BODY);
                put(fd, good, BODY);
        } else if (strcmp(path, "/told") == 0) {
                put_head(fd, "200 OK", "", 0);
        }
}

static void serve(int fd)
{
        char request[4096], path[64] = "";
        size_t n = 0;
        ssize_t k;

        while (n < sizeof request - 1 && (k = read(fd, request + n, sizeof request - 1 - n)) > 0) {
                n += (size_t)k;
                request[n] = 0;
                const char *end = strstr(request, "\r\n\r\n");
                if (end && (strncmp(request, "POST", 4) != 0 || strstr(end + 4, "\r\n")))
                        break;
        }
        request[n] = 0;
        if (sscanf(request, "%*s %63s", path) != 1)
                return;
        pthread_mutex_lock(&s.lock);
        s.requests++;
        if (strcmp(path, "/told") == 0)
                snprintf(s.posted, sizeof s.posted, "%s", strstr(request, "\r\n\r\n") + 4);
        pthread_mutex_unlock(&s.lock);
        answer(fd, path, request);
}

static void *serving(void *arg)
{
        (void)arg;
        for (;;) {
                int fd = accept(s.listen, NULL, NULL);
                if (fd < 0)
                        return NULL;
                serve(fd);
                shutdown(fd, SHUT_RDWR);
                close(fd);
        }
}

static int set_up(void **state)
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t n = sizeof a;

        (void)state;
        for (int i = 0; i < BODY; i++) {
                good[i] = (char)('a' + i % 23);
                other[i] = (char)('A' + i % 23);
        }
        snprintf(dir, sizeof dir, "/tmp/fetch_test.XXXXXX");
        assert_non_null(mkdtemp(dir));
        pthread_mutex_init(&s.lock, NULL);
        s.listen = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(s.listen, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(s.listen, 16), 0);
        assert_int_equal(getsockname(s.listen, (struct sockaddr *)&a, &n), 0);
        s.port = ntohs(a.sin_port);
        return pthread_create(&s.thread, NULL, serving, NULL);
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        shutdown(s.listen, SHUT_RDWR);
        pthread_join(s.thread, NULL);
        close(s.listen);
        snprintf(command, sizeof command, "rm -rf %s", dir);
        return system(command);
}

/* ---- calls ------------------------------------------------------------------------------ */

static char output[4096];
static const char *before = ""; /* of the shell */

/* Runs the program; the cause it ends with, until the next call. */
static const char *fetch(const char *options, const char *url)
{
        static char cause[64];
        char command[1400];
        const char *end;
        size_t n;
        FILE *f;

        snprintf(command, sizeof command, "%s'%s' --wait 1 %s '%s' %s/file 2>&1", before, program,
                 options, url, dir);
        f = popen(command, "r");
        assert_non_null(f);
        n = fread(output, 1, sizeof output - 1, f);
        output[n] = 0;
        (void)pclose(f);
        end = strstr(output, "end ");
        if (!end || sscanf(end, "end %63s", cause) != 1)
                snprintf(cause, sizeof cause, "%.60s", output);
        return cause;
}

static bool file_is(const char *body)
{
        char path[96];
        odm_buf b;
        bool ok;

        snprintf(path, sizeof path, "%s/file", dir);
        odm_buf_init(&b, &heap_mem, 1 << 20);
        ok = fsio_read(path, 1 << 20, &b, NULL) == 0 && b.n == BODY && memcmp(b.p, body, BODY) == 0;
        odm_buf_done(&b);
        return ok;
}

static void clean(void)
{
        char command[128];

        snprintf(command, sizeof command, "rm -f %s/*", dir);
        assert_int_equal(system(command), 0);
        pthread_mutex_lock(&s.lock);
        s.requests = 0;
        s.posted[0] = 0;
        pthread_mutex_unlock(&s.lock);
}

static const struct row {
        const char *why, *path, *options, *cause;
        unsigned requests;
        const char *posted;
} rows[] = {
        {"a file", "/good", "", "OK", 1, ""},
        {"moved", "/moved", "", "OK", 2, ""},
        {"cut: the rest by a range", "/cut", "", "OK", 2, ""},
        {"cut, then the whole again", "/cut-whole", "", "OK", 2, ""},
        {"cut, then the rest of another file: from the start", "/cut-changed", "", "OK", 3, ""},
        {"cut, then another range than asked: from the start", "/cut-lies", "", "OK", 3, ""},
        {"cut, then a range that no number holds: from the start", "/cut-huge", "", "OK", 3, ""},
        {"cut, then no range: from the start", "/cut-416", "", "OK", 3, ""},
        {"always cut", "/short", "--retries 3", "NETWORK", 3, ""},
        {"empty", "/empty", "", "CORRUPT", 1, ""},
        {"silent", "/stall", "--retries 2 --stall 1", "TIMEOUT", 2, ""},
        {"no HTTP", "/junk", "", "BAD_URL", 1, ""},
        {"in circles", "/circle", "", "BAD_URL", 6, ""},
        {"to the machine's own files", "/file", "", "BAD_URL", 1, ""},
        {"nowhere", "/302", "", "BAD_URL", 1, ""},
        {"not for us", "/401", "", "AUTH", 1, ""},
        {"forbidden", "/403", "", "AUTH", 1, ""},
        {"not there", "/404", "", "BAD_URL", 1, ""},
        {"gone", "/410", "", "BAD_URL", 1, ""},
        {"failed", "/500", "--retries 3", "SERVER", 3, ""},
        {"busy", "/503", "--retries 2", "UNAVAILABLE", 2, ""},
        {"too large", "/good", "--max-size 1000", "NO_ROOM", 1, ""},
        {"described", "/dd", "", "OK", 3, "900 Success\r\n"},
        {"of another size", "/dd-size", "", "CORRUPT", 3, "905 Attribute mismatch\r\n"},
        {"a damaged descriptor", "/dd-junk", "", "NOT_ACCEPTED", 1, ""},
        {"a descriptor without end", "/dd-endless", "", "NOT_ACCEPTED", 1, ""},
        {"described as our own file", "/dd-file", "", "BAD_URL", 2, "954 Loader Error\r\n"},
};

static void what_servers_do(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                char url[128];
                clean();
                snprintf(url, sizeof url, "http://127.0.0.1:%u%s", s.port, r->path);
                const char *cause = fetch(r->options, url);
                if (strcmp(cause, r->cause) != 0)
                        fail_msg("%s: %s, not %s\n%s", r->why, cause, r->cause, output);
                pthread_mutex_lock(&s.lock);
                unsigned requests = s.requests;
                bool told = strcmp(s.posted, r->posted) == 0;
                pthread_mutex_unlock(&s.lock);
                if (requests != r->requests || !told)
                        fail_msg("%s: %u requests, posted '%s'", r->why, requests, s.posted);
                if (file_is(good) != (strcmp(r->cause, "OK") == 0))
                        fail_msg("%s: the file", r->why);
        }
}

static unsigned long octets_received(void)
{
        static const char word[] = "received ";
        unsigned long sum = 0;

        for (const char *p = output; (p = strstr(p, word)); p += sizeof word - 1)
                sum += strtoul(p + sizeof word - 1, NULL, 10);
        return sum;
}

static void another_call_goes_on(void **state)
{
        char url[128], path[96];
        unsigned long got;

        (void)state;
        clean();
        snprintf(url, sizeof url, "http://127.0.0.1:%u/cut", s.port);
        assert_string_equal(fetch("--retries 1", url), "NETWORK");
        got = octets_received();
        snprintf(path, sizeof path, "%s/file.part", dir);
        assert_int_equal(access(path, F_OK), 0);
        assert_true(got > 0 && got < 200000);
        assert_string_equal(fetch("--retries 1", url), "OK");
        assert_non_null(strstr(output, "progress 200000 200000"));
        assert_int_equal(got + octets_received(), 200000);
        assert_true(file_is(good));
        assert_int_not_equal(access(path, F_OK), 0);
}

/* What is there is of the file before.  The power goes when the name of the new one is kept. */
static void a_cut_mixes_no_files(void **state)
{
        char url[128], path[96], text[192], with[640];

        (void)state;
        clean();
        snprintf(url, sizeof url, "http://127.0.0.1:%u/same", s.port);
        snprintf(path, sizeof path, "%s/file.part", dir);
        assert_int_equal(fsio_write(NULL, path, (odm_str){other, BODY / 2}, 0600, NULL), 0);
        snprintf(path, sizeof path, "%s/file.part.of", dir);
        snprintf(text, sizeof text, "%s\n\"zero\"\n", url);
        assert_int_equal(fsio_write(NULL, path, odm_cstr(text), 0600, NULL), 0);
        snprintf(with, sizeof with,
                 "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 LD_PRELOAD='%s' ",
                 power_cut);
        before = with;
        (void)fetch("--retries 1", url);
        before = "";
        assert_string_equal(output, ""); /* it went */
        assert_string_equal(fetch("--retries 1", url), "OK");
        assert_true(file_is(good));
}

static void a_full_disk_is_told(void **state)
{
        static const char *const limits[] = {"ulimit -f 0; ", "ulimit -f 1; ", "ulimit -f 100; "};
        char url[128], path[96];

        (void)state;
        snprintf(url, sizeof url, "http://127.0.0.1:%u/good", s.port);
        snprintf(path, sizeof path, "%s/file.part", dir);
        for (size_t i = 0; i < ODM_COUNT(limits); i++) {
                clean();
                before = limits[i];
                const char *cause = fetch("", url);
                before = "";
                if (strcmp(cause, "NO_ROOM") != 0)
                        fail_msg("%s: %s\n%s", limits[i], cause, output);
                assert_int_not_equal(access(path, F_OK), 0); /* what was there is given back */
        }
}

static void a_file_is_sent(void **state)
{
        static const struct {
                const char *why, *path, *cause;
                unsigned requests;
        } ways[] = {
                {"taken", "/told", "OK", 1},
                {"refused", "/404", "BAD_URL", 1},
                {"for others only", "/401", "AUTH", 1},
                {"sent elsewhere: it is for nobody else", "/moved", "BAD_URL", 1},
                {"it fails", "/500", "SERVER", 3},
                {"it is busy", "/503", "UNAVAILABLE", 3},
                {"no HTTP", "/junk", "BAD_URL", 1},
        };
        char url[128], path[96];

        (void)state;
        clean();
        snprintf(path, sizeof path, "%s/file", dir);
        assert_string_equal(fetch("--upload a/b --retries 3", "http://127.0.0.1:1/x"), "FAILED");
        assert_int_equal(fsio_write(NULL, path, ODM_STR("some data\r\n"), 0600, NULL), 0);
        assert_string_equal(fetch("--upload a/b --retries 3", "http://127.0.0.1:1/x"),
                            "UNAVAILABLE");
        for (size_t i = 0; i < ODM_COUNT(ways); i++) {
                pthread_mutex_lock(&s.lock);
                s.requests = 0;
                pthread_mutex_unlock(&s.lock);
                snprintf(url, sizeof url, "http://127.0.0.1:%u%s", s.port, ways[i].path);
                if (strcmp(fetch("--upload a/b --retries 3", url), ways[i].cause) != 0 ||
                    s.requests != ways[i].requests)
                        fail_msg("%s: %s, %u requests", ways[i].why, output, s.requests);
        }
        assert_string_equal(s.posted, "some data\r\n");
        assert_int_equal(access(path, F_OK), 0); /* it is not ours to delete */
}

static void nobody_there(void **state)
{
        (void)state;
        clean();
        assert_string_equal(fetch("--retries 2", "http://127.0.0.1:1/x"), "UNAVAILABLE");
        assert_string_equal(fetch("--retries 1", "ftp://127.0.0.1/x"), "BAD_URL");
        assert_string_equal(fetch("--retries 1", "file:///etc/passwd"), "BAD_URL");
        assert_string_equal(fetch("--retries 1", "http://"), "BAD_URL");
        assert_false(file_is(good));
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_servers_do),      cmocka_unit_test(another_call_goes_on),
                cmocka_unit_test(a_cut_mixes_no_files), cmocka_unit_test(a_full_disk_is_told),
                cmocka_unit_test(a_file_is_sent),       cmocka_unit_test(nobody_there),
        };

        if (argc < 3)
                return 2;
        snprintf(program, sizeof program, "%s", argv[1]);
        snprintf(power_cut, sizeof power_cut, "%s", argv[2]);
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
