/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of "LEAF VALUE" are what a server writes below ./NAP/x.  Whatever it is: an access point
 * that can be used has addresses that others take for such, and in the files we make of it no value
 * ends its line or its quotes. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "mo.h"
#include "network_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)                  \
        do {                     \
                if (!(x))        \
                        abort(); \
        } while (0)

static odm_str line_of(odm_str *rest)
{
        const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
        odm_str s = end ? odm_str_to(*rest, (size_t)(end - rest->p)) : *rest;

        *rest = odm_str_from(*rest, s.n + (end != NULL));
        return s;
}

static void write_leaf(odm_tree *t, odm_str line)
{
        const char *blank = line.n ? memchr(line.p, ' ', line.n) : NULL;
        size_t n = blank ? (size_t)(blank - line.p) : line.n;
        odm_op op = {.kind = ODM_CMD_ADD, .server = ODM_STR("srv"), .has_value = true};
        odm_answer got = {0};
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        op.target = odm_arena_fmt(&a, "./NAP/x/%.*s", (int)n, line.p);
        op.value.data = odm_str_from(line, n + 1);
        MUST(op.target.p && odm_tree_do(t, &op, (odm_wall){1}, &a, &got) == 0);
        odm_arena_done(&a);
}

static void look_at_address(odm_str s, int family)
{
        char text[300], bin[16];

        snprintf(text, sizeof text, "%.*s", (int)s.n, s.n ? s.p : "");
        MUST(s.n == 0 || inet_pton(family, text, bin) == 1);
}

static void look_at_ip(const odm_nap_ip *ip, int family)
{
        look_at_address(ip->addr, family);
        look_at_address(ip->gateway, family);
        for (size_t i = 0; i < ip->n_dns; i++)
                look_at_address(ip->dns[i], family);
        MUST(ip->prefix <= (family == AF_INET ? 32 : 128));
}

static bool begins(odm_str line, const char *const *words)
{
        for (; *words; words++)
                if (odm_str_starts(line, *words))
                        return true;
        return line.n == 0;
}

static void look_at_lines(const odm_buf *b, const char *const *words)
{
        odm_str rest = odm_buf_view(b);

        while (rest.n)
                MUST(begins(line_of(&rest), words));
}

/* nap_1_x='...' with every quote inside as '\'' */
static void look_at_shell(const odm_buf *b)
{
        odm_str rest = odm_buf_view(b);

        while (rest.n) {
                odm_str l = line_of(&rest);
                const char *eq = l.n ? memchr(l.p, '=', l.n) : NULL;
                if (l.n == 0 || l.p[0] == '#' || odm_str_starts(l, "nap_count="))
                        continue;
                MUST(odm_str_starts(l, "nap_1_") && eq);
                l = odm_str_from(l, (size_t)(eq - l.p) + 1);
                MUST(l.n >= 2 && l.p[0] == '\'' && l.p[l.n - 1] == '\'');
                for (size_t i = 1; i + 1 < l.n; i++) {
                        if (l.p[i] != '\'')
                                continue;
                        MUST(i + 4 < l.n && memcmp(l.p + i, "'\\''", 4) == 0);
                        i += 3;
                }
        }
}

static void look(const odm_nap *n)
{
        static const char *const networkd[] = {
                "#",        "[Match]",  "Name=",     "SSID=",    "[Network]",
                "DHCP=",    "Address=", "Gateway=",  "DNS=",     "IPv6AcceptRA=",
                "[DHCPv4]", "[DHCPv6]", "UseDNS=no", "[IPv6Acc", "LinkLocalAddress",
                NULL};
        static const char *const wpa[] = {"#",
                                          "network={",
                                          "}",
                                          "\tssid=",
                                          "\tscan_ssid=1",
                                          "\tpriority=",
                                          "\tkey_mgmt=",
                                          "\tproto=",
                                          "\tpsk=",
                                          "\teap=",
                                          "\tidentity=",
                                          "\tpassword=",
                                          "\tphase2=\"auth=MSCHAPV2\"",
                                          "\tca_cert=\"/ca.pem\"",
                                          NULL};
        static const char *const keyfile[] = {
                "#",           "[connection]", "id=xrem-x", "type=",     "interface-name=",
                "autocon",     "[ethernet",    "[wifi]",    "mode=",     "ssid=",
                "hidden=true", "[wifi-s",      "key-mgmt=", "proto=",    "psk=",
                "[802-1x]",    "eap=",         "identity=", "password=", "phase2-auth=",
                "ca-cert=",    "[gsm]",        "apn=",      "username=", "[ppp]",
                "refuse-",     "[ipv4]",       "[ipv6]",    "method=",   "address1=",
                "dns=",        "ignore-auto-", NULL};
        static const network_place place = {.wlan = "wlan0", .ca = "/ca.pem"};
        const char *why;
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 1 << 20);
        if (network_text_networkd(n, &place, &b, &why) == 0)
                look_at_lines(&b, networkd);
        odm_buf_cut(&b, 0);
        MUST(network_text_wpa(n, 1, &place, &b, &why) == 0);
        look_at_lines(&b, wpa);
        odm_buf_cut(&b, 0);
        MUST(network_text_keyfile(n, 0, 0, &place, &b, &why) == 0);
        look_at_lines(&b, keyfile);
        odm_buf_cut(&b, 0);
        MUST(network_text_shell(n, 1, &place, &b) == 0);
        look_at_shell(&b);
        odm_buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const odm_value acl = {.data = ODM_STR("Add=*&Get=*&Replace=*&Delete=*")};
        odm_str rest = {(const char *)data, size};
        odm_connmo c = {.offers = NULL};
        const char *lack;
        odm_tree_opt o;
        odm_tree *t;
        odm_nap n;
        odm_arena a;

        odm_tree_opt_init(&o, &heap_mem);
        MUST(odm_tree_new(&o, &t) == 0);
        MUST(odm_connmo_mount(&c, t, &heap_mem, &odm_mo_nap, &odm_mo_proxy) == 0);
        MUST(odm_tree_write(t, ODM_STR("./NAP?prop=ACL"), &acl, (odm_wall){1}) == 0);
        for (int i = 0; i < 40 && rest.n; i++)
                write_leaf(t, line_of(&rest));
        odm_arena_init(&a, &heap_mem, 1 << 20);
        if (odm_nap_read(t, ODM_STR("./NAP/x"), &a, &n, &lack) == 1) {
                look_at_ip(&n.v4, AF_INET);
                look_at_ip(&n.v6, AF_INET6);
                look(&n);
        }
        odm_arena_done(&a);
        odm_tree_free(t);
        return 0;
}
