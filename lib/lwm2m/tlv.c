/* SPDX-License-Identifier: Apache-2.0 */
/* TLV, the one format that every client has (lwm2m.md 3.4).
 *
 *     type   76 kind  5 width of the id  43 width of the length, else 210 the length itself
 *     kind   00 object instance { resources }    10 multiple resource { resource instances }
 *            01 resource instance                11 resource
 *
 * At most three levels, so three frames on a stack of our own. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "lw.h"

enum kind { INSTANCE = 0x00, RES_INSTANCE = 0x40, MULTIPLE = 0x80, RESOURCE = 0xc0 };

struct entry {
        enum kind kind;
        uint16_t id;
        odm_str value;
};

static uint64_t big_endian(const char *p, size_t n)
{
        uint64_t v = 0;

        for (size_t i = 0; i < n; i++)
                v = v << 8 | (uint8_t)p[i];
        return v;
}

/* Takes one entry off the front of *in. */
static int take(odm_str *in, struct entry *e)
{
        uint8_t type = (uint8_t)in->p[0];
        size_t id_n = type & 0x20 ? 2 : 1, len_n = type >> 3 & 3, head = 1 + id_n + len_n;

        if (head > in->n)
                return ODM_EMALFORMED;
        size_t len = len_n ? (size_t)big_endian(in->p + 1 + id_n, len_n) : type & 7u;
        if (len > in->n - head)
                return ODM_EMALFORMED;
        e->kind = (enum kind)(type & 0xc0);
        e->id = (uint16_t)big_endian(in->p + 1, id_n);
        e->value = (odm_str){in->p + head, len};
        *in = odm_str_from(*in, head + len);
        return e->id > ODM_LW_ID_MAX ? ODM_EMALFORMED : 0;
}

static int integer(odm_str s, int64_t *out)
{
        if (s.n != 1 && s.n != 2 && s.n != 4 && s.n != 8)
                return ODM_EMALFORMED;
        uint64_t v = big_endian(s.p, s.n);
        unsigned shift = (unsigned)(64 - 8 * s.n);
        *out = (int64_t)(v << shift) >> shift;
        return 0;
}

static int real(odm_str s, double *out)
{
        double d;
        float f;

        if (s.n == 4) {
                uint32_t bits = (uint32_t)big_endian(s.p, 4);
                memcpy(&f, &bits, sizeof f);
                d = (double)f;
        } else if (s.n == 8) {
                uint64_t bits = big_endian(s.p, 8);
                memcpy(&d, &bits, sizeof d);
        } else {
                return ODM_EMALFORMED;
        }
        if (!isfinite(d))
                return ODM_EMALFORMED;
        *out = d;
        return 0;
}

/* What cannot be of the type that the registry names stays what it is, octets: one odd resource
 * does not make its instance unreadable. */
static odm_lw_value value_of(odm_lw_type type, odm_str s)
{
        odm_lw_value v = {.type = type, .data = s};
        bool good = false;

        switch (type) {
        case ODM_LW_T_NONE:
        case ODM_LW_T_UNKNOWN: break;
        case ODM_LW_T_OPAQUE: good = true; break;
        case ODM_LW_T_STRING:
        case ODM_LW_T_CORELNK: good = odm_utf8_ok(s); break;
        case ODM_LW_T_INTEGER:
        case ODM_LW_T_TIME: good = integer(s, &v.i) == 0; break;
        case ODM_LW_T_FLOAT: good = real(s, &v.f) == 0; break;
        case ODM_LW_T_BOOLEAN:
                good = s.n == 1 && (uint8_t)s.p[0] <= 1;
                v.b = good && s.p[0] == 1;
                break;
        case ODM_LW_T_OBJLNK:
                good = s.n == 4;
                v.link[0] = good ? (uint16_t)big_endian(s.p, 2) : 0;
                v.link[1] = good ? (uint16_t)big_endian(s.p + 2, 2) : 0;
                break;
        }
        if (!good)
                v.type = ODM_LW_T_UNKNOWN;
        else if (type != ODM_LW_T_STRING && type != ODM_LW_T_CORELNK && type != ODM_LW_T_OPAQUE)
                v.data = ODM_ABSENT; /* said in another member */
        return v;
}

