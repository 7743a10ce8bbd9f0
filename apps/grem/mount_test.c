/* SPDX-License-Identifier: Apache-2.0 */
/* ./GwDev: keys follow the records, reads are live or from what was said last, the waiting rules,
 * rights, restarts. */
#include "cache.h"
#include "heap.h"
#include "odm/inventory.h"
#include "support.h"
#include "yard.h"

#define GET ODM_CMD_GET
#define REP ODM_CMD_REPLACE
#define ADD ODM_CMD_ADD
#define DEL ODM_CMD_DELETE
#define EXEC ODM_CMD_EXEC
#define COPY ODM_CMD_COPY
#define CHR ODM_FMT_CHR
#define ABS ODM_FMT_ABSENT

static const part_class *const classes[] = {&part_gwconfig, &part_gwinventory, &part_gwmount,
                                            &part_gwfanout, NULL};

static int setup(void **arg)
{
        static const char *const settings[] = {"gateway.live=100ms", "gateway.ask=no", NULL};

        (void)arg;
        return yard_set_up(classes, settings);
}

static void want(unsigned status, const char *text)
{
        if (yard.status != status || strcmp(yard.text, text) != 0)
                fail_msg("%u %s, not %u %s", yard.status, yard.text, status, text);
}

static const char *keys(void)
{
        assert_int_equal(yard_get("./GwDev"), 200);
        return yard.text;
}

/* ---- keys -------------------------------------------------------------------------------------------- */

static void keys_follow_the_records(void **arg)
{
        (void)arg;
        assert_string_equal(keys(), "./GwDev=\n");
        fake_device *one = yard_attach("one");
        yard_attach("two");
        assert_string_equal(keys(), "./GwDev=d0001/d0002\n");

        /* one that goes keeps its key, and its rights */
        fake_go(one, ADAPTER_DEREGISTERED);
        yard_settle();
        assert_string_equal(keys(), "./GwDev=d0001/d0002\n");

        /* in mode 1 it is the server's own business */
        const gw_change transparent = {
                .mode = 1, .wake_interval_s = -2, .awake_s = -2, .active = -1};
        gw_device *two = gw_by_key(yard.g, ODM_STR("d0002"));
        assert_int_equal(gw_change_device(yard.g, two, &transparent), 0);
        yard_settle();
        assert_string_equal(keys(), "./GwDev=d0001\n");
        const gw_change adapted = {.mode = 3, .wake_interval_s = -2, .awake_s = -2, .active = -1};
        assert_int_equal(gw_change_device(yard.g, two, &adapted), 0);
        yard_settle();
        assert_string_equal(keys(), "./GwDev=d0001/d0002\n");

        assert_int_equal(devices_remove(yard.g, gw_by_key(yard.g, ODM_STR("d0001"))), 0);
        yard_settle();
        assert_string_equal(keys(), "./GwDev=d0002\n");
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo"), 404);
}

static void keys_and_rights_survive_a_restart(void **arg)
{
        (void)arg;
        yard_attach("one");
        yard_attach("two");
        assert_int_equal(yard_do(NULL, REP, "./GwDev/d0001?prop=ACL", "Get=other&Replace=srv", CHR),
                         200);
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man"), 425);
        assert_int_equal(yard_do("other", GET, "./GwDev/d0001/DevInfo/Man", NULL, ABS), 200);
        yard_stop();
        yard_start(classes);
        assert_string_equal(keys(), "./GwDev=d0001/d0002\n");
        assert_int_equal(yard_do("other", GET, "./GwDev/d0001?prop=ACL", NULL, ABS), 200);
        want(200, "./GwDev/d0001?prop=ACL=Get=other&Replace=srv\n");
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man"), 425);
}

static void a_transaction_of_the_session_is_waited_for(void **arg)
{
        unsigned status = 0;

        (void)arg;
        assert_int_equal(odm_tree_begin(yard.tree, loop_wall()), 0);
        yard_attach("one");
        assert_string_equal(keys(), "./GwDev=\n");
        assert_int_equal(odm_tree_commit(yard.tree, &status), 0);
        (void)yard_turn(700, NULL, NULL);
        assert_string_equal(keys(), "./GwDev=d0001\n");
}

/* ---- operations ----------------------------------------------------------------------------------------- */

