/* SPDX-License-Identifier: Apache-2.0 */
/* task.h - what an Exec begins and what must come of it: the one life of all long operations.
 *
 *     accepted (202) -> a step at a time -> result known -> reported -> forgotten
 *
 * FUMO, SCOMO, DiagMon and their kin differ in their steps, their leaves and their result codes;
 * that is an odm_task_kind, a table of functions.  What they share is here: a task is kept before
 * its Exec is answered with 202, survives a power cut at any moment, ends with one final alert, and
 * is forgotten when the server that ordered it has answered that.
 *
 * A task lives in the management tree, below ./Vendor/Task, so that each move of it and of its
 * object's own leaves is one transaction of the tree, durable like all others.  The room does no
 * work itself: it lends each step to its host, as a session lends its requests:
 *
 *     while (odm_tasks_next(ts, &t) == 1)
 *             ... begin t->kind->steps[t->step] of t->object ...
 *     later: odm_tasks_done(ts, t->id, &end, now);
 *
 * Facts: mo-others.md 1 (the life of a job, the rules of Exec and of Generic Alerts). */
#ifndef ODM_TASK_H
#define ODM_TASK_H

#include "odm/tree.h"

typedef struct odm_tasks odm_tasks;
typedef struct odm_task odm_task;

#define ODM_TASK_MAX 32        /* under way or unreported at one time */
#define ODM_TASK_CORRELATOR 64 /* octets of a Correlator (mo-others.md 1.1) */
#define ODM_TASK_ALERTS 32     /* final alerts of one task (SCOMO: one a component) */

/* How a step of work ended.  Every kind of object says it with a number of its own. */
#define ODM_TASK_CAUSES(X)                                                        \
        X(OK, "done")                                                             \
        X(CANCELLED, "the user cancelled it")                                     \
        X(CORRUPT, "the package is damaged")                                      \
        X(MISMATCH, "the package is for another device or version")               \
        X(UNSIGNED, "the signature is missing, wrong or by an unknown key")       \
        X(NOT_ACCEPTED, "the package or its descriptor is of no kind known here") \
        X(AUTH, "the download server demands credentials")                        \
        X(TIMEOUT, "the download took too long")                                  \
        X(UNSUPPORTED, "this device does not do that")                            \
        X(FAILED, "it failed")                                                    \
        X(BAD_URL, "the address leads nowhere")                                   \
        X(UNAVAILABLE, "the download server does not answer")                     \
        X(SERVER, "the download server failed")                                   \
        X(NO_ROOM, "there is no room for it")                                     \
        X(NETWORK, "the connection broke")                                        \
        X(BAD_CONFIG, "the configuration is missing or bad")                      \
        X(INTERRUPTED, "the power went before it was begun")

typedef enum odm_task_cause {
#define X(name, text) ODM_CAUSE_##name,
        ODM_TASK_CAUSES(X)
#undef X
} odm_task_cause;
const char *odm_task_cause_text(odm_task_cause c); /* "the package is damaged" */
const char *odm_task_cause_name(odm_task_cause c); /* "CORRUPT" */
/* The cause of a name; ODM_CAUSE_FAILED for one that is none. */
odm_task_cause odm_task_cause_of(odm_str name);

typedef struct odm_task_end {
        odm_task_cause cause;
        bool has_data; /* what the step worked on is still there (FUMO: Have Data) */
        odm_str note;  /* a sentence of the worker for people; may be absent.  240 octets are kept;
                          what is no text is replaced */
        int64_t saved; /* octets that need not be fetched (FUMO: by a delta) */
} odm_task_end;

/* ---- a kind of object -------------------------------------------------------------- */

