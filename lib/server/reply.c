/* SPDX-License-Identifier: Apache-2.0 */
/* Our message: SyncHdr, Statuses, then alerts of the protocol and commands of jobs, as
 * much as the device's MaxMsgSize allows (dm-protocol.md 1.3, 1.5, 2, 3).
 *
 * New commands go only when the device's package is complete and everything sent before
 * has its Status.  A message that has no room for the next command beside its Statuses stays
 * without Final: the device asks for more, and the next message has nearly all of its room. */
#include <string.h>

#include "session.h"

#define LIMIT_LEAST 512       /* below this not even a Status finds room */
#define LIMIT_MOST (1u << 20) /* whatever a device says it can take */
#define ALERT_ROOM 128        /* an Alert 1222 and its Status */

/* ---- Statuses -------------------------------------------------------------------- */

static odm_ref *ref_new(odm_arena *a, odm_str uri)
{
        odm_ref *r = uri.p ? odm_new(a, odm_ref) : NULL;

        if (r)
                r->uri = uri;
        return r;
}

struct status_out *odm_status_add(odm_server *s, const odm_command *of, unsigned code)
{
        const odm_hdr *h = &s->in->hdr;
        struct status_out *st = odm_new(&s->arena, struct status_out);

        if (st == NULL)
                return NULL;
        st->of = of;
        st->c.kind = ODM_CMD_STATUS;
        st->c.code = code;
        st->c.msg_ref = odm_str_trim(h->msg_id);
        if (of) {
                st->c.cmd_ref = of->cmd_id.p ? odm_str_trim(of->cmd_id) : ODM_STR("");
                st->c.cmd =
                        of->kind == ODM_CMD_UNKNOWN ? of->name : odm_cstr(odm_cmd_name(of->kind));
        } else {
                st->c.cmd_ref = ODM_STR("0");
                st->c.cmd = ODM_STR("SyncHdr");
                st->c.target_refs = ref_new(&s->arena, h->target);
                st->c.source_refs = ref_new(&s->arena, h->source);
        }
        *s->statuses_end = st;
        s->statuses_end = &st->next;
        return s->arena.err ? NULL : st;
}

/* Statuses of one command that all say the same become one (dm-protocol.md 2). */
static void merge_statuses(odm_server *s)
{
        for (struct status_out *st = s->statuses; st; st = st->next) {
                struct status_out *last = st;
                bool same = st->of != NULL;
                while (last->next && last->next->of == st->of && st->of) {
                        last = last->next;
                        same = same && last->c.code == st->c.code;
                }
                if (same && last != st) {
                        st->next = last->next;
                        st->c.target_refs = st->c.source_refs = NULL;
                }
                if (!same)
                        st = last;
        }
}

static struct status_out *late_copy(odm_arena *a, const struct status_out *from)
{
        struct status_out *st = odm_new(a, struct status_out);

        if (st == NULL)
                return NULL;
        st->c.kind = ODM_CMD_STATUS;
        st->c.code = from->c.code;
        st->c.msg_ref = odm_arena_copy(a, from->c.msg_ref);
        st->c.cmd_ref = odm_arena_copy(a, from->c.cmd_ref);
        st->c.cmd = odm_arena_copy(a, from->c.cmd);
        if (from->c.target_refs)
                st->c.target_refs = ref_new(a, odm_arena_copy(a, from->c.target_refs->uri));
        if (from->c.source_refs)
                st->c.source_refs = ref_new(a, odm_arena_copy(a, from->c.source_refs->uri));
        return a->err ? NULL : st;
}

static bool is_any(const struct status_out *st)
{
        (void)st;
        return true;
}

/* 1224 and 1226.  One from before our message has lost its command. */
static bool is_of_alert(const struct status_out *st)
{
        if (st->of)
                return st->of->kind == ODM_CMD_ALERT && (st->of->code == ODM_ALERT_CLIENT_EVENT ||
                                                         st->of->code == ODM_ALERT_GENERIC);
        return odm_str_is(st->c.cmd, "Alert");
}

