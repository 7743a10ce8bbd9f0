/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60000
#define DAY (24 * 60 * (int64_t)MINUTE)

static const char *const codec_words[] = {"wbxml", "xml", NULL};
static const char *const auth_words[] = {"md5", "basic", "mac", NULL};
static const odm_auth_type auth_types[] = {ODM_AUTH_MD5, ODM_AUTH_BASIC, ODM_AUTH_MAC};
static const char *const protocol_words[] = {"dm", "lwm2m", NULL};
static const char *const version_words[] = {"1.0", "1.1", NULL};
static const char *const security_words[] = {"none", "psk", "cert", NULL};
static const char *const fetch_words[] = {"coap", "", "http"}; /* as /5/0/8 counts */
static const char *const format_words[] = {"tlv", "json", "senml-json", "senml-cbor"};
static const char *const delivery_words[] = {"pull", "push", "both", NULL};
static const char *const severity_words[] = {"warning", "minor", "major", "critical", NULL};

const cfg_key scenario_keys[] = {
        {"run.server", CFG_STRING, NULL, "Where the devices call; --server wins."},
        {"run.api", CFG_STRING, NULL, "REST, for --create; --api wins."},
        {"run.server_id", CFG_STRING, "xrem", "Server Identifier."},
        {"run.seed", CFG_INT, NULL,
         "What is left to chance follows from it. Default: a new one each time, which is told.", 1,
         INT64_MAX},
        {"run.parallel", CFG_INT, "64", "Sessions at one time.", 1, SIM_PARALLEL_MAX},
        {"run.downloads", CFG_INT, "16", "Downloads at one time.", 1, 1000},
        {"run.image_max", CFG_SIZE, "64M", "Octets of the largest package.", 1, 1 << 30},
        {"run.wake", CFG_BOOL, "yes",
         "The devices listen for wake-ups, where the server is on this machine."},
        {"run.wake_port", CFG_INT, "0", "The port of that; 0: a free one.", 0, 65535},

        {"group *.count", CFG_INT, "1", "How many devices.", 1, SIM_DEVICES_MAX},
        {"group *.protocol", CFG_ENUM, "dm", "What they speak.", .choices = protocol_words},
        {"group *.server", CFG_STRING, NULL,
         "Where these call, such as a gateway; LwM2M: coap://HOST:PORT or coaps. Default: as all."},
        {"group *.server_id", CFG_STRING, NULL, "Its Server Identifier. Default: as all."},
        {"group *.behind", CFG_BOOL, "no",
         "A gateway is to tell of them: --create does not make them known to the server."},
        {"group *.prefix", CFG_STRING, NULL,
         "Names are this and the number. Default: sim/ and the group's name and /."},
        {"group *.first", CFG_INT, "1", "Number of the first device.", 0, 1000000000},
        {"group *.password", CFG_STRING, "sim-{n}",
         "Of device and server; {n} stands for the number."},
        {"group *.maker", CFG_STRING, "xrem", "./DevInfo/Man"},
        {"group *.model", CFG_STRING, "simulated", "./DevInfo/Mod"},
        {"group *.hwv", CFG_STRING, "1", "./DevDetail/HwV"},
        {"group *.fwv", CFG_STRING, "1.0", "./DevDetail/FwV before any update."},
        {"group *.swv", CFG_STRING, "1.0", "./DevDetail/SwV"},
        {"group *.tags", CFG_LIST, NULL, "Tags that --create gives them."},
        {"group *.codec", CFG_ENUM, "wbxml", "Form of their messages.", .choices = codec_words},
        {"group *.auth", CFG_ENUM, "md5", "How they prove themselves.", .choices = auth_words},
        {"group *.call", CFG_DURATION, "1m", "From one session to the next.", 100, 366 * DAY},
        {"group *.jitter", CFG_DURATION, "0",
         "Up to so much is added to it, drawn for each session.", 0, 366 * DAY},
        {"group *.start", CFG_DURATION, "1s", "The first sessions are spread over this.", 0,
         366 * DAY},
        {"group *.install", CFG_DURATION, "2s", "An installation takes this long.", 0, DAY},
        {"group *.reboot", CFG_DURATION, "1s", "And a restart this; the device is silent then.", 0,
         DAY},
        {"group *.tries", CFG_INT, "3", "Of a download that may succeed later.", 1, 1000},
        {"group *.retry_wait", CFG_DURATION, "2s", "Between two of them.", 0, DAY},
        {"group *.keys", CFG_PATH, NULL,
         "Folder of trusted keys, as dremd has it. Without it signatures are not looked at."},
        {"group *.link", CFG_SIZE, "0",
         "Octets a second of their connection, messages and packages alike; 0: as fast as can be.",
         0, 1 << 30},
        {"group *.software", CFG_BOOL, "no", "dm: they have SCOMO, and take software."},
        {"group *.diag", CFG_LIST, NULL,
         "dm: functions of DiagMon they have, of memory, battery, sensor, restart."},
        {"group *.traps", CFG_BOOL, "no", "dm: they have traps."},
        {"group *.version", CFG_ENUM, "1.0", "lwm2m: of LwM2M.", .choices = version_words},
        {"group *.security", CFG_ENUM, "none",
         "lwm2m: psk is DTLS, the endpoint's name its identity and the password its key; cert is\n"
         "DTLS with certificates.",
         .choices = security_words},
        {"group *.cert", CFG_STRING, NULL,
         "lwm2m, security = cert: file of its certificate, PEM; {n} stands for the number."},
        {"group *.key", CFG_STRING, NULL, "lwm2m, security = cert: file of its key, PEM; {n} too."},
        {"group *.ca", CFG_STRING, NULL, "lwm2m, security = cert: CA of the server's, PEM."},
        {"group *.bootstrap", CFG_BOOL, "no",
         "lwm2m: the server gives them their accounts (/bs), with which they then register."},
        {"group *.farewell", CFG_BOOL, "no", "lwm2m: they deregister before they restart."},
        {"group *.leaves", CFG_INT, "0",
         "lwm2m: so many devices are behind each of them, which is a gateway of LwM2M then.", 0,
         GROUP_LEAVES_MAX},
        {"group *.protocols", CFG_LIST, NULL,
         "lwm2m: by which they fetch packages, of coap and http. Default: both."},
        {"group *.formats", CFG_LIST, NULL,
         "lwm2m: what they speak besides text and octets, of tlv json senml-json senml-cbor.\n"
         "Default: the first two, with version = 1.1 all."},
        {"group *.lifetime", CFG_DURATION, "0",
         "lwm2m: of a registration. Default: three calls and a minute.", 0, 366 * DAY},
        {"group *.awake", CFG_DURATION, "0",
         "lwm2m: queue mode, they listen so long after each exchange; 0: always.", 0, DAY},
        {"group *.battery", CFG_INT, "100", "Per cent when it is full, up to 9 less by chance.", 1,
         100},
        {"group *.drain", CFG_DURATION, "0", "A per cent of it goes each time; 0: never.", 0,
         366 * DAY},
        {"group *.delivery", CFG_ENUM, "both", "lwm2m: how they take firmware.",
         .choices = delivery_words},

        {"fault *.kind", CFG_ENUM, NULL, "What happens.", .choices = fault_kinds},
        {"fault *.group", CFG_STRING, NULL, "To devices of this group. Default: of all."},
        {"fault *.devices", CFG_STRING, NULL, "Their numbers, such as 1-5, 9."},
        {"fault *.count", CFG_INT, NULL, "Or so many, drawn.", 0, SIM_DEVICES_MAX},
        {"fault *.share", CFG_STRING, NULL, "Or this part, drawn, such as 3%."},
        {"fault *.state", CFG_STRING, NULL,
         "power-cut, silence: when FUMO comes to this state, such as updating or 60."},
        {"fault *.for", CFG_DURATION, "0",
         "silence, power-cut, alarm: how long; 0: for ever, or a restart.", 0, 366 * DAY},
        {"fault *.rate", CFG_SIZE, "64k", "slow-link: octets a second, of messages too.", 1,
         1 << 30},
        {"fault *.skew", CFG_STRING, "1h", "clock-skew: how far, such as 90s or -2h."},
        {"fault *.status", CFG_INT, "503", "http-failure: the answer.", 300, 599},
        {"fault *.cause", CFG_STRING, "FAILED",
         "wrong-result: what is reported, such as FAILED, CORRUPT, NO_ROOM or OK."},
        {"fault *.after", CFG_DURATION, "0",
         "alarm: it comes so long after xremsim began; `for` is when it is over, 0: never.", 0,
         366 * DAY},
        {"fault *.alarm", CFG_STRING, "overheated", "alarm: its cause, a word."},
        {"fault *.severity", CFG_ENUM, "major", "alarm: how bad it is.", .choices = severity_words},
        {"fault *.text", CFG_STRING, "", "alarm: what it says to people."},
        {"fault *.wakes", CFG_INT, "1", "deaf: so many wake-ups are lost, the first ones.", 1,
         UINT16_MAX},
        {"fault *.always", CFG_BOOL, "no", "In each update anew, not once a device."},
};
const size_t scenario_n_keys = ODM_COUNT(scenario_keys);

