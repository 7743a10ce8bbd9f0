/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: every row of the map, how requests are gathered, names, what is told unasked. */
#include "lab.h"

/* A leaf: what is asked of the device, and what it is in the tree. */
static const struct leaf {
        const char *path, *asked;
        unsigned status;
        const char *value; /* "chr=Acme" */
} leaves[] = {
        {"./DevInfo/DevId", "", 200, "chr=urn:dev:os:32473-1"},
        {"./DevInfo/Man", "Read /3/0/0", 200, "chr=Acme"},
        {"./DevInfo/Mod", "Read /3/0/1", 200, "chr=M1"},
        {"./DevInfo/DmV", "", 200, "chr=1.2"},
        {"./DevInfo/Lang", "", 200, "chr=en"},
        {"./DevDetail/DevTyp", "Read /3/0/17", 200, "chr=meter"},
        {"./DevDetail/OEM", "Read /3/0/0", 200, "chr=Acme"},
        {"./DevDetail/FwV", "Read /3/0/3", 200, "chr=1.0"},
        {"./DevDetail/SwV", "Read /3/0/19", 200, "chr=2.1"},
        {"./DevDetail/HwV", "Read /3/0/18", 200, "chr=B"},
        {"./DevDetail/LrgObj", "", 200, "bool=true"},
        {"./DevDetail/Ext/Serial", "Read /3/0/2", 200, "chr=S-9"},
        {"./DevDetail/Ext/Time", "Read /3/0/13", 200, "time=20231114T221320Z"},
        {"./DevDetail/Ext/TZ", "Read /3/0/15", 200, "chr=Europe/Rome"},
        {"./DevDetail/Ext/UTCOffset", "Read /3/0/14", 200, "chr=+01:00"},
        {"./FUMO/main/PkgName", "Read /5/0/6", 200, "chr=fw"},
        {"./FUMO/main/PkgVersion", "Read /5/0/7", 200, "chr=1.0"},
        {"./FUMO/main/Download/PkgURL", "", 200, "chr="},
        {"./FUMO/main/Update/PkgData", "", 405, NULL},
        {"./FUMO/main/DownloadAndUpdate/PkgURL", "", 200, "chr="},
        {"./FUMO/main/State", "Read /5/0", 200, "int=10"},
        {"./FUMO/main/Ext/xrem/Hash", "", 200, "chr="},
        {"./SCM/Inventory/Delivered/2/PkgID", "Read /9/2", 200, "chr=extra"},
        {"./SCM/Inventory/Delivered/2/State", "Read /9/2/7", 200, "int=10"},
        {"./SCM/Inventory/Delivered/0/PkgID", "Read /9/0", 404, NULL},
        {"./SCM/Inventory/Deployed/0/ID", "Read /9/0", 200, "chr=meterd"},
        {"./SCM/Inventory/Deployed/0/Name", "Read /9/0", 200, "chr=meterd"},
        {"./SCM/Inventory/Deployed/0/Version", "Read /9/0", 200, "chr=2.4"},
        {"./SCM/Inventory/Deployed/0/State", "Read /9/0", 200, "int=20"},
        {"./SCM/Inventory/Deployed/0/Status", "Read /9/0/7", 200, "int=10"},
        {"./SCM/Inventory/Deployed/2/ID", "Read /9/2", 404, NULL},
        {"./SCM/Inventory/Deployed/7/ID", "", 404, NULL},
        {"./SCM/Inventory/Deployed/0/Operations/Remove", "Read /9/0/7", 405, NULL},
        {"./DiagMon/Memory/DiagMonData/StorageTotal", "Read /3/0/21", 200, "int=1024"},
        {"./DiagMon/Memory/DiagMonData/StorageAvail", "Read /3/0/10", 200, "int=512"},
        {"./DiagMon/Memory/DiagMonData/RAMAvail", "Read /3/0/10", 200, "int=512"},
        {"./DiagMon/Battery/DiagMonData/1/BatteryLevel", "Read /3/0/9", 200, "int=87"},
        {"./DiagMon/Battery/DiagMonData/1/BatteryStatus", "Read /3/0/20", 200, "int=1"},
        {"./DiagMon/Battery/DiagMonData/1/BatteryType", "Read /3/0/6", 200, "chr=internal"},
        {"./DiagMon/Battery/DiagMonData/1/Voltage", "Read /3/0/7", 200, "int=3300"},
        {"./DiagMon/Restart/Operations/Start", "", 405, NULL},
        {"./DiagMon/Location/DiagMonData/Lat", "Read /6/0/0", 200, "chr=45.4642"},
        {"./DiagMon/Location/DiagMonData/Long", "Read /6/0/1", 200, "chr=9.19"},
        {"./DiagMon/Location/DiagMonData/Alt", "Read /6/0/2", 200, "int=120"},
        {"./DiagMon/Location/DiagMonData/Radius", "Read /6/0/3", 404, NULL},
        {"./DiagMon/Location/DiagMonData/Time", "Read /6/0/5", 200, "chr=20231114T221320Z"},
        {"./DiagMon/RF/LTE/DiagMonData/NetType", "Read /4/0/0", 200, "chr=LTE"},
        {"./DiagMon/RF/LTE/DiagMonData/RSSI", "Read /4/0", 200, "int=-92"},
        {"./DiagMon/RF/LTE/DiagMonData/CellID", "Read /4/0", 200, "chr=4711"},
        {"./DiagMon/RF/GSM/DiagMonData/RSSI", "Read /4/0", 404, NULL},
        {"./LAWMO/State", "Read /8/0/0", 200, "int=20"},
        {"./LAWMO/AvailableWipeList/1/ListItemName", "Read /8/0/2", 200, "chr=readings"},
        {"./LAWMO/AvailableWipeList/1/ToBeWiped", "Read /8/0/2", 200, "bool=false"},
        {"./NAP/lwm2m/Addr", "Read /4/0/7", 200, "chr=m2m.example"},
        {"./NAP/lwm2m/IP/IPv4/IPAddr", "Read /4/0/4", 200, "chr=10.0.0.7"},
        {"./NAP/lwm2m/IP/IPv6/IPAddr", "Read /4/0/4", 200, "chr=fe80::1"},
        {"./NAP/lwm2m/BearerType", "Read /4/0/0", 200, "chr=3GPPPS"},
        {"./M2M/AreaNwkDev/1/Status", "", 200, "chr=AWAKE"},
        {"./M2M/AreaNwkDev/1/SleepInterval", "Read /1/0/1", 200, "int=300"},
        {"./DMAcc/0/ServerID", "Read /1/0/0", 200, "chr=123"},
        {"./DMAcc/0/Ext/Lifetime", "Read /1/0/1", 200, "int=300"},
        {"./LwM2M/3/0/0", "Read /3/0/0", 200, "chr=Acme"},
        {"./LwM2M/3/0/9", "Read /3/0/9", 200, "int=87"},
        {"./LwM2M/3/0/13", "Read /3/0/13", 200, "time=20231114T221320Z"},
        {"./LwM2M/1/0/6", "Read /1/0/6", 200, "bool=true"},
        {"./LwM2M/6/0/0", "Read /6/0/0", 200, "float=45.4642"},
        {"./LwM2M/3/0/6/0", "Read /3/0/6/0", 200, "int=1"},
        {"./LwM2M/3/0/4", "Read /3/0/4", 405, NULL},
        {"./LwM2M/0/0/0", "", 404, NULL},
        {"./LwM2M/10/0/0", "", 404, NULL},
        {"./LwM2M/x", "", 404, NULL},
        {"./Nowhere", "", 404, NULL},
        {"./DiagMon/PM/DiagMonData/1/TxBytes", "", 404, NULL},
};

