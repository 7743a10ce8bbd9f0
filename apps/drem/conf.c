/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - the table of settings; see conf.h. */
#include "conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "net.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * (int64_t)HOUR)
#define KIB 1024
#define MIB (1024 * KIB)

static const char *const auth_words[] = {"none", "basic", "digest", "hmac", NULL};
static const odm_auth_type auth_types[] = {ODM_AUTH_NONE, ODM_AUTH_BASIC, ODM_AUTH_MD5,
                                           ODM_AUTH_MAC};
static const char *const codec_words[] = {"wbxml", "xml", NULL};
static const char *const installer_words[] = {"none", "slots", "exec", "rauc", "swupdate", NULL};
static const char *const dpkg_words[] = {"own", "all", NULL};
static const char *const plain_words[] = {"no", "loopback", "yes", NULL};
static const char *const network_words[] = {"none", "networkd", "networkmanager", "exec", NULL};
static const char *const bearer_words[] = {"ETHERNET", "WLAN", "3GPPPS", NULL};
static const char *const wlan_words[] = {"OPEN", "WPA", "WPA2-PSK", "802.1X", NULL};

const cfg_key conf_keys[] = {
        {"agent.state", CFG_PATH, "/var/lib/dremd",
         "Folder of everything the agent keeps: the tree with its accounts, alerts not yet sent,\n"
         "the control socket."},
        {"agent.stop_time", CFG_DURATION, "10s",
         "How long a running session may go on after SIGTERM.", 0, 10 * MINUTE},
        {"agent.pid_file", CFG_PATH, NULL, "Where the process number is written; none if not set."},

        {"device.id", CFG_STRING, NULL,
         "DevId, a URN that no other device has. Default: urn:uuid: and a digest of this "
         "machine's\n"
         "id."},
        {"device.maker", CFG_STRING, NULL, "Man. Default: what the firmware says."},
        {"device.model", CFG_STRING, NULL, "Mod. Default: what the firmware says."},
        {"device.type", CFG_STRING, "computer", "DevTyp, such as gateway or meter."},
        {"device.oem", CFG_STRING, "", "OEM."},
        {"device.firmware", CFG_STRING, NULL, "FwV. Default: name and version of the system."},
        {"device.hardware", CFG_STRING, NULL, "HwV. Default: what the firmware says."},
        {"device.language", CFG_STRING, "en", "Lang, a language tag."},

        {"account.server_id", CFG_STRING, NULL,
         "Server Identifier of the server that manages this device. This whole section is read\n"
         "when there is no account yet, and by dremd --reset-account; afterwards the tree holds\n"
         "the account, and the server can change it."},
        {"account.name", CFG_STRING, "", "What people call the account."},
        {"account.url", CFG_STRING, NULL,
         "Where the server listens, such as https://dm.example/dm"},
        {"account.auth", CFG_ENUM, "digest", "How the device proves itself.",
         .choices = auth_words},
        {"account.user", CFG_STRING, NULL, "Its name there."},
        {"account.password", CFG_STRING, NULL, "Its password."},
        {"account.password_file", CFG_PATH, NULL, "File whose first line is its password."},
        {"account.server_auth", CFG_ENUM, "digest",
         "How the server proves itself. none leaves it to TLS.", .choices = auth_words},
        {"account.server_user", CFG_STRING, NULL, "Its name. Default: account.server_id."},
        {"account.server_password", CFG_STRING, NULL, "Its password; wake-ups are signed with it."},
        {"account.server_password_file", CFG_PATH, NULL, "File whose first line is its password."},

        {"bootstrap.network_key", CFG_STRING, NULL,
         "What the network knows of this device, such as the IMSI: proves bootstrap messages of\n"
         "kind NETWORKID or NETWPIN. Read by dremd --bootstrap."},
        {"bootstrap.network_key_file", CFG_PATH, NULL, "File whose first line is that."},

        {"session.on_start", CFG_BOOL, "yes", "Whether the agent calls when it starts."},
        {"session.start_jitter", CFG_DURATION, "0s",
         "It waits a random part of this before; for fleets that get their power back at once.", 0,
         DAY},
        {"session.interval", CFG_DURATION, "1h",
         "Time between sessions, at first; then ./Vendor/xrem/Config/Interval holds it. 0 for\n"
         "never.",
         0, 365 * DAY},
        {"session.retry_min", CFG_DURATION, "10s",
         "Wait after a session that failed; doubles each time, and a random part is taken off.",
         100, DAY},
        {"session.retry_max", CFG_DURATION, "1h",
         "Longest such wait. While another server can be reached, the interval is as well.", 100,
         30 * DAY},
        {"session.codec", CFG_ENUM, "wbxml", "Form of messages.", .choices = codec_words},
        {"session.dm13", CFG_BOOL, "no", "Whether to offer DM 1.3 before 1.2."},
        {"session.dm11", CFG_BOOL, "no", "Whether a server may speak DM/1.1; else it hears 513."},
        {"session.basic", CFG_BOOL, "no",
         "Whether a server that asks for it is shown the password itself where account.auth is\n"
         "another one. Over TLS only; else the session ends."},
        {"session.max_message", CFG_SIZE, "64k", "Largest message taken.", 2 * KIB, 16 * MIB},
        {"session.max_object", CFG_SIZE, "16M", "Largest object taken.", 16 * KIB, 256 * MIB},
        {"session.reply_time", CFG_DURATION, "60s", "How long a reply may take.", SECOND, HOUR},

        {"transport.ca_file", CFG_PATH, NULL,
         "Certificates to trust, PEM. Default: those of the system. Servers are always verified."},
        {"transport.cert_file", CFG_PATH, NULL, "Certificate of the device, PEM, if it has one."},
        {"transport.key_file", CFG_PATH, NULL, "Its key. Default: in transport.cert_file."},
        {"transport.crl_file", CFG_PATH, NULL, "List of revoked certificates, PEM."},
        {"transport.plain_http", CFG_ENUM, "loopback",
         "Where http without TLS may go: nowhere, to servers on this machine, anywhere.",
         .choices = plain_words},
        {"transport.proxy", CFG_STRING, NULL, "HTTP proxy, http://host:port."},
        {"transport.proxy_authorization", CFG_STRING, NULL,
         "Value of Proxy-Authorization, such as Basic and base64 of user:password."},
        {"transport.gzip", CFG_BOOL, "no",
         "Whether to compress what is sent; the server must know how to read it."},
        {"transport.connect_time", CFG_DURATION, "20s", "How long a connection may take to stand.",
         SECOND, HOUR},

        {"firmware.installer", CFG_ENUM, "none",
         "What installs new firmware: nothing, two slots for images, a program of the device's "
         "maker,\n"
         "RAUC or SWUpdate. With none there is no ./FUMO.",
         .choices = installer_words},
        {"firmware.keys", CFG_PATH, NULL,
         "Folder of trusted keys: NAME.pub (Ed25519, PEM) and NAME.ca (certificates, PEM). "
         "Without\n"
         "one no package is accepted."},
        {"firmware.slots", CFG_PATH, "/var/lib/dremd/slots", "Folder of the two images."},
        {"firmware.command", CFG_PATH, NULL,
         "exec: the installer. Else: the check that a new image must pass after the restart; with\n"
         "slots it is given the image's path."},
        {"firmware.command_time", CFG_DURATION, "30m",
         "How long the command may take; then it is ended and counts as failed.", 1000, DAY},
        {"firmware.restart", CFG_STRING, NULL,
         "Command that starts the device again, such as systemctl reboot. Default: dremd starts\n"
         "itself again."},
        {"firmware.max_size", CFG_SIZE, "1G", "Largest package taken.", KIB, 4095 * (int64_t)MIB},
        {"firmware.tries", CFG_INT, "5", "Tries of a download.", 1, 1000},
        {"firmware.retry_wait", CFG_DURATION, "2m", "Wait between two of them.", 0, DAY},
        {"firmware.download_time", CFG_DURATION, "1d",
         "How long all tries together may take; 0 for ever. Another order goes on where it was.", 0,
         365 * DAY},
        {"firmware.ask", CFG_DURATION, "0s",
         "How often the device asks the server for new firmware; 0 for never.", 0, 365 * DAY},
        {"firmware.arguments", CFG_STRING, NULL,
         "More arguments for swupdate, such as --select stable,copy2."},
        {"firmware.fetch", CFG_PATH, XREM_LIBEXEC "/dremd-fetch", "The program that downloads."},
        {"firmware.patch", CFG_PATH, XREM_LIBEXEC "/dremd-patch",
         "The program that makes images of patches."},
        {"firmware.adapters", CFG_PATH, XREM_LIBEXEC,
         "Folder of the programs that drive rauc and swupdate."},

        {"diag.enabled", CFG_BOOL, "yes", "Whether there is ./DiagMon."},
        {"diag.root", CFG_PATH, NULL,
         "Folder below which /proc and /sys of the machine are, in a container that is to tell of\n"
         "the machine it runs on. Default: our own."},
        {"diag.samples", CFG_SIZE, "256k",
         "Most that samples may take which no server has taken yet; then the oldest go.", 16 * KIB,
         64 * MIB},
        {"diag.latitude", CFG_STRING, NULL,
         "Where the device is, in degrees, north of the equator, such as 46.947222."},
        {"diag.longitude", CFG_STRING, NULL, "The same, east of Greenwich."},
        {"diag.altitude", CFG_STRING, NULL, "Its height in metres, a whole number."},
        {"diag.radius", CFG_INT, NULL, "How many metres all that may be off.", 0, 1000000},
        {"check *.command", CFG_STRING, NULL,
         "A check of the self-test, run by the shell. 0: good; 126, 127: it cannot be run; else "
         "it\n"
         "failed. The first line that it says is told."},
        {"check *.time", CFG_DURATION, "1m",
         "How long it may take; then it is ended and has failed.", 100, HOUR},

        {"integrity.components", CFG_PATH, NULL,
         "Folder of deployed components with a manifest NAME.sha256 beside each NAME; they are\n"
         "compared at each start. Default: that of software.archive, if set."},

        {"network.backend", CFG_ENUM, "none",
         "What makes connections of this machine: nothing dremd may touch, systemd-networkd (with\n"
         "wpa_supplicant for WLAN), NetworkManager, or a program of the device's maker. With none\n"
         "there is no ./NAP and no ./Proxy.",
         .choices = network_words},
        {"network.ethernet", CFG_LIST, NULL,
         "Interfaces that access points of ETHERNET may be for; without one there are none."},
        {"network.wlan", CFG_STRING, NULL,
         "Interface of access points of WLAN; without it there are none."},
        {"network.wlan_ca", CFG_PATH, NULL,
         "Certificates that the servers of 802.1X networks must descend from, PEM. Without it no\n"
         "such network is used."},
        {"network.modem", CFG_BOOL, "no",
         "Whether there are access points of 3GPPPS; not with networkd."},
        {"network.folder", CFG_PATH, NULL,
         "Where the back end reads its files. Default: /etc/systemd/network, or\n"
         "/etc/NetworkManager/system-connections."},
        {"network.wpa_folder", CFG_PATH, "/etc/wpa_supplicant",
         "networkd: where the configuration of wpa_supplicant is put."},
        {"network.command", CFG_PATH, NULL,
         "exec: the program. It is called with apply or revert, and a file of assignments to be\n"
         "read by a shell."},
        {"network.command_time", CFG_DURATION, "1m", "How long each program may take.", 100, HOUR},
        {"network.tries", CFG_INT, "3",
         "Sessions that may fail with new settings before the old ones come back.", 1, 100},
        {"network.settle_time", CFG_DURATION, "5s",
         "Wait before the first of them, until interfaces have their new addresses: a server that\n"
         "is reached before proves nothing.",
         0, HOUR},
        {"network.retry_wait", CFG_DURATION, "30s", "Wait between two of them.", 100, HOUR},
        {"network.trial_time", CFG_DURATION, "5m",
         "The old settings come back after this time at the latest.", SECOND, DAY},
        {"nap *.bearer", CFG_ENUM, "ETHERNET",
         "Access point ./NAP/NAME, made when dremd keeps nothing yet: ETHERNET, WLAN or 3GPPPS.",
         .choices = bearer_words},
        {"nap *.addr", CFG_STRING, NULL,
         "Its interface, the name of the wireless network, or the access point name."},
        {"nap *.title", CFG_STRING, NULL, "What people call it."},
        {"nap *.ipv4", CFG_STRING, "auto",
         "auto, none, or an address and its prefix, 10.0.0.2/24."},
        {"nap *.ipv4_gateway", CFG_STRING, NULL, "The router."},
        {"nap *.ipv4_dns", CFG_LIST, NULL,
         "Servers for names. Default: those the network tells of."},
        {"nap *.ipv6", CFG_STRING, "auto", "The same for IPv6."},
        {"nap *.ipv6_gateway", CFG_STRING, NULL, "The router."},
        {"nap *.ipv6_dns", CFG_LIST, NULL,
         "Servers for names. Default: those the network tells of."},
        {"nap *.security", CFG_ENUM, NULL, "WLAN: OPEN, WPA, WPA2-PSK or 802.1X.",
         .choices = wlan_words},
        {"nap *.key_file", CFG_PATH, NULL, "WLAN: file whose first line is the key."},
        {"nap *.auth", CFG_STRING, NULL, "PAP, CHAP, EAP-PEAP or EAP-TTLS."},
        {"nap *.user", CFG_STRING, NULL, "The user's name."},
        {"nap *.password_file", CFG_PATH, NULL, "File whose first line is the password."},
        {"nap *.protected", CFG_BOOL, "no",
         "Whether servers may not change it (405). It is then as it is here after each start."},

        {"lawmo.fully_lock", CFG_STRING, NULL,
         "Command that leaves nothing to use but this agent, for FullyLock of ./LAWMO. Like\n"
         "all of these it is run by the shell, more than once after a power cut, and once at\n"
         "each start while the device is locked. $1 is the operation. 0: done; 3: the user\n"
         "refused; else it failed, and what it said last tells why. Without a command the\n"
         "operation answers 406."},
        {"lawmo.partially_lock", CFG_STRING, NULL, "The same for PartiallyLock."},
        {"lawmo.unlock", CFG_STRING, NULL, "The same for UnLock."},
        {"lawmo.factory_reset", CFG_STRING, NULL,
         "Command that puts the device back to what it was when it was new, for\n"
         "FactoryReset. After it the agent begins anew, with the account of this\n"
         "configuration."},
        {"lawmo.wipe", CFG_STRING, NULL, "Command that removes the user's data at each Wipe."},
        {"lawmo.wipe_paths", CFG_LIST, NULL,
         "Files and folders of the user's data; folders are emptied at each Wipe."},
        {"lawmo.notify", CFG_STRING, NULL,
         "Command that tells the user of an operation where the server wants that: $1 is the\n"
         "operation, $2 how it ended."},
        {"lawmo.command_time", CFG_DURATION, "5m",
         "How long each of the commands may take; then it is ended and counts as failed.", 100,
         DAY},
        {"wipe *.title", CFG_STRING, NULL,
         "What people call this, which a Wipe can take by itself. Default: the section's\n"
         "name."},
        {"wipe *.paths", CFG_LIST, NULL, "Its files and folders; folders are emptied."},
        {"wipe *.command", CFG_STRING, NULL, "Command that wipes it; $2 is the section's name."},

        {"dcmo.notify", CFG_STRING, NULL,
         "Command that tells the user of an operation where the server wants that: $1 is the\n"
         "capability, $2 the operation, $3 how it ended."},
        {"dcmo.command_time", CFG_DURATION, "1m",
         "How long each of the commands may take; then it is ended and counts as failed.", 100,
         HOUR},
        {"dcmo.check", CFG_DURATION, "5m",
         "How often the state of capabilities is looked at; 0 for at the start alone.", 0,
         30 * DAY},
        {"capability *.property", CFG_STRING, NULL,
         "What can be switched off: Camera, WLAN ... Default: the section's name."},
        {"capability *.group", CFG_STRING, NULL, "Hardware, IO, Connectivity, Software, Service."},
        {"capability *.description", CFG_STRING, NULL, "What people should know of it."},
        {"capability *.enable", CFG_STRING, NULL,
         "Command that lets it be used. 0: done; 3: the user refused; 4: it is not there; 5:\n"
         "it is not allowed here; else it failed. Without a command the operation answers\n"
         "406."},
        {"capability *.disable", CFG_STRING, NULL, "Command that ends its use."},
        {"capability *.state", CFG_STRING, NULL,
         "Command that says whether it can be used: 0 yes, 1 no. Without one Enabled is what\n"
         "was done last, and it is done again at each start."},
        {"capability *.attached", CFG_STRING, NULL,
         "Of what can be plugged in: command that says whether it is: 0 yes, 1 no."},
        {"capability *.bearer", CFG_BOOL, "no",
         "Whether sessions need it, so that it may not be disabled: 405."},
        {"capability *.enabled", CFG_BOOL, "yes",
         "Whether it can be used when the device is new, where no command tells."},

        {"software.ask", CFG_DURATION, "0s",
         "How often the device asks the server for new software; 0 for never.", 0, 365 * DAY},
        {"software.dpkg_root", CFG_PATH, NULL,
         "Root that packages of Debian are installed into, / for this machine's own; none if not "
         "set.\n"
         "Without any installer there is no ./SCM."},
        {"software.dpkg_options", CFG_LIST, NULL, "Further options for dpkg."},
        {"software.dpkg_list", CFG_ENUM, "own",
         "Which packages of Debian the inventory tells of: those that came through ./SCM, or all.",
         .choices = dpkg_words},
        {"software.dpkg_filter", CFG_STRING, "*",
         "all: only packages with a name like this pattern."},
        {"software.archive", CFG_PATH, NULL,
         "Folder of applications that come as archives; none if not set."},
        {"software.max_unpacked", CFG_SIZE, "2G", "What an archive may unpack to.", KIB,
         (int64_t)1 << 50},
        {"software.command", CFG_PATH, NULL, "An installer of the device's maker."},
        {"software.command_types", CFG_LIST, "application/octet-stream",
         "MIME types of its packages."},
        {"software.command_time", CFG_DURATION, "30m",
         "How long an installer may take; then it is ended and counts as failed.", 1000, DAY},
        {"software.environments", CFG_LIST, "linux",
         "EnvType of packages that run here; those that name another one are refused."},
        {"software.keys", CFG_PATH, NULL,
         "Folder of trusted keys, as in firmware.keys. Without one no package is accepted."},
        {"software.keep", CFG_BOOL, "no",
         "Whether packages stay on the device after the installation they were fetched for."},
        {"software.max_listed", CFG_INT, "256", "Most components of one installer that are told.",
         1, 2000},
        {"software.max_size", CFG_SIZE, "256M", "Largest package taken.", KIB, 4095 * (int64_t)MIB},
        {"software.tries", CFG_INT, "5", "Tries of a download.", 1, 1000},
        {"software.retry_wait", CFG_DURATION, "2m", "Wait between two of them.", 0, DAY},
        {"software.download_time", CFG_DURATION, "1d",
         "How long all tries together may take; 0 for ever.", 0, 365 * DAY},
        {"software.fetch", CFG_PATH, XREM_LIBEXEC "/dremd-fetch", "The program that downloads."},
        {"software.installers", CFG_PATH, XREM_LIBEXEC,
         "Folder of the programs dremd-dpkg and dremd-archive."},

        {"plugin.tables", CFG_PATH, "/etc/xrem/dremd/tables",
         "Folder of table files: NAME.table is the vendor object ./Vendor/NAME."},
        {"plugin.objects", CFG_LIST, NULL,
         "Names of vendor objects that are shared objects, NAME.so in plugin.folder."},
        {"plugin.folder", CFG_PATH, XREM_PLUGINS, "Their folder."},

        {"wake.enabled", CFG_BOOL, "yes", "Whether the server may wake the device over UDP."},
        {"wake.listen", CFG_STRING, "*:2948", "Address for wake-ups; port 0 takes a free one."},
        {"wake.address", CFG_STRING, NULL,
         "What ./DevInfo/Ext/xrem/Wake says, udp://host:port. Default: no host, which stands for\n"
         "the address the session comes from, and the port of wake.listen."},
        {"wake.min_interval", CFG_DURATION, "2s",
         "On average no more than one wake-up in this time is followed, thirty at once.", 0, HOUR},

        {"log.level", CFG_ENUM, NULL,
         "error, warn, info or debug, at first; then ./Vendor/xrem/Config/Log holds it.",
         .choices = log_level_names},
        {"log.form", CFG_ENUM, "text", "text, logfmt or json.", .choices = log_form_names},
        {"log.file", CFG_PATH, NULL, "Log file, opened again on SIGHUP. Default: standard error."},
        {"log.trace", CFG_STRING, NULL,
         "Rooms of the library to trace, such as codec,client, or all."},
};
const size_t conf_keys_n = ODM_COUNT(conf_keys);

