/* SPDX-License-Identifier: Apache-2.0 */
/* Samples in REST: asked for as they are or by step, as JSON or CSV; and put.
 *
 * A step is made of the largest roll-up that it is a multiple of.  Answers are written as text, not
 * built: there may be many entries. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "metric.h"

#define SECOND ((int64_t)1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define LIMIT_MAX 10000   /* entries of an answer */
#define CSV_MAX 100000    /* lines of one, which has no pages */
#define PAGE_ROWS 2000    /* read at a time */
#define ROWS_MOST 200000  /* of one answer */
#define DEVICES_MOST 1000 /* brought together in one answer */
#define AUTO_ENTRIES 400  /* without a step: so many, about */
#define ANSWER_MOST ((size_t)32 << 20)

/* ---- what is asked for -------------------------------------------------------------------- */

typedef struct ask {
        odm_str metric;
        int64_t id; /* of the metric; 0: nobody has ever told of it */
        int64_t from, to;
        int64_t step; /* 0: samples as they came */
        int level;    /* the roll-up it is made of; -1: samples */
        int64_t limit;
        bool csv;
} ask;

static bool read_time(call *c, const char *name, int64_t without, int64_t *out)
{
        odm_str s = call_query(c, name);
        int64_t ago;

        *out = without;
        if (!s.p || sample_time_parse(s, out) == 0)
                return true;
        if (s.n > 1 && s.p[0] == '-' && cfg_duration_parse(odm_str_from(s, 1), &ago) == 0) {
                *out = c->now - ago;
                return true;
        }
        problem_at(&c->problem, name,
                   "has to be a time such as 2026-11-22T16:35:05Z, or -1h: so long ago");
        return false;
}

/* The finest step that gives few enough entries. */
static int64_t fitting_step(int64_t range)
{
        static const int64_t steps[] = {5 * 60 * SECOND, HOUR, DAY};

        if (range <= 2 * HOUR)
                return 0;
        for (size_t i = 0; i < ODM_COUNT(steps); i++)
                if (range / steps[i] <= AUTO_ENTRIES)
                        return steps[i];
        return DAY;
}

static bool read_step(call *c, ask *q)
{
        odm_str s = call_query(c, "step");

        q->step = fitting_step(q->to - q->from);
        if (q->step == 0 && !call_query(c, "device").p) /* samples of many cannot be one */
                q->step = series_span[SERIES_5M];
        if (odm_str_is(s, "raw"))
                q->step = 0;
        else if (s.p &&
                 (cfg_duration_parse(s, &q->step) < 0 || q->step < SECOND || q->step > 366 * DAY)) {
                problem_at(&c->problem, "step", "has to be raw, or a time such as 5m, 1h or 1d");
                return false;
        }
        q->level = -1;
        for (int i = 0; i < SERIES_LEVELS; i++)
                if (q->step && q->step % series_span[i] == 0)
                        q->level = i;
        if (q->step) /* buckets are whole */
                q->from = series_start(q->from, q->step);
        return true;
}

static bool read_form(call *c, ask *q)
{
        odm_str s = call_query(c, "format");

        if (s.p && !odm_str_is(s, "csv") && !odm_str_is(s, "json")) {
                problem_at(&c->problem, "format", "has to be json or csv");
                return false;
        }
        q->csv = s.p ? odm_str_is(s, "csv") : odm_str_is(httpd_field(c->req, "Accept"), "text/csv");
        return true;
}

static bool find_metric(call *c, ask *q)
{
        const metric_name key = {.name = q->metric};
        metric_name row;
        int rc = store_row_by(c->api->opt.store, &table_metric_name, METRIC_NAME_BY_NAME, &key,
                              &c->arena, &row);

        if (rc < 0 && rc != ODM_ENOENT) {
                problem_err(&c->problem, rc, "the metric cannot be read");
                return false;
        }
        q->id = rc == 0 ? row.id : 0;
        return true;
}

