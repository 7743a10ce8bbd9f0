/* SPDX-License-Identifier: Apache-2.0 */
/* Values and their formats (dm-tree.md 3; dm-protocol.md 7.1 step 5).  A server that says chr, or
 * nothing, of a number is taken at its value: many say chr of everything. */
#include <string.h>

#include "desc.h"
#include "value.h"

static size_t digits(odm_str s)
{
        size_t n = 0;

        while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
                n++;
        return n;
}

static odm_str skip_sign(odm_str s)
{
        return s.n && (s.p[0] == '-' || s.p[0] == '+') ? odm_str_from(s, 1) : s;
}

static bool int_ok(odm_str s)
{
        uint64_t v, max = s.n && s.p[0] == '-' ? UINT64_C(2147483648) : UINT64_C(2147483647);

        return odm_str_u64(skip_sign(s), max, &v) == 0;
}

static bool float_ok(odm_str s)
{
        s = skip_sign(s);
        size_t whole = digits(s), part = 0;
        s = odm_str_from(s, whole);
        if (s.n && s.p[0] == '.') {
                part = digits(odm_str_from(s, 1));
                s = odm_str_from(s, 1 + part);
        }
        if (whole + part == 0)
                return false;
        if (s.n == 0)
                return true;
        if (s.p[0] != 'e' && s.p[0] != 'E')
                return false;
        s = skip_sign(odm_str_from(s, 1));
        return s.n && digits(s) == s.n;
}

/* `shape` has a 9 for each digit; anything else stands for itself. */
static bool shaped(odm_str s, const char *shape)
{
        if (s.n != strlen(shape))
                return false;
        for (size_t i = 0; i < s.n; i++)
                if (shape[i] == '9' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != shape[i])
                        return false;
        return true;
}

static bool date_ok(odm_str s)
{
        return shaped(s, "9999-99-99") || shaped(s, "99999999");
}

/* Of the day, or a moment of a day, as TStamp has it (gwmo.md 5). */
static bool time_ok(odm_str s)
{
        if (shaped(s, "99999999T999999Z"))
                return true;
        return shaped(s, "99:99:99") || shaped(s, "99:99:99Z") || shaped(s, "999999") ||
               shaped(s, "999999Z") || shaped(s, "99:99");
}

static bool b64_ok(odm_str s)
{
        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || (c && strchr("+/= \t\r\n", c));
                if (!ok)
                        return false;
        }
        return true;
}

bool odm_value_fits(odm_format f, odm_str data)
{
        switch (f) {
        case ODM_FMT_ABSENT:
        case ODM_FMT_CHR:
        case ODM_FMT_XML: return odm_utf8_ok(data);
        case ODM_FMT_BIN: return true;
        case ODM_FMT_B64: return b64_ok(data);
        case ODM_FMT_BOOL: return odm_str_is(data, "true") || odm_str_is(data, "false");
        case ODM_FMT_INT: return int_ok(data);
        case ODM_FMT_FLOAT: return float_ok(data);
        case ODM_FMT_DATE: return date_ok(data);
        case ODM_FMT_TIME: return time_ok(data);
        case ODM_FMT_NULL: return data.n == 0;
        case ODM_FMT_NODE:
        case ODM_FMT_OTHER: return false;
        }
        ODM_UNREACHABLE();
}

static char lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool odm_text_same(odm_str a, odm_str b)
{
        if (a.n != b.n)
                return false;
        for (size_t i = 0; i < a.n; i++)
                if (lower(a.p[i]) != lower(b.p[i]))
                        return false;
        return true;
}

bool odm_mime_ok(odm_str type)
{
        size_t slash = type.n;

        if (!odm_utf8_ok(type))
                return false;
        for (size_t i = 0; i < type.n; i++) {
                if ((unsigned char)type.p[i] < ' ')
                        return false;
                if (type.p[i] == '/' && slash == type.n)
                        slash = i;
        }
        return slash > 0 && slash + 1 < type.n;
}

bool odm_mime_is_text(odm_str type)
{
        return type.n == 0 || odm_text_same(odm_str_to(type, 5), ODM_STR("text/"));
}

/* The format the node will have, or ODM_FMT_OTHER when the sent one cannot be. */
static odm_format format_of(const value_place *at, const odm_op *op, odm_str type)
{
        odm_format sent = op->value.format;
        odm_format own = at->desc ? at->desc->format : at->format;

        if (at->desc || at->permanent) {
                if (sent == own || sent == ODM_FMT_ABSENT || sent == ODM_FMT_CHR)
                        return own;
                return sent == ODM_FMT_B64 && own == ODM_FMT_BIN ? own : ODM_FMT_OTHER;
        }
        if (sent == ODM_FMT_ABSENT)
                return own == ODM_FMT_ABSENT ? ODM_FMT_CHR : own;
        if (sent == ODM_FMT_B64 && own != ODM_FMT_B64 &&
            (own == ODM_FMT_BIN || !odm_mime_is_text(type)))
                return ODM_FMT_BIN;
        return sent;
}

static odm_str type_of(const value_place *at, const odm_op *op)
{
        odm_str sent = odm_str_trim(op->value.type);

        if (sent.n)
                return sent;
        if (at->type.n)
                return at->type;
        return at->desc && at->desc->type.n ? at->desc->type : ODM_STR("text/plain");
}

static bool type_taken(const value_place *at, odm_str type)
{
        if (!odm_mime_ok(type))
                return false;
        if (at->desc)
                return odm_desc_takes_type(at->desc, type);
        return !at->permanent || at->type.n == 0 || odm_str_eq(at->type, type);
}

/* Servers in the field write True and 1 as well (mo-connmo.md 4); one form is kept and sent. */
static odm_str plain_bool(odm_str s)
{
        if (odm_str_is(s, "True") || odm_str_is(s, "1"))
                return ODM_STR("true");
        return odm_str_is(s, "False") || odm_str_is(s, "0") ? ODM_STR("false") : s;
}

int odm_value_take(const value_place *at, const odm_op *op, size_t max, odm_arena *a,
                   odm_value *out, unsigned *status)
{
        odm_str type = type_of(at, op);
        odm_value v = {.format = format_of(at, op, type), .type = type};
        bool base64 = op->b64 || op->value.format == ODM_FMT_B64;

        v.data = op->value.data.p ? op->value.data : ODM_STR("");
        *status = ODM_ST_OK;
        if (v.format == ODM_FMT_OTHER || v.format == ODM_FMT_NODE || !type_taken(at, type)) {
                /* a permanent node keeps its kind: that is its, not the value's (7.3) */
                *status = at->permanent && at->format ? ODM_ST_NOT_ALLOWED : ODM_ST_BAD_FORMAT;
                return 0;
        }
        if (base64 && v.format == ODM_FMT_BIN) {
                int rc = odm_b64_decode(a, v.data, &v.data);
                if (rc < 0 && rc != ODM_EMALFORMED)
                        return rc;
                if (rc < 0)
                        *status = ODM_ST_BAD_FORMAT;
        }
        if (v.format == ODM_FMT_BOOL)
                v.data = plain_bool(v.data);
        if (*status == ODM_ST_OK && !odm_value_fits(v.format, v.data))
                *status = ODM_ST_BAD_FORMAT;
        else if (*status == ODM_ST_OK && v.data.n > max)
                *status = ODM_ST_TOO_LARGE;
        if (*status == ODM_ST_OK)
                *out = v;
        return 0;
}
