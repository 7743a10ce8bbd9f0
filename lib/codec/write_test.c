/* SPDX-License-Identifier: Apache-2.0 */
/* Writing messages piece by piece: sizes known beforehand, pieces taken back, chunks that
 * fit to the octet, what cannot be written. */
#include <string.h>

#include "codec_ops.h"
#include "oracle.h"
#include "support.h"

#define MOST ((size_t)1 << 24)

static const odm_codec *const codecs[] = {&odm_codec_xml, &odm_codec_wbxml};

static const odm_hdr hdr = {
        .ver_dtd = {"1.2", 3},
        .ver_proto = {"DM/1.2", 6},
        .session_id = {"1", 1},
        .msg_id = {"2", 1},
        .target = {"t", 1},
        .source = {"s", 1},
        .meta = {.present = true, .has_max_msg = true, .max_msg = 5000},
};

static odm_command get_with_meta(odm_item *item)
{
        *item = (odm_item){
                .target = ODM_STR("./A"),
                .meta = {.present = true, .format = ODM_FMT_CHR},
        };
        return (odm_command){.kind = ODM_CMD_GET, .cmd_id = ODM_STR("3"), .items = item};
}

static void sizes_are_known_before_the_end(void **state)
{
        odm_item item;
        odm_command cmd = get_with_meta(&item);

        (void)state;
        for (size_t c = 0; c < ODM_COUNT(codecs); c++)
                for (int n = 0; n < 3; n++)
                        for (int final = 0; final < 2; final++) {
                                odm_writer w;
                                odm_buf buf;
                                odm_buf_init(&buf, &heap, MOST);
                                assert_int_equal(odm_buf_put(&buf, "before", 6), 0);
                                assert_int_equal(odm_write_begin(&w, codecs[c], &buf, &hdr), 0);
                                for (int i = 0; i < n; i++)
                                        assert_int_equal(odm_write_command(&w, &cmd), 0);
                                size_t said = odm_write_size(&w, final);
                                assert_int_equal(odm_write_end(&w, final), 0);
                                assert_int_equal(buf.n - 6, said);
                                odm_str m = odm_str_from(odm_buf_view(&buf), 6);
                                assert_int_equal(oracle_msg(codecs[c], m), 0);
                                odm_buf_done(&buf);
                        }
}

/* Those who speak DM/1.1 look for the names of SyncML 1.1. */
static void a_message_of_1_1_says_so(void **state)
{
        static const char *const want[] = {"<SyncML xmlns=\"SYNCML:SYNCML1.1\">", "\x9f\x53\x6a"};
        odm_hdr old = hdr;

        (void)state;
        old.ver_dtd = ODM_STR("1.1");
        for (size_t c = 0; c < ODM_COUNT(codecs); c++) {
                odm_buf b;
                odm_writer w;
                odm_buf_init(&b, &heap, MOST);
                assert_int_equal(odm_write_begin(&w, codecs[c], &b, &old), 0);
                assert_int_equal(odm_write_end(&w, true), 0);
                assert_non_null(memmem(b.p, b.n, want[c], strlen(want[c])));
                assert_int_equal(oracle_msg(codecs[c], odm_buf_view(&b)), 0);
                odm_buf_done(&b);
        }
}

static void a_command_can_be_taken_back(void **state)
{
        odm_item item;
        odm_command cmd = get_with_meta(&item);

        (void)state;
        for (size_t c = 0; c < ODM_COUNT(codecs); c++) {
                odm_writer w, v;
                odm_buf a, b;
                odm_buf_init(&a, &heap, MOST);
                odm_buf_init(&b, &heap, MOST);
                assert_int_equal(odm_write_begin(&w, codecs[c], &a, &hdr), 0);
                assert_int_equal(odm_write_begin(&v, codecs[c], &b, &hdr), 0);
                odm_mark mark = odm_write_mark(&w);
                assert_int_equal(odm_write_command(&w, &cmd), 0);
                odm_write_undo(&w, mark);
                assert_int_equal(odm_write_command(&w, &cmd), 0);
                assert_int_equal(odm_write_command(&v, &cmd), 0);
                assert_int_equal(odm_write_end(&w, true), 0);
                assert_int_equal(odm_write_end(&v, true), 0);
                assert_octets(odm_buf_view(&a), odm_buf_view(&b));
                odm_buf_done(&a);
                odm_buf_done(&b);
        }
}

