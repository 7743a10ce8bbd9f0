/* SPDX-License-Identifier: Apache-2.0 */
/* One session of a device: its beginning, its turns, its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm_inner.h"
#include "heap.h"
#include "log.h"
#include "odm/notify.h"
#include "rand.h"

#define SESSION_TEXTS ((size_t)1 << 20)
#define INVENTORY_AGE_MS ((int64_t)24 * 3600 * 1000)

/* ---- the batch in hand --------------------------------------------------------------- */

void session_failed(session *s)
{
        s->failed = true;
}

static store_batch *batch_of(session *s)
{
        if (!s->batch) {
                s->batch = store_batch_new();
                s->changes = (mirror_changes){0};
                s->fields = 0;
                if (!s->batch)
                        s->failed = true;
                else
                        s->changes.a = store_batch_arena(s->batch);
        }
        return s->batch;
}

odm_arena *session_batch_arena(session *s)
{
        store_batch *b = batch_of(s);

        return b ? store_batch_arena(b) : NULL;
}

store_op *session_op(session *s, store_op_kind kind)
{
        store_batch *b = batch_of(s);
        store_op *op = b ? store_batch_add(b, kind) : NULL;

        if (!op)
                s->failed = true;
        return op;
}

int64_t session_ref(const session *s)
{
        return s->id ? s->id : STORE_LAST;
}

static void drop_batch(session *s)
{
        store_batch_free(s->batch);
        s->batch = NULL;
}

/* ---- what is kept of messages ----------------------------------------------------------- */

static void open_session(session *s)
{
        const turn *t = s->turn;
        store_op *op;

        if (s->opened || !s->known)
                return;
        op = session_op(s, STORE_SESSION_OPEN);
        if (!op)
                return;
        op->session = (store_session){
                .device = s->device.id,
                .dm_id = s->dm_id,
                .sid = odm_cstr(s->sid),
                .peer = odm_cstr(s->peer),
                .route = odm_cstr(s->route),
                .codec = odm_cstr(odm_codec_name(s->codec)),
                .agent = odm_str_to(httpd_field(t->req, "User-Agent"), 120),
                .tls = s->tls,
                .started = t->at,
        };
        s->opened = true;
}

static void add_message(session *s, bool out, int64_t at, odm_str bytes, odm_str mac)
{
        store_op *op = session_op(s, STORE_MESSAGE_ADD);

        if (!op)
                return;
        op->lenient = true; /* the ring may have gone over it */
        op->message.device = s->device.id;
        op->message.session = session_ref(s);
        op->message.m = (store_message){.at = at,
                                        .out = out,
                                        .mime = odm_cstr(odm_codec_mime(s->codec)),
                                        .hmac = mac,
                                        .bytes = bytes};
}

static void forget_out(session *s)
{
        free((void *)(uintptr_t)s->out_bytes.p);
        free((void *)(uintptr_t)s->out_mac.p);
        s->out_bytes = s->out_mac = ODM_ABSENT;
}

/* The reply of the turn before goes with this batch. */
static void add_last_out(session *s)
{
        odm_arena *a = session_batch_arena(s);

        if (!s->out_bytes.p || !s->opened || !a)
                return;
        odm_str bytes = odm_arena_copy(a, s->out_bytes), mac = odm_arena_copy(a, s->out_mac);
        if (!bytes.p)
                s->failed = true;
        else
                add_message(s, true, s->out_at, bytes, mac);
        forget_out(s);
}

static odm_str dup_str(odm_str x)
{
        char *p = x.p ? malloc(x.n + 1) : NULL;

        if (!p)
                return ODM_ABSENT;
        if (x.n)
                memcpy(p, x.p, x.n);
        return (odm_str){p, x.n};
}

