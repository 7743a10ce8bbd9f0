/* SPDX-License-Identifier: Apache-2.0 */
/* api_job.h - what job and tree requests share. */
#ifndef NREM_API_JOB_H
#define NREM_API_JOB_H

#include "call.h"

/* Adds to `b` (taken over on failure) all that makes a job of `list`, an array of commands that
 * command_check() has passed; an Exec without a correlator is given one.  NULL with the problem
 * set; else the operation, whose id is the job's when the batch is done. */
store_op *job_put(call *c, store_batch *b, const store_device *d, json_t *list, store_job job);

/* A node's value among results, as members of `o`; `asked` is its address when it has none of its
 * own.  What may carry local addresses of devices is shown to an admin only: others see its size.
 */
bool put_value(call *c, json_t *o, const store_value *v, odm_str asked);

#endif