static void a_full_buffer_stays_as_it_was(void **state)
{
        odm_item item;
        odm_command cmd = get_with_meta(&item);
        odm_msg m = {.hdr = hdr, .body = &cmd, .final = true};

        (void)state;
        for (size_t c = 0; c < ODM_COUNT(codecs); c++) {
                odm_buf whole;
                odm_buf_init(&whole, &heap, MOST);
                assert_int_equal(odm_encode(codecs[c], &m, &whole), 0);
                for (size_t max = 0; max <= whole.n; max++) {
                        odm_buf b;
                        odm_buf_init(&b, &heap, max);
                        int rc = odm_encode(codecs[c], &m, &b);
                        assert_int_equal(rc, max < whole.n ? ODM_ELIMIT : 0);
                        assert_int_equal(b.n, max < whole.n ? 0 : whole.n);
                        odm_buf_done(&b);
                }
                odm_buf_done(&whole);
        }
}

/* The octets that Data adds to an Item which has none. */
static size_t data_size(const odm_codec *c, odm_data d)
{
        odm_item with = {.target = ODM_STR("a"), .data = d}, without = {.target = ODM_STR("a")};
        odm_command cmd = {.kind = ODM_CMD_ADD, .items = &with};
        odm_writer w;
        odm_buf b;

        odm_buf_init(&b, &heap, MOST);
        assert_int_equal(odm_write_begin(&w, c, &b, &hdr), 0);
        odm_mark mark = odm_write_mark(&w);
        assert_int_equal(odm_write_command(&w, &cmd), 0);
        size_t n = b.n;
        odm_write_undo(&w, mark);
        cmd.items = &without;
        assert_int_equal(odm_write_command(&w, &cmd), 0);
        n -= b.n;
        odm_buf_done(&b);
        return n;
}

