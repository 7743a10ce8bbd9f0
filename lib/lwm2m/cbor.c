/* SPDX-License-Identifier: Apache-2.0 */
/* SenML CBOR (RFC 8428 6) and a single value in CBOR (RFC 8949): a list of flat maps, which is
 * little enough that a library would be more code than this. */
#include <math.h>
#include <string.h>

#include "lw.h"

enum major { M_UINT, M_NEGATIVE, M_BYTES, M_TEXT, M_ARRAY, M_MAP, M_TAG, M_SIMPLE };

#define INDEFINITE UINT64_MAX
#define SKIP_DEPTH 16

struct item {
        enum major major;
        uint8_t info; /* the low five bits */
        uint64_t arg; /* value, length or number of members; INDEFINITE */
        odm_str data; /* BYTES, TEXT */
};

/* Takes the head of an item, and its octets where it is a string.  Strings in pieces are refused.
 */
static int take(odm_str *in, struct item *it)
{
        if (in->n == 0)
                return ODM_EMALFORMED;
        uint8_t first = (uint8_t)in->p[0];
        size_t more = 0;
        *it = (struct item){.major = (enum major)(first >> 5), .info = first & 31};
        if (it->info < 24)
                it->arg = it->info;
        else if (it->info < 28)
                more = (size_t)1 << (it->info - 24);
        else if (it->info != 31 || it->major < M_BYTES || it->major == M_TAG)
                return ODM_EMALFORMED;
        else
                it->arg = INDEFINITE;
        if (more >= in->n)
                return ODM_EMALFORMED;
        for (size_t i = 0; i < more; i++)
                it->arg = it->arg << 8 | (uint8_t)in->p[1 + i];
        *in = odm_str_from(*in, 1 + more);
        if (it->major != M_BYTES && it->major != M_TEXT)
                return 0;
        if (it->arg > in->n)
                return ODM_EMALFORMED;
        it->data = odm_str_to(*in, (size_t)it->arg);
        *in = odm_str_from(*in, (size_t)it->arg);
        return it->major == M_TEXT && !odm_utf8_ok(it->data) ? ODM_EMALFORMED : 0;
}

static bool is_break(const struct item *it)
{
        return it->major == M_SIMPLE && it->info == 31;
}

static double half(uint16_t bits)
{
        int exponent = bits >> 10 & 31;
        double v = bits & 0x3ff;

        if (exponent == 31)
                return (double)NAN;
        if (exponent > 0)
                v += 1024;
        for (int e = exponent > 0 ? exponent : 1; e > 25; e--)
                v *= 2;
        for (int e = exponent > 0 ? exponent : 1; e < 25; e++)
                v /= 2;
        return bits & 0x8000 ? -v : v;
}

static int real(const struct item *it, double *out)
{
        double d = (double)NAN;
        float f;
        uint32_t bits = (uint32_t)it->arg;

        if (it->info == 25) {
                d = half((uint16_t)it->arg);
        } else if (it->info == 26) {
                memcpy(&f, &bits, sizeof f);
                d = (double)f;
        } else if (it->info == 27) {
                memcpy(&d, &it->arg, sizeof d);
        }
        if (!isfinite(d))
                return ODM_EMALFORMED;
        *out = d;
        return 0;
}

/* An item without members as a value. */
static int value_of(const struct item *it, odm_lw_value *v)
{
        switch (it->major) {
        case M_UINT:
        case M_NEGATIVE:
                if (it->arg > INT64_MAX)
                        return ODM_ELIMIT;
                v->type = ODM_LW_T_INTEGER;
                v->i = it->major == M_UINT ? (int64_t)it->arg : -1 - (int64_t)it->arg;
                return 0;
        case M_BYTES:
        case M_TEXT:
                v->type = it->major == M_TEXT ? ODM_LW_T_STRING : ODM_LW_T_OPAQUE;
                v->data = it->data;
                return 0;
        case M_SIMPLE:
                if (it->info == 20 || it->info == 21) {
                        v->type = ODM_LW_T_BOOLEAN;
                        v->b = it->info == 21;
                        return 0;
                }
                v->type = ODM_LW_T_FLOAT;
                return real(it, &v->f);
        case M_ARRAY:
        case M_MAP:
        case M_TAG: break;
        }
        return ODM_EMALFORMED;
}

/* The item behind its tags. */
static int take_untagged(odm_str *in, struct item *it)
{
        int rc;

        do
                rc = take(in, it);
        while (rc == 0 && it->major == M_TAG);
        return rc;
}

