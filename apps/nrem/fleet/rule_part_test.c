/* SPDX-License-Identifier: Apache-2.0 */
/* What rules do, over a store in memory and a clock of the test's. */
#include "rule_part.h"

#include "stage.h"
#include "template_part.h"

#define NOW 1795365305000ll

extern const fleet_part part_rule, part_template;
static const fleet_part *const parts[] = {&part_rule, &part_template, NULL};

static void put_row(stage *s, const store_table *table, const void *row)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ROW_ADD);

        op->row = (store_row_op){.table = table, .row = row};
        assert_int_equal(store_write_sync(s->st, b), 0);
        store_batch_free(b);
}

static void add_rule(stage *s, const char *name, int64_t again_after, const char *spec)
{
        const rule r = {.name = odm_cstr(name),
                        .enabled = true,
                        .spec = odm_cstr(spec),
                        .again_after = again_after,
                        .actor = ODM_STR("olga")};

        put_row(s, &table_rule, &r);
        stage_say(s, 0, "rule.changed", "{}");
}

static void begin(stage *s, const fleet_host *with)
{
        stage_begin(s, parts, with, NOW);
        stage_open(s);
        stage_devices(s, 2);
}

static store_device device_now(stage *s, int64_t id)
{
        store_device d;

        assert_int_equal(store_device_get(s->st, id, &s->a, &d), 0);
        return d;
}

/* A template goes by a tag; a rule gives it. */
static void a_tag_is_a_change_of_the_device(void **state)
{
        const template_row t = {.name = ODM_STR("t"),
                                .enabled = true,
                                .every = 3600,
                                .rev = 1,
                                .spec = ODM_STR("{\"devices\":{\"tags\":[\"hot\"]},\"nodes\":["
                                                "{\"uri\":\"./A\",\"data\":\"1\"}]}")};
        template_item it = {.dev = 1, .tmpl = 1};
        store_audit_list audit = {0};
        stage s;

        (void)state;
        begin(&s, NULL);
        put_row(&s, &table_template, &t);
        stage_say(&s, 0, "template.changed", "{}");
        add_rule(&s, "hot", 0, "{\"on\":\"alert\",\"do\":[{\"tag\":\"hot\"}]}");
        stage_run(&s, 9);
        assert_int_equal(store_row_get(s.st, &table_template_item, &it, &s.a, &it), ODM_ENOENT);
        stage_say(&s, 1, "alert", "{}");
        stage_run(&s, 9);
        assert_true(odm_str_is(device_now(&s, 1).tags, "hot"));
        assert_int_equal(stage_told(&s, "device.changed"), 1);
        assert_int_equal(store_row_get(s.st, &table_template_item, &it, &s.a, &it), 0);
        assert_int_equal(store_audit_find(s.st, 0, 1, 10, &s.a, &audit), 0);
        assert_int_equal(audit.n, 1);
        assert_true(odm_str_is(audit.v[0].actor, "olga"));
        assert_true(odm_str_is(audit.v[0].detail, "rule 1: tag hot"));
        stage_say(&s, 1, "alert", "{}"); /* it has it */
        stage_run(&s, 9);
        assert_int_equal(stage_told(&s, "device.changed"), 1);
        stage_end(&s);
}

static void rules_do_not_play_ball(void **state)
{
        stage s;

        (void)state;
        begin(&s, NULL);
        add_rule(&s, "on", 0, "{\"on\":\"device.changed\",\"do\":[{\"tag\":\"x\"}]}");
        add_rule(&s, "off", 0, "{\"on\":\"device.changed\",\"do\":[{\"untag\":\"x\"}]}");
        stage_run(&s, 9);
        stage_say(&s, 2, "device.changed", "{}");
        stage_run(&s, 9);
        assert_int_equal(stage_told(&s, "rule.fired"), 2);
        stage_end(&s);
}

