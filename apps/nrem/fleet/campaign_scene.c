/* SPDX-License-Identifier: Apache-2.0 */
#include "campaign_scene.h"

#include <stdio.h>

#include "campaign_row.h"
#include "gateway_row.h"
#include "job_event.h"
#include "package.h"

#define FUMO "alert org.openmobilealliance.dm.firmwareupdate.downloadandupdate"

extern const fleet_part part_campaign;
static const store_table *const other_tables[] = {&table_package, &table_gateway_relay, NULL};
static const fleet_part part_others = {.name = "others", .tables = other_tables};
static const fleet_part *const parts[] = {&part_campaign, &part_others, NULL};

static const struct {
        const char *name;
        unsigned share;
        campaign_item_state state;
        campaign_class class;
        unsigned orders;
} all[] = {
#define X(id, share, state, class, orders) {#id, share, ITEM_##state, CLASS_##class, orders},
        BEHAVIOURS(X)
#undef X
};

/* ---- devices ---------------------------------------------------------------------------------- */

static void add_act(scene *s, int64_t at, int64_t dev, int64_t job, unsigned step)
{
        if (s->n_acts == s->cap) {
                s->cap = s->cap ? 2 * s->cap : 64;
                s->acts = realloc(s->acts, s->cap * sizeof *s->acts);
                assert_non_null(s->acts);
        }
        at += MINUTE - at % MINUTE; /* many at one time: fewer rounds */
        s->acts[s->n_acts++] = (act){at, dev, job, step};
}

/* A job is durable: the device calls after a while, or never. */
static void on_job(void *ctx, int64_t dev, int64_t job)
{
        scene *s = ctx;

        if (s->dev[dev].is != DEV_DEAF)
                add_act(s, stage_ms + (int64_t)(seeded_next(&s->rng) % (5 * MINUTE)), dev, job, 0);
}

void scene_write(scene *s, store_batch *b)
{
        int rc;

        do /* faults are for the part: a device tries until it is heard */
                rc = store_write_sync(s->on.st, b);
        while (rc == ODM_EIO);
        assert_int_equal(rc, 0);
        store_batch_free(b);
}

static void flush(scene *s)
{
        if (s->said)
                scene_write(s, s->said);
        s->said = NULL;
}

static behaviour pick(scene *s)
{
        unsigned x = (unsigned)(seeded_next(&s->rng) % 100);

        for (unsigned i = 0; i < ODM_COUNT(all); i++) {
                if (x < all[i].share)
                        return (behaviour)i;
                x -= all[i].share;
        }
        return DEV_OK;
}

void scene_devices(scene *s, unsigned n, int as)
{
        for (unsigned i = 1; i <= n;) {
                store_batch *b = store_batch_new();

                for (unsigned k = 0; k < 1000 && i <= n; k++, i++) {
                        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);
                        behaviour is = as >= 0 ? (behaviour)as : pick(s);

                        s->dev[s->n + i].is = is;
                        op->device = (store_device){
                                .name = odm_arena_fmt(store_batch_arena(b), "d/%06u", s->n + i),
                                .state = is == DEV_OFF ? STORE_DEVICE_DEACTIVATED
                                                       : STORE_DEVICE_ACTIVE,
                                .model = ODM_STR("M1"),
                                .created = stage_ms,
                                .tags = ODM_STR("site:Bern tz:+01:00"),
                                .fwv = is == DEV_NEW ? ODM_STR("2.0") : ODM_STR("1.0")};
                }
                scene_write(s, b);
        }
        s->n += n;
}

void scene_begin(scene *s, unsigned room, uint64_t seed)
{
        const fleet_host with = {.job_created = on_job, .url = "http://server", .ctx = s};

        *s = (scene){.dev = calloc(room + 1, sizeof *s->dev)};
        (void)seeded_rng(&s->rng, seed);
        stage_begin(&s->on, parts, &with, (int64_t)1795392000000); /* a Monday, 00:00 UTC */
        stage_open(&s->on);
}

void scene_end(scene *s)
{
        stage_end(&s->on);
        free(s->dev);
        free(s->acts);
}