/* Copies the Statuses from `st` up to `to` that are `wanted` into an arena of their own, in the
 * place of what it held. */
static int keep_statuses(odm_server *s, const struct status_out *st, const struct status_out *to,
                         bool (*wanted)(const struct status_out *st), odm_arena *place,
                         struct status_out **out)
{
        odm_arena a;
        struct status_out *list = NULL, **end = &list;

        odm_arena_init(&a, &s->mem, s->opt.max_memory);
        for (; st != to; st = st->next) {
                if (!wanted(st))
                        continue;
                *end = late_copy(&a, st);
                if (*end == NULL) {
                        int rc = odm_session_arena_err(s, &a);
                        odm_arena_done(&a);
                        return rc;
                }
                end = &(*end)->next;
        }
        odm_arena_done(place);
        *place = a;
        *out = list;
        return 0;
}

/* What is put off already has found no room in that message: it comes after. */
int odm_status_again(odm_server *s)
{
        struct status_out **end = &s->said_list;

        while (*end)
                end = &(*end)->next;
        *end = s->late_list;
        int rc = keep_statuses(s, s->said_list, NULL, is_any, &s->late, &s->late_list);
        *end = NULL;
        return rc;
}

/* Writes c with the next CmdID; *fits is false, and nothing written, beyond `limit`. */
static int write_if_fits(odm_server *s, odm_command *c, size_t limit, bool *fits)
{
        odm_mark mark = odm_write_mark(&s->w);

        c->cmd_id = odm_arena_fmt(&s->arena, "%u", s->next_cmd);
        if (c->cmd_id.p == NULL)
                return odm_session_arena_err(s, &s->arena);
        int rc = odm_write_command(&s->w, c);
        if (rc < 0 && rc != ODM_ELIMIT)
                return rc == ODM_ENOMEM ? odm_session_nomem(s) : rc;
        *fits = rc == 0 && odm_write_size(&s->w, true) <= limit;
        if (*fits)
                s->next_cmd++;
        else
                odm_write_undo(&s->w, mark);
        return 0;
}

static int write_statuses(odm_server *s)
{
        struct status_out *st = s->statuses;
        bool fits = true;
        uint32_t n = 0;

        if (st && s->late_list) { /* the SyncHdr's comes first, then those from before */
                struct status_out *last = s->late_list;
                while (last->next)
                        last = last->next;
                last->next = st->next;
                st->next = s->late_list;
                s->late_list = NULL;
        }
        for (; st; st = st->next, n++) {
                int rc = write_if_fits(s, &st->c, s->limit - ALERT_ROOM, &fits);
                if (rc < 0)
                        return rc;
                if (!fits)
                        break;
        }
        s->lean = n <= 2; /* the SyncHdr's, and that of an Alert 1222 */
        s->overflow = st != NULL && (s->plan == PLAN_WORK || s->plan == PLAN_NEXT);
        if (s->plan != PLAN_REFUSE) {
                const struct status_out *from = s->prover.accepted ? st : s->statuses;
                int rc = keep_statuses(s, from, st, is_of_alert, &s->said, &s->said_list);
                if (rc < 0)
                        return rc;
        }
        return keep_statuses(s, s->overflow ? st : NULL, NULL, is_any, &s->late, &s->late_list);
}

/* ---- the head of the message -------------------------------------------------------- */

static const char *proto_of(const odm_server *s)
{
        return s->version == 3 ? "DM/1.3" : s->version == 1 ? "DM/1.1" : "DM/1.2";
}

/* We show who we are only to who has: a refusal must not tell what there is to guess at. */
static bool shows_mac(const odm_server *s)
{
        return s->phase != PHASE_SETUP && odm_prover_wants_mac(&s->prover);
}

