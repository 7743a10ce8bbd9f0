/* SPDX-License-Identifier: Apache-2.0 */
/* The server's host: sessions, and a store that takes what a message came to as a whole before the
 * reply leaves.  It may crash at any step, and goes on with what the store has: with the engines of
 * running sessions where those are kept (STORE_SESSION_SAVE), else with the jobs alone. */
#include "world.h"

#define RESP_URI "https://dm/s?sid="

static void server_options(const world *w, const host_session *s, odm_server_opt *o)
{
        odm_server_opt_init(o, &heap);
        o->rng = w->server_rng;
        o->server_uri = ODM_STR("https://dm/s");
        o->resp_uri = odm_cstr(s->uri);
        o->every_message = w->every_message;
        o->transport_auth = w->type == ODM_AUTH_NONE;
        o->max_msg_size = w->server_max;
        o->max_memory = (size_t)64 << 20;
        o->peer = (odm_peer){
                .known = true,
                .device_id = ODM_STR("IMEI:1"),
                .user = ODM_STR("dev"),
                .password = ODM_STR("pw"),
                .type = w->type,
                .accept_basic = w->type == ODM_AUTH_BASIC,
                .nonce = w->nonce,
                .previous = w->previous,
                .has_nonce = w->has_nonces,
                .has_previous = w->previous.n > 0,
                .server_user = ODM_STR("srv"),
                .server_password = ODM_STR("spw"),
                .server_type = w->server_type,
                .server_nonce = w->server_nonce,
        };
}

/* ---- sessions ------------------------------------------------------------------------------ */

static void forget(host_session *s)
{
        odm_server_free(s->engine);
        odm_buf_done(&s->kept_engine);
        *s = (host_session){0};
}

/* The store hears of it at once. */
static void lose(world *w, host_session *s)
{
        if (s->serial == 0)
                return;
        tell(w, "a session of the server is lost");
        sim_put_back(w, s->serial);
        forget(s);
}

void host_lose_all(world *w)
{
        for (size_t i = 0; i < SESSIONS; i++)
                lose(w, &w->sessions[i]);
}

static void load(world *w, host_session *s)
{
        odm_server_opt o;

        server_options(w, s, &o);
        if (odm_server_load(&o, odm_buf_view(&s->kept_engine), &s->engine) < 0)
                wrong(w, "a session that was saved cannot be loaded");
}

static void save(world *w, host_session *s)
{
        odm_buf_cut(&s->kept_engine, 0);
        if (odm_server_save(s->engine, &s->kept_engine) < 0)
                wrong(w, "a session that cannot be saved");
}

static void drop_turn(world *w)
{
        w->n_facts = 0;
        w->new_nonces = false;
        for (sim_job *j = w->jobs; j; j = j->next) {
                j->taken = false;
                j->heard = j->told;
        }
}

void host_crash(world *w)
{
        w->n.server_down++;
        tell(w, "the server crashes");
        drop_turn(w);
        for (size_t i = 0; i < SESSIONS; i++) {
                host_session *s = &w->sessions[i];
                if (!s->has_kept) {
                        lose(w, s);
                        continue;
                }
                odm_server_free(s->engine);
                s->engine = NULL;
                s->now = s->kept;
        }
}

void host_reload(world *w)
{
        w->n.reloaded++;
        for (size_t i = 0; i < SESSIONS; i++) {
                host_session *s = &w->sessions[i];
                if (s->engine) {
                        save(w, s);
                        odm_server_free(s->engine);
                        s->engine = NULL;
                        load(w, s);
                }
        }
}

/* A place for a session, the oldest one's when there is none. */
static host_session *place(world *w)
{
        host_session *oldest = &w->sessions[0];

        for (size_t i = 0; i < SESSIONS; i++) {
                host_session *s = &w->sessions[i];
                if (s->serial == 0)
                        return s;
                if (s->serial < oldest->serial)
                        oldest = s;
        }
        lose(w, oldest);
        return oldest;
}

