/* SPDX-License-Identifier: Apache-2.0 */
/* The spinner. */
#include "progress.h"

#include <stdio.h>

#include "loop.h"

#define QUIET_MS 300 /* nothing is drawn before */

void xrem_progress_begin(xrem_progress *p, xrem *c, const char *what)
{
        *p = (xrem_progress){.c = c, .what = what, .since = loop_now()};
}

void xrem_progress_say(xrem_progress *p, const char *what)
{
        p->what = what;
}

unsigned xrem_progress_seconds(const xrem_progress *p)
{
        return (unsigned)((loop_now().ms - p->since.ms) / 1000);
}

void xrem_progress_tick(xrem_progress *p)
{
        static const char *const round[] = {"\u280b", "\u2819", "\u2839", "\u2838", "\u283c",
                                            "\u2834", "\u2826", "\u2827", "\u2807", "\u280f"};
        static const char *const plain[] = {"|", "/", "-", "\\"};
        const xrem *c = p->c;
        bool late = loop_now().ms - p->since.ms >= QUIET_MS;
        const char *sign =
                c->utf8 ? round[p->frame % ODM_COUNT(round)] : plain[p->frame % ODM_COUNT(plain)];

        if (!c->err_tty || c->set.quiet || !late)
                return;
        fprintf(stderr, "\r%s%s%s %s, %u s\033[K", c->err_colour ? "\033[34m" : "", sign,
                c->err_colour ? "\033[0m" : "", p->what, xrem_progress_seconds(p));
        fflush(stderr);
        p->frame++;
        p->shown = true;
}

void xrem_progress_end(xrem_progress *p)
{
        if (p->shown)
                fputs("\r\033[K", stderr);
        p->shown = false;
}
