/* SPDX-License-Identifier: Apache-2.0 */
/* A whole session in which the fuzzer is the device, and chooses what the host does.
 *
 * First octet: options.  Then messages: two octets of length, the octets, and one octet for
 * the host's choices while that message is worked on. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "odm/server.h"

static void *plain_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

static int fives(void *ctx, void *p, size_t n)
{
        (void)ctx;
        memset(p, 0x55, n);
        return 0;
}

static const odm_mem mem = {plain_resize, NULL};
static char large[6000];

static odm_item items[] = {
        {.target = {"./A", 3}},
        {.target = {"./B", 3}, .data = {ODM_DATA_TEXT, {"value", 5}}},
        {.target = {"./Big", 5},
         .meta = {.present = true, .format = ODM_FMT_BIN},
         .data = {ODM_DATA_OPAQUE, {large, sizeof large}}},
};
static odm_command members[] = {
        {.next = &members[1], .kind = ODM_CMD_REPLACE, .items = &items[1]},
        {.kind = ODM_CMD_DELETE, .items = &items[0]},
};
static odm_command commands[] = {
        {.next = &commands[1], .kind = ODM_CMD_GET, .items = &items[0]},
        {.next = &commands[2], .kind = ODM_CMD_ATOMIC, .body = members},
        {.next = &commands[3], .kind = ODM_CMD_REPLACE, .items = &items[2]},
        {.kind = ODM_CMD_SEQUENCE, .body = members},
};

struct session {
        odm_server_opt opt;
        odm_server *s;
        uint8_t choices;
        uint64_t jobs;
        unsigned told[8]; /* RESULTs of each job */
};

static void work(struct session *t, const odm_event *ev)
{
        odm_job job = {.id = ev->job ? ev->job : ++t->jobs,
                       .commands = commands,
                       .alone = t->choices & 1,
                       .split_atomic = t->choices & 2};
        bool give = ev->job ? !(t->choices & 4) : t->jobs <= 3;

        if (odm_server_work(t->s, give ? &job : NULL) < 0)
                assert(odm_server_ended(t->s) || ev->job);
}

static void hear(struct session *t, const odm_event *ev)
{
        switch (ev->kind) {
        case ODM_EV_WORK: work(t, ev); break;
        case ODM_EV_ALERT: odm_server_alert_status(t->s, t->choices & 8 ? 406 : 200); break;
        case ODM_EV_RESULT:
                assert(ev->command < 8 && ev->job <= 4);
                t->told[ev->job]++;
                break;
        case ODM_EV_JOB_DONE: assert(t->told[ev->job] == 8); break;
        case ODM_EV_AUTHENTICATED:
        case ODM_EV_AUTH_FAILED:
        case ODM_EV_NONCES:
        case ODM_EV_DEVINFO:
        case ODM_EV_SESSION_ALERT:
        case ODM_EV_END: break;
        }
}

static void reload(struct session *t)
{
        odm_buf b;
        odm_server *s;

        odm_buf_init(&b, &mem, 16u << 20);
        if (odm_server_save(t->s, &b) == 0) {
                int rc = odm_server_load(&t->opt, odm_buf_view(&b), &s);
                assert(rc == 0 || rc == ODM_ELIMIT);
                if (rc == 0) {
                        odm_server_free(t->s);
                        t->s = s;
                }
        }
        odm_buf_done(&b);
}

static void one_message(struct session *t, odm_str body)
{
        odm_packet in = {.body = body}, out;
        const odm_event *ev;
        odm_limits lim;
        odm_arena a;
        odm_msg *m;

        if (t->choices & 64)
                odm_server_abort(t->s);
        if (odm_server_recv(t->s, &in, (odm_time){0}) < 0)
                return;
        while (odm_server_next(t->s, &ev) == 1)
                hear(t, ev);
        if (odm_server_send(t->s, &out) != 1)
                return;
        odm_limits_init(&lim);
        odm_arena_init(&a, &mem, 16u << 20);
        const odm_codec *c = odm_codec_guess(out.body);
        assert(c && odm_decode(c, out.body, &lim, &a, &m) == 0); /* we speak SyncML */
        odm_arena_done(&a);
        if (t->choices & 32)
                reload(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct session t = {0};
        odm_str rest = {(const char *)data, n};

        if (n < 1)
                return 0;
        odm_server_opt_init(&t.opt, &mem);
        t.opt.rng = (odm_rng){fives, NULL};
        t.opt.server_uri = ODM_STR("http://s");
        t.opt.peer.known = !(data[0] & 1);
        t.opt.peer.type = data[0] & 2 ? ODM_AUTH_MD5 : ODM_AUTH_NONE;
        t.opt.peer.password = ODM_STR("pw");
        t.opt.peer.server_password = ODM_STR("spw");
        t.opt.peer.server_user = ODM_STR("srv");
        t.opt.peer.server_type = data[0] & 4 ? ODM_AUTH_MD5 : ODM_AUTH_NONE;
        t.opt.every_message = data[0] & 8;
        t.opt.max_in_message = data[0] & 16 ? 1 : 64;
        t.opt.max_memory = 2u << 20;
        t.opt.max_messages = 40;
        rest = odm_str_from(rest, 1);
        if (odm_server_new(&t.opt, &t.s) < 0)
                return 0;
        while (rest.n > 3) {
                size_t len = (size_t)((uint8_t)rest.p[0] << 8 | (uint8_t)rest.p[1]);
                t.choices = (uint8_t)rest.p[2];
                rest = odm_str_from(rest, 3);
                odm_str body = odm_str_to(rest, len);
                rest = odm_str_from(rest, len);
                one_message(&t, body);
        }
        odm_server_free(t.s);
        return 0;
}
