/* SPDX-License-Identifier: Apache-2.0 */
/* agent.c - the life of dremd around its sessions; see agent.h.
 *
 * Whatever asks for a session puts a visit into a queue; one visit is under way at a time.
 *
 *     IDLE --visit--> BUSY --session over, more visits--> BUSY
 *       ^               +--session over, none left: schedule or back-off--+
 *       +-----------------------------------------------------------------+
 *     any --agent_stop()--> STOPPING                                                            */
#include "agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account_kept.h"
#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "program.h"
#include "rand.h"
#include "route.h"
#include "session.h"
#include "wake.h"

#define VISITS 16
#define RESTART_AGAIN_MS 60000 /* a restart that did not happen is tried again */
#define SYNC_PAUSE_MS 1000     /* between the session that asked for another, and that one */
#define GATHER_MS 500          /* alerts that come together go together */

typedef enum agent_state { IDLE, BUSY, STOPPING } agent_state;
static const char *const state_names[] = {"idle", "in session", "stopping"};

typedef struct visit { /* a session that is to be */
        char account[256];
        char session_id[5];
        unsigned alert;
        bool resync, resync_ascii;
} visit;

struct agent {
        const cfg *conf;
        const agent_app *app;
        loop *loop;
        device *device;
        tls_cred *tls;
        http_client *http;
        wake *wake;
        program *restarting;
        agent_state state;
        session *session;
        visit queue[VISITS];
        size_t n;
        loop_timer next, stop, report, restart, gather;
        unsigned failures; /* in a row */
        bool failed, met;  /* a session since the queue was last empty; one that was good */
        bool sync_wanted, config_changed;
        int64_t retry_after_ms;
        char restart_why[128]; /* "" when nobody wants it */
        bool whole;            /* the device is to start again, not the agent alone */
        bool gone;             /* dremd ends, to be started again */
        /* for people */
        uint64_t sessions, failed_sessions;
        odm_wall began, ended;
        char last_outcome[32], last_why[256], last_id[16];
};

static void enter(agent *g, agent_state to)
{
        log_debug("agent", log_text("from", state_names[g->state]),
                  log_text("to", state_names[to]));
        g->state = to; /* the only assignment to state in this file */
}

static void start_next(agent *g);
static bool add_visit(agent *g, const visit *v);

/* ---- the clock ------------------------------------------------------------------------ */

static void set_next(agent *g, int64_t ms)
{
        odm_time due = ms < 0 ? ODM_NEVER : odm_time_add(loop_now(), ms);

        if (loop_timer_set(g->loop, &g->next, due) < 0)
                log_error("no memory for the schedule");
}

/* Doubles with each failure; up to half of it is taken off at random, so that devices which failed
 * together do not come back together. */
static int64_t back_off(const agent *g)
{
        int64_t ms = cfg_ms(g->conf, "session.retry_min"),
                max = cfg_ms(g->conf, "session.retry_max");

        for (unsigned i = 1; i < g->failures && ms < max; i++)
                ms *= 2;
        if (ms > max)
                ms = max;
        ms -= (int64_t)rand_below((uint64_t)ms / 2 + 1);
        return ms > g->retry_after_ms ? ms : g->retry_after_ms + (int64_t)rand_below(1000);
}

static void schedule(agent *g)
{
        int64_t interval = objects_interval(g->device->tree) * 1000;

        if (g->failures > 0) {
                int64_t ms = back_off(g);
                if (g->met && interval > g->retry_after_ms && ms > interval)
                        ms = interval; /* who is there waits for no other */
                log_info("trying again later", log_int("seconds", (ms + 999) / 1000),
                         log_int("failures", g->failures));
                set_next(g, ms);
        } else if (g->sync_wanted) {
                set_next(g, SYNC_PAUSE_MS);
        } else {
                set_next(g, interval > 0 ? interval : -1);
        }
}

/* ---- tasks: their reports, and the restarts they want ------------------------------------- */

static void set_report(agent *g)
{
        odm_time due = odm_tasks_report_time(g->device->tasks, NULL);

        if (loop_timer_set(g->loop, &g->report, due) < 0)
                log_error("no memory for the schedule");
}

