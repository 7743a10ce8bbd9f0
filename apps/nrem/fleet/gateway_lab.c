/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway_lab.h"

#include <string.h>

#include "job_event.h"
#include "package.h"

extern const fleet_part part_presence, part_alarm, part_gateway;
static const store_table *const package_tables[] = {&table_package, NULL};
static const fleet_part packages = {.name = "package", .tables = package_tables};
static const fleet_part *const parts[] = {&part_alarm, &part_gateway, &part_presence, &packages,
                                          NULL};

/* ---- devices ---------------------------------------------------------------------------------- */

void lab_begin(stage *s)
{
        stage_begin(s, parts, NULL, 100 * LAB_DAY);
        stage_open(s);
}

void lab_run(stage *s)
{
        (void)stage_run(s, 500);
}

int64_t lab_gateway_tagged(stage *s, const char *name, const char *tags)
{
        const store_device d = {.name = odm_cstr(name),
                                .devid = odm_arena_fmt(&s->a, "urn:gw:%s", name),
                                .tags = odm_cstr(tags),
                                .state = STORE_DEVICE_ACTIVE,
                                .reached = ODM_STR("http://server:8080"),
                                .last_contact = stage_ms};

        return stage_device(s, &d);
}

int64_t lab_gateway(stage *s, const char *name)
{
        return lab_gateway_tagged(s, name, "big gateway");
}

store_device lab_device(stage *s, int64_t id)
{
        store_device d;

        assert_int_equal(store_device_get(s->st, id, &s->a, &d), 0);
        return d;
}

int64_t lab_by_devid(stage *s, const char *devid)
{
        store_device d = {0};
        int rc = store_device_by_devid(s->st, odm_cstr(devid), &s->a, &d);

        assert_true(rc == 0 || rc == ODM_ENOENT);
        return d.id;
}

store_device_state lab_state(stage *s, int64_t id)
{
        return lab_device(s, id).state;
}

gateway_child lab_child(stage *s, int64_t id)
{
        gateway_child c;

        assert_int_equal(gateway_find_child(s->st, id, &s->a, &c), 0);
        return c;
}

void lab_alert(stage *s, int64_t gw, const char *type, const char *source, const char *data)
{
        json_t *o = json_pack("{s:i, s:s, s:s, s:s}", "code", 1226, "type", type, "source", source,
                              "data", data);
        char *text = json_dumps(o, JSON_COMPACT);

        stage_say(s, gw, "alert", odm_arena_copy(&s->a, odm_cstr(text)).p);
        free(text);
        json_decref(o);
        lab_run(s);
}

void lab_tells(stage *s, int64_t gw, const char *key, const char *state)
{
        lab_alert(s, gw, LAB_STATE, odm_arena_fmt(&s->a, LAB_RECORD("%s"), key).p, state);
}

void lab_detach(stage *s, int64_t gw, const char *key, const char *id, unsigned reason)
{
        lab_alert(s, gw, LAB_DETACHED, odm_arena_fmt(&s->a, LAB_RECORD("%s"), key).p,
                  odm_arena_fmt(&s->a,
                                "<DeviceDetach><DeviceID>%s</DeviceID><Reason>%u</Reason>"
                                "</DeviceDetach>",
                                id, reason)
                          .p);
}

static const char *time_text(stage *s, int64_t ms)
{
        char text[ODM_WALL_TEXT];

        odm_wall_format((odm_wall){ms / 1000}, text);
        return odm_arena_copy(&s->a, odm_cstr(text)).p;
}

void lab_attach_as(stage *s, int64_t gw, const char *key, const char *id, int mode, int64_t at)
{
        lab_alert(s, gw, "urn:oma:at:oma-gwmo:deviceattached:1.1",
                  odm_arena_fmt(&s->a, LAB_RECORD("%s"), key).p,
                  odm_arena_fmt(&s->a,
                                "<DeviceAttach><DeviceID>%s</DeviceID><Mode>%d</Mode>"
                                "<Protocol>LWM2M/1.1</Protocol><ComponentType>0</ComponentType>"
                                "<Time>%s</Time></DeviceAttach>",
                                id, mode, time_text(s, at))
                          .p);
}

