/* SPDX-License-Identifier: Apache-2.0 */
/* One message of the device: who sent it, whether it belongs to this session, and
 * what it says (dm-protocol.md 1, 2, 9, and what dm-conformance.md 4 asks).  Every
 * command gets its Status here; what the host must know becomes events.  Matching goes
 * by MsgRef and CmdRef, never by position. */
#include <string.h>

#include "session.h"

static int nomem(const odm_server *s)
{
        return odm_session_arena_err(s, &s->arena);
}

static int tell_plain(odm_server *s, odm_event_kind kind)
{
        return odm_session_tell(s, kind) ? 0 : nomem(s);
}

/* ---- versions and numbers ------------------------------------------------------- */

static uint8_t version_of(const odm_server *s, odm_str proto)
{
        proto = odm_str_trim(proto);
        if (odm_str_is(proto, "DM/1.2"))
                return 2;
        if (odm_str_is(proto, "DM/1.3"))
                return 3;
        return odm_str_is(proto, "DM/1.1") && s->opt.peer.allow_dm11 ? 1 : 0;
}

/* 200, or why we cannot speak with this version. */
static unsigned version_status(odm_server *s)
{
        const odm_hdr *h = &s->in->hdr;
        uint8_t v = version_of(s, h->ver_proto);
        odm_str dtd = odm_str_trim(h->ver_dtd);

        if (v == 0)
                return ODM_ST_BAD_PROTO;
        if (!odm_str_is(dtd, "1.2") && !(v == 1 && odm_str_is(dtd, "1.1")))
                return ODM_ST_BAD_DTD;
        s->version = v;
        return ODM_ST_OK;
}

/* What the header says of the device counts while nobody is known, for the refusal has to fit what
 * it takes, and later from one who proved it. */
static int learn_peer(odm_server *s)
{
        const odm_hdr *h = &s->in->hdr;

        if (h->meta.has_max_msg)
                s->peer_max_msg = h->meta.max_msg;
        if (h->meta.has_max_obj)
                s->peer_max_obj = h->meta.max_obj;
        if (s->session_id_n > 0)
                return 0;
        memcpy(s->session_id, h->session_id.p, h->session_id.n);
        s->session_id_n = (uint8_t)h->session_id.n;
        return odm_session_copy(s, h->source, &s->device);
}

/* Only the message we wait for may count: a stranger must not move the numbers. */
static void count_refused(odm_server *s)
{
        s->refused = true;
        if (odm_ref_number(s->in->hdr.msg_id) == s->in_id + 1)
                s->in_id++;
}

/* Does the message belong here, and is it the next one?  An absent reason is good. */
static const char *order_fault(const odm_server *s)
{
        const odm_hdr *h = &s->in->hdr;

        if (!odm_str_eq(h->session_id, (odm_str){s->session_id, s->session_id_n}))
                return "a message of another session";
        if (!odm_str_eq(h->source, s->device))
                return "a message of another device";
        if (odm_ref_number(h->msg_id) != s->in_id + 1)
                return "a message out of order";
        return NULL;
}

/* ---- Statuses without work --------------------------------------------------------- */

static bool wants_status(const odm_command *c)
{
        return c->kind != ODM_CMD_STATUS && c->kind != ODM_CMD_RESULTS;
}

/* One code for every command received (dm-protocol.md 9.3). */
static int answer_all(odm_server *s, unsigned code)
{
        for (const odm_command *c = s->in->body; c; c = c->next)
                if (wants_status(c) && odm_status_add(s, c, code) == NULL)
                        return nomem(s);
        return 0;
}

static int answer_hdr(odm_server *s, unsigned code, const odm_meta *chal)
{
        struct status_out *st = odm_status_add(s, NULL, code);

        if (st == NULL)
                return nomem(s);
        if (chal)
                st->c.chal = *chal;
        return 0;
}

static odm_item *text_item(odm_server *s, const char *z)
{
        odm_item *it = odm_new(&s->arena, odm_item);

        if (it)
                it->data = (odm_data){ODM_DATA_TEXT, odm_cstr(z)};
        return it;
}