static const struct op_row {
        const char *why;
        odm_cmd kind;
        const char *uri, *data;
        odm_format format;
        unsigned status;
        const char *text,
                *log; /* of the results, and of the adapter's calls; NULL: not looked at */
} awake_rows[] = {
        {"a leaf", GET, "./GwDev/d0001/DevInfo/Man", NULL, ABS, 200,
         "./GwDev/d0001/DevInfo/Man=Fake\n", "read d0001 ./DevInfo/Man\n"},
        {"names", GET, "./GwDev/d0001/DevDetail", NULL, ABS, 200,
         "./GwDev/d0001/DevDetail=DevTyp/FwV/HwV/SwV\n", "read d0001 ./DevDetail\n"},
        {"names at the key", GET, "./GwDev/d0001", NULL, ABS, 200,
         "./GwDev/d0001=DevDetail/DevInfo/Ext/FUMO/Reboot\n", "read d0001 .\n"},
        {"a list", GET, "./GwDev/d0001/FUMO/main/DownloadAndUpdate?list=StructData", NULL, ABS, 200,
         "./GwDev/d0001/FUMO/main/DownloadAndUpdate=\n"
         "./GwDev/d0001/FUMO/main/DownloadAndUpdate/PkgURL=\n",
         "read d0001 ./FUMO/main/DownloadAndUpdate\n"},
        {"the identifier of an object", GET, "./GwDev/d0001/DevInfo?prop=Type", NULL, ABS, 200,
         "./GwDev/d0001/DevInfo?prop=Type=urn:oma:mo:oma-dm-devinfo:1.1\n",
         "read d0001 ./DevInfo\n"},
        {"a format", GET, "./GwDev/d0001/FUMO/main/State?prop=Format", NULL, ABS, 200,
         "./GwDev/d0001/FUMO/main/State?prop=Format=int\n", "read d0001 ./FUMO/main/State\n"},
        {"not there", GET, "./GwDev/d0001/None", NULL, ABS, 404, "", "read d0001 ./None\n"},
        {"no such key", GET, "./GwDev/d0009/DevInfo/Man", NULL, ABS, 404, "", ""},
        {"a value", REP, "./GwDev/d0001/DevInfo/Lang", "fr", CHR, 200, "",
         "write d0001 ./DevInfo/Lang=fr\n"},
        {"a value of what is not there", REP, "./GwDev/d0001/DevInfo/None", "fr", CHR, 404, "",
         "write d0001 ./DevInfo/None=fr\n"},
        {"a property of a node", REP, "./GwDev/d0001/DevInfo?prop=Name", "x", CHR, 406, "", ""},
        {"a new leaf", ADD, "./GwDev/d0001/Ext/A", "1", CHR, 200, "", "create d0001 ./Ext/A=1\n"},
        {"one that is there", ADD, "./GwDev/d0001/Ext/A", "1", CHR, 418, "",
         "create d0001 ./Ext/A=1\n"},
        {"removed", DEL, "./GwDev/d0001/Ext/A", NULL, ABS, 200, "", "remove d0001 ./Ext/A\n"},
        {"an Exec", EXEC, "./GwDev/d0001/Reboot/Now", NULL, ABS, 200, "",
         "exec d0001 ./Reboot/Now\n"},
        {"no Copy", COPY, "./GwDev/d0001/Ext/B", "./GwDev/d0001/DevInfo/Man", ABS, 406, "", ""},
        {"least of all between devices", COPY, "./GwDev/d0001/Ext/B", "./GwDev/d0002/DevInfo/Man",
         ABS, 406, "", ""},
        {"the key itself stays", DEL, "./GwDev/d0001", NULL, ABS, 405, "", ""},
        {"its name too", REP, "./GwDev/d0001?prop=Name", "x", CHR, 405, "", ""},
        {"four gateways deep", GET, "./GwDev/d0001/GwDev/a/GwDev/b/GwDev/c/DevInfo", NULL, ABS, 404,
         "", NULL},
        {"too deep", GET, "./GwDev/d0001/GwDev/a/GwDev/b/GwDev/c/GwDev/d/DevInfo", NULL, ABS, 414,
         "", ""},
};

static void run_rows(const struct op_row *r, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                fake_log_clear(yard.fake);
                unsigned status = yard_do(NULL, r[i].kind, r[i].uri, r[i].data, r[i].format);
                if (status != r[i].status || strcmp(yard.text, r[i].text) != 0)
                        fail_msg("%s: %u %s", r[i].why, status, yard.text);
                if (r[i].log && strcmp(fake_log(yard.fake), r[i].log) != 0)
                        fail_msg("%s: %s", r[i].why, fake_log(yard.fake));
        }
}

static void devices_that_are_awake_are_asked(void **arg)
{
        (void)arg;
        yard_attach("one");
        run_rows(awake_rows, ODM_COUNT(awake_rows));
        assert_string_equal(fake_value(fake_find(yard.fake, "one"), "./DevInfo/Lang"), "fr");
}

