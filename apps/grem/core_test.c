/* SPDX-License-Identifier: Apache-2.0 */
/* core_test.c - a whole gateway with devices in memory, against a DM server on loopback. */
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent_lab.h"
#include "device_inner.h"
#include "dm_fake.h"
#include "fake.h"
#include "fsio.h"
#include "heap.h"
#include "inner.h"
#include "log.h"
#include "settings.h"
#include "support.h"

#define RECORDS "./GwMO/Inventory/Records"
#define LIMIT_MS 15000

const adapter_class *const adapters_all[] = {&fake_class, NULL};

typedef struct world {
        dm_fake f;
        char dir[64];
        cfg_key *keys;
        cfg *c;
        loop *l;
        gateway *g;
        agent *agent;
        agent_app app;
} world;

/* Without a server, which has threads: a process that has some is not to be copied. */
static int set_up_alone(void **state)
{
        world *w = calloc(1, sizeof *w);
        size_t n;

        lab_begin(w->dir, "core_test");
        assert_int_equal(settings_keys(&w->keys, &n), 0);
        assert_int_equal(cfg_new(w->keys, n, &w->c), 0);
        lab_set(w->c, "agent.state=%s/state", w->dir);
        lab_set(w->c, "device.id=urn:uuid:test-gateway");
        lab_set(w->c, "wake.enabled=no");
        lab_set(w->c, "diag.enabled=no");
        lab_set(w->c, "gateway.ask=no");
        assert_int_equal(loop_new(&w->l), 0);
        *state = w;
        return 0;
}

static int set_up(void **state)
{
        world *w;

        set_up_alone(state);
        w = *state;
        dm_fake_start(&w->f, NULL, NULL);
        lab_account(w->c, FAKE_ID, "localhost", w->f.plain, FAKE_USER, FAKE_USER_PASSWORD,
                    FAKE_PASSWORD);
        return 0;
}

static void open_all(world *w)
{
        diag d = {{0}};

        if (gateway_open(w->c, w->l, "0.0", &w->g, &d) < 0)
                fail_msg("%s", d.text);
        w->app = gateway_app;
        w->app.app = w->g;
        lab_open(w->c, w->l, &w->app, &w->agent);
        if (gateway_start(w->g, &d) < 0)
                fail_msg("%s", d.text);
}

static void close_all(world *w)
{
        if (w->g)
                gateway_stop(w->g);
        agent_close(w->agent);
        w->agent = NULL;
        gateway_close(w->g);
        w->g = NULL;
}

static int tear_down(void **state)
{
        world *w = *state;

        close_all(w);
        loop_free(w->l);
        cfg_free(w->c);
        free(w->keys);
        if (w->f.h)
                dm_fake_stop(&w->f);
        lab_remove(w->dir);
        free(w);
        return 0;
}

/* ---- waiting ------------------------------------------------------------------------------- */

/* Turns the loop until the server has had `sessions`. */
static void run_sessions(world *w, unsigned sessions)
{
        odm_time limit = odm_time_add(loop_now(), LIMIT_MS);

        while (dm_fake_done(&w->f) < sessions) {
                if (odm_time_reached(loop_now(), limit))
                        fail_msg("%u sessions instead of %u", dm_fake_done(&w->f), sessions);
                assert_int_equal(loop_once(w->l, 20), 0);
        }
}

static void run_reported(world *w, const char *line)
{
        odm_time limit = odm_time_add(loop_now(), LIMIT_MS);

        while (!dm_fake_reported(&w->f, line)) {
                if (odm_time_reached(loop_now(), limit))
                        fail_msg("no '%s' in:\n%s", line, w->f.report);
                assert_int_equal(loop_once(w->l, 20), 0);
        }
}

static void run_until_told(world *w)
{
        odm_time limit = odm_time_add(loop_now(), LIMIT_MS);

        while (north_waiting(w->g->north) > 0) {
                if (odm_time_reached(loop_now(), limit))
                        fail_msg("%zu alerts wait", north_waiting(w->g->north));
                assert_int_equal(loop_once(w->l, 20), 0);
        }
}

/* What is on its way to the store gets there, and back. */
static void settle(world *w)
{
        devices_flush(w->g->devices);
        for (int i = 0; i < 10; i++)
                assert_int_equal(loop_once(w->l, 10), 0);
}

static unsigned count_in(world *w, const char *text)
{
        unsigned n = 0;

        for (const char *at = w->f.report; (at = strstr(at, text)) != NULL; at++)
                n++;
        return n;
}

static void write_config(world *w, const char *rel, const char *text, odm_format format)
{
        char uri[128];
        const odm_value v = {.format = format, .data = odm_cstr(text)};

        snprintf(uri, sizeof uri, "./GwMO/Config/%s", rel);
        assert_int_equal(odm_tree_write(gw_tree(w->g), odm_cstr(uri), &v, loop_wall()), 0);
        assert_int_equal(loop_once(w->l, 0), 0);
}

static const char *node(world *w, const char *uri)
{
        static char text[512];
        odm_value v;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 65536);
        if (odm_tree_read(gw_tree(w->g), odm_cstr(uri), &a, &v) == 0)
                snprintf(text, sizeof text, "%.*s", (int)v.data.n, v.data.n ? v.data.p : "");
        else
                snprintf(text, sizeof text, "(none)");
        odm_arena_done(&a);
        return text;
}

static fake_device *attach(const char *id)
{
        fake_device *d = fake_find(fake_latest(), id);

        if (!d)
                d = fake_new(fake_latest(), id);
        assert_non_null(fake_attach(d));
        return d;
}

