/* SPDX-License-Identifier: Apache-2.0 */
#include "descriptor.h"

#include "support.h"

#define HEAD "<media xmlns='http://www.openmobilealliance.org/xmlns/dd'>"
#define TYPE "<type>application/octet-stream</type>"
#define SIZE "<size>1234</size>"
#define AT "<objectURI>image.bin</objectURI>"

static const struct row {
        const char *why, *text;
        int rc;
        uint64_t size;
        const char *object, *notify;
} rows[] = {
        {"the least", HEAD TYPE SIZE AT "</media>", 0, 1234, "image.bin", ""},
        {"all that we know",
         HEAD TYPE "<type>x/y</type>" SIZE AT "<installNotifyURI> http://h/done?a=1&amp;b=2 "
                   "</installNotifyURI><DDVersion>1.0</DDVersion></media>",
         0, 1234, "image.bin", "http://h/done?a=1&b=2"},
        {"what we do not know is left out",
         HEAD TYPE SIZE AT "<name>Gateway</name><priority><size>9</size></priority></media>", 0,
         1234, "image.bin", ""},
        {"no namespace, or a prefix",
         "<dd:media xmlns:dd='x'><dd:type>a/b</dd:type><dd:size>1</dd:size>"
         "<dd:objectURI>o</dd:objectURI></dd:media>",
         0, 1, "o", ""},
        {"another version", HEAD TYPE SIZE AT "<DDVersion>2.0</DDVersion></media>",
         ODM_EUNSUPPORTED, 0, NULL, NULL},
        {"no type", HEAD SIZE AT "</media>", ODM_EMALFORMED, 0, NULL, NULL},
        {"no size", HEAD TYPE AT "</media>", ODM_EMALFORMED, 0, NULL, NULL},
        {"no address", HEAD TYPE SIZE "</media>", ODM_EMALFORMED, 0, NULL, NULL},
        {"a size that is none", HEAD TYPE AT "<size>-1</size></media>", ODM_EMALFORMED, 0, NULL,
         NULL},
        {"another root", "<html>" TYPE SIZE AT "</html>", ODM_EMALFORMED, 0, NULL, NULL},
        {"not closed", HEAD TYPE SIZE AT, ODM_EMALFORMED, 0, NULL, NULL},
        {"no XML", "image", ODM_EMALFORMED, 0, NULL, NULL},
        {"nothing", "", ODM_EMALFORMED, 0, NULL, NULL},
        {"declarations", "<!DOCTYPE m [<!ENTITY e 'x'>]>" HEAD TYPE SIZE AT "</media>",
         ODM_EMALFORMED, 0, NULL, NULL},
        {"too deep", HEAD "<a><b><c><d><e><f><g><h/></g></f></e></d></c></b></a></media>",
         ODM_ELIMIT, 0, NULL, NULL},
};

static void descriptors(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str text = exact_copy(rows[i].text);
                descriptor d = {.size = 77};
                int rc = descriptor_parse(text, &d);
                if (rc != rows[i].rc)
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
                assert_int_equal(d.size, rc == 0 ? rows[i].size : 77);
                if (rc == 0) {
                        assert_string_equal(d.object, rows[i].object);
                        assert_string_equal(d.notify, rows[i].notify);
                }
                exact_free(text);
        }
}

static void long_ones_are_refused(void **state)
{
        size_t n = DESCRIPTOR_MAX + 1;
        char *p = malloc(n);
        descriptor d;

        (void)state;
        assert_non_null(p);
        memset(p, ' ', n);
        assert_int_equal(descriptor_parse((odm_str){p, n}, &d), ODM_ELIMIT);
        memset(p, 'x', n);
        memcpy(p, "<media><objectURI>", 18);
        assert_int_equal(descriptor_parse((odm_str){p, DESCRIPTOR_URL + 100}, &d), ODM_ELIMIT);
        free(p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(descriptors),
                cmocka_unit_test(long_ones_are_refused),
        };

        return RUN_TESTS(tests);
}
