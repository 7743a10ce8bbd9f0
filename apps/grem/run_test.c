/* SPDX-License-Identifier: Apache-2.0 */
/* Orders on devices: what calls they become, what each command is answered, and what happens when
 * a device is silent, asleep or gone. */
#include "fake.h"
#include "heap.h"
#include "odm/codec.h"
#include "plain.h"
#include "run.h"
#include "support.h"

/* ---- a gateway that is a runner and one device ------------------------------------------------- */

struct gateway {
        loop *loop;
        runner *runner;
        fake *fake;
        fake_device *device;
        gw_device d, other;
        bool awake, goes;
};

static gateway gw;

runner *gw_runner(gateway *g)
{
        return g->runner;
}

loop *gw_loop(gateway *g)
{
        return g->loop;
}

bool gw_is_awake(const gw_device *d)
{
        (void)d;
        return gw.awake;
}

static gw_device *on_seen(void *ctx, const adapter_class *k, const adapter_device *x, void *native,
                          unsigned *why)
{
        gateway *g = ctx;
        gw_device *d = odm_str_is(x->id, "two") ? &g->other : &g->d;

        (void)why;
        *d = (gw_device){.adapter = k, .adapter_self = g->fake, .native = native};
        return d;
}

static void on_awake(void *ctx, gw_device *d, int64_t ms)
{
        (void)d, (void)ms;
        ((gateway *)ctx)->awake = true;
}

static void on_asleep(void *ctx, gw_device *d, int64_t ms)
{
        (void)d, (void)ms;
        ((gateway *)ctx)->awake = false;
}

static void on_reply(void *ctx, uint64_t id, const adapter_reply *r)
{
        if (gw.goes)
                runner_forget(gw.runner, &gw.d);
        runner_reply(((gateway *)ctx)->runner, id, r);
}

static int on_alert(void *ctx, gw_device *d, const odm_alert *a, odm_wall at)
{
        (void)ctx, (void)d, (void)a, (void)at;
        return 0;
}

static int setup(void **state)
{
        void *self = NULL;
        adapter_host h = {.seen = on_seen,
                          .awake = on_awake,
                          .asleep = on_asleep,
                          .reply = on_reply,
                          .alert = on_alert,
                          .ctx = &gw};

        (void)state;
        gw = (gateway){.awake = true};
        assert_int_equal(loop_new(&gw.loop), 0);
        h.loop = gw.loop;
        assert_int_equal(runner_new(&gw, &gw.runner), 0);
        assert_int_equal(fake_class.open(&h, &self, NULL), 0);
        gw.fake = fake_of(self);
        gw.device = fake_new(gw.fake, "one");
        fake_key(gw.device, "d1");
        assert_non_null(fake_attach(gw.device));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        runner_free(gw.runner);
        fake_class.close(gw.fake);
        loop_free(gw.loop);
        return 0;
}

/* ---- what came of an order ------------------------------------------------------------------------ */

struct outcome {
        unsigned done, status;
        char text[2048]; /* "200 ./A=v;404;..": a status for each command, with what was read */
};

static void append(struct outcome *o, odm_str s)
{
        size_t n = strlen(o->text);

        assert_true(n + s.n < sizeof o->text);
        memcpy(o->text + n, s.p ? s.p : "", s.n);
        o->text[n + s.n] = '\0';
}

static void on_done(void *ctx, unsigned status, odm_str text, const gw_answer *v, size_t n)
{
        struct outcome *o = ctx;
        char number[16];

        (void)text;
        o->done++;
        o->status = status;
        for (size_t i = 0; i < n; i++) {
                snprintf(number, sizeof number, "%s%u", i ? ";" : "", v[i].status);
                append(o, odm_cstr(number));
                for (size_t k = 0; k < v[i].n; k++) {
                        append(o, ODM_STR(" "));
                        append(o, v[i].nodes[k].path);
                        if (v[i].nodes[k].has_data)
                                append(o, ODM_STR("="));
                        append(o, v[i].nodes[k].value.data);
                }
        }
}

