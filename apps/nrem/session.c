/* SPDX-License-Identifier: Apache-2.0 */
/* One session of a device: its turns, its batches, its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm_inner.h"
#include "heap.h"
#include "log.h"

/* ---- the batch in hand --------------------------------------------------------------- */

void session_failed(session *s)
{
        s->failed = true;
}

static store_batch *batch_of(session *s)
{
        if (!s->batch) {
                s->batch = store_batch_new();
                s->changes = (mirror_changes){.own_only = s->dm->opt.behind != NULL};
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

store_op *session_op_later(session *s, store_op_kind kind)
{
        store_batch *b = batch_of(s);
        store_op *op = b ? store_batch_add(b, kind) : NULL;

        if (!op)
                s->failed = true;
        return op;
}

store_op *session_op(session *s, store_op_kind kind)
{
        s->urgent = true;
        return session_op_later(s, kind);
}

static void drop_batch(session *s)
{
        store_batch_free(s->batch);
        s->batch = NULL;
        sample_drop(&s->samples);
        s->urgent = s->nonces = false;
        s->fields = 0;
}

static store_batch *take_batch(session *s)
{
        store_batch *b = s->batch;

        s->batch = NULL;
        s->urgent = false;
        return b;
}

/* How often the device calls is what the fleet awaits it by. */
static void tell_interval(session *s, int64_t at)
{
        for (size_t i = 0; i < s->changes.n; i++) {
                const store_tree_change *v = &s->changes.v[i];
                uint64_t seconds;
                store_op *op;

                if (v->kind != STORE_TREE_SET || !odm_str_is(v->path, MIRROR_INTERVAL) ||
                    odm_str_u64(v->value, INT32_MAX, &seconds) < 0)
                        continue;
                op = session_op_later(s, STORE_EVENT_ADD);
                if (!op)
                        return;
                op->event = (store_event){.at = at,
                                          .device = s->device.id,
                                          .kind = ODM_STR("device.interval"),
                                          .data = odm_arena_fmt(store_batch_arena(s->batch),
                                                                "{\"seconds\":%llu}",
                                                                (unsigned long long)seconds)};
        }
}

/* What was gathered becomes operations. */
static void close_batch(session *s, int64_t at)
{
        store_op *op;

        if (s->nonces)
                heard_nonces(s);
        heard_lockout(s);
        heard_samples(s);
        if (s->batch && s->known && s->changes.n) {
                tell_interval(s, at);
                op = session_op_later(s, STORE_TREE_UPDATE);
                if (op) {
                        op->lenient = true;
                        op->tree.device = s->device.id;
                        op->tree.at = at;
                        op->tree.v = s->changes.v;
                        op->tree.n = s->changes.n;
                        s->changes.n = 0;
                }
        }
        if (s->known && s->fields) {
                op = session_op_later(s, STORE_DEVICE_PATCH);
                if (op) {
                        op->lenient = true;
                        op->device_patch.fields = s->fields;
                        op->device_patch.to = s->patch;
                        op->device_patch.to.id = s->device.id;
                        op->device_patch.to.updated = at;
                        s->fields = 0;
                }
        }
}

/* ---- the end of its memory ----------------------------------------------------------------- */

void session_free(session *s)
{
        if (!s)
                return;
        work_free(s);
        odm_server_free(s->server);
        drop_batch(s);
        said_free(s);
        odm_wipe(&s->account, sizeof s->account);
        odm_arena_done(&s->a);
        odm_free(&heap_mem, s, sizeof *s);
}

/* ---- a turn ----------------------------------------------------------------------------- */

/* The turn ends without a SyncML reply, and the session with it. */
void session_break(session *s, const char *why)
{
        turn *t = s->turn;

        log_warn("session broken off", log_str("device", s->source), log_text("reason", why));
        s->turn = NULL;
        turn_reply(s->dm, t, 503, "try again later");
        drop_batch(s); /* what a broken turn gathered did not happen */
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
        case ODM_EV_NONCES: s->nonces = true; return;
        case ODM_EV_DEVINFO: heard_devinfo(s, ev); return;
        case ODM_EV_ALERT: heard_alert(s, ev); return;
        case ODM_EV_RESULT: work_result(s, ev); return;
        case ODM_EV_JOB_DONE: work_done(s, ev); return;
        case ODM_EV_SESSION_ALERT:
        case ODM_EV_WORK: return; /* the caller's */
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
                session_break(s, rc < 0 ? odm_server_diag(s->server) : "out of memory");
        else
                write_out(s);
}

static void on_claimed(void *ctx)
{
        session *s = ctx;

        if (s->write_rc < 0) {
                session_break(s, "the claim of a job could not be kept");
                return;
        }
        if (work_claimed(s))
                pump(s);
}

/* On the writer's thread: who is told. */
static void learn_batch(session *s, const store_batch *b, int rc)
{
        s->write_rc = rc;
        if (rc == 0)
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

        close_batch(s, s->turn->at);
        if (s->failed || !s->batch)
                return false;
        b = take_batch(s);
        if (store_write(s->dm->opt.store, b, claim_written, s) == 0)
                return true;
        s->batch = b;
        return false;
}

/* ---- at hand ----------------------------------------------------------------------------
 *
 *   crew: something came -> writer: it is durable -> loop: at_hand() -> writer -> loop -> writer
 *         -> crew: jobs that wait and that came of it, or the session's last reply
 *
 * Whoever is told may write something of his own before he makes a job, which then is written too:
 * so three more writes are waited for, which stand behind his.  Each passes the loop. */

#define ROUNDS 3

static void go_round(session *s);

static void go_on(void *ctx)
{
        session *s = ctx;

        if (s->write_rc < 0)
                session_break(s, "the store failed");
        else if (work_wanted(s))
                pump(s);
}

static void on_waited(session *s)
{
        s->task = (crew_task){.fn = go_on, .ctx = s};
        crew_post(s->dm->crew, &s->task);
}

static void on_round(void *ctx)
{
        session *s = ctx;
        dm *m = s->dm;

        if (s->rounds == 0 && !atomic_load(&m->stopping)) {
                s->at_hand = true;
                m->opt.at_hand(m->opt.ctx, s->device_id);
        }
        go_round(s);
}

static void round_written(void *ctx, store_batch *b, int rc)
{
        session *s = ctx;

        (void)b;
        (void)rc; /* there was nothing in it */
        if (s->rounds > ROUNDS || loop_post(s->dm->opt.loop, on_round, s) < 0)
                on_waited(s);
}

static void go_round(session *s)
{
        store_batch *b = store_batch_new();

        s->rounds++;
        if (!b || store_write(s->dm->opt.store, b, round_written, s) < 0) {
                store_batch_free(b);
                on_waited(s);
        }
}

static void told_written(void *ctx, store_batch *b, int rc)
{
        session *s = ctx;

        learn_batch(s, b, rc);
        if (rc < 0 || loop_post(s->dm->opt.loop, on_round, s) < 0)
                on_waited(s);
}

bool session_waits(session *s)
{
        store_batch *b;

        if (!s->due || !s->dm->opt.at_hand || atomic_load(&s->dm->stopping) || !batch_of(s))
                return false;
        close_batch(s, s->turn->at);
        if (s->failed)
                return false;
        s->due = false;
        s->look = true; /* for what it brings */
        s->rounds = 0;
        b = take_batch(s);
        if (store_write(s->dm->opt.store, b, told_written, s) == 0)
                return true;
        s->batch = b;
        return false;
}

/* No more: said once for all the times that at_hand() was. */
static void say_left(session *s)
{
        if (s->at_hand && s->dm->opt.left)
                s->dm->opt.left(s->dm->opt.ctx, s->device_id);
        s->at_hand = false;
}

/* ---- the reply -------------------------------------------------------------------------- */

/* What of the reply is counted and kept; its octets move into the turn's memory. */
static void make_reply(session *s, turn *t)
{
        odm_packet out;

        if (odm_server_send(s->server, &out) != 1)
                return;
        s->bytes_out += out.body.n;
        s->messages++;
        dm_count(s->dm, METRIC_MESSAGES_OUT, 1);
        dm_count(s->dm, METRIC_BYTES_OUT, out.body.n);
        said_add(s, true, loop_wall_ms(), out.body, out.mac);
        t->out.body = odm_arena_copy(&t->a, out.body);
        t->out.mac = odm_arena_copy(&t->a, out.mac);
        t->out.content_type = odm_arena_copy(&t->a, out.content_type);
        t->replies = true;
        if (t->a.err)
                s->failed = true;
}

static void post_reply(dm *m, turn *t)
{
        const odm_packet *out = &t->out;
        const http_field fields[] = {{ODM_STR("Cache-Control"), ODM_STR("no-store")},
                                     {ODM_STR("x-syncml-hmac"), out->mac}};
        const httpd_reply reply = {.status = 200,
                                   .type = out->content_type.p, /* a copy, so it ends with a zero */
                                   .fields = fields,
                                   .n_fields = out->mac.n ? 2 : 1,
                                   .body = out->body};

        if (m->opt.metrics)
                metrics_observe(m->opt.metrics, METRIC_TIME_MESSAGE,
                                (loop_now().ms - t->now.ms) * 1000);
        httpd_send(t->req, &reply);
        t->req = NULL;
        turn_free(m, t);
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
static bool may_be_called(session *s)
{
        return s->authenticated && s->known && !atomic_load(&s->dm->stopping) && work_looks(s);
}

/* The last reply has left; the session stays in the table for a repetition of its last message. */
static void finish(session *s)
{
        count_end(s);
        dm_write(s->dm, take_batch(s)); /* what nothing depends on */
        log_info("session ended", log_str("device", s->known ? s->device.name : s->source),
                 log_str("outcome", s->outcome), log_int("messages", s->messages));
        say_left(s);
        if (may_be_called(s))
                dm_look_again(s->dm, s->device.id);
}

/* Gives up ownership when nobody waits for it. */
static bool leave(session *s)
{
        dm *m = s->dm;
        bool left;

        pthread_mutex_lock(&m->lock);
        left = !s->waiting && !s->doomed;
        if (left) {
                s->busy = false;
                table_use(m, s, loop_now());
        }
        pthread_mutex_unlock(&m->lock);
        return left;
}

/* The batch is durable: the reply may leave.  The session is given up before it does, so that the
 * device's next message, or its next session, finds it free. */
static void on_written(void *ctx)
{
        session *s = ctx;
        dm *m = s->dm;
        turn *t = s->turn;
        bool first_end, left;

        if (s->write_rc < 0) {
                session_break(s, "the store failed");
                return;
        }
        work_sweep(s);
        s->turn = NULL;
        first_end = s->over && s->session_changed;
        left = !first_end && leave(s); /* then s is another's */
        if (t->replies)
                post_reply(m, t);
        else
                turn_reply(m, t, 200, NULL);
        if (first_end) {
                s->session_changed = false;
                finish(s);
        }
        if (!left)
                session_release(s);
}

static void turn_written(void *ctx, store_batch *b, int rc)
{
        session *s = ctx;

        learn_batch(s, b, rc);
        if (rc == 0 && !s->over)
                said_kept(s);
        s->task = (crew_task){.fn = on_written, .ctx = s};
        crew_post(s->dm->crew, &s->task);
}

/* All events are told, and the reply is made: what may not be lost is made durable, then it may
 * leave.  What may be lost waits for the next batch, or for the session's end. */
static void write_out(session *s)
{
        turn *t = s->turn;
        store_batch *b;

        if (s->over && s->jobs) { /* those it did not finish */
                work_put_back(s, batch_of(s), t->at);
                s->urgent = true;
        }
        if (s->nonces && s->authenticated)
                s->urgent = true;
        make_reply(s, t);
        if (s->over && s->session_changed)
                said_put(s);
        else if (said_long(s)) {
                said_put(s);
                s->urgent = true;
        }
        if (s->urgent || s->over)
                close_batch(s, t->at);
        if (s->failed) {
                session_break(s, "out of memory");
                return;
        }
        if (!s->urgent || !s->batch || s->batch->n == 0) {
                s->write_rc = 0;
                on_written(s);
                return;
        }
        b = take_batch(s);
        if (store_write(s->dm->opt.store, b, turn_written, s) < 0) {
                store_batch_free(b);
                session_break(s, "the store takes no more");
        }
}

/* The session knows its device: the message goes into the engine. */
void session_run(session *s)
{
        turn *t = s->turn;
        odm_packet in = {.body = httpd_body(t->req),
                         .content_type = t->type,
                         .mac = httpd_field(t->req, "x-syncml-hmac")};
        int rc = 0;

        if (!s->server)
                rc = welcome_server(s, t);
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
        if (t->digest != s->last_digest)
                s->last_at = t->now.ms;
        s->last_msg = odm_ref_number(t->peek.msg_id);
        s->last_digest = t->digest;
        said_open(s);
        said_add(s, false, t->at, in.body, in.mac);
        if (!s->over)
                s->session_changed = true;
        pump(s);
}

void session_take(session *s, turn *t)
{
        s->turn = t;
        s->failed = false;
        if (s->server || welcome(s))
                session_run(s);
}

static void on_turn(void *ctx)
{
        session *s = ctx;

        session_take(s, s->turn);
}

void session_release(session *s)
{
        dm *m = s->dm;
        turn *t;

        if (leave(s))
                return;
        pthread_mutex_lock(&m->lock);
        t = s->waiting;
        if (t) {
                s->waiting = t->next;
                s->n_waiting--;
        }
        pthread_mutex_unlock(&m->lock);
        if (t) { /* not from here: one that never stops sending would have us never return */
                s->turn = t;
                s->task = (crew_task){.fn = on_turn, .ctx = s};
                crew_post(m->crew, &s->task);
        } else {
                session_lost(s, "a newer session of the device took its place");
        }
}

void session_lost(session *s, const char *why)
{
        dm *m = s->dm;
        turn *t;
        store_batch *b;
        bool jobs = s->jobs != NULL, again, looks = !s->over && may_be_called(s);
        int64_t device;

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
        s->failed = false;
        if (s->jobs)
                work_put_back(s, batch_of(s), loop_wall_ms());
        if (!s->over && s->server) {
                dm_count(m, METRIC_SESSIONS_LOST, 1);
                s->outcome = odm_arena_fmt(&s->a, "lost: %s", why);
        }
        if (s->id && (!s->over || said_unput(s)))
                said_put(s);
        close_batch(s, loop_wall_ms());
        b = take_batch(s);
        if (s->failed || (b && b->n == 0)) {
                store_batch_free(b);
                b = NULL;
        }
        again = b && jobs && s->known;
        device = s->device_id;
        dm_write(m, b);
        say_left(s);
        session_free(s);
        if (again) /* it is called, to try once more */
                dm_job_created(m, device, 0);
        else if (looks)
                dm_look_again(m, device);
}
