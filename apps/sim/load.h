/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - the sessions of all devices, some of them at one time, on one loop. */
#ifndef SIM_LOAD_H
#define SIM_LOAD_H

#include "hist.h"
#include "sim.h"

#define SIM_OUTCOMES (ODM_OUTCOME_LIMIT + 1)

typedef struct sim_stats {
        uint64_t begun, ended;          /* sessions */
        uint64_t outcome[SIM_OUTCOMES]; /* odm_outcome */
        uint64_t shed;                  /* of them: HTTP 429 and 503 */
        uint64_t no_start;              /* sessions our own side could not begin */
        uint64_t messages, octets_out, octets_in, commands;
        http_client_counts http;
        hist session, message; /* microseconds */
        char why[256];         /* of the first session that failed; empty when none */
        int64_t us;            /* from the first session to the last end */
        size_t record_octets;  /* of all devices at rest */
        size_t devices;        /* which have one */
        size_t peak;           /* octets of trees and sessions at one time, at most */
} sim_stats;

typedef struct sim_load sim_load;

/* Prepares; borrows `o` and `l`.  `done` is called on the loop when all is over.
 * 0, ODM_ENOMEM, ODM_EINVAL. */
ODM_MUST_USE int sim_load_new(loop *l, const sim_opt *o, void (*done)(void *ctx), void *ctx,
                              sim_load **out);
void sim_load_free(sim_load *s); /* NULL is allowed */
/* Begins.  0, ODM_ENOMEM. */
ODM_MUST_USE int sim_load_start(sim_load *s);
void sim_load_stop(sim_load *s);              /* begins no more sessions; those that run go on */
const sim_stats *sim_load_stats(sim_load *s); /* as of now */

#endif
