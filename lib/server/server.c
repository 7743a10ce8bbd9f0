/* SPDX-License-Identifier: Apache-2.0 */
/* The public calls of a server session, and the turn every message takes: WAIT,
 * RELEND, TELL, FILL, CLOSE (drawn in session.h; dm-protocol.md 1 and 13).  A message
 * is worked through in steps, because the host must say things in between: how an alert
 * went, and which jobs there are. */
#include <assert.h>
#include <string.h>

#include <nettle/md5.h>

#include "session.h"

#define MESSAGE_CHUNK 4096 /* most messages need no second one */

static const char *const turn_names[] = {[TURN_WAIT] = "wait",
                                         [TURN_RELEND] = "relend",
                                         [TURN_TELL] = "tell",
                                         [TURN_FILL] = "fill",
                                         [TURN_CLOSE] = "close"};
static const char *const phase_names[] = {
        [PHASE_SETUP] = "setup", [PHASE_MANAGE] = "manage", [PHASE_OVER] = "over"};

void odm_session_turn(odm_server *s, enum turn to)
{
        ODM_TRACE(s->opt.trace, "server", "%.*s/%u: %s -> %s", (int)s->session_id_n, s->session_id,
                  s->in_id, turn_names[s->turn], turn_names[to]);
        s->turn = to; /* the only assignment to turn */
}

void odm_session_phase(odm_server *s, enum phase to)
{
        ODM_TRACE(s->opt.trace, "server", "%.*s/%u: phase %s -> %s", (int)s->session_id_n,
                  s->session_id, s->in_id, phase_names[s->phase], phase_names[to]);
        s->phase = to; /* the only assignment to phase */
}

/* ---- memory ------------------------------------------------------------------- */

static void *counted_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        odm_server *s = ctx;

        assert(s->live >= old_n);
        if (n > old_n && n - old_n > s->opt.max_memory - s->live) {
                s->over_memory = true;
                return NULL;
        }
        void *q = s->parent->resize(s->parent->ctx, p, old_n, n);
        if (q != NULL || n == 0)
                s->live += n - old_n;
        return q;
}

int odm_session_nomem(const odm_server *s)
{
        return s->over_memory ? ODM_ELIMIT : ODM_ENOMEM;
}

int odm_session_arena_err(const odm_server *s, const odm_arena *a)
{
        int err = odm_arena_err(a);

        return err == ODM_ENOMEM ? odm_session_nomem(s) : err;
}

int odm_session_copy(odm_server *s, odm_str in, odm_str *out)
{
        char *p = NULL;

        if (in.n > 0) {
                p = odm_alloc(&s->mem, in.n);
                if (p == NULL)
                        return odm_session_nomem(s);
                memcpy(p, in.p, in.n);
        }
        odm_session_free_str(s, out);
        *out = (odm_str){p, in.n};
        return 0;
}

void odm_session_free_str(odm_server *s, odm_str *str)
{
        odm_free(&s->mem, (void *)(uintptr_t)str->p, str->n);
        *str = ODM_ABSENT;
}

/* ---- options --------------------------------------------------------------------- */

void odm_server_opt_init(odm_server_opt *o, const odm_mem *mem)
{
        *o = (odm_server_opt){
                .mem = mem,
                .max_msg_size = 65536,
                .max_obj_size = 16u << 20,
                .send_max = 65536,
                .max_in_message = 64,
                .max_messages = 10000,
                .max_memory = 32u << 20,
        };
        odm_limits_init(&o->limits);
        o->peer.type = ODM_AUTH_MD5;
}

#define OPTION_STRINGS(o)                                                                       \
        {                                                                                       \
                &(o)->server_uri, &(o)->resp_uri, &(o)->peer.device_id, &(o)->peer.user,        \
                        &(o)->peer.password, &(o)->peer.server_user, &(o)->peer.server_password \
        }

