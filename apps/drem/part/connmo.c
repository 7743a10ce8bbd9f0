/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of this machine: ./NAP and ./Proxy, put into force by backend/network.h, and tried
 * before they are kept (mo-connmo.md 4).
 *
 * What is in force is kept in a file beside the tree, with how far a trial is.  Whatever the tree
 * says else is to be tried, so a power cut between the server's change and its trial loses nothing.
 *
 *     PHASE TRIES
 *     effect BASE64              of the settings in force (odm_connmo_effect)
 *     failed URI ...             while the old settings come back: what is to be told, and why
 *     why BASE64
 *     settings                   in force, to the end (odm_connmo_save)                          */
#include "part/connmo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "mo.h"
#include "network.h"
#include "part/fm.h"

#define AGAIN_MS 200 /* a session has a transaction open */
#define FAILED 8     /* instances that are told of */
#define URI 96
#define RECORD_MAX ((size_t)3 << 20)
#define TYPE "urn:oma:at:x-xrem-fm:1.0:Alarm"

typedef struct settings { /* secrets */
        odm_buf saved, effect;
} settings;

typedef struct connmo_part {
        const part_host *host;
        odm_connmo objects;
        odm_trial trial;
        network *network;
        char *folder, *record;
        settings kept, tried; /* in force; under trial */
        char failed[FAILED][URI], why[200];
        size_t n_failed;
        bool first;   /* there is no record yet */
        bool telling; /* the old settings are in force, and nobody was told yet */
        bool backing; /* the tree is to be restored, once no transaction is open */
        bool stale;   /* the session that is open began with other settings than there are now */
        bool early;   /* a server was met while the settings of the start came into force */
        bool began;   /* one that is not stale, since the last rest */
        bool met;     /* and one was carried through */
        loop_timer clock, again;
} connmo_part;

static void act(connmo_part *p, odm_trial_action a);

/* ---- settings ----------------------------------------------------------------------------- */

static void settings_init(settings *s)
{
        odm_buf_init(&s->saved, &heap_mem, ODM_CONNMO_KEPT);
        odm_buf_init(&s->effect, &heap_mem, ODM_CONNMO_KEPT);
}

static void settings_done(settings *s)
{
        if (s->saved.n)
                odm_wipe(s->saved.p, s->saved.n);
        if (s->effect.n)
                odm_wipe(s->effect.p, s->effect.n);
        odm_buf_done(&s->saved);
        odm_buf_done(&s->effect);
}

static int settings_read(odm_tree *t, settings *out)
{
        settings s;
        int rc;

        settings_init(&s);
        rc = odm_connmo_save(t, &heap_mem, &s.saved);
        if (rc == 0)
                rc = odm_connmo_effect(t, &heap_mem, &s.effect);
        if (rc < 0) {
                settings_done(&s);
                return rc;
        }
        settings_done(out);
        *out = s;
        return 0;
}

static bool same(const odm_buf *a, const odm_buf *b)
{
        return odm_str_eq(odm_buf_view(a), odm_buf_view(b));
}

/* ---- the record ------------------------------------------------------------------------------ */

static int put_b64(odm_buf *b, const char *key, odm_str s)
{
        odm_arena a;
        odm_str e;
        int rc;

        odm_arena_init(&a, &heap_mem, RECORD_MAX);
        e = odm_b64_encode(&a, s.p ? s : ODM_STR(""));
        rc = e.p ? odm_buf_fmt(b, "%s %.*s\n", key, (int)e.n, e.p) : odm_arena_err(&a);
        odm_arena_done(&a);
        return rc;
}

static int put_record(const connmo_part *p, odm_trial_phase phase, odm_buf *b)
{
        int rc = odm_buf_fmt(b, "%s %u\n", odm_trial_phase_name(phase), p->trial.tries);

        if (rc == 0)
                rc = put_b64(b, "effect", odm_buf_view(&p->kept.effect));
        if (rc == 0)
                rc = odm_buf_str(b, ODM_STR("failed"));
        for (size_t i = 0; i < p->n_failed && rc == 0; i++)
                rc = odm_buf_fmt(b, " %s", p->failed[i]);
        if (rc == 0)
                rc = odm_buf_byte(b, '\n');
        if (rc == 0)
                rc = put_b64(b, "why", odm_cstr(p->why));
        if (rc == 0)
                rc = odm_buf_fmt(b, "settings\n");
        return rc < 0 ? rc : odm_buf_str(b, odm_buf_view(&p->kept.saved));
}

