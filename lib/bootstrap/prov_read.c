/* SPDX-License-Identifier: Apache-2.0 */
/* A Client Provisioning document read from WBXML (dm-security-bootstrap-notification.md C2.2).
 *
 * A parm or characteristic with a token that we do not know loses its name or type and is
 * nobody's; the document goes on, for it may hold a connectivity we never use. */
#include <string.h>

#include "odm/bootstrap.h"
#include "prov_token.h"

#define NUMBER_OCTETS 5
#define UTF8_MOST 4

struct reader {
        odm_str in; /* what is left */
        odm_str strings;
        odm_arena *a;
        uint32_t left; /* elements and pieces that may still come */
        uint8_t page;
        int rc;
        odm_prov *up[PROV_DEPTH + 1];
        unsigned depth;
};

struct element { /* one start tag */
        odm_str attr[4];
        bool unknown; /* a token of it */
};

/* The first reason stays. */
static bool fail(struct reader *r, int rc)
{
        if (r->rc == 0)
                r->rc = rc;
        return false;
}

static bool take_byte(struct reader *r, uint8_t *out)
{
        if (r->in.n == 0)
                return fail(r, ODM_EMALFORMED);
        *out = (uint8_t)*r->in.p;
        r->in = odm_str_from(r->in, 1);
        return true;
}

static bool take_number(struct reader *r, uint32_t *out)
{
        uint32_t v = 0;
        uint8_t c = 0;

        for (unsigned i = 0; i < NUMBER_OCTETS; i++) {
                if (v > UINT32_MAX >> 7 || !take_byte(r, &c))
                        return fail(r, ODM_EMALFORMED);
                v = v << 7 | (c & 0x7f);
                if (!(c & 0x80)) {
                        *out = v;
                        return true;
                }
        }
        return fail(r, ODM_EMALFORMED);
}

static bool take_octets(struct reader *r, odm_str *out)
{
        uint32_t n = 0;

        if (!take_number(r, &n))
                return false;
        if (n > r->in.n)
                return fail(r, ODM_EMALFORMED);
        *out = odm_str_to(r->in, n);
        r->in = odm_str_from(r->in, n);
        return true;
}

static bool cut_zero(struct reader *r, odm_str from, odm_str *out)
{
        const char *zero = from.n ? memchr(from.p, 0, from.n) : NULL;

        if (zero == NULL)
                return fail(r, ODM_EMALFORMED);
        *out = odm_str_to(from, (size_t)(zero - from.p));
        return true;
}

static bool take_inline(struct reader *r, odm_str *out)
{
        if (!cut_zero(r, r->in, out))
                return false;
        r->in = odm_str_from(r->in, out->n + 1);
        return true;
}

static bool take_from_table(struct reader *r, odm_str *out)
{
        uint32_t at = 0;

        return take_number(r, &at) && cut_zero(r, odm_str_from(r->strings, at), out);
}

static bool take_character(struct reader *r, odm_str *out)
{
        uint32_t c = 0;
        char *p = odm_arena_get(r->a, UTF8_MOST);

        if (p == NULL)
                return fail(r, odm_arena_err(r->a));
        if (!take_number(r, &c))
                return false;
        if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
                return fail(r, ODM_EMALFORMED);
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (size_t i = n; i-- > 1; c >>= 6)
                p[i] = (char)(0x80 | (c & 0x3f));
        p[0] = (char)(n == 1 ? c : c | (0xf00u >> n & 0xf0u));
        *out = (odm_str){p, n};
        return true;
}

/* ---- attributes ------------------------------------------------------------------- */

static const struct prov_start *find_start(uint8_t page, uint8_t token)
{
        for (size_t i = 0; i < odm_prov_n_starts; i++)
                if (odm_prov_starts[i].page == page && odm_prov_starts[i].token == token)
                        return &odm_prov_starts[i];
        return NULL;
}

static odm_str find_text(uint8_t page, uint8_t token)
{
        for (size_t i = 0; i < odm_prov_n_texts; i++)
                if (odm_prov_texts[i].page == page && odm_prov_texts[i].token == token)
                        return odm_cstr(odm_prov_texts[i].text);
        return ODM_ABSENT;
}

static bool append(struct reader *r, odm_str *to, odm_str piece)
{
        if (to == NULL)
                return true;
        if (r->left-- == 0)
                return fail(r, ODM_ELIMIT);
        odm_str joined = to->n ? odm_arena_join(r->a, *to, piece) : piece;
        if (joined.p == NULL)
                return fail(r, odm_arena_err(r->a));
        *to = joined;
        return true;
}

/* A piece of a value; `to` NULL passes over it. */
static bool take_piece(struct reader *r, uint8_t c, struct element *e, odm_str *to)
{
        odm_str piece = ODM_ABSENT;

        if (c == PROV_STR_I    ? !take_inline(r, &piece)
            : c == PROV_STR_T  ? !take_from_table(r, &piece)
            : c == PROV_OPAQUE ? !take_octets(r, &piece)
            : c == PROV_ENTITY ? !take_character(r, &piece)
                               : false)
                return false;
        if (piece.p == NULL && c > PROV_STR_T)
                piece = find_text(r->page, c);
        if (piece.p == NULL) {
                if (c < 0x85)
                        return fail(r, ODM_EMALFORMED); /* an extension: nobody's here */
                e->unknown = true;
                return true;
        }
        return append(r, to, piece);
}