static int write_hdr(odm_server *s)
{
        odm_hdr h = {
                .ver_dtd = s->version == 1 ? ODM_STR("1.1") : ODM_STR("1.2"),
                .ver_proto = odm_cstr(proto_of(s)),
                .session_id = {s->session_id, s->session_id_n},
                .msg_id = odm_arena_fmt(&s->arena, "%u", s->out_id),
                .target = s->device,
                .source = s->opt.server_uri,
                .resp_uri = s->opt.resp_uri,
        };
        int rc = 0;

        if (!s->announced) {
                h.meta = (odm_meta){
                        .present = true,
                        .has_max_msg = true,
                        .max_msg = s->opt.max_msg_size,
                        .has_max_obj = s->opt.max_obj_size > 0,
                        .max_obj = s->opt.max_obj_size,
                };
        }
        if (h.msg_id.p == NULL)
                return odm_session_arena_err(s, &s->arena);
        if (s->phase != PHASE_SETUP && !s->refused)
                rc = odm_prover_cred(&s->prover, &s->arena, &h.cred);
        if (h.cred.present || shows_mac(s)) /* whose they are (dm-protocol.md 1.1) */
                h.source_name = s->opt.peer.server_user;
        if (rc == 0)
                rc = odm_write_begin(&s->w, odm_session_codec(s), &s->reply, &h);
        return rc == ODM_ENOMEM ? odm_session_nomem(s) : rc;
}

static int write_alert(odm_server *s, unsigned code, odm_str source)
{
        odm_item item = {.source = source};
        odm_command c = {.kind = ODM_CMD_ALERT, .code = code};
        bool fits;

        if (source.p)
                c.items = &item;
        return write_if_fits(s, &c, s->reply.max, &fits);
}

static void set_limit(odm_server *s)
{
        uint64_t max = s->peer_max_msg ? s->peer_max_msg : s->opt.send_max;

        if (max < LIMIT_LEAST) {
                odm_session_finish(s, ODM_OUTCOME_TOO_LARGE, "the device takes too small messages");
                if (s->plan != PLAN_ABORT)
                        s->plan = PLAN_STOP;
                max = LIMIT_LEAST;
        }
        s->limit = max > LIMIT_MOST ? LIMIT_MOST : (size_t)max;
        s->reply.max = s->limit + 4096;
}

int odm_reply_begin(odm_server *s)
{
        int rc;

        s->out_id++;
        s->next_cmd = 1;
        set_limit(s);
        merge_statuses(s);
        rc = write_hdr(s);
        if (rc == 0)
                rc = write_statuses(s);
        if (rc == 0 && s->no_end.p)
                rc = write_alert(s, ODM_ALERT_NO_END_OF_DATA, s->no_end);
        if (rc == 0 && s->plan == PLAN_NEXT)
                rc = write_alert(s, ODM_ALERT_NEXT_MESSAGE, ODM_ABSENT);
        if (rc == 0 && s->plan == PLAN_ABORT)
                rc = write_alert(s, ODM_ALERT_ABORT, ODM_ABSENT);
        return rc;
}

/* ---- commands ---------------------------------------------------------------------------- */

static struct job *next_job(const odm_server *s)
{
        struct job *j = s->jobs;

        while (j && j->at >= j->end)
                j = j->next;
        return j;
}

struct values {
        size_t sum, largest; /* octets of them as they travel */
        bool carried;        /* false when the codec has no form for one */
};

/* At most Sequence, Atomic, member: odm_job_allowed() lets nothing deeper. */
static void measure(const odm_server *s, const odm_command *c, struct values *v)
{
        for (const odm_item *it = c->items; it; it = it->next) {
                bool b64 = s->xml && it->data.kind == ODM_DATA_OPAQUE &&
                           odm_meta_of(c, it).format == ODM_FMT_BIN;
                size_t n = b64 ? odm_b64_size(it->data.bytes.n) : it->data.bytes.n;
                v->sum += n;
                v->largest = n > v->largest ? n : v->largest;
                if (s->xml && it->data.kind == ODM_DATA_TEXT)
                        v->carried = v->carried && odm_xml_can_carry(it->data.bytes);
        }
        for (const odm_command *m = c->body; m; m = m->next)
                measure(s, m, v);
}

