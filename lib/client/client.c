/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a session: made, started, moved along by replies, answers and the clock, ended
 * (dm-protocol.md 1, 13).  The states are drawn in session.h. */
#include <stdio.h>
#include <string.h>

#include "session.h"

#define LEAST_MESSAGE 2048
#define ARENA_SHARE 2 /* each arena may take this part of the memory */

static const char *const state_names[] = {
        [CLIENT_IDLE] = "idle", [CLIENT_WORK] = "work",   [CLIENT_READY] = "ready",
        [CLIENT_WAIT] = "wait", [CLIENT_ENDED] = "ended",
};

void odm_client_enter(odm_client *c, enum client_state to)
{
        CLIENT_TRACE(c, "%.*s/%u: %s -> %s", (int)c->session_id.n, c->session_id.p,
                     (unsigned)c->msg_id, state_names[c->state], state_names[to]);
        c->state = to; /* the only assignment to state */
}

int odm_client_finish(odm_client *c, odm_outcome o, const char *diag)
{
        if (c->state == CLIENT_ENDED)
                return 0;
        if (diag)
                (void)snprintf(c->diag, sizeof c->diag, "%s", diag);
        if (o == ODM_OUTCOME_DONE)
                c->diag[0] = '\0';
        c->outcome = o;
        c->request_open = false;
        if (c->run.depth > 0 && odm_tree_in_transaction(c->tree))
                odm_tree_rollback(c->tree);
        odm_client_enter(c, CLIENT_ENDED);
        return 0;
}

/* ---- options ------------------------------------------------------------------- */

void odm_client_opt_init(odm_client_opt *o, const odm_mem *mem)
{
        *o = (odm_client_opt){
                .mem = mem,
                .codec = &odm_codec_wbxml,
                .alert = ODM_ALERT_CLIENT_INITIATED,
                .max_msg_size = 65536,
                .max_obj_size = 16 << 20,
                .send_max = 65536,
                .has_copy = true,
                .has_exec = true,
                .has_atomic = true,
                .has_tnds = true,
                .has_list = true,
                .max_alerts = 64,
                .reply_ms = 60000,
                .retries = 2,
                .max_messages = 10000,
                .max_memory = 64 << 20,
        };
        odm_limits_init(&o->limits);
}

static bool opt_ok(const odm_client_opt *o)
{
        return o->mem && o->rng.fill && o->codec && o->account.n > 0 &&
               (o->alert == ODM_ALERT_SERVER_INITIATED || o->alert == ODM_ALERT_CLIENT_INITIATED) &&
               o->max_msg_size >= LEAST_MESSAGE && o->send_max >= LEAST_MESSAGE &&
               o->session_id.n <= SESSION_ID_MAX && o->reply_ms > 0 && o->max_messages > 0 &&
               o->limits.max_depth <= NESTING && o->max_memory >= LEAST_MESSAGE;
}

/* ---- making one ------------------------------------------------------------------- */

static int make_session_id(odm_client *c)
{
        uint16_t id = 0;
        char text[5];

        if (c->opt.session_id.n > 0) {
                c->session_id = odm_arena_copy(&c->perm, c->opt.session_id);
        } else {
                while (id == 0)
                        if (c->opt.rng.fill(c->opt.rng.ctx, &id, sizeof id) < 0)
                                return ODM_EIO;
                odm_notify_session(id, text);
                c->session_id = odm_arena_copy(&c->perm, odm_cstr(text));
        }
        return c->session_id.p ? 0 : arena_rc(&c->perm);
}

static int read_device(odm_client *c)
{
        odm_value v;
        int rc = odm_tree_read(c->tree, ODM_STR("./DevInfo/DevId"), &c->perm, &v);

        if (rc == 0) {
                c->device_id = odm_arena_copy(&c->perm, v.data);
                if (c->device_id.p == NULL)
                        rc = arena_rc(&c->perm);
        }
        return rc == ODM_EINVAL ? ODM_ENOENT : rc;
}

static bool shown_at_once(const odm_client *c, odm_auth_type t)
{
        if (c->account.password.p == NULL)
                return false;
        return t == ODM_AUTH_MD5 || t == ODM_AUTH_MAC || (t == ODM_AUTH_BASIC && c->opt.secure);
}

