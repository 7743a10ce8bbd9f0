/* SPDX-License-Identifier: Apache-2.0 */
/* JSON, the one of LwM2M 1.0 and SenML (RFC 8428), as LwM2M uses them: a list of flat records.
 *
 * Read by a reader of our own because the libraries at hand build trees, and read the system's
 * randomness for their hashes; a list of records needs neither. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lw.h"

/* ---- tokens ---------------------------------------------------------------------------- */

enum token { T_END, T_BAD, T_PUNCT, T_STRING, T_NUMBER, T_TRUE, T_FALSE, T_NULL };

struct lexer {
        odm_str in;
        size_t at;
        odm_arena *a;
        int rc;
        char punct;
        odm_str text; /* of a string, unescaped; of a number as it stands */
};

static int hex4(odm_str s, size_t at, unsigned *out)
{
        unsigned v = 0;

        if (at + 4 > s.n)
                return ODM_EMALFORMED;
        for (size_t i = at; i < at + 4; i++) {
                char c = s.p[i];
                unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                             : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                             : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                    : 16;
                if (d == 16)
                        return ODM_EMALFORMED;
                v = v << 4 | d;
        }
        *out = v;
        return 0;
}

static size_t utf8_put(char *p, unsigned c)
{
        if (c < 0x80) {
                p[0] = (char)c;
                return 1;
        }
        if (c < 0x800) {
                p[0] = (char)(0xc0 | c >> 6);
                p[1] = (char)(0x80 | (c & 0x3f));
                return 2;
        }
        if (c < 0x10000) {
                p[0] = (char)(0xe0 | c >> 12);
                p[1] = (char)(0x80 | (c >> 6 & 0x3f));
                p[2] = (char)(0x80 | (c & 0x3f));
                return 3;
        }
        p[0] = (char)(0xf0 | c >> 18);
        p[1] = (char)(0x80 | (c >> 12 & 0x3f));
        p[2] = (char)(0x80 | (c >> 6 & 0x3f));
        p[3] = (char)(0x80 | (c & 0x3f));
        return 4;
}

/* The character of "\uXXXX" at s[*at], which is the u; a pair of surrogates is one. */
static int unicode(odm_str s, size_t *at, unsigned *out)
{
        unsigned c, low;

        if (hex4(s, *at + 1, &c) < 0)
                return ODM_EMALFORMED;
        *at += 5;
        if (c >= 0xd800 && c < 0xdc00) {
                if (*at + 6 > s.n || s.p[*at] != '\\' || s.p[*at + 1] != 'u' ||
                    hex4(s, *at + 2, &low) < 0 || low < 0xdc00 || low > 0xdfff)
                        return ODM_EMALFORMED;
                *at += 6;
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        } else if (c >= 0xdc00 && c < 0xe000) {
                return ODM_EMALFORMED;
        }
        *out = c;
        return c == 0 ? ODM_EMALFORMED : 0;
}

static int escape(odm_str s, size_t *at, char *p, size_t *n)
{
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *c;
        unsigned u;

        if (*at >= s.n)
                return ODM_EMALFORMED;
        if (s.p[*at] == 'u') {
                if (unicode(s, at, &u) < 0)
                        return ODM_EMALFORMED;
                *n += utf8_put(p + *n, u);
                return 0;
        }
        c = memchr(from, s.p[*at], sizeof from - 1);
        if (c == NULL)
                return ODM_EMALFORMED;
        p[(*n)++] = to[c - from];
        (*at)++;
        return 0;
}

static int unescape(struct lexer *x, odm_str raw)
{
        char *p = odm_arena_get(x->a, raw.n + 1); /* an escape is longer than what it stands for */
        size_t n = 0;

        if (p == NULL)
                return odm_arena_err(x->a);
        for (size_t i = 0; i < raw.n;) {
                if (raw.p[i] != '\\') {
                        p[n++] = raw.p[i++];
                        continue;
                }
                i++;
                if (escape(raw, &i, p, &n) < 0)
                        return ODM_EMALFORMED;
        }
        x->text = (odm_str){p, n};
        return 0;
}

static enum token bad(struct lexer *x, int rc)
{
        if (x->rc == 0)
                x->rc = rc;
        return T_BAD;
}

