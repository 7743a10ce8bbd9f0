/* SPDX-License-Identifier: Apache-2.0 */
/* Values and their text form (lwm2m.md 3.3): what travels as text/plain, and what people read. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lw.h"

int odm_lw_int_parse(odm_str s, int64_t *out)
{
        bool minus = odm_str_starts(s, "-");
        uint64_t v;

        if (minus)
                s = odm_str_from(s, 1);
        int rc = odm_str_u64(s, (uint64_t)INT64_MAX + minus, &v);
        if (rc < 0)
                return rc;
        *out = minus ? (int64_t)(0 - v) : (int64_t)v;
        return 0;
}

static size_t digits(odm_str s, size_t i)
{
        size_t n = 0;

        while (i + n < s.n && s.p[i + n] >= '0' && s.p[i + n] <= '9')
                n++;
        return n;
}

/* Whether s is a number: minus, digits, fraction, exponent. */
static bool is_number(odm_str s)
{
        size_t i = odm_str_starts(s, "-"), n = digits(s, i);

        if (n == 0)
                return false;
        i += n;
        if (i < s.n && s.p[i] == '.') {
                n = digits(s, i + 1);
                if (n == 0)
                        return false;
                i += 1 + n;
        }
        if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
                i++;
                if (i < s.n && (s.p[i] == '+' || s.p[i] == '-'))
                        i++;
                n = digits(s, i);
                if (n == 0)
                        return false;
                i += n;
        }
        return i == s.n;
}

int odm_lw_float_parse(odm_str s, double *out)
{
        char z[64]; /* more digits than a double can tell */

        if (!is_number(s))
                return ODM_EMALFORMED;
        if (s.n >= sizeof z)
                return ODM_ELIMIT;
        memcpy(z, s.p, s.n);
        z[s.n] = '\0';
        double v = strtod(z, NULL);
        if (!isfinite(v))
                return ODM_ELIMIT;
        *out = v;
        return 0;
}

void odm_lw_float_format(double v, char out[ODM_LW_FLOAT_TEXT])
{
        assert(isfinite(v));
        for (int digit = 6; digit <= 17; digit++) {
                (void)snprintf(out, ODM_LW_FLOAT_TEXT, "%.*g", digit, v);
                double back = strtod(out, NULL);
                if (memcmp(&back, &v, sizeof v) == 0)
                        break;
        }
}

int odm_lw_objlnk_parse(odm_str s, uint16_t out[2])
{
        uint64_t o = 0, i = 0;
        size_t n = 0;

        while (n < s.n && s.p[n] != ':')
                n++;
        if (n == s.n)
                return ODM_EMALFORMED;
        int rc = odm_str_u64(odm_str_to(s, n), 65535, &o);
        if (rc == 0)
                rc = odm_str_u64(odm_str_from(s, n + 1), 65535, &i);
        if (rc < 0)
                return rc;
        out[0] = (uint16_t)o;
        out[1] = (uint16_t)i;
        return 0;
}

static int as_integer(odm_lw_value *v)
{
        if (v->type == ODM_LW_T_FLOAT) {
                if (v->f < -9007199254740992.0 || v->f > 9007199254740992.0 ||
                    (double)(int64_t)v->f != v->f)
                        return ODM_EMALFORMED;
                v->i = (int64_t)v->f;
        } else if (v->type == ODM_LW_T_BOOLEAN) {
                v->i = v->b;
        } else if (v->type != ODM_LW_T_INTEGER && v->type != ODM_LW_T_TIME) {
                return ODM_EMALFORMED;
        }
        return 0;
}

static int as_boolean(odm_lw_value *v)
{
        if (v->type == ODM_LW_T_BOOLEAN)
                return 0;
        int rc = as_integer(v);
        if (rc == 0 && v->i != 0 && v->i != 1)
                rc = ODM_EMALFORMED;
        v->b = v->i == 1;
        return rc;
}

static int as_float(odm_lw_value *v)
{
        if (v->type == ODM_LW_T_INTEGER)
                v->f = (double)v->i;
        else if (v->type != ODM_LW_T_FLOAT)
                return ODM_EMALFORMED;
        return 0;
}

