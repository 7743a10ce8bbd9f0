/* SPDX-License-Identifier: Apache-2.0 */
/* What travels in Uri-Query: a registration, attributes of an observation; and the arguments of
 * Execute (lwm2m.md 3.1, 3.2). */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "lw.h"

/* ---- attributes --------------------------------------------------------------------------- */

static const struct {
        const char *name;
        unsigned bit;
} attr_names[] = {{"pmin", ODM_LW_PMIN},
                  {"pmax", ODM_LW_PMAX},
                  {"gt", ODM_LW_GT},
                  {"lt", ODM_LW_LT},
                  {"st", ODM_LW_ST}};

static double *real_of(odm_lw_attrs *at, unsigned bit)
{
        return bit == ODM_LW_GT ? &at->gt : bit == ODM_LW_LT ? &at->lt : &at->st;
}

int odm_lw_attrs_format(const odm_lw_attrs *at, odm_arena *a, odm_str out[ODM_LW_QUERIES],
                        size_t *n)
{
        odm_lw_attrs copy = *at;
        odm_str v[ODM_LW_QUERIES];
        size_t k = 0;

        for (size_t i = 0; i < ODM_COUNT(attr_names); i++) {
                unsigned bit = attr_names[i].bit;
                char z[ODM_LW_FLOAT_TEXT];
                if (!(at->has & bit))
                        continue;
                if (bit == ODM_LW_PMIN || bit == ODM_LW_PMAX) {
                        v[k] = odm_arena_fmt(a, "%s=%" PRId64, attr_names[i].name,
                                             bit == ODM_LW_PMIN ? at->pmin : at->pmax);
                } else {
                        double d = *real_of(&copy, bit);
                        if (!isfinite(d))
                                return ODM_EINVAL;
                        odm_lw_float_format(d, z);
                        v[k] = odm_arena_fmt(a, "%s=%s", attr_names[i].name, z);
                }
                if (v[k++].p == NULL)
                        return odm_arena_err(a);
        }
        memcpy(out, v, k * sizeof *v);
        *n = k;
        return 0;
}

static void split(odm_str query, odm_str *name, odm_str *value)
{
        size_t n = 0;

        while (n < query.n && query.p[n] != '=')
                n++;
        *name = odm_str_to(query, n);
        *value = n < query.n ? odm_str_from(query, n + 1) : ODM_ABSENT;
}

int odm_lw_attrs_parse(odm_str query, odm_lw_attrs *at, unsigned *cleared)
{
        odm_str name, value;
        uint64_t u;
        double d;

        split(query, &name, &value);
        for (size_t i = 0; i < ODM_COUNT(attr_names); i++) {
                unsigned bit = attr_names[i].bit;
                if (!odm_str_is(name, attr_names[i].name))
                        continue;
                if (value.p == NULL) {
                        at->has &= ~bit;
                        *cleared |= bit;
                        return 0;
                }
                if (bit == ODM_LW_PMIN || bit == ODM_LW_PMAX) {
                        if (odm_str_u64(value, INT64_MAX / 2000, &u) < 0)
                                return ODM_EMALFORMED;
                        *(bit == ODM_LW_PMIN ? &at->pmin : &at->pmax) = (int64_t)u;
                } else {
                        if (odm_lw_float_parse(value, &d) < 0)
                                return ODM_EMALFORMED;
                        *real_of(at, bit) = d;
                }
                at->has |= bit;
                return 0;
        }
        return ODM_ENOENT;
}

/* ---- registration ------------------------------------------------------------------------- */

/* Major 1, and no minor newer than 1 (4.12 else). */
static int version_ok(odm_str v)
{
        if (odm_str_is(v, "1.0") || odm_str_is(v, "1.1"))
                return 0;
        return v.n == 0 ? ODM_EMALFORMED : ODM_EUNSUPPORTED;
}

static bool binding_ok(odm_str b)
{
        for (size_t i = 0; i < b.n; i++)
                if (!odm_str_has(ODM_STR("UTSNHMQ"), b.p[i]))
                        return false;
        return b.n > 0 && b.n <= 8;
}

static bool text_ok(odm_str s, size_t most)
{
        if (s.n == 0 || s.n > most || !odm_utf8_ok(s))
                return false;
        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
                        return false;
        return true;
}

