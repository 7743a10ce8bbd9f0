/* SPDX-License-Identifier: Apache-2.0 */
/* omadm_test.c - a real agent (dremd's) that has the adapter as its server, over HTTP on loopback;
 * the gateway is the test's. */
#include "omadm.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent_lab.h"
#include "bootstrap.h"
#include "heap.h"
#include "log.h"
#include "odm/notify.h"
#include "omadm_record.h"
#include "support.h"

#define DEVICE "urn:uuid:behind-1"
#define SELFTEST "./DiagMon/SelfTest"

struct gw_device { /* what the test keeps of a record */
        char id[64], protocol[16], man[64], mod[64], fwv[64], dms[64], mos[2048];
        void *native;
        bool awake, is_gateway;
        int64_t wake_interval_s, lifetime_s;
};

typedef struct heard { /* an alert */
        char type[96], source[96], data[256], correlator[32], mark[16];
        odm_format format;
        odm_wall at;
} heard;

typedef struct ended { /* an order */
        bool done;
        unsigned status, answers[8];
        size_t n;
        char text[128], values[4096];
} ended;

typedef struct world {
        char dir[64];
        cfg *gw_conf, *conf; /* of the gateway, of the device */
        loop *l;
        store *store;
        void *a;
        agent *g;
        unsigned port;
        gw_device record;
        bool seen, refuse, known_at_once;
        unsigned n_seen, n_awake, n_asleep;
        int64_t asleep_ms;
        gw_device *known; /* its record at a start */
        heard heard[16];
        size_t n_heard, n_large;
        int alert_rc;
        unsigned reply;
        char reply_text[128];
        const odm_command *at_wake; /* ordered as soon as it is awake */
        ended e;
} world;

/* ---- the gateway ------------------------------------------------------------------------ */

static void put(char *to, size_t room, odm_str s)
{
        if (s.p)
                (void)snprintf(to, room, "%.*s", (int)s.n, s.p);
}

#define PUT(to, s) put(to, sizeof(to), s)

static gw_device *seen(void *ctx, const adapter_class *k, const adapter_device *d, void *native,
                       unsigned *why)
{
        world *w = ctx;
        gw_device *r = &w->record;
        size_t n = 0;

        assert_ptr_equal(k, &omadm_class);
        if (w->n_seen++ == 0)
                w->known_at_once = d->n_mos > 0;
        *why = 403;
        if (w->refuse)
                return NULL;
        PUT(r->id, d->id);
        PUT(r->protocol, d->protocol);
        PUT(r->man, d->man);
        PUT(r->mod, d->mod);
        PUT(r->fwv, d->fwv);
        PUT(r->dms, d->dms);
        for (size_t i = 0; i < d->n_mos && n < sizeof r->mos; i++)
                n += (size_t)snprintf(r->mos + n, sizeof r->mos - n, "%.*s ", (int)d->mos[i].n,
                                      d->mos[i].p);
        r->native = native;
        r->is_gateway = d->is_gateway;
        r->wake_interval_s = d->wake_interval_s;
        r->lifetime_s = d->lifetime_s;
        w->seen = true;
        return r;
}

static void done(void *ctx, uint64_t id, unsigned status, odm_str text, const adapter_answer *v,
                 size_t n)
{
        world *w = ctx;
        ended *e = &w->e;
        size_t at = 0;

        assert_int_equal(id, 77);
        assert_false(e->done);
        *e = (ended){.done = true, .status = status, .n = n};
        PUT(e->text, text);
        for (size_t i = 0; i < n; i++) {
                if (i < ODM_COUNT(e->answers))
                        e->answers[i] = v[i].status;
                for (size_t k = 0; k < v[i].n && at < sizeof e->values; k++) {
                        const adapter_node *x = &v[i].nodes[k];
                        at += (size_t)snprintf(e->values + at, sizeof e->values - at,
                                               "%.*s %s %.*s\n", (int)x->path.n, x->path.p,
                                               x->value.format ? odm_format_name(x->value.format)
                                                               : "-",
                                               x->has_data ? (int)x->value.data.n : 1,
                                               x->has_data ? x->value.data.p : "-");
                }
        }
}

static void order(world *w, const odm_command *list, int64_t ms)
{
        w->e = (ended){0};
        omadm_class.commands(w->a, 77, &w->record, w->record.native, list, ms, done, w);
}

