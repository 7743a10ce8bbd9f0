/* SPDX-License-Identifier: Apache-2.0 */
/* alarm_record.h - the alarm that a device tells as XML (mo-diagmon.md 7.9):
 *
 *     <Alarm><Id/><Severity/><Cause/><Object/><Text/><Time/></Alarm>                        */
#ifndef NREM_ALARM_RECORD_H
#define NREM_ALARM_RECORD_H

#include "odm/base.h"

typedef struct alarm_record { /* absent: not told */
        odm_str severity, cause, object, text;
} alarm_record;

#define ALARM_RECORD_MAX 8192 /* octets of a document */

/* Texts are in `a`, and UTF-8.  Elements that are not known are passed over; of one that comes
 * twice the last counts. 0; ODM_EMALFORMED: no XML, no Alarm, or one without Cause; ODM_ELIMIT;
 * ODM_ENOMEM. */
ODM_MUST_USE int alarm_record_read(odm_str xml, odm_arena *a, alarm_record *out);

#endif
