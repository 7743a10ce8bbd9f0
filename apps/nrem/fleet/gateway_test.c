/* SPDX-License-Identifier: Apache-2.0 */
/* What gateways tell, and how commands are said to them, as tables. */
#include "gateway.h"

#include <string.h>

#include "gateway_relay.h"
#include "support.h"

static void alerts_are_known_by_their_types(void **state)
{
        static const struct {
                const char *type;
                gateway_news news;
        } rows[] = {
                {"urn:oma:at:oma-gwmo:deviceattached:1.0", GATEWAY_ATTACHED},
                {"URN:OMA:AT:OMA-GWMO:DeviceAttached:1.1", GATEWAY_ATTACHED},
                {"urn:oma:at:oma-gwmo:devicedetached:1.0", GATEWAY_DETACHED},
                {"urn:oma:at:oma-gwmo:resultaggregation:1.0", GATEWAY_RESULTS},
                {"urn:oma:at:oma-gwmo:completionstatus:1.0", GATEWAY_COMPLETED},
                {"urn:oma:at:oma-gwmo:imageready:1.0", GATEWAY_IMAGE},
                {"urn:oma:at:x-xrem-gw:1.0:DeviceState", GATEWAY_STATE},
                {"urn:oma:at:x-xrem-gw:1.0:RecordChange", GATEWAY_RENEWED},
                {"urn:oma:at:x-xrem-gw:1.0:TaskRequest", GATEWAY_REQUEST},
                {"urn:oma:at:oma-gwmo:deviceattached:1.2", GATEWAY_NONE},
                {"", GATEWAY_NONE},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                if (gateway_news_of(odm_cstr(rows[i].type)) != rows[i].news)
                        fail_msg("%s", rows[i].type);
}

static void addresses_are_split_at_the_mount_point(void **state)
{
        static const struct {
                const char *why, *uri, *key, *rest;
        } rows[] = {
                {"a node of a device", "./GwDev/d0001/FUMO/main", "d0001", "/FUMO/main"},
                {"the device itself", "./GwDev/d0001", "d0001", ""},
                {"a list of it", "./GwDev/d0001?list=Struct", "d0001", "?list=Struct"},
                {"a device behind it", "./GwDev/g1/GwDev/d3/X", "g1", "/GwDev/d3/X"},
                {"all devices", "./GwDev", NULL, NULL},
                {"no key", "./GwDev//X", NULL, NULL},
                {"a key of dots", "./GwDev/../X", NULL, NULL},
                {"something else", "./GwDevice/d1", NULL, NULL},
                {"its own tree", "./DevInfo/Man", NULL, NULL},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str key, rest, in = exact_copy(rows[i].uri);
                bool found = gateway_mount_split(in, &key, &rest);

                if (found != (rows[i].key != NULL) ||
                    (found && (!odm_str_is(key, rows[i].key) || !odm_str_is(rest, rows[i].rest))))
                        fail_msg("%s", rows[i].why);
                exact_free(in);
        }
}

static void what_may_carry_local_addresses_is_known(void **state)
{
        static const struct {
                const char *why, *uri, *format;
                bool has;
        } rows[] = {
                {"a leaf of a record", "./GwMO/Inventory/Records/d1/Addr", "chr", true},
                {"all records", "./GwMO/Inventory/Records?list=TNDS", "xml", true},
                {"their names", "./GwMO/Inventory/Records/", "node", true},
                {"without its dot", "GwMO/Inventory/Records/d1/Addr", "chr", true},
                {"a document of what is above", "./GwMO", "xml", true},
                {"the names below that", "./GwMO", "node", false},
                {"a document of all", ".", "xml", true},
                {"the names at the top", ".", "node", false},
                {"a record of a device behind", "./GwDev/d1/GwMO/Inventory/Records/x", "node",
                 true},
                {"deeper", "./GwDev/d1/GwDev/d2/GwMO/Inventory/Records/x/Addr", "chr", true},
                {"a document of a device behind", "./GwDev/d1", "xml", true},
                {"of all devices behind", "./GwDev", "xml", true},
                {"a device's own node", "./GwDev/d1/DevInfo/Man", "chr", false},
                {"a name that begins alike", "./GwMO/Inventory/RecordsX", "chr", false},
                {"another of the gateway", "./GwMO/Fanout/Fanout/x1/State", "int", false},
                {"where an image is served", "./GwMO/ImageInventory/Images/i1/LocalURL", "chr",
                 true},
                {"a document of an image", "./GwMO/ImageInventory/Images/i1", "xml", true},
                {"of all images", "./GwMO/ImageInventory", "xml", true},
                {"their names", "./GwMO/ImageInventory/Images", "node", false},
                {"what else is known of one", "./GwMO/ImageInventory/Images/i1/State", "int",
                 false},
                {"any", "./DevInfo/Man", "chr", false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = exact_copy(rows[i].uri);

                if (gateway_has_addresses(in, odm_cstr(rows[i].format)) != rows[i].has)
                        fail_msg("%s", rows[i].why);
                exact_free(in);
        }
}

static void alerts_of_images_name_no_place(void **state)
{
        static const struct {
                const char *said, *want;
        } rows[] = {
                {"<ImageReady><LocalURL>http://10.0.0.1/i coap://10.0.0.1/i</LocalURL>"
                 "<Result>200</Result></ImageReady>",
                 "<ImageReady><LocalURL></LocalURL><Result>200</Result></ImageReady>"},
                {"<ImageReady><LocalURL>x", "<ImageReady><LocalURL>x"},
                {"<ImageReady/>", "<ImageReady/>"},
                {"", ""},
        };
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 65536);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str in = exact_copy(rows[i].said), out = gateway_without_places(in, &a);

                if (!odm_str_is(out, rows[i].want))
                        fail_msg("%s", rows[i].said);
                exact_free(in);
        }
        odm_arena_done(&a);
}

