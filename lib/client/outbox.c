/* SPDX-License-Identifier: Apache-2.0 */
/* Packs what we have to say into messages that the server can take (dm-protocol.md 2 to 4).
 *
 * Entries wait in three lanes and go out in order, as many as fit.  A list of results is
 * split between items, an item that no message holds is split into chunks.  Where the last
 * message began is remembered until the server has accepted it, so that a challenge can have
 * the same said again. */
#include <stdio.h>
#include <string.h>

#include "session.h"

#define ALERT_ROOM 64   /* octets of an Alert 1222 in either codec */
#define CHUNK_LEAST 32  /* shorter chunks wait for the next message */
#define ALONE_ROOM 256  /* octets of a message that only goes on: Status and Alert 1222, Final */
#define IDLE_MOST 4     /* messages that only ask for more and bring nothing forward */
#define FIRST_ROOM 4096 /* octets of a message before the server has said what it takes */
#define FULL 1

struct draft {
        odm_writer w;
        size_t room;     /* octets the message may have */
        size_t head;     /* octets it began with: SyncHdr and its Status */
        uint32_t cmd_id; /* of the next command */
        unsigned pieces; /* commands written, the SyncHdr's Status aside */
        bool talks;      /* Results or an Alert is among them */
};

/* ---- entries ------------------------------------------------------------------ */

static void link_entry(odm_client *c, enum lane lane, struct entry *e)
{
        struct outbox *b = &c->box;

        if (b->tail[lane])
                b->tail[lane]->next = e;
        else
                b->head[lane] = e;
        b->tail[lane] = e;
        if (b->now.at[lane] == NULL)
                b->now.at[lane] = e;
}

struct entry *odm_outbox_add(odm_client *c, enum lane lane, odm_cmd kind)
{
        struct entry *e = odm_new(&c->box.arena, struct entry);

        if (e == NULL)
                return NULL;
        e->cmd.kind = kind;
        link_entry(c, lane, e);
        return e;
}

odm_str odm_outbox_copy(odm_client *c, odm_str s)
{
        return odm_arena_copy(&c->box.arena, s);
}

odm_ref *odm_outbox_ref(odm_client *c, odm_str uri)
{
        odm_ref *r = odm_new(&c->box.arena, odm_ref);

        if (r == NULL)
                return NULL;
        r->uri = odm_outbox_copy(c, uri.p ? uri : ODM_STR(""));
        return r->uri.p ? r : NULL;
}

struct entry *odm_outbox_status(odm_client *c, const odm_command *cmd, unsigned code)
{
        struct entry *e = odm_outbox_add(c, LANE_STATUS, ODM_CMD_STATUS);
        odm_str name = cmd->kind == ODM_CMD_UNKNOWN ? cmd->name : odm_cstr(odm_cmd_name(cmd->kind));

        if (e == NULL)
                return NULL;
        e->cmd.code = code;
        e->cmd.msg_ref = odm_outbox_copy(c, c->msg->hdr.msg_id);
        e->cmd.cmd_ref = odm_outbox_copy(c, cmd->cmd_id.p ? cmd->cmd_id : ODM_STR(""));
        e->cmd.cmd = odm_outbox_copy(c, name.p ? name : ODM_STR(""));
        return e->cmd.msg_ref.p && e->cmd.cmd_ref.p && e->cmd.cmd.p ? e : NULL;
}

bool odm_outbox_empty(const odm_client *c)
{
        const struct position *p = &c->box.now;

        return !p->at[LANE_STATUS] && !p->at[LANE_RESULTS] && !p->at[LANE_ALERTS];
}

void odm_outbox_accepted(odm_client *c)
{
        struct outbox *b = &c->box;

        if (b->now.at[LANE_STATUS] == NULL && b->now.at[LANE_RESULTS] == NULL) {
                for (int l = LANE_STATUS; l <= LANE_RESULTS; l++)
                        b->head[l] = b->tail[l] = NULL;
                odm_arena_reset(&b->arena);
                odm_arena_reset(&b->data);
        }
        b->before = b->now;
        b->before_msg = c->msg_id;
        b->before_closed = c->peer_closed;
}

/* The first alert that went out with the last message, or has not gone out yet. */
static struct entry *alerts_from(const odm_client *c)
{
        for (struct entry *e = c->box.head[LANE_ALERTS]; e; e = e->next) {
                const struct alert *a = (const struct alert *)e;
                if (a->status == 0 && (a->msg_id == 0 || a->msg_id > c->box.before_msg))
                        return e;
        }
        return NULL;
}

