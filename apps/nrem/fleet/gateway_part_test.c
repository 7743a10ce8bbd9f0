/* SPDX-License-Identifier: Apache-2.0 */
/* Gateways on a log of our own: what they tell is written by hand, and so is what becomes of their
 * jobs; a store in memory, a clock of the test's. */
#include "gateway_part.h"

#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "job.h"
#include "job_event.h"
#include "package.h"
#include "presence_part.h"
#include "stage.h"

extern const fleet_part part_presence, part_alarm, part_gateway;
static const store_table *const package_tables[] = {&table_package, NULL};
static const fleet_part packages = {.name = "package", .tables = package_tables};
static const fleet_part *const parts[] = {&part_alarm, &part_gateway, &part_presence, &packages,
                                          NULL};

#define DAY INT64_C(86400000)
#define ATTACHED "urn:oma:at:oma-gwmo:deviceattached:1.1"
#define DETACHED "urn:oma:at:oma-gwmo:devicedetached:1.0"
#define STATE "urn:oma:at:x-xrem-gw:1.0:DeviceState"
#define RENEWED "urn:oma:at:x-xrem-gw:1.0:RecordChange"
#define RESULTS "urn:oma:at:oma-gwmo:resultaggregation:1.0"
#define RECORD(key) "./GwMO/Inventory/Records/" key
#define GET_FWV "[{\"cmd\":\"get\",\"uri\":\"./DevDetail/FwV\"}]"

static void begin(stage *s)
{
        stage_begin(s, parts, NULL, 100 * DAY);
        stage_open(s);
}

static void run(stage *s)
{
        (void)stage_run(s, 500);
}

static int64_t gateway_tagged(stage *s, const char *name, const char *tags)
{
        const store_device d = {.name = odm_cstr(name),
                                .devid = odm_arena_fmt(&s->a, "urn:gw:%s", name),
                                .tags = odm_cstr(tags),
                                .state = STORE_DEVICE_ACTIVE,
                                .reached = ODM_STR("http://server:8080"),
                                .last_contact = stage_ms};

        return stage_device(s, &d);
}

/* One that an operator trusts. */
static int64_t gateway(stage *s, const char *name)
{
        return gateway_tagged(s, name, "big gateway");
}

static store_device get(stage *s, int64_t id)
{
        store_device d;

        assert_int_equal(store_device_get(s->st, id, &s->a, &d), 0);
        return d;
}

static int64_t by_devid(stage *s, const char *devid)
{
        store_device d = {0};
        int rc = store_device_by_devid(s->st, odm_cstr(devid), &s->a, &d);

        assert_true(rc == 0 || rc == ODM_ENOENT);
        return d.id;
}

static gateway_child child(stage *s, int64_t id)
{
        gateway_child c;

        assert_int_equal(gateway_find_child(s->st, id, &s->a, &c), 0);
        return c;
}

static void alert(stage *s, int64_t gw, const char *type, const char *source, const char *data)
{
        json_t *o = json_pack("{s:i, s:s, s:s, s:s}", "code", 1226, "type", type, "source", source,
                              "data", data);
        char *text = json_dumps(o, JSON_COMPACT);

        stage_say(s, gw, "alert", odm_arena_copy(&s->a, odm_cstr(text)).p);
        free(text);
        json_decref(o);
}

static const char *time_text(stage *s, int64_t ms)
{
        char text[ODM_WALL_TEXT];

        odm_wall_format((odm_wall){ms / 1000}, text);
        return odm_arena_copy(&s->a, odm_cstr(text)).p;
}

static void attach_as(stage *s, int64_t gw, const char *key, const char *id, int mode, int64_t at)
{
        alert(s, gw, ATTACHED, odm_arena_fmt(&s->a, "./GwMO/Inventory/Records/%s", key).p,
              odm_arena_fmt(&s->a,
                            "<DeviceAttach><DeviceID>%s</DeviceID><Mode>%d</Mode>"
                            "<Protocol>LWM2M/1.1</Protocol><ComponentType>0</ComponentType>"
                            "<Time>%s</Time></DeviceAttach>",
                            id, mode, time_text(s, at))
                      .p);
        (void)stage_run(s, 500);
}

static void attach(stage *s, int64_t gw, const char *key, const char *id)
{
        attach_as(s, gw, key, id, 3, stage_ms);
}

/* The oldest job of the device that nobody has begun. */
static bool open_job(stage *s, int64_t device, store_job *out)
{
        const store_job_filter f = {.device = device,
                                    .states = STORE_JOB_BIT(STORE_JOB_QUEUED),
                                    .limit = 1,
                                    .in_order = true};
        store_job_list l = {0};

        assert_int_equal(store_job_find(s->st, &f, &s->a, &l), 0);
        if (l.n)
                *out = l.v[0];
        return l.n > 0;
}

static store_job job_of(stage *s, int64_t id)
{
        store_job j;

        assert_int_equal(store_job_get(s->st, id, &s->a, &j), 0);
        return j;
}

static store_job carrier(stage *s, int64_t gw)
{
        store_job j = {0};

        assert_true(open_job(s, gw, &j));
        return j;
}

/* As a session would leave it. */
static void ends(stage *s, const store_job *j, store_job_state to, const store_result *v, size_t n)
{
        store_batch *b = store_batch_new();
        store_op *op;

        for (size_t i = 0; i < n; i++) {
                op = store_batch_add(b, STORE_RESULT_PUT);
                op->result.device = j->device;
                op->result.job = j->id;
                op->result.r = v[i];
        }
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = j->device;
        op->job_move.job = j->id;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = to;
        op->job_move.at = stage_ms;
        if (!(STORE_JOB_OPEN & STORE_JOB_BIT(to)))
                assert_int_equal(
                        job_event_add(b, j, to, to == STORE_JOB_DONE ? "" : "it failed", stage_ms),
                        0);
        stage_write(s, b);
        run(s);
}

static void answers(stage *s, int64_t gw, unsigned status, const char *uri, const char *data)
{
        store_value item = {.uri = odm_cstr(uri), .format = ODM_STR("chr"), .data = odm_cstr(data)};
        const store_result r = {
                .status = status, .sent = true, .items = &item, .n_items = data != NULL};
        store_job j = carrier(s, gw);

        ends(s, &j, status < 300 ? STORE_JOB_DONE : STORE_JOB_FAILED, &r, 1);
}

#define INVENTORY_HEAD                                                   \
        "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node>" \
        "<NodeName>Records</NodeName>"
#define LEAF(name, value)                                                                         \
        "<Node><NodeName>" name "</NodeName><RTProperties><Format><chr/></Format></RTProperties>" \
        "<Value>" value "</Value></Node>"

static const char *record_at(stage *s, const char *key, const char *id, const char *state,
                             int64_t seen)
{
        return odm_arena_fmt(&s->a,
                             "<Node><NodeName>%s</NodeName>" LEAF("DeviceID", "%s")
                                     LEAF("Mode", "3") LEAF("State", "%s") LEAF("Man", "Acme")
                                             LEAF("FwV", "1.0") LEAF("Protocol", "LWM2M/1.1")
                                                     LEAF("Addr", "10.0.0.7:5683")
                                                             LEAF("LastSeen", "%s") "</Node>",
                             key, id, state, time_text(s, seen))
                .p;
}

static const char *record_xml(stage *s, const char *key, const char *id, const char *state)
{
        return record_at(s, key, id, state, stage_ms);
}

static void inventory(stage *s, int64_t gw, const char *records)
{
        store_value item = {
                .uri = ODM_STR("./GwMO/Inventory/Records"),
                .format = ODM_STR("xml"),
                .type = ODM_STR("application/vnd.syncml.dmtnds+xml"),
                .data = odm_arena_fmt(&s->a, INVENTORY_HEAD "%s</Node></MgmtTree>", records)};
        const store_result r = {.status = 200, .sent = true, .items = &item, .n_items = 1};
        store_job j = carrier(s, gw);

        assert_true(odm_str_starts(j.commands,
                                   "[{\"cmd\":\"get\",\"uri\":\"./GwMO/Inventory/Records?"));
        ends(s, &j, STORE_JOB_DONE, &r, 1);
}

static bool says(odm_str text, const char *z)
{
        return text.p && memmem(text.p, text.n, z, strlen(z)) != NULL;
}

/* A gateway with meters d1 .. dN behind it, whose ids are given. */
static int64_t with_meters(stage *s, const char *name, unsigned n, int64_t *ids)
{
        int64_t gw = gateway(s, name);
        odm_str all = ODM_STR("");

        stage_say(s, gw, "gateway.sync", NULL);
        run(s);
        for (unsigned i = 1; i <= n; i++)
                all = odm_arena_join(
                        &s->a, all,
                        odm_cstr(record_xml(s, odm_arena_fmt(&s->a, "d%u", i).p,
                                            odm_arena_fmt(&s->a, "urn:%s:%u", name, i).p, "1")));
        inventory(s, gw, all.p);
        for (unsigned i = 1; i <= n; i++) {
                ids[i - 1] = by_devid(s, odm_arena_fmt(&s->a, "urn:%s:%u", name, i).p);
                assert_true(ids[i - 1] > 0);
        }
        return gw;
}

static int64_t order_of(stage *s, const char *kind, int64_t device, const char *commands,
                        int64_t deadline)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_JOB_CREATE);
        int64_t id;

        op->job = (store_job){.device = device,
                              .kind = odm_cstr(kind),
                              .commands = odm_cstr(commands),
                              .max_attempts = 10,
                              .deadline = deadline,
                              .actor = ODM_STR("ann"),
                              .created = stage_ms};
        assert_int_equal(store_write_sync(s->st, b), 0);
        id = op->id;
        store_batch_free(b);
        fleet_job_created(s->f, device, id);
        return id;
}

