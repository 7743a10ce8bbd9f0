/* SPDX-License-Identifier: Apache-2.0 */
#include "script.h"

#include <stdarg.h>

#include "support.h"

#define ARENA (64u << 20)

static int fill(void *ctx, void *p, size_t n)
{
        play *t = ctx;
        seeded s = {t->seed};
        uint8_t *q = p;

        for (size_t i = 0; i < n; i++)
                q[i] = (uint8_t)seeded_next(&s);
        t->seed = s.state;
        return 0;
}

static void add(char *to, const char *fmt, ...)
{
        va_list ap;
        size_t n = strlen(to);

        va_start(ap, fmt);
        (void)vsnprintf(to + n, PLAY_LOG - n, fmt, ap);
        va_end(ap);
}

static void gap(char *to)
{
        if (*to)
                add(to, " ");
}

static void clear_message(play *p)
{
        p->out = (odm_msg){.has_body = true};
        p->end = &p->out.body;
        p->cmd_id = 1;
}

void play_open(play *p, const odm_codec *codec, const odm_mem *mem)
{
        *p = (play){
                .codec = codec,
                .mem = mem,
                .seed = 7,
                .session = "A1",
                .source = "IMEI:1",
                .proto = "DM/1.2",
                .dtd = "1.2",
                .target = "http://dm/s",
                .user = "dev",
                .password = "pw",
                .show = ODM_AUTH_MD5,
                .msg_id = 1,
                .alert_status = 200,
                .content_type = "application/vnd.syncml.dm+xml",
        };
        odm_arena_init(&p->a, &heap, ARENA);
        odm_buf_init(&p->body, &heap, 16u << 20);
        odm_buf_init(&p->mac_text, &heap, 1024);
        odm_server_opt_init(&p->opt, mem);
        p->opt.rng = (odm_rng){fill, p};
        p->opt.server_uri = ODM_STR("http://dm/s");
        p->opt.peer.known = true;
        p->opt.peer.user = ODM_STR("dev");
        p->opt.peer.password = ODM_STR("pw");
        odm_secret_of(ODM_STR("dev"), ODM_STR("pw"), &p->opt.peer.secret);
        p->opt.peer.has_secret = true;
        p->opt.peer.server_user = ODM_STR("srv");
        p->opt.peer.server_password = ODM_STR("spw");
        clear_message(p);
}

void play_start(play *p)
{
        p->rc = odm_server_new(&p->opt, &p->s);
}

void play_close(play *p)
{
        odm_server_free(p->s);
        odm_arena_done(&p->a);
        odm_buf_done(&p->body);
        odm_buf_done(&p->mac_text);
}

/* ---- the device ---------------------------------------------------------------- */

odm_command *say_command(play *p, odm_cmd kind)
{
        odm_command *c = odm_new(&p->a, odm_command);

        assert_non_null(c);
        c->kind = kind;
        c->cmd_id = odm_arena_fmt(&p->a, "%u", p->cmd_id++);
        *p->end = c;
        p->end = &c->next;
        return c;
}

odm_item *say_item(play *p, odm_command *c, const char *uri, const char *text)
{
        odm_item *it = odm_new(&p->a, odm_item), **at = &c->items;

        assert_non_null(it);
        while (*at)
                at = &(*at)->next;
        *at = it;
        it->source = odm_arena_copy(&p->a, odm_cstr(uri));
        if (text)
                it->data = (odm_data){ODM_DATA_TEXT, odm_arena_copy(&p->a, odm_cstr(text))};
        return it;
}

static odm_command *answer_to(play *p, odm_cmd kind, const char *cmd_ref)
{
        odm_command *c = say_command(p, kind);

        c->msg_ref = p->reply ? p->reply->hdr.msg_id : ODM_STR("1");
        c->cmd_ref = odm_arena_copy(&p->a, odm_cstr(cmd_ref));
        c->cmd = odm_str_is(c->cmd_ref, "0") ? ODM_STR("SyncHdr") : ODM_STR("Get");
        return c;
}

void say(play *p, const char *fmt, ...)
{
        char line[512], word[32] = "", one[128] = "", two[256] = "";
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(line, sizeof line, fmt, ap);
        va_end(ap);
        (void)sscanf(line, "%31s %127s %255[^\n]", word, one, two);
        if (strcmp(word, "alert") == 0) {
                say_command(p, ODM_CMD_ALERT)->code = (unsigned)strtoul(one, NULL, 10);
        } else if (strcmp(word, "status") == 0) {
                char *rest = NULL;
                odm_command *c = answer_to(p, ODM_CMD_STATUS, one);
                c->code = (unsigned)strtoul(two, &rest, 10);
                if (*rest)
                        say_item(p, c, NULL, rest + 1);
        } else if (strcmp(word, "results") == 0) {
                char uri[128] = "", text[128] = "";
                (void)sscanf(two, "%127s %127[^\n]", uri, text);
                say_item(p, answer_to(p, ODM_CMD_RESULTS, one), uri, text);
        } else {
                odm_command *c = say_command(p, odm_cmd_parse(odm_cstr(word)));
                if (c->kind == ODM_CMD_UNKNOWN)
                        c->name = odm_arena_copy(&p->a, odm_cstr(word));
                if (*one)
                        say_item(p, c, one, *two ? two : NULL);
        }
}

