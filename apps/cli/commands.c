/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands.  Whoever adds one adds a row here, a function in the file of its
 * group, and a paragraph in docs/man/xrem.1 (a test looks for it). */
#include "commands.h"

#include <string.h>

#define OPTS(a) .opts = (a), .n_opts = ODM_COUNT(a)

const xrem_opt xrem_global_opts[] = {
        {0, "server", "URL", "the server; default http://127.0.0.1:8080"},
        {0, "token", "TOKEN", "bearer token for the server"},
        {0, "token-file", "FILE", "a file whose first line is the token"},
        {0, "ca", "FILE", "trust the certificates in this PEM file"},
        {0, "timeout", "SECONDS", "how long to wait for a device; default 60"},
        {'j', "json", NULL, "print JSON, for scripts"},
        {'q', "quiet", NULL, "no progress, no remarks; of what was made only the id"},
        {'h', "help", NULL, "explain the command"},
        {'V', "version", NULL, "print the version"},
};
const size_t xrem_n_global_opts = ODM_COUNT(xrem_global_opts);

/* ---- options of each command -------------------------------------------------- */

static const xrem_opt get_opts[] = {
        {0, "raw", NULL, "write the octets of the value as they are"},
        {'o', "output", "FILE", "write the octets of the value to a file"},
        {0, "no-wait", NULL, "print the id of the job and do not wait"},
};
static const xrem_opt set_opts[] = {
        {'f', "format", "FORMAT", "chr int bool bin xml date time float b64 null"},
        {'t', "type", "MIME", "MIME type of the value"},
        {0, "file", "FILE", "take the value from a file"},
        {0, "stdin", NULL, "take the value from standard input"},
        {0, "b64", NULL, "the value is base64; sent as octets"},
        {0, "no-wait", NULL, "print the id of the job and do not wait"},
};
static const xrem_opt add_opts[] = {
        {0, "node", NULL, "an interior node; VALUE is none"},
        {0, "tnds", "FILE", "a whole subtree, as 'xrem tnds' reads and writes them"},
        {'f', "format", "FORMAT", "chr int bool bin xml date time float b64 null"},
        {'t', "type", "MIME", "MIME type, or the object's identifier with --node"},
        {0, "file", "FILE", "take the value from a file"},
        {0, "stdin", NULL, "take the value from standard input"},
        {0, "b64", NULL, "the value is base64; sent as octets"},
        {0, "no-wait", NULL, "print the id of the job and do not wait"},
};
static const xrem_opt wait_opts[] = {
        {0, "no-wait", NULL, "print the id of the job and do not wait"},
};
static const xrem_opt exec_opts[] = {
        {'c', "correlator", "TEXT", "comes back in the alert that ends it"},
        {0, "no-wait", NULL, "print the id of the job and do not wait"},
};
static const xrem_opt run_opts[] = {
        {0, "file", "FILE", "JSON list of commands, - for standard input"},
        {0, "atomic", NULL, "all of them or none"},
        {0, "no-wait", NULL, "print the id of the job and do not wait"},
};
static const xrem_opt tree_opts[] = {
        {0, "mirror", NULL, "what the server remembers, with its age; asks no device"},
        {0, "depth", "N", "only so many levels"},
        {0, "long", NULL, "access and title too, where the server has a description"},
};
static const xrem_opt device_add_opts[] = {
        {0, "devid", "ID", "DevId of DevInfo; default: the name"},
        {0, "user", "USER", "name the device proves itself by; default: the DevId"},
        {0, "password", "TEXT", "the device's password; made up when left out"},
        {0, "password-file", "FILE", "a file whose first line is the password"},
        {0, "auth", "TYPE", "basic, md5, mac, none (a certificate) or open (nothing); default md5"},
        {0, "accept-basic", NULL, "basic is good enough too"},
        {0, "accept-dm11", NULL, "DM/1.1 may be spoken"},
        {0, "server-user", "USER", "name the server proves itself by"},
        {0, "server-password", "TEXT", "the server's password; made up when left out"},
        {0, "wake", "URL", "where it listens for wake-ups, udp://host:2948"},
        {0, "tag", "TAG", "a tag; may be given several times"},
        {0, "note", "TEXT", "anything worth knowing"},
};
static const xrem_opt device_set_opts[] = {
        {0, "name", "NAME", "a new name"},
        {0, "state", "STATE", "active, refused, deactivated or detached"},
        {0, "devid", "ID", "DevId of DevInfo"},
        {0, "user", "USER", "needs a password with it"},
        {0, "password", "TEXT", "the device's password"},
        {0, "password-file", "FILE", "a file whose first line is the password"},
        {0, "auth", "TYPE", "basic, md5, mac, none or open"},
        {0, "accept-basic", "YESNO", "yes or no"},
        {0, "accept-dm11", "YESNO", "yes or no"},
        {0, "server-user", "USER", "needs a server password with it"},
        {0, "server-password", "TEXT", "the server's password"},
        {0, "wake", "URL", "udp://host:2948; empty clears it"},
        {0, "tag", "TAG", "replaces all tags; may be given several times"},
        {0, "note", "TEXT", "empty clears it"},
};
static const xrem_opt device_list_opts[] = {
        {0, "state", "STATE",
         "provisioned active asleep unreachable detached held refused deactivated"},
        {0, "tag", "TAG", "devices with this tag"},
        {0, "model", "MODEL", "devices of this model"},
        {0, "prefix", "TEXT", "how the name begins"},
        {0, "find", "TEXT", "part of name, DevId, maker or model"},
        {'n', "limit", "N", "at most so many; default all"},
};
static const xrem_opt device_show_opts[] = {
        {0, "addresses", NULL, "network addresses too (role admin)"},
};
static const xrem_opt gateway_list_opts[] = {
        {'n', "limit", "N", "at most so many; default all"},
};
static const xrem_opt gateway_devices_opts[] = {
        {0, "addresses", NULL, "where the gateway finds them, too (role admin)"},
        {'n', "limit", "N", "at most so many; default all"},
};
static const xrem_opt gateway_replace_opts[] = {
        {'y', "yes", NULL, "remove another device that has the DevId, without asking"},
};
static const xrem_opt gateway_move_opts[] = {
        {0, "gateway", "NAME", "the gateway that it is behind"},
        {0, "key", "KEY", "what it is called there"},
        {0, "mode", "MODE", "transparent, proxy or adaptation"},
        {0, "none", NULL, "it is behind none, and calls by itself"},
};
static const xrem_opt campaign_create_opts[] = {
        {0, "package", "PACKAGE", "what devices are given: its number, or NAME@VERSION"},
        {0, "url", "URL", "instead: where they fetch it"},
        {0, "to", "VERSION", "with --url: what they run then"},
        {0, "kind", "KIND", "firmware, software or commands; default: what the package is"},
        {0, "commands", "FILE", "JSON list of commands, with variables such as ${device}"},
        {0, "atomic", NULL, "all commands or none"},
        {0, "node", "URI", "the firmware object; default ./FUMO/main"},
        {0, "verify", "URI=VALUE", "what has to be then; empty: nothing is looked at"},
        {0, "device", "NAME", "this device; may be given several times"},
        {0, "prefix", "TEXT", "devices whose names begin so"},
        {0, "tag", "TAG", "with this tag; several: all of them"},
        {0, "maker", "TEXT", "of this maker; several: one of them"},
        {0, "model", "TEXT", "of this model; several: one of them"},
        {0, "hwv", "RANGE", "with such a hardware version, as '>=1.2 <2'"},
        {0, "fwv", "RANGE", "with such firmware"},
        {0, "swv", "RANGE", "with such software"},
        {0, "all", NULL, "every device"},
        {0, "plan", "FILE", "the plan as JSON; options below win"},
        {0, "canary", "N", "so many first, or a share such as 5%"},
        {0, "wave", "N", "so many, or a share, at a time then"},
        {0, "threshold", "PERCENT", "must have succeeded before the next wave; default 90"},
        {0, "soak", "TIME", "passes then before it begins, such as 2h"},
        {0, "hold", NULL, "pause after the canary"},
        {0, "stop-above", "PERCENT", "halt when more failed"},
        {0, "stop-least", "N", "but not before so many have ended; default 10"},
        {0, "retries", "N", "further tries of a device; default 2"},
        {0, "retry-delay", "TIME", "before the first, doubled by each; default 5m"},
        {0, "parallel", "N", "devices under way at one time"},
        {0, "contact-time", "TIME", "within which a device has to call; default 7d"},
        {0, "update-time", "TIME", "from taking the order to its result; default 1h"},
        {0, "window", "WHEN", "such as 'sat,sun 22:00-04:00'; may be given several times"},
        {0, "zone", "ZONE", "of the windows; a device's tag tz:ZONE wins"},
        {0, "begin", "TIME", "not before, such as 2027-01-31T00:00:00Z"},
        {0, "deadline", "TIME", "what has not begun then fails"},
        {0, "join", NULL, "devices that come late join"},
        {0, "approval", NULL, "somebody else has to approve it"},
        {0, "start", NULL, "begin at once"},
        {0, "dry-run", NULL, "make nothing: show what each device would be sent, or why not"},
};
static const xrem_opt campaign_list_opts[] = {
        {0, "state", "STATE", "draft, running, paused, halted, done or cancelled"},
        {'n', "limit", "N", "at most so many, newest first; default 20"},
};
static const xrem_opt campaign_devices_opts[] = {
        {0, "state", "STATE",
         "pending delayed ordered checking succeeded failed skipped cancelled"},
        {'n', "limit", "N", "at most so many; default all"},
};
static const xrem_opt campaign_retry_opts[] = {
        {0, "class", "CLASS", "only failures of this class, or of several with commas"},
};
static const xrem_opt campaign_rollback_opts[] = {
        {0, "package", "PACKAGE", "all to this one; default: each to what it had"},
        {0, "url", "URL", "instead: where they fetch it"},
        {0, "to", "VERSION", "with --url: what they run then"},
};
static const xrem_opt campaign_watch_opts[] = {
        {0, "for", "SECONDS", "give up then (exit code 5)"},
};
static const xrem_opt job_list_opts[] = {
        {0, "state", "STATE", "queued notified in_session waiting done failed expired cancelled"},
        {'n', "limit", "N", "at most so many, newest first; default 20"},
};
static const xrem_opt event_opts[] = {
        {'f', "follow", NULL, "go on with those that come, until Ctrl-C"},
        {0, "after", "ID", "those behind this one"},
        {0, "kind", "KIND", "whose kind begins so, such as alarm."},
        {0, "device", "NAME", "of this device"},
        {'n', "limit", "N", "at most so many; default 20, with --follow 10"},
};
static const xrem_opt rule_set_opts[] = {
        {0, "enabled", "YESNO", "yes or no"},
        {0, "file", "FILE", "JSON with the members that change"},
};
static const xrem_opt template_add_opts[] = {
        {0, "mode", "MODE", "watch: show drift; enforce: put it right"},
};
static const xrem_opt template_set_opts[] = {
        {0, "enabled", "YESNO", "yes or no"},
        {0, "file", "FILE", "JSON with the members that change"},
        {0, "mode", "MODE", "watch or enforce"},
};
static const xrem_opt template_devices_opts[] = {
        {0, "state", "STATE", "unknown, conform, drifted, applying or failed"},
        {'n', "limit", "N", "at most so many; default all"},
};
static const xrem_opt package_list_opts[] = {
        {0, "name", "NAME", "all versions of this name"},
        {'n', "limit", "N", "at most so many, newest first; default all"},
};
static const xrem_opt package_show_opts[] = {
        {0, "device", "NAME", "whether it fits this device, and the URL it is given"},
};
#define FITS_OPTS                                                                               \
        {0, "maker", "TEXT", "fits devices of this maker; may be given several times"},         \
                {0, "model", "TEXT", "fits this model; may be given several times"},            \
                {0, "hwv", "RANGE", "fits these versions of the hardware, such as '>=1.2 <2'"}, \
                {0, "fwv", "RANGE", "of the firmware"},                                         \
        {                                                                                       \
                0, "swv", "RANGE", "of the software"                                            \
        }
