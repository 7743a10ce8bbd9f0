/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.h - Scheduling 1.0, our profile: what a device does on its own, without its server.
 *
 *     10 Inactive --Activate--> 20 Active --due--> 30 Running --runs left--> 20
 *                                 |  ^                 '-------none left---> 40 Finished
 *                                 v  |
 *                  60 Suspended (its requirements do not hold)
 *     20, 60 --Valid/To--> 50 Expired       any --bad configuration, no owner--> 70 Error
 *
 * A schedule is a node ./Schedule/<x>.  It belongs to the server that made it: only that one may
 * change it, and its commands are done with that server's rights.  Commands are text until they are
 * done, one after the other, each in one transaction with the entry of the journal that says so, so
 * that none is done twice: after a power cut the rest follows.
 *
 * The room does its work in small moves.  The host makes each durable before the next:
 *
 *     while (odm_schedules_look(s, &now) == 1)
 *             ... make the tree's log durable ...
 *     and again at odm_schedules_time(s, &now), and when anything changed.
 *
 * Facts: mo-scheduling.md. */
#ifndef ODM_SCHEDULE_H
#define ODM_SCHEDULE_H

#include "odm/recur.h"
#include "odm/trap.h"
#include "odm/tree.h"

#define ODM_SCHEDULE_AT "./Schedule"
#define ODM_SCHEDULE_MAX 64       /* schedules; one more is refused with 420 */
#define ODM_SCHEDULE_CONDITIONS 8 /* of one schedule; more are a bad configuration */
#define ODM_SCHEDULE_LOG 100      /* entries of a Log; the oldest go */
#define ODM_SCHEDULE_REPORTS 32   /* of one schedule that its owner was not told; the oldest go */

typedef enum odm_schedule_state {
        ODM_SCHEDULE_INACTIVE = 10,
        ODM_SCHEDULE_ACTIVE = 20,
        ODM_SCHEDULE_RUNNING = 30,
        ODM_SCHEDULE_FINISHED = 40,
        ODM_SCHEDULE_EXPIRED = 50,
        ODM_SCHEDULE_SUSPENDED = 60,
        ODM_SCHEDULE_ERROR = 70
} odm_schedule_state;

typedef struct odm_schedule_now {
        odm_time mono;
        odm_wall wall;
        bool set; /* `wall` is the right time: a clock that was never set is not */
} odm_schedule_now;

typedef struct odm_schedules odm_schedules;

typedef struct odm_schedules_opt {
        const odm_mem *mem;
        const odm_tracer *trace; /* NULL for none */
        odm_tree *tree;          /* borrowed while the schedules live */
        const odm_mo *mo;        /* odm_mo_scheduling */
        odm_zone zone;           /* the device's local time */
        odm_trap_hub *hub;       /* borrowed; NULL: trap conditions are a bad configuration */
        /* The time, for what servers execute. */
        odm_schedule_now (*now)(void *ctx);
        /* Whether there is an account of `server`. */
        bool (*has_account)(void *ctx, odm_str server);
        /* Whether a requirement holds now: "power", "link=..." or "load<=...". */
        bool (*holds)(void *ctx, odm_str requirement);
        /* Whether the device is at something beside which no run may go on; NULL: never. */
        bool (*is_busy)(void *ctx);
        /* Asked before a command of a run, that is no Get and in no Atomic, is done on the tree:
         * 0, or the status it has, for it is not this device's to do (a gateway's); whoever takes
         * it has kept it, and may be given it again after a power cut.  NULL: never. */
        unsigned (*elsewhere)(void *ctx, const odm_op *op);
        /* A server changed or executed something, or a trap fired: look again soon. */
        void (*changed)(void *ctx);
        void *ctx;
} odm_schedules_opt;

/* Mounts ./Schedule.  Copies `opt`.  0, ODM_ENOMEM, or what odm_tree_mount() says. */
ODM_MUST_USE int odm_schedules_new(const odm_schedules_opt *opt, odm_schedules **out);
void odm_schedules_free(odm_schedules *s); /* before or after its tree; NULL is allowed */

/* Does one move, if one is due.  Returns 1: there may be another, once this one is durable; 0; or
 * ODM_ENOMEM, ODM_EIO, ODM_ESTATE (a transaction is open), with nothing done: call again later. */
ODM_MUST_USE int odm_schedules_look(odm_schedules *s, const odm_schedule_now *now);
/* When there is something to look at.  A jump of the wall clock is to be followed by a look. */
odm_time odm_schedules_time(const odm_schedules *s, const odm_schedule_now *now);
/* Accounts or traps may have gone: the next looks see to it. */
void odm_schedules_review(odm_schedules *s);

/* Calls fn for each alert that `server` has not answered; its id is below 2^48, and it has a
 * source_name with its time when that is over a minute ago.  Stops at a non-zero return and returns
 * it; else 0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int odm_schedules_alerts(odm_schedules *s, odm_str server, odm_wall now,
                                      int (*fn)(void *ctx, const odm_alert *a), void *ctx);
/* The server answered alert `id`: it is not told again, unless by 401, 407 or 5xx.
 * 0, ODM_ENOMEM, ODM_EIO, ODM_ESTATE. */
ODM_MUST_USE int odm_schedules_alerted(odm_schedules *s, uint64_t id, unsigned status,
                                       odm_wall now);
/* Calls fn for each server that alerts wait for, once a schedule of its own.  0, ODM_ENOMEM,
 * ODM_EIO.
 */
ODM_MUST_USE int odm_schedules_owners(odm_schedules *s, void (*fn)(void *ctx, odm_str server),
                                      void *ctx);
/* Alerts noted so far, a number that grows with each, and begins anywhere. */
uint32_t odm_schedules_noted(const odm_schedules *s);

typedef struct odm_schedules_count {
        unsigned schedules, active, running, reports;
} odm_schedules_count;
odm_schedules_count odm_schedules_counted(odm_schedules *s);

#endif