/* 513 and 505 name what we do speak. */
static int refuse_version(odm_server *s, unsigned code)
{
        odm_item *one = text_item(s, code == ODM_ST_BAD_DTD ? "1.2" : "DM/1.2");
        odm_item *two = code == ODM_ST_BAD_DTD ? one : text_item(s, "DM/1.3");
        int rc = answer_hdr(s, code, NULL);

        if (rc < 0 || one == NULL || two == NULL)
                return rc < 0 ? rc : nomem(s);
        s->statuses->c.items = one;
        if (two != one)
                one->next = two;
        s->plan = PLAN_REFUSE;
        s->diag = "no common version";
        return answer_all(s, code);
}

static int refuse_order(odm_server *s, const char *why)
{
        int rc = answer_hdr(s, ODM_ST_BAD_REQUEST, NULL);

        odm_session_finish(s, ODM_OUTCOME_BAD_MESSAGE, why);
        s->plan = PLAN_ABORT;
        return rc < 0 ? rc : answer_all(s, ODM_ST_BAD_REQUEST);
}

/* ---- who is it ------------------------------------------------------------------------ */

/* A resync session: a device that used the default nonce expects us to use it too
 * (security B3). */
static void adopt_default_nonce(odm_server *s)
{
        const odm_nonce *const forms[] = {&odm_nonce_default_zero, &odm_nonce_default_ascii};
        odm_secret secret = s->opt.peer.secret;
        char digest[ODM_SECRET_LEN];

        if (!s->opt.peer.has_secret)
                odm_secret_of(s->opt.peer.user, s->opt.peer.password, &secret);
        for (size_t i = 0; i < ODM_COUNT(forms); i++) {
                odm_auth_md5(&secret, forms[i], digest);
                if (odm_str_eq(odm_str_trim(s->in->hdr.cred.data),
                               (odm_str){digest, sizeof digest}))
                        s->prover.nonce = *forms[i];
        }
        odm_wipe(&secret, sizeof secret);
}

static int tell_nonces(odm_server *s)
{
        bool server = s->prover.nonce_changed && s->phase != PHASE_SETUP;

        if (!s->opt.peer.known || !(s->verifier.nonce_changed || server))
                return 0;
        struct told *t = odm_session_tell(s, ODM_EV_NONCES);
        if (t == NULL)
                return nomem(s);
        t->ev.client_nonce = s->verifier.nonce_changed;
        t->ev.server_nonce = server;
        s->verifier.nonce_changed = false;
        if (server)
                s->prover.nonce_changed = false;
        return 0;
}

static int refuse_peer(odm_server *s, const odm_check *check)
{
        int rc = 0;

        count_refused(s);
        if (check->status == ODM_ST_INVALID_CREDENTIALS || check->terminate)
                rc = tell_plain(s, ODM_EV_AUTH_FAILED);
        if (check->terminate)
                odm_session_finish(s, ODM_OUTCOME_AUTH_REFUSED, "the device did not prove itself");
        s->plan = check->terminate ? PLAN_STOP : PLAN_REFUSE;
        if (rc == 0)
                rc = answer_hdr(s, check->status, check->challenge ? &check->chal : NULL);
        if (rc == 0)
                rc = answer_all(s, check->status);
        return rc < 0 ? rc : tell_nonces(s);
}

static int check_peer(odm_server *s, odm_check *out)
{
        const odm_hdr *h = &s->in->hdr;
        odm_str user = s->opt.peer.user.p ? h->source_name : ODM_ABSENT;
        int rc = odm_verifier_check(&s->verifier, user, &h->cred, s->packet.mac, s->packet.body,
                                    &s->opt.rng, &s->arena, out);

        if (rc < 0)
                return rc == ODM_ENOMEM ? odm_session_nomem(s) : rc;
        if (!s->opt.peer.known)
                out->ok = false;
        return 0;
}