/* Commands of a message's body, as a server writes them. */
static odm_msg *commands(odm_arena *a, const char *body)
{
        odm_msg *m = NULL;
        odm_str text = odm_arena_fmt(
                a,
                "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>1.2</VerDTD>"
                "<VerProto>DM/1.2</VerProto><SessionID>1</SessionID><MsgID>1</MsgID>"
                "<Target><LocURI>a</LocURI></Target><Source><LocURI>b</LocURI></Source>"
                "</SyncHdr><SyncBody>%s<Final/></SyncBody></SyncML>",
                body);

        assert_non_null(text.p);
        assert_int_equal(odm_decode(&odm_codec_xml, text, NULL, a, &m), 0);
        return m;
}

static void turn(unsigned ms, const struct outcome *o)
{
        odm_time end = odm_time_add(loop_now(), ms);

        while (o->done == 0 && !odm_time_reached(loop_now(), end))
                assert_int_equal(loop_once(gw.loop, 5), 0);
}

#define ITEM(target) "<Item><Target><LocURI>" target "</LocURI></Target></Item>"
#define SET(target, value) \
        "<Item><Target><LocURI>" target "</LocURI></Target><Data>" value "</Data></Item>"
#define GET(target) "<Get><CmdID>1</CmdID>" ITEM(target) "</Get>"
#define REPLACE(target, value) "<Replace><CmdID>1</CmdID>" SET(target, value) "</Replace>"
#define EXEC(target) "<Exec><CmdID>1</CmdID><Correlator>c</Correlator>" ITEM(target) "</Exec>"
#define ADD(target, value) "<Add><CmdID>1</CmdID>" SET(target, value) "</Add>"
#define DELETE(target) "<Delete><CmdID>1</CmdID>" ITEM(target) "</Delete>"
#define ATOMIC(body) "<Atomic><CmdID>1</CmdID>" body "</Atomic>"
#define SEQUENCE(body) "<Sequence><CmdID>1</CmdID>" body "</Sequence>"