static int64_t order_with(stage *s, int64_t device, const char *commands, int64_t deadline)
{
        return order_of(s, "test", device, commands, deadline);
}

static int64_t order(stage *s, int64_t device, const char *commands)
{
        return order_with(s, device, commands, 0);
}

static unsigned count_jobs(stage *s, int64_t device, uint32_t states)
{
        const store_job_filter f = {.device = device, .states = states, .limit = 1000};
        store_job_list l = {0};

        assert_int_equal(store_job_find(s->st, &f, &s->a, &l), 0);
        return (unsigned)l.n;
}

/* ---- devices ---------------------------------------------------------------------------------- */

static void a_gateway_is_found_by_what_it_tells(void **state)
{
        stage s;
        int64_t gw, id;
        store_device d;

        (void)state;
        begin(&s);
        gw = gateway(&s, "gw");
        attach(&s, gw, "d0001", "urn:imei:1");
        run(&s);
        assert_int_equal(stage_told(&s, "gateway.found"), 1);
        assert_int_equal(by_devid(&s, "urn:imei:1"), 0); /* its record is asked for first */
        inventory(&s, gw, record_xml(&s, "d0001", "urn:imei:1", "1"));
        id = by_devid(&s, "urn:imei:1");
        d = get(&s, id);
        assert_true(odm_str_is(d.name, "gw/d0001"));
        assert_int_equal(d.state, STORE_DEVICE_ACTIVE);
        assert_true(odm_str_is(d.maker, "Acme") && odm_str_is(d.fwv, "1.0"));
        assert_true(odm_str_is(d.reached, "http://server:8080"));
        assert_int_equal(child(&s, id).gateway, gw);
        assert_true(odm_str_is(child(&s, id).protocol, "LWM2M/1.1"));
        assert_int_equal(stage_told(&s, "device.attached"), 1);
        assert_int_equal(stage_told(&s, "device.created"), 1);
        assert_int_equal(stage_told(&s, "gateway.inventory"), 1);
        assert_false(open_job(&s, gw, &(store_job){0}));
        attach(&s, gw, "d0001", "urn:imei:1"); /* told again, it is no news */
        run(&s);
        assert_int_equal(stage_told(&s, "device.attached"), 1);
        assert_false(open_job(&s, gw, &(store_job){0}));
        stage_end(&s);
}

static void a_device_moves_and_keeps_its_name(void **state)
{
        int64_t ids[2], a, b;
        gateway_child c;
        stage s;

        (void)state;
        begin(&s);
        a = with_meters(&s, "a", 2, ids);
        b = gateway(&s, "b");
        attach(&s, b, "d0044", "urn:a:2");
        run(&s);
        c = child(&s, ids[1]);
        assert_int_equal(c.gateway, b);
        assert_true(odm_str_is(c.key, "d0044"));
        assert_int_equal(c.moves, 1);
        assert_true(odm_str_is(get(&s, ids[1]).name, "a/d2"));
        /* what its old gateway says now is of the past */
        alert(&s, a, DETACHED, RECORD("d2"),
              "<DeviceDetach><DeviceID>urn:a:2</DeviceID><Reason>3</Reason></DeviceDetach>");
        run(&s);
        assert_int_equal(get(&s, ids[1]).state, STORE_DEVICE_ACTIVE);
        stage_end(&s);
}

static void calls(stage *s, int64_t id)
{
        store_batch *b = store_batch_new();

        store_batch_add(b, STORE_DEVICE_PATCH)->device_patch = (store_device_patch){
                .fields = STORE_DF_LAST_CONTACT, .to = {.id = id, .last_contact = stage_ms}};
        stage_write(s, b);
}

static void states_are_those_that_gateways_tell(void **state)
{
        int64_t id, gw;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 1, &id);
        alert(&s, gw, STATE, RECORD("d1"), "3");
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_UNREACHABLE);
        assert_int_equal(stage_told(&s, "alarm.raised"), 1);
        alert(&s, gw, STATE, RECORD("d1"), "1");
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
        assert_int_equal(stage_told(&s, "alarm.cleared"), 1);
        alert(&s, gw, STATE, RECORD("d1"), "5");
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_DEACTIVATED);
        alert(&s, gw, STATE, RECORD("d1"), "1");
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
        alert(&s, gw, DETACHED, RECORD("d1"),
              "<DeviceDetach><DeviceID>urn:g:1</DeviceID><Reason>1</Reason></DeviceDetach>");
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_DETACHED);
        /* silence means nothing: it is the gateway who tells */
        attach(&s, gw, "d1", "urn:g:1");
        run(&s);
        stage_ms += 30 * DAY;
        calls(&s, gw);
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
        stage_end(&s);
}

/* The gateway is asked for one record. */
static void looked_at(stage *s, int64_t gw, const char *key, const char *id)
{
        const char *at = odm_arena_fmt(&s->a, RECORD("%s"), key).p;
        store_value v[] = {
                {.uri = odm_arena_fmt(&s->a, "%s/DeviceID", at), .data = odm_cstr(id)},
                {.uri = odm_arena_fmt(&s->a, "%s/Mode", at), .data = ODM_STR("3")},
                {.uri = odm_arena_fmt(&s->a, "%s/State", at), .data = ODM_STR("1")},
                {.uri = odm_arena_fmt(&s->a, "%s/Mod", at), .data = ODM_STR("M2")},
        };
        const store_result r = {.status = 200, .sent = true, .items = v, .n_items = ODM_COUNT(v)};
        store_job j = carrier(s, gw);

        assert_non_null(memmem(j.commands.p, j.commands.n, at, strlen(at)));
        for (size_t i = 0; i < ODM_COUNT(v); i++)
                v[i].format = ODM_STR("chr");
        ends(s, &j, STORE_JOB_DONE, &r, 1);
}

/* They are asleep from then on, whatever their records say for a moment, until they are told to be
 * awake, or attach anew. */
static void sleepers_are_told_together(void **state)
{
        int64_t ids[3], gw, late;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 3, ids);
        alert(&s, gw, STATE, GATEWAY_RECORDS, "2 d1 d3 d9");
        run(&s);
        assert_int_equal(get(&s, ids[0]).state, STORE_DEVICE_ASLEEP);
        assert_int_equal(get(&s, ids[1]).state, STORE_DEVICE_ACTIVE);
        assert_int_equal(get(&s, ids[2]).state, STORE_DEVICE_ASLEEP);
        assert_int_equal(stage_told(&s, "device.asleep"), 2);
        looked_at(&s, gw, "d9", "urn:g:9"); /* one that was not known: awake just now */
        late = by_devid(&s, "urn:g:9");
        assert_int_equal(get(&s, late).state, STORE_DEVICE_ASLEEP);
        stage_say(&s, gw, "gateway.sync", NULL);
        run(&s);
        inventory(&s, gw,
                  odm_arena_fmt(&s.a, "%s%s%s%s", record_xml(&s, "d1", "urn:g:1", "1"),
                                record_xml(&s, "d2", "urn:g:2", "2"),
                                record_xml(&s, "d3", "urn:g:3", "1"),
                                record_xml(&s, "d9", "urn:g:9", "1"))
                          .p);
        for (int i = 0; i < 3; i++)
                assert_int_equal(get(&s, ids[i]).state, STORE_DEVICE_ASLEEP);
        assert_int_equal(get(&s, late).state, STORE_DEVICE_ASLEEP);
        alert(&s, gw, STATE, GATEWAY_RECORDS, "1 d1");
        attach(&s, gw, "d3", "urn:g:3");
        run(&s);
        assert_int_equal(get(&s, ids[0]).state, STORE_DEVICE_ACTIVE);
        assert_int_equal(get(&s, ids[1]).state, STORE_DEVICE_ASLEEP);
        assert_int_equal(get(&s, ids[2]).state, STORE_DEVICE_ACTIVE);
        for (size_t i = 0; i < 5; i++) /* no list of any */
                alert(&s, gw, STATE, GATEWAY_RECORDS,
                      (const char *[]){"", "2", " ", "9 d1", "2 ../x  d1/d2"}[i]);
        run(&s);
        assert_int_equal(get(&s, ids[0]).state, STORE_DEVICE_ACTIVE);
        stage_end(&s);
}

/* Also while it is read, for the answer may be from before. */
static void records_that_are_new_are_read_again(void **state)
{
        int64_t ids[3], gw;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 3, ids);
        assert_int_equal(get(&s, ids[1]).model.n, 0);
        for (size_t i = 0; i < 4; i++) /* no list of any */
                alert(&s, gw, RENEWED, GATEWAY_RECORDS,
                      (const char *[]){"", " ", "../x", "d1/d2"}[i]);
        run(&s);
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 0);
        alert(&s, gw, RENEWED, GATEWAY_RECORDS, "d2 ../x");
        run(&s);
        alert(&s, gw, RENEWED, GATEWAY_RECORDS, "d2");
        run(&s);
        looked_at(&s, gw, "d2", "urn:g:2");
        assert_true(odm_str_is(get(&s, ids[1]).model, "M2"));
        looked_at(&s, gw, "d2", "urn:g:2");
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 0);
        assert_int_equal(get(&s, ids[0]).model.n, 0);
        stage_end(&s);
}

static void set_state(stage *s, int64_t id, store_device_state to, const char *kind)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

        op->device_patch =
                (store_device_patch){.fields = STORE_DF_STATE, .to = {.id = id, .state = to}};
        stage_event(
                b, id, kind,
                odm_arena_fmt(&s->a, "{\"from\":\"%s\"}", store_device_state_name(get(s, id).state))
                        .p);
        stage_write(s, b);
        run(s);
}

