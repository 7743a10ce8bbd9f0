/* SPDX-License-Identifier: Apache-2.0 */
/* Large objects on their way out (dm-protocol.md 4): one value in consecutive
 * messages, Size in the first, MoreData in all but the last.
 *
 *   chunk --213--> next chunk ... last chunk --its Status--> done
 *     ^ Alert 1225: from the start, once
 *
 * The value is not kept: every chunk is cut from the host's own octets.  Only a document
 * whose form must change for WBXML is kept while it is sent. */
#include <assert.h>

#include "session.h"

#define B64_TAGS 16 /* octets of <Data></Data>, more than enough */

bool odm_chunk_possible(const odm_command *c)
{
        bool carries =
                c->kind == ODM_CMD_ADD || c->kind == ODM_CMD_REPLACE || c->kind == ODM_CMD_EXEC;

        return carries && c->items && c->items->next == NULL && c->items->data.bytes.n > 1;
}

void odm_chunk_begin(odm_server *s, struct job *j)
{
        s->sending.open = true;
        s->sending.again = s->sending.converted = false;
        s->sending.job = j;
        s->sending.off = s->sending.flying = 0;
}

void odm_chunk_close(odm_server *s)
{
        s->sending.open = false;
        s->sending.job = NULL;
        odm_buf_done(&s->sending.value);
}

/* Octets that cannot stand in XML leave as base64, made a slice at a time. */
static bool leaves_as_b64(const odm_server *s, const odm_command *c)
{
        odm_meta meta = odm_meta_of(c, c->items);

        return s->xml && c->items->data.kind == ODM_DATA_OPAQUE && meta.format == ODM_FMT_BIN;
}

/* The value as it is cut; *meta is what the device is to be told of it. */
static int value_of(odm_server *s, const odm_command *c, odm_data *d, odm_meta *meta)
{
        odm_command *copy;

        *d = c->items->data;
        *meta = odm_meta_of(c, c->items);
        if (d->kind != ODM_DATA_XML)
                return 0;
        if (s->xml) { /* elements cannot be cut; their text can */
                d->kind = ODM_DATA_TEXT;
                return 0;
        }
        int rc = odm_clone_command(s, c, 1, true, &copy);
        if (rc < 0)
                return rc;
        *meta = odm_meta_of(copy, copy->items);
        d->kind = copy->items->data.kind;
        if (!s->sending.converted)
                rc = odm_buf_str(&s->sending.value, copy->items->data.bytes);
        s->sending.converted = rc == 0;
        d->bytes = odm_buf_view(&s->sending.value);
        return rc == ODM_ENOMEM ? odm_session_nomem(s) : rc;
}

/* The octets that find room; b64 text is cut at whole groups. */
static size_t fitting(const odm_server *s, const odm_data *d, size_t off, size_t room, bool b64)
{
        size_t left = d->bytes.n - off, n;

        if (!b64)
                n = odm_write_fit(&s->w, d, off, room);
        else
                n = room > B64_TAGS ? (room - B64_TAGS) / 4 * 3 : 0;
        return n < left ? n : left;
}

static int write_chunk(odm_server *s, odm_command *c, const odm_data *d, size_t n, bool b64)
{
        odm_str slice = odm_str_to(odm_str_from(d->bytes, s->sending.off), n);

        c->items->data = (odm_data){d->kind, slice};
        if (b64)
                c->items->data = (odm_data){ODM_DATA_TEXT, odm_b64_encode(&s->arena, slice)};
        if (c->items->data.bytes.p == NULL)
                return odm_session_arena_err(s, &s->arena);
        c->items->more = s->sending.off + n < d->bytes.n;
        return odm_write_command(&s->w, c);
}

/* How much room the message leaves beside the command itself. */
static int room_beside(odm_server *s, odm_command *c, size_t *room)
{
        odm_mark mark = odm_write_mark(&s->w);

        c->items->more = true;
        c->items->data = (odm_data){.kind = ODM_DATA_ABSENT};
        int rc = odm_write_command(&s->w, c);
        size_t size = odm_write_size(&s->w, true);
        odm_write_undo(&s->w, mark);
        *room = rc == 0 && size < s->limit ? s->limit - size : 0;
        return rc == ODM_ELIMIT ? 0 : rc;
}

int odm_chunk_put(odm_server *s, bool *fits)
{
        const odm_command *from = odm_job_peek(s->sending.job);
        odm_command *c = NULL;
        odm_data d;
        odm_meta meta;
        size_t room;

        assert(from != NULL);
        bool b64 = leaves_as_b64(s, from);
        int rc = value_of(s, from, &d, &meta);
        if (rc == 0)
                rc = odm_clone_command(s, from, s->next_cmd, false, &c);
        if (rc < 0)
                return rc;
        assert(c != NULL);
        c->meta = (odm_meta){.present = false}; /* all of it is on the item */
        c->items->meta = meta;
        c->items->meta.present = true;
        c->items->meta.has_size = s->sending.off == 0;
        c->items->meta.size = b64 ? odm_b64_size(d.bytes.n) : d.bytes.n;
        if (b64)
                c->items->meta.format = ODM_FMT_B64;
        *fits = false;
        if (s->sending.off >= d.bytes.n) /* the host lent another value after a load */
                return 0;
        rc = room_beside(s, c, &room);
        if (rc < 0)
                return rc == ODM_ENOMEM ? odm_session_nomem(s) : rc;
        size_t n = fitting(s, &d, s->sending.off, room, b64);
        *fits = n > 0;
        if (n == 0)
                return 0;
        rc = write_chunk(s, c, &d, n, b64);
        if (rc < 0)
                return rc == ODM_ENOMEM ? odm_session_nomem(s) : rc;
        s->sending.flying = n;
        s->sending.job->sent = true;
        s->out_first = s->next_cmd++;
        s->wrote++;
        return odm_sent_add(s, s->sending.job, s->sending.job->at,
                            c->items->more ? SENT_CHUNK : SENT_LAST);
}