static void awake(void *ctx, gw_device *d, int64_t ms)
{
        world *w = ctx;
        const odm_command *list = w->at_wake;

        (void)ms;
        d->awake = true;
        w->n_awake++;
        w->at_wake = NULL;
        if (list)
                order(w, list, 20000);
}

static void asleep(void *ctx, gw_device *d, int64_t ms)
{
        d->awake = false;
        ((world *)ctx)->n_asleep++;
        ((world *)ctx)->asleep_ms = ms;
}

static void gone(void *ctx, gw_device *d, adapter_gone why)
{
        (void)ctx;
        (void)d;
        fail_msg("gone for %d", (int)why);
}

static void reply(void *ctx, uint64_t id, const adapter_reply *r)
{
        world *w = ctx;

        assert_int_equal(id, 78);
        w->reply = r->status;
        PUT(w->reply_text, r->text);
}

static void changed(void *ctx, gw_device *d, const adapter_node *v, size_t n)
{
        (void)ctx;
        (void)d;
        (void)v;
        (void)n;
}

static int alert(void *ctx, gw_device *d, const odm_alert *x, odm_wall at)
{
        world *w = ctx;
        heard *h = &w->heard[w->n_heard % ODM_COUNT(w->heard)];

        assert_ptr_equal(d, &w->record);
        if (w->alert_rc < 0)
                return w->alert_rc;
        if (x->data.n > sizeof h->data) {
                w->n_large++;
                return 0;
        }
        assert_true(w->n_heard < ODM_COUNT(w->heard));
        *h = (heard){.format = x->format, .at = at};
        PUT(h->type, x->type);
        PUT(h->source, x->source);
        PUT(h->data, x->data);
        PUT(h->correlator, x->correlator);
        PUT(h->mark, x->mark);
        w->n_heard++;
        return 0;
}

static gw_device *known(void *ctx, odm_str id)
{
        const world *w = ctx;

        return odm_str_is(id, DEVICE) ? w->known : NULL;
}

#define ACCOUNT                                                                                   \
        "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD>"                                \
        "<Node><NodeName>gw</NodeName><RTProperties><Format><node/></Format>"                     \
        "<Type><DDFName>urn:oma:mo:oma-dm-dmacc:1.0</DDFName></Type></RTProperties>" LEAF(        \
                "AppID", "w7") LEAF("ServerID", "gremd")                                          \
                INNER("AppAddr", INNER("1", LEAF("Addr", "%s") LEAF("AddrType", "URI"))) INNER(   \
                        "AppAuth",                                                                \
                        INNER("1", LEAF("AAuthLevel", "CLCRED") LEAF("AAuthType", "DIGEST") LEAF( \
                                           "AAuthName", "someone") LEAF("AAuthSecret", "let-in")) \
                                INNER("2",                                                        \
                                      LEAF("AAuthLevel", "SRVCRED") LEAF(                         \
                                              "AAuthType", "DIGEST") LEAF("AAuthName", "gremd")   \
                                              LEAF("AAuthSecret", "known"))) "</Node></MgmtTree>"
#define LEAF(name, value)                                                          \
        "<Node><NodeName>" name "</NodeName><RTProperties><Format><chr/></Format>" \
        "<Type><MIME>text/plain</MIME></Type></RTProperties><Value>" value "</Value></Node>"
#define INNER(name, inside)                                                         \
        "<Node><NodeName>" name "</NodeName><RTProperties><Format><node/></Format>" \
        "</RTProperties>" inside "</Node>"

static int bootstrap(void *ctx, const adapter_device *d, odm_arena *a, odm_str *out)
{
        world *w = ctx;
        odm_str url = odm_arena_fmt(a, "http://127.0.0.1:%u/dm", w->port);

        if (!odm_str_is(d->id, DEVICE) || !odm_str_is(d->mod, "M 1"))
                return ODM_ENOENT;
        *out = odm_arena_fmt(a, ACCOUNT, url.p);
        return out->p ? 0 : odm_arena_err(a);
}

/* ---- the world -------------------------------------------------------------------------- */

