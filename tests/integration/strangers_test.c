/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of other makers at the real server, octet by octet, and the real agent at a server that
 * miscounts.  docs/strangers.md is the list. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "fsio.h"
#include "heap.h"
#include "odm/codec.h"
#include "wire.h"

#define ROOM 65536
#define XML "application/vnd.syncml.dm+xml"

static daemon_process server;

static int open_server(void **state)
{
        (void)daemon_make_folder(state);
        daemon_make_certificates();
        server = daemon_start("log", NULL);
        return 0;
}

static int close_server(void **state)
{
        daemon_stop(&server);
        return daemon_drop_folder(state);
}

/* A device that REST makes, with these members besides. */
static void make_device(const char *name, const char *members)
{
        char body[400];

        (void)snprintf(body, sizeof body, "{\"name\":\"%s\",\"devid\":\"urn:%s\"%s%s}", name, name,
                       *members ? "," : "", members);
        assert_int_equal(daemon_ask(&server, false, "POST", "/api/v1/devices", body, NULL), 201);
}

static char *make_job(const char *name, const char *commands)
{
        char path[128], body[400];
        json_t *job = NULL;

        (void)snprintf(path, sizeof path, "/api/v1/devices/%s/jobs", name);
        (void)snprintf(body, sizeof body, "{\"commands\":%s}", commands);
        assert_int_equal(daemon_ask(&server, false, "POST", path, body, &job), 201);
        char *id = strdup(json_string_value(json_object_get(job, "id")));
        json_decref(job);
        return id;
}

static void expect_job(char *id, const char *state)
{
        char path[128];
        json_t *job = NULL;

        (void)snprintf(path, sizeof path, "/api/v1/jobs/%s?wait=20", id);
        assert_int_equal(daemon_ask(&server, false, "GET", path, NULL, &job), 200);
        assert_string_equal(json_string_value(json_object_get(job, "state")), state);
        json_decref(job);
        free(id);
}

/* ---- a device made of text --------------------------------------------------------------- */

typedef struct stranger {
        const char *name, *dtd, *proto;
        const char *type; /* Content-Type; NULL: XML */
        const char *fields;
        bool chunked;
        unsigned msg, session;
        char path[400]; /* where the next message goes */
        odm_arena a;
        odm_msg *reply; /* NULL: HTTP said no */
        char reply_type[128];
        unsigned status;
} stranger;

static void meet(stranger *s, const char *name)
{
        *s = (stranger){.session = 1,
                        .name = name,
                        .dtd = "1.2",
                        .proto = "DM/1.2",
                        .type = XML,
                        .fields = ""};
        (void)snprintf(s->path, sizeof s->path, "/dm");
        odm_arena_init(&s->a, &heap_mem, (size_t)8 << 20);
}

static void leave(stranger *s)
{
        odm_arena_done(&s->a);
}

static odm_str in_form(stranger *s, odm_str xml)
{
        odm_msg *m;
        odm_buf b;

        if (!strstr(s->type, "wbxml"))
                return xml;
        odm_buf_init(&b, &heap_mem, ROOM);
        assert_int_equal(odm_decode(&odm_codec_xml, xml, NULL, &s->a, &m), 0);
        assert_int_equal(odm_encode(&odm_codec_wbxml, m, &b), 0);
        odm_str made = odm_arena_copy(&s->a, odm_buf_view(&b));
        odm_buf_done(&b);
        return made;
}