/* Durable on return: 0, or an error that is logged. */
static int keep_record(connmo_part *p, odm_trial_phase phase)
{
        diag d = {{0}};
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, RECORD_MAX);
        rc = put_record(p, phase, &b);
        if (rc == 0)
                rc = fsio_write(NULL, p->record, odm_buf_view(&b), 0600, &d);
        if (rc < 0)
                log_error("the settings in force cannot be kept",
                          log_text("reason", d.text[0] ? d.text : odm_err_text(rc)));
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return rc;
}

static odm_str take_line(odm_str *rest)
{
        const char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
        odm_str line = end ? odm_str_to(*rest, (size_t)(end - rest->p)) : *rest;

        *rest = odm_str_from(*rest, line.n + (end != NULL));
        return line;
}

static int take_b64(odm_str *rest, const char *key, odm_arena *a, odm_str *out)
{
        odm_str line = take_line(rest);

        if (!odm_str_starts(line, key))
                return ODM_EMALFORMED;
        return odm_b64_decode(a, odm_str_from(line, strlen(key)), out);
}

static int take_phase(odm_str *rest, odm_trial_phase *phase, unsigned *tries)
{
        odm_str line = take_line(rest);

        for (int i = ODM_TRIAL_STEADY; i <= ODM_TRIAL_BACK; i++) {
                const char *name = odm_trial_phase_name((odm_trial_phase)i);
                uint64_t n;
                if (!odm_str_starts(line, name) || line.n <= strlen(name) ||
                    odm_str_u64(odm_str_from(line, strlen(name) + 1), 1000, &n) < 0)
                        continue;
                *phase = (odm_trial_phase)i;
                *tries = (unsigned)n;
                return 0;
        }
        return ODM_EMALFORMED;
}

static int note_failed(void *ctx, odm_str uri)
{
        connmo_part *p = ctx;

        if (p->n_failed < FAILED && uri.n < URI)
                snprintf(p->failed[p->n_failed++], URI, "%.*s", (int)uri.n, uri.p);
        return 0;
}

static int take_failed(connmo_part *p, odm_str *rest)
{
        odm_str line = take_line(rest);
        size_t at = 6, n;

        if (!odm_str_starts(line, "failed"))
                return ODM_EMALFORMED;
        for (; at < line.n; at += n + 1) {
                odm_str word = odm_str_from(line, at);
                for (n = 0; n < word.n && word.p[n] != ' '; n++)
                        ;
                if (n)
                        (void)note_failed(p, odm_str_to(word, n));
        }
        return 0;
}

static int take_record(connmo_part *p, odm_str text, odm_trial_phase *phase, unsigned *tries)
{
        odm_str effect = ODM_ABSENT, why = ODM_ABSENT;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, RECORD_MAX);
        rc = take_phase(&text, phase, tries);
        if (rc == 0)
                rc = take_b64(&text, "effect ", &a, &effect);
        if (rc == 0)
                rc = take_failed(p, &text);
        if (rc == 0)
                rc = take_b64(&text, "why ", &a, &why);
        if (rc == 0 && !odm_str_is(take_line(&text), "settings"))
                rc = ODM_EMALFORMED;
        if (rc == 0)
                rc = odm_buf_str(&p->kept.effect, effect);
        if (rc == 0)
                rc = odm_buf_str(&p->kept.saved, text);
        if (rc == 0)
                snprintf(p->why, sizeof p->why, "%.*s", (int)why.n, why.p ? why.p : "");
        odm_arena_done(&a);
        return rc;
}

/* 0, ODM_ENOENT when there is none, or an error with the reason in `d`. */
static int load_record(connmo_part *p, odm_trial_phase *phase, unsigned *tries, diag *d)
{
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, RECORD_MAX);
        rc = fsio_read(p->record, RECORD_MAX, &b, d);
        if (rc == 0) {
                rc = take_record(p, odm_buf_view(&b), phase, tries);
                if (rc < 0)
                        diag_set(d, rc, "%s is damaged: remove it to take the tree's settings",
                                 p->record);
        }
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return rc;
}

