/* SPDX-License-Identifier: Apache-2.0 */
/* From document nodes to flat ones, and their two written forms (TNDS: dm-tree.md 8). */
#include "flat.h"

#include <string.h>

#include "io.h"
#include "odm/tree.h"

/* ---- from a document ---------------------------------------------------------------- */

static odm_format format_of(const odm_doc_node *n)
{
        if (n->format != ODM_FMT_ABSENT)
                return n->format;
        return n->children || n->type_is_ddf_name ? ODM_FMT_NODE : ODM_FMT_CHR;
}

/* The octets of a bin value: WBXML has them as they are, XML as base64. */
static int octets_of(xrem *c, const odm_doc_node *n, odm_str uri, odm_str *out)
{
        *out = n->value.bytes;
        if (format_of(n) != ODM_FMT_BIN || n->value.kind != ODM_DATA_TEXT)
                return XREM_OK;
        if (odm_b64_decode(&c->arena, n->value.bytes, out) < 0)
                return xrem_fail(XREM_BAD_INPUT, "%.*s: the value of a bin node is no base64",
                                 (int)uri.n, uri.p);
        return XREM_OK;
}

int xrem_flat_of(xrem *c, const xrem_walk *w, xrem_flat *out)
{
        const odm_doc_node *n = w->node;
        xrem_flat f = {.uri = w->uri,
                       .format = format_of(n),
                       .type = n->type,
                       .value = ODM_ABSENT,
                       .acl = n->acl,
                       .title = n->title};
        int rc = XREM_OK;

        if (n->value.kind != ODM_DATA_ABSENT)
                rc = octets_of(c, n, w->uri, &f.value);
        if (rc == XREM_OK)
                *out = f;
        return rc;
}

int xrem_flat_recode(xrem *c, odm_doc *d, bool binary)
{
        xrem_walk w = {.first = d->nodes, .unnamed = ""};
        odm_doc_node *n;

        while ((n = xrem_walk_next(c, &w))) {
                odm_str octets;
                int rc;

                if (format_of(n) != ODM_FMT_BIN || n->value.kind == ODM_DATA_ABSENT)
                        continue;
                if ((rc = octets_of(c, n, w.uri, &octets)) != XREM_OK)
                        return rc;
                n->value.kind = binary ? ODM_DATA_OPAQUE : ODM_DATA_TEXT;
                n->value.bytes = binary ? octets : xrem_b64(c, octets);
        }
        return XREM_OK;
}

/* ---- lines --------------------------------------------------------------------------- */

static odm_str escape(xrem *c, odm_str s)
{
        static const char digits[] = "0123456789abcdef";
        char *p = xrem_get(c, s.n * 4 + 1);
        size_t n = 0;

        for (size_t i = 0; i < s.n; i++) {
                uint8_t b = (uint8_t)s.p[i];
                const char *at = b ? strchr("\tt\nn\rr\\\\", b) : NULL;

                if (at && (b == '\\' || b < ' ')) {
                        p[n++] = '\\';
                        p[n++] = b == '\\' ? '\\' : at[1];
                } else if (b < ' ' || b == 0x7f) {
                        p[n++] = '\\';
                        p[n++] = 'x';
                        p[n++] = digits[b >> 4];
                        p[n++] = digits[b & 15];
                } else {
                        p[n++] = (char)b;
                }
        }
        return (odm_str){p, n};
}

odm_str xrem_flat_line(xrem *c, const xrem_flat *f)
{
        odm_str v = f->value.p == NULL         ? ODM_STR("")
                    : f->format == ODM_FMT_BIN ? xrem_b64(c, f->value)
                                               : escape(c, f->value);
        odm_str type = escape(c, f->type);

        if (f->format == ODM_FMT_NODE && v.n == 0)
                return xrem_str(c, "%s\t%s\t%s", xrem_z(c, f->uri), odm_format_name(f->format),
                                type.p);
        return xrem_str(c, "%s\t%s\t%s\t%s", xrem_z(c, f->uri), odm_format_name(f->format), type.p,
                        xrem_z(c, v));
}