static const xrem_opt package_add_opts[] = {
        {0, "name", "NAME", "what it is called"},
        {0, "version", "TEXT", "name and version together are used once"},
        {0, "kind", "KIND", "firmware, software or configuration; default firmware"},
        {0, "component", "ID", "of software: the component's ID on the device"},
        FITS_OPTS,
        {0, "sign", "FILE", "sign with this private Ed25519 key, PEM"},
        {0, "signature", "FILE", "the signature; default FILE.sig, if there is one"},
        {0, "file", "NAME", "name at the end of the URL; default that of FILE"},
        {0, "url", "URL", "devices fetch it there; nothing is uploaded"},
        {0, "media-type", "TYPE", "default application/octet-stream"},
        {0, "notes", "TEXT", "anything worth knowing"},
};
static const xrem_opt package_set_opts[] = {
        FITS_OPTS,
        {0, "fits-all", NULL, "fits every device again"},
        {0, "notes", "TEXT", "empty clears it"},
};
static const xrem_opt package_fetch_opts[] = {
        {'o', "output", "FILE", "default: its file name"},
};
static const xrem_opt device_expect_opts[] = {
        {0, "interval", "TIME", "it calls so often: 90, 5m, 6h; never, or device: as it says"},
        {0, "awake", "TIME", "it stays awake so long after a call; always, or device"},
        {0, "gateway", "NAME", "the device it is behind; empty: none"},
};
static const xrem_opt alarm_list_opts[] = {
        {0, "state", "STATE", "active, cleared or suppressed"},
        {0, "all", NULL, "in any state"},
        {0, "severity", "LIST", "critical, major, minor, warning, indeterminate"},
        {0, "prefix", "TEXT", "how the name of the device begins"},
        {0, "unseen", NULL, "only those that nobody has acknowledged"},
        {0, "since", "TIME", "changed then or later, such as 2026-11-22T16:35:05Z"},
        {'n', "limit", "N", "at most so many; default all"},
};
static const xrem_opt alarm_counts_opts[] = {
        {0, "prefix", "TEXT", "how the name of the device begins"},
};
static const xrem_opt alarm_ack_opts[] = {
        {0, "comment", "TEXT", "what is being done"},
        {0, "undo", NULL, "nobody has, after all"},
};
static const xrem_opt alarm_clear_opts[] = {
        {0, "comment", "TEXT", "why"},
};
static const xrem_opt alarm_raise_opts[] = {
        {0, "source", "TEXT", "what at the device it is about"},
        {0, "severity", "SEVERITY", "critical, major, minor, warning, indeterminate, cleared"},
        {0, "text", "TEXT", "for people"},
        {0, "type", "TYPE", "event type of X.733, such as equipmentAlarm"},
        {0, "probable", "CAUSE", "probable cause of X.733, such as powerProblem"},
};
static const xrem_opt alarm_rules_opts[] = {
        {0, "file", "FILE", "replace the rules of operators by this JSON list (role admin)"},
};
static const xrem_opt metric_get_opts[] = {
        {0, "from", "TIME", "such as 2026-11-22T16:00:00Z, or -2h: so long ago; default a day"},
        {0, "to", "TIME", "the same; default now"},
        {0, "step", "STEP", "raw, or a time such as 5m, 1h, 1d; default: what fits"},
        {0, "csv", NULL, "print CSV"},
};
static const xrem_opt metric_put_opts[] = {
        {0, "at", "TIME", "when it was measured; default now"},
};
#define SELECTOR_OPTS                                                                  \
        {0, "device", "NAME", "this device; may be given several times"},              \
                {0, "prefix", "TEXT", "devices whose names begin so"},                 \
                {0, "tag", "TAG", "devices with this tag; several: with all of them"}, \
                {0, "model", "MODEL", "devices of this model"},                        \
        {                                                                              \
                0, "all", NULL, "all devices"                                          \
        }