/* The second time at the port it had. */
static void open_gateway(world *w)
{
        char where[128], why[STORE_DIAG];
        const adapter_host h = {.loop = w->l,
                                .conf = w->gw_conf,
                                .folder = w->dir,
                                .seen = seen,
                                .awake = awake,
                                .asleep = asleep,
                                .gone = gone,
                                .reply = reply,
                                .changed = changed,
                                .alert = alert,
                                .ctx = w,
                                .bootstrap = bootstrap,
                                .known = known};
        adapter_host host = h;
        store_opt o;
        diag d = {{0}};

        (void)snprintf(where, sizeof where, "sqlite:%s/grem.db", w->dir);
        store_opt_init(&o);
        o.where = where;
        o.tables = omadm_class.tables;
        o.n_tables = 1;
        assert_int_equal(store_open(&o, &w->store, why), 0);
        host.store = w->store;
        lab_set(w->gw_conf, "omadm.listen=127.0.0.1:%u", w->port);
        if (omadm_class.open(&host, &w->a, &d) < 0)
                fail_msg("%s", d.text);
        omadm_class.enumerate(w->a);
        w->port = omadm_port(w->a, false);
}

static void close_gateway(world *w)
{
        omadm_class.close(w->a);
        store_close(w->store);
        w->a = w->store = NULL;
}

static void configure_device(world *w)
{
        assert_int_equal(cfg_new(conf_keys, conf_keys_n, &w->conf), 0);
        lab_set(w->conf, "agent.state=%s/device", w->dir);
        lab_account(w->conf, "gremd", "127.0.0.1", w->port, "someone", "let-in", "known");
        lab_set(w->conf, "device.id=" DEVICE);
        lab_set(w->conf, "wake.listen=127.0.0.1:0");
        assert_int_equal(
                cfg_parse(w->conf, ODM_STR("[check good]\ncommand = true\n"), "test", NULL), 0);
}

static int set_up(void **state)
{
        world *w = calloc(1, sizeof *w);

        lab_begin(w->dir, "omadm_test");
        assert_int_equal(cfg_new(omadm_class.keys, omadm_class.n_keys, &w->gw_conf), 0);
        lab_set(w->gw_conf, "omadm.unknown=accept");
        lab_set(w->gw_conf, "omadm.accept_password=let-in");
        lab_set(w->gw_conf, "omadm.accept_server_password=known");
        lab_set(w->gw_conf, "omadm.wake_first=200ms");
        lab_set(w->gw_conf, "omadm.relay=127.0.0.1:0");
        lab_set(w->gw_conf, "omadm.bootstrap_key=shared");
        assert_int_equal(loop_new(&w->l), 0);
        open_gateway(w);
        configure_device(w);
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        world *w = *state;

        agent_close(w->g);
        if (w->a)
                close_gateway(w);
        loop_free(w->l);
        cfg_free(w->conf);
        cfg_free(w->gw_conf);
        lab_remove(w->dir);
        free(w);
        return 0;
}

static void open_agent(world *w)
{
        lab_open(w->conf, w->l, NULL, &w->g);
}

static void close_agent(world *w)
{
        agent_close(w->g);
        w->g = NULL;
}