static int check_account(const cfg *c, diag *d)
{
        static const char *const needed[] = {"account.server_id", "account.url"};
        net_url u;
        size_t given = 0;

        for (size_t i = 0; i < ODM_COUNT(needed); i++)
                given += cfg_str(c, needed[i]) != NULL;
        if (given == 0)
                return 0;
        for (size_t i = 0; i < ODM_COUNT(needed); i++)
                if (!cfg_str(c, needed[i]))
                        return diag_set(d, ODM_EMALFORMED, "%s is missing", needed[i]);
        if (net_url_parse(odm_cstr(cfg_str(c, "account.url")), &u) < 0 || !u.host[0] ||
            (strcmp(u.scheme, "https") != 0 && strcmp(u.scheme, "http") != 0))
                return diag_set(d, ODM_EMALFORMED, "account.url: '%s' is no URL of http or https",
                                cfg_str(c, "account.url"));
        if (strlen(cfg_str(c, "account.server_id")) > ODM_USER_MAX)
                return diag_set(d, ODM_EMALFORMED, "account.server_id: longer than %d octets",
                                ODM_USER_MAX);
        return 0;
}

static bool is_degrees(const char *text, double most)
{
        char *end;
        double n = strtod(text, &end);

        return end != text && !*end && n >= -most && n <= most && strlen(text) <= 32;
}