/* Two chunks, or one length. */
static odm_str framed(stranger *s, odm_str body)
{
        size_t half = body.n / 2;

        if (!s->chunked) {
                odm_str head = odm_arena_fmt(&s->a, "Content-Length: %zu\r\n\r\n", body.n);
                return odm_arena_join(&s->a, head, body);
        }
        odm_str one = odm_arena_fmt(&s->a, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", half);
        odm_str two = odm_arena_fmt(&s->a, "\r\n%zX;odd=1\r\n", body.n - half);
        one = odm_arena_join(&s->a, one, odm_str_to(body, half));
        two = odm_arena_join(&s->a, two, odm_str_from(body, half));
        two = odm_arena_join(&s->a, two, ODM_STR("\r\n0\r\n\r\n"));
        return odm_arena_join(&s->a, one, two);
}

static void copy_field(const char *head, const char *name, char *out, size_t room)
{
        const char *at = strcasestr(head, name);

        out[0] = 0;
        if (at)
                (void)snprintf(out, room, "%.*s", (int)strcspn(at + strlen(name), "\r\n"),
                               at + strlen(name));
}

static void post(stranger *s, odm_str body)
{
        char *buf = malloc(ROOM);
        odm_str head = odm_arena_fmt(&s->a,
                                     "POST %s HTTP/1.1\r\nHost: localhost:%u\r\nConnection: "
                                     "close\r\nContent-Type: %s\r\n%s",
                                     s->path, server.port, s->type, s->fields);
        odm_str all = odm_arena_join(&s->a, head, framed(s, in_form(s, body)));
        wire w = wire_open(1, server.port, NULL);
        odm_limits lim;

        assert_non_null(all.p);
        assert_true(wire_send(&w, all));
        size_t n = wire_read(&w, buf, ROOM - 1, NULL, NULL);
        wire_close(&w);
        buf[n] = 0;
        s->status = n > 12 ? (unsigned)strtoul(buf + 9, NULL, 10) : 0;
        s->reply = NULL;
        copy_field(buf, "\r\nContent-Type: ", s->reply_type, sizeof s->reply_type);
        char *end = strstr(buf, "\r\n\r\n");
        if (s->status == 200) {
                odm_limits_init(&lim);
                odm_str octets =
                        odm_arena_copy(&s->a, (odm_str){end + 4, n - (size_t)(end + 4 - buf)});
                const odm_codec *c =
                        strstr(s->reply_type, "wbxml") ? &odm_codec_wbxml : &odm_codec_xml;
                assert_int_equal(odm_decode(c, octets, &lim, &s->a, &s->reply), 0);
        }
        free(buf);
}

/* A message with this body; no credentials, no LocName, no MaxMsgSize. */
static void say(stranger *s, const char *body)
{
        post(s, odm_arena_fmt(
                        &s->a,
                        "<SyncML><SyncHdr><VerDTD>%s</VerDTD><VerProto>%s</VerProto><SessionID>%u"
                        "</SessionID><MsgID>%u</MsgID><Target><LocURI>http://localhost/dm</LocURI>"
                        "</Target><Source><LocURI>urn:%s</LocURI></Source></SyncHdr><SyncBody>%s"
                        "<Final/></SyncBody></SyncML>",
                        s->dtd, s->proto, s->session, ++s->msg, s->name, body));
}

#define SETUP                                                                             \
        "<Alert><CmdID>1</CmdID><Data>1201</Data></Alert><Replace><CmdID>2</CmdID><Item>" \
        "<Source><LocURI>./DevInfo/Man</LocURI></Source><Data>Example</Data></Item></Replace>"

static unsigned status_of(const stranger *s, const char *ref)
{
        for (const odm_command *c = s->reply ? s->reply->body : NULL; c; c = c->next)
                if (c->kind == ODM_CMD_STATUS && odm_str_is(c->cmd_ref, ref))
                        return c->code;
        return 0;
}

/* Answers all Gets of the reply with "v"; false when there is nothing to answer. */
static bool answer(stranger *s)
{
        odm_str text =
                odm_arena_fmt(&s->a,
                              "<Status><CmdID>1</CmdID><MsgRef>%.*s</MsgRef><CmdRef>0</CmdRef>"
                              "<Cmd>SyncHdr</Cmd><Data>200</Data></Status>",
                              (int)s->reply->hdr.msg_id.n, s->reply->hdr.msg_id.p);
        bool any = false;

        for (const odm_command *c = s->reply->body; c; c = c->next) {
                if (c->kind != ODM_CMD_GET)
                        continue;
                any = true;
                odm_str one = odm_arena_fmt(
                        &s->a,
                        "<Status><CmdID>8</CmdID><MsgRef>%.*s</MsgRef><CmdRef>%.*s</"
                        "CmdRef><Cmd>Get</Cmd>"
                        "<Data>200</Data></Status><Results><CmdID>9</CmdID><MsgRef>%.*s</"
                        "MsgRef><CmdRef>"
                        "%.*s</CmdRef><Item><Source><LocURI>%.*s</LocURI></Source><Data>v</Data></"
                        "Item>"
                        "</Results>",
                        (int)s->reply->hdr.msg_id.n, s->reply->hdr.msg_id.p, (int)c->cmd_id.n,
                        c->cmd_id.p, (int)s->reply->hdr.msg_id.n, s->reply->hdr.msg_id.p,
                        (int)c->cmd_id.n, c->cmd_id.p, (int)c->items->target.n, c->items->target.p);
                text = odm_arena_join(&s->a, text, one);
        }
        if (any)
                say(s, text.p);
        return any;
}

/* The rest of a session. */
static void go_on(stranger *s)
{
        for (int i = 0; i < 20 && answer(s); i++)
                assert_int_equal(s->status, 200);
}

/* ---- HTTP ---------------------------------------------------------------------------------- */

static void media_types_are_answered_in_kind(void **state)
{
        static const struct {
                const char *why, *type, *fields, *want;
                unsigned status;
        } rows[] = {
                {"DM, XML", XML, "", XML, 200},
                {"DM, WBXML", "application/vnd.syncml.dm+wbxml", "",
                 "application/vnd.syncml.dm+wbxml", 200},
                {"SyncML, XML", "application/vnd.syncml+xml", "", "application/vnd.syncml+xml",
                 200},
                {"SyncML, WBXML", "application/vnd.syncml+wbxml", "",
                 "application/vnd.syncml+wbxml", 200},
                {"a charset", XML "; charset=\"utf-8\"", "", XML, 200},
                {"a charset in large letters", XML ";charset=UTF-8", "", XML, 200},
                {"parameters nobody knows", XML "; verproto=1.2; odd", "", XML, 200},
                {"letters of another case", "Application/Vnd.SyncML.DM+XML", "", XML, 200},
                {"a charset we do not read", XML "; charset=iso-8859-1", "", NULL, 415},
                {"a charset as the coding", XML, "Content-Encoding: utf-8\r\n", XML, 200},
                {"a charset as the coding, in large letters", XML, "Content-Encoding: UTF-8\r\n",
                 XML, 200},
                {"a coding nobody knows", XML, "Content-Encoding: br\r\n", NULL, 415},
                {"text", "text/xml", "", NULL, 415},
        };

        (void)state;
        make_device("kind", "\"auth\":\"open\"");
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stranger s;
                meet(&s, "kind");
                s.type = rows[i].type;
                s.fields = rows[i].fields;
                say(&s, SETUP);
                if (s.status != rows[i].status)
                        fail_msg("%s: %u", rows[i].why, s.status);
                if (rows[i].want && strcmp(s.reply_type, rows[i].want) != 0)
                        fail_msg("%s: %s", rows[i].why, s.reply_type);
                if (rows[i].want)
                        assert_int_equal(status_of(&s, "0"), 200);
                leave(&s);
        }
}