#define RUN_UNTIL(w, condition)                                                             \
        do {                                                                                \
                odm_time limit_ = odm_time_add(loop_now(), 15000);                          \
                while (!(condition)) {                                                      \
                        if (odm_time_reached(loop_now(), limit_))                           \
                                fail_msg("it never was: %s (%s)", #condition, (w)->e.text); \
                        assert_int_equal(loop_once((w)->l, 20), 0);                         \
                }                                                                           \
        } while (0)

/* A session, and all that comes of it. */
static void attach(world *w)
{
        open_agent(w);
        RUN_UNTIL(w, w->record.mos[0]); /* the inquiry of the first session */
        RUN_UNTIL(w, lab_status_has(w->g, "last-outcome: done"));
}

/* ---- commands ----------------------------------------------------------------------------- */

typedef struct word {
        odm_command c;
        odm_item i;
} word;

static odm_command *command(word *x, odm_cmd kind, const char *uri, const char *data,
                            odm_format format, odm_command *next)
{
        *x = (word){.c = {.kind = kind, .next = next}};
        x->c.items = &x->i;
        x->i.target = odm_cstr(uri);
        if (data) {
                x->i.data = (odm_data){ODM_DATA_TEXT, odm_cstr(data)};
                x->i.meta = (odm_meta){.present = true, .format = format};
        }
        return &x->c;
}

static void is(const char *got, const char *want)
{
        if (!strstr(got, want))
                fail_msg("no '%s' in:\n%s", want, got);
}

static void it_is_seen_when_it_has_proved_itself(void **state)
{
        world *w = *state;

        attach(w);
        assert_true(w->known_at_once); /* a gateway's key is told by what it is */
        assert_string_equal(w->record.id, DEVICE);
        assert_string_equal(w->record.protocol, "OMA-DM/1.2");
        assert_true(w->record.man[0] && w->record.mod[0] && w->record.fwv[0]);
        assert_false(w->record.is_gateway);
        assert_true(w->record.awake); /* for good: it says where it can be woken */
        assert_int_equal(w->record.wake_interval_s, -1);
        assert_true(w->record.lifetime_s > 0);
        is(w->record.mos, "urn:oma:mo:oma-dm-devdetail:1.");
        is(w->record.mos, "urn:oma:mo:oma-diag:memory:1.0");
}

static void who_proves_nothing_is_not(void **state)
{
        world *w = *state;

        lab_set(w->conf, "account.password=guess");
        open_agent(w);
        RUN_UNTIL(w, lab_status_has(w->g, "last-outcome: auth-refused"));
        assert_false(w->seen);
}

static void who_is_refused_gets_nothing(void **state)
{
        world *w = *state;
        unsigned before;
        word get;

        attach(w);
        order(w, command(&get, ODM_CMD_GET, "./DevInfo/Man", NULL, 0, NULL), 20000);
        w->refuse = true;
        before = w->n_seen;
        RUN_UNTIL(w, w->n_seen > before + 1); /* it calls, and calls again */
        assert_false(w->e.done);
}

static void commands_are_carried_out_after_a_wake_up(void **state)
{
        world *w = *state;
        word v[6], in[2];
        odm_command *list;

        attach(w);
        list = command(&v[5], ODM_CMD_GET, "./Nowhere", NULL, 0, NULL);
        list = command(&v[4], ODM_CMD_EXEC, "./Vendor/xrem/Ping", NULL, 0, list);
        list = command(&v[3], ODM_CMD_SEQUENCE, "", NULL, 0, list);
        v[3].c.items = NULL;
        v[3].c.body = command(&in[0], ODM_CMD_REPLACE, "./Vendor/xrem/Config/Interval", "3600",
                              ODM_FMT_INT, NULL);
        v[3].c.body->next =
                command(&in[1], ODM_CMD_GET, "./Vendor/xrem/Config/Interval", NULL, 0, NULL);
        list = command(&v[2], ODM_CMD_GET, "./DevInfo?list=StructData", NULL, 0, list);
        list = command(&v[1], ODM_CMD_GET, "./DevDetail/URI", NULL, 0, list);
        list = command(&v[0], ODM_CMD_GET, "./DevInfo/DevId", NULL, 0, list);
        order(w, list, 20000);
        assert_false(w->e.done);
        RUN_UNTIL(w, w->e.done);
        assert_int_equal(w->e.status, 200);
        assert_int_equal(w->e.n, 8);
        static const unsigned want[] = {200, 200, 200, 200, 200, 200, 200, 404};
        for (size_t i = 0; i < 8; i++)
                if (w->e.answers[i] != want[i])
                        fail_msg("command %zu: %u\n%s", i, w->e.answers[i], w->e.values);
        is(w->e.values, "./DevInfo/DevId chr " DEVICE "\n");
        is(w->e.values, "./DevDetail/URI node -\n");
        is(w->e.values, "./DevDetail/URI/MaxDepth - -\n");
        is(w->e.values, "./DevInfo/Lang chr ");
        is(w->e.values, "./Vendor/xrem/Config/Interval int 3600\n");
}

/* One item a command of the job, one answer the command. */
static void items_of_one_command_have_one_answer(void **state)
{
        world *w = *state;
        word get;
        odm_item two = {.target = ODM_STR("./DevInfo/Man")};

        attach(w);
        command(&get, ODM_CMD_GET, "./DevInfo/DevId", NULL, 0, NULL);
        get.i.next = &two;
        order(w, &get.c, 20000);
        RUN_UNTIL(w, w->e.done);
        assert_int_equal(w->e.n, 1);
        assert_int_equal(w->e.answers[0], 200);
        is(w->e.values, "./DevInfo/DevId chr " DEVICE "\n");
        is(w->e.values, "./DevInfo/Man ");
}

#define COMPLETE "urn:oma:at:diagmon:1.0:OperationComplete"

static const heard *complete(const world *w, unsigned *n)
{
        const heard *h = NULL;

        *n = 0;
        for (size_t i = 0; i < w->n_heard; i++)
                if (strcmp(w->heard[i].type, COMPLETE) == 0) {
                        h = &w->heard[i];
                        (*n)++;
                }
        return h;
}

static void the_end_of_an_exec_is_its_alert(void **state)
{
        world *w = *state;
        const heard *h;
        unsigned n;
        word exec;

        attach(w);
        command(&exec, ODM_CMD_EXEC, SELFTEST "/Operations/Start", NULL, 0, NULL);
        exec.c.correlator = ODM_STR("c-42");
        order(w, &exec.c, 20000);
        RUN_UNTIL(w, w->e.done);
        assert_int_equal(w->e.n, 1);
        assert_int_equal(w->e.answers[0], 202);
        RUN_UNTIL(w, (h = complete(w, &n)) != NULL);
        assert_int_equal(n, 1);
        assert_string_equal(h->correlator, "c-42");
        is(h->source, SELFTEST);
        is(h->data, "1200");
        assert_true(h->at.s > 0);
}

static bool is_in_log(world *w, const char *text)
{
        store_event_list l = {0};
        odm_arena m;
        bool found = false;

        odm_arena_init(&m, &heap_mem, 1 << 20);
        assert_int_equal(store_event_find(w->store, 0, 0, 1000, &m, &l), 0);
        for (size_t i = 0; i < l.n && !found; i++)
                found = memmem(l.v[i].data.p, l.v[i].data.n, text, strlen(text)) != NULL;
        odm_arena_done(&m);
        return found;
}

static void an_alert_waits_until_it_is_taken(void **state)
{
        world *w = *state;
        unsigned n;
        word exec;

        attach(w);
        w->alert_rc = ODM_ELIMIT;
        command(&exec, ODM_CMD_EXEC, SELFTEST "/Operations/Start", NULL, 0, NULL);
        order(w, &exec.c, 20000);
        RUN_UNTIL(w, w->e.done);
        RUN_UNTIL(w, is_in_log(w, COMPLETE));
        close_agent(w);
        close_gateway(w);
        assert_int_equal(w->n_heard, 0);
        w->alert_rc = 0;
        open_gateway(w); /* it is in the log */
        assert_non_null(complete(w, &n));
        assert_int_equal(n, 1);
        close_gateway(w);
        open_gateway(w); /* and its place is kept */
        assert_non_null(complete(w, &n));
        assert_int_equal(n, 1);
}

#define LARGE ((size_t)1 << 20)

static void put_large(store *st, unsigned n)
{
        static char text[LARGE + 128];
        int head = snprintf(text, sizeof text,
                            "{\"code\":1226,\"type\":\"urn:x\",\"source\":\"./A\",\"data\":\"");
        store_device d;
        odm_arena a;

        memset(text + head, 'x', LARGE);
        memcpy(text + head + LARGE, "\"}", 2);
        odm_arena_init(&a, &heap_mem, 1 << 20);
        assert_int_equal(store_device_by_devid(st, ODM_STR(DEVICE), &a, &d), 0);
        for (unsigned i = 0; i < n; i++) {
                store_batch *b = store_batch_new();
                store_op *op = store_batch_add(b, STORE_EVENT_ADD);

                assert_non_null(op);
                op->event = (store_event){.device = d.id,
                                          .kind = ODM_STR("alert"),
                                          .data = {text, (size_t)head + LARGE + 2}};
                assert_int_equal(store_write_sync(st, b), 0);
                store_batch_free(b);
        }
        odm_arena_done(&a);
}

/* More of them than a page can hold in memory. */
static void large_alerts_hold_up_nothing(void **state)
{
        char where[128], why[STORE_DIAG];
        world *w = *state;
        store_opt o;

        attach(w);
        close_agent(w);
        close_gateway(w);
        (void)snprintf(where, sizeof where, "sqlite:%s/grem.db", w->dir);
        store_opt_init(&o);
        o.where = where;
        o.tables = omadm_class.tables;
        o.n_tables = 1;
        assert_int_equal(store_open(&o, &w->store, why), 0);
        put_large(w->store, 70);
        store_close(w->store);
        open_gateway(w);
        RUN_UNTIL(w, w->n_large == 70);
}

/* A device that cannot be woken is awaited, and what waits for it goes with its next session. */
static void a_sleeper_gets_it_in_its_session(void **state)
{
        world *w = *state;
        word get;

        lab_set(w->conf, "wake.enabled=no");
        attach(w);
        RUN_UNTIL(w, !w->record.awake);
        assert_true(w->record.wake_interval_s > 0);
        w->at_wake = command(&get, ODM_CMD_GET, "./DevInfo/Man", NULL, 0, NULL);
        agent_sync(w->g, "test");
        RUN_UNTIL(w, w->e.done);
        assert_int_equal(w->e.answers[0], 200);
}

static void an_order_can_be_taken_back(void **state)
{
        world *w = *state;
        word get;
        store_job_list l = {.n = 1};
        const store_job_filter open = {.states = STORE_JOB_OPEN};
        odm_arena m;

        attach(w);
        close_agent(w);
        command(&get, ODM_CMD_GET, "./DevInfo/Man", NULL, 0, NULL);
        order(w, &get.c, 20000);
        omadm_class.cancel(w->a, 77); /* before it is written, and after */
        order(w, &get.c, 20000);
        for (int i = 0; i < 20; i++)
                assert_int_equal(loop_once(w->l, 20), 0);
        omadm_class.cancel(w->a, 77);
        omadm_class.cancel(w->a, 79);
        odm_arena_init(&m, &heap_mem, 1 << 20);
        RUN_UNTIL(w, store_job_find(w->store, &open, &m, &l) == 0 && l.n == 0);
        odm_arena_done(&m);
        assert_false(w->e.done);
        RUN_UNTIL(w, !w->record.awake); /* it did not answer */
}

/* What was ordered before is nobody's any more; the device is still known. */
static void a_restart_in_the_middle(void **state)
{
        world *w = *state;
        word get;

        attach(w);
        close_agent(w);
        command(&get, ODM_CMD_GET, "./DevInfo/Man", NULL, 0, NULL);
        order(w, &get.c, 20000);
        RUN_UNTIL(w, loop_once(w->l, 50) == 0);
        close_gateway(w);
        assert_false(w->e.done);
        w->record = (gw_device){0};
        w->seen = false;
        open_gateway(w);
        assert_true(w->seen && w->record.awake);
        assert_string_equal(w->record.id, DEVICE);
        order(w, &get.c, 20000);
        open_agent(w);
        RUN_UNTIL(w, w->e.done);
        assert_int_equal(w->e.n, 1);
        assert_int_equal(w->e.answers[0], 200);
}

/* Whether it is told of at a start, so long after its last call. */
static bool is_told_of(world *w, int64_t ms, gw_device *known_as)
{
        w->known = known_as;
        w->seen = false;
        loop_skip(ms);
        open_gateway(w);
        close_gateway(w);
        loop_skip(-ms);
        return w->seen;
}

/* A start is no call: who was gone is gone. */
static void a_restart_brings_nobody_back(void **state)
{
        world *w = *state;
        int64_t life;

        attach(w);
        close_agent(w);
        life = w->record.lifetime_s * 1000;
        close_gateway(w);
        assert_true(is_told_of(w, life / 2, NULL));
        assert_false(is_told_of(w, life * 2, NULL));
        assert_false(is_told_of(w, life * 2, record_gone()));
        assert_true(is_told_of(w, life * 2, record_here())); /* it was the gateway that was off */
}

/* The clock was set back meanwhile: a sleeper is not awaited later for that. */
static void a_clock_set_back_lets_nobody_sleep_longer(void **state)
{
        world *w = *state;

        lab_set(w->conf, "wake.enabled=no");
        loop_skip(7200000);
        attach(w);
        RUN_UNTIL(w, !w->record.awake);
        close_agent(w);
        close_gateway(w);
        loop_skip(-7200000);
        w->asleep_ms = 0;
        open_gateway(w);
        assert_true(w->asleep_ms > 0);
        assert_true(w->asleep_ms <= w->record.wake_interval_s * 1000);
}

static void what_a_job_cannot_hold_is_refused(void **state)
{
        world *w = *state;
        word alert_cmd;

        attach(w);
        command(&alert_cmd, ODM_CMD_ALERT, "./A", NULL, 0, NULL);
        order(w, &alert_cmd.c, 20000);
        assert_true(w->e.done);
        assert_int_equal(w->e.status, 406);
}

static void wake(world *w, odm_str notification)
{
        w->reply = 0;
        omadm_class.wake(w->a, 78, &w->record, w->record.native, notification,
                         ODM_STR("com.example.dm"));
}

/* The package of a server that manages the device itself: the device alone can tell whether it is
 * good, and here it is not. */
static void packages_of_others_are_passed_on(void **state)
{
        world *w = *state;
        odm_notification n = {.version = ODM_NOTIFY_VERSION,
                              .by_server = true,
                              .session_id = 5,
                              .server_id = ODM_STR("com.example.dm")};
        odm_secret secret;
        odm_buf b;

        attach(w);
        odm_secret_of(n.server_id, ODM_STR("guess"), &secret);
        odm_buf_init(&b, &heap_mem, 256);
        assert_int_equal(odm_notify_make(&n, &secret, &odm_nonce_default_zero, &b), 0);
        wake(w, odm_buf_view(&b));
        assert_int_equal(w->reply, 200);
        RUN_UNTIL(w, lab_status_has(w->g, "wake-ups-ignored: 1"));
        wake(w, odm_buf_view(&b)); /* of an order each */
        assert_int_equal(w->reply, 200);
        RUN_UNTIL(w, lab_status_has(w->g, "wake-ups-ignored: 2"));
        wake(w, ODM_STR("no package"));
        assert_int_equal(w->reply, 415);
        odm_buf_done(&b);
        wake(w, ODM_ABSENT); /* ours */
        assert_int_equal(w->reply, 200);
        RUN_UNTIL(w, lab_status_has(w->g, "sessions: 2") ||
                             lab_status_has(w->g, "wake-ups-followed: 1"));
}

/* It told of a server of its own, and of us, as an alert. */
static void tell_servers(world *w)
{
        static const char text[] =
                "{\"code\":1226,\"type\":\"urn:oma:at:oma-gwmo:BootstrappedDMSList:1.0\","
                "\"source\":\"./DMAcc\",\"data\":\"gremd com.example.dm\"}";
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_EVENT_ADD);
        store_device d;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        assert_int_equal(store_device_by_devid(w->store, ODM_STR(DEVICE), &a, &d), 0);
        assert_non_null(op);
        op->event = (store_event){
                .device = d.id, .kind = ODM_STR("alert"), .data = {text, sizeof text - 1}};
        assert_int_equal(store_write_sync(w->store, b), 0);
        store_batch_free(b);
        odm_arena_done(&a);
        agent_sync(w->g, "test");
        RUN_UNTIL(w, odm_str_is(odm_cstr(w->record.dms), "com.example.dm"));
}

