/* SPDX-License-Identifier: Apache-2.0 */
/* package.h - packages as people name them. */
#ifndef XREM_PACKAGE_H
#define XREM_PACKAGE_H

#include "xrem.h"

/* The number of a package, from a number or NAME@VERSION.  XREM_OK, XREM_USAGE, XREM_NOT_FOUND, or
 * as xrem_api(). */
int xrem_package_find(xrem *c, const char *word, const char **id);
/* NAME@VERSION of up to 1000 packages, the newest first, for completion; none when the server does
 * not answer. */
const char **xrem_package_names(xrem *c, size_t *n);

#endif
