/* SPDX-License-Identifier: Apache-2.0 */
/* xrem notify: package 0 made by hand, and taken apart (dm-security-bootstrap-notification.md
 * part B). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "cred.h"
#include "io.h"
#include "json.h"
#include "odm/notify.h"
#include "table.h"

static const char *const ui_names[] = {
        [ODM_UI_UNSPECIFIED] = "unspecified",
        [ODM_UI_BACKGROUND] = "background",
        [ODM_UI_INFORMATIVE] = "informative",
        [ODM_UI_INTERACTION] = "interaction",
};

static int bad_octets(const char *option, const char *v)
{
        return xrem_fail(XREM_BAD_INPUT, "--%s: '%s' is neither base64 nor hex:..", option, v);
}

/* ---- make -------------------------------------------------------------------------- */

static int read_ui(const xrem_args *a, odm_ui_mode *out)
{
        const char *v = xrem_value(a, "ui");

        *out = ODM_UI_BACKGROUND;
        for (size_t i = 0; v && i < ODM_COUNT(ui_names); i++)
                if (strcmp(v, ui_names[i]) == 0) {
                        *out = (odm_ui_mode)i;
                        return XREM_OK;
                }
        if (v == NULL)
                return XREM_OK;
        const char *near = xrem_nearest(v, ui_names, ODM_COUNT(ui_names));
        return xrem_fail(XREM_USAGE, "--ui: unknown mode '%s'; %s%s", v,
                         near ? "did you mean " : "see 'xrem help notify make'", near ? near : "");
}

static int read_session(const xrem_args *a, uint16_t *out)
{
        const char *v = xrem_value(a, "session");
        char *end = NULL;
        unsigned long n = v ? strtoul(v, &end, 0) : 1;

        if (v && (*end || v[0] == '-' || n < 1 || n > 0xffff))
                return xrem_fail(XREM_USAGE, "--session: '%s' is no number from 1 to 65535", v);
        *out = (uint16_t)n;
        return XREM_OK;
}

static int read_fields(xrem *c, const xrem_args *a, odm_notification *n)
{
        const char *id = xrem_value(a, "server-id"), *who = xrem_value(a, "initiator");
        const char *vendor = xrem_value(a, "vendor");
        uint64_t version;
        int rc = xrem_number(a, "protocol", 13, ODM_NOTIFY_VERSION, &version);

        if (rc != XREM_OK || (rc = read_ui(a, &n->ui)) != XREM_OK ||
            (rc = read_session(a, &n->session_id)) != XREM_OK)
                return rc;
        if (id == NULL)
                return xrem_fail(XREM_USAGE, "--server-id is needed");
        if (version < 10)
                return xrem_fail(XREM_USAGE, "--protocol: 10 to 13 are known");
        if (who && strcmp(who, "server") != 0 && strcmp(who, "user") != 0)
                return xrem_fail(XREM_USAGE, "--initiator: '%s' is neither server nor user", who);
        if (vendor && xrem_octets(c, vendor, &n->vendor) < 0)
                return bad_octets("vendor", vendor);
        n->version = (uint16_t)version;
        n->server_id = odm_cstr(id);
        n->by_server = who == NULL || strcmp(who, "server") == 0;
        return XREM_OK;
}

/* Both in heap buffers of the caller; the datagram ends up in *out. */
static int build(xrem *c, const xrem_args *a, const odm_notification *n, odm_str *out)
{
        odm_secret secret;
        odm_nonce nonce;
        odm_buf bare, wsp;
        uint64_t tid;
        bool has;
        int rc = xrem_cred_secret(c, a, n->server_id, &secret, &has);

        if (rc != XREM_OK ||
            (rc = xrem_cred_nonce(c, a, &odm_nonce_default_zero, &nonce)) != XREM_OK ||
            (rc = xrem_number(a, "tid", 255, 1, &tid)) != XREM_OK)
                return rc;
        if (!has)
                return xrem_fail(XREM_USAGE, "--password or --secret is needed");
        odm_buf_init(&bare, &heap_mem, ODM_NOTIFY_MAX);
        odm_buf_init(&wsp, &heap_mem, ODM_NOTIFY_MAX + 64);
        int err = odm_notify_make(n, &secret, &nonce, &bare);
        if (err == 0 && xrem_has(a, "wsp"))
                err = odm_wsp_wrap((uint8_t)tid, odm_buf_view(&bare), &wsp);
        if (err == 0)
                *out = xrem_copy(c, odm_buf_view(xrem_has(a, "wsp") ? &wsp : &bare));
        odm_buf_done(&bare);
        odm_buf_done(&wsp);
        if (err < 0)
                return xrem_fail(XREM_BAD_INPUT, "cannot make it: %s", odm_err_text(err));
        return XREM_OK;
}

