/* SPDX-License-Identifier: Apache-2.0 */
#include "odm/notify.h"

#include "support.h"

static const struct vector {
        const char *why, *server, *password;
        uint16_t version, session;
        odm_ui_mode ui;
        bool by_server;
        const char *nonce; /* hex */
        const char *trigger, *digest, *session_text;
        odm_notify_check check; /* against the stored nonce a0..af or "nonce" */
} vectors[] = {
        {"stored nonce", "com.mgmtsrv.manage", "srv-pass", 11, 0x1234, ODM_UI_BACKGROUND, false,
         "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", "02d0000000123412636f6d2e6d676d747372762e6d616e616765",
         "c3bd3cd50a5d3c74dec33b19f3bb674e", "1234", ODM_NOTIFY_GOOD},
        {"four zero octets", "com.mgmtsrv.manage", "srv-pass", 11, 0x1234, ODM_UI_BACKGROUND, false,
         "00000000", "02d0000000123412636f6d2e6d676d747372762e6d616e616765",
         "364f84071188c374543f01282a33a588", "1234", ODM_NOTIFY_RESYNC},
        {"ten characters", "com.mgmtsrv.manage", "srv-pass", 11, 0x1234, ODM_UI_BACKGROUND, false,
         "30783030303030303030", "02d0000000123412636f6d2e6d676d747372762e6d616e616765",
         "7fb1e35dbcda6912d1339a7cdd144100", "1234", ODM_NOTIFY_RESYNC_ASCII},
        {"another server", "srv1", "pw", 11, 0x000a, ODM_UI_INFORMATIVE, true, "6e6f6e6365",
         "02e8000000000a0473727631", "d7c60738e9d215c43c76d0c6f02bec22", "A", ODM_NOTIFY_FORGED},
        {"version 11", "srv1", "pw", 11, 1, ODM_UI_BACKGROUND, true, "00",
         "02d800000000010473727631", NULL, "1", ODM_NOTIFY_FORGED},
        {"version 12", "srv1", "pw", 12, 1, ODM_UI_BACKGROUND, true, "00",
         "031800000000010473727631", NULL, "1", ODM_NOTIFY_FORGED},
        {"version 13", "srv1", "pw", 13, 1, ODM_UI_BACKGROUND, true, "00",
         "035800000000010473727631", NULL, "1", ODM_NOTIFY_FORGED},
};

static odm_nonce nonce_hex(const char *hex)
{
        odm_str s = from_hex(hex);
        odm_nonce n = {.n = (uint8_t)s.n};

        memcpy(n.p, s.p, s.n);
        exact_free(s);
        return n;
}

static odm_notification fields(const struct vector *v)
{
        return (odm_notification){.version = v->version,
                                  .ui = v->ui,
                                  .by_server = v->by_server,
                                  .session_id = v->session,
                                  .server_id = odm_cstr(v->server)};
}

static void package_0_agrees_with_the_vectors(void **state)
{
        const odm_nonce stored = nonce_hex("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(vectors); i++) {
                const struct vector *v = &vectors[i];
                odm_notification n = fields(v), back;
                odm_nonce nonce = nonce_hex(v->nonce);
                odm_str trigger = from_hex(v->trigger);
                odm_secret s;
                odm_buf b;
                char text[5];
                odm_secret_of(odm_cstr(v->server), odm_cstr(v->password), &s);
                odm_buf_init(&b, &heap, 1000);
                assert_int_equal(odm_notify_make(&n, &s, &nonce, &b), 0);
                odm_str got = exact_bytes(b.p, b.n);
                assert_octets(odm_str_from(got, 16), trigger);
                if (v->digest) {
                        odm_str digest = from_hex(v->digest);
                        assert_octets(odm_str_to(got, 16), digest);
                        exact_free(digest);
                        assert_int_equal(odm_notify_verify(got, &s, &stored), v->check);
                        assert_int_equal(odm_notify_verify(got, &s, &nonce), ODM_NOTIFY_GOOD);
                }
                assert_int_equal(odm_notify_parse(got, &back), 0);
                assert_int_equal(back.version, v->version);
                assert_int_equal(back.ui, v->ui);
                assert_int_equal(back.by_server, v->by_server);
                assert_int_equal(back.session_id, v->session);
                assert_str(back.server_id, v->server);
                assert_int_equal(back.vendor.n, 0);
                odm_notify_session(v->session, text);
                assert_string_equal(text, v->session_text);
                exact_free(got);
                exact_free(trigger);
                odm_buf_done(&b);
        }
}

