/* SPDX-License-Identifier: Apache-2.0 */
#include "conf.h"

#include "support.h"

static const struct row {
        const char *why, *in;
        int rc;
        const char *says; /* part of the reason */
} rows[] = {
        {"nothing set", "", 0, ""},
        {"several listeners", "[dm]\nlisten = :8080, 127.0.0.1:9000\n", 0, ""},
        {"a key unknown", "[dm]\nlisten = :8080\nport = 1\n", ODM_EMALFORMED, "nremd.conf:3:"},
        {"a section unknown", "[dam]\nlisten = :8080\n", ODM_EMALFORMED, "nremd.conf:"},
        {"a duration that is none", "[jobs]\nttl = soon\n", ODM_EMALFORMED, "nremd.conf:2:"},
        {"a word that is no choice", "[dm]\nunknown = maybe\n", ODM_EMALFORMED, "nremd.conf:2:"},
        {"an address without a port", "[dm]\nlisten = 127.0.0.1\n", ODM_EINVAL, "dm.listen"},
        {"TLS without a certificate", "[dm]\nlisten_tls = :8443\n", ODM_EINVAL, "tls.cert"},
        {"TLS with one", "[dm]\nlisten_tls = :8443\n[tls]\ncert = c.pem\nkey = k.pem\n", 0, ""},
        {"no listener at all", "[dm]\nlisten =\n[api]\nlisten =\n", ODM_EINVAL, "listener"},
        {"a path that is none", "[dm]\npath = dm\n", ODM_EINVAL, "dm.path"},
        {"a path of REST", "[dm]\npath = /api/v1\n", ODM_EINVAL, "dm.path"},
        {"a server id with a colon", "[dm]\nserver_id = a:b\n", ODM_EINVAL, "dm.server_id"},
        {"a URL that is none", "[dm]\nurl = coap://x/dm\n", ODM_EINVAL, "dm.url"},
};

static void refuses_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                cfg *c;
                diag d = {{0}};
                assert_int_equal(cfg_new(conf_keys, conf_keys_n, &c), 0);
                int rc = cfg_parse(c, odm_cstr(rows[i].in), "nremd.conf", &d);
                if (rc == 0)
                        rc = conf_check(c, &d);
                if (rc != rows[i].rc || !strstr(d.text, rows[i].says))
                        fail_msg("%s: %s '%s'", rows[i].why, odm_err_name(rc), d.text);
                cfg_free(c);
        }
}

static void finds_paths_in_the_state_folder(void **state)
{
        cfg *c;
        char path[CONF_PATH] = "before";

        (void)state;
        assert_int_equal(cfg_new(conf_keys, conf_keys_n, &c), 0);
        assert_int_equal(cfg_set(c, "server.state=/var/x", NULL), 0);
        assert_int_equal(cfg_set(c, "store.path=/else/where.db", NULL), 0);
        assert_int_equal(conf_state_path(c, "tls.tickets", "ticket.key", path, NULL), 0);
        assert_string_equal(path, "/var/x/ticket.key");
        assert_int_equal(conf_state_path(c, "store.path", "nrem.db", path, NULL), 0);
        assert_string_equal(path, "/else/where.db");
        cfg_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(refuses_as_the_table_says),
                cmocka_unit_test(finds_paths_in_the_state_folder),
        };
        return RUN_TESTS(tests);
}