static void check_leaves(lab *l, const struct leaf *v, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct leaf *r = &v[i];
                const odm_plan_result *got = lab_read(l, r->path, ODM_ASK_NODE);
                if (strcmp(l->log, r->asked) != 0)
                        fail_msg("%s asked: %s", r->path, l->log);
                if (got->status != r->status)
                        fail_msg("%s: %u %.*s", r->path, got->status, (int)got->text.n,
                                 got->text.p);
                if (r->value == NULL)
                        continue;
                odm_str want = odm_arena_fmt(&l->a, "%s %s", r->path, r->value);
                if (strcmp(lab_nodes(l, got->nodes), want.p) != 0)
                        fail_msg("%s: %s", r->path, lab_nodes(l, got->nodes));
        }
}

static void every_leaf_is_what_the_map_says(void **state)
{
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        odm_bridge_sleeps(l.b, 300, true, true);
        check_leaves(&l, leaves, ODM_COUNT(leaves));
        lab_close(&l);
}

/* A host with what it carries, which is a gateway of LwM2M as well. */
static const struct leaf gateway_leaves[] = {
        {"./DevDetail/Ext/Portfolio/0/DeviceID", "Read /16/0/0", 200, "chr=host-7"},
        {"./DevDetail/Ext/Portfolio/0/Man", "Read /16/0/0", 200, "chr=Acme"},
        {"./DevDetail/Ext/Portfolio/0/Mod", "Read /16/0/0", 404, NULL},
        {"./DevDetail/Ext/Portfolio/0/SwV", "Read /16/0/0", 200, "chr=4.0"},
        {"./DevDetail/Ext/Portfolio/0/AuthData", "Read /16/0/2", 200, "bin=proof"},
        {"./DevDetail/Ext/Portfolio/0/AuthStatus", "Read /16/0/3", 200, "int=2"},
        {"./DevDetail/Ext/Portfolio/0/Operations/GetAuthData", "", 405, NULL},
        {"./DevDetail/Ext/Portfolio/1/DeviceID", "", 404, NULL},
        {"./GwMO/Inventory/Records/0/DeviceID", "Read /25/0/0", 200, "chr=urn:dev:leaf-1"},
        {"./GwMO/Inventory/Records/0/ComponentType", "", 200, "int=0"},
        {"./GwMO/Inventory/Records/3/Addr", "Read /25/3/1", 200, "chr=d03"},
        {"./GwMO/Inventory/Records/3/AddrType", "", 200, "chr=LWM2M"},
        {"./GwMO/Inventory/Records/0/Ext/Objects", "Read /25/0/3", 200, "chr=</3/0>,</3303/0>"},
        {"./GwMO/Inventory/Records/1/DeviceID", "", 404, NULL},
        {"./GwMO/Inventory/Ext/Routing/0/ObjectID", "Read /26/0/0", 200, "int=3303"},
        {"./GwMO/Inventory/Ext/Routing/0/Mapping", "Read /26/0/1", 200, "chr=1 5"},
};

