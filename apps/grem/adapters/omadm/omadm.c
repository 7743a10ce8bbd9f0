/* SPDX-License-Identifier: Apache-2.0 */
/* The adapter put together: settings, listeners, accounts that the configuration knows. */

#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "odm/auth.h"
#include "omadm_inner.h"

#define SECOND ((int64_t)1000)
#define HOUR (3600 * SECOND)
#define KIB ((int64_t)1024)
#define MIB (1024 * KIB)
#define PATH_ROOM 4096

static const char *const unknown_words[] = {"refuse", "accept", NULL};
enum { UNKNOWN_REFUSE, UNKNOWN_ACCEPT };

static const cfg_key keys[] = {
        {"omadm.listen", CFG_LIST, "",
         "Addresses where OMA DM devices call that have the gateway as their server, without\n"
         "TLS: address:port, or :port for all addresses. Empty for none."},
        {"omadm.listen_tls", CFG_LIST, "", "The same with TLS; needs omadm.cert."},
        {"omadm.cert", CFG_PATH, NULL, "Certificate chain of the gateway, PEM."},
        {"omadm.key", CFG_PATH, NULL, "Its key, PEM."},
        {"omadm.client_ca", CFG_PATH, NULL,
         "Devices are asked for certificates of this CA; PEM. None if not set."},
        {"omadm.path", CFG_STRING, "/dm", "Path of the one URL that all devices use."},
        {"omadm.url", CFG_STRING, NULL,
         "URL by which devices reach the gateway, for RespURI. Default: made from the Host of\n"
         "each request."},
        {"omadm.server_id", CFG_STRING, "gremd",
         "Server Identifier, as devices have it in ServerID of their account."},
        {"omadm.unknown", CFG_ENUM, "refuse",
         "What happens to devices nobody created: refuse, or accept (only where the network\n"
         "itself is trusted).",
         .choices = unknown_words},
        {"omadm.accept_password", CFG_STRING, NULL,
         "With omadm.unknown = accept: the password that all devices let in have in common; the\n"
         "name is the one the device gives. Without it, no proof is asked for."},
        {"omadm.accept_server_password", CFG_STRING, NULL,
         "The gateway's password on all devices let in; wake-ups are signed with it. Without it,\n"
         "the gateway proves itself by TLS only, and wakes none of them."},
        {"omadm.accept_hour", CFG_INT, "1000", "Unknown devices let in within an hour.", 0,
         1000000},
        {"omadm.accept_max", CFG_INT, "10000",
         "No unknown device is let in while so many devices are known.", 0, 1000000},
        {"omadm.max_message", CFG_SIZE, "64k", "Largest message taken and sent.", 2 * KIB,
         16 * MIB},
        {"omadm.max_object", CFG_SIZE, "16M", "Largest object taken.", 64 * KIB, 1024 * MIB},
        {"omadm.session_idle", CFG_DURATION, "5m",
         "A session without a message for so long is lost; its orders are given again.", SECOND,
         HOUR},
        {"omadm.sessions", CFG_INT, "512", "Sessions at one time.", 1, 100000},
        {"omadm.memory", CFG_SIZE, "128M",
         "Memory for what is received and for sessions, together; beyond it, 503.", 4 * MIB,
         1024 * 1024 * MIB},
        {"omadm.lockout_after", CFG_INT, "5",
         "Wrong credentials in a row before a device is locked out.", 1, 1000},
        {"omadm.lockout", CFG_DURATION, "30s",
         "First lock-out; doubles with each further failure up to an hour.", SECOND, HOUR},
        {"omadm.wake", CFG_BOOL, "yes",
         "Whether devices with orders are woken by package 0 over UDP, where they say an address\n"
         "for it."},
        {"omadm.wake_from", CFG_STRING, "*:0", "Address the datagrams are sent from."},
        {"omadm.wake_first", CFG_DURATION, "2s",
         "Wait for an answer before the next datagram; doubles.", 100, HOUR},
        {"omadm.wake_tries", CFG_INT, "6",
         "Datagrams without an answer before there is a rest: 15 minutes, and longer each time.", 1,
         1000},
        {"omadm.interval", CFG_DURATION, "1d",
         "How often a device calls of which nobody says it; 0: it is not expected.", 0,
         365 * 24 * HOUR},
        {"omadm.missed", CFG_INT, "2", "Calls that may be missed before a device is gone.", 0,
         1000},
        {"omadm.relay", CFG_STRING, NULL,
         "UDP address:port where other servers send the wake-ups of devices that they manage\n"
         "themselves, to be passed on. None if not set."},
        {"omadm.relay_every", CFG_DURATION, "1s",
         "At most one of them goes to a device within this time.", 0, HOUR},
        {"omadm.bootstrap_key", CFG_STRING, NULL,
         "A key that devices and network both know. With it, a device without an account gets the\n"
         "one of ./GwMO/Config/Bootstrap that fits it at PATH/bootstrap?id=DEVICEID, over TLS."},
        {"dmdevice *.id", CFG_STRING, NULL,
         "DeviceID (./DevInfo/DevId) of a device that has an account\nof the gateway.",
         .required = true},
        {"dmdevice *.user", CFG_STRING, NULL, "Its user name. Default: its id."},
        {"dmdevice *.password", CFG_STRING, NULL, "Its password.", .required = true},
        {"dmdevice *.server_password", CFG_STRING, NULL,
         "The gateway's password on it. Default: none, the gateway proves itself by TLS only and\n"
         "does not wake it."},
};

