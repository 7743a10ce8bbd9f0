/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec_ops.h"
#include "oracle.h"

static void *heap_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx, (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

static const odm_mem mem = {heap_resize, NULL};
static const odm_limits wide = {.max_msg = 1 << 28,
                                .max_depth = ODM_DEPTH_MOST,
                                .max_commands = 1 << 20,
                                .max_items = 1 << 20};

static void must(bool holds, const char *what)
{
        if (!holds) {
                fprintf(stderr, "oracle: %s\n", what);
                abort();
        }
}

static void must_be_same(const odm_buf *a, const odm_buf *b, const char *what)
{
        if (odm_str_eq(odm_buf_view(a), odm_buf_view(b)))
                return;
        fprintf(stderr, "oracle: %s\n--- before\n%.*s\n--- after\n%.*s\n", what, (int)a->n, a->p,
                (int)b->n, b->p);
        abort();
}

/* ---- dump ------------------------------------------------------------------- */

static void put(odm_buf *out, const char *label, odm_str s)
{
        if (s.p == NULL)
                return;
        must(odm_buf_fmt(out, " %s=%zu:", label, s.n) == 0 && odm_buf_str(out, s) == 0, "dump");
}

static void put_number(odm_buf *out, const char *label, bool there, uint64_t v)
{
        if (there)
                must(odm_buf_fmt(out, " %s=%llu", label, (unsigned long long)v) == 0, "dump");
}

static void put_meta(odm_buf *out, const odm_meta *m)
{
        if (!m->present)
                return;
        must(odm_buf_fmt(out, " meta(format=%d", (int)m->format) == 0, "dump");
        if (m->format == ODM_FMT_OTHER)
                put(out, "word", m->format_text);
        put(out, "type", m->type);
        put(out, "mark", m->mark);
        put(out, m->nonce_raw ? "raw" : "nonce", m->next_nonce);
        put_number(out, "size", m->has_size, m->size);
        put_number(out, "msg", m->has_max_msg, m->max_msg);
        put_number(out, "obj", m->has_max_obj, m->max_obj);
        must(odm_buf_byte(out, ')') == 0, "dump");
}

static void put_cred(odm_buf *out, const odm_cred *c)
{
        put_number(out, "cred", c->present, 1);
        put_meta(out, &c->meta);
        put(out, "secret", c->data);
}

static void put_refs(odm_buf *out, const char *label, const odm_ref *r)
{
        for (; r; r = r->next)
                put(out, label, r->uri);
}

static void put_item(odm_buf *out, const odm_item *i)
{
        must(odm_buf_fmt(out, "\n  item") == 0, "dump");
        put(out, "target", i->target);
        put(out, "name", i->target_name);
        put(out, "source", i->source);
        put(out, "name", i->source_name);
        put_meta(out, &i->meta);
        if (i->data.kind != ODM_DATA_ABSENT)
                put(out, "data", i->data.bytes);
        put_number(out, "more", i->more, 1);
}

static void put_command(odm_buf *out, const odm_command *c, size_t depth)
{
        must(odm_buf_fmt(out, "\n%zu %s", depth, odm_cmd_name(c->kind)) == 0, "dump");
        put(out, "name", c->name);
        put(out, "id", c->cmd_id);
        put_number(out, "noresp", c->no_resp, 1);
        put_meta(out, &c->meta); /* or chal */
        put_number(out, "code", c->code != 0, c->code);
        put(out, "correlator", c->correlator);
        put(out, "msgref", c->msg_ref);
        put(out, "cmdref", c->cmd_ref);
        put(out, "cmd", c->cmd);
        put_refs(out, "targetref", c->target_refs);
        put_refs(out, "sourceref", c->source_refs);
        if (c->cred)
                put_cred(out, c->cred);
        for (const odm_item *i = c->items; i; i = i->next)
                put_item(out, i);
}

static void put_header(odm_buf *out, const odm_hdr *h)
{
        put(out, "dtd", h->ver_dtd);
        put(out, "proto", h->ver_proto);
        put(out, "session", h->session_id);
        put(out, "msg", h->msg_id);
        put(out, "target", h->target);
        put(out, "name", h->target_name);
        put(out, "source", h->source);
        put(out, "name", h->source_name);
        put(out, "resp", h->resp_uri);
        put_number(out, "noresp", h->no_resp, 1);
        put_cred(out, &h->cred);
        put_meta(out, &h->meta);
}

void dump_msg(const odm_msg *m, odm_buf *out)
{
        const odm_command *up[ODM_DEPTH_MOST], *c = m->body;
        size_t depth = 0;

        put_header(out, &m->hdr);
        put_number(out, "final", m->final, 1);
        while (c) {
                put_command(out, c, depth);
                if (c->body) {
                        up[depth++] = c;
                        c = c->body;
                        continue;
                }
                while (c->next == NULL && depth > 0)
                        c = up[--depth];
                c = c->next;
        }
}

/* A bin value is its octets, which XML has as base64. */
static void put_value(odm_buf *out, const odm_doc_node *n)
{
        odm_format f = n->format != ODM_FMT_ABSENT ? n->format : n->df_format;
        odm_str s = n->value.bytes;
        odm_arena a;

        if (n->value.kind == ODM_DATA_ABSENT)
                return;
        odm_arena_init(&a, &mem, 1 << 28);
        if (f == ODM_FMT_BIN && n->value.kind == ODM_DATA_TEXT)
                (void)!odm_b64_decode(&a, s, &s);
        put(out, "value", s);
        odm_arena_done(&a);
}

static void put_node(odm_buf *out, const odm_doc_node *n, size_t depth)
{
        must(odm_buf_fmt(out, "\n%zu", depth) == 0, "dump");
        put(out, "name", n->name);
        put(out, "path", n->path);
        put_value(out, n);
        put_number(out, "rt", n->has_rt, 1);
        put(out, "acl", n->acl);
        put(out, "title", n->title);
        put(out, "tstamp", n->tstamp);
        put(out, "verno", n->ver_no);
        put_number(out, "format", true, n->format);
        put(out, n->type_is_ddf_name ? "ddfname" : "mime", n->type);
        put_number(out, "df", n->has_df, 1);
        put_number(out, "access", true, n->access);
        put(out, "default", n->default_value);
        put(out, "description", n->description);
        put(out, "dftitle", n->df_title);
        put_number(out, "dfformat", true, n->df_format);
        put_number(out, "occurs", true, n->occurs);
        put_number(out, "n", n->occurs >= ODM_OCC_ZERO_OR_N, n->occurs_n);
        put_number(out, "permanent", n->permanent, 1);
        put_number(out, "anycase", n->any_case, 1);
        put_refs(out, n->df_type_is_ddf_name ? "dfddfname" : "dfmime", n->df_types);
}

void dump_doc(const odm_doc *d, odm_buf *out)
{
        const odm_doc_node *up[ODM_DEPTH_MOST], *n = d->nodes;
        size_t depth = 0;

        put(out, "dtd", d->ver_dtd);
        put(out, "man", d->man);
        put(out, "mod", d->mod);
        while (n) {
                put_node(out, n, depth);
                if (n->children) {
                        up[depth++] = n;
                        n = n->children;
                        continue;
                }
                while (n->next == NULL && depth > 0)
                        n = up[--depth];
                n = n->next;
        }
}

/* ---- oracles ------------------------------------------------------------------ */

static bool has_unknown(const odm_msg *m)
{
        odm_buf text;

        odm_buf_init(&text, &mem, 1 << 28);
        dump_msg(m, &text);
        bool found = text.n && memmem(text.p, text.n, " ? name=", 8);
        odm_buf_done(&text);
        return found;
}

/* Encodes m for c and decodes that again: the same fields. */
static void must_survive(const odm_codec *c, const odm_msg *m, bool may_refuse, const char *what)
{
        odm_arena a;
        odm_buf bytes, before, after;
        odm_msg *again;

        odm_arena_init(&a, &mem, 1 << 28);
        odm_buf_init(&bytes, &mem, 1 << 28);
        odm_buf_init(&before, &mem, 1 << 28);
        odm_buf_init(&after, &mem, 1 << 28);
        int rc = odm_encode(c, m, &bytes);
        if (rc == ODM_EINVAL) {
                must(may_refuse, what);
        } else {
                must(rc == 0, what);
                must(odm_decode(c, odm_buf_view(&bytes), &wide, &a, &again) == 0, what);
                dump_msg(m, &before);
                dump_msg(again, &after);
                must_be_same(&before, &after, what);
        }
        odm_buf_done(&after);
        odm_buf_done(&before);
        odm_buf_done(&bytes);
        odm_arena_done(&a);
}

int oracle_msg(const odm_codec *c, odm_str in)
{
        const odm_codec *other = c == &odm_codec_xml ? &odm_codec_wbxml : &odm_codec_xml;
        odm_arena a;
        odm_msg *m;

        odm_arena_init(&a, &mem, 1 << 26);
        int rc = odm_decode(c, in, NULL, &a, &m);
        if (rc == 0) {
                bool unknown = has_unknown(m);
                bool zero =
                        c == &odm_codec_xml && memchr(in.p, '\0', in.n); /* read, never written */
                must_survive(c, m, unknown || zero, "the same codec");
                if (odm_msg_convert(m, other, &a) == 0)
                        must_survive(other, m, unknown || other == &odm_codec_xml,
                                     "the other codec");
        }
        odm_arena_done(&a);
        return rc;
}

static void doc_must_survive(const odm_codec *c, const odm_doc *d, const char *what)
{
        odm_arena a;
        odm_buf bytes, before, after;
        odm_doc *again;

        odm_arena_init(&a, &mem, 1 << 28);
        odm_buf_init(&bytes, &mem, 1 << 28);
        odm_buf_init(&before, &mem, 1 << 28);
        odm_buf_init(&after, &mem, 1 << 28);
        int rc = odm_doc_encode(c, d, true, &bytes);
        if (rc == ODM_EINVAL) {
                must(c == &odm_codec_xml, what);
        } else {
                must(rc == 0, what);
                must(odm_doc_decode(odm_buf_view(&bytes), &wide, &a, &again) == 0, what);
                dump_doc(d, &before);
                dump_doc(again, &after);
                must_be_same(&before, &after, what);
        }
        odm_buf_done(&after);
        odm_buf_done(&before);
        odm_buf_done(&bytes);
        odm_arena_done(&a);
}

int oracle_doc(odm_str in)
{
        odm_arena a;
        odm_doc *d;

        odm_arena_init(&a, &mem, 1 << 26);
        int rc = odm_doc_decode(in, NULL, &a, &d);
        if (rc == 0) {
                doc_must_survive(&odm_codec_wbxml, d, "the document as WBXML");
                doc_must_survive(&odm_codec_xml, d, "the document as XML");
        }
        odm_arena_done(&a);
        return rc;
}