static int copy_options(odm_server *s)
{
        odm_str *const list[] = OPTION_STRINGS(&s->opt);
        size_t n = 0, at = 0;

        for (size_t i = 0; i < ODM_COUNT(list); i++)
                n += list[i]->n;
        if (n > 0) {
                s->text = odm_alloc(&s->mem, n);
                if (s->text == NULL)
                        return odm_session_nomem(s);
                s->text_n = n;
        }
        for (size_t i = 0; i < ODM_COUNT(list); i++) {
                if (list[i]->p == NULL)
                        continue;
                if (list[i]->n)
                        memcpy(s->text + at, list[i]->p, list[i]->n);
                list[i]->p = s->text ? s->text + at : "";
                at += list[i]->n;
        }
        return 0;
}

static bool options_ok(const odm_server_opt *o)
{
        const odm_str *const list[] = OPTION_STRINGS(o);

        for (size_t i = 0; i < ODM_COUNT(list); i++)
                if (list[i]->n > URI_MAX)
                        return false;
        return o->mem && o->rng.fill && o->server_uri.n > 0 && o->max_msg_size > 0 &&
               o->max_in_message > 0 && o->max_in_message <= 4096 && o->send_max >= 512 &&
               o->max_messages > 1 && o->max_memory > 0;
}

/* A peer we do not know plays the same game against a secret nobody has. */
static int disguise(odm_server *s)
{
        odm_peer *p = &s->opt.peer;

        p->user = p->password = ODM_ABSENT;
        p->has_nonce = p->has_previous = p->default_nonce = p->accept_basic = false;
        if (p->type == ODM_AUTH_NONE || p->type == ODM_AUTH_OTHER)
                p->type = ODM_AUTH_MD5;
        s->opt.transport_auth = false;
        p->has_secret = true;
        return s->opt.rng.fill(s->opt.rng.ctx, p->secret.b64, sizeof p->secret.b64);
}

static void make_verifier(odm_server *s)
{
        const odm_peer *p = &s->opt.peer;

        s->verifier = (odm_verifier){
                .type = s->opt.transport_auth ? ODM_AUTH_NONE : p->type,
                .accept_basic = p->accept_basic,
                .accept_stronger = true,
                .every_message = s->opt.every_message,
                .user = p->user,
                .password = p->password,
                .has_secret = p->has_secret,
                .secret = p->secret,
                .nonce = p->nonce,
                .previous = p->previous,
                .has_nonce = p->has_nonce,
                .has_previous = p->has_previous,
                .allow_default = p->default_nonce,
        };
}

static void make_prover(odm_server *s)
{
        const odm_peer *p = &s->opt.peer;

        s->prover = (odm_prover){
                .type = p->server_type,
                .user = p->server_user,
                .password = p->server_password,
                .has_secret = p->has_server_secret,
                .secret = p->server_secret,
                .nonce = p->server_nonce,
                .every_message = s->opt.every_message,
                .allow_basic = true,
        };
}

int odm_server_new(const odm_server_opt *opt, odm_server **out)
{
        if (!options_ok(opt))
                return ODM_EINVAL;
        odm_server *s = odm_alloc(opt->mem, sizeof *s);
        if (s == NULL)
                return ODM_ENOMEM;
        s->parent = opt->mem;
        s->opt = *opt;
        s->mem = (odm_mem){counted_resize, s};
        s->diag = "";
        s->large_objects = true;
        s->version = 2;
        odm_buf_init(&s->reply, &s->mem, opt->send_max + 4096);
        odm_buf_init(&s->mac, &s->mem, 1024);
        odm_buf_init(&s->sending.value, &s->mem, opt->max_memory);
        odm_buf_init(&s->taking.data, &s->mem, opt->max_obj_size);
        odm_buf_init(&s->telling.data, &s->mem, opt->max_obj_size);
        odm_arena_init(&s->telling_text, &s->mem, opt->max_memory);
        odm_arena_init(&s->held, &s->mem, opt->max_memory);
        odm_arena_init(&s->late, &s->mem, opt->max_memory);
        odm_arena_init(&s->said, &s->mem, opt->max_memory);
        odm_arena_init(&s->arena, &s->mem, opt->max_memory);
        s->arena.chunk = MESSAGE_CHUNK;
        int rc = copy_options(s);
        if (rc == 0 && !opt->peer.known)
                rc = disguise(s);
        if (rc < 0) {
                odm_server_free(s);
                return rc;
        }
        make_verifier(s);
        make_prover(s);
        *out = s;
        return 0;
}

