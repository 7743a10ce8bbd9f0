/* SPDX-License-Identifier: Apache-2.0 */
/* A Client Provisioning document written: WBXML for devices, XML for people
 * (dm-security-bootstrap-notification.md C2.2). */
#include <assert.h>

#include "odm/bootstrap.h"
#include "prov_token.h"

struct writer {
        odm_buf *b;
        uint8_t page; /* of attributes */
        bool xml;
        int rc; /* the first failure */
};

static void put(struct writer *w, odm_str s)
{
        if (w->rc == 0)
                w->rc = odm_buf_str(w->b, s);
}

static void put_byte(struct writer *w, unsigned c)
{
        if (w->rc == 0)
                w->rc = odm_buf_byte(w->b, (uint8_t)c);
}

static void put_token(struct writer *w, uint8_t page, uint8_t token)
{
        if (w->page != page) {
                put_byte(w, PROV_SWITCH);
                put_byte(w, page);
                w->page = page;
        }
        put_byte(w, token);
}

static void put_inline(struct writer *w, odm_str s)
{
        if (odm_str_has(s, '\0') && w->rc == 0)
                w->rc = ODM_EINVAL;
        put_byte(w, PROV_STR_I);
        put(w, s);
        put_byte(w, 0);
}

static const struct prov_start *find_start(enum prov_attribute attribute, odm_str text)
{
        for (size_t i = 0; i < odm_prov_n_starts; i++)
                if (odm_prov_starts[i].attribute == attribute &&
                    odm_str_is(text, odm_prov_starts[i].text))
                        return &odm_prov_starts[i];
        return NULL;
}

static const struct prov_text *find_text(odm_str text)
{
        for (size_t i = 0; i < odm_prov_n_texts; i++)
                if (odm_prov_texts[i].page == 1 && odm_str_is(text, odm_prov_texts[i].text))
                        return &odm_prov_texts[i];
        return NULL;
}

/* As one token where there is one for all of it, else as its own token and text. */
static void put_attribute(struct writer *w, enum prov_attribute attribute, odm_str text)
{
        const struct prov_start *whole = find_start(attribute, text);
        const struct prov_text *token = find_text(text);

        if (whole) {
                put_token(w, whole->page, whole->token);
                return;
        }
        const struct prov_start *bare = find_start(attribute, ODM_STR(""));
        assert(bare); /* each attribute has one in the table */
        put_token(w, bare->page, bare->token);
        if (token)
                put_token(w, token->page, token->token);
        else
                put_inline(w, text);
}

/* ---- XML ---------------------------------------------------------------------------- */

static void put_escaped(struct writer *w, const char *name, odm_str text)
{
        if (w->rc == 0 && !odm_xml_can_carry(text))
                w->rc = ODM_EINVAL;
        put(w, ODM_STR(" "));
        put(w, odm_cstr(name));
        put(w, ODM_STR("=\""));
        for (size_t i = 0; i < text.n; i++) {
                char c = text.p[i];
                put(w, c == '&'   ? ODM_STR("&amp;")
                       : c == '<' ? ODM_STR("&lt;")
                       : c == '>' ? ODM_STR("&gt;")
                       : c == '"' ? ODM_STR("&quot;")
                                  : (odm_str){&text.p[i], 1});
        }
        put(w, ODM_STR("\""));
}

/* ---- both ------------------------------------------------------------------------------ */

static const char *const tag_names[] = {[PROV_DOC] = "wap-provisioningdoc",
                                        [PROV_CHARACTERISTIC] = "characteristic",
                                        [PROV_PARM] = "parm"};

static void open_element(struct writer *w, const odm_prov *n, unsigned tag)
{
        bool content = n->children || n->parms;

        if (w->xml) {
                put(w, ODM_STR("<"));
                put(w, odm_cstr(tag_names[tag]));
                put_escaped(w, tag == PROV_DOC ? "version" : "type", n->type);
                put(w, content ? ODM_STR(">") : ODM_STR("/>"));
                return;
        }
        put_byte(w, tag | PROV_ATTRIBUTES | (content ? PROV_CONTENT : 0));
        put_attribute(w, tag == PROV_DOC ? PROV_VERSION : PROV_TYPE, n->type);
        put_byte(w, PROV_END);
}

static void close_element(struct writer *w, unsigned tag)
{
        if (!w->xml) {
                put_byte(w, PROV_END);
                return;
        }
        put(w, ODM_STR("</"));
        put(w, odm_cstr(tag_names[tag]));
        put(w, ODM_STR(">"));
}

static void put_parm(struct writer *w, const odm_prov_parm *p)
{
        if (w->xml) {
                put(w, ODM_STR("<parm"));
                put_escaped(w, "name", p->name);
                if (p->value.p)
                        put_escaped(w, "value", p->value);
                put(w, ODM_STR("/>"));
                return;
        }
        put_byte(w, PROV_PARM | PROV_ATTRIBUTES);
        put_attribute(w, PROV_NAME, p->name);
        if (p->value.p)
                put_attribute(w, PROV_VALUE, p->value);
        put_byte(w, PROV_END);
}

static void begin(struct writer *w, const odm_prov *n, unsigned tag)
{
        open_element(w, n, tag);
        for (const odm_prov_parm *p = n->parms; p; p = p->next)
                put_parm(w, p);
}

/* Parms come before characteristics, as the documents have them. */
static int write_all(struct writer *w, const odm_prov *doc)
{
        const odm_prov *up[PROV_DEPTH + 1] = {doc}, *n = doc->children;
        size_t start = w->b->n;
        unsigned depth = 0;

        begin(w, doc, PROV_DOC);
        while (n && w->rc == 0) {
                begin(w, n, PROV_CHARACTERISTIC);
                if (n->children && depth == PROV_DEPTH) {
                        w->rc = ODM_ELIMIT;
                } else if (n->children) {
                        up[++depth] = n;
                        n = n->children;
                        continue;
                } else if (n->parms) {
                        close_element(w, PROV_CHARACTERISTIC);
                }
                while (depth && n->next == NULL) {
                        n = up[depth--];
                        close_element(w, PROV_CHARACTERISTIC);
                }
                n = n->next;
        }
        if (doc->children || doc->parms)
                close_element(w, PROV_DOC);
        if (w->rc < 0)
                odm_buf_cut(w->b, start);
        return w->rc;
}

int odm_prov_encode(const odm_prov *doc, odm_buf *out)
{
        static const uint8_t head[] = {3, PROV_ID, PROV_UTF8, 0};
        struct writer w = {.b = out};
        size_t start = out->n;
        int rc = odm_buf_put(out, head, sizeof head);

        if (rc == 0)
                rc = write_all(&w, doc);
        if (rc < 0)
                odm_buf_cut(out, start);
        return rc;
}

int odm_prov_xml(const odm_prov *doc, odm_buf *out)
{
        struct writer w = {.b = out, .xml = true};

        return write_all(&w, doc);
}