void say_devinfo(play *p)
{
        odm_command *c = say_command(p, ODM_CMD_REPLACE);

        say_item(p, c, "./DevInfo/DevId", "IMEI:1");
        say_item(p, c, "./DevInfo/Man", "Example");
}

static void say_members(play *p, const odm_command *c, unsigned code)
{
        for (; c; c = c->next) {
                char ref[32];
                (void)snprintf(ref, sizeof ref, "%.*s", (int)c->cmd_id.n, c->cmd_id.p);
                if (c->kind == ODM_CMD_STATUS)
                        continue;
                say(p, "status %s %u", ref,
                    c->kind == ODM_CMD_ALERT && c->code >= 1200 ? 200 : code);
                if (c->kind == ODM_CMD_GET && odm_status_ok(code))
                        for (const odm_item *it = c->items; it; it = it->next)
                                say(p, "results %s %.*s v", ref, (int)it->target.n, it->target.p);
                say_members(p, c->body, code);
        }
}

void say_all(play *p, unsigned code)
{
        say(p, "status 0 212");
        say_members(p, p->reply->body, code);
}

static void show_cred(play *p)
{
        odm_hdr *h = &p->out.hdr;
        odm_secret secret;

        if (p->show == ODM_AUTH_NONE || p->show == ODM_AUTH_MAC)
                return;
        h->cred.present = true;
        h->cred.meta = (odm_meta){
                .present = true, .format = ODM_FMT_B64, .type = odm_cstr(odm_auth_name(p->show))};
        if (p->show == ODM_AUTH_BASIC) {
                h->cred.data = odm_auth_basic(&p->a, odm_cstr(p->user), odm_cstr(p->password));
                return;
        }
        char digest[ODM_SECRET_LEN];
        odm_secret_of(odm_cstr(p->user), odm_cstr(p->password), &secret);
        odm_auth_md5(&secret, &p->nonce, digest);
        h->cred.data = odm_arena_copy(&p->a, (odm_str){digest, sizeof digest});
}

static void make_mac(play *p)
{
        odm_prover prover = {
                .type = ODM_AUTH_MAC,
                .user = odm_cstr(p->user),
                .password = odm_cstr(p->password),
                .nonce = p->nonce,
        };

        odm_buf_cut(&p->mac_text, 0);
        if (p->show == ODM_AUTH_MAC)
                assert_int_equal(odm_prover_mac(&prover, odm_buf_view(&p->body), &p->mac_text), 0);
}

static void seal(play *p)
{
        odm_hdr *h = &p->out.hdr;

        h->ver_dtd = odm_cstr(p->dtd);
        h->ver_proto = odm_cstr(p->proto);
        h->session_id = odm_cstr(p->session);
        h->msg_id = odm_arena_fmt(&p->a, "%u", p->msg_id);
        h->target = odm_cstr(p->target);
        h->source = odm_cstr(p->source);
        h->source_name = p->user ? odm_cstr(p->user) : ODM_ABSENT;
        if (p->max_msg || p->max_obj)
                h->meta = (odm_meta){.present = true,
                                     .has_max_msg = p->max_msg > 0,
                                     .max_msg = p->max_msg,
                                     .has_max_obj = p->max_obj > 0,
                                     .max_obj = p->max_obj};
        show_cred(p);
        p->out.final = !p->no_final;
        odm_buf_cut(&p->body, 0);
        assert_int_equal(odm_encode(p->codec, &p->out, &p->body), 0);
        make_mac(p);
        if (!p->keep_id)
                p->msg_id++;
}

/* ---- what comes back --------------------------------------------------------------- */

static void see_command(play *p, const odm_command *c)
{
        odm_str uri = c->items ? c->items->target : ODM_ABSENT;

        gap(p->seen);
        if (c->kind == ODM_CMD_STATUS) {
                add(p->seen, "S%.*s=%u%s", (int)c->cmd_ref.n, c->cmd_ref.p, c->code,
                    c->chal.present ? "!" : "");
        } else if (c->kind == ODM_CMD_ALERT) {
                add(p->seen, "%u", c->code);
        } else {
                add(p->seen, "%s", odm_cmd_name(c->kind));
                if (uri.p)
                        add(p->seen, "(%.*s)", (int)uri.n, uri.p);
        }
        if (c->items && c->items->more)
                add(p->seen, "+");
        if (c->body) {
                add(p->seen, "[");
                for (const odm_command *m = c->body; m; m = m->next)
                        see_command(p, m);
                add(p->seen, "]");
        }
}

