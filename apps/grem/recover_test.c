/* SPDX-License-Identifier: Apache-2.0 */
/* recover_test.c - devices in memory that are not what the server says: put into quarantine, healed
 * from the configuration or the image that is stored here, and let go; or not. */
#include "recover.h"

#include <stdio.h>
#include <unistd.h>

#include "heap.h"
#include "images_inner.h"
#include "part/fm.h"
#include "support.h"
#include "yard.h"

#define CONFIG "./GwMO/Config/"
#define RULE CONFIG "Ext/Validation/v1"
#define LEVEL(data)                                                                     \
        "<SyncBody><Replace><CmdID>1</CmdID><Item><Target><LocURI>./Ext/Level</LocURI>" \
        "</Target><Data>" data "</Data></Item></Replace></SyncBody>"
#define STATE_ALERT "urn:oma:at:x-xrem-gw:1.0:DeviceState"
#define DONE "org.openmobilealliance.dm.firmwareupdate.downloadandupdate"
#define LIMIT_MS 10000

static const part_class *const classes[] = {&part_gwconfig,  &part_gwinventory, &part_gwmount,
                                            &part_gwrecover, &part_diagmon,     NULL};

static int setup(void **arg)
{
        static const char *const settings[] = {"gateway.validate_every=100ms",
                                               "gateway.heal_tries=1", NULL};

        (void)arg;
        return yard_set_up(classes, settings);
}

static void add(const char *uri, const char *data, odm_format format)
{
        unsigned status = yard_do(NULL, ODM_CMD_ADD, uri, data, format);

        if (status != 200)
                fail_msg("Add %s: %u", uri, status);
}

static void store_config(void)
{
        add(CONFIG "ConfigData/c1", NULL, ODM_FMT_NODE);
        add(CONFIG "ConfigData/c1/ID", "c1", ODM_FMT_CHR);
        add(CONFIG "ConfigData/c1/Match", "man=Fake", ODM_FMT_CHR);
        add(CONFIG "ConfigData/c1/Data", LEVEL("5"), ODM_FMT_XML);
        add(CONFIG "ConfigData/c1/AutoApply", "true", ODM_FMT_BOOL);
}

static void make_rule(const char *leaf, const char *data, odm_format format)
{
        char uri[96];

        add(RULE, NULL, ODM_FMT_NODE);
        add(RULE "/Match", "man=Fake", ODM_FMT_CHR);
        snprintf(uri, sizeof uri, RULE "/%s", leaf);
        add(uri, data, format);
}

/* What a test waits for. */
static gw_device *watched;
static char exec[] = "exec d0001 ./FUMO/main/DownloadAndUpdate";
static bool is_out(void *ctx)
{
        (void)ctx;
        return gw_is_quarantined(watched);
}

static bool is_back(void *ctx)
{
        (void)ctx;
        return watched->state == GW_ACTIVE;
}

static bool has_alarm(void *ctx)
{
        (void)ctx;
        return fm_stands(gw_part_host(yard.g), "device-quarantined", ODM_STR("./GwDev/d0001"));
}

static bool has_none(void *ctx)
{
        return !has_alarm(ctx);
}

static bool was_ordered(void *ctx)
{
        return strstr(fake_log(yard.fake), ctx) != NULL;
}

static fake_device *attach(void)
{
        fake_device *f;

        yard_settle();
        f = fake_new(yard.fake, "urn:imei:1");
        fake_set(f, "./Ext/Level", "5", ODM_FMT_INT);
        watched = fake_attach(f);
        assert_non_null(watched);
        fake_key(f, watched->key);
        return f;
}

static void one_that_was_changed_is_configured_again(void **arg)
{
        fake_device *f;

        (void)arg;
        store_config();
        make_rule("Config", "true", ODM_FMT_BOOL);
        f = attach();
        (void)yard_turn(300, is_out, NULL);
        assert_int_equal(watched->state, GW_ACTIVE); /* as it should be: left alone */
        assert_int_equal(yard_alerts(STATE_ALERT), 0);
        fake_delay(f, 20);
        fake_set(f, "./Ext/Level", "9", ODM_FMT_INT);
        assert_true(yard_turn(LIMIT_MS, is_out, NULL));
        assert_int_equal(yard_get("./GwDev/d0001/DevDetail/FwV"), 403);
        assert_true(yard_turn(LIMIT_MS, is_back, NULL));
        assert_string_equal(fake_value(f, "./Ext/Level"), "5");
        assert_int_equal(yard_get("./GwDev/d0001/DevDetail/FwV"), 200);
        yard_settle();
        assert_int_equal(yard_alerts(STATE_ALERT),
                         1); /* the later one takes the place of the first */
}