/* ---- a device's session ------------------------------------------------------------------------- */

static bool job_of(scene *s, int64_t job, store_job *j)
{
        return store_job_get(s->on.st, job, &s->on.a, j) == 0;
}

/* What devices say goes into one batch, as sessions side by side are written together. */
static store_op *say(scene *s, store_op_kind kind)
{
        if (s->said && s->said->n > 2000)
                flush(s);
        if (!s->said)
                s->said = store_batch_new();
        return store_batch_add(s->said, kind);
}

static void move(scene *s, const store_job *j, store_job_state to, const char *reason)
{
        store_op *op = say(s, STORE_JOB_MOVE);
        store_job copy = *j;

        copy.key = odm_arena_copy(store_batch_arena(s->said), j->key);
        op->job_move = (store_job_move){.device = j->device,
                                        .job = j->id,
                                        .from = STORE_JOB_OPEN,
                                        .expect_attempts = -1,
                                        .to = to,
                                        .attempt = to == STORE_JOB_IN_SESSION,
                                        .reason = odm_cstr(reason),
                                        .at = stage_ms};
        if (to >= STORE_JOB_DONE)
                assert_int_equal(job_event_add(s->said, &copy, to, reason, stage_ms), 0);
}

static void answer(scene *s, const store_job *j, uint32_t status, const char *text, const char *got)
{
        store_op *op = say(s, STORE_RESULT_PUT);
        store_value *v = odm_new(store_batch_arena(s->said), store_value);

        *v = (store_value){.uri = ODM_STR("./DevDetail/FwV"), .data = odm_cstr(got)};
        op->result.device = j->device;
        op->result.job = j->id;
        op->result.r = (store_result){.index = got ? 0 : 3,
                                      .status = status,
                                      .sent = true,
                                      .text = odm_cstr(text),
                                      .at = stage_ms,
                                      .items = got ? v : NULL,
                                      .n_items = got ? 1 : 0};
}

static void go_wrong(scene *s, const store_job *j, uint32_t status, const char *text)
{
        answer(s, j, status, text, NULL);
        move(s, j, STORE_JOB_FAILED, "Exec ./FUMO/main/DownloadAndUpdate: it failed");
}

/* What the server learns of it by the way. */
static void lift(scene *s, int64_t dev, const char *version)
{
        store_op *op = say(s, STORE_DEVICE_PATCH);

        op->device_patch.fields = STORE_DF_FWV;
        op->device_patch.to.id = dev;
        op->device_patch.to.fwv = odm_cstr(version);
}

static bool is_question(const store_job *j)
{
        return j->key.n > 6 && odm_str_is(odm_str_from(j->key, j->key.n - 6), "/check");
}

/* What it runs now is asked. */
static void be_asked(scene *s, store_job *j, device *d)
{
        if (d->is == DEV_DEAD)
                return;
        move(s, j, STORE_JOB_IN_SESSION, "");
        answer(s, j, 200, "", d->fresh ? "2.0" : "1.0");
        lift(s, j->device, d->fresh ? "2.0" : "1.0");
        move(s, j, STORE_JOB_DONE, "");
}

/* The order arrives. */
static void be_ordered(scene *s, store_job *j, device *d)
{
        int64_t later = stage_ms + MINUTE + (int64_t)(seeded_next(&s->rng) % (5 * MINUTE));

        move(s, j, STORE_JOB_IN_SESSION, "");
        d->orders++;
        if (d->is == DEV_BUSY && d->orders == 1)
                go_wrong(s, j, 405, "");
        else if (d->is == DEV_BROKEN && d->orders == 1)
                move(s, j, STORE_JOB_FAILED, "every session that tried it was lost");
        else {
                move(s, j, STORE_JOB_WAITING, "");
                add_act(s, later, j->device, j->id, 1);
        }
}