static void learn(play *p, const odm_command *c)
{
        if (c->kind == ODM_CMD_STATUS && odm_str_is(c->cmd_ref, "0") && c->chal.next_nonce.p)
                assert_int_equal(odm_nonce_parse(c->chal.next_nonce, &p->nonce), 0);
        if (c->kind == ODM_CMD_STATUS && odm_str_is(c->cmd_ref, "0") && c->code == 212)
                p->show = ODM_AUTH_NONE;
}

static void take_reply(play *p)
{
        odm_packet out;
        odm_limits lim;

        p->seen[0] = '\0';
        p->reply = NULL;
        p->replied = odm_server_send(p->s, &out) == 1;
        if (!p->replied)
                return;
        odm_limits_init(&lim);
        p->reply_n = out.body.n;
        odm_str body = odm_arena_copy(&p->a, out.body);
        p->reply_mac = odm_arena_copy(&p->a, out.mac);
        p->reply_type = odm_arena_copy(&p->a, out.content_type);
        assert_int_equal(odm_decode(p->codec, body, &lim, &p->a, &p->reply), 0);
        for (const odm_command *c = p->reply->body; c; c = c->next) {
                see_command(p, c);
                learn(p, c);
        }
        if (p->reply->final) {
                gap(p->seen);
                add(p->seen, "Final");
        }
}

static void hear_items(play *p, const odm_item *it)
{
        for (; it; it = it->next) {
                odm_str d = it->data.bytes;
                add(p->log, " %.*s", (int)it->source.n, it->source.p ? it->source.p : "");
                if (d.n <= 64)
                        add(p->log, "=%.*s", (int)d.n, d.p ? d.p : "");
                else
                        add(p->log, "=#%zu", d.n);
        }
}

static odm_job *find_job(play *p, uint64_t id)
{
        for (unsigned i = 0; i < p->n_jobs; i++)
                if (p->jobs[i].id == id)
                        return &p->jobs[i];
        return NULL;
}

static void hear_work(play *p, const odm_event *ev)
{
        const odm_job *j = NULL;

        if (ev->job)
                j = p->forget ? NULL : find_job(p, ev->job);
        else if (p->next_job < p->n_jobs)
                j = &p->jobs[p->next_job++];
        int rc = odm_server_work(p->s, j);
        if (rc == ODM_EINVAL)
                add(p->log, "%srefused %u", *p->log ? "; " : "", (unsigned)j->id);
        else if (rc < 0)
                p->rc = rc;
}

static void hear(play *p, const odm_event *ev)
{
        if (ev->kind == ODM_EV_WORK) {
                hear_work(p, ev);
                return;
        }
        if (*p->log)
                add(p->log, "; ");
        switch (ev->kind) {
        case ODM_EV_AUTHENTICATED: add(p->log, "auth"); break;
        case ODM_EV_AUTH_FAILED: add(p->log, "failed"); break;
        case ODM_EV_NONCES:
                add(p->log, "nonces%s%s", ev->client_nonce ? " c" : "",
                    ev->server_nonce ? " s" : "");
                break;
        case ODM_EV_DEVINFO:
                add(p->log, "%.*s=%.*s", (int)ev->uri.n, ev->uri.p, (int)ev->value.data.n,
                    ev->value.data.p);
                break;
        case ODM_EV_SESSION_ALERT: add(p->log, "session %u", ev->code); break;
        case ODM_EV_ALERT:
                add(p->log, "alert %u %.*s %.*s", ev->alert->code, (int)ev->item->meta.type.n,
                    ev->item->meta.type.p, (int)ev->alert->correlator.n,
                    ev->alert->correlator.p ? ev->alert->correlator.p : "");
                if (ev->item->data.bytes.n > 8)
                        add(p->log, "%.*s", (int)ev->item->data.bytes.n, ev->item->data.bytes.p);
                odm_server_alert_status(p->s, p->alert_status);
                break;
        case ODM_EV_RESULT:
                add(p->log, "%u/%u %u%s", (unsigned)ev->job, ev->command, ev->status,
                    ev->sent ? "" : " unsent");
                hear_items(p, ev->items);
                hear_items(p, ev->results);
                break;
        case ODM_EV_JOB_DONE:
                add(p->log, "done %u%s", (unsigned)ev->job, ev->sent ? "" : " unsent");
                break;
        case ODM_EV_END: add(p->log, "end %d", (int)ev->outcome); break;
        case ODM_EV_WORK: break;
        }
}

