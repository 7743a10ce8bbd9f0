/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.c - gremd put together; see gateway.h. */
#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "fsio.h"
#include "heap.h"
#include "inner.h"
#include "log.h"
#include "odm/inventory.h"
#include "plugin.h"
#include "recover_store.h"
#include "settings.h"

#define CONFIG_AT "./GwMO/Config/"
#define STORE_CACHE ((size_t)4 << 20) /* rows are written far oftener than they are read */
#define JOBS_KEPT 50      /* finished ones of a device: what came of them is told long before */
#define EVENTS_KEPT 65536 /* alerts that wait to be told of are among them */
#define TRIM_MS 60000

/* ---- what others ask ------------------------------------------------------------------------------- */

store *gw_store(gateway *g)
{
        return g->store;
}

loop *gw_loop(gateway *g)
{
        return g->loop;
}

const cfg *gw_conf(gateway *g)
{
        return g->conf;
}

const char *gw_folder(gateway *g)
{
        return g->folder;
}

odm_tree *gw_tree(gateway *g)
{
        return g->host ? g->host->tree : NULL;
}

const part_host *gw_part_host(gateway *g)
{
        return g->host;
}

runner *gw_runner(gateway *g)
{
        return g->runner;
}

gw_counts *gw_counts_of(gateway *g)
{
        return &g->counts;
}

/* The text of a setting; 0, or an error when there is none. */
static int read_config(gateway *g, const char *rel, odm_arena *a, odm_value *out)
{
        odm_str uri = odm_arena_fmt(a, CONFIG_AT "%s", rel);

        if (!uri.p)
                return odm_arena_err(a);
        return gw_tree(g) ? odm_tree_read(gw_tree(g), uri, a, out) : ODM_ENOENT;
}

int64_t gw_config_int(gateway *g, const char *rel, int64_t otherwise)
{
        odm_value v;
        odm_arena a;
        uint64_t n;

        odm_arena_init(&a, &heap_mem, 4096);
        if (read_config(g, rel, &a, &v) == 0 && odm_str_u64(v.data, INT32_MAX, &n) == 0)
                otherwise = (int64_t)n;
        odm_arena_done(&a);
        return otherwise;
}

bool gw_config_bool(gateway *g, const char *rel, bool otherwise)
{
        odm_value v;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 4096);
        if (read_config(g, rel, &a, &v) == 0)
                otherwise = odm_str_ieq(v.data, "true") || odm_str_is(v.data, "1");
        odm_arena_done(&a);
        return otherwise;
}

void gw_hook_add(gateway *g, gw_hook *h)
{
        gw_hook **at = &g->hooks;

        while (*at)
                at = &(*at)->next;
        h->next = NULL;
        *at = h;
}

void gw_hook_del(gateway *g, gw_hook *h)
{
        for (gw_hook **at = &g->hooks; *at; at = &(*at)->next)
                if (*at == h) {
                        *at = h->next;
                        return;
                }
}

/* ---- memory ------------------------------------------------------------------------------------------ */

/* What a storm of registrations or a large answer took, and gave back in pieces, is given back to
 * the system: most of the time nothing goes on here. */
static void on_trim(void *ctx)
{
        gateway *g = ctx;

        (void)malloc_trim(0);
        if (loop_timer_set(g->loop, &g->trim, odm_time_add(loop_now(), TRIM_MS)) < 0)
                log_error("no memory for a timer");
}

/* ---- life -------------------------------------------------------------------------------------------- */