static int leaf(const odm_lw_frame *f, struct maker *m, odm_lw_path p, odm_str s)
{
        odm_lw_node node = {.path = p, .value = value_of(odm_lw_type_at(f->reg, p), s)};

        return odm_lw_push(m, &node);
}

static int empty(struct maker *m, odm_lw_path p)
{
        return odm_lw_push(m, &(odm_lw_node){.path = p});
}

/* What is around an entry: the path it belongs to, and what is left to read there. */
struct level {
        odm_lw_path at;
        odm_str rest;
};

struct reader {
        const odm_lw_frame *f;
        struct maker *m;
        struct level level[3];
        unsigned depth; /* levels in use */
};

static int enter(struct reader *r, odm_lw_path at, odm_str inside)
{
        if (inside.n == 0)
                return empty(r->m, at);
        assert(r->depth < ODM_COUNT(r->level));
        r->level[r->depth++] = (struct level){at, inside};
        return 0;
}

/* Where an entry found in `l` stands.  An answer that names what the request named already, or that
 * leaves out instance 0 of an object, is understood. */
static int place(const struct level *l, const struct entry *e, bool top, odm_lw_path *out)
{
        static const uint8_t depth_of[] = {[INSTANCE >> 6] = 2,
                                           [RES_INSTANCE >> 6] = 4,
                                           [MULTIPLE >> 6] = 3,
                                           [RESOURCE >> 6] = 3};
        unsigned depth = depth_of[e->kind >> 6];
        odm_lw_path p = l->at;

        if (p.depth == depth && top && p.id[depth - 1] == e->id) {
                *out = p;
                return 0;
        }
        if (p.depth == 1 && depth == 3 && top)
                p = odm_lw_path_down(p, 0);
        if (p.depth + 1 != (int)depth)
                return ODM_EMALFORMED;
        *out = odm_lw_path_down(p, e->id);
        return 0;
}

static int step(struct reader *r)
{
        struct level *l = &r->level[r->depth - 1];
        struct entry e;
        odm_lw_path p;

        int rc = take(&l->rest, &e);
        if (rc < 0)
                return rc;
        rc = place(l, &e, r->depth == 1, &p);
        if (rc < 0)
                return rc;
        if (e.kind == RESOURCE || e.kind == RES_INSTANCE)
                return leaf(r->f, r->m, p, e.value);
        return enter(r, p, e.value);
}

