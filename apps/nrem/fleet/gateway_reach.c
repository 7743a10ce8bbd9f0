/* SPDX-License-Identifier: Apache-2.0 */
/* Who is behind a gateway, for requests that go through it. */
#include "gateway_api.h"

#define PAGE 1000
#define GATEWAYS 64 /* behind each other, that are looked through for one request */

int gateway_behind(void *p, int64_t gateway, odm_str key, odm_arena *a, int64_t *out)
{
        const gateways *s = p;
        gateway_child c;
        int rc = gateway_find_key(s->host->store, gateway, key, a, &c);

        if (rc == 0)
                *out = c.device;
        return rc;
}

typedef struct looker {
        store *store;
        odm_str scope;
        odm_arena *a;
        int64_t v[GATEWAYS]; /* to be looked through */
        size_t n;
        bool all;
} looker;

static int look_at(looker *l, int64_t device)
{
        gateway_row row;
        store_device d;
        int rc = store_device_get(l->store, device, l->a, &d);

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        if (!odm_str_eq(odm_str_to(d.name, l->scope.n), l->scope)) {
                l->all = false;
                return 0;
        }
        rc = gateway_find(l->store, device, l->a, &row);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        if (l->n == GATEWAYS)
                l->all = false;
        else
                l->v[l->n++] = device;
        return 0;
}

static int look_behind(looker *l, int64_t gateway)
{
        const gateway_child at = {.gateway = gateway};
        gateway_child last;
        store_scan scan = {.table = &table_gateway_child,
                           .index = CHILD_BY_KEY,
                           .same = 1,
                           .at = &at,
                           .limit = PAGE};
        store_rows rows = {.more = true};
        int rc = 0;

        while (rc == 0 && l->all && rows.more) {
                rc = store_row_find(l->store, &scan, l->a, &rows);
                for (size_t i = 0; rc == 0 && l->all && i < rows.n; i++)
                        rc = look_at(l, ((const gateway_child *)rows.v)[i].device);
                if (rc == 0 && rows.n) {
                        last = ((const gateway_child *)rows.v)[rows.n - 1];
                        scan.after = &last;
                }
        }
        return rc;
}

int gateway_covers(void *p, int64_t gateway, odm_str scope, odm_arena *a, bool *out)
{
        const gateways *s = p;
        looker l = {.store = s->host->store,
                    .scope = scope,
                    .a = a,
                    .v = {gateway},
                    .n = 1,
                    .all = true};
        int rc = 0;

        for (size_t i = 0; rc == 0 && l.all && i < l.n; i++)
                rc = look_behind(&l, l.v[i]);
        *out = l.all;
        return rc;
}
