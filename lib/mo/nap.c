/* SPDX-License-Identifier: Apache-2.0 */
/* Access points and proxies as plain settings: which are whole, and which of them are used
 * (mo-connmo.md 2 to 4). */
#include "nap.h"

#include <string.h>

#define REFS 32 /* ConRefs that count, of all accounts */
#define KIDS 32 /* children of one list that are looked at */
#define UNNAMED ((int64_t)1 << 40)
#define SSID_MAX 32

static const char *const bearers[] = {"ETHERNET", "WLAN", "3GPPPS"};
static const char *const modes[] = {"OPEN", "WPA", "WPA2-PSK", "802.1X"};

const char *odm_bearer_name(odm_bearer b)
{
        return bearers[b];
}

static int word_of(odm_str s, const char *const *words, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (odm_str_is(s, words[i]))
                        return (int)i;
        return -1;
}

int odm_nap_bearer_of(odm_str s)
{
        return word_of(s, bearers, ODM_COUNT(bearers));
}

int odm_nap_mode_of(odm_str s)
{
        return word_of(s, modes, ODM_COUNT(modes));
}

/* ---- numbers and addresses ------------------------------------------------------------- */

static odm_str cut_at(odm_str *rest, char c)
{
        const char *p = rest->n ? memchr(rest->p, c, rest->n) : NULL;
        odm_str head = p ? odm_str_to(*rest, (size_t)(p - rest->p)) : *rest;

        *rest = p ? odm_str_from(*rest, head.n + 1) : ODM_ABSENT;
        return head;
}

bool odm_nap_v4(odm_str s, uint32_t *out)
{
        uint64_t octet;
        uint32_t all = 0;

        for (size_t i = 0; i < 4; i++) {
                odm_str part = cut_at(&s, '.');
                if (part.n > 3 || (part.n > 1 && part.p[0] == '0') ||
                    odm_str_u64(part, 255, &octet) < 0 || (s.p == NULL) != (i == 3))
                        return false;
                all = all << 8 | (uint32_t)octet;
        }
        *out = all;
        return true;
}

static bool is_group(odm_str s)
{
        if (s.n == 0 || s.n > 4)
                return false;
        for (size_t i = 0; i < s.n; i++)
                if (!strchr("0123456789abcdefABCDEF", s.p[i]) || !s.p[i])
                        return false;
        return true;
}

/* RFC 4291 2.2: eight groups, one run of them as "::", the last two perhaps as IPv4. */
bool odm_nap_v6(odm_str s)
{
        size_t groups = 0;
        bool gap = false;
        uint32_t v4;

        if (odm_str_starts(s, "::")) {
                gap = true;
                s = odm_str_from(s, 2);
                if (s.n == 0)
                        return true;
        }
        while (s.p) {
                odm_str part = cut_at(&s, ':');
                if (part.n == 0) { /* the second colon of a gap; at the end, what follows one */
                        if (gap || groups == 0 || s.p == NULL)
                                return false;
                        gap = true;
                        if (s.n == 0)
                                break;
                        continue;
                }
                if (s.p == NULL && odm_nap_v4(part, &v4))
                        groups++;
                else if (!is_group(part))
                        return false;
                groups++;
        }
        return gap ? groups < 8 : groups == 8;
}

int odm_nap_prefix(odm_str s, bool six)
{
        uint64_t n;
        uint32_t mask;
        int bits = 0;

        if (odm_str_u64(s, six ? 128 : 32, &n) == 0)
                return (int)n;
        if (six || !odm_nap_v4(s, &mask))
                return -1;
        while (bits < 32 && mask >> (31 - bits) & 1)
                bits++;
        return (uint32_t)((uint64_t)mask << bits) == 0 ? bits : -1;
}

int odm_nap_bool(odm_str s)
{
        if (odm_str_is(s, "true") || odm_str_is(s, "True") || odm_str_is(s, "1"))
                return 1;
        if (odm_str_is(s, "false") || odm_str_is(s, "False") || odm_str_is(s, "0"))
                return 0;
        return -1;
}

/* ---- leaves --------------------------------------------------------------------------- */

