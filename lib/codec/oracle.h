/* SPDX-License-Identifier: Apache-2.0 */
/* oracle.h - what must hold of any message or document that decodes; for tests and
 * fuzzing only.  A broken promise aborts, printing both sides. */
#ifndef ORACLE_H
#define ORACLE_H

#include "odm/codec.h"

/* Every field as text, so that two messages can be compared and shown. */
void dump_msg(const odm_msg *m, odm_buf *out);
void dump_doc(const odm_doc *d, odm_buf *out);

/* Decodes `in`; if that works, checks that it encodes and decodes to the same message in
 * its own codec, and, after odm_msg_convert(), in the other.  Returns what decoding did. */
int oracle_msg(const odm_codec *c, odm_str in);
/* The same for a document in both forms. */
int oracle_doc(odm_str in);

#endif
