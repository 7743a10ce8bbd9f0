/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_gate.c - what may pass: no request that two readers could take for two different ones
 * (RFC 9112 sections 3.2, 5, 6.3, 11.2). */
#include "httpd_inner.h"

#include <string.h>
#include <strings.h>

typedef struct head_scan {
        httpd_req *r;
        const char *bad;    /* why it is refused */
        const char *expect; /* where the next line begins if all are plain */
        unsigned hosts, lengths, codings;
        bool too_many;
        odm_str length, host;
} head_scan;

static void scan_special(head_scan *s, const http_field *f)
{
        if (odm_str_ieq(f->name, "host")) {
                s->hosts++;
                s->host = f->value;
        } else if (odm_str_ieq(f->name, "content-length")) {
                if (s->lengths++ && !odm_str_eq(s->length, f->value))
                        s->bad = "two different lengths";
                s->length = f->value;
        } else if (odm_str_ieq(f->name, "transfer-encoding")) {
                s->codings++;
                if (!odm_str_is(f->value, "chunked"))
                        s->bad = "a transfer coding other than chunked";
        }
}

/* The library cuts a value at a NUL octet and joins folded lines.  Both show in the addresses:
 * in a plain head a name begins two octets (CR LF) behind the end of the value before it. */
static bool is_contiguous(head_scan *s, const char *name, const char *value, size_t value_n)
{
        bool good = name == s->expect;

        s->expect = value + value_n + 2;
        return good;
}

static enum MHD_Result on_field(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_n,
                                const char *value, size_t value_n)
{
        head_scan *s = ctx;
        httpd_req *r = s->r;
        http_field f = {{name, name_n}, {value ? value : "", value ? value_n : 0}};

        (void)kind;
        if (r->n_fields == FIELDS_MAX) {
                s->too_many = true;
                s->bad = "too many header fields";
        } else if (!http_is_token(f.name)) {
                s->bad = "a header name that is no token";
        } else if (!http_value_ok(f.value)) {
                s->bad = "a control character in a header";
        } else if (!is_contiguous(s, name, f.value.p, f.value.n)) {
                s->bad = "a NUL octet, a folded line or a bare line feed in the head";
        }
        if (s->bad)
                return MHD_NO;
        f.value = odm_str_trim(f.value);
        scan_special(s, &f);
        r->fields[r->n_fields].name = odm_arena_copy(&r->arena, f.name);
        r->fields[r->n_fields++].value = odm_arena_copy(&r->arena, f.value);
        return s->bad ? MHD_NO : MHD_YES;
}

/* Between the words of the first line stands one blank, behind each line CR LF, and nothing else:
 * the library takes more, and shows it by the addresses only. */
static bool is_plain_line(const httpd_req *r)
{
        return r->uri_at == r->method_at + strlen(r->method_at) + 1 &&
               r->version_at == r->uri_at + r->uri.n + 1;
}

static bool is_plain_end(const httpd_req *r, const head_scan *s)
{
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(r->c, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

        return info && r->method_at + info->header_size == s->expect + 2;
}

static const char *check_lengths(const head_scan *s)
{
        uint64_t n;

        if (s->lengths > 1)
                return "two lengths";
        if (s->codings > 1 || (s->codings && s->lengths))
                return "a length beside a transfer coding";
        if (s->lengths && odm_str_u64(s->length, INT64_MAX, &n) < 0)
                return "a length that is no number";
        return NULL;
}

static const char *check_head(httpd_req *r, head_scan *s)
{
        if (!is_plain_line(r))
                return "a first line with too many blanks";
        s->expect = r->version_at + strlen(r->version_at) + 2;
        MHD_get_connection_values_n(r->c, MHD_HEADER_KIND, on_field, s);
        if (s->bad)
                return s->bad;
        if (!is_plain_end(r, s))
                return "a NUL octet or a bare line feed in the head";
        if (s->hosts != 1)
                return s->hosts ? "several Host fields" : "no Host field";
        r->last = s->codings > 0;
        return check_lengths(s);
}

/* Host and port as RFC 3986 3.2 has them, without user information. */
static bool host_ok(odm_str s)
{
        for (size_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];
                if (c <= ' ' || c >= 0x7f || strchr("\"#/<>?@\\^`{|}", c))
                        return false;
        }
        return s.n > 0;
}

/* Path and query as they came; an absolute target loses its authority, which Host repeats
 * (RFC 9112 3.2.2). */
static const char *check_target(httpd_req *r, odm_str host)
{
        odm_str s = r->uri;
        const char *at;

        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '#')
                        return "a target with a character that is not allowed";
        if (odm_str_starts(s, "http://") || odm_str_starts(s, "https://")) {
                odm_str authority;
                s = odm_str_from(s, (size_t)(strstr(s.p, "://") - s.p) + 3);
                at = strpbrk(s.p, "/?");
                authority = odm_str_to(s, at ? (size_t)(at - s.p) : s.n);
                if (authority.n != host.n || strncasecmp(authority.p, host.p, host.n) != 0)
                        return "a target of another host than Host";
                s = at && *at == '/' ? odm_str_from(s, authority.n) : ODM_STR("/");
        }
        if (s.n == 0 || (s.p[0] != '/' && !odm_str_is(s, "*")))
                return "a target that is no path";
        at = memchr(s.p, '?', s.n);
        r->path = odm_str_to(s, at ? (size_t)(at - s.p) : s.n);
        r->query = at ? odm_str_from(s, r->path.n + 1) : ODM_STR("");
        return NULL;
}

const char *httpd_gate_check(httpd_req *r, unsigned *status)
{
        head_scan s = {.r = r};
        const char *bad = check_head(r, &s);

        if (!bad && !host_ok(s.host))
                bad = "a Host that is none";
        if (!bad)
                bad = check_target(r, s.host);
        if (!bad && !http_is_token(r->method))
                bad = "a method that is no token";
        *status = s.too_many ? 431 : 400;
        return bad;
}
