/* SPDX-License-Identifier: Apache-2.0 */
/* What reaches a device outside of a session, see outside.h. */
#include "outside.h"

#include <string.h>

#include "message.h"

#define MOST ((size_t)1 << 22)

#define wrong(o, ...) teller_wrong((o)->t, __VA_ARGS__)
#define must(o, rc, what) teller_must((o)->t, (rc), (what))

static bool is(const line *l, const char *word)
{
        return odm_str_is(l->word, word);
}

/* A buffer's octets, kept in the arena. */
static odm_str keep(outside *o, odm_buf *b, int rc, const char *what)
{
        odm_str s = odm_arena_copy(o->a, odm_buf_view(b));

        odm_buf_done(b);
        must(o, rc, what);
        if (s.p == NULL)
                wrong(o, "no memory");
        return s;
}

/* The octets of all arguments from `i` on that are no options: hexadecimal, or text. */
static odm_str octets_of(outside *o, const line *l, unsigned i)
{
        odm_buf b;
        int rc = 0;

        odm_buf_init(&b, &teller_mem, MOST);
        for (; i < l->n && rc == 0; i++)
                if (l->arg[i].quoted || !odm_str_has(l->arg[i].text, '='))
                        rc = odm_buf_str(&b, message_data(&l->arg[i], ODM_FMT_BIN, o->a));
        return keep(o, &b, rc, "octets");
}

static odm_str hex_option(outside *o, const line *l, const char *name)
{
        const token t = {.text = line_option(l, name)};

        return t.text.p ? message_data(&t, ODM_FMT_BIN, o->a) : ODM_ABSENT;
}

static odm_str option_or(const line *l, const char *name, const char *otherwise)
{
        odm_str v = line_option(l, name);

        return v.p ? v : odm_cstr(otherwise);
}

static uint64_t number_or(outside *o, const line *l, const char *name, uint64_t otherwise)
{
        odm_str v = line_option(l, name);

        return v.p ? teller_number(o->t, v) : otherwise;
}

static odm_nonce nonce_option(outside *o, const line *l, const char *name)
{
        odm_str octets = hex_option(o, l, name);
        odm_nonce n = {.n = (uint8_t)octets.n};

        if (octets.n > sizeof n.p)
                wrong(o, "a nonce that long");
        if (octets.n)
                memcpy(n.p, octets.p, octets.n);
        return n;
}

/* ---- package 0 --------------------------------------------------------------------------- */

static uint16_t session_option(outside *o, const line *l)
{
        odm_str two = hex_option(o, l, "session");

        if (two.p && two.n != 2)
                wrong(o, "session= is two octets");
        return two.p ? (uint16_t)((uint8_t)two.p[0] << 8 | (uint8_t)two.p[1]) : 1;
}

/* As a device takes it: who calls, and is it he?  (B2) */
static void hear_datagram(outside *o, odm_str datagram)
{
        odm_notification n;
        odm_account acc;
        odm_secret secret;
        odm_str package0;

        o->followed = false;
        if (odm_wsp_unwrap(datagram, &package0) < 0 || odm_notify_parse(package0, &n) < 0)
                return;
        int rc = odm_account_find(o->tree, n.server_id, o->a, &acc);
        if (rc == ODM_ENOENT)
                return;
        must(o, rc, "the account");
        odm_secret_of(n.server_id, acc.server_password, &secret);
        o->check = odm_notify_verify(package0, &secret, &acc.server_nonce);
        o->followed = o->check != ODM_NOTIFY_FORGED;
        o->call = n;
        o->account = acc.uri;
}

/* push [server=] [password=] [nonce=] [session=] [ui=] [version=] [by=] [vendor=] [bare] */
static void on_push(outside *o, const line *l)
{
        odm_str server = option_or(l, "server", "srv");
        odm_notification n = {.version = (uint16_t)number_or(o, l, "version", ODM_NOTIFY_VERSION),
                              .ui = (odm_ui_mode)number_or(o, l, "ui", ODM_UI_BACKGROUND),
                              .by_server = !odm_str_is(line_option(l, "by"), "user"),
                              .session_id = session_option(o, l),
                              .server_id = server,
                              .vendor = hex_option(o, l, "vendor")};
        const odm_nonce nonce = nonce_option(o, l, "nonce");
        odm_secret secret;
        odm_buf bare, push;

        odm_secret_of(server, option_or(l, "password", "spw"), &secret);
        odm_buf_init(&bare, &teller_mem, MOST);
        odm_str package0 = keep(o, &bare, odm_notify_make(&n, &secret, &nonce, &bare), "package 0");
        odm_buf_init(&push, &teller_mem, MOST);
        o->made = package0;
        if (!line_has(l, "bare"))
                o->made = keep(o, &push, odm_wsp_wrap(1, package0, &push), "the push");
        hear_datagram(o, o->made);
}

