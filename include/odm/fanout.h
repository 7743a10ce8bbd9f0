/* SPDX-License-Identifier: Apache-2.0 */
/* fanout.h - the same commands on many devices: what a gateway does for its server, and what both
 * of them say to each other (the Fanout object).
 *
 *     commands     <SyncBody> as the server wrote it -> a list of commands, made a device's own
 *     outcomes     what came of them on one device: text, as it is kept and told
 *     documents    <FanoutResult>, written by the gateway in parts, read by the server
 *     tasks        which device is next, how often, until when; states; what is to be told
 *
 * No I/O and no clock; a fanout belongs to one thread.  Facts: gwmo.md 6, 8, 10; xrem.md G4, G5,
 * G7, X1, X2. */
#ifndef ODM_FANOUT_H
#define ODM_FANOUT_H

#include "odm/msg.h"
#include "odm/tree.h"

typedef enum odm_fanout_state { /* of a task; leaf State */
                                ODM_FANOUT_IDLE = 0,
                                ODM_FANOUT_QUEUED = 10, /* a schedule, or all that is left sleeps */
                                ODM_FANOUT_RUNNING = 20,
                                ODM_FANOUT_PAUSED = 30,
                                ODM_FANOUT_OK = 40,
                                ODM_FANOUT_FAILURES = 41,
                                ODM_FANOUT_CANCELLED = 50,
                                ODM_FANOUT_EXPIRED = 60,
                                ODM_FANOUT_ABORTED = 70, /* StopOnFailPct */
                                ODM_FANOUT_REFUSED = 71,
} odm_fanout_state;
static inline bool odm_fanout_over(odm_fanout_state s)
{
        return s >= ODM_FANOUT_OK;
}

typedef enum odm_fanout_target { /* of a device in a task */
                                 ODM_TARGET_PENDING = 0,
                                 ODM_TARGET_NOTIFIED = 1,
                                 ODM_TARGET_RUNNING = 2, /* until its final alert, after a 202 */
                                 ODM_TARGET_OK = 3,
                                 ODM_TARGET_FAILED = 4,
                                 ODM_TARGET_TIMEOUT = 5,
                                 ODM_TARGET_ASLEEP = 6,
                                 ODM_TARGET_SKIPPED = 7, /* detached, unsupported */
                                 ODM_TARGET_CANCELLED = 8,
} odm_fanout_target;
static inline bool odm_target_over(odm_fanout_target t)
{
        return t >= ODM_TARGET_OK && t != ODM_TARGET_ASLEEP;
}

typedef enum odm_fanout_format {                      /* leaf ReturnFormat */
                                 ODM_RETURN_NONE,     /* nothing but the completion */
                                 ODM_RETURN_FULL,     /* a Device for each */
                                 ODM_RETURN_GROUP,    /* a Group for each outcome; the default */
                                 ODM_RETURN_COUNT,    /* Totals alone */
                                 ODM_RETURN_FAILURES, /* a Device for each that is not ok */
} odm_fanout_format;

/* ---- commands ------------------------------------------------------------------------------ */

#define ODM_FANOUT_COMMANDS 256        /* of one task, members counted */
#define ODM_FANOUT_REF 32              /* octets of a CmdID */
#define ODM_FANOUT_CMDS_MAX (1u << 20) /* octets of the text */

typedef struct odm_fanout_cmds {
        const odm_command *list;
        uint32_t n;             /* members of Sequence and Atomic counted, in document order */
        const odm_command **at; /* n of them, in that order */
        bool again;             /* Get and Replace alone: doing it twice does no harm */
        bool replaces;          /* nothing but Replace outside of Atomic and Sequence */
        bool has_names;         /* {LocalURL}, {DeviceID} or {Name} occurs */
} odm_fanout_cmds;

/* Reads `text`: one root SyncBody, of any or no namespace, with Get, Add, Replace, Delete, Exec,
 * Copy, Atomic and Sequence in it, each with an address, as a session would take them.  All in `a`,
 * borrowing from `text`.
 * 0; ODM_EMALFORMED or ODM_ELIMIT with *why, static text; ODM_ENOMEM. */
ODM_MUST_USE int odm_fanout_cmds_parse(odm_str text, odm_arena *a, odm_fanout_cmds *out,
                                       const char **why);