static void add_session_state(session *s)
{
        store_op *op;

        if (!s->opened || !s->known)
                return;
        op = session_op(s, STORE_SESSION_UPDATE);
        if (!op)
                return;
        op->lenient = true;
        odm_str outcome = odm_arena_copy(store_batch_arena(s->batch), s->outcome);
        op->session = (store_session){.device = s->device.id,
                                      .id = session_ref(s),
                                      .authenticated = s->authenticated,
                                      .outcome = outcome,
                                      .last = s->turn ? s->turn->at : dm_wall_ms(),
                                      .messages = s->messages,
                                      .bytes_in = s->bytes_in,
                                      .bytes_out = s->bytes_out};
}

/* What was gathered during the turn becomes operations. */
static void close_batch(session *s)
{
        store_op *op;

        if (s->known && s->changes.n) {
                op = session_op(s, STORE_TREE_UPDATE);
                if (op) {
                        op->lenient = true;
                        op->tree.device = s->device.id;
                        op->tree.at = s->turn->at;
                        op->tree.v = s->changes.v;
                        op->tree.n = s->changes.n;
                        s->changes.n = 0;
                }
        }
        if (s->known && s->fields) {
                op = session_op(s, STORE_DEVICE_PATCH);
                if (op) {
                        op->lenient = true;
                        op->device_patch.fields = s->fields;
                        op->device_patch.to = s->patch;
                        op->device_patch.to.id = s->device.id;
                        op->device_patch.to.updated = s->turn->at;
                        s->fields = 0;
                }
        }
}

/* ---- the beginning ------------------------------------------------------------------------ */

static bool keep_text(session *s, odm_str from, odm_str *to)
{
        *to = odm_arena_copy(&s->a, from);
        return to->p || !from.p;
}

/* Our URL as this device reaches it. */
static bool find_uri(session *s, const turn *t)
{
        odm_str host = httpd_field(t->req, "Host");

        s->uri = s->dm->opt.url ? odm_arena_copy(&s->a, odm_cstr(s->dm->opt.url))
                                : odm_arena_fmt(&s->a, "%s://%.*s%s", s->tls ? "https" : "http",
                                                (int)host.n, host.p ? host.p : "", s->dm->opt.path);
        return s->uri.p != NULL;
}

int session_new(dm *m, const turn *t, session **out)
{
        session *s = odm_alloc(&heap_mem, sizeof *s);
        char host[NET_ADDR_TEXT];

        if (!s)
                return ODM_ENOMEM;
        s->dm = m;
        s->busy = true;
        s->codec = t->codec;
        s->tls = httpd_is_tls(t->req);
        s->route = "called";
        odm_arena_init(&s->a, &heap_mem, SESSION_TEXTS);
        rand_hex(s->sid, (SID_TEXT - 1) / 2);
        net_addr_format(httpd_peer(t->req), s->peer);
        net_addr_host(httpd_peer(t->req), host);
        if (!keep_text(s, t->peek.source, &s->source) ||
            !keep_text(s, t->peek.session_id, &s->dm_id) ||
            !keep_text(s, odm_cstr(host), &s->host) || !find_uri(s, t)) {
                session_free(s);
                return ODM_ENOMEM;
        }
        *out = s;
        return 0;
}

void session_free(session *s)
{
        if (!s)
                return;
        work_free(s);
        odm_server_free(s->server);
        drop_batch(s);
        forget_out(s);
        odm_wipe(&s->account, sizeof s->account);
        odm_arena_done(&s->a);
        odm_free(&heap_mem, s, sizeof *s);
}

static odm_nonce nonce_of(odm_str s)
{
        odm_nonce n = {0};

        n.n = (uint8_t)(s.n < ODM_NONCE_MAX ? s.n : ODM_NONCE_MAX);
        if (n.n)
                memcpy(n.p, s.p, n.n);
        return n;
}

static bool secret_of(odm_str text, odm_secret *out)
{
        if (text.n != ODM_SECRET_LEN)
                return false;
        memcpy(out->b64, text.p, ODM_SECRET_LEN);
        return true;
}