static enum token string(struct lexer *x)
{
        size_t from = ++x->at;
        bool plain = true;

        for (; x->at < x->in.n && x->in.p[x->at] != '"'; x->at++) {
                if ((unsigned char)x->in.p[x->at] < 0x20)
                        return bad(x, ODM_EMALFORMED);
                if (x->in.p[x->at] == '\\') {
                        plain = false;
                        x->at++;
                }
        }
        if (x->at >= x->in.n)
                return bad(x, ODM_EMALFORMED);
        x->text = (odm_str){x->in.p + from, x->at++ - from};
        if (!odm_utf8_ok(x->text))
                return bad(x, ODM_EMALFORMED);
        int rc = plain ? 0 : unescape(x, x->text);
        return rc < 0 ? bad(x, rc) : T_STRING;
}

static bool word(struct lexer *x, const char *z)
{
        size_t n = strlen(z);

        if (!odm_str_starts(odm_str_from(x->in, x->at), z))
                return false;
        x->at += n;
        return true;
}

static enum token number(struct lexer *x)
{
        size_t from = x->at;
        double v;

        while (x->at < x->in.n && (odm_str_has(ODM_STR("+-.eE"), x->in.p[x->at]) ||
                                   (x->in.p[x->at] >= '0' && x->in.p[x->at] <= '9')))
                x->at++;
        x->text = (odm_str){x->in.p + from, x->at - from};
        int rc = odm_lw_float_parse(x->text, &v);
        return rc < 0 ? bad(x, rc) : T_NUMBER;
}

static enum token next(struct lexer *x)
{
        while (x->at < x->in.n && odm_str_has(ODM_STR(" \t\r\n"), x->in.p[x->at]))
                x->at++;
        if (x->rc < 0)
                return T_BAD;
        if (x->at == x->in.n)
                return T_END;
        char c = x->in.p[x->at];
        if (odm_str_has(ODM_STR("{}[]:,"), c)) {
                x->punct = c;
                x->at++;
                return T_PUNCT;
        }
        if (c == '"')
                return string(x);
        if (word(x, "true"))
                return T_TRUE;
        if (word(x, "false"))
                return T_FALSE;
        if (word(x, "null"))
                return T_NULL;
        return number(x);
}

static int expect(struct lexer *x, char punct)
{
        if (next(x) == T_PUNCT && x->punct == punct)
                return 0;
        return bad(x, ODM_EMALFORMED) == T_BAD ? x->rc : 0;
}

/* Whether the next token is `punct`, which is then taken. */
static bool take(struct lexer *x, char punct)
{
        struct lexer before = *x;

        if (next(x) == T_PUNCT && x->punct == punct)
                return true;
        if (x->rc == 0)
                *x = before;
        return false;
}

/* Leaves out a value that nobody asked for, however deep it is. */
static int skip(struct lexer *x)
{
        size_t depth = 0;

        do {
                enum token t = next(x);
                if (t == T_END || t == T_BAD)
                        return x->rc < 0 ? x->rc : ODM_EMALFORMED;
                if (t == T_PUNCT && (x->punct == '{' || x->punct == '['))
                        depth++;
                else if (t == T_PUNCT && (x->punct == '}' || x->punct == ']')) {
                        if (depth == 0)
                                return ODM_EMALFORMED;
                        depth--;
                } else if (t == T_PUNCT && depth == 0)
                        return ODM_EMALFORMED;
        } while (depth > 0);
        return 0;
}

/* ---- records --------------------------------------------------------------------------- */

struct record {
        odm_str name;
        double t;
        odm_lw_value value;
};

struct reader {
        const odm_lw_frame *f;
        struct lexer x;
        struct maker *m;
        bool senml, has_bn;
        odm_str bn;
        double bt;
};

static int text_of(struct lexer *x, odm_str *out)
{
        if (next(x) != T_STRING)
                return x->rc < 0 ? x->rc : ODM_EMALFORMED;
        *out = x->text;
        return 0;
}

static int number_of(struct lexer *x, double *out)
{
        if (next(x) != T_NUMBER)
                return x->rc < 0 ? x->rc : ODM_EMALFORMED;
        return odm_lw_float_parse(x->text, out);
}

