/* SPDX-License-Identifier: Apache-2.0 */
/* presence_api.h - presence in REST: docs/openapi.yaml, /devices/{name}/presence. */
#ifndef NREM_PRESENCE_API_H
#define NREM_PRESENCE_API_H

#include "call.h"

#define PRESENCE_ROUTES 2
extern const call_route presence_routes[PRESENCE_ROUTES];

#endif
