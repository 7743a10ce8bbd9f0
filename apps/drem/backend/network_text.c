/* SPDX-License-Identifier: Apache-2.0 */
/* Access points in the words of others; see network_text.h.
 *
 * Values come from servers.  None has a control character (lib/mo/connmo.c), and what could end a
 * value early is written in a form that cannot: hexadecimal, lists of numbers, quotes, escapes. */
#include "network_text.h"

#include <stdio.h>
#include <string.h>

/* ---- writing ------------------------------------------------------------------------------ */

typedef struct writer {
        odm_buf *b;
        int rc; /* the first failure; nothing more is written then */
} writer;

static void put(writer *w, const char *text)
{
        if (w->rc == 0)
                w->rc = odm_buf_str(w->b, odm_cstr(text));
}

static void put_str(writer *w, odm_str s)
{
        if (w->rc == 0 && s.n)
                w->rc = odm_buf_put(w->b, s.p, s.n);
}

static void put_number(writer *w, unsigned long n)
{
        if (w->rc == 0)
                w->rc = odm_buf_fmt(w->b, "%lu", n);
}

static void line(writer *w, const char *key, odm_str value)
{
        put(w, key);
        put_str(w, value);
        put(w, "\n");
}

static void put_hex(writer *w, odm_str s)
{
        for (size_t i = 0; i < s.n && w->rc == 0; i++)
                w->rc = odm_buf_fmt(w->b, "%02x", (unsigned char)s.p[i]);
}

static bool is_plain(odm_str s)
{
        static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789.-";

        for (size_t i = 0; i < s.n; i++)
                if (!s.p[i] || !strchr(chars, s.p[i]))
                        return false;
        return s.n > 0;
}

int network_text_name(odm_str name, odm_buf *b)
{
        writer w = {.b = b};

        for (size_t i = 0; i < name.n; i++) {
                odm_str c = {name.p + i, 1};
                if (is_plain(c)) {
                        put_str(&w, c);
                } else {
                        put(&w, "_");
                        put_hex(&w, c);
                }
        }
        return w.rc;
}

/* ---- systemd-networkd ----------------------------------------------------------------------- */

static void networkd_match(writer *w, const odm_nap *n, const network_place *p)
{
        bool plain = true;

        put(w, "\n[Match]\nName=");
        if (n->bearer == ODM_BEARER_ETHERNET) {
                line(w, "", n->addr);
                return;
        }
        line(w, "", odm_cstr(p->wlan));
        for (size_t i = 0; i < n->n_ssid; i++)
                plain = plain && is_plain(n->ssid[i]);
        if (!plain) /* SSID= takes patterns; the interface alone will do */
                return;
        put(w, "SSID=");
        for (size_t i = 0; i < n->n_ssid; i++) {
                put(w, i ? " " : "");
                put_str(w, n->ssid[i]);
        }
        put(w, "\n");
}

static void networkd_address(writer *w, const odm_nap_ip *ip)
{
        if (ip->used && !ip->automatic) {
                put(w, "Address=");
                put_str(w, ip->addr);
                put(w, "/");
                put_number(w, ip->prefix);
                put(w, "\n");
                if (ip->gateway.n)
                        line(w, "Gateway=", ip->gateway);
        }
        for (size_t i = 0; i < ip->n_dns; i++)
                line(w, "DNS=", ip->dns[i]);
}

int network_text_networkd(const odm_nap *n, const network_place *p, odm_buf *b, const char **why)
{
        static const char *const dhcp[2][2] = {{"no", "ipv6"}, {"ipv4", "yes"}};
        bool four = n->v4.used && n->v4.automatic, six = n->v6.used && n->v6.automatic;
        writer w = {.b = b};

        if (n->bearer == ODM_BEARER_3GPPPS) {
                *why = "systemd-networkd has no modems";
                return ODM_EUNSUPPORTED;
        }
        put(&w, NETWORK_HEADER);
        networkd_match(&w, n, p);
        put(&w, "\n[Network]\nDHCP=");
        put(&w, dhcp[four][six]);
        put(&w, "\nIPv6AcceptRA=");
        put(&w, six ? "yes\n" : "no\n");
        if (!n->v6.used)
                put(&w, "LinkLocalAddressing=no\n");
        networkd_address(&w, &n->v4);
        networkd_address(&w, &n->v6);
        if (four && !n->v4.auto_dns)
                put(&w, "\n[DHCPv4]\nUseDNS=no\n");
        if (six && !n->v6.auto_dns)
                put(&w, "\n[DHCPv6]\nUseDNS=no\n\n[IPv6AcceptRA]\nUseDNS=no\n");
        return w.rc;
}

