/* SPDX-License-Identifier: Apache-2.0 */
/* The account of a server in the tree (dm-stdobj.md 1), and the behaviour of DMAcc. */
#include <string.h>

#include "odm/client.h"

#define PATH_MAX_LEN 512
#define DMACC "./DMAcc"

struct account_walk {
        odm_tree *t;
        odm_arena *a;
        odm_str base; /* of the children visited */
        odm_account *acc;
        odm_str wanted; /* Server Identifier looked for */
        odm_str pref;
        odm_str found;
        int rc;
};

static odm_str child_uri(odm_arena *a, odm_str base, odm_str name)
{
        char *p = odm_arena_get(a, base.n + 1 + name.n);

        if (p == NULL)
                return ODM_ABSENT;
        memcpy(p, base.p, base.n);
        p[base.n] = '/';
        memcpy(p + base.n + 1, name.p, name.n);
        return (odm_str){p, base.n + 1 + name.n};
}

/* The text of base/leaf; absent when there is no such leaf, or it is empty. */
static int read_leaf(odm_tree *t, odm_arena *a, odm_str base, const char *leaf, odm_str *out)
{
        odm_str uri = child_uri(a, base, odm_cstr(leaf));
        odm_value v = {ODM_FMT_ABSENT};
        int rc;

        *out = ODM_ABSENT;
        if (uri.p == NULL)
                return odm_arena_err(a);
        rc = odm_tree_read(t, uri, a, &v);
        if (rc == ODM_ENOENT || rc == ODM_EINVAL)
                return 0;
        if (rc < 0)
                return rc;
        if (v.data.n == 0)
                return 0;
        *out = odm_arena_copy(a, v.data);
        return out->p ? 0 : odm_arena_err(a);
}

static void each_child(struct account_walk *w, odm_str uri, int (*fn)(void *ctx, odm_str name))
{
        int rc = odm_tree_children(w->t, uri, fn, w);

        if (rc < 0 && rc != ODM_ENOENT && rc != ODM_EINVAL && w->rc == 0)
                w->rc = rc;
}

/* ---- address --------------------------------------------------------------------- */

static int first_name(void *ctx, odm_str name)
{
        struct account_walk *w = ctx;

        w->found = child_uri(w->a, w->base, name);
        w->rc = w->found.p ? 0 : odm_arena_err(w->a);
        return 1;
}

static int read_port(struct account_walk *w, odm_str at, odm_str *port)
{
        struct account_walk inner = {.t = w->t, .a = w->a};

        *port = ODM_ABSENT;
        inner.base = child_uri(w->a, at, ODM_STR("Port"));
        if (inner.base.p == NULL)
                return odm_arena_err(w->a);
        each_child(&inner, inner.base, first_name);
        if (inner.rc < 0 || inner.found.p == NULL)
                return inner.rc;
        return read_leaf(w->t, w->a, inner.found, "PortNbr", port);
}

/* An address without scheme is a host: AddrType IPv4 or IPv6, with the port beside it. */
static odm_str make_url(odm_arena *a, odm_str addr, odm_str type, odm_str port)
{
        bool six = odm_str_ieq(type, "IPv6");

        if ((!six && !odm_str_ieq(type, "IPv4")) || odm_str_starts(addr, "http"))
                return addr;
        return odm_arena_fmt(a, "http://%s%.*s%s%s%.*s/", six ? "[" : "", (int)addr.n, addr.p,
                             six ? "]" : "", port.n ? ":" : "", (int)port.n, port.p ? port.p : "");
}

static int visit_addr(void *ctx, odm_str name)
{
        struct account_walk *w = ctx;
        odm_str at = child_uri(w->a, w->base, name);
        odm_str addr = ODM_ABSENT, type = ODM_ABSENT, port = ODM_ABSENT;

        w->rc = at.p ? read_leaf(w->t, w->a, at, "Addr", &addr) : odm_arena_err(w->a);
        if (w->rc < 0)
                return 1;
        if (addr.p == NULL)
                return 0;
        w->rc = read_leaf(w->t, w->a, at, "AddrType", &type);
        if (w->rc == 0)
                w->rc = read_port(w, at, &port);
        if (w->rc == 0) {
                w->acc->addr = make_url(w->a, addr, type, port);
                if (w->acc->addr.p == NULL)
                        w->rc = odm_arena_err(w->a);
        }
        return 1;
}

/* ---- credentials --------------------------------------------------------------------- */

static int read_nonce(struct account_walk *w, odm_str at, odm_nonce *nonce, bool *has, odm_str *uri)
{
        odm_str data;
        int rc = read_leaf(w->t, w->a, at, "AAuthData", &data);

        *uri = child_uri(w->a, at, ODM_STR("AAuthData"));
        if (rc < 0 || uri->p == NULL)
                return rc < 0 ? rc : odm_arena_err(w->a);
        *has = data.n > 0 && data.n <= ODM_NONCE_MAX;
        if (data.n > ODM_NONCE_MAX) /* type-specific data, no nonce */
                return 0;
        nonce->n = (uint8_t)data.n;
        if (data.n)
                memcpy(nonce->p, data.p, data.n);
        return 0;
}

