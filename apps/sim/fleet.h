/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.h - the devices of a scenario, alive on one loop: they call, are woken, update their
 * firmware, and fail as the scenario wants. */
#ifndef SIM_FLEET_H
#define SIM_FLEET_H

#include "download.h"
#include "keep.h"
#include "scenario.h"
#include "talk.h"

#define FLEET_STATES 11 /* of FUMO, by tens: [1] Idle ... [10] Successful */
#define FLEET_CAUSES (ODM_CAUSE_INTERRUPTED + 1)

typedef struct fleet_stats {
        sim_stats talk;
        downloads_counts downloads;
        uint32_t devices, met; /* met: had a good session in this run */
        uint32_t off, dead;    /* silent now: for a time, for ever */
        uint32_t state[FLEET_STATES];
        uint64_t updates, updated;      /* that ended; of them well */
        uint64_t cause[FLEET_CAUSES];   /* how the others ended */
        uint64_t alerts;                /* final ones that the server answered */
        uint64_t software, software_ok; /* packages whose end is known; that ended well */
        uint64_t samples, traps;        /* that the server has */
        uint64_t wakes, wakes_ignored, wakes_lost;
        uint64_t fired[FAULTS_MAX], hit[FAULTS_MAX]; /* by fault: happened; devices that have it */
        uint64_t restarts;
        uint64_t alarms;                 /* raised or ended, that the server has */
        int64_t first_alarm, last_alarm; /* microseconds after the start: the first one was due, the
                                            last one was taken; 0 none */
        size_t fixed_octets;             /* of a device, besides its record */
        size_t watch_octets;             /* of all that measure */
} fleet_stats;

typedef struct fleet fleet;

/* Prepares: borrows all.  `keep` may be NULL: then all is gone with the process.  `done` is called
 * on the loop when all is over.  0, ODM_ENOMEM, ODM_EIO, ODM_EMALFORMED; `d` says why. */
ODM_MUST_USE int fleet_new(loop *l, const scenario *s, keep *k, const tls_cred *tls,
                           void (*done)(void *ctx), void *ctx, fleet **out, diag *d);
void fleet_free(fleet *f); /* NULL is allowed */
/* Begins; ends after `max_ms`, 0 for never.  0, ODM_ENOMEM, ODM_EIO with the reason in `d`. */
ODM_MUST_USE int fleet_start(fleet *f, int64_t max_ms, diag *d);
void fleet_stop(fleet *f);                    /* begins no more sessions; those that run go on */
const fleet_stats *fleet_get_stats(fleet *f); /* as of now */
/* Calls fn with the name of each device that fault `k` hits. */
void fleet_hit(const fleet *f, size_t k, void (*fn)(void *ctx, const char *name, bool fired),
               void *ctx);

#endif
