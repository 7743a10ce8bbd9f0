/* SPDX-License-Identifier: Apache-2.0 */
/* A payload and the list of what it holds, whatever its format: which reader, which writer, and
 * what all of them share. */
#include <stdio.h>
#include <string.h>

#include "lw.h"

int odm_lw_push(struct maker *m, const odm_lw_node *node)
{
        if (m->n == m->cap) {
                size_t cap = m->cap ? m->cap * 2 : 8;
                if (m->n >= ODM_LW_NODES_MAX)
                        return ODM_ELIMIT;
                odm_lw_node *v = odm_arena_get(m->a, cap * sizeof *v);
                if (v == NULL)
                        return odm_arena_err(m->a);
                if (m->n)
                        memcpy(v, m->v, m->n * sizeof *v);
                m->v = v;
                m->cap = cap;
        }
        m->v[m->n++] = *node;
        return 0;
}

int odm_lw_name(const odm_lw_frame *f, odm_str base, odm_str name, bool slash, odm_lw_path *out)
{
        char room[ODM_LW_BASE_TEXT];
        odm_lw_path p;
        size_t n = 0;

        if (base.n + name.n + 1 > sizeof room)
                return ODM_EMALFORMED;
        if (base.n)
                memcpy(room, base.p, base.n);
        n = base.n;
        if (slash && n > 0 && name.n > 0 && room[n - 1] != '/' && name.p[0] != '/')
                room[n++] = '/';
        if (name.n)
                memcpy(room + n, name.p, name.n);
        odm_str s = {room, n + name.n};
        if (f->root.n > 0 && s.n >= f->root.n && memcmp(s.p, f->root.p, f->root.n) == 0)
                s = odm_str_from(s, f->root.n);
        if (s.n > 1 && s.p[s.n - 1] == '/')
                s.n--;
        if (odm_lw_path_parse(s, &p) < 0 || !odm_lw_path_below(p, f->at))
                return ODM_EMALFORMED;
        *out = p;
        return 0;
}

const odm_lw_node *odm_lw_list_find(const odm_lw_list *l, odm_lw_path p)
{
        for (size_t i = 0; i < l->n; i++)
                if (odm_lw_path_eq(l->v[i].path, p))
                        return &l->v[i];
        return NULL;
}

int odm_lw_list_check(const odm_lw_frame *f, const odm_lw_list *l)
{
        for (size_t i = 0; i < l->n; i++) {
                if (!odm_lw_path_below(l->v[i].path, f->at))
                        return ODM_EINVAL;
                if (l->v[i].value.type != ODM_LW_T_NONE && l->v[i].path.depth < 3)
                        return ODM_EINVAL;
                if (i > 0 && odm_lw_path_cmp(l->v[i - 1].path, l->v[i].path) >= 0)
                        return ODM_EINVAL;
        }
        return 0;
}

odm_str odm_lw_base(const odm_lw_frame *f, const odm_lw_list *l, char *room, size_t n)
{
        char z[ODM_LW_PATH_TEXT];
        bool whole = l->n == 1 && odm_lw_path_eq(l->v[0].path, f->at);
        odm_str path = f->at.depth ? odm_lw_path_format(f->at, z) : ODM_STR("");

        if (f->root.n + path.n + 2 > n)
                return ODM_ABSENT;
        int k = snprintf(room, n, "%.*s%.*s%s", (int)f->root.n, f->root.p ? f->root.p : "",
                         (int)path.n, path.p, whole && f->at.depth ? "" : "/");
        return (odm_str){room, (size_t)k};
}

odm_str odm_lw_rest(const odm_lw_frame *f, odm_lw_path p, char room[ODM_LW_PATH_TEXT])
{
        odm_lw_path rest = {.depth = (uint8_t)(p.depth - f->at.depth)};

        memcpy(rest.id, p.id + f->at.depth, rest.depth * sizeof rest.id[0]);
        if (rest.depth == 0)
                return ODM_STR("");
        return odm_str_from(odm_lw_path_format(rest, room), 1);
}

