/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - the sessions of all devices, some of them at one time, on one loop. */
#ifndef SIM_LOAD_H
#define SIM_LOAD_H

#include "talk.h"

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