int odm_lw_tlv_decode(const odm_lw_frame *f, odm_str in, struct maker *out)
{
        struct reader r = {.f = f, .m = out, .level[0] = {f->at, in}, .depth = 1};

        if (f->at.depth == 0)
                return ODM_EUNSUPPORTED;
        if (in.n == 0)
                return f->at.depth == 1 ? 0 : empty(out, f->at);
        while (r.depth > 0) {
                if (r.level[r.depth - 1].rest.n == 0) {
                        r.depth--;
                        continue;
                }
                int rc = step(&r);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

/* ---- writing --------------------------------------------------------------------------- */

static void put_big_endian(char *p, uint64_t v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                p[i] = (char)(v >> (8 * (n - 1 - i)));
}

static size_t head_size(uint16_t id, size_t len)
{
        return 1 + (id > 255 ? 2u : 1u) + (len < 8 ? 0u : len < 256 ? 1u : len < 65536 ? 2u : 3u);
}

static int head(odm_buf *b, enum kind kind, uint16_t id, size_t len)
{
        char h[6];
        size_t id_n = id > 255 ? 2 : 1, n = head_size(id, len), len_n = n - 1 - id_n;

        if (len > 0xffffff)
                return ODM_ELIMIT;
        h[0] = (char)(kind | (id_n == 2 ? 0x20u : 0u) | len_n << 3 | (len_n ? 0u : len));
        put_big_endian(h + 1, id, id_n);
        put_big_endian(h + 1 + id_n, len, len_n);
        return odm_buf_put(b, h, n);
}

/* The octets of a value: its own, or made in `room`. */
static int octets(const odm_lw_value *v, char room[8], odm_str *out)
{
        size_t n = 0;
        uint64_t bits;

        switch (v->type) {
        case ODM_LW_T_STRING:
        case ODM_LW_T_CORELNK:
        case ODM_LW_T_UNKNOWN:
        case ODM_LW_T_OPAQUE: *out = v->data.p ? v->data : ODM_STR(""); return 0;
        case ODM_LW_T_INTEGER:
        case ODM_LW_T_TIME:
                n = v->i == (int8_t)v->i    ? 1
                    : v->i == (int16_t)v->i ? 2
                    : v->i == (int32_t)v->i ? 4
                                            : 8;
                put_big_endian(room, (uint64_t)v->i, n);
                break;
        case ODM_LW_T_FLOAT:
                memcpy(&bits, &v->f, sizeof bits);
                n = 8;
                put_big_endian(room, bits, n);
                break;
        case ODM_LW_T_BOOLEAN:
                room[0] = v->b;
                n = 1;
                break;
        case ODM_LW_T_OBJLNK:
                put_big_endian(room, v->link[0], 2);
                put_big_endian(room + 2, v->link[1], 2);
                n = 4;
                break;
        case ODM_LW_T_NONE: return ODM_EINVAL;
        }
        *out = (odm_str){room, n};
        return 0;
}

static size_t end_of(const odm_lw_list *l, size_t i, odm_lw_path top)
{
        while (i < l->n && odm_lw_path_below(l->v[i].path, top))
                i++;
        return i;
}

static int one(const odm_lw_node *n, enum kind kind, odm_buf *out)
{
        char room[8];
        odm_str s;
        int rc = octets(&n->value, room, &s);

        if (rc == 0)
                rc = head(out, kind, n->path.id[n->path.depth - 1], s.n);
        return rc < 0 ? rc : odm_buf_str(out, s);
}

/* A resource of nodes i .. end: a value, or instances, or the mark that it is empty. */
static int resource(const odm_lw_list *l, size_t i, size_t end, odm_buf *out)
{
        odm_lw_path top = odm_lw_path_to(l->v[i].path, 3);
        size_t size = 0;
        char room[8];
        odm_str s;

        if (l->v[i].path.depth == 3 && l->v[i].value.type != ODM_LW_T_NONE)
                return end == i + 1 ? one(&l->v[i], RESOURCE, out) : ODM_EINVAL;
        if (l->v[i].path.depth == 3)
                i++;
        for (size_t k = i; k < end; k++) {
                int rc = octets(&l->v[k].value, room, &s);
                if (rc < 0)
                        return rc;
                size += head_size(l->v[k].path.id[3], s.n) + s.n;
        }
        int rc = head(out, MULTIPLE, top.id[2], size);
        for (; i < end && rc == 0; i++)
                rc = one(&l->v[i], RES_INSTANCE, out);
        return rc;
}

static int resources(const odm_lw_list *l, size_t i, size_t end, odm_buf *out)
{
        if (i < end && l->v[i].path.depth == 2)
                i++;
        while (i < end) {
                if (l->v[i].path.depth < 3)
                        return ODM_EINVAL;
                size_t next = end_of(l, i, odm_lw_path_to(l->v[i].path, 3));
                int rc = resource(l, i, next, out);
                if (rc < 0)
                        return rc;
                i = next;
        }
        return 0;
}

/* An instance: its length comes first, so its resources are made apart. */
static int instance(const odm_lw_list *l, size_t i, size_t end, odm_buf *out)
{
        odm_buf inside;

        odm_buf_init(&inside, out->mem, out->max);
        int rc = resources(l, i, end, &inside);
        if (rc == 0)
                rc = head(out, INSTANCE, l->v[i].path.id[1], inside.n);
        if (rc == 0)
                rc = odm_buf_put(out, inside.p ? inside.p : "", inside.n);
        odm_buf_done(&inside);
        return rc;
}

int odm_lw_tlv_encode(const odm_lw_frame *f, const odm_lw_list *l, odm_buf *out)
{
        int rc = 0;

        if (f->at.depth == 0)
                return ODM_EUNSUPPORTED;
        if (f->at.depth == 4)
                return l->n == 1 ? one(&l->v[0], RES_INSTANCE, out) : ODM_EINVAL;
        if (f->at.depth >= 2)
                return resources(l, 0, l->n, out);
        for (size_t i = 0; i < l->n && rc == 0;) {
                if (l->v[i].path.depth < 2)
                        return ODM_EINVAL;
                size_t next = end_of(l, i, odm_lw_path_to(l->v[i].path, 2));
                rc = instance(l, i, next, out);
                i = next;
        }
        return rc;
}