static size_t count_tables(const store_table *const *list)
{
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

/* Those of the gateway and of the adapters that are wanted. */
static int gather_tables(gateway *g, size_t *n)
{
        size_t most = count_tables(gw_tables);

        for (size_t i = 0; i < g->n_adapters; i++)
                most += count_tables(g->adapters[i].k->tables);
        g->tables = calloc(most + 1, sizeof *g->tables);
        if (!g->tables)
                return ODM_ENOMEM;
        for (size_t i = 0; gw_tables[i]; i++)
                g->tables[(*n)++] = gw_tables[i];
        for (size_t k = 0; k < g->n_adapters; k++)
                for (size_t i = 0; i < count_tables(g->adapters[k].k->tables); i++)
                        g->tables[(*n)++] = g->adapters[k].k->tables[i];
        return 0;
}

static int open_store(gateway *g, diag *d)
{
        const char *given = cfg_str(g->conf, "gateway.store");
        char *path = given ? NULL : fsio_join(g->folder, "gateway.db");
        char why[STORE_DIAG] = "";
        store_opt opt;
        int rc = ODM_ENOMEM;

        store_opt_init(&opt);
        opt.where = given ? given : path;
        opt.owner = STORE_OF_GATEWAY;
        opt.cache_bytes = STORE_CACHE;
        opt.sessions_kept = 2; /* those of OMA DM devices, which nobody looks at */
        opt.session_bytes = 0;
        opt.jobs_kept = JOBS_KEPT;
        opt.events_kept = EVENTS_KEPT;
        if (opt.where)
                rc = gather_tables(g, &opt.n_tables);
        opt.tables = g->tables;
        if (rc == 0)
                rc = recover_store_open(path, &opt, g->marks, &g->store, why, &g->mended);
        if (rc < 0)
                diag_set(d, rc, "the store: %s", why[0] ? why : odm_err_text(rc));
        free(path);
        return rc;
}

static void on_reply(void *ctx, uint64_t id, const adapter_reply *r)
{
        gateway *g = ctx;

        runner_reply(g->runner, id, r);
}

static int find_adapters(gateway *g, diag *d)
{
        for (size_t i = 0; adapter_at(i); i++) {
                const adapter_class *k = adapter_at(i);
                if (k->wanted && !k->wanted(g->conf))
                        continue;
                if (g->n_adapters == GW_ADAPTERS_MAX)
                        return diag_set(d, ODM_ELIMIT, "more than %d adapters", GW_ADAPTERS_MAX);
                g->adapters[g->n_adapters++].k = k;
        }
        return 0;
}

static int own_address(void *ctx, odm_arena *a, odm_str *addr, odm_str *type)
{
        odm_value v;

        *addr = read_config(ctx, "GwAddress/Addr", a, &v) == 0 ? odm_arena_copy(a, v.data)
                                                               : ODM_STR("");
        *type = read_config(ctx, "GwAddress/AddrType", a, &v) == 0 ? odm_arena_copy(a, v.data)
                                                                   : ODM_STR("");
        return a->err ? odm_arena_err(a) : 0;
}

static int open_adapters(gateway *g, diag *d)
{
        int rc = 0;

        g->adapter_host = (adapter_host){.loop = g->loop,
                                         .conf = g->conf,
                                         .store = g->store,
                                         .folder = g->folder,
                                         .seen = devices_seen,
                                         .awake = devices_awake,
                                         .asleep = devices_asleep,
                                         .gone = devices_gone,
                                         .reply = on_reply,
                                         .changed = devices_changed,
                                         .alert = devices_alert,
                                         .bootstrap = gw_bootstrap,
                                         .known = devices_known,
                                         .address = own_address,
                                         .images_served = &g->counts.images_served,
                                         .image_octets = &g->counts.image_bytes_out,
                                         .ctx = g};
        for (size_t i = 0; rc == 0 && i < g->n_adapters; i++) {
                gw_adapter *a = &g->adapters[i];
                rc = a->k->open(&g->adapter_host, &a->self, d);
                if (rc < 0 && d && !d->text[0])
                        diag_set(d, rc, "adapter %s: %s", a->k->name, odm_err_text(rc));
                a->opened = rc == 0;
        }
        return rc;
}

static bool has_file(const gateway *g, const char *name)
{
        char *path = fsio_join(g->folder, name);
        bool has = path && access(path, F_OK) == 0;

        free(path);
        return has;
}

/* What is in a server's folder is not to be mixed with a gateway's. */
static int check_folder(const gateway *g, diag *d)
{
        if (!has_file(g, "nrem.db") || has_file(g, "gateway.db"))
                return 0;
        return diag_set(d, ODM_EUNSUPPORTED,
                        "%s is the folder of a server, nremd; name another one in agent.state",
                        g->folder);
}

static int open_all(gateway *g, diag *d)
{
        int rc = check_folder(g, d);

        if (rc == 0)
                rc = fsio_mkdir(g->folder, 0700, d);

        if (rc == 0)
                rc = find_adapters(g, d);
        if (rc == 0)
                rc = marks_open(NULL, g->folder, !cfg_str(g->conf, "gateway.store"), &g->marks, d);
        if (rc == 0)
                rc = open_store(g, d);
        if (rc == 0)
                rc = gw_writer_new(g, &g->writer);
        if (rc == 0)
                rc = north_open(g, &g->north, d);
        if (rc == 0)
                rc = devices_open(g, &g->devices, d);
        if (rc == 0)
                rc = runner_new(g, &g->runner);
        if (rc == 0)
                rc = applier_new(g, &g->applier);
        if (rc == 0)
                rc = open_adapters(g, d);
        return rc == 0 ? meter_open(g, &g->meter, d) : rc;
}

int gateway_open(const cfg *c, loop *l, const char *version, gateway **out, diag *d)
{
        gateway *g = calloc(1, sizeof *g);
        int rc;

        if (!g)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        g->conf = c;
        g->loop = l;
        g->version = version;
        g->folder = strdup(cfg_str(c, "agent.state"));
        rc = g->folder ? open_all(g, d) : ODM_ENOMEM;
        if (rc < 0) {
                if (d && !d->text[0])
                        diag_set(d, rc, "%s", odm_err_text(rc));
                gateway_close(g);
                return rc;
        }
        *out = g;
        return 0;
}

int gateway_start(gateway *g, diag *d)
{
        (void)d;
        g->started = true;
        g->trim = (loop_timer){.fn = on_trim, .ctx = g};
        on_trim(g);
        gw_requests_begin(g);
        for (size_t i = 0; i < g->n_adapters; i++)
                if (g->adapters[i].k->enumerate)
                        g->adapters[i].k->enumerate(g->adapters[i].self);
        devices_start(g->devices);
        north_begin(g->north);
        marks_settled(g->marks); /* parts have seen to what they keep */
        return 0;
}

static void close_adapters(gateway *g)
{
        for (size_t i = g->n_adapters; i-- > 0;) {
                gw_adapter *a = &g->adapters[i];
                if (a->opened)
                        a->k->close(a->self);
                a->opened = false;
        }
        if (g->devices)
                devices_orphan(g->devices);
}

void gateway_stop(gateway *g)
{
        if (!g->started)
                return;
        g->started = false;
        loop_timer_stop(&g->trim);
        gw_requests_end(g);
        applier_free(g->applier);
        g->applier = NULL;
        runner_free(g->runner);
        g->runner = NULL;
        close_adapters(g);
        devices_flush(g->devices);
        north_flush(g->north);
}

/* Closed, and copied where it is the gateway's own. */
static void keep_store(gateway *g)
{
        bool own = g->store && !cfg_str(g->conf, "gateway.store");
        char *path = own ? fsio_join(g->folder, "gateway.db") : NULL;
        bool copied;

        store_close(g->store);
        copied = path && recover_store_keep(path) == 0;
        marks_close(g->marks, copied);
        free(path);
}

void gateway_close(gateway *g)
{
        if (!g)
                return;
        gateway_stop(g);
        meter_close(g->meter);
        g->meter = NULL;
        applier_free(g->applier);
        g->applier = NULL;
        runner_free(g->runner);
        g->runner = NULL;
        close_adapters(g);
        keep_store(g);
        gw_writer_free(g->writer);
        devices_close(g->devices);
        north_close(g->north);
        free(g->tables);
        free(g->folder);
        free(g);
}

int gateway_status(gateway *g, odm_buf *b)
{
        static const char *const names[] = {"provisioned", "active",   "asleep",
                                            "unreachable", "detached", "deactivated"};
        int rc = odm_buf_fmt(b, "devices: %zu\n", gw_count(g, -1));

        for (int i = 0; rc == 0 && i < (int)ODM_COUNT(names); i++)
                rc = odm_buf_fmt(b, "devices-%s: %zu\n", names[i], gw_count(g, i));
        if (rc == 0)
                rc = odm_buf_fmt(b, "north-alerts-waiting: %zu\n", north_waiting(g->north));
        for (size_t i = 0; rc == 0 && i < g->n_adapters; i++)
                if (g->adapters[i].opened && g->adapters[i].k->status)
                        rc = g->adapters[i].k->status(g->adapters[i].self, b);
        return rc;
}
