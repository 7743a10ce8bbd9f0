/* SPDX-License-Identifier: Apache-2.0 */
/* A case of the server's side, played: the test is the device, and the host that gives jobs and
 * hears events. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "odm/server.h"
#include "play.h"
#include "raw.h"
#include "teller.h"

#define MEMORY ((size_t)64 << 20)
#define JOBS 8
#define EVENTS 256
#define SAID 512

#define wrong(p, ...) teller_wrong(&(p)->t, __VA_ARGS__)
#define must(p, rc, what) teller_must(&(p)->t, (rc), (what))
#define arg(p, l, i) teller_arg(&(p)->t, (l), (i))
#define number(p, s) teller_number(&(p)->t, (s))

struct play {
        teller t;
        const odm_codec *codec;
        odm_server_opt opt;
        odm_server *s;
        odm_arena a;
        uint64_t dice;

        /* the device */
        odm_msg say;
        bool saying, open;
        odm_str raw; /* the message as the case writes it; absent: made of `say` */
        uint32_t msg_id;
        odm_str cred, password, user, session, proto, dtd;
        odm_nonce nonce;
        uint64_t max_msg, max_obj;
        odm_str body, mac; /* as sent */
        bool sha256;

        /* the host */
        odm_msg jobs[JOBS]; /* their commands */
        bool alone[JOBS], split[JOBS];
        unsigned n_jobs, next_job;
        unsigned alert_status;
        odm_str event[EVENTS];
        unsigned n_events, next_event;

        /* what the server said */
        odm_msg *reply;
        odm_str reply_body, reply_mac;
        bool same; /* as the time before */
        const odm_command *said[SAID];
        unsigned n_said, next;
        odm_str whole;  /* of a value that comes in chunks, what came before */
        odm_str nonces; /* those of the server's challenges, each with a blank behind */
};

static bool is(const line *l, const char *word)
{
        return odm_str_is(l->word, word);
}

static int fill(void *ctx, void *q, size_t n)
{
        struct play *p = ctx;

        for (size_t i = 0; i < n; i++) {
                p->dice = p->dice * 6364136223846793005u + 1;
                ((uint8_t *)q)[i] = (uint8_t)(p->dice >> 33);
        }
        return 0;
}

/* ---- setting up -------------------------------------------------------------------- */

static odm_auth_type auth_of(odm_str word)
{
        return odm_str_is(word, "none")    ? ODM_AUTH_NONE
               : odm_str_is(word, "basic") ? ODM_AUTH_BASIC
               : odm_str_is(word, "mac")   ? ODM_AUTH_MAC
                                           : ODM_AUTH_MD5;
}

static void set_up(struct play *p)
{
        odm_server_opt *o = &p->opt;

        odm_server_opt_init(o, &teller_mem);
        o->rng = (odm_rng){fill, p};
        o->server_uri = ODM_STR("http://dm/s");
        o->peer.known = true;
        o->peer.user = ODM_STR("dev");
        o->peer.password = ODM_STR("pw");
        o->peer.server_user = ODM_STR("srv");
        o->peer.server_password = ODM_STR("spw");
        p->session = ODM_STR("A1");
        p->cred = ODM_STR("md5");
        p->password = ODM_STR("pw");
        p->user = ODM_STR("dev");
        p->proto = ODM_STR("DM/1.2");
        p->dtd = ODM_STR("1.2");
        p->alert_status = 200;
        p->msg_id = 1;
}

static void on_option(struct play *p, const line *l)
{
        odm_server_opt *o = &p->opt;
        odm_str auth = line_option(l, "auth"), show = line_option(l, "show");
        odm_str most = line_option(l, "max-in"), resp = line_option(l, "resp-uri");

        o->every_message = o->every_message || line_has(l, "every-message");
        o->transport_auth = o->transport_auth || line_has(l, "transport");
        o->peer.known = o->peer.known && !line_has(l, "unknown");
        o->peer.accept_basic = line_has(l, "accept-basic");
        o->peer.default_nonce = line_has(l, "default-nonce");
        o->peer.allow_dm11 = line_has(l, "dm11");
        if (line_has(l, "any-user"))
                o->peer.user = ODM_ABSENT;
        if (auth.p)
                o->peer.type = auth_of(auth);
        if (show.p)
                o->peer.server_type = auth_of(show);
        if (most.p)
                o->max_in_message = (uint32_t)number(p, most);
        if (resp.p)
                o->resp_uri = resp;
        if (p->s == NULL)
                must(p, odm_server_new(o, &p->s), "the session");
        odm_server_set_large_objects(p->s, !line_has(l, "no-large"));
}