static const struct op_row asleep_rows[] = {
        {"what it said last", GET, "./GwDev/d0001/DevInfo/Man", NULL, ABS, 200,
         "./GwDev/d0001/DevInfo/Man=Fake\n", ""},
        {"what it was told last", GET, "./GwDev/d0001/DevInfo/Lang", NULL, ABS, 200,
         "./GwDev/d0001/DevInfo/Lang=fr\n", ""},
        {"a list of it", GET, "./GwDev/d0001/DevInfo?list=StructData", NULL, ABS, 200,
         "./GwDev/d0001/DevInfo=\n./GwDev/d0001/DevInfo/DevId=one\n./GwDev/d0001/DevInfo/DmV=1.2\n"
         "./GwDev/d0001/DevInfo/Lang=fr\n./GwDev/d0001/DevInfo/Man=Fake\n"
         "./GwDev/d0001/DevInfo/Mod=F1\n",
         ""},
        {"the identifier is kept", GET, "./GwDev/d0001/DevInfo?prop=Type", NULL, ABS, 200,
         "./GwDev/d0001/DevInfo?prop=Type=urn:oma:mo:oma-dm-devinfo:1.1\n", ""},
        {"what it never said", GET, "./GwDev/d0001/DevDetail/FwV", NULL, ABS, 503, "", ""},
        {"a value", REP, "./GwDev/d0001/DevInfo/Lang", "de", CHR, 503, "", ""},
        {"a new node", ADD, "./GwDev/d0001/Ext/A", "1", CHR, 503, "", ""},
        {"removal", DEL, "./GwDev/d0001/Ext", NULL, ABS, 503, "", ""},
        {"a copy", COPY, "./GwDev/d0001/Ext/B", "./GwDev/d0001/DevInfo/Man", ABS, 503, "", ""},
};

static void those_asleep_are_not(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo?list=StructData"), 200);
        assert_int_equal(yard_do(NULL, REP, "./GwDev/d0001/DevInfo/Lang", "fr", CHR), 200);
        fake_sleep(one, 60000);
        yard.later = 0;
        run_rows(asleep_rows, ODM_COUNT(asleep_rows));
        assert_int_equal(yard.later, 0); /* all of it answered at once */
        assert_true(gw_counts_of(yard.g)->reads_cached >= 4);

        /* once more from the disk, for a device that nobody has heard of since */
        yard_settle();
        yard_stop();
        yard_start(classes);
        run_rows(asleep_rows, 5);
}

/* What a device does not tell, its gateway does not either. */
static void what_was_written_is_no_secret_told(void **arg)
{
        static const char secret[] = "./GwDev/d0001/DMAcc/a/AppAuth/1/AAuthSecret";

        (void)arg;
        fake_device *one = yard_attach("one");
        fake_set(one, "./Ext/Pin", "", CHR);
        fake_set(one, "./DMAcc/a/AppAuth/1/AAuthSecret", "old", CHR);
        fake_refuse(one, "./Ext/Pin", 405, "write only");
        assert_int_equal(yard_get("./GwDev/d0001/Ext/Pin"), 405);
        fake_refuse(one, "./Ext/Pin", 0, NULL);
        assert_int_equal(yard_do(NULL, REP, "./GwDev/d0001/Ext/Pin", "1234", CHR), 200);
        assert_int_equal(yard_do(NULL, ADD, "./GwDev/d0001/Ext/New", "1", CHR), 200);
        assert_int_equal(yard_get(secret), 200); /* it is the device's to say so */
        assert_int_equal(yard_do(NULL, REP, secret, "hidden", CHR), 200);
        fake_sleep(one, 60000);
        assert_int_equal(yard_get("./GwDev/d0001/Ext/Pin"), 503);
        assert_int_equal(yard_get("./GwDev/d0001/Ext/New"), 503);
        assert_int_equal(yard_get(secret), 503);
        assert_int_not_equal(yard_get("./GwDev/d0001/DMAcc?list=StructData"), 500);
        assert_null(strstr(yard.text, "hidden"));
        fake_wake(one, 0);
        assert_int_equal(yard_get("./GwDev/d0001/Ext/New"), 200);
        assert_int_equal(yard_do(NULL, REP, "./GwDev/d0001/Ext/New", "2", CHR), 200);
        fake_sleep(one, 60000);
        assert_int_equal(yard_get("./GwDev/d0001/Ext/New"), 200);
        want(200, "./GwDev/d0001/Ext/New=2\n");
}

/* A look of a trap or a schedule: the status, and the value if there is one. */
static unsigned look(const char *uri, char value[32])
{
        const odm_op op = {
                .kind = GET, .target = odm_cstr(uri), .server = ODM_STR("srv"), .at_hand = true};
        odm_answer got = {0};
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 65536);
        assert_int_equal(odm_tree_do(yard.tree, &op, loop_wall(), &a, &got), 0);
        value[0] = '\0';
        if (got.results)
                snprintf(value, 32, "%.*s", (int)got.results->value.data.n,
                         got.results->value.data.p);
        odm_arena_done(&a);
        return got.status;
}

