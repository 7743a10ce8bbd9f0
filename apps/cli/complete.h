/* SPDX-License-Identifier: Apache-2.0 */
/* complete.h - what could stand at the end of an unfinished command line. */
#ifndef XREM_COMPLETE_H
#define XREM_COMPLETE_H

#include "xrem.h"

/* words[0..n-1] follow "xrem" on the line; the last one is being typed and may be empty.
 * Prints candidates, one a line; the single word "<file>" asks the shell for file names. */
int xrem_complete(xrem *c, int n, char **words);

#endif