static const struct order_row {
        const char *why, *body, *log, *want;
        bool exact, whole;
        const char *refuse; /* a path that is refused with 403 */
        unsigned caps_less;
} rows[] = {
        {"a Get", GET("./DevInfo/Man"), "read d1 ./DevInfo/Man\n", "200 ./DevInfo/Man=Fake"},
        {"Gets are one read", GET("./DevInfo/Man") GET("./DevInfo/Mod") GET("./DevDetail/FwV"),
         "read d1 ./DevInfo/Man ./DevInfo/Mod ./DevDetail/FwV\n",
         "200 ./DevInfo/Man=Fake;200 ./DevInfo/Mod=F1;200 ./DevDetail/FwV=1.0"},
        {"one that is not there is asked for by itself",
         GET("./DevInfo/Man") GET("./DevInfo/None") GET("./DevInfo/Mod"),
         "read d1 ./DevInfo/Man ./DevInfo/None ./DevInfo/Mod\nread d1 ./DevInfo/Man\n"
         "read d1 ./DevInfo/None\nread d1 ./DevInfo/Mod\n",
         "200 ./DevInfo/Man=Fake;404;200 ./DevInfo/Mod=F1"},
        {"an interior node", GET("./FUMO/main/DownloadAndUpdate"),
         "read d1 ./FUMO/main/DownloadAndUpdate\n",
         "200 ./FUMO/main/DownloadAndUpdate ./FUMO/main/DownloadAndUpdate/PkgURL"},
        {"a list", GET("./Reboot?list=Struct"), "read d1 ./Reboot\n", "200 ./Reboot ./Reboot/Now"},
        {"a list and a value are two reads", GET("./Reboot?list=Struct") GET("./DevInfo/Man"),
         "read d1 ./Reboot\nread d1 ./DevInfo/Man\n",
         "200 ./Reboot ./Reboot/Now;200 ./DevInfo/Man=Fake"},
        {"lists that the adapter has not", GET("./Reboot?list=Struct"), "", "406",
         .caps_less = ADAPTER_LIST},
        {"two items", "<Get><CmdID>1</CmdID>" ITEM("./DevInfo/Man") ITEM("./DevInfo/Mod") "</Get>",
         "read d1 ./DevInfo/Man\nread d1 ./DevInfo/Mod\n",
         "200 ./DevInfo/Man=Fake ./DevInfo/Mod=F1"},
        {"no address", GET("./a//b"), "", "404"},
        {"a Replace", REPLACE("./DevInfo/Lang", "fr") GET("./DevInfo/Lang"),
         "write d1 ./DevInfo/Lang=fr\nread d1 ./DevInfo/Lang\n", "200;200 ./DevInfo/Lang=fr"},
        {"of two items",
         "<Replace><CmdID>1</CmdID>" SET("./DevInfo/Lang", "fr")
                 SET("./DevInfo/Man", "x") "</Replace>",
         "write d1 ./DevInfo/Lang=fr\nwrite d1 ./DevInfo/Man=x\n", "200"},
        {"the worst of two is told",
         "<Replace><CmdID>1</CmdID>" SET("./DevInfo/None", "fr")
                 SET("./DevInfo/Man", "x") "</Replace>",
         "write d1 ./DevInfo/None=fr\nwrite d1 ./DevInfo/Man=x\n", "404"},
        {"of octets",
         "<Replace><CmdID>1</CmdID><Item><Target><LocURI>./DevInfo/Lang</LocURI></Target><Meta>"
         "<Format xmlns='syncml:metinf'>b64</Format></Meta><Data>YWJj</Data></Item></Replace>",
         "write d1 ./DevInfo/Lang=abc\n", "200"},
        {"of a property", REPLACE("./DevInfo?prop=Name", "x"), "", "406"},
        {"of a document",
         "<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Ext</LocURI></Target><Meta>"
         "<Format xmlns='syncml:metinf'>xml</Format><Type xmlns='syncml:metinf'>"
         "application/vnd.syncml.dmtnds+xml</Type></Meta><Data>x</Data></Item></Replace>",
         "", "406"},
        {"writes that the adapter has not", REPLACE("./DevInfo/Lang", "fr"), "", "405",
         .caps_less = ADAPTER_WRITE},
        {"an Add is one create",
         "<Add><CmdID>1</CmdID>" SET("./Ext/A", "1") SET("./Ext/B", "2") "</Add>",
         "create d1 ./Ext/A=1 ./Ext/B=2\n", "200"},
        {"a Delete", "<Delete><CmdID>1</CmdID>" ITEM("./Ext") "</Delete>", "remove d1 ./Ext\n",
         "200"},
        {"of all", "<Delete><CmdID>1</CmdID>" ITEM(".") "</Delete>", "", "405"},
        {"an Exec", EXEC("./Reboot/Now"), "exec d1 ./Reboot/Now\n", "200"},
        {"with an argument", "<Exec><CmdID>1</CmdID>" SET("./Reboot/Now", "hard") "</Exec>",
         "exec d1 ./Reboot/Now hard\n", "200"},
        {"an Exec of a leaf", EXEC("./DevInfo/Man"), "exec d1 ./DevInfo/Man\n", "405"},
        {"a refusal is told", GET("./DevInfo/Man"), "read d1 ./DevInfo/Man\n", "403",
         .refuse = "./DevInfo/Man"},
        {"no Copy",
         "<Copy><CmdID>1</CmdID><Item><Target><LocURI>./Ext/A</LocURI></Target><Source><LocURI>"
         "./DevInfo/Man</LocURI></Source></Item></Copy>",
         "", "406"},
        {"nothing to read", "<Get><CmdID>1</CmdID></Get>", "", "412"},
        {"a Sequence", SEQUENCE(REPLACE("./DevInfo/Lang", "fr") GET("./DevInfo/Lang")),
         "write d1 ./DevInfo/Lang=fr\nread d1 ./DevInfo/Lang\n", "200;200;200 ./DevInfo/Lang=fr"},
        {"a Sequence goes on after a failure",
         SEQUENCE(GET("./None") EXEC("./Reboot/Now")) GET("./DevInfo/Man"),
         "read d1 ./None\nexec d1 ./Reboot/Now\nread d1 ./DevInfo/Man\n",
         "200;404;200;200 ./DevInfo/Man=Fake"},
        {"an Atomic of values is one write",
         ATOMIC(REPLACE("./DevInfo/Lang", "fr") REPLACE("./DevInfo/Man", "x")),
         "write d1 ./DevInfo/Lang=fr ./DevInfo/Man=x\n", "200;200;200", .exact = true},
        {"one of them is not there",
         ATOMIC(REPLACE("./DevInfo/Lang", "fr") REPLACE("./DevInfo/None", "x"))
                 GET("./DevInfo/Lang"),
         "write d1 ./DevInfo/Lang=fr ./DevInfo/None=x\nread d1 ./DevInfo/Lang\n",
         "507;404;215;200 ./DevInfo/Lang=en", .exact = true},
        {"another Atomic, exact", ATOMIC(REPLACE("./DevInfo/Lang", "fr") EXEC("./Reboot/Now")), "",
         "406;215;215", .exact = true},
        {"another Atomic, one by one", ATOMIC(REPLACE("./DevInfo/Lang", "fr") EXEC("./Reboot/Now")),
         "write d1 ./DevInfo/Lang=fr\nexec d1 ./Reboot/Now\n", "200;200;200"},
        {"whose second fails",
         ATOMIC(REPLACE("./DevInfo/Lang", "fr") EXEC("./None") EXEC("./Reboot/Now"))
                 GET("./DevInfo/Man"),
         "write d1 ./DevInfo/Lang=fr\nexec d1 ./None\nread d1 ./DevInfo/Man\n",
         "516;200;404;215;200 ./DevInfo/Man=Fake"},
        {"whose first fails", ATOMIC(EXEC("./None") EXEC("./Reboot/Now")), "exec d1 ./None\n",
         "507;404;215"},
        {"an Atomic in a Sequence in an Atomic", ATOMIC(SEQUENCE(ATOMIC(EXEC("./Reboot/Now")))), "",
         "507;200;406;215"},
        {"the whole list, where the adapter takes it",
         GET("./DevInfo/Man") ATOMIC(REPLACE("./DevInfo/Lang", "fr") EXEC("./None"))
                 GET("./DevInfo/Lang"),
         "commands d1 3\n", "200 ./DevInfo/Man=Fake;507;216;404;200 ./DevInfo/Lang=en",
         .whole = true},
};

