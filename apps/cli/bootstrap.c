/* SPDX-License-Identifier: Apache-2.0 */
/* xrem bootstrap: messages that bring a device its first account, made and looked at
 * (dm-security-bootstrap-notification.md part C). */
#include "odm/bootstrap.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "cred.h"
#include "flat.h"
#include "io.h"
#include "json.h"
#include "rand.h"
#include "table.h"

#define PIN_DIGITS 6  /* of a PIN made up here */
#define HALF_DIGITS 5 /* of the random half of one that is the proof */

static const char *const profile_names[] = {[ODM_BOOT_DM] = "dm", [ODM_BOOT_CP] = "cp"};

/* ---- what both take -------------------------------------------------------------------- */

static int read_keys(xrem *c, const xrem_args *a, odm_boot_keys *out)
{
        const char *network;
        int rc = xrem_cred_text(c, a, "network-key", "network-key-file", &network);

        *out = (odm_boot_keys){.network = odm_cstr(network), .pin = odm_cstr(xrem_value(a, "pin"))};
        return rc;
}

/* ---- make ------------------------------------------------------------------------------- */

static int read_auth(const xrem_args *a, const char *option, odm_auth_type *out)
{
        static const char *const names[] = {"none", "basic", "md5", "mac"};
        const char *v = xrem_value(a, option);

        *out = ODM_AUTH_MD5;
        for (size_t i = 0; v && i < ODM_COUNT(names); i++)
                if (strcmp(v, names[i]) == 0) {
                        *out = (odm_auth_type)i;
                        return XREM_OK;
                }
        if (v == NULL)
                return XREM_OK;
        return xrem_fail(XREM_USAGE, "--%s: '%s' is neither md5, mac, basic nor none", option, v);
}

static int read_nonce(xrem *c, const xrem_args *a, const char *option, odm_nonce *out)
{
        const char *v = xrem_value(a, option);
        odm_str octets;

        if (v == NULL)
                return XREM_OK;
        if (xrem_octets(c, v, &octets) < 0 || octets.n > ODM_NONCE_MAX)
                return xrem_fail(XREM_BAD_INPUT,
                                 "--%s: '%s' is neither base64 nor hex:.. of at most %d octets",
                                 option, v, ODM_NONCE_MAX);
        out->n = (uint8_t)octets.n;
        memcpy(out->p, octets.p, octets.n);
        return XREM_OK;
}

static int read_offer(xrem *c, const xrem_args *a, odm_boot_offer *o)
{
        odm_account *acc = &o->account;
        const char *id = xrem_value(a, "server-id"), *url = xrem_value(a, "url");
        const char *password, *server_password, *server_user = xrem_value(a, "server-user");
        int rc;

        if (id == NULL || url == NULL)
                return xrem_fail(XREM_USAGE, "--server-id and --url are needed");
        if ((rc = xrem_cred_password(c, a, &password)) != XREM_OK ||
            (rc = xrem_cred_text(c, a, "server-password", "server-password-file",
                                 &server_password)) != XREM_OK ||
            (rc = read_auth(a, "auth", &acc->type)) != XREM_OK ||
            (rc = read_auth(a, "server-auth", &acc->server_type)) != XREM_OK ||
            (rc = read_nonce(c, a, "nonce", &acc->nonce)) != XREM_OK ||
            (rc = read_nonce(c, a, "server-nonce", &acc->server_nonce)) != XREM_OK)
                return rc;
        if (strlen(id) > ODM_USER_MAX)
                return xrem_fail(XREM_BAD_INPUT, "--server-id: longer than %d octets",
                                 ODM_USER_MAX);
        acc->server_id = odm_cstr(id);
        acc->addr = odm_cstr(url);
        acc->user = odm_cstr(xrem_value(a, "user"));
        acc->password = odm_cstr(password);
        acc->server_user = odm_cstr(server_user ? server_user : id);
        acc->server_password = odm_cstr(server_password);
        o->name = odm_cstr(xrem_value(a, "name"));
        o->node = odm_cstr(xrem_value(a, "node"));
        o->device_id = odm_cstr(xrem_value(a, "devid"));
        return XREM_OK;
}

static int read_profile(const xrem_args *a, odm_boot_profile *out)
{
        const char *v = xrem_value(a, "profile");

        *out = ODM_BOOT_DM;
        for (size_t i = 0; v && i < ODM_COUNT(profile_names); i++)
                if (strcmp(v, profile_names[i]) == 0) {
                        *out = (odm_boot_profile)i;
                        return XREM_OK;
                }
        return v ? xrem_fail(XREM_USAGE, "--profile: '%s' is neither dm nor cp", v) : XREM_OK;
}

