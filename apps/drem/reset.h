/* SPDX-License-Identifier: Apache-2.0 */
/* reset.h - the agent back to what it was when it was new: its tree begins anew, with the account
 * of the configuration; who ordered that hears of it afterwards.
 *
 * A file in the state folder says that it is to be ("factory-reset"), and then, when the journal is
 * gone, who is to be told ("factory-reset.done").  The power may go at any moment.
 *
 * Images, packages and applications stay: they are not the agent's.  (mo-lawmo-dcmo.md A4.) */
#ifndef DREM_RESET_H
#define DREM_RESET_H

#include "fsio.h"

/* From the next start on; `server` and `correlator`, which may be absent, are kept for the report.
 * 0, ODM_EIO, ODM_ENOMEM, ODM_EINVAL (a line break in one of them). */
ODM_MUST_USE int reset_order(const char *folder, odm_str server, odm_str correlator, diag *d);
/* Before the journal is opened: does what was ordered.  0, ODM_EIO, ODM_ENOMEM. */
ODM_MUST_USE int reset_honour(const char *folder, diag *d);
/* Whose report is due: 1 with both in `b`, *correlator absent when there was none; 0 when none is;
 * ODM_EIO, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int reset_report(const char *folder, odm_buf *b, odm_str *server, odm_str *correlator);
/* It is kept elsewhere now. */
void reset_reported(const char *folder);

#endif
