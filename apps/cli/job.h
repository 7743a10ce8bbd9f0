/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - the way a command reaches a device: made, waited for, told about. */
#ifndef XREM_JOB_H
#define XREM_JOB_H

#include "api.h"
#include "args.h"

/* Makes a job of `commands` (taken; an array of Command of docs/openapi.yaml).  With --no-wait
 * prints its id and leaves *out NULL; else waits for its end, or --timeout, and gives the job.
 * XREM_OK also for a job that failed: see xrem_job_verdict(). */
int xrem_job_make(xrem *c, const xrem_args *a, const char *device, json_t *commands, bool atomic,
                  json_t **out);
/* Waits for the end of a job, with progress.  XREM_OK with the job, XREM_TIMEOUT, or what went
 * wrong. */
int xrem_job_wait(xrem *c, const char *id, json_t **out);
/* Tells on stderr what did not succeed; the exit code for the job. */
int xrem_job_verdict(xrem *c, const json_t *job);

/* The value of a node in an answer: text, or octets out of base64.  *octets tells which.
 * Absent when the node has none. */
odm_str xrem_node_value(xrem *c, const json_t *node, bool *octets);
/* The same for a table: octets as base64, and what is long only by its size. */
odm_str xrem_node_text(xrem *c, const json_t *node);

#endif
