/* SPDX-License-Identifier: Apache-2.0 */
/* The adapter put together: settings, listeners, start and end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "gateway.h"
#include "heap.h"
#include "log.h"
#include "lwm2m_inner.h"
#include "lwm2m_map.h"

#define SECOND ((int64_t)1000)
#define HOUR (3600 * SECOND)
#define MAP_MAX ((size_t)1 << 20)
#define PATH_ROOM 4096

static const cfg_key keys[] = {
        {"lwm2m.listen", CFG_STRING, NULL,
         "Address where LwM2M devices register without protection (NoSec): address:port, for\n"
         "instance 127.0.0.1:5683. Other addresses than those of this machine itself need\n"
         "lwm2m.insecure. None if not set."},
        {"lwm2m.insecure", CFG_BOOL, "no",
         "Whether lwm2m.listen may be an address of a network: anyone there can then be any\n"
         "device."},
        {"lwm2m.listen_secure", CFG_STRING, NULL,
         "Address where LwM2M devices register with DTLS: address:port, for instance :5684.\n"
         "Needs lwm2m.keys or lwm2m.cert. None if not set."},
        {"lwm2m.keys", CFG_PATH, NULL,
         "File of pre-shared keys, a line for each: identity, key in hexadecimal, and the\n"
         "endpoint name when it is not the identity. Read again when it has changed. An endpoint\n"
         "with a key cannot register without it."},
        {"lwm2m.cert", CFG_PATH, NULL,
         "Certificate of the gateway for DTLS, PEM; with it, devices may show certificates of\n"
         "lwm2m.client_ca, whose common name is their endpoint name."},
        {"lwm2m.key", CFG_PATH, NULL, "Its key, PEM."},
        {"lwm2m.client_ca", CFG_PATH, NULL, "CA of the devices' certificates, PEM."},
        {"lwm2m.url", CFG_STRING, NULL,
         "How devices reach lwm2m.listen, for images by CoAP: coap://192.0.2.1:5683. Default: "
         "made\n"
         "of lwm2m.listen, when that is one address; else they take images by HTTP, or have them\n"
         "pushed."},
        {"lwm2m.secure_url", CFG_STRING, NULL,
         "The same of lwm2m.listen_secure: coaps://192.0.2.1:5684."},
        {"lwm2m.awake", CFG_DURATION, "93s",
         "How long a device in queue mode listens after it was heard.", SECOND, HOUR},
        {"lwm2m.restart", CFG_DURATION, "10m",
         "How long after a restart or a reset to the factory's settings was ordered a device may\n"
         "take until it registers again; then that has failed, and something else can be ordered.",
         SECOND, HOUR},
        {"lwm2m.devices", CFG_INT, "20000", "Registrations at one time.", 1, 1000000},
        {"lwm2m.ack", CFG_DURATION, "2s",
         "First wait for a confirmation; doubles with each retransmission.", 10, 60 * SECOND},
        {"lwm2m.retransmit", CFG_INT, "4", "Retransmissions before a device is silent.", 0, 20},
        {"lwm2m.block", CFG_INT, "1024", "Octets of a block: 16 to 1024, a power of two.", 16,
         1024},
        {"lwm2m.max_body", CFG_SIZE, "64k", "Largest message taken, all blocks together.", 1024,
         (int64_t)16 << 20},
        {"lwm2m.objects", CFG_PATH, NULL,
         "Folder of object definitions (OMA LwM2M XML, *.xml), beside those that are built in.\n"
         "What is added, changed or taken away there counts from the next registration or order\n"
         "on, without a restart."},
        {"lwm2m.bootstrap", CFG_PATH, NULL,
         "File of accounts for devices that ask for one (/bs), a line for each: endpoint, URI of\n"
         "the server, and identity and key in hexadecimal unless it is one without protection."},
        {"lwm2m.short_id", CFG_INT, "1", "Short Server ID in those accounts.", 1, 65534},
        {"lwm2m.lifetime", CFG_DURATION, "1d", "Lifetime of registrations in those accounts.",
         SECOND, 365 * 24 * HOUR},
        {"lwm2m.map", CFG_PATH, NULL,
         "Rules by which objects of LwM2M are nodes of the tree; default: those built in."},
};

static bool wanted(const cfg *c)
{
        return cfg_str(c, "lwm2m.listen") || cfg_str(c, "lwm2m.listen_secure");
}

/* ---- requests ---------------------------------------------------------------------------------------------- */

