/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and documents to WBXML (dm-representation.md 4): version 1.2, UTF-8, no string
 * table but a document's public identifier.  Text is STR_I, octets are OPAQUE; text with a
 * zero in it, which STR_I cannot hold, is OPAQUE as well. */
#include "element.h"
#include "sink.h"
#include "wbxml.h"

/* The page of what comes next; there is room for two octets. */
static inline void switch_page(struct sink *s, unsigned id)
{
        if (s->page != PAGE(id)) {
                s->page = (uint8_t)PAGE(id);
                s->at[0] = WB_SWITCH_PAGE;
                s->at[1] = (char)s->page;
                s->at += 2;
        }
}

static inline void put_tag(struct sink *s, unsigned id, unsigned content)
{
        if (sink_room(s, 3)) {
                switch_page(s, id);
                *s->at++ = (char)(TOKEN(id) | content);
        }
}

static inline void put_open(struct sink *s, unsigned id)
{
        put_tag(s, id, WB_CONTENT);
}

static inline void put_close(struct sink *s, unsigned id)
{
        (void)id;
        sink_byte(s, WB_END);
}

static inline void put_empty(struct sink *s, unsigned id)
{
        put_tag(s, id, 0);
}

static unsigned number_size(size_t v)
{
        unsigned n = 1;

        while (v >>= 7)
                n++;
        return n;
}

static void put_number(struct sink *s, size_t v)
{
        for (unsigned n = number_size(v); n-- > 0;)
                sink_byte(s, (uint8_t)((v >> (7 * n) & 0x7f) | (n ? 0x80 : 0)));
}

static void put_opaque(struct sink *s, unsigned id, odm_str octets)
{
        if (octets.n > UINT32_MAX) {
                s->rc = s->rc ? s->rc : ODM_ELIMIT;
                return;
        }
        put_open(s, id);
        sink_byte(s, WB_OPAQUE);
        put_number(s, octets.n);
        sink_put(s, octets.p, octets.n);
        put_close(s, id);
}

#define SHORT 16

/* Not zero when an octet of the word is; which one, it does not tell. */
static inline uint64_t has_zero(uint64_t w)
{
        const uint64_t ones = UINT64_C(0x0101010101010101);

        return (w - ones) & ~w & ones << 7;
}

/* Copies n octets, 1 to SHORT; false, and the copy void, when one of them is zero.  Words
 * are copied whole, the last one perhaps overlapping the one before. */
static inline bool copy_short(char *to, const char *from, size_t n)
{
        uint64_t w, v;
        uint32_t first, last;

        if (n >= 8) {
                memcpy(&w, from, 8);
                memcpy(&v, from + n - 8, 8);
                memcpy(to, &w, 8);
                memcpy(to + n - 8, &v, 8);
                return (has_zero(w) | has_zero(v)) == 0;
        }
        if (n >= 4) {
                memcpy(&first, from, 4);
                memcpy(&last, from + n - 4, 4);
                memcpy(to, &first, 4);
                memcpy(to + n - 4, &last, 4);
                return has_zero((uint64_t)first << 32 | last) == 0;
        }
        uint8_t a = (uint8_t)from[0], b = (uint8_t)from[n / 2], c = (uint8_t)from[n - 1];
        to[0] = (char)a;
        to[n / 2] = (char)b;
        to[n - 1] = (char)c;
        return (unsigned)a * b * c != 0;
}

/* Ends what begins at `at` and holds n octets of text. */
static inline void put_around(struct sink *s, unsigned id, char *at, size_t n)
{
        at[0] = (char)(TOKEN(id) | WB_CONTENT);
        at[1] = WB_STR_I;
        at += 2 + n;
        at[0] = 0;
        at[1] = WB_END;
        s->at = at + 2;
}

/* Text that is empty, long, holds a zero or does not fit yet.  Apart, so that the usual
 * case saves no registers for it. */
__attribute__((noinline)) static void put_unusual(struct sink *s, unsigned id, odm_str text)
{
        if (text.n == 0) {
                put_empty(s, id);
        } else if (memchr(text.p, 0, text.n)) {
                put_opaque(s, id, text);
        } else if (sink_room(s, text.n + 6)) {
                switch_page(s, id);
                memcpy(s->at + 2, text.p, text.n);
                put_around(s, id, s->at, text.n);
        }
}

static inline void put_text(struct sink *s, unsigned id, odm_str text)
{
        if (text.n - 1 >= SHORT || (size_t)(s->end - s->at) < text.n + 6) {
                put_unusual(s, id, text);
                return;
        }
        switch_page(s, id);
        if (copy_short(s->at + 2, text.p, text.n))
                put_around(s, id, s->at, text.n);
        else
                put_unusual(s, id, text);
}

static inline void put_data(struct sink *s, unsigned id, const odm_data *d)
{
        if (d->kind == ODM_DATA_OPAQUE)
                put_opaque(s, id, d->bytes);
        else
                put_text(s, id, d->bytes);
}

static inline void put_nonce(struct sink *s, const odm_meta *m);
static inline void put_format(struct sink *s, odm_format f);
static void put_value(struct sink *s, const odm_doc_node *n);

