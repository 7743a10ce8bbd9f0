/* SPDX-License-Identifier: Apache-2.0 */
/* rest.h - makes the devices of a run known to the server, or gives each a job, over REST.
 *
 * There is no bulk request in the interface: requests run side by side, and the server's group
 * commit makes one write of many. */
#ifndef SIM_REST_H
#define SIM_REST_H

#include "sim.h"

typedef struct sim_rest_result {
        uint64_t done, there, failed; /* there: it existed already */
        char why[256];                /* of the first that failed */
        int64_t us;
} sim_rest_result;

typedef struct sim_rest sim_rest;

/* `job`: absent to create the devices, else the JSON of a job for each.  Borrows all.
 * 0, ODM_ENOMEM, ODM_EINVAL. */
ODM_MUST_USE int sim_rest_start(loop *l, const sim_opt *o, odm_str job, void (*done)(void *ctx),
                                void *ctx, sim_rest **out);
void sim_rest_stop(sim_rest *r); /* begins no more requests */
const sim_rest_result *sim_rest_get(sim_rest *r);
void sim_rest_free(sim_rest *r); /* NULL is allowed */

#endif