static bool read_ask(call *c, ask *q)
{
        odm_str cursor = call_query(c, "cursor");

        q->metric = call_query(c, "metric");
        if (!q->metric.p) {
                problem_at(&c->problem, "metric", "is needed");
                return false;
        }
        if (!read_time(c, "to", c->now, &q->to) || !read_time(c, "from", q->to - DAY, &q->from) ||
            !read_form(c, q) ||
            !call_query_int(c, "limit", 1, q->csv ? CSV_MAX : LIMIT_MAX, q->csv ? CSV_MAX : 1000,
                            &q->limit))
                return false;
        if (q->from >= q->to) {
                problem_at(&c->problem, "from", "is not before `to`");
                return false;
        }
        if (!read_step(c, q) || !find_metric(c, q))
                return false;
        if (q->to > c->now)
                q->to = q->from > c->now ? q->from : c->now + 1;
        if (cursor.p && sample_time_parse(cursor, &q->from) < 0) {
                problem_at(&c->problem, "cursor", "is none that was given out");
                return false;
        }
        return true;
}

/* ---- reading one series --------------------------------------------------------------------- */

typedef struct reading {
        call *c;
        const ask *q;
        int64_t device;
        odm_arena arena; /* of a page */
        series_plot *plot;
        int64_t seen; /* start of the last closed bucket */
        size_t rows;
} reading;

static int feed_samples(reading *r, const store_rows *rows)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < rows->n; i++) {
                const metric_sample *s = (const metric_sample *)rows->v + i;
                const series_bucket one = series_one(s->at, s->at, s->value, s->every);

                rc = series_plot_feed(r->plot, &one);
        }
        return rc;
}

static int feed_buckets(reading *r, const store_rows *rows)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < rows->n; i++) {
                const metric_rollup *b = (const metric_rollup *)rows->v + i;

                r->seen = b->b.start;
                rc = series_plot_feed(r->plot, &b->b);
        }
        return rc;
}

/* Rows of one table between two of them, page by page. */
static int read_rows(reading *r, const store_scan *of, size_t row_size,
                     int (*feed)(reading *r, const store_rows *rows))
{
        store_scan scan = *of;
        char last[STORE_ROW_BYTES];
        store_rows rows = {0};
        int rc;

        do {
                odm_arena_reset(&r->arena);
                rc = store_row_find(r->c->api->opt.store, &scan, &r->arena, &rows);
                if (rc == 0)
                        rc = feed(r, &rows);
                if (rc == 0 && rows.more) {
                        memcpy(last, (const char *)rows.v + (rows.n - 1) * row_size, row_size);
                        scan.after = last;
                        scan.from = NULL;
                }
                r->rows += rows.n;
        } while (rc == 0 && rows.more && r->rows < ROWS_MOST);
        return rc == 0 && rows.more ? ODM_ELIMIT : rc;
}

static int read_samples(reading *r, series_bucket *before, bool *has_before)
{
        const metric_sample from = {.device = r->device, .metric = r->q->id, .at = r->q->from};
        const metric_sample to = {.device = r->device, .metric = r->q->id, .at = r->q->to};
        store_scan scan = {.table = &table_metric_sample, .same = 2, .at = &from, .limit = 1};
        store_rows rows = {0};
        int rc;

        if (before) {
                scan.below = &from;
                scan.down = true;
                rc = store_row_find(r->c->api->opt.store, &scan, &r->arena, &rows);
                *has_before = rc == 0 && rows.n;
                if (*has_before) {
                        const metric_sample *s = rows.v;
                        *before = series_one(s->at, s->at, s->value, s->every);
                }
                return rc;
        }
        scan = (store_scan){.table = &table_metric_sample,
                            .same = 2,
                            .at = &from,
                            .from = &from,
                            .below = &to,
                            .limit = PAGE_ROWS};
        return read_rows(r, &scan, sizeof from, feed_samples);
}

static int read_buckets(reading *r, series_bucket *before, bool *has_before)
{
        const metric_rollup from = {.device = r->device,
                                    .metric = r->q->id,
                                    .level = (uint32_t)r->q->level,
                                    .b.start = r->q->from};
        metric_rollup to = from;
        store_scan scan = {.table = &table_metric_rollup, .same = 3, .at = &from, .limit = 1};
        store_rows rows = {0};
        int rc;

        if (before) {
                scan.below = &from;
                scan.down = true;
                rc = store_row_find(r->c->api->opt.store, &scan, &r->arena, &rows);
                *has_before = rc == 0 && rows.n;
                if (*has_before)
                        *before = ((const metric_rollup *)rows.v)->b;
                return rc;
        }
        to.b.start = r->q->to;
        scan = (store_scan){.table = &table_metric_rollup,
                            .same = 3,
                            .at = &from,
                            .from = &from,
                            .below = &to,
                            .limit = PAGE_ROWS};
        return read_rows(r, &scan, sizeof from, feed_buckets);
}

