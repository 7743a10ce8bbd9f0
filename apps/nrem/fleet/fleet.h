/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.h - what the server does with many devices: parts that live on the log of events.
 *
 *     sessions, REST, parts --> log of events --> each part, in order --> rows, jobs, events
 *                                durable, one order                        one batch
 *
 * Whatever happens is an event (docs/events.md lists them).  A part hears the events it wants, one
 * after the other, and says what comes of them: rows of its tables (table.h), jobs, events of its
 * own.  That and the place up to which the log was heard are one batch: after a kill nothing is
 * done twice and nothing is left out.  All parts share that place.
 *
 * Rules for a part:
 *
 *   - It never waits, but for reads of the store.  Long work (a transfer, a webhook) has a thread
 * of its own, and reports by an event.
 *   - What it keeps in memory changes only by what it reads: rows at open(), events afterwards.  A
 *     batch may be turned down and its events be heard again, one by one.  Its own events come
 *     back to it through the log: that is the moment to change memory.
 *   - Within a batch there are never two events of one device, and an event of no device stands
 *     alone: so what it reads of the device's rows is what its last events left.  Rows that many
 *     devices share are changed by `plus` (table.h), or when an event of no device is heard.
 *   - An operation that may be refused (a row that may be there, a state that may have changed) is
 *     lenient, and harmless when it was.
 *   - REST handlers of a part run on any thread.  They read rows, and change them by batches that
 *     carry an event, which the part then hears.  They have no other way to reach the part, but
 *     for what fleet_self() lends them, whose use the part has to make safe.
 *
 * All of a part but its REST handlers runs on the fleet's thread.  Facts: xrem.md N1-N7. */
#ifndef NREM_FLEET_H
#define NREM_FLEET_H

#include <jansson.h>

#include "cfg.h"
#include "ddf.h"
#include "table.h"

typedef struct fleet fleet;
struct call_route;

typedef struct fleet_host { /* lent to the parts until close */
        store *store;
        const cfg *conf;    /* NULL in tests: defaults */
        const char *folder; /* of the server's state; a part makes one of its name in it */
        const ddf *ddf;     /* NULL: none */
        const char *url;    /* by which devices reach the server, without a slash at the end; NULL:
                               not known */
        /* Milliseconds since 1970; tests have a clock of their own. */
        int64_t (*now)(void *ctx);
        /* A job for the device is durable.  Any thread.  NULL: nobody to tell. */
        void (*job_created)(void *ctx, int64_t device, int64_t job);
        /* A job was moved by a part, and that is durable.  Any thread.  NULL: nobody to tell. */
        void (*job_moved)(void *ctx, int64_t job);
        /* The device's state or account has changed.  NULL: nobody. */
        void (*device_changed)(void *ctx, int64_t device);
        void *ctx;
} fleet_host;

typedef struct fleet_event {
        store_event e;
        const json_t *data; /* of e.data; an empty object where that was none */
} fleet_event;

typedef struct fleet_turn {
        const fleet_host *host;
        store_batch *batch; /* what comes of it; fleet_op() adds */
        odm_arena *arena;   /* for reading; lives as long as the turn */
        int64_t now;        /* milliseconds since 1970 */
} fleet_turn;

/* Whether `at` has come, which was set to no more than `ahead` milliseconds from the time it was
 * then: who set the clock back lets nobody wait until it is as late again. */
static inline bool fleet_due(int64_t now, int64_t at, int64_t ahead)
{
        return now >= at || now < at - ahead;
}

typedef struct fleet_part { /* functions may be NULL */
        const char *name;
        const store_table *const *tables; /* up to a NULL; may be NULL */
        /* REST; paths are below /api/v1, and in docs/openapi.yaml. */
        const struct call_route *routes;
        size_t n_routes;
        /* The events it hears: how their kinds begin, blanks between: "alert job."; "*": all */
        const char *events;

        /* Reads what it keeps in memory.  0 or an error with a sentence in `d`. */
        int (*open)(const fleet_host *h, void **out, diag *d);
        /* An error (ODM_ENOMEM, ODM_EIO from a read) undoes the batch; the event comes again. */
        int (*event)(void *p, fleet_turn *t, const fleet_event *ev);
        /* It is *at or later, at first right after open.  Does what the clock asks for (a page of
         * it: what is left comes again when *at is not later than t->now) and says in *at when to
         * be called next; INT64_MAX: never.  Called at least once a minute all the same, and after
         * each batch with an event that it heard.  When its batch is refused with
         * ODM_ESTATE (somebody was faster), nothing of it happened and it is called again soon. */
        int (*tick)(void *p, fleet_turn *t, int64_t *at);
        /* A job for the device has become durable; tick() follows.  A hint, for what is quicker
         * than the next look: after a kill nobody says it again.  Any thread; must not block. */
        void (*created)(void *p, int64_t device, int64_t job);
        /* Members that the part has to say of a device in REST, to a token that sees names below
         * `scope`, and addresses or not.  False when memory is out.  Any thread. */
        bool (*describe)(void *p, const store_device *d, odm_str scope, bool addresses,
                         odm_arena *a, json_t *o);
        /* Devices behind others.  Any thread.  behind: the number of the one that has that key at
         * `gateway`; 0, ODM_ENOENT, or as reads.  covers: whether the names of all that are behind
         * it, through other gateways too, are below `scope`. */
        int (*behind)(void *p, int64_t gateway, odm_str key, odm_arena *a, int64_t *out);
        int (*covers)(void *p, int64_t gateway, odm_str scope, odm_arena *a, bool *out);
        /* Lines of /metrics; any thread. */
        int (*metrics)(void *p, odm_buf *out);
        /* The server is about to end and no more events are heard: requests that wait for the part
         * are answered now, and those that come are not kept.  Any thread. */
        void (*stop)(void *p);
        void (*close)(void *p);
} fleet_part;