static void a_lost_gateway_hides_what_is_behind_it(void **state)
{
        int64_t ids[150], gw;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 150, ids);
        set_state(&s, gw, STORE_DEVICE_UNREACHABLE, "device.unreachable");
        stage_ms += 10000;
        run(&s);
        for (unsigned i = 0; i < 150; i++)
                assert_int_equal(get(&s, ids[i]).state, STORE_DEVICE_UNREACHABLE);
        assert_int_equal(stage_told(&s, "alarm.raised"), 1); /* that of the gateway */
        set_state(&s, gw, STORE_DEVICE_ACTIVE, "device.active");
        stage_ms += 120000;
        run(&s);
        for (unsigned i = 0; i < 150; i++)
                assert_int_equal(get(&s, ids[i]).state, STORE_DEVICE_ACTIVE);
        assert_int_equal(stage_told(&s, "alarm.raised"), 1);
        stage_end(&s);
}

static void who_is_not_in_the_inventory_is_detached(void **state)
{
        int64_t ids[3], gw;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 3, ids);
        stage_ms += 1000;
        stage_say(&s, gw, "gateway.sync", NULL);
        run(&s);
        inventory(&s, gw,
                  odm_arena_fmt(&s.a, "%s%s", record_xml(&s, "d1", "urn:g:1", "1"),
                                record_xml(&s, "d3", "urn:g:3", "2"))
                          .p);
        assert_int_equal(get(&s, ids[0]).state, STORE_DEVICE_ACTIVE);
        assert_int_equal(get(&s, ids[1]).state, STORE_DEVICE_DETACHED);
        assert_int_equal(get(&s, ids[2]).state, STORE_DEVICE_ASLEEP);
        stage_end(&s);
}

/* Records d<from> .. of the job that looks at some; how many it asks for. */
static unsigned look_at(stage *s, int64_t gw, unsigned from)
{
        store_value item[64];
        store_result r[64];
        store_job j = carrier(s, gw);
        unsigned n = 0;

        for (; n < 64; n++) {
                const char *key = odm_arena_fmt(&s->a, "d%04u", from + n).p;
                const char *uri = odm_arena_fmt(&s->a, RECORD("%s?"), key).p;

                if (!says(j.commands, uri))
                        break;
                item[n] = (store_value){
                        .uri = odm_arena_fmt(&s->a, RECORD("%s"), key),
                        .format = ODM_STR("xml"),
                        .type = ODM_STR("application/vnd.syncml.dmtnds+xml"),
                        .data = odm_arena_fmt(
                                &s->a, "<MgmtTree><VerDTD>1.2</VerDTD>%s</MgmtTree>",
                                record_xml(s, key, odm_arena_fmt(&s->a, "urn:%s", key).p, "1"))};
                r[n] = (store_result){
                        .index = n, .status = 200, .sent = true, .items = &item[n], .n_items = 1};
        }
        ends(s, &j, STORE_JOB_DONE, r, n);
        return n;
}

static void a_large_inventory_is_read_in_pieces(void **state)
{
        const unsigned all = 120;
        odm_str names = ODM_STR("d0001");
        int64_t gw, gone;
        unsigned n = 0;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 1, &gone);
        stage_ms += 1000;
        stage_say(&s, gw, "gateway.sync", NULL);
        run(&s);
        attach(&s, gw, "d0001", "urn:d0001");
        attach(&s, gw, "d0002", "urn:d0002");
        run(&s);
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 1); /* one thing at a time */
        answers(&s, gw, ODM_ST_TOO_LARGE, "", NULL);
        for (unsigned i = 2; i <= all; i++)
                names = odm_arena_fmt(&s.a, "%.*s/d%04u", (int)names.n, names.p, i);
        assert_true(says(carrier(&s, gw).commands, "\"./GwMO/Inventory/Records\""));
        answers(&s, gw, 200, "./GwMO/Inventory/Records", names.p);
        while (n < all) {
                unsigned more = look_at(&s, gw, n + 1);

                assert_in_range(more, 1, 50);
                assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), n + more < all);
                n += more;
        }
        assert_int_equal(n, all);
        assert_int_equal(stage_told(&s, "gateway.inventory"), 2);
        assert_true(odm_str_is(get(&s, by_devid(&s, "urn:d0120")).name, "g/d0120"));
        assert_int_equal(get(&s, by_devid(&s, "urn:d0120")).state, STORE_DEVICE_ACTIVE);
        assert_int_equal(get(&s, gone).state, STORE_DEVICE_DETACHED); /* it was in none of them */
        stage_say(&s, gw, "gateway.sync", NULL);
        run(&s); /* it is remembered */
        assert_true(says(carrier(&s, gw).commands, "\"./GwMO/Inventory/Records\""));
        stage_end(&s);
}

/* What is more than the server has room for holds up nobody, and says nothing of who is missing. */
static void an_answer_that_is_too_large_is_given_up(void **state)
{
        char much[40000];
        int64_t gw, ids[2];
        gateway_row row;
        gateways *own;
        stage s;

        (void)state;
        begin(&s);
        own = fleet_self(s.f, &part_gateway);
        own->room = 64 << 10;
        gw = with_meters(&s, "g", 2, ids);
        stage_ms += 1000;
        stage_say(&s, gw, "gateway.sync", NULL);
        run(&s);
        memset(much, 'x', sizeof much - 1);
        much[sizeof much - 1] = '\0';
        inventory(&s, gw, odm_arena_fmt(&s.a, "%s%s", much, much).p);
        assert_int_equal(gateway_find(s.st, gw, &s.a, &row), 0);
        assert_true(row.large && !row.job);
        answers(&s, gw, 200, "./GwMO/Inventory/Records", "d1/d2"); /* in smaller pieces */
        assert_true(says(carrier(&s, gw).commands, RECORD("d1")));
        answers(&s, gw, 200, RECORD("d1"), odm_arena_fmt(&s.a, "%s%s", much, much).p);
        assert_int_equal(gateway_find(s.st, gw, &s.a, &row), 0);
        assert_true(!row.job && !row.listing &&
                    odm_str_is(row.reason, "what it answers is too large"));
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 0); /* nor is it asked for ever */
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(get(&s, ids[i]).state, STORE_DEVICE_ACTIVE);
        stage_end(&s);
}

static void put_account(stage *s, int64_t id)
{
        store_batch *b = store_batch_new();

        store_batch_add(b, STORE_ACCOUNT_PUT)->account = (store_account){.device = id};
        stage_write(s, b);
}

/* A device that calls by an account of its own. */
static int64_t own_device(stage *s)
{
        const store_device own = {.name = ODM_STR("own"),
                                  .devid = ODM_STR("urn:own"),
                                  .fwv = ODM_STR("4.2"),
                                  .state = STORE_DEVICE_ACTIVE,
                                  .route = ODM_STR("called"),
                                  .last_contact = stage_ms};
        int64_t id = stage_device(s, &own);

        put_account(s, id);
        return id;
}

static void nobody_is_taken_over_by_hearsay(void **state)
{
        int64_t gw, id;
        gateway_child c;
        stage s;

        (void)state;
        begin(&s);
        gw = gateway(&s, "gw");
        id = own_device(&s);
        attach(&s, gw, "d0001", "urn:own");
        inventory(&s, gw, record_xml(&s, "d0001", "urn:own", "1"));
        assert_int_equal(gateway_find_child(s.st, id, &s.a, &c), ODM_ENOENT);
        attach(&s, gw, "d0002", "urn:gw:gw"); /* itself */
        assert_int_equal(gateway_find_child(s.st, gw, &s.a, &c), ODM_ENOENT);
        stage_end(&s);
}

/* Orders of a device that is there with another gateway are not for whoever says its name; when
 * that one lets go of it they are. */
static void a_stranger_pulls_nobody_over(void **state)
{
        static const struct {
                const char *why, *type, *data;
                bool stays;
        } rows[] = {
                {"it went", DETACHED,
                 "<DeviceDetach><DeviceID>urn:a:1</DeviceID><Reason>1</Reason></DeviceDetach>",
                 false},
                {"it is silent", STATE, "3", false},
                {"it sleeps", STATE, "2", true},
                {"it is switched off", STATE, "5", true},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int64_t id, a, b, job;
                stage s;

                begin(&s);
                a = with_meters(&s, "a", 1, &id);
                b = gateway_tagged(&s, "b", "");
                stage_ms += 60000;
                attach(&s, b, "d9", "urn:a:1");
                attach(&s, b, "d9", "urn:a:1");
                inventory(&s, b, record_xml(&s, "d9", "urn:a:1", "1"));
                assert_int_equal(child(&s, id).gateway, a);
                assert_int_equal(stage_told(&s, "device.claimed"), 1);
                job = order(&s, id, GET_FWV);
                run(&s);
                assert_int_equal(count_jobs(&s, b, STORE_JOB_OPEN), 0);
                assert_int_equal(job_of(&s, job).state, STORE_JOB_WAITING);
                alert(&s, a, rows[i].type, RECORD("d1"), rows[i].data);
                run(&s);
                if (rows[i].stays) {
                        attach(&s, b, "d9", "urn:a:1");
                        if (child(&s, id).gateway != a || count_jobs(&s, b, STORE_JOB_OPEN) != 0)
                                fail_msg("%s", rows[i].why);
                        stage_end(&s);
                        continue;
                }
                looked_at(&s, b, "d9", "urn:a:1");
                if (child(&s, id).gateway != b)
                        fail_msg("%s", rows[i].why);
                assert_true(odm_str_is(child(&s, id).key, "d9"));
                assert_int_equal(child(&s, id).claimed, 0);
                stage_end(&s);
        }
}