/* A token below 128: an attribute begins.  *to is where its value goes. */
static bool take_start(struct reader *r, uint8_t c, struct element *e, odm_str **to)
{
        const struct prov_start *s = find_start(r->page, c);
        odm_str name = ODM_ABSENT;

        *to = NULL;
        if (c == PROV_LITERAL) {
                if (!take_from_table(r, &name))
                        return false;
                static const char *const names[] = {"name", "value", "version", "type"};
                for (size_t i = 0; i < ODM_COUNT(names); i++)
                        if (odm_str_is(name, names[i]))
                                *to = &e->attr[i];
        } else if (s) {
                *to = &e->attr[s->attribute];
        } else {
                e->unknown = true;
                return true;
        }
        if (*to == NULL)
                return true; /* an attribute of another version */
        if ((*to)->p)
                return fail(r, ODM_EMALFORMED); /* twice */
        **to = odm_cstr(s ? s->text : "");
        return true;
}

static bool take_attributes(struct reader *r, struct element *e)
{
        odm_str *to = NULL;
        uint8_t c = 0;

        for (;;) {
                if (!take_byte(r, &c))
                        return false;
                if (c == PROV_END)
                        return true;
                bool ok = c == PROV_SWITCH ? take_byte(r, &r->page)
                          : c == PROV_STR_I || c == PROV_ENTITY || c & 0x80
                                  ? take_piece(r, c, e, to)
                                  : take_start(r, c, e, &to);
                if (!ok)
                        return false;
        }
}

/* ---- elements ---------------------------------------------------------------------- */

static bool add_characteristic(struct reader *r, const struct element *e, bool content)
{
        odm_prov *n = odm_new(r->a, odm_prov), **at = &r->up[r->depth]->children;

        if (n == NULL)
                return fail(r, odm_arena_err(r->a));
        n->type = e->unknown || e->attr[PROV_TYPE].p == NULL ? ODM_STR("") : e->attr[PROV_TYPE];
        while (*at)
                at = &(*at)->next;
        *at = n;
        if (!content)
                return true;
        if (r->depth == PROV_DEPTH)
                return fail(r, ODM_ELIMIT);
        r->up[++r->depth] = n;
        return true;
}

static bool add_parm(struct reader *r, const struct element *e, bool content)
{
        odm_prov_parm *p = odm_new(r->a, odm_prov_parm), **at = &r->up[r->depth]->parms;

        if (p == NULL)
                return fail(r, odm_arena_err(r->a));
        if (content) /* a parm is empty */
                return fail(r, ODM_EMALFORMED);
        if (!e->unknown) {
                p->name = e->attr[PROV_NAME];
                p->value = e->attr[PROV_VALUE];
        }
        if (p->name.p == NULL)
                p->name = ODM_STR("");
        while (*at)
                at = &(*at)->next;
        *at = p;
        return true;
}

static bool take_tag(struct reader *r, uint8_t c)
{
        unsigned tag = c & 0x3f;
        bool content = c & PROV_CONTENT;
        struct element e = {.unknown = false};

        if (r->left-- == 0)
                return fail(r, ODM_ELIMIT);
        if ((c & PROV_ATTRIBUTES) && !take_attributes(r, &e))
                return false;
        if (tag == PROV_CHARACTERISTIC)
                return add_characteristic(r, &e, content);
        if (tag == PROV_PARM)
                return add_parm(r, &e, content);
        return fail(r, ODM_EMALFORMED);
}

/* What is inside the document, up to its end. */
static bool take_content(struct reader *r)
{
        uint8_t c = 0, tag_page = 0;

        for (;;) {
                if (!take_byte(r, &c))
                        return false;
                if (c == PROV_END) {
                        if (r->depth == 0)
                                return true;
                        r->depth--;
                } else if (c == PROV_SWITCH) { /* the tags are the same on each page */
                        if (!take_byte(r, &tag_page))
                                return false;
                } else if (!take_tag(r, c)) {
                        return false;
                }
        }
}

static bool take_head(struct reader *r)
{
        uint8_t version = 0;
        uint32_t id = 0, index = 0, charset = 0;

        if (!take_byte(r, &version) || !take_number(r, &id) || (id == 0 && !take_number(r, &index)))
                return false;
        if (!take_number(r, &charset) || !take_octets(r, &r->strings))
                return false;
        if (version < 1 || version > 3 || id > PROV_ID || charset != PROV_UTF8)
                return fail(r, ODM_EMALFORMED);
        return true;
}

int odm_prov_decode(odm_str in, const odm_limits *lim, odm_arena *a, odm_prov **out)
{
        odm_prov *doc = odm_new(a, odm_prov);
        struct reader r = {.in = in, .a = a};
        struct element e = {.unknown = false};
        odm_limits defaults;
        uint8_t c = 0;

        if (doc == NULL)
                return odm_arena_err(a);
        odm_limits_init(&defaults);
        if (lim == NULL)
                lim = &defaults;
        if (in.n > lim->max_msg)
                return ODM_ELIMIT;
        r.left = lim->max_items;
        r.up[0] = doc;
        if (!take_head(&r) || !take_byte(&r, &c))
                return r.rc;
        if ((c & 0x3f) != PROV_DOC)
                return ODM_EMALFORMED;
        if ((c & PROV_ATTRIBUTES) && !take_attributes(&r, &e))
                return r.rc;
        if ((c & PROV_CONTENT) && !take_content(&r))
                return r.rc;
        if (r.in.n)
                return ODM_EMALFORMED;
        doc->type = e.attr[PROV_VERSION].p ? e.attr[PROV_VERSION] : ODM_STR("1.0");
        *out = doc;
        return 0;
}
