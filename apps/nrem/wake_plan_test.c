/* SPDX-License-Identifier: Apache-2.0 */
#include "wake_plan.h"

#include "support.h"

#define S ((int64_t)1000)
#define MIN (60 * S)
#define H (60 * MIN)

static const wake_plan usual = {.first = 5 * S, .max = 15 * MIN, .tries = 6, .again = 15 * MIN};

static const struct step {
        const char *why;
        wake_plan p;
        uint32_t sent;
        bool rests, orders;
        wake_step want;
        int64_t ms; /* to the next look, if there is one */
} steps[] = {
        {"nothing was sent", {5 * S, 15 * MIN, 6, 15 * MIN}, 0, false, true, WAKE_SEND, 0},
        {"asked for without an order",
         {5 * S, 15 * MIN, 6, 15 * MIN},
         0,
         false,
         false,
         WAKE_SEND,
         0},
        {"in a round", {5 * S, 15 * MIN, 6, 15 * MIN}, 3, false, true, WAKE_SEND, 20 * S},
        {"its last", {5 * S, 15 * MIN, 6, 15 * MIN}, 6, false, true, WAKE_REST, 15 * MIN},
        {"the last, and no orders", {5 * S, 15 * MIN, 6, 15 * MIN}, 6, false, false, WAKE_END, 0},
        {"the last, and one round", {5 * S, 15 * MIN, 6, 0}, 6, false, true, WAKE_END, 0},
        {"after the rest", {5 * S, 15 * MIN, 6, 15 * MIN}, 6, true, true, WAKE_SEND, 160 * S},
        {"no order any more", {5 * S, 15 * MIN, 6, 15 * MIN}, 6, true, false, WAKE_END, 0},
        {"in the second round", {5 * S, 15 * MIN, 6, 15 * MIN}, 7, false, true, WAKE_SEND, 5 * S},
        {"its last", {5 * S, 15 * MIN, 6, 15 * MIN}, 12, false, true, WAKE_REST, 30 * MIN},
        {"rests do not grow for ever",
         {5 * S, 15 * MIN, 6, 15 * MIN},
         600,
         false,
         true,
         WAKE_REST,
         24 * H},
        {"nor do waits", {5 * S, 60 * S, 20, 15 * MIN}, 17, false, true, WAKE_SEND, 60 * S},
        {"rounds of one", {5 * S, 60 * S, 1, MIN}, 3, false, true, WAKE_REST, 4 * MIN},
};

static void goes_as_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(steps); i++) {
                const struct step *r = &steps[i];
                wake_step got = wake_plan_next(&r->p, r->sent, r->rests, r->orders);
                int64_t ms = got == WAKE_REST                  ? wake_plan_rest(&r->p, r->sent)
                             : got == WAKE_SEND && r->sent > 0 ? wake_plan_wait(&r->p, r->sent)
                                                               : 0;

                if (got != r->want || ms != r->ms)
                        fail_msg("%s: step %d, %lld ms", r->why, (int)got, (long long)ms);
        }
}

static void a_round_is_counted_on(void **state)
{
        (void)state;
        assert_int_equal(wake_plan_nth(&usual, 0), 0);
        assert_int_equal(wake_plan_nth(&usual, 6), 6);
        assert_int_equal(wake_plan_nth(&usual, 7), 1);
        assert_int_equal(wake_plan_round_end(&usual, 0), 6); /* could not even begin */
        assert_int_equal(wake_plan_round_end(&usual, 3), 6);
        assert_int_equal(wake_plan_round_end(&usual, 6), 6);
        assert_int_equal(wake_plan_round_end(&usual, 7), 12);
}

/* A day in the life of a device that hears nothing until `deaf` is over: when the first datagram
 * reaches it, and how many there were. */
static int64_t reached_after(const wake_plan *p, int64_t deaf, int64_t deadline, uint32_t *sent)
{
        int64_t now = 0;
        bool rests = false;

        for (*sent = 0;;) {
                switch (wake_plan_next(p, *sent, rests, now < deadline)) {
                case WAKE_END: return -1;
                case WAKE_REST:
                        rests = true;
                        now += wake_plan_rest(p, *sent);
                        break;
                case WAKE_SEND:
                        if (now >= deadline)
                                return -1;
                        ++*sent;
                        if (now >= deaf)
                                return now;
                        rests = false;
                        now += wake_plan_wait(p, *sent);
                        break;
                }
        }
}

/* However long it was deaf, it is heard of in about twice that time, and not by a flood. */
static void whoever_was_deaf_is_reached_while_orders_wait(void **state)
{
        (void)state;
        for (int64_t deaf = 0; deaf < 72 * H; deaf += 97 * S) {
                uint32_t sent;
                int64_t at = reached_after(&usual, deaf, 7 * 24 * H, &sent);

                if (at < deaf || at > 3 * deaf + 20 * MIN || at > deaf + 25 * H)
                        fail_msg("deaf for %lld s: reached after %lld s", (long long)(deaf / S),
                                 (long long)(at / S));
                assert_true(sent <= 6 * (8 + deaf / (24 * H) + 1));
        }
}

static void who_is_never_reached_is_let_alone_at_the_deadline(void **state)
{
        uint32_t sent;

        (void)state;
        assert_int_equal(reached_after(&usual, INT64_MAX, 10 * MIN, &sent), -1);
        assert_int_equal(sent, 6);
        assert_int_equal(reached_after(&usual, INT64_MAX, 7 * 24 * H, &sent), -1);
        assert_in_range(sent, 60, 84);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(goes_as_the_table_says),
                cmocka_unit_test(a_round_is_counted_on),
                cmocka_unit_test(whoever_was_deaf_is_reached_while_orders_wait),
                cmocka_unit_test(who_is_never_reached_is_let_alone_at_the_deadline),
        };

        return RUN_TESTS(tests);
}