static bool wanted(const cfg *c)
{
        return cfg_list_n(c, "omadm.listen") > 0 || cfg_list_n(c, "omadm.listen_tls") > 0;
}

/* ---- requests --------------------------------------------------------------------- */

static bool is_dm(const door *at, const httpd_req *r)
{
        return odm_str_is(httpd_path(r), cfg_str(at->a->conf, "omadm.path"));
}

static void on_head(void *ctx, httpd_req *r, size_t *max_body)
{
        const door *at = ctx;

        if (!atomic_load(&at->a->open))
                httpd_send_text(r, 503, "starting");
        else if (is_dm(at, r))
                dm_head(at->a->dm, r, max_body);
        else
                *max_body = 0;
}

static void on_request(void *ctx, httpd_req *r)
{
        const door *at = ctx;

        if (is_dm(at, r))
                dm_handle(at->a->dm, r);
        else if (boot_is_asked(at->a, r))
                boot_handle(at->a, r);
        else
                httpd_send_text(r, 404, "not found");
}

static int check(const cfg *c, diag *d)
{
        static const char *const places[] = {"omadm.listen", "omadm.listen_tls"};
        net_addr at;

        for (size_t k = 0; k < ODM_COUNT(places); k++)
                for (size_t i = 0; i < cfg_list_n(c, places[k]); i++)
                        if (net_hostport_parse(cfg_list_at(c, places[k], i), &at) < 0)
                                return diag_set(d, ODM_EINVAL, "%s: %s is no address:port",
                                                places[k], cfg_list_at(c, places[k], i));
        if (cfg_list_n(c, "omadm.listen_tls") > 0 &&
            (!cfg_str(c, "omadm.cert") || !cfg_str(c, "omadm.key")))
                return diag_set(d, ODM_EINVAL, "omadm.listen_tls: needs omadm.cert and omadm.key");
        return 0;
}

static int add_doors(omadm *a, const char *key, bool tls, diag *d)
{
        for (size_t i = 0; i < cfg_list_n(a->conf, key); i++) {
                if (a->n_doors == DOORS_MAX)
                        return diag_set(d, ODM_ELIMIT, "more than %d listeners", DOORS_MAX);
                a->doors[a->n_doors++] =
                        (door){.a = a, .tls = tls, .text = cfg_list_at(a->conf, key, i)};
        }
        return 0;
}

