/* SPDX-License-Identifier: Apache-2.0 */
/* A case, played: the test is the server; the client engine with a tree of its own is what
 * is tested.  Credentials are no part of it: the transport knows both sides. */
#include "play_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "raw.h"

#define EVERYTHING "Add=*&Delete=*&Exec=*&Get=*&Replace=*"

static int fill(void *ctx, void *q, size_t n)
{
        struct play *p = ctx;

        for (size_t i = 0; i < n; i++) {
                p->dice = p->dice * 6364136223846793005u + 1;
                ((uint8_t *)q)[i] = (uint8_t)(p->dice >> 33);
        }
        return 0;
}

static bool is(const line *l, const char *word)
{
        return odm_str_is(l->word, word);
}

/* ---- setting up ------------------------------------------------------------------ */

static void set_number(struct play *p, const line *l, const char *name, uint32_t *out)
{
        odm_str v = line_option(l, name);

        if (v.p)
                *out = (uint32_t)number(p, v);
}

static void set_short(struct play *p, const line *l, const char *name, uint16_t *out)
{
        uint32_t v = *out;

        set_number(p, l, name, &v);
        *out = (uint16_t)v;
}

static void set_size(struct play *p, const line *l, const char *name, size_t *out)
{
        odm_str v = line_option(l, name);

        if (v.p)
                *out = (size_t)number(p, v);
}

static void read_options(struct play *p, odm_tree_opt *t)
{
        odm_client_opt *o = &p->opt;

        for (const line *l = p->t.test->lines; l; l = l->next) {
                if (!is(l, "option"))
                        continue;
                p->t.at = l;
                o->has_copy = o->has_copy && !line_has(l, "no-copy");
                o->has_exec = o->has_exec && !line_has(l, "no-exec");
                o->has_atomic = o->has_atomic && !line_has(l, "no-atomic");
                o->has_tnds = o->has_tnds && !line_has(l, "no-tnds");
                o->has_list = o->has_list && !line_has(l, "no-list");
                o->has_ui = o->has_ui || line_has(l, "ui");
                o->server_known = o->server_known && !line_has(l, "check-server");
                o->secure = o->secure || line_has(l, "secure");
                o->allow_basic = o->allow_basic || line_has(l, "allow-basic");
                o->dm13 = o->dm13 || line_has(l, "dm13");
                o->allow_dm11 = o->allow_dm11 || line_has(l, "dm11");
                if (line_has(l, "triggered"))
                        o->alert = ODM_ALERT_SERVER_INITIATED;
                if (line_option(l, "session").p)
                        o->session_id = line_option(l, "session");
                t->creator_get = t->creator_get || line_has(l, "creator-get");
                set_number(p, l, "max-obj", &o->max_obj_size);
                set_number(p, l, "send-max", &o->send_max);
                set_short(p, l, "max-depth", &t->uri.max_depth);
                set_short(p, l, "max-total", &t->uri.max_tot_len);
                set_short(p, l, "max-segment", &t->uri.max_seg_len);
                set_number(p, l, "max-nodes", &t->max_nodes);
                set_size(p, l, "max-bytes", &t->max_bytes);
        }
}

static void set_account(struct play *p, device_account *a)
{
        for (const line *l = p->t.test->lines; l; l = l->next)
                if (is(l, "option") && line_has(l, "mac"))
                        a->type = a->server_type = ODM_AUTH_MAC;
}

static void set_up(struct play *p)
{
        device_account account;
        odm_tree_opt limits;

        odm_client_opt_init(&p->opt, &teller_mem);
        odm_tree_opt_init(&limits, &teller_mem);
        p->opt.rng = (odm_rng){fill, p};
        p->opt.codec = p->codec;
        p->opt.account = ODM_STR("./DMAcc/main");
        p->opt.alert = ODM_ALERT_CLIENT_INITIATED;
        p->opt.server_known = true;
        read_options(p, &limits);
        device_account_init(&account);
        set_account(p, &account);
        must(p, device_open_limited(&p->dev, &teller_mem, &account, EVERYTHING, &limits),
             "the device");
        p->out = (outside){.t = &p->t, .a = &p->a, .tree = p->dev.tree, .wall = &p->outside_time};
        p->outside_time.s = p->dev.wall + 1000;
}