/* Nor who was given an account, and has not called yet; a name alone is no account. */
static void a_stranger_gets_nobody_who_is_awaited(void **state)
{
        static const struct {
                const char *why, *tags;
                uint32_t flags;
                bool taken;
        } rows[] = {
                {"an account was given to it", "", 0, false},
                {"the gateway is trusted", "gateway", 0, true},
                {"it has a name only", "", STORE_ACCOUNT_MADE_UP, true},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const store_device known = {.name = ODM_STR("meter/1"),
                                            .devid = ODM_STR("urn:m:1")};
                store_batch *b = store_batch_new();
                gateway_child c;
                int64_t id, gw;
                stage s;

                begin(&s);
                id = stage_device(&s, &known);
                store_batch_add(b, STORE_ACCOUNT_PUT)->account =
                        (store_account){.device = id, .flags = rows[i].flags};
                stage_write(&s, b);
                gw = gateway_tagged(&s, "gw", rows[i].tags);
                attach(&s, gw, "d1", "urn:m:1");
                inventory(&s, gw, record_xml(&s, "d1", "urn:m:1", "1"));
                if ((gateway_find_child(s.st, id, &s.a, &c) == 0) != rows[i].taken)
                        fail_msg("%s", rows[i].why);
                stage_end(&s);
        }
}

/* Said to be near its gateway, and then to be the gateway's. */
static void nobody_is_taken_over_in_two_steps(void **state)
{
        int64_t gw, id;
        stage s;

        (void)state;
        begin(&s);
        gw = gateway(&s, "gw");
        id = own_device(&s);
        attach_as(&s, gw, "d1", "urn:own", GATEWAY_TRANSPARENT, stage_ms);
        inventory(&s, gw,
                  "<Node><NodeName>d1</NodeName>" LEAF("DeviceID", "urn:own") LEAF("Mode", "1")
                          LEAF("State", "1") "</Node>");
        assert_int_equal(child(&s, id).mode, GATEWAY_TRANSPARENT);
        attach_as(&s, gw, "d1", "urn:own", GATEWAY_ADAPTATION, stage_ms);
        assert_int_equal(child(&s, id).mode, GATEWAY_TRANSPARENT);
        assert_true(odm_str_is(get(&s, id).route, "called"));
        (void)order(&s, id, "[{\"cmd\":\"get\",\"uri\":\"./A\"}]");
        run(&s);
        assert_false(open_job(&s, gw, &(store_job){0}));
        stage_end(&s);
}

/* What a device tells itself, and whether it may call, is not a gateway's to say. */
static void who_calls_by_itself_is_not_switched_off(void **state)
{
        int64_t gw, id;
        stage s;

        (void)state;
        begin(&s);
        gw = gateway(&s, "gw");
        id = own_device(&s);
        stage_say(&s, gw, "gateway.sync", NULL);
        run(&s);
        inventory(&s, gw,
                  "<Node><NodeName>d1</NodeName>" LEAF("DeviceID", "urn:own") LEAF("Mode", "1")
                          LEAF("State", "1") LEAF("FwV", "6.6") "</Node>");
        assert_true(odm_str_is(get(&s, id).fwv, "4.2"));
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
        alert(&s, gw, STATE, RECORD("d1"), "5");
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_DETACHED);
        stage_end(&s);
}

static void set_state(stage *s, int64_t id, store_device_state to, const char *kind);

static void what_an_operator_switched_off_stays_so(void **state)
{
        static const char *const told[] = {"5", "1", "2", "5", "1"};
        int64_t id, gw;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 1, &id);
        set_state(&s, id, STORE_DEVICE_DEACTIVATED, "device.deactivated");
        for (size_t i = 0; i < ODM_COUNT(told); i++) {
                alert(&s, gw, STATE, RECORD("d1"), told[i]);
                run(&s);
                assert_int_equal(get(&s, id).state, STORE_DEVICE_DEACTIVATED);
        }
        stage_say(&s, gw, "gateway.sync", NULL);
        run(&s);
        inventory(&s, gw, record_xml(&s, "d1", "urn:g:1", "5"));
        alert(&s, gw, STATE, RECORD("d1"), "1");
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_DEACTIVATED);
        stage_end(&s);
}

/* The account is of no matter while the device has not called by it. */
static void a_device_with_an_account_comes_back_and_moves(void **state)
{
        const store_device known = {.name = ODM_STR("meter/1"), .devid = ODM_STR("urn:m:1")};
        int64_t a, b, id;
        stage s;

        (void)state;
        begin(&s);
        id = stage_device(&s, &known);
        put_account(&s, id);
        a = gateway(&s, "a");
        b = gateway(&s, "b");
        attach(&s, a, "d1", "urn:m:1");
        inventory(&s, a, record_xml(&s, "d1", "urn:m:1", "1"));
        assert_int_equal(child(&s, id).gateway, a);
        alert(&s, a, DETACHED, RECORD("d1"),
              "<DeviceDetach><DeviceID>urn:m:1</DeviceID><Reason>2</Reason></DeviceDetach>");
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_DETACHED);
        attach(&s, a, "d1", "urn:m:1");
        assert_int_equal(get(&s, id).state, STORE_DEVICE_ACTIVE);
        attach(&s, b, "d7", "urn:m:1");
        assert_int_equal(child(&s, id).gateway, b);
        assert_true(odm_str_is(get(&s, id).name, "meter/1"));
        stage_end(&s);
}

static void who_calls_by_itself_leaves_its_gateway(void **state)
{
        store_batch *b = store_batch_new();
        int64_t id, gw, job;
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 1, &id);
        put_account(&s, id);
        job = order(&s, id, "[{\"cmd\":\"get\",\"uri\":\"./A\"}]");
        run(&s);
        k = carrier(&s, gw);
        store_batch_add(b, STORE_DEVICE_PATCH)->device_patch = (store_device_patch){
                .fields = STORE_DF_LAST_CONTACT | STORE_DF_ROUTE,
                .to = {.id = id, .last_contact = stage_ms, .route = ODM_STR("called")}};
        stage_event(b, id, "device.direct", "{\"from\":\"gateway\"}");
        stage_write(&s, b);
        run(&s);
        assert_int_equal(child(&s, id).gateway, 0);
        assert_int_equal(stage_told(&s, "device.placed"), 1);
        assert_int_equal(job_of(&s, k.id).state, STORE_JOB_CANCELLED);
        assert_int_equal(job_of(&s, job).state, STORE_JOB_QUEUED); /* its own session takes it */
        attach(&s, gw, "d1", "urn:g:1");
        assert_int_equal(child(&s, id).gateway, 0);
        stage_ms += 30 * DAY;
        run(&s);
        assert_int_equal(get(&s, id).state, STORE_DEVICE_UNREACHABLE); /* and is missed again */
        stage_end(&s);
}

