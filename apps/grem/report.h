/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - measurements of devices, kept here and told the server together.
 *
 *     rule: which devices, which nodes       ./GwMO/Config/Ext/Reports/<x>
 *        |  observed (the device says), or read each Interval while it is awake
 *     value --is it another one?--> row, durable --Alerts/ReportWindow--> one alert of many
 *
 * Only what changed is kept: a value equal to the last one of its node, or nearer to it than Step,
 * is dropped, unless the last is Most seconds old.  Rows outlive restarts and a lost backhaul, each
 * with the time at which it was seen; of more than gateway.samples the oldest go.  At most
 * REPORT_ALERTS alerts of them wait for the server at once; the rest stays rows.
 *
 * What was kept is durable a second later: of a power cut in between that second is lost (xrem.md
 * G8).  Facts: xrem.md G5, G8, N2; odm/values.h has the document. */
#ifndef GREM_REPORT_H
#define GREM_REPORT_H

#include "gateway.h"

#define REPORT_RULES 64  /* more are left out, with a warning */
#define REPORT_NODES 16  /* of a rule */
#define REPORT_ALERTS 8  /* on their way at once */
#define REPORT_DOC 24000 /* octets of one */

extern const store_table gw_table_sample;
extern const part_class part_gwreport;

/* Rules may have changed; the part follows in a moment.  Nothing where it is not open. */
void report_judge(gateway *g);
/* For /metrics and --status. */
typedef struct report_counts {
        uint64_t kept, same, dropped; /* since the start: rows made, values that were no news, rows
                                         that had to make room or could not be written */
        size_t waiting, watched;      /* now: rows; devices that a rule is about */
} report_counts;
report_counts report_counted(const gateway *g);

#endif