static void addresses_are_joined(void **state)
{
        static const struct {
                const char *uri, *joined;
        } rows[] = {
                {"./DevInfo/Man", "./GwDev/d1/DevInfo/Man"},
                {".", "./GwDev/d1"},
                {".?list=Struct", "./GwDev/d1?list=Struct"},
                {"DevInfo", NULL},
                {"", NULL},
        };
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 65536);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str s = gateway_mount_join(ODM_STR("d1"), odm_cstr(rows[i].uri), &a);

                if (rows[i].joined ? !odm_str_is(s, rows[i].joined) : s.p != NULL)
                        fail_msg("%s", rows[i].uri);
        }
        odm_arena_done(&a);
}

static void documents_are_read_or_refused(void **state)
{
        static const struct {
                const char *why;
                gateway_news news;
                const char *xml;
                int rc;
                const char *id;
                int64_t number;
        } rows[] = {
                {"an attach", GATEWAY_ATTACHED,
                 "<DeviceAttach><DeviceID> urn:1 </DeviceID><Mode>2</Mode></DeviceAttach>", 0,
                 "urn:1", 2},
                {"an attach that says no mode", GATEWAY_ATTACHED,
                 "<DeviceAttach><DeviceID>urn:1</DeviceID></DeviceAttach>", 0, "urn:1", -1},
                {"a detach", GATEWAY_DETACHED,
                 "<DeviceDetach><DeviceID>urn:1</DeviceID><Reason>2</Reason></DeviceDetach>", 0,
                 "urn:1", -1},
                {"no device", GATEWAY_ATTACHED, "<DeviceAttach/>", ODM_EMALFORMED, NULL, 0},
                {"another document", GATEWAY_ATTACHED,
                 "<DeviceDetach><DeviceID>urn:1</DeviceID></DeviceDetach>", ODM_EMALFORMED, NULL,
                 0},
                {"cut", GATEWAY_ATTACHED, "<DeviceAttach><DeviceID>urn:1", ODM_EMALFORMED, NULL, 0},
                {"nothing", GATEWAY_ATTACHED, "", ODM_EMALFORMED, NULL, 0},
                {"a request", GATEWAY_REQUEST, "<TaskRequest><Kind>resync</Kind></TaskRequest>", 0,
                 "", -1},
                {"a request of nothing", GATEWAY_REQUEST, "<TaskRequest/>", ODM_EMALFORMED, NULL,
                 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                gateway_word w = {.mode = 99};
                odm_arena a;
                int rc;

                odm_arena_init(&a, &heap, 65536);
                rc = gateway_word_read(rows[i].news, odm_cstr(rows[i].xml), &a, &w);
                if (rc != rows[i].rc ||
                    (rc == 0 && (!odm_str_is(w.id, rows[i].id) || w.mode != rows[i].number)) ||
                    (rc < 0 && w.mode != 99))
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
                odm_arena_done(&a);
        }
}

static void images_tell_how_it_went(void **state)
{
        (void)state;
        assert_int_equal(gateway_image_result(ODM_STR("<ImageReady><ImageID>x</ImageID><Result>"
                                                      "200</Result></ImageReady>")),
                         200);
        assert_int_equal(gateway_image_result(ODM_STR("<ImageReady><Result> 410</Result>")), 410);
        assert_int_equal(gateway_image_result(ODM_STR("<ImageReady></ImageReady>")), 0);
        assert_int_equal(gateway_image_result(ODM_STR("<Result>200</Result>")), 0);
        assert_int_equal(gateway_image_result(ODM_STR("")), 0);
        assert_str(gateway_image_id(ODM_STR("<ImageReady><ImageID>x</ImageID></ImageReady>")), "x");
        assert_null(gateway_image_id(ODM_STR("<ImageReady><ImageID>x&amp;</ImageID>")).p);
        assert_null(gateway_image_id(ODM_STR("<ImageReady><ImageID>x")).p);
        assert_null(gateway_image_id(ODM_STR("<ImageID>x</ImageID>")).p);
}

static void records_are_read_from_lists_too(void **state)
{
#define ITEM(path, value)                                                                   \
        {                                                                                   \
                .uri = ODM_STR("./GwMO/Inventory/Records/" path), .format = ODM_STR("chr"), \
                .data = ODM_STR(value)                                                      \
        }
        const store_value v[] = {
                ITEM("d1/DeviceID", "urn:1"), ITEM("d1/Mode", "3"),
                ITEM("d1/State", "2"),        ITEM("d1/Name", "meter/1"),
                ITEM("d2/DeviceID", "u"),     ITEM("d3/Mode", "2"),
                ITEM("d4/DeviceID", "urn:4"), ITEM("d4/Mode", "2"),
                ITEM("d5/DeviceID", "urn:5"), ITEM("d5/Mode", "2"),
        };
        gateway_record *r;
        size_t n, refused;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 65536);
        assert_int_equal(gateway_records_read(v, ODM_COUNT(v), 4, &a, &r, &n, &refused), 0);
        assert_int_equal(n, 2); /* d2 and d3 say too little, d5 is one too many */
        assert_int_equal(refused, 3);
        assert_true(odm_str_is(r[0].key, "d1") && odm_str_is(r[0].name, "meter/1"));
        assert_int_equal(r[0].state, GATEWAY_ASLEEP);
        assert_true(odm_str_is(gateway_name_of(ODM_STR("gw"), &r[0], true, &a), "meter/1"));
        assert_true(odm_str_is(gateway_name_of(ODM_STR("gw"), &r[0], false, &a), "gw/d1"));
        assert_true(odm_str_is(gateway_name_of(ODM_STR("gw"), &r[1], true, &a), "gw/d4"));
        odm_arena_done(&a);
}

