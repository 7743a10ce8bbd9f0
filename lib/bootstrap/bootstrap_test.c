/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "support.h"
#include "vectors.h"

#define IMSI "234150123456789"
#define SERVER "com.mgmtsrv.manage"
#define WBXML2XML "/usr/bin/wbxml2xml"

static void reads(struct boot_device *d, const char *uri, const char *want)
{
        odm_op op = {.kind = ODM_CMD_GET, .target = odm_cstr(uri)};
        odm_answer got = {.status = 0};

        assert_int_equal(odm_tree_do(d->tree, &op, (odm_wall){1}, &d->a, &got), 0);
        if (want == NULL) {
                assert_int_equal(got.status, 404);
                return;
        }
        if (got.status != 200)
                fail_msg("%s: %u", uri, got.status);
        assert_str(got.results->value.data, want);
}

/* ---- what proves a message ---------------------------------------------------------------- */

static const struct proof {
        const char *why;
        odm_boot_profile profile;
        odm_boot_sec sec;
        const char *network, *pin, *doc, *mac;
} proofs[] = {
        {"USERPIN", ODM_BOOT_CP, ODM_BOOT_USER, NULL, "1234", "03a4016a0074657374",
         "6D75E3358B0700975F1992C0D97B0E27EC1061DA"},
        {"NETWPIN", ODM_BOOT_CP, ODM_BOOT_NETWORK, IMSI, NULL, "03a4016a0074657374",
         "B2FF9CC0C8B5538BD3D7E6326EF6FA460859693B"},
        {"USERNETWPIN", ODM_BOOT_CP, ODM_BOOT_USER_NETWORK, IMSI, "1234", "03a4016a0074657374",
         "E055277E77C2C82534509F55ED68F2B5B5F98730"},
        {"USERPIN of the account", ODM_BOOT_CP, ODM_BOOT_USER, NULL, "1234", cp_hex,
         "8EDB4880071C8AA54BBDC4797A991D9A1E0D2036"},
        {"NETWPIN of the account", ODM_BOOT_CP, ODM_BOOT_NETWORK, IMSI, NULL, cp_hex,
         "1B93D671440A1CCC23C0D2F5EF7F194EF2782274"},
        {"DM, USERPIN", ODM_BOOT_DM, ODM_BOOT_USER, NULL, "1234", account_hex,
         "09BE915A51AAF607301F252EAA328688A38B9409"},
        {"DM, NETWORKID", ODM_BOOT_DM, ODM_BOOT_NETWORK, IMSI, NULL, account_hex,
         "364882E09605336D87B3070DFEEE4494201A8F16"},
        {"DM, USERPIN_NETWORKID", ODM_BOOT_DM, ODM_BOOT_USER_NETWORK, IMSI, "1234", account_hex,
         "620878F33B7607CE3F6DE0115A76950057B756DB"},
};

static odm_boot signed_by(const struct proof *p, odm_str doc)
{
        const odm_boot_keys keys = {odm_cstr(p->network), odm_cstr(p->pin)};
        odm_boot b = {.tries = 0};

        assert_int_equal(odm_boot_sign(p->profile, p->sec, &keys, doc, &b), 0);
        return b;
}

static void macs_are_those_of_the_specification(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(proofs); i++) {
                const struct proof *p = &proofs[i];
                const odm_boot_keys keys = {odm_cstr(p->network), odm_cstr(p->pin)};
                odm_str doc = from_hex(p->doc), mac = from_hex(p->mac);
                odm_boot b = signed_by(p, doc);
                if (memcmp(b.mac, mac.p, sizeof b.mac) != 0)
                        fail_msg("%s", p->why);
                assert_int_equal(odm_boot_prove(&b, &keys), ODM_BOOT_GOOD);
                assert_true(b.proven);
                exact_free(doc);
                exact_free(mac);
        }
}

/* C3: the text does not fix the form of an IMSI in the DM profile */
static void an_imsi_proves_a_dm_message_in_both_forms(void **state)
{
        const odm_boot_keys keys = {.network = ODM_STR(IMSI)};
        odm_str doc = from_hex(account_hex),
                mac = from_hex("3B9CD46D40B35180DCB894C1DA81F8217F113EAA");
        odm_boot b = {.profile = ODM_BOOT_DM, .sec = ODM_BOOT_NETWORK, .doc = doc, .tries = 3};

        (void)state;
        memcpy(b.mac, mac.p, sizeof b.mac);
        assert_int_equal(odm_boot_prove(&b, &keys), ODM_BOOT_GOOD);
        exact_free(doc);
        exact_free(mac);
}

static void even_and_other_network_keys(void **state)
{
        /* 14 digits: 21435110325476f8; what is no number goes as it is */
        const odm_boot_keys even = {.network = ODM_STR("23415012345678")};
        const odm_boot_keys raw = {.network = ODM_STR("\x21\x43\x51\x10\x32\x54\x76\xf8")};
        odm_str doc = ODM_STR("document");
        odm_boot b;

        (void)state;
        assert_int_equal(odm_boot_sign(ODM_BOOT_CP, ODM_BOOT_NETWORK, &even, doc, &b), 0);
        assert_int_equal(odm_boot_prove(&b, &raw), ODM_BOOT_GOOD);
}

static void a_pin_can_be_the_proof(void **state)
{
        odm_str doc = from_hex("03a4016a0074657374");
        odm_boot b = {.profile = ODM_BOOT_CP, .sec = ODM_BOOT_USER_MAC, .doc = doc, .tries = 3};
        odm_boot_keys keys = {.pin = ODM_STR("1234585676")};
        char pin[ODM_BOOT_PIN_TEXT] = "untouched";

        (void)state;
        assert_int_equal(odm_boot_prove(&b, &keys), ODM_BOOT_AGAIN);
        assert_int_equal(odm_boot_pin(ODM_STR("12345"), doc, pin), 0);
        assert_string_equal(pin, "1234585675");
        keys.pin = odm_cstr(pin);
        assert_int_equal(odm_boot_prove(&b, &keys), ODM_BOOT_GOOD);
        keys.pin = ODM_STR("123458567"); /* an odd number of digits is none of them */
        assert_int_equal(odm_boot_prove(&b, &keys), ODM_BOOT_AGAIN);
        assert_int_equal(odm_boot_pin(ODM_STR(""), doc, pin), ODM_EINVAL);
        assert_int_equal(odm_boot_pin(ODM_STR("12a"), doc, pin), ODM_EINVAL);
        assert_int_equal(odm_boot_pin(ODM_STR("123456789012345678901"), doc, pin), ODM_EINVAL);
        assert_string_equal(pin, "1234585675");
        exact_free(doc);
}

static void a_user_has_three_tries(void **state)
{
        const odm_boot_keys none = {.pin = ODM_ABSENT}, wrong = {.pin = ODM_STR("0000")};
        const odm_boot_keys right = {.pin = ODM_STR("1234")};
        odm_str doc = ODM_STR("document");
        odm_boot b;

        (void)state;
        assert_int_equal(odm_boot_sign(ODM_BOOT_DM, ODM_BOOT_USER, &right, doc, &b), 0);
        assert_int_equal(odm_boot_prove(&b, &none), ODM_BOOT_AGAIN); /* asked for, not tried */
        assert_int_equal(odm_boot_prove(&b, &wrong), ODM_BOOT_AGAIN);
        assert_int_equal(odm_boot_prove(&b, &wrong), ODM_BOOT_AGAIN);
        assert_int_equal(odm_boot_prove(&b, &wrong), ODM_BOOT_DISCARD);
        assert_int_equal(odm_boot_prove(&b, &right), ODM_BOOT_DISCARD);
        assert_false(b.proven);
}