typedef struct reader {
        odm_tree *t;
        odm_arena *a;
        odm_str base;
        const char *lack; /* the first leaf that is missing */
        int rc;           /* the first error; everything is absent then */
} reader;

static odm_str place(reader *r, odm_str base, const char *rel)
{
        odm_str uri = odm_arena_fmt(r->a, "%.*s/%s", (int)base.n, base.p, rel);

        if (uri.p == NULL && r->rc == 0)
                r->rc = odm_arena_err(r->a);
        return uri;
}

static odm_str get_at(reader *r, odm_str base, const char *rel)
{
        odm_value v = {ODM_FMT_ABSENT};
        odm_str uri, text;
        int rc;

        if (r->rc < 0)
                return ODM_ABSENT;
        uri = place(r, base, rel);
        if (uri.p == NULL)
                return ODM_ABSENT;
        rc = odm_tree_read(r->t, uri, r->a, &v);
        if (rc == ODM_ENOMEM || rc == ODM_ELIMIT)
                r->rc = rc;
        if (rc < 0)
                return ODM_ABSENT;
        text = odm_arena_copy(r->a, v.data.p ? v.data : ODM_STR(""));
        if (text.p == NULL)
                r->rc = odm_arena_err(r->a);
        return text;
}

static odm_str get(reader *r, const char *rel)
{
        return get_at(r, r->base, rel);
}

static void missing(reader *r, const char *rel)
{
        if (r->lack == NULL)
                r->lack = rel;
}

static odm_str need(reader *r, const char *rel)
{
        odm_str v = get(r, rel);

        if (v.n == 0)
                missing(r, rel);
        return v;
}

static bool there(reader *r, const char *rel)
{
        odm_str uri = r->rc < 0 ? ODM_ABSENT : place(r, r->base, rel);

        return uri.p && odm_tree_exists(r->t, uri);
}

typedef struct kids {
        odm_arena *a;
        odm_str name[KIDS];
        size_t n;
        int rc;
} kids;

static int keep_kid(void *ctx, odm_str name)
{
        kids *k = ctx;

        if (k->n == KIDS)
                return 1;
        k->name[k->n] = odm_arena_copy(k->a, name);
        if (k->name[k->n].p == NULL)
                k->rc = odm_arena_err(k->a);
        else
                k->n++;
        return k->rc;
}

/* The names below a node, in their order; none when it is not there. */
static void list_kids(reader *r, odm_str uri, kids *k)
{
        *k = (kids){.a = r->a};
        if (r->rc == 0 && odm_tree_children(r->t, uri, keep_kid, k) == ODM_ENOMEM)
                r->rc = ODM_ENOMEM;
        if (r->rc == 0)
                r->rc = k->rc;
}

/* The leaf `leaf` of each child of `list`, as far as there is room. */
static size_t get_each(reader *r, const char *list, const char *leaf, odm_str *out, size_t room)
{
        odm_str uri = r->rc < 0 ? ODM_ABSENT : place(r, r->base, list);
        size_t n = 0;
        kids k = {.n = 0};

        if (uri.p)
                list_kids(r, uri, &k);
        for (size_t i = 0; i < k.n && n < room; i++) {
                odm_str kid = odm_arena_fmt(r->a, "%.*s/%.*s", (int)uri.n, uri.p, (int)k.name[i].n,
                                            k.name[i].p);
                odm_str v = kid.p ? get_at(r, kid, leaf) : ODM_ABSENT;
                if (v.n)
                        out[n++] = v;
        }
        return n;
}

/* ---- an access point -------------------------------------------------------------------- */

