/* SPDX-License-Identifier: Apache-2.0 */
/* ConnMO: what servers may write, which access points are whole and used, proxies, the way back,
 * and every arrow and refusal of the trial (mo-connmo.md 2 to 4). */
#include "lab.h"
#include "mo.h"
#include "nap.h"

static odm_connmo net; /* one at a time */

static bool offers(void *ctx, odm_bearer b, odm_str addr)
{
        (void)ctx;
        return b == ODM_BEARER_WLAN ||
               (b == ODM_BEARER_ETHERNET && (!addr.p || odm_str_starts(addr, "eth")));
}

static bool guards(void *ctx, odm_str uri)
{
        (void)ctx;
        return odm_str_is(uri, "./NAP/factory");
}

static const odm_provider dmacc = {.name = "dmacc", .mo = &odm_mo_dmacc};

static int mount(lab *l)
{
        int rc;

        net = (odm_connmo){.offers = offers, .guards = guards};
        rc = odm_connmo_mount(&net, l->tree, l->mem, &odm_mo_nap, &odm_mo_proxy);
        return rc == 0 ? odm_tree_mount(l->tree, NULL, &dmacc) : rc;
}

/* ---- operations as lines ------------------------------------------------------------------- */

/* "+ URI VALUE" Add, "= URI VALUE" Replace, "- URI" Delete, "? URI" Get, all by a server; "d" in
 * front: by the device itself.  A value "<node>" makes an interior node. */
static unsigned operate(odm_tree *t, const char *line, const char **value)
{
        static char text[300];
        bool device = line[0] == 'd';
        char uri[200], data[600] = "";
        const char *p = line + device;
        odm_op op = {.server = device ? ODM_ABSENT : ODM_STR("srv")};
        odm_answer got = {0};
        odm_arena a;

        assert_true(sscanf(p + 2, "%199s %599[^\n]", uri, data) >= 1);
        op.target = odm_cstr(uri);
        op.kind = *p == '+'   ? ODM_CMD_ADD
                  : *p == '=' ? ODM_CMD_REPLACE
                  : *p == '-' ? ODM_CMD_DELETE
                              : ODM_CMD_GET;
        op.has_value = *p == '+' || *p == '=';
        if (op.has_value && strcmp(data, "<node>") == 0)
                op.value.format = ODM_FMT_NODE;
        else if (op.has_value)
                op.value.data = odm_cstr(data);
        odm_arena_init(&a, &heap, 1 << 20);
        net.own = device;
        assert_int_equal(odm_tree_do(t, &op, LAB_NOW, &a, &got), 0);
        net.own = false;
        text[0] = 0;
        if (got.results)
                snprintf(text, sizeof text, "%.*s", (int)got.results->value.data.n,
                         got.results->value.data.p);
        odm_arena_done(&a);
        if (value)
                *value = text;
        return got.status;
}

static void open_lab(lab *l)
{
        assert_int_equal(lab_open(l, &heap, mount), 0);
        assert_int_equal(operate(l->tree, "d= ./NAP?prop=ACL Add=*&Get=*&Replace=*&Delete=*", NULL),
                         200);
        assert_int_equal(
                operate(l->tree, "d= ./Proxy?prop=ACL Add=*&Get=*&Replace=*&Delete=*", NULL), 200);
}

static void make(odm_tree *t, const char *const *lines, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                unsigned status = operate(t, lines[i], NULL);
                if (status != 200)
                        fail_msg("%s: %u", lines[i], status);
        }
}
#define MAKE(t, ...)                                     \
        do {                                             \
                const char *const all[] = {__VA_ARGS__}; \
                make((t), all, ODM_COUNT(all));          \
        } while (0)

/* ---- what servers may write ---------------------------------------------------------------- */

#define LONG50 "12345678901234567890123456789012345678901234567890"