static void what_the_network_knows_is_not_asked_for(void **state)
{
        const odm_boot_keys both = {ODM_STR(IMSI), ODM_STR("1234")};
        const odm_boot_keys other = {ODM_STR("234150123456780"), ODM_STR("1234")};
        const odm_boot_keys pin = {.pin = ODM_STR("1234")};
        odm_str doc = ODM_STR("document");
        odm_boot b;

        (void)state;
        assert_int_equal(odm_boot_sign(ODM_BOOT_CP, ODM_BOOT_NETWORK, &both, doc, &b), 0);
        assert_int_equal(odm_boot_prove(&b, &other), ODM_BOOT_DISCARD);
        assert_int_equal(odm_boot_sign(ODM_BOOT_CP, ODM_BOOT_NETWORK, &both, doc, &b), 0);
        assert_int_equal(odm_boot_prove(&b, &pin), ODM_BOOT_DISCARD); /* no SIM */
        assert_int_equal(odm_boot_sign(ODM_BOOT_CP, ODM_BOOT_USER_NETWORK, &both, doc, &b), 0);
        assert_int_equal(odm_boot_prove(&b, &pin), ODM_BOOT_DISCARD);
}

static void keys_out_of_range_sign_nothing(void **state)
{
        static char many[200];
        const struct {
                odm_boot_profile profile;
                odm_boot_sec sec;
                odm_boot_keys keys;
        } rows[] = {
                {ODM_BOOT_DM, ODM_BOOT_USER, {.network = ODM_STR(IMSI)}},
                {ODM_BOOT_DM, ODM_BOOT_NETWORK, {.pin = ODM_STR("1")}},
                {ODM_BOOT_DM, ODM_BOOT_USER_NETWORK, {.pin = ODM_STR("1")}},
                {ODM_BOOT_DM, ODM_BOOT_USER_MAC, {.pin = ODM_STR("1")}},
                {ODM_BOOT_CP, ODM_BOOT_USER, {.pin = {many, ODM_BOOT_PIN_MAX + 1}}},
                {ODM_BOOT_CP, ODM_BOOT_NETWORK, {.network = {many, 129}}},
        };
        odm_boot b = {.tries = 99};

        (void)state;
        memset(many, '7', sizeof many);
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                assert_int_equal(odm_boot_sign(rows[i].profile, rows[i].sec, &rows[i].keys,
                                               ODM_STR("x"), &b),
                                 ODM_EINVAL);
        assert_int_equal(b.tries, 99);
        const odm_boot_keys most = {{many, 128}, {many, ODM_BOOT_PIN_MAX}};
        assert_int_equal(odm_boot_sign(ODM_BOOT_DM, ODM_BOOT_USER_NETWORK, &most, ODM_STR("x"), &b),
                         0);
}

/* ---- carriers ------------------------------------------------------------------------------- */

#define MAC "6D75E3358B0700975F1992C0D97B0E27EC1061DA"
#define MAC_HEX "36443735453333353842303730303937354631393932433044393742304532374543313036314441"

static const struct carrier {
        const char *why, *text, *hex; /* one of both */
        int rc;
        odm_boot_profile profile;
        odm_boot_sec sec;
} carriers[] = {
        {"the push of C2.1", NULL, "01062f1f2db6918192" MAC_HEX "00 64", 0, ODM_BOOT_CP,
         ODM_BOOT_USER},
        {"DM in a push", NULL, "0106311f2dc2918092" MAC_HEX "00 af87 64", 0, ODM_BOOT_DM,
         ODM_BOOT_NETWORK},
        {"type and SEC as text", NULL,
         "0106581f56 6170706c69636174696f6e2f766e642e73796e636d6c2e646d2b7762786d6c00"
         "91 5553455250494e00 4d414300" MAC_HEX "00 64",
         0, ODM_BOOT_DM, ODM_BOOT_USER},
        {"a parameter nobody knows", NULL, "0106311f2fb68183918192" MAC_HEX "00 64", 0, ODM_BOOT_CP,
         ODM_BOOT_USER},
        {"the PIN proves it", NULL, "01060403b69183 64", 0, ODM_BOOT_CP, ODM_BOOT_USER_MAC},
        {"nothing proves it", NULL, "010601b6 64", ODM_EACCESS, 0, 0},
        {"SEC without MAC", NULL, "01060403b69181 64", ODM_EACCESS, 0, 0},
        {"MAC without SEC", NULL, "01062d1f2bb692" MAC_HEX "00 64", ODM_EACCESS, 0, 0},
        {"DM has no USERPINMAC", NULL, "0106311f2dc2918392" MAC_HEX "00 af87 64", ODM_EACCESS, 0,
         0},
        {"SEC twice", NULL, "0106311f2fb691819181 92" MAC_HEX "00 64", ODM_EMALFORMED, 0, 0},
        {"SEC 4", NULL, "01062f1f2db6918492" MAC_HEX "00 64", ODM_EMALFORMED, 0, 0},
        {"a short MAC", NULL, "01060806b6918192 410064", ODM_EMALFORMED, 0, 0},
        {"a MAC that never ends", NULL, "01060605b691819241 64", ODM_EMALFORMED, 0, 0},
        {"another type", NULL, "010601c4 64", ODM_EUNSUPPORTED, 0, 0},
        {"no document", NULL, "01062f1f2db6918192" MAC_HEX "00", ODM_EMALFORMED, 0, 0},
        {"MIME", "Content-Type: application/vnd.syncml.dm+wbxml; SEC=USERPIN; MAC=" MAC "\r\n\r\nd",
         NULL, 0, ODM_BOOT_DM, ODM_BOOT_USER},
        {"letters of either case, quotes, other lines",
         "Subject: hello\ncontent-type:APPLICATION/VND.WAP.CONNECTIVITY-WBXML;sec=\"1\" ;"
         "charset=x;mac=6d75e3358b0700975f1992c0d97b0e27ec1061da\n\nd",
         NULL, 0, ODM_BOOT_CP, ODM_BOOT_USER},
        {"MIME, unsigned", "Content-Type: application/vnd.syncml.dm+wbxml\r\n\r\nd", NULL,
         ODM_EACCESS, 0, 0},
        {"an unknown SEC",
         "Content-Type: application/vnd.syncml.dm+wbxml; SEC=NONE; MAC=" MAC "\n\nd", NULL,
         ODM_EMALFORMED, 0, 0},
        {"two MACs",
         "Content-Type: application/vnd.syncml.dm+wbxml; SEC=1; MAC=" MAC "; MAC=" MAC "\n\nd",
         NULL, ODM_EMALFORMED, 0, 0},
        {"no such hexadecimal",
         "Content-Type: application/vnd.syncml.dm+wbxml; SEC=1; "
         "MAC=GD75E3358B0700975F1992C0D97B0E27EC1061DA\n\nd",
         NULL, ODM_EMALFORMED, 0, 0},
        {"two types", "Content-Type: application/vnd.syncml.dm+wbxml; SEC=1\nContent-Type: x\n\nd",
         NULL, ODM_EMALFORMED, 0, 0},
        {"a message in XML", "Content-Type: application/vnd.syncml.dm+xml; SEC=1; MAC=" MAC "\n\nd",
         NULL, ODM_EUNSUPPORTED, 0, 0},
        {"no type", "Subject: x\n\nd", NULL, ODM_EMALFORMED, 0, 0},
        {"no end of the header", "Content-Type: application/vnd.syncml.dm+wbxml; SEC=1", NULL,
         ODM_EMALFORMED, 0, 0},
        {"nothing", "", NULL, ODM_EMALFORMED, 0, 0},
};

