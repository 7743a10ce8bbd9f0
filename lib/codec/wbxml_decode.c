/* SPDX-License-Identifier: Apache-2.0 */
/* WBXML (dm-representation.md 4) read in one pass: a token, what it means where we
 * stand, the next.  The usual element, a tag around one inline string, is taken in one
 * step and its text borrowed.
 *
 *     version publicid [index] charset strtbl_len strtbl | tag { piece | tag } END   */
#include <assert.h>

#include "builder.h"
#include "sink.h"
#include "wbxml.h"

#define MIB_UNKNOWN 0
#define MIB_ASCII 3

struct reader {
        const uint8_t *p, *end;
        odm_str table;
        unsigned page; /* the current one */
        struct builder b;
        /* Elements inside Data, as XML text. */
        odm_buf xml;
        bool bin; /* the last Format among them was bin */
};

/* Which octet of a word, as it lies in memory, is the first one that is not zero. */
static inline unsigned first_octet(uint64_t w)
{
        bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

        return (unsigned)(big ? __builtin_clzll(w) : __builtin_ctzll(w)) / 8;
}

static int read_number(struct reader *r, uint32_t *out)
{
        uint32_t v = 0;

        for (int i = 0; i < 5; i++) {
                if (r->p == r->end || v > UINT32_MAX >> 7)
                        return ODM_EMALFORMED;
                uint8_t c = *r->p++;
                v = v << 7 | (c & 0x7f);
                if (c < 0x80) {
                        *out = v;
                        return 0;
                }
        }
        return ODM_EMALFORMED;
}

static int read_inline(struct reader *r, odm_str *out)
{
        const uint8_t *nul = memchr(r->p, 0, (size_t)(r->end - r->p));

        if (nul == NULL)
                return ODM_EMALFORMED;
        *out = (odm_str){(const char *)r->p, (size_t)(nul - r->p)};
        r->p = nul + 1;
        return 0;
}

static int read_indexed(struct reader *r, odm_str *out)
{
        uint32_t at;
        int rc = read_number(r, &at);

        if (rc < 0)
                return rc;
        odm_str rest = odm_str_from(r->table, at);
        const char *nul = rest.n ? memchr(rest.p, 0, rest.n) : NULL;
        if (nul == NULL)
                return ODM_EMALFORMED;
        *out = (odm_str){rest.p, (size_t)(nul - rest.p)};
        return 0;
}

static int read_opaque(struct reader *r, odm_str *out)
{
        uint32_t n;
        int rc = read_number(r, &n);

        if (rc < 0)
                return rc;
        if (n > (size_t)(r->end - r->p))
                return ODM_EMALFORMED;
        *out = (odm_str){(const char *)r->p, n};
        r->p += n;
        return 0;
}

/* ---- elements inside Data ----------------------------------------------------- */

static bool in_data(struct reader *r)
{
        enum context ctx = builder_top(&r->b)->ctx;

        return ctx == CTX_DATA || ctx == CTX_RAW;
}

static int raw_put(struct sink *s)
{
        int rc = sink_end(s);

        return rc == ODM_EINVAL ? ODM_EMALFORMED : rc;
}

static bool is_name(odm_str s)
{
        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
                if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-' || c == '.')))
                        return false;
        }
        return s.n > 0;
}

static int raw_open(struct reader *r, unsigned id, odm_str name, bool content)
{
        static const char *const spaces[] = {" xmlns=\"SYNCML:SYNCML1.2\"",
                                             " xmlns=\"syncml:metinf\"",
                                             " xmlns=\"syncml:dmddf1.2\""};
        const struct frame *up = builder_top(&r->b);
        struct sink s = sink_begin(&r->xml, 0);

        r->bin = id == E2_bin || (r->bin && id != E2_Node);
        sink_byte(&s, '<');
        sink_put(&s, name.p, name.n);
        if (id != E_NONE && (up->ctx == CTX_DATA || up->page != PAGE(id)))
                sink_put(&s, spaces[PAGE(id)], strlen(spaces[PAGE(id)]));
        sink_put(&s, content ? ">" : "/>", content ? 1 : 2);
        unsigned page = id != E_NONE || up->ctx == CTX_DATA ? PAGE(id) : up->page;
        int rc = raw_put(&s);
        if (rc == 0)
                rc = builder_push(&r->b, CTX_RAW, (void *)(uintptr_t)(content ? name.p : NULL));
        if (rc == 0)
                builder_top(&r->b)->page = (uint8_t)page;
        return rc;
}