static void drop_held(odm_server *s)
{
        for (struct object *o = s->objects; o; o = o->next)
                odm_buf_done(&o->data);
        s->objects = NULL;
        s->answers = NULL;
        odm_arena_done(&s->held);
        odm_arena_init(&s->held, &s->mem, s->opt.max_memory);
}

static void drop_message(odm_server *s)
{
        for (struct told *t = s->told; t; t = t->next)
                if (t->done)
                        odm_job_free(s, t->done);
        if (s->lent && s->lent->done)
                odm_job_free(s, s->lent->done);
        odm_arena_done(&s->arena);
        odm_arena_init(&s->arena, &s->mem, s->opt.max_memory);
        s->arena.chunk = MESSAGE_CHUNK;
        s->in = NULL;
        s->packet = (odm_packet){0};
        s->told = s->lent = NULL;
        s->told_end = NULL;
        s->statuses = NULL;
        s->statuses_end = NULL;
        s->no_end = ODM_ABSENT;
        s->asked = NULL;
        if (!s->holding)
                drop_held(s);
}

void odm_server_free(odm_server *s)
{
        if (s == NULL)
                return;
        drop_message(s);
        drop_held(s);
        while (s->jobs) {
                struct job *j = s->jobs;
                s->jobs = j->next;
                odm_job_free(s, j);
        }
        odm_free(&s->mem, s->out, s->cap_out * sizeof *s->out);
        odm_arena_done(&s->held);
        odm_arena_done(&s->late);
        odm_arena_done(&s->said);
        odm_arena_done(&s->arena);
        odm_buf_done(&s->reply);
        odm_buf_done(&s->mac);
        odm_buf_done(&s->sending.value);
        odm_buf_done(&s->taking.data);
        odm_buf_done(&s->telling.data);
        odm_arena_done(&s->telling_text);
        odm_session_free_str(s, &s->device);
        if (s->text) {
                odm_wipe(s->text, s->text_n);
                odm_free(&s->mem, s->text, s->text_n);
        }
        const odm_mem *mem = s->parent;
        odm_wipe(s, sizeof *s);
        odm_free(mem, s, sizeof *s);
}

/* ---- a message comes in -------------------------------------------------------------- */

const odm_codec *odm_session_codec(const odm_server *s)
{
        return s->xml ? &odm_codec_xml : &odm_codec_wbxml;
}

static void digest_of(odm_str body, uint8_t out[DIGEST_LEN])
{
        struct md5_ctx ctx;

        md5_init(&ctx);
        md5_update(&ctx, body.n, (const uint8_t *)body.p);
        md5_digest(&ctx, DIGEST_LEN, out);
}

/* The device did not get our reply and says the same again (dm-protocol.md 1.6). */
static bool is_repetition(const odm_server *s, const uint8_t digest[DIGEST_LEN])
{
        return s->has_reply && memcmp(digest, s->digest, DIGEST_LEN) == 0;
}

/* A message from before the last one, come late or sent again by someone else: it must not
 * disturb the session. */
static bool is_stale(const odm_server *s)
{
        uint32_t id = odm_ref_number(s->in->hdr.msg_id);

        return id > 0 && id < s->in_id;
}

static int decode(odm_server *s, const odm_packet *in)
{
        const odm_codec *codec = odm_codec_guess(in->body);

        if (codec == NULL)
                return ODM_EMALFORMED;
        if (in->body.n > s->opt.max_msg_size)
                return ODM_ELIMIT;
        int rc = odm_decode(codec, in->body, &s->opt.limits, &s->arena, &s->in);
        if (rc == ODM_ENOMEM)
                rc = odm_session_nomem(s);
        if (rc == 0 && (s->in->hdr.session_id.n == 0 || s->in->hdr.session_id.n > SESSION_ID_MAX ||
                        s->in->hdr.source.n > URI_MAX))
                rc = ODM_EMALFORMED;
        if (rc == 0 && is_stale(s))
                rc = ODM_EMALFORMED;
        if (rc < 0)
                return rc;
        s->xml = codec == &odm_codec_xml;
        s->bare_mime = odm_str_starts(in->content_type, "application/vnd.syncml+");
        return 0;
}

