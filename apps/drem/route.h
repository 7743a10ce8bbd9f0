/* SPDX-License-Identifier: Apache-2.0 */
/* route.h - the way to a server: which proxy, if any. */
#ifndef DREM_ROUTE_H
#define DREM_ROUTE_H

#include "conf.h"
#include "http_client.h"
#include "odm/tree.h"

/* Sets the proxy for sessions with the account at `account` ("./DMAcc/main"): the one that its
 * ConRefs name (mo-connmo.md 3), else that of the configuration.  Where transport.plain_http keeps
 * messages without TLS on this machine, a proxy of the tree does not take them elsewhere.
 * 0, or an error of http_client_set_proxy() or of memory. */
ODM_MUST_USE int route_set(http_client *http, odm_tree *t, const cfg *c, odm_str account);

#endif