static void a_gateway_of_its_own_kind_tells_what_is_behind_it(void **state)
{
        static const char *const values[][2] = {
                {"/16/0/0/0", "host-7"},
                {"/16/0/0/1", "Acme"},
                {"/16/0/0/3", "4.0"},
                {"/16/0/2/0", "cHJvb2Y="},
                {"/16/0/3", "2"},
                {"/25/0/0", "urn:dev:leaf-1"},
                {"/25/0/1", "d01"},
                {"/25/0/3", "</3/0>,</3303/0>"},
                {"/25/3/0", "urn:dev:leaf-4"},
                {"/25/3/1", "d03"},
                {"/25/3/3", "</3/0>"},
                {"/26/0/0", "3303"},
                {"/26/0/1/0", "1"},
                {"/26/0/1/1", "5"},
        };
        const odm_plan_result *r;
        odm_str *v;
        size_t n;
        bool found = false;
        lab l;

        (void)state;
        assert_int_equal(
                lab_open(&l, &heap, "</1/0>,</3/0>,</16/0>,</25/0>,</25/3>,</26/0>", "1.0"), 0);
        for (size_t i = 0; i < ODM_COUNT(values); i++)
                lab_set(&l, values[i][0], values[i][1]);
        check_leaves(&l, gateway_leaves, ODM_COUNT(gateway_leaves));
        r = lab_read(&l, "./GwMO/Inventory/Records/3", ODM_ASK_DATA);
        assert_string_equal(l.log, "Read /25/3");
        assert_string_equal(lab_nodes(&l, r->nodes),
                            "./GwMO/Inventory/Records/3 node; "
                            "./GwMO/Inventory/Records/3/Addr chr=d03; "
                            "./GwMO/Inventory/Records/3/AddrType chr=LWM2M; "
                            "./GwMO/Inventory/Records/3/ComponentType int=0; "
                            "./GwMO/Inventory/Records/3/DeviceID chr=urn:dev:leaf-4; "
                            "./GwMO/Inventory/Records/3/Ext node; "
                            "./GwMO/Inventory/Records/3/Ext/Objects chr=</3/0>");
        assert_int_equal(odm_bridge_mos(l.b, &l.a, &v, &n), 0);
        for (size_t i = 0; i < n; i++)
                found |= odm_str_is(v[i], "urn:oma:mo:oma-gwmo-deviceinventory:1.1");
        assert_true(found);
        lab_close(&l);
}