static host_session *begin(world *w, odm_str id)
{
        host_session *s = place(w);
        odm_server_opt o;

        if (id.n >= sizeof s->id)
                return NULL;
        s->serial = ++w->serials;
        memcpy(s->id, id.p, id.n);
        odm_buf_init(&s->kept_engine, &heap, (size_t)64 << 20);
        (void)snprintf(s->uri, sizeof s->uri, "%s%llu", RESP_URI, (unsigned long long)s->serial);
        server_options(w, s, &o);
        if (odm_server_new(&o, &s->engine) < 0)
                wrong(w, "no session");
        return s;
}

/* Who follows RespURI means that session and no other, even when it is gone: another one with the
 * same SessionID, made by a first message that came late, is not this one. */
static host_session *find_token(world *w, odm_str url)
{
        uint64_t serial = 0;

        if (odm_str_u64(odm_str_from(url, sizeof RESP_URI - 1), UINT64_MAX, &serial) < 0)
                wrong(w, "a URL that nobody gave");
        for (size_t i = 0; i < SESSIONS; i++)
                if (w->sessions[i].serial == serial)
                        return &w->sessions[i];
        return NULL;
}

/* The others: the session that waits for that number, or had this very message. */
static host_session *find_number(world *w, const odm_peek *peek, uint32_t msg, uint64_t digest)
{
        for (size_t i = 0; i < SESSIONS; i++) {
                host_session *s = &w->sessions[i];
                if (s->serial && odm_str_is(peek->session_id, s->id) &&
                    ((msg > 1 && msg == s->now.msg + 1) ||
                     (msg == s->now.msg && digest == s->now.digest)))
                        return s;
        }
        return NULL;
}

static host_session *find_session(world *w, const odm_packet *in, const odm_peek *peek,
                                  uint64_t digest)
{
        uint32_t msg = odm_ref_number(peek->msg_id);
        bool token = odm_str_starts(in->url, RESP_URI);
        host_session *s = token ? find_token(w, in->url) : find_number(w, peek, msg, digest);

        return s || msg > 1 ? s : begin(w, peek->session_id);
}

static bool is_message(odm_str body, odm_arena *a, odm_peek *peek)
{
        const odm_codec *codec = odm_codec_guess(body);
        odm_limits lim;

        odm_limits_init(&lim);
        return codec && odm_server_peek(codec, body, &lim, a, peek) == 0;
}

/* ---- a turn ---------------------------------------------------------------------------------- */

void host_note(world *w, const fact *f)
{
        if (w->n_facts == FACTS)
                wrong(w, "more events in a turn than there can be");
        else
                w->facts[w->n_facts++] = *f;
}

static sim_job *find_job(world *w, uint64_t id)
{
        sim_job *j = w->jobs;

        while (j && j->id != id)
                j = j->next;
        if (j == NULL)
                wrong(w, "an event of a job nobody gave");
        return j;
}

/* A session without commands gives the device no chance to hand over its next nonce, so there
 * is always one (dm-protocol.md 9.5). */
static void give_work(world *w, host_session *s, const odm_event *ev)
{
        sim_job *j = ev->job ? find_job(w, ev->job) : w->jobs;

        if (ev->job == 0) {
                if (!s->now.busy && !sim_left(w))
                        sim_make(w, JOB_GET);
                for (j = w->jobs; j && (j->state != JOB_NEW || j->taken);)
                        j = j->next;
                if (j)
                        host_note(w, &(fact){.kind = FACT_GIVEN, .job = j});
        }
        s->now.busy = true;
        if (odm_server_work(s->engine, j ? sim_lend(w, j) : NULL) < 0)
                wrong(w, "a job was refused");
}

/* Others of the device are lost when one has proved itself. */
static void replace_others(world *w, const host_session *s)
{
        for (size_t i = 0; i < SESSIONS; i++)
                if (&w->sessions[i] != s)
                        lose(w, &w->sessions[i]);
}

static void hear_nonces(world *w, const host_session *s)
{
        odm_server_nonces(s->engine, &w->turn_nonce, &w->turn_previous, &w->turn_server_nonce);
        w->new_nonces = true;
}

static void hear_alert(world *w, host_session *s, const odm_event *ev)
{
        uint64_t n;

        if (odm_str_u64(ev->item->data.bytes, ALERTS - 1, &n) < 0)
                wrong(w, "an alert that nobody raised");
        else
                host_note(w, &(fact){.kind = FACT_ALERT, .alert = n});
        odm_server_alert_status(s->engine, ODM_ST_OK);
}