static void set_up_auth(odm_client *c)
{
        const odm_account *a = &c->account;
        const odm_nonce *fallback =
                c->opt.resync_ascii ? &odm_nonce_default_ascii : &odm_nonce_default_zero;
        bool basic = a->type == ODM_AUTH_BASIC || c->opt.allow_basic;

        c->prover = (odm_prover){
                .type = shown_at_once(c, a->type) ? a->type : ODM_AUTH_NONE,
                .user = a->user.p ? a->user : ODM_STR(""),
                .password = a->password,
                .nonce = c->opt.resync ? *fallback : a->nonce,
                .allow_basic = basic && c->opt.secure,
        };
        c->verifier = (odm_verifier){
                .type = c->opt.server_known ? ODM_AUTH_NONE : a->server_type,
                .accept_stronger = true,
                .every_message = !c->opt.secure,
                .user = a->server_user.p ? a->server_user : a->server_id,
                .password = a->server_password.p ? a->server_password : ODM_STR(""),
                .nonce = a->server_nonce,
                .has_nonce = a->server_nonce_uri.p != NULL,
                .allow_default = c->opt.resync,
        };
}

static int set_up(odm_client *c)
{
        odm_str at = odm_arena_copy(&c->perm, c->opt.account);
        int rc = at.p ? odm_account_read(c->tree, at, &c->perm, &c->account) : arena_rc(&c->perm);

        if (rc == 0)
                rc = make_session_id(c);
        if (rc == 0)
                rc = read_device(c);
        if (rc < 0)
                return rc;
        if (c->account.addr.n > URL_MAX_LEN)
                return ODM_EINVAL;
        rc = odm_buf_str(&c->url, c->account.addr);
        if (rc < 0)
                return rc;
        c->opt.account = at;
        c->opt.session_id = c->session_id;
        set_up_auth(c);
        return 0;
}

int odm_client_new(const odm_client_opt *opt, odm_tree *tree, odm_client **out)
{
        odm_client *c;
        int rc;

        if (!opt_ok(opt))
                return ODM_EINVAL;
        c = odm_alloc(opt->mem, sizeof *c);
        if (c == NULL)
                return ODM_ENOMEM;
        c->opt = *opt;
        c->tree = tree;
        c->deadline = ODM_NEVER;
        if (c->opt.limits.max_msg < opt->max_msg_size) /* what is announced is taken */
                c->opt.limits.max_msg = opt->max_msg_size;
        c->say_dm13 = opt->dm13;
        c->session_id = ODM_STR("");
        c->peer_closed = true; /* package 1 waits for nobody */
        odm_arena_init(&c->perm, opt->mem, opt->max_memory / ARENA_SHARE);
        odm_arena_init(&c->in, opt->mem, opt->max_memory / ARENA_SHARE);
        odm_arena_init(&c->head, opt->mem, opt->max_memory / ARENA_SHARE);
        odm_arena_init(&c->scratch, opt->mem, opt->max_memory / ARENA_SHARE);
        odm_arena_init(&c->box.arena, opt->mem, opt->max_memory / ARENA_SHARE);
        odm_arena_init(&c->box.data, opt->mem, opt->max_memory / ARENA_SHARE);
        odm_buf_init(&c->box.buf, opt->mem, (size_t)opt->send_max + LEAST_MESSAGE);
        odm_buf_init(&c->box.mac, opt->mem, 1024);
        odm_buf_init(&c->url, opt->mem, URL_MAX_LEN);
        odm_buf_init(&c->object.place.target, opt->mem, LEAST_MESSAGE);
        odm_buf_init(&c->object.place.source, opt->mem, LEAST_MESSAGE);
        odm_buf_init(&c->object.stray.target, opt->mem, LEAST_MESSAGE);
        odm_buf_init(&c->object.stray.source, opt->mem, LEAST_MESSAGE);
        odm_buf_init(&c->object.data, opt->mem, opt->max_obj_size);
        c->run.last = &c->run.first;
        rc = set_up(c);
        if (rc < 0) {
                odm_client_free(c);
                return rc;
        }
        *out = c;
        return 0;
}

