/* SPDX-License-Identifier: Apache-2.0 */
/* Takes one message of the server (dm-protocol.md 13): header, who sent it, what it says of our
 * last message, and then its commands.
 *
 *     not ours, unreadable ------------------> ended
 *     the answer to an earlier message ------> ours is said once more
 *     version nobody speaks -----------------> 505 or 513 for all of it, then ended
 *     challenged ----------------------------> said again, with credentials
 *     commands of a server that is not proven-> 401 or 407, nothing executed
 *     Alert 1223, or nothing left to say ----> ended
 *     else ----------------------------------> its commands are walked, then answered        */
#include <stdio.h>
#include <string.h>

#include "session.h"

#define GO_ON 1 /* this check found nothing to end or answer the message with */

/* ---- what kind of message it is ----------------------------------------------- */

static bool has_commands(const odm_msg *m)
{
        for (const odm_command *cmd = m->body; cmd; cmd = cmd->next)
                if (cmd->kind != ODM_CMD_STATUS && cmd->kind != ODM_CMD_RESULTS)
                        return true;
        return false;
}

static bool has_abort(const odm_msg *m)
{
        for (const odm_command *cmd = m->body; cmd; cmd = cmd->next)
                if (cmd->kind == ODM_CMD_ALERT && cmd->code == ODM_ALERT_ABORT)
                        return true;
        return false;
}

/* A Status for the SyncHdr of one of our messages. */
static bool is_of_hdr(const odm_command *cmd)
{
        odm_str ref = odm_str_trim(cmd->cmd_ref);

        return cmd->kind == ODM_CMD_STATUS &&
               (odm_str_is(ref, "0") ||
                (ref.n == 0 && odm_str_is(odm_str_trim(cmd->cmd), "SyncHdr")));
}

static bool is_hdr_status(const odm_client *c, const odm_command *cmd)
{
        uint32_t msg = odm_ref_number(cmd->msg_ref);

        return is_of_hdr(cmd) && (msg == 0 || msg == c->msg_id);
}

static const odm_command *find_hdr_status(const odm_client *c)
{
        for (const odm_command *cmd = c->msg->body; cmd; cmd = cmd->next)
                if (is_hdr_status(c, cmd))
                        return cmd;
        return NULL;
}

/* It came late, or was told twice: its commands were done, and must not be again.  A server counts
 * as it likes, and some refer to nothing; only both together tell. */
static bool is_stale(const odm_client *c)
{
        uint32_t theirs = odm_ref_number(c->msg->hdr.msg_id);

        if (theirs == 0 || theirs > c->peer_msg || find_hdr_status(c))
                return false;
        for (const odm_command *cmd = c->msg->body; cmd; cmd = cmd->next)
                if (is_of_hdr(cmd) && odm_ref_number(cmd->msg_ref) < c->msg_id)
                        return true;
        return false;
}

/* ---- header ------------------------------------------------------------------------ */

/* Some servers echo the hexadecimal SessionID as a decimal number, or in small letters. */
static bool same_session(const odm_client *c, odm_str theirs)
{
        uint32_t ours = 0;
        char text[NUMBER_TEXT];

        theirs = odm_str_trim(theirs);
        if (odm_str_eq(theirs, c->session_id))
                return true;
        if (c->session_id.n > 4)
                return false;
        for (size_t i = 0; i < c->session_id.n; i++) {
                char ch = c->session_id.p[i];
                bool letter = ch >= 'A' && ch <= 'F';
                if (!letter && (ch < '0' || ch > '9'))
                        return false;
                ours = ours << 4 | (uint32_t)(letter ? ch - 'A' + 10 : ch - '0');
        }
        (void)snprintf(text, sizeof text, "%X", (unsigned)ours);
        if (odm_str_ieq(theirs, text))
                return true;
        (void)snprintf(text, sizeof text, "%u", (unsigned)ours);
        return odm_str_is(theirs, text);
}

static odm_item *versions(odm_client *c, bool dtd)
{
        static const char *const both[] = {"DM/1.2", "DM/1.3"};
        odm_item *first = NULL;

        for (size_t i = c->opt.dm13 && !dtd ? 2 : 1; i-- > 0;) {
                odm_item *it = odm_new(&c->head, odm_item);
                if (it == NULL)
                        return NULL;
                it->data = (odm_data){ODM_DATA_TEXT, dtd ? ODM_STR("1.2") : odm_cstr(both[i])};
                it->next = first;
                first = it;
        }
        return first;
}

static unsigned version_status(const odm_client *c, const odm_hdr *h)
{
        odm_str dtd = odm_str_trim(h->ver_dtd), proto = odm_str_trim(h->ver_proto);
        bool old = c->opt.allow_dm11 && odm_str_is(proto, "DM/1.1");

        if (!old && !odm_str_is(proto, "DM/1.2") && !(c->opt.dm13 && odm_str_is(proto, "DM/1.3")))
                return ODM_ST_BAD_PROTO;
        if (!odm_str_is(dtd, "1.2") && !(old && odm_str_is(dtd, "1.1")))
                return ODM_ST_BAD_DTD;
        return 0;
}

