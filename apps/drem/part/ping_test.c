/* SPDX-License-Identifier: Apache-2.0 */
/* Who gives the memory of a ping back, whichever of thread and loop is quicker.  The loop's part is
 * played: what is posted runs at once, while the poster is still in loop_post(), or when the test
 * says so. */
#include "part/ping.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "support.h"

#define PATIENCE_S 20

int __wrap_loop_post(loop *l, void (*fn)(void *ctx), void *ctx);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *m);
int __real_pthread_mutex_destroy(pthread_mutex_t *m);

static struct {
        bool at_once, refuse;
        void (*fn)(void *ctx); /* what was posted */
        void *ctx;
        unsigned done, destroyed;
        unsigned too_early; /* destroyed while the thread held the lock */
        sem_t posted, gone;
} stage;

int __wrap_loop_post(loop *l, void (*fn)(void *ctx), void *ctx)
{
        (void)l;
        stage.fn = fn;
        stage.ctx = ctx;
        if (stage.at_once && !stage.refuse)
                fn(ctx);
        stage.too_early = stage.destroyed;
        sem_post(&stage.posted);
        return stage.refuse ? ODM_ENOMEM : 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *m)
{
        int rc = __real_pthread_mutex_destroy(m);

        stage.destroyed++;
        sem_post(&stage.gone);
        return rc;
}

static void on_done(void *ctx, const ping_result *r)
{
        (void)ctx;
        stage.done += r != NULL;
}

static void wait_for(sem_t *s)
{
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_sec += PATIENCE_S;
        assert_int_equal(sem_timedwait(s, &t), 0);
}

/* No packet is sent: the thread has nothing to wait for. */
static ping *begin(bool at_once, bool refuse)
{
        ping *p = NULL;

        memset(&stage, 0, sizeof stage);
        stage.at_once = at_once;
        stage.refuse = refuse;
        sem_init(&stage.posted, 0, 0);
        sem_init(&stage.gone, 0, 0);
        assert_int_equal(ping_start(NULL, "127.0.0.1", 0, 0, 0, on_done, NULL, &p), 0);
        wait_for(&stage.posted);
        return p;
}

static void the_loop_may_be_quicker_than_the_thread(void **state)
{
        (void)state;
        (void)begin(true, false);
        wait_for(&stage.gone);
        assert_int_equal(stage.done, 1);
        assert_int_equal(stage.too_early, 0);
        assert_int_equal(stage.destroyed, 1);
}

static void it_is_told_when_the_loop_comes_to_it(void **state)
{
        (void)state;
        (void)begin(false, false);
        stage.fn(stage.ctx);
        wait_for(&stage.gone);
        assert_int_equal(stage.done, 1);
        assert_int_equal(stage.destroyed, 1);
}

static void what_was_posted_before_a_cancel_tells_nobody(void **state)
{
        ping *p;

        (void)state;
        p = begin(false, false);
        ping_cancel(p);
        assert_int_equal(stage.destroyed, 0);
        stage.fn(stage.ctx);
        wait_for(&stage.gone);
        assert_int_equal(stage.done, 0);
        assert_int_equal(stage.destroyed, 1);
}

static void what_cannot_be_posted_is_cancelled_some_day(void **state)
{
        ping *p;

        (void)state;
        p = begin(false, true);
        assert_int_equal(stage.destroyed, 0);
        ping_cancel(p);
        wait_for(&stage.gone);
        assert_int_equal(stage.done, 0);
        assert_int_equal(stage.destroyed, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_loop_may_be_quicker_than_the_thread),
                cmocka_unit_test(it_is_told_when_the_loop_comes_to_it),
                cmocka_unit_test(what_was_posted_before_a_cancel_tells_nobody),
                cmocka_unit_test(what_cannot_be_posted_is_cancelled_some_day),
        };

        return RUN_TESTS(tests);
}
