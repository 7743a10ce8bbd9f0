/* SPDX-License-Identifier: Apache-2.0 */
/* The device's host, and a network that loses, repeats and cuts messages, while either side
 * may fall over. */
#include "world.h"

enum fate { FATE_ANSWERED, FATE_SILENCE, FATE_DEVICE_DOWN };

void wrong(world *w, const char *fmt, ...)
{
        va_list ap;
        char text[400];

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        fail_msg("seed %llu, session %u: %s (again: sim --seed %llu --lives 1)",
                 (unsigned long long)w->seed, w->sessions, text, (unsigned long long)w->seed);
}

uint64_t roll(world *w, uint64_t n)
{
        return seeded_next(&w->dice) % n;
}

bool happens(world *w)
{
        return w->faults && roll(w, 1000) < w->faults;
}

/* ---- nonces ------------------------------------------------------------------------------ */

static bool issued_before(const world *w, odm_str nonce)
{
        for (unsigned i = 0; i < w->n_issued; i++)
                if (odm_str_eq(w->issued[i], nonce))
                        return true;
        return false;
}

/* A message that was not seen before must not issue a nonce that was. */
void host_saw_nonces(world *w, odm_str body)
{
        odm_limits lim;
        odm_arena a;
        odm_msg *m;

        odm_limits_init(&lim);
        odm_arena_init(&a, &heap, (size_t)16 << 20);
        if (odm_decode(odm_codec_guess(body), body, &lim, &a, &m) < 0) {
                wrong(w, "one of us does not speak SyncML");
        } else if (m->body && m->body->chal.next_nonce.n) {
                odm_str key =
                        odm_arena_fmt(&w->text, "%.*s/%.*s/%.*s", (int)m->hdr.session_id.n,
                                      m->hdr.session_id.p, (int)m->hdr.msg_id.n, m->hdr.msg_id.p,
                                      (int)m->body->chal.next_nonce.n, m->body->chal.next_nonce.p);
                odm_str nonce = odm_arena_copy(&w->text, m->body->chal.next_nonce);
                if (!issued_before(w, key)) {
                        if (issued_before(w, nonce))
                                wrong(w, "a nonce was issued twice");
                        w->issued[w->n_issued++ % ODM_COUNT(w->issued)] = key;
                        w->issued[w->n_issued++ % ODM_COUNT(w->issued)] = nonce;
                        if (w->n_issued >= ODM_COUNT(w->issued) - 2)
                                w->n_issued = 0;
                }
        }
        odm_arena_done(&a);
}

/* ---- the device ------------------------------------------------------------------------------ */

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

static void serve_requests(world *w)
{
        const odm_request *req;

        while (odm_client_next(w->client, &req) == 1) {
                odm_reply r = {.status = ODM_ST_OK};
                if (req->kind == ODM_REQ_ALERTED) {
                        w->alert_acked++;
                        continue;
                }
                int rc = odm_client_answer(w->client, req->id, &r, w->now,
                                           (odm_wall){++w->dev.wall});
                if (rc < 0) {
                        wrong(w, "an answer was refused: %s", odm_err_name(rc));
                        return;
                }
        }
}

static void device_down(world *w)
{
        w->crashes++;
        odm_client_free(w->client);
        w->client = NULL;
        if (device_crash(&w->dev, (size_t)roll(w, 4096)) < 0)
                wrong(w, "the device does not start again");
        world_check(w);
}

/* ---- the network
 * --------------------------------------------------------------------------------- */

static odm_str cut(world *w, odm_str s)
{
        return odm_str_to(s, (size_t)roll(w, s.n + 1));
}

/* Brings one message over; the reply's octets are in `back`. */
static enum fate carry(world *w, const odm_packet *pkt, odm_buf *back, odm_packet *reply)
{
        odm_packet in = *pkt, out;
        bool come;

