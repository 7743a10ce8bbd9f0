/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts as the tree has them, and what ./DMAcc does when one goes (dm-stdobj.md 1). */
#include "stage.h"

static void leaves(struct stage *s, const char *const (*rows)[2], size_t n)
{
        for (size_t i = 0; i < n; i++)
                sets(s, rows[i][0], rows[i][1]);
}

static void an_account_is_read_whole(void **state)
{
        struct stage s;
        odm_account a;
        odm_str uri = ODM_STR("./DMAcc/main");

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_DIGEST);
        assert_int_equal(odm_account_read(s.tree, uri, &s.a, &a), 0);
        assert_str(a.uri, "./DMAcc/main");
        assert_str(a.server_id, "com.mgmtsrv.manage");
        assert_str(a.addr, "https://dm.example/s");
        assert_str(a.user, "dev-0001");
        assert_str(a.password, "s3cr3t-pw");
        assert_int_equal(a.type, ODM_AUTH_MD5);
        assert_true(a.has_nonce);
        assert_int_equal(a.nonce.n, 16);
        assert_str(a.nonce_uri, "./DMAcc/main/AppAuth/1/AAuthData");
        assert_str(a.server_user, "com.mgmtsrv.manage");
        assert_str(a.server_password, "srv-pass");
        assert_int_equal(a.server_type, ODM_AUTH_MD5);
        assert_int_equal(a.server_nonce.p[0], 0xa0);
        assert_str(a.server_nonce_uri, "./DMAcc/main/AppAuth/2/AAuthData");
        sets(&s, "./DMAcc/main/AAuthPref", "HMAC");
        assert_int_equal(odm_account_read(s.tree, uri, &s.a, &a), 0);
        assert_int_equal(a.type, ODM_AUTH_MAC);
        stage_close(&s);
}

static void addresses_without_scheme_get_one(void **state)
{
        static const struct row {
                const char *addr, *type, *port, *url;
        } rows[] = {
                {"192.0.2.7", "IPv4", "8080", "http://192.0.2.7:8080/"},
                {"192.0.2.7", "IPv4", NULL, "http://192.0.2.7/"},
                {"2001:db8::1", "IPv6", "80", "http://[2001:db8::1]:80/"},
                {"https://192.0.2.7/dm", "IPv4", NULL, "https://192.0.2.7/dm"},
                {"https://x.example/dm", "", NULL, "https://x.example/dm"},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                struct stage s;
                odm_account a;
                begins(&s, &odm_codec_xml, STAGE_OPEN);
                sets(&s, "./DMAcc/main/AppAddr/1/Addr", rows[i].addr);
                sets(&s, "./DMAcc/main/AppAddr/1/AddrType", rows[i].type);
                if (rows[i].port)
                        sets(&s, "./DMAcc/main/AppAddr/1/Port/1/PortNbr", rows[i].port);
                assert_int_equal(odm_account_read(s.tree, ODM_STR("./DMAcc/main"), &s.a, &a), 0);
                assert_str(a.addr, rows[i].url);
                stage_close(&s);
        }
}

static void half_accounts_are_none(void **state)
{
        static const struct row {
                const char *why, *uri, *value;
                int rc;
        } rows[] = {
                {"no AppID", "./DMAcc/main/AppID", "", ODM_ENOENT},
                {"another application", "./DMAcc/main/AppID", "w2", ODM_EUNSUPPORTED},
                {"no ServerID", "./DMAcc/main/ServerID", "", ODM_ENOENT},
                {"no address", "./DMAcc/main/AppAddr/1/Addr", "", ODM_ENOENT},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                struct stage s;
                odm_account a = {.uri = ODM_STR("before")};
                begins(&s, &odm_codec_xml, STAGE_OPEN);
                sets(&s, rows[i].uri, rows[i].value);
                int rc = odm_account_read(s.tree, ODM_STR("./DMAcc/main"), &s.a, &a);
                if (rc != rows[i].rc)
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
                assert_str(a.uri, "before");
                assert_int_equal(odm_account_find(s.tree, ODM_ABSENT, &s.a, &a), ODM_ENOENT);
                stage_close(&s);
        }
}

static const char *const second[][2] = {
        {"./DMAcc/b/AppID", "w7"},
        {"./DMAcc/b/ServerID", "srv-b"},
        {"./DMAcc/b/AppAddr/1/Addr", "https://b.example/"},
};

static void accounts_are_found_by_their_server(void **state)
{
        struct stage s;
        odm_account a;

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        leaves(&s, second, ODM_COUNT(second));
        assert_int_equal(odm_account_find(s.tree, ODM_STR("com.mgmtsrv.manage"), &s.a, &a), 0);
        assert_str(a.uri, "./DMAcc/main");
        assert_int_equal(odm_account_find(s.tree, ODM_STR("srv-b"), &s.a, &a), 0);
        assert_str(a.uri, "./DMAcc/b");
        assert_int_equal(odm_account_find(s.tree, ODM_STR("srv"), &s.a, &a), ODM_ENOENT);
        assert_int_equal(odm_account_find(s.tree, ODM_ABSENT, &s.a, &a), 0);
        stage_close(&s);
}