static void wipe_arena(odm_str secret)
{
        if (secret.p)
                odm_wipe((void *)(uintptr_t)secret.p, secret.n);
}

void odm_client_free(odm_client *c)
{
        const odm_mem *mem;

        if (c == NULL)
                return;
        if (c->run.depth > 0 && odm_tree_in_transaction(c->tree))
                odm_tree_rollback(c->tree);
        while (c->box.head[LANE_ALERTS])
                odm_outbox_free_alert(c, (struct alert *)c->box.head[LANE_ALERTS]);
        wipe_arena(c->account.password);
        wipe_arena(c->account.server_password);
        odm_arena_done(&c->perm);
        odm_arena_done(&c->in);
        odm_arena_done(&c->head);
        odm_arena_done(&c->scratch);
        odm_arena_done(&c->box.arena);
        odm_arena_done(&c->box.data);
        odm_buf_done(&c->box.buf);
        odm_buf_done(&c->box.mac);
        odm_buf_done(&c->url);
        odm_buf_done(&c->object.place.target);
        odm_buf_done(&c->object.place.source);
        odm_buf_done(&c->object.stray.target);
        odm_buf_done(&c->object.stray.source);
        odm_buf_done(&c->object.data);
        mem = c->opt.mem;
        odm_wipe(c, sizeof *c);
        odm_free(mem, c, sizeof *c);
}

/* ---- alerts of the host --------------------------------------------------------------- */

static odm_str take_text(char **at, odm_str s)
{
        if (s.p == NULL)
                return s;
        odm_str copy = {*at, s.n};
        if (s.n)
                memcpy(*at, s.p, s.n);
        *at += s.n;
        return copy;
}

static void fill_alert(struct alert *a, const odm_alert *in)
{
        char *at = (char *)(a + 1);

        a->id = in->id;
        a->e.cmd = (odm_command){.kind = ODM_CMD_ALERT,
                                 .code = in->code,
                                 .correlator = take_text(&at, in->correlator),
                                 .items = &a->item};
        a->item.source = take_text(&at, in->source);
        a->item.source_name = take_text(&at, in->source_name);
        a->item.target = take_text(&at, in->target);
        a->item.meta = (odm_meta){.present = true,
                                  .format = in->format == ODM_FMT_ABSENT ? ODM_FMT_CHR : in->format,
                                  .type = take_text(&at, in->type),
                                  .mark = take_text(&at, in->mark)};
        odm_str data = take_text(&at, in->data);
        a->item.data = (odm_data){in->format == ODM_FMT_BIN ? ODM_DATA_OPAQUE : ODM_DATA_TEXT,
                                  data.p ? data : ODM_STR("")};
}

/* What XML cannot carry goes as base64; names and words of that kind do not go at all. */
static int suit_codec(const odm_client *c, odm_arena *a, odm_alert *alert)
{
        const odm_str text[] = {alert->source, alert->source_name, alert->target,
                                alert->type,   alert->mark,        alert->correlator};

        if (odm_codec_is_binary(c->opt.codec))
                return 0;
        for (size_t i = 0; i < ODM_COUNT(text); i++)
                if (!odm_xml_can_carry(text[i]))
                        return ODM_EINVAL;
        if (alert->format != ODM_FMT_BIN && odm_xml_can_carry(alert->data))
                return 0;
        alert->format = ODM_FMT_B64;
        alert->data = odm_b64_encode(a, alert->data.p ? alert->data : ODM_STR(""));
        return alert->data.p ? 0 : odm_arena_err(a);
}

static int queue_alert(odm_client *c, const odm_alert *in)
{
        size_t n = sizeof(struct alert) + in->source.n + in->source_name.n + in->target.n +
                   in->type.n + in->mark.n + in->data.n + in->correlator.n;
        struct outbox *b = &c->box;

        if (c->alerts >= c->opt.max_alerts || n > c->opt.max_memory / ARENA_SHARE)
                return ODM_ELIMIT;
        struct alert *a = odm_alloc(c->opt.mem, n);
        if (a == NULL)
                return ODM_ENOMEM;
        a->size = n;
        fill_alert(a, in);
        if (b->tail[LANE_ALERTS])
                b->tail[LANE_ALERTS]->next = &a->e;
        else
                b->head[LANE_ALERTS] = &a->e;
        b->tail[LANE_ALERTS] = &a->e;
        if (b->now.at[LANE_ALERTS] == NULL)
                b->now.at[LANE_ALERTS] = &a->e;
        c->alerts++;
        return 0;
}

