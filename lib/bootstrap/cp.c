/* SPDX-License-Identifier: Apache-2.0 */
/* The application w7 of a Client Provisioning document, and the account it stands for
 * (dm-security-bootstrap-notification.md C2).  Connectivity (NAPDEF, PXLOGICAL) and what points to
 * it (TO-NAPID, TO-PROXY) is passed over: we have no objects for it. */
#include <assert.h>

#include "record.h"

struct order { /* children called "1", "2" ... in the order of the document */
        odm_doc_node *in;
        unsigned n;
};

static odm_str parm(const odm_prov *c, const char *name)
{
        for (const odm_prov_parm *p = c->parms; p; p = p->next)
                if (odm_str_is(p->name, name))
                        return p->value.p ? p->value : ODM_STR("");
        return ODM_ABSENT;
}

static odm_doc_node *add_numbered(odm_arena *a, struct order *o)
{
        return odm_boot_node(a, o->in, odm_arena_number(a, ++o->n));
}

static void add_text(odm_arena *a, odm_doc_node *to, const char *leaf, odm_str text)
{
        if (text.p)
                (void)odm_boot_leaf(a, to, leaf, text);
}

/* ---- to an account --------------------------------------------------------------- */

static void take_ports(odm_arena *a, const odm_prov *addr, odm_doc_node *to)
{
        struct order ports = {.in = NULL};

        for (const odm_prov *c = addr->children; c; c = c->next) {
                odm_str number = parm(c, "PORTNBR");
                if (!odm_str_is(c->type, "PORT") || number.p == NULL)
                        continue;
                if (ports.in == NULL)
                        ports.in = odm_boot_node(a, to, ODM_STR("Port"));
                add_text(a, add_numbered(a, &ports), "PortNbr", number);
        }
}

static void take_addresses(odm_arena *a, const odm_prov *app, odm_doc_node *top)
{
        struct order o = {.in = odm_boot_node(a, top, ODM_STR("AppAddr"))};

        for (const odm_prov_parm *p = app->parms; p; p = p->next)
                if (odm_str_is(p->name, "ADDR")) {
                        odm_doc_node *n = add_numbered(a, &o);
                        add_text(a, n, "Addr", p->value);
                        add_text(a, n, "AddrType", ODM_STR("URI"));
                }
        for (const odm_prov *c = app->children; c; c = c->next) {
                if (!odm_str_is(c->type, "APPADDR"))
                        continue;
                odm_doc_node *n = add_numbered(a, &o);
                odm_str type = parm(c, "ADDRTYPE");
                add_text(a, n, "Addr", parm(c, "ADDR"));
                add_text(a, n, "AddrType", type.n ? type : ODM_STR("URI"));
                take_ports(a, c, n);
        }
}

static odm_str level_of(odm_str text)
{
        return odm_str_is(text, "APPSRV")   ? ODM_STR("CLCRED")
               : odm_str_is(text, "CLIENT") ? ODM_STR("SRVCRED")
                                            : text;
}

/* The nonce is base64 there; what is none is taken as it is. */
static int add_nonce(odm_arena *a, odm_doc_node *to, odm_str text)
{
        odm_str octets = text;
        int rc = text.p ? odm_b64_decode(a, text, &octets) : 0;

        if (rc < 0 && rc != ODM_EMALFORMED)
                return rc;
        (void)odm_boot_octets(a, to, "AAuthData", octets.p ? octets : ODM_STR(""));
        return 0;
}

static int take_credentials(odm_arena *a, const odm_prov *app, odm_doc_node *top)
{
        struct order o = {.in = NULL};
        int rc = 0;

        for (const odm_prov *c = app->children; c && rc == 0; c = c->next) {
                if (!odm_str_is(c->type, "APPAUTH"))
                        continue;
                if (o.in == NULL)
                        o.in = odm_boot_node(a, top, ODM_STR("AppAuth"));
                odm_doc_node *n = add_numbered(a, &o);
                odm_str level = parm(c, "AAUTHLEVEL");
                add_text(a, n, "AAuthLevel", level.p ? level_of(level) : ODM_STR("CLCRED"));
                add_text(a, n, "AAuthType", parm(c, "AAUTHTYPE"));
                add_text(a, n, "AAuthName", parm(c, "AAUTHNAME"));
                add_text(a, n, "AAuthSecret", parm(c, "AAUTHSECRET"));
                rc = add_nonce(a, n, parm(c, "AAUTHDATA"));
        }
        return rc;
}

