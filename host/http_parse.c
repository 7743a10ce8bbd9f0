/* SPDX-License-Identifier: Apache-2.0 */
/* http_parse.c - HTTP/1.1 responses in pieces; see http_parse.h.  RFC 9112 sections 4 to 7.
 *
 * The head is collected whole, then read at once; the body is a small machine:
 *
 *     LENGTH   exactly `left` octets
 *     CHUNKED  SIZE -> DATA -> DATA_END -> SIZE ... -> TRAILER
 *     TO_END   until the connection ends                                                    */
#include "http_parse.h"

#include <assert.h>
#include <string.h>

enum body_mode { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_TO_END };
enum chunk_state { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER };

void http_limits_init(http_limits *l)
{
        *l = (http_limits){.max_head = 16384, .max_fields = 64, .max_body = 1u << 20};
}

void http_parse_init(http_parse *p, const odm_mem *m, const http_limits *lim)
{
        *p = (http_parse){.mem = m, .lim = *lim};
        odm_buf_init(&p->head, m, lim->max_head);
        odm_buf_init(&p->body, m, lim->max_body);
}

void http_parse_done(http_parse *p)
{
        if (!p->mem)
                return;
        odm_free(p->mem, p->fields, p->lim.max_fields * sizeof *p->fields);
        p->fields = NULL;
        odm_buf_done(&p->head);
        odm_buf_done(&p->body);
}

void http_parse_reset(http_parse *p)
{
        odm_buf_cut(&p->head, 0);
        odm_buf_cut(&p->body, 0);
        p->status = 0;
        p->http10 = p->close = p->any = p->head_request = false;
        p->n_fields = 0;
        p->state = HTTP_PARSE_HEAD;
        p->mode = BODY_NONE;
        p->chunk_state = CHUNK_SIZE;
        p->left = p->line_n = p->trailer_n = p->interim = 0;
}

/* ---- words --------------------------------------------------------------------- */

bool http_is_token(odm_str s)
{
        for (size_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];
                if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
                        return false;
        }
        return s.n > 0;
}

bool http_value_ok(odm_str s)
{
        for (size_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];
                if ((c < ' ' && c != '\t') || c == 0x7f)
                        return false;
        }
        return true;
}

/* Takes what stands before the next `sep` off the front of *s. */
static odm_str take_until(odm_str *s, char sep)
{
        const char *at = s->n ? memchr(s->p, sep, s->n) : NULL;
        size_t n = at ? (size_t)(at - s->p) : s->n;
        odm_str got = odm_str_to(*s, n);

        *s = odm_str_from(*s, at ? n + 1 : n);
        return odm_str_trim(got);
}

static bool weight_is_zero(odm_str params)
{
        while (params.n) {
                odm_str p = take_until(&params, ';');
                if (!odm_str_starts(p, "q=") && !odm_str_starts(p, "Q="))
                        continue;
                for (size_t i = 2; i < p.n; i++)
                        if (p.p[i] != '0' && p.p[i] != '.')
                                return false;
                return true;
        }
        return false;
}

bool http_list_has(odm_str list, const char *token)
{
        while (list.n) {
                odm_str item = take_until(&list, ',');
                odm_str name = take_until(&item, ';');
                if (odm_str_ieq(name, token))
                        return !weight_is_zero(item);
        }
        return false;
}

/* "NUMBER-", of which the number may be missing: -1 is bad syntax, 1 a number, 0 none. */
static int take_number(odm_str *s, uint64_t *out)
{
        const char *dash = memchr(s->p, '-', s->n);
        odm_str number = odm_str_to(*s, dash ? (size_t)(dash - s->p) : 0);

        if (!dash || (number.n && odm_str_u64(number, UINT64_MAX, out) < 0))
                return -1;
        *s = odm_str_from(*s, number.n + 1);
        return number.n > 0;
}

