/* SPDX-License-Identifier: Apache-2.0 */
/* The interface before the codecs; names neither, so that a program links what it names. */
#include "codec_ops.h"

void odm_limits_init(odm_limits *l)
{
        *l = (odm_limits){
                .max_msg = 1 << 20, .max_depth = 32, .max_commands = 4096, .max_items = 16384};
}

const char *odm_codec_name(const odm_codec *c)
{
        return c->name;
}

const char *odm_codec_mime(const odm_codec *c)
{
        return c->mime;
}

const char *odm_codec_tnds_mime(const odm_codec *c)
{
        return c->tnds_mime;
}

bool odm_codec_is_binary(const odm_codec *c)
{
        return c->binary;
}

int odm_decode(const odm_codec *c, odm_str in, const odm_limits *lim, odm_arena *arena,
               odm_msg **out)
{
        return c->decode(in, lim, arena, out);
}

int odm_write_begin(odm_writer *w, const odm_codec *c, odm_buf *buf, const odm_hdr *hdr)
{
        *w = (odm_writer){.codec = c, .buf = buf, .start = buf->n};
        return c->begin(w, hdr);
}

int odm_write_command(odm_writer *w, const odm_command *cmd)
{
        return w->codec->command(w, cmd);
}

int odm_write_end(odm_writer *w, bool final)
{
        return w->codec->end(w, final);
}

size_t odm_write_size(const odm_writer *w, bool final)
{
        return w->buf->n - w->start + w->codec->tail(w, final);
}

odm_mark odm_write_mark(const odm_writer *w)
{
        return (odm_mark){w->buf->n, w->page};
}

void odm_write_undo(odm_writer *w, odm_mark m)
{
        odm_buf_cut(w->buf, m.n);
        w->page = m.page;
}

size_t odm_write_fit(const odm_writer *w, const odm_data *d, size_t off, size_t room)
{
        return w->codec->fit(d, off, room);
}

int odm_encode(const odm_codec *c, const odm_msg *m, odm_buf *out)
{
        odm_writer w;
        size_t before = out->n;
        int rc = odm_write_begin(&w, c, out, &m->hdr);

        for (const odm_command *cmd = m->body; cmd && rc == 0; cmd = cmd->next)
                rc = odm_write_command(&w, cmd);
        if (rc == 0)
                rc = odm_write_end(&w, m->final);
        if (rc < 0)
                odm_buf_cut(out, before);
        return rc;
}

int odm_doc_decode_as(const odm_codec *c, const odm_codec *other, odm_str in, const odm_limits *lim,
                      odm_arena *arena, odm_doc **out)
{
        return (other && other->is(in) ? other : c)->doc_decode(in, lim, arena, out);
}

int odm_doc_encode(const odm_codec *c, const odm_doc *d, bool df, odm_buf *out)
{
        return c->doc_encode(d, df, out);
}