static bool is_read(void *ctx)
{
        return strstr(fake_log(yard.fake), ctx) != NULL;
}

/* What it said last, while it is asked for what it says now. */
static void who_only_looks_does_not_wait(void **arg)
{
        static const char level[] = "./GwDev/d0001/Ext/Level";
        static char read[] = "read d0001 ./Ext/Level\n";
        char value[32];

        (void)arg;
        fake_device *one = yard_attach("one");
        fake_set(one, "./Ext/Level", "7", CHR);
        assert_int_equal(look(level, value), 503);
        assert_true(yard_turn(5000, is_read, read));
        yard_settle();
        assert_int_equal(look(level, value), 200);
        assert_string_equal(value, "7");
        yard_settle();
        fake_set(one, "./Ext/Level", "8", CHR);
        assert_int_equal(look(level, value), 200);
        assert_string_equal(value, "7");
        yard_settle();
        fake_sleep(one, 60000);
        fake_log_clear(yard.fake);
        assert_int_equal(look(level, value), 200);
        assert_string_equal(value, "8");
        yard_settle();
        assert_string_equal(fake_log(yard.fake), "");
        fake_wake(one, 0);
        assert_int_equal(look("./GwDev/d0001/DevInfo/Man", value), 503); /* and it goes meanwhile */
}

/* However much is looked at, and is slow. */
static void who_looks_leaves_room_for_servers(void **arg)
{
        char value[32];

        (void)arg;
        fake_delay(yard_attach("one"), FAKE_SILENT);
        yard_attach("two");
        for (int i = 0; i < 100; i++)
                assert_int_equal(look("./GwDev/d0001/Ext/Level", value), 503);
        assert_int_equal(yard_get("./GwDev/d0002/DevInfo/Man"), 200);
}

/* In the adapter's words, without the place. */
static void refusals_say_why(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        fake_refuse(one, "./Reboot/Now", 405, "4.05 of coap://10.0.0.7:5683, which has none");
        assert_int_equal(yard_do(NULL, EXEC, "./GwDev/d0001/Reboot/Now", NULL, ABS), 405);
        assert_string_equal(yard.why, "4.05 of (address), which has none");
        fake_caps(one, ADAPTER_READ);
        assert_int_equal(yard_do(NULL, REP, "./GwDev/d0001/Ext/Level", "1", CHR), 405);
        assert_string_equal(yard.why, "nothing can be written on this device");
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man"), 200);
        assert_string_equal(yard.why, "");
        fake_sleep(one, 60000);
        assert_int_equal(yard_do(NULL, REP, "./GwDev/d0001/Ext/Level", "1", CHR), 503);
        assert_string_equal(yard.why, "the device is asleep");
}

static bool has_rebooted(void *ctx)
{
        (void)ctx;
        return strstr(fake_log(yard.fake), "exec d0001 ./Reboot/Now\n") != NULL;
}

static bool is_told(void *ctx)
{
        return yard_alerts(ctx) > 0;
}

static void an_exec_waits_for_who_sleeps(void **arg)
{
        static char type[] = "org.openmobilealliance.dm.firmwareupdate.update";

        (void)arg;
        fake_device *one = yard_attach("one");
        fake_later(one, 5, type, 200);
        fake_sleep(one, 60000);
        assert_int_equal(yard_do(NULL, EXEC, "./GwDev/d0001/Reboot/Now", NULL, ABS), 202);
        assert_string_equal(fake_log(yard.fake), "");
        yard_stop(); /* kept before it was answered */
        yard_start(classes);
        one = fake_new(yard.fake, "one");
        fake_key(one, "d0001");
        fake_later(one, 5, type, 200);
        assert_non_null(fake_attach(one));
        assert_true(yard_turn(5000, has_rebooted, NULL));
        assert_true(yard_turn(5000, is_told, type));
        assert_int_equal(yard_alerts(type), 1);
        assert_string_equal(yard.text, "./GwDev/d0001/Reboot/Now:c1:200");

        fake_go(one, ADAPTER_DEREGISTERED);
        assert_int_equal(yard_do(NULL, EXEC, "./GwDev/d0001/Reboot/Now", NULL, ABS), 503);
}

static void silent_ones_are_waited_for_a_while(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man"), 200);
        fake_delay(one, FAKE_SILENT);
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man"), 200); /* kept */
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Mod"), 408); /* nothing kept */
        fake_delay(one, 0);
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Mod"), 200);
}

