/* SPDX-License-Identifier: Apache-2.0 */
/* dm.h - the endpoint that devices call: their sessions, the jobs they carry out, and wake-ups.
 *
 * Requests are handled on the listeners' threads and continue on the crew (crew.h) when what they
 * wrote is durable; no reply leaves before.  Wake-ups, deadlines and lost sessions live on the
 * loop. Facts: dm-protocol.md 9 and 10.1, security part B, mo-others.md 1.5; xrem.md N1, N5, X1,
 * X2. */
#ifndef NREM_DM_H
#define NREM_DM_H

#include "budget.h"
#include "httpd.h"
#include "loop.h"
#include "metrics.h"
#include "store.h"

typedef struct dm dm;

typedef enum dm_unknown { DM_UNKNOWN_REFUSE, DM_UNKNOWN_HOLD, DM_UNKNOWN_ACCEPT } dm_unknown;

/* How a package 0 reaches a device, where a datagram to the device itself does not. */
typedef struct dm_way {
        int64_t gateway; /* the device that brings it; 0: none */
        char name[128];  /* of that, for people */
        char host[256];  /* else the relay it is sent to */
        uint16_t port;
} dm_way;

typedef struct dm_package { /* borrowed */
        odm_str octets;     /* a whole notification message */
        odm_str server_id;  /* whose it is */
        int64_t at, ms;     /* made now, of use for so long */
} dm_package;

typedef struct dm_opt {
        store *store;     /* borrowed, as all here, until dm_free() */
        loop *loop;       /* wake-ups, deadlines and lost sessions */
        metrics *metrics; /* NULL: nothing is counted */

        const char *server_id; /* Server Identifier */
        const char *path;      /* of the one URL; default "/dm" */
        const char *url;       /* of ours for RespURI; NULL: from scheme and Host of the request */
        dm_unknown unknown;    /* what happens to devices nobody created; default refuse */
        uint32_t held_max;     /* devices held for approval; default 1000 */
        uint32_t accept_hour;  /* devices let in within an hour; default 60 */
        uint32_t accept_max;   /* none is let in while so many are known; default 1000 */
        /* passwords of devices let in; NULL: no proof is asked for, or shown */
        const char *accept_password, *accept_server_password;
        bool plain_once; /* without TLS too, a device proves itself once a session only */

        size_t max_message;      /* octets, both ways; default 64 KiB */
        size_t max_object;       /* default 16 MiB */
        size_t session_memory;   /* default 32 MiB */
        budget *memory;          /* of all sessions: no new ones while it is tight; default: the
                                    heap without a ceiling */
        int64_t session_idle_ms; /* then a session is lost; default 5 min */
        int64_t repeat_ms; /* so long a first message that comes again is a repetition; later it is
                              a new session of a device whose messages are all alike; default 60 s
                            */
        uint32_t sessions; /* at one time: beyond it 503; default 4096 */
        uint32_t lockout_after; /* wrong credentials in a row; default 5 */
        int64_t lockout_ms;     /* first lock-out, doubling up to an hour; default 30 s */
        unsigned crew;          /* threads that continue sessions; default 2 */

        bool wake;             /* package 0 over UDP; default on */
        const char *wake_from; /* address:port the datagrams leave from; default "*:0" */
        int64_t wake_first_ms; /* wait for an answer; doubles; default 5 s */
        int64_t wake_max_ms;   /* longest wait; default 15 min */
        uint32_t wake_tries;   /* datagrams of a round; default 6 */
        int64_t wake_again_ms; /* rest before the next one, while orders wait; doubles; 0: there is
                                  none; default 15 min */
        uint32_t wake_resync;  /* datagrams after which the default nonce is tried (security B3);
                                  0: never; default 3 */

        /* A job has moved and is durable; any thread.  NULL: nobody to tell. */
        void (*job_moved)(void *ctx, int64_t job);
        /* A device that has proved itself is in a session: said before it is given anything, and
         * again when its jobs are over or it alerted.  What it said is durable.  Jobs that are made
         * for it now, or follow a few writes of the store later, still go with this session.  On
         * the loop's thread.  NULL: nobody asks. */
        void (*at_hand)(void *ctx, int64_t device);
        /* The session of which at_hand() was said is over, what it said is durable; any thread. */
        void (*left)(void *ctx, int64_t device);
        /* The device behind the gateway `device` that has that key there.  0, ODM_ENOENT, or as
         * reads of the store.  NULL: what a device tells is its own, whatever its address. */
        int (*behind)(void *ctx, int64_t device, odm_str key, odm_arena *a, int64_t *out);
        /* Whether something that a device behind the gateway alerted before it was known is not in
         * the log as its own yet.  0, or as reads.  NULL: never. */
        int (*early)(void *ctx, int64_t gateway, bool *out);
        /* Another way for the package 0 of a device than a datagram to where it says it is.  0,
         * ODM_ENOENT: there is none; or as reads of the store.  Any thread.  NULL: there never is.
         */
        int (*way)(void *ctx, const store_device *d, odm_arena *a, dm_way *out);
        /* Adds to `b` the job by which the gateway of a way brings it.  0, ODM_ENOMEM. */
        int (*carry)(void *ctx, const dm_way *w, const store_device *d, const dm_package *p,
                     store_batch *b);
        void (*made)(void *ctx, int64_t device, int64_t job); /* that job is durable */
        bool plain_reports; /* DiagMon's reports are alerts in the log like all others, no samples
                             */
        size_t alert_data;  /* octets of an alert's data that the log keeps; default 4096 */
        void *ctx;
} dm_opt;

void dm_opt_init(dm_opt *o);

/* Copies the texts.  Jobs that a process before us left in a session are put back.
 * 0, or ODM_ENOMEM, ODM_EIO and others with a sentence in `d`. */
ODM_MUST_USE int dm_new(const dm_opt *opt, dm **out, diag *d);

/* For httpd_app, requests of opt.path: the head decides how much body is read, handle() answers. */
void dm_head(dm *m, httpd_req *r, size_t *max_body);
void dm_handle(dm *m, httpd_req *r);

/* For api_hooks.  Any thread; none blocks. */
int dm_wake(dm *m, const store_device *d); /* 0; ODM_ENOENT: no address; ODM_ESTATE: switched off */
void dm_job_created(dm *m, int64_t device, int64_t job);
void dm_device_changed(dm *m, int64_t device);
/* The sessions of a device end with their next message; from at_hand(), before anything is given to
 * it. */
void dm_cut(dm *m, int64_t device);
/* The rows of a device's sessions that are in memory, newest used first; they run, or have just
 * ended.  Copies.  ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int dm_sessions(dm *m, int64_t device, odm_arena *a, store_session_list *out);
/* The messages of one of them with numbers above `after`.  Also ODM_ENOENT: it is not in memory. */
ODM_MUST_USE int dm_session_said(dm *m, int64_t id, uint32_t after, odm_arena *a,
                                 store_message_list *out);
ODM_MUST_USE int dm_metrics(dm *m, odm_buf *out); /* appends gauges */

/* No new sessions from now on; those that run are asked to end with their next message. */
void dm_stop(dm *m);
/* On the loop's thread, when no request is running any more: puts back the jobs of sessions that
 * are left, and frees.  Before store_close().  NULL is allowed. */
void dm_free(dm *m);

#endif