/* ---- groups ------------------------------------------------------------------------------- */

static int wrong(diag *d, const cfg *c, const char *kind, const char *why)
{
        return diag_set(d, ODM_EINVAL, "[%s %s]: %s", kind, cfg_name(c), why);
}

static int read_names(group *g, const cfg *c, diag *d)
{
        sim_opt *o = &g->o;

        (void)snprintf(g->own_prefix, sizeof g->own_prefix, "sim/%s/", g->name);
        o->prefix = cfg_str(c, "group *.prefix") ? cfg_str(c, "group *.prefix") : g->own_prefix;
        o->password = cfg_str(c, "group *.password");
        o->n = (uint32_t)cfg_int(c, "group *.count");
        o->first = (uint32_t)cfg_int(c, "group *.first");
        o->stride = 1;
        o->n_tags = cfg_list_n(c, "group *.tags");
        if (o->n_tags > SIM_TAGS_MAX)
                return wrong(d, c, "group", "tags: more than 16");
        for (size_t i = 0; i < o->n_tags; i++)
                o->tag[i] = cfg_list_at(c, "group *.tags", i);
        if (strlen(o->prefix) > 100 || strchr(o->prefix, ':'))
                return wrong(d, c, "group", "prefix: is longer than 100 octets, or holds a colon");
        if (!o->password[0] || strlen(o->password) > 150)
                return wrong(d, c, "group", "password: has to be 1 to 150 octets");
        return 0;
}

