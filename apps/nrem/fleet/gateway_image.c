/* SPDX-License-Identifier: Apache-2.0 */
/* Packages at gateways: fetched there for jobs that wait for them, lost there, and there again. */
#include "gateway_part.h"
#include "odm/result.h"

#define REASON_MOST 200

int gateway_image_put(fleet_turn *t, const gateway_image *i)
{
        odm_arena *a = store_batch_arena(t->batch);
        gateway_image *row = odm_new(a, gateway_image);

        if (!row || !fleet_row(t, STORE_ROW_PUT, &table_gateway_image, row))
                return ODM_ENOMEM;
        *row = *i;
        row->sha256 = odm_arena_copy(a, i->sha256);
        row->name = odm_arena_copy(a, i->name);
        row->reason = odm_arena_copy(a, i->reason);
        return a->err ? odm_arena_err(a) : 0;
}

static int tell(fleet_turn *t, const gateway_image *i)
{
        bool ready = i->state == GATEWAY_LOADED;
        json_t *o = json_pack("{s:s%, s:s%, s:s}", "sha256", i->sha256.p, i->sha256.n, "package",
                              i->name.p ? i->name.p : "", i->name.n, "state",
                              ready ? "ready" : "failed");

        if (o && i->reason.n && odm_utf8_ok(i->reason) &&
            json_object_set_new(o, "reason", json_stringn(i->reason.p, i->reason.n)) < 0) {
                json_decref(o);
                return ODM_ENOMEM;
        }
        return fleet_tell(t, i->device, "gateway.image", o);
}

int gateway_image_now(fleet_turn *t, const gateway_image *known, bool ready, odm_str why)
{
        gateway_image i = *known;
        int rc;

        i.state = ready ? GATEWAY_LOADED : GATEWAY_UNLOADED;
        i.at = t->now;
        i.reason = ready ? ODM_STR("") : odm_str_to(why, odm_utf8_cut(why, REASON_MOST));
        rc = gateway_image_put(t, &i);
        return rc == 0 ? tell(t, &i) : rc;
}

/* While it is fetched for us, the end of our job says more. */
int gateway_image_told(gateways *s, fleet_turn *t, const fleet_event *ev)
{
        odm_str doc = fleet_text(ev, "data");
        const gateway_image key = {.device = ev->e.device, .sha256 = gateway_image_id(doc)};
        unsigned result = gateway_image_result(doc);
        gateway_image known;
        int rc;

        if (!key.sha256.n || !result)
                return 0;
        rc = store_row_get(s->host->store, &table_gateway_image, &key, t->arena, &known);
        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        if (known.state == GATEWAY_LOADING || (known.state == GATEWAY_LOADED) == (result == 200))
                return 0;
        return gateway_image_now(t, &known, result == 200,
                                 odm_arena_fmt(t->arena, "its gateway has it no more: %s (%u)",
                                               odm_result_text(fleet_text(ev, "type"), result),
                                               result));
}
