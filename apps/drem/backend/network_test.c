/* SPDX-License-Identifier: Apache-2.0 */
/* Access points in the words of others, by tables and, where they are here, by those others
 * themselves; which files come and go; which programs are told, and what becomes of one that
 * fails or hangs. */
#include "network.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fsio.h"
#include "support.h"

#define S(z)                     \
        {                        \
                z, sizeof(z) - 1 \
        }

static const odm_nap wired = {
        .uri = S("./NAP/e"),
        .name = S("e"),
        .bearer = ODM_BEARER_ETHERNET,
        .addr = S("eth0"),
        .v4 = {.used = true,
               .addr = S("10.0.0.2"),
               .prefix = 24,
               .gateway = S("10.0.0.1"),
               .dns = {S("9.9.9.9"), S("1.1.1.1")},
               .n_dns = 2},
};
static const odm_nap automatic = {
        .uri = S("./NAP/auto"),
        .name = S("auto"),
        .bearer = ODM_BEARER_ETHERNET,
        .addr = S("eth1"),
        .v4 = {.used = true, .automatic = true, .dns = {S("9.9.9.9")}, .n_dns = 1},
        .v6 = {.used = true, .automatic = true, .auto_dns = true},
};
static const odm_nap home = {
        .uri = S("./NAP/home"),
        .name = S("home"),
        .bearer = ODM_BEARER_WLAN,
        .addr = S("A \"b\" #1"),
        .ssid = {S("A \"b\" #1"), S("second")},
        .n_ssid = 2,
        .mode = ODM_WLAN_WPA2,
        .key = S("pass \"word\" \\ #"),
        .hidden = true,
        .v4 = {.used = true, .automatic = true, .auto_dns = true},
        .v6 = {.used = true, .automatic = true, .auto_dns = true},
};
static const odm_nap hexed = {
        .uri = S("./NAP/hex"),
        .name = S("hex"),
        .bearer = ODM_BEARER_WLAN,
        .addr = S("plain"),
        .ssid = {S("plain")},
        .n_ssid = 1,
        .mode = ODM_WLAN_WPA,
        .key = S("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
        .v4 = {.used = true, .automatic = true, .auto_dns = true},
};
static const odm_nap office = {
        .uri = S("./NAP/office"),
        .name = S("office"),
        .bearer = ODM_BEARER_WLAN,
        .addr = S("office"),
        .ssid = {S("office")},
        .n_ssid = 1,
        .mode = ODM_WLAN_8021X,
        .auth_type = S("EAP-PEAP"),
        .user = S("me"),
        .secret = S("it's"),
        .v4 = {.used = true, .automatic = true, .auto_dns = true},
};
static const odm_nap open_cafe = {
        .uri = S("./NAP/cafe"),
        .name = S("caf\xc3\xa9 1"),
        .bearer = ODM_BEARER_WLAN,
        .addr = S("cafe"),
        .ssid = {S("cafe")},
        .n_ssid = 1,
        .v6 = {.used = true, .addr = S("fd00::2"), .prefix = 64, .gateway = S("fd00::1")},
};
static const odm_nap modem = {
        .uri = S("./NAP/m2m"),
        .name = S("m2m"),
        .bearer = ODM_BEARER_3GPPPS,
        .addr = S("m2m.example"),
        .pdp = S("IPv4"),
        .auth_type = S("CHAP"),
        .user = S(" u\\x"),
        .secret = S("p'w"),
        .v4 = {.used = true, .automatic = true, .auto_dns = true},
        .v6 = {.used = true, .automatic = true, .auto_dns = true},
};

static const network_place place = {.wlan = "wlan0", .ca = "/etc/ca.pem"};
static const network_place bare = {.wlan = "wlan0"};

/* ---- texts ---------------------------------------------------------------------------------- */

enum { NETWORKD, WPA, KEYFILE, KEYFILE_2, SHELL };

static int text_of(int kind, const odm_nap *n, const network_place *p, odm_buf *b, const char **why)
{
        switch (kind) {
        case NETWORKD: return network_text_networkd(n, p, b, why);
        case WPA: return network_text_wpa(n, 1, p, b, why);
        case KEYFILE: return network_text_keyfile(n, 0, 0, p, b, why);
        case KEYFILE_2: return network_text_keyfile(n, 1, 3, p, b, why);
        default: return network_text_shell(n, 1, p, b);
        }
}

static const struct text_row {
        const char *why;
        int kind;
        const odm_nap *nap;
        const network_place *place;
        int rc;
        const char *want; /* after the header */
} texts[] = {
        {"static", NETWORKD, &wired, &place, 0,
         "\n[Match]\nName=eth0\n\n[Network]\nDHCP=no\nIPv6AcceptRA=no\nLinkLocalAddressing=no\n"
         "Address=10.0.0.2/24\nGateway=10.0.0.1\nDNS=9.9.9.9\nDNS=1.1.1.1\n"},
        {"automatic, names by ourselves", NETWORKD, &automatic, &place, 0,
         "\n[Match]\nName=eth1\n\n[Network]\nDHCP=yes\nIPv6AcceptRA=yes\nDNS=9.9.9.9\n"
         "\n[DHCPv4]\nUseDNS=no\n"},
        {"a name that would be a pattern", NETWORKD, &home, &place, 0,
         "\n[Match]\nName=wlan0\n\n[Network]\nDHCP=yes\nIPv6AcceptRA=yes\n"},
        {"static IPv6 of one network", NETWORKD, &open_cafe, &place, 0,
         "\n[Match]\nName=wlan0\nSSID=cafe\n\n[Network]\nDHCP=no\nIPv6AcceptRA=no\n"
         "Address=fd00::2/64\nGateway=fd00::1\n"},
        {"no modems there", NETWORKD, &modem, &place, ODM_EUNSUPPORTED, NULL},
        {"names in hexadecimal, a key with quotes", WPA, &home, &place, 0,
         "\nnetwork={\n\tssid=412022622220233"
         "1\n\tscan_ssid=1\n\tpriority=1\n\tproto=RSN\n\tkey_mgmt=WPA-PSK\n"
         "\tpsk=\"pass \"word\" \\ #\"\n}\n"
         "\nnetwork={\n\tssid=7365636f6e64\n\tscan_ssid=1\n\tpriority=1\n\tproto=RSN\n"
         "\tkey_mgmt=WPA-PSK\n\tpsk=\"pass \"word\" \\ #\"\n}\n"},
        {"a key in digits", WPA, &hexed, &place, 0,
         "\nnetwork={\n\tssid=706c61696e\n\tpriority=1\n\tproto=WPA\n\tkey_mgmt=WPA-PSK\n"
         "\tpsk=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n}\n"},
        {"802.1X", WPA, &office, &place, 0,
         "\nnetwork={\n\tssid=6f6666696365\n\tpriority=1\n\tkey_mgmt=WPA-EAP\n\teap=PEAP\n"
         "\tidentity=6d65\n\tpassword=69742773\n\tphase2=\"auth=MSCHAPV2\"\n"
         "\tca_cert=\"/etc/ca.pem\"\n}\n"},
        {"802.1X with nobody to trust", WPA, &office, &bare, ODM_EUNSUPPORTED, NULL},
        {"open", WPA, &open_cafe, &bare, 0,
         "\nnetwork={\n\tssid=63616665\n\tpriority=1\n\tkey_mgmt=NONE\n}\n"},
        {"no radio", WPA, &wired, &place, 0, ""},
        {"static", KEYFILE, &wired, &place, 0,
         "\n[connection]\nid=xrem-e\ntype=ethernet\ninterface-name=eth0\nautoconnect-priority=900\n"
         "\n[ethernet]\n\n[ipv4]\nmethod=manual\naddress1=10.0.0.2/24,10.0.0.1\n"
         "dns=9.9.9.9;1.1.1.1;\n\n[ipv6]\nmethod=disabled\n"},
        {"automatic, names by ourselves", KEYFILE, &automatic, &place, 0,
         "\n[connection]\nid=xrem-auto\ntype=ethernet\ninterface-name=eth1\n"
         "autoconnect-priority=900\n\n[ethernet]\n\n[ipv4]\nmethod=auto\ndns=9.9.9.9;\n"
         "ignore-auto-dns=true\n\n[ipv6]\nmethod=auto\n"},
        {"a radio", KEYFILE, &home, &place, 0,
         "\n[connection]\nid=xrem-home\ntype=wifi\ninterface-name=wlan0\n"
         "autoconnect-priority=900\n\n[wifi]\nmode=infrastructure\n"
         "ssid=65;32;34;98;34;32;35;49;\nhidden=true\n\n[wifi-security]\nkey-mgmt=wpa-psk\n"
         "proto=rsn;\npsk=pass \"word\" \\\\ #\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n"},
        {"its second name", KEYFILE_2, &home, &place, 0,
         "\n[connection]\nid=xrem-home+2\ntype=wifi\ninterface-name=wlan0\n"
         "autoconnect-priority=897\n\n[wifi]\nmode=infrastructure\n"
         "ssid=115;101;99;111;110;100;\nhidden=true\n\n[wifi-security]\nkey-mgmt=wpa-psk\n"
         "proto=rsn;\npsk=pass \"word\" \\\\ #\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n"},
        {"802.1X", KEYFILE, &office, &place, 0,
         "\n[connection]\nid=xrem-office\ntype=wifi\ninterface-name=wlan0\n"
         "autoconnect-priority=900\n\n[wifi]\nmode=infrastructure\n"
         "ssid=111;102;102;105;99;101;\n\n[wifi-security]\nkey-mgmt=wpa-eap\n\n[802-1x]\n"
         "eap=peap;\nidentity=me\npassword=it's\nphase2-auth=mschapv2\nca-cert=/etc/ca.pem\n"
         "\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=disabled\n"},
        {"802.1X with nobody to trust", KEYFILE, &office, &bare, ODM_EUNSUPPORTED, NULL},
        {"a modem", KEYFILE, &modem, &place, 0,
         "\n[connection]\nid=xrem-m2m\ntype=gsm\nautoconnect-priority=900\n\n[gsm]\n"
         "apn=m2m.example\nusername=\\su\\\\x\npassword=p'w\n\n[ppp]\nrefuse-pap=true\n"
         "refuse-eap=true\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=disabled\n"},
        {"for a shell", SHELL, &modem, &place, 0,
         "nap_count=1\n\nnap_1_uri='./NAP/m2m'\nnap_1_name='m2m'\nnap_1_bearer='3GPPPS'\n"
         "nap_1_addr='m2m.example'\nnap_1_pdp='IPv4'\nnap_1_auth_type='CHAP'\n"
         "nap_1_user=' u\\x'\nnap_1_secret='p'\\''w'\nnap_1_ipv4='auto'\nnap_1_ipv4_addr=''\n"
         "nap_1_ipv4_prefix=''\nnap_1_ipv4_gateway=''\nnap_1_ipv4_auto_dns='true'\n"
         "nap_1_ipv4_dns=''\nnap_1_ipv6='auto'\nnap_1_ipv6_addr=''\nnap_1_ipv6_prefix=''\n"
         "nap_1_ipv6_gateway=''\nnap_1_ipv6_auto_dns='true'\nnap_1_ipv6_dns=''\n"},
};

static void texts_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(texts); i++) {
                const struct text_row *r = &texts[i];
                const char *why = NULL;
                odm_buf b;
                odm_buf_init(&b, &heap, 65536);
                int rc = text_of(r->kind, r->nap, r->place, &b, &why);
                if (rc != r->rc || (rc < 0) != (why != NULL))
                        fail_msg("%s: %s", r->why, odm_err_name(rc));
                if (rc == 0) {
                        odm_str got = odm_buf_view(&b);
                        assert_true(odm_str_starts(got, NETWORK_HEADER));
                        assert_str(odm_str_from(got, strlen(NETWORK_HEADER)), r->want);
                }
                odm_buf_done(&b);
        }
}