static void run_row(const struct order_row *r, int64_t delay_ms)
{
        struct outcome got = {.done = 0};
        odm_arena a;
        uint64_t id = 0;

        assert_int_equal(setup(NULL), 0);
        odm_arena_init(&a, &heap_mem, 1 << 20);
        fake_delay(gw.device, delay_ms);
        if (r->refuse)
                fake_refuse(gw.device, r->refuse, 403, "not you");
        fake_commands(gw.device, r->whole);
        fake_caps(gw.device, ~((unsigned)ADAPTER_COMMANDS | r->caps_less));
        const gw_order o = {.list = commands(&a, r->body)->body, .exact = r->exact};
        assert_int_equal(gw_run(&gw, &gw.d, &o, on_done, &got, &id), 0);
        assert_int_equal(got.done, 0);
        assert_true(gw_busy(&gw, &gw.d));
        turn(5000, &got);
        if (got.done != 1 || got.status != 200 || strcmp(got.text, r->want) != 0)
                fail_msg("%s: %u %s, not %s", r->why, got.status, got.text, r->want);
        if (strcmp(fake_log(gw.fake), r->log) != 0)
                fail_msg("%s: the calls were\n%s", r->why, fake_log(gw.fake));
        assert_false(gw_busy(&gw, &gw.d));
        odm_arena_done(&a);
        teardown(NULL);
}