/* Formats of one value, of the resource that was asked for. */
static int one_decode(const odm_lw_frame *f, unsigned ct, odm_str in, struct maker *m)
{
        odm_lw_type type = odm_lw_type_at(f->reg, f->at);
        odm_lw_node node = {.path = f->at};
        int rc = 0;

        if (f->at.depth < 3)
                return ODM_EUNSUPPORTED;
        if (ct == ODM_LW_OPAQUE)
                node.value = (odm_lw_value){.type = ODM_LW_T_OPAQUE, .data = in};
        else if (ct == ODM_LW_CBOR)
                rc = odm_lw_cbor_one_decode(type, in, &node.value);
        else
                rc = odm_lw_value_parse(type, in, m->a, &node.value);
        return rc < 0 ? rc : odm_lw_push(m, &node);
}

static int decode(const odm_lw_frame *f, unsigned ct, odm_str in, struct maker *m)
{
        switch (ct) {
        case ODM_LW_TEXT:
        case ODM_LW_OPAQUE:
        case ODM_LW_CBOR: return one_decode(f, ct, in, m);
        case ODM_LW_TLV:
        case ODM_LW_OLD_TLV: return odm_lw_tlv_decode(f, in, m);
        case ODM_LW_JSON:
        case ODM_LW_OLD_JSON: return odm_lw_json_decode(f, false, in, m);
        case ODM_LW_SENML_JSON: return odm_lw_json_decode(f, true, in, m);
        case ODM_LW_SENML_CBOR: return odm_lw_cbor_decode(f, in, m);
        case ODM_LW_NO_CT:
                return f->at.depth < 3 ? odm_lw_tlv_decode(f, in, m)
                                       : one_decode(f, ODM_LW_TEXT, in, m);
        default: return ODM_EUNSUPPORTED;
        }
}

int odm_lw_decode(const odm_lw_frame *f, unsigned ct, odm_str in, odm_arena *a, odm_lw_list *out)
{
        struct maker m = {.a = a};
        int rc = decode(f, ct, in, &m);

        if (rc == 0)
                *out = (odm_lw_list){m.v, m.n};
        return rc;
}

static int one_encode(const odm_lw_frame *f, unsigned ct, const odm_lw_list *l, odm_buf *out)
{
        odm_arena a;

        if (l->n != 1 || !odm_lw_path_eq(l->v[0].path, f->at) ||
            l->v[0].value.type == ODM_LW_T_NONE)
                return ODM_EINVAL;
        const odm_lw_value *v = &l->v[0].value;
        if (ct == ODM_LW_CBOR)
                return odm_lw_cbor_one_encode(v, out);
        if (ct == ODM_LW_OPAQUE)
                return v->type == ODM_LW_T_OPAQUE || v->type == ODM_LW_T_UNKNOWN
                               ? odm_buf_str(out, v->data)
                               : ODM_EUNSUPPORTED;
        odm_arena_init(&a, out->mem, out->max + 64);
        odm_str s = odm_lw_value_text(v, &a);
        int rc = s.p ? odm_buf_str(out, s) : odm_arena_err(&a);
        odm_arena_done(&a);
        return rc;
}

static int encode(const odm_lw_frame *f, unsigned ct, const odm_lw_list *l, odm_buf *out)
{
        switch (ct) {
        case ODM_LW_TEXT:
        case ODM_LW_OPAQUE:
        case ODM_LW_CBOR: return one_encode(f, ct, l, out);
        case ODM_LW_TLV: return odm_lw_tlv_encode(f, l, out);
        case ODM_LW_JSON: return odm_lw_json_encode(f, false, l, out);
        case ODM_LW_SENML_JSON: return odm_lw_json_encode(f, true, l, out);
        case ODM_LW_SENML_CBOR: return odm_lw_cbor_encode(f, l, out);
        default: return ODM_EUNSUPPORTED;
        }
}

int odm_lw_encode(const odm_lw_frame *f, unsigned ct, const odm_lw_list *l, odm_buf *out)
{
        size_t before = out->n;
        int rc = odm_lw_list_check(f, l);

        if (rc == 0)
                rc = encode(f, ct, l, out);
        if (rc < 0)
                odm_buf_cut(out, before);
        return rc;
}

unsigned odm_lw_ct_for(odm_lw_path at, odm_lw_type type, size_t n)
{
        if (at.depth == 0)
                return ODM_LW_SENML_CBOR;
        if (at.depth < 3 || n != 1)
                return ODM_LW_TLV;
        return type == ODM_LW_T_OPAQUE || type == ODM_LW_T_UNKNOWN ? ODM_LW_OPAQUE : ODM_LW_TEXT;
}