#define REQUEST "urn:oma:at:x-xrem-gw:1.0:TaskRequest"
#define UPDATE "<Kind>update</Kind>"

static unsigned asked(void)
{
        unsigned n = 0;

        (void)yard_alerts(REQUEST);
        for (const char *at = yard.text; (at = strstr(at, UPDATE)) != NULL; at++)
                n++;
        return n;
}

static bool has_asked(void *ctx)
{
        (void)ctx;
        return asked() > 0;
}

/* One question for all devices of a rule; the rule is what it is about. */
static void an_image_that_is_not_here_is_asked_for(void **arg)
{
        fake_device *f;

        (void)arg;
        make_rule("FwV", "2.0", ODM_FMT_CHR);
        (void)attach();
        f = fake_new(yard.fake, "urn:imei:2");
        assert_non_null(fake_attach(f));
        assert_true(yard_turn(LIMIT_MS, has_asked, NULL));
        (void)yard_turn(200, NULL, NULL);
        assert_int_equal(asked(), 1);
        assert_non_null(strstr(yard.text,
                               RULE "::<TaskRequest>" UPDATE
                                    "<Detail>there is no image of firmware 2.0 for man=Fake"
                                    "</Detail>"));
        recover_image(yard.g); /* not the right one: there is none still */
        (void)yard_turn(100, NULL, NULL);
        assert_int_equal(asked(), 1);
}

static void one_that_cannot_be_configured_stays_out(void **arg)
{
        fake_device *f;

        (void)arg;
        store_config();
        make_rule("Config", "1", ODM_FMT_BOOL);
        f = attach();
        yard_settle();
        fake_refuse(f, "./Ext/Level", 500, "broken"); /* neither read nor written */
        (void)yard_turn(300, is_out, NULL);
        assert_int_equal(watched->state, GW_ACTIVE); /* what cannot be read is no fault */
        fake_refuse(f, "./Ext/Level", 0, NULL);
        fake_caps(f, ADAPTER_READ | ADAPTER_LIST); /* it can be read only */
        fake_set(f, "./Ext/Level", "9", ODM_FMT_INT);
        assert_true(yard_turn(LIMIT_MS, is_out, NULL));
        assert_false(yard_turn(500, is_back, NULL));
        assert_string_equal(yard_do(NULL, ODM_CMD_GET, "./GwMO/Inventory/Records/d0001/StateReason",
                                    NULL, ODM_FMT_ABSENT) == 200
                                    ? strchr(yard.text, '=') + 1
                                    : "",
                            "quarantine\n");
        /* somebody mends it by hand: the next look lets it go */
        fake_set(f, "./Ext/Level", "5", ODM_FMT_INT);
        assert_true(yard_turn(LIMIT_MS, is_back, NULL));
}

static void put_image(const char *version)
{
        static const char hash[] =
                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        image_row row = {.node = ODM_STR("i1"),
                         .id = ODM_STR("fw"),
                         .name = ODM_STR("fw"),
                         .version = odm_cstr(version),
                         .match = ODM_STR("man=Fake"),
                         .hash = odm_cstr(hash),
                         .size = 3,
                         .ready = 1,
                         .state = IMAGE_READY,
                         .result = 200};
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ROW_PUT);

        assert_non_null(op);
        op->row = (store_row_op){.table = &image_table, .row = &row};
        assert_int_equal(gw_write(yard.g, b), 0);
        store_batch_free(b);
        b = store_batch_new();
        op = store_batch_add(b, STORE_SETTING_PUT);
        assert_non_null(op);
        op->setting.key = IMAGE_BASE;
        op->setting.value = ODM_STR("http://127.0.0.1:1");
        assert_int_equal(gw_write(yard.g, b), 0);
        store_batch_free(b);
}