/* ---- wpa_supplicant --------------------------------------------------------------------------- */

static bool is_psk(odm_str key)
{
        return key.n == 64; /* 64 digits; a passphrase has at most 63 characters */
}

/* What a password may be asked for inside the tunnel of PEAP and TTLS. */
static void wpa_eap(writer *w, const odm_nap *n, const network_place *p)
{
        put(w, "\tkey_mgmt=WPA-EAP\n\teap=");
        put_str(w, odm_str_from(n->auth_type, 4)); /* after "EAP-" */
        put(w, "\n\tidentity=");
        put_hex(w, n->user);
        put(w, "\n\tpassword=");
        put_hex(w, n->secret);
        put(w, "\n\tphase2=\"auth=MSCHAPV2\"\n\tca_cert=\"");
        put(w, p->ca);
        put(w, "\"\n");
}

/* The program takes the last quote of the line for the end, so quotes inside do no harm. */
static void wpa_psk(writer *w, const odm_nap *n)
{
        put(w, n->mode == ODM_WLAN_WPA ? "\tproto=WPA\n" : "\tproto=RSN\n");
        put(w, "\tkey_mgmt=WPA-PSK\n\tpsk=");
        put(w, is_psk(n->key) ? "" : "\"");
        put_str(w, n->key);
        put(w, is_psk(n->key) ? "\n" : "\"\n");
}

static void wpa_network(writer *w, const odm_nap *n, odm_str ssid, size_t priority,
                        const network_place *p)
{
        put(w, "\nnetwork={\n\tssid=");
        put_hex(w, ssid);
        put(w, n->hidden ? "\n\tscan_ssid=1" : "");
        put(w, "\n\tpriority=");
        put_number(w, priority);
        put(w, "\n");
        switch (n->mode) {
        case ODM_WLAN_OPEN: put(w, "\tkey_mgmt=NONE\n"); break;
        case ODM_WLAN_WPA:
        case ODM_WLAN_WPA2: wpa_psk(w, n); break;
        case ODM_WLAN_8021X: wpa_eap(w, n, p); break;
        }
        put(w, "}\n");
}

static const char no_ca[] = "802.1X needs network.wlan_ca";

int network_text_wpa(const odm_nap *naps, size_t n, const network_place *p, odm_buf *b,
                     const char **why)
{
        writer w = {.b = b};

        put(&w, NETWORK_HEADER);
        for (size_t i = 0; i < n; i++) {
                if (naps[i].bearer != ODM_BEARER_WLAN)
                        continue;
                if (naps[i].mode == ODM_WLAN_8021X && !p->ca) {
                        *why = no_ca;
                        return ODM_EUNSUPPORTED;
                }
                for (size_t k = 0; k < naps[i].n_ssid; k++)
                        wpa_network(&w, &naps[i], naps[i].ssid[k], n - i, p);
        }
        return w.rc;
}

/* ---- NetworkManager ------------------------------------------------------------------------------- */

/* A value of GKeyFile: backslashes doubled, a blank at the start as \s. */
static void key_line(writer *w, const char *key, odm_str v)
{
        put(w, key);
        for (size_t i = 0; i < v.n; i++) {
                if (v.p[i] == '\\' || (i == 0 && v.p[i] == ' '))
                        put(w, v.p[i] == ' ' ? "\\s" : "\\\\");
                else
                        put_str(w, (odm_str){v.p + i, 1});
        }
        put(w, "\n");
}

static void key_ip(writer *w, const char *section, const odm_nap_ip *ip)
{
        put(w, section);
        put(w, !ip->used       ? "method=disabled\n"
               : ip->automatic ? "method=auto\n"
                               : "method=manual\n");
        if (ip->used && !ip->automatic) {
                put(w, "address1=");
                put_str(w, ip->addr);
                put(w, "/");
                put_number(w, ip->prefix);
                put(w, ip->gateway.n ? "," : "");
                line(w, "", ip->gateway);
        }
        if (ip->n_dns) {
                put(w, "dns=");
                for (size_t i = 0; i < ip->n_dns; i++) {
                        put_str(w, ip->dns[i]);
                        put(w, ";");
                }
                put(w, "\n");
        }
        if (ip->used && ip->automatic && !ip->auto_dns)
                put(w, "ignore-auto-dns=true\n");
}