/* The octets of a bin node are base64 in XML (dm-tree.md 8). */
static int raw_b64(struct reader *r, odm_str octets)
{
        odm_str text = odm_b64_encode(r->b.arena, octets);

        return text.p ? odm_buf_str(&r->xml, text) : odm_arena_err(r->b.arena);
}

static int raw_text(struct reader *r, odm_data_kind kind, odm_str text)
{
        struct sink s = sink_begin(&r->xml, 0);

        if (kind == ODM_DATA_OPAQUE && r->bin)
                return raw_b64(r, text);
        odm_sink_escaped(&s, text);
        return raw_put(&s);
}

static int raw_close(struct reader *r, const char *name)
{
        struct sink s = sink_begin(&r->xml, 0);

        if (name) {
                sink_put(&s, "</", 2);
                sink_put(&s, name, strlen(name));
                sink_byte(&s, '>');
        }
        return raw_put(&s);
}

/* Data that held elements ends: its value is their text. */
static int raw_finish(struct reader *r)
{
        odm_str text = odm_arena_copy(r->b.arena, odm_str_trim(odm_buf_view(&r->xml)));

        if (text.p == NULL)
                return odm_arena_err(r->b.arena);
        odm_buf_cut(&r->xml, 0);
        r->b.acc = text;
        r->b.acc_kind = ODM_DATA_XML;
        return 0;
}

/* The first element inside Data: text that stood before it belongs to the value too. */
static int raw_begin(struct reader *r)
{
        odm_str before = r->b.acc;

        r->b.acc = ODM_ABSENT;
        r->b.acc_cap = 0;
        r->b.acc_kind = ODM_DATA_XML;
        r->bin = false;
        return before.n ? raw_text(r, ODM_DATA_TEXT, before) : 0;
}

static int open_in_data(struct reader *r, unsigned id, odm_str name, bool content)
{
        int rc = 0;

        if (name.p == NULL)
                name = odm_cstr(odm_element_name(id));
        if (!is_name(name)) /* nothing that XML has a name for */
                return builder_push(&r->b, CTX_SKIP, NULL);
        if (r->b.acc_kind != ODM_DATA_XML)
                rc = raw_begin(r);
        return rc < 0 ? rc : raw_open(r, id, name, content);
}

/* ---- tokens ------------------------------------------------------------------- */

static int text(struct reader *r, odm_data_kind kind, odm_str piece, bool borrowed)
{
        enum context ctx = builder_top(&r->b)->ctx;

        if (ctx == CTX_RAW || (ctx == CTX_DATA && r->b.acc_kind == ODM_DATA_XML))
                return raw_text(r, kind, piece);
        return odm_builder_text(&r->b, kind, piece, borrowed);
}

