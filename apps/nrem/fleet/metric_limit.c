/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds: a sample that is the newest of its series may cross one, which is an event. */
#include <string.h>

#include "metric.h"

#define GONE_PAGE 500

/* ---- those there are -------------------------------------------------------------------- */

static int read_all(metric_part *p, const store_rows *rows)
{
        metric_limit *v = odm_arena_get(&p->limits_memory, (rows->n + 1) * sizeof *v);
        selector *sel = odm_arena_zget(&p->limits_memory, (rows->n + 1) * sizeof *sel);
        size_t n = 0;

        if (!v || !sel)
                return odm_arena_err(&p->limits_memory);
        for (size_t i = 0; i < rows->n; i++) {
                const metric_limit *row = (const metric_limit *)rows->v + i;
                int rc = selector_parse(row->selector, &p->limits_memory, &sel[n]);

                if (rc == ODM_ENOMEM)
                        return rc;
                if (rc == 0)
                        v[n++] = *row;
        }
        p->limits = v;
        p->limit_sel = sel;
        p->n_limits = n;
        return 0;
}

int metric_limits_read(metric_part *p, diag *d)
{
        const store_scan scan = {.table = &table_metric_limit, .limit = METRIC_LIMITS};
        store_rows rows = {0};
        int rc;

        p->n_limits = 0;
        odm_arena_reset(&p->limits_memory);
        rc = store_row_find(p->host->store, &scan, &p->limits_memory, &rows);
        if (rc == 0)
                rc = read_all(p, &rows);
        return rc < 0 ? diag_set(d, rc, "the thresholds cannot be read: %s", odm_err_text(rc)) : 0;
}

/* ---- where a device stands ---------------------------------------------------------------- */

static int read_side(metric_judge *j, size_t limit)
{
        struct metric_stand *x = &j->v[j->n];
        int rc;

        x->limit = limit;
        x->side = (metric_side){.device = j->device, .limit = j->p->limits[limit].id};
        rc = store_row_get(j->t->host->store, &table_metric_side, &x->side, j->t->arena, &x->side);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (x->side.side > SERIES_HIGH)
                x->side.side = SERIES_NORMAL;
        j->n++;
        return 0;
}

static bool is_selected(const metric_judge *j, size_t limit, store_device *d, int *rc)
{
        if (!d->id)
                *rc = store_device_get(j->t->host->store, j->device, j->t->arena, d);
        return *rc == 0 && selector_has(&j->p->limit_sel[limit], d, j->t->arena, NULL);
}

/* The thresholds of this metric and device; most metrics have none. */
static int look(metric_judge *j)
{
        store_device d = {0};
        size_t n = 0;
        int rc = 0;

        j->known = true;
        for (size_t i = 0; i < j->p->n_limits; i++)
                n += odm_str_eq(j->p->limits[i].metric, j->metric);
        if (n == 0)
                return 0;
        j->v = odm_arena_zget(j->t->arena, n * sizeof *j->v);
        if (!j->v)
                return odm_arena_err(j->t->arena);
        for (size_t i = 0; rc == 0 && i < j->p->n_limits; i++)
                if (odm_str_eq(j->p->limits[i].metric, j->metric) && is_selected(j, i, &d, &rc))
                        rc = read_side(j, i);
        return rc == ODM_ENOENT ? 0 : rc;
}

/* ---- crossed ------------------------------------------------------------------------------ */

static bool put(json_t *o, const char *name, odm_str s)
{
        return s.n == 0 || json_object_set_new(o, name, json_stringn(s.p, s.n)) == 0;
}

