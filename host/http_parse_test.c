/* SPDX-License-Identifier: Apache-2.0 */
/* http_parse_test.c - responses, whole and in every pair of pieces. */
#include "http_parse.h"

#include "support.h"

#define RAW(text)                         \
        {                                 \
                "" text, sizeof(text) - 1 \
        }

static const struct row {
        const char *why;
        odm_str in;
        int rc; /* 1 whole, 0 unfinished, negative refused */
        unsigned status;
        const char *body;
        bool close;
        size_t left; /* octets behind it */
        bool head;   /* the answer to HEAD */
        bool eof;    /* the connection ends after these octets */
} rows[] = {
        {"a length", RAW("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), 1, 200, "abc"},
        {"nothing", RAW("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), 1, 200, ""},
        {"no reason phrase", RAW("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), 1, 200, ""},
        {"octets behind", RAW("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc"), 1, 200, "a",
         .left = 2},
        {"bare line feeds in the head", RAW("HTTP/1.1 200 OK\nContent-Length: 1\n\na"), 1, 200,
         "a"},
        {"the same length twice",
         RAW("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"), 1, 200, "a"},
        {"chunks",
         RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
             "chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"),
         1, 200, "abc0123456789"},
        {"chunks with a trailer",
         RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n"), 1,
         200, "a"},
        {"to the end", RAW("HTTP/1.1 200 OK\r\n\r\nabc"), 1, 200, "abc", .close = true,
         .eof = true},
        {"not ended yet", RAW("HTTP/1.1 200 OK\r\n\r\nabc"), 0, 200, "abc", .close = true},
        {"1.0 closes", RAW("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"), 1, 200, "a",
         .close = true},
        {"1.0 kept", RAW("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\na"),
         1, 200, "a"},
        {"close", RAW("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\na"), 1,
         200, "a", .close = true},
        {"100 first",
         RAW("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"), 1, 200,
         "a"},
        {"103 with fields first",
         RAW("HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"),
         1, 200, "a"},
        {"204 has no body", RAW("HTTP/1.1 204 No\r\n\r\n"), 1, 204, ""},
        {"304 has no body", RAW("HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n"), 1, 304, ""},
        {"HEAD", RAW("HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"), 1, 200, "",
         .head = true},
        {"redirect is a reply",
         RAW("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), 1, 302, ""},
        {"cut in the head", RAW("HTTP/1.1 200 OK\r\nContent-Le"), ODM_EMALFORMED, .eof = true},
        {"cut in the body", RAW("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), ODM_EMALFORMED,
         .eof = true},
        {"cut in a chunk", RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"),
         ODM_EMALFORMED, .eof = true},
        {"length and chunked",
         RAW("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
         ODM_EMALFORMED},
        {"differing lengths",
         RAW("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"), ODM_EMALFORMED},
        {"a list of lengths", RAW("HTTP/1.1 200 OK\r\nContent-Length: 3,3\r\n\r\n"),
         ODM_EMALFORMED},
        {"a negative length", RAW("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), ODM_EMALFORMED},
        {"another coding", RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
         ODM_EMALFORMED},
        {"chunked in 1.0", RAW("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
         ODM_EMALFORMED},
        {"no token", RAW("HTTP/1.1 200 OK\r\nA b: c\r\n\r\n"), ODM_EMALFORMED},
        {"a blank before the colon", RAW("HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n"),
         ODM_EMALFORMED},
        {"a folded line", RAW("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"), ODM_EMALFORMED},
        {"NUL", RAW("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n"), ODM_EMALFORMED},
        {"a bare CR", RAW("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n"), ODM_EMALFORMED},
        {"no colon", RAW("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"), ODM_EMALFORMED},
        {"HTTP/2", RAW("HTTP/2.0 200 OK\r\n\r\n"), ODM_EMALFORMED},
        {"no HTTP", RAW("ICY 200 OK\r\n\r\n"), ODM_EMALFORMED},
        {"a status of two digits", RAW("HTTP/1.1 20 OK\r\n\r\n"), ODM_EMALFORMED},
        {"status 099", RAW("HTTP/1.1 099 OK\r\n\r\n"), ODM_EMALFORMED},
        {"another protocol", RAW("HTTP/1.1 101 Switching\r\n\r\n"), ODM_EMALFORMED},
        {"a chunk size that is none",
         RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"), ODM_EMALFORMED},
        {"a chunk size with a sign",
         RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\n"), ODM_EMALFORMED},
        {"a chunk size that overflows",
         RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
         ODM_EMALFORMED},
        {"a chunk without its end",
         RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"), ODM_EMALFORMED},
        {"a bare line feed in chunks",
         RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nab\r\n"), ODM_EMALFORMED},
        {"a body too long", RAW("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"), ODM_ELIMIT},
        {"a chunk too long", RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n"),
         ODM_ELIMIT},
        {"a head too long",
         RAW("HTTP/1.1 200 OK\r\nA: "
             "0123456789012345678901234567890123456789012345678901234567890123456789"
             "0123456789012345678901234567890123456789\r\n\r\n"),
         ODM_ELIMIT},
        {"too many fields", RAW("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n"),
         ODM_ELIMIT},
        {"too long a trailer",
         RAW("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
             "chunked\r\n\r\n0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n"),
         ODM_ELIMIT},
};

static int feed(http_parse *p, odm_str piece, size_t *used)
{
        odm_str copy = exact_bytes(piece.p, piece.n);
        int rc = http_parse_feed(p, copy, used);

        exact_free(copy);
        return rc;
}

/* Plays a row, cut in two at `cut`. */
static void play(const struct row *r, size_t cut)
{
        const http_limits lim = {.max_head = 120, .max_fields = 3, .max_body = 100};
        http_parse p;
        size_t used = 0, more = 0;
        int rc;

        http_parse_init(&p, &heap, &lim);
        p.head_request = r->head;
        rc = feed(&p, odm_str_to(r->in, cut), &used);
        if (rc == 0) {
                assert_int_equal(used, cut);
                rc = feed(&p, odm_str_from(r->in, cut), &more);
                used += more;
        }
        if (rc == 0 && r->eof)
                rc = http_parse_eof(&p);
        if (rc != r->rc)
                fail_msg("%s, cut at %zu: gave %d, not %d", r->why, cut, rc, r->rc);
        if (rc >= 0) {
                assert_int_equal(p.status, r->status);
                assert_str(odm_buf_view(&p.body), r->body);
                assert_int_equal(p.close, r->close);
                assert_int_equal(used, r->in.n - r->left);
        }
        http_parse_done(&p);
}

static void parses_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                for (size_t cut = 0; cut <= rows[i].in.n - rows[i].left; cut++)
                        play(&rows[i], cut);
}

static void one_parser_reads_many(void **state)
{
        http_limits lim;
        http_parse p;
        size_t used;

        (void)state;
        http_limits_init(&lim);
        http_parse_init(&p, &heap, &lim);
        for (int i = 0; i < 3; i++) {
                odm_str in = ODM_STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                                     "X-A:  b \r\n\r\n1\r\na\r\n0\r\n\r\n");
                assert_int_equal(feed(&p, in, &used), 1);
                assert_str(http_parse_field(&p, "x-a"), "b");
                assert_null(http_parse_field(&p, "x-b").p);
                http_parse_reset(&p);
        }
        http_parse_done(&p);
}

static void lists_are_read(void **state)
{
        (void)state;
        assert_true(http_list_has(ODM_STR("gzip"), "gzip"));
        assert_true(http_list_has(ODM_STR("br, GZIP;q=0.5"), "gzip"));
        assert_false(http_list_has(ODM_STR("gzip;q=0"), "gzip"));
        assert_false(http_list_has(ODM_STR("gzip; q=0.000"), "gzip"));
        assert_false(http_list_has(ODM_STR("xgzip"), "gzip"));
        assert_false(http_list_has(ODM_ABSENT, "gzip"));
}

static const struct range_row {
        const char *why, *in;
        uint64_t size;
        int rc;
        uint64_t first, n;
} range_rows[] = {
        {"from and to", "bytes=0-4", 10, 1, 0, 5},
        {"one octet", "bytes=9-9", 10, 1, 9, 1},
        {"from on", "bytes=3-", 10, 1, 3, 7},
        {"the last ones", "bytes=-3", 10, 1, 7, 3},
        {"more last ones than there are", "bytes=-30", 10, 1, 0, 10},
        {"beyond the end", "bytes=3-99", 10, 1, 3, 7},
        {"the largest end", "bytes=0-18446744073709551615", 10, 1, 0, 10},
        {"other letters", "Bytes=1-2", 10, 1, 1, 2},
        {"behind the end", "bytes=10-", 10, ODM_ELIMIT, 0, 0},
        {"the last none", "bytes=-0", 10, ODM_ELIMIT, 0, 0},
        {"of nothing", "bytes=0-", 0, ODM_ELIMIT, 0, 0},
        {"the last of nothing", "bytes=-1", 0, ODM_ELIMIT, 0, 0},
        {"several", "bytes=0-1,3-4", 10, 0, 0, 0},
        {"a list of one", "bytes=0-1,", 10, 0, 0, 0},
        {"another unit", "lines=0-4", 10, 0, 0, 0},
        {"the wrong way round", "bytes=4-3", 10, 0, 0, 0},
        {"no numbers", "bytes=-", 10, 0, 0, 0},
        {"nothing", "bytes=", 10, 0, 0, 0},
        {"no dash", "bytes=5", 10, 0, 0, 0},
        {"a sign", "bytes=+1-2", 10, 0, 0, 0},
        {"a number too large", "bytes=99999999999999999999-", 10, 0, 0, 0},
        {"empty", "", 10, 0, 0, 0},
};

static void ranges_are_read(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(range_rows); i++) {
                const struct range_row *w = &range_rows[i];
                odm_str in = exact_copy(w->in);
                uint64_t first = 0, n = 0;
                int rc = http_range(in, w->size, &first, &n);
                exact_free(in);
                if (rc != w->rc || first != w->first || n != w->n)
                        fail_msg("%s: %d, %llu, %llu", w->why, rc, (unsigned long long)first,
                                 (unsigned long long)n);
        }
}

static const struct content_row {
        const char *why, *in;
        int rc;
        uint64_t first, n, size;
} content_rows[] = {
        {"a part", "bytes 2-4/10", 0, 2, 3, 10},
        {"all", "bytes 0-9/10", 0, 0, 10, 10},
        {"none", "bytes */10", 0, 10, 0, 10},
        {"none of nothing", "bytes */0", 0, 0, 0, 0},
        {"an unknown size", "bytes 2-4/*", ODM_EMALFORMED, 0, 0, 0},
        {"beyond the size", "bytes 2-10/10", ODM_EMALFORMED, 0, 0, 0},
        {"the wrong way round", "bytes 4-2/10", ODM_EMALFORMED, 0, 0, 0},
        {"from on", "bytes 4-/10", ODM_EMALFORMED, 0, 0, 0},
        {"the last ones", "bytes -4/10", ODM_EMALFORMED, 0, 0, 0},
        {"another unit", "lines 0-1/10", ODM_EMALFORMED, 0, 0, 0},
        {"no range", "bytes /10", ODM_EMALFORMED, 0, 0, 0},
        {"no size", "bytes 0-1", ODM_EMALFORMED, 0, 0, 0},
        {"beyond 63 bits", "bytes 0-1/9223372036854775808", ODM_EMALFORMED, 0, 0, 0},
        {"empty", "", ODM_EMALFORMED, 0, 0, 0},
};

static void ranges_of_content_are_read(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(content_rows); i++) {
                const struct content_row *w = &content_rows[i];
                odm_str in = exact_copy(w->in);
                uint64_t first = 0, n = 0, size = 0;
                int rc = http_content_range(in, &first, &n, &size);
                exact_free(in);
                if (rc != w->rc || first != w->first || n != w->n || size != w->size)
                        fail_msg("%s: %d, %llu, %llu", w->why, rc, (unsigned long long)first,
                                 (unsigned long long)n);
        }
}

static int run_once(failing *f, void *arg)
{
        http_limits lim;
        http_parse p;
        size_t used;
        int rc;

        (void)arg;
        http_limits_init(&lim);
        http_parse_init(&p, &f->mem, &lim);
        rc = http_parse_feed(&p,
                             ODM_STR("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                     "3\r\nabc\r\n0\r\n\r\n"),
                             &used);
        http_parse_done(&p);
        return rc > 0 ? 0 : rc;
}

static void survives_lack_of_memory(void **state)
{
        (void)state;
        torture(run_once, NULL, 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(parses_as_the_table_says),
                cmocka_unit_test(one_parser_reads_many),
                cmocka_unit_test(lists_are_read),
                cmocka_unit_test(ranges_are_read),
                cmocka_unit_test(ranges_of_content_are_read),
                cmocka_unit_test(survives_lack_of_memory),
        };

        return RUN_TESTS(tests);
}