static bool is_text(odm_lw_type t)
{
        return t == ODM_LW_T_STRING || t == ODM_LW_T_CORELNK || t == ODM_LW_T_OPAQUE;
}

int odm_lw_value_as(odm_lw_type want, odm_lw_value *v)
{
        int rc = 0;

        if (want == v->type || want == ODM_LW_T_UNKNOWN || v->type == ODM_LW_T_NONE)
                return 0;
        switch (want) {
        case ODM_LW_T_STRING:
        case ODM_LW_T_CORELNK:
        case ODM_LW_T_OPAQUE: rc = is_text(v->type) ? 0 : ODM_EMALFORMED; break;
        case ODM_LW_T_INTEGER:
        case ODM_LW_T_TIME: rc = as_integer(v); break;
        case ODM_LW_T_FLOAT: rc = as_float(v); break;
        case ODM_LW_T_BOOLEAN: rc = as_boolean(v); break;
        case ODM_LW_T_OBJLNK:
                rc = v->type == ODM_LW_T_STRING ? odm_lw_objlnk_parse(v->data, v->link)
                                                : ODM_EMALFORMED;
                break;
        case ODM_LW_T_NONE:
        case ODM_LW_T_UNKNOWN: rc = ODM_EMALFORMED; break;
        }
        if (rc == 0)
                v->type = want;
        return rc;
}

odm_str odm_lw_value_text(const odm_lw_value *v, odm_arena *a)
{
        char z[ODM_LW_FLOAT_TEXT];

        switch (v->type) {
        case ODM_LW_T_STRING:
        case ODM_LW_T_CORELNK:
        case ODM_LW_T_UNKNOWN: return odm_arena_copy(a, v->data.p ? v->data : ODM_STR(""));
        case ODM_LW_T_INTEGER:
        case ODM_LW_T_TIME: return odm_arena_fmt(a, "%" PRId64, v->i);
        case ODM_LW_T_FLOAT: odm_lw_float_format(v->f, z); return odm_arena_fmt(a, "%s", z);
        case ODM_LW_T_BOOLEAN: return odm_arena_copy(a, v->b ? ODM_STR("1") : ODM_STR("0"));
        case ODM_LW_T_OPAQUE: return odm_b64_encode(a, v->data);
        case ODM_LW_T_OBJLNK: return odm_arena_fmt(a, "%u:%u", v->link[0], v->link[1]);
        case ODM_LW_T_NONE: return odm_arena_copy(a, ODM_STR(""));
        }
        ODM_UNREACHABLE();
}

int odm_lw_value_parse(odm_lw_type type, odm_str text, odm_arena *a, odm_lw_value *out)
{
        odm_lw_value v = {.type = type};
        int rc = 0;

        switch (type) {
        case ODM_LW_T_NONE: return ODM_EMALFORMED;
        case ODM_LW_T_STRING:
        case ODM_LW_T_CORELNK:
        case ODM_LW_T_UNKNOWN:
                v.data = text;
                if (!odm_utf8_ok(text))
                        rc = ODM_EMALFORMED;
                if (type == ODM_LW_T_UNKNOWN)
                        v.type = ODM_LW_T_STRING;
                break;
        case ODM_LW_T_INTEGER:
        case ODM_LW_T_TIME: rc = odm_lw_int_parse(text, &v.i); break;
        case ODM_LW_T_FLOAT: rc = odm_lw_float_parse(text, &v.f); break;
        case ODM_LW_T_OPAQUE: rc = odm_b64_decode(a, text, &v.data); break;
        case ODM_LW_T_OBJLNK: rc = odm_lw_objlnk_parse(text, v.link); break;
        case ODM_LW_T_BOOLEAN:
                v.b = odm_str_is(text, "1") || odm_str_ieq(text, "true");
                if (!v.b && !odm_str_is(text, "0") && !odm_str_ieq(text, "false"))
                        rc = ODM_EMALFORMED;
                break;
        }
        if (rc == 0)
                *out = v;
        return rc;
}
