/* SPDX-License-Identifier: Apache-2.0 */
/* ./NAP and ./Proxy as servers write them: each leaf is judged as it comes, an instance as a whole
 * when its transaction ends.  No value may carry a control character, since it goes on into files
 * of other programs. */
#include "odm/connmo.h"

#include <string.h>

#include "nap.h"

#define ID_AT 1024

/* ---- leaves ----------------------------------------------------------------------------- */

static bool is_text(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
                        return false;
        return true;
}

static bool has_part(odm_str uri, const char *part)
{
        size_t n = strlen(part);

        for (size_t i = 0; i + n <= uri.n; i++)
                if (memcmp(uri.p + i, part, n) == 0)
                        return true;
        return false;
}

/* IEEE 802.11i: a passphrase is of ASCII characters that can be printed. */
static bool is_key(odm_str s)
{
        bool digits = true;

        for (size_t i = 0; i < s.n; i++) {
                if (s.p[i] < ' ' || s.p[i] > '~')
                        return false;
                digits = digits && strchr("0123456789abcdefABCDEF", s.p[i]);
        }
        return (s.n >= 8 && s.n <= 63) || (s.n == 64 && digits);
}

static bool is_host(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (s.p[i] == ' ' || s.p[i] == '"' || s.p[i] == '\\')
                        return false;
        return s.n > 0;
}

static unsigned judge_address(odm_str uri, odm_str v)
{
        uint32_t n;

        if (has_part(uri, "/IPv6/"))
                return odm_nap_v6(v) ? ODM_ST_OK : ODM_ST_BAD_FORMAT;
        return odm_nap_v4(v, &n) ? ODM_ST_OK : ODM_ST_BAD_FORMAT;
}

static unsigned judge_bearer(const odm_connmo *c, odm_str v)
{
        int b = odm_nap_bearer_of(v);

        if (b < 0 || (c->offers && !c->offers(c->ctx, (odm_bearer)b, ODM_ABSENT)))
                return ODM_ST_UNSUPPORTED;
        return ODM_ST_OK;
}

static unsigned judge_port(odm_str v)
{
        uint64_t n;

        return odm_str_u64(v, 65535, &n) == 0 && n > 0 ? ODM_ST_OK : ODM_ST_BAD_FORMAT;
}

static unsigned one_of(odm_str v, const char *const *words)
{
        for (; *words; words++)
                if (odm_str_is(v, *words))
                        return ODM_ST_OK;
        return ODM_ST_UNSUPPORTED;
}

/* What the value of each leaf may be; the rest is any text. */
static unsigned judge(const odm_connmo *c, const odm_at *at, odm_str v)
{
        static const char *const auths[] = {"",         "PAP",        "CHAP", "EAP-PEAP",
                                            "EAP-TTLS", "HTTP-BASIC", NULL};
        static const char *const pdps[] = {"IPv4", "IPv6", "IPv4v6", NULL};
        static const char *const infra[] = {"INFRA", NULL}, *const http[] = {"HTTP", NULL};
        odm_str leaf = at->desc->name;

        if (odm_str_is(leaf, "BearerType"))
                return judge_bearer(c, v);
        if (odm_str_is(leaf, "IPAddr") || odm_str_is(leaf, "Gateway") ||
            (odm_str_is(leaf, "Addr") && has_part(at->uri, "/Servers/")))
                return judge_address(at->uri, v);
        if (odm_str_is(leaf, "NetMask"))
                return odm_nap_prefix(v, has_part(at->uri, "/IPv6/")) >= 0 ? ODM_ST_OK
                                                                           : ODM_ST_BAD_FORMAT;
        if (odm_str_is(leaf, "SecMode"))
                return odm_nap_mode_of(v) >= 0 ? ODM_ST_OK : ODM_ST_UNSUPPORTED;
        if (odm_str_is(leaf, "NetMode"))
                return one_of(v, infra);
        if (odm_str_is(leaf, "PDPType"))
                return one_of(v, pdps);
        if (odm_str_is(leaf, "ProxyType"))
                return one_of(v, http);
        if (odm_str_is(leaf, "AuthType"))
                return one_of(v, auths);
        if (odm_str_is(leaf, "Key"))
                return is_key(v) ? ODM_ST_OK : ODM_ST_BAD_FORMAT;
        if (odm_str_is(leaf, "PortNbr"))
                return judge_port(v);
        if (odm_str_is(leaf, "Addr") && odm_str_starts(at->uri, ODM_PROXY_AT "/"))
                return is_host(v) ? ODM_ST_OK : ODM_ST_BAD_FORMAT;
        return ODM_ST_OK;
}

