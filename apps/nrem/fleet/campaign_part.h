/* SPDX-License-Identifier: Apache-2.0 */
/* campaign_part.h - what the part and its REST handlers share. */
#ifndef NREM_CAMPAIGN_PART_H
#define NREM_CAMPAIGN_PART_H

#include "call.h"
#include "fleet.h"

#define CAMPAIGNS_AT_WORK 200 /* campaigns that run, or have items under way, at one time */
#define CAMPAIGN_ROUTES 14

extern const call_route campaign_routes[CAMPAIGN_ROUTES];

#endif
