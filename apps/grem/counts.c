/* SPDX-License-Identifier: Apache-2.0 */
/* counts.c - what the gateway spends and saves (xrem.md G5), for /metrics. */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "httpd.h"
#include "inner.h"
#include "log.h"
#include "report.h"

#define TEXT_MAX 65536
#define TICK_MS 1000

/* Requests are handled on a thread of the listener's; what they are told is what the loop wrote
 * down last. */
struct meter {
        gateway *g;
        httpd *h;
        loop_timer tick;
        pthread_mutex_t lock;
        odm_buf text;
};

static int put(odm_buf *b, const char *name, const char *type, const char *help, uint64_t n)
{
        return odm_buf_fmt(b, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name,
                           type, name, n);
}

static int put_devices(gateway *g, odm_buf *b)
{
        static const char *const names[] = {"provisioned", "active",   "asleep",
                                            "unreachable", "detached", "deactivated"};
        int rc = odm_buf_str(b, ODM_STR("# HELP grem_devices Devices by state\n"
                                        "# TYPE grem_devices gauge\n"));

        for (int i = 0; rc == 0 && i < (int)ODM_COUNT(names); i++)
                rc = odm_buf_fmt(b, "grem_devices{state=\"%s\"} %zu\n", names[i], gw_count(g, i));
        return rc;
}

static int format(gateway *g, odm_buf *b)
{
        const gw_counts *c = &g->counts;
        const report_counts m = report_counted(g);
        const struct {
                const char *name, *help;
                uint64_t n;
        } rows[] = {
                {"grem_north_sessions_total", "Sessions with the server", c->north_sessions},
                {"grem_north_bytes_total", "Octets of their messages", c->north_bytes},
                {"grem_sessions_saved_total",
                 "Sessions that devices by themselves would have had, less those",
                 c->sessions_saved},
                {"grem_bytes_saved_total",
                 "Octets saved by that, at the size of the smallest session", c->bytes_saved},
                {"grem_alerts_gathered_total", "Alerts that went north", c->alerts_gathered},
                {"grem_results_merged_total", "Results of devices told as parts of one document",
                 c->results_merged},
                {"grem_reads_cached_total", "Reads answered without asking the device",
                 c->reads_cached},
                {"grem_image_bytes_fetched_total", "Octets of images that came over the backhaul",
                 c->image_bytes_in},
                {"grem_image_bytes_served_total", "Octets of images that devices took from here",
                 c->image_bytes_out},
                {"grem_images_served_total", "Images that devices took from here",
                 c->images_served},
                {"grem_samples_total", "Measurements that were kept for the server", m.kept},
                {"grem_samples_same_total", "Measurements that were no news, and not told", m.same},
                {"grem_samples_dropped_total", "Measurements that had to make room", m.dropped},
        };
        int rc = put_devices(g, b);

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(rows); i++)
                rc = put(b, rows[i].name, "counter", rows[i].help, rows[i].n);
        if (rc == 0)
                rc = put(b, "grem_alerts_waiting", "gauge", "Alerts that wait for the server",
                         north_waiting(g->north));
        if (rc == 0)
                rc = put(b, "grem_samples_waiting", "gauge",
                         "Measurements that are not on their way to the server", m.waiting);
        for (size_t i = 0; rc == 0 && i < g->n_adapters; i++)
                if (g->adapters[i].opened && g->adapters[i].k->metrics)
                        rc = g->adapters[i].k->metrics(g->adapters[i].self, b);
        return rc;
}

static void write_down(meter *m)
{
        odm_buf b, old;

        odm_buf_init(&b, &heap_mem, TEXT_MAX);
        if (format(m->g, &b) < 0)
                log_warn("the metrics cannot be written down");
        pthread_mutex_lock(&m->lock);
        old = m->text;
        m->text = b;
        pthread_mutex_unlock(&m->lock);
        odm_buf_done(&old);
}

static void on_tick(void *ctx)
{
        meter *m = ctx;

        write_down(m);
        if (loop_timer_set(m->g->loop, &m->tick, odm_time_add(loop_now(), TICK_MS)) < 0)
                log_error("no memory for a timer");
}

void meter_session(void *app, bool good, uint64_t in, uint64_t out)
{
        gateway *g = app;

        (void)good;
        g->counts.north_sessions++;
        if (in == 0) /* nobody was there */
                out = 0;
        g->counts.north_bytes += in + out;
        g->counts.north_bytes_in += in;
        if (good)
                north_session(g->north, in + out);
        if (g->meter) /* who saw the session end finds it counted */
                write_down(g->meter);
}

static void on_request(void *ctx, httpd_req *r)
{
        meter *m = ctx;
        httpd_reply reply = {.status = 200, .type = "text/plain; version=0.0.4"};

        if (!odm_str_is(httpd_path(r), "/metrics")) {
                httpd_send_text(r, 404, "not found");
                return;
        }
        if (!odm_str_is(httpd_method(r), "GET")) {
                httpd_send_text(r, 405, "GET alone");
                return;
        }
        pthread_mutex_lock(&m->lock);
        reply.body = odm_buf_view(&m->text);
        httpd_send(r, &reply);
        pthread_mutex_unlock(&m->lock);
}

int meter_open(gateway *g, meter **out, diag *d)
{
        const char *where = cfg_str(g->conf, "gateway.metrics");
        meter *m;
        httpd_listener l;
        httpd_opt opt;
        int rc;

        if (!where)
                return 0;
        m = calloc(1, sizeof *m);
        if (!m)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        m->g = g;
        m->tick = (loop_timer){.fn = on_tick, .ctx = m};
        pthread_mutex_init(&m->lock, NULL);
        odm_buf_init(&m->text, &heap_mem, TEXT_MAX);
        httpd_opt_init(&opt);
        opt.max_connections = 16;
        opt.max_active = 8;
        opt.server_name = "xrem";
        httpd_listener_init(&l);
        l.app = (httpd_app){.handle = on_request, .ctx = m};
        l.max_body = 0;
        l.workers = 1;
        rc = net_hostport_parse(where, &l.addr);
        if (rc == 0) {
                on_tick(m);
                rc = httpd_start(&opt, &l, 1, &m->h, d);
        }
        if (rc < 0) {
                meter_close(m);
                return rc;
        }
        log_info("listening", log_text("address", where), log_int("port", httpd_port(m->h, 0)),
                 log_bool("metrics", true));
        *out = m;
        return 0;
}

uint16_t meter_port(const meter *m)
{
        return m ? httpd_port(m->h, 0) : 0;
}

void meter_close(meter *m)
{
        if (!m)
                return;
        loop_timer_stop(&m->tick);
        httpd_stop(m->h, 100);
        odm_buf_done(&m->text);
        pthread_mutex_destroy(&m->lock);
        free(m);
}