/* No session with `server` came about: its reports wait, those for others do not. */
static void put_off(agent *g, odm_str server)
{
        device *v = g->device;
        int rc = odm_tasks_unreached(v->tasks, server, loop_now(), loop_wall());

        if (rc == 0)
                rc = state_sync(v->state);
        if (rc < 0)
                log_error("the journal cannot be written", log_text("reason", state_why(v->state)));
        set_report(g);
}

/* The server that ordered it is called.  Without its account nobody can be told: it is tried again
 * later, since the account may come back. */
static void on_report(void *ctx)
{
        agent *g = ctx;
        visit v = {.alert = ODM_ALERT_CLIENT_INITIATED};
        odm_str server = ODM_ABSENT;
        odm_account a;
        odm_arena arena;

        if (g->state != IDLE || odm_tasks_report_time(g->device->tasks, &server).ms == ODM_NEVER.ms)
                return; /* after the session */
        odm_arena_init(&arena, &heap_mem, 65536);
        server = odm_arena_copy(&arena, server);
        if (odm_account_find(g->device->tree, server, &arena, &a) == 0 &&
            a.uri.n < sizeof v.account) {
                snprintf(v.account, sizeof v.account, "%.*s", (int)a.uri.n, a.uri.p);
                (void)add_visit(g, &v);
                start_next(g);
        } else {
                log_warn("no account of the server that waits for a report",
                         log_str("server", server));
        }
        if (!g->session)
                put_off(g, server);
        odm_arena_done(&arena);
}

static void on_task_ended(void *ctx)
{
        agent *g = ctx;

        if (g->state == IDLE)
                set_report(g);
}

static void on_restart_command(void *ctx, int code)
{
        agent *g = ctx;

        g->restarting = NULL;
        if (code != 0)
                log_error("firmware.restart failed", log_int("code", code));
        if (loop_timer_set(g->loop, &g->restart, odm_time_add(loop_now(), RESTART_AGAIN_MS)) < 0)
                log_error("no memory for a timer");
}

/* Between sessions: what was accepted there has been answered. */
static void restart_now(agent *g)
{
        const char *command = cfg_str(g->conf, "firmware.restart");
        const char *const argv[] = {"/bin/sh", "-c", command, NULL};
        const program_opt o = {.argv = argv, .done = on_restart_command, .ctx = g};
        diag d = {{0}};

        if (g->restarting || g->gone)
                return;
        log_info(g->whole ? "the device starts again" : "the agent starts again",
                 log_text("reason", g->restart_why));
        if (!command || !g->whole) {
                g->gone = true;
                agent_stop(g);
        } else if (program_start(g->loop, &o, &g->restarting, &d) < 0) {
                log_error("firmware.restart", log_text("reason", d.text));
                on_restart_command(g, 0);
        }
}

static void on_restart_time(void *ctx)
{
        agent *g = ctx;

        if (g->state == IDLE)
                restart_now(g);
}

static void on_restart_wanted(void *ctx, const char *why)
{
        agent *g = ctx;

        snprintf(g->restart_why, sizeof g->restart_why, "%s", why);
        g->whole = true;
        on_restart_time(g);
}

/* One that the whole device waits for is not made less by this. */
static void on_again_wanted(void *ctx, const char *why)
{
        agent *g = ctx;

        if (!g->restart_why[0])
                snprintf(g->restart_why, sizeof g->restart_why, "%s", why);
        on_restart_time(g);
}

const char *agent_restart(const agent *g)
{
        return g->gone ? g->restart_why : NULL;
}

/* ---- what the parts ask for ----------------------------------------------------------------- */

static int first_account(void *ctx, odm_str name)
{
        visit *v = ctx;

        snprintf(v->account, sizeof v->account, "./DMAcc/%.*s", (int)name.n, name.p);
        return 1;
}

/* While sessions fail they go with the next try. */
static void on_gathered(void *ctx)
{
        agent *g = ctx;

        if (g->state == IDLE && g->failures == 0)
                start_next(g);
}