static void one_of_another_version_gets_the_image(void **arg)
{
        fake_device *f;

        (void)arg;
        put_image("2.0");
        make_rule("ImageID", "fw", ODM_FMT_CHR);
        yard_settle();
        f = fake_new(yard.fake, "urn:imei:1");
        fake_set(f, "./FUMO/main/Ext/xrem/Hash", "", ODM_FMT_CHR);
        fake_set(f, "./FUMO/main/Ext/xrem/HashAlg", "", ODM_FMT_CHR);
        fake_later(f, 200, DONE, 200);
        watched = fake_attach(f);
        assert_non_null(watched);
        fake_key(f, watched->key);
        assert_true(yard_turn(LIMIT_MS, was_ordered, exec));
        assert_true(gw_is_quarantined(watched));
        assert_string_equal(fake_value(f, "./FUMO/main/DownloadAndUpdate/PkgURL"),
                            "http://127.0.0.1:1/img/fw");
        fake_set(f, "./DevDetail/FwV", "2.0", ODM_FMT_CHR);
        assert_true(yard_turn(LIMIT_MS, is_back, NULL));
        assert_int_equal(yard_alerts(DONE), 1); /* the server hears of it as well */
}

static void one_whose_firmware_was_changed_gets_it_too(void **arg)
{
        fake_device *f;

        (void)arg;
        put_image("1.0");
        make_rule("ImageID", "fw", ODM_FMT_CHR);
        yard_settle();
        f = fake_new(yard.fake, "urn:imei:1");
        fake_set(f, "./FUMO/main/Ext/xrem/ImageHash",
                 "ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", ODM_FMT_CHR);
        fake_later(f, 200, DONE, 200);
        watched = fake_attach(f);
        fake_key(f, watched->key);
        assert_true(yard_turn(LIMIT_MS, was_ordered, exec));
        fake_set(f, "./FUMO/main/Ext/xrem/ImageHash",
                 "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", ODM_FMT_CHR);
        assert_true(yard_turn(LIMIT_MS, is_back, NULL));
}

static void a_quarantine_outlives_the_gateway(void **arg)
{
        fake_device *f;

        (void)arg;
        store_config();
        make_rule("FwV", "3.0", ODM_FMT_CHR); /* and no image */
        f = attach();
        assert_true(yard_turn(LIMIT_MS, is_out, NULL));
        assert_true(yard_turn(LIMIT_MS, has_alarm, NULL));
        yard_stop();
        yard_start(classes);
        watched = gw_by_id(yard.g, ODM_STR("urn:imei:1"));
        assert_true(gw_is_quarantined(watched));
        assert_true(has_alarm(NULL));
        f = fake_new(yard.fake, "urn:imei:1");
        fake_set(f, "./DevDetail/FwV", "3.0", ODM_FMT_CHR);
        assert_ptr_equal(fake_attach(f), watched);
        assert_true(yard_turn(LIMIT_MS, is_back, NULL));
        assert_true(yard_turn(LIMIT_MS, has_none, NULL)); /* raised before, and over now */
}

/* A session has a transaction open just then. */
static void an_alarm_goes_with_its_rule(void **arg)
{
        (void)arg;
        store_config();
        make_rule("FwV", "3.0", ODM_FMT_CHR);
        (void)attach();
        assert_true(yard_turn(LIMIT_MS, is_out, NULL));
        assert_true(yard_turn(LIMIT_MS, has_alarm, NULL));
        assert_int_equal(yard_do(NULL, ODM_CMD_DELETE, RULE, NULL, ODM_FMT_ABSENT), 200);
        assert_int_equal(odm_tree_begin(yard.tree, loop_wall()), 0);
        assert_true(yard_turn(LIMIT_MS, is_back, NULL));
        assert_true(has_alarm(NULL));
        odm_tree_rollback(yard.tree);
        assert_true(yard_turn(LIMIT_MS, has_none, NULL));
}

static void without_a_rule_nobody_is_touched(void **arg)
{
        fake_device *f;

        (void)arg;
        store_config();
        f = attach();
        (void)yard_turn(200, is_out, NULL); /* what is stored is applied */
        fake_set(f, "./Ext/Level", "9", ODM_FMT_INT);
        assert_false(yard_turn(400, is_out, NULL));
        assert_string_equal(fake_value(f, "./Ext/Level"), "9");
}

static void what_an_operator_switched_off_stays_off(void **arg)
{
        const gw_change off = {
                .wake_interval_s = -2, .awake_s = -2, .active = 0, .reason = ODM_STR("operator")};
        fake_device *f;

        (void)arg;
        store_config();
        make_rule("Config", "true", ODM_FMT_BOOL);
        f = attach();
        (void)yard_turn(200, is_out, NULL);
        assert_int_equal(gw_change_device(yard.g, watched, &off), 0);
        fake_set(f, "./Ext/Level", "9", ODM_FMT_INT);
        (void)yard_turn(400, is_back, NULL);
        assert_int_equal(watched->state, GW_DEACTIVATED);
        assert_string_equal(fake_value(f, "./Ext/Level"), "9");
}