/* A list of words as bits.  False: another word. */
static bool read_bits(const cfg *c, const char *key, const char *const *words, size_t n_words,
                      unsigned otherwise, unsigned *out)
{
        size_t n = cfg_list_n(c, key);

        *out = n ? 0 : otherwise;
        for (size_t i = 0; i < n; i++) {
                const char *word = cfg_list_at(c, key, i);
                size_t k = 0;
                while (k < n_words && (!words[k][0] || strcmp(word, words[k]) != 0))
                        k++;
                if (k == n_words)
                        return false;
                *out |= 1u << k;
        }
        return true;
}

static int read_formats(group *g, const cfg *c, diag *d)
{
        if (!read_bits(c, "group *.formats", format_words, ODM_COUNT(format_words),
                       g->v11 ? 0xf : 0x3, &g->formats))
                return wrong(d, c, "group", "formats: are tlv, json, senml-json, senml-cbor");
        if (!read_bits(c, "group *.protocols", fetch_words, ODM_COUNT(fetch_words), 0x5,
                       &g->protocols))
                return wrong(d, c, "group", "protocols: are coap and http");
        return 0;
}

static int read_certs(group *g, const cfg *c, diag *d)
{
        g->certs = cfg_enum(c, "group *.security") == 2;
        g->cert_file = cfg_str(c, "group *.cert");
        g->key_file = cfg_str(c, "group *.key");
        g->ca_file = cfg_str(c, "group *.ca");
        if (g->certs && (!g->cert_file || !g->key_file || !g->ca_file))
                return wrong(d, c, "group", "security: certificates need cert, key and ca");
        return 0;
}

