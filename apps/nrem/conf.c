/* SPDX-License-Identifier: Apache-2.0 */
#include "conf.h"

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "net.h"

static const char *const unknown_words[] = {"refuse", "hold", "accept", NULL};
static const char *const plain_auth_words[] = {"every", "session", NULL};
static const char *const engine_words[] = {"sqlite", "mem", NULL};
static const char *const names_words[] = {"key", "name", NULL};
static const char *const metrics_words[] = {"open", "token", NULL};

#define SECOND ((int64_t)1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define KIB ((int64_t)1024)
#define MIB (1024 * KIB)

const cfg_key conf_keys[] = {
        {"server.state", CFG_PATH, "/var/lib/nremd",
         "Folder of everything the server keeps: database, first token, ticket key."},
        {"server.stop_time", CFG_DURATION, "15s",
         "How long running exchanges may go on after SIGTERM.", 0, 10 * 60 * SECOND},
        {"server.pid_file", CFG_PATH, NULL,
         "Where the process number is written; none if not set."},

        {"dm.listen", CFG_LIST, "127.0.0.1:8080",
         "Addresses for devices without TLS: address:port, [v6]:port, or :port for all\n"
         "addresses. Empty for none."},
        {"dm.listen_tls", CFG_LIST, "", "The same with TLS; needs tls.cert."},
        {"dm.path", CFG_STRING, "/dm", "Path of the one URL that all devices use."},
        {"dm.url", CFG_STRING, NULL,
         "URL by which devices reach the server, for RespURI. Default: made from the Host of\n"
         "each request."},
        {"dm.server_id", CFG_STRING, "xrem",
         "Server Identifier, as devices have it in ServerID of their account."},
        {"dm.unknown", CFG_ENUM, "refuse",
         "What happens to devices nobody created: refuse; hold for an operator's approval;\n"
         "accept (only where the network itself is trusted).",
         .choices = unknown_words},
        {"dm.accept_password", CFG_STRING, NULL,
         "With dm.unknown = accept: the password that all devices let in have in common; the\n"
         "name is the one the device gives. For closed networks only. Without it, no proof is\n"
         "asked for."},
        {"dm.accept_server_password", CFG_STRING, NULL,
         "The server's password on all devices let in; wake-ups are signed with it. Without\n"
         "it, the server proves itself by TLS only, and wakes none of them."},
        {"dm.accept_hour", CFG_INT, "60", "Unknown devices let in within an hour.", 0, 1000000},
        {"dm.accept_max", CFG_INT, "1000",
         "No unknown device is let in while so many devices are known.", 0, 100000000},
        {"dm.plain_auth", CFG_ENUM, "every",
         "Without TLS, a device proves itself with every message or once a session.",
         .choices = plain_auth_words},
        {"dm.max_message", CFG_SIZE, "64k", "Largest message taken and sent.", 2 * KIB, 16 * MIB},
        {"dm.max_object", CFG_SIZE, "16M", "Largest object taken.", 64 * KIB, 1024 * MIB},
        {"dm.session_memory", CFG_SIZE, "32M", "Memory one session may hold.", MIB, 1024 * MIB},
        {"dm.session_idle", CFG_DURATION, "5m",
         "A session without a message for so long is lost; its jobs are put back.", SECOND, HOUR},
        {"dm.sessions", CFG_INT, "4096", "Sessions at one time.", 1, 1000000},
        {"dm.lockout_after", CFG_INT, "5",
         "Wrong credentials in a row before a device is locked out.", 1, 1000},
        {"dm.lockout", CFG_DURATION, "30s",
         "First lock-out; doubles with each further failure up to an hour.", SECOND, HOUR},
        {"dm.held_max", CFG_INT, "1000", "Unknown devices held for approval at one time.", 0,
         1000000},
        {"dm.crew", CFG_INT, "2", "Threads that work on sessions.", 1, 64},
        {"dm.workers", CFG_INT, "2", "Threads of each listener.", 1, 64},

        {"api.listen", CFG_LIST, "127.0.0.1:8080",
         "Addresses of the REST interface without TLS. An address that dm.listen has too\n"
         "serves both."},
        {"api.listen_tls", CFG_LIST, "", "The same with TLS."},
        {"api.metrics", CFG_ENUM, "open", "Whether /metrics is open or needs a token.",
         .choices = metrics_words},
        {"api.max_body", CFG_SIZE, "32M", "Largest job taken.", 64 * KIB, 1024 * MIB},

        {"tls.cert", CFG_PATH, NULL, "Certificate chain of the server, PEM."},
        {"tls.key", CFG_PATH, NULL, "Its key, PEM."},
        {"tls.client_ca", CFG_PATH, NULL,
         "Devices are asked for certificates of this CA; PEM. None if not set."},
        {"tls.tickets", CFG_PATH, NULL,
         "Key for session tickets, made when it is not there. Default: ticket.key in\n"
         "server.state."},

        {"store.engine", CFG_ENUM, "sqlite", "sqlite, or mem, which forgets all at the end.",
         .choices = engine_words},
        {"store.path", CFG_PATH, NULL, "Database file. Default: nrem.db in server.state."},
        {"store.sessions_kept", CFG_INT, "20", "Sessions kept of each device, with their messages.",
         1, 1000},
        {"store.session_bytes", CFG_SIZE, "1M", "Octets of messages kept of one session.", KIB,
         256 * MIB},
        {"store.jobs_kept", CFG_INT, "1000", "Ended jobs kept of each device.", 1, 1000000},
        {"store.events_kept", CFG_INT, "1000000",
         "Events kept, of all devices together; more until the server has acted on them.", 1000,
         1000000000},
        {"store.mirror_value", CFG_SIZE, "4k", "Larger values of nodes are not mirrored.", 0, MIB},

        {"jobs.ttl", CFG_DURATION, "7d", "Life of a job that names none; 0 for no end.", 0,
         3650 * DAY},
        {"jobs.attempts", CFG_INT, "10", "Sessions that may try a job before it has failed.", 1,
         1000},
        {"jobs.open_max", CFG_INT, "1000", "Jobs of one device that may wait.", 1, 1000000},

        {"wake.enabled", CFG_BOOL, "yes",
         "Whether devices with work are woken by package 0 over UDP."},
        {"wake.from", CFG_STRING, "*:0", "Address the datagrams are sent from."},
        {"wake.first", CFG_DURATION, "5s", "Wait for an answer before the next datagram; doubles.",
         100, HOUR},
        {"wake.max", CFG_DURATION, "15m", "Longest wait between two datagrams.", 100, DAY},
        {"wake.tries", CFG_INT, "6", "Datagrams without an answer before there is a rest.", 1,
         1000},
        {"wake.again", CFG_DURATION, "15m",
         "The rest before as many are sent again, while orders wait for the device; doubles, to a\n"
         "day at most. 0: they wait for the device's next contact.",
         0, DAY},
        {"wake.resync", CFG_INT, "3",
         "Datagrams without an answer before the default nonce is tried, for a device that lost\n"
         "its own; 0 for never.",
         0, 1000},

        {"presence.interval", CFG_DURATION, "1d",
         "How often a device calls of which nobody says it; 0: it is not expected.", 0, 365 * DAY},
        {"presence.missed", CFG_INT, "2",
         "Calls that may be missed before a device is unreachable.", 0, 1000},

        {"alarms.keep", CFG_DURATION, "90d", "How long alarms stay that are over.", HOUR,
         3650 * DAY},
        {"alarms.per_device", CFG_INT, "200",
         "Alarms of one device; for one more the oldest that is over goes.", 1, 1000},

        {"webhooks.ca_file", CFG_PATH, NULL,
         "Receivers of webhooks are trusted by these certificates, PEM. Default: the system's."},

        {"performance.raw", CFG_DURATION, "7d",
         "How long samples are kept as they came. Older ones are not taken.", HOUR, 3650 * DAY},
        {"performance.five_minutes", CFG_DURATION, "90d",
         "How long roll-ups of 5 minutes are kept.", HOUR, 3650 * DAY},
        {"performance.hour", CFG_DURATION, "400d", "The same of an hour.", HOUR, 3650 * DAY},
        {"performance.day", CFG_DURATION, "3650d", "The same of a day.", HOUR, 36500 * DAY},
        {"performance.ahead", CFG_DURATION, "1h",
         "A sample whose time is further in the future is not taken.", 0, 366 * DAY},
        {"performance.names", CFG_INT, "10000", "Different names of metrics, all devices together.",
         1, 1000000},
        {"performance.series", CFG_INT, "1000", "Metrics of one device.", 1, 100000},

        {"limits.connections", CFG_INT, "4096", "Connections of each listener.", 1, 1000000},
        {"limits.per_address", CFG_INT, "0", "Connections of one address; 0 for no limit.", 0,
         1000000},
        {"limits.active", CFG_INT, "2048", "Requests at work at one time; beyond it, 503.", 1,
         1000000},
        {"limits.idle", CFG_DURATION, "60s", "A connection without octets is closed.", SECOND,
         HOUR},
        {"limits.slow", CFG_DURATION, "30s",
         "How long the head of a request may take to come, and a body or a reply, which have a\n"
         "second more for each 500 octets.",
         SECOND, HOUR},
        {"limits.memory", CFG_SIZE, "512M",
         "Memory for what is received and for sessions, together; beyond it, 503.", 4 * MIB,
         1024 * 1024 * MIB},

        {"campaigns.join_every", CFG_DURATION, "5m",
         "How often campaigns that let devices join look for those that came late.", SECOND, DAY},
        {"campaigns.zones", CFG_PATH, "/usr/share/zoneinfo",
         "Folder of the time zone database, for windows in the time of a device."},

        {"gateways.names", CFG_ENUM, "key",
         "How new devices behind a gateway are named: GATEWAY/KEY, or as the gateway calls them\n"
         "where it does.",
         .choices = names_words},
        {"gateways.tagged", CFG_BOOL, "no",
         "Only devices with the tag \"gateway\" are believed what they tell of others."},
        {"gateways.devices", CFG_INT, "10000", "Devices behind one gateway.", 1, 1000000},
        {"gateways.parallel", CFG_INT, "32",
         "Devices that a gateway works on at once when many of them get the same, unless their\n"
         "campaign says how many.",
         1, 10000},

        {"packages.url", CFG_STRING, NULL,
         "URL below which devices fetch packages. Default: scheme, host and port of dm.url, or by\n"
         "which the device itself called."},
        {"packages.keys", CFG_PATH, NULL,
         "Folder of trusted keys, as dremd has it: with it, the signature of a package is checked\n"
         "when its content has come."},
        {"packages.signed", CFG_BOOL, "no", "Refuse packages without a good signature."},
        {"packages.max_size", CFG_SIZE, "4096M", "Largest content of a package.", KIB,
         1024 * 1024 * MIB},
        {"packages.max_total", CFG_SIZE, "65536M", "All contents together.", KIB,
         1024 * 1024 * MIB},
        {"packages.max_count", CFG_INT, "1000", "Packages, those elsewhere too.", 0, 1000000},

        {"ddf.paths", CFG_LIST, "",
         "Descriptions of management objects (DDF, XML or WBXML) besides the built-in ones:\n"
         "files, and folders whose *.ddf are taken in the order of their names. Whole paths. A\n"
         "later one replaces an earlier one of the same object."},

        {"log.level", CFG_ENUM, "info", "error, warn, info or debug.", .choices = log_level_names},
        {"log.form", CFG_ENUM, "text", "text, logfmt or json.", .choices = log_form_names},
        {"log.file", CFG_PATH, NULL, "Log file, opened again on SIGHUP. Default: standard error."},
        {"log.trace", CFG_STRING, NULL,
         "Rooms of the library to trace, such as codec,server, or all."},
};
const size_t conf_keys_n = ODM_COUNT(conf_keys);

