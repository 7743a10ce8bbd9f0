/* SPDX-License-Identifier: Apache-2.0 */
/* order.h - what we write has the elements that the DTD wants, in its order (dm-representation.md
 * 2, 3). */
#ifndef CONFORMANCE_ORDER_H
#define CONFORMANCE_ORDER_H

#include "odm/base.h"

/* Looks at a message in XML; false: `why` has room for n octets, and tells what is out of place. */
bool order_check(odm_str xml, char *why, size_t n);

#endif