static void read_ip(reader *r, bool six, odm_nap_ip *ip)
{
        static const char *const rel[2][8] = {
                {"IP/IPv4", "IP/IPv4/AutoConfig", "IP/IPv4/AutoDNS", "IP/IPv4/IPAddr",
                 "IP/IPv4/NetMask", "IP/IPv4/Gateway", "IP/IPv4/DNS/Servers", NULL},
                {"IP/IPv6", "IP/IPv6/AutoConfig", "IP/IPv6/AutoDNS", "IP/IPv6/IPAddr",
                 "IP/IPv6/NetMask", "IP/IPv6/Gateway", "IP/IPv6/DNS/Servers", NULL}};
        const char *const *at = rel[six];
        odm_str automatic = get(r, at[1]), names = get(r, at[2]);
        int prefix;

        *ip = (odm_nap_ip){.used = there(r, at[0])};
        if (!ip->used)
                return;
        ip->addr = get(r, at[3]);
        ip->automatic = automatic.p ? odm_nap_bool(automatic) == 1 : ip->addr.n == 0;
        ip->auto_dns = names.p ? odm_nap_bool(names) == 1 : ip->automatic;
        ip->n_dns = get_each(r, at[6], "Addr", ip->dns, ODM_NAP_SERVERS);
        if (ip->automatic) {
                ip->addr = ODM_ABSENT;
                return;
        }
        ip->gateway = get(r, at[5]);
        prefix = odm_nap_prefix(need(r, at[4]), six);
        if (ip->addr.n == 0)
                missing(r, at[3]);
        else if (prefix < 0)
                missing(r, at[4]);
        else
                ip->prefix = (unsigned)prefix;
}

static void read_auth(reader *r, odm_nap *n)
{
        n->auth_type = get(r, "AuthInfo/AuthType");
        n->user = get(r, "AuthInfo/AuthName");
        n->secret = get(r, "AuthInfo/AuthSecret");
}

static void read_wlan(reader *r, odm_nap *n)
{
        odm_str mode = get(r, "BearerParams/WLAN/SecMode");
        odm_str first = get(r, "BearerParams/WLAN/PrimSSID/Name");
        int found = odm_nap_mode_of(mode);

        n->ssid[0] = first.n ? first : n->addr;
        n->n_ssid = n->ssid[0].n != 0;
        n->n_ssid += get_each(r, "BearerParams/WLAN/SecSSID", "Name", &n->ssid[n->n_ssid],
                              ODM_NAP_NAMES - n->n_ssid);
        n->key = get(r, "BearerParams/WLAN/WPA/Key");
        n->hidden = odm_nap_bool(get(r, "BearerParams/WLAN/Hidden")) == 1;
        n->mode = mode.n == 0 ? (n->key.n ? ODM_WLAN_WPA2 : ODM_WLAN_OPEN) : (odm_wlan_mode)found;
        if (mode.n && found < 0)
                missing(r, "BearerParams/WLAN/SecMode");
        else if ((n->mode == ODM_WLAN_WPA || n->mode == ODM_WLAN_WPA2) && n->key.n == 0)
                missing(r, "BearerParams/WLAN/WPA/Key");
        else if (n->mode == ODM_WLAN_8021X && !odm_str_starts(n->auth_type, "EAP-"))
                missing(r, "AuthInfo/AuthType");
        else if (n->mode == ODM_WLAN_8021X && n->user.n == 0)
                missing(r, "AuthInfo/AuthName");
        for (size_t i = 0; i < n->n_ssid; i++)
                if (n->ssid[i].n > SSID_MAX)
                        missing(r, i || first.n == 0 ? "Addr" : "BearerParams/WLAN/PrimSSID/Name");
}

static void read_bearer(reader *r, odm_nap *n)
{
        odm_str word = need(r, "BearerType");
        int bearer = odm_nap_bearer_of(word);

        if (bearer < 0) {
                missing(r, "BearerType");
                return;
        }
        n->bearer = (odm_bearer)bearer;
        switch (n->bearer) {
        case ODM_BEARER_ETHERNET: break;
        case ODM_BEARER_WLAN: read_wlan(r, n); break;
        case ODM_BEARER_3GPPPS:
                n->pdp = get(r, "BearerParams/3GPPPS/PDPType");
                if (n->pdp.n == 0)
                        n->pdp = ODM_STR("IPv4v6");
                break;
        }
        if (n->addr.n == 0 && !(n->bearer == ODM_BEARER_WLAN && n->n_ssid))
                missing(r, "Addr");
}

