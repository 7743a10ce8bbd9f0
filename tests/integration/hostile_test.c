/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that are wrong on purpose, to the real server: to both its doors, with and without TLS.
 * Each is answered as the table says, and the server goes on. */
#include <time.h>

#include "daemon.h"
#include "gzip.h"
#include "heap.h"
#include "wire.h"

#define LAST_STATUS 600
/* A head that libmicrohttpd 0.9.75 refuses by itself has the head of its answer twice, the second
 * one as the begin of the body; the connection ends behind it. */
#define LIBRARY "<html>"

static daemon_process server;
static tls_cred *cred;

/* ---- the table ------------------------------------------------------------------ */

/* In a text, '@' stands for method and path of a door that takes it, '~' for the path, '&' for the
 * media type; '^' for so many octets or pieces as `times` says. */
typedef struct row {
        const char *why;
        odm_str text;
        unsigned dm, rest; /* statuses; 0: the end without a word */
        const char *piece; /* of '^' */
        size_t times;
        bool goes_on; /* the connection may */
} row;

#define T(text)                           \
        {                                 \
                "" text, sizeof(text) - 1 \
        }
#define HOST "Host: localhost\r\n"
#define POSTS "POST ~ HTTP/1.1\r\n" HOST "Content-Type: &\r\n"
#define CHUNKED POSTS "Transfer-Encoding: chunked\r\n\r\n"

