/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and documents to XML (dm-representation.md 1): no blanks between elements, text
 * escaped, the children of Meta with their name space on each. */
#include "element.h"
#include "sink.h"
#include "xml.h"

#define SPACE_0 ""
#define SPACE_1 " xmlns=\"syncml:metinf\""
#define SPACE_2 ""

/* <Name xmlns="..."> and </Name>; <Name/> is made of the first. */
static const struct tag {
        const char *open, *close;
        uint8_t open_n, close_n;
} tags[ELEMENTS] = {
#define X(page, token, name)                                              \
        [E##page##_##name] = {"<" #name SPACE_##page ">", "</" #name ">", \
                              sizeof("<" #name SPACE_##page ">") - 1, sizeof("</" #name ">") - 1},
        ELEMENT_LIST(X)
#undef X
};

static inline void put_open(struct sink *s, unsigned id)
{
        sink_put(s, tags[id].open, tags[id].open_n);
}

static inline void put_close(struct sink *s, unsigned id)
{
        sink_put(s, tags[id].close, tags[id].close_n);
}

static inline void put_empty(struct sink *s, unsigned id)
{
        sink_put(s, tags[id].open, tags[id].open_n - 1u);
        sink_put(s, "/>", 2);
}

static void put_text(struct sink *s, unsigned id, odm_str text)
{
        if (text.n == 0) {
                put_empty(s, id);
                return;
        }
        put_open(s, id);
        odm_sink_escaped(s, text);
        put_close(s, id);
}

static void put_data(struct sink *s, unsigned id, const odm_data *d)
{
        if (d->kind != ODM_DATA_XML || d->bytes.n == 0) {
                put_text(s, id, d->bytes);
                return;
        }
        put_open(s, id);
        sink_put(s, d->bytes.p, d->bytes.n);
        put_close(s, id);
}

static void put_b64(struct sink *s, unsigned id, odm_str octets)
{
        odm_arena a;

        odm_arena_init(&a, s->buf->mem, SIZE_MAX / 2);
        odm_str text = odm_b64_encode(&a, octets);
        if (text.p)
                put_text(s, id, text);
        else if (s->rc == 0)
                s->rc = odm_arena_err(&a);
        odm_arena_done(&a);
}

static inline void put_nonce(struct sink *s, const odm_meta *m);
static inline void put_format(struct sink *s, odm_format f);
static void put_value(struct sink *s, const odm_doc_node *n);

#include "walk_doc.h"

static inline void put_nonce(struct sink *s, const odm_meta *m)
{
        if (m->nonce_raw)
                put_b64(s, E1_NextNonce, m->next_nonce);
        else
                put_text(s, E1_NextNonce, m->next_nonce);
}

static inline void put_format(struct sink *s, odm_format f)
{
        put_text(s, E1_Format, odm_cstr(odm_format_name(f)));
}

static void put_literal(struct sink *s, odm_str text)
{
        sink_put(s, text.p, text.n);
}

/* ---- messages ------------------------------------------------------------------ */

static int begin(odm_writer *w, const odm_hdr *hdr)
{
        struct sink s = sink_begin(w->buf, 0);

        put_literal(&s, ODM_STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
        put_literal(&s, odm_str_is(hdr->ver_dtd, "1.1")
                                ? ODM_STR("<SyncML xmlns=\"SYNCML:SYNCML1.1\">")
                                : ODM_STR("<SyncML xmlns=\"SYNCML:SYNCML1.2\">"));
        walk_header(&s, hdr);
        put_open(&s, E0_SyncBody);
        return sink_end(&s);
}

static int command(odm_writer *w, const odm_command *cmd)
{
        struct sink s = sink_begin(w->buf, 0);

        walk_command(&s, cmd);
        return sink_end(&s);
}

static int end(odm_writer *w, bool final)
{
        struct sink s = sink_begin(w->buf, 0);

        walk_flag(&s, E0_Final, final);
        put_close(&s, E0_SyncBody);
        put_close(&s, E0_SyncML);
        return sink_end(&s);
}

static size_t tail(const odm_writer *w, bool final)
{
        (void)w;
        return sizeof "</SyncBody></SyncML>" - 1 + (final ? sizeof "<Final/>" - 1 : 0);
}

static size_t fit(const odm_data *d, size_t off, size_t room)
{
        const size_t around = sizeof "<Data></Data>" - 1;
        odm_str rest = odm_str_from(d->bytes, off);

        if (room <= around)
                return 0;
        if (d->kind == ODM_DATA_XML && off == 0 && rest.n <= room - around)
                return rest.n;
        return odm_escaped_fit(rest, room - around);
}

/* ---- documents ------------------------------------------------------------------ */

/* The octets of a bin node are base64 in XML (dm-tree.md 8). */
static void put_value(struct sink *s, const odm_doc_node *n)
{
        odm_format f = n->format != ODM_FMT_ABSENT ? n->format : n->df_format;

        if (f == ODM_FMT_BIN && n->value.kind == ODM_DATA_OPAQUE)
                put_b64(s, E2_Value, n->value.bytes);
        else
                put_data(s, E2_Value, &n->value);
}

static int doc_encode(const odm_doc *d, bool df, odm_buf *out)
{
        struct sink s = sink_begin(out, 0);

        put_literal(&s, ODM_STR("<MgmtTree xmlns=\"syncml:dmddf1.2\">"));
        walk_doc(&s, d, df);
        put_close(&s, E2_MgmtTree);
        return sink_end(&s);
}

const odm_codec odm_codec_xml = {
        .name = "xml",
        .mime = "application/vnd.syncml.dm+xml",
        .tnds_mime = "application/vnd.syncml.dmtnds+xml",
        .ddf_mime = "application/vnd.syncml.dmddf+xml",
        .binary = false,
        .is = odm_xml_is,
        .decode = odm_xml_decode,
        .begin = begin,
        .command = command,
        .end = end,
        .tail = tail,
        .fit = fit,
        .doc_decode = odm_xml_doc_decode,
        .doc_encode = doc_encode,
};