/* Its session answers the package 0 that went out for it. */
static bool answers_wake(const session *s)
{
        char text[5];

        if (s->device.wake_session == 0 || s->device.wake_session > 0xffff)
                return false;
        odm_notify_session((uint16_t)s->device.wake_session, text);
        return odm_str_ieq(s->dm_id, text);
}

/* What is demanded or shown on this connection: auth-basic carries the password itself, so without
 * TLS the digest over it takes its place. */
static odm_auth_type auth_of(const session *s, uint32_t kept)
{
        odm_auth_type t = kept <= ODM_AUTH_MAC ? (odm_auth_type)kept : ODM_AUTH_MD5;

        return t == ODM_AUTH_BASIC && !s->tls ? ODM_AUTH_MD5 : t;
}

static void fill_peer(session *s, odm_peer *p)
{
        const store_account *x = &s->account;

        p->known = true;
        p->device_id = s->source;
        p->user = x->user;
        p->has_secret = secret_of(x->secret, &p->secret);
        p->password = x->password;
        p->type = auth_of(s, x->auth);
        p->accept_basic = s->tls && (x->flags & STORE_ACCOUNT_BASIC);
        p->nonce = nonce_of(x->nonce);
        p->has_nonce = x->nonce.p != NULL;
        p->previous = nonce_of(x->previous);
        p->has_previous = x->previous.p != NULL;
        p->server_user = x->server_user.p ? x->server_user : x->server_id;
        p->server_password = x->server_password;
        p->has_server_secret = secret_of(x->server_secret, &p->server_secret);
        p->server_type = auth_of(s, x->server_auth);
        p->server_nonce = nonce_of(x->server_nonce);
        p->default_nonce = answers_wake(s) && wake_resynced(s->dm, &s->device, x);
        p->allow_dm11 = x->flags & STORE_ACCOUNT_DM11;
}

/* A certificate that the listener's CA signed, named for the device. */
static bool certificate_is_enough(const session *s, const turn *t)
{
        const tls_peer *c = httpd_peer_cert(t->req);

        return s->known && (s->account.flags & STORE_ACCOUNT_CERTIFICATE) && c->verified &&
               (odm_str_is(s->device.devid, c->common_name) ||
                odm_str_is(s->device.name, c->common_name));
}

static int make_server(session *s, const turn *t)
{
        const dm_opt *o = &s->dm->opt;
        odm_server_opt opt;

        odm_server_opt_init(&opt, &heap_mem);
        opt.rng = rand_rng;
        opt.trace = log_tracer();
        opt.server_uri = s->uri;
        opt.resp_uri = odm_arena_fmt(&s->a, "%.*s?sid=%s", (int)s->uri.n, s->uri.p, s->sid);
        if (!opt.resp_uri.p)
                return ODM_ENOMEM;
        opt.every_message = !s->tls && !o->plain_once;
        opt.transport_auth = certificate_is_enough(s, t);
        opt.max_msg_size = (uint32_t)o->max_message;
        opt.send_max = (uint32_t)o->max_message;
        opt.max_obj_size = (uint32_t)o->max_object;
        opt.limits.max_msg = o->max_message;
        opt.max_memory = o->session_memory;
        if (s->known)
                fill_peer(s, &opt.peer);
        else
                opt.peer.type = ODM_AUTH_MD5;
        opt.peer.device_id = s->source;
        int rc = odm_server_new(&opt, &s->server);
        odm_wipe(&opt.peer, sizeof opt.peer);
        return rc;
}

