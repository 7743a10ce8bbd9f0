/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - names of devices, for completion. */
#ifndef XREM_DEVICE_H
#define XREM_DEVICE_H

#include "xrem.h"

/* All names the server knows, the first thousand of them; none when it cannot be asked.  Says
 * nothing on stderr. */
const char **xrem_device_names(xrem *c, size_t *n);

#endif