/* The series is read before its rows: its open bucket is in one of them at least, and when it was
 * closed meanwhile, its row is the newer. */
static int read_series(reading *r)
{
        const metric_series key = {.device = r->device, .metric = r->q->id};
        const series_bucket *open = NULL;
        series_bucket before;
        metric_series s;
        bool has_before = false;
        int rc = store_row_get(r->c->api->opt.store, &table_metric_series, &key, &r->c->arena, &s);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        if (r->q->level >= 0)
                open = &s.open[r->q->level];
        r->seen = INT64_MIN;
        rc = r->q->level < 0 ? read_samples(r, &before, &has_before)
                             : read_buckets(r, &before, &has_before);
        if (rc < 0)
                return rc;
        series_plot_begin(r->plot, has_before ? &before : NULL);
        rc = r->q->level < 0 ? read_samples(r, NULL, NULL) : read_buckets(r, NULL, NULL);
        if (rc == 0 && open && open->n && open->start >= r->q->from && open->start < r->q->to &&
            open->start > r->seen)
                rc = series_plot_feed(r->plot, open);
        return rc == 0 ? series_plot_end(r->plot, NULL) : rc;
}

/* ---- writing ---------------------------------------------------------------------------------- */

typedef struct writing {
        call *c;
        const ask *q;
        odm_buf out;
        odm_str device;
        size_t n;     /* entries */
        int64_t next; /* where the next page begins; 0: there is none */
} writing;

#define FULL 1 /* not an error */

/* As short as it can be without loss. */
static int put_number(odm_buf *b, double v)
{
        char text[40];

        (void)snprintf(text, sizeof text, "%.15g", v);
        if (strtod(text, NULL) != v)
                (void)snprintf(text, sizeof text, "%.17g", v);
        return odm_buf_str(b, odm_cstr(text));
}

/* Zero-terminated pieces: "%" of our own, t a time, n a number, i a count, s a text as CSV has it.
 */
typedef struct piece {
        const char *before;
        char kind;
        int64_t i;
        double n;
        odm_str s;
} piece;

/* Plain words need no quotes.  What a spreadsheet would take for a formula has an apostrophe before
 * it: devices call themselves and their metrics as they like. */
static int put_csv(odm_buf *b, odm_str s)
{
        bool quoted = false;
        int rc = 0;

        for (size_t i = 0; i < s.n; i++)
                quoted |= s.p[i] == '"' || s.p[i] == ',' || (unsigned char)s.p[i] < ' ';
        if (quoted)
                rc = odm_buf_byte(b, '"');
        if (rc == 0 && s.n && memchr("=+-@", s.p[0], 4))
                rc = odm_buf_byte(b, '\'');
        for (size_t i = 0; rc == 0 && i < s.n; i++) {
                if (s.p[i] == '"')
                        rc = odm_buf_byte(b, '"');
                if (rc == 0)
                        rc = odm_buf_byte(b, (uint8_t)s.p[i]);
        }
        return rc == 0 && quoted ? odm_buf_byte(b, '"') : rc;
}

static int put_pieces(odm_buf *b, const piece *v, size_t n)
{
        char when[SAMPLE_TIME];
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < n; i++) {
                rc = odm_buf_str(b, odm_cstr(v[i].before));
                if (rc < 0)
                        return rc;
                switch (v[i].kind) {
                case 't':
                        sample_time_format(v[i].i, when);
                        rc = odm_buf_str(b, odm_cstr(when));
                        break;
                case 'n': rc = put_number(b, v[i].n); break;
                case 'i': rc = odm_buf_fmt(b, "%lld", (long long)v[i].i); break;
                case 's': rc = put_csv(b, v[i].s); break;
                default: break;
                }
        }
        return rc;
}

