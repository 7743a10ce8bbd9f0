/* SPDX-License-Identifier: Apache-2.0 */
/* Inventories of gateways, and records of them that are read again: what gateways answer is written
 * by hand. */
#include "gateway_lab.h"

#include <string.h>

#define RENEWED "urn:oma:at:x-xrem-gw:1.0:RecordChange"

#define NAMED(key, id)                                                                      \
        "<Node><NodeName>" key "</NodeName>" LAB_LEAF("DeviceID", id) LAB_LEAF("Mode", "3") \
                LAB_LEAF("Name", "meter") "</Node>"

extern const fleet_part part_gateway;

static void who_is_not_in_the_inventory_is_detached(void **state)
{
        int64_t ids[3], gw;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 3, ids);
        stage_ms += 1000;
        lab_sync(&s, gw);
        lab_inventory(&s, gw,
                      odm_arena_fmt(&s.a, "%s%s", lab_record(&s, "d1", "urn:g:1", "1"),
                                    lab_record(&s, "d3", "urn:g:3", "2"))
                              .p);
        assert_int_equal(lab_state(&s, ids[0]), STORE_DEVICE_ACTIVE);
        assert_int_equal(lab_state(&s, ids[1]), STORE_DEVICE_DETACHED);
        assert_int_equal(lab_state(&s, ids[2]), STORE_DEVICE_ASLEEP);
        stage_end(&s);
}

/* A gateway that tells a device, a key or a name twice holds up nobody. */
static void what_is_in_it_twice_is_made_once(void **state)
{
        static const struct {
                const char *why, *key, *id;
                bool made; /* also the second one */
        } rows[] = {
                {"two keys of one device", "d3", "urn:1", false},
                {"one key of two devices", "d1", "urn:3", true},
                {"two devices with one name", "d3", "urn:3", true},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                int64_t gw, first, other;
                stage s;

                lab_begin(&s);
                ((gateways *)fleet_self(s.f, &part_gateway))->own_names = true;
                gw = lab_gateway(&s, "g");
                lab_sync(&s, gw);
                lab_inventory(&s, gw,
                              odm_arena_fmt(&s.a, NAMED("d1", "urn:1") "%s" NAMED("%s", "%s"),
                                            lab_record(&s, "d2", "urn:2", "1"), rows[i].key,
                                            rows[i].id)
                                      .p);
                first = lab_by_devid(&s, "urn:1");
                other = lab_by_devid(&s, "urn:3");
                if (!first || !lab_by_devid(&s, "urn:2") || (other > 0) != rows[i].made)
                        fail_msg("%s", rows[i].why);
                assert_str(lab_device(&s, first).name, "meter");
                assert_int_equal(stage_told(&s, "device.created"), 2 + rows[i].made);
                assert_int_equal(stage_told(&s, "gateway.inventory"), 1);
                stage_end(&s);
        }
}

/* Also while it is read, for the answer may be from before. */
static void records_that_are_new_are_read_again(void **state)
{
        int64_t ids[3], gw;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 3, ids);
        assert_int_equal(lab_device(&s, ids[1]).model.n, 0);
        for (size_t i = 0; i < 4; i++) /* no list of any */
                lab_alert(&s, gw, RENEWED, GATEWAY_RECORDS,
                          (const char *[]){"", " ", "../x", "d1/d2"}[i]);
        assert_int_equal(lab_open_jobs(&s, gw), 0);
        lab_alert(&s, gw, RENEWED, GATEWAY_RECORDS, "d2 ../x");
        lab_alert(&s, gw, RENEWED, GATEWAY_RECORDS, "d2");
        lab_looked(&s, gw, "d2", "urn:g:2");
        assert_str(lab_device(&s, ids[1]).model, "M2");
        lab_looked(&s, gw, "d2", "urn:g:2");
        assert_int_equal(lab_open_jobs(&s, gw), 0);
        assert_int_equal(lab_device(&s, ids[0]).model.n, 0);
        stage_end(&s);
}

