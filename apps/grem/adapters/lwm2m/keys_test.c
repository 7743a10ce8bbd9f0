/* SPDX-License-Identifier: Apache-2.0 */
/* keys_test.c - who is believed to be who it says: keys, certificates, and the accounts that are
 * given. */
#include <unistd.h>

#include "cert.h"
#include "stage.h"

#define KEYS                          \
        "# identity, key, endpoint\n" \
        "d1 3031323334353637\n"       \
        "\n"                          \
        "someone 61626364656667686970 urn:dev:os:2-3\n"

static void make_secure(stage *s, const char *keys)
{
        stage_make(s);
        stage_set(s, "listen_secure = 127.0.0.1:0\nkeys = %s\n", stage_file(s, "keys", keys));
}

static void begin_secure(stage *s)
{
        make_secure(s, KEYS);
        stage_open(s);
}

static co_setup secure_device(const char *identity, const char *key)
{
        co_setup c;

        co_setup_init(&c);
        c.security = CO_PSK;
        c.client = true;
        c.identity = odm_cstr(identity);
        c.key = odm_cstr(key);
        return c;
}

static void an_endpoint_is_bound_to_its_key(void **state)
{
        static const struct row {
                const char *why, *identity, *key, *ep; /* no identity: without DTLS */
                uint8_t code;
        } rows[] = {
                {"the identity is the endpoint", "d1", "01234567", "d1", CO_CREATED},
                {"the endpoint is another", "d1", "01234567", "d2", CO_FORBIDDEN},
                {"one that the file gives it", "someone", "abcdefghip", "urn:dev:os:2-3",
                 CO_CREATED},
                {"its identity is not its endpoint", "someone", "abcdefghip", "someone",
                 CO_FORBIDDEN},
                {"a key is needed", NULL, NULL, "d1", CO_FORBIDDEN},
                {"none is needed", NULL, NULL, "d7", CO_CREATED},
        };
        stage s;

        (void)state;
        begin_secure(&s);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                co_setup c = secure_device(r->identity, r->key);
                char query[64];
                device d;

                device_begin(&s, &d, r->identity ? &c : NULL);
                snprintf(query, sizeof query, "ep=%s&lwm2m=1.0", r->ep);
                device_register(&d, query);
                if (d.code != r->code)
                        fail_msg("%s: %x", r->why, d.code);
                device_end(&d);
        }
        stage_end(&s);
}

static void a_registration_is_its_owners(void **state)
{
        stage s;
        co_setup c1 = secure_device("d1", "01234567"), c2 = secure_device("someone", "abcdefghip");
        device d1, d2, plain;

        (void)state;
        begin_secure(&s);
        device_begin(&s, &d1, &c1);
        device_begin(&s, &d2, &c2);
        device_begin(&s, &plain, NULL);
        device_enrol(&d1, "ep=d1&lwm2m=1.0");
        device_observed(&d1); /* over the device's own session */
        assert_int_equal(device_say(&d2, CO_DELETE, d1.location, NULL, NULL), CO_NOT_FOUND);
        assert_int_equal(device_say(&plain, CO_DELETE, d1.location, NULL, NULL), CO_NOT_FOUND);
        assert_int_equal(device_update(&d1), CO_CHANGED);
        /* nor is it taken over without DTLS, by an endpoint whose key is gone or not */
        stage_file(&s, "keys", "d9 3031323334353637\n");
        assert_int_equal(device_register(&plain, "ep=d1&lwm2m=1.0"), CO_FORBIDDEN);
        /* a session that outlived its key */
        assert_int_equal(device_register(&d1, "ep=d1&lwm2m=1.0"), CO_FORBIDDEN);
        /* keys may come while it runs */
        stage_file(&s, "keys", KEYS "d9 3031323334353637\n");
        device_end(&d2);
        c2 = secure_device("d9", "01234567");
        device_begin(&s, &d2, &c2);
        device_enrol(&d2, "ep=d9&lwm2m=1.0");
        stage_end(&s);
}