/* ---- cases ------------------------------------------------------------------------------------ */

static void devices_that_come_together_are_one_session(void **state)
{
        world *w = *state;
        char id[32];

        open_all(w);
        run_sessions(w, 1);
        write_config(w, "Alerts/BatchWindow", "1", ODM_FMT_INT);
        for (int i = 1; i <= 10; i++) {
                snprintf(id, sizeof id, "urn:imei:%d", i);
                attach(id);
        }
        run_until_told(w);
        assert_int_equal(dm_fake_done(&w->f), 2);
        assert_int_equal(count_in(w, "<DeviceAttach><DeviceID>urn:imei:"), 10);
        assert_true(dm_fake_reported(&w->f, "alert " RECORDS "/d0010  <DeviceAttach><DeviceID>"
                                            "urn:imei:10</DeviceID><Mode>3</Mode><Protocol>FAKE/1"
                                            "</Protocol><ComponentType>0</ComponentType><Time>20"));
        assert_int_equal(w->g->counts.sessions_saved, 9);
        assert_true(w->g->counts.bytes_saved > 0);
        assert_string_equal(node(w, "./DiagMon/Traffic/DiagMonData/NorthSessions"), "2");
        assert_string_equal(node(w, "./DiagMon/Traffic/DiagMonData/SavedSessions"), "9");
}

#define ALL RECORDS "  "

/* Who sleeps is told once, all of them together, and waking for a moment never. */
static void sleepers_are_told_once(void **state)
{
        world *w = *state;
        fake_device *d[3];

        open_all(w);
        run_sessions(w, 1);
        write_config(w, "Alerts/BatchWindow", "0", ODM_FMT_INT);
        for (int i = 0; i < 3; i++)
                d[i] = attach((const char *[]){"a", "b", "c"}[i]);
        run_until_told(w);
        fake_sleep(d[0], 0);
        fake_sleep(d[2], 0);
        run_reported(w, "alert " ALL "2 d0001 d0003\n");
        run_until_told(w);
        for (int i = 0; i < 3; i++) {
                fake_wake(d[0], i ? 0 : 50);
                fake_sleep(d[0], 0);
                fake_wake(d[1], 50);
                fake_wake(d[1], 0);
                settle(w);
        }
        device_many_tell(w->g->devices);
        settle(w);
        assert_int_equal(north_waiting(w->g->north), 0);
        close_all(w); /* nor once more after a restart */
        open_all(w);
        run_sessions(w, dm_fake_done(&w->f) + 1);
        fake_sleep(attach("c"), 0);
        device_many_tell(w->g->devices);
        settle(w);
        assert_int_equal(count_in(w, "alert " ALL), 1);
        assert_int_equal(north_waiting(w->g->north), 0);
}

/* It attaches anew, or is up for long: then it is no sleeper, until it sleeps again. */
static void who_does_not_sleep_any_more_is_told_of(void **state)
{
        world *w = *state;
        fake_device *d;
        rec *r;

        open_all(w);
        run_sessions(w, 1);
        write_config(w, "Alerts/BatchWindow", "0", ODM_FMT_INT);
        d = attach("a");
        fake_sleep(d, 0);
        run_reported(w, "alert " ALL "2 d0001\n");
        fake_wake(d, 0);
        r = (rec *)(void *)gw_by_id(w->g, ODM_STR("a"));
        assert_true(w->g->devices->many.in != NULL); /* it is looked at in an hour */
        r->woke_at -= 3600000;
        device_many_tell(w->g->devices);
        run_reported(w, "alert " ALL "1 d0001\n");
        fake_sleep(d, 0);
        device_many_tell(w->g->devices);
        settle(w);
        assert_int_equal(north_waiting(w->g->north), 1);
        run_until_told(w);
        fake_go(d, ADAPTER_LINK_LOST);
        settle(w);
        run_until_told(w);
        attach("a"); /* which says that it is awake */
        settle(w);
        run_until_told(w);
        fake_sleep(d, 0);
        device_many_tell(w->g->devices);
        run_until_told(w);
        assert_int_equal(count_in(w, "alert " ALL "2 d0001\n"), 3);
        assert_int_equal(count_in(w, "alert " ALL "1 d0001\n"), 1);
}

/* Who made it, and what it runs, may be known only when its attach was told.  A restart in between
 * forgets nothing. */
static void records_that_are_new_are_told_of_together(void **state)
{
        world *w = *state;
        fake_device *d[2];

        open_all(w);
        run_sessions(w, 1);
        write_config(w, "Alerts/BatchWindow", "0", ODM_FMT_INT);
        for (int i = 0; i < 2; i++)
                d[i] = attach((const char *[]){"a", "b"}[i]);
        (void)attach("c");
        run_until_told(w);
        fake_set(d[0], "./DevDetail/FwV", "9", ODM_FMT_CHR);
        fake_set(d[1], "./DevInfo/Mod", "M9", ODM_FMT_CHR);
        for (const char **id = (const char *[]){"a", "b", "c", NULL}; *id; id++)
                (void)attach(*id);
        run_reported(w, "alert " ALL "d0001 d0002\n");
        run_until_told(w);
        fake_set(d[0], "./DevDetail/FwV", "10", ODM_FMT_CHR);
        (void)attach("a");
        assert_int_equal(north_waiting(w->g->north), 0); /* not yet */
        close_all(w);
        open_all(w);
        run_reported(w, "alert " ALL "d0001\n");
        run_until_told(w);
        device_many_tell(w->g->devices);
        assert_int_equal(north_waiting(w->g->north), 0);
        write_config(w, "Alerts/BatchWindow", "3600", ODM_FMT_INT);
        d[0] = attach("d");
        fake_set(d[0], "./DevDetail/FwV", "11", ODM_FMT_CHR);
        (void)attach("d");
        device_many_tell(w->g->devices);
        settle(w);
        assert_int_equal(north_waiting(w->g->north), 1); /* its attach, which is enough */
}