/* What gateway a says of a device that came behind b ten seconds ago. */
static void late_words_move_nobody(void **state)
{
        static const struct {
                const char *why;
                const char *at_b;   /* its state there by now; NULL: active */
                const char *record; /* of a; NULL: it tells that the device attached */
                int64_t seen;       /* seconds before or after it came behind b */
                bool moves;
        } rows[] = {
                {"it attached there later", NULL, NULL, 5, true},
                {"it attached there before, which was told late", NULL, NULL, -5, false},
                {"the same, but b has lost it", "3", NULL, -5, true},
                {"it is there, and was seen later", NULL, "1", 5, true},
                {"it sleeps there, and was seen later", NULL, "2", 5, true},
                {"it should be there, but was seen before", NULL, "1", -5, false},
                {"it was seen there in the second in which it left", NULL, "1", 0, false},
                {"it attached there in that second", NULL, NULL, 0, true},
                {"it is said to have left", NULL, "4", 5, false},
                {"it is silent there", NULL, "3", 5, false},
                {"it is silent there, and here as well", "3", "3", 5, false},
                {"it is expected there", NULL, "0", 5, false},
                {"it is switched off there", NULL, "5", 5, false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int64_t id, a, b, at;
                stage s;

                begin(&s);
                a = with_meters(&s, "a", 1, &id);
                b = gateway(&s, "b");
                stage_ms += 60400;
                at = stage_ms;
                attach(&s, b, "d44", "urn:a:1");
                inventory(&s, b, record_xml(&s, "d44", "urn:a:1", "1"));
                assert_int_equal(child(&s, id).gateway, b);
                if (rows[i].at_b)
                        alert(&s, b, STATE, RECORD("d44"), rows[i].at_b);
                run(&s);
                stage_ms += 10000;
                if (rows[i].record) {
                        stage_say(&s, a, "gateway.sync", NULL);
                        run(&s);
                        inventory(&s, a,
                                  record_at(&s, "d1", "urn:a:1", rows[i].record,
                                            at + 1000 * rows[i].seen));
                } else {
                        attach_as(&s, a, "d1", "urn:a:1", 3, at + 1000 * rows[i].seen);
                }
                if (child(&s, id).gateway != (rows[i].moves ? a : b))
                        fail_msg("%s", rows[i].why);
                assert_true(odm_str_is(get(&s, id).name, "a/d1"));
                stage_end(&s);
        }
}

/* What is left of a gateway's devices when it is none any more, or is removed; and again when it
 * tells of them. */
static void a_forgotten_gateway_leaves_its_devices_detached(void **state)
{
        (void)state;
        for (unsigned removed = 0; removed < 2; removed++) {
                int64_t ids[150], gw, job;
                store_batch *b = store_batch_new();
                gateway_row row;
                stage s;

                begin(&s);
                gw = with_meters(&s, "g", 150, ids);
                job = order(&s, ids[0], "[{\"cmd\":\"get\",\"uri\":\"./A\"}]");
                run(&s);
                if (removed)
                        store_batch_add(b, STORE_DEVICE_DELETE)->of = gw;
                stage_event(b, gw, removed ? "device.removed" : "gateway.forget", "{}");
                stage_write(&s, b);
                run(&s);
                for (unsigned i = 0; i < 150; i++) {
                        assert_int_equal(get(&s, ids[i]).state, STORE_DEVICE_DETACHED);
                        assert_int_equal(child(&s, ids[i]).gateway, 0);
                }
                assert_int_equal(stage_told(&s, "device.detached"), 150);
                assert_int_equal(job_of(&s, job).state, STORE_JOB_QUEUED);
                assert_int_equal(gateway_find(s.st, gw, &s.a, &row), ODM_ENOENT);
                stage_ms += 1000;
                if (removed)
                        gw = gateway(&s, "new");
                attach(&s, gw, "d1", "urn:g:1");
                assert_int_equal(get(&s, ids[0]).state, STORE_DEVICE_ACTIVE);
                assert_int_equal(child(&s, ids[0]).gateway, gw);
                assert_int_equal(job_of(&s, job).state, STORE_JOB_WAITING);
                stage_end(&s);
        }
}

/* The place that the row has is not that of this answer: all of it is worked in. */
static void an_answer_is_worked_in_from_its_beginning(void **state)
{
        int64_t gw, job;
        gateway_row row;
        store_batch *b;
        stage s;

        (void)state;
        begin(&s);
        gw = gateway(&s, "g");
        stage_say(&s, gw, "gateway.sync", NULL);
        run(&s);
        job = carrier(&s, gw).id;
        inventory(&s, gw, record_xml(&s, "d1", "urn:g:1", "1"));
        assert_int_equal(gateway_find(s.st, gw, &s.a, &row), 0);
        assert_int_equal(row.job, 0);
        stage_say(&s, gw, "gateway.sync", NULL);
        run(&s);
        job = carrier(&s, gw).id;
        inventory(&s, gw,
                  odm_arena_fmt(&s.a, "%s%s", record_xml(&s, "d1", "urn:g:1", "2"),
                                record_xml(&s, "d2", "urn:g:2", "1"))
                          .p);
        assert_true(by_devid(&s, "urn:g:2") > 0);
        /* the same answer, as a server that was killed finds it: said to be done, and not done */
        assert_int_equal(gateway_find(s.st, gw, &s.a, &row), 0);
        row.work = row.whole = 1;
        row.job = job;
        row.place = 2;
        b = store_batch_new();
        store_batch_add(b, STORE_ROW_PUT)->row =
                (store_row_op){.table = &table_gateway, .row = &row};
        store_batch_add(b, STORE_DEVICE_DELETE)->of = by_devid(&s, "urn:g:2");
        stage_write(&s, b);
        stage_open(&s);
        run(&s);
        assert_true(by_devid(&s, "urn:g:2") > 0);
        assert_int_equal(gateway_find(s.st, gw, &s.a, &row), 0);
        assert_int_equal(row.job, 0);
        stage_end(&s);
}

/* ---- jobs ------------------------------------------------------------------------------------- */

static void a_read_goes_through_the_gateway(void **state)
{
        int64_t id, gw, job;
        store_result_list l;
        store_tree t;
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 1, &id);
        job = order(&s, id, GET_FWV);
        run(&s);
        assert_int_equal(job_of(&s, job).state, STORE_JOB_WAITING);
        assert_true(odm_str_is(job_of(&s, job).reason, "with its gateway g"));
        k = carrier(&s, gw);
        assert_true(
                odm_str_is(k.commands, "[{\"cmd\":\"get\",\"uri\":\"./GwDev/d1/DevDetail/FwV\"}]"));
        answers(&s, gw, 200, "./GwDev/d1/DevDetail/FwV", "2.5");
        assert_int_equal(job_of(&s, job).state, STORE_JOB_DONE);
        assert_int_equal(store_job_results(s.st, id, job, &s.a, &l), 0);
        assert_int_equal(l.n, 1);
        assert_true(odm_str_is(l.v[0].items[0].uri, "./DevDetail/FwV"));
        assert_true(odm_str_is(l.v[0].items[0].data, "2.5"));
        assert_int_equal(store_tree_get(s.st, id, ODM_STR("./DevDetail/FwV"), &s.a, &t), 0);
        assert_true(odm_str_is(t.v[0].value, "2.5"));
        assert_true(odm_str_is(get(&s, id).fwv, "2.5"));
        assert_int_equal(stage_told(&s, "job.done"), 3); /* inventory, the gateway's, this one */
        stage_end(&s);
}

static void a_refusal_is_told_in_the_devices_own_words(void **state)
{
        const store_result no = {
                .status = 404, .sent = true, .text = ODM_STR("no resource is mapped to it")};
        int64_t id, gw, job;
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 1, &id);
        job = order(&s, id, "[{\"cmd\":\"replace\",\"uri\":\"./X/Y\",\"data\":\"1\"}]");
        run(&s);
        k = carrier(&s, gw);
        ends(&s, &k, STORE_JOB_FAILED, &no, 1);
        assert_int_equal(job_of(&s, job).state, STORE_JOB_FAILED);
        assert_true(odm_str_is(job_of(&s, job).reason,
                               "Replace ./X/Y: 404 Not found (no resource is mapped to it)"));
        stage_end(&s);
}

static void results(stage *s, int64_t gw, int64_t task, const char *entries)
{
        alert(s, gw, RESULTS, odm_arena_fmt(&s->a, "./GwMO/Fanout/Fanout/x%lld", (long long)task).p,
              odm_arena_fmt(&s->a,
                            "<FanoutResult TaskID=\"x%lld\" Seq=\"1\" Last=\"1\">"
                            "<Totals Total=\"1\" Ok=\"1\" Failed=\"0\" Pending=\"0\"/>%s"
                            "</FanoutResult>",
                            (long long)task, entries)
                      .p);
        run(s);
}

static int64_t task_of(const store_job *k)
{
        uint64_t v = 0;

        assert_true(odm_str_starts(k->key, "gateway/"));
        assert_int_equal(odm_str_u64(odm_str_from(k->key, 8), INT64_MAX, &v), 0);
        return (int64_t)v;
}

/* Some sleep: what the others say does not wait for them. */
static void collected_values_are_told_as_they_come(void **state)
{
        static const char get[] = "[{\"cmd\":\"get\",\"uri\":\"./X/Y\",\"optional\":true}]";
        int64_t ids[4], gw, jobs[4];
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 4, ids);
        for (unsigned i = 0; i < 4; i++)
                jobs[i] = order_of(&s, "collection", ids[i], get, 0);
        run(&s);
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 1);
        k = carrier(&s, gw);
        assert_true(says(k.commands, "Operations/AggWindow"));
        results(&s, gw, task_of(&k),
                "<Device ID=\"urn:g:1\" Key=\"d1\"><Cmd CmdRef=\"1\" Status=\"200\"/></Device>");
        assert_int_equal(job_of(&s, jobs[0]).state, STORE_JOB_DONE);
        assert_int_equal(job_of(&s, jobs[1]).state, STORE_JOB_WAITING);
        stage_end(&s);
}

static void who_is_asleep_gets_it_when_it_wakes(void **state)
{
        int64_t id, gw, job;
        odm_str clear;
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 1, &id);
        job = order(&s, id, "[{\"cmd\":\"replace\",\"uri\":\"./X/Y\",\"data\":\"1\"}]");
        run(&s);
        answers(&s, gw, 503, "", NULL); /* it sleeps */
        assert_int_equal(job_of(&s, job).state, STORE_JOB_WAITING);
        k = carrier(&s, gw);
        assert_true(says(k.commands, "dev:urn:g:1"));
        assert_true(says(k.commands, "<LocURI>./X/Y</LocURI>"));
        assert_true(says(k.commands, "Operations/Start"));
        results(&s, gw, task_of(&k),
                "<Device ID=\"urn:g:1\" Key=\"d1\"><Cmd CmdRef=\"1\" Status=\"200\"/></Device>");
        assert_int_equal(job_of(&s, job).state, STORE_JOB_DONE);
        /* told twice, and completed: nothing more comes of it */
        results(&s, gw, task_of(&k),
                "<Device ID=\"urn:g:1\" Key=\"d1\"><Cmd CmdRef=\"1\" Status=\"500\"/></Device>");
        ends(&s, &k, STORE_JOB_DONE, NULL, 0);
        assert_int_equal(job_of(&s, job).state, STORE_JOB_DONE);
        /* but that the gateway need not keep it, which may know that already */
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 1);
        clear = odm_arena_fmt(&s.a,
                              "[{\"cmd\":\"delete\",\"uri\":\"./GwMO/Fanout/Fanout/x%lld\","
                              "\"optional\":true}]",
                              (long long)task_of(&k));
        k = carrier(&s, gw);
        assert_true(odm_str_eq(k.commands, clear));
        ends(&s, &k, STORE_JOB_DONE, NULL, 0);
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 0);
        stage_end(&s);
}

#define UPDATE                                                                                    \
        "[{\"cmd\":\"replace\",\"uri\":\"./FUMO/main/DownloadAndUpdate/PkgURL\",\"data\":\"u\"}," \
        "{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/DownloadAndUpdate\"}]"

static void the_same_for_many_is_one_task(void **state)
{
        int64_t ids[10], jobs[10], gw;
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 10, ids);
        for (unsigned i = 0; i < 10; i++)
                jobs[i] = order(&s, ids[i], UPDATE);
        run(&s);
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 1);
        k = carrier(&s, gw);
        assert_true(says(k.commands, "dev:urn:g:10"));
        results(&s, gw, task_of(&k),
                "<Group><Cmd CmdRef=\"1\" Status=\"200\"/>"
                "<Cmd CmdRef=\"2\" Status=\"202\" Result=\"200\"/><Count>7</Count>"
                "<Devices>d1 d2 d3 d4 d5 d6 d7</Devices></Group>"
                "<Device ID=\"urn:g:8\" Key=\"d8\"><Cmd CmdRef=\"1\" Status=\"200\"/>"
                "<Cmd CmdRef=\"2\" Status=\"202\" Result=\"402\"/></Device>");
        for (unsigned i = 0; i < 7; i++)
                assert_int_equal(job_of(&s, jobs[i]).state, STORE_JOB_DONE);
        assert_int_equal(job_of(&s, jobs[7]).state, STORE_JOB_FAILED);
        assert_true(says(job_of(&s, jobs[7]).reason, ": 402 "));
        run(&s); /* alarms are those of a device that tells by itself */
        assert_int_equal(stage_told(&s, "alarm.raised"), 1);
        assert_int_equal(job_of(&s, jobs[8]).state, STORE_JOB_WAITING);
        ends(&s, &k, STORE_JOB_DONE, NULL, 0); /* the gateway says that it is complete */
        assert_int_equal(job_of(&s, jobs[8]).state, STORE_JOB_FAILED);
        assert_true(odm_str_is(job_of(&s, jobs[9]).reason, "its gateway told no result"));
        stage_end(&s);
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LINK "http://server:8080/packages/7/" HASH "/fw.bin"
#define FETCH                                                                                     \
        "[{\"cmd\":\"replace\",\"uri\":\"./FUMO/main/DownloadAndUpdate/PkgURL\",\"data\":\"" LINK \
        "\"},{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/DownloadAndUpdate\"}]"

