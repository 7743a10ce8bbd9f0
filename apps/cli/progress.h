/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - one line on a terminal's stderr that says what we wait for. */
#ifndef XREM_PROGRESS_H
#define XREM_PROGRESS_H

#include "xrem.h"

typedef struct xrem_progress {
        xrem *c;
        const char *what; /* "queued", "in_session" ... */
        odm_time since;
        unsigned frame;
        bool shown;
} xrem_progress;

#define XREM_PROGRESS_MS 120 /* a tick */

/* Nothing is drawn unless stderr is a terminal and --quiet is not given, nor in the first
 * moments: what is quick should not flicker. */
void xrem_progress_begin(xrem_progress *p, xrem *c, const char *what);
void xrem_progress_say(xrem_progress *p, const char *what); /* borrowed until the next call */
void xrem_progress_tick(xrem_progress *p);
void xrem_progress_end(xrem_progress *p); /* wipes the line */
unsigned xrem_progress_seconds(const xrem_progress *p);

#endif