static void lists_become_calls_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                run_row(&rows[i], 0);
                run_row(&rows[i], 1);
        }
}

/* ---- time ------------------------------------------------------------------------------------------- */

static uint64_t begin(odm_arena *a, gw_device *d, const char *body, int64_t deadline_ms,
                      struct outcome *o)
{
        const gw_order what = {.list = commands(a, body)->body, .deadline_ms = deadline_ms};
        uint64_t id = 0;

        *o = (struct outcome){.done = 0};
        assert_int_equal(gw_run(&gw, d, &what, on_done, o, &id), 0);
        return id;
}

/* Its adapter finds that out when it is asked: none of the orders that wait asks it again. */
static void who_goes_when_it_is_asked_is_not_asked_again(void **state)
{
        struct outcome got[3];
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(got); i++)
                (void)begin(&a, &gw.d, GET("./DevInfo/Man"), 0, &got[i]);
        gw.goes = true;
        for (size_t i = 0; i < ODM_COUNT(got); i++)
                turn(5000, &got[i]);
        assert_string_equal(fake_log(gw.fake), "read d1 ./DevInfo/Man\n");
        for (size_t i = 0; i < ODM_COUNT(got); i++) {
                assert_int_equal(got[i].done, 1);
                assert_int_equal(got[i].status, 503);
        }
        assert_false(gw_busy(&gw, &gw.d));
        odm_arena_done(&a);
}

static void silent_devices_end_an_order(void **state)
{
        struct outcome o;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        fake_delay(gw.device, FAKE_SILENT);
        begin(&a, &gw.d, GET("./DevInfo/Man"), 20, &o);
        turn(5000, &o);
        assert_int_equal(o.status, 408); /* awake, so it should have */
        assert_string_equal(o.text, "");
        assert_non_null(strstr(fake_log(gw.fake), "cancel d1\n"));
        assert_int_equal(fake_waiting(gw.fake), 0);

        fake_delay(gw.device, 0);
        fake_sleep(gw.device, 0);
        begin(&a, &gw.d, GET("./DevInfo/Man"), 20, &o);
        turn(5000, &o);
        assert_int_equal(o.status, 503); /* known to be off */

        fake_wake(gw.device, 0);
        fake_refuse(gw.device, "./Reboot/Now", 408, "no answer");
        begin(&a, &gw.d, GET("./DevInfo/Man") EXEC("./Reboot/Now") EXEC("./Reboot/Now"), 0, &o);
        turn(5000, &o);
        assert_int_equal(o.status, 200);
        assert_string_equal(o.text, "200 ./DevInfo/Man=Fake;408;408"); /* not asked twice */
        odm_arena_done(&a);
}

