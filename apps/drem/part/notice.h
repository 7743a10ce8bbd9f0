/* SPDX-License-Identifier: Apache-2.0 */
/* notice.h - an alarm about one thing, said until it is kept: fm.h wants that no transaction is
 * open, and who finds a damage cannot wait for that. */
#ifndef DREM_PART_NOTICE_H
#define DREM_PART_NOTICE_H

#include "part/fm.h"

typedef struct notice { /* in the caller's storage */
        const part_host *h;
        const char *cause;
        char object[FM_TEXT + 1], text[FM_TEXT + 1];
        fm_severity severity; /* FM_CLEARED: it is over */
        loop_timer again;
} notice;

/* Text as a leaf may have it, of one that came from a program, a file or its name: cut between
 * characters, and '?' for what is no character of a line of UTF-8. */
void notice_text(char *out, size_t size, const char *text);

/* Borrows `h` and `cause`; copies `object`, as notice_text makes it. */
void notice_init(notice *n, const part_host *h, const char *cause, const char *object);
/* Raises or clears it, now or as soon as that is possible; what was to be said before is not said
 * any more.  Any octets will do for `text`: notice_text makes it fit. */
void notice_say(notice *n, fm_severity s, const char *text);
/* What the end of a task tells of the room on this device: raised (minor) when there was none, over
 * when another one ended well. */
void notice_room(notice *n, const odm_task_end *e);
/* Says nothing more.  One that was never initialised is allowed if it is zeroed. */
void notice_stop(notice *n);

#endif
