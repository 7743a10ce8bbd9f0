/* SPDX-License-Identifier: Apache-2.0 */
/* dm_inner.h - what the files of the DM side share.
 *
 *   dm.c       options, start and end; HTTP; the table of sessions
 *   welcome.c  whose session it is, and devices nobody created
 *   session.c  one session and its turns: a message comes, a batch is written, the reply leaves
 *   said.c     the messages themselves, kept for people
 *   heard.c    what the device said: events of the engine become operations of the batch
 *   work.c     jobs of a session: claimed, given, checked, finished, put back
 *   doubt.c    Execs of lost sessions: whether the device ever got them
 *   care.c     lost sessions, deadlines, jobs nobody holds
 *   wake.c     package 0
 *
 * A session is worked on by one thread at a time, its owner: who finds it not busy, under the lock
 * of the table, makes it busy.  A turn passes from thread to thread:
 *
 *   listener: BEGIN -> recv -> events --no jobs--------------> write -> reply -> next turn, or idle
 *                                 |                              ^ (crew)
 *                                 +-jobs: claim (durable) -> crew -> work -> events
 *
 * Nothing is sent to a device, job or reply, before the batch that says so is durable. */
#ifndef NREM_DM_INNER_H
#define NREM_DM_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "crew.h"
#include "dm.h"
#include "job.h"
#include "lockout.h"
#include "mirror.h"
#include "odm/server.h"
#include "sample.h"
#include "walk.h"

#define SID_TEXT 33                  /* 128 random bits as hexadecimal, and a zero */
#define TURNS_MAX 4                  /* messages of one session that may wait for their turn */
#define TABLE_SIZE 4096              /* chains; a power of two */
#define CLAIM_MOST 4                 /* jobs claimed at a time */
#define DOUBT_ID ((uint64_t)1 << 60) /* of the Gets of doubt.c */
#define TURN_MEMORY ((size_t)256 << 20)
#define RETRY_AFTER "5"

typedef struct session session;

/* One request on its way. */
typedef struct turn {
        struct turn *next;
        httpd_req *req;
        const odm_codec *codec;
        odm_str type; /* Content-Type as it came */
        odm_arena a;
        odm_peek peek;
        int64_t at; /* milliseconds since 1970 */
        odm_time now;
        uint64_t digest; /* of the body, to know a repetition */
        bool replies;    /* there is one: */
        odm_packet out;  /* in `a` */
} turn;

typedef struct said said;
typedef struct doubt doubt;

typedef enum live_state {
        LIVE_CLAIMING, /* the claim is not durable yet */
        LIVE_READY,    /* ours, waits for its turn */
        LIVE_CHECKING, /* Gets for Adds of unknown fate are out */
        LIVE_WALKING,  /* Gets that stand in for a list are out */
        LIVE_GIVEN,    /* its commands are with the engine */
        LIVE_TOLD,     /* of no session: alerts told of it, and it ends when they are all there */
        LIVE_OVER,     /* its end is in the batch; freed when the turn ends */
} live_state;

#define TOLD_MOST 1000

/* What alerts told of an Exec: one, or one for each component (mo-scomo.md 5). */
typedef struct live_told {
        uint32_t status; /* the first that is no success, if there is one */
        store_value *v;  /* in the job's memory; past TOLD_MOST only the status counts */
        size_t n;
} live_told;

/* A job in this session. */
typedef struct live {
        struct live *next;
        live_state state;
        store_job job; /* texts in `a` */
        odm_arena a;
        job_commands all;
        job_answer *ans;
        live_told *told; /* by command */
        bool *skip, *there;
        uint32_t *check, n_check; /* Adds to be looked at */
        uint32_t *lists, n_lists; /* Gets of lists that were refused, to be walked */
        walk *walk;               /* of the first of them, once begun */
        bool given;               /* something of it may have left */
        odm_command *list;
        uint32_t *map, n; /* number in `list` -> number in `all` */
        odm_job lent;
        const store_op *claim; /* in the batch, while CLAIMING */
} live;

struct session {
        dm *dm;
        /* of the table, under its lock */
        session *by_sid, *by_source; /* chains */
        session *older, *newer;      /* by last use */
        bool listed, busy, doomed;
        store_session row;    /* as it would be put now; id 0: not known yet */
        said *log, **log_end; /* messages, from the first that is not known to be in the store */
        uint32_t log_n;       /* number of the last */
        size_t log_octets;    /* in memory */
        turn *waiting;
        unsigned n_waiting;
        odm_time used;
        char sid[SID_TEXT];