void odm_outbox_rewind(odm_client *c)
{
        struct outbox *b = &c->box;

        for (int l = LANE_STATUS; l <= LANE_RESULTS; l++)
                if (b->before.at[l])
                        b->now.at[l] = b->before.at[l];
        b->now.at[LANE_ALERTS] = alerts_from(c);
        b->now.item = b->before.item;
        b->now.lane = b->before.lane;
        b->now.off = b->before.off;
        c->peer_closed = b->before_closed;
}

static void entry_sent(odm_client *c, enum lane lane)
{
        struct position *p = &c->box.now;

        p->at[lane] = p->at[lane]->next;
        p->item = NULL;
        p->off = 0;
}

void odm_outbox_drop_chunk(odm_client *c)
{
        struct position *p = &c->box.now;

        if (p->item == NULL || p->off == 0)
                return;
        p->off = 0;
        p->item = p->item->next;
        if (p->item == NULL)
                entry_sent(c, p->lane);
}

void odm_outbox_free_alert(odm_client *c, struct alert *a)
{
        struct outbox *b = &c->box;
        struct entry *prev = NULL;

        for (struct entry *e = b->head[LANE_ALERTS]; e && e != &a->e; e = e->next)
                prev = e;
        if (prev)
                prev->next = a->e.next;
        else
                b->head[LANE_ALERTS] = a->e.next;
        if (b->tail[LANE_ALERTS] == &a->e)
                b->tail[LANE_ALERTS] = prev;
        if (b->now.at[LANE_ALERTS] == &a->e)
                b->now.at[LANE_ALERTS] = a->e.next;
        if (b->before.at[LANE_ALERTS] == &a->e)
                b->before.at[LANE_ALERTS] = a->e.next;
        odm_free(c->opt.mem, a, a->size);
}

/* ---- one message ------------------------------------------------------------------ */

/* Writes one command.  0, FULL when the message cannot hold it, or ODM_ENOMEM. */
static int put(struct draft *d, const odm_command *cmd, size_t reserve)
{
        char text[NUMBER_TEXT];
        odm_command one = *cmd;
        odm_mark mark = odm_write_mark(&d->w);

        (void)snprintf(text, sizeof text, "%u", (unsigned)d->cmd_id);
        one.cmd_id = odm_cstr(text);
        int rc = odm_write_command(&d->w, &one);
        if (rc == ODM_ENOMEM)
                return rc;
        if (rc < 0 || odm_write_size(&d->w, true) + reserve > d->room) {
                odm_write_undo(&d->w, mark);
                return FULL;
        }
        d->cmd_id++;
        return 0;
}

static size_t reserve_of(const odm_client *c)
{
        return c->peer_closed ? 0 : ALERT_ROOM;
}

/* What the server takes it says in its first message: ours before it is a small one. */
static size_t room_of(const odm_client *c)
{
        uint32_t most = c->opt.send_max;

        if (c->msg_id == 0 && most > FIRST_ROOM)
                most = FIRST_ROOM;
        return c->peer_max_msg && c->peer_max_msg < most ? c->peer_max_msg : most;
}

static void fill_hdr(odm_client *c, odm_hdr *h, const odm_cred *cred, const char *msg_id)
{
        *h = (odm_hdr){
                .ver_dtd = ODM_STR("1.2"),
                .ver_proto = c->say_dm13 ? ODM_STR("DM/1.3") : ODM_STR("DM/1.2"),
                .session_id = c->session_id,
                .msg_id = odm_cstr(msg_id),
                .target = c->account.addr,
                .source = c->device_id,
                .cred = *cred,
        };
        if ((cred->present && c->prover.type == ODM_AUTH_MD5) || odm_prover_wants_mac(&c->prover))
                h->source_name = c->account.user;
        if (c->stage == STAGE_SETUP)
                h->meta = (odm_meta){.present = true,
                                     .has_max_msg = true,
                                     .max_msg = c->opt.max_msg_size,
                                     .has_max_obj = true,
                                     .max_obj = c->opt.max_obj_size};
}

