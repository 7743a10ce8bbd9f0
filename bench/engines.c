/* SPDX-License-Identifier: Apache-2.0 */
/* engines.c - whole sessions in one process, no sockets: the client engine over a tree, the server
 * engine with one job of 20 commands, each side proved by MD5 digest; four messages a session.
 * Then how much a session holds while the server waits for the device.  See bench/README.md. */
#include <string.h>

#include "measure.h"
#include "odm/client.h"
#include "odm/server.h"

#define COMMANDS 20
#define MESSAGES 4
#define OPEN 1000 /* sessions open at once */

#define DEVICE "IMEI:004999010640000"
#define USER "dev-0001"
#define PASSWORD "s3cr3t-pw"
#define SERVER_USER "com.example.dm"
#define SERVER_PASSWORD "srv-pass"
#define SERVER_URI "http://dm.example/s"

/* Cheap and predictable: what is measured is the engines. */
static int fill(void *ctx, void *p, size_t n)
{
        static uint64_t x = 88172645463325252U;
        uint8_t *to = p;

        (void)ctx;
        for (size_t i = 0; i < n; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                to[i] = (uint8_t)x;
        }
        return 0;
}

static const odm_rng rng = {fill, NULL};

/* ---- the two sides ------------------------------------------------------------------ */

struct pair {
        const odm_codec *codec;
        odm_tree *tree;
        odm_server_opt server_opt;
        odm_client_opt client_opt;
        odm_job job;
        odm_arena text; /* of the job */
        odm_wall wall;
        unsigned results;   /* of the session in hand */
        uint64_t octets[2]; /* of all messages: the device's, the server's */
        uint64_t messages;
};

static void set(struct pair *p, const char *uri, odm_format f, odm_str data)
{
        odm_value v = {f, ODM_ABSENT, data};

        bench_must(odm_tree_write(p->tree, odm_cstr(uri), &v, p->wall) == 0, uri);
}

static void open_access(struct pair *p)
{
        const odm_op all = {.kind = ODM_CMD_REPLACE,
                            .target = ODM_STR(".?prop=ACL"),
                            .value = {.data = ODM_STR("Add=*&Delete=*&Exec=*&Get=*&Replace=*")},
                            .has_value = true};
        odm_answer a;

        bench_must(odm_tree_do(p->tree, &all, p->wall, &p->text, &a) == 0 && a.status == ODM_ST_OK,
                   "the ACL");
}

static void make_device(struct pair *p)
{
        static const char *const leaves[][2] = {
                {"./DevInfo/DevId", DEVICE},
                {"./DevInfo/Man", "Example"},
                {"./DevInfo/Mod", "X1"},
                {"./DevInfo/DmV", "1.0"},
                {"./DevInfo/Lang", "en"},
                {"./DMAcc/main/AppID", "w7"},
                {"./DMAcc/main/ServerID", SERVER_USER},
                {"./DMAcc/main/AppAddr/1/Addr", SERVER_URI},
                {"./DMAcc/main/AppAddr/1/AddrType", "URI"},
                {"./DMAcc/main/AppAuth/1/AAuthLevel", "CLCRED"},
                {"./DMAcc/main/AppAuth/1/AAuthType", "DIGEST"},
                {"./DMAcc/main/AppAuth/1/AAuthName", USER},
                {"./DMAcc/main/AppAuth/1/AAuthSecret", PASSWORD},
                {"./DMAcc/main/AppAuth/2/AAuthLevel", "SRVCRED"},
                {"./DMAcc/main/AppAuth/2/AAuthType", "DIGEST"},
                {"./DMAcc/main/AppAuth/2/AAuthName", SERVER_USER},
                {"./DMAcc/main/AppAuth/2/AAuthSecret", SERVER_PASSWORD},
        };
        odm_tree_opt o;
        char uri[64];

        odm_tree_opt_init(&o, &bench_heap);
        bench_must(odm_tree_new(&o, &p->tree) == 0, "the tree");
        for (size_t i = 0; i < ODM_COUNT(leaves); i++)
                set(p, leaves[i][0], ODM_FMT_CHR, odm_cstr(leaves[i][1]));
        for (unsigned i = 0; i < COMMANDS; i++) {
                (void)snprintf(uri, sizeof uri, "./Vendor/App%u/Port", i);
                set(p, uri, ODM_FMT_CHR, ODM_STR("the value of a node"));
        }
        set(p, "./DMAcc/main/AppAuth/1/AAuthData", ODM_FMT_BIN, ODM_STR("first-of-device."));
        set(p, "./DMAcc/main/AppAuth/2/AAuthData", ODM_FMT_BIN, ODM_STR("first-of-server."));
        open_access(p);
        odm_client_opt_init(&p->client_opt, &bench_heap);
        p->client_opt.rng = rng;
        p->client_opt.codec = p->codec;
        p->client_opt.account = ODM_STR("./DMAcc/main");
}