static int check_addresses(const cfg *c, const char *key, diag *d)
{
        net_addr a;

        for (size_t i = 0; i < cfg_list_n(c, key); i++)
                if (net_hostport_parse(cfg_list_at(c, key, i), &a) < 0)
                        return diag_set(d, ODM_EINVAL, "%s: %s is no address:port", key,
                                        cfg_list_at(c, key, i));
        return 0;
}

/* Where the server is started from says nothing. */
static int check_ddf(const cfg *c, diag *d)
{
        for (size_t i = 0; i < cfg_list_n(c, "ddf.paths"); i++)
                if (cfg_list_at(c, "ddf.paths", i)[0] != '/')
                        return diag_set(d, ODM_EINVAL, "ddf.paths: %s does not begin with /",
                                        cfg_list_at(c, "ddf.paths", i));
        return 0;
}

/* A server identifier and path that fit the places they go to. */
static int check_dm(const cfg *c, diag *d)
{
        const char *path = cfg_str(c, "dm.path"), *id = cfg_str(c, "dm.server_id"),
                   *url = cfg_str(c, "dm.url");
        net_url u;

        if (path[0] != '/' || strcspn(path, " ?#%") != strlen(path) ||
            strncmp(path, "/api/", 5) == 0 || strncmp(path, "/packages/", 10) == 0)
                return diag_set(d, ODM_EINVAL,
                                "dm.path: has to begin with / and to hold no blank, ?, # or %%");
        if (!id[0] || strlen(id) > 255 || strchr(id, ':'))
                return diag_set(d, ODM_EINVAL,
                                "dm.server_id: has to be 1 to 255 octets without a colon");
        if (cfg_enum(c, "dm.unknown") != CONF_UNKNOWN_ACCEPT &&
            (cfg_str(c, "dm.accept_password") || cfg_str(c, "dm.accept_server_password")))
                return diag_set(d, ODM_EINVAL,
                                "dm.accept_password, dm.accept_server_password: are for "
                                "dm.unknown = accept");
        if (url && (net_url_parse(odm_cstr(url), &u) < 0 || strncmp(u.scheme, "http", 4) != 0))
                return diag_set(d, ODM_EINVAL, "dm.url: %s is no http or https URL", url);
        return 0;
}