static void key_eap(writer *w, const odm_nap *n, const network_place *p)
{
        put(w, "key-mgmt=wpa-eap\n\n[802-1x]\neap=");
        put(w, odm_str_is(n->auth_type, "EAP-TTLS") ? "ttls;\n" : "peap;\n");
        key_line(w, "identity=", n->user);
        key_line(w, "password=", n->secret);
        put(w, "phase2-auth=mschapv2\n");
        key_line(w, "ca-cert=", odm_cstr(p->ca));
}

static void key_wlan(writer *w, const odm_nap *n, odm_str ssid, const network_place *p)
{
        put(w, "\n[wifi]\nmode=infrastructure\nssid=");
        for (size_t i = 0; i < ssid.n; i++) {
                put_number(w, (unsigned char)ssid.p[i]);
                put(w, ";");
        }
        put(w, n->hidden ? "\nhidden=true\n" : "\n");
        if (n->mode == ODM_WLAN_OPEN)
                return;
        put(w, "\n[wifi-security]\n");
        if (n->mode == ODM_WLAN_8021X) {
                key_eap(w, n, p);
                return;
        }
        put(w, n->mode == ODM_WLAN_WPA ? "key-mgmt=wpa-psk\nproto=wpa;\n"
                                       : "key-mgmt=wpa-psk\nproto=rsn;\n");
        key_line(w, "psk=", n->key);
}

static void key_gsm(writer *w, const odm_nap *n)
{
        put(w, "\n[gsm]\n");
        key_line(w, "apn=", n->addr);
        if (n->user.n)
                key_line(w, "username=", n->user);
        if (n->secret.n)
                key_line(w, "password=", n->secret);
        if (odm_str_is(n->auth_type, "PAP"))
                put(w, "\n[ppp]\nrefuse-chap=true\nrefuse-mschap=true\nrefuse-mschapv2=true\n"
                       "refuse-eap=true\n");
        else if (odm_str_is(n->auth_type, "CHAP"))
                put(w, "\n[ppp]\nrefuse-pap=true\nrefuse-eap=true\n");
}

static void key_head(writer *w, const odm_nap *n, size_t ssid, size_t rank, const char *iface)
{
        static const char *const types[] = {"ethernet", "wifi", "gsm"};

        put(w, NETWORK_HEADER "\n[connection]\nid=xrem-");
        if (w->rc == 0)
                w->rc = network_text_name(n->name, w->b);
        if (ssid) {
                put(w, "+");
                put_number(w, ssid + 1);
        }
        put(w, "\ntype=");
        line(w, "", odm_cstr(types[n->bearer]));
        if (iface)
                key_line(w, "interface-name=", odm_cstr(iface));
        else if (n->bearer == ODM_BEARER_ETHERNET)
                key_line(w, "interface-name=", n->addr);
        put(w, "autoconnect-priority=");
        put_number(w, 900 - rank); /* before those of people, which have 0 */
        put(w, "\n");
}

/* IPv4 and IPv6 of a packet network are its context's. */
static bool wants(const odm_nap *n, const odm_nap_ip *ip, const char *other)
{
        return ip->used && !(n->bearer == ODM_BEARER_3GPPPS && odm_str_is(n->pdp, other));
}

int network_text_keyfile(const odm_nap *n, size_t ssid, size_t rank, const network_place *p,
                         odm_buf *b, const char **why)
{
        odm_nap_ip v4 = n->v4, v6 = n->v6;
        writer w = {.b = b};

        if (n->bearer == ODM_BEARER_WLAN && n->mode == ODM_WLAN_8021X && !p->ca) {
                *why = no_ca;
                return ODM_EUNSUPPORTED;
        }
        v4.used = wants(n, &v4, "IPv6");
        v6.used = wants(n, &v6, "IPv4");
        key_head(&w, n, ssid, rank, n->bearer == ODM_BEARER_WLAN ? p->wlan : NULL);
        switch (n->bearer) {
        case ODM_BEARER_ETHERNET: put(&w, "\n[ethernet]\n"); break;
        case ODM_BEARER_WLAN: key_wlan(&w, n, n->ssid[ssid], p); break;
        case ODM_BEARER_3GPPPS: key_gsm(&w, n); break;
        }
        key_ip(&w, "\n[ipv4]\n", &v4);
        key_ip(&w, "\n[ipv6]\n", &v6);
        return w.rc;
}