/* What the mirror knows that matters for this session. */
static void look_at_mirror(session *s, const turn *t)
{
        odm_arena a;
        store_tree tree;
        bool fresh = false;

        odm_arena_init(&a, &heap_mem, TURN_MEMORY);
        if (store_tree_get(s->dm->opt.store, s->device.id, ODM_STR("./DevDetail"), &a, &tree) == 0)
                for (size_t i = 0; i < tree.n; i++) {
                        const store_node *n = &tree.v[i];
                        if (odm_str_is(n->path, "./DevDetail/LrgObj") &&
                            odm_str_ieq(n->value, "false"))
                                odm_server_set_large_objects(s->server, false);
                        if (odm_str_is(n->path, "./DevDetail/FwV"))
                                fresh = t->at - n->at < INVENTORY_AGE_MS;
                }
        odm_arena_done(&a);
        s->inventory = !fresh;
}

/* Finds the device; *known is false for those with whom the game of an unknown one is played. */
static int find_device(session *s, bool *exists)
{
        store *st = s->dm->opt.store;
        int rc = store_device_by_devid(st, s->source, &s->a, &s->device);

        *exists = rc == 0;
        s->known = rc == 0 && (s->device.state == STORE_DEVICE_PROVISIONED ||
                               s->device.state == STORE_DEVICE_ACTIVE);
        if (s->known) {
                rc = store_account_get(st, s->device.id, &s->a, &s->account);
                s->known = rc == 0;
        }
        s->device_id = s->known ? s->device.id : 0;
        return rc == ODM_ENOENT ? 0 : rc;
}

/* ---- devices nobody created ------------------------------------------------------------------ */

/* A name people can live with until they give a better one. */
static odm_str name_for(const session *s, odm_arena *a, bool again)
{
        char *p = odm_arena_get(a, 160);
        static const char prefix[] = "new/";
        size_t n = sizeof prefix - 1;

        if (!p)
                return ODM_ABSENT;
        memcpy(p, prefix, n);
        for (size_t i = 0; i < s->source.n && n < 100; i++) {
                char c = s->source.p[i];
                bool plain = c > ' ' && c < 0x7f && c != '/' && c != '%' && c != '"';
                p[n++] = plain ? c : '-';
        }
        if (again) {
                p[n++] = '-';
                rand_hex(p + n, 4);
                n += 8;
        }
        return (odm_str){p, n};
}

static store_batch *unknown_batch(const session *s, store_device_state state, int64_t at)
{
        store_batch *b = store_batch_new();
        odm_arena *a = b ? store_batch_arena(b) : NULL;
        store_op *op = b ? store_batch_add(b, STORE_DEVICE_CREATE) : NULL;
        store_op *ev = op ? store_batch_add(b, STORE_EVENT_ADD) : NULL;
        store_device other;
        odm_arena scratch;

        if (!ev) {
                store_batch_free(b);
                return NULL;
        }
        odm_arena_init(&scratch, &heap_mem, TURN_MEMORY);
        op->device = (store_device){.devid = odm_arena_copy(a, s->source),
                                    .state = state,
                                    .address = odm_arena_copy(a, s->host),
                                    .created = at,
                                    .last_contact = at};
        op->device.name = name_for(s, a, false);
        if (store_device_by_name(s->dm->opt.store, op->device.name, &scratch, &other) == 0)
                op->device.name = name_for(s, a, true);
        odm_arena_done(&scratch);
        ev->event = (store_event){.at = at,
                                  .device = STORE_LAST,
                                  .kind = state == STORE_DEVICE_HELD ? ODM_STR("device.held")
                                                                     : ODM_STR("device.accepted"),
                                  .data = ODM_STR("{}")};
        return b;
}

/* For an operator to approve; the device itself learns nothing. */
static void hold_device(session *s, const turn *t)
{
        store_batch *b;

        if (atomic_fetch_add(&s->dm->held, 1) >= s->dm->opt.held_max) {
                atomic_fetch_sub(&s->dm->held, 1);
                return;
        }
        b = unknown_batch(s, STORE_DEVICE_HELD, t->at);
        log_info("unknown device held for approval", log_str("devid", s->source),
                 log_str("address", s->host));
        dm_write(s->dm, b);
}