/* There is an alert for `server`, or for anybody. */
static void on_tell(void *ctx, odm_str server)
{
        agent *g = ctx;
        visit v = {.alert = ODM_ALERT_CLIENT_INITIATED};
        odm_account a;
        odm_arena arena;

        if (g->state == STOPPING)
                return;
        odm_arena_init(&arena, &heap_mem, 65536);
        if (!server.p)
                (void)odm_tree_children(g->device->tree, ODM_STR("./DMAcc"), first_account, &v);
        else if (odm_account_find(g->device->tree, server, &arena, &a) == 0)
                snprintf(v.account, sizeof v.account, "%.*s", (int)a.uri.n, a.uri.p);
        odm_arena_done(&arena);
        if (v.account[0] && !add_visit(g, &v))
                log_debug("too many sessions are waiting: the alert goes with the next one");
        if (!g->gather.in &&
            loop_timer_set(g->loop, &g->gather, odm_time_add(loop_now(), GATHER_MS)) < 0)
                log_error("no memory for a timer");
}

static void on_call(void *ctx, const char *why)
{
        agent *g = ctx;

        log_debug("session wanted", log_text("reason", why));
        g->sync_wanted = true; /* after the one that is open */
        if (g->state == IDLE)
                set_next(g, 0);
}

static void on_firmware(void *ctx, const char *version)
{
        const agent *g = ctx;

        device_set_firmware(g->device, version);
}

/* ---- settings in the tree ---------------------------------------------------------------- */

static void on_config(void *ctx)
{
        agent *g = ctx;

        g->config_changed = true; /* taken up when the session is over */
}

static void take_config(agent *g)
{
        int level = objects_log_level(g->device->tree);

        g->config_changed = false;
        if (level >= 0 && level != (int)log_get_level()) {
                log_set_level((log_level)level);
                log_info("log level", log_text("level", log_level_names[level]));
        }
}

/* ./Vendor/xrem/Sync was accepted.  When the next session is there, its alert ends the matter. */
static void on_sync(void *ctx, odm_str correlator)
{
        agent *g = ctx;
        const state_alert a = {.alert = {.code = ODM_ALERT_GENERIC,
                                         .source = ODM_STR(OBJECTS_SYNC),
                                         .type = ODM_STR("org.xrem.device.sync"),
                                         .format = ODM_FMT_INT,
                                         .mark = ODM_STR("informational"),
                                         .data = ODM_STR("200"),
                                         .correlator = correlator},
                               .since = loop_wall()};

        g->sync_wanted = true;
        if (state_alert_add(g->device->state, &a) < 0)
                log_error("the alert of Sync cannot be kept");
}

/* ---- sessions ------------------------------------------------------------------------------ */

static bool add_visit(agent *g, const visit *v)
{
        for (size_t i = 0; i < g->n; i++)
                if (strcmp(g->queue[i].account, v->account) == 0 &&
                    strcmp(g->queue[i].session_id, v->session_id) == 0)
                        return true; /* it is to be anyway */
        if (g->n == VISITS)
                return false;
        g->queue[g->n++] = *v;
        return true;
}

static int add_account(void *ctx, odm_str name)
{
        visit v = {.alert = ODM_ALERT_CLIENT_INITIATED};

        snprintf(v.account, sizeof v.account, "./DMAcc/%.*s", (int)name.n, name.p);
        return add_visit(ctx, &v) ? 0 : 1;
}

void agent_sync(agent *g, const char *why)
{
        if (g->state == STOPPING)
                return;
        log_debug("session wanted", log_text("reason", why));
        g->sync_wanted = false;
        g->retry_after_ms = 0;
        (void)odm_tree_children(g->device->tree, ODM_STR("./DMAcc"), add_account, g);
        if (g->n == 0)
                log_warn("there is no account to call");
        start_next(g);
}

static void on_wake(void *ctx, const wake_call *call)
{
        agent *g = ctx;
        visit v = {.alert = ODM_ALERT_SERVER_INITIATED,
                   .resync = call->resync,
                   .resync_ascii = call->resync_ascii};

        if (g->state == STOPPING)
                return;
        snprintf(v.account, sizeof v.account, "%.*s", (int)call->account.n, call->account.p);
        memcpy(v.session_id, call->session_id, sizeof v.session_id);
        if (!add_visit(g, &v))
                log_warn("too many sessions are waiting");
        start_next(g);
}

static void write_status(const agent *g)
{
        char *path = fsio_join(cfg_str(g->conf, "agent.state"), "status");
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 16384);
        if (!path || agent_status(g, &b) < 0 ||
            fsio_write(NULL, path, odm_buf_view(&b), 0644, NULL) < 0)
                log_debug("the status file is not written");
        odm_buf_done(&b);
        free(path);
}