/* ... one that was in quarantine too, though it is as it should be then. */
static void what_an_operator_keeps_off_is_not_let_go(void **arg)
{
        static const char active[] = "./GwMO/Inventory/Records/d0001/Ext/Active";
        fake_device *f;

        (void)arg;
        store_config();
        make_rule("Config", "true", ODM_FMT_BOOL);
        f = attach();
        yard_settle();
        fake_caps(f, ADAPTER_READ | ADAPTER_LIST);
        fake_set(f, "./Ext/Level", "9", ODM_FMT_INT);
        assert_true(yard_turn(LIMIT_MS, is_out, NULL));
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, active, "false", ODM_FMT_BOOL), 200);
        fake_set(f, "./Ext/Level", "5", ODM_FMT_INT);
        assert_false(yard_turn(500, is_back, NULL));
        assert_int_equal(yard_get("./GwMO/Inventory/Records/d0001/StateReason"), 200);
        assert_non_null(strstr(yard.text, "=operator"));
        assert_true(has_none(NULL));
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, active, "true", ODM_FMT_BOOL), 200);
        assert_true(is_back(NULL));
}

static bool is_idle(void *ctx)
{
        (void)ctx;
        return !gw_busy(yard.g, watched);
}

static void who_becomes_transparent_is_its_servers(void **arg)
{
        static const char mode[] = "./GwMO/Inventory/Records/d0001/Mode";
        fake_device *f;

        (void)arg;
        store_config();
        make_rule("Config", "true", ODM_FMT_BOOL);
        f = attach();
        (void)yard_turn(200, is_out, NULL);
        assert_true(yard_turn(LIMIT_MS, is_idle, NULL));
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, mode, "1", ODM_FMT_INT), 200);
        fake_set(f, "./Ext/Level", "9", ODM_FMT_INT);
        assert_false(yard_turn(400, is_out, NULL));
        assert_string_equal(fake_value(f, "./Ext/Level"), "9");
        fake_delay(f, 20);
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, mode, "3", ODM_FMT_INT), 200);
        assert_true(yard_turn(LIMIT_MS, is_out, NULL));
        assert_true(yard_turn(LIMIT_MS, is_back, NULL));
}

/* ---- rights ------------------------------------------------------------------------------------- */

static void set_acl(const char *uri, const char *acl)
{
        char at[64];
        const odm_value v = {.data = odm_cstr(acl)};

        snprintf(at, sizeof at, "%s?prop=ACL", uri);
        assert_int_equal(odm_tree_write(yard.tree, odm_cstr(at), &v, loop_wall()), 0);
}

/* A server that may write what the gateway keeps, and has no right to devices. */
static void let_two_write(void)
{
        set_acl("./GwMO/Config", "Add=srv+two&Delete=srv+two&Get=*&Replace=srv+two");
}

static unsigned by(const char *server, odm_cmd kind, const char *uri, const char *data,
                   odm_format format)
{
        return yard_do(server, kind, uri, data, format);
}

static void add_by(const char *server, const char *data)
{
        assert_int_equal(by(server, ODM_CMD_ADD, CONFIG "ConfigData/c1", NULL, ODM_FMT_NODE), 200);
        assert_int_equal(by(server, ODM_CMD_ADD, CONFIG "ConfigData/c1/ID", "c1", ODM_FMT_CHR),
                         200);
        assert_int_equal(
                by(server, ODM_CMD_ADD, CONFIG "ConfigData/c1/Match", "man=Fake", ODM_FMT_CHR),
                200);
        assert_int_equal(by(server, ODM_CMD_ADD, CONFIG "ConfigData/c1/Data", data, ODM_FMT_XML),
                         200);
        assert_int_equal(
                by(server, ODM_CMD_ADD, CONFIG "ConfigData/c1/AutoApply", "1", ODM_FMT_BOOL), 200);
}

static const char *level_after_attach(fake_device *f)
{
        fake_go(f, ADAPTER_DEREGISTERED);
        fake_set(f, "./Ext/Level", "9", ODM_FMT_INT);
        assert_non_null(fake_attach(f));
        (void)yard_turn(100, NULL, NULL);
        return fake_value(f, "./Ext/Level");
}