static const xrem_opt metric_collect_opts[] = {
        {0, "every", "SECONDS", "time between two samples"},
        {0, "function", "URI", "start this function instead, such as ./DiagMon/Memory"},
        {0, "period", "SECONDS", "time between reports of a function; default: as --every"},
        {0, "name", "TEXT", "what people call it"},
        SELECTOR_OPTS,
};
static const xrem_opt threshold_add_opts[] = {
        {0, "low", "VALUE", "at this or below it is crossed"},
        {0, "high", "VALUE", "at this or above it is crossed"},
        {0, "hysteresis", "VALUE", "how far back is normal again; default 0"},
        {0, "severity", "WORD", "critical, major, minor, warning or indeterminate"},
        {0, "name", "TEXT", "what people call it"},
        SELECTOR_OPTS,
};
static const xrem_opt webhook_add_opts[] = {
        {0, "kind", "KIND", "whose kind begins so, such as alarm.; may be given several times"},
        {0, "prefix", "TEXT", "of devices whose names begin so"},
        {0, "secret", "TEXT", "signs what is sent; made up when left out"},
};
static const xrem_opt webhook_set_opts[] = {
        {0, "url", "URL", "another URL"},
        {0, "kind", "KIND", "replaces all kinds; may be given several times"},
        {0, "prefix", "TEXT", "of devices whose names begin so; empty: of all"},
        {0, "secret", "TEXT", "another secret"},
        {0, "enabled", "YESNO", "yes or no"},
};
static const xrem_opt session_list_opts[] = {
        {'n', "limit", "N", "at most so many, newest first; default 20"},
};
static const xrem_opt session_show_opts[] = {
        {0, "summary", NULL, "a line per command and status"},
        {0, "raw", NULL, "the octets as they were on the wire (role admin)"},
        {0, "secrets", NULL, "do not mask credentials and nonces (role admin)"},
};
static const xrem_opt token_add_opts[] = {
        {0, "role", "ROLE", "viewer, operator or admin; default viewer"},
        {0, "scope", "PREFIX", "only devices whose names begin so"},
        {0, "expires", "TIME", "such as 2027-01-31T00:00:00Z"},
};
static const xrem_opt msg_decode_opts[] = {
        {0, "summary", NULL, "a line per command and status"},
        {'o', "output", "FILE", "write to a file"},
};
static const xrem_opt msg_convert_opts[] = {
        {0, "to", "CODEC", "xml or wbxml; default the other one"},
        {'o', "output", "FILE", "write to a file"},
};
static const xrem_opt tnds_to_opts[] = {
        {0, "xml", NULL, "convert to an XML document instead"},
        {0, "wbxml", NULL, "convert to a WBXML document instead"},
        {'o', "output", "FILE", "write to a file"},
};
static const xrem_opt tnds_from_opts[] = {
        {0, "xml", NULL, "an XML document (the default)"},
        {0, "wbxml", NULL, "a WBXML document"},
        {'o', "output", "FILE", "write to a file"},
};
static const xrem_opt notify_make_opts[] = {
        {0, "server-id", "ID", "the server's identifier"},
        {0, "password", "TEXT", "the server's password at the device"},
        {0, "password-file", "FILE", "a file whose first line is the password"},
        {0, "secret", "B64", "B64(MD5(id:password)) instead of the password"},
        {0, "nonce", "OCTETS", "the server nonce; default four zero octets"},
        {0, "session", "N", "session number, decimal or 0x..; default 1"},
        {0, "ui", "MODE", "unspecified, background (default), informative, interaction"},
        {0, "initiator", "WHO", "server (the default) or user"},
        {0, "protocol", "N", "version field, 10 to 13; default 11 for DM 1.2"},
        {0, "vendor", "OCTETS", "vendor specific octets at the end"},
        {0, "wsp", NULL, "with the WSP push around it, as UDP and SMS carry it"},
        {0, "tid", "N", "transaction number of the push; default 1"},
        {0, "b64", NULL, "print base64; default hexadecimal"},
        {0, "raw", NULL, "write the octets as they are"},
        {'o', "output", "FILE", "write the octets to a file"},
};
static const xrem_opt notify_decode_opts[] = {
        {0, "password", "TEXT", "check the digest with this server password"},
        {0, "password-file", "FILE", "a file whose first line is the password"},
        {0, "secret", "B64", "B64(MD5(id:password)) instead of the password"},
        {0, "nonce", "OCTETS", "the server nonce to check with"},
};
static const xrem_opt bootstrap_make_opts[] = {
        {0, "server-id", "ID", "the server's identifier"},
        {0, "url", "URL", "where the server listens, such as https://dm.example/dm"},
        {0, "user", "USER", "name the device proves itself by"},
        {0, "password", "TEXT", "the device's password"},
        {0, "password-file", "FILE", "a file whose first line is the password"},
        {0, "auth", "TYPE", "md5 (the default), mac, basic or none"},
        {0, "nonce", "OCTETS", "the first nonce of the device"},
        {0, "server-user", "USER", "name the server proves itself by; default: its identifier"},
        {0, "server-password", "TEXT", "the server's password"},
        {0, "server-password-file", "FILE", "a file whose first line is the server's password"},
        {0, "server-auth", "TYPE", "md5 (the default), mac, basic or none"},
        {0, "server-nonce", "OCTETS", "the first nonce of the server"},
        {0, "name", "TEXT", "what people call the account"},
        {0, "node", "NAME", "what the node is called (dm); default: the device chooses"},
        {0, "devid", "ID", "DevId of the device (dm); default: any"},
        {0, "profile", "NAME", "dm (the default), or cp: Client Provisioning"},
        {0, "pin", "PIN", "what the user will be told; made up when left out"},
        {0, "network-key", "TEXT", "what the network knows of the device, such as the IMSI"},
        {0, "network-key-file", "FILE", "a file whose first line is that"},
        {0, "sec", "WORD", "how it is proved, such as USERPIN; default: by what is given"},
        {0, "push", NULL, "as a WSP push; default: with a MIME header"},
        {'o', "output", "FILE", "write to a file"},
};
static const xrem_opt bootstrap_show_opts[] = {
        {0, "pin", "PIN", "check it with this PIN"},
        {0, "network-key", "TEXT", "check it with what the network knows"},
        {0, "network-key-file", "FILE", "a file whose first line is that"},
        {0, "secrets", NULL, "do not mask passwords and nonces"},
};
static const xrem_opt auth_compute_opts[] = {
        {'u', "user", "USER", "user name"},
        {'p', "password", "TEXT", "password"},
        {0, "password-file", "FILE", "a file whose first line is the password"},
        {0, "nonce", "OCTETS", "nonce, for md5 and mac; default empty"},
        {0, "body", "FILE", "the message, for mac"},
        {0, "alg", "ALG", "md5 (the default) or sha256, for mac"},
};

