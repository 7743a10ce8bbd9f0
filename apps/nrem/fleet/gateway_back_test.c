/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of devices that leave their gateway before it has done with them. */
#include "gateway_lab.h"

#define EXEC "{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/Update\",\"correlator\":\"c-1\"}"
#define REPLACE "{\"cmd\":\"replace\",\"uri\":\"./X/Y\",\"data\":\"1\"}"

/* The Exec is behind its old gateway still, which is asked to take it back: when the device is
 * there again meanwhile, what comes of that ends nothing. */
static void who_comes_back_is_heard_out_there(void **state)
{
        const store_result late = {.status = 404, .sent = true};
        int64_t id, a, b, job;
        store_job k, stop;
        stage s;

        (void)state;
        lab_begin(&s);
        a = lab_meters(&s, "a", 1, &id);
        b = lab_gateway(&s, "b");
        lab_orders(&s, &id, 1, "[" EXEC "]", &job);
        k = lab_carrier(&s, a);
        lab_ends(&s, &k, STORE_JOB_WAITING);
        lab_attach(&s, b, "d9", "urn:a:1");
        stop = lab_carries(&s, a, GATEWAY_TAKE_BACK);
        stage_ms += 5000;
        lab_attach(&s, a, "d1", "urn:a:1");
        assert_int_equal(lab_child(&s, id).gateway, a);
        lab_ends_with(&s, &stop, STORE_JOB_DONE, &late, 1); /* its device has it */
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
        stage_end(&s);
}

/* One in the queue, of which nobody has anything, moves as it is; and so does its device. */
static void what_is_in_the_queue_holds_up_no_move(void **state)
{
        int64_t id, a, b, job;
        stage s;

        (void)state;
        lab_begin(&s);
        a = lab_meters(&s, "a", 1, &id);
        lab_orders(&s, &id, 1, "[" EXEC "]", &job);
        lab_set_state(&s, id, STORE_DEVICE_HELD, "device.held");
        b = lab_gateway(&s, "b");
        lab_attach(&s, b, "d9", "urn:a:1");
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_QUEUED);
        stage_ms += 5000;
        lab_attach(&s, a, "d2", "urn:a:1");
        assert_int_equal(lab_child(&s, id).gateway, a);
        assert_str(lab_child(&s, id).key, "d2");
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_QUEUED);
        lab_set_state(&s, id, STORE_DEVICE_ACTIVE, "device.active");
        (void)lab_carries(&s, a, "./GwDev/d2/FUMO/main/Update");
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
        stage_end(&s);
}

/* What the old gateway has not taken needs not be taken back. */
static void what_was_not_begun_is_not_taken_back(void **state)
{
        int64_t id, a, b;
        stage s;

        (void)state;
        lab_begin(&s);
        a = lab_meters(&s, "a", 1, &id);
        lab_orders(&s, &id, 1, "[" EXEC "]", NULL);
        b = lab_gateway(&s, "b");
        lab_attach(&s, b, "d9", "urn:a:1");
        assert_int_equal(lab_open_jobs(&s, a), 0);
        stage_end(&s);
}

/* That the old gateway would not have it kept for a sleeper says nothing of the new one. */
static void what_the_old_gateway_would_not_do_the_new_one_may(void **state)
{
        const store_result no[] = {{.index = 0, .status = 507, .sent = true},
                                   {.index = 1, .status = 507, .sent = true}};
        int64_t id, a, b, job;
        store_job k;
        stage s;

        (void)state;
        lab_begin(&s);
        a = lab_meters(&s, "a", 1, &id);
        b = lab_meters(&s, "b", 1, &(int64_t){0});
        lab_set_state(&s, id, STORE_DEVICE_ASLEEP, "device.asleep");
        lab_orders(&s, &id, 1, "[" REPLACE "]", &job);
        k = lab_carries(&s, a, "dev:urn:a:1");
        lab_ends_with(&s, &k, STORE_JOB_FAILED, no, 2);
        lab_attach(&s, b, "d8", "urn:a:1");
        (void)lab_carries(&s, b, "./GwDev/d8/X/Y");
        lab_answers(&s, b, 503, "", NULL); /* it sleeps */
        assert_int_equal(lab_job_state(&s, job), STORE_JOB_WAITING);
        (void)lab_carries(&s, b, "dev:urn:a:1");
        stage_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_comes_back_is_heard_out_there),
                cmocka_unit_test(what_is_in_the_queue_holds_up_no_move),
                cmocka_unit_test(what_was_not_begun_is_not_taken_back),
                cmocka_unit_test(what_the_old_gateway_would_not_do_the_new_one_may),
        };

        return RUN_TESTS(tests);
}
