/* SPDX-License-Identifier: Apache-2.0 */
/* descriptor.h - OMA Download OTA 1.0 descriptors: where an object is, how large, and who wants to
 * know (mo-others.md 4.3). */
#ifndef FETCH_DESCRIPTOR_H
#define FETCH_DESCRIPTOR_H

#include "odm/base.h"

#define DESCRIPTOR_TYPE "application/vnd.oma.dd+xml"
#define DESCRIPTOR_MAX 65536 /* octets of one */
#define DESCRIPTOR_URL 2048

typedef struct descriptor {
        uint64_t size;                                               /* octets of the object */
        char object[DESCRIPTOR_URL + 1], notify[DESCRIPTOR_URL + 1]; /* "" when absent */
        char version[16];
} descriptor;

/* Reads one.  Elements we do not know are ignored, names count by their local part.
 * Returns 0; ODM_EMALFORMED for what is no descriptor, or lacks type, size or objectURI;
 * ODM_EUNSUPPORTED for a DDVersion that is not 1.x; ODM_ELIMIT for text too long; ODM_ENOMEM. */
ODM_MUST_USE int descriptor_parse(odm_str text, descriptor *out);

#endif