/* Records d<from> .. of the job that looks at some; how many it asks for. */
static unsigned look_as(stage *s, int64_t gw, unsigned from, const char *state)
{
        store_value item[64];
        store_result r[64];
        store_job j = lab_carrier(s, gw);
        unsigned n = 0;

        for (; n < 64; n++) {
                const char *key = odm_arena_fmt(&s->a, "d%04u", from + n).p;
                const char *uri = odm_arena_fmt(&s->a, LAB_RECORD("%s?"), key).p;

                if (!lab_says(j.commands, uri))
                        break;
                item[n] = (store_value){
                        .uri = odm_arena_fmt(&s->a, LAB_RECORD("%s"), key),
                        .format = ODM_STR("xml"),
                        .type = ODM_STR("application/vnd.syncml.dmtnds+xml"),
                        .data = odm_arena_fmt(
                                &s->a, "<MgmtTree><VerDTD>1.2</VerDTD>%s</MgmtTree>",
                                lab_record(s, key, odm_arena_fmt(&s->a, "urn:%s", key).p, state))};
                r[n] = (store_result){
                        .index = n, .status = 200, .sent = true, .items = &item[n], .n_items = 1};
        }
        lab_ends_with(s, &j, STORE_JOB_DONE, r, n);
        return n;
}

static unsigned look_at(stage *s, int64_t gw, unsigned from)
{
        return look_as(s, gw, from, "1");
}

static void a_large_inventory_is_read_in_pieces(void **state)
{
        const unsigned all = 120;
        odm_str names = ODM_STR("d0001");
        int64_t gw, gone;
        unsigned n = 0;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &gone);
        stage_ms += 1000;
        lab_sync(&s, gw);
        lab_attach(&s, gw, "d0001", "urn:d0001");
        lab_attach(&s, gw, "d0002", "urn:d0002");
        assert_int_equal(lab_open_jobs(&s, gw), 1); /* one thing at a time */
        lab_answers(&s, gw, ODM_ST_TOO_LARGE, "", NULL);
        for (unsigned i = 2; i <= all; i++)
                names = odm_arena_fmt(&s.a, "%.*s/d%04u", (int)names.n, names.p, i);
        (void)lab_carries(&s, gw, "\"./GwMO/Inventory/Records\"");
        lab_answers(&s, gw, 200, "./GwMO/Inventory/Records", names.p);
        while (n < all) {
                unsigned more = look_at(&s, gw, n + 1);

                assert_in_range(more, 1, 50);
                assert_int_equal(lab_open_jobs(&s, gw), n + more < all);
                n += more;
        }
        assert_int_equal(n, all);
        assert_int_equal(stage_told(&s, "gateway.inventory"), 2);
        assert_str(lab_device(&s, lab_by_devid(&s, "urn:d0120")).name, "g/d0120");
        assert_int_equal(lab_state(&s, lab_by_devid(&s, "urn:d0120")), STORE_DEVICE_ACTIVE);
        assert_int_equal(lab_state(&s, gone), STORE_DEVICE_DETACHED); /* it was in none of them */
        lab_sync(&s, gw);                                             /* it is remembered */
        (void)lab_carries(&s, gw, "\"./GwMO/Inventory/Records\"");
        stage_end(&s);
}

/* What the alert said of a device is of before its record was read. */
static void a_record_says_more_than_the_alert(void **state)
{
        int64_t gw;
        stage s;

        (void)state;
        lab_begin(&s);
        (void)lab_meters(&s, "g", 1, &gw);
        gw = lab_by_devid(&s, "urn:gw:g");
        lab_attach(&s, gw, "d0002", "urn:d0002");
        assert_int_equal(look_as(&s, gw, 2, "3"), 1);
        assert_int_equal(lab_state(&s, lab_by_devid(&s, "urn:d0002")), STORE_DEVICE_UNREACHABLE);
        stage_end(&s);
}

