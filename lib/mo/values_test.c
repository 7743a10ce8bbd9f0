/* SPDX-License-Identifier: Apache-2.0 */
/* Values of devices as a document, out and in again. */
#include "odm/values.h"

#include "support.h"

#define BASE 1763888400 /* 20251123T090000Z */

static const odm_values_row rows[] = {
        {{"d0001", 5}, {"./Ext/Level", 11}, ODM_FMT_INT, {"87", 2}, {BASE}},
        {{"d0002", 5}, {"./DevDetail/FwV", 15}, ODM_FMT_CHR, {"1.0 <&\"", 7}, {BASE + 1}},
        {{"g0003/d0001", 11}, {"./Ext/Level", 11}, ODM_FMT_INT, {"-5", 2}, {BASE - 60}},
        {{"d0001", 5}, {"./Ext/Level", 11}, ODM_FMT_FLOAT, {"", 0}, {BASE + 86400}},
};

static odm_values *values_of(size_t max)
{
        odm_values *v = NULL;

        assert_int_equal(odm_values_new(&heap, max, &v), 0);
        return v;
}

static int say(void *ctx, const odm_values_row *r)
{
        odm_buf *b = ctx;

        assert_int_equal(odm_buf_fmt(b, "%.*s %.*s %s %.*s %lld\n", (int)r->key.n, r->key.p,
                                     (int)r->uri.n, r->uri.p, odm_format_name(r->format),
                                     (int)r->value.n, r->value.p, (long long)r->at.s - BASE),
                         0);
        return 0;
}

static int read_all(const char *doc, odm_buf *said)
{
        odm_buf_cut(said, 0);
        int rc = odm_values_read(odm_cstr(doc), &heap, say, said);
        assert_int_equal(odm_buf_byte(said, 0), 0);
        return rc;
}

static void what_is_written_is_read(void **state)
{
        odm_values *v = values_of(4096);
        odm_buf doc, said;

        (void)state;
        odm_buf_init(&doc, &heap, 4096);
        odm_buf_init(&said, &heap, 4096);
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                assert_int_equal(odm_values_add(v, &rows[i]), 0);
        assert_int_equal(odm_values_count(v), 4);
        assert_int_equal(odm_values_take(v, &doc), 0);
        assert_int_equal(odm_values_count(v), 0);
        assert_int_equal(odm_buf_byte(&doc, 0), 0);
        assert_string_equal(
                doc.p,
                "<Values Base=\"20251123T090000Z\">"
                "<Node URI=\"./Ext/Level\" Format=\"int\"><V Key=\"d0001\" At=\"0\">87</V>"
                "<V Key=\"g0003/d0001\" At=\"-60\">-5</V></Node>"
                "<Node URI=\"./DevDetail/FwV\" Format=\"chr\"><V Key=\"d0002\" At=\"1\">"
                "1.0 &lt;&amp;&quot;</V></Node>"
                "<Node URI=\"./Ext/Level\" Format=\"float\"><V Key=\"d0001\" At=\"86400\"></V>"
                "</Node></Values>");
        assert_int_equal(read_all(doc.p, &said), 0);
        assert_string_equal(said.p, "d0001 ./Ext/Level int 87 0\n"
                                    "g0003/d0001 ./Ext/Level int -5 -60\n"
                                    "d0002 ./DevDetail/FwV chr 1.0 <&\" 1\n"
                                    "d0001 ./Ext/Level float  86400\n");
        odm_buf_done(&doc);
        odm_buf_done(&said);
        odm_values_free(v);
}

static void a_full_one_takes_no_more(void **state)
{
        (void)state;
        for (size_t max = 64; max < 400; max += 7) {
                odm_values *v = values_of(max);
                odm_buf doc;
                size_t n = 0;
                int rc;

                odm_buf_init(&doc, &heap, max); /* what fits is never more than was said */
                while ((rc = odm_values_add(v, &rows[n % 4])) == 0)
                        n++;
                assert_int_equal(rc, ODM_ELIMIT);
                assert_int_equal(odm_values_count(v), n);
                assert_int_equal(odm_values_take(v, &doc), 0);
                assert_true(max < 300 || n > 2);
                odm_buf_done(&doc);
                odm_values_free(v);
        }
}

