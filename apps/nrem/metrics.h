/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - what the server counts, and the Prometheus text of it.
 *
 * Counters and histograms are atomics in the caller's storage: any thread adds.  Everywhere a
 * `metrics *` is taken, NULL is allowed and counts nothing. */
#ifndef NREM_METRICS_H
#define NREM_METRICS_H

#include <stdatomic.h>

#include "odm/base.h"

/* id, family, label (or ""), what it counts.  Members of a family stand together. */
#define METRICS(X)                                                                                 \
        X(SESSIONS_STARTED, "nrem_sessions_started_total", "", "Device sessions begun")            \
        X(SESSIONS_DONE, "nrem_sessions_ended_total", "outcome=\"done\"", "Device sessions ended") \
        X(SESSIONS_REFUSED, "nrem_sessions_ended_total", "outcome=\"refused\"", "")                \
        X(SESSIONS_LOST, "nrem_sessions_ended_total", "outcome=\"lost\"", "")                      \
        X(SESSIONS_OTHER, "nrem_sessions_ended_total", "outcome=\"other\"", "")                    \
        X(MESSAGES_IN, "nrem_messages_total", "direction=\"in\"", "SyncML messages")               \
        X(MESSAGES_OUT, "nrem_messages_total", "direction=\"out\"", "")                            \
        X(BYTES_IN, "nrem_message_bytes_total", "direction=\"in\"", "Octets of SyncML messages")   \
        X(BYTES_OUT, "nrem_message_bytes_total", "direction=\"out\"", "")                          \
        X(MESSAGES_REPEATED, "nrem_messages_repeated_total", "", "Messages received again")        \
        X(MESSAGES_BAD, "nrem_messages_bad_total", "", "Bodies that were no message")              \
        X(AUTH_FAILURES, "nrem_auth_failures_total", "", "Wrong credentials of devices")           \
        X(AUTH_LOCKED, "nrem_auth_locked_total", "", "Attempts while a device was locked out")     \
        X(UNKNOWN_DEVICES, "nrem_unknown_devices_total", "", "Sessions of devices not known")      \
        X(ALERTS, "nrem_alerts_total", "", "Alerts of devices")                                    \
        X(COMMANDS_OK, "nrem_commands_total", "result=\"ok\"", "Commands answered by devices")     \
        X(COMMANDS_FAILED, "nrem_commands_total", "result=\"failed\"", "")                         \
        X(JOBS_CREATED, "nrem_jobs_created_total", "", "Jobs made")                                \
        X(JOBS_DONE, "nrem_jobs_ended_total", "state=\"done\"", "Jobs ended")                      \
        X(JOBS_FAILED, "nrem_jobs_ended_total", "state=\"failed\"", "")                            \
        X(JOBS_EXPIRED, "nrem_jobs_ended_total", "state=\"expired\"", "")                          \
        X(JOBS_CANCELLED, "nrem_jobs_ended_total", "state=\"cancelled\"", "")                      \
        X(JOBS_PUT_BACK, "nrem_jobs_put_back_total", "", "Jobs whose session was lost")            \
        X(WAKES_SENT, "nrem_wakes_sent_total", "", "Package 0 datagrams sent")                     \
        X(WAKES_FAILED, "nrem_wakes_failed_total", "", "Package 0 that could not be sent")         \
        X(API_2XX, "nrem_api_requests_total", "class=\"2xx\"", "REST requests answered")           \
        X(API_4XX, "nrem_api_requests_total", "class=\"4xx\"", "")                                 \
        X(API_5XX, "nrem_api_requests_total", "class=\"5xx\"", "")                                 \
        X(API_AUTH_FAILURES, "nrem_api_auth_failures_total", "",                                   \
          "REST requests without a good token")

/* id, family, what it measures; values in microseconds, shown in seconds */
#define METRIC_TIMES(X)                                                            \
        X(MESSAGE, "nrem_message_seconds", "From a device's message to our reply") \
        X(JOB, "nrem_job_seconds", "From the making of a job to its end")          \
        X(API, "nrem_api_seconds", "From a REST request to its answer, waiting not included")

typedef enum metric {
#define X(id, family, label, help) METRIC_##id,
        METRICS(X)
#undef X
                METRIC_COUNT,
} metric;

typedef enum metric_time {
#define X(id, family, help) METRIC_TIME_##id,
        METRIC_TIMES(X)
#undef X
                METRIC_TIME_COUNT,
} metric_time;

#define METRIC_BUCKETS 16 /* the last one has no upper bound */

typedef struct metric_histogram {
        _Atomic uint64_t bucket[METRIC_BUCKETS]; /* not cumulative */
        _Atomic uint64_t sum_us;
} metric_histogram;

typedef struct metrics { /* zero it */
        _Atomic uint64_t count[METRIC_COUNT];
        metric_histogram time[METRIC_TIME_COUNT];
} metrics;

void metrics_add(metrics *m, metric id, uint64_t n);
void metrics_observe(metrics *m, metric_time id, int64_t us);
uint64_t metrics_get(const metrics *m, metric id);

/* Appends all of it as Prometheus text 0.0.4.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int metrics_format(const metrics *m, odm_buf *out);
/* Appends one gauge or counter that is read elsewhere: `labels` may be "", `help` is printed with
 * `type` ("gauge", "counter") when it is not NULL. */
ODM_MUST_USE int metrics_line(odm_buf *out, const char *family, const char *labels,
                              const char *type, const char *help, double value);

#endif