static int fill_listeners(omadm *a, httpd_listener *l, const char *tickets, diag *d)
{
        const cfg *c = a->conf;

        for (size_t i = 0; i < a->n_doors; i++) {
                httpd_listener_init(&l[i]);
                if (net_hostport_parse(a->doors[i].text, &l[i].addr) < 0)
                        return diag_set(d, ODM_EINVAL, "omadm.listen: %s is no address:port",
                                        a->doors[i].text);
                l[i].tls = a->doors[i].tls;
                if (l[i].tls) {
                        l[i].cert_file = cfg_str(c, "omadm.cert");
                        l[i].key_file = cfg_str(c, "omadm.key");
                        l[i].client_ca_file = cfg_str(c, "omadm.client_ca");
                        l[i].ticket_file = tickets;
                }
                l[i].app = (httpd_app){on_head, on_request, &a->doors[i]};
                l[i].max_body = (size_t)cfg_int(c, "omadm.max_message");
        }
        return 0;
}

static int start_httpd(omadm *a, diag *d)
{
        httpd_listener l[DOORS_MAX];
        httpd_opt opt;
        char tickets[PATH_ROOM];
        int n = snprintf(tickets, sizeof tickets, "%s/omadm.tickets", a->host.folder);
        int rc = n < 0 || (size_t)n >= sizeof tickets ? ODM_ELIMIT : 0;

        httpd_opt_init(&opt);
        opt.max_active = (unsigned)cfg_int(a->conf, "omadm.sessions");
        opt.mem = &a->memory.mem;
        opt.server_name = "xrem";
        if (rc == 0)
                rc = add_doors(a, "omadm.listen", false, d);
        if (rc == 0)
                rc = add_doors(a, "omadm.listen_tls", true, d);
        if (rc == 0)
                rc = fill_listeners(a, l, tickets, d);
        return rc == 0 ? httpd_start(&opt, l, a->n_doors, &a->httpd, d) : rc;
}

unsigned omadm_port(const void *adapter, bool tls)
{
        const omadm *a = adapter;

        for (size_t i = 0; i < a->n_doors; i++)
                if (a->doors[i].tls == tls)
                        return httpd_port(a->httpd, i);
        return 0;
}

/* ---- the DM side -------------------------------------------------------------------------- */

static int start_dm(omadm *a, diag *d)
{
        const cfg *c = a->conf;
        dm_opt o;

        dm_opt_init(&o);
        o.store = a->store;
        o.loop = a->loop;
        o.metrics = &a->metrics;
        o.server_id = cfg_str(c, "omadm.server_id");
        o.path = cfg_str(c, "omadm.path");
        o.url = cfg_str(c, "omadm.url");
        o.unknown = cfg_enum(c, "omadm.unknown") == UNKNOWN_ACCEPT ? DM_UNKNOWN_ACCEPT
                                                                   : DM_UNKNOWN_REFUSE;
        o.accept_hour = (uint32_t)cfg_int(c, "omadm.accept_hour");
        o.accept_max = (uint32_t)cfg_int(c, "omadm.accept_max");
        o.accept_password = cfg_str(c, "omadm.accept_password");
        o.accept_server_password = cfg_str(c, "omadm.accept_server_password");
        o.max_message = (size_t)cfg_int(c, "omadm.max_message");
        o.max_object = (size_t)cfg_int(c, "omadm.max_object");
        o.memory = &a->memory;
        o.session_idle_ms = cfg_ms(c, "omadm.session_idle");
        o.sessions = (uint32_t)cfg_int(c, "omadm.sessions");
        o.lockout_after = (uint32_t)cfg_int(c, "omadm.lockout_after");
        o.lockout_ms = cfg_ms(c, "omadm.lockout");
        o.wake = cfg_bool(c, "omadm.wake");
        o.wake_from = cfg_str(c, "omadm.wake_from");
        o.wake_first_ms = cfg_ms(c, "omadm.wake_first");
        o.wake_tries = (uint32_t)cfg_int(c, "omadm.wake_tries");
        o.job_moved = order_moved;
        o.at_hand = behind_at_hand;
        o.left = behind_left;
        o.plain_reports = true;
        o.alert_data = ALERT_DATA;
        o.ctx = a;
        return dm_new(&o, &a->dm, d);
}

