/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h - numbers and texts as octets, for the blobs a store keeps.
 *
 * A number is seven bits an octet, low ones first; a text is its length plus one (0: absent) and
 * its octets.  Readers stop at the end: `bad` is set, and what follows reads as 0 or absent. */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include "odm/base.h"

size_t pack_size_u64(uint64_t v);
size_t pack_size_str(odm_str s);
/* Write at p, which has the room; return what is behind. */
char *pack_u64(char *p, uint64_t v);
char *pack_str(char *p, odm_str s);

typedef struct unpack {
        const char *p, *end;
        bool bad;
} unpack;

uint64_t unpack_u64(unpack *u);
odm_str unpack_str(unpack *u); /* borrowed */

#endif
