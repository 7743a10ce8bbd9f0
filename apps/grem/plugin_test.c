/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters that are shared objects: which are refused and why; the one to copy, at work behind a
 * gateway. */
#include "plugin.h"

#include <sys/stat.h>
#include <unistd.h>

#include "support.h"
#include "yard.h"

static char dir[sizeof "/tmp/plugin.XXXXXX"];

static void copy(const char *from, const char *as, const char *mode)
{
        char command[512];

        snprintf(command, sizeof command, "install -m %s %s/%s %s/%s", mode, MODULES, from, dir,
                 as);
        assert_int_equal(system(command), 0);
}

static int setup(void **arg)
{
        (void)arg;
        snprintf(dir, sizeof dir, "/tmp/plugin.XXXXXX");
        assert_non_null(mkdtemp(dir));
        return 0;
}

static int teardown(void **arg)
{
        char command[64];

        (void)arg;
        plugins_unload();
        snprintf(command, sizeof command, "rm -r %s", dir);
        assert_int_equal(system(command), 0);
        return 0;
}

static void what_is_no_adapter_is_refused(void **arg)
{
        static const struct {
                const char *why, *file, *mode;
                int rc;
                const char *says;
        } rows[] = {
                {"nothing wrong", "bad0.so", "644", 0, ""},
                {"others may write it", "bad0.so", "666", ODM_EACCESS, "may write it"},
                {"no adapter in it", "bad1.so", "644", ODM_EMALFORMED, "no adapter_v1"},
                {"a later interface", "bad2.so", "644", ODM_EMALFORMED, "interface 2 of"},
                {"another size", "bad3.so", "644", ODM_EMALFORMED, "made for another gremd"},
                {"no name", "bad4.so", "644", ODM_EMALFORMED, "its name is not"},
                {"a name that is taken", "bad5.so", "644", ODM_EEXIST, "called 'fake'"},
                {"cannot be opened", "bad6.so", "644", ODM_EMALFORMED, "no open()"},
                {"another's setting", "bad7.so", "644", ODM_EMALFORMED,
                 "'other.key' is not in section [bad]"},
        };

        (void)arg;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                diag d = {{0}};
                copy(rows[i].file, "it.so", rows[i].mode);
                int rc = plugins_load(dir, &d);
                if (rc != rows[i].rc || strstr(d.text, rows[i].says) == NULL ||
                    (rc < 0 && strstr(d.text, "/it.so: ") == NULL))
                        fail_msg("%s: %s '%s'", rows[i].why, odm_err_name(rc), d.text);
                assert_true((adapter_at(1) != NULL) == (rc == 0));
                plugins_unload();
        }
}

static void files_that_are_no_objects_are_left_alone(void **arg)
{
        diag d = {{0}};

        (void)arg;
        write_below(dir, "/README", "nothing to load");
        write_below(dir, "/.hidden.so", "nothing to load");
        assert_int_equal(plugins_load(dir, &d), 0);
        assert_null(adapter_at(1));
        assert_int_equal(plugins_load("/nowhere/at/all", &d), 0);
        write_below(dir, "/text.so", "no object");
        assert_int_equal(plugins_load(dir, &d), ODM_EMALFORMED);
        assert_non_null(strstr(d.text, "text.so: "));

        copy("bad0.so", "text.so", "644");
        copy("bad0.so", "twice.so", "644");
        assert_int_equal(plugins_load(dir, &d), ODM_EEXIST);
}

/* ---- the template ------------------------------------------------------------------------------------ */

static const part_class *const classes[] = {&part_gwconfig, &part_gwinventory, &part_gwmount, NULL};

static bool has_device(void *ctx)
{
        return gw_by_id(yard.g, odm_cstr(ctx)) != NULL;
}

static bool is_gone(void *ctx)
{
        const gw_device *d = gw_by_id(yard.g, odm_cstr(ctx));

        return d && d->state == GW_DETACHED;
}