static int value_number(struct lexer *x, odm_lw_value *v)
{
        int rc = number_of(x, &v->f);

        if (rc < 0)
                return rc;
        v->type = odm_lw_int_parse(x->text, &v->i) == 0 ? ODM_LW_T_INTEGER : ODM_LW_T_FLOAT;
        return 0;
}

static int value_text(struct lexer *x, odm_lw_value *v)
{
        v->type = ODM_LW_T_STRING;
        return text_of(x, &v->data);
}

static int value_bool(struct lexer *x, odm_lw_value *v)
{
        enum token t = next(x);

        if (t != T_TRUE && t != T_FALSE)
                return x->rc < 0 ? x->rc : ODM_EMALFORMED;
        v->type = ODM_LW_T_BOOLEAN;
        v->b = t == T_TRUE;
        return 0;
}

static int value_link(struct lexer *x, odm_lw_value *v)
{
        int rc = value_text(x, v);

        return rc < 0 ? rc : odm_lw_value_as(ODM_LW_T_OBJLNK, v);
}

/* base64url without padding (SenML's vd), taken with either alphabet. */
static int base64url(odm_arena *a, odm_str s, odm_str *out)
{
        while (s.n > 0 && s.p[s.n - 1] == '=')
                s.n--;
        size_t n = (s.n + 3) / 4 * 4;
        char *p = odm_arena_get(a, n + 1);
        if (p == NULL)
                return odm_arena_err(a);
        for (size_t i = 0; i < n; i++)
                p[i] = i >= s.n ? '=' : s.p[i] == '-' ? '+' : s.p[i] == '_' ? '/' : s.p[i];
        return odm_b64_decode(a, (odm_str){p, n}, out);
}

static int value_data(struct lexer *x, odm_lw_value *v)
{
        odm_str s;
        int rc = text_of(x, &s);

        v->type = ODM_LW_T_OPAQUE;
        return rc < 0 ? rc : base64url(x->a, s, &v->data);
}

/* A member of a record that both forms have, or one of them: its label was read.  A label that
 * must be understood (RFC 8428 4.4), and base values and sums, which LwM2M has not, end it. */
static int member(struct reader *r, struct record *rec, odm_str label)
{
        struct lexer *x = &r->x;

        if (odm_str_is(label, "n"))
                return text_of(x, &rec->name);
        if (odm_str_is(label, "t"))
                return number_of(x, &rec->t);
        if (odm_str_is(label, "v"))
                return value_number(x, &rec->value);
        if (odm_str_is(label, "bn")) {
                r->has_bn = true;
                return text_of(x, &r->bn);
        }
        if (odm_str_is(label, "bt"))
                return number_of(x, &r->bt);
        if (odm_str_is(label, r->senml ? "vs" : "sv"))
                return value_text(x, &rec->value);
        if (odm_str_is(label, r->senml ? "vb" : "bv"))
                return value_bool(x, &rec->value);
        if (odm_str_is(label, r->senml ? "vlo" : "ov"))
                return value_link(x, &rec->value);
        if (odm_str_is(label, "vd") && r->senml)
                return value_data(x, &rec->value);
        if (r->senml && (odm_str_is(label, "bv") || odm_str_is(label, "bs") ||
                         odm_str_is(label, "s") || (label.n && label.p[label.n - 1] == '_')))
                return ODM_EMALFORMED;
        return skip(x);
}

static int emit(struct reader *r, struct record *rec)
{
        odm_lw_node node = {.value = rec->value};
        char z[ODM_LW_PATH_TEXT];
        odm_str base = r->has_bn        ? r->bn
                       : r->senml       ? ODM_STR("")
                       : r->f->at.depth ? odm_lw_path_format(r->f->at, z)
                                        : ODM_STR("/");

        int rc = odm_lw_name(r->f, base, rec->name, !r->senml, &node.path);
        if (rc < 0)
                return rc;
        odm_lw_type want = odm_lw_type_at(r->f->reg, node.path);
        if (!r->senml && want == ODM_LW_T_OPAQUE && node.value.type == ODM_LW_T_STRING) {
                rc = odm_b64_decode(r->x.a, node.value.data, &node.value.data);
                if (rc < 0)
                        return rc;
                node.value.type = ODM_LW_T_OPAQUE;
        }
        (void)odm_lw_value_as(want, &node.value); /* if it cannot be, it stays what it was said */
        if (node.value.type != ODM_LW_T_NONE && node.path.depth < 3)
                return ODM_EMALFORMED;
        double t = r->bt + rec->t;
        node.t = t > -1e15 && t < 1e15 ? (int64_t)t : 0;
        return odm_lw_push(r->m, &node);
}