static int read_client_level(struct account_walk *w, odm_str at, odm_auth_type type)
{
        odm_account *acc = w->acc;
        bool preferred = w->pref.n > 0 && odm_auth_parse(w->pref) == type;
        int rc;

        if (acc->user.p && !preferred) /* the first one, unless a later one is preferred */
                return 0;
        rc = read_leaf(w->t, w->a, at, "AAuthName", &acc->user);
        if (rc == 0)
                rc = read_leaf(w->t, w->a, at, "AAuthSecret", &acc->password);
        if (rc == 0)
                rc = read_nonce(w, at, &acc->nonce, &acc->has_nonce, &acc->nonce_uri);
        acc->type = type;
        return rc;
}

static int read_server_level(struct account_walk *w, odm_str at, odm_auth_type type)
{
        odm_account *acc = w->acc;
        bool has;
        int rc;

        if (acc->server_nonce_uri.p)
                return 0;
        rc = read_leaf(w->t, w->a, at, "AAuthName", &acc->server_user);
        if (rc == 0)
                rc = read_leaf(w->t, w->a, at, "AAuthSecret", &acc->server_password);
        if (rc == 0)
                rc = read_nonce(w, at, &acc->server_nonce, &has, &acc->server_nonce_uri);
        /* A type that only names another mechanism is still demanded as md5: a server that
         * the transport knows is the host's word, not the account's. */
        acc->server_type = type == ODM_AUTH_OTHER || type == ODM_AUTH_NONE ? ODM_AUTH_MD5 : type;
        return rc;
}

static int visit_auth(void *ctx, odm_str name)
{
        struct account_walk *w = ctx;
        odm_str at = child_uri(w->a, w->base, name), level, type;

        w->rc = at.p ? read_leaf(w->t, w->a, at, "AAuthLevel", &level) : odm_arena_err(w->a);
        if (w->rc == 0)
                w->rc = read_leaf(w->t, w->a, at, "AAuthType", &type);
        if (w->rc == 0 && odm_str_ieq(level, "CLCRED"))
                w->rc = read_client_level(w, at, odm_auth_parse(type));
        else if (w->rc == 0 && odm_str_ieq(level, "SRVCRED"))
                w->rc = read_server_level(w, at, odm_auth_parse(type));
        return w->rc < 0;
}

static int visit_children(struct account_walk *w, odm_str uri, const char *below,
                          int (*fn)(void *ctx, odm_str name))
{
        w->base = odm_arena_fmt(w->a, "%.*s/%s", (int)uri.n, uri.p, below);
        if (w->base.p == NULL)
                return odm_arena_err(w->a);
        each_child(w, w->base, fn);
        return w->rc;
}

int odm_account_read(odm_tree *t, odm_str uri, odm_arena *a, odm_account *out)
{
        odm_account acc = {.uri = odm_arena_copy(a, uri)};
        struct account_walk w = {.t = t, .a = a, .acc = &acc};
        odm_str app = ODM_ABSENT;
        int rc = acc.uri.p ? read_leaf(t, a, uri, "AppID", &app) : odm_arena_err(a);

        if (rc == 0)
                rc = read_leaf(t, a, uri, "ServerID", &acc.server_id);
        if (rc == 0)
                rc = read_leaf(t, a, uri, "AAuthPref", &w.pref);
        if (rc == 0)
                rc = visit_children(&w, uri, "AppAddr", visit_addr);
        if (rc == 0)
                rc = visit_children(&w, uri, "AppAuth", visit_auth);
        if (rc < 0)
                return rc;
        if (app.p == NULL || acc.server_id.p == NULL || acc.addr.p == NULL)
                return ODM_ENOENT;
        if (!odm_str_is(app, "w7"))
                return ODM_EUNSUPPORTED;
        odm_auth_type pref = odm_auth_parse(w.pref);
        if (pref != ODM_AUTH_NONE && pref != ODM_AUTH_OTHER)
                acc.type = pref;
        *out = acc;
        return 0;
}

/* ---- finding one -------------------------------------------------------------------------- */

/* 1 when the account at `uri` is the one looked for. */
static int try_account(struct account_walk *w, odm_str uri)
{
        odm_account acc;
        int rc = odm_account_read(w->t, uri, w->a, &acc);

        if (rc == ODM_ENOENT || rc == ODM_EUNSUPPORTED)
                return 0;
        if (rc < 0)
                return rc;
        if (w->wanted.p && !odm_str_eq(w->wanted, acc.server_id))
                return 0;
        *w->acc = acc;
        return 1;
}

static int visit_account(void *ctx, odm_str name)
{
        struct account_walk *w = ctx;
        odm_str uri = child_uri(w->a, ODM_STR(DMACC), name);

        w->rc = uri.p ? try_account(w, uri) : odm_arena_err(w->a);
        return w->rc != 0;
}

static int find_by_type(struct account_walk *w, odm_str id)
{
        odm_str at = ODM_ABSENT, next;
        int rc;

        while ((rc = odm_tree_find_mo(w->t, id, at, w->a, &next)) == 1) {
                rc = try_account(w, next);
                if (rc != 0)
                        return rc;
                at = next;
        }
        return rc;
}

int odm_account_find(odm_tree *t, odm_str server_id, odm_arena *a, odm_account *out)
{
        struct account_walk w = {.t = t, .a = a, .acc = out, .wanted = server_id};
        int rc;

        each_child(&w, ODM_STR(DMACC), visit_account);
        rc = w.rc;
        if (rc == 0)
                rc = find_by_type(&w, ODM_STR("urn:oma:mo:oma-dm-dmacc:1.0"));
        if (rc == 0)
                rc = find_by_type(&w, ODM_STR("urn:oma:mo:oma-dm-dmacc:1.1"));
        return rc == 1 ? 0 : rc < 0 ? rc : ODM_ENOENT;
}