static void going_and_coming_in_one_window_is_no_news_but_counted(void **state)
{
        world *w = *state;
        fake_device *d;

        open_all(w);
        run_sessions(w, 1);
        write_config(w, "Alerts/BatchWindow", "0", ODM_FMT_INT);
        d = attach("a");
        run_until_told(w);
        write_config(w, "Alerts/BatchWindow", "3600", ODM_FMT_INT);
        fake_go(d, ADAPTER_LINK_LOST);
        settle(w);
        assert_int_equal(north_waiting(w->g->north), 1);
        assert_string_equal(node(w, RECORDS "/d0001/State"), "4");
        attach("a");
        settle(w);
        assert_int_equal(north_waiting(w->g->north), 0);
        assert_string_equal(node(w, RECORDS "/d0001/State"), "1");
        assert_string_equal(node(w, RECORDS "/d0001/Ext/Flaps"), "1");
        assert_int_equal(count_in(w, "DeviceDetach"), 0);
}

static void what_is_critical_does_not_wait(void **state)
{
        world *w = *state;
        fake_device *d;
        odm_time began;

        open_all(w);
        run_sessions(w, 1);
        write_config(w, "Alerts/BatchWindow", "3600", ODM_FMT_INT);
        d = attach("a");
        assert_int_equal(fake_alert(d, "./FUMO/main", "urn:x:minor", "17", "minor"), 0);
        settle(w);
        assert_int_equal(north_waiting(w->g->north), 2);
        assert_int_equal(dm_fake_done(&w->f), 1);
        began = loop_now();
        assert_int_equal(fake_alert(d, "./FUMO/main", "urn:x:bad", "18", "critical"), 0);
        run_until_told(w); /* and takes the others with it */
        assert_true(loop_now().ms - began.ms < LIMIT_MS);
        assert_true(dm_fake_reported(&w->f, "alert ./GwDev/d0001/FUMO/main  17\n"));
        assert_true(dm_fake_reported(&w->f, "alert ./GwDev/d0001/FUMO/main  18\n"));
        assert_int_equal(dm_fake_done(&w->f), 2);
}

/* A session stands still before it. */
static void an_alert_that_fits_no_message_holds_back_nobody(void **state)
{
        static char address[9000] = "./";
        world *w = *state;
        fake_device *one, *two;

        memset(address + 2, 'A', sizeof address - 3);
        lab_set(w->c, "session.max_message=8k");
        open_all(w);
        one = fake_new(fake_latest(), "a");
        two = fake_new(fake_latest(), "b");
        assert_non_null(fake_attach(one));
        assert_non_null(fake_attach(two));
        assert_int_equal(fake_alert(one, address, "urn:x:long", "1", "critical"), 0);
        assert_int_equal(fake_alert(one, "./A", address, "2", "critical"), 0);
        assert_int_equal(fake_alert(two, "./A", "urn:x:bad", "18", "critical"), 0);
        run_reported(w, "alert ./GwDev/d0002/A  18\n");
        run_until_told(w);
}

struct session { /* as the agent fills one */
        uint64_t id[16];
        size_t data[16], n;
        bool full; /* for what is large */
        char sources[512];
};

static int take(void *ctx, const odm_alert *a)
{
        struct session *s = ctx;

        if (s->full && a->data.n > 100000)
                return ODM_ELIMIT;
        assert_true(s->n < ODM_COUNT(s->id));
        s->id[s->n] = a->id;
        s->data[s->n++] = a->data.n;
        snprintf(s->sources + strlen(s->sources), sizeof s->sources - strlen(s->sources), "%.*s ",
                 (int)a->source.n, a->source.p);
        return 0;
}

/* Tells of what is said; answers it when `good`.  How many were told; *largest: octets of one. */
static size_t hold(world *w, bool full, bool good, size_t *largest)
{
        struct session s = {.full = full, .sources = ""};
        int rc = north_alerts(w->g->north, ODM_STR(FAKE_ID), take, &s);

        assert_true(rc == 0 || rc == ODM_ELIMIT);
        *largest = 0;
        for (size_t i = 0; i < s.n; i++) {
                if (s.data[i] > *largest)
                        *largest = s.data[i];
                if (good)
                        north_alerted(w->g->north, s.id[i], 200);
        }
        north_rest(w->g->north, good);
        return s.n;
}

static int say(world *w, const char *id, size_t octets)
{
        char *text = malloc(octets);
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .source = ODM_STR("./X"),
                       .type = ODM_STR("urn:x:log"),
                       .mark = ODM_STR("critical"),
                       .format = ODM_FMT_CHR};
        int rc;

        assert_non_null(text);
        memset(text, 'x', octets);
        a.data = (odm_str){text, octets};
        rc = devices_alert(w->g, gw_by_id(w->g, odm_cstr(id)), &a, (odm_wall){0});
        free(text);
        return rc;
}