/* device NAME=VALUE ...: how it speaks from here on */
static void on_device(struct play *p, const line *l)
{
        struct {
                const char *name;
                odm_str *to;
        } texts[] = {{"cred", &p->cred},   {"password", &p->password}, {"user", &p->user},
                     {"proto", &p->proto}, {"dtd", &p->dtd},           {"session", &p->session}};
        odm_str v;

        for (size_t i = 0; i < ODM_COUNT(texts); i++)
                if ((v = line_option(l, texts[i].name)).p)
                        *texts[i].to = v;
        p->sha256 = p->sha256 || line_has(l, "sha256");
        if ((v = line_option(l, "max-msg")).p)
                p->max_msg = number(p, v);
        if ((v = line_option(l, "max-obj")).p)
                p->max_obj = number(p, v);
        if ((v = line_option(l, "msg-id")).p)
                p->msg_id = (uint32_t)number(p, v);
        if ((v = line_option(l, "alert-status")).p)
                p->alert_status = (unsigned)number(p, v);
        if ((v = line_option(l, "nonce")).p)
                must(p, odm_nonce_parse(v, &p->nonce), "the nonce");
}

/* job [alone] [split]: a new one; job ID COMMAND ...: a command of it */
static void on_job(struct play *p, const line *l)
{
        const char *bad;

        if (l->n == 0 || line_has(l, "alone") || line_has(l, "split")) {
                if (p->n_jobs == JOBS)
                        wrong(p, "too many jobs");
                p->alone[p->n_jobs] = line_has(l, "alone");
                p->split[p->n_jobs++] = line_has(l, "split");
                return;
        }
        if (p->n_jobs == 0)
                wrong(p, "a command of no job");
        bad = message_add(&p->jobs[p->n_jobs - 1], l, &p->a);
        if (bad)
                wrong(p, "%s", bad);
}

/* ---- the host -------------------------------------------------------------------------- */

static void note(struct play *p, const char *fmt, ...) ODM_PRINTF(2, 3);
static void note(struct play *p, const char *fmt, ...)
{
        char text[512];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        if (p->n_events == EVENTS)
                wrong(p, "too many events");
        p->event[p->n_events++] = odm_arena_copy(&p->a, odm_cstr(text));
}

static void clear_ids(odm_command *c)
{
        for (; c; c = c->next) {
                c->cmd_id = ODM_ABSENT;
                clear_ids(c->body);
        }
}

static void give_work(struct play *p)
{
        odm_job job = {.id = p->next_job + 1};

        if (p->next_job == p->n_jobs) {
                must(p, odm_server_work(p->s, NULL), "work");
                return;
        }
        clear_ids(p->jobs[p->next_job].body);
        job.commands = p->jobs[p->next_job].body;
        job.alone = p->alone[p->next_job];
        job.split_atomic = p->split[p->next_job++];
        int rc = odm_server_work(p->s, &job);
        if (rc == ODM_EINVAL)
                note(p, "refused %u", (unsigned)job.id);
        else
                must(p, rc, "work");
}

/* The document as NAME(NAME=VALUE NAME(..)), as it was understood. */
static void outline(struct play *p, const odm_doc_node *n, odm_buf *out)
{
        for (const odm_doc_node *first = n; n; n = n->next) {
                must(p, odm_buf_str(out, n == first ? ODM_STR("") : ODM_STR(" ")), "memory");
                must(p, odm_buf_str(out, n->name), "memory");
                if (n->children == NULL) {
                        must(p, odm_buf_str(out, ODM_STR("=")), "memory");
                        must(p, odm_buf_str(out, n->value.bytes), "memory");
                        continue;
                }
                must(p, odm_buf_str(out, ODM_STR("(")), "memory");
                outline(p, n->children, out);
                must(p, odm_buf_str(out, ODM_STR(")")), "memory");
        }
}