static void a_small_buffer_is_told(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(texts); i++) {
                const struct text_row *r = &texts[i];
                for (size_t room = 0; r->rc == 0 && room < 90; room += 7) {
                        const char *why = NULL;
                        odm_buf b;
                        odm_buf_init(&b, &heap, room);
                        if (r->want[0])
                                assert_int_equal(text_of(r->kind, r->nap, r->place, &b, &why),
                                                 ODM_ELIMIT);
                        odm_buf_done(&b);
                }
        }
}

static void names_are_told_apart(void **state)
{
        static const char *const rows[][2] = {
                {"m2m", "m2m"}, {"a_b", "a_5fb"}, {"a+2", "a_2b2"}, {"\xc3\xa9", "_c3_a9"}};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_buf b;
                odm_buf_init(&b, &heap, 100);
                assert_int_equal(network_text_name(odm_cstr(rows[i][0]), &b), 0);
                assert_str(odm_buf_view(&b), rows[i][1]);
                odm_buf_done(&b);
        }
}

/* ---- a world: folders, and programs that write down what they are told ------------------------- */

static char world[64], files[96], wpa[96], calls[96];
static loop *l;
static network *net;
static char ended[600]; /* "good", or why not */

static void write_file(const char *path, const char *text, mode_t mode)
{
        assert_int_equal(fsio_write(NULL, path, odm_cstr(text), mode, NULL), 0);
}