static void nodes_have_a_ceiling(void **state)
{
        odm_values *v = values_of(1 << 20);
        char uri[16];

        (void)state;
        for (int i = 0; i <= ODM_VALUES_NODES; i++) {
                odm_values_row r = rows[0];
                r.uri = (odm_str){uri, (size_t)snprintf(uri, sizeof uri, "./a/%d", i)};
                assert_int_equal(odm_values_add(v, &r), i < ODM_VALUES_NODES ? 0 : ODM_ELIMIT);
        }
        assert_int_equal(odm_values_add(v, &rows[0]), ODM_ELIMIT);
        odm_values_free(v);
}

static void what_is_no_measurement_is_refused(void **state)
{
        static const odm_format formats[] = {ODM_FMT_NODE, ODM_FMT_BIN, ODM_FMT_B64, ODM_FMT_XML};
        static char text[ODM_VALUES_TEXT + 2];
        odm_values *v = values_of(4096);
        odm_values_row r = rows[0];

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(formats); i++) {
                r.format = formats[i];
                assert_int_equal(odm_values_add(v, &r), ODM_EINVAL);
        }
        r.format = ODM_FMT_CHR;
        memset(text, 'x', sizeof text);
        r.value = (odm_str){text, ODM_VALUES_TEXT + 1};
        assert_int_equal(odm_values_add(v, &r), ODM_EINVAL);
        r.value.n--;
        assert_int_equal(odm_values_add(v, &r), 0);
        odm_values_free(v);
}

static void strange_documents(void **state)
{
        static const struct {
                const char *why, *doc;
                int rc;
                const char *said;
        } cases[] = {
                {"nothing in it", "<Values Base='20251123T090000Z'/>", 0, ""},
                {"what is not known is skipped",
                 "<Values Base='20251123T090000Z' X='1'><Y><V Key='a' At='0'>1</V></Y>"
                 "<Node URI='./a' Z='2'><W/><V Key=' d1 ' At=' 3 ' U=''>7</V></Node></Values>",
                 0, "d1 ./a chr 7 3\n"},
                {"another document", "<FanoutResult/>", ODM_EMALFORMED, ""},
                {"no base", "<Values/>", ODM_EMALFORMED, ""},
                {"no address",
                 "<Values Base='20251123T090000Z'><Node><V Key='a' At='0'>1</V></Node></Values>",
                 ODM_EMALFORMED, ""},
                {"no device",
                 "<Values Base='20251123T090000Z'><Node URI='./a'><V Key='a' At='0'>1</V>"
                 "<V At='0'>1</V></Node></Values>",
                 ODM_EMALFORMED, "a ./a chr 1 0\n"},
                {"no time",
                 "<Values Base='20251123T090000Z'><Node URI='./a'><V Key='a' At='-'>1</V>"
                 "</Node></Values>",
                 ODM_EMALFORMED, ""},
                {"a time beyond all",
                 "<Values Base='20251123T090000Z'><Node URI='./a'><V Key='a' At='3000000000'>1</V>"
                 "</Node></Values>",
                 ODM_EMALFORMED, ""},
                {"too deep",
                 "<Values Base='20251123T090000Z'><a><a><a><a><a><a><a/></a></a></a></a></a></a>"
                 "</Values>",
                 ODM_ELIMIT, ""},
                {"it breaks off",
                 "<Values Base='20251123T090000Z'><Node URI='./a'><V Key='a' At='0'>1</V>",
                 ODM_EMALFORMED, "a ./a chr 1 0\n"},
        };
        odm_buf said;

        (void)state;
        odm_buf_init(&said, &heap, 4096);
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                int rc = read_all(cases[i].doc, &said);
                if (rc != cases[i].rc || strcmp(said.p, cases[i].said) != 0)
                        fail_msg("%s: %d, %s", cases[i].why, rc, said.p);
        }
        odm_buf_done(&said);
}

static int stop(void *ctx, const odm_values_row *r)
{
        (void)r;
        ++*(int *)ctx;
        return ODM_EEXIST;
}

static void the_reader_stops_when_told(void **state)
{
        int calls = 0;

        (void)state;
        assert_int_equal(odm_values_read(ODM_STR("<Values Base='20251123T090000Z'><Node URI='./a'>"
                                                 "<V Key='a' At='0'>1</V><V Key='a' At='0'>1</V>"
                                                 "</Node></Values>"),
                                         &heap, stop, &calls),
                         ODM_EEXIST);
        assert_int_equal(calls, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_written_is_read),
                cmocka_unit_test(a_full_one_takes_no_more),
                cmocka_unit_test(nodes_have_a_ceiling),
                cmocka_unit_test(what_is_no_measurement_is_refused),
                cmocka_unit_test(strange_documents),
                cmocka_unit_test(the_reader_stops_when_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