/* ---- explanations that take more than a line -------------------------------------- */

#define TEXT_OCTETS                                                           \
        "OCTETS are base64 (or b64:...), hexadecimal as hex:00ff, or plain\n" \
        "characters as text:abc.\n"
#define TEXT_WAKE                                                                    \
        "The server makes a job of it, wakes the device and waits for the answer;\n" \
        "after --timeout the job goes on without us (exit code 5).\n"

static const char get_text[] =
        "With one leaf its value is printed alone; octets are printed as base64\n"
        "unless --raw or --output is given. An interior node prints the names of its\n"
        "children. URI may end in ?prop=NAME or ?list=Struct, StructData or TNDS.\n" TEXT_WAKE;
static const char set_text[] = "Replaces the value of a leaf.\n" TEXT_WAKE;
static const char add_text[] =
        "Adds a leaf, with --node an interior node, with --tnds a subtree. For a\n"
        "subtree URI is the node below which it goes.\n" TEXT_WAKE;
static const char run_text[] =
        "FILE is a JSON list such as [{\"cmd\": \"replace\", \"uri\": \"./A/b\", \"data\": "
        "\"1\"}],\n"
        "as docs/openapi.yaml tells. One job is made of all of them.\n" TEXT_WAKE;
static const char tree_text[] =
        "Draws the tree below URI (the root when left out) with types and values.\n"
        "The device is asked, unless --mirror is given. With --long, Access is the first\n"
        "letters of Add, Copy, Delete, Exec, Get and Replace.\n";
