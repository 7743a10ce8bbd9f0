/* SPDX-License-Identifier: Apache-2.0 */
#include "odm/tree.h"
#include "support.h"

#define ALL 0x3fe

static void uris_parse_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *in;
                int rc;
                uint16_t depth;
                odm_prop prop;
                odm_list list;
                uint16_t props;
        } rows[] = {
                {"the root by itself", ".", .depth = 0},
                {"a leaf two levels in", "./DevInfo/DevId", .depth = 2},
                {"without the dot", "DevInfo/DevId", .depth = 2},
                {"a property of a node", "./DevInfo?prop=ACL", .depth = 1, .prop = ODM_PROP_ACL},
                {"a property of the root", ".?prop=ACL", .depth = 0, .prop = ODM_PROP_ACL},
                {"a name that begins with a dot", "./.cfg", .depth = 1},
                {"characters a name may have", "./-_.!~*'()/:@&=+$,", .depth = 2},
                {"an escape", "./%41%2f", .depth = 1},
                {"beyond ASCII", "./\xc3\xa4", .depth = 1},
                {"nothing at all", "", .rc = ODM_EMALFORMED},
                {"only a query", "?prop=ACL", .rc = ODM_EMALFORMED},
                {"dot and slash", "./", .rc = ODM_EMALFORMED},
                {"an empty segment", "./A//B", .rc = ODM_EMALFORMED},
                {"a slash at the end", "./A/", .rc = ODM_EMALFORMED},
                {"a slash at the beginning", "/A", .rc = ODM_EMALFORMED},
                {"a dot inside", "./A/./B", .rc = ODM_EMALFORMED},
                {"two dots inside", "./A/../B", .rc = ODM_EMALFORMED},
                {"two dots at the beginning", "../A", .rc = ODM_EMALFORMED},
                {"a fragment", "./A#b", .rc = ODM_EMALFORMED},
                {"a blank", "./A b", .rc = ODM_EMALFORMED},
                {"half an escape", "./A%4", .rc = ODM_EMALFORMED},
                {"no escape", "./A%zz", .rc = ODM_EMALFORMED},
                {"no UTF-8", "./A\xff", .rc = ODM_EMALFORMED},
                {"bad syntax counts before depth", "./a/b/c/d/e/", .rc = ODM_EMALFORMED},
                {"a property unknown", "./A?prop=Nope", .rc = ODM_EUNSUPPORTED},
                {"a property in other letters", "./A?prop=acl", .rc = ODM_EUNSUPPORTED},
                {"no property", "./A?prop=", .rc = ODM_EUNSUPPORTED},
                {"Value is none", "./A?prop=Value", .rc = ODM_EUNSUPPORTED},
                {"another query", "./A?foo=1", .rc = ODM_EUNSUPPORTED},
                {"an empty query", "./A?", .rc = ODM_EUNSUPPORTED},
                {"two queries", "./A?prop=ACL&list=Struct", .rc = ODM_EUNSUPPORTED},
                {"structure", "./A?list=Struct", .depth = 1, .list = ODM_LIST_STRUCT},
                {"structure and data", "./A?list=StructData", .depth = 1,
                 .list = ODM_LIST_STRUCT_DATA},
                {"a document", "./A?list=TNDS", .depth = 1, .list = ODM_LIST_TNDS, .props = ALL},
                {"a document of two", "./A?list=TNDS+ACL+Value", .depth = 1, .list = ODM_LIST_TNDS,
                 .props = 1 << ODM_PROP_ACL | 1 << ODM_PROP_VALUE},
                {"a document without one", "./A?list=TNDS-Format", .depth = 1,
                 .list = ODM_LIST_TNDS, .props = ALL & ~(1 << ODM_PROP_FORMAT)},
                {"signs mixed", "./A?list=TNDS+ACL-Value", .rc = ODM_EUNSUPPORTED},
                {"unknown in a document", "./A?list=TNDS+Foo", .rc = ODM_EUNSUPPORTED},
                {"a sign alone", "./A?list=TNDS+", .rc = ODM_EUNSUPPORTED},
                {"a list unknown", "./A?list=Tree", .rc = ODM_EUNSUPPORTED},
                {"a list that goes on", "./A?list=TNDSX", .rc = ODM_EUNSUPPORTED},
                {"at the depth allowed", "./a/b/c/d", .depth = 4},
                {"one level too deep", "./a/b/c/d/e", .rc = ODM_ELIMIT},
                {"the longest segment", "./1234567890", .depth = 1},
                {"one character more", "./12345678901", .rc = ODM_ELIMIT},
                {"characters, not octets", "./12345678\xc3\xa4\xc3\xa4", .depth = 1},
                {"the longest in all", "./1234567890/123456789/123456789/123456789", .depth = 4},
                {"one more in all", "./1234567890/1234567890/123456789/123456789",
                 .rc = ODM_ELIMIT},
                {"the query counts", "./1234567890/123456789/123456789/1?prop=ACL",
                 .rc = ODM_ELIMIT},
        };
        const odm_uri_limits lim = {.max_depth = 4, .max_tot_len = 40, .max_seg_len = 10};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                odm_uri before, got;
                memset(&before, 0x55, sizeof before);
                got = before;
                odm_str in = exact_copy(r->in);
                int rc = odm_uri_parse(in, &lim, &got);
                if (rc != r->rc)
                        fail_msg("%s: '%s' gave %s", r->why, r->in, odm_err_name(rc));
                if (rc < 0)
                        assert_memory_equal(&got, &before, sizeof got);
                else if (got.depth != r->depth || got.prop != r->prop || got.list != r->list ||
                         got.list_props != r->props)
                        fail_msg("%s: '%s' gave %u %d %d %x", r->why, r->in, got.depth, got.prop,
                                 got.list, got.list_props);
                exact_free(in);
        }
}

static void depth_is_limited_whatever_the_options(void **state)
{
        const odm_uri_limits none = {.max_depth = 0};
        odm_uri u;

        (void)state;
        assert_int_equal(odm_uri_parse(ODM_STR("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/"
                                               "21/22/23/24/25/26/27/28/29/30/31/32"),
                                       &none, &u),
                         0);
        assert_int_equal(u.depth, 32);
        assert_int_equal(odm_uri_parse(ODM_STR("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/"
                                               "21/22/23/24/25/26/27/28/29/30/31/32/33"),
                                       NULL, &u),
                         ODM_ELIMIT);
        assert_int_equal(odm_uri_status(0), 200);
        assert_int_equal(odm_uri_status(ODM_EMALFORMED), 404);
        assert_int_equal(odm_uri_status(ODM_ELIMIT), 414);
        assert_int_equal(odm_uri_status(ODM_EUNSUPPORTED), 406);
        assert_string_equal(odm_prop_name(ODM_PROP_TSTAMP), "TStamp");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(uris_parse_as_the_table_says),
                cmocka_unit_test(depth_is_limited_whatever_the_options),
        };

        return RUN_TESTS(tests);
}