static bool is_here(void *ctx)
{
        const gw_device *d = gw_by_id(yard.g, odm_cstr(ctx));

        return d && gw_is_awake(d);
}

static bool reads_eleven(void *ctx)
{
        (void)ctx;
        return yard_get("./GwDev/d0001/Ext/Level") == 200 &&
               strcmp(yard.text, "./GwDev/d0001/Ext/Level=11\n") == 0;
}

static void get(const char *uri, unsigned status, const char *text)
{
        if (yard_get(uri) != status || strcmp(yard.text, text) != 0)
                fail_msg("%s: %u %s", uri, yard.status, yard.text);
}

static void the_one_to_copy_works(void **arg)
{
        static char pump[] = "pump-7";
        char place[64], text[160];
        diag d = {{0}};

        (void)arg;
        copy("folder.so", "folder.so", "644");
        if (plugins_load(dir, &d) < 0)
                fail_msg("%s", d.text);
        snprintf(place, sizeof place, "%s/devices", dir);
        assert_int_equal(mkdir(place, 0755), 0);
        write_below(place, "/pump-7/DevInfo/Man", "Acme\n");
        write_below(place, "/pump-7/DevDetail/FwV", "3.1\n");
        write_below(place, "/pump-7/Ext/Level", "7\n");
        yard_open();
        snprintf(text, sizeof text, "folder.path=%s", place);
        yard_set(text);
        yard_set("folder.look=50ms");
        yard_start(classes);
        assert_true(yard_turn(5000, has_device, pump));
        yard_settle();
        const gw_device *pumped = gw_by_id(yard.g, ODM_STR("pump-7"));
        assert_str(pumped->man, "Acme");
        assert_str(pumped->fwv, "3.1");
        assert_str(pumped->protocol, "FOLDER/1");

        get("./GwDev/d0001/DevInfo/Man", 200, "./GwDev/d0001/DevInfo/Man=Acme\n");
        get("./GwDev/d0001", 200, "./GwDev/d0001=DevDetail/DevInfo/Ext\n");
        get("./GwDev/d0001/None", 404, "");
        get("./GwDev/d0001/DevDetail?list=StructData", 200,
            "./GwDev/d0001/DevDetail=\n./GwDev/d0001/DevDetail/FwV=3.1\n");
        assert_int_equal(
                yard_do(NULL, ODM_CMD_REPLACE, "./GwDev/d0001/Ext/Level", "9", ODM_FMT_CHR), 200);
        get("./GwDev/d0001/Ext/Level", 200, "./GwDev/d0001/Ext/Level=9\n");
        assert_int_equal(yard_do(NULL, ODM_CMD_REPLACE, "./GwDev/d0001/Ext", "9", ODM_FMT_CHR),
                         405);
        assert_int_equal(
                yard_do(NULL, ODM_CMD_EXEC, "./GwDev/d0001/Ext/Level", NULL, ODM_FMT_ABSENT), 405);
        write_below(place, "/pump-7/Ext/Level", "11\n");
        assert_true(yard_turn(5000, reads_eleven, NULL));

        /* away: what it said last is still known; and back */
        snprintf(text, sizeof text, "mv %s/pump-7 %s/away", place, dir);
        assert_int_equal(system(text), 0);
        assert_true(yard_turn(5000, is_gone, pump));
        get("./GwDev/d0001/Ext/Level", 200, "./GwDev/d0001/Ext/Level=11\n");
        snprintf(text, sizeof text, "mv %s/away %s/pump-7", dir, place);
        assert_int_equal(system(text), 0);
        assert_true(yard_turn(5000, is_here, pump));
        assert_string_equal(gw_by_id(yard.g, ODM_STR("pump-7"))->key, "d0001");
        yard_stop();
        yard_close();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_is_no_adapter_is_refused),
                TEST(files_that_are_no_objects_are_left_alone),
                TEST(the_one_to_copy_works),
        };

        return RUN_TESTS(tests);
}