/* Data as it is; of a document, what it says. */
static odm_str data_of(struct play *p, const odm_item *it)
{
        odm_limits lim;
        odm_doc *doc;
        odm_buf b;

        if (!odm_str_starts(it->meta.type, "application/vnd.syncml.dmtnds"))
                return it->data.bytes;
        odm_limits_init(&lim);
        must(p, odm_doc_decode(it->data.bytes, &lim, &p->a, &doc), "the document");
        odm_buf_init(&b, &teller_mem, MEMORY);
        outline(p, doc->nodes, &b);
        odm_str text = odm_arena_copy(&p->a, odm_buf_view(&b));
        odm_buf_done(&b);
        return text;
}

static void note_result(struct play *p, const odm_event *ev)
{
        char text[400];
        int n = snprintf(text, sizeof text, "result %u/%u %u%s", (unsigned)ev->job, ev->command,
                         ev->status, ev->sent ? "" : " unsent");

        for (const odm_item *it = ev->results; it && n > 0 && n < 300; it = it->next) {
                odm_str data = data_of(p, it);
                n += snprintf(text + n, sizeof text - (size_t)n, " %.*s=%.*s", (int)it->source.n,
                              it->source.p ? it->source.p : "", (int)(data.n < 60 ? data.n : 60),
                              data.p ? data.p : "");
        }
        note(p, "%s", text);
}

static void hear(struct play *p, const odm_event *ev)
{
        const odm_item *it = ev->item;
        odm_str data;

        switch (ev->kind) {
        case ODM_EV_WORK: give_work(p); break;
        case ODM_EV_AUTHENTICATED: note(p, "auth"); break;
        case ODM_EV_AUTH_FAILED: note(p, "failed"); break;
        case ODM_EV_NONCES:
                note(p, "nonces%s%s", ev->client_nonce ? " client" : "",
                     ev->server_nonce ? " server" : "");
                break;
        case ODM_EV_DEVINFO:
                note(p, "devinfo %.*s %.*s", (int)ev->uri.n, ev->uri.p, (int)ev->value.data.n,
                     ev->value.data.p ? ev->value.data.p : "");
                break;
        case ODM_EV_SESSION_ALERT: note(p, "session %u", ev->code); break;
        case ODM_EV_ALERT:
                data = data_of(p, it);
                note(p, "alert %u %.*s %.*s%s%.*s", ev->alert->code, (int)it->meta.type.n,
                     it->meta.type.p ? it->meta.type.p : "", (int)data.n, data.p ? data.p : "",
                     ev->alert->correlator.n ? " of " : "", (int)ev->alert->correlator.n,
                     ev->alert->correlator.p ? ev->alert->correlator.p : "");
                odm_server_alert_status(p->s, p->alert_status);
                break;
        case ODM_EV_RESULT: note_result(p, ev); break;
        case ODM_EV_JOB_DONE: note(p, "done %u", (unsigned)ev->job); break;
        case ODM_EV_END: note(p, "end %d", (int)ev->outcome); break;
        }
}

/* ---- the device -------------------------------------------------------------------------- */

static odm_str digest_of(struct play *p)
{
        odm_secret secret;
        char digest[ODM_SECRET_LEN];

        odm_secret_of(p->user, p->password, &secret);
        odm_auth_md5(&secret, &p->nonce, digest);
        return odm_arena_copy(&p->a, (odm_str){digest, sizeof digest});
}

static void show_cred(struct play *p)
{
        odm_hdr *h = &p->say.hdr;

        if (odm_str_is(p->cred, "none") || odm_str_is(p->cred, "mac"))
                return;
        h->cred.present = true;
        h->cred.meta = (odm_meta){.present = true,
                                  .format = ODM_FMT_B64,
                                  .type = odm_cstr(odm_auth_name(auth_of(p->cred)))};
        if (odm_str_is(p->cred, "basic")) {
                h->cred.data = odm_auth_basic(&p->a, p->user, p->password);
                return;
        }
        h->cred.data = digest_of(p);
}

static void set_header(struct play *p)
{
        odm_hdr *h = &p->say.hdr;

        h->ver_dtd = p->dtd;
        h->ver_proto = p->proto;
        h->session_id = p->session;
        h->msg_id = odm_arena_fmt(&p->a, "%u", p->msg_id++);
        h->target = ODM_STR("http://dm/s");
        h->source = ODM_STR("IMEI:1");
        h->source_name = p->user;
        if (p->max_msg || p->max_obj)
                h->meta = (odm_meta){.present = true,
                                     .has_max_msg = p->max_msg > 0,
                                     .max_msg = p->max_msg,
                                     .has_max_obj = p->max_obj > 0,
                                     .max_obj = p->max_obj};
        show_cred(p);
        for (odm_command *c = p->say.body; c; c = c->next)
                if ((c->kind == ODM_CMD_STATUS || c->kind == ODM_CMD_RESULTS) && p->reply &&
                    c->msg_ref.p == NULL)
                        c->msg_ref = p->reply->hdr.msg_id;
}