/* ---- what the device itself does ------------------------------------------------------- */

static unsigned own_op(struct play *p, odm_op *op, odm_answer *out)
{
        *out = (odm_answer){.status = 0};
        must(p, odm_tree_do(p->dev.tree, op, (odm_wall){++p->dev.wall}, &p->a, out), "the tree");
        return out->status;
}

/* tree URI FORMAT[:TYPE] [DATA]: a node that is there. */
static void on_tree(struct play *p, const line *l)
{
        odm_meta m =
                l->n > 1 ? message_meta(l->arg[1].text, &p->a) : (odm_meta){.format = ODM_FMT_NODE};
        odm_op op = {.kind = ODM_CMD_ADD,
                     .target = arg(p, l, 0),
                     .value = {.format = m.format, .type = m.type}};
        odm_answer out;

        if (l->n > 2) {
                op.value.data = message_data(&l->arg[2], m.format, &p->a);
                op.has_value = true;
        }
        if (odm_tree_exists(p->dev.tree, op.target))
                op.kind = ODM_CMD_REPLACE;
        if (own_op(p, &op, &out) != 200)
                wrong(p, "the node could not be made: %u", out.status);
}

/* acl URI VALUE */
static void on_acl(struct play *p, const line *l)
{
        odm_op op = {.kind = ODM_CMD_REPLACE,
                     .target = odm_arena_join(&p->a, arg(p, l, 0), ODM_STR("?prop=ACL")),
                     .value = {.format = ODM_FMT_CHR, .data = arg(p, l, 1)},
                     .has_value = true};
        odm_answer out;

        if (own_op(p, &op, &out) != 200)
                wrong(p, "the ACL could not be set: %u", out.status);
}

/* ---- talking ------------------------------------------------------------------------------ */

/* What was told of a value so far: chunks are put together until one has no MoreData. */
static odm_str whole_of(struct play *p, const odm_item *it)
{
        odm_str part = it->data.bytes.p ? it->data.bytes : ODM_STR("");
        odm_str whole = p->whole.p ? odm_arena_join(&p->a, p->whole, part) : part;

        if (whole.p == NULL)
                wrong(p, "no memory");
        p->whole = it->more ? whole : ODM_ABSENT;
        return whole;
}

static void hear_one(struct play *p, const odm_command *c, const odm_item *it)
{
        struct ever *e = odm_new(&p->a, struct ever);

        if (p->n_heard == HEARD_MOST || e == NULL)
                wrong(p, "the client says too much");
        e->what = (struct heard){c, it, ODM_ABSENT};
        if (c->kind == ODM_CMD_RESULTS)
                e->what.value = whole_of(p, it);
        e->next = p->ever;
        p->ever = e;
        p->heard[p->n_heard++] = e->what;
}

static void hear(struct play *p, const odm_command *c)
{
        const odm_item *it = c->items;
        bool hdr = c->kind == ODM_CMD_STATUS && odm_str_is(c->cmd_ref, "0");

        if ((hdr && odm_status_ok(c->code)) || (c->kind == ODM_CMD_REPLACE && !p->first))
                return;
        do {
                hear_one(p, c, it);
                bool each = c->kind == ODM_CMD_RESULTS || c->kind == ODM_CMD_REPLACE;
                it = it && each ? it->next : NULL;
        } while (it);
}

static const line *next_user(struct play *p)
{
        const line *l = p->user ? p->user : p->t.test->lines;

        while (l && !is(l, "user"))
                l = l->next;
        if (l == NULL)
                wrong(p, "the user is asked, and no line tells what he says");
        p->user = l->next;
        return l;
}