/* The value before, or 0 when there is none; the node may be new. */
static int same_as_before(const odm_connmo *c, odm_str uri, odm_str now, bool *same)
{
        char block[ID_AT];
        odm_value v = {ODM_FMT_ABSENT};
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, c->mem, 65536, block, sizeof block);
        rc = odm_tree_read(c->tree, uri, &a, &v);
        *same = rc == ODM_ENOENT || (rc == 0 && odm_str_eq(v.data, now));
        odm_arena_done(&a);
        return rc == ODM_ENOENT ? 0 : rc;
}

static int check_leaf(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        const odm_connmo *c = ctx;
        bool same = true;
        int rc = 0;

        if (v == NULL || c->own)
                return 0;
        if (v->data.n > ODM_CONNMO_TEXT)
                *status = ODM_ST_TOO_LARGE;
        else if (!is_text(v->data))
                *status = ODM_ST_BAD_FORMAT;
        else
                *status = judge(c, at, v->data);
        if (*status == ODM_ST_OK && odm_str_is(at->desc->name, "BearerType"))
                rc = same_as_before(c, at->uri, v->data, &same);
        if (rc == 0 && !same)
                *status = ODM_ST_NOT_ALLOWED;
        return rc;
}

/* ---- instances ------------------------------------------------------------------------------ */

/* "./NAP/m2m" of an address at or below it; absent for ./NAP itself. */
static odm_str instance_of(odm_str uri)
{
        size_t from = odm_str_starts(uri, ODM_NAP_AT "/")     ? sizeof ODM_NAP_AT
                      : odm_str_starts(uri, ODM_PROXY_AT "/") ? sizeof ODM_PROXY_AT
                                                              : 0;
        const char *slash = from && uri.n > from ? memchr(uri.p + from, '/', uri.n - from) : NULL;

        if (from == 0)
                return ODM_ABSENT;
        return odm_str_to(uri, slash ? (size_t)(slash - uri.p) : uri.n);
}

static bool is_guarded(const odm_connmo *c, const odm_change *ch)
{
        odm_str in = instance_of(ch->uri);
        char was[ODM_CONNMO_NAME + sizeof ODM_PROXY_AT + 1];
        size_t n = odm_str_starts(in, ODM_NAP_AT "/") ? sizeof ODM_NAP_AT : sizeof ODM_PROXY_AT;

        if (!c->guards || !in.p || (ch->kind == ODM_CHANGE_PROP && ch->prop != ODM_PROP_NAME))
                return false;
        if (c->guards(c->ctx, in))
                return true;
        if (ch->kind != ODM_CHANGE_PROP || in.n != ch->uri.n || n + ch->old_name.n > sizeof was)
                return false;
        memcpy(was, in.p, n); /* it had another name */
        memcpy(was + n, ch->old_name.p, ch->old_name.n);
        return c->guards(c->ctx, (odm_str){was, n + ch->old_name.n});
}

static int count_one(void *ctx, odm_str name)
{
        (void)name;
        ++*(size_t *)ctx;
        return 0;
}

static bool too_many(odm_tree *t, odm_str in)
{
        const char *at = odm_str_starts(in, ODM_NAP_AT "/") ? ODM_NAP_AT : ODM_PROXY_AT;
        size_t n = 0;

        (void)odm_tree_children(t, odm_cstr(at), count_one, &n);
        return n > ODM_CONNMO_MAX;
}

/* Whole, and yet not for this device: better said now than tried. */
static int judge_nap(const odm_connmo *c, odm_tree *t, odm_str in, unsigned *status)
{
        odm_arena a;
        odm_nap nap;
        const char *lack;
        int rc;

        if (!c->offers || !odm_str_starts(in, ODM_NAP_AT "/"))
                return 0;
        odm_arena_init(&a, c->mem, 65536);
        rc = odm_nap_read(t, in, &a, &nap, &lack);
        if (rc == 1 && !c->offers(c->ctx, nap.bearer, nap.addr))
                *status = ODM_ST_UNSUPPORTED;
        odm_arena_done(&a);
        return rc < 0 ? rc : 0;
}