static const struct tree {
        const char *why, *path;
        odm_ask ask;
        const char *asked, *nodes;
} trees[] = {
        {"an object with its values is one Read of the instance", "./DevDetail", ODM_ASK_DATA,
         "Read /3/0",
         "./DevDetail node urn:oma:mo:oma-dm-devdetail:1.0; ./DevDetail/DevTyp chr=meter; "
         "./DevDetail/Ext node; ./DevDetail/Ext/Serial chr=S-9; "
         "./DevDetail/Ext/TZ chr=Europe/Rome; ./DevDetail/Ext/Time time=20231114T221320Z; "
         "./DevDetail/Ext/UTCOffset chr=+01:00; ./DevDetail/FwV chr=1.0; ./DevDetail/HwV chr=B; "
         "./DevDetail/LrgObj bool=true; ./DevDetail/OEM chr=Acme; ./DevDetail/SwV chr=2.1"},
        {"names of children are a Discover", "./DiagMon/Memory/DiagMonData", ODM_ASK_NODE,
         "Discover /3/0",
         "./DiagMon/Memory/DiagMonData node; ./DiagMon/Memory/DiagMonData/RAMAvail int; "
         "./DiagMon/Memory/DiagMonData/RAMTotal int; ./DiagMon/Memory/DiagMonData/StorageAvail "
         "int; "
         "./DiagMon/Memory/DiagMonData/StorageTotal int"},
        {"which is made once", "./DiagMon/Battery", ODM_ASK_STRUCT, "",
         "./DiagMon/Battery node urn:oma:mo:oma-diag:batteryinfo:1.0; "
         "./DiagMon/Battery/DiagMonData node; ./DiagMon/Battery/DiagMonData/1 node; "
         "./DiagMon/Battery/DiagMonData/1/BatteryLevel int; "
         "./DiagMon/Battery/DiagMonData/1/BatteryStatus int; "
         "./DiagMon/Battery/DiagMonData/1/BatteryType chr; "
         "./DiagMon/Battery/DiagMonData/1/Voltage int"},
        {"children of what is below", "./DiagMon/RF", ODM_ASK_NODE, "Discover /4/0; Read /4/0/0",
         "./DiagMon/RF node; ./DiagMon/RF/LTE node urn:oma:mo:oma-diag:RFParms_3GPP_LTE:1.0"},
        {"instances by their state", "./SCM/Inventory", ODM_ASK_DATA, "Read /9/0; Read /9/2",
         "./SCM/Inventory node; ./SCM/Inventory/Delivered node; ./SCM/Inventory/Delivered/2 node; "
         "./SCM/Inventory/Delivered/2/Name chr=extra; "
         "./SCM/Inventory/Delivered/2/Operations node; "
         "./SCM/Inventory/Delivered/2/Operations/Install null; "
         "./SCM/Inventory/Delivered/2/Operations/InstallInactive null; "
         "./SCM/Inventory/Delivered/2/Operations/Remove null; "
         "./SCM/Inventory/Delivered/2/PkgID chr=extra; ./SCM/Inventory/Delivered/2/State int=10; "
         "./SCM/Inventory/Delivered/2/Status int=10; ./SCM/Inventory/Deployed node; "
         "./SCM/Inventory/Deployed/0 node; ./SCM/Inventory/Deployed/0/ID chr=meterd; "
         "./SCM/Inventory/Deployed/0/Name chr=meterd; "
         "./SCM/Inventory/Deployed/0/Operations node; "
         "./SCM/Inventory/Deployed/0/Operations/Activate null; "
         "./SCM/Inventory/Deployed/0/Operations/Deactivate null; "
         "./SCM/Inventory/Deployed/0/Operations/Remove null; "
         "./SCM/Inventory/Deployed/0/PkgIDRef chr=meterd; ./SCM/Inventory/Deployed/0/State int=20; "
         "./SCM/Inventory/Deployed/0/Status int=10; ./SCM/Inventory/Deployed/0/Version chr=2.4"},
        {"items of a list", "./LAWMO/AvailableWipeList", ODM_ASK_DATA, "Read /8/0/2",
         "./LAWMO/AvailableWipeList node; ./LAWMO/AvailableWipeList/0 node; "
         "./LAWMO/AvailableWipeList/0/ListItemName chr=logs; "
         "./LAWMO/AvailableWipeList/0/ToBeWiped bool=false; ./LAWMO/AvailableWipeList/1 node; "
         "./LAWMO/AvailableWipeList/1/ListItemName chr=readings; "
         "./LAWMO/AvailableWipeList/1/ToBeWiped bool=false"},
        {"what no rule maps, as it is", "./LwM2M/4/0", ODM_ASK_DATA, "Read /4/0",
         "./LwM2M/4/0 node; ./LwM2M/4/0/0 int=6; ./LwM2M/4/0/2 int=-92; ./LwM2M/4/0/4 node; "
         "./LwM2M/4/0/4/0 chr=fe80::1; ./LwM2M/4/0/4/1 chr=10.0.0.7; ./LwM2M/4/0/5 node; "
         "./LwM2M/4/0/5/0 chr=10.0.0.1; ./LwM2M/4/0/7 node; ./LwM2M/4/0/7/0 chr=m2m.example; "
         "./LwM2M/4/0/8 int=4711; ./LwM2M/4/0/9 int=2; ./LwM2M/4/0/10 int=262"},
        {"its objects", "./LwM2M", ODM_ASK_NODE, "",
         "./LwM2M node; ./LwM2M/1 node; ./LwM2M/3 node; ./LwM2M/4 node; ./LwM2M/5 node; "
         "./LwM2M/6 node; ./LwM2M/8 node; ./LwM2M/9 node; ./LwM2M/3303 node"},
        {"its instances", "./LwM2M/9", ODM_ASK_NODE, "Discover /9",
         "./LwM2M/9 node; ./LwM2M/9/0 node; ./LwM2M/9/2 node"},
        {"its resources", "./LwM2M/6/0", ODM_ASK_STRUCT, "Discover /6/0",
         "./LwM2M/6/0 node; ./LwM2M/6/0/0 float; ./LwM2M/6/0/1 float; ./LwM2M/6/0/2 float; "
         "./LwM2M/6/0/5 time"},
};