/* Get and Replace in turn. */
static void make_job(struct pair *p)
{
        const odm_command **tail = &p->job.commands;

        p->job.id = 1;
        for (unsigned i = 0; i < COMMANDS; i++) {
                odm_command *c = odm_new(&p->text, odm_command);
                odm_item *it = odm_new(&p->text, odm_item);
                bench_must(c && it, "memory");
                c->kind = i % 2 ? ODM_CMD_REPLACE : ODM_CMD_GET;
                c->items = it;
                it->target = odm_arena_fmt(&p->text, "./Vendor/App%u/Port", i);
                if (c->kind == ODM_CMD_REPLACE)
                        it->data = (odm_data){ODM_DATA_TEXT, ODM_STR("another value of it")};
                *tail = c;
                tail = (const odm_command **)&c->next;
        }
}

static void make_server(struct pair *p)
{
        odm_server_opt *o = &p->server_opt;

        odm_server_opt_init(o, &bench_heap);
        o->rng = rng;
        o->server_uri = ODM_STR(SERVER_URI);
        o->resp_uri = ODM_STR(SERVER_URI "?sid=0123456789abcdef");
        o->peer = (odm_peer){.known = true,
                             .device_id = ODM_STR(DEVICE),
                             .user = ODM_STR(USER),
                             .type = ODM_AUTH_MD5,
                             .has_secret = true,
                             .has_nonce = true,
                             .server_user = ODM_STR(SERVER_USER),
                             .has_server_secret = true,
                             .server_type = ODM_AUTH_MD5};
        odm_secret_of(ODM_STR(USER), ODM_STR(PASSWORD), &o->peer.secret);
        odm_secret_of(ODM_STR(SERVER_USER), ODM_STR(SERVER_PASSWORD), &o->peer.server_secret);
        o->peer.nonce.n = o->peer.server_nonce.n = 16;
        memcpy(o->peer.nonce.p, "first-of-device.", 16);
        memcpy(o->peer.server_nonce.p, "first-of-server.", 16);
}

static void pair_init(struct pair *p, const odm_codec *codec)
{
        *p = (struct pair){.codec = codec, .wall = {1700000000}};
        odm_arena_init(&p->text, &bench_heap, BENCH_MOST);
        make_device(p);
        make_job(p);
        make_server(p);
}

static void pair_done(struct pair *p)
{
        odm_tree_free(p->tree);
        odm_arena_done(&p->text);
}

/* ---- a session ------------------------------------------------------------------------ */

static void hear(struct pair *p, odm_server *s, const odm_event *ev, bool *given)
{
        switch (ev->kind) {
        case ODM_EV_WORK:
                bench_must(odm_server_work(s, *given ? NULL : &p->job) == 0, "giving work");
                *given = true;
                break;
        case ODM_EV_RESULT:
                bench_must(ev->status == ODM_ST_OK, "a command");
                p->results++;
                break;
        case ODM_EV_NONCES:
                odm_server_nonces(s, &p->server_opt.peer.nonce, &p->server_opt.peer.previous,
                                  &p->server_opt.peer.server_nonce);
                p->server_opt.peer.has_previous = true;
                break;
        case ODM_EV_AUTHENTICATED:
        case ODM_EV_AUTH_FAILED:
        case ODM_EV_DEVINFO:
        case ODM_EV_SESSION_ALERT:
        case ODM_EV_ALERT:
        case ODM_EV_JOB_DONE:
        case ODM_EV_END: break;
        }
}

