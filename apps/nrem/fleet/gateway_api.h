/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_api.h - gateways in REST: docs/openapi.yaml, /gateways, /devices/{name}/move, /replace.
 */
#ifndef NREM_GATEWAY_API_H
#define NREM_GATEWAY_API_H

#include "call.h"
#include "gateway_part.h"

#define GATEWAY_ROUTES 7
extern const call_route gateway_routes[GATEWAY_ROUTES];

/* fleet_part.describe: the gateway that the device is behind. */
bool gateway_describe(void *p, const store_device *d, odm_str scope, bool addresses, odm_arena *a,
                      json_t *o);
/* fleet_part.behind, .covers: gateway_reach.c. */
int gateway_behind(void *p, int64_t gateway, odm_str key, odm_arena *a, int64_t *out);
int gateway_covers(void *p, int64_t gateway, odm_str scope, odm_arena *a, bool *out);

#endif