static void carriers_come_off_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(carriers); i++) {
                const struct carrier *c = &carriers[i];
                odm_str in = c->hex ? from_hex(c->hex) : exact_copy(c->text);
                odm_boot b = {.tries = 99};
                int rc = odm_boot_parse(in, &b);
                if (rc != c->rc || (rc < 0 && b.tries != 99))
                        fail_msg("%s: %s", c->why, odm_err_name(rc));
                if (rc == 0 && (b.profile != c->profile || b.sec != c->sec || b.proven ||
                                b.tries != ODM_BOOT_TRIES || !odm_str_is(b.doc, "d")))
                        fail_msg("%s", c->why);
                exact_free(in);
        }
}

static void too_much_is_not_looked_at(void **state)
{
        char *p = calloc(1, ODM_BOOT_MAX + 1);
        odm_boot b;

        (void)state;
        assert_non_null(p);
        assert_int_equal(odm_boot_parse((odm_str){p, ODM_BOOT_MAX + 1}, &b), ODM_ELIMIT);
        free(p);
}

static void what_is_put_on_comes_off(void **state)
{
        (void)state;
        for (size_t i = 0; i <= ODM_COUNT(proofs); i++)
                for (int push = 0; push < 2; push++) {
                        odm_str doc = from_hex(i ? proofs[i - 1].doc : "6465");
                        odm_boot b = {.profile = ODM_BOOT_CP, .sec = ODM_BOOT_USER_MAC, .doc = doc};
                        odm_boot got;
                        odm_buf out;
                        if (i)
                                b = signed_by(&proofs[i - 1], doc);
                        odm_buf_init(&out, &heap, MOST);
                        assert_int_equal(push ? odm_boot_put_push(&b, 1, &out)
                                              : odm_boot_put_mime(&b, &out),
                                         0);
                        assert_int_equal(odm_boot_parse(odm_buf_view(&out), &got), 0);
                        assert_int_equal(got.profile, b.profile);
                        assert_int_equal(got.sec, b.sec);
                        assert_memory_equal(got.mac, b.mac, sizeof b.mac);
                        assert_octets(got.doc, doc);
                        odm_buf_done(&out);
                        odm_buf_init(&out, &heap, 5); /* no room: nothing is written */
                        assert_int_equal(push ? odm_boot_put_push(&b, 1, &out)
                                              : odm_boot_put_mime(&b, &out),
                                         ODM_ELIMIT);
                        assert_int_equal(out.n, 0);
                        odm_buf_done(&out);
                        exact_free(doc);
                }
}

static void the_push_of_client_provisioning_is_that_of_the_text(void **state)
{
        odm_str doc = from_hex("03a4016a0074657374");
        odm_str want = from_hex("01062f1f2db6918192" MAC_HEX "00 03a4016a0074657374");
        odm_boot b = signed_by(&proofs[0], doc);
        odm_buf out;

        (void)state;
        odm_buf_init(&out, &heap, MOST);
        assert_int_equal(odm_boot_put_push(&b, 1, &out), 0);
        assert_octets(odm_buf_view(&out), want);
        odm_buf_done(&out);
        exact_free(doc);
        exact_free(want);
}

static void words_of_sec(void **state)
{
        odm_boot_sec s;

        (void)state;
        for (int p = 0; p < 2; p++)
                for (int i = 0; i < 4; i++) {
                        const char *name = odm_boot_sec_name((odm_boot_profile)p, (odm_boot_sec)i);
                        if (name == NULL) {
                                assert_true(p == ODM_BOOT_DM && i == ODM_BOOT_USER_MAC);
                                continue;
                        }
                        assert_int_equal(odm_boot_sec_parse(odm_cstr(name), &s), 0);
                        assert_int_equal(s, i);
                }
        assert_int_equal(odm_boot_sec_parse(ODM_STR("3"), &s), 0);
        assert_int_equal(s, ODM_BOOT_USER_MAC);
        assert_int_equal(odm_boot_sec_parse(ODM_STR("4"), &s), ODM_EMALFORMED);
        assert_int_equal(odm_boot_sec_parse(ODM_STR(""), &s), ODM_EMALFORMED);
}

/* ---- documents -------------------------------------------------------------------------- */

static odm_boot_offer cp_offer(void)
{
        return (odm_boot_offer){.account = {.server_id = ODM_STR("dm.example"),
                                            .addr = ODM_STR("http://dm.example/s"),
                                            .user = ODM_STR("dev-0001"),
                                            .password = ODM_STR("s3cr3t-pw"),
                                            .type = ODM_AUTH_MD5},
                                .name = ODM_STR("Example DM")};
}

static odm_boot_offer dm_offer(void)
{
        odm_boot_offer o = {.account = {.server_id = ODM_STR(SERVER),
                                        .addr = ODM_STR("http://dm.example/s"),
                                        .user = ODM_STR("dev-0001"),
                                        .password = ODM_STR("s3cr3t-pw"),
                                        .type = ODM_AUTH_MD5,
                                        .server_user = ODM_STR(SERVER),
                                        .server_password = ODM_STR("srv-pass"),
                                        .server_type = ODM_AUTH_MD5},
                            .node = ODM_STR("MgmtSrv"),
                            .device_id = ODM_STR("IMEI:004999010640000")};

        o.account.nonce.n = o.account.server_nonce.n = 16;
        for (uint8_t i = 0; i < 16; i++) {
                o.account.nonce.p[i] = i;
                o.account.server_nonce.p[i] = (uint8_t)(0xa0 + i);
        }
        return o;
}

static void offers_make_the_documents_of_the_specification(void **state)
{
        const odm_boot_offer dm = dm_offer(), cp = cp_offer();
        odm_str cp_want = from_hex(cp_hex), dm_want = from_hex(account_hex);
        odm_buf out;

        (void)state;
        odm_buf_init(&out, &heap, MOST);
        assert_int_equal(odm_boot_make(ODM_BOOT_CP, &cp, &out), 0);
        assert_octets(odm_buf_view(&out), cp_want);
        odm_buf_cut(&out, 0);
        assert_int_equal(odm_boot_make(ODM_BOOT_DM, &dm, &out), 0);
        assert_octets(odm_buf_view(&out), dm_want);
        odm_buf_done(&out);
        exact_free(cp_want);
        exact_free(dm_want);
}

/* What is in a message made of an account makes the same message. */
static void objects_make_messages_too(void **state)
{
        const odm_boot_offer dm = dm_offer();
        odm_str want = from_hex(account_hex);
        const odm_boot b = {.profile = ODM_BOOT_DM, .doc = want};
        const odm_doc empty = {.ver_dtd = ODM_STR("1.2")};
        odm_limits lim;
        odm_doc *doc;
        odm_arena a;
        odm_buf out;

        (void)state;
        odm_limits_init(&lim);
        odm_arena_init(&a, &heap, MOST);
        odm_buf_init(&out, &heap, MOST);
        assert_int_equal(odm_boot_objects(&b, &lim, &a, &doc), 0);
        assert_int_equal(odm_boot_make_of(doc, dm.device_id, dm.account.server_id, &out), 0);
        assert_octets(odm_buf_view(&out), want);
        odm_buf_cut(&out, 0);
        assert_int_equal(odm_boot_make_of(&empty, ODM_ABSENT, ODM_STR("s"), &out), ODM_EINVAL);
        assert_int_equal(odm_boot_make_of(doc, ODM_ABSENT, ODM_ABSENT, &out), ODM_EINVAL);
        assert_int_equal(odm_boot_make_of(doc, ODM_STR("\0"), ODM_STR("s"), &out), ODM_EINVAL);
        assert_int_equal(out.n, 0);
        odm_buf_done(&out);
        odm_arena_done(&a);
        exact_free(want);
}