/* How results call command i: its CmdID or, without one, its number from 1.  In `a` or borrowed. */
odm_str odm_fanout_cmds_ref(const odm_fanout_cmds *c, uint32_t i, odm_arena *a);

typedef struct odm_fanout_names { /* of one device */
        odm_str device_id, name;
        /* The address of an image here: {LocalURL} (`image` absent) or {LocalURL:IMAGEID}.  0 with
         * *out in `a`, ODM_ENOENT, ODM_ENOMEM. */
        int (*local_url)(void *ctx, odm_str image, odm_arena *a, odm_str *out);
        void *ctx;
} odm_fanout_names;

/* The commands as the device gets them: names put in, in addresses and data (escaped in Data that
 * is XML); each Exec with the correlator `tag`.N, N its number from 0.  In `a`; borrows from `c`.
 * 0; ODM_ENOENT: an image that is asked for is not there; ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_fanout_cmds_for(const odm_fanout_cmds *c, const odm_fanout_names *n,
                                     odm_str tag, odm_arena *a, const odm_command **out);
/* Splits a correlator that odm_fanout_cmds_for() made: 0 with the tag borrowed, or
 * ODM_EMALFORMED for one of somebody else's. */
ODM_MUST_USE int odm_fanout_tag(odm_str correlator, odm_str *tag, uint32_t *n);
/* True when each node that `early` replaces is replaced by `late` too; both are `replaces`, and no
 * names are in their addresses. */
bool odm_fanout_overtakes(const odm_fanout_cmds *late, const odm_fanout_cmds *early);

/* ---- outcomes ------------------------------------------------------------------------------- */

typedef struct odm_fanout_value { /* a node that a Get found */
        odm_str uri;
        odm_value value; /* octets as they are */
        bool has_data;
        uint64_t size; /* without data: how large it was; 0: it has none */
} odm_fanout_value;

typedef struct odm_fanout_cmd {
        odm_str ref;     /* CmdRef; absent: of all commands */
        unsigned status; /* of OMA DM */
        unsigned result; /* with 202: the code of the final alert; 0: it has not come */
        const odm_fanout_value *v;
        size_t n;
        uint32_t more; /* nodes that were found and for which there was no room */
} odm_fanout_cmd;

#define ODM_FANOUT_OUTCOME_MAX 32768 /* octets of an outcome's text */

/* Appends the text of an outcome: one Cmd element a command, at most ODM_FANOUT_OUTCOME_MAX octets.
 * A value that does not fit is left out and its size told, an address that does not fit is counted.
 * 0; ODM_EINVAL: more than ODM_FANOUT_COMMANDS, or a ref longer than ODM_FANOUT_REF; ODM_ENOMEM,
 * ODM_ELIMIT (the buffer's). */
ODM_MUST_USE int odm_fanout_outcome_write(const odm_fanout_cmd *v, size_t n, odm_buf *out);
/* Reads such a text.  In `a`.  0, ODM_EMALFORMED, ODM_ELIMIT, ODM_ENOMEM. */
ODM_MUST_USE int odm_fanout_outcome_read(odm_str text, odm_arena *a, const odm_fanout_cmd **out,
                                         size_t *n);
/* What it amounts to: OK; RUNNING when a 202 waits for its alert; FAILED.  `status` is the first
 * that is no success, else 200. */
odm_fanout_target odm_fanout_judge(const odm_fanout_cmd *v, size_t n, unsigned *status);

/* ---- documents ------------------------------------------------------------------------------ */

#define ODM_FANOUT_RESULT_ALERT "urn:oma:at:oma-gwmo:resultaggregation:1.0" /* a document */
#define ODM_FANOUT_DONE_ALERT "urn:oma:at:oma-gwmo:completionstatus:1.0"    /* int: the state */
#define ODM_FANOUT_MIME "application/vnd.xrem.fanout+xml"
#define ODM_FANOUT_DOC_MAX (8u << 20) /* octets that the reader takes */

typedef struct odm_fanout_totals {           /* of the whole task when the document was made */
        uint32_t total, ok, failed, pending; /* failed: all that ended otherwise than ok */
} odm_fanout_totals;