#include "walk_doc.h"

static inline void put_nonce(struct sink *s, const odm_meta *m)
{
        if (m->nonce_raw)
                put_opaque(s, E1_NextNonce, m->next_nonce);
        else
                put_text(s, E1_NextNonce, m->next_nonce);
}

static inline void put_format(struct sink *s, odm_format f)
{
        put_text(s, E1_Format, f == ODM_FMT_CHR ? ODM_STR("chr") : odm_cstr(odm_format_name(f)));
}

/* ---- messages ------------------------------------------------------------------ */

static int begin(odm_writer *w, const odm_hdr *hdr)
{
        static const uint8_t head[] = {2, 0xa4, 0x01, WB_UTF8, 0};
        static const uint8_t head_1_1[] = {2, 0x9f, 0x53, WB_UTF8, 0};
        struct sink s = sink_begin(w->buf, 0);

        sink_put(&s, odm_str_is(hdr->ver_dtd, "1.1") ? head_1_1 : head, sizeof head);
        put_open(&s, E0_SyncML);
        walk_header(&s, hdr);
        put_open(&s, E0_SyncBody);
        int rc = sink_end(&s);
        if (rc == 0)
                w->page = s.page;
        return rc;
}

static int command(odm_writer *w, const odm_command *cmd)
{
        struct sink s = sink_begin(w->buf, w->page);

        walk_command(&s, cmd);
        int rc = sink_end(&s);
        if (rc == 0)
                w->page = s.page;
        return rc;
}

static int end(odm_writer *w, bool final)
{
        struct sink s = sink_begin(w->buf, w->page);

        walk_flag(&s, E0_Final, final);
        put_close(&s, E0_SyncBody);
        put_close(&s, E0_SyncML);
        int rc = sink_end(&s);
        if (rc == 0)
                w->page = s.page;
        return rc;
}

static size_t tail(const odm_writer *w, bool final)
{
        return 2 + (final ? 1 + (w->page ? 2 : 0) : 0);
}

/* Data's tag and END, OPAQUE and its length: how much is left of room. */
static size_t opaque_fit(size_t room)
{
        for (unsigned k = 1; k <= 5; k++)
                if (room >= 3 + k && number_size(room - 3 - k) <= k)
                        return room - 3 - k;
        return 0;
}

static size_t fit(const odm_data *d, size_t off, size_t room)
{
        odm_str rest = odm_str_from(d->bytes, off);
        odm_str most = odm_str_to(rest, opaque_fit(room));

        if (d->kind == ODM_DATA_OPAQUE)
                return most.n;
        odm_str text = odm_str_to(rest, room > 4 ? room - 4 : 0);
        if (odm_str_has(text, 0)) {
                text = most;
                if (!odm_str_has(text, 0)) /* the zero itself has no room */
                        text.n += (text.n < rest.n && rest.p[text.n] != 0 && text.n + 5 <= room);
        }
        return odm_utf8_cut(rest, text.n);
}

/* ---- documents ------------------------------------------------------------------ */

/* The octets of a bin node travel as they are; in the data they may be base64. */
static void put_value(struct sink *s, const odm_doc_node *n)
{
        odm_format f = n->format != ODM_FMT_ABSENT ? n->format : n->df_format;
        odm_str octets;
        odm_arena a;

        if (f != ODM_FMT_BIN || n->value.kind != ODM_DATA_TEXT) {
                put_data(s, E2_Value, &n->value);
                return;
        }
        odm_arena_init(&a, s->buf->mem, SIZE_MAX / 2);
        int rc = odm_b64_decode(&a, n->value.bytes, &octets);
        if (rc == 0)
                put_opaque(s, E2_Value, octets);
        else if (rc == ODM_EMALFORMED) /* no base64: left to whoever reads it */
                put_text(s, E2_Value, n->value.bytes);
        else if (s->rc == 0)
                s->rc = rc;
        odm_arena_done(&a);
}

static int doc_encode(const odm_doc *d, bool df, odm_buf *out)
{
        static const char head[] = "\x02\x00\x00\x6a\x1b-//OMA//DTD-DM-DDF 1.2//EN";
        struct sink s = sink_begin(out, 0);

        sink_put(&s, head, sizeof head); /* its zero ends the string table's one string */
        put_open(&s, E2_MgmtTree);
        walk_doc(&s, d, df);
        put_close(&s, E2_MgmtTree);
        return sink_end(&s);
}

const odm_codec odm_codec_wbxml = {
        .name = "wbxml",
        .mime = "application/vnd.syncml.dm+wbxml",
        .tnds_mime = "application/vnd.syncml.dmtnds+wbxml",
        .ddf_mime = "application/vnd.syncml.dmddf+wbxml",
        .binary = true,
        .is = odm_wbxml_is,
        .decode = odm_wbxml_decode,
        .begin = begin,
        .command = command,
        .end = end,
        .tail = tail,
        .fit = fit,
        .doc_decode = odm_wbxml_doc_decode,
        .doc_encode = doc_encode,
};