static void flatten(struct play *p, const odm_command *c)
{
        for (; c; c = c->next) {
                if (p->n_said == SAID)
                        wrong(p, "the server says too much");
                p->said[p->n_said++] = c;
                flatten(p, c->body);
        }
}

/* Each command has a CmdID, and no two the same. */
static void check_ids(struct play *p)
{
        for (unsigned i = 0; i < p->n_said; i++) {
                odm_str id = p->said[i]->cmd_id;
                if (id.n == 0)
                        wrong(p, "the server says a command without CmdID");
                for (unsigned k = 0; k < i; k++)
                        if (odm_str_eq(id, p->said[k]->cmd_id))
                                wrong(p, "the server says CmdID %.*s twice", (int)id.n, id.p);
        }
}

static void learn(struct play *p)
{
        const odm_command *c = p->reply->body;

        if (c == NULL || c->kind != ODM_CMD_STATUS)
                return;
        if (c->chal.next_nonce.p)
                must(p, odm_nonce_parse(c->chal.next_nonce, &p->nonce), "the nonce");
        if (c->code == 212)
                p->cred = ODM_STR("none");
}

static void listen(struct play *p)
{
        odm_packet out;
        odm_limits lim;
        odm_str before = p->reply_body;

        p->reply = NULL;
        p->n_said = p->next = 0;
        if (odm_server_send(p->s, &out) != 1)
                return;
        odm_limits_init(&lim);
        p->reply_body = odm_arena_copy(&p->a, out.body);
        p->reply_mac = odm_arena_copy(&p->a, out.mac);
        p->same = odm_str_eq(before, p->reply_body);
        must(p, odm_decode(p->codec, p->reply_body, &lim, &p->a, &p->reply), "the reply");
        if (!odm_codec_is_binary(p->codec))
                teller_order(&p->t, p->reply_body);
        flatten(p, p->reply->body);
        check_ids(p);
        learn(p);
}

static void exchange(struct play *p)
{
        odm_packet in = {
                .body = p->body, .content_type = odm_cstr(odm_codec_mime(p->codec)), .mac = p->mac};
        const odm_event *ev;
        int rc = odm_server_recv(p->s, &in, (odm_time){0});

        if (rc == ODM_ESTATE || rc == ODM_EMALFORMED) {
                p->reply = NULL;
                return;
        }
        must(p, rc, "recv");
        while ((rc = odm_server_next(p->s, &ev)) == 1)
                hear(p, ev);
        must(p, rc, "next");
        listen(p);
}

static void make_mac(struct play *p)
{
        odm_prover prover = {.type = ODM_AUTH_MAC,
                             .mac_alg = p->sha256 ? ODM_MAC_SHA256 : ODM_MAC_MD5,
                             .user = p->user,
                             .password = p->password,
                             .nonce = p->nonce};
        odm_buf b;

        p->mac = ODM_ABSENT;
        if (!odm_str_is(p->cred, "mac"))
                return;
        odm_buf_init(&b, &teller_mem, 1024);
        int rc = odm_prover_mac(&prover, p->body, &b);
        p->mac = odm_arena_copy(&p->a, odm_buf_view(&b));
        odm_buf_done(&b);
        must(p, rc, "the MAC");
}

/* The message as it is written out; the runner knows the numbers and the digest. */
static void send_raw(struct play *p)
{
        const raw_word words[] = {
                {"SESSION", p->session},
                {"MSG", odm_arena_fmt(&p->a, "%u", p->msg_id++)},
                {"PEER", p->reply ? p->reply->hdr.msg_id : ODM_STR("0")},
                {"CRED", digest_of(p)},
        };
        const char *why = NULL;

        p->body = raw_message(p->raw, p->codec, words, ODM_COUNT(words), &p->a, &why);
        if (p->body.p == NULL)
                wrong(p, "%s", why ? why : "no memory");
        p->raw = ODM_ABSENT;
        p->mac = ODM_ABSENT;
        exchange(p);
}