        /* the owner's */
        odm_arena a; /* all texts below */
        odm_str source, dm_id, host, uri, reached;
        char peer[NET_ADDR_TEXT];
        const odm_codec *codec;
        bool tls, known;
        store_device device;
        store_account account;
        odm_server *server;
        /* written by the owner, looked at by whoever walks the table */
        _Atomic uint32_t last_msg;
        _Atomic uint64_t last_digest;
        _Atomic int64_t last_at; /* when it came first */
        _Atomic int64_t id;      /* the store's number; 0: not yet */
        atomic_bool authenticated, over;
        _Atomic int64_t device_id; /* 0: not known */
        atomic_bool cut;           /* an operator wants no more of it */
        atomic_bool look;          /* jobs may have come since the last look */
        const char *route;
        odm_str outcome;
        uint32_t messages;
        uint64_t bytes_in, bytes_out;
        live *jobs;     /* in order of claim */
        bool inventory; /* a Get of versions is due */
        bool spoke;     /* the engine had a command from us */
        odm_command *own_list;
        odm_job own_job;  /* Gets whose answers go to the mirror only */
        bool put_back;    /* the batch in hand puts jobs back that we may take */
        bool early;       /* it brought alerts of devices behind it that are not known */
        bool due;         /* at_hand() is to be said before the session ends */
        bool at_hand;     /* it was said, and left() was not */
        unsigned rounds;  /* of waiting for what it brings */
        doubt *doubt;     /* in `a`; NULL: not looked yet */
        uint32_t log_put; /* messages up to this one are in a batch or in the store */

        /* the turn in hand */
        turn *turn;
        store_batch *batch; /* what it came to, and what earlier turns left for later */
        bool urgent;        /* it has to be durable before the reply */
        bool nonces;        /* they have changed */
        uint32_t failures;  /* wrong credentials in a row; account.failures is what is kept */
        bool failed;        /* an operation found no memory */
        mirror_changes changes;
        sample_set samples; /* that came, and are in no operation yet */
        odm_str sampled_by; /* the correlator of their run, in the batch */
        int64_t sampled_of; /* whose they are: this device's, or of one behind it */
        store_device patch;
        uint32_t fields;
        int write_rc;
        crew_task task;
        bool session_changed;
};

typedef struct wake wake;

struct dm {
        dm_opt opt; /* texts in `a` */
        odm_arena a;
        crew *crew;
        lockout *lockout;
        wake *wake;
        loop_timer tick;
        int64_t next_minute; /* monotonic ms */
        atomic_bool stopping;
        atomic_uint held;

        pthread_mutex_t lock;
        session *by_sid[TABLE_SIZE], *by_source[TABLE_SIZE];
        session *oldest, *newest;
        unsigned n_sessions;
        int64_t accept_from; /* monotonic ms: begin of the hour, and devices let in within it */
        unsigned accepted;
        unsigned turns; /* requests between handle() and their reply */
        pthread_cond_t calm;
};

const odm_mem *dm_mem(const dm *m); /* what strangers may fill */
void dm_count(dm *m, metric id, uint64_t n);
/* `done` of batches nobody waits for: tells who follows jobs.  ctx is the dm. */
void dm_written(void *ctx, store_batch *b, int rc);
void dm_tell_moved(dm *m, const store_batch *b);
/* Writes and forgets; takes b, which may be NULL. */
void dm_write(dm *m, store_batch *b);
void turn_reply(dm *m, turn *t, unsigned status, const char *text); /* ends the turn */
void turn_free(dm *m, turn *t);
bool dm_has_session(dm *m, int64_t id); /* store's number */
/* Wakes the device when orders of it wait; any thread. */
void dm_look_again(dm *m, int64_t device);

/* ---- the table (lock held) ------------------------------------------------------- */

session *table_first(dm *m, odm_str source); /* of those with that source, by s->by_source */
void table_add(dm *m, session *s);
void table_remove(dm *m, session *s); /* not listed: does nothing */
void table_use(dm *m, session *s, odm_time now);

/* ---- welcome.c -------------------------------------------------------------------- */

/* ODM_ENOMEM.  The session is busy, and has no turn. */
ODM_MUST_USE int session_new(dm *m, const turn *t, session **out);
/* The first turn.  True: go on with session_run(); false: it was taken over. */
bool welcome(session *s);
/* Whether the device has to renew the nonce by which we prove ourselves. */
bool welcome_wants_nonce(const session *s);
/* Makes the engine.  Errors as odm_server_new(). */
ODM_MUST_USE int welcome_server(session *s, const turn *t);

/* ---- session.c -------------------------------------------------------------------- */

void session_free(session *s);
/* The device is found: the message of the turn goes into the engine. */
void session_run(session *s);
/* The turn ends without a SyncML reply, and the session with it. */
void session_break(session *s, const char *why);
/* The owner works through one turn; ends with session_release(). */
void session_take(session *s, turn *t);
/* The owner gives up ownership: the next turn, if one waits, is begun. */
void session_release(session *s);
/* The session is no more: its jobs are put back.  Owner only; frees. */
void session_lost(session *s, const char *why);
/* Another operation of the batch in hand; NULL: no memory, which fails the turn.  The reply waits
 * for it, or, if it is for later, does not. */
store_op *session_op(session *s, store_op_kind kind);
store_op *session_op_later(session *s, store_op_kind kind);
odm_arena *session_batch_arena(session *s); /* NULL: no memory */
void session_failed(session *s);            /* no memory: the turn will fail */
/* Writes the batch with the claims in it; work_claimed() goes on when they are durable.  False: the
 * store took it not, and the batch is as it was. */