/* ---- putting them into force -------------------------------------------------------------------- */

static void set_timer(connmo_part *p, loop_timer *t, odm_time due)
{
        if (loop_timer_set(p->host->loop, t, due) < 0)
                log_error("no memory for a timer");
}

static void happened(connmo_part *p, odm_trial_event e)
{
        act(p, odm_trial_on(&p->trial, e, loop_now()));
        set_timer(p, &p->clock, odm_trial_due(&p->trial));
}

/* A server that knows us by the address of before could not wake us. */
static void call_again(connmo_part *p)
{
        p->early = false;
        p->host->call(p->host->ctx, "network settings have come into force");
}

static void on_applied(void *ctx, const char *why)
{
        connmo_part *p = ctx;

        if (why)
                log_error("network settings cannot be put into force", log_text("reason", why));
        if (why && p->trial.phase == ODM_TRIAL_APPLY)
                snprintf(p->why, sizeof p->why, "%s", why);
        if (!why && p->early)
                call_again(p);
        happened(p, why ? ODM_TRIAL_NOT_APPLIED : ODM_TRIAL_APPLIED);
}

static void apply(connmo_part *p, network_cause cause)
{
        odm_nap naps[ODM_CONNMO_MAX];
        size_t n = 0;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)1 << 20);
        rc = odm_nap_choose(p->host->tree, &a, naps, &n);
        if (rc == 0)
                network_apply(p->network, naps, n, cause, on_applied, p);
        odm_arena_done(&a);
        if (rc < 0)
                on_applied(p, odm_err_text(rc));
}

/* ---- the way back -------------------------------------------------------------------------------- */

/* The tree first: what it says is then what comes into force, also after a power cut. */
static void go_back(connmo_part *p)
{
        int rc;

        if (p->n_failed == 0)
                (void)odm_connmo_differ(odm_buf_view(&p->kept.saved), odm_buf_view(&p->tried.saved),
                                        note_failed, p);
        if (!p->why[0])
                snprintf(p->why, sizeof p->why, "no server was reached (tries: %u)",
                         p->trial.tries);
        log_warn("the old network settings come back", log_text("reason", p->why));
        p->stale = true;
        (void)keep_record(p, ODM_TRIAL_BACK);
        rc = odm_connmo_restore(&p->objects, odm_buf_view(&p->kept.saved), loop_wall());
        p->backing = rc == ODM_ESTATE;
        if (p->backing) {
                set_timer(p, &p->again, odm_time_add(loop_now(), AGAIN_MS));
                return;
        }
        if (rc == 0)
                rc = p->host->moved(p->host->ctx);
        if (rc < 0) { /* once more, later */
                on_applied(p, odm_err_text(rc));
                return;
        }
        apply(p, NETWORK_BACK);
}

/* Where there is no ./DiagMon/FM the alert goes by itself. */
static int tell_plainly(connmo_part *p, const char *uri)
{
        char text[900], object[URI * 5], when[ODM_WALL_TEXT];
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .type = ODM_STR(TYPE),
                       .mark = ODM_STR("critical"),
                       .format = ODM_FMT_XML,
                       .source = odm_cstr(uri)};
        size_t at = 0;
        int n;

        for (const char *c = uri; *c; c++) /* no other mark-up can be in a name */
                at += (size_t)snprintf(object + at, sizeof object - at, *c == '&' ? "&amp;" : "%c",
                                       *c);
        odm_wall_format(loop_wall(), when);
        n = snprintf(text, sizeof text,
                     "<Alarm><Id>%s</Id><Severity>major</Severity><Cause>" FM_CONNECTIVITY
                     "</Cause><Object>%s</Object><Text>the old settings are back</Text>"
                     "<Time>%s</Time></Alarm>",
                     when, object, when);
        a.data = (odm_str){text, (size_t)n};
        return p->host->alert(p->host->ctx, ODM_ABSENT, &a);
}