/* [preset=] [choices=N] [input=] [echo=] [min=] [max=] [longest=]: what he is shown, and how */
static void want_question(struct play *p, const line *l, const odm_request *req)
{
        const struct {
                const char *name;
                uint64_t got;
        } numbers[] = {{"min", req->min_s}, {"max", req->max_s}, {"longest", req->max_len}};
        odm_str preset = line_option(l, "preset"), choices = line_option(l, "choices");
        odm_str input = line_option(l, "input"), echo = line_option(l, "echo");
        odm_str text = line_option(l, "text"), v;
        unsigned n = 0;

        if (text.p && !odm_str_eq(text, req->text))
                wrong(p, "the user reads '%.*s'", (int)req->text.n, req->text.p ? req->text.p : "");
        if (preset.p && !odm_str_eq(preset, req->preset))
                wrong(p, "the preset is '%.*s'", (int)req->preset.n,
                      req->preset.p ? req->preset.p : "");
        if (input.p && (input.n != 1 || *input.p != req->input))
                wrong(p, "the input is of kind %c", req->input ? req->input : '?');
        if (echo.p && (echo.n != 1 || *echo.p != req->echo))
                wrong(p, "the echo is of kind %c", req->echo ? req->echo : '?');
        for (size_t i = 0; i < ODM_COUNT(numbers); i++)
                if ((v = line_option(l, numbers[i].name)).p && number(p, v) != numbers[i].got)
                        wrong(p, "%s is %u", numbers[i].name, (unsigned)numbers[i].got);
        for (const odm_item *it = req->choices; it; it = it->next)
                n++;
        if (choices.p && number(p, choices) != n)
                wrong(p, "%u choices are offered", n);
}

/* user CODE STATUS [texts] [what he must be shown] */
static void ask_user(struct play *p, const odm_request *req, odm_reply *r)
{
        const line *l = next_user(p);
        odm_str *items = odm_arena_get(&p->a, (l->n + 1) * sizeof *items);

        if (items == NULL || number(p, arg(p, l, 0)) != req->alert)
                wrong(p, "the user is asked %u", req->alert);
        want_question(p, l, req);
        r->status = (unsigned)number(p, arg(p, l, 1));
        r->items = items;
        for (unsigned i = 2; i < l->n; i++)
                if (l->arg[i].quoted)
                        items[r->n_items++] = l->arg[i].text;
}

static void serve_requests(struct play *p)
{
        const odm_request *req;

        while (odm_client_next(p->client, &req) == 1) {
                odm_reply r = {.status = 200};
                if (req->kind == ODM_REQ_ALERTED) {
                        p->told = req->status;
                        continue;
                }
                if (req->kind == ODM_REQ_USER)
                        ask_user(p, req, &r);
                must(p,
                     odm_client_answer(p->client, req->id, &r, p->now, (odm_wall){++p->dev.wall}),
                     "the answer");
        }
}

/* The first command of an answer is the Status for the server's SyncHdr, and no other one is. */
static void check_order(struct play *p)
{
        const odm_command *c = p->reply->body;

        if (c == NULL || c->kind != ODM_CMD_STATUS || !odm_str_is(c->cmd_ref, "0"))
                wrong(p, "the answer does not begin with the Status for the SyncHdr");
        if (odm_ref_number(c->msg_ref) != p->msg_id)
                wrong(p, "the Status for the SyncHdr is that of message %.*s", (int)c->msg_ref.n,
                      c->msg_ref.p ? c->msg_ref.p : "");
        while ((c = c->next) != NULL)
                if (c->kind == ODM_CMD_STATUS && odm_str_is(c->cmd_ref, "0"))
                        wrong(p, "the Status for the SyncHdr comes twice");
}

static void listen(struct play *p)
{
        odm_packet pkt;
        odm_limits lim;

        serve_requests(p);
        p->n_heard = p->next = 0;
        p->reply = NULL;
        p->reply_n = 0;
        if (odm_client_send(p->client, &pkt) != 1)
                return;
        odm_limits_init(&lim);
        odm_str body = odm_arena_copy(&p->a, pkt.body);
        p->reply_n = pkt.body.n;
        p->url = odm_arena_copy(&p->a, pkt.url);
        p->mac = odm_arena_copy(&p->a, pkt.mac);
        p->body = body;
        must(p, odm_decode(p->codec, body, &lim, &p->a, &p->reply), "the client's message");
        if (!odm_codec_is_binary(p->codec))
                teller_order(&p->t, body);
        for (const odm_command *c = p->reply->body; c; c = c->next)
                hear(p, c);
}

/* alert CODE TYPE DATA [mark=] [correlator=] [source=]: an event of the device */
static void raise_alert(struct play *p, const line *l)
{
        odm_alert a = {.id = 1,
                       .code = (unsigned)number(p, arg(p, l, 0)),
                       .type = arg(p, l, 1),
                       .data = arg(p, l, 2),
                       .mark = line_option(l, "mark"),
                       .correlator = line_option(l, "correlator"),
                       .source = line_option(l, "source")};

        must(p, odm_client_alert(p->client, &a), "the alert");
}

