/* SPDX-License-Identifier: Apache-2.0 */
/* gwlink_test.c - what a device behind a gateway tells, and whom. */
#include <string.h>

#include "mo.h"
#include "stand.h"
#include "support.h"

#define AT "./GwMO/Config"
#define SERVERS "urn:oma:at:oma-gwmo:BootstrappedDMSList:1.0"
#define GATEWAY "urn:oma:at:oma-gwmo:AssociatedGateway:1.0"
#define NOW ((odm_wall){1767323045})

static const part_class *const classes[] = {&part_gwlink, NULL};
static odm_provider accounts;

static void on_tell(void *ctx, odm_str server)
{
        (void)ctx;
        (void)server;
}

static const parts_agent agent = {.tell = on_tell};

static void start(void)
{
        accounts = (odm_provider){.name = "dmacc", .mo = &odm_mo_dmacc};
        stand_start(classes, &accounts, &agent);
}

static int set_up(void **unused)
{
        (void)unused;
        stand_open();
        stand_configure("");
        start();
        return 0;
}

static int tear_down(void **unused)
{
        (void)unused;
        stand_stop();
        stand_close();
        return 0;
}

static void write(const char *uri, const char *text)
{
        const odm_value v = {.format = ODM_FMT_CHR, .data = odm_cstr(text)};

        assert_int_equal(odm_tree_write(stand.tree, odm_cstr(uri), &v, NOW), 0);
}

static void put_account(const char *name, const char *server)
{
        char uri[64];

        snprintf(uri, sizeof uri, "./DMAcc/%s/AppID", name);
        write(uri, "w7");
        snprintf(uri, sizeof uri, "./DMAcc/%s/ServerID", name);
        write(uri, server);
        snprintf(uri, sizeof uri, "./DMAcc/%s/AppAddr/1/Addr", name);
        write(uri, "http://127.0.0.1/dm");
}

/* As the gateway does, whose account is "srv"'s. */
static void be_told(const char *mode, const char *addr)
{
        static const char *const inner[] = {AT, AT "/GwAddress", AT "/Ext"};
        const struct {
                const char *uri, *data;
        } leaves[] = {
                {AT "/Mode", mode}, {AT "/GwAddress/Addr", addr}, {AT "/Ext/ServerID", "srv"}};

        for (size_t i = 0; i < ODM_COUNT(inner); i++)
                if (!odm_tree_exists(stand.tree, odm_cstr(inner[i]))) {
                        odm_op op = {.kind = ODM_CMD_ADD,
                                     .target = odm_cstr(inner[i]),
                                     .server = ODM_STR("srv"),
                                     .value = {.format = ODM_FMT_NODE}};
                        odm_answer out;
                        odm_arena a;
                        odm_arena_init(&a, &heap, 65536);
                        assert_int_equal(odm_tree_do(stand.tree, &op, NOW, &a, &out), 0);
                        assert_int_equal(out.status, 200);
                        odm_arena_done(&a);
                }
        for (size_t i = 0; i < ODM_COUNT(leaves); i++) {
                bool there = odm_tree_exists(stand.tree, odm_cstr(leaves[i].uri));
                assert_int_equal(stand_operate(there ? ODM_CMD_REPLACE : ODM_CMD_ADD, leaves[i].uri,
                                               leaves[i].data, NOW),
                                 200);
        }
}

/* What is told after a session: "SERVER TYPE=DATA;" of each, in their order. */
static void expect(const char *why, const char *want)
{
        char got[512] = "";
        size_t n = 0;

        parts_rest(stand.parts, true);
        while (state_alerts(stand.journal)) {
                const state_alert *x = state_alert_at(stand.journal, 0);
                bool gateway = odm_str_is(x->alert.type, GATEWAY);
                assert_true(gateway || odm_str_is(x->alert.type, SERVERS));
                assert_true(odm_str_is(x->alert.source, gateway ? AT : "./DMAcc"));
                n += (size_t)snprintf(got + n, sizeof got - n, "%.*s %s=%.*s;", (int)x->server.n,
                                      x->server.p, gateway ? "gateway" : "servers",
                                      (int)x->alert.data.n, x->alert.data.p);
                state_alert_done(stand.journal, x->alert.id);
        }
        if (strcmp(got, want) != 0)
                fail_msg("%s: '%s' instead of '%s'", why, got, want);
}

static void servers_and_gateway_hear_of_each_other(void **unused)
{
        (void)unused;
        put_account("a", "srv");
        expect("no gateway yet", "");
        be_told("2", "udp://10.0.0.1:2948");
        expect("it manages the device", "srv servers=srv;");
        put_account("b", "own");
        expect("a server of its own", "srv servers=srv own;");
        be_told("1", "udp://10.0.0.1:2948");
        expect("which manages it now", "own gateway=udp://10.0.0.1:2948;");
        expect("once", "");
        put_account("c", "third");
        expect("another", "srv servers=srv own third;third gateway=udp://10.0.0.1:2948;");
        be_told("1", "udp://10.0.0.2:2948");
        expect("it moved", "own gateway=udp://10.0.0.2:2948;third gateway=udp://10.0.0.2:2948;");
        stand_stop();
        start();
        expect("nor after a start", "");
        assert_string_equal(stand_get(AT "/BootstrappedDMS/03"), "third");
        be_told("1", "");
        expect("nobody knows where it is", "");
}

static void a_gateway_takes_its_object_with_it(void **unused)
{
        const odm_op op = {.kind = ODM_CMD_DELETE, .target = ODM_STR("./DMAcc/a")};
        odm_answer out;
        odm_arena a;

        (void)unused;
        put_account("a", "srv");
        put_account("b", "own");
        be_told("1", "h:1");
        expect("both", "srv servers=srv own;own gateway=h:1;");
        odm_arena_init(&a, &heap, 65536);
        assert_int_equal(odm_tree_do(stand.tree, &op, NOW, &a, &out), 0);
        assert_int_equal(out.status, 200);
        odm_arena_done(&a);
        expect("nobody", "");
        assert_false(odm_tree_exists(stand.tree, ODM_STR(AT)));
        assert_true(odm_tree_exists(stand.tree, ODM_STR("./GwMO")));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(servers_and_gateway_hear_of_each_other),
                TEST(a_gateway_takes_its_object_with_it),
        };
        return RUN_TESTS(tests);
}