static const struct write_row {
        const char *why, *line;
        unsigned status;
} writes[] = {
        {"an instance", "+ ./NAP/a <node>", 200},
        {"its ID", "+ ./NAP/a/ID a", 200},
        {"given once", "= ./NAP/a/ID b", 405},
        {"a bearer we have", "+ ./NAP/a/BearerType ETHERNET", 200},
        {"the same again", "= ./NAP/a/BearerType ETHERNET", 200},
        {"another one", "= ./NAP/a/BearerType WLAN", 405},
        {"a bearer we do not have", "+ ./NAP/b/BearerType 3GPPPS", 406},
        {"no bearer at all", "+ ./NAP/b/BearerType PIGEON", 406},
        {"an address", "+ ./NAP/a/IP/IPv4/IPAddr 10.0.0.2", 200},
        {"no address", "= ./NAP/a/IP/IPv4/IPAddr 10.0.0.256", 415},
        {"too short", "= ./NAP/a/IP/IPv4/IPAddr 10.0.0", 415},
        {"a zero in front", "= ./NAP/a/IP/IPv4/IPAddr 10.0.0.02", 415},
        {"of the other kind", "= ./NAP/a/IP/IPv4/IPAddr fe80::1", 415},
        {"IPv6", "+ ./NAP/a/IP/IPv6/IPAddr fd00::1", 200},
        {"with a tail", "= ./NAP/a/IP/IPv6/IPAddr ::ffff:10.0.0.1", 200},
        {"eight groups", "= ./NAP/a/IP/IPv6/IPAddr 1:2:3:4:5:6:7:8", 200},
        {"nine", "= ./NAP/a/IP/IPv6/IPAddr 1:2:3:4:5:6:7:8:9", 415},
        {"two gaps", "= ./NAP/a/IP/IPv6/IPAddr 1::2::3", 415},
        {"a gap of three", "= ./NAP/a/IP/IPv6/IPAddr 1:::3", 415},
        {"a colon at the end", "= ./NAP/a/IP/IPv6/IPAddr 1:2:3:4:5:6:7:", 415},
        {"five digits", "= ./NAP/a/IP/IPv6/IPAddr 12345::1", 415},
        {"a mask", "+ ./NAP/a/IP/IPv4/NetMask 255.255.255.0", 200},
        {"a prefix", "= ./NAP/a/IP/IPv4/NetMask 24", 200},
        {"a mask with holes", "= ./NAP/a/IP/IPv4/NetMask 255.0.255.0", 415},
        {"too long a prefix", "= ./NAP/a/IP/IPv4/NetMask 33", 415},
        {"no mask in IPv6", "+ ./NAP/a/IP/IPv6/NetMask 255.255.255.0", 415},
        {"its length", "+ ./NAP/a/IP/IPv6/NetMask 64", 200},
        {"a DNS server", "+ ./NAP/a/IP/IPv4/DNS/Servers/1/Addr 9.9.9.9", 200},
        {"named", "+ ./NAP/a/IP/IPv4/DNS/Servers/2/Addr dns.example", 415},
        {"a bool", "+ ./NAP/a/IP/IPv4/AutoConfig False", 200},
        {"no bool", "= ./NAP/a/IP/IPv4/AutoConfig no", 415},
        {"an address type", "+ ./NAP/a/AddrType ALPHA", 200},
        {"for an interface that is not ours", "+ ./NAP/a/Addr lo", 406},
        {"for one that is", "+ ./NAP/a/Addr eth0", 200},
        {"and no other", "= ./NAP/a/Addr lo", 406},
        {"a secret", "+ ./NAP/a/AuthInfo/AuthSecret s", 200},
        {"not shown", "? ./NAP/a/AuthInfo/AuthSecret", 405},
        {"and gone again", "- ./NAP/a/AuthInfo/AuthSecret", 200},
        {"a proof unknown", "+ ./NAP/a/AuthInfo/AuthType MAGIC", 406},
        {"a wireless mode", "+ ./NAP/w/BearerParams/WLAN/SecMode WPA2-PSK", 200},
        {"none", "= ./NAP/w/BearerParams/WLAN/SecMode WEP", 406},
        {"a key", "+ ./NAP/w/BearerParams/WLAN/WPA/Key 12345678", 200},
        {"not shown either", "? ./NAP/w/BearerParams/WLAN/WPA/Key", 405},
        {"too short a key", "= ./NAP/w/BearerParams/WLAN/WPA/Key 1234567", 415},
        {"beyond ASCII", "= ./NAP/w/BearerParams/WLAN/WPA/Key caf\xc3\xa9 1234567", 415},
        {"64 digits", "= ./NAP/w/BearerParams/WLAN/WPA/Key " LONG50 "1234567890abcd", 200},
        {"64 others", "= ./NAP/w/BearerParams/WLAN/WPA/Key " LONG50 "1234567890abcx", 415},
        {"between stations", "+ ./NAP/w/BearerParams/WLAN/NetMode ADHOC", 406},
        {"a control character", "+ ./NAP/w/Name a\x01z", 415},
        {"a tab", "+ ./NAP/w/Name a\tz", 415},
        {"a long text", "+ ./NAP/w/Name " LONG50 LONG50 LONG50 LONG50 LONG50 "123456", 413},
        {"a context", "+ ./NAP/w/BearerParams/3GPPPS/PDPType X25", 406},
        {"not in the description", "+ ./NAP/w/Colour red", 405},
        {"a factory setting", "+ ./NAP/factory/Name x", 405},
        {"made by the device", "d+ ./NAP/factory/Name x", 200},
        {"stays", "= ./NAP/factory/Name y", 405},
        {"all of it", "- ./NAP/factory", 405},
        {"its name too", "= ./NAP/factory?prop=Name mine", 405},
        {"and nobody takes it", "= ./NAP/w?prop=Name factory", 418},
        {"but its list of rights", "= ./NAP/factory?prop=ACL Get=*", 200},
        {"another name", "= ./NAP/w?prop=Name wlan", 200},
        {"a proxy", "+ ./Proxy/p/Addr proxy.example", 200},
        {"with a blank", "= ./Proxy/p/Addr proxy example", 415},
        {"a port", "+ ./Proxy/p/Ports/1/PortNbr 8080", 200},
        {"no port", "= ./Proxy/p/Ports/1/PortNbr 0", 415},
        {"too high", "= ./Proxy/p/Ports/1/PortNbr 65536", 415},
        {"an old kind", "+ ./Proxy/p/ProxyType WAP", 406},
        {"gone", "- ./NAP/wlan", 200},
        {"made anew, with another bearer", "- ./NAP/a", 200},
        {"made anew, with another bearer", "+ ./NAP/a/BearerType WLAN", 200},
};

static void judges_as_the_table_says(void **state)
{
        lab l;

        (void)state;
        open_lab(&l);
        for (size_t i = 0; i < ODM_COUNT(writes); i++) {
                unsigned got = operate(l.tree, writes[i].line, NULL);
                if (got != writes[i].status)
                        fail_msg("%s: '%s' gave %u, not %u", writes[i].why, writes[i].line, got,
                                 writes[i].status);
        }
        lab_close(&l);
}

