/* SPDX-License-Identifier: Apache-2.0 */
/* diag.h - a sentence on what went wrong, for the person who has to mend it. */
#ifndef HOST_DIAG_H
#define HOST_DIAG_H

#include "odm/base.h"

/* Filled by functions that return an error; in the caller's storage.  Empty when
 * `text` begins with a zero.  Everywhere a diag is taken, NULL is allowed. */
typedef struct diag {
        char text[512];
} diag;

/* Sets the sentence, cut at the size of the diag.  Leaves errno alone.  Returns `rc`, so
 * that "return diag_set(d, ODM_EIO, ...)" is one line. */
int diag_set(diag *d, int rc, const char *fmt, ...) ODM_PRINTF(3, 4);

#endif
