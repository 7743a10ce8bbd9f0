/* SPDX-License-Identifier: Apache-2.0 */
/* traplog.h - the log of traps that fired, ./DiagMon/TrapLog (mo-diagmon.md 7.8), and how full the
 * logs of this device are. */
#ifndef DREM_PART_TRAPLOG_H
#define DREM_PART_TRAPLOG_H

#include "part.h"

/* From part_class.open on, on the loop, not from within a provider.
 *
 * Adds a record: `trap_id` became active or inactive, `data` (at most 512 octets are kept) says
 * why.  The oldest one goes when MaxRecords are there.  Nothing happens while a server has stopped
 * the log.  Durable on return.  0, ODM_ESTATE (a transaction is open: say it again soon),
 * ODM_ENOMEM, ODM_ELIMIT, ODM_EIO. */
ODM_MUST_USE int traplog_add(const part_host *h, odm_str trap_id, bool active, odm_str data);

/* The fullest of ./DiagMon/{TrapLog,PanicLog,FM}: its records in percent of MaxRecords, 0 .. 100;
 * *name, which may be NULL, gets "TrapLog" and so on (static).  For the trap logcapacityfull. */
unsigned traplog_fullest(const part_host *h, const char **name);

#endif
