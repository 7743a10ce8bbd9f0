/* SPDX-License-Identifier: Apache-2.0 */
/* The wiring of nremd.
 *
 *     listener --/dm--> dm --batches--> store --durable--> dm --> reply
 *        \------/api--> api --batches--> store --durable--> api --> answer
 *                        |  jobs made        ^                |
 *                        +-----------------> dm <-- loop: waits, wake-ups, deadlines
 *
 * Requests are handled on the listeners' threads, and continue on the store's writer. */
#include "app.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "conf.h"
#include "ddf.h"
#include "dm.h"
#include "fleet.h"
#include "fsio.h"
#include "gateway_row.h"
#include "gateway_trigger.h"
#include "heap.h"
#include "httpd.h"
#include "log.h"
#include "package_serve.h"
#include "storewatch.h"
#include "token.h"

#define LISTENERS_MAX 32

enum { SERVES_DM = 1, SERVES_API = 2 };
enum { SHARE_DM, SHARE_API }; /* of the requests at work */

typedef struct door {
        app *app;
        unsigned serves;
        bool tls;
        const char *text; /* of the configuration */
} door;

struct app {
        const cfg *conf; /* borrowed */
        loop *loop;      /* borrowed */
        store *store;
        budget memory; /* of bodies and sessions */
        metrics metrics;
        ddf *ddf;
        storewatch *watch;
        const store_table **tables; /* of the fleet's parts */
        fleet *fleet;
        api *api;
        dm *dm;
        httpd *httpd;
        int lock;
        atomic_bool ready; /* requests are let through */
        door doors[LISTENERS_MAX];
        size_t n_doors;
};

/* ---- requests -------------------------------------------------------------------- */

static bool is_dm(const door *at, const httpd_req *r)
{
        return (at->serves & SERVES_DM) &&
               odm_str_is(httpd_path(r), cfg_str(at->app->conf, "dm.path"));
}

static bool is_package(const door *at, const httpd_req *r)
{
        return (at->serves & SERVES_DM) && package_asked(r);
}

/* A probe may look at any listener. */
static bool is_api(const door *at, const httpd_req *r)
{
        return (at->serves & SERVES_API) || odm_str_is(httpd_path(r), "/healthz");
}

static void on_head(void *ctx, httpd_req *r, size_t *max_body)
{
        const door *at = ctx;

        if (!atomic_load(&at->app->ready)) {
                httpd_send_text(r, 503, "starting");
                return;
        }
        if (is_dm(at, r)) {
                httpd_set_share(r, SHARE_DM);
                dm_head(at->app->dm, r, max_body);
        } else if (is_package(at, r)) {
                httpd_set_share(r, SHARE_DM);
                *max_body = 0;
        } else if (is_api(at, r)) {
                httpd_set_share(r, SHARE_API);
                api_head(at->app->api, r, max_body);
        }
}

static void on_request(void *ctx, httpd_req *r)
{
        const door *at = ctx;

        if (is_dm(at, r))
                dm_handle(at->app->dm, r);
        else if (is_package(at, r))
                package_serve(at->app->fleet, r);
        else if (is_api(at, r))
                api_handle(at->app->api, r);
        else
                httpd_send_text(r, 404, "not found");
}

/* ---- listeners ------------------------------------------------------------------- */

/* An address named for both purposes is one listener. */
static int add_doors(app *a, const char *key, unsigned serves, bool tls, diag *d)
{
        for (size_t i = 0; i < cfg_list_n(a->conf, key); i++) {
                const char *text = cfg_list_at(a->conf, key, i);
                size_t k = 0;
                while (k < a->n_doors &&
                       (a->doors[k].tls != tls || strcmp(a->doors[k].text, text) != 0))
                        k++;
                if (k == LISTENERS_MAX)
                        return diag_set(d, ODM_ELIMIT, "more than %d listeners", LISTENERS_MAX);
                if (k == a->n_doors)
                        a->doors[a->n_doors++] = (door){.app = a, .tls = tls, .text = text};
                a->doors[k].serves |= serves;
        }
        return 0;
}

static void name_files(const cfg *c, httpd_listener *l)
{
        l->cert_file = cfg_str(c, "tls.cert");
        l->key_file = cfg_str(c, "tls.key");
        l->client_ca_file = cfg_str(c, "tls.client_ca");
}

int app_check(const cfg *c, diag *d)
{
        httpd_listener l;

        httpd_listener_init(&l);
        name_files(c, &l);
        if (cfg_list_n(c, "dm.listen_tls") == 0 && cfg_list_n(c, "api.listen_tls") == 0)
                return 0;
        return httpd_try_files(&l, d);
}