static void accounts_elsewhere_are_found_by_their_identifier(void **state)
{
        static const char *const ids[] = {"urn:oma:mo:oma-dm-dmacc:1.0",
                                          "urn:oma:mo:oma-dm-dmacc:1.1"};
        static const char *const half[][2] = {{"./Half/AppID", "w7"}};
        static const char *const whole[][2] = {
                {"./Other/AppID", "w7"},
                {"./Other/ServerID", "srv-c"},
                {"./Other/AppAddr/1/Addr", "https://c.example/"},
        };
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(ids); i++) {
                static const char *const places[] = {"./Half", "./Other"};
                struct stage s;
                odm_account a = {.uri = ODM_STR("before")};
                begins(&s, &odm_codec_xml, STAGE_OPEN);
                for (size_t k = 0; k < ODM_COUNT(places); k++) {
                        odm_op op = {.kind = ODM_CMD_ADD, .target = odm_cstr(places[k])};
                        odm_answer got = {.status = 0};
                        op.value = (odm_value){.format = ODM_FMT_NODE, .type = odm_cstr(ids[i])};
                        assert_int_equal(odm_tree_do(s.tree, &op, s.wall, &s.a, &got), 0);
                        assert_int_equal(got.status, 200);
                }
                leaves(&s, half, ODM_COUNT(half)); /* comes first, and is no account */
                leaves(&s, whole, ODM_COUNT(whole));
                assert_int_equal(odm_account_find(s.tree, ODM_STR("srv-c"), &s.a, &a), 0);
                assert_str(a.uri, "./Other");
                assert_int_equal(odm_account_find(s.tree, ODM_STR("srv-d"), &s.a, &a), ODM_ENOENT);
                assert_str(a.uri, "./Other");
                stage_close(&s);
        }
}

static void the_preferred_credentials_count(void **state)
{
        static const char *const more[][2] = {
                {"./DMAcc/main/AppAuth/3/AAuthLevel", "CLCRED"},
                {"./DMAcc/main/AppAuth/3/AAuthType", "BASIC"},
                {"./DMAcc/main/AppAuth/3/AAuthName", "other"},
                {"./DMAcc/main/AppAuth/3/AAuthSecret", "pw"},
                {"./DMAcc/main/AppAuth/4/AAuthLevel", "SRVCRED"},
                {"./DMAcc/main/AppAuth/4/AAuthType", "BASIC"},
                {"./DMAcc/main/AppAuth/4/AAuthName", "a second one"},
        };
        char data[300];
        struct stage s;
        odm_account a;

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_DIGEST);
        leaves(&s, more, ODM_COUNT(more));
        assert_int_equal(odm_account_read(s.tree, ODM_STR("./DMAcc/main"), &s.a, &a), 0);
        assert_str(a.user, "dev-0001"); /* the first, when none is preferred */
        assert_str(a.server_user, "com.mgmtsrv.manage");
        sets(&s, "./DMAcc/main/AAuthPref", "BASIC");
        assert_int_equal(odm_account_read(s.tree, ODM_STR("./DMAcc/main"), &s.a, &a), 0);
        assert_str(a.user, "other");
        assert_int_equal(a.type, ODM_AUTH_BASIC);
        assert_false(a.has_nonce);
        assert_str(a.server_user, "com.mgmtsrv.manage");
        memset(data, 'x', sizeof data); /* data of another kind is no nonce */
        data[sizeof data - 1] = '\0';
        sets(&s, "./DMAcc/main/AppAuth/3/AAuthData", data);
        assert_int_equal(odm_account_read(s.tree, ODM_STR("./DMAcc/main"), &s.a, &a), 0);
        assert_false(a.has_nonce);
        assert_str(a.nonce_uri, "./DMAcc/main/AppAuth/3/AAuthData");
        stage_close(&s);
}

static unsigned does(struct stage *s, odm_cmd kind, const char *target, const char *data)
{
        odm_op op = {.kind = kind, .target = odm_cstr(target)};
        odm_answer a = {.status = 0};

        op.value.data = odm_cstr(data);
        op.has_value = data != NULL;
        assert_int_equal(odm_tree_do(s->tree, &op, s->wall, &s->a, &a), 0);
        return a.status;
}

static odm_str acl_of(struct stage *s, const char *uri)
{
        odm_op op = {.kind = ODM_CMD_GET, .target = odm_cstr(uri)};
        odm_answer a = {.status = 0};

        assert_int_equal(odm_tree_do(s->tree, &op, s->wall, &s->a, &a), 0);
        assert_int_equal(a.status, 200);
        return odm_arena_copy(&s->a, a.results->value.data);
}