static void every_changed_bit_is_a_forgery(void **state)
{
        odm_notification n = fields(&vectors[0]);
        const odm_nonce nonce = nonce_hex(vectors[0].nonce);
        odm_secret s;
        odm_buf b;

        (void)state;
        n.vendor = ODM_STR("vendor's own");
        odm_secret_of(n.server_id, ODM_STR("srv-pass"), &s);
        odm_buf_init(&b, &heap, 1000);
        assert_int_equal(odm_notify_make(&n, &s, &nonce, &b), 0);
        assert_int_equal(odm_notify_verify(odm_buf_view(&b), &s, &nonce), ODM_NOTIFY_GOOD);
        for (size_t bit = 0; bit < b.n * 8; bit++) {
                b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
                assert_int_equal(odm_notify_verify(odm_buf_view(&b), &s, &nonce),
                                 ODM_NOTIFY_FORGED);
                b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
        }
        odm_buf_done(&b);
}

static void layouts_parse_as_the_table_says(void **state)
{
#define D "00000000000000000000000000000000"
        static const struct row {
                const char *why, *hex;
                int rc;
        } rows[] = {
                {"the least", D "02d8000000000101 41", 0},
                {"a vendor body", D "02d8000000000101 41 0102", 0},
                {"version 10", D "0280000000000101 41", 0},
                {"future-use bits set", D "02dfffffff000101 41", 0},
                {"version 9", D "0240000000000101 41", ODM_EMALFORMED},
                {"version 14", D "0380000000000101 41", ODM_EMALFORMED},
                {"session 0", D "02d8000000000001 41", ODM_EMALFORMED},
                {"no server", D "02d8000000000100", ODM_EMALFORMED},
                {"the server cut short", D "02d8000000000102 41", ODM_EMALFORMED},
                {"no trigger", D, ODM_EMALFORMED},
                {"nothing", "", ODM_EMALFORMED},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_notification n = {.version = 99};
                odm_str in = from_hex(rows[i].hex);
                int rc = odm_notify_parse(in, &n);
                if (rc != rows[i].rc || (rc < 0 && n.version != 99))
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
                exact_free(in);
        }
}

static void fields_out_of_range_are_not_made(void **state)
{
        static char long_id[256];
        const odm_notification good = fields(&vectors[0]);
        odm_notification bad[6] = {good, good, good, good, good, good};
        const odm_nonce nonce = {.n = 0};
        const odm_secret s = {"x"};
        odm_buf b;

        (void)state;
        memset(long_id, 'x', sizeof long_id);
        bad[0].version = 9;
        bad[1].version = 14;
        bad[2].session_id = 0;
        bad[3].server_id = ODM_ABSENT;
        bad[4].server_id = (odm_str){long_id, 256};
        bad[5].vendor = (odm_str){long_id, 600};
        odm_buf_init(&b, &heap, 1000);
        for (size_t i = 0; i < ODM_COUNT(bad); i++)
                assert_int_equal(odm_notify_make(&bad[i], &s, &nonce, &b), ODM_EINVAL);
        assert_int_equal(b.n, 0);
        odm_buf_done(&b);
        odm_buf_init(&b, &heap, 30);
        assert_int_equal(odm_notify_make(&good, &s, &nonce, &b), ODM_ELIMIT);
        assert_int_equal(b.n, 0);
        odm_buf_done(&b);
}

#define P0 D "02d8000000000101 41"

