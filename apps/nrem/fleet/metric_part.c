/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of the log become series and roll-ups.
 *
 * A sample that comes again changes nothing: one that is not newer than the newest is looked up
 * first.  That is why samples older than those kept are refused: nobody could tell whether they
 * are in the roll-ups.  Facts: xrem.md N2, X8. */
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "metric.h"
#include "metrics.h"

#define SECOND ((int64_t)1000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define SWEEP_PAGE 200    /* series whose old rows go in one batch */
#define SWEEP_REST SECOND /* between two of them */
#define SCAN_FROM 4       /* metrics of an event */
#define SWEEP_MOST 10000  /* rows of a series that go at a time */

/* ---- names ---------------------------------------------------------------------------- */

static size_t hash(odm_str s)
{
        uint64_t h = 0xcbf29ce484222325u;

        for (size_t i = 0; i < s.n; i++)
                h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
        return (size_t)(h ^ h >> 32);
}

/* The place of a name, or the free one it would have. */
static metric_word *word_at(metric_word *v, size_t cap, odm_str name)
{
        size_t i = hash(name) & (cap - 1);

        while (v[i].name && !odm_str_is(name, v[i].name))
                i = (i + 1) & (cap - 1);
        return &v[i];
}

static int words_grow(metric_part *p)
{
        size_t cap = p->cap_words ? 2 * p->cap_words : 256;
        metric_word *v = calloc(cap, sizeof *v);

        if (!v)
                return ODM_ENOMEM;
        for (size_t i = 0; i < p->cap_words; i++)
                if (p->words[i].name)
                        *word_at(v, cap, odm_cstr(p->words[i].name)) = p->words[i];
        free(p->words);
        p->words = v;
        p->cap_words = cap;
        return 0;
}

static int word_add(metric_part *p, odm_str name, int64_t id, bool kept)
{
        metric_word *w;
        char *copy;

        if (2 * p->n_words >= p->cap_words && words_grow(p) < 0)
                return ODM_ENOMEM;
        copy = strndup(name.p, name.n);
        if (!copy)
                return ODM_ENOMEM;
        w = word_at(p->words, p->cap_words, name);
        *w = (metric_word){copy, id, kept};
        p->n_words++;
        p->fresh += !kept;
        if (id >= p->next_word)
                p->next_word = id + 1;
        return 0;
}

/* A batch may be turned down with the row of a new name in it: it goes with every batch that uses
 * the name until it was seen to be there. */
static int word_row(fleet_turn *t, const metric_word *w)
{
        metric_name *row = odm_new(store_batch_arena(t->batch), metric_name);

        if (!row)
                return ODM_ENOMEM;
        row->id = w->id;
        row->name = odm_arena_copy(store_batch_arena(t->batch), odm_cstr(w->name));
        return row->name.p && fleet_row(t, STORE_ROW_PUT, &table_metric_name, row) ? 0 : ODM_ENOMEM;
}

int metric_word_id(metric_part *p, fleet_turn *t, odm_str name, int64_t *out)
{
        const metric_word *w = p->cap_words ? word_at(p->words, p->cap_words, name) : NULL;
        int rc;

        if (!w || !w->name) {
                if (p->n_words >= p->names_max)
                        return ODM_ELIMIT;
                rc = word_add(p, name, p->next_word, false);
                if (rc < 0)
                        return rc;
                w = word_at(p->words, p->cap_words, name);
        }
        if (!w->kept) {
                rc = word_row(t, w);
                if (rc < 0)
                        return rc;
        }
        *out = w->id;
        return 0;
}

static int words_confirm(metric_part *p, fleet_turn *t)
{
        for (size_t i = 0; p->fresh && i < p->cap_words; i++) {
                metric_word *w = &p->words[i];
                metric_name key = {.id = w->id}, row;
                int rc;

                if (!w->name || w->kept)
                        continue;
                rc = store_row_get(t->host->store, &table_metric_name, &key, t->arena, &row);
                if (rc < 0 && rc != ODM_ENOENT)
                        return rc;
                w->kept = rc == 0;
                p->fresh -= rc == 0;
        }
        return 0;
}

static int words_read(metric_part *p)
{
        metric_name last = {0};
        store_scan scan = {.table = &table_metric_name, .limit = 1000};
        store_rows rows = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, (size_t)16 << 20);
        do {
                rc = store_row_find(p->host->store, &scan, &a, &rows);
                for (size_t i = 0; rc == 0 && i < rows.n; i++) {
                        const metric_name *row = (const metric_name *)rows.v + i;

                        rc = word_add(p, row->name, row->id, true);
                        last.id = row->id;
                }
                scan.after = &last;
                odm_arena_reset(&a);
        } while (rc == 0 && rows.more);
        odm_arena_done(&a);
        return rc;
}