static int read_lwm2m(group *g, const cfg *c, diag *d)
{
        int rc;

        g->kind = (group_kind)cfg_enum(c, "group *.protocol");
        g->v11 = cfg_enum(c, "group *.version") == 1;
        g->psk = cfg_enum(c, "group *.security") == 1;
        g->lifetime_ms = cfg_ms(c, "group *.lifetime");
        g->awake_ms = cfg_ms(c, "group *.awake");
        g->battery = (unsigned)cfg_int(c, "group *.battery");
        g->drain_ms = cfg_ms(c, "group *.drain");
        g->delivery = (group_delivery)cfg_enum(c, "group *.delivery");
        g->bootstrap = cfg_bool(c, "group *.bootstrap");
        g->farewell = cfg_bool(c, "group *.farewell");
        g->leaves = (unsigned)cfg_int(c, "group *.leaves");
        rc = read_formats(g, c, d);
        if (rc == 0)
                rc = read_certs(g, c, d);
        if (rc < 0)
                return rc;
        if (g->kind == GROUP_LWM2M && g->keys)
                return wrong(d, c, "group", "keys: are for OMA DM devices");
        if (g->lifetime_ms == 0)
                g->lifetime_ms = 3 * (g->call_ms + g->jitter_ms) + MINUTE;
        if (g->lifetime_ms < g->call_ms + g->jitter_ms)
                return wrong(d, c, "group", "lifetime: is over before the next call");
        return 0;
}

static int read_objects(group *g, const cfg *c, diag *d)
{
        static const char *const words[] = {"memory", "battery", "sensor", "restart"};

        g->software = cfg_bool(c, "group *.software");
        g->traps = cfg_bool(c, "group *.traps");
        for (size_t i = 0; i < cfg_list_n(c, "group *.diag"); i++) {
                size_t k = 0;
                while (k < ODM_COUNT(words) &&
                       strcmp(cfg_list_at(c, "group *.diag", i), words[k]) != 0)
                        k++;
                if (k == ODM_COUNT(words))
                        return wrong(d, c, "group",
                                     "diag: is memory, battery, sensor, restart, or some of them");
                g->diag |= 1u << k;
        }
        if (g->kind == GROUP_LWM2M && (g->software || g->traps || g->diag || g->link))
                return wrong(d, c, "group", "software, diag, traps, link: are for OMA DM devices");
        return 0;
}

static int read_group(scenario *s, const cfg *c, diag *d)
{
        group *g = &s->group[s->n_groups];
        uint32_t *all;
        int rc;

        *g = (group){.name = cfg_name(c),
                     .server = cfg_str(c, "group *.server"),
                     .server_id = cfg_str(c, "group *.server_id"),
                     .behind = cfg_bool(c, "group *.behind"),
                     .maker = cfg_str(c, "group *.maker"),
                     .model = cfg_str(c, "group *.model"),
                     .hwv = cfg_str(c, "group *.hwv"),
                     .fwv = cfg_str(c, "group *.fwv"),
                     .swv = cfg_str(c, "group *.swv"),
                     .call_ms = cfg_ms(c, "group *.call"),
                     .jitter_ms = cfg_ms(c, "group *.jitter"),
                     .start_ms = cfg_ms(c, "group *.start"),
                     .install_ms = cfg_ms(c, "group *.install"),
                     .reboot_ms = cfg_ms(c, "group *.reboot"),
                     .retry_ms = cfg_ms(c, "group *.retry_wait"),
                     .tries = (unsigned)cfg_int(c, "group *.tries"),
                     .keys = cfg_str(c, "group *.keys"),
                     .link = cfg_int(c, "group *.link")};
        rc = read_names(g, c, d);
        if (rc == 0)
                rc = read_lwm2m(g, c, d);
        if (rc == 0)
                rc = read_objects(g, c, d);
        if (rc < 0)
                return rc;
        g->o.codec = cfg_enum(c, "group *.codec") ? &odm_codec_xml : &odm_codec_wbxml;
        g->o.auth = auth_types[cfg_enum(c, "group *.auth")];
        if (g->o.n > SIM_DEVICES_MAX - s->devices - s->things)
                return wrong(d, c, "group", "count: more than a million devices in all");
        all = g->kind == GROUP_DM ? &s->devices : &s->things;
        g->begin = *all;
        *all += g->o.n;
        s->n_groups++;
        return 0;
}