static int tell_one(connmo_part *p, const char *uri)
{
        if (!odm_tree_exists(p->host->tree, ODM_STR("./DiagMon/FM")))
                return tell_plainly(p, uri);
        return fm_raise(p->host, FM_CONNECTIVITY, odm_cstr(uri), FM_MAJOR, odm_cstr(p->why));
}

/* Those told of are forgotten one by one: a power cut in between tells one again at most. */
static void tell(connmo_part *p)
{
        int rc = 0;

        p->telling = true;
        while (p->n_failed > 0 && rc == 0) {
                rc = tell_one(p, p->failed[p->n_failed - 1]);
                if (rc == 0)
                        p->n_failed--;
        }
        if (rc == ODM_ESTATE) {
                set_timer(p, &p->again, odm_time_add(loop_now(), AGAIN_MS));
                return;
        }
        if (rc < 0)
                log_error("the fall back cannot be told", log_text("reason", odm_err_text(rc)));
        p->telling = false;
        p->n_failed = 0;
        p->why[0] = 0;
        (void)keep_record(p, ODM_TRIAL_STEADY);
        log_info("the old network settings are in force");
}

static void on_again(void *ctx)
{
        connmo_part *p = ctx;

        if (p->backing)
                go_back(p);
        else if (p->telling)
                tell(p);
}

/* ---- a trial -------------------------------------------------------------------------------------- */

static int clear_one(void *ctx, odm_str uri)
{
        const connmo_part *p = ctx;
        int rc = fm_clear(p->host, FM_CONNECTIVITY, uri, ODM_STR("new settings are in force"));

        if (rc < 0)
                log_warn("an alarm cannot be cleared", log_text("reason", odm_err_text(rc)));
        return 0;
}

static void keep_tried(connmo_part *p)
{
        log_info("the new network settings are kept");
        (void)odm_connmo_differ(odm_buf_view(&p->kept.saved), odm_buf_view(&p->tried.saved),
                                clear_one, p);
        settings_done(&p->kept);
        p->kept = p->tried;
        settings_init(&p->tried);
        (void)keep_record(p, ODM_TRIAL_STEADY);
}

static void try_new(connmo_part *p)
{
        p->n_failed = 0;
        p->why[0] = 0;
        p->early = false; /* the trial calls */
        log_info("new network settings are tried", log_int("tries", p->trial.max_tries));
        if (keep_record(p, ODM_TRIAL_APPLY) < 0) /* no way back would survive a power cut */
                on_applied(p, "the settings in force cannot be kept");
        else
                apply(p, NETWORK_TRIAL);
}

static void call(connmo_part *p)
{
        log_info("the server is called with new network settings", log_int("try", p->trial.tries));
        (void)keep_record(p, ODM_TRIAL_TRY);
        p->host->call(p->host->ctx, "new network settings");
}

/* Once it is in force servers are called: nobody could be until now. */
static void apply_again(connmo_part *p)
{
        p->early = true;
        apply(p, NETWORK_TRIAL);
}

static void act(connmo_part *p, odm_trial_action a)
{
        switch (a) {
        case ODM_TRIAL_NOTHING: break;
        case ODM_TRIAL_DO_APPLY: try_new(p); break;
        case ODM_TRIAL_DO_CALL: call(p); break;
        case ODM_TRIAL_DO_KEEP: keep_tried(p); break;
        case ODM_TRIAL_DO_BACK: go_back(p); break;
        case ODM_TRIAL_DO_TELL: tell(p); break;
        case ODM_TRIAL_DO_AGAIN: apply_again(p); break;
        }
}

static void on_clock(void *ctx)
{
        happened(ctx, ODM_TRIAL_CLOCK);
}

/* Whether the tree says something else than what is in force.  What only people see is taken as it
 * is. */
static void compare(connmo_part *p)
{
        int rc = settings_read(p->host->tree, &p->tried);

        if (rc < 0) {
                log_error("the network settings cannot be read",
                          log_text("reason", odm_err_text(rc)));
        } else if (!same(&p->kept.effect, &p->tried.effect)) {
                happened(p, ODM_TRIAL_CHANGED);
        } else if (!same(&p->kept.saved, &p->tried.saved)) {
                odm_buf_cut(&p->kept.saved, 0);
                if (odm_buf_str(&p->kept.saved, odm_buf_view(&p->tried.saved)) == 0)
                        (void)keep_record(p, ODM_TRIAL_STEADY);
        }
}

