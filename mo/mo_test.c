/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of this folder as a server meets them: C-OBJ of dm-conformance.md at tree level. */
#include "mo.h"
#include "support.h"

static const odm_provider providers[] = {
        {.name = "devinfo", .mo = &odm_mo_devinfo}, {.name = "devdetail", .mo = &odm_mo_devdetail},
        {.name = "dmacc", .mo = &odm_mo_dmacc},     {.name = "inbox", .mo = &odm_mo_inbox},
        {.name = "xrem", .mo = &odm_mo_xrem},
};

static odm_tree *open_tree(void)
{
        odm_tree_opt o;
        odm_tree *t = NULL;

        odm_tree_opt_init(&o, &heap);
        assert_int_equal(odm_tree_new(&o, &t), 0);
        for (size_t i = 0; i < ODM_COUNT(providers); i++)
                assert_int_equal(odm_tree_mount(t, NULL, &providers[i]), 0);
        return t;
}

struct row {
        const char *why;
        odm_cmd kind;
        const char *target, *data;
        unsigned status;
        const char *want;
};

static const struct row rows[] = {
        {"what is there", ODM_CMD_GET, ".", NULL, 200, "DMAcc/DevDetail/DevInfo/Inbox/Vendor"},
        {"DevInfo", ODM_CMD_GET, "./DevInfo", NULL, 200, "DevId/DmV/Ext/Lang/Man/Mod"},
        {"its identifier", ODM_CMD_GET, "./DevInfo?prop=Type", NULL, 200,
         "urn:oma:mo:oma-dm-devinfo:1.0"},
        {"where to wake it", ODM_CMD_GET, "./DevInfo/Ext/xrem/Wake", NULL, 200, ""},
        {"not the server's to say", ODM_CMD_REPLACE, "./DevInfo/Man", "Me", 405, NULL},
        {"permanent", ODM_CMD_DELETE, "./DevInfo", NULL, 405, NULL},
        {"closed", ODM_CMD_ADD, "./DevInfo/Ext/x", "1", 405, NULL},
        {"DevDetail", ODM_CMD_GET, "./DevDetail", NULL, 200,
         "DevTyp/Ext/FwV/HwV/LrgObj/OEM/SwV/URI"},
        {"a bool", ODM_CMD_GET, "./DevDetail/LrgObj?prop=Format", NULL, 200, "bool"},
        {"its default", ODM_CMD_GET, "./DevDetail/LrgObj", NULL, 200, "true"},
        {"limits", ODM_CMD_GET, "./DevDetail/URI/MaxDepth", NULL, 200, "16"},
        {"the Inbox", ODM_CMD_GET, "./Inbox", NULL, 405, NULL},
        {"an account", ODM_CMD_ADD, "./DMAcc/main/AppID", "w7", 200, NULL},
        {"its identifier", ODM_CMD_GET, "./DMAcc/main?prop=Type", NULL, 200,
         "urn:oma:mo:oma-dm-dmacc:1.0"},
        {"a secret", ODM_CMD_ADD, "./DMAcc/main/AppAuth/c/AAuthSecret", "s", 200, NULL},
        {"not shown", ODM_CMD_GET, "./DMAcc/main/AppAuth/c/AAuthSecret", NULL, 405, NULL},
        {"but set", ODM_CMD_REPLACE, "./DMAcc/main/AppAuth/c/AAuthSecret", "t", 200, NULL},
        {"its extensions", ODM_CMD_ADD, "./DMAcc/main/Ext/mine/x", "1", 200, NULL},
        {"nothing else", ODM_CMD_ADD, "./DMAcc/main/Other", "1", 405, NULL},
        {"xrem", ODM_CMD_GET, "./Vendor/xrem", NULL, 200,
         "Config/Cpu/Disk/Load/Machine/Memory/Net/Ping/Sync/Temp/Uptime"},
        {"its identifier", ODM_CMD_GET, "./Vendor/xrem?prop=Type", NULL, 200,
         "urn:oma:mo:x-xrem-device:1.0"},
        {"a setting", ODM_CMD_GET, "./Vendor/xrem/Config/Interval", NULL, 200, "3600"},
        {"set", ODM_CMD_REPLACE, "./Vendor/xrem/Config/Interval", "60", 200, NULL},
        {"no number", ODM_CMD_REPLACE, "./Vendor/xrem/Config/Interval", "soon", 415, NULL},
        {"open", ODM_CMD_ADD, "./Vendor/xrem/Config/Ext/a", "1", 200, NULL},
        {"live, and not set", ODM_CMD_REPLACE, "./Vendor/xrem/Uptime", "1", 405, NULL},
        {"not made by servers", ODM_CMD_ADD, "./Vendor/xrem/Net/eth9/Mac", "1", 405, NULL},
        {"nobody runs it", ODM_CMD_EXEC, "./Vendor/xrem/Ping", NULL, 405, NULL},
};

