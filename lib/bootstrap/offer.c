/* SPDX-License-Identifier: Apache-2.0 */
/* A bootstrap document made: the DM profile is a message that adds the account to ./Inbox
 * (dm-security-bootstrap-notification.md C3). */
#include "record.h"

#define MEMORY_MAX ((size_t)1 << 20)

static void add_auth(odm_arena *a, odm_doc_node *to, const char *name, const char *level,
                     odm_auth_type type, odm_str user, odm_str password, const odm_nonce *nonce)
{
        odm_doc_node *n = odm_boot_node(a, to, odm_cstr(name));

        (void)odm_boot_leaf(a, n, "AAuthLevel", odm_cstr(level));
        if (type != ODM_AUTH_NONE)
                (void)odm_boot_leaf(a, n, "AAuthType", odm_cstr(odm_auth_aauth(type)));
        (void)odm_boot_leaf(a, n, "AAuthName", user.p ? user : ODM_STR(""));
        (void)odm_boot_leaf(a, n, "AAuthSecret", password.p ? password : ODM_STR(""));
        (void)odm_boot_octets(a, n, "AAuthData", odm_nonce_view(nonce));
}

static odm_str default_acl(odm_arena *a, odm_str id)
{
        return odm_arena_fmt(a, "Get=%.*s&Replace=%.*s&Delete=%.*s", (int)id.n, id.p, (int)id.n,
                             id.p, (int)id.n, id.p);
}

/* The account as an object; a failure shows in the arena. */
static odm_doc_node *account_object(const odm_boot_offer *o, odm_arena *a)
{
        const odm_account *acc = &o->account;
        odm_doc_node *top = odm_boot_account_top(a, o->node.p ? o->node : ODM_STR(""));
        odm_doc_node *addr, *auth;

        if (top == NULL)
                return NULL;
        top->acl = default_acl(a, acc->server_id);
        (void)odm_boot_leaf(a, top, "AppID", ODM_STR("w7"));
        (void)odm_boot_leaf(a, top, "ServerID", acc->server_id);
        if (o->name.n)
                (void)odm_boot_leaf(a, top, "Name", o->name);
        addr = odm_boot_node(a, odm_boot_node(a, top, ODM_STR("AppAddr")), ODM_STR("1"));
        (void)odm_boot_leaf(a, addr, "Addr", acc->addr);
        (void)odm_boot_leaf(a, addr, "AddrType", ODM_STR("URI"));
        auth = odm_boot_node(a, top, ODM_STR("AppAuth"));
        add_auth(a, auth, "1", "CLCRED", acc->type, acc->user, acc->password, &acc->nonce);
        add_auth(a, auth, "2", "SRVCRED", acc->server_type, acc->server_user, acc->server_password,
                 &acc->server_nonce);
        return top;
}

static int put_message(odm_str device_id, odm_str source, odm_str tnds, odm_buf *out)
{
        odm_item item = {.target = ODM_STR("./Inbox"),
                         .meta = {.present = true,
                                  .format = ODM_FMT_XML,
                                  .type = odm_cstr(odm_codec_tnds_mime(&odm_codec_wbxml))},
                         .data = {ODM_DATA_OPAQUE, tnds}};
        odm_command add = {.kind = ODM_CMD_ADD, .cmd_id = ODM_STR("1"), .items = &item};
        odm_msg m = {.hdr = {.ver_dtd = ODM_STR("1.2"),
                             .ver_proto = ODM_STR("DM/1.2"),
                             .session_id = ODM_STR("0"),
                             .msg_id = ODM_STR("0"),
                             .target = device_id.n ? device_id : ODM_STR("*"),
                             .source = source},
                     .body = &add,
                     .final = true,
                     .has_body = true};

        return odm_encode(&odm_codec_wbxml, &m, out);
}

int odm_boot_make_of(const odm_doc *doc, odm_str device_id, odm_str source, odm_buf *out)
{
        odm_buf tnds;
        int rc;

        if (!doc->nodes || !source.n || odm_str_has(source, '\0') || odm_str_has(device_id, '\0'))
                return ODM_EINVAL;
        odm_buf_init(&tnds, out->mem, ODM_BOOT_MAX);
        rc = odm_doc_encode(&odm_codec_wbxml, doc, false, &tnds);
        if (rc == 0)
                rc = put_message(device_id, source, odm_buf_view(&tnds), out);
        if (tnds.n)
                odm_wipe(tnds.p, tnds.n);
        odm_buf_done(&tnds);
        return rc;
}

static int make_dm(const odm_boot_offer *o, odm_arena *a, odm_buf *out)
{
        odm_doc doc = {.ver_dtd = ODM_STR("1.2"), .nodes = account_object(o, a)};

        if (a->err || doc.nodes == NULL)
                return odm_arena_err(a);
        return odm_boot_make_of(&doc, o->device_id, o->account.server_id, out);
}

static bool has_zero(const odm_boot_offer *o)
{
        const odm_account *acc = &o->account;
        const odm_str texts[] = {acc->server_id, acc->addr,        acc->user,
                                 acc->password,  acc->server_user, acc->server_password,
                                 o->name,        o->node,          o->device_id};

        for (size_t i = 0; i < ODM_COUNT(texts); i++)
                if (odm_str_has(texts[i], '\0'))
                        return true;
        return false;
}

int odm_boot_make(odm_boot_profile p, const odm_boot_offer *o, odm_buf *out)
{
        odm_arena a;
        int rc;

        if (o->account.server_id.n == 0 || o->account.addr.n == 0 || has_zero(o))
                return ODM_EINVAL;
        odm_arena_init(&a, out->mem, MEMORY_MAX);
        rc = p == ODM_BOOT_DM ? make_dm(o, &a, out) : odm_boot_make_cp(o, &a, out);
        odm_arena_done(&a);
        return rc;
}