static bool is_metres(const char *text)
{
        char *end;
        long n = strtol(text, &end, 10);

        return end != text && !*end && n > -20000 && n < 100000;
}

static int check_diag(const cfg *c, diag *d)
{
        const char *lat = cfg_str(c, "diag.latitude"), *lon = cfg_str(c, "diag.longitude");
        const char *alt = cfg_str(c, "diag.altitude");

        if (!lat != !lon)
                return diag_set(d, ODM_EMALFORMED,
                                "diag.latitude and diag.longitude belong together");
        if (lat && !is_degrees(lat, 90))
                return diag_set(d, ODM_EMALFORMED, "diag.latitude: '%s' is not -90 to 90", lat);
        if (lon && !is_degrees(lon, 180))
                return diag_set(d, ODM_EMALFORMED, "diag.longitude: '%s' is not -180 to 180", lon);
        if (alt && !is_metres(alt))
                return diag_set(d, ODM_EMALFORMED, "diag.altitude: '%s' is no height", alt);
        for (size_t i = 0; i < cfg_named_n(c, "check"); i++)
                if (!cfg_str(cfg_named(c, "check", i), "check *.command"))
                        return diag_set(d, ODM_EMALFORMED, "[check %s] needs a command",
                                        cfg_name(cfg_named(c, "check", i)));
        return 0;
}