typedef struct odm_fanout_entry { /* a Group, or a Device */
        struct odm_fanout_entry *next;
        bool is_group;
        odm_fanout_target state; /* attribute State; where it is not, judged by the commands */
        odm_str text;            /* attribute Text: why, for people; absent: nothing said */
        odm_str keys;            /* Group: keys of the inventory, blanks between; `count` of them */
        uint32_t count;          /* Device: 1 */
        odm_str id;              /* Device: its DeviceID */
        odm_str key;             /* Device: its key, attribute Key; may be absent */
        const odm_fanout_cmd *cmd;
        size_t n;
} odm_fanout_entry;

typedef struct odm_fanout_doc {
        odm_str task; /* TaskID */
        uint32_t seq; /* from 1 and rising, in a task's runs too: what was seen is dropped */
        bool last;    /* of this run; the completion comes with it */
        odm_fanout_totals totals;
        odm_fanout_entry *entries;
} odm_fanout_doc;

/* Reads a document.  All in `a`, which bounds it; text is copied.  Elements and attributes that are
 * not known are passed over.
 * 0; ODM_EMALFORMED: it is none; ODM_ELIMIT: too large, too deep, the arena's; ODM_ENOMEM. */
ODM_MUST_USE int odm_fanout_doc_read(odm_str xml, odm_arena *a, odm_fanout_doc *out);
/* The next key of entry->keys: begins with *at = 0; false after the last. */
bool odm_fanout_next_key(odm_str keys, size_t *at, odm_str *key);

/* Gathers what ended into one document of bounded size:
 *
 *     odm_gather_init(&g, mem, format, room)
 *     while (there is one that ended, and odm_gather_add(&g, ..) == 0)    1: it is full
 *     odm_gather_write(&g, task, seq, last, &totals, buf)
 *     odm_gather_done(&g) */
typedef struct odm_gather {
        const odm_mem *mem;
        odm_fanout_format format;
        size_t room, used; /* octets of the document */
        uint32_t n;        /* added; those that the format leaves out counted */
        struct odm_gather_group **slot;
        size_t n_slots, n_groups;
        struct odm_gather_group *first, **last;
} odm_gather;

void odm_gather_init(odm_gather *g, const odm_mem *mem, odm_fanout_format format, size_t room);
/* One device that ended; `outcome` is text of odm_fanout_outcome_write(), `text` may be absent.
 * Copies.  0; 1: it does not fit, nothing was added (never for the first); ODM_ENOMEM. */
ODM_MUST_USE int odm_gather_add(odm_gather *g, odm_str key, odm_str device_id,
                                odm_fanout_target state, odm_str outcome, odm_str text);
/* Appends the document.  ODM_ENOMEM, ODM_ELIMIT: the buffer's. */
ODM_MUST_USE int odm_gather_write(const odm_gather *g, odm_str task, uint32_t seq, bool last,
                                  const odm_fanout_totals *t, odm_buf *out);
void odm_gather_done(odm_gather *g);

/* ---- tasks ---------------------------------------------------------------------------------- */

/*  A task that was started is in memory until it is over and told.  What is to be done is lent, one
 *  piece after the other, and what came of it said:
 *
 *     odm_fanout_next() -> KEEP    write this row of a target      -> batch
 *                          RUN     these commands on that device   -> odm_fanout_ran()
 *                          TELL    report those that ended up to here -> odm_fanout_told()
 *     the batch is durable, or not -> odm_fanout_kept()
 *
 *  What may not happen twice is kept before it is run: it is lent as KEEP first, as RUN after
 *  odm_fanout_kept().  One batch at a time: while it is under way no KEEP is to be asked for.
 *
 *     PENDING --slot free--> RUNNING --all 2xx--> OK
 *        |  ^                  | | '--a 202--> RUNNING until odm_fanout_final()
 *        |  '--503, or 408 and `again`: retry, back-off
 *      asleep                  | '--408--> TIMEOUT     any other --> FAILED
 *        v                     v
 *     ASLEEP --awake--> PENDING      any --Expire--> TIMEOUT  --cancel, stop--> CANCELLED
 *
 *  One run of a device at a time, by priority, then the older task; a task that waits for a retry,
 *  or for a final alert, is in nobody's way.  `parallel` devices of a task at once; who awaits a
 *  final alert holds its place no longer than `timeout_ms`, and a sleeper that woke needs none. */
typedef struct odm_fanout odm_fanout;

typedef struct odm_fanout_now {
        odm_time mono;
        odm_wall wall;
} odm_fanout_now;