/* All who wrote a leaf of it need the right on the device. */
static void configuration_has_the_rights_of_its_writers(void **arg)
{
        fake_device *f;

        (void)arg;
        let_two_write();
        f = attach();
        add_by("two", LEVEL("6"));
        assert_string_equal(level_after_attach(f), "9");
        set_acl("./GwDev/d0001", "Get=*&Replace=srv+two");
        assert_string_equal(level_after_attach(f), "6");
        set_acl("./GwDev/d0001", "Get=*&Replace=srv");
        assert_string_equal(level_after_attach(f), "9");
        assert_int_equal(
                yard_do(NULL, ODM_CMD_DELETE, CONFIG "ConfigData/c1", NULL, ODM_FMT_ABSENT), 200);
        add_by(NULL, LEVEL("7"));
        assert_string_equal(level_after_attach(f), "7");
        assert_int_equal(
                by("two", ODM_CMD_REPLACE, CONFIG "ConfigData/c1/Data", LEVEL("8"), ODM_FMT_XML),
                200);
        assert_string_equal(level_after_attach(f), "9");
        assert_int_equal(by("two", ODM_CMD_REPLACE, CONFIG "ConfigData/c1/Ext/Writers/Data", "srv",
                            ODM_FMT_CHR),
                         405);
        assert_int_equal(
                by(NULL, ODM_CMD_REPLACE, CONFIG "ConfigData/c1/Data", LEVEL("8"), ODM_FMT_XML),
                200);
        assert_string_equal(level_after_attach(f), "8");
}

static void a_rule_has_the_rights_of_its_writers(void **arg)
{
        (void)arg;
        let_two_write();
        assert_int_equal(by("two", ODM_CMD_ADD, RULE, NULL, ODM_FMT_NODE), 200);
        assert_int_equal(by("two", ODM_CMD_ADD, RULE "/Match", "man=Fake", ODM_FMT_CHR), 200);
        assert_int_equal(by("two", ODM_CMD_ADD, RULE "/FwV", "3.0", ODM_FMT_CHR), 200);
        (void)attach();
        assert_false(yard_turn(500, is_out, NULL));
        set_acl("./GwDev/d0001", "Exec=srv+two&Get=*&Replace=srv+two");
        recover_judge(yard.g);
        assert_true(yard_turn(LIMIT_MS, is_out, NULL));
        set_acl("./GwDev/d0001", "Exec=srv&Get=*&Replace=srv+two"); /* let go at the next look */
        assert_true(yard_turn(LIMIT_MS, is_back, NULL));
}

static void an_account_has_the_rights_of_its_writers(void **arg)
{
        const adapter_device d = {.id = ODM_STR("urn:imei:1"), .man = ODM_STR("Fake")};
        odm_arena a;
        odm_str doc;

        (void)arg;
        let_two_write();
        odm_arena_init(&a, &heap_mem, 65536);
        assert_int_equal(by("two", ODM_CMD_ADD, CONFIG "Bootstrap/b1", NULL, ODM_FMT_NODE), 200);
        assert_int_equal(by("two", ODM_CMD_ADD, CONFIG "Bootstrap/b1/Match", "", ODM_FMT_CHR), 200);
        assert_int_equal(
                by("two", ODM_CMD_ADD, CONFIG "Bootstrap/b1/Data", "<MgmtTree/>", ODM_FMT_XML),
                200);
        assert_int_equal(yard_get(CONFIG "Bootstrap/b1/Data"), 405); /* it has passwords */
        assert_int_equal(gw_bootstrap(yard.g, &d, &a, &doc), ODM_ENOENT);
        set_acl("./GwDev", "Add=srv+two&Get=*&Replace=srv+two");
        assert_int_equal(gw_bootstrap(yard.g, &d, &a, &doc), 0);
        odm_arena_done(&a);
}

/* ---- the store -------------------------------------------------------------------------------- */

/* The power went when the damaged file had been put aside: nothing is there, which is no clean
 * start. */