static int check_network(const cfg *c, diag *d)
{
        int kind = cfg_enum(c, "network.backend");

        if (kind == 3 && !cfg_str(c, "network.command"))
                return diag_set(d, ODM_EMALFORMED,
                                "network.command is missing: exec needs a program");
        if (kind == 1 && cfg_bool(c, "network.modem"))
                return diag_set(d, ODM_EMALFORMED,
                                "network.modem: networkd has none; take networkmanager or exec");
        for (size_t i = 0; kind > 0 && i < cfg_named_n(c, "nap"); i++)
                if (!cfg_str(cfg_named(c, "nap", i), "nap *.addr"))
                        return diag_set(d, ODM_EMALFORMED, "[nap %s]: addr is missing",
                                        cfg_name(cfg_named(c, "nap", i)));
        return 0;
}

/* ---- what may be wiped --------------------------------------------------------------------- */

/* Whether `path` is `folder`, or below it. */
static bool is_within(const char *path, const char *folder)
{
        size_t n = strlen(folder);

        while (n > 0 && folder[n - 1] == '/')
                n--;
        return strncmp(path, folder, n) == 0 && (path[n] == 0 || path[n] == '/');
}

static bool reaches(const char *wiped, const char *kept, bool inside_too)
{
        return is_within(kept, wiped) || (inside_too && is_within(wiped, kept));
}