/* ---- an event's values ------------------------------------------------------------------ */

typedef struct measure {
        int64_t metric, at;
        unsigned order; /* in the event: the first of a kind stays */
        odm_str name;
        bool number;
        double value;
        odm_str text;
} measure;

typedef struct intake {
        metric_part *p;
        fleet_turn *t;
        int64_t device;
        int64_t every; /* told by the event; 0: not */
        measure *v;
        size_t n;
        size_t n_new;               /* series that this event makes */
        const metric_series *known; /* read at once, by their metric */
        size_t n_known, at_known;
        bool more_known; /* behind the last of them; without any: nothing was read */
} intake;

/* Rows of a log, and numbers of processes, are no series. */
static bool is_record(odm_str name)
{
        static const char *const functions[] = {"appexeinfo.", "paniclog.", "trapeventlogging.",
                                                "fm."};

        for (size_t i = 0; i < ODM_COUNT(functions); i++)
                if (odm_str_starts(name, functions[i]))
                        return true;
        return false;
}

static int add_value(intake *in, int64_t at, odm_str name, const json_t *v)
{
        measure m = {.at = at, .order = (unsigned)in->n, .name = name};
        int rc;

        if (!sample_name_ok(name) || is_record(name) || in->n == SAMPLE_VALUES ||
            !(json_is_number(v) || json_is_string(v))) {
                in->p->refused++;
                return 0;
        }
        m.number = json_is_number(v);
        m.value = json_number_value(v);
        if (!m.number)
                m.text = (odm_str){json_string_value(v), json_string_length(v)};
        rc = metric_word_id(in->p, in->t, name, &m.metric);
        if (rc == ODM_ELIMIT) {
                in->p->refused++;
                return 0;
        }
        if (rc == 0)
                in->v[in->n++] = m;
        return rc;
}