static void fake(const char *name, const char *body)
{
        char path[160], text[400];

        snprintf(path, sizeof path, "%s/bin/%s", world, name);
        snprintf(text, sizeof text, "#!/bin/sh\necho \"${0##*/} $*\" >>%s\n%s\n", calls, body);
        write_file(path, text, 0755);
}

static int open_world(void **state)
{
        static char old[4096];
        char path[4200];

        (void)state;
        snprintf(world, sizeof world, "/tmp/network_test-XXXXXX");
        assert_non_null(mkdtemp(world));
        snprintf(files, sizeof files, "%s/files", world);
        snprintf(wpa, sizeof wpa, "%s/wpa", world);
        snprintf(calls, sizeof calls, "%s/calls", world);
        snprintf(path, sizeof path, "%s/bin", world);
        assert_int_equal(fsio_mkdir(path, 0755, NULL), 0);
        assert_int_equal(fsio_mkdir(files, 0755, NULL), 0);
        assert_int_equal(fsio_mkdir(wpa, 0755, NULL), 0);
        if (!old[0])
                snprintf(old, sizeof old, "%s", getenv("PATH"));
        snprintf(path, sizeof path, "%s/bin:%s", world, old);
        setenv("PATH", path, 1);
        fake("networkctl", "");
        fake("systemctl", "");
        fake("nmcli", "");
        fake("apply", "");
        assert_int_equal(loop_new(&l), 0);
        return 0;
}