static void trees_are_as_the_table_says(void **state)
{
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        for (size_t i = 0; i < ODM_COUNT(trees); i++) {
                const struct tree *r = &trees[i];
                const odm_plan_result *got = lab_read(&l, r->path, r->ask);
                if (strcmp(l.log, r->asked) != 0)
                        fail_msg("%s: asked %s", r->why, l.log);
                if (got->status != 200)
                        fail_msg("%s: %u", r->why, got->status);
                if (strcmp(lab_nodes(&l, got->nodes), r->nodes) != 0)
                        fail_msg("%s:\n%s", r->why, lab_nodes(&l, got->nodes));
        }
        lab_close(&l);
}

static void the_whole_device_can_be_read(void **state)
{
        const odm_plan_result *r;
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        r = lab_read(&l, ".", ODM_ASK_DATA);
        assert_string_equal(l.log, "Read /1; Read /3; Read /4; Read /5; Read /6; Read /8; Read /9; "
                                   "Read /3303");
        assert_int_equal(r->status, 200);
        assert_true(r->nodes.n > 150);
        for (size_t i = 1; i < r->nodes.n; i++) { /* parents come before children */
                odm_str p = r->nodes.v[i].path;
                bool found = false;
                while (p.n > 1 && p.p[p.n - 1] != '/')
                        p.n--;
                p.n--;
                for (size_t k = 0; k < i && !found; k++)
                        found = odm_str_eq(r->nodes.v[k].path, p);
                if (!found)
                        fail_msg("no parent of %.*s", (int)r->nodes.v[i].path.n,
                                 r->nodes.v[i].path.p);
        }
        lab_close(&l);
}

static void a_new_device_is_asked_by_one_composite_read(void **state)
{
        const odm_plan_result *r;
        lab l;

        (void)state;
        assert_int_equal(
                lab_open(&l, &heap, "</>;rt=\"oma.lwm2m\";ct=\"110 112\"," LAB_LINKS, "1.1"), 0);
        lab_furnish(&l);
        r = lab_read(&l, "./SCM/Inventory/Deployed", ODM_ASK_DATA);
        assert_string_equal(l.log, "Read-Composite / /9/0 /9/2");
        assert_int_equal(r->status, 200);
        assert_int_equal(r->nodes.n, 12);
        l.refuse = 405; /* it cannot: each by itself, and never again */
        r = lab_read(&l, "./SCM/Inventory/Deployed", ODM_ASK_DATA);
        assert_string_equal(l.log, "Read-Composite /; Read /9/0; Read /9/2");
        assert_int_equal(r->nodes.n, 12);
        r = lab_read(&l, "./SCM/Inventory/Deployed", ODM_ASK_DATA);
        assert_string_equal(l.log, "Read /9/0; Read /9/2");
        lab_close(&l);
}

static void several_paths_share_a_request(void **state)
{
        const odm_str paths[] = {ODM_STR("./DevDetail/FwV"), ODM_STR("./DevDetail/HwV"),
                                 ODM_STR("./Nowhere"), ODM_STR("./LwM2M/3/0/9")};
        odm_plan *p;
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        assert_int_equal(odm_plan_read(l.b, paths, 4, ODM_ASK_NODE, &l.a, &p), 0);
        assert_int_equal(lab_run(&l, p), 0);
        assert_string_equal(l.log, "Read /3/0");
        const odm_plan_result *r = odm_plan_result_of(p);
        assert_string_equal(lab_nodes(&l, r->nodes),
                            "./DevDetail/FwV chr=1.0; ./DevDetail/HwV chr=B; ./LwM2M/3/0/9 int=87");
        lab_close(&l);
}

