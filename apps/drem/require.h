/* SPDX-License-Identifier: Apache-2.0 */
/* require.h - what a schedule may ask of this machine before it runs (mo-scheduling.md 3,
 * Require): its power, a connection, little load.
 *
 * Everywhere `m` tells where the machine is, as in machine.h.  What cannot be known is not so. */
#ifndef DREM_REQUIRE_H
#define DREM_REQUIRE_H

#include "machine.h"

/* It is supplied from outside: a supply says so, or there is no battery at all. */
bool require_power(const machine *m);
/* The load of the last minute, times 100, is at most `most`. */
bool require_load(const machine *m, uint64_t most);
/* An interface of this kind of bearer is up: ETHERNET, WLAN or 3GPPPS, letters of either case. */
bool require_bearer(const machine *m, odm_str bearer);
/* The interface of this name is up. */
bool require_interface(const machine *m, odm_str name);

#endif