/* Those there are, up to a NULL; parts.c has the table. */
extern const fleet_part *const fleet_parts[];

/* All tables of `parts`, for store_opt: an array of *n in memory of the C library, which the caller
 * frees after the store is closed; NULL when memory is out. */
const store_table **fleet_tables(const fleet_part *const *parts, size_t *n);

/* Opens the parts over an open store; borrows parts and what `h` points to; copies *h.
 * 0, ODM_ENOMEM, ODM_EIO, or as a part's open(). */
ODM_MUST_USE int fleet_new(const fleet_part *const *parts, const fleet_host *h, fleet **out,
                           diag *d);
/* Begins the thread, and listens to the store (store_watch()).  0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int fleet_start(fleet *f);
/* Lets the batch in hand finish and ends the thread; others may still write.  Then the parts'
 * stop(). */
void fleet_stop(fleet *f);
void fleet_free(fleet *f); /* stopped or never started; NULL is allowed */

/* Without a thread, for tests: hears all that is in the log, does all that is due, and says in
 * *next when something is due again.  At most `rounds` pages; ODM_ELIMIT when that was not enough.
 * Or as store_write_sync(). */
ODM_MUST_USE int fleet_run(fleet *f, unsigned rounds, int64_t *next);

/* What open() of the part with that REST route gave; for its handlers. */
void *fleet_self(fleet *f, const fleet_part *p);
const fleet_host *fleet_host_of(const fleet *f);
ODM_MUST_USE int fleet_metrics(fleet *f, odm_buf *out);
/* Tells the parts of a job that has become durable.  Any thread. */
void fleet_job_created(fleet *f, int64_t device, int64_t job);
/* What the parts say of a device, as their describe(); nothing without a fleet. */
bool fleet_describe(fleet *f, const store_device *d, odm_str scope, bool addresses, odm_arena *a,
                    json_t *o);

/* As the part that knows of them says; without one there is nobody behind anybody. */
ODM_MUST_USE int fleet_behind(fleet *f, int64_t gateway, odm_str key, odm_arena *a, int64_t *out);
ODM_MUST_USE int fleet_covers(fleet *f, int64_t gateway, odm_str scope, odm_arena *a, bool *out);

/* Whether there is an event of that kind of the device in the log that the parts may not have heard
 * yet, or may be, where there are more than fit into `a`; what they made of others is durable.  Any
 * thread.  0, or as reads. */
ODM_MUST_USE int fleet_unheard(store *st, int64_t device, odm_str kind, odm_arena *a, bool *out);

/* ---- for parts: what comes of an event ---------------------------------------------- */

/* Another operation of the batch; NULL when memory is out or the batch is full (then return
 * ODM_ENOMEM).  Texts go into store_batch_arena(t->batch). */
store_op *fleet_op(fleet_turn *t, store_op_kind kind);
/* A row operation: fill op->row. */
store_op *fleet_row(fleet_turn *t, store_op_kind kind, const store_table *table, const void *row);
/* An event; takes `data` (an object; NULL: out of memory).  0 or ODM_ENOMEM. */
ODM_MUST_USE int fleet_tell(fleet_turn *t, int64_t device, const char *kind, json_t *data);

typedef struct fleet_order {
        int64_t device;
        const char *kind; /* for people: "campaign", "configuration" ... */
        odm_str commands; /* JSON array as REST takes it */
        bool atomic;
        int32_t priority;
        int64_t deadline;  /* ms since 1970; 0: never */
        uint32_t attempts; /* sessions; 0: 10 */
        odm_str key;       /* one job of the device at most has it: "campaign/7/3".  The events of
                              the job carry it as "key".  Required */
        odm_str actor;     /* who asked for it in the end */
} fleet_order;
/* Makes a job; one of that key that is there already stays as it is.
 * The device is woken when it is durable.  0, ODM_ENOMEM, ODM_EMALFORMED (commands). */
ODM_MUST_USE int fleet_job(fleet_turn *t, const fleet_order *o);

/* Members of an event's data: absent or 0 where they are not there or of another kind.  Ids are
 * text in JSON. */
odm_str fleet_text(const fleet_event *ev, const char *member);
int64_t fleet_int(const fleet_event *ev, const char *member);
int64_t fleet_id(const fleet_event *ev, const char *member);

#endif