static void reload(play *p)
{
        odm_buf b;
        odm_server *s = NULL;

        odm_buf_init(&b, &heap, 32u << 20);
        p->rc = odm_server_save(p->s, &b);
        if (p->rc == 0)
                p->rc = odm_server_load(&p->opt, odm_buf_view(&b), &s);
        odm_buf_done(&b);
        if (p->rc < 0)
                return;
        odm_server_free(p->s);
        p->s = s;
}

static void send_body(play *p)
{
        odm_str body = exact_bytes(p->body.p, p->body.n);
        odm_packet in = {
                .body = body,
                .content_type = odm_cstr(p->content_type),
                .mac = p->mac_text.n ? odm_buf_view(&p->mac_text) : ODM_ABSENT,
        };
        const odm_event *ev;

        p->rc = odm_server_recv(p->s, &in, (odm_time){0});
        while (p->rc == 0) {
                int rc = odm_server_next(p->s, &ev);
                if (rc <= 0) {
                        p->rc = rc;
                        break;
                }
                hear(p, ev);
        }
        exact_free(body);
}

static void exchange(play *p)
{
        if (p->s == NULL)
                play_start(p);
        if (p->s == NULL)
                return;
        send_body(p);
        if (p->rc == 0)
                take_reply(p);
        if (p->rc == 0 && p->save_each)
                reload(p);
}

void post(play *p)
{
        seal(p);
        exchange(p);
        clear_message(p);
}

void post_again(play *p)
{
        exchange(p);
}

void package1(play *p)
{
        say(p, "alert 1201");
        say_devinfo(p);
        post(p);
}

/* ---- jobs ----------------------------------------------------------------------------- */

odm_command *command(play *p, odm_cmd kind, const char *uri, const char *text)
{
        odm_command *c = odm_new(&p->a, odm_command);

        assert_non_null(c);
        c->kind = kind;
        if (uri) {
                odm_item *it = say_item(p, c, NULL, text);
                it->target = odm_arena_copy(&p->a, odm_cstr(uri));
        }
        return c;
}

odm_command *chain(odm_command *a, odm_command *b)
{
        odm_command *last = a;

        while (last->next)
                last = last->next;
        last->next = b;
        return a;
}

odm_command *group(play *p, odm_cmd kind, odm_command *members)
{
        odm_command *c = command(p, kind, NULL, NULL);

        c->body = members;
        return c;
}

void job_list(play *p, uint64_t id, odm_command *list)
{
        assert_true(p->n_jobs < PLAY_JOBS);
        p->jobs[p->n_jobs++] = (odm_job){.id = id, .commands = list};
}

odm_command *job(play *p, uint64_t id)
{
        odm_command *c = command(p, ODM_CMD_GET, "./A", NULL);

        job_list(p, id, c);
        return c;
}

/* ---- expectations ------------------------------------------------------------------------ */

static void compare(const char *what, const char *got, const char *want, const char *file, int line)
{
        if (strcmp(got, want) == 0)
                return;
        print_error("%s:%d: %s\n  got  '%s'\n  want '%s'\n", file, line, what, got, want);
        _fail(file, line);
}

void expect_at(play *p, const char *want, const char *file, int line)
{
        if (p->rc < 0)
                compare("the session failed", odm_err_name(p->rc), want, file, line);
        compare(odm_codec_name(p->codec), p->replied ? p->seen : "(nothing)", want, file, line);
}

void heard_at(play *p, const char *want, const char *file, int line)
{
        compare("events", p->log, want, file, line);
        p->log[0] = '\0';
}

const odm_codec *const codecs[2] = {&odm_codec_xml, &odm_codec_wbxml};

void open_play(play *p, size_t i)
{
        play_open(p, codecs[i], &heap);
}

odm_item *typed_item(play *p, odm_command *c, const char *type, const char *text)
{
        odm_item *it = say_item(p, c, "./Vendor/X", text);

        it->meta = (odm_meta){
                .present = true, .format = ODM_FMT_CHR, .type = type ? odm_cstr(type) : ODM_ABSENT};
        return it;
}

odm_meta chal(const char *nonce)
{
        return (odm_meta){.present = true,
                          .format = ODM_FMT_B64,
                          .type = ODM_STR("syncml:auth-md5"),
                          .next_nonce = odm_cstr(nonce)};
}

odm_str octets(play *p, size_t n)
{
        seeded s = {5};
        char *q = odm_arena_get(&p->a, n);

        assert_non_null(q);
        for (size_t i = 0; i < n; i++)
                q[i] = (char)seeded_next(&s);
        return (odm_str){q, n};
}

odm_command *big(play *p, size_t n)
{
        odm_command *c = command(p, ODM_CMD_REPLACE, "./Big", NULL);

        c->items->data = (odm_data){ODM_DATA_OPAQUE, octets(p, n)};
        c->items->meta = (odm_meta){.present = true, .format = ODM_FMT_BIN};
        return c;
}