/* ---- a shell ------------------------------------------------------------------------------------------ */

/* nap_1_addr='eth0'; absent values are empty. */
static void assign(writer *w, size_t i, const char *key, odm_str v)
{
        put(w, "nap_");
        put_number(w, i + 1);
        put(w, "_");
        put(w, key);
        put(w, "='");
        for (size_t k = 0; k < v.n; k++) {
                if (v.p[k] == '\'')
                        put(w, "'\\''");
                else
                        put_str(w, (odm_str){v.p + k, 1});
        }
        put(w, "'\n");
}

static odm_str yes_no(bool b)
{
        return b ? ODM_STR("true") : ODM_STR("false");
}

static void assign_ip(writer *w, size_t i, bool six, const odm_nap_ip *ip)
{
        static const char *const keys[2][6] = {
                {"ipv4", "ipv4_addr", "ipv4_prefix", "ipv4_gateway", "ipv4_auto_dns", "ipv4_dns"},
                {"ipv6", "ipv6_addr", "ipv6_prefix", "ipv6_gateway", "ipv6_auto_dns", "ipv6_dns"}};
        char prefix[8] = "", dns[ODM_NAP_SERVERS * 64] = "";
        int at = 0;

        if (ip->used && !ip->automatic)
                snprintf(prefix, sizeof prefix, "%u", ip->prefix);
        for (size_t k = 0; k < ip->n_dns; k++)
                at += snprintf(dns + at, sizeof dns - (size_t)at, "%s%.*s", k ? " " : "",
                               (int)odm_str_to(ip->dns[k], 60).n, ip->dns[k].p);
        assign(w, i, keys[six][0],
               !ip->used       ? ODM_STR("none")
               : ip->automatic ? ODM_STR("auto")
                               : ODM_STR("static"));
        assign(w, i, keys[six][1], ip->addr);
        assign(w, i, keys[six][2], odm_cstr(prefix));
        assign(w, i, keys[six][3], ip->gateway);
        assign(w, i, keys[six][4], yes_no(ip->auto_dns));
        assign(w, i, keys[six][5], odm_cstr(dns));
}

static void assign_wlan(writer *w, size_t i, const odm_nap *n, const network_place *p)
{
        static const char *const modes[] = {"OPEN", "WPA", "WPA2-PSK", "802.1X"};
        static const char *const ssids[ODM_NAP_NAMES] = {"ssid", "ssid_2", "ssid_3", "ssid_4"};

        assign(w, i, "interface", odm_cstr(p->wlan));
        for (size_t k = 0; k < n->n_ssid; k++)
                assign(w, i, ssids[k], n->ssid[k]);
        assign(w, i, "security", odm_cstr(modes[n->mode]));
        assign(w, i, "key", n->key);
        assign(w, i, "hidden", yes_no(n->hidden));
}

int network_text_shell(const odm_nap *naps, size_t n, const network_place *p, odm_buf *b)
{
        writer w = {.b = b};

        put(&w, NETWORK_HEADER "nap_count=");
        put_number(&w, n);
        put(&w, "\n");
        for (size_t i = 0; i < n; i++) {
                put(&w, "\n");
                assign(&w, i, "uri", naps[i].uri);
                assign(&w, i, "name", naps[i].name);
                assign(&w, i, "bearer", odm_cstr(odm_bearer_name(naps[i].bearer)));
                assign(&w, i, "addr", naps[i].addr);
                if (naps[i].bearer == ODM_BEARER_ETHERNET)
                        assign(&w, i, "interface", naps[i].addr);
                if (naps[i].bearer == ODM_BEARER_WLAN)
                        assign_wlan(&w, i, &naps[i], p);
                if (naps[i].bearer == ODM_BEARER_3GPPPS)
                        assign(&w, i, "pdp", naps[i].pdp);
                assign(&w, i, "auth_type", naps[i].auth_type);
                assign(&w, i, "user", naps[i].user);
                assign(&w, i, "secret", naps[i].secret);
                assign_ip(&w, i, false, &naps[i].v4);
                assign_ip(&w, i, true, &naps[i].v6);
        }
        return w.rc;
}
