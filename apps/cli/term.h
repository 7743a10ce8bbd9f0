/* SPDX-License-Identifier: Apache-2.0 */
/* term.h - the terminal: how wide, which colours, and text that cannot harm it.
 *
 * What devices say is a stranger's text.  Control characters in it never reach a
 * terminal: they are shown as \xNN. */
#ifndef XREM_TERM_H
#define XREM_TERM_H

#include "xrem.h"

enum xrem_colour { XREM_PLAIN, XREM_BOLD, XREM_DIM, XREM_RED, XREM_GREEN, XREM_YELLOW, XREM_BLUE };

/* Finds out who is looking; sets the fields of *c. */
void xrem_term_init(xrem *c);
/* Columns of the terminal on stdout; 0 when it is none, and nothing need be cut. */
unsigned xrem_term_width(const xrem *c);

/* `s` with control characters, and octets that are no UTF-8, made visible.  With `lines`, tabs
 * and line ends stay. */
odm_str xrem_visible(xrem *c, odm_str s, bool lines);
/* Writes `s` to stdout: as it is when piped, made visible on a terminal. */
void xrem_put_text(xrem *c, odm_str s);
/* Asks the person at the terminal; true: it was answered with yes.  Nobody there is a no. */
bool xrem_confirm(xrem *c, const char *question);
/* Escape sequences, or "" when stdout shows no colours. */
const char *xrem_colour(const xrem *c, enum xrem_colour k);

#endif