static void failures_become_statuses(void **state)
{
        static const struct {
                unsigned coap, status;
        } v[] = {{0, 408},   {400, 400}, {401, 425}, {402, 400}, {403, 403}, {404, 404},
                 {405, 405}, {408, 400}, {412, 400}, {413, 413}, {415, 415}, {500, 500},
                 {501, 406}, {503, 503}, {504, 500}, {499, 400}};
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                l.refuse = v[i].coap;
                l.silent = v[i].coap == 0;
                const odm_plan_result *r = lab_read(&l, "./DevDetail/FwV", ODM_ASK_NODE);
                if (r->status != v[i].status)
                        fail_msg("%u became %u", v[i].coap, r->status);
                assert_non_null(r->text.p);
                l.refuse = 0;
        }
        lab_close(&l);
}

/* A manufacturer that the device does not have is empty; one that it cannot tell now is not. */
static void what_is_not_told_is_not_empty(void **state)
{
        static const struct {
                unsigned coap, status;
                const char *nodes;
        } v[] = {{404, 200, "./DevInfo/Man chr="},
                 {500, 500, ""},
                 {503, 503, ""},
                 {0, 408, ""},
                 {401, 425, ""}};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                lab l;

                lab_begin(&l, LAB_LINKS);
                l.refuse = v[i].coap;
                l.silent = v[i].coap == 0;
                const odm_plan_result *r = lab_read(&l, "./DevInfo/Man", ODM_ASK_NODE);
                if (r->status != v[i].status || strcmp(lab_nodes(&l, r->nodes), v[i].nodes) != 0)
                        fail_msg("%u: %u %s", v[i].coap, r->status, lab_nodes(&l, r->nodes));
                lab_close(&l);
        }
}

static void a_format_that_is_refused_is_left_to_the_device(void **state)
{
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        l.refuse = 406;
        const odm_plan_result *r = lab_read(&l, "./DevInfo", ODM_ASK_DATA);
        assert_string_equal(l.log, "Read /3/0; Read /3/0");
        assert_int_equal(r->status, 200);
        lab_close(&l);
}

static void objects_are_known_by_their_identifiers(void **state)
{
        odm_str *v, all = ODM_STR("");
        size_t n;
        lab l;

        (void)state;
        lab_begin(&l, "</1/0>,</3/0>,</5/0>,</4/0>");
        assert_int_equal(odm_bridge_mos(l.b, &l.a, &v, &n), 0);
        for (size_t i = 0; i < n; i++)
                all = odm_arena_fmt(&l.a, "%s %.*s", all.p, (int)(v[i].n - 11), v[i].p + 11);
        assert_str(all, " oma-dm-devinfo:1.0 oma-dm-devdetail:1.0 oma-fumo:1.0 oma-diag:memory:1.0 "
                        "oma-diag:batteryinfo:1.0 oma-diag:restart:1.0 oma-lawmo:1.0 "
                        "oma-connmo-nap:1.0 ext-etsi-mandmo:1.0");
        /* which radio it has is known once it was read */
        (void)lab_read(&l, "./DiagMon/RF", ODM_ASK_DATA);
        size_t before = n;
        assert_int_equal(odm_bridge_mos(l.b, &l.a, &v, &n), 0);
        assert_int_equal(n, before + 1);
        lab_close(&l);
}

static void what_it_tells_is_told_in_the_tree(void **state)
{
        odm_bridge_news n;
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        n = lab_told(&l, "/3/0/9");
        assert_string_equal(lab_nodes(&l, n.nodes),
                            "./DiagMon/Battery/DiagMonData/1/BatteryLevel int=87");
        n = lab_told(&l, "/3/0/0");
        assert_string_equal(lab_nodes(&l, n.nodes),
                            "./DevInfo/Man chr=Acme; ./DevDetail/OEM chr=Acme");
        n = lab_told(&l, "/9/0");
        assert_string_equal(lab_nodes(&l, n.nodes),
                            "./SCM/Inventory/Deployed/0/ID chr=meterd; "
                            "./SCM/Inventory/Deployed/0/PkgIDRef chr=meterd; "
                            "./SCM/Inventory/Deployed/0/Name chr=meterd; "
                            "./SCM/Inventory/Deployed/0/Version chr=2.4; ./LwM2M/9/0/7 int=4; "
                            "./LwM2M/9/0/9 int=2; ./SCM/Inventory/Deployed/0/State int=20");
        lab_set(&l, "/3303/0/5700", "AA==");
        lab_close(&l);
}

