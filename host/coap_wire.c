/* SPDX-License-Identifier: Apache-2.0 */
/* coap_wire.c - CoAP messages as octets.  libcoap reads them, with all its checks of form, and
 * writes options; the header of four octets is written here. */
#include <coap3/coap.h>

#include <assert.h>
#include <string.h>

#include "coap_inner.h"

/* ---- reading ----------------------------------------------------------------------------------- */

static odm_str value_of(const coap_opt_t *o)
{
        return (odm_str){(const char *)coap_opt_value(o), coap_opt_length(o)};
}

static uint64_t number_of(const coap_opt_t *o)
{
        return coap_decode_var_bytes8(coap_opt_value(o), coap_opt_length(o));
}

static bool block_of(const coap_opt_t *o, co_block *b)
{
        uint64_t v = number_of(o);

        if (coap_opt_length(o) > 3 || (v & 7) == 7 || b->on)
                return false;
        *b = (co_block){.on = true, .more = v & 8, .szx = v & 7, .num = (uint32_t)(v >> 4)};
        return true;
}

/* Segments are joined by slashes; one that has a slash itself is none of ours. */
static bool add_segment(co_wire *w, odm_str s)
{
        size_t at = w->m.path.n, need = s.n + (w->m.path.p ? 1 : 0);

        if (at + need > sizeof w->path || odm_str_has(s, '/'))
                return false;
        if (w->m.path.p)
                w->path[at++] = '/';
        if (s.n)
                memcpy(w->path + at, s.p, s.n);
        w->m.path = (odm_str){w->path, at + s.n};
        return true;
}

static bool add_query(co_wire *w, odm_str s)
{
        if (w->m.n_query == CO_QUERY_MAX)
                return false;
        w->query[w->m.n_query++] = s;
        return true;
}

static bool take_etag(co_wire *w, odm_str v)
{
        if (v.n > sizeof w->etag)
                return false;
        w->etag_n = (uint8_t)v.n;
        if (v.n)
                memcpy(w->etag, v.p, v.n);
        return true;
}

/* False: the option cannot stand. */
static bool take_option(co_wire *w, uint16_t number, const coap_opt_t *o)
{
        bool request = co_class(w->m.code) == 0;

        switch (number) {
        case COAP_OPTION_URI_HOST:
        case COAP_OPTION_URI_PORT: return true;
        case COAP_OPTION_ETAG: return take_etag(w, value_of(o));
        case COAP_OPTION_OBSERVE: w->m.observe = (int64_t)(number_of(o) & 0xffffff); return true;
        case COAP_OPTION_LOCATION_PATH: return request || add_segment(w, value_of(o));
        case COAP_OPTION_URI_PATH: return request && add_segment(w, value_of(o));
        case COAP_OPTION_CONTENT_FORMAT: w->m.format = (int)(number_of(o) & 0xffff); return true;
        case COAP_OPTION_MAXAGE: w->m.max_age = (int64_t)(number_of(o) & UINT32_MAX); return true;
        case COAP_OPTION_URI_QUERY: return add_query(w, value_of(o));
        case COAP_OPTION_ACCEPT: w->m.accept = (int)(number_of(o) & 0xffff); return true;
        case COAP_OPTION_BLOCK2: return block_of(o, &w->block2);
        case COAP_OPTION_BLOCK1: return block_of(o, &w->block1);
        case COAP_OPTION_SIZE1: w->size1 = (int64_t)(number_of(o) & UINT32_MAX); return true;
        case COAP_OPTION_SIZE2: w->size2 = (int64_t)(number_of(o) & UINT32_MAX); return true;
        default: /* odd ones must be understood (RFC 7252 5.4.1) */ return number % 2 == 0;
        }
}

static void take_options(co_wire *w, const coap_pdu_t *pdu)
{
        coap_opt_iterator_t it;
        coap_opt_t *o;

        if (!coap_option_iterator_init(pdu, &it, COAP_OPT_ALL))
                return;
        while ((o = coap_option_next(&it)))
                if (!take_option(w, it.number, o))
                        w->bad_option = true;
}

static void wire_init(co_wire *w)
{
        memset(w, 0, sizeof *w);
        co_msg_init(&w->m, 0);
        w->m.query = w->query;
        w->size1 = w->size2 = -1;
}