static void send(struct play *p)
{
        odm_buf b;

        p->saying = false;
        if (p->raw.p) {
                send_raw(p);
                return;
        }
        set_header(p);
        p->say.final = !p->open;
        p->say.has_body = true;
        must(p, odm_msg_convert(&p->say, p->codec, &p->a), "the conversion");
        odm_buf_init(&b, &teller_mem, MEMORY);
        int rc = odm_encode(p->codec, &p->say, &b);
        p->body = odm_arena_copy(&p->a, odm_buf_view(&b));
        odm_buf_done(&b);
        must(p, rc, "the device's message");
        make_mac(p);
        exchange(p);
}

static void say_text(struct play *p, const char *text, ...) ODM_PRINTF(2, 3);
static void say_text(struct play *p, const char *text, ...)
{
        char buf[300];
        odm_command *c = odm_new(&p->a, odm_command), **at = &p->say.body;
        char uri[128] = "";
        unsigned code = 0;
        va_list ap;

        va_start(ap, text);
        (void)vsnprintf(buf, sizeof buf, text, ap);
        va_end(ap);
        if (c == NULL)
                wrong(p, "no memory");
        char ref[32] = "";
        c->kind = sscanf(buf, "Status %31s %u", ref, &code) == 2 ? ODM_CMD_STATUS : ODM_CMD_RESULTS;
        if (c->kind == ODM_CMD_RESULTS) {
                (void)sscanf(buf, "Results %31s %127s", ref, uri);
                c->items = odm_new(&p->a, odm_item);
                if (c->items == NULL)
                        wrong(p, "no memory");
                c->items->source = odm_arena_copy(&p->a, odm_cstr(uri));
                c->items->data = (odm_data){ODM_DATA_TEXT, ODM_STR("v")};
        }
        c->code = code;
        c->cmd_ref = odm_arena_copy(&p->a, odm_cstr(ref));
        c->cmd = *ref == '0' ? ODM_STR("SyncHdr") : ODM_STR("Get");
        unsigned n = 900;
        while (*at) {
                at = &(*at)->next;
                n++;
        }
        c->cmd_id = odm_arena_fmt(&p->a, "%u", n);
        *at = c;
}

/* Status CODE for all the server said, Results for its Gets. */
static void say_all(struct play *p, unsigned code)
{
        say_text(p, "Status 0 212");
        for (unsigned i = 0; i < p->n_said; i++) {
                const odm_command *c = p->said[i];
                odm_str id = c->cmd_id;
                if (c->kind == ODM_CMD_STATUS)
                        continue;
                say_text(p, "Status %.*s %u", (int)id.n, id.p,
                         c->kind == ODM_CMD_ALERT && c->code >= 1200 ? 200 : code);
                for (const odm_item *it = c->items; c->kind == ODM_CMD_GET && code == 200 && it;
                     it = it->next)
                        say_text(p, "Results %.*s %.*s", (int)id.n, id.p, (int)it->target.n,
                                 it->target.p);
        }
}

static void say_setup(struct play *p)
{
        odm_command *c = odm_new(&p->a, odm_command), *r = odm_new(&p->a, odm_command);
        odm_item *it = odm_new(&p->a, odm_item);

        if (!c || !r || !it)
                wrong(p, "no memory");
        *c = (odm_command){.kind = ODM_CMD_ALERT, .code = 1201, .cmd_id = ODM_STR("1"), .next = r};
        *r = (odm_command){.kind = ODM_CMD_REPLACE, .cmd_id = ODM_STR("2"), .items = it};
        it->source = ODM_STR("./DevInfo/Man");
        it->data = (odm_data){ODM_DATA_TEXT, ODM_STR("Example")};
        odm_command **at = &p->say.body;
        while (*at)
                at = &(*at)->next;
        *at = c;
}

static void on_recv(struct play *p, const line *l)
{
        const char *bad;

        if (p->s == NULL)
                must(p, odm_server_new(&p->opt, &p->s), "the session");
        if (!p->saying) {
                p->say = (odm_msg){.body = NULL};
                p->saying = true;
                p->open = false;
        }
        odm_str what = arg(p, l, 0);
        if (odm_str_is(what, "setup"))
                say_setup(p);
        else if (odm_str_is(what, "open"))
                p->open = true;
        else if (odm_str_is(what, "all"))
                say_all(p, l->n > 1 ? (unsigned)number(p, l->arg[1].text) : 200);
        else if (!odm_str_is(what, "nothing")) {
                bad = message_add(&p->say, l, &p->a);
                if (bad)
                        wrong(p, "%s", bad);
        }
}

