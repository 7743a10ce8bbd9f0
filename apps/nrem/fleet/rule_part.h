/* SPDX-License-Identifier: Apache-2.0 */
/* rule_part.h - what the rules' REST side lends the part. */
#ifndef NREM_RULE_PART_H
#define NREM_RULE_PART_H

#include "call.h"
#include "rule.h"

#define RULE_ROUTES 5
extern const call_route rule_routes[RULE_ROUTES];

#endif