static int validate(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        const odm_connmo *c = ctx;
        odm_str last = ODM_ABSENT;
        int rc = 0;

        for (const odm_change *ch = list; ch && rc == 0 && *status == ODM_ST_OK && !c->own;
             ch = ch->next) {
                odm_str in = instance_of(ch->uri);
                if (!in.p)
                        continue;
                if (ch->server.p && is_guarded(c, ch))
                        *status = ODM_ST_NOT_ALLOWED;
                else if ((ch->kind == ODM_CHANGE_DELETE && in.n == ch->uri.n) ||
                         odm_str_eq(in, last))
                        continue;
                else if (in.n > ODM_CONNMO_NAME + sizeof ODM_NAP_AT)
                        *status = ODM_ST_URI_TOO_LONG;
                else if (too_many(t, in))
                        *status = ODM_ST_FULL;
                else
                        rc = judge_nap(c, t, in, status);
                last = in;
        }
        return rc;
}

/* ---- mounting -------------------------------------------------------------------------------- */

#define IP_LEAVES(v)                                                         \
        {.path = "*/IP/" v "/IPAddr", .check = check_leaf},                  \
                {.path = "*/IP/" v "/NetMask", .check = check_leaf},         \
                {.path = "*/IP/" v "/Gateway", .check = check_leaf},         \
        {                                                                    \
                .path = "*/IP/" v "/DNS/Servers/*/Addr", .check = check_leaf \
        }
#define AUTH_LEAVES                                                   \
        {.path = "*/AuthInfo/AuthType", .check = check_leaf},         \
                {.path = "*/AuthInfo/AuthName", .check = check_leaf}, \
        {                                                             \
                .path = "*/AuthInfo/AuthSecret", .check = check_leaf  \
        }

static const odm_binding nap_bind[] = {
        {.path = "*/ID", .check = check_leaf},
        {.path = "*/Name", .check = check_leaf},
        {.path = "*/AddrType", .check = check_leaf},
        {.path = "*/Addr", .check = check_leaf},
        IP_LEAVES("IPv4"),
        IP_LEAVES("IPv6"),
        AUTH_LEAVES,
        {.path = "*/BearerType", .check = check_leaf},
        {.path = "*/BearerParams/WLAN/PrimSSID/Name", .check = check_leaf},
        {.path = "*/BearerParams/WLAN/SecSSID/*/Name", .check = check_leaf},
        {.path = "*/BearerParams/WLAN/NetMode", .check = check_leaf},
        {.path = "*/BearerParams/WLAN/SecMode", .check = check_leaf},
        {.path = "*/BearerParams/WLAN/WPA/Key", .check = check_leaf},
        {.path = "*/BearerParams/3GPPPS/PDPType", .check = check_leaf},
};

static const odm_binding proxy_bind[] = {
        {.path = "*/ProxyId", .check = check_leaf},
        {.path = "*/Name", .check = check_leaf},
        {.path = "*/AddrType", .check = check_leaf},
        {.path = "*/Addr", .check = check_leaf},
        AUTH_LEAVES,
        {.path = "*/Ports/*/PortNbr", .check = check_leaf},
        {.path = "*/ToConRef/*/ConRef", .check = check_leaf},
        {.path = "*/ProxyType", .check = check_leaf},
};

int odm_connmo_mount(odm_connmo *c, odm_tree *t, const odm_mem *mem, const odm_mo *nap,
                     const odm_mo *proxy)
{
        int rc;

        c->tree = t;
        c->mem = mem;
        c->own = false;
        c->nap = (odm_provider){.name = "nap",
                                .mo = nap,
                                .bind = nap_bind,
                                .n_bind = ODM_COUNT(nap_bind),
                                .ctx = c,
                                .validate = validate};
        c->proxy = (odm_provider){.name = "proxy",
                                  .mo = proxy,
                                  .bind = proxy_bind,
                                  .n_bind = ODM_COUNT(proxy_bind),
                                  .ctx = c,
                                  .validate = validate};
        rc = odm_tree_mount(t, NULL, &c->nap);
        return rc < 0 ? rc : odm_tree_mount(t, NULL, &c->proxy);
}