static void bools_have_one_form(void **state)
{
        static const char *const forms[][2] = {{"true", "true"},   {"True", "true"},
                                               {"1", "true"},      {"false", "false"},
                                               {"False", "false"}, {"0", "false"}};
        const char *got;
        char line[80];
        lab l;

        (void)state;
        open_lab(&l);
        MAKE(l.tree, "+ ./NAP/a/IP/IPv4/AutoDNS true");
        for (size_t i = 0; i < ODM_COUNT(forms); i++) {
                snprintf(line, sizeof line, "= ./NAP/a/IP/IPv4/AutoDNS %s", forms[i][0]);
                assert_int_equal(operate(l.tree, line, NULL), 200);
                assert_int_equal(operate(l.tree, "? ./NAP/a/IP/IPv4/AutoDNS", &got), 200);
                assert_string_equal(got, forms[i][1]);
        }
        lab_close(&l);
}

static void instances_have_a_ceiling(void **state)
{
        char line[100];
        lab l;

        (void)state;
        open_lab(&l);
        for (int i = 0; i <= ODM_CONNMO_MAX; i++) {
                snprintf(line, sizeof line, "+ ./NAP/n%d <node>", i);
                assert_int_equal(operate(l.tree, line, NULL), i < ODM_CONNMO_MAX ? 200 : 420);
                snprintf(line, sizeof line, "+ ./Proxy/n%d <node>", i);
                assert_int_equal(operate(l.tree, line, NULL), i < ODM_CONNMO_MAX ? 200 : 420);
        }
        lab_close(&l);
}

/* ---- which are whole, and which are used --------------------------------------------------- */

static const struct lack_row {
        const char *why, *lack; /* NULL: it can be used */
        const char *lines[8];
} lacks[] = {
        {"nothing but an ID", "BearerType", {"+ ./NAP/x/ID x"}},
        {"no ID", "ID", {"+ ./NAP/x/Addr eth0", "+ ./NAP/x/BearerType ETHERNET"}},
        {"no Addr", "Addr", {"+ ./NAP/x/ID x", "+ ./NAP/x/BearerType ETHERNET"}},
        {"the example of the spec: no IP, no parameters",
         NULL,
         {"+ ./NAP/x/ID x", "+ ./NAP/x/Addr eth0", "+ ./NAP/x/BearerType ETHERNET"}},
        {"static without a mask",
         "IP/IPv4/NetMask",
         {"+ ./NAP/x/ID x", "+ ./NAP/x/Addr eth0", "+ ./NAP/x/BearerType ETHERNET",
          "+ ./NAP/x/IP/IPv4/IPAddr 10.0.0.2"}},
        {"static without an address",
         "IP/IPv4/NetMask",
         {"+ ./NAP/x/ID x", "+ ./NAP/x/Addr eth0", "+ ./NAP/x/BearerType ETHERNET",
          "+ ./NAP/x/IP/IPv4/AutoConfig 0"}},
        {"a mask but no address",
         "IP/IPv4/IPAddr",
         {"+ ./NAP/x/ID x", "+ ./NAP/x/Addr eth0", "+ ./NAP/x/BearerType ETHERNET",
          "+ ./NAP/x/IP/IPv4/AutoConfig 0", "+ ./NAP/x/IP/IPv4/NetMask 24"}},
        {"static and whole",
         NULL,
         {"+ ./NAP/x/ID x", "+ ./NAP/x/Addr eth0", "+ ./NAP/x/BearerType ETHERNET",
          "+ ./NAP/x/IP/IPv4/IPAddr 10.0.0.2", "+ ./NAP/x/IP/IPv4/NetMask 255.255.0.0"}},
        {"open wireless",
         NULL,
         {"+ ./NAP/x/ID x", "+ ./NAP/x/Addr cafe", "+ ./NAP/x/BearerType WLAN"}},
        {"its name in the parameters",
         NULL,
         {"+ ./NAP/x/ID x", "+ ./NAP/x/BearerParams/WLAN/PrimSSID/Name cafe",
          "+ ./NAP/x/BearerType WLAN"}},
        {"WPA without a key",
         "BearerParams/WLAN/WPA/Key",
         {"+ ./NAP/x/ID x", "+ ./NAP/x/Addr cafe", "+ ./NAP/x/BearerType WLAN",
          "+ ./NAP/x/BearerParams/WLAN/SecMode WPA2-PSK"}},
        {"802.1X without a user",
         "AuthInfo/AuthName",
         {"+ ./NAP/x/ID x", "+ ./NAP/x/Addr cafe", "+ ./NAP/x/BearerType WLAN",
          "+ ./NAP/x/BearerParams/WLAN/SecMode 802.1X", "+ ./NAP/x/AuthInfo/AuthType EAP-PEAP"}},
        {"802.1X without a method",
         "AuthInfo/AuthType",
         {"+ ./NAP/x/ID x", "+ ./NAP/x/Addr cafe", "+ ./NAP/x/BearerType WLAN",
          "+ ./NAP/x/BearerParams/WLAN/SecMode 802.1X", "+ ./NAP/x/AuthInfo/AuthName me"}},
        {"too long a name of a network",
         "Addr",
         {"+ ./NAP/x/ID x", "+ ./NAP/x/Addr 123456789012345678901234567890123",
          "+ ./NAP/x/BearerType WLAN"}},
};

static void whole_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(lacks); i++) {
                const struct lack_row *r = &lacks[i];
                const char *lack = NULL;
                odm_arena a;
                odm_nap n;
                int rc;
                lab l;
                open_lab(&l);
                for (size_t k = 0; k < ODM_COUNT(r->lines) && r->lines[k]; k++)
                        MAKE(l.tree, r->lines[k]);
                odm_arena_init(&a, &heap, 65536);
                rc = odm_nap_read(l.tree, ODM_STR("./NAP/x"), &a, &n, &lack);
                if (rc != !r->lack || (r->lack && strcmp(r->lack, lack) != 0))
                        fail_msg("%s: %d, %s", r->why, rc, lack ? lack : "whole");
                odm_arena_done(&a);
                lab_close(&l);
        }
}