static int begin(odm_client *c, struct draft *d)
{
        char text[NUMBER_TEXT];
        odm_hdr h;
        odm_cred cred;
        int rc;

        *d = (struct draft){.room = room_of(c), .cmd_id = 1};
        odm_arena_reset(&c->scratch);
        (void)snprintf(text, sizeof text, "%u", (unsigned)c->msg_id + 1);
        rc = odm_prover_cred(&c->prover, &c->scratch, &cred);
        if (rc < 0)
                return rc;
        fill_hdr(c, &h, &cred, text);
        odm_buf_cut(&c->box.buf, 0);
        rc = odm_write_begin(&d->w, c->opt.codec, &c->box.buf, &h);
        if (rc == 0 && c->has_hdr_status)
                rc = put(d, &c->hdr_status, reserve_of(c));
        d->head = odm_write_size(&d->w, true);
        return rc == FULL ? ODM_ELIMIT : rc;
}

static int end(odm_client *c, struct draft *d, bool final)
{
        int rc = odm_write_end(&d->w, final);

        odm_buf_cut(&c->box.mac, 0);
        if (rc == 0 && odm_prover_wants_mac(&c->prover))
                rc = odm_prover_mac(&c->prover, odm_buf_view(&c->box.buf), &c->box.mac);
        if (rc == 0)
                rc = odm_inbox_keep_server_nonce(c);
        if (rc < 0)
                return rc;
        c->msg_id++;
        c->own_closed = final;
        c->has_hdr_status = false;
        c->tries = 0;
        odm_client_enter(c, CLIENT_READY);
        return 0;
}

/* ---- lanes --------------------------------------------------------------------------- */

static void note_sent(odm_client *c, struct draft *d, enum lane lane)
{
        struct entry *e = c->box.now.at[lane];

        d->pieces++;
        d->talks |= lane != LANE_STATUS;
        if (lane == LANE_ALERTS) {
                struct alert *a = (struct alert *)e;
                a->msg_id = c->msg_id + 1;
                a->cmd_id = d->cmd_id - 1;
        }
}

/* As many items as fit, at least one: by halving, since each try costs writing them. */
static int put_some_items(odm_client *c, struct draft *d, odm_command *cmd, odm_item **rest)
{
        size_t n = 0, fits = 0;
        odm_mark mark = odm_write_mark(&d->w);

        for (const odm_item *it = cmd->items; it; it = it->next)
                n++;
        for (size_t most = n; most - fits > 1;) {
                size_t half = fits + (most - fits) / 2, i = 1;
                odm_item *at = cmd->items;
                for (; i < half; i++)
                        at = at->next;
                odm_item *cut = at->next;
                at->next = NULL;
                int rc = put(d, cmd, reserve_of(c));
                at->next = cut;
                if (rc < 0)
                        return rc;
                if (rc == FULL) {
                        most = half;
                        continue;
                }
                odm_write_undo(&d->w, mark);
                d->cmd_id--;
                fits = half;
                *rest = cut;
        }
        if (fits == 0)
                return FULL;
        odm_item *at = cmd->items;
        while (at->next != *rest)
                at = at->next;
        at->next = NULL;
        int rc = put(d, cmd, reserve_of(c));
        at->next = *rest;
        return rc;
}

/* What is left of the item's Data, or as much of it as the message holds.  *n gets the octets. */
static int put_chunk(odm_client *c, struct draft *d, const odm_command *cmd, size_t *n)
{
        struct position *p = &c->box.now;
        odm_item it = *p->item;
        odm_command one = *cmd;
        odm_mark mark = odm_write_mark(&d->w);
        odm_data all = it.data;

        if (all.kind == ODM_DATA_XML)
                all.kind = ODM_DATA_TEXT; /* elements cannot be cut, their text can */
        it.next = NULL;
        it.meta.has_size = p->off == 0;
        it.meta.size = all.bytes.n;
        it.meta.present |= it.meta.has_size;
        one.items = &it;
        it.data = (odm_data){all.kind, odm_str_from(all.bytes, p->off)};
        *n = it.data.bytes.n;
        int rc = p->off > 0 && *n < d->room ? put(d, &one, reserve_of(c)) : FULL;
        if (rc != FULL)
                return rc;
        it.more = true;
        it.data = (odm_data){.kind = ODM_DATA_ABSENT};
        rc = put(d, &one, reserve_of(c));
        if (rc != 0)
                return rc;
        size_t used = odm_write_size(&d->w, true) + reserve_of(c);
        odm_write_undo(&d->w, mark);
        d->cmd_id--;
        *n = odm_write_fit(&d->w, &all, p->off, d->room > used ? d->room - used : 0);
        if (*n == 0 || (*n < CHUNK_LEAST && d->pieces > 0))
                return FULL;
        it.data = (odm_data){all.kind, odm_str_to(odm_str_from(all.bytes, p->off), *n)};
        return put(d, &one, reserve_of(c));
}