static void offers_without_the_needful_make_nothing(void **state)
{
        odm_boot_offer bad[4] = {cp_offer(), cp_offer(), cp_offer(), cp_offer()};
        odm_buf out;

        (void)state;
        bad[0].account.server_id = ODM_ABSENT;
        bad[1].account.addr = ODM_STR("");
        bad[2].account.password = ODM_STR("a\0b");
        bad[3].name = ODM_STR("\0");
        odm_buf_init(&out, &heap, MOST);
        for (size_t i = 0; i < ODM_COUNT(bad); i++)
                for (int p = 0; p < 2; p++)
                        assert_int_equal(odm_boot_make((odm_boot_profile)p, &bad[i], &out),
                                         ODM_EINVAL);
        assert_int_equal(out.n, 0);
        odm_buf_done(&out);
}

#define CP_XML                                                                                   \
        "<wap-provisioningdoc version=\"1.1\"><characteristic type=\"APPLICATION\">"             \
        "<parm name=\"APPID\" value=\"w7\"/><parm name=\"PROVIDER-ID\" value=\"dm.example\"/>"   \
        "<parm name=\"NAME\" value=\"Example DM\"/><characteristic type=\"APPADDR\">"            \
        "<parm name=\"ADDR\" value=\"http://dm.example/s\"/><parm name=\"ADDRTYPE\" "            \
        "value=\"URI\"/>"                                                                        \
        "</characteristic><characteristic type=\"APPAUTH\"><parm name=\"AAUTHLEVEL\" "           \
        "value=\"APPSRV\"/><parm name=\"AAUTHTYPE\" value=\"DIGEST\"/><parm name=\"AAUTHNAME\" " \
        "value=\"dev-0001\"/><parm name=\"AAUTHSECRET\" value=\"s3cr3t-pw\"/></characteristic>"  \
        "</characteristic></wap-provisioningdoc>"

#define DOC(body) "<wap-provisioningdoc version=\"1.0\">" body "</wap-provisioningdoc>"

static const struct prov_row {
        const char *why, *hex, *xml;
        int rc;
} provs[] = {
        {"the document of C2.2", cp_hex, CP_XML, 0},
        {"an empty one", "030b6a0005", "<wap-provisioningdoc version=\"1.0\"/>", 0},
        {"a value in pieces", "030b6a00 45 87 0503410006 0001 91 92 01 01",
         DOC("<parm name=\"A\" value=\"HTTP-BASIC\"/>"), 0},
        {"the string table", "030b6a04 41424300 45 87 058300 068301 01 01",
         DOC("<parm name=\"ABC\" value=\"BC\"/>"), 0},
        {"attributes spelled out",
         "030b6a0d 6e616d650076616c756500 7a00 45 87 0400034100 0405034200 040b034300 01 01",
         DOC("<parm name=\"A\" value=\"B\"/>"), 0},
        {"octets and a character", "030b6a00 45 87 05034100 06 c3024142 028120 01 01",
         DOC("<parm name=\"A\" value=\"AB\xc2\xa0\"/>"), 0},
        {"a public identifier in the string table", "03 00 00 6a 02 7800 05",
         "<wap-provisioningdoc version=\"1.0\"/>", 0},
        {"a parm and a value nobody knows", "030b6a00 45 87 080341 0001 87 05034100 06 b0 01 01",
         DOC("<parm name=\"\"/><parm name=\"\"/>"), 0},
        {"a characteristic nobody knows", "030b6a00 45 c6 5f 01 87 05034100 06034200 01 01 01",
         DOC("<characteristic type=\"\"><parm name=\"A\" value=\"B\"/></characteristic>"), 0},
        {"one without content", "030b6a00 45 86 000155 01 01",
         DOC("<characteristic type=\"APPLICATION\"/>"), 0},
        {"another page of tags", "030b6a00 45 0001 87 05034100 01 0000 01",
         DOC("<parm name=\"A\"/>"), 0},
        {"eight deep", "030b6a00 45 46 46 46 46 46 46 46 46 01 01 01 01 01 01 01 01 01", NULL, 0},
        {"nine deep", "030b6a00 45 46 46 46 46 46 46 46 46 46 01 01 01 01 01 01 01 01 01 01", NULL,
         ODM_ELIMIT},
        {"version 4", "040b6a0005", NULL, ODM_EMALFORMED},
        {"another charset", "030b040005", NULL, ODM_EMALFORMED},
        {"another document", "030c6a0005", NULL, ODM_EMALFORMED},
        {"another root", "030b6a0006", NULL, ODM_EMALFORMED},
        {"another element", "030b6a00 45 08 01", NULL, ODM_EMALFORMED},
        {"a parm with content", "030b6a00 45 c7 05034100 01 01 01", NULL, ODM_EMALFORMED},
        {"a name twice", "030b6a00 45 87 05034100 05034200 01 01", NULL, ODM_EMALFORMED},
        {"past the string table", "030b6a04 41424300 45 87 058304 01 01", NULL, ODM_EMALFORMED},
        {"a string table without end", "030b6a03 414243 45 87 058300 01 01", NULL, ODM_EMALFORMED},
        {"half a character", "030b6a00 45 87 0503410006 0283b000 01 01", NULL, ODM_EMALFORMED},
        {"the character 0", "030b6a00 45 87 0503410006 0200 01 01", NULL, ODM_EMALFORMED},
        {"an extension", "030b6a00 45 87 0503410006 80 00 01 01", NULL, ODM_EMALFORMED},
        {"a number without end", "030bffffffffff7f0005", NULL, ODM_EMALFORMED},
        {"something behind it", "030b6a000500", NULL, ODM_EMALFORMED},
};

static void provisioning_documents_decode_as_the_table_says(void **state)
{
        odm_buf xml;

        (void)state;
        odm_buf_init(&xml, &heap, MOST);
        for (size_t i = 0; i < ODM_COUNT(provs); i++) {
                odm_str in = from_hex(provs[i].hex);
                odm_prov *doc = NULL;
                odm_arena a;
                odm_arena_init(&a, &heap, MOST);
                int rc = odm_prov_decode(in, NULL, &a, &doc);
                if (rc != provs[i].rc || (rc == 0) != (doc != NULL))
                        fail_msg("%s: %s", provs[i].why, odm_err_name(rc));
                odm_buf_cut(&xml, 0);
                if (rc == 0)
                        assert_int_equal(odm_prov_xml(doc, &xml), 0);
                if (provs[i].xml && !odm_str_is(odm_buf_view(&xml), provs[i].xml))
                        fail_msg("%s: %.*s", provs[i].why, (int)xml.n, xml.p);
                odm_arena_done(&a);
                exact_free(in);
        }
        odm_buf_done(&xml);
}

static void no_part_of_a_document_is_one(void **state)
{
        odm_str whole = from_hex(cp_hex);

        (void)state;
        for (size_t n = 0; n < whole.n; n++) {
                odm_str part = exact_bytes(whole.p, n);
                odm_prov *doc;
                odm_arena a;
                odm_arena_init(&a, &heap, MOST);
                assert_int_equal(odm_prov_decode(part, NULL, &a, &doc), ODM_EMALFORMED);
                odm_arena_done(&a);
                exact_free(part);
        }
        exact_free(whole);
}

static void ceilings_of_a_document_hold(void **state)
{
        odm_str in = from_hex(cp_hex);
        odm_limits lim;
        odm_prov *doc;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, MOST);
        odm_limits_init(&lim);
        lim.max_items = 10;
        assert_int_equal(odm_prov_decode(in, &lim, &a, &doc), ODM_ELIMIT);
        odm_limits_init(&lim);
        lim.max_msg = in.n - 1;
        assert_int_equal(odm_prov_decode(in, &lim, &a, &doc), ODM_ELIMIT);
        odm_arena_done(&a);
        exact_free(in);
}