static int read_groups(scenario *s, diag *d)
{
        size_t n = cfg_named_n(s->c, "group");
        int rc = 0;

        if (n == 0 || n > GROUPS_MAX)
                return diag_set(d, ODM_EINVAL,
                                n ? "more than 64 groups" : "there is no [group NAME]");
        for (size_t i = 0; i < n && rc == 0; i++)
                rc = read_group(s, cfg_named(s->c, "group", i), d);
        return rc;
}

/* ---- faults --------------------------------------------------------------------------------- */

/* Whether one of the devices that it is for has such a number. */
static bool meets_one(const scenario *s, const fault *f, fault_range r)
{
        for (size_t i = 0; i < s->n_groups; i++) {
                const sim_opt *o = &s->group[i].o;
                if ((f->group < 0 || f->group == (int)i) && r.to >= sim_number(o, 0) &&
                    r.from <= sim_number(o, o->n - 1))
                        return true;
        }
        return false;
}

static int read_where(scenario *s, fault *f, const cfg *c, diag *d)
{
        const char *in = cfg_str(c, "fault *.group"), *places = cfg_str(c, "fault *.devices"),
                   *share = cfg_str(c, "fault *.share");
        bool count = cfg_given(c, "fault *.count");

        if ((places != NULL) + (share != NULL) + count > 1)
                return wrong(d, c, "fault", "devices, count and share exclude each other");
        f->group = -1;
        for (size_t i = 0; in && i < s->n_groups; i++)
                if (strcmp(s->group[i].name, in) == 0)
                        f->group = (int)i;
        if (in && f->group < 0)
                return wrong(d, c, "fault", "group: there is no such group");
        f->share = -1;
        f->count = count ? (uint32_t)cfg_int(c, "fault *.count") : UINT32_MAX;
        if (share && fault_share(odm_cstr(share), &f->share) < 0)
                return wrong(d, c, "fault", "share: has to be a number and %, such as 2.5%");
        if (places && fault_places(odm_cstr(places), f->place, &f->n_places) < 0)
                return wrong(d, c, "fault", "devices: has to be at most 64 numbers and ranges");
        for (size_t i = 0; i < f->n_places; i++)
                if (!meets_one(s, f, f->place[i]))
                        return wrong(d, c, "fault", "devices: none has such a number");
        return 0;
}

static int read_skew(fault *f, const cfg *c, diag *d)
{
        odm_str text = odm_str_trim(odm_cstr(cfg_str(c, "fault *.skew")));
        bool minus = odm_str_starts(text, "-");

        if (cfg_duration_parse(odm_str_from(text, minus), &f->ms) < 0 || f->ms > 3650 * DAY)
                return wrong(d, c, "fault", "skew: has to be a time such as 90s or -2h");
        if (minus)
                f->ms = -f->ms;
        return 0;
}