int odm_client_alert(odm_client *c, const odm_alert *in)
{
        odm_alert alert = *in;
        odm_arena a;

        if (c->state == CLIENT_ENDED || c->stage == STAGE_CLOSING)
                return ODM_ESTATE;
        if (in->code != ODM_ALERT_CLIENT_EVENT && in->code != ODM_ALERT_GENERIC)
                return ODM_EINVAL;
        odm_arena_init(&a, c->opt.mem, c->opt.max_memory / ARENA_SHARE);
        int rc = suit_codec(c, &a, &alert);
        if (rc == 0)
                rc = queue_alert(c, &alert);
        odm_arena_done(&a);
        return rc;
}

/* ---- moving along ------------------------------------------------------------------------ */

/* A ceiling is the peer's doing, or the host's choice: the session ends, nobody failed. */
static int end_at_limit(odm_client *c, int rc)
{
        if (rc != ODM_ELIMIT)
                return rc;
        return odm_client_finish(c, ODM_OUTCOME_LIMIT,
                                 "the session needs more memory than it may have");
}

int odm_client_start(odm_client *c, odm_time now, odm_wall wall)
{
        if (c->state != CLIENT_IDLE)
                return ODM_ESTATE;
        c->now = now;
        c->wall = wall;
        return end_at_limit(c, odm_setup_build(c));
}

int odm_client_recv(odm_client *c, const odm_packet *reply, odm_time now, odm_wall wall)
{
        if (c->state != CLIENT_WAIT && !(c->state == CLIENT_READY && c->tries > 0))
                return ODM_ESTATE; /* a late reply is welcome while the repetition is not sent */
        c->now = now;
        c->wall = wall;
        c->deadline = ODM_NEVER;
        c->stats.messages_in++;
        c->stats.bytes_in += reply->body.n;
        return end_at_limit(c, odm_inbox_take(c, reply));
}

int odm_client_send(odm_client *c, odm_packet *out)
{
        if (c->state != CLIENT_READY)
                return 0;
        *out = (odm_packet){.body = odm_buf_view(&c->box.buf),
                            .content_type = odm_cstr(odm_codec_mime(c->opt.codec)),
                            .mac = c->box.mac.n ? odm_buf_view(&c->box.mac) : ODM_ABSENT,
                            .url = odm_buf_view(&c->url)};
        c->stats.messages_out++;
        c->stats.bytes_out += out->body.n;
        c->deadline = odm_time_add(c->now, c->opt.reply_ms);
        odm_client_enter(c, CLIENT_WAIT);
        return 1;
}

void odm_client_fail(odm_client *c)
{
        bool closing = c->stage == STAGE_CLOSING;

        (void)odm_client_finish(c, closing ? c->closing : ODM_OUTCOME_TRANSPORT,
                                closing ? NULL : "the transport failed");
}

static int build_abort(odm_client *c)
{
        c->closing = ODM_OUTCOME_USER_ABORT;
        c->stage = STAGE_CLOSING;
        return odm_outbox_build_abort(c);
}

static int abort_work(odm_client *c)
{
        int rc = odm_runner_cancel(c);

        return rc == 0 ? build_abort(c) : rc;
}

static int abort_unsent(odm_client *c)
{
        if (c->tries > 0 || c->stage == STAGE_CLOSING) { /* it is out already */
                c->abort_wanted = true;
                return 0;
        }
        c->msg_id--; /* what was built is not sent */
        c->has_hdr_status = c->hdr_status.kind == ODM_CMD_STATUS;
        odm_outbox_rewind(c);
        return build_abort(c);
}

