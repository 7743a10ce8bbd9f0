/* SPDX-License-Identifier: Apache-2.0 */
/* Results of our Gets, and values among them that arrive in chunks (dm-protocol.md 4).
 *
 *   (none) --MoreData, with Size--> open --MoreData: 213--> open --last, Size right--> taken
 *   open --too large, Size wrong--> failed       open --something else begins--> Alert 1225  */
#include <string.h>

#include "session.h"

bool odm_data_has_nul(odm_format f, const odm_data *d)
{
        bool text = f != ODM_FMT_BIN && f != ODM_FMT_B64 && f != ODM_FMT_XML;

        return text && d->bytes.n && memchr(d->bytes.p, '\0', d->bytes.n);
}

static void taking_close(odm_server *s)
{
        s->taking.open = false;
        odm_buf_done(&s->taking.data);
}

/* The object is not whole; its Get fails with a status of ours. */
static unsigned taking_fail(odm_server *s, unsigned code)
{
        struct sent *e = &s->out[s->taking.entry];

        e->status = (uint16_t)code;
        e->flags |= SENT_MINE;
        taking_close(s);
        return code;
}

static int taking_begin(odm_server *s, struct sent *e, const odm_meta *meta, const odm_item *item,
                        unsigned *status)
{
        odm_item *copy = odm_item_copy(&s->held, meta, item, true);

        if (copy == NULL)
                return odm_session_arena_err(s, &s->held);
        s->taking.open = true;
        s->taking.entry = (uint32_t)(e - s->out);
        s->taking.item = *copy;
        s->taking.item.more = false;
        s->taking.item.data = (odm_data){.kind = item->data.kind};
        s->taking.has_size = meta->has_size;
        s->taking.size = meta->size;
        if (!meta->has_size)
                *status = taking_fail(s, ODM_ST_SIZE_REQUIRED);
        else if (meta->size > s->opt.max_obj_size)
                *status = taking_fail(s, ODM_ST_TOO_LARGE);
        return 0;
}

static void taking_add(odm_server *s, const odm_item *item, unsigned *status)
{
        int rc = odm_buf_str(&s->taking.data, item->data.bytes);

        if (rc == ODM_ELIMIT)
                *status = taking_fail(s, ODM_ST_TOO_LARGE);
        else if (rc < 0)
                *status = taking_fail(s, ODM_ST_FULL);
        else
                *status = ODM_ST_CHUNK_ACCEPTED;
}

/* Size may count what travelled or what it means (dm-protocol.md 4). */
bool odm_taking_fits(const struct taking *t)
{
        odm_str text = odm_str_trim(odm_buf_view(&t->data));

        if (t->data.n == t->size || text.n == t->size)
                return true;
        if (t->item.meta.format != ODM_FMT_B64 || text.n % 4 != 0 || text.n == 0)
                return false;
        size_t pad = (text.p[text.n - 1] == '=') + (size_t)(text.p[text.n - 2] == '=');
        return text.n / 4 * 3 - pad == t->size;
}

static int taking_end(odm_server *s, unsigned *status)
{
        struct taking *t = &s->taking;
        odm_data data = {t->item.data.kind, odm_buf_view(&t->data)};
        struct object *o;

        if (!odm_taking_fits(t)) {
                *status = taking_fail(s, ODM_ST_SIZE_MISMATCH);
                return 0;
        }
        o = odm_new(&s->held, struct object);
        if (o == NULL)
                return odm_session_arena_err(s, &s->held);
        o->data = t->data; /* the octets move: events will lend them */
        o->next = s->objects;
        s->objects = o;
        odm_buf_init(&t->data, &s->mem, s->opt.max_obj_size);
        t->open = false;
        *status = ODM_ST_OK;
        return odm_sent_result(s, &s->out[t->entry], NULL, &t->item, &data);
}

/* Something else began before the object was whole (dm-protocol.md 4, receiver rule 3). */
int odm_results_interrupted(odm_server *s)
{
        s->no_end = odm_arena_copy(&s->arena, s->taking.item.source);
        if (s->no_end.p == NULL)
                s->no_end = ODM_STR("");
        s->out[s->taking.entry].flags |= SENT_BROKEN; /* it may come again */
        taking_close(s);
        return s->arena.err ? odm_session_arena_err(s, &s->arena) : 0;
}

/* An object among its Results was refused: what still comes of it must not pass for a value. */
static bool is_refused(const struct sent *e)
{
        return (e->flags & SENT_MINE) && e->status != STATUS_NUL;
}

static int take_item(odm_server *s, struct sent *e, const odm_command *c, const odm_item *item,
                     unsigned *status)
{
        odm_meta meta = odm_meta_of(c, item);
        int rc = 0;

        if (is_refused(e)) {
                *status = e->status;
                return 0;
        }
        if (s->taking.open &&
            (&s->out[s->taking.entry] != e || !odm_str_eq(s->taking.item.source, item->source)))
                rc = odm_results_interrupted(s);
        *status = ODM_ST_OK;
        if (rc == 0 && item->more && !s->taking.open)
                rc = taking_begin(s, e, &meta, item, status);
        if (rc < 0 || *status != ODM_ST_OK)
                return rc;
        if (s->taking.open) {
                taking_add(s, item, status);
                if (*status == ODM_ST_CHUNK_ACCEPTED && !item->more)
                        rc = taking_end(s, status);
                return rc;
        }
        if (odm_data_has_nul(meta.format, &item->data)) {
                e->status = STATUS_NUL;
                e->flags |= SENT_MINE;
                return 0;
        }
        return odm_sent_result(s, e, c, item, &item->data);
}

/* Results get a Status only when it is not 200 (dm-protocol.md 2). */
int odm_results_take(odm_server *s, const odm_command *c)
{
        struct sent *e = odm_sent_find(s, c->msg_ref, c->cmd_ref);
        unsigned worst = ODM_ST_OK, status = ODM_ST_OK;
        int rc = 0;

        for (const odm_item *it = c->items; it && rc == 0; it = it->next) {
                if (e)
                        rc = take_item(s, e, c, it, &status);
                else
                        status = it->more ? ODM_ST_NOT_FOUND : ODM_ST_OK;
                if (status != ODM_ST_OK)
                        worst = status;
        }
        if (rc == 0 && worst != ODM_ST_OK && odm_status_add(s, c, worst) == NULL)
                rc = odm_session_arena_err(s, &s->arena);
        return rc;
}

void odm_results_cut_off(odm_server *s)
{
        if (s->taking.open)
                (void)taking_fail(s, ODM_ST_SIZE_MISMATCH);
}
