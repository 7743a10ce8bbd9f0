/* SPDX-License-Identifier: Apache-2.0 */
/* Large objects of the server (dm-protocol.md 4): chunks of one Item in consecutive
 * messages are joined, and executed when the last has come.
 *
 *     NONE --MoreData, good Size--> OPEN --last chunk--> NONE (execute, or 424)
 *       '--MoreData, bad Size--> REFUSED --last chunk, or another command--> NONE
 *     OPEN --another command--> NONE (Alert 1225)
 *
 * REFUSED exists so that the last chunk of an object we did not take is not mistaken for a
 * whole value.
 *
 * A chunk where none may be (in Sequence and Atomic), or in a command that is not begun, is a
 * stray.  Its place is kept beside the states, whatever other commands come, until the object ends
 * or begins anew outside; what comes of it meanwhile is 424.  One is kept, the latest. */
#include "session.h"

static void set_state(odm_client *c, enum object_state to)
{
        CLIENT_TRACE(c, "object %d -> %d", (int)c->object.state, (int)to);
        c->object.state = to;
}

void odm_object_forget(odm_client *c)
{
        odm_buf_cut(&c->object.data, 0);
        set_state(c, OBJECT_NONE);
}

static bool same_place(const struct place *p, odm_cmd kind, const odm_item *item)
{
        return p->kind == kind && odm_str_eq(odm_buf_view(&p->target), item->target) &&
               odm_str_eq(odm_buf_view(&p->source), item->source);
}

static int keep_place(struct place *p, odm_cmd kind, const odm_item *item)
{
        int rc;

        p->kind = kind;
        odm_buf_cut(&p->target, 0);
        odm_buf_cut(&p->source, 0);
        rc = odm_buf_str(&p->target, item->target);
        return rc < 0 ? rc : odm_buf_str(&p->source, item->source);
}

static bool may_be_large(odm_cmd kind)
{
        return kind == ODM_CMD_ADD || kind == ODM_CMD_REPLACE || kind == ODM_CMD_EXEC;
}

bool odm_object_continues(const odm_client *c, const odm_command *cmd)
{
        return c->object.state != OBJECT_NONE && cmd->items &&
               same_place(&c->object.place, cmd->kind, cmd->items);
}

int odm_object_interrupt(odm_client *c)
{
        struct object *o = &c->object;
        struct entry *e;

        if (o->state == OBJECT_OPEN) {
                e = odm_outbox_add(c, LANE_RESULTS, ODM_CMD_ALERT);
                odm_item *it = e ? odm_new(&c->box.arena, odm_item) : NULL;
                if (it == NULL)
                        return arena_rc(&c->box.arena);
                e->cmd.code = ODM_ALERT_NO_END_OF_DATA;
                e->cmd.items = it;
                it->target = odm_outbox_copy(c, odm_buf_view(&o->place.target));
                if (o->place.source.n > 0)
                        it->source = odm_outbox_copy(c, odm_buf_view(&o->place.source));
                if (it->target.p == NULL || (o->place.source.n > 0 && it->source.p == NULL))
                        return arena_rc(&c->box.arena);
        }
        odm_object_forget(c);
        return 0;
}

static int refuse(odm_client *c, unsigned status, unsigned *code)
{
        odm_buf_cut(&c->object.data, 0);
        c->object.refusal = status;
        *code = status;
        set_state(c, OBJECT_REFUSED);
        return 0;
}

/* Size may count base64 as it travels, or what it means (dm-protocol.md 4). */
static uint64_t most_octets(const struct object *o, odm_format format)
{
        return format == ODM_FMT_B64 ? 2 * o->size + 4 : o->size;
}

static int append(odm_client *c, const odm_item *item, odm_format format, unsigned *code)
{
        struct object *o = &c->object;
        odm_str bytes = item->data.bytes;
        uint64_t most = most_octets(o, format);

        if (bytes.n > most || o->data.n > most - bytes.n)
                return refuse(c, ODM_ST_SIZE_MISMATCH, code);
        int rc = odm_buf_str(&o->data, bytes);
        if (rc == ODM_ELIMIT)
                return refuse(c, ODM_ST_TOO_LARGE, code);
        if (rc == 0)
                *code = ODM_ST_CHUNK_ACCEPTED;
        return rc;
}

