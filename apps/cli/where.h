/* SPDX-License-Identifier: Apache-2.0 */
/* where.h - says where an XML document is broken, for people who wrote it by hand. */
#ifndef XREM_WHERE_H
#define XREM_WHERE_H

#include "xrem.h"

/* Tells on stderr why `in`, read from `name`, could not be decoded as a `what`: with line and
 * column when it is XML that is not well-formed, else by `err`.  Returns XREM_BAD_INPUT. */
int xrem_bad_document(xrem *c, const char *name, odm_str in, int err, const char *what);

#endif