static int64_t priority_of(odm_str s)
{
        bool minus = s.n && s.p[0] == '-';
        uint64_t n = 0;

        if (s.n == 0 || odm_str_u64(minus ? odm_str_from(s, 1) : s, INT32_MAX, &n) < 0)
                return UNNAMED * 2;
        return UNNAMED + (minus ? -(int64_t)n : (int64_t)n);
}

static odm_str last_segment(odm_str uri)
{
        size_t i = uri.n;

        while (i > 0 && uri.p[i - 1] != '/')
                i--;
        return odm_str_from(uri, i);
}

int odm_nap_read(odm_tree *t, odm_str uri, odm_arena *a, odm_nap *out, const char **lack)
{
        reader r = {.t = t, .a = a, .base = uri};
        odm_nap n = {.uri = odm_arena_copy(a, uri)};

        if (n.uri.p == NULL)
                return odm_arena_err(a);
        n.name = last_segment(n.uri);
        (void)need(&r, "ID");
        n.label = get(&r, "Name");
        n.addr = get(&r, "Addr");
        n.rank = priority_of(get(&r, "Priority"));
        read_auth(&r, &n);
        read_bearer(&r, &n);
        read_ip(&r, false, &n.v4);
        read_ip(&r, true, &n.v6);
        if (!n.v4.used && !n.v6.used)
                n.v4 = n.v6 = (odm_nap_ip){.used = true, .automatic = true, .auto_dns = true};
        if (r.rc < 0)
                return r.rc;
        if (r.lack) {
                *lack = r.lack;
                return 0;
        }
        *out = n;
        return 1;
}

/* ---- which of them ------------------------------------------------------------------------ */

static bool same_node(odm_str a, odm_str b)
{
        if (odm_str_starts(a, "./"))
                a = odm_str_from(a, 2);
        if (odm_str_starts(b, "./"))
                b = odm_str_from(b, 2);
        return odm_str_eq(a, b);
}

typedef struct refs {
        odm_str uri[REFS];
        size_t n;
} refs;

static void add_pref(reader *r, odm_str account, refs *to)
{
        odm_str v = get_at(r, account, "PrefConRef");

        if (v.n && to->n < REFS)
                to->uri[to->n++] = v;
}

static void add_list(reader *r, odm_str account, refs *to)
{
        reader of = *r;

        of.base = account;
        to->n += get_each(&of, "ToConRef", "ConRef", &to->uri[to->n], REFS - to->n);
        r->rc = of.rc;
}

/* What accounts name: each one's first choice, then all others. */
static void all_refs(reader *r, refs *to)
{
        odm_str account[KIDS];
        kids k;

        list_kids(r, ODM_STR("./DMAcc"), &k);
        for (size_t i = 0; i < k.n; i++) {
                account[i] = odm_arena_fmt(r->a, "./DMAcc/%.*s", (int)k.name[i].n, k.name[i].p);
                if (account[i].p == NULL)
                        r->rc = odm_arena_err(r->a);
                else
                        add_pref(r, account[i], to);
        }
        for (size_t i = 0; i < k.n && r->rc == 0; i++)
                add_list(r, account[i], to);
}

static bool before(const odm_nap *a, const odm_nap *b)
{
        return a->rank != b->rank ? a->rank < b->rank : odm_str_cmp(a->name, b->name) < 0;
}

static void insert(odm_nap *list, size_t *n, const odm_nap *one)
{
        size_t at = *n;

        for (; at > 0 && before(one, &list[at - 1]); at--)
                list[at] = list[at - 1];
        list[at] = *one;
        ++*n;
}

static bool in_the_way(const odm_nap *a, const odm_nap *b)
{
        return a->bearer == b->bearer &&
               (a->bearer == ODM_BEARER_3GPPPS ||
                (a->bearer == ODM_BEARER_ETHERNET && odm_str_eq(a->addr, b->addr)));
}

static size_t drop_second_best(odm_nap *list, size_t n)
{
        size_t kept = 0;

        for (size_t i = 0; i < n; i++) {
                size_t k = 0;
                while (k < kept && !in_the_way(&list[k], &list[i]))
                        k++;
                if (k == kept)
                        list[kept++] = list[i];
        }
        return kept;
}