/* ---- commands ------------------------------------------------------------------------------ */

#define GET "{\"cmd\":\"get\",\"uri\":\"./A\"}"
#define SET "{\"cmd\":\"replace\",\"uri\":\"./A\",\"data\":\"1\"}"
#define RUN "{\"cmd\":\"exec\",\"uri\":\"./A\",\"correlator\":\"c\"}"
#define ASK "{\"cmd\":\"alert\",\"code\":1100,\"items\":[\"hello\"]}"

static void the_way_follows_from_commands_and_device(void **state)
{
        static const struct {
                const char *why, *commands;
                gateway_way way;
                int form;
        } rows[] = {
                {"a read", "[" GET "]", {.tasks = true}, GATEWAY_DIRECT},
                {"a read of a sleeper, which the gateway may know",
                 "[" GET "]",
                 {.tasks = true, .asleep = true},
                 GATEWAY_DIRECT},
                {"a read of a sleeper for which the device alone will do",
                 "[" GET "]",
                 {.tasks = true, .asleep = true, .fresh = true},
                 GATEWAY_FANOUT},
                {"such a read of who is awake",
                 "[" GET "]",
                 {.tasks = true, .sleeps = true, .fresh = true},
                 GATEWAY_DIRECT},
                {"an order for who is awake", "[" SET "," RUN "]", {.tasks = true}, GATEWAY_DIRECT},
                {"one order for who sleeps now and then",
                 "[" RUN "]",
                 {.tasks = true, .sleeps = true},
                 GATEWAY_DIRECT},
                {"several of them, in order",
                 "[" SET "," RUN "]",
                 {.tasks = true, .sleeps = true},
                 GATEWAY_FANOUT},
                {"an order for who is asleep",
                 "[" SET "]",
                 {.tasks = true, .asleep = true},
                 GATEWAY_FANOUT},
                {"the same where there are no tasks",
                 "[" SET "]",
                 {.asleep = true},
                 GATEWAY_DIRECT},
                {"a question for its user", "[" ASK "]", {.tasks = true}, -1},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const char *why = NULL;
                job_commands all;
                odm_arena a;

                odm_arena_init(&a, &heap, 1 << 20);
                assert_int_equal(job_decode(odm_cstr(rows[i].commands), false, &a, &all), 0);
                if (gateway_form_of(&all, &rows[i].way, &why) != rows[i].form ||
                    (rows[i].form < 0) != (why != NULL))
                        fail_msg("%s", rows[i].why);
                odm_arena_done(&a);
        }
}