/* Who shows a MAC wants to see one (dm-protocol.md 9.1). */
static void answer_in_kind(odm_server *s)
{
        odm_prover *p = &s->prover;

        odm_mac m;

        if (!s->verifier.mac_used || p->typed || !(p->has_secret || p->password.p))
                return;
        p->type = ODM_AUTH_MAC;
        if (p->password.p && odm_mac_parse(s->packet.mac, &m) == 0)
                p->mac_alg = m.alg; /* SHA-256 needs the password itself */
}

static int welcome(odm_server *s, const odm_check *check)
{
        int rc = answer_hdr(s, check->status, check->challenge ? &check->chal : NULL);

        if (rc == 0 && !s->told_auth) {
                s->told_auth = true;
                rc = tell_plain(s, ODM_EV_AUTHENTICATED);
                if (s->opt.peer.default_nonce && s->in->hdr.cred.present)
                        adopt_default_nonce(s);
                answer_in_kind(s);
        }
        if (s->phase == PHASE_SETUP)
                odm_session_phase(s, PHASE_MANAGE);
        return rc;
}

/* ---- Status for our SyncHdr --------------------------------------------------------------- */

static bool is_hdr_status(const odm_server *s, const odm_command *c)
{
        odm_str ref = odm_str_trim(c->cmd_ref);

        if (c->kind != ODM_CMD_STATUS)
                return false;
        if (c->msg_ref.n && odm_ref_number(c->msg_ref) != s->out_id)
                return false;
        return odm_str_is(ref, "0") || (ref.n == 0 && odm_str_is(c->cmd, "SyncHdr"));
}

/* The device could not take our message at all. */
static void refused_whole(odm_server *s, unsigned code)
{
        bool version = code == ODM_ST_BAD_DTD || code == ODM_ST_BAD_PROTO;

        odm_session_finish(s, version ? ODM_OUTCOME_VERSION : ODM_OUTCOME_BAD_MESSAGE,
                           "the device refused our message");
        s->plan = PLAN_STOP;
        odm_sent_all_status(s, code);
}

/* Base64 of octets shows it: it is filled up, or has signs that no hexadecimal and no word has.  A
 * nonce that is printable text itself must not be taken for it. */
static bool looks_wrapped(odm_str text)
{
        bool signs = false;

        for (size_t i = 0; i < text.n; i++)
                signs = signs || text.p[i] == '=' || text.p[i] == '+' || text.p[i] == '/';
        return signs && text.n % 4 == 0;
}

/* Some devices put their nonce into base64 twice, and mean what is inside.  Tried when what
 * we showed by the plain reading was refused. */
static void unwrap_nonce(odm_server *s)
{
        odm_nonce inner;
        odm_str text = odm_nonce_view(&s->prover.nonce);

        if (looks_wrapped(text) && odm_nonce_parse(text, &inner) == 0 && inner.n > 0)
                s->prover.nonce = inner;
}

/* Returns true when the Statuses of commands count: false after a challenge, when all of
 * them only repeat it.  *rc is set when there is no memory. */
static bool take_hdr_status(odm_server *s, const odm_command *c, int *rc)
{
        bool auth = c->code == ODM_ST_INVALID_CREDENTIALS || c->code == ODM_ST_MISSING_CREDENTIALS;

        switch (odm_prover_answer(&s->prover, c->code, &c->chal)) {
        case ODM_VERDICT_OK: break;
        case ODM_VERDICT_RETRY:
                if (s->prover.refused > 0)
                        unwrap_nonce(s);
                if (s->n_out > 0 && s->out_msg != s->out_id)
                        s->plan = PLAN_NEXT; /* only our asking for more was refused */
                else
                        odm_sent_rewind(s);
                *rc = odm_status_again(s);
                return false;
        case ODM_VERDICT_GIVE_UP:
                odm_session_finish(s, ODM_OUTCOME_AUTH_REFUSED,
                                   "the device did not take our credentials");
                s->plan = PLAN_STOP;
                if (s->out_msg == s->out_id)
                        odm_sent_forget(s);
                return false;
        }
        if (c->code >= 400 && !auth)
                refused_whole(s, c->code);
        return true;
}

