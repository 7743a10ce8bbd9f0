/* SPDX-License-Identifier: Apache-2.0 */
/* control_test.c - what is said through the control socket, and what the asking side makes of it.
 */
#include "control.h"

#include <pthread.h>
#include <unistd.h>

#include "heap.h"
#include "support.h"

static char dir[32];

static int setup(void **state)
{
        (void)state;
        (void)snprintf(dir, sizeof dir, "/tmp/control_test.XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
        (void)state;
        return rmdir(dir);
}

typedef struct question {
        loop *l;
        const char *word;
        int rc;
        char answer[64];
        diag d;
} question;

static int on_command(void *ctx, odm_str command, odm_buf *b)
{
        (void)ctx;
        if (odm_str_is(command, "silence"))
                return 0;
        return odm_str_is(command, "sync") ? odm_buf_str(b, ODM_STR("a session begins\n"))
                                           : ODM_EUNSUPPORTED;
}

static void *ask(void *ctx)
{
        question *q = ctx;
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 4096);
        q->rc = control_ask(dir, q->word, &b, &q->d);
        (void)snprintf(q->answer, sizeof q->answer, "%.*s", (int)b.n, b.p ? b.p : "");
        odm_buf_done(&b);
        loop_stop(q->l);
        return NULL;
}

static void an_error_is_no_answer(void **state)
{
        static const struct {
                const char *why, *word, *answer;
                int rc;
                const char *said;
        } rows[] = {
                {"what is done", "sync", "a session begins\n", 0, ""},
                {"what it has not", "request-update", "error: not supported\n", ODM_EIO,
                 "the agent says: not supported"},
                {"nothing", "silence", "", ODM_EIO, "the agent ended without an answer"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                question q = {.word = rows[i].word};
                control *c = NULL;
                pthread_t t;

                assert_int_equal(loop_new(&q.l), 0);
                assert_int_equal(control_open(q.l, dir, on_command, NULL, &c, &q.d), 0);
                assert_int_equal(pthread_create(&t, NULL, ask, &q), 0);
                assert_int_equal(loop_run(q.l), 0);
                assert_int_equal(pthread_join(t, NULL), 0);
                if (q.rc != rows[i].rc || strcmp(q.answer, rows[i].answer) != 0 ||
                    strcmp(q.d.text, rows[i].said) != 0)
                        fail_msg("%s: %d '%s' '%s'", rows[i].why, q.rc, q.answer, q.d.text);
                control_close(c);
                loop_free(q.l);
        }
}

static void who_is_not_there_is_told_of(void **state)
{
        question q = {.word = "sync"};
        odm_buf b;

        (void)state;
        odm_buf_init(&b, &heap_mem, 64);
        assert_int_equal(control_ask(dir, q.word, &b, &q.d), ODM_ENOENT);
        assert_non_null(strstr(q.d.text, "no agent answers at "));
        odm_buf_done(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(an_error_is_no_answer, setup, teardown),
                cmocka_unit_test_setup_teardown(who_is_not_there_is_told_of, setup, teardown),
        };

        return RUN_TESTS(tests);
}