/* Without detours, so that names tell which folder is in which. */
static bool is_plain_path(const char *path)
{
        static const char *const detours[] = {"//", "/../", "/./"};
        size_t n = strlen(path);

        if (path[0] != '/' || !path[1])
                return false;
        for (size_t i = 0; i < ODM_COUNT(detours); i++)
                if (strstr(path, detours[i]))
                        return false;
        return strcmp(path + n - 2, "/.") != 0 && (n < 3 || strcmp(path + n - 3, "/..") != 0);
}

static bool takes(const char *wiped, const char *kept, bool inside_too)
{
        char *real = kept ? realpath(kept, NULL) : NULL;
        bool yes = kept &&
                   (reaches(wiped, kept, inside_too) || (real && reaches(wiped, real, inside_too)));

        free(real);
        return yes;
}

/* Whether it takes what key `k` names, in each section of its kind; a log may go. */
static bool takes_key(const cfg *c, const char *wiped, const cfg_key *k)
{
        const char *star = strstr(k->name, " *.");
        char kind[64];

        if (k->kind != CFG_PATH || strcmp(k->name, "log.file") == 0 ||
            strcmp(k->name, "agent.pid_file") == 0)
                return false;
        if (!star)
                return takes(wiped, cfg_str(c, k->name), strcmp(k->name, "agent.state") == 0);
        snprintf(kind, sizeof kind, "%.*s", (int)(star - k->name), k->name);
        for (size_t i = 0; i < cfg_named_n(c, kind); i++)
                if (takes(wiped, cfg_str(cfg_named(c, kind, i), k->name), false))
                        return true;
        return false;
}