static void error_codes_are_traps(void **state)
{
        odm_bridge_news n;
        odm_buf saved;
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        assert_int_equal(lab_told(&l, "/3/0/11").n_alerts, 0); /* 0: no error */
        lab_set(&l, "/3/0/11/0", "1");
        lab_set(&l, "/3/0/11/1", "7");
        n = lab_told(&l, "/3/0/11");
        assert_int_equal(n.n_alerts, 2);
        assert_str(n.alert[0].source, "./Trap/error1");
        assert_str(n.alert[0].type, "urn:oma:at:diagmon:1.0:TrapNotification");
        assert_str(n.alert[0].mark, "warning");
        assert_str(n.alert[1].source, "./Trap/error7");
        assert_int_equal(lab_told(&l, "/3/0/11").n_alerts, 0); /* still */
        odm_buf_init(&saved, &heap, 65536);
        assert_true(odm_bridge_dirty(l.b));
        assert_int_equal(odm_bridge_save(l.b, &saved), 0);
        assert_false(odm_bridge_dirty(l.b));
        const odm_plan_result *r = lab_read(&l, "./Trap", ODM_ASK_DATA);
        assert_string_equal(
                lab_nodes(&l, r->nodes),
                "./Trap node; ./Trap/error1 node urn:oma:mo:x-xrem-trap-error:1.0; "
                "./Trap/error1/Status int=20; "
                "./Trap/error1/TrapID chr=urn:oma:mo:x-xrem-trap-error:1.0/error1; "
                "./Trap/error7 node urn:oma:mo:x-xrem-trap-error:1.0; ./Trap/error7/Status int=20; "
                "./Trap/error7/TrapID chr=urn:oma:mo:x-xrem-trap-error:1.0/error7");
        lab_close(&l);

        /* the gateway was away meanwhile: what was active is, what is not any more is told */
        lab_begin(&l, LAB_LINKS);
        assert_int_equal(odm_bridge_load(l.b, odm_buf_view(&saved), (odm_time){0}), 0);
        odm_buf_done(&saved);
        lab_set(&l, "/3/0/11/0", "7");
        n = lab_told(&l, "/3/0/11");
        assert_int_equal(n.n_alerts, 1);
        assert_str(n.alert[0].source, "./Trap/error1");
        assert_str(n.alert[0].type, "urn:oma:at:diagmon:1.0:TrapInactiveNotification");
        r = lab_read(&l, "./Trap/error1/Status", ODM_ASK_NODE);
        assert_string_equal(lab_nodes(&l, r->nodes), "./Trap/error1/Status int=10");
        lab_close(&l);
}

static void what_is_ordered_is_observed_and_reported(void **state)
{
        static const struct row {
                const char *why, *leaf, *value;
                odm_format format;
                unsigned status;
        } rows[] = {
                {"what it is about", "Ref", "./LwM2M/3/0/9", ODM_FMT_CHR, 200},
                {"seconds", "pmin", "5", ODM_FMT_INT, 200},
                {"no number", "pmax", "soon", ODM_FMT_INT, 415},
                {"a limit", "gt", "90.5", ODM_FMT_FLOAT, 200},
                {"no limit", "lt", "-", ODM_FMT_FLOAT, 415},
                {"the adapter's", "Status", "200", ODM_FMT_INT, 405},
                {"no such leaf", "step", "1", ODM_FMT_INT, 404},
        };
        odm_bridge_observation o[ODM_BRIDGE_OBSERVE];
        odm_bridge_news n;
        odm_plan *p;
        char path[64];
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        assert_int_equal(lab_told(&l, "/3/0/9").n_alerts, 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                snprintf(path, sizeof path, "./LwM2M/Observe/a/%s", rows[i].leaf);
                unsigned got = lab_create(&l, path, rows[i].format, rows[i].value);
                if (got != rows[i].status)
                        fail_msg("%s: %u", rows[i].why, got);
        }
        assert_true(odm_bridge_observe_news(l.b));
        assert_false(odm_bridge_observe_news(l.b));
        assert_int_equal(odm_bridge_observations(l.b, o), 1);
        assert_str(o[0].name, "a");
        assert_true(o[0].there);
        assert_int_equal(o[0].attrs.has, ODM_LW_PMIN | ODM_LW_GT);
        lab_forget(&l);
        l.refuse = 405; /* it takes no attributes */
        assert_int_equal(odm_plan_watch(l.b, &o[0], &l.a, &p), 0);
        assert_int_equal(lab_run(&l, p), 0);
        assert_non_null(strstr(l.log, "Observe /3/0/9"));
        n = lab_told(&l, "/3/0/9"); /* 87 */
        assert_int_equal(n.n_alerts, 1);
        assert_str(n.alert[0].source, "./LwM2M/3/0/9");
        assert_int_equal(lab_create(&l, "./LwM2M/Observe/a/Ref", ODM_FMT_CHR,
                                    "./DiagMon/Battery/DiagMonData/1/BatteryLevel"),
                         200);
        n = lab_told(&l, "/3/0/9");
        assert_int_equal(n.n_alerts, 1);
        assert_str(n.alert[0].type, "urn:oma:at:diagmon:1.0:CollectedSimpleDataReport");
        assert_str(n.alert[0].source, "./DiagMon/Battery/DiagMonData/1/BatteryLevel");
        assert_str(n.alert[0].data, "87");
        lab_set(&l, "/3/0/9", "91");
        n = lab_told(&l, "/3/0/9");
        assert_int_equal(n.n_alerts, 2);
        assert_str(n.alert[1].source, "./LwM2M/Observe/a");
        assert_str(n.alert[1].type, "urn:oma:at:diagmon:1.0:TrapNotification");
        assert_int_equal(lab_told(&l, "/3/0/9").n_alerts, 1); /* still */
        lab_set(&l, "/3/0/9", "90");
        n = lab_told(&l, "/3/0/9");
        assert_str(n.alert[1].type, "urn:oma:at:diagmon:1.0:TrapInactiveNotification");
        for (int i = 1; i < ODM_BRIDGE_OBSERVE; i++) {
                snprintf(path, sizeof path, "./LwM2M/Observe/b%d", i);
                assert_int_equal(lab_create(&l, path, ODM_FMT_NODE, NULL), 200);
        }
        assert_int_equal(lab_create(&l, "./LwM2M/Observe/c", ODM_FMT_NODE, NULL), 420);
        lab_close(&l);
}