int xrem_run_notify_make(xrem *c, const xrem_args *a)
{
        odm_notification n = {0};
        odm_str out = ODM_ABSENT;
        int rc = read_fields(c, a, &n);

        if (rc == XREM_OK)
                rc = build(c, a, &n, &out);
        if (rc != XREM_OK)
                return rc;
        if (xrem_has(a, "raw") || xrem_has(a, "output"))
                return xrem_write_file(c, xrem_value(a, "output"), out, true);
        out = xrem_has(a, "b64") ? xrem_b64(c, out) : xrem_hex(c, out);
        printf("%.*s\n", (int)out.n, out.p);
        return XREM_OK;
}

/* ---- decode -------------------------------------------------------------------------- */

static bool is_package0(odm_str in)
{
        odm_notification n;
        odm_str p0;

        return odm_wsp_unwrap(in, &p0) == 0 && odm_notify_parse(p0, &n) == 0;
}

static const char *check_name(odm_notify_check k)
{
        switch (k) {
        case ODM_NOTIFY_FORGED: return "wrong";
        case ODM_NOTIFY_GOOD: return "good";
        case ODM_NOTIFY_RESYNC: return "good, with the default nonce (four zero octets)";
        case ODM_NOTIFY_RESYNC_ASCII: return "good, with the default nonce (as text)";
        }
        ODM_UNREACHABLE();
}

static void print_fields(xrem *c, odm_str p0, bool pushed, const odm_notification *n,
                         const char *verdict)
{
        static const xrem_col cols[] = {{.head = "Field", .keep = true}, {.head = "Value"}};
        xrem_table *t = xrem_table_new(c, cols, ODM_COUNT(cols));
        char session[5];

        odm_notify_session(n->session_id, session);
        const struct {
                const char *name;
                odm_str value;
        } rows[] = {
                {"server", n->server_id},
                {"session", xrem_str(c, "%s (%u)", session, n->session_id)},
                {"version", xrem_str(c, "%u.%u", n->version / 10u, n->version % 10u)},
                {"ui-mode", odm_cstr(ui_names[n->ui])},
                {"initiator", odm_cstr(n->by_server ? "server" : "user")},
                {"digest", xrem_hex(c, odm_str_to(p0, 16))},
                {"checked", odm_cstr(verdict)},
                {"vendor", n->vendor.n ? xrem_hex(c, n->vendor) : ODM_ABSENT},
                {"carrier", odm_cstr(pushed ? "WSP push" : "none")},
        };
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                xrem_cell cells[] = {CELL_IN(odm_cstr(rows[i].name), XREM_BOLD),
                                     CELL(rows[i].value)};
                xrem_table_row(t, cells);
        }
        xrem_table_print(t, false);
}

static int print_fields_json(xrem *c, odm_str p0, bool pushed, const odm_notification *n,
                             const char *verdict)
{
        json_t *o = json_object();
        char session[5];

        odm_notify_session(n->session_id, session);
        xrem_json_set(o, "server", xrem_json_text(c, n->server_id));
        xrem_json_set(o, "session", json_string(session));
        xrem_json_set(o, "version", json_integer(n->version));
        xrem_json_set(o, "ui_mode", json_string(ui_names[n->ui]));
        xrem_json_set(o, "initiator", json_string(n->by_server ? "server" : "user"));
        xrem_json_set(o, "digest", xrem_json_text(c, xrem_hex(c, odm_str_to(p0, 16))));
        xrem_json_set(o, "checked", verdict ? json_string(verdict) : json_null());
        xrem_json_set(o, "vendor", xrem_json_text(c, xrem_hex(c, n->vendor)));
        xrem_json_set(o, "wsp", json_boolean(pushed));
        return xrem_print_json(o);
}

int xrem_run_notify_decode(xrem *c, const xrem_args *a)
{
        const char *path = a->n_words ? a->word[0] : "-", *verdict = NULL;
        odm_str in, p0;
        odm_notification n;
        odm_notify_check check = ODM_NOTIFY_GOOD;
        odm_secret secret;
        odm_nonce nonce;
        bool has;
        int rc = xrem_read_file(c, path, &in);

        if (rc != XREM_OK)
                return rc;
        in = xrem_unwrap_text(c, in, is_package0);
        if (odm_wsp_unwrap(in, &p0) < 0 || odm_notify_parse(p0, &n) < 0)
                return xrem_fail(XREM_BAD_INPUT, "%s: this is no package 0",
                                 strcmp(path, "-") ? path : "standard input");
        if ((rc = xrem_cred_secret(c, a, n.server_id, &secret, &has)) != XREM_OK ||
            (rc = xrem_cred_nonce(c, a, &odm_nonce_default_zero, &nonce)) != XREM_OK)
                return rc;
        if (has) {
                check = odm_notify_verify(p0, &secret, &nonce);
                verdict = check_name(check);
        }
        if (c->set.json)
                rc = print_fields_json(c, p0, p0.p != in.p, &n, verdict);
        else
                print_fields(c, p0, p0.p != in.p, &n, verdict ? verdict : "not checked");
        if (rc == XREM_OK && has && check == ODM_NOTIFY_FORGED)
                return XREM_REFUSED;
        return rc;
}