static void chunked_requests_are_taken(void **state)
{
        stranger s;

        (void)state;
        make_device("chunks", "\"auth\":\"open\"");
        for (int wbxml = 0; wbxml < 2; wbxml++) {
                char *job = make_job("chunks", "[{\"cmd\":\"get\",\"uri\":\"./A\"}]");
                meet(&s, "chunks");
                s.chunked = true;
                s.type = wbxml ? "application/vnd.syncml.dm+wbxml" : XML;
                say(&s, SETUP);
                assert_int_equal(status_of(&s, "0"), 200);
                go_on(&s);
                expect_job(job, "done");
                leave(&s);
        }
}

/* Some loop at the first message unless SyncHdr tells them a whole URL to go on at; some go on at
 * it as the request's target; some never look at it. */
static void resp_uri_is_a_whole_url(void **state)
{
        (void)state;
        make_device("resp", "\"auth\":\"open\"");
        for (int way = 0; way < 3; way++) {
                stranger s;
                char url[300], want[64];
                char *job = make_job("resp", "[{\"cmd\":\"get\",\"uri\":\"./A\"}]");
                meet(&s, "resp");
                say(&s, SETUP);
                (void)snprintf(url, sizeof url, "%.*s", (int)s.reply->hdr.resp_uri.n,
                               s.reply->hdr.resp_uri.p);
                (void)snprintf(want, sizeof want, "http://localhost:%u/dm?sid=", server.port);
                assert_int_equal(strncmp(url, want, strlen(want)), 0);
                if (way < 2)
                        (void)snprintf(s.path, sizeof s.path, "%s",
                                       url + (way ? strlen(want) - 8 : 0));
                go_on(&s);
                assert_int_equal(s.status, 200);
                expect_job(job, "done");
                leave(&s);
        }
}

