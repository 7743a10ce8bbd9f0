/* SPDX-License-Identifier: Apache-2.0 */
/* reset_test.c - a factory reset is ordered, done at the next start, and told; whenever the power
 * goes. */
#include "reset.h"

#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static char dir[32];

static const char *in(const char *name)
{
        static char path[96];

        snprintf(path, sizeof path, "%s/%s", dir, name);
        return path;
}

static bool is_there(const char *name)
{
        return access(in(name), F_OK) == 0;
}

static void put(const char *name)
{
        assert_int_equal(fsio_write(NULL, in(name), ODM_STR("x"), 0600, NULL), 0);
}

static int setup(void **state)
{
        (void)state;
        snprintf(dir, sizeof dir, "/tmp/reset_test.XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
        static const char *const names[] = {"journal", "factory-reset", "factory-reset.done",
                                            "image"};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(names); i++)
                unlink(in(names[i]));
        return rmdir(dir);
}

static void expect_report(const char *server, const char *correlator)
{
        odm_str s = ODM_ABSENT, c = ODM_ABSENT;
        odm_buf b;

        odm_buf_init(&b, &heap, 8192);
        assert_int_equal(reset_report(dir, &b, &s, &c), server ? 1 : 0);
        if (server)
                assert_str(s, server);
        if (correlator)
                assert_str(c, correlator);
        else
                assert_null(c.p);
        odm_buf_done(&b);
}

static void it_is_done_at_the_next_start(void **state)
{
        diag d = {{0}};

        (void)state;
        put("journal");
        put("journal.copy"); /* what the tree held is in these too */
        put("journal.damaged");
        put("image");
        assert_int_equal(reset_honour(dir, &d), 0); /* nobody ordered it */
        assert_true(is_there("journal"));
        expect_report(NULL, NULL);
        assert_int_equal(reset_order(dir, ODM_STR("srv"), ODM_STR("c 1"), &d), 0);
        assert_true(is_there("journal"));
        expect_report(NULL, NULL); /* it is not done yet */
        assert_int_equal(reset_honour(dir, &d), 0);
        assert_false(is_there("journal") || is_there("journal.copy") ||
                     is_there("journal.damaged"));
        assert_true(is_there("image"));
        expect_report("srv", "c 1");
        put("journal");
        assert_int_equal(reset_honour(dir, &d), 0); /* once */
        assert_true(is_there("journal"));
        expect_report("srv", "c 1"); /* until it is kept elsewhere */
        reset_reported(dir);
        expect_report(NULL, NULL);
        assert_string_equal(d.text, "");
}

static void there_may_be_no_correlator(void **state)
{
        (void)state;
        assert_int_equal(reset_order(dir, ODM_STR("srv"), ODM_ABSENT, NULL), 0);
        assert_int_equal(reset_honour(dir, NULL), 0); /* nor a journal */
        expect_report("srv", NULL);
        assert_int_equal(reset_order(dir, ODM_STR("a\nb"), ODM_ABSENT, NULL), ODM_EINVAL);
        assert_int_equal(reset_order(dir, ODM_STR("a"), ODM_STR("\n"), NULL), ODM_EINVAL);
        assert_false(is_there("factory-reset"));
}

/* The power went after the journal was gone, before that was written down. */
static void it_may_be_done_twice(void **state)
{
        (void)state;
        put("journal");
        assert_int_equal(reset_order(dir, ODM_STR("srv"), ODM_STR("c"), NULL), 0);
        assert_int_equal(unlink(in("journal")), 0);
        assert_int_equal(reset_honour(dir, NULL), 0);
        assert_false(is_there("factory-reset"));
        expect_report("srv", "c");
}

static void what_cannot_be_done_is_told(void **state)
{
        diag d = {{0}};

        (void)state;
        assert_true(reset_order("/nonexistent/x", ODM_STR("srv"), ODM_ABSENT, &d) < 0);
        assert_non_null(strstr(d.text, "/nonexistent/x"));
        assert_int_equal(reset_order(dir, ODM_STR("srv"), ODM_ABSENT, NULL), 0);
        assert_int_equal(mkdir(in("journal"), 0700), 0); /* that unlink() cannot remove */
        assert_int_equal(reset_honour(dir, &d), ODM_EIO);
        assert_non_null(strstr(d.text, "journal"));
        assert_true(is_there("factory-reset"));
        assert_int_equal(rmdir(in("journal")), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_is_done_at_the_next_start, setup, teardown),
                cmocka_unit_test_setup_teardown(there_may_be_no_correlator, setup, teardown),
                cmocka_unit_test_setup_teardown(it_may_be_done_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(what_cannot_be_done_is_told, setup, teardown),
        };

        return RUN_TESTS(tests);
}