static void what_no_document_can_hold_is_not_written(void **state)
{
        odm_prov_parm parm = {.name = ODM_STR("A"), .value = ODM_STR("x\0")};
        odm_prov doc = {.type = ODM_STR("1.1"), .parms = &parm}, deep[10];
        odm_buf out;

        (void)state;
        odm_buf_init(&out, &heap, MOST);
        assert_int_equal(odm_prov_encode(&doc, &out), ODM_EINVAL);
        parm.value = ODM_STR("\x01");
        assert_int_equal(odm_prov_xml(&doc, &out), ODM_EINVAL);
        memset(deep, 0, sizeof deep);
        for (size_t i = 0; i < 10; i++)
                deep[i] = (odm_prov){.type = ODM_STR("X"), .children = i < 9 ? &deep[i + 1] : NULL};
        doc = (odm_prov){.type = ODM_STR("1.1"), .children = deep};
        assert_int_equal(odm_prov_encode(&doc, &out), ODM_ELIMIT);
        assert_int_equal(out.n, 0);
        odm_buf_done(&out);
}

/* ---- a reader we did not write ---------------------------------------------------------- */

static int run_tool(const char *in, const char *out)
{
        int status = -1;
        pid_t pid = fork();

        if (pid == 0) {
                if (freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr))
                        (void)execl(WBXML2XML, WBXML2XML, "-k", "-o", out, in, (char *)NULL);
                _exit(127);
        }
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static odm_str through_the_tool(odm_str doc)
{
        static char room[1 << 16];
        char folder[] = "/tmp/odm-boot-XXXXXX", in[64], out[64];
        FILE *f;

        assert_non_null(mkdtemp(folder));
        (void)snprintf(in, sizeof in, "%s/in.wbxml", folder);
        (void)snprintf(out, sizeof out, "%s/out.xml", folder);
        f = fopen(in, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(doc.p, 1, doc.n, f), doc.n);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(run_tool(in, out), 0);
        f = fopen(out, "rb");
        assert_non_null(f);
        size_t n = fread(room, 1, sizeof room, f);
        (void)fclose(f);
        (void)unlink(in);
        (void)unlink(out);
        (void)rmdir(folder);
        return (odm_str){room, n};
}

static void libwbxml_reads_the_same(void **state)
{
        odm_boot_offer o = dm_offer();
        odm_buf doc, ours, theirs;
        odm_prov *prov;
        odm_arena a;

        (void)state;
        if (access(WBXML2XML, X_OK) != 0)
                SKIP_TEST("wbxml2xml is not installed");
        o.name = ODM_STR("A & <B>");
        odm_buf_init(&doc, &heap, MOST);
        odm_buf_init(&ours, &heap, MOST);
        odm_buf_init(&theirs, &heap, MOST);
        odm_arena_init(&a, &heap, MOST);
        assert_int_equal(odm_boot_make(ODM_BOOT_CP, &o, &doc), 0);
        assert_int_equal(odm_prov_decode(odm_buf_view(&doc), NULL, &a, &prov), 0);
        odm_buf flat;
        odm_buf_init(&flat, &heap, MOST);
        assert_int_equal(odm_prov_xml(prov, &flat), 0);
        assert_int_equal(odm_xml_pretty(odm_buf_view(&flat), NULL, &ours), 0);
        assert_int_equal(odm_xml_pretty(through_the_tool(odm_buf_view(&doc)), NULL, &theirs), 0);
        assert_octets(odm_buf_view(&theirs), odm_buf_view(&ours));
        odm_buf_done(&flat);
        odm_arena_done(&a);
        odm_buf_done(&doc);
        odm_buf_done(&ours);
        odm_buf_done(&theirs);
}

/* ---- in the tree ------------------------------------------------------------------------ */

static odm_boot proven(odm_boot_profile p, odm_str doc)
{
        return (odm_boot){.profile = p, .sec = ODM_BOOT_USER, .doc = doc, .proven = true};
}

static int apply(struct boot_device *d, const odm_boot *b, bool replace, odm_boot_done *done)
{
        const odm_boot_opt opt = {.replace = replace};

        *done = (odm_boot_done){.status = 99};
        return odm_boot_apply(b, &opt, d->tree, (odm_wall){994869497}, &d->a, done);
}

#define ACL_OF(id) "Get=" id "&Replace=" id "&Delete=" id

static void the_dm_profile_makes_the_account(void **state)
{
        odm_str doc = from_hex(account_hex);
        odm_boot b = proven(ODM_BOOT_DM, doc);
        odm_boot_done done;
        struct boot_device d;

        (void)state;
        assert_int_equal(boot_device_open(&d, &heap), 0);
        assert_int_equal(apply(&d, &b, false, &done), 0);
        assert_int_equal(done.status, 200);
        assert_int_equal(done.n, 1);
        assert_str(done.server[0].uri, "./DMAcc/MgmtSrv");
        assert_str(done.server[0].server_id, SERVER);
        reads(&d, "./DMAcc/MgmtSrv?prop=ACL", ACL_OF(SERVER));
        reads(&d, "./DMAcc/MgmtSrv/AppAddr/1/Addr", "http://dm.example/s");
        reads(&d, "./DMAcc/MgmtSrv/AppAuth/1/AAuthName", "dev-0001");
        reads(&d, "./DMAcc/MgmtSrv/AppAuth/2/AAuthSecret", "srv-pass");
        odm_account acc;
        assert_int_equal(odm_account_read(d.tree, done.server[0].uri, &d.a, &acc), 0);
        assert_int_equal(acc.nonce.n, 16);
        assert_int_equal(acc.nonce.p[15], 15);
        assert_int_equal(acc.server_nonce.p[0], 0xa0);
        boot_device_close(&d);
        exact_free(doc);
}

static void the_cp_profile_makes_the_account(void **state)
{
        odm_boot_offer o = dm_offer();
        odm_boot_done done;
        struct boot_device d;
        odm_account acc;
        odm_buf doc;

        (void)state;
        odm_buf_init(&doc, &heap, MOST);
        o.name = ODM_STR("Example");
        assert_int_equal(odm_boot_make(ODM_BOOT_CP, &o, &doc), 0);
        odm_boot b = proven(ODM_BOOT_CP, odm_buf_view(&doc));
        assert_int_equal(boot_device_open(&d, &heap), 0);
        assert_int_equal(apply(&d, &b, false, &done), 0);
        assert_int_equal(done.status, 200);
        assert_str(done.server[0].uri, "./DMAcc/1");
        reads(&d, "./DMAcc/1?prop=ACL", ACL_OF(SERVER));
        reads(&d, "./DMAcc/1/Name", "Example");
        assert_int_equal(odm_account_read(d.tree, done.server[0].uri, &d.a, &acc), 0);
        assert_str(acc.addr, "http://dm.example/s");
        assert_str(acc.user, "dev-0001");
        assert_str(acc.server_password, "srv-pass");
        assert_int_equal(acc.type, ODM_AUTH_MD5);
        assert_int_equal(acc.nonce.p[15], 15);
        assert_int_equal(acc.server_nonce.p[15], 0xaf);
        boot_device_close(&d);
        odm_buf_done(&doc);
}

/* An address with a port, one directly in the application, another level, a nonce that is no
 * base64; beside it what is no account. */
