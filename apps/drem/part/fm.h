/* SPDX-License-Identifier: Apache-2.0 */
/* fm.h - alarms of this device (mo-diagmon.md 7.9): any part raises and clears them.
 *
 * A record of ./DiagMon/FM is kept and the servers are told by an alert, both durable on return.
 * What an alarm is about is its cause and its object: the same again is one alarm still. */
#ifndef DREM_PART_FM_H
#define DREM_PART_FM_H

#include "part.h"

typedef enum fm_severity { /* in the order of MinSeverity */
                           FM_CLEARED,
                           FM_INDETERMINATE,
                           FM_WARNING,
                           FM_MINOR,
                           FM_MAJOR,
                           FM_CRITICAL
} fm_severity;

#define FM_TEXT 512 /* octets of `object` and of `text` that are kept */

/* Causes with a meaning known to servers; others are free text. */
#define FM_INTEGRITY "integrity"
#define FM_CONNECTIVITY "connectivity-fallback"
#define FM_UPDATE "update-failed"
#define FM_STORAGE "storage-full"

/* From part_class.open on, on the loop, not from within a provider.
 *
 * Raises the alarm of `cause` and `object` (a node's address, a file, a unit; may be empty), or
 * gives one that stands another severity or text.  Tells nobody anything new when it stands as it
 * is, when it is below MinSeverity, when a server has stopped ./DiagMon/FM, or with diag.enabled
 * off.  Copies.
 * 0, ODM_EINVAL (FM_CLEARED, no cause), ODM_ESTATE (a transaction is open: say it again soon),
 * ODM_ENOMEM, ODM_ELIMIT, ODM_EIO. */
ODM_MUST_USE int fm_raise(const part_host *h, const char *cause, odm_str object, fm_severity s,
                          odm_str text);
/* The alarm is over; none that stands is as good.  Errors as above. */
ODM_MUST_USE int fm_clear(const part_host *h, const char *cause, odm_str object, odm_str text);
/* Whether it stands. */
bool fm_stands(const part_host *h, const char *cause, odm_str object);

#endif
