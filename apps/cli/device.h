/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - names of devices, for completion. */
#ifndef XREM_DEVICE_H
#define XREM_DEVICE_H

#include "xrem.h"

/* The names that begin so, the first thousand of them; none when the server cannot be asked.  Says
 * nothing on stderr. */
const char **xrem_device_names(xrem *c, const char *begin, size_t *n);

#endif