static const char ddf_show_text[] =
        "Access is the first letters of Add, Copy, Delete, Exec, Get and Replace. Occurs\n"
        "is 1, ? (none or one), * (any number), + (one or more) or a range.\n";
static const char tnds_text[] =
        "FILE is a TNDS document, XML or WBXML. It is printed as a list with a line a\n"
        "node: URI, format, type and value, between them tabs; \\t, \\n, \\r, \\\\ and\n"
        "\\xNN stand for what cannot be written plainly, and octets are base64. With\n"
        "--json a list of objects, which also has ACL and title.\n";
static const char tnds_from_text[] =
        "FILE is a list as 'xrem tnds to' prints it, or its JSON form. Interior nodes\n"
        "that are left out are made.\n";
static const char rule_text[] =
        "FILE is JSON with name, on (how the kind of event begins), where (conditions on\n"
        "its data), devices (a selector), do (jobs, tags, campaigns, notices) and\n"
        "again_after (seconds); docs/rules.md has examples. - is standard input.\n";
static const char template_text[] =
        "FILE is JSON with name, devices (a selector), nodes (uri, and data or absent), mode,\n"
        "every (seconds between checks), priority, atomic; docs/configuration.md has examples.\n"
        "- is standard input.\n";
static const char template_diff_text[] =
        "A line for each node that is not as a template wants it, or cannot be compared.\n"
        "Values of secrets are not shown.\n";
static const char campaign_text[] =
        "It is a draft until it is started.  Devices are ordered wave by wave, each ends with a\n"
        "verdict: docs/campaigns.md.\n";
static const char campaign_watch_text[] =
        "Exit code 0 when it is done and no device failed, else 1.\n";
static const char package_text[] = "A package is named by its number, or as NAME@VERSION.\n";
static const char package_add_text[] =
        "The content goes in pieces, each of which the server has durably before the next is "
        "sent.\n"
        "When the connection breaks it is tried again; the same command later goes on where the\n"
        "server says. The server checks hash and, if it has keys, signature (docs/packages.md).\n";
static const char expect_text[] =
        "Without options it shows when the device is to call, and who says so. A device that\n"
        "misses its calls is unreachable (docs/presence.md).\n";
static const char gateway_replace_text[] =
        "The name, its tags, jobs, alarms and measurements stay. A device that has that DevId\n"
        "already goes, and its account and place are the name's (docs/gateways.md): you are asked\n"
        "whether that is meant. Without such an account the name's gets new passwords, which are\n"
        "shown this once; those of the old unit are good for nothing.\n";
static const char gateway_move_text[] =
        "Devices that attach elsewhere move by themselves; this is for what no gateway tells.\n";
static const char alarm_list_text[] =
        "Those that are active, of all devices or one, unless told otherwise.\n";
static const char alarm_raise_text[] =
        "Prints the number of the alarm. The same device, cause and source again is counted;\n"
        "severity cleared ends it.\n";
static const char alarm_rules_text[] =
        "FILE is a list such as [{\"alert\": \"urn:x:hot\", \"cause\": \"overheat\",\n"
        "\"severity\": \"major\"}]; docs/alarms.md has examples. - is standard input.\n";
static const char metric_get_text[] =
        "Shows samples, or steps with count, smallest, largest, mean and last, with a bar for\n"
        "each. Where samples were due and none came there is a line of its own. A DEVICE that\n"
        "ends in * means all whose names begin so, brought together.\n";
static const char metric_collect_text[] =
        "Each device is asked for the values of the nodes every so many seconds, at a moment of\n"
        "its own. METRIC is what the value is called; default: made of the URI. With --function\n"
        "the function is started on the device, which then reports by itself. Prints the id of\n"
        "the collection.\n";
static const char threshold_add_text[] =
        "A new sample that crosses it is an event metric.crossed, on which rules can act.\n";
static const char webhook_text[] =
        "Events from now on are sent in order, many in a POST, again and again until the\n"
        "answer is a success. The secret signs them (docs/webhooks.md); it is shown once.\n";
static const char event_text[] =
        "Prints the newest events, the last one at the end: time, number, kind, device\n"
        "and data. With --follow it goes on; a server that is away is waited for, and\n"
        "nothing is missed. With --json an object a line.\n";
static const char session_text[] =
        "Prints every message of a session, with direction, time and size, as XML. The\n"
        "last session is shown when ID is left out.\n";
static const char notify_decode_text[] =
        "FILE or - holds the octets, or their hexadecimal or base64 text; a WSP push\n"
        "around them is taken off. With a password or secret the digest is checked, and\n"
        "the exit code is 1 when it is wrong.\n" TEXT_OCTETS;
static const char bootstrap_make_text[] =
        "Makes the message by which a device without an account gets one: 'dremd\n"
        "--bootstrap FILE' takes it. It holds the passwords; what proves it is a PIN,\n"
        "which the user is told another way, the network's key, or both.\n" TEXT_OCTETS;
static const char bootstrap_show_text[] =
        "FILE or - holds the octets, or their hexadecimal or base64 text. With a PIN or\n"
        "key the proof is checked, and the exit code is 1 when it is wrong. The nodes\n"
        "are listed as 'xrem tnds to' does.\n";
static const char auth_text[] =
        "KIND is basic, md5, mac (of --body), or secret: B64(MD5(user:password)), which\n"
        "is all a server need keep.\n" TEXT_OCTETS;

/* ---- the table ---------------------------------------------------------------------- */