/* "X" of "rd/X". */
static odm_str below(odm_str path, const char *top)
{
        return odm_str_from(path, strlen(top));
}

static void on_registration(lwm2m *a, co_request *r, co_peer *p, const co_msg *m, odm_str location)
{
        if (m->code == CO_POST || m->code == CO_PUT)
                lw_update_request(a, r, p, m, location);
        else if (m->code == CO_DELETE)
                lw_deregister_request(a, r, p, location);
        else
                co_answer_code(r, CO_NOT_ALLOWED);
}

static void answer_directory(co_request *r)
{
        co_msg m;

        co_msg_init(&m, CO_CONTENT);
        m.format = ODM_LW_LINK;
        m.body = ODM_STR("</rd>;rt=\"core.rd\",</dp>");
        co_answer(r, &m);
}

static void on_request(void *ctx, co_request *r, co_peer *p, const co_msg *m)
{
        lwm2m *a = ctx;
        odm_str path = m->path.p ? m->path : ODM_STR("");
        bool post = m->code == CO_POST;

        if (a->closing || !a->open)
                co_answer_code(r, CO_UNAVAILABLE);
        else if (odm_str_is(path, "rd"))
                post ? lw_register_request(a, r, p, m) : co_answer_code(r, CO_NOT_ALLOWED);
        else if (odm_str_starts(path, "rd/"))
                on_registration(a, r, p, m, below(path, "rd/"));
        else if (odm_str_is(path, "dp"))
                post ? lw_send_request(a, r, p, m) : co_answer_code(r, CO_NOT_ALLOWED);
        else if (odm_str_is(path, "bs"))
                post ? lw_boot_request(a, r, p, m) : co_answer_code(r, CO_NOT_ALLOWED);
        else if (odm_str_starts(path, "img/"))
                lw_serve_image(a, r, m);
        else if (odm_str_is(path, ".well-known/core") && m->code == CO_GET)
                answer_directory(r);
        else
                co_answer_code(r, CO_NOT_FOUND);
}

static const co_app app = {.request = on_request, .psk = lw_keys_find};
static const co_app app_without_keys = {.request = on_request};

/* ---- start ----------------------------------------------------------------------------------------------------- */

static int check(const cfg *c, diag *d)
{
        static const char *const places[] = {"lwm2m.listen", "lwm2m.listen_secure"};
        net_addr at[ODM_COUNT(places)];

        for (size_t i = 0; i < ODM_COUNT(places); i++)
                if (cfg_str(c, places[i]) && net_hostport_parse(cfg_str(c, places[i]), &at[i]) < 0)
                        return diag_set(d, ODM_EINVAL, "%s: %s is no address:port", places[i],
                                        cfg_str(c, places[i]));
        if (cfg_str(c, places[0]) && !net_addr_is_loopback(&at[0]) &&
            !cfg_bool(c, "lwm2m.insecure"))
                return diag_set(d, ODM_EINVAL,
                                "lwm2m.listen: %s is open to a network, without protection; "
                                "lwm2m.insecure = yes if that is meant",
                                cfg_str(c, places[0]));
        if (cfg_str(c, places[1]) && !cfg_str(c, "lwm2m.cert") && !cfg_str(c, "lwm2m.keys"))
                return diag_set(d, ODM_EINVAL,
                                "lwm2m.listen_secure: needs lwm2m.keys or lwm2m.cert");
        return 0;
}