static int write_json(writing *w, const series_entry *e)
{
        const series_bucket *b = &e->b;
        const char *head = w->n ? ",{\"at\":\"" : "{\"at\":\"";
        const piece gap[] = {
                {head, 't', b->start}, {"\",\"gap\":true,\"until\":\"", 't', e->until}, {"\"}"}};
        const piece one[] = {{head, 't', b->start}, {"\",\"value\":", 'n', 0, b->value}, {"}"}};
        const piece many[] = {{head, 't', b->start},
                              {"\",\"count\":", 'i', b->n},
                              {",\"min\":", 'n', 0, b->min},
                              {",\"max\":", 'n', 0, b->max},
                              {",\"mean\":", 'n', 0, b->sum / (double)b->n},
                              {",\"last\":", 'n', 0, b->value},
                              {"}"}};

        if (e->gap)
                return put_pieces(&w->out, gap, ODM_COUNT(gap));
        if (w->q->step == 0)
                return put_pieces(&w->out, one, ODM_COUNT(one));
        return put_pieces(&w->out, many, ODM_COUNT(many));
}

static int write_csv(writing *w, const series_entry *e)
{
        const series_bucket *b = &e->b;
        const char *empty = w->q->step ? ",,,,,," : ",,";
        const piece gap[] = {{"", 't', b->start},
                             {",", 's', 0, 0, w->device},
                             {",", 's', 0, 0, w->q->metric},
                             {empty, 't', e->until},
                             {"\r\n"}};
        const piece one[] = {{"", 't', b->start},
                             {",", 's', 0, 0, w->device},
                             {",", 's', 0, 0, w->q->metric},
                             {",", 'n', 0, b->value},
                             {",\r\n"}};
        const piece many[] = {{"", 't', b->start},
                              {",", 's', 0, 0, w->device},
                              {",", 's', 0, 0, w->q->metric},
                              {",", 'i', b->n},
                              {",", 'n', 0, b->min},
                              {",", 'n', 0, b->max},
                              {",", 'n', 0, b->sum / (double)b->n},
                              {",", 'n', 0, b->value},
                              {",\r\n"}};

        if (e->gap)
                return put_pieces(&w->out, gap, ODM_COUNT(gap));
        if (w->q->step == 0)
                return put_pieces(&w->out, one, ODM_COUNT(one));
        return put_pieces(&w->out, many, ODM_COUNT(many));
}

static int write_entry(void *ctx, const series_entry *e)
{
        writing *w = ctx;
        int rc;

        if (w->n == (size_t)w->q->limit) {
                w->next = e->b.start;
                return FULL;
        }
        rc = w->q->csv ? write_csv(w, e) : write_json(w, e);
        w->n += rc == 0;
        return rc;
}

static int write_head(writing *w, odm_str device)
{
        const ask *q = w->q;
        char step[32] = "\"raw\"";
        json_t *name, *of;
        char *a, *b;
        int rc;

        if (q->csv)
                return odm_buf_str(&w->out,
                                   odm_cstr(q->step ? "time,device,metric,count,min,max,mean,last,"
                                                      "gap_until\r\n"
                                                    : "time,device,metric,value,gap_until\r\n"));
        if (q->step)
                (void)snprintf(step, sizeof step, "%lld", (long long)(q->step / SECOND));
        name = json_stringn(device.p, device.n);
        of = json_stringn(q->metric.p, q->metric.n);
        a = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
        b = of ? json_dumps(of, JSON_ENCODE_ANY) : NULL;
        rc = a && b ? odm_buf_fmt(&w->out, "{\"device\":%s,\"metric\":%s,\"step\":%s,\"items\":[",
                                  a, b, step)
                    : ODM_ENOMEM;
        free(a);
        free(b);
        json_decref(name);
        json_decref(of);
        return rc;
}

static int write_tail(writing *w)
{
        char when[SAMPLE_TIME];

        if (w->q->csv)
                return 0;
        if (!w->next)
                return odm_buf_str(&w->out, ODM_STR("]}\n"));
        sample_time_format(w->next, when);
        return odm_buf_fmt(&w->out, "],\"next\":\"%s\"}\n", when);
}