bool session_write_claims(session *s);
/* Writes what there is, says at_hand() and waits for what it brings; work_wanted() goes on then.
 * False: there is no need to, or it is not possible. */
bool session_waits(session *s);

/* ---- said.c --------------------------------------------------------------------------- */

/* The session gets its number and its row, when its device is known and it has none. */
void said_open(session *s);
/* Keeps a message, without its octets where memory is short; nothing without a number.  Copies. */
void said_add(session *s, bool out, int64_t at, odm_str bytes, odm_str mac);
void said_put(session *s); /* the row and what is new goes into the batch in hand, for later */
bool said_long(const session *s);  /* more is in memory than should be */
bool said_unput(const session *s); /* something is in no batch yet */
void said_kept(session *s);        /* what was put is durable: it leaves memory */
void said_free(session *s);

/* ---- heard.c ------------------------------------------------------------------------ */

void heard_authenticated(session *s);
void heard_refused(session *s);
void heard_nonces(session *s);  /* as they are now, into the batch in hand */
void heard_lockout(session *s); /* the same, when it is not what is kept */
void heard_devinfo(session *s, const odm_event *ev);
void heard_alert(session *s, const odm_event *ev);
void heard_samples(session *s); /* that were gathered: into the batch in hand */
/* A value that a Get revealed: some are columns of the device. */
void heard_values(session *s, const store_value *v, size_t n);
ODM_MUST_USE int heard_items(session *s, const odm_item *items, odm_arena *a, store_value **out,
                             size_t *n);

/* ---- work.c ------------------------------------------------------------------------- */

/* Whether jobs may be waiting that this session has not seen. */
bool work_looks(session *s);
/* The engine asks for a job.  True: answered; false: a claim is being written, and
 * work_claimed() goes on later. */
bool work_wanted(session *s);
/* The claim is durable.  As work_wanted(). */
bool work_claimed(session *s);
void work_result(session *s, const odm_event *ev);
void work_done(session *s, const odm_event *ev);
/* Puts all jobs that are left into the batch, by the rules of a lost session. */
void work_put_back(session *s, store_batch *b, int64_t at);
void work_sweep(session *s); /* frees those that are over */
void work_free(session *s);
/* Job `j` of no session: what a lost session makes of it, into the batch.  ODM_ENOMEM and others.
 */
ODM_MUST_USE int work_judge_stored(dm *m, store_batch *b, const store_job *j, int64_t at);
/* An alert for a job that is in no session; true when it was for one. */
bool work_alert_stored(session *s, odm_str correlator, odm_str source, const store_value *v,
                       odm_str text);
bool work_alert_live(session *s, odm_str correlator, odm_str source, const store_value *v,
                     odm_str text);
/* A job of the store and its answers, in `a`.  ODM_EMALFORMED, ODM_ENOMEM and others. */
ODM_MUST_USE int work_load(dm *m, const store_job *j, odm_arena *a, job_commands *all,
                           job_answer **ans);
/* What came of command `index`, into the batch in hand, which borrows its texts. */
void work_put_result(session *s, const store_job *j, uint32_t index, const store_result *r);
odm_command *work_get_of(odm_arena *a, odm_str uri); /* borrows uri; NULL: no memory */
/* Adds a move and its note to a batch; the move is lenient.  NULL: no memory. */
store_op *work_move(store_batch *b, const store_job *j, uint32_t from, store_job_state to,
                    const char *reason, int64_t at);
void work_count(dm *m, store_job_state to, const store_job *j, int64_t at);

/* ---- doubt.c ------------------------------------------------------------------------- */

/* When the alerts of the first package are known: looks for jobs that wait for an Exec of a lost
 * session, and asks the device for its tasks if there are any.  True: the engine has its answer. */
bool doubt_ask(session *s);
void doubt_result(session *s, const odm_event *ev);
void doubt_done(session *s); /* what was asked is answered */

/* ---- care.c -------------------------------------------------------------------------- */

ODM_MUST_USE int care_start(dm *m, diag *d); /* what a process before us left */
void care_tick(void *ctx);                   /* once a second, on the loop */

/* ---- wake.c --------------------------------------------------------------------------- */

ODM_MUST_USE int wake_new(dm *m, diag *d);
void wake_free(wake *w); /* on the loop's thread; NULL is allowed */
/* Any thread: a package 0 goes to the device; at once with `now`, else as far as its wake-up is not
 * running already.  As dm_wake(). */
int wake_device(dm *m, const store_device *d, bool now);
void wake_tick(dm *m); /* on the loop, once a second: sends what is due */
/* Whether orders of the device wait for its session. */
bool wake_has_orders(const dm *m, int64_t device);
/* By which way the wake-up came that the device answers: "udp wake" ... */
const char *wake_route(const dm *m, const store_device *d);
/* Whether the wake-up that a session answers had gone over to the default nonce. */
bool wake_resynced(const dm *m, const store_device *d, const store_account *acc);

#endif