static void send_to_relay(const world *w, odm_str datagram, unsigned times)
{
        const struct sockaddr_in to = {.sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)omadm_relay_port(w->a)),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_DGRAM, 0);

        assert_true(fd >= 0);
        for (unsigned i = 0; i < times; i++)
                assert_int_equal(sendto(fd, datagram.p, datagram.n, 0, (const struct sockaddr *)&to,
                                        sizeof to),
                                 datagram.n);
        close(fd);
}

/* What strangers send is one datagram for a device, however many come; orders are not held up. */
static void datagrams_of_strangers_are_few(void **state)
{
        world *w = *state;
        odm_notification n = {.version = ODM_NOTIFY_VERSION,
                              .by_server = true,
                              .session_id = 5,
                              .server_id = ODM_STR("com.example.dm")};
        odm_secret secret;
        odm_buf b;

        attach(w);
        tell_servers(w);
        odm_secret_of(n.server_id, ODM_STR("guess"), &secret);
        odm_buf_init(&b, &heap_mem, 256);
        assert_int_equal(odm_notify_make(&n, &secret, &odm_nonce_default_zero, &b), 0);
        send_to_relay(w, odm_buf_view(&b), 20);
        RUN_UNTIL(w, lab_status_has(w->g, "wake-ups-ignored: 1"));
        wake(w, odm_buf_view(&b));
        assert_int_equal(w->reply, 200);
        RUN_UNTIL(w, lab_status_has(w->g, "wake-ups-ignored: 2"));
        odm_buf_done(&b);
}

