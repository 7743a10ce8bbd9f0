/* SPDX-License-Identifier: Apache-2.0 */
/* The device's host: one session after the other, alerts that wait on its disk until they are
 * answered, and crashes in which what was not synced is lost. */
#include "world.h"

static odm_client *new_client(world *w)
{
        odm_client_opt o;
        odm_client *c = NULL;

        odm_client_opt_init(&o, &heap);
        o.rng = w->device_rng;
        o.codec = w->codec;
        o.account = ODM_STR("./DMAcc/main");
        o.alert = ODM_ALERT_CLIENT_INITIATED;
        o.secure = o.allow_basic = w->type == ODM_AUTH_BASIC;
        o.server_known = w->server_type == ODM_AUTH_NONE;
        o.max_msg_size = w->device_max;
        o.has_atomic = !w->split_atomic;
        o.has_ui = true;
        int rc = odm_client_new(&o, w->dev.tree, &c);
        if (rc < 0)
                wrong(w, "no client: %s", odm_err_name(rc));
        return c;
}

static odm_wall tell_time(world *w)
{
        return (odm_wall){++w->dev.wall};
}

/* ---- alerts ------------------------------------------------------------------------------ */

void agent_alert(world *w)
{
        if (w->alerts < ALERTS)
                w->alerts++;
}

static void queue_alerts(world *w)
{
        for (unsigned i = 0; i < w->alerts; i++) {
                char text[16];
                if (w->alerts_settled >> i & 1)
                        continue;
                (void)snprintf(text, sizeof text, "%u", i);
                const odm_alert a = {.id = i,
                                     .code = ODM_ALERT_GENERIC,
                                     .source = ODM_STR("./Vendor/lab"),
                                     .type = ODM_STR("com.example/event"),
                                     .data = odm_cstr(text),
                                     .mark = ODM_STR("warning")};
                if (odm_client_alert(w->client, &a) < 0)
                        wrong(w, "an alert was refused");
        }
}

/* ---- crashes ------------------------------------------------------------------------------- */

/* The process dies, or the power goes: then some of what was not synced is lost. */
static void fall(world *w)
{
        size_t keep = roll(w, 2) ? SIZE_MAX : (size_t)roll(w, 4096);

        w->n.device_down++;
        tell(w, "the device crashes");
        odm_client_free(w->client);
        w->client = NULL;
        if (device_crash(&w->dev, keep) < 0)
                wrong(w, "the device does not start again");
        watch_disk(w);
        watch_step(w);
}

/* ---- a session -------------------------------------------------------------------------- */

/* False: it fell over. */
static bool serve_requests(world *w)
{
        const odm_request *req;

        while (odm_client_next(w->client, &req) == 1) {
                const odm_reply r = {.status = ODM_ST_OK};
                if (happens(w)) {
                        fall(w);
                        return false;
                }
                if (req->kind == ODM_REQ_ALERTED) {
                        if (req->status == ODM_ST_OK)
                                w->alerts_settled |= UINT64_C(1) << req->alert_id;
                        continue;
                }
                int rc = odm_client_answer(w->client, req->id, &r, w->now, tell_time(w));
                if (rc < 0) {
                        wrong(w, "an answer was refused: %s", odm_err_name(rc));
                        return false;
                }
        }
        return true;
}

static int tick(world *w)
{
        odm_time at = odm_client_deadline(w->client);

        if (at.ms == ODM_NEVER.ms) {
                wrong(w, "a client that waits for ever");
                return ODM_ESTATE;
        }
        w->now = at;
        return odm_client_tick(w->client, w->now);
}

static void show_message(const world *w, const char *who, odm_str body)
{
        if (!w->verbose)
                return;
        print_message("# %s: %zu octets\n", who, body.n);
        if (body.n && body.p[0] == '<') /* cmocka prints a kilobyte at a time */
                for (size_t at = 0; at < body.n && at < 4000; at += 800) {
                        odm_str s = odm_str_to(odm_str_from(body, at), 800);
                        print_message("#    %.*s\n", (int)s.n, s.p);
                }
}

/* What leaves is durable, fits, and says nothing twice. */
static void check_sent(world *w, const odm_packet *pkt)
{
        device_sync(&w->dev);
        if (pkt->body.n > w->server_max)
                wrong(w, "the device sends %zu octets", pkt->body.n);
        if (watch_message(w, pkt->body) && w->delivered.body.n)
                watch_answer(w, &w->delivered, w->server_type, pkt);
        show_message(w, "device", pkt->body);
}

static int hear(world *w, const odm_packet *reply)
{
        if (reply->body.n > w->device_max)
                wrong(w, "the server sends %zu octets", reply->body.n);
        show_message(w, "server", reply->body);
        return odm_client_recv(w->client, reply, w->now, tell_time(w));
}

/* One message and what comes of it; false when the session is over. */
static bool exchange(world *w)
{
        odm_packet pkt, reply;
        int rc = 0;

        if (!serve_requests(w) || odm_client_send(w->client, &pkt) != 1)
                return false;
        check_sent(w, &pkt);
        w->now.ms += 10;
        switch (net_carry(w, &pkt, &reply)) {
        case HOST_SILENCE:
                tell(w, "nothing comes back");
                rc = tick(w);
                break;
        case HOST_NOT_FOUND:
                tell(w, "no such session");
                odm_client_fail(w->client);
                break;
        case HOST_REPLY: rc = hear(w, &reply); break;
        }
        if (rc < 0)
                wrong(w, "the client says %s", odm_err_name(rc));
        if (happens(w)) {
                fall(w);
                return false;
        }
        watch_step(w);
        return true;
}

static void finish(world *w)
{
        odm_outcome o = odm_client_outcome(w->client);

        w->n.finished += o == ODM_OUTCOME_DONE;
        if (w->faults == 0 && !w->settling && o != ODM_OUTCOME_DONE)
                wrong(w, "ended with %s: %s", odm_outcome_name(o), odm_client_diag(w->client));
        odm_client_free(w->client);
        w->client = NULL;
}

void agent_session(world *w)
{
        unsigned n = 0;

        w->n.sessions++;
        tell(w, "session");
        w->delivered = (odm_packet){0};
        w->client = new_client(w);
        queue_alerts(w);
        if (odm_client_start(w->client, w->now, tell_time(w)) < 0)
                wrong(w, "the session does not start");
        while (exchange(w))
                if (++n > 20000)
                        wrong(w, "a session without an end");
        if (w->client)
                finish(w);
        device_sync(&w->dev);
        watch_step(w);
        if (w->n.sessions % 4 == 0)
                watch_disk(w); /* the dear one */
}
