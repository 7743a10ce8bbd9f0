/* SPDX-License-Identifier: Apache-2.0 */
/* plain.h - texts for people far away, without addresses of the place behind the gateway (xrem.md
 * N4).  Pure. */
#ifndef GREM_PLAIN_H
#define GREM_PLAIN_H

#include "odm/base.h"

#define PLAIN_ADDRESS "(address)" /* what stands for one */

/* A copy of `text` in which PLAIN_ADDRESS stands for `own` (a device's local address; may be
 * absent), for whatever has a scheme ("coap://10.0.0.7/rd"), and for numbers of IPv4, IPv6 and
 * Ethernet, with or without a port.  Absent when there is no text, or no memory (a->err). */
odm_str plain_text(odm_str text, odm_str own, odm_arena *a);

#endif