static void every_part_of_w7_has_its_node(void **state)
{
        odm_prov_parm port[] = {{.name = ODM_STR("PORTNBR"), .value = ODM_STR("8080")}};
        odm_prov_parm addr[] = {{&addr[1], ODM_STR("ADDR"), ODM_STR("10.0.0.1")},
                                {NULL, ODM_STR("ADDRTYPE"), ODM_STR("IPV4")}};
        odm_prov_parm auth[] = {{&auth[1], ODM_STR("AAUTHLEVEL"), ODM_STR("OBEX")},
                                {&auth[2], ODM_STR("AAUTHTYPE"), ODM_STR("HTTP-BASIC")},
                                {NULL, ODM_STR("AAUTHDATA"), ODM_STR("no base64!")}};
        odm_prov_parm app[] = {{&app[1], ODM_STR("APPID"), ODM_STR("w7")},
                               {&app[2], ODM_STR("PROVIDER-ID"), ODM_STR("srv")},
                               {&app[3], ODM_STR("TO-NAPID"), ODM_STR("nap")},
                               {NULL, ODM_STR("ADDR"), ODM_STR("http://first/")}};
        odm_prov_parm other[] = {{NULL, ODM_STR("APPID"), ODM_STR("w4")}};
        odm_prov ports = {.type = ODM_STR("PORT"), .parms = port};
        odm_prov auths = {.type = ODM_STR("APPAUTH"), .parms = auth};
        odm_prov addrs = {&auths, &ports, addr, ODM_STR("APPADDR")};
        odm_prov apps = {NULL, &addrs, app, ODM_STR("APPLICATION")};
        odm_prov w4 = {&apps, NULL, other, ODM_STR("APPLICATION")};
        odm_prov nap = {&w4, NULL, NULL, ODM_STR("NAPDEF")};
        odm_prov root = {NULL, &nap, NULL, ODM_STR("1.1")};
        odm_boot_done done;
        struct boot_device d;
        odm_buf doc;

        (void)state;
        odm_buf_init(&doc, &heap, MOST);
        assert_int_equal(odm_prov_encode(&root, &doc), 0);
        odm_boot b = proven(ODM_BOOT_CP, odm_buf_view(&doc));
        assert_int_equal(boot_device_open(&d, &heap), 0);
        assert_int_equal(apply(&d, &b, false, &done), 0);
        assert_int_equal(done.status, 200);
        assert_int_equal(done.n, 1);
        reads(&d, "./DMAcc/1/AppAddr/1/Addr", "http://first/");
        reads(&d, "./DMAcc/1/AppAddr/1/AddrType", "URI");
        reads(&d, "./DMAcc/1/AppAddr/2/Addr", "10.0.0.1");
        reads(&d, "./DMAcc/1/AppAddr/2/AddrType", "IPV4");
        reads(&d, "./DMAcc/1/AppAddr/2/Port/1/PortNbr", "8080");
        reads(&d, "./DMAcc/1/AppAuth/1/AAuthLevel", "OBEX");
        reads(&d, "./DMAcc/1/AppAuth/1/AAuthType", "HTTP-BASIC");
        reads(&d, "./DMAcc/1/AppAuth/1/AAuthData", "no base64!");
        reads(&d, "./DMAcc/1/PrefConRef", NULL);
        boot_device_close(&d);
        odm_buf_done(&doc);
}

/* ---- messages written as XML, and sent as WBXML ----------------------------------------- */

#define TNDS_LEAF(name, value)                                                           \
        "<Node><NodeName>" name "</NodeName><RTProperties><Format><chr/></Format><Type>" \
        "<MIME>text/plain</MIME></Type></RTProperties><Value>" value "</Value></Node>"
#define TNDS_TOP(name, id, acl, body)                                                        \
        "<Node><NodeName>" name "</NodeName><RTProperties>" acl                              \
        "<Format><node/></Format><Type><DDFName>" id "</DDFName></Type></RTProperties>" body \
        "</Node>"
#define TNDS_IN(name, body)                                                               \
        "<Node><NodeName>" name "</NodeName><RTProperties><Format><node/></Format><Type>" \
        "<DDFName/></Type></RTProperties>" body "</Node>"
#define ACCOUNT(name, server, addr, more)                               \
        TNDS_TOP(name, "urn:oma:mo:oma-dm-dmacc:1.0", "",               \
                 TNDS_LEAF("AppID", "w7") TNDS_LEAF("ServerID", server) \
                         TNDS_IN("AppAddr", TNDS_IN("1", TNDS_LEAF("Addr", addr))) more)
#define NAP(name, version, more) TNDS_TOP(name, "urn:oma:mo:x-test-nap:" version, "", more)
#define ITEM_TO(target, tops)                                              \
        "<Item><Target><LocURI>" target "</LocURI></Target><Meta><Format " \
        "xmlns='syncml:metinf'>xml</Format><Type xmlns='syncml:metinf'>"   \
        "application/vnd.syncml.dmtnds+xml</Type></Meta><Data><MgmtTree "  \
        "xmlns='syncml:dmddf1.2'><VerDTD>1.2</VerDTD>" tops "</MgmtTree></Data></Item>"
#define CMD(name, id, body) "<" name "><CmdID>" id "</CmdID>" body "</" name ">"
#define ADD(tops) CMD("Add", "1", ITEM_TO("./Inbox", tops))

static odm_str message(const char *body)
{
        static const char head[] =
                "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2"
                "</VerProto><SessionID>0</SessionID><MsgID>0</MsgID><Target><LocURI>*</LocURI>"
                "</Target><Source><LocURI>srv</LocURI></Source></SyncHdr><SyncBody>";
        odm_buf xml, out;
        odm_arena a;
        odm_msg *m;

        odm_arena_init(&a, &heap, MOST);
        odm_buf_init(&xml, &heap, MOST);
        odm_buf_init(&out, &heap, MOST);
        assert_int_equal(odm_buf_fmt(&xml, "%s%s<Final/></SyncBody></SyncML>", head, body), 0);
        assert_int_equal(odm_decode(&odm_codec_xml, odm_buf_view(&xml), NULL, &a, &m), 0);
        assert_int_equal(odm_msg_convert(m, &odm_codec_wbxml, &a), 0);
        assert_int_equal(odm_encode(&odm_codec_wbxml, m, &out), 0);
        odm_str got = exact_bytes(out.p, out.n);
        odm_arena_done(&a);
        odm_buf_done(&xml);
        odm_buf_done(&out);
        return got;
}

