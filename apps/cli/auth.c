/* SPDX-License-Identifier: Apache-2.0 */
/* xrem auth: the formulas of dm-protocol.md 9, for whoever debugs a login. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "cred.h"
#include "io.h"
#include "json.h"

typedef struct inputs {
        odm_str user, password, body;
        odm_nonce nonce;
        odm_mac_alg alg;
        odm_secret secret;
} inputs;

static int read_alg(const xrem_args *a, odm_mac_alg *out)
{
        const char *v = xrem_value(a, "alg");

        if (v == NULL || odm_str_ieq(odm_cstr(v), "md5"))
                *out = ODM_MAC_MD5;
        else if (odm_str_ieq(odm_cstr(v), "sha256"))
                *out = ODM_MAC_SHA256;
        else
                return xrem_fail(XREM_USAGE, "--alg: '%s' is neither md5 nor sha256", v);
        return XREM_OK;
}

static int read_inputs(xrem *c, const xrem_args *a, bool with_body, inputs *in)
{
        const char *password = NULL;
        const odm_nonce empty = {0};
        int rc = xrem_cred_password(c, a, &password);

        if (rc != XREM_OK)
                return rc;
        if (xrem_value(a, "user") == NULL || password == NULL)
                return xrem_fail(XREM_USAGE, "--user and --password are needed");
        in->user = odm_cstr(xrem_value(a, "user"));
        in->password = odm_cstr(password);
        odm_secret_of(in->user, in->password, &in->secret);
        if ((rc = xrem_cred_nonce(c, a, &empty, &in->nonce)) != XREM_OK ||
            (rc = read_alg(a, &in->alg)) != XREM_OK)
                return rc;
        if (!with_body)
                return XREM_OK;
        if (xrem_value(a, "body") == NULL)
                return xrem_fail(XREM_USAGE, "mac needs --body FILE");
        return xrem_read_file(c, xrem_value(a, "body"), &in->body);
}

static odm_str compute_mac(xrem *c, const inputs *in, odm_str *header)
{
        char mac[ODM_MAC_MAX];
        size_t n = odm_auth_mac(in->alg, in->user, in->password, &in->secret, &in->nonce, in->body,
                                mac);
        odm_mac m = {in->alg, in->user, xrem_copy(c, (odm_str){mac, n})};
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 1024);
        *header = odm_mac_format(&b, &m) == 0 ? xrem_copy(c, odm_buf_view(&b)) : ODM_ABSENT;
        odm_buf_done(&b);
        return m.mac;
}

static int print_result(xrem *c, const char *kind, odm_str value, odm_str header)
{
        if (!c->set.json) {
                printf("%.*s\n", (int)value.n, value.p);
                return XREM_OK;
        }
        json_t *o = json_object();
        xrem_json_set(o, "kind", json_string(kind));
        xrem_json_set(o, "value", xrem_json_text(c, value));
        if (header.p)
                xrem_json_set(o, "x-syncml-hmac", xrem_json_text(c, header));
        return xrem_print_json(o);
}

int xrem_run_auth_compute(xrem *c, const xrem_args *a)
{
        static const char *const kinds[] = {"basic", "md5", "mac", "secret"};
        const char *kind = a->word[0];
        odm_str value, header = ODM_ABSENT;
        char digest[ODM_SECRET_LEN];
        inputs in = {0};
        bool mac = strcmp(kind, "mac") == 0;

        if (!mac && strcmp(kind, "basic") != 0 && strcmp(kind, "md5") != 0 &&
            strcmp(kind, "secret") != 0) {
                const char *near = xrem_nearest(kind, kinds, ODM_COUNT(kinds));

                return xrem_fail(XREM_USAGE, "unknown kind '%s'%s%s", kind,
                                 near ? "; did you mean " : "; known are basic, md5, mac, secret",
                                 near ? near : "");
        }
        int rc = read_inputs(c, a, mac, &in);
        if (rc != XREM_OK)
                return rc;
        if (mac) {
                value = compute_mac(c, &in, &header);
        } else if (strcmp(kind, "basic") == 0) {
                value = odm_auth_basic(&c->arena, in.user, in.password);
                if (value.p == NULL)
                        xrem_out_of_memory();
        } else if (strcmp(kind, "md5") == 0) {
                odm_auth_md5(&in.secret, &in.nonce, digest);
                value = (odm_str){digest, sizeof digest};
        } else {
                value = (odm_str){in.secret.b64, sizeof in.secret.b64};
        }
        return print_result(c, kind, value, header);
}