static void put_package(stage *s)
{
        const package p = {.id = 7,
                           .name = ODM_STR("meter"),
                           .version = ODM_STR("2.0"),
                           .state = PACKAGE_READY,
                           .sha256 = ODM_STR(HASH),
                           .size = 20000};
        store_batch *b = store_batch_new();

        store_batch_add(b, STORE_ROW_PUT)->row = (store_row_op){.table = &table_package, .row = &p};
        stage_write(s, b);
}

/* Three of them want the same package: the job that has the gateway fetch it. */
static store_job load(stage *s, int64_t *gw, int64_t jobs[3])
{
        int64_t ids[3];
        store_job k;

        *gw = with_meters(s, "g", 3, ids);
        put_package(s);
        for (unsigned i = 0; i < 3; i++)
                jobs[i] = order(s, ids[i], FETCH);
        run(s);
        assert_int_equal(count_jobs(s, *gw, STORE_JOB_OPEN), 1);
        for (unsigned i = 0; i < 3; i++)
                assert_true(
                        odm_str_is(job_of(s, jobs[i]).reason, "waits until its package is at g"));
        k = carrier(s, *gw);
        assert_true(says(k.commands, "./GwMO/ImageInventory/Images/i0123456789abcdef/URL"));
        assert_true(says(k.commands, LINK));
        return k;
}

static void a_package_goes_to_the_gateway_once(void **state)
{
        const store_result loaded = {
                .index = 11, .status = 200, .sent = true, .text = ODM_STR("alert x")};
        int64_t gw, jobs[3];
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        k = load(&s, &gw, jobs);
        ends(&s, &k, STORE_JOB_DONE, &loaded, 1);
        assert_int_equal(stage_told(&s, "gateway.image"), 1);
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 1);
        k = carrier(&s, gw);
        assert_true(says(k.commands, "{LocalURL:" HASH "}"));
        assert_false(says(k.commands, LINK));
        results(&s, gw, task_of(&k),
                "<Group><Cmd CmdRef=\"1\" Status=\"200\"/>"
                "<Cmd CmdRef=\"2\" Status=\"202\" Result=\"200\"/><Count>3</Count>"
                "<Devices>d1 d2 d3</Devices></Group>");
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(job_of(&s, jobs[i]).state, STORE_JOB_DONE);
        stage_end(&s);
}

static void image_says(stage *s, int64_t gw, const char *id, const char *result)
{
        alert(s, gw, "urn:oma:at:oma-gwmo:imageready:1.0",
              "./GwMO/ImageInventory/Images/i0123456789abcdef",
              odm_arena_fmt(&s->a,
                            "<ImageReady><ImageID>%s</ImageID><Hash></Hash><LocalURL></LocalURL>"
                            "<Result>%s</Result></ImageReady>",
                            id, result)
                      .p);
        run(s);
}

static gateway_image image_of(stage *s, int64_t gw)
{
        const gateway_image key = {.device = gw, .sha256 = ODM_STR(HASH)};
        gateway_image i;

        assert_int_equal(store_row_get(s->host.store, &table_gateway_image, &key, &s->a, &i), 0);
        return i;
}

/* Nobody asked: it was found damaged there, and could not be had again; later it could. */
static void a_package_is_lost_there_and_found(void **state)
{
        const store_result loaded = {
                .index = 11, .status = 200, .sent = true, .text = ODM_STR("alert x")};
        int64_t gw, jobs[3];
        gateway_image i;
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        k = load(&s, &gw, jobs);
        image_says(&s, gw, HASH, "402"); /* of what we ordered our job knows more */
        assert_int_equal(image_of(&s, gw).state, GATEWAY_LOADING);
        ends(&s, &k, STORE_JOB_DONE, &loaded, 1);
        image_says(&s, gw, HASH, "200");
        image_says(&s, gw, "another", "402");
        image_says(&s, gw, HASH, "");
        assert_int_equal(image_of(&s, gw).state, GATEWAY_LOADED);
        assert_int_equal(stage_told(&s, "gateway.image"), 1);
        image_says(&s, gw, HASH, "402");
        image_says(&s, gw, HASH, "402");
        i = image_of(&s, gw);
        assert_int_equal(i.state, GATEWAY_UNLOADED);
        assert_str(i.reason, "its gateway has it no more: Corrupted package (402)");
        assert_int_equal(stage_told(&s, "gateway.image"), 2);
        image_says(&s, gw, HASH, "200");
        assert_int_equal(image_of(&s, gw).state, GATEWAY_LOADED);
        assert_int_equal(stage_told(&s, "gateway.image"), 3);
        stage_end(&s);
}

static void without_it_devices_fetch_by_themselves(void **state)
{
        const store_result failed = {
                .index = 11, .status = 410, .sent = true, .text = ODM_STR("alert x")};
        int64_t gw, jobs[3];
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        k = load(&s, &gw, jobs);
        ends(&s, &k, STORE_JOB_FAILED, &failed, 1);
        k = carrier(&s, gw);
        assert_true(says(k.commands, LINK));
        assert_int_equal(job_of(&s, jobs[0]).state, STORE_JOB_WAITING);
        stage_end(&s);
}

static void a_gateway_that_serves_it_nowhere_is_no_use(void **state)
{
        const store_result loaded = {
                .index = 11, .status = 200, .sent = true, .text = ODM_STR("alert x")};
        int64_t gw, jobs[3];
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        k = load(&s, &gw, jobs);
        ends(&s, &k, STORE_JOB_DONE, &loaded, 1);
        k = carrier(&s, gw);
        results(&s, gw, task_of(&k),
                "<Device ID=\"urn:g:1\" Key=\"d1\" State=\"4\" Text=\"no such image\">"
                "<Cmd Status=\"404\"/></Device>");
        assert_int_equal(image_of(&s, gw).state, GATEWAY_UNLOADED);
        ends(&s, &k, STORE_JOB_WAITING, NULL, 0);
        k = carrier(&s, gw);
        assert_true(says(k.commands, "./GwDev/d1/FUMO/main/DownloadAndUpdate/PkgURL"));
        assert_true(says(k.commands, LINK));
        assert_int_equal(job_of(&s, jobs[0]).state, STORE_JOB_WAITING);
        stage_end(&s);
}

/* Of a time between two seconds: the gateway is not to end it before. */
static void the_end_of_an_order_is_told_after_its_time(void **state)
{
        const int64_t at = 1800000000500;
        int64_t ids[2], gw;
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 2, ids);
        for (unsigned i = 0; i < 2; i++)
                (void)order_with(&s, ids[i], UPDATE, at);
        run(&s);
        k = carrier(&s, gw);
        assert_true(says(k.commands, "20270115T080001Z"));
        assert_int_equal(k.deadline, at + JOB_GRACE_MS);
        stage_end(&s);
}

static void a_gateway_without_fanouts_gets_them_one_by_one(void **state)
{
        const store_result no[] = {{.index = 0, .status = 404, .sent = true},
                                   {.index = 1, .status = 404, .sent = true}};
        int64_t ids[3], gw;
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 3, ids);
        for (unsigned i = 0; i < 3; i++)
                (void)order(&s, ids[i], UPDATE);
        run(&s);
        k = carrier(&s, gw);
        ends(&s, &k, STORE_JOB_FAILED, no, 2);
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 3);
        k = carrier(&s, gw);
        assert_true(says(k.commands, "./GwDev/d1/FUMO/main/DownloadAndUpdate/PkgURL"));
        stage_end(&s);
}

static void what_is_cancelled_is_taken_back(void **state)
{
        int64_t ids[2], jobs[2], gw;
        store_job k, j;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 2, ids);
        for (unsigned i = 0; i < 2; i++)
                jobs[i] = order(&s, ids[i], UPDATE);
        run(&s);
        k = carrier(&s, gw);
        j = job_of(&s, jobs[0]);
        ends(&s, &j, STORE_JOB_CANCELLED, NULL, 0);
        assert_int_equal(job_of(&s, k.id).state, STORE_JOB_QUEUED); /* the other wants it */
        ends(&s, &k, STORE_JOB_WAITING, NULL, 0);                   /* it was accepted */
        j = carrier(&s, gw);                                        /* but not for the first one */
        assert_true(says(j.commands, "\"delete\"") && says(j.commands, "/Targets/d1\""));
        ends(&s, &j, STORE_JOB_DONE, NULL, 0);
        j = job_of(&s, jobs[1]);
        ends(&s, &j, STORE_JOB_EXPIRED, NULL, 0);
        assert_int_equal(job_of(&s, k.id).state, STORE_JOB_CANCELLED);
        k = carrier(&s, gw); /* and it leaves no node */
        assert_true(says(k.commands, "/Operations/Cancel\",\"optional\":true"));
        assert_true(says(k.commands, "\"cmd\":\"delete\""));
        stage_end(&s);
}

