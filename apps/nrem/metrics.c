/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

static const struct counter {
        const char *family, *label, *help;
} counters[] = {
#define X(id, family, label, help) {family, label, help},
        METRICS(X)
#undef X
};

static const struct timing {
        const char *family, *help;
} timings[] = {
#define X(id, family, help) {family, help},
        METRIC_TIMES(X)
#undef X
};

/* upper bounds in microseconds; half a millisecond to a minute */
static const int64_t bounds[METRIC_BUCKETS - 1] = {
        500,    1000,   2500,    5000,    10000,   25000,    50000,    100000,
        250000, 500000, 1000000, 2500000, 5000000, 15000000, 60000000,
};

void metrics_add(metrics *m, metric id, uint64_t n)
{
        if (m)
                atomic_fetch_add_explicit(&m->count[id], n, memory_order_relaxed);
}

uint64_t metrics_get(const metrics *m, metric id)
{
        return m ? atomic_load_explicit(&m->count[id], memory_order_relaxed) : 0;
}

void metrics_observe(metrics *m, metric_time id, int64_t us)
{
        unsigned i = 0;

        if (!m)
                return;
        if (us < 0) /* a clock that was set back */
                us = 0;
        while (i < METRIC_BUCKETS - 1 && us > bounds[i])
                i++;
        atomic_fetch_add_explicit(&m->time[id].bucket[i], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&m->time[id].sum_us, (uint64_t)us, memory_order_relaxed);
}

int metrics_line(odm_buf *out, const char *family, const char *labels, const char *type,
                 const char *help, double value)
{
        int rc = 0;

        if (help)
                rc = odm_buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", family, help, family, type);
        if (rc < 0)
                return rc;
        if (labels[0])
                return odm_buf_fmt(out, "%s{%s} %.15g\n", family, labels, value);
        return odm_buf_fmt(out, "%s %.15g\n", family, value);
}

static int format_time(const metric_histogram *h, const struct timing *t, odm_buf *out)
{
        uint64_t sum = atomic_load_explicit(&h->sum_us, memory_order_relaxed), n = 0;
        int rc = odm_buf_fmt(out, "# HELP %s %s\n# TYPE %s histogram\n", t->family, t->help,
                             t->family);

        for (unsigned i = 0; rc == 0 && i < METRIC_BUCKETS; i++) {
                n += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
                rc = i < METRIC_BUCKETS - 1
                             ? odm_buf_fmt(out, "%s_bucket{le=\"%g\"} %llu\n", t->family,
                                           (double)bounds[i] / 1e6, (unsigned long long)n)
                             : odm_buf_fmt(out, "%s_bucket{le=\"+Inf\"} %llu\n", t->family,
                                           (unsigned long long)n);
        }
        return rc < 0 ? rc
                      : odm_buf_fmt(out, "%s_sum %.6f\n%s_count %llu\n", t->family,
                                    (double)sum / 1e6, t->family, (unsigned long long)n);
}

int metrics_format(const metrics *m, odm_buf *out)
{
        int rc = 0;

        for (unsigned i = 0; rc == 0 && i < METRIC_COUNT; i++) {
                const struct counter *c = &counters[i];
                rc = metrics_line(out, c->family, c->label, "counter", c->help[0] ? c->help : NULL,
                                  (double)metrics_get(m, (metric)i));
        }
        for (unsigned i = 0; rc == 0 && i < METRIC_TIME_COUNT; i++)
                rc = format_time(&m->time[i], &timings[i], out);
        return rc;
}