int odm_client_abort(odm_client *c)
{
        if (c->state != CLIENT_ENDED)
                (void)snprintf(c->diag, sizeof c->diag, "aborted here");
        switch (c->state) {
        case CLIENT_IDLE: return odm_client_finish(c, ODM_OUTCOME_USER_ABORT, NULL);
        case CLIENT_ENDED: return 0;
        case CLIENT_WAIT: c->abort_wanted = true; return 0;
        case CLIENT_WORK: return end_at_limit(c, abort_work(c));
        case CLIENT_READY: return end_at_limit(c, abort_unsent(c));
        }
        ODM_UNREACHABLE();
}

odm_time odm_client_deadline(const odm_client *c)
{
        return c->state == CLIENT_WAIT ? c->deadline : ODM_NEVER;
}

int odm_client_repeat(odm_client *c)
{
        if (c->state == CLIENT_READY)
                return 0; /* it is lent again already */
        if (c->tries >= c->opt.retries)
                return odm_client_finish(c, ODM_OUTCOME_NO_REPLY, "no reply came");
        c->tries++;
        c->stats.retries++;
        odm_client_enter(c, CLIENT_READY);
        return 0;
}

int odm_client_tick(odm_client *c, odm_time now)
{
        if (c->state != CLIENT_WAIT || !odm_time_reached(now, c->deadline))
                return 0;
        c->now = now;
        if (c->stage == STAGE_CLOSING)
                return odm_client_finish(c, c->closing, NULL);
        return odm_client_repeat(c);
}

/* ---- requests ------------------------------------------------------------------------------- */

static struct alert *answered_alert(odm_client *c)
{
        for (struct entry *e = c->box.head[LANE_ALERTS]; e; e = e->next)
                if (((struct alert *)e)->status)
                        return (struct alert *)e;
        return NULL;
}

static void forget_told(odm_client *c)
{
        if (c->told == NULL)
                return;
        odm_outbox_free_alert(c, c->told);
        c->told = NULL;
        c->alerts--;
}

int odm_client_next(odm_client *c, const odm_request **out)
{
        forget_told(c);
        if (c->request_open) {
                *out = &c->request;
                return 1;
        }
        c->told = answered_alert(c);
        if (c->told == NULL)
                return 0;
        c->request = (odm_request){
                .kind = ODM_REQ_ALERTED, .alert_id = c->told->id, .status = c->told->status};
        *out = &c->request;
        return 1;
}

int odm_client_answer(odm_client *c, uint64_t id, const odm_reply *r, odm_time now, odm_wall wall)
{
        int rc;

        if (!c->request_open || id != c->request.id)
                return ODM_ESTATE;
        c->now = now;
        c->wall = wall;
        rc = odm_runner_answer(c, r);
        if (rc == 0)
                rc = odm_runner_run(c);
        if (rc == 0 && odm_runner_done(c)) {
                odm_inbox_drop(c);
                rc = odm_outbox_build(c);
        }
        return end_at_limit(c, rc);
}

/* ---- afterwards ------------------------------------------------------------------------- */

const char *odm_outcome_name(odm_outcome o)
{
        static const char *const names[] = {
                [ODM_OUTCOME_NONE] = "none",
                [ODM_OUTCOME_DONE] = "done",
                [ODM_OUTCOME_ABORTED] = "aborted",
                [ODM_OUTCOME_USER_ABORT] = "user-abort",
                [ODM_OUTCOME_AUTH_REFUSED] = "auth-refused",
                [ODM_OUTCOME_SERVER_UNTRUSTED] = "server-untrusted",
                [ODM_OUTCOME_BAD_MESSAGE] = "bad-message",
                [ODM_OUTCOME_VERSION] = "version",
                [ODM_OUTCOME_NO_REPLY] = "no-reply",
                [ODM_OUTCOME_TRANSPORT] = "transport",
                [ODM_OUTCOME_TOO_LARGE] = "too-large",
                [ODM_OUTCOME_REFUSED] = "refused",
                [ODM_OUTCOME_LIMIT] = "limit",
        };
        return (size_t)o < ODM_COUNT(names) ? names[o] : "?";
}

odm_outcome odm_client_outcome(const odm_client *c)
{
        return c->outcome;
}

odm_str odm_client_session_id(const odm_client *c)
{
        return c->session_id;
}

const char *odm_client_diag(const odm_client *c)
{
        return c->diag;
}

odm_client_stats odm_client_get_stats(const odm_client *c)
{
        return c->stats;
}