int http_range(odm_str field, uint64_t size, uint64_t *first, uint64_t *n)
{
        static const odm_str unit = {"bytes=", 6};
        uint64_t from = 0, to = UINT64_MAX;
        int has;

        if (field.n < unit.n || !odm_str_ieq(odm_str_to(field, unit.n), unit.p))
                return 0;
        field = odm_str_from(field, unit.n);
        if (field.n && memchr(field.p, ',', field.n)) /* the whole answers several, too */
                return 0;
        has = field.n ? take_number(&field, &from) : -1;
        if (has < 0 || (has == 0 && field.n == 0) ||
            (field.n && odm_str_u64(field, UINT64_MAX, &to) < 0) || (has && to < from))
                return 0;
        if (!has) { /* the last so many */
                if (to == 0 || size == 0)
                        return ODM_ELIMIT;
                from = to < size ? size - to : 0;
                to = UINT64_MAX;
        }
        if (from >= size)
                return ODM_ELIMIT;
        *first = from;
        *n = (to < size ? to + 1 : size) - from;
        return 1;
}

int http_content_range(odm_str field, uint64_t *first, uint64_t *n, uint64_t *size)
{
        static const odm_str unit = {"bytes ", 6};
        uint64_t from, to, all;
        const char *slash;
        odm_str range;

        if (field.n < unit.n || !odm_str_ieq(odm_str_to(field, unit.n), unit.p))
                return ODM_EMALFORMED;
        field = odm_str_from(field, unit.n);
        slash = field.n ? memchr(field.p, '/', field.n) : NULL;
        if (!slash)
                return ODM_EMALFORMED;
        range = odm_str_to(field, (size_t)(slash - field.p));
        if (odm_str_u64(odm_str_from(field, range.n + 1), INT64_MAX, &all) < 0)
                return ODM_EMALFORMED;
        if (odm_str_is(range, "*")) {
                from = to = all; /* of nothing */
        } else {
                if (range.n == 0 || take_number(&range, &from) != 1 ||
                    odm_str_u64(range, INT64_MAX, &to) < 0 || to < from || to >= all)
                        return ODM_EMALFORMED;
                to++;
        }
        *first = from;
        *n = to - from;
        *size = all;
        return 0;
}

odm_str http_parse_field(const http_parse *p, const char *name)
{
        for (size_t i = 0; i < p->n_fields; i++)
                if (odm_str_ieq(p->fields[i].name, name))
                        return p->fields[i].value;
        return ODM_ABSENT;
}

/* ---- the head -------------------------------------------------------------------- */

/* The line at *at of the collected head, without its CR LF. */
static odm_str take_line(odm_str *s)
{
        const char *nl = memchr(s->p, '\n', s->n);
        size_t n = nl ? (size_t)(nl - s->p) : s->n;
        odm_str line = odm_str_to(*s, n);

        *s = odm_str_from(*s, nl ? n + 1 : n);
        if (line.n && line.p[line.n - 1] == '\r')
                line.n--;
        return line;
}

static int read_status_line(http_parse *p, odm_str s)
{
        uint64_t status;

        if (!odm_str_starts(s, "HTTP/1.") || s.n < 12 || (s.p[7] != '0' && s.p[7] != '1') ||
            s.p[8] != ' ' || (s.n > 12 && s.p[12] != ' ') || !http_value_ok(s))
                return ODM_EMALFORMED;
        if (odm_str_u64((odm_str){s.p + 9, 3}, 999, &status) < 0 || status < 100)
                return ODM_EMALFORMED;
        p->status = (unsigned)status;
        p->http10 = s.p[7] == '0';
        return 0;
}

static int read_field(http_parse *p, odm_str line)
{
        const char *colon = memchr(line.p, ':', line.n);
        http_field f;

        if (!colon)
                return ODM_EMALFORMED;
        f.name = (odm_str){line.p, (size_t)(colon - line.p)};
        f.value = odm_str_trim(odm_str_from(line, f.name.n + 1));
        if (!http_is_token(f.name) || !http_value_ok(f.value))
                return ODM_EMALFORMED;
        if (p->n_fields == p->lim.max_fields)
                return ODM_ELIMIT;
        p->fields[p->n_fields++] = f;
        return 0;
}