        if (happens(w))
                return w->lost++, FATE_SILENCE;
        if (happens(w))
                in.body = cut(w, in.body);
        if (happens(w))
                host_crash(w);
        if (happens(w))
                host_reload(w);
        come = host_take(w, &in, &out);
        if (happens(w)) /* the same once more */
                come = host_take(w, &in, &out);
        if (happens(w)) {
                host_crash(w);
                come = false;
        }
        if (!come || happens(w))
                return w->lost++, FATE_SILENCE;
        odm_str body = happens(w) ? cut(w, out.body) : out.body;
        odm_buf_cut(back, 0);
        if (odm_buf_str(back, body) < 0 || odm_buf_str(back, out.mac) < 0)
                fail();
        *reply = (odm_packet){.body = {back->p, body.n},
                              .content_type = out.content_type,
                              .mac = out.mac.p ? (odm_str){back->p + body.n, out.mac.n}
                                               : ODM_ABSENT};
        if (happens(w))
                host_reload(w);
        return FATE_ANSWERED;
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
        if (w->verbose && body.n && body.p[0] == '<')
                print_message("# %s: %.*s\n", who, (int)(body.n < 4000 ? body.n : 4000), body.p);
        else if (w->verbose)
                print_message("# %s: %zu octets\n", who, body.n);
}

/* One message and what comes of it; false when the session is over. */
static bool exchange(world *w, odm_buf *back)
{
        odm_packet pkt, reply;
        int rc;

        serve_requests(w);
        if (happens(w)) {
                device_down(w);
                return false;
        }
        if (odm_client_send(w->client, &pkt) != 1)
                return false;
        device_sync(&w->dev);
        if (pkt.body.n > w->server_max)
                wrong(w, "the device sends %zu octets", pkt.body.n);
        host_saw_nonces(w, pkt.body);
        show_message(w, "device", pkt.body);
        w->now.ms += 10;
        switch (carry(w, &pkt, back, &reply)) {
        case FATE_SILENCE: rc = tick(w); break;
        case FATE_ANSWERED:
                if (reply.body.n > w->device_max)
                        wrong(w, "the server sends %zu octets", reply.body.n);
                show_message(w, "server", reply.body);
                rc = odm_client_recv(w->client, &reply, w->now, (odm_wall){++w->dev.wall});
                break;
        case FATE_DEVICE_DOWN:
        default: return false;
        }
        if (rc < 0)
                wrong(w, "the client says %s", odm_err_name(rc));
        if (happens(w)) {
                device_down(w);
                return false;
        }
        return true;
}

static void raise_alert(world *w)
{
        odm_alert a = {.id = ++w->alert_id,
                       .code = ODM_ALERT_GENERIC,
                       .source = ODM_STR("./Vendor/lab"),
                       .type = ODM_STR("com.example/event"),
                       .data = ODM_STR("1"),
                       .mark = ODM_STR("warning")};

        if (odm_client_alert(w->client, &a) < 0)
                wrong(w, "an alert was refused");
}

void sim_session(world *w)
{
        odm_buf back;
        unsigned n = 0;

        w->sessions++;
        w->alert_told = w->alert_acked = 0;
        odm_buf_init(&back, &heap, (size_t)4 << 20);
        w->client = new_client(w);
        if (roll(w, 3) == 0)
                raise_alert(w);
        if (odm_client_start(w->client, w->now, (odm_wall){++w->dev.wall}) < 0)
                wrong(w, "the session does not start");
        while (exchange(w, &back))
                if (++n > 20000)
                        wrong(w, "a session without an end");
        if (w->client) {
                odm_outcome o = odm_client_outcome(w->client);
                w->finished += o == ODM_OUTCOME_DONE;
                if (w->faults == 0 && o != ODM_OUTCOME_DONE)
                        wrong(w, "ended with %s: %s", odm_outcome_name(o),
                              odm_client_diag(w->client));
                if (w->alert_acked > w->alert_told)
                        wrong(w, "an alert was acknowledged that nobody was told");
        }
        odm_client_free(w->client);
        w->client = NULL;
        odm_buf_done(&back);
        device_sync(&w->dev);
        world_check(w);
}

/* ---- what must hold
 * ---------------------------------------------------------------------------------- */