static void turn_run(session *s);
static void turn_break(session *s, const char *why);

static void on_accepted(void *ctx)
{
        session *s = ctx;
        bool exists;

        if (s->write_rc < 0 && s->write_rc != ODM_EEXIST) {
                turn_break(s, "the device could not be kept");
                return;
        }
        if (find_device(s, &exists) < 0)
                turn_break(s, "the store failed");
        else
                turn_run(s);
}

static void accepted_written(void *ctx, store_batch *b, int rc)
{
        session *s = ctx;

        (void)b;
        s->write_rc = rc;
        s->task = (crew_task){.fn = on_accepted, .ctx = s};
        crew_post(s->dm->crew, &s->task);
}

/* Where the network itself is trusted: the device is let in without proof. */
static void accept_device(session *s)
{
        store_batch *b = unknown_batch(s, STORE_DEVICE_ACTIVE, s->turn->at);
        store_op *op = b ? store_batch_add(b, STORE_ACCOUNT_PUT) : NULL;

        if (op)
                op->account = (store_account){.device = STORE_LAST,
                                              .auth = ODM_AUTH_NONE,
                                              .server_id = odm_cstr(s->dm->opt.server_id)};
        log_info("unknown device let in", log_str("devid", s->source), log_str("address", s->host));
        if (!op || store_write(s->dm->opt.store, b, accepted_written, s) < 0) {
                store_batch_free(b);
                turn_break(s, "the device could not be kept");
        }
}

/* The first turn.  True: go on; false: it was taken over. */
static bool begin(session *s)
{
        bool exists;

        if (find_device(s, &exists) < 0) {
                turn_break(s, "the store failed");
                return false;
        }
        if (!exists) {
                dm_count(s->dm, METRIC_UNKNOWN_DEVICES, 1);
                if (s->dm->opt.unknown == DM_UNKNOWN_HOLD)
                        hold_device(s, s->turn);
                if (s->dm->opt.unknown == DM_UNKNOWN_ACCEPT) {
                        accept_device(s);
                        return false;
                }
        }
        return true;
}

/* ---- a turn ------------------------------------------------------------------------------------
 */

/* The turn ends without a SyncML reply, and the session with it. */
static void turn_break(session *s, const char *why)
{
        turn *t = s->turn;

        log_warn("session broken off", log_str("device", s->source), log_text("reason", why));
        s->turn = NULL;
        turn_reply(s->dm, t, 503, "try again later");
        session_lost(s, why);
}

static const char *http_refusal(int rc, unsigned *status)
{
        switch (rc) {
        case ODM_EMALFORMED: *status = 400; return "no SyncML message";
        case ODM_ELIMIT: *status = 413; return "the message is too large";
        case ODM_ESTATE: *status = 400; return "the session has ended";
        default: *status = 503; return "try again later";
        }
}

/* The engine did not take the message.  A stranger's bad body must not end a session. */
static void turn_refuse(session *s, int rc)
{
        turn *t = s->turn;
        unsigned status;
        const char *text = http_refusal(rc, &status);
        bool fresh = s->messages == 1;

        dm_count(s->dm, METRIC_MESSAGES_BAD, 1);
        drop_batch(s);
        s->turn = NULL;
        turn_reply(s->dm, t, status, text);
        if (status == 503 || rc == ODM_ESTATE || fresh)
                session_lost(s, text);
        else
                session_release(s);
}

static void write_out(session *s);