static const char *const characters[] = {
        "a", "<", ">", "&", "\r", "\n", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

static odm_data random_data(seeded *s, odm_data_kind kind, bool zeros)
{
        size_t chars = seeded_next(s) % 300, n = 0;
        char *p = malloc(chars * 4 + 1);

        assert_non_null(p);
        for (size_t i = 0; i < chars; i++) {
                odm_str c = odm_cstr(characters[seeded_next(s) % ODM_COUNT(characters)]);
                if (zeros && seeded_next(s) % 200 == 0)
                        c = (odm_str){"", 1};
                memcpy(p + n, c.p, c.n);
                n += c.n;
        }
        odm_data d = {kind, exact_bytes(p, n)};
        free(p);
        return d;
}

static void check_fit(const odm_codec *c, const odm_data *d, size_t off, size_t room)
{
        odm_writer w = {.codec = c};
        size_t n = odm_write_fit(&w, d, off, room);
        odm_str rest = odm_str_from(d->bytes, off);

        assert_true(n <= rest.n);
        odm_data piece = {d->kind, odm_str_to(rest, n)};
        if (n > 0 && data_size(c, piece) > room)
                fail_msg("%s: %zu octets do not fit into %zu", odm_codec_name(c), n, room);
        if (n == rest.n)
                return;
        size_t next = n + 1; /* the next whole character, or octet */
        if (d->kind == ODM_DATA_TEXT || c == &odm_codec_xml) {
                assert_true(((unsigned char)rest.p[n] & 0xc0) != 0x80);
                while (next < rest.n && ((unsigned char)rest.p[next] & 0xc0) == 0x80)
                        next++;
        }
        piece.bytes = odm_str_to(rest, next);
        if (data_size(c, piece) <= room)
                fail_msg("%s: %zu octets would fit into %zu, not only %zu", odm_codec_name(c), next,
                         room, n);
}

static void what_fits_is_known_to_the_octet(void **state)
{
        seeded s = {.state = 42};

        (void)state;
        for (int i = 0; i < 3000; i++) {
                const odm_codec *c = codecs[i % 2];
                odm_data_kind kind = i & 2 ? ODM_DATA_TEXT : ODM_DATA_OPAQUE;
                odm_data d = random_data(&s, kind, c == &odm_codec_wbxml);
                size_t off = odm_utf8_cut(d.bytes, seeded_next(&s) % (d.bytes.n + 1));
                check_fit(c, &d, off, seeded_next(&s) % 500);
                exact_free(d.bytes);
        }
        for (size_t room = 0; room < 40000; room += room < 400 ? 1 : 16111) {
                char *big = calloc(1, 40000);
                assert_non_null(big);
                odm_data d = {ODM_DATA_OPAQUE, {big, 40000}};
                check_fit(&odm_codec_wbxml, &d, 0, room);
                free(big);
        }
}

static void elements_go_whole_or_as_text(void **state)
{
        odm_writer w = {.codec = &odm_codec_xml};
        odm_data d = {ODM_DATA_XML, ODM_STR("<a>b</a>")};

        (void)state;
        assert_int_equal(odm_write_fit(&w, &d, 0, 13 + 8), 8);
        assert_int_equal(odm_write_fit(&w, &d, 0, 13 + 7), 2); /* "&lt;a" and room for no more */
        assert_int_equal(odm_write_fit(&w, &d, 3, 100), 5);
}

static const struct row {
        const char *why;
        odm_str bytes;
        int rc;
} carried[] = {
        {"a zero", {"a\0b", 3}, ODM_EINVAL},
        {"a control character", {"\x1f", 1}, ODM_EINVAL},
        {"tab, line feed and CR", {"\t\n\r", 3}, 0},
        {"UTF-8 cut short", {"\xe2\x82", 2}, ODM_EINVAL},
        {"a lone continuation", {"\x80", 1}, ODM_EINVAL},
        {"half a surrogate pair", {"\xed\xa0\x80", 3}, ODM_EINVAL},
        {"U+FFFE", {"\xef\xbf\xbe", 3}, ODM_EINVAL},
        {"U+FFFD", {"\xef\xbf\xbd", 3}, 0},
        {"DEL", {"\x7f", 1}, 0},
        {"two characters in a row", {"\xc3\xa9\xc3\xa9", 4}, 0},
};

static void xml_refuses_what_it_cannot_carry(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(carried); i++) {
                odm_str bytes = exact_bytes(carried[i].bytes.p, carried[i].bytes.n);
                odm_item item = {.data = {ODM_DATA_OPAQUE, bytes}};
                odm_command cmd = {.kind = ODM_CMD_ADD, .items = &item};
                odm_msg m = {.body = &cmd};
                odm_buf b;
                odm_buf_init(&b, &heap, MOST);
                int rc = odm_encode(&odm_codec_xml, &m, &b);
                if (rc != carried[i].rc)
                        fail_msg("%s: %s", carried[i].why, odm_err_name(rc));
                assert_int_equal(odm_xml_can_carry(bytes), rc == 0);
                assert_true(rc == 0 || b.n == 0);
                odm_buf_cut(&b, 0);
                assert_int_equal(odm_encode(&odm_codec_wbxml, &m, &b), 0);
                assert_int_equal(oracle_msg(&odm_codec_wbxml, odm_buf_view(&b)), 0);
                odm_buf_done(&b);
                exact_free(bytes);
        }
}