static void finish(writing *w, int rc)
{
        call *c = w->c;
        const char *type = w->q->csv ? "text/csv" : "application/json";

        if (rc == 0 && w->q->csv && w->next)
                rc = ODM_ELIMIT;
        if (rc == 0)
                rc = write_tail(w);
        if (rc == 0) {
                odm_str text = odm_arena_copy(&c->arena, odm_buf_view(&w->out));

                odm_buf_done(&w->out);
                if (text.p)
                        call_text(c, type, text);
                else
                        call_fail(c);
                return;
        }
        odm_buf_done(&w->out);
        if (rc == ODM_ELIMIT)
                problem_set(&c->problem, PROBLEM_TOO_LARGE,
                            "Too many samples for one answer: ask for a shorter time, or a larger "
                            "step.");
        call_refused(c, "the samples cannot be read", rc);
}

/* ---- GET /api/v1/metrics ------------------------------------------------------------------------ */

static void get_one(call *c, const ask *q, const store_device *d)
{
        writing w = {.c = c, .q = q, .device = d->name};
        series_plot plot = {
                .step = q->step, .from = q->from, .to = q->to, .tell = write_entry, .ctx = &w};
        reading r = {.c = c, .q = q, .device = d->id, .plot = &plot};
        int rc;

        odm_buf_init(&w.out, &heap_mem, ANSWER_MOST);
        odm_arena_init(&r.arena, &heap_mem, (size_t)16 << 20);
        rc = write_head(&w, d->name);
        if (rc == 0 && q->id)
                rc = read_series(&r);
        odm_arena_done(&r.arena);
        finish(&w, rc == FULL ? 0 : rc);
}

/* ---- many devices in one ------------------------------------------------------------------------- */

typedef struct sum { /* of one step */
        series_bucket b;
        int64_t devices;
} sum;

typedef struct summing {
        const ask *q;
        sum *v;
        size_t n;      /* steps between from and to */
        int64_t every; /* the slowest of the devices tells that often; 0: not known */
} summing;

static int add_entry(void *ctx, const series_entry *e)
{
        summing *s = ctx;
        size_t i = (size_t)((e->b.start - s->q->from) / s->q->step);

        if (e->gap || e->b.start < s->q->from || i >= s->n)
                return 0;
        if (e->b.every > s->every)
                s->every = e->b.every;
        series_merge(&s->v[i].b, &e->b);
        s->v[i].devices++;
        return 0;
}

static int write_sum(writing *w, const sum *s)
{
        const series_bucket *b = &s->b;
        const char *head = w->n ? ",{\"at\":\"" : "{\"at\":\"";
        const piece json[] = {{head, 't', b->start},
                              {"\",\"devices\":", 'i', s->devices},
                              {",\"count\":", 'i', b->n},
                              {",\"min\":", 'n', 0, b->min},
                              {",\"max\":", 'n', 0, b->max},
                              {",\"mean\":", 'n', 0, b->sum / (double)b->n},
                              {"}"}};
        const piece csv[] = {{"", 't', b->start},
                             {",", 's', 0, 0, w->q->metric},
                             {",", 'i', s->devices},
                             {",", 'i', b->n},
                             {",", 'n', 0, b->min},
                             {",", 'n', 0, b->max},
                             {",", 'n', 0, b->sum / (double)b->n},
                             {",\r\n"}};

        w->n++;
        return w->q->csv ? put_pieces(&w->out, csv, ODM_COUNT(csv))
                         : put_pieces(&w->out, json, ODM_COUNT(json));
}

/* Steps in which no device has told anything. */
static int write_hole(writing *w, int64_t from, int64_t until)
{
        const piece json[] = {
                {",{\"at\":\"", 't', from}, {"\",\"gap\":true,\"until\":\"", 't', until}, {"\"}"}};
        const piece csv[] = {
                {"", 't', from}, {",", 's', 0, 0, w->q->metric}, {",,,,,,", 't', until}, {"\r\n"}};

        w->n++;
        return w->q->csv ? put_pieces(&w->out, csv, ODM_COUNT(csv))
                         : put_pieces(&w->out, json, ODM_COUNT(json));
}