static int close_world(void **state)
{
        char command[160];

        (void)state;
        network_close(net);
        net = NULL;
        loop_free(l);
        snprintf(command, sizeof command, "rm -rf '%s'", world);
        return system(command);
}

static void on_done(void *ctx, const char *why)
{
        (void)ctx;
        snprintf(ended, sizeof ended, "%s", why ? why : "good");
        loop_stop(l);
}

static void open_net(network_kind kind, const char *command, int64_t ms)
{
        const network_opt o = {.loop = l,
                               .kind = kind,
                               .folder = files,
                               .wpa_folder = wpa,
                               .place = place,
                               .command = command,
                               .command_ms = ms};

        assert_int_equal(network_open(&o, &net), 0);
}

/* Applies, and says which programs were called: a line each. */
static const char *apply(const odm_nap *naps, size_t n, network_cause cause)
{
        static char text[2000];
        odm_buf b;

        (void)unlink(calls);
        ended[0] = 0;
        network_apply(net, naps, n, cause, on_done, NULL);
        assert_true(network_busy(net));
        assert_int_equal(ended[0], 0);
        assert_int_equal(loop_run(l), 0);
        assert_false(network_busy(net));
        odm_buf_init(&b, &heap, sizeof text - 1);
        text[0] = 0;
        if (fsio_read(calls, sizeof text - 1, &b, NULL) == 0)
                snprintf(text, sizeof text, "%.*s", (int)b.n, b.n ? b.p : "");
        odm_buf_done(&b);
        return text;
}

static mode_t mode_of(const char *folder, const char *name) /* 0: it is not there */
{
        char path[200];
        struct stat st;

        snprintf(path, sizeof path, "%s/%s", folder, name);
        return stat(path, &st) == 0 ? st.st_mode & 0777 : 0;
}