static int fill_listeners(app *a, httpd_listener *l, const char *tickets, diag *d)
{
        const cfg *c = a->conf;

        for (size_t i = 0; i < a->n_doors; i++) {
                httpd_listener_init(&l[i]);
                if (net_hostport_parse(a->doors[i].text, &l[i].addr) < 0)
                        return diag_set(d, ODM_EINVAL, "%s is no address:port", a->doors[i].text);
                l[i].tls = a->doors[i].tls;
                if (l[i].tls) {
                        name_files(c, &l[i]);
                        l[i].ticket_file = tickets;
                }
                l[i].app = (httpd_app){on_head, on_request, &a->doors[i]};
                l[i].max_body = (size_t)cfg_int(c, "dm.max_message");
                l[i].workers = (unsigned)cfg_int(c, "dm.workers");
        }
        return 0;
}

static void say_listening(const app *a)
{
        for (size_t i = 0; i < a->n_doors; i++)
                log_info("listening", log_text("address", a->doors[i].text),
                         log_int("port", httpd_port(a->httpd, i)), log_bool("tls", a->doors[i].tls),
                         log_bool("devices", a->doors[i].serves & SERVES_DM),
                         log_bool("rest", a->doors[i].serves & SERVES_API));
}

static int start_httpd(app *a, diag *d)
{
        const cfg *c = a->conf;
        httpd_listener l[LISTENERS_MAX];
        httpd_opt opt;
        char tickets[CONF_PATH];
        int rc = conf_state_path(c, "tls.tickets", "ticket.key", tickets, d);

        httpd_opt_init(&opt);
        opt.max_connections = (unsigned)cfg_int(c, "limits.connections");
        opt.max_per_address = (unsigned)cfg_int(c, "limits.per_address");
        opt.max_active = (unsigned)cfg_int(c, "limits.active");
        opt.idle_s = (unsigned)(cfg_ms(c, "limits.idle") / 1000);
        opt.slow_s = (unsigned)(cfg_ms(c, "limits.slow") / 1000);
        opt.mem = &a->memory.mem;
        opt.server_name = "xrem";
        if (rc == 0)
                rc = add_doors(a, "dm.listen", SERVES_DM, false, d);
        if (rc == 0)
                rc = add_doors(a, "dm.listen_tls", SERVES_DM, true, d);
        if (rc == 0)
                rc = add_doors(a, "api.listen", SERVES_API, false, d);
        if (rc == 0)
                rc = add_doors(a, "api.listen_tls", SERVES_API, true, d);
        if (rc == 0)
                rc = fill_listeners(a, l, tickets, d);
        return rc == 0 ? httpd_start(&opt, l, a->n_doors, &a->httpd, d) : rc;
}

unsigned app_port(const app *a, bool rest, bool tls)
{
        unsigned want = rest ? SERVES_API : SERVES_DM;

        for (size_t i = 0; i < a->n_doors; i++)
                if ((a->doors[i].serves & want) && a->doors[i].tls == tls)
                        return httpd_port(a->httpd, i);
        return 0;
}

/* ---- state ----------------------------------------------------------------------- */

static int open_store(app *a, diag *d)
{
        const cfg *c = a->conf;
        char path[CONF_PATH], where[CONF_PATH + 16], why[STORE_DIAG] = "";
        store_opt opt;
        int rc = conf_state_path(c, "store.path", "nrem.db", path, d);

        if (rc < 0)
                return rc;
        if (strcmp(cfg_str(c, "store.engine"), "mem") == 0)
                (void)snprintf(where, sizeof where, "mem:");
        else
                (void)snprintf(where, sizeof where, "sqlite:%s", path);
        store_opt_init(&opt);
        opt.where = where;
        opt.sessions_kept = (uint32_t)cfg_int(c, "store.sessions_kept");
        opt.session_bytes = (size_t)cfg_int(c, "store.session_bytes");
        opt.events_kept = (uint32_t)cfg_int(c, "store.events_kept");
        opt.mirror_value_max = (size_t)cfg_int(c, "store.mirror_value");
        opt.jobs_open_max = (uint32_t)cfg_int(c, "jobs.open_max");
        opt.jobs_kept = (uint32_t)cfg_int(c, "store.jobs_kept");
        opt.tables = a->tables = fleet_tables(fleet_parts, &opt.n_tables);
        if (!a->tables)
                return ODM_ENOMEM;
        rc = store_open(&opt, &a->store, why);
        if (rc < 0 && why[0]) /* it names the file */
                return diag_set(d, rc, "%s", why);
        return rc < 0 ? diag_set(d, rc, "store %s: %s", where, odm_err_text(rc)) : 0;
}