/* Leaves out what belongs to an item whose head was read. */
static int skip(odm_str *in, struct item it)
{
        uint64_t left[SKIP_DEPTH];
        size_t depth = 0;

        for (;;) {
                if (it.major == M_ARRAY || it.major == M_MAP || it.major == M_TAG) {
                        if (depth == SKIP_DEPTH)
                                return ODM_ELIMIT;
                        if (it.arg != INDEFINITE && it.arg > in->n && it.major != M_TAG)
                                return ODM_EMALFORMED;
                        left[depth++] = it.major == M_TAG      ? 1
                                        : it.arg == INDEFINITE ? INDEFINITE
                                        : it.major == M_MAP    ? it.arg * 2
                                                               : it.arg;
                } else if (is_break(&it)) {
                        if (depth == 0 || left[depth - 1] != INDEFINITE)
                                return ODM_EMALFORMED;
                        depth--;
                }
                while (depth > 0 && left[depth - 1] == 0)
                        depth--;
                if (depth == 0)
                        return 0;
                if (left[depth - 1] != INDEFINITE)
                        left[depth - 1]--;
                int rc = take(in, &it);
                if (rc < 0)
                        return rc;
        }
}

/* ---- records --------------------------------------------------------------------------- */

enum label { L_OTHER, L_BN, L_BT, L_N, L_T, L_V, L_VS, L_VB, L_VD, L_VLO, L_REFUSED };

static enum label label_of(const struct item *it)
{
        if (it->major == M_TEXT) {
                if (odm_str_is(it->data, "vlo"))
                        return L_VLO;
                return it->data.n && it->data.p[it->data.n - 1] == '_' ? L_REFUSED : L_OTHER;
        }
        if (it->major == M_NEGATIVE)
                switch (it->arg) {
                case 1: return L_BN; /* -2 */
                case 2: return L_BT;
                case 4:
                case 5: return L_REFUSED; /* base value and base sum */
                default: return L_OTHER;
                }
        if (it->major != M_UINT)
                return L_REFUSED;
        switch (it->arg) {
        case 0: return L_N;
        case 2: return L_V;
        case 3: return L_VS;
        case 4: return L_VB;
        case 5: return L_REFUSED; /* sum */
        case 6: return L_T;
        case 8: return L_VD;
        default: return L_OTHER;
        }
}

struct reader {
        const odm_lw_frame *f;
        odm_str in;
        struct maker *m;
        odm_str bn;
        double bt;
};

struct record {
        odm_str name;
        double t;
        odm_lw_value value;
        bool any;
};

static int number_of(const struct item *it, double *out)
{
        odm_lw_value v = {0};
        int rc = value_of(it, &v);

        if (rc == 0)
                rc = odm_lw_value_as(ODM_LW_T_FLOAT, &v);
        if (rc == 0)
                *out = v.f;
        return rc;
}

static int member(struct reader *r, struct record *rec, enum label label)
{
        static const odm_lw_type wanted[] = {[L_VS] = ODM_LW_T_STRING,
                                             [L_VB] = ODM_LW_T_BOOLEAN,
                                             [L_VD] = ODM_LW_T_OPAQUE,
                                             [L_VLO] = ODM_LW_T_STRING};
        struct item it;
        int rc = label == L_REFUSED ? ODM_EMALFORMED : take_untagged(&r->in, &it);

        if (rc < 0)
                return rc;
        switch (label) {
        case L_BN:
        case L_N:
                if (it.major != M_TEXT)
                        return ODM_EMALFORMED;
                *(label == L_BN ? &r->bn : &rec->name) = it.data;
                break;
        case L_BT: rc = number_of(&it, &r->bt); break;
        case L_T: rc = number_of(&it, &rec->t); break;
        case L_V:
                rc = value_of(&it, &rec->value);
                if (rc == 0 && rec->value.type != ODM_LW_T_INTEGER &&
                    rec->value.type != ODM_LW_T_FLOAT)
                        rc = ODM_EMALFORMED;
                break;
        case L_VS:
        case L_VB:
        case L_VD:
        case L_VLO:
                rc = value_of(&it, &rec->value);
                if (rc == 0 && rec->value.type != wanted[label])
                        rc = ODM_EMALFORMED;
                if (rc == 0 && label == L_VLO)
                        rc = odm_lw_value_as(ODM_LW_T_OBJLNK, &rec->value);
                break;
        case L_OTHER: return skip(&r->in, it);
        case L_REFUSED: break;
        }
        rec->any = rec->any || (label != L_BT && label != L_OTHER);
        return rc;
}