static void an_account_of_the_configuration(void **state)
{
        world *w = *state;
        diag d = {{0}};
        char text[256];

        close_gateway(w);
        lab_set(w->gw_conf, "omadm.unknown=refuse");
        snprintf(text, sizeof text,
                 "[dmdevice one]\nid = %s\nuser = someone\npassword = own\n"
                 "server_password = known\n",
                 DEVICE);
        if (cfg_parse(w->gw_conf, odm_cstr(text), "test", &d) < 0)
                fail_msg("%s", d.text);
        open_gateway(w);
        assert_false(w->seen); /* it has never called */
        open_agent(w);
        RUN_UNTIL(w, lab_status_has(w->g, "last-outcome: auth-refused"));
        close_agent(w);
        lab_set(w->conf, "account.password=own");
        snprintf(text, sizeof text, "rm -r %s/device", w->dir);
        assert_int_equal(system(text), 0);
        attach(w);
}

/* The reply to a GET, into `out`; the loop turns meanwhile. */
static unsigned get(world *w, const char *path, odm_buf *out)
{
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)w->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        char text[256], part[1024];
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        odm_time limit = odm_time_add(loop_now(), 10000);
        const char *end;
        ssize_t n = -1;

        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                 path);
        assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
        odm_buf_cut(out, 0);
        while (n != 0 && !odm_time_reached(loop_now(), limit)) {
                assert_int_equal(loop_once(w->l, 10), 0);
                n = recv(fd, part, sizeof part, MSG_DONTWAIT);
                if (n > 0)
                        assert_int_equal(odm_buf_put(out, part, (size_t)n), 0);
        }
        close(fd);
        assert_int_equal(odm_buf_byte(out, 0), 0);
        end = memmem(out->p, out->n, "\r\n\r\n", 4);
        assert_non_null(end);
        unsigned status = (unsigned)strtoul(out->p + 9, NULL, 10);
        size_t head = (size_t)(end + 4 - out->p);
        memmove(out->p, out->p + head, out->n - head);
        odm_buf_cut(out, out->n - head - 1);
        return status;
}