static void what_the_device_tells_by_itself_is_kept(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        fake_set(one, "./Ext/Level", "17", ODM_FMT_INT);
        fake_changed(one, "./Ext/Level");
        fake_sleep(one, 60000);
        assert_int_equal(yard_get("./GwDev/d0001/Ext/Level"), 200);
        want(200, "./GwDev/d0001/Ext/Level=17\n");
        assert_int_equal(yard_get("./GwDev/d0001/Ext/Level?prop=Format"), 200);
        want(200, "./GwDev/d0001/Ext/Level?prop=Format=int\n");

        fake_wake(one, 0);
        fake_drop(one, "./Ext/Level");
        assert_int_equal(yard_get("./GwDev/d0001/Ext/Level"), 404);
        fake_sleep(one, 60000);
        assert_int_equal(yard_get("./GwDev/d0001/Ext/Level"), 503); /* it is forgotten */
}

static int alert_of(fake_device *d, const char *mark)
{
        return fake_alert(d, "./Ext", "urn:x:chatter", "1", mark);
}

struct told {
        unsigned n, most;
        char text[8192];
};

static int hear_some(void *ctx, const odm_alert *a)
{
        struct told *t = ctx;
        size_t at = strlen(t->text);

        if (t->n == t->most)
                return ODM_ELIMIT;
        t->n++;
        (void)snprintf(t->text + at, sizeof t->text - at, "%.*s ", (int)a->source.n, a->source.p);
        return 0;
}

static const char *first_told(unsigned n)
{
        static struct told t;

        t = (struct told){.most = n};
        (void)north_alerts(yard.g->north, ODM_STR(YARD_SERVER), hear_some, &t);
        north_rest(yard.g->north, false);
        return t.text;
}

/* An adapter that is told to wait holds back what other devices tell. */
static void one_that_talks_too_much_holds_nobody_back(void **arg)
{
        size_t before;

        (void)arg;
        fake_device *one = yard_attach("one"), *two = yard_attach("two");
        for (int i = 0; i < 100; i++)
                assert_int_equal(alert_of(one, "minor"), 0);
        before = north_waiting(yard.g->north);
        assert_int_equal(before, 62); /* both attached */
        for (int i = 0; i < 400; i++)
                assert_int_equal(alert_of(one, i % 2 ? "critical" : "fatal"), 0);
        assert_int_equal(north_waiting(yard.g->north), 201); /* 200 of one device */
        assert_int_equal(alert_of(two, "minor"), 0);
        assert_int_equal(north_waiting(yard.g->north), 202);
        assert_string_equal(first_told(4), "./GwMO/Inventory/Records/d0001 "
                                           "./GwMO/Inventory/Records/d0002 ./GwDev/d0001/Ext "
                                           "./GwDev/d0002/Ext ");
        /* who has something urgent comes first */
        assert_string_equal(first_told(1), "./GwMO/Inventory/Records/d0001 ");
        yard_attach("three");
        assert_string_equal(first_told(3), "./GwMO/Inventory/Records/d0001 "
                                           "./GwMO/Inventory/Records/d0002 "
                                           "./GwMO/Inventory/Records/d0003 ");
        loop_skip(20000);
        assert_int_equal(alert_of(one, "critical"), 0);
        assert_int_equal(north_waiting(yard.g->north), 203);
}

/* Oldest first of who told most, when all of them are too much. */
static void the_alerts_have_a_ceiling(void **arg)
{
        char id[16];

        (void)arg;
        yard_stop();
        yard_set("gateway.alerts=100");
        yard_start(classes);
        fake_device *one = yard_attach("one");
        for (int i = 0; i < 60; i++)
                assert_int_equal(alert_of(one, "minor"), 0);
        for (int i = 0; i < 30; i++) {
                snprintf(id, sizeof id, "x%d", i);
                assert_int_equal(alert_of(yard_attach(id), "minor"), 0);
        }
        assert_int_equal(north_waiting(yard.g->north), 100);
        (void)first_told(100);
        assert_non_null(strstr(first_told(100), "./GwDev/d0031/Ext")); /* no other has lost any */
}

static void what_was_taken_back_stays_so(void **arg)
{
        const odm_alert a = {.code = ODM_ALERT_GENERIC,
                             .source = ODM_STR("./GwMO/Inventory"),
                             .type = ODM_STR(ODM_INV_STATE_ALERT),
                             .data = ODM_STR("1")};
        store_batch *failed = store_batch_new(), *again = store_batch_new();
        north *n = yard.g->north;
        size_t before = north_waiting(n);

        (void)arg;
        assert_true(failed && again);
        assert_int_equal(north_event(n, failed, 1, &a, loop_wall()), 0);
        assert_int_equal(north_event(n, failed, 2, &a, loop_wall()), 0);
        assert_true(north_cancel(n, failed, 1, a.type));
        assert_int_equal(north_waiting(n), before + 1);
        north_written(n, failed, ODM_EIO);
        assert_int_equal(north_waiting(n), before);
        assert_int_equal(north_again(n, again, failed), 0);
        assert_int_equal(north_waiting(n), before + 1);
        store_batch_free(failed);
        north_written(n, again, ODM_EIO);
        store_batch_free(again);
}

