/* SPDX-License-Identifier: Apache-2.0 */
/* alarm_api.h - alarms in REST: docs/openapi.yaml, /alarms. */
#ifndef NREM_ALARM_API_H
#define NREM_ALARM_API_H

#include "alarm_row.h"
#include "call.h"

#define ALARM_ROUTES 8
extern const call_route alarm_routes[ALARM_ROUTES];

/* alarm_map_cause() with the rules as they are now; what it fills in is in `a`.
 * 1: known; 0: to be ignored; ODM_ENOMEM.  Any thread. */
ODM_MUST_USE int alarm_ask_cause(alarm_self *s, odm_arena *a, alarm_news *n);

#endif