int odm_nap_choose(odm_tree *t, odm_arena *a, odm_nap *out, size_t *n)
{
        reader r = {.t = t, .a = a};
        refs named = {.n = 0};
        size_t found = 0;
        kids k;

        all_refs(&r, &named);
        list_kids(&r, ODM_STR(ODM_NAP_AT), &k);
        for (size_t i = 0; i < k.n && r.rc == 0 && found < ODM_CONNMO_MAX; i++) {
                odm_str uri = odm_arena_fmt(a, ODM_NAP_AT "/%.*s", (int)k.name[i].n, k.name[i].p);
                const char *lack;
                odm_nap one = {.rank = 0};
                int rc = uri.p ? odm_nap_read(t, uri, a, &one, &lack) : odm_arena_err(a);
                if (rc < 0)
                        r.rc = rc;
                if (rc != 1)
                        continue;
                for (size_t x = named.n; x > 0; x--)
                        if (same_node(named.uri[x - 1], uri))
                                one.rank = (int64_t)(x - 1) - REFS;
                insert(out, &found, &one);
        }
        if (r.rc == 0)
                *n = drop_second_best(out, found);
        return r.rc;
}

/* ---- proxies --------------------------------------------------------------------------------- */

/* A proxy for some access points only, none of which is used, is none. */
static bool leads_over(reader *r, const odm_nap *naps, size_t n)
{
        odm_str over[REFS];
        size_t n_over = get_each(r, "ToConRef", "ConRef", over, REFS);

        for (size_t i = 0; i < n_over; i++)
                for (size_t k = 0; k < n; k++)
                        if (same_node(over[i], naps[k].uri))
                                return true;
        return n_over == 0;
}

static odm_str proxy_url(reader *r)
{
        odm_str addr = need(r, "Addr"), kind = get(r, "AddrType"), port = ODM_ABSENT;
        bool six = odm_nap_v6(addr);

        if (odm_str_is(kind, "URI") || odm_str_starts(addr, "http://"))
                return odm_str_starts(addr, "http://") ? addr : ODM_ABSENT;
        if (get_each(r, "Ports", "PortNbr", &port, 1) == 0)
                return ODM_ABSENT;
        return odm_arena_fmt(r->a, six ? "http://[%.*s]:%.*s" : "http://%.*s:%.*s", (int)addr.n,
                             addr.p, (int)port.n, port.p);
}

static int read_proxy(odm_tree *t, odm_str uri, const odm_nap *naps, size_t n, odm_arena *a,
                      odm_proxy *out)
{
        reader r = {.t = t, .a = a, .base = uri};
        odm_proxy p = {.uri = uri};
        odm_str kind = get(&r, "ProxyType");

        (void)need(&r, "ProxyId");
        p.url = proxy_url(&r);
        p.user = get(&r, "AuthInfo/AuthName");
        p.secret = get(&r, "AuthInfo/AuthSecret");
        if (p.url.n == 0 || p.url.n >= ODM_PROXY_URL || (kind.n && !odm_str_is(kind, "HTTP")) ||
            !leads_over(&r, naps, n))
                missing(&r, "Addr");
        if (r.rc < 0)
                return r.rc;
        if (r.lack)
                return 0;
        *out = p;
        return 1;
}

int odm_proxy_of(odm_tree *t, odm_str account, const odm_nap *naps, size_t n, odm_arena *a,
                 odm_proxy *out)
{
        reader r = {.t = t, .a = a};
        refs named = {.n = 0};
        int rc = 0;

        add_pref(&r, account, &named);
        add_list(&r, account, &named);
        for (size_t i = 0; i < named.n && r.rc == 0 && rc == 0; i++)
                if (odm_str_starts(named.uri[i], ODM_PROXY_AT "/") ||
                    odm_str_starts(named.uri[i], "Proxy/"))
                        rc = read_proxy(t, named.uri[i], naps, n, a, out);
        return r.rc < 0 ? r.rc : rc;
}
