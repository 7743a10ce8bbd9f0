/* SPDX-License-Identifier: Apache-2.0 */
/* fault.h - what goes wrong in a scenario, and on which devices.
 *
 * Who is hit is drawn from the seed of the run, the fault's name and the number of the device: the
 * same scenario with the same seed hits the same devices, whatever happens first. */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include "odm/task.h"

#define FAULTS_MAX 64       /* of a scenario: a bit each */
#define FAULT_PLACES_MAX 64 /* "1-5, 9": parts of such a list */

typedef enum fault_kind {
        FAULT_BAD_DOWNLOAD,  /* an octet of the package is another one */
        FAULT_BAD_SIGNATURE, /* the signature of the package is not the maker's */
        FAULT_POWER_CUT,     /* at `state`: all that was not kept is lost */
        FAULT_SILENCE,       /* at `state`: nothing is heard any more, for `ms` or for ever */
        FAULT_SLOW_LINK,     /* `rate` octets a second for downloads */
        FAULT_CLOCK_SKEW,    /* `ms` before (negative) or behind the right time */
        FAULT_HTTP,          /* downloads are answered with `status` */
        FAULT_RESULT,        /* an update ends with `cause`, whatever happened */
        FAULT_ALARM,         /* it raises `alarm` `after` the start, and clears it `ms` later */
        FAULT_DEAF,          /* the first `wakes` wake-ups do not reach it */
} fault_kind;
extern const char *const fault_kinds[]; /* "bad-download" ..., up to a NULL */

typedef struct fault_range {
        uint32_t from, to; /* numbers of devices, both included */
} fault_range;

typedef struct fault {
        const char *name;
        fault_kind kind;
        int group;      /* -1: of all groups */
        uint32_t count; /* so many, drawn; UINT32_MAX: all */
        double share;   /* else this part of them, drawn; negative: not given */
        fault_range place[FAULT_PLACES_MAX]; /* else these numbers */
        size_t n_places;
        unsigned state; /* of FUMO, a number; 0: from the beginning */
        int64_t ms, rate;
        unsigned status;
        uint32_t wakes;
        odm_task_cause cause;
        const char *alarm, *severity, *text; /* cause of the alarm, how bad, in words */
        int64_t after;
        bool always;    /* in each update anew; else once a device */
        uint64_t below; /* draws at most this are hit; set by fault_aim() */
} fault;

/* The draw of number `n` of a group for a fault. */
uint64_t fault_draw(uint64_t seed, const char *name, const char *group, uint32_t n);
/* Finds `below` for a fault that draws, so that as many as it wants are hit out of the draws
 * v[0 .. n-1], which are put into order.  Nothing for one with numbers. */
void fault_aim(fault *f, uint64_t *v, size_t n);
/* Whether the device of number `n` with this draw is hit. */
bool fault_hits(const fault *f, uint32_t n, uint64_t draw);

/* "1-5, 9".  0, ODM_EMALFORMED, ODM_ELIMIT (more than FAULT_PLACES_MAX). */
ODM_MUST_USE int fault_places(odm_str text, fault_range *out, size_t *n);
/* "3%", "0.5%", 0 to 100.  0, ODM_EMALFORMED. */
ODM_MUST_USE int fault_share(odm_str text, double *out);
/* A word such as "updating", or a number of FUMO's states.  0, ODM_EMALFORMED. */
ODM_MUST_USE int fault_state(odm_str text, unsigned *out);
const char *fault_state_name(unsigned state); /* "updating"; "other" for what is none */

/* Evenly below n (> 0) from a state that moves on (splitmix64). */
uint64_t fault_random(uint64_t *state);

#endif