static int load_ddf(app *a, diag *d)
{
        int rc = ddf_new(NULL, &a->ddf);

        for (size_t i = 0; rc == 0 && i < cfg_list_n(a->conf, "ddf.paths"); i++)
                rc = ddf_load(a->ddf, cfg_list_at(a->conf, "ddf.paths", i), d);
        if (rc == 0 && ddf_files(a->ddf))
                log_info("descriptions loaded", log_int("files", (int64_t)ddf_files(a->ddf)));
        return rc;
}

static bool has_file(const app *a, const char *name)
{
        char path[CONF_PATH];

        return conf_state_path(a->conf, NULL, name, path, NULL) == 0 && access(path, F_OK) == 0;
}

/* What is in a gateway's folder is not to be mixed with a server's. */
static int check_state(const app *a, diag *d)
{
        if (!has_file(a, "gateway.db") || has_file(a, "nrem.db"))
                return 0;
        return diag_set(d, ODM_EUNSUPPORTED,
                        "%s is the folder of a gateway, gremd; name another one in server.state",
                        cfg_str(a->conf, "server.state"));
}

/* Two servers on one folder would each believe to be the only writer. */
static int lock_state(app *a, diag *d)
{
        char path[CONF_PATH];
        int rc = check_state(a, d);

        if (rc == 0)
                rc = fsio_mkdir(cfg_str(a->conf, "server.state"), 0700, d);
        if (rc == 0)
                rc = conf_state_path(a->conf, NULL, "lock", path, d);
        return rc == 0 ? fsio_lock(path, &a->lock, d) : rc;
}

static int first_token(app *a, diag *d)
{
        char path[CONF_PATH], text[TOKEN_TEXT];
        int rc = conf_state_path(a->conf, NULL, "admin.token", path, d);

        if (rc == 0)
                rc = token_first(a->store, path, loop_wall_ms(), text, d);
        if (rc == 1) { /* for the person who starts it, once; never into the log */
                (void)printf("First start. The token of the first administrator, kept in %s:\n%s\n",
                             path, text);
                (void)fflush(stdout);
                odm_wipe(text, sizeof text);
                rc = 0;
        }
        return rc;
}

static int write_pid(const app *a, diag *d)
{
        const char *path = cfg_str(a->conf, "server.pid_file");
        char text[24];

        if (!path)
                return 0;
        (void)snprintf(text, sizeof text, "%ld\n", (long)getpid());
        return fsio_write(NULL, path, odm_cstr(text), 0644, d);
}

/* ---- REST and the DM side, which know each other by hooks ------------------------ */

static int hook_wake(void *ctx, const store_device *d)
{
        return dm_wake(((app *)ctx)->dm, d);
}

static void hook_job_created(void *ctx, int64_t device, int64_t job)
{
        dm_job_created(((app *)ctx)->dm, device, job);
}

static void hook_job_asked(void *ctx, int64_t device, int64_t job)
{
        hook_job_created(ctx, device, job);
        fleet_job_created(((app *)ctx)->fleet, device, job);
}

static int hook_behind(void *ctx, int64_t device, odm_str key, odm_arena *a, int64_t *out)
{
        gateway_child c;
        int rc = gateway_find_key(((app *)ctx)->store, device, key, a, &c);

        if (rc == 0)
                *out = c.device;
        return rc;
}

static int hook_early(void *ctx, int64_t gateway, bool *out)
{
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)8 << 20);
        rc = fleet_unheard(((app *)ctx)->store, gateway, ODM_STR(GATEWAY_EARLY), &a, out);
        odm_arena_done(&a);
        return rc;
}

static int hook_way(void *ctx, const store_device *d, odm_arena *a, dm_way *out)
{
        return gateway_way_of(((app *)ctx)->store, d, a, out);
}

static int hook_carry(void *ctx, const dm_way *w, const store_device *d, const dm_package *p,
                      store_batch *b)
{
        (void)ctx;
        return gateway_carry(w, d, p, b);
}

static void hook_device_changed(void *ctx, int64_t device)
{
        dm_device_changed(((app *)ctx)->dm, device);
}

static void hook_job_moved(void *ctx, int64_t job)
{
        api_job_moved(((app *)ctx)->api, job);
}

static int hook_sessions(void *ctx, int64_t device, odm_arena *a, store_session_list *out)
{
        return dm_sessions(((app *)ctx)->dm, device, a, out);
}

static int hook_said(void *ctx, int64_t id, uint32_t after, odm_arena *a, store_message_list *out)
{
        return dm_session_said(((app *)ctx)->dm, id, after, a, out);
}