static void a_server_that_goes_loses_its_rights(void **state)
{
        struct stage s;

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        leaves(&s, second, ODM_COUNT(second));
        assert_int_equal(does(&s, ODM_CMD_REPLACE, "./A?prop=ACL",
                              "Get=srv-b+com.mgmtsrv.manage&Replace=srv-b"),
                         200);
        assert_int_equal(does(&s, ODM_CMD_DELETE, "./DMAcc/b", NULL), 200);
        assert_str(acl_of(&s, "./A?prop=ACL"), "Get=com.mgmtsrv.manage");
        assert_int_equal(does(&s, ODM_CMD_DELETE, "./DMAcc/main", NULL), 403);
        assert_string_equal(value_of(&s, "./DMAcc/main/AppID"), "w7");
        assert_str(acl_of(&s, "./A?prop=ACL"), "Get=com.mgmtsrv.manage");
        stage_close(&s);
}

static void a_server_with_two_accounts_keeps_them(void **state)
{
        struct stage s;

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        leaves(&s, second, ODM_COUNT(second));
        sets(&s, "./DMAcc/b/ServerID", "com.mgmtsrv.manage");
        assert_int_equal(does(&s, ODM_CMD_REPLACE, "./A?prop=ACL", "Get=com.mgmtsrv.manage"), 200);
        assert_int_equal(does(&s, ODM_CMD_DELETE, "./DMAcc/b", NULL), 200);
        assert_str(acl_of(&s, "./A?prop=ACL"), "Get=com.mgmtsrv.manage");
        stage_close(&s);
}

static unsigned asks(struct stage *s, const char *server, odm_cmd kind, const char *target,
                     const char *data)
{
        odm_op op = {.kind = kind, .target = odm_cstr(target), .server = odm_cstr(server)};
        odm_answer a = {.status = 0};

        op.value.data = odm_cstr(data);
        op.has_value = true;
        assert_int_equal(odm_tree_do(s->tree, &op, s->wall, &s->a, &a), 0);
        return a.status;
}

/* Who may make accounts, or change its own, does not become another by that. */
static void no_server_takes_the_name_of_another(void **state)
{
        static const struct {
                const char *why, *uri, *id;
                odm_cmd kind;
                unsigned status;
        } rows[] = {
                {"a new account", "./DMAcc/x/ServerID", "com.mgmtsrv.manage", ODM_CMD_ADD, 403},
                {"its own", "./DMAcc/b/ServerID", "com.mgmtsrv.manage", ODM_CMD_REPLACE, 403},
                {"a second of its own", "./DMAcc/x/ServerID", "srv-b", ODM_CMD_ADD, 200},
                {"one of nobody's", "./DMAcc/y/ServerID", "srv-c", ODM_CMD_ADD, 200},
                {"as it was", "./DMAcc/b/ServerID", "srv-b", ODM_CMD_REPLACE, 200},
        };
        struct stage s;

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        leaves(&s, second, ODM_COUNT(second));
        assert_int_equal(does(&s, ODM_CMD_REPLACE, "./DMAcc?prop=ACL", "Add=*&Replace=srv-b"), 200);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                unsigned got = asks(&s, "srv-b", rows[i].kind, rows[i].uri, rows[i].id);
                if (got != rows[i].status)
                        fail_msg("%s: %u", rows[i].why, got);
        }
        assert_string_equal(value_of(&s, "./DMAcc/b/ServerID"), "srv-b");
        stage_close(&s);
}

static void an_account_may_be_replaced_in_one_go(void **state)
{
        struct stage s;
        unsigned status = 0;

        (void)state;
        begins(&s, &odm_codec_xml, STAGE_OPEN);
        assert_int_equal(odm_tree_begin(s.tree, s.wall), 0);
        assert_int_equal(does(&s, ODM_CMD_DELETE, "./DMAcc/main", NULL), 200);
        leaves(&s, second, ODM_COUNT(second));
        assert_int_equal(odm_tree_commit(s.tree, &status), 0);
        assert_int_equal(status, 200);
        assert_string_equal(value_of(&s, "./DMAcc/b/ServerID"), "srv-b");
        assert_string_equal(value_of(&s, "./DMAcc/main/ServerID"), "(none)");
        stage_close(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_account_is_read_whole),
                cmocka_unit_test(addresses_without_scheme_get_one),
                cmocka_unit_test(half_accounts_are_none),
                cmocka_unit_test(accounts_are_found_by_their_server),
                cmocka_unit_test(accounts_elsewhere_are_found_by_their_identifier),
                cmocka_unit_test(the_preferred_credentials_count),
                cmocka_unit_test(a_server_that_goes_loses_its_rights),
                cmocka_unit_test(a_server_with_two_accounts_keeps_them),
                cmocka_unit_test(no_server_takes_the_name_of_another),
                cmocka_unit_test(an_account_may_be_replaced_in_one_go),
        };
        return RUN_TESTS(tests);
}