/* Longer than the slowest of the devices may be silent between two samples. */
static bool is_hole(const summing *s, int64_t from, int64_t until)
{
        return until > from && (s->every == 0 || series_gap(from, until, s->every));
}

static int write_sums(writing *w, const summing *s)
{
        const ask *q = w->q;
        int64_t behind = -1; /* the last step that has something */
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < s->n; i++) {
                int64_t start = q->from + (int64_t)i * q->step;

                if (s->v[i].b.n == 0)
                        continue;
                if (behind >= 0 && is_hole(s, behind, start))
                        rc = write_hole(w, behind, start);
                behind = start + q->step;
                if (rc == 0)
                        rc = write_sum(w, &s->v[i]);
        }
        if (rc == 0 && behind >= 0 && is_hole(s, behind, q->to))
                rc = write_hole(w, behind, q->to);
        return rc;
}

/* A token's scope is a prefix too: the longer of both. */
static bool read_devices(call *c, store_device_filter *f)
{
        *f = (store_device_filter){.prefix = call_query(c, "prefix"),
                                   .tag = call_query(c, "tag"),
                                   .model = call_query(c, "model"),
                                   .limit = DEVICES_MOST};
        if (!f->prefix.p && !f->tag.p && !f->model.p) {
                problem_at(&c->problem, "device",
                           "is needed, or prefix, tag or model for all such devices in one");
                return false;
        }
        if (call_sees(c, f->prefix))
                return true;
        if (!odm_str_eq(odm_str_to(c->who.scope, f->prefix.n), f->prefix))
                f->limit = 0; /* none of them */
        f->prefix = c->who.scope;
        return true;
}

static int sum_devices(writing *w, summing *s, const store_device_list *l)
{
        series_plot plot = {.step = w->q->step,
                            .from = w->q->from,
                            .to = w->q->to,
                            .tell = add_entry,
                            .ctx = s};
        reading r = {.c = w->c, .q = w->q, .plot = &plot};
        int rc = 0;

        odm_arena_init(&r.arena, &heap_mem, (size_t)16 << 20);
        for (size_t i = 0; rc == 0 && i < l->n; i++) {
                r.device = l->v[i].id;
                rc = read_series(&r);
        }
        odm_arena_done(&r.arena);
        return rc;
}

static int write_many_head(writing *w, size_t devices)
{
        json_t *of;
        char *text;
        int rc;

        if (w->q->csv)
                return odm_buf_str(&w->out,
                                   ODM_STR("time,metric,devices,count,min,max,mean,gap_until\r\n"));
        of = json_stringn(w->q->metric.p, w->q->metric.n);
        text = of ? json_dumps(of, JSON_ENCODE_ANY) : NULL;
        rc = text ? odm_buf_fmt(&w->out, "{\"metric\":%s,\"devices\":%zu,\"step\":%lld,\"items\":[",
                                text, devices, (long long)(w->q->step / SECOND))
                  : ODM_ENOMEM;
        free(text);
        json_decref(of);
        return rc;
}

static void get_many(call *c, ask *q)
{
        writing w = {.c = c, .q = q};
        summing s = {.q = q};
        store_device_filter f;
        store_device_list l = {0};
        int rc = 0;

        if (q->step == 0)
                problem_at(&c->problem, "step",
                           "has to be a time: many devices are brought together");
        s.n = q->step ? (size_t)((q->to - q->from + q->step - 1) / q->step) : 0;
        if (s.n > LIMIT_MAX)
                problem_at(&c->problem, "step", "is too short for so long a time");
        if (problem_is(&c->problem) || !read_devices(c, &f)) {
                call_fail(c);
                return;
        }
        if (f.limit)
                rc = store_device_find(c->api->opt.store, &f, &c->arena, &l);
        if (rc == 0 && l.more) {
                problem_at(&c->problem, "prefix", "selects more than %d devices", DEVICES_MOST);
                call_fail(c);
                return;
        }
        odm_buf_init(&w.out, &heap_mem, ANSWER_MOST);
        s.v = odm_arena_zget(&c->arena, (s.n + 1) * sizeof *s.v);
        rc = rc == 0 && !s.v ? ODM_ENOMEM : rc;
        if (rc == 0)
                rc = write_many_head(&w, l.n);
        if (rc == 0 && q->id)
                rc = sum_devices(&w, &s, &l);
        if (rc == 0)
                rc = write_sums(&w, &s);
        finish(&w, rc);
}