/* 1: the item may wait for a message that has room for it whole; 0: it is cut; ODM_ENOMEM. */
static int may_wait(const odm_client *c, struct draft *d, const odm_command *cmd)
{
        odm_item it = *c->box.now.item;
        odm_command one = *cmd;
        odm_mark mark = odm_write_mark(&d->w);
        size_t before = odm_write_size(&d->w, true);

        if (d->pieces == 0)
                return 0;
        it.next = NULL;
        one.items = &it;
        int rc = odm_write_command(&d->w, &one);
        size_t n = odm_write_size(&d->w, true) - before;
        odm_write_undo(&d->w, mark);
        if (rc == ODM_ENOMEM)
                return rc;
        return rc == 0 && n < d->room / 2 && d->head + ALONE_ROOM + n <= d->room;
}

/* The item that position points to is too large for what is left of the message. */
static int put_large(odm_client *c, struct draft *d, enum lane lane, const odm_command *cmd)
{
        struct position *p = &c->box.now;
        size_t n;
        int rc = p->off == 0 ? may_wait(c, d, cmd) : 0;

        if (rc < 0)
                return rc;
        if (p->item->data.bytes.n == 0 || rc == 1)
                return FULL;
        rc = put_chunk(c, d, cmd, &n);
        if (rc != 0)
                return rc;
        note_sent(c, d, lane);
        p->lane = lane;
        p->off += n;
        c->box.chunk_cmd = d->cmd_id - 1;
        if (p->off < p->item->data.bytes.n)
                return FULL; /* a chunk is the last of its message */
        c->box.chunk_cmd = 0;
        p->off = 0;
        p->item = p->item->next;
        if (p->item == NULL)
                entry_sent(c, lane);
        return 0;
}

/* An entry with items: all that are left, or some, or a chunk of the first. */
static int put_items(odm_client *c, struct draft *d, enum lane lane)
{
        struct position *p = &c->box.now;
        struct entry *e = p->at[lane];
        odm_command cmd = e->cmd;
        odm_item *rest = NULL;
        int rc = FULL;

        if (p->item == NULL || p->lane != lane) /* that of another lane had no room at all */
                p->item = e->cmd.items;
        p->lane = lane;
        cmd.items = p->item;
        if (p->off > 0)
                return put_large(c, d, lane, &cmd);
        rc = put(d, &cmd, reserve_of(c));
        if (rc == 0) {
                note_sent(c, d, lane);
                entry_sent(c, lane);
                return 0;
        }
        if (rc == FULL && cmd.items->next) {
                rc = put_some_items(c, d, &cmd, &rest);
                if (rc == 0) {
                        note_sent(c, d, lane);
                        p->item = rest;
                        return FULL;
                }
        }
        return rc == FULL ? put_large(c, d, lane, &cmd) : rc;
}

/* A Status goes whole; in a message of its own it may lose what only explains it. */
static int put_status(odm_client *c, struct draft *d)
{
        struct entry *e = c->box.now.at[LANE_STATUS];
        int rc = put(d, &e->cmd, reserve_of(c));

        if (rc == FULL && d->pieces == 0 && e->cmd.kind == ODM_CMD_STATUS) {
                e->cmd.items = NULL;
                e->cmd.target_refs = e->cmd.source_refs = NULL;
                rc = put(d, &e->cmd, reserve_of(c));
        }
        if (rc != 0)
                return rc;
        d->pieces++;
        c->box.now.at[LANE_STATUS] = e->next;
        return 0;
}

static int put_lane(odm_client *c, struct draft *d, enum lane lane)
{
        int rc = 0;

        while (rc == 0 && c->box.now.at[lane])
                rc = lane == LANE_STATUS ? put_status(c, d) : put_items(c, d, lane);
        return rc;
}