/* ---- accounts -------------------------------------------------------------------------------- */

static void no_credentials_only_where_the_account_says_so(void **state)
{
        stranger s;

        (void)state;
        make_device("open", "\"auth\":\"open\"");
        make_device("shut", "");
        char *open = make_job("open", "[{\"cmd\":\"get\",\"uri\":\"./A\"}]");
        char *shut = make_job("shut", "[{\"cmd\":\"get\",\"uri\":\"./A\"}]");
        meet(&s, "open");
        say(&s, SETUP);
        assert_int_equal(status_of(&s, "0"), 200);
        go_on(&s);
        expect_job(open, "done");
        leave(&s);
        meet(&s, "shut");
        say(&s, SETUP);
        assert_int_equal(status_of(&s, "0"), 407);
        for (const odm_command *c = s.reply->body; c; c = c->next)
                assert_int_equal(c->kind, ODM_CMD_STATUS);
        leave(&s);
        char path[64];
        (void)snprintf(path, sizeof path, "/api/v1/jobs/%s", shut);
        json_t *job = NULL;
        assert_int_equal(daemon_ask(&server, false, "GET", path, NULL, &job), 200);
        assert_int_equal(json_integer_value(json_object_get(job, "attempts")), 0);
        json_decref(job);
        free(shut);
}

static void dm11_only_where_the_account_allows_it(void **state)
{
        stranger s;

        (void)state;
        make_device("old", "\"auth\":\"open\"");
        char *job = make_job("old", "[{\"cmd\":\"get\",\"uri\":\"./A\"}]");
        for (int allowed = 0; allowed < 2; allowed++) {
                meet(&s, "old");
                s.session += (unsigned)allowed; /* the same octets again would be a repetition */
                s.dtd = "1.1";
                s.proto = "DM/1.1";
                say(&s, SETUP);
                assert_int_equal(status_of(&s, "0"), allowed ? 200 : 513);
                if (allowed) {
                        assert_str(s.reply->hdr.ver_proto, "DM/1.1");
                        go_on(&s);
                }
                leave(&s);
                if (!allowed)
                        assert_int_equal(daemon_ask(&server, false, "PATCH", "/api/v1/devices/old",
                                                    "{\"accept_dm11\":true}", NULL),
                                         200);
        }
        expect_job(job, "done");
}

/* ---- messages --------------------------------------------------------------------------- */

