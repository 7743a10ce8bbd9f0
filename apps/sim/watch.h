/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - what a simulated device does for others while it rests: runs of DiagMon functions, what
 * they have sampled and no server has taken yet, and its traps.
 *
 * A device that was never asked to has none.  It is in memory only, and goes with the power: runs
 * begin again from their tasks, traps from their nodes; samples that were not told are gone. */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "measure.h"
#include "odm/diag.h"
#include "odm/trap.h"

#define WATCH_SAMPLES 512 /* of a device; then the oldest go */
#define WATCH_HOLDS 4     /* traps whose condition holds and that have not fired yet */
#define WATCH_NEVER INT64_MAX
#define WATCH_SAMPLE (1ull << 62) /* set in the id of an alert: leaf (8 bits) of a sample */
#define WATCH_TRAP (1ull << 61)   /* the alert of a trap */

typedef struct watch_run {
        struct watch_run *next;
        uint32_t task;
        measure_of what;
        char correlator[ODM_TASK_CORRELATOR + 1];
        int64_t interval, period;      /* ms; 0 none */
        int64_t sample, report, until; /* when, by the loop; WATCH_NEVER */
        size_t memory;                 /* octets of samples; 0: no limit */
        bool complete;                 /* it reports at its end */
        bool over, full;               /* it is to be ended; as its memory is full */
} watch_run;

typedef struct watch_sample {
        struct watch_sample *next;
        uint32_t seq, task;
        measure_of what;
        odm_wall at;
        uint32_t left; /* leaves that are not taken, a bit each */
        bool due;
        char correlator[]; /* "" none */
} watch_sample;

typedef struct watch {
        watch_run *runs;
        watch_sample *first, **last;
        uint32_t n, seq;
        bool fresh; /* something is due that no session tried to tell, or a session helped */
        uint64_t dropped;
        size_t octets; /* of all of it */
        /* traps */
        int64_t look; /* when; WATCH_NEVER */
        odm_trap_since held[WATCH_HOLDS];
        size_t n_held;
        char *alert; /* type, source, data, time, each with its zero; NULL none */
        bool taken;  /* by the server */
        /* a restart that was ordered */
        int64_t restart; /* when; WATCH_NEVER */
} watch;

watch *watch_new(void); /* NULL: no memory */
void watch_free(watch *w);
bool watch_is_idle(const watch *w); /* of no use any more */

/* A run begins, with a sample.  0, ODM_ENOMEM. */
ODM_MUST_USE int watch_begin(watch *w, const odm_task *t, measure_of what, odm_time now,
                             odm_wall wall);
watch_run *watch_run_of(const watch *w, uint32_t task); /* NULL: none */
/* Its samples are due, or forgotten when it does not report at its end. */
void watch_end(watch *w, watch_run *r);
/* Takes the samples that are due, reports, and finds out which runs are over: the return says
 * whether one is. */
bool watch_turn(watch *w, odm_time now, odm_wall wall);
int64_t watch_due(const watch *w); /* the next of all that; WATCH_NEVER */

bool watch_waits(const watch *w); /* something is to be told */
/* Calls fn for `most` of the alerts to be told.  Stops at a non-zero return and returns it; else 0.
 */
ODM_MUST_USE int watch_alerts(watch *w, const measure_who *who, size_t most,
                              int (*fn)(void *ctx, const odm_alert *a), void *ctx);
/* The server is done with it; *whole: it was the last of its sample. */
void watch_taken(watch *w, uint64_t id, bool *whole);

/* The alert of a trap waits to be told; or, the same one, was taken: 1.  0, ODM_ENOMEM. */
int watch_trap(watch *w, const odm_alert *a);

#endif