/* Its update has ended, one way or the other. */
static void be_updated(scene *s, const store_job *j, device *d)
{
        switch (d->is) {
        case DEV_CORRUPT: go_wrong(s, j, 402, FUMO); return;
        case DEV_BAD: go_wrong(s, j, 410, FUMO); return;
        case DEV_CUT_OFF: go_wrong(s, j, 503, FUMO); return;
        case DEV_FLAKY:
                if (d->orders == 1) {
                        go_wrong(s, j, 503, FUMO);
                        return;
                }
                break;
        case DEV_REBORN: d->fresh = true; return;
        case DEV_HALF:
        case DEV_DEAD: return;
        default: break;
        }
        d->fresh = d->is != DEV_LIAR;
        answer(s, j, 200, FUMO, NULL);
        move(s, j, STORE_JOB_DONE, "");
}

static void play(scene *s, const act *a)
{
        device *d = &s->dev[a->device];
        store_job j;

        if (!job_of(s, a->job, &j) || j.state >= STORE_JOB_DONE)
                return; /* taken back */
        if (is_question(&j)) {
                d->questions++;
                be_asked(s, &j, d);
        } else if (a->step == 0) {
                be_ordered(s, &j, d);
        } else {
                be_updated(s, &j, d);
        }
        odm_arena_reset(&s->on.a);
}

/* All that devices do by now. */
static void play_all(scene *s)
{
        for (size_t i = 0; i < s->n_acts;) {
                act a = s->acts[i];

                if (a.at > stage_ms) {
                        i++;
                        continue;
                }
                s->acts[i] = s->acts[--s->n_acts];
                play(s, &a);
        }
        flush(s);
}

static int64_t next_act(const scene *s)
{
        int64_t at = INT64_MAX;

        for (size_t i = 0; i < s->n_acts; i++)
                if (s->acts[i].at < at)
                        at = s->acts[i].at;
        return at;
}

/* ---- campaigns ----------------------------------------------------------------------------------- */

int64_t scene_create(scene *s, const campaign *with, const char *target, const char *plan)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ROW_ADD);
        campaign row = *with;
        json_t *in = json_loads(plan, 0, NULL), *out;
        campaign_plan p;
        problem pr;
        char *text;
        int64_t id;

        problem_init(&pr);
        assert_true(campaign_plan_read(in, "", &pr, &p));
        out = campaign_plan_json(&p);
        text = json_dumps(out, 0);
        row.name = ODM_STR("new firmware");
        row.actor = ODM_STR("me");
        row.rev = 1;
        row.target = odm_cstr(target);
        row.plan = odm_cstr(text);
        row.verify = ODM_STR("./DevDetail/FwV");
        row.expect = ODM_STR("${version}");
        campaign_begin(&row, stage_ms);
        op->row = (store_row_op){.table = &table_campaign, .row = &row};
        assert_int_equal(store_write_sync(s->on.st, b), 0);
        id = op->id;
        store_batch_free(b);
        free(text);
        json_decref(in);
        json_decref(out);
        return id;
}

/* Lives as long as the arena of the stage, until the next call. */
campaign scene_row(scene *s, int64_t id)
{
        const campaign key = {.id = id};
        campaign row = {.id = 0};

        odm_arena_reset(&s->on.a);
        if (store_row_get(s->on.st, &table_campaign, &key, &s->on.a, &row) < 0)
                row.id = 0;
        return row;
}

campaign_item scene_item(scene *s, int64_t id, int64_t dev)
{
        const campaign_item key = {.dev = dev, .campaign = id};
        campaign_item it = {.dev = 0};

        odm_arena_reset(&s->on.a);
        if (store_row_get(s->on.st, &table_campaign_item, &key, &s->on.a, &it) < 0)
                it.dev = 0;
        return it;
}

const char *scene_order(scene *s, int64_t id, campaign_action a)
{
        campaign row = scene_row(s, id);
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ROW_PATCH);
        campaign_state to;
        const char *no = campaign_may((campaign_state)row.state, a, false, false, &to);

        if (!no) {
                op->row = (store_row_op){.table = &table_campaign, .row = &row};
                op->row.fields =
                        campaign_act(&row, a, to, ODM_STR("me"), stage_ms, store_batch_arena(b));
                stage_event(b, 0, "campaign.resumed", "{}");
                assert_int_equal(store_write_sync(s->on.st, b), 0);
        }
        store_batch_free(b);
        return no;
}

