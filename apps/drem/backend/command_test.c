/* SPDX-License-Identifier: Apache-2.0 */
/* command_test.c - commands of the configuration, with a real shell. */
#include "command.h"

#include <unistd.h>

#include "support.h"

static loop *l;
static command c;
static int code;
static bool ended;

static void on_done(void *ctx, int got)
{
        (void)ctx;
        code = got;
        ended = true;
        loop_stop(l);
}

static int setup(void **state)
{
        (void)state;
        c = (command){.program = NULL};
        return loop_new(&l);
}

static int teardown(void **state)
{
        (void)state;
        command_stop(&c);
        loop_free(l);
        return 0;
}

static void it_ends_as_the_table_says(void **state)
{
        static const struct {
                const char *why, *text, *note;
                int64_t ms;
                int code;
        } rows[] = {
                {"good", "true", "", 60000, 0},
                {"a code of its own", "exit 3", "", 60000, 3},
                {"its words", "echo \"$0 $1 $2\"; exit 1", "dremd one two", 60000, 1},
                {"the last line counts", "echo a; echo b >&2; echo", "b", 60000, 0},
                {"no such program", "/nonexistent/x 2>/dev/null", "", 60000, 127},
                {"too long", "sleep 60", "it took too long", 50, COMMAND_LATE},
                {"killed", "kill -9 $$", "", 60000, 128 + 9},
        };
        static const char *const words[] = {"one", "two", NULL};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                diag d = {{0}};
                ended = false;
                assert_int_equal(
                        command_run(&c, l, rows[i].text, words, rows[i].ms, on_done, NULL, &d), 0);
                assert_false(ended);
                assert_int_equal(loop_run(l), 0);
                if (code != rows[i].code || strcmp(c.note, rows[i].note) != 0)
                        fail_msg("%s: %d '%s'", rows[i].why, code, c.note);
                assert_false(c.limit.in);
        }
}

static void it_can_be_stopped(void **state)
{
        const char *const argv[] = {"sleep", "60", NULL};
        diag d = {{0}};

        (void)state;
        ended = false;
        assert_int_equal(command_exec(&c, l, argv, 60000, on_done, NULL, &d), 0);
        command_stop(&c);
        assert_false(ended);
        assert_int_equal(loop_once(l, 0), 0);
        assert_false(ended);
}

static void a_program_that_is_not_there(void **state)
{
        const char *const argv[] = {"/nonexistent/x", NULL};
        diag d = {{0}};

        (void)state;
        ended = false;
        assert_true(command_exec(&c, l, argv, 60000, on_done, NULL, &d) < 0);
        assert_non_null(strstr(d.text, "/nonexistent/x"));
        assert_false(c.limit.in);
        assert_false(ended);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_ends_as_the_table_says, setup, teardown),
                cmocka_unit_test_setup_teardown(it_can_be_stopped, setup, teardown),
                cmocka_unit_test_setup_teardown(a_program_that_is_not_there, setup, teardown),
        };

        return RUN_TESTS(tests);
}
