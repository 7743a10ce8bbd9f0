/* SPDX-License-Identifier: Apache-2.0 */
/* raw.h - messages written out in a case, as a stranger sends them.
 *
 * Nothing of them goes through the codec that is tested: XML is sent as it stands, and WBXML is
 * made of it element by element, in the order and with the text that stand there. */
#ifndef CONFORMANCE_RAW_H
#define CONFORMANCE_RAW_H

#include "odm/codec.h"

/* What a case may leave open, as $NAME. */
typedef struct raw_word {
        const char *name;
        odm_str value;
} raw_word;

/* `text` with its $NAMEs replaced by the `n` words, and \xHH by octets, for `codec`; in `a`.
 * Absent, with *why set, when it cannot be made. */
odm_str raw_message(odm_str text, const odm_codec *codec, const raw_word *words, size_t n,
                    odm_arena *a, const char **why);

#endif
