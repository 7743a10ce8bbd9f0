/* SPDX-License-Identifier: Apache-2.0 */
#include "conf.h"

#include "fsio.h"
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
        {"descriptions", "[ddf]\npaths = /a, /b/c.ddf\n", 0, ""},
        {"descriptions near by", "[ddf]\npaths = /a, b\n", ODM_EINVAL, "ddf.paths: b"},
        {"a URL that is none", "[dm]\nurl = coap://x/dm\n", ODM_EINVAL, "dm.url"},
        {"a path of packages", "[dm]\npath = /packages/x\n", ODM_EINVAL, "dm.path"},
        {"packages elsewhere", "[packages]\nurl = https://cdn.example/x\n", 0, ""},
        {"packages nowhere", "[packages]\nurl = ftp://x\n", ODM_EINVAL, "packages.url"},
        {"packages with a query", "[packages]\nurl = http://x/?a\n", ODM_EINVAL, "packages.url"},
        {"signed by nobody", "[packages]\nsigned = yes\n", ODM_EINVAL, "packages.keys"},
        {"signed", "[packages]\nsigned = yes\nkeys = /etc/keys\n", 0, ""},
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

/* Whether a line of the document begins with `mark` followed by the key without its section. */
static bool tells(const char *doc, const char *mark, const char *key, const char *end)
{
        char want[128];

        (void)snprintf(want, sizeof want, "\n%s%s%s", mark, strchr(key, '.') + 1, end);
        return strstr(doc, want) != NULL;
}

static size_t count(const char *doc, const char *mark)
{
        size_t n = 0;

        for (const char *at = doc; (at = strstr(at, mark)); at++)
                n++;
        return n;
}

static void documents_tell_of_every_key(void **state)
{
        odm_buf md, man;

        (void)state;
        odm_buf_init(&md, &heap, 1 << 20);
        odm_buf_init(&man, &heap, 1 << 20);
        assert_int_equal(fsio_read(DOCS "/configure.md", 1 << 20, &md, NULL), 0);
        assert_int_equal(fsio_read(DOCS "/man/nremd.conf.5", 1 << 20, &man, NULL), 0);
        assert_int_equal(odm_buf_byte(&md, 0), 0);
        assert_int_equal(odm_buf_byte(&man, 0), 0);
        for (size_t i = 0; i < conf_keys_n; i++)
                if (!tells(md.p, "| `", conf_keys[i].name, "`") ||
                    !tells(man.p, ".BI \"", conf_keys[i].name, " "))
                        fail_msg("no document tells of %s", conf_keys[i].name);
        assert_int_equal(count(man.p, "\n.BI "), conf_keys_n);
        odm_buf_done(&md);
        odm_buf_done(&man);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(documents_tell_of_every_key),
                cmocka_unit_test(refuses_as_the_table_says),
                cmocka_unit_test(finds_paths_in_the_state_folder),
        };
        return RUN_TESTS(tests);
}
