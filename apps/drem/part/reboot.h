/* SPDX-License-Identifier: Apache-2.0 */
/* reboot.h - the function Restart (mo-diagmon.md 7.3), and why the device started again. */
#ifndef DREM_PART_REBOOT_H
#define DREM_PART_REBOOT_H

#include "part/diagmon.h"

/* Counts a restart that nobody ordered.  0 or an error with the reason in `d`. */
ODM_MUST_USE int reboot_open(diagmon *g, diag *d);
/* The steps REBOOT and CHECK. */
ODM_MUST_USE int reboot_begin(diagmon *g, const odm_task *t);
/* Leaves word that the agent ended in order. */
void reboot_close(diagmon *g);

#endif
