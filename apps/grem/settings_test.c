/* SPDX-License-Identifier: Apache-2.0 */
/* settings_test.c - all settings of gremd together, and that the documents tell of them. */
#include "settings.h"

#include "conf.h"
#include "fsio.h"
#include "support.h"

static const struct row {
        const char *why, *text, *says; /* says NULL: good */
} rows[] = {
        {"nothing at all", "", NULL},
        {"what dremd has", "[session]\ninterval = 5m\n[check a]\ncommand = true\n", NULL},
        {"what dremd refuses", "[session]\ninterval = 9s\n", "shorter than"},
        {"the gateway's own", "[gateway]\ndevices = 10\nmetrics = 127.0.0.1:0\n", NULL},
        {"an address that is none", "[gateway]\nmetrics = 9465\n", "gateway.metrics"},
        {"no device at all", "[gateway]\ndevices = 0\n", "f:2: devices"},
        {"TLS without a certificate", "[omadm]\nlisten_tls = :0\n", "omadm.cert"},
        {"an adapter's address", "[omadm]\nlisten = here\n", "omadm.listen: here"},
        {"TLS with one, wherever it is",
         "[omadm]\nlisten_tls = :0\ncert = /none/a\nkey = /none/b\n", NULL},
        {"CoAP for anybody", "[lwm2m]\nlisten = :0\n", "lwm2m.insecure"},
        {"meant so", "[lwm2m]\nlisten = :0\ninsecure = yes\n", NULL},
        {"DTLS without keys", "[lwm2m]\nlisten_secure = :0\n", "lwm2m.keys"},
        {"a key of nobody", "[gateway]\ncolour = red\n", "f:2:"},
};

static void settings_are_checked(void **state)
{
        cfg_key *keys = NULL;
        size_t n = 0;

        (void)state;
        assert_int_equal(settings_keys(&keys, &n), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                diag d = {{0}};
                cfg *c;
                int rc;

                assert_int_equal(cfg_new(keys, n, &c), 0);
                rc = cfg_parse(c, odm_cstr(r->text), "f", &d);
                if (rc == 0)
                        rc = settings_check(c, &d);
                if ((rc < 0) != (r->says != NULL) || (r->says && !strstr(d.text, r->says)))
                        fail_msg("%s: %d '%s'", r->why, rc, d.text);
                cfg_free(c);
        }
        free(keys);
}

static void gremd_has_a_place_of_its_own(void **state)
{
        cfg_key *keys = NULL;
        size_t n = 0;
        cfg *c;

        (void)state;
        assert_int_equal(settings_keys(&keys, &n), 0);
        assert_int_equal(cfg_new(keys, n, &c), 0);
        assert_string_equal(cfg_str(c, "agent.state"), "/var/lib/gremd");
        assert_string_equal(cfg_str(c, "device.type"), "gateway");
        cfg_free(c);
        assert_int_equal(cfg_new(conf_keys, conf_keys_n, &c), 0);
        assert_string_equal(cfg_str(c, "agent.state"), "/var/lib/dremd"); /* as it was */
        cfg_free(c);
        free(keys);
}

/* ---- documents ------------------------------------------------------------------------------ */

static bool is_of_dremd(const cfg_key *k)
{
        for (size_t i = 0; i < conf_keys_n; i++)
                if (strcmp(conf_keys[i].name, k->name) == 0)
                        return true;
        return false;
}

/* Whether the document has, under the heading of the key's section, a line that begins with `mark`
 * and the key, and goes on with `end`. */
static bool tells(const char *doc, const char *heading, const char *tail, const char *next,
                  const char *mark, const char *key, const char *end)
{
        const char *dot = strchr(key, '.'), *star = strstr(key, " *."), *from, *to, *at;
        char want[128], section[64];

        snprintf(section, sizeof section, "%.*s%s", (int)((star ? star : dot) - key), key,
                 star ? " NAME" : "");
        snprintf(want, sizeof want, "\n%s[%s]%s\n", heading, section, tail);
        from = strstr(doc, want);
        if (!from)
                return false;
        to = strstr(from + 1, next);
        snprintf(want, sizeof want, "\n%s%s%s", mark, dot + 1, end);
        at = strstr(from, want);
        return at && (!to || at < to);
}

static char *read_doc(const char *path)
{
        odm_buf b;

        odm_buf_init(&b, &heap, 4 << 20);
        assert_int_equal(fsio_read(path, 4 << 20, &b, NULL), 0);
        assert_int_equal(odm_buf_byte(&b, 0), 0);
        char *text = strdup(b.p);
        odm_buf_done(&b);
        return text;
}

static void documents_tell_of_every_key(void **state)
{
        char *md = read_doc(DOCS "/configure.md"), *man = read_doc(DOCS "/man/gremd.conf.5");
        cfg_key *keys = NULL;
        size_t n = 0, own = 0, lines = 0;

        (void)state;
        assert_int_equal(settings_keys(&keys, &n), 0);
        for (size_t i = 0; i < n; i++) {
                if (is_of_dremd(&keys[i]))
                        continue;
                own++;
                if (!tells(md, "### ", " of gremd", "\n### ", "| `", keys[i].name, "` |"))
                        fail_msg("configure.md does not tell of %s", keys[i].name);
                if (!tells(man, ".SH ", "", "\n.SH ", ".BI \"", keys[i].name, " \" "))
                        fail_msg("gremd.conf(5) does not tell of %s", keys[i].name);
        }
        for (const char *at = man; (at = strstr(at, "\n.BI ")) != NULL; at++)
                lines++;
        assert_int_equal(lines, own); /* nor of one that is no more */
        free(keys);
        free(md);
        free(man);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(settings_are_checked),
                cmocka_unit_test(gremd_has_a_place_of_its_own),
                cmocka_unit_test(documents_tell_of_every_key),
        };

        return RUN_TESTS(tests);
}