/* Runs until the campaign has nothing to do any more, or the time comes.  `chaos`: the server is
 * killed now and then, and its disk fails. */
void scene_run(scene *s, int64_t id, int64_t until, bool chaos)
{
        unsigned quiet = 0;

        for (unsigned round = 0; round < 200000; round++) {
                int64_t next = stage_ms, at;
                int rc;

                if (chaos && seeded_next(&s->rng) % 7 == 0)
                        store_fault_set(
                                &s->on.fault,
                                (store_fault){.fail_commit = store_fault_get(&s->on.fault).commits +
                                                             1 + seeded_next(&s->rng) % 20});
                rc = fleet_run(s->on.f, 2000, &next);
                if (chaos && (rc == ODM_EIO || seeded_next(&s->rng) % 5 == 0)) {
                        stage_open(&s->on); /* killed, and started again */
                }
                if (rc == ODM_EIO) {
                        stage_ms += 6 * SECOND;
                        continue;
                }
                assert_int_equal(rc, 0);
                play_all(s);
                at = next_act(s);
                if (at > next)
                        at = next;
                if (at >= until)
                        break;
                if (scene_row(s, id).work == 0 && ++quiet > 3)
                        break;
                if (at > stage_ms)
                        stage_ms = at;
        }
        store_fault_set(&s->on.fault, (store_fault){0});
        if (until < INT64_MAX && stage_ms < until && scene_row(s, id).work)
                stage_ms = until;
}

static const campaign to_2 = {.version = {"2.0", 3}, .url = {"http://dl/2.0", 13}};

int64_t scene_campaign(scene *s, const char *plan)
{
        return scene_create(s, &to_2, "{}", plan);
}

int64_t scene_campaign_of(scene *s, const char *target, const char *plan)
{
        return scene_create(s, &to_2, target, plan);
}

void scene_pass(scene *s, int64_t id, int64_t ms)
{
        scene_run(s, id, stage_ms + ms, false);
}

void scene_finish(scene *s, int64_t id)
{
        scene_run(s, id, INT64_MAX, false);
}

void scene_stands(scene *s, int64_t id, const char *want)
{
        campaign c = scene_row(s, id);
        char text[256];
        const char *between = ":";
        size_t n = (size_t)snprintf(text, sizeof text, "%s", campaign_states[c.state]);

        for (unsigned i = 0; i < ITEM_STATES; i++) {
                long long tally = *campaign_tally(&c, (campaign_item_state)i);

                if (tally == 0)
                        continue;
                n += (size_t)snprintf(text + n, sizeof text - n, "%s %lld %s", between, tally,
                                      campaign_item_states[i]);
                between = ",";
        }
        assert_string_equal(text, want);
}

/* Every item is where its device's behaviour leads, and the tallies are what the items are. */
void scene_check_ends(scene *s, int64_t id)
{
        int64_t seen[ITEM_STATES] = {0};
        campaign c;

        for (unsigned i = 1; i <= s->n; i++) {
                campaign_item it = scene_item(s, id, i);
                const device *d = &s->dev[i];

                if (it.dev != i)
                        fail_msg("device %u is not in it", i);
                if (it.state != all[d->is].state || it.class != all[d->is].class ||
                    d->orders != (d->is == DEV_DEAF ? 0 : all[d->is].orders))
                        fail_msg("%s (device %u) is %s %s, ordered %u times: %.*s", all[d->is].name,
                                 i, campaign_item_states[it.state], campaign_classes[it.class],
                                 d->orders, (int)it.reason.n, it.reason.p);
                assert_true(it.class == CLASS_NONE || it.reason.n > 0);
                assert_true(campaign_item_ended((campaign_item_state)it.state) && it.ended);
                seen[it.state]++;
        }
        c = scene_row(s, id);
        assert_int_equal(c.state, CAMPAIGN_DONE);
        for (unsigned i = 0; i < ITEM_STATES; i++)
                assert_int_equal(*campaign_tally(&c, (campaign_item_state)i), seen[i]);
}