static int check_packages(const cfg *c, diag *d)
{
        const char *url = cfg_str(c, "packages.url");
        net_url u;

        if (url && (net_url_parse(odm_cstr(url), &u) < 0 || strncmp(u.scheme, "http", 4) != 0 ||
                    strpbrk(url, "?#")))
                return diag_set(d, ODM_EINVAL,
                                "packages.url: %s is no http or https URL without query", url);
        if (cfg_bool(c, "packages.signed") && !cfg_str(c, "packages.keys"))
                return diag_set(d, ODM_EINVAL, "packages.signed: needs packages.keys");
        return 0;
}

int conf_check(const cfg *c, diag *d)
{
        static const char *const lists[] = {"dm.listen", "dm.listen_tls", "api.listen",
                                            "api.listen_tls"};
        size_t n = 0;
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(lists); i++) {
                rc = check_addresses(c, lists[i], d);
                n += cfg_list_n(c, lists[i]);
        }
        if (rc == 0)
                rc = check_dm(c, d);
        if (rc == 0)
                rc = check_packages(c, d);
        if (rc == 0)
                rc = check_ddf(c, d);
        if (rc < 0)
                return rc;
        if (n == 0)
                return diag_set(d, ODM_EINVAL, "no listener: set dm.listen, api.listen or others");
        if ((cfg_list_n(c, "dm.listen_tls") || cfg_list_n(c, "api.listen_tls")) &&
            (!cfg_str(c, "tls.cert") || !cfg_str(c, "tls.key")))
                return diag_set(d, ODM_EINVAL,
                                "a TLS listener needs tls.cert and tls.key "
                                "(nremd --make-dev-ca DIR makes some for trying)");
        return 0;
}

int conf_state_path(const cfg *c, const char *key, const char *def, char out[CONF_PATH], diag *d)
{
        const char *given = key ? cfg_str(c, key) : NULL;
        char path[CONF_PATH];
        int n = given ? snprintf(path, sizeof path, "%s", given)
                      : snprintf(path, sizeof path, "%s/%s", cfg_str(c, "server.state"), def);

        if (n < 0 || (size_t)n >= sizeof path)
                return diag_set(d, ODM_ELIMIT, "the path of %s is too long", def);
        memcpy(out, path, (size_t)n + 1);
        return 0;
}