static void start_message(odm_server *s)
{
        s->told_end = &s->told;
        s->statuses_end = &s->statuses;
        s->plan = PLAN_WORK;
        s->want_work = s->no_more = s->refused = false;
        s->wrote_full = s->overflow = s->stay_open = s->lean = false;
        s->wrote_job = NULL;
        s->wrote = 0;
        s->has_reply = false; /* from here on a repetition has nothing to be lent */
        odm_buf_cut(&s->reply, 0);
        odm_buf_cut(&s->mac, 0);
}

/* The first job whose commands must be lent again after a load. */
static struct job *job_to_relend(const odm_server *s)
{
        struct job *j = s->jobs;

        while (j && (j->commands || j->lost))
                j = j->next;
        return j;
}

int odm_server_recv(odm_server *s, const odm_packet *in, odm_time now)
{
        uint8_t digest[DIGEST_LEN];

        (void)now;
        if (s->err < 0)
                return s->err;
        if (s->turn != TURN_WAIT)
                return ODM_ESTATE;
        digest_of(in->body, digest);
        if (is_repetition(s, digest))
                return 0;
        if (s->phase == PHASE_OVER && s->outcome != ODM_OUTCOME_DONE)
                return ODM_ESTATE;
        s->over_memory = false;
        int rc = decode(s, in);
        if (rc < 0) {
                drop_message(s);
                return rc;
        }
        s->packet = *in;
        start_message(s);
        memcpy(s->digest, digest, DIGEST_LEN);
        if (job_to_relend(s)) {
                odm_session_turn(s, TURN_RELEND);
                return 0;
        }
        rc = odm_receive_message(s);
        if (rc < 0)
                return s->err = rc;
        odm_session_turn(s, TURN_TELL);
        return 0;
}

/* ---- telling the host ------------------------------------------------------------------ */

struct told *odm_session_tell(odm_server *s, odm_event_kind kind)
{
        struct told *t = odm_new(&s->arena, struct told);

        if (t == NULL)
                return NULL;
        t->ev.kind = kind;
        *s->told_end = t;
        s->told_end = &t->next;
        return t;
}

void odm_session_finish(odm_server *s, odm_outcome outcome, const char *why)
{
        if (s->outcome != ODM_OUTCOME_NONE)
                return;
        s->outcome = outcome;
        s->diag = why;
}

static int pop_told(odm_server *s, const odm_event **out)
{
        struct told *t = s->told;

        s->told = t->next;
        if (s->told == NULL)
                s->told_end = &s->told;
        s->lent = t;
        *out = &t->ev;
        return 1;
}

/* What was lent before is taken now. */
static void taken(odm_server *s)
{
        if (s->lent && s->lent->done)
                odm_job_free(s, s->lent->done);
        s->lent = NULL;
}

static int ask_for_work(odm_server *s, uint64_t job, const odm_event **out)
{
        struct told *t = odm_session_tell(s, ODM_EV_WORK);

        if (t == NULL)
                return odm_session_arena_err(s, &s->arena);
        t->ev.job = job;
        s->want_work = true;
        return pop_told(s, out);
}

static int on_relend(odm_server *s, const odm_event **out)
{
        if (s->asked) { /* the host did not answer: it has the job no more */
                s->asked->lost = true;
                s->want_work = false;
        }
        s->asked = job_to_relend(s);
        if (s->asked)
                return ask_for_work(s, s->asked->id, out);
        int rc = odm_receive_message(s);
        if (rc < 0)
                return rc;
        odm_session_turn(s, TURN_TELL);
        return 0;
}

static int on_tell(odm_server *s)
{
        int rc = odm_reply_begin(s);

        if (rc == 0)
                odm_session_turn(s, TURN_FILL);
        return rc;
}

static int on_fill(odm_server *s, const odm_event **out)
{
        enum fill fill = FILL_FULL;
        int rc = 0;

        if (s->want_work) { /* asked, and nothing came */
                s->want_work = false;
                s->no_more = true;
        }
        do
                rc = odm_reply_fill(s, &fill);
        while (rc == 0 && fill == FILL_GOES_ON);
        if (rc < 0 || fill == FILL_TOLD)
                return rc;
        if (fill == FILL_ASK)
                return ask_for_work(s, 0, out);
        rc = odm_reply_end(s);
        if (rc == 0)
                odm_session_turn(s, TURN_CLOSE);
        return rc;
}

