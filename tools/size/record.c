/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - plays the device against the server engine and prints, as C, what both said.
 *
 *     size-record few|many
 *
 * Few: 20 commands, with values of 200 octets.  Many: 60, with values of 60.  Either way messages
 * grow to the 4 kB that the device takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "odm/server.h"

#define COMMANDS_FEW 20
#define COMMANDS_MANY 60
#define MESSAGES 64

static void *heap_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx, (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

static const odm_mem heap = {heap_resize, NULL};

struct talk {
        odm_server *server;
        odm_arena text; /* of the job, and what was said */
        odm_job job;
        bool given, many;
        odm_str said[2][MESSAGES];
        unsigned n, ok;
};

static void must(bool holds, const char *what)
{
        if (!holds) {
                fprintf(stderr, "record: %s failed\n", what);
                exit(1);
        }
}

static unsigned commands_of(const struct talk *t)
{
        return t->many ? COMMANDS_MANY : COMMANDS_FEW;
}

/* Gets, of a document too, then changes. */
static void make_job(struct talk *t)
{
        static const char *const asked[] = {"./DevInfo", "./DevDetail?list=TNDS", "./DMAcc/main",
                                            "./DevDetail/URI"};
        const odm_command **tail = &t->job.commands;

        t->job.id = 1;
        for (unsigned i = 0; i < commands_of(t); i++) {
                odm_command *c = odm_new(&t->text, odm_command);
                odm_item *it = odm_new(&t->text, odm_item);
                must(c && it, "memory");
                c->items = it;
                *tail = c;
                tail = (const odm_command **)&c->next;
                c->kind = i < ODM_COUNT(asked) ? ODM_CMD_GET : ODM_CMD_REPLACE;
                it->target =
                        c->kind == ODM_CMD_GET ? odm_cstr(asked[i]) : ODM_STR("./Vendor/App/Log");
                if (c->kind == ODM_CMD_REPLACE)
                        it->data = (odm_data){ODM_DATA_TEXT, odm_arena_fmt(&t->text, "%0*u",
                                                                           t->many ? 60 : 200, i)};
        }
}

static void hear(struct talk *t, const odm_event *ev)
{
        if (ev->kind == ODM_EV_WORK) {
                must(odm_server_work(t->server, t->given ? NULL : &t->job) == 0, "giving work");
                t->given = true;
        } else if (ev->kind == ODM_EV_RESULT) {
                t->ok += odm_status_ok(ev->status);
        }
}

static odm_str post(void *ctx, odm_str message)
{
        struct talk *t = ctx;
        odm_packet in = {.body = message,
                         .content_type = ODM_STR("application/vnd.syncml.dm+wbxml")},
                   out;
        const odm_event *ev;
        int rc;

        must(t->n < MESSAGES, "a short session");
        must(odm_server_recv(t->server, &in, (odm_time){0}) == 0, "the server");
        while ((rc = odm_server_next(t->server, &ev)) == 1)
                hear(t, ev);
        must(rc == 0 && odm_server_send(t->server, &out) == 1, "the reply");
        t->said[0][t->n] = odm_arena_copy(&t->text, message);
        t->said[1][t->n] = odm_arena_copy(&t->text, out.body);
        return t->said[1][t->n++];
}

static void print_octets(char side, unsigned i, odm_str s)
{
        printf("static const char %c%u[] = {", side, i);
        for (size_t k = 0; k < s.n; k++)
                printf("%s%d,", k % 24 ? "" : "\n", (signed char)s.p[k]);
        printf("};\n");
}

static void print_talk(const struct talk *t)
{
        printf("#include \"talk.h\"\n");
        for (unsigned i = 0; i < t->n; i++) {
                print_octets('d', i, t->said[0][i]);
                print_octets('s', i, t->said[1][i]);
        }
        printf("const struct talk_turn talk_turns[] = {\n");
        for (unsigned i = 0; i < t->n; i++)
                printf("{{d%u, sizeof d%u}, {s%u, sizeof s%u}},\n", i, i, i, i);
        printf("};\nconst unsigned talk_n = %u;\n", t->n);
}

static void start(struct talk *t, uint32_t *seed)
{
        odm_server_opt o;

        odm_server_opt_init(&o, &heap);
        o.rng = (odm_rng){device_fill, seed};
        o.server_uri = ODM_STR(DEVICE_URI);
        o.resp_uri = ODM_STR(DEVICE_URI "?sid=0123456789abcdef");
        o.peer = (odm_peer){.known = true,
                            .device_id = ODM_STR(DEVICE_ID),
                            .user = ODM_STR(DEVICE_USER),
                            .type = ODM_AUTH_MD5,
                            .has_secret = true,
                            .has_nonce = true,
                            .server_user = ODM_STR(DEVICE_SERVER),
                            .has_server_secret = true,
                            .server_type = ODM_AUTH_MD5};
        odm_secret_of(ODM_STR(DEVICE_USER), ODM_STR(DEVICE_PASSWORD), &o.peer.secret);
        odm_secret_of(ODM_STR(DEVICE_SERVER), ODM_STR(DEVICE_SERVER_PASSWORD),
                      &o.peer.server_secret);
        o.peer.nonce.n = o.peer.server_nonce.n = 16;
        memcpy(o.peer.nonce.p, DEVICE_NONCE, 16);
        memcpy(o.peer.server_nonce.p, DEVICE_SERVER_NONCE, 16);
        must(odm_server_new(&o, &t->server) == 0, "a server session");
}

int main(int argc, char **argv)
{
        static struct talk t;
        struct device_use use;
        uint32_t seed = 88172645;

        odm_arena_init(&t.text, &heap, (size_t)1 << 24);
        must(argc == 2, "few or many, which is to be said,");
        t.many = strcmp(argv[1], "many") == 0;
        make_job(&t);
        start(&t, &seed);
        const char *wrong = device_run(post, &t, &use);
        must(wrong == NULL, wrong);
        must(t.ok == commands_of(&t), "a command");
        print_talk(&t);
        odm_server_free(t.server);
        odm_arena_done(&t.text);
        return 0;
}