/* A large alert has a session to itself; whatever comes of that, others are told in theirs. */
static void a_large_alert_holds_back_nobody(void **state)
{
        world *w = *state;
        size_t largest;

        open_all(w);
        run_sessions(w, 1);
        write_config(w, "Alerts/BatchWindow", "0", ODM_FMT_INT);
        attach("a");
        attach("b");
        run_until_told(w);
        assert_int_equal(say(w, "a", 2 << 20), 0);
        assert_int_equal(say(w, "b", 10), 0);
        assert_int_equal(say(w, "a", 20), 0); /* behind the large one, whose lane it is in */
        assert_int_equal(hold(w, false, true, &largest), 1);
        assert_int_equal(largest, 10);
        assert_int_equal(say(w, "b", 11), 0);
        assert_int_equal(hold(w, false, true, &largest), 1);
        assert_int_equal(hold(w, true, true, &largest), 0); /* it does not fit */
        assert_int_equal(say(w, "b", 12), 0);
        assert_int_equal(hold(w, true, true, &largest), 1);
        assert_int_equal(largest, 12);
        assert_int_equal(hold(w, false, false, &largest), 0); /* not now again */
        assert_int_equal(north_waiting(w->g->north), 2);
}

/* Nor do they hold it back for ever. */
static void a_large_alert_has_its_turn(void **state)
{
        world *w = *state;
        size_t largest, told = 0;

        open_all(w);
        run_sessions(w, 1);
        write_config(w, "Alerts/BatchWindow", "0", ODM_FMT_INT);
        attach("a");
        attach("b");
        run_until_told(w);
        assert_int_equal(say(w, "a", 2 << 20), 0);
        for (int i = 0; i < 5; i++) {
                assert_int_equal(say(w, "b", 10), 0);
                told += hold(w, false, true, &largest);
        }
        assert_int_equal(largest, 2 << 20);
        assert_int_equal(told, 5); /* the last one was alone */
        assert_int_equal(hold(w, false, true, &largest), 1);
        assert_int_equal(north_waiting(w->g->north), 0);
}

/* What is said of many at once stands where it was said among what was said of each. */
static void who_sleeps_is_told_in_its_place(void **state)
{
        world *w = *state;
        struct session s = {.sources = ""};
        fake_device *d;

        open_all(w);
        run_sessions(w, 1);
        write_config(w, "Alerts/BatchWindow", "3600", ODM_FMT_INT);
        (void)attach("a");
        d = attach("b");
        fake_sleep(d, 0);
        device_many_tell(w->g->devices);
        settle(w);
        (void)attach("c");
        settle(w);
        assert_int_equal(north_alerts(w->g->north, ODM_STR(FAKE_ID), take, &s), 0);
        assert_string_equal(s.sources,
                            RECORDS "/d0001 " RECORDS "/d0002 " RECORDS " " RECORDS "/d0003 ");
        north_rest(w->g->north, true);
}

static int final_of(world *w, const char *id, const char *type)
{
        const odm_alert a = {.code = ODM_ALERT_GENERIC,
                             .source = ODM_STR("./FUMO/main"),
                             .type = odm_cstr(type),
                             .mark = ODM_STR("informational"),
                             .correlator = ODM_STR("c-7"),
                             .format = ODM_FMT_INT,
                             .data = ODM_STR("200")};

        return devices_alert(w->g, gw_by_id(w->g, odm_cstr(id)), &a, (odm_wall){0});
}

/* Somebody waits for how his order ended; several that end together are one session. */
static void a_final_alert_does_not_wait(void **state)
{
        static const char update[] = "org.openmobilealliance.dm.firmwareupdate.update";
        world *w = *state;

        open_all(w);
        run_sessions(w, 1);
        write_config(w, "Alerts/BatchWindow", "3600", ODM_FMT_INT);
        assert_string_equal(node(w, "./GwMO/Config/Alerts/ResultWindow"), "1");
        attach("a");
        attach("b");
        assert_int_equal(final_of(w, "a", "urn:oma:at:diagmon:1.0:CollectedSimpleDataReport"), 0);
        settle(w);
        assert_int_equal(north_waiting(w->g->north), 3);
        assert_int_equal(dm_fake_done(&w->f), 1);
        assert_int_equal(final_of(w, "a", update), 0);
        assert_int_equal(final_of(w, "b", update), 0);
        run_until_told(w);
        assert_int_equal(dm_fake_done(&w->f), 2);
        assert_true(dm_fake_reported(&w->f, "alert ./GwDev/d0001/FUMO/main c-7 200\n"));
        assert_true(dm_fake_reported(&w->f, "alert ./GwDev/d0002/FUMO/main c-7 200\n"));
        write_config(w, "Alerts/ResultWindow", "3600", ODM_FMT_INT);
        assert_int_equal(final_of(w, "a", update), 0);
        settle(w);
        assert_int_equal(north_waiting(w->g->north), 1);
}

static void an_alert_is_told_until_it_is_answered(void **state)
{
        world *w = *state;

        w->f.refuse_status = 503;
        open_all(w);
        write_config(w, "Alerts/BatchWindow", "0", ODM_FMT_INT);
        attach("a");
        settle(w);
        assert_int_equal(north_waiting(w->g->north), 1);
        close_all(w);
        pthread_mutex_lock(&w->f.lock);
        w->f.refuse_status = 0;
        w->f.alert_status = 500; /* heard, but not taken */
        pthread_mutex_unlock(&w->f.lock);
        open_all(w);
        run_reported(w, "DeviceAttach");
        run_sessions(w, 1);
        settle(w);
        assert_int_equal(north_waiting(w->g->north), 1);
        pthread_mutex_lock(&w->f.lock);
        w->f.alert_status = 0;
        pthread_mutex_unlock(&w->f.lock);
        loop_skip(120000);
        run_until_told(w);
        assert_int_equal(count_in(w, "DeviceAttach"), 2 * 2); /* begin and end tag */
}

