/* SPDX-License-Identifier: Apache-2.0 */
/* wbxml.h - the global tokens of WBXML (dm-representation.md 4.2). */
#ifndef WBXML_H
#define WBXML_H

#include "codec_ops.h"

#define WB_SWITCH_PAGE 0x00
#define WB_END 0x01
#define WB_ENTITY 0x02
#define WB_STR_I 0x03
#define WB_LITERAL 0x04
#define WB_FIRST_TAG 0x05 /* of a code page; those below are global */
#define WB_STR_T 0x83
#define WB_OPAQUE 0xc3
#define WB_CONTENT 0x40
#define WB_ATTRIBUTES 0x80

#define WB_UTF8 106 /* MIBenum of the charset */

int odm_wbxml_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_msg **out);
bool odm_wbxml_is(odm_str in);
int odm_wbxml_doc_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_doc **out);

#endif