static int fill_setup(lwm2m *a, const char *key, co_setup *s, diag *d)
{
        const cfg *c = a->conf;
        const char *text = cfg_str(c, key);

        co_setup_init(s);
        if (net_hostport_parse(text, &s->at) < 0)
                return diag_set(d, ODM_EINVAL, "%s: %s is no address:port", key, text);
        s->ack_ms = (unsigned)cfg_ms(c, "lwm2m.ack");
        s->retransmit = (unsigned)cfg_int(c, "lwm2m.retransmit");
        s->block = (unsigned)cfg_int(c, "lwm2m.block");
        s->body_max = (size_t)cfg_int(c, "lwm2m.max_body");
        s->peers_max = a->max + 256;
        s->handshakes_max = a->max / 8 + 64; /* many come back at once when power does */
        s->asks_max = a->max * (WATCHES_MAX / 2);
        s->app = a->keys.path ? &app : &app_without_keys;
        s->ctx = a;
        return 0;
}

static bool is_one_address(const net_addr *at)
{
        char text[NET_ADDR_TEXT];

        net_addr_host(at, text);
        return strcmp(text, "0.0.0.0") != 0 && strcmp(text, "::") != 0 && strcmp(text, "[::]") != 0;
}

/* It is open: people are told where, and devices where images are. */
static int say_open(lwm2m *a, const co_end *e, net_addr *at, bool secure)
{
        const char *given = cfg_str(a->conf, secure ? "lwm2m.secure_url" : "lwm2m.url");
        char text[NET_ADDR_TEXT], url[NET_ADDR_TEXT + 16];

        net_addr_set_port(at, co_port(e));
        net_addr_format(at, text);
        log_info("listening for LwM2M devices", log_text("address", text),
                 log_int("port", co_port(e)), log_bool("dtls", secure));
        snprintf(url, sizeof url, "%s://%s", secure ? "coaps" : "coap", text);
        if (!given && !is_one_address(at))
                return 0;
        return lw_client_text(secure ? &a->secure_url : &a->url, odm_cstr(given ? given : url));
}

static int open_plain(lwm2m *a, diag *d)
{
        co_setup s;
        int rc;

        if (!cfg_str(a->conf, "lwm2m.listen"))
                return 0;
        rc = fill_setup(a, "lwm2m.listen", &s, d);
        if (rc == 0)
                rc = co_open(a->loop, &s, &a->plain, d);
        return rc == 0 ? say_open(a, a->plain, &s.at, false) : rc;
}

static int open_secure(lwm2m *a, diag *d)
{
        const cfg *c = a->conf;
        co_setup s;
        int rc;

        if (!cfg_str(c, "lwm2m.listen_secure"))
                return 0;
        rc = fill_setup(a, "lwm2m.listen_secure", &s, d);
        s.security = cfg_str(c, "lwm2m.cert") ? CO_CERT : CO_PSK;
        s.cert_file = cfg_str(c, "lwm2m.cert");
        s.key_file = cfg_str(c, "lwm2m.key");
        s.ca_file = cfg_str(c, "lwm2m.client_ca");
        if (rc == 0)
                rc = co_open(a->loop, &s, &a->secure, d);
        return rc == 0 ? say_open(a, a->secure, &s.at, true) : rc;
}

static int load_map(lwm2m *a, diag *d)
{
        const char *path = cfg_str(a->conf, "lwm2m.map");
        odm_str built_in = {(const char *)lwm2m_map, sizeof lwm2m_map};
        odm_map_fault why = {0};
        odm_buf text;
        int rc = 0;

        odm_buf_init(&text, &heap_mem, MAP_MAX);
        if (path)
                rc = fsio_read(path, MAP_MAX, &text, d);
        if (rc == 0) {
                rc = odm_map_parse(&heap_mem, path ? odm_buf_view(&text) : built_in, a->registry,
                                   &a->map, &why);
                if (rc < 0)
                        diag_set(d, rc, "%s:%u: %s", path ? path : "lwm2m.map", why.line,
                                 why.text[0] ? why.text : odm_err_text(rc));
        }
        odm_buf_done(&text);
        return rc;
}