static void files_come_and_go_for_networkd(void **state)
{
        const odm_nap two[] = {wired, open_cafe};
        char foreign[200];

        (void)state;
        open_net(NETWORK_NETWORKD, NULL, 5000);
        snprintf(foreign, sizeof foreign, "%s/10-xrem-mine.network", files);
        write_file(foreign, "[Match]\nName=eth9\n", 0644);
        assert_string_equal(apply(two, 1, NETWORK_TRIAL), "networkctl reload\n");
        assert_string_equal(ended, "good");
        assert_int_equal(mode_of(files, "10-xrem-e.network"), 0644);
        assert_string_equal(apply(two, 1, NETWORK_START), ""); /* all is as it was */
        assert_string_equal(apply(two, 1, NETWORK_TRIAL), "networkctl reload\n");
        assert_string_equal(apply(two, 2, NETWORK_START),
                            "networkctl reload\nsystemctl restart dremd-wpa@wlan0.service\n");
        assert_int_equal(mode_of(files, "10-xrem-caf_c3_a9_201.network"), 0644);
        assert_int_equal(mode_of(wpa, "xrem-wlan0.conf"), 0600);
        assert_string_equal(apply(two, 2, NETWORK_START),
                            "systemctl start dremd-wpa@wlan0.service\n");
        assert_string_equal(apply(&two[1], 1, NETWORK_BACK),
                            "networkctl reload\nsystemctl restart dremd-wpa@wlan0.service\n");
        assert_int_equal(mode_of(files, "10-xrem-e.network"), 0);
        assert_string_equal(apply(NULL, 0, NETWORK_TRIAL),
                            "networkctl reload\nsystemctl stop dremd-wpa@wlan0.service\n");
        assert_int_equal(mode_of(wpa, "xrem-wlan0.conf"), 0);
        assert_int_equal(mode_of(files, "10-xrem-mine.network"), 0644); /* not ours */
}

static void a_file_of_others_is_left_alone(void **state)
{
        char foreign[200];

        (void)state;
        open_net(NETWORK_NETWORKD, NULL, 5000);
        snprintf(foreign, sizeof foreign, "%s/10-xrem-e.network", files);
        write_file(foreign, "[Match]\nName=eth9\n", 0640);
        assert_string_equal(apply(&wired, 1, NETWORK_TRIAL), "");
        assert_non_null(strstr(ended, "is not ours"));
        assert_int_equal(mode_of(files, "10-xrem-e.network"), 0640);
}

static void connections_come_and_go_for_the_manager(void **state)
{
        const odm_nap all[] = {wired, home, open_cafe, modem};

        (void)state;
        open_net(NETWORK_MANAGER, NULL, 5000);
        assert_string_equal(apply(all, 4, NETWORK_TRIAL),
                            "nmcli connection reload\nnmcli connection up id xrem-e\n"
                            "nmcli connection up id xrem-home\nnmcli connection up id xrem-m2m\n");
        assert_string_equal(ended, "good");
        assert_int_equal(mode_of(files, "xrem-home.nmconnection"), 0600);
        assert_int_equal(mode_of(files, "xrem-home+2.nmconnection"), 0600);
        assert_int_equal(mode_of(files, "xrem-m2m.nmconnection"), 0600);
        assert_string_equal(apply(all, 4, NETWORK_START), "");
        assert_string_equal(apply(all, 1, NETWORK_START), "nmcli connection reload\n");
        assert_int_equal(mode_of(files, "xrem-home+2.nmconnection"), 0);
        assert_int_equal(mode_of(files, "xrem-e.nmconnection"), 0600);
}

static void a_program_is_told_with_a_file(void **state)
{
        char want[200];

        (void)state;
        open_net(NETWORK_EXEC, "apply", 5000);
        snprintf(want, sizeof want, "apply apply %s/settings\n", files);
        assert_string_equal(apply(&wired, 1, NETWORK_START), want);
        assert_string_equal(apply(&wired, 1, NETWORK_TRIAL), want);
        assert_int_equal(mode_of(files, "settings"), 0600);
        snprintf(want, sizeof want, "apply revert %s/settings\n", files);
        assert_string_equal(apply(&wired, 1, NETWORK_BACK), want);
}