static void a_tree_in_an_alert_of_package_1_is_kept(void **state)
{
        stranger s;
        json_t *o = NULL;

        (void)state;
        make_device("tree", "\"auth\":\"open\"");
        meet(&s, "tree");
        say(&s, SETUP
            "<Alert><CmdID>3</CmdID><Data>1226</Data><Item><Source><LocURI>./Vendor/State</"
            "LocURI></Source>"
            "<Meta><Format>xml</Format><Type>application/vnd.syncml.dmtnds+xml</Type></Meta><Data>"
            "<MgmtTree "
            "xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node><NodeName>State</NodeName>"
            "<RTProperties><Format><node/></Format></RTProperties><Node><NodeName>Up</NodeName>"
            "<RTProperties><Format><bool/></Format></RTProperties><Value>true</Value></Node></Node>"
            "</MgmtTree></Data></Item></Alert>");
        assert_int_equal(status_of(&s, "0"), 200);
        assert_int_equal(status_of(&s, "3"), 200);
        go_on(&s);
        leave(&s);
        assert_int_equal(daemon_ask(&server, false, "GET",
                                    "/api/v1/devices/tree/tree?uri=./Vendor/State", NULL, &o),
                         200);
        char *text = json_dumps(o, 0);
        assert_non_null(strstr(text, "./Vendor/State/Up"));
        assert_non_null(strstr(text, "true"));
        free(text);
        json_decref(o);
}

static void a_zero_in_data_fails_its_item_only(void **state)
{
        static const char body[] = "<SyncML><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</"
                                   "VerProto><SessionID>1</SessionID>"
                                   "<MsgID>1</MsgID><Target><LocURI>http://localhost/dm</LocURI></"
                                   "Target><Source><LocURI>urn:zero"
                                   "</LocURI></Source></SyncHdr><SyncBody><Alert><CmdID>1</"
                                   "CmdID><Data>1201</Data></Alert>"
                                   "<Replace><CmdID>2</CmdID><Item><Source><LocURI>./DevInfo/Man</"
                                   "LocURI></Source><Data>Exa\0"
                                   "</Data></Item></Replace><Final/></SyncBody></SyncML>\0";
        stranger s;

        (void)state;
        make_device("zero", "\"auth\":\"open\"");
        meet(&s, "zero");
        s.msg = 1;
        post(&s, (odm_str){body, sizeof body - 1});
        assert_int_equal(s.status, 200);
        assert_int_equal(status_of(&s, "0"), 200);
        assert_int_equal(status_of(&s, "1"), 200);
        assert_int_equal(status_of(&s, "2"), 400);
        go_on(&s);
        leave(&s);
}

/* ---- a server that miscounts ------------------------------------------------------------ */

/* Between an agent and the server: announces nine octets more than each reply has. */
typedef struct between {
        int fd;
        unsigned port;
        pthread_t thread;
        bool keeps; /* the connection stays open behind a reply */
        unsigned replies;
} between;

static size_t read_whole(int fd, char *buf, size_t room)
{
        size_t n = 0;

        while (n < room - 1) {
                ssize_t got = recv(fd, buf + n, room - 1 - n, 0);
                if (got <= 0)
                        return 0;
                n += (size_t)got;
                buf[n] = 0;
                char *end = strstr(buf, "\r\n\r\n"),
                     *length = strcasestr(buf, "\r\nContent-Length: ");
                if (end && length && length < end &&
                    n >= (size_t)(end + 4 - buf) + strtoul(length + 18, NULL, 10))
                        return n;
        }
        return 0;
}

