/* SPDX-License-Identifier: Apache-2.0 */
/* lwm2m.h - the adapter for LwM2M devices: the gateway is their LwM2M server, 1.0 and 1.1, over
 * UDP and DTLS.  Facts: lwm2m.md 3, 6. */
#ifndef GREM_LWM2M_H
#define GREM_LWM2M_H

#include "adapter.h"

extern const adapter_class lwm2m_class;
/* Port of a listener, for tests; 0: none.  `adapter` is what open() made. */
unsigned lwm2m_port(const void *adapter, bool secure);

#endif