/* Without --sec what is given tells: a PIN, what the network knows, or both. */
static int read_sec(const xrem_args *a, const odm_boot_keys *keys, odm_boot_sec *out)
{
        const char *v = xrem_value(a, "sec");

        if (v == NULL)
                *out = keys->network.p == NULL ? ODM_BOOT_USER
                       : keys->pin.p           ? ODM_BOOT_USER_NETWORK
                                               : ODM_BOOT_NETWORK;
        else if (odm_boot_sec_parse(odm_cstr(v), out) < 0)
                return xrem_fail(XREM_USAGE,
                                 "--sec: '%s' is none of NETWORKID USERPIN USERPIN_NETWORKID "
                                 "NETWPIN USERNETWPIN USERPINMAC",
                                 v);
        return XREM_OK;
}

static odm_str digits(xrem *c, size_t n)
{
        char *p = xrem_get(c, n + 1);

        for (size_t i = 0; i < n; i++)
                p[i] = (char)('0' + (char)rand_below(10));
        return (odm_str){p, n};
}

/* The PIN is for the user: it goes another way than the message, so it is said, not written. */
static int sign(xrem *c, odm_boot_profile p, odm_boot_sec sec, odm_boot_keys *keys, odm_str doc,
                odm_boot *out)
{
        bool made_up = sec != ODM_BOOT_NETWORK && keys->pin.p == NULL;
        char pin[ODM_BOOT_PIN_TEXT];

        if (sec == ODM_BOOT_USER_MAC && p == ODM_BOOT_DM)
                return xrem_fail(XREM_USAGE, "USERPINMAC is for --profile cp");
        if (sec == ODM_BOOT_USER_MAC && !made_up)
                return xrem_fail(XREM_USAGE, "the PIN of USERPINMAC is made here: leave --pin out");
        if (sec == ODM_BOOT_USER_MAC) {
                if (odm_boot_pin(digits(c, HALF_DIGITS), doc, pin) < 0)
                        return xrem_fail(XREM_BROKEN, "no PIN can be made");
                keys->pin = xrem_copy(c, odm_cstr(pin));
        } else if (made_up) {
                keys->pin = digits(c, PIN_DIGITS);
        }
        if (odm_boot_sign(p, sec, keys, doc, out) < 0)
                return xrem_fail(XREM_USAGE,
                                 "--network-key is needed, of at most 128 octets, and a PIN of "
                                 "at most %d",
                                 ODM_BOOT_PIN_MAX);
        if (made_up)
                (void)fprintf(stderr, "PIN for the user: %.*s\n", (int)keys->pin.n, keys->pin.p);
        return XREM_OK;
}

static int carry(xrem *c, const xrem_args *a, const odm_boot *b)
{
        odm_buf out;
        int err, rc;

        odm_buf_init(&out, &heap_mem, 2 * ODM_BOOT_MAX);
        (void)umask(077); /* the message holds the passwords */
        err = xrem_has(a, "push") ? odm_boot_put_push(b, 1, &out) : odm_boot_put_mime(b, &out);
        if (err == ODM_ENOMEM)
                xrem_out_of_memory();
        if (err < 0 || out.n > ODM_BOOT_MAX)
                rc = xrem_fail(XREM_BAD_INPUT, "the message would be too large");
        else
                rc = xrem_write_file(c, xrem_value(a, "output"), odm_buf_view(&out), true);
        odm_buf_done(&out);
        return rc;
}

int xrem_run_bootstrap_make(xrem *c, const xrem_args *a)
{
        odm_boot_offer offer = {.name = ODM_ABSENT};
        odm_boot_profile profile;
        odm_boot_keys keys;
        odm_boot_sec sec;
        odm_boot b;
        odm_buf doc;
        int rc;

        if ((rc = read_offer(c, a, &offer)) != XREM_OK ||
            (rc = read_profile(a, &profile)) != XREM_OK ||
            (rc = read_keys(c, a, &keys)) != XREM_OK || (rc = read_sec(a, &keys, &sec)) != XREM_OK)
                return rc;
        odm_buf_init(&doc, &heap_mem, ODM_BOOT_MAX);
        int err = odm_boot_make(profile, &offer, &doc);
        if (err == ODM_ENOMEM)
                xrem_out_of_memory();
        if (err < 0)
                rc = xrem_fail(XREM_BAD_INPUT, "cannot make it: %s", odm_err_text(err));
        if (rc == XREM_OK)
                rc = sign(c, profile, sec, &keys, odm_buf_view(&doc), &b);
        if (rc == XREM_OK)
                rc = carry(c, a, &b);
        odm_buf_done(&doc);
        return rc;
}

/* ---- show ------------------------------------------------------------------------------- */