static int hook_metrics(void *ctx, odm_buf *out)
{
        app *a = ctx;
        httpd_stats s = httpd_get_stats(a->httpd);
        const struct row {
                const char *name, *type, *help;
                double value;
        } rows[] = {
                {"nrem_http_requests_total", "counter", "HTTP requests handled",
                 (double)s.requests},
                {"nrem_http_refused_total", "counter", "HTTP requests refused as malformed",
                 (double)s.refused},
                {"nrem_http_shed_total", "counter", "HTTP requests turned away under load",
                 (double)s.shed},
                {"nrem_http_late_total", "counter", "Connections closed because they were too slow",
                 (double)s.late},
                {"nrem_http_evicted_total", "counter",
                 "Connections without a request closed for the room of others", (double)s.evicted},
                {"nrem_memory_bytes", "gauge", "Memory held by bodies and sessions",
                 (double)budget_used(&a->memory)},
                {"nrem_http_active", "gauge", "HTTP requests at work now", (double)s.active},
                {"nrem_tls_handshakes_total", "counter", "TLS handshakes", (double)s.handshakes},
                {"nrem_tls_resumed_total", "counter", "TLS sessions resumed", (double)s.resumed},
        };
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(rows); i++)
                rc = metrics_line(out, rows[i].name, "", rows[i].type, rows[i].help, rows[i].value);
        if (rc == 0)
                rc = dm_metrics(a->dm, out);
        return rc == 0 ? fleet_metrics(a->fleet, out) : rc;
}

static int64_t hook_now(void *ctx)
{
        (void)ctx;
        return loop_wall_ms();
}

static int open_fleet(app *a, diag *d)
{
        const fleet_host h = {
                .store = a->store,
                .conf = a->conf,
                .folder = cfg_str(a->conf, "server.state"),
                .ddf = a->ddf,
                .url = cfg_str(a->conf, "dm.url"),
                .now = hook_now,
                .job_created = hook_job_created,
                .job_moved = hook_job_moved,
                .device_changed = hook_device_changed,
                .ctx = a,
        };

        return fleet_new(fleet_parts, &h, &a->fleet, d);
}

static int start_fleet(app *a, diag *d)
{
        int rc = fleet_start(a->fleet);

        return rc < 0 ? diag_set(d, rc, "no thread: %s", odm_err_text(rc)) : 0;
}

static int start_api(app *a, const char *version)
{
        const cfg *c = a->conf;
        const api_opt opt = {
                .store = a->store,
                .loop = a->loop,
                .metrics = &a->metrics,
                .ddf = a->ddf,
                .version = version,
                .server_id = cfg_str(c, "dm.server_id"),
                .job_ttl_ms = cfg_ms(c, "jobs.ttl"),
                .job_attempts = (uint32_t)cfg_int(c, "jobs.attempts"),
                .metrics_open = strcmp(cfg_str(c, "api.metrics"), "open") == 0,
                /* waiting requests count as active ones: devices get at least half */
                .waits_max = (unsigned)(cfg_int(c, "limits.active") + 1) / 2,
                .max_body = (size_t)cfg_int(c, "api.max_body"),
                .parts = fleet_parts,
                .fleet = a->fleet,
                .hooks = {.wake = hook_wake,
                          .job_created = hook_job_asked,
                          .device_changed = hook_device_changed,
                          .sessions = hook_sessions,
                          .said = hook_said,
                          .metrics = hook_metrics,
                          .ctx = a},
        };

        return api_new(&opt, &a->api);
}