/* ---- accounts of the configuration ---------------------------------------------------------- */

static odm_str secret_of(odm_arena *m, odm_str user, odm_str password)
{
        odm_secret s;
        odm_str text;

        odm_secret_of(user, password, &s);
        text = odm_arena_copy(m, (odm_str){s.b64, ODM_SECRET_LEN});
        odm_wipe(&s, sizeof s);
        return text;
}

static void fill_account(const omadm *a, const cfg *c, odm_arena *m, store_account *x)
{
        odm_str password = odm_cstr(cfg_str(c, "dmdevice *.server_password"));

        x->user = odm_cstr(cfg_str(c, "dmdevice *.user"));
        if (!x->user.p)
                x->user = odm_cstr(cfg_str(c, "dmdevice *.id"));
        x->secret = secret_of(m, x->user, odm_cstr(cfg_str(c, "dmdevice *.password")));
        x->auth = ODM_AUTH_MD5;
        x->server_id = odm_cstr(cfg_str(a->conf, "omadm.server_id"));
        x->server_auth = ODM_AUTH_NONE;
        if (password.p) {
                x->server_auth = ODM_AUTH_MD5;
                x->server_user = x->server_id;
                x->server_secret = secret_of(m, x->server_id, password);
        }
}

/* The device is made when it is not there; its account is what the configuration says now. */
static int provide(omadm *a, const cfg *c)
{
        odm_str id = odm_cstr(cfg_str(c, "dmdevice *.id"));
        store_batch *b = store_batch_new();
        store_device known;
        store_op *op;
        odm_arena m;
        int64_t now = loop_wall_ms();
        int rc = b ? 0 : ODM_ENOMEM;

        odm_arena_init(&m, &heap_mem, READ_MEMORY);
        if (rc == 0)
                rc = store_device_by_devid(a->store, id, &m, &known);
        if (rc == ODM_ENOENT) {
                rc = 0;
                known.id = STORE_LAST;
                op = store_batch_add(b, STORE_DEVICE_CREATE);
                if (op)
                        op->device = (store_device){.name = id, .devid = id, .created = now};
                else
                        rc = ODM_ENOMEM;
        }
        op = rc == 0 ? store_batch_add(b, STORE_ACCOUNT_PUT) : NULL;
        if (op) {
                op->account.device = known.id;
                fill_account(a, c, store_batch_arena(b), &op->account);
                rc = store_batch_arena(b)->err ? ODM_ENOMEM : store_write_sync(a->store, b);
        } else if (rc == 0) {
                rc = ODM_ENOMEM;
        }
        store_batch_free(b);
        odm_arena_done(&m);
        return rc;
}

static int provide_all(omadm *a, diag *d)
{
        for (size_t i = 0; i < cfg_named_n(a->conf, "dmdevice"); i++) {
                const cfg *c = cfg_named(a->conf, "dmdevice", i);
                int rc = provide(a, c);
                if (rc < 0)
                        return diag_set(d, rc, "[dmdevice %s]: %s", cfg_name(c), odm_err_text(rc));
        }
        return 0;
}

/* ---- the class ------------------------------------------------------------------------------- */

static void close_all(void *ctx);

static int open_all(const adapter_host *h, void **out, diag *d)
{
        omadm *a = odm_alloc(&heap_mem, sizeof *a);
        int rc;

        if (!a)
                return ODM_ENOMEM;
        a->host = *h;
        a->conf = h->conf;
        a->store = h->store;
        a->loop = h->loop;
        budget_init(&a->memory, (size_t)cfg_int(a->conf, "omadm.memory"));
        rc = check(a->conf, d);
        if (rc == 0 && ((rc = told_open(a)) < 0 || (rc = order_clear(a)) < 0))
                (void)diag_set(d, rc, "omadm: the store cannot be used: %s", odm_err_text(rc));
        if (rc == 0)
                rc = provide_all(a, d);
        if (rc == 0)
                rc = relay_open(a, d);
        if (rc == 0)
                rc = start_dm(a, d);
        if (rc == 0)
                rc = start_httpd(a, d);
        if (rc < 0) {
                close_all(a);
                return rc;
        }
        *out = a;
        return 0;
}