static const struct message_row {
        const char *why, *body;
        int rc;
        unsigned status, n, ignored;
        const char *uri, *value; /* what is there then */
} messages[] = {
        {"an object nobody knows beside the account",
         ADD(TNDS_TOP("x", "urn:oma:mo:x-nobody:1.0", "", TNDS_LEAF("a", "1"))
                     ACCOUNT("", "srv", "http://a/", "")),
         0, 200, 1, 1, "./DMAcc/1/ServerID", "srv"},
        {"two accounts",
         ADD(ACCOUNT("a", "one", "http://a/", "") ACCOUNT("b", "two", "http://b/", "")), 0, 200, 2,
         0, "./DMAcc/b?prop=ACL", ACL_OF("two")},
        {"a name in the target",
         CMD("Add", "1", ITEM_TO("./Inbox/home", ACCOUNT("", "srv", "http://a/", ""))), 0, 200, 1,
         0, "./DMAcc/home/ServerID", "srv"},
        {"the identifier of the illustrations",
         ADD(TNDS_TOP("m", "org.openmobilealliance/1.0/w7", "",
                      TNDS_LEAF("AppID", "w7") TNDS_LEAF("ServerID", "srv")
                              TNDS_IN("AppAddr", TNDS_IN("1", TNDS_LEAF("Addr", "http://a/"))))),
         0, 200, 1, 0, "./DMAcc/m/ServerID", "srv"},
        {"a list of its own stays",
         ADD(TNDS_TOP("m", "urn:oma:mo:oma-dm-dmacc:1.0", "<ACL>Get=*</ACL>",
                      TNDS_LEAF("AppID", "w7") TNDS_LEAF("ServerID", "srv")
                              TNDS_IN("AppAddr", TNDS_IN("1", TNDS_LEAF("Addr", "http://a/"))))),
         0, 200, 1, 0, "./DMAcc/m?prop=ACL", "Get=*"},
        {"inside Atomic and Sequence",
         CMD("Atomic", "9", ADD(NAP("n", "1.0", TNDS_LEAF("Apn", "x"))))
                 CMD("Sequence", "8", ADD(ACCOUNT("m", "srv", "http://a/", ""))),
         0, 200, 1, 0, "./Net/n/Apn", "x"},
        {"of two versions the newer",
         ADD(NAP("n", "1.9", TNDS_LEAF("Apn", "old")) NAP("n", "1.10", TNDS_LEAF("Apn", "new"))
                     ACCOUNT("m", "srv", "http://a/", "")),
         0, 200, 1, 1, "./Net/n/Apn", "new"},
        {"references inside the message",
         ADD(ACCOUNT("m", "srv", "http://a/",
                     TNDS_LEAF("PrefConRef", "./Inbox/n/Apn")
                             TNDS_IN("ToConRef", TNDS_IN("1", TNDS_LEAF("ConRef", "./Inbox/n"))))
                     NAP("n", "1.0", TNDS_LEAF("Apn", "x"))),
         0, 200, 1, 0, "./DMAcc/m/PrefConRef", "./Net/n/Apn"},
        {"a reference to what is not there",
         ADD(ACCOUNT("m", "srv", "http://a/", TNDS_LEAF("PrefConRef", "./Inbox/none"))), 0, 200, 1,
         0, "./DMAcc/m/PrefConRef", "./Inbox/none"},
        {"no account", ADD(NAP("n", "1.0", TNDS_LEAF("Apn", "x"))), 0, 412, 0, 0, "./Net/n", NULL},
        {"no command", "", 0, 412, 0, 0, NULL, NULL},
        {"an account without an address",
         ADD(TNDS_TOP("m", "urn:oma:mo:oma-dm-dmacc:1.0", "",
                      TNDS_LEAF("AppID", "w7") TNDS_LEAF("ServerID", "srv"))),
         0, 412, 0, 0, "./DMAcc/m", NULL},
        {"an account of another application",
         ADD(TNDS_TOP("m", "urn:oma:mo:oma-dm-dmacc:1.0", "",
                      TNDS_LEAF("AppID", "w4") TNDS_LEAF("ServerID", "srv")
                              TNDS_IN("AppAddr", TNDS_IN("1", TNDS_LEAF("Addr", "http://a/"))))),
         0, 412, 0, 0, "./DMAcc/m", NULL},
        {"a server twice",
         ADD(ACCOUNT("a", "srv", "http://a/", "") ACCOUNT("b", "srv", "http://b/", "")), 0, 418, 0,
         0, "./DMAcc/a", NULL},
        {"a value that does not fit",
         ADD(ACCOUNT("a", "srv", "http://a/", "") NAP("n", "1.0", TNDS_LEAF("Mtu", "many"))), 0,
         415, 0, 0, "./DMAcc/a", NULL},
        {"a server no list can name", ADD(ACCOUNT("a", "s+r", "http://a/", "")), 0, 412, 0, 0,
         "./DMAcc/a", NULL},
        {"another command",
         CMD("Replace", "1", ITEM_TO("./Inbox", ACCOUNT("a", "srv", "http://a/", ""))),
         ODM_EUNSUPPORTED, 99, 0, 0, "./DMAcc/a", NULL},
        {"another place", CMD("Add", "1", ITEM_TO("./DMAcc", ACCOUNT("a", "srv", "http://a/", ""))),
         ODM_EUNSUPPORTED, 99, 0, 0, "./DMAcc/a", NULL},
        {"a place that only begins so",
         CMD("Add", "1", ITEM_TO("./Inboxes", ACCOUNT("a", "srv", "http://a/", ""))),
         ODM_EUNSUPPORTED, 99, 0, 0, "./DMAcc/a", NULL},
        {"no document",
         CMD("Add", "1", "<Item><Target><LocURI>./Inbox</LocURI></Target><Data>x</Data></Item>"),
         ODM_EUNSUPPORTED, 99, 0, 0, NULL, NULL},
};

static void dumped(struct boot_device *d, odm_buf *out)
{
        odm_buf_cut(out, 0);
        assert_int_equal(odm_tree_dump(d->tree, out), 0);
}

static void messages_take_effect_as_the_table_says(void **state)
{
        odm_buf before, after;

        (void)state;
        odm_buf_init(&before, &heap, MOST);
        odm_buf_init(&after, &heap, MOST);
        for (size_t i = 0; i < ODM_COUNT(messages); i++) {
                const struct message_row *m = &messages[i];
                odm_str doc = message(m->body);
                odm_boot b = proven(ODM_BOOT_DM, doc);
                odm_boot_done done;
                struct boot_device d;
                assert_int_equal(boot_device_open(&d, &heap), 0);
                dumped(&d, &before);
                int rc = apply(&d, &b, false, &done);
                if (rc != m->rc || done.status != m->status || (rc == 0 && done.n != m->n))
                        fail_msg("%s: %s, %u, %zu accounts", m->why, odm_err_name(rc), done.status,
                                 done.n);
                if (done.status == 200 && done.ignored != m->ignored)
                        fail_msg("%s: %u objects passed over", m->why, done.ignored);
                if (m->uri)
                        reads(&d, m->uri, m->value);
                dumped(&d, &after);
                if (done.status != 200)
                        assert_octets(odm_buf_view(&after), odm_buf_view(&before));
                assert_false(odm_tree_in_transaction(d.tree));
                boot_device_close(&d);
                exact_free(doc);
        }
        odm_buf_done(&before);
        odm_buf_done(&after);
}

static void references_of_each_connection_are_followed(void **state)
{
        odm_str doc = message(messages[7].body);
        odm_boot b = proven(ODM_BOOT_DM, doc);
        odm_boot_done done;
        struct boot_device d;

        (void)state;
        assert_int_equal(boot_device_open(&d, &heap), 0);
        assert_int_equal(apply(&d, &b, false, &done), 0);
        reads(&d, "./DMAcc/m/ToConRef/1/ConRef", "./Net/n");
        boot_device_close(&d);
        exact_free(doc);
}

static void an_account_is_replaced_only_when_asked(void **state)
{
        odm_str first = message(ADD(ACCOUNT("m", "srv", "http://a/", TNDS_LEAF("Name", "A"))));
        odm_str second = message(ADD(ACCOUNT("x", "srv", "http://b/", "")));
        odm_boot one = proven(ODM_BOOT_DM, first), two = proven(ODM_BOOT_DM, second);
        odm_boot_done done;
        struct boot_device d;

        (void)state;
        assert_int_equal(boot_device_open(&d, &heap), 0);
        assert_int_equal(apply(&d, &one, false, &done), 0);
        assert_int_equal(done.status, 200);
        assert_int_equal(apply(&d, &two, false, &done), 0);
        assert_int_equal(done.status, 418);
        reads(&d, "./DMAcc/m/AppAddr/1/Addr", "http://a/");
        assert_int_equal(apply(&d, &two, true, &done), 0);
        assert_int_equal(done.status, 200);
        assert_str(done.server[0].uri, "./DMAcc/m"); /* it keeps its place */
        reads(&d, "./DMAcc/m/AppAddr/1/Addr", "http://b/");
        reads(&d, "./DMAcc/m/Name", NULL);
        reads(&d, "./DMAcc/m?prop=ACL", ACL_OF("srv"));
        reads(&d, "./DMAcc/x", NULL);
        boot_device_close(&d);
        exact_free(first);
        exact_free(second);
}