static int start_dm(app *a, diag *d)
{
        static const dm_unknown unknown[] = {[CONF_UNKNOWN_REFUSE] = DM_UNKNOWN_REFUSE,
                                             [CONF_UNKNOWN_HOLD] = DM_UNKNOWN_HOLD,
                                             [CONF_UNKNOWN_ACCEPT] = DM_UNKNOWN_ACCEPT};
        const cfg *c = a->conf;
        dm_opt o;

        dm_opt_init(&o);
        o.store = a->store;
        o.loop = a->loop;
        o.metrics = &a->metrics;
        o.server_id = cfg_str(c, "dm.server_id");
        o.path = cfg_str(c, "dm.path");
        o.url = cfg_str(c, "dm.url");
        o.unknown = unknown[cfg_enum(c, "dm.unknown")];
        o.held_max = (uint32_t)cfg_int(c, "dm.held_max");
        o.accept_hour = (uint32_t)cfg_int(c, "dm.accept_hour");
        o.accept_max = (uint32_t)cfg_int(c, "dm.accept_max");
        o.accept_password = cfg_str(c, "dm.accept_password");
        o.accept_server_password = cfg_str(c, "dm.accept_server_password");
        o.plain_once = strcmp(cfg_str(c, "dm.plain_auth"), "session") == 0;
        o.max_message = (size_t)cfg_int(c, "dm.max_message");
        o.max_object = (size_t)cfg_int(c, "dm.max_object");
        o.session_memory = (size_t)cfg_int(c, "dm.session_memory");
        o.memory = &a->memory;
        o.session_idle_ms = cfg_ms(c, "dm.session_idle");
        o.sessions = (uint32_t)cfg_int(c, "dm.sessions");
        o.lockout_after = (uint32_t)cfg_int(c, "dm.lockout_after");
        o.lockout_ms = cfg_ms(c, "dm.lockout");
        o.crew = (unsigned)cfg_int(c, "dm.crew");
        o.wake = cfg_bool(c, "wake.enabled");
        o.wake_from = cfg_str(c, "wake.from");
        o.wake_first_ms = cfg_ms(c, "wake.first");
        o.wake_max_ms = cfg_ms(c, "wake.max");
        o.wake_tries = (uint32_t)cfg_int(c, "wake.tries");
        o.wake_resync = (uint32_t)cfg_int(c, "wake.resync");
        o.wake_again_ms = cfg_ms(c, "wake.again");
        o.job_moved = hook_job_moved;
        o.behind = hook_behind;
        o.early = hook_early;
        o.way = hook_way;
        o.carry = hook_carry;
        o.made = hook_job_asked;
        o.ctx = a;
        return dm_new(&o, &a->dm, d);
}

/* ---- start and stop -------------------------------------------------------------- */

int app_start(const cfg *c, loop *l, const char *version, app **out, diag *d)
{
        app *a = odm_alloc(&heap_mem, sizeof *a);
        int rc;

        if (!a)
                return ODM_ENOMEM;
        a->conf = c;
        a->loop = l;
        a->lock = -1;
        budget_init(&a->memory, (size_t)cfg_int(c, "limits.memory"));
        if ((rc = load_ddf(a, d)) < 0 || (rc = lock_state(a, d)) < 0 ||
            (rc = open_store(a, d)) < 0 || (rc = first_token(a, d)) < 0 ||
            (rc = storewatch_new(a->store, l, &a->watch)) < 0 || (rc = open_fleet(a, d)) < 0 ||
            (rc = start_api(a, version)) < 0 || (rc = start_dm(a, d)) < 0 ||
            (rc = start_fleet(a, d)) < 0 || (rc = start_httpd(a, d)) < 0 ||
            (rc = write_pid(a, d)) < 0) {
                app_stop(a);
                return rc;
        }
        atomic_store(&a->ready, true);
        say_listening(a);
        log_info("started", log_text("version", version),
                 log_text("store", store_engine_name(a->store)));
        *out = a;
        return 0;
}

void app_reload(app *a)
{
        diag d = {{0}};
        int rc = httpd_reload(a->httpd, &d);

        if (rc < 0)
                log_error("certificates are not read again; the old ones stay",
                          log_text("reason", d.text[0] ? d.text : odm_err_text(rc)));
        else
                log_info("certificates are read again");
}

/* What other threads have posted to the loop still runs. */
static void run_posted(app *a)
{
        if (a->api && loop_once(a->loop, 0) < 0)
                log_warn("the loop failed at the end");
}

/* Waits until every batch so far is durable and its continuation has run: those of REST may still
 * call the DM side, which goes next. */
static void settle(app *a)
{
        store_batch *b = a->store ? store_batch_new() : NULL;

        if (b && store_write_sync(a->store, b) < 0)
                log_error("the last changes are not kept");
        store_batch_free(b);
}

void app_stop(app *a)
{
        const char *pid;

        if (!a)
                return;
        storewatch_stop(a->watch);
        fleet_stop(a->fleet);
        if (a->dm)
                dm_stop(a->dm);
        if (a->api)
                api_stop(a->api); /* those who wait get their answer now */
        run_posted(a);
        httpd_stop(a->httpd, cfg_ms(a->conf, "server.stop_time"));
        run_posted(a);
        settle(a);
        dm_free(a->dm);
        store_close(a->store); /* its writer may still be in a continuation of a call */
        storewatch_free(a->watch);
        api_free(a->api);
        fleet_free(a->fleet);
        free(a->tables);
        ddf_free(a->ddf);
        pid = cfg_str(a->conf, "server.pid_file");
        if (pid && atomic_load(&a->ready))
                (void)unlink(pid);
        if (a->lock >= 0)
                fsio_unlock(a->lock);
        odm_free(&heap_mem, a, sizeof *a);
}
