/* SPDX-License-Identifier: Apache-2.0 */
/* Programs beside the loop: what they say, how they end, and that they are gone when we want it. */
#include "program.h"

#include <signal.h>
#include <unistd.h>

#include "support.h"

static char said[4096];
static int ended;
static loop *l;

static void on_line(void *ctx, odm_str line)
{
        size_t n = strlen(said);

        (void)ctx;
        snprintf(said + n, sizeof said - n, "%.*s|", (int)line.n, line.p);
}

static void on_done(void *ctx, int code)
{
        (void)ctx;
        ended = code;
        loop_stop(l);
}

static program *start(const char *script)
{
        const char *const argv[] = {"/bin/sh", "-c", script, NULL};
        const program_opt o = {.argv = argv, .line = on_line, .done = on_done};
        program *p = NULL;
        diag d = {{0}};

        said[0] = 0;
        ended = -1;
        assert_int_equal(program_start(l, &o, &p, &d), 0);
        return p;
}

static void what_they_say_and_how_they_end(void **state)
{
        static const struct {
                const char *why, *script, *says;
                int code;
        } rows[] = {
                {"silent", "exit 0", "", 0},
                {"a code", "exit 37", "", 37},
                {"lines", "echo one; echo two >&2; exit 1", "one|two|", 1},
                {"a last line without its end", "printf 'half'", "half|", 0},
                {"nothing to read", "cat; echo over", "over|", 0},
                {"a signal", "kill -TERM $$", "", 128 + SIGTERM},
                {"signals as usual", "trap : PIPE; kill -PIPE $$; echo here", "here|", 0},
                {"a grandchild that stays", "sleep 30 & echo gone", "gone|", 0},
                {"no such command", "exec /nonexistent/program 2>/dev/null", "", 127},
        };

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                (void)start(rows[i].script);
                assert_int_equal(loop_run(l), 0);
                if (ended != rows[i].code || strcmp(said, rows[i].says) != 0)
                        fail_msg("%s: %d, '%s'", rows[i].why, ended, said);
        }
        loop_free(l);
}

static void long_lines_are_cut(void **state)
{
        (void)state;
        assert_int_equal(loop_new(&l), 0);
        (void)start("head -c 3000 /dev/zero | tr '\\0' x; echo; echo y");
        assert_int_equal(loop_run(l), 0);
        assert_int_equal(strlen(said), PROGRAM_LINE + 3);
        loop_free(l);
}

static size_t octets;

static void count(void *ctx, odm_str line)
{
        (void)ctx;
        octets += line.n + 1;
}

/* More than a pipe holds comes whole; what a grandchild goes on to write keeps nobody. */
static void much_is_said(void **state)
{
        static const struct {
                const char *why, *script;
                size_t least, most;
        } rows[] = {
                {"a pipe and a half", "head -c 99990 /dev/zero | tr '\\0' x | fold -w 99; echo",
                 100000, 101001},
                {"a line without end", "head -c 300000 /dev/zero | tr '\\0' x", 1,
                 PROGRAM_LINE + 1},
                {"a grandchild without end", "yes & exit 0", 0, SIZE_MAX},
        };

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const char *const argv[] = {"/bin/sh", "-c", rows[i].script, NULL};
                const program_opt o = {.argv = argv, .line = count, .done = on_done};
                program *p = NULL;
                octets = 0;
                ended = -1;
                assert_int_equal(program_start(l, &o, &p, NULL), 0);
                assert_int_equal(loop_run(l), 0);
                if (ended != 0 || octets < rows[i].least || octets > rows[i].most)
                        fail_msg("%s: code %d, %zu octets", rows[i].why, ended, octets);
        }
        loop_free(l);
}

static void they_can_be_ended(void **state)
{
        (void)state;
        assert_int_equal(loop_new(&l), 0);
        program *p = start("echo $$; sleep 60 & wait");
        while (!strchr(said, '|'))
                assert_int_equal(loop_once(l, 1000), 0);
        pid_t pid = (pid_t)strtol(said, NULL, 10);
        program_kill(p);
        assert_int_equal(kill(pid, 0), -1);
        assert_int_equal(ended, -1); /* unheard */
        program_kill(NULL);
        loop_free(l);
}

static void what_cannot_start_is_told(void **state)
{
        const char *const argv[] = {"/nonexistent/program", NULL};
        const program_opt o = {.argv = argv, .done = on_done};
        program *p = NULL;
        diag d = {{0}};

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        assert_int_equal(program_start(l, &o, &p, &d), ODM_EIO);
        assert_null(p);
        assert_string_equal(d.text, "/nonexistent/program: No such file or directory");
        loop_free(l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_they_say_and_how_they_end),
                cmocka_unit_test(long_lines_are_cut),
                cmocka_unit_test(much_is_said),
                cmocka_unit_test(they_can_be_ended),
                cmocka_unit_test(what_cannot_start_is_told),
        };

        return RUN_TESTS(tests);
}