/* The Status that our next message begins with. */
static int make_hdr_status(odm_client *c, unsigned code)
{
        const odm_hdr *h = &c->msg->hdr;
        odm_ref *target = odm_new(&c->head, odm_ref), *source = odm_new(&c->head, odm_ref);
        odm_str msg_id = odm_arena_copy(&c->head, h->msg_id);

        if (target == NULL || source == NULL || msg_id.p == NULL)
                return arena_rc(&c->head);
        target->uri = odm_arena_copy(&c->head, h->target.p ? h->target : ODM_STR(""));
        source->uri = odm_arena_copy(&c->head, h->source.p ? h->source : ODM_STR(""));
        if (target->uri.p == NULL || source->uri.p == NULL)
                return arena_rc(&c->head);
        c->hdr_status = (odm_command){.kind = ODM_CMD_STATUS,
                                      .code = code,
                                      .msg_ref = msg_id,
                                      .cmd_ref = ODM_STR("0"),
                                      .cmd = ODM_STR("SyncHdr"),
                                      .target_refs = target,
                                      .source_refs = source};
        c->has_hdr_status = true;
        return 0;
}

static int answer_last_word(odm_client *c, odm_outcome closing, unsigned code)
{
        c->closing = closing;
        c->stage = STAGE_CLOSING;
        return odm_outbox_build_refusal(c, code);
}

/* How much of `s` goes into a sentence. */
static int shown(odm_str s, int most)
{
        return s.n < (size_t)most ? (int)s.n : most;
}

static int check_hdr(odm_client *c)
{
        const odm_hdr *h = &c->msg->hdr;
        unsigned code;

        if (odm_str_trim(h->msg_id).n == 0 || !same_session(c, h->session_id))
                return odm_client_finish(c, ODM_OUTCOME_BAD_MESSAGE,
                                         "the reply is of another session");
        if (h->target.n > 0 && !odm_str_eq(odm_str_trim(h->target), c->device_id))
                return odm_client_finish(c, ODM_OUTCOME_BAD_MESSAGE,
                                         "the reply is for another device");
        code = version_status(c, h);
        int rc = make_hdr_status(c, code ? code : ODM_ST_OK);
        if (rc < 0 || code == 0)
                return rc < 0 ? rc : GO_ON;
        const odm_command *ours = find_hdr_status(c);
        if (ours && (ours->code == ODM_ST_BAD_PROTO || ours->code == ODM_ST_BAD_DTD))
                return GO_ON; /* it refuses our version in its own: no ping-pong */
        c->hdr_status.items = versions(c, code == ODM_ST_BAD_DTD);
        if (c->hdr_status.items == NULL)
                return arena_rc(&c->head);
        (void)snprintf(c->diag, sizeof c->diag, "the server speaks %.*s, DTD %.*s",
                       shown(h->ver_proto, 40), h->ver_proto.p ? h->ver_proto.p : "",
                       shown(h->ver_dtd, 10), h->ver_dtd.p ? h->ver_dtd.p : "");
        return answer_last_word(c, ODM_OUTCOME_VERSION, code);
}

/* What the header asks of our later messages. */
static int obey_hdr(odm_client *c)
{
        const odm_hdr *h = &c->msg->hdr;
        odm_str uri = odm_str_trim(h->resp_uri);

        if (h->meta.has_max_msg)
                c->peer_max_msg = h->meta.max_msg;
        if (h->meta.has_max_obj)
                c->peer_max_obj = h->meta.max_obj;
        if (uri.n == 0 || uri.n > URL_MAX_LEN)
                return 0;
        if (c->opt.secure && odm_str_ieq(odm_str_to(uri, 5), "http:")) {
                CLIENT_TRACE(c, "RespURI leaves TLS: not followed");
                return 0;
        }
        odm_buf_cut(&c->url, 0);
        return odm_buf_str(&c->url, uri);
}

/* ---- who speaks ------------------------------------------------------------------------ */

/* Keeps a nonce in the account; a device that cannot goes on with the old one next time, which
 * the server answers with a challenge. */
static int keep_nonce(odm_client *c, odm_str uri, const odm_nonce *nonce)
{
        odm_op op = {.kind = ODM_CMD_REPLACE,
                     .target = uri,
                     .value = {ODM_FMT_BIN, ODM_ABSENT, odm_nonce_view(nonce)},
                     .has_value = true,
                     .quiet = true};
        odm_answer a = {.status = 0};

        if (uri.p == NULL)
                return 0;
        if (!odm_tree_exists(c->tree, uri))
                op.kind = ODM_CMD_ADD;
        int rc = odm_tree_do(c->tree, &op, c->wall, &c->scratch, &a);
        if (rc < 0)
                return rc;
        if (!odm_status_ok(a.status))
                CLIENT_TRACE(c, "a nonce could not be kept: %u", a.status);
        return 0;
}