/* call SESSION [ui=N] [by=user] [resync=zero] */
static void want_call(outside *o, const line *l)
{
        odm_str resync = line_option(l, "resync");
        char session[5];

        if (!o->followed)
                wrong(o, "it is dropped");
        odm_notify_session(o->call.session_id, session);
        if (!odm_str_is(teller_arg(o->t, l, 1), session))
                wrong(o, "it asks for session %s", session);
        if (line_option(l, "ui").p && number_or(o, l, "ui", 0) != o->call.ui)
                wrong(o, "its ui-mode is %d", (int)o->call.ui);
        if (line_option(l, "by").p && odm_str_is(line_option(l, "by"), "user") == o->call.by_server)
                wrong(o, "another one began it");
        odm_notify_check want = resync.p == NULL             ? ODM_NOTIFY_GOOD
                                : odm_str_is(resync, "zero") ? ODM_NOTIFY_RESYNC
                                                             : ODM_NOTIFY_RESYNC_ASCII;
        if (o->check != want)
                wrong(o, "its digest is of another nonce");
}

void outside_call(const outside *o, odm_arena *a, odm_client_opt *opt)
{
        char session[5];

        if (!o->followed)
                return;
        odm_notify_session(o->call.session_id, session);
        opt->session_id = odm_arena_copy(a, odm_cstr(session));
        opt->alert = ODM_ALERT_SERVER_INITIATED;
        opt->account = o->account;
        opt->resync = o->check != ODM_NOTIFY_GOOD;
        opt->resync_ascii = o->check == ODM_NOTIFY_RESYNC_ASCII;
}

/* ---- bootstrap ------------------------------------------------------------------------------ */

static odm_boot_keys keys_of(const line *l)
{
        return (odm_boot_keys){line_option(l, "network"), line_option(l, "pin")};
}

/* A message that adds the objects of a TNDS document, in XML here, to ./Inbox. */
static int make_of_tnds(outside *o, odm_str tnds, odm_buf *out)
{
        odm_item item = {.target = ODM_STR("./Inbox"),
                         .meta = {.present = true,
                                  .format = ODM_FMT_XML,
                                  .type = odm_cstr(odm_codec_tnds_mime(&odm_codec_xml))},
                         .data = {ODM_DATA_XML, tnds}};
        odm_command add = {.kind = ODM_CMD_ADD, .cmd_id = ODM_STR("1"), .items = &item};
        odm_msg m = {.hdr = {.ver_dtd = ODM_STR("1.2"),
                             .ver_proto = ODM_STR("DM/1.2"),
                             .session_id = ODM_STR("0"),
                             .msg_id = ODM_STR("0"),
                             .target = ODM_STR("*"),
                             .source = ODM_STR("server")},
                     .body = &add,
                     .final = true,
                     .has_body = true};
        int rc = odm_msg_convert(&m, &odm_codec_wbxml, o->a);

        return rc < 0 ? rc : odm_encode(&odm_codec_wbxml, &m, out);
}

static odm_str make_document(outside *o, const line *l, odm_boot_profile p)
{
        odm_str tnds = line_option(l, "tnds"), server = line_option(l, "server");
        odm_boot_offer offer = {.account = {.server_id = server,
                                            .addr = line_option(l, "url"),
                                            .user = line_option(l, "user"),
                                            .password = line_option(l, "password"),
                                            .type = ODM_AUTH_MD5,
                                            .nonce = nonce_option(o, l, "nonce"),
                                            .server_nonce = nonce_option(o, l, "server-nonce"),
                                            .server_password = line_option(l, "server-password")},
                                .name = line_option(l, "name"),
                                .node = line_option(l, "node"),
                                .device_id = line_option(l, "device")};
        odm_buf b;

        if (offer.account.server_password.p) {
                offer.account.server_user = server;
                offer.account.server_type = ODM_AUTH_MD5;
        }
        odm_buf_init(&b, &teller_mem, MOST);
        int rc = tnds.p ? make_of_tnds(o, tnds, &b) : odm_boot_make(p, &offer, &b);
        return keep(o, &b, rc, "the document");
}