static int add_members(odm_server *s, struct job *j, const odm_command *c, uint32_t *index)
{
        for (const odm_command *m = c->body; m; m = m->next) {
                int rc = odm_sent_add(s, j, (*index)++, SENT_MEMBER);
                if (rc == 0)
                        rc = add_members(s, j, m, index);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

/* The command is in the message: it waits for its Status from now on. */
static int book_command(odm_server *s, struct job *j, const odm_command *c)
{
        bool may_split = c->kind == ODM_CMD_ATOMIC && j->split;
        uint32_t index = j->at + 1;

        if (s->wrote == 0)
                s->out_first = s->next_cmd;
        int rc = odm_sent_add(s, j, j->at, may_split ? SENT_ATOMIC : 0);
        if (rc == 0)
                rc = add_members(s, j, c, &index);
        if (rc < 0)
                return rc;
        s->next_cmd += index - j->at;
        s->wrote++;
        s->wrote_job = j;
        s->wrote_full = may_split; /* if it is refused, its members come before all else */
        j->sent = true;
        odm_job_advance(j);
        return 0;
}

/* Writes the command under the cursor if it fits. */
static int try_command(odm_server *s, const odm_command *c, bool *fits)
{
        odm_mark mark = odm_write_mark(&s->w);
        odm_command *copy;
        int rc = odm_clone_command(s, c, s->next_cmd, true, &copy);

        if (rc == 0)
                rc = odm_write_command(&s->w, copy);
        if (rc == ODM_ENOMEM)
                return odm_session_nomem(s);
        if (rc < 0 && rc != ODM_ELIMIT)
                return rc;
        *fits = rc == 0 && odm_write_size(&s->w, true) <= s->limit;
        if (!*fits)
                odm_write_undo(&s->w, mark);
        return 0;
}

/* It does not fit in here: in another message, in pieces, or not at all. */
static int too_big(odm_server *s, struct job *j, const odm_command *c, size_t octets,
                   enum fill *out)
{
        bool cut = s->large_objects && odm_chunk_possible(c);

        if (s->wrote > 0) {
                *out = FILL_FULL;
                return 0;
        }
        if (!s->lean && (!cut || octets < s->limit / 2)) {
                s->stay_open = true;
                *out = FILL_FULL;
                return 0;
        }
        if (cut) {
                odm_chunk_begin(s, j);
                *out = FILL_GOES_ON;
                return 0;
        }
        *out = FILL_TOLD;
        return odm_job_give_up(s, j, ODM_ST_TOO_LARGE,
                               s->large_objects ? "the command fits no message"
                                                : "the device takes no large objects");
}

/* Not the session's fault, nor the next job's. */
static const char *unfit_why(int rc)
{
        return rc == ODM_EMALFORMED ? "the document inside is broken"
                                    : "XML cannot carry what is in the command";
}

static int put_command(odm_server *s, struct job *j, enum fill *out)
{
        const odm_command *c = odm_job_peek(j);
        struct values v = {.carried = true};
        bool fits = false;
        int rc = 0;

        measure(s, c, &v);

        if (c->kind == ODM_CMD_ATOMIC && j->split && s->no_atomic) {
                *out = FILL_TOLD;
                return odm_job_split(s, j, j->at);
        }
        if (s->peer_max_obj && v.largest > s->peer_max_obj) {
                *out = FILL_TOLD;
                return odm_job_give_up(s, j, ODM_ST_TOO_LARGE,
                                       "larger than the device's largest object");
        }
        if (!v.carried)
                rc = ODM_EINVAL;
        else if (v.sum < s->limit)
                rc = try_command(s, c, &fits);
        if (rc == ODM_EMALFORMED || rc == ODM_EINVAL) {
                *out = FILL_TOLD;
                return odm_job_give_up(s, j, ODM_ST_BAD_REQUEST, unfit_why(rc));
        }
        if (rc < 0)
                return rc;
        if (!fits)
                return too_big(s, j, c, v.sum, out);
        *out = FILL_GOES_ON;
        return book_command(s, j, c);
}

static int put_chunk(odm_server *s, enum fill *out)
{
        struct job *j = s->sending.job;
        bool fits;
        int rc = 0;

        *out = FILL_FULL;
        if (j->lost) {
                odm_chunk_close(s);
                *out = FILL_TOLD;
                return odm_job_give_up(s, j, ODM_ST_FAILED, "the job is gone");
        }
        rc = odm_chunk_put(s, &fits);
        if (rc == ODM_EMALFORMED || rc == ODM_EINVAL) {
                odm_chunk_close(s);
                *out = FILL_TOLD;
                return odm_job_give_up(s, j, ODM_ST_BAD_REQUEST, unfit_why(rc));
        }
        if (rc < 0 || fits)
                return rc;
        if (!s->lean) {
                s->stay_open = true;
                return 0;
        }
        odm_chunk_close(s);
        *out = FILL_TOLD;
        return odm_job_give_up(s, j, ODM_ST_TOO_LARGE, "the device's messages are too small");
}

static bool is_full(const odm_server *s)
{
        return s->wrote_full || s->n_out >= s->opt.max_in_message ||
               odm_write_size(&s->w, true) + 32 > s->limit;
}

/* A job that wants to be alone shares no message. */
static bool apart(const odm_server *s, const struct job *j)
{
        return s->wrote_job && s->wrote_job != j && (j->alone || s->wrote_job->alone);
}

int odm_reply_fill(odm_server *s, enum fill *out)
{
        *out = FILL_FULL;
        if (s->plan != PLAN_WORK || s->phase != PHASE_MANAGE || s->overflow || s->stay_open)
                return 0;
        if (s->sending.open)
                return s->wrote ? 0 : put_chunk(s, out);
        struct job *j = next_job(s);
        if (is_full(s) && s->wrote)
                return 0;
        if (j == NULL) {
                bool closed = s->no_more || (s->wrote_job && s->wrote_job->alone);
                *out = closed ? FILL_FULL : FILL_ASK;
                return 0;
        }
        if (apart(s, j))
                return 0;
        if (j->lost) {
                *out = FILL_TOLD;
                return odm_job_give_up(s, j, ODM_ST_FAILED, "the job is gone");
        }
        return put_command(s, j, out);
}

/* ---- the end of the message ------------------------------------------------------------------ */

static int end_session(odm_server *s)
{
        bool first = s->phase != PHASE_OVER;

        odm_session_finish(s, ODM_OUTCOME_DONE, "");
        if (!first)
                return 0;
        odm_session_phase(s, PHASE_OVER);
        struct told *t = odm_session_tell(s, ODM_EV_END);
        if (t == NULL)
                return odm_session_arena_err(s, &s->arena);
        t->ev.outcome = s->outcome;
        t->ev.why = odm_cstr(s->diag);
        return 0;
}

static bool goes_on(const odm_server *s)
{
        if (s->plan == PLAN_WORK)
                return s->wrote > 0 || s->open || s->no_end.p;
        return s->plan == PLAN_NEXT || s->plan == PLAN_REFUSE;
}

int odm_reply_end(odm_server *s)
{
        bool chunks = s->n_out > 0 && s->wrote > 0 && (s->out[0].flags & SENT_CHUNK);
        int rc;

        if (s->plan != PLAN_REFUSE) /* after a refusal we go on where we were */
                s->open = s->plan == PLAN_WORK && (chunks || s->stay_open || s->overflow);
        rc = odm_write_end(&s->w, s->plan == PLAN_REFUSE || !(s->open || s->plan == PLAN_NEXT));
        if (rc == 0 && shows_mac(s))
                rc = odm_prover_mac(&s->prover, odm_buf_view(&s->reply), &s->mac);
        if (rc == 0 && !goes_on(s))
                rc = end_session(s);
        if (rc < 0)
                return rc == ODM_ENOMEM ? odm_session_nomem(s) : rc;
        if (s->wrote > 0)
                s->out_msg = s->out_id;
        if (s->plan != PLAN_REFUSE)
                s->announced = true;
        s->has_reply = true;
        return 0;
}