static void make_eth(odm_tree *t, const char *name, const char *addr, const char *priority)
{
        char lines[4][80];

        snprintf(lines[0], 80, "d+ ./NAP/%s/ID %s", name, name);
        snprintf(lines[1], 80, "d+ ./NAP/%s/Addr %s", name, addr);
        snprintf(lines[2], 80, "d+ ./NAP/%s/BearerType ETHERNET", name);
        snprintf(lines[3], 80, "d+ ./NAP/%s/Priority %s", name, priority);
        for (size_t i = 0; i < 3 + (*priority != 0); i++)
                MAKE(t, lines[i]);
}

/* The names of those that are used, in their order. */
static void expect_chosen(odm_tree *t, const char *why, const char *want)
{
        odm_nap n[ODM_CONNMO_MAX];
        char got[200] = "";
        size_t count = 0;
        odm_arena a;

        odm_arena_init(&a, &heap, 1 << 20);
        assert_int_equal(odm_nap_choose(t, &a, n, &count), 0);
        for (size_t i = 0; i < count; i++)
                snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", i ? " " : "",
                         (int)n[i].name.n, n[i].name.p);
        if (strcmp(got, want) != 0)
                fail_msg("%s: '%s', not '%s'", why, got, want);
        odm_arena_done(&a);
}

static void the_best_are_used(void **state)
{
        lab l;

        (void)state;
        open_lab(&l);
        make_eth(l.tree, "c", "eth0", "");
        expect_chosen(l.tree, "the only one", "c");
        make_eth(l.tree, "b", "eth0", "");
        expect_chosen(l.tree, "by name", "b");
        make_eth(l.tree, "d", "eth0", "7");
        expect_chosen(l.tree, "with a priority", "d");
        make_eth(l.tree, "e", "eth0", "-1");
        expect_chosen(l.tree, "a lower one", "e");
        make_eth(l.tree, "f", "eth1", "");
        expect_chosen(l.tree, "another interface", "e f");
        MAKE(l.tree, "d+ ./DMAcc/m/ToConRef/1/ConRef ./NAP/c");
        expect_chosen(l.tree, "named by an account", "c f");
        MAKE(l.tree, "d+ ./DMAcc/m/PrefConRef NAP/b");
        expect_chosen(l.tree, "preferred", "b f");
        MAKE(l.tree, "d= ./DMAcc/m/PrefConRef ./NAP/gone");
        expect_chosen(l.tree, "a reference that dangles is skipped", "c f");
        MAKE(l.tree, "d+ ./NAP/w/ID w", "d+ ./NAP/w/Addr cafe", "d+ ./NAP/w/BearerType WLAN",
             "d+ ./NAP/v/ID v", "d+ ./NAP/v/Addr bar", "d+ ./NAP/v/BearerType WLAN");
        expect_chosen(l.tree, "all networks of a radio", "c f v w");
        MAKE(l.tree, "d+ ./NAP/g/ID g", "d+ ./NAP/g/Addr apn", "d+ ./NAP/g/BearerType 3GPPPS",
             "d+ ./NAP/h/ID h", "d+ ./NAP/h/Addr apn2", "d+ ./NAP/h/BearerType 3GPPPS");
        expect_chosen(l.tree, "one packet network", "c f g v w");
        lab_close(&l);
}

static const struct proxy_row {
        const char *why, *url; /* NULL: none */
        const char *lines[6];
} proxies[] = {
        {"a host and a port",
         "http://p.example:3128",
         {"+ ./Proxy/p/ProxyId p", "+ ./Proxy/p/Addr p.example",
          "+ ./Proxy/p/Ports/1/PortNbr 3128"}},
        {"the first port",
         "http://p.example:80",
         {"+ ./Proxy/p/ProxyId p", "+ ./Proxy/p/Addr p.example", "+ ./Proxy/p/Ports/2/PortNbr 81",
          "+ ./Proxy/p/Ports/1/PortNbr 80"}},
        {"IPv6",
         "http://[fd00::1]:3128",
         {"+ ./Proxy/p/ProxyId p", "+ ./Proxy/p/Addr fd00::1", "+ ./Proxy/p/Ports/1/PortNbr 3128"}},
        {"an address as a whole",
         "http://p.example:1",
         {"+ ./Proxy/p/ProxyId p", "+ ./Proxy/p/Addr http://p.example:1",
          "+ ./Proxy/p/AddrType URI"}},
        {"no port", NULL, {"+ ./Proxy/p/ProxyId p", "+ ./Proxy/p/Addr p.example"}},
        {"no identifier", NULL, {"+ ./Proxy/p/Addr p.example", "+ ./Proxy/p/Ports/1/PortNbr 80"}},
        {"over an access point in use",
         "http://p:1",
         {"+ ./Proxy/p/ProxyId p", "+ ./Proxy/p/Addr p", "+ ./Proxy/p/Ports/1/PortNbr 1",
          "+ ./Proxy/p/ToConRef/1/ConRef ./NAP/e"}},
        {"over another one",
         NULL,
         {"+ ./Proxy/p/ProxyId p", "+ ./Proxy/p/Addr p", "+ ./Proxy/p/Ports/1/PortNbr 1",
          "+ ./Proxy/p/ToConRef/1/ConRef ./NAP/x"}},
};