static int use_query(odm_str query, odm_lw_register *r)
{
        odm_str name, value;
        uint64_t u;

        split(query, &name, &value);
        if (odm_str_is(name, "ep")) {
                r->ep = value;
                return text_ok(value, ODM_LW_EP_MAX) ? 0 : ODM_EMALFORMED;
        }
        if (odm_str_is(name, "lt")) {
                if (value.p == NULL || odm_str_u64(value, UINT32_MAX, &u) < 0 || u == 0)
                        return ODM_EMALFORMED;
                r->lt = (int64_t)u;
        } else if (odm_str_is(name, "lwm2m")) {
                r->version = value.p ? value : ODM_STR("");
        } else if (odm_str_is(name, "b")) {
                r->binding = value;
                return binding_ok(value) ? 0 : ODM_EMALFORMED;
        } else if (odm_str_is(name, "sms")) {
                r->sms = value;
                return text_ok(value, 32) ? 0 : ODM_EMALFORMED;
        } else if (odm_str_is(name, "Q")) {
                r->queue = true;
        }
        return 0; /* others are not for us */
}

int odm_lw_register_parse(const odm_str *query, size_t n, bool update, odm_lw_register *out)
{
        odm_lw_register r = {.lt = -1};

        for (size_t i = 0; i < n; i++) {
                int rc = use_query(query[i], &r);
                if (rc < 0)
                        return rc;
        }
        r.queue = r.queue || odm_str_has(r.binding, 'Q');
        if (!update) {
                int rc = version_ok(r.version);
                if (rc < 0)
                        return rc;
                if (r.ep.p == NULL)
                        return ODM_EMALFORMED;
                if (r.lt < 0)
                        r.lt = ODM_LW_LIFETIME;
        }
        *out = r;
        return 0;
}

int odm_lw_register_format(const odm_lw_register *r, bool update, odm_arena *a,
                           odm_str out[ODM_LW_QUERIES], size_t *n)
{
        odm_str v[ODM_LW_QUERIES];
        size_t k = 0;
        bool q = r->queue && !odm_str_has(r->binding, 'Q');

        if (!update) {
                if (r->ep.p == NULL || r->version.p == NULL)
                        return ODM_EINVAL;
                v[k++] = odm_arena_join(a, ODM_STR("ep="), r->ep);
        }
        if (r->lt >= 0)
                v[k++] = odm_arena_fmt(a, "lt=%" PRId64, r->lt);
        if (!update)
                v[k++] = odm_arena_join(a, ODM_STR("lwm2m="), r->version);
        if (r->binding.p)
                v[k++] = odm_arena_join(a, ODM_STR("b="), r->binding);
        if (q && !update)
                v[k++] = ODM_STR("Q");
        if (r->sms.p)
                v[k++] = odm_arena_join(a, ODM_STR("sms="), r->sms);
        for (size_t i = 0; i < k; i++)
                if (v[i].p == NULL)
                        return odm_arena_err(a);
        memcpy(out, v, k * sizeof *v);
        *n = k;
        return 0;
}

/* ---- arguments of Execute ------------------------------------------------------------------- */

static bool arg_char(char c)
{
        return c > 0x20 && c < 0x7f && c != '\'' && c != '"' && c != '\\';
}

int odm_lw_args_parse(odm_str in, odm_lw_arg out[ODM_LW_ARGS], size_t *n)
{
        odm_lw_arg v[ODM_LW_ARGS];
        unsigned seen = 0;
        size_t k = 0, i = 0;

        while (i < in.n) {
                if (k > 0 && in.p[i++] != ',')
                        return ODM_EMALFORMED;
                if (i >= in.n || in.p[i] < '0' || in.p[i] > '9')
                        return ODM_EMALFORMED;
                unsigned id = (unsigned)(in.p[i++] - '0');
                if (seen & 1u << id)
                        return ODM_EMALFORMED;
                seen |= 1u << id;
                v[k] = (odm_lw_arg){.id = (uint8_t)id};
                if (i < in.n && in.p[i] == '=') {
                        if (++i >= in.n || in.p[i] != '\'')
                                return ODM_EMALFORMED;
                        size_t from = ++i;
                        while (i < in.n && arg_char(in.p[i]))
                                i++;
                        if (i >= in.n || in.p[i] != '\'')
                                return ODM_EMALFORMED;
                        v[k].value = (odm_str){in.p + from, i++ - from};
                }
                k++;
        }
        memcpy(out, v, k * sizeof *v);
        *n = k;
        return 0;
}

int odm_lw_args_format(const odm_lw_arg *v, size_t n, odm_buf *out)
{
        size_t before = out->n;
        int rc = 0;

        for (size_t i = 0; i < n && rc == 0; i++) {
                for (size_t k = 0; k < v[i].value.n; k++)
                        if (!arg_char(v[i].value.p[k]))
                                rc = ODM_EINVAL;
                if (v[i].id > 9)
                        rc = ODM_EINVAL;
                if (rc == 0)
                        rc = odm_buf_fmt(out, "%s%u", i ? "," : "", v[i].id);
                if (rc == 0 && v[i].value.p)
                        rc = odm_buf_fmt(out, "='%.*s'", (int)v[i].value.n, v[i].value.p);
        }
        if (rc < 0)
                odm_buf_cut(out, before);
        return rc;
}