static void on_close(odm_server *s)
{
        drop_message(s);
        odm_buf_trim(&s->reply); /* it waits as long as the device does */
        odm_session_turn(s, TURN_WAIT);
}

/* One step; 1 when *out is set. */
static int step(odm_server *s, const odm_event **out)
{
        if (s->told)
                return pop_told(s, out);
        switch (s->turn) {
        case TURN_RELEND: return on_relend(s, out);
        case TURN_TELL: return on_tell(s);
        case TURN_FILL: return on_fill(s, out);
        case TURN_CLOSE: on_close(s); return 0;
        case TURN_WAIT: return 0;
        }
        ODM_UNREACHABLE(); /* no default: -Wswitch names a turn we forgot */
}

int odm_server_next(odm_server *s, const odm_event **out)
{
        int rc = 0;

        if (s->err < 0)
                return s->err;
        taken(s);
        while (rc == 0 && s->turn != TURN_WAIT)
                rc = step(s, out);
        if (rc < 0)
                s->err = rc;
        return rc;
}

void odm_server_alert_status(odm_server *s, unsigned status)
{
        if (s->lent && s->lent->status)
                s->lent->status->c.code = status;
}

static int relend(odm_server *s, const odm_job *job)
{
        struct job *j = s->asked;

        s->want_work = false;
        s->asked = NULL;
        if (job == NULL || job->id != j->id || !odm_job_relend(j, job))
                j->lost = true;
        return j->lost && job ? ODM_EINVAL : 0;
}

int odm_server_work(odm_server *s, const odm_job *job)
{
        if (s->err < 0)
                return s->err;
        if (!s->want_work)
                return ODM_ESTATE;
        if (s->asked)
                return relend(s, job);
        if (job == NULL) {
                s->want_work = false;
                s->no_more = true;
                return 0;
        }
        if (!odm_job_allowed(job->commands) ||
            odm_job_count_all(job->commands) > s->opt.limits.max_items) {
                s->want_work = false; /* and the host is asked again */
                return ODM_EINVAL;
        }
        int rc = odm_job_add(s, job);
        if (rc == 0)
                s->want_work = false;
        return rc;
}

/* ---- the reply, and small questions ---------------------------------------------------- */

static const char *mime_of(const odm_server *s)
{
        if (s->bare_mime)
                return s->xml ? "application/vnd.syncml+xml" : "application/vnd.syncml+wbxml";
        return odm_codec_mime(odm_session_codec(s));
}

int odm_server_send(odm_server *s, odm_packet *out)
{
        if (s->err < 0 || s->turn != TURN_WAIT || !s->has_reply)
                return 0;
        *out = (odm_packet){
                .body = odm_buf_view(&s->reply),
                .content_type = odm_cstr(mime_of(s)),
                .mac = s->mac.n ? odm_buf_view(&s->mac) : ODM_ABSENT,
        };
        return 1;
}

void odm_server_abort(odm_server *s)
{
        s->abort_asked = true;
}

bool odm_server_ended(const odm_server *s)
{
        return s->err < 0 || (s->phase == PHASE_OVER && s->turn == TURN_WAIT);
}

odm_outcome odm_server_outcome(const odm_server *s)
{
        return s->outcome;
}

void odm_server_nonces(const odm_server *s, odm_nonce *client, odm_nonce *previous,
                       odm_nonce *server)
{
        *client = s->verifier.nonce;
        *previous = s->verifier.previous;
        *server = s->prover.nonce;
}

uint64_t odm_server_peer_max_msg(const odm_server *s)
{
        return s->peer_max_msg;
}

uint64_t odm_server_peer_max_obj(const odm_server *s)
{
        return s->peer_max_obj;
}

void odm_server_set_large_objects(odm_server *s, bool yes)
{
        s->large_objects = yes;
}

const char *odm_server_diag(const odm_server *s)
{
        return s->err < 0 ? odm_err_text(s->err) : s->diag;
}

size_t odm_server_memory(const odm_server *s)
{
        return s->live + sizeof *s;
}