static void carry(outside *o, const odm_boot *b, bool mime)
{
        odm_buf out;

        odm_buf_init(&out, &teller_mem, MOST);
        int rc = mime ? odm_boot_put_mime(b, &out) : odm_boot_put_push(b, 1, &out);
        o->made = keep(o, &out, rc, "the carrier");
        o->tried = false;
        o->parsed = odm_boot_parse(o->made, &o->boot);
}

/* bootstrap profile= [document=HEX | tnds= | server= url= user= ...] sec= [pin=] [network=] [mime]
 */
static void on_bootstrap(outside *o, const line *l)
{
        bool cp = odm_str_is(line_option(l, "profile"), "cp");
        odm_boot_profile p = cp ? ODM_BOOT_CP : ODM_BOOT_DM;
        const odm_boot_keys keys = keys_of(l);
        odm_boot_sec sec;
        odm_boot b;

        must(o, odm_boot_sec_parse(line_option(l, "sec"), &sec), "sec=");
        o->doc = hex_option(o, l, "document");
        if (o->doc.p == NULL)
                o->doc = make_document(o, l, p);
        must(o, odm_boot_sign(p, sec, &keys, o->doc, &b), "the MAC");
        carry(o, &b, line_has(l, "mime"));
        must(o, o->parsed, "what was made");
}

static void on_apply(outside *o, const line *l)
{
        const odm_boot_opt opt = {.replace = line_has(l, "replace")};

        must(o, odm_boot_apply(&o->boot, &opt, o->tree, (odm_wall){++o->wall->s}, o->a, &o->done),
             "the message");
}

static void want_mac(outside *o, const line *l)
{
        odm_str want = octets_of(o, l, 1);

        if (want.n != ODM_BOOT_MAC_LEN || memcmp(want.p, o->boot.mac, want.n) != 0)
                wrong(o, "the MAC is another one");
}

/* applied STATUS [ignored=N] */
static void want_applied(outside *o, const line *l)
{
        if (!teller_code_is(teller_arg(o->t, l, 1), o->done.status))
                wrong(o, "it is %u: %s", o->done.status, o->done.why);
        if (number_or(o, l, "ignored", o->done.ignored) != o->done.ignored)
                wrong(o, "%u objects are passed over", o->done.ignored);
}

static void want_verdict(outside *o, odm_boot_verdict want)
{
        static const char *const names[] = {"good", "again", "discarded"};

        if (!o->tried)
                wrong(o, "nobody tried to prove it");
        if (o->verdict != want)
                wrong(o, "it is %s", names[o->verdict]);
}

static void want_provisioning(outside *o, const line *l)
{
        odm_prov *doc;
        odm_buf b;

        must(o, odm_prov_decode(o->doc, NULL, o->a, &doc), "the document");
        odm_buf_init(&b, &teller_mem, MOST);
        odm_str xml = keep(o, &b, odm_prov_xml(doc, &b), "XML");
        if (!odm_str_eq(xml, teller_arg(o->t, l, 1)))
                wrong(o, "it says %.*s", (int)xml.n, xml.p);
}

/* ---- octets for the decoder ------------------------------------------------------------- */

static int decode(outside *o, odm_str in, odm_msg **out)
{
        odm_limits lim;

        odm_limits_init(&lim);
        return odm_decode(&odm_codec_wbxml, in, &lim, o->a, out);
}

static void on_decode(outside *o, const line *l)
{
        odm_msg *m = NULL;
        odm_buf b;

        o->octets = octets_of(o, l, 0);
        o->xml = ODM_ABSENT;
        o->decoded = decode(o, o->octets, &m);
        if (o->decoded < 0)
                return;
        must(o, odm_msg_convert(m, &odm_codec_xml, o->a), "the conversion");
        odm_buf_init(&b, &teller_mem, MOST);
        o->xml = keep(o, &b, odm_encode(&odm_codec_xml, m, &b), "XML");
}

