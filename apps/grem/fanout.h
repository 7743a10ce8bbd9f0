/* SPDX-License-Identifier: Apache-2.0 */
/* fanout.h - the queue of orders for devices (./GwMO/Fanout), as other parts use it. */
#ifndef GREM_FANOUT_H
#define GREM_FANOUT_H

#include "gateway.h"

/* Keeps an Exec on a device, which may be asleep, until it can be run; durable when 0 is returned.
 * `op->target` is below the mount ("./GwDev/d0001/FUMO/main/Update"), its correlator goes to the
 * device as it is.  What the device says at the end goes north as any alert of its own; what ends
 * without such an alert, having been answered at once, refused or not run in time, is told by a
 * completionstatus alert whose Source is op->target, with the correlator, its data the status.
 * 0; ODM_ESTATE: the queue is not open yet; ODM_EMALFORMED: it is no such Exec; ODM_ELIMIT: too
 * much waits (420); ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int fanout_queue_exec(gateway *g, gw_device *d, const odm_op *op);

/* Whether an alert of this type, with a correlator, ends an Exec: data of diagnostics and traps are
 * events. */
bool fanout_is_final(odm_str type);

/* Whether a task is at work on the device, or awaits its final alert. */
bool fanout_at_work(const gateway *g, const gw_device *d);

#define FANOUT_TABLES 2
extern const store_table gw_table_fanout, gw_table_target;

#endif