static int check_server(odm_client *c, const odm_packet *reply, odm_check *out)
{
        const odm_hdr *h = &c->msg->hdr;
        bool commands = has_commands(c->msg);
        int rc;

        *out = (odm_check){.status = ODM_ST_OK, .ok = true};
        c->trusted = c->verifier.type == ODM_AUTH_NONE || c->verifier.authenticated;
        if (!commands && !h->cred.present && reply->mac.p == NULL && !c->verifier.mac_used)
                return 0; /* nothing to execute: nothing to prove (dm-protocol.md 9.3) */
        rc = odm_verifier_check(&c->verifier,
                                odm_str_trim(h->source_name).n ? odm_str_trim(h->source_name)
                                                               : ODM_ABSENT,
                                &h->cred, reply->mac, reply->body, &c->opt.rng, &c->head, out);
        if (rc < 0)
                return rc;
        c->trusted = out->ok;
        c->hdr_status.code = out->status;
        if (out->challenge)
                c->hdr_status.chal = out->chal;
        return 0;
}

/* Kept when the message that tells it is made, no sooner: after the server's last message there
 * is none, and the server goes on with the nonce it has. */
int odm_inbox_keep_server_nonce(odm_client *c)
{
        if (!c->verifier.nonce_changed)
                return 0;
        c->verifier.nonce_changed = false;
        return keep_nonce(c, c->account.server_nonce_uri, &c->verifier.nonce);
}

/* A nonce is kept only when it came from a server that proved itself (dm-protocol.md 9.4): in this
 * message, or before it when the server now takes what we proved with it. */
static int keep_client_nonce(odm_client *c, bool pending, bool taken)
{
        bool good = c->trusted && (c->prover.nonce_changed || (pending && taken));

        c->prover.nonce_changed |= pending;
        if (!good)
                return 0;
        c->prover.nonce_changed = false;
        return keep_nonce(c, c->account.nonce_uri, &c->prover.nonce);
}

/* ---- what the server says of our last message ------------------------------------------------ */

/* An alert on its way in chunks is not answered by a success: whatever the server makes of one
 * chunk, the rest is still to be said.  A refusal ends it, and none of it may be said any more. */
static void alert_answered(odm_client *c, const odm_command *status)
{
        uint32_t msg = odm_ref_number(status->msg_ref), cmd = odm_ref_number(status->cmd_ref);
        bool good = odm_status_ok(status->code);

        for (struct entry *e = c->box.head[LANE_ALERTS]; e; e = e->next) {
                struct alert *a = (struct alert *)e;
                bool under_way = c->box.now.item == &a->item;
                if (a->msg_id == 0 || a->msg_id != msg || a->cmd_id != cmd || a->status != 0 ||
                    status->code == ODM_ST_CHUNK_ACCEPTED || (under_way && good))
                        continue;
                a->status = status->code;
                if (under_way)
                        odm_outbox_drop_chunk(c);
        }
}

static void take_statuses(odm_client *c)
{
        for (const odm_command *cmd = c->msg->body; cmd; cmd = cmd->next) {
                if (cmd->kind != ODM_CMD_STATUS || is_hdr_status(c, cmd))
                        continue;
                if (c->trusted || c->verifier.proven)
                        alert_answered(c, cmd);
                if (c->box.chunk_cmd && odm_ref_number(cmd->msg_ref) == c->msg_id &&
                    odm_ref_number(cmd->cmd_ref) == c->box.chunk_cmd && !odm_status_ok(cmd->code))
                        odm_outbox_drop_chunk(c);
        }
}

static int say_again(odm_client *c)
{
        odm_outbox_rewind(c);
        return odm_outbox_build(c);
}

/* A server that speaks no 1.3 is spoken to in 1.2. */
static int on_version_refused(odm_client *c)
{
        if (!c->say_dm13)
                return odm_client_finish(c, ODM_OUTCOME_VERSION, "the server refused DM/1.2");
        c->say_dm13 = false;
        return say_again(c);
}