static void a_record_without_a_state_leaves_it_as_it_is(void **state)
{
        int64_t gw, id;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_meters(&s, "g", 1, &id);
        lab_tells(&s, gw, "d1", "3");
        lab_sync(&s, gw);
        lab_inventory(&s, gw, NAMED("d1", "urn:g:1"));
        assert_int_equal(lab_state(&s, id), STORE_DEVICE_UNREACHABLE);
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
        lab_begin(&s);
        own = fleet_self(s.f, &part_gateway);
        own->room = 64 << 10;
        gw = lab_meters(&s, "g", 2, ids);
        stage_ms += 1000;
        lab_sync(&s, gw);
        memset(much, 'x', sizeof much - 1);
        much[sizeof much - 1] = '\0';
        lab_inventory(&s, gw, odm_arena_fmt(&s.a, "%s%s", much, much).p);
        assert_int_equal(gateway_find(s.st, gw, &s.a, &row), 0);
        assert_true(row.large && !row.job);
        lab_answers(&s, gw, 200, "./GwMO/Inventory/Records", "d1/d2"); /* in smaller pieces */
        (void)lab_carries(&s, gw, LAB_RECORD("d1"));
        lab_answers(&s, gw, 200, LAB_RECORD("d1"), odm_arena_fmt(&s.a, "%s%s", much, much).p);
        assert_int_equal(gateway_find(s.st, gw, &s.a, &row), 0);
        assert_true(!row.job && !row.listing);
        assert_str(row.reason, "what it answers is too large");
        assert_int_equal(lab_open_jobs(&s, gw), 0); /* nor is it asked for ever */
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(lab_state(&s, ids[i]), STORE_DEVICE_ACTIVE);
        stage_end(&s);
}

/* The place that the row has is not that of this answer: all of it is worked in. */
static void an_answer_is_worked_in_from_its_beginning(void **state)
{
        int64_t gw, job;
        gateway_row row;
        store_batch *b;
        stage s;

        (void)state;
        lab_begin(&s);
        gw = lab_gateway(&s, "g");
        lab_sync(&s, gw);
        job = lab_carrier(&s, gw).id;
        lab_inventory(&s, gw, lab_record(&s, "d1", "urn:g:1", "1"));
        assert_int_equal(gateway_find(s.st, gw, &s.a, &row), 0);
        assert_int_equal(row.job, 0);
        lab_sync(&s, gw);
        job = lab_carrier(&s, gw).id;
        lab_inventory(&s, gw,
                      odm_arena_fmt(&s.a, "%s%s", lab_record(&s, "d1", "urn:g:1", "2"),
                                    lab_record(&s, "d2", "urn:g:2", "1"))
                              .p);
        assert_true(lab_by_devid(&s, "urn:g:2") > 0);
        /* the same answer, as a server that was killed finds it: said to be done, and not done */
        assert_int_equal(gateway_find(s.st, gw, &s.a, &row), 0);
        row.work = row.whole = 1;
        row.job = job;
        row.place = 2;
        b = store_batch_new();
        store_batch_add(b, STORE_ROW_PUT)->row =
                (store_row_op){.table = &table_gateway, .row = &row};
        store_batch_add(b, STORE_DEVICE_DELETE)->of = lab_by_devid(&s, "urn:g:2");
        stage_write(&s, b);
        stage_open(&s);
        lab_run(&s);
        assert_true(lab_by_devid(&s, "urn:g:2") > 0);
        assert_int_equal(gateway_find(s.st, gw, &s.a, &row), 0);
        assert_int_equal(row.job, 0);
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_is_not_in_the_inventory_is_detached),
                cmocka_unit_test(what_is_in_it_twice_is_made_once),
                cmocka_unit_test(records_that_are_new_are_read_again),
                cmocka_unit_test(a_large_inventory_is_read_in_pieces),
                cmocka_unit_test(a_record_without_a_state_leaves_it_as_it_is),
                cmocka_unit_test(a_record_says_more_than_the_alert),
                cmocka_unit_test(an_answer_that_is_too_large_is_given_up),
                cmocka_unit_test(an_answer_is_worked_in_from_its_beginning),
        };

        return RUN_TESTS(tests);
}