static void keys_stay_for_ever(void **state)
{
        world *w = *state;
        fake_device *b;

        open_all(w);
        attach("a");
        b = fake_new(fake_latest(), "b");
        fake_is_gateway(b, true);
        assert_non_null(fake_attach(b));
        attach("c");
        assert_string_equal(gw_by_id(w->g, ODM_STR("b"))->key, "g0002");
        settle(w);
        close_all(w);
        open_all(w);
        assert_int_equal(gw_count(w->g, -1), 3);
        assert_string_equal(gw_by_id(w->g, ODM_STR("c"))->key, "d0003");
        assert_null(gw_by_key(w->g, ODM_STR("d0002")));
        assert_non_null(gw_by_key(w->g, ODM_STR("g0002")));
        assert_false(gw_is_awake(gw_by_id(w->g, ODM_STR("c"))));
        attach("c");
        assert_string_equal(gw_by_id(w->g, ODM_STR("c"))->key, "d0003");
        /* not even when its record is gone */
        fake_go(fake_find(fake_latest(), "c"), ADAPTER_DEREGISTERED);
        assert_int_equal(devices_remove(w->g, gw_by_id(w->g, ODM_STR("c"))), 0);
        settle(w);
        close_all(w);
        open_all(w);
        assert_null(gw_by_id(w->g, ODM_STR("c")));
        attach("c");
        assert_string_equal(gw_by_id(w->g, ODM_STR("c"))->key, "d0004");
}

static void a_server_reads_and_changes_records(void **state)
{
        static const fake_job jobs[] = {
                {.kind = ODM_CMD_GET, .uri = RECORDS "?list=Struct"},
                {.kind = ODM_CMD_GET, .uri = RECORDS "?list=StructData"},
                {.kind = ODM_CMD_GET, .uri = RECORDS "?list=TNDS"},
                {.kind = ODM_CMD_REPLACE, .uri = RECORDS "/d0001/Name", .data = "meter/17"},
                {.kind = ODM_CMD_REPLACE,
                 .uri = RECORDS "/d0001/Mode",
                 .data = "7",
                 .format = ODM_FMT_INT},
                {.kind = ODM_CMD_REPLACE, .uri = RECORDS "/d0001/FwV", .data = "9"},
                {.kind = ODM_CMD_REPLACE,
                 .uri = RECORDS "/d0001/Ext/Active",
                 .data = "false",
                 .format = ODM_FMT_BOOL},
                {.kind = ODM_CMD_GET, .uri = RECORDS "/d0001/State"},
                {.kind = ODM_CMD_GET, .uri = RECORDS "/d0001/StateReason"},
        };
        world *w = *state;
        fake_device *d;

        lab_set(w->c, "session.on_start=no");
        open_all(w);
        d = attach("a");
        settle(w);
        w->f.jobs = jobs;
        w->f.n_jobs = ODM_COUNT(jobs);
        agent_sync(w->agent, "test");
        run_reported(w, "200 " RECORDS "/d0001/StateReason = operator\n");
        assert_true(dm_fake_reported(&w->f, "200 " RECORDS "?list=Struct = "));
        assert_true(dm_fake_reported(&w->f, " = ./GwDev/d0001 = "));
        assert_true(dm_fake_reported(&w->f, "200 " RECORDS "?list=TNDS = "));
        assert_true(dm_fake_reported(&w->f, "200 " RECORDS "/d0001/Name\n"));
        assert_true(dm_fake_reported(&w->f, "415 " RECORDS "/d0001/Mode\n"));
        assert_true(dm_fake_reported(&w->f, "405 " RECORDS "/d0001/FwV\n"));
        assert_true(dm_fake_reported(&w->f, "200 " RECORDS "/d0001/State = 5\n"));
        assert_string_equal(node(w, RECORDS "/d0001/Name"), "meter/17");
        /* it is not served any more, after a restart neither */
        assert_null(fake_attach(d));
        assert_int_equal(fake_why(d), 403);
        close_all(w);
        open_all(w);
        assert_string_equal(node(w, RECORDS "/d0001/Name"), "meter/17");
        assert_string_equal(node(w, RECORDS "/d0001/State"), "5");
}

static void rules_decide_the_mode(void **state)
{
        world *w = *state;
        gw_device *d;
        gw_change c = {.mode = GW_TRANSPARENT, .wake_interval_s = -2, .awake_s = -2, .active = -1};

        open_all(w);
        write_config(w, "ModeRules/a/Priority", "2", ODM_FMT_INT);
        write_config(w, "ModeRules/a/Match", "id=urn:*", ODM_FMT_CHR);
        write_config(w, "ModeRules/a/Mode", "2", ODM_FMT_INT);
        attach("urn:1");
        attach("other");
        assert_int_equal(gw_by_id(w->g, ODM_STR("urn:1"))->mode, GW_PROXY);
        assert_int_equal(gw_by_id(w->g, ODM_STR("other"))->mode, GW_ADAPTATION);
        write_config(w, "ModeRules/b/Priority", "1", ODM_FMT_INT);
        write_config(w, "ModeRules/b/Match", "id=*;proto=FAKE/?", ODM_FMT_CHR);
        write_config(w, "ModeRules/b/Mode", "3", ODM_FMT_INT);
        d = gw_by_id(w->g, ODM_STR("urn:1"));
        assert_int_equal(d->mode, GW_ADAPTATION);
        assert_int_equal(gw_change_device(w->g, d, &c), 0);
        attach("urn:1");
        assert_int_equal(d->mode, GW_TRANSPARENT); /* the record's own wins */
}