/* "a-b" stands between "a" and "a/Ref", where what is kept is in order. */
static void observations_of_like_names_are_told_once(void **state)
{
        odm_bridge_observation o[ODM_BRIDGE_OBSERVE];
        lab l;

        (void)state;
        lab_begin(&l, LAB_LINKS);
        assert_int_equal(lab_create(&l, "./LwM2M/Observe/a/Ref", ODM_FMT_CHR, "./LwM2M/3/0/9"),
                         200);
        assert_int_equal(lab_create(&l, "./LwM2M/Observe/a-b/Ref", ODM_FMT_CHR, "./LwM2M/3/0/13"),
                         200);
        assert_int_equal(odm_bridge_observations(l.b, o), 2);
        assert_int_equal(lab_told(&l, "/3/0/9").n_alerts, 1);
        lab_close(&l);
}

static void another_root_is_understood(void **state)
{
        lab l;

        (void)state;
        lab_begin(&l, "</m>;rt=\"oma.lwm2m\",</m/1/0>,</m/3/0>");
        const odm_plan_result *r = lab_read(&l, "./DevDetail/FwV", ODM_ASK_NODE);
        assert_int_equal(r->status, 200);
        lab_close(&l);
}

static int read_all(failing *f, void *arg)
{
        const odm_str path = ODM_STR(".");
        odm_arena a;
        odm_plan *p;
        lab l;

        (void)arg;
        odm_arena_init(&a, &f->mem, 4 << 20);
        int rc = lab_open(&l, &f->mem, LAB_LINKS, "1.0");
        if (rc == 0) {
                lab_furnish(&l);
                rc = odm_plan_read(l.b, &path, 1, ODM_ASK_STRUCT, &a, &p);
        }
        if (rc == 0)
                rc = lab_run(&l, p);
        lab_close(&l);
        odm_arena_done(&a);
        return rc;
}

static void it_survives_want_of_memory(void **state)
{
        (void)state;
        torture(read_all, NULL, 60);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_leaf_is_what_the_map_says),
                cmocka_unit_test(a_gateway_of_its_own_kind_tells_what_is_behind_it),
                cmocka_unit_test(trees_are_as_the_table_says),
                cmocka_unit_test(the_whole_device_can_be_read),
                cmocka_unit_test(a_new_device_is_asked_by_one_composite_read),
                cmocka_unit_test(several_paths_share_a_request),
                cmocka_unit_test(failures_become_statuses),
                cmocka_unit_test(what_is_not_told_is_not_empty),
                cmocka_unit_test(a_format_that_is_refused_is_left_to_the_device),
                cmocka_unit_test(objects_are_known_by_their_identifiers),
                cmocka_unit_test(what_it_tells_is_told_in_the_tree),
                cmocka_unit_test(error_codes_are_traps),
                cmocka_unit_test(what_is_ordered_is_observed_and_reported),
                cmocka_unit_test(observations_of_like_names_are_told_once),
                cmocka_unit_test(another_root_is_understood),
                cmocka_unit_test(it_survives_want_of_memory),
        };
        lab_map_path = argc > 1 ? argv[1] : "apps/grem/maps/lwm2m.map";
        return RUN_TESTS(tests);
}