static void proxies_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(proxies); i++) {
                const struct proxy_row *r = &proxies[i];
                odm_nap n[ODM_CONNMO_MAX];
                odm_proxy p = {.url = ODM_ABSENT};
                size_t count = 0;
                odm_arena a;
                lab l;
                open_lab(&l);
                make_eth(l.tree, "e", "eth0", "");
                MAKE(l.tree, "d+ ./DMAcc/m/PrefConRef ./NAP/e",
                     "d+ ./DMAcc/m/ToConRef/1/ConRef ./Proxy/none",
                     "d+ ./DMAcc/m/ToConRef/2/ConRef ./Proxy/p");
                for (size_t k = 0; k < ODM_COUNT(r->lines) && r->lines[k]; k++)
                        MAKE(l.tree, r->lines[k]);
                odm_arena_init(&a, &heap, 1 << 20);
                assert_int_equal(odm_nap_choose(l.tree, &a, n, &count), 0);
                int rc = odm_proxy_of(l.tree, ODM_STR("./DMAcc/m"), n, count, &a, &p);
                if (rc != (r->url != NULL) || (r->url && !odm_str_is(p.url, r->url)))
                        fail_msg("%s: %d %.*s", r->why, rc, (int)p.url.n, p.url.p);
                odm_arena_done(&a);
                lab_close(&l);
        }
}

/* ---- the way back -------------------------------------------------------------------------- */

static const char *const world[] = {
        "+ ./NAP/e/ID e",
        "+ ./NAP/e/Addr eth0",
        "+ ./NAP/e/BearerType ETHERNET",
        "+ ./NAP/e/IP/IPv4/IPAddr 10.0.0.2",
        "+ ./NAP/e/IP/IPv4/NetMask 24",
        "+ ./NAP/e/AuthInfo/AuthSecret secret",
        "+ ./NAP/w/ID w",
        "= ./NAP/w?prop=ACL Get=*&Replace=srv&Delete=srv&Add=srv",
        "+ ./NAP/w/Name The \"best\" caf\xc3\xa9",
        "+ ./Proxy/p/ProxyId p",
        "d+ ./DMAcc/m/AppID w7",
        "d+ ./DMAcc/m/PrefConRef ./NAP/e",
        "d+ ./DMAcc/m/ToConRef/1/ConRef ./Proxy/p",
};

static const struct back_row {
        const char *why, *differ; /* the instances that odm_connmo_differ() names */
        const char *lines[6];
} backs[] = {
        {"nothing", "", {NULL}},
        {"a value", "./NAP/e ", {"= ./NAP/e/IP/IPv4/IPAddr 10.9.9.9"}},
        {"a secret", "./NAP/e ", {"= ./NAP/e/AuthInfo/AuthSecret other"}},
        {"a new leaf", "./NAP/e ", {"+ ./NAP/e/IP/IPv4/DNS/Servers/1/Addr 1.1.1.1"}},
        {"a leaf that went", "./NAP/e ", {"- ./NAP/e/IP/IPv4/IPAddr"}},
        {"an instance that went", "./NAP/w ", {"- ./NAP/w"}},
        {"a new one", "./NAP/n ", {"+ ./NAP/n/ID n"}},
        {"another name", "./NAP/v ./NAP/w ", {"= ./NAP/w?prop=Name v"}},
        {"other rights", "./NAP/w ", {"= ./NAP/w?prop=ACL Get=*"}},
        {"rights where there were none", "./NAP/e ", {"= ./NAP/e?prop=ACL Get=*&Replace=srv"}},
        {"a proxy that went", "./Proxy/p ", {"- ./Proxy/p"}},
        {"other references",
         "./DMAcc/m ",
         {"d= ./DMAcc/m/PrefConRef ./Proxy/p", "d- ./DMAcc/m/ToConRef"}},
        {"all at once",
         "./NAP/e ./NAP/n ./NAP/w ./Proxy/q ./Proxy/p ./DMAcc/m ",
         {"- ./NAP/w", "- ./NAP/e/IP/IPv4", "+ ./NAP/n/ID n", "- ./Proxy/p",
          "+ ./Proxy/q/ProxyId q", "d- ./DMAcc/m/PrefConRef"}},
};

static int name_it(void *ctx, odm_str uri)
{
        char *to = ctx;
        size_t n = strlen(to);

        snprintf(to + n, 300 - n, "%.*s ", (int)uri.n, uri.p);
        return 0;
}

static void comes_back(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(backs); i++) {
                const struct back_row *r = &backs[i];
                odm_buf was, is, again;
                char names[300] = "";
                lab l;
                open_lab(&l);
                odm_buf_init(&was, &heap, ODM_CONNMO_KEPT);
                odm_buf_init(&is, &heap, ODM_CONNMO_KEPT);
                odm_buf_init(&again, &heap, ODM_CONNMO_KEPT);
                make(l.tree, world, ODM_COUNT(world));
                assert_int_equal(odm_connmo_save(l.tree, &heap, &was), 0);
                for (size_t k = 0; k < ODM_COUNT(r->lines) && r->lines[k]; k++)
                        MAKE(l.tree, r->lines[k]);
                assert_int_equal(odm_connmo_save(l.tree, &heap, &is), 0);
                odm_connmo_differ(odm_buf_view(&was), odm_buf_view(&is), name_it, names);
                if (strcmp(names, r->differ) != 0)
                        fail_msg("%s: '%s' differ", r->why, names);
                assert_int_equal(odm_connmo_restore(&net, odm_buf_view(&was), LAB_NOW), 0);
                assert_int_equal(odm_connmo_save(l.tree, &heap, &again), 0);
                assert_octets(odm_buf_view(&again), odm_buf_view(&was));
                assert_false(net.own);
                odm_buf_done(&was);
                odm_buf_done(&is);
                odm_buf_done(&again);
                lab_close(&l);
        }
}