static void a_store_that_is_half_mended_is_mended(void **arg)
{
        static const struct {
                const char *why;
                bool copy;
                recover_mended want;
                size_t devices;
        } rows[] = {
                {"its copy", true, RECOVER_COPY, 1},
                {"no copy", false, RECOVER_ANEW, 0},
        };
        char path[128], other[160];

        (void)arg;
        (void)attach();
        yard_settle();
        snprintf(path, sizeof path, "%s/gateway.db", gw_folder(yard.g));
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                yard_stop();
                snprintf(other, sizeof other, "%s.damaged", path);
                assert_int_equal(rename(path, other), 0);
                snprintf(other, sizeof other, "%s.copy", path);
                if (!rows[i].copy)
                        assert_int_equal(unlink(other), 0);
                yard_start(classes);
                if (yard.g->mended != rows[i].want || gw_count(yard.g, -1) != rows[i].devices)
                        fail_msg("%s: %d, %zu devices", rows[i].why, (int)yard.g->mended,
                                 gw_count(yard.g, -1));
        }
        yard_stop();
        yard_start(classes);
        assert_int_equal(yard.g->mended, RECOVER_WHOLE);
}

static bool is_copied(void *ctx)
{
        char path[128];

        (void)ctx;
        snprintf(path, sizeof path, "%s/gateway.db.copy", gw_folder(yard.g));
        return access(path, F_OK) == 0;
}

static void a_store_is_copied_while_it_is_in_use(void **arg)
{
        char path[128];

        (void)arg;
        yard_stop();
        yard_set("gateway.copy_every=20ms");
        yard_start(classes);
        snprintf(path, sizeof path, "%s/gateway.db.copy", gw_folder(yard.g));
        assert_int_equal(unlink(path), 0); /* of the stop just now */
        (void)attach();
        yard_settle();
        assert_true(yard_turn(10000, is_copied, NULL));
}

static void a_store_that_was_found_damaged_is_mended(void **arg)
{
        char path[128];

        (void)arg;
        (void)attach();
        yard_settle();
        snprintf(path, sizeof path, "%s/gateway.db", gw_folder(yard.g));
        recover_store_condemn(path);
        yard_stop();
        yard_start(classes);
        assert_int_equal(yard.g->mended, RECOVER_COPY);
        assert_int_equal(gw_count(yard.g, -1), 1);
        yard_stop();
        yard_start(classes);
        assert_int_equal(yard.g->mended, RECOVER_WHOLE);
}

static void write_text(const char *path, const char *text)
{
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

/* What was written last may stand in the log alone: it is kept with the file that it belongs to,
 * and none of an older one. */
static void the_log_of_a_damaged_store_is_kept_with_it(void **arg)
{
        char path[128], name[160], text[8];
        FILE *f;

        (void)arg;
        (void)attach();
        yard_settle();
        snprintf(path, sizeof path, "%s/gateway.db", gw_folder(yard.g));
        yard_stop();
        snprintf(name, sizeof name, "%s.damaged-wal", path);
        write_text(name, "older");
        for (int log = 1; log >= 0; log--) {
                snprintf(name, sizeof name, "%s-wal", path);
                if (log)
                        write_text(name, "the log");
                recover_store_condemn(path);
                yard_start(classes);
                assert_int_equal(yard.g->mended, RECOVER_COPY);
                assert_int_equal(gw_count(yard.g, -1), 1);
                yard_stop();
                snprintf(name, sizeof name, "%s.damaged-wal", path);
                f = fopen(name, "r");
                memset(text, 0, sizeof text);
                if (f) {
                        (void)!fread(text, 1, sizeof text - 1, f);
                        fclose(f);
                }
                assert_int_equal(strcmp(text, "the log") == 0, log);
        }
        yard_start(classes);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, yard_tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(one_that_was_changed_is_configured_again),
                TEST(one_that_cannot_be_configured_stays_out),
                TEST(an_image_that_is_not_here_is_asked_for),
                TEST(one_of_another_version_gets_the_image),
                TEST(one_whose_firmware_was_changed_gets_it_too),
                TEST(a_quarantine_outlives_the_gateway),
                TEST(an_alarm_goes_with_its_rule),
                TEST(without_a_rule_nobody_is_touched),
                TEST(what_an_operator_switched_off_stays_off),
                TEST(what_an_operator_keeps_off_is_not_let_go),
                TEST(who_becomes_transparent_is_its_servers),
                TEST(configuration_has_the_rights_of_its_writers),
                TEST(a_rule_has_the_rights_of_its_writers),
                TEST(an_account_has_the_rights_of_its_writers),
                TEST(a_store_that_is_half_mended_is_mended),
                TEST(a_store_is_copied_while_it_is_in_use),
                TEST(a_store_that_was_found_damaged_is_mended),
                TEST(the_log_of_a_damaged_store_is_kept_with_it),
        };
        return RUN_TESTS(tests);
}