static void note_end(agent *g, const session_end *e)
{
        bool good = e->outcome == ODM_OUTCOME_DONE;

        g->sessions++;
        g->failed_sessions += !good;
        g->ended = loop_wall();
        snprintf(g->last_outcome, sizeof g->last_outcome, "%s", odm_outcome_name(e->outcome));
        snprintf(g->last_why, sizeof g->last_why, "%s", e->why);
        snprintf(g->last_id, sizeof g->last_id, "%.*s", (int)e->id.n, e->id.p ? e->id.p : "");
        if (g->app && g->app->over)
                g->app->over(g->app->app, good, e->stats.bytes_in, e->stats.bytes_out);
        if (good)
                log_info("session done", log_str("session", e->id),
                         log_int("messages", e->stats.messages_out),
                         log_int("commands", e->stats.commands),
                         log_int("bytes_in", (int64_t)e->stats.bytes_in),
                         log_int("bytes_out", (int64_t)e->stats.bytes_out));
        else
                log_warn("session failed", log_str("session", e->id),
                         log_text("outcome", g->last_outcome), log_text("reason", e->why));
}

/* Nothing waits any more: what comes next is the clock's. */
static void rest(agent *g)
{
        enter(g, IDLE);
        g->failures = g->failed ? g->failures + 1 : 0;
        g->failed = false;
        if (g->config_changed)
                take_config(g);
        if (state_tidy(g->device->state, g->device->tree) < 0)
                log_error("the journal cannot be compacted",
                          log_text("reason", state_why(g->device->state)));
        schedule(g);
        g->met = false;
        set_report(g);
        parts_rest(g->device->parts, g->failures == 0);
        if (g->restart_why[0])
                restart_now(g);
        write_status(g);
}

static void on_end(void *ctx, const session_end *e)
{
        agent *g = ctx;

        g->session = NULL;
        note_end(g, e);
        if (g->state == STOPPING) {
                loop_stop(g->loop);
                return;
        }
        g->failed |= e->outcome != ODM_OUTCOME_DONE;
        g->met |= e->outcome == ODM_OUTCOME_DONE;
        if (e->retry_after_ms > g->retry_after_ms)
                g->retry_after_ms = e->retry_after_ms;
        if (g->n > 0)
                start_next(g);
        else
                rest(g);
}

static int begin(agent *g, const visit *v, diag *d)
{
        const cfg *c = g->conf;
        const session_opt opt = {
                .loop = g->loop,
                .http = g->http,
                .device = g->device,
                .codec = cfg_enum(c, "session.codec") == 0 ? &odm_codec_wbxml : &odm_codec_xml,
                .account = odm_cstr(v->account),
                .session_id = v->session_id[0] ? odm_cstr(v->session_id) : ODM_ABSENT,
                .alert = v->alert,
                .resync = v->resync,
                .resync_ascii = v->resync_ascii,
                .dm13 = cfg_bool(c, "session.dm13"),
                .dm11 = cfg_bool(c, "session.dm11"),
                .basic = cfg_bool(c, "session.basic"),
                .gzip = cfg_bool(c, "transport.gzip"),
                .plain = (conf_plain)cfg_enum(c, "transport.plain_http"),
                .max_message = (uint32_t)cfg_int(c, "session.max_message"),
                .max_object = (uint32_t)cfg_int(c, "session.max_object"),
                .reply_ms = cfg_ms(c, "session.reply_time")};

        int rc = route_set(g->http, g->device->tree, c, opt.account);

        if (rc < 0)
                return diag_set(d, rc, "no way to the server: %s", odm_err_text(rc));
        return session_start(&opt, on_end, g, &g->session, d);
}

static void start_next(agent *g)
{
        while (g->state != STOPPING && !g->session && g->n > 0) {
                visit v = g->queue[0];
                diag d = {{0}};
                memmove(&g->queue[0], &g->queue[1], --g->n * sizeof v);
                loop_timer_stop(&g->next);
                g->retry_after_ms = 0;
                g->began = loop_wall();
                if (begin(g, &v, &d) == 0) {
                        enter(g, BUSY);
                        return;
                }
                log_error("no session", log_text("account", v.account), log_text("reason", d.text));
                snprintf(g->last_outcome, sizeof g->last_outcome, "not begun");
                snprintf(g->last_why, sizeof g->last_why, "%.250s", d.text);
                g->failed = true;
                if (g->n == 0)
                        rest(g);
        }
}

