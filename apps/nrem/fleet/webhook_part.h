/* SPDX-License-Identifier: Apache-2.0 */
/* webhook_part.h - what the webhooks' REST side lends the part. */
#ifndef NREM_WEBHOOK_PART_H
#define NREM_WEBHOOK_PART_H

#include "call.h"
#include "webhook.h"

#define WEBHOOK_ROUTES 6
extern const call_route webhook_routes[WEBHOOK_ROUTES];

#endif