static void datagrams_unwrap_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *hex;
                int rc;
                size_t n; /* octets of package 0 */
        } rows[] = {
                {"the usual push", "010603c4af87" P0, 0, 25},
                {"the newer type", "010603d8af87" P0, 0, 25},
                {"no application id", "010601c4" P0, 0, 25},
                {"type with parameters", "01060403c48183" P0, 0, 25},
                {"quoted length", "0106041f02c481" P0, 0, 25},
                {"type as text",
                 "010624"
                 "6170706c69636174696f6e2f766e642e73796e636d6c2e6e6f74696669636174696f6e00" P0,
                 0, 25},
                {"bare package 0", P0, 0, 25},
                {"another type", "010603b6af87" P0, ODM_EMALFORMED, 0},
                {"another PDU", "010703c4af87" P0, ODM_EMALFORMED, 0},
                {"headers past the end", "01067fc4af87", ODM_EMALFORMED, 0},
                {"a length that never ends", "0106ffffffffff", ODM_EMALFORMED, 0},
                {"no headers", "010600" P0, ODM_EMALFORMED, 0},
                {"a push of nothing", "010603c4af87", ODM_EMALFORMED, 0},
                {"nothing", "", ODM_EMALFORMED, 0},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = from_hex(rows[i].hex), out = ODM_STR("before");
                int rc = odm_wsp_unwrap(in, &out);
                if (rc != rows[i].rc || (rc == 0 && out.n != rows[i].n))
                        fail_msg("%s: %s, %zu octets", rows[i].why, odm_err_name(rc), out.n);
                if (rc == 0)
                        assert_ptr_equal(out.p + out.n, in.p + in.n);
                else
                        assert_str(out, "before");
                exact_free(in);
        }
}

static void a_push_is_wrapped_as_the_example(void **state)
{
        odm_str want = from_hex("010603c4af87c3bd3cd50a5d3c74dec33b19f3bb674e02d00000001234"
                                "12636f6d2e6d676d747372762e6d616e616765");
        odm_buf b;

        (void)state;
        odm_buf_init(&b, &heap, 200);
        assert_int_equal(odm_wsp_wrap(1, odm_str_from(want, 6), &b), 0);
        assert_octets(odm_buf_view(&b), want);
        odm_buf_done(&b);
        odm_buf_init(&b, &heap, 10);
        assert_int_equal(odm_wsp_wrap(1, odm_str_from(want, 6), &b), ODM_ELIMIT);
        assert_int_equal(b.n, 0);
        odm_buf_done(&b);
        exact_free(want);
}

static void parts_of_any_push_are_found(void **state)
{
        static const struct row {
                const char *why, *hex, *type, *body;
        } rows[] = {
                {"a code", "010601b6 6162", "b6", "6162"},
                {"a code, other headers behind it", "010603c2af87 61", "c2", "61"},
                {"with parameters", "01060403b69181 61", "b69181", "61"},
                {"with a quoted length", "0106071f05c291819200 61", "c291819200", "61"},
                {"a length past the headers", "0106030ab691 61", "b691", "61"},
                {"no type in it", "01060100 61", NULL, NULL},
                {"no headers", "010600 61", NULL, NULL},
                {"another PDU", "010401b6 61", NULL, NULL},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = from_hex(rows[i].hex), type = ODM_ABSENT, body = ODM_ABSENT;
                int rc = odm_wsp_parts(in, &type, &body);
                if (rc != (rows[i].type ? 0 : ODM_EMALFORMED) || (rc < 0 && type.p))
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
                if (rc == 0) {
                        odm_str want_type = from_hex(rows[i].type), want = from_hex(rows[i].body);
                        assert_octets(type, want_type);
                        assert_octets(body, want);
                        exact_free(want_type);
                        exact_free(want);
                }
                exact_free(in);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(package_0_agrees_with_the_vectors),
                cmocka_unit_test(every_changed_bit_is_a_forgery),
                cmocka_unit_test(layouts_parse_as_the_table_says),
                cmocka_unit_test(fields_out_of_range_are_not_made),
                cmocka_unit_test(datagrams_unwrap_as_the_table_says),
                cmocka_unit_test(parts_of_any_push_are_found),
                cmocka_unit_test(a_push_is_wrapped_as_the_example),
        };
        return RUN_TESTS(tests);
}