void lab_attach(stage *s, int64_t gw, const char *key, const char *id)
{
        lab_attach_as(s, gw, key, id, 3, stage_ms);
}

/* ---- jobs ------------------------------------------------------------------------------------- */

bool lab_open_job(stage *s, int64_t device, store_job *out)
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

store_job lab_job(stage *s, int64_t id)
{
        store_job j;

        assert_int_equal(store_job_get(s->st, id, &s->a, &j), 0);
        return j;
}

store_job_state lab_job_state(stage *s, int64_t id)
{
        return lab_job(s, id).state;
}

store_job lab_carrier(stage *s, int64_t gw)
{
        store_job j = {0};

        assert_true(lab_open_job(s, gw, &j));
        return j;
}

store_job lab_carries(stage *s, int64_t gw, const char *what)
{
        store_job j = lab_carrier(s, gw);

        if (!lab_says(j.commands, what))
                fail_msg("no '%s' in %.*s", what, (int)j.commands.n, j.commands.p);
        return j;
}

void lab_ends_with(stage *s, const store_job *j, store_job_state to, const store_result *v,
                   size_t n)
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
        lab_run(s);
}

void lab_ends(stage *s, const store_job *j, store_job_state to)
{
        lab_ends_with(s, j, to, NULL, 0);
}

void lab_answers(stage *s, int64_t gw, unsigned status, const char *uri, const char *data)
{
        store_value item = {.uri = odm_cstr(uri), .format = ODM_STR("chr"), .data = odm_cstr(data)};
        const store_result r = {
                .status = status, .sent = true, .items = &item, .n_items = data != NULL};
        store_job j = lab_carrier(s, gw);

        lab_ends_with(s, &j, status < 300 ? STORE_JOB_DONE : STORE_JOB_FAILED, &r, 1);
}

#define INVENTORY_HEAD                                                   \
        "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node>" \
        "<NodeName>Records</NodeName>"

const char *lab_record_at(stage *s, const char *key, const char *id, const char *state,
                          int64_t seen)
{
        return odm_arena_fmt(&s->a,
                             "<Node><NodeName>%s</NodeName>" LAB_LEAF("DeviceID", "%s") LAB_LEAF(
                                     "Mode", "3") LAB_LEAF("State", "%s") LAB_LEAF("Man", "Acme")
                                     LAB_LEAF("FwV", "1.0") LAB_LEAF("Protocol", "LWM2M/1.1")
                                             LAB_LEAF("Addr", "10.0.0.7:5683")
                                                     LAB_LEAF("LastSeen", "%s") "</Node>",
                             key, id, state, time_text(s, seen))
                .p;
}

const char *lab_record(stage *s, const char *key, const char *id, const char *state)
{
        return lab_record_at(s, key, id, state, stage_ms);
}

void lab_sync(stage *s, int64_t gw)
{
        stage_say(s, gw, "gateway.sync", NULL);
        lab_run(s);
}

void lab_inventory(stage *s, int64_t gw, const char *records)
{
        store_value item = {
                .uri = ODM_STR("./GwMO/Inventory/Records"),
                .format = ODM_STR("xml"),
                .type = ODM_STR("application/vnd.syncml.dmtnds+xml"),
                .data = odm_arena_fmt(&s->a, INVENTORY_HEAD "%s</Node></MgmtTree>", records)};
        const store_result r = {.status = 200, .sent = true, .items = &item, .n_items = 1};
        store_job j = lab_carrier(s, gw);

        assert_true(odm_str_starts(j.commands,
                                   "[{\"cmd\":\"get\",\"uri\":\"./GwMO/Inventory/Records?"));
        lab_ends_with(s, &j, STORE_JOB_DONE, &r, 1);
}

bool lab_says(odm_str text, const char *z)
{
        return text.p && memmem(text.p, text.n, z, strlen(z)) != NULL;
}