static void pass_on(between *b, int fd, char *buf)
{
        struct sockaddr_in sa = {.sin_family = AF_INET,
                                 .sin_addr = {htonl(INADDR_LOOPBACK)},
                                 .sin_port = htons((uint16_t)server.port)};
        size_t n;

        while ((n = read_whole(fd, buf, ROOM)) > 0) {
                int up = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                if (connect(up, (struct sockaddr *)&sa, sizeof sa) == 0 &&
                    send(up, buf, n, MSG_NOSIGNAL) == (ssize_t)n &&
                    (n = read_whole(up, buf, ROOM)) > 0) {
                        char *length = strcasestr(buf, "\r\nContent-Length: ") + 18, *rest;
                        unsigned long said = strtoul(length, &rest, 10);
                        char head[ROOM];
                        int h = snprintf(head, sizeof head, "%.*s%lu", (int)(length - buf), buf,
                                         said + 9);
                        (void)!send(fd, head, (size_t)h, MSG_NOSIGNAL | MSG_MORE);
                        (void)!send(fd, rest, n - (size_t)(rest - buf), MSG_NOSIGNAL);
                        b->replies++;
                }
                close(up);
                if (!b->keeps)
                        return;
        }
}

static void *stand_between(void *arg)
{
        between *b = arg;
        char *buf = malloc(ROOM);
        int fd;

        while ((fd = accept(b->fd, NULL, NULL)) >= 0) {
                pass_on(b, fd, buf);
                close(fd);
        }
        free(buf);
        return NULL;
}

static void between_start(between *b, bool keeps)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t n = sizeof sa;

        *b = (between){.keeps = keeps};
        b->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(b->fd, (struct sockaddr *)&sa, sizeof sa), 0);
        assert_int_equal(listen(b->fd, 8), 0);
        assert_int_equal(getsockname(b->fd, (struct sockaddr *)&sa, &n), 0);
        b->port = ntohs(sa.sin_port);
        assert_int_equal(pthread_create(&b->thread, NULL, stand_between, b), 0);
}

static void between_stop(between *b)
{
        (void)shutdown(b->fd, SHUT_RDWR);
        pthread_join(b->thread, NULL);
        close(b->fd);
}

static void an_agent_bears_lengths_that_are_too_long(void **state)
{
        (void)state;
        make_device("count", "\"user\":\"dev\",\"password\":\"pw\",\"server_user\":\"xrem\","
                             "\"server_password\":\"spw\"");
        for (int keeps = 0; keeps < 2; keeps++) {
                char text[1024], path[300];
                between b;
                between_start(&b, keeps);
                (void)snprintf(path, sizeof path, "%s", daemon_path(keeps ? "b.conf" : "a.conf"));
                (void)snprintf(text, sizeof text,
                               "[agent]\nstate = %s\n[device]\nid = urn:count\n[account]\n"
                               "server_id = xrem\nurl = http://127.0.0.1:%u/dm\nuser = "
                               "dev\npassword = pw\n"
                               "server_password = spw\n[wake]\nenabled = no\n[session]\nretry_min "
                               "= 500ms\n"
                               "retry_max = 1s\n",
                               daemon_path(keeps ? "b.d" : "a.d"), b.port);
                assert_int_equal(fsio_write(NULL, path, odm_cstr(text), 0600, NULL), 0);
                char *job = make_job("count", "[{\"cmd\":\"get\",\"uri\":\"./DevInfo/Man\"}]");
                const char *const args[] = {"--config", path, NULL};
                pid_t pid = daemon_run_program(DREMD, NULL, keeps ? "b.log" : "a.log", args);
                expect_job(job, "done");
                kill(pid, SIGTERM);
                assert_int_equal(daemon_end(pid), 0);
                between_stop(&b);
                assert_true(b.replies >= 2);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(media_types_are_answered_in_kind),
                cmocka_unit_test(chunked_requests_are_taken),
                cmocka_unit_test(resp_uri_is_a_whole_url),
                cmocka_unit_test(no_credentials_only_where_the_account_says_so),
                cmocka_unit_test(dm11_only_where_the_account_allows_it),
                cmocka_unit_test(a_tree_in_an_alert_of_package_1_is_kept),
                cmocka_unit_test(a_zero_in_data_fails_its_item_only),
                cmocka_unit_test(an_agent_bears_lengths_that_are_too_long),
        };

        return cmocka_run_group_tests(tests, open_server, close_server);
}