static int check_our_status(odm_client *c)
{
        const odm_command *s = find_hdr_status(c);
        odm_verdict v;

        if (s == NULL)
                return GO_ON;
        bool pending = c->prover.nonce_changed;
        c->prover.nonce_changed = false;
        v = odm_prover_answer(&c->prover, s->code, s->chal.present ? &s->chal : NULL);
        int rc = keep_client_nonce(c, pending, odm_status_ok(s->code));
        if (rc < 0)
                return rc;
        if (v == ODM_VERDICT_GIVE_UP)
                return odm_client_finish(c, ODM_OUTCOME_AUTH_REFUSED,
                                         "the server refused our credentials");
        if (v == ODM_VERDICT_RETRY)
                return say_again(c);
        if (s->code == ODM_ST_BAD_PROTO || s->code == ODM_ST_BAD_DTD)
                return on_version_refused(c);
        if (s->code >= 400 && !has_commands(c->msg)) {
                (void)snprintf(c->diag, sizeof c->diag, "the server refused our message: %u",
                               s->code);
                return odm_client_finish(c, ODM_OUTCOME_REFUSED, NULL);
        }
        return GO_ON;
}

/* ---- the message ------------------------------------------------------------------------ */

static int decode(odm_client *c, const odm_packet *reply)
{
        odm_str body;
        int rc;

        odm_arena_reset(&c->in);
        odm_arena_reset(&c->head);
        odm_arena_reset(&c->scratch);
        c->has_hdr_status = false;
        body = odm_arena_copy(&c->in, reply->body.p ? reply->body : ODM_STR(""));
        rc = body.p ? odm_decode(c->opt.codec, body, &c->opt.limits, &c->in, &c->msg)
                    : arena_rc(&c->in);
        if (rc == ODM_EMALFORMED || rc == ODM_ELIMIT)
                return odm_client_finish(c, ODM_OUTCOME_BAD_MESSAGE,
                                         rc == ODM_ELIMIT ? "the reply is too large"
                                                          : "the reply is no SyncML message");
        return rc < 0 ? rc : GO_ON;
}

static int on_untrusted(odm_client *c, const odm_check *check)
{
        CLIENT_TRACE(c, "the server is not proven: %u", check->status);
        if (c->verifier.mac_used && !check->challenge && check->terminate &&
            c->verifier.failures == 0)
                return odm_client_finish(c, ODM_OUTCOME_SERVER_UNTRUSTED,
                                         "the server's MAC is missing");
        if (check->terminate) {
                (void)snprintf(c->diag, sizeof c->diag, "the server did not prove itself");
                return answer_last_word(c, ODM_OUTCOME_SERVER_UNTRUSTED, check->status);
        }
        return odm_outbox_build_refusal(c, check->status);
}

/* Nothing but the Status of the SyncHdr could be said: then nothing is.  A package of ours that is
 * still open goes on all the same, if only to its Final. */
static bool is_over(const odm_client *c)
{
        return c->msg->final && !has_commands(c->msg) && c->own_closed;
}

static int on_commands(odm_client *c)
{
        int rc;

        if (is_over(c))
                return odm_client_finish(c, ODM_OUTCOME_DONE, NULL);
        if (c->stage == STAGE_SETUP && !odm_outbox_empty(c) && !c->msg->final)
                CLIENT_TRACE(c, "package 1 goes on");
        else if (c->stage == STAGE_SETUP)
                c->stage = STAGE_MANAGE;
        if (c->msg->final)
                c->peer_closed = true;
        odm_client_enter(c, CLIENT_WORK);
        odm_runner_begin(c);
        rc = odm_runner_run(c);
        if (rc == 0 && odm_runner_done(c)) {
                odm_inbox_drop(c);
                rc = odm_outbox_build(c);
        }
        return rc;
}

void odm_inbox_drop(odm_client *c)
{
        odm_arena_done(&c->in);
        c->msg = NULL;
}

int odm_inbox_take(odm_client *c, const odm_packet *reply)
{
        odm_check check;
        int rc = decode(c, reply);

        if (rc == GO_ON && c->stage == STAGE_CLOSING)
                return odm_client_finish(c, c->closing, NULL);
        if (rc == GO_ON)
                rc = check_hdr(c);
        if (rc != GO_ON)
                return rc;
        if (is_stale(c))
                return odm_client_repeat(c);
        c->peer_msg = odm_ref_number(c->msg->hdr.msg_id);
        rc = check_server(c, reply, &check);
        if (rc == 0 && (c->trusted || !has_commands(c->msg) || check.challenge))
                rc = obey_hdr(c);
        if (rc < 0)
                return rc;
        rc = check_our_status(c);
        if (rc != GO_ON)
                return rc;
        if (has_abort(c->msg)) {
                if (check.ok)
                        take_statuses(c);
                return odm_client_finish(c, ODM_OUTCOME_ABORTED, "the server aborted the session");
        }
        if (!check.ok && (has_commands(c->msg) || check.terminate))
                return on_untrusted(c, &check);
        take_statuses(c);
        odm_outbox_accepted(c);
        if (c->abort_wanted) {
                c->closing = ODM_OUTCOME_USER_ABORT;
                c->stage = STAGE_CLOSING;
                return odm_outbox_build_abort(c);
        }
        return on_commands(c);
}
