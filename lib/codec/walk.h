/* SPDX-License-Identifier: Apache-2.0 */
/* walk.h - a message's elements in the order of the DTD (dm-representation.md 2), for
 * whoever includes it: each encoder first defines, static inline,
 *
 *     put_open(s, id)   put_close(s, id)   put_empty(s, id)
 *     put_text(s, id, odm_str)       text that is there, perhaps empty
 *     put_data(s, id, const odm_data *)
 *     put_nonce(s, const odm_meta *)   put_format(s, odm_format)
 *
 * and so gets a walker made of its own constant pieces. */
#ifndef WALK_H
#define WALK_H

#include "element.h"
#include "sink.h"

static inline void walk_text(struct sink *s, unsigned id, odm_str text)
{
        if (text.p)
                put_text(s, id, text);
}

static inline void walk_flag(struct sink *s, unsigned id, bool set)
{
        if (set)
                put_empty(s, id);
}

static inline void walk_number(struct sink *s, unsigned id, uint64_t v)
{
        char room[20];
        char *p = sink_digits(room, v);

        put_text(s, id, (odm_str){p, (size_t)(room + sizeof room - p)});
}

static void walk_meta(struct sink *s, const odm_meta *m)
{
        if (!m->present)
                return;
        put_open(s, E0_Meta);
        if (m->format == ODM_FMT_OTHER)
                walk_text(s, E1_Format, m->format_text);
        else if (m->format != ODM_FMT_ABSENT)
                put_format(s, m->format);
        walk_text(s, E1_Type, m->type);
        walk_text(s, E1_Mark, m->mark);
        if (m->has_size)
                walk_number(s, E1_Size, m->size);
        if (m->next_nonce.p)
                put_nonce(s, m);
        if (m->has_max_msg)
                walk_number(s, E1_MaxMsgSize, m->max_msg);
        if (m->has_max_obj)
                walk_number(s, E1_MaxObjSize, m->max_obj);
        put_close(s, E0_Meta);
}

static void walk_cred(struct sink *s, const odm_cred *c)
{
        if (c == NULL || !c->present)
                return;
        put_open(s, E0_Cred);
        walk_meta(s, &c->meta);
        walk_text(s, E0_Data, c->data);
        put_close(s, E0_Cred);
}

static inline void walk_loc(struct sink *s, unsigned id, odm_str uri, odm_str name)
{
        if (uri.p == NULL && name.p == NULL)
                return;
        put_open(s, id);
        walk_text(s, E0_LocURI, uri);
        walk_text(s, E0_LocName, name);
        put_close(s, id);
}

static void walk_item(struct sink *s, const odm_item *i)
{
        put_open(s, E0_Item);
        walk_loc(s, E0_Target, i->target, i->target_name);
        walk_loc(s, E0_Source, i->source, i->source_name);
        walk_meta(s, &i->meta);
        if (i->data.kind != ODM_DATA_ABSENT)
                put_data(s, E0_Data, &i->data);
        walk_flag(s, E0_MoreData, i->more);
        put_close(s, E0_Item);
}

static inline void walk_items(struct sink *s, const odm_command *c)
{
        for (const odm_item *i = c->items; i; i = i->next)
                walk_item(s, i);
}

static inline void walk_refs(struct sink *s, unsigned id, const odm_ref *r)
{
        for (; r; r = r->next)
                walk_text(s, id, r->uri);
}

static inline void walk_status(struct sink *s, const odm_command *c)
{
        walk_text(s, E0_MsgRef, c->msg_ref);
        walk_text(s, E0_CmdRef, c->cmd_ref);
        walk_text(s, E0_Cmd, c->cmd);
        walk_refs(s, E0_TargetRef, c->target_refs);
        walk_refs(s, E0_SourceRef, c->source_refs);
        walk_cred(s, c->cred);
        if (c->chal.present) {
                put_open(s, E0_Chal);
                walk_meta(s, &c->chal);
                put_close(s, E0_Chal);
        }
        if (c->code)
                walk_number(s, E0_Data, c->code);
        walk_items(s, c);
}

static inline void walk_results(struct sink *s, const odm_command *c)
{
        walk_text(s, E0_MsgRef, c->msg_ref);
        walk_text(s, E0_CmdRef, c->cmd_ref);
        walk_text(s, E0_Cmd, c->cmd);
        walk_meta(s, &c->meta);
        walk_refs(s, E0_TargetRef, c->target_refs);
        walk_refs(s, E0_SourceRef, c->source_refs);
        walk_items(s, c);
}