/* raw TEXT: the device's whole message, written out on one line or several */
static void on_raw(struct play *p, const line *l)
{
        if (p->s == NULL)
                must(p, odm_server_new(&p->opt, &p->s), "the session");
        if (!p->saying)
                p->raw = ODM_STR("");
        p->saying = true;
        p->raw = odm_arena_join(&p->a, p->raw, arg(p, l, 0));
        if (p->raw.p == NULL)
                wrong(p, "no memory");
}

/* ---- what must come back ------------------------------------------------------------------- */

static void describe(const odm_command *c, char *out, size_t n)
{
        odm_str uri = c->items ? c->items->target : ODM_ABSENT;

        if (c->kind == ODM_CMD_STATUS)
                (void)snprintf(out, n, "Status %.*s %u", (int)c->cmd_ref.n, c->cmd_ref.p, c->code);
        else
                (void)snprintf(out, n, "%s %.*s %u", odm_cmd_name(c->kind), (int)uri.n,
                               uri.p ? uri.p : "", c->code);
}

static const odm_command *take(struct play *p, odm_cmd kind)
{
        char text[200];

        if (p->next == p->n_said)
                wrong(p, "the server says no more");
        const odm_command *c = p->said[p->next++];
        if (c->kind != kind) {
                describe(c, text, sizeof text);
                wrong(p, "the server says %s", text);
        }
        return c;
}

static void want_status(struct play *p, const line *l)
{
        const odm_command *c = take(p, ODM_CMD_STATUS);
        odm_str source = line_option(l, "source");
        const odm_item *it = c->items;
        bool texts = false;

        if (!odm_str_eq(c->cmd_ref, arg(p, l, 1)) || !teller_code_is(arg(p, l, 2), c->code))
                wrong(p, "the server says Status %.*s %u", (int)c->cmd_ref.n,
                      c->cmd_ref.p ? c->cmd_ref.p : "", c->code);
        if (odm_ref_number(c->msg_ref) != p->msg_id - 1)
                wrong(p, "its MsgRef is %.*s", (int)c->msg_ref.n, c->msg_ref.p);
        if (source.p && !(c->source_refs && odm_str_eq(c->source_refs->uri, source)))
                wrong(p, "its SourceRef is another one");
        for (unsigned i = 3; i < l->n; i++) {
                if (!l->arg[i].quoted)
                        continue;
                if (it == NULL || !odm_str_eq(it->data.bytes, l->arg[i].text))
                        wrong(p, "its Item is another one");
                it = it->next;
                texts = true;
        }
        if (texts && it)
                wrong(p, "there are more Items");
}

/* The value of a command, put together of its chunks. */
static odm_str value_of(struct play *p, const odm_item *it)
{
        odm_str part = it->data.bytes.p ? it->data.bytes : ODM_STR("");
        odm_str whole = p->whole.p ? odm_arena_join(&p->a, p->whole, part) : part;

        if (whole.p == NULL)
                wrong(p, "no memory");
        p->whole = it->more ? whole : ODM_ABSENT;
        return whole;
}

/* [FORMAT[:TYPE]] [DATA] [from=URI] [correlator=]: what the command carries */
static void want_content(struct play *p, const line *l, const odm_command *c)
{
        odm_str correlator = line_option(l, "correlator"), from = line_option(l, "from");
        odm_meta meta = odm_meta_of(c, c->items), want;
        odm_str value = value_of(p, c->items);

        if (correlator.p && !odm_str_eq(c->correlator, correlator))
                wrong(p, "its Correlator is another one");
        if (from.p && !odm_str_eq(c->items->source, from))
                wrong(p, "its source is another one");
        for (unsigned i = 2; i < l->n; i++) {
                if (l->arg[i].quoted && !odm_str_eq(value, l->arg[i].text))
                        wrong(p, "its Data is '%.*s' (%zu)", (int)(value.n < 80 ? value.n : 80),
                              value.p, value.n);
                if (l->arg[i].quoted || !message_is_format(l->arg[i].text))
                        continue;
                want = message_meta(l->arg[i].text, &p->a);
                if (meta.format != want.format ||
                    (want.type.p && !odm_str_eq(meta.type, want.type)))
                        wrong(p, "its Format is %s, its Type '%.*s'", odm_format_name(meta.format),
                              (int)meta.type.n, meta.type.p ? meta.type.p : "");
        }
}