static void an_account_that_went_stays_away(void **state)
{
        odm_buf was;
        lab l;

        (void)state;
        open_lab(&l);
        odm_buf_init(&was, &heap, ODM_CONNMO_KEPT);
        make(l.tree, world, ODM_COUNT(world));
        assert_int_equal(odm_connmo_save(l.tree, &heap, &was), 0);
        MAKE(l.tree, "d- ./DMAcc/m", "- ./NAP/w");
        assert_int_equal(odm_connmo_restore(&net, odm_buf_view(&was), LAB_NOW), 0);
        assert_false(odm_tree_exists(l.tree, ODM_STR("./DMAcc/m")));
        assert_true(odm_tree_exists(l.tree, ODM_STR("./NAP/w")));
        odm_buf_done(&was);
        lab_close(&l);
}

static void what_is_no_snapshot_changes_nothing(void **state)
{
        static const char *const bad[] = {"x", "chr - NAP/e\n", "chr !! ./NAP/e/Name\n",
                                          "chr - ./NAP/e/Colour\n"};
        odm_buf was, is;
        lab l;

        (void)state;
        open_lab(&l);
        make(l.tree, world, ODM_COUNT(world));
        for (size_t i = 0; i < ODM_COUNT(bad); i++) {
                odm_str text = exact_copy(bad[i]);
                odm_buf_init(&was, &heap, ODM_CONNMO_KEPT);
                odm_buf_init(&is, &heap, ODM_CONNMO_KEPT);
                assert_int_equal(odm_connmo_save(l.tree, &heap, &was), 0);
                assert_true(odm_connmo_restore(&net, text, LAB_NOW) < 0);
                assert_int_equal(odm_connmo_save(l.tree, &heap, &is), 0);
                assert_octets(odm_buf_view(&is), odm_buf_view(&was));
                odm_buf_done(&was);
                odm_buf_done(&is);
                exact_free(text);
        }
        lab_close(&l);
}

static const struct effect_row {
        const char *why, *line;
        bool other;
} effects[] = {
        {"what people call it", "+ ./NAP/e/Name Office", false},
        {"its address", "= ./NAP/e/IP/IPv4/IPAddr 10.9.9.9", true},
        {"its secret", "= ./NAP/e/AuthInfo/AuthSecret other", true},
        {"one that is not whole", "+ ./NAP/w/Addr cafe", false},
        {"one that is now", "+ ./NAP/w/BearerType WLAN", true},
        {"half a proxy", "+ ./Proxy/p/Addr p.example", false},
        {"a whole one", "+ ./Proxy/p/Ports/1/PortNbr 80", true},
        {"its password", "+ ./Proxy/p/AuthInfo/AuthSecret s", true},
        {"the same mask, said otherwise", "= ./NAP/e/IP/IPv4/NetMask 255.255.255.0", false},
        {"nobody names it any more", "d- ./DMAcc/m/ToConRef", true},
        {"and it goes", "- ./NAP/e", true},
};

static void effect_changes_as_the_table_says(void **state)
{
        odm_buf was, is;
        lab l;

        (void)state;
        open_lab(&l);
        make(l.tree, world, ODM_COUNT(world));
        odm_buf_init(&was, &heap, ODM_CONNMO_KEPT);
        odm_buf_init(&is, &heap, ODM_CONNMO_KEPT);
        assert_int_equal(odm_connmo_effect(l.tree, &heap, &was), 0);
        for (size_t i = 0; i < ODM_COUNT(effects); i++) {
                MAKE(l.tree, effects[i].line);
                odm_buf_cut(&is, 0);
                assert_int_equal(odm_connmo_effect(l.tree, &heap, &is), 0);
                if (odm_str_eq(odm_buf_view(&was), odm_buf_view(&is)) == effects[i].other)
                        fail_msg("%s: %s", effects[i].why, effects[i].line);
                odm_buf_cut(&was, 0);
                assert_int_equal(odm_buf_str(&was, odm_buf_view(&is)), 0);
        }
        odm_buf_done(&was);
        odm_buf_done(&is);
        lab_close(&l);
}

/* ---- each allocation failing ------------------------------------------------------------------ */

static int whole_story(failing *f, void *arg)
{
        odm_nap n[ODM_CONNMO_MAX];
        odm_proxy p;
        size_t count = 0;
        odm_buf was, is;
        odm_arena a;
        int rc;
        lab l;

        (void)arg;
        open_lab(&l); /* the tree's own memory is not tried here */
        make(l.tree, world, ODM_COUNT(world));
        odm_buf_init(&was, &f->mem, ODM_CONNMO_KEPT);
        odm_buf_init(&is, &f->mem, ODM_CONNMO_KEPT);
        odm_arena_init(&a, &f->mem, 1 << 20);
        rc = odm_connmo_save(l.tree, &f->mem, &was);
        MAKE(l.tree, "d- ./NAP/w", "d= ./NAP/e/IP/IPv4/IPAddr 10.9.9.9");
        net.mem = &f->mem;
        if (rc == 0)
                rc = odm_connmo_restore(&net, odm_buf_view(&was), LAB_NOW);
        if (rc == 0)
                rc = odm_connmo_effect(l.tree, &f->mem, &is);
        if (rc == 0)
                rc = odm_nap_choose(l.tree, &a, n, &count);
        if (rc == 0)
                rc = odm_proxy_of(l.tree, ODM_STR("./DMAcc/m"), n, count, &a, &p);
        assert_false(odm_tree_in_transaction(l.tree));
        odm_arena_done(&a);
        odm_buf_done(&was);
        odm_buf_done(&is);
        net.mem = &heap;
        lab_close(&l);
        return rc > 0 ? 0 : rc;
}

