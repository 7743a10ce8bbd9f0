/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the bridge as those of CoAP (lwm2m.md 3.2). */
#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "lwm2m_inner.h"

static uint8_t method_of(odm_lw_verb v)
{
        switch (v) {
        case ODM_LW_READ:
        case ODM_LW_DISCOVER:
        case ODM_LW_OBSERVE:
        case ODM_LW_CANCEL: return CO_GET;
        case ODM_LW_WRITE:
        case ODM_LW_ATTRS: return CO_PUT;
        case ODM_LW_UPDATE:
        case ODM_LW_EXECUTE:
        case ODM_LW_CREATE: return CO_POST;
        case ODM_LW_DELETE: return CO_DELETE;
        case ODM_LW_READ_COMPOSITE: return CO_FETCH;
        case ODM_LW_WRITE_COMPOSITE: return CO_IPATCH;
        case ODM_LW_STAGE: break;
        }
        return 0;
}

/* "lwm2m/3/0", as the device has its root. */
static odm_str path_of(const client *c, odm_lw_path p, char room[CO_PATH_MAX])
{
        char text[ODM_LW_PATH_TEXT];
        odm_str rel = odm_lw_path_format(p, text);
        int n;

        rel = odm_str_from(rel, 1);
        n = snprintf(room, CO_PATH_MAX, "%s%s%.*s", c->root, c->root[0] && rel.n ? "/" : "",
                     (int)rel.n, rel.p);
        return (odm_str){room, n < 0 || n >= CO_PATH_MAX ? 0 : (size_t)n};
}

int lw_send_ask(client *c, const odm_lw_request *rq, const co_file *file, int64_t deadline_ms,
                co_done done, void *ctx, uint64_t *id)
{
        char room[CO_PATH_MAX];
        odm_str query[ODM_LW_QUERIES];
        odm_arena mem;
        co_how how = {.deadline_ms = deadline_ms};
        net_addr to = lw_client_addr(c);
        co_msg m;
        int rc = 0;

        odm_arena_init(&mem, &heap_mem, 4096);
        co_msg_init(&m, method_of(rq->verb));
        m.path = path_of(c, rq->path, room);
        m.body = rq->payload;
        m.file = file;
        if (rq->ct != ODM_LW_NO_CT && (rq->payload.p || file))
                m.format = (int)rq->ct;
        if (rq->accept != ODM_LW_NO_CT)
                m.accept = (int)rq->accept;
        if (rq->verb == ODM_LW_OBSERVE)
                m.observe = 0;
        m.query = query;
        if (rq->verb == ODM_LW_ATTRS)
                rc = odm_lw_attrs_format(&rq->attrs, &mem, query, &m.n_query);
        if (lw_client_via(c)->secure)
                how.identity = odm_cstr(lw_client_via(c)->identity);
        if (rc == 0 && m.code == 0)
                rc = ODM_EINVAL;
        if (rc == 0) {
                c->a->requests++;
                rc = co_ask(lw_client_end(c), &to, &m, &how, done, ctx, id);
        }
        odm_arena_done(&mem);
        return rc;
}

void lw_cancel(lwm2m *a, uint64_t id)
{
        if (a->plain)
                co_cancel(a->plain, id);
        if (a->secure)
                co_cancel(a->secure, id);
}

odm_lw_answer lw_send_answer(co_end_of why, const co_msg *m)
{
        odm_lw_answer r = {.ct = ODM_LW_NO_CT};

        if (why == CO_UNREACHABLE)
                r.code = ODM_COAP_UNAVAILABLE; /* it was not sent: no silence */
        if (why != CO_REPLY)
                return r;
        r.code = co_class(m->code) * 100u + (m->code & 31u);
        if (m->format >= 0)
                r.ct = (unsigned)m->format;
        r.payload = m->body;
        r.location = m->path;
        return r;
}