/* Every part of the message that ends too soon is refused. */
static void want_no_part(outside *o)
{
        for (size_t n = 0; n < o->octets.n; n++) {
                odm_msg *m;
                int rc = decode(o, odm_str_to(o->octets, n), &m);
                if (rc != ODM_EMALFORMED)
                        wrong(o, "the first %zu octets: %s", n, odm_err_name(rc));
        }
}

static void want_part(outside *o, odm_str part)
{
        if (o->xml.p == NULL)
                wrong(o, "it is refused: %s", odm_err_name(o->decoded));
        if (memmem(o->xml.p, o->xml.n, part.p, part.n) == NULL)
                wrong(o, "it says %.*s", (int)o->xml.n, o->xml.p);
}

/* ---- words ------------------------------------------------------------------------------ */

bool outside_play(outside *o, const line *l)
{
        if (is(l, "push")) {
                on_push(o, l);
        } else if (is(l, "datagram")) {
                o->made = octets_of(o, l, 0);
                hear_datagram(o, o->made);
        } else if (is(l, "bootstrap")) {
                on_bootstrap(o, l);
        } else if (is(l, "carried")) {
                o->made = octets_of(o, l, 0);
                o->tried = false;
                o->parsed = odm_boot_parse(o->made, &o->boot);
        } else if (is(l, "prove")) {
                const odm_boot_keys keys = keys_of(l);
                must(o, o->parsed, "the message");
                o->verdict = odm_boot_prove(&o->boot, &keys);
                o->tried = true;
        } else if (is(l, "apply")) {
                on_apply(o, l);
        } else if (is(l, "decode")) {
                on_decode(o, l);
        } else {
                return false;
        }
        return true;
}

static void want_octets(outside *o, odm_str got, odm_str want)
{
        if (!odm_str_eq(got, want))
                wrong(o, "%zu octets are other ones than the %zu wanted", got.n, want.n);
}

bool outside_want(outside *o, const line *l)
{
        odm_str what = teller_arg(o->t, l, 0);

        if (odm_str_is(what, "made"))
                want_octets(o, o->made, octets_of(o, l, 1));
        else if (odm_str_is(what, "trigger")) /* behind the digest */
                want_octets(o, odm_str_from(o->made, 16), octets_of(o, l, 1));
        else if (odm_str_is(what, "call"))
                want_call(o, l);
        else if (odm_str_is(what, "dropped") && o->followed)
                wrong(o, "it is followed");
        else if (odm_str_is(what, "document"))
                want_octets(o, o->doc, octets_of(o, l, 1));
        else if (odm_str_is(what, "provisioning"))
                want_provisioning(o, l);
        else if (odm_str_is(what, "hmac"))
                want_mac(o, l);
        else if (odm_str_is(what, "unsigned") && o->parsed != ODM_EACCESS)
                wrong(o, "it is %s", odm_err_name(o->parsed));
        else if (odm_str_is(what, "good"))
                want_verdict(o, ODM_BOOT_GOOD);
        else if (odm_str_is(what, "again"))
                want_verdict(o, ODM_BOOT_AGAIN);
        else if (odm_str_is(what, "discarded"))
                want_verdict(o, ODM_BOOT_DISCARD);
        else if (odm_str_is(what, "applied"))
                want_applied(o, l);
        else if (odm_str_is(what, "says"))
                want_part(o, teller_arg(o->t, l, 1));
        else if (odm_str_is(what, "malformed") && o->decoded != ODM_EMALFORMED)
                wrong(o, "it is %s", odm_err_name(o->decoded));
        else if (odm_str_is(what, "too-large") && o->decoded != ODM_ELIMIT)
                wrong(o, "it is %s", odm_err_name(o->decoded));
        else if (odm_str_is(what, "no-part"))
                want_no_part(o);
        else
                return odm_str_is(what, "dropped") || odm_str_is(what, "unsigned") ||
                       odm_str_is(what, "malformed") || odm_str_is(what, "too-large");
        return true;
}