static const char *word_of(odm_outcome o)
{
        switch (o) {
        case ODM_OUTCOME_NONE: break;
        case ODM_OUTCOME_DONE: return "done";
        case ODM_OUTCOME_ABORTED: return "aborted";
        case ODM_OUTCOME_USER_ABORT: return "stopped";
        case ODM_OUTCOME_AUTH_REFUSED: return "auth-refused";
        case ODM_OUTCOME_SERVER_UNTRUSTED: return "server-untrusted";
        case ODM_OUTCOME_BAD_MESSAGE: return "bad-message";
        case ODM_OUTCOME_VERSION: return "version";
        case ODM_OUTCOME_NO_REPLY: return "no-reply";
        case ODM_OUTCOME_TRANSPORT: return "transport";
        case ODM_OUTCOME_TOO_LARGE: return "too-large";
        case ODM_OUTCOME_REFUSED: return "refused";
        case ODM_OUTCOME_LIMIT: return "limit";
        }
        return "ended";
}

static void handle(session *s, const odm_event *ev)
{
        switch (ev->kind) {
        case ODM_EV_AUTHENTICATED: heard_authenticated(s); return;
        case ODM_EV_AUTH_FAILED: heard_refused(s); return;
        case ODM_EV_NONCES: heard_nonces(s); return;
        case ODM_EV_DEVINFO: heard_devinfo(s, ev); return;
        case ODM_EV_ALERT: heard_alert(s, ev); return;
        case ODM_EV_RESULT: work_result(s, ev); return;
        case ODM_EV_JOB_DONE: work_done(s, ev); return;
        case ODM_EV_SESSION_ALERT: return;
        case ODM_EV_WORK: return; /* by the caller */
        case ODM_EV_END:
                s->over = true;
                s->outcome = ev->why.n && ev->outcome != ODM_OUTCOME_DONE
                                     ? odm_arena_fmt(&s->a, "%s: %.*s", word_of(ev->outcome),
                                                     (int)ev->why.n, ev->why.p)
                                     : odm_cstr(word_of(ev->outcome));
                return;
        }
}

/* Works through the events until all are told or a claim has to become durable first. */
static void pump(session *s)
{
        const odm_event *ev;
        int rc;

        while ((rc = odm_server_next(s->server, &ev)) == 1) {
                if (ev->kind != ODM_EV_WORK)
                        handle(s, ev);
                else if (!work_wanted(s))
                        return;
        }
        if (rc < 0 || s->failed)
                turn_break(s, rc < 0 ? odm_server_diag(s->server) : "out of memory");
        else
                write_out(s);
}

static void on_claimed(void *ctx)
{
        session *s = ctx;

        if (s->write_rc < 0) {
                turn_break(s, "the claim of a job could not be kept");
                return;
        }
        if (work_claimed(s))
                pump(s);
}

/* On the writer's thread: what the store numbered, and who is told. */
static void learn_batch(session *s, const store_batch *b, int rc)
{
        s->write_rc = rc;
        if (rc < 0)
                return;
        for (size_t i = 0; i < b->n; i++)
                if (b->ops[i]->kind == STORE_SESSION_OPEN)
                        s->id = b->ops[i]->id;
        dm_tell_moved(s->dm, b);
}

static void claim_written(void *ctx, store_batch *b, int rc)
{
        session *s = ctx;

        learn_batch(s, b, rc);
        for (live *l = s->jobs; l; l = l->next)
                if (l->state == LIVE_CLAIMING) {
                        l->state = rc == 0 && l->claim->rc == 0 ? LIVE_READY : LIVE_OVER;
                        l->claim = NULL;
                }
        s->task = (crew_task){.fn = on_claimed, .ctx = s};
        crew_post(s->dm->crew, &s->task);
}

bool session_write_claims(session *s)
{
        store_batch *b;

        close_batch(s);
        b = s->batch;
        if (s->failed || !b)
                return false;
        s->batch = NULL;
        if (store_write(s->dm->opt.store, b, claim_written, s) == 0)
                return true;
        s->batch = b;
        return false;
}

/* ---- the reply
 * ----------------------------------------------------------------------------------- */

