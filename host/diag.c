/* SPDX-License-Identifier: Apache-2.0 */
/* diag.c - sentences for people; see diag.h. */
#include "diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int diag_set(diag *d, int rc, const char *fmt, ...)
{
        int keep = errno;
        va_list ap;

        if (d) {
                va_start(ap, fmt);
                vsnprintf(d->text, sizeof d->text, fmt, ap);
                va_end(ap);
        }
        errno = keep;
        return rc;
}