typedef struct odm_task_kind {
        const char *name;         /* of the object: "fumo" */
        const char *const *steps; /* names by number; [0] is unused */
        unsigned n_steps;
        /* Bit 1 << number of the steps that only watch: one of them and a step that wants to be
         * alone do not wait for each other. */
        uint32_t watching;
        /* An Exec came, and no task of this object is under way: agrees by odm_task_step(), having
         * copied what it needs by odm_task_arg_set(); is done at once by odm_task_finish(), whose
         * result is then the Status of the Exec and no alert follows; or refuses by *status.
         *
         * This and the next two write the object's leaves with odm_task_leaf(); all they do is one
         * transaction with the task's own nodes.  They return 0 or a negative error, which takes it
         * back. */
        int (*begin)(void *ctx, odm_tasks *ts, odm_task *t, unsigned *status);
        /* The step ended: sets the next one, or the result. */
        int (*ended)(void *ctx, odm_tasks *ts, odm_task *t, const odm_task_end *e);
        /* The device started with a step under way: as `ended`; a step left as it is is lent again.
         */
        int (*resume)(void *ctx, odm_tasks *ts, odm_task *t);
        /* Makes final alert number `i`, its texts in `a`; called again for each try.
         * Returns 1, 0 when there are no more, or a negative error. */
        int (*report)(void *ctx, const odm_task *t, size_t i, odm_arena *a, odm_alert *out);
        /* An Exec of `exec` came while this task of the same object is under way (Stop); NULL:
         * 405.  Agrees by a good *status, which is then the Exec's, no other task or alert coming
         * of it; as `begin` it may write leaves and arguments, and it may set another step, never
         * the result.  That step is lent in its turn, and what was lent before is withdrawn: its
         * end is ODM_ENOENT to odm_tasks_done(), and the host gives the work up when it is lent the
         * new one.  Any other status is a refusal, which changes nothing. */
        int (*busy)(void *ctx, odm_tasks *ts, odm_task *t, odm_str exec, const odm_op *op,
                    unsigned *status);
} odm_task_kind;

struct odm_task {    /* lent, its text until the next change of the task */
        uint32_t id; /* the name of its node */
        const odm_task_kind *kind;
        void *ctx;          /* of the kind */
        odm_str object;     /* "./FUMO/main" */
        odm_str exec;       /* "./FUMO/main/Download" */
        odm_str server;     /* who ordered it, and is told */
        odm_str correlator; /* absent when the Exec had none */
        odm_str args;       /* lines of name=value */
        odm_str target;     /* what came of it (SCOMO: the component's URI); may be absent */
        odm_str note;       /* of odm_task_end; may be absent */
        unsigned step;      /* of the kind; 0 once the result is known */
        unsigned result;    /* in the numbers of the object */
        unsigned tries;     /* times this step was lent, those before a power cut included */
        bool alone;         /* no other step may run beside this one */
        odm_wall since, ended;
};

odm_str odm_task_arg(const odm_task *t, const char *name); /* absent when there is none */
/* Whether the node that was executed is `rel` below the object. */
bool odm_task_is(const odm_task *t, const char *rel);

/* For begin, ended and resume. */
void odm_task_step(odm_task *t, unsigned step, bool alone);
void odm_task_finish(odm_task *t, unsigned result);
/* Copies.  0, ODM_ENOMEM, ODM_ELIMIT (16 kB of arguments a task), ODM_EINVAL (a line break in a
 * value).
 */
ODM_MUST_USE int odm_task_arg_set(odm_task *t, const char *name, odm_str value);
ODM_MUST_USE int odm_task_target_set(odm_task *t, odm_str uri);
/* Reads or writes a leaf of the object, `rel` below it, as the device itself; a leaf that is not
 * there reads as absent.  0, ODM_ENOMEM, ODM_EIO, ODM_ELIMIT, ODM_EACCESS, ODM_EINVAL. */
ODM_MUST_USE int odm_task_leaf(odm_tasks *ts, const odm_task *t, const char *rel, odm_arena *a,
                               odm_str *out);
ODM_MUST_USE int odm_task_leaf_set(odm_tasks *ts, const odm_task *t, const char *rel,
                                   odm_format format, odm_str text);

/* For report: the one alert that most kinds have: `type`, from `source`, the result as its data.
 * Its Mark is "informational", or `bad` for a result that is no success.  `type` and `source` are
 * borrowed by *out.  1, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_task_alert(const odm_task *t, odm_str type, odm_str source, const char *bad,
                                odm_arena *a, odm_alert *out);

/* ---- the tasks of a device ------------------------------------------------------------- */

typedef struct odm_tasks_opt {
        const odm_mem *mem;
        const odm_tracer *trace; /* NULL for none */
        odm_tree *tree;          /* borrowed while the tasks live */
        const odm_mo *mo;        /* the description of ./Vendor/Task: odm_mo_task */
} odm_tasks_opt;

/* Makes an empty set and mounts its nodes.  Returns 0, ODM_ENOMEM, or what odm_tree_mount() says.
 */
ODM_MUST_USE int odm_tasks_new(const odm_tasks_opt *opt, odm_tasks **out);
void odm_tasks_free(
        odm_tasks *ts); /* before or after its tree, which no longer uses it; NULL is allowed */