/* One that was in a session which was lost may be there. */
static void what_may_have_arrived_is_taken_back_too(void **state)
{
        int64_t ids[2], jobs[2], gw;
        store_job k, j;
        store_batch *b;
        store_op *op;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 2, ids);
        for (unsigned i = 0; i < 2; i++)
                jobs[i] = order(&s, ids[i], UPDATE);
        run(&s);
        k = carrier(&s, gw);
        b = store_batch_new();
        op = store_batch_add(b, STORE_JOB_MOVE);
        op->job_move.device = gw;
        op->job_move.job = k.id;
        op->job_move.from = STORE_JOB_OPEN;
        op->job_move.to = STORE_JOB_QUEUED;
        op->job_move.attempt = 1;
        op->job_move.at = stage_ms;
        stage_write(&s, b);
        for (unsigned i = 0; i < 2; i++) {
                j = job_of(&s, jobs[i]);
                ends(&s, &j, STORE_JOB_CANCELLED, NULL, 0);
        }
        assert_int_equal(job_of(&s, k.id).state, STORE_JOB_CANCELLED);
        j = carrier(&s, gw);
        if (says(j.commands, "/Targets/")) {
                ends(&s, &j, STORE_JOB_DONE, NULL, 0);
                j = carrier(&s, gw);
        }
        assert_true(says(j.commands, "/Operations/Cancel"));
        stage_end(&s);
}

/* What the old gateway keeps for a sleeper goes on behind the new one, when it was not begun. */
static void an_order_kept_for_a_sleeper_follows_it(void **state)
{
        static const struct {
                const char *why, *entry;
                store_job_state to;
                const char *reason;
        } cases[] = {
                {"it was not begun", "State=\"7\"><Cmd Status=\"214\"/>", STORE_JOB_WAITING,
                 "with its gateway b"},
                {"it was done before",
                 "State=\"3\"><Cmd CmdRef=\"1\" Status=\"200\"/>"
                 "<Cmd CmdRef=\"2\" Status=\"202\" Result=\"200\"/>",
                 STORE_JOB_DONE, ""},
                {"nobody knows", "State=\"5\" Text=\"taken back\"><Cmd Status=\"408\"/>",
                 STORE_JOB_FAILED, "taken back"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                int64_t id, a, b, job;
                store_job k, stop;
                stage s;

                begin(&s);
                a = with_meters(&s, "a", 1, &id);
                set_state(&s, id, STORE_DEVICE_ASLEEP, "device.asleep");
                job = order(&s, id, UPDATE);
                run(&s);
                k = carrier(&s, a);
                assert_true(says(k.commands, "/Targets/d1\""));
                ends(&s, &k, STORE_JOB_WAITING, NULL, 0);
                b = gateway(&s, "b");
                attach(&s, b, "d9", "urn:a:1");
                run(&s);
                assert_int_equal(job_of(&s, job).state, STORE_JOB_WAITING);
                stop = carrier(&s, a);
                assert_true(says(stop.commands, "\"delete\"") &&
                            says(stop.commands, "/Targets/d1\""));
                assert_int_equal(count_jobs(&s, b, STORE_JOB_OPEN), 1); /* its inventory */
                ends(&s, &stop, STORE_JOB_DONE, NULL, 0);
                results(&s, a, task_of(&k),
                        odm_arena_fmt(&s.a, "<Device ID=\"urn:a:1\" Key=\"d1\" %s</Device>",
                                      cases[i].entry)
                                .p);
                if (job_of(&s, job).state != cases[i].to ||
                    !odm_str_is(job_of(&s, job).reason, cases[i].reason))
                        fail_msg("%s: %s %s", cases[i].why,
                                 store_job_state_name(job_of(&s, job).state),
                                 odm_arena_fmt(&s.a, "%.*s", (int)job_of(&s, job).reason.n,
                                               job_of(&s, job).reason.p)
                                         .p);
                stage_end(&s);
        }
}

static void a_device_that_moves_takes_its_jobs_along(void **state)
{
        int64_t id, a, b, job;
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        a = with_meters(&s, "a", 1, &id);
        job = order(&s, id, GET_FWV);
        run(&s);
        k = carrier(&s, a);
        b = gateway(&s, "b");
        attach(&s, b, "d9", "urn:a:1");
        run(&s);
        assert_int_equal(job_of(&s, k.id).state, STORE_JOB_CANCELLED);
        k = carrier(&s, b); /* its inventory, for it is new */
        ends(&s, &k, STORE_JOB_FAILED, NULL, 0);
        k = carrier(&s, b);
        assert_true(says(k.commands, "./GwDev/d9/DevDetail/FwV"));
        answers(&s, b, 200, "./GwDev/d9/DevDetail/FwV", "7");
        assert_int_equal(job_of(&s, job).state, STORE_JOB_DONE);
        stage_end(&s);
}

#define NAMED "[{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/Update\",\"correlator\":\"c-1\"}]"

/* The old gateway knows whether the Exec waits there still: then it goes along, and is not done by
 * both. */
static void an_exec_that_waits_is_taken_back(void **state)
{
        static const struct {
                const char *why;
                store_job_state carrier, stop;
                unsigned status; /* of the stop; 0: none */
                store_job_state to;
                const char *reason;
        } cases[] = {
                {"it waited", STORE_JOB_WAITING, STORE_JOB_DONE, 200, STORE_JOB_WAITING,
                 "with its gateway b"},
                {"it was on its way there", STORE_JOB_IN_SESSION, STORE_JOB_DONE, 200,
                 STORE_JOB_WAITING, "with its gateway b"},
                {"its device had it", STORE_JOB_WAITING, STORE_JOB_DONE, 404, STORE_JOB_FAILED,
                 "it left its gateway meanwhile; what became of it is not known"},
                {"the gateway is gone", STORE_JOB_WAITING, STORE_JOB_EXPIRED, 0, STORE_JOB_FAILED,
                 "it left its gateway meanwhile; what became of it is not known"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                const store_result r = {.status = cases[i].status, .sent = true};
                int64_t id, a, b, job;
                store_job k, stop;
                stage s;

                begin(&s);
                a = with_meters(&s, "a", 1, &id);
                job = order(&s, id, NAMED);
                run(&s);
                k = carrier(&s, a);
                ends(&s, &k, cases[i].carrier, NULL, 0);
                b = gateway(&s, "b");
                attach(&s, b, "d9", "urn:a:1");
                run(&s);
                assert_int_equal(job_of(&s, job).state, STORE_JOB_WAITING);
                stop = carrier(&s, a);
                assert_true(says(stop.commands, GATEWAY_TAKE_BACK) &&
                            says(stop.commands, "\"c-1\""));
                ends(&s, &stop, cases[i].stop, &r, cases[i].status != 0);
                if (job_of(&s, job).state != cases[i].to ||
                    !odm_str_is(job_of(&s, job).reason, cases[i].reason))
                        fail_msg("%s: %s", cases[i].why,
                                 store_job_state_name(job_of(&s, job).state));
                assert_int_equal(job_of(&s, k.id).state, STORE_JOB_CANCELLED);
                stage_end(&s);
        }
}

/* Whom nobody waits for any more is not done, once its device wakes. */
static void a_job_that_is_cancelled_takes_its_exec_back(void **state)
{
        int64_t id, gw, job;
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 1, &id);
        job = order(&s, id, NAMED);
        run(&s);
        k = carrier(&s, gw);
        ends(&s, &k, STORE_JOB_WAITING, NULL, 0);
        k = job_of(&s, job);
        ends(&s, &k, STORE_JOB_CANCELLED, NULL, 0);
        assert_true(says(carrier(&s, gw).commands, GATEWAY_TAKE_BACK));
        stage_end(&s);
}

#define TWO_EXECS                                             \
        "[{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/Update\"}," \
        "{\"cmd\":\"exec\",\"uri\":\"./DiagMon/Restart/Operations/Start\"}]"

static void what_had_begun_is_not_done_twice(void **state)
{
        static const struct {
                const char *why, *commands;
                store_job_state carrier, to;
        } cases[] = {
                {"an Exec that nobody has begun", UPDATE, STORE_JOB_QUEUED, STORE_JOB_WAITING},
                {"two that are being sent", TWO_EXECS, STORE_JOB_IN_SESSION, STORE_JOB_FAILED},
                {"two that were accepted", TWO_EXECS, STORE_JOB_WAITING, STORE_JOB_FAILED},
                {"an Add in an Atomic",
                 "[{\"cmd\":\"atomic\",\"commands\":[{\"cmd\":\"add\",\"uri\":\"./A\","
                 "\"data\":\"1\"}]}]",
                 STORE_JOB_IN_SESSION, STORE_JOB_FAILED},
                {"a read", GET_FWV, STORE_JOB_IN_SESSION, STORE_JOB_WAITING},
                {"a Replace", "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"data\":\"1\"}]",
                 STORE_JOB_IN_SESSION, STORE_JOB_WAITING},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(cases); i++) {
                int64_t id, a, b, job;
                store_job k;
                stage s;

                begin(&s);
                a = with_meters(&s, "a", 1, &id);
                job = order(&s, id, cases[i].commands);
                run(&s);
                k = carrier(&s, a);
                if (cases[i].carrier != STORE_JOB_QUEUED)
                        ends(&s, &k, cases[i].carrier, NULL, 0);
                b = gateway(&s, "b");
                attach(&s, b, "d9", "urn:a:1");
                run(&s);
                if (job_of(&s, job).state != cases[i].to)
                        fail_msg("%s: %s", cases[i].why,
                                 store_job_state_name(job_of(&s, job).state));
                if (cases[i].to == STORE_JOB_FAILED)
                        assert_true(odm_str_is(
                                job_of(&s, job).reason,
                                "it left its gateway meanwhile; what became of it is not known"));
                else
                        assert_true(odm_str_is(job_of(&s, job).reason, "with its gateway b"));
                stage_end(&s);
        }
}

/* More than its gateway may have: the rest goes when those have ended. */
static void a_gateway_is_not_drowned(void **state)
{
        int64_t ids[300], gw, other, id;
        char get_it[64];
        store_job k;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 300, ids);
        for (unsigned n = 0; n < 4; n++)
                for (unsigned i = 0; i < 300; i++) { /* no two alike */
                        (void)snprintf(get_it, sizeof get_it,
                                       "[{\"cmd\":\"get\",\"uri\":\"./A/%u-%u\"}]", n, i);
                        (void)order(&s, ids[i], odm_arena_copy(&s.a, odm_cstr(get_it)).p);
                }
        (void)stage_run(&s, 2000);
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 900);
        other = with_meters(&s, "o", 1, &id); /* no other one waits for it */
        (void)order(&s, id, GET_FWV);
        (void)stage_run(&s, 2000);
        assert_int_equal(count_jobs(&s, other, STORE_JOB_OPEN), 1);
        k = carrier(&s, gw);
        ends(&s, &k, STORE_JOB_FAILED, NULL, 0);
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 900);
        stage_end(&s);
}