static void connmo_rest(void *ctx, bool good)
{
        connmo_part *p = ctx;
        bool began = p->began, met = p->met;

        (void)good; /* one server that is reached is enough: it can mend the rest */
        p->began = p->met = false;
        if (began)
                happened(p, met ? ODM_TRIAL_REACHED : ODM_TRIAL_UNREACHED);
        if (p->trial.phase == ODM_TRIAL_STEADY && !p->telling && !p->backing)
                compare(p);
}

/* A session begins; nothing of ours waits to be told in it. */
static int connmo_alerts(void *ctx, odm_str server, int (*fn)(void *fn_ctx, const odm_alert *a),
                         void *fn_ctx)
{
        connmo_part *p = ctx;

        (void)server;
        (void)fn;
        (void)fn_ctx;
        p->stale = p->trial.phase == ODM_TRIAL_APPLY || p->trial.phase == ODM_TRIAL_SETTLE ||
                   network_busy(p->network);
        p->began |= !p->stale;
        return 0;
}

static void connmo_met(void *ctx, odm_str server)
{
        connmo_part *p = ctx;

        (void)server;
        p->met |= !p->stale;
        if (!p->stale || p->trial.phase != ODM_TRIAL_STEADY)
                return;
        p->early = network_busy(p->network);
        if (!p->early)
                call_again(p);
}

/* ---- life ------------------------------------------------------------------------------------------ */

static bool connmo_wanted(const cfg *c)
{
        return cfg_enum(c, "network.backend") != NETWORK_NONE;
}

static bool offers(void *ctx, odm_bearer b, odm_str addr)
{
        const connmo_part *p = ctx;
        const cfg *c = p->host->conf;
        size_t n = cfg_list_n(c, "network.ethernet");

        switch (b) {
        case ODM_BEARER_ETHERNET:
                for (size_t i = 0; i < n; i++)
                        if (!addr.p || odm_str_is(addr, cfg_list_at(c, "network.ethernet", i)))
                                return true;
                return false;
        case ODM_BEARER_WLAN: return cfg_str(c, "network.wlan") != NULL;
        case ODM_BEARER_3GPPPS: return cfg_bool(c, "network.modem");
        }
        return false;
}

static bool guards(void *ctx, odm_str uri)
{
        const connmo_part *p = ctx;

        return connmo_protected(p->host->conf, uri);
}

static void connmo_close(void *ctx)
{
        connmo_part *p = ctx;

        network_close(p->network);
        loop_timer_stop(&p->clock);
        loop_timer_stop(&p->again);
        settings_done(&p->kept);
        settings_done(&p->tried);
        free(p->folder);
        free(p->record);
        free(p);
}

static int connmo_mount(const part_host *h, void **out, diag *d)
{
        connmo_part *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->clock = (loop_timer){.fn = on_clock, .ctx = p};
        p->again = (loop_timer){.fn = on_again, .ctx = p};
        p->objects = (odm_connmo){.offers = offers, .guards = guards, .ctx = p};
        p->trial = (odm_trial){.trace = log_tracer(), .next = ODM_NEVER, .deadline = ODM_NEVER};
        settings_init(&p->kept);
        settings_init(&p->tried);
        p->folder = fsio_join(h->folder, "connmo");
        p->record = p->folder ? fsio_join(p->folder, "record") : NULL;
        rc = p->record
                     ? odm_connmo_mount(&p->objects, h->tree, &heap_mem, &odm_mo_nap, &odm_mo_proxy)
                     : ODM_ENOMEM;
        if (rc < 0)
                connmo_close(p);
        else
                *out = p;
        return rc;
}

static int connmo_fill(void *ctx, diag *d)
{
        connmo_part *p = ctx;
        odm_buf b;
        int rc = fsio_mkdir(p->folder, 0700, d);

        if (rc < 0)
                return rc;
        odm_buf_init(&b, &heap_mem, RECORD_MAX);
        p->first = fsio_read(p->record, RECORD_MAX, &b, NULL) == ODM_ENOENT;
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return connmo_make(p->host, &p->objects, p->first, d);
}

