/* SPDX-License-Identifier: Apache-2.0 */
/* keep.h - a folder that holds the devices of a scenario while xremsim is not running.
 *
 * One SQLite file, DIR/devices.db: a row a device, by the group's name and the device's number.  A
 * row is written before the message leaves that says what is in it, so that a killed xremsim goes
 * on where its devices were.  The disk is not waited for: after a power cut of this very machine
 * the devices may be those of some seconds before. */
#ifndef SIM_KEEP_H
#define SIM_KEEP_H

#include "diag.h"

typedef struct keep keep;

/* Makes the folder where there is none, and holds it alone.  0, ODM_EEXIST (another xremsim has
 * it), ODM_EIO, ODM_EMALFORMED (another program's file), ODM_ENOMEM; `d` says why. */
ODM_MUST_USE int keep_open(const char *folder, keep **out, diag *d);
void keep_close(keep *k); /* NULL is allowed */
/* The seed of the run that began it; 0 for a new folder.  0 or ODM_EIO. */
ODM_MUST_USE int keep_seed(keep *k, uint64_t *out);
ODM_MUST_USE int keep_set_seed(keep *k, uint64_t seed);
/* Calls fn for each device; stops at a non-zero return and returns it.  0, ODM_EIO. */
ODM_MUST_USE int keep_each(keep *k,
                           int (*fn)(void *ctx, const char *group, uint32_t number, odm_str record),
                           void *ctx);
/* 0 or ODM_EIO. */
ODM_MUST_USE int keep_put(keep *k, const char *group, uint32_t number, odm_str record);
const char *keep_why(const keep *k); /* of the last ODM_EIO */

#endif
