/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - the commands of a job as REST takes them (docs/openapi.yaml, Command).
 *
 * What passes here can be sent: every member is known and in its place, every value is well
 * formed, and nothing stands inside an atomic job that no device could undo. */
#ifndef NREM_COMMAND_H
#define NREM_COMMAND_H

#include "problem.h"

#define COMMANDS_MAX 1000 /* of a job, members of sequences included */

/* Checks `list`, an array of commands; `atomic` is the job's.  What is wrong goes into `p`, with
 * the path of each member at fault.  Returns true when nothing is. */
bool command_check(const json_t *list, bool atomic, problem *p);

/* The word that tells people what a job does: the one command's, or "commands". */
const char *command_kind(const json_t *list);

/* Gives every Exec a correlator, the same for all that have none: the first there is, else a new
 * one.  *first is the first one's, borrowed from the list or in `a`; absent without an Exec.
 * ODM_ENOMEM. */
ODM_MUST_USE int command_correlate(json_t *list, odm_arena *a, odm_str *first);

/* A node's value as members of `o`: "data" when it is text, else "data_base64"; nothing when it
 * is absent.  Formats b64 and bin are always base64.  0 or ODM_ENOMEM. */
ODM_MUST_USE int command_value_put(json_t *o, odm_str format, odm_str value, odm_arena *a);

/* A result that an alert brought has a text of this and the alert's type. */
#define COMMAND_BY_ALERT "alert "
/* The type out of such a text, borrowed; absent in another. */
odm_str command_alert_type(odm_str text);

#endif