typedef struct odm_fanout_opt {
        const odm_mem *mem;
        const odm_tracer *trace; /* NULL for none */
        uint32_t max_tasks;      /* under way at once; default 256 */
        uint32_t max_targets;    /* of all of them; default 200000 */
        uint32_t max_running;    /* devices at work at once; default 512 */
        int64_t retry_ms;        /* before the second try, doubled each time; default 5 s */
        int64_t retry_max_ms;    /* default 5 minutes */
} odm_fanout_opt;

typedef enum odm_presence {
        ODM_PRESENCE_AWAKE,
        ODM_PRESENCE_ASLEEP,  /* or unreachable, or never seen: it is waited for */
        ODM_PRESENCE_GONE,    /* detached: skipped with 503 at the start, later waited for */
        ODM_PRESENCE_BARRED,  /* deactivated: failed with 403 */
        ODM_PRESENCE_FOREIGN, /* another's business (transparent mode): skipped with 406 */
        ODM_PRESENCE_DENIED,  /* no right to it: failed with 425 */
        ODM_PRESENCE_UNKNOWN, /* nobody knows it: skipped with 404 */
} odm_presence;

typedef struct odm_fanout_plan {     /* a task as it was when it was started */
        uint64_t id;                 /* the host's, not 0; later ones are higher */
        const odm_fanout_cmds *cmds; /* borrowed until the task is dropped */
        odm_wall not_before;         /* 0: now */
        odm_wall expire;             /* all open ones time out then */
        int64_t timeout_ms;          /* of a run; default 60 s */
        uint32_t parallel;           /* default 8 */
        uint32_t retry;              /* tries after the first; default 2 */
        uint32_t stop_pct;           /* 0: never */
        uint8_t priority;            /* 0 (first) .. 7 */
        uint32_t max_queue; /* commands that may wait for one sleeper: more are 420; default 100 */
        uint32_t agg_window_s, agg_max; /* 0: off */
} odm_fanout_plan;
void odm_fanout_plan_init(odm_fanout_plan *p);

typedef struct odm_fanout_to { /* a device as a target */
        uint32_t device;       /* the host's number, not 0 */
        odm_presence presence; /* now */
} odm_fanout_to;

typedef struct odm_fanout_row { /* what is kept of a target; one that never ran has no row */
        uint32_t device;
        odm_fanout_target state;
        unsigned status; /* 0: not yet */
        uint32_t tries;
        uint32_t ended; /* its number among those that ended, from 1; 0: open */
        bool awaits;    /* RUNNING: was answered 202 */
} odm_fanout_row;

typedef enum odm_fanout_ask_kind {
        ODM_ASK_KEEP,
        ODM_ASK_RUN,
        ODM_ASK_TELL,
} odm_fanout_ask_kind;

typedef struct odm_fanout_ask {
        odm_fanout_ask_kind kind;
        uint64_t task;
        uint32_t device;     /* KEEP, RUN */
        odm_fanout_row row;  /* KEEP */
        int64_t deadline_ms; /* RUN: from now */
        uint32_t told, upto; /* TELL: those that ended with told < ended <= upto, which are kept */
        bool last;           /* TELL: no more come; with the completion, whose state is `state` */
        odm_fanout_state state;
} odm_fanout_ask;

void odm_fanout_opt_init(odm_fanout_opt *o, const odm_mem *mem);
/* Copies `opt`.  0, ODM_ENOMEM, ODM_EINVAL. */
ODM_MUST_USE int odm_fanout_new(const odm_fanout_opt *opt, odm_fanout **out);
void odm_fanout_free(odm_fanout *f); /* NULL is allowed */

/* Begins a task; a device named twice is run once.  The host has kept the plan and its targets.
 * 0; ODM_EINVAL: no target, a number out of range; ODM_EEXIST: it is there; ODM_ELIMIT: max_tasks
 * or max_targets; ODM_ENOMEM. */
ODM_MUST_USE int odm_fanout_start(odm_fanout *f, const odm_fanout_plan *p, const odm_fanout_to *to,
                                  size_t n, const odm_fanout_now *now);
/* After a start of the host: begins it again where it was.  `rows` are those kept of it, `told` and
 * `state` as kept with the last report or change; RUNNING ones that may not be done twice time
 * out, unless they were answered 202.  As odm_fanout_start(). */