static void jobs_of_before_a_kill_are_found(void **state)
{
        int64_t id, gw, job;
        store_batch *b = store_batch_new();
        store_op *op;
        stage s;

        (void)state;
        begin(&s);
        gw = with_meters(&s, "g", 1, &id);
        op = store_batch_add(b, STORE_JOB_CREATE);
        op->job = (store_job){.device = id, .kind = ODM_STR("test"), .commands = ODM_STR(GET_FWV)};
        assert_int_equal(store_write_sync(s.st, b), 0); /* and nobody was told */
        job = op->id;
        store_batch_free(b);
        stage_open(&s);
        run(&s);
        assert_int_equal(job_of(&s, job).state, STORE_JOB_WAITING);
        stage_open(&s); /* given once, it is not given again */
        run(&s);
        assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 1);
        stage_open(&s);
        answers(&s, gw, 200, "./GwDev/d1/DevDetail/FwV", "1");
        assert_int_equal(job_of(&s, job).state, STORE_JOB_DONE);
        stage_end(&s);
}

/* Every write that can fail fails once: in the end all is as if none had. */
static void what_cannot_be_written_is_done_later(void **state)
{
        (void)state;
        for (uint64_t at = 1; at < 40; at++) {
                int64_t ids[3], jobs[3], gw;
                store_fault f;
                int64_t next;
                store_job k;
                stage s;

                begin(&s);
                gw = with_meters(&s, "g", 3, ids);
                for (unsigned i = 0; i < 3; i++)
                        jobs[i] = order(&s, ids[i], UPDATE);
                f = store_fault_get(&s.fault);
                f.fail_write = f.writes + at;
                store_fault_set(&s.fault, f);
                for (unsigned i = 0; i < 5; i++) {
                        int rc = fleet_run(s.f, 100, &next);

                        assert_true(rc == 0 || rc == ODM_EIO);
                        stage_ms += 6000;
                }
                f = store_fault_get(&s.fault);
                f.fail_write = 0;
                store_fault_set(&s.fault, f);
                run(&s);
                assert_int_equal(count_jobs(&s, gw, STORE_JOB_OPEN), 1);
                k = carrier(&s, gw);
                results(&s, gw, task_of(&k),
                        "<Group><Cmd CmdRef=\"1\" Status=\"200\"/><Cmd CmdRef=\"2\" "
                        "Status=\"200\"/>"
                        "<Count>3</Count><Devices>d1 d2 d3</Devices></Group>");
                for (unsigned i = 0; i < 3; i++)
                        assert_int_equal(job_of(&s, jobs[i]).state, STORE_JOB_DONE);
                stage_end(&s);
        }
}

static void a_device_behind_two_gateways_is_reached(void **state)
{
        int64_t id, outer, inner, job;
        stage s;

        (void)state;
        begin(&s);
        outer = with_meters(&s, "o", 1, &inner);
        attach(&s, inner, "d5", "urn:deep"); /* as heard.c takes what is said below ./GwDev/d1 */
        run(&s);
        answers(&s, outer, 404, "", NULL); /* the inner one's inventory: no */
        id = by_devid(&s, "urn:deep");
        assert_true(id > 0); /* then what was told of it has to do */
        assert_true(odm_str_is(get(&s, id).name, "o/d1/d5"));
        job = order(&s, id, GET_FWV);
        run(&s);
        assert_true(says(carrier(&s, outer).commands, "./GwDev/d1/GwDev/d5/DevDetail/FwV"));
        answers(&s, outer, 200, "./GwDev/d1/GwDev/d5/DevDetail/FwV", "3");
        assert_int_equal(job_of(&s, job).state, STORE_JOB_DONE);
        assert_true(odm_str_is(get(&s, id).fwv, "3"));
        stage_end(&s);
}

static void put_children(stage *s, int64_t from, int64_t to)
{
        store_batch *b = store_batch_new();
        odm_arena *a = store_batch_arena(b);

        for (int64_t id = from; id <= to; id++) {
                gateway_child *c = odm_new(a, gateway_child);

                assert_non_null(c);
                *c = (gateway_child){.device = id,
                                     .gateway = 1,
                                     .key = odm_arena_fmt(a, "d%lld", (long long)id)};
                store_batch_add(b, STORE_ROW_PUT)->row =
                        (store_row_op){.table = &table_gateway_child, .row = c};
        }
        stage_write(s, b);
}

static void behind_is(stage *s, long long n)
{
        odm_str line = odm_arena_fmt(&s->a, "\nnrem_gateway_devices %lld\n", n);
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 65536);
        assert_int_equal(fleet_metrics(s->f, &b), 0);
        assert_int_equal(odm_buf_put(&b, "", 1), 0);
        if (!strstr(odm_buf_view(&b).p, line.p))
                fail_msg("not %lld in\n%s", n, odm_buf_view(&b).p);
        odm_buf_done(&b);
}

static void many_devices_are_counted_once_a_minute(void **state)
{
        stage s;

        (void)state;
        begin(&s);
        behind_is(&s, 0);
        put_children(&s, 1, GATEWAY_FEW - 1);
        behind_is(&s, GATEWAY_FEW - 1);
        put_children(&s, GATEWAY_FEW, GATEWAY_FEW + 5);
        behind_is(&s, GATEWAY_FEW + 5);
        put_children(&s, GATEWAY_FEW + 6, GATEWAY_FEW + 7);
        stage_ms += 59999;
        behind_is(&s, GATEWAY_FEW + 5);
        stage_ms++;
        behind_is(&s, GATEWAY_FEW + 7);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_gateway_is_found_by_what_it_tells),
                cmocka_unit_test(a_device_moves_and_keeps_its_name),
                cmocka_unit_test(states_are_those_that_gateways_tell),
                cmocka_unit_test(sleepers_are_told_together),
                cmocka_unit_test(records_that_are_new_are_read_again),
                cmocka_unit_test(a_lost_gateway_hides_what_is_behind_it),
                cmocka_unit_test(who_is_not_in_the_inventory_is_detached),
                cmocka_unit_test(a_large_inventory_is_read_in_pieces),
                cmocka_unit_test(an_answer_that_is_too_large_is_given_up),
                cmocka_unit_test(nobody_is_taken_over_by_hearsay),
                cmocka_unit_test(nobody_is_taken_over_in_two_steps),
                cmocka_unit_test(a_stranger_pulls_nobody_over),
                cmocka_unit_test(a_stranger_gets_nobody_who_is_awaited),
                cmocka_unit_test(who_calls_by_itself_is_not_switched_off),
                cmocka_unit_test(what_an_operator_switched_off_stays_so),
                cmocka_unit_test(a_device_with_an_account_comes_back_and_moves),
                cmocka_unit_test(who_calls_by_itself_leaves_its_gateway),
                cmocka_unit_test(late_words_move_nobody),
                cmocka_unit_test(a_forgotten_gateway_leaves_its_devices_detached),
                cmocka_unit_test(an_answer_is_worked_in_from_its_beginning),
                cmocka_unit_test(a_read_goes_through_the_gateway),
                cmocka_unit_test(a_refusal_is_told_in_the_devices_own_words),
                cmocka_unit_test(collected_values_are_told_as_they_come),
                cmocka_unit_test(who_is_asleep_gets_it_when_it_wakes),
                cmocka_unit_test(the_same_for_many_is_one_task),
                cmocka_unit_test(a_package_goes_to_the_gateway_once),
                cmocka_unit_test(a_package_is_lost_there_and_found),
                cmocka_unit_test(without_it_devices_fetch_by_themselves),
                cmocka_unit_test(a_gateway_that_serves_it_nowhere_is_no_use),
                cmocka_unit_test(the_end_of_an_order_is_told_after_its_time),
                cmocka_unit_test(a_gateway_without_fanouts_gets_them_one_by_one),
                cmocka_unit_test(what_is_cancelled_is_taken_back),
                cmocka_unit_test(what_may_have_arrived_is_taken_back_too),
                cmocka_unit_test(an_order_kept_for_a_sleeper_follows_it),
                cmocka_unit_test(a_device_that_moves_takes_its_jobs_along),
                cmocka_unit_test(what_had_begun_is_not_done_twice),
                cmocka_unit_test(an_exec_that_waits_is_taken_back),
                cmocka_unit_test(a_job_that_is_cancelled_takes_its_exec_back),
                cmocka_unit_test(a_gateway_is_not_drowned),
                cmocka_unit_test(jobs_of_before_a_kill_are_found),
                cmocka_unit_test(what_cannot_be_written_is_done_later),
                cmocka_unit_test(a_device_behind_two_gateways_is_reached),
                cmocka_unit_test(many_devices_are_counted_once_a_minute),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