static void on_next(void *ctx)
{
        agent *g = ctx;

        agent_sync(g, g->failures ? "retry" : g->sync_wanted ? "Sync" : "schedule");
}

static void on_stop_time(void *ctx)
{
        loop_stop(ctx);
}

/* ---- life ------------------------------------------------------------------------------- */

static int read_cred(const cfg *c, tls_cred **out, diag *d)
{
        const tls_cred_opt to = {.ca_file = cfg_str(c, "transport.ca_file"),
                                 .cert_file = cfg_str(c, "transport.cert_file"),
                                 .key_file = cfg_str(c, "transport.key_file"),
                                 .crl_file = cfg_str(c, "transport.crl_file")};

        return tls_cred_new(&to, out, d);
}

int agent_check(const cfg *c, diag *d)
{
        tls_cred *cred = NULL;
        int rc = read_cred(c, &cred, d);

        tls_cred_free(cred);
        return rc;
}

static int open_http(agent *g, const char *version, diag *d)
{
        const cfg *c = g->conf;
        http_client_opt opt;
        char name[64];
        int rc = read_cred(c, &g->tls, d);

        if (rc < 0)
                return rc;
        snprintf(name, sizeof name, "xrem-%s/%s", g->app ? g->app->program : "dremd", version);
        http_client_opt_init(&opt);
        opt.tls = g->tls;
        opt.proxy = cfg_str(c, "transport.proxy");
        opt.proxy_auth = cfg_str(c, "transport.proxy_authorization");
        opt.user_agent = name;
        opt.connect_ms = cfg_ms(c, "transport.connect_time");
        opt.reply_ms = cfg_ms(c, "session.reply_time");
        opt.limits.max_body = (size_t)cfg_int(c, "session.max_message") * 2 + 65536;
        opt.max_inflated = opt.limits.max_body;
        opt.whole = session_is_whole;
        opt.trace = log_tracer();
        rc = http_client_new(g->loop, &opt, &g->http);
        return rc < 0 ? diag_set(d, rc, "transport.proxy is no URL of http") : 0;
}

static int open_wake(agent *g, diag *d)
{
        const cfg *c = g->conf;
        net_addr at;
        int rc;

        if (!cfg_bool(c, "wake.enabled"))
                return 0;
        rc = net_hostport_parse(cfg_str(c, "wake.listen"), &at);
        if (rc == 0)
                rc = wake_open(g->loop, &at, g->device, cfg_ms(c, "wake.min_interval"), on_wake, g,
                               &g->wake, d);
        if (rc == 0)
                device_set_wake(g->device, c, wake_port(g->wake));
        return rc;
}

static int open_parts(agent *g, diag *d)
{
        const parts_agent o = {.tell = on_tell,
                               .call = on_call,
                               .restart = on_restart_wanted,
                               .again = on_again_wanted,
                               .firmware = on_firmware,
                               .ended = on_task_ended,
                               .ctx = g};

        return parts_open(g->device->parts, g->loop, g->device->state, &o, d);
}

static void first_session(agent *g)
{
        int64_t jitter = cfg_ms(g->conf, "session.start_jitter");

        if (cfg_bool(g->conf, "session.on_start")) {
                set_next(g, jitter > 0 ? (int64_t)rand_below((uint64_t)jitter) : 0);
                return;
        }
        schedule(g);
        for (size_t i = 0; i < state_alerts(g->device->state); i++)
                on_tell(g, state_alert_at(g->device->state, i)->server);
}