static void a_shell_reads_what_we_write(void **state)
{
        static const odm_nap odd = {.uri = S("./NAP/o"),
                                    .name = S("o"),
                                    .bearer = ODM_BEARER_3GPPPS,
                                    .addr = S("'; touch evil; '$(touch evil)`touch evil`\\'\""),
                                    .pdp = S("IPv4")};

        (void)state;
        open_net(NETWORK_EXEC, "apply", 5000);
        fake("apply", ". \"$2\"; printf '%s\\n' \"$nap_1_addr\"; exit 1");
        (void)apply(&odd, 1, NETWORK_TRIAL);
        assert_non_null(strstr(ended, "'; touch evil; '$(touch evil)`touch evil`\\'\""));
        assert_int_equal(access("evil", F_OK), -1);
}

static void failures_are_told(void **state)
{
        static const struct {
                const char *why, *body, *want;
        } rows[] = {
                {"its last line", "echo one; echo 'no such device'; exit 3",
                 "nmcli connection: no such device (3)"},
                {"silent", "exit 1", "nmcli connection: it failed (1)"},
                {"killed", "kill -9 $$", "nmcli connection: it failed (137)"},
                {"it hangs", "exec sleep 30", "nmcli connection took too long"},
        };

        (void)state;
        open_net(NETWORK_MANAGER, NULL, 300);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                fake("nmcli", rows[i].body);
                (void)apply(&wired, 1, NETWORK_TRIAL);
                if (strcmp(ended, rows[i].want) != 0)
                        fail_msg("%s: '%s'", rows[i].why, ended);
        }
        network_close(net);
        open_net(NETWORK_EXEC, "/nonexistent/program", 5000);
        (void)apply(&wired, 1, NETWORK_TRIAL);
        assert_string_not_equal(ended, "good");
        network_close(net);
        open_net(NETWORK_NETWORKD, NULL, 5000);
        assert_string_equal(apply(&modem, 1, NETWORK_TRIAL), "");
        assert_string_equal(ended, "./NAP/m2m: systemd-networkd has no modems");
}

static void another_one_ends_what_is_under_way(void **state)
{
        (void)state;
        open_net(NETWORK_MANAGER, NULL, 20000);
        fake("nmcli", "exec sleep 30");
        network_apply(net, &wired, 1, NETWORK_TRIAL, on_done, NULL);
        for (int i = 0; i < 1000 && access(calls, F_OK) != 0; i++)
                assert_int_equal(loop_once(l, 10), 0);
        assert_int_equal(access(calls, F_OK), 0);
        fake("nmcli", "");
        assert_string_equal(apply(&wired, 1, NETWORK_BACK),
                            "nmcli connection reload\nnmcli connection up id xrem-e\n");
        assert_string_equal(ended, "good");
}

/* ---- the others themselves --------------------------------------------------------------------- */

static bool is_here(const char *name)
{
        char command[100];

        snprintf(command, sizeof command, "command -v %s >/dev/null", name);
        return system(command) == 0;
}

static void make_text(int kind, const odm_nap *n, const char *path)
{
        const char *why;
        odm_buf b;

        odm_buf_init(&b, &heap, 65536);
        assert_int_equal(text_of(kind, n, &place, &b, &why), 0);
        assert_int_equal(fsio_write(NULL, path, odm_buf_view(&b), 0600, NULL), 0);
        odm_buf_done(&b);
}

/* It reads its file before it looks for the interface, of which there is none. */
static void wpa_supplicant_reads_it(void **state)
{
        static const odm_nap *const naps[] = {&home, &hexed, &office, &open_cafe};
        char command[400], path[200];

        (void)state;
        if (!is_here("wpa_supplicant")) {
                print_message("# SKIP wpa_supplicant is not installed\n");
                return;
        }
        for (size_t i = 0; i < ODM_COUNT(naps); i++) {
                snprintf(path, sizeof path, "%s/wpa.conf", world);
                make_text(WPA, naps[i], path);
                snprintf(command, sizeof command,
                         "! wpa_supplicant -Dwired -inone%d -c%s 2>&1 | "
                         "grep -qE 'Failed to (read|parse)|Line [0-9]+|invalid'",
                         (int)i, path);
                if (system(command) != 0)
                        fail_msg("wpa_supplicant refuses %s", naps[i]->uri.p);
        }
        write_file(path, "network={\n\tssid=zz\n}\n", 0600);
        assert_int_not_equal(system(command), 0); /* it does look */
}