/* Which framing the fields ask for: one length, or chunked, never two opinions. */
static int read_framing(http_parse *p)
{
        bool chunked = false, length = false;
        uint64_t n = 0;

        for (size_t i = 0; i < p->n_fields; i++) {
                const http_field *f = &p->fields[i];
                if (odm_str_ieq(f->name, "transfer-encoding")) {
                        if (chunked || !odm_str_ieq(f->value, "chunked"))
                                return ODM_EMALFORMED;
                        chunked = true;
                } else if (odm_str_ieq(f->name, "content-length")) {
                        uint64_t v;
                        if (odm_str_u64(f->value, INT64_MAX, &v) < 0 || (length && v != n))
                                return ODM_EMALFORMED;
                        length = true;
                        n = v;
                } else if (odm_str_ieq(f->name, "connection")) {
                        p->close |= http_list_has(f->value, "close");
                }
        }
        if (chunked && (length || p->http10))
                return ODM_EMALFORMED;
        if (length && n > p->lim.max_body && !p->head_request)
                return ODM_ELIMIT;
        p->mode = chunked ? BODY_CHUNKED : length ? BODY_LENGTH : BODY_TO_END;
        p->left = n;
        return 0;
}

static int read_head(http_parse *p)
{
        odm_str s = odm_buf_view(&p->head);
        int rc;

        if (!p->fields) {
                p->fields = odm_alloc(p->mem, p->lim.max_fields * sizeof *p->fields);
                if (!p->fields)
                        return ODM_ENOMEM;
        }
        rc = read_status_line(p, take_line(&s));
        while (rc == 0) {
                odm_str line = take_line(&s);
                if (line.n == 0)
                        break;
                rc = read_field(p, line);
        }
        if (rc == 0)
                rc = read_framing(p);
        if (rc < 0)
                return rc;
        if (p->http10 && !http_list_has(http_parse_field(p, "connection"), "keep-alive"))
                p->close = true;
        return 0;
}

/* The head is whole: an interim one is forgotten, a real one opens the body. */
static int head_done(http_parse *p)
{
        int rc = read_head(p);

        if (rc < 0)
                return rc;
        if (p->status == 101)
                return ODM_EMALFORMED; /* we asked for no other protocol */
        if (p->status < 200) {
                bool head = p->head_request;
                size_t interim = p->interim + p->head.n;
                http_parse_reset(p);
                p->head_request = head;
                p->any = true;
                p->interim = interim;
                return interim > p->lim.max_head ? ODM_ELIMIT : 0;
        }
        if (p->head_request || p->status == 204 || p->status == 304)
                p->mode = BODY_NONE;
        if (p->mode == BODY_TO_END)
                p->close = true;
        p->state = HTTP_PARSE_BODY;
        if (p->mode == BODY_NONE || (p->mode == BODY_LENGTH && p->left == 0))
                p->state = HTTP_PARSE_DONE;
        return 0;
}

static bool head_is_whole(const odm_buf *b)
{
        return (b->n >= 2 && memcmp(b->p + b->n - 2, "\n\n", 2) == 0) ||
               (b->n >= 3 && memcmp(b->p + b->n - 3, "\n\r\n", 3) == 0);
}

static int feed_head(http_parse *p, odm_str in, size_t *used)
{
        size_t at = 0;

        while (at < in.n) {
                const char *nl = memchr(in.p + at, '\n', in.n - at);
                size_t n = nl ? (size_t)(nl - in.p) + 1 - at : in.n - at;
                int rc = odm_buf_put(&p->head, in.p + at, n);
                if (rc < 0)
                        return rc;
                at += n;
                if (head_is_whole(&p->head)) {
                        *used = at;
                        return head_done(p);
                }
        }
        *used = at;
        return 0;
}

/* ---- the body ---------------------------------------------------------------------- */

static int feed_octets(http_parse *p, odm_str in, size_t *used)
{
        size_t n = p->mode != BODY_TO_END && in.n > p->left ? (size_t)p->left : in.n;
        int rc = odm_buf_put(&p->body, in.p, n);

        if (rc < 0)
                return rc;
        if (p->mode != BODY_TO_END)
                p->left -= n;
        *used = n;
        return 0;
}

