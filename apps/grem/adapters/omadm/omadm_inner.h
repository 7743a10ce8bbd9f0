/* SPDX-License-Identifier: Apache-2.0 */
/* omadm_inner.h - what the files of the adapter share.
 *
 *   omadm.c    settings, listeners, start and end
 *   behind.c   devices: who they are, when they are there
 *   order.c    orders: jobs made, looked at, taken back
 *   words.c    commands as the jobs have them, and back
 *   told.c     alerts of devices, out of the log
 *   boot.c     accounts for devices that have none
 *   link.c     what a device is told of its gateway
 *   relay.c    package 0 of other servers
 *
 *     loop: commands() -> store: job -> dm: session -> store: job moved -> loop: done()
 *     dm: session begins -> loop: seen(), awake(), alerts; what that brings goes with the session
 *
 * All of it is the loop's thread but for the functions that say otherwise. */
#ifndef GREM_OMADM_INNER_H
#define GREM_OMADM_INNER_H

#include <stdatomic.h>

#include "budget.h"
#include "dm.h"
#include "httpd.h"
#include "metrics.h"
#include "omadm.h"
#include "table.h"

#define BEHIND_CHAINS 4096
#define ORDER_CHAINS 256
#define DOORS_MAX 8
#define ALERT_DATA ((size_t)1 << 20) /* of a device's alert that is passed on */
#define READ_MEMORY ((size_t)64 << 20)

typedef struct omadm omadm;

typedef struct behind { /* a device that the store knows, in memory as long as we are */
        struct behind *next;
        omadm *a;
        int64_t id;          /* the store's */
        gw_device *record;   /* NULL: not introduced, or refused */
        bool here;           /* in a session */
        bool wakes;          /* it says where a package 0 reaches it */
        bool awake;          /* as we said last */
        bool asked;          /* what it is, in this life of ours */
        bool asking;         /* ... and it has not answered: nobody knows of it yet */
        int64_t interval_ms; /* how often it calls; 0: not known */
        odm_time woken;      /* when a package 0 was passed on last */
        char *servers;       /* ServerIDs of its own servers, blanks between; NULL: none */
        uint64_t linked;     /* digest of what it was told of its gateway, in this life of ours */
} behind;

#define WORDS_MAX 1000 /* commands of a job */

typedef struct words {
        odm_str json;       /* as a job has them (job_codec.h) */
        uint32_t n;         /* commands of the order, members counted */
        uint32_t n_jobs;    /* of the job: one for each item */
        uint32_t *of;       /* the order's command of each of them */
        odm_str correlator; /* of the first Exec that has one; absent without */
} words;

typedef struct order {
        struct order *next, *by_job;
        omadm *a;
        behind *b;
        uint64_t id;  /* the gateway's */
        int64_t job;  /* 0: not written yet */
        int64_t made; /* the same, as the writer left it */
        words w;      /* texts of it are gone once the job is written */
        odm_arena mem;
        int rc;    /* of the writing */
        bool dead; /* cancelled before it was written */
        void (*done)(void *ctx, uint64_t id, unsigned status, odm_str text, const adapter_answer *v,
                     size_t n);
        void *ctx;
} order;

typedef struct door {
        omadm *a;
        bool tls;
        const char *text;
} door;

struct omadm {
        adapter_host host;
        const cfg *conf;
        store *store;
        loop *loop;
        budget memory;
        metrics metrics;
        dm *dm;
        httpd *httpd;
        door doors[DOORS_MAX];
        size_t n_doors;
        atomic_bool open; /* requests are let through */
        bool closing, reading;
        behind *behind[BEHIND_CHAINS];
        size_t n_behind;
        order *orders, *by_job[ORDER_CHAINS];
        size_t n_orders;
        int64_t place;    /* in the log: alerts up to this one are the gateway's */
        loop_timer again; /* an alert was not taken */
        struct relay *relay;
};

/* ---- behind.c --------------------------------------------------------------------------- */

extern const store_table omadm_table_device;

/* The device, made when it is not in memory.  NULL: no memory. */
behind *behind_of(omadm *a, int64_t id);
/* Tells the gateway what the store knows of it.  False: it is refused, or cannot be read. */
bool behind_introduce(behind *b);
void behind_all(omadm *a);      /* every device of the store */
void behind_unwoken(behind *b); /* it does not answer wake-ups: it is awaited */
void behind_free(omadm *a);
/* For dm_opt. */
void behind_at_hand(void *ctx, int64_t device);
void behind_left(void *ctx, int64_t device); /* any thread */
/* The servers of its own that it told of, separated by blanks.  ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int behind_servers(behind *b, odm_str ids);

/* ---- order.c ------------------------------------------------------------------------------ */

void order_commands(void *ctx, uint64_t id, gw_device *d, void *native, const odm_command *list,
                    int64_t deadline_ms,
                    void (*done)(void *ctx, uint64_t id, unsigned status, odm_str text,
                                 const adapter_answer *v, size_t n),
                    void *done_ctx);
void order_cancel(void *a, uint64_t id);
void order_moved(void *ctx, int64_t job); /* for dm_opt; any thread */
/* Jobs of a process before us: nobody waits for them.  0 or what the store says. */
ODM_MUST_USE int order_clear(omadm *a);
void order_forget(omadm *a, const behind *b); /* those of a device end with 503 */
void order_free(omadm *a);

/* ---- words.c ------------------------------------------------------------------------------ */

/* All in `a`.  0; ODM_EUNSUPPORTED for what a job cannot hold; ODM_ELIMIT for too many; ODM_ENOMEM.
 */
ODM_MUST_USE int words_of(const odm_command *list, odm_arena *a, words *out);
/* The word for people: of the one command, or "commands". */
const char *words_kind(const odm_command *list);
/* What came back, w->n of them, in `a`; texts are lent from the results.  A command without a
 * result gets `otherwise`.  ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int words_answers(const store_result_list *l, const words *w, unsigned otherwise,
                               odm_str why, odm_arena *a, adapter_answer **out);

/* ---- told.c ------------------------------------------------------------------------------- */

/* Where it was.  0 or what the store says. */
ODM_MUST_USE int told_open(omadm *a);
void told_read(omadm *a); /* what is new in the log goes to the gateway */
void told_close(omadm *a);

/* ---- boot.c ------------------------------------------------------------------------------- */

/* Any thread. */
bool boot_is_asked(const omadm *a, const httpd_req *r);
void boot_handle(omadm *a, httpd_req *r);

/* ---- link.c ------------------------------------------------------------------------------- */

/* A device that is here, and keeps ./GwMO/Config for its gateway, is told what has changed there:
 * a job of its own.  `t` is its mirror. */
void link_tell(behind *b, const store_tree *t);

/* ---- relay.c ------------------------------------------------------------------------------ */

ODM_MUST_USE int relay_open(omadm *a, diag *d);
void relay_close(struct relay *r); /* NULL is allowed */
void relay_wake(void *a, uint64_t id, gw_device *d, void *native, odm_str notification,
                odm_str server_id);

#endif
