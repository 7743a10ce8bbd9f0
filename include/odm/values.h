/* SPDX-License-Identifier: Apache-2.0 */
/* values.h - what a gateway saw change on the devices below it, as one document (our profile, the
 * alert ODM_VALUES_ALERT).
 *
 *     <Values Base="20261123T090000Z">
 *       <Node URI="./DiagMon/Battery/DiagMonData/BatteryLevel" Format="int">
 *         <V Key="d0001" At="12">87</V> <V Key="d0002" At="13">64</V>
 *       </Node>
 *     </Values>
 *
 * Values of the same node stand together, whichever devices they are of; At counts seconds from
 * Base.  A value may be told twice, and is known by device, node and time.  Facts: xrem.md G5, G8,
 * N2. */
#ifndef ODM_VALUES_H
#define ODM_VALUES_H

#include "odm/tree.h"

#define ODM_VALUES_ALERT "urn:oma:at:x-xrem-gw:1.0:Values"
#define ODM_VALUES_TEXT 255 /* octets of a value */
#define ODM_VALUES_NODES 64 /* different nodes in one document */

typedef struct odm_values_row {
        odm_str key;       /* of the device, at its gateway */
        odm_str uri;       /* of the device's own tree */
        odm_format format; /* ABSENT is chr */
        odm_str value;     /* no octets, no XML */
        odm_wall at;
} odm_values_row;

/* ---- the writer ------------------------------------------------------------------------------- */

typedef struct odm_values odm_values;

/* A document of at most `max` octets in the making.  0, ODM_ENOMEM. */
ODM_MUST_USE int odm_values_new(const odm_mem *mem, size_t max, odm_values **out);
void odm_values_free(odm_values *v); /* NULL is allowed */
/* Adds a row; copies.  0; ODM_ELIMIT: the document is full without it; ODM_EINVAL: longer than
 * ODM_VALUES_TEXT, of format node, bin or xml, or of no year from 1970 to 9999; ODM_ENOMEM. */
ODM_MUST_USE int odm_values_add(odm_values *v, const odm_values_row *row);
size_t odm_values_count(const odm_values *v); /* rows in it */
/* Appends the document; it is empty then.  0, ODM_ENOMEM, ODM_ELIMIT (of `out`). */
ODM_MUST_USE int odm_values_take(odm_values *v, odm_buf *out);

/* ---- the reader -------------------------------------------------------------------------------- */

/* Calls fn for each value, in the order of the document; texts are read during the call only.
 * Elements and attributes it does not know are skipped.  Stops at a negative return and returns it;
 * else 0, ODM_EMALFORMED (no such document, or no numbers where they belong), ODM_ELIMIT (an
 * element too deep, a text too long), ODM_ENOMEM; what came before was told then. */
ODM_MUST_USE int odm_values_read(odm_str xml, const odm_mem *mem,
                                 int (*fn)(void *ctx, const odm_values_row *row), void *ctx);

#endif