/* The members of a record up to its closing brace, the opening one being read.  A SenML record of
 * base fields alone is no node. */
static int record(struct reader *r)
{
        struct record rec = {.name = ODM_STR("")};
        bool any = !r->senml, base = false;
        odm_str label;

        for (bool first = true; !take(&r->x, '}'); first = false) {
                int rc = first ? 0 : expect(&r->x, ',');
                if (rc == 0)
                        rc = text_of(&r->x, &label);
                if (rc == 0)
                        rc = expect(&r->x, ':');
                if (rc == 0)
                        rc = member(r, &rec, label);
                if (rc < 0)
                        return rc;
                base = base || odm_str_is(label, "bn");
                any = any || (label.n > 0 && label.p[0] != 'b');
        }
        if (r->x.rc < 0)
                return r->x.rc;
        return any || base ? emit(r, &rec) : 0;
}

/* Records up to the closing bracket, the opening one being read. */
static int records(struct reader *r)
{
        for (bool first = true; !take(&r->x, ']'); first = false) {
                int rc = first ? 0 : expect(&r->x, ',');
                if (rc == 0)
                        rc = expect(&r->x, '{');
                if (rc == 0)
                        rc = record(r);
                if (rc < 0)
                        return rc;
        }
        return r->x.rc;
}

/* {"bn":..,"e":[..]}: the base may come behind the records, so those are read last. */
static int old_top(struct reader *r)
{
        struct lexer list = {0};
        struct record none = {0};
        bool has_list = false;
        odm_str label;

        int rc = expect(&r->x, '{');
        for (bool first = true; rc == 0 && !take(&r->x, '}'); first = false) {
                rc = first ? 0 : expect(&r->x, ',');
                if (rc == 0)
                        rc = text_of(&r->x, &label);
                if (rc == 0)
                        rc = expect(&r->x, ':');
                if (rc < 0)
                        break;
                if (odm_str_is(label, "e")) {
                        list = r->x;
                        has_list = true;
                        rc = skip(&r->x);
                } else {
                        rc = member(r, &none, label);
                }
        }
        if (rc == 0 && r->x.rc == 0 && next(&r->x) != T_END)
                rc = ODM_EMALFORMED;
        if (rc < 0 || r->x.rc < 0 || !has_list)
                return rc < 0 ? rc : r->x.rc < 0 ? r->x.rc : ODM_EMALFORMED;
        r->x = list;
        rc = expect(&r->x, '[');
        return rc < 0 ? rc : records(r);
}

int odm_lw_json_decode(const odm_lw_frame *f, bool senml, odm_str in, struct maker *out)
{
        struct reader r = {.f = f, .x = {.in = in, .a = out->a}, .m = out, .senml = senml};
        int rc;

        if (!senml)
                return old_top(&r);
        rc = expect(&r.x, '[');
        if (rc == 0)
                rc = records(&r);
        if (rc == 0 && next(&r.x) != T_END)
                rc = ODM_EMALFORMED;
        return rc;
}

/* ---- writing --------------------------------------------------------------------------- */

static int put_string(odm_buf *b, odm_str s)
{
        int rc = odm_buf_byte(b, '"');

        for (size_t i = 0; i < s.n && rc == 0; i++) {
                unsigned char c = (unsigned char)s.p[i];
                if (c == '"' || c == '\\')
                        rc = odm_buf_fmt(b, "\\%c", c);
                else if (c < 0x20)
                        rc = odm_buf_fmt(b, "\\u%04x", c);
                else
                        rc = odm_buf_byte(b, c);
        }
        return rc < 0 ? rc : odm_buf_byte(b, '"');
}

static int put_octets(odm_buf *b, odm_str s, bool url)
{
        odm_arena a;

        odm_arena_init(&a, b->mem, odm_b64_size(s.n) + 64);
        odm_str text = odm_b64_encode(&a, s);
        int rc = text.p ? odm_buf_byte(b, '"') : odm_arena_err(&a);
        for (size_t i = 0; i < text.n && rc == 0; i++) {
                char c = text.p[i];
                if (url && c == '=')
                        break;
                rc = odm_buf_byte(b, (uint8_t)(!url ? c : c == '+' ? '-' : c == '/' ? '_' : c));
        }
        odm_arena_done(&a);
        return rc < 0 ? rc : odm_buf_byte(b, '"');
}