/* What was asked by the listener of before is cancelled there. */
static void a_device_changes_to_dtls_while_it_is_asked(void **state)
{
        co_setup c = secure_device("d7", "01234567");
        stage s;
        device plain, d;

        (void)state;
        begin_secure(&s);
        device_begin(&s, &plain, NULL);
        device_enrol(&plain, "ep=d7&lwm2m=1.0");
        device_observed(&plain);
        device_end(&plain);
        stage_ask(&s, 30, STAGE_FWV);
        stage_file(&s, "keys", KEYS "d7 3031323334353637\n");
        device_begin(&s, &d, &c);
        device_enrol(&d, "ep=d7&lwm2m=1.0");
        assert_int_equal(s.replied, 0);
        lwm2m_class.cancel(s.adapter, 30);
        loop_skip(10000); /* its deadline */
        stage_pass(&s, 20);
        assert_int_equal(s.replied, 0);
        assert_int_equal(stage_read(&s, 31, STAGE_FWV), 200);
        stage_end(&s);
}

/* Nothing was sent: that is no silence, after which a restart may have been heard. */
static void without_a_session_an_order_is_503(void **state)
{
        co_setup c = secure_device("d1", "01234567");
        stage s;
        device d;

        (void)state;
        begin_secure(&s);
        device_begin(&s, &d, &c);
        device_enrol(&d, "ep=d1&lwm2m=1.0");
        device_observed(&d);
        device_end(&d);
        stage_pass(&s, 50);
        assert_int_equal(stage_read(&s, 1, STAGE_FWV), 503);
        stage_execute(&s, 2, "./LwM2M/3/0/4", ODM_ABSENT);
        assert_int_equal(stage_replied(&s, 2), 503);
        stage_end(&s);
}