/* ---- alerts ---------------------------------------------------------------------------------- */

static void name_item(odm_server *s, struct status_out *st, const odm_item *item)
{
        odm_ref *t = item->target.p ? odm_new(&s->arena, odm_ref) : NULL;
        odm_ref *f = item->source.p ? odm_new(&s->arena, odm_ref) : NULL;

        if (t)
                t->uri = item->target;
        if (f)
                f->uri = item->source;
        st->c.target_refs = t;
        st->c.source_refs = f;
}

static unsigned alert_item_status(const odm_meta *meta, const odm_item *item)
{
        if (odm_str_trim(meta->type).n == 0)
                return ODM_ST_INCOMPLETE;
        return odm_data_has_nul(meta->format, &item->data) ? STATUS_NUL : ODM_ST_OK;
}

/* *out: the item, once it is whole. */
static int take_alert_item(odm_server *s, const odm_command *c, const odm_item *item,
                           unsigned *code, odm_item **out)
{
        odm_meta meta = odm_meta_of(c, item);
        int rc = 0;

        if (odm_large_is_part(s, c, item)) {
                rc = odm_large_take(s, c, item, code, out);
                if (rc == 0 && *out)
                        *code = alert_item_status(&(*out)->meta, *out);
                return rc;
        }
        odm_large_drop(s);
        *code = alert_item_status(&meta, item);
        if (*code != ODM_ST_OK)
                return 0;
        *out = odm_item_copy(&s->arena, &meta, item, false);
        return *out ? 0 : nomem(s);
}

/* 1224 and 1226: each Item is an event of its own (dm-protocol.md 5.1, 5.2). */
static int on_device_alert(odm_server *s, const odm_command *c)
{
        if (c->items == NULL)
                return odm_status_add(s, c, ODM_ST_INCOMPLETE) ? 0 : nomem(s);
        for (const odm_item *it = c->items; it; it = it->next) {
                odm_item *copy = NULL;
                unsigned code;
                int rc = take_alert_item(s, c, it, &code, &copy);
                if (rc < 0)
                        return rc;
                struct status_out *st = odm_status_add(s, c, code);
                if (st == NULL)
                        return nomem(s);
                name_item(s, st, it);
                if (code != ODM_ST_OK)
                        continue;
                struct told *t = odm_session_tell(s, ODM_EV_ALERT);
                if (t == NULL)
                        return nomem(s);
                t->ev.alert = c;
                t->ev.item = copy;
                t->status = st;
        }
        return s->arena.err ? nomem(s) : 0;
}

static int on_session_alert(odm_server *s, const odm_command *c)
{
        if (odm_status_add(s, c, ODM_ST_OK) == NULL)
                return nomem(s);
        if (s->told_session)
                return 0;
        s->told_session = true;
        struct told *t = odm_session_tell(s, ODM_EV_SESSION_ALERT);
        if (t == NULL)
                return nomem(s);
        t->ev.code = c->code;
        return 0;
}

/* The device lost our object on the way: once more from the start, then no more. */
static int on_no_end(odm_server *s)
{
        if (!s->sending.open)
                return 0;
        odm_sent_forget(s);
        s->sending.off = s->sending.flying = 0;
        if (!s->sending.again) {
                s->sending.again = true;
                return 0;
        }
        struct job *j = s->sending.job;
        odm_chunk_close(s);
        return odm_job_give_up(s, j, ODM_ST_SIZE_MISMATCH, "the object did not arrive whole");
}