static int entity(struct reader *r)
{
        uint32_t c;
        char u[4];
        size_t n;
        int rc = read_number(r, &c);

        if (rc < 0)
                return rc;
        if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return ODM_EMALFORMED;
        if (c < 0x80) {
                u[0] = (char)c;
                n = 1;
        } else if (c < 0x800) {
                u[0] = (char)(0xc0 | c >> 6);
                n = 2;
        } else if (c < 0x10000) {
                u[0] = (char)(0xe0 | c >> 12);
                n = 3;
        } else {
                u[0] = (char)(0xf0 | c >> 18);
                n = 4;
        }
        for (size_t i = 1; i < n; i++)
                u[i] = (char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
        return text(r, ODM_DATA_TEXT, (odm_str){u, n}, false);
}

static int end(struct reader *r)
{
        const struct frame *f = builder_top(&r->b);
        int rc = 0;

        if (!builder_inside(&r->b))
                return ODM_EMALFORMED;
        if (f->ctx == CTX_RAW)
                rc = raw_close(r, f->base);
        else if (f->ctx == CTX_DATA && r->b.acc_kind == ODM_DATA_XML)
                rc = raw_finish(r);
        return rc < 0 ? rc : odm_builder_close(&r->b);
}

/* Attributes do not occur in SyncML: skipped up to their END. */
static int skip_attributes(struct reader *r)
{
        while (r->p < r->end) {
                odm_str unused;
                uint32_t number;
                int rc = 0;
                switch (*r->p++) {
                case WB_END: return 0;
                case WB_SWITCH_PAGE:
                        if (r->p++ == r->end)
                                return ODM_EMALFORMED;
                        break;
                case WB_ENTITY:
                case WB_LITERAL: rc = read_number(r, &number); break;
                case WB_STR_I: rc = read_inline(r, &unused); break;
                case WB_STR_T: rc = read_indexed(r, &unused); break;
                case WB_OPAQUE: rc = read_opaque(r, &unused); break;
                default: break; /* the token of a name or a value */
                }
                if (rc < 0)
                        return rc;
        }
        return ODM_EMALFORMED;
}

static int open_tag(struct reader *r, uint8_t tag, unsigned id, odm_str name)
{
        bool content = tag & WB_CONTENT;
        int rc = 0;

        if (tag & WB_ATTRIBUTES)
                rc = skip_attributes(r);
        if (rc == 0)
                rc = in_data(r) ? open_in_data(r, id, name, content)
                                : odm_builder_open(&r->b, id, name);
        return rc < 0 || content ? rc : end(r);
}

static int literal(struct reader *r, uint8_t tag)
{
        odm_str name;
        int rc = read_indexed(r, &name);

        return rc < 0 ? rc : open_tag(r, tag, E_NONE, name);
}

static int switch_page(struct reader *r)
{
        if (r->p == r->end)
                return ODM_EMALFORMED;
        r->page = *r->p++;
        return 0;
}

static int piece(struct reader *r, uint8_t token)
{
        odm_str s;
        int rc = token == WB_STR_I   ? read_inline(r, &s)
                 : token == WB_STR_T ? read_indexed(r, &s)
                                     : read_opaque(r, &s);

        if (rc < 0)
                return rc;
        return text(r, token == WB_OPAQUE ? ODM_DATA_OPAQUE : ODM_DATA_TEXT, s, true);
}

static int global(struct reader *r, uint8_t token)
{
        switch (token) {
        case WB_SWITCH_PAGE: return switch_page(r);
        case WB_END: return end(r);
        case WB_ENTITY: return entity(r);
        case WB_STR_I:
        case WB_STR_T:
        case WB_OPAQUE: return piece(r, token);
        case WB_LITERAL:
        case WB_LITERAL | WB_CONTENT:
        case WB_LITERAL | WB_ATTRIBUTES:
        case WB_LITERAL | WB_CONTENT | WB_ATTRIBUTES: return literal(r, token);
        default: return ODM_EMALFORMED; /* extensions and processing instructions */
        }
}

/* The high bit of each octet of the word that is zero. */
static inline uint64_t zero_octets(const uint8_t *p)
{
        const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
        uint64_t w;

        memcpy(&w, p, sizeof w);
        return ~(((w & low) + low) | w | low);
}

/* The first zero from p on, or NULL; 16 octets can be read.  Most strings are short: two
 * words are looked at here. */
static inline const uint8_t *find_zero(const uint8_t *p, const uint8_t *end)
{
        uint64_t zeros = zero_octets(p);

        if (zeros)
                return p + first_octet(zeros);
        zeros = zero_octets(p + 8);
        if (zeros)
                return p + 8 + first_octet(zeros);
        return memchr(p + 16, 0, (size_t)(end - p - 16));
}

/* What the tags of the current page mean where we stand. */
static inline const uint8_t *index_here(const struct reader *r)
{
        unsigned ctx = r->b.top->ctx;

        if (odm_builder_pages[ctx] != r->page)
                ctx = CTX_SKIP;
        return odm_builder_index[ctx];
}

/* Text that stands in a message as it is to be read, or what odm_builder_leaf() makes of it. */
static inline int usual_leaf(struct builder *b, const struct rule *rule, odm_str s)
{
        if (rule->act != ACT_TEXT || (uint8_t)s.p[0] <= ' ' || (uint8_t)s.p[s.n - 1] <= ' ')
                return odm_builder_leaf(b, rule, ODM_DATA_TEXT, s);
        *(odm_str *)(void *)((char *)b->top->base + rule->off) = s;
        return 0;
}

/* The usual tokens in a loop that has all it needs at hand: a leaf, which is a tag, its one
 * inline string and END; another tag that has a rule; END of what it opened; a change of
 * page.  Stops before anything else, and where the input's end is too near to look ahead,
 * which is left to any_token(). */
#define AHEAD (2 + 16 + 1)

static inline int usual_tokens(struct reader *r)
{
        struct builder *b = &r->b;
        const uint8_t *index = index_here(r);
        const uint8_t *p = r->p, *end = r->end - 1, *nul;
        int rc = 0;

        if (b->acc.p) /* the end of this element is not the usual one */
                return 0;
        while (rc == 0 && end - p >= AHEAD) {
                if (*p >= WB_CONTENT && *p < WB_ATTRIBUTES) {
                        const struct rule *rule = &odm_builder_rules[index[TOKEN(*p)]];
                        if (rule_is_leaf(rule)) {
                                if (p[1] != WB_STR_I || b->top == b->last)
                                        break;
                                nul = find_zero(p + 2, end);
                                if (nul == NULL || nul[1] != WB_END)
                                        break;
                                odm_str s = {(const char *)p + 2, (size_t)(nul - p - 2)};
                                p = nul + 2;
                                rc = usual_leaf(b, rule, s);
                                continue;
                        }
                        if (rule->act == ACT_SKIP)
                                break;
                        p++;
                        rc = rule->act <= ACT_PRESENT ? builder_enter(b, rule)
                                                      : odm_builder_apply(b, rule);
                } else if (*p == WB_END && b->top->ctx < CTX_HOLDERS) {
                        p++;
                        b->top--;
                } else if (*p == WB_SWITCH_PAGE) {
                        r->page = p[1];
                        p += 2;
                } else {
                        break;
                }
                index = index_here(r);
        }
        r->p = p;
        return rc;
}

static int any_token(struct reader *r)
{
        if (r->p == r->end)
                return ODM_EMALFORMED;
        uint8_t c = *r->p++;
        unsigned id = r->page << 6 | TOKEN(c);
        if (TOKEN(c) < WB_FIRST_TAG)
                return global(r, c);
        return open_tag(r, c, odm_element_name(id) ? id : E_NONE, ODM_ABSENT);
}

static int walk(struct reader *r)
{
        int rc;

        do {
                rc = usual_tokens(r);
                if (rc == 0)
                        rc = any_token(r);
        } while (rc == 0 && (builder_inside(&r->b) || !r->b.rooted));
        return rc;
}

static int header(struct reader *r)
{
        uint32_t public_id = 0, index, charset = 0, n = 0;
        int rc;

        if (r->p == r->end || *r->p < 1 || *r->p > 3)
                return ODM_EMALFORMED;
        r->p++;
        rc = read_number(r, &public_id);
        if (rc == 0 && public_id == 0)
                rc = read_number(r, &index);
        if (rc == 0)
                rc = read_number(r, &charset);
        if (rc == 0)
                rc = read_number(r, &n);
        if (rc < 0)
                return rc;
        if (charset != WB_UTF8 && charset != MIB_UNKNOWN && charset != MIB_ASCII)
                return ODM_EMALFORMED;
        if (n > (size_t)(r->end - r->p))
                return ODM_EMALFORMED;
        r->table = (odm_str){(const char *)r->p, n};
        r->p += n;
        return 0;
}

static void reader_begin(struct reader *r, odm_str in, odm_arena *arena)
{
        r->p = (const uint8_t *)in.p;
        r->end = r->p + in.n;
        r->table = ODM_ABSENT;
        r->page = 0;
        odm_buf_init(&r->xml, arena->mem, arena->max);
}

int odm_wbxml_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_msg **out)
{
        struct reader r;
        int rc;

        if (in.n == 0)
                return ODM_EMALFORMED;
        reader_begin(&r, in, arena);
        rc = odm_builder_begin_msg(&r.b, in, lim, arena);
        if (rc == 0)
                rc = header(&r);
        if (rc == 0)
                rc = walk(&r);
        odm_buf_done(&r.xml);
        if (rc == 0)
                rc = odm_builder_end_msg(&r.b);
        if (rc == 0)
                *out = r.b.msg;
        return rc;
}