int agent_open(const cfg *c, loop *l, const char *version, bool reset, const agent_app *app,
               agent **out, diag *d)
{
        agent *g = calloc(1, sizeof *g);
        int rc;

        if (!g)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        g->conf = c;
        g->app = app;
        g->loop = l;
        g->next = (loop_timer){.fn = on_next, .ctx = g};
        g->stop = (loop_timer){.fn = on_stop_time, .ctx = l};
        g->report = (loop_timer){.fn = on_report, .ctx = g};
        g->restart = (loop_timer){.fn = on_restart_time, .ctx = g};
        g->gather = (loop_timer){.fn = on_gathered, .ctx = g};
        rc = device_open(c, version, app, on_config, on_sync, g, &g->device, d);
        if (rc == 0 && d && d->text[0]) {
                log_warn("journal", log_text("detail", d->text));
                d->text[0] = 0;
        }
        if (rc == 0 && reset)
                rc = device_reset_account(g->device, c, d);
        else if (rc == 0 && account_kept_differs(c, cfg_str(c, "agent.state")))
                log_warn("the section [account] has changed and is not in use: there is an account "
                         "already; a start with --reset-account takes what the section says");
        if (rc == 0)
                rc = open_http(g, version, d);
        if (rc == 0)
                rc = open_wake(g, d);
        if (rc < 0) {
                agent_close(g);
                return rc;
        }
        take_config(g);
        first_session(g);
        rc = open_parts(g, d);
        if (rc < 0) {
                agent_close(g);
                return rc;
        }
        set_report(g);
        write_status(g);
        *out = g;
        return 0;
}

void agent_close(agent *g)
{
        if (!g)
                return;
        loop_timer_stop(&g->next);
        loop_timer_stop(&g->stop);
        loop_timer_stop(&g->report);
        loop_timer_stop(&g->restart);
        loop_timer_stop(&g->gather);
        program_kill(g->restarting);
        session_drop(g->session);
        wake_close(g->wake);
        http_client_free(g->http);
        tls_cred_free(g->tls);
        device_close(g->device);
        free(g);
}

void agent_stop(agent *g)
{
        int64_t ms = cfg_ms(g->conf, "agent.stop_time");

        enter(g, STOPPING);
        loop_timer_stop(&g->next);
        if (!g->session || loop_timer_set(g->loop, &g->stop, odm_time_add(loop_now(), ms)) < 0) {
                loop_stop(g->loop);
                return;
        }
        session_abort(g->session);
}

static int put_time(odm_buf *b, const char *key, odm_wall w)
{
        char text[ODM_WALL_TEXT] = "never";

        if (w.s > 0)
                odm_wall_format(w, text);
        return odm_buf_fmt(b, "%s: %s\n", key, text);
}

static int put_wakes(const agent *g, odm_buf *b)
{
        wake_stats w = g->wake ? wake_get_stats(g->wake) : (wake_stats){0};
        uint64_t ignored = w.forged + w.repeated + w.dropped;

        return odm_buf_fmt(b, "wake-port: %u\nwoken: %llu\nwake-ups-ignored: %llu\n",
                           g->wake ? wake_port(g->wake) : 0, (unsigned long long)w.followed,
                           (unsigned long long)ignored);
}

int agent_asked(agent *g, odm_str word, odm_buf *b)
{
        return parts_asked(g->device->parts, word, b);
}

int agent_status(const agent *g, odm_buf *b)
{
        int64_t left = g->next.in ? g->next.due.ms - loop_now().ms : -1;
        int rc = odm_buf_fmt(b, "pid: %ld\ndevice: %s\nversion: %s\nstate: %s\n", (long)getpid(),
                             g->device->dev_id, g->device->version, state_names[g->state]);

        if (rc == 0)
                rc = odm_buf_fmt(b,
                                 "sessions: %llu\nsessions-failed: %llu\nfailures-in-a-row: %u\n",
                                 (unsigned long long)g->sessions,
                                 (unsigned long long)g->failed_sessions, g->failures);
        if (rc == 0)
                rc = put_time(b, "last-session-began", g->began);
        if (rc == 0)
                rc = put_time(b, "last-session-ended", g->ended);
        if (rc == 0)
                rc = odm_buf_fmt(b, "last-session: %s\nlast-outcome: %s\nlast-reason: %s\n",
                                 g->last_id, g->last_outcome, g->last_why);
        if (rc == 0)
                rc = left < 0 ? odm_buf_fmt(b, "next-session: none\n")
                              : odm_buf_fmt(b, "next-session: in %lld s\n",
                                            (long long)(left + 999) / 1000);
        if (rc == 0)
                rc = put_wakes(g, b);
        if (rc == 0)
                rc = odm_buf_fmt(b, "alerts-waiting: %zu\njournal-octets: %llu\n",
                                 state_alerts(g->device->state),
                                 (unsigned long long)state_size(g->device->state));
        if (rc == 0)
                rc = parts_status(g->device->parts, b);
        return rc;
}