static int begin(odm_client *c, const odm_command *cmd, const odm_item *item, unsigned *code)
{
        struct object *o = &c->object;
        odm_meta meta = odm_meta_of(cmd, item);
        int rc;

        o->size = meta.size;
        odm_buf_cut(&o->data, 0);
        rc = keep_place(&o->place, cmd->kind, item);
        if (rc == ODM_ELIMIT) {
                *code = ODM_ST_URI_TOO_LONG;
                return 0;
        }
        if (rc < 0)
                return rc;
        if (!meta.has_size)
                return refuse(c, ODM_ST_SIZE_REQUIRED, code);
        if (meta.size > c->opt.max_obj_size)
                return refuse(c, ODM_ST_TOO_LARGE, code);
        set_state(c, OBJECT_OPEN);
        return append(c, item, meta.format, code);
}

static bool size_fits(odm_client *c, odm_format format)
{
        const struct object *o = &c->object;
        odm_str octets;

        if (o->data.n == o->size)
                return true;
        return format == ODM_FMT_B64 &&
               odm_b64_decode(&c->scratch, odm_buf_view(&o->data), &octets) == 0 &&
               octets.n == o->size;
}

static int finish(odm_client *c, const odm_command *cmd, const odm_item *item, odm_data *data,
                  unsigned *code)
{
        struct object *o = &c->object;
        int rc = odm_buf_str(&o->data, item->data.bytes);

        if (rc == ODM_ENOMEM)
                return rc;
        bool fits = rc == 0 && size_fits(c, odm_meta_of(cmd, item).format);
        if (!fits && c->scratch.err == ODM_ENOMEM)
                return ODM_ENOMEM;
        *data = (odm_data){item->data.kind == ODM_DATA_ABSENT ? ODM_DATA_TEXT : item->data.kind,
                           odm_buf_view(&o->data)};
        *code = fits ? 0 : rc == ODM_ELIMIT ? ODM_ST_TOO_LARGE : ODM_ST_SIZE_MISMATCH;
        set_state(c, OBJECT_NONE); /* the data stays until the next object begins */
        return 0;
}

/* ---- chunks where none may be --------------------------------------------------------- */

static int keep_stray(odm_client *c, const odm_command *cmd, const odm_item *item)
{
        struct object *o = &c->object;
        int rc;

        if (!may_be_large(cmd->kind))
                return 0;
        o->has_stray = false;
        rc = keep_place(&o->stray, cmd->kind, item);
        o->has_stray = rc == 0;
        return rc == ODM_ELIMIT ? 0 : rc; /* so long a URI is refused anyway */
}

int odm_object_pass_over(odm_client *c, const odm_command *cmd, const odm_item *items)
{
        int rc = 0;

        for (const odm_item *item = items; item && rc == 0; item = item->next)
                if (item->more)
                        rc = keep_stray(c, cmd, item);
        return rc;
}

/* True when the item is more of the stray.  *code as for odm_object_take(). */
static bool take_stray(odm_client *c, const odm_command *cmd, const odm_item *item, bool anew,
                       unsigned *code)
{
        struct object *o = &c->object;

        if (!o->has_stray || !same_place(&o->stray, cmd->kind, item))
                return false;
        if (!item->more || (anew && c->run.depth == 0))
                o->has_stray = false;
        if (anew)
                return false;
        *code = ODM_ST_SIZE_MISMATCH;
        return true;
}

int odm_object_take(odm_client *c, const odm_command *cmd, const odm_item *item, odm_data *data,
                    unsigned *code)
{
        struct object *o = &c->object;
        odm_meta meta = odm_meta_of(cmd, item);
        bool same = o->state != OBJECT_NONE && same_place(&o->place, cmd->kind, item);
        bool anew = item->more && meta.has_size;
        bool goes_on = same && !anew;
        int rc = o->state == OBJECT_NONE || same ? 0 : odm_object_interrupt(c);

        *code = 0;
        *data = item->data;
        if (rc < 0)
                return rc;
        if (take_stray(c, cmd, item, anew, code))
                return 0;
        if (item->more && (!may_be_large(cmd->kind) || c->run.depth > 0)) {
                *code = ODM_ST_BAD_REQUEST; /* members of Sequence and Atomic come whole */
                return keep_stray(c, cmd, item);
        }
        if (!goes_on && !item->more)
                return 0;
        if (!goes_on)
                return begin(c, cmd, item, code);
        if (o->state == OBJECT_REFUSED) {
                *code = o->refusal;
                if (!item->more)
                        odm_object_forget(c);
                return 0;
        }
        if (item->more)
                return append(c, item, meta.format, code);
        return finish(c, cmd, item, data, code);
}