/* done TYPE DATA: the device's long job is over; it kept the Correlator of its Exec */
static void raise_done(struct play *p)
{
        odm_alert a = {.id = 2,
                       .code = ODM_ALERT_GENERIC,
                       .type = arg(p, p->done, 0),
                       .data = arg(p, p->done, 1),
                       .source = odm_cstr(p->dev.job_uri),
                       .correlator = odm_cstr(p->dev.job_correlator)};

        p->done = NULL;
        must(p, odm_client_alert(p->client, &a), "the alert");
}

static void on_done(struct play *p, const line *l)
{
        play_finish_wants(p);
        p->done = l;
        if (p->client)
                raise_done(p);
}

static void start_session(struct play *p)
{
        outside_call(&p->out, &p->a, &p->opt);
        must(p, odm_client_new(&p->opt, p->dev.tree, &p->client), "the client");
        for (const line *l = p->t.test->lines; l && l != p->t.at; l = l->next)
                if (is(l, "alert"))
                        raise_alert(p, l);
        if (p->done)
                raise_done(p);
        must(p, odm_client_start(p->client, p->now, (odm_wall){++p->dev.wall}), "the start");
        p->first = true;
        listen(p);
        p->first = false;
        if (p->reply == NULL)
                wrong(p, "no package 1");
        p->msg_id = 0;
}

static odm_command *status_for(struct play *p, const odm_command *of, unsigned n)
{
        odm_command *st = odm_new(&p->a, odm_command);

        if (st == NULL)
                wrong(p, "no memory");
        st->kind = ODM_CMD_STATUS;
        st->cmd_id = odm_arena_fmt(&p->a, "s%u", n);
        st->msg_ref = p->reply->hdr.msg_id;
        st->cmd_ref = of ? of->cmd_id : ODM_STR("0");
        st->cmd = of ? odm_cstr(odm_cmd_name(of->kind)) : ODM_STR("SyncHdr");
        st->code = of == NULL                           ? p->hdr_code
                   : of->code >= ODM_ALERT_CLIENT_EVENT ? p->alerts_code
                                                        : 200;
        if (of == NULL)
                st->chal = p->chal;
        return st;
}

/* The Statuses that a server owes the client's last message, before what it says itself. */
static void add_statuses(struct play *p)
{
        odm_command *list = status_for(p, NULL, 0), **end = &list->next;
        unsigned n = 1;

        for (const odm_command *c = p->reply->body; c; c = c->next)
                if (c->kind != ODM_CMD_STATUS && c->kind != ODM_CMD_RESULTS) {
                        *end = status_for(p, c, n++);
                        end = &(*end)->next;
                }
        *end = p->say.body;
        p->say.body = list;
}

static void set_header(struct play *p)
{
        odm_hdr *h = &p->say.hdr;

        if (h->ver_dtd.p == NULL)
                h->ver_dtd = ODM_STR("1.2");
        if (h->ver_proto.p == NULL)
                h->ver_proto = p->reply->hdr.ver_proto;
        h->session_id = p->reply->hdr.session_id;
        h->msg_id = odm_arena_fmt(&p->a, "%u", ++p->msg_id);
        h->target = p->reply->hdr.source;
        h->source = p->reply->hdr.target;
}

/* The header for `body` by one side's secret and a nonce in base64. */
odm_str play_mac(struct play *p, const char *user, const char *password, odm_str nonce_b64,
                 odm_str body)
{
        odm_prover prover = {
                .type = ODM_AUTH_MAC, .user = odm_cstr(user), .password = odm_cstr(password)};
        odm_buf b;

        if (nonce_b64.n)
                must(p, odm_nonce_parse(nonce_b64, &prover.nonce), "the nonce");
        odm_buf_init(&b, &teller_mem, 1024);
        int rc = odm_prover_mac(&prover, body, &b);
        odm_str mac = odm_arena_copy(&p->a, odm_buf_view(&b));
        odm_buf_done(&b);
        must(p, rc, "the MAC");
        return mac;
}