static void the_manager_reads_it(void **state)
{
        static const odm_nap *const naps[] = {&wired,  &automatic, &home,
                                              &office, &open_cafe, &modem};
        char command[400], path[200];

        (void)state;
        if (access("/usr/bin/nmcli", X_OK) != 0) {
                print_message("# SKIP nmcli is not installed\n");
                return;
        }
        for (size_t i = 0; i < ODM_COUNT(naps); i++) {
                snprintf(path, sizeof path, "%s/keyfile", world);
                make_text(KEYFILE, naps[i], path);
                snprintf(command, sizeof command,
                         "/usr/bin/nmcli --offline connection modify connection.autoconnect yes "
                         "<%s >%s/back",
                         path, world);
                if (system(command) != 0)
                        fail_msg("nmcli refuses %s", naps[i]->uri.p);
        }
        write_file(path, "[connection]\nid=x\ntype=ethernet\n[ipv4]\nmethod=sometimes\n", 0600);
        assert_int_not_equal(system(command), 0);
}

/* It runs in a network and on mounts of its own; /sys is read-only, so that it does not wait for
 * udev.  Then the interface is as the file says, and it had nothing to say against any of them. */
static void networkd_does_as_it_says(void **state)
{
        static const odm_nap *const naps[] = {&wired, &automatic, &home, &open_cafe};
        static const char script[] =
                "cd %s && ip link add eth0 type veth peer name other && ip link set other up && "
                "mount --make-rprivate / && mount -t tmpfs run /run && "
                "mount --bind files /etc/systemd/network && mount -t sysfs -o ro sys /sys && "
                "mkdir -p /run/systemd/netif/links /run/systemd/netif/leases "
                "/run/systemd/netif/lldp && chown -R systemd-network /run/systemd/netif || exit "
                "77\n"
                "SYSTEMD_LOG_LEVEL=debug /lib/systemd/systemd-networkd >log 2>&1 & pid=$!\n"
                "for i in $(seq 100); do ip route | grep -q default && break; sleep 0.1; done\n"
                "kill $pid; wait $pid; ip -o addr show eth0 >shown; ip route >>shown\n"
                "! grep -E 'network:[0-9]+: ' log";
        char command[1200], path[200];

        (void)state;
        if (geteuid() != 0 || access("/lib/systemd/systemd-networkd", X_OK) != 0 ||
            system("unshare -n -m ip link >/dev/null 2>&1") != 0) {
                print_message("# SKIP no systemd-networkd, or no namespaces for it\n");
                return;
        }
        for (size_t i = 0; i < ODM_COUNT(naps); i++) {
                snprintf(path, sizeof path, "%s/10-xrem-%zu.network", files, i);
                make_text(NETWORKD, naps[i], path);
                assert_int_equal(chmod(path, 0644), 0);
        }
        assert_int_equal(chmod(world, 0755), 0);
        snprintf(command, sizeof command, script, world);
        snprintf(path, sizeof path, "%s/script", world);
        write_file(path, command, 0755);
        snprintf(command, sizeof command, "unshare -n -m sh %s/script", world);
        int rc = system(command);
        if (WEXITSTATUS(rc) == 77) {
                print_message("# SKIP no mounts in a namespace\n");
                return;
        }
        assert_int_equal(rc, 0);
        snprintf(command, sizeof command,
                 "grep -q '10.0.0.2/24' %s/shown && grep -q 'default via 10.0.0.1' %s/shown", world,
                 world);
        assert_int_equal(system(command), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(texts_as_the_table_says),
                cmocka_unit_test(a_small_buffer_is_told),
                cmocka_unit_test(names_are_told_apart),
                TEST(files_come_and_go_for_networkd),
                TEST(a_file_of_others_is_left_alone),
                TEST(connections_come_and_go_for_the_manager),
                TEST(a_program_is_told_with_a_file),
                TEST(a_shell_reads_what_we_write),
                TEST(failures_are_told),
                TEST(another_one_ends_what_is_under_way),
                TEST(networkd_does_as_it_says),
                TEST(wpa_supplicant_reads_it),
                TEST(the_manager_reads_it),
        };

        return RUN_TESTS(tests);
}