void metric_get(call *c)
{
        ask q = {0};
        store_device d;
        odm_str name = call_query(c, "device");
        int rc;

        if (!read_ask(c, &q)) {
                call_fail(c);
                return;
        }
        if (!name.p) {
                get_many(c, &q);
                return;
        }
        rc = call_sees(c, name) ? store_device_by_name(c->api->opt.store, name, &c->arena, &d)
                                : ODM_ENOENT;
        if (rc == ODM_ENOENT)
                problem_set(&c->problem, PROBLEM_NOT_FOUND, "There is no device %.*s.", (int)name.n,
                            name.p);
        if (rc < 0)
                call_refused(c, "the device cannot be read", rc);
        else
                get_one(c, &q, &d);
}

/* ---- GET /api/v1/devices/{name}/metrics ------------------------------------------------------------ */

static bool put_ms_time(json_t *o, const char *name, int64_t ms)
{
        char when[SAMPLE_TIME];

        if (ms == 0)
                return true;
        sample_time_format(ms, when);
        return put_cstr(o, name, when);
}

static json_t *number_json(double v)
{
        return v == floor(v) && fabs(v) < 1e15 ? json_integer((json_int_t)v) : json_real(v);
}

static json_t *series_json(call *c, const metric_series *s)
{
        const metric_name key = {.id = s->metric};
        metric_name name;
        json_t *o = json_object();

        if (store_row_get(c->api->opt.store, &table_metric_name, &key, &c->arena, &name) == 0 &&
            put_text(o, "metric", name.name) &&
            (!s->last || (json_object_set_new(o, "value", number_json(s->value)) == 0 &&
                          put_ms_time(o, "at", s->last) && put_int(o, "samples", s->samples))) &&
            (!s->text_at ||
             (put_text(o, "text", s->text) && put_ms_time(o, "text_at", s->text_at))) &&
            (!s->rhythm.every || put_int(o, "every", (s->rhythm.every + SECOND / 2) / SECOND)) &&
            put_bool(o, "late", s->last && series_gap(s->last, c->now, s->rhythm.every)))
                return o;
        json_decref(o);
        return NULL;
}

void metric_list(call *c)
{
        metric_series key = {0}, after = {0};
        store_scan scan = {.table = &table_metric_series, .same = 1, .at = &key};
        store_rows rows = {0};
        store_device d;
        uint32_t limit;
        json_t *items;
        int rc;

        if (!call_device(c, &d) || !call_page(c, &limit, &after.metric)) {
                call_fail(c);
                return;
        }
        key.device = after.device = d.id;
        scan.limit = limit;
        scan.after = after.metric ? &after : NULL;
        rc = store_row_find(c->api->opt.store, &scan, &c->arena, &rows);
        if (rc < 0) {
                call_refused(c, "the metrics cannot be read", rc);
                return;
        }
        items = json_array();
        for (size_t i = 0; i < rows.n; i++)
                if (json_array_append_new(items,
                                          series_json(c, (const metric_series *)rows.v + i)) < 0) {
                        json_decref(items);
                        call_fail(c);
                        return;
                }
        call_reply(c, 200,
                   page_new(items,
                            rows.more
                                    ? id_text(((const metric_series *)rows.v + rows.n - 1)->metric)
                                    : NULL));
}

/* ---- POST /api/v1/devices/{name}/metrics ------------------------------------------------------------ */

#define PUT_MOST 5000 /* values of one request */

typedef struct putting {
        call *c;
        store_batch *b;
        int64_t device;
        sample_set set;
        size_t n;
} putting;

static bool put_event(putting *x)
{
        store_op *op;

        if (x->set.n == 0)
                return true;
        if (!call_op(x->c, x->b, STORE_EVENT_ADD, &op))
                return false;
        op->event = (store_event){
                .at = x->c->now,
                .device = x->device,
                .kind = ODM_STR(SAMPLE_EVENT),
                .data = sample_take(&x->set, "rest", ODM_ABSENT, store_batch_arena(x->b))};
        return op->event.data.p != NULL;
}