static odm_str server_mac(struct play *p, odm_str body)
{
        if (p->say_mac.p == NULL)
                return ODM_ABSENT;
        if (odm_str_is(p->say_mac, "wrong"))
                return play_mac(p, "srv", "guess", ODM_ABSENT, body);
        return play_mac(p, "srv", "spw", p->say_mac, body);
}

static void hand_over(struct play *p, const odm_packet *in)
{
        must(p, odm_client_recv(p->client, in, p->now, (odm_wall){++p->dev.wall}), "recv");
        p->first = p->hdr_code >= 400; /* then package 1 is said again */
        listen(p);
        p->first = false;
        if (p->reply)
                check_order(p);
}

/* A server may count as it likes; its number is looked for where the case writes one. */
static void learn_number(struct play *p)
{
        const char *at = memmem(p->raw.p, p->raw.n, "<MsgID>", 7);

        if (at && at[7] >= '0' && at[7] <= '9')
                p->msg_id = (uint32_t)strtoul(at + 7, NULL, 10);
        else
                p->msg_id++;
}

/* The message as it is written out; the runner knows the numbers and names. */
static void send_raw(struct play *p)
{
        const odm_hdr *h = &p->reply->hdr;

        learn_number(p);
        const raw_word words[] = {
                {"SESSION", h->session_id}, {"MSG", odm_arena_fmt(&p->a, "%u", p->msg_id)},
                {"PEER", h->msg_id},        {"DEVICE", h->source},
                {"SERVER", h->target},
        };
        odm_packet in = {.content_type = odm_cstr(odm_codec_mime(p->codec))};
        const char *why = NULL;

        in.body = raw_message(p->raw, p->codec, words, ODM_COUNT(words), &p->a, &why);
        if (in.body.p == NULL)
                wrong(p, "%s", why ? why : "no memory");
        p->raw = ODM_ABSENT;
        odm_buf_cut(&p->state, 0);
        must(p, device_state(&p->dev, &p->state), "the state");
        hand_over(p, &in);
}

void play_send(struct play *p)
{
        odm_buf out;
        odm_packet in = {.content_type = odm_cstr(odm_codec_mime(p->codec))};

        p->saying = false;
        if (p->raw.p) {
                send_raw(p);
                return;
        }
        if (p->say_type.p)
                in.content_type = p->say_type;
        p->say_type = ODM_ABSENT;
        add_statuses(p);
        set_header(p);
        p->say.final = !p->open;
        p->say.has_body = true;
        must(p, odm_msg_convert(&p->say, p->codec, &p->a), "the conversion");
        odm_buf_cut(&p->state, 0);
        must(p, device_state(&p->dev, &p->state), "the state");
        odm_buf_init(&out, &teller_mem, MEMORY);
        int rc = odm_encode(p->codec, &p->say, &out);
        in.body = odm_arena_copy(&p->a, odm_buf_view(&out));
        odm_buf_done(&out);
        must(p, rc, "the server's message");
        in.mac = server_mac(p, in.body);
        hand_over(p, &in);
}

odm_str play_digest(struct play *p, const char *user, const char *password, odm_str nonce_b64)
{
        odm_secret secret;
        odm_nonce nonce = {.n = 0};
        char text[ODM_SECRET_LEN];

        if (nonce_b64.n)
                must(p, odm_nonce_parse(nonce_b64, &nonce), "the nonce");
        odm_secret_of(odm_cstr(user), odm_cstr(password), &secret);
        odm_auth_md5(&secret, &nonce, text);
        return odm_arena_copy(&p->a, (odm_str){text, sizeof text});
}