static void values_show_their_age(void **arg)
{
        char stamp[sizeof yard.text];

        (void)arg;
        fake_device *one = yard_attach("one");
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man"), 200);
        fake_sleep(one, 60000);
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man?prop=TStamp"), 200);
        memcpy(stamp, yard.text, sizeof stamp);
        loop_skip(30000);
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man?prop=TStamp"), 200);
        assert_string_equal(yard.text, stamp); /* it stays what it was */
        fake_wake(one, 0);
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man?prop=TStamp"), 200);
        assert_string_not_equal(yard.text, stamp); /* live: now */
}

static void deactivated_ones_are_left_alone(void **arg)
{
        const gw_change off = {
                .wake_interval_s = -2, .awake_s = -2, .active = 0, .reason = ODM_STR("operator")};

        (void)arg;
        yard_attach("one");
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man"), 200);
        assert_int_equal(gw_change_device(yard.g, gw_by_key(yard.g, ODM_STR("d0001")), &off), 0);
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man"), 403);
        assert_int_equal(yard_do(NULL, EXEC, "./GwDev/d0001/Reboot/Now", NULL, ABS), 403);
}

static void nothing_of_a_device_is_in_a_transaction(void **arg)
{
        (void)arg;
        yard_attach("one");
        assert_int_equal(odm_tree_begin(yard.tree, loop_wall()), 0);
        assert_int_equal(yard_do(NULL, REP, "./GwDev/d0001/DevInfo/Lang", "fr", CHR), 406);
        assert_int_equal(yard_do(NULL, EXEC, "./GwDev/d0001/Reboot/Now", NULL, ABS), 406);
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man"), 200);
        odm_tree_rollback(yard.tree);
}

static void orders_below_commands_are_the_adapters(void **arg)
{
        (void)arg;
        fake_device *one = yard_attach("one");
        fake_commands(one, true);
        fake_log_clear(yard.fake);
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo?list=StructData"), 200);
        assert_non_null(strstr(yard.text, "./GwDev/d0001/DevInfo/Man=Fake\n"));
        assert_string_equal(fake_log(yard.fake), "commands d0001 1\n");
        fake_sleep(one, 60000);
        assert_int_equal(yard_get("./GwDev/d0001/DevInfo/Man"), 200);
}

static void the_cache_has_a_ceiling(void **arg)
{
        char path[64];

        (void)arg;
        fake_device *one = yard_attach("one");
        for (unsigned i = 0; i < CACHE_DEVICE_ROWS + 20; i++) {
                snprintf(path, sizeof path, "./Ext/n%05u", i);
                fake_set(one, path, "v", CHR);
                fake_changed(one, path);
                if (i % 200 == 0)
                        yard_settle();
        }
        yard_settle();
        fake_sleep(one, 60000);
        assert_int_equal(yard_get("./GwDev/d0001/Ext/n00010"), 200);
        snprintf(path, sizeof path, "./GwDev/d0001/Ext/n%05u", CACHE_DEVICE_ROWS + 10);
        assert_int_equal(yard_get(path), 503);
}

/* Jobs of the store, as the adapter of OMA DM makes one of each order. */
static void what_nobody_reads_is_not_kept(void **arg)
{
        store *st = gw_store(yard.g);
        store_batch *b = store_batch_new();
        store_job_list l = {0};
        odm_arena a;
        int64_t device;

        (void)arg;
        store_batch_add(b, STORE_DEVICE_CREATE)->device =
                (store_device){.name = ODM_STR("m"), .devid = ODM_STR("urn:m")};
        assert_int_equal(gw_write(yard.g, b), 0);
        device = b->ops[0]->id;
        store_batch_free(b);
        for (int i = 0; i < 200; i++) {
                store_op *op;
                b = store_batch_new();
                store_batch_add(b, STORE_JOB_CREATE)->job =
                        (store_job){.device = device, .commands = ODM_STR("[]")};
                op = store_batch_add(b, STORE_JOB_MOVE);
                op->job_move = (store_job_move){.device = device,
                                                .job = STORE_LAST,
                                                .from = STORE_JOB_OPEN,
                                                .expect_attempts = -1,
                                                .to = STORE_JOB_DONE};
                assert_int_equal(gw_write(yard.g, b), 0);
                store_batch_free(b);
        }
        odm_arena_init(&a, &heap_mem, 1 << 24);
        assert_int_equal(
                store_job_find(st,
                               &(store_job_filter){.device = device, .states = ~0u, .limit = 1000},
                               &a, &l),
                0);
        assert_true(l.n >= 1 && l.n <= 100);
        odm_arena_done(&a);
}