int64_t lab_meters(stage *s, const char *name, unsigned n, int64_t *ids)
{
        int64_t gw = lab_gateway(s, name);
        odm_str all = ODM_STR("");

        lab_sync(s, gw);
        for (unsigned i = 1; i <= n; i++)
                all = odm_arena_join(
                        &s->a, all,
                        odm_cstr(lab_record(s, odm_arena_fmt(&s->a, "d%u", i).p,
                                            odm_arena_fmt(&s->a, "urn:%s:%u", name, i).p, "1")));
        lab_inventory(s, gw, all.p);
        for (unsigned i = 1; i <= n; i++) {
                ids[i - 1] = lab_by_devid(s, odm_arena_fmt(&s->a, "urn:%s:%u", name, i).p);
                assert_true(ids[i - 1] > 0);
        }
        return gw;
}

int64_t lab_order_kind(stage *s, const char *kind, int64_t device, const char *commands,
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

int64_t lab_order_with(stage *s, int64_t device, const char *commands, int64_t deadline)
{
        return lab_order_kind(s, "test", device, commands, deadline);
}

int64_t lab_order(stage *s, int64_t device, const char *commands)
{
        return lab_order_with(s, device, commands, 0);
}

void lab_orders(stage *s, const int64_t *devices, unsigned n, const char *commands, int64_t *jobs)
{
        for (unsigned i = 0; i < n; i++) {
                int64_t id = lab_order(s, devices[i], commands);

                if (jobs)
                        jobs[i] = id;
        }
        lab_run(s);
}

unsigned lab_open_jobs(stage *s, int64_t device)
{
        const store_job_filter f = {.device = device, .states = STORE_JOB_OPEN, .limit = 1000};
        store_job_list l = {0};

        assert_int_equal(store_job_find(s->st, &f, &s->a, &l), 0);
        return (unsigned)l.n;
}

void lab_looked(stage *s, int64_t gw, const char *key, const char *id)
{
        const char *at = odm_arena_fmt(&s->a, LAB_RECORD("%s"), key).p;
        store_value v[] = {
                {.uri = odm_arena_fmt(&s->a, "%s/DeviceID", at), .data = odm_cstr(id)},
                {.uri = odm_arena_fmt(&s->a, "%s/Mode", at), .data = ODM_STR("3")},
                {.uri = odm_arena_fmt(&s->a, "%s/State", at), .data = ODM_STR("1")},
                {.uri = odm_arena_fmt(&s->a, "%s/Mod", at), .data = ODM_STR("M2")},
        };
        const store_result r = {.status = 200, .sent = true, .items = v, .n_items = ODM_COUNT(v)};
        store_job j = lab_carrier(s, gw);

        assert_non_null(memmem(j.commands.p, j.commands.n, at, strlen(at)));
        for (size_t i = 0; i < ODM_COUNT(v); i++)
                v[i].format = ODM_STR("chr");
        lab_ends_with(s, &j, STORE_JOB_DONE, &r, 1);
}

void lab_set_state(stage *s, int64_t id, store_device_state to, const char *kind)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

        op->device_patch =
                (store_device_patch){.fields = STORE_DF_STATE, .to = {.id = id, .state = to}};
        stage_event(b, id, kind,
                    odm_arena_fmt(&s->a, "{\"from\":\"%s\"}",
                                  store_device_state_name(lab_device(s, id).state))
                            .p);
        stage_write(s, b);
        lab_run(s);
}

void lab_put_account(stage *s, int64_t id)
{
        store_batch *b = store_batch_new();

        store_batch_add(b, STORE_ACCOUNT_PUT)->account = (store_account){.device = id};
        stage_write(s, b);
}

void lab_results(stage *s, int64_t gw, int64_t task, const char *entries)
{
        lab_alert(s, gw, "urn:oma:at:oma-gwmo:resultaggregation:1.0",
                  odm_arena_fmt(&s->a, "./GwMO/Fanout/Fanout/x%lld", (long long)task).p,
                  odm_arena_fmt(&s->a,
                                "<FanoutResult TaskID=\"x%lld\" Seq=\"1\" Last=\"1\">"
                                "<Totals Total=\"1\" Ok=\"1\" Failed=\"0\" Pending=\"0\"/>%s"
                                "</FanoutResult>",
                                (long long)task, entries)
                          .p);
}

int64_t lab_task_of(const store_job *k)
{
        uint64_t v = 0;

        assert_true(odm_str_starts(k->key, "gateway/"));
        assert_int_equal(odm_str_u64(odm_str_from(k->key, 8), INT64_MAX, &v), 0);
        return (int64_t)v;
}
