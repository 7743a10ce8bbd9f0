/* SPDX-License-Identifier: Apache-2.0 */
/* cert_test.c - how long certificates are good. */
#include "cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

static char dir[] = "/tmp/cert_test.XXXXXX";
static char crt[64], key[64];

static int set_up(void **state)
{
        (void)state;
        if (!mkdtemp(dir))
                return -1;
        snprintf(crt, sizeof crt, "%s/c.pem", dir);
        snprintf(key, sizeof key, "%s/c.key", dir);
        return cert_make_ca("test", 10, crt, key, NULL);
}

static int tear_down(void **state)
{
        (void)state;
        unlink(crt);
        unlink(key);
        return rmdir(dir);
}

static void a_certificate_says_when_it_ends(void **state)
{
        odm_wall end = {.s = 7};
        int64_t before = time(NULL) + INT64_C(10) * 86400;

        (void)state;
        assert_int_equal(cert_end(crt, &end, NULL), 0);
        assert_true(end.s > before - 3600 && end.s < before + 3600);
}

static void what_is_no_certificate_says_nothing(void **state)
{
        odm_wall end = {.s = 7};
        diag d = {{0}};

        (void)state;
        assert_int_equal(cert_end(key, &end, &d), ODM_EMALFORMED);
        assert_non_null(strstr(d.text, "is no certificate"));
        assert_int_equal(cert_end("/tmp/cert_test.none", &end, &d), ODM_ENOENT);
        assert_int_equal(end.s, 7);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_certificate_says_when_it_ends),
                cmocka_unit_test(what_is_no_certificate_says_nothing),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