/* 503 means that it can be given again: not what the device may have begun. */
static void what_may_have_been_done_is_not_off_line(void **state)
{
        static const struct {
                const char *why, *list;
                bool asleep, sleeps, goes; /* before; while it is under way; how it ends */
                unsigned want;
        } ends[] = {
                {"a device that goes", EXEC("./Reboot/Now"), false, false, true, 408},
                {"one that sleeps meanwhile", EXEC("./Reboot/Now"), false, true, false, 408},
                {"one that slept all the time", EXEC("./Reboot/Now"), true, true, false, 503},
                {"it goes without having been there", EXEC("./Reboot/Now"), true, true, true, 503},
                {"a read does no harm", GET("./DevInfo/Man"), false, false, true, 503},
                {"nor a write", REPLACE("./DevInfo/Lang", "fr"), false, true, false, 503},
                {"creation", ADD("./Ext/A", "1"), false, false, true, 408},
                {"removal", DELETE("./Ext"), false, false, true, 408},
        };
        struct outcome o;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(ends); i++) {
                fake_wake(gw.device, 0);
                fake_delay(gw.device, FAKE_SILENT);
                if (ends[i].asleep)
                        fake_sleep(gw.device, 0);
                begin(&a, &gw.d, ends[i].list, ends[i].goes ? 5000 : 30, &o);
                assert_int_equal(loop_once(gw.loop, 0), 0); /* it has begun */
                if (ends[i].sleeps)
                        fake_sleep(gw.device, 0);
                if (ends[i].goes)
                        runner_forget(gw.runner, &gw.d);
                turn(5000, &o);
                if (o.status != ends[i].want)
                        fail_msg("%s: %u", ends[i].why, o.status);
        }
        odm_arena_done(&a);
}

static void one_order_after_the_other(void **state)
{
        struct outcome o[3], far;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        fake_device *two = fake_new(gw.fake, "two");
        fake_key(two, "d2");
        assert_non_null(fake_attach(two));
        fake_delay(gw.device, 5);
        begin(&a, &gw.d, EXEC("./Reboot/Now") EXEC("./Reboot/Now"), 0, &o[0]);
        uint64_t second = begin(&a, &gw.d, GET("./DevInfo/Mod"), 0, &o[1]);
        begin(&a, &gw.d, GET("./DevInfo/Man"), 0, &o[2]);
        begin(&a, &gw.other, GET("./DevInfo/Lang"), 0, &far);
        gw_cancel(&gw, second);
        turn(5000, &far);
        assert_int_equal(o[0].done, 0); /* another device does not wait */
        turn(5000, &o[2]);
        assert_int_equal(o[0].done, 1);
        assert_int_equal(o[1].done, 0);
        assert_string_equal(o[2].text, "200 ./DevInfo/Man=Fake");
        assert_null(strstr(fake_log(gw.fake), "./DevInfo/Mod"));
        assert_false(gw_busy(&gw, &gw.d));
        odm_arena_done(&a);
}

static void a_queue_has_a_ceiling(void **state)
{
        struct outcome o[RUN_ORDERS_MAX], last;
        odm_arena a;
        uint64_t id;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 22);
        fake_delay(gw.device, FAKE_SILENT);
        for (size_t i = 0; i < RUN_ORDERS_MAX; i++)
                begin(&a, &gw.d, GET("./DevInfo/Man"), 0, &o[i]);
        const gw_order what = {.list = commands(&a, GET("./DevInfo/Man"))->body};
        assert_int_equal(gw_run(&gw, &gw.d, &what, on_done, &last, &id), ODM_ELIMIT);

        assert_int_equal(loop_once(gw.loop, 0), 0); /* the first has begun */
        runner_forget(gw.runner, &gw.d);
        for (size_t i = 0; i < RUN_ORDERS_MAX; i++)
                assert_true(o[i].done == 1 && o[i].status == 503);
        assert_false(gw_busy(&gw, &gw.d));
        assert_int_equal(fake_waiting(gw.fake), 0);
        odm_arena_done(&a);
}

static void what_nests_too_deep_is_no_order(void **state)
{
        odm_command c[12] = {{.kind = ODM_CMD_GET}};
        const gw_order what = {.list = &c[11]};
        struct outcome o;
        uint64_t id;

        (void)state;
        for (size_t i = 1; i < ODM_COUNT(c); i++)
                c[i] = (odm_command){.kind = ODM_CMD_SEQUENCE, .body = &c[i - 1]};
        assert_int_equal(gw_run(&gw, &gw.d, &what, on_done, &o, &id), ODM_ELIMIT);
        assert_false(gw_busy(&gw, &gw.d));
}

/* ---- single calls --------------------------------------------------------------------------------- */

struct heard {
        unsigned n, status;
};