static void send_packet(session *s, turn *t, const odm_packet *out)
{
        const http_field fields[] = {{ODM_STR("Cache-Control"), ODM_STR("no-store")},
                                     {ODM_STR("x-syncml-hmac"), out->mac}};
        char type[96];
        httpd_reply reply = {.status = 200,
                             .type = type,
                             .fields = fields,
                             .n_fields = out->mac.n ? 2 : 1,
                             .body = out->body};

        (void)snprintf(type, sizeof type, "%.*s", (int)out->content_type.n, out->content_type.p);
        s->bytes_out += out->body.n;
        s->messages++;
        dm_count(s->dm, METRIC_MESSAGES_OUT, 1);
        dm_count(s->dm, METRIC_BYTES_OUT, out->body.n);
        forget_out(s);
        if (s->known) {
                s->out_bytes = dup_str(out->body);
                s->out_mac = dup_str(out->mac);
                s->out_at = dm_wall_ms();
        }
        if (s->dm->opt.metrics)
                metrics_observe(s->dm->opt.metrics, METRIC_TIME_MESSAGE,
                                (loop_now().ms - t->now.ms) * 1000);
        httpd_send(t->req, &reply);
        t->req = NULL;
        turn_free(s->dm, t);
}

static void count_end(session *s)
{
        odm_outcome o = odm_server_outcome(s->server);
        bool refused = o == ODM_OUTCOME_AUTH_REFUSED || o == ODM_OUTCOME_REFUSED;

        dm_count(s->dm,
                 o == ODM_OUTCOME_DONE ? METRIC_SESSIONS_DONE
                 : refused             ? METRIC_SESSIONS_REFUSED
                                       : METRIC_SESSIONS_OTHER,
                 1);
}

/* Work that came when the engine no longer asked: the device is called again. */
static void call_again(session *s)
{
        store_job_filter f = {.device = s->device.id,
                              .states = STORE_JOB_BIT(STORE_JOB_QUEUED) |
                                        STORE_JOB_BIT(STORE_JOB_NOTIFIED),
                              .limit = 1,
                              .no_commands = true};
        store_job_list l;
        store_device d;
        odm_arena a;

        if (!s->authenticated || !s->known || atomic_load(&s->dm->stopping))
                return;
        odm_arena_init(&a, &heap_mem, TURN_MEMORY);
        if (store_job_find(s->dm->opt.store, &f, &a, &l) == 0 && l.n &&
            store_device_get(s->dm->opt.store, s->device.id, &a, &d) == 0)
                (void)wake_device(s->dm, &d, false);
        odm_arena_done(&a);
}

/* The last reply has left: what is still to be kept is written without anybody waiting, and the
 * session stays in the table for a repetition of its last message. */
static void finish(session *s)
{
        store_batch *b;

        count_end(s);
        add_last_out(s);
        add_session_state(s);
        b = s->batch;
        s->batch = NULL;
        if (s->failed) {
                store_batch_free(b);
                b = NULL;
        }
        dm_write(s->dm, b);
        log_info("session ended", log_str("device", s->known ? s->device.name : s->source),
                 log_str("outcome", s->outcome), log_int("messages", s->messages));
        call_again(s);
}

static void on_written(void *ctx)
{
        session *s = ctx;
        turn *t = s->turn;
        odm_packet out;
        bool first_end;

        if (s->write_rc < 0) {
                turn_break(s, "the store failed");
                return;
        }
        work_sweep(s);
        s->turn = NULL;
        first_end = s->over && s->session_changed;
        if (odm_server_send(s->server, &out) == 1)
                send_packet(s, t, &out);
        else
                turn_reply(s->dm, t, 200, NULL);
        if (first_end) {
                s->session_changed = false;
                finish(s);
        }
        session_release(s);
}

static void turn_written(void *ctx, store_batch *b, int rc)
{
        session *s = ctx;

        learn_batch(s, b, rc);
        s->task = (crew_task){.fn = on_written, .ctx = s};
        crew_post(s->dm->crew, &s->task);
}