int conf_may_wipe(const cfg *c, const char *path, diag *d)
{
        if (!is_plain_path(path))
                return diag_set(d, ODM_EMALFORMED,
                                "'%s' is no path from the root that can be wiped", path);
        for (size_t i = 0; i < conf_keys_n; i++)
                if (takes_key(c, path, &conf_keys[i]))
                        return diag_set(d, ODM_EMALFORMED, "'%s' may not be wiped: %s is there",
                                        path, conf_keys[i].name);
        return 0;
}

static int check_paths(const cfg *c, const cfg *at, const char *key, diag *d)
{
        diag why = {{0}};

        for (size_t i = 0; i < cfg_list_n(at, key); i++)
                if (conf_may_wipe(c, cfg_list_at(at, key, i), &why) < 0)
                        return diag_set(d, ODM_EMALFORMED, "%s: %.400s", key, why.text);
        return 0;
}

static int check_wipes(const cfg *c, diag *d)
{
        int rc = check_paths(c, c, "lawmo.wipe_paths", d);

        for (size_t i = 0; rc == 0 && i < cfg_named_n(c, "wipe"); i++) {
                const cfg *w = cfg_named(c, "wipe", i);
                rc = check_paths(c, w, "wipe *.paths", d);
                if (rc == 0 && !cfg_list_n(w, "wipe *.paths") && !cfg_str(w, "wipe *.command"))
                        rc = diag_set(d, ODM_EMALFORMED,
                                      "[wipe %s] has neither paths nor a command", cfg_name(w));
        }
        return rc;
}

