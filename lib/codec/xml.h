/* SPDX-License-Identifier: Apache-2.0 */
#ifndef XML_H
#define XML_H

#include "codec_ops.h"

/* Any constant but 0, which would ask expat to read the system's randomness. */
#define XML_HASH_SALT 0x6f646dUL

int xml_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_msg **out);
int xml_doc_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_doc **out);

#endif