/* All events are told: what they came to is made durable, then the reply may leave. */
static void write_out(session *s)
{
        store_batch *b;

        if (s->over) /* jobs it did not finish */
                work_put_back(s, batch_of(s), s->turn->at);
        close_batch(s);
        b = s->batch;
        if (s->failed) {
                turn_break(s, "out of memory");
                return;
        }
        if (!b || b->n == 0) {
                drop_batch(s);
                s->write_rc = 0;
                on_written(s);
                return;
        }
        s->batch = NULL;
        if (store_write(s->dm->opt.store, b, turn_written, s) < 0) {
                store_batch_free(b);
                turn_break(s, "the store takes no more");
        }
}

/* The session knows its device: the message goes into the engine. */
static void turn_run(session *s)
{
        turn *t = s->turn;
        odm_packet in = {.body = httpd_body(t->req),
                         .content_type = t->type,
                         .mac = httpd_field(t->req, "x-syncml-hmac")};
        int rc = 0;

        if (!s->server) {
                if (s->known && answers_wake(s))
                        s->route = "udp wake";
                rc = make_server(s, t);
                if (rc == 0 && s->known)
                        look_at_mirror(s, t);
        }
        s->messages++;
        s->bytes_in += in.body.n;
        if (t->digest == s->last_digest)
                dm_count(s->dm, METRIC_MESSAGES_REPEATED, 1);
        dm_count(s->dm, METRIC_MESSAGES_IN, 1);
        dm_count(s->dm, METRIC_BYTES_IN, in.body.n);
        if (rc == 0 && (atomic_load(&s->dm->stopping) || s->cut))
                odm_server_abort(s->server);
        if (rc == 0)
                rc = odm_server_recv(s->server, &in, t->now);
        if (rc < 0) {
                turn_refuse(s, rc);
                return;
        }
        s->last_msg = odm_ref_number(t->peek.msg_id);
        s->last_digest = t->digest;
        if (s->known) {
                open_session(s);
                add_last_out(s);
                add_message(s, false, t->at, in.body, in.mac);
        }
        if (!s->over)
                s->session_changed = true;
        pump(s);
}

void session_take(session *s, turn *t)
{
        s->turn = t;
        s->failed = false;
        if (s->server || begin(s))
                turn_run(s);
}

void session_release(session *s)
{
        dm *m = s->dm;
        turn *t;

        pthread_mutex_lock(&m->lock);
        t = s->waiting;
        if (t) {
                s->waiting = t->next;
                s->n_waiting--;
        } else if (!s->doomed) {
                s->busy = false;
                table_use(m, s, loop_now());
        }
        bool doomed = !t && s->doomed;
        pthread_mutex_unlock(&m->lock);
        if (t)
                session_take(s, t);
        else if (doomed)
                session_lost(s, "a newer session of the device took its place");
}

void session_lost(session *s, const char *why)
{
        dm *m = s->dm;
        turn *t;
        store_batch *b;

        pthread_mutex_lock(&m->lock);
        table_remove(m, s);
        t = s->waiting;
        s->waiting = NULL;
        pthread_mutex_unlock(&m->lock);
        while (t) {
                turn *next = t->next;
                turn_reply(m, t, 503, "the session is lost");
                t = next;
        }
        drop_batch(s); /* what a broken turn gathered did not happen */
        s->failed = false;
        b = batch_of(s);
        if (b)
                work_put_back(s, b, dm_wall_ms());
        if (!s->over && s->server) {
                dm_count(m, METRIC_SESSIONS_LOST, 1);
                s->outcome = odm_arena_fmt(&s->a, "lost: %s", why);
        }
        if (s->id) {
                add_last_out(s);
                add_session_state(s);
        }
        b = s->batch;
        s->batch = NULL;
        if (s->failed || (b && b->n == 0)) {
                store_batch_free(b);
                b = NULL;
        }
        dm_write(m, b);
        session_free(s);
}