static int hex_value(char ch)
{
        if (ch >= '0' && ch <= '9')
                return ch - '0';
        ch |= 0x20;
        return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Returns 0 or ODM_EMALFORMED for an escape nobody knows. */
static int unescape(xrem *c, odm_str s, odm_str *out)
{
        char *p = xrem_get(c, s.n + 1);
        size_t n = 0;

        for (size_t i = 0; i < s.n; i++) {
                char ch = s.p[i];

                if (ch == '\\' && ++i == s.n)
                        return ODM_EMALFORMED;
                if (ch != '\\') {
                        p[n++] = ch;
                        continue;
                }
                switch (s.p[i]) {
                case 't': p[n++] = '\t'; break;
                case 'n': p[n++] = '\n'; break;
                case 'r': p[n++] = '\r'; break;
                case '\\': p[n++] = '\\'; break;
                case 'x': {
                        int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
                        int low = high < 0 ? -1 : hex_value(s.p[i + 2]);
                        if (low < 0)
                                return ODM_EMALFORMED;
                        p[n++] = (char)(high << 4 | low);
                        i += 2;
                        break;
                }
                default: return ODM_EMALFORMED;
                }
        }
        *out = (odm_str){p, n};
        return 0;
}

static odm_str take_until(odm_str *rest, char stop, bool *found)
{
        size_t n = 0;

        while (n < rest->n && rest->p[n] != stop)
                n++;
        *found = n < rest->n;
        odm_str s = odm_str_to(*rest, n);
        *rest = odm_str_from(*rest, *found ? n + 1 : n);
        return s;
}

/* NULL, or what is wrong with the value. */
static const char *read_value(xrem *c, odm_str text, xrem_flat *f)
{
        if (unescape(c, text, &f->value) < 0)
                return "an escape in the value is none of \\t \\n \\r \\\\ \\xNN";
        if (f->format == ODM_FMT_BIN && odm_b64_decode(&c->arena, f->value, &f->value) < 0)
                return "the value of a bin node is no base64";
        return NULL;
}

static const char *read_line(xrem *c, odm_str line, xrem_flat *f)
{
        bool more;

        f->uri = odm_str_trim(take_until(&line, '\t', &more));
        odm_str word = odm_str_trim(take_until(&line, '\t', &more));
        f->format = word.n ? odm_format_parse(word) : ODM_FMT_CHR;
        if (f->format == ODM_FMT_OTHER)
                return "the second field is no format";
        if (unescape(c, take_until(&line, '\t', &more), &f->type) < 0)
                return "an escape in the type is not known";
        f->value = f->acl = f->title = ODM_ABSENT;
        return more ? read_value(c, line, f) : NULL;
}

/* ---- JSON -------------------------------------------------------------------------------- */

json_t *xrem_flat_json(xrem *c, const xrem_flat *f)
{
        json_t *o = json_object();
        bool text = odm_utf8_ok(f->value) && f->format != ODM_FMT_BIN;

        xrem_json_set(o, "uri", xrem_json_text(c, f->uri));
        xrem_json_set(o, "format", json_string(odm_format_name(f->format)));
        if (f->type.n)
                xrem_json_set(o, "type", xrem_json_text(c, f->type));
        if (f->value.p && text)
                xrem_json_set(o, "data", xrem_json_text(c, f->value));
        else if (f->value.p)
                xrem_json_set(o, "data_base64", xrem_json_text(c, xrem_b64(c, f->value)));
        if (f->acl.n)
                xrem_json_set(o, "acl", xrem_json_text(c, f->acl));
        if (f->title.n)
                xrem_json_set(o, "title", xrem_json_text(c, f->title));
        return o;
}

static const char *read_object(xrem *c, const json_t *o, xrem_flat *f)
{
        odm_str word = xrem_json_str(o, "format"), b64 = xrem_json_str(o, "data_base64");

        if (!json_is_object(o))
                return "not an object";
        *f = (xrem_flat){.uri = xrem_json_str(o, "uri"),
                         .type = xrem_json_str(o, "type"),
                         .value = xrem_json_str(o, "data"),
                         .acl = xrem_json_str(o, "acl"),
                         .title = xrem_json_str(o, "title")};
        f->format = word.p == NULL ? ODM_FMT_CHR : odm_format_parse(word);
        if (f->format == ODM_FMT_OTHER)
                return "the format is not known";
        if (b64.p && odm_b64_decode(&c->arena, b64, &f->value) < 0)
                return "data_base64 is no base64";
        return NULL;
}

/* ---- whole lists ---------------------------------------------------------------------------- */

static const char *check_uri(xrem *c, xrem_flat *f)
{
        odm_uri_limits none = {0};
        odm_uri uri;

        if (odm_uri_parse(f->uri, &none, &uri) < 0 || uri.prop || uri.list)
                return "this is no URI of a node";
        f->uri = uri.path.n ? xrem_str(c, "./%.*s", (int)uri.path.n, uri.path.p) : ODM_STR(".");
        return NULL;
}

static int read_json(xrem *c, const char *name, odm_str text, xrem_flat **out, size_t *n)
{
        json_error_t err;
        json_t *j = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &err);

        if (j == NULL)
                return xrem_fail(XREM_BAD_INPUT, "%s:%d:%d: %s", name, err.line, err.column,
                                 err.text);
        xrem_own(c, j);
        if (json_is_object(j)) /* what `xrem tree --json` prints */
                j = json_object_get(j, "nodes");
        if (!json_is_array(j))
                return xrem_fail(XREM_BAD_INPUT, "%s: a list of nodes is expected", name);
        *out = xrem_new(c, xrem_flat, json_array_size(j) + 1);
        for (*n = 0; *n < json_array_size(j); (*n)++) {
                const char *why = read_object(c, json_array_get(j, *n), &(*out)[*n]);

                if (why == NULL)
                        why = check_uri(c, &(*out)[*n]);
                if (why)
                        return xrem_fail(XREM_BAD_INPUT, "%s: entry %zu: %s", name, *n + 1, why);
        }
        return XREM_OK;
}

static int read_lines(xrem *c, const char *name, odm_str text, xrem_flat **out, size_t *n)
{
        size_t most = 1, number = 0;
        bool more = true;

        for (size_t i = 0; i < text.n; i++)
                most += text.p[i] == '\n';
        *out = xrem_new(c, xrem_flat, most);
        *n = 0;
        while (more) {
                odm_str line = take_until(&text, '\n', &more);

                number++;
                if (line.n && line.p[line.n - 1] == '\r')
                        line.n--;
                if (odm_str_trim(line).n == 0 || line.p[0] == '#')
                        continue;
                const char *why = read_line(c, line, &(*out)[*n]);
                if (why == NULL)
                        why = check_uri(c, &(*out)[*n]);
                if (why)
                        return xrem_fail(XREM_BAD_INPUT, "%s:%zu: %s", name, number, why);
                (*n)++;
        }
        return XREM_OK;
}

int xrem_flat_read(xrem *c, const char *name, odm_str text, xrem_flat **out, size_t *n)
{
        odm_str begin = odm_str_trim(text);

        if (begin.n && (begin.p[0] == '[' || begin.p[0] == '{'))
                return read_json(c, name, text, out, n);
        return read_lines(c, name, text, out, n);
}
