/* SPDX-License-Identifier: Apache-2.0 */
/* words.h - texts that many things have, each kept once: what ten thousand devices of one model say
 * of themselves is alike.  For one thread. */
#ifndef HOST_WORDS_H
#define HOST_WORDS_H

#include "odm/base.h"

typedef struct words words;

words *words_new(void);    /* NULL: out of memory */
void words_free(words *w); /* with all that is in it; NULL is allowed */
/* The text, a copy with a zero behind it: the same one for the same text, until each who took it
 * has dropped it.  NULL: out of memory. */
const char *words_take(words *w, odm_str text);
void words_drop(words *w, const char *word); /* NULL is allowed */
odm_str words_text(const char *word);        /* with its length, where it has zeros in it */
size_t words_count(const words *w);          /* different ones */

#endif