static void survives_no_memory(void **state)
{
        (void)state;
        torture(whole_story, NULL, 200);
}

/* ---- the trial ----------------------------------------------------------------------------------- */

#define ST ODM_TRIAL_STEADY
#define AP ODM_TRIAL_APPLY
#define SE ODM_TRIAL_SETTLE
#define TR ODM_TRIAL_TRY
#define BA ODM_TRIAL_BACK
#define NO ODM_TRIAL_NOTHING

/* Two tries, 3 s before the first, 10 s between them, 100 s in all. */
static const struct trial_row {
        const char *why;
        odm_trial_phase from;
        unsigned tries;
        int64_t next, deadline; /* seconds; -1 never */
        odm_trial_event event;
        int64_t now;
        odm_trial_action action;
        odm_trial_phase to;
        unsigned tries_then;
        int64_t due;
} trials[] = {
        {"steady, changed", ST, 0, -1, -1, ODM_TRIAL_CHANGED, 5, ODM_TRIAL_DO_APPLY, AP, 0, -1},
        {"steady, a session", ST, 0, -1, -1, ODM_TRIAL_REACHED, 5, NO, ST, 0, -1},
        {"steady, a bad one", ST, 0, -1, -1, ODM_TRIAL_UNREACHED, 5, NO, ST, 0, -1},
        {"steady, applied at the start", ST, 0, -1, -1, ODM_TRIAL_APPLIED, 5, NO, ST, 0, -1},
        {"steady, not applied then", ST, 0, -1, -1, ODM_TRIAL_NOT_APPLIED, 5, NO, ST, 0, 15},
        {"steady, not yet", ST, 0, 15, -1, ODM_TRIAL_CLOCK, 14, NO, ST, 0, 15},
        {"steady, again", ST, 0, 15, -1, ODM_TRIAL_CLOCK, 15, ODM_TRIAL_DO_AGAIN, ST, 0, -1},
        {"steady, reached all the same", ST, 0, 15, -1, ODM_TRIAL_REACHED, 9, NO, ST, 0, -1},
        {"steady, somebody was not", ST, 0, 15, -1, ODM_TRIAL_UNREACHED, 9, NO, ST, 0, 15},
        {"steady, changed before", ST, 0, 15, -1, ODM_TRIAL_CHANGED, 9, ODM_TRIAL_DO_APPLY, AP, 0,
         -1},
        {"steady, a clock", ST, 0, -1, -1, ODM_TRIAL_CLOCK, 5, NO, ST, 0, -1},
        {"applied", AP, 0, -1, -1, ODM_TRIAL_APPLIED, 5, NO, SE, 0, 8},
        {"applied again after a start", AP, 1, -1, -1, ODM_TRIAL_APPLIED, 5, NO, SE, 1, 8},
        {"settled", SE, 0, 8, -1, ODM_TRIAL_CLOCK, 8, ODM_TRIAL_DO_CALL, TR, 1, 108},
        {"settled again after a start", SE, 1, 8, -1, ODM_TRIAL_CLOCK, 8, ODM_TRIAL_DO_CALL, TR, 2,
         108},
        {"not yet", SE, 0, 8, -1, ODM_TRIAL_CLOCK, 7, NO, SE, 0, 8},
        {"reached, perhaps by the old settings", SE, 0, 8, -1, ODM_TRIAL_REACHED, 7, NO, SE, 0, 8},
        {"not reached, in between", SE, 0, 8, -1, ODM_TRIAL_UNREACHED, 7, NO, SE, 0, 8},
        {"settling, changed", SE, 0, 8, -1, ODM_TRIAL_CHANGED, 7, NO, SE, 0, 8},
        {"settling, applied", SE, 0, 8, -1, ODM_TRIAL_APPLIED, 7, NO, SE, 0, 8},
        {"settling, not applied", SE, 0, 8, -1, ODM_TRIAL_NOT_APPLIED, 7, NO, SE, 0, 8},
        {"not applied", AP, 0, -1, -1, ODM_TRIAL_NOT_APPLIED, 5, ODM_TRIAL_DO_BACK, BA, 0, -1},
        {"changed while applying", AP, 0, -1, -1, ODM_TRIAL_CHANGED, 5, NO, AP, 0, -1},
        {"a session of before", AP, 0, -1, -1, ODM_TRIAL_REACHED, 5, NO, AP, 0, -1},
        {"a bad one of before", AP, 0, -1, -1, ODM_TRIAL_UNREACHED, 5, NO, AP, 0, -1},
        {"apply, a clock", AP, 0, -1, -1, ODM_TRIAL_CLOCK, 5, NO, AP, 0, -1},
        {"reached", TR, 1, -1, 100, ODM_TRIAL_REACHED, 5, ODM_TRIAL_DO_KEEP, ST, 0, -1},
        {"reached in the last moment", TR, 2, -1, 100, ODM_TRIAL_REACHED, 100, ODM_TRIAL_DO_KEEP,
         ST, 0, -1},
        {"not reached: again", TR, 1, -1, 100, ODM_TRIAL_UNREACHED, 5, NO, TR, 1, 15},
        {"somebody else's try does not put it off", TR, 1, 15, 100, ODM_TRIAL_UNREACHED, 9, NO, TR,
         1, 15},
        {"the second try", TR, 1, 15, 100, ODM_TRIAL_CLOCK, 15, ODM_TRIAL_DO_CALL, TR, 2, 100},
        {"too early", TR, 1, 15, 100, ODM_TRIAL_CLOCK, 14, NO, TR, 1, 15},
        {"no tries left", TR, 2, -1, 100, ODM_TRIAL_UNREACHED, 25, ODM_TRIAL_DO_BACK, BA, 2, -1},
        {"no time left in a try", TR, 1, -1, 100, ODM_TRIAL_UNREACHED, 100, ODM_TRIAL_DO_BACK, BA,
         1, -1},
        {"no time left", TR, 1, -1, 100, ODM_TRIAL_CLOCK, 100, ODM_TRIAL_DO_BACK, BA, 1, -1},
        {"changed while trying", TR, 1, -1, 100, ODM_TRIAL_CHANGED, 5, NO, TR, 1, 100},
        {"applied twice", TR, 1, -1, 100, ODM_TRIAL_APPLIED, 5, NO, TR, 1, 100},
        {"failed when it was applied", TR, 1, -1, 100, ODM_TRIAL_NOT_APPLIED, 5, NO, TR, 1, 100},
        {"the old ones are there", BA, 2, -1, -1, ODM_TRIAL_APPLIED, 5, ODM_TRIAL_DO_TELL, ST, 0,
         -1},
        {"a server is reached by them", BA, 2, 20, -1, ODM_TRIAL_REACHED, 5, ODM_TRIAL_DO_TELL, ST,
         0, -1},
        {"they are not there", BA, 2, -1, -1, ODM_TRIAL_NOT_APPLIED, 5, NO, BA, 2, 15},
        {"again", BA, 2, 15, -1, ODM_TRIAL_CLOCK, 15, ODM_TRIAL_DO_BACK, BA, 2, -1},
        {"not yet", BA, 2, 15, -1, ODM_TRIAL_CLOCK, 14, NO, BA, 2, 15},
        {"back, a bad session", BA, 2, -1, -1, ODM_TRIAL_UNREACHED, 5, NO, BA, 2, -1},
        {"back, changed", BA, 2, -1, -1, ODM_TRIAL_CHANGED, 5, NO, BA, 2, -1},
};