static int take_application(odm_arena *a, const odm_prov *app, odm_doc_node **out)
{
        odm_doc_node *top = odm_boot_account_top(a, ODM_STR(""));
        int rc;

        if (top == NULL)
                return odm_arena_err(a);
        add_text(a, top, "AppID", parm(app, "APPID"));
        add_text(a, top, "ServerID", parm(app, "PROVIDER-ID"));
        add_text(a, top, "Name", parm(app, "NAME"));
        take_addresses(a, app, top);
        rc = take_credentials(a, app, top);
        *out = top;
        return rc < 0 ? rc : a->err;
}

int odm_boot_cp_objects(odm_str text, const odm_limits *lim, odm_arena *a, odm_doc **out)
{
        odm_doc *doc = odm_new(a, odm_doc);
        odm_doc_node **end;
        odm_prov *prov = NULL;
        int rc = doc ? odm_prov_decode(text, lim, a, &prov) : odm_arena_err(a);

        if (rc < 0)
                return rc;
        assert(prov);
        end = &doc->nodes;
        for (const odm_prov *c = prov->children; c && rc == 0; c = c->next) {
                if (!odm_str_is(c->type, "APPLICATION") || !odm_str_is(parm(c, "APPID"), "w7"))
                        continue;
                rc = take_application(a, c, end);
                end = *end ? &(*end)->next : end;
        }
        if (rc == 0) {
                doc->ver_dtd = ODM_STR("1.2");
                *out = doc;
        }
        return rc;
}

/* ---- from one --------------------------------------------------------------------- */

static odm_prov *put_characteristic(odm_arena *a, odm_prov *parent, const char *type)
{
        odm_prov *c = parent ? odm_new(a, odm_prov) : NULL, **at;

        if (c == NULL)
                return NULL;
        for (at = &parent->children; *at;)
                at = &(*at)->next;
        c->type = odm_cstr(type);
        *at = c;
        return c;
}

static void put_parm(odm_arena *a, odm_prov *c, const char *name, odm_str value)
{
        odm_prov_parm *p = c && value.n ? odm_new(a, odm_prov_parm) : NULL, **at;

        if (p == NULL)
                return;
        for (at = &c->parms; *at;)
                at = &(*at)->next;
        *p = (odm_prov_parm){.name = odm_cstr(name), .value = value};
        *at = p;
}

static void put_auth(odm_arena *a, odm_prov *app, const char *level, odm_auth_type type,
                     odm_str user, odm_str password, const odm_nonce *nonce)
{
        if (type == ODM_AUTH_NONE && password.n == 0)
                return;
        odm_prov *c = put_characteristic(a, app, "APPAUTH");
        put_parm(a, c, "AAUTHLEVEL", odm_cstr(level));
        if (type != ODM_AUTH_NONE)
                put_parm(a, c, "AAUTHTYPE", odm_cstr(odm_auth_aauth(type)));
        put_parm(a, c, "AAUTHNAME", user);
        put_parm(a, c, "AAUTHSECRET", password);
        if (nonce->n)
                put_parm(a, c, "AAUTHDATA", odm_b64_encode(a, odm_nonce_view(nonce)));
}

int odm_boot_make_cp(const odm_boot_offer *o, odm_arena *a, odm_buf *out)
{
        const odm_account *acc = &o->account;
        odm_prov doc = {.type = ODM_STR("1.1")};
        odm_prov *app = put_characteristic(a, &doc, "APPLICATION");

        put_parm(a, app, "APPID", ODM_STR("w7"));
        put_parm(a, app, "PROVIDER-ID", acc->server_id);
        put_parm(a, app, "NAME", o->name);
        odm_prov *addr = put_characteristic(a, app, "APPADDR");
        put_parm(a, addr, "ADDR", acc->addr);
        put_parm(a, addr, "ADDRTYPE", ODM_STR("URI"));
        put_auth(a, app, "APPSRV", acc->type, acc->user, acc->password, &acc->nonce);
        put_auth(a, app, "CLIENT", acc->server_type, acc->server_user, acc->server_password,
                 &acc->server_nonce);
        return a->err ? a->err : odm_prov_encode(&doc, out);
}