static void on_heard(void *ctx, const adapter_reply *r)
{
        struct heard *h = ctx;

        h->n++;
        h->status = r->status;
}

static void wake(struct heard *h, int64_t deadline_ms, uint64_t *id)
{
        *h = (struct heard){.n = 0};
        assert_int_equal(run_call(&gw, &gw.d, deadline_ms, on_heard, h, id), 0);
        fake_class.wake(gw.fake, *id, &gw.d, gw.d.native, ODM_ABSENT, ODM_ABSENT);
}

static void single_calls_are_heard_once(void **state)
{
        const adapter_reply late = {.status = 200};
        struct heard h;
        uint64_t id;

        (void)state;
        wake(&h, 1000, &id); /* answered from within */
        assert_true(h.n == 1 && h.status == 200);
        runner_reply(gw.runner, id, &late);
        assert_int_equal(h.n, 1);

        fake_delay(gw.device, FAKE_SILENT);
        wake(&h, 10, &id);
        for (odm_time end = odm_time_add(loop_now(), 5000);
             h.n == 0 && !odm_time_reached(loop_now(), end);)
                assert_int_equal(loop_once(gw.loop, 5), 0);
        assert_true(h.n == 1 && h.status == 408);

        wake(&h, 1000, &id);
        run_call_cancel(&gw, id);
        wake(&h, 1000, &id);
        runner_forget(gw.runner, &gw.d);
        assert_true(h.n == 1 && h.status == 503);
        assert_int_equal(fake_waiting(gw.fake), 0);
}

static void texts_name_no_place(void **state)
{
        static const struct {
                const char *why, *text, *own, *want;
        } texts[] = {
                {"nothing to hide", "4.04 not found", NULL, "4.04 not found"},
                {"a link", "no such thing at coap://10.0.0.7:5683/rd.", NULL,
                 "no such thing at (address)."},
                {"numbers", "192.168.1.20:5683 is silent", NULL, "(address) is silent"},
                {"in brackets", "silent ([2001:db8::1]:5683)", NULL, "silent ((address))"},
                {"a link-local one", "via fe80::1%eth0", NULL, "via (address)"},
                {"of a network card", "02:42:ac:11:00:02 left", NULL, "(address) left"},
                {"this machine", "localhost:8480 refused it", NULL, "(address) refused it"},
                {"its own, as the adapter writes it", "tty7/unit3: no answer", "tty7/unit3",
                 "(address): no answer"},
                {"in the middle of a word", "at=[tty7]", "tty7", "at=[(address)]"},
                {"a time is none", "since 12:30:45", NULL, "since 12:30:45"},
                {"nor is a version", "needs 1.0.7 or 2.1", NULL, "needs 1.0.7 or 2.1"},
                {"nor a node", "./GwDev/d0001/Ext", NULL, "./GwDev/d0001/Ext"},
                {"too short to be told from words", "a", "a", "a"},
                {"empty", "", NULL, ""},
        };
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 65536);
        for (size_t i = 0; i < ODM_COUNT(texts); i++) {
                odm_str got = plain_text(odm_cstr(texts[i].text), odm_cstr(texts[i].own), &a);
                if (!odm_str_is(got, texts[i].want))
                        fail_msg("%s: %.*s", texts[i].why, (int)got.n, got.p);
        }
        assert_null(plain_text(ODM_ABSENT, ODM_ABSENT, &a).p);
        odm_arena_done(&a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lists_become_calls_as_the_table_says),
                cmocka_unit_test(texts_name_no_place),
                TEST(silent_devices_end_an_order),
                TEST(who_goes_when_it_is_asked_is_not_asked_again),
                TEST(what_may_have_been_done_is_not_off_line),
                TEST(one_order_after_the_other),
                TEST(a_queue_has_a_ceiling),
                TEST(what_nests_too_deep_is_no_order),
                TEST(single_calls_are_heard_once),
        };

        return RUN_TESTS(tests);
}