static int open_network(connmo_part *p)
{
        static const char *const folders[] = {NULL, "/etc/systemd/network",
                                              "/etc/NetworkManager/system-connections", NULL};
        const cfg *c = p->host->conf;
        network_opt o = {
                .loop = p->host->loop,
                .kind = (network_kind)cfg_enum(c, "network.backend"),
                .folder = cfg_str(c, "network.folder"),
                .wpa_folder = cfg_str(c, "network.wpa_folder"),
                .place = {.wlan = cfg_str(c, "network.wlan"), .ca = cfg_str(c, "network.wlan_ca")},
                .command = cfg_str(c, "network.command"),
                .command_ms = cfg_ms(c, "network.command_time")};

        if (o.kind == NETWORK_EXEC)
                o.folder = p->folder;
        else if (!o.folder)
                o.folder = folders[o.kind];
        return network_open(&o, &p->network);
}

/* What the tree says at the first start is in force, or nothing else is known to be. */
static int take_up(connmo_part *p, diag *d)
{
        odm_trial_phase phase = ODM_TRIAL_STEADY;
        unsigned tries = 0;
        int rc = p->first ? ODM_ENOENT : load_record(p, &phase, &tries, d);

        if (rc == ODM_ENOENT) {
                rc = settings_read(p->host->tree, &p->kept);
                if (rc == 0)
                        rc = keep_record(p, ODM_TRIAL_STEADY);
        }
        if (rc == 0)
                rc = settings_read(p->host->tree, &p->tried);
        if (rc < 0)
                return rc;
        if (phase == ODM_TRIAL_STEADY && same(&p->kept.effect, &p->tried.effect))
                apply(p, NETWORK_START);
        act(p, odm_trial_resume(&p->trial, phase, tries));
        return 0;
}

typedef struct accounts {
        char name[16][URI];
        size_t n;
} accounts;

static int note_account(void *ctx, odm_str name)
{
        accounts *a = ctx;

        if (a->n < ODM_COUNT(a->name) && name.n < URI - 32)
                snprintf(a->name[a->n++], URI, "./DMAcc/%.*s/PrefConRef", (int)name.n, name.p);
        return 0;
}

/* A server has the right to replace what is in its account, not to add to it. */
static int offer_references(const connmo_part *p)
{
        const odm_value none = {.format = ODM_FMT_CHR, .data = ODM_STR("")};
        accounts a = {.n = 0};
        int rc = 0;

        (void)odm_tree_children(p->host->tree, ODM_STR("./DMAcc"), note_account, &a);
        for (size_t i = 0; i < a.n && rc == 0; i++)
                if (!odm_tree_exists(p->host->tree, odm_cstr(a.name[i])))
                        rc = odm_tree_write(p->host->tree, odm_cstr(a.name[i]), &none, loop_wall());
        return rc;
}

static int connmo_open(void *ctx, diag *d)
{
        connmo_part *p = ctx;
        const cfg *c = p->host->conf;
        int rc;

        p->trial.max_tries = (unsigned)cfg_int(c, "network.tries");
        p->trial.settle_ms = cfg_ms(c, "network.settle_time");
        p->trial.wait_ms = cfg_ms(c, "network.retry_wait");
        p->trial.time_ms = cfg_ms(c, "network.trial_time");
        rc = open_network(p);
        if (rc == 0)
                rc = offer_references(p);
        return rc == 0 ? take_up(p, d) : rc;
}

static int connmo_status(const void *ctx, odm_buf *b)
{
        const connmo_part *p = ctx;
        int rc = odm_buf_fmt(b, "network: %s\n", odm_trial_phase_name(p->trial.phase));

        if (rc == 0 && p->trial.tries)
                rc = odm_buf_fmt(b, "network-tries: %u\n", p->trial.tries);
        return rc;
}

static const char *const roots[] = {ODM_NAP_AT, ODM_PROXY_AT, NULL};

const part_class part_connmo = {
        .name = "connmo",
        .roots = roots,
        .wanted = connmo_wanted,
        .mount = connmo_mount,
        .fill = connmo_fill,
        .open = connmo_open,
        .rest = connmo_rest,
        .alerts = connmo_alerts,
        .met = connmo_met,
        .status = connmo_status,
        .close = connmo_close,
};
