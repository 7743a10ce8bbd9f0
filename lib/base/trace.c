/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "odm/base.h"

void odm_trace(const odm_tracer *t, const char *room, const char *fmt, ...)
{
        char line[512];
        va_list ap;

        va_start(ap, fmt);
        int n = vsnprintf(line, sizeof line, fmt, ap);
        va_end(ap);
        if (n >= 0)
                t->line(t->ctx, room, line);
}