static bool are_expected(void *ctx)
{
        return gw_count(yard.g, -1) == *(const size_t *)ctx;
}

/* Many that are expected cost a few commits, and so do many that are no more. */
static void records_are_written_together(void **arg)
{
        size_t n = 300;
        store_stats before, after;
        char uri[80], id[32];

        (void)arg;
        store_stat(gw_store(yard.g), &before);
        for (size_t i = 0; i < n; i++) {
                snprintf(uri, sizeof uri, "./GwMO/Inventory/Ext/Expected/e%zu", i);
                assert_int_equal(yard_do(NULL, ADD, uri, NULL, ODM_FMT_NODE), 200);
                snprintf(uri, sizeof uri, "./GwMO/Inventory/Ext/Expected/e%zu/DeviceID", i);
                snprintf(id, sizeof id, "urn:%zu", i);
                assert_int_equal(yard_do(NULL, ADD, uri, id, CHR), 200);
        }
        assert_true(yard_turn(10000, are_expected, &n));
        yard_settle();
        store_stat(gw_store(yard.g), &after);
        assert_true(after.batches - before.batches < 20);
        yard_stop();
        yard_start(classes);
        assert_int_equal(gw_count(yard.g, -1), n);
        store_stat(gw_store(yard.g), &before);
        for (size_t i = 1; i < n; i++) {
                snprintf(uri, sizeof uri, "./GwMO/Inventory/Ext/Expected/e%zu", i);
                assert_int_equal(yard_do(NULL, DEL, uri, NULL, ABS), 200);
        }
        n = 1;
        assert_true(yard_turn(10000, are_expected, &n));
        yard_settle();
        store_stat(gw_store(yard.g), &after);
        assert_true(after.batches - before.batches < 20);
}

static unsigned long cached(void)
{
        unsigned long n;
        odm_buf b;
        const char *at;

        odm_buf_init(&b, &heap_mem, 65536);
        assert_int_equal(parts_status(yard.parts, &b), 0);
        assert_int_equal(odm_buf_byte(&b, 0), 0);
        at = strstr((const char *)b.p, "cached-values: ");
        assert_non_null(at);
        n = strtoul(at + strlen("cached-values: "), NULL, 10);
        odm_buf_done(&b);
        return n;
}

/* More comes at once than two batches take: what is not kept is not counted. */
static void what_the_cache_cannot_take_is_not_counted(void **arg)
{
        const store_scan all = {.table = &gw_table_cache};
        uint64_t rows = 0;
        char path[64];

        (void)arg;
        for (const char *const *id = (const char *const[]){"a", "b", "c", NULL}; *id; id++) {
                fake_device *d = yard_attach(*id);
                for (unsigned i = 0; i < 900; i++) {
                        snprintf(path, sizeof path, "./Ext/n%05u", i);
                        fake_set(d, path, "v", CHR);
                }
        }
        for (const char *const *id = (const char *const[]){"a", "b", "c", NULL}; *id; id++)
                for (unsigned i = 0; i < 900; i++) {
                        snprintf(path, sizeof path, "./Ext/n%05u", i);
                        fake_changed(fake_find(yard.fake, *id), path);
                }
        yard_settle();
        (void)yard_turn(1000, NULL, NULL);
        assert_int_equal(store_row_count(gw_store(yard.g), &all, 10000, &rows), 0);
        assert_true(rows > 0 && rows < 2700);
        assert_int_equal(cached(), rows);
}

static void gateways_may_be_behind_it(void **arg)
{
        static char type[] = "urn:example:at:door";

        (void)arg;
        fake_device *sub = fake_new(yard.fake, "sub");
        fake_is_gateway(sub, true);
        fake_set(sub, "./GwDev/d0003/DevInfo/Man", "Below", CHR);
        assert_non_null(fake_attach(sub));
        yard_settle();
        assert_string_equal(keys(), "./GwDev=g0001\n");
        assert_int_equal(yard_get("./GwDev/g0001/GwDev/d0003/DevInfo/Man"), 200);
        want(200, "./GwDev/g0001/GwDev/d0003/DevInfo/Man=Below\n");
        assert_int_equal(yard_do(NULL, REP, "./GwDev/g0001/GwDev/d0003/DevInfo/Man", "New", CHR),
                         200);
        assert_string_equal(fake_value(sub, "./GwDev/d0003/DevInfo/Man"), "New");
        assert_int_equal(fake_alert(sub, "./GwDev/d0003/Ext", type, "open", "critical"), 0);
        assert_int_equal(yard_alerts(type), 1);
        assert_string_equal(yard.text, "./GwDev/g0001/GwDev/d0003/Ext::open");
}