/* Each is held against the device as the event found it, and none undoes what another did. */
static void several_rules_may_tag_at_one_event(void **state)
{
        stage s;

        (void)state;
        begin(&s, NULL);
        add_rule(&s, "hot", 0,
                 "{\"on\":\"alert\",\"do\":[{\"tag\":\"hot\"},{\"tag\":\"hotter\"}]}");
        add_rule(&s, "wet", 0, "{\"on\":\"alert\",\"do\":[{\"tag\":\"wet\"}]}");
        add_rule(&s, "if hot", 0,
                 "{\"on\":\"alert\",\"devices\":{\"tags\":[\"hot\"]},\"do\":[{\"tag\":\"was\"}]}");
        add_rule(&s, "dry", 0, "{\"on\":\"alert\",\"do\":[{\"untag\":\"hotter\"}]}");
        stage_run(&s, 9);
        stage_say(&s, 1, "alert", "{}");
        stage_run(&s, 9);
        assert_str(device_now(&s, 1).tags, "hot wet");
        assert_int_equal(stage_told(&s, "rule.fired"), 3);
        stage_say(&s, 1, "alert", "{}");
        stage_run(&s, 9);
        assert_str(device_now(&s, 1).tags, "hot wet was");
        stage_end(&s);
}

/* By the time of the events, however late they are heard, and whatever became of the clock. */
static void it_fires_again_when_its_pause_is_over(void **state)
{
        stage s;

        (void)state;
        begin(&s, NULL);
        add_rule(&s, "note", 3600, "{\"on\":\"alert\",\"do\":[{\"notify\":\"so it is\"}]}");
        stage_run(&s, 9);
        stage_say(&s, 1, "alert", "{}");
        stage_ms += 3599999;
        stage_say(&s, 1, "alert", "{}");
        stage_ms++;
        stage_say(&s, 1, "alert", "{}");
        stage_ms += 7200000;
        stage_run(&s, 9);
        assert_int_equal(stage_told(&s, "rule.notified"), 2);
        stage_ms -= 86400000;
        stage_say(&s, 1, "alert", "{}");
        stage_run(&s, 9);
        assert_int_equal(stage_told(&s, "rule.notified"), 3);
        stage_end(&s);
}

static void a_job_has_the_life_of_any(void **state)
{
        static const cfg_key keys[] = {{"jobs.ttl", CFG_DURATION, "7d", "", 0, INT64_MAX}};
        fleet_host with = {.folder = NULL};
        cfg *conf = NULL;
        store_job j;
        stage s;

        (void)state;
        assert_int_equal(cfg_new(keys, 1, &conf), 0);
        with.conf = conf;
        begin(&s, &with);
        add_rule(&s, "ask", 0,
                 "{\"on\":\"alert\",\"do\":[{\"job\":{\"commands\":[{\"cmd\":\"get\",\"uri\":\"./"
                 "A\"}]}},{\"job\":{\"ttl\":60,\"commands\":[{\"cmd\":\"get\",\"uri\":\"./A\"}]}}]"
                 "}");
        stage_say(&s, 1, "alert", "{}");
        stage_run(&s, 9);
        assert_int_equal(store_job_get(s.st, 1, &s.a, &j), 0);
        assert_int_equal(j.deadline, NOW + 7ll * 86400000);
        assert_int_equal(store_job_get(s.st, 2, &s.a, &j), 0);
        assert_int_equal(j.deadline, NOW + 60000);
        stage_end(&s);
        cfg_free(conf);
}

/* It can be told of though there is nothing left to look at; who looks at devices is not meant. */
static void that_a_device_is_gone_is_an_event(void **state)
{
        store_batch *b = store_batch_new();
        stage s;

        (void)state;
        begin(&s, NULL);
        add_rule(&s, "gone", 0, "{\"on\":\"device.removed\",\"do\":[{\"notify\":\"gone\"}]}");
        add_rule(&s, "some", 0,
                 "{\"on\":\"device.removed\",\"devices\":{\"prefix\":\"d\"},\"do\":[{\"notify\":"
                 "\"gone\"}]}");
        stage_run(&s, 9);
        store_batch_add(b, STORE_DEVICE_DELETE)->of = 1;
        stage_event(b, 1, "device.removed", "{\"device\":\"d1\"}");
        stage_write(&s, b);
        stage_run(&s, 9);
        assert_int_equal(stage_told(&s, "rule.notified"), 1);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_tag_is_a_change_of_the_device),
                cmocka_unit_test(rules_do_not_play_ball),
                cmocka_unit_test(several_rules_may_tag_at_one_event),
                cmocka_unit_test(it_fires_again_when_its_pause_is_over),
                cmocka_unit_test(a_job_has_the_life_of_any),
                cmocka_unit_test(that_a_device_is_gone_is_an_event),
        };

        return RUN_TESTS(tests);
}