static const row rows[] = {
        /* what is right, and wrong only in what it asks */
        {"nobody special", T("@ HTTP/1.1\r\n" HOST "Content-Type: &\r\nContent-Length: 0\r\n\r\n"),
         400, 401, .goes_on = true},
        {"HTTP/1.0", T("@ HTTP/1.0\r\n" HOST "Content-Type: &\r\nContent-Length: 0\r\n\r\n"), 400,
         401},
        {"a whole URL as target",
         T("POST http://localhost~ HTTP/1.1\r\n" HOST "Content-Type: &\r\nContent-Length: "
           "0\r\n\r\n"),
         400, 401, .goes_on = true},
        {"a name of octets above 127",
         T("@ HTTP/1.1\r\n" HOST "X: \xc3\xa9\r\nContent-Type: &\r\nContent-Length: 0\r\n\r\n"),
         400, 401, .goes_on = true},
        /* methods */
        {"a method of another door", T("PUT ~ HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"), 405,
         405, .goes_on = true},
        {"a method nobody knows", T("BREW ~ HTTP/1.1\r\n" HOST "\r\n"), 405, 405, .goes_on = true},
        {"a method in small letters", T("post ~ HTTP/1.1\r\n" HOST "\r\n"), 405, 405,
         .goes_on = true},
        {"TRACE", T("TRACE ~ HTTP/1.1\r\n" HOST "\r\n"), 405, 405, .goes_on = true},
        {"OPTIONS of all", T("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 404, 404, .goes_on = true},
        {"a method that is no token", T("P(ST ~ HTTP/1.1\r\n" HOST "\r\n"), 400, 400},
        /* the first line */
        {"an authority as target", T("CONNECT localhost:80 HTTP/1.1\r\n" HOST "\r\n"), 400, 400},
        {"a URL of another server", T("GET http://other~ HTTP/1.1\r\n" HOST "\r\n"), 400, 400},
        {"a URL of another scheme", T("GET ftp://localhost~ HTTP/1.1\r\n" HOST "\r\n"), 400, 400},
        {"a target without a slash", T("GET devices HTTP/1.1\r\n" HOST "\r\n"), 400, 400},
        {"a fragment", T("GET ~#a HTTP/1.1\r\n" HOST "\r\n"), 400, 400},
        {"a blank in the target", T("GET ~ a HTTP/1.1\r\n" HOST "\r\n"), 0, 0},
        {"a tab in the target", T("GET ~\ta HTTP/1.1\r\n" HOST "\r\n"), 400, 400},
        {"NUL in the target", T("GET ~\0 HTTP/1.1\r\n" HOST "\r\n"), 400, 400},
        {"two blanks", T("GET  ~ HTTP/1.1\r\n" HOST "\r\n"), 400, 400},
        {"no version", T("GET ~\r\n" HOST "\r\n"), 400, 400},
        {"HTTP/0.9", T("GET ~\r\n\r\n"), 400, 400},
        {"HTTP/0.9, said so", T("GET ~ HTTP/0.9\r\n" HOST "\r\n"), 505, 505},
        {"HTTP/2 to begin with", T("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, 505},
        {"HTTP/3.0", T("GET ~ HTTP/3.0\r\n" HOST "\r\n"), 505, 505},
        {"another protocol", T("GET ~ RTSP/1.0\r\n" HOST "\r\n"), 400, 400},
        {"too long a target", T("GET ~?^ HTTP/1.1\r\n" HOST "\r\n"), 414, 414, "a", 20000},
        {"too long a method", T("^ ~ HTTP/1.1\r\n" HOST "\r\n"), 414, 414, "A", 20000},
        /* Host */
        {"no Host", T("GET ~ HTTP/1.1\r\n\r\n"), 400, 400},
        {"no Host in 1.0", T("GET ~ HTTP/1.0\r\n\r\n"), 400, 400},
        {"two Hosts", T("GET ~ HTTP/1.1\r\n" HOST "Host: other\r\n\r\n"), 400, 400},
        {"the same Host twice", T("GET ~ HTTP/1.1\r\n" HOST HOST "\r\n"), 400, 400},
        {"an empty Host", T("GET ~ HTTP/1.1\r\nHost: \r\n\r\n"), 400, 400},
        {"a Host with a path", T("GET ~ HTTP/1.1\r\nHost: localhost/x\r\n\r\n"), 400, 400},
        /* fields */
        {"a folded line", T("GET ~ HTTP/1.1\r\n" HOST "X: a\r\n b\r\nY: c\r\n\r\n"), 400, 400},
        {"a folded line at the end", T("GET ~ HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n"), 400, 400},
        {"a folded line at the begin", T("GET ~ HTTP/1.1\r\n X: a\r\n" HOST "\r\n"), 400, 400},
        {"bare line feeds", T("GET ~ HTTP/1.1\nHost: localhost\n\n"), 400, 400},
        {"one bare line feed", T("GET ~ HTTP/1.1\n" HOST "\r\n"), 400, 400},
        {"a bare line feed at the end", T("GET ~ HTTP/1.1\r\n" HOST "\n"), 400, 400},
        {"a bare CR", T("GET ~ HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"), 400, 400},
        {"NUL in a value", T("GET ~ HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), 400, 400},
        {"NUL in a name", T("GET ~ HTTP/1.1\r\n" HOST "X\0Y: a\r\n\r\n"), 400, 400},
        {"NUL hides a field",
         T("POST ~ HTTP/1.1\r\n" HOST "X: a\0\r\nContent-Length: 3\r\n\r\nabc"), 400, 400},
        {"a blank before the colon", T("GET ~ HTTP/1.1\r\n" HOST "X : a\r\n\r\n"), 400, 400},
        {"no colon", T("GET ~ HTTP/1.1\r\n" HOST "nothing\r\n\r\n"), 400, 400},
        {"no name", T("GET ~ HTTP/1.1\r\n" HOST ": a\r\n\r\n"), 400, 400},
        {"a name in brackets", T("GET ~ HTTP/1.1\r\n" HOST "(X): a\r\n\r\n"), 400, 400},
        {"a control character", T("GET ~ HTTP/1.1\r\n" HOST "X: \x07\r\n\r\n"), 400, 400},
        {"too many fields", T("GET ~ HTTP/1.1\r\n" HOST "^\r\n"), 431, 431, "X: a\r\n", 70},
        {"too long a value", T("GET ~ HTTP/1.1\r\n" HOST "X: ^\r\n\r\n"), 431, 431, "a", 20000},
        {"too long a name", T("GET ~ HTTP/1.1\r\n" HOST "^: a\r\n\r\n"), 431, 431, "X", 20000},
        {"fields without end", T("GET ~ HTTP/1.1\r\n" HOST "^"), 431, 431, "Xy: abc\r\n", 50000},
        /* how long the body is */
        {"two lengths", T(POSTS "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), 400, 400},
        {"two different lengths", T(POSTS "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
         400, 400},
        {"a list of lengths", T(POSTS "Content-Length: 3, 3\r\n\r\nabc"), 400, 400},
        {"a length below zero", T(POSTS "Content-Length: -3\r\n\r\nabc"), 400, 400},
        {"a length with a plus", T(POSTS "Content-Length: +3\r\n\r\nabc"), 400, 400},
        {"a length in hexadecimal", T(POSTS "Content-Length: 0x3\r\n\r\nabc"), 400, 400},
        {"an empty length", T(POSTS "Content-Length: \r\n\r\nabc"), 400, 400},
        {"a length with a blank in it", T(POSTS "Content-Length: 1 0\r\n\r\nabc"), 400, 400},
        {"too long by its length", T(POSTS "Content-Length: 99999999\r\n\r\nabc"), 413, 413},
        {"a length of 63 bits", T(POSTS "Content-Length: 9223372036854775807\r\n\r\nabc"), 413,
         413},
        {"a length of 64 bits", T(POSTS "Content-Length: 18446744073709551615\r\n\r\nabc"), 400,
         400},
        {"a length of more", T(POSTS "Content-Length: 99999999999999999999\r\n\r\nabc"), 413, 413},
        {"length and chunks",
         T(POSTS "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
         400, 400},
        {"chunks and length",
         T(POSTS "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
         400, 400},
        {"gzip and chunked", T(POSTS "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 400,
         400},
        {"chunked twice",
         T(POSTS "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400,
         400},
        {"chunked, but not quite", T(POSTS "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 400,
         400},
        {"identity", T(POSTS "Transfer-Encoding: identity\r\n\r\n"), 400, 400},
        /* chunks */
        {"a chunk that is none", T(CHUNKED "nonsense\r\n"), 400, 400},
        {"a chunk of minus three", T(CHUNKED "-3\r\nabc\r\n0\r\n\r\n"), 400, 400},
        {"a chunk without a size", T(CHUNKED "\r\nabc\r\n0\r\n\r\n"), 400, 400},
        {"a chunk of 2^68 octets", T(CHUNKED "fffffffffffffffff\r\nabc"), 413, 413},
        {"a chunk longer than it says", T(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), 400, 400},
        {"too long an extension", T(CHUNKED "3;^\r\nabc\r\n0\r\n\r\n"), 500, 500, "a", 20000},
        {"a bad trailer", T(CHUNKED "3\r\nabc\r\n0\r\nnothing\r\n\r\n"), 400, 400},
        {"too long a trailer", T(CHUNKED "3\r\nabc\r\n0\r\nX: ^\r\n\r\n"), 431, 431, "a", 20000},
        {"too long in chunks", T(CHUNKED "^0\r\n\r\n"), 413, 413,
         "20\r\n01234567890123456789012345678901\r\n", 4000},
        {"an extension and a trailer", T(CHUNKED "3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n"), 400, 401},
        /* codings and expectations */
        {"a coding nobody knows", T(POSTS "Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc"),
         415, 415},
        {"two codings", T(POSTS "Content-Encoding: gzip, gzip\r\nContent-Length: 3\r\n\r\nabc"),
         415, 415},
        {"gzip that is none", T(POSTS "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
         400, 400},
        {"an expectation nobody meets", T(POSTS "Expect: the-best\r\nContent-Length: 3\r\n\r\nabc"),
         417, 417},
        {"too much is expected",
         T(POSTS "Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"), 413, 413},
        {"not HTTP at all", T("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n"), 0, 0},
        {"nothing but noise", T("^\r\n\r\n"), 414, 414, "\xff\xfe", 9000},
};

/* ---- the doors ------------------------------------------------------------------- */

typedef struct door {
        const char *name, *method, *path, *type;
} door;

static const door doors[] = {
        {"DM", "POST", "/dm", "application/vnd.syncml.dm+wbxml"},
        {"REST", "POST", "/api/v1/devices", "application/json"},
};

static void fill(odm_buf *out, const row *r, const door *d)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < r->text.n; i++) {
                char c = r->text.p[i];
                if (c == '@')
                        rc = odm_buf_fmt(out, "%s %s", d->method, d->path);
                else if (c == '~')
                        rc = odm_buf_fmt(out, "%s", d->path);
                else if (c == '&')
                        rc = odm_buf_fmt(out, "%s", d->type);
                else if (c == '^' && r->piece)
                        for (size_t k = 0; rc == 0 && k < r->times; k++)
                                rc = odm_buf_str(out, odm_cstr(r->piece));
                else
                        rc = odm_buf_byte(out, (uint8_t)c);
        }
        assert_int_equal(rc, 0);
}

static unsigned status_of(const char *reply)
{
        unsigned long n = strncmp(reply, "HTTP/1.", 7) == 0 ? strtoul(reply + 9, NULL, 10) : 0;

        return n < LAST_STATUS ? (unsigned)n : 0;
}

/* What is wrong with the answer; NULL: nothing. */
static const char *judge(const row *r, const char *reply, unsigned want, bool closed)
{
        unsigned got = status_of(reply);

        if (got != want)
                return "another status";
        if (got && strstr(reply + 1, "HTTP/1.") && !strstr(reply, LIBRARY))
                return "it is answered twice";
        if (!r->goes_on && !closed)
                return "the connection stays open";
        if (got == 405 && !strstr(reply, "\r\nAllow: "))
                return "what is allowed is not told";
        return NULL;
}

static unsigned play(const row *r, const door *d, bool tls)
{
        unsigned want = d == &doors[0] ? r->dm : r->rest;
        char reply[4096];
        bool closed = false;
        const char *wrong;
        odm_buf text;
        wire w = wire_open(1, tls ? server.tls_port : server.port, tls ? cred : NULL);

        assert_true(w.fd >= 0);
        odm_buf_init(&text, &heap_mem, 1 << 20);
        fill(&text, r, d);
        (void)wire_send(&w, odm_buf_view(&text)); /* it may well stop listening before the end */
        wire_read(&w, reply, sizeof reply, r->goes_on ? "\r\n\r\n" : NULL, &closed);
        odm_buf_done(&text);
        wire_close(&w);
        wrong = judge(r, reply, want, closed);
        if (wrong)
                print_error("%s, %s%s: %s, not %u: %s\n", r->why, d->name, tls ? " over TLS" : "",
                            wrong, want, reply);
        return wrong != NULL;
}

static void each_is_refused_as_the_table_says(void **state)
{
        unsigned wrong = 0;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                for (size_t k = 0; k < ODM_COUNT(doors) * 2; k++)
                        wrong += play(&rows[i], &doors[k / 2], k & 1);
        assert_int_equal(wrong, 0);
}

/* ---- bodies of gzip ----------------------------------------------------------------- */

static unsigned post_packed(const door *d, odm_str body)
{
        char head[300], reply[4096];
        wire w = wire_open(1, server.port, NULL);
        int n = snprintf(head, sizeof head,
                         "%s %s HTTP/1.1\r\n" HOST "Content-Type: %s\r\nContent-Encoding: gzip\r\n"
                         "Content-Length: %zu\r\n\r\n",
                         d->method, d->path, d->type, body.n);

        assert_true(wire_send(&w, (odm_str){head, (size_t)n}));
        (void)wire_send(&w, body);
        wire_read(&w, reply, sizeof reply, "\r\n\r\n", NULL);
        wire_close(&w);
        return status_of(reply);
}

static void compressed_bodies_have_ceilings(void **state)
{
        static char zeros[16 << 20];
        odm_buf bomb, cut, twice;

        (void)state;
        odm_buf_init(&bomb, &heap_mem, 1 << 20);
        odm_buf_init(&cut, &heap_mem, 1 << 20);
        odm_buf_init(&twice, &heap_mem, 1 << 20);
        assert_int_equal(gzip_pack((odm_str){zeros, sizeof zeros}, &bomb), 0);
        assert_int_equal(gzip_pack((odm_str){zeros, 100}, &cut), 0);
        assert_int_equal(gzip_pack(odm_buf_view(&bomb), &twice), 0);
        for (size_t i = 0; i < ODM_COUNT(doors); i++) {
                unsigned wrong = i == 0 ? 400 : 401; /* what it holds is not wanted either */
                odm_str whole = odm_buf_view(&cut);
                char *flipped = malloc(whole.n);
                memcpy(flipped, whole.p, whole.n);
                flipped[whole.n - 6] ^= 1; /* in the check sum */
                assert_int_equal(post_packed(&doors[i], odm_buf_view(&bomb)), 413);
                assert_int_equal(post_packed(&doors[i], whole), wrong);
                assert_int_equal(post_packed(&doors[i], odm_buf_view(&twice)), wrong);
                assert_int_equal(post_packed(&doors[i], odm_str_to(whole, whole.n - 1)), 400);
                assert_int_equal(post_packed(&doors[i], odm_str_to(whole, 5)), 400);
                assert_int_equal(post_packed(&doors[i], (odm_str){flipped, whole.n}), 400);
                free(flipped);
        }
        odm_buf_done(&bomb);
        odm_buf_done(&cut);
        odm_buf_done(&twice);
}

/* ---- in a row, and expected ------------------------------------------------------------ */

static void requests_in_a_row_are_answered_in_order(void **state)
{
        odm_str many = ODM_STR("GET /healthz HTTP/1.1\r\n" HOST "\r\n"
                               "GET /nowhere HTTP/1.1\r\n" HOST "\r\n"
                               "GET /api/v1/devices HTTP/1.1\r\n" HOST "\r\n"
                               "GET /healthz HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
                               "GET /dm HTTP/1.1\r\n" HOST "\r\n");
        static const unsigned want[] = {200, 404, 401, 200};

        (void)state;
        for (int tls = 0; tls < 2; tls++) {
                wire w = wire_open(1, tls ? server.tls_port : server.port, tls ? cred : NULL);
                char reply[16384], *at = reply;
                bool closed;
                assert_true(wire_send(&w, many));
                wire_read(&w, reply, sizeof reply, NULL, &closed);
                assert_true(closed);
                for (size_t i = 0; i < ODM_COUNT(want); i++, at++) {
                        at = strstr(at, "HTTP/1.1 ");
                        if (!at)
                                fail_msg("%zu answers: %s", i, reply);
                        assert_int_equal(status_of(at), want[i]);
                }
                assert_null(strstr(at, "HTTP/1.1 ")); /* nothing behind a close is a request */
                wire_close(&w);
        }
}

static void bodies_are_asked_for_only_when_wanted(void **state)
{
        static const struct {
                const char *why, *head;
                unsigned status;
        } e[] = {
                {"a body that is wanted",
                 "POST /dm HTTP/1.1\r\n" HOST "Content-Type: application/vnd.syncml.dm+xml\r\n"
                 "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
                 100},
                {"of a type that is not",
                 "POST /dm HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\n"
                 "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
                 415},
                {"by a method that is not",
                 "PUT /dm HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
                 405},
                {"a job of nobody",
                 "POST /api/v1/devices/a/jobs HTTP/1.1\r\n" HOST
                 "Content-Type: application/json\r\n"
                 "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
                 401},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(e); i++) {
                wire w = wire_open(1, server.port, NULL);
                char reply[4096];
                assert_true(wire_send(&w, odm_cstr(e[i].head)));
                wire_read(&w, reply, sizeof reply, "\r\n\r\n", NULL);
                if (status_of(reply) != e[i].status)
                        fail_msg("%s: %s", e[i].why, reply);
                if (e[i].status == 100) {
                        assert_true(wire_send(&w, ODM_STR("abc")));
                        wire_read(&w, reply, sizeof reply, "\r\n\r\n", NULL);
                        assert_int_equal(status_of(reply), 400); /* no SyncML */
                }
                wire_close(&w);
        }
}

/* ---- slowly ------------------------------------------------------------------------------ */

static void slow_ones_are_ended(void **state)
{
        static const struct {
                const char *why;
                odm_str begin, piece;
                unsigned told;
        } slow[] = {
                {"silence", T(""), T(""), 0},
                {"line ends", T("\r\n"), T("\r\n"), 0},
                {"silence after an answer", T("GET /healthz HTTP/1.1\r\n" HOST "\r\n"), T(""), 200},
                {"a first line", T("POST /dm"), T("?"), 0},
                {"a head", T("POST /dm HTTP/1.1\r\n" HOST), T("X: y\r\n"), 408},
                {"a body",
                 T("POST /dm HTTP/1.1\r\n" HOST "Content-Type: application/vnd.syncml.dm+xml\r\n"
                   "Content-Length: 400\r\n\r\n"),
                 T("a"), 408},
                {"a body to REST",
                 T("POST /api/v1/devices HTTP/1.1\r\n" HOST "Content-Length: 400\r\n\r\n"), T("{"),
                 408},
                {"chunks",
                 T("POST /dm HTTP/1.1\r\n" HOST "Content-Type: application/vnd.syncml.dm+xml\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n"),
                 T("1\r\na\r\n"), 408},
        };
        wire w[ODM_COUNT(slow) * 2];
        bool done[ODM_COUNT(w)] = {false}, closed;
        const struct timespec pause = {0, 50000000};
        char reply[4096];

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(w); i++) {
                w[i] = wire_open(1, i & 1 ? server.tls_port : server.port, i & 1 ? cred : NULL);
                assert_true(w[i].fd >= 0);
                assert_true(wire_send(&w[i], slow[i / 2].begin));
        }
        for (size_t left = ODM_COUNT(w), turn = 0; left > 0 && turn < 200; turn++) {
                left = 0;
                for (size_t i = 0; i < ODM_COUNT(w); i++) {
                        if (!done[i] && w[i].tls && wire_stirs(&w[i], 0)) {
                                size_t n = 0; /* a ticket, an answer, or the end */
                                int rc = tls_conn_read(w[i].tls, reply, sizeof reply, &n, NULL);
                                done[i] = rc < 0 || (rc == 0 && n == 0);
                        } else if (!done[i]) {
                                done[i] = wire_stirs(&w[i], 0);
                        }
                        if (done[i])
                                continue;
                        (void)wire_send(&w[i], slow[i / 2].piece);
                        left++;
                }
                (void)nanosleep(&pause, NULL);
        }
        for (size_t i = 0; i < ODM_COUNT(w); i++) {
                if (!done[i])
                        fail_msg("%s%s goes on", slow[i / 2].why, i & 1 ? " over TLS" : "");
                wire_read(&w[i], reply, sizeof reply, NULL, &closed);
                if (!closed)
                        fail_msg("%s: the connection stays open", slow[i / 2].why);
                if (!(i & 1) && status_of(reply) != slow[i / 2].told)
                        fail_msg("%s: %s", slow[i / 2].why, reply);
                wire_close(&w[i]);
        }
}

/* ---- the group ------------------------------------------------------------------------- */

static int begin(void **state)
{
        const char *const settings[] = {"limits.slow=2s", "limits.idle=2s", NULL};
        tls_cred_opt co = {0};

        if (daemon_make_folder(state) < 0)
                return -1;
        daemon_make_certificates();
        server = daemon_start("nremd.log", settings);
        co.ca_file = daemon_path("ca/ca.pem");
        return tls_cred_new(&co, &cred, NULL);
}

/* It has borne all of it. */
static void the_server_is_well(void **state)
{
        json_t *answer = NULL;

        (void)state;
        assert_int_equal(daemon_ask(&server, false, "GET", "/healthz", NULL, &answer), 200);
        json_decref(answer);
        assert_int_equal(daemon_ask(&server, true, "GET", "/api/v1/devices", NULL, NULL), 200);
        daemon_stop(&server);
        assert_false(daemon_says("nremd.log", "Sanitizer"));
        tls_cred_free(cred);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_is_refused_as_the_table_says),
                cmocka_unit_test(compressed_bodies_have_ceilings),
                cmocka_unit_test(requests_in_a_row_are_answered_in_order),
                cmocka_unit_test(bodies_are_asked_for_only_when_wanted),
                cmocka_unit_test(slow_ones_are_ended),
                cmocka_unit_test(the_server_is_well),
        };

        return cmocka_run_group_tests_name("hostile", tests, begin, daemon_drop_folder);
}