static int hex_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int chunk_size(http_parse *p, odm_str line)
{
        uint64_t n = 0;
        size_t i = 0;

        for (; i < line.n && hex_value(line.p[i]) >= 0; i++) {
                if (i == 15)
                        return ODM_EMALFORMED;
                n = n * 16 + (uint64_t)hex_value(line.p[i]);
        }
        if (i == 0 || (i < line.n && line.p[i] != ';' && line.p[i] != ' ' && line.p[i] != '\t'))
                return ODM_EMALFORMED;
        if (n > p->lim.max_body - p->body.n)
                return ODM_ELIMIT;
        p->left = n;
        p->chunk_state = n ? CHUNK_DATA : CHUNK_TRAILER;
        return 0;
}

static int chunk_line(http_parse *p, odm_str line)
{
        switch ((enum chunk_state)p->chunk_state) {
        case CHUNK_SIZE: return chunk_size(p, line);
        case CHUNK_DATA_END: p->chunk_state = CHUNK_SIZE; return line.n ? ODM_EMALFORMED : 0;
        case CHUNK_TRAILER:
                if (line.n == 0)
                        p->state = HTTP_PARSE_DONE;
                return http_value_ok(line) ? 0 : ODM_EMALFORMED;
        case CHUNK_DATA: break;
        }
        ODM_UNREACHABLE();
}

static int feed_chunk_line(http_parse *p, odm_str in, size_t *used)
{
        const char *nl = memchr(in.p, '\n', in.n);
        size_t n = nl ? (size_t)(nl - in.p) : in.n;
        odm_str line;
        int rc;

        if (p->line_n + n > sizeof p->line)
                return ODM_ELIMIT;
        memcpy(p->line + p->line_n, in.p, n);
        p->line_n += n;
        *used = nl ? n + 1 : n;
        if (!nl)
                return 0;
        line = (odm_str){p->line, p->line_n};
        if (line.n == 0 || line.p[line.n - 1] != '\r')
                return ODM_EMALFORMED; /* a bare LF is where chunk smuggling begins */
        line.n--;
        if (p->chunk_state == CHUNK_TRAILER && ++p->trailer_n > p->lim.max_fields)
                return ODM_ELIMIT;
        rc = chunk_line(p, line);
        p->line_n = 0;
        return rc;
}

static int feed_chunked(http_parse *p, odm_str in, size_t *used)
{
        int rc;

        if (p->chunk_state != CHUNK_DATA)
                return feed_chunk_line(p, in, used);
        rc = feed_octets(p, in, used);
        if (rc == 0 && p->left == 0)
                p->chunk_state = CHUNK_DATA_END;
        return rc;
}

static int feed_body(http_parse *p, odm_str in, size_t *used)
{
        int rc;

        if (p->mode == BODY_CHUNKED)
                return feed_chunked(p, in, used);
        rc = feed_octets(p, in, used);
        if (rc == 0 && p->mode == BODY_LENGTH && p->left == 0)
                p->state = HTTP_PARSE_DONE;
        return rc;
}

int http_parse_feed(http_parse *p, odm_str in, size_t *used)
{
        size_t at = 0;

        p->any |= in.n > 0;
        while (p->state != HTTP_PARSE_DONE && at < in.n) {
                size_t n = 0;
                odm_str rest = odm_str_from(in, at);
                int rc = p->state == HTTP_PARSE_HEAD ? feed_head(p, rest, &n)
                                                     : feed_body(p, rest, &n);
                if (rc < 0)
                        return rc;
                assert(n > 0);
                at += n;
        }
        *used = at;
        return p->state == HTTP_PARSE_DONE;
}

bool http_parse_is_short(const http_parse *p)
{
        return p->state == HTTP_PARSE_BODY && p->mode == BODY_LENGTH && p->body.n > 0;
}

int http_parse_eof(http_parse *p)
{
        if (p->state == HTTP_PARSE_BODY && p->mode == BODY_TO_END)
                p->state = HTTP_PARSE_DONE;
        return p->state == HTTP_PARSE_DONE ? 1 : ODM_EMALFORMED;
}