static void a_gateway_without_configuration_asks_for_one(void **state)
{
        world *w = *state;

        lab_set(w->c, "gateway.ask=yes");
        w->f.alert_status = 500; /* heard, but not taken */
        open_all(w);
        run_sessions(w, 1);
        assert_true(
                dm_fake_reported(&w->f, "alert ./GwMO/Config  <TaskRequest><Kind>config</Kind>"));
        close_all(w);
        open_all(w);
        settle(w);
        assert_int_equal(north_waiting(w->g->north), 1); /* asked once */
        close_all(w);
        w->f.alert_status = 0;
        open_all(w);
        run_until_told(w);
        write_config(w, "GwAddress/Addr", "https://gw.example", ODM_FMT_CHR);
        close_all(w);
        open_all(w);
        assert_int_equal(north_waiting(w->g->north), 0);
}

static void stored_configuration_is_applied_to_what_attaches(void **state)
{
        world *w = *state;
        fake_device *d, *other;

        open_all(w);
        write_config(w, "ConfigData/a/ID", "level", ODM_FMT_CHR);
        write_config(w, "ConfigData/a/Match", "id=urn:*", ODM_FMT_CHR);
        write_config(w, "ConfigData/a/AutoApply", "true", ODM_FMT_BOOL);
        write_config(w, "ConfigData/a/Data",
                     "<SyncBody><Replace><CmdID>1</CmdID><Item><Target><LocURI>./Ext/Level</LocURI>"
                     "</Target><Data>7</Data></Item></Replace></SyncBody>",
                     ODM_FMT_XML);
        write_config(w, "ConfigData/b/ID", "name", ODM_FMT_CHR);
        write_config(w, "ConfigData/b/Match", "man=Fake", ODM_FMT_CHR);
        write_config(w, "ConfigData/b/AutoApply", "true", ODM_FMT_BOOL);
        write_config(w, "ConfigData/b/Data",
                     "<MgmtTree><VerDTD>1.2</VerDTD><Node><NodeName>Ext</NodeName><Node><NodeName>"
                     "Place</NodeName><Value>hall &amp; yard</Value></Node></Node></MgmtTree>",
                     ODM_FMT_XML);
        d = fake_new(fake_latest(), "urn:1");
        other = fake_new(fake_latest(), "other");
        for (int i = 0; i < 2; i++) {
                fake_set(i ? other : d, "./Ext/Level", "1", ODM_FMT_INT);
                fake_set(i ? other : d, "./Ext/Place", "", ODM_FMT_CHR);
                assert_non_null(fake_attach(i ? other : d));
        }
        settle(w);
        assert_string_equal(fake_value(d, "./Ext/Level"), "7");
        assert_string_equal(fake_value(d, "./Ext/Place"), "hall & yard");
        assert_string_equal(fake_value(other, "./Ext/Level"), "1");
        assert_string_equal(fake_value(other, "./Ext/Place"), "hall & yard");
}

static void expected_devices_have_records_before_they_come(void **state)
{
        static const fake_job jobs[] = {
                {.kind = ODM_CMD_ADD,
                 .uri = "./GwMO/Inventory/Ext/Expected/m17/DeviceID",
                 .data = "urn:imei:17"},
                {.kind = ODM_CMD_ADD,
                 .uri = "./GwMO/Inventory/Ext/Expected/m17/Name",
                 .data = "meter/17"},
                {.kind = ODM_CMD_ADD,
                 .uri = "./GwMO/Inventory/Ext/Expected/m18/DeviceID",
                 .data = "urn:imei:18"},
                {.kind = ODM_CMD_DELETE, .uri = "./GwMO/Inventory/Ext/Expected/m18"},
                {.kind = ODM_CMD_GET, .uri = RECORDS "/d0001/Name"},
        };
        world *w = *state;
        fake_device *d;

        lab_set(w->c, "session.on_start=no");
        lab_set(w->c, "gateway.provisioned_only=yes");
        open_all(w);
        w->f.jobs = jobs;
        w->f.n_jobs = ODM_COUNT(jobs);
        agent_sync(w->agent, "test");
        run_sessions(w, 1);
        settle(w);
        assert_int_equal(gw_count(w->g, GW_PROVISIONED), 1);
        assert_string_equal(node(w, RECORDS "/d0001/Name"), "meter/17");
        assert_string_equal(node(w, RECORDS "/d0001/State"), "0");
        assert_null(fake_attach(fake_new(fake_latest(), "urn:imei:99")));
        d = fake_new(fake_latest(), "urn:imei:17");
        assert_non_null(fake_attach(d));
        assert_string_equal(node(w, RECORDS "/d0001/State"), "1");
}

/* A record that is live is its adapter's: who comes another way under its name is refused. */
static void a_live_device_is_not_taken_over(void **state)
{
        static adapter_class other;
        world *w = *state;
        adapter_device twin = {.id = ODM_STR("a"), .man = ODM_STR("Impostor")};
        fake_device *f;
        gw_device *d;
        unsigned why = 0;

        other = fake_class;
        other.name = "other";
        other.forget = NULL;
        open_all(w);
        f = attach("a");
        d = fake_record(f);
        assert_null(devices_seen(w->g, &other, &twin, NULL, &why));
        assert_int_equal(why, ODM_ST_FORBIDDEN);
        assert_ptr_equal(d->adapter, &fake_class);
        assert_int_equal(d->state, GW_ACTIVE);
        assert_false(odm_str_is(d->man, "Impostor"));
        fake_go(f, ADAPTER_LINK_LOST);
        settle(w);
        assert_ptr_equal(devices_seen(w->g, &other, &twin, NULL, &why), d); /* it moved */
        assert_ptr_equal(d->adapter, &other);
}

