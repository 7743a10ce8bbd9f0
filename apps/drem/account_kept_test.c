/* SPDX-License-Identifier: Apache-2.0 */
/* account_kept_test.c - which changes of a configuration are one of its account. */
#include "account_kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf.h"
#include "fsio.h"
#include "support.h"

static char dir[] = "/tmp/account-kept.XXXXXX";

static cfg *conf(const char *more, const char *password)
{
        const char *const set[] = {"account.server_id=s", "account.url=http://s/dm",
                                   "account.user=u"};
        char text[120];
        cfg *c = NULL;
        diag d;

        assert_int_equal(cfg_new(conf_keys, conf_keys_n, &c), 0);
        for (size_t i = 0; i < ODM_COUNT(set); i++)
                assert_int_equal(cfg_set(c, set[i], &d), 0);
        if (password) {
                (void)snprintf(text, sizeof text, "%s/password", dir);
                assert_int_equal(fsio_write(NULL, text, odm_cstr(password), 0600, NULL), 0);
        }
        (void)snprintf(text, sizeof text, "account.password_file=%s/password", dir);
        assert_int_equal(cfg_set(c, text, &d), 0);
        assert_int_equal(cfg_set(c, more, &d), 0);
        return c;
}

static bool differs(const char *more, const char *password)
{
        cfg *c = conf(more, password);
        bool is = account_kept_differs(c, dir);

        cfg_free(c);
        return is;
}

static void what_was_taken_and_is_not_the_same_is_told(void **state)
{
        static const struct {
                const char *why, *set, *password;
                bool differs;
        } rows[] = {
                {"nothing was kept: now it is", "log.level=info", "one", false},
                {"the same", "log.level=info", "one", false},
                {"another section", "log.level=debug", "one", false},
                {"the same written in another way", "account.auth=digest", "one", false},
                {"another address", "account.url=http://t/dm", "one", true},
                {"another name", "account.user=v", "one", true},
                {"another server", "account.server_id=t", "one", true},
                {"another way to prove itself", "account.auth=basic", "one", true},
                {"another password", "log.level=info", "two", true},
                {"a password of the server", "account.server_password=x", "one", true},
                {"a file that cannot be read: nobody knows", "account.password_file=/none", "two",
                 false},
                {"as at first", "log.level=info", "one", false},
        };
        cfg *c;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                if (differs(rows[i].set, rows[i].password) != rows[i].differs)
                        fail_msg("%s", rows[i].why);
        c = conf("account.user=v", "two"); /* an account is made of it */
        assert_int_equal(account_kept_write(c, dir, NULL), 0);
        cfg_free(c);
        assert_false(differs("account.user=v", "two"));
        assert_true(differs("log.level=info", "one"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_taken_and_is_not_the_same_is_told),
        };
        char command[80];
        int failed;

        if (!mkdtemp(dir))
                return 1;
        failed = RUN_TESTS(tests);
        (void)snprintf(command, sizeof command, "rm -rf %s", dir);
        return system(command) == 0 ? failed : 1;
}