static void enumerate(void *ctx)
{
        omadm *a = ctx;

        behind_all(a);
        told_read(a);
        atomic_store(&a->open, true);
        for (size_t i = 0; i < a->n_doors; i++)
                log_info("listening for OMA DM devices", log_text("address", a->doors[i].text),
                         log_int("port", httpd_port(a->httpd, i)),
                         log_bool("tls", a->doors[i].tls));
}

static unsigned caps(void *ctx, gw_device *d, void *native)
{
        const behind *b = native;

        (void)ctx;
        (void)d;
        return ADAPTER_READ | ADAPTER_WRITE | ADAPTER_CREATE | ADAPTER_DELETE | ADAPTER_EXECUTE |
               ADAPTER_LIST | ADAPTER_COMMANDS | (b->wakes ? (unsigned)ADAPTER_WAKE : 0);
}

static void forget(void *ctx, gw_device *d, void *native)
{
        behind *b = native;

        (void)d;
        order_forget(ctx, b);
        b->record = NULL;
}

static int status(void *ctx, odm_buf *out)
{
        const omadm *a = ctx;

        return odm_buf_fmt(out, "omadm-devices: %zu\nomadm-orders: %zu\n", a->n_behind,
                           a->n_orders);
}

static int put_metrics(void *ctx, odm_buf *out)
{
        omadm *a = ctx;
        const struct row {
                metric id;
                const char *name, *help;
        } rows[] = {
                {METRIC_SESSIONS_STARTED, "grem_omadm_sessions_started_total",
                 "Sessions of OMA DM devices begun"},
                {METRIC_SESSIONS_DONE, "grem_omadm_sessions_done_total", "Those carried through"},
                {METRIC_SESSIONS_LOST, "grem_omadm_sessions_lost_total", "Those lost"},
                {METRIC_BYTES_IN, "grem_omadm_bytes_in_total", "Octets of messages of devices"},
                {METRIC_BYTES_OUT, "grem_omadm_bytes_out_total", "Octets of messages to devices"},
                {METRIC_AUTH_FAILURES, "grem_omadm_auth_failures_total",
                 "Wrong credentials of devices"},
                {METRIC_WAKES_SENT, "grem_omadm_wakes_total", "Package 0 datagrams sent"},
        };
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(rows); i++)
                rc = metrics_line(out, rows[i].name, "", "counter", rows[i].help,
                                  (double)metrics_get(&a->metrics, rows[i].id));
        return rc;
}

/* Batches on their way name us: none may be left. */
static void settle(omadm *a)
{
        store_batch *b = store_batch_new();

        if (b && store_write_sync(a->store, b) < 0)
                log_warn("the store did not finish in time");
        store_batch_free(b);
        if (loop_once(a->loop, 0) < 0)
                log_warn("the loop failed at the end");
}

static void close_all(void *ctx)
{
        omadm *a = ctx;

        a->closing = true;
        told_close(a);
        if (a->dm)
                dm_stop(a->dm);
        httpd_stop(a->httpd, 2000);
        dm_free(a->dm);
        settle(a);
        order_free(a);
        relay_close(a->relay);
        behind_free(a);
        odm_free(&heap_mem, a, sizeof *a);
}

static const store_table *const tables[] = {&omadm_table_device, NULL};

const adapter_class omadm_class = {
        .version = ADAPTER_VERSION,
        .size = sizeof(adapter_class),
        .name = "omadm",
        .keys = keys,
        .n_keys = ODM_COUNT(keys),
        .tables = tables,
        .wanted = wanted,
        .check = check,
        .open = open_all,
        .enumerate = enumerate,
        .caps = caps,
        .wake = relay_wake,
        .commands = order_commands,
        .cancel = order_cancel,
        .forget = forget,
        .status = status,
        .metrics = put_metrics,
        .close = close_all,
};