static bool is_secret(odm_str uri)
{
        static const char *const names[] = {"/AAuthSecret", "/AAuthData"};

        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                size_t n = strlen(names[i]);
                if (uri.n >= n && memcmp(uri.p + uri.n - n, names[i], n) == 0)
                        return true;
        }
        return false;
}

static int next_node(xrem *c, const xrem_args *a, xrem_walk *w, xrem_flat *f)
{
        int rc = xrem_flat_of(c, w, f);

        if (rc == XREM_OK && f->value.n && is_secret(f->uri) && !xrem_has(a, "secrets")) {
                f->value = ODM_STR("********");
                f->format = ODM_FMT_CHR;
        }
        return rc;
}

static int show_text(xrem *c, const xrem_args *a, const odm_boot *b, const char *checked,
                     const odm_doc *doc)
{
        static const xrem_col cols[] = {{.head = "Field", .keep = true}, {.head = "Value"}};
        xrem_table *t = xrem_table_new(c, cols, ODM_COUNT(cols));
        xrem_walk w = {.first = doc->nodes, .unnamed = "<X>"};
        const struct {
                const char *name, *value;
        } rows[] = {{"profile", profile_names[b->profile]},
                    {"proved by", odm_boot_sec_name(b->profile, b->sec)},
                    {"checked", checked ? checked : "not checked"}};

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                xrem_cell cells[] = {CELL_IN(odm_cstr(rows[i].name), XREM_BOLD),
                                     CELL(odm_cstr(rows[i].value))};
                xrem_table_row(t, cells);
        }
        xrem_table_print(t, false);
        while (xrem_walk_next(c, &w)) {
                xrem_flat f;
                int rc = next_node(c, a, &w, &f);

                if (rc != XREM_OK)
                        return rc;
                odm_str line = xrem_flat_line(c, &f);
                printf("%.*s\n", (int)line.n, line.p);
        }
        return XREM_OK;
}

static int show_json(xrem *c, const xrem_args *a, const odm_boot *b, const char *checked,
                     const odm_doc *doc)
{
        json_t *o = xrem_own(c, json_object()), *list = json_array();
        xrem_walk w = {.first = doc->nodes, .unnamed = "<X>"};

        xrem_json_set(o, "nodes", list);
        while (xrem_walk_next(c, &w)) {
                xrem_flat f;
                int rc = next_node(c, a, &w, &f);

                if (rc != XREM_OK)
                        return rc;
                xrem_json_push(list, xrem_flat_json(c, &f));
        }
        xrem_json_set(o, "profile", json_string(profile_names[b->profile]));
        xrem_json_set(o, "sec", json_string(odm_boot_sec_name(b->profile, b->sec)));
        xrem_json_set(o, "checked", checked ? json_string(checked) : json_null());
        return xrem_print_json(json_incref(o));
}

static bool is_message(odm_str in)
{
        odm_boot b;
        int rc = odm_boot_parse(in, &b);

        return rc == 0 || rc == ODM_EACCESS || rc == ODM_EUNSUPPORTED;
}

static int read_message(xrem *c, const char *path, odm_boot *out)
{
        const char *name = strcmp(path, "-") ? path : "standard input";
        odm_str in;
        int rc = xrem_read_file(c, path, &in), err;

        if (rc != XREM_OK)
                return rc;
        err = odm_boot_parse(xrem_unwrap_text(c, in, is_message), out);
        if (err == ODM_EACCESS)
                return xrem_fail(XREM_BAD_INPUT, "%s: nothing proves this message", name);
        if (err < 0)
                return xrem_fail(XREM_BAD_INPUT, "%s: this is no bootstrap message", name);
        return XREM_OK;
}

int xrem_run_bootstrap_show(xrem *c, const xrem_args *a)
{
        const char *checked = NULL;
        odm_boot_keys keys;
        odm_boot b;
        odm_doc *doc;
        int rc = read_message(c, a->n_words ? a->word[0] : "-", &b), err;

        if (rc != XREM_OK || (rc = read_keys(c, a, &keys)) != XREM_OK)
                return rc;
        if (keys.network.p || keys.pin.p)
                checked = odm_boot_prove(&b, &keys) == ODM_BOOT_GOOD ? "good" : "wrong";
        err = odm_boot_objects(&b, NULL, &c->arena, &doc);
        if (err == ODM_ENOMEM)
                xrem_out_of_memory();
        if (err < 0)
                return xrem_fail(XREM_BAD_INPUT, "what it holds cannot be read: %s",
                                 odm_err_text(err));
        rc = c->set.json ? show_json(c, a, &b, checked, doc) : show_text(c, a, &b, checked, doc);
        if (rc == XREM_OK && checked && strcmp(checked, "wrong") == 0)
                return XREM_REFUSED;
        return rc;
}