static odm_time at(int64_t s)
{
        return s < 0 ? ODM_NEVER : (odm_time){s * 1000};
}

static void moves_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(trials); i++) {
                const struct trial_row *r = &trials[i];
                odm_trial t = {.max_tries = 2,
                               .settle_ms = 3000,
                               .wait_ms = 10000,
                               .time_ms = 100000,
                               .phase = r->from,
                               .tries = r->tries,
                               .next = at(r->next),
                               .deadline = at(r->deadline)};
                odm_trial_action got = odm_trial_on(&t, r->event, at(r->now));
                if (got != r->action || t.phase != r->to || t.tries != r->tries_then ||
                    odm_trial_due(&t).ms != at(r->due).ms)
                        fail_msg("%s: action %d, %s, %u tries, due %lld", r->why, (int)got,
                                 odm_trial_phase_name(t.phase), t.tries,
                                 (long long)odm_trial_due(&t).ms);
        }
}

static const struct resume_row {
        const char *why;
        odm_trial_phase phase;
        unsigned tries;
        odm_trial_action action;
        odm_trial_phase to;
} resumes[] = {
        {"steady", ST, 0, NO, ST},
        {"before it was applied", AP, 0, ODM_TRIAL_DO_APPLY, AP},
        {"before the first try", SE, 0, ODM_TRIAL_DO_APPLY, AP},
        {"in the first try", TR, 1, ODM_TRIAL_DO_APPLY, AP},
        {"in the last one", TR, 2, ODM_TRIAL_DO_BACK, BA},
        {"on the way back", BA, 2, ODM_TRIAL_DO_BACK, BA},
};

static void resumes_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(resumes); i++) {
                const struct resume_row *r = &resumes[i];
                odm_trial t = {.max_tries = 2, .wait_ms = 10000, .time_ms = 100000};
                odm_trial_action got = odm_trial_resume(&t, r->phase, r->tries);
                if (got != r->action || t.phase != r->to || odm_trial_due(&t).ms != ODM_NEVER.ms)
                        fail_msg("%s: action %d, %s", r->why, (int)got,
                                 odm_trial_phase_name(t.phase));
        }
}

static void there_may_be_no_while_to_settle(void **state)
{
        odm_trial t = {.max_tries = 2, .wait_ms = 10000, .time_ms = 100000, .phase = AP};

        (void)state;
        assert_int_equal(odm_trial_on(&t, ODM_TRIAL_APPLIED, at(5)), ODM_TRIAL_DO_CALL);
        assert_int_equal(t.phase, TR);
        assert_int_equal(t.tries, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(judges_as_the_table_says),
                cmocka_unit_test(bools_have_one_form),
                cmocka_unit_test(instances_have_a_ceiling),
                cmocka_unit_test(whole_as_the_table_says),
                cmocka_unit_test(the_best_are_used),
                cmocka_unit_test(proxies_as_the_table_says),
                cmocka_unit_test(comes_back),
                cmocka_unit_test(an_account_that_went_stays_away),
                cmocka_unit_test(what_is_no_snapshot_changes_nothing),
                cmocka_unit_test(effect_changes_as_the_table_says),
                cmocka_unit_test(survives_no_memory),
                cmocka_unit_test(moves_as_the_table_says),
                cmocka_unit_test(there_may_be_no_while_to_settle),
                cmocka_unit_test(resumes_as_the_table_says),
        };

        return RUN_TESTS(tests);
}
