/* SPDX-License-Identifier: Apache-2.0 */
/* io.h - files and octets, as people hand them over. */
#ifndef XREM_IO_H
#define XREM_IO_H

#include "xrem.h"

#define XREM_FILE_MAX (64u << 20) /* octets of the largest file we read */

/* Reads a whole file, or standard input for "-" and NULL.  XREM_OK, or XREM_BAD_INPUT having
 * said why. */
int xrem_read_file(xrem *c, const char *path, odm_str *out);
/* Writes to a file, or to stdout for "-" and NULL; octets that are no text are not written to
 * a terminal.  XREM_OK, XREM_BROKEN, or XREM_USAGE for a terminal. */
int xrem_write_file(xrem *c, const char *path, odm_str octets, bool binary);

/* Octets from text: "hex:0a0b", "b64:Cgs=", "text:abc"; without such a prefix base64.
 * Returns 0 or ODM_EMALFORMED. */
ODM_MUST_USE int xrem_octets(xrem *c, const char *text, odm_str *out);
/* What a file holds that may be octets, or their hexadecimal or base64 text. */
odm_str xrem_unwrap_text(xrem *c, odm_str in, bool (*is_binary)(odm_str in));
bool xrem_is_hex(odm_str s);                 /* only hex digits and blanks, an even number */
odm_str xrem_hex(xrem *c, odm_str octets);   /* lower case */
odm_str xrem_from_hex(xrem *c, odm_str hex); /* s must be xrem_is_hex() */
odm_str xrem_b64(xrem *c, odm_str octets);

#endif