static int make_folder(lwm2m *a, diag *d)
{
        char path[PATH_ROOM];

        if (snprintf(path, sizeof path, "%s/lwm2m", a->host.folder) >= (int)sizeof path)
                return diag_set(d, ODM_ELIMIT, "%s: too long a name", a->host.folder);
        if (mkdir(path, 0700) < 0 && access(path, W_OK) < 0)
                return diag_set(d, ODM_EIO, "%s cannot be made", path);
        return lw_client_text(&a->folder, odm_cstr(path));
}

static void adapter_close(void *ctx)
{
        lwm2m *a = ctx;

        if (!a)
                return;
        a->closing = true;
        loop_timer_stop(&a->greet);
        loop_timer_stop(&a->retell);
        lw_client_free_all(a);
        lw_boot_drop_all(a);
        co_close(a->plain);
        co_close(a->secure);
        lw_saver_close(a);
        lw_keys_close(a);
        words_free(a->words);
        odm_map_free(a->map);
        odm_lw_registry_free(a->registry);
        free(a->folder);
        free(a->url);
        free(a->secure_url);
        free(a);
}

static int adapter_open(const adapter_host *h, void **out, diag *d)
{
        lwm2m *a = calloc(1, sizeof *a);
        int rc;

        if (!a)
                return ODM_ENOMEM;
        a->host = *h;
        a->conf = h->conf;
        a->loop = h->loop;
        a->store = h->store;
        a->max = (size_t)cfg_int(a->conf, "lwm2m.devices");
        a->awake_ms = cfg_ms(a->conf, "lwm2m.awake");
        a->words = words_new();
        rc = check(a->conf, d);
        if (rc == 0)
                rc = lw_saver_open(a);
        if (rc == 0 && !a->words)
                rc = ODM_ENOMEM;
        if (rc == 0)
                rc = make_folder(a, d);
        if (rc == 0)
                rc = lw_keys_open(a, d);
        if (rc == 0)
                rc = odm_lw_registry_new(&heap_mem, &a->registry);
        if (rc == 0)
                rc = lw_objects_open(a, d);
        if (rc == 0)
                rc = load_map(a, d);
        if (rc == 0)
                rc = open_plain(a, d);
        if (rc == 0)
                rc = open_secure(a, d);
        if (rc == 0)
                rc = lw_client_load_all(a, d);
        if (rc < 0) {
                adapter_close(a);
                return rc;
        }
        *out = a;
        return 0;
}

unsigned lwm2m_port(const void *adapter, bool secure)
{
        const lwm2m *a = adapter;
        const co_end *e = secure ? a->secure : a->plain;

        return e ? co_port(e) : 0;
}

/* ---- the gateway's calls ---------------------------------------------------------------------------------------- */

static void enumerate(void *ctx)
{
        lwm2m *a = ctx;

        a->open = true;
        for (size_t i = 0; i < CHAINS; i++)
                for (client *c = a->by_name[i], *next; c; c = next) {
                        next = c->by_name;
                        if (!lw_client_here(c)) {
                                lw_work_pump(c);
                                lw_client_settled(c);
                        } else if (lw_client_introduce(c) == 0) {
                                lw_client_resume(c);
                        }
                }
        lw_greet_all(a);
}

static unsigned caps(void *a, gw_device *d, void *native)
{
        (void)a;
        (void)d;
        (void)native;
        return ADAPTER_READ | ADAPTER_WRITE | ADAPTER_CREATE | ADAPTER_DELETE | ADAPTER_EXECUTE |
               ADAPTER_OBSERVE | ADAPTER_WAKE | ADAPTER_LIST;
}

static void forget(void *a, gw_device *d, void *native)
{
        client *c = lw_client_by_name(a, d->id);

        (void)native;
        if (!c || (lw_client_here(c) && c->record != d))
                return;
        if (c->front)
                c->front->relook = true;
        c->record = NULL;
        lw_client_leave(c);
}

