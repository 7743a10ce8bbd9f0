/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and messages for all commands.  Running out of memory ends the program:
 * nothing is half done that another run would not find as it was. */
#include "xrem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "odm/msg.h"
#include "term.h"

_Noreturn void xrem_out_of_memory(void)
{
        fputs("xrem: out of memory\n", stderr);
        exit(XREM_BROKEN);
}

static odm_str format_text(xrem *c, const char *fmt, va_list ap)
{
        va_list again;

        va_copy(again, ap);
        int n = vsnprintf(NULL, 0, fmt, again);
        va_end(again);
        if (n < 0)
                xrem_out_of_memory();
        char *p = xrem_get(c, (size_t)n + 1);
        vsnprintf(p, (size_t)n + 1, fmt, ap);
        return (odm_str){p, (size_t)n};
}

/* Whatever it quotes, a device's or a server's words, cannot harm the terminal. */
static void say(const char *before, const char *fmt, va_list ap)
{
        xrem own = {0};

        odm_arena_init(&own.arena, &heap_mem, XREM_MEMORY_MAX);
        odm_str s = xrem_visible(&own, format_text(&own, fmt, ap), false);
        (void)fflush(stdout);
        (void)fprintf(stderr, "%s%.*s\n", before, (int)s.n, s.p);
        odm_arena_done(&own.arena);
}

int xrem_fail(int code, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        say("xrem: ", fmt, ap);
        va_end(ap);
        return code;
}

void xrem_note(const xrem *c, const char *fmt, ...)
{
        va_list ap;

        if (c->set.quiet)
                return;
        va_start(ap, fmt);
        say("", fmt, ap);
        va_end(ap);
}

bool xrem_terse(const xrem *c, const char *id)
{
        if (!c->set.quiet || c->set.json)
                return false;
        if (id)
                puts(id);
        return true;
}

bool xrem_succeeded(unsigned status)
{
        return odm_status_ok(status) && status != ODM_ST_CANCELLED &&
               status != ODM_ST_NOT_EXECUTED && status != ODM_ST_ROLLED_BACK;
}

void *xrem_get(xrem *c, size_t n)
{
        void *p = odm_arena_zget(&c->arena, n);

        if (p == NULL)
                xrem_out_of_memory();
        return p;
}

odm_str xrem_str(xrem *c, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        odm_str s = format_text(c, fmt, ap);
        va_end(ap);
        return s;
}

const char *xrem_fmt(xrem *c, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        odm_str s = format_text(c, fmt, ap);
        va_end(ap);
        return s.p;
}

odm_str xrem_copy(xrem *c, odm_str s)
{
        char *p = xrem_get(c, s.n + 1);

        if (s.n > 0)
                memcpy(p, s.p, s.n);
        return (odm_str){p, s.n};
}

const char *xrem_z(xrem *c, odm_str s)
{
        return xrem_copy(c, s).p;
}