/* COMMAND [URI] [FORMAT[:TYPE]] [DATA] [more] [size=N] [from=URI] [correlator=] */
static void want_command(struct play *p, const line *l)
{
        const odm_command *c = take(p, odm_cmd_parse(arg(p, l, 0)));
        const odm_item *it = c->items;
        odm_str size = line_option(l, "size");

        if (c->kind == ODM_CMD_ALERT) {
                if (c->code != number(p, arg(p, l, 1)))
                        wrong(p, "the server says Alert %u", c->code);
                return;
        }
        if (l->n > 1 && it && !odm_str_eq(it->target, l->arg[1].text))
                wrong(p, "it is about %.*s", (int)it->target.n, it->target.p ? it->target.p : "");
        if (it && it->more != line_has(l, "more"))
                wrong(p, "MoreData is %sthere", it->more ? "" : "not ");
        if (it &&
            (size.p ? !it->meta.has_size || it->meta.size != number(p, size) : it->meta.has_size))
                wrong(p, "its Size is not that");
        if (it)
                want_content(p, l, c);
}

static void want_chal(struct play *p, const line *l)
{
        const odm_command *st = p->reply->body;
        bool none = odm_str_is(arg(p, l, 1), "none");

        if (none != !st->chal.present)
                wrong(p, "there is %s challenge", none ? "a" : "no");
        if (none)
                return;
        if (auth_of(arg(p, l, 1)) != odm_auth_parse(st->chal.type))
                wrong(p, "the challenge is %.*s", (int)st->chal.type.n, st->chal.type.p);
        teller_nonce(&p->t, &st->chal, &p->a, &p->nonces);
}

/* cred none, cred md5 [NONCE]: the server's own */
static void want_cred(struct play *p, const line *l)
{
        const odm_cred *c = &p->reply->hdr.cred;
        char digest[ODM_SECRET_LEN];
        odm_secret secret;
        odm_nonce nonce;

        if (c->present != !odm_str_is(arg(p, l, 1), "none"))
                wrong(p, "it shows %s credentials", c->present ? "its" : "no");
        if (!c->present || l->n < 3)
                return;
        must(p, odm_nonce_parse(arg(p, l, 2), &nonce), "the nonce");
        odm_secret_of(p->opt.peer.server_user, p->opt.peer.server_password, &secret);
        odm_auth_md5(&secret, &nonce, digest);
        if (!odm_str_eq(c->data, (odm_str){digest, sizeof digest}))
                wrong(p, "its digest is made with another nonce");
}

/* root NAMESPACE: of the SyncML element; in WBXML its public identifier */
static void want_root(struct play *p, const line *l)
{
        bool old = odm_str_is(arg(p, l, 1), "SYNCML:SYNCML1.1"), is_old;

        if (odm_codec_is_binary(p->codec))
                is_old = p->reply_body.n > 3 && memcmp(p->reply_body.p + 1, "\x9f\x53", 2) == 0;
        else
                is_old = memmem(p->reply_body.p, p->reply_body.n, "xmlns=\"SYNCML:SYNCML1.1\"", 24);
        if (old != is_old)
                wrong(p, "it is of SyncML 1.%d", is_old ? 1 : 2);
}

static void want_text(struct play *p, const line *l, odm_str got)
{
        if (!odm_str_eq(got, arg(p, l, 1)))
                wrong(p, "it is '%.*s'", (int)got.n, got.p ? got.p : "");
}