static void objects_are_as_the_table_says(void **state)
{
        odm_tree *t = open_tree();
        odm_value acl = {.data = ODM_STR("Add=*&Get=*&Replace=*&Delete=*&Exec=*")};
        odm_arena a;

        (void)state;
        assert_int_equal(odm_tree_write(t, ODM_STR(".?prop=ACL"), &acl, (odm_wall){1}), 0);
        odm_arena_init(&a, &heap, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                odm_op op = {.kind = r->kind,
                             .target = odm_cstr(r->target),
                             .value.data = odm_cstr(r->data),
                             .has_value = r->data != NULL,
                             .server = ODM_STR("srv")};
                odm_answer got = {.status = 0};
                odm_arena_reset(&a);
                assert_int_equal(odm_tree_do(t, &op, (odm_wall){2}, &a, &got), 0);
                if (got.status != r->status)
                        fail_msg("%s: %s gave %u", r->why, r->target, got.status);
                if (r->want)
                        assert_str(got.results->value.data, r->want);
        }
        odm_arena_done(&a);
        odm_tree_free(t);
}

static void an_account_is_found_by_its_identifier(void **state)
{
        odm_tree *t = open_tree();
        odm_value v = {.data = ODM_STR("w7")};
        odm_str id = ODM_STR("urn:oma:mo:oma-dm-dmacc:1.0"), uri = ODM_ABSENT;
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap, 1 << 20);
        assert_int_equal(odm_tree_find_mo(t, id, ODM_ABSENT, &a, &uri), 0);
        assert_int_equal(odm_tree_write(t, ODM_STR("./DMAcc/b/AppID"), &v, (odm_wall){1}), 0);
        assert_int_equal(odm_tree_write(t, ODM_STR("./DMAcc/a/AppID"), &v, (odm_wall){1}), 0);
        assert_int_equal(odm_tree_find_mo(t, id, ODM_ABSENT, &a, &uri), 1);
        assert_str(uri, "./DMAcc/a");
        assert_int_equal(odm_tree_find_mo(t, id, uri, &a, &uri), 1);
        assert_str(uri, "./DMAcc/b");
        assert_int_equal(odm_tree_find_mo(t, id, uri, &a, &uri), 0);
        odm_arena_done(&a);
        odm_tree_free(t);
}

static void descriptors_are_found_by_path(void **state)
{
        const odm_desc *d = odm_mo_find(&odm_mo_xrem, ODM_STR("Net/eth0/RxBytes"));

        (void)state;
        assert_non_null(d);
        assert_true(d->format == ODM_FMT_CHR && d->access == ODM_ACC_GET);
        assert_ptr_equal(odm_mo_find(&odm_mo_xrem, ODM_STR("")), odm_mo_xrem.nodes);
        assert_null(odm_mo_find(&odm_mo_xrem, ODM_STR("Net/eth0/None")));
        assert_str(odm_mo_xrem.path, "Vendor");
        assert_str(odm_mo_dmacc.id, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(objects_are_as_the_table_says),
                cmocka_unit_test(an_account_is_found_by_its_identifier),
                cmocka_unit_test(descriptors_are_found_by_path),
        };

        return RUN_TESTS(tests);
}
