/* SPDX-License-Identifier: Apache-2.0 */
/* The parts there are. */
#include "fleet.h"

extern const fleet_part part_alarm, part_campaign, part_event, part_gateway, part_metric,
        part_package, part_presence, part_rule, part_template, part_webhook;

const fleet_part *const fleet_parts[] = {
        &part_alarm,    &part_campaign, &part_event,    &part_gateway, &part_metric, &part_package,
        &part_presence, &part_rule,     &part_template, &part_webhook, NULL,
};