static void want_message(struct play *p, const line *l, odm_str what)
{
        const odm_hdr *h = &p->reply->hdr;
        odm_str max = line_option(l, "at-most");

        if (odm_str_is(what, "chal"))
                want_chal(p, l);
        else if (odm_str_is(what, "mac")) {
                if ((p->reply_mac.n == 0) != line_has(l, "none"))
                        wrong(p, "there is %s MAC", p->reply_mac.n ? "a" : "no");
        } else if (odm_str_is(what, "cred")) {
                want_cred(p, l);
        } else if (odm_str_is(what, "msg-id"))
                want_text(p, l, h->msg_id);
        else if (odm_str_is(what, "session"))
                want_text(p, l, h->session_id);
        else if (odm_str_is(what, "proto"))
                want_text(p, l, h->ver_proto);
        else if (odm_str_is(what, "target"))
                want_text(p, l, h->target);
        else if (odm_str_is(what, "resp-uri"))
                want_text(p, l, h->resp_uri);
        else if (odm_str_is(what, "root"))
                want_root(p, l);
        else if (odm_str_is(what, "Final") || odm_str_is(what, "open")) {
                if (p->reply->final != odm_str_is(what, "Final"))
                        wrong(p, "Final is %sthere", p->reply->final ? "" : "not ");
        } else if (odm_str_is(what, "same")) {
                if (!p->same)
                        wrong(p, "it is another reply");
                p->next = p->n_said;
        } else if (odm_str_is(what, "rest"))
                p->next = p->n_said;
        else if (max.p) {
                if (p->reply_body.n > number(p, max))
                        wrong(p, "it has %zu octets", p->reply_body.n);
        } else
                wrong(p, "a want that is not understood");
}

static void on_want(struct play *p, const line *l)
{
        odm_str what = arg(p, l, 0);

        if (p->saying)
                send(p);
        if (odm_str_is(what, "nothing")) {
                if (p->reply)
                        wrong(p, "the server answers");
        } else if (p->reply == NULL)
                wrong(p, "the server says nothing");
        else if (odm_str_is(what, "Status"))
                want_status(p, l);
        else if (odm_cmd_parse(what) != ODM_CMD_UNKNOWN)
                want_command(p, l);
        else
                want_message(p, l, what);
}

static void finish_wants(struct play *p)
{
        char text[200];

        if (p->saying)
                send(p);
        if (p->next == p->n_said)
                return;
        describe(p->said[p->next], text, sizeof text);
        wrong(p, "the server also says %s", text);
}

/* event WORDS: heard, after the events wanted before */
static void on_event(struct play *p, const line *l)
{
        char want[512] = "";

        finish_wants(p);
        for (unsigned i = 0; i < l->n; i++) {
                size_t n = strlen(want);
                (void)snprintf(want + n, sizeof want - n, "%s%.*s", i ? " " : "",
                               (int)l->arg[i].text.n, l->arg[i].text.p);
        }
        while (p->next_event < p->n_events)
                if (odm_str_is(p->event[p->next_event++], want))
                        return;
        odm_str last = p->n_events ? p->event[p->n_events - 1] : ODM_STR("none");
        wrong(p, "no such event; the last one is '%.*s'", (int)last.n, last.p);
}

static void play_line(struct play *p, const line *l)
{
        if (is(l, "covers") || is(l, "side"))
                return;
        if (is(l, "option"))
                on_option(p, l);
        else if (is(l, "device")) {
                finish_wants(p);
                on_device(p, l);
        } else if (is(l, "job"))
                on_job(p, l);
        else if (is(l, "recv")) {
                if (!p->saying)
                        finish_wants(p);
                on_recv(p, l);
        } else if (is(l, "raw")) {
                if (!p->saying)
                        finish_wants(p);
                on_raw(p, l);
        } else if (is(l, "again")) {
                finish_wants(p);
                exchange(p);
        } else if (is(l, "want"))
                on_want(p, l);
        else if (is(l, "event"))
                on_event(p, l);
        else if (is(l, "stop")) {
                finish_wants(p);
                odm_server_abort(p->s);
        } else
                wrong(p, "a word that is not understood");
}

bool play_server(const test_case *c, const odm_codec *codec, char *why, size_t n)
{
        struct play *p = calloc(1, sizeof *p);
        volatile bool ok = false;

        if (p == NULL)
                return false;
        p->t = (teller){.test = c, .why = why, .why_n = n};
        p->codec = codec;
        p->dice = 1;
        odm_arena_init(&p->a, &teller_mem, MEMORY);
        if (setjmp(p->t.out) == 0) {
                set_up(p);
                for (const line *l = c->lines; l; l = l->next) {
                        p->t.at = l;
                        play_line(p, l);
                }
                finish_wants(p);
                ok = true;
        }
        odm_server_free(p->s);
        odm_arena_done(&p->a);
        free(p);
        return ok;
}