/* Text with a zero in it is OPAQUE, wherever the zero stands. */
static void wbxml_text_with_a_zero(void **state)
{
        (void)state;
        for (size_t n = 1; n < 80; n++)
                for (size_t at = 0; at < n; at++) {
                        char text[80];
                        memset(text, 'x', n);
                        text[at] = 0;
                        odm_str exact = exact_bytes(text, n);
                        odm_item item = {.data = {ODM_DATA_TEXT, exact}};
                        odm_command cmd = {.kind = ODM_CMD_ADD, .items = &item};
                        odm_msg m = {.body = &cmd}, *back = NULL;
                        odm_buf b;
                        odm_arena a;
                        odm_buf_init(&b, &heap, MOST);
                        odm_arena_init(&a, &heap, MOST);
                        assert_int_equal(odm_encode(&odm_codec_wbxml, &m, &b), 0);
                        assert_int_equal(
                                odm_decode(&odm_codec_wbxml, odm_buf_view(&b), NULL, &a, &back), 0);
                        assert_octets(back->body->items->data.bytes, exact);
                        odm_arena_done(&a);
                        odm_buf_done(&b);
                        exact_free(exact);
                }
}

static void members_too_deep_are_refused(void **state)
{
        odm_command deep[ODM_DEPTH_MOST + 2];

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(deep); i++)
                deep[i] = (odm_command){.kind = ODM_CMD_ATOMIC,
                                        .body = i + 1 < ODM_COUNT(deep) ? &deep[i + 1] : NULL};
        for (size_t c = 0; c < ODM_COUNT(codecs); c++) {
                odm_msg m = {.body = deep}, fits = {.body = deep + 1};
                odm_arena a;
                odm_buf b;
                odm_arena_init(&a, &heap, MOST);
                odm_buf_init(&b, &heap, MOST);
                assert_int_equal(odm_encode(codecs[c], &m, &b), ODM_ELIMIT);
                assert_int_equal(odm_msg_convert(&m, codecs[c], &a), ODM_ELIMIT);
                assert_int_equal(odm_encode(codecs[c], &fits, &b), 0);
                assert_int_equal(odm_msg_convert(&fits, codecs[c], &a), 0);
                odm_buf_done(&b);
                odm_arena_done(&a);
        }
}

static void codecs_say_who_they_are(void **state)
{
        (void)state;
        assert_string_equal(odm_codec_name(&odm_codec_xml), "xml");
        assert_string_equal(odm_codec_mime(&odm_codec_wbxml), "application/vnd.syncml.dm+wbxml");
        assert_string_equal(odm_codec_tnds_mime(&odm_codec_xml),
                            "application/vnd.syncml.dmtnds+xml");
        assert_true(odm_codec_is_binary(&odm_codec_wbxml) && !odm_codec_is_binary(&odm_codec_xml));
        assert_ptr_equal(odm_codec_guess(ODM_STR(" \n<a/>")), &odm_codec_xml);
        assert_ptr_equal(odm_codec_guess(ODM_STR("\xef\xbb\xbf<a/>")), &odm_codec_xml);
        assert_ptr_equal(odm_codec_guess(ODM_STR("\x02\xa4")), &odm_codec_wbxml);
        assert_null(odm_codec_guess(ODM_STR("hello")));
        assert_null(odm_codec_guess(ODM_STR("")));
        assert_null(odm_codec_guess(ODM_ABSENT));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sizes_are_known_before_the_end),
                cmocka_unit_test(a_message_of_1_1_says_so),
                cmocka_unit_test(a_command_can_be_taken_back),
                cmocka_unit_test(a_full_buffer_stays_as_it_was),
                cmocka_unit_test(what_fits_is_known_to_the_octet),
                cmocka_unit_test(elements_go_whole_or_as_text),
                cmocka_unit_test(xml_refuses_what_it_cannot_carry),
                cmocka_unit_test(wbxml_text_with_a_zero),
                cmocka_unit_test(members_too_deep_are_refused),
                cmocka_unit_test(codecs_say_who_they_are),
        };

        return RUN_TESTS(tests);
}