static void a_device_that_is_switched_on_again_is_there(void **state)
{
        world *w = *state;
        gw_change c = {.wake_interval_s = -2, .awake_s = -2, .reason = ODM_STR("operator")};
        fake_device *one;
        gw_device *d;

        open_all(w);
        run_sessions(w, 1);
        write_config(w, "Alerts/BatchWindow", "0", ODM_FMT_INT);
        one = attach("a");
        d = fake_record(one);
        run_until_told(w);
        assert_int_equal(gw_change_device(w->g, d, &c), 0);
        run_reported(w, "alert " RECORDS "/d0001  5\n");
        assert_string_equal(node(w, RECORDS "/d0001/StateReason"), "operator");
        assert_false(gw_is_awake(d));
        assert_int_equal(fake_alert(one, "./A", "urn:x:switched-off", "1", "critical"), 0);
        c = (gw_change){.wake_interval_s = -2, .awake_s = -2, .active = 1};
        assert_int_equal(gw_change_device(w->g, d, &c), 0);
        assert_int_equal(d->state, GW_ACTIVE);
        assert_true(gw_is_awake(d));
        run_until_told(w);
        assert_int_equal(count_in(w, "<DeviceAttach><DeviceID>a<"), 2);
        assert_int_equal(count_in(w, "urn:x:switched-off"), 0); /* what it said is nobody's */
        assert_int_equal(north_waiting(w->g->north), 0);
        assert_string_equal(node(w, RECORDS "/d0001/StateReason"), "");
}

/* What the address says, whole; the listener has a thread of its own. */
static const char *fetch(uint16_t port, const char *path)
{
        static char text[16384];
        net_addr to;
        char ask[128];
        size_t n = 0;
        ssize_t got;
        int fd;

        assert_int_equal(net_addr_parse("127.0.0.1", port, &to), 0);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)&to.sa, to.n), 0);
        snprintf(ask, sizeof ask, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
        assert_int_equal(write(fd, ask, strlen(ask)), (ssize_t)strlen(ask));
        while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0)
                n += (size_t)got;
        text[n] = 0;
        close(fd);
        return text;
}

static void counters_are_told_over_http(void **state)
{
        world *w = *state;
        odm_time limit;
        uint16_t port;

        lab_set(w->c, "gateway.metrics=127.0.0.1:0");
        open_all(w);
        run_sessions(w, 1);
        attach("a");
        loop_skip(1500);
        settle(w);
        port = meter_port(w->g->meter);
        assert_non_null(strstr(fetch(port, "/metrics"), "\ngrem_devices{state=\"active\"} 1\n"));
        assert_non_null(strstr(fetch(port, "/metrics"), "\ngrem_north_sessions_total 1\n"));
        assert_non_null(strstr(fetch(port, "/"), "404"));
        agent_sync(w->agent, "test"); /* told as soon as it is over, not a second later */
        limit = odm_time_add(loop_now(), LIMIT_MS);
        while (w->g->counts.north_sessions < 2) {
                if (odm_time_reached(loop_now(), limit))
                        fail_msg("the second session is not counted");
                assert_int_equal(loop_once(w->l, 20), 0);
        }
        assert_non_null(strstr(fetch(port, "/metrics"), "\ngrem_north_sessions_total 2\n"));
}

/* ---- operations that are answered later ---------------------------------------------------------- */

static void a_session_waits_for_a_device(void **state)
{
        static const fake_job jobs[] = {
                {.kind = ODM_CMD_GET, .uri = "./GwDev/d0001/DevInfo/Man"},
                {.kind = ODM_CMD_EXEC, .uri = "./GwDev/d0001/Reboot/Now"},
                {.kind = ODM_CMD_REPLACE,
                 .uri = "./GwDev/d0001/Ext/Level",
                 .data = "8",
                 .format = ODM_FMT_INT},
                {.kind = ODM_CMD_GET, .uri = "./GwDev/d0001/Nothing"},
                {.kind = ODM_CMD_GET, .uri = "./DevInfo/Man"},
        };
        world *w = *state;
        fake_device *d;

        lab_set(w->c, "session.on_start=no");
        open_all(w);
        d = fake_new(fake_latest(), "a");
        fake_set(d, "./Ext/Level", "1", ODM_FMT_INT);
        assert_non_null(fake_attach(d));
        settle(w);
        fake_delay(d, 100);
        w->f.jobs = jobs;
        w->f.n_jobs = ODM_COUNT(jobs);
        agent_sync(w->agent, "test");
        run_sessions(w, 1);
        assert_true(dm_fake_reported(&w->f, "200 ./GwDev/d0001/DevInfo/Man = Fake\n"));
        assert_true(dm_fake_reported(&w->f, "200 ./GwDev/d0001/Reboot/Now\n"));
        assert_true(dm_fake_reported(&w->f, "200 ./GwDev/d0001/Ext/Level\n"));
        assert_true(dm_fake_reported(&w->f, "404 ./GwDev/d0001/Nothing\n"));
        assert_true(dm_fake_reported(&w->f, "200 ./DevInfo/Man = "));
        assert_string_equal(fake_value(d, "./Ext/Level"), "8");
}