static int emit(struct reader *r, const struct record *rec)
{
        odm_lw_node node = {.value = rec->value};
        double t = r->bt + rec->t;
        int rc = odm_lw_name(r->f, r->bn, rec->name, false, &node.path);

        if (rc < 0)
                return rc;
        (void)odm_lw_value_as(odm_lw_type_at(r->f->reg, node.path), &node.value);
        if (node.value.type != ODM_LW_T_NONE && node.path.depth < 3)
                return ODM_EMALFORMED;
        node.t = t > -1e15 && t < 1e15 ? (int64_t)t : 0;
        return odm_lw_push(r->m, &node);
}

/* Whether another member of something with `it` members follows; takes the break that ends it. */
static bool more(odm_str *in, const struct item *it, uint64_t done)
{
        if (it->arg != INDEFINITE)
                return done < it->arg;
        if (in->n == 0 || (uint8_t)in->p[0] != 0xff)
                return true; /* at the end: what reads next says so */
        *in = odm_str_from(*in, 1);
        return false;
}

static int record(struct reader *r)
{
        struct record rec = {.name = ODM_STR("")};
        struct item map, key;
        int rc = take(&r->in, &map);

        if (rc == 0 && map.major != M_MAP)
                rc = ODM_EMALFORMED;
        for (uint64_t i = 0; rc == 0 && more(&r->in, &map, i); i++) {
                rc = take(&r->in, &key);
                if (rc == 0)
                        rc = member(r, &rec, label_of(&key));
        }
        return rc < 0 || !rec.any ? rc : emit(r, &rec);
}

int odm_lw_cbor_decode(const odm_lw_frame *f, odm_str in, struct maker *out)
{
        struct reader r = {.f = f, .in = in, .m = out, .bn = ODM_STR("")};
        struct item list;
        int rc = take_untagged(&r.in, &list);

        if (rc == 0 && list.major != M_ARRAY)
                rc = ODM_EMALFORMED;
        for (uint64_t i = 0; rc == 0 && more(&r.in, &list, i); i++)
                rc = record(&r);
        return rc == 0 && r.in.n > 0 ? ODM_EMALFORMED : rc;
}

int odm_lw_cbor_one_decode(odm_lw_type want, odm_str in, odm_lw_value *out)
{
        odm_lw_value v = {0};
        struct item it;
        int rc = take_untagged(&in, &it);

        if (rc == 0)
                rc = value_of(&it, &v);
        if (rc == 0 && in.n > 0)
                rc = ODM_EMALFORMED;
        if (rc == 0)
                rc = odm_lw_value_as(want, &v);
        if (rc == 0)
                *out = v;
        return rc;
}

/* ---- writing --------------------------------------------------------------------------- */

static int put_head(odm_buf *b, enum major major, uint64_t arg)
{
        size_t n = arg < 24 ? 0 : arg <= 0xff ? 1 : arg <= 0xffff ? 2 : arg <= 0xffffffff ? 4 : 8;
        unsigned info = n == 0 ? (unsigned)arg : n == 1 ? 24 : n == 2 ? 25 : n == 4 ? 26 : 27;
        char h[9];

        h[0] = (char)((unsigned)major << 5 | info);
        for (size_t i = 0; i < n; i++)
                h[1 + i] = (char)(arg >> (8 * (n - 1 - i)));
        return odm_buf_put(b, h, 1 + n);
}

static int put_int(odm_buf *b, int64_t v)
{
        return v >= 0 ? put_head(b, M_UINT, (uint64_t)v)
                      : put_head(b, M_NEGATIVE, (uint64_t)(-1 - v));
}

static int put_str(odm_buf *b, enum major major, odm_str s)
{
        int rc = put_head(b, major, s.n);

        return rc < 0 ? rc : odm_buf_put(b, s.p ? s.p : "", s.n);
}

static int put_float(odm_buf *b, double v)
{
        float f = (float)v;
        double back = (double)f;
        uint64_t bits;
        uint32_t small;
        char h[9];

        if (memcmp(&back, &v, sizeof v) == 0) {
                memcpy(&small, &f, sizeof small);
                h[0] = (char)0xfa;
                for (size_t i = 0; i < 4; i++)
                        h[1 + i] = (char)(small >> (24 - 8 * i));
                return odm_buf_put(b, h, 5);
        }
        memcpy(&bits, &v, sizeof bits);
        h[0] = (char)0xfb;
        for (size_t i = 0; i < 8; i++)
                h[1 + i] = (char)(bits >> (56 - 8 * i));
        return odm_buf_put(b, h, 9);
}