static uint64_t read_number(world *w, const char *uri)
{
        char text[32];
        uint64_t v = 0;

        if (!device_read(&w->dev, uri, text, sizeof text) ||
            odm_str_u64(odm_cstr(text), UINT64_MAX, &v) < 0)
                wrong(w, "%s is gone or no number", uri);
        return v;
}

static void check_keys(world *w)
{
        char uri[64];

        for (unsigned k = 0; k < KEYS; k++) {
                (void)snprintf(uri, sizeof uri, "./Vendor/lab/Ext/k%u", k);
                uint64_t v = read_number(w, uri);
                if (!model_may(&w->keys[k], v))
                        wrong(w, "%s holds %llu, which is lost or was never written (sure: %llu)",
                              uri, (unsigned long long)v, (unsigned long long)w->keys[k].sure);
        }
        uint64_t a = read_number(w, "./Vendor/lab/Ext/a");
        uint64_t b = read_number(w, "./Vendor/lab/Ext/b");
        if ((a != b && !w->split_atomic) || !model_may(&w->pair, a) || !model_may(&w->pair, b))
                wrong(w, "an Atomic was done by half: %llu and %llu", (unsigned long long)a,
                      (unsigned long long)b);
}

/* A tree made of the disk alone is the same tree. */
static void check_disk(world *w)
{
        odm_buf now, again;

        odm_buf_init(&now, &heap, (size_t)64 << 20);
        odm_buf_init(&again, &heap, (size_t)64 << 20);
        if (device_state(&w->dev, &now) < 0 || device_crash(&w->dev, SIZE_MAX) < 0 ||
            device_state(&w->dev, &again) < 0)
                wrong(w, "the disk cannot be read");
        if (!odm_str_eq(odm_buf_view(&now), odm_buf_view(&again)))
                wrong(w, "the tree of the disk is another one");
        odm_buf_done(&now);
        odm_buf_done(&again);
}

void world_check(world *w)
{
        check_keys(w);
        for (size_t i = 0; i < w->dev.n_ran; i++)
                if (w->dev.ran[i] > 1)
                        wrong(w, "job %zu ran %u times", i, w->dev.ran[i]);
        if (w->client == NULL && w->sessions % 4 == 0)
                check_disk(w); /* the dear one */
}

void world_open(world *w, uint64_t seed)
{
        *w = (world){.seed = seed, .dice = {seed}};
        w->server_rng = seeded_rng(&w->rng, seed ^ 0x5eed);
        w->device_rng = w->server_rng;
        odm_arena_init(&w->text, &heap, (size_t)256 << 20);
        w->codec = &odm_codec_xml;
        w->type = w->server_type = ODM_AUTH_MD5;
        w->device_max = w->server_max = 65536;
        w->large = 20000;
}

void world_start(world *w)
{
        device_account a;

        device_account_init(&a);
        a.type = w->type == ODM_AUTH_NONE ? ODM_AUTH_MD5 : w->type;
        a.server_type = w->server_type == ODM_AUTH_NONE ? ODM_AUTH_MD5 : w->server_type;
        assert_int_equal(device_open(&w->dev, &heap, &a, "Add=*&Delete=*&Exec=*&Get=*&Replace=*"),
                         0);
        for (unsigned k = 0; k < KEYS + 2; k++) {
                char uri[64];
                odm_value v = {.format = ODM_FMT_CHR, .data = ODM_STR("0")};
                if (k < KEYS)
                        (void)snprintf(uri, sizeof uri, "./Vendor/lab/Ext/k%u", k);
                else
                        (void)snprintf(uri, sizeof uri, "./Vendor/lab/Ext/%c",
                                       'a' + (int)(k - KEYS));
                assert_int_equal(odm_tree_write(w->dev.tree, odm_cstr(uri), &v, (odm_wall){1}), 0);
        }
        device_sync(&w->dev);
}

void world_close(world *w)
{
        odm_client_free(w->client);
        odm_server_free(w->server);
        device_close(&w->dev);
        odm_arena_done(&w->text);
}