static void a_session_that_ends_drops_what_it_waits_for(void **state)
{
        static const fake_job jobs[] = {
                {.kind = ODM_CMD_GET, .uri = "./GwDev/d0001/DevInfo/Man"},
        };
        world *w = *state;
        odm_time limit = odm_time_add(loop_now(), LIMIT_MS);
        fake_device *d;

        lab_set(w->c, "session.on_start=no");
        w->f.jobs = jobs;
        w->f.n_jobs = ODM_COUNT(jobs);
        for (int orderly = 0; orderly < 2; orderly++) {
                w->f.next_job = 0;
                open_all(w);
                d = fake_new(fake_latest(), "a");
                assert_non_null(fake_attach(d));
                settle(w); /* it is mounted */
                fake_delay(d, FAKE_SILENT);
                agent_sync(w->agent, "test");
                while (fake_waiting(fake_latest()) == 0 && !odm_time_reached(loop_now(), limit))
                        assert_int_equal(loop_once(w->l, 20), 0);
                assert_int_equal(fake_waiting(fake_latest()), 1);
                if (orderly) { /* the server is told, and then the loop stops */
                        agent_stop(w->agent);
                        assert_int_equal(loop_run(w->l), 0);
                        assert_int_equal(dm_fake_done(&w->f), 0); /* but aborted */
                }
                close_all(w);
        }
}

/* ---- a kill ------------------------------------------------------------------------------------- */

#define KILLED_DEVICES 40

/* What the child does: says an octet for each alert that the gateway took. */
static void be_killed(world *w, int out)
{
        char id[32];

        if (gateway_open(w->c, w->l, "0.0", &w->g, NULL) < 0 || gateway_start(w->g, NULL) < 0)
                _exit(1);
        for (int i = 0;; i++) {
                snprintf(id, sizeof id, "urn:imei:%d", i % KILLED_DEVICES);
                fake_device *d = fake_find(fake_latest(), id);
                if (!d) {
                        d = fake_new(fake_latest(), id);
                        (void)fake_attach(d);
                }
                if (fake_alert(d, "./A", "urn:x", "1", "minor") == 0 && write(out, "x", 1) != 1)
                        _exit(1);
                if (loop_once(w->l, 0) < 0)
                        _exit(1);
        }
}

static void a_kill_loses_nothing_that_was_taken(void **state)
{
        world *w = *state;
        int fd[2];
        size_t taken = 0;
        char octets[64];
        ssize_t n;
        pid_t pid;

        assert_int_equal(pipe(fd), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                close(fd[0]);
                be_killed(w, fd[1]);
        }
        close(fd[1]);
        while (taken < 150 && (n = read(fd[0], octets, sizeof octets)) > 0)
                taken += (size_t)n;
        assert_true(taken >= 150);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while ((n = read(fd[0], octets, sizeof octets)) > 0)
                taken += (size_t)n;
        close(fd[0]);
        if (gateway_open(w->c, w->l, "0.0", &w->g, NULL) < 0)
                fail_msg("the gateway does not open");
        assert_true(north_waiting(w->g->north) >= taken);
        assert_true(gw_count(w->g, -1) > 0 && gw_count(w->g, -1) <= KILLED_DEVICES);
}

/* A folder with a server's store in it is not begun in. */
static void a_servers_folder_is_left_alone(void **state)
{
        world *w = *state;
        char path[96];
        diag d = {{0}};

        snprintf(path, sizeof path, "%s/state", w->dir);
        assert_int_equal(fsio_mkdir(path, 0700, &d), 0);
        snprintf(path, sizeof path, "%s/state/nrem.db", w->dir);
        assert_int_equal(fsio_write(NULL, path, ODM_STR("of nremd"), 0600, &d), 0);
        assert_int_equal(gateway_open(w->c, w->l, "0.0", &w->g, &d), ODM_EUNSUPPORTED);
        assert_non_null(strstr(d.text, "nremd"));
        snprintf(path, sizeof path, "%s/state/gateway.db", w->dir);
        assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_servers_folder_is_left_alone, set_up_alone,
                                                tear_down),
                cmocka_unit_test_setup_teardown(a_kill_loses_nothing_that_was_taken, set_up_alone,
                                                tear_down),
                cmocka_unit_test_setup_teardown(devices_that_come_together_are_one_session, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(
                        going_and_coming_in_one_window_is_no_news_but_counted, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_critical_does_not_wait, set_up, tear_down),
                cmocka_unit_test_setup_teardown(sleepers_are_told_once, set_up, tear_down),
                cmocka_unit_test_setup_teardown(records_that_are_new_are_told_of_together, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(who_does_not_sleep_any_more_is_told_of, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(who_sleeps_is_told_in_its_place, set_up, tear_down),
                cmocka_unit_test_setup_teardown(an_alert_that_fits_no_message_holds_back_nobody,
                                                set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_large_alert_holds_back_nobody, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_large_alert_has_its_turn, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_final_alert_does_not_wait, set_up, tear_down),
                cmocka_unit_test_setup_teardown(an_alert_is_told_until_it_is_answered, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(keys_stay_for_ever, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_server_reads_and_changes_records, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(rules_decide_the_mode, set_up, tear_down),
                cmocka_unit_test_setup_teardown(counters_are_told_over_http, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_session_waits_for_a_device, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_session_that_ends_drops_what_it_waits_for, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(a_live_device_is_not_taken_over, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_device_that_is_switched_on_again_is_there, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(expected_devices_have_records_before_they_come,
                                                set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_gateway_without_configuration_asks_for_one,
                                                set_up, tear_down),
                cmocka_unit_test_setup_teardown(stored_configuration_is_applied_to_what_attaches,
                                                set_up, tear_down),
        };

        return RUN_TESTS(tests);
}