/* What a recv line says of the header; false when it says nothing of it. */
static bool set_in_header(struct play *p, const line *l)
{
        odm_hdr *h = &p->say.hdr;
        odm_str max_msg = line_option(l, "max-msg"), max_obj = line_option(l, "max-obj");
        odm_str resp = line_option(l, "resp-uri"), proto = line_option(l, "proto");
        odm_str dtd = line_option(l, "dtd"), status = line_option(l, "hdr");
        odm_str chal = line_option(l, "chal"), cred = line_option(l, "cred");
        odm_str mac = line_option(l, "mac"), alerts = line_option(l, "alerts");
        odm_str content = line_option(l, "content-type");

        if (content.p)
                p->say_type = content;
        if (alerts.p)
                p->alerts_code = (unsigned)number(p, alerts);
        if (max_msg.p || max_obj.p)
                h->meta = (odm_meta){.present = true,
                                     .has_max_msg = max_msg.p,
                                     .has_max_obj = max_obj.p,
                                     .max_msg = max_msg.p ? number(p, max_msg) : 0,
                                     .max_obj = max_obj.p ? number(p, max_obj) : 0};
        if (resp.p)
                h->resp_uri = resp;
        if (proto.p)
                h->ver_proto = proto;
        if (dtd.p)
                h->ver_dtd = dtd;
        if (mac.p) {
                h->source_name = ODM_STR("srv");
                p->say_mac = mac;
        }
        if (status.p)
                p->hdr_code = (unsigned)number(p, status);
        if (chal.p)
                p->chal = message_challenge(chal);
        if (cred.p) { /* the nonce, or "wrong" */
                h->source_name = ODM_STR("srv");
                h->cred.present = true;
                h->cred.meta = message_challenge(ODM_STR("md5"));
                h->cred.data = odm_str_is(cred, "wrong")
                                       ? play_digest(p, "srv", "guess", ODM_ABSENT)
                                       : play_digest(p, "srv", "spw", cred);
        }
        return max_msg.p || max_obj.p || resp.p || proto.p || dtd.p || status.p || chal.p ||
               cred.p || mac.p || alerts.p || content.p;
}

static void begin_message(struct play *p)
{
        if (p->client == NULL)
                start_session(p);
        if (p->saying)
                return;
        if (p->reply == NULL)
                wrong(p, "the client has said no more");
        p->say = (odm_msg){.body = NULL};
        p->saying = true;
        p->open = false;
        p->raw = ODM_ABSENT;
        p->hdr_code = 212;
        p->alerts_code = 200;
        p->chal = (odm_meta){.present = false};
        p->say_mac = ODM_ABSENT;
}

/* raw TEXT: the server's whole message, written out on one line or several */
static void on_raw(struct play *p, const line *l)
{
        begin_message(p);
        if (p->raw.p == NULL)
                p->raw = ODM_STR("");
        p->raw = odm_arena_join(&p->a, p->raw, arg(p, l, 0));
        if (p->raw.p == NULL)
                wrong(p, "no memory");
}

/* recv ID COMMAND ...; "recv open": no Final; "recv max-msg=N" and its like: in the header */
static void on_recv(struct play *p, const line *l)
{
        const char *bad;

        begin_message(p);
        if (l->n > 0 && odm_str_has(l->arg[0].text, '=') && set_in_header(p, l))
                return;
        if (l->n == 1 && line_has(l, "open")) {
                p->open = true;
                return;
        }
        if (l->n == 1 && line_has(l, "nothing"))
                return;
        bad = message_add(&p->say, l, &p->a);
        if (bad)
                wrong(p, "%s", bad);
}

/* after tree unchanged; after URI absent; after URI VALUE */
static void on_after(struct play *p, const line *l)
{
        odm_op op = {.kind = ODM_CMD_GET, .target = arg(p, l, 0)};
        odm_answer out;

        play_finish_wants(p);
        if (odm_str_is(op.target, "tree")) {
                odm_buf now;
                odm_buf_init(&now, &teller_mem, MEMORY);
                int rc = device_state(&p->dev, &now);
                bool same = odm_str_eq(odm_buf_view(&now), odm_buf_view(&p->state));
                odm_buf_done(&now);
                must(p, rc, "the state");
                if (!same)
                        wrong(p, "the tree changed");
                return;
        }
        if (l->n > 1 && !l->arg[1].quoted && odm_str_is(l->arg[1].text, "absent")) {
                if (own_op(p, &op, &out) != 404)
                        wrong(p, "it is there (%u)", out.status);
                return;
        }
        if (own_op(p, &op, &out) != 200 || out.results == NULL)
                wrong(p, "it cannot be read: %u", out.status);
        odm_str got = out.results->value.data;
        if (!odm_str_eq(got, message_data(&l->arg[1], out.results->value.format, &p->a)))
                wrong(p, "it is '%.*s'", (int)(got.n < 80 ? got.n : 80), got.p ? got.p : "");
}

