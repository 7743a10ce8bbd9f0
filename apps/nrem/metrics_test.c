/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include "support.h"

static void writes_families_once_and_buckets_cumulated(void **state)
{
        static metrics m;
        odm_buf b;

        (void)state;
        metrics_add(&m, METRIC_MESSAGES_IN, 3);
        metrics_add(&m, METRIC_MESSAGES_OUT, 2);
        metrics_observe(&m, METRIC_TIME_MESSAGE, 400);
        metrics_observe(&m, METRIC_TIME_MESSAGE, 1000);
        metrics_observe(&m, METRIC_TIME_MESSAGE, 3600000000);
        metrics_observe(&m, METRIC_TIME_MESSAGE, -5);
        metrics_add(NULL, METRIC_ALERTS, 1); /* nobody counts: nothing happens */
        odm_buf_init(&b, &heap, 1 << 20);
        assert_int_equal(metrics_format(&m, &b), 0);
        assert_int_equal(odm_buf_byte(&b, 0), 0);
        assert_non_null(strstr(b.p, "\nnrem_messages_total{direction=\"in\"} 3\n"
                                    "nrem_messages_total{direction=\"out\"} 2\n"));
        assert_non_null(strstr(b.p, "nrem_message_seconds_bucket{le=\"0.0005\"} 2\n"
                                    "nrem_message_seconds_bucket{le=\"0.001\"} 3\n"));
        assert_non_null(strstr(b.p, "nrem_message_seconds_bucket{le=\"+Inf\"} 4\n"));
        assert_non_null(strstr(b.p, "nrem_message_seconds_sum 3600.001400\n"
                                    "nrem_message_seconds_count 4\n"));
        const char *help = strstr(b.p, "# TYPE nrem_messages_total counter");
        assert_non_null(help);
        assert_null(strstr(help + 1, "# TYPE nrem_messages_total"));
        odm_buf_done(&b);
}

static void stops_at_the_ceiling_of_the_buffer(void **state)
{
        static const metrics m;
        odm_buf b;

        (void)state;
        odm_buf_init(&b, &heap, 100);
        assert_int_equal(metrics_format(&m, &b), ODM_ELIMIT);
        odm_buf_done(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(writes_families_once_and_buckets_cumulated),
                cmocka_unit_test(stops_at_the_ceiling_of_the_buffer),
        };
        return RUN_TESTS(tests);
}