odm_tree *odm_tasks_tree(const odm_tasks *ts);
const odm_mem *odm_tasks_mem(const odm_tasks *ts);
/* Whether the changes that a provider is being asked about are a task's own. */
bool odm_tasks_moving(const odm_tasks *ts);
/* Makes a kind known; borrows both.  0 or ODM_ELIMIT (ODM_TASK_KINDS). */
#define ODM_TASK_KINDS 16
ODM_MUST_USE int odm_tasks_know(odm_tasks *ts, const odm_task_kind *kind, void *ctx);
/* Takes the tasks out of the loaded tree, and asks the kinds of those under way how they go on.  A
 * task of no known kind, or one that makes no sense, is deleted.
 * Returns 0, ODM_ENOMEM, ODM_EIO, ODM_ESTATE (a transaction is open). */
ODM_MUST_USE int odm_tasks_load(odm_tasks *ts, odm_wall now);

/* The exec function of a kind's nodes: `object` is the URI of the object, at->uri the node. *status
 * becomes 202, the result of what was done at once, or a refusal: the kind's, 405 while a task of
 * this object is under way (unless kind->busy agrees) or another wants to be alone, 500 when there
 * are too many, when the Correlator is too long or the Exec came inside a transaction. Returns 0,
 * ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int odm_tasks_exec(odm_tasks *ts, const odm_task_kind *kind, odm_str object,
                                const odm_at *at, const odm_op *op, unsigned *status);
/* The task of an object whose step is not over, or NULL. */
const odm_task *odm_tasks_busy(const odm_tasks *ts, odm_str object);
const odm_task *odm_tasks_at(const odm_tasks *ts,
                             size_t i); /* all of them, in no order; NULL past the end */

/* Lends the next step that is to be begun, once.  That it was is durable with the tree's log.
 * Returns 1 with *out set, 0, or ODM_ENOMEM, ODM_EIO, ODM_ESTATE (a transaction is open). */
ODM_MUST_USE int odm_tasks_next(odm_tasks *ts, odm_wall now, const odm_task **out);
/* The step lent of task `id` is over.  ODM_ENOENT for one that is not lent; ODM_ENOMEM, ODM_EIO,
 * ODM_ESTATE: as if it had not been said, and may be said again. */
ODM_MUST_USE int odm_tasks_done(odm_tasks *ts, uint32_t id, const odm_task_end *e, odm_wall now);

/* ---- reports --------------------------------------------------------------------------- */

#define ODM_TASK_ALERT (1ull << 63) /* set in the id of each of our alerts */

/* Calls fn for each final alert that `server` has not answered yet, for the session about to start.
 * Stops at a non-zero return and returns it; else 0, ODM_ENOMEM, ODM_ELIMIT, or a kind's error. */
ODM_MUST_USE int odm_tasks_reports(odm_tasks *ts, odm_str server,
                                   int (*fn)(void *ctx, const odm_alert *alert), void *ctx);
/* Whether saying an alert again cannot help: a good status, 415 and others of 4xx; not 401, 407 and
 * 5xx (mo-others.md 1.2). */
bool odm_alert_over(unsigned status);
/* The server answered alert `id` (ODM_REQ_ALERTED).  A status that ends the matter takes it off the
 * list.  When all alerts of a task are off the task is deleted.  An unknown id is ignored.
 * Returns 0, ODM_ENOMEM, ODM_EIO, ODM_ESTATE. */
ODM_MUST_USE int odm_tasks_reported(odm_tasks *ts, uint64_t id, unsigned status, odm_wall now);
/* When a session is to be opened for reports: at once for a new one, then 1 min, 5 min, 30 min, 2 h
 * and a day after a session that brought no answer.  ODM_NEVER when nothing waits.  *server, which
 * may be NULL, gets whose it is. */
odm_time odm_tasks_report_time(const odm_tasks *ts, odm_str *server);
/* A session with `server` is over: what it was told and has not answered waits, and what is older
 * than 30 days and was tried five times since the start is given up.  0, ODM_ENOMEM, ODM_EIO,
 * ODM_ESTATE. */
ODM_MUST_USE int odm_tasks_session_over(odm_tasks *ts, odm_str server, odm_time now, odm_wall wall);
/* The same for a session with `server` that could not begin, or for want of an account: all that it
 * was to be told waits. */
ODM_MUST_USE int odm_tasks_unreached(odm_tasks *ts, odm_str server, odm_time now, odm_wall wall);

#endif