static void every_address_goes_below_the_mount_point(void **state)
{
        json_t *list =
                json_loads("[{\"cmd\":\"copy\",\"uri\":\"./A\",\"source\":\"./B\"},"
                           "{\"cmd\":\"sequence\",\"commands\":[{\"cmd\":\"get\",\"uri\":\".\"}]}]",
                           0, NULL);
        json_t *bad = json_loads("[{\"cmd\":\"get\",\"uri\":\"A\"}]", 0, NULL), *to;
        char *text;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 65536);
        to = gateway_commands(list, ODM_STR("d1"), &a);
        text = json_dumps(to, JSON_COMPACT);
        assert_string_equal(
                text,
                "[{\"cmd\":\"copy\",\"uri\":\"./GwDev/d1/A\",\"source\":\"./GwDev/d1/B\"},"
                "{\"cmd\":\"sequence\",\"commands\":[{\"cmd\":\"get\",\"uri\":\"./GwDev/d1\"}]}]");
        assert_null(gateway_commands(bad, ODM_STR("d1"), &a));
        free(text);
        json_decref(to);
        json_decref(list);
        json_decref(bad);
        odm_arena_done(&a);
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LINK "http://server:8080/packages/7/" HASH "/fw.bin"

static void a_link_becomes_the_gateways_own(void **state)
{
        static const char commands[] =
                "[{\"cmd\":\"replace\",\"uri\":\"./FUMO/main/DownloadAndUpdate/"
                "PkgURL\",\"data\":\"" LINK "\"},{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/"
                "DownloadAndUpdate\",\"correlator\":\"c\"}]";
        json_t *list = json_loads(commands, 0, NULL);
        const bool skip[] = {true, false};
        package_path path;
        job_commands all;
        odm_str link, body;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 1 << 20);
        assert_true(gateway_link_find(list, &link, &path));
        assert_true(odm_str_is(link, LINK));
        assert_int_equal(path.id, 7);
        assert_int_equal(job_decode(odm_cstr(commands), false, &a, &all), 0);
        assert_int_equal(gateway_body(&all, NULL, link, ODM_STR(HASH), &a, &body), 0);
        assert_non_null(strstr(body.p, "<Data>{LocalURL:" HASH "}</Data>"));
        assert_non_null(strstr(body.p, "<Exec><CmdID>2</CmdID>"));
        assert_null(strstr(body.p, "Correlator"));
        assert_true(odm_str_starts(body, "<SyncBody>"));
        assert_string_equal(body.p + body.n - 11, "</SyncBody>");
        /* what has an answer is left out, and the others keep their numbers */
        assert_int_equal(job_decode(odm_cstr(commands), false, &a, &all), 0);
        assert_int_equal(gateway_body(&all, skip, ODM_ABSENT, ODM_ABSENT, &a, &body), 0);
        assert_null(strstr(body.p, "Replace"));
        assert_non_null(strstr(body.p, "<CmdID>2</CmdID>"));
        json_decref(list);
        odm_arena_done(&a);
}