static bool value_ok(const json_t *v)
{
        if (json_is_string(v))
                return json_string_length(v) <= SAMPLE_TEXT;
        return json_is_integer(v) || (json_is_real(v) && isfinite(json_real_value(v)) &&
                                      fabs(json_real_value(v)) <= 1e100);
}

static bool put_value(putting *x, const char *path, int64_t at, const char *name, json_t *v)
{
        char where[JREAD_PATH];

        (void)snprintf(where, sizeof where, "%s.values.%s", path, name);
        if (!sample_name_ok(odm_cstr(name)))
                problem_at(&x->c->problem, where,
                           "is no name: up to %d visible characters but / , and \"", SAMPLE_NAME);
        else if (!value_ok(v))
                problem_at(&x->c->problem, where,
                           "has to be a number up to 1e100, or a text up to %d octets",
                           SAMPLE_TEXT);
        else if (++x->n > PUT_MOST)
                problem_at(&x->c->problem, "samples", "has more than %d values", PUT_MOST);
        else if (x->set.n < SAMPLE_VALUES || put_event(x))
                return sample_add(&x->set, at, odm_cstr(name), json_incref(v)) == 0;
        return false;
}

static bool put_sample(putting *x, size_t i, const json_t *one)
{
        const metric_part *p = call_self(x->c);
        char path[32];
        const char *name;
        json_t *values, *v;
        int64_t at = x->c->now;
        odm_str when;
        jread r;

        (void)snprintf(path, sizeof path, "samples[%zu]", i);
        jread_init(&r, one, path, &x->c->problem);
        if (jread_text(&r, "at", 1, 40, &when) == 1 && sample_time_parse(when, &at) < 0)
                (void)jread_wrong(&r, "at", "has to be a time such as 2026-11-22T16:35:05Z");
        else if (at > x->c->now + p->ahead)
                (void)jread_wrong(&r, "at", "is in the future");
        else if (at < x->c->now - p->keep_raw)
                (void)jread_wrong(&r, "at", "is older than samples are kept");
        values = json_object_get(one, "values");
        r.asked[r.n_asked++] = "values";
        if (!json_is_object(values) || json_object_size(values) == 0)
                (void)jread_wrong(&r, "values", "has to be an object with a value at least");
        jread_end(&r);
        json_object_foreach(values, name, v)
        {
                if (problem_is(&x->c->problem) || !put_value(x, path, at, name, v))
                        return false;
        }
        return !problem_is(&x->c->problem);
}

static bool put_samples(putting *x)
{
        const json_t *list = NULL, *one;
        size_t i;
        jread r;

        jread_init(&r, x->c->body, "", &x->c->problem);
        if (jread_list(&r, "samples", 1, PUT_MOST, &list) == 0)
                (void)jread_missing(&r, "samples");
        jread_end(&r);
        if (problem_is(&x->c->problem))
                return false;
        json_array_foreach(list, i, one)
        {
                if (!json_is_object(one)) {
                        problem_at(&x->c->problem, "samples", "has an entry that is no object");
                        return false;
                }
                if (!put_sample(x, i, one))
                        return false;
        }
        return put_event(x);
}

static void on_put(call *c, store_batch *b, int rc)
{
        const size_t *n = c->data;
        json_t *o;

        (void)b;
        if (rc < 0) {
                call_refused(c, "the samples cannot be kept", rc);
                return;
        }
        o = json_object();
        if (!put_int(o, "values", (int64_t)*n)) {
                json_decref(o);
                o = NULL;
        }
        call_reply(c, 202, o);
}

void metric_put(call *c)
{
        putting x = {.c = c};
        store_device d;
        size_t *n = odm_new(&c->arena, size_t);

        if (n && call_device(c, &d))
                x.b = call_batch(c, "metrics.put", d.id, d.name, "");
        if (x.b) {
                x.device = d.id;
                if (put_samples(&x)) {
                        *n = x.n;
                        c->data = n;
                        call_commit(c, x.b, on_put);
                        return;
                }
        }
        sample_drop(&x.set);
        store_batch_free(x.b);
        call_fail(c);
}