static co_counts counts_of(const lwm2m *a)
{
        co_counts all = {0}, one;
        const co_end *v[] = {a->plain, a->secure};

        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                if (!v[i])
                        continue;
                co_count(v[i], &one);
                all.in += one.in;
                all.out += one.out;
                all.retransmitted += one.retransmitted;
                all.duplicates += one.duplicates;
                all.silent += one.silent;
                all.refused += one.refused;
                all.secured += one.secured;
                all.peers += one.peers;
                all.open_asks += one.open_asks;
        }
        return all;
}

/* Without those of whom only jobs are left. */
static size_t registered(const lwm2m *a)
{
        size_t n = 0;

        for (size_t i = 0; i < CHAINS; i++)
                for (const client *c = a->by_name[i]; c; c = c->by_name)
                        n += lw_client_here(c) && !c->front;
        return n;
}

static size_t behind_others(const lwm2m *a)
{
        size_t n = 0;

        for (size_t i = 0; i < CHAINS; i++)
                for (const client *c = a->by_name[i]; c; c = c->by_name)
                        n += c->front != NULL;
        return n;
}

static int status(void *ctx, odm_buf *b)
{
        const lwm2m *a = ctx;
        co_counts n = counts_of(a);

        return odm_buf_fmt(b,
                           "registered: %zu\n"
                           "behind those: %zu\n"
                           "addresses in use: %zu\n"
                           "with DTLS: %zu\n"
                           "requests and observations: %zu\n",
                           registered(a), behind_others(a), n.peers, n.secured, n.open_asks);
}

static int metrics(void *ctx, odm_buf *b)
{
        const lwm2m *a = ctx;
        co_counts n = counts_of(a);
        const struct row {
                const char *name, *kind;
                uint64_t v;
        } rows[] = {
                {"lwm2m_registered", "gauge", registered(a)},
                {"lwm2m_behind", "gauge", behind_others(a)},
                {"lwm2m_sessions_dtls", "gauge", n.secured},
                {"lwm2m_registrations_total", "counter", a->registrations},
                {"lwm2m_updates_total", "counter", a->updates},
                {"lwm2m_deregistrations_total", "counter", a->deregistrations},
                {"lwm2m_expired_total", "counter", a->expiries},
                {"lwm2m_refused_total", "counter", a->refusals},
                {"lwm2m_requests_total", "counter", a->requests},
                {"lwm2m_notifications_total", "counter", a->notifications},
                {"lwm2m_orders_failed_total", "counter", a->failures},
                {"lwm2m_images_total", "counter", a->images},
                {"lwm2m_datagrams_in_total", "counter", n.in},
                {"lwm2m_datagrams_out_total", "counter", n.out},
                {"lwm2m_retransmitted_total", "counter", n.retransmitted},
                {"lwm2m_duplicates_total", "counter", n.duplicates},
                {"lwm2m_silent_total", "counter", n.silent},
                {"lwm2m_malformed_total", "counter", n.refused},
        };
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(rows); i++)
                rc = odm_buf_fmt(b, "# TYPE xrem_%s %s\nxrem_%s %llu\n", rows[i].name, rows[i].kind,
                                 rows[i].name, (unsigned long long)rows[i].v);
        return rc;
}

static const store_table *const tables[] = {&lwm2m_table_client, NULL};

const adapter_class lwm2m_class = {
        .version = ADAPTER_VERSION,
        .size = sizeof(adapter_class),
        .name = "lwm2m",
        .keys = keys,
        .n_keys = ODM_COUNT(keys),
        .tables = tables,
        .wanted = wanted,
        .check = check,
        .open = adapter_open,
        .enumerate = enumerate,
        .caps = caps,
        .read = lw_errand_read,
        .write = lw_errand_write,
        .create = lw_errand_create,
        .remove = lw_errand_remove,
        .execute = lw_errand_execute,
        .observe = lw_errand_observe,
        .wake = lw_errand_wake,
        .cancel = lw_errand_cancel,
        .forget = forget,
        .status = status,
        .metrics = metrics,
        .close = adapter_close,
};