int odm_lw_cbor_one_encode(const odm_lw_value *v, odm_buf *out)
{
        char z[16];
        size_t n = 0;

        switch (v->type) {
        case ODM_LW_T_STRING:
        case ODM_LW_T_CORELNK: return put_str(out, M_TEXT, v->data);
        case ODM_LW_T_UNKNOWN:
        case ODM_LW_T_OPAQUE: return put_str(out, M_BYTES, v->data);
        case ODM_LW_T_INTEGER:
        case ODM_LW_T_TIME: return put_int(out, v->i);
        case ODM_LW_T_FLOAT: return put_float(out, v->f);
        case ODM_LW_T_BOOLEAN: return odm_buf_byte(out, v->b ? 0xf5 : 0xf4);
        case ODM_LW_T_OBJLNK:
                for (unsigned i = 0, div = 10000; i < 2; i++, div = 10000) {
                        for (; div > 1 && v->link[i] < div; div /= 10) {
                        }
                        for (; div > 0; div /= 10)
                                z[n++] = (char)('0' + v->link[i] / div % 10);
                        if (i == 0)
                                z[n++] = ':';
                }
                return put_str(out, M_TEXT, (odm_str){z, n});
        case ODM_LW_T_NONE: return ODM_EINVAL;
        }
        ODM_UNREACHABLE();
}

static int put_label(odm_buf *b, odm_lw_type t)
{
        switch (t) {
        case ODM_LW_T_STRING:
        case ODM_LW_T_CORELNK: return put_int(b, 3);
        case ODM_LW_T_UNKNOWN:
        case ODM_LW_T_OPAQUE: return put_int(b, 8);
        case ODM_LW_T_BOOLEAN: return put_int(b, 4);
        case ODM_LW_T_OBJLNK: return put_str(b, M_TEXT, ODM_STR("vlo"));
        case ODM_LW_T_INTEGER:
        case ODM_LW_T_TIME:
        case ODM_LW_T_FLOAT: return put_int(b, 2);
        case ODM_LW_T_NONE: break;
        }
        return ODM_EINVAL;
}

static int put_record(const odm_lw_frame *f, const odm_lw_node *n, odm_str base, odm_buf *b)
{
        char z[ODM_LW_PATH_TEXT];
        odm_str rest = odm_lw_rest(f, n->path, z);
        bool value = n->value.type != ODM_LW_T_NONE;
        unsigned members = (base.n > 0) + (rest.n > 0) + (n->t != 0) + value;
        int rc = put_head(b, M_MAP, members);

        if (rc == 0 && base.n > 0) {
                rc = put_int(b, -2);
                if (rc == 0)
                        rc = put_str(b, M_TEXT, base);
        }
        if (rc == 0 && rest.n > 0) {
                rc = put_int(b, 0);
                if (rc == 0)
                        rc = put_str(b, M_TEXT, rest);
        }
        if (rc == 0 && n->t != 0) {
                rc = put_int(b, 6);
                if (rc == 0)
                        rc = put_int(b, n->t);
        }
        if (rc < 0 || !value)
                return rc;
        rc = put_label(b, n->value.type);
        return rc < 0 ? rc : odm_lw_cbor_one_encode(&n->value, b);
}

int odm_lw_cbor_encode(const odm_lw_frame *f, const odm_lw_list *l, odm_buf *out)
{
        char room[ODM_LW_BASE_TEXT];
        odm_str base = odm_lw_base(f, l, room, sizeof room);
        size_t told = 0;
        int rc = base.p ? 0 : ODM_EINVAL;

        for (size_t i = 0; i < l->n; i++)
                told += l->v[i].value.type != ODM_LW_T_NONE || f->at.depth == 0;
        if (rc == 0)
                rc = put_head(out, M_ARRAY, told);
        for (size_t i = 0; i < l->n && rc == 0; i++) {
                if (l->v[i].value.type == ODM_LW_T_NONE && f->at.depth > 0)
                        continue;
                rc = put_record(f, &l->v[i], base, out);
                base = ODM_ABSENT;
        }
        return rc;
}
