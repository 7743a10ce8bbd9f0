/* SPDX-License-Identifier: Apache-2.0 */
/* What a gateway saw change on the devices behind it, as performance data of theirs. */
#include <stdlib.h>

#include "gateway_part.h"
#include "heap.h"
#include "log.h"
#include "odm/values.h"
#include "sample.h"

#define ROWS_MAX 2048 /* of one document */

typedef struct seen_value {
        odm_str key, name;
        int64_t at; /* ms since 1970 */
        json_t *value;
        uint32_t order; /* in the document */
} seen_value;

typedef struct values {
        odm_arena *a;
        seen_value *v;
        size_t n;
} values;

static int on_value(void *ctx, const odm_values_row *row)
{
        values *all = ctx;
        seen_value *v = &all->v[all->n];
        bool refused;

        if (all->n == ROWS_MAX)
                return ODM_ELIMIT;
        *v = (seen_value){.key = odm_arena_copy(all->a, row->key),
                          .name = sample_name(row->uri, all->a),
                          .at = row->at.s * 1000,
                          .order = (uint32_t)all->n};
        if (!v->key.p || (!v->name.p && all->a->err))
                return odm_arena_err(all->a);
        v->value = sample_value(odm_cstr(odm_format_name(row->format)), row->value, &refused);
        if (v->value && v->name.p)
                all->n++;
        else
                json_decref(v->value); /* no measurement: what a device is called, say */
        return v->value || refused ? 0 : ODM_ENOMEM;
}

/* By device, then by time: values of one moment are one sample. */
static int in_order(const void *x, const void *y)
{
        const seen_value *a = x, *b = y;
        int by_key = odm_str_cmp(a->key, b->key);

        if (by_key)
                return by_key;
        if (a->at != b->at)
                return a->at < b->at ? -1 : 1;
        return a->order < b->order ? -1 : 1;
}

static int tell(fleet_turn *t, int64_t device, sample_set *s)
{
        store_op *op;

        if (s->n == 0)
                return 0;
        op = fleet_op(t, STORE_EVENT_ADD);
        if (op)
                op->event = (store_event){
                        .at = t->now,
                        .device = device,
                        .kind = ODM_STR(SAMPLE_EVENT),
                        .data = sample_take(s, "report", ODM_ABSENT, store_batch_arena(t->batch))};
        return op && op->event.data.p ? 0 : ODM_ENOMEM;
}

/* Those of one device; `n` of them are its own. */
static int of_device(fleet_turn *t, int64_t device, seen_value *v, size_t n)
{
        sample_set s = {NULL, 0};
        int rc = 0;

        for (size_t i = 0; i < n && rc == 0; i++) {
                if (s.n == SAMPLE_VALUES)
                        rc = tell(t, device, &s);
                if (rc == 0)
                        rc = sample_add(&s, v[i].at, v[i].name, json_incref(v[i].value));
        }
        if (rc == 0)
                rc = tell(t, device, &s);
        sample_drop(&s);
        return rc;
}

static int of_all(gateways *s, fleet_turn *t, int64_t gateway, values *all)
{
        int rc = 0;

        qsort(all->v, all->n, sizeof *all->v, in_order);
        for (size_t i = 0, n; i < all->n && rc == 0; i += n) {
                gateway_child c;
                for (n = 1; i + n < all->n && odm_str_eq(all->v[i + n].key, all->v[i].key); n++)
                        ;
                rc = gateway_find_key(s->host->store, gateway, all->v[i].key, t->arena, &c);
                if (rc == 0)
                        rc = of_device(t, c.device, &all->v[i], n);
                else if (rc == ODM_ENOENT) /* not, or no longer, behind this one */
                        rc = 0;
        }
        return rc;
}

int gateway_values(gateways *s, fleet_turn *t, int64_t gateway, odm_str doc)
{
        values all = {.a = t->arena};
        int rc;

        all.v = malloc(ROWS_MAX * sizeof *all.v);
        if (!all.v)
                return ODM_ENOMEM;
        rc = odm_values_read(doc, &heap_mem, on_value, &all);
        if (rc == ODM_EMALFORMED || rc == ODM_ELIMIT) {
                log_warn("a gateway's values break off", log_int("device", gateway),
                         log_text("reason", odm_err_text(rc)));
                rc = t->arena->err; /* what came before is good */
        }
        if (rc == 0)
                rc = of_all(s, t, gateway, &all);
        for (size_t i = 0; i < all.n; i++)
                json_decref(all.v[i].value);
        free(all.v);
        return rc;
}