static int on_alert(odm_server *s, const odm_command *c)
{
        unsigned code = ODM_ST_OK;
        int rc = 0;

        switch (c->code) {
        case ODM_ALERT_SERVER_INITIATED:
        case ODM_ALERT_CLIENT_INITIATED: return on_session_alert(s, c);
        case ODM_ALERT_CLIENT_EVENT:
        case ODM_ALERT_GENERIC: return on_device_alert(s, c);
        case ODM_ALERT_NEXT_MESSAGE: break;
        case ODM_ALERT_NO_END_OF_DATA: rc = on_no_end(s); break;
        case ODM_ALERT_ABORT:
                odm_session_finish(s, ODM_OUTCOME_USER_ABORT, "the device stopped the session");
                s->plan = PLAN_STOP;
                break;
        case 0: code = ODM_ST_INCOMPLETE; break;
        default: code = ODM_ST_UNSUPPORTED; break; /* user interaction and the unknown */
        }
        if (rc == 0 && odm_status_add(s, c, code) == NULL)
                rc = nomem(s);
        return rc;
}

/* ---- DevInfo ---------------------------------------------------------------------------- */

static bool is_devinfo(odm_str uri)
{
        if (odm_str_starts(uri, "./"))
                uri = odm_str_from(uri, 2);
        return odm_str_is(uri, "DevInfo") || odm_str_starts(uri, "DevInfo/");
}

static int tell_devinfo(odm_server *s, odm_str uri, const odm_meta *meta, const odm_data *data,
                        unsigned *code)
{
        odm_str octets = data->bytes;
        int rc = 0;

        if (meta->format == ODM_FMT_B64)
                rc = odm_b64_decode(&s->arena, data->bytes, &octets);
        if (rc == ODM_EMALFORMED) {
                *code = ODM_ST_BAD_REQUEST;
                return 0;
        }
        struct told *t = rc == 0 ? odm_session_tell(s, ODM_EV_DEVINFO) : NULL;
        if (t == NULL)
                return nomem(s);
        t->ev.uri = uri;
        t->ev.value = (odm_value){meta->format, meta->type, octets};
        return 0;
}

/* One Item of a Replace; the nodes travel as Source, and strangers use Target. */
static int on_devinfo_item(odm_server *s, const odm_command *c, const odm_item *it)
{
        odm_str uri = odm_str_trim(it->source.n ? it->source : it->target);
        odm_meta meta = odm_meta_of(c, it);
        unsigned code = ODM_ST_OK;
        int rc = 0;

        if (!is_devinfo(uri))
                code = ODM_ST_NOT_ALLOWED;
        else if (odm_data_has_nul(meta.format, &it->data))
                code = STATUS_NUL;
        else if (meta.format != ODM_FMT_NODE && it->data.kind != ODM_DATA_ABSENT)
                rc = tell_devinfo(s, uri, &meta, &it->data, &code);
        struct status_out *st = rc == 0 ? odm_status_add(s, c, code) : NULL;
        if (st == NULL)
                return rc < 0 ? rc : nomem(s);
        name_item(s, st, it);
        return s->arena.err ? nomem(s) : 0;
}

static int on_replace(odm_server *s, const odm_command *c)
{
        int rc = 0;

        if (c->items == NULL)
                return odm_status_add(s, c, ODM_ST_INCOMPLETE) ? 0 : nomem(s);
        for (const odm_item *it = c->items; it && rc == 0; it = it->next)
                rc = on_devinfo_item(s, c, it);
        return rc;
}

/* ---- the body --------------------------------------------------------------------------- */

static int on_status(odm_server *s, const odm_command *c)
{
        struct sent *e = odm_sent_find(s, c->msg_ref, c->cmd_ref);

        return e ? odm_sent_status(s, e, c) : 0; /* for a command we never sent: nothing */
}

/* A device may not command us (dm-protocol.md 1); members fall with their container. */
static int on_illegal(odm_server *s, const odm_command *c, unsigned code)
{
        if (odm_status_add(s, c, code) == NULL)
                return nomem(s);
        for (const odm_command *m = c->body; m; m = m->next)
                if (wants_status(m) && odm_status_add(s, m, code) == NULL)
                        return nomem(s);
        return 0;
}