static void hear(world *w, host_session *s, const odm_event *ev)
{
        if (w->verbose)
                print_message("#   event %d job %llu/%u status %u %.*s\n", (int)ev->kind,
                              (unsigned long long)ev->job, ev->command, ev->status, (int)ev->why.n,
                              ev->why.p ? ev->why.p : "");
        switch (ev->kind) {
        case ODM_EV_WORK: give_work(w, s, ev); break;
        case ODM_EV_NONCES: hear_nonces(w, s); break;
        case ODM_EV_RESULT: sim_result(w, find_job(w, ev->job), ev); break;
        case ODM_EV_JOB_DONE:
                if (!ev->sent)
                        wrong(w, "a job is done without being sent");
                host_note(w, &(fact){.kind = FACT_DONE, .job = find_job(w, ev->job)});
                break;
        case ODM_EV_ALERT: hear_alert(w, s, ev); break;
        case ODM_EV_AUTH_FAILED:
                if (w->faults == 0 && !w->settling)
                        wrong(w, "refused without a fault");
                break;
        case ODM_EV_AUTHENTICATED: replace_others(w, s); break;
        case ODM_EV_DEVINFO:
        case ODM_EV_SESSION_ALERT:
        case ODM_EV_END: break;
        }
}

/* One transaction of the store. */
static void commit(world *w, host_session *s)
{
        for (unsigned i = 0; i < w->n_facts; i++)
                sim_keep(w, &w->facts[i], s->serial);
        if (odm_server_ended(s->engine)) /* what was not done goes back */
                sim_put_back(w, s->serial);
        if (w->new_nonces) {
                w->nonce = w->turn_nonce;
                w->previous = w->turn_previous;
                w->server_nonce = w->turn_server_nonce;
                w->has_nonces = true;
        }
        drop_turn(w);
        s->kept = s->now;
        if (w->keeps) {
                save(w, s);
                s->has_kept = true;
        }
}

/* Works through the events; false: it fell over. */
static bool pump(world *w, host_session *s)
{
        const odm_event *ev;
        int rc;

        while ((rc = odm_server_next(s->engine, &ev)) == 1) {
                hear(w, s, ev);
                if (happens(w)) {
                        host_crash(w);
                        return false;
                }
        }
        if (rc < 0)
                wrong(w, "the server says %s", odm_err_name(rc));
        return true;
}

static host_said take(world *w, host_session *s, const odm_packet *in, uint32_t msg,
                      uint64_t digest, odm_packet *out)
{
        int rc;

        if (s->engine == NULL)
                load(w, s);
        rc = odm_server_recv(s->engine, in, w->now);
        if (rc == ODM_EMALFORMED || rc == ODM_ESTATE)
                return HOST_SILENCE; /* HTTP 400 */
        if (rc < 0)
                wrong(w, "the server says %s", odm_err_name(rc));
        s->now.msg = msg;
        s->now.digest = digest;
        if (!pump(w, s))
                return HOST_SILENCE;
        commit(w, s);
        if (happens(w)) {
                host_crash(w);
                return HOST_SILENCE;
        }
        if (odm_server_send(s->engine, out) != 1)
                return HOST_SILENCE;
        if (watch_message(w, out->body))
                watch_answer(w, in, w->type, out);
        return HOST_REPLY;
}

host_said host_take(world *w, const odm_packet *in, odm_packet *out)
{
        uint64_t digest = watch_digest(in->body);
        host_said said = HOST_SILENCE;
        odm_peek peek;
        odm_arena a;

        if (w->verbose)
                print_message("# server: %zu octets to %.*s\n", in->body.n, (int)in->url.n,
                              in->url.p);
        odm_arena_init(&a, &heap, (size_t)16 << 20);
        if (is_message(in->body, &a, &peek)) {
                host_session *s = find_session(w, in, &peek, digest);
                said = s ? take(w, s, in, odm_ref_number(peek.msg_id), digest, out)
                         : HOST_NOT_FOUND;
        }
        odm_arena_done(&a);
        return said;
}