/* The server takes the device's message; *out is its reply. */
static void serve(struct pair *p, odm_server *s, const odm_packet *in, bool *given, odm_packet *out)
{
        const odm_event *ev;
        int rc;

        bench_must(odm_server_recv(s, in, (odm_time){0}) == 0, "the server");
        while ((rc = odm_server_next(s, &ev)) == 1)
                hear(p, s, ev, given);
        bench_must(rc == 0 && odm_server_send(s, out) == 1, "the reply");
        p->octets[0] += in->body.n;
        p->octets[1] += out->body.n;
        p->messages += 2;
}

/* The first two messages: what is between is what a server holds while it waits. */
static odm_server *begin(struct pair *p, odm_client *c, bool *given, odm_packet *reply)
{
        odm_packet sent;
        odm_server *s;

        bench_must(odm_server_new(&p->server_opt, &s) == 0, "a server session");
        bench_must(odm_client_start(c, (odm_time){0}, p->wall) == 0, "the start");
        bench_must(odm_client_send(c, &sent) == 1, "package 1");
        serve(p, s, &sent, given, reply);
        return s;
}

static void one_session(struct pair *p)
{
        bool given = false;
        odm_packet sent, reply;
        odm_client *c;

        p->results = 0;
        bench_must(odm_client_new(&p->client_opt, p->tree, &c) == 0, "a client session");
        odm_server *s = begin(p, c, &given, &reply);
        for (;;) {
                bench_must(odm_client_recv(c, &reply, (odm_time){0}, p->wall) == 0, "the client");
                if (odm_client_send(c, &sent) != 1)
                        break;
                serve(p, s, &sent, &given, &reply);
        }
        bench_must(odm_client_outcome(c) == ODM_OUTCOME_DONE && p->results == COMMANDS,
                   "the session");
        odm_client_free(c);
        odm_server_free(s);
}

/* ---- measuring -------------------------------------------------------------------------- */

struct figures {
        double us;                /* a session */
        double octets[2];         /* a session: from the device, from the server */
        double allocations;       /* a session */
        double held, heap, saved; /* octets of a waiting session: as it says; as the allocator
                                     counted; as bytes */
        size_t reply;             /* of them the reply, kept to be repeated */
};

static double round_of(struct pair *p, unsigned times)
{
        double start = bench_now_us();

        for (unsigned i = 0; i < times; i++)
                one_session(p);
        return (bench_now_us() - start) / times;
}

/* Many sessions wait at once for the device's second message. */
static void measure_memory(const odm_codec *codec, struct figures *f)
{
        static odm_server *open[OPEN];
        struct pair p;
        odm_packet reply;
        odm_client *c;
        odm_buf saved;

        pair_init(&p, codec);
        odm_buf_init(&saved, &bench_heap, BENCH_MOST);
        for (unsigned i = 0; i < OPEN; i++) {
                bool given = false;
                struct pair fresh = p; /* the same nonces again */
                bench_must(odm_client_new(&p.client_opt, p.tree, &c) == 0, "a client session");
                open[i] = begin(&fresh, c, &given, &reply);
                f->reply = reply.body.n;
                f->held += (double)odm_server_memory(open[i]) / OPEN;
                odm_client_free(c);
        }
        f->heap = (double)bench_live;
        for (unsigned i = 0; i < OPEN; i++) {
                bench_must(odm_server_save(open[i], &saved) == 0, "saving");
                f->saved += (double)saved.n / OPEN;
                odm_buf_cut(&saved, 0);
                odm_server_free(open[i]);
        }
        odm_buf_done(&saved);
        f->heap = (f->heap - (double)bench_live) / OPEN;
        pair_done(&p);
}

