/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as plans and jobs make them, and the values of their answers. */
#include <assert.h>
#include <string.h>

#include "inner.h"

static odm_str root_of(const odm_bridge *b)
{
        return b->root_n ? (odm_str){b->root, b->root_n} : ODM_ABSENT;
}

/* TLV unless a registration told what else it is; a single value comes as the device likes. */
static unsigned accept_of(const odm_bridge *b, odm_lw_path p)
{
        const odm_lw_resource *res;

        if (p.depth >= 3) {
                res = odm_lw_resource_find(b->reg, p.id[0], p.id[2]);
                if (p.depth == 4 || (res && !res->multiple))
                        return ODM_LW_NO_CT;
        }
        if (b->cts == 0 || b->cts & ODM_LW_CAN_TLV)
                return ODM_LW_TLV;
        return b->cts & ODM_LW_CAN_SENML_CBOR   ? ODM_LW_SENML_CBOR
               : b->cts & ODM_LW_CAN_SENML_JSON ? ODM_LW_SENML_JSON
                                                : ODM_LW_JSON;
}

odm_lw_request odm_bridge_read_of(const odm_bridge *b, odm_lw_path p)
{
        return (odm_lw_request){
                .verb = ODM_LW_READ, .path = p, .ct = ODM_LW_NO_CT, .accept = accept_of(b, p)};
}

/* A device of 1.0 has TLV, whatever else it says; one of 1.1 what it says. */
unsigned odm_bridge_ct_of_several(const odm_bridge *b)
{
        if (!b->v1_1 || b->cts == 0 || b->cts & ODM_LW_CAN_TLV)
                return ODM_LW_TLV;
        return b->cts & ODM_LW_CAN_SENML_CBOR   ? ODM_LW_SENML_CBOR
               : b->cts & ODM_LW_CAN_SENML_JSON ? ODM_LW_SENML_JSON
                                                : ODM_LW_JSON;
}

unsigned odm_bridge_ct_for(const odm_bridge *b, odm_lw_path at, const odm_lw_list *l)
{
        unsigned ct = odm_lw_ct_for(at, l->v[0].value.type, l->n);

        if (l->v[0].value.type == ODM_LW_T_NONE)
                return ODM_LW_TLV; /* no other format has a number without values */
        return ct == ODM_LW_TLV ? odm_bridge_ct_of_several(b) : ct;
}

int odm_bridge_write_of(const odm_bridge *b, odm_lw_path at, const odm_lw_list *l, unsigned ct,
                        odm_arena *a, odm_lw_request *out)
{
        odm_lw_frame f = {.reg = b->reg, .at = at, .root = root_of(b)};
        odm_buf buf;

        odm_buf_init(&buf, a->mem, PAYLOAD_MAX);
        int rc = odm_lw_encode(&f, ct, l, &buf);
        if (rc == 0) {
                odm_str payload = odm_arena_copy(a, odm_buf_view(&buf));
                if (payload.p == NULL)
                        rc = odm_arena_err(a);
                else
                        *out = (odm_lw_request){.verb = at.depth == 2 ? ODM_LW_UPDATE
                                                                      : ODM_LW_WRITE,
                                                .path = at,
                                                .ct = ct,
                                                .accept = ODM_LW_NO_CT,
                                                .payload = payload};
        }
        odm_buf_done(&buf);
        return rc;
}

int odm_bridge_answer_of(const odm_bridge *b, odm_lw_path at, const odm_lw_answer *r, odm_arena *a,
                         odm_lw_list *out)
{
        odm_lw_frame f = {.reg = b->reg, .at = at, .root = root_of(b)};
        odm_str copy = odm_arena_copy(a, r->payload.p ? r->payload : ODM_STR(""));

        if (copy.p == NULL)
                return odm_arena_err(a);
        return odm_lw_decode(&f, r->ct, copy, a, out);
}