/* server ID: from here on another server manages the device */
static void on_server(struct play *p, const line *l)
{
        odm_value v = {.format = ODM_FMT_CHR, .data = arg(p, l, 0)};

        play_finish_wants(p);
        odm_client_free(p->client);
        p->client = NULL;
        p->n_heard = p->next = 0;
        must(p,
             odm_tree_write(p->dev.tree, ODM_STR("./DMAcc/main/ServerID"), &v,
                            (odm_wall){++p->dev.wall}),
             "the account");
}

/* account URI: whose session is next */
static void on_account(struct play *p, const line *l)
{
        play_finish_wants(p);
        odm_client_free(p->client);
        p->client = NULL;
        p->n_heard = p->next = 0;
        p->opt.account = arg(p, l, 0);
}

/* pull at-most=N: the server asks for the next message (1222) until the client has said all */
static void on_pull(struct play *p, const line *l)
{
        unsigned most = HEARD_MOST;

        play_finish_wants(p);
        while (p->reply && !p->reply->final) {
                if (most-- == 0)
                        wrong(p, "there is no end to it");
                begin_message(p);
                p->open = true;
                odm_command *c = odm_new(&p->a, odm_command);
                if (c == NULL)
                        wrong(p, "no memory");
                *c = (odm_command){.kind = ODM_CMD_ALERT, .code = 1222, .cmd_id = ODM_STR("p")};
                p->say.body = c;
                play_send(p);
                if (p->reply_n > number(p, line_option(l, "at-most")))
                        wrong(p, "a message has %zu octets", p->reply_n);
                p->next = p->n_heard;
        }
        if (p->reply == NULL)
                wrong(p, "the client says nothing (%s)", odm_client_diag(p->client));
}

/* abort: the user wants to stop */
static void on_abort(struct play *p)
{
        play_finish_wants(p);
        must(p, odm_client_abort(p->client), "the abort");
}

/* outcome NAME: how the session ended */
static void on_outcome(struct play *p, const line *l)
{
        const char *name;

        play_finish_wants(p);
        name = odm_outcome_name(odm_client_outcome(p->client));
        if (!odm_str_is(arg(p, l, 0), name))
                wrong(p, "it is %s", name);
}

static void play_line(struct play *p, const line *l)
{
        if (is(l, "covers") || is(l, "option") || is(l, "user") || is(l, "alert"))
                return;
        if (is(l, "tree"))
                on_tree(p, l);
        else if (is(l, "acl"))
                on_acl(p, l);
        else if (is(l, "recv")) {
                if (!p->saying)
                        play_finish_wants(p);
                on_recv(p, l);
        } else if (is(l, "raw")) {
                if (!p->saying)
                        play_finish_wants(p);
                on_raw(p, l);
        } else if (is(l, "want"))
                play_want(p, l);
        else if (is(l, "after"))
                on_after(p, l);
        else if (is(l, "server"))
                on_server(p, l);
        else if (is(l, "account"))
                on_account(p, l);
        else if (is(l, "start"))
                start_session(p);
        else if (is(l, "done"))
                on_done(p, l);
        else if (is(l, "pull"))
                on_pull(p, l);
        else if (is(l, "abort"))
                on_abort(p);
        else if (is(l, "outcome"))
                on_outcome(p, l);
        else if (!outside_play(&p->out, l))
                wrong(p, "a word that is not understood");
}

static void play_lines(struct play *p)
{
        set_up(p);
        for (const line *l = p->t.test->lines; l; l = l->next) {
                p->t.at = l;
                play_line(p, l);
        }
        play_finish_wants(p);
}

bool play_client(const test_case *c, const odm_codec *codec, char *why, size_t n)
{
        struct play *p = calloc(1, sizeof *p);
        volatile bool ok = false;

        if (p == NULL)
                return false;
        p->t.test = c;
        p->codec = codec;
        p->t.why = why;
        p->t.why_n = n;
        p->dice = 1;
        odm_arena_init(&p->a, &teller_mem, MEMORY);
        odm_buf_init(&p->state, &teller_mem, MEMORY);
        if (setjmp(p->t.out) == 0) {
                play_lines(p);
                ok = true;
        }
        odm_client_free(p->client);
        device_close(&p->dev);
        odm_buf_done(&p->state);
        odm_arena_done(&p->a);
        free(p);
        return ok;
}