/* A document may come without header when it stood in a message, or without the
 * switch to page 2, or with its string table counted without the zero (4.9). */
static int doc_header(struct reader *r)
{
        static const uint8_t uncounted[] = {0, WB_SWITCH_PAGE, PAGE_DDF};
        int rc = 0;

        if (r->p < r->end && *r->p >= 1 && *r->p <= 3)
                rc = header(r);
        if (r->end - r->p > 3 && memcmp(r->p, uncounted, sizeof uncounted) == 0)
                r->p++;
        r->page = PAGE_DDF;
        return rc;
}

bool odm_wbxml_is(odm_str in)
{
        return in.n > 0 && in.p[0] >= 1 && in.p[0] <= 3; /* versions 1.1 to 1.3 */
}

int odm_wbxml_doc_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_doc **out)
{
        struct reader r;
        int rc;

        if (in.n == 0)
                return ODM_EMALFORMED;
        reader_begin(&r, in, arena);
        rc = odm_builder_begin_doc(&r.b, in, lim, arena);
        if (rc == 0)
                rc = doc_header(&r);
        if (rc == 0)
                rc = walk(&r);
        odm_buf_done(&r.xml);
        if (rc == 0)
                rc = odm_builder_end_doc(&r.b);
        if (rc == 0)
                *out = r.b.doc;
        return rc;
}