/* What a job hides of its commands, the gateway's job hides as well. */
static void secrets_stay_hidden_in_tasks(void **state)
{
        static const struct {
                const char *why, *commands;
                bool want;
        } rows[] = {
                {"a value", "[{\"cmd\":\"replace\",\"uri\":\"./Ext/A\",\"data\":\"1\"}]", false},
                {"marked",
                 "[{\"cmd\":\"get\",\"uri\":\"./A\"},{\"cmd\":\"replace\",\"uri\":\"./Ext/"
                 "A\",\"data\":\"1\",\"secret\":true}]",
                 true},
                {"by its name, in an Atomic",
                 "[{\"cmd\":\"atomic\",\"commands\":[{\"cmd\":\"replace\",\"uri\":\"./DMAcc/a/"
                 "AppAuth/1/AAuthSecret\",\"data\":\"1\"}]}]",
                 true},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                json_t *in = json_loads(rows[i].commands, 0, NULL), *out, *leaf;
                gateway_order o = {.id = 7, .body = ODM_STR("<SyncBody/>")};
                size_t k, found = 0;

                o.secret = gateway_has_secret(in);
                out = gateway_task_make(&o);
                assert_non_null(out);
                json_array_foreach(json_object_get(json_array_get(out, 0), "commands"), k, leaf)
                {
                        const char *uri = json_string_value(json_object_get(leaf, "uri"));
                        bool cmds = strstr(uri, "/Cmds") != NULL;

                        found += cmds;
                        if (json_is_true(json_object_get(leaf, "secret")) != (cmds && rows[i].want))
                                fail_msg("%s: %s", rows[i].why, uri);
                }
                assert_int_equal(found, 1);
                json_decref(in);
                json_decref(out);
        }
}

static void tasks_have_numbers(void **state)
{
        (void)state;
        assert_int_equal(gateway_task_number(ODM_STR("./GwMO/Fanout/Fanout/x17")), 17);
        assert_int_equal(gateway_task_number(ODM_STR("./GwMO/Fanout/Fanout/x17/Operations")), 17);
        assert_int_equal(gateway_task_number(ODM_STR("x3")), 3);
        assert_int_equal(gateway_task_number(ODM_STR("./GwMO/Fanout/Fanout/night")), 0);
        assert_int_equal(gateway_task_number(ODM_STR("")), 0);
}

static void results_of_execs_are_told_in_their_objects_words(void **state)
{
        (void)state;
        assert_true(odm_str_is(gateway_alert_of(ODM_STR("./FUMO/main/DownloadAndUpdate")),
                               "org.openmobilealliance.dm.firmwareupdate.downloadandupdate"));
        assert_true(odm_str_is(gateway_alert_of(ODM_STR("./FUMO/main/Update")),
                               "org.openmobilealliance.dm.firmwareupdate.update"));
        assert_null(gateway_alert_of(ODM_STR("./Reboot/Now")).p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(alerts_are_known_by_their_types),
                cmocka_unit_test(addresses_are_split_at_the_mount_point),
                cmocka_unit_test(what_may_carry_local_addresses_is_known),
                cmocka_unit_test(alerts_of_images_name_no_place),
                cmocka_unit_test(addresses_are_joined),
                cmocka_unit_test(documents_are_read_or_refused),
                cmocka_unit_test(images_tell_how_it_went),
                cmocka_unit_test(records_are_read_from_lists_too),
                cmocka_unit_test(the_way_follows_from_commands_and_device),
                cmocka_unit_test(every_address_goes_below_the_mount_point),
                cmocka_unit_test(a_link_becomes_the_gateways_own),
                cmocka_unit_test(secrets_stay_hidden_in_tasks),
                cmocka_unit_test(tasks_have_numbers),
                cmocka_unit_test(results_of_execs_are_told_in_their_objects_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