const xrem_cmd xrem_commands[] = {
        {NULL, "get", "NAME URI...", "Read nodes of a device", get_text, OPTS(get_opts), 2,
         XREM_ANY, "d-", xrem_run_get},
        {NULL, "set", "NAME URI [VALUE]", "Change the value of a node", set_text, OPTS(set_opts), 2,
         3, "d-", xrem_run_set},
        {NULL, "add", "NAME URI [VALUE]", "Add a node", add_text, OPTS(add_opts), 2, 3, "d-",
         xrem_run_add},
        {NULL, "delete", "NAME URI...", "Delete nodes with all below them", TEXT_WAKE,
         OPTS(wait_opts), 2, XREM_ANY, "d-", xrem_run_delete},
        {NULL, "copy", "NAME SOURCE TARGET", "Copy a node", TEXT_WAKE, OPTS(wait_opts), 3, 3, "d-",
         xrem_run_copy},
        {NULL, "exec", "NAME URI [ARGUMENT]", "Run a node", TEXT_WAKE, OPTS(exec_opts), 2, 3, "d-",
         xrem_run_exec},
        {NULL, "run", "NAME", "Have a list of commands done, in order", run_text, OPTS(run_opts), 1,
         1, "d", xrem_run_run},
        {NULL, "tree", "NAME [URI]", "Show a device's tree", tree_text, OPTS(tree_opts), 1, 2, "d-",
         xrem_run_tree},
        {NULL, "event", "", "Show what happened, and what happens", event_text, OPTS(event_opts), 0,
         0, "", xrem_run_event, true},
        {NULL, "health", "", "Ask the server how it is", NULL, NULL, 0, 0, 0, "", xrem_run_health,
         true},
        {NULL, "help", "[COMMAND]", "Explain a command", NULL, NULL, 0, 0, 2, "c", xrem_run_help,
         true},
        {"device", "list", "", "List devices", NULL, OPTS(device_list_opts), 0, 0, "",
         xrem_run_device_list},
        {"device", "show", "NAME", "Show a device", NULL, OPTS(device_show_opts), 1, 1, "d",
         xrem_run_device_show},
        {"device", "add", "NAME", "Make a device known", NULL, OPTS(device_add_opts), 1, 1, "-",
         xrem_run_device_add},
        {"device", "set", "NAME", "Change what the server knows of a device", NULL,
         OPTS(device_set_opts), 1, 1, "d", xrem_run_device_set},
        {"device", "approve", "NAME", "Let a device in that is held", NULL, NULL, 0, 1, 1, "d",
         xrem_run_device_approve},
        {"device", "remove", "NAME", "Remove a device with its jobs and sessions", NULL, NULL, 0, 1,
         1, "d", xrem_run_device_remove},
        {"device", "wake", "NAME", "Ask a device to call the server now", NULL, NULL, 0, 1, 1, "d",
         xrem_run_device_wake},
        {"device", "expect", "NAME", "Show or say when a device is to call", expect_text,
         OPTS(device_expect_opts), 1, 1, "d", xrem_run_device_expect},
        {"gateway", "list", "", "List gateways", NULL, OPTS(gateway_list_opts), 0, 0, "",
         xrem_run_gateway_list},
        {"gateway", "show", "NAME", "Show a gateway, and the packages it keeps", NULL, NULL, 0, 1,
         1, "d", xrem_run_gateway_show},
        {"gateway", "devices", "NAME", "List the devices behind a gateway", NULL,
         OPTS(gateway_devices_opts), 1, 1, "d", xrem_run_gateway_devices},
        {"gateway", "sync", "NAME", "Read a gateway's whole inventory", NULL, NULL, 0, 1, 1, "d",
         xrem_run_gateway_sync},
        {"gateway", "replace", "NAME DEVID", "Put a new unit in the place of a broken one",
         gateway_replace_text, OPTS(gateway_replace_opts), 2, 2, "d-", xrem_run_gateway_replace},
        {"gateway", "move", "NAME", "Say behind which gateway a device is", gateway_move_text,
         OPTS(gateway_move_opts), 1, 1, "d", xrem_run_gateway_move},
        {"gateway", "forget", "NAME", "Forget that a device is a gateway", NULL, NULL, 0, 1, 1, "d",
         xrem_run_gateway_forget},
        {"job", "list", "[NAME]", "List jobs, newest first", NULL, OPTS(job_list_opts), 0, 1, "d",
         xrem_run_job_list},
        {"job", "show", "ID", "Show a job with its commands and results", NULL, NULL, 0, 1, 1, "-",
         xrem_run_job_show},
        {"job", "watch", "ID", "Wait for the end of a job", NULL, NULL, 0, 1, 1, "-",
         xrem_run_job_watch},
        {"job", "cancel", "ID", "Cancel a job", NULL, NULL, 0, 1, 1, "-", xrem_run_job_cancel},
        {"session", "list", "NAME", "List recent sessions of a device", NULL,
         OPTS(session_list_opts), 1, 1, "d", xrem_run_session_list},
        {"session", "show", "NAME [ID]", "Show what was said in a session", session_text,
         OPTS(session_show_opts), 1, 2, "d-", xrem_run_session_show},
        {"token", "list", "", "List who may use the server", NULL, NULL, 0, 0, 0, "",
         xrem_run_token_list},
        {"token", "add", "NAME", "Make a token; it is shown this once", NULL, OPTS(token_add_opts),
         1, 1, "-", xrem_run_token_add},
        {"token", "remove", "NAME", "Withdraw a token", NULL, NULL, 0, 1, 1, "-",
         xrem_run_token_remove},
        {"rule", "list", "", "List what is done when something happens", NULL, NULL, 0, 0, 0, "",
         xrem_run_rule_list},
        {"rule", "show", "ID", "Show a rule", NULL, NULL, 0, 1, 1, "-", xrem_run_rule_show},
        {"rule", "add", "FILE", "Make a rule", rule_text, NULL, 0, 1, 1, "f", xrem_run_rule_add},
        {"rule", "set", "ID", "Change a rule", NULL, OPTS(rule_set_opts), 1, 1, "-",
         xrem_run_rule_set},
        {"rule", "remove", "ID", "Remove a rule", NULL, NULL, 0, 1, 1, "-", xrem_run_rule_remove},
        {"template", "list", "", "List what devices are to have", NULL, NULL, 0, 0, 0, "",
         xrem_run_template_list},
        {"template", "show", "ID", "Show a template", NULL, NULL, 0, 1, 1, "-",
         xrem_run_template_show},
        {"template", "add", "FILE", "Say what devices are to have", template_text,
         OPTS(template_add_opts), 1, 1, "f", xrem_run_template_add},
        {"template", "set", "ID", "Change a template", NULL, OPTS(template_set_opts), 1, 1, "-",
         xrem_run_template_set},
        {"template", "remove", "ID", "Remove a template; devices stay as they are", NULL, NULL, 0,
         1, 1, "-", xrem_run_template_remove},
        {"template", "devices", "ID", "List its devices, and which have drifted", NULL,
         OPTS(template_devices_opts), 1, 1, "-", xrem_run_template_devices},
        {"template", "diff", "DEVICE", "Show how a device differs from its templates",
         template_diff_text, NULL, 0, 1, 1, "d", xrem_run_template_diff},
        {"template", "check", "ID [DEVICE]", "Look at its devices now, or at one", NULL, NULL, 0, 1,
         2, "-d", xrem_run_template_check},
        {"campaign", "create", "NAME", "Make a campaign: the same order for many devices",
         campaign_text, OPTS(campaign_create_opts), 1, 1, "-", xrem_run_campaign_create},
        {"campaign", "list", "", "List campaigns, newest first", NULL, OPTS(campaign_list_opts), 0,
         0, "", xrem_run_campaign_list},
        {"campaign", "show", "ID", "Show a campaign", NULL, NULL, 0, 1, 1, "-",
         xrem_run_campaign_show},
        {"campaign", "devices", "ID", "List what became of each device", NULL,
         OPTS(campaign_devices_opts), 1, 1, "-", xrem_run_campaign_devices},
        {"campaign", "watch", "ID", "Follow a campaign while it runs", campaign_watch_text,
         OPTS(campaign_watch_opts), 1, 1, "-", xrem_run_campaign_watch},
        {"campaign", "approve", "ID", "Approve a draft that somebody else made", NULL, NULL, 0, 1,
         1, "-", xrem_run_campaign_act},
        {"campaign", "start", "ID", "Start a draft", NULL, NULL, 0, 1, 1, "-",
         xrem_run_campaign_act},
        {"campaign", "pause", "ID", "Let no further device begin", NULL, NULL, 0, 1, 1, "-",
         xrem_run_campaign_act},
        {"campaign", "resume", "ID", "Go on after a pause or a halt", NULL, NULL, 0, 1, 1, "-",
         xrem_run_campaign_act},
        {"campaign", "cancel", "ID", "End a campaign", NULL, NULL, 0, 1, 1, "-",
         xrem_run_campaign_act},
        {"campaign", "retry", "ID", "Order again all devices that failed", NULL,
         OPTS(campaign_retry_opts), 1, 1, "-", xrem_run_campaign_retry},
        {"campaign", "rollback", "ID", "Bring all that succeeded back to what they had", NULL,
         OPTS(campaign_rollback_opts), 1, 1, "-", xrem_run_campaign_rollback},
        {"campaign", "remove", "ID", "Remove a campaign that has ended", NULL, NULL, 0, 1, 1, "-",
         xrem_run_campaign_remove},
        {"package", "list", "", "List packages for devices", NULL, OPTS(package_list_opts), 0, 0,
         "", xrem_run_package_list},
        {"package", "show", "PACKAGE", "Show a package", package_text, OPTS(package_show_opts), 1,
         1, "p", xrem_run_package_show},
        {"package", "add", "FILE", "Make a package of a file", package_add_text,
         OPTS(package_add_opts), 1, 1, "f", xrem_run_package_add},
        {"package", "set", "PACKAGE", "Change whom a package fits, and its notes", package_text,
         OPTS(package_set_opts), 1, 1, "p", xrem_run_package_set},
        {"package", "fetch", "PACKAGE", "Fetch the content of a package", package_text,
         OPTS(package_fetch_opts), 1, 1, "p", xrem_run_package_fetch},
        {"package", "remove", "PACKAGE", "Remove a package that no campaign needs", package_text,
         NULL, 0, 1, 1, "p", xrem_run_package_remove},
        {"alarm", "list", "[NAME]", "List alarms, newest change first", alarm_list_text,
         OPTS(alarm_list_opts), 0, 1, "d", xrem_run_alarm_list},
        {"alarm", "counts", "", "Count active alarms by severity", NULL, OPTS(alarm_counts_opts), 0,
         0, "", xrem_run_alarm_counts},
        {"alarm", "show", "ID", "Show an alarm with its history", NULL, NULL, 0, 1, 1, "-",
         xrem_run_alarm_show},
        {"alarm", "ack", "ID...", "Say that somebody has seen alarms", NULL, OPTS(alarm_ack_opts),
         1, XREM_ANY, "-", xrem_run_alarm_ack},
        {"alarm", "comment", "ID TEXT", "Write into the history of an alarm", NULL, NULL, 0, 2, 2,
         "-", xrem_run_alarm_comment},
        {"alarm", "judge", "ID SEVERITY", "Give an active alarm another severity", NULL, NULL, 0, 2,
         2, "-", xrem_run_alarm_judge},
        {"alarm", "clear", "ID...", "Say that alarms are over", NULL, OPTS(alarm_clear_opts), 1,
         XREM_ANY, "-", xrem_run_alarm_clear},
        {"alarm", "raise", "NAME CAUSE", "Raise an alarm for a device", alarm_raise_text,
         OPTS(alarm_raise_opts), 2, 2, "d-", xrem_run_alarm_raise},
        {"alarm", "rules", "", "Show or set which alert means which alarm", alarm_rules_text,
         OPTS(alarm_rules_opts), 0, 0, "", xrem_run_alarm_rules},
        {"metric", "list", "DEVICE", "List the metrics of a device", NULL, NULL, 0, 1, 1, "d",
         xrem_run_metric_list},
        {"metric", "get", "DEVICE METRIC", "Show samples of a metric", metric_get_text,
         OPTS(metric_get_opts), 2, 2, "d-", xrem_run_metric_get},
        {"metric", "put", "DEVICE METRIC=VALUE...", "Put samples of another source", NULL,
         OPTS(metric_put_opts), 2, XREM_ANY, "d-", xrem_run_metric_put},
        {"metric", "collect", "[[METRIC=]URI...]", "Ask devices for values again and again",
         metric_collect_text, OPTS(metric_collect_opts), 0, XREM_ANY, "-", xrem_run_metric_collect},
        {"metric", "collections", "", "List what is collected", NULL, NULL, 0, 0, 0, "",
         xrem_run_metric_collections},
        {"metric", "stop", "ID", "Stop a collection", NULL, NULL, 0, 1, 1, "-",
         xrem_run_metric_stop},
        {"threshold", "list", "", "List thresholds of metrics", NULL, NULL, 0, 0, 0, "",
         xrem_run_threshold_list},
        {"threshold", "add", "METRIC", "Have an event when a metric crosses a value",
         threshold_add_text, OPTS(threshold_add_opts), 1, 1, "-", xrem_run_threshold_add},
        {"threshold", "remove", "ID", "Remove a threshold", NULL, NULL, 0, 1, 1, "-",
         xrem_run_threshold_remove},
        {"webhook", "list", "", "List where events are carried to", NULL, NULL, 0, 0, 0, "",
         xrem_run_webhook_list},
        {"webhook", "add", "URL", "Have events carried to a URL", webhook_text,
         OPTS(webhook_add_opts), 1, 1, "-", xrem_run_webhook_add},
        {"webhook", "set", "ID", "Change a webhook, and try it at once", NULL,
         OPTS(webhook_set_opts), 1, 1, "-", xrem_run_webhook_set},
        {"webhook", "test", "ID", "Make an event webhook.test", NULL, NULL, 0, 1, 1, "-",
         xrem_run_webhook_test},
        {"webhook", "remove", "ID", "Remove a webhook", NULL, NULL, 0, 1, 1, "-",
         xrem_run_webhook_remove},
        {"msg", "decode", "[FILE]", "Print a message, XML or WBXML, as readable XML", NULL,
         OPTS(msg_decode_opts), 0, 1, "f", xrem_run_msg_decode},
        {"msg", "convert", "[FILE]", "Convert a message between XML and WBXML", NULL,
         OPTS(msg_convert_opts), 0, 1, "f", xrem_run_msg_convert},
        {"ddf", "check", "FILE...", "Check descriptions of management objects", NULL, NULL, 0, 1,
         XREM_ANY, "f", xrem_run_ddf_check},
        {"ddf", "show", "FILE", "Draw a description as a tree", ddf_show_text, NULL, 0, 1, 1, "f",
         xrem_run_ddf_show},
        {"tnds", "to", "FILE", "Print the nodes of a TNDS document", tnds_text, OPTS(tnds_to_opts),
         1, 1, "f", xrem_run_tnds_to},
        {"tnds", "from", "FILE", "Make a TNDS document of a list", tnds_from_text,
         OPTS(tnds_from_opts), 1, 1, "f", xrem_run_tnds_from},
        {"notify", "make", "", "Make a package 0", TEXT_OCTETS, OPTS(notify_make_opts), 0, 0, "",
         xrem_run_notify_make},
        {"notify", "decode", "[FILE]", "Read and check a package 0", notify_decode_text,
         OPTS(notify_decode_opts), 0, 1, "f", xrem_run_notify_decode},
        {"bootstrap", "make", "", "Make a message with a first account", bootstrap_make_text,
         OPTS(bootstrap_make_opts), 0, 0, "", xrem_run_bootstrap_make},
        {"bootstrap", "show", "[FILE]", "Look into a bootstrap message", bootstrap_show_text,
         OPTS(bootstrap_show_opts), 0, 1, "f", xrem_run_bootstrap_show},
        {"auth", "compute", "KIND", "Compute credentials and digests", auth_text,
         OPTS(auth_compute_opts), 1, 1, "-", xrem_run_auth_compute},
};
const size_t xrem_n_commands = ODM_COUNT(xrem_commands);

