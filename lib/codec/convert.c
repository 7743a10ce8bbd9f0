/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the two forms of one message (dm-representation.md 4.10 rule 6):
 * octets become base64 for XML, and a TNDS or DDF document inside Data takes the form of the
 * message around it. */
#include "builder.h"

#define TNDS "application/vnd.syncml.dmtnds+"
#define DDF "application/vnd.syncml.dmddf+"

static odm_str b64_of(odm_str octets, odm_arena *arena, int *rc)
{
        odm_str text = odm_b64_encode(arena, octets);

        if (text.p == NULL)
                *rc = odm_arena_err(arena);
        return text;
}

/* Raw octets to base64 text; 0 or an error. */
static int nonce_to_text(odm_meta *m, odm_arena *arena)
{
        int rc = 0;

        if (!m->nonce_raw)
                return 0;
        odm_str text = b64_of(m->next_nonce, arena, &rc);
        if (rc < 0)
                return rc;
        m->next_nonce = text;
        m->nonce_raw = false;
        return 0;
}

static void set_data(odm_item *i, odm_data_kind kind, odm_str bytes)
{
        if (i->meta.has_size && i->meta.size == i->data.bytes.n)
                i->meta.size = bytes.n;
        i->data = (odm_data){kind, bytes};
}

static int octets_to_b64(odm_item *i, odm_arena *arena)
{
        int rc = 0;
        odm_str text = b64_of(i->data.bytes, arena, &rc);

        if (rc < 0)
                return rc;
        set_data(i, ODM_DATA_TEXT, text);
        i->meta.present = true;
        i->meta.format = ODM_FMT_B64;
        i->meta.format_text = ODM_STR("b64");
        return 0;
}

/* The document in `in`, encoded for `to`, in the arena. */
static int reform(odm_str in, const odm_codec *to, bool df, odm_arena *arena, odm_str *out)
{
        odm_limits lim;
        odm_doc *doc;
        odm_buf buf;
        odm_str copy = ODM_ABSENT;
        int rc;

        odm_buf_init(&buf, arena->mem, arena->max);
        odm_limits_init(&lim);
        lim.max_msg = in.n; /* the message around it was let in */
        lim.max_depth = ODM_DEPTH_MOST;
        rc = odm_doc_decode(in, &lim, arena, &doc);
        if (rc == 0)
                rc = odm_doc_encode(to, doc, df, &buf);
        if (rc == ODM_EINVAL) /* it holds what `to` cannot carry */
                rc = ODM_EMALFORMED;
        if (rc == 0) {
                copy = odm_arena_copy(arena, odm_buf_view(&buf));
                rc = copy.p ? 0 : odm_arena_err(arena);
        }
        odm_buf_done(&buf);
        if (rc == 0)
                *out = copy;
        return rc;
}

static bool has_form_of(const odm_codec *c, odm_str doc)
{
        const odm_codec *guess = odm_codec_guess(doc);

        return odm_codec_is_binary(c) ? guess == NULL || guess == c : guess == c;
}

static int convert_doc(odm_item *i, const odm_codec *to, bool df, odm_arena *arena)
{
        odm_str doc = ODM_ABSENT;

        int rc = 0;

        if (!has_form_of(to, i->data.bytes)) {
                rc = reform(i->data.bytes, to, df, arena, &doc);
                if (rc < 0)
                        return rc;
                set_data(i, odm_codec_is_binary(to) ? ODM_DATA_OPAQUE : ODM_DATA_XML, doc);
        }
        i->meta.present = true;
        i->meta.type = odm_cstr(df ? to->ddf_mime : to->tnds_mime);
        return rc;
}

static int convert_item(const odm_command *c, odm_item *i, const odm_codec *to, odm_arena *arena)
{
        odm_meta m = odm_meta_of(c, i);
        bool tnds = odm_str_starts(m.type, TNDS);
        bool doc = tnds || odm_str_starts(m.type, DDF);

        if (i->data.kind == ODM_DATA_ABSENT || i->data.bytes.n == 0 || i->more ||
            m.format == ODM_FMT_B64)
                return 0;
        if (doc)
                return convert_doc(i, to, !tnds, arena);
        if (!odm_codec_is_binary(to) && i->data.kind == ODM_DATA_OPAQUE && m.format == ODM_FMT_BIN)
                return octets_to_b64(i, arena);
        return 0;
}

static int convert_command(odm_command *c, const odm_codec *to, odm_arena *arena)
{
        bool xml = !odm_codec_is_binary(to);
        int rc = xml ? nonce_to_text(&c->meta, arena) : 0; /* a Status' chal is the same */

        if (rc == 0 && xml && c->cred)
                rc = nonce_to_text(&c->cred->meta, arena);
        for (odm_item *i = c->items; i && rc == 0; i = i->next) {
                if (xml)
                        rc = nonce_to_text(&i->meta, arena);
                if (rc == 0)
                        rc = convert_item(c, i, to, arena);
        }
        return rc;
}

static int convert_hdr(odm_hdr *h, const odm_codec *to, odm_arena *arena)
{
        int rc = 0;

        if (!odm_codec_is_binary(to)) {
                rc = nonce_to_text(&h->meta, arena);
                if (rc == 0)
                        rc = nonce_to_text(&h->cred.meta, arena);
        }
        return rc;
}

int odm_msg_convert(odm_msg *m, const odm_codec *to, odm_arena *arena)
{
        odm_command *up[ODM_DEPTH_MOST];
        size_t depth = 0;
        odm_command *c = m->body;
        int rc = convert_hdr(&m->hdr, to, arena);

        if (rc < 0)
                return rc;
        while (c) {
                rc = convert_command(c, to, arena);
                if (rc < 0)
                        return rc;
                if (c->body) {
                        if (depth == ODM_COUNT(up))
                                return ODM_ELIMIT;
                        up[depth++] = c;
                        c = c->body;
                        continue;
                }
                while (c->next == NULL && depth > 0)
                        c = up[--depth];
                c = c->next;
        }
        return 0;
}
