/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFORMANCE_MESSAGE_H
#define CONFORMANCE_MESSAGE_H

#include "case.h"
#include "odm/msg.h"

/* Adds what a recv line says to the message: a command, a member ("1.2" inside "1"), or with "+"
 * an item more of the last command.  NULL, or what is wrong with the line. */
const char *message_add(odm_msg *m, const line *l, odm_arena *a);
/* The format and type of a word such as "int", "chr:text/html" or "tnds". */
odm_meta message_meta(odm_str word, odm_arena *a);
/* A challenge as "md5:NONCE", the nonce in base64; "basic", "mac". */
odm_meta message_challenge(odm_str word);
/* Octets of the data argument at `i`: text, or hexadecimal for format bin. */
odm_str message_data(const token *t, odm_format f, odm_arena *a);
/* True when the word names a format. */
bool message_is_format(odm_str word);

#endif
