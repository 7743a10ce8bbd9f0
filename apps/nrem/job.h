/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - what becomes of a job, from its commands and the answers to them.  Pure.
 *
 * The rules, for people (README.md has them too):
 *
 *   - A job is done when every command has a status of success, failed when one has not.  It waits
 *     while an Exec was accepted (202) and its alert has not come.
 *   - Commands that have an answer are never sent again.
 *   - When the session is lost, a job goes back into the queue; after max_attempts sessions it
 * failed.
 *   - But: where an Exec may have been sent and has no answer, the job waits: the alert with its
 *     correlator tells, or the deadline ends it.  Where the device keeps a list of its tasks and
 * the Exec would begin one, the next session looks there: a task with its correlator means that it
 *     was accepted, none that it never was, and it is sent again.
 *   - Where an Add may have been sent and has no answer, the next session first Gets the node: when
 * it is there with the wanted value the Add is taken as done, else it is sent.  An atomic job is
 * taken as done when all nodes it adds are there as wanted, else it is sent again whole.
 *   - A Delete that is sent again and finds nothing (404) is done.  So is the Exec of a Remove.
 *   - An optional command may be refused as something the device has not (404, 405, 406, 501, 215).
 *   - A Get of a list that is refused is read node by node by plain Gets (walk.h), before anything
 * after it is changed.  An Atomic that is refused and may be split goes member by member. */
#ifndef NREM_JOB_H
#define NREM_JOB_H

#include "job_codec.h"

/* What is at a gateway has so long beyond its deadline: the gateway tells then how it ended. */
#define JOB_GRACE_MS 30000

/* What is known of one command. */
typedef struct job_answer {
        bool has;     /* a status came, or was made by us */
        bool pending; /* 202 to an Exec: its alert has not come */
        bool told;    /* an alert of this session told it, and more of its kind may follow */
        uint32_t status;
        odm_str alert; /* type of the alert that told it; absent: a Status did */
        odm_str text;  /* what was said beside it; borrowed */
} job_answer;

#define JOB_REASON 240

typedef struct job_verdict {
        store_job_state to;
        char reason[JOB_REASON]; /* "" when there is nothing to say */
} job_verdict;

/* Whether no Exec waits for its alert any more; then, what comes next. */
bool job_is_told(const job_commands *all, const job_answer *ans);
void job_told(const job_commands *all, const job_answer *ans, job_verdict *out);
/* After all commands that were given to the session have been answered. */
void job_finish(const job_commands *all, const job_answer *ans, job_verdict *out);
/* The session is gone.  `given`: commands may have left; attempts: with this session. */
void job_lost(const job_commands *all, const job_answer *ans, bool given, uint32_t attempts,
              uint32_t max_attempts, odm_str correlator, job_verdict *out);
/* The answers as the store has them; ans has all->n places. */
void job_answers(const job_commands *all, const store_result_list *l, job_answer *ans);

/* Add commands without an answer, whose nodes must be looked at before the job is sent again (but
 * not where a Delete that goes again will have taken them away): calls out for each number, returns
 * how many. */
uint32_t job_to_check(const job_commands *all, const job_answer *ans, uint32_t *out);
/* True when a Get of the node of Add `c` came back as the Add wants it. */
bool job_is_there(const odm_command *c, uint32_t status, const store_value *items, size_t n);
/* From what was found to be there, to commands that need not be sent: skip[i], and answers. */
void job_apply_check(const job_commands *all, const bool *there, job_answer *ans, bool *skip);

/* One task of the device, as ./Vendor/Task has it (task.h). */
typedef struct job_task {
        odm_str exec, correlator;
} job_task;

/* Whether an Exec of this node begins a task on devices that have ./Vendor/Task, or repeats nothing
 * when it is sent twice (places: mo-others.md 1.6). */
bool job_exec_is_task(odm_str uri);
/* The node of a gateway that tells whether what an Exec of `uri` begins was ever begun: its State
 * is 0 until then (gwmo.md 6, 9).  In `a`; absent: there is none. */
odm_str job_exec_state(odm_str uri, odm_arena *a);
/* Beside that, the leaf that has the Correlator of the last such Exec: of a node that may be left
 * from another one.  In `a`; absent: there is none. */
odm_str job_exec_mark(odm_str uri, odm_arena *a);
/* The Execs without an answer, when the tasks of the device tell of all of them: calls out for each
 * number, returns how many. */
uint32_t job_in_doubt(const job_commands *all, const job_answer *ans, uint32_t *out);
/* Whether the Exec `c` is one of the device's tasks. */
bool job_is_kept(const odm_command *c, const job_task *tasks, size_t n);
/* Those that are have their 202 in `ans`: waiting, or queued (failed after max_attempts sessions)
 * when the device never got one. */
void job_doubt_over(const job_commands *all, const job_answer *ans, uint32_t attempts,
                    uint32_t max_attempts, job_verdict *out);

/* True for a refused Get of a list that plain Gets are to stand in for. */
bool job_wants_walk(const job_cmd *f, unsigned status, bool sent);
/* Number of the first command that has to wait until a list before it is read; all->n for none. */
uint32_t job_first_part(const job_commands *all, const bool *skip);

/* Which Exec of the job an alert ends: by correlator, and source where several have it; -1: none.
 * `gathers`: it may be one of several (job_alert_gathers()). */
int32_t job_alerted(const job_commands *all, const job_answer *ans, odm_str correlator,
                    odm_str source, bool gathers);
/* Whether several alerts of this type may tell of one Exec: a component each (mo-scomo.md 5). */
bool job_alert_gathers(odm_str type);
/* Whether an alert of this type can end an Exec: data, traps and alarms are events, also when they
 * carry the correlator of what began their collection. */
bool job_alert_ends(odm_str type);
/* Whether it asks for firmware or software: there is none now, until somebody orders it (202). */
bool job_alert_asks(odm_str type);
/* The result an alert tells: the number its data begin with when that is a status, else 200. */
uint32_t job_alert_status(odm_str data);

#endif