ODM_MUST_USE int odm_fanout_restore(odm_fanout *f, const odm_fanout_plan *p,
                                    const odm_fanout_to *to, size_t n, const odm_fanout_row *rows,
                                    size_t n_rows, uint32_t told, odm_fanout_state state,
                                    const odm_fanout_now *now);
/* Orders of the server.  0; ODM_ENOENT: no such task under way; ODM_ESTATE: not now (405).  What
 * is kept of it, the host keeps before it answers. */
ODM_MUST_USE int odm_fanout_pause(odm_fanout *f, uint64_t task, const odm_fanout_now *now);
ODM_MUST_USE int odm_fanout_resume(odm_fanout *f, uint64_t task, const odm_fanout_now *now);
ODM_MUST_USE int odm_fanout_cancel(odm_fanout *f, uint64_t task, const odm_fanout_now *now);
/* Takes one target out of it: one that has not begun is SKIPPED (214), and is not run any more; one
 * that awaits a final alert times out (408), for what becomes of it is not known; one that runs
 * comes to its end.  0; ODM_ENOENT: none that is open; ODM_ESTATE: it runs. */
ODM_MUST_USE int odm_fanout_withdraw(odm_fanout *f, uint64_t task, uint32_t device);
/* Whether the target is one that has not begun. */
bool odm_fanout_rests(odm_fanout *f, uint64_t task, uint32_t device);
/* Forgets it at once; runs, rows and reports under way are then unknown. */
void odm_fanout_drop(odm_fanout *f, uint64_t task);

/* A device's presence changed, or its record is about to go (404 for what waits). */
void odm_fanout_device(odm_fanout *f, uint32_t device, odm_presence p, const odm_fanout_now *now);
void odm_fanout_removed(odm_fanout *f, uint32_t device, const odm_fanout_now *now);

/* The next thing to do now: 1 with *ask, or 0.  KEEPs only with `keeps`. */
int odm_fanout_next(odm_fanout *f, const odm_fanout_now *now, bool keeps, odm_fanout_ask *ask);
/* When there is something to do, if nothing else happens before; asked after odm_fanout_next() said
 * 0.  Within a minute where something hangs on the wall clock, which may be set. */
odm_time odm_fanout_time(const odm_fanout *f, const odm_fanout_now *now);

/* A RUN is over.  `state` as odm_fanout_judge() says, or with `status` 408 or 503 TIMEOUT: no
 * answer, or it was not to be had.  The task stops when more than stop_pct of those that ended did
 * not end well, of which there are taken to be ten at least (or all, where that is less): then what
 * waits is cancelled, what runs comes to its end.  Unknown runs are ignored. */
void odm_fanout_ran(odm_fanout *f, uint64_t task, uint32_t device, odm_fanout_target state,
                    unsigned status, const odm_fanout_now *now);
/* A target that awaits final alerts is through with all of them.  0; ODM_ENOENT: none awaited. */
ODM_MUST_USE int odm_fanout_final(odm_fanout *f, uint64_t task, uint32_t device, bool ok,
                                  unsigned status, const odm_fanout_now *now);
/* The batch with all that was lent as KEEP so far is durable, or is not: then it is lent again. */
void odm_fanout_kept(odm_fanout *f, bool durable);
/* Reports up to number `upto` are durable; a last one makes the task go from memory. */
void odm_fanout_told(odm_fanout *f, uint64_t task, uint32_t upto, bool last,
                     const odm_fanout_now *now);

typedef struct odm_fanout_view { /* of a task under way */
        odm_fanout_state state;  /* RUNNING until its end is told */
        uint32_t total, done, ok, failed, pending;
        uint32_t told;
        uint32_t saved; /* commands that were overtaken and not sent */
} odm_fanout_view;
ODM_MUST_USE int odm_fanout_look(const odm_fanout *f, uint64_t task, odm_fanout_view *out);
/* A target's state; ODM_ENOENT. */
ODM_MUST_USE int odm_fanout_find(const odm_fanout *f, uint64_t task, uint32_t device,
                                 odm_fanout_row *out);
/* Commands that wait for the device, of all tasks. */
uint32_t odm_fanout_waiting(const odm_fanout *f, uint32_t device);
/* Whether a task runs on it, or awaits its final alerts. */
bool odm_fanout_runs(const odm_fanout *f, uint32_t device);
size_t odm_fanout_bytes(const odm_fanout *f); /* of memory in use */

#endif