static bool is_word(const char *s)
{
        size_t n = strlen(s);

        return n > 0 && n <= 64 &&
               strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

static int read_what(fault *f, const cfg *c, diag *d)
{
        const char *state = cfg_str(c, "fault *.state"), *cause = cfg_str(c, "fault *.cause");
        bool cut = f->kind == FAULT_POWER_CUT || f->kind == FAULT_SILENCE;

        f->ms = cfg_ms(c, "fault *.for");
        f->rate = cfg_int(c, "fault *.rate");
        f->status = (unsigned)cfg_int(c, "fault *.status");
        f->wakes = (uint32_t)cfg_int(c, "fault *.wakes");
        f->always = cfg_bool(c, "fault *.always");
        f->cause = odm_task_cause_of(odm_cstr(cause));
        f->after = cfg_ms(c, "fault *.after");
        f->alarm = cfg_str(c, "fault *.alarm");
        f->severity = cfg_str(c, "fault *.severity");
        f->text = cfg_str(c, "fault *.text");
        if (state && !cut)
                return wrong(d, c, "fault", "state: is for power-cut and silence");
        if (state && fault_state(odm_cstr(state), &f->state) < 0)
                return wrong(d, c, "fault", "state: is none of FUMO's");
        if (f->kind == FAULT_POWER_CUT && !state)
                return wrong(d, c, "fault", "state: a power cut needs one");
        if (strcmp(odm_task_cause_name(f->cause), cause) != 0)
                return wrong(d, c, "fault", "cause: is none of the causes");
        if (f->always && cut)
                return wrong(d, c, "fault", "always: a device would never come out of that");
        if (!is_word(f->alarm) || strpbrk(f->text, "<>&"))
                return wrong(d, c, "fault", "alarm, text: a word; text without < > and &");
        return f->kind == FAULT_CLOCK_SKEW ? read_skew(f, c, d) : 0;
}

static int read_fault(scenario *s, const cfg *c, diag *d)
{
        fault *f = &s->fault[s->n_faults];
        int kind = cfg_enum(c, "fault *.kind"), rc;

        if (kind < 0)
                return wrong(d, c, "fault", "kind: is needed");
        *f = (fault){.name = cfg_name(c), .kind = (fault_kind)kind};
        rc = read_where(s, f, c, d);
        if (rc == 0)
                rc = read_what(f, c, d);
        if (rc == 0)
                s->n_faults++;
        return rc;
}

static int read_faults(scenario *s, diag *d)
{
        size_t n = cfg_named_n(s->c, "fault");
        int rc = 0;

        if (n > FAULTS_MAX)
                return diag_set(d, ODM_EINVAL, "more than 64 faults");
        for (size_t i = 0; i < n && rc == 0; i++)
                rc = read_fault(s, cfg_named(s->c, "fault", i), d);
        return rc;
}

static uint64_t *draws_of(const scenario *s, const fault *f, size_t *n)
{
        uint64_t *v = malloc(((size_t)s->devices + s->things) * sizeof *v);

        *n = 0;
        for (size_t i = 0; v && i < s->n_groups; i++) {
                const group *g = &s->group[i];
                for (uint32_t k = 0; k < g->o.n && (f->group < 0 || f->group == (int)i); k++)
                        v[(*n)++] = fault_draw(s->seed, f->name, g->name, sim_number(&g->o, k));
        }
        return v;
}

int scenario_aim(scenario *s)
{
        for (size_t i = 0; i < s->n_faults; i++) {
                size_t n;
                uint64_t *v = draws_of(s, &s->fault[i], &n);
                if (!v)
                        return ODM_ENOMEM;
                fault_aim(&s->fault[i], v, n);
                free(v);
        }
        return 0;
}

uint64_t scenario_faults(const scenario *s, const group *g, uint32_t i)
{
        uint32_t n = sim_number(&g->o, i);
        uint64_t hit = 0;

        for (size_t k = 0; k < s->n_faults; k++) {
                const fault *f = &s->fault[k];
                if (f->group >= 0 && &s->group[f->group] != g)
                        continue;
                if (fault_hits(f, n, fault_draw(s->seed, f->name, g->name, n)))
                        hit |= 1ull << k;
        }
        return hit;
}

/* ---- life ------------------------------------------------------------------------------------- */

static void read_run(scenario *s)
{
        const cfg *c = s->c;

        s->seed = (uint64_t)cfg_int(c, "run.seed");
        s->parallel = (uint32_t)cfg_int(c, "run.parallel");
        s->downloads = (uint32_t)cfg_int(c, "run.downloads");
        s->image_max = (size_t)cfg_int(c, "run.image_max");
        s->wake = cfg_bool(c, "run.wake");
        s->wake_port = (uint16_t)cfg_int(c, "run.wake_port");
        if (s->parallel > s->devices + s->things)
                s->parallel = s->devices + s->things;
}

int scenario_load(scenario *s, const char *path, diag *d)
{
        int rc = cfg_new(scenario_keys, scenario_n_keys, &s->c);

        if (rc == 0)
                rc = cfg_load(s->c, path, d);
        if (rc == ODM_ENOENT && d && !d->text[0])
                diag_set(d, rc, "%s: there is no such file", path);
        if (rc == 0)
                rc = read_groups(s, d);
        if (rc == 0)
                rc = read_faults(s, d);
        if (rc == 0)
                read_run(s);
        return rc;
}

void scenario_done(scenario *s)
{
        cfg_free(s->c);
        s->c = NULL;
}