static int put_value(odm_buf *b, const odm_lw_value *v, bool senml)
{
        char z[ODM_LW_FLOAT_TEXT];
        int rc;

        switch (v->type) {
        case ODM_LW_T_NONE: return 0;
        case ODM_LW_T_STRING:
        case ODM_LW_T_CORELNK:
                rc = odm_buf_fmt(b, "\"%s\":", senml ? "vs" : "sv");
                return rc < 0 ? rc : put_string(b, v->data);
        case ODM_LW_T_INTEGER:
        case ODM_LW_T_TIME: return odm_buf_fmt(b, "\"v\":%" PRId64, v->i);
        case ODM_LW_T_FLOAT: odm_lw_float_format(v->f, z); return odm_buf_fmt(b, "\"v\":%s", z);
        case ODM_LW_T_BOOLEAN:
                return odm_buf_fmt(b, "\"%s\":%s", senml ? "vb" : "bv", v->b ? "true" : "false");
        case ODM_LW_T_UNKNOWN:
        case ODM_LW_T_OPAQUE:
                rc = odm_buf_fmt(b, "\"%s\":", senml ? "vd" : "sv");
                return rc < 0 ? rc : put_octets(b, v->data, senml);
        case ODM_LW_T_OBJLNK:
                return odm_buf_fmt(b, "\"%s\":\"%u:%u\"", senml ? "vlo" : "ov", v->link[0],
                                   v->link[1]);
        }
        ODM_UNREACHABLE();
}

static int put_record(const odm_lw_frame *f, bool senml, const odm_lw_node *n, odm_str base,
                      bool first, odm_buf *b)
{
        char z[ODM_LW_PATH_TEXT];
        odm_str rest = odm_lw_rest(f, n->path, z);
        int rc = odm_buf_str(b, first ? ODM_STR("{") : ODM_STR(",{"));

        if (rc == 0 && senml && first)
                rc = odm_buf_fmt(b, "\"bn\":\"%.*s\"", (int)base.n, base.p);
        if (rc == 0 && rest.n)
                rc = odm_buf_fmt(b, "%s\"n\":\"%.*s\"", senml && first ? "," : "", (int)rest.n,
                                 rest.p);
        bool comma = rest.n > 0 || (senml && first);
        if (rc == 0 && n->t != 0)
                rc = odm_buf_fmt(b, "%s\"t\":%" PRId64, comma ? "," : "", n->t);
        comma = comma || n->t != 0;
        if (rc == 0 && comma && n->value.type != ODM_LW_T_NONE)
                rc = odm_buf_byte(b, ',');
        if (rc == 0)
                rc = put_value(b, &n->value, senml);
        return rc < 0 ? rc : odm_buf_byte(b, '}');
}

/* Nodes that only say they are there: SenML can, where they are what is asked for (composite); in
 * an answer what is empty is not told. */
static bool is_told(const odm_lw_frame *f, bool senml, const odm_lw_node *n)
{
        return n->value.type != ODM_LW_T_NONE || (senml && f->at.depth == 0);
}

int odm_lw_json_encode(const odm_lw_frame *f, bool senml, const odm_lw_list *l, odm_buf *out)
{
        char room[ODM_LW_BASE_TEXT];
        odm_str base = odm_lw_base(f, l, room, sizeof room);
        bool first = true;
        int rc;

        if (base.p == NULL)
                return ODM_EINVAL;
        rc = senml ? odm_buf_byte(out, '[')
                   : odm_buf_fmt(out, "{\"bn\":\"%.*s\",\"e\":[", (int)base.n, base.p);
        for (size_t i = 0; i < l->n && rc == 0; i++) {
                if (!is_told(f, senml, &l->v[i]))
                        continue;
                rc = put_record(f, senml, &l->v[i], base, first, out);
                first = false;
        }
        return rc < 0 ? rc : odm_buf_str(out, senml ? ODM_STR("]") : ODM_STR("]}"));
}
