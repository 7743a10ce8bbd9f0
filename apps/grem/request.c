/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - what the gateway asks its server for (G3; gwmo.md 1.2: TaskRequest). */
#include <string.h>

#include "cert.h"
#include "heap.h"
#include "inner.h"
#include "log.h"
#include "odm/inventory.h"

#define DAY_MS INT64_C(86400000)

void gw_request(gateway *g, odm_str source, const char *kind, odm_str detail)
{
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .source = source,
                       .type = ODM_STR(ODM_INV_REQUEST_ALERT),
                       .format = ODM_FMT_XML,
                       .mark = ODM_STR("informational")};
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, 4096);
        rc = odm_inv_request_doc(odm_cstr(kind), detail, &b);
        a.data = odm_buf_view(&b);
        if (rc == 0)
                rc = north_request(g->north, &a);
        odm_buf_done(&b);
        if (rc < 0)
                log_error("the server cannot be asked", log_text("for", kind),
                          log_text("reason", odm_err_text(rc)));
}

/* ---- certificates of the gateway ------------------------------------------------------------- */

/* One of a smartcard has no file. */
static bool is_file(const char *path)
{
        return path && strncmp(path, "pkcs11:", 7) != 0;
}

static void look_at(gateway *g, const char *key, int64_t within_ms)
{
        const char *path = cfg_str(g->conf, key);
        char when[ODM_WALL_TEXT], text[160];
        odm_wall end;
        diag d = {{0}};

        if (!is_file(path))
                return;
        if (cert_end(path, &end, &d) < 0) {
                log_warn("the end of a certificate is not known", log_text("reason", d.text));
                return;
        }
        if (end.s - loop_wall().s > within_ms / 1000)
                return;
        odm_wall_format(end, when);
        snprintf(text, sizeof text, "%s is good until %s", key, when);
        log_warn("a certificate ends soon", log_text("key", key), log_text("end", when));
        gw_request(g, ODM_STR("./DevInfo"), "certificate", odm_cstr(text));
}

static bool is_certificate(const cfg_key *k)
{
        static const char end[] = ".cert";
        size_t n = strlen(k->name);

        return k->kind == CFG_PATH && n >= sizeof end &&
               strcmp(k->name + n - sizeof end + 1, end) == 0;
}

/* Of the agent, and of adapters.  Each day again, until somebody has put another one there. */
static void on_time(void *ctx)
{
        gateway *g = ctx;
        int64_t within = cfg_ms(g->conf, "gateway.certificate_warning");

        if (within > 0)
                look_at(g, "transport.cert_file", within);
        for (size_t i = 0; within > 0 && i < g->n_adapters; i++) {
                const adapter_class *k = g->adapters[i].k;
                for (size_t j = 0; j < k->n_keys; j++)
                        if (is_certificate(&k->keys[j]))
                                look_at(g, k->keys[j].name, within);
        }
        if (loop_timer_set(g->loop, &g->certificates, odm_time_add(loop_now(), DAY_MS)) < 0)
                log_error("no memory for a timer");
}

/* ---- at the start ----------------------------------------------------------------------------- */

void gw_requests_begin(gateway *g)
{
        if (cfg_bool(g->conf, "gateway.ask") && config_is_empty(g))
                gw_request(g, ODM_STR("./GwMO/Config"), "config",
                           ODM_STR("this gateway has no configuration"));
        g->certificates = (loop_timer){.fn = on_time, .ctx = g};
        on_time(g);
}

void gw_requests_end(gateway *g)
{
        loop_timer_stop(&g->certificates);
}