static void measure(const odm_codec *const codecs[2], unsigned rounds, struct figures out[2])
{
        static double taken[2][BENCH_ROUNDS];
        struct pair p[2];
        unsigned times = 200;

        for (int i = 0; i < 2; i++) {
                pair_init(&p[i], codecs[i]);
                (void)round_of(&p[i], 20);
                p[i].octets[0] = p[i].octets[1] = p[i].messages = 0;
        }
        for (unsigned r = 0; r < rounds; r++)
                for (int i = 0; i < 2; i++) {
                        size_t was = bench_allocations;
                        taken[i][r] = round_of(&p[i], times);
                        out[i].allocations = (double)(bench_allocations - was) / times;
                }
        for (int i = 0; i < 2; i++) {
                double sessions = (double)rounds * times;
                bench_must(p[i].messages == (uint64_t)rounds * times * MESSAGES, "four messages");
                out[i].us = bench_median(taken[i], rounds);
                out[i].octets[0] = (double)p[i].octets[0] / sessions;
                out[i].octets[1] = (double)p[i].octets[1] / sessions;
                pair_done(&p[i]);
                measure_memory(codecs[i], &out[i]);
        }
}

static void print_table(const odm_codec *c, const struct figures *f)
{
        printf("%s: %d messages, %d commands, MD5 both ways; %.0f octets from the device, %.0f "
               "from "
               "the server\n",
               odm_codec_name(c), MESSAGES, COMMANDS, f->octets[0], f->octets[1]);
        printf("  a session, both engines    %10.1f us   %8.0f a second   %5.0f allocations\n",
               f->us, 1e6 / f->us, f->allocations);
        printf("  server, waiting            %10.0f octets, %zu of them the reply (%.0f by the "
               "allocator)\n",
               f->held, f->reply, f->heap);
        printf("  server, saved              %10.0f octets\n", f->saved);
}

static void print_json(const odm_codec *c, const struct figures *f)
{
        bench_row(true);
        printf("{\"codec\": \"%s\", \"messages\": %d, \"commands\": %d, \"us\": %.2f, "
               "\"sessions_per_second\": %.0f, \"allocations\": %.0f, \"device_octets\": %.0f, "
               "\"server_octets\": %.0f, \"waiting_octets\": %.0f, \"reply_octets\": %zu, "
               "\"saved_octets\": %.0f}",
               odm_codec_name(c), MESSAGES, COMMANDS, f->us, 1e6 / f->us, f->allocations,
               f->octets[0], f->octets[1], f->held, f->reply, f->saved);
}

/* For a profiler, which counts instructions where a clock cannot. */
static int run_only(const char *name, const odm_codec *const codecs[2], unsigned rounds)
{
        for (int i = 0; i < 2; i++)
                if (strcmp(odm_codec_name(codecs[i]), name) == 0) {
                        struct pair p;
                        pair_init(&p, codecs[i]);
                        (void)round_of(&p, rounds);
                        pair_done(&p);
                        return 0;
                }
        bench_refuse("there is no codec %s", name);
}

static void usage(void)
{
        printf("usage: bench-engines [--json] [--rounds N] [--only wbxml|xml]\n"
               "Times whole sessions of the two engines, and weighs one that waits; medians of\n"
               "N rounds (11) of processor time.\n"
               "  --only CODEC  run N sessions and print nothing, to be counted by a profiler\n");
}

int main(int argc, char **argv)
{
        const odm_codec *const codecs[2] = {&odm_codec_wbxml, &odm_codec_xml};
        struct figures f[2] = {0};
        bench_opt o;

        bench_options(argc, argv, false, usage, &o);
        if (o.only)
                return run_only(o.only, codecs, o.rounds);
        measure(codecs, o.rounds, f);
        for (int i = 0; i < 2; i++)
                if (o.json)
                        print_json(codecs[i], &f[i]);
                else
                        print_table(codecs[i], &f[i]);
        bench_rows_end(o.json);
        return 0;
}