static inline void walk_alert(struct sink *s, const odm_command *c)
{
        walk_cred(s, c->cred);
        walk_meta(s, &c->meta);
        if (c->code)
                walk_number(s, E0_Data, c->code);
        walk_text(s, E0_Correlator, c->correlator);
        walk_items(s, c);
}

static inline void walk_plain(struct sink *s, const odm_command *c)
{
        walk_cred(s, c->cred);
        walk_meta(s, &c->meta);
        if (c->kind == ODM_CMD_EXEC)
                walk_text(s, E0_Correlator, c->correlator);
        walk_items(s, c);
}

static const uint8_t command_element[] = {
        [ODM_CMD_UNKNOWN] = E_NONE,       [ODM_CMD_STATUS] = E0_Status,
        [ODM_CMD_RESULTS] = E0_Results,   [ODM_CMD_ALERT] = E0_Alert,
        [ODM_CMD_ADD] = E0_Add,           [ODM_CMD_REPLACE] = E0_Replace,
        [ODM_CMD_DELETE] = E0_Delete,     [ODM_CMD_GET] = E0_Get,
        [ODM_CMD_COPY] = E0_Copy,         [ODM_CMD_EXEC] = E0_Exec,
        [ODM_CMD_SEQUENCE] = E0_Sequence, [ODM_CMD_ATOMIC] = E0_Atomic,
        [ODM_CMD_PUT] = E0_Put,           [ODM_CMD_SEARCH] = E0_Search,
        [ODM_CMD_MAP] = E0_Map,           [ODM_CMD_MOVE] = E0_Move,
        [ODM_CMD_SYNC] = E0_Sync,
};

/* All of a command but its members and its end. */
static void walk_command_start(struct sink *s, const odm_command *c)
{
        if (c->kind == ODM_CMD_UNKNOWN || (size_t)c->kind >= ODM_COUNT(command_element)) {
                s->rc = s->rc ? s->rc : ODM_EINVAL;
                return;
        }
        put_open(s, command_element[c->kind]);
        walk_text(s, E0_CmdID, c->cmd_id);
        walk_flag(s, E0_NoResp, c->no_resp);
        switch (c->kind) {
        case ODM_CMD_STATUS: walk_status(s, c); break;
        case ODM_CMD_RESULTS: walk_results(s, c); break;
        case ODM_CMD_ALERT: walk_alert(s, c); break;
        case ODM_CMD_SEQUENCE:
        case ODM_CMD_ATOMIC: walk_meta(s, &c->meta); break;
        case ODM_CMD_ADD:
        case ODM_CMD_REPLACE:
        case ODM_CMD_DELETE:
        case ODM_CMD_GET:
        case ODM_CMD_COPY:
        case ODM_CMD_EXEC: walk_plain(s, c); break;
        case ODM_CMD_UNKNOWN:
        case ODM_CMD_PUT:
        case ODM_CMD_SEARCH:
        case ODM_CMD_MAP:
        case ODM_CMD_MOVE:
        case ODM_CMD_SYNC: break; /* nothing of them is kept */
        }
}

/* Members of Sequence and Atomic are walked with a stack of their own. */
static void walk_command(struct sink *s, const odm_command *c)
{
        const odm_command *up[ODM_DEPTH_MOST];
        size_t depth = 0;

        walk_command_start(s, c);
        for (const odm_command *at = c; s->rc == 0;) {
                bool list = at->kind == ODM_CMD_SEQUENCE || at->kind == ODM_CMD_ATOMIC;
                if (list && at->body) {
                        if (depth == ODM_COUNT(up)) {
                                s->rc = ODM_ELIMIT;
                                return;
                        }
                        up[depth++] = at;
                        at = at->body;
                        walk_command_start(s, at);
                        continue;
                }
                put_close(s, command_element[at->kind]);
                while (depth > 0 && at->next == NULL) {
                        at = up[--depth];
                        put_close(s, command_element[at->kind]);
                }
                if (depth == 0)
                        return;
                at = at->next;
                walk_command_start(s, at);
        }
}

static void walk_header(struct sink *s, const odm_hdr *h)
{
        put_open(s, E0_SyncHdr);
        walk_text(s, E0_VerDTD, h->ver_dtd);
        walk_text(s, E0_VerProto, h->ver_proto);
        walk_text(s, E0_SessionID, h->session_id);
        walk_text(s, E0_MsgID, h->msg_id);
        walk_loc(s, E0_Target, h->target, h->target_name);
        walk_loc(s, E0_Source, h->source, h->source_name);
        walk_text(s, E0_RespURI, h->resp_uri);
        walk_flag(s, E0_NoResp, h->no_resp);
        walk_cred(s, &h->cred);
        walk_meta(s, &h->meta);
        put_close(s, E0_SyncHdr);
}

#endif