/* All lanes in order; an object that has begun goes on before anything else but statuses. */
static int put_lanes(odm_client *c, struct draft *d)
{
        int rc = put_lane(c, d, LANE_STATUS);

        if (rc == 0 && c->box.now.off > 0)
                rc = put_items(c, d, c->box.now.lane);
        if (rc == 0)
                rc = put_lane(c, d, LANE_RESULTS);
        if (rc == 0)
                rc = put_lane(c, d, LANE_ALERTS);
        return rc < 0 ? rc : 0;
}

static int put_alert(struct draft *d, unsigned code)
{
        const odm_command alert = {.kind = ODM_CMD_ALERT, .code = code};

        return put(d, &alert, 0);
}

static int too_large(odm_client *c)
{
        return odm_client_finish(c, ODM_OUTCOME_TOO_LARGE,
                                 "what is to be said fits no message that the server takes");
}

/* Each request for more needs a Status itself: with little room the session would go on asking
 * and answering for ever.  Something must become less. */
static bool stands_still(odm_client *c, const struct draft *d, bool left)
{
        struct outbox *b = &c->box;
        uint32_t n = 0;

        for (const struct entry *e = b->now.at[LANE_STATUS]; e; e = e->next)
                n++;
        b->idle = !left || d->talks || n < b->least ? 0 : b->idle + 1;
        b->least = n;
        return b->idle > IDLE_MOST;
}

int odm_outbox_build(odm_client *c)
{
        struct draft d;
        int rc;

        if (c->msg_id >= c->opt.max_messages)
                return odm_client_finish(c, ODM_OUTCOME_LIMIT, "too many messages in one session");
        c->box.before = c->box.now;
        c->box.before_msg = c->msg_id;
        c->box.before_closed = c->peer_closed;
        c->box.chunk_cmd = 0;
        rc = begin(c, &d);
        if (rc == 0)
                rc = put_lanes(c, &d);
        bool left = !odm_outbox_empty(c);
        if (rc == ODM_ELIMIT || (rc == 0 && left && d.pieces == 0) || stands_still(c, &d, left))
                return too_large(c);
        if (rc == 0 && !c->peer_closed && !d.talks)
                rc = put_alert(&d, ODM_ALERT_NEXT_MESSAGE);
        if (rc == FULL)
                return too_large(c);
        if (rc < 0)
                return rc;
        bool final = c->peer_closed && !left;
        rc = end(c, &d, final);
        if (rc == 0 && final)
                c->peer_closed = false; /* the server's next message begins a package */
        return rc;
}

/* ---- messages of another kind ----------------------------------------------------------- */

struct refusal {
        odm_client *c;
        struct draft *d;
        unsigned code;
};

static int refuse_one(void *ctx, const odm_command *cmd)
{
        struct refusal *r = ctx;
        const odm_command status = {
                .kind = ODM_CMD_STATUS,
                .code = r->code,
                .msg_ref = r->c->msg->hdr.msg_id,
                .cmd_ref = cmd->cmd_id.p ? cmd->cmd_id : ODM_STR(""),
                .cmd = cmd->kind == ODM_CMD_UNKNOWN ? cmd->name : odm_cstr(odm_cmd_name(cmd->kind)),
        };

        if (cmd->kind == ODM_CMD_STATUS || cmd->kind == ODM_CMD_RESULTS)
                return 0;
        return put(r->d, &status, 0);
}

int odm_outbox_build_refusal(odm_client *c, unsigned code)
{
        struct draft d;
        struct refusal r = {c, &d, code};
        int rc;

        if (c->msg_id >= c->opt.max_messages)
                return odm_client_finish(c, ODM_OUTCOME_LIMIT, "too many messages in one session");
        c->box.before = c->box.now; /* a refusal takes nothing out of the lanes */
        c->box.before_msg = c->msg_id;
        c->box.before_closed = c->peer_closed;
        c->box.chunk_cmd = 0;
        rc = begin(c, &d);
        if (rc == 0 && code)
                rc = odm_commands_walk(c->msg->body, refuse_one, &r);
        if (rc == ODM_ELIMIT)
                return too_large(c);
        return rc < 0 ? rc : end(c, &d, true);
}

int odm_outbox_build_abort(odm_client *c)
{
        struct draft d;
        int rc = begin(c, &d);

        if (rc == 0)
                rc = put_alert(&d, ODM_ALERT_ABORT);
        if (rc == 0)
                rc = put_lane(c, &d, LANE_STATUS);
        if (rc == ODM_ELIMIT)
                return too_large(c);
        return rc < 0 ? rc : end(c, &d, true);
}