static int check_capabilities(const cfg *c, diag *d)
{
        for (size_t i = 0; i < cfg_named_n(c, "capability"); i++) {
                const cfg *a = cfg_named(c, "capability", i);
                if (!cfg_str(a, "capability *.enable") && !cfg_str(a, "capability *.disable"))
                        return diag_set(d, ODM_EMALFORMED,
                                        "[capability %s] has no command to enable or disable it",
                                        cfg_name(a));
        }
        return 0;
}

int conf_check(const cfg *c, diag *d)
{
        const char *wake = cfg_str(c, "wake.address");
        net_addr a;
        net_url u;

        if (cfg_str(c, "account.password") && cfg_str(c, "account.password_file"))
                return diag_set(d, ODM_EMALFORMED,
                                "account.password and account.password_file exclude each other");
        if (cfg_str(c, "account.server_password") && cfg_str(c, "account.server_password_file"))
                return diag_set(d, ODM_EMALFORMED,
                                "account.server_password and "
                                "account.server_password_file exclude each other");
        if (cfg_str(c, "bootstrap.network_key") && cfg_str(c, "bootstrap.network_key_file"))
                return diag_set(d, ODM_EMALFORMED,
                                "bootstrap.network_key and bootstrap.network_key_file exclude each "
                                "other");
        if (cfg_enum(c, "firmware.installer") == 2 && !cfg_str(c, "firmware.command"))
                return diag_set(d, ODM_EMALFORMED,
                                "firmware.command is missing: exec needs an installer");
        if (cfg_bool(c, "wake.enabled") && net_hostport_parse(cfg_str(c, "wake.listen"), &a) < 0)
                return diag_set(d, ODM_EMALFORMED, "wake.listen: '%s' is no address:port",
                                cfg_str(c, "wake.listen"));
        if (wake && (net_url_parse(odm_cstr(wake), &u) < 0 || strcmp(u.scheme, "udp") != 0))
                return diag_set(d, ODM_EMALFORMED, "wake.address: '%s' is not udp://host:port",
                                wake);
        if (cfg_ms(c, "session.interval") > 0 && cfg_ms(c, "session.interval") < 10 * SECOND)
                return diag_set(d, ODM_EMALFORMED, "session.interval is shorter than 10s");
        if (cfg_ms(c, "session.retry_min") > cfg_ms(c, "session.retry_max"))
                return diag_set(d, ODM_EMALFORMED,
                                "session.retry_min is longer than session.retry_max");
        if (check_diag(c, d) < 0)
                return ODM_EMALFORMED;
        if (check_network(c, d) < 0)
                return ODM_EMALFORMED;
        if (check_wipes(c, d) < 0 || check_capabilities(c, d) < 0)
                return ODM_EMALFORMED;
        return check_account(c, d);
}

odm_auth_type conf_auth(const cfg *c, const char *key)
{
        return auth_types[cfg_enum(c, key)];
}

int conf_secret(const cfg *c, const char *key, const char *file_key, char *out, size_t room,
                diag *d)
{
        const char *text = cfg_str(c, key), *path = cfg_str(c, file_key);
        odm_str s = odm_cstr(text ? text : "");
        odm_buf b;
        int rc = 0;

        odm_buf_init(&b, &heap_mem, 4096);
        if (path) {
                rc = fsio_read(path, 4000, &b, d);
                if (rc < 0)
                        goto out;
                s = odm_buf_view(&b);
                s.n = s.n ? strcspn(odm_buf_byte(&b, 0) == 0 ? b.p : "", "\r\n") : 0;
                s.p = b.p;
        }
        if (s.n >= room) {
                rc = diag_set(d, ODM_ELIMIT, "%s: longer than %zu octets", path ? path : key,
                              room - 1);
                goto out;
        }
        if (s.n)
                memcpy(out, s.p, s.n);
        out[s.n] = 0;
out:
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return rc;
}