int co_wire_read(odm_str d, co_wire *out)
{
        const uint8_t *u = (const uint8_t *)d.p;
        coap_bin_const_t token;
        coap_pdu_t *pdu;
        const uint8_t *data;
        size_t n;

        wire_init(out);
        out->type = CO_RST;
        if (d.n < 4 || u[0] >> 6 != 1)
                return ODM_EMALFORMED;
        out->mid = (uint16_t)(u[2] << 8 | u[3]);
        out->type = u[0] >> 4 & 3;
        pdu = coap_pdu_init(0, 0, 0, d.n);
        if (!pdu)
                return ODM_ENOMEM;
        if ((u[0] & 15) > CO_TOKEN || !coap_pdu_parse(COAP_PROTO_UDP, u, d.n, pdu)) {
                coap_delete_pdu(pdu);
                return ODM_EMALFORMED;
        }
        out->held = pdu;
        out->m.code = (uint8_t)coap_pdu_get_code(pdu);
        token = coap_pdu_get_token(pdu);
        out->token.n = (uint8_t)token.length;
        if (token.length)
                memcpy(out->token.p, token.s, token.length);
        take_options(out, pdu);
        if (coap_get_data(pdu, &n, &data))
                out->m.body = (odm_str){(const char *)data, n};
        return 0;
}

void co_wire_done(co_wire *w)
{
        if (w->held)
                coap_delete_pdu(w->held);
        w->held = NULL;
}

/* ---- writing ------------------------------------------------------------------------------------- */

typedef struct pen {
        uint8_t *at, *end;
        uint16_t last; /* number of the last option */
        bool full;
} pen;

static void put(pen *w, uint16_t number, const void *v, size_t n)
{
        size_t len = coap_opt_encode_size((uint16_t)(number - w->last), n);

        assert(number >= w->last);
        if (w->full || len > (size_t)(w->end - w->at)) {
                w->full = true;
                return;
        }
        w->at += coap_opt_encode(w->at, (size_t)(w->end - w->at), (uint16_t)(number - w->last), v,
                                 n);
        w->last = number;
}

static void put_number(pen *w, uint16_t number, uint64_t v)
{
        uint8_t b[8];

        put(w, number, b, coap_encode_var_safe8(b, sizeof b, v));
}

static void put_block(pen *w, uint16_t number, const co_block *b)
{
        if (b->on)
                put_number(w, number, (uint64_t)b->num << 4 | (b->more ? 8 : 0) | b->szx);
}

static void put_path(pen *w, uint16_t number, odm_str path)
{
        if (!path.p || path.n == 0)
                return;
        for (;;) {
                const char *slash = memchr(path.p, '/', path.n);
                size_t n = slash ? (size_t)(slash - path.p) : path.n;

                put(w, number, path.p, n);
                if (!slash)
                        return;
                path = odm_str_from(path, n + 1);
        }
}

static void put_options(pen *w, const co_wire *m)
{
        if (m->etag_n)
                put(w, COAP_OPTION_ETAG, m->etag, m->etag_n);
        if (m->m.observe >= 0)
                put_number(w, COAP_OPTION_OBSERVE, (uint64_t)m->m.observe);
        if (m->response)
                put_path(w, COAP_OPTION_LOCATION_PATH, m->m.path);
        else
                put_path(w, COAP_OPTION_URI_PATH, m->m.path);
        if (m->m.format >= 0)
                put_number(w, COAP_OPTION_CONTENT_FORMAT, (uint64_t)m->m.format);
        if (m->m.max_age >= 0)
                put_number(w, COAP_OPTION_MAXAGE, (uint64_t)m->m.max_age);
        for (size_t i = 0; i < m->m.n_query; i++)
                put(w, COAP_OPTION_URI_QUERY, m->m.query[i].p, m->m.query[i].n);
        if (m->m.accept >= 0)
                put_number(w, COAP_OPTION_ACCEPT, (uint64_t)m->m.accept);
        put_block(w, COAP_OPTION_BLOCK2, &m->block2);
        put_block(w, COAP_OPTION_BLOCK1, &m->block1);
        if (m->size2 >= 0)
                put_number(w, COAP_OPTION_SIZE2, (uint64_t)m->size2);
        if (m->size1 >= 0)
                put_number(w, COAP_OPTION_SIZE1, (uint64_t)m->size1);
}

size_t co_wire_write(const co_wire *m, odm_str payload, uint8_t *out, size_t room)
{
        pen w = {.at = out, .end = out + room};

        if (room < 4u + m->token.n)
                return 0;
        out[0] = (uint8_t)(0x40 | m->type << 4 | m->token.n);
        out[1] = m->m.code;
        out[2] = (uint8_t)(m->mid >> 8);
        out[3] = (uint8_t)m->mid;
        memcpy(out + 4, m->token.p, m->token.n);
        w.at += 4 + m->token.n;
        put_options(&w, m);
        if (payload.n == 0)
                return w.full ? 0 : (size_t)(w.at - out);
        if (w.full || payload.n + 1 > (size_t)(w.end - w.at))
                return 0;
        *w.at++ = 0xff;
        memcpy(w.at, payload.p, payload.n);
        return (size_t)(w.at - out) + payload.n;
}