static void nothing_unproven_takes_effect(void **state)
{
        odm_str doc = from_hex(account_hex), cut = exact_bytes(doc.p, doc.n - 1);
        odm_boot b = proven(ODM_BOOT_DM, doc);
        odm_boot_done done;
        struct boot_device d;

        (void)state;
        assert_int_equal(boot_device_open(&d, &heap), 0);
        b.proven = false;
        assert_int_equal(apply(&d, &b, false, &done), ODM_ESTATE);
        b.proven = true;
        assert_int_equal(odm_tree_begin(d.tree, (odm_wall){1}), 0);
        assert_int_equal(apply(&d, &b, false, &done), ODM_ESTATE);
        odm_tree_rollback(d.tree);
        b.doc = cut;
        assert_int_equal(apply(&d, &b, false, &done), ODM_EMALFORMED);
        b.profile = ODM_BOOT_CP;
        assert_int_equal(apply(&d, &b, false, &done), ODM_EMALFORMED);
        b.doc = ODM_STR("\x03\x0b\x6a\x00\x05"); /* a document without w7 */
        assert_int_equal(apply(&d, &b, false, &done), 0);
        assert_int_equal(done.status, 412);
        reads(&d, "./DMAcc/MgmtSrv", NULL);
        boot_device_close(&d);
        exact_free(doc);
        exact_free(cut);
}

static void accounts_have_a_ceiling(void **state)
{
        odm_prov_parm id[ODM_BOOT_ACCOUNTS + 1], w7[ODM_BOOT_ACCOUNTS + 1];
        odm_prov_parm addr[ODM_BOOT_ACCOUNTS + 1];
        odm_prov app[ODM_BOOT_ACCOUNTS + 1], root = {.type = ODM_STR("1.1"), .children = app};
        char name[ODM_BOOT_ACCOUNTS + 1][8];
        odm_boot_done done;
        struct boot_device d;
        odm_buf doc;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(app); i++) {
                (void)snprintf(name[i], sizeof name[i], "s%zu", i);
                addr[i] = (odm_prov_parm){NULL, ODM_STR("ADDR"), ODM_STR("http://a/")};
                id[i] = (odm_prov_parm){&addr[i], ODM_STR("PROVIDER-ID"), odm_cstr(name[i])};
                w7[i] = (odm_prov_parm){&id[i], ODM_STR("APPID"), ODM_STR("w7")};
                app[i] = (odm_prov){i + 1 < ODM_COUNT(app) ? &app[i + 1] : NULL, NULL, &w7[i],
                                    ODM_STR("APPLICATION")};
        }
        odm_buf_init(&doc, &heap, MOST);
        assert_int_equal(odm_prov_encode(&root, &doc), 0);
        odm_boot b = proven(ODM_BOOT_CP, odm_buf_view(&doc));
        assert_int_equal(boot_device_open(&d, &heap), 0);
        assert_int_equal(apply(&d, &b, false, &done), 0);
        assert_int_equal(done.status, 413);
        assert_int_equal(done.n, 0);
        reads(&d, "./DMAcc/1", NULL);
        boot_device_close(&d);
        odm_buf_done(&doc);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int make_and_take(failing *f, odm_boot_profile p, const odm_boot_offer *o)
{
        const odm_boot_keys keys = {.pin = ODM_STR("1234")};
        odm_boot b, got;
        odm_buf doc, push;
        int rc;

        odm_buf_init(&doc, &f->mem, MOST);
        odm_buf_init(&push, &f->mem, MOST);
        rc = odm_boot_make(p, o, &doc);
        if (rc == 0)
                rc = odm_boot_sign(p, ODM_BOOT_USER, &keys, odm_buf_view(&doc), &b);
        if (rc == 0)
                rc = odm_boot_put_push(&b, 1, &push);
        if (rc == 0)
                rc = odm_boot_parse(odm_buf_view(&push), &got);
        if (rc == 0 && odm_boot_prove(&got, &keys) != ODM_BOOT_GOOD)
                fail_msg("it proves nothing");
        if (rc == 0) {
                struct boot_device d;
                odm_boot_done done;
                rc = boot_device_open(&d, &f->mem);
                if (rc == 0)
                        rc = apply(&d, &got, false, &done);
                if (rc == 0 && done.status != 200)
                        fail_msg("it is refused: %u", done.status);
                if (d.tree && odm_tree_in_transaction(d.tree))
                        fail_msg("a transaction was left open");
                uint64_t fail_at = f->fail_at;
                f->fail_at = 0; /* looking takes memory too */
                if (d.tree && odm_tree_exists(d.tree, ODM_STR("./DMAcc/1")) != (rc == 0))
                        fail_msg("half an account is there");
                f->fail_at = fail_at;
                boot_device_close(&d);
        }
        odm_buf_done(&doc);
        odm_buf_done(&push);
        return rc;
}

static int both_profiles(failing *f, void *arg)
{
        odm_boot_offer o = dm_offer();
        int rc;

        (void)arg;
        o.node = ODM_ABSENT;
        rc = make_and_take(f, ODM_BOOT_DM, &o);
        return rc < 0 ? rc : make_and_take(f, ODM_BOOT_CP, &o);
}

static int with_references(failing *f, void *arg)
{
        const odm_str *doc = arg;
        odm_boot b = proven(ODM_BOOT_DM, *doc);
        odm_boot_done done;
        struct boot_device d;
        int rc = boot_device_open(&d, &f->mem);

        if (rc == 0)
                rc = apply(&d, &b, true, &done);
        if (rc == 0)
                rc = apply(&d, &b, true, &done); /* in place of itself */
        boot_device_close(&d);
        return rc;
}

static void memory_may_run_out_anywhere(void **state)
{
        odm_str doc = message(messages[7].body);

        (void)state;
        torture(both_profiles, NULL, 400);
        torture(with_references, &doc, 300);
        exact_free(doc);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(macs_are_those_of_the_specification),
                cmocka_unit_test(an_imsi_proves_a_dm_message_in_both_forms),
                cmocka_unit_test(even_and_other_network_keys),
                cmocka_unit_test(a_pin_can_be_the_proof),
                cmocka_unit_test(a_user_has_three_tries),
                cmocka_unit_test(what_the_network_knows_is_not_asked_for),
                cmocka_unit_test(keys_out_of_range_sign_nothing),
                cmocka_unit_test(carriers_come_off_as_the_table_says),
                cmocka_unit_test(too_much_is_not_looked_at),
                cmocka_unit_test(what_is_put_on_comes_off),
                cmocka_unit_test(the_push_of_client_provisioning_is_that_of_the_text),
                cmocka_unit_test(words_of_sec),
                cmocka_unit_test(offers_make_the_documents_of_the_specification),
                cmocka_unit_test(objects_make_messages_too),
                cmocka_unit_test(offers_without_the_needful_make_nothing),
                cmocka_unit_test(provisioning_documents_decode_as_the_table_says),
                cmocka_unit_test(no_part_of_a_document_is_one),
                cmocka_unit_test(ceilings_of_a_document_hold),
                cmocka_unit_test(what_no_document_can_hold_is_not_written),
                cmocka_unit_test(libwbxml_reads_the_same),
                cmocka_unit_test(the_dm_profile_makes_the_account),
                cmocka_unit_test(the_cp_profile_makes_the_account),
                cmocka_unit_test(every_part_of_w7_has_its_node),
                cmocka_unit_test(messages_take_effect_as_the_table_says),
                cmocka_unit_test(references_of_each_connection_are_followed),
                cmocka_unit_test(an_account_is_replaced_only_when_asked),
                cmocka_unit_test(nothing_unproven_takes_effect),
                cmocka_unit_test(accounts_have_a_ceiling),
                cmocka_unit_test(memory_may_run_out_anywhere),
        };

        return RUN_TESTS(tests);
}
