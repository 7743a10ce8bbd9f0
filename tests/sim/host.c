/* SPDX-License-Identifier: Apache-2.0 */
/* The server's host: one session at a time, a store that keeps what the events say before
 * the reply leaves, and the accidents of a daemon. */
#include "world.h"

static void server_options(world *w, odm_server_opt *o)
{
        bool open = w->type == ODM_AUTH_NONE;

        odm_server_opt_init(o, &heap);
        o->rng = w->server_rng;
        o->server_uri = ODM_STR("http://dm/s");
        o->resp_uri = ODM_STR("http://dm/s?sid=1");
        o->every_message = w->every_message;
        o->transport_auth = open;
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
                .has_nonce = w->has_nonce,
                .has_previous = w->has_previous,
                .server_user = ODM_STR("srv"),
                .server_password = ODM_STR("spw"),
                .server_type = w->server_type,
                .server_nonce = w->server_nonce,
        };
}

void host_lose_session(world *w)
{
        if (w->server == NULL)
                return;
        odm_server_free(w->server);
        w->server = NULL;
        sim_put_back(w);
}

void host_crash(world *w)
{
        w->crashes++;
        host_lose_session(w);
}

/* Another process goes on with the session. */
void host_reload(world *w)
{
        odm_server_opt o;
        odm_server *s = NULL;
        odm_buf b;

        if (w->server == NULL)
                return;
        odm_buf_init(&b, &heap, (size_t)64 << 20);
        server_options(w, &o);
        if (odm_server_save(w->server, &b) < 0 || odm_server_load(&o, odm_buf_view(&b), &s) < 0)
                wrong(w, "a session that cannot be saved and loaded");
        odm_buf_done(&b);
        if (s) {
                odm_server_free(w->server);
                w->server = s;
        }
}

static sim_job *find(world *w, uint64_t id)
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
static void give_work(world *w, const odm_event *ev)
{
        sim_job *j;

        if (!w->busy && !sim_left(w))
                sim_make(w, JOB_GET);
        w->busy = true;

        j = w->jobs;
        if (ev->job) {
                j = find(w, ev->job);
        } else {
                while (j && j->state != JOB_NEW)
                        j = j->next;
                if (j)
                        sim_give(w, j);
        }
        if (odm_server_work(w->server, j ? &j->job : NULL) < 0)
                wrong(w, "a job was refused");
}

static void keep_nonces(world *w)
{
        odm_nonce client, previous, server;

        odm_server_nonces(w->server, &client, &previous, &server);
        w->nonce = client;
        w->previous = previous;
        w->server_nonce = server;
        w->has_nonce = w->has_previous = true;
}

static void hear(world *w, const odm_event *ev)
{
        if (w->verbose)
                print_message("#   event %d job %llu/%u status %u %.*s\n", (int)ev->kind,
                              (unsigned long long)ev->job, ev->command, ev->status, (int)ev->why.n,
                              ev->why.p ? ev->why.p : "");
        switch (ev->kind) {
        case ODM_EV_WORK: give_work(w, ev); break;
        case ODM_EV_NONCES: keep_nonces(w); break;
        case ODM_EV_RESULT: sim_result(w, find(w, ev->job), ev); break;
        case ODM_EV_JOB_DONE: sim_done(w, find(w, ev->job), ev); break;
        case ODM_EV_ALERT: w->alert_told++; break;
        case ODM_EV_AUTH_FAILED:
                if (w->faults == 0)
                        wrong(w, "refused without a fault");
                break;
        case ODM_EV_AUTHENTICATED:
        case ODM_EV_DEVINFO:
        case ODM_EV_SESSION_ALERT:
        case ODM_EV_END: break;
        }
}

static void find_session(world *w, odm_str body)
{
        odm_limits lim;
        odm_arena a;
        odm_peek peek;
        odm_server_opt o;
        const odm_codec *codec = odm_codec_guess(body);

        odm_limits_init(&lim);
        odm_arena_init(&a, &heap, (size_t)16 << 20);
        if (codec && odm_server_peek(codec, body, &lim, &a, &peek) == 0 && peek.session_id.n < 8) {
                if (w->server && !odm_str_is(peek.session_id, w->server_sid))
                        host_lose_session(w);
                if (w->server == NULL) {
                        memcpy(w->server_sid, peek.session_id.p, peek.session_id.n);
                        w->server_sid[peek.session_id.n] = '\0';
                        server_options(w, &o);
                        w->busy = false;
                        if (odm_server_new(&o, &w->server) < 0)
                                wrong(w, "no session");
                }
        }
        odm_arena_done(&a);
}

bool host_take(world *w, const odm_packet *in, odm_packet *out)
{
        const odm_event *ev;
        int rc;

        find_session(w, in->body);
        if (w->server == NULL)
                return false;
        rc = odm_server_recv(w->server, in, w->now);
        while (rc == 0) {
                rc = odm_server_next(w->server, &ev);
                if (rc != 1)
                        break;
                hear(w, ev);
                rc = 0;
        }
        if (rc == ODM_EMALFORMED || rc == ODM_ESTATE)
                return false; /* HTTP 400 */
        if (rc < 0)
                wrong(w, "the server says %s", odm_err_name(rc));
        if (odm_server_ended(w->server)) /* what was not done goes back */
                sim_put_back(w);
        if (odm_server_send(w->server, out) != 1)
                return false;
        host_saw_nonces(w, out->body);
        return true;
}