static int on_command(odm_server *s, const odm_command *c, bool statuses_count)
{
        if (wants_status(c) && odm_str_trim(c->cmd_id).n == 0)
                return on_illegal(s, c, ODM_ST_BAD_REQUEST);
        if (s->taking.open && wants_status(c) &&
            !(c->kind == ODM_CMD_ALERT && c->code == ODM_ALERT_NEXT_MESSAGE)) {
                int rc = odm_results_interrupted(s);
                if (rc < 0)
                        return rc;
        }
        switch (c->kind) {
        case ODM_CMD_STATUS: return statuses_count ? on_status(s, c) : 0;
        case ODM_CMD_RESULTS: return statuses_count ? odm_results_take(s, c) : 0;
        case ODM_CMD_ALERT: return on_alert(s, c);
        case ODM_CMD_REPLACE: return on_replace(s, c);
        case ODM_CMD_ADD:
        case ODM_CMD_DELETE:
        case ODM_CMD_GET:
        case ODM_CMD_COPY:
        case ODM_CMD_EXEC:
        case ODM_CMD_SEQUENCE:
        case ODM_CMD_ATOMIC: return on_illegal(s, c, ODM_ST_NOT_ALLOWED);
        case ODM_CMD_PUT:
        case ODM_CMD_SEARCH:
        case ODM_CMD_MAP:
        case ODM_CMD_MOVE:
        case ODM_CMD_SYNC: return on_illegal(s, c, ODM_ST_UNSUPPORTED);
        case ODM_CMD_UNKNOWN: return on_illegal(s, c, ODM_ST_BAD_REQUEST);
        }
        ODM_UNREACHABLE();
}

static int take_body(odm_server *s, bool complete)
{
        bool count = true;
        int rc = odm_sent_open(s, !complete);

        for (const odm_command *c = s->in->body; c && rc == 0; c = c->next)
                if (is_hdr_status(s, c))
                        count = take_hdr_status(s, c, &rc) && count;
        for (const odm_command *c = s->in->body; c && rc == 0; c = c->next)
                if (!is_hdr_status(s, c))
                        rc = on_command(s, c, count);
        return rc;
}

/* The device speaks, and is who it says.  Its package is complete when it says Final, or
 * when ours is open: then every message of it is an answer to go on with. */
static int take_message(odm_server *s)
{
        bool complete = s->in->final || s->open;
        int rc = take_body(s, complete);

        if (rc == 0)
                rc = tell_nonces(s);
        if (rc == 0 && s->plan == PLAN_WORK && !complete)
                s->plan = PLAN_NEXT;
        if (rc < 0 || s->plan == PLAN_NEXT)
                return rc;
        odm_results_cut_off(s);
        return odm_sent_settle(s, s->plan == PLAN_WORK);
}

static void look_for_an_end(odm_server *s)
{
        if (s->plan == PLAN_STOP || s->plan == PLAN_ABORT)
                return;
        if (s->messages >= s->opt.max_messages) {
                odm_session_finish(s, ODM_OUTCOME_BAD_MESSAGE, "too many messages");
                s->plan = PLAN_ABORT;
        } else if (s->abort_asked) {
                odm_session_finish(s, ODM_OUTCOME_ABORTED, "stopped by the server");
                s->plan = PLAN_ABORT;
        }
}

int odm_receive_message(odm_server *s)
{
        odm_check check = {0};
        int rc = s->phase == PHASE_SETUP ? learn_peer(s) : 0;

        if (rc < 0)
                return rc;
        s->messages += 2; /* this one and our answer */
        unsigned version = version_status(s);
        if (version != ODM_ST_OK) {
                count_refused(s);
                return refuse_version(s, version);
        }
        rc = check_peer(s, &check);
        if (rc < 0)
                return rc;
        if (!check.ok)
                return refuse_peer(s, &check);
        const char *fault = order_fault(s);
        if (fault)
                return refuse_order(s, fault);
        s->in_id++;
        rc = learn_peer(s);
        if (rc == 0)
                rc = welcome(s, &check);
        if (rc == 0)
                rc = take_message(s);
        if (rc == 0)
                look_for_an_end(s);
        return rc;
}