static int tell(metric_judge *j, const metric_limit *l, series_side from, series_side to,
                int64_t at, double value)
{
        json_t *o = json_object();
        char when[SAMPLE_TIME];
        series_side beyond = to == SERIES_NORMAL ? from : to;

        sample_time_format(at, when);
        if (!o || !put(o, "metric", j->metric) || !put(o, "name", l->name) ||
            !put(o, "severity", l->severity) ||
            !put(o, "threshold", odm_arena_number(j->t->arena, (uint64_t)l->id)) ||
            json_object_set_new(o, "side", json_string(series_side_name(to))) < 0 ||
            json_object_set_new(o, "from", json_string(series_side_name(from))) < 0 ||
            json_object_set_new(o, "value", json_real(value)) < 0 ||
            json_object_set_new(o, "limit", json_real(beyond == SERIES_LOW ? l->low : l->high)) <
                    0 ||
            json_object_set_new(o, "at", json_string(when)) < 0) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        j->p->crossed++;
        return fleet_tell(j->t, j->device, "metric.crossed", o);
}

int metric_judge_sample(metric_judge *j, int64_t at, double value)
{
        int rc = j->known ? 0 : look(j);

        for (size_t i = 0; rc == 0 && i < j->n; i++) {
                struct metric_stand *x = &j->v[i];
                const metric_limit *l = &j->p->limits[x->limit];
                const series_limits lim = {l->has_low, l->has_high, l->low, l->high, l->hysteresis};
                series_side was = (series_side)x->side.side, now = series_judge(&lim, was, value);

                if (now == was)
                        continue;
                x->side.side = now;
                x->side.since = at;
                x->changed = true;
                rc = tell(j, l, was, now, at, value);
        }
        return rc;
}

int metric_judge_end(metric_judge *j)
{
        for (size_t i = 0; i < j->n; i++) {
                metric_side *row;

                if (!j->v[i].changed)
                        continue;
                row = odm_new(store_batch_arena(j->t->batch), metric_side);
                if (!row)
                        return ODM_ENOMEM;
                *row = j->v[i].side;
                if (!fleet_row(j->t, STORE_ROW_PUT, &table_metric_side, row))
                        return ODM_ENOMEM;
        }
        return 0;
}

/* ---- removed ------------------------------------------------------------------------------- */

static int tell_gone(metric_part *p, fleet_turn *t, const fleet_event *ev, const metric_side *s)
{
        json_t *o = json_object();
        char when[SAMPLE_TIME];

        sample_time_format(t->now, when);
        if (!o || !put(o, "metric", fleet_text(ev, "metric")) ||
            !put(o, "name", fleet_text(ev, "name")) ||
            !put(o, "threshold", fleet_text(ev, "removed")) ||
            json_object_set_new(o, "side", json_string(series_side_name(SERIES_NORMAL))) < 0 ||
            json_object_set_new(o, "from", json_string(series_side_name((series_side)s->side))) <
                    0 ||
            json_object_set_new(o, "at", json_string(when)) < 0) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        p->crossed++;
        return fleet_tell(t, s->device, "metric.crossed", o);
}

int metric_limit_gone(metric_part *p, fleet_turn *t, const fleet_event *ev)
{
        const metric_side key = {.limit = fleet_id(ev, "removed")};
        const store_scan scan = {.table = &table_metric_side,
                                 .index = METRIC_SIDE_BY_LIMIT,
                                 .same = 1,
                                 .at = &key,
                                 .limit = GONE_PAGE};
        store_rows rows = {0};
        int rc = key.limit ? store_row_find(t->host->store, &scan, t->arena, &rows) : 0;

        for (size_t i = 0; rc == 0 && i < rows.n; i++) {
                const metric_side *s = (const metric_side *)rows.v + i;
                metric_side *row = odm_new(store_batch_arena(t->batch), metric_side);

                if (!row)
                        return ODM_ENOMEM;
                *row = *s;
                if (!fleet_row(t, STORE_ROW_DELETE, &table_metric_side, row))
                        return ODM_ENOMEM;
                if (s->side == SERIES_LOW || s->side == SERIES_HIGH)
                        rc = tell_gone(p, t, ev, s);
        }
        if (rc == 0 && rows.more)
                rc = fleet_tell(t, 0, "metric.limit", json_deep_copy(ev->data));
        return rc;
}
