/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - one simulated device.
 *
 * Between sessions it is the record of its tree, about a kilobyte; the tree itself stands only
 * while a session runs, as that of a device which was switched on for it. */
#ifndef SIM_DEVICE_H
#define SIM_DEVICE_H

#include "sim.h"

#define SIM_ACCOUNT "./DMAcc/x"

typedef struct sim_device { /* zero it first */
        char *record;
        uint32_t record_n;
        uint32_t begun; /* sessions */
        bool busy;
} sim_device;

/* Sets up the tree of device `i`: as it was, or new with its account.  *out is the caller's, and
 * its memory comes from `mem`.  0, ODM_ENOMEM, ODM_EINVAL (an option that fits no node). */
ODM_MUST_USE int sim_device_open(const sim_device *d, const sim_opt *o, uint32_t i,
                                 const odm_mem *mem, odm_tree **out);
/* Keeps what the tree holds.  0, ODM_ENOMEM: the device stays as it was. */
ODM_MUST_USE int sim_device_keep(sim_device *d, odm_tree *t);
void sim_device_done(sim_device *d);

typedef struct sim_leaf {
        const char *uri, *value;
} sim_leaf;

/* Writes leaves of text, all or none.  0, ODM_EINVAL (refused), ODM_ENOMEM. */
ODM_MUST_USE int sim_leaves_write(odm_tree *t, const sim_leaf *list, size_t n, odm_wall now);
/* What every new device has: its identity, versions and account. */
ODM_MUST_USE int sim_device_write(odm_tree *t, const sim_opt *o, uint32_t i, odm_wall now);

#endif