static void what_nobody_waits_for_is_still_done(void **arg)
{
        const odm_op op = {.kind = EXEC,
                           .target = ODM_STR("./GwDev/d0001/Reboot/Now"),
                           .server = ODM_STR(YARD_SERVER)};
        const parts_asker nobody = {.answer = NULL};

        (void)arg;
        fake_device *one = yard_attach("one");
        fake_delay(one, 20);
        assert_int_equal(parts_serve(yard.parts, 99, &op, &nobody), 0);
        parts_drop(yard.parts);
        (void)yard_turn(100, NULL, NULL);
        assert_string_equal(fake_log(yard.fake), "exec d0001 ./Reboot/Now\n");
        assert_false(gw_busy(yard.g, gw_by_key(yard.g, ODM_STR("d0001"))));
}

/* ---- what waits for the server ------------------------------------------------------------------- */

#define LARGE ((size_t)1 << 20)

typedef struct session {
        unsigned large;
        uint64_t id[1000];
        size_t n;
} session;

static int hear(void *ctx, const odm_alert *a)
{
        session *s = ctx;

        assert_true(s->n < ODM_COUNT(s->id));
        s->large += a->data.n == LARGE;
        s->id[s->n++] = a->id;
        return 0;
}

/* Session after session in which all are answered, until none waits. */
static unsigned large_ones(void)
{
        static session s;
        unsigned n = 0;

        for (unsigned i = 0; i < 200 && north_waiting(yard.g->north); i++) {
                s = (session){.n = 0};
                assert_int_equal(north_alerts(yard.g->north, ODM_STR(YARD_SERVER), hear, &s), 0);
                for (size_t k = 0; k < s.n; k++)
                        north_alerted(yard.g->north, s.id[k], 200);
                north_rest(yard.g->north, true);
                n += s.large;
        }
        assert_int_equal(north_waiting(yard.g->north), 0);
        return n;
}

static void tell_large(unsigned many, unsigned each)
{
        static char data[LARGE + 1];
        char id[16];

        memset(data, 'x', LARGE);
        for (unsigned i = 0; i < many; i++) {
                snprintf(id, sizeof id, "d%u", i);
                fake_device *d = yard_attach(id);
                for (unsigned k = 0; k < each; k++)
                        assert_int_equal(fake_alert(d, "./Ext", "urn:example:at:large", data, NULL),
                                         0);
        }
}

/* More of them than are read at once: they do not keep the gateway from its start, and are told. */
static void large_alerts_wait_as_others_do(void **arg)
{
        (void)arg;
        tell_large(3, 24);
        yard_stop();
        yard_start(classes);
        assert_int_equal(large_ones(), 72);
}

static void what_waits_has_a_size(void **arg)
{
        (void)arg;
        yard_stop();
        yard_set("gateway.alerts_size=32M");
        yard_start(classes);
        assert_int_equal(yard_do(NULL, REP, "./GwMO/Config/Alerts/BatchWindow", "0", ODM_FMT_INT),
                         200);
        tell_large(2, 24);
        assert_int_equal(large_ones(), 31); /* and what is around them */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, yard_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(keys_follow_the_records),
                TEST(keys_and_rights_survive_a_restart),
                TEST(a_transaction_of_the_session_is_waited_for),
                TEST(devices_that_are_awake_are_asked),
                TEST(those_asleep_are_not),
                TEST(what_was_written_is_no_secret_told),
                TEST(who_only_looks_does_not_wait),
                TEST(who_looks_leaves_room_for_servers),
                TEST(what_nobody_reads_is_not_kept),
                TEST(an_exec_waits_for_who_sleeps),
                TEST(silent_ones_are_waited_for_a_while),
                TEST(what_the_device_tells_by_itself_is_kept),
                TEST(one_that_talks_too_much_holds_nobody_back),
                TEST(the_alerts_have_a_ceiling),
                TEST(refusals_say_why),
                TEST(what_was_taken_back_stays_so),
                TEST(values_show_their_age),
                TEST(deactivated_ones_are_left_alone),
                TEST(nothing_of_a_device_is_in_a_transaction),
                TEST(orders_below_commands_are_the_adapters),
                TEST(the_cache_has_a_ceiling),
                TEST(what_the_cache_cannot_take_is_not_counted),
                TEST(records_are_written_together),
                TEST(large_alerts_wait_as_others_do),
                TEST(what_waits_has_a_size),
                TEST(gateways_may_be_behind_it),
                TEST(what_nobody_waits_for_is_still_done),
        };

        return RUN_TESTS(tests);
}
