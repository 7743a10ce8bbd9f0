/* SPDX-License-Identifier: Apache-2.0 */
/* ddf.h - the words of a DDF, as people read them. */
#ifndef XREM_DDF_H
#define XREM_DDF_H

#include "doc.h"

const char *xrem_ddf_access(xrem *c, unsigned access);          /* "Get Replace" */
const char *xrem_ddf_occurs(xrem *c, const odm_doc_node *node); /* "1", "?", "*", "+", "0..5" */

#endif