static bool same(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

const xrem_cmd *xrem_command_find(const char *group, const char *name)
{
        for (size_t i = 0; i < xrem_n_commands; i++)
                if (same(xrem_commands[i].group, group) && same(xrem_commands[i].name, name))
                        return &xrem_commands[i];
        return NULL;
}

bool xrem_is_group(const char *word)
{
        for (size_t i = 0; i < xrem_n_commands; i++)
                if (xrem_commands[i].group && same(xrem_commands[i].group, word))
                        return true;
        return false;
}

size_t xrem_command_names(const char *group, const char **names, size_t max)
{
        const char *last = NULL; /* the rows of a group stand together */
        size_t n = 0;

        for (size_t i = 0; i < xrem_n_commands && n < max; i++) {
                const xrem_cmd *cmd = &xrem_commands[i];

                if (same(cmd->group, group)) {
                        names[n++] = cmd->name;
                } else if (group == NULL && !same(cmd->group, last)) {
                        names[n++] = cmd->group;
                        last = cmd->group;
                }
        }
        return n;
}

bool xrem_cmd_is_local(const xrem_cmd *cmd)
{
        static const char *const groups[] = {"msg", "ddf", "tnds", "notify", "bootstrap", "auth"};

        for (size_t i = 0; i < ODM_COUNT(groups); i++)
                if (same(cmd->group, groups[i]))
                        return true;
        return cmd->group == NULL && same(cmd->name, "help");
}

const char *xrem_cmd_title(xrem *c, const xrem_cmd *cmd)
{
        return cmd->group ? xrem_fmt(c, "%s %s", cmd->group, cmd->name) : cmd->name;
}