static void files_of_keys_that_cannot_be(void **state)
{
        static const struct row {
                const char *why, *text;
        } rows[] = {
                {"no key", "d1\n"},
                {"a key too short to be one", "d1 3031\n"},
                {"no hexadecimal", "d1 303132333435363x\n"},
                {"an octet and a half", "d1 30313233343536373\n"},
                {"a word too many", "d1 3031323334353637 d1 x\n"},
                {"the same twice", "d1 3031323334353637\nd1 3031323334353638\n"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stage s;
                diag d = {0};

                make_secure(&s, rows[i].text);
                if (stage_try(&s, &d) == 0 || !d.text[0])
                        fail_msg("%s: taken", rows[i].why);
                stage_end(&s);
        }
}

static void without_protection_it_listens_here_only(void **state)
{
        static const struct row {
                const char *why, *set;
                int rc;
        } rows[] = {
                {"all addresses", "listen = :0\n", ODM_EINVAL},
                {"one of a network", "listen = 192.0.2.1:0\n", ODM_EINVAL},
                {"no address", "listen = here\n", ODM_EINVAL},
                {"DTLS without keys", "listen_secure = 127.0.0.1:0\n", ODM_EINVAL},
                {"all addresses, meant so", "listen = :0\ninsecure = yes\n", 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stage s;
                diag d = {0};
                int rc;

                stage_make(&s);
                stage_set(&s, "%s", rows[i].set);
                rc = stage_try(&s, &d);
                if (rc != rows[i].rc || (rc < 0) != (d.text[0] != 0))
                        fail_msg("%s: %s %s", rows[i].why, odm_err_name(rc), d.text);
                stage_end(&s);
        }
}

static void a_certificate_names_the_endpoint(void **state)
{
        static const char *const names[] = {"ca.pem", "ca.key", "gw.pem",
                                            "gw.key", "d.pem",  "d.key"};
        char f[6][96];
        stage s;
        device d;
        co_setup c;

        (void)state;
        stage_make(&s);
        for (size_t i = 0; i < 6; i++)
                snprintf(f[i], sizeof f[i], "%s/%s", s.folder, names[i]);
        assert_int_equal(cert_make_ca("ca", 2, f[0], f[1], NULL), 0);
        assert_int_equal(cert_make(&(cert_request){.common_name = "gw", .days = 2, .server = true},
                                   f[0], f[1], f[2], f[3], NULL),
                         0);
        assert_int_equal(cert_make(&(cert_request){.common_name = "d1", .days = 2, .client = true},
                                   f[0], f[1], f[4], f[5], NULL),
                         0);
        stage_set(&s, "listen_secure = 127.0.0.1:0\ncert = %s\nkey = %s\nclient_ca = %s\n", f[2],
                  f[3], f[0]);
        stage_open(&s);
        co_setup_init(&c);
        c.security = CO_CERT;
        c.client = true;
        c.ca_file = f[0];
        c.cert_file = f[4];
        c.key_file = f[5];
        device_begin(&s, &d, &c);
        assert_int_equal(device_register(&d, "ep=d2&lwm2m=1.0"), CO_FORBIDDEN);
        device_enrol(&d, "ep=d1&lwm2m=1.0");
        device_observed(&d);
        for (size_t i = 0; i < 6; i++)
                assert_int_equal(unlink(f[i]), 0);
        stage_end(&s);
}

static void a_device_is_given_its_account(void **state)
{
        stage s;
        device d;
        char set[160];
        /* /0/1: its URI, no bootstrap server, PSK, identity, key, short id */
        static const char security[] = "\xc8\x00\x0e"
                                       "coaps://gw:568"
                                       "\xc1\x01\x00"
                                       "\xc1\x02\x00"
                                       "\xc2\x03"
                                       "id"
                                       "\xc0\x04"
                                       "\xc8\x05\x08"
                                       "01234567"
                                       "\xc1\x0a\x01";

        (void)state;
        stage_begin_with(&s, &d, "", NULL);
        snprintf(set, sizeof set, "lwm2m.bootstrap=%s",
                 stage_file(&s, "accounts",
                            "# accounts\nd1 coaps://gw:568 id 3031323334353637\n"
                            "d2 coap://gw:5683\n"));
        assert_int_equal(cfg_set(s.conf, set, NULL), 0);
        assert_int_equal(device_say(&d, CO_POST, "bs", "ep=d1", NULL), CO_CHANGED);
        stage_until(&s, d.asked, "POST bs\n");
        assert_string_equal(d.asked, "DELETE \nPUT 0/1\nPUT 1/1\nPOST bs\n");
        assert_non_null(memmem(d.all, d.all_n, security, sizeof security - 1));

        assert_int_equal(device_say(&d, CO_POST, "bs", "ep=nobody", NULL), CO_BAD_REQUEST);
        assert_int_equal(device_say(&d, CO_POST, "bs", NULL, NULL), CO_BAD_REQUEST);
        assert_int_equal(cfg_set(s.conf, "lwm2m.insecure=yes", NULL), 0);
        /* no keys over a network that is open */
        assert_int_equal(device_say(&d, CO_POST, "bs", "ep=d1", NULL), CO_FORBIDDEN);
        d.asked[0] = 0;
        assert_int_equal(device_say(&d, CO_POST, "bs", "ep=d2", NULL), CO_CHANGED);
        stage_until(&s, d.asked, "POST bs\n");
        stage_file(&s, "accounts", "d3\n"); /* a line that is none */
        assert_int_equal(device_say(&d, CO_POST, "bs", "ep=d3", NULL), CO_SERVER_ERROR);
        stage_end(&s);
}

/* It restarted meanwhile: what was under way would mix with what it is given now. */
static void one_that_asks_anew_is_given_its_account_anew(void **state)
{
        stage s;
        device d;
        char set[160];

        (void)state;
        stage_begin_with(&s, &d, "", NULL);
        snprintf(set, sizeof set, "lwm2m.bootstrap=%s",
                 stage_file(&s, "accounts", "d1 coap://gw:568\n"));
        assert_int_equal(cfg_set(s.conf, set, NULL), 0);
        d.mute = CO_PUT;
        assert_int_equal(device_say(&d, CO_POST, "bs", "ep=d1", NULL), CO_CHANGED);
        stage_until(&s, d.asked, "PUT 0/1\n");
        d.mute = 0;
        d.asked[0] = 0;
        assert_int_equal(device_say(&d, CO_POST, "bs", "ep=d1", NULL), CO_CHANGED);
        stage_until(&s, d.asked, "POST bs\n");
        stage_pass(&s, 200);
        assert_string_equal(d.asked, "DELETE \nPUT 0/1\nPUT 1/1\nPOST bs\n");
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_endpoint_is_bound_to_its_key),
                cmocka_unit_test(a_registration_is_its_owners),
                cmocka_unit_test(a_device_changes_to_dtls_while_it_is_asked),
                cmocka_unit_test(without_a_session_an_order_is_503),
                cmocka_unit_test(files_of_keys_that_cannot_be),
                cmocka_unit_test(without_protection_it_listens_here_only),
                cmocka_unit_test(a_certificate_names_the_endpoint),
                cmocka_unit_test(a_device_is_given_its_account),
                cmocka_unit_test(one_that_asks_anew_is_given_its_account_anew),
        };

        return RUN_TESTS(tests);
}