static void who_has_no_account_is_given_one(void **state)
{
        world *w = *state;
        bootstrap_opt o = {.path = "test"};
        odm_buf message, told;
        diag d = {{0}};

        odm_buf_init(&message, &heap_mem, 1 << 17);
        odm_buf_init(&told, &heap_mem, 4096);
        assert_int_equal(get(w, "/dm/bootstrap?id=other&mod=M%201", &message), 404);
        assert_int_equal(get(w, "/dm/bootstrap?mod=M%201", &message), 404);
        assert_int_equal(get(w, "/dm/bootstrap?id=" DEVICE "&mod=M%201", &message), 200);
        cfg_free(w->conf);
        assert_int_equal(cfg_new(conf_keys, conf_keys_n, &w->conf), 0);
        lab_set(w->conf, "agent.state=%s/device", w->dir);
        lab_set(w->conf, "device.id=" DEVICE);
        lab_set(w->conf, "wake.listen=127.0.0.1:0");
        lab_set(w->conf, "bootstrap.network_key=shared");
        o.message = odm_buf_view(&message);
        if (bootstrap_run(w->conf, "0.0", &o, &told, &d) < 0)
                fail_msg("%s", d.text);
        odm_buf_done(&message);
        odm_buf_done(&told);
        attach(w);
        assert_string_equal(w->record.id, DEVICE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(it_is_seen_when_it_has_proved_itself),
                T(who_proves_nothing_is_not),
                T(who_is_refused_gets_nothing),
                T(commands_are_carried_out_after_a_wake_up),
                T(items_of_one_command_have_one_answer),
                T(the_end_of_an_exec_is_its_alert),
                T(an_alert_waits_until_it_is_taken),
                T(large_alerts_hold_up_nothing),
                T(a_sleeper_gets_it_in_its_session),
                T(an_order_can_be_taken_back),
                T(a_restart_in_the_middle),
                T(a_restart_brings_nobody_back),
                T(a_clock_set_back_lets_nobody_sleep_longer),
                T(what_a_job_cannot_hold_is_refused),
                T(packages_of_others_are_passed_on),
                T(datagrams_of_strangers_are_few),
                T(an_account_of_the_configuration),
                T(who_has_no_account_is_given_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
