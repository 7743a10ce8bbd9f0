/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_inner.h - what the files of the fleet share.
 *
 *     fleet.c         sessions, what is due, life
 *     fleet_device.c  a device's record, its faults, its power
 *     fleet_step.c    the steps of its update
 *     fleet_software.c  those of its software
 *     fleet_watch.c   what it measures: DiagMon, traps
 *     fleet_alarm.c   its alarms
 *     fleet_wake.c    its wake-ups */
#ifndef SIM_FLEET_INNER_H
#define SIM_FLEET_INNER_H

#include "ear.h"
#include "fleet.h"
#include "gadget.h"
#include "update.h"
#include "watch.h"

#define NEVER INT64_MAX
#define FLEET_REPORT_MS 50 /* alerts that come together go together */

typedef enum place { RESTING, WAITING, TALKING } place;

typedef struct device {
        fleet *f;
        char *record;
        update *update;      /* a step under way */
        watch *watch;        /* NULL: it measures nothing */
        struct device *next; /* that waits */
        loop_timer timer;
        int64_t call, report, boot; /* due; NEVER for none.  boot: it is off */
        uint64_t mine, fired, over; /* faults: it has, that happened, alarms that ended */
        uint32_t record_n, i;       /* i: of all */
        uint32_t calls;
        uint16_t group, wake; /* wake: session id of a wake-up to follow, 0 none */
        uint16_t woken;       /* of the last one followed */
        uint16_t missed;      /* wake-ups that a fault took away */
        uint8_t place, failures, state;
        bool off, dead, met, resync;
        bool busy; /* it had a task when xremsim ended */
        bool told; /* an alarm in the session before, in vain */
} device;

typedef struct slot {
        fleet *f;
        struct slot *next; /* of the free ones */
        device *d;
        gadget *g;
        talk talk;
} slot;

struct fleet {
        loop *loop;
        const scenario *s;
        keep *keep;
        device *device;
        slot *slot, *free;
        device *first, **last; /* they wait */
        uint32_t running;
        loop_timer turn, end;
        int64_t rest; /* nothing begins before: the server seems to be away */
        bool stopped, over;
        void (*done)(void *ctx);
        void *ctx;
        downloads *pool;
        update_host updates;
        ear *ear;
        odm_mem mem;
        talk_host host;
        int64_t began;   /* microseconds */
        int64_t started; /* milliseconds */
        fleet_stats st;
};

/* ---- fleet_device.c ------------------------------------------------------------------- */

const group *fleet_group_of(const device *d);
uint32_t fleet_index_of(const device *d); /* in its group */
/* 0 .. ms, by the seed: the same device at the same session draws the same. */
int64_t fleet_drawn(const device *d, int64_t ms);
/* Fault `k` of the scenario if the device has it and it may still happen, or NULL. */
const fault *fleet_fault_of(const device *d, size_t k);
uint64_t fleet_armed(const device *d);                  /* all of them, a bit each */
void fleet_fired(device *d, gadget *g, uint64_t bits);  /* they happened */
odm_wall fleet_skew(const device *d);                   /* what its clock is ahead */
odm_wall fleet_wall_of(const device *d);                /* what its clock says */
int64_t fleet_link(const device *d);                    /* octets a second; 0: no limit */
void fleet_trouble(fleet *f, const char *what, int rc); /* of our own; the first one is told */
/* The device stands up.  0 or an error of gadget_open(). */
ODM_MUST_USE int fleet_open_up(device *d, gadget **out);
/* Keeps what is new.  0, ODM_ENOMEM, ODM_EIO; told already. */
ODM_MUST_USE int fleet_save(device *d, gadget *g);
void fleet_power_off(device *d, int64_t ms); /* negative: for ever */
/* Keeps what is new; true when a fault took the device's power in the state it has come to: the
 * gadget is of no use then. */
bool fleet_keep_or_fall(device *d, gadget *g, int *rc);

/* ---- fleet_step.c --------------------------------------------------------------------- */

/* Goes on with the tasks of a device that stands up, and keeps it.  The gadget is of no use after
 * it, whether the device is off or rests. */
void fleet_settle(device *d, gadget *g);
void fleet_stand_up(device *d); /* the same outside of a session */
void fleet_on_update_over(void *ctx);

/* A fault may want another end than the right one. */
bool fleet_lies(device *d, gadget *g, odm_task_end *e);

/* ---- fleet_software.c ------------------------------------------------------------------ */

void fleet_software_step(device *d, gadget *g, const odm_task *t);
void fleet_software_next(device *d, gadget *g); /* nothing more is lent: one that waited begins */
bool fleet_installs(const device *d);           /* nothing is to be lent meanwhile */

/* ---- fleet_watch.c ---------------------------------------------------------------------- */

/* A step of DiagMon; whether the device goes down now. */
bool fleet_diag_step(device *d, gadget *g, const odm_task *t);
void fleet_look(device *d, gadget *g); /* at the traps of a device that stands up */
int64_t fleet_watch_due(const device *d);
void fleet_watch_turn(device *d);             /* that is due; sets the device's timer */
void fleet_plan_watch(device *d);             /* a session for what is to be told */
ODM_MUST_USE int fleet_queue_watch(slot *k);  /* for the session about to begin */
void fleet_watch_taken(slot *k, uint64_t id); /* the server is done with it */
void fleet_forget_watch(device *d);

/* ---- fleet_alarm.c -------------------------------------------------------------------- */

int64_t fleet_first_alarm(const device *d);   /* when the next one is due, or its end; NEVER */
ODM_MUST_USE int fleet_queue_alarms(slot *k); /* those due, for the session about to begin */
void fleet_alarm_taken(slot *k, uint64_t id); /* the server has it */

/* ---- fleet_wake.c, fleet.c ------------------------------------------------------------ */

void fleet_on_datagram(void *ctx, uint32_t i, odm_str datagram);
void fleet_plan(device *d); /* sets the device's timer */

#endif