static int read_sample(intake *in, const json_t *sample)
{
        const metric_part *p = in->p;
        odm_str when = odm_cstr(json_string_value(json_object_get(sample, "at")));
        json_t *values = json_object_get(sample, "values"), *v;
        const char *name;
        int64_t at = in->t->now;

        if (when.p && sample_time_parse(when, &at) < 0)
                at = -1;
        if (at > in->t->now + p->ahead || at < in->t->now - p->keep_raw) {
                in->p->refused += json_object_size(values);
                return 0;
        }
        json_object_foreach(values, name, v)
        {
                int rc = add_value(in, at, odm_cstr(name), v);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

static int by_metric(const void *a, const void *b)
{
        const measure *x = a, *y = b;

        if (x->metric != y->metric)
                return x->metric < y->metric ? -1 : 1;
        if (x->at != y->at)
                return x->at < y->at ? -1 : 1;
        return x->order < y->order ? -1 : 1;
}

/* ---- one series ------------------------------------------------------------------------- */

typedef struct filling { /* of one series */
        intake *in;
        metric_series *row;
        metric_rollup *late; /* closed buckets that get more */
        size_t n_late, cap_late;
        metric_judge judge;
        bool changed;
} filling;

static int take_text(filling *f, const measure *m)
{
        if (m->at < f->row->text_at || (f->row->text.p && m->at == f->row->text_at))
                return 0;
        f->row->text = odm_arena_copy(store_batch_arena(f->in->t->batch), m->text);
        f->row->text_at = m->at;
        f->changed = true;
        return f->row->text.p ? 0 : ODM_ENOMEM;
}

/* 1: it is there already. */
static int is_known(const filling *f, const measure *m)
{
        const metric_sample key = {.device = f->in->device, .metric = m->metric, .at = m->at};
        metric_sample row;
        int rc;

        if (f->row->last == 0 || m->at > f->row->last)
                return 0;
        rc = store_row_get(f->in->t->host->store, &table_metric_sample, &key, f->in->t->arena,
                           &row);
        return rc == ODM_ENOENT ? 0 : rc == 0 ? 1 : rc;
}

static int put_sample(const filling *f, const measure *m)
{
        metric_sample *row = odm_new(store_batch_arena(f->in->t->batch), metric_sample);

        if (!row)
                return ODM_ENOMEM;
        *row = (metric_sample){.device = f->in->device,
                               .metric = m->metric,
                               .at = m->at,
                               .value = m->value,
                               .every = f->row->rhythm.every};
        return fleet_row(f->in->t, STORE_ROW_PUT, &table_metric_sample, row) ? 0 : ODM_ENOMEM;
}

static int put_bucket(const filling *f, uint32_t level, const series_bucket *b)
{
        metric_rollup *row = odm_new(store_batch_arena(f->in->t->batch), metric_rollup);

        if (!row)
                return ODM_ENOMEM;
        *row = (metric_rollup){
                .device = f->in->device, .metric = f->row->metric, .level = level, .b = *b};
        return fleet_row(f->in->t, STORE_ROW_PUT, &table_metric_rollup, row) ? 0 : ODM_ENOMEM;
}

/* Its bucket is closed: it gets more, once for all that is late for it in this event. */
static int put_late(filling *f, uint32_t level, const series_bucket *one)
{
        metric_rollup *x;

        for (size_t i = 0; i < f->n_late; i++)
                if (f->late[i].level == level && f->late[i].b.start == one->start) {
                        series_merge(&f->late[i].b, one);
                        return 0;
                }
        if (!f->late) {
                f->cap_late = SERIES_LEVELS * SAMPLE_VALUES;
                f->late = odm_arena_get(f->in->t->arena, f->cap_late * sizeof *f->late);
                if (!f->late)
                        return odm_arena_err(f->in->t->arena);
        }
        x = &f->late[f->n_late++];
        *x = (metric_rollup){
                .device = f->in->device, .metric = f->row->metric, .level = level, .b = *one};
        return 0;
}

static int roll_up(filling *f, uint32_t level, const measure *m)
{
        series_bucket *open = &f->row->open[level];
        series_bucket one = series_one(series_start(m->at, series_span[level]), m->at, m->value,
                                       f->row->rhythm.every);
        int rc = 0;

        if (open->n && one.start < open->start)
                return put_late(f, level, &one);
        if (open->n && one.start > open->start) {
                rc = put_bucket(f, level, open);
                open->n = 0;
        }
        series_merge(open, &one);
        return rc;
}

static int take_number(filling *f, const measure *m)
{
        metric_series *row = f->row;
        int rc = is_known(f, m);

        if (rc != 0) {
                f->in->p->repeated += rc > 0;
                return rc < 0 ? rc : 0;
        }
        f->changed = true;
        if (row->last && m->at < row->last) {
                f->in->p->late++;
        } else {
                if (row->last && !row->told)
                        series_learn(&row->rhythm, m->at - row->last);
                row->last = m->at;
                row->value = m->value;
                rc = metric_judge_sample(&f->judge, m->at, m->value);
        }
        row->samples++;
        f->in->p->taken++;
        if (rc == 0)
                rc = put_sample(f, m);
        for (uint32_t level = 0; rc == 0 && level < SERIES_LEVELS; level++)
                rc = roll_up(f, level, m);
        return rc;
}

static int put_late_rows(filling *f)
{
        fleet_turn *t = f->in->t;

        for (size_t i = 0; i < f->n_late; i++) {
                metric_rollup was;
                int rc = store_row_get(t->host->store, &table_metric_rollup, &f->late[i], t->arena,
                                       &was);
                if (rc < 0 && rc != ODM_ENOENT)
                        return rc;
                if (rc == 0)
                        series_merge(&f->late[i].b, &was.b);
                rc = put_bucket(f, f->late[i].level, &f->late[i].b);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

/* A device that was deleted since, or has too many series, gets no new one. */
static int new_series(filling *f)
{
        intake *in = f->in;
        const metric_series key = {.device = in->device};
        const store_scan all = {.table = &table_metric_series, .same = 1, .at = &key};
        uint64_t n = 0;
        store_device d;
        int rc = store_device_get(in->t->host->store, in->device, in->t->arena, &d);

        if (rc == 0)
                rc = store_row_count(in->t->host->store, &all, in->p->series_max, &n);
        if (rc == 0 && n + in->n_new >= in->p->series_max)
                rc = ODM_ELIMIT;
        in->n_new += rc == 0;
        return rc;
}

/* A device tells of many metrics at once: one scan instead of a read of each.  Those of other
 * functions between them are read too, within limits. */
static int read_known(intake *in)
{
        const metric_series from = {.device = in->device, .metric = in->n ? in->v[0].metric : 0};
        store_scan scan = {.table = &table_metric_series, .same = 1, .at = &from, .from = &from};
        store_rows rows = {0};
        uint32_t n = 0;
        int rc;

        in->more_known = true;
        for (size_t i = 0; i < in->n; i++)
                n += i == 0 || in->v[i].metric != in->v[i - 1].metric;
        if (n < SCAN_FROM)
                return 0;
        scan.limit = 3 * n;
        rc = store_row_find(in->t->host->store, &scan, in->t->arena, &rows);
        if (rc < 0)
                return rc;
        in->known = rows.v;
        in->n_known = rows.n;
        in->more_known = rows.more;
        return 0;
}

/* The series of a metric that is higher than those asked for before.  0, ODM_ENOENT, or as reads.
 */
static int read_series(intake *in, int64_t id, metric_series *out)
{
        const metric_series key = {.device = in->device, .metric = id};

        while (in->at_known < in->n_known && in->known[in->at_known].metric < id)
                in->at_known++;
        if (in->at_known < in->n_known) {
                if (in->known[in->at_known].metric != id)
                        return ODM_ENOENT;
                *out = in->known[in->at_known];
                return 0;
        }
        if (!in->more_known)
                return ODM_ENOENT;
        return store_row_get(in->t->host->store, &table_metric_series, &key, in->t->arena, out);
}

static int open_series(filling *f, int64_t id)
{
        fleet_turn *t = f->in->t;
        const metric_series key = {.device = f->in->device, .metric = id};
        int rc;

        f->row = odm_new(store_batch_arena(t->batch), metric_series);
        if (!f->row)
                return ODM_ENOMEM;
        rc = read_series(f->in, id, f->row);
        if (rc == ODM_ENOENT) {
                *f->row = key;
                rc = new_series(f);
        } else if (rc == 0 && f->row->text.p) { /* the turn's arena goes before the batch */
                f->row->text = odm_arena_copy(store_batch_arena(t->batch), f->row->text);
                rc = f->row->text.p ? 0 : ODM_ENOMEM;
        }
        if (rc == 0 && f->in->every)
                f->row->rhythm = (series_rhythm){.every = f->in->every};
        f->row->told = f->in->every > 0;
        return rc;
}

/* All values of one metric, by time. */
static int take_series(intake *in, const measure *v, size_t n)
{
        filling f = {.in = in,
                     .judge = {.p = in->p, .t = in->t, .device = in->device, .metric = v->name}};
        int rc = open_series(&f, v->metric);

        if (rc == ODM_ENOENT || rc == ODM_ELIMIT) {
                in->p->refused += n;
                return 0;
        }
        for (size_t i = 0; rc == 0 && i < n; i++) {
                if (i && v[i].at == v[i - 1].at)
                        in->p->repeated++;
                else
                        rc = v[i].number ? take_number(&f, &v[i]) : take_text(&f, &v[i]);
        }
        if (rc == 0)
                rc = put_late_rows(&f);
        if (rc == 0)
                rc = metric_judge_end(&f.judge);
        if (rc == 0 && f.changed && !fleet_row(in->t, STORE_ROW_PUT, &table_metric_series, f.row))
                rc = ODM_ENOMEM;
        return rc;
}

static int take_samples(metric_part *p, fleet_turn *t, const fleet_event *ev)
{
        intake in = {.p = p, .t = t, .device = ev->e.device};
        const json_t *samples = json_object_get(ev->data, "samples"), *one;
        size_t i, n;
        int rc = 0;

        in.every = fleet_int(ev, "every") * SECOND;
        in.v = odm_arena_get(t->arena, SAMPLE_VALUES * sizeof *in.v);
        if (!in.v)
                return odm_arena_err(t->arena);
        json_array_foreach(samples, i, one)
        {
                rc = read_sample(&in, one);
                if (rc < 0)
                        return rc;
        }
        qsort(in.v, in.n, sizeof *in.v, by_metric);
        rc = read_known(&in);
        for (i = 0; rc == 0 && i < in.n; i += n) {
                for (n = 1; i + n < in.n && in.v[i + n].metric == in.v[i].metric; n++)
                        ;
                rc = take_series(&in, &in.v[i], n);
        }
        return rc;
}

/* ---- what is old ------------------------------------------------------------------------ */

static int drop_rows(fleet_turn *t, const store_table *table, uint8_t same, const void *at,
                     const void *below)
{
        odm_arena *a = store_batch_arena(t->batch);
        store_scan *scan = odm_new(a, store_scan);
        store_op *op;

        if (!scan)
                return ODM_ENOMEM;
        *scan = (store_scan){
                .table = table, .same = same, .at = at, .below = below, .limit = SWEEP_MOST};
        op = fleet_op(t, STORE_ROWS_DELETE);
        if (!op)
                return ODM_ENOMEM;
        op->row.table = table;
        op->row.scan = scan;
        return 0;
}

static int drop_samples(const metric_part *p, fleet_turn *t, const metric_series *s)
{
        metric_sample *below = odm_new(store_batch_arena(t->batch), metric_sample);

        if (!below)
                return ODM_ENOMEM;
        *below = (metric_sample){
                .device = s->device, .metric = s->metric, .at = t->now - p->keep_raw};
        return drop_rows(t, &table_metric_sample, 2, below, below);
}

static int drop_buckets(const metric_part *p, fleet_turn *t, const metric_series *s, uint32_t level)
{
        metric_rollup *below = odm_new(store_batch_arena(t->batch), metric_rollup);

        if (!below)
                return ODM_ENOMEM;
        *below = (metric_rollup){.device = s->device, .metric = s->metric, .level = level};
        below->b.start = t->now - p->keep[level];
        return drop_rows(t, &table_metric_rollup, 3, below, below);
}

static int sweep_series(const metric_part *p, fleet_turn *t, const metric_series *s)
{
        int64_t longest = p->keep_raw, newest = s->last > s->text_at ? s->last : s->text_at;
        metric_series *key;
        int rc = drop_samples(p, t, s);

        for (uint32_t level = 0; rc == 0 && level < SERIES_LEVELS; level++) {
                rc = drop_buckets(p, t, s, level);
                if (p->keep[level] > longest)
                        longest = p->keep[level];
        }
        if (rc < 0 || newest > t->now - longest)
                return rc;
        key = odm_new(store_batch_arena(t->batch), metric_series);
        if (!key)
                return ODM_ENOMEM;
        *key = (metric_series){.device = s->device, .metric = s->metric};
        return fleet_row(t, STORE_ROW_DELETE, &table_metric_series, key) ? 0 : ODM_ENOMEM;
}

/* One page of series, and when the next is due. */
static int sweep(metric_part *p, fleet_turn *t)
{
        const store_scan scan = {.table = &table_metric_series,
                                 .after = p->swept.device ? &p->swept : NULL,
                                 .limit = SWEEP_PAGE};
        store_rows rows = {0};
        int rc;

        if (!fleet_due(t->now, p->sweep_at, HOUR))
                return 0;
        rc = store_row_find(t->host->store, &scan, t->arena, &rows);
        for (size_t i = 0; rc == 0 && i < rows.n; i++)
                rc = sweep_series(p, t, (const metric_series *)rows.v + i);
        if (rc < 0)
                return rc;
        if (rows.more) {
                const metric_series *last = (const metric_series *)rows.v + rows.n - 1;

                p->swept = (metric_series){.device = last->device, .metric = last->metric};
                p->sweep_at = t->now + SWEEP_REST;
        } else {
                p->swept = (metric_series){0};
                p->sweep_at = t->now + HOUR;
        }
        return 0;
}

/* ---- the part --------------------------------------------------------------------------- */

static int64_t setting(const fleet_host *h, const char *key, int64_t without)
{
        return h->conf ? cfg_ms(h->conf, key) : without;
}

static void metric_close(void *self)
{
        metric_part *p = self;

        if (!p)
                return;
        for (size_t i = 0; i < p->cap_words; i++)
                free(p->words[i].name);
        free(p->words);
        odm_arena_done(&p->limits_memory);
        odm_arena_done(&p->orders_memory);
        free(p);
}

static int metric_open(const fleet_host *h, void **out, diag *d)
{
        metric_part *p = calloc(1, sizeof *p);
        int rc;

        if (!p)
                return ODM_ENOMEM;
        p->host = h;
        p->next_word = 1;
        p->keep_raw = setting(h, "performance.raw", 7 * DAY);
        p->keep[SERIES_5M] = setting(h, "performance.five_minutes", 90 * DAY);
        p->keep[SERIES_HOUR] = setting(h, "performance.hour", 400 * DAY);
        p->keep[SERIES_DAY] = setting(h, "performance.day", 3650 * DAY);
        p->ahead = setting(h, "performance.ahead", HOUR);
        p->names_max = h->conf ? (size_t)cfg_int(h->conf, "performance.names") : 10000;
        p->series_max = h->conf ? (size_t)cfg_int(h->conf, "performance.series") : 1000;
        odm_arena_init(&p->limits_memory, &heap_mem, (size_t)64 << 20);
        odm_arena_init(&p->orders_memory, &heap_mem, (size_t)64 << 20);
        rc = words_read(p);
        if (rc == 0)
                rc = metric_limits_read(p, d);
        if (rc == 0)
                rc = metric_orders_read(p, d);
        if (rc < 0)
                metric_close(p);
        else
                *out = p;
        return rc;
}

static int metric_event(void *self, fleet_turn *t, const fleet_event *ev)
{
        metric_part *p = self;
        diag d = {{0}};

        if (odm_str_is(ev->e.kind, SAMPLE_EVENT))
                return ev->e.device ? take_samples(p, t, ev) : 0;
        if (odm_str_is(ev->e.kind, "metric.limit")) {
                int rc = metric_limits_read(p, &d);
                return rc == 0 ? metric_limit_gone(p, t, ev) : rc;
        }
        if (odm_str_is(ev->e.kind, "metric.collection"))
                return metric_orders_read(p, &d);
        if (odm_str_starts(ev->e.kind, "job."))
                return metric_job_ended(p, t, ev);
        if (odm_str_starts(ev->e.kind, "device."))
                return ev->e.device ? metric_device_changed(p, t, ev->e.device) : 0;
        return 0;
}

static int metric_tick(void *self, fleet_turn *t, int64_t *at)
{
        metric_part *p = self;
        int rc = words_confirm(p, t);

        if (rc == 0)
                rc = metric_collect(p, t, at);
        if (rc == 0)
                rc = sweep(p, t);
        if (rc == 0 && p->sweep_at < *at)
                *at = p->sweep_at;
        return rc;
}

static int metric_metrics(void *self, odm_buf *out)
{
        const metric_part *p = self;
        const struct {
                const char *name, *help;
                uint64_t value;
        } rows[] = {
                {"nrem_samples_total", "Samples taken", p->taken},
                {"nrem_samples_repeated_total", "Samples that were known already", p->repeated},
                {"nrem_samples_late_total", "Samples older than the newest of their series",
                 p->late},
                {"nrem_samples_refused_total",
                 "Samples too old, too new, beyond a ceiling, or no measurement", p->refused},
                {"nrem_thresholds_crossed_total", "Thresholds crossed", p->crossed},
        };
        int rc = 0;

        for (size_t i = 0; rc == 0 && i < ODM_COUNT(rows); i++)
                rc = metrics_line(out, rows[i].name, "", "counter", rows[i].help,
                                  (double)rows[i].value);
        return rc;
}

static const store_table *const tables[] = {
        &table_metric_name,   &table_metric_series,     &table_metric_sample,
        &table_metric_rollup, &table_metric_collection, &table_metric_task,
        &table_metric_limit,  &table_metric_side,       NULL};

static const call_route metric_routes[] = {
        {"GET", "/api/v1/metrics", ACCESS_VIEWER,
         "device prefix tag model metric from to step format limit cursor", false, metric_get},
        {"GET", "/api/v1/devices/{name}/metrics", ACCESS_VIEWER, "limit cursor", false,
         metric_list},
        {"POST", "/api/v1/devices/{name}/metrics", ACCESS_OPERATOR, "", true, metric_put},
        {"GET", "/api/v1/metrics/collections", ACCESS_VIEWER, "limit cursor", false,
         collection_list},
        {"POST", "/api/v1/metrics/collections", ACCESS_OPERATOR, "", true, collection_create},
        {"GET", "/api/v1/metrics/collections/{id}", ACCESS_VIEWER, "", false, collection_show},
        {"DELETE", "/api/v1/metrics/collections/{id}", ACCESS_OPERATOR, "", false, collection_stop},
        {"GET", "/api/v1/metrics/thresholds", ACCESS_VIEWER, "limit cursor", false, limit_list},
        {"POST", "/api/v1/metrics/thresholds", ACCESS_OPERATOR, "", true, limit_create},
        {"DELETE", "/api/v1/metrics/thresholds/{id}", ACCESS_OPERATOR, "", false, limit_remove},
};

const fleet_part part_metric = {
        .name = "metric",
        .tables = tables,
        .routes = metric_routes,
        .n_routes = ODM_COUNT(metric_routes),
        .events = SAMPLE_EVENT
        " metric.limit metric.collection job.done job.failed "
        "job.expired job.cancelled device.created device.changed device.active",
        .open = metric_open,
        .event = metric_event,
        .tick = metric_tick,
        .metrics = metric_metrics,
        .close = metric_close,
};
