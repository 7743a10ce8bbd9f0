/* SPDX-License-Identifier: Apache-2.0 */
/* The server itself: health, version, metrics, audit log. */
#include <stdio.h>

#include "call.h"
#include "heap.h"

/* ---- audit ----------------------------------------------------------------------- */

static json_t *audit_json(const store_audit *e)
{
        json_t *o = json_object();

        if (put_ms(o, "time", e->at) && put_text(o, "actor", e->actor) &&
            put_text(o, "action", e->action) && put_text(o, "target", e->target) &&
            put_text(o, "result", e->outcome) &&
            (e->detail.n == 0 || put_text(o, "detail", e->detail)))
                return o;
        json_decref(o);
        return NULL;
}

void audit_list(call *c)
{
        store_audit_list l = {0};
        uint32_t limit;
        int64_t before;
        json_t *items;
        int rc;

        if (!call_page(c, &limit, &before)) {
                call_fail(c);
                return;
        }
        rc = store_audit_find(c->api->opt.store, before, 0, limit, &c->arena, &l);
        if (rc < 0) {
                call_refused(c, "the audit log cannot be read", rc);
                return;
        }
        items = json_array();
        for (size_t i = 0; i < l.n; i++)
                if (json_array_append_new(items, audit_json(&l.v[i])) < 0) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        call_reply(c, 200, page_new(items, l.more ? id_text(l.v[l.n - 1].seq) : NULL));
}

/* ---- health and version ---------------------------------------------------------- */

void health_show(call *c)
{
        odm_str unused;
        int rc = store_setting_get(c->api->opt.store, ODM_STR("health.probe"), &c->arena, &unused);
        store_stats stats;

        store_stat(c->api->opt.store, &stats);
        if (stats.failing) /* it may still be read */
                rc = ODM_EIO;
        bool store_ok = rc == 0 || rc == ODM_ENOENT, stopping = c->api->stopping;
        const char *word = stopping ? "stopping" : store_ok ? "ok" : "failing";
        json_t *o = json_pack("{s:s, s:{s:s}}", "status", word, "checks", "store",
                              store_ok ? "ok" : odm_err_text(rc));

        call_reply(c, store_ok && !stopping ? 200 : 503, o);
}

void version_show(call *c)
{
        call_reply(c, 200,
                   json_pack("{s:s, s:s, s:s}", "name", "nremd", "version", c->api->opt.version,
                             "api", "v1"));
}

/* ---- metrics --------------------------------------------------------------------- */

static int put_states(const store_counts *n, odm_buf *out)
{
        char label[48];
        int rc = 0;

        for (unsigned i = 0; rc == 0 && i < STORE_DEVICE_STATES; i++) {
                (void)snprintf(label, sizeof label, "state=\"%s\"",
                               store_device_state_name((store_device_state)i));
                rc = metrics_line(out, "nrem_devices", label, "gauge",
                                  i == 0 ? "Devices by state" : NULL, (double)n->devices[i]);
        }
        for (unsigned i = 0; rc == 0 && i < STORE_JOB_STATES; i++) {
                (void)snprintf(label, sizeof label, "state=\"%s\"",
                               store_job_state_name((store_job_state)i));
                rc = metrics_line(out, "nrem_jobs", label, "gauge",
                                  i == 0 ? "Jobs kept, by state" : NULL, (double)n->jobs[i]);
        }
        return rc == 0 ? metrics_line(out, "nrem_sessions_kept", "", "gauge",
                                      "Sessions whose messages are kept", (double)n->sessions)
                       : rc;
}

static int put_store(store *st, odm_buf *out)
{
        store_stats s;
        store_stat(st, &s);
        const struct row {
                const char *name, *type, *help;
                double value;
        } rows[] = {
                {"nrem_store_batches_total", "counter", "Batches written", (double)s.batches},
                {"nrem_store_transactions_total", "counter", "Transactions they shared",
                 (double)s.transactions},
                {"nrem_store_operations_total", "counter", "Operations written", (double)s.ops},
                {"nrem_store_reads_total", "counter", "Reads", (double)s.reads},
                {"nrem_store_refused_total", "counter", "Batches turned away by a full queue",
                 (double)s.refused},
                {"nrem_store_failed_total", "counter", "Transactions that failed",
                 (double)s.failed},
                {"nrem_store_queue", "gauge", "Batches waiting now", (double)s.queue},
                {"nrem_store_commit_seconds_total", "counter", "Time spent committing",
                 (double)s.commit_us_total / 1e6},
                {"nrem_store_commit_seconds_max", "gauge", "Longest commit",
                 (double)s.commit_us_max / 1e6},
        };
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(rows); i++)
                rc = metrics_line(out, rows[i].name, "", rows[i].type, rows[i].help, rows[i].value);
        return rc;
}

void metrics_show(call *c)
{
        const api_opt *opt = &c->api->opt;
        store_counts n;
        odm_buf b;
        int rc = store_count(opt->store, &n);

        if (rc < 0) {
                call_refused(c, "the store cannot be counted", rc);
                return;
        }
        odm_buf_init(&b, &heap_mem, (size_t)1 << 20);
        if (opt->metrics)
                rc = metrics_format(opt->metrics, &b);
        if (rc == 0)
                rc = put_states(&n, &b);
        if (rc == 0)
                rc = put_store(opt->store, &b);
        if (rc == 0 && opt->hooks.metrics)
                rc = opt->hooks.metrics(opt->hooks.ctx, &b);
        if (rc == 0)
                rc = metrics_line(&b, "nrem_build_info", "", "gauge", "1, always", 1);
        if (rc < 0)
                call_refused(c, "the metrics cannot be written", rc);
        else
                call_text(c, "text/plain; version=0.0.4; charset=utf-8", odm_buf_view(&b));
        odm_buf_done(&b);
}
