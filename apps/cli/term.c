/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals: size by TIOCGWINSZ, colours by the conventions of no-color.org, and the
 * one function through which a stranger's text passes. */
#include "term.h"

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void xrem_term_init(xrem *c)
{
        const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
        bool colours = (no == NULL || *no == 0) && term && strcmp(term, "dumb") != 0;

        setlocale(LC_CTYPE, "");
        c->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
        c->out_tty = isatty(STDOUT_FILENO) == 1;
        c->err_tty = isatty(STDERR_FILENO) == 1;
        c->out_colour = c->out_tty && colours;
        c->err_colour = c->err_tty && colours;
}

unsigned xrem_term_width(const xrem *c)
{
        struct winsize w;
        uint64_t n;

        if (!c->out_tty)
                return 0;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
                return w.ws_col;
        return odm_str_u64(odm_cstr(getenv("COLUMNS")), 10000, &n) == 0 && n > 0 ? (unsigned)n : 80;
}

/* Octets of the character at s, or 0 when it is to be escaped: C0 and C1 controls, DEL,
 * and what is no UTF-8. */
static size_t shown(odm_str s, bool lines)
{
        uint8_t b = (uint8_t)s.p[0];
        size_t n = b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;

        if (b < 0x20)
                return lines && (b == '\n' || b == '\t');
        if (b == 0x7f || n > s.n || !odm_utf8_ok(odm_str_to(s, n)))
                return 0;
        if (b == 0xc2 && (uint8_t)s.p[1] < 0xa0)
                return 0;
        return n;
}

odm_str xrem_visible(xrem *c, odm_str s, bool lines)
{
        static const char digits[] = "0123456789abcdef";
        char *p = xrem_get(c, s.n * 4 + 1);
        size_t n = 0;

        for (size_t i = 0; i < s.n;) {
                size_t len = shown(odm_str_from(s, i), lines);

                if (len > 0) {
                        memcpy(p + n, s.p + i, len);
                        n += len;
                        i += len;
                        continue;
                }
                uint8_t b = (uint8_t)s.p[i++];
                p[n++] = '\\';
                p[n++] = 'x';
                p[n++] = digits[b >> 4];
                p[n++] = digits[b & 15];
        }
        return (odm_str){p, n};
}

void xrem_put_text(xrem *c, odm_str s)
{
        if (c->out_tty)
                s = xrem_visible(c, s, true);
        if (s.n > 0)
                fwrite(s.p, 1, s.n, stdout);
}

const char *xrem_colour(const xrem *c, enum xrem_colour k)
{
        static const char *const codes[] = {
                [XREM_PLAIN] = "\033[0m", [XREM_BOLD] = "\033[1m",   [XREM_DIM] = "\033[2m",
                [XREM_RED] = "\033[31m",  [XREM_GREEN] = "\033[32m", [XREM_YELLOW] = "\033[33m",
                [XREM_BLUE] = "\033[34m",
        };

        return c->out_colour ? codes[k] : "";
}

/* Who talked to the server has Ctrl-C come to its loop, which does not run while we read: here it
 * ends the program. */
static void heed_interrupts(sigset_t *was)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        (void)pthread_sigmask(SIG_UNBLOCK, &set, was);
}

bool xrem_confirm(xrem *c, const char *question)
{
        odm_str s = xrem_visible(c, odm_cstr(question), false);
        char line[16];
        sigset_t was;
        bool yes;

        if (!c->err_tty || isatty(STDIN_FILENO) != 1)
                return false;
        (void)fprintf(stderr, "%.*s [y/N] ", (int)s.n, s.p);
        (void)fflush(stderr);
        heed_interrupts(&was);
        yes = fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
        (void)pthread_sigmask(SIG_SETMASK, &was, NULL);
        return yes;
}
