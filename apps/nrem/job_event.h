/* SPDX-License-Identifier: Apache-2.0 */
/* job_event.h - what the log of events says of jobs (docs/events.md). */
#ifndef NREM_JOB_EVENT_H
#define NREM_JOB_EVENT_H

#include "store.h"

/* Adds "job.done" and the like for a job that has come to the end `to`: {"job": id, "kind", "key",
 * "reason"}, of which the last two may be left out.  Behind the operation that moves the job: where
 * that is refused, since the job is over already, nothing is said.  0, or ODM_ENOMEM. */
ODM_MUST_USE int job_event_add(store_batch *b, const store_job *j, store_job_state to,
                               const char *reason, int64_t at);

#endif
