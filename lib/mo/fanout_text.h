/* SPDX-License-Identifier: Apache-2.0 */
/* fanout_text.h - XML as the documents of fan-outs are written in. */
#ifndef MO_FANOUT_TEXT_H
#define MO_FANOUT_TEXT_H

#include "odm/base.h"

/* Appends `s` escaped, for content and attributes alike; an octet that XML cannot carry becomes a
 * question mark.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_fanout_put_text(odm_buf *b, odm_str s);
size_t odm_fanout_text_size(odm_str s); /* what it appends */

#endif
